//! The log inside of a transaction of the caller's.
//!
//! The caller's transaction is borrowed, but a store lives as long as it likes; so the store that is handed out only sends requests,
//! and whoever holds the transaction answers them, one after the other, until the caller's work is done.

use std::any::Any;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::append::append;
use super::connection::Connection;
use super::error::{Cause, Failure, unreadable, unusable};
use super::{Inner, PostgresBackend, nothing};
use crate::log::{
    AppendError, Appended, Batch, Page, Position, Query, ReadError, Stats, StreamId, TenantId,
    Version,
};
use crate::sql::{Row, Value};
use crate::store::{
    Backend, BackendError, BoxFuture, Checkpoint, CheckpointError, DeadLetter, Dialect, Effects,
    Lease, ProjectionKey, Store, StoreError, StoredSnapshot, Wakes,
};

/// Why a store cannot work inside of a transaction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WithinError {
    /// The store is not on PostgreSQL.
    #[error("the store {store} is not on PostgreSQL, so it cannot be part of a transaction there")]
    NotPostgres {
        /// The store's URL.
        store: String,
    },
    /// The store is inside of a transaction already.
    #[error("the store {store} is inside of a transaction already; use it as it is")]
    Nested {
        /// The store's URL.
        store: String,
    },
    /// The transaction is one of another database than the log's.
    #[error(
        "the log of {store} is not in the database {database} of the transaction; begin it on a connection to the log's database"
    )]
    OtherDatabase {
        /// The store's URL.
        store: String,
        /// The database that the transaction is in.
        database: String,
    },
    /// The transaction does not see what others commit while it runs.
    #[error(
        "the log needs the isolation level READ COMMITTED, and the transaction has {level}; begin it with that one"
    )]
    Isolation {
        /// The transaction's level.
        level: String,
    },
    /// The database could not be asked.
    #[error("the transaction could not be looked at for the store {store}")]
    Unavailable {
        /// The store's URL.
        store: String,
        /// What the database said.
        source: BackendError,
    },
}

/// Does some work with the log inside of a transaction of one's own, so that one's own tables and the log are committed together.
///
/// The store that `work` is given is the same log, with the same tenant, clock and ids: repositories, units of work and projections
/// work on it. What it appends and which checkpoints it saves is committed, or undone, with the transaction, after `work` has ended.
/// Loads see what the transaction appended; [`Store::read`] across streams and projections do not, since the place of events among
/// those of others is settled by the commit.
///
/// The transaction comes from any pool that hands out those of `tokio-postgres`, of [the version](tokio_postgres) that is exported
/// here.
///
/// - **Append late, commit soon.** From the first append until the transaction ends nobody else writes to its streams, and readers
///   wait at the position before it.
/// - A conflict or a known id leaves the transaction as it was. Any other error undoes it, as errors of the server do: roll it
///   back.
/// - Call [`Store::wake`] after the commit: whoever watches the log reads on at once then, and a second later without.
/// - **Use the store that `work` is given**, under the same name, so that the other is out of reach: an append to the same stream
///   through the other one waits for your transaction, which waits for it, until `lock_timeout` ends that.
/// - Snapshots are not taken.
///
/// # Errors
/// [`WithinError`] when the log is not in the transaction's database, or the transaction has another isolation level than READ
/// COMMITTED. Nothing was done then.
///
/// # Cancel safety
/// A dropped future leaves the transaction with what was done until then, and open: roll it back.
///
/// # Examples
/// ```no_run
/// use recount::{prelude::*, store::postgres::{tokio_postgres, within}};
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct AccountId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Deposited { pub amount: i64 }
/// # #[derive(Debug, Clone, Default, PartialEq, Aggregate)] #[aggregate(stream = "account", id = AccountId)] pub struct Account { pub balance: i64 }
/// # #[apply] impl Account { fn deposited(&mut self, event: Deposited) { self.balance += event.amount; } }
///
/// async fn pay(store: &Store, client: &mut tokio_postgres::Client, invoice: i64) -> Result<(), Box<dyn std::error::Error>> {
///     let transaction = client.transaction().await?;
///     transaction.execute("UPDATE invoices SET paid = true WHERE id = $1", &[&invoice]).await?;
///     let account = AccountId::new("account_001")?;
///     within(store, &transaction, async |store| {
///         Repository::<Account>::new(&store).execute(&account, |_| Ok(Deposited { amount: 100 })).await
///     })
///     .await??;
///     transaction.commit().await?;
///     store.wake();
///     Ok(())
/// }
/// ```
pub async fn within<T>(
    store: &Store,
    transaction: &Transaction<'_>,
    work: impl AsyncFnOnce(Store) -> T,
) -> Result<T, WithinError> {
    let backend: &dyn Any = &**store.backend();
    if backend.is::<Inside>() {
        return Err(WithinError::Nested {
            store: store.url().to_owned(),
        });
    }
    let Some(PostgresBackend(inner)) = backend.downcast_ref() else {
        return Err(WithinError::NotPostgres {
            store: store.url().to_owned(),
        });
    };
    let connection = Connection::of_caller(transaction.client());
    check(inner, &connection).await?;
    let (requests, mut asked) = mpsc::unbounded_channel();
    let inside = Inside {
        inner: Arc::clone(inner),
        requests,
    };
    let mut work = pin!(work(store.apart(Arc::new(inside))));
    loop {
        let request = match select(work.as_mut(), pin!(asked.recv())).await {
            Either::Left((done, _)) => return Ok(done),
            Either::Right((request, _)) => request,
        };
        let Some(request) = request else {
            // No store is left that could ask.
            return Ok(work.await);
        };
        // The work goes on meanwhile: it may hold what the answer waits for, as a connection of the pool.
        match select(work.as_mut(), pin!(request.answer(inner, &connection))).await {
            Either::Left((done, answer)) => {
                // Who asked is told, also when the work did not wait for it.
                answer.await;
                return Ok(done);
            }
            Either::Right(_) => {}
        }
    }
}

