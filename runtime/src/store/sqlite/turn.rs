//! Taking turns with other processes that write to the same file.
//!
//! SQLite's lock for writing goes to whoever asks at the right moment, so a process that commits back to back keeps it for
//! itself. A file beside the database, `PATH-turn`, makes the processes queue: a writer holds it from before it asks SQLite
//! for the lock until it has it, hence the one that has just committed waits behind the one that holds the turn.
//! It decides only who is next. When it cannot be had, writing goes on without.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

/// How long a write waits for others before it gives up.
pub(super) const BUSY: Duration = Duration::from_secs(30);

/// How long a write waits in its caller's own thread: longer waits are left to the writer's thread, which blocks nobody.
pub(super) const SHORT: Duration = Duration::from_millis(2);

/// How long a write queues before it tries its luck: a process that was stopped in its turn stops nobody else for longer.
const QUEUE: Duration = Duration::from_secs(1);

/// Waiting in short sleeps: a commit takes from 50 microseconds to some milliseconds.
#[derive(Debug)]
pub(super) struct Patience {
    since: Option<Instant>,
    longest: Duration,
    pause: Duration,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self::of(BUSY)
    }

    fn of(longest: Duration) -> Self {
        Self {
            since: None,
            longest,
            pause: Duration::ZERO,
        }
    }

    /// Sleeps a little; false when it has been long enough.
    pub(super) fn wait(&mut self) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > self.longest {
            return false;
        }
        self.pause = (self.pause * 2).clamp(Duration::from_micros(50), Duration::from_millis(1));
        std::thread::sleep(self.pause);
        true
    }
}

/// How long a connection waits for others; it can be changed between two statements.
#[derive(Debug, Clone)]
pub(super) struct Limit(Arc<AtomicU64>);

impl Limit {
    pub(super) fn set(&self, longest: Duration) {
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        self.0.store(micros, Ordering::Relaxed);
    }
}

/// Makes a connection wait for others in short sleeps.
pub(super) fn be_patient(connection: &mut Connection) -> rusqlite::Result<Limit> {
    let limit = Limit(Arc::default());
    limit.set(BUSY);
    let (micros, mut patience) = (Arc::clone(&limit.0), Patience::new());
    connection.busy_handler(Some(move |times: i32| {
        if times == 0 {
            patience = Patience::of(Duration::from_micros(micros.load(Ordering::Relaxed)));
        }
        patience.wait()
    }))?;
    Ok(limit)
}

/// The file beside the database whose lock is the turn.
#[derive(Debug)]
pub(super) struct Turnstile(Option<File>);

impl Turnstile {
    /// Nobody queues.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The file at this path, which is made when it is not there.
    pub(super) fn beside(path: &Path) -> Self {
        Self(
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .inspect_err(|error| tracing::debug!(%error, "writing without taking turns"))
                .ok(),
        )
    }

    /// Waits for the turn, and holds it until the result is dropped.
    pub(super) fn enter(&self, longest: Duration) -> Turn<'_> {
        let Some(file) = &self.0 else {
            return Turn(None);
        };
        let mut patience = Patience::of(longest.min(QUEUE));
        loop {
            match file.try_lock() {
                Ok(()) => return Turn(Some(file)),
                Err(std::fs::TryLockError::WouldBlock) if patience.wait() => {}
                Err(_) => return Turn(None),
            }
        }
    }
}

/// The turn, while it is held.
#[derive(Debug)]
pub(super) struct Turn<'a>(Option<&'a File>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.0
            && let Err(error) = file.unlock()
        {
            tracing::warn!(%error, "the turn to write could not be passed on");
        }
    }
}
