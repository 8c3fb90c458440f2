//! One event behind a version that was seen: the most frequent append, as one plain `INSERT`.
//!
//! The server waits while this is made ready, and it is made ready anew for each append, so it takes nothing that can be done without.

use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::call::{Before, lock_of, stream_key};
use super::names::Names;
use super::seen::{Seen, Source};
use crate::log::{Appended, Batch, NewEvent, Position, StreamAppend, StreamVersion, Version};

/// A batch of one event whose stream is known to have at least the version that it is expected to have.
pub(super) struct Lone<'a> {
    part: &'a StreamAppend,
    event: &'a NewEvent,
    pub(super) key: Uuid,
    /// The version that the event gets.
    pub(super) version: i64,
    /// Who said that the stream has the version before it.
    pub(super) source: Source,
}

impl<'a> Lone<'a> {
    /// The batch, if it is such a one.
    pub(super) fn of(batch: &'a Batch, seen: &Seen) -> Option<Self> {
        let [part] = batch.parts() else {
            return None;
        };
        let [event] = part.events.as_slice() else {
            return None;
        };
        let Some(Before::At(version)) = Before::of(part.expected, 0) else {
            return None;
        };
        let key = stream_key(&part.stream);
        Some(Self {
            part,
            event,
            key,
            version: version.checked_add(1)?,
            source: seen.has(key, version)?,
        })
    }

    /// What `append_one` takes; `None` when a number is missing, which [`Names::learn`] gets.
    pub(super) fn values(&self, names: &Names) -> Option<Values<'_>> {
        let (stream, event) = (&self.part.stream, self.event);
        let (tenant, kind) = {
            let (known, mut key) = (names.known(), Vec::new());
            let tenant = known.tenant(stream.tenant())?;
            (tenant, known.kind(&mut key, tenant, stream, event)?)
        };
        Some(Values {
            lone: self,
            lock: lock_of(self.key),
            recorded_at: event.recorded_at.timestamp_micros(),
            kind,
            tenant,
            stream_id: stream.id(),
            metadata: event.metadata.to_json(),
            payload: Json(&event.payload),
        })
    }

    /// What the batch came to when it was written at this position; `None` when that is none.
    pub(super) fn written(&self, position: i64) -> Option<Appended> {
        let version = Version(u64::try_from(self.version).ok()?);
        Some(Appended {
            position: Position(u64::try_from(position).ok()?),
            streams: vec![StreamVersion {
                stream: self.part.stream.clone(),
                version,
            }],
            repeated: false,
        })
    }
}

/// The event as the arguments of the statement.
pub(super) struct Values<'a> {
    lone: &'a Lone<'a>,
    lock: i64,
    recorded_at: i64,
    kind: i32,
    tenant: i32,
    stream_id: &'a str,
    metadata: Option<String>,
    payload: Json<'a>,
}

impl Values<'_> {
    pub(super) fn params(&self) -> [&(dyn ToSql + Sync); 10] {
        [
            &self.lone.key,
            &self.lone.version,
            &self.recorded_at,
            &self.kind,
            &self.tenant,
            &self.lone.event.id.0,
            &self.stream_id,
            &self.metadata,
            &self.payload,
            &self.lock,
        ]
    }

    /// About how many bytes they have.
    pub(super) fn bytes(&self) -> usize {
        let metadata = self.metadata.as_ref().map_or(0, String::len);
        128 + self.stream_id.len() + metadata + self.payload.0.len()
    }
}

/// A payload, byte by byte.
#[derive(Debug)]
struct Json<'a>(&'a [u8]);

impl ToSql for Json<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_slice(self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSON
    }

    to_sql_checked!();
}
