//! A backend of another crate: a log in a `Vec` under a lock, written with what is public and nothing else.
//!
//! Every question is answered by going through all events. `MemoryBackend` answers the same with indexes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use recount::log::{
    AppendError, Appended, Batch, Direction, Kind, NewEvent, Page, Position, Query, ReadError, Row,
    Stats, StreamId, StreamVersion, TenantId, Version,
};
use recount::store::{
    Backend, BackendError, BoxFuture, Checkpoint, CheckpointError, DeadLetter, Effects, Lease,
    ProjectionKey, Replaces, Store, StoreError, StoredSnapshot,
};
use uuid::Uuid;

pub async fn empty() -> Store {
    Store::new(Plain(Mutex::new(Some(Log::default()))))
}

recount::testing::store_contract!(empty);

/// `None` once it is closed.
#[derive(Debug)]
struct Plain(Mutex<Option<Log>>);

#[derive(Debug, Default)]
struct Log {
    /// The event at index *i* has position *i* + 1.
    events: Vec<Stored>,
    snapshots: HashMap<StreamId, StoredSnapshot>,
    checkpoints: HashMap<Key, Checkpoint>,
    leases: HashMap<Key, (Uuid, Instant)>,
    dead_letters: Vec<(Key, DeadLetter)>,
}

#[derive(Debug)]
struct Stored {
    stream: StreamId,
    version: Version,
    event: NewEvent,
    kind: Arc<Kind>,
    metadata: String,
    /// The index of the first event of its batch.
    batch: usize,
}

/// Whether a handle that is bound to this tenant, or to none, sees a stream.
fn sees(tenant: Option<&TenantId>, stream: &StreamId) -> bool {
    tenant.is_none() || stream.tenant() == tenant
}

impl Log {
    fn version(&self, stream: &StreamId) -> Version {
        let last = self.events.iter().rfind(|known| known.stream == *stream);
        last.map_or(Version::NONE, |known| known.version)
    }

    fn head(&self, tenant: Option<&TenantId>) -> Position {
        let mut events = self.events.iter();
        let last = events.rposition(|known| sees(tenant, &known.stream));
        Position(last.map_or(0, |index| index as u64 + 1))
    }

    /// The event that a new one has the id of. The tenant meant is the stream's, whoever appends.
    fn known(&self, stream: &StreamId, event: &NewEvent) -> Option<&Stored> {
        let mut events = self.events.iter();
        events.find(|known| known.event.id == event.id && known.stream.tenant() == stream.tenant())
    }

    fn append(&mut self, batch: &Batch) -> Result<Appended, AppendError> {
        let mut events = batch.events();
        if let Some(known) = events.find_map(|(stream, event)| self.known(stream, event)) {
            return self
                .repeated(batch, known.batch)
                .ok_or_else(|| AppendError::Duplicate {
                    event: known.event.id,
                    stream: known.stream.clone(),
                    version: known.version,
                });
        }
        let first = self.events.len();
        let mut streams = Vec::new();
        for part in batch.parts() {
            let actual = self.version(&part.stream);
            if !part.expected.holds(actual) {
                self.events.truncate(first);
                return Err(AppendError::Conflict {
                    stream: part.stream.clone(),
                    expected: part.expected,
                    actual,
                });
            }
            for (event, number) in part.events.iter().zip(1..) {
                self.events.push(Stored {
                    stream: part.stream.clone(),
                    version: Version(actual.0 + number),
                    kind: Arc::new(Kind {
                        tenant: part.stream.tenant().cloned(),
                        category: part.stream.category().clone(),
                        name: event.name.as_ref().into(),
                        schema_version: event.schema_version,
                    }),
                    metadata: event.metadata.to_json().unwrap_or_default(),
                    event: event.clone(),
                    batch: first,
                });
            }
            streams.push(StreamVersion {
                stream: part.stream.clone(),
                version: self.version(&part.stream),
            });
        }
        let wrote = self.events.len() > first;
        Ok(Appended {
            position: self.head(batch.tenant().filter(|_| !wrote)),
            streams,
            repeated: false,
        })
    }

