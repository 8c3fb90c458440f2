//! A snapshot is a cache that never changes a result.

use recount::prelude::*;
use recount::snapshot::SnapshotPolicy;

use super::repository_of;
use crate::bank::{Account, Deposited, id};
use crate::stores::every_store;

async fn filled(store: &Store, deposits: i64) -> Repository<Account> {
    let accounts = repository_of::<Account>(store);
    accounts
        .create(&id("a"), Account::open("John"))
        .await
        .unwrap();
    for _ in 0..deposits {
        accounts
            .execute(&id("a"), |account| Ok(account.deposit(1)))
            .await
            .unwrap();
    }
    store.settle().await;
    accounts
}

every_store! {
    async fn one_is_taken_whenever_a_command_crosses_the_boundary(store: Store) {
        let accounts = filled(&store, 8).await;
        assert_eq!(store.delete_snapshots(None).await.unwrap(), 0);
        accounts.execute(&id("a"), |account| Ok([account.deposit(1), account.deposit(1), account.deposit(1)])).await.unwrap();
        store.settle().await;
        assert_eq!(store.delete_snapshots(None).await.unwrap(), 1);
    }

    async fn results_are_the_same_with_without_and_after_deleting_them(store: Store) {
        let accounts = filled(&store, 57).await;
        let without = accounts.with_snapshots(SnapshotPolicy::never());
        let (cached, full) = (accounts.load(&id("a")).await.unwrap(), without.load(&id("a")).await.unwrap());
        assert_eq!((*cached).clone(), *full);
        assert_eq!(Root::version(&cached), Root::version(&full));
        for version in [1, 9, 10, 11, 49, 50, 51, 58] {
            let version = Version(version);
            let cached = accounts.load_at(&id("a"), version).await.unwrap();
            assert_eq!(*cached, *without.load_at(&id("a"), version).await.unwrap());
        }
        assert!(store.delete_snapshots(Some("account")).await.unwrap() > 0);
        assert_eq!(*accounts.load(&id("a")).await.unwrap(), *full);
        // The cached root can be saved as any other.
        let mut cached = cached;
        cached.record(Deposited { amount: 1 });
        accounts.save(&mut cached).await.unwrap();
        assert_eq!(without.load(&id("a")).await.unwrap().balance, 58);
    }

    async fn a_policy_of_ones_own_is_asked_with_the_state_that_a_command_led_to(store: Store) {
        let accounts = repository_of::<Account>(&store)
            .with_snapshots(SnapshotPolicy::when(|account: &Account, _| account.balance == 3));
        accounts.create(&id("a"), Account::open("John")).await.unwrap();
        for taken in [0, 0, 1, 0] {
            accounts.execute(&id("a"), |account| Ok(account.deposit(1))).await.unwrap();
            store.settle().await;
            assert_eq!(store.delete_snapshots(None).await.unwrap(), taken);
        }
    }

    async fn one_of_another_shape_is_ignored(store: Store) {
        // The same streams, seen by a later release whose state has another field.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
        #[aggregate(stream = "account", id = crate::bank::AccountId, snapshot_every = 10)]
        struct Later { deposits: i64, #[serde(default)] added: i64 }

        #[apply]
        impl Later {
            fn opened(_: crate::bank::Opened) -> Self { Self { deposits: 0, added: 7 } }
            fn deposited(&mut self, _: Deposited) { self.deposits += 1; }
        }

        filled(&store, 25).await;
        let later = repository_of::<Later>(&store).load(&id("a")).await.unwrap();
        assert_eq!(*later, Later { deposits: 25, added: 7 });
    }

    async fn taking_one_on_request_returns_its_version(store: Store) {
        let accounts = filled(&store, 3).await;
        assert_eq!(accounts.take_snapshot(&id("a")).await.unwrap(), Version(4));
        assert_eq!(accounts.load(&id("a")).await.unwrap().balance, 3);
    }
}
