//! A projection is had by one holder at a time, and whoever had it before cannot save.

use std::time::Duration;

use uuid::Uuid;

use super::checkpoints::{KEY, checkpoint, found, is_kept, save};
use super::joined;
use super::verdict::{Answer, same};
use crate::Store;
use crate::background::sleep;
use crate::log::Position;
use crate::store::{Lease, ProjectionKey};

const LONG: Duration = Duration::from_mins(10);

/// Long enough to ask, short enough to wait for.
const SHORT: Duration = Duration::from_millis(80);

const A: Uuid = Uuid::from_u128(1);
const B: Uuid = Uuid::from_u128(2);

async fn ask(store: &Store, key: ProjectionKey<'_>, holder: Uuid, time: Duration) -> Lease {
    let lease = store.backend().lease(store.tenant(), key, holder, time);
    lease.await.succeeds()
}

/// What there should be to have, at the beginning of the log.
fn lease(is_held: bool, revision: u64) -> Lease {
    Lease {
        is_held,
        revision,
        position: Position::START,
    }
}

cases! {
    leases as __store_contract_leases;

    async fn a_lease_is_had_by_one_at_a_time(store: Store) {
        same("the first who asks has it", ask(&store, KEY, A, LONG).await, lease(true, 1));
        same("nobody else has it meanwhile", ask(&store, KEY, B, LONG).await, lease(false, 1));
        same("it is renewed without a new revision", ask(&store, KEY, A, LONG).await, lease(true, 1));
    }

    async fn a_lease_that_is_given_back_is_free_at_once(store: Store) {
        ask(&store, KEY, A, LONG).await;
        ask(&store, KEY, A, Duration::ZERO).await;
        same("the next who asks has it, with a revision of its own", ask(&store, KEY, B, LONG).await, lease(true, 2));
        same("who had it before has it no more", ask(&store, KEY, A, LONG).await, lease(false, 2));
    }

    async fn a_lease_passes_on_when_its_time_is_over(store: Store) {
        ask(&store, KEY, A, SHORT).await;
        sleep(SHORT * 2).await;
        same("the next who asks has it", ask(&store, KEY, B, LONG).await, lease(true, 2));
        same("who had it before has it no more", ask(&store, KEY, A, LONG).await, lease(false, 2));
    }

    async fn a_lease_whose_time_is_over_is_renewed_when_nobody_took_it(store: Store) {
        ask(&store, KEY, A, SHORT).await;
        sleep(SHORT * 2).await;
        same("it is the same lease", ask(&store, KEY, A, LONG).await, lease(true, 1));
        same("nobody else has it", ask(&store, KEY, B, LONG).await, lease(false, 1));
    }

    async fn who_lost_a_lease_cannot_save(store: Store) {
        let had = ask(&store, KEY, A, LONG).await;
        let revision = save(&store, KEY, checkpoint(had.revision, 5)).await.succeeds();
        ask(&store, KEY, A, Duration::ZERO).await;
        let has = ask(&store, KEY, B, LONG).await;
        same("a lease tells where the checkpoint is", has, Lease { position: Position(5), ..lease(true, revision + 1) });
        save(&store, KEY, checkpoint(revision, 6)).await.fails("another holder has the lease");
        save(&store, KEY, checkpoint(has.revision, 7)).await.succeeds();
        is_kept("only the holder saves", found(&store, KEY).await, Some(checkpoint(has.revision + 1, 7)));
    }

    async fn a_lease_stays_while_its_holder_saves(store: Store) {
        let had = ask(&store, KEY, A, LONG).await;
        let revision = save(&store, KEY, checkpoint(had.revision, 5)).await.succeeds();
        same("nobody else has it", ask(&store, KEY, B, LONG).await, Lease { position: Position(5), ..lease(false, revision) });
        same("its holder has it", ask(&store, KEY, A, LONG).await, Lease { position: Position(5), ..lease(true, revision) });
    }

    async fn a_lease_leaves_position_and_state_as_they_are(store: Store) {
        save(&store, KEY, checkpoint(0, 5)).await.succeeds();
        let lease = ask(&store, KEY, A, LONG).await;
        is_kept("a lease changes the revision alone", found(&store, KEY).await, Some(checkpoint(lease.revision, 5)));
    }

    async fn each_version_of_a_projection_has_a_lease_of_its_own(store: Store) {
        let other = ProjectionKey { fingerprint: 1, ..KEY };
        ask(&store, KEY, A, LONG).await;
        same("it is another version's", ask(&store, other, B, LONG).await, lease(true, 1));
        let other = ProjectionKey { name: "totals-2", ..KEY };
        same("it is another projection's", ask(&store, other, B, LONG).await, lease(true, 1));
    }

    async fn of_many_who_ask_at_once_one_has_the_lease(store: Store) {
        for round in 0..10_u64 {
            let asked: Vec<_> = (0..6).map(|number| {
                let store = store.clone();
                let holder = Uuid::from_u128(u128::from(10 * round + number));
                tokio::spawn(async move { (holder, ask(&store, KEY, holder, LONG).await) })
            }).collect();
            let mut holders = Vec::new();
            for asked in asked {
                let (holder, lease) = joined(asked).await;
                if lease.is_held {
                    holders.push((holder, lease.revision));
                }
            }
            same("one has it", holders.len(), 1);
            same("it raises the revision once", holders[0].1, round + 1);
            ask(&store, KEY, holders[0].0, Duration::ZERO).await;
        }
    }
}
