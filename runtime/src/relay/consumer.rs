//! What brings events from a broker.

use std::fmt;

use super::{CloudEvent, CloudEventError, Deduplicated};
use crate::store::{BackendError, BoxFuture};

/// Brings the events of a log from a broker, alike for all of them.
///
/// Consumers of one group share the events; each group gets all of them. An event is delivered until it is acknowledged: at
/// least once, again after a crash, and in the order of its stream as long as one consumer of the group handles one event after
/// the other and acknowledges each in turn.
///
/// # Cancel safety
/// A `next` that is dropped loses nothing: the event comes with a later call, or to another consumer of the group.
///
/// ```no_run
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct AccountId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct MoneyDeposited { pub cents: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "account", id = AccountId)] pub struct Account { cents: i64 }
/// # #[apply] impl Account { fn deposited(&mut self, event: MoneyDeposited) { self.cents += event.cents; } }
/// use recount::relay::{ConsumeError, Consumer};
///
/// /// Adds up deposits until the stop is asked for.
/// async fn add_up(consumer: impl Consumer, stop: impl Fn() -> bool) -> Result<i64, Box<dyn std::error::Error>> {
///     let mut consumer = consumer.deduplicated(10_000);
///     let mut total = 0;
///     while !stop() {
///         match consumer.next().await {
///             Ok(Some(delivery)) => {
///                 if let Some(events) = delivery.event().decode_of::<Account>()? {
///                     for AccountEvent::MoneyDeposited(event) in events { total += event.cents; }
///                 }
///                 delivery.ack().await?;
///             }
///             Ok(None) => {} // nothing came for a while
///             Err(ConsumeError::Malformed(message)) => {
///                 eprintln!("{message}");
///                 message.ack().await?; // or keep it somewhere first
///             }
///             Err(error) => eprintln!("{error}"), // tried again with the next call
///         }
///     }
///     Ok(total)
/// }
/// ```
pub trait Consumer: Send + 'static {
    /// The broker's address and what is consumed from there, for messages; without a password.
    fn url(&self) -> &str;

    /// The next event; `None` when none came within the time that the consumer waits.
    ///
    /// # Errors
    /// [`ConsumeError::Malformed`] for a message that is no event, which is to be acknowledged like one;
    /// [`ConsumeError::Unavailable`] when the broker is away, [`ConsumeError::Refused`] when somebody has to change something. The
    /// next call tries again.
    fn next(&mut self) -> impl Future<Output = Result<Option<Delivery>, ConsumeError>> + Send + '_;

    /// The same consumer, which passes over events that it saw acknowledged before: the last so many of them, in memory.
    ///
    /// ```no_run
    /// # fn example(consumer: impl recount::relay::Consumer) {
    /// use recount::relay::Consumer;
    ///
    /// let consumer = consumer.deduplicated(10_000);
    /// # }
    /// ```
    fn deduplicated(self, window: usize) -> Deduplicated<Self>
    where
        Self: Sized,
    {
        Deduplicated::new(self, window)
    }
}

/// How a broker is told that a message was handled. Written by consumers, called by [`Delivery::ack`].
///
/// ```
/// use recount::relay::Receipt;
/// use recount::store::{BackendError, BoxFuture};
///
/// struct NothingToTell;
///
/// impl Receipt for NothingToTell {
///     fn ack(&self) -> BoxFuture<'_, Result<(), BackendError>> { Box::pin(async { Ok(()) }) }
/// }
/// ```
pub trait Receipt: Send + Sync + 'static {
    /// Tells it, and waits until it has understood.
    ///
    /// # Errors
    /// What the broker's client said.
    fn ack(&self) -> BoxFuture<'_, Result<(), BackendError>>;
}

/// An event that a broker delivered, to be acknowledged once it was handled.
///
/// Dropped without that, it is delivered again: by Redis and NATS after a while, by Kafka once the consumer has started again.
///
/// ```
/// # struct NothingToTell;
/// # impl recount::relay::Receipt for NothingToTell {
/// #     fn ack(&self) -> recount::store::BoxFuture<'_, Result<(), recount::store::BackendError>> { Box::pin(async { Ok(()) }) }
/// # }
/// use recount::relay::{CloudEvent, Delivery};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let json = br#"{"specversion": "1.0", "id": "0192d6b0-7c00-7000-8000-000000000001", "source": "/recount",
///     "type": "account.Paid", "time": "2024-10-29T12:00:00.000000Z", "position": "1", "streamversion": "1",
///     "schemaversion": "1", "category": "account", "streamid": "a", "data": 5}"#;
/// let delivery = Delivery::of("test:", json, NothingToTell)?; // as a consumer makes it
/// assert_eq!(delivery.event().recorded.payload, b"5");
/// delivery.ack().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Delivery {
    event: CloudEvent,
    message: Message,
}

