//! The appends of this process, in groups.
//!
//! An append goes into a queue. While a group is under way those that come wait, and are the next one: many share one round trip
//! and one commit, and each keeps an outcome of its own. It is a task that writes, so a caller who does not wait any longer leaves
//! all of a batch or nothing.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deadpool_postgres::{Client, Pool};
use tokio::sync::{Notify, oneshot};

use super::append::{Outcome, append};
use super::error::{Cause, Failure};
use super::names::Names;
use super::sql::Sql;
use crate::log::{AppendError, Batch};

/// The most groups under way at once.
const GROUPS: usize = 1;

/// The most events in a group of several appends.
const EVENTS: usize = 4096;

/// The most bytes of payload in a group of several appends.
const BYTES: usize = 16 << 20;

/// How often a group that met another one is tried before its appends are told.
const ATTEMPTS: usize = 20;

#[derive(Debug)]
pub(super) struct Writer {
    url: String,
    pool: Pool,
    sql: Arc<Sql>,
    names: Names,
    queue: Mutex<Queue>,
    /// Told whenever a task finds nothing left to do.
    idle: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// How many tasks take groups from it.
    tasks: usize,
    closed: bool,
}

/// An append, and who waits for it.
#[derive(Debug)]
struct Job {
    batch: Batch,
    waiting: oneshot::Sender<Outcome>,
}

/// A task that takes groups. One that ends before its time, by a panic or with its runtime, leaves nobody waiting.
struct Task {
    writer: Arc<Writer>,
    done: bool,
}

impl Task {
    async fn run(mut self) {
        self.writer.work().await;
        self.done = true;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.done {
            let mut queue = self.writer.queue();
            queue.tasks -= 1;
            if queue.tasks == 0 {
                queue.jobs.clear();
            }
        }
        self.writer.idle.notify_waiters();
    }
}

impl Writer {
    pub(super) fn new(url: String, pool: Pool, sql: Arc<Sql>, names: Names) -> Self {
        Self {
            url,
            pool,
            sql,
            names,
            queue: Mutex::default(),
            idle: Notify::new(),
        }
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a batch that has parts.
    pub(super) async fn append(self: &Arc<Self>, batch: Batch) -> Outcome {
        let (waiting, outcome) = oneshot::channel();
        {
            let mut queue = self.queue();
            if queue.closed {
                return Err(Failure::closed().of_append(&self.url));
            }
            queue.jobs.push_back(Job { batch, waiting });
            if queue.tasks < GROUPS {
                queue.tasks += 1;
                let task = Task {
                    writer: Arc::clone(self),
                    done: false,
                };
                drop(queue);
                tokio::spawn(task.run());
            }
        }
        let gone = || {
            Failure::Unknown(Cause::Other(
                "the task that writes ended before it was done",
            ))
        };
        outcome
            .await
            .unwrap_or_else(|_| Err(gone().of_append(&self.url)))
    }

    /// Waits until what is under way is done, and takes nothing any more.
    pub(super) async fn close(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            // Registered before the queue is looked at, so that an end in between is not missed.
            idle.as_mut().enable();
            {
                let mut queue = self.queue();
                queue.closed = true;
                if queue.tasks == 0 {
                    return;
                }
            }
            idle.await;
        }
    }

    /// Takes groups until nothing waits.
    async fn work(&self) {
        while let Some(jobs) = self.take_group() {
            let batches: Vec<&Batch> = jobs.iter().map(|job| &job.batch).collect();
            let outcomes = self.write(&batches).await;
            for (job, outcome) in jobs.into_iter().zip(outcomes) {
                // Nobody waits any more when the caller's future was dropped.
                let _ = job.waiting.send(outcome);
            }
        }
    }

    /// The first that wait, as many as make a group. Two that share an id cannot be in one: the second is asked later whether it
    /// is the first again. When none waits the task is done, and who comes next starts another.
    fn take_group(&self) -> Option<Vec<Job>> {
        let mut queue = self.queue();
        if queue.jobs.is_empty() {
            queue.tasks -= 1;
            return None;
        }
        let (mut ids, mut bytes, mut group) = (HashSet::new(), 0, 0);
        for job in &queue.jobs {
            let events = job.batch.events().count();
            let size: usize = job
                .batch
                .events()
                .map(|(_, event)| event.payload.len())
                .sum();
            bytes += size;
            let is_too_much = ids.len() + events > EVENTS || bytes > BYTES;
            let is_apart = job.batch.events().all(|(_, event)| ids.insert(event.id));
            if group > 0 && (is_too_much || !is_apart) {
                break;
            }
            group += 1;
        }
        Some(queue.jobs.drain(..group).collect())
    }

    /// Writes a group in one transaction. When it cannot be, for something other than the connection, each append is tried alone.
    async fn write(&self, batches: &[&Batch]) -> Vec<Outcome> {
        let failure = match self.attempt(batches).await {
            Ok(outcomes) => return outcomes,
            Err(failure) => failure,
        };
        let is_of_one = matches!(
            failure,
            Failure::Full(_) | Failure::Unstorable(_) | Failure::Retry(_)
        );
        let mut outcomes = Vec::with_capacity(batches.len());
        for batch in batches {
            let alone = if is_of_one && batches.len() > 1 {
                self.attempt(&[*batch]).await
            } else {
                Err(failure.clone())
            };
            outcomes.push(match alone {
                Ok(mut one) => one
                    .pop()
                    .unwrap_or_else(|| Err(self.refusal(batch, failure.clone()))),
                Err(failure) => Err(self.refusal(batch, failure)),
            });
        }
        outcomes
    }

    fn refusal(&self, batch: &Batch, failure: Failure) -> AppendError {
        match (failure, batch.events().next()) {
            (Failure::Unstorable(cause), Some((stream, event))) => AppendError::Refused {
                stream: stream.clone(),
                event: event.name.to_string(),
                reason: cause.to_string(),
            },
            (failure, _) => failure.of_append(&self.url),
        }
    }

    async fn attempt(&self, batches: &[&Batch]) -> Result<Vec<Outcome>, Failure> {
        let mut connection = self.pool.get().await.map_err(Failure::before)?;
        let (mut attempt, mut lost) = (1, false);
        loop {
            match append(batches, &connection, &self.names, &self.sql).await {
                Err(Failure::Retry(cause)) if attempt < ATTEMPTS => {
                    tracing::debug!(url = self.url, attempt, %cause, "a group is written again");
                    attempt += 1;
                }
                Err(failure) if failure.is_lost() => {
                    // It may not have noticed yet that it ended; what broke it broke others that wait.
                    drop(Client::take(connection));
                    self.pool.retain(|_, _| false);
                    // Nothing was sent then, and another connection may do.
                    if lost || !matches!(failure, Failure::Unavailable(_)) {
                        return Err(failure);
                    }
                    lost = true;
                    connection = self.pool.get().await.map_err(Failure::before)?;
                }
                outcome => return outcome,
            }
        }
    }
}
