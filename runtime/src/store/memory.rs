//! `memory:`, a log that ends with the process: for tests and simulations.
//!
//! One lock, a vector in position order, and two indexes: streams and event ids.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::backend::Closed;
use super::{
    Backend, BackendError, BoxFuture, Checkpoint, CheckpointError, DeadLetter, Effects, Lease,
    ProjectionKey, Replaces, StoreError, StoredSnapshot, Wakes,
};
use crate::log::{
    AppendError, Appended, Batch, Direction, EventId, Kind, NewEvent, Page, Position, Query,
    ReadError, Row, Stats, StreamId, StreamVersion, TenantId, Version,
};

const URL: &str = "memory:";

/// A log in memory: what `Store::connect("memory:")` opens. Each one is a log of its own.
///
/// ```
/// use recount::store::{MemoryBackend, Store};
///
/// let store = Store::new(MemoryBackend::new());
/// assert_eq!(store.url(), "memory:");
/// ```
pub struct MemoryBackend {
    /// `None` once it is closed.
    log: RwLock<Option<Log>>,
    wakes: Wakes,
}

/// Without the log: a handle of one tenant that stands in a message must show nothing of another's.
impl std::fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryBackend").finish_non_exhaustive()
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self {
            log: RwLock::new(Some(Log::default())),
            wakes: Wakes::new(),
        }
    }
}

#[derive(Default)]
struct Log {
    /// The event at index *i* has position *i* + 1.
    events: Vec<Stored>,
    /// The indexes of a stream's events, in version order.
    streams: HashMap<StreamId, Vec<usize>>,
    ids: HashMap<(Option<TenantId>, EventId), usize>,
    kinds: Kinds,
    snapshots: BTreeMap<StreamId, StoredSnapshot>,
    checkpoints: HashMap<CheckpointKey, Kept>,
    dead_letters: BTreeMap<(Option<TenantId>, String, u64, Position), DeadLetter>,
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

/// A projection of a tenant, in one version.
type CheckpointKey = (Option<TenantId>, String, u64);

/// A checkpoint, and who has its lease until when.
#[derive(Clone)]
struct Kept {
    checkpoint: Checkpoint,
    lease: Option<(Uuid, Instant)>,
}

struct Stored {
    event: NewEvent,
    metadata: String,
    stream: StreamId,
    kind: Arc<Kind>,
    version: Version,
    /// The index of the first event of its batch.
    batch: usize,
}

impl MemoryBackend {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the log. A writer that panicked left it whole: each write is one step at its end.
    fn look<T>(&self, look: impl FnOnce(&Log) -> T) -> Result<T, Closed> {
        let log = self.log.read().unwrap_or_else(PoisonError::into_inner);
        log.as_ref().map(look).ok_or(Closed)
    }

