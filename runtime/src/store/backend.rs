//! What a database must do to hold a log. One backend, one file or folder beside this one.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use uuid::Uuid;

use super::checkpoint::NoTables;
use super::{
    Checkpoint, CheckpointError, DeadLetter, Dialect, Effects, Lease, ProjectionKey, Wakes,
};
use crate::log::{
    AppendError, Appended, Batch, Page, Position, Query, ReadError, Stats, StreamId, TenantId,
    Version,
};
use crate::sql::{Row, Value};

/// A boxed future, as the object-safe traits return them.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An error of the database behind a store, as that database tells it.
///
/// ```
/// let error = recount::store::BackendError::new(std::io::Error::other("disk on fire"));
/// assert_eq!(error.to_string(), "disk on fire");
/// ```
#[derive(Debug)]
pub struct BackendError(Box<dyn std::error::Error + Send + Sync>);

impl BackendError {
    /// Wraps what the database said.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for BackendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// The database could not be used for something that is not the log itself: a snapshot, a checkpoint, a count.
#[derive(Debug, thiserror::Error)]
#[error("the store {store} could not be used")]
#[non_exhaustive]
pub struct StoreError {
    /// The store's URL.
    pub store: String,
    /// What the database said.
    pub source: BackendError,
}

impl StoreError {
    /// An error of the store at this URL.
    pub fn new(
        store: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            store: store.into(),
            source: BackendError::new(source),
        }
    }
}

/// The store was closed and is used nevertheless.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the store is closed; open it again")]
pub(super) struct Closed;

/// The state of an aggregate at a version, kept so that loading need not replay the whole stream.
///
/// ```
/// use recount::{log::Version, store::StoredSnapshot};
///
/// let snapshot = StoredSnapshot { version: Version(100), fingerprint: 7, state: b"{}".to_vec() };
/// assert_eq!(snapshot.version, Version(100));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// The version of the last event that is folded into the state.
    pub version: Version,
    /// The shape of the state and its fold; a snapshot of another shape is ignored.
    pub fingerprint: u64,
    /// The state as JSON.
    pub state: Vec<u8>,
}

/// A database that holds a log.
///
/// [`MemoryBackend`](super::MemoryBackend) is the model to read: it keeps every promise in one file, without a database.
/// `recount::testing::store_contract!`, of the feature `testing`, proves that another one keeps them too.
///
/// # What was done before a backend is asked
/// The handle in front of it, [`Store`](super::Store), has looked at each request:
/// - Names are not empty, not too long and without NUL, schema versions start at 1, payloads are JSON of at most
///   [`NewEvent::MAX_PAYLOAD_BYTES`](crate::log::NewEvent::MAX_PAYLOAD_BYTES), the ids of a batch are distinct, and times are
///   cut to the microsecond.
/// - A query has a page size and a limit of at least 1.
/// - A handle that is bound to a tenant has put it into each stream's name and into the query. One that is bound to none may
///   name streams of any tenant, also of several in one batch.
///
/// # What `tenant: None` means
/// The handle is bound to none. [`read`](Self::read), [`head`](Self::head), [`stats`](Self::stats) and
/// [`delete_snapshots`](Self::delete_snapshots) then mean the whole log, with the events of every tenant and of none;
/// [`checkpoint`](Self::checkpoint) and [`save_checkpoint`](Self::save_checkpoint) mean the projection of no tenant, which is
/// one of its own. A stream whose name carries no tenant is a stream of its own as well.
///
/// # Promises
/// - [`append`](Self::append) is atomic for the whole batch and durable when it returns. Versions are dense, positions rise,
///   and both orders agree.
/// - A future that is dropped leaves what it was about done or not done, never a part of it.
/// - No event appears at or below a position that a reader has seen.
/// - Whoever waits for a change is woken after each append, within milliseconds where [`wakes`](Self::wakes) can do that.
pub trait Backend: Any + Send + Sync + fmt::Debug {
    /// The URL of the store, for messages; without a password.
    fn url(&self) -> &str;

