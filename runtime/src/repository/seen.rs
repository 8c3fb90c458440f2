//! Commands that return only once projections show what they did.
//!
//! Appending and projecting are two steps: right after a command a projection may not show it yet. Who reads it at once, as a page
//! that is shown after a form was sent, asks the repository or the unit of work to wait for it.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::log::{Appended, Batch, EventId, Position, StreamId};
use crate::runner::{Handle, WaitError};
use crate::store::{DeadLetter, StoreError};

/// An event that was appended and is to be seen.
pub(crate) struct Watched {
    id: EventId,
    stream: StreamId,
    name: String,
}

/// Which projections are waited for, and how long.
#[derive(Debug, Clone, Default)]
pub(crate) struct Onlookers {
    projections: Vec<Handle>,
    limit: Option<Duration>,
}

impl Onlookers {
    pub(crate) fn add(&mut self, projection: &Handle) {
        self.projections.push(projection.clone());
    }

    pub(crate) fn wait_at_most(&mut self, limit: Duration) {
        self.limit = Some(limit);
    }

    /// The events that they have to see; none where nobody waits.
    pub(crate) fn events_of(&self, batch: &Batch) -> Vec<Watched> {
        let waits = !self.projections.is_empty();
        let events = batch.events().filter(|_| waits);
        let watched = events.map(|(stream, event)| Watched {
            id: event.id,
            stream: stream.clone(),
            name: event.name.clone().into_owned(),
        });
        watched.collect()
    }

    /// What was appended, once each of them has handled these events.
    pub(crate) async fn see(
        &self,
        appended: Appended,
        events: &[Watched],
    ) -> Result<Appended, Box<Unseen>> {
        match self.look(appended.position, events).await {
            Ok(()) => Ok(appended),
            Err(source) => Err(Box::new(Unseen { appended, source })),
        }
    }

    async fn look(&self, position: Position, events: &[Watched]) -> Result<(), UnseenReason> {
        let mut looked = pin!(async {
            for projection in &self.projections {
                projection.wait_for(position).await?;
                shows(projection, position, events).await?;
            }
            Ok(())
        });
        let Some(limit) = self.limit else {
            return looked.await;
        };
        // Only begun when there is something to wait for.
        let mut limited = pin!(crate::background::sleep(limit));
        std::future::poll_fn(|context| match looked.as_mut().poll(context) {
            Poll::Pending => limited.as_mut().poll(context).map(|()| {
                Err(UnseenReason::TimedOut {
                    position,
                    limit,
                    behind: self.behind(position),
                })
            }),
            seen @ Poll::Ready(_) => seen,
        })
        .await
    }

    fn behind(&self, position: Position) -> Vec<&'static str> {
        let behind = |projection: &&Handle| projection.position() < position;
        let behind = self.projections.iter().filter(behind);
        behind.map(Handle::name).collect()
    }
}

/// Whether a projection that went past these events has set none of them aside.
async fn shows(
    projection: &Handle,
    position: Position,
    events: &[Watched],
) -> Result<(), UnseenReason> {
    let name = projection.name();
    let letters = projection.letters().await;
    let letters = letters.map_err(|source| UnseenReason::Unknown {
        projection: name,
        source,
    })?;
    // One that stands by may be further than what the process that runs it has saved, so what is behind a letter of its stream counts.
    let is_behind = |letter: &DeadLetter, event: &Watched| {
        let handles = || projection.handles(event.stream.category().as_str(), &event.name);
        letter.stream == event.stream && letter.position <= position && handles()
    };
    let is_aside = |letter: &DeadLetter| {
        let is = |event: &Watched| letter.event == event.id || is_behind(letter, event);
        events.iter().any(is)
    };
    let aside = letters.into_iter().find(is_aside);
    match aside {
        Some(letter) => Err(UnseenReason::SetAside {
            projection: name,
            position: letter.position,
            error: letter.error,
        }),
        None => Ok(()),
    }
}

/// The command was carried out and its events are stored, but not all projections that were waited for have handled them. Do not
/// give the command again: what it appended is told here, and [`Handle::wait_for`] can wait on.
///
/// ```
/// use recount::prelude::*;
/// use recount::repository::{SaveError, Unseen};
///
/// fn position(error: &SaveError) -> Option<Position> {
///     match error {
///         SaveError::Unseen(unseen) => Some(unseen.appended.position),
///         _ => None,
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[error(
    "the events are stored, up to position {}; do not give the command again: {source}", appended.position
)]
#[non_exhaustive]
pub struct Unseen {
    /// What was appended.
    pub appended: Appended,
    /// Why it was not waited for any longer.
    pub source: UnseenReason,
}

/// Why a projection was not waited for any longer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnseenReason {
    /// It has stopped or ended.
    #[error(transparent)]
    Stopped(#[from] WaitError),
    /// It took too long.
    #[error("position {position} was not handled within {limit:?} by {}", behind.join(", "))]
    TimedOut {
        /// What was waited for.
        position: Position,
        /// How long it was waited for.
        limit: Duration,
        /// The projections that have not handled it.
        behind: Vec<&'static str>,
    },
    /// It has gone past the event without handling it, and does not show it: the event was [set
    /// aside](crate::runner::OnError::set_aside), or an earlier one of its stream was. Once the cause is gone
    /// [`retry_dead_letters`](crate::Store::retry_dead_letters) lets it be handled.
    #[error(
        "projection {projection} has set aside the event at position {position} and does not show it: {error}"
    )]
    SetAside {
        /// The projection's name.
        projection: &'static str,
        /// The event.
        position: Position,
        /// Why it could not be handled, as [`DeadLetter::error`](crate::store::DeadLetter::error) says.
        error: String,
    },
    /// It has gone past the event, but whether it has set it aside could not be found out.
    #[error(
        "whether projection {projection} has set the events aside could not be found out: {source}"
    )]
    Unknown {
        /// The projection's name.
        projection: &'static str,
        /// What the store said.
        source: StoreError,
    },
}
