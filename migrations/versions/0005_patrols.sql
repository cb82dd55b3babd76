-- Patrols: who works which grid, when they are on duty, where they were, what they have to visit.

-- `number` is the short name that fixes carry: 4 bytes instead of 16. A member who leaves becomes inactive and stays.
CREATE TABLE member (
    uid uuid PRIMARY KEY,
    number integer GENERATED ALWAYS AS IDENTITY,
    code text COLLATE "C" NOT NULL CHECK (code <> '' AND code = btrim(code) AND length(code) <= 64),
    name text NOT NULL CHECK (length(name) <= 200),
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'lead')),
    active boolean NOT NULL DEFAULT true,
    made_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL CHECK (changed_at >= made_at),
    CONSTRAINT member_number UNIQUE (number),
    CONSTRAINT member_code UNIQUE (code)
);

-- A member may work several grids; in each once at a time. `valid` is half-open.
CREATE TABLE membership (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    member uuid NOT NULL REFERENCES member,
    grid uuid NOT NULL REFERENCES grid,
    valid tstzrange NOT NULL CHECK (NOT isempty(valid)) CHECK (NOT lower_inf(valid)),
    CONSTRAINT membership_once EXCLUDE USING gist (member WITH =, grid WITH =, valid WITH &&)
);
CREATE INDEX membership_grid ON membership (grid);

-- Duty, half-open. Two shifts of a member never overlap; `external_id` is the roster's own name of a shift, for corrections.
CREATE TABLE shift (
    id uuid PRIMARY KEY,
    member uuid NOT NULL REFERENCES member,
    during tstzrange NOT NULL CHECK (NOT isempty(during)) CHECK (NOT lower_inf(during) AND NOT upper_inf(during))
        CONSTRAINT shift_is_no_longer_than_two_days CHECK (upper(during) - lower(during) <= interval '48 hours'),
    external_id text,
    CONSTRAINT shift_external_id UNIQUE (external_id),
    CONSTRAINT shift_once EXCLUDE USING gist (member WITH =, during WITH &&)
);

-- Leave may lie inside a shift, across shifts or beside them.
CREATE TABLE leave (
    id uuid PRIMARY KEY,
    member uuid NOT NULL REFERENCES member,
    during tstzrange NOT NULL CHECK (NOT isempty(during)) CHECK (NOT lower_inf(during) AND NOT upper_inf(during)),
    kind text NOT NULL DEFAULT '' CHECK (length(kind) <= 64),
    external_id text,
    CONSTRAINT leave_external_id UNIQUE (external_id),
    CONSTRAINT leave_once EXCLUDE USING gist (member WITH =, during WITH &&)
);

-- `standing` is against the member's own grid (`grid`) by the boundary of that instant; `distance_m` to its border, positive inside.
-- `found` is the grid in which the place lies. `generation` is the one that answered.
CREATE TABLE checkin (
    id uuid PRIMARY KEY,
    member uuid NOT NULL REFERENCES member,
    at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('in', 'out', 'visit')),
    geom geometry(Point, 4326) NOT NULL,
    accuracy_m double precision CHECK (accuracy_m > 0 AND accuracy_m < 'infinity'),
    x double precision NOT NULL,
    y double precision NOT NULL,
    crs text NOT NULL,
    converter text NOT NULL,
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    standing text CHECK (standing IN ('inside', 'edge', 'outside')),
    distance_m double precision CHECK (distance_m > '-infinity' AND distance_m < 'infinity'),
    grid uuid REFERENCES grid,
    found uuid REFERENCES grid,
    generation integer NOT NULL CHECK (generation >= 0),
    received_at timestamptz NOT NULL,
    CONSTRAINT checkin_once UNIQUE (member, at, kind),
    CONSTRAINT checkin_standing_is_in_a_grid CHECK ((standing IS NULL) = (grid IS NULL) AND (standing IS NULL) = (distance_m IS NULL))
);
CREATE INDEX checkin_at ON checkin (at);
CREATE TRIGGER checkin_is_append_only BEFORE UPDATE OR DELETE ON checkin FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Must-visit places. Their grid follows from their position by the boundary of the instant that is asked about.
CREATE TABLE place (
    uid uuid PRIMARY KEY,
    code text COLLATE "C" NOT NULL CHECK (code <> '' AND code = btrim(code) AND length(code) <= 64),
    kind text NOT NULL CHECK (kind <> '' AND length(kind) <= 64),
    name text NOT NULL CHECK (length(name) <= 200),
    address text,
    geom geometry(Point, 4326) NOT NULL,
    crs text NOT NULL,
    converter text NOT NULL,
    revisit_days double precision CHECK (revisit_days > 0 AND revisit_days <= 3660),
    valid tstzrange NOT NULL CHECK (NOT isempty(valid)) CHECK (NOT lower_inf(valid)),
    CONSTRAINT place_code UNIQUE (code)
);
CREATE INDEX place_geom ON place USING gist (geom);

