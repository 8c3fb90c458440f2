//! No reader skips an event: each schedule is one that loses some when the order is kept in a wrong way.

use recount::log::{Batch, Expected, Position, Query};

use crate::scene::{BY_HAND, Control, append, empty, insert, one, positions, run, until};
use crate::{event, seen, stream};

/// As the store does it: an event of a stream of its own.
const APPEND: &str = "SELECT append(ARRAY[gen_random_uuid()], '{1}', '{0}', '{0}', ARRAY[
    ROW(1, 1, 0, 1, 0, 0, gen_random_uuid(), gen_random_uuid(), 'new', NULL, '{}')::new_event])";

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

#[tokio::test]
async fn appends_that_are_cancelled_again_and_again_leave_the_gate_open() {
    let Some((_store, client, schema)) = empty().await else {
        return;
    };
    let cancelled = schema.client().await;
    let pid: i32 = one(&cancelled, "SELECT pg_backend_pid()").await;
    // Twice within microseconds, now and then.
    let storm = format!(
        "DO $$
         DECLARE
             ending CONSTANT timestamptz := clock_timestamp() + interval '3 s';
         BEGIN
             WHILE clock_timestamp() < ending LOOP
                 PERFORM pg_cancel_backend({pid}) FROM generate_series(1, 40);
                 PERFORM pg_sleep(0.0003);
             END LOOP;
         END $$"
    );
    let storms = [schema.client().await, schema.client().await].map(|client| {
        let storm = storm.clone();
        tokio::spawn(async move { run(&client, &storm).await })
    });
    let one_event =
        "ROW(1, 1, 0, 1, 0, 0, gen_random_uuid(), gen_random_uuid(), 'new', NULL, '{}')";
    let two_events = format!(
        "{one_event}::new_event, {}",
        one_event.replacen("1, 1", "1, 2", 1)
    );
    let append_two = APPEND.replace(
        &format!("{one_event}::new_event"),
        &format!("{two_events}::new_event"),
    );
    let mut counts = (0, 0);
    while !storms.iter().all(tokio::task::JoinHandle::is_finished) {
        match cancelled.batch_execute(&append_two).await {
            Ok(()) => counts.0 += 1,
            Err(error) if error.code().is_some_and(|code| code.code() == "57014") => counts.1 += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    for storm in storms {
        storm.await.unwrap();
    }
    println!("{} appended, {} cancelled", counts.0, counts.1);
    run(&client, "SET lock_timeout = '1s'").await;
    run(&client, &append_two).await;
    run(&client, "SELECT frontier(0)").await;
    assert!(counts.1 > 10, "{counts:?}");
}

/// Begins a batch of two as a store does, and has drawn the first of its positions.
const HALF_DRAWN: &str = "BEGIN; SELECT pg_advisory_xact_lock_shared(order_entry());
    SELECT keep_place(coalesce(pg_sequence_last_value('positions'), 0)); SELECT pg_advisory_lock(order_gate());
    SELECT nextval('positions')";

/// Draws the second, and writes both.
const DRAWN_AND_WRITTEN: &str = "WITH drawn AS (
        SELECT nextval('positions') - 1 AS position, pg_advisory_unlock(order_gate())
    )
    INSERT INTO events (position, stream, version, recorded_at, kind, tenant, batch_left, event_id, batch, stream_id, payload)
    SELECT position + n, gen_random_uuid(), 1, 0, 1, 0, 1 - n, gen_random_uuid(), gen_random_uuid(), '', '{}'
    FROM drawn, generate_series(0, 1) AS n
    RETURNING position";

#[tokio::test]
async fn a_batch_is_seen_whole_while_an_append_is_open_that_began_when_half_of_it_was_drawn() {
    let Some((_, client, schema)) = empty().await else {
        return;
    };
    let control = Control::new(&schema).await;
    control.add_pause_of_rows(1).await;
    let (batch, store) = (control.free_client(&schema).await, schema.open().await);
    append(&store, "Known").await;
    for way in ["one", "several", "by hand"] {
        control.stop_at(1).await;
        run(&batch, HALF_DRAWN).await;
        let (store, inserter) = (store.clone(), schema.client().await);
        let meanwhile = tokio::spawn(async move {
            let target = stream(way);
            match way {
                "one" => {
                    let appended = store.append(&target, Expected::NoStream, [event("Known")]);
                    drop(appended.await.unwrap());
                }
                "several" => {
                    let events = [event("Known"), event("Known")];
                    let batch = Batch::new().append(target, Expected::NoStream, events);
                    drop(store.append_batch(batch).await.unwrap());
                }
                _ => drop(insert(&inserter).await),
            }
        });
        let waits =
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                AND order_number() IN (classid::bigint, classid::bigint >> 16))";
        until("it waits", async || one(&client, waits).await).await;
        let drawn = positions(&batch, DRAWN_AND_WRITTEN).await;
        run(&batch, "COMMIT").await;
        control.stand_at(1, 1).await;
        let reached: i64 = one(&client, "SELECT frontier FROM frontier(0)").await;
        control.go_on_from(1).await;
        meanwhile.await.unwrap();
        let seen = drawn.iter().filter(|position| **position <= reached);
        assert_eq!(seen.count(), 2, "{way}: {drawn:?} up to {reached}");
    }
}

#[tokio::test]
async fn an_event_of_a_kind_that_was_made_by_hand_is_found_by_its_name_whatever_kinds_were_made_meanwhile()
 {
    let Some((_, client, schema)) = empty().await else {
        return;
    };
    let control = Control::new(&schema).await;
    let (store, reader) = (
        control.free_store(&schema).await,
        control.free_store(&schema).await,
    );
    run(
        &client,
        "BEGIN; INSERT INTO kinds (tenant, category, name, schema_version) VALUES (0, 'account', 'Slow', 1)",
    )
    .await;
    let other = tokio::spawn(async move { append(&store, "Other").await });
    control.ends_or_waits(&other).await;
    // It knows all kinds that it can see.
    seen(&reader).await;
    run(&client, &BY_HAND.replace("ByHand", "Slow")).await;
    run(&client, "COMMIT").await;
    other.await.unwrap();
    let slow = Query::all().category("account").names(["Slow"]);
    assert_eq!(reader.read(slow).collect().await.unwrap().len(), 1);
}
