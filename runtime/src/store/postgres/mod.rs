//! `postgres://…`, a log on a PostgreSQL server: for many processes on many machines.
//!
//! [`Store::connect("postgres://clerk@localhost/bank")`](crate::Store::connect) makes a schema called `recount` in the database, or
//! uses the one that is there; [`PostgresOptions`] says more about how. It needs PostgreSQL 13 or later, and a database whose
//! encoding is UTF-8. Its tests have run on 13, 15 and 17, and behind PgBouncer 1.24.
//!
//! # What is promised
//! - An append is one statement, in one transaction and one round trip. When it returns, its events are as durable as the server's
//!   `synchronous_commit` makes them.
//! - Appends that wait at the same time are written together. Each keeps an outcome of its own.
//! - **No committed event is ever skipped**: a reader stays below the frontier, up to which every position is decided. Writers of
//!   several processes do not wait for one another, unless they write to the same streams or one writes to more than 512 at once,
//!   and a transaction that has nothing to do with the log delays nobody. One that appends and stays open holds back readers, and
//!   writers to its streams only.
//! - Positions rise in the order of each stream and have gaps: a position that was drawn by a transaction that failed is never used.
//! - Triggers refuse to update or delete rows of the log, and whoever inserts events by hand takes part in the order all the same.
//!
//! # The tables
//! They are made to be read by people, with `psql` and the view `log`:
//!
//! ```sql
//! -- the last ten events, with names, times and ids as text
//! SELECT position, category, id, version, name, recorded_at, payload FROM recount.log ORDER BY position DESC LIMIT 10;
//! -- one stream
//! SELECT version, name, payload FROM recount.log WHERE stream = recount.stream('account', 'account_001') ORDER BY version;
//! -- values of the payload
//! SELECT sum((payload ->> 'amount')::bigint) FROM recount.log WHERE category = 'account' AND name = 'MoneyDeposited';
//! ```
//!
//! | table | column | holds |
//! |---|---|---|
//! | `events` | `position` | the place in the log |
//! | | `stream`, `version` | the stream, as `recount.stream('account', 'account_001')` gives it, and the place in it, from 1, without gaps |
//! | | `kind`, `tenant` | numbers of what the event is called, and whose it is (0: no tenant) |
//! | | `event_id` | the id, unique within a tenant |
//! | | `batch`, `batch_left` | the id of the first event that was appended together with this one, and how many follow it |
//! | | `recorded_at` | microseconds since 1970, UTC |
//! | | `stream_id` | the id part of the stream's name |
//! | | `metadata`, `payload` | JSON as it was given, byte by byte; no metadata is NULL |
//! | `kinds` | `kind`, `tenant`, `category`, `name`, `schema_version` | the numbers of kinds of events |
//! | `tenants` | `tenant`, `name` | the numbers of tenants |
//! | `snapshots` | `stream`, `tenant`, `category`, `id`, `version`, `fingerprint`, `state` | states of aggregates; may be deleted at any time |
//! | `checkpoints` | `tenant`, `projection`, `fingerprint`, `revision`, `position`, `state` | how far projections got, and how often that was saved |
//! | | `holder`, `held_until` | who runs the projection, and until when if nothing more is heard |
//! | `dead_letters` | `tenant`, `projection`, `fingerprint`, `position` | events that a projection has set aside |
//! | | `category`, `id`, `owner`, `event_id`, `name` | what they are; `owner` is the stream's tenant |
//! | | `error`, `attempts`, `at`, `retry` | why, how often and when they were tried, and whether they are to be again |
//!
//! # Waking readers
//! [`Store::watch`](crate::Store::watch) opens a connection besides the pool's, which listens on the channel `recount_` and the number
//! of the log (see below), until nobody watches any more. After it appended, a process notifies that channel, every 5 milliseconds
//! at most, if a connection of any process holds the lock that says so: `pg_advisory_lock_shared(recount.order_listeners())`.
//! Whoever inserts events by hand may notify too, after the commit: `NOTIFY recount_1234`. Where no notification arrives, as behind a
//! pooler in transaction mode, readers look every 100 milliseconds.
//!
//! # Rights
//! Who makes the log needs `CREATE` on the database. For others, with the schema's own name:
//!
//! ```sql
//! GRANT USAGE ON SCHEMA recount TO reader, writer;
//! GRANT SELECT ON ALL TABLES IN SCHEMA recount TO reader, writer;
//! GRANT SELECT ON ALL SEQUENCES IN SCHEMA recount TO reader, writer;
//! GRANT INSERT ON ALL TABLES IN SCHEMA recount TO writer;
//! GRANT USAGE ON ALL SEQUENCES IN SCHEMA recount TO writer;
//! -- for snapshots and projections
//! GRANT UPDATE, DELETE ON recount.snapshots, recount.checkpoints, recount.dead_letters TO writer;
//! ```
//!
//! # The order
//! Advisory locks of the database hold it, with keys whose upper 16 bits are a number that the log chose when it was made, from 1
//! to 32767 (`SELECT recount.order_number()`). Another application that uses the same keys can delay readers, not mislead them.
//! Readers must ask the server that is written to, not a standby. Never set or cache the sequence `positions`; a log whose sequence
//! was altered is refused with [`ConnectError::UnsafeSequence`](crate::store::ConnectError::UnsafeSequence). Who inserts events by
//! hand leaves the position to its default: one that was drawn earlier is not guarded.
//!
//! # Connections
//! They are opened when they are needed, up to [`PostgresOptions::connections`], and kept. One that broke while nobody used it is
//! replaced silently: one that has rested for a second is tried out before it is used. All times have limits, which
//! [`PostgresOptions::from_url`] lists.
//!
//! Where several load streams at once, they share up to a quarter of the connections, if there are four or more: what they ask goes
//! out together and is answered in turn. Whoever stops polling a load that has a connection holds up nobody else's; one that still
//! waits for a connection keeps its place in the queue.
//!
//! [`TlsMode`] says how connections are encrypted. As with libpq nobody is checked unless the URL asks for it; over a network write
//! `sslmode=verify-full`.
//!
//! # Behind PgBouncer
//! Poolers that give each session a server's session of its own, and pass on what it is told, need nothing. PgBouncer does neither
//! in transaction mode, and refuses the parameter `options`. The log then works without it, if
//!
//! - PgBouncer is 1.21 or later and has `max_prepared_statements` above 0, so that it knows the prepared statements of its clients;
//! - the role brings the settings that a session is told otherwise. [`ConnectError::Pooler`](super::ConnectError::Pooler) shows the
//!   `ALTER ROLE` to run; `RECONNECT` in PgBouncer's console makes it hold for sessions that are open.
//!
//! Time limits in the server are then the role's too: `statement_timeout` and `lock_timeout` of the options are not passed on. In
//! session mode the same holds. A pooler that does not know prepared statements is refused, since it would answer one client with
//! the statement of another.
//!
//! After a failover to a server that has not got the last commits, end the sessions of the pooler's clients too. A process takes
//! kinds and tenants that it saw for there until its connections are made anew, and it does not notice what happens behind the
//! pooler. It remembers no versions of streams, so each append looks for them.
//!
//! # When something fails
//!
//! | what | an append | a read |
//! |---|---|---|
//! | the connection broke before anything was sent | goes out on another one | is asked on another one |
//! | it broke, or the server ended, before the answer | [`Unknown`](AppendError::Unknown): append the same batch again | is asked again, once |
//! | the server cannot be reached, or starts | [`Unavailable`](AppendError::Unavailable), nothing is written | [`ReadError::Unavailable`] |
//! | it took too long, waited too long for a lock or a connection, or was cancelled | `Unavailable`, nothing is written | `Unavailable` |
//! | the disk is full | [`Full`](AppendError::Full), nothing is written | works |
//! | a right is missing, or the session may only read | [`ReadOnly`](AppendError::ReadOnly), nothing is written | works, if it may |
//! | a rule that somebody gave the tables | [`Refused`](AppendError::Refused), nothing of this batch is written | |
//!
//! What was acknowledged outlives the end of the server, however it ends, as long as `fsync` and `synchronous_commit` are on there.
//! A standby is refused when connecting: only the server that is written to knows who appends, so a reader of a standby could
//! miss events.