/// Whether the transaction can take part. Asks in a way that fails nothing in it.
async fn check(inner: &Inner, connection: &Connection<'_>) -> Result<(), WithinError> {
    let server = &inner.server;
    let store = || server.url.clone();
    let unavailable = |cause: Cause| WithinError::Unavailable {
        store: store(),
        source: BackendError::new(cause),
    };
    let lease = server.lease().await.map_err(unavailable)?;
    let identity = async |connection: &Connection<'_>| -> Result<_, Cause> {
        let row = connection.query_one(&server.sql.identity, &[]).await?;
        let of: (Option<String>, String) = (row.try_get(0)?, row.try_get(1)?);
        Ok((of, row.try_get::<_, String>(2)?))
    };
    let (log, _) = identity(&lease).await.map_err(unavailable)?;
    drop(lease);
    let (theirs, level) = identity(connection).await.map_err(unavailable)?;
    if theirs != log {
        return Err(WithinError::OtherDatabase {
            store: store(),
            database: theirs.1,
        });
    }
    if level != "read committed" {
        return Err(WithinError::Isolation { level });
    }
    Ok(())
}

/// What is asked of whoever holds the transaction, and where the answer goes.
enum Request {
    Append(Batch, oneshot::Sender<Result<Appended, AppendError>>),
    Read(Query, Page, oneshot::Sender<(Result<(), ReadError>, Page)>),
    Version(StreamId, oneshot::Sender<Result<Version, Cause>>),
    Head(Option<TenantId>, oneshot::Sender<Result<Position, Cause>>),
    Stats(Option<TenantId>, oneshot::Sender<Result<Stats, Cause>>),
    Snapshot(
        StreamId,
        u64,
        oneshot::Sender<Result<Option<StoredSnapshot>, Cause>>,
    ),
    DeleteSnapshots(
        Option<TenantId>,
        Option<String>,
        oneshot::Sender<Result<u64, Cause>>,
    ),
    Checkpoint(Key, oneshot::Sender<Result<Option<Checkpoint>, Cause>>),
    SaveCheckpoint(
        Key,
        Checkpoint,
        Effects,
        oneshot::Sender<Result<u64, CheckpointError>>,
    ),
    Lease(Key, Uuid, Duration, oneshot::Sender<Result<Lease, Cause>>),
    DeadLetters(
        Option<TenantId>,
        String,
        oneshot::Sender<Result<Vec<DeadLetter>, Cause>>,
    ),
    Query(String, Vec<Value>, oneshot::Sender<Result<Vec<Row>, Cause>>),
}

