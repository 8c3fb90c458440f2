//! Projections that run by themselves are what a fold from zero is, whatever is appended, paused, failing or ended meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use recount::log::{Expected, NewEvent, StreamId};
use recount::prelude::*;
use recount::projection::{FollowError, Projection, Projector};
use recount::runner::{Handle, Runner, State};
use recount::store::{Backend, Checkpoint, Effects, MemoryBackend, ProjectionKey};
use recount::testing::{Fault, Faults, Operation};

use crate::bank::{Account, Deposited, id};
use crate::projections::Balances;
use crate::stores::every_store;

/// How many events there are, of whichever kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    accounts: u64,
}

#[projection(name = "opened", of(Account))]
impl Opened {
    fn opened(&mut self, _: crate::bank::Opened) {
        self.accounts += 1;
    }
}

async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let coming = tokio::time::timeout(Duration::from_secs(20), coming);
    coming.await.expect("it comes soon")
}

async fn deposit(store: &Store, name: &str, amount: i64) -> Position {
    let accounts = Repository::<Account>::new(store);
    let event = Deposited { amount };
    let appended = if accounts.exists(&id(name)).await.unwrap() {
        accounts
            .execute(&id(name), |_| Ok(event.clone()))
            .await
            .unwrap()
    } else {
        accounts
            .create(&id(name), (Account::open(name), event))
            .await
            .unwrap()
    };
    appended.position
}

/// The state of a fold from zero.
async fn from_zero(store: &Store) -> Balances {
    let mut balances = Projector::<Balances>::in_memory(store);
    balances.catch_up().await.unwrap();
    balances.into_state()
}

