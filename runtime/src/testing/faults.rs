//! A store that fails when a test says so.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::Store;
use crate::log::{
    AppendError, Appended, Batch, EventId, Expected, Page, Position, Query, ReadError, Stats,
    StreamId, TenantId, Version,
};
use crate::sql::{Row, Value};
use crate::store::{
    Backend, BackendError, BoxFuture, Checkpoint, CheckpointError, DeadLetter, Dialect, Effects,
    Lease, ProjectionKey, StoreError, StoredSnapshot, Wakes,
};

/// What a store can be asked to do, and fail at.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::testing::{Fault, Faults, Operation};
///
/// // The first look at the head passes, the second fails.
/// let faults = Faults::new();
/// faults.script(Operation::Head, [None, Some(Fault::Fail)]);
/// let store = faults.around(&recount::Store::connect("memory:").await?);
/// assert!(store.head().await.is_ok() && store.head().await.is_err());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A batch is appended.
    Append,
    /// A page is read.
    Read,
    /// A stream's version is asked.
    Version,
    /// The last position is asked.
    Head,
    /// Counts are asked.
    Stats,
    /// A snapshot is loaded.
    Snapshot,
    /// A snapshot is saved.
    SaveSnapshot,
    /// Snapshots are deleted.
    DeleteSnapshots,
    /// A projection's checkpoint is loaded.
    Checkpoint,
    /// A projection's checkpoint is saved.
    SaveCheckpoint,
    /// A projection's lease is asked for.
    Lease,
    /// Tables of projections are asked.
    Query,
}

/// How an operation fails.
///
/// ```
/// use recount::testing::Fault;
///
/// assert_ne!(Fault::LoseRequest, Fault::LoseAnswer);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// It is refused: nothing is done, and the error says so.
    Fail,
    /// It is done after this time.
    Delay(Duration),
    /// It is refused as if somebody else had been faster, one version or revision ahead; nothing is done. Only appends with
    /// a condition and saves of checkpoints can meet a conflict, and no batch that is stored already, since a store
    /// recognises it; all others are done as usual.
    Conflict,
    /// It never arrives, and the caller cannot tell: an append's outcome is [unknown](AppendError::Unknown).
    LoseRequest,
    /// It is done, but the caller cannot tell: an append's outcome is [unknown](AppendError::Unknown).
    LoseAnswer,
    /// It arrives twice, as over a network that delivers again what it delivered; the second answer is returned.
    Repeat,
}

/// What a store that a test made fail says as its cause.
///
/// ```
/// use recount::testing::{Fault, FaultError, Operation};
///
/// let error = FaultError { operation: Operation::Append, fault: Fault::LoseAnswer };
/// assert_eq!(error.to_string(), "injected fault: LoseAnswer at Append");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("injected fault: {fault:?} at {operation:?}")]
pub struct FaultError {
    /// What was asked.
    pub operation: Operation,
    /// How it failed.
    pub fault: Fault,
}

/// Makes stores fail, by a script or by chance from a seed, and tells afterwards what happened.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// use recount::testing::{Fault, Faults, Operation};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let faults = Faults::new();
/// let store = faults.around(&Store::connect("memory:").await?);
/// let counters = Repository::<Counter>::new(&store);
/// let id = CounterId::new("c1")?;
///
/// // The event is stored, but the answer is lost. The repository finds out, and does not store it again.
/// faults.next(Operation::Append, Fault::LoseAnswer);
/// counters.execute(&id, |_| Ok(Counted { by: 1 })).await?;
/// assert_eq!(counters.load(&id).await?.total, 1);
/// faults.assert_all_met();
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    script: HashMap<Operation, VecDeque<Option<Fault>>>,
    chance: Option<Chance>,
    injected: Vec<FaultError>,
    /// The first ids of batches that are stored although the caller does not know.
    forgotten: HashSet<EventId>,
}

/// Faults by chance.
#[derive(Debug)]
struct Chance {
    random: Random,
    /// Of 2³² operations, so many fail.
    rate: u64,
    faults: Vec<Fault>,
    /// Where they happen; `None` for everywhere.
    operations: Option<Vec<Operation>>,
}

