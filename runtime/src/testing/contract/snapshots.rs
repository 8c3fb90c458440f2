//! A snapshot is kept by its shape, and the newest one is.

use super::verdict::{Answer, same};
use super::{events, joined, stream};
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

/// Saves for the handle's tenant.
pub(super) async fn save(store: &Store, stream: &StreamId, snapshot: StoredSnapshot) {
    let stream = store.bind(stream).unwrap();
    let saved = store.backend().save_snapshot(&stream, snapshot).await;
    saved.succeeds();
}

/// What is kept for the handle's tenant.
pub(super) async fn found(
    store: &Store,
    stream: &StreamId,
    fingerprint: u64,
) -> Option<StoredSnapshot> {
    let stream = store.bind(stream).unwrap();
    let found = store.backend().snapshot(&stream, fingerprint).await;
    found.succeeds()
}

/// Whether the snapshot that is found is the one that should be, and why; its state is told as text.
#[track_caller]
pub(super) fn is_kept(
    because: &str,
    found: Option<StoredSnapshot>,
    wanted: Option<StoredSnapshot>,
) {
    let [found, wanted] = [found, wanted].map(|snapshot| {
        snapshot.map(|kept| {
            let state = String::from_utf8_lossy(&kept.state).into_owned();
            (kept.version, kept.fingerprint, state)
        })
    });
    same(
        format!("version, shape and state of a snapshot are as saved ({because})"),
        found,
        wanted,
    );
}

cases! {
    snapshots as __store_contract_snapshots;

    async fn a_newer_snapshot_replaces_an_older_one_and_never_the_other_way(store: Store) {
        let a = stream("a");
        is_kept("none was saved", found(&store, &a, SHAPE).await, None);
        save(&store, &a, snapshot(10, SHAPE)).await;
        save(&store, &a, snapshot(5, SHAPE)).await;
        is_kept("an older one does not replace a newer one", found(&store, &a, SHAPE).await, Some(snapshot(10, SHAPE)));
        save(&store, &a, snapshot(20, SHAPE)).await;
        is_kept("a newer one replaces an older one", found(&store, &a, SHAPE).await, Some(snapshot(20, SHAPE)));
        is_kept("none was saved of another stream", found(&store, &stream("b"), SHAPE).await, None);
    }

    async fn one_of_another_shape_is_not_found_and_gives_way_to_any(store: Store) {
        let a = stream("a");
        save(&store, &a, snapshot(10, SHAPE)).await;
        is_kept("none was saved of this shape", found(&store, &a, 1).await, None);
        save(&store, &a, snapshot(3, 1)).await;
        is_kept("one of another shape replaces it, whatever their versions", found(&store, &a, 1).await, Some(snapshot(3, 1)));
        is_kept("one of another shape was saved since", found(&store, &a, SHAPE).await, None);
        same("a stream has one snapshot", store.delete_snapshots(None).await.succeeds(), 1);
    }

    async fn of_many_saved_at_once_the_newest_is_kept(store: Store) {
        let savers: Vec<_> = (0..40_u64).map(|number| {
            let store = store.clone();
            // Neither rising nor falling.
            tokio::spawn(async move { save(&store, &stream("a"), snapshot(1 + number * 17 % 40, SHAPE)).await })
        }).collect();
        for saver in savers {
            joined(saver).await;
        }
        is_kept("it is the newest of forty that were saved at once", found(&store, &stream("a"), SHAPE).await, Some(snapshot(40, SHAPE)));
    }

    async fn its_state_comes_back_as_it_went_in(store: Store) {
        let large = format!("\"{}\"", "🚴 é \\u0000 '".repeat(100_000));
        for (id, state) in [("a", "{}"), ("b", "[1.0, 1.00, \"ä\"]  "), ("c", &large)] {
            let snapshot = StoredSnapshot { state: state.as_bytes().to_vec(), ..snapshot(7, SHAPE) };
            save(&store, &stream(id), snapshot.clone()).await;
            is_kept("a state comes back byte by byte", found(&store, &stream(id), SHAPE).await, Some(snapshot));
        }
    }

    async fn deleting_counts_them_by_category_and_touches_no_event(store: Store) {
        let (orders, accounts) = (["a", "b", "c"], ["a", "b"]);
        for id in orders {
            save(&store, &StreamId::new("order", id).unwrap(), snapshot(1, SHAPE)).await;
        }
        for id in accounts {
            save(&store, &stream(id), snapshot(1, SHAPE)).await;
            store.append(&stream(id), Expected::NoStream, events(2)).await.succeeds();
        }
        same("a category without snapshots has none to delete", store.delete_snapshots(Some("nothing")).await.succeeds(), 0);
        same("deleting a category's snapshots counts them", store.delete_snapshots(Some("order")).await.succeeds(), 3);
        same("what was deleted is gone", store.delete_snapshots(Some("order")).await.succeeds(), 0);
        is_kept("only another category's were deleted", found(&store, &stream("a"), SHAPE).await, Some(snapshot(1, SHAPE)));
        same("deleting all counts those that were left", store.delete_snapshots(None).await.succeeds(), 2);
        is_kept("all were deleted", found(&store, &stream("a"), SHAPE).await, None);
        same("deleting snapshots touches no event", store.stats().await.succeeds().events, 4);
        save(&store, &stream("a"), snapshot(1, SHAPE)).await;
        is_kept("what was deleted does not stand in the way of an older one", found(&store, &stream("a"), SHAPE).await, Some(snapshot(1, SHAPE)));
    }
}
