-- The first store: boundaries in two times, events by month, append-only receipts, audit.
-- Half-open ranges: `valid` is true in the world, `recorded` is known to the system.

CREATE TABLE layer (
    name text PRIMARY KEY,
    priority integer NOT NULL UNIQUE,
    mode text NOT NULL DEFAULT 'overlay' CHECK (mode IN ('overlay', 'carved')),
    title_zh text NOT NULL,
    title_en text NOT NULL
);
INSERT INTO layer (name, priority, title_zh, title_en) VALUES
    ('dedicated', 10, '专属网格', 'dedicated grids'),
    ('frontage', 20, '街面网格', 'frontage grids'),
    ('general', 30, '综合网格', 'general grids'),
    ('micro', 40, '微网格', 'micro-grids'),
    ('unit', 50, '单元网格', 'unit grids');

CREATE TABLE level (
    name text PRIMARY KEY,
    rank integer NOT NULL UNIQUE,
    title_zh text NOT NULL,
    title_en text NOT NULL
);
INSERT INTO level (name, rank, title_zh, title_en) VALUES
    ('district', 1, '区', 'district'),
    ('subdistrict', 2, '街道/镇', 'subdistrict or town'),
    ('community', 3, '社区/村', 'community or village'),
    ('grid', 4, '网格', 'grid'),
    ('micro_grid', 5, '微网格', 'micro-grid');

