//! Waking whoever watches the file: for this process's commits by the writer, for others' by a thread that looks.
//!
//! `PRAGMA data_version` says whether anybody else wrote to the file, without reading it. Only then is the last position looked
//! up, since most writes that are not appends are checkpoints, which who is woken saves itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::DatabaseFile;
use crate::store::Wakes;
use crate::store::poller::{Look, Poller};

/// The shortest pause between two looks, while something was written lately.
const SHORT: Duration = Duration::from_millis(2);

/// The longest one.
const LONG: Duration = Duration::from_millis(20);

/// The pause is this part of the time since the last write: 20 milliseconds after 1.3 seconds.
const PART: u32 = 64;

/// How soon a file that could not be looked at is looked at again; who waits is woken each time.
const RETRY: Duration = Duration::from_millis(50);

/// Whom the file wakes.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) wakes: Wakes,
    /// The last position that everybody was woken for.
    told: Arc<AtomicI64>,
    /// `None` for a file that nobody can write to.
    poller: Option<Arc<Poller>>,
}

impl Watched {
    pub(super) fn new(file: DatabaseFile) -> Self {
        let told = Arc::new(AtomicI64::new(-1));
        if file.immutable {
            return Self {
                wakes: Wakes::new(),
                told,
                poller: None,
            };
        }
        let make = {
            let told = Arc::clone(&told);
            move || Looking {
                file: file.clone(),
                told: Arc::clone(&told),
                opened: None,
                changed: Instant::now(),
                failed: None,
            }
        };
        let poller = Arc::new(Poller::new(make));
        Self {
            wakes: Wakes::with(Some(Arc::clone(&poller) as _)),
            told,
            poller: Some(poller),
        }
    }

    /// Wakes everybody after a commit that appended, up to this position where that is known.
    pub(super) fn appended(&self, head: Option<i64>) {
        // Before they are woken: a thread that looks in between leaves it to this.
        if let Some(head) = head {
            self.told.fetch_max(head, Ordering::AcqRel);
        }
        self.wakes.wake();
    }

    /// Wakes everybody a last time, and waits until the file is let go of.
    pub(super) fn close(&self) {
        self.wakes.close();
        if let Some(poller) = &self.poller {
            poller.join();
        }
    }
}

/// A connection that looks whether others wrote.
struct Looking {
    file: DatabaseFile,
    told: Arc<AtomicI64>,
    /// The connection, and the version of the data when it looked last.
    opened: Option<(Connection, Option<i64>)>,
    /// When somebody wrote.
    changed: Instant,
    /// When the file could not be looked at.
    failed: Option<Instant>,
}

impl Looking {
    fn ask(&mut self) -> rusqlite::Result<bool> {
        let (connection, last) = match &mut self.opened {
            Some(opened) => opened,
            empty => empty.insert((self.file.open_for_reading()?, None)),
        };
        let version: i64 = connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        if last.replace(version) == Some(version) {
            return Ok(false);
        }
        self.changed = Instant::now();
        let head: i64 = connection
            .prepare_cached("SELECT coalesce(max(position), 0) FROM events")?
            .query_row([], |row| row.get(0))?;
        Ok(self.told.fetch_max(head, Ordering::AcqRel) < head)
    }
}

impl Look for Looking {
    fn look(&mut self) -> bool {
        if self.failed.is_some_and(|failed| failed.elapsed() < RETRY) {
            return false;
        }
        match self.ask() {
            Ok(appended) => {
                self.failed = None;
                appended
            }
            Err(error) => {
                tracing::debug!(%error, "the file could not be looked at");
                self.opened = None;
                self.failed = Some(Instant::now());
                // Whoever waits reads, and meets the error.
                true
            }
        }
    }

    fn pause(&self) -> Duration {
        match self.failed {
            Some(failed) => RETRY.saturating_sub(failed.elapsed()),
            None => (self.changed.elapsed() / PART).clamp(SHORT, LONG),
        }
    }
}
