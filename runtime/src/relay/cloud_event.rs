//! An event of the log as a CloudEvent, on its way to others and back.
//!
//! [`CloudEvent`] is what the log knows of one event ([`RecordedEvent`]), plus where the log is (`source`) and what others added
//! (`extensions`). Between processes it is one JSON object, the *structured mode* of [CloudEvents 1.0], of the content type
//! [`CloudEvent::CONTENT_TYPE`]:
//!
//! | attribute | holds |
//! |---|---|
//! | `specversion` | `1.0` |
//! | `id` | the event's id, a UUID |
//! | `source` | the log, as a URI reference: [`Source`] |
//! | `type` | category and stored name, `account.MoneyDeposited` |
//! | `subject` | the stream as text, `account/account_001`, for others to filter by; not read back |
//! | `time` | when it was recorded, to the microsecond, in UTC; years 0 to 9999, since RFC 3339 knows no others: what lies outside is written as the nearest |
//! | `datacontenttype`, `data` | `application/json`, the payload |
//! | `position`, `streamversion`, `schemaversion` | numbers as decimal text, since the integers of CloudEvents end at 2³¹ |
//! | `category`, `streamid`, `tenant` | the parts of the stream's name; `tenant` only where there is one |
//! | `correlationid`, `causationid`, `actor` | of the metadata, where set |
//! | `metadata` | what else is in the metadata, if anything: a JSON object as text, since an attribute holds no object |
//!
//! The texts in `type`, `subject`, `category`, `streamid`, `tenant` and `actor` are percent-encoded where CloudEvents allows no
//! character of theirs (control characters and noncharacters), and so is `%`.
//!
//! [CloudEvents 1.0]: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md

mod read;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::aggregate::{Aggregate, Apply};
use crate::event::{DecodeError, Decoded, Event, PayloadError, StoredEvent};
use crate::log::{Record, RecordedEvent};
use crate::projection::Envelope;

/// Where a log is, as the attribute `source` says it: a URI reference, `/recount` by default.
///
/// Together with the id it names an event in the world, so two logs that one consumer reads should have two.
///
/// ```
/// use recount::relay::Source;
///
/// assert_eq!(Source::default().as_str(), "/recount");
/// assert_eq!(Source::new("https://bank.example/ledger")?.as_str(), "https://bank.example/ledger");
/// assert!(Source::new("my ledger").is_err());
/// # Ok::<(), recount::relay::CloudEventError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source(Arc<str>);

impl Source {
    /// Checks and takes a URI reference.
    ///
    /// # Errors
    /// [`CloudEventError::Invalid`] when it is empty or holds what RFC 3986 allows nowhere in one: blanks, quotes, `<>\^{|}`,
    /// or anything that is not ASCII.
    pub fn new(source: &str) -> Result<Self, CloudEventError> {
        let is_allowed = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
        if source.is_empty() || !source.chars().all(is_allowed) {
            return Err(CloudEventError::Invalid {
                attribute: "source",
                reason: format!("{source:?} is not a URI reference; write one like `/recount`"),
            });
        }
        Ok(Self(source.into()))
    }

    /// The reference as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Source {
    fn default() -> Self {
        Self("/recount".into())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event of a log as it travels between processes: see the [module](crate::relay) for how it gets there.
///
/// Written and read back it is the same, but for blanks around the payload and for what the table of attributes says of times.
///
/// ```
/// use recount::prelude::*;
/// use recount::event::Decoded;
/// use recount::log::Query;
/// use recount::relay::{CloudEvent, Source};
///
/// #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct AccountId(String);
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct MoneyDeposited { pub cents: i64 }
/// #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "account", id = AccountId)] pub struct Account { cents: i64 }
/// #[apply] impl Account { fn deposited(&mut self, event: MoneyDeposited) { self.cents += event.cents; } }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::connect("memory:").await?;
/// Repository::<Account>::new(&store).create(&AccountId::new("a")?, MoneyDeposited { cents: 500 }).await?;
///
/// let mut reader = store.read(Query::all());
/// let page = reader.next_page().await?.expect("one page");
/// let event = CloudEvent::of(&page.get(0).expect("one event"), &Source::default())?;
/// assert_eq!(event.event_type(), "account.MoneyDeposited");
///
/// // Elsewhere, by today's code: older versions pass through their upcasts.
/// let read = CloudEvent::from_json(&event.to_json()?)?;
/// assert_eq!(read, event);
/// assert_eq!(read.decode::<MoneyDeposited>()?, Decoded::One(MoneyDeposited { cents: 500 }));
/// assert_eq!(read.decode_of::<Account>()?, Some(Decoded::One(MoneyDeposited { cents: 500 }.into())));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloudEvent {
    /// Where its log is.
    pub source: Source,
    /// What the log knows of it.
    pub recorded: RecordedEvent,
    /// Attributes that others have added on its way, by name; kept when it is written again.
    pub extensions: BTreeMap<String, serde_json::Value>,
}

impl CloudEvent {
    /// The content type of what [`to_json`](Self::to_json) writes.
    pub const CONTENT_TYPE: &'static str = "application/cloudevents+json";

