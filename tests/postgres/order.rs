//! No reader skips an event: each schedule is one that loses some when the order is kept in a wrong way.

use recount::Store;
use recount::log::{Expected, Position};
use tokio_postgres::Client;

use crate::server::Schema;
use crate::{event, seen, stream};

/// By hand, as another program would: an event of a stream of its own, whose kind is there already.
const BY_HAND: &str = "INSERT INTO events
        (stream, version, recorded_at, kind, tenant, batch_left, event_id, batch, stream_id, payload)
    SELECT stream('account', id), 1, 0, (SELECT kind FROM kinds WHERE name = 'ByHand'), 0, 0, gen_random_uuid(),
           gen_random_uuid(), id, '{}'
    FROM (SELECT 'by hand ' || gen_random_uuid() AS id) AS new";

/// As the store does it: an event of a stream of its own.
const APPEND: &str = "SELECT append(ARRAY[gen_random_uuid()], '{1}', '{0}', '{0}', ARRAY[
    ROW(1, 1, 0, 1, 0, 0, gen_random_uuid(), gen_random_uuid(), 'new', NULL, '{}')::new_event])";

/// A log that knows the kind of the events that are inserted by hand, and has no event.
async fn empty() -> Option<(Store, Client, Schema)> {
    let schema = Schema::new().await?;
    let store = schema.open().await;
    let client = schema.client().await;
    let kind = "INSERT INTO kinds (tenant, category, name, schema_version) VALUES (0, 'account', 'ByHand', 1)";
    client.batch_execute(kind).await.unwrap();
    Some((store, client, schema))
}

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap();
}

async fn append(store: &Store, name: &'static str) -> Position {
    let target = stream(name);
    let appended = store.append(&target, Expected::Any, [event(name)]);
    appended.await.unwrap().position
}

#[tokio::test]
async fn the_first_append_ever_is_waited_for_while_it_is_open() {
    let Some((store, client, _schema)) = empty().await else {
        return;
    };
    run(&client, "BEGIN").await;
    run(&client, BY_HAND).await;
    append(&store, "Second").await;
    assert!(seen(&store).await.is_empty());
    assert_eq!(store.head().await.unwrap(), Position::START);
    run(&client, "COMMIT").await;
    assert_eq!(seen(&store).await, ["ByHand", "Second"]);
}

#[tokio::test]
async fn an_append_that_is_open_holds_the_frontier_below_it_whatever_else_commits() {
    let Some((store, client, schema)) = empty().await else {
        return;
    };
    let first = append(&store, "First").await;
    run(&client, "BEGIN").await;
    run(&client, BY_HAND).await;
    // Another one begins and ends meanwhile.
    let other = schema.client().await;
    for _ in 0..3 {
        append(&store, "Later").await;
        run(&other, BY_HAND).await;
        assert_eq!(seen(&store).await, ["First"]);
        assert_eq!(store.head().await.unwrap(), first);
    }
    // What is not about the order of the log does not wait.
    assert_eq!(store.version(&stream("Later")).await.unwrap().0, 3);
    run(&client, "COMMIT").await;
    let all = [
        "First", "ByHand", "Later", "ByHand", "Later", "ByHand", "Later", "ByHand",
    ];
    assert_eq!(seen(&store).await, all);
}

#[tokio::test]
async fn an_append_that_is_undone_is_waited_for_no_longer() {
    let Some((store, client, _schema)) = empty().await else {
        return;
    };
    run(&client, "BEGIN").await;
    run(&client, BY_HAND).await;
    append(&store, "Later").await;
    assert!(seen(&store).await.is_empty());
    run(&client, "ROLLBACK").await;
    assert_eq!(seen(&store).await, ["Later"]);
}

#[tokio::test]
async fn an_append_after_a_savepoint_was_undone_is_waited_for_all_the_same() {
    let Some((store, client, _schema)) = empty().await else {
        return;
    };
    run(&client, "BEGIN; SAVEPOINT one").await;
    run(&client, BY_HAND).await;
    run(&client, "ROLLBACK TO one").await;
    append(&store, "Between").await;
    assert_eq!(seen(&store).await, ["Between"]);
    run(&client, BY_HAND).await;
    append(&store, "Later").await;
    assert_eq!(seen(&store).await, ["Between"]);
    run(&client, "COMMIT").await;
    assert_eq!(seen(&store).await, ["Between", "ByHand", "Later"]);
}

#[tokio::test]
async fn an_unrelated_open_transaction_delays_nobody() {
    let Some((store, client, _schema)) = empty().await else {
        return;
    };
    run(
        &client,
        "BEGIN; CREATE TEMP TABLE unrelated (a int); INSERT INTO unrelated VALUES (1)",
    )
    .await;
    // It holds advisory locks too, shared ones, whose keys are others.
    run(
        &client,
        "SELECT pg_advisory_xact_lock_shared(0), pg_advisory_xact_lock_shared(1, 1)",
    )
    .await;
    let position = append(&store, "First").await;
    assert_eq!(seen(&store).await, ["First"]);
    assert_eq!(store.head().await.unwrap(), position);
}

