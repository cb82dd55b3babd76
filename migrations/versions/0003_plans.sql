-- Plans: drafts of boundaries on a base generation, and the work that a published generation owes.

-- `newest` counts the operations ever made, `step` those in force: undo lowers it, redo raises it again.
CREATE TABLE plan (
    id uuid PRIMARY KEY,
    title text NOT NULL CHECK (btrim(title) <> '' AND length(title) <= 200),
    base integer REFERENCES generation, -- NULL: drawn before anything was published
    author text NOT NULL CHECK (author <> ''),
    made_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'submitted', 'approved', 'published', 'withdrawn')),
    revision integer NOT NULL DEFAULT 1 CHECK (revision > 0), -- counts the writes: the ETag
    newest integer NOT NULL DEFAULT 0 CHECK (newest >= 0),
    step integer NOT NULL DEFAULT 0 CHECK (step >= 0 AND step <= newest),
    forked_from uuid REFERENCES plan,
    forked_step integer CHECK (forked_step >= 0),
    generation integer UNIQUE REFERENCES generation,
    CONSTRAINT plan_fork_is_whole CHECK ((forked_from IS NULL) = (forked_step IS NULL)),
    CONSTRAINT plan_published_names_its_generation CHECK ((state = 'published') = (generation IS NOT NULL))
);
CREATE INDEX plan_changed ON plan (changed_at, id);
CREATE INDEX plan_forks ON plan (forked_from);

-- Append-only. `step` is the place in the line that the operation took: those that stood there or later, undone before, are
-- out of the line then and stay here. `body` is complete: every code, name and uid that was proposed is written in it.
CREATE TABLE plan_operation (
    id uuid PRIMARY KEY,
    plan uuid NOT NULL REFERENCES plan,
    number integer NOT NULL CHECK (number > 0),
    step integer NOT NULL CHECK (step > 0 AND step <= number),
    op text NOT NULL CHECK (op <> ''),
    body jsonb NOT NULL CHECK (jsonb_typeof(body) = 'object'),
    codes text[] NOT NULL DEFAULT '{}', -- codes that it brings: other plans propose others
    author text NOT NULL CHECK (author <> ''),
    made_at timestamptz NOT NULL,
    CONSTRAINT plan_operation_number UNIQUE (plan, number)
);

CREATE TABLE plan_comment (
    id uuid PRIMARY KEY,
    plan uuid NOT NULL REFERENCES plan,
    geom geometry(Point, 4326), -- NULL: on the plan as a whole
    text text NOT NULL CHECK (btrim(text) <> '' AND length(text) <= 4000),
    author text NOT NULL CHECK (author <> ''),
    made_at timestamptz NOT NULL
);
CREATE INDEX plan_comment_plan ON plan_comment (plan, id);

-- A verdict speaks of the plan as it was at `revision`.
CREATE TABLE plan_review (
    id uuid PRIMARY KEY,
    plan uuid NOT NULL REFERENCES plan,
    revision integer NOT NULL CHECK (revision > 0),
    reviewer text NOT NULL CHECK (reviewer <> ''),
    verdict text NOT NULL CHECK (verdict IN ('approved', 'returned')),
    words text NOT NULL DEFAULT '' CHECK (length(words) <= 4000),
    made_at timestamptz NOT NULL,
    CONSTRAINT plan_returned_says_why CHECK (verdict <> 'returned' OR btrim(words) <> '')
);
CREATE INDEX plan_review_plan ON plan_review (plan, id);

