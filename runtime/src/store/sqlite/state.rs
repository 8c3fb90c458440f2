//! Snapshots, checkpoints, leases, and events that were set aside.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::names::NO_TENANT;
use super::tables;
use super::transaction::{Stop, Transaction, Work};
use crate::log::{EventId, NameError, Position, StreamId, TenantId, Version};
use crate::store::{
    Checkpoint, CheckpointError, DeadLetter, Effects, Lease, ProjectionKey, Replaces, StoreError,
    StoredSnapshot,
};

/// JSON as text, so that a person can read it in the table; anything else as it is.
fn value(state: &[u8]) -> ValueRef<'_> {
    if std::str::from_utf8(state).is_ok() {
        ValueRef::Text(state)
    } else {
        ValueRef::Blob(state)
    }
}

struct State<'a>(ValueRef<'a>);

impl rusqlite::ToSql for State<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(self.0))
    }
}

/// Back from the table; a number or nothing is no state.
fn state(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Vec<u8>>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
        _ => None,
    })
}

/// A number above what SQLite can hold stands for the greatest; none is ever reached.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn loaded(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn use_tenant(
    transaction: &mut Transaction<'_>,
    tenant: Option<&TenantId>,
) -> rusqlite::Result<i64> {
    let (tenant, new) = transaction
        .names
        .use_tenant(transaction.connection, tenant)?;
    if new {
        transaction.wrote();
    }
    Ok(tenant)
}

/// The number of a tenant, as a reader finds it; `None` when it was never used.
fn find_tenant(
    connection: &Connection,
    tenant: Option<&TenantId>,
) -> rusqlite::Result<Option<i64>> {
    let Some(tenant) = tenant else {
        return Ok(Some(NO_TENANT));
    };
    connection
        .prepare_cached("SELECT tenant FROM tenants WHERE name = ?1")?
        .query_row([tenant.as_str()], |row| row.get(0))
        .optional()
}

/// Keeps a snapshot, unless a newer one of the same shape is kept.
pub(super) struct SaveSnapshot {
    pub(super) stream: StreamId,
    pub(super) snapshot: StoredSnapshot,
}

impl Work for SaveSnapshot {
    type Done = ();
    type Error = StoreError;

    fn bytes(&self) -> usize {
        self.snapshot.state.len()
    }

    fn write(&self, transaction: &mut Transaction<'_>) -> Result<(), Stop<StoreError>> {
        let tenant = use_tenant(transaction, self.stream.tenant())?;
        transaction.write(
            "INSERT INTO snapshots (tenant, category, id, version, fingerprint, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (tenant, category, id) DO UPDATE
             SET version = excluded.version, fingerprint = excluded.fingerprint, state = excluded.state
             WHERE fingerprint <> excluded.fingerprint OR version < excluded.version",
            params![
                tenant,
                self.stream.category().as_str(),
                self.stream.id(),
                stored(self.snapshot.version.0),
                self.snapshot.fingerprint.cast_signed(),
                State(value(&self.snapshot.state)),
            ],
        )?;
        Ok(())
    }
}

/// The snapshot of a stream, of this shape.
pub(super) fn snapshot(
    connection: &Connection,
    stream: &StreamId,
    fingerprint: u64,
) -> rusqlite::Result<Option<StoredSnapshot>> {
    let Some(tenant) = find_tenant(connection, stream.tenant())? else {
        return Ok(None);
    };
    let found = connection
        .prepare_cached(
            "SELECT version, state FROM snapshots
             WHERE tenant = ?1 AND category = ?2 AND id = ?3 AND fingerprint = ?4",
        )?
        .query_row(
            params![
                tenant,
                stream.category().as_str(),
                stream.id(),
                fingerprint.cast_signed()
            ],
            |row| Ok((row.get(0)?, state(row, 1)?)),
        )
        .optional()?;
    Ok(found.and_then(|(version, state)| {
        Some(StoredSnapshot {
            version: Version(loaded(version)),
            fingerprint,
            state: state?,
        })
    }))
}

/// Deletes the snapshots of a category, or all.
pub(super) struct DeleteSnapshots {
    pub(super) tenant: Option<TenantId>,
    pub(super) category: Option<String>,
}

impl Work for DeleteSnapshots {
    type Done = u64;
    type Error = StoreError;

    fn bytes(&self) -> usize {
        0
    }