impl Faults {
    /// No fault until one is asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Faults by chance: of the operations that the script says nothing about, this share (0.0 to 1.0) meets one of all
    /// kinds, delays of up to two milliseconds included. The same seed gives the same faults, as far as the same operations
    /// come in the same order.
    ///
    /// # Panics
    /// When the share is no number from 0 to 1.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use recount::testing::Faults;
    ///
    /// let faults = Faults::seeded(7, 0.5);
    /// let store = faults.around(&recount::Store::connect("memory:").await?);
    /// for _ in 0..100 {
    ///     store.head().await.ok();
    /// }
    /// assert!(faults.injected().len() > 20);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn seeded(seed: u64, rate: f64) -> Self {
        let faults = [
            Fault::Fail,
            Fault::Delay(Duration::ZERO),
            Fault::Conflict,
            Fault::LoseRequest,
            Fault::LoseAnswer,
            Fault::Repeat,
        ];
        Self::seeded_with(seed, rate, faults)
    }

    /// As [`seeded`](Self::seeded), with these faults only.
    ///
    /// # Panics
    /// When the share is no number from 0 to 1, or there is no fault among which to choose.
    #[track_caller]
    pub fn seeded_with(seed: u64, rate: f64, faults: impl IntoIterator<Item = Fault>) -> Self {
        let faults: Vec<Fault> = faults.into_iter().collect();
        assert!(
            (0.0..=1.0).contains(&rate),
            "{rate} is no share: write a number from 0.0 to 1.0"
        );
        assert!(
            !faults.is_empty(),
            "there is no fault among which to choose"
        );
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 2³²"
        )]
        let rate = (rate * 4_294_967_296.0) as u64;
        let this = Self::new();
        this.plan().chance = Some(Chance {
            random: Random(seed),
            rate,
            faults,
            operations: None,
        });
        this
    }

    /// The same, whose faults by chance happen at these operations only. A command that fails at a read ends there, so
    /// `at([Operation::Append])` lets more of them come further.
    #[must_use]
    pub fn at(self, operations: impl IntoIterator<Item = Operation>) -> Self {
        if let Some(chance) = &mut self.plan().chance {
            chance.operations = Some(operations.into_iter().collect());
        }
        self
    }

    /// The next such operation that no earlier call spoke of meets this fault.
    pub fn next(&self, operation: Operation, fault: Fault) -> &Self {
        self.script(operation, [Some(fault)])
    }

    /// The next such operations that no earlier call spoke of meet these, one after the other; `None` lets one pass.
    pub fn script(
        &self,
        operation: Operation,
        faults: impl IntoIterator<Item = Option<Fault>>,
    ) -> &Self {
        self.plan()
            .script
            .entry(operation)
            .or_default()
            .extend(faults);
        self
    }

    /// Nothing fails from now on.
    pub fn stop(&self) {
        let mut plan = self.plan();
        plan.script.clear();
        plan.chance = None;
    }

    /// The faults that happened, in order. A fault that no operation met is not among them.
    pub fn injected(&self) -> Vec<FaultError> {
        self.plan().injected.clone()
    }

    /// Checks that each fault of the script has happened, so that a test is not green because it never met one.
    ///
    /// # Panics
    /// When one has not.
    #[track_caller]
    pub fn assert_all_met(&self) {
        let plan = self.plan();
        for (operation, faults) in &plan.script {
            let unmet: Vec<_> = faults.iter().flatten().collect();
            assert!(
                unmet.is_empty(),
                "{unmet:?} at {operation:?} never happened; what did: {:?}",
                plan.injected
            );
        }
    }

    /// A handle on the same store that meets these faults, with the same tenant, clock and ids. The handle that is given
    /// meets none, so a test looks through it at what there is.
    #[must_use]
    pub fn around(&self, store: &Store) -> Store {
        store.over(Arc::new(Faulty {
            inner: Arc::clone(store.backend()),
            faults: self.clone(),
        }))
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that an operation meets, if any.
    fn draw(&self, operation: Operation, can_conflict: bool) -> Option<Fault> {
        let mut plan = self.plan();
        let fault = match plan
            .script
            .get_mut(&operation)
            .and_then(VecDeque::pop_front)
        {
            Some(scripted) => scripted,
            None => plan
                .chance
                .as_mut()
                .and_then(|chance| chance.draw(operation)),
        }?;
        if fault == Fault::Conflict && !can_conflict {
            return None;
        }
        plan.injected.push(FaultError { operation, fault });
        Some(fault)
    }
}