async fn comes_to(handle: &Handle, state: State) {
    soon(async {
        while handle.status().await.state != state {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// An event that nobody can read.
async fn damage(store: &Store) {
    let stream = StreamId::new("account", "damaged").unwrap();
    let event = NewEvent::json("Deposited", 1, &"no object").unwrap();
    store.append(&stream, Expected::Any, [event]).await.unwrap();
}

every_store! {
    async fn a_rebuild_tells_how_far_it_is_and_ends_at_the_end(store: Store) {
        for amount in 0..5 {
            deposit(&store, "a", amount).await;
        }
        let runner = Runner::new();
        let balances = runner.add(Projector::<Balances>::in_memory(&store));
        let mut told = Vec::new();
        let rebuilt = balances.rebuild_telling(|rebuild| told.push(*rebuild)).await.unwrap();
        let (first, last) = (told.first().unwrap(), told.last().unwrap());
        assert!(told.is_sorted_by_key(|rebuild| rebuild.progress.position));
        assert_eq!((first.progress.events, last.progress, last.end), (5, rebuilt, store.head().await.unwrap()));
        assert_eq!(last.time_left(), Some(Duration::ZERO));
    }

    async fn what_is_there_and_what_comes_is_handled_and_can_be_waited_for(store: Store) {
        deposit(&store, "a", 1).await;
        let runner = Runner::new();
        let memory = runner.add(Projector::<Balances>::in_memory(&store));
        let stored = runner.add(Projector::<Opened>::stored(&store).await.unwrap());
        for amount in 2..20 {
            let position = deposit(&store, "a", amount).await;
            soon(memory.wait_for(position)).await.unwrap();
            // Its own write is seen.
            assert_eq!(memory.read().await.handled, u64::try_from(amount).unwrap());
        }
        let last = deposit(&store, "b", 1).await;
        soon(stored.wait_for(last)).await.unwrap();
        assert_eq!(stored.read().await.accounts, 2);
        comes_to(&stored, State::Live).await;
        let status = stored.status().await;
        assert_eq!((status.lag, status.events, status.position), (0, 2, last));
        assert!(status.to_string().starts_with(&format!("opened: live at {last}, 2 events handled")), "{status}");
        runner.shutdown().await;
        assert_eq!(stored.status().await.state, State::Ended);
        stored.wait_for(Position(last.0 + 1)).await.unwrap_err();
    }

    async fn one_that_fails_stops_before_the_event_and_the_others_go_on(store: Store) {
        let before = deposit(&store, "a", 1).await;
        damage(&store).await;
        let last = deposit(&store, "b", 1).await;
        let runner = Runner::new();
        let failing = runner.add(Projector::<Balances>::stored(&store).await.unwrap());
        let other = runner.add(Projector::<Opened>::stored(&store).await.unwrap());
        soon(other.wait_for(last)).await.unwrap();
        let error = soon(failing.wait_for(last)).await.unwrap_err();
        assert_eq!((error.projection, error.reached, error.position), ("balances", before, last));
        assert!(matches!(error.source.as_deref(), Some(FollowError::Decode { .. })), "{error:?}");
        for _ in 0..3 {
            // It tries again when it is told to, and handles nothing twice.
            failing.resume();
            soon(failing.wait_for(last)).await.unwrap_err();
            assert_eq!(failing.read().await.handled, 1);
        }
        let status = failing.status().await;
        assert_eq!((status.state, status.events), (State::Stopped, 1));
        assert!(status.lag > 0 && status.lag_time > Some(Duration::ZERO), "{status}");
        assert!(status.to_string().contains("could not read an event"), "{status}");
        let later = deposit(&store, "c", 1).await;
        soon(other.wait_for(later)).await.unwrap();
        assert_eq!(other.read().await.accounts, 3);
    }

    async fn one_that_is_paused_handles_nothing_until_it_is_resumed(store: Store) {
        let runner = Runner::new();
        let balances = runner.add(Projector::<Balances>::in_memory(&store));
        let first = deposit(&store, "a", 1).await;
        soon(balances.wait_for(first)).await.unwrap();
        balances.pause();
        comes_to(&balances, State::Paused).await;
        let second = deposit(&store, "a", 2).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!((balances.position(), balances.read().await.handled), (first, 1));
        let status = balances.status().await;
        assert!(status.lag > 0 && status.lag_time >= Some(Duration::from_millis(100)), "{status}");
        // What it does not handle does not put it behind.
        let other = Runner::new();
        let opened = other.add(Projector::<Opened>::in_memory(&store));
        soon(opened.wait_for(second)).await.unwrap();
        opened.pause();
        comes_to(&opened, State::Paused).await;
        let third = deposit(&store, "a", 3).await;
        let status = opened.status().await;
        assert_eq!((status.lag, status.lag_time), (0, Some(Duration::ZERO)));
        balances.resume();
        soon(balances.wait_for(third)).await.unwrap();
        assert_eq!(balances.read().await.handled, 3);
    }

    async fn a_store_that_fails_for_a_while_loses_and_repeats_nothing(store: Store) {
        let faults = Faults::seeded_with(7, 0.2, [Fault::Fail, Fault::LoseAnswer]);
        let failing = faults.around(&store);
        let stored = loop {
            if let Ok(projector) = Projector::<Balances>::stored(&failing).await {
                break projector;
            }
        };
        let runner = Runner::new();
        let stored = runner.add(stored);
        let memory = runner.add(Projector::<Balances>::in_memory(&failing));
        let mut last = Position::START;
        for amount in 1..40 {
            last = deposit(&store, ["a", "b"][amount % 2], i64::try_from(amount).unwrap()).await;
            if amount % 8 == 0 {
                soon(memory.wait_for(last)).await.unwrap();
            }
        }
        faults.next(Operation::Read, Fault::Fail);
        faults.stop();
        for balances in [&stored, &memory] {
            soon(balances.wait_for(last)).await.unwrap();
            assert_eq!(**balances.read().await, from_zero(&store).await);
        }
    }

    async fn who_is_shut_down_goes_on_later_where_it_stood(store: Store) {
        for round in 1..=5_i64 {
            let runner = Runner::new();
            let balances = runner.add(Projector::<Balances>::stored(&store).await.unwrap());
            let mut last = Position::START;
            for _ in 0..round {
                last = deposit(&store, "a", 1).await;
            }
            if round % 2 == 0 {
                soon(balances.wait_for(last)).await.unwrap();
            }
            if round == 3 {
                drop(runner);
            } else {
                soon(runner.shutdown()).await;
            }
        }
        let mut stored = Projector::<Balances>::stored(&store).await.unwrap();
        assert!(stored.handled > 0);
        stored.catch_up().await.unwrap();
        assert_eq!(*stored, from_zero(&store).await);
    }

    async fn run_by_several_while_many_write_it_is_what_a_fold_from_zero_is(store: Store) {
        for name in ["0", "1", "2"] {
            deposit(&store, name, 1).await;
        }
        let writers: Vec<_> = (0..4).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for amount in 0..60 {
                    deposit(&store, &format!("{}", (writer + amount) % 3), amount).await;
                }
            })
        }).collect();
        let mut runners = Vec::new();
        for _ in 0..3 {
            let runner = Runner::new();
            let balances = runner.add(Projector::<Balances>::stored(&store).await.unwrap());
            runners.push((runner, balances));
        }
        for turn in 0..30 {
            let (_, balances) = &runners[turn % 3];
            balances.pause();
            tokio::time::sleep(Duration::from_millis(u64::try_from(turn % 5).unwrap())).await;
            balances.resume();
        }
        for writer in writers {
            writer.await.unwrap();
        }
        let (head, expected) = (store.head().await.unwrap(), from_zero(&store).await);
        assert_eq!(expected.handled, 243);
        for (runner, balances) in runners {
            soon(balances.wait_for(head)).await.unwrap();
            assert_eq!(**balances.read().await, expected);
            soon(runner.shutdown()).await;
        }
    }

    async fn it_is_built_anew_while_it_is_read_and_many_write(store: Store) {
        for name in ["0", "1"] {
            deposit(&store, name, 1).await;
        }
        let runner = Runner::new();
        let stored = runner.add(Projector::<Balances>::stored(&store).await.unwrap());
        let memory = runner.add(Projector::<Balances>::in_memory(&store));
        soon(stored.wait_for(store.head().await.unwrap())).await.unwrap();
        let writer = tokio::spawn({
            let store = store.clone();
            async move {
                for amount in 0..80 {
                    deposit(&store, &format!("{}", amount % 2), amount).await;
                    tokio::task::yield_now().await;
                }
            }
        });
        let reader = tokio::spawn({
            let stored = stored.clone();
            async move {
                let mut seen = (Position::START, 0);
                while seen.1 < 82 {
                    let now = {
                        let state = stored.read().await;
                        (state.position(), state.handled)
                    };
                    // It never goes back to an empty or an older state.
                    assert!(now >= seen && now.1 >= seen.1, "{seen:?} and then {now:?}");
                    seen = now;
                    tokio::task::yield_now().await;
                }
            }
        });
        for _ in 0..10 {
            soon(stored.rebuild()).await.unwrap();
            soon(memory.rebuild()).await.unwrap();
        }
        writer.await.unwrap();
        soon(reader).await.unwrap();
        let (head, expected) = (store.head().await.unwrap(), from_zero(&store).await);
        for balances in [&stored, &memory] {
            soon(balances.wait_for(head)).await.unwrap();
            assert_eq!(**balances.read().await, expected);
        }
    }

    async fn it_ends_when_its_store_is_closed(store: Store) {
        let runner = Runner::new();
        let balances = runner.add(Projector::<Balances>::in_memory(&store));
        let paused = runner.add(Projector::<Opened>::in_memory(&store));
        let stopped = runner.add(Projector::<Balances>::in_memory(&store));
        let position = deposit(&store, "a", 1).await;
        for handle in runner.handles() {
            soon(handle.wait_for(position)).await.unwrap();
        }
        paused.pause();
        comes_to(&paused, State::Paused).await;
        balances.pause();
        comes_to(&balances, State::Paused).await;
        damage(&store).await;
        comes_to(&stopped, State::Stopped).await;
        store.clone().close().await.unwrap();
        for handle in runner.handles() {
            comes_to(&handle, State::Ended).await;
            let error = soon(handle.wait_for(Position(position.0 + 9))).await.unwrap_err();
            assert!(error.source.is_none(), "{error}");
        }
        soon(runner.shutdown()).await;
    }

    async fn a_checkpoint_that_cannot_be_saved_is_saved_later(store: Store) {
        let faults = Faults::new();
        let stored = Projector::<Balances>::stored(&faults.around(&store)).await.unwrap();
        let runner = Runner::new();
        let balances = runner.add(stored);
        for (turn, fault) in [Fault::Fail, Fault::LoseRequest, Fault::LoseAnswer, Fault::Conflict].into_iter().enumerate() {
            faults.next(Operation::SaveCheckpoint, fault);
            let position = deposit(&store, "a", 1).await;
            soon(balances.wait_for(position)).await.unwrap();
            faults.assert_all_met();
            assert_eq!(balances.read().await.handled, turn as u64 + 1);
        }
    }

    async fn what_it_got_over_is_not_why_it_ended(store: Store) {
        let faults = Faults::new();
        let runner = Runner::new();
        let balances = runner.add(Projector::<Balances>::in_memory(&faults.around(&store)));
        let first = deposit(&store, "a", 1).await;
        soon(balances.wait_for(first)).await.unwrap();
        faults.next(Operation::Read, Fault::Fail);
        let second = deposit(&store, "a", 1).await;
        soon(balances.wait_for(second)).await.unwrap();
        assert!(balances.status().await.last_error.is_some());
        soon(runner.shutdown()).await;
        let error = balances.wait_for(Position(second.0 + 1)).await.unwrap_err();
        assert!(error.source.is_none(), "{error}");
        assert!(error.to_string().contains("does not run any more"), "{error}");
    }

    async fn who_holds_the_state_hinders_neither_others_nor_the_end(store: Store) {
        let runner = Runner::new();
        let balances = runner.add(Projector::<Balances>::in_memory(&store));
        let first = deposit(&store, "a", 1).await;
        soon(balances.wait_for(first)).await.unwrap();
        for _ in 0..3 {
            let state = balances.read().await;
            let next = deposit(&store, "a", 1).await;
            // The projection has been woken, and would like to have the state for itself.
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(soon(balances.read()).await.handled, state.handled);
            drop(state);
            soon(balances.wait_for(next)).await.unwrap();
        }
        let state = balances.read().await;
        deposit(&store, "a", 1).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        balances.pause();
        comes_to(&balances, State::Paused).await;
        balances.resume();
        soon(runner.shutdown()).await;
        assert_eq!(state.handled, 4);
    }

    async fn one_that_is_resumed_does_not_say_that_it_is_paused(store: Store) {
        let faults = Faults::new();
        let runner = Runner::new();
        let balances = runner.add(Projector::<Opened>::in_memory(&faults.around(&store)));
        balances.pause();
        comes_to(&balances, State::Paused).await;
        // The status reads too, and may come first.
        let delays = [20, 1000].map(|millis| Some(Fault::Delay(Duration::from_millis(millis))));
        faults.script(Operation::Read, delays);
        let event = NewEvent::json("Opened", 1, &BTreeMap::from([("holder", "o")])).unwrap();
        let one = store.append(&StreamId::new("account", "o").unwrap(), Expected::Any, [event]).await;
        balances.resume();
        comes_to(&balances, State::CatchingUp).await;
        soon(balances.wait_for(one.unwrap().position)).await.unwrap();
        assert_eq!(balances.read().await.accounts, 1);
    }
}

