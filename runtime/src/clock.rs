//! Time and ids come from outside, so that a test can fix both.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::log::EventId;
use crate::reaction::Deed;

/// Tells the time at which an event is recorded.
///
/// ```
/// use recount::{Clock, chrono::{DateTime, Utc}};
///
/// #[derive(Debug)]
/// struct Noon;
/// impl Clock for Noon {
///     fn now(&self) -> DateTime<Utc> {
///         "2026-01-01T12:00:00Z".parse().unwrap_or_default()
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = recount::Store::connect("memory:").await?.with_clock(Noon);
/// # Ok(()) }
/// ```
pub trait Clock: Send + Sync + std::fmt::Debug + 'static {
    /// The time now.
    fn now(&self) -> DateTime<Utc>;
}

impl<C: Clock> Clock for Arc<C> {
    fn now(&self) -> DateTime<Utc> {
        (**self).now()
    }
}

/// Makes the ids of events.
///
/// ```
/// use recount::{IdSource, log::EventId, uuid::Uuid};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Debug, Default)]
/// struct Counting(AtomicU64);
/// impl IdSource for Counting {
///     fn next(&self) -> EventId {
///         EventId(Uuid::from_u64_pair(0, self.0.fetch_add(1, Ordering::Relaxed)))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = recount::Store::connect("memory:").await?.with_ids(Counting::default());
/// # Ok(()) }
/// ```
pub trait IdSource: Send + Sync + std::fmt::Debug + 'static {
    /// An id that was never used.
    fn next(&self) -> EventId;
}

impl<I: IdSource> IdSource for Arc<I> {
    fn next(&self) -> EventId {
        (**self).next()
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// UUIDs of version 7, rising within a process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UuidV7;

impl IdSource for UuidV7 {
    fn next(&self) -> EventId {
        EventId(Uuid::now_v7())
    }
}

/// The two, as a handle carries them.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Ids,
}

/// Where the ids of events come from.
#[derive(Debug, Clone)]
pub(crate) enum Ids {
    /// New ones.
    New(Arc<dyn IdSource>),
    /// Those of a deed: whoever records its events again gives them the same ids.
    Of(Deed),
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            ids: Ids::New(Arc::new(UuidV7)),
        }
    }
}

impl Sources {
    /// The time now, as every backend keeps it, so that state after recording equals state after loading.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        as_kept(self.clock.now())
    }

    /// The id of the event that is recorded at this index of its batch.
    pub(crate) fn id(&self, index: usize) -> EventId {
        match &self.ids {
            Ids::New(ids) => ids.next(),
            Ids::Of(deed) => deed.id(index),
        }
    }
}

/// What every backend keeps of a time: whole microseconds since 1970, which count a leap second as the second after it.
pub(crate) fn as_kept(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}
