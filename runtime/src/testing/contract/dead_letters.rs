//! Events that a projection has set aside are kept with its checkpoint, or not at all.

use super::checkpoints::{KEY, checkpoint, save};
use super::stream;
use super::verdict::{Answer, same};
use crate::Store;
use crate::log::{EventId, Position};
use crate::store::{Checkpoint, DeadLetter, Effects, ProjectionKey, Replaces};
use uuid::Uuid;

/// One of a position, with all that a text may hold.
fn letter(store: &Store, key: ProjectionKey<'_>, position: u64) -> DeadLetter {
    DeadLetter {
        projection: key.name.to_owned(),
        fingerprint: key.fingerprint,
        position: Position(position),
        stream: store
            .bind(&stream("a"))
            .unwrap_or_else(|(stream, _)| stream),
        event: EventId(Uuid::from_u128(position.into())),
        name: "Counted".to_owned(),
        error: "it's \"no\" number:\n\u{1F980} \\".to_owned(),
        attempts: 3,
        at: chrono::DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap_or_default(),
        retry: false,
    }
}

fn aside(letters: impl IntoIterator<Item = DeadLetter>) -> Effects {
    let mut effects = Effects::default();
    effects.set_aside.extend(letters);
    effects
}

async fn keep(
    store: &Store,
    key: ProjectionKey<'_>,
    checkpoint: Checkpoint,
    effects: Effects,
) -> u64 {
    let backend = store.backend();
    let saved = backend.save_checkpoint(store.tenant(), key, checkpoint, effects);
    saved.await.succeeds()
}

async fn listed(store: &Store) -> Vec<DeadLetter> {
    store.dead_letters(KEY.name).await.succeeds()
}

/// How often the checkpoint was saved.
async fn revision(store: &Store) -> u64 {
    let kept = store.backend().checkpoint(store.tenant(), KEY).await;
    kept.succeeds().map_or(0, |kept| kept.revision)
}

cases! {
    dead_letters as __store_contract_dead_letters;

    async fn what_is_set_aside_is_kept_with_the_checkpoint_and_listed_by_position(store: Store) {
        same("there is none at first", listed(&store).await, Vec::new());
        let [first, second, third] = [2, 5, 9].map(|position| letter(&store, KEY, position));
        keep(&store, KEY, checkpoint(0, 5), aside([second.clone()])).await;
        keep(&store, KEY, checkpoint(1, 9), aside([third.clone(), first.clone()])).await;
        same("each is as it was set aside", listed(&store).await, vec![first, second, third]);
    }

    async fn a_refused_save_sets_nothing_aside_and_settles_nothing(store: Store) {
        let kept = letter(&store, KEY, 2);
        keep(&store, KEY, checkpoint(0, 2), aside([kept.clone()])).await;
        let mut effects = aside([letter(&store, KEY, 3)]);
        effects.settled.push(Position(2));
        let backend = store.backend();
        let refused = backend.save_checkpoint(store.tenant(), KEY, checkpoint(0, 3), effects);
        refused.await.fails("revision 1 is kept, not 0");
        same("they are as they were", listed(&store).await, vec![kept]);
    }

    async fn what_is_settled_is_set_aside_no_more(store: Store) {
        let letters = [2, 3, 4].map(|position| letter(&store, KEY, position));
        keep(&store, KEY, checkpoint(0, 4), aside(letters.clone())).await;
        let mut effects = Effects::default();
        effects.settled.extend([Position(2), Position(4), Position(77)]);
        keep(&store, KEY, checkpoint(1, 4), effects).await;
        same("the others are", listed(&store).await, vec![letters[1].clone()]);
    }

    async fn one_of_the_same_position_is_replaced(store: Store) {
        let before = letter(&store, KEY, 2);
        let after = DeadLetter { error: "again".into(), attempts: 4, retry: true, ..before.clone() };
        keep(&store, KEY, checkpoint(0, 2), aside([before])).await;
        keep(&store, KEY, checkpoint(1, 2), aside([after.clone()])).await;
        same("the later one is kept", listed(&store).await, vec![after]);
    }

    async fn other_versions_end_when_a_save_says_so(store: Store) {
        let keys = [1, 2, 3].map(|fingerprint| ProjectionKey { fingerprint, ..KEY });
        let of = |key: ProjectionKey<'_>| letter(&store, key, 2);
        for key in keys {
            keep(&store, key, checkpoint(0, 2), aside([of(key)])).await;
        }
        let other = ProjectionKey { name: "totals-2", fingerprint: 1 };
        save(&store, other, checkpoint(0, 2)).await.succeeds();
        let mut effects = Effects { replaces: Replaces::Version(2), ..Effects::default() };
        keep(&store, keys[0], checkpoint(1, 2), effects.clone()).await;
        same("that version is gone", listed(&store).await, vec![of(keys[0]), of(keys[2])]);
        effects.replaces = Replaces::Others;
        keep(&store, keys[0], checkpoint(2, 2), effects).await;
        same("all other versions are gone", listed(&store).await, vec![of(keys[0])]);
        let backend = store.backend();
        for (key, revision) in [(keys[0], Some(3)), (keys[1], None), (keys[2], None), (other, Some(1))] {
            let kept = backend.checkpoint(store.tenant(), key).await.succeeds();
            same("checkpoints go with their versions", kept.map(|kept| kept.revision), revision);
        }
    }

    async fn those_that_are_to_be_tried_again_or_dropped_raise_the_revision(store: Store) {
        let letters = [2, 3].map(|position| letter(&store, KEY, position));
        keep(&store, KEY, checkpoint(0, 4), aside(letters.clone())).await;
        store.retry_dead_letters(&letters[..1]).await.succeeds();
        let again = DeadLetter { retry: true, ..letters[0].clone() };
        same("one is to be tried again", listed(&store).await, vec![again.clone(), letters[1].clone()]);
        save(&store, KEY, checkpoint(1, 5)).await.fails("whoever runs it is to look again");
        let retried = revision(&store).await;
        store.drop_dead_letters(&letters[1..]).await.succeeds();
        same("the other one is gone", listed(&store).await, vec![again]);
        save(&store, KEY, checkpoint(retried, 5)).await.fails("whoever runs it is to look again");
        let dropped = revision(&store).await;
        save(&store, KEY, checkpoint(dropped, 5)).await.succeeds();
        // One that is not there changes nothing.
        store.drop_dead_letters(&letters[1..]).await.succeeds();
        save(&store, KEY, checkpoint(dropped + 1, 6)).await.succeeds();
    }
}
