//! The appends of this process, in groups.
//!
//! Who finds nobody writing writes at once. Who finds somebody goes into a queue; while a group is under way those that come wait,
//! and are the next one: many share one round trip and one commit, and each keeps an outcome of its own. It is a task that writes
//! groups, so a caller who does not wait any longer leaves all of a batch or nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::append::{Outcome, Tried, append, try_append};
use super::error::{Cause, Failure};
use super::notify::Written;
use super::server::Server;
use crate::log::Batch;

/// The most tasks that write groups at once.
const TASKS: usize = 1;

/// The most events in a group of several appends.
const EVENTS: usize = 4096;

/// The most bytes of payload in a group of several appends.
const BYTES: usize = 16 << 20;

/// How long closing a store waits for callers who write by themselves: nobody may ask for the outcome any more.
const CLOSING: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Writer {
    server: Arc<Server>,
    queue: Mutex<Queue>,
    /// Told whenever somebody who wrote has nothing left to do.
    idle: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// How many tasks take groups from it.
    tasks: usize,
    /// How many callers write by themselves.
    callers: usize,
    closed: bool,
}

/// An append, and who waits for it.
#[derive(Debug)]
struct Job {
    batch: Batch,
    waiting: oneshot::Sender<Outcome>,
}

/// Who writes a batch.
enum Turn {
    /// Its caller, by itself.
    Now(Batch),
    /// A task, as soon as it is done with the group that is under way.
    Later(oneshot::Receiver<Outcome>),
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

/// A caller who writes by itself, until it is done or its future is dropped.
struct Caller<'a>(&'a Writer);

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.0.queue().callers -= 1;
        self.0.idle.notify_waiters();
    }
}

impl Writer {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self {
            server,
            queue: Mutex::default(),
            idle: Notify::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a batch that has parts.
    pub(super) async fn append(self: &Arc<Self>, batch: Batch) -> Outcome {
        let turn = {
            let mut queue = self.queue();
            if queue.closed {
                return Err(Failure::closed().of_append(&self.server.url));
            }
            if queue.tasks + queue.callers == 0 {
                queue.callers += 1;
                Turn::Now(batch)
            } else {
                let (waiting, outcome) = oneshot::channel();
                queue.jobs.push_back(Job { batch, waiting });
                if queue.tasks < TASKS {
                    queue.tasks += 1;
                    let task = Task {
                        writer: Arc::clone(self),
                        done: false,
                    };
                    drop(queue);
                    tokio::spawn(task.run());
                }
                Turn::Later(outcome)
            }
        };
        let gone = |what| Err(Failure::Unknown(Cause::Other(what)).of_append(&self.server.url));
        match turn {
            Turn::Now(batch) => {
                let _caller = Caller(self);
                // Apart, so that the futures of those who wait in the queue are small.
                let outcome = Box::pin(self.write(&[&batch])).await.pop();
                outcome.unwrap_or_else(|| gone("nothing was answered"))
            }
            Turn::Later(outcome) => outcome
                .await
                .unwrap_or_else(|_| gone("the task that writes ended before it was done")),
        }
    }

    /// Takes nothing any more, and waits until what is under way is done; but not for long when that is in the hands of callers only.
    pub(super) async fn close(&self) {
        self.until_none(|queue| queue.tasks).await;
        let _ = timeout(CLOSING, self.until_none(|queue| queue.callers)).await;
    }

    async fn until_none(&self, under_way: impl Fn(&Queue) -> usize) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            // Registered before the queue is looked at, so that an end in between is not missed.
            idle.as_mut().enable();
            {
                let mut queue = self.queue();
                queue.closed = true;
                if under_way(&queue) == 0 {
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

    /// The first that wait, as many as make a group. When none waits the task is done, and who comes next starts another.
    fn take_group(&self) -> Option<Vec<Job>> {
        let mut queue = self.queue();
        if queue.jobs.is_empty() {
            queue.tasks -= 1;
            return None;
        }
        let (mut events, mut bytes) = (0, 0);
        let fits = |job: &&Job| {
            for (_, event) in job.batch.events() {
                events += 1;
                bytes += event.payload.len();
            }
            events <= EVENTS && bytes <= BYTES
        };
        let group = queue.jobs.iter().take_while(fits).count().max(1);
        Some(queue.jobs.drain(..group).collect())
    }

    async fn write(&self, batches: &[&Batch]) -> Vec<Outcome> {
        let connection = match self.server.lease().await {
            Ok(connection) => connection,
            Err(cause) => return self.unsent(batches, cause),
        };
        let written = Written::to_be(&self.server.wakes);
        let Tried {
            mut outcomes,
            lost,
            cancelled,
        } = try_append(batches, &connection, &self.server).await;
        if let Some(cause) = lost {
            tracing::debug!(url = self.server.url, %cause, "a connection was lost");
            self.server.forget(connection);
        } else if cancelled {
            connection.discard();
        } else {
            drop(connection);
        }
        if outcomes.iter().any(Option::is_none) {
            // Apart, since it is seldom, and each append would carry its room.
            Box::pin(self.write_again(batches, &mut outcomes)).await;
        }
        let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
        written.came_to(&outcomes);
        outcomes
    }

    /// What was never sent goes out on another connection.
    async fn write_again(&self, batches: &[&Batch], outcomes: &mut [Option<Outcome>]) {
        let open = batches.iter().zip(&*outcomes);
        let open = open.filter(|(_, outcome)| outcome.is_none());
        let open: Vec<&Batch> = open.map(|(batch, _)| *batch).collect();
        let again = match self.server.lease().await {
            Ok(connection) => append(&open, &connection, &self.server).await,
            Err(cause) => self.unsent(&open, cause),
        };
        let open = outcomes.iter_mut().filter(|outcome| outcome.is_none());
        for (outcome, again) in open.zip(again) {
            *outcome = Some(again);
        }
    }

    fn unsent(&self, batches: &[&Batch], cause: Cause) -> Vec<Outcome> {
        let failure = Failure::before(cause);
        let told = |_: &&Batch| Err(failure.clone().of_append(&self.server.url));
        batches.iter().map(told).collect()
    }
}
