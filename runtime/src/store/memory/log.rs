//! The events, and how they are appended.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::log::{
    AppendError, Appended, Batch, EventId, Kind, NewEvent, Position, Stats, StreamId,
    StreamVersion, TenantId, Version,
};

#[derive(Default)]
pub(super) struct Log {
    /// The event at index *i* has position *i* + 1.
    pub(super) events: Vec<Stored>,
    /// The indexes of a stream's events, in version order.
    pub(super) streams: HashMap<StreamId, Vec<usize>>,
    ids: HashMap<(Option<TenantId>, EventId), usize>,
    kinds: Kinds,
}

pub(super) struct Stored {
    pub(super) event: NewEvent,
    pub(super) metadata: String,
    pub(super) stream: StreamId,
    pub(super) kind: Arc<Kind>,
    pub(super) version: Version,
    /// The index of the first event of its batch.
    batch: usize,
}

/// Each kind once.
#[derive(Default)]
struct Kinds(HashSet<Arc<Kind>>);

impl Kinds {
    /// That of a new event.
    fn of(&mut self, stream: &StreamId, event: &NewEvent) -> Arc<Kind> {
        let kind = Arc::new(Kind {
            tenant: stream.tenant().cloned(),
            category: stream.category().clone(),
            name: event.name.as_ref().into(),
            schema_version: event.schema_version,
        });
        if let Some(known) = self.0.get(&kind) {
            return Arc::clone(known);
        }
        self.0.insert(Arc::clone(&kind));
        kind
    }
}

/// So many events of a stream, the last ones, are asked for the kind of a new one before all kinds are.
const RECENT: usize = 4;

impl Log {
    pub(super) fn version(&self, stream: &StreamId) -> Version {
        Version(self.streams.get(stream).map_or(0, Vec::len) as u64)
    }

    /// The outcome of a batch whose first known id says that it was appended before.
    fn repeated(&self, batch: &Batch) -> Option<Result<Appended, AppendError>> {
        let known = |stream: &StreamId, event: &NewEvent| {
            self.ids.get(&(stream.tenant().cloned(), event.id)).copied()
        };
        let (event, index) = batch
            .events()
            .find_map(|(stream, event)| Some((event, known(stream, event)?)))?;
        let first = self.events.get(index)?.batch;
        let earlier = self
            .events
            .iter()
            .skip(first)
            .take_while(|stored| stored.batch == first);
        let same = |stored: &Stored, (stream, event): (&StreamId, &NewEvent)| {
            stored.stream == *stream
                && stored.event.id == event.id
                && stored.event.name == event.name
                && stored.event.schema_version == event.schema_version
                && stored.event.payload == event.payload
        };
        let count = batch.events().count();
        if earlier.clone().count() != count
            || !earlier
                .clone()
                .zip(batch.events())
                .all(|(stored, new)| same(stored, new))
        {
            let holder = self.events.get(index)?;
            return Some(Err(AppendError::Duplicate {
                event: event.id,
                stream: holder.stream.clone(),
                version: holder.version,
            }));
        }
        // A part's stream ended at its last event then; a part without events only checked, and says what is there now.
        let mut versions: Vec<Version> = earlier.map(|stored| stored.version).collect();
        let mut versions = versions.drain(..);
        let streams = batch.parts().iter().map(|part| StreamVersion {
            stream: part.stream.clone(),
            version: versions
                .by_ref()
                .take(part.events.len())
                .last()
                .unwrap_or_else(|| self.version(&part.stream)),
        });
        Some(Ok(Appended {
            position: Position((first + count) as u64),
            streams: streams.collect(),
            repeated: true,
        }))
    }

    pub(super) fn append(&mut self, batch: Batch) -> Result<Appended, AppendError> {
        if let Some(outcome) = self.repeated(&batch) {
            return outcome;
        }
        self.check(&batch)?;
        let first = self.events.len();
        let mut streams = Vec::with_capacity(batch.parts().len());
        let tenant = batch.tenant().cloned();
        for part in batch.into_parts() {
            let version = self.push(&part.stream, part.events, first);
            streams.push(StreamVersion {
                stream: part.stream,
                version,
            });
        }
        let wrote = self.events.len() > first;
        Ok(Appended {
            // Without events, nothing is told of those that the tenant cannot see.
            position: self.head(if wrote { None } else { tenant.as_ref() }),
            streams,
            repeated: false,
        })
    }

    /// The position of the last event that a tenant, or who is bound to none, may see.
    pub(super) fn head(&self, tenant: Option<&TenantId>) -> Position {
        let last = self
            .events
            .iter()
            .rposition(|stored| tenant.is_none() || stored.stream.tenant() == tenant);
        last.map_or(Position::START, |index| Position(index as u64 + 1))
    }

    /// Whether each stream is where its part expects it to be, behind the parts before.
    fn check(&self, batch: &Batch) -> Result<(), AppendError> {
        let mut reached: HashMap<&StreamId, u64> = HashMap::new();
        for part in batch.parts() {
            let stream = &part.stream;
            let before = reached.get(stream).copied().unwrap_or_default();
            let actual = Version(self.version(stream).0 + before);
            if !part.expected.holds(actual) {
                return Err(AppendError::Conflict {
                    stream: stream.clone(),
                    expected: part.expected,
                    actual,
                });
            }
            // Behind a single part comes nothing.
            if batch.parts().len() > 1 {
                reached.insert(stream, before + part.events.len() as u64);
            }
        }
        Ok(())
    }

    /// Adds events to a stream, and says where it is then.
    fn push(&mut self, stream: &StreamId, events: Vec<NewEvent>, batch: usize) -> Version {
        if events.is_empty() {
            return self.version(stream);
        }
        let first = self.events.len();
        let of_stream = self.streams.entry(stream.clone()).or_default();
        let before = of_stream.len();
        of_stream.extend(first..first + events.len());
        for (index, event) in (first..).zip(events) {
            let place = before + index - first;
            let recent = of_stream[place.saturating_sub(RECENT)..place].iter().rev();
            let mut recent = recent.map(|index| &self.events[*index].kind);
            let known = recent.find(|kind| {
                kind.schema_version == event.schema_version && *kind.name == *event.name
            });
            let known = known.cloned();
            let kind = known.unwrap_or_else(|| self.kinds.of(stream, &event));
            self.ids.insert((stream.tenant().cloned(), event.id), index);
            self.events.push(Stored {
                metadata: event.metadata.to_json().unwrap_or_default(),
                event,
                stream: stream.clone(),
                kind,
                version: Version(place as u64 + 1),
                batch,
            });
        }
        Version(of_stream.len() as u64)
    }

    pub(super) fn stats(&self, tenant: Option<&TenantId>) -> Stats {
        let sees = |stream: &StreamId| tenant.is_none() || stream.tenant() == tenant;
        let mut stats = Stats {
            streams: self.streams.keys().filter(|stream| sees(stream)).count() as u64,
            ..Stats::default()
        };
        for stored in self.events.iter().filter(|stored| sees(&stored.stream)) {
            stats.events += 1;
            *stats
                .events_by_name
                .entry(stored.event.name.to_string())
                .or_default() += 1;
        }
        stats
    }
}
