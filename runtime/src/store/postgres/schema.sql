-- The schema of version 1. `recount.` stands for the schema's name and `:order` for the log's number in this database; both are
-- filled in when the log is made. A version that was released is never edited.

CREATE TABLE recount.meta (
    one            boolean PRIMARY KEY DEFAULT true CHECK (one),
    schema_version int NOT NULL
);

CREATE TABLE recount.tenants (
    tenant int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name   text COLLATE "C" NOT NULL UNIQUE
);

-- What a stream's name is kept as: the first 16 bytes of the SHA-256 of tenant, category and id, with NUL between.
CREATE FUNCTION recount.stream(category text, id text, tenant text DEFAULT '') RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT encode(substr(sha256(convert_to(tenant, 'UTF8') || '\x00' || convert_to(category, 'UTF8') || '\x00'
        || convert_to(id, 'UTF8')), 1, 16), 'hex')::uuid
$$;

CREATE TABLE recount.kinds (
    kind           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant         int NOT NULL,
    category       text COLLATE "C" NOT NULL,
    name           text COLLATE "C" NOT NULL,
    schema_version bigint NOT NULL,
    UNIQUE (tenant, category, name, schema_version)
);

CREATE SEQUENCE recount.positions AS bigint CACHE 1 NO CYCLE;

CREATE TABLE recount.events (
    position    bigint PRIMARY KEY DEFAULT nextval('recount.positions'),
    stream      uuid   NOT NULL,
    version     bigint NOT NULL,
    recorded_at bigint NOT NULL,
    kind        int    NOT NULL,
    tenant      int    NOT NULL,
    batch_left  int    NOT NULL,
    event_id    uuid   NOT NULL,
    batch       uuid   NOT NULL,
    stream_id   text   COLLATE "C" NOT NULL,
    metadata    text,
    payload     json   NOT NULL,
    CONSTRAINT events_by_stream UNIQUE (stream, version),
    CONSTRAINT events_by_id UNIQUE (event_id, tenant)
);
CREATE INDEX events_by_kind ON recount.events (kind, position);

CREATE TABLE recount.snapshots (
    stream      uuid PRIMARY KEY,
    tenant      int NOT NULL,
    category    text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    fingerprint bigint NOT NULL,
    state       bytea NOT NULL
);

CREATE TABLE recount.checkpoints (
    tenant      int NOT NULL,
    projection  text COLLATE "C" NOT NULL,
    fingerprint bigint NOT NULL,
    revision    bigint NOT NULL,
    position    bigint NOT NULL,
    state       bytea,
    holder      uuid,
    held_until  timestamptz,
    PRIMARY KEY (tenant, projection, fingerprint)
);

CREATE TABLE recount.dead_letters (
    tenant      int NOT NULL,
    projection  text COLLATE "C" NOT NULL,
    fingerprint bigint NOT NULL,
    position    bigint NOT NULL,
    category    text NOT NULL,
    id          text NOT NULL,
    owner       text,
    event_id    uuid NOT NULL,
    name        text NOT NULL,
    error       text NOT NULL,
    attempts    bigint NOT NULL,
    at          timestamptz NOT NULL,
    retry       boolean NOT NULL,
    PRIMARY KEY (tenant, projection, fingerprint, position)
);

-- The order of the log. Who appends holds a shared advisory lock, until the transaction ends, whose key carries the last position
-- that was drawn before its own; a reader stays at or below the smallest such key. The upper 16 bits of a key are the log's number,
-- which no other log of this database has, the lower 48 the position.
--
-- The highest positions stand for something else. The highest is the gate: who draws several positions holds it alone, for as long
-- as that takes and no longer, and who looks how far they are drawn shares it, be it to read or to take a place. So nobody ever
-- sees the positions of one append half drawn, no place lies between them, and an append is seen whole. The next keep numbers of
-- kinds in their order, keep streams from an append that writes to too many to hold each (`order_streams`), and say that somebody
-- listens (`order_listeners`) and that somebody is about to take a place (`order_entry`).