    /// What is answered to a batch that is the one which begins at an index, if it is.
    fn repeated(&self, batch: &Batch, first: usize) -> Option<Appended> {
        let stored = || {
            let rest = self.events[first..].iter();
            rest.take_while(|stored| stored.batch == first)
        };
        let told = |stream: &StreamId, event: &NewEvent| {
            let NewEvent {
                id,
                name,
                schema_version,
                payload,
                ..
            } = event.clone();
            (stream.clone(), id, name, schema_version, payload)
        };
        let same = batch
            .events()
            .map(|(stream, event)| told(stream, event))
            .eq(stored().map(|stored| told(&stored.stream, &stored.event)));
        let mut versions = stored().map(|stored| stored.version);
        let streams = batch.parts().iter().map(|part| StreamVersion {
            stream: part.stream.clone(),
            version: versions
                .by_ref()
                .take(part.events.len())
                .last()
                .unwrap_or_else(|| self.version(&part.stream)),
        });
        same.then(|| Appended {
            position: Position((first + stored().count()) as u64),
            streams: streams.collect(),
            repeated: true,
        })
    }

    fn read(&self, query: &Query, page: &mut Page) {
        let all = (1..).map(Position).zip(&self.events);
        let mut found: Vec<_> = all
            .filter(|(position, stored)| {
                let Stored {
                    stream,
                    event,
                    version,
                    ..
                } = stored;
                query.fits(stream, &event.name, *position, *version, event.recorded_at)
            })
            .collect();
        if query.direction == Direction::Backwards {
            found.reverse();
        }
        for (position, stored) in found {
            if page.is_full(query.page_size)
                || query.limit.is_some_and(|left| page.len() as u64 >= left)
            {
                return;
            }
            let row = Row {
                position,
                version: stored.version,
                id: stored.event.id,
                recorded_at: stored.event.recorded_at.timestamp_micros(),
                stream: stored.stream.id(),
                metadata: &stored.metadata,
                payload: &stored.event.payload,
            };
            page.push(&stored.kind, row);
        }
        page.set_last(true);
    }

    fn stats(&self, tenant: Option<&TenantId>) -> Stats {
        let mut stats = Stats::default();
        for stored in self
            .events
            .iter()
            .filter(|stored| sees(tenant, &stored.stream))
        {
            stats.events += 1;
            stats.streams += u64::from(stored.version == Version(1));
            *stats
                .events_by_name
                .entry(stored.event.name.to_string())
                .or_default() += 1;
        }
        stats
    }

    fn save_snapshot(&mut self, stream: &StreamId, snapshot: StoredSnapshot) {
        let newer = |kept: &StoredSnapshot| {
            kept.fingerprint == snapshot.fingerprint && kept.version >= snapshot.version
        };
        if !self.snapshots.get(stream).is_some_and(newer) {
            self.snapshots.insert(stream.clone(), snapshot);
        }
    }

    fn delete_snapshots(&mut self, tenant: Option<&TenantId>, category: Option<&str>) -> u64 {
        let before = self.snapshots.len();
        self.snapshots.retain(|stream, _| {
            !sees(tenant, stream) || category.is_some_and(|name| stream.category().as_str() != name)
        });
        (before - self.snapshots.len()) as u64
    }

    fn save_checkpoint(
        &mut self,
        key: Key,
        checkpoint: Checkpoint,
        effects: Effects,
    ) -> Result<u64, CheckpointError> {
        let (expected, (tenant, name, fingerprint)) = (checkpoint.revision, key.clone());
        let projection = ProjectionKey {
            name: &name,
            fingerprint,
        }
        .to_string();
        let actual = self.checkpoints.get(&key).map_or(0, |kept| kept.revision);
        if expected != actual {
            return Err(CheckpointError::Moved {
                projection,
                expected,
                actual,
            });
        }
        if !effects.sql.is_empty() {
            let store = Plain::URL.to_owned();
            return Err(CheckpointError::NoTables { projection, store });
        }
        let ends = |of: &Key| match effects.replaces {
            Replaces::Version(version) => *of == (tenant.clone(), name.clone(), version),
            Replaces::Others => (&of.0, &of.1) == (&tenant, &name) && of.2 != fingerprint,
            _ => false,
        };
        self.checkpoints.retain(|of, _| !ends(of));
        self.leases.retain(|of, _| !ends(of));
        let settled = |letter: &DeadLetter| effects.settled.contains(&letter.position);
        let replaced = |letter: &DeadLetter| {
            let mut new = effects.set_aside.iter();
            new.any(|new| new.position == letter.position)
        };
        self.dead_letters.retain(|(of, letter)| {
            !ends(of) && (*of != key || !settled(letter) && !replaced(letter))
        });
        let new = effects.set_aside.into_iter();
        self.dead_letters
            .extend(new.map(|letter| (key.clone(), letter)));
        self.dead_letters
            .sort_by_key(|(of, letter)| (of.2, letter.position));
        let revision = actual + 1;
        self.checkpoints.insert(
            key,
            Checkpoint {
                revision,
                ..checkpoint
            },
        );
        Ok(revision)
    }

