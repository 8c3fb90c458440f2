//! A clock that stands and ids that count, so that a test sees the same events in every run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::clock::{Clock, IdSource};
use crate::log::EventId;

/// A clock that shows one time until it is set, or goes on by a fixed step each time it is asked.
///
/// A store takes it by value, or in an `Arc` that the test keeps to set it: `store.with_clock(Arc::clone(&clock))`.
///
/// ```
/// use recount::Clock;
/// use recount::testing::FixedClock;
/// use recount::chrono::TimeDelta;
///
/// let clock = FixedClock::at("2026-01-01T12:00:00Z");
/// assert_eq!(clock.now(), clock.now());
///
/// let clock = FixedClock::at("2026-01-01T12:00:00Z").step(TimeDelta::seconds(1));
/// assert_eq!(clock.now().to_string(), "2026-01-01 12:00:00 UTC");
/// assert_eq!(clock.now().to_string(), "2026-01-01 12:00:01 UTC");
/// ```
#[derive(Debug)]
pub struct FixedClock {
    now: Mutex<DateTime<Utc>>,
    step: TimeDelta,
}

impl FixedClock {
    /// A clock that shows this time, written as RFC 3339.
    ///
    /// # Panics
    /// When the text is no such time.
    #[track_caller]
    pub fn at(time: &str) -> Self {
        match time.parse() {
            Ok(time) => Self::new(time),
            Err(error) => panic!("{time:?} is no time such as 2026-01-01T12:00:00Z: {error}"),
        }
    }

    /// A clock that shows this time.
    pub fn new(time: DateTime<Utc>) -> Self {
        Self {
            now: Mutex::new(time),
            step: TimeDelta::zero(),
        }
    }

    /// The same clock, which goes on by this much each time it is asked.
    #[must_use]
    pub fn step(self, step: TimeDelta) -> Self {
        Self { step, ..self }
    }

    /// Sets it, forwards or backwards.
    pub fn set(&self, time: DateTime<Utc>) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }
}

impl Default for FixedClock {
    /// Noon of the first day of 2026, UTC.
    fn default() -> Self {
        Self::at("2026-01-01T12:00:00Z")
    }
}

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = *now;
        *now += self.step;
        shown
    }
}

/// Ids that count: `00000000-0000-7000-8000-000000000001`, `…2`, and so on.
///
/// ```
/// use recount::IdSource;
/// use recount::testing::CountingIds;
///
/// let ids = CountingIds::default();
/// assert_eq!(ids.next().to_string(), "00000000-0000-7000-8000-000000000001");
/// assert_eq!(ids.next().to_string(), "00000000-0000-7000-8000-000000000002");
/// ```
#[derive(Debug, Default)]
pub struct CountingIds {
    last: AtomicU64,
}

impl IdSource for CountingIds {
    fn next(&self) -> EventId {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        EventId(Uuid::from_u64_pair(0x7000, 0x8000 << 48 | number))
    }
}
