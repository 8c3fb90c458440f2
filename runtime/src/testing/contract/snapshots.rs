//! A snapshot is kept by its shape, and the newest one is.

use super::{events, stream};
use crate::Store;
use crate::log::{Expected, StreamId, Version};
use crate::store::StoredSnapshot;

/// The fingerprint of a shape; another one is any other number.
pub(super) const SHAPE: u64 = u64::MAX;

/// A snapshot at a version, of a shape.
pub(super) fn snapshot(version: u64, fingerprint: u64) -> StoredSnapshot {
    StoredSnapshot {
        version: Version(version),
        fingerprint,
        state: format!("{{\"at\":{version}}}").into_bytes(),
    }
}

async fn save(store: &Store, stream: &StreamId, snapshot: StoredSnapshot) {
    let stream = store.bind(stream).unwrap();
    store
        .backend()
        .save_snapshot(&stream, snapshot)
        .await
        .unwrap();
}

async fn found(store: &Store, stream: &StreamId, fingerprint: u64) -> Option<StoredSnapshot> {
    let stream = store.bind(stream).unwrap();
    store
        .backend()
        .snapshot(&stream, fingerprint)
        .await
        .unwrap()
}

cases! {
    snapshots as __store_contract_snapshots;

    async fn a_newer_snapshot_replaces_an_older_one_and_never_the_other_way(store: Store) {
        let a = stream("a");
        assert_eq!(found(&store, &a, SHAPE).await, None);
        save(&store, &a, snapshot(10, SHAPE)).await;
        save(&store, &a, snapshot(5, SHAPE)).await;
        assert_eq!(found(&store, &a, SHAPE).await, Some(snapshot(10, SHAPE)));
        save(&store, &a, snapshot(20, SHAPE)).await;
        assert_eq!(found(&store, &a, SHAPE).await, Some(snapshot(20, SHAPE)));
        assert_eq!(found(&store, &stream("b"), SHAPE).await, None);
    }

    async fn one_of_another_shape_is_not_found_and_gives_way_to_any(store: Store) {
        let a = stream("a");
        save(&store, &a, snapshot(10, SHAPE)).await;
        assert_eq!(found(&store, &a, 1).await, None);
        save(&store, &a, snapshot(3, 1)).await;
        assert_eq!(found(&store, &a, 1).await, Some(snapshot(3, 1)));
        assert_eq!(found(&store, &a, SHAPE).await, None);
        assert_eq!(store.delete_snapshots(None).await.unwrap(), 1);
    }

    async fn of_many_saved_at_once_the_newest_is_kept(store: Store) {
        let savers: Vec<_> = (0..40_u64).map(|number| {
            let store = store.clone();
            // Neither rising nor falling.
            tokio::spawn(async move { save(&store, &stream("a"), snapshot(1 + number * 17 % 40, SHAPE)).await })
        }).collect();
        for saver in savers {
            saver.await.unwrap();
        }
        assert_eq!(found(&store, &stream("a"), SHAPE).await, Some(snapshot(40, SHAPE)));
    }

    async fn its_state_comes_back_as_it_went_in(store: Store) {
        let large = format!("\"{}\"", "🚴 é \\u0000 '".repeat(100_000));
        for (id, state) in [("a", "{}"), ("b", "[1.0, 1.00, \"ä\"]  "), ("c", &large)] {
            let snapshot = StoredSnapshot { state: state.as_bytes().to_vec(), ..snapshot(7, SHAPE) };
            save(&store, &stream(id), snapshot.clone()).await;
            assert!(found(&store, &stream(id), SHAPE).await == Some(snapshot), "{id}");
        }
    }

    async fn deleting_counts_them_by_category_and_touches_no_event(store: Store) {
        let (orders, accounts) = (["a", "b", "c"], ["a", "b"]);
        for id in orders {
            save(&store, &StreamId::new("order", id).unwrap(), snapshot(1, SHAPE)).await;
        }
        for id in accounts {
            save(&store, &stream(id), snapshot(1, SHAPE)).await;
            store.append(&stream(id), Expected::NoStream, events(2)).await.unwrap();
        }
        assert_eq!(store.delete_snapshots(Some("nothing")).await.unwrap(), 0);
        assert_eq!(store.delete_snapshots(Some("order")).await.unwrap(), 3);
        assert_eq!(store.delete_snapshots(Some("order")).await.unwrap(), 0);
        assert_eq!(found(&store, &stream("a"), SHAPE).await, Some(snapshot(1, SHAPE)));
        assert_eq!(store.delete_snapshots(None).await.unwrap(), 2);
        assert_eq!(found(&store, &stream("a"), SHAPE).await, None);
        assert_eq!(store.stats().await.unwrap().events, 4);
        // What was deleted does not stand in the way of an older one.
        save(&store, &stream("a"), snapshot(1, SHAPE)).await;
        assert_eq!(found(&store, &stream("a"), SHAPE).await, Some(snapshot(1, SHAPE)));
    }
}
