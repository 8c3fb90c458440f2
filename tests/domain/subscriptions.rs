//! Whoever follows the log is given each event once, in its order, whatever is appended and whatever fails meanwhile.

use std::time::Duration;

use futures_util::FutureExt as _;
use recount::log::{Batch, Expected, NewEvent, Query, ReadError, StreamId, TenantId};
use recount::prelude::*;
use recount::store::Subscription;
use recount::testing::{Fault, Faults, Operation};

use crate::stores::every_store;

fn stream(category: &str, id: &str) -> StreamId {
    StreamId::new(category, id).unwrap()
}

fn event(name: &'static str) -> NewEvent {
    NewEvent::json(name, 1, &name).unwrap()
}

async fn append(store: &Store, category: &str, name: &'static str) -> Position {
    let target = stream(category, "a");
    let appended = store.append(&target, Expected::Any, [event(name)]).await;
    appended.unwrap().position
}

/// What should come soon.
async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let coming = tokio::time::timeout(Duration::from_secs(10), coming);
    coming.await.expect("it comes soon")
}

/// The name of the next event.
async fn next(subscription: &mut Subscription) -> Option<String> {
    let event = soon(subscription.next()).await.unwrap();
    event.map(|event| event.name.to_string())
}

/// What there is without waiting for appends.
async fn there(subscription: &mut Subscription) -> Vec<String> {
    let mut names = Vec::new();
    let mut idle = Box::pin(tokio::time::sleep(Duration::from_millis(300)));
    loop {
        tokio::select! {
            event = subscription.next() => names.push(event.unwrap().unwrap().name.to_string()),
            () = &mut idle => return names,
        }
    }
}