impl Chance {
    fn draw(&mut self, operation: Operation) -> Option<Fault> {
        let is_here = |operations: &Vec<Operation>| operations.contains(&operation);
        if !self.operations.as_ref().is_none_or(is_here) {
            return None;
        }
        if self.random.next() >> 32 >= self.rate {
            return None;
        }
        let among = self.faults.len().max(1) as u64;
        let index = usize::try_from(self.random.next() % among).unwrap_or(0);
        match self.faults.get(index) {
            Some(Fault::Delay(Duration::ZERO)) => Some(Fault::Delay(Duration::from_micros(
                self.random.next() % 2000,
            ))),
            fault => fault.copied(),
        }
    }
}

/// `SplitMix64` (Steele, Lea, Flood: *Fast splittable pseudorandom number generators*, 2014).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// The store behind a handle of [`Faults::around`].
#[derive(Debug)]
struct Faulty {
    inner: Arc<dyn Backend>,
    faults: Faults,
}

/// What is left to do once the delays are over.
enum Course {
    Go,
    Twice,
    /// Do it, then fail.
    Forget(FaultError),
    /// Do not do it.
    Stop(FaultError),
}

impl Faulty {
    async fn course(&self, operation: Operation, can_conflict: bool) -> Course {
        let Some(fault) = self.faults.draw(operation, can_conflict) else {
            return Course::Go;
        };
        let error = FaultError { operation, fault };
        match fault {
            Fault::Delay(time) => {
                tokio::time::sleep(time).await;
                Course::Go
            }
            Fault::Repeat => Course::Twice,
            Fault::LoseAnswer => Course::Forget(error),
            Fault::Fail | Fault::Conflict | Fault::LoseRequest => Course::Stop(error),
        }
    }

    /// Carries out an operation that has no outcome but its answer, or an error of the store.
    async fn run<'a, T, E>(
        &'a self,
        operation: Operation,
        failed: impl Fn(String, FaultError) -> E,
        work: impl Fn() -> BoxFuture<'a, Result<T, E>>,
    ) -> Result<T, E> {
        let url = || self.inner.url().to_owned();
        match self.course(operation, false).await {
            Course::Go => work().await,
            Course::Twice => {
                work().await?;
                work().await
            }
            Course::Forget(error) => {
                work().await?;
                Err(failed(url(), error))
            }
            Course::Stop(error) => Err(failed(url(), error)),
        }
    }

    async fn run_append(&self, batch: Batch) -> Result<Appended, AppendError> {
        let store = || self.inner.url().to_owned();
        let first = batch.events().next().map(|(_, event)| event.id);
        let is_stored = first.is_some_and(|id| self.faults.plan().forgotten.contains(&id));
        let conditional = batch
            .parts()
            .iter()
            .find(|part| part.expected != Expected::Any && !is_stored);
        let unknown = |error| AppendError::Unknown {
            store: store(),
            source: BackendError::new(error),
        };
        match self.course(Operation::Append, conditional.is_some()).await {
            Course::Go => self.inner.append(batch).await,
            Course::Twice => {
                self.inner.append(batch.clone()).await?;
                self.inner.append(batch).await
            }
            Course::Forget(error) => {
                self.inner.append(batch).await?;
                self.faults.plan().forgotten.extend(first);
                Err(unknown(error))
            }
            Course::Stop(error) => Err(match (error.fault, conditional) {
                (Fault::Conflict, Some(part)) => AppendError::Conflict {
                    stream: part.stream.clone(),
                    expected: part.expected,
                    actual: self.ahead_of(&part.stream).await,
                },
                (Fault::LoseRequest, _) => unknown(error),
                _ => AppendError::Unavailable {
                    store: store(),
                    source: BackendError::new(error),
                },
            }),
        }
    }

    /// The version that the stream would have if somebody else had been faster.
    async fn ahead_of(&self, stream: &StreamId) -> Version {
        self.inner
            .version(stream)
            .await
            .unwrap_or(Version::NONE)
            .next()
    }

    async fn run_save_checkpoint(
        &self,
        tenant: Option<&TenantId>,
        projection: ProjectionKey<'_>,
        checkpoint: Checkpoint,
        effects: Effects,
    ) -> Result<u64, CheckpointError> {
        let save = |checkpoint| {
            let effects = effects.clone();
            self.inner
                .save_checkpoint(tenant, projection, checkpoint, effects)
        };
        let failed = |error| StoreError::new(self.inner.url(), error).into();
        match self.course(Operation::SaveCheckpoint, true).await {
            Course::Go => save(checkpoint).await,
            Course::Twice => {
                save(checkpoint.clone()).await?;
                save(checkpoint).await
            }
            Course::Forget(error) => {
                save(checkpoint).await?;
                Err(failed(error))
            }
            Course::Stop(error) if error.fault == Fault::Conflict => Err(CheckpointError::Moved {
                projection: projection.to_string(),
                expected: checkpoint.revision,
                actual: checkpoint.revision + 1,
            }),
            Course::Stop(error) => Err(failed(error)),
        }
    }
}

