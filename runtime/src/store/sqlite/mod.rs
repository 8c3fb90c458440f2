//! `sqlite:PATH`, a log in one file: durable, without a server, for one process or a few on one machine.
//!
//! [`Store::connect("sqlite:bank.db")`](crate::Store::connect) opens a file or makes it; [`SqliteOptions`] says more about how.
//! The file is in WAL mode, so `PATH-wal` and `PATH-shm` stand beside it while it is open, and `PATH-turn`, an empty file
//! whose lock makes several processes take turns.
//!
//! # What is promised
//! - An append is one transaction. When it returns, its events are on the disk ([`Synchronous::Full`], the default).
//! - Appends that wait at the same time are committed together, with one `fsync` for all of them. Each keeps an outcome of
//!   its own. A caller that is alone pays for none of this.
//! - Positions have no gaps, and a position that was read is never followed by a new one below it.
//! - Triggers refuse to update or delete rows of the log, and to insert any from outside of this crate.
//! - Several processes may use one file on one machine, for reading and writing. On a network file system, SQLite's locks
//!   cannot be relied upon: use a server instead.
//!
//! - While another process holds the file's lock, an append waits for up to 10 seconds, in the writer's own thread; then it is
//!   [`AppendError::Unavailable`], with nothing written.
//!
//! # The files belong together
//! **Never delete `PATH-wal` by hand**: what was committed last stands only there until it is copied back, which may be all of
//! the log. A file that is moved or deleted while a process has it open takes what that process appends with it.
//!
//! # The tables
//! They are made to be read by people, with `sqlite3 bank.db` and the view `log`:
//!
//! ```sql
//! -- the last ten events, with names, times and ids as text
//! SELECT position, category, id, version, name, recorded_at, payload FROM log ORDER BY position DESC LIMIT 10;
//! -- one stream
//! SELECT version, name, payload FROM log WHERE category = 'account' AND id = 'account_001' ORDER BY version;
//! -- values of the payload
//! SELECT sum(payload ->> '$.amount') FROM log WHERE category = 'account' AND name = 'MoneyDeposited';
//! -- how many events there are of each kind
//! SELECT tenant, category, name, schema_version, count(*) FROM log GROUP BY tenant, category, name, schema_version;
//! ```
//!
//! The view `log` has the columns `position`, `tenant`, `category`, `id`, `version`, `name`, `schema_version`, `recorded_at`,
//! `payload`, `metadata` and `event_id`; in a store with tenants, add `AND tenant = 'acme'`, or `IS NULL`, to each condition.
//!
//! | table | column | holds |
//! |---|---|---|
//! | `events` | `position` | the place in the log, from 1, without gaps |
//! | | `stream`, `version` | the stream's number and the place in it, from 1, without gaps |
//! | | `kind`, `tenant` | numbers of what the event is called, and whose it is (0: no tenant) |
//! | | `event_id` | the UUID, 16 bytes; unique within a tenant |
//! | | `batch` | the position of the first event that was appended together with this one |
//! | | `recorded_at` | microseconds since 1970, UTC |
//! | | `stream_id` | the id part of the stream's name |
//! | | `metadata`, `payload` | JSON text; no metadata is NULL |
//! | `streams` | `stream`, `tenant`, `category`, `id` | the numbers of streams; a row is never changed |
//! | `kinds` | `kind`, `tenant`, `category`, `name`, `schema_version` | the numbers of kinds of events |
//! | `tenants` | `tenant`, `name` | the numbers of tenants |
//! | `snapshots` | `tenant`, `category`, `id`, `version`, `fingerprint`, `state` | states of aggregates; may be deleted at any time |
//! | `checkpoints` | `tenant`, `projection`, `fingerprint`, `revision`, `position`, `state` | how far projections got, and how often that was saved |
//! | | `holder`, `held_until` | who runs the projection, and until when (microseconds since 1970, UTC) if nothing more is heard |
//! | `dead_letters` | `tenant`, `projection`, `fingerprint`, `position` | events that a projection has set aside |
//! | | `category`, `id`, `owner`, `event_id`, `name` | what they are; `owner` is the stream's tenant |
//! | | `error`, `attempts`, `at`, `retry` | why, how often and when they were tried, and whether they are to be again |
//!
//! Tables of projections stand beside them: see [`sql`](crate::sql).
//!
//! # Backups
//! `sqlite3 bank.db "VACUUM INTO 'copy.db'"` copies the log while it is in use. Copying the file alone does not: what was
//! committed last may stand in `PATH-wal`.
//!
//! # Blocking
//! A read takes one page and a lone append one transaction of the calling thread's time: some 100 microseconds on a fast
//! disk, some milliseconds on a slow one. Handing the thread's other tasks over meanwhile, with tokio's `block_in_place`,
//! was measured to cost 15 to 25 microseconds each time, a fifth of an append, so it is left to callers who need it.
//! What may take longer runs on tokio's threads for blocking work: opening, closing, and counting.

