//! Wherever an append or a reader stands, nothing is lost: the log's functions stop after each of their statements, one after the
//! other, while others append and read.

use std::sync::Arc;

use futures_util::FutureExt as _;
use recount::Store;
use recount::log::{AppendError, Batch, Expected, Position, Query, Version};
use tokio_postgres::Client;

use crate::scene::{BY_HAND, Control, append, empty, insert, one, positions, run};
use crate::server::Schema;
use crate::{event, stream};

/// What a reader may see after a position.
async fn after(store: &Store, position: i64) -> Vec<i64> {
    let from = Position(position.cast_unsigned());
    let events = store.read(Query::all().after(from)).collect().await;
    let events = events.unwrap().into_iter();
    events.map(|event| event.position.0.cast_signed()).collect()
}

#[tokio::test]
async fn wherever_a_reader_stands_it_skips_nothing_that_begins_or_ends_meanwhile() {
    let Some((_, client, schema)) = empty().await else {
        return;
    };
    let control = Control::new(&schema).await;
    let (store, other) = (schema.open().await, schema.client().await);
    let mut all = Vec::new();
    let mut seen: Vec<i64> = Vec::new();
    for place in 1..=control.add_pauses("frontier", 1).await {
        for open in [true, false] {
            // One that is open before, one that begins meanwhile, and some that are open whenever nobody looks.
            if open {
                run(&client, "BEGIN").await;
                all.push(insert(&client).await);
            }
            all.push(insert(&other).await);
            control.stop_at(place).await;
            let (reader, from) = (store.clone(), seen.last().copied().unwrap_or(0));
            let reading = tokio::spawn(async move { after(&reader, from).await });
            let stopped = control.comes_to(place, &reading).await;
            assert!(stopped || place > 1, "the frontier is looked for");
            if open {
                run(&client, "COMMIT").await;
            }
            run(&client, "BEGIN").await;
            all.push(insert(&client).await);
            all.push(insert(&other).await);
            control.go_on_from(place).await;
            seen.extend(reading.await.unwrap());
            run(&client, "COMMIT").await;
            seen.extend(after(&store, seen.last().copied().unwrap_or(0)).await);
            assert_eq!(seen, all, "stopped at {place}, {open}");
        }
    }
}

/// How events come into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Several of them through a store.
    Batch,
    /// One through a store that knows its stream.
    One,
    ByHand,
}

/// The functions that an append may use.
const WRITING: &str = "SELECT proname::text FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
    WHERE p.pronamespace = current_schema()::regnamespace AND l.lanname = 'plpgsql' AND p.provolatile = 'v'
      AND p.proname NOT IN ('frontier', 'head', 'last_drawn', 'check_isolation', 'refuse', 'pause')
    ORDER BY 1";

/// A log in which an append stops at any of so many places, the last of which is where it knows its place and has not taken it.
async fn with_pauses() -> Option<(Client, Schema, Control, i32)> {
    let (_, client, schema) = empty().await?;
    let control = Control::new(&schema).await;
    let mut places = 0;
    for row in client.query(WRITING, &[]).await.unwrap() {
        places += control.add_pauses(row.get(0), places + 1).await;
    }
    places += 1;
    control.add_pause_before_places(places).await;
    Some((client, schema, control, places))
}

#[tokio::test]
async fn wherever_an_append_stands_readers_wait_for_it_and_skip_nothing() {
    let Some((client, schema, control, places)) = with_pauses().await else {
        return;
    };
    let (writer, by_hand) = (schema.open().await, Arc::new(schema.client().await));
    let other = control.free_store(&schema).await;
    let reader = control.free_store(&schema).await;
    // Everybody's statements are prepared.
    for store in [&writer, &other, &reader] {
        append(store, "Own").await;
        after(store, 0).await;
    }
    let mut seen = after(&reader, 0).await;
    let mut stops = 0;
    for place in 1..=places {
        for way in [Way::Batch, Way::One, Way::ByHand] {
            let version = writer.version(&stream("Own")).await.unwrap();
            control.stop_at(place).await;
            let (store, inserter) = (writer.clone(), Arc::clone(&by_hand));
            let stopped = tokio::spawn(async move {
                match way {
                    Way::Batch => {
                        let batch = Batch::new()
                            .append(stream("Own"), Expected::Any, [event("Own"), event("Own")])
                            .append(stream("Shared"), Expected::Any, [event("Own")]);
                        store.append_batch(batch).await.unwrap();
                    }
                    Way::One => append_one(&store, version).await,
                    Way::ByHand => {
                        run(&inserter, "BEGIN").await;
                        run(&inserter, BY_HAND).await;
                        run(&inserter, BY_HAND).await;
                        run(&inserter, "COMMIT").await;
                    }
                }
            });
            let has_stopped = control.comes_to(place, &stopped).await;
            assert!(has_stopped || place < places, "{way:?} takes a place");
            stops += u32::from(has_stopped);
            // Others append beside it, unless it keeps them from drawing, and then somebody looks.
            let (store, inserter) = (other.clone(), control.free_client(&schema).await);
            let beside = tokio::spawn(async move {
                insert(&inserter).await;
                append(&store, "Other").await;
            });
            control.ends_or_waits(&beside).await;
            let (store, from) = (reader.clone(), seen.last().copied().unwrap_or(0));
            let reading = tokio::spawn(async move { after(&store, from).await });
            control.ends_or_waits(&reading).await;
            control.go_on_from(place).await;
            for task in [stopped, beside] {
                task.await.unwrap();
            }
            seen.extend(reading.await.unwrap());
            seen.extend(after(&reader, seen.last().copied().unwrap_or(0)).await);
            let all = positions(&client, "SELECT position FROM events ORDER BY 1").await;
            assert_eq!(seen, all, "{way:?} stopped at {place}");
        }
    }
    println!("{stops} stops at {places} places, {} events", seen.len());
    // Most places are on the way of an append; some are only for conflicts and repetitions.
    assert!(stops >= 20, "{stops} of {places}");
    assert_eq!(
        one::<i64>(&client, "SELECT count(*) FROM events").await,
        i64::try_from(seen.len()).unwrap()
    );
}