-- One deployment-wide line of published states, in order of publication.
CREATE TABLE generation (
    number integer PRIMARY KEY CHECK (number > 0),
    published_at timestamptz NOT NULL UNIQUE,
    effective_at timestamptz NOT NULL,
    correction boolean NOT NULL DEFAULT false,
    reason text,
    actor text NOT NULL,
    summary jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT generation_correction_has_reason CHECK (NOT correction OR coalesce(reason, '') <> '')
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION generation_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newest record;
BEGIN
    SELECT max(number) AS number, max(published_at) AS published_at, max(effective_at) AS effective_at INTO newest FROM generation;
    IF NEW.number <> coalesce(newest.number, 0) + 1 OR NEW.published_at <= newest.published_at THEN
        RAISE EXCEPTION 'generations are numbered in order of publication' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NOT NEW.correction AND NEW.effective_at < newest.effective_at THEN
        RAISE EXCEPTION 'a generation takes effect after the newest published one' USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'generation_order';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER generation_order BEFORE INSERT ON generation FOR EACH ROW EXECUTE FUNCTION generation_in_order();
CREATE TRIGGER generation_is_immutable BEFORE UPDATE OR DELETE ON generation FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The identity of a grid of any level; its shape, code, name and parents are facts with two times.
CREATE TABLE grid (
    uid uuid PRIMARY KEY,
    layer text NOT NULL REFERENCES layer,
    level text NOT NULL REFERENCES level,
    generation integer NOT NULL REFERENCES generation DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE grid_shape (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grid uuid NOT NULL REFERENCES grid,
    geom geometry(MultiPolygon, 4326) NOT NULL CHECK (ST_IsValid(geom)) CHECK (NOT ST_IsEmpty(geom)),
    area_m2 double precision NOT NULL CHECK (area_m2 > 0),
    valid tstzrange NOT NULL CHECK (NOT isempty(valid)),
    recorded tstzrange NOT NULL CHECK (NOT isempty(recorded)),
    generation integer NOT NULL REFERENCES generation DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT grid_shape_once EXCLUDE USING gist (grid WITH =, valid WITH &&, recorded WITH &&)
);
CREATE INDEX grid_shape_geom ON grid_shape USING gist (geom);

CREATE TABLE grid_code (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grid uuid NOT NULL REFERENCES grid,
    code text COLLATE "C" NOT NULL CHECK (code <> '' AND length(code) <= 64),
    profile text NOT NULL,
    valid tstzrange NOT NULL CHECK (NOT isempty(valid)),
    recorded tstzrange NOT NULL CHECK (NOT isempty(recorded)),
    generation integer NOT NULL REFERENCES generation DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT grid_code_once EXCLUDE USING gist (grid WITH =, valid WITH &&, recorded WITH &&),
    CONSTRAINT grid_code_unique EXCLUDE USING gist (code WITH =, valid WITH &&, recorded WITH &&)
);
CREATE INDEX grid_code_code ON grid_code (code);

CREATE TABLE grid_name (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grid uuid NOT NULL REFERENCES grid,
    name text NOT NULL,
    valid tstzrange NOT NULL CHECK (NOT isempty(valid)),
    recorded tstzrange NOT NULL CHECK (NOT isempty(recorded)),
    generation integer NOT NULL REFERENCES generation DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT grid_name_once EXCLUDE USING gist (grid WITH =, valid WITH &&, recorded WITH &&)
);

-- `ordinal` 0 is the parent of the path; a dedicated grid over several parents has further ones.
CREATE TABLE grid_parent (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grid uuid NOT NULL REFERENCES grid,
    parent uuid NOT NULL REFERENCES grid CHECK (parent <> grid),
    ordinal smallint NOT NULL DEFAULT 0 CHECK (ordinal >= 0),
    valid tstzrange NOT NULL CHECK (NOT isempty(valid)),
    recorded tstzrange NOT NULL CHECK (NOT isempty(recorded)),
    generation integer NOT NULL REFERENCES generation DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT grid_parent_once EXCLUDE USING gist (grid WITH =, ordinal WITH =, valid WITH &&, recorded WITH &&)
);
CREATE INDEX grid_parent_parent ON grid_parent (parent);

CREATE TABLE lineage (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('split', 'merge', 'redistribute', 'reshape', 'rename', 'recode', 'reparent', 'retire', 'successor', 'create')),
    predecessor uuid REFERENCES grid,
    successor uuid REFERENCES grid,
    share double precision CHECK (share > 0 AND share <= 1.000001),
    generation integer NOT NULL REFERENCES generation DEFERRABLE INITIALLY DEFERRED,
    CHECK (predecessor IS NOT NULL OR successor IS NOT NULL)
);
CREATE INDEX lineage_predecessor ON lineage (predecessor);
CREATE INDEX lineage_successor ON lineage (successor);
CREATE TRIGGER lineage_is_append_only BEFORE UPDATE OR DELETE ON lineage FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A code that went out of use: never given again by a profile; answers 410 with its successors.
CREATE TABLE voided_code (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text COLLATE "C" NOT NULL,
    grid uuid NOT NULL REFERENCES grid,
    profile text NOT NULL,
    voided_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    generation integer NOT NULL REFERENCES generation DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX voided_code_code ON voided_code (code);
CREATE TRIGGER voided_code_is_append_only BEFORE UPDATE OR DELETE ON voided_code FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A fact of two times is never edited: only its recorded range may be closed.
CREATE FUNCTION only_close_recorded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - 'recorded' <> to_jsonb(OLD) - 'recorded'
       OR lower(NEW.recorded) <> lower(OLD.recorded) OR NOT upper_inf(OLD.recorded) OR upper_inf(NEW.recorded) THEN
        RAISE EXCEPTION '% keeps what was once known', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER grid_shape_keeps BEFORE UPDATE OR DELETE ON grid_shape FOR EACH ROW EXECUTE FUNCTION only_close_recorded();
CREATE TRIGGER grid_code_keeps BEFORE UPDATE OR DELETE ON grid_code FOR EACH ROW EXECUTE FUNCTION only_close_recorded();
CREATE TRIGGER grid_name_keeps BEFORE UPDATE OR DELETE ON grid_name FOR EACH ROW EXECUTE FUNCTION only_close_recorded();
CREATE TRIGGER grid_parent_keeps BEFORE UPDATE OR DELETE ON grid_parent FOR EACH ROW EXECUTE FUNCTION only_close_recorded();

CREATE TABLE household (
    id uuid PRIMARY KEY,
    external_id text UNIQUE,
    geom geometry(Point, 4326) NOT NULL,
    households integer NOT NULL CHECK (households >= 0),
    address text,
    crs text NOT NULL,
    converter text NOT NULL,
    loaded_at timestamptz NOT NULL
);
CREATE INDEX household_geom ON household USING gist (geom);

-- What helps to find one's way on a map; never asked about assignment.
CREATE TABLE context_shape (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('street', 'water', 'building', 'field')),
    name text NOT NULL DEFAULT '',
    width double precision NOT NULL DEFAULT 1 CHECK (width > 0), -- relative: 1 an ordinary street
    geom geometry(Geometry, 4326) NOT NULL
);
CREATE INDEX context_shape_geom ON context_shape USING gist (geom);

-- Events, by month of reception. `grid`, `method`, `reason` and `generation` repeat the newest receipt, for lists.
CREATE TABLE event (
    id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    reported_at timestamptz NOT NULL,
    occurred_at timestamptz NOT NULL,
    channel text NOT NULL CHECK (channel <> ''),
    external_id text,
    category text,
    category_scheme text,
    text text,
    address text,
    reporter text,
    accuracy_m double precision CHECK (accuracy_m > 0 AND accuracy_m < 'infinity'),
    raw jsonb NOT NULL,
    crs text NOT NULL,
    converter text NOT NULL,
    geom geometry(Point, 4326),
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    closed_at timestamptz,
    status_reason text,
    grid uuid REFERENCES grid,
    method text NOT NULL,
    reason text,
    generation integer NOT NULL,
    actor text NOT NULL,
    PRIMARY KEY (id, received_at),
    CONSTRAINT event_has_a_place CHECK (geom IS NOT NULL OR coalesce(address, '') <> ''),
    CONSTRAINT event_without_grid_says_why CHECK (grid IS NOT NULL OR reason IS NOT NULL)
) PARTITION BY RANGE (received_at);
CREATE INDEX event_received ON event (received_at, id);
CREATE INDEX event_occurred ON event (occurred_at, id);
CREATE INDEX event_grid ON event (grid, received_at);
CREATE INDEX event_geom ON event USING gist (geom);
CREATE INDEX event_unassigned ON event (received_at, id) WHERE grid IS NULL AND status = 'open';

-- One row a key, over all months: the same key and body answer with the same event.
CREATE TABLE event_key (
    channel text NOT NULL,
    key text NOT NULL,
    event uuid NOT NULL,
    received_at timestamptz NOT NULL,
    body_hash bytea NOT NULL,
    PRIMARY KEY (channel, key)
);

-- Receipts: why a report belongs to a grid. Append-only; partitioned with their events.
CREATE TABLE assignment (
    id uuid NOT NULL,
    event uuid NOT NULL,
    received_at timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    cause text NOT NULL CHECK (cause IN ('received', 'moved', 'override', 'resolved', 'published', 'loaded')),
    at timestamptz NOT NULL,
    known_at timestamptz NOT NULL,
    generation integer NOT NULL,
    kernel text NOT NULL,
    converter text NOT NULL,
    grid uuid REFERENCES grid,
    method text NOT NULL CHECK (method IN ('inside', 'edge', 'nearest', 'address', 'override', 'none')),
    reason text,
    lon double precision,
    lat double precision,
    answer jsonb NOT NULL,
    grounds jsonb NOT NULL, -- the place as given and the policy: what is needed to decide the same again
    actor text NOT NULL,
    PRIMARY KEY (id, received_at),
    FOREIGN KEY (event, received_at) REFERENCES event (id, received_at),
    CONSTRAINT assignment_without_grid_says_why CHECK (grid IS NOT NULL OR reason IS NOT NULL)
) PARTITION BY RANGE (received_at);
CREATE INDEX assignment_event ON assignment (event, id);
CREATE INDEX assignment_made ON assignment (made_at, id);
CREATE TRIGGER assignment_is_append_only BEFORE UPDATE OR DELETE ON assignment FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Versions of the policy document: rules of jurisdiction, what is done in doubt.
CREATE TABLE policy (
    number integer PRIMARY KEY CHECK (number > 0),
    published_at timestamptz NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    body jsonb NOT NULL
);
CREATE TRIGGER policy_is_append_only BEFORE UPDATE OR DELETE ON policy FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- How near two reports must be in place and time to be asked about as duplicates. '' is every category, every scheme.
-- The newest row of a category and scheme counts; one without a radius withdraws the rule.
CREATE TABLE duplicate_rule (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    category text NOT NULL DEFAULT '',
    scheme text NOT NULL DEFAULT '' CHECK (scheme = '' OR category <> ''),
    radius_m double precision CHECK (radius_m >= 0 AND radius_m <= 2000),
    minutes double precision CHECK (minutes >= 0 AND minutes <= 525600),
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    reason text NOT NULL DEFAULT '',
    CONSTRAINT duplicate_rule_is_whole CHECK ((radius_m IS NULL) = (minutes IS NULL))
);
CREATE INDEX duplicate_rule_newest ON duplicate_rule (category, scheme, number);
CREATE TRIGGER duplicate_rule_is_append_only BEFORE UPDATE OR DELETE ON duplicate_rule FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Somebody's word that two events tell of one thing, or (linked = false) that they do not: the newest word on a pair counts.
-- `other` is the earlier one, so that a pair has one spelling.
CREATE TABLE event_link (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event uuid NOT NULL,
    event_received_at timestamptz NOT NULL,
    other uuid NOT NULL CHECK (other < event),
    other_received_at timestamptz NOT NULL,
    kind text NOT NULL DEFAULT 'duplicate' CHECK (kind = 'duplicate'),
    linked boolean NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (event, event_received_at) REFERENCES event (id, received_at),
    FOREIGN KEY (other, other_received_at) REFERENCES event (id, received_at)
);
CREATE INDEX event_link_pair ON event_link (event, other, id);
CREATE INDEX event_link_other ON event_link (other);
CREATE TRIGGER event_link_is_append_only BEFORE UPDATE OR DELETE ON event_link FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What the links come to: the events that the earliest of their group stands for. Follows `event_link` in its transaction.
CREATE TABLE event_duplicate (
    event uuid PRIMARY KEY,
    representative uuid NOT NULL CHECK (representative < event)
);
CREATE INDEX event_duplicate_representative ON event_duplicate (representative);

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    role text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_subject ON audit (subject, id);
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Kinds of reports, a scheme each. What events may name is never deleted, only inactive; active codes are unique over all schemes.
CREATE TABLE category (
    scheme text NOT NULL CHECK (scheme <> ''),
    code text COLLATE "C" NOT NULL CHECK (code <> '' AND length(code) <= 64),
    name_zh text NOT NULL CHECK (name_zh <> ''),
    name_en text,
    "group" text,
    keywords text[] NOT NULL DEFAULT '{}',
    active boolean NOT NULL DEFAULT true,
    PRIMARY KEY (scheme, code)
);
CREATE UNIQUE INDEX category_active_code ON category (code) WHERE active;

-- Who is told of events and assignments. A removed one stays, inactive and without its secret.
CREATE TABLE webhook (
    id uuid PRIMARY KEY,
    url text NOT NULL,
    topics text[] NOT NULL CHECK (topics <@ ARRAY['event', 'assignment'] AND cardinality(topics) > 0),
    secret text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    actor text NOT NULL,
    failures integer NOT NULL DEFAULT 0, -- tries that failed since one was accepted
    resume_at timestamptz                -- not tried before then
);

-- The outbox: one row a notice and webhook, in the transaction of what it tells. `number` is the order in which an event's
-- notices are sent. No foreign key to `webhook`: its check would make the intake wait for, or fail with, a removal.
CREATE TABLE delivery (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    webhook uuid NOT NULL,
    topic text NOT NULL CHECK (topic IN ('event', 'assignment')),
    notice text NOT NULL,
    event uuid NOT NULL,
    received_at timestamptz NOT NULL,
    receipt uuid,
    detail jsonb NOT NULL DEFAULT '{}',
    made_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead', 'skipped')),
    due_at timestamptz NOT NULL DEFAULT now(), -- while a sender tries it: when another may
    attempts integer NOT NULL DEFAULT 0,
    first_tried_at timestamptz,
    last_tried_at timestamptz,
    delivered_at timestamptz,
    answered integer,
    fault text
);
CREATE INDEX delivery_due ON delivery (webhook, due_at, number) WHERE state = 'waiting';
CREATE INDEX delivery_of_event ON delivery (webhook, event, number) WHERE state IN ('waiting', 'dead');
CREATE INDEX delivery_listed ON delivery (webhook, number);

CREATE FUNCTION note_receipts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO delivery (webhook, topic, notice, event, received_at, receipt, detail)
    SELECT w.id, told.topic, told.notice, r.event, r.received_at, r.id, told.detail
    FROM receipts r
    JOIN event e ON e.id = r.event AND e.received_at = r.received_at
    CROSS JOIN LATERAL (VALUES
        (1, 'event', 'event.received', jsonb_build_object('status', e.status, 'closed_at', e.closed_at)),
        (2, 'assignment', 'assignment.' || r.cause, '{}'::jsonb)
    ) AS told (turn, topic, notice, detail)
    JOIN webhook w ON w.active AND told.topic = ANY (w.topics)
    WHERE told.topic = 'assignment' OR r.cause IN ('received', 'loaded')
    ORDER BY r.id, told.turn;
    RETURN NULL;
END $$;

-- With a statement's trigger on it, COPY into `assignment` is slower: so it is there only while there are webhooks. Both calls
-- wait for the transactions that are storing receipts, so none is missed.
CREATE FUNCTION watch_receipts() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE assignment IN SHARE ROW EXCLUSIVE MODE;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'assignment'::regclass AND tgname = 'assignment_tells_webhooks') THEN
        CREATE TRIGGER assignment_tells_webhooks AFTER INSERT ON assignment REFERENCING NEW TABLE AS receipts
            FOR EACH STATEMENT EXECUTE FUNCTION note_receipts();
    END IF;