#[tokio::test]
async fn an_open_append_of_one_log_does_not_delay_another_of_the_same_database() {
    let Some((store, client, _schema)) = empty().await else {
        return;
    };
    let Some((beside, _, _beside)) = empty().await else {
        return;
    };
    run(&client, "BEGIN").await;
    run(&client, BY_HAND).await;
    append(&store, "Held").await;
    append(&beside, "Free").await;
    assert!(seen(&store).await.is_empty());
    assert_eq!(seen(&beside).await, ["Free"]);
}

#[tokio::test]
async fn rows_that_are_copied_in_take_part_in_the_order() {
    let Some((store, client, _schema)) = empty().await else {
        return;
    };
    run(
        &client,
        "BEGIN; CREATE TEMP TABLE copied ON COMMIT DROP AS SELECT 1",
    )
    .await;
    let columns = "stream, version, recorded_at, kind, tenant, batch_left, event_id, batch, stream_id, payload";
    let copy = format!("COPY events ({columns}) FROM STDIN");
    let sink = client.copy_in::<_, bytes::Bytes>(&copy).await.unwrap();
    let kind: i32 = 1;
    let row = format!(
        "{0}\t1\t0\t{kind}\t0\t0\t{0}\t{0}\tcopied\t{{}}\n",
        uuid::Uuid::now_v7()
    );
    let mut sink = std::pin::pin!(sink);
    futures_util::SinkExt::send(&mut sink, row.into())
        .await
        .unwrap();
    sink.finish().await.unwrap();
    append(&store, "Later").await;
    assert!(seen(&store).await.is_empty());
    run(&client, "COMMIT").await;
    assert_eq!(seen(&store).await, ["ByHand", "Later"]);
}

#[tokio::test]
async fn another_isolation_level_is_refused_to_readers_and_to_writers() {
    let Some((_store, client, _schema)) = empty().await else {
        return;
    };
    for call in [
        "SELECT frontier(0)",
        "SELECT head(NULL)",
        "SELECT append('{}', '{}', '{}', '{}', '{}')",
    ] {
        for level in ["REPEATABLE READ", "SERIALIZABLE"] {
            run(&client, &format!("BEGIN ISOLATION LEVEL {level}")).await;
            let refused = client.batch_execute(call).await.unwrap_err();
            let refused = refused.as_db_error().unwrap().message().to_owned();
            assert!(
                refused.contains("needs the isolation level READ COMMITTED"),
                "{refused}"
            );
            run(&client, "ROLLBACK").await;
        }
    }
}

#[tokio::test]
async fn a_sequence_that_is_cached_is_found_out_before_anything_is_written() {
    let Some((_store, client, schema)) = empty().await else {
        return;
    };
    run(&client, "ALTER SEQUENCE positions CACHE 20").await;
    let other = schema.client().await;
    run(&client, APPEND).await;
    run(&other, APPEND).await;
    let refused = client.batch_execute(APPEND).await.unwrap_err();
    let refused = refused.as_db_error().unwrap().message().to_owned();
    assert!(refused.contains("must not be cached or set"), "{refused}");
    // Whoever was refused has left the gate open.
    run(&client, "ALTER SEQUENCE positions CACHE 1").await;
    let third = schema.client().await;
    run(&third, "SET lock_timeout = '10s'").await;
    run(&third, APPEND).await;
}

#[tokio::test]
async fn nobody_looks_how_far_positions_are_drawn_while_some_are_being_drawn() {
    let Some((store, client, schema)) = empty().await else {
        return;
    };
    let other = schema.client().await;
    run(&other, "SELECT pg_advisory_lock(order_gate())").await;
    run(&client, "SET lock_timeout = '20ms'").await;
    for call in ["SELECT frontier(0)", APPEND] {
        let refused = client.batch_execute(call).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "55P03", "{refused}");
    }
    run(&other, "SELECT pg_advisory_unlock(order_gate())").await;
    // Who gave up holds nothing.
    append(&store, "Later").await;
    assert_eq!(seen(&store).await, ["Later"]);
}

#[tokio::test]
async fn who_takes_a_place_while_a_reader_looks_is_waited_for() {
    let Some((_store, client, schema)) = empty().await else {
        return;
    };
    let (reader, watcher) = (schema.client().await, schema.client().await);
    let pid: i32 = reader
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    // The reader stands at the gate, before it knows how far positions are drawn.
    run(&client, "SELECT pg_advisory_lock(order_gate())").await;
    let looking = tokio::spawn(async move {
        reader
            .query_one("SELECT frontier FROM frontier(0)", &[])
            .await
    });
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)";
    while !watcher
        .query_one(waits, &[&pid])
        .await
        .unwrap()
        .get::<_, bool>(0)
    {}
    // Whoever looked for open appends by now would know nothing of this one.
    run(&client, "BEGIN").await;
    run(&client, BY_HAND).await;
    run(&client, "SELECT pg_advisory_unlock(order_gate())").await;
    assert_eq!(looking.await.unwrap().unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn rows_of_the_log_are_neither_updated_nor_deleted() {
    let Some((store, client, _schema)) = empty().await else {
        return;
    };
    append(&store, "First").await;
    for sql in [
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events",
        "TRUNCATE events",
        "UPDATE kinds SET name = 'Other'",
        "DELETE FROM kinds",
        "DELETE FROM tenants",
    ] {
        let refused = client.batch_execute(sql).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "23001", "{sql}: {refused}");
    }
    assert_eq!(seen(&store).await, ["First"]);
}
