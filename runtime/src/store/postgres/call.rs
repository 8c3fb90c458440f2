//! Several batches as the arguments of one call of `append`, and its answer.

use std::collections::{HashMap, HashSet};
use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use sha2::{Digest as _, Sha256};
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::names::Names;
use super::seen::Seen;
use crate::log::{
    Appended, Batch, EventId, Expected, Position, StreamAppend, StreamId, StreamVersion, TenantId,
    Version,
};

/// What a stream is found by: `stream` in schema.sql.
pub(super) fn stream_key(stream: &StreamId) -> Uuid {
    let mut digest = Sha256::new();
    digest.update(stream.tenant().map_or("", TenantId::as_str));
    digest.update([0]);
    digest.update(stream.category().as_str());
    digest.update([0]);
    digest.update(stream.id());
    let digest: [u8; 32] = digest.finalize().into();
    let (key, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
    Uuid::from_bytes(*key)
}

/// The 48 bits of a stream that its lock is what by. Two streams that share them wait for one another, and that is all.
pub(super) fn lock_of(key: Uuid) -> i64 {
    (key.as_u128() >> 80) as i64
}

/// How many things in memory: far fewer than the server can count.
fn count(things: usize) -> i64 {
    i64::try_from(things).unwrap_or(i64::MAX)
}

/// What a stream must be like before a call, as `append` is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Any,
    Exists,
    At(i64),
}

impl Before {
    /// What an expectation means for the stream before a call that puts so many events in front; `None` when it cannot be met.
    pub(super) fn of(expected: Expected, in_front: i64) -> Option<Self> {
        let at = match expected {
            Expected::Any => return Some(Self::Any),
            Expected::StreamExists if in_front > 0 => return Some(Self::Any),
            Expected::StreamExists => return Some(Self::Exists),
            Expected::NoStream => 0,
            // A version above what the server can hold stands for the greatest; none is ever reached.
            Expected::Version(version) => i64::try_from(version.0).unwrap_or(i64::MAX),
        };
        (at >= in_front).then_some(Self::At(at - in_front))
    }

    fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Exists, Self::At(0)) | (Self::At(0), Self::Exists) => None,
            (Self::Any | Self::Exists, Self::At(at)) | (Self::At(at), Self::Any | Self::Exists) => {
                Some(Self::At(at))
            }
            (Self::At(one), Self::At(other)) => (one == other).then_some(Self::At(one)),
            (Self::Any, Self::Any) => Some(Self::Any),
            (Self::Any | Self::Exists, Self::Any | Self::Exists) => Some(Self::Exists),
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::Any => -1,
            Self::Exists => -2,
            Self::At(version) => version,
        }
    }
}

/// One stream of a call.
#[derive(Debug)]
struct Stream {
    key: Uuid,
    before: Before,
    events: i64,
}

/// Batches that can be written together, because each may get what it expects when all before it do, and no two share an id.
#[derive(Debug, Default)]
pub(super) struct Call<'a> {
    pub(super) batches: Vec<&'a Batch>,
    streams: Vec<Stream>,
    places: HashMap<&'a StreamId, usize>,
    ids: HashSet<EventId>,
    events: usize,
}

impl<'a> Call<'a> {
    /// One that is about to take so many batches.
    pub(super) fn of(batches: usize) -> Self {
        Self {
            batches: Vec::with_capacity(batches),
            streams: Vec::with_capacity(batches),
            places: HashMap::with_capacity(batches),
            ids: HashSet::with_capacity(batches),
            events: 0,
        }
    }

    /// Takes a batch, unless it cannot be written together with those that are there.
    pub(super) fn take(&mut self, batch: &'a Batch) -> bool {
        let mut events = batch.events();
        let fits = self.batches.is_empty()
            || !events.any(|(_, event)| self.ids.contains(&event.id)) && self.may_fit(batch);
        if fits {
            self.add(batch);
        }
        fits
    }

