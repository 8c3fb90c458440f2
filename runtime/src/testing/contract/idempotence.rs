//! The same ids again: the first result, or an error that says why not.

use super::verdict::{Answer, duplicate, otherwise, same, same_events};
use super::{event, events, joined, stream, versions};
use crate::log::{AppendError, Batch, Expected, Metadata, NewEvent, Query, Version};

cases! {
    idempotence as __store_contract_idempotence;

    async fn the_same_batch_again_returns_the_first_result(store: Store) {
        let batch = events(3);
        let first = store.append(&stream("a"), Expected::NoStream, batch.clone()).await.succeeds();
        store.append(&stream("a"), Expected::Any, events(4)).await.succeeds();
        store.append(&stream("b"), Expected::Any, events(1)).await.succeeds();
        // The condition no longer holds, and is not asked.
        let again = store.append(&stream("a"), Expected::NoStream, batch).await.succeeds();
        same("a batch that is known is marked as repeated", again.repeated, true);
        same("it is answered with its first position and version", (again.position, again.version()), (first.position, Version(3)));
        same("a batch that is known writes nothing", store.stats().await.succeeds().events, 8);
    }

    async fn it_is_recognised_whatever_the_condition(store: Store) {
        for (number, expected) in [Expected::Any, Expected::StreamExists, Expected::Version(Version(1)), Expected::NoStream].into_iter().enumerate() {
            let target = stream(&format!("{number}"));
            if expected != Expected::NoStream {
                store.append(&target, Expected::NoStream, events(1)).await.succeeds();
            }
            let batch = events(2);
            let first = store.append(&target, expected, batch.clone()).await.succeeds();
            let again = store.append(&target, expected, batch).await.succeeds();
            same(
                format!("a batch that expected {expected} is recognised, and answered as it was at first"),
                (again.repeated, again.version(), again.position),
                (true, first.version(), first.position),
            );
        }
    }

    async fn a_unit_of_work_again_returns_each_streams_first_version(store: Store) {
        let batch = Batch::new()
            .append(stream("a"), Expected::NoStream, events(2))
            .append(stream("b"), Expected::NoStream, events(3))
            .check(stream("c"), Expected::NoStream);
        let first = store.append_batch(batch.clone()).await.succeeds();
        store.append(&stream("b"), Expected::Any, events(1)).await.succeeds();
        let again = store.append_batch(batch).await.succeeds();
        same("a batch that is known is marked as repeated", again.repeated, true);
        same("each part says the version that its last event has", versions(&again), versions(&first));
        same("the position is that of the batch's last event", again.position, first.position);
    }

    async fn times_and_metadata_do_not_matter_and_stay_as_they_were_at_first(store: Store) {
        let batch = events(2);
        let first = store.append(&stream("a"), Expected::NoStream, batch.clone()).await.succeeds();
        let before = store.read(Query::all()).collect().await.succeeds();
        let mut later = batch;
        for event in &mut later {
            event.recorded_at += chrono::TimeDelta::seconds(7);
            event.metadata = Metadata::new().actor("somebody else");
        }
        let again = store.append(&stream("a"), Expected::NoStream, later).await.succeeds();
        same("a batch is recognised whatever its times and metadata", (again.repeated, again.version(), again.position), (true, Version(2), first.position));
        let after = store.read(Query::all()).collect().await.succeeds();
        same_events("a batch that is known changes nothing of its events", &after, &before);
    }

    async fn how_its_events_are_divided_into_parts_does_not_matter(store: Store) {
        let (one, two, three, four) = (event("One"), event("Two"), event("Three"), event("Four"));
        let divided = |cuts: &[(&str, &[&NewEvent])]| cuts.iter().fold(Batch::new(), |batch, (id, events)| {
            batch.append(stream(id), Expected::Any, events.iter().map(|event| (*event).clone()))
        });
        let first = store.append_batch(divided(&[("a", &[&one, &two]), ("a", &[&three]), ("b", &[&four])])).await.succeeds();
        same("each part says the version that its last event has", versions(&first), vec![("a", 2), ("a", 3), ("b", 1)]);
        for (batch, wanted) in [
            (divided(&[("a", &[&one]), ("a", &[&two, &three]), ("b", &[&four])]), vec![("a", 1), ("a", 3), ("b", 1)]),
            (divided(&[("a", &[&one, &two, &three]), ("b", &[&four])]), vec![("a", 3), ("b", 1)]),
            (divided(&[("a", &[&one, &two, &three]), ("c", &[]), ("b", &[&four])]), vec![("a", 3), ("c", 0), ("b", 1)]),
        ] {
            let again = store.append_batch(batch).await.succeeds();
            same("the same events in other parts are recognised, at the same position", (again.repeated, again.position), (true, first.position));
            same("the streams of the answer are those of the parts at hand, in their order", versions(&again), wanted);
        }
        let moved = divided(&[("a", &[&one, &two]), ("b", &[&three, &four])]);
        duplicate(store.append_batch(moved).await, "an event of the known batch is in another stream");
        let turned = divided(&[("b", &[&four]), ("a", &[&one, &two, &three])]);
        duplicate(store.append_batch(turned).await, "the events of the known batch are in another order");
    }

    async fn a_part_that_only_checks_may_come_or_go_and_says_what_is_there_now(store: Store) {
        let batch = events(2);
        let first = store.append(&stream("a"), Expected::NoStream, batch.clone()).await.succeeds();
        for (at_limit, at_a) in [(0, 2), (3, 5)] {
            let checked = Batch::new()
                .check(stream("limit"), Expected::Version(Version(9)))
                .append(stream("a"), Expected::NoStream, batch.clone())
                .check(stream("a"), Expected::NoStream);
            let again = store.append_batch(checked).await.succeeds();
            same("a batch is recognised whatever it checks besides", (again.repeated, again.position), (true, first.position));
            same(
                "a part with events says the version that its last event has, one that only checks says what is there now",
                versions(&again),
                vec![("limit", at_limit), ("a", 2), ("a", at_a)],
            );
            for id in ["limit", "a"] {
                store.append(&stream(id), Expected::Any, events(3)).await.succeeds();
            }
        }
    }

    async fn known_ids_with_other_content_are_an_error_and_never_a_conflict(store: Store) {
        let batch = events(2);
        store.append(&stream("a"), Expected::NoStream, batch.clone()).await.succeeds();
        let before = store.stats().await.succeeds();
        let mut payload = batch.clone();
        payload[1].payload = b"2".to_vec();
        // As a value it is the same.
        let mut spaces = batch.clone();
        spaces[1].payload.push(b' ');
        let mut name = batch.clone();
        name[0].name = "Other".into();
        let mut version = batch.clone();
        version[0].schema_version = 2;
        let reversed = vec![batch[1].clone(), batch[0].clone()];
        let longer = vec![batch[0].clone(), batch[1].clone(), event("More")];
        let mixed = vec![event("New"), batch[1].clone()];
        for (changed, because) in [
            (payload, "a payload differs"),
            (spaces, "the bytes of a payload differ"),
            (name, "a name differs"),
            (version, "a schema version differs"),
            (reversed, "the order differs"),
            (batch[..1].to_vec(), "the last event is missing"),
            (batch[1..].to_vec(), "the first event is missing"),
            (longer, "an event was added at the end"),
            (mixed, "one event is new and one is known"),
        ] {
            for expected in [Expected::NoStream, Expected::Any, Expected::Version(Version(2))] {
                let (event, holder, version) = duplicate(store.append(&stream("a"), expected, changed.clone()).await, because);
                let found = batch.iter().position(|known| known.id == event).map(|index| (holder.id().to_owned(), version.0, index as u64 + 1));
                assert!(
                    found.as_ref().is_some_and(|(holder, told, there)| holder == "a" && told == there),
                    "a refused id is told with the stream and the version where it stands, but {event:?} was told to be in {holder} at version {version}"
                );
            }
        }
        let (_, holder, _) = duplicate(store.append(&stream("b"), Expected::NoStream, batch.clone()).await, "the events stand in another stream");
        same("a duplicate names the stream that holds the id", holder.id(), "a");
        let after = store.stats().await.succeeds();
        same("refused batches change nothing", (after.events, after.streams), (before.events, before.streams));
    }

    async fn two_known_batches_are_not_one(store: Store) {
        let (first, second) = (events(2), events(2));
        store.append(&stream("a"), Expected::NoStream, first.clone()).await.succeeds();
        store.append(&stream("a"), Expected::Any, second.clone()).await.succeeds();
        let both = [first.clone(), second.clone()].concat();
        let split = Batch::new()
            .append(stream("a"), Expected::Any, second[1..].to_vec())
            .append(stream("b"), Expected::Any, events(1));
        for (batch, because) in [
            (Batch::new().append(stream("a"), Expected::NoStream, both), "its events were two batches"),
            (split, "one of its events is a part of another batch"),
        ] {
            duplicate(store.append_batch(batch).await, because);
        }
        same("refused batches change nothing", store.stats().await.succeeds().events, 4);
        for (batch, version) in [(first, 2), (second, 4)] {
            let again = store.append(&stream("a"), Expected::Any, batch).await.succeeds();
            same("each batch by itself is still known", (again.repeated, again.version()), (true, Version(version)));
        }
    }

    async fn ids_of_a_refused_append_are_still_free(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(1)).await.succeeds();
        let batch = events(2);
        store.append(&stream("a"), Expected::NoStream, batch.clone()).await.fails("the stream has an event");
        let half = Batch::new().append(stream("b"), Expected::Any, batch.clone()).check(stream("c"), Expected::StreamExists);
        store.append_batch(half).await.fails("a stream that it checks has no event");
        let appended = store.append(&stream("a"), Expected::Version(Version(1)), batch).await.succeeds();
        same("ids that were refused are new ones still", (appended.version(), appended.repeated), (Version(3), false));
    }

    async fn a_check_that_no_longer_holds_is_not_asked_of_a_batch_that_is_known(store: Store) {
        let batch = Batch::new()
            .append(stream("a"), Expected::NoStream, events(1))
            .check(stream("limit"), Expected::NoStream);
        let first = store.append_batch(batch.clone()).await.succeeds();
        store.append(&stream("limit"), Expected::NoStream, events(1)).await.succeeds();
        let again = store.append_batch(batch).await.succeeds();
        same(
            "a batch that is known is answered as it was at first",
            (again.repeated, again.version(), again.position),
            (true, Version(1), first.position),
        );
    }

    async fn an_id_in_two_batches_at_once_is_taken_by_one(store: Store) {
        for round in 0..10 {
            let shared = event("Shared");
            let appends: Vec<_> = (0..6).map(|number: usize| {
                let store = store.clone();
                let batch = [vec![shared.clone()], events(number)].concat();
                tokio::spawn(async move { store.append(&stream(&format!("{round}-{number}")), Expected::NoStream, batch).await })
            }).collect();
            let mut taken = 0;
            for append in appends {
                match joined(append).await {
                    Ok(appended) => {
                        same("batches that share one id are not the same", appended.repeated, false);
                        taken += 1;
                    }
                    Err(AppendError::Duplicate { event, version, .. }) => {
                        same("a duplicate names the id and where it stands", (event, version), (shared.id, Version(1)));
                    }
                    Err(error) => otherwise("a duplicate", "another batch holds the id", &error),
                }
            }
            same("of six batches with the same id exactly one is taken", taken, 1);
        }
        same("refused batches write nothing", store.stats().await.succeeds().streams, 10);
    }

    async fn the_same_batch_at_once_is_written_once(store: Store) {
        for round in 0..10 {
            let batch = events(3);
            let appends: Vec<_> = (0..6).map(|_| {
                let (store, batch) = (store.clone(), batch.clone());
                tokio::spawn(async move { store.append(&stream(&format!("{round}")), Expected::NoStream, batch).await.succeeds() })
            }).collect();
            let mut first = 0;
            for append in appends {
                let appended = joined(append).await;
                same("each who appends the same batch is told its version", appended.version(), Version(3));
                first += u32::from(!appended.repeated);
            }
            same("of six who append the same batch exactly one writes it", first, 1);
        }
        same("each batch is written once", store.stats().await.succeeds().events, 30);
    }
}