mod append;
mod call;
mod connection;
mod error;
mod lone;
mod names;
mod notify;
mod options;
mod pool;
mod read;
mod schema;
mod seen;
mod select;
mod server;
mod session;
mod shared;
mod sql;
mod state;
mod statements;
mod tables;
mod tls;
mod within;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use self::connection::Connection;
use self::error::{Cause, Failure, unreadable, unusable};
pub use self::options::PostgresOptions;
use self::read::{Readers, Unread};
use self::server::Server;
pub use self::tls::TlsMode;
pub use self::within::{WithinError, within};
use self::writer::Writer;
use super::{
    Backend, BoxFuture, Checkpoint, CheckpointError, DeadLetter, Dialect, Effects, Lease,
    ProjectionKey, StoreError, StoredSnapshot, Wakes,
};
use crate::log::{
    AppendError, Appended, Batch, Page, Position, Query, ReadError, Stats, StreamId, TenantId,
    Version,
};
use crate::sql::{Row, Value};
pub use tokio_postgres;
use uuid::Uuid;

/// A log on a PostgreSQL server. Made by [`PostgresOptions::open`], used through [`Store`](crate::Store).
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::{Store, store::postgres::{PostgresBackend, PostgresOptions}};
///
/// let backend: PostgresBackend = PostgresOptions::from_url("postgres://localhost/bank")?.open().await?;
/// let store = Store::new(backend);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct PostgresBackend(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: Arc<Server>,
    readers: Readers,
    writer: Arc<Writer>,
}

