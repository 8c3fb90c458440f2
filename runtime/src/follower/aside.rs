//! Events that are not handled, and those behind them.

use std::collections::{HashMap, HashSet};

use super::FollowError;
use crate::causes::with_causes;
use crate::log::{Position, Record, StreamId};
use crate::store::DeadLetter;

/// What an event that waits behind another one is told to wait for.
const BEHIND: &str = "an earlier event of its stream was set aside";

/// Which events are set aside.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    /// Streams of which something is set aside, and with it all that follows.
    streams: HashSet<StreamId>,
    /// What the store keeps of them.
    letters: HashSet<Position>,
    /// Events that are to be, with the reason and the number of attempts.
    pending: HashMap<Position, (String, u32)>,
    /// Whether something is to be tried again.
    retry: bool,
}

impl Aside {
    /// As the store has it.
    pub(super) fn of(letters: &[DeadLetter], fingerprint: u64) -> Self {
        let mut aside = Self::default();
        // By position, so that the first one of a stream decides: those behind it wait for it.
        let own = |letter: &&DeadLetter| letter.fingerprint == fingerprint;
        for letter in letters.iter().filter(own) {
            aside.letters.insert(letter.position);
            if aside.streams.insert(letter.stream.clone()) {
                aside.retry |= letter.retry;
            }
        }
        aside
    }

    pub(super) fn is_to_retry(&self) -> bool {
        self.retry
    }

    /// What is to be set aside still is.
    pub(super) fn and_pending(mut self, other: Self) -> Self {
        self.pending = other.pending;
        self
    }

    /// How many events the store keeps as set aside.
    pub(super) fn kept(&self) -> u64 {
        self.letters.len() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.pending.is_empty()
    }

    pub(super) fn add(&mut self, position: Position, error: &FollowError, attempts: u32) {
        self.pending
            .insert(position, (with_causes(error), attempts));
    }

    /// Whether an event is not to be handled.
    pub(super) fn has(&self, record: &Record<'_>) -> bool {
        !self.is_empty()
            && (self.pending.contains_key(&record.position())
                || self.streams.contains(&record.stream_id()))
    }

    /// These are kept in the store now.
    pub(super) fn were_saved(&mut self, letters: Vec<(Position, StreamId)>) {
        for (position, stream) in letters {
            self.pending.remove(&position);
            self.letters.insert(position);
            self.streams.insert(stream);
        }
    }

    /// The store keeps these no more. Their streams are looked up again when all is taken from there.
    pub(super) fn were_settled(&mut self, positions: &[Position]) {
        for position in positions {
            self.letters.remove(position);
        }
    }

    /// What is kept of an event.
    pub(super) fn letter(
        &self,
        record: &Record<'_>,
        projection: &'static str,
        fingerprint: u64,
    ) -> DeadLetter {
        let pending = self.pending.get(&record.position()).cloned();
        let (error, attempts) = pending.unwrap_or_else(|| (BEHIND.to_owned(), 0));
        DeadLetter {
            projection: projection.to_owned(),
            fingerprint,
            position: record.position(),
            stream: record.stream_id(),
            event: record.id(),
            name: record.name().to_owned(),
            error,
            attempts,
            at: chrono::Utc::now(),
            retry: false,
        }
    }
}
