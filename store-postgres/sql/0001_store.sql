-- The tables of a store of durable actors, and the functions that change several of them in one round trip.
--
-- Columns are what SQL compares, counts and sorts by; the rest is in `row`, in the form of `actor_durable::store::encode_row`.
-- Texts are compared by their bytes. Times are milliseconds since 1970, but for leases, which the server's clock judges.
-- Whoever changes anything of an actor holds the lock of its row in `actors` first.

-- One row: the latest epoch of all actors that were ever deleted. New actors begin there, so that the owners of one that was here
-- before stay fenced.
CREATE TABLE floor (
    epoch      bigint NOT NULL
);

INSERT INTO floor (epoch) VALUES (0);

CREATE TABLE leases (
    owner      bytea PRIMARY KEY,
    ends_at    timestamptz NOT NULL,
    length     interval NOT NULL
);

CREATE TABLE actors (
    id         text COLLATE "C" PRIMARY KEY,
    actor_type text COLLATE "C" NOT NULL,
    epoch      bigint NOT NULL,
    owner      bytea,
    crashes    bigint NOT NULL DEFAULT 0,
    sequence   bigint NOT NULL DEFAULT 0,
    snapshot   bigint,
    trimmed    bigint NOT NULL DEFAULT 0,
    horizon    bigint NOT NULL DEFAULT 0,
    next       bigint NOT NULL DEFAULT 1,
    waiting    bigint NOT NULL DEFAULT 0,
    outgoing   bigint NOT NULL DEFAULT 0,
    has_ended  boolean NOT NULL DEFAULT false,
    created_at bigint NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX actors_waiting ON actors (id) WHERE outgoing > 0 OR (waiting > 0 AND NOT has_ended);

CREATE TABLE entries (
    actor      text COLLATE "C" NOT NULL,
    sequence   bigint NOT NULL,
    row        bytea NOT NULL,
    CONSTRAINT entries_are_unique PRIMARY KEY (actor, sequence)
);

CREATE TABLE snapshots (
    actor      text COLLATE "C" PRIMARY KEY,
    row        bytea NOT NULL
);

-- In their rows messages lie at no position and have no attempts; the columns say.
CREATE TABLE letters (
    actor      text COLLATE "C" NOT NULL,
    position   bigint NOT NULL,
    message    bytea NOT NULL,
    attempts   bigint NOT NULL DEFAULT 0,
    row        bytea NOT NULL,
    PRIMARY KEY (actor, position),
    CONSTRAINT letters_are_unique UNIQUE (actor, message)
);

-- In the order of the turns, and within one as it says.
CREATE TABLE handled (
    actor      text COLLATE "C" NOT NULL,
    message    bytea NOT NULL,
    sequence   bigint NOT NULL,
    place      bigint NOT NULL,
    row        bytea NOT NULL,
    CONSTRAINT handled_are_unique PRIMARY KEY (actor, message)
);

CREATE TABLE outbox (
    actor      text COLLATE "C" NOT NULL,
    sequence   bigint NOT NULL,
    place      bigint NOT NULL,
    row        bytea NOT NULL,
    PRIMARY KEY (actor, sequence, place)
);

CREATE TABLE reminders (
    actor      text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    due        bigint NOT NULL,
    row        bytea NOT NULL,
    PRIMARY KEY (actor, name)
);

CREATE INDEX reminders_due ON reminders (due, actor, name);

CREATE TABLE children (
    actor      text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    row        bytea NOT NULL,
    PRIMARY KEY (actor, name)
);

CREATE TABLE dead_letters (
    actor      text COLLATE "C" NOT NULL,
    message    bytea NOT NULL,
    row        bytea NOT NULL,
    PRIMARY KEY (actor, message)
);

-- What was sent and given up.
CREATE TABLE undelivered (
    actor      text COLLATE "C" NOT NULL,
    sequence   bigint NOT NULL,
    place      bigint NOT NULL,
    row        bytea NOT NULL,
    PRIMARY KEY (actor, sequence, place)
);

-- The server's time as the store tells it.
CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

-- Begins or extends a lease; says whether it was not over. Leases of owners that are long gone go with the renewal of another's. One
-- that ends later than it could if it began now was renewed before the server's clock stepped back: its owner may be gone, and it is no
-- longer than it says.
CREATE FUNCTION renew(the_owner bytea, seconds double precision) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    former timestamptz;
    was_held boolean;
BEGIN
    -- Whoever is taking an actor from this owner has it first, or waits: see `holds`.
    SELECT ends_at INTO former FROM leases WHERE owner = the_owner FOR UPDATE;
    was_held := coalesce(former > clock_timestamp(), false);
    INSERT INTO leases (owner, ends_at, length)
        VALUES (the_owner, clock_timestamp() + make_interval(secs => seconds), make_interval(secs => seconds))
        ON CONFLICT (owner) DO UPDATE SET ends_at = excluded.ends_at, length = excluded.length;
    DELETE FROM leases WHERE owner IN (
        SELECT owner FROM leases
        WHERE owner <> the_owner AND ends_at < clock_timestamp() - interval '1 day' FOR UPDATE SKIP LOCKED
    );
    UPDATE leases SET ends_at = clock_timestamp() + length WHERE owner IN (
        SELECT owner FROM leases
        WHERE owner <> the_owner AND ends_at > clock_timestamp() + length FOR UPDATE SKIP LOCKED
    );
    RETURN was_held;
END
$$;

-- Whether the owner of an actor that somebody wants holds it: its lease is not over. If it is, it is no more, so that its owner begins
-- another one and asks what it still has, even if the clock steps back to when this one was not over.
CREATE FUNCTION holds(the_owner bytea) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    DELETE FROM leases WHERE owner = the_owner AND ends_at <= clock_timestamp();
    RETURN EXISTS (SELECT FROM leases WHERE owner = the_owner);
END
$$;

-- Stores a turn. False if the head of the actor does not allow it: then nothing was changed, and whoever asked looks why.
-- What else can be said against it is raised, and so nothing is changed either.
CREATE FUNCTION commit_turn(
    the_actor text, the_epoch bigint, expected bigint, last bigint, the_horizon bigint, the_trim bigint, ends boolean,
    entry_rows bytea[], state bytea,
    handled_ids bytea[], handled_rows bytea[], taken bytea[], dead_ids bytea[], dead_rows bytea[], forgotten bytea[],
    outbox_sequences bigint[], outbox_places bigint[], outbox_rows bytea[],
    cancelled text[], reminder_names text[], reminder_dues bigint[], reminder_rows bytea[], reminders_max bigint,
    removed text[], child_names text[], child_rows bytea[], children_max bigint, dead_max bigint
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    changed bigint;
BEGIN
    UPDATE actors SET
        crashes = 0, sequence = last, snapshot = CASE WHEN state IS NULL THEN snapshot ELSE last END,
        trimmed = greatest(trimmed, the_trim), horizon = greatest(horizon, the_horizon),
        waiting = greatest(waiting - cardinality(taken), 0), outgoing = outgoing + cardinality(outbox_rows),
        has_ended = ends
    WHERE id = the_actor AND epoch = the_epoch AND owner IS NOT NULL AND sequence = expected AND NOT has_ended
        AND (the_trim IS NULL OR state IS NOT NULL OR coalesce(snapshot >= the_trim, false));
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    INSERT INTO entries (actor, sequence, row)
        SELECT the_actor, generate_series(expected + 1, last), unnest(entry_rows);
    IF state IS NOT NULL THEN
        INSERT INTO snapshots (actor, row) VALUES (the_actor, state)
            ON CONFLICT (actor) DO UPDATE SET row = excluded.row;
    END IF;
    IF the_trim IS NOT NULL THEN
        DELETE FROM entries WHERE actor = the_actor AND sequence <= the_trim;
    END IF;
    IF cardinality(handled_ids) > 0 THEN
        INSERT INTO handled (actor, message, sequence, place, row)
            SELECT the_actor, unnest(handled_ids), last, generate_series(1, cardinality(handled_ids)), unnest(handled_rows);
    END IF;
    IF cardinality(taken) > 0 THEN
        DELETE FROM letters WHERE actor = the_actor AND message = ANY (taken);
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> cardinality(taken) THEN
            RAISE EXCEPTION USING ERRCODE = 'DA002', MESSAGE = 'a message is not in the inbox';
        END IF;
    END IF;
    IF cardinality(dead_ids) > 0 THEN
        INSERT INTO dead_letters (actor, message, row)
            SELECT the_actor, unnest(dead_ids), unnest(dead_rows);
        IF (SELECT count(*) FROM dead_letters WHERE actor = the_actor) > dead_max THEN
            RAISE EXCEPTION USING ERRCODE = 'DA005', MESSAGE = 'too many dead letters';
        END IF;
    END IF;
    IF cardinality(forgotten) > 0 THEN
        DELETE FROM handled WHERE actor = the_actor AND message = ANY (forgotten)
            AND NOT EXISTS (SELECT FROM letters WHERE letters.actor = the_actor AND letters.message = handled.message);
    END IF;
    IF cardinality(outbox_rows) > 0 THEN
        INSERT INTO outbox (actor, sequence, place, row)
            SELECT the_actor, unnest(outbox_sequences), unnest(outbox_places), unnest(outbox_rows);
    END IF;
    IF cardinality(cancelled) > 0 THEN
        DELETE FROM reminders WHERE actor = the_actor AND name = ANY (cancelled);
    END IF;
    IF cardinality(reminder_names) > 0 THEN
        INSERT INTO reminders (actor, name, due, row)
            SELECT the_actor, unnest(reminder_names), unnest(reminder_dues), unnest(reminder_rows)
            ON CONFLICT (actor, name) DO UPDATE SET due = excluded.due, row = excluded.row;
        IF (SELECT count(*) FROM reminders WHERE actor = the_actor) > reminders_max THEN
            RAISE EXCEPTION USING ERRCODE = 'DA003', MESSAGE = 'too many reminders';
        END IF;
    END IF;
    IF ends THEN
        DELETE FROM reminders WHERE actor = the_actor;
    END IF;
    IF cardinality(removed) > 0 THEN
        DELETE FROM children WHERE actor = the_actor AND name = ANY (removed);
    END IF;
    IF cardinality(child_names) > 0 THEN
        INSERT INTO children (actor, name, row)
            SELECT the_actor, unnest(child_names), unnest(child_rows)
            ON CONFLICT (actor, name) DO UPDATE SET row = excluded.row;
        -- How it stands to its supervisor does not count.
        IF (SELECT count(*) FROM children WHERE actor = the_actor AND name <> 'actor-durable-supervisor')
            > children_max THEN
            RAISE EXCEPTION USING ERRCODE = 'DA004', MESSAGE = 'too many children';
        END IF;
    END IF;
    RETURN true;
END
$$;

-- What makes actors and what deletes them keep out of each other's way: a new one must see the floor.
CREATE FUNCTION floor_lock() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT hashtextextended(current_schema(), 7)
$$;

-- Makes an actor unless it is there.
CREATE FUNCTION make_actor(the_actor text, the_type text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(floor_lock());
    INSERT INTO actors (id, actor_type, epoch, created_at)
        SELECT the_actor, the_type, floor.epoch, now_ms() FROM floor
        ON CONFLICT DO NOTHING;
END
$$;

-- Deletes all of an actor; false if the epoch does not own it. The actor is locked first: whoever waits for it keeps nobody from
-- making others.
CREATE FUNCTION delete_actor(the_actor text, the_epoch bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM actors WHERE id = the_actor AND epoch = the_epoch AND owner IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(floor_lock());
    DELETE FROM actors WHERE id = the_actor;
    UPDATE floor SET epoch = greatest(epoch, the_epoch);
    DELETE FROM entries WHERE actor = the_actor;
    DELETE FROM snapshots WHERE actor = the_actor;
    DELETE FROM letters WHERE actor = the_actor;
    DELETE FROM handled WHERE actor = the_actor;
    DELETE FROM outbox WHERE actor = the_actor;
    DELETE FROM reminders WHERE actor = the_actor;
    DELETE FROM children WHERE actor = the_actor;
    DELETE FROM dead_letters WHERE actor = the_actor;
    DELETE FROM undelivered WHERE actor = the_actor;
    RETURN true;
END
$$;

-- Puts a message behind all others of an inbox and tells who listens: the actor's type, its owner if that one has a lease, and the
-- actor. The actor is locked.
CREATE FUNCTION append_letter(the_actor text, the_message bytea, the_row bytea) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    the_type text;
    the_owner bytea;
BEGIN
    INSERT INTO letters (actor, position, message, row)
        SELECT the_actor, next, the_message, the_row FROM actors WHERE id = the_actor;
    UPDATE actors SET next = next + 1, waiting = waiting + 1 WHERE id = the_actor
        RETURNING actor_type, owner INTO the_type, the_owner;
    PERFORM FROM leases WHERE owner = the_owner AND ends_at > clock_timestamp();
    IF NOT FOUND THEN
        the_owner := '';
    END IF;
    PERFORM pg_notify('actor_mail:' || current_schema(), the_type || E'\n' || encode(the_owner, 'hex') || E'\n' || the_actor);
END
$$;

-- Puts a message into an inbox, once for its id: 1 it is stored, 2 it waits already, 3 it was handled and `kept` is how, 4 it is
-- dead. DA000: the head of the actor does not allow it, and whoever asked looks why.
CREATE FUNCTION put_letter(
    the_actor text, the_type text, the_message bytea, the_row bytea,
    made bigint, skew_max bigint, is_never_too_old boolean, waiting_max bigint,
    OUT outcome bigint, OUT kept bytea
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    head actors%ROWTYPE;
BEGIN
    SELECT * INTO head FROM actors WHERE id = the_actor FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM make_actor(the_actor, the_type);
        SELECT * INTO head FROM actors WHERE id = the_actor FOR UPDATE;
    END IF;
    IF head.actor_type <> the_type THEN
        RAISE EXCEPTION USING ERRCODE = 'DA000', MESSAGE = 'the actor is of another type';
    END IF;
    PERFORM FROM dead_letters WHERE actor = the_actor AND message = the_message;
    IF FOUND THEN
        outcome := 4;
        RETURN;
    END IF;
    SELECT row INTO kept FROM handled WHERE actor = the_actor AND message = the_message;
    IF FOUND THEN
        outcome := 3;
        RETURN;
    END IF;
    PERFORM FROM letters WHERE actor = the_actor AND message = the_message;
    IF FOUND THEN
        outcome := 2;
        RETURN;
    END IF;
    IF head.has_ended OR head.waiting >= waiting_max OR made - skew_max > greatest(now_ms(), head.horizon)
        OR (made <= head.horizon AND NOT is_never_too_old) THEN
        RAISE EXCEPTION USING ERRCODE = 'DA000', MESSAGE = 'the head does not allow it';
    END IF;
    PERFORM append_letter(the_actor, the_message, the_row);
    outcome := 1;
END
$$;

-- Moves a message from an outbox into an inbox, and says what `put_letter` says; 0 if the epoch does not own the sender, and 2 if it is
-- not in the outbox. Both actors are locked in one order everywhere, so that two of them do not wait for each other.
CREATE FUNCTION transfer(
    the_actor text, the_epoch bigint, the_sequence bigint, the_place bigint,
    to_actor text, to_type text, the_message bytea, the_row bytea, made bigint, skew_max bigint, waiting_max bigint,
    OUT outcome bigint, OUT kept bytea
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM actors WHERE id IN (the_actor, to_actor) ORDER BY id FOR UPDATE;
    PERFORM FROM actors WHERE id = the_actor AND epoch = the_epoch AND owner IS NOT NULL;
    IF NOT FOUND THEN
        outcome := 0;
        RETURN;
    END IF;
    DELETE FROM outbox WHERE actor = the_actor AND sequence = the_sequence AND place = the_place;
    IF NOT FOUND THEN
        outcome := 2;
        RETURN;
    END IF;
    UPDATE actors SET outgoing = outgoing - 1 WHERE id = the_actor;
    SELECT p.outcome, p.kept INTO outcome, kept
        FROM put_letter(to_actor, to_type, the_message, the_row, made, skew_max, true, waiting_max) p;
END
$$;

-- Drops what has arrived from an outbox; false if the epoch does not own the actor.
CREATE FUNCTION mark_delivered(the_actor text, the_epoch bigint, sequences bigint[], places bigint[])
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    gone bigint;
BEGIN
    PERFORM FROM actors WHERE id = the_actor AND epoch = the_epoch AND owner IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM outbox USING unnest(sequences, places) AS d (sequence, place)
        WHERE outbox.actor = the_actor AND outbox.sequence = d.sequence AND outbox.place = d.place;
    GET DIAGNOSTICS gone = ROW_COUNT;
    UPDATE actors SET outgoing = greatest(outgoing - gone, 0) WHERE id = the_actor AND gone > 0;
    RETURN true;
END
$$;