/// Panics on some amounts while it is told to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fragile {
    sum: i64,
}

static BROKEN: AtomicBool = AtomicBool::new(true);

#[projection(name = "fragile", of(Account))]
impl Fragile {
    fn deposited(&mut self, event: Deposited) {
        self.sum += event.amount;
        let broken = event.amount == 13 && BROKEN.load(Ordering::Relaxed);
        assert!(!broken, "thirteen");
    }
}

#[tokio::test]
async fn one_that_panics_stops_and_counts_nothing_twice_when_it_tries_again() {
    let store = Store::connect("memory:").await.unwrap();
    let runner = Runner::new();
    let memory = runner.add(Projector::<Fragile>::in_memory(&store));
    let stored = runner.add(Projector::<Fragile>::stored(&store).await.unwrap());
    let before = deposit(&store, "a", 1).await;
    soon(stored.wait_for(before)).await.unwrap();
    soon(memory.wait_for(before)).await.unwrap();
    deposit(&store, "a", 13).await;
    let last = deposit(&store, "a", 100).await;
    for fragile in [&memory, &stored] {
        for _ in 0..2 {
            let error = soon(fragile.wait_for(last)).await.unwrap_err();
            let Some(FollowError::Panicked { message, .. }) = error.source.as_deref() else {
                panic!("{error:?}")
            };
            assert_eq!(message, "thirteen");
            assert_eq!(fragile.status().await.state, State::Stopped);
            fragile.resume();
        }
        soon(fragile.wait_for(last)).await.unwrap_err();
    }
    BROKEN.store(false, Ordering::Relaxed);
    for fragile in [&memory, &stored] {
        fragile.resume();
        soon(fragile.wait_for(last)).await.unwrap();
        assert_eq!(fragile.read().await.sum, 114);
    }
}

