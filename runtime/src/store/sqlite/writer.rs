//! The one connection that writes, and the group commit.
//!
//! A caller that is alone writes in its own thread, so it pays for nothing but the transaction. Callers that come while
//! another is under way leave their work in a queue and sleep; the writer's thread takes all that waits as one transaction,
//! so that many share one `fsync`. Each keeps an outcome of its own: what one is refused never fails its neighbours, and a
//! later one sees what an earlier one of the same transaction wrote.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::{Failure, FromFailure};
use super::names::Names;
use super::turn::{BUSY, Limit, SHORT, Turnstile};
use super::watch::Watched;

/// The most writes in one transaction.
const GROUP: usize = 512;

/// The most bytes of payload in one transaction of several writes.
const GROUP_BYTES: usize = 16 << 20;

/// How long the thread waits for one more writer to join a group, when several did the last time.
const GATHERING: Duration = Duration::from_micros(20);

/// Something to do within a transaction; done again, from the start, when the transaction had to be given up.
pub(super) trait Work: Send + 'static {
    type Done: Send;
    type Error: FromFailure + Send;

    /// About how many bytes it writes.
    fn bytes(&self) -> usize;

    fn write(&self, transaction: &mut Transaction<'_>) -> Result<Self::Done, Stop<Self::Error>>;
}

/// Why a work ended early.
#[derive(Debug)]
pub(super) enum Stop<E> {
    /// It is refused; whatever it wrote must go.
    Refused(E),
    /// The database failed.
    Failed(rusqlite::Error),
    /// It ended the transaction, which is gone with all that others wrote: those are done again without it.
    Ended(E),
}

/// A work has ended the transaction of all.
#[derive(Debug, thiserror::Error)]
#[error("a statement of a projection ended the transaction")]
struct EndedByWork;

impl<E> From<rusqlite::Error> for Stop<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// The transaction that a work writes in.
#[derive(Debug)]
pub(super) struct Transaction<'a> {
    pub(super) connection: &'a Connection,
    pub(super) names: &'a mut Names,
    /// The log's last position, once it was needed.
    head: Option<i64>,
    /// Whether the work under way wrote something.
    dirty: bool,
    /// Whether any work of the transaction appended.
    appended: bool,
}

impl Transaction<'_> {
    /// Runs a statement that writes.
    pub(super) fn write(
        &mut self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> rusqlite::Result<usize> {
        let changed = self.connection.prepare_cached(sql)?.execute(params)?;
        self.dirty = true;
        Ok(changed)
    }

    /// Says that the work wrote something.
    pub(super) fn wrote(&mut self) {
        self.dirty = true;
    }

    /// The log's last position.
    pub(super) fn head(&mut self) -> rusqlite::Result<i64> {
        if let Some(head) = self.head {
            return Ok(head);
        }
        let head = self
            .connection
            .prepare_cached("SELECT max(position) FROM events")?
            .query_row([], |row| row.get::<_, Option<i64>>(0))?
            .unwrap_or(0);
        self.head = Some(head);
        Ok(head)
    }

    /// Says that the log's last position is now this one.
    pub(super) fn set_head(&mut self, head: i64) {
        self.appended |= self.head != Some(head);
        self.head = Some(head);
    }
}