CREATE FUNCTION recount.order_number() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT :order::bigint';
CREATE FUNCTION recount.order_key(last bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT (recount.order_number() << 48) | last';
CREATE FUNCTION recount.order_gate() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT recount.order_key((1::bigint << 48) - 1)';
CREATE FUNCTION recount.order_kinds() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT recount.order_gate() - 1';
CREATE FUNCTION recount.order_streams() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT recount.order_gate() - 2';
CREATE FUNCTION recount.order_listeners() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT recount.order_gate() - 3';
CREATE FUNCTION recount.order_entry() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT recount.order_gate() - 4';
CREATE FUNCTION recount.stream_key(lock bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT recount.order_key(lock) - 9223372036854775807 - 1';

-- The last position that was drawn. Never a SELECT from the sequence: that may show one that is not drawn yet.
--
-- The gate is let go of by undoing the block that took it, here and in `append`: a handler that gave back a session's lock could itself
-- be cancelled before it came to that, and would leave the gate shut.
CREATE FUNCTION recount.last_drawn() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    last bigint;
    done boolean;
BEGIN
    done := pg_advisory_xact_lock_shared(recount.order_gate()) IS NULL;
    last := coalesce(pg_sequence_last_value('recount.positions'), 0);
    RAISE SQLSTATE 'GATE0';
EXCEPTION WHEN SQLSTATE 'GATE0' THEN
    RETURN last;
END $$;

-- Whether this transaction has its place in the order. The setting goes with the lock when a savepoint is rolled back.
CREATE FUNCTION recount.has_place() RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(current_setting('recount_order.place', true) = recount.order_number() || ':' || pg_current_xact_id(), false)
$$;
CREATE FUNCTION recount.keep_place(last bigint) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock_shared(recount.order_key(last)) IS NOT NULL
       AND set_config('recount_order.place', recount.order_number() || ':' || pg_current_xact_id(), true) IS NOT NULL
$$;

-- Each statement must see what was committed before it began, not before its transaction did.
CREATE FUNCTION recount.check_isolation() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE 'a standby does not know who appends to the log; ask the server that is written to'
            USING ERRCODE = 'read_only_sql_transaction';
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'the log needs the isolation level READ COMMITTED, not %', current_setting('transaction_isolation')
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
END $$;

-- The frontier: every event at or below it is committed or never will be, and who looks in a later statement sees it. Nothing is
-- looked up when nothing was drawn after the position that is known. The sequence is read first, then the locks, then the newest
-- kind, so that all kinds of events up to the frontier are known.
--
-- Who has entered and has no place yet may be about to take one that lies below this frontier. Nothing would be lost, but the end of
-- the log would go back; so it is waited for, which is a matter of microseconds.
CREATE FUNCTION recount.frontier(known bigint, OUT frontier bigint, OUT newest_kind int) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    held     bigint;
    entering boolean := true;
BEGIN
    PERFORM recount.check_isolation();
    frontier := recount.last_drawn();
    IF frontier > known THEN
        WHILE entering LOOP
            SELECT min(w.place), coalesce(bool_or(w.entered AND w.place IS NULL), false) INTO held, entering
            FROM (
                SELECT min(l.key) FILTER (WHERE l.key < recount.order_entry()) AS place, bool_or(l.key = recount.order_entry()) AS entered
                FROM (
                    SELECT virtualtransaction, (classid::bigint << 32) | objid::bigint AS key FROM pg_locks
                    WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock' AND granted
                      AND classid::bigint >> 16 = recount.order_number()
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                ) AS l
                GROUP BY l.virtualtransaction
            ) AS w;
            IF entering THEN
                PERFORM pg_sleep(0.0005);
            END IF;
        END LOOP;
        frontier := least(frontier, held - recount.order_key(0));
    END IF;
    SELECT coalesce(max(kind), 0) INTO newest_kind FROM recount.kinds;
END $$;

-- The position of the last event up to the frontier: of all, or of one tenant by way of its kinds, of which there are few.
CREATE FUNCTION recount.head(of text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    reached CONSTANT bigint := (SELECT frontier FROM recount.frontier(0));
BEGIN
    IF of IS NULL THEN
        RETURN (SELECT max(position) FROM recount.events WHERE position <= reached);
    END IF;
    RETURN (
        SELECT max((SELECT max(position) FROM recount.events AS e WHERE e.kind = k.kind AND e.position <= reached))
        FROM recount.kinds AS k JOIN recount.tenants AS t USING (tenant) WHERE t.name = of
    );
END $$;

-- Numbers for kinds, new ones where need be. One at a time, so that numbers are committed in their order.
CREATE FUNCTION recount.use_kinds(tenants int[], categories text[], names text[], schema_versions bigint[]) RETURNS int[]
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(recount.order_kinds());
    INSERT INTO recount.kinds (tenant, category, name, schema_version)
    SELECT DISTINCT w.tenant, w.category, w.name, w.schema_version
    FROM unnest(tenants, categories, names, schema_versions) AS w (tenant, category, name, schema_version)
    WHERE NOT EXISTS (
        SELECT FROM recount.kinds AS k
        WHERE (k.tenant, k.category, k.name, k.schema_version) = (w.tenant, w.category, w.name, w.schema_version)
    );
    RETURN ARRAY(
        SELECT k.kind
        FROM unnest(tenants, categories, names, schema_versions) WITH ORDINALITY AS w (tenant, category, name, schema_version, n)
        JOIN recount.kinds AS k USING (tenant, category, name, schema_version)
        ORDER BY w.n
    );
END $$;

-- An event as it is handed to `append`: its stream's place in the call and its own among the stream's events of the call, both from
-- 1, and columns of the table.
CREATE TYPE recount.new_event AS (
    stream      int,
    ordinal     int,
    recorded_at bigint,
    kind        int,
    tenant      int,
    batch_left  int,
    event_id    uuid,
    batch       uuid,
    stream_id   text,
    metadata    text,
    payload     json
);

-- Writes the events of one or several appends, if each stream is at the version that is expected of it: a version, -1 for any, or
-- -2 for one that has events. `locks` are 48 bits of each stream, in rising order, so that nobody waits for somebody who waits for
-- them. A stream that is known to have at least the events that it is expected to have is not looked for: `seen` is its version, for
-- others NULL. If it has more, `events_by_stream` is violated.
--
-- Returns the version that each stream was found at; and behind them, if it was written, the position of each event.
CREATE FUNCTION recount.append(
    streams uuid[], locks bigint[], expected bigint[], seen bigint[], events recount.new_event[]
) RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    count     CONSTANT int := cardinality(events);
    lock      bigint;
    versions  bigint[] := seen;
    fits      boolean := true;
    last      bigint := 0;
    positions bigint[];
    done      boolean;
BEGIN
    -- This is the way of every append, and written for speed: what is computed without a statement costs a tenth of one.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM recount.check_isolation();
    END IF;

    -- Who writes to a stream, or relies on its version, holds it until the end. More streams than may fit into the server's table
    -- of locks are held by keeping everybody else out.
    IF cardinality(streams) > 512 THEN
        done := pg_advisory_xact_lock(recount.order_streams()) IS NULL;
    ELSE
        done := pg_advisory_xact_lock_shared(recount.order_streams()) IS NULL;
        FOREACH lock IN ARRAY locks LOOP
            done := pg_advisory_xact_lock(recount.stream_key(lock)) IS NULL;
        END LOOP;
    END IF;

    -- This is a later statement, and sees what was committed by whoever held the streams before.
    IF array_position(seen, NULL) IS NOT NULL THEN
        SELECT array_agg(f.version), bool_and(f.expected IN (-1, f.version) OR f.expected = -2 AND f.version > 0) INTO versions, fits
        FROM (
            SELECT w.expected, coalesce(w.seen, (
                SELECT e.version FROM recount.events AS e WHERE e.stream = w.stream ORDER BY e.version DESC LIMIT 1
            ), 0) AS version
            FROM unnest(streams, expected, seen) AS w (stream, expected, seen)
        ) AS f;
    END IF;
    IF NOT fits OR count = 0 THEN
        RETURN versions;
    END IF;

    -- The place is taken before the first position is drawn.
    IF NOT recount.has_place() THEN
        done := pg_advisory_xact_lock_shared(recount.order_entry()) IS NULL;
        last := recount.last_drawn();
        done := recount.keep_place(last);
    END IF;
    IF count = 1 THEN
        positions := ARRAY[nextval('recount.positions')];
    ELSE
        BEGIN
            done := pg_advisory_xact_lock(recount.order_gate()) IS NULL;
            positions := ARRAY(SELECT nextval('recount.positions') FROM generate_series(1, count));
            RAISE SQLSTATE 'GATE0';
        EXCEPTION WHEN SQLSTATE 'GATE0' THEN
            NULL;
        END;
    END IF;
    IF positions[1] <= last THEN
        RAISE 'position % was drawn after %: the sequence of positions must not be cached or set', positions[1], last;
    END IF;

    INSERT INTO recount.events
        (position, stream, version, recorded_at, kind, tenant, batch_left, event_id, batch, stream_id, metadata, payload)
    SELECT positions[w.n], streams[w.stream], versions[w.stream] + w.ordinal, w.recorded_at, w.kind, w.tenant, w.batch_left,
           w.event_id, w.batch, w.stream_id, w.metadata, w.payload
    FROM unnest(events) WITH ORDINALITY
        AS w (stream, ordinal, recorded_at, kind, tenant, batch_left, event_id, batch, stream_id, metadata, payload, n);
    RETURN versions || positions;
END $$;

-- The rows of the log are facts. Whoever inserts events takes a place in the order first, however they do it; a session of a store,
-- which does so itself, is marked.
CREATE FUNCTION recount.guard_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
    done boolean;
BEGIN
    IF NOT recount.has_place() THEN
        done := pg_advisory_xact_lock_shared(recount.order_entry()) IS NULL;
        last := recount.last_drawn();
        done := recount.keep_place(last);
    END IF;
    RETURN NULL;
END $$;
-- Numbers of kinds are committed in their order, whoever makes them: a reader that knows the newest knows all.
CREATE FUNCTION recount.guard_kinds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(recount.order_kinds());
    RETURN NULL;
END $$;
CREATE FUNCTION recount.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE '% belong to the log, in which nothing is updated or deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER events_take_a_place BEFORE INSERT ON recount.events FOR EACH STATEMENT
    WHEN (current_setting('recount_order.session', true) IS DISTINCT FROM 'told') EXECUTE FUNCTION recount.guard_order();
CREATE TRIGGER kinds_take_turns BEFORE INSERT ON recount.kinds
    FOR EACH STATEMENT EXECUTE FUNCTION recount.guard_kinds();
CREATE TRIGGER events_are_facts BEFORE UPDATE OR DELETE OR TRUNCATE ON recount.events
    FOR EACH STATEMENT EXECUTE FUNCTION recount.refuse();
CREATE TRIGGER kinds_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON recount.kinds
    FOR EACH STATEMENT EXECUTE FUNCTION recount.refuse();
CREATE TRIGGER tenants_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON recount.tenants
    FOR EACH STATEMENT EXECUTE FUNCTION recount.refuse();

CREATE VIEW recount.log AS
SELECT e.position,
       t.name AS tenant,
       k.category,
       e.stream_id AS id,
       e.version,
       k.name,
       k.schema_version,
       (timestamp 'epoch' + e.recorded_at / 86400000000 * interval '1 day'
           + e.recorded_at % 86400000000 * interval '1 microsecond') AT TIME ZONE 'UTC' AS recorded_at,
       e.payload,
       e.metadata,
       e.event_id,
       e.stream
FROM recount.events AS e
JOIN recount.kinds AS k ON k.kind = e.kind
LEFT JOIN recount.tenants AS t ON t.tenant = e.tenant;

INSERT INTO recount.meta (schema_version) VALUES (1);
