//! Events that were set aside, and are tried again.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::Utc;

use super::aside::Aside;
use super::{FollowError, Follower, Home, Saved, Turn};
use crate::background::unless_it_panics;
use crate::causes::with_causes;
use crate::log::{Detail, Position};
use crate::store::{DeadLetter, Effects};

impl<H: Home> Follower<H> {
    /// Whether something that was set aside is to be tried again.
    pub(crate) fn is_to_retry(&self) -> bool {
        self.aside.is_to_retry()
    }

    /// How many events are set aside, as far as this process has seen.
    pub(crate) fn set_aside_so_far(&self) -> u64 {
        self.aside.kept()
    }

    /// Does not handle an event: it is set aside, and every later one of its stream.
    pub(crate) fn set_aside(&mut self, position: Position, error: &FollowError, attempts: u32) {
        self.aside.add(position, error, attempts);
        self.suspect = Some(position);
        self.reading = None;
    }

    /// Handles what was set aside and is to be tried again, in the order of each stream; tells how many events could be handled.
    /// Ends early when somebody else changed something: what is there then is looked at again.
    pub(crate) async fn retry_set_aside(&mut self) -> Result<u64, FollowError> {
        let Some(key) = self.home.key() else {
            return Ok(0);
        };
        let backend = Arc::clone(self.store.backend());
        let letters = backend.dead_letters(self.store.tenant(), key.name).await?;
        let mut held = HashSet::new();
        let mut handled = 0;
        for letter in letters {
            if letter.fingerprint != key.fingerprint || held.contains(&letter.stream) {
                continue;
            }
            let stream = letter.stream.clone();
            match self.retry(letter).await? {
                Retried::Handled => handled += 1,
                // Those behind it wait for it.
                Retried::SetAside => {
                    held.insert(stream);
                }
                Retried::Moved => return Ok(handled),
            }
        }
        // A stream of which nothing is set aside any more is handled again.
        self.ahead = true;
        Ok(handled)
    }

    async fn retry(&mut self, mut letter: DeadLetter) -> Result<Retried, FollowError> {
        if !letter.retry {
            return Ok(Retried::SetAside);
        }
        let position = letter.position;
        let error = match unless_it_panics(self.handle_again(position)).await {
            Ok(Ok(true)) => return Ok(Retried::Handled),
            Ok(Ok(false)) => return Ok(Retried::Moved),
            Ok(Err(error)) if error.position() == Some(position) => error,
            Ok(Err(error)) => return Err(error),
            Err(message) => FollowError::Panicked {
                projection: self.home.name(),
                position,
                message,
            },
        };
        if !self.reload().await? {
            return Ok(Retried::Moved);
        }
        tracing::warn!(
            projection = letter.projection,
            ?error,
            "an event that was set aside failed again"
        );
        (letter.error, letter.attempts) = (with_causes(&error), letter.attempts.saturating_add(1));
        (letter.at, letter.retry) = (Utc::now(), false);
        let mut effects = Effects::default();
        effects.set_aside.push(letter);
        let Saved { state, sql } = self.home.save(false)?;
        effects.sql = sql;
        let saved = self.save(self.position, state, effects).await?;
        Ok(if saved {
            Retried::SetAside
        } else {
            Retried::Moved
        })
    }

    /// Handles one event and settles it, also one that the code does not select any more; false when the checkpoint has moved.
    async fn handle_again(&mut self, position: Position) -> Result<bool, FollowError> {
        let before = Position(position.0.saturating_sub(1));
        let query = self.home.query().after(before).up_to(position);
        let query = query.detail(Detail::Full);
        let mut reader = self.store.read(query);
        let page = reader.next_page().await?;
        // Until it is saved; should this end before, all is taken from the store again.
        self.ahead = true;
        if let Some(page) = page {
            let none = Aside::default();
            let handled = self.home.handle(&Turn::new(page, None, &none)).await;
            if let Some((_, error)) = handled.failed {
                return Err(error);
            }
        }
        let Saved { state, sql } = self.home.save(false)?;
        let mut effects = Effects::default();
        (effects.sql, effects.settled) = (sql, vec![position]);
        self.save(self.position, state, effects).await
    }
}

/// What came of an event that was set aside.
enum Retried {
    Handled,
    /// It stays where it is.
    SetAside,
    /// Somebody else changed the checkpoint.
    Moved,
}
