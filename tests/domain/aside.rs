//! What was set aside is counted, told to who waits for it, and tried again by whoever runs that version.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use recount::prelude::*;
use recount::projection::Projection;
use recount::repository::{CreateError, ExecuteError, SaveError, UnseenReason};
use recount::runner::{Handle, Live, OnError, Runner, State};
use recount::testing::{Fault, Faults, Operation};

use crate::bank::{Account, Deposited, Withdrawn, id};
use crate::stores::every_store;

async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let coming = tokio::time::timeout(Duration::from_secs(20), coming);
    coming.await.expect("it comes soon")
}

/// A runner of a process of its own.
fn process() -> Runner {
    Runner::new().with_lease(Duration::from_millis(300))
}

/// Panics on an amount.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Superstitious {
    amounts: Vec<i64>,
}

#[projection(name = "superstitious", of(Account))]
impl Superstitious {
    fn deposited(&mut self, event: Deposited) {
        assert_ne!(event.amount, 13, "unlucky");
        self.amounts.push(event.amount);
    }
}

/// The same in another release.
mod mended {
    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    pub struct Superstitious {
        pub amounts: Vec<i64>,
    }

    #[projection(name = "superstitious", of(Account))]
    impl Superstitious {
        fn deposited(&mut self, event: Deposited) {
            self.amounts.push(event.amount);
        }
    }
}

async fn add(runner: &Runner, store: &Store) -> Live<Projector<Superstitious>> {
    let projector = Projector::<Superstitious>::stored(store).await.unwrap();
    runner.add_with(projector, OnError::set_aside().retries(0))
}

/// On an account that may be new.
async fn deposit(store: &Store, name: &str, amount: i64) -> Position {
    let accounts = Repository::<Account>::new(store);
    if !accounts.exists(&id(name)).await.unwrap() {
        accounts
            .create(&id(name), Account::open(name))
            .await
            .unwrap();
    }
    let id = id(name);
    let deposited = accounts.execute(&id, |_| Ok(Deposited { amount }));
    deposited.await.unwrap().position
}

