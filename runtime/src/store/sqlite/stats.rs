//! Counts, and how far the log and its streams are.

use std::path::Path;

use rusqlite::{Connection, params};

use super::names::NO_TENANT;
use crate::log::{Position, Stats, StreamId, TenantId, Version};

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The version of a stream's last event.
pub(super) fn version(connection: &Connection, stream: &StreamId) -> rusqlite::Result<Version> {
    let version: Option<i64> = connection
        .prepare_cached(
            "SELECT max(version) FROM events WHERE stream =
             (SELECT stream FROM streams WHERE category = ?1 AND id = ?2 AND tenant =
                 CASE WHEN ?3 IS NULL THEN ?4 ELSE (SELECT tenant FROM tenants WHERE name = ?3) END)",
        )?
        .query_row(
            params![
                stream.category().as_str(),
                stream.id(),
                stream.tenant().map(TenantId::as_str),
                NO_TENANT
            ],
            |row| row.get(0),
        )?;
    Ok(Version(count(version.unwrap_or(0))))
}

/// The position of the last event; of a tenant's last event by way of its kinds, of which there are few.
pub(super) fn head(
    connection: &Connection,
    tenant: Option<&TenantId>,
) -> rusqlite::Result<Position> {
    let head: Option<i64> = match tenant {
        None => connection
            .prepare_cached("SELECT max(position) FROM events")?
            .query_row([], |row| row.get(0))?,
        Some(tenant) => connection
            .prepare_cached(
                "SELECT max((SELECT max(position) FROM events WHERE events.kind = kinds.kind))
                 FROM kinds WHERE tenant = (SELECT tenant FROM tenants WHERE name = ?1)",
            )?
            .query_row([tenant.as_str()], |row| row.get(0))?,
    };
    Ok(Position(count(head.unwrap_or(0))))
}

/// Counts over all, or over a tenant: one statement, hence of one moment.
pub(super) fn stats(connection: &Connection, tenant: Option<&TenantId>) -> rusqlite::Result<Stats> {
    let tenant = tenant.map(TenantId::as_str);
    let mut statement = connection.prepare_cached(
        "WITH wanted AS (SELECT tenant FROM tenants WHERE name = ?1)
         SELECT NULL, (SELECT count(*) FROM streams WHERE ?1 IS NULL OR tenant = (SELECT tenant FROM wanted))
         UNION ALL
         SELECT name, (SELECT count(*) FROM events WHERE events.kind = kinds.kind)
         FROM kinds WHERE ?1 IS NULL OR tenant = (SELECT tenant FROM wanted)",
    )?;
    let mut rows = statement.query([tenant])?;
    let mut stats = Stats::default();
    while let Some(row) = rows.next()? {
        let number = count(row.get(1)?);
        match row.get::<_, Option<String>>(0)? {
            None => stats.streams = number,
            Some(name) if number > 0 => {
                stats.events += number;
                *stats.events_by_name.entry(name).or_default() += number;
            }
            Some(_) => {}
        }
    }
    Ok(stats)
}

/// The bytes of the file and its write-ahead log. Only looked at: opening and closing the file beside SQLite would drop
/// SQLite's locks.
pub(super) fn bytes(path: &Path) -> Option<u64> {
    let size = |path: &Path| std::fs::metadata(path).map(|file| file.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Some(size(path).ok()? + size(Path::new(&log)).unwrap_or(0))
}
