//! A log whose sequence was altered, or that is older than what was read from it, says so.

use recount::log::{Position, Query};
use recount::prelude::*;
use recount::projection::{FollowError, Projector};
use recount::store::ConnectError;

use crate::scene::{append, empty, insert, run};
use crate::seen;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Counted {
    pub by: u64,
}

#[derive(Debug, Clone, Default, Aggregate)]
#[aggregate(stream = "account", id = AccountId)]
pub struct Account {
    sum: u64,
}

#[apply]
impl Account {
    fn counted(&mut self, event: Counted) {
        self.sum += event.by;
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Sum {
    pub sum: u64,
}

#[projection(name = "sum", of(Account))]
impl Sum {
    fn counted(&mut self, event: Counted) {
        self.sum += event.by;
    }
}

#[tokio::test]
async fn a_sequence_that_would_lose_events_is_refused_with_the_statement_that_mends_it() {
    let Some((store, client, schema)) = empty().await else {
        return;
    };
    for name in ["First", "Second", "Third"] {
        append(&store, name).await;
    }
    for (change, wrong) in [
        (
            "ALTER SEQUENCE positions CACHE 20",
            "20 positions at a time",
        ),
        ("ALTER SEQUENCE positions INCREMENT 2", "in steps of 2"),
        ("ALTER SEQUENCE positions INCREMENT -1", "in steps of -1"),
        ("ALTER SEQUENCE positions CYCLE", "begins again"),
        (
            "SELECT setval('positions', 2)",
            "stands at 2, behind the last event at position 3",
        ),
        (
            "ALTER SEQUENCE positions RESTART",
            "stands at 0, behind the last event at position 3",
        ),
    ] {
        run(&client, change).await;
        let refused = schema.options().open().await.unwrap_err();
        let ConnectError::UnsafeSequence { found, remedy, .. } = &refused else {
            panic!("{change}: {refused:?}")
        };
        assert!(found.contains(wrong), "{change}: {refused}");
        // Run by somebody whose search path does not lead here.
        run(
            &client,
            &format!(
                "RESET search_path; {remedy}; SET search_path = {}",
                schema.name
            ),
        )
        .await;
        schema.open().await.close().await.unwrap();
    }
    assert_eq!(append(&schema.open().await, "Fourth").await, Position(4));
    assert_eq!(seen(&store).await, ["First", "Second", "Third", "Fourth"]);
}

#[tokio::test]
async fn a_log_that_gives_out_positions_while_it_is_opened_is_not_taken_for_one_that_was_set_back()
{
    let Some((_, client, schema)) = empty().await else {
        return;
    };
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let inserting = tokio::spawn({
        let ended = std::sync::Arc::clone(&ended);
        async move {
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                insert(&client).await;
            }
        }
    });
    for _ in 0..50 {
        schema.open().await.close().await.unwrap();
    }
    ended.store(true, std::sync::atomic::Ordering::Relaxed);
    inserting.await.unwrap();
}

#[tokio::test]
async fn a_projection_that_is_ahead_of_a_restored_log_says_so_and_is_built_anew() {
    let Some((store, client, _schema)) = empty().await else {
        return;
    };
    let accounts = Repository::<Account>::new(&store);
    let id = AccountId::new("a").unwrap();
    for _ in 0..4 {
        accounts
            .execute(&id, |_| Ok(Counted { by: 1 }))
            .await
            .unwrap();
    }
    let mut stored = Projector::<Sum>::stored(&store).await.unwrap();
    let mut in_memory = Projector::<Sum>::in_memory(&store);
    for projector in [&mut stored, &mut in_memory] {
        projector.catch_up().await.unwrap();
        assert_eq!((projector.sum, projector.position()), (4, Position(4)));
    }
    // As it was before the last two, sequence and all.
    run(
        &client,
        "ALTER TABLE events DISABLE TRIGGER USER; DELETE FROM events WHERE position > 2;
         SELECT setval('positions', 2)",
    )
    .await;
    for projector in [&mut stored, &mut in_memory] {
        // Neither the position where it stands nor its state moves.
        for _ in 0..2 {
            let ahead = projector.catch_up().await.unwrap_err();
            assert!(
                matches!(
                    ahead,
                    FollowError::AheadOfLog {
                        projection: "sum",
                        position: Position(4),
                        head: Position(2)
                    }
                ),
                "{ahead:?}"
            );
            assert_eq!((projector.sum, projector.position()), (4, Position(4)));
        }
    }
    let again = Projector::<Sum>::stored(&store)
        .await
        .unwrap()
        .catch_up()
        .await;
    assert!(
        matches!(again, Err(FollowError::AheadOfLog { .. })),
        "{again:?}"
    );
    // Who only reads is told what is there: nothing yet.
    let rest = store.read(Query::all().after(Position(4))).collect().await;
    assert!(rest.unwrap().is_empty());
    in_memory.rebuild().await.unwrap();
    let stored = Projector::<Sum>::rebuilt(&store).await.unwrap();
    assert_eq!(
        (in_memory.sum, stored.sum, stored.position()),
        (2, 2, Position(2))
    );
}
