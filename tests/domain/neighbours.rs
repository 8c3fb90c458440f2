//! Tables of projections that live beside each other in one database: of tenants, and of two projections that call theirs alike.

use std::time::Duration;

use recount::prelude::*;
use recount::projection::{FollowError, TableReader};
use recount::runner::State;

use crate::bank::{Account, Deposited, id};
use crate::stores::every_database;

async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let coming = tokio::time::timeout(Duration::from_secs(20), coming);
    coming.await.expect("it comes soon")
}

/// Keeps the table `sums`.
#[derive(Debug, Clone, Copy)]
struct Ours;

#[projection(name = "ours", of(Account))]
impl Ours {
    const TABLES: &[&str] = &["CREATE TABLE {sums} (amount bigint)"];

    fn deposited(&self, event: Deposited, sql: &mut Sql) {
        sql.run("INSERT INTO {sums} VALUES ($1)", (event.amount,));
    }
}

/// Keeps another one of that name.
#[derive(Debug, Clone, Copy)]
struct Theirs;

#[projection(name = "theirs", of(Account))]
impl Theirs {
    const TABLES: &[&str] = &[
        "CREATE TABLE {others} (amount bigint)",
        "CREATE TABLE {sums} (amount bigint)",
    ];

    fn deposited(&self, event: Deposited, sql: &mut Sql) {
        sql.run("INSERT INTO {sums} VALUES ($1)", (-event.amount,));
    }
}

async fn deposit(store: &Store, amount: i64) {
    let accounts = Repository::<Account>::new(store);
    let events = (Account::open("John"), Deposited { amount });
    accounts.create(&id("a"), events).await.unwrap();
}

/// What is shown under the name, whoever's it is.
async fn sums(store: &Store) -> Vec<i64> {
    let shown = TableReader::<Ours>::new(store);
    shown.rows("SELECT amount FROM {sums}", ()).await.unwrap()
}

every_database! {
    async fn of_two_in_one_runner_that_have_tables_of_one_name_the_first_runs(store: Store) {
        deposit(&store, 7).await;
        // Made while there was nothing to be seen of either.
        let both = (TableProjector::new(Ours, &store).await.unwrap(), TableProjector::new(Theirs, &store).await.unwrap());
        let runner = Runner::new();
        let (ours, theirs) = (runner.add(both.0), runner.add(both.1));
        soon(ours.caught_up()).await.unwrap();
        let error = soon(theirs.caught_up()).await.unwrap_err();
        assert!(matches!(error.source.as_deref(), Some(FollowError::SharedTable { projection: "theirs", table: "sums", .. })), "{error}");
        // It does not begin when it is told to go on.
        theirs.resume();
        soon(theirs.caught_up()).await.unwrap_err();
        assert_eq!(theirs.status().await.state, State::Stopped);
        assert_eq!(sums(&store).await, [7]);
        runner.shutdown().await;
    }

    async fn two_that_run_and_have_tables_of_one_name_do_not_take_the_view_from_each_other(store: Store) {
        deposit(&store, 7).await;
        // Made while there was nothing to be seen of the other one.
        let early = TableProjector::new(Theirs, &store).await.unwrap();
        let runner = Runner::new();
        let ours = runner.add(TableProjector::new(Ours, &store).await.unwrap());
        soon(ours.caught_up()).await.unwrap();
        let error = TableProjector::new(Theirs, &store).await.unwrap_err();
        let FollowError::SharedTable { projection, other, table } = &error else { panic!("{error:?}") };
        assert_eq!((*projection, &**other, *table), ("theirs", "ours", "sums"), "{error}");
        let other = Runner::new();
        let theirs = other.add(early);
        let error = soon(theirs.caught_up()).await.unwrap_err();
        assert_eq!(theirs.status().await.state, State::Stopped);
        assert!(matches!(error.source.as_deref(), Some(FollowError::SharedTable { .. })), "{error}");
        assert_eq!(sums(&store).await, [7]);
        // The same one may be added by any number of processes.
        other.add(TableProjector::new(Ours, &store).await.unwrap());
        other.shutdown().await;
        // Once nobody runs it, it may be the former name of the other.
        runner.shutdown().await;
        TableProjector::new(Theirs, &store).await.unwrap().catch_up().await.unwrap();
        assert_eq!(sums(&store).await, [-7]);
    }

    async fn a_tenants_tables_stand_in_nobody_elses_way(store: Store) {
        if store.tenant().is_some() {
            return;
        }
        let runner = Runner::new();
        // Of two releases of a name that is long or not plain, of one that looks like what stands for that, and of none.
        let names = [Some("acme"), Some("a_b"), Some("0123456789abcdef"), Some("Acme"), Some("acmé"), None];
        for (at, name) in names.into_iter().enumerate() {
            let of = name.map_or(store.clone(), |name| store.for_tenant(name).unwrap());
            deposit(&of, i64::try_from(at).unwrap()).await;
            if at % 2 == 0 {
                let ours = runner.add(TableProjector::new(Ours, &of).await.unwrap());
                soon(ours.caught_up()).await.unwrap();
            } else {
                let theirs = runner.add(TableProjector::new(Theirs, &of).await.unwrap());
                soon(theirs.caught_up()).await.unwrap();
            }
        }
        for (at, name) in names.into_iter().enumerate().filter(|(_, name)| name.is_some()) {
            let of = name.map_or(store.clone(), |name| store.for_tenant(name).unwrap());
            let amount = i64::try_from(at).unwrap();
            assert_eq!(sums(&of).await, [if at % 2 == 0 { amount } else { -amount }], "{name:?}");
        }
        // As a person asks, who has no handle that is bound to the tenant.
        let plain = TableReader::<Ours>::new(&store);
        for (text, amount) in [("SELECT amount FROM {sums_acme}", 0), ("SELECT amount FROM {sums_a_b}", -1)] {
            assert_eq!(plain.rows::<i64>(text, ()).await.unwrap(), [amount]);
        }
        // A name that could not be part of a table's, or is as long as what stands for such a one, is hashed.
        let hashed = plain.rows::<i64>("SELECT amount FROM {sums_0123456789abcdef}", ()).await;
        assert!(hashed.is_err(), "{hashed:?}");
        runner.shutdown().await;
    }
}
