//! Atomic, expected, and kept as it was given.

use chrono::{DateTime, Utc};

use super::{event, events, not_waited_for, places, stream};
use crate::log::{AppendError, Batch, Expected, Metadata, NewEvent, Query, StreamId, Version};

cases! {
    appends as __store_contract_appends;

    async fn an_append_returns_the_version_and_the_position_of_its_last_event(store: Store) {
        let first = store.append(&stream("a"), Expected::NoStream, events(3)).await.unwrap();
        assert_eq!((first.version(), first.repeated), (Version(3), false));
        let batch = Batch::new()
            .append(stream("b"), Expected::NoStream, events(2))
            .append(stream("a"), Expected::Version(Version(3)), events(2));
        let second = store.append_batch(batch).await.unwrap();
        let streams: Vec<_> = second.streams.iter().map(|part| (part.stream.id(), part.version.0)).collect();
        assert_eq!((streams, second.repeated), (vec![("b", 2), ("a", 5)], false));
        assert_eq!(store.version(&stream("a")).await.unwrap(), Version(5));
        assert_eq!(store.version(&stream("b")).await.unwrap(), Version(2));
        assert_eq!(store.version(&stream("c")).await.unwrap(), Version::NONE);
        assert_eq!(store.head().await.unwrap(), second.position);
        let read = store.read(Query::all()).collect().await.unwrap();
        assert!(read.is_sorted_by(|before, after| before.position < after.position));
        assert_eq!((read[2].position, read[6].position), (first.position, second.position));
    }

    async fn each_expectation_holds_where_it_should_and_nowhere_else(store: Store) {
        for (number, expected, on_empty, on_two) in [
            (0, Expected::Any, true, true),
            (1, Expected::NoStream, true, false),
            (2, Expected::Version(Version(0)), true, false),
            (3, Expected::StreamExists, false, true),
            (4, Expected::Version(Version(2)), false, true),
            (5, Expected::Version(Version(1)), false, false),
            (6, Expected::Version(Version(3)), false, false),
            (7, Expected::Version(Version(u64::MAX)), false, false),
        ] {
            let empty = stream(&format!("empty-{number}"));
            assert_eq!(store.append(&empty, expected, events(1)).await.is_ok(), on_empty, "{expected} on an empty stream");
            let two = stream(&format!("two-{number}"));
            store.append(&two, Expected::Any, events(2)).await.unwrap();
            assert_eq!(store.append(&two, expected, events(1)).await.is_ok(), on_two, "{expected} on two events");
            assert_eq!(store.version(&two).await.unwrap(), Version(2 + u64::from(on_two)));
        }
    }

    async fn a_conflict_names_the_stream_what_was_expected_and_what_is_there(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(2)).await.unwrap();
        let refused = store.append(&stream("a"), Expected::Version(Version(1)), events(1)).await.unwrap_err();
        let AppendError::Conflict { stream, expected, actual } = refused else { panic!("{refused}") };
        assert_eq!((stream.id(), expected, actual), ("a", Expected::Version(Version(1)), Version(2)));
    }

    async fn a_conflict_in_a_later_part_names_its_stream_and_counts_the_parts_before(store: Store) {
        store.append(&stream("b"), Expected::NoStream, events(1)).await.unwrap();
        for (part, expected, named, actual) in [
            ("b", Expected::Version(Version(2)), "b", 1),
            ("a", Expected::NoStream, "a", 2),
            ("a", Expected::Version(Version(3)), "a", 2),
            ("c", Expected::StreamExists, "c", 0),
        ] {
            for count in [0, 1] {
                let batch = Batch::new()
                    .append(stream("a"), Expected::NoStream, events(2))
                    .append(stream(part), expected, events(count))
                    .append(stream("d"), Expected::StreamExists, events(1));
                let refused = store.append_batch(batch).await.unwrap_err();
                let AppendError::Conflict { stream, expected: asked, actual: there } = refused else { panic!("{refused}") };
                assert_eq!((stream.id(), asked, there), (named, expected, Version(actual)));
            }
        }
    }

    async fn a_refused_append_changes_nothing(store: Store) {
        let first = store.append(&stream("a"), Expected::NoStream, events(2)).await.unwrap();
        let before = store.stats().await.unwrap();
        store.append(&stream("a"), Expected::NoStream, events(5)).await.unwrap_err();
        store.append(&stream("b"), Expected::StreamExists, [event("New")]).await.unwrap_err();
        let after = store.stats().await.unwrap();
        assert_eq!((after.events, after.streams, after.events_by_name), (before.events, before.streams, before.events_by_name));
        assert_eq!(store.head().await.unwrap(), first.position);
        assert_eq!(store.version(&stream("a")).await.unwrap(), Version(2));
        assert_eq!(store.version(&stream("b")).await.unwrap(), Version::NONE);
        // What comes next is not moved by it either.
        assert_eq!(store.append(&stream("a"), Expected::Version(Version(2)), events(1)).await.unwrap().version(), Version(3));
        assert_eq!(store.append(&stream("b"), Expected::NoStream, events(1)).await.unwrap().version(), Version(1));
    }

    async fn an_append_without_events_writes_nothing_and_still_checks(store: Store) {
        store.append(&stream("a"), Expected::NoStream, []).await.unwrap();
        assert_eq!(store.version(&stream("a")).await.unwrap(), Version::NONE);
        store.append(&stream("a"), Expected::StreamExists, []).await.unwrap_err();
        let one = store.append(&stream("a"), Expected::NoStream, events(1)).await.unwrap();
        let checked = store.append(&stream("a"), Expected::Version(Version(1)), []).await.unwrap();
        assert_eq!((checked.version(), checked.position, checked.repeated), (Version(1), one.position, false));
        assert_eq!(store.append_batch(Batch::new()).await.unwrap().position, one.position);
        store.append(&stream("a"), Expected::NoStream, []).await.unwrap_err();
        assert_eq!(store.stats().await.unwrap().events, 1);
    }

    async fn several_streams_are_written_together_or_not_at_all(store: Store) {
        store.append(&stream("b"), Expected::NoStream, events(1)).await.unwrap();
        let batch = || Batch::new()
            .append(stream("a"), Expected::NoStream, events(2))
            .append(stream("b"), Expected::NoStream, events(2))
            .append(stream("c"), Expected::NoStream, events(2));
        let refused = store.append_batch(batch()).await.unwrap_err();
        assert!(matches!(refused, AppendError::Conflict { actual: Version(1), .. }), "{refused}");
        assert_eq!(store.stats().await.unwrap().events, 1);

        let batch = Batch::new()
            .append(stream("a"), Expected::NoStream, events(2))
            .append(stream("b"), Expected::Version(Version(1)), events(2))
            .check(stream("c"), Expected::NoStream);
        let appended = store.append_batch(batch).await.unwrap();
        let versions: Vec<_> = appended.streams.iter().map(|stream| stream.version.0).collect();
        assert_eq!(versions, [2, 3, 0]);
        assert_eq!(store.stats().await.unwrap().events, 5);
    }

    async fn later_parts_of_a_batch_see_earlier_ones(store: Store) {
        let batch = Batch::new()
            .append(stream("a"), Expected::NoStream, events(1))
            .append(stream("b"), Expected::NoStream, events(1))
            .append(stream("a"), Expected::Version(Version(1)), events(2))
            .check(stream("a"), Expected::Version(Version(3)));
        let appended = store.append_batch(batch).await.unwrap();
        let versions: Vec<_> = appended.streams.iter().map(|stream| stream.version.0).collect();
        assert_eq!(versions, [1, 1, 3, 3]);
        let all = store.read(Query::all()).collect().await.unwrap();
        assert_eq!(places(&all), [("a".into(), 1), ("b".into(), 1), ("a".into(), 2), ("a".into(), 3)]);
        let stale = Batch::new()
            .append(stream("a"), Expected::Version(Version(3)), events(1))
            .append(stream("a"), Expected::Version(Version(3)), events(1));
        store.append_batch(stale).await.unwrap_err();
        assert_eq!(store.version(&stream("a")).await.unwrap(), Version(3));
    }

    async fn five_thousand_events_are_one_batch(store: Store) {
        let batch = events(5000);
        let appended = store.append(&stream("a"), Expected::NoStream, batch.clone()).await.unwrap();
        assert_eq!((appended.version(), appended.repeated), (Version(5000), false));
        let read = store.read(Query::stream(&stream("a"))).collect().await.unwrap();
        assert!(read.iter().map(|event| event.id).eq(batch.iter().map(|event| event.id)));
        assert!(read.iter().map(|event| event.version.0).eq(1..=5000));
        let again = store.append(&stream("a"), Expected::NoStream, batch).await.unwrap();
        assert_eq!((again.version(), again.position, again.repeated), (Version(5000), appended.position, true));
    }

    async fn what_was_appended_is_read_at_once_by_every_handle(store: Store) {
        let other = store.clone();
        for number in 1..=50 {
            let appended = store.append(&stream("a"), Expected::Any, events(1)).await.unwrap();
            assert_eq!(other.version(&stream("a")).await.unwrap(), Version(number));
            assert_eq!(other.head().await.unwrap(), appended.position);
            let last = other.read(Query::stream(&stream("a")).backwards().limit(1)).collect().await.unwrap();
            assert_eq!((last[0].version, last[0].position), (Version(number), appended.position));
        }
    }

    async fn names_that_look_alike_are_different_streams(store: Store) {
        let names = [
            ("account", "a"), ("account", "A"), ("Account", "a"), ("account", "a "), ("account", " a"), ("account", "à"),
            ("account", "a\u{300}"), ("account ", "a"), ("account", "ａ"), ("account/a", "b"), ("account", "a/b"), ("a", "account"),
            ("account", "a%"), ("account", "a_"), ("account", "1"), ("account", "01"), ("account", "1.0"),
        ];
        for (number, (category, id)) in names.into_iter().enumerate() {
            let stream = StreamId::new(category, id).unwrap();
            let events = (0..=number).map(|_| NewEvent::json(id, 1, &number).unwrap());
            store.append(&stream, Expected::NoStream, events).await.unwrap();
        }
        for (number, (category, id)) in names.into_iter().enumerate() {
            let stream = StreamId::new(category, id).unwrap();
            assert_eq!(store.version(&stream).await.unwrap(), Version(number as u64 + 1), "{stream}");
            assert_eq!(store.read(Query::stream(&stream)).collect().await.unwrap().len(), number + 1, "{stream}");
            let of_kind = store.read(Query::all().category(category).names([id])).collect().await.unwrap();
            assert_eq!(of_kind.len(), number + 1, "{stream}");
            assert_eq!(store.stats().await.unwrap().events_by_name[id], names.iter().zip(1..).filter(|((_, name), _)| *name == id).map(|(_, count)| count).sum::<u64>());
        }
    }

    async fn odd_names_are_kept_as_they_are(store: Store) {
        for name in ["with space", "quote's \"name\"", "a/b/../c", "🚴", "%00", "-", "' OR 1=1; DROP TABLE events; --", "line\nbreak", "\u{202e}rtl", &"x".repeat(4096)] {
            let stream = StreamId::new("odd category é", name).unwrap();
            let new = NewEvent::json(name.chars().take(60).collect::<String>(), 7, &name).unwrap();
            store.append(&stream, Expected::NoStream, [new.clone()]).await.unwrap();
            let read = store.read(Query::stream(&stream)).collect().await.unwrap();
            assert_eq!((read[0].stream.id(), &*read[0].name, &read[0].payload), (name, &*new.name, &new.payload));
        }
        assert!(StreamId::new("account", "x".repeat(10_000)).unwrap_err().to_string().contains("at most 4096 bytes"));
        assert!(StreamId::new("account", "").is_err() && StreamId::new("account", "a\0b").is_err());
    }

    async fn everything_of_an_event_comes_back_as_it_went_in(store: Store) {
        let mut new = event("Kept");
        new.schema_version = 12;
        new.recorded_at = DateTime::from_timestamp_micros(-62_135_596_800_000_001).unwrap();
        new.metadata = Metadata::new().actor("älice").correlation(uuid::Uuid::max()).with("n", 1.5);
        new.payload = r#"{"deep":[1,{"x":"\u0000é"}],"big":123456789012345678901234567890}"#.into();
        store.append(&stream("a"), Expected::Any, [new.clone()]).await.unwrap();
        let read = &store.read(Query::all()).collect().await.unwrap()[0];
        assert_eq!(
            (read.id, &*read.name, read.schema_version, read.recorded_at, &read.metadata, &read.payload),
            (new.id, &*new.name, 12, new.recorded_at, &new.metadata, &new.payload)
        );
    }

    async fn what_no_store_can_keep_is_refused_with_its_reason(store: Store) {
        let with = |change: fn(&mut NewEvent)| {
            let mut new = event("Odd");
            change(&mut new);
            vec![event("Fine"), new]
        };
        let twice = event("Odd");
        for (events, reason) in [
            (with(|new| new.payload = b"{".to_vec()), "the payload is not JSON"),
            (with(|new| new.payload = Vec::new()), "the payload is not JSON"),
            (with(|new| new.payload = b"\"\xff\"".to_vec()), "the payload is not JSON"),
            (with(|new| new.schema_version = 0), "schema versions start at 1"),
            (with(|new| new.name = "".into()), "the event name cannot be empty"),
            (with(|new| new.name = "a\0b".into()), "cannot hold a NUL"),
            (with(|new| new.name = "x".repeat(256).into()), "at most 255 bytes"),
            (vec![twice.clone(), twice.clone()], "stands twice in one batch"),
            (vec![twice.clone(), event("Later"), twice], "stands twice in one batch"),
        ] {
            let error = store.append(&stream("a"), Expected::Any, events).await.unwrap_err();
            assert!(matches!(error, AppendError::Refused { .. }), "{error}");
            assert!(error.to_string().contains(reason), "{error}");
        }
        assert_eq!(store.version(&stream("a")).await.unwrap(), Version::NONE);
        // Ids need not rise.
        let mut unordered = events(9);
        unordered.reverse();
        unordered.swap(2, 5);
        store.append(&stream("a"), Expected::NoStream, unordered).await.unwrap();
    }

    async fn times_are_kept_to_the_microsecond_and_do_not_order_the_log(store: Store) {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let times = ["2026-01-01T00:00:00.123456789Z", "1969-12-31T23:59:59.999999Z", "2025-06-01T12:00:00Z", "9999-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00.000001Z"];
        for at in times {
            let mut new = event("Timed");
            new.recorded_at = time(at);
            store.append(&stream("a"), Expected::Any, [new]).await.unwrap();
        }
        let read = store.read(Query::all()).collect().await.unwrap();
        let expected: Vec<DateTime<Utc>> = ["2026-01-01T00:00:00.123456Z", "1969-12-31T23:59:59.999999Z", "2025-06-01T12:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00.000001Z"].map(time).to_vec();
        assert_eq!(read.iter().map(|event| event.recorded_at).collect::<Vec<_>>(), expected);
        let count = async |query| store.read(query).collect().await.unwrap().len();
        assert_eq!(count(Query::all().since(time("2026-01-01T00:00:00.123456Z"))).await, 2);
        assert_eq!(count(Query::all().since(time("2026-01-01T00:00:00.123456001Z"))).await, 1);
        assert_eq!(count(Query::all().before(time("2026-01-01T00:00:00.123456001Z"))).await, 4);
        assert_eq!(count(Query::all().before(time("2026-01-01T00:00:00.123456Z"))).await, 3);
    }

    async fn a_payload_of_16_mib_is_stored_and_read(store: Store) {
        let large = NewEvent::json("Large", 1, &"x".repeat(16 << 20)).unwrap();
        store.append(&stream("a"), Expected::Any, [event("Small"), large.clone(), event("Small")]).await.unwrap();
        let mut reader = store.read(Query::all());
        let mut read = 0;
        while let Some(page) = reader.next_page().await.unwrap() {
            read += page.len();
            assert!(page.iter().all(|record| record.name() != "Large" || record.payload() == large.payload));
        }
        assert_eq!(read, 3);
        let mut too_large = event("TooLarge");
        too_large.payload = format!("\"{}\"", "x".repeat(NewEvent::MAX_PAYLOAD_BYTES)).into_bytes();
        let refused = store.append(&stream("a"), Expected::Any, [too_large]).await.unwrap_err();
        assert!(refused.to_string().contains("event TooLarge for stream"), "{refused}");
    }

    async fn a_dropped_append_leaves_all_of_its_events_or_none(store: Store) {
        for round in 0..30 {
            let target = stream(&format!("{round}"));
            let batch = events(7);
            // Others keep the writer busy, so that some are dropped while they wait.
            let noise: Vec<_> = (0..4).map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.append(&stream("noise"), Expected::Any, events(1)).await })
            }).collect();
            not_waited_for(store.append(&target, Expected::NoStream, batch.clone())).await;
            for noise in noise {
                noise.await.unwrap().unwrap();
            }
            let version = store.version(&target).await.unwrap();
            assert!(version == Version::NONE || version == Version(7), "{version}");
            // Who wants to know appends it again.
            let again = store.append(&target, Expected::NoStream, batch).await.unwrap();
            assert_eq!((again.version(), store.version(&target).await.unwrap()), (Version(7), Version(7)));
        }
    }
}
