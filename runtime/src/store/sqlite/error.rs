//! What SQLite's errors mean for an append, a read, and the rest.

use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::log::{AppendError, ReadError};
use crate::store::backend::Closed;
use crate::store::{BackendError, CheckpointError, StoreError};

/// The store was opened for reading.
#[derive(Debug, thiserror::Error)]
#[error("the file is open for reading only")]
pub(super) struct OpenedForReading;

/// The thread that writes failed in the act.
#[derive(Debug, thiserror::Error)]
#[error("the writer panicked; this is a bug of recount or of SQLite")]
pub(super) struct Panicked;

/// A cause that several waiting writes share.
pub(super) type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why a transaction came to nothing, and what is known of the file.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// The file may only be read.
    ReadOnly(Cause),
    /// There is no space left; nothing was written.
    Full(Cause),
    /// Nothing was written.
    Unavailable(Cause),
    /// The commit itself failed: all is written or nothing.
    Unknown(Cause),
}

impl Failure {
    /// Before the commit nothing lasts, whatever happens.
    pub(super) fn before_commit(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::ReadOnly) => Self::ReadOnly(Arc::new(error)),
            Some(ErrorCode::DiskFull) => Self::Full(Arc::new(error)),
            _ => Self::Unavailable(Arc::new(error)),
        }
    }

    /// A commit writes the log's last page with its mark at the end: when there was no space for it, it does not count.
    /// After any other failure the mark may be on the disk.
    pub(super) fn in_commit(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::ReadOnly) => Self::ReadOnly(Arc::new(error)),
            Some(ErrorCode::DiskFull) => Self::Full(Arc::new(error)),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Unavailable(Arc::new(error))
            }
            _ => Self::Unknown(Arc::new(error)),
        }
    }

    pub(super) fn closed() -> Self {
        Self::Unavailable(Arc::new(Closed))
    }

    pub(super) fn opened_for_reading() -> Self {
        Self::ReadOnly(Arc::new(OpenedForReading))
    }

    pub(super) fn panicked() -> Self {
        Self::Unknown(Arc::new(Panicked))
    }

    fn cause(self) -> BackendError {
        match self {
            Self::ReadOnly(cause)
            | Self::Full(cause)
            | Self::Unavailable(cause)
            | Self::Unknown(cause) => BackendError::new(Shared(cause)),
        }
    }
}

/// A shared cause as an error of its own.
#[derive(Debug)]
struct Shared(Cause);

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// A failed transaction, as the operation that waited for it tells it.
pub(super) trait FromFailure {
    fn from_failure(url: &str, failure: Failure) -> Self;
}

impl FromFailure for AppendError {
    fn from_failure(url: &str, failure: Failure) -> Self {
        let store = url.to_owned();
        match &failure {
            Failure::ReadOnly(_) => Self::ReadOnly {
                store,
                source: failure.cause(),
            },
            Failure::Full(_) => Self::Full {
                store,
                source: failure.cause(),
            },
            Failure::Unavailable(_) => Self::Unavailable {
                store,
                source: failure.cause(),
            },
            Failure::Unknown(_) => Self::Unknown {
                store,
                source: failure.cause(),
            },
        }
    }
}

impl FromFailure for StoreError {
    fn from_failure(url: &str, failure: Failure) -> Self {
        Self {
            store: url.to_owned(),
            source: failure.cause(),
        }
    }
}

impl FromFailure for CheckpointError {
    fn from_failure(url: &str, failure: Failure) -> Self {
        StoreError::from_failure(url, failure).into()
    }
}

/// The database could not be read.
pub(super) fn unreadable(
    url: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ReadError {
    ReadError::Unavailable {
        store: url.to_owned(),
        source: BackendError::new(error),
    }
}

/// Whether another connection was in the way.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// Whether a uniqueness or another rule of a table refused a row.
pub(super) fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// Whether pages of the file are damaged.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}
