//! A checkpoint is saved only by who knows its last revision.

use super::joined;
use super::verdict::{Answer, otherwise, same};
use crate::Store;
use crate::log::Position;
use crate::store::{Checkpoint, CheckpointError, Effects, ProjectionKey};

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
        .save_checkpoint(store.tenant(), key, checkpoint, Effects::default())
        .await
}

/// What is kept for the handle's tenant.
pub(super) async fn found(store: &Store, key: ProjectionKey<'_>) -> Option<Checkpoint> {
    let found = store.backend().checkpoint(store.tenant(), key).await;
    found.succeeds()
}

/// Whether the checkpoint that is found is the one that should be, and why; its state is told as text.
#[track_caller]
pub(super) fn is_kept(because: &str, found: Option<Checkpoint>, wanted: Option<Checkpoint>) {
    let [found, wanted] = [found, wanted].map(|checkpoint| {
        checkpoint.map(|kept| {
            let state = kept.state.as_deref().map(String::from_utf8_lossy);
            (
                kept.revision,
                kept.position,
                state.map(Into::<String>::into),
            )
        })
    });
    same(
        format!("revision, position and state of a checkpoint are as saved ({because})"),
        found,
        wanted,
    );
}

cases! {
    checkpoints as __store_contract_checkpoints;

    async fn a_checkpoint_is_saved_only_by_who_knows_its_last_revision(store: Store) {
        is_kept("none was saved", found(&store, KEY).await, None);
        same("the first revision is 1", save(&store, KEY, checkpoint(0, 5)).await.succeeds(), 1);
        save(&store, KEY, checkpoint(0, 6)).await.fails("revision 1 is kept, not 0");
        same("a save raises the revision", save(&store, KEY, checkpoint(1, 9)).await.succeeds(), 2);
        // A rebuild may stand at the same position, or at an earlier one, and is another revision all the same.
        same("a save at the same position raises the revision", save(&store, KEY, checkpoint(2, 9)).await.succeeds(), 3);
        same("a save at an earlier position raises the revision", save(&store, KEY, checkpoint(3, 4)).await.succeeds(), 4);
        save(&store, KEY, checkpoint(3, 10)).await.fails("revision 4 is kept, not 3");
        is_kept("a refused save changes nothing", found(&store, KEY).await, Some(checkpoint(4, 4)));
    }

    async fn who_is_refused_is_told_both_revisions(store: Store) {
        for (saved, expected, actual) in [(None, 3, 0), (Some(0), 0, 1), (Some(1), 5, 2)] {
            if let Some(revision) = saved {
                save(&store, KEY, checkpoint(revision, 1)).await.succeeds();
            }
            let because = format!("revision {actual} is kept, not {expected}");
            match save(&store, KEY, checkpoint(expected, 7)).await.fails(&because) {
                CheckpointError::Moved { projection, expected: told, actual: there } => same(
                    "who is refused is told the projection's key, the revision that was given and the one that is kept",
                    (projection, told, there),
                    (KEY.to_string(), expected, actual),
                ),
                error => otherwise("`Moved`", &because, &error),
            }
        }
        is_kept("a refused save changes nothing", found(&store, KEY).await, Some(checkpoint(2, 1)));
    }

    async fn of_many_who_save_at_once_one_wins_each_revision(store: Store) {
        for round in 0..15 {
            let savers: Vec<_> = (0..6).map(|number| {
                let store = store.clone();
                tokio::spawn(async move { (number, save(&store, KEY, checkpoint(round, number)).await) })
            }).collect();
            let mut winner = None;
            for saver in savers {
                match joined(saver).await {
                    (number, Ok(revision)) => {
                        same("a save raises the revision by one", revision, round + 1);
                        assert!(winner.replace(number).is_none(), "two saved revision {revision}, but only one of those who load the same one may");
                    }
                    (_, Err(CheckpointError::Moved { expected, actual, .. })) => {
                        same("who is refused is told both revisions", (expected, actual), (round, round + 1));
                    }
                    (_, Err(error)) => otherwise("`Moved`", "another saved the revision", &error),
                }
            }
            is_kept("it is that of the one who was told so", found(&store, KEY).await, winner.map(|number| checkpoint(round + 1, number)));
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
            is_kept(&format!("none was saved of {key}"), found(&store, key).await, None);
            same(format!("the first revision of {key} is 1"), save(&store, key, checkpoint(0, number)).await.succeeds(), 1);
        }
        for (number, key) in (1..).zip(keys) {
            is_kept(&format!("{key} has one of its own"), found(&store, key).await, Some(checkpoint(1, number)));
        }
    }

    async fn a_state_comes_back_as_it_went_in_and_may_be_missing(store: Store) {
        let large = format!("[\"{}\"]", "🚴 é \\u0000 '".repeat(100_000));
        let states = [Some("{}"), None, Some(&*large), Some(""), None, Some("[1.0, 1.00, \"ä\"]  ")];
        for (revision, state) in (0..).zip(states) {
            let saved = Checkpoint { revision, position: Position(9), state: state.map(|text| text.as_bytes().to_vec()) };
            save(&store, KEY, saved.clone()).await.succeeds();
            let kept = Checkpoint { revision: revision + 1, ..saved };
            is_kept("a state comes back byte by byte, and none as none", found(&store, KEY).await, Some(kept));
        }
    }
}
