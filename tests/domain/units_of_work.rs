//! Several aggregates saved together or not at all.

use recount::log::Expected;
use recount::prelude::*;

use super::repository_of;
use crate::bank::{Account, Meter, id, meter};
use crate::stores::every_store;

async fn two(store: &Store) -> (Repository<Account>, Root<Account>, Root<Account>) {
    let accounts = repository_of::<Account>(store);
    for name in ["a", "b"] {
        accounts
            .create(
                &id(name),
                (Account::open(name), crate::bank::Deposited { amount: 100 }),
            )
            .await
            .unwrap();
    }
    let (a, b) = (
        accounts.load(&id("a")).await.unwrap(),
        accounts.load(&id("b")).await.unwrap(),
    );
    (accounts, a, b)
}

every_store! {
    async fn a_transfer_moves_both_balances(store: Store) {
        let (accounts, mut from, mut to) = two(&store).await;
        from.record(from.withdraw(40).unwrap());
        to.record(to.deposit(40));
        let appended = store.unit_of_work().save(&mut from).save(&mut to).commit().await.unwrap();
        assert_eq!(appended.streams.len(), 2);
        assert_eq!(accounts.load(&id("a")).await.unwrap().balance, 60);
        assert_eq!(accounts.load(&id("b")).await.unwrap().balance, 140);
        assert_eq!((Root::pending(&from), Root::pending(&to)), (0, 0));
    }

    async fn when_one_stream_moved_nothing_of_it_is_stored(store: Store) {
        let (accounts, mut from, mut to) = two(&store).await;
        accounts.execute(&id("b"), |account| Ok(account.deposit(1))).await.unwrap();
        from.record(from.withdraw(40).unwrap());
        to.record(to.deposit(40));
        let refused = store.unit_of_work().save(&mut from).save(&mut to).commit().await.unwrap_err();
        assert!(refused.to_string().contains("account/b"), "{refused}");
        assert_eq!(accounts.load(&id("a")).await.unwrap().balance, 100);
        assert_eq!((Root::pending(&from), Root::pending(&to)), (1, 1));
    }

    async fn a_stream_that_is_only_checked_must_not_have_moved(store: Store) {
        let (accounts, mut from, mut limit) = two(&store).await;
        from.record(from.withdraw(1).unwrap());
        accounts.execute(&id("b"), |account| Ok(account.deposit(1))).await.unwrap();
        assert!(store.unit_of_work().save(&mut from).save(&mut limit).commit().await.is_err());
        assert_eq!(accounts.load(&id("a")).await.unwrap().balance, 100);
        let missing = accounts.stream(&id("c")).unwrap();
        assert!(store.unit_of_work().save(&mut from).check(&missing, Expected::StreamExists).commit().await.is_err());
        store.unit_of_work().save(&mut from).check(&missing, Expected::NoStream).commit().await.unwrap();
        assert_eq!(accounts.load(&id("a")).await.unwrap().balance, 99);
    }

    async fn aggregates_of_different_types_are_saved_together(store: Store) {
        let (accounts, mut account, _) = two(&store).await;
        let meters = repository_of::<Meter>(&store);
        meters.execute(&id("m"), |_| Ok(meter::Deposited { amount: 1 })).await.unwrap();
        let mut meter = meters.load(&id("m")).await.unwrap();
        account.record(account.withdraw(5).unwrap());
        meter.record(meter::Deposited { amount: 5 });
        store.unit_of_work().save(&mut account).save(&mut meter).commit().await.unwrap();
        assert_eq!(accounts.load(&id("a")).await.unwrap().balance, 95);
        assert_eq!(meters.load(&id("m")).await.unwrap().sum, 6);
    }

    async fn a_root_of_another_handle_is_not_taken_for_a_tenants_own(store: Store) {
        let (_, mut root, _) = two(&store).await;
        root.record(root.deposit(1));
        let Ok(stranger) = store.for_tenant("stranger") else { return };
        let strangers = repository_of::<Account>(&stranger);
        strangers.create(&id("a"), (Account::open("a"), crate::bank::Deposited { amount: 1 })).await.unwrap();
        assert!(strangers.save(&mut root).await.is_err());
        assert!(stranger.unit_of_work().save(&mut root).commit().await.is_err());
        assert_eq!(strangers.load(&id("a")).await.unwrap().balance, 1);
    }

    async fn a_unit_of_work_that_is_repeated_is_recognised(store: Store) {
        let (accounts, mut from, mut to) = two(&store).await;
        from.record(from.withdraw(40).unwrap());
        to.record(to.deposit(40));
        let (mut from_again, mut to_again) = (from.clone(), to.clone());
        store.unit_of_work().save(&mut from).save(&mut to).commit().await.unwrap();
        assert!(store.unit_of_work().save(&mut from_again).save(&mut to_again).commit().await.unwrap().repeated);
        assert_eq!(accounts.load(&id("a")).await.unwrap().balance, 60);
    }
}
