//! What people read when something fails: the reason, and what failed by it.

use std::time::Duration;

use recount::log::{Expected, NewEvent, StreamId};
use recount::prelude::*;
use recount::projection::{FollowError, TableProjector, TableReader};
use recount::runner::{OnError, Runner, State};
use recount::with_causes;

use crate::bank::{Account, Deposited};
use crate::projections::Balances;
use crate::stores::{every_database, every_store};
use crate::tables::Ledger;

async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let coming = tokio::time::timeout(Duration::from_secs(20), coming);
    coming.await.expect("it comes soon")
}

async fn append(store: &Store, payload: &serde_json::Value) -> Position {
    let stream = StreamId::new("account", "a").unwrap();
    let event = NewEvent::json("Deposited", 1, payload).unwrap();
    let appended = store.append(&stream, Expected::Any, [event]);
    appended.await.unwrap().position
}

#[derive(Debug, thiserror::Error)]
#[error("the bell is broken")]
struct Broken(#[source] std::io::Error);

/// Fails at each event.
struct Bell;

#[reaction(name = "bell", of(Account))]
impl Bell {
    async fn deposited(&self, _: Deposited) -> Result<(), Broken> {
        Err(Broken(std::io::Error::other("no clapper")))
    }
}

every_store! {
    async fn who_waits_in_vain_reads_why(store: Store) {
        let runner = Runner::new();
        let balances = runner.add(Projector::<Balances>::in_memory(&store));
        let last = append(&store, &"no object".into()).await;
        let error = soon(balances.wait_for(last)).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("has stopped") && text.contains("invalid type") && text.contains("`resume`"), "{text}");
        runner.shutdown().await;
        let ended = balances.wait_for(Position(last.0 + 1)).await.unwrap_err().to_string();
        assert!(ended.ends_with("does not run any more"), "{ended}");
    }

    async fn one_that_tries_again_is_not_said_to_have_stopped(store: Store) {
        let (runner, bell) = (Runner::new(), Reactor::new(Bell, &store).await.unwrap());
        let for_ever = OnError::stop().retries(u32::MAX).pause(Duration::from_hours(1));
        let live = runner.add_with(bell, for_ever);
        append(&store, &serde_json::json!({ "amount": 1 })).await;
        let status = soon(async {
            loop {
                let status = live.status().await;
                if status.state == State::Retrying { break status }
                tokio::task::yield_now().await;
            }
        }).await;
        let text = status.to_string();
        assert!(text.contains("bell: retrying at ") && !text.contains("stopped"), "{text}");
        // Each cause once, although the error tells the first of them itself.
        assert!(text.ends_with(": the bell is broken: no clapper"), "{text}");
        let (_, error) = status.last_error.unwrap();
        assert!(text.ends_with(&with_causes(&*error)), "{text}");
        runner.shutdown().await;
    }
}