    /// Takes a batch that is only asked about.
    pub(super) fn add(&mut self, batch: &'a Batch) {
        let mut batch_events = 0;
        for part in batch.parts() {
            let next = self.streams.len();
            let place = *self.places.entry(&part.stream).or_insert(next);
            if place == next {
                self.streams.push(Stream {
                    key: stream_key(&part.stream),
                    before: Before::Any,
                    events: 0,
                });
            }
            if let Some(stream) = self.streams.get_mut(place) {
                let before = Before::of(part.expected, stream.events);
                // Alone, a batch whose parts contradict one another is refused by a version that no stream has.
                stream.before = before
                    .and_then(|before| stream.before.and(before))
                    .unwrap_or(Before::At(i64::MAX));
                stream.events += count(part.events.len());
            }
            batch_events += part.events.len();
            self.ids.extend(part.events.iter().map(|event| event.id));
        }
        self.events += batch_events;
        self.batches.push(batch);
    }

    /// Whether a batch may get what it expects after those that are there.
    fn may_fit(&self, batch: &Batch) -> bool {
        let there = |part: &StreamAppend| {
            let place = self.places.get(&part.stream);
            let stream = place.and_then(|place| self.streams.get(*place));
            stream.map_or((Before::Any, 0), |stream| (stream.before, stream.events))
        };
        let both = |(before, events): (Before, i64), part: &StreamAppend| {
            Before::of(part.expected, events).and_then(|wanted| before.and(wanted))
        };
        if let [part] = batch.parts() {
            return both(there(part), part).is_some();
        }
        let mut more: HashMap<&StreamId, (Before, i64)> = HashMap::new();
        batch.parts().iter().all(|part| {
            let stream = more.entry(&part.stream).or_insert_with(|| there(part));
            let fits = both(*stream, part);
            stream.1 += count(part.events.len());
            fits.inspect(|both| stream.0 = *both).is_some()
        })
    }

    fn place(&self, part: &StreamAppend) -> usize {
        self.places.get(&part.stream).copied().unwrap_or_default()
    }

    /// The versions of the streams that need not be looked for, since it is known that they have at least the events that they are
    /// expected to have, and the index would say so if they had more: events are written to them.
    pub(super) fn seen(&self, seen: &Seen) -> Vec<Option<i64>> {
        let expected = self.streams.iter().map(|stream| match stream.before {
            Before::At(version) if stream.events > 0 => (stream.key, version),
            _ => (stream.key, i64::MAX),
        });
        let known = seen.have(expected).zip(&self.streams);
        known
            .map(|(known, stream)| known.then(|| stream.before.number()))
            .collect()
    }

    /// What can be remembered of the streams, when they were at these versions and the events written or not.
    pub(super) fn reached(
        &self,
        versions: &[i64],
        written: bool,
    ) -> impl Iterator<Item = (Uuid, i64)> {
        let streams = self.streams.iter().zip(versions.to_vec());
        streams.map(move |(stream, version)| {
            (stream.key, version + i64::from(written) * stream.events)
        })
    }

    pub(super) fn keys(&self) -> Vec<Uuid> {
        self.streams.iter().map(|stream| stream.key).collect()
    }

    pub(super) fn locks(&self) -> Vec<i64> {
        let mut locks: Vec<i64> = self
            .streams
            .iter()
            .map(|stream| lock_of(stream.key))
            .collect();
        locks.sort_unstable();
        locks.dedup();
        locks
    }

    pub(super) fn expected(&self) -> Vec<i64> {
        self.streams
            .iter()
            .map(|stream| stream.before.number())
            .collect()
    }

