//! Tables of a projection are what a fold from zero is, and each event counts once in them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use recount::log::{Expected, NewEvent, StreamId};
use recount::prelude::*;
use recount::projection::{
    FollowError, Projector, QueryError, TableProjection, TableProjector, TableReader,
};
use recount::runner::{OnError, Runner, State};
use recount::testing::{Fault, Faults, Operation};

use crate::bank::{Account, Deposited, Withdrawn, id};
use crate::projections::Balances;
use crate::stores::every_database;

/// What [`Balances`] is, as a table that an event handled twice would show in.
#[derive(Debug, Clone, Copy)]
pub struct Ledger;

#[projection(name = "ledger", of(Account))]
impl Ledger {
    const TABLES: &[&str] = &[
        "CREATE TABLE {ledger} (account text PRIMARY KEY, balance bigint NOT NULL, handled bigint NOT NULL)",
        "CREATE TABLE {entries} (position bigint PRIMARY KEY, account text NOT NULL, amount bigint NOT NULL)",
        "CREATE INDEX {entries_by_account} ON {entries} (account)",
    ];

    fn deposited(&self, event: Deposited, at: &Envelope, sql: &mut Sql) {
        book(event.amount, at, sql);
    }

    fn withdrawn(&self, event: &Withdrawn, at: &Envelope, sql: &mut Sql) {
        book(-event.amount, at, sql);
    }
}

fn book(amount: i64, at: &Envelope, sql: &mut Sql) {
    let account = at.stream.id();
    sql.run(
        "INSERT INTO {entries} (position, account, amount) VALUES ($1, $2, $3)",
        (at.position, account, amount),
    );
    sql.run(
        "INSERT INTO {ledger} AS l (account, balance, handled) VALUES ($2, $1, 1)
         ON CONFLICT (account) DO UPDATE SET balance = l.balance + excluded.balance, handled = l.handled + 1",
        (amount, account),
    );
}

/// The same in another release, which also knows who was paid last.
mod next {
    use super::*;

    #[derive(Debug, Clone, Copy)]
    pub struct Ledger;

    #[projection(name = "ledger", of(Account))]
    impl Ledger {
        const TABLES: &[&str] = &[
            "CREATE TABLE {ledger} (account text PRIMARY KEY, balance bigint NOT NULL, handled bigint NOT NULL, newest bigint)",
        ];

