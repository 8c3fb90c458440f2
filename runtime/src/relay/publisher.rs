//! What takes events to a broker.

use super::{CloudEvent, CloudEventError};
use crate::log::EventId;
use crate::store::BackendError;

/// Takes events of the log to a broker, and keeps what every broker must.
///
/// * It publishes in the order given, and returns `Ok` only once the broker has acknowledged every event as durably as it is set up
///   to keep them.
/// * On an error, or when the future is dropped, any of the events may have been published. The caller publishes all of them again;
///   the broker, or whoever consumes, drops the repetitions by the event's id.
/// * Whatever fails, no event of a stream comes to stand before an earlier one of the same stream that was not published.
/// * A broker that was away is found again by the next call.
///
/// ```
/// use recount::relay::{CloudEvent, PublishError, Publisher};
///
/// /// Prints what a broker would be sent.
/// struct Printer;
///
/// impl Publisher for Printer {
///     fn url(&self) -> &str { "stdout:" }
///
///     async fn publish(&mut self, events: &[CloudEvent]) -> Result<(), PublishError> {
///         for event in events {
///             let json = event.to_json().map_err(|error| PublishError::unwritable("stdout:", event, error))?;
///             println!("{}", String::from_utf8_lossy(&json));
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Publisher: Send + 'static {
    /// The broker's address and what is published to there, for messages; without a password.
    fn url(&self) -> &str;

    /// Publishes these, in this order.
    ///
    /// # Errors
    /// [`PublishError`], which says whether the same call can succeed later.
    fn publish<'a>(
        &'a mut self,
        events: &'a [CloudEvent],
    ) -> impl Future<Output = Result<(), PublishError>> + Send + 'a;
}

/// Why events were not published, or not all of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The broker could not be reached, or did not acknowledge everything in time.
    #[error("the broker {broker} did not acknowledge all events; publish the same events again")]
    Unavailable {
        /// The broker's address.
        broker: String,
        /// What its client said.
        source: BackendError,
    },
    /// The broker takes nothing as things stand: somebody has to change something.
    #[error("the broker {broker} refuses the events: {advice}")]
    Refused {
        /// The broker's address.
        broker: String,
        /// What to do.
        advice: String,
        /// What it said.
        source: BackendError,
    },
    /// One event cannot be published; no later one of its stream was.
    #[error("event {event} cannot be published to {broker}: {advice}")]
    EventRefused {
        /// The broker's address.
        broker: String,
        /// The event.
        event: EventId,
        /// What to do.
        advice: String,
        /// What the broker, or its client, said.
        source: BackendError,
    },
}

impl PublishError {
    /// An event that has no form as a CloudEvent.
    pub fn unwritable(
        broker: impl Into<String>,
        event: &CloudEvent,
        error: CloudEventError,
    ) -> Self {
        Self::EventRefused {
            broker: broker.into(),
            event: event.recorded.id,
            advice: "it cannot be written as a CloudEvent".to_owned(),
            source: BackendError::new(error),
        }
    }

    /// Whether the same events can be published later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