    fn write<T>(&self, write: impl FnOnce(&mut Log) -> T) -> Result<T, Closed> {
        let mut log = self.log.write().unwrap_or_else(PoisonError::into_inner);
        log.as_mut().map(write).ok_or(Closed)
    }
}

/// What a closed log answers to a read.
fn unreadable(closed: Closed) -> ReadError {
    ReadError::Unavailable {
        store: URL.to_owned(),
        source: BackendError::new(closed),
    }
}

/// What a closed log answers to all that is neither a read nor an append.
fn unusable(closed: Closed) -> StoreError {
    StoreError::new(URL, closed)
}

impl Log {
    fn version(&self, stream: &StreamId) -> Version {
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

    fn append(&mut self, batch: Batch) -> Result<Appended, AppendError> {
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
    fn head(&self, tenant: Option<&TenantId>) -> Position {
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

    fn read(&self, query: &Query, page: &mut Page) {
        page.clear();
        page.set_last(true);
        let limit = query.limit.map_or(query.page_size, |limit| {
            usize::try_from(limit)
                .unwrap_or(usize::MAX)
                .min(query.page_size)
        });
        // Positions that the query can reach: in a stream by its index, else by the place in the vector.
        let from = usize::try_from(query.after.0)
            .unwrap_or(usize::MAX)
            .min(self.events.len());
        let to = query.up_to.map_or(self.events.len(), |last| {
            usize::try_from(last.0)
                .unwrap_or(usize::MAX)
                .min(self.events.len())
        });
        if let Some(stream) = &query.stream {
            let all = self
                .streams
                .get(stream)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let start = all
                .partition_point(|index| *index < from)
                .max(usize::try_from(query.from_version.0.saturating_sub(1)).unwrap_or(usize::MAX));
            let end = all.partition_point(|index| *index < to);
            self.fill(
                query,
                limit,
                all.get(start..end.max(start))
                    .unwrap_or_default()
                    .iter()
                    .copied(),
                page,
            );
        } else {
            self.fill(query, limit, from..to.max(from), page);
        }
    }

    fn fill(
        &self,
        query: &Query,
        limit: usize,
        indexes: impl DoubleEndedIterator<Item = usize>,
        page: &mut Page,
    ) {
        match query.direction {
            Direction::Forwards => self.fill_in_order(query, limit, indexes, page),
            Direction::Backwards => self.fill_in_order(query, limit, indexes.rev(), page),
        }
    }

    fn fill_in_order(
        &self,
        query: &Query,
        limit: usize,
        indexes: impl Iterator<Item = usize>,
        page: &mut Page,
    ) {
        for index in indexes {
            let Some(stored) = self.events.get(index) else {
                continue;
            };
            let position = Position(index as u64 + 1);
            if !query.fits(
                &stored.stream,
                &stored.event.name,
                position,
                stored.version,
                stored.event.recorded_at,
            ) {
                continue;
            }
            if page.is_full(limit) {
                page.set_last(false);
                return;
            }
            page.push(
                &stored.kind,
                Row {
                    position,
                    version: stored.version,
                    id: stored.event.id,
                    recorded_at: stored.event.recorded_at.timestamp_micros(),
                    stream: stored.stream.id(),
                    metadata: &stored.metadata,
                    payload: &stored.event.payload,
                },
            );
        }
    }

    fn stats(&self, tenant: Option<&TenantId>) -> Stats {
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

impl Log {
    fn snapshot(&self, stream: &StreamId, fingerprint: u64) -> Option<&StoredSnapshot> {
        self.snapshots
            .get(stream)
            .filter(|snapshot| snapshot.fingerprint == fingerprint)
    }

    fn save_snapshot(&mut self, stream: &StreamId, snapshot: StoredSnapshot) {
        let kept = self.snapshot(stream, snapshot.fingerprint);
        if kept.is_none_or(|kept| kept.version < snapshot.version) {
            self.snapshots.insert(stream.clone(), snapshot);
        }
    }

    fn delete_snapshots(&mut self, tenant: Option<&TenantId>, category: Option<&str>) -> u64 {
        let before = self.snapshots.len();
        self.snapshots.retain(|stream, _| {
            tenant.is_some_and(|tenant| stream.tenant() != Some(tenant))
                || category.is_some_and(|category| stream.category().as_str() != category)
        });
        (before - self.snapshots.len()) as u64
    }

    fn save_checkpoint(
        &mut self,
        key: CheckpointKey,
        checkpoint: Checkpoint,
        effects: Effects,
    ) -> Result<u64, CheckpointError> {
        let expected = checkpoint.revision;
        let kept = self.checkpoints.get(&key);
        let actual = kept.map_or(0, |kept| kept.checkpoint.revision);
        let projection = ProjectionKey {
            name: &key.1,
            fingerprint: key.2,
        };
        let projection = || projection.to_string();
        if expected != actual {
            return Err(CheckpointError::Moved {
                projection: projection(),
                expected,
                actual,
            });
        }
        if !effects.sql.is_empty() {
            return Err(CheckpointError::NoTables {
                projection: projection(),
                store: URL.to_owned(),
            });
        }
        let (tenant, name, fingerprint) = key.clone();
        let letter = |position| (tenant.clone(), name.clone(), fingerprint, position);
        for position in effects.settled {
            self.dead_letters.remove(&letter(position));
        }
        for dead in effects.set_aside {
            self.dead_letters.insert(letter(dead.position), dead);
        }
        let ends = |(of, named, other): (&Option<TenantId>, &String, u64)| {
            *of == tenant
                && *named == name
                && match effects.replaces {
                    Replaces::Nothing => false,
                    Replaces::Version(version) => other == version,
                    Replaces::Others => other != fingerprint,
                }
        };
        self.checkpoints
            .retain(|(of, named, other), _| !ends((of, named, *other)));
        self.dead_letters
            .retain(|(of, named, other, _), _| !ends((of, named, *other)));
        let lease = kept_lease(self.checkpoints.get(&key));
        let revision = actual + 1;
        let checkpoint = Checkpoint {
            revision,
            ..checkpoint
        };
        self.checkpoints.insert(key, Kept { checkpoint, lease });
        Ok(revision)
    }

    fn lease(&mut self, key: CheckpointKey, holder: Uuid, time: Duration) -> Lease {
        let now = Instant::now();
        let kept = self.checkpoints.entry(key).or_insert_with(|| Kept {
            checkpoint: Checkpoint {
                revision: 0,
                position: Position::START,
                state: None,
            },
            lease: None,
        });
        let had_by = kept.lease.map(|(by, _)| by);
        let is_held = match kept.lease {
            Some((by, until)) => by == holder || until <= now,
            None => true,
        };
        if is_held {
            kept.checkpoint.revision += u64::from(had_by != Some(holder));
            // Longer than a clock can tell is for ever, which a hundred years are.
            let until = now.checked_add(time).unwrap_or(now + CENTURY);
            kept.lease = Some((holder, until));
        }
        Lease {
            is_held,
            revision: kept.checkpoint.revision,
            position: kept.checkpoint.position,
        }
    }

    fn dead_letters(&self, tenant: Option<&TenantId>, projection: &str) -> Vec<DeadLetter> {
        let letters = self.dead_letters.iter();
        letters
            .filter(|((of, name, ..), _)| of.as_ref() == tenant && name == projection)
            .map(|(_, letter)| letter.clone())
            .collect()
    }
}

const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);

fn kept_lease(kept: Option<&Kept>) -> Option<(Uuid, Instant)> {
    kept.and_then(|kept| kept.lease)
}

fn checkpoint_key(tenant: Option<&TenantId>, projection: ProjectionKey<'_>) -> CheckpointKey {
    (
        tenant.cloned(),
        projection.name.to_owned(),
        projection.fingerprint,
    )
}

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Backend for MemoryBackend {
    fn url(&self) -> &str {
        URL
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Appended, AppendError>> {
        let outcome = self
            .write(|log| log.append(batch))
            .unwrap_or_else(|closed| {
                Err(AppendError::Unavailable {
                    store: URL.to_owned(),
                    source: BackendError::new(closed),
                })
            });
        // What is not locked any more can be read.
        if outcome.as_ref().is_ok_and(|appended| !appended.repeated) {
            self.wakes.wake();
        }
        ready(outcome)
    }

    fn read<'a>(
        &'a self,
        query: &'a Query,
        page: &'a mut Page,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        ready(self.look(|log| log.read(query, page)).map_err(unreadable))
    }

    fn version<'a>(&'a self, stream: &'a StreamId) -> BoxFuture<'a, Result<Version, ReadError>> {
        ready(self.look(|log| log.version(stream)).map_err(unreadable))
    }

    fn head<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Position, ReadError>> {
        ready(self.look(|log| log.head(tenant)).map_err(unreadable))
    }

    fn stats<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Stats, StoreError>> {
        ready(self.look(|log| log.stats(tenant)).map_err(unusable))
    }

    fn snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        fingerprint: u64,
    ) -> BoxFuture<'a, Result<Option<StoredSnapshot>, StoreError>> {
        let find = |log: &Log| log.snapshot(stream, fingerprint).cloned();
        ready(self.look(find).map_err(unusable))
    }

    fn save_snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        snapshot: StoredSnapshot,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let save = |log: &mut Log| log.save_snapshot(stream, snapshot);
        ready(self.write(save).map_err(unusable))
    }

    fn delete_snapshots<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        category: Option<&'a str>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        let delete = |log: &mut Log| log.delete_snapshots(tenant, category);
        ready(self.write(delete).map_err(unusable))
    }