    /// A stored event of the log that `source` names.
    ///
    /// # Errors
    /// [`DecodeError`] when the stored metadata is damaged.
    pub fn of(record: &Record<'_>, source: &Source) -> Result<Self, Box<DecodeError>> {
        let recorded = record
            .to_owned()
            .map_err(|error| DecodeError::at(record, PayloadError::Metadata(error)))?;
        Ok(Self::new(recorded, source.clone()))
    }

    /// The same, of an event that was read as a value of its own.
    pub fn new(mut recorded: RecordedEvent, source: Source) -> Self {
        // Blanks around a JSON value are not part of it, and would not arrive.
        let payload = recorded.payload.trim_ascii();
        if payload.len() < recorded.payload.len() {
            recorded.payload = payload.to_vec();
        }
        Self {
            source,
            recorded,
            extensions: BTreeMap::new(),
        }
    }

    /// The attribute `type`: category and stored name.
    pub fn event_type(&self) -> String {
        write::event_type(&self.recorded)
    }

    /// As one JSON object.
    ///
    /// # Errors
    /// [`CloudEventError::NotJson`] when the payload is not JSON, which only a damaged log holds;
    /// [`CloudEventError::Invalid`] when an extension has the name of an attribute that is written anyway.
    pub fn to_json(&self) -> Result<Vec<u8>, CloudEventError> {
        write::to_json(self)
    }

    /// From one JSON object. Attributes that are not known go to [`extensions`](Self::extensions).
    ///
    /// # Errors
    /// [`CloudEventError`] when it is not a CloudEvent 1.0, or not one of a log.
    pub fn from_json(json: &[u8]) -> Result<Self, CloudEventError> {
        read::from_json(json)
    }

    /// The event as type `E`, an event or an enum of them, read as [`Event::decode`] does: through all upcasts, which may drop or
    /// split it. The category is not looked at; ask `E::reads(&event.recorded.name)` first where others may come.
    ///
    /// # Errors
    /// [`DecodeError`] when `E` does not read this name, or the payload cannot be read.
    pub fn decode<E: Event>(&self) -> Result<Decoded<E>, Box<DecodeError>> {
        let recorded = &self.recorded;
        if !E::reads(&recorded.name) {
            return Err(self.unread(PayloadError::Unknown));
        }
        E::decode(StoredEvent {
            name: &recorded.name,
            schema_version: recorded.schema_version,
            payload: &recorded.payload,
        })
        .map_err(|reason| self.unread(reason))
    }

    /// The event in the enum of all events of aggregate `A`; `None` when it is of another category, and [`Decoded::Many`] of none
    /// when its name is retired.
    ///
    /// # Errors
    /// [`DecodeError`] when the aggregate does not know the event, or the payload cannot be read.
    pub fn decode_of<A: Apply>(&self) -> Result<Option<Decoded<A::Event>>, Box<DecodeError>> {
        if self.recorded.stream.category().as_str() != <A as Aggregate>::CATEGORY {
            return Ok(None);
        }
        let name = &*self.recorded.name;
        if A::RETIRED.contains(&name) && !A::Event::reads(name) {
            return Ok(Some(Decoded::Many(Vec::new())));
        }
        self.decode().map(Some)
    }

    /// All that is known of it besides its content, as a projection's method is given it.
    pub fn envelope(&self) -> Envelope {
        let recorded = &self.recorded;
        Envelope {
            position: recorded.position,
            stream: recorded.stream.clone(),
            version: recorded.version,
            id: recorded.id,
            schema_version: recorded.schema_version,
            recorded_at: recorded.recorded_at,
            metadata: recorded.metadata.clone(),
        }
    }

    #[cold]
    #[expect(
        clippy::unnecessary_box_returns,
        reason = "every result that carries it carries it boxed, to stay small"
    )]
    fn unread(&self, reason: PayloadError) -> Box<DecodeError> {
        let recorded = &self.recorded;
        Box::new(DecodeError {
            stream: recorded.stream.clone(),
            version: recorded.version,
            position: recorded.position,
            name: recorded.name.to_string(),
            schema_version: recorded.schema_version,
            reason,
        })
    }
}

/// Why something is not the CloudEvent of a log, or cannot be written as one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloudEventError {
    /// It is not one JSON object without repeated names.
    #[error("not a CloudEvent in JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// An attribute is missing that every event of a log has.
    #[error(
        "the attribute `{attribute}` is missing; read events of others with a consumer of your own"
    )]
    Missing {
        /// The attribute.
        attribute: &'static str,
    },
    /// An attribute does not hold what it must.
    #[error("the attribute `{attribute}` does not fit: {reason}")]
    Invalid {
        /// The attribute.
        attribute: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// Whether the strings of CloudEvents may hold a character: no control characters, no noncharacters.
fn is_allowed(character: char) -> bool {
    let code = u32::from(character);
    !character.is_control() && !(0xfdd0..=0xfdef).contains(&code) && code & 0xfffe != 0xfffe
}
