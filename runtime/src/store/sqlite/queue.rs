//! The queue before the one connection that writes, and the group commit.
//!
//! A caller that is alone writes in its own thread, so it pays for nothing but the transaction. Callers that come while
//! another is under way leave their work in a queue and sleep; the writer's thread takes all that waits as one transaction,
//! and those that come while it writes, so that many share one `fsync`. Each keeps an outcome of its own: what one is refused
//! never fails its neighbours, and a later one sees what an earlier one of the same transaction wrote.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, TryLockError};
use std::task::Poll;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::error::{Failure, FromFailure as _};
use super::group::{Group, Job, Queue, Slot, lock};
use super::transaction::Work;
use super::turn::{BUSY, SHORT};
use super::writer::Writer;

struct Shared {
    url: String,
    /// The connection; `None` once it is closed.
    writer: Mutex<Option<Writer>>,
    queue: Mutex<Queue>,
    wake: Condvar,
    /// How many writes are under way, whether they wait or not.
    under_way: AtomicUsize,
}

/// One write under way.
struct UnderWay<'a>(&'a Shared);

impl<'a> UnderWay<'a> {
    /// Also says whether it is the only one.
    fn begin(shared: &'a Shared) -> (Self, bool) {
        let others = shared.under_way.fetch_add(1, Ordering::Relaxed);
        (Self(shared), others == 0)
    }

    fn alone(&self) -> bool {
        self.0.under_way.load(Ordering::Relaxed) == 1
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The way to the one connection that writes.
pub(super) struct Writing {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Writing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writing").finish_non_exhaustive()
    }
}

impl Writing {
    pub(super) fn start(writer: Writer) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            url: writer.url.clone(),
            writer: Mutex::new(Some(writer)),
            queue: Mutex::default(),
            wake: Condvar::new(),
            under_way: AtomicUsize::new(0),
        });
        let thread = std::thread::Builder::new()
            .name("recount-sqlite".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.work()
            })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Does the work and waits until it is committed.
    ///
    /// A future that is dropped leaves the work done wholly or not at all.
    pub(super) async fn run<W: Work>(&self, work: W) -> Result<W::Done, W::Error> {
        let shared = &*self.shared;
        let (under_way, mut alone) = UnderWay::begin(shared);
        if alone && takes_turns() {
            // The other tasks of this thread get to say that they write too; without this, each would commit alone.
            yield_once().await;
            alone = under_way.alone();
        }
        let work = if alone {
            match shared.run_here(work) {
                Ok(outcome) => return outcome,
                Err(work) => work,
            }
        } else {
            work
        };
        let (waiting, outcome) = oneshot::channel();
        if !shared.enqueue(Box::new(Slot::new(work, Some(waiting)))) {
            return Err(W::Error::from_failure(&shared.url, Failure::closed()));
        }
        outcome
            .await
            .unwrap_or_else(|_| Err(W::Error::from_failure(&shared.url, Failure::panicked())))
    }

    /// Writes what waits, then closes the file; does nothing the second time.
    pub(super) fn close(&self) -> rusqlite::Result<()> {
        self.stop();
        let writer = lock(&self.shared.writer).take();
        writer.map_or(Ok(()), Writer::close)
    }

    /// Writes what waits, then stops the thread.
    fn stop(&self) {
        lock(&self.shared.queue).closed = true;
        self.shared.wake.notify_all();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!(url = self.shared.url, "the writer's thread panicked");
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// Does the work in this thread, if nobody else writes.
    fn run_here<W: Work>(&self, work: W) -> Result<Result<W::Done, W::Error>, W> {
        let mut writer = match self.writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(work),
        };
        let Some(writer) = writer.as_mut() else {
            return Ok(Err(W::Error::from_failure(&self.url, Failure::closed())));
        };
        let mut slot = Slot::new(work, None);
        let done = writer.commit(&mut Group::of(&mut slot), SHORT);
        match slot.end() {
            Ok(outcome) => Ok(outcome),
            Err(work) if !done => Err(work),
            Err(_) => Ok(Err(W::Error::from_failure(&self.url, Failure::panicked()))),
        }
    }

    /// Leaves work for the thread; false when there is none any more.
    fn enqueue(&self, job: Box<dyn Job>) -> bool {
        let mut queue = lock(&self.queue);
        if queue.closed {
            return false;
        }
        queue.jobs.push(job);
        let first = queue.jobs.len() == 1;
        drop(queue);
        if first {
            self.wake.notify_one();
        }
        true
    }

    /// The thread: takes all that waits, writes it, tells those who wait, until the store is closed.
    fn work(&self) {
        loop {
            let mut queue = lock(&self.queue);
            while queue.jobs.is_empty() {
                if queue.closed {
                    return;
                }
                queue = self
                    .wake
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            drop(queue);
            // Those that come while another still writes join the group.
            let mut writer = lock(&self.writer);
            let mut group = Group::who_wait(&self.queue);
            let outcome = catch_unwind(AssertUnwindSafe(|| match writer.as_mut() {
                Some(writer) => {
                    writer.commit(&mut group, BUSY);
                }
                None => group.fail(&self.url, &Failure::closed()),
            }));
            drop(writer);
            if outcome.is_err() {
                // Those who wait learn it from the channel's end.
                tracing::error!(url = self.url, "writing panicked");
                continue;
            }
            group.deliver();
        }
    }
}

/// Whether the tasks of this runtime share one thread, so that none can come while another writes.
fn takes_turns() -> bool {
    tokio::runtime::Handle::try_current().is_ok_and(|runtime| {
        runtime.runtime_flavor() == tokio::runtime::RuntimeFlavor::CurrentThread
    })
}

/// Lets the other tasks that are ready run first.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
