//! The store: one handle in front of any database that holds a log.

mod backend;
mod checkpoint;
mod connect;
mod dead_letters;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod kinds;
mod memory;
mod poller;
#[cfg(feature = "postgres")]
pub mod postgres;
mod reader;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod subscription;
mod watch;

use std::sync::Arc;

pub use backend::{Backend, BackendError, BoxFuture, StoreError, StoredSnapshot};
pub use checkpoint::{
    Checkpoint, CheckpointError, DeadLetter, Dialect, Effects, Lease, ProjectionKey, Replaces,
};
pub use connect::ConnectError;
pub use dead_letters::Retrying;
pub use memory::MemoryBackend;
pub use reader::Reader;
pub use subscription::Subscription;
pub use watch::{Wakes, Watch};

use crate::clock::{Clock, IdSource, Ids, Sources};
use crate::log::{
    AppendError, Appended, Batch, Expected, NameError, NewEvent, Position, Query, ReadError, Stats,
    StreamId, TenantId, Version,
};

/// A handle on a log: cheap to clone, safe to share, the same for every database.
///
/// It is what repositories and projections are made from. Use it directly to append events that no aggregate decides,
/// to read across streams, and for counts.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::{Store, log::{Expected, NewEvent, StreamId, Version}};
///
/// let store = Store::connect("memory:").await?;
/// let stream = StreamId::new("note", "1")?;
/// let appended = store.append(&stream, Expected::NoStream, [NewEvent::json("Noted", 1, &"hello")?]).await?;
/// assert_eq!(appended.version(), Version(1));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    tenant: Option<TenantId>,
    sources: Sources,
    background: crate::background::Background,
    turns: crate::turns::Turns,
    spare_pages: reader::SparePages,
}

/// The handle is bound to a tenant and cannot be bound to another.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TenantError {
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The handle is bound already.
    #[error(
        "this handle is bound to tenant {bound} and cannot reach tenant {wanted}; ask the handle that it was made from"
    )]
    Bound {
        /// The handle's tenant.
        bound: TenantId,
        /// The tenant that was asked for.
        wanted: TenantId,
    },
}

