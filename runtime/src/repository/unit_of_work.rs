//! Several aggregates saved together or not at all.

use std::time::Duration;

use super::{Onlookers, SaveError};
use crate::Store;
use crate::aggregate::{Apply, Journal, Root};
use crate::log::{Appended, Batch, Expected, NewEvent, StreamId};
use crate::runner::Handle;

/// Saves several roots, of any types, in one transaction: all of their events are stored, or none.
///
/// Use it for what must never be seen half done and cannot be one aggregate, such as a transfer between two accounts.
/// A command on one aggregate needs none: its events are always stored together.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = Store::connect("memory:").await?;
/// # let counters = Repository::<Counter>::new(&store);
/// # let (a, b) = (CounterId::new("a")?, CounterId::new("b")?);
/// # counters.create(&a, Counted { by: 10 }).await?;
/// # counters.create(&b, Counted { by: 10 }).await?;
/// let (mut from, mut to) = (counters.load(&a).await?, counters.load(&b).await?);
/// from.record(Counted { by: -4 });
/// to.record(Counted { by: 4 });
/// store.unit_of_work().save(&mut from).save(&mut to).commit().await?;
/// assert_eq!(counters.load(&b).await?.total, 14);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a unit of work writes nothing until it is committed"]
pub struct UnitOfWork<'r> {
    store: Store,
    parts: Vec<Part<'r>>,
    onlookers: Onlookers,
}

#[derive(Debug)]
enum Part<'r> {
    Root(&'r mut Journal),
    /// What was given by hand.
    Events(Batch),
}

impl Store {
    /// Begins a unit of work.
    pub fn unit_of_work<'r>(&self) -> UnitOfWork<'r> {
        UnitOfWork {
            store: self.clone(),
            parts: Vec::new(),
            onlookers: Onlookers::default(),
        }
    }
}

impl<'r> UnitOfWork<'r> {
    /// Adds what was recorded on a root. One on which nothing was recorded is only checked: nobody may have appended
    /// to it since it was loaded.
    pub fn save<A: Apply>(mut self, root: &'r mut Root<A>) -> Self {
        self.parts.push(Part::Root(Root::journal_mut(root)));
        self
    }

    /// Adds a condition on a stream.
    pub fn check(self, stream: &StreamId, expected: Expected) -> Self {
        self.append(stream, expected, [])
    }

    /// Adds events that no aggregate decided.
    pub fn append(
        mut self,
        stream: &StreamId,
        expected: Expected,
        events: impl IntoIterator<Item = NewEvent>,
    ) -> Self {
        let events = Batch::new().append(stream.clone(), expected, events);
        self.parts.push(Part::Events(events));
        self
    }

    /// Lets [`commit`](Self::commit) return only once this projection has handled what was appended, as
    /// [`Repository::until_seen_by`](crate::Repository::until_seen_by) does.
    pub fn until_seen_by(mut self, projection: &Handle) -> Self {
        self.onlookers.add(projection);
        self
    }

    /// Waits no longer than this for the projections that must have seen what was appended.
    pub fn seen_within(mut self, limit: Duration) -> Self {
        self.onlookers.wait_at_most(limit);
        self
    }

    /// Stores everything, or nothing. When it fails, the roots keep what was recorded on them and can be saved again.
    ///
    /// # Errors
    /// As [`Repository::save`](crate::Repository::save); a conflict names the stream that moved.
    ///
    /// # Cancel safety
    /// A dropped future leaves everything stored or nothing, and the roots unsaved; saving them again, in the same
    /// order, finds out.
    pub async fn commit(self) -> Result<Appended, SaveError> {
        let mut batch = Batch::new();
        for part in &self.parts {
            match part {
                Part::Root(journal) => {
                    batch = journal.batch(batch, Expected::Version(journal.stored))?;
                }
                Part::Events(events) => {
                    let accepted = self.store.accept(events.clone())?;
                    accepted
                        .into_parts()
                        .into_iter()
                        .for_each(|part| batch.push(part));
                }
            }
        }
        let appended = super::append(&self.store, super::RetryPolicy::default(), &batch).await?;
        for part in self.parts {
            if let Part::Root(journal) = part {
                journal.saved();
            }
        }
        let events = self.onlookers.events_of(&batch);
        Ok(self.onlookers.see(appended, &events).await?)
    }
}