/// Appends in one statement, behind a version that the store has seen.
async fn append_one(store: &Store, version: Version) {
    let (own, expected) = (stream("Own"), Expected::Version(version));
    store.append(&own, expected, [event("Own")]).await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_log_never_goes_back_wherever_an_append_stands() {
    let Some((_client, schema, control, places)) = with_pauses().await else {
        return;
    };
    let (writer, store) = (schema.open().await, control.free_store(&schema).await);
    append(&writer, "Own").await;
    let mut stops = 0;
    // And with its place, before it ends.
    let holding = places + 1;
    control.add_pause_of_rows(holding).await;
    for place in 1..=places {
        for way in [Way::One, Way::ByHand] {
            let (inserter, writer) = (schema.client().await, writer.clone());
            let version = writer.version(&stream("Own")).await.unwrap();
            control.stop_at(place).await;
            control.stop_at(holding).await;
            let stopped = tokio::spawn(async move {
                match way {
                    Way::ByHand => drop(insert(&inserter).await),
                    _ => append_one(&writer, version).await,
                }
            });
            let stands = control.comes_to_one_of([place, holding]).await;
            stops += u32::from(stands == place);
            assert!(stands == place || place < places, "{way:?} takes a place");
            // Others append, and somebody sees it.
            let beside = control.free_client(&schema).await;
            let beside = tokio::spawn(async move { insert(&beside).await });
            control.ends_or_waits(&beside).await;
            let looking = tokio::spawn({
                let store = store.clone();
                async move { store.head().await.unwrap() }
            });
            control.ends_or_waits(&looking).await;
            control.go_on_from(place).await;
            control.stand_at(holding, 1).await;
            let (before, after) = (looking.await.unwrap(), store.head().await.unwrap());
            assert!(
                before <= after,
                "{before} and then {after}, {way:?} stopped at {place}"
            );
            control.go_on_from(holding).await;
            stopped.await.unwrap();
            beside.await.unwrap();
        }
    }
    assert!(stops >= 4, "{stops} of {places}");
}

#[tokio::test]
async fn a_conflict_names_a_version_that_the_stream_had_although_others_were_before_it_in_the_queue()
 {
    let Some((_, _, schema)) = empty().await else {
        return;
    };
    let control = Control::new(&schema).await;
    let store = schema.open().await;
    append(&store, "Known").await;
    // Behind the last statement nobody comes any more: it returns.
    let last = control.add_pauses("append", 1).await - 1;
    // Two wait while a third one is being written: one that takes the stream as it is, and one that does not fit before or behind.
    control.stop_at(last).await;
    let first = tokio::spawn({
        let store = store.clone();
        async move { append(&store, "Known").await }
    });
    assert!(control.comes_to(last, &first).await);
    let batch = |expected, count: usize| {
        let events = (0..count).map(|_| event("Known")).collect::<Vec<_>>();
        Batch::new().append(stream("new"), expected, events)
    };
    let waiting = [
        batch(Expected::Any, 3),
        batch(Expected::Version(Version(10)), 1),
    ];
    let waiting = waiting.map(|batch| {
        let store = store.clone();
        let mut outcome = Box::pin(async move { store.append_batch(batch).await });
        // Asked once, it stands in the queue.
        assert!(outcome.as_mut().now_or_never().is_none());
        tokio::spawn(outcome)
    });
    control.stop_at(last - 1).await;
    control.go_on_from(last).await;
    first.await.unwrap();
    // The one that fits is all but written when its connection ends.
    let [fits, misfit] = waiting;
    assert!(control.comes_to(last - 1, &fits).await);
    control.end_those_at(last - 1).await;
    control.go_on_from(last - 1).await;
    let unknown = fits.await.unwrap().unwrap_err();
    assert!(
        matches!(unknown, AppendError::Unknown { .. }),
        "{unknown:?}"
    );
    // On the same connection it may be told nothing; but if it is a conflict, then with what is there.
    let there = store.version(&stream("new")).await.unwrap();
    assert_eq!(there, Version(0));
    match misfit.await.unwrap().unwrap_err() {
        AppendError::Conflict { actual, .. } => assert_eq!(actual, there),
        AppendError::Unknown { .. } | AppendError::Unavailable { .. } => {}
        error => panic!("{error:?}"),
    }
}
