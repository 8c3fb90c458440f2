//! Appending a batch within a transaction.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::error::is_constraint;
use super::names::Names;
use super::stats;
use super::transaction::{Stop, Transaction, Work};
use crate::log::{
    AppendError, Appended, Batch, EventId, NewEvent, Position, StreamId, StreamVersion, Version,
};

/// Bytes that are text.
struct Text<'a>(&'a [u8]);

impl ToSql for Text<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

/// A stream of the batch: its number, when it has one, and how far it is by now.
struct Target {
    tenant: Option<i64>,
    stream: Option<i64>,
    /// The version after the parts whose conditions were checked.
    checked: i64,
    /// The version after the events that were written.
    written: i64,
}

impl Work for Batch {
    type Done = Appended;
    type Error = AppendError;

    fn bytes(&self) -> usize {
        self.events().map(|(_, event)| event.payload.len()).sum()
    }

    fn write(&self, transaction: &mut Transaction<'_>) -> Result<Appended, Stop<AppendError>> {
        match write(self, transaction) {
            // Ids are looked up only here, so that new ones cost nothing: either something is known and says why the batch
            // does not fit, or the refusal stands.
            Err(Stop::Refused(refusal)) => match repeated(self, transaction)? {
                Some(outcome) => outcome.map_err(Stop::Refused),
                None => Err(Stop::Refused(refusal)),
            },
            Err(Stop::Failed(error)) if is_constraint(&error) => {
                match repeated(self, transaction)? {
                    Some(Ok(appended)) => Ok(appended),
                    Some(Err(refusal)) => Err(Stop::Refused(refusal)),
                    None => Err(Stop::Failed(error)),
                }
            }
            outcome => outcome,
        }
    }
}

fn write(batch: &Batch, transaction: &mut Transaction<'_>) -> Result<Appended, Stop<AppendError>> {
    let parts = batch.parts();
    let mut targets: Vec<Target> = Vec::with_capacity(parts.len());
    let mut index = Vec::with_capacity(parts.len());
    let mut seen = std::collections::HashMap::new();
    // All conditions first: a batch that does not fit has written nothing then.
    for part in parts {
        let known = if parts.len() == 1 {
            0
        } else {
            *seen.entry(&part.stream).or_insert(targets.len())
        };
        if known == targets.len() {
            targets.push(target(transaction, &part.stream)?);
        }
        index.push(known);
        if let Some(target) = targets.get_mut(known) {
            let actual = version(target.checked);
            if !part.expected.holds(actual) {
                return Err(Stop::Refused(AppendError::Conflict {
                    stream: part.stream.clone(),
                    expected: part.expected,
                    actual,
                }));
            }
            target.checked += count(part.events.len());
        }
    }
    let mut position = transaction.head()?;
    let first = position + 1;
    let mut streams = Vec::with_capacity(parts.len());
    for (part, target) in parts.iter().zip(index) {
        let Some(target) = targets.get_mut(target) else {
            continue;
        };
        if !part.events.is_empty() {
            let (tenant, stream) = use_stream(transaction, target, &part.stream)?;
            for event in &part.events {
                target.written += 1;
                position += 1;
                let place = Place {
                    position,
                    first,
                    stream,
                    version: target.written,
                    tenant,
                };
                insert(transaction, &part.stream, event, &place)?;
            }
        }
        if let Some(stream) = target.stream {
            transaction
                .names
                .set_stream(&part.stream, stream, target.written);
        }
        streams.push(StreamVersion {
            stream: part.stream.clone(),
            version: version(target.written),
        });
    }
    transaction.set_head(position);
    // Without events, nothing is told of those that the tenant cannot see.
    let position = match batch.tenant() {
        Some(tenant) if position < first => stats::head(transaction.connection, Some(tenant))?,
        _ => Position(position.cast_unsigned()),
    };
    Ok(Appended {
        position,
        streams,
        repeated: false,
    })
}

/// Where a row goes.
struct Place {
    position: i64,
    /// The position of the batch's first event.
    first: i64,
    stream: i64,
    version: i64,
    tenant: i64,
}

fn insert(
    transaction: &mut Transaction<'_>,
    stream: &StreamId,
    event: &NewEvent,
    place: &Place,
) -> rusqlite::Result<()> {
    let (kind, new) = transaction.names.use_kind(
        transaction.connection,
        place.tenant,
        stream,
        &event.name,
        event.schema_version,
    )?;
    if new {
        transaction.wrote();
    }
    transaction.insert(params![
        place.position,
        place.stream,
        place.version,
        kind,
        place.tenant,
        event.id.0.as_bytes(),
        place.first,
        event.recorded_at.timestamp_micros(),
        stream.id(),
        event.metadata.to_json(),
        Text(&event.payload),
    ])
}

/// A count of events in memory is far below what a version can hold.
fn count(events: usize) -> i64 {
    i64::try_from(events).unwrap_or(i64::MAX)
}

/// A version as it is stored; a damaged one counts as none.
fn version(stored: i64) -> Version {
    Version(u64::try_from(stored).unwrap_or(0))
}

/// What is there of a stream.
fn target(transaction: &mut Transaction<'_>, stream: &StreamId) -> rusqlite::Result<Target> {
    let tenant = transaction
        .names
        .tenant(transaction.connection, stream.tenant())?;
    let found = match (transaction.names.stream(stream), tenant) {
        (Some(found), _) => Some(found),
        (None, Some(tenant)) => find_stream(transaction.connection, tenant, stream)?,
        (None, None) => None,
    };
    let version = found.map_or(0, |(_, version)| version);
    Ok(Target {
        tenant,
        stream: found.map(|(stream, _)| stream),
        checked: version,
        written: version,
    })
}

