//! What is done about events that projections have set aside.

use std::collections::BTreeMap;

use super::{CheckpointError, DeadLetter, Effects, ProjectionKey, Store, StoreError};
use crate::log::Position;

impl Store {
    /// The events that a projection, reaction or relay of this name has set aside, because it could not handle them or an earlier
    /// one of their stream: see [`OnError::set_aside`](crate::runner::OnError::set_aside). In all its versions, by fingerprint and
    /// position.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = recount::Store::connect("memory:").await?;
    /// let letters = store.dead_letters("account-balances").await?;
    /// for letter in &letters {
    ///     println!("{} of {}: {}", letter.name, letter.stream, letter.error);
    /// }
    /// store.retry_dead_letters(&letters).await?;
    /// # Ok(()) }
    /// ```
    pub async fn dead_letters(&self, projection: &str) -> Result<Vec<DeadLetter>, StoreError> {
        let backend = self.backend();
        backend.dead_letters(self.tenant(), projection).await
    }

    /// Lets events that were set aside be handled again, once their cause is gone: by whichever process runs the projection, within
    /// seconds, through the upcasts of its code. In each stream they are tried in their order, and up to the first that fails again
    /// or is not among these; what is behind that stays set aside.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn retry_dead_letters(&self, letters: &[DeadLetter]) -> Result<(), StoreError> {
        let amend = |effects: &mut Effects, mut letter: DeadLetter| {
            letter.retry = true;
            effects.set_aside.push(letter);
        };
        self.amend(letters, amend).await
    }

    /// Lets events that were set aside go, as if they had been handled. What is behind them in their streams stays set aside: retry
    /// or drop it too.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn drop_dead_letters(&self, letters: &[DeadLetter]) -> Result<(), StoreError> {
        let amend = |effects: &mut Effects, letter: DeadLetter| {
            effects.settled.push(letter.position);
        };
        self.amend(letters, amend).await
    }

    /// Changes some that are still there. The checkpoint is saved as it is: its new revision tells whoever runs the projection.
    async fn amend(
        &self,
        letters: &[DeadLetter],
        amend: impl Fn(&mut Effects, DeadLetter),
    ) -> Result<(), StoreError> {
        let mut versions: BTreeMap<(&str, u64), Vec<Position>> = BTreeMap::new();
        for letter in letters {
            let version = (&*letter.projection, letter.fingerprint);
            versions.entry(version).or_default().push(letter.position);
        }
        let (backend, tenant) = (self.backend(), self.tenant());
        for ((name, fingerprint), positions) in versions {
            let key = ProjectionKey { name, fingerprint };
            loop {
                // Before the letters, so that a change of those in between is found out.
                let Some(kept) = backend.checkpoint(tenant, key).await? else {
                    break;
                };
                let mut effects = Effects::default();
                for letter in backend.dead_letters(tenant, name).await? {
                    if letter.fingerprint == fingerprint && positions.contains(&letter.position) {
                        amend(&mut effects, letter);
                    }
                }
                if effects.is_empty() {
                    break;
                }
                let saved = backend.save_checkpoint(tenant, key, kept, effects);
                match saved.await {
                    Ok(_) => break,
                    Err(CheckpointError::Moved { .. }) => {}
                    Err(CheckpointError::Store(error)) => return Err(error),
                    Err(error) => return Err(StoreError::new(self.url(), error)),
                }
            }
        }
        self.wake();
        Ok(())
    }
}
