//! What a runner tells as metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use recount::prelude::*;
use recount::projection::Projector;
use recount::runner::Runner;

use crate::bank::{Account, Deposited, id};
use crate::projections::Balances;

/// Keeps each metric under its name and labels.
#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Kept {
    fn of(&self, key: &Key) -> Arc<AtomicU64> {
        let labels = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()));
        let name = format!("{}{{{}}}", key.name(), labels.collect::<Vec<_>>().join(","));
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }

    fn counter(&self, name: &str) -> u64 {
        self.0.lock().unwrap()[name].load(Ordering::Relaxed)
    }

    fn gauge(&self, name: &str) -> f64 {
        f64::from_bits(self.counter(name))
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.of(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test]
async fn each_follower_tells_what_it_handles_how_far_it_is_and_what_it_fails_at() {
    let store = Store::connect("memory:")
        .await
        .unwrap()
        .for_tenant("acme")
        .unwrap();
    let accounts = Repository::<Account>::new(&store);
    accounts
        .create(
            &id("a"),
            (Account::open("somebody"), Deposited { amount: 1 }),
        )
        .await
        .unwrap();
    let kept = Kept::default();
    let runner = Runner::new();
    let balances = ::metrics::with_local_recorder(&kept, || {
        runner.add(Projector::<Balances>::in_memory(&store))
    });
    let appended = accounts
        .execute(&id("a"), |_| Ok(Deposited { amount: 2 }))
        .await
        .unwrap();
    let until = async |name: &str, value: f64| {
        let is = async {
            while (kept.gauge(name) - value).abs() > f64::EPSILON {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), is)
            .await
            .unwrap();
    };
    tokio::time::timeout(
        Duration::from_secs(20),
        balances.wait_for(appended.position),
    )
    .await
    .unwrap()
    .unwrap();
    let labels = "{follower=balances,tenant=acme}";
    until(&format!("recount_running{labels}"), 1.0).await;
    until(&format!("recount_position{labels}"), 3.0).await;
    until(&format!("recount_lag_positions{labels}"), 0.0).await;
    until(&format!("recount_lag_seconds{labels}"), 0.0).await;
    until(&format!("recount_set_aside{labels}"), 0.0).await;
    assert_eq!(
        kept.counter(&format!("recount_events_handled_total{labels}")),
        2
    );
    assert_eq!(kept.counter(&format!("recount_errors_total{labels}")), 0);
    // An event that nobody can read.
    let damaged = recount::log::NewEvent::json("Deposited", 1, &"no object").unwrap();
    let stream = accounts.stream(&id("b")).unwrap();
    store
        .append(&stream, recount::log::Expected::Any, [damaged])
        .await
        .unwrap();
    until(&format!("recount_running{labels}"), 0.0).await;
    assert_eq!(kept.counter(&format!("recount_errors_total{labels}")), 1);
    assert!(kept.gauge(&format!("recount_lag_positions{labels}")) > 0.0);
}

#[tokio::test]
async fn what_is_set_aside_is_a_gauge() {
    let store = Store::connect("memory:").await.unwrap();
    let stream = recount::log::StreamId::new("account", "a").unwrap();
    for _ in 0..2 {
        let damaged = recount::log::NewEvent::json("Deposited", 1, &"no object").unwrap();
        let expected = recount::log::Expected::Any;
        store.append(&stream, expected, [damaged]).await.unwrap();
    }
    let balances = Projector::<Balances>::stored(&store).await.unwrap();
    let (kept, runner) = (Kept::default(), Runner::new());
    let balances = ::metrics::with_local_recorder(&kept, || {
        runner.add_with(balances, recount::runner::OnError::set_aside())
    });
    let caught_up = tokio::time::timeout(Duration::from_secs(20), balances.caught_up());
    caught_up.await.unwrap().unwrap();
    let told = kept.gauge("recount_set_aside{follower=balances}");
    assert!((told - 2.0).abs() < f64::EPSILON, "{told}");
    runner.shutdown().await;
}
