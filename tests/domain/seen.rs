//! A command that waits for projections returns once they show what it did, or says that it is stored all the same.

use std::time::Duration;

use recount::log::{Expected, NewEvent, StreamId};
use recount::prelude::*;
use recount::repository::{CreateError, ExecuteError, SaveError, UnseenReason};
use recount::runner::{Live, Runner, State};

use crate::bank::{Account, Deposited, Opened, id};
use crate::projections::Balances;
use crate::stores::every_store;

/// How many accounts there are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Holders {
    accounts: i64,
}

#[projection(name = "holders", of(Account))]
impl Holders {
    fn opened(&mut self, _: Opened) {
        self.accounts += 1;
    }
}

async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let coming = tokio::time::timeout(Duration::from_secs(20), coming);
    coming.await.expect("it comes soon")
}

/// The projection, which handles nothing until it is resumed.
async fn paused(live: &Live<Projector<Balances>>) {
    live.pause();
    soon(async {
        while live.status().await.state != State::Paused {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

every_store! {
    async fn what_a_command_did_is_shown_when_it_returns(store: Store) {
        let runner = Runner::new();
        let (balances, holders) = (runner.add(Projector::<Balances>::in_memory(&store)), runner.add(Projector::<Holders>::stored(&store).await.unwrap()));
        let accounts = Repository::<Account>::new(&store).until_seen_by(&balances).until_seen_by(&holders);
        let sum = async || balances.read().await.by_account.values().sum::<i64>();
        for round in 1..=20 {
            let name = format!("x{round}");
            soon(accounts.create(&id(&name), (Account::open("John"), Deposited { amount: 1 }))).await.unwrap();
            assert_eq!((sum().await, holders.read().await.accounts), (4 * round - 3, round));
            soon(accounts.execute(&id(&name), |account| Ok(account.deposit(1)))).await.unwrap();
            assert_eq!(sum().await, 4 * round - 2);
            let mut root = accounts.load(&id(&name)).await.unwrap();
            root.record(root.deposit(1));
            soon(accounts.save(&mut root)).await.unwrap();
            assert_eq!(sum().await, 4 * round - 1);
            root.record(root.deposit(1));
            soon(store.unit_of_work().save(&mut root).until_seen_by(&balances).commit()).await.unwrap();
            assert_eq!(sum().await, 4 * round);
        }
        runner.shutdown().await;
    }

    async fn it_waits_for_one_that_is_paused_and_keeps_nobody_else_from_the_stream(store: Store) {
        let runner = Runner::new();
        let balances = runner.add(Projector::<Balances>::in_memory(&store));
        let plain = Repository::<Account>::new(&store);
        plain.create(&id("a"), Account::open("John")).await.unwrap();
        paused(&balances).await;
        let accounts = plain.until_seen_by(&balances);
        let waiting = tokio::spawn(async move { accounts.execute(&id("a"), |account| Ok(account.deposit(1))).await });
        soon(async { while plain.load(&id("a")).await.unwrap().balance == 0 { tokio::task::yield_now().await } }).await;
        soon(plain.execute(&id("a"), |account| Ok(account.deposit(10)))).await.unwrap();
        assert!(!waiting.is_finished());
        balances.resume();
        soon(waiting).await.unwrap().unwrap();
    }

    async fn one_that_stopped_does_not_make_the_command_fail_silently_nor_be_given_again(store: Store) {
        let runner = Runner::new();
        let balances = runner.add(Projector::<Balances>::in_memory(&store));
        let plain = Repository::<Account>::new(&store);
        plain.create(&id("a"), Account::open("John")).await.unwrap();
        let damaged = StreamId::new("account", "damaged").unwrap();
        store.append(&damaged, Expected::Any, [NewEvent::json("Deposited", 1, &"no object").unwrap()]).await.unwrap();
        let accounts = plain.until_seen_by(&balances);
        let error = soon(accounts.execute(&id("a"), |account| Ok(account.deposit(1)))).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("the events are stored, up to position") && text.contains("do not give the command again") && text.contains("balances"), "{text}");
        assert!(std::error::Error::source(&error).is_some());
        let ExecuteError::Unseen(unseen) = error else { panic!("{error}") };
        assert!(matches!(unseen.source, UnseenReason::Stopped(_)), "{unseen}");
        let mut root = plain.load(&id("a")).await.unwrap();
        assert_eq!((root.balance, unseen.appended.version()), (1, Version(2)));
        assert_eq!(unseen.appended.position, store.head().await.unwrap());
        let error = soon(accounts.create(&id("b"), Account::open("Jane"))).await.unwrap_err();
        assert!(matches!(error, CreateError::Unseen(_)) && plain.exists(&id("b")).await.unwrap(), "{error}");
        // The root is saved: what is recorded next is saved alone.
        for amount in [10, 100] {
            root.record(root.deposit(amount));
            let error = soon(accounts.save(&mut root)).await.unwrap_err();
            assert!(matches!(error, SaveError::Unseen(_)) && Root::pending(&root) == 0, "{error}");
        }
        root.record(root.deposit(1000));
        let error = soon(store.unit_of_work().save(&mut root).until_seen_by(&balances).commit()).await.unwrap_err();
        assert!(matches!(error, SaveError::Unseen(_)) && Root::pending(&root) == 0, "{error}");
        assert_eq!(plain.load(&id("a")).await.unwrap().balance, 1111);
    }

    async fn one_that_takes_too_long_is_named(store: Store) {
        let runner = Runner::new();
        let (balances, holders) = (runner.add(Projector::<Balances>::in_memory(&store)), runner.add(Projector::<Holders>::in_memory(&store)));
        paused(&balances).await;
        let limit = Duration::from_millis(20);
        let accounts = Repository::<Account>::new(&store).until_seen_by(&holders).until_seen_by(&balances).seen_within(limit);
        let error = soon(accounts.create(&id("a"), Account::open("John"))).await.unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with("balances") && text.contains("was not handled within 20ms by "), "{text}");
        let CreateError::Unseen(unseen) = error else { panic!("{text}") };
        let UnseenReason::TimedOut { position, behind, .. } = unseen.source else { panic!("{text}") };
        assert_eq!(position, unseen.appended.position);
        // Whoever has handled it in this short time is not among them.
        assert!(behind.contains(&"balances"), "{behind:?}");
        soon(holders.wait_for(position)).await.unwrap();
        let error = soon(accounts.execute(&id("a"), |_| Ok(()))).await.unwrap_err();
        assert!(error.to_string().ends_with("within 20ms by balances"), "{error}");
        balances.resume();
        let patient = accounts.seen_within(Duration::from_secs(20));
        soon(patient.execute(&id("a"), |account| Ok(account.deposit(1)))).await.unwrap();
    }
}