/// A work and whoever waits for it, whatever its type.
trait Job: Send {
    fn bytes(&self) -> usize;
    /// Does the work; true when it is refused, which is its outcome then.
    fn run(&mut self, transaction: &mut Transaction<'_>) -> rusqlite::Result<bool>;
    /// Its outcome is that the transaction failed.
    fn fail(&mut self, url: &str, failure: Failure);
    /// Tells whoever waits.
    fn deliver(self: Box<Self>);
}

struct Slot<W: Work> {
    work: W,
    outcome: Option<Result<W::Done, W::Error>>,
    /// Why the transaction failed, where this is at fault.
    fault: Option<W::Error>,
    waiting: Option<oneshot::Sender<Result<W::Done, W::Error>>>,
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

/// The connection and what it remembers.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    limit: Limit,
    names: Names,
    turnstile: Turnstile,
    watched: Watched,
    url: String,
}

/// How far the works of a transaction came.
enum Done {
    /// All are done or refused; whether any appended, and the log's last position where that is known.
    All { appended: bool, head: Option<i64> },
    /// What a refused one wrote can only be undone by giving up the whole transaction.
    MustGiveUp,
}

/// How a transaction of several works ended, when not in a commit.
enum GaveUp {
    /// One of them was refused after it had written.
    NeedsSavepoints,
    /// The database failed in one of them, or in the commit.
    Failed(Failure),
    /// The transaction did not even begin.
    NotBegun(Failure),
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        limit: Limit,
        turnstile: Turnstile,
        watched: Watched,
        url: String,
    ) -> Self {
        Self {
            connection,
            limit,
            names: Names::default(),
            turnstile,
            watched,
            url,
        }
    }

    /// Ends a write-ahead log that nobody else reads, and closes the file.
    pub(super) fn close(self) -> rusqlite::Result<()> {
        let busy: i64 =
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy != 0 {
            tracing::debug!(
                url = self.url,
                "the write-ahead log is still read by others"
            );
        }
        self.connection.close().map_err(|(_, error)| error)
    }

    /// Does all the work in one transaction, if it can; false when others kept the file for longer than this, and nothing was
    /// done. After the longest wait, that is everybody's outcome.
    fn commit(&mut self, jobs: &mut [&mut dyn Job], longest: Duration) -> bool {
        let mut outcome = self.attempt(jobs, false, longest);
        if matches!(outcome, Err(GaveUp::NeedsSavepoints)) {
            outcome = self.attempt(jobs, true, longest);
        }
        match outcome {
            Ok(()) => {}
            Err(GaveUp::NotBegun(Failure::Unavailable(_))) if longest < BUSY => return false,
            // One of them may have been too large, or met a damaged page: the others need not suffer for it.
            Err(GaveUp::Failed(Failure::Full(_) | Failure::Unavailable(_))) if jobs.len() > 1 => {
                for job in jobs {
                    self.commit(&mut [&mut **job], BUSY);
                }
            }
            Err(GaveUp::Failed(failure) | GaveUp::NotBegun(failure)) => {
                for job in jobs {
                    job.fail(&self.url, failure.clone());
                }
            }
            // With savepoints, or alone, a refused work is undone by itself.
            Err(GaveUp::NeedsSavepoints) => unreachable!("savepoints were there"),
        }
        true
    }

    fn attempt(
        &mut self,
        jobs: &mut [&mut dyn Job],
        savepoints: bool,
        longest: Duration,
    ) -> Result<(), GaveUp> {
        // What a panic left open.
        if !self.connection.is_autocommit() {
            self.roll_back();
        }
        {
            let _turn = self.turnstile.enter(longest);
            self.limit.set(longest);
            let begun = self.execute("BEGIN IMMEDIATE");
            self.limit.set(BUSY);
            begun.map_err(|error| GaveUp::NotBegun(Failure::before_commit(error)))?;
        }
        let begun = self.names.refresh(&self.connection);
        let (appended, head) = match begun.and_then(|()| self.run(jobs, savepoints)) {
            Ok(Done::All { appended, head }) => (appended, head),
            Ok(Done::MustGiveUp) => {
                self.roll_back();
                return if jobs.len() == 1 {
                    Ok(())
                } else {
                    Err(GaveUp::NeedsSavepoints)
                };
            }
            Err(error) => {
                self.roll_back();
                return Err(GaveUp::Failed(Failure::before_commit(error)));
            }
        };
        self.execute("COMMIT").map_err(|error| {
            self.roll_back();
            GaveUp::Failed(Failure::in_commit(error))
        })?;
        if appended {
            self.watched.appended(head);
        }
        Ok(())
    }

