//! The tables, and the checks that a file passes before it is used.

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::error::is_busy;
use crate::store::{BackendError, ConnectError};

/// "Reco" in ASCII: marks the file as a log of this crate.
const APPLICATION_ID: i32 = 0x5265_636F;

/// One step for each schema version, from an empty file to the newest. A step that was released is never edited.
const MIGRATIONS: &[&str] = &[VERSION_1];

/// The newest schema version that is known here.
#[expect(clippy::cast_possible_wrap, reason = "a handful of steps")]
pub(super) const NEWEST: i64 = MIGRATIONS.len() as i64;

/// The triggers guard the log against every other writer. This crate's own connection does without triggers: one for each
/// event would make 64 writers slower by a quarter, and it neither updates nor deletes what they guard.
/// Inserting is guarded too, since `INSERT OR REPLACE` deletes rows without firing the triggers for deletion.
const VERSION_1: &str = "
CREATE TABLE tenants (
    tenant INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE streams (
    stream   INTEGER PRIMARY KEY,
    tenant   INTEGER NOT NULL,
    category TEXT    NOT NULL,
    id       TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX streams_by_name ON streams (tenant, category, id);

CREATE TABLE kinds (
    kind           INTEGER PRIMARY KEY,
    tenant         INTEGER NOT NULL,
    category       TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    schema_version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX kinds_by_name ON kinds (tenant, category, name, schema_version);

CREATE TABLE events (
    position    INTEGER PRIMARY KEY,
    stream      INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    tenant      INTEGER NOT NULL,
    event_id    BLOB    NOT NULL,
    batch       INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    stream_id   TEXT    NOT NULL,
    metadata    TEXT,
    payload     TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_stream ON events (stream, version);
CREATE UNIQUE INDEX events_by_id     ON events (event_id, tenant);
CREATE        INDEX events_by_kind   ON events (kind);

CREATE TABLE snapshots (
    tenant      INTEGER NOT NULL,
    category    TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    state       ANY     NOT NULL,
    UNIQUE (tenant, category, id)
) STRICT;

CREATE TABLE checkpoints (
    tenant      INTEGER NOT NULL,
    projection  TEXT    NOT NULL,
    fingerprint INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    state       ANY,
    holder      BLOB,
    held_until  INTEGER,
    UNIQUE (tenant, projection, fingerprint)
) STRICT;

CREATE TABLE dead_letters (
    tenant      INTEGER NOT NULL,
    projection  TEXT    NOT NULL,
    fingerprint INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    category    TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    owner       TEXT,
    event_id    BLOB    NOT NULL,
    name        TEXT    NOT NULL,
    error       TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    retry       INTEGER NOT NULL,
    UNIQUE (tenant, projection, fingerprint, position)
) STRICT;

CREATE TRIGGER events_are_appended   BEFORE INSERT ON events
    BEGIN SELECT RAISE(ABORT, 'only Recount appends to the log'); END;
CREATE TRIGGER events_are_not_updated BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are facts: the log cannot be updated'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are facts: nothing is deleted from the log'); END;
CREATE TRIGGER streams_are_appended   BEFORE INSERT ON streams
    BEGIN SELECT RAISE(ABORT, 'only Recount appends to the log'); END;
CREATE TRIGGER streams_are_not_updated BEFORE UPDATE ON streams
    BEGIN SELECT RAISE(ABORT, 'streams belong to the log, which cannot be updated'); END;
CREATE TRIGGER streams_are_not_deleted BEFORE DELETE ON streams
    BEGIN SELECT RAISE(ABORT, 'streams belong to the log, from which nothing is deleted'); END;
CREATE TRIGGER kinds_are_appended   BEFORE INSERT ON kinds
    BEGIN SELECT RAISE(ABORT, 'only Recount appends to the log'); END;
CREATE TRIGGER kinds_are_not_updated BEFORE UPDATE ON kinds
    BEGIN SELECT RAISE(ABORT, 'kinds belong to the log, which cannot be updated'); END;
CREATE TRIGGER kinds_are_not_deleted BEFORE DELETE ON kinds
    BEGIN SELECT RAISE(ABORT, 'kinds belong to the log, from which nothing is deleted'); END;
CREATE TRIGGER tenants_are_appended   BEFORE INSERT ON tenants
    BEGIN SELECT RAISE(ABORT, 'only Recount appends to the log'); END;
CREATE TRIGGER tenants_are_not_updated BEFORE UPDATE ON tenants
    BEGIN SELECT RAISE(ABORT, 'tenants belong to the log, which cannot be updated'); END;
CREATE TRIGGER tenants_are_not_deleted BEFORE DELETE ON tenants
    BEGIN SELECT RAISE(ABORT, 'tenants belong to the log, from which nothing is deleted'); END;

CREATE VIEW log AS
SELECT e.position,
       t.name AS tenant,
       k.category,
       e.stream_id AS id,
       e.version,
       k.name,
       k.schema_version,
       strftime('%Y-%m-%dT%H:%M:%S', (e.recorded_at - (e.recorded_at % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
           || printf('.%06dZ', (e.recorded_at % 1000000 + 1000000) % 1000000) AS recorded_at,
       e.payload,
       e.metadata,
       lower(substr(hex(e.event_id), 1, 8) || '-' || substr(hex(e.event_id), 9, 4) || '-' || substr(hex(e.event_id), 13, 4)
           || '-' || substr(hex(e.event_id), 17, 4) || '-' || substr(hex(e.event_id), 21)) AS event_id
FROM events AS e
JOIN kinds AS k ON k.kind = e.kind
LEFT JOIN tenants AS t ON t.tenant = e.tenant;
";

/// What a file turned out to be.
enum Found {
    /// Nothing yet: a new file, or one that another process is about to fill.
    Empty,
    /// A log of this schema version.
    Log(i64),
}

/// Why a file cannot be used.
enum Refused {
    Is(ConnectError),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// Reads what the file is, without writing to it.
fn inspect(connection: &Connection, path: &str) -> Result<Found, Refused> {
    // One statement, so that another process's migration is seen wholly or not at all.
    let (application, version, table) = connection.query_row(
        "SELECT (SELECT application_id FROM pragma_application_id),
                (SELECT user_version FROM pragma_user_version),
                (SELECT name FROM sqlite_schema ORDER BY type <> 'table', name LIMIT 1)",
        [],
        |row| {
            Ok((
                row.get::<_, i32>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, Option<String>>(2)?,
            ))
        },
    )?;
    match (application, table) {
        (APPLICATION_ID, _) if version > NEWEST => Err(Refused::Is(ConnectError::NewerSchema {
            path: path.to_owned(),
            found: version,
            known: NEWEST,
        })),
        (APPLICATION_ID, _) if version > 0 => Ok(Found::Log(version)),
        (0, None) => Ok(Found::Empty),
        (_, Some(table)) => Err(Refused::Is(ConnectError::Foreign {
            path: path.to_owned(),
            table,
        })),
        (other, None) => Err(Refused::Is(ConnectError::NotADatabase {
            path: path.to_owned(),
            reason: format!("it is empty and marked as the file of another application ({other})"),
        })),
    }
}

/// Makes the file a log of the newest schema, or refuses it untouched.
pub(super) fn prepare(
    connection: &mut Connection,
    path: &str,
    url: &str,
    read_only: bool,
) -> Result<(), ConnectError> {
    let mut patience = super::turn::Patience::new();
    loop {
        match step(connection, path, read_only) {
            Ok(()) => return Ok(()),
            Err(Refused::Is(error)) => return Err(error),
            // Switching to the write-ahead log does not wait for others by itself.
            Err(Refused::Database(error)) if is_busy(&error) && patience.wait() => {}
            Err(Refused::Database(error)) => return Err(refusal(error, path, url)),
        }
    }
}

fn step(connection: &mut Connection, path: &str, read_only: bool) -> Result<(), Refused> {
    let found = inspect(connection, path)?;
    if read_only {
        return match found {
            Found::Log(NEWEST) => Ok(()),
            Found::Log(version) => Err(Refused::Is(ConnectError::NotADatabase {
                path: path.to_owned(),
                reason: format!(
                    "its schema version {version} must be brought to {NEWEST} first, by opening it for writing"
                ),
            })),
            Found::Empty => Err(Refused::Is(ConnectError::NotADatabase {
                path: path.to_owned(),
                reason: "it is empty, and cannot be written".to_owned(),
            })),
        };
    }
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Refused::Is(ConnectError::NotADatabase {
            path: path.to_owned(),
            reason: format!("its file system cannot hold a write-ahead log (mode {mode})"),
        }));
    }
    if matches!(found, Found::Log(NEWEST)) {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let from = match inspect(&transaction, path)? {
        Found::Empty => 0,
        Found::Log(version) => version,
    };
    for migration in MIGRATIONS
        .iter()
        .skip(usize::try_from(from).unwrap_or(usize::MAX))
    {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", NEWEST)?;
    transaction.commit()?;
    Ok(())
}

/// What a database error at opening means to whoever named the file.
pub(super) fn refusal(error: rusqlite::Error, path: &str, url: &str) -> ConnectError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => ConnectError::NotADatabase {
            path: path.to_owned(),
            reason: "its content is something else, or encrypted".to_owned(),
        },
        Some(ErrorCode::DatabaseCorrupt) => ConnectError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        },
        _ => ConnectError::Unavailable {
            url: url.to_owned(),
            source: BackendError::new(error),
        },
    }
}

/// The tables in a database of a test's own.
#[cfg(test)]
pub(super) fn lay_out(connection: &mut Connection) -> rusqlite::Result<()> {
    MIGRATIONS
        .iter()
        .try_for_each(|migration| connection.execute_batch(migration))
}
