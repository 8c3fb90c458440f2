//! A reaction acts on every event, on those of each stream in their order, whatever fails, is dropped or runs at the same time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use recount::prelude::*;
use recount::projection::FollowError;
use recount::reaction::Reactor;
use recount::runner::{OnError, Runner, State};

use crate::bank::{Account, Deposited, id};
use crate::stores::every_store;

/// What was seen of events, and by how many at once.
#[derive(Default)]
struct Seen {
    by_stream: Mutex<BTreeMap<String, Vec<i64>>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Takes a while for each event; fails at some amounts as often as is said.
#[derive(Clone, Default)]
struct Slow {
    seen: Arc<Seen>,
    fails: Arc<Mutex<BTreeMap<i64, u32>>>,
    panics: bool,
}

#[reaction(name = "slow", of(Account))]
impl Slow {
    async fn deposited(&self, event: Deposited, at: &Envelope) -> Result<(), String> {
        let now = self.seen.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.seen.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.seen.now.fetch_sub(1, Ordering::SeqCst);
        if self.fails_at(event.amount) {
            assert!(!self.panics, "at {}", event.amount);
            return Err(format!("at {}", event.amount));
        }
        let mut seen = self.seen.by_stream.lock().unwrap();
        let stream = seen.entry(at.stream.id().to_owned()).or_default();
        // Once more is what may happen; a step back is not.
        if stream.last() != Some(&event.amount) {
            stream.push(event.amount);
        }
        Ok(())
    }
}

impl Slow {
    fn fails_at(&self, amount: i64) -> bool {
        let mut fails = self.fails.lock().unwrap();
        let left = fails.entry(amount).or_default();
        let fails = *left > 0;
        *left -= u32::from(fails);
        fails
    }
}

/// Fails seven times in all.
fn failing(panics: bool) -> Slow {
    let fails = [(0, 1), (103, 2), (402, 3), (405, 1)];
    Slow {
        fails: Arc::new(Mutex::new(fails.into())),
        panics,
        ..Slow::default()
    }
}

/// So many deposits on each of some accounts: of account 3 they are 300, 301, 302 and so on.
async fn deposits(store: &Store, accounts: i64, each: i64) {
    let repository = Repository::<Account>::new(store);
    for number in 0..accounts {
        let open = Account::open("somebody");
        repository
            .create(&id(&format!("a{number}")), open)
            .await
            .unwrap();
    }
    for event in 0..each {
        for number in 0..accounts {
            let deposited = Deposited {
                amount: number * 100 + event,
            };
            let id = id(&format!("a{number}"));
            repository
                .execute(&id, |_| Ok(deposited.clone()))
                .await
                .unwrap();
        }
    }
}

/// What is seen when all is: each stream's in its order.
fn all(accounts: i64, each: i64) -> BTreeMap<String, Vec<i64>> {
    let of = |number: i64| (0..each).map(|event| number * 100 + event).collect();
    (0..accounts)
        .map(|number| (format!("a{number}"), of(number)))
        .collect()
}

async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let coming = tokio::time::timeout(Duration::from_secs(20), coming);
    coming.await.expect("it comes soon")
}

/// Is called as another one is.
struct Namesake;

#[reaction(name = "slow", of(Account))]
impl Namesake {
    async fn deposited(&self, _: Deposited) {}
}