#[tokio::test]
async fn one_that_is_ahead_of_its_log_has_handled_nothing_of_it() {
    let backend = MemoryBackend::new();
    let key = ProjectionKey {
        name: Balances::NAME,
        fingerprint: Balances::FINGERPRINT,
    };
    let checkpoint = Checkpoint {
        revision: 0,
        position: Position(1000),
        state: Some(serde_json::to_vec(&Balances::default()).unwrap()),
    };
    let saved = backend
        .save_checkpoint(None, key, checkpoint, Effects::default())
        .await;
    saved.unwrap();
    let store = Store::new(backend);
    let runner = Runner::new();
    let balances = runner.add(Projector::<Balances>::stored(&store).await.unwrap());
    comes_to(&balances, State::Stopped).await;
    let position = deposit(&store, "a", 1).await;
    let error = soon(balances.wait_for(position)).await.unwrap_err();
    let source = error.source.as_deref();
    assert!(
        matches!(source, Some(FollowError::AheadOfLog { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn each_runs_on_the_store_that_it_was_made_with() {
    let runner = Runner::new();
    let one = Store::connect("memory:").await.unwrap();
    let other = Store::connect("memory:").await.unwrap();
    for store in [
        &one,
        &other.for_tenant("a").unwrap(),
        &other.for_tenant("b").unwrap(),
    ] {
        let balances = runner.add(Projector::<Balances>::in_memory(store));
        for handled in 1..5 {
            let position = deposit(store, "a", 1).await;
            soon(balances.wait_for(position)).await.unwrap();
            assert_eq!(balances.read().await.handled, handled);
        }
        assert_eq!(balances.status().await.lag, 0);
    }
}

#[test]
fn one_whose_runtime_ended_before_it_began_does_not_let_wait() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let began = runtime();
    let store = began.block_on(Store::connect("memory:")).unwrap();
    let runner = Runner::new();
    let balances = began.block_on(async { runner.add(Projector::<Balances>::in_memory(&store)) });
    drop(began);
    let waited = runtime().block_on(async { soon(balances.wait_for(Position(1))).await });
    waited.unwrap_err();
}

#[tokio::test]
async fn its_rate_is_of_now() {
    let store = Store::connect("memory:").await.unwrap();
    let runner = Runner::new();
    let balances = runner.add(Projector::<Balances>::in_memory(&store));
    for _ in 0..100 {
        deposit(&store, "a", 1).await;
    }
    soon(balances.wait_for(store.head().await.unwrap()))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let soon_after = balances.status().await.rate;
    assert!(soon_after > 1.0 && soon_after <= 100.0, "{soon_after}");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let later = balances.status().await.rate;
    assert!(later < soon_after, "{soon_after} {later}");
    // Events that come after a pause are not spread over it.
    for _ in 0..12 {
        for _ in 0..20 {
            deposit(&store, "a", 1).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let busy = balances.status().await.rate;
    assert!(busy > soon_after, "{soon_after} {busy}");
}

#[tokio::test]
async fn one_that_is_paused_while_it_catches_up_goes_on_between_two_pages() {
    let store = Store::connect("memory:").await.unwrap();
    deposit(&store, "a", 0).await;
    let accounts = Repository::<Account>::new(&store);
    for _ in 0..9 {
        accounts
            .execute(&id("a"), |_| Ok(vec![Deposited { amount: 1 }; 1000]))
            .await
            .unwrap();
    }
    let faults = Faults::new();
    faults.script(
        Operation::Read,
        [None, Some(Fault::Delay(Duration::from_millis(300)))],
    );
    let runner = Runner::new();
    let balances = runner.add(Projector::<Balances>::in_memory(&faults.around(&store)));
    tokio::time::sleep(Duration::from_millis(100)).await;
    balances.pause();
    comes_to(&balances, State::Paused).await;
    let handled = balances.read().await.handled;
    assert!(handled > 0 && handled < 9001, "{handled}");
    let last = deposit(&store, "a", 1).await;
    balances.resume();
    soon(balances.wait_for(last)).await.unwrap();
    assert_eq!(**balances.read().await, from_zero(&store).await);
}

#[tokio::test]
async fn one_whose_runner_is_gone_cannot_be_resumed() {
    let store = Store::connect("memory:").await.unwrap();
    let runner = Runner::new();
    let balances = runner.add(Projector::<Balances>::in_memory(&store));
    drop(runner);
    balances.pause();
    balances.resume();
    comes_to(&balances, State::Ended).await;
}

#[test]
fn those_who_wait_and_what_they_wait_for_never_stop_each_other() {
    let (done, ended) = std::sync::mpsc::channel();
    // Threads that stop each other cannot be waited for, so they are left behind.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(3)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = Store::connect("memory:").await.unwrap();
            let runner = Runner::new();
            let balances = runner.add(Projector::<Balances>::in_memory(&store));
            let waiting = [(); 2].map(|()| {
                let (store, balances) = (store.clone(), balances.clone());
                tokio::spawn(async move {
                    while store.head().await.unwrap() < Position(3000) {
                        balances.wait_for(balances.position()).await.unwrap();
                    }
                })
            });
            let mut last = Position::START;
            while last < Position(3000) {
                last = deposit(&store, "a", 1).await;
            }
            balances.wait_for(last).await.unwrap();
            for task in waiting {
                task.await.unwrap();
            }
        });
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_mins(1)).unwrap();
}
