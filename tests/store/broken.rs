//! Stores that break one promise each, around one that keeps them all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::SubsecRound;
use recount::log::{
    AppendError, Appended, Batch, Detail, Direction, EventId, Expected, Kind, NewEvent, Page,
    Position, Query, ReadError, Row, Stats, StreamAppend, StreamId, TenantId, Version,
};
use recount::store::{
    Backend, BackendError, BoxFuture, Checkpoint, CheckpointError, DeadLetter, Effects, Lease,
    MemoryBackend, ProjectionKey, Replaces, StoreError, StoredSnapshot, Wakes,
};
use uuid::Uuid;

/// The promise that a store breaks, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    NeverAnswers,
    IgnoresExpectations,
    ChecksEachPartByItself,
    ChecksAndWritesLater,
    SkipsPartsWithoutEvents,
    WritesPartByPart,
    WritesEventByEvent,
    KeepsSomeOfWhatItRefuses,
    IsPoisonedByARefusal,
    NeedsStreamsInOrder,
    ConflictsWithoutTheVersion,
    PositionOfTheFirstEvent,
    TellsTheWholeLogsHead,
    LosesTheLastEvent,
    LosesWhatIsBeyondAThousand,
    RefusesIdsThatDoNotRise,
    RefusesLargePayloads,
    NormalisesJson,
    KeepsMilliseconds,
    CutsLongNames,
    FoldsCase,
    ForgetsIds,
    RemembersRefusedIds,
    ComparesNoContent,
    ComparesTimesAndMetadata,
    ComparesParts,
    AnswersARetryWithItsFirstParts,
    AsksConditionsFirst,
    AnswersARetryWithTheLatest,
    TellsDuplicatesAsConflicts,
    HolesInVersions,
    ReversesPages,
    SaysTooEarlyThatAPageIsTheLast,
    IgnoresTheBytesOfPages,
    IgnoresLimits,
    IgnoresAfterWhenBackwards,
    AnswersFromAReplica,
    CommitsOutOfOrder,
    KnowsFewNames,
    IgnoresCategories,
    IgnoresVersions,
    LeavesOutMoreThanContext,
    HeadIsAhead,
    CountsEachNameOnce,
    LosesSnapshots,
    KeepsTheLastSnapshot,
    IgnoresShapes,
    DeletesAllSnapshots,
    SavesAnyCheckpoint,
    GivesALeaseToAll,
    LeasesNeverEnd,
    RenewsWithANewRevision,
    LeasesLoseTheCheckpoint,
    LosesDeadLetters,
    SetsAsideWhatItRefuses,
    SettlesNothing,
    KeepsTheFirstDeadLetter,
    EndsNoVersions,
    TellsRevisionsTheOtherWayRound,
    IgnoresReleases,
    NeverCloses,
    CallsAClosedLogDamaged,
    ClosesOnce,
    IgnoresTenantsOfStreams,
    ReadsAllTenants,
    CountsAllTenants,
    HidesTenantsFromAll,
    IdsAreUniqueInAllTenants,
    LooksForIdsInTheHandlesTenant,
    SnapshotsOfTenantsAreShared,
    CheckpointsOfTenantsAreShared,
    NeverWakes,
    WakesBeforeItWrites,
    WakesWhoeverReads,
    LeavesWhoWaitsWhenItCloses,
}

/// A store with a fault.
#[derive(Debug)]
pub struct Broken {
    fault: Fault,
    kept: MemoryBackend,
    /// The batch that an id belongs to, and what was answered to it.
    ids: Mutex<HashMap<EventId, (Arc<Batch>, Appended)>>,
    refused: Mutex<Vec<EventId>>,
    flag: AtomicBool,
    /// Whom it wakes where it does so in a way of its own.
    wakes: Wakes,
}