    fn lease(&mut self, key: Key, holder: Uuid, time: Duration) -> Lease {
        let now = Instant::now();
        let had = self.leases.get(&key).copied();
        let is_held = had.is_none_or(|(by, until)| by == holder || until <= now);
        let kept = self.checkpoints.entry(key.clone()).or_insert(Checkpoint {
            revision: 0,
            position: Position::START,
            state: None,
        });
        if is_held {
            kept.revision += u64::from(had.is_none_or(|(by, _)| by != holder));
            self.leases.insert(key, (holder, now + time));
        }
        Lease {
            is_held,
            revision: kept.revision,
            position: kept.position,
        }
    }
}

/// A projection of a tenant, in one version.
type Key = (Option<TenantId>, String, u64);

fn key(tenant: Option<&TenantId>, projection: ProjectionKey<'_>) -> Key {
    let name = projection.name.to_owned();
    (tenant.cloned(), name, projection.fingerprint)
}

impl Plain {
    const URL: &str = "plain:";

    /// Does something with the log; nothing waits, so a call whose future is dropped was done or not begun.
    fn with<T>(&self, work: impl FnOnce(&mut Log) -> T) -> Result<T, BackendError> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.as_mut()
            .map(work)
            .ok_or_else(|| BackendError::new("it is closed"))
    }

    fn look<T>(&self, work: impl FnOnce(&mut Log) -> T) -> Result<T, ReadError> {
        let store = Self::URL.to_owned();
        self.with(work)
            .map_err(|source| ReadError::Unavailable { store, source })
    }

    fn use_it<T>(&self, work: impl FnOnce(&mut Log) -> T) -> Result<T, StoreError> {
        self.with(work)
            .map_err(|source| StoreError::new(Self::URL, source))
    }
}

impl Backend for Plain {
    fn url(&self) -> &str {
        Self::URL
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            let store = Self::URL.to_owned();
            self.with(|log| log.append(&batch))
                .map_err(|source| AppendError::Unavailable { store, source })?
        })
    }

    fn read<'a>(
        &'a self,
        query: &'a Query,
        page: &'a mut Page,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move { self.look(|log| log.read(query, page)) })
    }

    fn version<'a>(&'a self, stream: &'a StreamId) -> BoxFuture<'a, Result<Version, ReadError>> {
        Box::pin(async move { self.look(|log| log.version(stream)) })
    }

    fn head<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Position, ReadError>> {
        Box::pin(async move { self.look(|log| log.head(tenant)) })
    }

    fn stats<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Stats, StoreError>> {
        Box::pin(async move { self.use_it(|log| log.stats(tenant)) })
    }

    fn snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        fingerprint: u64,
    ) -> BoxFuture<'a, Result<Option<StoredSnapshot>, StoreError>> {
        Box::pin(async move {
            let kept = self.use_it(|log| log.snapshots.get(stream).cloned())?;
            Ok(kept.filter(|kept| kept.fingerprint == fingerprint))
        })
    }

    fn save_snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        snapshot: StoredSnapshot,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.use_it(|log| log.save_snapshot(stream, snapshot)) })
    }

    fn delete_snapshots<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        category: Option<&'a str>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move { self.use_it(|log| log.delete_snapshots(tenant, category)) })
    }

    fn checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, StoreError>> {
        let key = key(tenant, projection);
        Box::pin(async move { self.use_it(|log| log.checkpoints.get(&key).cloned()) })
    }

    fn save_checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        checkpoint: Checkpoint,
        effects: Effects,
    ) -> BoxFuture<'a, Result<u64, CheckpointError>> {
        let key = key(tenant, projection);
        Box::pin(async move { self.use_it(|log| log.save_checkpoint(key, checkpoint, effects))? })
    }

    fn lease<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        holder: Uuid,
        time: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        let key = key(tenant, projection);
        Box::pin(async move { self.use_it(|log| log.lease(key, holder, time)) })
    }

    fn dead_letters<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: &'a str,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, StoreError>> {
        Box::pin(async move {
            self.use_it(|log| {
                let mine =
                    |(of, _): &&(Key, DeadLetter)| of.0.as_ref() == tenant && of.1 == projection;
                let letters = log.dead_letters.iter().filter(mine);
                letters.map(|(_, letter)| letter.clone()).collect()
            })
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
            Ok(())
        })
    }
}
