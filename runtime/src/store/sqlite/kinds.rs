//! The kinds of events in a file.

use rusqlite::Connection;

use crate::log::{Category, Kind, TenantId};
use crate::store::kinds::Kinds;

/// Reads all kinds.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Kinds> {
    let mut kinds = Kinds::default();
    let mut statement = connection.prepare_cached(
        "SELECT k.kind, k.tenant, t.name, k.category, k.name, k.schema_version
         FROM kinds AS k LEFT JOIN tenants AS t ON t.tenant = k.tenant ORDER BY k.kind",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        kinds.push(row.get(0)?, read(row));
    }
    Ok(kinds)
}

/// Whether these are still all kinds.
pub(super) fn are_all(kinds: &Kinds, connection: &Connection) -> rusqlite::Result<bool> {
    let newest: Option<i64> = connection
        .prepare_cached("SELECT max(kind) FROM kinds")?
        .query_row([], |row| row.get(0))?;
    Ok(newest.unwrap_or(0) == kinds.newest())
}

fn read(row: &rusqlite::Row<'_>) -> Option<Kind> {
    let tenant: i64 = row.get(1).ok()?;
    let tenant = if tenant == super::names::NO_TENANT {
        None
    } else {
        Some(TenantId::new(row.get::<_, String>(2).ok()?).ok()?)
    };
    Some(Kind {
        tenant,
        category: Category::new(row.get::<_, String>(3).ok()?).ok()?,
        name: row.get::<_, String>(4).ok()?.into(),
        schema_version: row.get(5).ok()?,
    })
}