impl Delivery {
    /// What a consumer makes of a message: a delivery, or the error for one that is no event.
    ///
    /// # Errors
    /// [`ConsumeError::Malformed`].
    pub fn of(broker: &str, bytes: &[u8], receipt: impl Receipt) -> Result<Self, ConsumeError> {
        let message = Message {
            broker: broker.to_owned(),
            receipt: Box::new(receipt),
        };
        match CloudEvent::from_json(bytes) {
            Ok(event) => Ok(Self { event, message }),
            Err(reason) => Err(ConsumeError::Malformed(Box::new(Malformed {
                reason,
                bytes: bytes.to_vec(),
                message,
            }))),
        }
    }

    /// The event.
    pub fn event(&self) -> &CloudEvent {
        &self.event
    }

    /// Tells the broker that the event was handled. On Kafka that covers the events before it in its partition too, so
    /// acknowledge in order.
    ///
    /// # Errors
    /// [`ConsumeError::Unavailable`] when the broker is not known to have understood: acknowledge again, or be ready to be delivered
    /// the event again.
    ///
    /// # Cancel safety
    /// Dropped, the broker may or may not have understood.
    pub async fn ack(&self) -> Result<(), ConsumeError> {
        self.message.ack().await
    }

    /// The same delivery with another receipt, made of the one that it has.
    pub(super) fn with_receipt<R: Receipt>(self, make: impl FnOnce(Box<dyn Receipt>) -> R) -> Self {
        let Self { event, message } = self;
        let receipt = Box::new(make(message.receipt));
        Self {
            event,
            message: Message { receipt, ..message },
        }
    }
}

/// A message that is no event of a log, as [`ConsumeError::Malformed`] holds it.
///
/// It is delivered again until it is acknowledged: keep it for a person to look at, then acknowledge it.
///
/// ```
/// # struct NothingToTell;
/// # impl recount::relay::Receipt for NothingToTell {
/// #     fn ack(&self) -> recount::store::BoxFuture<'_, Result<(), recount::store::BackendError>> { Box::pin(async { Ok(()) }) }
/// # }
/// use recount::relay::{ConsumeError, Delivery};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let Err(ConsumeError::Malformed(message)) = Delivery::of("test:", b"hello", NothingToTell) else { panic!() };
/// assert_eq!(message.bytes(), b"hello");
/// message.ack().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Malformed {
    reason: CloudEventError,
    bytes: Vec<u8>,
    message: Message,
}

impl Malformed {
    /// What is wrong with it.
    pub fn reason(&self) -> &CloudEventError {
        &self.reason
    }

    /// The message as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Tells the broker that it need not be delivered again: see [`Delivery::ack`].
    ///
    /// # Errors
    /// As there.
    pub async fn ack(&self) -> Result<(), ConsumeError> {
        self.message.ack().await
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (broker, reason) = (&self.message.broker, &self.reason);
        write!(
            f,
            "a message from {broker} is no event of a log, keep it elsewhere and acknowledge it: {reason}"
        )
    }
}

impl std::error::Error for Malformed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.reason)
    }
}

/// Whom to tell that a message was handled.
struct Message {
    broker: String,
    receipt: Box<dyn Receipt>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {}", self.broker)
    }
}

impl Message {
    async fn ack(&self) -> Result<(), ConsumeError> {
        let acknowledged = self.receipt.ack().await;
        acknowledged.map_err(|source| ConsumeError::Unavailable {
            broker: self.broker.clone(),
            source,
        })
    }
}

/// Why no event was consumed, or an acknowledgement did not arrive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// A message is no event of a log. The events after it can be consumed.
    #[error(transparent)]
    Malformed(Box<Malformed>),
    /// The broker could not be reached or did not answer in time; nothing is lost.
    #[error("the broker {broker} did not answer; try again")]
    Unavailable {
        /// The broker's address.
        broker: String,
        /// What its client said.
        source: BackendError,
    },
    /// The broker gives nothing as things stand: somebody has to change something.
    #[error("the broker {broker} refuses to deliver: {advice}")]
    Refused {
        /// The broker's address.
        broker: String,
        /// What to do.
        advice: String,
        /// What it said.
        source: BackendError,
    },
}
