-- Receipts at speed: their truths are checked a statement at a time, and what nobody searches is kept as it was written.

-- Read back whole, never searched inside: `json` is checked to be JSON and then kept, `jsonb` is taken apart and put together.
ALTER TABLE event ALTER COLUMN raw TYPE json USING raw::json;
ALTER TABLE assignment ALTER COLUMN answer TYPE json USING answer::json, ALTER COLUMN grounds TYPE json USING grounds::json;

-- An id begins with the millisecond of `made_at`: the primary key finds a window of receipts.
DROP INDEX assignment_made;

-- What a foreign key says, said once a statement instead of once a row: a receipt belongs to an event, and both to a grid that
-- exists. The other half: what is referred to stays (`..._stays` below), so nothing has to be locked.
ALTER TABLE assignment DROP CONSTRAINT assignment_event_received_at_fkey, DROP CONSTRAINT assignment_grid_fkey;
ALTER TABLE event DROP CONSTRAINT event_grid_fkey;

CREATE FUNCTION refuse_reference(name text, detail text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is not there', detail USING ERRCODE = 'foreign_key_violation', CONSTRAINT = name;
END $$;

-- Few rows or many, each is looked up by key: a plan made for one statement is never wrong for another.
CREATE FUNCTION rows_name_grids() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    missing uuid := (SELECT n.grid FROM (SELECT DISTINCT grid FROM new_rows WHERE grid IS NOT NULL) n
                     WHERE NOT EXISTS (SELECT FROM grid g WHERE g.uid = n.grid) LIMIT 1);
BEGIN
    IF missing IS NOT NULL THEN
        PERFORM refuse_reference(TG_ARGV[0] || '_grid_fkey', 'grid ' || missing);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION receipts_name_events() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    missing uuid := (SELECT n.event FROM new_rows n
                     WHERE NOT EXISTS (SELECT FROM event e WHERE e.id = n.event AND e.received_at = n.received_at) LIMIT 1);
BEGIN
    IF missing IS NOT NULL THEN
        PERFORM refuse_reference('assignment_event_received_at_fkey', 'event ' || missing);
    END IF;
    RETURN NULL;
END $$;

-- On the tables for what is inserted through them, on every month for what is copied straight into it.
CREATE FUNCTION keep_references(parent text, child text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER names_grids AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows '
                   'FOR EACH STATEMENT EXECUTE FUNCTION rows_name_grids(%L)', child, parent);
    IF parent = 'assignment' THEN
        EXECUTE format('CREATE TRIGGER names_events AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows '
                       'FOR EACH STATEMENT EXECUTE FUNCTION receipts_name_events()', child);
    END IF;
END $$;

-- An event may be given another grid (receipts never change); one row at a time, for few change.
CREATE FUNCTION event_names_a_grid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM grid g WHERE g.uid = NEW.grid) THEN
        PERFORM refuse_reference('event_grid_fkey', 'grid ' || NEW.grid);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER event_names_a_grid AFTER UPDATE OF grid ON event FOR EACH ROW
    WHEN (NEW.grid IS NOT NULL AND NEW.grid IS DISTINCT FROM OLD.grid) EXECUTE FUNCTION event_names_a_grid();

-- What receipts refer to is neither taken away nor called otherwise. (Whole tables are emptied together or not at all.)
CREATE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% stays, and keeps its name: receipts refer to it', TG_ARGV[0] USING ERRCODE = 'foreign_key_violation';
END $$;
CREATE TRIGGER event_stays BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION refuse_removal('an event');
CREATE TRIGGER event_keeps_its_name BEFORE UPDATE OF id, received_at ON event FOR EACH ROW
    WHEN (NEW.id <> OLD.id OR NEW.received_at <> OLD.received_at) EXECUTE FUNCTION refuse_removal('an event');
CREATE TRIGGER grid_stays BEFORE DELETE ON grid FOR EACH ROW EXECUTE FUNCTION refuse_removal('a grid');
CREATE TRIGGER grid_keeps_its_name BEFORE UPDATE OF uid ON grid FOR EACH ROW
    WHEN (NEW.uid <> OLD.uid) EXECUTE FUNCTION refuse_removal('a grid');

CREATE FUNCTION nothing_refers_to_nothing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM assignment) OR (TG_TABLE_NAME = 'grid' AND EXISTS (SELECT FROM event WHERE grid IS NOT NULL)) THEN
        RAISE EXCEPTION 'what receipts and events refer to stays' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER event_is_not_emptied AFTER TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION nothing_refers_to_nothing();
CREATE TRIGGER grid_is_not_emptied AFTER TRUNCATE ON grid FOR EACH STATEMENT EXECUTE FUNCTION nothing_refers_to_nothing();

DO $$
DECLARE
    parent text;
    child text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['event', 'assignment'] LOOP
        PERFORM keep_references(parent, parent);
        FOR child IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = parent::regclass LOOP
            PERFORM keep_references(parent, child);
        END LOOP;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION ensure_month(instant timestamptz) RETURNS void LANGUAGE plpgsql AS $$
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
            PERFORM keep_references(parent, parent || '_' || suffix);
        END IF;
    END LOOP;
END $$;