    /// The events as the server takes them; `None` when a number is missing, which [`Names::learn`] gets.
    pub(super) fn events(&self, names: &Names) -> Option<Events<'a>> {
        let (known, mut key) = (names.known(), Vec::new());
        let (mut ordinals, mut last) = (vec![0; self.streams.len()], None);
        let mut events = Vec::with_capacity(self.events);
        for batch in &self.batches {
            let first = batch
                .events()
                .next()
                .map_or(Uuid::nil(), |(_, event)| event.id.0);
            let mut left = batch.events().count();
            for part in batch.parts() {
                let place = self.place(part);
                if part.events.is_empty() {
                    continue;
                }
                let tenant = known.tenant(part.stream.tenant())?;
                for event in &part.events {
                    let ordinal = ordinals.get_mut(place)?;
                    *ordinal += 1;
                    left -= 1;
                    // One kind often follows another of its own.
                    let what = (
                        tenant,
                        part.stream.category(),
                        &event.name,
                        event.schema_version,
                    );
                    let kind = match last {
                        Some((same, kind)) if same == what => kind,
                        _ => known.kind(&mut key, tenant, &part.stream, event)?,
                    };
                    last = Some((what, kind));
                    events.push(NewEvent {
                        stream: i32::try_from(place + 1).ok()?,
                        ordinal: *ordinal,
                        recorded_at: event.recorded_at.timestamp_micros(),
                        kind,
                        tenant,
                        batch_left: i32::try_from(left).ok()?,
                        id: event.id.0,
                        batch: first,
                        stream_id: part.stream.id(),
                        metadata: event.metadata.to_json(),
                        payload: &event.payload,
                    });
                }
            }
        }
        Some(Events(events))
    }

    /// What the server answered: the versions of the streams before the call, and behind them the positions of the events, if they
    /// were written.
    pub(super) fn answer<'n>(&self, numbers: &'n [i64]) -> Option<Answer<'n>> {
        let (versions, positions) = numbers.split_at_checked(self.streams.len())?;
        match positions.len() {
            0 if self.events > 0 || self.misfits(versions).iter().any(Option::is_some) => {
                Some(Answer::Refused(versions))
            }
            written if written == self.events => Some(Answer::Written {
                versions,
                positions,
            }),
            _ => None,
        }
    }

    /// What each batch came to when all were written.
    pub(super) fn written(&self, versions: &[i64], positions: &[i64]) -> Option<Vec<Appended>> {
        let (mut reached, mut events) = (versions.to_vec(), 0);
        let mut outcomes = Vec::with_capacity(self.batches.len());
        for batch in &self.batches {
            let mut streams = Vec::with_capacity(batch.parts().len());
            let first = events;
            for part in batch.parts() {
                let version = reached.get_mut(self.place(part))?;
                *version += count(part.events.len());
                events += part.events.len();
                streams.push(StreamVersion {
                    stream: part.stream.clone(),
                    version: Version(u64::try_from(*version).ok()?),
                });
            }
            let position = if events > first {
                u64::try_from(*positions.get(events - 1)?).ok()?
            } else {
                0
            };
            outcomes.push(Appended {
                position: Position(position),
                streams,
                repeated: false,
            });
        }
        Some(outcomes)
    }

    /// For each batch the part whose expectation does not hold, and the version that its stream has, when the streams were at these
    /// versions and all that fit are written.
    pub(super) fn misfits(&self, versions: &[i64]) -> Vec<Option<Misfit<'a>>> {
        let mut reached = versions.to_vec();
        let misfit = |batch: &&'a Batch| {
            let before = reached.clone();
            for part in batch.parts() {
                let version = reached.get_mut(self.place(part))?;
                let actual = Version(u64::try_from(*version).unwrap_or(0));
                if !part.expected.holds(actual) {
                    let place = self.place(part);
                    let behind_others = before.get(place) != versions.get(place);
                    reached = before;
                    return Some(Misfit {
                        part,
                        actual,
                        behind_others,
                    });
                }
                *version += count(part.events.len());
            }
            None
        };
        self.batches.iter().map(misfit).collect()
    }
}

/// Why a batch cannot be written.
#[derive(Debug)]
pub(super) struct Misfit<'a> {
    /// The part whose expectation does not hold.
    pub(super) part: &'a StreamAppend,
    /// The version of its stream.
    pub(super) actual: Version,
    /// That version counts events of other batches of the call, which are not written yet, and may never be.
    pub(super) behind_others: bool,
}

/// What a call came to.
#[derive(Debug)]
pub(super) enum Answer<'n> {
    /// Everything was written.
    Written {
        versions: &'n [i64],
        positions: &'n [i64],
    },
    /// Nothing was written, since not all streams were as expected.
    Refused(&'n [i64]),
}

