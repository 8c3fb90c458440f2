//! All events once more, beside what is there.

use super::{FollowError, Follower, Progress, Rebuild, Saved};
use crate::store::{DeadLetter, Effects, Replaces};

impl<H: Rebuild> Follower<H> {
    /// Handles all events from the first, beside what is there, which is replaced at the end, in one step: other readers see the
    /// old one until then.
    ///
    /// # Errors
    /// [`FollowError`]; what was there stays.
    ///
    /// # Cancel safety
    /// A dropped future leaves what was there.
    pub async fn rebuild(&mut self) -> Result<Progress, FollowError> {
        let mut fresh = self.beside().await?;
        let events = fresh.catch_up().await?.events;
        self.adopt(fresh).await?;
        Ok(Progress {
            events,
            position: self.position,
        })
    }

    /// The same at the first event, beside this one.
    pub(crate) async fn beside(&self) -> Result<Self, FollowError> {
        let mut fresh = Self::at_start(&self.store, self.home.beside());
        fresh.begin().await?;
        Ok(fresh)
    }

    /// Takes over what was built beside; what is stored is replaced in one step.
    pub(crate) async fn adopt(&mut self, mut fresh: Self) -> Result<(), FollowError> {
        let replaces = fresh
            .home
            .key()
            .map(|key| Replaces::Version(key.fingerprint));
        let letters = fresh.letters().await?;
        loop {
            let Saved { state, sql } = self.home.adoption(&mut fresh.home)?;
            let mut effects = Effects::default();
            (effects.sql, effects.replaces) = (sql, replaces.unwrap_or_default());
            effects.settled = self
                .letters()
                .await?
                .into_iter()
                .map(|it| it.position)
                .collect();
            effects.set_aside = letters.clone();
            if self.save(fresh.position, state, effects).await? {
                break;
            }
            // Whoever else runs it takes what was rebuilt from the store, as soon as it is there. Should this end here, the other's is
            // taken, not replaced by the old one.
            self.ahead = true;
            let kept = self.begin().await?;
            // What is replaced is what is there now, which another rebuild may have put there. Where that cannot be read, nothing of
            // it is needed.
            let _ = self
                .home
                .restore(kept.as_ref().and_then(|kept| kept.state.as_deref()));
        }
        self.home.take(fresh.home);
        (self.position, self.saved) = (fresh.position, fresh.position);
        self.ahead = false;
        self.reading = None;
        self.suspect = None;
        self.aside = fresh.aside;
        Ok(())
    }

    /// What it has set aside.
    async fn letters(&self) -> Result<Vec<DeadLetter>, FollowError> {
        let Some(key) = self.home.key() else {
            return Ok(Vec::new());
        };
        let backend = self.store.backend();
        let mut letters = backend.dead_letters(self.store.tenant(), key.name).await?;
        letters.retain(|letter| letter.fingerprint == key.fingerprint);
        Ok(letters)
    }
}