mod append;
mod error;
mod group;
mod kinds;
mod names;
mod options;
mod queue;
mod reader;
mod schema;
mod select;
mod state;
mod stats;
mod tables;
mod transaction;
mod turn;
mod watch;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use options::{SqliteOptions, Synchronous};
use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use self::error::{Failure, FromFailure, unreadable};
use self::queue::Writing;
use self::reader::Readers;
use self::state::{DeleteSnapshots, SaveCheckpoint, SaveSnapshot, TakeLease};
use self::transaction::Work;
use self::watch::Watched;
use super::{
    Backend, BoxFuture, Checkpoint, CheckpointError, DeadLetter, Dialect, Effects, Lease,
    ProjectionKey, StoreError, StoredSnapshot, Wakes,
};
use crate::log::{
    AppendError, Appended, Batch, Page, Position, Query, ReadError, Stats, StreamId, TenantId,
    Version,
};
use crate::sql::{Row, Value};

/// Statements that each connection keeps prepared.
const STATEMENTS: usize = 64;

/// A log in a SQLite file. Made by [`SqliteOptions::open`], used through [`Store`](crate::Store).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::{Store, store::sqlite::{SqliteBackend, SqliteOptions}};
///
/// # let directory = std::env::temp_dir().join(format!("recount-doc-{}-backend", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("bank.db");
/// let backend: SqliteBackend = SqliteOptions::new(path).open().await?;
/// let store = Store::new(backend);
/// assert_eq!(store.stats().await?.events, 0);
/// # store.close().await?;
/// # std::fs::remove_dir_all(directory)?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteBackend(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    url: String,
    path: PathBuf,
    readers: Readers,
    /// `None` for a file that is open for reading.
    writing: Option<Writing>,
    watched: Watched,
}

/// The file, as it is opened again for each reader.
#[derive(Debug, Clone)]
struct DatabaseFile {
    path: PathBuf,
    /// Nobody can write to it, and no write-ahead log stands beside it, so that it needs no locks.
    immutable: bool,
}

impl DatabaseFile {
    fn open_for_reading(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = if self.immutable {
            Connection::open_with_flags(
                immutable_url(&self.path),
                flags | OpenFlags::SQLITE_OPEN_URI,
            )?
        } else {
            Connection::open_with_flags(&self.path, flags)?
        };
        set_up_reader(&mut connection)?;
        Ok(connection)
    }
}

fn set_up_reader(connection: &mut Connection) -> rusqlite::Result<()> {
    turn::be_patient(connection)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "query_only", true)
}