    /// Does the work.
    fn run(&mut self, jobs: &mut [&mut dyn Job], savepoints: bool) -> rusqlite::Result<Done> {
        let mut transaction = Transaction {
            connection: &self.connection,
            names: &mut self.names,
            head: None,
            dirty: false,
            appended: false,
        };
        let execute = |sql: &str| self.connection.prepare_cached(sql)?.execute([]);
        for job in jobs {
            transaction.dirty = false;
            if savepoints {
                execute("SAVEPOINT work")?;
            }
            let refused = job.run(&mut transaction)?;
            if refused && transaction.dirty {
                if !savepoints {
                    return Ok(Done::MustGiveUp);
                }
                execute("ROLLBACK TO work")?;
                transaction.names.clear();
                transaction.head = None;
            }
            if savepoints {
                execute("RELEASE work")?;
            }
        }
        Ok(Done::All {
            appended: transaction.appended,
            head: transaction.head,
        })
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Gives up the transaction, if one is open: SQLite ends some by itself.
    fn roll_back(&mut self) {
        self.names.clear();
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::warn!(%error, url = self.url, "a transaction could not be rolled back");
        }
    }
}

/// What waits for the writer's thread.
#[derive(Default)]
struct Queue {
    jobs: Vec<Box<dyn Job>>,
    closed: bool,
}

struct Shared {
    url: String,
    /// The connection; `None` once it is closed.
    writer: Mutex<Option<Writer>>,
    queue: Mutex<Queue>,
    wake: Condvar,
    /// How many writes are under way, whether they wait or not.
    under_way: AtomicUsize,
}

/// A mutex whose content is whole after a panic: the queue is only pushed to, and the writer rolls back what it finds open.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let job = Slot {
            work,
            outcome: None,
            fault: None,
            waiting: Some(waiting),
        };
        if !shared.enqueue(Box::new(job)) {
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
        let mut slot = Slot {
            work,
            outcome: None,
            fault: None,
            waiting: None,
        };
        if !writer.commit(&mut [&mut slot], SHORT) {
            return Err(slot.work);
        }
        Ok(slot
            .outcome
            .unwrap_or_else(|| Err(W::Error::from_failure(&self.url, Failure::panicked()))))
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
            let mut jobs = self.take_group();
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let mut group: Vec<&mut dyn Job> = jobs
                    .iter_mut()
                    .map(|job| &mut **job as &mut dyn Job)
                    .collect();
                match writer.as_mut() {
                    Some(writer) => {
                        writer.commit(&mut group, BUSY);
                    }
                    None => group
                        .iter_mut()
                        .for_each(|job| job.fail(&self.url, Failure::closed())),
                }
            }));
            drop(writer);
            if outcome.is_err() {
                // Those who wait learn it from the channel's end.
                tracing::error!(url = self.url, "writing panicked");
                continue;
            }
            let delivered = jobs.len();
            jobs.into_iter().for_each(Job::deliver);
            self.gather(delivered);
        }
    }

    /// Lets those who were just told write again before the next group is taken: otherwise the writers part into two halves
    /// that take turns, and each half pays for a commit. It goes on as soon as nobody comes any more.
    fn gather(&self, delivered: usize) {
        if delivered < 2 {
            return;
        }
        let waiting = || lock(&self.queue).jobs.len();
        let (mut seen, mut last) = (waiting(), Instant::now());
        let all = seen + delivered;
        // Those who were told count as under way until they wake; one that writes again is not counted for a moment.
        let patience = |seen| {
            if seen < self.under_way.load(Ordering::Relaxed) {
                GATHERING
            } else {
                GATHERING / 4
            }
        };
        while seen < all && last.elapsed() < patience(seen) {
            std::thread::yield_now();
            let now = waiting();
            if now > seen {
                (seen, last) = (now, Instant::now());
            }
        }
    }

    fn take_group(&self) -> Vec<Box<dyn Job>> {
        let mut queue = lock(&self.queue);
        let mut bytes = 0;
        let fits = queue
            .jobs
            .iter()
            .take(GROUP)
            .take_while(|job| {
                let first = bytes == 0;
                bytes += job.bytes() + 1;
                first || bytes <= GROUP_BYTES
            })
            .count();
        let rest = queue.jobs.split_off(fits);
        std::mem::replace(&mut queue.jobs, rest)
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
