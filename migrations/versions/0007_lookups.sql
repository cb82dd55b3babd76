-- Receipts name their events: those of a batch, which has one instant, are looked up all at once.

-- Each by its key, as migration 0004 has it, is right for few. Of a batch it went wrong where its month was analysed while a long
-- transaction was filling it: rows that nobody sees yet count as none there, so that every index looks alike, and by any other than
-- the key's each receipt read all events of its instant. Taken together they are read once, whatever the planner believes.
CREATE OR REPLACE FUNCTION receipts_name_events() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    missing uuid;
    many bigint;
    first timestamptz;
    last timestamptz;
BEGIN
    SELECT count(*), min(received_at), max(received_at) INTO many, first, last FROM new_rows;
    IF many >= 100 AND first = last THEN
        missing := (SELECT event FROM new_rows EXCEPT SELECT id FROM event WHERE received_at = first LIMIT 1);
    ELSE
        missing := (SELECT n.event FROM new_rows n
                    WHERE NOT EXISTS (SELECT FROM event e WHERE e.id = n.event AND e.received_at = n.received_at) LIMIT 1);
    END IF;
    IF missing IS NOT NULL THEN
        PERFORM refuse_reference('assignment_event_received_at_fkey', 'event ' || missing);
    END IF;
    RETURN NULL;
END $$;
