//! Every kind of read, and any mix, in pages of any size, in both directions.

use chrono::DateTime;

use super::verdict::{Answer, same, same_events, same_list};
use super::{event, events, not_waited_for, stream};
use crate::Store;
use crate::log::{
    Batch, Detail, Direction, Expected, NewEvent, Page, Position, Query, RecordedEvent, Selector,
    StreamId, Version,
};

/// 120 events: two categories, five streams, four names, times that go up and down.
async fn filled(store: &Store) -> Vec<RecordedEvent> {
    for number in 0..120_u32 {
        let category = if number % 3 == 0 { "order" } else { "account" };
        let stream = StreamId::new(category, format!("{}", number % 5)).unwrap();
        let name = ["Opened", "Deposited", "Withdrawn", "Closed"][number as usize / 2 % 4];
        let mut new = NewEvent::json(name, 1 + number % 2, &number).unwrap();
        new.recorded_at = DateTime::from_timestamp(i64::from(number * 37 % 100), 0).unwrap();
        let appended = store.append(&stream, Expected::Any, [new]).await;
        appended.succeeds();
    }
    let all = read(store, Query::all()).await;
    same("all that was appended is read", all.len(), 120);
    all
}

/// All that a query selects.
async fn read(store: &Store, query: Query) -> Vec<RecordedEvent> {
    store.read(query).collect().await.succeeds()
}

