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
    append: "SELECT * FROM recount.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    frontier: "SELECT frontier, newest_kind FROM recount.frontier($1)",
    head: "SELECT recount.head($1)",
    version: "SELECT version FROM recount.streams
        WHERE tenant = (SELECT CASE WHEN $1::text IS NULL THEN 0 ELSE (SELECT tenant FROM recount.tenants WHERE name = $1) END)
          AND category = $2 AND recount.key(id) = recount.key($3)",
    kinds: "SELECT k.kind, k.tenant, t.name, k.category, k.name, k.schema_version
        FROM recount.kinds AS k LEFT JOIN recount.tenants AS t ON t.tenant = k.tenant ORDER BY k.kind",
    use_kinds: "SELECT recount.use_kinds($1, $2, $3, $4)",
    find_tenant: "SELECT tenant FROM recount.tenants WHERE name = $1",
    add_tenant: "INSERT INTO recount.tenants (name) VALUES ($1) ON CONFLICT DO NOTHING",
    /// One statement, hence of one moment.
    stats: "SELECT NULL, (SELECT count(*) FROM recount.streams WHERE version > 0
                AND ($1::text IS NULL OR tenant = (SELECT tenant FROM recount.tenants WHERE name = $1)))
        UNION ALL
        SELECT k.name, (SELECT count(*) FROM recount.events AS e WHERE e.kind = k.kind)
        FROM recount.kinds AS k
        WHERE $1 IS NULL OR k.tenant = (SELECT tenant FROM recount.tenants WHERE name = $1)",
    bytes: "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind = 'r'",
    snapshot: "SELECT version, state FROM recount.snapshots
        WHERE tenant = $1 AND category = $2 AND recount.key(id) = recount.key($3) AND fingerprint = $4",
    save_snapshot: "INSERT INTO recount.snapshots AS kept (tenant, category, id, version, fingerprint, state)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant, category, recount.key(id)) DO UPDATE
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
}