/// `new_event` in schema.sql.
#[derive(Debug)]
struct NewEvent<'a> {
    stream: i32,
    ordinal: i32,
    recorded_at: i64,
    kind: i32,
    tenant: i32,
    batch_left: i32,
    id: Uuid,
    batch: Uuid,
    stream_id: &'a str,
    metadata: Option<String>,
    payload: &'a [u8],
}

/// An array of events in the server's binary format: one value, since each array among the arguments costs as much as ten events.
#[derive(Debug)]
pub(super) struct Events<'a>(Vec<NewEvent<'a>>);

impl Events<'_> {
    /// About how many bytes they have.
    pub(super) fn bytes(&self) -> usize {
        let of_event = |event: &NewEvent<'_>| {
            let metadata = event.metadata.as_ref().map_or(0, String::len);
            // Times, numbers and the lengths of it all.
            128 + event.stream_id.len() + metadata + event.payload.len()
        };
        self.0.iter().map(of_event).sum()
    }
}

type Encoded = Result<IsNull, Box<dyn Error + Sync + Send>>;

/// A length as the format has it.
fn length(bytes: usize) -> Result<i32, Box<dyn Error + Sync + Send>> {
    i32::try_from(bytes).map_err(|_| "more than the server takes at once".into())
}

/// Writes what `write` writes behind its length.
fn sized(
    out: &mut BytesMut,
    write: impl FnOnce(&mut BytesMut) -> Result<(), Box<dyn Error + Sync + Send>>,
) -> Result<(), Box<dyn Error + Sync + Send>> {
    let start = out.len();
    out.put_i32(0);
    write(out)?;
    let size = length(out.len() - start - 4)?;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
    Ok(())
}

/// Writes one column of a row.
fn column(
    out: &mut BytesMut,
    ty: &Type,
    value: Option<&[u8]>,
) -> Result<(), Box<dyn Error + Sync + Send>> {
    out.put_u32(ty.oid());
    match value {
        Some(value) => {
            out.put_i32(length(value.len())?);
            out.put_slice(value);
        }
        None => out.put_i32(-1),
    }
    Ok(())
}

impl NewEvent<'_> {
    fn write(&self, out: &mut BytesMut) -> Result<(), Box<dyn Error + Sync + Send>> {
        out.put_i32(11);
        column(out, &Type::INT4, Some(&self.stream.to_be_bytes()))?;
        column(out, &Type::INT4, Some(&self.ordinal.to_be_bytes()))?;
        column(out, &Type::INT8, Some(&self.recorded_at.to_be_bytes()))?;
        column(out, &Type::INT4, Some(&self.kind.to_be_bytes()))?;
        column(out, &Type::INT4, Some(&self.tenant.to_be_bytes()))?;
        column(out, &Type::INT4, Some(&self.batch_left.to_be_bytes()))?;
        column(out, &Type::UUID, Some(self.id.as_bytes()))?;
        column(out, &Type::UUID, Some(self.batch.as_bytes()))?;
        column(out, &Type::TEXT, Some(self.stream_id.as_bytes()))?;
        column(
            out,
            &Type::TEXT,
            self.metadata.as_deref().map(str::as_bytes),
        )?;
        column(out, &Type::JSON, Some(self.payload))
    }
}

impl ToSql for Events<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Encoded {
        let Kind::Array(row) = ty.kind() else {
            return Err("not an array".into());
        };
        // One dimension, without NULL, counted from 1.
        out.put_i32(i32::from(!self.0.is_empty()));
        out.put_i32(0);
        out.put_u32(row.oid());
        if !self.0.is_empty() {
            out.put_i32(length(self.0.len())?);
            out.put_i32(1);
        }
        for event in &self.0 {
            sized(out, |out| event.write(out))?;
        }
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(ty.kind(), Kind::Array(row) if matches!(row.kind(), Kind::Composite(_)))
    }

    to_sql_checked!();
}