    fn write(&self, transaction: &mut Transaction<'_>) -> Result<u64, Stop<StoreError>> {
        let tenant = match &self.tenant {
            None => None,
            tenant => match transaction
                .names
                .tenant(transaction.connection, tenant.as_ref())?
            {
                None => return Ok(0),
                number => number,
            },
        };
        let deleted = transaction.write(
            "DELETE FROM snapshots
             WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR category = ?2)",
            params![tenant, self.category],
        )?;
        Ok(deleted as u64)
    }
}

/// Saves position and state, if the projection still stands where the caller thinks.
pub(super) struct SaveCheckpoint {
    pub(super) tenant: Option<TenantId>,
    pub(super) projection: String,
    pub(super) fingerprint: u64,
    pub(super) checkpoint: Checkpoint,
    pub(super) effects: Effects,
}

impl SaveCheckpoint {
    fn key(&self) -> ProjectionKey<'_> {
        ProjectionKey {
            name: &self.projection,
            fingerprint: self.fingerprint,
        }
    }
}

impl Work for SaveCheckpoint {
    type Done = u64;
    type Error = CheckpointError;

    fn bytes(&self) -> usize {
        self.checkpoint.state.as_ref().map_or(0, Vec::len) + self.effects.sql.bytes()
    }

    fn write(&self, transaction: &mut Transaction<'_>) -> Result<u64, Stop<CheckpointError>> {
        let tenant = transaction
            .names
            .tenant(transaction.connection, self.tenant.as_ref())?;
        let actual = transaction
            .connection
            .prepare_cached(
                "SELECT revision FROM checkpoints
                 WHERE tenant = ?1 AND projection = ?2 AND fingerprint = ?3",
            )?
            .query_row(
                params![tenant, self.projection, self.fingerprint.cast_signed()],
                |row| row.get(0),
            )
            .optional()?
            .map_or(0, loaded);
        let expected = self.checkpoint.revision;
        if actual != expected {
            return Err(Stop::Refused(CheckpointError::Moved {
                projection: self.key().to_string(),
                expected,
                actual,
            }));
        }
        tables::write(transaction, self.key(), &self.effects.sql)?;
        let revision = actual + 1;
        let tenant = use_tenant(transaction, self.tenant.as_ref())?;
        self.write_dead_letters(transaction, tenant)?;
        transaction.write(
            "INSERT INTO checkpoints (tenant, projection, fingerprint, revision, position, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (tenant, projection, fingerprint) DO UPDATE
             SET revision = excluded.revision, position = excluded.position, state = excluded.state",
            params![
                tenant,
                self.projection,
                self.fingerprint.cast_signed(),
                stored(revision),
                stored(self.checkpoint.position.0),
                self.checkpoint
                    .state
                    .as_deref()
                    .map(|state| State(value(state))),
            ],
        )?;
        Ok(revision)
    }
}

impl SaveCheckpoint {
    fn write_dead_letters(
        &self,
        transaction: &mut Transaction<'_>,
        tenant: i64,
    ) -> rusqlite::Result<()> {
        let (projection, fingerprint) = (&self.projection, self.fingerprint.cast_signed());
        for position in &self.effects.settled {
            transaction.write(
                "DELETE FROM dead_letters
                 WHERE tenant = ?1 AND projection = ?2 AND fingerprint = ?3 AND position = ?4",
                params![tenant, projection, fingerprint, stored(position.0)],
            )?;
        }
        for letter in &self.effects.set_aside {
            transaction.write(
                "INSERT OR REPLACE INTO dead_letters
                     (tenant, projection, fingerprint, position, category, id, owner, event_id, name, error, attempts, at, retry)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                params![
                    tenant,
                    projection,
                    fingerprint,
                    stored(letter.position.0),
                    letter.stream.category().as_str(),
                    letter.stream.id(),
                    letter.stream.tenant().map(TenantId::as_str),
                    letter.event.0.as_bytes(),
                    letter.name,
                    letter.error,
                    letter.attempts,
                    letter.at.timestamp_micros(),
                    letter.retry,
                ],
            )?;
        }
        let (others, version) = match self.effects.replaces {
            Replaces::Nothing => return Ok(()),
            Replaces::Version(version) => (false, version.cast_signed()),
            Replaces::Others => (true, fingerprint),
        };
        for table in ["checkpoints", "dead_letters"] {
            transaction.write(
                &format!(
                    "DELETE FROM {table} WHERE tenant = ?1 AND projection = ?2 AND (fingerprint = ?3) <> ?4"
                ),
                params![tenant, projection, version, others],
            )?;
        }
        Ok(())
    }
}

