//! From a URL to a store.

use super::{BackendError, Store, memory};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL names no kind of store that is known.
    #[error(
        "{url:?} is not the URL of a store; write `memory:`, `sqlite:PATH` or `postgres://USER@HOST/DATABASE`"
    )]
    UnknownUrl {
        /// The URL.
        url: String,
    },
    /// The kind of store is known but not built in.
    #[error("{url:?} needs the feature `{feature}` of the crate recount")]
    FeatureMissing {
        /// The URL.
        url: String,
        /// The feature to switch on.
        feature: &'static str,
    },
    /// An option of the URL is not known or has a value that it cannot have.
    #[error("option `{option}` in {url:?}: {reason}")]
    Option {
        /// The URL.
        url: String,
        /// The option as written.
        option: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is there but is no database, or a directory.
    #[error("{path} is not a SQLite database: {reason}; name another file")]
    NotADatabase {
        /// The file.
        path: String,
        /// What was found.
        reason: String,
    },
    /// The file is a database whose content is damaged; it was left as it is.
    #[error(
        "{path} is damaged: {reason}; put back a copy, or save what can be read with the `.recover` command of the sqlite3 shell"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What SQLite said.
        reason: String,
    },
    /// The file is a database of some other application.
    #[error(
        "{path} is a database of another application (it holds the table {table}); name another file"
    )]
    Foreign {
        /// The file.
        path: String,
        /// A table that a log does not have.
        table: String,
    },
    /// The server did not let the user in: the password is wrong or missing, or the server's rules keep the user out.
    #[error(
        "the server of {url} does not let this user in; look at the user's name, the password and the server's rules"
    )]
    Denied {
        /// The URL.
        url: String,
        /// What the server said.
        source: BackendError,
    },
    /// The server is there and has no database of this name.
    #[error("the server of {url} has no database {database:?}; make it with `CREATE DATABASE`")]
    NoDatabase {
        /// The URL.
        url: String,
        /// The name that was asked for.
        database: String,
    },
    /// The connection could not be as safe as `sslmode` asks for.
    #[error("no safe connection to the server of {url}: {advice}")]
    Tls {
        /// The URL.
        url: String,
        /// What stands in the way, and what to do.
        advice: String,
        /// What the driver said.
        source: BackendError,
    },
    /// Between here and the server stands a pooler that the log cannot be used through as it is.
    #[error("{url} leads to a connection pooler: {advice}")]
    Pooler {
        /// The URL.
        url: String,
        /// What stands in the way, and what to do.
        advice: String,
    },
    /// The server is a copy of another one. Only the one that is written to knows which events are still to come.
    #[error(
        "the server of {url} is a standby; connect to the one that is written to, or name all of them, with `target_session_attrs=read-write`"
    )]
    Standby {
        /// The URL.
        url: String,
    },
    /// The user may not read the log, or may not make one where none is yet.
    #[error("the user of {url} lacks a right on the schema {schema:?}")]
    NoRight {
        /// The URL.
        url: String,
        /// The schema that holds the log.
        schema: String,
        /// What the server said.
        source: BackendError,
    },
    /// The schema holds something of another application; it was left as it is.
    #[error(
        "the schema {schema:?} of {url} is used by another application (it holds {relation}); name another schema"
    )]
    ForeignSchema {
        /// The URL.
        url: String,
        /// The schema.
        schema: String,
        /// What stands where a part of the log would.
        relation: String,
    },
    /// The sequence that gives events their positions was altered, or set back, so that readers would skip events.
    #[error(
        "the sequence of positions in the schema {schema:?} of {url} {found}, and readers would skip events; run `{remedy}`, then \
         restart all that append"
    )]
    UnsafeSequence {
        /// The URL.
        url: String,
        /// The schema that holds the log.
        schema: String,
        /// What the sequence does.
        found: String,
        /// The statement that mends it.
        remedy: String,
    },
    /// The file, or the schema in the database, was made by a newer version of this crate.
    #[error(
        "{path} has schema version {found}, this version of recount knows up to {known}; use the newer recount"
    )]
    NewerSchema {
        /// The file, or the schema and its database.
        path: String,
        /// The version that was found.
        found: i64,
        /// The newest version that is known here.
        known: i64,
    },
    /// The database could not be opened or made.
    #[error("the store {url} could not be opened")]
    Unavailable {
        /// The URL.
        url: String,
        /// What the database said.
        source: BackendError,
    },
}

/// Opens the store that `url` names.
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(
        clippy::unused_async,
        reason = "only files and servers take time to open"
    )
)]
pub(super) async fn connect(url: &str) -> Result<Store, ConnectError> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Store::new(memory::MemoryBackend::new())),
        #[cfg(feature = "sqlite")]
        Some(("sqlite", _)) => Ok(Store::new(
            super::sqlite::SqliteOptions::from_url(url)?.open().await?,
        )),
        #[cfg(not(feature = "sqlite"))]
        Some(("sqlite", _)) => Err(ConnectError::FeatureMissing {
            url: url.to_owned(),
            feature: "sqlite",
        }),
        #[cfg(feature = "postgres")]
        Some(("postgres" | "postgresql", _)) => Ok(Store::new(
            super::postgres::PostgresOptions::from_url(url)?
                .open()
                .await?,
        )),
        #[cfg(not(feature = "postgres"))]
        Some(("postgres" | "postgresql", _)) => Err(ConnectError::FeatureMissing {
            url: without_password(url),
            feature: "postgres",
        }),
        _ => Err(ConnectError::UnknownUrl {
            url: without_password(url),
        }),
    }
}

/// A URL as it may be shown: what stands before the last `@` of its address is left out.
pub(super) fn without_password(url: &str) -> String {
    match url
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)))
    {
        Some((scheme, (_, address))) => format!("{scheme}://…@{address}"),
        None => url.to_owned(),
    }
}
