//! What a tenant does with its aggregates and projections neither reaches nor shows nor hinders another's.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};

use recount::log::{AppendError, Expected, StreamId};
use recount::prelude::*;
use recount::repository::{RetryPolicy, SaveError};
use recount::snapshot::SnapshotPolicy;

use crate::bank::{Account, Deposited, Meter, id, meter};
use crate::projections::Balances;
use crate::stores::{memory, sqlite};

/// Writes a test for each kind of store, whose handle is bound to no tenant.
macro_rules! every_unbound_store {
    ($(async fn $name:ident($store:ident: Store) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn case($store: Store) $body

            #[tokio::test]
            async fn in_memory() {
                let fixture = memory().await;
                case(fixture.store.clone()).await;
            }

            #[tokio::test]
            async fn on_sqlite() {
                let fixture = sqlite().await;
                case(fixture.store.clone()).await;
            }
        }
    )*};
}

fn tenants(store: &Store) -> (Store, Store) {
    (
        store.for_tenant("acme").unwrap(),
        store.for_tenant("globex").unwrap(),
    )
}

/// An account "a" with this balance, after two events.
async fn opened(store: &Store, amount: i64) -> Repository<Account> {
    let accounts = Repository::<Account>::new(store);
    let first = (Account::open("John"), Deposited { amount });
    accounts.create(&id("a"), first).await.unwrap();
    accounts
}

/// What somebody is told: results, and errors as they are shown and with all that they hold.
#[derive(Default)]
struct Told(Vec<String>);

impl Told {
    fn add<T: Debug, E: Debug + Display>(&mut self, call: &str, answer: &Result<T, E>) {
        let shown = answer.as_ref().err().map(ToString::to_string);
        let shown = shown.unwrap_or_default();
        self.0.push(format!("{call}: {shown} {answer:?}"));
    }
}

/// All that repositories, units of work and projectors of a handle answer. Stores no event.
async fn told(handle: &Store, stale: &Root<Account>, foreign: &Root<Account>) -> Vec<String> {
    let mut told = Told::default();
    let (a, b) = (id("a"), id("b"));
    let accounts = Repository::<Account>::new(handle).with_retry(RetryPolicy::never());

    told.add("create", &accounts.create(&a, Account::open("John")).await);
    for id in [&a, &b] {
        let refused = accounts.execute(id, |account| account.withdraw(1000)).await;
        told.add("execute", &refused);
        told.add("load", &accounts.load(id).await);
        told.add("find", &accounts.find(id).await);
        told.add("exists", &accounts.exists(id).await);
        for version in [0, 1, 2, 9] {
            told.add("load_at", &accounts.load_at(id, Version(version)).await);
        }
        for time in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            told.add("load_as_of", &accounts.load_as_of(id, time).await);
        }
        told.add("history", &accounts.history(id).unwrap().collect().await);
        told.add("take_snapshot", &accounts.take_snapshot(id).await);
        told.add("stream", &accounts.stream(id));
    }
    told.add("snapshots", &handle.delete_snapshots(None).await);

    let nothing = Repository::<Meter>::new(handle)
        .execute(&b, |_| Ok(None::<meter::Deposited>))
        .await;
    told.add("nothing", &nothing);

    for root in [stale, foreign] {
        let (mut alone, mut together) = (root.clone(), root.clone());
        told.add("save", &accounts.save(&mut alone).await);
        let committed = handle.unit_of_work().save(&mut together).commit().await;
        told.add("commit", &committed);
    }
    let (own, missing) = (accounts.stream(&a).unwrap(), accounts.stream(&b).unwrap());
    for (stream, expected) in [
        (&own, Expected::NoStream),
        (&own, Expected::StreamExists),
        (&missing, Expected::NoStream),
        (&missing, Expected::StreamExists),
        (Root::stream(foreign), Expected::Any),
    ] {
        let checked = handle.unit_of_work().check(stream, expected).commit().await;
        told.add("check", &checked);
    }

    let mut in_memory = Projector::<Balances>::in_memory(handle);
    told.add("lag", &in_memory.lag().await);
    told.add("catch_up_to", &in_memory.catch_up_to(Position(1)).await);
    told.add("catch_up", &in_memory.catch_up().await);
    told.add("lag", &in_memory.lag().await);
    let stored = Projector::<Balances>::stored(handle).await;
    told.add("stored", &stored.as_deref());
    let mut stored = stored.unwrap();
    told.add("catch_up", &stored.catch_up().await);
    told.add("rebuild", &stored.rebuild().await);
    told.add(
        "rebuilt",
        &Projector::<Balances>::rebuilt(handle).await.as_deref(),
    );
    for projector in [in_memory, stored] {
        let position = projector.position();
        told.0
            .push(format!("{:?} at {position}", projector.into_state()));
    }
    told.0
}