impl Broken {
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            kept: MemoryBackend::new(),
            ids: Mutex::default(),
            refused: Mutex::default(),
            flag: AtomicBool::new(false),
            wakes: Wakes::new(),
        }
    }

    /// The stream that it takes this one for.
    fn stream(&self, stream: &StreamId) -> StreamId {
        let (category, id) = (stream.category().as_str(), stream.id());
        let taken_for = match self.fault {
            Fault::FoldsCase => StreamId::new(&category.to_lowercase(), id.to_lowercase()),
            Fault::CutsLongNames if id.len() > 255 => StreamId::new(category, &id[..255]),
            Fault::IgnoresTenantsOfStreams => StreamId::new(category, id),
            _ => Ok(stream.clone()),
        };
        taken_for.unwrap()
    }

    /// What it makes of a part on its way in.
    fn change(&self, part: &mut StreamAppend, handle: Option<&TenantId>) {
        part.stream = self.stream(&part.stream);
        match self.fault {
            Fault::IgnoresExpectations
            | Fault::ChecksEachPartByItself
            | Fault::ChecksAndWritesLater => part.expected = Expected::Any,
            Fault::SkipsPartsWithoutEvents if part.events.is_empty() => {
                part.expected = Expected::Any;
            }
            Fault::LosesTheLastEvent if part.events.len() > 1 => drop(part.events.pop()),
            Fault::LosesWhatIsBeyondAThousand => part.events.truncate(1000),
            _ => {}
        }
        for event in &mut part.events {
            match self.fault {
                Fault::NormalisesJson => event.payload = normalised(&event.payload),
                Fault::KeepsMilliseconds => event.recorded_at = event.recorded_at.trunc_subsecs(3),
                Fault::ForgetsIds => event.id = EventId(uuid::Uuid::now_v7()),
                Fault::LooksForIdsInTheHandlesTenant if part.stream.tenant() != handle => {
                    event.id = EventId(uuid::Uuid::now_v7());
                }
                _ => {}
            }
        }
    }

    /// The batch that this one is taken for, whose answer it gets as well.
    fn known(&self, batch: &Batch) -> Option<(Arc<Batch>, Appended)> {
        let known = self.ids.lock().unwrap();
        let (first, mut appended) = batch
            .events()
            .find_map(|(_, event)| known.get(&event.id))?
            .clone();
        appended.repeated = true;
        Some((first, appended))
    }

    /// Whether it will have nothing to do with a batch.
    fn refuses(&self, batch: &Batch) -> bool {
        let mut events = batch.events().map(|(_, event)| event);
        let (known, refused) = (self.ids.lock().unwrap(), self.refused.lock().unwrap());
        match self.fault {
            Fault::NeedsStreamsInOrder => !batch
                .parts()
                .is_sorted_by(|one, next| one.stream <= next.stream),
            Fault::RefusesIdsThatDoNotRise => !events.is_sorted_by(|one, next| one.id < next.id),
            Fault::RefusesLargePayloads => events.any(|event| event.payload.len() > 1 << 20),
            Fault::IsPoisonedByARefusal => self.flag.load(Ordering::Relaxed),
            Fault::RemembersRefusedIds => events.any(|event| refused.contains(&event.id)),
            Fault::IdsAreUniqueInAllTenants => events.any(|event| {
                let holder = known.get(&event.id);
                holder.is_some_and(|(first, _)| first.tenant() != batch.tenant())
            }),
            _ => false,
        }
    }

    /// The first condition that does not hold, as one who looks only at what is stored finds it.
    async fn check(&self, batch: &Batch) -> Result<(), AppendError> {
        for part in batch.parts() {
            let actual = self.kept.version(&part.stream).await.unwrap();
            if !part.expected.holds(actual) {
                return Err(AppendError::Conflict {
                    stream: part.stream.clone(),
                    expected: part.expected,
                    actual,
                });
            }
        }
        Ok(())
    }

    async fn append_one_by_one(&self, parts: Vec<StreamAppend>) -> Result<Appended, AppendError> {
        let mut all = self.kept.append(Batch::new()).await?;
        for part in parts {
            let mut appended = self.kept.append(batch([part])).await?;
            all.position = appended.position;
            all.streams.append(&mut appended.streams);
            tokio::task::yield_now().await;
        }
        Ok(all)
    }

    async fn append_with_fault(&self, given: Batch) -> Result<Appended, AppendError> {
        if self.refuses(&given) {
            return Err(AppendError::Unavailable {
                store: self.url().to_owned(),
                source: BackendError::new("it does not feel like it"),
            });
        }
        let mut parts = given.parts().to_vec();
        for part in &mut parts {
            self.change(part, given.tenant());
        }
        match self.fault {
            Fault::NeverAnswers => return std::future::pending().await,
            Fault::ComparesNoContent => {
                if let Some((_, appended)) = self.known(&given) {
                    return Ok(appended);
                }
            }
            Fault::ComparesTimesAndMetadata | Fault::ComparesParts => {
                let sizes = |batch: &Batch| -> Vec<usize> {
                    batch.parts().iter().map(|part| part.events.len()).collect()
                };
                if let Some((first, appended)) = self.known(&given)
                    && match self.fault {
                        Fault::ComparesParts => sizes(&first) != sizes(&given),
                        _ => !first.events().eq(given.events()),
                    }
                {
                    let (stream, event) = first.events().next().expect("an event that is known");
                    return Err(AppendError::Duplicate {
                        event: event.id,
                        stream: stream.clone(),
                        version: appended.version(),
                    });
                }
            }
            Fault::WritesPartByPart => return self.append_one_by_one(parts).await,
            Fault::WritesEventByEvent => {
                self.check(&given).await?;
                let single = |(stream, event): (&StreamId, &NewEvent)| StreamAppend {
                    stream: stream.clone(),
                    expected: Expected::Any,
                    events: vec![event.clone()],
                };
                return self
                    .append_one_by_one(given.events().map(single).collect())
                    .await;
            }
            Fault::AsksConditionsFirst | Fault::ChecksEachPartByItself => {
                self.check(&given).await?;
            }
            Fault::ChecksAndWritesLater => {
                self.check(&given).await?;
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
            }
            Fault::WakesBeforeItWrites => {
                self.wakes.wake();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            _ => {}
        }
        // Only a batch that is as it was given still knows through whose handle it came.
        let changed = if parts == given.parts() {
            given.clone()
        } else {
            batch(parts)
        };
        match self.kept.append(changed).await {
            Ok(appended) => Ok(self.answer(&given, appended).await),
            Err(error) => Err(self.refusal(&given, error).await),
        }
    }

    /// What it makes of a result.
    async fn answer(&self, given: &Batch, mut appended: Appended) -> Appended {
        let count = given.events().count() as u64;
        match self.fault {
            Fault::WakesWhoeverReads | Fault::LeavesWhoWaitsWhenItCloses => self.wakes.wake(),
            Fault::PositionOfTheFirstEvent if count > 0 => appended.position.0 -= count - 1,
            Fault::TellsTheWholeLogsHead if count == 0 => {
                appended.position = self.kept.head(None).await.unwrap();
            }
            Fault::AnswersARetryWithTheLatest if appended.repeated => {
                for part in &mut appended.streams {
                    part.version = self.kept.version(&part.stream).await.unwrap();
                }
            }
            Fault::AnswersARetryWithItsFirstParts if appended.repeated => {
                if let Some((_, first)) = self.known(given) {
                    return first;
                }
            }
            _ => {}
        }
        let mut known = self.ids.lock().unwrap();
        let batch = Arc::new(given.clone());
        for (_, event) in given.events() {
            let answer = (Arc::clone(&batch), appended.clone());
            known.entry(event.id).or_insert(answer);
        }
        appended
    }

    /// What it makes of a refusal.
    async fn refusal(&self, given: &Batch, error: AppendError) -> AppendError {
        self.flag.store(true, Ordering::Relaxed);
        let ids = given.events().map(|(_, event)| event.id);
        self.refused.lock().unwrap().extend(ids);
        match (self.fault, error) {
            (Fault::KeepsSomeOfWhatItRefuses, error) => {
                let mut some = given.parts()[0].clone();
                some.expected = Expected::Any;
                some.events.truncate(1);
                // Refused as well when it is known.
                drop(self.kept.append(batch([some])).await);
                error
            }
            (
                Fault::ConflictsWithoutTheVersion,
                AppendError::Conflict {
                    stream, expected, ..
                },
            ) => {
                let actual = Version::NONE;
                AppendError::Conflict {
                    stream,
                    expected,
                    actual,
                }
            }
            (
                Fault::TellsDuplicatesAsConflicts,
                AppendError::Duplicate {
                    stream, version, ..
                },
            ) => {
                let (expected, actual) = (Expected::Any, version);
                AppendError::Conflict {
                    stream,
                    expected,
                    actual,
                }
            }
            (_, error) => error,
        }
    }

    /// What it makes of a query.
    fn query(&self, query: &Query, head: Position) -> Query {
        let mut query = query.clone();
        query.stream = query.stream.map(|stream| self.stream(&stream));
        match self.fault {
            Fault::ReadsAllTenants | Fault::IgnoresTenantsOfStreams => query.tenant = None,
            Fault::IgnoresVersions => {
                query.from_version = Version::NONE;
                query.to_version = None;
            }
            Fault::AnswersFromAReplica => {
                let stale = Position(head.0.saturating_sub(1));
                query.up_to = Some(query.up_to.map_or(stale, |last| last.min(stale)));
            }
            Fault::IgnoresLimits => query.limit = None,
            Fault::IgnoresAfterWhenBackwards if query.direction == Direction::Backwards => {
                query.after = Position::START;
            }
            _ => {}
        }
        for selector in &mut query.selectors {
            match self.fault {
                Fault::IgnoresCategories => selector.category = None,
                Fault::KnowsFewNames => selector.names.truncate(100),
                _ => {}
            }
        }
        query
    }

    /// What it makes of a page.
    fn page(&self, query: &Query, read: &Page, page: &mut Page, head: Position) {
        page.clear();
        let mut rows: Vec<Own> = read.iter().map(Own::from).collect();
        match self.fault {
            Fault::ReversesPages => rows.reverse(),
            Fault::CommitsOutOfOrder if query.direction == Direction::Forwards => {
                rows.retain(|row| row.position.0 + 1 != head.0);
            }
            Fault::HidesTenantsFromAll if query.tenant.is_none() => {
                rows.retain(|row| row.kind.tenant.is_none());
            }
            _ => {}
        }
        for row in &mut rows {
            match self.fault {
                Fault::HolesInVersions if row.version.0 > 2 => row.version.0 += 1,
                Fault::LeavesOutMoreThanContext if query.detail != Detail::Full => {
                    row.payload = b"null".to_vec();
                }
                _ => {}
            }
            page.push(&row.kind, row.row());
        }
        page.set_last(read.is_last() || self.fault == Fault::SaysTooEarlyThatAPageIsTheLast);
    }
}

