//! What a follower does with the events that it is given.

use super::FollowError;
use super::aside::Aside;
use crate::Store;
use crate::log::{Page, Position, Query, Record};
use crate::sql::Batch;
use crate::store::{DeadLetter, ProjectionKey};

/// What a [`Follower`](super::Follower) does with events, and where it keeps what comes of them: in memory, in the store, in tables
/// beside the log, or outside. Only this crate has any.
pub trait Home: Send + Sync + Sized + 'static {
    /// Whether what it keeps is nothing but a function of the events, so that it may follow where another process saves.
    #[doc(hidden)]
    const FOLDS: bool;

    #[doc(hidden)]
    fn name(&self) -> &'static str;

    /// What its checkpoint is kept under; none lives with the process.
    #[doc(hidden)]
    fn key(&self) -> Option<ProjectionKey<'static>>;

    /// The tables that it keeps, as its code calls them.
    #[doc(hidden)]
    fn tables(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// What it is to be given.
    #[doc(hidden)]
    fn query(&self) -> Query;

    /// Handles what is in a turn.
    #[doc(hidden)]
    fn handle(&mut self, turn: &Turn<'_>) -> impl Future<Output = Handled> + Send;

    /// The event that it handles, or handled last.
    #[doc(hidden)]
    fn at(&self) -> Position {
        Position::START
    }

    /// Whether nothing has to be saved for what was handled to count.
    #[doc(hidden)]
    fn moves_in_step(&self) -> bool {
        self.key().is_none()
    }

    /// Whether it must be saved although nothing was handled.
    #[doc(hidden)]
    fn is_due(
        &mut self,
        store: &Store,
        caught_up: bool,
    ) -> impl Future<Output = Result<bool, FollowError>> + Send {
        let _ = (store, caught_up);
        std::future::ready(Ok(false))
    }

    /// What is to be saved with the checkpoint.
    #[doc(hidden)]
    fn save(&mut self, caught_up: bool) -> Result<Saved, FollowError>;

    /// The last that was to be saved is.
    #[doc(hidden)]
    fn was_saved(&mut self) {}

    /// Goes back to what was saved.
    #[doc(hidden)]
    fn restore(&mut self, state: Option<&[u8]>) -> Result<(), FollowError>;

    /// Whether what was saved is there, or it begins at the first event.
    #[doc(hidden)]
    fn is_restored(&self) -> bool {
        true
    }
}

/// One that can be built anew beside what is there.
pub trait Rebuild: Home {
    /// The same without any event.
    #[doc(hidden)]
    fn beside(&self) -> Self;

    /// What is to be saved for the other to take the place of this one.
    #[doc(hidden)]
    fn adoption(&self, fresh: &mut Self) -> Result<Saved, FollowError>;

    /// The other takes the place of this one.
    #[doc(hidden)]
    fn take(&mut self, fresh: Self);
}

/// What is saved with a checkpoint.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Saved {
    pub state: Option<Vec<u8>>,
    pub sql: Batch,
}

/// What came of a turn.
#[doc(hidden)]
#[derive(Debug)]
pub struct Handled {
    /// How many events were handled.
    pub count: u64,
    /// The first that could not be.
    pub failed: Option<(Position, FollowError)>,
}

/// The events of a page that are to be handled now.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    page: &'a Page,
    /// No later one.
    until: Position,
    aside: &'a Aside,
}

/// How far a turn came.
pub(super) struct Done {
    /// The last event that is handled or set aside.
    pub(super) last: Option<Position>,
}

impl<'a> Turn<'a> {
    /// One that is suspected is handled by itself.
    pub(super) fn new(page: &'a Page, suspect: Option<Position>, aside: &'a Aside) -> Self {
        let first = page.iter().next().map(|record| record.position());
        let until = match suspect {
            Some(suspect) if first == Some(suspect) => suspect,
            Some(suspect) if first.is_some_and(|first| first < suspect) => {
                Position(suspect.0.saturating_sub(1))
            }
            _ => Position(u64::MAX),
        };
        Self { page, until, aside }
    }

    /// In the order of the log.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let Self { page, until, aside } = *self;
        page.iter()
            .take_while(move |record| record.position() <= until)
            .filter(move |record| !aside.has(record))
    }

    /// Whether all events of the page are in it.
    pub(super) fn is_whole(&self) -> bool {
        let last = self.page.iter().next_back();
        last.is_none_or(|last| last.position() <= self.until)
    }

    /// All events before the one that it stopped at.
    fn passed(&self, stopped: Option<Position>) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let Self { page, until, .. } = *self;
        page.iter()
            .take_while(move |record| record.position() <= until)
            .take_while(move |record| stopped.is_none_or(|stopped| record.position() < stopped))
    }

    pub(super) fn done(&self, stopped: Option<Position>) -> Done {
        let last = if stopped.is_none() && self.is_whole() {
            self.page.iter().next_back()
        } else {
            self.passed(stopped).last()
        };
        Done {
            last: last.map(|record| record.position()),
        }
    }

    /// What is to be set aside.
    pub(super) fn letters<H: Home>(&self, stopped: Option<Position>, home: &H) -> Vec<DeadLetter> {
        let Some(key) = home.key().filter(|_| !self.aside.is_empty()) else {
            return Vec::new();
        };
        self.passed(stopped)
            .filter(|record| self.aside.has(record))
            .map(|record| self.aside.letter(&record, key.name, key.fingerprint))
            .collect()
    }
}