impl PostgresBackend {
    fn new(server: Server) -> Self {
        let server = Arc::new(server);
        Self(Arc::new(Inner {
            readers: Readers::new(Arc::clone(&server)),
            writer: Arc::new(Writer::new(Arc::clone(&server))),
            server,
        }))
    }
}

impl Inner {
    /// Asks something that changes nothing; once more when the connection was lost, since another one may do.
    async fn ask<T, A>(&self, question: impl Fn(Connection<'static>) -> A) -> Result<T, Cause>
    where
        A: Future<Output = Result<T, Cause>>,
    {
        match question(self.server.lease().await?).await {
            Err(cause) if cause.is_lost() => {
                tracing::debug!(url = self.server.url, %cause, "asked again on another connection");
                self.server.forget_idle();
                question(self.server.lease().await?).await
            }
            Err(cause) if cause.is_cancelled() => {
                self.server.forget_idle();
                Err(cause)
            }
            answer => answer,
        }
    }

    /// A connection to change something on, which is tried once.
    async fn lease(&self) -> Result<Connection<'static>, StoreError> {
        let lease = self.server.lease().await;
        lease.map_err(|cause| self.unusable(cause))
    }

    fn unreadable(&self, cause: Cause) -> ReadError {
        unreadable(&self.server.url, cause)
    }

    fn unusable(&self, cause: Cause) -> StoreError {
        unusable(&self.server.url, cause)
    }

    fn before(&self, cause: Cause) -> AppendError {
        Failure::before(cause).of_append(&self.server.url)
    }

    async fn append(&self, batch: Batch) -> Result<Appended, AppendError> {
        let tenant = batch.tenant().cloned();
        let appended = if batch.parts().is_empty() {
            nothing()
        } else {
            self.writer.append(batch).await?
        };
        if appended.position > Position::START {
            return Ok(appended);
        }
        // Apart, since it is seldom, and each append would carry its room.
        Box::pin(async {
            let connection = self.server.lease().await;
            let connection = connection.map_err(|cause| self.before(cause))?;
            self.at_head(appended, tenant.as_ref(), &connection).await
        })
        .await
    }

    /// An append without events is told where the log ends; nothing of those that the tenant cannot see.
    async fn at_head(
        &self,
        mut appended: Appended,
        tenant: Option<&TenantId>,
        connection: &Connection<'_>,
    ) -> Result<Appended, AppendError> {
        let head = self.server.head(connection, tenant).await;
        appended.position = head.map_err(|cause| self.before(cause))?;
        Ok(appended)
    }
}

/// What a batch without parts comes to.
fn nothing() -> Appended {
    Appended {
        position: Position::START,
        streams: Vec::new(),
        repeated: false,
    }
}

impl Backend for PostgresBackend {
    fn url(&self) -> &str {
        &self.0.server.url
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(self.0.append(batch))
    }

    fn read<'a>(
        &'a self,
        query: &'a Query,
        page: &'a mut Page,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        let inner = &*self.0;
        Box::pin(async move {
            let mut lost = false;
            loop {
                let is_stream = query.stream.is_some();
                let alone = is_stream.then(|| inner.server.shared.alone()).flatten();
                let connection = if is_stream && alone.is_none() {
                    inner.server.lease_shared().await
                } else {
                    inner.server.lease().await
                };
                let connection = connection.map_err(|cause| inner.unreadable(cause))?;
                match inner.readers.page(query, page, &connection).await {
                    Ok(()) => return Ok(()),
                    // Another connection may do.
                    Err(Unread::Cause(cause)) if cause.is_lost() && !lost => {
                        lost = true;
                        inner.server.forget(connection);
                    }
                    Err(unread) => {
                        if matches!(&unread, Unread::Cause(cause) if cause.is_cancelled()) {
                            connection.discard();
                        }
                        return Err(unread.of(&inner.server.url));
                    }
                }
            }
        })
    }

