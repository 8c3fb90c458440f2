//! The numbers and ids that order the log.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The place of an event in the whole log, from 1, rising; `Position::START` (0) is before the first event.
///
/// A reader that has seen position *p* never later finds a new event at or below *p*.
/// Positions may have gaps on some backends; never compute with them, only compare.
///
/// ```
/// use recount::log::Position;
///
/// assert!(Position::START < Position(1));
/// assert_eq!(Position(42).to_string(), "42");
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);
}

/// The place of an event in its stream: 1, 2, 3, … without a gap. `Version::NONE` (0) is the version of an empty stream.
///
/// ```
/// use recount::log::Version;
///
/// assert_eq!(Version::NONE.next(), Version(1));
/// assert_eq!(Version(3).to_string(), "3");
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The version of a stream without events.
    pub const NONE: Self = Self(0);

    /// The version that follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The id of one event: a UUID, version 7 by default, so that ids made later sort later.
///
/// Appending the same ids again is recognised and returns the first result, which makes a retry safe.
///
/// ```
/// use recount::log::EventId;
/// use uuid::Uuid;
///
/// let id = EventId(Uuid::nil());
/// assert_eq!(id.to_string(), "00000000-0000-0000-0000-000000000000");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Uuid);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
