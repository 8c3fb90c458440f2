//! The same ids again: the first result, or an error that says why not.

use super::{event, events, stream};
use crate::log::{AppendError, Batch, Expected, Version};

cases! {
    idempotence as __store_contract_idempotence;

    async fn the_same_batch_again_returns_the_first_result(store: Store) {
        let batch = events(3);
        let first = store.append(&stream("a"), Expected::NoStream, batch.clone()).await.unwrap();
        store.append(&stream("a"), Expected::Any, events(4)).await.unwrap();
        store.append(&stream("b"), Expected::Any, events(1)).await.unwrap();
        // The condition no longer holds, and is not asked.
        let again = store.append(&stream("a"), Expected::NoStream, batch).await.unwrap();
        assert!(again.repeated);
        assert_eq!((again.position, again.version()), (first.position, Version(3)));
        assert_eq!(store.stats().await.unwrap().events, 8);
    }

    async fn it_is_recognised_whatever_the_condition(store: Store) {
        for (number, expected) in [Expected::Any, Expected::StreamExists, Expected::Version(Version(1)), Expected::NoStream].into_iter().enumerate() {
            let target = stream(&format!("{number}"));
            if expected != Expected::NoStream {
                store.append(&target, Expected::NoStream, events(1)).await.unwrap();
            }
            let batch = events(2);
            let first = store.append(&target, expected, batch.clone()).await.unwrap();
            let again = store.append(&target, expected, batch).await.unwrap();
            assert_eq!((again.repeated, again.version(), again.position), (true, first.version(), first.position));
        }
    }

    async fn a_unit_of_work_again_returns_each_streams_first_version(store: Store) {
        let batch = Batch::new()
            .append(stream("a"), Expected::NoStream, events(2))
            .append(stream("b"), Expected::NoStream, events(3))
            .check(stream("c"), Expected::NoStream);
        let first = store.append_batch(batch.clone()).await.unwrap();
        store.append(&stream("b"), Expected::Any, events(1)).await.unwrap();
        let again = store.append_batch(batch).await.unwrap();
        assert!(again.repeated);
        assert_eq!((again.streams, again.position), (first.streams, first.position));
    }

    async fn known_ids_with_other_content_are_an_error_and_never_a_conflict(store: Store) {
        let batch = events(2);
        store.append(&stream("a"), Expected::NoStream, batch.clone()).await.unwrap();
        let before = store.stats().await.unwrap();
        let mut other_payload = batch.clone();
        other_payload[1].payload = b"2".to_vec();
        let mut other_name = batch.clone();
        other_name[0].name = "Other".into();
        let mut other_version = batch.clone();
        other_version[0].schema_version = 2;
        let reversed = vec![batch[1].clone(), batch[0].clone()];
        let longer = vec![batch[0].clone(), batch[1].clone(), event("More")];
        let mixed = vec![event("New"), batch[1].clone()];
        for changed in [other_payload, other_name, other_version, reversed, batch[..1].to_vec(), batch[1..].to_vec(), longer, mixed] {
            for expected in [Expected::NoStream, Expected::Any, Expected::Version(Version(2))] {
                let refused = store.append(&stream("a"), expected, changed.clone()).await.unwrap_err();
                let AppendError::Duplicate { event, version, .. } = refused else { panic!("{refused}") };
                assert!(batch.iter().any(|known| known.id == event));
                assert!((1..=2).contains(&version.0));
            }
        }
        let elsewhere = store.append(&stream("b"), Expected::NoStream, batch.clone()).await.unwrap_err();
        let AppendError::Duplicate { stream: holder, .. } = &elsewhere else { panic!("{elsewhere}") };
        assert_eq!(holder.id(), "a");
        assert_eq!(store.stats().await.unwrap().events, before.events);
        assert_eq!(store.stats().await.unwrap().streams, before.streams);
    }

    async fn two_known_batches_are_not_one(store: Store) {
        let (first, second) = (events(2), events(2));
        store.append(&stream("a"), Expected::NoStream, first.clone()).await.unwrap();
        store.append(&stream("a"), Expected::Any, second.clone()).await.unwrap();
        let both = [first.clone(), second.clone()].concat();
        let split = Batch::new()
            .append(stream("a"), Expected::Any, second[1..].to_vec())
            .append(stream("b"), Expected::Any, events(1));
        for batch in [Batch::new().append(stream("a"), Expected::NoStream, both), split] {
            let refused = store.append_batch(batch).await.unwrap_err();
            assert!(matches!(refused, AppendError::Duplicate { .. }), "{refused}");
        }
        assert_eq!(store.stats().await.unwrap().events, 4);
        // Each by itself still is what it was.
        for (batch, version) in [(first, 2), (second, 4)] {
            let again = store.append(&stream("a"), Expected::Any, batch).await.unwrap();
            assert_eq!((again.repeated, again.version()), (true, Version(version)));
        }
    }

    async fn ids_of_a_refused_append_are_still_free(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(1)).await.unwrap();
        let batch = events(2);
        store.append(&stream("a"), Expected::NoStream, batch.clone()).await.unwrap_err();
        let half = Batch::new().append(stream("b"), Expected::Any, batch.clone()).check(stream("c"), Expected::StreamExists);
        store.append_batch(half).await.unwrap_err();
        let appended = store.append(&stream("a"), Expected::Version(Version(1)), batch).await.unwrap();
        assert_eq!((appended.version(), appended.repeated), (Version(3), false));
    }

    async fn a_check_that_no_longer_holds_is_not_asked_of_a_batch_that_is_known(store: Store) {
        let batch = Batch::new()
            .append(stream("a"), Expected::NoStream, events(1))
            .check(stream("limit"), Expected::NoStream);
        let first = store.append_batch(batch.clone()).await.unwrap();
        store.append(&stream("limit"), Expected::NoStream, events(1)).await.unwrap();
        let again = store.append_batch(batch).await.unwrap();
        assert_eq!((again.repeated, again.version(), again.position), (true, Version(1), first.position));
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
                match append.await.unwrap() {
                    Ok(appended) => {
                        assert!(!appended.repeated);
                        taken += 1;
                    }
                    Err(AppendError::Duplicate { event, version, .. }) => assert_eq!((event, version), (shared.id, Version(1))),
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(taken, 1);
        }
        assert_eq!(store.stats().await.unwrap().streams, 10);
    }

    async fn the_same_batch_at_once_is_written_once(store: Store) {
        for round in 0..10 {
            let batch = events(3);
            let appends: Vec<_> = (0..6).map(|_| {
                let (store, batch) = (store.clone(), batch.clone());
                tokio::spawn(async move { store.append(&stream(&format!("{round}")), Expected::NoStream, batch).await.unwrap() })
            }).collect();
            let mut first = 0;
            for append in appends {
                let appended = append.await.unwrap();
                assert_eq!(appended.version(), Version(3));
                first += u32::from(!appended.repeated);
            }
            assert_eq!(first, 1);
        }
        assert_eq!(store.stats().await.unwrap().events, 30);
    }
}
