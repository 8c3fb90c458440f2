//! What holds on every broker.

use std::sync::Mutex;
use std::time::Duration;

use recount::Store;
use recount::event::Decoded;
use recount::relay::{CloudEvent, ConsumeError, Consumer, PublishError, Publisher, Relay};
use recount::runner::{Runner, State};

use crate::log::{DepositedV2, all_of, append, consume, ids, in_order, is_over, log, published};

/// How soon another relay takes over from one that died.
const LEASE: Duration = Duration::from_millis(500);

/// A broker that a test has for itself, or a place on a shared one.
pub trait Broker {
    type Publisher: Publisher;
    type Consumer: Consumer;

    fn publisher(&self) -> Self::Publisher;
    /// A consumer of the group, which is delivered again after about a second what nobody acknowledged.
    fn consumer(&self, group: &str, name: &str) -> Self::Consumer;
    /// Writes a message that is no event, after event `last`.
    async fn poison(&self, last: &CloudEvent);
}

/// A broker that can be taken away.
pub trait Stoppable: Broker {
    fn start(&mut self);
    fn kill(&mut self);
    fn pause(&mut self);
    fn go_on(&mut self);
}

/// Publishes page by page, each again until it is acknowledged.
pub async fn publish_all(publisher: &mut impl Publisher, events: &[CloudEvent]) {
    for page in events.chunks(50) {
        publish(publisher, page).await;
    }
}