fn unreadable(store: String, error: FaultError) -> ReadError {
    ReadError::Unavailable {
        store,
        source: BackendError::new(error),
    }
}

impl Backend for Faulty {
    fn url(&self) -> &str {
        self.inner.url()
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(self.run_append(batch))
    }

    fn read<'a>(
        &'a self,
        query: &'a Query,
        page: &'a mut Page,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let failed = |error| Err(unreadable(self.inner.url().to_owned(), error));
            match self.course(Operation::Read, false).await {
                Course::Go => self.inner.read(query, page).await,
                Course::Twice => {
                    self.inner.read(query, page).await?;
                    self.inner.read(query, page).await
                }
                // What arrived of the page stays in it: nobody may look.
                Course::Forget(error) => {
                    self.inner.read(query, page).await?;
                    failed(error)
                }
                Course::Stop(error) => failed(error),
            }
        })
    }

    fn version<'a>(&'a self, stream: &'a StreamId) -> BoxFuture<'a, Result<Version, ReadError>> {
        Box::pin(self.run(Operation::Version, unreadable, move || {
            self.inner.version(stream)
        }))
    }

    fn head<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Position, ReadError>> {
        Box::pin(self.run(Operation::Head, unreadable, move || self.inner.head(tenant)))
    }

    fn stats<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Stats, StoreError>> {
        Box::pin(self.run(Operation::Stats, StoreError::new, move || {
            self.inner.stats(tenant)
        }))
    }

    fn snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        fingerprint: u64,
    ) -> BoxFuture<'a, Result<Option<StoredSnapshot>, StoreError>> {
        Box::pin(self.run(Operation::Snapshot, StoreError::new, move || {
            self.inner.snapshot(stream, fingerprint)
        }))
    }

    fn save_snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        snapshot: StoredSnapshot,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.run(Operation::SaveSnapshot, StoreError::new, move || {
            self.inner.save_snapshot(stream, snapshot.clone())
        }))
    }

    fn delete_snapshots<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        category: Option<&'a str>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(
            self.run(Operation::DeleteSnapshots, StoreError::new, move || {
                self.inner.delete_snapshots(tenant, category)
            }),
        )
    }

    fn checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, StoreError>> {
        Box::pin(self.run(Operation::Checkpoint, StoreError::new, move || {
            self.inner.checkpoint(tenant, projection)
        }))
    }

    fn save_checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        checkpoint: Checkpoint,
        effects: Effects,
    ) -> BoxFuture<'a, Result<u64, CheckpointError>> {
        Box::pin(self.run_save_checkpoint(tenant, projection, checkpoint, effects))
    }

    fn lease<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        holder: Uuid,
        time: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(self.run(Operation::Lease, StoreError::new, move || {
            self.inner.lease(tenant, projection, holder, time)
        }))
    }

    fn dead_letters<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: &'a str,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, StoreError>> {
        Box::pin(self.run(Operation::Checkpoint, StoreError::new, move || {
            self.inner.dead_letters(tenant, projection)
        }))
    }

    fn tables(&self) -> Option<&Dialect> {
        self.inner.tables()
    }

    fn query<'a>(
        &'a self,
        text: &'a str,
        values: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, StoreError>> {
        Box::pin(self.run(Operation::Query, StoreError::new, move || {
            self.inner.query(text, values)
        }))
    }

    fn wakes(&self) -> &Wakes {
        self.inner.wakes()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.close()
    }
}