every_unbound_store! {
    async fn what_a_tenant_is_told_is_the_same_whether_others_have_data_or_not(store: Store) {
        let (acme, globex) = tenants(&store);
        let accounts = opened(&acme, 5).await;
        let mut stale = accounts.load(&id("a")).await.unwrap();
        accounts.execute(&id("a"), |account| Ok(account.deposit(2))).await.unwrap();
        Projector::<Balances>::stored(&acme).await.unwrap().catch_up().await.unwrap();
        // A root of another tenant, which the tenant cannot have but by a mistake of the program.
        let mut foreign = opened(&globex, 1).await.load(&id("a")).await.unwrap();
        for root in [&mut stale, &mut foreign] {
            root.record(root.deposit(7));
        }

        let before = told(&acme, &stale, &foreign).await;
        for other in [&globex, &store] {
            let accounts = Repository::<Account>::new(other);
            for name in ["a", "b"] {
                if !accounts.exists(&id(name)).await.unwrap() {
                    accounts.create(&id(name), Account::open("Jane")).await.unwrap();
                }
                // Enough for a snapshot to be taken.
                for _ in 0..20 {
                    accounts.execute(&id(name), |account| Ok(account.deposit(100))).await.unwrap();
                }
            }
            other.settle().await;
            Repository::<Meter>::new(other).execute(&id("b"), |_| Ok(meter::Deposited { amount: 3 })).await.unwrap();
            Projector::<Balances>::stored(other).await.unwrap().catch_up().await.unwrap();
        }
        let after = told(&acme, &stale, &foreign).await;
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before, after);
        }
        assert_eq!(before.len(), after.len());
    }

    async fn each_tenant_works_on_its_own_under_the_same_ids(store: Store) {
        let (acme, globex) = tenants(&store);
        let handles = [(&acme, 10), (&globex, 200), (&store, 3000)];
        for (handle, amount) in handles {
            let accounts = opened(handle, amount).await;
            accounts.execute(&id("a"), |account| Ok(account.deposit(amount))).await.unwrap();
            let mut root = accounts.load(&id("a")).await.unwrap();
            root.record(root.withdraw(1).unwrap());
            accounts.save(&mut root).await.unwrap();
            root.record(root.deposit(2));
            handle.unit_of_work().save(&mut root).commit().await.unwrap();
        }
        for (handle, amount) in handles {
            let accounts = Repository::<Account>::new(handle);
            let root = accounts.load(&id("a")).await.unwrap();
            assert_eq!((root.balance, root.events, Root::version(&root)), (2 * amount + 1, 5, Version(5)));
            assert_eq!(accounts.load_at(&id("a"), Version(2)).await.unwrap().balance, amount);
            assert_eq!(accounts.load_as_of(&id("a"), root.changed_at).await.unwrap().balance, 2 * amount + 1);
            let history = accounts.history(&id("a")).unwrap().collect().await.unwrap();
            assert_eq!(history.len(), 5);
            assert!(history.iter().all(|past| past.at.stream.tenant() == handle.tenant()));
        }
        assert!(!Repository::<Account>::new(&store.for_tenant("nobody").unwrap()).exists(&id("a")).await.unwrap());
    }

    async fn a_root_reaches_no_tenant_but_its_own(store: Store) {
        let (acme, globex) = tenants(&store);
        let strangers = opened(&globex, 1).await;
        opened(&acme, 1).await;
        opened(&store, 1).await;
        for owner in [&acme, &store] {
            let mut root = Repository::<Account>::new(owner).load(&id("a")).await.unwrap();
            root.record(root.deposit(5));
            let refused = strangers.save(&mut root).await.unwrap_err();
            assert!(matches!(refused, SaveError::Append(AppendError::OutsideTenant { .. })), "{refused}");
            let refused = globex.unit_of_work().save(&mut root).commit().await.unwrap_err();
            assert!(matches!(refused, SaveError::Append(AppendError::OutsideTenant { .. })), "{refused}");
            // It is where it was, and can still be saved where it belongs.
            assert_eq!(Root::pending(&root), 1);
            Repository::<Account>::new(owner).save(&mut root).await.unwrap();
        }
        let foreign = Repository::<Account>::new(&acme).stream(&id("a")).unwrap();
        for unit in [
            globex.unit_of_work().check(&foreign, Expected::Any),
            globex.unit_of_work().append(&foreign, Expected::Any, [recount::log::NewEvent::of(&Deposited { amount: 1 }).unwrap()]),
        ] {
            let refused = unit.commit().await.unwrap_err();
            assert!(matches!(refused, SaveError::Append(AppendError::OutsideTenant { .. })), "{refused}");
        }
        assert_eq!(strangers.load(&id("a")).await.unwrap().balance, 1);
        // A stream that names no tenant is the handle's own.
        let own = StreamId::new("account", "a").unwrap();
        globex.unit_of_work().check(&own, Expected::Version(Version(2))).commit().await.unwrap();
    }

    async fn a_snapshot_of_one_tenant_is_never_anothers_state(store: Store) {
        let (acme, globex) = tenants(&store);
        // As many events, so that nothing but the tenant tells the snapshots apart.
        for (handle, amount) in [(&acme, 10), (&globex, 200), (&store, 3000)] {
            let accounts = opened(handle, amount).await;
            assert_eq!(accounts.take_snapshot(&id("a")).await.unwrap(), Version(2));
        }
        for (handle, amount) in [(&acme, 10), (&globex, 200), (&store, 3000)] {
            let accounts = Repository::<Account>::new(handle);
            assert_eq!(accounts.load(&id("a")).await.unwrap().balance, amount);
            assert_eq!(accounts.with_snapshots(SnapshotPolicy::never()).load(&id("a")).await.unwrap().balance, amount);
        }
        assert_eq!(acme.delete_snapshots(None).await.unwrap(), 1);
        assert_eq!(globex.delete_snapshots(None).await.unwrap(), 1);
        assert_eq!(store.delete_snapshots(None).await.unwrap(), 1);
    }

    async fn a_projection_of_a_tenant_counts_its_own_and_waits_for_nobody(store: Store) {
        let (acme, globex) = tenants(&store);
        opened(&acme, 10).await;
        let mut own = Projector::<Balances>::stored(&acme).await.unwrap();
        own.catch_up().await.unwrap();
        let position = own.position();
        for other in [&globex, &store] {
            opened(other, 200).await;
            let mut balances = Projector::<Balances>::stored(other).await.unwrap();
            assert_eq!((balances.position(), balances.handled), (Position::START, 0));
            balances.catch_up().await.unwrap();
            balances.rebuild().await.unwrap();
        }
        // Nothing is there to be handled, and nobody else has moved its checkpoint.
        assert_eq!((own.lag().await.unwrap(), own.catch_up().await.unwrap().events, own.position()), (0, 0, position));
        for mut balances in [own, Projector::<Balances>::in_memory(&acme), Projector::<Balances>::rebuilt(&acme).await.unwrap()] {
            balances.catch_up().await.unwrap();
            assert_eq!((&balances.by_account, balances.handled, balances.position()), (&BTreeMap::from([("a".to_owned(), 10)]), 1, position));
        }
        let theirs = Projector::<Balances>::stored(&globex).await.unwrap();
        assert_eq!((theirs.by_account["a"], theirs.handled), (200, 1));
    }

    async fn a_busy_neighbour_is_never_a_conflict(store: Store) {
        let runs: Vec<_> = ["acme", "globex", "initech"].map(|tenant| {
            let handle = store.for_tenant(tenant).unwrap();
            tokio::spawn(async move {
                let accounts = opened(&handle, 0).await.with_retry(RetryPolicy::never());
                let mut balances = Projector::<Balances>::stored(&handle).await.unwrap();
                for _ in 0..30 {
                    accounts.execute(&id("a"), |account| Ok(account.deposit(1))).await.unwrap();
                    assert_eq!(balances.catch_up().await.unwrap().position, handle.head().await.unwrap());
                    tokio::task::yield_now().await;
                }
                (accounts.load(&id("a")).await.unwrap().balance, balances.by_account["a"])
            })
        }).into();
        for run in runs {
            assert_eq!(run.await.unwrap(), (30, 30));
        }
    }
}
