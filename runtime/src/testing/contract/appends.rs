//! Atomic, expected, and kept as it was given.

use chrono::{DateTime, Utc};

use super::verdict::{Answer, conflict, otherwise, same, same_list, same_text};
use super::{event, events, joined, not_waited_for, places, stream, versions};
use crate::log::{AppendError, Batch, Expected, Metadata, NewEvent, Query, StreamId, Version};

cases! {
    appends as __store_contract_appends;

    async fn an_append_returns_the_version_and_the_position_of_its_last_event(store: Store) {
        let first = store.append(&stream("a"), Expected::NoStream, events(3)).await.succeeds();
        same("an append returns the version of its last event, and is not repeated", (first.version(), first.repeated), (Version(3), false));
        let batch = Batch::new()
            .append(stream("b"), Expected::NoStream, events(2))
            .append(stream("a"), Expected::Version(Version(3)), events(2));
        let second = store.append_batch(batch).await.succeeds();
        same("each part says the version that its last event has", (versions(&second), second.repeated), (vec![("b", 2), ("a", 5)], false));
        for (id, version) in [("a", 5), ("b", 2), ("c", 0)] {
            same(format!("the version of {id} is that of its last event, or 0"), store.version(&stream(id)).await.succeeds(), Version(version));
        }
        same("the head is the position that the last append returned", store.head().await.succeeds(), second.position);
        let read = store.read(Query::all()).collect().await.succeeds();
        let positions: Vec<_> = read.iter().map(|event| event.position).collect();
        assert!(positions.is_sorted_by(|before, after| before < after), "positions rise in the order of the read, but were {positions:?}");
        same_list("an append returns the position of its last event", &[positions[2], positions[6]], &[first.position, second.position]);
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
            (8, Expected::Version(Version(i64::MAX.unsigned_abs())), false, false),
        ] {
            let empty = stream(&format!("empty-{number}"));
            let accepted = store.append(&empty, expected, events(1)).await.is_ok();
            same(format!("whether {expected} holds of an empty stream"), accepted, on_empty);
            let two = stream(&format!("two-{number}"));
            store.append(&two, Expected::Any, events(2)).await.succeeds();
            let accepted = store.append(&two, expected, events(1)).await.is_ok();
            same(format!("whether {expected} holds of a stream with two events"), accepted, on_two);
            same("what was accepted is written, and nothing else", store.version(&two).await.succeeds(), Version(2 + u64::from(on_two)));
        }
    }

    async fn a_conflict_names_the_stream_what_was_expected_and_what_is_there(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(2)).await.succeeds();
        let refused = store.append(&stream("a"), Expected::Version(Version(1)), events(1)).await;
        let (stream, expected, actual) = conflict(refused, "the stream is at version 2, not 1");
        same(
            "a conflict names the stream, what was expected and what is there",
            (stream.id(), expected, actual),
            ("a", Expected::Version(Version(1)), Version(2)),
        );
    }

    async fn a_conflict_in_a_later_part_names_its_stream_and_counts_the_parts_before(store: Store) {
        store.append(&stream("b"), Expected::NoStream, events(1)).await.succeeds();
        for (part, expected, actual) in [
            ("b", Expected::Version(Version(2)), 1),
            ("a", Expected::NoStream, 2),
            ("a", Expected::Version(Version(3)), 2),
            ("c", Expected::StreamExists, 0),
        ] {
            for count in [0, 1] {
                let batch = Batch::new()
                    .append(stream("a"), Expected::NoStream, events(2))
                    .append(stream(part), expected, events(count))
                    .append(stream("d"), Expected::StreamExists, events(1));
                let because = format!("its second part expects {expected} of {part}, which is at version {actual} by then");
                let (named, asked, there) = conflict(store.append_batch(batch).await, &because);
                same(format!("a conflict is that of the first part that does not hold ({because})"), (named.id(), asked, there), (part, expected, Version(actual)));
            }
        }
    }

    async fn a_refused_append_changes_nothing(store: Store) {
        let first = store.append(&stream("a"), Expected::NoStream, events(2)).await.succeeds();
        let before = store.stats().await.succeeds();
        store.append(&stream("a"), Expected::NoStream, events(5)).await.fails("the stream has events");
        store.append(&stream("b"), Expected::StreamExists, [event("New")]).await.fails("the stream has no event");
        let after = store.stats().await.succeeds();
        same(
            "a refused append is not counted",
            (after.events, after.streams, after.events_by_name),
            (before.events, before.streams, before.events_by_name),
        );
        same("a refused append does not move the head", store.head().await.succeeds(), first.position);
        for (id, version) in [("a", Version(2)), ("b", Version::NONE)] {
            same("a refused append does not change a version", store.version(&stream(id)).await.succeeds(), version);
            let next = store.append(&stream(id), Expected::Version(version), events(1)).await.succeeds();
            same("what comes next is not moved by a refused append", next.version(), version.next());
        }
    }

    async fn an_append_without_events_writes_nothing_and_still_checks(store: Store) {
        store.append(&stream("a"), Expected::NoStream, []).await.succeeds();
        same("an append without events writes nothing", store.version(&stream("a")).await.succeeds(), Version::NONE);
        store.append(&stream("a"), Expected::StreamExists, []).await.fails("the stream has no event");
        let one = store.append(&stream("a"), Expected::NoStream, events(1)).await.succeeds();
        let checked = store.append(&stream("a"), Expected::Version(Version(1)), []).await.succeeds();
        same(
            "an append without events returns the version that is there and the head, and is not repeated",
            (checked.version(), checked.position, checked.repeated),
            (Version(1), one.position, false),
        );
        same("a batch without parts returns the head", store.append_batch(Batch::new()).await.succeeds().position, one.position);
        store.append(&stream("a"), Expected::NoStream, []).await.fails("the stream has an event");
        same("an append without events writes nothing", store.stats().await.succeeds().events, 1);
    }

    async fn several_streams_are_written_together_or_not_at_all(store: Store) {
        store.append(&stream("b"), Expected::NoStream, events(1)).await.succeeds();
        let batch = Batch::new()
            .append(stream("a"), Expected::NoStream, events(2))
            .append(stream("b"), Expected::NoStream, events(2))
            .append(stream("c"), Expected::NoStream, events(2));
        let (named, _, actual) = conflict(store.append_batch(batch).await, "its second stream has an event");
        same("a conflict names the stream and its version", (named.id(), actual), ("b", Version(1)));
        same("of a batch that is refused nothing is written", store.stats().await.succeeds().events, 1);

        let batch = Batch::new()
            .append(stream("a"), Expected::NoStream, events(2))
            .append(stream("b"), Expected::Version(Version(1)), events(2))
            .check(stream("c"), Expected::NoStream);
        let appended = store.append_batch(batch).await.succeeds();
        same("each part says the version of its stream", versions(&appended), vec![("a", 2), ("b", 3), ("c", 0)]);
        same("of a batch that is accepted all is written", store.stats().await.succeeds().events, 5);
    }

    async fn later_parts_of_a_batch_see_earlier_ones(store: Store) {
        let batch = Batch::new()
            .append(stream("a"), Expected::NoStream, events(1))
            .append(stream("b"), Expected::NoStream, events(1))
            .append(stream("a"), Expected::Version(Version(1)), events(2))
            .check(stream("a"), Expected::Version(Version(3)));
        let appended = store.append_batch(batch).await.succeeds();
        same("each part says the version that it left its stream at", versions(&appended), vec![("a", 1), ("b", 1), ("a", 3), ("a", 3)]);
        let all = store.read(Query::all()).collect().await.succeeds();
        same_list("events stand in the order of the batch", &places(&all), &[("a".into(), 1), ("b".into(), 1), ("a".into(), 2), ("a".into(), 3)]);
        let stale = Batch::new()
            .append(stream("a"), Expected::Version(Version(3)), events(1))
            .append(stream("a"), Expected::Version(Version(3)), events(1));
        store.append_batch(stale).await.fails("its first part moves the stream that its second part is about");
        same("of a batch that is refused nothing is written", store.version(&stream("a")).await.succeeds(), Version(3));
    }

    async fn five_thousand_events_are_one_batch(store: Store) {
        let batch = events(5000);
        let appended = store.append(&stream("a"), Expected::NoStream, batch.clone()).await.succeeds();
        same("a large batch is written as a small one", (appended.version(), appended.repeated), (Version(5000), false));
        let read = store.read(Query::stream(&stream("a"))).collect().await.succeeds();
        let found: Vec<_> = read.iter().map(|event| (event.id, event.version.0)).collect();
        let wanted: Vec<_> = batch.iter().map(|event| event.id).zip(1..).collect();
        same_list("the events are read in the batch's order, under versions from 1", &found, &wanted);
        let again = store.append(&stream("a"), Expected::NoStream, batch).await.succeeds();
        same(
            "a large batch is recognised as a small one",
            (again.version(), again.position, again.repeated),
            (Version(5000), appended.position, true),
        );
    }

    async fn what_was_appended_is_read_at_once_by_every_handle(store: Store) {
        let other = store.clone();
        for number in 1..=50 {
            let appended = store.append(&stream("a"), Expected::Any, events(1)).await.succeeds();
            same("a version is told once an append has returned", other.version(&stream("a")).await.succeeds(), Version(number));
            same("the head is moved once an append has returned", other.head().await.succeeds(), appended.position);
            let last = other.read(Query::stream(&stream("a")).backwards().limit(1)).collect().await.succeeds();
            let found = last.first().map(|event| (event.version, event.position));
            same("an event is read once its append has returned", found, Some((Version(number), appended.position)));
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
            store.append(&stream, Expected::NoStream, events).await.succeeds();
        }
        for (number, (category, id)) in names.into_iter().enumerate() {
            let stream = StreamId::new(category, id).unwrap();
            same(format!("{stream:?} has its own versions"), store.version(&stream).await.succeeds(), Version(number as u64 + 1));
            same(format!("{stream:?} has its own events"), store.read(Query::stream(&stream)).collect().await.succeeds().len(), number + 1);
            let of_kind = store.read(Query::all().category(category).names([id])).collect().await.succeeds();
            same(format!("category {category:?} has its own events called {id:?}"), of_kind.len(), number + 1);
            let wanted = names.iter().zip(1..).filter(|((_, name), _)| *name == id).map(|(_, count)| count).sum::<u64>();
            same(format!("events called {id:?} are counted by themselves"), store.stats().await.succeeds().events_by_name.get(id).copied(), Some(wanted));
        }
    }

    async fn odd_names_are_kept_as_they_are(store: Store) {
        for name in ["with space", "quote's \"name\"", "a/b/../c", "🚴", "%00", "-", "' OR 1=1; DROP TABLE events; --", "line\nbreak", "\u{202e}rtl", &"x".repeat(4096)] {
            let stream = StreamId::new("odd category é", name).unwrap();
            let new = NewEvent::json(name.chars().take(60).collect::<String>(), 7, &name).unwrap();
            store.append(&stream, Expected::NoStream, [new.clone()]).await.succeeds();
            let read = store.read(Query::stream(&stream)).collect().await.succeeds();
            let found: Vec<_> = read.iter().map(|event| (event.stream.category().as_str(), event.stream.id(), &*event.name)).collect();
            same_list("odd names of streams and events come back as they went in", &found, &[("odd category é", name, &*new.name)]);
            same_text("a payload comes back as it went in", &read[0].payload, &new.payload);
        }
        let too_long = StreamId::new("account", "x".repeat(10_000)).map_err(|error| error.to_string());
        assert!(too_long.as_ref().is_err_and(|error| error.contains("at most 4096 bytes")), "an id of 10000 bytes is refused, but was {too_long:?}");
        assert!(StreamId::new("account", "").is_err() && StreamId::new("account", "a\0b").is_err(), "an empty id and one with a NUL are refused, but were not");
    }

    async fn everything_of_an_event_comes_back_as_it_went_in(store: Store) {
        let mut new = event("Kept");
        new.schema_version = 12;
        new.recorded_at = DateTime::from_timestamp_micros(-62_135_596_800_000_001).unwrap();
        new.metadata = Metadata::new().actor("älice").correlation(uuid::Uuid::max()).with("n", 1.5);
        new.payload = r#"{"deep":[1,{"x":"\u0000é"}],"big":123456789012345678901234567890}"#.into();
        store.append(&stream("a"), Expected::Any, [new.clone()]).await.succeeds();
        let read = store.read(Query::all()).collect().await.succeeds();
        let [read] = &read[..] else { panic!("one event was appended, but {} were read", read.len()) };
        same(
            "id, name, schema version, time and metadata of an event come back as they went in",
            (read.id, &*read.name, read.schema_version, read.recorded_at, &read.metadata),
            (new.id, &*new.name, 12, new.recorded_at, &new.metadata),
        );
        same_text("a payload comes back byte by byte", &read.payload, &new.payload);
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
            let error = store.append(&stream("a"), Expected::Any, events).await.fails(reason);
            if !matches!(error, AppendError::Refused { .. }) || !error.to_string().contains(reason) {
                otherwise("`Refused`", reason, &error);
            }
        }
        same("what is refused is not written", store.version(&stream("a")).await.succeeds(), Version::NONE);
        // Ids need not rise.
        let mut unordered = events(9);
        unordered.reverse();
        unordered.swap(2, 5);
        store.append(&stream("a"), Expected::NoStream, unordered).await.succeeds();
    }

    async fn times_are_kept_to_the_microsecond_and_do_not_order_the_log(store: Store) {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let times = ["2026-01-01T00:00:00.123456789Z", "1969-12-31T23:59:59.999999Z", "2025-06-01T12:00:00Z", "9999-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00.000001Z"];
        for at in times {
            let mut new = event("Timed");
            new.recorded_at = time(at);
            store.append(&stream("a"), Expected::Any, [new]).await.succeeds();
        }
        let read = store.read(Query::all()).collect().await.succeeds();
        let found: Vec<_> = read.iter().map(|event| event.recorded_at).collect();
        let wanted = ["2026-01-01T00:00:00.123456Z", "1969-12-31T23:59:59.999999Z", "2025-06-01T12:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00.000001Z"].map(time);
        same_list("times are kept to the microsecond, and events stay in the order of the appends", &found, &wanted);
        for (query, wanted) in [
            (Query::all().since(time("2026-01-01T00:00:00.123456Z")), 2),
            (Query::all().since(time("2026-01-01T00:00:00.123456001Z")), 1),
            (Query::all().before(time("2026-01-01T00:00:00.123456001Z")), 4),
            (Query::all().before(time("2026-01-01T00:00:00.123456Z")), 3),
        ] {
            let promise = format!("times are compared to the nanosecond, `since` with and `before` without the time: {query:?}");
            same(promise, store.read(query).collect().await.succeeds().len(), wanted);
        }
    }

    async fn a_payload_of_16_mib_is_stored_and_read(store: Store) {
        let large = NewEvent::json("Large", 1, &"x".repeat(16 << 20)).unwrap();
        store.append(&stream("a"), Expected::Any, [event("Small"), large.clone(), event("Small")]).await.succeeds();
        let mut reader = store.read(Query::all());
        let mut read = 0;
        while let Some(page) = reader.next_page().await.succeeds() {
            read += page.len();
            for record in page.iter().filter(|record| record.name() == "Large") {
                same_text("a large payload comes back as it went in", record.payload(), &large.payload);
            }
        }
        same("a large event and its neighbours are read", read, 3);
        let mut too_large = event("TooLarge");
        too_large.payload = format!("\"{}\"", "x".repeat(NewEvent::MAX_PAYLOAD_BYTES)).into_bytes();
        let because = "the payload is too large";
        let refused = store.append(&stream("a"), Expected::Any, [too_large]).await.fails(because);
        if !refused.to_string().contains("event TooLarge for stream") {
            otherwise("`Refused`", because, &refused);
        }
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
                joined(noise).await.succeeds();
            }
            let version = store.version(&target).await.succeeds();
            assert!(version == Version::NONE || version == Version(7), "an append of seven events whose future was dropped leaves all or none, but left {version}");
            // Who wants to know appends it again.
            let again = store.append(&target, Expected::NoStream, batch).await.succeeds();
            same("a dropped append may be appended again", (again.version(), store.version(&target).await.succeeds()), (Version(7), Version(7)));
        }
    }
}