async fn comes_to_have_set_aside(handle: &Handle, events: u64) {
    soon(async {
        while handle.status().await.set_aside != events {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn comes_to(handle: &Handle, state: State) {
    soon(async {
        while handle.status().await.state != state {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

every_store! {
    async fn a_status_counts_what_is_set_aside_until_it_is_let_go(store: Store) {
        let runner = process();
        let live = add(&runner, &store).await;
        let last = deposit(&store, "a", 1).await;
        soon(live.wait_for(last)).await.unwrap();
        let status = live.status().await;
        assert_eq!(status.set_aside, 0);
        assert!(!status.to_string().contains("set aside"), "{status}");
        for amount in [13, 2, 3] {
            deposit(&store, "a", amount).await;
        }
        let last = deposit(&store, "b", 4).await;
        soon(live.wait_for(last)).await.unwrap();
        // With those behind it, and as soon as the position is told.
        let status = live.status().await;
        assert_eq!(status.set_aside, 3, "{status}");
        assert!(status.to_string().contains(", 3 set aside"), "{status}");
        // Whoever does not run it says the same, and whoever begins later too.
        let other = process();
        let stands_by = add(&other, &store).await;
        comes_to(&stands_by, State::Standby).await;
        assert_eq!(stands_by.status().await.set_aside, 3);
        let letters = store.dead_letters("superstitious").await.unwrap();
        store.retry_dead_letters(&letters).await.unwrap();
        soon(async {
            while store.dead_letters("superstitious").await.unwrap()[0].attempts < 2 {
                tokio::task::yield_now().await;
            }
        }).await;
        assert_eq!(live.status().await.set_aside, 3);
        store.drop_dead_letters(&letters).await.unwrap();
        comes_to_have_set_aside(&live, 0).await;
        assert_eq!(stands_by.status().await.set_aside, 0);
        runner.shutdown().await;
        other.shutdown().await;
    }

    async fn a_command_is_told_that_its_event_was_set_aside(store: Store) {
        let runner = process();
        let live = add(&runner, &store).await;
        let plain = Repository::<Account>::new(&store);
        let accounts = plain.until_seen_by(&live);
        soon(accounts.create(&id("a"), (Account::open("John"), Deposited { amount: 1 }))).await.unwrap();
        let error = soon(accounts.execute(&id("a"), |_| Ok([Deposited { amount: 13 }, Deposited { amount: 2 }]))).await.unwrap_err();
        let text = error.to_string();
        let ExecuteError::Unseen(unseen) = error else { panic!("{text}") };
        let UnseenReason::SetAside { projection, position, error } = unseen.source else { panic!("{text}") };
        assert_eq!((projection, position.0 + 1), ("superstitious", unseen.appended.position.0));
        assert!(text.contains("do not give the command again") && text.contains("unlucky") && error.contains("unlucky"), "{text}");
        assert_eq!(plain.load(&id("a")).await.unwrap().balance, 16);
        // What comes after it in its stream is not shown either; other streams are, and so is what the projection does not handle.
        let mut root = plain.load(&id("a")).await.unwrap();
        root.record(root.deposit(3));
        let error = soon(store.unit_of_work().save(&mut root).until_seen_by(&live).commit()).await.unwrap_err();
        let SaveError::Unseen(unseen) = error else { panic!("{error}") };
        assert!(matches!(unseen.source, UnseenReason::SetAside { .. }), "{unseen}");
        soon(accounts.create(&id("b"), (Account::open("Jane"), Deposited { amount: 4 }))).await.unwrap();
        soon(accounts.execute(&id("a"), |_| Ok(Withdrawn { amount: 1 }))).await.unwrap();
        soon(accounts.execute(&id("a"), |_| Ok(()))).await.unwrap();
        assert_eq!(live.read().await.amounts, [1, 4]);
        // Who stands by, and has set nothing aside itself, knows of it too.
        let other = process();
        let stands_by = add(&other, &store).await;
        comes_to(&stands_by, State::Standby).await;
        let elsewhere = plain.until_seen_by(&stands_by);
        let error = soon(elsewhere.execute(&id("a"), |_| Ok(Deposited { amount: 5 }))).await.unwrap_err();
        let ExecuteError::Unseen(unseen) = error else { panic!("{error}") };
        assert!(matches!(unseen.source, UnseenReason::SetAside { .. }), "{unseen}");
        runner.shutdown().await;
        other.shutdown().await;
    }

    async fn a_store_that_cannot_say_whether_an_event_was_set_aside_is_not_taken_for_a_yes(store: Store) {
        let (faults, runner) = (Faults::new(), process());
        let live = add(&runner, &faults.around(&store)).await;
        let accounts = Repository::<Account>::new(&store).until_seen_by(&live);
        let lost = soon(accounts.create(&id("a"), (Account::open("John"), Deposited { amount: 13 }))).await;
        assert!(matches!(lost, Err(CreateError::Unseen(_))), "{lost:?}");
        faults.script(Operation::Checkpoint, [Some(Fault::Fail)]);
        let error = soon(accounts.create(&id("b"), (Account::open("Jane"), Deposited { amount: 1 }))).await.unwrap_err();
        let CreateError::Unseen(unseen) = error else { panic!("{error}") };
        assert!(matches!(unseen.source, UnseenReason::Unknown { .. }), "{unseen}");
        runner.shutdown().await;
    }

    async fn who_lets_events_be_tried_again_is_told_when_nobody_runs_their_version(store: Store) {
        let runner = process();
        let live = add(&runner, &store).await;
        let last = deposit(&store, "a", 13).await;
        soon(live.wait_for(last)).await.unwrap();
        let letters = store.dead_letters("superstitious").await.unwrap();
        let retrying = store.retry_dead_letters(&letters).await.unwrap();
        assert_eq!((retrying.letters, retrying.unattended), (1, vec![]));
        runner.shutdown().await;
        // Another version of it runs, whose letters are others.
        let (runner, mended) = (process(), Projector::<mended::Superstitious>::stored(&store).await.unwrap());
        let live = runner.add(mended);
        soon(live.wait_for(last)).await.unwrap();
        assert_eq!(live.read().await.amounts, [13]);
        let retrying = store.retry_dead_letters(&letters).await.unwrap();
        assert_eq!(retrying.letters, 1);
        let told: Vec<_> = retrying.unattended.iter().map(|letter| (letter.position, letter.fingerprint)).collect();
        assert_eq!(told, [(last, Superstitious::FINGERPRINT)]);
        // It was only looked: whoever comes has the lease, and tries it again.
        let old = process();
        let live = add(&old, &store).await;
        comes_to(&live, State::Live).await;
        soon(async {
            while store.dead_letters("superstitious").await.unwrap()[0].retry {
                tokio::task::yield_now().await;
            }
        }).await;
        store.drop_dead_letters(&letters).await.unwrap();
        assert_eq!(store.retry_dead_letters(&letters).await.unwrap().letters, 0);
        old.shutdown().await;
        runner.shutdown().await;
    }

    async fn who_waits_for_a_reaction_that_another_process_runs_is_told_too(store: Store) {
        let (one, other, bell) = (process(), process(), Arc::new(AtomicBool::new(true)));
        let add = async |runner: &Runner| {
            let reactor = Reactor::new(Bell(Arc::clone(&bell)), &store).await.unwrap();
            runner.add_with(reactor, OnError::set_aside().retries(0))
        };
        let runs = add(&one).await;
        comes_to(&runs, State::Live).await;
        let stands_by = add(&other).await;
        comes_to(&stands_by, State::Standby).await;
        let accounts = Repository::<Account>::new(&store).until_seen_by(&stands_by);
        let error = soon(accounts.create(&id("a"), (Account::open("John"), Deposited { amount: 1 }))).await.unwrap_err();
        let CreateError::Unseen(unseen) = error else { panic!("{error}") };
        assert!(matches!(unseen.source, UnseenReason::SetAside { .. }), "{unseen}");
        // Mended, it is handled, and counts no more although nothing new has come.
        bell.store(false, Ordering::Relaxed);
        let letters = store.dead_letters("bell").await.unwrap();
        assert_eq!(store.retry_dead_letters(&letters).await.unwrap().unattended, []);
        comes_to_have_set_aside(&runs, 0).await;
        assert_eq!(stands_by.status().await.set_aside, 0);
        soon(accounts.execute(&id("a"), |_| Ok(Deposited { amount: 2 }))).await.unwrap();
        one.shutdown().await;
        other.shutdown().await;
    }
}

/// Fails while it is broken.
struct Bell(Arc<AtomicBool>);

#[reaction(name = "bell", of(Account))]
impl Bell {
    async fn deposited(&self, _: Deposited) -> Result<(), String> {
        if self.0.load(Ordering::Relaxed) {
            return Err("the bell is broken".to_owned());
        }
        Ok(())
    }
}
