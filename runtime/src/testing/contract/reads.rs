//! Every kind of read, and any mix, in pages of any size, in both directions.

use chrono::DateTime;

use super::{event, events, not_waited_for, places, stream};
use crate::Store;
use crate::log::{
    Batch, Expected, NewEvent, Position, Query, RecordedEvent, Selector, StreamId, Version,
};

/// 120 events: two categories, five streams, four names, times that go up and down.
async fn filled(store: &Store) -> Vec<RecordedEvent> {
    for number in 0..120_u32 {
        let category = if number % 3 == 0 { "order" } else { "account" };
        let stream = StreamId::new(category, format!("{}", number % 5)).unwrap();
        let name = ["Opened", "Deposited", "Withdrawn", "Closed"][number as usize / 2 % 4];
        let mut new = NewEvent::json(name, 1 + number % 2, &number).unwrap();
        new.recorded_at = DateTime::from_timestamp(i64::from(number * 37 % 100), 0).unwrap();
        store.append(&stream, Expected::Any, [new]).await.unwrap();
    }
    let all = store.read(Query::all()).collect().await.unwrap();
    assert_eq!(all.len(), 120);
    all
}

/// Reads a query in pages of several sizes and compares with what a filter over all events gives.
async fn agrees(
    store: &Store,
    all: &[RecordedEvent],
    query: Query,
    wanted: impl Fn(&RecordedEvent) -> bool,
) {
    let mut expected: Vec<RecordedEvent> =
        all.iter().filter(|event| wanted(event)).cloned().collect();
    for backwards in [false, true] {
        for size in [1, 2, 7, 1000] {
            let mut query = query.clone().page_size(size);
            if backwards {
                query = query.backwards();
            }
            assert_eq!(
                store.read(query.clone()).collect().await.unwrap(),
                expected,
                "{query:?}"
            );
            for limit in [0, 1, 3] {
                let some = store
                    .read(query.clone().limit(limit))
                    .collect()
                    .await
                    .unwrap();
                let most = expected.len().min(usize::try_from(limit).unwrap());
                assert_eq!(some, expected[..most], "{query:?}");
            }
            // Memory stays constant: no page is larger than asked for, and none is empty.
            let mut reader = store.read(query);
            while let Some(page) = reader.next_page().await.unwrap() {
                assert!((1..=size).contains(&page.len()));
            }
        }
        expected.reverse();
    }
}