fn batch(parts: impl IntoIterator<Item = StreamAppend>) -> Batch {
    let mut batch = Batch::new();
    for part in parts {
        batch.push(part);
    }
    batch
}

/// JSON as a database writes it that keeps values and not texts.
fn normalised(json: &[u8]) -> Vec<u8> {
    let value: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
    serde_json::to_vec(&value).unwrap()
}

/// A row of a page, as a value of its own.
struct Own {
    kind: Arc<Kind>,
    position: Position,
    version: Version,
    id: EventId,
    recorded_at: i64,
    stream: String,
    metadata: String,
    payload: Vec<u8>,
}

impl From<recount::log::Record<'_>> for Own {
    fn from(record: recount::log::Record<'_>) -> Self {
        Self {
            kind: Arc::clone(record.kind()),
            position: record.position(),
            version: record.version(),
            id: record.id(),
            recorded_at: record.recorded_at().timestamp_micros(),
            stream: record.stream().to_owned(),
            metadata: record.metadata_json().to_owned(),
            payload: record.payload().to_vec(),
        }
    }
}

impl Own {
    fn row(&self) -> Row<'_> {
        Row {
            position: self.position,
            version: self.version,
            id: self.id,
            recorded_at: self.recorded_at,
            stream: &self.stream,
            metadata: &self.metadata,
            payload: &self.payload,
        }
    }
}

