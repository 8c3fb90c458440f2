//! What is kept beside the events: snapshots, checkpoints with their leases, dead letters.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::URL;
use crate::log::{Position, StreamId, TenantId};
use crate::store::{
    Checkpoint, CheckpointError, DeadLetter, Effects, Lease, ProjectionKey, Replaces,
    StoredSnapshot,
};

#[derive(Default)]
pub(super) struct State {
    snapshots: BTreeMap<StreamId, StoredSnapshot>,
    checkpoints: HashMap<CheckpointKey, Kept>,
    dead_letters: BTreeMap<(Option<TenantId>, String, u64, Position), DeadLetter>,
}

/// A projection of a tenant, in one version.
pub(super) type CheckpointKey = (Option<TenantId>, String, u64);

/// A checkpoint, and who has its lease until when.
#[derive(Clone)]
struct Kept {
    checkpoint: Checkpoint,
    lease: Option<(Uuid, Instant)>,
}

impl State {
    pub(super) fn snapshot(&self, stream: &StreamId, fingerprint: u64) -> Option<&StoredSnapshot> {
        self.snapshots
            .get(stream)
            .filter(|snapshot| snapshot.fingerprint == fingerprint)
    }

    pub(super) fn save_snapshot(&mut self, stream: &StreamId, snapshot: StoredSnapshot) {
        let kept = self.snapshot(stream, snapshot.fingerprint);
        if kept.is_none_or(|kept| kept.version < snapshot.version) {
            self.snapshots.insert(stream.clone(), snapshot);
        }
    }

    pub(super) fn delete_snapshots(
        &mut self,
        tenant: Option<&TenantId>,
        category: Option<&str>,
    ) -> u64 {
        let before = self.snapshots.len();
        self.snapshots.retain(|stream, _| {
            tenant.is_some_and(|tenant| stream.tenant() != Some(tenant))
                || category.is_some_and(|category| stream.category().as_str() != category)
        });
        (before - self.snapshots.len()) as u64
    }

    pub(super) fn checkpoint(&self, key: &CheckpointKey) -> Option<&Checkpoint> {
        self.checkpoints.get(key).map(|kept| &kept.checkpoint)
    }

    pub(super) fn save_checkpoint(
        &mut self,
        key: CheckpointKey,
        checkpoint: Checkpoint,
        effects: Effects,
    ) -> Result<u64, CheckpointError> {
        let expected = checkpoint.revision;
        let kept = self.checkpoints.get(&key);
        let actual = kept.map_or(0, |kept| kept.checkpoint.revision);
        let projection = ProjectionKey {
            name: &key.1,
            fingerprint: key.2,
        };
        let projection = || projection.to_string();
        if expected != actual {
            return Err(CheckpointError::Moved {
                projection: projection(),
                expected,
                actual,
            });
        }
        if !effects.sql.is_empty() {
            return Err(CheckpointError::NoTables {
                projection: projection(),
                store: URL.to_owned(),
            });
        }
        let (tenant, name, fingerprint) = key.clone();
        let letter = |position| (tenant.clone(), name.clone(), fingerprint, position);
        for position in effects.settled {
            self.dead_letters.remove(&letter(position));
        }
        for dead in effects.set_aside {
            self.dead_letters.insert(letter(dead.position), dead);
        }
        let ends = |(of, named, other): (&Option<TenantId>, &String, u64)| {
            *of == tenant
                && *named == name
                && match effects.replaces {
                    Replaces::Nothing => false,
                    Replaces::Version(version) => other == version,
                    Replaces::Others => other != fingerprint,
                }
        };
        self.checkpoints
            .retain(|(of, named, other), _| !ends((of, named, *other)));
        self.dead_letters
            .retain(|(of, named, other, _), _| !ends((of, named, *other)));
        let lease = kept_lease(self.checkpoints.get(&key));
        let revision = actual + 1;
        let checkpoint = Checkpoint {
            revision,
            ..checkpoint
        };
        self.checkpoints.insert(key, Kept { checkpoint, lease });
        Ok(revision)
    }

    pub(super) fn lease(&mut self, key: CheckpointKey, holder: Uuid, time: Duration) -> Lease {
        let now = Instant::now();
        let kept = self.checkpoints.entry(key).or_insert_with(|| Kept {
            checkpoint: Checkpoint {
                revision: 0,
                position: Position::START,
                state: None,
            },
            lease: None,
        });
        let had_by = kept.lease.map(|(by, _)| by);
        let is_held = match kept.lease {
            Some((by, until)) => by == holder || until <= now,
            None => true,
        };
        if is_held {
            kept.checkpoint.revision += u64::from(had_by != Some(holder));
            // Longer than a clock can tell is for ever, which a hundred years are.
            let until = now.checked_add(time).unwrap_or(now + CENTURY);
            kept.lease = Some((holder, until));
        }
        Lease {
            is_held,
            revision: kept.checkpoint.revision,
            position: kept.checkpoint.position,
        }
    }

    pub(super) fn dead_letters(
        &self,
        tenant: Option<&TenantId>,
        projection: &str,
    ) -> Vec<DeadLetter> {
        let letters = self.dead_letters.iter();
        letters
            .filter(|((of, name, ..), _)| of.as_ref() == tenant && name == projection)
            .map(|(_, letter)| letter.clone())
            .collect()
    }
}

const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);

fn kept_lease(kept: Option<&Kept>) -> Option<(Uuid, Instant)> {
    kept.and_then(|kept| kept.lease)
}

pub(super) fn checkpoint_key(
    tenant: Option<&TenantId>,
    projection: ProjectionKey<'_>,
) -> CheckpointKey {
    (
        tenant.cloned(),
        projection.name.to_owned(),
        projection.fingerprint,
    )
}