/// The versions of events, in the order of the read.
fn version_numbers(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.version.0).collect()
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
            let promise = format!("a read agrees with a filter over all events: {query:?}");
            same_events(promise, &read(store, query.clone()).await, &expected);
            for limit in [0, 1, 3] {
                let most = expected.len().min(usize::try_from(limit).unwrap());
                let query = query.clone().limit(limit);
                let promise = format!("a limit cuts a read off and nothing else: {query:?}");
                same_events(promise, &read(store, query).await, &expected[..most]);
            }
            // Memory stays constant: no page is larger than asked for, and none is empty.
            let mut reader = store.read(query);
            while let Some(page) = reader.next_page().await.succeeds() {
                let rows = page.len();
                assert!(
                    (1..=size).contains(&rows),
                    "a page had {rows} events, but was to have at most {size}"
                );
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
        store.append_batch(batch).await.succeeds();
        let all = read(&store, Query::all()).await;
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
            assert!(expected.len().abs_diff(wanted) <= 1, "a read of all events returns all, but of the {wanted} that fit {query:?} there were {}", expected.len());
            for direction in [Query::clone as fn(&Query) -> Query, |query| query.clone().backwards()] {
                for size in [10, 1024] {
                    let query = direction(&query).page_size(size);
                    same_events(format!("a read agrees with a filter over all events: {:?} {:?}", query.direction, query.selectors.first().map(|selector| selector.names.first())), &read(&store, query.clone()).await, &expected);
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
            store.append_batch(batch).await.succeeds();
        }
        for size in [1, 4, 100] {
            let query = Query::stream(&stream("long")).page_size(size);
            for (query, wanted) in [
                (query.clone(), (1..=210).collect::<Vec<_>>()),
                (query.clone().from_version(Version(50)).to_version(Version(60)).backwards(), (50..=60).rev().collect()),
                (query.clone().backwards().limit(9), (202..=210).rev().collect()),
            ] {
                let promise = format!("a stream is read by its versions, whatever the pages: {query:?}");
                same_list(promise, &version_numbers(&read(&store, query).await), &wanted);
            }
        }
    }

    async fn a_page_of_large_events_ends_early_and_the_read_goes_on(store: Store) {
        let large = "x".repeat(3 << 20);
        for number in 0..5 {
            let new = NewEvent::json("Large", 1, &format!("{number}{large}")).unwrap();
            store.append(&stream("a"), Expected::Any, [new]).await.succeeds();
        }
        for query in [Query::all(), Query::all().backwards(), Query::stream(&stream("a")), Query::all().names(["Large"]).limit(4)] {
            let backwards = query.direction == Direction::Backwards;
            let most = query.limit.map_or(5, |_| 4);
            let mut reader = store.read(query);
            let mut read = Vec::new();
            while let Some(page) = reader.next_page().await.succeeds() {
                let bytes: usize = page.iter().rev().skip(1).map(|record| record.payload().len()).sum();
                assert!(
                    bytes < Page::MAX_BYTES,
                    "a page takes no further event once it holds {} bytes, but had {bytes} before the last of its {} events",
                    Page::MAX_BYTES,
                    page.len()
                );
                read.extend(page.iter().map(|record| (record.version().0, record.payload().get(1).copied())));
            }
            if backwards {
                read.reverse();
            }
            let wanted: Vec<_> = (1..=most).zip(b'0'..).map(|(version, number)| (version, Some(number))).collect();
            same_list("large events are read once each, in their order", &read, &wanted);
        }
    }

    async fn a_page_that_was_not_waited_for_is_read_by_the_next_call(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(50)).await.succeeds();
        let mut reader = store.read(Query::all().page_size(5));
        let mut read = 0;
        loop {
            match not_waited_for(reader.next_page()).await {
                Some(page) => match page.succeeds() {
                    Some(page) => read += page.len(),
                    None => break,
                },
                None => tokio::task::yield_now().await,
            }
        }
        same("a reader whose futures were dropped reads each page once", read, 50);
    }

    async fn an_event_that_was_not_waited_for_is_delivered_once(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(300)).await.succeeds();
        let mut reader = store.read(Query::all().page_size(5));
        let mut read = Vec::new();
        loop {
            let next = match not_waited_for(reader.next()).await {
                Some(next) => next.succeeds(),
                None => reader.next().await.succeeds(),
            };
            match next {
                Some(event) => read.push(event),
                None => break,
            }
        }
        same_list("a reader whose futures were dropped reads each event once, in order", &version_numbers(&read), &(1..=300).collect::<Vec<_>>());
    }

    async fn with_less_detail_the_same_events_are_read(store: Store) {
        filled(&store).await;
        for query in [Query::all(), Query::all().category("order").backwards(), Query::stream(&stream("2")).page_size(3)] {
            let of_a_stream = query.stream.is_some();
            let told = |events: Vec<RecordedEvent>, with_place: bool| events
                .into_iter()
                .map(|event| {
                    let payload = String::from_utf8(event.payload).expect("JSON");
                    let place = with_place.then_some((event.stream, event.version));
                    (event.position, place, event.name, event.schema_version, event.recorded_at, payload)
                })
                .collect::<Vec<_>>();
            let full = read(&store, query.clone()).await;
            assert!(!full.is_empty(), "events were appended, but none is read: {query:?}");
            for (detail, with_place) in [(Detail::Place, true), (Detail::Payload, of_a_stream)] {
                let less = read(&store, query.clone().detail(detail)).await;
                same_list("with less detail nothing else is left out", &told(less, with_place), &told(full.clone(), with_place));
            }
        }
    }

    async fn a_read_that_is_under_way_goes_on_into_what_is_appended_meanwhile(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(10)).await.succeeds();
        let (mut forwards, mut backwards) = (store.read(Query::all().page_size(10)), store.read(Query::all().page_size(4).backwards()));
        for (reader, first) in [(&mut forwards, 1), (&mut backwards, 10)] {
            let found = reader.next().await.succeeds().map(|event| event.version.0);
            same("a read begins at its end of the log", found, Some(first));
        }
        store.append(&stream("a"), Expected::Any, events(10)).await.succeeds();
        // The first page ended the log as it was, so this read ends with it; a new one goes on from there.
        let rest = forwards.collect().await.succeeds();
        assert!(rest.len() == 9 || rest.len() == 19, "after its first event a read returns the other nine, and none or all of ten that were appended since, but returned {}", rest.len());
        same_list("a read under way returns each event once, in order", &version_numbers(&rest), &(2..=rest.len() as u64 + 1).collect::<Vec<_>>());
        let after = rest[rest.len() - 1].position;
        let more = read(&store, Query::all().after(after)).await;
        same("a read goes on where another ended", more.len(), 19 - rest.len());
        let down = backwards.collect().await.succeeds();
        same_list("a read backwards is not moved by what is appended meanwhile", &version_numbers(&down), &(1..=9).rev().collect::<Vec<_>>());
    }

    async fn the_head_is_the_position_of_the_last_event(store: Store) {
        same("the head of an empty log is its start", store.head().await.succeeds(), Position::START);
        let all = filled(&store).await;
        same("the head is the position of the last event", store.head().await.succeeds(), all[119].position);
        store.append(&stream("1"), Expected::NoStream, [event("Late")]).await.fails("the stream has events");
        same("a refused append does not move the head", store.head().await.succeeds(), all[119].position);
    }

    async fn statistics_count_events_streams_and_names(store: Store) {
        let empty = store.stats().await.succeeds();
        same("an empty log has no events and no streams", (empty.events, empty.streams), (0, 0));
        filled(&store).await;
        let stats = store.stats().await.succeeds();
        same("events and streams are counted", (stats.events, stats.streams), (120, 10));
        same("each event is counted under its name", stats.events_by_name.values().sum::<u64>(), 120);
        same("events are counted by name", stats.events_by_name.get("Opened"), Some(&30));
        assert!(store.tenant().is_none() || stats.bytes.is_none(), "a tenant is not told how large the whole store is, but was: {:?} bytes", stats.bytes);
    }
}
