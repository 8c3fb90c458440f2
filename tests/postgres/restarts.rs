//! The order across the death of the server: what is prepared is still waited for, and positions may be given out again.

use recount::log::{Position, Query};
use recount::prelude::*;
use recount::projection::{FollowError, Projector};
use recount::store::postgres::PostgresOptions;
use tokio_postgres::Client;

use crate::cluster::{Cluster, Stop};
use crate::restored::{Account, AccountId, Counted, Sum};
use crate::scene::{append, found, insert, one, positions, run};
use crate::seen;
use crate::server::Schema;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_is_prepared_is_waited_for_also_after_the_server_died() {
    let Some(cluster) = Cluster::new(&["max_prepared_transactions = 4"]) else {
        return;
    };
    for (stop, end, rest) in [
        (
            Stop::Immediate,
            "COMMIT",
            vec!["ByHand", "ByHand", "Later", "After"],
        ),
        (
            Stop::Kill,
            "COMMIT",
            vec!["ByHand", "ByHand", "Later", "After"],
        ),
        (Stop::Kill, "ROLLBACK", vec!["ByHand", "Later", "After"]),
    ] {
        let schema = Schema::on(cluster.url());
        let (store, client) = found(&schema).await;
        run(&client, "BEGIN").await;
        let first = insert(&client).await;
        run(&client, "PREPARE TRANSACTION 'one'").await;
        // Whoever prepared it may go on.
        insert(&client).await;
        append(&store, "Later").await;
        assert!(seen(&store).await.is_empty());
        drop(store);
        cluster.restart(stop);

        let (store, client) = (schema.open().await, schema.client().await);
        assert!(seen(&store).await.is_empty(), "{stop:?}");
        append(&store, "After").await;
        assert!(seen(&store).await.is_empty(), "{stop:?}");
        assert!(one::<i64>(&client, "SELECT frontier FROM frontier(0)").await < first);
        run(&client, &format!("{end} PREPARED 'one'")).await;
        assert_eq!(seen(&store).await, rest, "{stop:?}");
    }
}

/// A server that writes nothing behind anybody's back: what no commit waited for is lost when it dies.
async fn careless() -> Option<(Cluster, Schema, Store, Client)> {
    let cluster = Cluster::new(&["autovacuum = off"])?;
    let schema = Schema::on(cluster.url());
    let (store, client) = found(&schema).await;
    append(&store, "First").await;
    let writer: i32 = one(
        &client,
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'",
    )
    .await;
    let stopped = std::process::Command::new("sh")
        .args(["-c", &format!("kill -STOP {writer}")])
        .status();
    assert!(stopped.unwrap().success());
    Some((cluster, schema, store, client))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_that_nobody_committed_are_given_out_again_so_only_those_of_events_are_kept() {
    let Some((cluster, schema, store, client)) = careless().await else {
        return;
    };
    run(&client, "BEGIN").await;
    for _ in 0..100 {
        insert(&client).await;
    }
    run(&client, "ROLLBACK").await;
    let kept: i64 = one(&client, "SELECT frontier FROM frontier(0)").await;
    assert_eq!(kept, 101);
    // The end of the log, which is where a projection stands, is an event's position.
    let head = store.head().await.unwrap();
    assert_eq!(head, Position(1));
    drop(store);
    cluster.restart(Stop::Kill);

    let (store, client) = (schema.open().await, schema.client().await);
    append(&store, "Again").await;
    let all = positions(&client, "SELECT position FROM events ORDER BY 1").await;
    assert!(all[1] <= kept, "{all:?} are not given out again");
    let after = async |position: i64| {
        let query = Query::all().after(Position(position.cast_unsigned()));
        store.read(query).collect().await.unwrap().len()
    };
    assert_eq!(after(kept).await, 0, "who kept the frontier has lost it");
    assert_eq!(after(head.0.cast_signed()).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_that_saw_what_died_with_the_server_says_so() {
    let Some((cluster, schema, store, _client)) = careless().await else {
        return;
    };
    let url = format!("{}&options=-c%20synchronous_commit%3Doff", schema.url());
    let hasty = PostgresOptions::from_url(&url).unwrap();
    let accounts = Repository::<Account>::new(&Store::new(hasty.open().await.unwrap()));
    let id = AccountId::new("a").unwrap();
    for _ in 0..3 {
        accounts
            .execute(&id, |_| Ok(Counted { by: 1 }))
            .await
            .unwrap();
    }
    let mut sum = Projector::<Sum>::in_memory(&store);
    sum.catch_up().await.unwrap();
    let stood = sum.position();
    assert_eq!((sum.sum, stood), (3, store.head().await.unwrap()));
    cluster.restart(Stop::Kill);

    let died = sum.catch_up().await.unwrap_err();
    let FollowError::AheadOfLog { position, head, .. } = &died else {
        panic!("{died:?}")
    };
    assert_eq!((*position, *head), (stood, Position(1)));
    sum.rebuild().await.unwrap();
    assert_eq!((sum.sum, sum.position()), (0, Position(1)));
}