-- A visit by a member, or by a report from there. "Visited, nothing found" counts.
CREATE TABLE visit (
    id uuid PRIMARY KEY,
    place uuid NOT NULL REFERENCES place,
    member uuid REFERENCES member,
    event uuid,
    at timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('nothing', 'found')),
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    received_at timestamptz NOT NULL,
    CONSTRAINT visit_is_somebodys CHECK (member IS NOT NULL OR event IS NOT NULL),
    CONSTRAINT visit_once UNIQUE (place, member, at),
    CONSTRAINT visit_of_event UNIQUE (place, event)
);
CREATE INDEX visit_at ON visit (at);
CREATE TRIGGER visit_is_append_only BEFORE UPDATE OR DELETE ON visit FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Pieces of road that patrols are measured against; loading a source again replaces it.
CREATE TABLE street (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL CHECK (source <> ''),
    external_id text,
    name text NOT NULL DEFAULT '',
    kind text NOT NULL DEFAULT '',
    length_m double precision NOT NULL CHECK (length_m > 0),
    geom geometry(MultiLineString, 4326) NOT NULL CHECK (NOT ST_IsEmpty(geom)),
    CONSTRAINT street_external_id UNIQUE (source, external_id)
);
CREATE INDEX street_geom ON street USING gist (geom);

-- Fixes: 52 bytes each, by day (UTC), found by BRIN. Degrees are counted in 1e-7 (11 mm), accuracy in 0.1 m (0: not told).
-- `datum` is what they were declared in: 0 wgs84, 1 cgcs2000, 2 gcj02, 3 bd09, 4 projected.
-- One row a member and instant; two where two places of one instant are told equally exact (the two ends of all that were).
-- No index says so (it would cost as much as the rows): `fix_day` does, whose row every writer locks first.
CREATE TABLE fix (
    at timestamptz NOT NULL,
    member integer NOT NULL,
    lon integer NOT NULL CONSTRAINT fix_lon CHECK (lon BETWEEN -1800000000 AND 1800000000),
    lat integer NOT NULL CONSTRAINT fix_lat CHECK (lat BETWEEN -900000000 AND 900000000),
    accuracy smallint NOT NULL CONSTRAINT fix_accuracy CHECK (accuracy >= 0),
    datum smallint NOT NULL CONSTRAINT fix_datum CHECK (datum BETWEEN 0 AND 4)
) PARTITION BY RANGE (at);
CREATE INDEX fix_where ON fix USING brin (at, member) WITH (pages_per_range = 16);

-- What is stored of a member's day: how many, from when to when, and how often it was changed (for what is made from it).
CREATE TABLE fix_day (
    member integer NOT NULL REFERENCES member (number),
    day date NOT NULL,
    fixes integer NOT NULL DEFAULT 0 CHECK (fixes >= 0),
    first_at timestamptz,
    last_at timestamptz,
    change bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (member, day),
    CONSTRAINT fix_day_is_its_own CHECK ((first_at IS NULL) = (fixes = 0) AND (last_at IS NULL) = (fixes = 0)
        AND first_at <= last_at AND (first_at AT TIME ZONE 'UTC')::date = day AND (last_at AT TIME ZONE 'UTC')::date = day)
);
CREATE INDEX fix_day_day ON fix_day (day);
CREATE SEQUENCE fix_change OWNED BY fix_day.change;

-- What a foreign key says, said once a statement instead of once a row.
CREATE FUNCTION fixes_name_members() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    missing integer := (SELECT n.member FROM (SELECT DISTINCT member FROM new_rows) n
                        WHERE NOT EXISTS (SELECT FROM member m WHERE m.number = n.member) LIMIT 1);
BEGIN
    IF missing IS NOT NULL THEN
        PERFORM refuse_reference('fix_member_fkey', 'member ' || missing);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fixes_name_members AFTER INSERT ON fix REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION fixes_name_members();

-- Members stay, and keep the number that fixes carry.
CREATE TRIGGER member_stays BEFORE DELETE ON member FOR EACH ROW EXECUTE FUNCTION refuse_removal('a member');
CREATE TRIGGER member_keeps_its_name BEFORE UPDATE OF uid, number ON member FOR EACH ROW
    WHEN (NEW.uid <> OLD.uid OR NEW.number <> OLD.number) EXECUTE FUNCTION refuse_removal('a member');

CREATE FUNCTION ensure_fix_day(wanted date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    child text := 'fix_' || to_char(wanted, 'YYYY_MM_DD');
BEGIN
    IF to_regclass(format('%I', child)) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('gridbeat.ensure_fix_day'));
    -- Asked of the table itself: what `to_regclass` remembers from before the wait may be old.
    IF NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                   WHERE i.inhparent = 'fix'::regclass AND c.relname = child) THEN
        -- Made apart and then attached: readers of other days are not held up.
        EXECUTE format('CREATE TABLE %I (LIKE fix INCLUDING CONSTRAINTS)', child);
        EXECUTE format('ALTER TABLE fix ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', child,
                       wanted::timestamp AT TIME ZONE 'UTC', (wanted + 1)::timestamp AT TIME ZONE 'UTC');
        EXECUTE format('CREATE TRIGGER fixes_name_members AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows '
                       'FOR EACH STATEMENT EXECUTE FUNCTION fixes_name_members()', child);
    END IF;
END $$;

-- Whole days go; returns how many fixes that were.
CREATE FUNCTION drop_fix_days(before date) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
    child text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('gridbeat.ensure_fix_day'));
    WITH old AS (DELETE FROM fix_day WHERE day < before RETURNING fixes) SELECT coalesce(sum(fixes), 0) INTO gone FROM old;
    FOR child IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = 'fix'::regclass AND c.relname < 'fix_' || to_char(before, 'YYYY_MM_DD') LOOP
        EXECUTE format('DROP TABLE %I', child);
    END LOOP;
    RETURN gone;
END $$;