cases! {
    reads as __store_contract_reads;

    async fn every_kind_of_read_and_their_mixes_agree_with_a_filter(store: Store) {
        let all = filled(&store).await;
        let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let target = StreamId::new("account", "2").unwrap();
        let is_target = |event: &RecordedEvent| event.stream.category().as_str() == "account" && event.stream.id() == "2";
        let (after, up_to) = (all[40].position, all[90].position);

        agrees(&store, &all, Query::all(), |_| true).await;
        agrees(&store, &all, Query::all().after(after), |event| event.position > after).await;
        agrees(&store, &all, Query::all().up_to(up_to), |event| event.position <= up_to).await;
        agrees(&store, &all, Query::stream(&target), is_target).await;
        agrees(&store, &all, Query::stream(&target).from_version(Version(3)).to_version(Version(9)), |event| {
            is_target(event) && (3..=9).contains(&event.version.0)
        }).await;
        agrees(&store, &all, Query::stream(&target).names(["Closed"]).since(time(50)), |event| {
            is_target(event) && &*event.name == "Closed" && event.recorded_at >= time(50)
        }).await;
        agrees(&store, &all, Query::all().names(["Opened", "Closed", "Unheard"]), |event| ["Opened", "Closed"].contains(&&*event.name)).await;
        agrees(&store, &all, Query::all().category("order"), |event| event.stream.category().as_str() == "order").await;
        agrees(&store, &all, Query::all().category("order").names(["Opened"]).after(after).up_to(up_to), |event| {
            event.stream.category().as_str() == "order" && &*event.name == "Opened" && event.position > after && event.position <= up_to
        }).await;
        agrees(&store, &all, Query::all().since(time(20)).before(time(60)), |event| {
            event.recorded_at >= time(20) && event.recorded_at < time(60)
        }).await;
        let selectors = [
            Selector { category: Some("order".into()), names: vec!["Opened".into()] },
            Selector { category: Some("account".into()), names: vec!["Closed".into(), "Withdrawn".into()] },
        ];
        agrees(&store, &all, Query::all().any_of(selectors.clone()), |event| {
            selectors.iter().any(|selector| selector.fits(event.stream.category().as_str(), &event.name))
        }).await;
        agrees(&store, &all, Query::all().category("nothing"), |_| false).await;
        agrees(&store, &all, Query::stream(&stream("nobody")), |_| false).await;
        agrees(&store, &all, Query::all().after(Position(u64::MAX)), |_| false).await;
        agrees(&store, &all, Query::all().up_to(Position(u64::MAX)).to_version(Version(u64::MAX)), |_| true).await;
        agrees(&store, &all, Query::all().from_version(Version(u64::MAX)), |_| false).await;
    }

    async fn kinds_are_found_however_rare_common_or_many_they_are(store: Store) {
        // At first one kind and then another, the rare ones between, and in the end more kinds than one statement can name.
        let name = |number: u32| match number {
            _ if number % 500 == 7 => "Rare".to_owned(),
            0..1500 => "Early".to_owned(),
            1500..3000 => "Late".to_owned(),
            _ => format!("Kind{number}"),
        };
        let mut batch = Batch::new();
        for number in 0..3300_u32 {
            let mut new = NewEvent::json(name(number), 1, &number).unwrap();
            new.recorded_at = DateTime::from_timestamp(i64::from(number), 0).unwrap();
            batch = batch.append(stream(&format!("{}", number % 3)), Expected::Any, [new]);
        }
        store.append_batch(batch).await.unwrap();
        let all = store.read(Query::all()).collect().await.unwrap();
        let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let many: Vec<String> = (3000..3300).filter(|number| *number != 3007).map(name).collect();
        for (query, wanted) in [
            (Query::all().names(["Rare"]), 7),
            (Query::all().names(["Early"]), 1497),
            (Query::all().names(["Late"]), 1497),
            (Query::all().names(["Early", "Late"]), 2994),
            (Query::all().names(["Early", "Late", "Rare", "Kind3001"]).before(time(3004)), 3000 + 1),
            (Query::all().names(["Early"]).since(time(1400)), 100),
            (Query::all().names(["Early"]).before(time(3)), 3),
            (Query::all().names(["Late"]).since(time(2995)).before(time(2998)), 3),
            (Query::all().names(["Early"]).since(time(1600)), 0),
            (Query::all().names(many.clone()), 299),
            (Query::all().names(many).since(time(3298)), 2),
        ] {
            let fits = |event: &&RecordedEvent| {
                query.selectors.iter().any(|selector| selector.fits("account", &event.name))
                    && query.since.is_none_or(|since| event.recorded_at >= since)
                    && query.before.is_none_or(|before| event.recorded_at < before)
            };
            let mut expected: Vec<RecordedEvent> = all.iter().filter(fits).cloned().collect();
            assert!(expected.len().abs_diff(wanted) <= 1, "{} {query:?}", expected.len());
            for direction in [Query::clone as fn(&Query) -> Query, |query| query.clone().backwards()] {
                for size in [10, 1024] {
                    let read = store.read(direction(&query).page_size(size)).collect().await.unwrap();
                    assert_eq!(places(&read), places(&expected), "{query:?}");
                }
                expected.reverse();
            }
        }
    }

    async fn a_long_stream_is_read_page_by_page_in_both_directions(store: Store) {
        for _ in 0..30 {
            let batch = Batch::new()
                .append(stream("long"), Expected::Any, events(7))
                .append(stream("other"), Expected::Any, events(3));
            store.append_batch(batch).await.unwrap();
        }
        for size in [1, 4, 100] {
            let query = Query::stream(&stream("long")).page_size(size);
            let versions = |events: Vec<RecordedEvent>| events.iter().map(|event| event.version.0).collect::<Vec<_>>();
            let all = store.read(query.clone()).collect().await.unwrap();
            assert_eq!(versions(all), (1..=210).collect::<Vec<_>>());
            let some = store.read(query.clone().from_version(Version(50)).to_version(Version(60)).backwards()).collect().await.unwrap();
            assert_eq!(versions(some), (50..=60).rev().collect::<Vec<_>>());
            let last = store.read(query.backwards().limit(9)).collect().await.unwrap();
            assert_eq!(versions(last), (202..=210).rev().collect::<Vec<_>>());
        }
    }

    async fn a_page_that_was_not_waited_for_is_read_by_the_next_call(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(50)).await.unwrap();
        let mut reader = store.read(Query::all().page_size(5));
        let mut read = 0;
        loop {
            match not_waited_for(reader.next_page()).await {
                Some(page) => match page.unwrap() {
                    Some(page) => read += page.len(),
                    None => break,
                },
                None => tokio::task::yield_now().await,
            }
        }
        assert_eq!(read, 50);
    }

    async fn an_event_that_was_not_waited_for_is_delivered_once(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(300)).await.unwrap();
        let mut reader = store.read(Query::all().page_size(5));
        let mut versions = Vec::new();
        loop {
            let next = match not_waited_for(reader.next()).await {
                Some(next) => next.unwrap(),
                None => reader.next().await.unwrap(),
            };
            match next {
                Some(event) => versions.push(event.version.0),
                None => break,
            }
        }
        assert_eq!(versions, (1..=300).collect::<Vec<_>>());
    }

    async fn without_context_the_same_events_are_read(store: Store) {
        filled(&store).await;
        for query in [Query::all(), Query::all().category("order").backwards(), Query::stream(&stream("2")).page_size(3)] {
            let told = |events: Vec<RecordedEvent>| events
                .into_iter()
                .map(|event| (event.position, event.stream, event.version, event.name, event.schema_version, event.recorded_at, event.payload))
                .collect::<Vec<_>>();
            let with = told(store.read(query.clone()).collect().await.unwrap());
            assert!(!with.is_empty());
            assert_eq!(told(store.read(query.without_context()).collect().await.unwrap()), with);
        }
    }

    async fn a_read_that_is_under_way_goes_on_into_what_is_appended_meanwhile(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(10)).await.unwrap();
        let (mut forwards, mut backwards) = (store.read(Query::all().page_size(10)), store.read(Query::all().page_size(4).backwards()));
        assert_eq!(forwards.next().await.unwrap().unwrap().version, Version(1));
        assert_eq!(backwards.next().await.unwrap().unwrap().version, Version(10));
        store.append(&stream("a"), Expected::Any, events(10)).await.unwrap();
        // The first page ended the log as it was, so this read ends with it; a new one goes on from there.
        let rest = forwards.collect().await.unwrap();
        assert!(rest.len() == 9 || rest.len() == 19);
        assert!(rest.iter().map(|event| event.version.0).eq(2..=rest.len() as u64 + 1));
        let after = rest[rest.len() - 1].position;
        assert_eq!(store.read(Query::all().after(after)).collect().await.unwrap().len(), 19 - rest.len());
        let down = backwards.collect().await.unwrap();
        assert!(down.iter().map(|event| event.version.0).eq((1..=9).rev()));
    }

    async fn the_head_is_the_position_of_the_last_event(store: Store) {
        assert_eq!(store.head().await.unwrap(), Position::START);
        let all = filled(&store).await;
        assert_eq!(store.head().await.unwrap(), all[119].position);
        store.append(&stream("1"), Expected::NoStream, [event("Late")]).await.unwrap_err();
        assert_eq!(store.head().await.unwrap(), all[119].position);
    }

    async fn statistics_count_events_streams_and_names(store: Store) {
        assert_eq!((store.stats().await.unwrap().events, store.stats().await.unwrap().streams), (0, 0));
        filled(&store).await;
        let stats = store.stats().await.unwrap();
        assert_eq!((stats.events, stats.streams), (120, 10));
        assert_eq!(stats.events_by_name.values().sum::<u64>(), 120);
        assert_eq!(stats.events_by_name["Opened"], 30);
        assert!(store.tenant().is_none() || stats.bytes.is_none());
    }
}
