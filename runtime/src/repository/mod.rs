//! Loading, deciding, saving.
//!
//! A command is: load the aggregate, let it decide, append what it decided if nobody else appended meanwhile, else begin
//! anew. [`Repository::execute`] is that loop; the rest are its parts.

mod cache;
mod error;
mod execute;
mod history;
mod load;
mod retry;
mod seen;
pub mod snapshot;
mod unit_of_work;

use std::marker::PhantomData;
use std::time::Duration;

use cache::Cache;
pub use error::{CreateError, ExecuteError, LoadError, SaveError};
pub(crate) use history::read_past;
pub use history::{History, PastEvent};
use load::Folded;
pub use retry::RetryPolicy;
pub(crate) use seen::Onlookers;
pub use seen::{Unseen, UnseenReason};
use snapshot::SnapshotPolicy;
pub use unit_of_work::UnitOfWork;

use crate::Store;
use crate::aggregate::{Apply, Events, IntoEvents, Journal, Root};
use crate::clock::Ids;
use crate::log::{AppendError, Appended, Batch, Expected, Metadata, StreamId, Version};
use crate::reaction::Deed;
use crate::runner::Handle;

/// Loads and saves the aggregates of one type. Cheap to clone, safe to share.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// # impl Counter { fn count(&self, by: i64) -> Counted { Counted { by } } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::connect("memory:").await?;
/// let counters = Repository::<Counter>::new(&store);
/// let id = CounterId::new("c1")?;
///
/// counters.execute(&id, |counter| Ok(counter.count(40))).await?;
/// counters.execute(&id, |counter| Ok(counter.count(2))).await?;
/// assert_eq!(counters.load(&id).await?.total, 42);
/// # Ok(()) }
/// ```
pub struct Repository<A: Apply> {
    store: Store,
    metadata: Metadata,
    retry: RetryPolicy,
    snapshots: SnapshotPolicy<A>,
    /// The roots that were used last; `None` where none are kept.
    cache: Option<Cache<A>>,
    /// What is done with it, if that must be done once.
    deed: Option<Deed>,
    /// Who must have seen what was appended before a command returns.
    onlookers: Onlookers,
    of: PhantomData<fn() -> A>,
}

impl<A: Apply> Clone for Repository<A> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            metadata: self.metadata.clone(),
            retry: self.retry,
            snapshots: self.snapshots.clone(),
            cache: self.cache.clone(),
            deed: self.deed,
            onlookers: self.onlookers.clone(),
            of: PhantomData,
        }
    }
}

impl<A: Apply> std::fmt::Debug for Repository<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository")
            .field("category", &A::CATEGORY)
            .field("store", &self.store)
            .field("metadata", &self.metadata)
            .field("retry", &self.retry)
            .field("snapshots", &self.snapshots)
            .field("cache", &self.cache)
            .field("onlookers", &self.onlookers)
            .finish_non_exhaustive()
    }
}