every_store! {
    async fn it_is_served_while_a_task_of_its_thread_appends_without_end(store: Store) {
        let mut subscription = store.subscribe(Query::all());
        let served = tokio::spawn(async move { next(&mut subscription).await });
        for appended in 0.. {
            if served.is_finished() {
                break;
            }
            assert!(appended < 10_000, "the subscriber has not had a turn");
            append(&store, "note", "One").await;
        }
        assert_eq!(served.await.unwrap().unwrap(), "One");
    }

    async fn it_gives_what_is_stored_and_then_what_is_appended(store: Store) {
        append(&store, "note", "One").await;
        append(&store, "note", "Two").await;
        let mut all = store.subscribe(Query::all().category("note"));
        for name in ["One", "Two"] {
            assert!(!all.is_live());
            assert_eq!(next(&mut all).await.unwrap(), name);
        }
        assert!(all.is_live());
        // It waits, and wakes.
        let (waiting, writer) = (async { (next(&mut all).await, all) }, store.clone());
        let (written, (third, mut all)) = tokio::join!(
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                append(&writer, "note", "Three").await
            },
            waiting,
        );
        assert_eq!(third.unwrap(), "Three");
        assert_eq!(all.position(), written);
        assert!(all.is_live());
        append(&store, "note", "Four").await;
        let page = soon(all.next_page()).await.unwrap().unwrap();
        assert_eq!(page.iter().map(|record| record.name().to_owned()).collect::<Vec<_>>(), ["Four"]);
    }

    async fn it_begins_behind_a_position_and_gives_only_what_is_selected(store: Store) {
        let begin = append(&store, "note", "One").await;
        append(&store, "note", "Two").await;
        append(&store, "other", "Two").await;
        append(&store, "note", "Three").await;
        for (query, expected) in [
            (Query::all().category("note"), &["Two", "Three"][..]),
            (Query::all().names(["Two"]), &["Two", "Two"]),
            (Query::all().category("note").names(["Two", "Three"]).backwards(), &["Two", "Three"]),
            (Query::stream(&stream("other", "a")), &["Two"]),
        ] {
            let mut subscription = store.subscribe(query.after(begin));
            assert_eq!(there(&mut subscription).await, expected);
        }
    }

    async fn its_position_passes_what_is_not_selected(store: Store) {
        let mut rare = store.subscribe(Query::all().names(["Rare"]));
        append(&store, "note", "Rare").await;
        assert_eq!(next(&mut rare).await.unwrap(), "Rare");
        let last = append(&store, "note", "Frequent").await;
        assert!(there(&mut rare).await.is_empty());
        assert_eq!(rare.position(), last);
    }

    async fn pages_and_single_events_can_be_mixed(store: Store) {
        let names = ["1", "2", "3", "4", "5", "6", "7"];
        for name in names {
            append(&store, "note", name).await;
        }
        let mut all = store.subscribe(Query::all().category("note").page_size(3));
        let mut seen = Vec::new();
        for turn in 0.. {
            if seen.len() == names.len() {
                break;
            }
            if turn % 3 == 2 {
                let page = soon(all.next_page()).await.unwrap().unwrap();
                seen.extend(page.iter().map(|record| record.name().to_owned()));
            } else {
                seen.extend(next(&mut all).await);
            }
        }
        assert_eq!(seen, names);
    }

    async fn it_ends_at_a_limit_at_a_position_and_with_its_store(store: Store) {
        append(&store, "note", "One").await;
        let second = append(&store, "note", "Two").await;
        append(&store, "note", "Three").await;
        let mut limited = store.subscribe(Query::all().category("note").limit(2));
        let mut bounded = store.subscribe(Query::all().category("note").up_to(second));
        let mut paged = store.subscribe(Query::all().category("note").up_to(second));
        let mut open = store.subscribe(Query::all().category("note"));
        for subscription in [&mut limited, &mut bounded, &mut open] {
            assert_eq!(next(subscription).await.unwrap(), "One");
            assert_eq!(next(subscription).await.unwrap(), "Two");
        }
        assert_eq!(soon(paged.next_page()).await.unwrap().unwrap().len(), 2);
        for ended in [&mut limited, &mut bounded, &mut paged] {
            assert_eq!(next(ended).await, None);
            assert!(soon(ended.next_page()).await.unwrap().is_none());
            // Where to go on: the third was not given.
            assert_eq!(ended.position(), second);
        }
        assert!(!limited.is_live());
        assert_eq!(next(&mut open).await.unwrap(), "Three");
        let waiting = tokio::spawn(async move { (next(&mut open).await, next(&mut open).await) });
        tokio::time::sleep(Duration::from_millis(30)).await;
        store.close().await.unwrap();
        assert_eq!(soon(waiting).await.unwrap(), (None, None));
    }

    async fn one_that_reads_while_its_store_is_closed_ends(store: Store) {
        let faults = Faults::new();
        faults.next(Operation::Head, Fault::Delay(Duration::from_millis(200)));
        let mut all = faults.around(&store).subscribe(Query::all());
        let reading = tokio::spawn(async move { next(&mut all).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        store.close().await.unwrap();
        assert_eq!(soon(reading).await.unwrap(), None);
    }

    async fn a_future_that_was_dropped_loses_nothing(store: Store) {
        let mut all = store.subscribe(Query::all().category("note").page_size(2));
        let mut seen = Vec::new();
        for _ in 0..20 {
            append(&store, "note", "One").await;
            // Given up at once, or after a while, wherever it is then.
            for _ in 0..3 {
                assert!(all.next_page().now_or_never().is_none_or(|page| {
                    seen.extend(page.unwrap().unwrap().iter().map(|record| record.position()));
                    true
                }));
            }
            if let Ok(event) = tokio::time::timeout(Duration::from_millis(1), all.next()).await {
                seen.push(event.unwrap().unwrap().position);
            }
        }
        while seen.len() < 20 {
            seen.push(soon(all.next()).await.unwrap().unwrap().position);
        }
        let stored = store.read(Query::all().category("note")).collect().await.unwrap();
        assert_eq!(seen, stored.iter().map(|event| event.position).collect::<Vec<_>>());
    }

    async fn after_an_error_it_goes_on_where_it_stood(store: Store) {
        let faults = Faults::new();
        let failing = faults.around(&store);
        let mut all = failing.subscribe(Query::all().category("note").page_size(2));
        let mut seen = 0;
        for round in 0..12 {
            append(&store, "note", "One").await;
            let operation = [Operation::Head, Operation::Read][round % 2];
            faults.next(operation, Fault::Fail);
            let failed = soon(all.next()).await;
            // It may have been woken for nothing before, and meets the fault later.
            match failed {
                Err(error) => assert!(matches!(error, ReadError::Unavailable { .. }), "{error}"),
                Ok(event) => seen += usize::from(event.is_some()),
            }
            while seen <= round {
                match soon(all.next()).await {
                    Ok(event) => seen += usize::from(event.is_some()),
                    Err(error) => assert!(matches!(error, ReadError::Unavailable { .. }), "{error}"),
                }
            }
        }
        assert_eq!(seen, 12);
        assert!(there(&mut all).await.is_empty());
    }

    async fn nothing_is_missed_or_repeated_while_eight_writers_append(store: Store) {
        const WRITERS: usize = 8;
        const BATCHES: usize = 250;
        const BATCH: usize = 50;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = store.clone();
                tokio::spawn(async move {
                    for number in 0..BATCHES {
                        let target = stream("note", &format!("{writer}-{}", number % 3));
                        let events = (0..BATCH).map(|_| event("Noted")).collect::<Vec<_>>();
                        let batch = Batch::new().append(target, Expected::Any, events);
                        store.append_batch(batch).await.unwrap();
                    }
                })
            })
            .collect();
        // They begin when there is nothing, something, and most.
        let readers: Vec<_> = (0..3)
            .map(|reader| {
                let store = store.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(reader * 300)).await;
                    let mut all = store.subscribe(Query::all().category("note"));
                    let mut seen = Vec::with_capacity(WRITERS * BATCHES * BATCH);
                    while seen.len() < WRITERS * BATCHES * BATCH {
                        let page = all.next_page().await.unwrap().unwrap();
                        seen.extend(page.iter().map(|record| (record.position(), record.stream_id(), record.version())));
                    }
                    seen
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let stored = store.read(Query::all().category("note")).collect().await.unwrap();
        let stored: Vec<_> = stored.into_iter().map(|event| (event.position, event.stream, event.version)).collect();
        assert_eq!(stored.len(), 100_000);
        for reader in readers {
            let seen = tokio::time::timeout(Duration::from_mins(1), reader).await.expect("it sees them all").unwrap();
            assert!(seen == stored, "what was followed is what is stored");
        }
    }
}