impl Backend for Broken {
    fn url(&self) -> &'static str {
        "broken:"
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(self.append_with_fault(batch))
    }

    fn read<'a>(
        &'a self,
        query: &'a Query,
        page: &'a mut Page,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            if self.fault == Fault::WakesWhoeverReads {
                self.wakes.wake();
            }
            let head = self.kept.head(None).await?;
            let mut asked = self.query(query, head);
            let mut read = Page::new();
            self.kept.read(&asked, &mut read).await?;
            self.page(query, &read, page, head);
            while self.fault == Fault::IgnoresTheBytesOfPages
                && asked.direction == Direction::Forwards
                && !read.is_last()
                && page.len() < asked.page_size
            {
                let last = page.get(page.len() - 1).expect("an event");
                asked.after = last.position();
                asked.limit = Some(1);
                self.kept.read(&asked, &mut read).await?;
                for row in read.iter().map(Own::from) {
                    page.push(&row.kind, row.row());
                }
            }
            Ok(())
        })
    }

    fn version<'a>(&'a self, stream: &'a StreamId) -> BoxFuture<'a, Result<Version, ReadError>> {
        Box::pin(async {
            let version = self.kept.version(&self.stream(stream)).await;
            match version {
                Err(_) if self.fault == Fault::CallsAClosedLogDamaged => Err(ReadError::Corrupt {
                    store: self.url().to_owned(),
                    position: Position::START,
                    reason: "there is no log".to_owned(),
                }),
                version => version,
            }
        })
    }

    fn head<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Position, ReadError>> {
        Box::pin(async move {
            let Position(head) = self.kept.head(tenant).await?;
            Ok(Position(head + u64::from(self.fault == Fault::HeadIsAhead)))
        })
    }

    fn stats<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Stats, StoreError>> {
        Box::pin(async move {
            let all = self.fault == Fault::CountsAllTenants;
            let mut stats = self.kept.stats(tenant.filter(|_| !all)).await?;
            if self.fault == Fault::CountsEachNameOnce {
                stats
                    .events_by_name
                    .values_mut()
                    .for_each(|count| *count = 1);
            }
            Ok(stats)
        })
    }

    fn snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        fingerprint: u64,
    ) -> BoxFuture<'a, Result<Option<StoredSnapshot>, StoreError>> {
        Box::pin(async move {
            let shape = if self.fault == Fault::IgnoresShapes {
                0
            } else {
                fingerprint
            };
            let stream = match self.fault {
                Fault::SnapshotsOfTenantsAreShared => without_tenant(stream),
                _ => stream.clone(),
            };
            let found = self.kept.snapshot(&stream, shape).await?;
            Ok(found.filter(|_| self.fault != Fault::LosesSnapshots))
        })
    }

    fn save_snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        mut snapshot: StoredSnapshot,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let mut stream = stream.clone();
            match self.fault {
                Fault::NormalisesJson => snapshot.state = normalised(&snapshot.state),
                Fault::IgnoresShapes => snapshot.fingerprint = 0,
                Fault::SnapshotsOfTenantsAreShared => stream = without_tenant(&stream),
                Fault::KeepsTheLastSnapshot => {
                    let category = stream.category().as_str();
                    self.kept.delete_snapshots(None, Some(category)).await?;
                }
                _ => {}
            }
            self.kept.save_snapshot(&stream, snapshot).await
        })
    }

    fn delete_snapshots<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        category: Option<&'a str>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        let all = self.fault == Fault::DeletesAllSnapshots;
        self.kept
            .delete_snapshots(tenant, category.filter(|_| !all))
    }

    fn checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, StoreError>> {
        let (tenant, projection) = self.key(tenant, projection);
        self.kept.checkpoint(tenant, projection)
    }

    fn lease<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        holder: Uuid,
        time: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        let (tenant, projection) = self.key(tenant, projection);
        let time = match self.fault {
            Fault::LeasesNeverEnd => Duration::from_mins(10),
            _ => time,
        };
        Box::pin(async move {
            let mut lease = self.kept.lease(tenant, projection, holder, time).await?;
            let again = match self.fault {
                Fault::RenewsWithANewRevision => self.kept.checkpoint(tenant, projection).await?,
                Fault::LeasesLoseTheCheckpoint => Some(Checkpoint {
                    revision: lease.revision,
                    position: Position::START,
                    state: None,
                }),
                _ => None,
            };
            if let Some(again) = again.filter(|_| lease.is_held) {
                let effects = Effects::default();
                let saved = self
                    .kept
                    .save_checkpoint(tenant, projection, again, effects);
                lease.revision = saved.await.unwrap_or(lease.revision);
            }
            lease.is_held |= self.fault == Fault::GivesALeaseToAll;
            Ok(lease)
        })
    }

    fn dead_letters<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: &'a str,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, StoreError>> {
        self.kept.dead_letters(tenant, projection)
    }

    fn save_checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        mut checkpoint: Checkpoint,
        mut effects: Effects,
    ) -> BoxFuture<'a, Result<u64, CheckpointError>> {
        let (tenant, projection) = self.key(tenant, projection);
        Box::pin(async move {
            match self.fault {
                Fault::NormalisesJson => {
                    checkpoint.state = checkpoint.state.map(|state| normalised(&state));
                }
                Fault::SavesAnyCheckpoint => {
                    let kept = self.kept.checkpoint(tenant, projection).await?;
                    checkpoint.revision = kept.map_or(0, |kept| kept.revision);
                }
                Fault::LosesDeadLetters => effects.set_aside.clear(),
                Fault::SettlesNothing => effects.settled.clear(),
                Fault::EndsNoVersions => effects.replaces = Replaces::Nothing,
                Fault::KeepsTheFirstDeadLetter => {
                    let kept = self.kept.dead_letters(tenant, projection.name).await?;
                    let is_new = |letter: &DeadLetter| {
                        kept.iter().all(|kept| kept.position != letter.position)
                    };
                    effects.set_aside.retain(is_new);
                }
                Fault::SetsAsideWhatItRefuses => {
                    let kept = self.kept.checkpoint(tenant, projection).await?;
                    if let Some(kept) = kept.filter(|kept| kept.revision != checkpoint.revision) {
                        let saved = self.kept.save_checkpoint(tenant, projection, kept, effects);
                        saved.await?;
                        effects = Effects::default();
                    }
                }
                _ => {}
            }
            match self
                .kept
                .save_checkpoint(tenant, projection, checkpoint, effects)
                .await
            {
                Err(CheckpointError::Moved {
                    projection,
                    expected,
                    actual,
                }) if self.fault == Fault::TellsRevisionsTheOtherWayRound => {
                    Err(CheckpointError::Moved {
                        projection,
                        expected: actual,
                        actual: expected,
                    })
                }
                outcome => outcome,
            }
        })
    }

    fn wakes(&self) -> &Wakes {
        match self.fault {
            Fault::NeverWakes
            | Fault::WakesBeforeItWrites
            | Fault::WakesWhoeverReads
            | Fault::LeavesWhoWaitsWhenItCloses => &self.wakes,
            _ => self.kept.wakes(),
        }
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        match self.fault {
            Fault::NeverCloses => Box::pin(async { Ok(()) }),
            Fault::ClosesOnce if self.flag.swap(true, Ordering::Relaxed) => {
                Box::pin(async { Err(StoreError::new(self.url(), "it is closed already")) })
            }
            _ => self.kept.close(),
        }
    }
}

fn without_tenant(stream: &StreamId) -> StreamId {
    StreamId::new(stream.category().as_str(), stream.id()).unwrap()
}

impl Broken {
    /// The checkpoint that it takes this one for.
    fn key<'a>(
        &self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
    ) -> (Option<&'a TenantId>, ProjectionKey<'a>) {
        match self.fault {
            Fault::CheckpointsOfTenantsAreShared => (None, projection),
            Fault::IgnoresReleases => (
                tenant,
                ProjectionKey {
                    fingerprint: 0,
                    ..projection
                },
            ),
            _ => (tenant, projection),
        }
    }
}
