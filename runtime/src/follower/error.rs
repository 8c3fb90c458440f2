//! Why a follower could not go on.

use crate::event::DecodeError;
use crate::log::{Position, ReadError};
use crate::store::{BackendError, CheckpointError, StoreError};

/// Why a projection, a reaction or a relay could not go on. It stands where it stood, and can be caught up again; a projection whose
/// state cannot be read can be built anew, with [`Projector::rebuilt`](crate::projection::Projector::rebuilt).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// An event cannot be read.
    #[error("projection {projection} stopped before an event that cannot be read")]
    Decode {
        /// The projection's name.
        projection: &'static str,
        /// The event, and why it cannot be read.
        source: Box<DecodeError>,
    },
    /// The log ends before the position up to which the projection has handled everything: the log is another one, or an older
    /// copy of it was restored. Events that are appended now would be taken for those that were handled.
    #[error(
        "projection {projection} has handled everything up to position {position}, but the log ends at position {head}: it is \
         another log or an older copy; build the projection anew with `Projector::rebuilt`"
    )]
    AheadOfLog {
        /// The projection's name.
        projection: &'static str,
        /// The position where the projection stands.
        position: Position,
        /// The position of the last event that the log has.
        head: Position,
    },
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The state could not be written as JSON, or what is stored is not such a state.
    #[error("the state of projection {projection} cannot be stored or read: {source}")]
    State {
        /// The projection's name.
        projection: &'static str,
        /// What serde said.
        source: serde_json::Error,
    },
    /// The checkpoint could not be read or saved.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One of its methods panicked, which is said where it is [run in the background](crate::runner).
    #[error(
        "projection {projection} stopped before the event at position {position}, on which it panicked: {message}"
    )]
    Panicked {
        /// The projection's name.
        projection: &'static str,
        /// The event.
        position: Position,
        /// What the panic said.
        message: String,
    },
    /// One of its methods returned an error, or what it sends events to did.
    #[error(
        "{projection} stopped before the event at position {position}, which it could not handle: {source}"
    )]
    Failed {
        /// The name of the reaction or relay.
        projection: &'static str,
        /// The event.
        position: Position,
        /// What was returned.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A broker could not be reached, or takes nothing as things stand.
    #[error("relay {projection} could not publish: {source}")]
    Unpublished {
        /// The name of the relay.
        projection: &'static str,
        /// What its publisher said.
        source: Box<crate::relay::PublishError>,
    },
    /// The database refused a statement.
    #[error(
        "projection {projection} stopped before the event at position {position}, since the store refused what it asked for: {text}"
    )]
    Statement {
        /// The projection's name.
        projection: &'static str,
        /// The event; 0 for the statements that make its tables.
        position: Position,
        /// The statement.
        text: String,
        /// What the database said.
        source: BackendError,
    },
    /// The store keeps no tables.
    #[error(
        "projection {projection} writes tables, which {store} does not keep: use `sqlite:PATH` or `postgres://…`"
    )]
    NoTables {
        /// The projection's name.
        projection: &'static str,
        /// The store's URL.
        store: String,
    },
}

impl FollowError {
    /// Why a checkpoint was not saved.
    pub(super) fn of_save(projection: &'static str, error: CheckpointError) -> Self {
        match error {
            CheckpointError::Statement {
                position,
                text,
                source,
                ..
            } => Self::Statement {
                projection,
                position,
                text,
                source,
            },
            CheckpointError::NoTables { store, .. } => Self::NoTables { projection, store },
            CheckpointError::Store(error) => error.into(),
            // Who saves has looked for that.
            CheckpointError::Moved { .. } => Self::Store(StoreError::new("", error)),
        }
    }

    /// The event that it stopped before, if it was an event.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Decode { source, .. } => Some(source.position),
            Self::Panicked { position, .. }
            | Self::Failed { position, .. }
            | Self::Statement { position, .. } => {
                Some(*position).filter(|at| *at > Position::START)
            }
            _ => None,
        }
    }

    /// With all that caused it, for people.
    pub(crate) fn told(&self) -> String {
        let mut told = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            let cause = error.to_string();
            if !told.contains(&cause) {
                told = format!("{told}: {cause}");
            }
            source = error.source();
        }
        told
    }
}
