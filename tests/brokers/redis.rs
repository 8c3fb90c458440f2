//! Redis Streams.

use std::time::Duration;

use recount::relay::redis::{RedisConsumer, RedisPublisher};
use recount::relay::{CloudEvent, Consumer, PublishError, Publisher};
use uuid::Uuid;

use crate::cases::{Broker, Stoppable, broker_cases};
use crate::log::{all_of, consume, log};
use crate::server::{Kind, Server, shared};

struct Redis {
    server: Option<Server>,
    url: String,
    key: String,
}

impl Redis {
    /// A key of the server that is there.
    fn key() -> Self {
        let (port, server) = shared(Kind::Redis);
        Self {
            server,
            url: format!("redis://127.0.0.1:{port}"),
            key: format!("test-{}", Uuid::now_v7()),
        }
    }

    fn own() -> Self {
        let server = Server::down(Kind::Redis);
        Self {
            url: format!("redis://127.0.0.1:{}", server.port),
            server: Some(server),
            key: "log".to_owned(),
        }
    }

    fn run<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> T {
        let client = redis::Client::open(&*self.url).unwrap();
        command
            .query(&mut client.get_connection().unwrap())
            .unwrap()
    }

    fn length(&self) -> usize {
        self.run(redis::cmd("XLEN").arg(&self.key))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.server.is_none() && !std::thread::panicking() {
            self.run::<()>(redis::cmd("DEL").arg(&self.key));
        }
    }
}

impl Broker for Redis {
    type Publisher = RedisPublisher;
    type Consumer = RedisConsumer;

    fn publisher(&self) -> RedisPublisher {
        let publisher = RedisPublisher::new(&self.url, &self.key).unwrap();
        publisher.timeout(Duration::from_secs(2))
    }

    fn consumer(&self, group: &str, name: &str) -> RedisConsumer {
        let consumer = RedisConsumer::new(&self.url, &self.key, group, name).unwrap();
        consumer
            .wait(Duration::from_millis(300))
            .claim_after(Duration::from_secs(1))
    }

    async fn poison(&self, last: &CloudEvent) {
        let id = format!("{}-1", last.recorded.position);
        self.run::<()>(
            redis::cmd("XADD")
                .arg(&self.key)
                .arg(id)
                .arg("event")
                .arg("poison"),
        );
    }
}

impl Stoppable for Redis {
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

broker_cases! { on Redis::key(), own Redis::own() }

#[tokio::test]
async fn what_is_published_again_is_stored_once() {
    let (redis, events) = (Redis::key(), log(200, 3).await);
    let mut publisher = redis.publisher();
    for end in [10, 100, 50, 200, 200] {
        publisher.publish(&events[..end]).await.unwrap();
    }
    assert_eq!(redis.length(), 200);
    redis.publisher().publish(&events).await.unwrap();
    assert_eq!(redis.length(), 200);
}

#[tokio::test]
async fn a_log_that_was_replaced_is_refused() {
    let (redis, events) = (Redis::key(), log(100, 3).await);
    redis.publisher().publish(&events).await.unwrap();
    let other = log(120, 3).await;
    let refused = redis.publisher().publish(&other).await.unwrap_err();
    assert!(
        matches!(refused, PublishError::Refused { .. }),
        "{refused:?}"
    );
    assert_eq!(redis.length(), 100);
}

#[tokio::test]
async fn a_second_publisher_that_leaves_events_out_makes_none_be_lost() {
    let (redis, events) = (Redis::key(), log(100, 3).await);
    let others: Vec<_> = events[50..].to_vec();
    redis.publisher().publish(&others).await.unwrap();
    let refused = redis.publisher().publish(&events).await.unwrap_err();
    assert!(
        matches!(refused, PublishError::Refused { .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn racing_publishers_of_one_log_store_each_event_once_and_in_order() {
    let (redis, events) = (Redis::key(), log(500, 3).await);
    let publishing = (0..4).map(|_| {
        let (mut publisher, events) = (redis.publisher(), events.clone());
        tokio::spawn(async move {
            for page in events.chunks(20) {
                publisher.publish(page).await.unwrap();
            }
        })
    });
    for published in publishing.collect::<Vec<_>>() {
        published.await.unwrap();
    }
    assert_eq!(redis.length(), 500);
    all_of(
        &events,
        &consume(&mut redis.consumer("group", "a"), 500).await,
    );
}

#[tokio::test]
async fn a_key_that_holds_something_else_is_refused_with_what_to_do() {
    let (redis, events) = (Redis::key(), log(1, 1).await);
    redis.run::<()>(redis::cmd("SET").arg(&redis.key).arg("text"));
    let refused = redis.publisher().publish(&events).await.unwrap_err();
    assert!(
        refused.to_string().contains("name another key"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_event_that_was_dropped_unhandled_comes_again_and_is_not_passed_over() {
    let (redis, events) = (Redis::key(), log(3, 1).await);
    redis.publisher().publish(&events).await.unwrap();
    let mut consumer = redis.consumer("group", "a").deduplicated(100);
    drop(consumer.next().await.unwrap().unwrap());
    all_of(&events, &consume(&mut consumer, 3).await);
}
