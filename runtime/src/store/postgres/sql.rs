//! The statements that do not depend on a query, with the schema's name in them.

/// A name as SQL takes it whatever it is.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Puts the schema's name where a text says `recount.`.
pub(super) fn within(schema: &str, text: &str) -> String {
    text.replace("recount.", &format!("{}.", quoted(schema)))
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident: $text:literal,)*) => {
        /// Each statement, written out once.
        #[derive(Debug)]
        pub(super) struct Sql {
            pub(super) schema: String,
            $($(#[$doc])* pub(super) $name: String,)*
        }

        impl Sql {
            pub(super) fn new(schema: &str) -> Self {
                Self {
                    schema: schema.to_owned(),
                    $($name: within(schema, $text),)*
                }
            }
        }
    };
}

statements! {
    append: "SELECT recount.append($1, $2, $3, $4, $5)",
    /// One event behind a version that was seen: the most frequent append, without the cost of a function. It holds its stream, then
    /// enters, takes its place, and draws, as `append` does. One position is not drawn in halves, so it is drawn beside the gate;
    /// the place must not lie between those of another append, so the gate is shared while the last position is asked for. That was
    /// asked for before: so it neither fails nor waits while the gate is held. A position that is not above the place, as of a sequence
    /// that is cached, is not written.
    append_one: "INSERT INTO recount.events
            (position, stream, version, recorded_at, kind, tenant, batch_left, event_id, batch, stream_id, metadata, payload)
        SELECT CASE WHEN position > last THEN position END, $1, $2, $3, $4, $5, 0, $6, $6, $7, $8, $9
        FROM (
            SELECT last, pg_advisory_xact_lock_shared(recount.order_key(last)), nextval('recount.positions') AS position
            FROM (
                SELECT pg_advisory_xact_lock_shared(recount.order_streams()), pg_advisory_xact_lock(recount.stream_key($10)),
                       pg_advisory_xact_lock_shared(recount.order_entry()), pg_sequence_last_value('recount.positions'),
                       pg_advisory_lock_shared(recount.order_gate()), coalesce(pg_sequence_last_value('recount.positions'), 0) AS last,
                       pg_advisory_unlock_shared(recount.order_gate())
            ) AS entered
        ) AS placed
        RETURNING position",
    /// Which events of a call have an id that is in the log, and whether it is the same event in the same batch.
    known: "SELECT w.n, e.stream = ($1::uuid[])[w.stream] AND e.kind = w.kind AND e.batch = w.batch AND e.batch_left = w.batch_left
            AND e.payload::text = w.payload::text, e.position, e.version, k.category, e.stream_id
        FROM unnest($2::recount.new_event[]) WITH ORDINALITY
            AS w (stream, ordinal, recorded_at, kind, tenant, batch_left, event_id, batch, stream_id, metadata, payload, n)
        JOIN recount.events AS e ON e.event_id = w.event_id AND e.tenant = w.tenant
        JOIN recount.kinds AS k ON k.kind = e.kind
        ORDER BY w.n",
    /// Which log this is: the table, if it is there, of which database of which server, since servers that were made alike have the
    /// same numbers; and what the transaction sees.
    identity: "SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text || '/'
            || (SELECT oid::text FROM pg_database WHERE datname = current_database()) || '/'
            || to_regclass('recount.events')::oid::text, current_database()::text, current_setting('transaction_isolation')",
    frontier: "SELECT frontier, newest_kind FROM recount.frontier($1)",
    head: "SELECT recount.head($1)",
    version: "SELECT version FROM recount.events WHERE stream = $1 ORDER BY version DESC LIMIT 1",
    kinds: "SELECT k.kind, k.tenant, t.name, k.category, k.name, k.schema_version
        FROM recount.kinds AS k LEFT JOIN recount.tenants AS t ON t.tenant = k.tenant ORDER BY k.kind",
    use_kinds: "SELECT recount.use_kinds($1, $2, $3, $4)",
    find_tenant: "SELECT tenant FROM recount.tenants WHERE name = $1",
    add_tenant: "INSERT INTO recount.tenants (name) VALUES ($1) ON CONFLICT DO NOTHING",
    /// One statement, hence of one moment.
    stats: "SELECT NULL, (SELECT count(*) FROM recount.events WHERE version = 1
                AND ($1::text IS NULL OR tenant = (SELECT tenant FROM recount.tenants WHERE name = $1)))
        UNION ALL
        SELECT k.name, (SELECT count(*) FROM recount.events AS e WHERE e.kind = k.kind)
        FROM recount.kinds AS k
        WHERE $1 IS NULL OR k.tenant = (SELECT tenant FROM recount.tenants WHERE name = $1)",
    bytes: "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind = 'r'",
    snapshot: "SELECT version, state FROM recount.snapshots WHERE stream = $1 AND fingerprint = $2",
    save_snapshot: "INSERT INTO recount.snapshots AS kept (stream, tenant, category, id, version, fingerprint, state)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (stream) DO UPDATE
        SET version = excluded.version, fingerprint = excluded.fingerprint, state = excluded.state
        WHERE kept.fingerprint <> excluded.fingerprint OR kept.version < excluded.version",
    delete_snapshots: "DELETE FROM recount.snapshots
        WHERE ($1::int IS NULL OR tenant = $1) AND ($2::text IS NULL OR category = $2)",
    checkpoint: "SELECT revision, position, state FROM recount.checkpoints
        WHERE tenant = $1 AND projection = $2 AND fingerprint = $3",
    first_checkpoint: "INSERT INTO recount.checkpoints (tenant, projection, fingerprint, revision, position, state)
        VALUES ($1, $2, $3, $4::bigint + 1, $5, $6) ON CONFLICT DO NOTHING",
    next_checkpoint: "UPDATE recount.checkpoints SET revision = $4::bigint + 1, position = $5, state = $6
        WHERE tenant = $1 AND projection = $2 AND fingerprint = $3 AND revision = $4",
    /// One version, or all others.
    drop_versions: "WITH letters AS (
            DELETE FROM recount.dead_letters WHERE tenant = $1 AND projection = $2 AND (fingerprint = $3) <> $4
        )
        DELETE FROM recount.checkpoints WHERE tenant = $1 AND projection = $2 AND (fingerprint = $3) <> $4",
    /// No row where another one has it. `$5` are microseconds.
    lease: "INSERT INTO recount.checkpoints AS kept (tenant, projection, fingerprint, revision, position, holder, held_until)
        VALUES ($1, $2, $3, 1, 0, $4::uuid, clock_timestamp() + $5::bigint * interval '1 microsecond')
        ON CONFLICT (tenant, projection, fingerprint) DO UPDATE
        SET revision = kept.revision + (kept.holder IS DISTINCT FROM excluded.holder)::int,
            holder = excluded.holder, held_until = excluded.held_until
        WHERE kept.holder IS NULL OR kept.holder = excluded.holder OR kept.held_until <= clock_timestamp()
        RETURNING revision, position",
    settle: "DELETE FROM recount.dead_letters
        WHERE tenant = $1 AND projection = $2 AND fingerprint = $3 AND position = ANY($4::bigint[])",
    set_aside: "INSERT INTO recount.dead_letters
            (tenant, projection, fingerprint, position, category, id, owner, event_id, name, error, attempts, at, retry)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'epoch'::timestamptz + $12::bigint * interval '1 microsecond', $13)
        ON CONFLICT (tenant, projection, fingerprint, position) DO UPDATE
        SET error = excluded.error, attempts = excluded.attempts, at = excluded.at, retry = excluded.retry",
    dead_letters: "SELECT fingerprint, position, category, id, owner, event_id, name, error, attempts,
            (extract(epoch FROM at) * 1000000)::bigint, retry
        FROM recount.dead_letters WHERE tenant = $1 AND projection = $2 ORDER BY fingerprint, position",
}