impl Store {
    /// Opens the store at a URL: `memory:` for one that ends with the process, `sqlite:PATH` for a file,
    /// `postgres://USER@HOST/DATABASE` for a server. The file, and the schema in the database, are made when they are not there.
    ///
    /// # Errors
    /// [`ConnectError`] says what the URL is or what is behind it, and what to do.
    ///
    /// # Cancel safety
    /// A dropped future leaves a complete store or none.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = recount::Store::connect("memory:").await?;
    /// assert_eq!(store.url(), "memory:");
    /// # Ok(()) }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        connect::connect(url).await
    }

    /// A handle on a database of one's own.
    pub fn new(backend: impl Backend) -> Self {
        Self {
            backend: Arc::new(backend),
            tenant: None,
            sources: Sources::default(),
            background: crate::background::Background::default(),
            turns: crate::turns::Turns::default(),
            spare_pages: reader::SparePages::default(),
        }
    }

    /// The same store, with another clock for the events that are recorded through this handle.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.sources.clock = Arc::new(clock);
        self
    }

    /// The same store, with another source for the ids of the events that are recorded through this handle.
    #[must_use]
    pub fn with_ids(mut self, ids: impl IdSource) -> Self {
        self.sources.ids = Ids::New(Arc::new(ids));
        self
    }

    /// The same store, seen by one tenant: the handle reads, writes and counts nothing else, and cannot be widened.
    ///
    /// The same stream id in two tenants is two streams. A handle that is bound to no tenant has streams of its own,
    /// and its reads across streams see those of all tenants. A projection over them must keep them apart by the whole
    /// stream, `at.stream`, since `at.stream.id()` may be the same in two.
    ///
    /// # Errors
    /// [`TenantError`] when the name is empty, too long or holds a NUL character, and when this handle is bound to another.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = recount::Store::connect("memory:").await?;
    /// let acme = store.for_tenant("acme")?;
    /// assert!(acme.for_tenant("globex").is_err());
    /// # Ok(()) }
    /// ```
    pub fn for_tenant(&self, tenant: &str) -> Result<Self, TenantError> {
        let wanted = TenantId::new(tenant)?;
        match &self.tenant {
            Some(bound) if *bound != wanted => Err(TenantError::Bound {
                bound: bound.clone(),
                wanted,
            }),
            _ => Ok(Self {
                tenant: Some(wanted),
                ..self.clone()
            }),
        }
    }

    /// The same store, bound to this tenant unless it is bound already.
    pub(crate) fn within(&self, tenant: Option<&TenantId>) -> Self {
        Self {
            tenant: self.tenant.as_ref().or(tenant).cloned(),
            ..self.clone()
        }
    }

    /// The tenant that the handle is bound to, if any.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// The URL of the store, without a password.
    pub fn url(&self) -> &str {
        self.backend.url()
    }

    /// Appends events to one stream.
    ///
    /// # Errors
    /// [`AppendError`]: a conflict names what was expected and what is there; every other says whether something was written.
    ///
    /// # Cancel safety
    /// A future that is dropped after its first poll leaves the events written or not written, never a part of them.
    /// Appending them again, with the same ids, is safe.
    pub async fn append(
        &self,
        stream: &StreamId,
        expected: Expected,
        events: impl IntoIterator<Item = NewEvent>,
    ) -> Result<Appended, AppendError> {
        self.append_batch(Batch::new().append(stream.clone(), expected, events))
            .await
    }

    /// Appends to several streams, together or not at all.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    ///
    /// # Cancel safety
    /// As [`append`](Self::append).
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use recount::log::{Batch, Expected, NewEvent, StreamId};
    ///
    /// let store = recount::Store::connect("memory:").await?;
    /// let batch = Batch::new()
    ///     .append(StreamId::new("account", "a")?, Expected::NoStream, [NewEvent::json("Sent", 1, &10)?])
    ///     .append(StreamId::new("account", "b")?, Expected::NoStream, [NewEvent::json("Received", 1, &10)?]);
    /// assert_eq!(store.append_batch(batch).await?.streams.len(), 2);
    /// # Ok(()) }
    /// ```
    pub async fn append_batch(&self, batch: Batch) -> Result<Appended, AppendError> {
        let batch = self.accept(batch)?;
        self.backend.append(batch.by(self.tenant.clone())).await
    }

    /// Appends what this crate encoded itself, whose payloads need not be parsed again. Its streams are named in full: a root
    /// that was loaded through another handle is not taken for one of this handle's tenant.
    pub(crate) async fn append_encoded(&self, batch: Batch) -> Result<Appended, AppendError> {
        batch.validate(false)?;
        if let Some(tenant) = &self.tenant
            && let Some(part) = batch
                .parts()
                .iter()
                .find(|part| part.stream.tenant() != Some(tenant))
        {
            return Err(AppendError::OutsideTenant {
                stream: part.stream.clone(),
                tenant: tenant.clone(),
            });
        }
        self.backend.append(batch.by(self.tenant.clone())).await
    }

    /// Reads what a query selects, page by page.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use recount::log::Query;
    ///
    /// let store = recount::Store::connect("memory:").await?;
    /// let mut reader = store.read(Query::all().category("account"));
    /// while let Some(page) = reader.next_page().await? {
    ///     for record in page.iter() {
    ///         println!("{} {}", record.position(), record.name());
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn read(&self, mut query: Query) -> Reader {
        let mut refused = None;
        if let Some(stream) = query.stream.take() {
            match self.bind(&stream) {
                Ok(stream) => query.stream = Some(stream),
                Err((stream, tenant)) => {
                    refused = Some(ReadError::OutsideTenant { stream, tenant });
                }
            }
        }
        // The handle's tenant, never the query's, decides what is seen.
        query.tenant.clone_from(&self.tenant);
        Reader::new(
            Arc::clone(&self.backend),
            self.spare_pages.clone(),
            query,
            refused,
        )
    }

    /// Follows what a query selects: first what is stored, then what is appended.
    ///
    /// A query says where to begin, [`after`](Query::after) which position, and which events: of a
    /// [category](Query::category), of some [names](Query::names), of a [stream](Query::stream). The store looks for those alone.
    /// It is read forwards, whatever the query says.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use recount::log::{Expected, NewEvent, Query, StreamId};
    ///
    /// let store = recount::Store::connect("memory:").await?;
    /// let mut subscription = store.subscribe(Query::all().names(["Noted"]).limit(1));
    /// # let writer = store.clone();
    /// # tokio::spawn(async move {
    /// #     writer.append(&StreamId::new("note", "1").unwrap(), Expected::Any, [NewEvent::json("Noted", 1, &"hello").unwrap()]).await
    /// # });
    /// while let Some(page) = subscription.next_page().await? {
    ///     for record in page.iter() {
    ///         println!("{} {}", record.position(), record.name());
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn subscribe(&self, query: Query) -> Subscription {
        Subscription::new(self.clone(), query)
    }

    /// The version of a stream's last event; 0 when it has none.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub async fn version(&self, stream: &StreamId) -> Result<Version, ReadError> {
        let stream = self
            .bind(stream)
            .map_err(|(stream, tenant)| ReadError::OutsideTenant { stream, tenant })?;
        self.backend.version(&stream).await
    }

    /// The position of the last event that this handle can see; 0 when there is none.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub async fn head(&self) -> Result<Position, ReadError> {
        self.backend.head(self.tenant.as_ref()).await
    }

    /// Counts over what this handle can see.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        self.backend.stats(self.tenant.as_ref()).await
    }

    /// Waits for appends: by this process and by any other, through whichever handle.
    ///
    /// Make it before the first read; [`Watch`] shows how to go on. Watching costs next to nothing while nothing happens:
    /// - `memory:`: nothing but the appends wake.
    /// - `sqlite:`: a thread looks every few milliseconds while somebody waits whether another process wrote to the file.
    /// - `postgres:`: a connection of its own listens for notifications, in the tokio runtime of who waits first; and everybody is
    ///   woken once a second all the same, since notifications can be lost.
    ///
    /// # Tenants
    /// A handle that is bound to a tenant is woken by the appends of all tenants. That tells nothing of what they are, but that
    /// there is one, and when. Do not pass wake-ups on to a tenant; pass on what is read after them.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use recount::log::{Expected, NewEvent, StreamId};
    ///
    /// let store = recount::Store::connect("memory:").await?;
    /// let mut watch = store.watch();
    /// store.append(&StreamId::new("note", "1")?, Expected::Any, [NewEvent::json("Noted", 1, &"hello")?]).await?;
    /// watch.changed().await; // returns at once
    /// # Ok(()) }
    /// ```
    pub fn watch(&self) -> Watch {
        self.backend.wakes().watch()
    }

    /// Wakes all who [`watch`](Self::watch) this log, in this process and in others, as an append does.
    ///
    /// Appends through a store do this by themselves. It is for whoever writes to the log in another way, in a transaction of
    /// their own for example: call it once that is committed. Without it others find out a second later.
    ///
    /// On PostgreSQL others are told by a task, so it must be called within a tokio runtime; elsewhere only this process is woken.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = recount::Store::connect("memory:").await?;
    /// let mut watch = store.watch();
    /// store.wake();
    /// watch.changed().await;
    /// # Ok(()) }
    /// ```
    pub fn wake(&self) {
        self.backend.wakes().wake();
    }

    /// Deletes the snapshots of one category, or all that this handle can see; no result changes by it.
    /// Returns how many there were.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn delete_snapshots(&self, category: Option<&str>) -> Result<u64, StoreError> {
        self.backend
            .delete_snapshots(self.tenant.as_ref(), category)
            .await
    }

    /// Waits for the snapshots that are being written, then lets go of files and connections.
    ///
    /// A store that is merely dropped loses no event; it may lose a snapshot that was not yet written, which is a cache.
    ///
    /// # Errors
    /// [`StoreError`] when the database could not finish.
    pub async fn close(self) -> Result<(), StoreError> {
        self.background.idle().await;
        self.backend.close().await
    }

    /// Waits until no snapshot is being written.
    pub async fn settle(&self) {
        self.background.idle().await;
    }

    /// The same handle on another backend.
    #[cfg(feature = "testing")]
    pub(crate) fn over(&self, backend: Arc<dyn Backend>) -> Self {
        Self {
            backend,
            ..self.clone()
        }
    }

    /// The same handle on a backend of which nothing may be shared with this one's: neither turns nor what runs in the background.
    #[cfg(feature = "postgres")]
    pub(crate) fn apart(&self, backend: Arc<dyn Backend>) -> Self {
        Self {
            tenant: self.tenant.clone(),
            sources: self.sources.clone(),
            backend,
            background: crate::background::Background::default(),
            turns: crate::turns::Turns::default(),
            spare_pages: reader::SparePages::default(),
        }
    }

    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// A batch that was given by hand, as it is stored: looked over, its times as they are kept, its streams this handle's.
    pub(crate) fn accept(&self, mut batch: Batch) -> Result<Batch, AppendError> {
        batch.validate(true)?;
        for part in batch.parts_mut() {
            part.keep_microseconds();
            part.stream = self
                .bind(&part.stream)
                .map_err(|(stream, tenant)| AppendError::OutsideTenant { stream, tenant })?;
        }
        Ok(batch)
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    pub(crate) fn turns(&self) -> &crate::turns::Turns {
        &self.turns
    }

    pub(crate) fn background(&self) -> &crate::background::Background {
        &self.background
    }

    /// The stream as this handle means it, or the refusal when it belongs to another tenant.
    pub(crate) fn bind(&self, stream: &StreamId) -> Result<StreamId, (StreamId, TenantId)> {
        match (&self.tenant, stream.tenant()) {
            (None, _) => Ok(stream.clone()),
            (Some(bound), Some(other)) if bound != other => Err((stream.clone(), bound.clone())),
            (Some(bound), _) => Ok(stream.clone().in_tenant(Some(bound.clone()))),
        }
    }
}
