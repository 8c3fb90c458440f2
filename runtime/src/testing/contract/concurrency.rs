//! Many writers and readers at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{event, events, places, stream};
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
                match racer.await.unwrap() {
                    Ok(appended) => {
                        assert_eq!(appended.version(), Version(round + 1));
                        winners += 1;
                    }
                    Err(AppendError::Conflict { actual, .. }) => assert_eq!(actual, Version(round + 1)),
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(winners, 1);
        }
    }

    async fn versions_are_dense_and_agree_with_positions_whoever_writes(store: Store) {
        let writers: Vec<_> = (0..16).map(|writer: usize| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    let target = stream(&format!("{}", writer % 4));
                    store.append(&target, Expected::Any, events(1 + writer % 3)).await.unwrap();
                }
            })
        }).collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let all = store.read(Query::all()).collect().await.unwrap();
        let mut next = HashMap::new();
        let mut last = Position::START;
        for event in &all {
            assert!(event.position > last);
            last = event.position;
            let version = next.entry(event.stream.clone()).or_insert(0);
            *version += 1;
            assert_eq!(event.version, Version(*version));
        }
        assert_eq!(next.len(), 4);
    }

    async fn within_a_group_each_append_keeps_its_own_outcome(store: Store) {
        store.append(&stream("taken"), Expected::NoStream, events(1)).await.unwrap();
        let known = event("Known");
        store.append(&stream("known"), Expected::Any, [known.clone()]).await.unwrap();
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
            let outcome = append.await.unwrap();
            assert_eq!(outcome.is_ok(), number % 4 > 1, "{number}: {outcome:?}");
        }
        let stats = store.stats().await.unwrap();
        assert_eq!((stats.events, stats.streams), (2 + 60, 2 + 30));
        assert!(!stats.events_by_name.contains_key("First"));
        // Nothing is remembered of what was undone.
        store.append(&stream("half-1"), Expected::NoStream, [event("First"), event("First")]).await.unwrap();
        for (id, name) in [("half-1", "First"), ("good-2", "Good2"), ("good-59", "Good59")] {
            let read = store.read(Query::stream(&stream(id))).collect().await.unwrap();
            assert_eq!(read.iter().map(|event| &*event.name).collect::<Vec<_>>(), [name, name]);
        }
    }

    async fn a_reader_that_goes_on_never_misses_and_never_sees_late(store: Store) {
        let writing = Arc::new(AtomicUsize::new(6));
        let writers: Vec<_> = (0..6).map(|writer: usize| {
            let (store, writing) = (store.clone(), Arc::clone(&writing));
            tokio::spawn(async move {
                for number in 0..40 {
                    let (own, shared) = (stream(&format!("{writer}")), stream(&format!("shared-{}", writer % 2)));
                    let batch = Batch::new()
                        .append(own, Expected::Version(Version(number)), events(1))
                        .append(shared, Expected::Any, events(writer % 3));
                    store.append_batch(batch).await.unwrap();
                    tokio::task::yield_now().await;
                }
                writing.fetch_sub(1, Ordering::Release);
            })
        }).collect();
        let (mut seen, mut last) = (Vec::new(), Position::START);
        loop {
            // Asked before the read, so that the last read sees what the last writer wrote.
            let done = writing.load(Ordering::Acquire) == 0;
            let head = store.head().await.unwrap();
            for event in store.read(Query::all().after(last).page_size(16)).collect().await.unwrap() {
                assert!(event.position > last);
                last = event.position;
                seen.push(event);
            }
            assert!(last >= head, "the head {head} was not read");
            if done {
                break;
            }
            tokio::task::yield_now().await;
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(seen.len(), 6 * 40 + 2 * 40 * (1 + 2));
        assert_eq!(places(&store.read(Query::all()).collect().await.unwrap()), places(&seen));
    }

    async fn a_batch_is_seen_whole_or_not_at_all(store: Store) {
        let writers: Vec<_> = (0..3).map(|writer: usize| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    let batch = Batch::new()
                        .append(stream(&format!("{writer}")), Expected::Any, events(4))
                        .append(stream("all"), Expected::Any, events(3));
                    store.append_batch(batch).await.unwrap();
                }
            })
        }).collect();
        loop {
            let done = writers.iter().all(tokio::task::JoinHandle::is_finished);
            // One page, hence one moment.
            assert_eq!(store.read(Query::all()).collect().await.unwrap().len() % 7, 0);
            assert_eq!(store.version(&stream("all")).await.unwrap().0 % 3, 0);
            assert_eq!(store.stats().await.unwrap().events % 7, 0);
            if done {
                break;
            }
            tokio::task::yield_now().await;
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(store.stats().await.unwrap().events, 3 * 20 * 7);
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
                match append.await.unwrap() {
                    Ok(_) => accepted += 1,
                    Err(AppendError::Conflict { expected: Expected::NoStream, actual: Version(1), .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(accepted, 1);
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
                    store.append_batch(batch).await.unwrap();
                }
            })
        }).collect();
        for writer in writers {
            writer.await.unwrap();
        }
        for name in names {
            assert_eq!(store.version(&stream(name)).await.unwrap(), Version(6 * 15));
        }
    }
}