every_store! {
    async fn two_of_one_name_do_not_share_the_events_of_a_runner(store: Store) {
        deposits(&store, 2, 2).await;
        let (runner, slow) = (Runner::new(), Slow::default());
        let first = runner.add(Reactor::new(slow.clone(), &store).await.unwrap());
        let other = runner.add(Reactor::new(Namesake, &store).await.unwrap());
        let error = soon(other.caught_up()).await.unwrap_err();
        assert!(matches!(error.source.as_deref(), Some(FollowError::NameTaken { name: "slow" })), "{error}");
        assert_eq!(other.status().await.state, State::Stopped);
        soon(first.caught_up()).await.unwrap();
        assert_eq!(slow.seen.by_stream.lock().unwrap().values().flatten().count(), 4);
        runner.shutdown().await;
    }

    async fn several_streams_are_handled_at_once_and_each_in_its_order(store: Store) {
        deposits(&store, 6, 5).await;
        let slow = Slow::default();
        let seen = Arc::clone(&slow.seen);
        let mut reactor = Reactor::new(slow, &store).await.unwrap().at_once(4);
        assert_eq!(soon(reactor.catch_up()).await.unwrap().events, 30);
        assert_eq!(*seen.by_stream.lock().unwrap(), all(6, 5));
        assert_eq!(seen.most.load(Ordering::SeqCst), 4);
    }

    async fn one_after_another_unless_it_is_told_otherwise(store: Store) {
        deposits(&store, 4, 3).await;
        let slow = Slow::default();
        let seen = Arc::clone(&slow.seen);
        let mut reactor = Reactor::new(slow, &store).await.unwrap();
        assert_eq!(soon(reactor.catch_up()).await.unwrap().events, 12);
        assert_eq!((*seen.by_stream.lock().unwrap() == all(4, 3), seen.most.load(Ordering::SeqCst)), (true, 1));
    }

    async fn of_one_key_there_is_one_at_a_time(store: Store) {
        deposits(&store, 4, 3).await;
        let slow = Slow::default();
        let seen = Arc::clone(&slow.seen);
        let reactor = Reactor::new(slow, &store).await.unwrap();
        let mut reactor = reactor.at_once_by(100, |record| (record.position().0 % 2).to_string());
        assert_eq!(soon(reactor.catch_up()).await.unwrap().events, 12);
        assert_eq!(seen.most.load(Ordering::SeqCst), 2);
    }

    async fn what_fails_for_a_while_is_tried_again_and_the_order_of_its_stream_is_kept(store: Store) {
        deposits(&store, 5, 6).await;
        let slow = failing(false);
        let seen = Arc::clone(&slow.seen);
        let runner = Runner::new();
        let reactor = Reactor::new(slow, &store).await.unwrap().at_once(3);
        let live = runner.add_with(reactor, OnError::stop().pause(Duration::from_millis(1)));
        soon(live.caught_up()).await.unwrap();
        assert_eq!(*seen.by_stream.lock().unwrap(), all(5, 6));
        assert_eq!(live.status().await.state, State::Live);
        runner.shutdown().await;
    }

    async fn a_panic_stops_before_its_event_and_names_it_until_it_is_resumed(store: Store) {
        deposits(&store, 5, 6).await;
        let slow = failing(true);
        let seen = Arc::clone(&slow.seen);
        let runner = Runner::new();
        let live = runner.add(Reactor::new(slow, &store).await.unwrap().at_once(3));
        let mut stops = 0;
        while let Err(error) = soon(live.caught_up()).await {
            let told = error.source.expect("it has stopped").to_string();
            assert!(told.contains("panicked on the event at position ") && told.contains(": at "), "{told}");
            stops += 1;
            live.resume();
        }
        // Several may have panicked before it stopped.
        assert!((3..=7).contains(&stops), "{stops}");
        assert_eq!(*seen.by_stream.lock().unwrap(), all(5, 6));
        runner.shutdown().await;
    }

    async fn one_that_begins_now_has_nothing_to_do_with_what_was_before(store: Store) {
        deposits(&store, 2, 2).await;
        let slow = Slow::default();
        let seen = Arc::clone(&slow.seen);
        let mut reactor = Reactor::from_now(slow.clone(), &store).await.unwrap();
        assert_eq!(soon(reactor.catch_up()).await.unwrap().events, 0);
        let accounts = Repository::<Account>::new(&store);
        accounts.execute(&id("a1"), |_| Ok(Deposited { amount: 7 })).await.unwrap();
        drop(reactor);
        // Made again it goes on where it was, not at the end.
        let mut reactor = Reactor::from_now(slow, &store).await.unwrap();
        assert_eq!(soon(reactor.catch_up()).await.unwrap().events, 1);
        assert_eq!(*seen.by_stream.lock().unwrap(), BTreeMap::from([("a1".to_owned(), vec![7])]));
    }
}
