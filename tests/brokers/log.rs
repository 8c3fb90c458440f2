//! A log to publish, and what has to be true of what arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use recount::log::{Expected, NewEvent, Query, StreamId};
use recount::prelude::*;
use recount::relay::{CloudEvent, ConsumeError, Consumer, Source};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    pub amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Deposited)]
pub struct DepositedV2 {
    pub cents: i64,
}

impl From<Deposited> for DepositedV2 {
    fn from(old: Deposited) -> Self {
        Self {
            cents: old.amount * 100,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "account", id = AccountId)]
pub struct Account {
    pub cents: i64,
}

#[apply]
impl Account {
    fn deposited(&mut self, event: DepositedV2) {
        self.cents += event.cents;
    }
}

/// So many events, dealt out to so many streams in turn.
pub async fn log(events: i64, streams: i64) -> Vec<CloudEvent> {
    let store = Store::connect("memory:").await.unwrap();
    append(&store, events, streams).await;
    published(&store).await
}

pub async fn append(store: &Store, events: i64, streams: i64) {
    for amount in 0..events {
        let stream = StreamId::new("account", format!("a.{}", amount % streams)).unwrap();
        let event = NewEvent::of(&DepositedV2 { cents: amount }).unwrap();
        store.append(&stream, Expected::Any, [event]).await.unwrap();
    }
}

/// All events of a log, as they are published.
pub async fn published(store: &Store) -> Vec<CloudEvent> {
    let events = store.read(Query::all()).collect().await.unwrap();
    let source = Source::default();
    let events = events.into_iter();
    events
        .map(|event| CloudEvent::new(event, source.clone()))
        .collect()
}

/// Consumes and acknowledges until so many events came, whatever the broker does meanwhile.
pub async fn consume(consumer: &mut impl Consumer, count: usize) -> Vec<CloudEvent> {
    let mut all = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(90);
    while all.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} came", all.len());
        match consumer.next().await {
            Ok(Some(delivery)) => {
                all.push(delivery.event().clone());
                // What the broker did not hear comes again, and is passed over.
                let _ = delivery.ack().await;
            }
            Ok(None) => {}
            Err(ConsumeError::Unavailable { .. }) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{error}: {error:?}"),
        }
    }
    all
}

/// Nothing comes any more.
pub async fn is_over(consumer: &mut impl Consumer) {
    let next = consumer.next().await;
    assert!(matches!(next, Ok(None)), "{next:?}");
}

/// What arrived is what was published, each event once.
pub fn all_of(sent: &[CloudEvent], arrived: &[CloudEvent]) {
    let by_position = |events: &[CloudEvent]| -> BTreeMap<_, _> {
        let events = events.iter().cloned();
        events
            .map(|event| (event.recorded.position, event))
            .collect()
    };
    assert_eq!(arrived.len(), by_position(arrived).len(), "some came twice");
    assert_eq!(by_position(sent), by_position(arrived));
}

/// Each stream's events came in order, without a gap.
pub fn in_order(arrived: &[CloudEvent]) {
    let mut versions = BTreeMap::new();
    for event in arrived {
        let last = versions
            .entry(event.recorded.stream.clone())
            .or_insert(Version::NONE);
        assert_eq!(event.recorded.version, last.next(), "{event:?}");
        *last = event.recorded.version;
    }
}

pub fn ids(events: &[CloudEvent]) -> BTreeSet<recount::log::EventId> {
    events.iter().map(|event| event.recorded.id).collect()
}
