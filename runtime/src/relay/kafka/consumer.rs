//! Consuming from a topic, as one of a group.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::super::{ConsumeError, Consumer, Delivery, Receipt};
use crate::store::{BackendError, BoxFuture};

/// How long the brokers may take to note an acknowledgement.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Consumes a log from a topic, as one of a group: each group gets every event, and each partition goes to one of its consumers. A
/// group begins with the oldest record that is there.
///
/// What Kafka keeps is how far a partition was handled: acknowledging an event covers those before it. What was not acknowledged is
/// delivered again when the consumer starts anew or its partition goes to another one. While the group shares its partitions anew,
/// since a consumer came or went, the brokers note nothing: what is acknowledged then is delivered again to whoever has its partition
/// after that, and `ack` is no error.
///
/// ```no_run
/// # async fn example() -> Result<(), recount::relay::ConsumeError> {
/// use recount::relay::Consumer;
/// use recount::relay::kafka::KafkaConsumer;
///
/// let mut consumer = KafkaConsumer::new("127.0.0.1:9092", "bank", "mailer").deduplicated(10_000);
/// while let Some(delivery) = consumer.next().await? {
///     println!("{}", delivery.event().event_type());
///     delivery.ack().await?;
/// }
/// # Ok(()) }
/// ```
pub struct KafkaConsumer {
    config: ClientConfig,
    topic: String,
    wait: Duration,
    group: Option<Arc<Group>>,
    shown: String,
}

impl KafkaConsumer {
    /// A consumer of `topic` in `group`, by way of these brokers, `HOST:PORT,…`. It connects with the first call.
    pub fn new(brokers: &str, topic: impl Into<String>, group: &str) -> Self {
        let topic = topic.into();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        config.set("group.id", group);
        config.set("auto.offset.reset", "earliest");
        Self {
            shown: format!("kafka://{brokers}/{topic}"),
            config,
            topic,
            wait: Duration::from_secs(1),
            group: None,
        }
    }

    /// Sets an option of librdkafka, such as `security.protocol`. What the promises rest on stays as it is.
    #[must_use]
    pub fn set(mut self, option: &str, value: &str) -> Self {
        self.config.set(option, value);
        self
    }

    /// How long [`next`](Consumer::next) waits for an event; a second by default.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    fn start(&self) -> Result<Arc<Group>, ConsumeError> {
        let mut config = self.config.clone();
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        let started = config.create().and_then(|consumer: StreamConsumer| {
            consumer.subscribe(&[&self.topic])?;
            Ok(consumer)
        });
        let consumer = started.map_err(|source| ConsumeError::Refused {
            broker: self.shown.clone(),
            advice: "look at the name of the topic and at the options of the consumer".to_owned(),
            source: BackendError::new(source),
        })?;
        Ok(Arc::new(Group {
            consumer,
            handled: Mutex::default(),
        }))
    }

    fn failed(&self, error: KafkaError) -> ConsumeError {
        let broker = self.shown.clone();
        let code = error.rdkafka_error_code();
        let source = BackendError::new(error);
        match code {
            Some(
                Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::SaslAuthenticationFailed
                | Code::Authentication,
            ) => ConsumeError::Refused {
                broker,
                advice: "give the user the right to read the topic and to use the group, and look at its password".to_owned(),
                source,
            },
            _ => ConsumeError::Unavailable { broker, source },
        }
    }
}

impl Consumer for KafkaConsumer {
    fn url(&self) -> &str {
        &self.shown
    }

    async fn next(&mut self) -> Result<Option<Delivery>, ConsumeError> {
        let group = match &self.group {
            Some(group) => Arc::clone(group),
            None => Arc::clone(self.group.insert(self.start()?)),
        };
        match tokio::time::timeout(self.wait, group.consumer.recv()).await {
            Err(_) => Ok(None),
            Ok(Ok(message)) => {
                let receipt = Arc::new(Handled {
                    topic: message.topic().to_owned(),
                    partition: message.partition(),
                    offset: message.offset(),
                    group: Arc::clone(&group),
                });
                let bytes = message.payload().unwrap_or_default();
                Delivery::of(&self.shown, bytes, receipt).map(Some)
            }
            Ok(Err(error)) => {
                if error.rdkafka_error_code() == Some(Code::Fatal) {
                    self.group = None;
                }
                Err(self.failed(error))
            }
        }
    }
}

impl std::fmt::Debug for KafkaConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaConsumer")
            .field("url", &self.shown)
            .finish_non_exhaustive()
    }
}

/// The client, and how far each partition was handled, for it and its receipts.
struct Group {
    consumer: StreamConsumer,
    handled: Mutex<HashMap<i32, i64>>,
}

/// Notes how far a partition was handled.
struct Handled {
    topic: String,
    partition: i32,
    offset: i64,
    group: Arc<Group>,
}

impl Handled {
    fn commit(&self) -> Result<(), KafkaError> {
        let mut next = TopicPartitionList::new();
        next.add_partition_offset(&self.topic, self.partition, Offset::Offset(self.offset + 1))?;
        self.group.consumer.commit(&next, CommitMode::Sync)
    }

    fn handled(&self) -> std::sync::MutexGuard<'_, HashMap<i32, i64>> {
        self.group
            .handled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receipt for Arc<Handled> {
    fn ack(&self) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async {
            // One that comes late would take a later one back.
            if self
                .handled()
                .get(&self.partition)
                .is_some_and(|last| *last > self.offset)
            {
                return Ok(());
            }
            let this = Arc::clone(self);
            let committed = tokio::task::spawn_blocking(move || this.commit());
            let committed = tokio::time::timeout(ANSWER_WITHIN, committed).await;
            let committed = committed
                .map_err(BackendError::new)?
                .map_err(BackendError::new)?;
            match committed {
                Err(error) if shared_anew(&error) => return Ok(()),
                committed => committed.map_err(BackendError::new)?,
            }
            let mut handled = self.handled();
            let last = handled.entry(self.partition).or_insert(self.offset);
            *last = self.offset.max(*last);
            Ok(())
        })
    }
}

/// Whether the partitions go, or have gone, to other consumers of the group: the event comes again, to the one who has it then.
fn shared_anew(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(Code::RebalanceInProgress | Code::IllegalGeneration | Code::UnknownMemberId)
    )
}
