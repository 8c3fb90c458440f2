//! Publishing to a topic.

use std::collections::VecDeque;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::{DeliveryFuture, FutureProducer, FutureRecord};

use super::super::{CloudEvent, PublishError, Publisher};
use crate::store::BackendError;

/// Publishes a log to a topic: see the [module](super) for the records, and for what is promised.
///
/// ```no_run
/// # async fn example(events: &[recount::relay::CloudEvent]) -> Result<(), recount::relay::PublishError> {
/// use recount::relay::Publisher;
/// use recount::relay::kafka::KafkaPublisher;
///
/// let mut publisher = KafkaPublisher::new("127.0.0.1:9092", "bank").set("compression.type", "lz4");
/// publisher.publish(events).await?;
/// # Ok(()) }
/// ```
pub struct KafkaPublisher {
    config: ClientConfig,
    topic: String,
    timeout: Duration,
    producer: Option<Producer>,
    shown: String,
}

impl KafkaPublisher {
    /// A publisher to `topic` by way of these brokers, `HOST:PORT,…`. It connects with the first call. The topic must be there, or the
    /// brokers make it.
    pub fn new(brokers: &str, topic: impl Into<String>) -> Self {
        let topic = topic.into();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        // As the clients of other languages choose partitions.
        config.set("partitioner", "murmur2_random");
        Self {
            shown: format!("kafka://{brokers}/{topic}"),
            config,
            topic,
            timeout: Duration::from_secs(30),
            producer: None,
        }
    }

    /// Sets an option of librdkafka, such as `security.protocol`. What the promises rest on stays as it is.
    #[must_use]
    pub fn set(mut self, option: &str, value: &str) -> Self {
        self.config.set(option, value);
        self
    }

    /// How long the brokers may take to acknowledge the events of one call; 30 seconds by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn start(&self) -> Result<Producer, PublishError> {
        let mut config = self.config.clone();
        config.set("enable.idempotence", "true").set("acks", "all");
        // No record may be given up while a later one is sent: neither by a refusal nor, below, by time.
        config.set("enable.gapless.guarantee", "true");
        config.set("message.timeout.ms", "0");
        let started = config
            .create()
            .map_err(|source: KafkaError| PublishError::Refused {
                broker: self.shown.clone(),
                advice: "look at the options of the producer".to_owned(),
                source: BackendError::new(source),
            });
        Ok(Producer(Some(started?)))
    }

    async fn send_all(
        &self,
        producer: &Producer,
        events: &[CloudEvent],
    ) -> Result<(), PublishError> {
        let mut under_way = VecDeque::new();
        for event in events {
            let json = event
                .to_json()
                .map_err(|error| PublishError::unwritable(&self.shown, event, error))?;
            let key = event.recorded.stream.to_string();
            loop {
                match self.send(producer, &key, &json) {
                    Ok(delivery) => {
                        under_way.push_back((event, delivery));
                        break;
                    }
                    Err(KafkaError::MessageProduction(Code::QueueFull)) => {
                        // The oldest makes place for this one; in a queue that others filled there is none of ours.
                        match under_way.pop_front() {
                            Some((event, delivery)) => self.delivered(event, delivery).await?,
                            None => tokio::time::sleep(Duration::from_millis(10)).await,
                        }
                    }
                    Err(error) => {
                        // What was sent before is not held back by this one.
                        self.all_delivered(under_way).await?;
                        return Err(self.failed(event, error));
                    }
                }
            }
        }
        self.all_delivered(under_way).await
    }

    fn send(
        &self,
        producer: &Producer,
        key: &str,
        json: &[u8],
    ) -> Result<DeliveryFuture, KafkaError> {
        let headers = OwnedHeaders::new().insert(Header {
            key: "content-type",
            value: Some(CloudEvent::CONTENT_TYPE),
        });
        let record = FutureRecord::to(&self.topic)
            .key(key)
            .payload(json)
            .headers(headers);
        let Some(producer) = &producer.0 else {
            return Err(KafkaError::Canceled);
        };
        producer.send_result(record).map_err(|(error, _)| error)
    }

    async fn all_delivered(
        &self,
        under_way: VecDeque<(&CloudEvent, DeliveryFuture)>,
    ) -> Result<(), PublishError> {
        for (event, delivery) in under_way {
            self.delivered(event, delivery).await?;
        }
        Ok(())
    }

    async fn delivered(
        &self,
        event: &CloudEvent,
        delivery: DeliveryFuture,
    ) -> Result<(), PublishError> {
        match delivery.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(self.failed(event, error)),
            Err(_) => Err(self.failed(event, KafkaError::Canceled)),
        }
    }

    fn failed(&self, event: &CloudEvent, error: KafkaError) -> PublishError {
        let broker = self.shown.clone();
        let code = error.rdkafka_error_code();
        let source = BackendError::new(error);
        match code {
            Some(Code::MessageSizeTooLarge) => PublishError::EventRefused {
                broker,
                event: event.recorded.id,
                advice: "raise `max.message.bytes` of the topic, and set `message.max.bytes` here"
                    .to_owned(),
                source,
            },
            Some(
                Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::SaslAuthenticationFailed
                | Code::Authentication,
            ) => PublishError::Refused {
                broker,
                advice: "give the user the right to write to the topic, and look at its password"
                    .to_owned(),
                source,
            },
            Some(Code::InvalidTopic) => PublishError::Refused {
                broker,
                advice: "name a topic of letters, digits, dots, `_` and `-`".to_owned(),
                source,
            },
            _ => PublishError::Unavailable { broker, source },
        }
    }
}

impl Publisher for KafkaPublisher {
    fn url(&self) -> &str {
        &self.shown
    }

    async fn publish<'a>(&'a mut self, events: &'a [CloudEvent]) -> Result<(), PublishError> {
        // It comes back only when all it was given is stored: what is left in one would come after what is published again.
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => self.start()?,
        };
        let sent = self.send_all(&producer, events);
        match tokio::time::timeout(self.timeout, sent).await {
            Ok(sent) => sent?,
            Err(elapsed) => {
                return Err(PublishError::Unavailable {
                    broker: self.shown.clone(),
                    source: BackendError::new(elapsed),
                });
            }
        }
        self.producer = Some(producer);
        Ok(())
    }
}

impl std::fmt::Debug for KafkaPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaPublisher")
            .field("url", &self.shown)
            .finish_non_exhaustive()
    }
}

/// The client, which takes a while to end.
struct Producer(Option<FutureProducer>);

impl Drop for Producer {
    fn drop(&mut self) {
        let producer = self.0.take();
        // Where no thread can be started, it ends here.
        let _ = std::thread::Builder::new().spawn(move || drop(producer));
    }
}