/// Lets a holder have a lease, unless another one has it.
pub(super) struct TakeLease {
    pub(super) tenant: Option<TenantId>,
    pub(super) projection: String,
    pub(super) fingerprint: u64,
    pub(super) holder: Uuid,
    pub(super) time: Duration,
}

impl Work for TakeLease {
    type Done = Lease;
    type Error = StoreError;

    fn bytes(&self) -> usize {
        0
    }

    fn write(&self, transaction: &mut Transaction<'_>) -> Result<Lease, Stop<StoreError>> {
        let tenant = use_tenant(transaction, self.tenant.as_ref())?;
        // All processes that use the file are on one machine, so this is one clock.
        let now = Utc::now().timestamp_micros();
        let time = i64::try_from(self.time.as_micros()).unwrap_or(i64::MAX);
        let (projection, fingerprint) = (&self.projection, self.fingerprint.cast_signed());
        let holder = self.holder.as_bytes();
        transaction.write(
            "INSERT INTO checkpoints AS kept (tenant, projection, fingerprint, revision, position, holder, held_until)
             VALUES (?1, ?2, ?3, 1, 0, ?4, ?6)
             ON CONFLICT (tenant, projection, fingerprint) DO UPDATE
             SET revision = kept.revision + (kept.holder IS NOT ?4), holder = ?4, held_until = ?6
             WHERE kept.holder IS NULL OR kept.holder = ?4 OR kept.held_until <= ?5",
            params![tenant, projection, fingerprint, holder, now, now.saturating_add(time)],
        )?;
        let lease = transaction
            .connection
            .prepare_cached(
                "SELECT holder = ?4, revision, position FROM checkpoints
                 WHERE tenant = ?1 AND projection = ?2 AND fingerprint = ?3",
            )?
            .query_row(params![tenant, projection, fingerprint, holder], |row| {
                Ok(Lease {
                    is_held: row.get(0)?,
                    revision: loaded(row.get(1)?),
                    position: Position(loaded(row.get(2)?)),
                })
            })?;
        Ok(lease)
    }
}

/// The events that a projection has set aside.
pub(super) fn dead_letters(
    connection: &Connection,
    tenant: Option<&TenantId>,
    projection: &str,
) -> rusqlite::Result<Vec<DeadLetter>> {
    let Some(tenant) = find_tenant(connection, tenant)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(
        "SELECT fingerprint, position, category, id, owner, event_id, name, error, attempts, at, retry FROM dead_letters
         WHERE tenant = ?1 AND projection = ?2 ORDER BY fingerprint, position",
    )?;
    let letters = statement.query_map(params![tenant, projection], |row| {
        let (category, id): (String, String) = (row.get(2)?, row.get(3)?);
        let owner: Option<String> = row.get(4)?;
        let damaged = |error: NameError| {
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, error.into())
        };
        let owner = owner.map(TenantId::new).transpose().map_err(damaged)?;
        let stream = StreamId::new(&category, id)
            .map_err(damaged)?
            .in_tenant(owner);
        Ok(DeadLetter {
            projection: projection.to_owned(),
            fingerprint: row.get::<_, i64>(0)?.cast_unsigned(),
            position: Position(loaded(row.get(1)?)),
            stream,
            event: EventId(Uuid::from_bytes(row.get(5)?)),
            name: row.get(6)?,
            error: row.get(7)?,
            attempts: row.get(8)?,
            at: DateTime::from_timestamp_micros(row.get(9)?).unwrap_or_default(),
            retry: row.get(10)?,
        })
    })?;
    letters.collect()
}

/// How far a projection got.
pub(super) fn checkpoint(
    connection: &Connection,
    tenant: Option<&TenantId>,
    projection: ProjectionKey<'_>,
) -> rusqlite::Result<Option<Checkpoint>> {
    let Some(tenant) = find_tenant(connection, tenant)? else {
        return Ok(None);
    };
    connection
        .prepare_cached(
            "SELECT position, state, revision FROM checkpoints
             WHERE tenant = ?1 AND projection = ?2 AND fingerprint = ?3",
        )?
        .query_row(
            params![
                tenant,
                projection.name,
                projection.fingerprint.cast_signed()
            ],
            |row| {
                Ok(Checkpoint {
                    revision: loaded(row.get(2)?),
                    position: Position(loaded(row.get(0)?)),
                    state: state(row, 1)?,
                })
            },
        )
        .optional()
}