async fn publish(publisher: &mut impl Publisher, page: &[CloudEvent]) {
    for _ in 0..600 {
        match publisher.publish(page).await {
            Ok(()) => return,
            Err(error) => assert!(error.is_transient(), "{error}: {error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} takes nothing", publisher.url());
}

pub async fn every_event_arrives_once_and_typed(broker: impl Broker) {
    let events = log(300, 7).await;
    let mut publisher = broker.publisher();
    publish_all(&mut publisher, &events).await;
    publish_all(&mut publisher, &events[250..]).await; // an acknowledgement that was lost

    for group in ["first", "second"] {
        let mut consumer = broker.consumer(group, "a").deduplicated(1000);
        let arrived = consume(&mut consumer, events.len()).await;
        all_of(&events, &arrived);
        in_order(&arrived);
        is_over(&mut consumer).await;
        let cents: i64 = arrived
            .iter()
            .map(|event| match event.decode::<DepositedV2>().unwrap() {
                Decoded::One(event) => event.cents,
                Decoded::Many(_) => unreachable!("nothing is split"),
            })
            .sum();
        assert_eq!(cents, (0..300).sum::<i64>());
    }
}

pub async fn a_publisher_that_was_dropped_in_the_middle_publishes_all_again(broker: impl Broker) {
    let events = log(400, 3).await;
    for step in 0..8 {
        let mut publisher = broker.publisher();
        let some = publisher.publish(&events[..200 + step * 20]);
        let _ = tokio::time::timeout(Duration::from_millis(1 + 3 * step as u64), some).await;
    }
    publish_all(&mut broker.publisher(), &events).await;
    let mut consumer = broker.consumer("group", "a").deduplicated(1000);
    let arrived = consume(&mut consumer, events.len()).await;
    all_of(&events, &arrived);
    in_order(&arrived);
    is_over(&mut consumer).await;
}

pub async fn two_consumers_of_a_group_share_the_events(broker: impl Broker) {
    let events = log(300, 30).await;
    publish_all(&mut broker.publisher(), &events[..1]).await;
    let arrived = Mutex::new(Vec::new());
    let is_complete = || ids(&arrived.lock().unwrap()).len() == events.len();
    let share = async |name| {
        let mut consumer = broker.consumer("group", name);
        while !is_complete() {
            if let Some(delivery) = consumer.next().await.unwrap() {
                arrived.lock().unwrap().push(delivery.event().clone());
                delivery.ack().await.unwrap();
            }
        }
    };
    let publishing = async { publish_all(&mut broker.publisher(), &events[1..]).await };
    tokio::join!(share("a"), share("b"), publishing);
    assert_eq!(ids(&arrived.into_inner().unwrap()), ids(&events));
}

pub async fn a_message_that_is_no_event_is_told_and_can_be_acknowledged(broker: impl Broker) {
    let events = log(3, 1).await;
    let mut publisher = broker.publisher();
    publisher.publish(&events[..2]).await.unwrap();
    broker.poison(&events[1]).await;
    publisher.publish(&events[2..]).await.unwrap();

    let mut consumer = broker.consumer("group", "a");
    assert_eq!(ids(&consume(&mut consumer, 2).await), ids(&events[..2]));
    let Err(ConsumeError::Malformed(message)) = consumer.next().await else {
        panic!("a message that is no event is delivered as one");
    };
    assert_eq!(message.bytes(), b"poison");
    message.ack().await.unwrap();
    assert_eq!(ids(&consume(&mut consumer, 1).await), ids(&events[2..]));

    drop(consumer);
    is_over_soon(&mut broker.consumer("group", "a")).await;
}

/// Nothing is left to deliver, to a consumer that may have to be let in first.
async fn is_over_soon(consumer: &mut impl Consumer) {
    for _ in 0..3 {
        is_over(consumer).await;
    }
}

pub async fn events_of_tenants_keep_their_tenant(broker: impl Broker) {
    let store = Store::connect("memory:").await.unwrap();
    append(&store, 5, 2).await;
    for tenant in ["acme", "_", "a.b c"] {
        append(&store.for_tenant(tenant).unwrap(), 5, 2).await;
    }
    let events = published(&store).await;
    publish_all(&mut broker.publisher(), &events).await;
    let arrived = consume(&mut broker.consumer("group", "a"), events.len()).await;
    all_of(&events, &arrived);
    in_order(&arrived);
}

pub async fn a_next_that_is_dropped_loses_nothing(broker: impl Broker) {
    let events = log(200, 3).await;
    publish_all(&mut broker.publisher(), &events).await;
    let mut consumer = broker.consumer("group", "a").deduplicated(1000);
    let mut arrived = Vec::new();
    for turn in 0.. {
        assert!(turn < 100_000, "{} came", arrived.len());
        let pause = Duration::from_micros(turn % 700);
        if let Ok(next) = tokio::time::timeout(pause, consumer.next()).await
            && let Some(delivery) = next.unwrap()
        {
            arrived.push(delivery.event().clone());
            delivery.ack().await.unwrap();
        }
        if arrived.len() == events.len() {
            break;
        }
    }
    all_of(&events, &arrived);
    in_order(&arrived);
}

pub async fn what_a_dead_consumer_had_goes_to_another(broker: impl Broker) {
    let events = log(10, 1).await;
    publish_all(&mut broker.publisher(), &events).await;
    let mut dying = broker.consumer("group", "dying");
    let first = consume(&mut dying, 1).await;
    let unhandled = dying.next().await.unwrap().unwrap();
    drop((unhandled, dying));

    let mut other = broker.consumer("group", "other").deduplicated(100);
    let rest = consume(&mut other, events.len() - 1).await;
    all_of(&events, &[first, rest].concat());
}

pub async fn a_broker_that_is_down_at_the_start_is_found_later(mut broker: impl Stoppable) {
    let events = log(100, 3).await;
    let mut publisher = broker.publisher();
    let mut consumer = broker.consumer("group", "a");
    let refused = publisher.publish(&events).await;
    assert!(
        matches!(refused, Err(PublishError::Unavailable { .. })),
        "{refused:?}"
    );
    let nothing = consumer.next().await;
    assert!(
        matches!(nothing, Ok(None) | Err(ConsumeError::Unavailable { .. })),
        "{nothing:?}"
    );

    broker.start();
    publish_all(&mut publisher, &events).await;
    let mut consumer = consumer.deduplicated(1000);
    let arrived = consume(&mut consumer, events.len()).await;
    all_of(&events, &arrived);
    in_order(&arrived);
}

pub async fn a_broker_that_hangs_is_waited_for_and_nothing_is_lost_or_doubled(
    mut broker: impl Stoppable,
) {
    broker.start();
    let events = log(300, 3).await;
    let mut publisher = broker.publisher();
    publish_all(&mut publisher, &events[..100]).await;
    broker.pause();
    let refused = publisher.publish(&events[100..150]).await;
    assert!(
        matches!(refused, Err(PublishError::Unavailable { .. })),
        "{refused:?}"
    );
    broker.go_on();
    publish_all(&mut publisher, &events[100..]).await;

    let mut consumer = broker.consumer("group", "a").deduplicated(1000);
    let arrived = consume(&mut consumer, events.len()).await;
    all_of(&events, &arrived);
    in_order(&arrived);
}

pub async fn a_broker_that_dies_again_and_again_loses_and_doubles_nothing(
    mut broker: impl Stoppable,
) {
    broker.start();
    let events = log(2000, 5).await;
    let mut publisher = broker.publisher();
    let mut consumer = broker.consumer("group", "a").deduplicated(10_000);
    let sending = async { publish_all(&mut publisher, &events).await };
    let receiving = consume(&mut consumer, events.len());
    let dying = async {
        for turn in 0..4 {
            tokio::time::sleep(Duration::from_millis(40 + 60 * turn)).await;
            broker.kill();
            tokio::time::sleep(Duration::from_millis(100)).await;
            broker.start();
        }
    };
    let ((), arrived, ()) = tokio::join!(sending, receiving, dying);
    all_of(&events, &arrived);
    is_over(&mut consumer).await;
    in_order(&arrived);
}

pub async fn a_relay_publishes_all_that_is_appended_while_its_broker_comes_and_goes(
    mut broker: impl Stoppable<Publisher: Sync>,
) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("log.db").display());
    let store = Store::connect(&url).await.unwrap();
    append(&store, 100, 5).await;

    // Two processes would have two runners: one relay publishes, the other one stands by.
    let runners = [Runner::new(), Runner::new()].map(|runner| runner.with_lease(LEASE));
    let mut relays = Vec::new();
    for runner in &runners {
        let relay = Relay::new("to the broker", broker.publisher(), &store).await;
        relays.push(runner.add(relay.unwrap()));
    }
    // While the broker is down the lag is seen.
    let holder = async {
        loop {
            for relay in &relays {
                if relay.status().await.state == State::Retrying {
                    return relay.status().await;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let status = tokio::time::timeout(Duration::from_secs(30), holder).await;
    let status = status.unwrap();
    assert_eq!((status.position.0, status.lag), (0, 100), "{status}");
    assert!(status.last_error.is_some(), "{status}");

    broker.start();
    let appending = async {
        for _ in 0..10 {
            append(&store, 100, 5).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let dying = async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            broker.kill();
            tokio::time::sleep(Duration::from_millis(150)).await;
            broker.start();
        }
    };
    tokio::join!(appending, dying);
    let [first, second] = runners;
    // Whoever is left takes over.
    first.shutdown().await;
    append(&store, 50, 5).await;
    let caught_up = tokio::time::timeout(Duration::from_mins(1), relays[1].caught_up());
    caught_up.await.unwrap().unwrap();
    let status = relays[1].status().await;
    assert_eq!(status.lag, 0, "{status}");

    let events = published(&store).await;
    assert_eq!(events.len(), 1150);
    let mut consumer = broker.consumer("group", "a").deduplicated(10_000);
    let arrived = consume(&mut consumer, events.len()).await;
    all_of(&events, &arrived);
    in_order(&arrived);
    is_over(&mut consumer).await;
    second.shutdown().await;
}

/// Writes a test for each case: `on` is a place on a broker that is up, `own` one that can be taken away, and is down.
macro_rules! broker_cases {
    (on $on:expr, own $own:expr $(,)?) => {
        $crate::cases::broker_cases! { @each $on;
            every_event_arrives_once_and_typed,
            a_publisher_that_was_dropped_in_the_middle_publishes_all_again,
            two_consumers_of_a_group_share_the_events,
            a_message_that_is_no_event_is_told_and_can_be_acknowledged,
            events_of_tenants_keep_their_tenant,
            a_next_that_is_dropped_loses_nothing,
            what_a_dead_consumer_had_goes_to_another,
        }
        $crate::cases::broker_cases! { @each $own;
            a_broker_that_is_down_at_the_start_is_found_later,
            a_broker_that_hangs_is_waited_for_and_nothing_is_lost_or_doubled,
            a_broker_that_dies_again_and_again_loses_and_doubles_nothing,
            a_relay_publishes_all_that_is_appended_while_its_broker_comes_and_goes,
        }
    };
    (@each $broker:expr; $($case:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            $crate::cases::$case($broker).await;
        }
    )*};
}
pub(crate) use broker_cases;