    fn checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, StoreError>> {
        let key = checkpoint_key(tenant, projection);
        let find = |log: &Log| {
            log.checkpoints
                .get(&key)
                .map(|kept| kept.checkpoint.clone())
        };
        ready(self.look(find).map_err(unusable))
    }

    fn save_checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        checkpoint: Checkpoint,
        effects: Effects,
    ) -> BoxFuture<'a, Result<u64, CheckpointError>> {
        let key = checkpoint_key(tenant, projection);
        let outcome = self
            .write(|log| log.save_checkpoint(key, checkpoint, effects))
            .unwrap_or_else(|closed| Err(unusable(closed).into()));
        ready(outcome)
    }

    fn lease<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        holder: Uuid,
        time: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        let key = checkpoint_key(tenant, projection);
        let lease = |log: &mut Log| log.lease(key, holder, time);
        ready(self.write(lease).map_err(unusable))
    }

    fn dead_letters<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: &'a str,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, StoreError>> {
        let list = |log: &Log| log.dead_letters(tenant, projection);
        ready(self.look(list).map_err(unusable))
    }

    fn wakes(&self) -> &Wakes {
        &self.wakes
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let mut log = self.log.write().unwrap_or_else(PoisonError::into_inner);
        *log = None;
        drop(log);
        self.wakes.close();
        ready(Ok(()))
    }
}