        fn deposited(&self, event: Deposited, at: &Envelope, sql: &mut Sql) {
            sql.run(
                "INSERT INTO {ledger} AS l VALUES ($1, $2, 1, $2) ON CONFLICT (account)
                 DO UPDATE SET balance = l.balance + $2, handled = l.handled + 1, newest = $2",
                (at.stream.id(), event.amount),
            );
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
struct Line {
    account: String,
    balance: i64,
    handled: u64,
}

async fn lines(store: &Store) -> Vec<Line> {
    let text = "SELECT account, balance, handled FROM {ledger} ORDER BY account";
    TableReader::<Ledger>::new(store)
        .rows(text, ())
        .await
        .unwrap()
}

/// The tables, as [`Balances`] has them.
async fn as_balances(store: &Store) -> Balances {
    let lines = lines(store).await;
    Balances {
        handled: lines.iter().map(|line| line.handled).sum(),
        by_account: lines
            .into_iter()
            .map(|line| (line.account, line.balance))
            .collect(),
    }
}

async fn from_zero(store: &Store) -> Balances {
    let mut balances = Projector::<Balances>::in_memory(store);
    balances.catch_up().await.unwrap();
    balances.into_state()
}

/// Some events on some accounts.
async fn some(store: &Store, accounts: u64, events: u64) {
    let repository = Repository::<Account>::new(store);
    for account in 0..accounts {
        let id = id(&format!("a{account}"));
        if !repository.exists(&id).await.unwrap() {
            repository
                .create(&id, Account::open("somebody"))
                .await
                .unwrap();
        }
        for event in 0..events {
            let amount = i64::try_from(account * 100 + event).unwrap();
            repository
                .execute(&id, |_| Ok(Deposited { amount }))
                .await
                .unwrap();
        }
    }
}

async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let coming = tokio::time::timeout(Duration::from_secs(20), coming);
    coming.await.expect("it comes soon")
}

every_database! {
    async fn a_table_that_was_never_shown_is_told_as_such(store: Store) {
        let shown = TableReader::<Ledger>::new(&store);
        let count = "SELECT count(*) AS n FROM {entries}";
        let told = async || match shown.row::<u64>(count, ()).await {
            Err(QueryError::NotShown { projection: "ledger", table: "entries", .. }) => true,
            other => panic!("{other:?}"),
        };
        assert!(told().await);
        some(&store, 1, 1).await;
        let mut ledger = TableProjector::new(Ledger, &store).await.unwrap();
        assert!(told().await);
        ledger.catch_up().await.unwrap();
        assert_eq!(shown.row::<u64>(count, ()).await.unwrap(), Some(1));
        // What is not of the projection is for the database to tell.
        let foreign = shown.row::<u64>("SELECT count(*) AS n FROM {nothing}", ()).await;
        assert!(matches!(foreign, Err(QueryError::Failed { .. })), "{foreign:?}");
    }

    async fn tables_are_what_a_fold_from_zero_is(store: Store) {
        some(&store, 5, 4).await;
        let mut ledger = TableProjector::new(Ledger, &store).await.unwrap();
        assert_eq!(ledger.catch_up().await.unwrap().events, 20);
        assert_eq!(as_balances(&store).await, from_zero(&store).await);
        some(&store, 6, 3).await;
        assert_eq!(ledger.catch_up().await.unwrap().events, 18);
        assert_eq!(as_balances(&store).await, from_zero(&store).await);
        let entries: u64 = ledger.row("SELECT count(*) AS n FROM {entries}", ()).await.unwrap().unwrap();
        assert_eq!(entries, 38);
        // Made again it goes on.
        let mut again = TableProjector::new(Ledger, &store).await.unwrap();
        assert_eq!(again.position(), ledger.position());
        assert_eq!(again.catch_up().await.unwrap().events, 0);
    }

    async fn they_are_there_before_there_is_any_event(store: Store) {
        let mut ledger = TableProjector::new(Ledger, &store).await.unwrap();
        let missing = TableReader::<Ledger>::new(&store).rows::<Line>("SELECT * FROM {ledger}", ()).await;
        assert!(matches!(missing, Err(QueryError::NotShown { table: "ledger", .. })), "{missing:?}");
        ledger.catch_up().await.unwrap();
        assert_eq!(lines(&store).await, []);
    }

    async fn each_tenant_has_tables_of_its_own(store: Store) {
        let name = store.tenant().map_or("acme".to_owned(), ToString::to_string);
        for (tenant, events) in [(&*name, 2), ("Ünlike & \"long\" name", 3)] {
            if store.tenant().is_some_and(|bound| bound.as_str() != tenant) {
                continue;
            }
            let of_tenant = store.for_tenant(tenant).unwrap();
            some(&of_tenant, 1, events).await;
            TableProjector::new(Ledger, &of_tenant).await.unwrap().catch_up().await.unwrap();
            assert_eq!(as_balances(&of_tenant).await, from_zero(&of_tenant).await);
            assert_eq!(as_balances(&of_tenant).await.handled, events);
        }
    }

    async fn a_save_that_fails_counts_nothing_and_is_made_again(store: Store) {
        some(&store, 3, 2).await;
        let faults = Faults::new();
        // Told as failed when it was made, and when it was not.
        faults.script(Operation::SaveCheckpoint, [Some(Fault::LoseAnswer), Some(Fault::Fail)]);
        let failing = faults.around(&store);
        let mut ledger = TableProjector::new(Ledger, &failing).await.unwrap();
        for _ in 0..2 {
            if let Err(error) = ledger.catch_up().await {
                assert!(matches!(error, FollowError::Store(_)), "{error:?}");
            }
        }
        ledger.catch_up().await.unwrap();
        assert_eq!(as_balances(&store).await, from_zero(&store).await);
    }

    async fn two_who_write_the_same_tables_count_each_event_once(store: Store) {
        let mut tasks = Vec::new();
        let end = Arc::new(AtomicU64::new(u64::MAX));
        for _ in 0..3 {
            let (store, end) = (store.clone(), Arc::clone(&end));
            tasks.push(tokio::spawn(async move {
                let mut ledger = TableProjector::new(Ledger, &store).await.unwrap();
                let mut watch = store.watch();
                while ledger.position() < Position(end.load(Ordering::Relaxed)) {
                    ledger.catch_up().await.unwrap();
                    let pause = Duration::from_millis(5);
                    let _ = tokio::time::timeout(pause, watch.changed()).await;
                }
            }));
        }
        some(&store, 6, 10).await;
        end.store(store.head().await.unwrap().0, Ordering::Relaxed);
        for task in tasks {
            soon(task).await.unwrap();
        }
        assert_eq!(as_balances(&store).await, from_zero(&store).await);
    }

    async fn a_statement_that_is_refused_stops_before_its_event_and_names_it(store: Store) {
        some(&store, 1, 3).await;
        // Two entries at one place, as by a mistake in the code.
        let mut picky = TableProjector::new(Picky { refuses: 102 }, &store).await.unwrap();
        some(&store, 2, 4).await;
        let error = picky.catch_up().await.unwrap_err();
        let FollowError::Statement { position, text, .. } = &error else { panic!("{error:?}") };
        assert!(text.contains("INSERT"), "{text}");
        // What came before it counts.
        let error = picky.catch_up().await.unwrap_err();
        assert_eq!(picky.position(), Position(position.0 - 1), "{error}");
        let amounts: Vec<i64> = picky.rows("SELECT amount FROM {amounts} ORDER BY amount", ()).await.unwrap();
        assert!(!amounts.contains(&102) && amounts.contains(&101), "{amounts:?}");
        let mut mended = TableProjector::new(Picky { refuses: -1 }, &store).await.unwrap();
        mended.catch_up().await.unwrap();
        let amounts: Vec<i64> = mended.rows("SELECT amount FROM {amounts} ORDER BY amount", ()).await.unwrap();
        assert_eq!(amounts.len(), 11);
    }

    async fn a_statement_cannot_end_the_transaction(store: Store) {
        some(&store, 1, 1).await;
        for text in ["COMMIT", "ROLLBACK", " /* x */ End", "-- y\nRELEASE a", "savepoint a"] {
            let mut ending = TableProjector::new(Ending(text), &store).await.unwrap();
            let error = ending.catch_up().await.unwrap_err();
            assert!(matches!(error, FollowError::Statement { .. }), "{text}: {error:?}");
            assert_eq!(ending.position(), Position::START);
        }
        let accounts: Vec<String> = TableReader::<Ending>::new(&store).rows("SELECT a FROM {ending}", ()).await.unwrap_or_default();
        assert_eq!(accounts, [""; 0]);
    }

    async fn a_new_version_is_built_beside_the_old_one_and_shown_when_it_has_caught_up(store: Store) {
        some(&store, 3, 2).await;
        let mut old = TableProjector::new(Ledger, &store).await.unwrap();
        old.catch_up().await.unwrap();
        let before = lines(&store).await;
        let mut new = TableProjector::new(next::Ledger, &store).await.unwrap();
        assert_eq!(new.position(), Position::START);
        // Half of the way nobody sees it.
        let faults = Faults::new();
        faults.script(Operation::Read, [Some(Fault::Fail)]);
        assert!(new.lag().await.unwrap() > 0);
        assert_eq!(lines(&store).await, before);
        new.catch_up().await.unwrap();
        let newest: Vec<Option<i64>> = new.rows("SELECT newest FROM {ledger} ORDER BY account", ()).await.unwrap();
        assert_eq!(newest, [Some(1), Some(101), Some(201)]);
        assert_eq!(lines(&store).await, before);
        // The old release goes on with its own tables, unseen.
        some(&store, 1, 1).await;
        old.catch_up().await.unwrap();
        assert_eq!(lines(&store).await, before);
        new.catch_up().await.unwrap();
        assert_eq!(as_balances(&store).await, from_zero(&store).await);
        // And when it is started again, it is the one that is shown.
        let mut back = TableProjector::new(Ledger, &store).await.unwrap();
        back.catch_up().await.unwrap();
        let missing = new.rows::<Option<i64>>("SELECT newest FROM {ledger}", ()).await;
        assert!(missing.is_err());
        assert_eq!(as_balances(&store).await, from_zero(&store).await);
        assert_eq!(back.drop_others().await.unwrap(), 1);
        assert_eq!(back.drop_others().await.unwrap(), 0);
        assert_eq!(as_balances(&store).await, from_zero(&store).await);
    }

    async fn a_rebuild_is_not_seen_before_its_end(store: Store) {
        some(&store, 3, 5).await;
        let runner = Runner::new();
        let ledger = runner.add(TableProjector::new(Ledger, &store).await.unwrap());
        soon(ledger.caught_up()).await.unwrap();
        let before = from_zero(&store).await;
        assert_eq!(as_balances(&store).await, before);
        for round in 1..4 {
            let rebuilt = ledger.rebuild();
            let watched = async {
                for _ in 0..20 {
                    let seen = as_balances(&store).await;
                    assert_eq!(seen, before, "round {round}");
                }
            };
            let (rebuilt, ()) = tokio::join!(rebuilt, watched);
            assert_eq!(rebuilt.unwrap().events, 15);
        }
        some(&store, 4, 2).await;
        soon(ledger.caught_up()).await.unwrap();
        assert_eq!(as_balances(&store).await, from_zero(&store).await);
        runner.shutdown().await;
        // What was rebuilt is what the next process goes on with.
        let mut again = TableProjector::new(Ledger, &store).await.unwrap();
        assert_eq!(again.catch_up().await.unwrap().events, 0);
        assert_eq!(as_balances(&store).await, from_zero(&store).await);
    }

    async fn values_come_back_as_they_went_in(store: Store) {
        let stream = StreamId::new("account", "a").unwrap();
        let event = NewEvent::json("Deposited", 1, &serde_json::json!({ "amount": 7 })).unwrap();
        store.append(&stream, Expected::Any, [event]).await.unwrap();
        let mut all = TableProjector::new(All, &store).await.unwrap();
        all.catch_up().await.unwrap();
        let row: AllRow = all.row("SELECT * FROM {everything} WHERE number = $1", (i64::MIN,)).await.unwrap().unwrap();
        let at = "2026-03-01T12:00:00.123456Z".parse().unwrap();
        let text = "it's \"ä\" {board} $1 \\ \u{1F980}".to_owned();
        assert_eq!(row, AllRow { number: i64::MIN, real: 0.1, yes: true, no: false, text, at, empty: None, bytes: "\\x00ff41".into() });
        let none: Option<AllRow> = all.row("SELECT * FROM {everything} WHERE text = $1 AND number = $2", ("x", 1)).await.unwrap();
        assert!(none.is_none());
    }

    async fn a_query_writes_nothing(store: Store) {
        some(&store, 1, 1).await;
        let mut ledger = TableProjector::new(Ledger, &store).await.unwrap();
        ledger.catch_up().await.unwrap();
        for text in ["DELETE FROM {ledger}", "DELETE FROM {ledger} RETURNING account", "DROP VIEW {ledger}", "SELECT 1; DELETE FROM {ledger}", "SELECT 1) AS x; DELETE FROM {ledger}; SELECT 1 FROM (SELECT 1"] {
            let written = ledger.rows::<serde_json::Value>(text, ()).await;
            assert!(matches!(written, Err(QueryError::Failed { .. })), "{text}: {written:?}");
        }
        assert_eq!(as_balances(&store).await, from_zero(&store).await);
        let misread = ledger.rows::<u64>("SELECT account FROM {ledger}", ()).await;
        assert!(matches!(misread, Err(QueryError::Row { .. })), "{misread:?}");
    }

    async fn an_event_that_is_refused_is_set_aside_with_those_behind_it_and_handled_when_it_is_mended(store: Store) {
        some(&store, 3, 4).await;
        let runner = Runner::new();
        let on_error = OnError::set_aside().retries(1).pause(Duration::from_millis(5));
        let picky = TableProjector::new(Picky { refuses: 101 }, &store).await.unwrap();
        let live = runner.add_with(picky, on_error);
        soon(live.caught_up()).await.unwrap();
        let amounts = async || -> Vec<i64> {
            TableReader::<Picky>::new(&store).rows("SELECT amount FROM {amounts} ORDER BY amount", ()).await.unwrap()
        };
        // The stream's later ones wait behind it, all others are handled.
        assert_eq!(amounts().await, [0, 1, 2, 3, 100, 200, 201, 202, 203]);
        let letters = store.dead_letters("picky").await.unwrap();
        let told: Vec<_> = letters.iter().map(|letter| (letter.stream.id(), &*letter.name, letter.attempts)).collect();
        assert_eq!(told, [("a1", "Deposited", 2), ("a1", "Deposited", 0), ("a1", "Deposited", 0)]);
        assert!(letters[0].error.contains("INSERT"), "{}", letters[0].error);
        // Tried again with the same code it is set aside again, and appended ones go behind it.
        store.retry_dead_letters(&letters).await.unwrap();
        some(&store, 2, 1).await;
        soon(live.caught_up()).await.unwrap();
        soon(async {
            while store.dead_letters("picky").await.unwrap()[0].attempts < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }).await;
        assert_eq!(store.dead_letters("picky").await.unwrap().len(), 4);
        runner.shutdown().await;
        // The mended code handles them in their order.
        let runner = Runner::new();
        let live = runner.add_with(TableProjector::new(Picky { refuses: -1 }, &store).await.unwrap(), on_error);
        store.retry_dead_letters(&store.dead_letters("picky").await.unwrap()).await.unwrap();
        soon(async {
            while !store.dead_letters("picky").await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }).await;
        some(&store, 2, 1).await;
        soon(live.caught_up()).await.unwrap();
        let all: i64 = TableReader::<Picky>::new(&store).row("SELECT count(*) AS n FROM {amounts}", ()).await.unwrap().unwrap();
        assert_eq!(all, 16);
        let order: Vec<i64> = TableReader::<Picky>::new(&store).rows("SELECT amount FROM {amounts} WHERE account = 'a1' ORDER BY number", ()).await.unwrap();
        assert_eq!(order, [100, 101, 102, 103, 100, 100]);
        // Told a moment after what was waited for.
        soon(async {
            while live.status().await.state != State::Live {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }).await;
    }
}

#[tokio::test]
async fn a_store_in_memory_says_that_it_keeps_no_tables() {
    let store = Store::connect("memory:").await.unwrap();
    let error = TableProjector::new(Ledger, &store).await.unwrap_err();
    assert!(matches!(error, FollowError::NoTables { .. }), "{error:?}");
    let error = TableReader::<Ledger>::new(&store)
        .rows::<u64>("SELECT 1", ())
        .await
        .unwrap_err();
    assert!(matches!(error, QueryError::NoTables { .. }), "{error:?}");
}

#[test]
fn another_release_has_another_fingerprint() {
    assert_ne!(Ledger::FINGERPRINT, next::Ledger::FINGERPRINT);
}

/// Refuses an amount, as a rule of a table does.
#[derive(Debug, Clone, Copy)]
struct Picky {
    refuses: i64,
}

#[projection(name = "picky", of(Account))]
impl Picky {
    const TABLES: &[&str] = &[
        "CREATE TABLE {amounts} (number bigint, account text, amount bigint, CHECK (amount >= 0))",
    ];

    fn deposited(&self, event: Deposited, at: &Envelope, sql: &mut Sql) {
        let amount = if event.amount == self.refuses {
            -1
        } else {
            event.amount
        };
        sql.run(
            "INSERT INTO {amounts} SELECT count(*) + 1, $1, $2 FROM {amounts}",
            (at.stream.id(), amount),
        );
    }
}

#[derive(Debug, Clone, Copy)]
struct Ending(&'static str);

#[projection(name = "ending", of(Account))]
impl Ending {
    const TABLES: &[&str] = &["CREATE TABLE {ending} (a text)"];

    fn deposited(&self, _: Deposited, sql: &mut Sql) {
        sql.run("INSERT INTO {ending} VALUES ($1)", ("a",));
        sql.run(self.0, ());
    }
}

#[derive(Debug, Clone, Copy)]
struct All;

#[projection(name = "all", of(Account))]
impl All {
    const TABLES: &[&str] = &[
        "CREATE TABLE {everything} (number bigint, real double precision, yes bigint, no boolean, text text, at text, empty text, bytes bytea)",
    ];

    fn deposited(&self, _: Deposited, sql: &mut Sql) {
        let at: DateTime<Utc> = "2026-03-01T12:00:00.123456Z".parse().unwrap();
        sql.run(
            "INSERT INTO {everything} VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            (
                i64::MIN,
                0.1,
                true,
                false,
                "it's \"ä\" {board} $1 \\ \u{1F980}",
                at,
                None::<String>,
                &b"\0\xffA"[..],
            ),
        );
    }
}

#[derive(Debug, PartialEq, Deserialize)]
struct AllRow {
    number: i64,
    real: f64,
    yes: bool,
    no: bool,
    text: String,
    at: DateTime<Utc>,
    empty: Option<String>,
    bytes: String,
}

/// So that the oracle of these tests is not the same code.
#[test]
fn balances_of_tables_are_compared_as_they_are() {
    let balances = |balance| Balances {
        by_account: BTreeMap::from([("a".to_owned(), balance)]),
        handled: 1,
    };
    assert_ne!(balances(1), balances(2));
}
