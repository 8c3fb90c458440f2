//! Waking whoever watches the log.

use std::future::Future;
use std::time::Duration;

use super::verdict::{Answer, same};
use super::{event, events, joined, not_waited_for, stream};
use crate::Store;
use crate::log::{Batch, Expected, Position, Query};
use crate::store::Watch;

/// How long a store may take to wake: far longer than one that polls takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(3);

/// What should happen soon.
async fn soon<T>(promise: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("the store does not keep this: {promise}\n   found: nothing happened within {PATIENCE:?}"))
}

/// Waits until a reader that is only woken by its watch has seen so many events.
async fn follow(store: &Store, watch: &mut Watch, events: usize) {
    let (mut seen, mut last) = (0, Position::START);
    loop {
        let new = store
            .read(Query::all().after(last))
            .collect()
            .await
            .succeeds();
        seen += new.len();
        last = new.last().map_or(last, |event| event.position);
        if seen >= events {
            same("a reader that is woken sees each event once", seen, events);
            return;
        }
        watch.changed().await;
    }
}

cases! {
    watch as __store_contract_watch;

    async fn whoever_waits_is_woken_by_an_append_through_any_handle(store: Store) {
        for round in 1..=3 {
            let (reader, mut watch) = (store.clone(), store.watch());
            let waiting = tokio::spawn(async move { follow(&reader, &mut watch, round).await });
            // Of another handle, by another task, into several streams.
            let (writer, target) = (store.clone(), format!("{round}"));
            let batch = Batch::new().check(stream("other"), Expected::NoStream).append(stream(&target), Expected::Any, events(1));
            joined(tokio::spawn(async move { writer.append_batch(batch).await.succeeds() })).await;
            soon("an append wakes whoever watches", joined(waiting)).await;
        }
    }

    async fn an_append_between_making_a_watch_and_waiting_wakes(store: Store) {
        for _ in 0..10 {
            let mut watch = store.watch();
            store.append(&stream("a"), Expected::Any, events(1)).await.succeeds();
            soon("a wait that begins after the append ends", watch.changed()).await;
        }
    }

    async fn a_wait_that_was_dropped_loses_no_wake_up(store: Store) {
        for _ in 0..10 {
            let mut watch = store.watch();
            let mut waiting = Box::pin(watch.changed());
            not_waited_for(&mut waiting).await;
            store.append(&stream("a"), Expected::Any, events(1)).await.succeeds();
            drop(waiting);
            soon("an append during a wait that was dropped ends the next one", watch.changed()).await;
        }
    }

    async fn a_reader_that_is_woken_finds_what_it_was_woken_for(store: Store) {
        let (reader, mut watch) = (store.clone(), store.watch());
        let following = tokio::spawn(async move { follow(&reader, &mut watch, 200).await });
        for number in 0..200 {
            store.append(&stream(&format!("{}", number % 7)), Expected::Any, [event("Counted")]).await.succeeds();
            if number % 3 == 0 {
                tokio::task::yield_now().await;
            }
        }
        soon("a reader that reads on whenever it is woken sees the last event", joined(following)).await;
    }

    async fn who_watches_an_idle_store_sleeps(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(3)).await.succeeds();
        let mut watch = store.watch();
        let mut woken = 0;
        let reading = async {
            loop {
                store.read(Query::all()).collect().await.succeeds();
                store.head().await.succeeds();
                watch.changed().await;
                woken += 1;
            }
        };
        let _: Result<(), _> = tokio::time::timeout(Duration::from_millis(300), reading).await;
        assert!(woken <= 50, "the store does not keep this: who watches an idle store sleeps\n   found: it was woken {woken} times in 300 ms");
    }

    async fn closing_a_store_wakes_whoever_waits(store: Store) {
        let waiting: Vec<_> = (0..3).map(|_| {
            let (reader, mut watch) = (store.clone(), store.watch());
            tokio::spawn(async move {
                while reader.read(Query::all()).collect().await.is_ok() {
                    watch.changed().await;
                }
                // Whoever does not read is not held for ever either.
                watch.changed().await;
                reader.watch().changed().await;
            })
        }).collect();
        let mut idle = store.watch();
        not_waited_for(idle.changed()).await;
        soon("a store that somebody watches is closed", store.clone().close()).await.succeeds();
        for waiting in waiting {
            soon("who waits is told that the store is closed", joined(waiting)).await;
        }
        soon("a wait on a closed store ends", idle.changed()).await;
    }
}
