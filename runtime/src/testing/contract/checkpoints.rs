//! A checkpoint is saved only by who knows its last revision.

use crate::Store;
use crate::log::Position;
use crate::store::{Checkpoint, CheckpointError, ProjectionKey};

/// A projection.
pub(super) const KEY: ProjectionKey<'static> = ProjectionKey {
    name: "totals",
    fingerprint: u64::MAX,
};

/// A checkpoint of a revision, at a position.
pub(super) fn checkpoint(revision: u64, position: u64) -> Checkpoint {
    Checkpoint {
        revision,
        position: Position(position),
        state: Some(format!("[{position}]").into_bytes()),
    }
}

/// Saves for the handle's tenant.
pub(super) async fn save(
    store: &Store,
    key: ProjectionKey<'_>,
    checkpoint: Checkpoint,
) -> Result<u64, CheckpointError> {
    store
        .backend()
        .save_checkpoint(store.tenant(), key, checkpoint)
        .await
}

/// What is kept for the handle's tenant.
pub(super) async fn found(store: &Store, key: ProjectionKey<'_>) -> Option<Checkpoint> {
    store
        .backend()
        .checkpoint(store.tenant(), key)
        .await
        .unwrap()
}

cases! {
    checkpoints as __store_contract_checkpoints;

    async fn a_checkpoint_is_saved_only_by_who_knows_its_last_revision(store: Store) {
        assert_eq!(found(&store, KEY).await, None);
        assert_eq!(save(&store, KEY, checkpoint(0, 5)).await.unwrap(), 1);
        save(&store, KEY, checkpoint(0, 6)).await.unwrap_err();
        assert_eq!(save(&store, KEY, checkpoint(1, 9)).await.unwrap(), 2);
        // A rebuild may stand at the same position, or at an earlier one, and is another revision all the same.
        assert_eq!(save(&store, KEY, checkpoint(2, 9)).await.unwrap(), 3);
        assert_eq!(save(&store, KEY, checkpoint(3, 4)).await.unwrap(), 4);
        save(&store, KEY, checkpoint(3, 10)).await.unwrap_err();
        assert_eq!(found(&store, KEY).await, Some(checkpoint(4, 4)));
    }

    async fn who_is_refused_is_told_both_revisions(store: Store) {
        for (saved, expected, actual) in [(None, 3, 0), (Some(0), 0, 1), (Some(1), 5, 2)] {
            if let Some(revision) = saved {
                save(&store, KEY, checkpoint(revision, 1)).await.unwrap();
            }
            let refused = save(&store, KEY, checkpoint(expected, 7)).await.unwrap_err();
            let CheckpointError::Moved { projection, expected: told, actual: there } = refused else { panic!("{refused}") };
            assert_eq!((projection, told, there), (KEY.to_string(), expected, actual));
        }
        assert_eq!(found(&store, KEY).await, Some(checkpoint(2, 1)));
    }

    async fn of_many_who_save_at_once_one_wins_each_revision(store: Store) {
        for round in 0..15 {
            let savers: Vec<_> = (0..6).map(|number| {
                let store = store.clone();
                tokio::spawn(async move { (number, save(&store, KEY, checkpoint(round, number)).await) })
            }).collect();
            let mut winner = None;
            for saver in savers {
                match saver.await.unwrap() {
                    (number, Ok(revision)) => {
                        assert_eq!(revision, round + 1);
                        assert!(winner.replace(number).is_none(), "two saved revision {revision}");
                    }
                    (_, Err(CheckpointError::Moved { expected, actual, .. })) => assert_eq!((expected, actual), (round, round + 1)),
                    (_, Err(error)) => panic!("{error}"),
                }
            }
            assert_eq!(found(&store, KEY).await, winner.map(|number| checkpoint(round + 1, number)));
        }
    }

    async fn projections_and_their_releases_keep_their_checkpoints_side_by_side(store: Store) {
        let keys = [
            KEY,
            ProjectionKey { fingerprint: 7, ..KEY },
            ProjectionKey { fingerprint: 0, ..KEY },
            ProjectionKey { name: "Totals", ..KEY },
            ProjectionKey { name: "totals#7", fingerprint: 7 },
        ];
        for (number, key) in (1..).zip(keys) {
            assert_eq!(found(&store, key).await, None, "{key}");
            assert_eq!(save(&store, key, checkpoint(0, number)).await.unwrap(), 1);
        }
        for (number, key) in (1..).zip(keys) {
            assert_eq!(found(&store, key).await, Some(checkpoint(1, number)), "{key}");
        }
    }

    async fn a_state_comes_back_as_it_went_in_and_may_be_missing(store: Store) {
        let large = format!("[\"{}\"]", "🚴 é \\u0000 '".repeat(100_000));
        let states = [Some("{}"), None, Some(&*large), Some(""), None, Some("[1.0, 1.00, \"ä\"]  ")];
        for (revision, state) in (0..).zip(states) {
            let state = state.map(|text| text.as_bytes().to_vec());
            save(&store, KEY, Checkpoint { revision, position: Position(9), state: state.clone() }).await.unwrap();
            assert!(found(&store, KEY).await.unwrap().state == state, "revision {revision}");
        }
    }
}
