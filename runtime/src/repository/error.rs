//! What can go wrong, named after the intent that failed.

use super::Unseen;
use crate::aggregate::RecordError;
use crate::event::DecodeError;
use crate::log::{AppendError, NameError, ReadError, StreamId, Version};

/// Why an aggregate could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The stream has no event that makes a state.
    #[error("{stream} does not exist")]
    NotFound {
        /// The stream.
        stream: StreamId,
    },
    /// A version was asked for that the stream has not reached.
    #[error("{stream} has {last} versions, version {asked} was asked for")]
    BeyondEnd {
        /// The stream.
        stream: StreamId,
        /// The version that was asked for.
        asked: Version,
        /// The version of its last event.
        last: Version,
    },
    /// An event of the stream cannot be read or folded.
    #[error(transparent)]
    Decode(#[from] Box<DecodeError>),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The id's text cannot name a stream.
    #[error(transparent)]
    Id(#[from] NameError),
}

/// Why an aggregate could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The stream has events; nothing was written.
    #[error("{stream} already exists, at version {version}")]
    AlreadyExists {
        /// The stream.
        stream: StreamId,
        /// The version of its last event.
        version: Version,
    },
    /// An event could not be recorded; nothing was written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The store did not take the events.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The events are stored; a projection that was waited for has not handled them.
    #[error(transparent)]
    Unseen(#[from] Box<Unseen>),
    /// The id's text cannot name a stream.
    #[error(transparent)]
    Id(#[from] NameError),
}

/// Why a root could not be saved; it keeps its recorded events.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// An event could not be recorded; nothing was written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The store did not take the events.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The events are stored, and the root is saved; a projection that was waited for has not handled them.
    #[error(transparent)]
    Unseen(#[from] Box<Unseen>),
}

/// Why a command was not carried out. `E` is the aggregate's own error.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExecuteError<E> {
    /// The aggregate refused the command; nothing was written.
    Rejected(E),
    /// Other commands on the stream were faster each time; nothing was written.
    Contended {
        /// The stream.
        stream: StreamId,
        /// How many times it was tried.
        attempts: u32,
    },
    /// The aggregate could not be loaded; nothing was written.
    Load(LoadError),
    /// An event could not be recorded; nothing was written.
    Record(RecordError),
    /// The store did not take the events.
    Append(AppendError),
    /// The command was carried out and its events are stored; a projection that was waited for has not handled them.
    Unseen(Box<Unseen>),
}

impl<E> ExecuteError<E> {
    /// The aggregate's own error, when it was that.
    pub fn rejection(self) -> Option<E> {
        match self {
            Self::Rejected(error) => Some(error),
            _ => None,
        }
    }
}

impl<E: std::fmt::Display> std::fmt::Display for ExecuteError<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rejected(error) => error.fmt(f),
            Self::Contended { stream, attempts } => write!(
                f,
                "{stream} was changed by others during each of {attempts} attempts; try again when there is less traffic on it"
            ),
            Self::Load(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
            Self::Append(error) => error.fmt(f),
            Self::Unseen(error) => error.fmt(f),
        }
    }
}

impl<E: std::fmt::Debug + std::fmt::Display> std::error::Error for ExecuteError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // The aggregate's error is shown by this one's own text and returned by `rejection`.
            Self::Rejected(_) | Self::Contended { .. } => None,
            Self::Load(error) => error.source(),
            Self::Record(error) => error.source(),
            Self::Append(error) => error.source(),
            Self::Unseen(error) => error.source(),
        }
    }
}

impl<E> From<LoadError> for ExecuteError<E> {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl<E> From<Box<Unseen>> for ExecuteError<E> {
    fn from(error: Box<Unseen>) -> Self {
        Self::Unseen(error)
    }
}

impl<E> From<RecordError> for ExecuteError<E> {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}