/// A projection of a tenant.
struct Key {
    tenant: Option<TenantId>,
    name: String,
    fingerprint: u64,
}

impl Key {
    fn of(tenant: Option<&TenantId>, projection: ProjectionKey<'_>) -> Self {
        Self {
            tenant: tenant.cloned(),
            name: projection.name.to_owned(),
            fingerprint: projection.fingerprint,
        }
    }

    fn projection(&self) -> ProjectionKey<'_> {
        ProjectionKey {
            name: &self.name,
            fingerprint: self.fingerprint,
        }
    }
}

impl Request {
    /// Who does not wait for an answer any more does not get it.
    async fn answer(self, inner: &Inner, connection: &Connection<'_>) {
        let server = &inner.server;
        match self {
            Self::Append(batch, to) => drop(to.send(inner.append_within(&batch, connection).await)),
            Self::Read(query, mut page, to) => {
                let read = inner.readers.page(&query, &mut page, connection).await;
                let read = read.map_err(|unread| unread.of(&server.url));
                drop(to.send((read, page)));
            }
            Self::Version(stream, to) => drop(to.send(server.version(connection, &stream).await)),
            Self::Head(tenant, to) => drop(to.send(server.head(connection, tenant.as_ref()).await)),
            Self::Stats(tenant, to) => {
                drop(to.send(server.stats(connection, tenant.as_ref()).await));
            }
            Self::Snapshot(stream, fingerprint, to) => {
                drop(to.send(server.snapshot(connection, &stream, fingerprint).await));
            }
            Self::DeleteSnapshots(tenant, category, to) => {
                let (tenant, category) = (tenant.as_ref(), category.as_deref());
                drop(to.send(server.delete_snapshots(connection, tenant, category).await));
            }
            Self::Checkpoint(key, to) => {
                let (tenant, projection) = (key.tenant.as_ref(), key.projection());
                drop(to.send(server.checkpoint(connection, tenant, projection).await));
            }
            Self::SaveCheckpoint(key, checkpoint, effects, to) => {
                let (tenant, projection) = (key.tenant.as_ref(), key.projection());
                let saved =
                    server.save_within(connection, tenant, projection, checkpoint, &effects);
                drop(to.send(saved.await));
            }
            Self::Lease(key, holder, time, to) => {
                let (tenant, projection) = (key.tenant.as_ref(), key.projection());
                let lease = server.hold(connection, tenant, projection, holder, time);
                drop(to.send(lease.await));
            }
            Self::DeadLetters(tenant, projection, to) => {
                let letters = server.dead_letters(connection, tenant.as_ref(), &projection);
                drop(to.send(letters.await));
            }
            Self::Query(text, values, to) => {
                drop(to.send(server.query(connection, &text, &values).await));
            }
        }
    }
}

impl Inner {
    async fn append_within(
        &self,
        batch: &Batch,
        connection: &Connection<'_>,
    ) -> Result<Appended, AppendError> {
        let appended = if batch.parts().is_empty() {
            nothing()
        } else {
            let outcome = append(&[batch], connection, &self.server).await.pop();
            outcome.unwrap_or_else(|| Ok(nothing()))?
        };
        if appended.position > Position::START {
            return Ok(appended);
        }
        self.at_head(appended, batch.tenant(), connection).await
    }
}

/// The log as it is seen from inside of a transaction, for as long as somebody answers.
struct Inside {
    inner: Arc<Inner>,
    requests: mpsc::UnboundedSender<Request>,
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inside").field(&self.inner).finish()
    }
}

/// The work that the store was made for has ended.
const ENDED: Cause =
    Cause::Other("the work inside of the transaction has ended, and its store with it");

/// The future of the work and its transaction was dropped while something was asked.
const DROPPED: Cause =
    Cause::Other("the work inside of the transaction was dropped before it was answered");

impl Inside {
    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Cause> {
        let (to, answer) = oneshot::channel();
        // Nobody answers when nobody takes it.
        let _ = self.requests.send(request(to));
        answer.await.map_err(|_| ENDED)
    }

    fn unreadable(&self, cause: Cause) -> ReadError {
        unreadable(&self.inner.server.url, cause)
    }

    fn unusable(&self, cause: Cause) -> StoreError {
        unusable(&self.inner.server.url, cause)
    }
}

