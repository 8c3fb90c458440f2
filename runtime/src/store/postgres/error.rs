//! What the server's errors mean for an append, a read, and the rest.

use std::sync::Arc;

use deadpool::managed::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

use crate::log::{AppendError, ReadError};
use crate::store::backend::Closed;
use crate::store::{BackendError, StoreError};

/// What the driver or the pool said, with all that the server told.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Cause {
    #[error("{}", told(.0))]
    Database(Arc<tokio_postgres::Error>),
    #[error(
        "all connections were in use for too long; allow more (`connections`), or a longer wait (`wait_timeout`)"
    )]
    Busy,
    #[error(
        "the server is a standby, which does not know who appends; ask the one that is written to"
    )]
    Standby,
    #[error(
        "the server took too long to let somebody in; look at it and the way to it, or raise `connect_timeout`"
    )]
    Silent,
    /// What a pooler between here and the server must do.
    #[error("the connection leads to a pooler: {0}")]
    Pooler(String),
    #[error("the connection was closed before anything was sent")]
    Lost,
    #[error(transparent)]
    Closed(Closed),
    #[error("{0}")]
    Other(&'static str),
}

/// The driver says only "db error" and keeps the rest for its source; the server does not say what to do.
fn told(error: &tokio_postgres::Error) -> String {
    let told = match error.as_db_error() {
        Some(error) => error.to_string(),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    };
    let refused = std::error::Error::source(error)
        .and_then(<dyn std::error::Error>::downcast_ref::<std::io::Error>)
        .filter(|source| source.kind() == std::io::ErrorKind::ConnectionRefused)
        .map(|_| "start the server, or look at the host and the port");
    match error.code().and_then(advice).or(refused) {
        Some(advice) => format!("{told}; {advice}"),
        None => told,
    }
}

/// What to do about an error that has nothing to do with what was asked.
fn advice(state: &SqlState) -> Option<&'static str> {
    Some(match state.code() {
        "53300" => {
            "open fewer connections (`connections`), or raise `max_connections` of the server"
        }
        "53100" => "free space on the server",
        "53200" => "append less at once, or give the server more memory",
        "57P03" => "wait until the server has started",
        "57014" => "try again, or raise `statement_timeout`",
        "55P03" => "try again, or raise `lock_timeout`",
        "25006" => {
            "append on the server that is written to, not on a standby, and neither in a transaction that is READ ONLY nor with \
             `default_transaction_read_only`"
        }
        "25P02" => "something failed in the transaction before; roll it back and begin another one",
        "42501" => "grant the user the right",
        _ => return None,
    })
}

impl Cause {
    /// The server's code, when it answered.
    pub(super) fn state(&self) -> Option<&SqlState> {
        self.driver()?.code()
    }

    /// What the driver said.
    pub(super) fn driver(&self) -> Option<&tokio_postgres::Error> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }

    /// Whether it waited too long for a lock, for instance for a stream that somebody else holds.
    pub(super) fn is_wait_for_lock(&self) -> bool {
        self.state().is_some_and(|state| state.code() == "55P03")
    }

    /// Whether the server stopped working on it. Its session is not used again then: had the statement for one event been stopped
    /// between taking the gate of the order and giving it back, everybody would wait for it.
    pub(super) fn is_cancelled(&self) -> bool {
        self.state().is_some_and(|state| state.code() == "57014")
    }

    /// Whether the connection is gone, so that another one may do better.
    pub(super) fn is_lost(&self) -> bool {
        let error = match self {
            Self::Database(error) => error,
            cause => return matches!(cause, Self::Lost),
        };
        if let Some(state) = error.code() {
            // 57P05: it had rested for longer than `idle_session_timeout`.
            return matches!(state.code(), "57P01" | "57P02" | "57P05")
                || state.code().starts_with("08");
        }
        let source = std::error::Error::source(error);
        error.is_closed() || source.is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
    }

    /// Whether the server asked for a password that the URL does not have.
    pub(super) fn is_without_password(&self) -> bool {
        let source = self.driver().and_then(std::error::Error::source);
        source.is_some_and(|source| source.to_string() == "password missing")
    }
}