END $$;
CREATE FUNCTION unwatch_receipts() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM webhook WHERE active) THEN
        DROP TRIGGER IF EXISTS assignment_tells_webhooks ON assignment;
    END IF;
END $$;

CREATE FUNCTION note_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO delivery (webhook, topic, notice, event, received_at, detail)
    SELECT w.id, 'event', CASE NEW.status WHEN 'closed' THEN 'event.closed' ELSE 'event.opened' END, NEW.id, NEW.received_at,
           jsonb_build_object('status', NEW.status, 'closed_at', NEW.closed_at)
    FROM webhook w WHERE w.active AND 'event' = ANY (w.topics);
    RETURN NULL;
END $$;
CREATE TRIGGER event_tells_webhooks AFTER UPDATE OF status ON event FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION note_status();

-- The months of `event` and `assignment` are made as they are needed; several processes may ask at once.
CREATE FUNCTION ensure_month(instant timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first_day timestamptz := date_trunc('month', instant AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    next_month timestamptz := (date_trunc('month', instant AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
    suffix text := to_char(instant AT TIME ZONE 'UTC', 'YYYY_MM');
    parent text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('gridbeat.ensure_month'));
    FOREACH parent IN ARRAY ARRAY['event', 'assignment'] LOOP
        IF to_regclass(format('%I', parent || '_' || suffix)) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', parent || '_' || suffix, parent, first_day, next_month);
        END IF;
    END LOOP;
END $$;
