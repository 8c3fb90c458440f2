//! NATS JetStream.

use std::time::Duration;

use recount::relay::nats::{NatsConsumer, NatsPublisher};
use recount::relay::{CloudEvent, PublishError, Publisher};
use uuid::Uuid;

use crate::cases::{Broker, Stoppable, broker_cases};
use crate::log::{consume, log};
use crate::server::{Kind, Server, shared};

struct Nats {
    server: Option<Server>,
    url: String,
    /// The stream, and the prefix of its subjects.
    name: String,
}

impl Nats {
    /// A stream of the server that is there.
    fn stream() -> Self {
        let (port, server) = shared(Kind::Nats);
        Self {
            server,
            url: format!("nats://127.0.0.1:{port}"),
            name: format!("test-{}", Uuid::now_v7()),
        }
    }

    fn own() -> Self {
        let server = Server::down(Kind::Nats);
        Self {
            url: format!("nats://127.0.0.1:{}", server.port),
            server: Some(server),
            name: "log".to_owned(),
        }
    }

    async fn context(&self) -> async_nats::jetstream::Context {
        async_nats::jetstream::new(async_nats::connect(&self.url).await.unwrap())
    }

    async fn length(&self) -> u64 {
        let stream = self.context().await.get_stream(&self.name).await;
        stream.unwrap().cached_info().state.messages
    }
}

impl Drop for Nats {
    /// Leaves no stream behind on a server that was there.
    fn drop(&mut self) {
        if self.server.is_some() {
            return;
        }
        let (url, name) = (self.url.clone(), self.name.clone());
        let deleting = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let client = async_nats::connect(url).await.unwrap();
                let context = async_nats::jetstream::new(client);
                // A test that failed may not have made it.
                let _ = context.delete_stream(name).await;
            });
        });
        deleting.join().unwrap();
    }
}

impl Broker for Nats {
    type Publisher = NatsPublisher;
    type Consumer = NatsConsumer;

    fn publisher(&self) -> NatsPublisher {
        let publisher = NatsPublisher::new(&self.url, &self.name).unwrap();
        publisher
            .create_stream(&self.name)
            .timeout(Duration::from_secs(2))
    }

    fn consumer(&self, group: &str, _: &str) -> NatsConsumer {
        let consumer = NatsConsumer::new(&self.url, &self.name, group).unwrap();
        consumer
            .wait(Duration::from_millis(300))
            .ack_within(Duration::from_secs(1))
    }

    async fn poison(&self, _: &CloudEvent) {
        let subject = format!("{}.poison", self.name);
        let context = self.context().await;
        let sent = context.publish(subject, "poison".into()).await;
        sent.unwrap().await.unwrap();
    }
}

impl Stoppable for Nats {
    fn start(&mut self) {
        self.server.as_mut().unwrap().start();
    }

    fn kill(&mut self) {
        self.server.as_mut().unwrap().kill();
    }

    fn pause(&mut self) {
        self.server.as_mut().unwrap().pause();
    }

    fn go_on(&mut self) {
        self.server.as_mut().unwrap().go_on();
    }
}

broker_cases! { on Nats::stream(), own Nats::own() }

#[tokio::test]
async fn what_is_published_again_is_stored_once() {
    let (nats, events) = (Nats::stream(), log(200, 3).await);
    for end in [10, 100, 50, 200] {
        nats.publisher().publish(&events[..end]).await.unwrap();
    }
    assert_eq!(nats.length().await, 200);
}

#[tokio::test]
async fn a_filter_takes_one_stream_of_the_log() {
    let (nats, events) = (Nats::stream(), log(30, 3).await);
    nats.publisher().publish(&events).await.unwrap();
    let consumer = nats.consumer("group", "a");
    let mut consumer = consumer.filter(format!("{}._.account.a%2E1", nats.name));
    let arrived = consume(&mut consumer, 10).await;
    assert!(
        arrived
            .iter()
            .all(|event| event.recorded.stream.id() == "a.1")
    );
}

#[tokio::test]
async fn without_a_stream_that_takes_them_events_are_not_published() {
    let (nats, events) = (Nats::stream(), log(3, 1).await);
    let mut publisher = NatsPublisher::new(&nats.url, &nats.name).unwrap();
    let refused = publisher.publish(&events).await.unwrap_err();
    assert!(refused.is_transient(), "{refused:?}");
    nats.publisher().publish(&events).await.unwrap();
    publisher.publish(&events).await.unwrap();
}

#[tokio::test]
async fn an_event_that_is_too_large_is_named() {
    let nats = Nats::stream();
    let mut events = log(3, 1).await;
    events[1].recorded.payload = format!("\"{}\"", "x".repeat(2 << 20)).into_bytes();
    let refused = nats.publisher().publish(&events).await.unwrap_err();
    let PublishError::EventRefused { event, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(event, events[1].recorded.id);
    assert_eq!(nats.length().await, 1);
}

#[tokio::test]
async fn an_event_that_the_stream_refuses_lets_no_later_one_of_its_stream_pass() {
    let nats = Nats::stream();
    let small = async_nats::jetstream::stream::Config {
        name: nats.name.clone(),
        subjects: vec![format!("{}.>", nats.name)],
        max_message_size: 2000,
        ..Default::default()
    };
    nats.context().await.create_stream(small).await.unwrap();
    let mut events = log(5, 1).await;
    events[1].recorded.payload = format!("\"{}\"", "x".repeat(3000)).into_bytes();
    let refused = nats.publisher().publish(&events).await.unwrap_err();
    let PublishError::EventRefused { event, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(event, events[1].recorded.id);
    assert_eq!(nats.length().await, 1);
}
