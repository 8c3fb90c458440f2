//! Consuming from JetStream, as a durable pull consumer.

use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::message::Acker;
use async_nats::jetstream::stream::ConsumerErrorKind;
use futures_util::StreamExt;

use super::super::{ConsumeError, Consumer, Delivery, Receipt};
use super::connection::{ANSWER_WITHIN, Connection, NotConnected};
use crate::store::{BackendError, BoxFuture};

/// The messages that are asked for at once: they count as delivered while they wait here.
const BATCH: usize = 64;

/// Consumes a log from a stream of JetStream, under a durable name: all that use the name share the events, and each name gets
/// all of them. It begins with the oldest message that is there.
///
/// What was delivered and not acknowledged within [`ack_within`](Self::ack_within) is delivered again, after later events then.
/// [`one_at_a_time`](Self::one_at_a_time) keeps the order of streams even so, and with several consumers.
///
/// ```no_run
/// # async fn example() -> Result<(), recount::relay::ConsumeError> {
/// use recount::relay::Consumer;
/// use recount::relay::nats::NatsConsumer;
///
/// let consumer = NatsConsumer::new("nats://127.0.0.1:4222", "BANK", "mailer")?.filter("bank.*.account.>");
/// let mut consumer = consumer.deduplicated(10_000);
/// while let Some(delivery) = consumer.next().await? {
///     println!("{}", delivery.event().event_type());
///     delivery.ack().await?;
/// }
/// # Ok(()) }
/// ```
pub struct NatsConsumer {
    connection: Connection,
    stream: String,
    config: pull::Config,
    wait: Duration,
    messages: Option<pull::Stream>,
    shown: String,
}

impl NatsConsumer {
    /// A consumer of `stream` on the server of a URL, under the durable name `name`. It connects with the first call, and makes the
    /// durable consumer where it is missing; one that is there is used as it is.
    ///
    /// # Errors
    /// [`ConsumeError::Refused`] when the URL is not one.
    pub fn new(
        url: &str,
        stream: impl Into<String>,
        name: impl Into<String>,
    ) -> Result<Self, ConsumeError> {
        let (stream, name) = (stream.into(), name.into());
        let connection = Connection::to(url).map_err(|error| ConsumeError::Refused {
            broker: format!("nats:{stream}"),
            advice: "write a URL like `nats://127.0.0.1:4222`".to_owned(),
            source: BackendError::new(error),
        })?;
        Ok(Self {
            shown: connection.shown(&stream),
            connection,
            stream,
            config: pull::Config {
                durable_name: Some(name),
                ack_policy: AckPolicy::Explicit,
                deliver_policy: DeliverPolicy::All,
                ack_wait: Duration::from_mins(1),
                ..pull::Config::default()
            },
            wait: Duration::from_secs(1),
            messages: None,
        })
    }

    /// Only messages on these subjects, such as `bank.*.account.>`.
    #[must_use]
    pub fn filter(mut self, subject: impl Into<String>) -> Self {
        self.config.filter_subject = subject.into();
        self
    }

    /// Lets the server deliver an event only once the one before it was acknowledged, whoever of the name asks: slow, and strictly in
    /// order.
    #[must_use]
    pub fn one_at_a_time(mut self) -> Self {
        self.config.max_ack_pending = 1;
        self
    }

    /// After which time without an acknowledgement an event is delivered again; a minute by default. Up to 64 events wait in a
    /// consumer, so longer than handling that many takes.
    #[must_use]
    pub fn ack_within(mut self, time: Duration) -> Self {
        self.config.ack_wait = time;
        self
    }

    /// How long [`next`](Consumer::next) waits for an event; a second by default.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Connects with these options: certificates, credentials, names.
    #[must_use]
    pub fn options(mut self, options: ConnectOptions) -> Self {
        self.connection.set_options(options);
        self
    }

    /// Finds or makes the durable consumer, and asks it for messages.
    async fn open(&mut self) -> Result<pull::Stream, ConsumeError> {
        let connected = self.connection.context(ANSWER_WITHIN).await;
        let context = connected.map_err(|error| match error {
            NotConnected::Yet(source) => self.unavailable(source),
            NotConnected::Ever(advice, source) => self.refused(advice, source),
        })?;
        let stream = context.get_stream(&self.stream).await;
        let stream = stream.map_err(|source| match source.kind() {
            GetStreamErrorKind::EmptyName | GetStreamErrorKind::InvalidStreamName => {
                self.refused("name a stream of JetStream", source)
            }
            // A stream that is missing may be made later, by whoever publishes.
            _ => self.unavailable(source),
        })?;
        let name = self.config.durable_name.as_deref().unwrap_or_default();
        let consumer = stream
            .get_or_create_consumer(name, self.config.clone())
            .await;
        let consumer = consumer.map_err(|source| match source.kind() {
            ConsumerErrorKind::InvalidConsumerType | ConsumerErrorKind::InvalidName => self
                .refused(
                    "the name is no name, or that of a push consumer; choose another one",
                    source,
                ),
            _ => self.unavailable(source),
        })?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(BATCH)
            .expires(Duration::from_secs(30))
            .heartbeat(Duration::from_secs(5))
            .messages();
        messages.await.map_err(|source| self.unavailable(source))
    }

    fn unavailable(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ConsumeError {
        ConsumeError::Unavailable {
            broker: self.shown.clone(),
            source: BackendError::new(source),
        }
    }

    fn refused(
        &self,
        advice: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ConsumeError {
        ConsumeError::Refused {
            broker: self.shown.clone(),
            advice: advice.to_owned(),
            source: BackendError::new(source),
        }
    }
}

impl Consumer for NatsConsumer {
    fn url(&self) -> &str {
        &self.shown
    }

    async fn next(&mut self) -> Result<Option<Delivery>, ConsumeError> {
        let messages = match self.messages.take() {
            Some(messages) => messages,
            None => self.open().await?,
        };
        // Kept before it is waited for, since the wait may be dropped.
        let messages = self.messages.insert(messages);
        match tokio::time::timeout(self.wait, messages.next()).await {
            Err(_) => Ok(None),
            Ok(Some(Ok(message))) => {
                let (message, acker) = message.split();
                Delivery::of(&self.shown, &message.payload, Told(acker)).map(Some)
            }
            Ok(Some(Err(source))) => {
                self.messages = None;
                Err(self.unavailable(source))
            }
            Ok(None) => {
                self.messages = None;
                Err(self.unavailable("the consumer was deleted, or its connection closed"))
            }
        }
    }
}

impl std::fmt::Debug for NatsConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsConsumer")
            .field("url", &self.shown)
            .field("name", &self.config.durable_name)
            .finish_non_exhaustive()
    }
}

/// Tells the server, and waits until it says that it has understood.
struct Told(Acker);

impl Receipt for Told {
    fn ack(&self) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async { self.0.double_ack().await.map_err(BackendError::new) })
    }
}
