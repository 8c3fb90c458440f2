//! Many writers and readers at once.

use std::collections::HashMap;

use super::verdict::{Answer, otherwise, same, same_events};
use super::{event, events, joined, stream};
use crate::log::{AppendError, Batch, Expected, NewEvent, Position, Query, Version};

cases! {
    concurrency as __store_contract_concurrency;

    async fn of_racing_writers_exactly_one_wins_each_version(store: Store) {
        for round in 0..20 {
            let racers: Vec<_> = (0..8).map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.append(&stream("a"), Expected::Version(Version(round)), events(1)).await })
            }).collect();
            let mut winners = 0;
            for racer in racers {
                match joined(racer).await {
                    Ok(appended) => {
                        same("the winner wrote the next version", appended.version(), Version(round + 1));
                        winners += 1;
                    }
                    Err(AppendError::Conflict { actual, .. }) => {
                        same("who lost is told the winner's version", actual, Version(round + 1));
                    }
                    Err(error) => otherwise("a conflict", "another wrote the version", &error),
                }
            }
            same(format!("of eight writers that expect version {round} exactly one wins"), winners, 1);
        }
    }

    async fn versions_are_dense_and_agree_with_positions_whoever_writes(store: Store) {
        let writers: Vec<_> = (0..16).map(|writer: usize| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    let target = stream(&format!("{}", writer % 4));
                    store.append(&target, Expected::Any, events(1 + writer % 3)).await.succeeds();
                }
            })
        }).collect();
        for writer in writers {
            joined(writer).await;
        }
        let all = store.read(Query::all()).collect().await.succeeds();
        let mut next = HashMap::new();
        let mut last = Position::START;
        for event in &all {
            assert!(event.position > last, "positions rise, but {} was read after {last}", event.position);
            last = event.position;
            let version = next.entry(event.stream.clone()).or_insert(0);
            *version += 1;
            same(format!("the versions of {} are 1, 2, 3, … in the order of the log", event.stream), event.version, Version(*version));
        }
        same("each stream that was written is in the log", next.len(), 4);
    }

    async fn within_a_group_each_append_keeps_its_own_outcome(store: Store) {
        store.append(&stream("taken"), Expected::NoStream, events(1)).await.succeeds();
        let known = event("Known");
        store.append(&stream("known"), Expected::Any, [known.clone()]).await.succeeds();
        let new = |number: usize| NewEvent::json(format!("Good{number}"), 1, &number).unwrap();
        let appends: Vec<_> = (0..60).map(|number| {
            let (target, batch) = match number % 4 {
                0 => (stream("taken"), events(2)),
                // Fails after its first event was written.
                1 => (stream(&format!("half-{number}")), vec![event("First"), known.clone()]),
                _ => (stream(&format!("good-{number}")), vec![new(number), new(number)]),
            };
            let store = store.clone();
            tokio::spawn(async move { store.append(&target, Expected::NoStream, batch).await })
        }).collect();
        for (number, append) in appends.into_iter().enumerate() {
            match (number % 4, joined(append).await) {
                (0, outcome) => drop(outcome.fails("its stream has an event")),
                (1, outcome) => drop(outcome.fails("its second event is known")),
                (_, outcome) => drop(outcome.succeeds()),
            }
        }
        let stats = store.stats().await.succeeds();
        same("all that was accepted is there, and nothing else", (stats.events, stats.streams), (2 + 60, 2 + 30));
        same("nothing is there of a batch whose later event was refused", stats.events_by_name.get("First"), None);
        // Nothing is remembered of what was undone.
        store.append(&stream("half-1"), Expected::NoStream, [event("First"), event("First")]).await.succeeds();
        for (id, name) in [("half-1", "First"), ("good-2", "Good2"), ("good-59", "Good59")] {
            let read = store.read(Query::stream(&stream(id))).collect().await.succeeds();
            let names: Vec<_> = read.iter().map(|event| &*event.name).collect();
            same(format!("stream {id} has the events that were accepted for it"), names, [name, name]);
        }
    }

    async fn a_reader_that_goes_on_never_misses_and_never_sees_late(store: Store) {
        let writers: Vec<_> = (0..6).map(|writer: usize| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..40 {
                    let (own, shared) = (stream(&format!("{writer}")), stream(&format!("shared-{}", writer % 2)));
                    let batch = Batch::new()
                        .append(own, Expected::Version(Version(number)), events(1))
                        .append(shared, Expected::Any, events(writer % 3));
                    store.append_batch(batch).await.succeeds();
                    tokio::task::yield_now().await;
                }
            })
        }).collect();
        let (mut seen, mut last) = (Vec::new(), Position::START);
        loop {
            // Asked before the read, so that the last read sees what the last writer wrote.
            let done = writers.iter().all(tokio::task::JoinHandle::is_finished);
            let head = store.head().await.succeeds();
            for event in store.read(Query::all().after(last).page_size(16)).collect().await.succeeds() {
                assert!(event.position > last, "a read after {last} returned position {}, but positions rise", event.position);
                last = event.position;
                seen.push(event);
            }
            assert!(last >= head, "a read that began when the head was {head} ended at {last}, but should have come so far");
            if done {
                break;
            }
            tokio::task::yield_now().await;
        }
        for writer in writers {
            joined(writer).await;
        }
        let all = store.read(Query::all()).collect().await.succeeds();
        same_events("a reader that goes on by position sees each event once", &seen, &all);
        same("all that was appended is read", all.len(), 6 * 40 + 2 * 40 * (1 + 2));
    }

    async fn a_batch_is_seen_whole_or_not_at_all(store: Store) {
        let writers: Vec<_> = (0..3).map(|writer: usize| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    let batch = Batch::new()
                        .append(stream(&format!("{writer}")), Expected::Any, events(4))
                        .append(stream("all"), Expected::Any, events(3));
                    store.append_batch(batch).await.succeeds();
                }
            })
        }).collect();
        let whole = |what: &str, count: u64, of: u64| {
            assert!(count.is_multiple_of(of), "{what} saw {count} events, which is no multiple of {of}, but each batch has {of} and is seen whole or not at all");
        };
        loop {
            let done = writers.iter().all(tokio::task::JoinHandle::is_finished);
            // One page, hence one moment.
            let read = store.read(Query::all()).collect().await.succeeds();
            whole("a read", read.len() as u64, 7);
            whole("a stream's version", store.version(&stream("all")).await.succeeds().0, 3);
            whole("the statistics", store.stats().await.succeeds().events, 7);
            if done {
                break;
            }
            tokio::task::yield_now().await;
        }
        for writer in writers {
            joined(writer).await;
        }
        same("all that was appended is there", store.stats().await.succeeds().events, 3 * 20 * 7);
    }

    async fn of_two_that_check_what_the_other_writes_one_is_refused(store: Store) {
        for round in 0..30 {
            let names = [format!("left-{round}"), format!("right-{round}")];
            let appends: Vec<_> = [(0, 1), (1, 0)].into_iter().map(|(own, other)| {
                let (store, own, other) = (store.clone(), stream(&names[own]), stream(&names[other]));
                tokio::spawn(async move {
                    let batch = Batch::new().check(other, Expected::NoStream).append(own, Expected::NoStream, events(1));
                    store.append_batch(batch).await
                })
            }).collect();
            let mut accepted = 0;
            for append in appends {
                match joined(append).await {
                    Ok(_) => accepted += 1,
                    Err(AppendError::Conflict { expected, actual, .. }) => {
                        same("who lost is told of the other's event", (expected, actual), (Expected::NoStream, Version(1)));
                    }
                    Err(error) => otherwise("a conflict", "the other wrote what it checks", &error),
                }
            }
            same("of two that check what the other writes exactly one is accepted", accepted, 1);
        }
    }

    async fn batches_over_the_same_streams_in_any_order_all_come_through(store: Store) {
        let names = ["a", "b", "c"];
        let writers: Vec<_> = (0..6).map(|writer: usize| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..15 {
                    let mut batch = Batch::new();
                    for part in 0..names.len() {
                        let turned = if writer < 3 { part } else { names.len() - 1 - part };
                        batch = batch.append(stream(names[(turned + round) % names.len()]), Expected::Any, events(1));
                    }
                    store.append_batch(batch).await.succeeds();
                }
            })
        }).collect();
        for writer in writers {
            joined(writer).await;
        }
        for name in names {
            same(format!("all that was appended to {name} is there"), store.version(&stream(name)).await.succeeds(), Version(6 * 15));
        }
    }
}
