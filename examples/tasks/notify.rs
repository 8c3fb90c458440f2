//! What others hear of: all events are published to a message broker as CloudEvents, and whoever is assigned a task is told.
//!
//! Here one program is both sides. In earnest [`tell`] runs wherever it likes: it knows the broker and the types of the events,
//! and has no access to the store.

use std::time::Duration;

use recount::log::Query;
use recount::prelude::*;
use recount::relay::nats::{NatsConsumer, NatsPublisher};
use recount::relay::redis::{RedisConsumer, RedisPublisher};
use recount::relay::{CloudEvent, ConsumeError, Consumer, Publisher, Relay};
use recount::runner::Runner;

use crate::support::{AnyError, progress};
use crate::task::{Task, TaskEvent};

/// How long the broker may be away. A relay by itself would wait for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who consumes: events that a consumer of this name has acknowledged do not come again.
const NOTIFIER: &str = "notifier";

/// A broker that can be published to.
pub enum Broker {
    Redis(String),
    Nats(String),
}

impl Broker {
    /// The broker of a URL. It is not asked for anything yet.
    pub fn of(url: &str) -> Result<Self, String> {
        match url.split_once("://") {
            Some(("redis", _)) => Ok(Self::Redis(url.to_owned())),
            Some(("nats", _)) => Ok(Self::Nats(url.to_owned())),
            _ => Err(format!(
                "--publish {url}: write redis://HOST:PORT or nats://HOST:PORT"
            )),
        }
    }
}

/// Publishes what is new in the log, then consumes from the broker what was not consumed before.
pub async fn through(broker: &Broker, store: &Store, runner: &Runner) -> Result<(), AnyError> {
    println!("--- Notifications ---");
    // A broker's copy is of one log, so each log has one of its own, named after its first event.
    let mut reader = store.read(Query::all().limit(1));
    let page = reader.next_page().await?;
    let Some(first) = page.as_ref().and_then(|page| page.get(0)) else {
        return Ok(());
    };
    let copy = format!("tasks-{}", first.id());
    match broker {
        Broker::Redis(url) => {
            let publisher = RedisPublisher::new(url, &copy)?;
            publish("tasks-to-redis", publisher, store, runner).await?;
            tell(RedisConsumer::new(url, &copy, NOTIFIER, NOTIFIER)?, store).await
        }
        Broker::Nats(url) => {
            let publisher = NatsPublisher::new(url, &copy)?.create_stream(&copy);
            publish("tasks-to-nats", publisher, store, runner).await?;
            tell(NatsConsumer::new(url, &copy, NOTIFIER)?, store).await
        }
    }
}

/// Publishes the log up to where it ends now. The relay keeps in the store how far it got.
async fn publish(
    name: &'static str,
    publisher: impl Publisher + Sync,
    store: &Store,
    runner: &Runner,
) -> Result<(), AnyError> {
    let broker = publisher.url().to_owned();
    let relay = runner.add(Relay::new(name, publisher, store).await?);
    let watched = [(name.to_owned(), (*relay).clone())];
    let all = tokio::time::timeout(PATIENCE, relay.wait_for(store.head().await?));
    let Ok(outcome) = progress::shown_while(&watched, all).await else {
        let why = match relay.status().await.last_error {
            Some((_, why)) => recount::with_causes(&*why),
            None => "it does not answer".to_owned(),
        };
        let seconds = PATIENCE.as_secs();
        return Err(format!(
            "nothing could be published for {seconds} seconds; start {broker}, or name another broker with --publish: {why}"
        )
        .into());
    };
    outcome?;
    println!(
        "{} new events published to {broker}.",
        relay.status().await.events
    );
    Ok(())
}

/// Tells people what they have been assigned, once: what was told is acknowledged.
async fn tell(consumer: impl Consumer, store: &Store) -> Result<(), AnyError> {
    let mut consumer = consumer.deduplicated(10_000);
    // Behind the event that is the last one now it need not wait for more.
    let last = store.head().await?;
    let mut came = 0;
    loop {
        let delivery = match consumer.next().await {
            Ok(Some(delivery)) => delivery,
            Ok(None) => break,
            Err(ConsumeError::Malformed(message)) => {
                println!("{message}");
                message.ack().await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        came += 1;
        let event = delivery.event();
        if let Some(events) = event.decode_of::<Task>()? {
            for happened in events {
                if let Some(text) = notification(&happened, event) {
                    println!("{text}");
                }
            }
        }
        delivery.ack().await?;
        if event.recorded.position == last {
            break;
        }
    }
    println!("{came} new events consumed.\n");
    Ok(())
}

/// What somebody is told about an event.
fn notification(happened: &TaskEvent, event: &CloudEvent) -> Option<String> {
    let at = event.envelope();
    let (task, actor) = (at.stream.id(), at.metadata.actor.as_deref());
    let tenant = at.stream.tenant().map_or("", |tenant| tenant.as_str());
    let actor = actor.unwrap_or("somebody");
    match happened {
        TaskEvent::TaskAssigned(assigned) => Some(format!(
            "To {} at {tenant}: you have been assigned {task} by {actor}: {}",
            assigned.to, assigned.reason
        )),
        TaskEvent::TaskEscalated(escalated) => Some(format!(
            "To {} at {tenant}: {task} is not yours any more: {}",
            escalated.taken_from, escalated.reason
        )),
        TaskEvent::TaskCreated(_) | TaskEvent::TaskCompleted(_) | TaskEvent::TaskReopened(_) => {
            None
        }
    }
}