every_database! {
    async fn a_query_that_failed_tells_why(store: Store) {
        let reader = TableReader::<Ledger>::new(&store);
        let error = reader.rows::<u64>("SELECT nonsense FROM {ledger}", ()).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("ledger") && text.contains("SELECT nonsense FROM {ledger}"), "{text}");
        assert!(text.contains("is not shown yet"), "{text}");
        TableProjector::new(Ledger, &store).await.unwrap().catch_up().await.unwrap();
        let text = reader.rows::<u64>("SELECT nonsense FROM {ledger}", ()).await.unwrap_err().to_string();
        assert!(text.contains("no such column") || text.contains("does not exist"), "{text}");
        let misread = reader.rows::<u64>("SELECT 'x' AS y", ()).await.unwrap_err().to_string();
        assert!(misread.contains("invalid type") && misread.contains("SELECT 'x' AS y"), "{misread}");
    }

    async fn a_mistake_in_tables_is_told_when_the_projection_begins(store: Store) {
        let error = TableProjector::new(Elsewhere, &store).await.unwrap_err();
        assert!(matches!(error, FollowError::Tables { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("write `{by_amount}`") && text.ends_with(BARE), "{text}");
        let error = TableProjector::new(Unmade, &store).await.unwrap_err();
        assert!(matches!(error, FollowError::Tables { .. }), "{error:?}");
        assert!(error.to_string().contains("no statement of `TABLES` makes `{somewhere}`"), "{error}");
    }

    async fn a_statement_that_names_no_table_is_refused_before_the_database_sees_it(store: Store) {
        let last = append(&store, &serde_json::json!({ "amount": 2 })).await;
        let error = TableProjector::new(Helped, &store).await.unwrap().catch_up().await.unwrap_err();
        assert!(matches!(error, FollowError::Statement { .. }) && error.position() == Some(last), "{error:?}");
        assert!(error.to_string().contains("no statement of `TABLES` makes `{halved}`"), "{error}");
    }

    async fn tables_that_the_database_refuses_to_make_are_not_an_events_fault(store: Store) {
        append(&store, &serde_json::json!({ "amount": 1 })).await;
        let mut misspelt = TableProjector::new(Misspelt, &store).await.unwrap();
        let error = misspelt.catch_up().await.unwrap_err();
        assert!(matches!(error, FollowError::Tables { .. }) && error.position().is_none(), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("the tables of projection misspelt cannot be made: ") && !text.contains("position"), "{text}");
        assert!(text.contains("syntax error"), "{text}");
    }
}

#[derive(Debug)]
struct Misspelt;

#[projection(name = "misspelt", of(Account))]
impl Misspelt {
    const TABLES: &[&str] = &["CREATE TABLE {misspelt} (amount bigint NOT NUL, NOT)"];

    fn deposited(&self, event: Deposited, sql: &mut Sql) {
        sql.run("INSERT INTO {misspelt} VALUES ($1)", (event.amount,));
    }
}

/// Says elsewhere what it makes and runs, so that only the runtime can look at it.
#[derive(Debug)]
struct Elsewhere;

const BARE: &str = "CREATE INDEX by_amount ON {elsewhere} (amount)";

#[projection(name = "elsewhere", of(Account))]
impl Elsewhere {
    const TABLES: &[&str] = &["CREATE TABLE {elsewhere} (amount bigint)", BARE];

    fn deposited(&self, _: Deposited, _: &mut Sql) {}
}

#[derive(Debug)]
struct Unmade;

const UNMADE: &str = "CREATE INDEX {by_amount} ON {somewhere} (amount)";

#[projection(name = "unmade", of(Account))]
impl Unmade {
    const TABLES: &[&str] = &["CREATE TABLE {elsewhere} (amount bigint)", UNMADE];

    fn deposited(&self, _: Deposited, _: &mut Sql) {}
}

#[derive(Debug)]
struct Helped;

#[projection(name = "helped", of(Account))]
impl Helped {
    const TABLES: &[&str] = &["CREATE TABLE {helped} (amount bigint)"];

    fn deposited(&self, event: Deposited, sql: &mut Sql) {
        help(event.amount, sql);
    }
}

fn help(amount: i64, sql: &mut Sql) {
    sql.run("INSERT INTO {helped} VALUES ($1)", (amount,));
    sql.run("INSERT INTO {halved} VALUES ($1)", (amount / 2,));
}

/// Asks for what PostgreSQL refuses with codes that it also gives for what passes by itself.
#[derive(Debug)]
struct Refused(&'static str);

#[projection(name = "refused", of(Account))]
impl Refused {
    const TABLES: &[&str] = &[
        "CREATE TABLE {refused} (amount bigint)",
        "CREATE SEQUENCE {numbers}",
    ];

    fn deposited(&self, _: Deposited, sql: &mut Sql) {
        sql.run(self.0, ());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_postgres_never_runs_is_the_statements_fault() {
    let Some(fixture) = crate::stores::postgres().await else {
        return;
    };
    let store = fixture.store.clone();
    let last = append(&store, &serde_json::json!({ "amount": 1 })).await;
    let texts = [
        // 25001: not within a transaction.
        (
            "CREATE INDEX CONCURRENTLY ON {refused} (amount)",
            "transaction block",
        ),
        // 55000: of a sequence that this session has drawn nothing from.
        (
            "SELECT currval('{numbers}')",
            "not yet defined in this session",
        ),
    ];
    for (text, why) in texts {
        let mut refused = TableProjector::new(Refused(text), &store).await.unwrap();
        let error = refused.catch_up().await.unwrap_err();
        // Anything else would be taken to pass by itself, and be tried again for ever.
        assert!(matches!(error, FollowError::Statement { .. }), "{error:?}");
        assert_eq!(error.position(), Some(last));
        assert!(error.to_string().contains(why), "{error}");
    }
}