fn find_stream(
    connection: &Connection,
    tenant: i64,
    stream: &StreamId,
) -> rusqlite::Result<Option<(i64, i64)>> {
    connection
        .prepare_cached(
            "SELECT stream, (SELECT max(version) FROM events WHERE events.stream = streams.stream)
             FROM streams WHERE tenant = ?1 AND category = ?2 AND id = ?3",
        )?
        .query_row(
            params![tenant, stream.category().as_str(), stream.id()],
            |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.unwrap_or(0))),
        )
        .optional()
}

/// The numbers of a stream and its tenant, new ones if need be.
fn use_stream(
    transaction: &mut Transaction<'_>,
    target: &mut Target,
    stream: &StreamId,
) -> rusqlite::Result<(i64, i64)> {
    if let (Some(tenant), Some(stream)) = (target.tenant, target.stream) {
        return Ok((tenant, stream));
    }
    let (tenant, _) = transaction
        .names
        .use_tenant(transaction.connection, stream.tenant())?;
    let number = transaction
        .connection
        .prepare_cached("INSERT OR FAIL INTO streams (tenant, category, id) VALUES (?1, ?2, ?3)")?
        .insert(params![tenant, stream.category().as_str(), stream.id()])?;
    transaction.wrote();
    target.tenant = Some(tenant);
    target.stream = Some(number);
    Ok((tenant, number))
}

/// The outcome of a batch of which an id is known: the first result, if it is that batch again, else a refusal.
fn repeated(
    batch: &Batch,
    transaction: &mut Transaction<'_>,
) -> rusqlite::Result<Option<Result<Appended, AppendError>>> {
    // What the batch itself wrote before it was stopped does not count.
    let head = transaction.head()?;
    let (connection, names) = (transaction.connection, &mut *transaction.names);
    for (stream, event) in batch.events() {
        if let Some((first, holder, version)) =
            find_event(connection, names, stream, event.id, head)?
        {
            return Ok(Some(match same(batch, first, connection, names)? {
                Some(appended) => Ok(appended),
                None => Err(AppendError::Duplicate {
                    event: event.id,
                    stream: holder,
                    version,
                }),
            }));
        }
    }
    Ok(None)
}

/// The first position of the batch that an id belongs to, its stream, and the version that it has there.
fn find_event(
    connection: &Connection,
    names: &mut Names,
    stream: &StreamId,
    id: EventId,
    head: i64,
) -> rusqlite::Result<Option<(i64, StreamId, Version)>> {
    let Some(tenant) = names.tenant(connection, stream.tenant())? else {
        return Ok(None);
    };
    connection
        .prepare_cached(
            "SELECT e.batch, e.version, s.category, s.id
             FROM events AS e JOIN streams AS s ON s.stream = e.stream
             WHERE e.event_id = ?1 AND e.tenant = ?2 AND e.position <= ?3",
        )?
        .query_row(params![id.0.as_bytes(), tenant, head], |row| {
            let (category, id): (String, String) = (row.get(2)?, row.get(3)?);
            // Names were checked when they were written; a damaged one is passed over for the batch's own.
            let holder = StreamId::new(&category, id).map_or_else(
                |_| stream.clone(),
                |holder| holder.in_tenant(stream.tenant().cloned()),
            );
            Ok((row.get(0)?, holder, version(row.get(1)?)))
        })
        .optional()
}

/// The result of the batch that begins at a position, if it is this one.
fn same(
    batch: &Batch,
    first: i64,
    connection: &Connection,
    names: &mut Names,
) -> rusqlite::Result<Option<Appended>> {
    let mut statement = connection.prepare_cached(
        "SELECT e.event_id, e.stream, k.name, k.schema_version, e.payload, e.version
         FROM events AS e JOIN kinds AS k ON k.kind = e.kind
         WHERE e.position >= ?1 AND e.position < ?1 + ?2 AND e.batch = ?1 ORDER BY e.position LIMIT ?2",
    )?;
    let total = count(batch.events().count());
    // One more than expected, to see whether the batch ends where this one does.
    let mut rows = statement.query(params![first, total + 1])?;
    let mut streams = Vec::with_capacity(batch.parts().len());
    for part in batch.parts() {
        let number = match names.tenant(connection, part.stream.tenant())? {
            Some(tenant) => find_stream(connection, tenant, &part.stream)?,
            None => None,
        };
        // A part without events only checked, and says what is there now.
        let mut at = number.map_or(Version::NONE, |(_, now)| version(now));
        for event in &part.events {
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            if !is_row(row, event, number.map(|(number, _)| number))? {
                return Ok(None);
            }
            at = version(row.get(5)?);
        }
        streams.push(StreamVersion {
            stream: part.stream.clone(),
            version: at,
        });
    }
    if rows.next()?.is_some() {
        return Ok(None);
    }
    Ok(Some(Appended {
        position: Position((first + total - 1).cast_unsigned()),
        streams,
        repeated: true,
    }))
}

fn is_row(row: &Row<'_>, event: &NewEvent, stream: Option<i64>) -> rusqlite::Result<bool> {
    Ok(row.get_ref(0)? == ValueRef::Blob(event.id.0.as_bytes())
        && Some(row.get(1)?) == stream
        && row.get_ref(2)? == ValueRef::Text(event.name.as_bytes())
        && row.get_ref(3)? == ValueRef::Integer(event.schema_version.into())
        && row.get_ref(4)? == ValueRef::Text(&event.payload))
}
