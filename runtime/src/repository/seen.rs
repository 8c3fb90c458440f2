//! Commands that return only once projections show what they did.
//!
//! Appending and projecting are two steps: right after a command a projection may not show it yet. Who reads it at once, as a page
//! that is shown after a form was sent, asks the repository or the unit of work to wait for it.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::log::{Appended, Position};
use crate::runner::{Handle, WaitError};

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

    /// What was appended, once each of them has handled it.
    pub(crate) async fn see(&self, appended: Appended) -> Result<Appended, Box<Unseen>> {
        match self.look(appended.position).await {
            Ok(()) => Ok(appended),
            Err(source) => Err(Box::new(Unseen { appended, source })),
        }
    }

    async fn look(&self, position: Position) -> Result<(), UnseenReason> {
        let mut looked = pin!(async {
            for projection in &self.projections {
                projection.wait_for(position).await?;
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
}
