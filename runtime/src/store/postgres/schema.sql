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

-- What an id is found by: itself, or for one that is too long for an index its digest, made longer than any short id.
CREATE FUNCTION recount.digest(id text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN rpad(encode(sha256(convert_to(id, 'UTF8')), 'hex'), 1025, '-');
END $$;
CREATE FUNCTION recount.key(id text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length(id) <= 1024 THEN id ELSE recount.digest(id) END
$$;

-- How far each stream is; one that was only checked stays at version 0. The fill factor leaves room to change a version in place.
CREATE TABLE recount.streams (
    stream   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant   int NOT NULL,
    category text COLLATE "C" NOT NULL,
    id       text COLLATE "C" NOT NULL,
    version  bigint NOT NULL
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX streams_by_name ON recount.streams (tenant, category, recount.key(id));

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
    stream      bigint NOT NULL,
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
    UNIQUE (stream, version),
    UNIQUE (event_id, tenant)
);
CREATE INDEX events_by_kind ON recount.events (kind, position);

CREATE TABLE recount.snapshots (
    tenant      int NOT NULL,
    category    text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    fingerprint bigint NOT NULL,
    state       bytea NOT NULL
);
CREATE UNIQUE INDEX snapshots_by_name ON recount.snapshots (tenant, category, recount.key(id));

CREATE TABLE recount.checkpoints (
    tenant      int NOT NULL,
    projection  text COLLATE "C" NOT NULL,
    fingerprint bigint NOT NULL,
    revision    bigint NOT NULL,
    position    bigint NOT NULL,
    state       bytea,
    PRIMARY KEY (tenant, projection, fingerprint)
);

-- The order of the log. Who appends holds a shared advisory lock, until the transaction ends, whose key carries the last position
-- that was drawn before its own; a reader stays at or below the smallest such key. The upper 16 bits of a key are the log's number,
-- which no other log of this database has, the lower 48 the position. The key with the highest position is the gate: who draws
-- positions holds it alone, for as long as that takes and no longer, and who looks how far they are drawn shares it. So nobody
-- ever sees the positions of one append half drawn, and an append is seen whole.

CREATE FUNCTION recount.order_number() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT :order::bigint';
CREATE FUNCTION recount.order_key(last bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT (recount.order_number() << 48) | last';
CREATE FUNCTION recount.order_gate() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT recount.order_key((1::bigint << 48) - 1)';

-- The last position that was drawn. Never a SELECT from the sequence: that may show one that is not drawn yet.
CREATE FUNCTION recount.last_drawn() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    last bigint;
BEGIN
    PERFORM pg_advisory_lock_shared(recount.order_gate());
    last := coalesce(pg_sequence_last_value('recount.positions'), 0);
    PERFORM pg_advisory_unlock_shared(recount.order_gate());
    RETURN last;
EXCEPTION WHEN query_canceled OR OTHERS THEN
    PERFORM pg_advisory_unlock_shared(recount.order_gate());
    RAISE;
END $$;

-- Takes this transaction's place in the order, once; returns the position that its own will lie above. The setting goes with the
-- lock when a savepoint is rolled back.
CREATE FUNCTION recount.take_place() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    mine CONSTANT text := recount.order_number() || ':' || pg_current_xact_id();
    last bigint;
BEGIN
    IF current_setting('recount_order.place', true) = mine THEN
        RETURN 0;
    END IF;
    -- Nobody looks between the two. Else who had seen positions that others drew in between would later find a lock below them, and
    -- the end of the log would go back.
    BEGIN
        PERFORM pg_advisory_lock(recount.order_gate());
        last := recount.last_drawn();
        PERFORM pg_advisory_xact_lock_shared(recount.order_key(last));
        PERFORM pg_advisory_unlock(recount.order_gate());
    EXCEPTION WHEN query_canceled OR OTHERS THEN
        PERFORM pg_advisory_unlock(recount.order_gate());
        RAISE;
    END;
    PERFORM set_config('recount_order.place', mine, true);
    RETURN last;
END $$;

-- Takes a place and draws so many positions.
CREATE FUNCTION recount.draw(count int) RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    last  bigint;
    drawn bigint[];
BEGIN
    BEGIN
        PERFORM pg_advisory_lock(recount.order_gate());
        last := recount.take_place();
        drawn := ARRAY(SELECT nextval('recount.positions') FROM generate_series(1, count));
        PERFORM pg_advisory_unlock(recount.order_gate());
    EXCEPTION WHEN query_canceled OR OTHERS THEN
        PERFORM pg_advisory_unlock(recount.order_gate());
        RAISE;
    END;
    IF drawn[1] <= last THEN
        RAISE 'position % was drawn after %: the sequence of positions must not be cached or set', drawn[1], last;
    END IF;
    RETURN drawn;
END $$;

-- Each statement must see what was committed before it began, not before its transaction did.
CREATE FUNCTION recount.check_isolation() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'the log needs the isolation level READ COMMITTED, not %', current_setting('transaction_isolation')
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
END $$;

-- The frontier: every event at or below it is committed or never will be, and who looks in a later statement sees it. Nothing is
-- looked up when nothing was drawn after the position that is known. The sequence is read first, then the locks, then the newest
-- kind, so that all kinds of events up to the frontier are known.
CREATE FUNCTION recount.frontier(known bigint, OUT frontier bigint, OUT newest_kind int) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    held bigint;
BEGIN
    PERFORM recount.check_isolation();
    frontier := recount.last_drawn();
    IF frontier > known THEN
        SELECT min(((classid::bigint & 65535) << 32) | objid::bigint) INTO held FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock' AND granted
          AND classid::bigint >> 16 = recount.order_number()
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
        frontier := least(frontier, held);
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
    PERFORM pg_advisory_xact_lock(recount.order_gate() - 1);
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

-- Appends of several callers, each wholly or not at all, in one transaction. A part is one stream of one append. Streams stand once
-- in their arrays, parts refer to them, events to parts; the parts of one append follow one another, and so do the events of a part.
-- An expectation is a version, or -1 for any, or -2 for an existing stream. No two events of a call have the same id.
--
-- For each part comes back what became of its append (0 written, 1 written before, 2 conflict, 3 an id is known), the version of its
-- stream, and the position of the append's last event. Of a conflict only the part that does not fit has a version; of a known id
-- the append's first part has the event's place in the call, and the version and the stream that hold it.
CREATE FUNCTION recount.append(
    stream_tenants int[], stream_categories text[], stream_ids text[],
    part_appends int[], part_streams int[], part_expected bigint[], part_counts int[],
    event_parts int[], event_kinds int[], event_ids uuid[], event_times bigint[], event_metadata text[], event_payloads json[],
    OUT outcomes int[], OUT versions bigint[], OUT positions bigint[],
    OUT known_events int[], OUT known_categories text[], OUT known_ids text[]
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    parts       CONSTANT int := cardinality(part_appends);
    numbers     bigint[];  -- of each stream
    reached     bigint[];  -- the version of each stream, as it becomes
    before      bigint[];  -- the version of its stream before each part; -1 for a part that is not written
    firsts      int[];     -- the place of the first event of each part
    skipped     int[];     -- how many events before each part are not written
    ends        int[];     -- the place of the last event of each part's append
    batches     uuid[];    -- the id of the first event of each part's append
    drawn       bigint[];
    suspects    int[];     -- appends of which an id is known
    part        int := 1;
    first       int;       -- the first part of an append
    last        int;       -- its last one
    event       int := 0;  -- events before the part
    start       int;       -- events before the append
    unwritten   int := 0;
    misfit      int;
    wanted      bigint;
    actual      bigint;
    stored      record;
BEGIN
    PERFORM recount.check_isolation();

    -- A stream that is only checked has a row too, whose lock keeps others from writing to it meanwhile. Everybody inserts in the
    -- order of names, and then locks in the order of numbers, so nobody waits for somebody who waits for them.
    INSERT INTO recount.streams (tenant, category, id, version)
    SELECT w.tenant, w.category, w.id, 0
    FROM unnest(stream_tenants, stream_categories, stream_ids) AS w (tenant, category, id)
    WHERE NOT EXISTS (
        SELECT FROM recount.streams AS s
        WHERE s.tenant = w.tenant AND s.category = w.category AND recount.key(s.id) = recount.key(w.id)
    )
    ORDER BY w.tenant, w.category COLLATE "C", recount.key(w.id) COLLATE "C"
    ON CONFLICT DO NOTHING;

    SELECT array_agg(locked.stream ORDER BY locked.n), array_agg(locked.version ORDER BY locked.n) INTO numbers, reached
    FROM (
        SELECT w.n, s.stream, s.version
        FROM unnest(stream_tenants, stream_categories, stream_ids) WITH ORDINALITY AS w (tenant, category, id, n)
        JOIN recount.streams AS s
          ON s.tenant = w.tenant AND s.category = w.category AND recount.key(s.id) = recount.key(w.id)
        ORDER BY s.stream FOR UPDATE OF s
    ) AS locked;

    -- What an append finds known it was either told before, or it does not fit; then nobody asks for conditions.
    suspects := ARRAY(
        SELECT DISTINCT part_appends[w.part]
        FROM unnest(event_ids, event_parts) AS w (id, part)
        JOIN recount.events AS e ON e.event_id = w.id AND e.tenant = stream_tenants[part_streams[w.part]]
    );

    before := array_fill(-1::bigint, ARRAY[parts]);
    firsts := array_fill(0, ARRAY[parts]);
    skipped := firsts;
    ends := firsts;
    outcomes := firsts;
    versions := array_fill(NULL::bigint, ARRAY[parts]);
    positions := versions;
    known_events := array_fill(NULL::int, ARRAY[parts]);
    known_categories := array_fill(NULL::text, ARRAY[parts]);
    known_ids := known_categories;
    batches := array_fill(NULL::uuid, ARRAY[parts]);

    WHILE part <= parts LOOP
        first := part;
        start := event;
        misfit := NULL;
        WHILE part <= parts AND part_appends[part] = part_appends[first] LOOP
            wanted := part_expected[part];
            actual := reached[part_streams[part]];
            IF misfit IS NULL AND wanted <> -1 AND wanted <> actual AND NOT (wanted = -2 AND actual > 0) THEN
                misfit := part;
                versions[part] := actual;
            END IF;
            firsts[part] := event + 1;
            skipped[part] := unwritten;
            IF misfit IS NULL THEN
                before[part] := actual;
                reached[part_streams[part]] := actual + part_counts[part];
            END IF;
            event := event + part_counts[part];
            part := part + 1;
        END LOOP;
        last := part - 1;
        IF part_appends[first] = ANY (suspects) THEN
            outcomes[first] := 3;
        ELSIF misfit IS NOT NULL THEN
            outcomes[first] := 2;
        END IF;
        -- What was counted of a refused append is taken back, the last part first.
        FOR p IN REVERSE last .. first LOOP
            ends[p] := event;
            batches[p] := CASE WHEN event > start THEN event_ids[start + 1] END;
            outcomes[p] := outcomes[first];
            IF outcomes[p] = 0 THEN
                versions[p] := before[p] + part_counts[p];
            ELSIF before[p] >= 0 THEN
                reached[part_streams[p]] := before[p];
                before[p] := -1;
            END IF;
        END LOOP;
        CONTINUE WHEN outcomes[first] = 0;
        unwritten := unwritten + event - start;
        CONTINUE WHEN outcomes[first] = 2;

        -- Is it the same batch? Then each of its events stands where it should, and the first and the last are first and last.
        SELECT count(*) AS same, max(e.position) AS position INTO stored
        FROM unnest(event_ids[start + 1 : event], event_parts[start + 1 : event], event_kinds[start + 1 : event],
                    event_payloads[start + 1 : event]) WITH ORDINALITY AS w (id, part, kind, payload, n)
        JOIN recount.events AS e ON e.event_id = w.id AND e.tenant = stream_tenants[part_streams[w.part]]
        WHERE e.batch = batches[first] AND e.batch_left = event - start - w.n AND e.stream = numbers[part_streams[w.part]]
          AND e.kind = w.kind AND e.payload::text = w.payload::text;
        IF stored.same = event - start THEN
            FOR p IN first .. last LOOP
                outcomes[p] := 1;
                positions[p] := stored.position;
                versions[p] := CASE part_counts[p]
                    WHEN 0 THEN reached[part_streams[p]]
                    ELSE (
                        SELECT version FROM recount.events
                        WHERE event_id = event_ids[firsts[p] + part_counts[p] - 1] AND tenant = stream_tenants[part_streams[p]]
                    )
                END;
            END LOOP;
        ELSE
            SELECT w.n, e.version, s.category, s.id INTO stored
            FROM unnest(event_ids[start + 1 : event], event_parts[start + 1 : event]) WITH ORDINALITY AS w (id, part, n)
            JOIN recount.events AS e ON e.event_id = w.id AND e.tenant = stream_tenants[part_streams[w.part]]
            JOIN recount.streams AS s ON s.stream = e.stream
            ORDER BY w.n LIMIT 1;
            known_events[first] := start + stored.n;
            known_categories[first] := stored.category;
            known_ids[first] := stored.id;
            versions[first] := stored.version;
        END IF;
    END LOOP;

    IF event = unwritten THEN
        RETURN;
    END IF;
    drawn := recount.draw(event - unwritten);

    INSERT INTO recount.events
        (position, stream, version, recorded_at, kind, tenant, batch_left, event_id, batch, stream_id, metadata, payload)
    SELECT drawn[w.n - skipped[w.part]], numbers[part_streams[w.part]], before[w.part] + 1 + w.n - firsts[w.part], w.at, w.kind,
           stream_tenants[part_streams[w.part]], ends[w.part] - w.n, w.id, batches[w.part], stream_ids[part_streams[w.part]],
           w.metadata, w.payload
    FROM unnest(event_parts, event_kinds, event_ids, event_times, event_metadata, event_payloads) WITH ORDINALITY
        AS w (part, kind, id, at, metadata, payload, n)
    WHERE before[w.part] >= 0
    ORDER BY w.n;

    UPDATE recount.streams AS s SET version = w.version
    FROM unnest(numbers, reached) AS w (stream, version)
    WHERE s.stream = w.stream AND s.version <> w.version;

    FOR p IN 1 .. parts LOOP
        IF outcomes[p] = 0 AND batches[p] IS NOT NULL THEN
            positions[p] := drawn[ends[p] - skipped[p]];
        END IF;
    END LOOP;
END $$;

-- The rows of the log are facts. Whoever inserts events takes a place in the order, however they do it.
CREATE FUNCTION recount.guard_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM recount.take_place();
    RETURN NULL;
END $$;
CREATE FUNCTION recount.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE '% belong to the log, in which nothing is updated or deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER events_take_a_place BEFORE INSERT ON recount.events FOR EACH STATEMENT EXECUTE FUNCTION recount.guard_order();
CREATE TRIGGER events_are_facts BEFORE UPDATE OR DELETE OR TRUNCATE ON recount.events
    FOR EACH STATEMENT EXECUTE FUNCTION recount.refuse();
CREATE TRIGGER kinds_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON recount.kinds
    FOR EACH STATEMENT EXECUTE FUNCTION recount.refuse();
CREATE TRIGGER tenants_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON recount.tenants
    FOR EACH STATEMENT EXECUTE FUNCTION recount.refuse();
-- Only the version of a stream changes, and only upwards.
CREATE TRIGGER streams_are_kept BEFORE DELETE OR TRUNCATE ON recount.streams
    FOR EACH STATEMENT EXECUTE FUNCTION recount.refuse();
CREATE TRIGGER streams_keep_their_names BEFORE UPDATE OF stream, tenant, category, id ON recount.streams
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
       e.event_id
FROM recount.events AS e
JOIN recount.kinds AS k ON k.kind = e.kind
LEFT JOIN recount.tenants AS t ON t.tenant = e.tenant;

INSERT INTO recount.meta (schema_version) VALUES (1);
