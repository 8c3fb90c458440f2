//! From stored bytes to a typed event, and what can go wrong on the way.

use crate::log::{Position, Record, StreamId, Version};

/// What the log keeps of an event that decides how it is read.
///
/// ```
/// use recount::event::StoredEvent;
///
/// let stored = StoredEvent { name: "Opened", schema_version: 1, payload: br#"{"holder":"John"}"# };
/// assert_eq!(stored.name, "Opened");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct StoredEvent<'a> {
    /// The stored name.
    pub name: &'a str,
    /// The version of the payload's shape.
    pub schema_version: u32,
    /// The payload: JSON text in UTF-8.
    pub payload: &'a [u8],
}

impl<'a> From<Record<'a>> for StoredEvent<'a> {
    #[inline]
    fn from(record: Record<'a>) -> Self {
        Self {
            name: record.name(),
            schema_version: record.schema_version(),
            payload: record.payload(),
        }
    }
}

/// What one stored event is read as: itself nearly always, nothing or several when an upcast drops or splits it.
///
/// ```
/// use recount::event::Decoded;
///
/// assert_eq!(Decoded::One(7).into_iter().collect::<Vec<_>>(), [7]);
/// assert_eq!(Decoded::Many(vec![1, 2]).into_iter().count(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded<E> {
    /// One event.
    One(E),
    /// Any number of events, in order.
    Many(Vec<E>),
}

impl<E> Decoded<E> {
    /// Applies a conversion to each.
    pub fn map<F>(self, mut convert: impl FnMut(E) -> F) -> Decoded<F> {
        match self {
            Self::One(event) => Decoded::One(convert(event)),
            Self::Many(events) => Decoded::Many(events.into_iter().map(convert).collect()),
        }
    }

    /// Applies a conversion that may drop, split or fail to each.
    ///
    /// # Errors
    /// The first error of the conversion.
    pub fn try_flat_map<F, X>(
        self,
        mut convert: impl FnMut(E) -> Result<Decoded<F>, X>,
    ) -> Result<Decoded<F>, X> {
        match self {
            Self::One(event) => convert(event),
            Self::Many(events) => {
                let mut all = Vec::with_capacity(events.len());
                for event in events {
                    all.extend(convert(event)?);
                }
                Ok(Decoded::Many(all))
            }
        }
    }
}

impl<E> IntoIterator for Decoded<E> {
    type Item = E;
    type IntoIter = std::iter::Chain<std::option::IntoIter<E>, std::vec::IntoIter<E>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Self::One(event) => (Some(event), Vec::new()),
            Self::Many(events) => (None, events),
        };
        one.into_iter().chain(many)
    }
}

/// Why a payload could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The stored version is newer than any that this code knows: a newer release wrote it.
    #[error(
        "schema version {stored} is newer than {known}, the newest that this code knows; deploy the release that wrote it"
    )]
    Newer {
        /// The version in the log.
        stored: u32,
        /// The newest version that is known here.
        known: u32,
    },
    /// The stored version is older than any that this code can read.
    #[error(
        "schema version {stored} has no type and no upcast; the oldest that can be read is {oldest}"
    )]
    Older {
        /// The version in the log.
        stored: u32,
        /// The oldest version that can be read here.
        oldest: u32,
    },
    /// The payload does not have the shape of the type.
    #[error("the payload does not fit: {0}")]
    Json(#[from] serde_json::Error),
    /// A value has no form in JSON: an infinity or not-a-number.
    #[error("the value cannot be stored as JSON: {0}")]
    Unstorable(String),
    /// The conversion from an older version refused the event.
    #[error("upcast from version {from} failed: {source}")]
    Upcast {
        /// The version that was converted from.
        from: u32,
        /// What the conversion said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No type of this domain reads the name.
    #[error(
        "no event of this name is known; if its type was deleted on purpose, write `retired(\"…\")` on the aggregate"
    )]
    Unknown,
    /// The stored metadata is damaged.
    #[error("the metadata does not fit: {0}")]
    Metadata(serde_json::Error),
    /// An event that changes the state stands before one that makes it.
    #[error("it stands before any event that creates the state")]
    BeforeCreation,
    /// An event that makes the state stands after another that did.
    #[error("it creates the state, which an earlier event had created")]
    CreatedTwice,
    /// The stream's versions are not 1, 2, 3, …
    #[error("version {expected} is missing before it")]
    Gap {
        /// The version that should have come.
        expected: Version,
    },
}

/// A stored event that could not be read or folded: where it stands, what it is, and why.
///
/// The others stay readable; the log is never changed by a failed read.
#[derive(Debug)]
#[non_exhaustive]
pub struct DecodeError {
    /// The stream that holds it.
    pub stream: StreamId,
    /// Its version in the stream.
    pub version: Version,
    /// Its position in the log.
    pub position: Position,
    /// Its stored name.
    pub name: String,
    /// The version of its payload's shape.
    pub schema_version: u32,
    /// Why it could not be read.
    pub reason: DecodeReason,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            stream,
            version,
            position,
            name,
            schema_version,
            reason,
        } = self;
        write!(
            f,
            "event {name} v{schema_version} at version {version} of stream {stream} (position {position}): {reason}"
        )
    }
}

impl std::error::Error for DecodeError {
    /// What the reason was caused by: the reason itself is told by the text.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.reason)
    }
}

/// The reason of a [`DecodeError`].
pub type DecodeReason = PayloadError;

impl DecodeError {
    /// Adds where the event stands.
    #[cold]
    #[expect(
        clippy::unnecessary_box_returns,
        reason = "every result that carries it carries it boxed, to stay small"
    )]
    pub(crate) fn at(record: &Record<'_>, reason: PayloadError) -> Box<Self> {
        Box::new(Self {
            stream: record.stream_id(),
            version: record.version(),
            position: record.position(),
            name: record.name().to_owned(),
            schema_version: record.schema_version(),
            reason,
        })
    }
}
