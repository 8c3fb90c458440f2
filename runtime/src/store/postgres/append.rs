//! Several batches as one call of `append`, and what came of each.

use std::collections::HashMap;

use bytes::BytesMut;
use deadpool_postgres::Client;
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::error::{Cause, Failure};
use super::names::Names;
use super::sql::Sql;
use crate::log::{
    AppendError, Appended, Batch, Category, Expected, Position, StreamAppend, StreamId,
    StreamVersion, Version,
};

/// A payload, byte by byte.
#[derive(Debug)]
struct Json<'a>(&'a [u8]);

impl ToSql for Json<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSON
    }

    to_sql_checked!();
}

/// The arguments of a call, as `append` in schema.sql describes them; places count from 1.
#[derive(Debug, Default)]
struct Arguments<'a> {
    stream_tenants: Vec<i32>,
    stream_categories: Vec<&'a str>,
    stream_ids: Vec<&'a str>,
    part_appends: Vec<i32>,
    part_streams: Vec<i32>,
    part_expected: Vec<i64>,
    part_counts: Vec<i32>,
    event_parts: Vec<i32>,
    event_kinds: Vec<i32>,
    event_ids: Vec<Uuid>,
    event_times: Vec<i64>,
    event_metadata: Vec<Option<String>>,
    event_payloads: Vec<Json<'a>>,
}

/// How many things in memory: far fewer than the server can count.
fn count(things: usize) -> i32 {
    i32::try_from(things).unwrap_or(i32::MAX)
}

/// A version above what the server can hold stands for the greatest; none is ever reached.
fn expected(expected: Expected) -> i64 {
    match expected {
        Expected::Any => -1,
        Expected::StreamExists => -2,
        Expected::NoStream => 0,
        Expected::Version(version) => i64::try_from(version.0).unwrap_or(i64::MAX),
    }
}

impl<'a> Arguments<'a> {
    /// `None` when a number is missing, which [`Names::learn`] would have got.
    fn of(batches: &[&'a Batch], names: &Names) -> Option<Self> {
        let (mut arguments, known, mut key) = (Self::default(), names.known(), String::new());
        let mut streams: HashMap<&StreamId, i32> = HashMap::new();
        for (append, batch) in (1..).zip(batches) {
            for part in batch.parts() {
                let tenant = known.tenant(part.stream.tenant())?;
                let next = count(streams.len()) + 1;
                let stream = *streams.entry(&part.stream).or_insert(next);
                if stream == next {
                    arguments.stream_tenants.push(tenant);
                    arguments
                        .stream_categories
                        .push(part.stream.category().as_str());
                    arguments.stream_ids.push(part.stream.id());
                }
                arguments.part_appends.push(append);
                arguments.part_streams.push(stream);
                arguments.part_expected.push(expected(part.expected));
                arguments.part_counts.push(count(part.events.len()));
                let place = count(arguments.part_appends.len());
                for event in &part.events {
                    arguments.event_parts.push(place);
                    arguments.event_kinds.push(known.kind(
                        &mut key,
                        tenant,
                        &part.stream,
                        event,
                    )?);
                    arguments.event_ids.push(event.id.0);
                    arguments
                        .event_times
                        .push(event.recorded_at.timestamp_micros());
                    arguments.event_metadata.push(event.metadata.to_json());
                    arguments.event_payloads.push(Json(&event.payload));
                }
            }
        }
        Some(arguments)
    }

    /// About how many bytes the call has.
    fn bytes(&self) -> usize {
        let metadata = self.event_metadata.iter().flatten().map(String::len);
        let ids = self.stream_ids.iter().map(|id| id.len());
        let payloads = self.event_payloads.iter().map(|payload| payload.0.len());
        // Times, numbers and the lengths of it all.
        let rest = 128 * (self.event_ids.len() + self.part_appends.len() + self.stream_ids.len());
        metadata.chain(ids).chain(payloads).sum::<usize>() + rest
    }

    fn as_params(&self) -> [&(dyn ToSql + Sync); 13] {
        [
            &self.stream_tenants,
            &self.stream_categories,
            &self.stream_ids,
            &self.part_appends,
            &self.part_streams,
            &self.part_expected,
            &self.part_counts,
            &self.event_parts,
            &self.event_kinds,
            &self.event_ids,
            &self.event_times,
            &self.event_metadata,
            &self.event_payloads,
        ]
    }
}

/// The most bytes of a call. The server takes messages of up to 1 GiB, and breaks the connection on one that is larger.
const MOST_BYTES: usize = 1000 << 20;

/// What one batch came to.
pub(super) type Outcome = Result<Appended, AppendError>;

/// Appends batches in one transaction, none of which shares an id with another; what each came to, or why nothing of any was
/// written.
pub(super) async fn append(
    batches: &[&Batch],
    connection: &Client,
    names: &Names,
    sql: &Sql,
) -> Result<Vec<Outcome>, Failure> {
    names
        .learn(batches, connection, sql)
        .await
        .map_err(Failure::before)?;
    let arguments = Arguments::of(batches, names)
        .ok_or_else(|| Failure::before(Cause::Other("a tenant or a kind has no number")))?;
    if arguments.bytes() > MOST_BYTES {
        return Err(Failure::Unstorable(Cause::Other(
            "the batch has more than 1000 MiB, which the server does not take at once; divide it",
        )));
    }
    let statement = connection
        .prepare_cached(&sql.append)
        .await
        .map_err(Failure::before)?;
    // What is not sent is not written.
    if connection.is_closed() {
        return Err(Failure::Unavailable(Cause::Lost));
    }
    let row = connection
        .query_one(&statement, &arguments.as_params())
        .await
        .map_err(Failure::after)?;
    // From here on it is committed.
    Answer::of(&row)
        .and_then(|answer| answer.outcomes(batches))
        .map_err(|error| {
            Failure::Unknown(error.map_or(Cause::Other("the answer does not fit"), Cause::from))
        })
}

/// What `append` answered, for each part.
struct Answer {
    outcomes: Vec<i32>,
    versions: Vec<Option<i64>>,
    positions: Vec<Option<i64>>,
    known_events: Vec<Option<i32>>,
    known_categories: Vec<Option<String>>,
    known_ids: Vec<Option<String>>,
}

/// An answer that cannot be read, or that does not fit the call.
type Misread = Option<tokio_postgres::Error>;

impl Answer {
    fn of(row: &Row) -> Result<Self, Misread> {
        Ok(Self {
            outcomes: row.try_get(0).map_err(Some)?,
            versions: row.try_get(1).map_err(Some)?,
            positions: row.try_get(2).map_err(Some)?,
            known_events: row.try_get(3).map_err(Some)?,
            known_categories: row.try_get(4).map_err(Some)?,
            known_ids: row.try_get(5).map_err(Some)?,
        })
    }

