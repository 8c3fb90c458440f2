//! From a URL to a store.

use super::{BackendError, Store, memory};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL names no kind of store that is known.
    #[error("{url:?} is not the URL of a store; write `memory:` or `sqlite:PATH`")]
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
    /// The file was made by a newer version of this crate.
    #[error(
        "{path} has schema version {found}, this version of recount knows up to {known}; use the newer recount"
    )]
    NewerSchema {
        /// The file.
        path: String,
        /// The version in the file.
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
    not(feature = "sqlite"),
    expect(clippy::unused_async, reason = "only files take time to open")
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
        _ => Err(ConnectError::UnknownUrl {
            url: without_password(url),
        }),
    }
}

/// A URL as it may be shown: what stands before the last `@` of its address is left out.
fn without_password(url: &str) -> String {
    match url
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)))
    {
        Some((scheme, (_, address))) => format!("{scheme}://…@{address}"),
        None => url.to_owned(),
    }
}