impl From<tokio_postgres::Error> for Cause {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<PoolError<Cause>> for Cause {
    fn from(error: PoolError<Cause>) -> Self {
        match error {
            PoolError::Closed => Self::Closed(Closed),
            PoolError::Backend(cause) => cause,
            PoolError::Timeout(TimeoutType::Wait) => Self::Busy,
            // Nothing else is asked of the pool.
            PoolError::Timeout(_)
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_) => Self::Other("the pool of connections failed"),
        }
    }
}

/// Why a call that writes came to nothing, and what is known of the log.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// Nothing was written, and the same call may do better: it met another one.
    Retry(Cause),
    /// This user, or this server, may only read.
    ReadOnly(Cause),
    /// There is no space left; nothing was written.
    Full(Cause),
    /// Something in the call cannot be stored; nothing was written.
    Unstorable(Cause),
    /// Nothing was written.
    Unavailable(Cause),
    /// All is written or nothing.
    Unknown(Cause),
}

impl Failure {
    /// A call that was never sent, or only asked.
    pub(super) fn before(cause: impl Into<Cause>) -> Self {
        match Self::after(cause) {
            Self::Unknown(cause) => Self::Unavailable(cause),
            failure => failure,
        }
    }

    /// A call that was sent. Whatever the server answers it has undone, unless it was told to stop: then it may have been
    /// just behind the commit. Without an answer nothing is known.
    pub(super) fn after(cause: impl Into<Cause>) -> Self {
        let cause = cause.into();
        let Some(state) = cause.state() else {
            return Self::Unknown(cause);
        };
        match state.code() {
            "40001" | "40P01" | "23505" => Self::Retry(cause),
            "25006" | "42501" => Self::ReadOnly(cause),
            "53100" => Self::Full(cause),
            "57P01" | "57P02" | "57P03" | "40003" => Self::Unknown(cause),
            // 08: so says a pooler whose server was lost, whatever that had done by then.
            code if code.starts_with("08") => Self::Unknown(cause),
            // 23: a rule that somebody else gave the tables.
            code if ["22", "23", "54"].contains(&code.get(..2).unwrap_or_default()) => {
                Self::Unstorable(cause)
            }
            _ => Self::Unavailable(cause),
        }
    }

    /// What the driver or the pool said.
    pub(super) fn cause(&self) -> &Cause {
        let (Self::Retry(cause)
        | Self::ReadOnly(cause)
        | Self::Full(cause)
        | Self::Unstorable(cause)
        | Self::Unavailable(cause)
        | Self::Unknown(cause)) = self;
        cause
    }

    /// What the connection was lost by, if it was.
    pub(super) fn lost(&self) -> Option<&Cause> {
        Some(self.cause()).filter(|cause| cause.is_lost())
    }

    /// Whether the connection is gone.
    pub(super) fn is_lost(&self) -> bool {
        self.lost().is_some()
    }

    /// As it is where nothing is committed by the call: a connection that broke has undone everything.
    pub(super) fn within_a_transaction(self) -> Self {
        match self {
            Self::Unknown(cause) => Self::Unavailable(cause),
            failure => failure,
        }
    }

    pub(super) fn closed() -> Self {
        Self::Unavailable(Cause::Closed(Closed))
    }

    /// As an append tells it.
    pub(super) fn of_append(self, url: &str) -> AppendError {
        let store = url.to_owned();
        match self {
            Self::ReadOnly(cause) => AppendError::ReadOnly {
                store,
                source: BackendError::new(cause),
            },
            Self::Full(cause) => AppendError::Full {
                store,
                source: BackendError::new(cause),
            },
            Self::Unknown(cause) => AppendError::Unknown {
                store,
                source: BackendError::new(cause),
            },
            Self::Retry(cause) | Self::Unstorable(cause) | Self::Unavailable(cause) => {
                AppendError::Unavailable {
                    store,
                    source: BackendError::new(cause),
                }
            }
        }
    }
}

/// The log could not be read.
pub(super) fn unreadable(url: &str, cause: impl Into<Cause>) -> ReadError {
    ReadError::Unavailable {
        store: url.to_owned(),
        source: BackendError::new(cause.into()),
    }
}

/// What is not the log could not be used.
pub(super) fn unusable(url: &str, cause: impl Into<Cause>) -> StoreError {
    StoreError::new(url, cause.into())
}