    /// Writes a batch, wholly or not at all, unless it was written before.
    ///
    /// Whether it was is found out before a condition is checked. A batch is the same as an earlier one if the events of both
    /// have the same ids, in the same order, in the same streams, with the same names, schema versions and bytes of payload.
    /// Recorded times, metadata, conditions, parts that only check, and how the events are divided into parts are not compared.
    /// Nothing is written then, and [`Appended`] says so. Any other batch with a known id is an [`AppendError::Duplicate`].
    /// An id is known in the tenant of its stream; [`Batch::tenant`], the handle's, only says whose head is told for a batch
    /// without events.
    ///
    /// Conditions are checked part by part, each after the events of those before it; the first that does not hold is the
    /// [`AppendError::Conflict`].
    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Appended, AppendError>>;

    /// Fills one page, which is empty when it is given, with the next events in the query's order.
    ///
    /// A page takes no further event once [`Page::is_full`] says so or the query's limit is reached, which is what is left of
    /// the whole read's. It may end before that, and the read goes on after its last event; a page without any event ends the
    /// read. A damaged row ends the page before it; alone at the front it is [`ReadError::Corrupt`].
    fn read<'a>(
        &'a self,
        query: &'a Query,
        page: &'a mut Page,
    ) -> BoxFuture<'a, Result<(), ReadError>>;

    /// The version of a stream's last event; 0 when it has none.
    fn version<'a>(&'a self, stream: &'a StreamId) -> BoxFuture<'a, Result<Version, ReadError>>;

    /// The position of the last event that a reader of this tenant may see.
    fn head<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Position, ReadError>>;

    /// Counts. [`Stats::bytes`] is for who is bound to no tenant only.
    fn stats<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Stats, StoreError>>;

    /// The snapshot of a stream, of this shape.
    fn snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        fingerprint: u64,
    ) -> BoxFuture<'a, Result<Option<StoredSnapshot>, StoreError>>;

    /// Keeps a snapshot of a stream, unless a newer one of the same shape is kept; replaces older ones and other shapes.
    /// Of two of the same version and shape either may stay, since they are equal.
    fn save_snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        snapshot: StoredSnapshot,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Deletes the snapshots of a category, or all; returns how many there were.
    fn delete_snapshots<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        category: Option<&'a str>,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// How far a projection got; a projection of a tenant is another than one of the same name without.
    fn checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, StoreError>>;

    /// Saves position, state and effects in one transaction, if the revision that is kept is still the checkpoint's; none is
    /// revision 0. Returns the new revision, which is one more. The position may be any, also an earlier one.
    ///
    /// A backend without tables refuses [statements](Effects::sql) with [`CheckpointError::NoTables`].
    fn save_checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        checkpoint: Checkpoint,
        effects: Effects,
    ) -> BoxFuture<'a, Result<u64, CheckpointError>>;

    /// Lets a holder have a projection's lease for so long from now on, unless another one has it: see [`Lease`].
    ///
    /// A lease that changes hands raises the checkpoint's revision, also that of a checkpoint that was never saved, whose position is
    /// 0. One that is had for no time is free at once. All who ask measure time by one clock.
    fn lease<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        holder: Uuid,
        time: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>>;

    /// The events that a projection has set aside, in all its versions, by fingerprint and position.
    fn dead_letters<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: &'a str,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, StoreError>>;

    /// How tables of projections are named and asked for; `None` where there can be none.
    fn tables(&self) -> Option<&Dialect> {
        None
    }

    /// What a query of one's own gives, of tables of projections; nothing can be written by it.
    ///
    /// Asked only where there are [tables](Self::tables).
    fn query<'a>(
        &'a self,
        text: &'a str,
        values: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, StoreError>> {
        let _ = (text, values);
        Box::pin(async { Err(StoreError::new(self.url(), NoTables)) })
    }

    /// Whom the log wakes when something was appended: by this backend, and by any other on the same log.
    ///
    /// A backend that keeps a [`Wakes`] of its own calls [`wake`](Wakes::wake) after each append that wrote, once its events can
    /// be read, and [`close`](Wakes::close) when it is closed. Not after snapshots and checkpoints, which who reads saves itself.
    /// One that says nothing here wakes who waits every 50 milliseconds, whether there is something or not.
    fn wakes(&self) -> &Wakes {
        Wakes::by_polling_alone()
    }

    /// Finishes what is under way and lets go of files and connections. Using the store afterwards is an error:
    /// [`AppendError::Unavailable`], [`ReadError::Unavailable`] or [`StoreError`], whatever source it has. Closing it again is
    /// none.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
