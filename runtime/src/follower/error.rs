//! Why a follower could not go on.

use crate::causes::with_causes;
use crate::event::DecodeError;
use crate::log::{Position, ReadError};
use crate::store::{BackendError, CheckpointError, StoreError};

/// Why a projection, a reaction or a relay could not go on. It stands where it stood, and can be caught up again; a projection whose
/// state cannot be read can be built anew, with [`Projector::rebuilt`](crate::projection::Projector::rebuilt).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// An event cannot be read.
    #[error("projection {projection} could not read an event: {source}")]
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
    #[error("projection {projection} panicked on the event at position {position}: {message}")]
    Panicked {
        /// The projection's name.
        projection: &'static str,
        /// The event.
        position: Position,
        /// What the panic said.
        message: String,
    },
    /// One of its methods returned an error, or what it sends events to did.
    #[error("{projection} could not handle the event at position {position}: {source}")]
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
    /// The database refused a statement that an event asked for.
    #[error(
        "the store refused what projection {projection} asked for with the event at position {position}: {}; the statement: {text}",
        with_causes(source)
    )]
    Statement {
        /// The projection's name.
        projection: &'static str,
        /// The event.
        position: Position,
        /// The statement.
        text: String,
        /// What the database said.
        source: BackendError,
    },
    /// The tables or views of a projection cannot be made: a statement of its `TABLES` was refused, by the database or before it was
    /// asked.
    #[error(
        "the tables of projection {projection} cannot be made: {}; the statement: {text}",
        with_causes(source)
    )]
    Tables {
        /// The projection's name.
        projection: &'static str,
        /// The statement.
        text: String,
        /// What is wrong with it.
        source: BackendError,
    },
    /// Another projection that runs, in this process or another, has a table of the same name: both would show theirs by one view.
    #[error(
        "projections {projection} and {other} both have a table called {table}, and each would take its view from the other: give one of \
         them another name; if {other} is the former name of this one, end the processes that run it first"
    )]
    SharedTable {
        /// The projection's name.
        projection: &'static str,
        /// The other one's.
        other: String,
        /// The table, as `TABLES` calls it.
        table: &'static str,
    },
    /// Another reaction, projection or relay of this runner has the same name: they would share a checkpoint, and each event would reach
    /// one of them alone. One that shared it with another in an earlier process goes on where that one stood.
    #[error(
        "something else in this runner is called {name}, too: they would share a checkpoint, and each event would reach one of them \
         alone; give one of them another name"
    )]
    NameTaken {
        /// The name.
        name: &'static str,
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
                position: Position::START,
                text,
                source,
                ..
            } => Self::Tables {
                projection,
                text,
                source,
            },
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

    /// The event that it could not get past, if it was an event.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Decode { source, .. } => Some(source.position),
            Self::Panicked { position, .. }
            | Self::Failed { position, .. }
            | Self::Statement { position, .. } => Some(*position),
            _ => None,
        }
    }
}