CREATE TRIGGER plan_operation_is_append_only BEFORE UPDATE OR DELETE ON plan_operation FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER plan_comment_is_append_only BEFORE UPDATE OR DELETE ON plan_comment FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER plan_review_is_append_only BEFORE UPDATE OR DELETE ON plan_review FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER plan_stays BEFORE DELETE ON plan FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Every write counts one up; who made it, when and from what never changes; published and withdrawn are the end.
CREATE FUNCTION plan_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.revision <> OLD.revision + 1 OR NEW.newest < OLD.newest OR NEW.changed_at < OLD.changed_at
       OR (NEW.id, NEW.author, NEW.made_at) IS DISTINCT FROM (OLD.id, OLD.author, OLD.made_at)
       OR (NEW.forked_from, NEW.forked_step) IS DISTINCT FROM (OLD.forked_from, OLD.forked_step) THEN
        RAISE EXCEPTION 'a plan is written one revision after the other' USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'plan_revisions';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('draft', 'submitted'), ('submitted', 'draft'), ('submitted', 'approved'), ('approved', 'draft'), ('approved', 'published'),
        ('draft', 'withdrawn'), ('submitted', 'withdrawn'), ('approved', 'withdrawn')
    ) OR OLD.state = 'withdrawn' OR (NEW.step, NEW.newest) <> (OLD.step, OLD.newest) AND OLD.state <> 'draft' THEN
        RAISE EXCEPTION 'a plan that is % does not become this', OLD.state USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'plan_states';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_goes_on BEFORE UPDATE ON plan FOR EACH ROW EXECUTE FUNCTION plan_goes_on();

-- Operations are numbered without a gap, and a new one stands at most one step behind the one before.
CREATE FUNCTION operation_in_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newest record;
BEGIN
    SELECT max(number) AS number, (array_agg(step ORDER BY number DESC))[1] AS step INTO newest
    FROM (SELECT number, step FROM plan_operation WHERE plan = NEW.plan ORDER BY number DESC LIMIT 1) AS last;
    IF NEW.number <> coalesce(newest.number, 0) + 1 OR NEW.step > coalesce(newest.step, 0) + 1
       OR (SELECT state FROM plan WHERE id = NEW.plan) IS DISTINCT FROM 'draft' THEN
        RAISE EXCEPTION 'operations stand in line' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'plan_line';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_operation_in_line BEFORE INSERT ON plan_operation FOR EACH ROW EXECUTE FUNCTION operation_in_line();

-- When a transaction ends, a plan's counters say what its operations say.
CREATE FUNCTION plan_counts_right() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held record;
    last record;
BEGIN
    SELECT newest, step INTO held FROM plan WHERE id = NEW.id;
    SELECT number, step INTO last FROM plan_operation WHERE plan = NEW.id ORDER BY number DESC LIMIT 1;
    IF held.newest <> coalesce(last.number, 0) OR held.step > coalesce(last.step, 0) THEN
        RAISE EXCEPTION 'a plan counts its operations' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'plan_counts';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER plan_counts_right AFTER INSERT OR UPDATE ON plan DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION plan_counts_right();

-- What every generation owes: open events of changed areas get their grid by the rule. Done once, at `due_at` or after it.
CREATE TABLE reassignment (
    generation integer PRIMARY KEY REFERENCES generation,
    rule text NOT NULL CHECK (rule IN ('move', 'stay', 'follow_member')),
    due_at timestamptz NOT NULL,
    done_at timestamptz CHECK (done_at >= due_at),
    moved integer CHECK (moved >= 0),
    CONSTRAINT reassignment_done_says_what CHECK ((done_at IS NULL) = (moved IS NULL))
);
CREATE INDEX reassignment_due ON reassignment (due_at, generation) WHERE done_at IS NULL;
CREATE FUNCTION reassignment_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.done_at IS NOT NULL OR (NEW.generation, NEW.rule, NEW.due_at) <> (OLD.generation, OLD.rule, OLD.due_at) THEN
        RAISE EXCEPTION 'a reassignment is done once' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'reassignment_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reassignment_once BEFORE UPDATE OR DELETE ON reassignment FOR EACH ROW EXECUTE FUNCTION reassignment_once();

-- Open events that have a grid by their address alone.
CREATE INDEX event_open_addressed ON event (grid) WHERE status = 'open' AND geom IS NULL;

-- Open events of which little is known where they lie: a border moved far away can still change whose they most likely are.
CREATE INDEX event_open_unsure ON event USING gist (geom) WHERE status = 'open' AND accuracy_m > 100;