    fn version<'a>(&'a self, stream: &'a StreamId) -> BoxFuture<'a, Result<Version, ReadError>> {
        let inner = &*self.0;
        Box::pin(async move {
            let ask = async |on| inner.server.version(&on, stream).await;
            inner
                .ask(ask)
                .await
                .map_err(|cause| inner.unreadable(cause))
        })
    }

    fn head<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Position, ReadError>> {
        let inner = &*self.0;
        Box::pin(async move {
            let ask = async |on| inner.server.head(&on, tenant).await;
            inner
                .ask(ask)
                .await
                .map_err(|cause| inner.unreadable(cause))
        })
    }

    fn stats<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Stats, StoreError>> {
        let inner = &*self.0;
        Box::pin(async move {
            let ask = async |on| inner.server.stats(&on, tenant).await;
            inner.ask(ask).await.map_err(|cause| inner.unusable(cause))
        })
    }

    fn snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        fingerprint: u64,
    ) -> BoxFuture<'a, Result<Option<StoredSnapshot>, StoreError>> {
        let inner = &*self.0;
        Box::pin(async move {
            let ask = async |on| inner.server.snapshot(&on, stream, fingerprint).await;
            inner.ask(ask).await.map_err(|cause| inner.unusable(cause))
        })
    }

    fn save_snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        snapshot: StoredSnapshot,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let inner = &*self.0;
        Box::pin(async move {
            let on = inner.lease().await?;
            let saved = inner.server.save_snapshot(&on, stream, snapshot).await;
            saved.map_err(|cause| inner.unusable(cause))
        })
    }

    fn delete_snapshots<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        category: Option<&'a str>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        let inner = &*self.0;
        Box::pin(async move {
            let on = inner.lease().await?;
            let deleted = inner.server.delete_snapshots(&on, tenant, category).await;
            deleted.map_err(|cause| inner.unusable(cause))
        })
    }

    fn checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, StoreError>> {
        let inner = &*self.0;
        Box::pin(async move {
            let ask = async |on| inner.server.checkpoint(&on, tenant, projection).await;
            inner.ask(ask).await.map_err(|cause| inner.unusable(cause))
        })
    }

    fn save_checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        checkpoint: Checkpoint,
        effects: Effects,
    ) -> BoxFuture<'a, Result<u64, CheckpointError>> {
        let Inner { server, .. } = &*self.0;
        Box::pin(async move {
            let on = self.0.lease().await?;
            if effects.is_empty() {
                let saved = server.save_checkpoint(&on, tenant, projection, checkpoint);
                return saved.await;
            }
            let saved = server.save_with_effects(on, tenant, projection, checkpoint, &effects);
            saved.await
        })
    }

    fn lease<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        holder: Uuid,
        time: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        let inner = &*self.0;
        Box::pin(async move {
            let ask = async |on| {
                let server = &inner.server;
                server.hold(&on, tenant, projection, holder, time).await
            };
            inner.ask(ask).await.map_err(|cause| inner.unusable(cause))
        })
    }

    fn dead_letters<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: &'a str,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, StoreError>> {
        let inner = &*self.0;
        Box::pin(async move {
            let ask = async |on| inner.server.dead_letters(&on, tenant, projection).await;
            inner.ask(ask).await.map_err(|cause| inner.unusable(cause))
        })
    }

    fn tables(&self) -> Option<&Dialect> {
        Some(&self.0.server.dialect)
    }

    fn query<'a>(
        &'a self,
        text: &'a str,
        values: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, StoreError>> {
        let inner = &*self.0;
        Box::pin(async move {
            let ask = async |on| inner.server.query(&on, text, values).await;
            inner.ask(ask).await.map_err(|cause| inner.unusable(cause))
        })
    }

    fn wakes(&self) -> &Wakes {
        &self.0.server.wakes
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let inner = &self.0;
        Box::pin(async move {
            inner.writer.close().await;
            inner.server.others.told().await;
            inner.server.pool.close();
            inner.server.wakes.close();
            inner.server.others.ended().await;
            Ok(())
        })
    }
}
