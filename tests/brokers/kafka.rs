//! Kafka, on the mock cluster of librdkafka: its protocol, its errors and brokers that are away, without its disks.

use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::types::{RDKafkaApiKey as Request, RDKafkaRespErr as Answer};
use recount::relay::kafka::{KafkaConsumer, KafkaPublisher};
use recount::relay::{CloudEvent, Consumer, PublishError, Publisher};

use crate::cases::{Broker, Stoppable, broker_cases, publish_all};
use crate::log::{all_of, consume, ids, in_order, is_over, log};

struct Kafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Kafka {
    fn up(partitions: i32) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("log", partitions, 1).unwrap();
        Self { cluster }
    }

    fn down() -> Self {
        let this = Self::up(3);
        this.cluster.broker_down(1).unwrap();
        this
    }
}

impl Broker for Kafka {
    type Publisher = KafkaPublisher;
    type Consumer = KafkaConsumer;

    fn publisher(&self) -> KafkaPublisher {
        let publisher = KafkaPublisher::new(&self.cluster.bootstrap_servers(), "log");
        publisher
            .timeout(Duration::from_secs(2))
            .set("reconnect.backoff.max.ms", "200")
    }

    fn consumer(&self, group: &str, _: &str) -> KafkaConsumer {
        let consumer = KafkaConsumer::new(&self.cluster.bootstrap_servers(), "log", group);
        consumer
            .wait(Duration::from_millis(1500))
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "200")
            .set("reconnect.backoff.max.ms", "200")
    }

    async fn poison(&self, last: &CloudEvent) {
        let mut config = rdkafka::ClientConfig::new();
        config.set("bootstrap.servers", self.cluster.bootstrap_servers());
        config.set("partitioner", "murmur2_random");
        let producer: FutureProducer = config.create().unwrap();
        let key = last.recorded.stream.to_string();
        let record = FutureRecord::to("log").key(&key).payload("poison");
        producer
            .send(record, Duration::from_secs(10))
            .await
            .unwrap();
    }
}

impl Stoppable for Kafka {
    fn start(&mut self) {
        self.cluster.broker_up(1).unwrap();
    }

    fn kill(&mut self) {
        self.cluster.broker_down(1).unwrap();
    }

    /// It answers later than anybody waits.
    fn pause(&mut self) {
        let pause = Duration::from_secs(5);
        self.cluster.broker_round_trip_time(1, pause).unwrap();
    }

    fn go_on(&mut self) {
        let pause = Duration::ZERO;
        self.cluster.broker_round_trip_time(1, pause).unwrap();
    }
}

broker_cases! { on Kafka::up(3), own Kafka::down() }

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_the_broker_that_pass_cost_no_event_its_place() {
    let (kafka, events) = (Kafka::up(1), log(500, 3).await);
    let mut publisher = kafka.publisher();
    publisher.publish(&events[..1]).await.unwrap();
    let passing = [
        Answer::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Answer::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        Answer::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ];
    kafka.cluster.request_errors(Request::Produce, &passing);
    publish_all(&mut publisher, &events).await;
    let mut consumer = kafka.consumer("group", "a").deduplicated(1000);
    let arrived = consume(&mut consumer, events.len()).await;
    all_of(&events, &arrived);
    in_order(&arrived);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_refuses_is_named_and_nothing_after_it_is_stored() {
    let (kafka, events) = (Kafka::up(1), log(300, 1).await);
    let mut publisher = kafka.publisher().set("batch.num.messages", "10");
    publisher.publish(&events[..1]).await.unwrap();
    kafka.cluster.request_errors(
        Request::Produce,
        &[Answer::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE],
    );
    let refused = publisher.publish(&events[1..]).await.unwrap_err();
    let PublishError::EventRefused { event, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(event, events[1].recorded.id);
    publish_all(&mut publisher, &events[1..]).await;
    let mut consumer = kafka.consumer("group", "a").deduplicated(1000);
    let arrived = consume(&mut consumer, events.len()).await;
    all_of(&events, &arrived);
    in_order(&arrived);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_full_is_waited_for() {
    let (kafka, events) = (Kafka::up(3), log(500, 3).await);
    let mut publisher = kafka.publisher().set("queue.buffering.max.messages", "7");
    publisher.publish(&events).await.unwrap();
    let mut consumer = kafka.consumer("group", "a");
    let arrived = consume(&mut consumer, events.len()).await;
    all_of(&events, &arrived);
    in_order(&arrived);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_while_the_group_is_shared_anew_is_no_error_and_its_event_comes_again() {
    for moved_on in [
        Answer::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
        Answer::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
        Answer::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
    ] {
        let (kafka, events) = (Kafka::up(1), log(3, 1).await);
        publish_all(&mut kafka.publisher(), &events).await;
        let mut consumer = kafka.consumer("group", "a");
        let mut arrived = consume(&mut consumer, 2).await;
        let delivery = loop {
            if let Some(delivery) = consumer.next().await.unwrap() {
                break delivery;
            }
        };
        kafka
            .cluster
            .request_errors(Request::OffsetCommit, &[moved_on]);
        delivery.ack().await.unwrap();
        drop((delivery, consumer));

        let mut after_it = kafka.consumer("group", "b");
        arrived.extend(consume(&mut after_it, 1).await);
        assert_eq!(ids(&arrived), ids(&events), "{moved_on:?}");
        is_over(&mut after_it).await;
    }
}
