//! Those whose work is written in one transaction, and who are told of its outcome.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::error::{Failure, FromFailure as _};
use super::transaction::{EndedByWork, Stop, Transaction, Work};

/// The most writes in one transaction.
const MOST: usize = 512;

/// The most bytes of payload in one transaction of several writes.
const MOST_BYTES: usize = 16 << 20;

/// A work and whoever waits for it, whatever its type.
pub(super) trait Job: Send {
    fn bytes(&self) -> usize;
    /// Does the work; true when it is refused, which is its outcome then.
    fn run(&mut self, transaction: &mut Transaction<'_>) -> rusqlite::Result<bool>;
    /// Its outcome is that the transaction failed.
    fn fail(&mut self, url: &str, failure: Failure);
    /// Tells whoever waits.
    fn deliver(self: Box<Self>);
}

/// A work, its outcome, and who waits for that.
pub(super) struct Slot<W: Work> {
    work: W,
    outcome: Option<Result<W::Done, W::Error>>,
    /// Why the transaction failed, where this is at fault.
    fault: Option<W::Error>,
    waiting: Option<oneshot::Sender<Result<W::Done, W::Error>>>,
}

impl<W: Work> Slot<W> {
    pub(super) fn new(
        work: W,
        waiting: Option<oneshot::Sender<Result<W::Done, W::Error>>>,
    ) -> Self {
        Self {
            work,
            outcome: None,
            fault: None,
            waiting,
        }
    }

    /// The outcome; the work again, when it was not done.
    pub(super) fn end(self) -> Result<Result<W::Done, W::Error>, W> {
        self.outcome.ok_or(self.work)
    }
}

impl<W: Work> Job for Slot<W> {
    fn bytes(&self) -> usize {
        self.work.bytes()
    }

    fn run(&mut self, transaction: &mut Transaction<'_>) -> rusqlite::Result<bool> {
        self.fault = None;
        match self.work.write(transaction) {
            Ok(done) => {
                self.outcome = Some(Ok(done));
                Ok(false)
            }
            Err(Stop::Refused(error)) => {
                self.outcome = Some(Err(error));
                Ok(true)
            }
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Ended(error)) => {
                self.fault = Some(error);
                Err(rusqlite::Error::ToSqlConversionFailure(EndedByWork.into()))
            }
        }
    }

    fn fail(&mut self, url: &str, failure: Failure) {
        let fault = self.fault.take();
        self.outcome = Some(Err(
            fault.unwrap_or_else(|| W::Error::from_failure(url, failure))
        ));
    }

    fn deliver(self: Box<Self>) {
        if let (Some(waiting), Some(outcome)) = (self.waiting, self.outcome) {
            // Nobody waits any more when the caller's future was dropped.
            let _ = waiting.send(outcome);
        }
    }
}

/// What waits for the writer's thread.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) jobs: Vec<Box<dyn Job>>,
    pub(super) closed: bool,
}

/// A mutex whose content is whole after a panic: the queue is only pushed to, and the writer rolls back what it finds open.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The works of one transaction: those that waited when it began, and those that come while it is written.
#[derive(Default)]
pub(super) struct Group<'a> {
    /// The only one, of a caller who looks at its outcome.
    alone: Option<&'a mut (dyn Job + 'a)>,
    jobs: Vec<Box<dyn Job>>,
    bytes: usize,
    queue: Option<&'a Mutex<Queue>>,
}

impl<'a> Group<'a> {
    /// One that nobody joins.
    pub(super) fn of(job: &'a mut (dyn Job + 'a)) -> Self {
        Self {
            alone: Some(job),
            ..Self::default()
        }
    }

    /// Those who wait there, and who will.
    pub(super) fn who_wait(queue: &'a Mutex<Queue>) -> Self {
        let mut group = Self {
            queue: Some(queue),
            ..Self::default()
        };
        group.take_more();
        group
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.alone.is_some()) + self.jobs.len()
    }

    /// The one after so many; where there is none, whoever has come by now.
    pub(super) fn get(&mut self, index: usize) -> Option<&mut (dyn Job + 'a)> {
        if index == self.len() {
            self.take_more();
        }
        match &mut self.alone {
            Some(job) => (index == 0).then_some(&mut **job),
            None => Some(&mut **self.jobs.get_mut(index)?),
        }
    }

    fn take_more(&mut self) {
        let Some(mut queue) = self.queue.map(lock) else {
            return;
        };
        let room = MOST.saturating_sub(self.jobs.len());
        let mut fits = 0;
        for job in queue.jobs.iter().take(room) {
            let bytes = self.bytes + job.bytes();
            if bytes > MOST_BYTES && self.jobs.len() + fits > 0 {
                break;
            }
            self.bytes = bytes;
            fits += 1;
        }
        self.jobs.extend(queue.jobs.drain(..fits));
    }

    /// Each by itself.
    pub(super) fn apart(&mut self) -> impl Iterator<Item = Group<'_>> {
        self.jobs.iter_mut().map(|job| Group::of(&mut **job))
    }

    pub(super) fn fail(&mut self, url: &str, failure: &Failure) {
        for index in 0..self.len() {
            if let Some(job) = self.get(index) {
                job.fail(url, failure.clone());
            }
        }
    }

    /// Tells those who wait.
    pub(super) fn deliver(self) {
        self.jobs.into_iter().for_each(Job::deliver);
    }
}
