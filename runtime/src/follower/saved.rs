//! What the store keeps of a follower: its checkpoint and its lease.

use super::aside::Aside;
use super::{FollowError, Follower, Home, Saved};
use crate::log::Position;
use crate::sql::Batch;
use crate::store::{Checkpoint, CheckpointError, Effects, Lease, ProjectionKey, Replaces};

impl<H: Home> Follower<H> {
    /// Whether what it does is saved in the store.
    pub(super) fn saves(&self) -> bool {
        !self.stands_by && self.home.key().is_some()
    }

    /// Saves a checkpoint; false when it has moved.
    pub(super) async fn save(
        &mut self,
        position: Position,
        state: Option<Vec<u8>>,
        effects: Effects,
    ) -> Result<bool, FollowError> {
        let Some(key) = self.home.key() else {
            return Ok(true);
        };
        let checkpoint = Checkpoint {
            revision: self.revision,
            position,
            state,
        };
        let changes = effects
            .set_aside
            .iter()
            .map(|letter| (letter.position, letter.stream.clone()));
        let aside: Vec<_> = changes.collect();
        let settled = effects.settled.clone();
        let backend = self.store.backend();
        let saved = backend.save_checkpoint(self.store.tenant(), key, checkpoint, effects);
        match saved.await {
            Ok(revision) => {
                (self.revision, self.saved, self.ahead) = (revision, position, false);
                self.fence = self.fence.map(|_| revision);
                self.aside.were_settled(&settled);
                self.aside.were_saved(aside);
                self.home.was_saved();
                Ok(true)
            }
            Err(CheckpointError::Moved { .. }) => Ok(false),
            Err(error) => Err(FollowError::of_save(self.home.name(), error)),
        }
    }

    /// Takes position and state from the store; one that lives with the process begins at the first event. False, and nothing is
    /// taken, when another process has moved the checkpoint since this one was given the lease.
    pub(crate) async fn reload(&mut self) -> Result<bool, FollowError> {
        let tenant = self.store.tenant();
        let (stored, aside) = match self.home.key() {
            Some(key) => {
                let backend = self.store.backend();
                // First, so that letters which are changed in between are found out by its revision.
                let checkpoint = backend.checkpoint(tenant, key).await?;
                let letters = backend.dead_letters(tenant, key.name).await?;
                (checkpoint, Aside::of(&letters, key.fingerprint))
            }
            None => (None, Aside::default()),
        };
        let revision = stored.as_ref().map_or(0, |stored| stored.revision);
        if self.fence.is_some_and(|fence| fence != revision) {
            return Ok(false);
        }
        self.reading = None;
        let pending = std::mem::take(&mut self.aside);
        self.aside = aside.and_pending(pending);
        self.revision = revision;
        self.position = stored
            .as_ref()
            .map_or(Position::START, |stored| stored.position);
        self.home
            .restore(stored.as_ref().and_then(|stored| stored.state.as_deref()))?;
        if !self.home.is_restored() {
            self.position = Position::START;
        }
        self.saved = self.position;
        self.ahead = false;
        Ok(true)
    }

    /// Whatever is kept is replaced by the next save; tells what that is.
    pub(super) async fn begin(&mut self) -> Result<Option<Checkpoint>, FollowError> {
        let Some(key) = self.home.key() else {
            return Ok(None);
        };
        let backend = self.store.backend();
        let kept = backend.checkpoint(self.store.tenant(), key).await?;
        self.revision = kept.as_ref().map_or(0, |kept| kept.revision);
        self.fence = self.fence.map(|_| self.revision);
        Ok(kept)
    }

    /// Runs statements with the checkpoint as it is, and lets go of all other versions; false when another process has saved it
    /// since, and there is to be asked anew which statements those are.
    pub(crate) async fn drop_other_versions(&mut self, sql: Batch) -> Result<bool, FollowError> {
        // With nothing that was handled and not saved.
        self.ahead = true;
        let Saved { state, .. } = self.home.save(false)?;
        let mut effects = Effects::default();
        (effects.sql, effects.replaces) = (sql, Replaces::Others);
        self.save(self.position, state, effects).await
    }

    /// Takes what is saved, if it has to; false as [`reload`](Self::reload).
    pub(crate) async fn refresh(&mut self) -> Result<bool, FollowError> {
        Ok(!self.ahead || self.reload().await?)
    }

    /// What its checkpoint is kept under, if the store keeps one.
    pub(crate) fn key(&self) -> Option<ProjectionKey<'static>> {
        self.home.key()
    }

    /// From here on it saves, since it was given the lease, unless it has it already and nobody else changed anything.
    pub(crate) fn take_over(&mut self, lease: Lease) {
        self.stands_by = false;
        if self.fence != Some(lease.revision) {
            (self.fence, self.ahead) = (Some(lease.revision), true);
        }
    }

    /// From here on another process saves.
    pub(crate) fn stand_by(&mut self, lease: Lease) {
        (self.stands_by, self.fence) = (true, None);
        // What is set aside, tried again and dropped is that process's to say.
        if !self.aside.is_empty() && lease.revision != self.revision {
            self.ahead = true;
        }
    }

    /// Takes what is saved, before it goes on.
    pub(crate) fn begin_again(&mut self) {
        self.ahead = true;
    }
}
