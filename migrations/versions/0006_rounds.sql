-- Rounds: spot checks of grids that were drawn, and campaigns that visit places or an area in a period.

-- A draw, never changed. `n` were asked for, `drawn` is what there was (all, where n is more than all grids). `frame` holds every grid
-- that could be drawn with its stratum and its weight: from it and the seed alone the same grids are drawn again.
-- A seed fits into a double, as every reader of JSON takes it.
CREATE TABLE spotcheck (
    id uuid PRIMARY KEY,
    made_at timestamptz NOT NULL,
    actor text NOT NULL CHECK (actor <> ''),
    at timestamptz NOT NULL,
    generation integer NOT NULL REFERENCES generation,
    layer text NOT NULL REFERENCES layer,
    n integer NOT NULL CHECK (n > 0),
    drawn integer NOT NULL CHECK (drawn > 0 AND drawn <= n),
    seed bigint NOT NULL CHECK (seed BETWEEN 0 AND 9007199254740991),
    strata json NOT NULL CHECK (json_typeof(strata) = 'array'),
    parameters json NOT NULL CHECK (json_typeof(parameters) = 'object'),
    frame json NOT NULL CHECK (json_typeof(frame) = 'object'),
    reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 2000)
);
CREATE TRIGGER spotcheck_is_append_only BEFORE UPDATE OR DELETE ON spotcheck FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- `code` is the grid's at the instant of the draw. What was found there is noted later, and may be corrected; every word of it is in the audit.
CREATE TABLE spotcheck_grid (
    spotcheck uuid NOT NULL REFERENCES spotcheck,
    grid uuid NOT NULL REFERENCES grid,
    code text COLLATE "C" NOT NULL CHECK (code <> ''),
    rank integer NOT NULL CHECK (rank > 0),
    stratum text NOT NULL CHECK (stratum <> ''),
    probability double precision NOT NULL CHECK (probability > 0 AND probability <= 1),
    reason_zh text NOT NULL CHECK (reason_zh <> ''),
    reason_en text NOT NULL CHECK (reason_en <> ''),
    outcome text CHECK (outcome IN ('fine', 'fault')),
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    checked_at timestamptz,
    checked_by text CHECK (checked_by <> ''),
    PRIMARY KEY (spotcheck, grid),
    CONSTRAINT spotcheck_grid_code UNIQUE (spotcheck, code),
    CONSTRAINT spotcheck_grid_rank UNIQUE (spotcheck, rank),
    CONSTRAINT spotcheck_grid_outcome_is_somebodys CHECK ((outcome IS NULL) = (checked_at IS NULL) AND (outcome IS NULL) = (checked_by IS NULL)),
    CONSTRAINT spotcheck_grid_note_has_an_outcome CHECK (outcome IS NOT NULL OR note = '')
);
CREATE INDEX spotcheck_grid_checked ON spotcheck_grid (grid, checked_at) WHERE checked_at IS NOT NULL;

-- Ranks are 1 to `drawn`, so no grid joins a draw that is complete.
CREATE FUNCTION spotcheck_grid_in_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.rank > (SELECT drawn FROM spotcheck WHERE id = NEW.spotcheck) THEN
        RAISE EXCEPTION 'more grids than were drawn' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'spotcheck_line';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER spotcheck_grid_in_line BEFORE INSERT ON spotcheck_grid FOR EACH ROW EXECUTE FUNCTION spotcheck_grid_in_line();

-- What was drawn stays; only what was found may be noted, never before the draw, and a note is never taken back to nothing.
CREATE FUNCTION spotcheck_grid_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.outcome IS NOT NULL AND NEW.outcome IS NULL
       OR NEW.checked_at < (SELECT made_at FROM spotcheck WHERE id = OLD.spotcheck)
       OR to_jsonb(NEW) - '{outcome,note,checked_at,checked_by}'::text[] <> to_jsonb(OLD) - '{outcome,note,checked_at,checked_by}'::text[] THEN
        RAISE EXCEPTION 'what was drawn stays' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'spotcheck_stays';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER spotcheck_grid_stays BEFORE UPDATE OR DELETE ON spotcheck_grid FOR EACH ROW EXECUTE FUNCTION spotcheck_grid_stays();

