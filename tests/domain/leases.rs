//! Of several processes one runs a projection; what it set aside, built anew or shows is not undone by another one.

use std::time::Duration;

use recount::prelude::*;
use recount::projection::{
    FollowError, Projection, Projector, QueryError, TableProjector, TableReader,
};
use recount::runner::{Handle, OnError, Runner, State};
use recount::store::sqlite::SqliteOptions;
use recount::store::{Backend, Checkpoint, Effects, ProjectionKey};
use recount::testing::{Fault, Faults, Operation};

use crate::bank::{Account, Deposited, Opened, id};
use crate::stores::{every_database, every_store};

async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let coming = tokio::time::timeout(Duration::from_secs(20), coming);
    coming.await.expect("it comes soon")
}

async fn comes_to(handle: &Handle, state: State) {
    soon(async {
        while handle.status().await.state != state {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// A runner of a process of its own.
fn process() -> Runner {
    Runner::new().with_lease(Duration::from_millis(300))
}

async fn open(store: &Store, name: &str) -> Position {
    let accounts = Repository::<Account>::new(store);
    accounts
        .create(&id(name), Account::open(name))
        .await
        .unwrap()
        .position
}

async fn deposit(store: &Store, name: &str, amount: i64) -> Position {
    let accounts = Repository::<Account>::new(store);
    if !accounts.exists(&id(name)).await.unwrap() {
        open(store, name).await;
    }
    accounts
        .execute(&id(name), |_| Ok(Deposited { amount }))
        .await
        .unwrap()
        .position
}

/// Every deposit, in a table.
#[derive(Debug, Clone, Copy)]
struct Deposits;

#[projection(name = "deposits", of(Account))]
impl Deposits {
    const TABLES: &[&str] = &["CREATE TABLE {deposits} (position bigint, amount bigint)"];

    fn deposited(&self, event: Deposited, at: &Envelope, sql: &mut Sql) {
        sql.run(
            "INSERT INTO {deposits} VALUES ($1, $2)",
            (at.position, event.amount),
        );
    }
}

async fn amounts(store: &Store) -> Vec<i64> {
    TableReader::<Deposits>::new(store)
        .rows("SELECT amount FROM {deposits} ORDER BY position", ())
        .await
        .unwrap()
}

/// Another release, which has one more table.
mod next {
    use super::*;

    #[derive(Debug, Clone, Copy)]
    pub struct Deposits;

    #[projection(name = "deposits", of(Account))]
    impl Deposits {
        const TABLES: &[&str] = &[
            "CREATE TABLE {deposits} (position bigint, amount bigint)",
            "CREATE TABLE {openings} (position bigint)",
        ];

        fn deposited(&self, event: Deposited, at: &Envelope, sql: &mut Sql) {
            if event.amount == 666 {
                sql.run("INSERT INTO nowhere VALUES (1)", ());
            }
            sql.run(
                "INSERT INTO {deposits} VALUES ($1, $2 + 1000)",
                (at.position, event.amount),
            );
        }

        fn opened(&self, _: &Opened, at: &Envelope, sql: &mut Sql) {
            sql.run("INSERT INTO {openings} VALUES ($1)", (at.position,));
        }
    }
}

/// Panics on an amount.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Touchy {
    amounts: Vec<i64>,
}

#[projection(name = "touchy", of(Account))]
impl Touchy {
    fn deposited(&mut self, event: Deposited) {
        assert_ne!(event.amount, 13, "unlucky");
        self.amounts.push(event.amount);
    }
}

fn set_aside() -> OnError {
    OnError::set_aside().retries(0)
}

every_store! {
    async fn an_event_that_panics_when_it_is_tried_again_stays_aside_and_the_others_go_on(store: Store) {
        deposit(&store, "a", 13).await;
        deposit(&store, "b", 1).await;
        let runner = process();
        let live = runner.add_with(Projector::<Touchy>::stored(&store).await.unwrap(), set_aside());
        soon(live.caught_up()).await.unwrap();
        let letters = store.dead_letters("touchy").await.unwrap();
        assert_eq!(letters.len(), 1);
        store.retry_dead_letters(&letters).await.unwrap();
        soon(async {
            loop {
                let letters = store.dead_letters("touchy").await.unwrap();
                assert_eq!(letters.len(), 1);
                if letters[0].attempts == 2 && !letters[0].retry { break }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }).await;
        deposit(&store, "a", 2).await;
        let last = deposit(&store, "b", 3).await;
        soon(live.wait_for(last)).await.unwrap();
        assert_eq!(live.read().await.amounts, [1, 3]);
        assert_eq!(store.dead_letters("touchy").await.unwrap().len(), 2);
        runner.shutdown().await;
    }

    async fn one_that_stands_by_goes_past_what_was_set_aside_elsewhere(store: Store) {
        let (one, other) = (process(), process());
        let runs = one.add_with(Projector::<Touchy>::stored(&store).await.unwrap(), set_aside());
        soon(runs.caught_up()).await.unwrap();
        comes_to(&runs, State::Live).await;
        let stands_by = other.add_with(Projector::<Touchy>::stored(&store).await.unwrap(), set_aside());
        comes_to(&stands_by, State::Standby).await;
        deposit(&store, "a", 13).await;
        let last = deposit(&store, "b", 1).await;
        soon(runs.wait_for(last)).await.unwrap();
        soon(stands_by.wait_for(last)).await.unwrap();
        assert_eq!(stands_by.read().await.amounts, [1]);
        assert_eq!(store.dead_letters("touchy").await.unwrap().len(), 1);
        // What is let go there is no reason to wait here.
        store.drop_dead_letters(&store.dead_letters("touchy").await.unwrap()).await.unwrap();
        soon(async {
            while runs.read().await.amounts.len() < 2 {
                deposit(&store, "a", 4).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }).await;
        soon(async {
            while !stands_by.read().await.amounts.contains(&4) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }).await;
        one.shutdown().await;
        other.shutdown().await;
    }

    async fn one_that_is_paused_takes_the_lease_from_nobody(store: Store) {
        let (one, paused, third) = (process(), process(), process());
        let runs = one.add(Projector::<Touchy>::stored(&store).await.unwrap());
        comes_to(&runs, State::Live).await;
        let sleeps = paused.add(Projector::<Touchy>::stored(&store).await.unwrap());
        comes_to(&sleeps, State::Standby).await;
        sleeps.pause();
        comes_to(&sleeps, State::Paused).await;
        one.shutdown().await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        let goes_on = third.add(Projector::<Touchy>::stored(&store).await.unwrap());
        deposit(&store, "a", 1).await;
        comes_to(&goes_on, State::Live).await;
        // Resumed, and left alone, it saves what it handles.
        sleeps.resume();
        comes_to(&sleeps, State::Standby).await;
        third.shutdown().await;
        comes_to(&sleeps, State::Live).await;
        let last = deposit(&store, "a", 2).await;
        soon(sleeps.wait_for(last)).await.unwrap();
        let saved = Projector::<Touchy>::stored(&store).await.unwrap();
        assert_eq!(saved.amounts, [1, 2]);
        paused.shutdown().await;
    }

    async fn who_waits_again_and_again_is_never_waited_for(store: Store) {
        let runner = process();
        let live = runner.add(Projector::<Touchy>::in_memory(&store));
        let last = deposit(&store, "a", 1).await;
        let mut waiting = Vec::new();
        for _ in 0..4 {
            let live = live.clone();
            waiting.push(tokio::spawn(async move {
                let mut position = last.0;
                while position < last.0 + 60 {
                    soon(live.wait_for(Position(position))).await.unwrap();
                    position += 1;
                    tokio::task::yield_now().await;
                }
            }));
        }
        for amount in 20..80 {
            deposit(&store, "a", amount).await;
        }
        for waiting in waiting {
            soon(waiting).await.unwrap();
        }
        runner.shutdown().await;
    }
}

every_database! {
    async fn one_that_stands_by_can_be_waited_for_though_nothing_is_to_be_handled(store: Store) {
        deposit(&store, "a", 1).await;
        let (one, other) = (process(), process());
        let runs = one.add(TableProjector::new(Deposits, &store).await.unwrap());
        soon(runs.caught_up()).await.unwrap();
        let stands_by = other.add(TableProjector::new(Deposits, &store).await.unwrap());
        comes_to(&stands_by, State::Standby).await;
        let unseen = open(&store, "b").await;
        soon(stands_by.wait_for(unseen)).await.unwrap();
        let last = deposit(&store, "b", 2).await;
        soon(stands_by.wait_for(last)).await.unwrap();
        assert_eq!(amounts(&store).await, [1, 2]);
        one.shutdown().await;
        other.shutdown().await;
    }

    async fn rebuilds_at_once_and_one_after_another_harm_no_tables(store: Store) {
        for amount in 0..5 {
            deposit(&store, "a", amount).await;
        }
        let (one, other) = (process(), process());
        let runs = one.add(TableProjector::new(Deposits, &store).await.unwrap());
        soon(runs.caught_up()).await.unwrap();
        let stands_by = other.add(TableProjector::new(Deposits, &store).await.unwrap());
        comes_to(&stands_by, State::Standby).await;
        let (first, second, third) = soon(async { tokio::join!(Box::pin(runs.rebuild()), Box::pin(runs.rebuild()), Box::pin(stands_by.rebuild())) }).await;
        for rebuilt in [first, second, third] {
            assert_eq!(rebuilt.unwrap().events, 5);
        }
        assert_eq!(amounts(&store).await, [0, 1, 2, 3, 4]);
        deposit(&store, "a", 5).await;
        // This one has seen none of the others'.
        soon(stands_by.rebuild()).await.unwrap();
        assert_eq!(amounts(&store).await, [0, 1, 2, 3, 4, 5]);
        soon(runs.rebuild()).await.unwrap();
        assert_eq!(amounts(&store).await, [0, 1, 2, 3, 4, 5]);
        let last = deposit(&store, "a", 6).await;
        soon(runs.wait_for(last)).await.unwrap();
        assert_eq!(amounts(&store).await, [0, 1, 2, 3, 4, 5, 6]);
        one.shutdown().await;
        other.shutdown().await;
        let mut again = TableProjector::new(Deposits, &store).await.unwrap();
        again.catch_up().await.unwrap();
        assert_eq!(amounts(&store).await, [0, 1, 2, 3, 4, 5, 6]);
        again.drop_others().await.unwrap();
        assert_eq!(again.drop_others().await.unwrap(), 0);
    }

    async fn a_rebuild_that_fails_harms_no_tables_that_another_process_has_built(store: Store) {
        for amount in 0..3 {
            deposit(&store, "a", amount).await;
        }
        let mut first = TableProjector::new(Choosy { refuses: -1 }, &store).await.unwrap();
        first.catch_up().await.unwrap();
        let mut stale = TableProjector::new(Choosy { refuses: 1 }, &store).await.unwrap();
        first.rebuild().await.unwrap();
        // It handles the events before that one, in tables of its own.
        stale.rebuild().await.unwrap_err();
        let text = "SELECT amount FROM {choosy} ORDER BY amount";
        assert_eq!(first.rows::<i64>(text, ()).await.unwrap(), [0, 1, 2]);
    }

    async fn who_drops_other_tables_keeps_those_that_another_process_has_built(store: Store) {
        deposit(&store, "a", 1).await;
        let mut stale = TableProjector::new(Deposits, &store).await.unwrap();
        stale.catch_up().await.unwrap();
        TableProjector::new(Deposits, &store).await.unwrap().rebuild().await.unwrap();
        stale.drop_others().await.unwrap();
        assert_eq!(amounts(&store).await, [1]);
    }

    async fn a_release_with_one_more_table_is_not_shown_before_it_has_caught_up(store: Store) {
        deposit(&store, "a", 1).await;
        deposit(&store, "a", 666).await;
        TableProjector::new(Deposits, &store).await.unwrap().catch_up().await.unwrap();
        let mut new = TableProjector::new(next::Deposits, &store).await.unwrap();
        for _ in 0..2 {
            new.catch_up().await.unwrap_err();
            assert_eq!(amounts(&store).await, [1, 666]);
        }
        // What came before is handled, and is not to be seen; what is seen is not dropped.
        assert!(new.position() > Position::START);
        assert_eq!(new.drop_others().await.unwrap(), 0);
        assert_eq!(amounts(&store).await, [1, 666]);
    }

    async fn who_goes_on_for_an_older_release_does_not_show_its_tables_again(store: Store) {
        deposit(&store, "a", 1).await;
        let (one, other) = (process(), process());
        let runs = one.add(TableProjector::new(Deposits, &store).await.unwrap());
        soon(runs.caught_up()).await.unwrap();
        let stands_by = other.add(TableProjector::new(Deposits, &store).await.unwrap());
        comes_to(&stands_by, State::Standby).await;
        let mut new = TableProjector::new(next::Deposits, &store).await.unwrap();
        new.catch_up().await.unwrap();
        assert_eq!(amounts(&store).await, [1001]);
        one.shutdown().await;
        comes_to(&stands_by, State::Live).await;
        let last = deposit(&store, "a", 2).await;
        soon(stands_by.wait_for(last)).await.unwrap();
        new.catch_up().await.unwrap();
        assert_eq!(amounts(&store).await, [1001, 1002]);
        // Gone back to, it is.
        let mut back = TableProjector::new(Deposits, &store).await.unwrap();
        back.catch_up().await.unwrap();
        assert_eq!(amounts(&store).await, [1, 2]);
        other.shutdown().await;
    }

    async fn a_statement_that_is_not_about_the_tables_of_the_projection_is_refused(store: Store) {
        deposit(&store, "a", 1).await;
        let before = store.read(recount::log::Query::all()).collect().await.unwrap();
        let texts = [
            "DELETE FROM events", "UPDATE events SET payload = '1'", "DROP TABLE events", "DROP VIEW log", "DELETE FROM checkpoints",
            "INSERT INTO tenants VALUES (99, 'x')", "DROP TRIGGER events_are_not_deleted", "ALTER TABLE streams RENAME TO s",
            "CREATE TRIGGER t BEFORE INSERT ON events BEGIN SELECT 1; END", ";COMMIT", "/* /* */ */ COMMIT", "ATTACH 'x' AS y",
            "INSERT OR ROLLBACK INTO {rude} VALUES (NULL)",
        ];
        for text in texts {
            let mut rude = TableProjector::new(Rude(text), &store).await.unwrap();
            let error = soon(rude.catch_up()).await.unwrap_err();
            assert!(matches!(error, FollowError::Statement { .. }), "{text}: {error:?}");
            assert_eq!(rude.position(), Position::START, "{text}");
        }
        deposit(&store, "a", 2).await;
        let after = store.read(recount::log::Query::all()).collect().await.unwrap();
        assert_eq!(after[..before.len()], before);
        let mut polite = TableProjector::new(Rude("INSERT INTO {rude} VALUES (1)"), &store).await.unwrap();
        polite.catch_up().await.unwrap();
        for text in ["BEGIN", "PRAGMA query_only = 0", "ATTACH 'x' AS y", "SAVEPOINT x"] {
            let asked = polite.rows::<serde_json::Value>(text, ()).await;
            assert!(matches!(asked, Err(QueryError::Failed { .. })), "{text}: {asked:?}");
        }
        deposit(&store, "a", 3).await;
        polite.catch_up().await.unwrap();
        let count: i64 = polite.row("SELECT count(*) AS n FROM {rude}", ()).await.unwrap().unwrap();
        assert_eq!(count, 3);
    }

    async fn a_rule_that_is_looked_at_in_the_commit_is_a_fault_of_the_event(store: Store) {
        deposit(&store, "a", 1).await;
        if !store.url().starts_with("postgres") {
            return;
        }
        let bad = deposit(&store, "a", 2).await;
        deposit(&store, "a", 3).await;
        let runner = process();
        let strict = TableProjector::new(Strict, &store).await.unwrap();
        let live = runner.add_with(strict, set_aside());
        soon(live.caught_up()).await.unwrap();
        let letters = store.dead_letters("strict").await.unwrap();
        assert_eq!(letters.first().map(|letter| letter.position), Some(bad));
        assert_eq!(letters.len(), 2);
        runner.shutdown().await;
    }
}

/// Asks for something that is not its own.
#[derive(Debug, Clone, Copy)]
struct Rude(&'static str);

#[projection(name = "rude", of(Account))]
impl Rude {
    const TABLES: &[&str] = &["CREATE TABLE {rude} (a bigint NOT NULL)"];

    fn deposited(&self, _: Deposited, sql: &mut Sql) {
        sql.run(self.0, ());
    }
}

/// Does not handle an amount.
#[derive(Debug, Clone, Copy)]
struct Choosy {
    refuses: i64,
}

#[projection(name = "choosy", of(Account))]
impl Choosy {
    const TABLES: &[&str] = &["CREATE TABLE {choosy} (amount bigint)"];

    fn deposited(&self, event: Deposited, sql: &mut Sql) {
        if event.amount == self.refuses {
            sql.run("COMMIT", ());
        }
        sql.run("INSERT INTO {choosy} VALUES ($1)", (event.amount,));
    }
}

/// Has a rule that PostgreSQL looks at in the commit.
#[derive(Debug, Clone, Copy)]
struct Strict;

#[projection(name = "strict", of(Account))]
impl Strict {
    const TABLES: &[&str] = &[
        "CREATE TABLE {strict} (amount bigint PRIMARY KEY, of bigint REFERENCES {strict} (amount) DEFERRABLE INITIALLY DEFERRED)",
    ];

    fn deposited(&self, event: Deposited, sql: &mut Sql) {
        let of = if event.amount == 2 { 99 } else { event.amount };
        sql.run("INSERT INTO {strict} VALUES ($1, $2)", (event.amount, of));
    }
}

#[tokio::test]
async fn who_wakes_up_between_its_lease_and_what_was_saved_does_not_go_on_with_another_holders_revision()
 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let store = Store::connect(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
    open(&store, "a").await;
    deposit(&store, "a", 1).await;
    // It is given the lease, and then nothing reaches the store for longer than that lasts. Made, it has read twice.
    let faults = Faults::new();
    let late = Some(Fault::Delay(Duration::from_millis(900)));
    faults.script(Operation::Checkpoint, [None, None, late]);
    let mut lost = [Some(Fault::Fail); 23];
    lost[0] = None;
    faults.script(Operation::Lease, lost);
    let runner = process();
    let stored = Projector::<Touchy>::stored(&faults.around(&store)).await;
    let sleeps = runner.add(stored.unwrap());

    let other = SqliteOptions::new(&path).open().await.unwrap();
    let key = ProjectionKey {
        name: Touchy::NAME,
        fingerprint: Touchy::FINGERPRINT,
    };
    let holder = uuid::Uuid::now_v7();
    let long = Duration::from_mins(10);
    let lease = soon(async {
        // Once the first one has it.
        while other.checkpoint(None, key).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        loop {
            let lease = other.lease(None, key, holder, long).await.unwrap();
            if lease.is_held {
                return lease;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let checkpoint = |revision| Checkpoint {
        revision,
        position: Position::START,
        state: Some(serde_json::to_vec(&Touchy::default()).unwrap()),
    };
    let saved = other.save_checkpoint(None, key, checkpoint(lease.revision), Effects::default());
    let revision = saved.await.unwrap();
    comes_to(&sleeps, State::Standby).await;
    let saved = other.save_checkpoint(None, key, checkpoint(revision), Effects::default());
    assert_eq!(saved.await.unwrap(), revision + 1);
    runner.shutdown().await;
}
