//! What is done about events that projections have set aside.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use super::{CheckpointError, DeadLetter, Effects, ProjectionKey, Store, StoreError};
use crate::log::Position;

/// What [`Store::retry_dead_letters`] could do.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = recount::Store::connect("memory:").await?;
/// let retrying = store.retry_dead_letters(&store.dead_letters("account-balances").await?).await?;
/// println!("{} events are handled again", retrying.letters);
/// for letter in &retrying.unattended {
///     eprintln!("nobody runs version {:016x} of {}", letter.fingerprint, letter.projection);
/// }
/// # assert_eq!(retrying.letters, 0);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Retrying {
    /// How many events are to be handled again: those that were set aside still.
    pub letters: u64,
    /// Those of them whose version no process runs at this moment, so that they wait until one does.
    pub unattended: Vec<DeadLetter>,
}

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
    /// A letter belongs to the version of the code that set it aside, which is the one that tries it again. If no
    /// [`Runner`](crate::runner::Runner) of any process runs that version now, nothing happens until one does: the answer
    /// [says which letters those are](Retrying::unattended). After a release the letters of the version before it are among them; the
    /// new version has handled their events itself, or has letters of its own, so the old ones are to be
    /// [dropped](Self::drop_dead_letters). Reactions and relays have one version only.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn retry_dead_letters(&self, letters: &[DeadLetter]) -> Result<Retrying, StoreError> {
        let amend = |effects: &mut Effects, mut letter: DeadLetter| {
            letter.retry = true;
            effects.set_aside.push(letter);
        };
        let mut retrying = Retrying::default();
        for (key, effects) in self.amend(letters, amend).await? {
            retrying.letters += effects.set_aside.len() as u64;
            if self.is_unattended(key).await? {
                retrying.unattended.extend(effects.set_aside);
            }
        }
        Ok(retrying)
    }

    /// Whether no process has the lease of a version: whoever can have it for no time leaves it to the next who asks.
    async fn is_unattended(&self, key: ProjectionKey<'_>) -> Result<bool, StoreError> {
        let (backend, tenant) = (self.backend(), self.tenant());
        let lease = backend.lease(tenant, key, Uuid::now_v7(), Duration::ZERO);
        Ok(lease.await?.is_held)
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
        self.amend(letters, amend).await?;
        Ok(())
    }

    /// Changes some that are still there, and says how, for each version. The checkpoint is saved as it is: its new revision tells whoever runs the projection.
    async fn amend<'a>(
        &self,
        letters: &'a [DeadLetter],
        amend: impl Fn(&mut Effects, DeadLetter),
    ) -> Result<Vec<(ProjectionKey<'a>, Effects)>, StoreError> {
        let mut amended = Vec::new();
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
                let saved = backend.save_checkpoint(tenant, key, kept, effects.clone());
                match saved.await {
                    Ok(_) => {
                        amended.push((key, effects));
                        break;
                    }
                    Err(CheckpointError::Moved { .. }) => {}
                    Err(CheckpointError::Store(error)) => return Err(error),
                    Err(error) => return Err(StoreError::new(self.url(), error)),
                }
            }
        }
        self.wake();
        Ok(amended)
    }
}