/// The path as a URL of SQLite's, which says that the file does not change.
fn immutable_url(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut url = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            url.push(char::from(*byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url.push_str("?immutable=1");
    url
}

impl SqliteBackend {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

impl Inner {
    async fn run<W: Work>(&self, work: W) -> Result<W::Done, W::Error> {
        match &self.writing {
            Some(writing) => writing.run(work).await,
            None => Err(W::Error::from_failure(
                &self.url,
                Failure::opened_for_reading(),
            )),
        }
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        self.readers
            .with(read)
            .map_err(|error| unreadable(&self.url, error))
    }

    fn look_up<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.readers
            .with(read)
            .map_err(|error| StoreError::new(&self.url, error))
    }

    fn close(&self) -> Result<(), StoreError> {
        self.readers.close();
        // Before the writer's connection, so that this is the last one, which takes the write-ahead log with it.
        self.watched.close();
        self.writing.as_ref().map_or(Ok(()), |writing| {
            writing
                .close()
                .map_err(|error| StoreError::new(&self.url, error))
        })
    }
}

/// Does what may wait for other processes on a thread that may wait, where there is one.
async fn waiting<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    if tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that shuts down drops the work, and this future with it.
            Err(_) => std::future::pending().await,
        },
    }
}

impl Backend for SqliteBackend {
    fn url(&self) -> &str {
        &self.0.url
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(self.0.run(batch))
    }

    fn read<'a>(
        &'a self,
        query: &'a Query,
        page: &'a mut Page,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            tokio::task::coop::consume_budget().await;
            self.0.readers.page(query, page)
        })
    }

    fn version<'a>(&'a self, stream: &'a StreamId) -> BoxFuture<'a, Result<Version, ReadError>> {
        Box::pin(async move { self.0.read(|connection| stats::version(connection, stream)) })
    }

    fn head<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Position, ReadError>> {
        Box::pin(async move { self.0.read(|connection| stats::head(connection, tenant)) })
    }

    fn stats<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Stats, StoreError>> {
        let inner = Arc::clone(&self.0);
        let tenant = tenant.cloned();
        Box::pin(waiting(move || {
            let mut stats =
                inner.look_up(|connection| stats::stats(connection, tenant.as_ref()))?;
            if tenant.is_none() {
                stats.bytes = stats::bytes(&inner.path);
            }
            Ok(stats)
        }))
    }

    fn snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        fingerprint: u64,
    ) -> BoxFuture<'a, Result<Option<StoredSnapshot>, StoreError>> {
        Box::pin(async move {
            self.0
                .look_up(|connection| state::snapshot(connection, stream, fingerprint))
        })
    }

    fn save_snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        snapshot: StoredSnapshot,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.run(SaveSnapshot {
            stream: stream.clone(),
            snapshot,
        }))
    }

    fn delete_snapshots<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        category: Option<&'a str>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.0.run(DeleteSnapshots {
            tenant: tenant.cloned(),
            category: category.map(str::to_owned),
        }))
    }

    fn checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, StoreError>> {
        Box::pin(async move {
            self.0
                .look_up(|connection| state::checkpoint(connection, tenant, projection))
        })
    }

    fn save_checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        checkpoint: Checkpoint,
        effects: Effects,
    ) -> BoxFuture<'a, Result<u64, CheckpointError>> {
        Box::pin(self.0.run(SaveCheckpoint {
            tenant: tenant.cloned(),
            projection: projection.name.to_owned(),
            fingerprint: projection.fingerprint,
            checkpoint,
            effects,
        }))
    }

    fn lease<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        holder: Uuid,
        time: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(self.0.run(TakeLease {
            tenant: tenant.cloned(),
            projection: projection.name.to_owned(),
            fingerprint: projection.fingerprint,
            holder,
            time,
        }))
    }

    fn dead_letters<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: &'a str,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, StoreError>> {
        Box::pin(async move {
            self.0
                .look_up(|connection| state::dead_letters(connection, tenant, projection))
        })
    }

    fn tables(&self) -> Option<&Dialect> {
        Some(&tables::DIALECT)
    }

    fn query<'a>(
        &'a self,
        text: &'a str,
        values: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            self.0
                .look_up(|connection| tables::query(connection, text, values))
        })
    }

    fn wakes(&self) -> &Wakes {
        &self.0.watched.wakes
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(waiting(move || inner.close()))
    }
}