-- When a transaction ends, a draw has as many grids as it says.
CREATE FUNCTION spotcheck_counts_right() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.drawn <> (SELECT count(*) FROM spotcheck_grid WHERE spotcheck = NEW.id) THEN
        RAISE EXCEPTION 'a draw has its grids' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'spotcheck_counts';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER spotcheck_counts_right AFTER INSERT ON spotcheck DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION spotcheck_counts_right();

-- A campaign is about places that are named (`campaign_place`), all places of some kinds, or the ground of an area: `about` says which.
CREATE TABLE campaign (
    id uuid PRIMARY KEY,
    code text COLLATE "C" NOT NULL CHECK (code <> '' AND code = btrim(code) AND length(code) <= 64),
    title text NOT NULL CHECK (btrim(title) <> '' AND length(title) <= 200),
    kind text NOT NULL CHECK (btrim(kind) <> '' AND length(kind) <= 64),
    during tstzrange NOT NULL CHECK (NOT isempty(during)) CHECK (NOT lower_inf(during) AND NOT upper_inf(during)),
    about text NOT NULL CHECK (about IN ('places', 'kinds', 'area')),
    area geometry(MultiPolygon, 4326) CHECK (ST_IsValid(area) AND NOT ST_IsEmpty(area)),
    place_kinds text[] CHECK (cardinality(place_kinds) > 0 AND array_position(place_kinds, NULL) IS NULL AND array_position(place_kinds, '') IS NULL),
    made_at timestamptz NOT NULL,
    actor text NOT NULL CHECK (actor <> ''),
    closed_at timestamptz CHECK (closed_at >= made_at),
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    CONSTRAINT campaign_code UNIQUE (code),
    CONSTRAINT campaign_is_of_one_thing CHECK ((about = 'area') = (area IS NOT NULL) AND (about = 'kinds') = (place_kinds IS NOT NULL))
);
CREATE TABLE campaign_place (
    campaign uuid NOT NULL REFERENCES campaign,
    place uuid NOT NULL REFERENCES place,
    PRIMARY KEY (campaign, place)
);
CREATE INDEX campaign_place_place ON campaign_place (place);

-- A campaign keeps what it is, when it began and about what; its title, end, note and named places may change, with words in the audit.
CREATE FUNCTION campaign_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR lower(NEW.during) <> lower(OLD.during)
       OR to_jsonb(NEW) - '{title,during,closed_at,note}'::text[] <> to_jsonb(OLD) - '{title,during,closed_at,note}'::text[] THEN
        RAISE EXCEPTION 'a campaign stays what it is' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'campaign_stays';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER campaign_stays BEFORE UPDATE OR DELETE ON campaign FOR EACH ROW EXECUTE FUNCTION campaign_stays();

-- When a transaction ends, a campaign about named places has at least one, and no other campaign has any.
CREATE FUNCTION campaign_has_places(which uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM campaign WHERE id = which FOR NO KEY UPDATE; -- two at once cannot each leave the other's last place
    IF EXISTS (SELECT FROM campaign c WHERE c.id = which
               AND (c.about = 'places') <> EXISTS (SELECT FROM campaign_place p WHERE p.campaign = c.id)) THEN
        RAISE EXCEPTION 'a campaign about named places has some, and no other has any' USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'campaign_places';
    END IF;
END $$;
CREATE FUNCTION campaign_has_its_places() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM campaign_has_places(NEW.id);
    RETURN NULL;
END $$;
CREATE FUNCTION campaign_place_fits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM campaign_has_places(OLD.campaign);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM campaign_has_places(NEW.campaign);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER campaign_has_its_places AFTER INSERT ON campaign DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION campaign_has_its_places();
CREATE CONSTRAINT TRIGGER campaign_place_fits AFTER INSERT OR UPDATE OR DELETE ON campaign_place DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION campaign_place_fits();