    fn outcomes(&self, batches: &[&Batch]) -> Result<Vec<Outcome>, Misread> {
        let (mut part, mut event, mut outcomes) = (0, 0, Vec::with_capacity(batches.len()));
        for batch in batches {
            outcomes.push(self.outcome(batch, part, event).ok_or(None)?);
            part += batch.parts().len();
            event += batch.events().count();
        }
        Ok(outcomes)
    }

    /// The outcome of a batch whose parts and events begin at these indexes.
    fn outcome(&self, batch: &Batch, part: usize, event: usize) -> Option<Outcome> {
        let version = |index: usize| number(*self.versions.get(index)?);
        match self.outcomes.get(part)? {
            outcome @ (0 | 1) => {
                let stream = |(index, part): (usize, &StreamAppend)| {
                    Some(StreamVersion {
                        stream: part.stream.clone(),
                        version: Version(version(index)?),
                    })
                };
                let streams: Option<Vec<_>> = (part..).zip(batch.parts()).map(stream).collect();
                Some(Ok(Appended {
                    position: Position(number(*self.positions.get(part)?).unwrap_or(0)),
                    streams: streams?,
                    repeated: *outcome == 1,
                }))
            }
            2 => {
                let (index, part) = (part..)
                    .zip(batch.parts())
                    .find(|(index, _)| version(*index).is_some())?;
                Some(Err(AppendError::Conflict {
                    stream: part.stream.clone(),
                    expected: part.expected,
                    actual: Version(version(index)?),
                }))
            }
            3 => {
                let place = usize::try_from((*self.known_events.get(part)?)?).ok()?;
                let (stream, known) = batch.events().nth((place - 1).checked_sub(event)?)?;
                let category = Category::new(self.known_categories.get(part)?.as_deref()?).ok()?;
                let id = self.known_ids.get(part)?.as_deref()?;
                Some(Err(AppendError::Duplicate {
                    event: known.id,
                    stream: StreamId::in_category(category, id)
                        .ok()?
                        .in_tenant(stream.tenant().cloned()),
                    version: Version(version(part)?),
                }))
            }
            _ => None,
        }
    }
}

fn number(stored: Option<i64>) -> Option<u64> {
    u64::try_from(stored?).ok()
}
