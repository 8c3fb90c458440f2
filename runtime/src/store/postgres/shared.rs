//! Connections on which several read at once.
//!
//! What they ask goes out together and is answered in turn: each answer on a connection of its own would wake a process of the server
//! and a task here. Who is the only one to read has a connection alone, at the least cost; those that come then share a few others.
//!
//! An answer that nobody takes keeps all behind it waiting, and a future need not be polled. So on a shared connection a task takes
//! all the rows of an answer, or as many as are enough for a page.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::vec;

use deadpool::managed::Object;
use futures_util::stream::{self, TryStreamExt as _};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::{Error, Row};

use super::error::Cause;
use super::pool::Sessions;
use super::select::Select;

/// A connection of the pool, which goes back when nobody reads on it any more.
pub(super) type Lease = Object<Sessions>;

/// The connections on which streams are read.
pub(super) struct Shared {
    /// How many may be shared.
    most: usize,
    /// For the one who has a connection alone.
    alone: Semaphore,
    read_on: Mutex<Vec<Weak<Lease>>>,
}

impl Shared {
    /// Of a store with so many connections. Where there are few none is shared: those who read would hand one on among themselves,
    /// and whoever waits for it would never get it.
    pub(super) fn of(connections: usize) -> Self {
        Self {
            most: connections / 4,
            alone: Semaphore::new(1),
            read_on: Mutex::default(),
        }
    }

    /// For who may have a connection alone, as long as it keeps this.
    pub(super) fn alone(&self) -> Option<SemaphorePermit<'_>> {
        self.alone.try_acquire().ok()
    }

    /// The shared ones on which somebody reads, and others may.
    fn read_on(&self) -> MutexGuard<'_, Vec<Weak<Lease>>> {
        let mut read_on = self.read_on.lock().unwrap_or_else(PoisonError::into_inner);
        let is_read_on =
            |lease: Arc<Lease>| !lease.is_over.load(Ordering::Relaxed) && !lease.client.is_closed();
        read_on.retain(|lease| lease.upgrade().is_some_and(is_read_on));
        read_on
    }

    /// The one with the fewest readers, unless another one may be added.
    pub(super) fn join(&self) -> Option<Arc<Lease>> {
        let read_on = self.read_on();
        if read_on.len() < self.most {
            return None;
        }
        read_on
            .iter()
            .min_by_key(|lease| lease.strong_count())?
            .upgrade()
    }

    /// Shares this one, unless there are enough.
    pub(super) fn add(&self, lease: Lease) -> Arc<Lease> {
        let lease = Arc::new(lease);
        let mut read_on = self.read_on();
        if read_on.len() < self.most {
            read_on.push(Arc::downgrade(&lease));
        }
        lease
    }
}

pub(super) type TakenRows = stream::Iter<vec::IntoIter<Result<Row, Error>>>;

/// The rows of an answer that were taken.
pub(super) struct Taken {
    pub(super) rows: TakenRows,
    /// There are no others.
    pub(super) is_all: bool,
}

/// How many rows there is room for at first.
const SOME: usize = 32;

/// Takes the rows of an answer until they have more than so many bytes, whether or not who asked still waits for them.
pub(super) async fn take(
    lease: &Arc<Lease>,
    select: Select,
    enough: usize,
) -> Result<Taken, Cause> {
    let lease = Arc::clone(lease);
    let taken = tokio::spawn(async move {
        let statement = lease.statements.prepare(&select.sql, &lease.client).await?;
        let answer = lease.client.query_raw(&statement, select.params()).await?;
        let (mut answer, mut bytes) = (std::pin::pin!(answer), 0);
        let mut rows = Vec::with_capacity(SOME);
        while let Some(row) = answer.try_next().await? {
            bytes += row.raw_size_bytes();
            rows.push(Ok(row));
            if bytes > enough {
                return Ok::<_, Error>((rows, false));
            }
        }
        Ok((rows, true))
    });
    let taken = taken.await;
    let (rows, is_all) =
        taken.map_err(|_| Cause::Other("the task that reads ended before it was done"))??;
    Ok(Taken {
        rows: stream::iter(rows),
        is_all,
    })
}