#[tokio::test]
async fn a_stream_of_another_tenant_is_refused_even_when_there_is_nothing_to_read() {
    let store = Store::connect("memory:").await.unwrap();
    let mine = store.for_tenant("mine").unwrap();
    let others = stream("note", "a").in_tenant(Some(TenantId::new("other").unwrap()));
    let mut refused = mine.subscribe(Query::stream(&others));
    for _ in 0..2 {
        let error = soon(refused.next()).await.unwrap_err();
        assert!(matches!(error, ReadError::OutsideTenant { .. }), "{error}");
    }
}

/// That its metadata is none is found out only by whoever asks for the event as a value of its own.
#[tokio::test]
async fn behind_an_event_that_cannot_be_given_nothing_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let store = Store::connect(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
    for name in ["Damaged", "Two", "Three", "Four"] {
        append(&store, "note", name).await;
    }
    let shell = rusqlite::Connection::open(&path).unwrap();
    shell
        .execute_batch(
            "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE type = 'trigger'; PRAGMA writable_schema = RESET;
             UPDATE events SET metadata = 'none' WHERE position = 1",
        )
        .unwrap();
    for limit in 1..=3 {
        for paged in [false, true] {
            let mut notes = store.subscribe(Query::all().category("note").limit(limit));
            let error = soon(notes.next()).await.unwrap_err();
            let ReadError::Corrupt { position, .. } = error else {
                panic!("{error}")
            };
            assert_eq!((position, notes.position()), (Position(1), Position(1)));
            let mut seen = Vec::new();
            while (seen.len() as u64) < limit {
                if paged {
                    let page = soon(notes.next_page()).await.unwrap().unwrap();
                    seen.extend(page.iter().map(|record| record.position().0));
                } else {
                    seen.push(soon(notes.next()).await.unwrap().unwrap().position.0);
                }
            }
            assert_eq!(seen, (2..2 + limit).collect::<Vec<_>>());
            assert_eq!(next(&mut notes).await, None);
        }
    }
}
