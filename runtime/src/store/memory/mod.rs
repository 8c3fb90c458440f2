//! `memory:`, a log that ends with the process: for tests and simulations.
//!
//! One lock, a vector in position order, and two indexes: streams and event ids.

mod log;
mod read;
mod state;

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use uuid::Uuid;

use self::log::Log;
use self::state::{State, checkpoint_key};
use super::backend::Closed;
use super::{
    Backend, BackendError, BoxFuture, Checkpoint, CheckpointError, DeadLetter, Effects, Lease,
    ProjectionKey, StoreError, StoredSnapshot, Wakes,
};
use crate::log::{
    AppendError, Appended, Batch, Page, Position, Query, ReadError, Stats, StreamId, TenantId,
    Version,
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
    contents: RwLock<Option<Contents>>,
    wakes: Wakes,
}

#[derive(Default)]
struct Contents {
    log: Log,
    state: State,
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
            contents: RwLock::new(Some(Contents::default())),
            wakes: Wakes::new(),
        }
    }
}

impl MemoryBackend {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer that panicked left all whole: each write is one step at its end.
    fn look<T>(&self, look: impl FnOnce(&Contents) -> T) -> Result<T, Closed> {
        let contents = self.contents.read().unwrap_or_else(PoisonError::into_inner);
        contents.as_ref().map(look).ok_or(Closed)
    }

    fn write<T>(&self, write: impl FnOnce(&mut Contents) -> T) -> Result<T, Closed> {
        let mut contents = self
            .contents
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        contents.as_mut().map(write).ok_or(Closed)
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

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

/// Nothing here waits for anything, so a task in a loop would never let another one run on its thread.
async fn take_turns() {
    tokio::task::coop::consume_budget().await;
}

impl Backend for MemoryBackend {
    fn url(&self) -> &str {
        URL
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            take_turns().await;
            let outcome = self
                .write(|contents| contents.log.append(batch))
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
            outcome
        })
    }

    fn read<'a>(
        &'a self,
        query: &'a Query,
        page: &'a mut Page,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            take_turns().await;
            self.look(|contents| contents.log.read(query, page))
                .map_err(unreadable)
        })
    }

    fn version<'a>(&'a self, stream: &'a StreamId) -> BoxFuture<'a, Result<Version, ReadError>> {
        ready(
            self.look(|contents| contents.log.version(stream))
                .map_err(unreadable),
        )
    }

    fn head<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Position, ReadError>> {
        ready(
            self.look(|contents| contents.log.head(tenant))
                .map_err(unreadable),
        )
    }

    fn stats<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Stats, StoreError>> {
        ready(
            self.look(|contents| contents.log.stats(tenant))
                .map_err(unusable),
        )
    }

    fn snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        fingerprint: u64,
    ) -> BoxFuture<'a, Result<Option<StoredSnapshot>, StoreError>> {
        let find = |contents: &Contents| contents.state.snapshot(stream, fingerprint).cloned();
        ready(self.look(find).map_err(unusable))
    }

    fn save_snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        snapshot: StoredSnapshot,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let save = |contents: &mut Contents| contents.state.save_snapshot(stream, snapshot);
        ready(self.write(save).map_err(unusable))
    }

    fn delete_snapshots<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        category: Option<&'a str>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        let delete = |contents: &mut Contents| contents.state.delete_snapshots(tenant, category);
        ready(self.write(delete).map_err(unusable))
    }

    fn checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, StoreError>> {
        let key = checkpoint_key(tenant, projection);
        let find = |contents: &Contents| contents.state.checkpoint(&key).cloned();
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
            .write(|contents| contents.state.save_checkpoint(key, checkpoint, effects))
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
        let lease = |contents: &mut Contents| contents.state.lease(key, holder, time);
        ready(self.write(lease).map_err(unusable))
    }

    fn dead_letters<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: &'a str,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, StoreError>> {
        let list = |contents: &Contents| contents.state.dead_letters(tenant, projection);
        ready(self.look(list).map_err(unusable))
    }

    fn wakes(&self) -> &Wakes {
        &self.wakes
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let mut contents = self
            .contents
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *contents = None;
        drop(contents);
        self.wakes.close();
        ready(Ok(()))
    }
}