impl Backend for Inside {
    fn url(&self) -> &str {
        &self.inner.server.url
    }

    fn wakes(&self) -> &Wakes {
        &self.inner.server.wakes
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            let (to, answer) = oneshot::channel();
            let failure = match self.requests.send(Request::Append(batch, to)) {
                Err(_) => Failure::before(ENDED),
                // It may have been sent to the server, and be committed with the transaction.
                Ok(()) => match answer.await {
                    Ok(appended) => return appended,
                    Err(_) => Failure::Unknown(DROPPED),
                },
            };
            Err(failure.of_append(self.url()))
        })
    }

    fn read<'a>(
        &'a self,
        query: &'a Query,
        page: &'a mut Page,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let empty = std::mem::take(page);
            let answer = self.ask(|to| Request::Read(query.clone(), empty, to)).await;
            let (read, full) = answer.map_err(|cause| self.unreadable(cause))?;
            *page = full;
            read
        })
    }

    fn version<'a>(&'a self, stream: &'a StreamId) -> BoxFuture<'a, Result<Version, ReadError>> {
        Box::pin(async move {
            let version = self.ask(|to| Request::Version(stream.clone(), to)).await;
            version.flatten().map_err(|cause| self.unreadable(cause))
        })
    }

    fn head<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Position, ReadError>> {
        Box::pin(async move {
            let head = self.ask(|to| Request::Head(tenant.cloned(), to)).await;
            head.flatten().map_err(|cause| self.unreadable(cause))
        })
    }

    fn stats<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Stats, StoreError>> {
        Box::pin(async move {
            let stats = self.ask(|to| Request::Stats(tenant.cloned(), to)).await;
            stats.flatten().map_err(|cause| self.unusable(cause))
        })
    }

    fn snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        fingerprint: u64,
    ) -> BoxFuture<'a, Result<Option<StoredSnapshot>, StoreError>> {
        Box::pin(async move {
            let request = |to| Request::Snapshot(stream.clone(), fingerprint, to);
            let snapshot = self.ask(request).await;
            snapshot.flatten().map_err(|cause| self.unusable(cause))
        })
    }

    /// Nothing that is not asked for is written into the caller's transaction.
    fn save_snapshot<'a>(
        &'a self,
        _: &'a StreamId,
        _: StoredSnapshot,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn delete_snapshots<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        category: Option<&'a str>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let category = category.map(str::to_owned);
            let request = |to| Request::DeleteSnapshots(tenant.cloned(), category, to);
            let deleted = self.ask(request).await;
            deleted.flatten().map_err(|cause| self.unusable(cause))
        })
    }

    fn checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, StoreError>> {
        Box::pin(async move {
            let request = |to| Request::Checkpoint(Key::of(tenant, projection), to);
            let checkpoint = self.ask(request).await;
            checkpoint.flatten().map_err(|cause| self.unusable(cause))
        })
    }

    fn save_checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        checkpoint: Checkpoint,
        effects: Effects,
    ) -> BoxFuture<'a, Result<u64, CheckpointError>> {
        Box::pin(async move {
            let key = Key::of(tenant, projection);
            let request = |to| Request::SaveCheckpoint(key, checkpoint, effects, to);
            let saved = self.ask(request).await;
            saved.unwrap_or_else(|cause| Err(self.unusable(cause).into()))
        })
    }

    fn lease<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        holder: Uuid,
        time: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(async move {
            let request = |to| Request::Lease(Key::of(tenant, projection), holder, time, to);
            let lease = self.ask(request).await;
            lease.flatten().map_err(|cause| self.unusable(cause))
        })
    }

    fn dead_letters<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: &'a str,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, StoreError>> {
        Box::pin(async move {
            let request = |to| Request::DeadLetters(tenant.cloned(), projection.to_owned(), to);
            let letters = self.ask(request).await;
            letters.flatten().map_err(|cause| self.unusable(cause))
        })
    }

    fn tables(&self) -> Option<&Dialect> {
        Some(&self.inner.server.dialect)
    }

    fn query<'a>(
        &'a self,
        text: &'a str,
        values: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            let request = |to| Request::Query(text.to_owned(), values.to_vec(), to);
            let rows = self.ask(request).await;
            rows.flatten().map_err(|cause| self.unusable(cause))
        })
    }

    /// The transaction and its connection are the caller's.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}
