//! Loading, deciding, saving.

use recount::Clock;
use recount::log::{Expected, Metadata, Query};
use recount::prelude::*;
use recount::repository::{CreateError, ExecuteError, LoadError, RetryPolicy, SaveError};

use super::repository_of;
use crate::bank::{Account, Deposited, Measured, Meter, id, meter};
use crate::stores::every_store;

every_store! {
    async fn a_command_is_loaded_decided_and_stored(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        accounts.execute(&a, |account| Ok(account.deposit(10))).await.unwrap();
        let appended = accounts.execute(&a, |account| account.withdraw(3)).await.unwrap();
        assert_eq!(appended.version(), Version(3));

        let account = accounts.load(&a).await.unwrap();
        assert_eq!((account.balance, account.events, Root::version(&account)), (7, 3, Version(3)));
    }

    async fn a_refused_command_stores_nothing_and_returns_the_domains_own_error(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        let refused = accounts.execute(&a, |account| account.withdraw(3)).await.unwrap_err();
        assert_eq!(refused.to_string(), "0 is less than 3");
        assert_eq!(refused.rejection().unwrap().amount, 3);
        assert_eq!(Root::version(&accounts.load(&a).await.unwrap()), Version(1));
    }

    async fn creating_twice_is_refused_with_the_version_that_is_there(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, (Account::open("John"), Some(Deposited { amount: 5 }))).await.unwrap();
        let refused = accounts.create(&a, Account::open("Jane")).await.unwrap_err();
        assert!(matches!(refused, CreateError::AlreadyExists { version: Version(2), .. }), "{refused}");
        assert_eq!(accounts.load(&a).await.unwrap().holder, "John");
    }

    async fn what_does_not_exist_is_a_typed_error_everywhere(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let a = id("nobody");
        assert!(!accounts.exists(&a).await.unwrap());
        assert!(accounts.find(&a).await.unwrap().is_none());
        assert!(matches!(accounts.load(&a).await.unwrap_err(), LoadError::NotFound { .. }));
        assert!(matches!(accounts.load_at(&a, Version(1)).await.unwrap_err(), LoadError::NotFound { .. }));
        assert!(matches!(accounts.load_as_of(&a, Utc::now()).await.unwrap_err(), LoadError::NotFound { .. }));
        let refused = accounts.execute(&a, |account| Ok(account.deposit(1))).await.unwrap_err();
        assert!(matches!(refused, ExecuteError::Load(LoadError::NotFound { .. })), "{refused}");
        assert!(accounts.history(&a).unwrap().next().await.unwrap().is_none());
    }

    async fn an_aggregate_with_a_default_need_not_exist_to_execute_but_is_not_found_by_load(store: Store) {
        let meters = repository_of::<Meter>(&store);
        let a = id("m");
        assert!(matches!(meters.load(&a).await.unwrap_err(), LoadError::NotFound { .. }));
        meters.execute(&a, |meter| Ok(meter::Deposited { amount: meter.sum + 4 })).await.unwrap();
        assert_eq!(meters.load(&a).await.unwrap().sum, 4);
    }

    async fn a_creating_event_before_all_others_is_demanded(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let refused = accounts.create(&id("a"), Deposited { amount: 5 }).await.unwrap_err();
        assert!(matches!(refused, CreateError::Record(_)), "{refused}");
        assert!(refused.to_string().contains("event Deposited cannot be recorded as version 1 of stream"), "{refused}");
        assert_eq!(store.head().await.unwrap(), Position::START);
    }

    async fn a_root_collects_events_and_saves_them_as_one_batch(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        let mut root = accounts.load(&a).await.unwrap();
        root.record(root.deposit(5)).record([Deposited { amount: 1 }, Deposited { amount: 2 }]);
        assert_eq!((root.balance, Root::version(&root), Root::pending(&root)), (8, Version(4), 3));
        assert_eq!(accounts.load(&a).await.unwrap().balance, 0);
        accounts.save(&mut root).await.unwrap();
        assert_eq!(Root::pending(&root), 0);
        assert_eq!(*accounts.load(&a).await.unwrap(), *root);
    }

    async fn a_stale_root_is_refused_and_keeps_its_events(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        let mut stale = accounts.load(&a).await.unwrap();
        accounts.execute(&a, |account| Ok(account.deposit(1))).await.unwrap();
        stale.record(stale.deposit(100));
        let refused = accounts.save(&mut stale).await.unwrap_err();
        assert!(refused.to_string().contains("expected version 1, but it is at version 2"), "{refused}");
        assert_eq!(Root::pending(&stale), 1);
        assert_eq!(accounts.load(&a).await.unwrap().balance, 1);
    }

    async fn a_save_that_is_repeated_is_recognised(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        let mut root = accounts.load(&a).await.unwrap();
        root.record(root.deposit(7));
        // As if the answer of the first save had been lost.
        let mut again = root.clone();
        accounts.save(&mut root).await.unwrap();
        let repeated = accounts.save(&mut again).await.unwrap();
        assert!(repeated.repeated);
        assert_eq!(accounts.load(&a).await.unwrap().balance, 7);
    }

    async fn a_root_without_events_still_checks_that_its_stream_has_not_moved(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        let mut root = accounts.load(&a).await.unwrap();
        accounts.save(&mut root).await.unwrap();
        accounts.execute(&a, |account| Ok(account.deposit(1))).await.unwrap();
        assert!(accounts.save(&mut root).await.is_err());
    }

    async fn what_json_cannot_hold_is_refused_when_recorded(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        let mut root = accounts.load(&a).await.unwrap();
        let before = (*root).clone();
        root.record(Measured { value: f64::NAN });
        assert_eq!(*root, before);
        let refused = accounts.save(&mut root).await.unwrap_err();
        assert!(matches!(refused, SaveError::Record(_)), "{refused}");
        let refused = accounts.execute(&a, |_| Ok(Measured { value: f64::INFINITY })).await.unwrap_err();
        assert!(matches!(refused, ExecuteError::Record(_)), "{refused}");
        assert_eq!(Root::version(&accounts.load(&a).await.unwrap()), Version(1));
    }

    async fn a_payload_beyond_the_limit_is_refused_on_every_way(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let holder = "x".repeat(recount::log::NewEvent::MAX_PAYLOAD_BYTES);
        let refused = accounts.create(&id("a"), Account::open(&holder)).await.unwrap_err();
        assert!(refused.to_string().contains("event Opened for stream"), "{refused}");
        assert!(!accounts.exists(&id("a")).await.unwrap());
    }

    async fn every_version_can_be_loaded_and_none_beyond_the_end(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        for amount in 1..=25 {
            accounts.execute(&a, |account| Ok(account.deposit(amount))).await.unwrap();
        }
        store.settle().await;
        for version in 1..=26 {
            let then = accounts.load_at(&a, Version(version)).await.unwrap();
            let version = i64::try_from(version).unwrap();
            assert_eq!(then.balance, (version - 1) * version / 2);
        }
        let beyond = accounts.load_at(&a, Version(27)).await.unwrap_err();
        assert!(matches!(beyond, LoadError::BeyondEnd { last: Version(26), .. }), "{beyond}");
        assert!(matches!(accounts.load_at(&a, Version(0)).await.unwrap_err(), LoadError::NotFound { .. }));
    }

    async fn metadata_is_set_once_and_carried_with_each_event(store: Store) {
        let request = uuid::Uuid::now_v7();
        let accounts = repository_of::<Account>(&store);
        let alice = accounts.with_metadata(Metadata::new().actor("alice").correlation(request).with("ip", "::1"));
        let a = id("a");
        alice.create(&a, (Account::open("John"), Deposited { amount: 1 })).await.unwrap();
        accounts.execute(&a, |account| Ok(account.deposit(1))).await.unwrap();

        let history = accounts.history(&a).unwrap().collect().await.unwrap();
        let actors: Vec<_> = history.iter().map(|past| past.at.metadata.actor.as_deref()).collect();
        assert_eq!(actors, [Some("alice"), Some("alice"), None]);
        assert_eq!(history[0].at.metadata.correlation, Some(request));
        assert_eq!(history[1].at.metadata.other["ip"], "::1");
        assert_eq!(accounts.load_at(&a, Version(2)).await.unwrap().last_actor.as_deref(), Some("alice"));
    }

    async fn history_is_typed_and_complete_however_long(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        accounts.execute(&a, |account| Ok((0..300).map(|amount| account.deposit(amount)).collect::<Vec<_>>())).await.unwrap();
        let history = accounts.history(&a).unwrap().collect().await.unwrap();
        assert_eq!(history.len(), 301);
        for (index, past) in history.iter().enumerate() {
            assert_eq!(past.at.version, Version(index as u64 + 1));
        }
        assert_eq!(history[0].event.name(), "Opened");
        assert_eq!(serde_json::to_value(&history[3].event).unwrap()["payload"]["amount"], 2);
    }

    async fn of_racing_commands_each_is_applied_exactly_once(store: Store) {
        let accounts = repository_of::<Account>(&store)
            .with_retry(RetryPolicy { attempts: 1000, ..RetryPolicy::default() });
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        let commands: Vec<_> = (0..40)
            .map(|_| {
                let (accounts, a) = (accounts.clone(), a.clone());
                tokio::spawn(async move { accounts.execute(&a, |account| Ok(account.deposit(1))).await })
            })
            .collect();
        for command in commands {
            command.await.unwrap().unwrap();
        }
        let account = accounts.load(&a).await.unwrap();
        assert_eq!((account.balance, account.events), (40, 41));
    }

    async fn a_command_that_always_meets_a_conflict_ends_with_a_typed_error(store: Store) {
        let accounts = repository_of::<Account>(&store).with_retry(RetryPolicy { attempts: 3, ..RetryPolicy::default() });
        let a = id("a");
        // By somebody else, too: nothing is known of it.
        Repository::<Account>::new(&store).create(&a, Account::open("John")).await.unwrap();
        let stream = accounts.stream(&a).unwrap();
        let mut tried = 0;
        let contended = accounts.execute(&a, |account| {
            tried += 1;
            // Somebody who is always faster.
            let event = recount::log::NewEvent::json("Deposited", 1, &Deposited { amount: 1 }).unwrap();
            futures_block(store.append(&stream, Expected::Any, [event])).unwrap();
            Ok(account.deposit(100))
        }).await.unwrap_err();
        assert!(matches!(contended, ExecuteError::Contended { attempts: 3, .. }), "{contended}");
        assert_eq!((tried, accounts.load(&a).await.unwrap().balance), (3, 3));
    }

    async fn commands_on_one_instance_take_turns_and_each_decides_once(store: Store) {
        let accounts = repository_of::<Account>(&store);
        accounts.create(&id("a"), Account::open("John")).await.unwrap();
        let decisions = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let commands: Vec<_> = (0..16).map(|_| {
            let (accounts, decisions) = (accounts.clone(), decisions.clone());
            tokio::spawn(async move {
                for _ in 0..5 {
                    let decide = |account: &Account| {
                        decisions.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        Ok(account.deposit(1))
                    };
                    accounts.execute(&id("a"), decide).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        }).collect();
        for command in commands {
            command.await.unwrap();
        }
        assert_eq!(accounts.load(&id("a")).await.unwrap().balance, 80);
        assert_eq!(decisions.load(std::sync::atomic::Ordering::Relaxed), 80);
    }

    async fn times_within_a_stream_never_go_backwards_even_when_the_clock_does(store: Store) {
        #[derive(Debug)]
        struct Backwards(std::sync::atomic::AtomicI64);
        impl Clock for Backwards {
            fn now(&self) -> DateTime<Utc> {
                DateTime::from_timestamp(1_000_000 - self.0.fetch_add(60, std::sync::atomic::Ordering::Relaxed), 0).unwrap()
            }
        }
        let store = store.with_clock(Backwards(0.into()));
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        for _ in 0..5 {
            accounts.execute(&a, |account| Ok(account.deposit(1))).await.unwrap();
        }
        let times: Vec<_> = accounts.history(&a).unwrap().collect().await.unwrap().iter().map(|past| past.at.recorded_at).collect();
        assert!(times.is_sorted(), "{times:?}");
    }

    async fn the_state_as_of_a_time_holds_what_was_recorded_by_then(store: Store) {
        #[derive(Debug)]
        struct Hourly(std::sync::atomic::AtomicI64);
        impl Clock for Hourly {
            fn now(&self) -> DateTime<Utc> {
                DateTime::from_timestamp(self.0.fetch_add(3600, std::sync::atomic::Ordering::Relaxed), 0).unwrap()
            }
        }
        let at = |hour: i64| DateTime::from_timestamp(hour * 3600, 0).unwrap();
        let store = store.with_clock(Hourly(0.into()));
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        for _ in 0..30 {
            accounts.execute(&a, |account| Ok(account.deposit(1))).await.unwrap();
        }
        for hour in 0..=30 {
            let then = accounts.load_as_of(&a, at(hour)).await.unwrap();
            assert_eq!((then.balance, then.changed_at), (hour, at(hour)));
        }
        assert_eq!(accounts.load_as_of(&a, at(1000)).await.unwrap().balance, 30);
        let before = accounts.load_as_of(&a, at(0) - chrono::TimeDelta::microseconds(1)).await;
        assert!(matches!(before, Err(LoadError::NotFound { .. })));
    }

    async fn state_after_recording_equals_state_after_loading(store: Store) {
        let accounts = repository_of::<Account>(&store).with_metadata(Metadata::new().actor("alice"));
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        let mut root = accounts.load(&a).await.unwrap();
        root.record((root.deposit(5), root.withdraw(0).unwrap()));
        accounts.save(&mut root).await.unwrap();
        assert_eq!(*root, *accounts.load(&a).await.unwrap());
    }

    async fn nothing_of_a_what_if_is_stored(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let a = id("a");
        accounts.create(&a, Account::open("John")).await.unwrap();
        let root = accounts.load(&a).await.unwrap();
        let mut what_if = root.clone();
        what_if.record(what_if.deposit(1_000_000));
        assert_eq!((what_if.balance, root.balance), (1_000_000, 0));
        assert_eq!(store.read(Query::stream(Root::stream(&root))).collect().await.unwrap().len(), 1);
    }
}

/// Runs a future that needs no other task: the stores answer in the calling thread when nobody else writes.
pub fn futures_block<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::yield_now();
    }
}
