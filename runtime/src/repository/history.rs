//! The events of one aggregate, typed.

use std::collections::VecDeque;

use super::LoadError;
use crate::Envelope;
use crate::aggregate::Apply;
use crate::event::{DecodeError, Event, PayloadError};
use crate::log::{Query, Record, StreamId};
use crate::store::{Reader, Store};

/// An event of an aggregate's past: what happened, and all that is known of it besides.
///
/// ```
/// use recount::repository::PastEvent;
/// # use recount::prelude::*;
/// fn describe<E: recount::Event>(past: &PastEvent<E>) -> String {
///     format!("{} {} at {}", past.at.version, past.event.name(), past.at.recorded_at)
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PastEvent<E> {
    /// What happened, in its newest version.
    pub event: E,
    /// Where and when, and who caused it.
    pub at: Envelope,
}

/// The events of one aggregate, read page by page.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let counters = Repository::<Counter>::new(&Store::connect("memory:").await?);
/// # let id = CounterId::new("c1")?;
/// counters.create(&id, [Counted { by: 1 }, Counted { by: 2 }]).await?;
///
/// let mut history = counters.history(&id)?;
/// while let Some(past) = history.next().await? {
///     println!("{} {:?}", past.at.version, past.event);
/// }
/// assert_eq!(counters.history(&id)?.collect().await?.len(), 2);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct History<A: Apply> {
    reader: Reader,
    /// Decoded from the page that was read last. One stored event may have become several, or none.
    ready: VecDeque<Result<PastEvent<A::Event>, LoadError>>,
}

impl<A: Apply> History<A> {
    pub(super) fn new(store: &Store, stream: &StreamId) -> Self {
        // Typed events live as long as their page: a smaller one than for folding keeps memory low.
        Self {
            reader: store.read(Query::stream(stream).page_size(128)),
            ready: VecDeque::new(),
        }
    }

    /// The next event, or `None` at the end.
    ///
    /// # Errors
    /// [`LoadError::Decode`] for an event that cannot be read; the next call goes on behind it.
    ///
    /// # Cancel safety
    /// A dropped future loses nothing.
    pub async fn next(&mut self) -> Result<Option<PastEvent<A::Event>>, LoadError> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                return next.map(Some);
            }
            let Some(page) = self.reader.next_page().await? else {
                return Ok(None);
            };
            for record in page.iter() {
                match read_past::<A>(&record) {
                    Ok(past) => self.ready.extend(past.into_iter().map(Ok)),
                    Err(error) => self.ready.push_back(Err(error.into())),
                }
            }
        }
    }

    /// All that is left: for histories that are known to be short.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn collect(mut self) -> Result<Vec<PastEvent<A::Event>>, LoadError> {
        let mut all = Vec::new();
        while let Some(past) = self.next().await? {
            all.push(past);
        }
        Ok(all)
    }
}

/// What one stored event of an aggregate is read as: several where it was split, nothing where its name is retired.
pub(crate) fn read_past<A: Apply>(
    record: &Record<'_>,
) -> Result<Vec<PastEvent<A::Event>>, Box<DecodeError>> {
    if !A::Event::reads(record.name()) {
        return if A::RETIRED.contains(&record.name()) {
            Ok(Vec::new())
        } else {
            Err(DecodeError::at(record, PayloadError::Unknown))
        };
    }
    let events = A::Event::decode((*record).into());
    let (events, at) = events
        .and_then(|events| Ok((events, Envelope::of(record)?)))
        .map_err(|error| DecodeError::at(record, error))?;
    let past = |event| PastEvent {
        event,
        at: at.clone(),
    };
    Ok(events.into_iter().map(past).collect())
}