impl<A: Apply> Repository<A> {
    /// The aggregates of this type in a store; snapshots as the aggregate's attribute says.
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            metadata: Metadata::default(),
            retry: RetryPolicy::default(),
            snapshots: SnapshotPolicy::default(),
            cache: None,
            deed: None,
            onlookers: Onlookers::default(),
            of: PhantomData,
        }
    }

    /// The same repository, whose events carry this metadata: set it once for a request, and use what comes back for it.
    #[must_use]
    pub fn with_metadata(&self, metadata: Metadata) -> Self {
        Self {
            metadata,
            ..self.clone()
        }
    }

    /// The same repository, with another policy for what to do about conflicts and stores that are busy.
    #[must_use]
    pub fn with_retry(&self, retry: RetryPolicy) -> Self {
        Self {
            retry,
            ..self.clone()
        }
    }

    /// The same repository, with another policy for when to take a snapshot.
    #[must_use]
    pub fn with_snapshots(&self, snapshots: SnapshotPolicy<A>) -> Self {
        Self {
            snapshots,
            ..self.clone()
        }
    }

    /// The same repository, which keeps the states of so many instances in memory: of those that its commands and
    /// [`load`](Self::load) used last. They are shared by its clones, and by what `with_…` makes of it. Without this none are kept.
    ///
    /// A command then begins with the state that the last one on its instance left, and reads nothing; the append's condition tells
    /// whether somebody else appended meanwhile. If so, what they appended is read, and the command decides again. A command that is
    /// refused is decided again, too, on what the store holds then, so it is never refused by a state that is out of date. One that
    /// panics is not: as with any conflict, a decision may see a state that is older than the log.
    /// `load` reads what follows the state that is kept. No result changes by any of it.
    ///
    /// It pays where commands come to the same instances again and again and their streams are long: without it each reads and folds
    /// its whole stream, or what follows the last snapshot. Where streams have some dozens of events, commands of 64 callers are 2.5 to 3.5
    /// times as fast with it (`runtime/docs/performance/report.md` in the repository). It costs the memory, and a clone of the state for
    /// each command and load.
    /// The log must keep what it acknowledged: after a backup was restored, or a server took over that had not
    /// received everything, start the process anew. What several processes append to the same instance costs less with it, too: who
    /// was too late reads no more than what came meanwhile.
    ///
    /// Within a transaction of the caller's go without it: a savepoint that is undone takes events back, and not what is kept of them.
    ///
    /// ```
    /// # use recount::prelude::*;
    /// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
    /// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
    /// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
    /// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = Store::connect("memory:").await?;
    /// let counters = Repository::<Counter>::new(&store).with_cache(1_000);
    /// let id = CounterId::new("c1")?;
    ///
    /// counters.execute(&id, |_| Ok(Counted { by: 40 })).await?;
    /// // Decides on the total of 40 without reading it.
    /// counters.execute(&id, |counter| Ok(Counted { by: counter.total / 20 })).await?;
    /// assert_eq!(counters.load(&id).await?.total, 42);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_cache(&self, instances: usize) -> Self
    where
        A: Clone,
    {
        Self {
            cache: Some(Cache::new(instances)),
            ..self.clone()
        }
    }

    /// The same repository, whose commands return only once this projection has handled what they appended: to read one's own writes.
    /// Called again, it waits for several.
    ///
    /// The projection must be of the same log, and see the tenant's events. Nothing else waits: commands on the same instance go
    /// on meanwhile. It waits as long as that takes, for one that is paused too, unless
    /// [`seen_within`](Self::seen_within) sets a limit.
    ///
    /// Commands then fail with [`Unseen`], in [`ExecuteError::Unseen`], [`CreateError::Unseen`] or [`SaveError::Unseen`], when the
    /// projection has stopped or has [set the events aside](crate::runner::OnError::set_aside): they are stored all the same. One that
    /// tries a failing event again has not stopped yet.
    ///
    /// ```
    /// # use recount::prelude::*;
    /// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
    /// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
    /// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
    /// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
    /// # #[derive(Debug, Default)] pub struct Total { sum: i64 }
    /// # #[projection(name = "total", of(Counter))] impl Total { fn counted(&mut self, event: Counted) { self.sum += event.by; } }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use recount::runner::Runner;
    ///
    /// let store = Store::connect("memory:").await?;
    /// let runner = Runner::new();
    /// let total = runner.add(Projector::<Total>::in_memory(&store));
    ///
    /// let counters = Repository::<Counter>::new(&store).until_seen_by(&total);
    /// counters.execute(&CounterId::new("c1")?, |_| Ok(Counted { by: 42 })).await?;
    /// assert_eq!(total.read().await.sum, 42);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn until_seen_by(&self, projection: &Handle) -> Self {
        let mut seen = self.clone();
        seen.onlookers.add(projection);
        seen
    }

    /// The same repository, which waits no longer than this for the projections that [must have seen](Self::until_seen_by) what was
    /// appended. The time begins when the events are stored. While a command waits it holds a thread, which sleeps.
    #[must_use]
    pub fn seen_within(&self, limit: Duration) -> Self {
        let mut limited = self.clone();
        limited.onlookers.wait_at_most(limit);
        limited
    }

    /// The same repository for one command, which is carried out once however often it is given: later ones are answered with
    /// what the first appended.
    pub(crate) fn once(&self, deed: Deed) -> Self {
        Self {
            deed: Some(deed),
            // Whether it was done is seen in the stream.
            cache: None,
            ..self.clone()
        }
    }

    /// The stream that holds the events of an instance.
    ///
    /// # Errors
    /// [`NameError`](crate::log::NameError) when the id's text cannot name one; ids that are derived have checked it.
    pub fn stream(&self, id: &A::Id) -> Result<StreamId, crate::log::NameError> {
        use crate::Id as _;
        Ok(StreamId::new(A::CATEGORY, id.to_stream())?.in_tenant(self.store.tenant().cloned()))
    }

    /// Stores the first events of an instance.
    ///
    /// # Errors
    /// [`CreateError::AlreadyExists`] when it has events; nothing is written then. The others as
    /// [`save`](Self::save).
    ///
    /// # Cancel safety
    /// A dropped future leaves all of the events stored or none.
    pub async fn create(
        &self,
        id: &A::Id,
        events: impl IntoEvents<A>,
    ) -> Result<Appended, CreateError> {
        let events = Events::<A>::of(events);
        let stream = self.stream(id)?;
        let mut folded = Folded::from_start();
        let mut journal = self.journal(stream.clone(), Version::NONE, folded.recorded_at);
        let may_be_kept = self.record(&mut folded, &mut journal, events);
        let batch = journal.batch(Batch::new(), Expected::NoStream)?;
        match self.append(&batch).await {
            Ok(appended) => {
                self.stored(id, &stream, folded, may_be_kept, &journal, &appended);
                let events = self.onlookers.events_of(&batch);
                Ok(self.onlookers.see(appended, &events).await?)
            }
            Err(AppendError::Conflict { stream, actual, .. }) => Err(CreateError::AlreadyExists {
                stream,
                version: actual,
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores what was recorded on a root, if nobody appended since it was loaded.
    ///
    /// When it fails the root keeps its recorded events and their ids, so it can be saved again: a save whose outcome was
    /// unknown is then recognised, and never applied twice. A root without recorded events still checks that its stream
    /// has not moved.
    ///
    /// # Errors
    /// [`SaveError::Record`] when `record` could not accept an event, [`SaveError::Append`] with what the store said:
    /// a conflict means that the root is stale; load it again and decide again.
    ///
    /// # Cancel safety
    /// A dropped future leaves all of the events stored or none, and the root unsaved; saving it again finds out.
    pub async fn save(&self, root: &mut Root<A>) -> Result<Appended, SaveError> {
        let stored = Root::journal(root).stored;
        let batch = Root::journal(root).batch(Batch::new(), Expected::Version(stored))?;
        let appended = self.append(&batch).await?;
        Root::journal_mut(root).saved();
        self.snapshot_if_due(&Root::id(root).clone(), root, stored, appended.version());
        let events = self.onlookers.events_of(&batch);
        Ok(self.onlookers.see(appended, &events).await?)
    }

    /// Whether the instance has any event.
    ///
    /// # Errors
    /// [`LoadError`] when the store cannot be read.
    pub async fn exists(&self, id: &A::Id) -> Result<bool, LoadError> {
        Ok(self.store.version(&self.stream(id)?).await? != Version::NONE)
    }

    /// The events of an instance, typed, from the first; each was read through all upcasts.
    ///
    /// # Errors
    /// [`NameError`](crate::log::NameError) when the id's text cannot name a stream.
    pub fn history(&self, id: &A::Id) -> Result<History<A>, crate::log::NameError> {
        Ok(History::new(&self.store, &self.stream(id)?))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn snapshots(&self) -> &SnapshotPolicy<A> {
        &self.snapshots
    }

    /// What follows once a state stands in the log with all that was recorded on it.
    fn stored(
        &self,
        id: &A::Id,
        stream: &StreamId,
        mut folded: Folded<A>,
        may_be_kept: bool,
        journal: &Journal,
        appended: &Appended,
    ) {
        if let Some(state) = &folded.state {
            self.snapshot_if_due(id, state, folded.version, appended.version());
        }
        // What was stored by an earlier call may have been recorded at another time.
        if may_be_kept && !appended.repeated {
            folded.advance(journal, appended.position);
            self.keep(stream, folded);
        }
    }

    /// Records what was decided on a state; also says whether the state may be kept once that is stored.
    fn record(&self, folded: &mut Folded<A>, journal: &mut Journal, events: Events<A>) -> bool {
        if self.cache.is_some() {
            folded.record_as_stored(journal, events)
        } else {
            folded.record(journal, events);
            false
        }
    }

    fn keep(&self, stream: &StreamId, folded: Folded<A>) {
        if let Some(cache) = &self.cache {
            cache.put(stream, folded);
        }
    }

    fn journal(
        &self,
        stream: StreamId,
        stored: Version,
        recorded_at: chrono::DateTime<chrono::Utc>,
    ) -> Journal {
        let mut sources = self.store.sources().clone();
        if let Some(deed) = self.deed {
            sources.ids = Ids::Of(deed);
        }
        Journal::new(stream, stored, recorded_at, self.metadata.clone(), sources)
    }

    async fn append(&self, batch: &Batch) -> Result<Appended, AppendError> {
        match (append(&self.store, self.retry, batch).await, &self.deed) {
            (Err(error), Some(deed)) => deed.unless_done(&self.store, error).await,
            (outcome, _) => outcome,
        }
    }
}

/// Appends a batch; while the store is busy or the outcome unknown, again: the ids make that safe.
///
/// Once the outcome of one attempt was unknown, it stays so until the store has looked at the ids: that a later attempt
/// wrote nothing does not say what the earlier one did.
pub(crate) async fn append(
    store: &Store,
    retry: RetryPolicy,
    batch: &Batch,
) -> Result<Appended, AppendError> {
    let mut tries = retry.tries();
    let mut doubt = None;
    loop {
        let error = match store.append_encoded(batch.clone()).await {
            Ok(appended) => return Ok(appended),
            Err(error) if error.has_looked() => return Err(error),
            Err(error) => error,
        };
        let again = error.is_transient() && tries.soon().await;
        let is_doubtful = |error: &AppendError| matches!(error, AppendError::Unknown { .. });
        let error = doubt.filter(|_| !is_doubtful(&error)).unwrap_or(error);
        if !again {
            return Err(error);
        }
        tracing::debug!(%error, "append failed, trying again with the same events");
        doubt = Some(error).filter(is_doubtful);
    }
}
