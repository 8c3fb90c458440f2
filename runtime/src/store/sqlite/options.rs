//! How a file is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use super::queue::Writing;
use super::reader::Readers;
use super::turn::{self, Turnstile};
use super::watch::Watched;
use super::writer::Writer;
use super::{DatabaseFile, Inner, STATEMENTS, SqliteBackend, schema, waiting};
use crate::store::{BackendError, ConnectError};

/// When an append is on the disk.
///
/// ```
/// use recount::store::sqlite::Synchronous;
///
/// assert_eq!(Synchronous::default(), Synchronous::Full);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Synchronous {
    /// When it returns: each transaction ends with an `fsync`.
    #[default]
    Full,
    /// Some time later: the system writes it when it likes. A crash of the process loses nothing. When the machine loses
    /// its power, the last appends may be lost, though they had returned; each wholly, the latest first, and the file
    /// is whole. Whoever told others about such an event is wrong then, so this is for logs that can be made again.
    Normal,
}

/// How a SQLite file is opened: [`Store::connect`](crate::Store::connect) with more to say.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::{Store, store::sqlite::{SqliteOptions, Synchronous}};
///
/// # let directory = std::env::temp_dir().join(format!("recount-doc-{}-options", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("bank.db");
/// let backend = SqliteOptions::new(path)
///     .synchronous(Synchronous::Normal)
///     .readers(4)
///     .max_bytes(1 << 30)
///     .open()
///     .await?;
/// let store = Store::new(backend);
/// # store.close().await?;
/// # std::fs::remove_dir_all(directory)?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    path: PathBuf,
    synchronous: Synchronous,
    readers: usize,
    max_bytes: Option<u64>,
    read_only: bool,
}

impl SqliteOptions {
    /// Opens this file, and makes it when it is not there. A relative path is relative to the directory that is current
    /// when the store is opened.
    ///
    /// ```
    /// let options = recount::store::sqlite::SqliteOptions::new("bank.db");
    /// assert_eq!(options.path(), std::path::Path::new("bank.db"));
    /// ```
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            synchronous: Synchronous::Full,
            readers: std::thread::available_parallelism().map_or(4, |n| n.get().clamp(2, 16)),
            max_bytes: None,
            read_only: false,
        }
    }

    /// Reads `sqlite:PATH?option=value&…`, with the options `synchronous=full` or `normal`, `readers`, `max_bytes` and
    /// `read_only=true` or `false`. The path is taken as it stands; one that holds a question mark needs [`new`](Self::new).
    ///
    /// # Errors
    /// [`ConnectError::UnknownUrl`] when it does not begin with `sqlite:` or names no file, [`ConnectError::Option`] when
    /// an option is not known or has a value that it cannot have.
    ///
    /// # Examples
    /// ```
    /// use recount::store::sqlite::{SqliteOptions, Synchronous};
    ///
    /// let options = SqliteOptions::from_url("sqlite:data/bank.db?synchronous=normal&max_bytes=1000000")?;
    /// assert_eq!(options, SqliteOptions::new("data/bank.db").synchronous(Synchronous::Normal).max_bytes(1_000_000));
    /// assert!(SqliteOptions::from_url("sqlite:bank.db?sync=off").is_err());
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    pub fn from_url(url: &str) -> Result<Self, ConnectError> {
        let unknown = || ConnectError::UnknownUrl {
            url: url.to_owned(),
        };
        let rest = url.strip_prefix("sqlite:").ok_or_else(unknown)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        // `sqlite://bank.db` and `sqlite:///var/bank.db` are what other libraries call the same.
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err(unknown());
        }
        let refused = |option: &str, reason: &str| ConnectError::Option {
            url: url.to_owned(),
            option: option.to_owned(),
            reason: reason.to_owned(),
        };
        if path == ":memory:" {
            return Err(refused(
                path,
                "a log in memory is opened with the URL `memory:`",
            ));
        }
        let mut options = Self::new(path);
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match (name, value) {
                ("synchronous", "full") => options.synchronous = Synchronous::Full,
                ("synchronous", "normal") => options.synchronous = Synchronous::Normal,
                ("synchronous", _) => return Err(refused(option, "write `full` or `normal`")),
                ("read_only", "true") => options.read_only = true,
                ("read_only", "false") => options.read_only = false,
                ("read_only", _) => return Err(refused(option, "write `true` or `false`")),
                ("readers", value) => match value.parse() {
                    Ok(readers) if readers > 0 => options.readers = readers,
                    _ => return Err(refused(option, "write a number from 1")),
                },
                ("max_bytes", value) => match value.parse() {
                    Ok(bytes) => options.max_bytes = Some(bytes),
                    Err(_) => return Err(refused(option, "write a number of bytes")),
                },
                _ => {
                    return Err(refused(
                        option,
                        "the options are `synchronous`, `readers`, `max_bytes` and `read_only`",
                    ));
                }
            }
        }
        Ok(options)
    }

    /// When an append is on the disk; [`Synchronous::Full`] unless this says otherwise.
    ///
    /// ```
    /// use recount::store::sqlite::{SqliteOptions, Synchronous};
    ///
    /// let options = SqliteOptions::new("cache.db").synchronous(Synchronous::Normal);
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// The most connections for reading, at least 1; as many as there are processors, from 2 to 16, unless this says
    /// otherwise. They are opened when they are needed.
    ///
    /// ```
    /// let options = recount::store::sqlite::SqliteOptions::new("bank.db").readers(4);
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// The most bytes that the file may have, rounded down to pages of 4,096 bytes; an append that does not fit is
    /// [`AppendError::Full`](crate::log::AppendError::Full). A file that is larger already stays as it is and grows no more.
    /// The write-ahead log is not counted: it holds what is on its way into the file, as a rule some megabytes.
    ///
    /// ```
    /// let options = recount::store::sqlite::SqliteOptions::new("bank.db").max_bytes(10 << 30);
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Opens a file that is there, for reading only; an append is
    /// [`AppendError::ReadOnly`](crate::log::AppendError::ReadOnly). So is one to a file that the system says is read-only.
    ///
    /// ```
    /// let options = recount::store::sqlite::SqliteOptions::new("bank.db").read_only(true);
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// The path of the file, as it was given.
    ///
    /// ```
    /// let options = recount::store::sqlite::SqliteOptions::from_url("sqlite:bank.db")?;
    /// assert_eq!(options.path(), std::path::Path::new("bank.db"));
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file; makes it when it is not there, and brings an older one to the schema of this version.
    ///
    /// # Errors
    /// [`ConnectError`] says what the file is, and what to do. A file that is not a log is left as it is.
    ///
    /// # Cancel safety
    /// A dropped future leaves a complete file or none.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use recount::store::sqlite::SqliteOptions;
    ///
    /// let error = SqliteOptions::new("no/such/directory/bank.db").open().await.unwrap_err();
    /// assert_eq!(error.to_string(), "the store sqlite:no/such/directory/bank.db could not be opened");
    /// # Ok(()) }
    /// ```
    pub async fn open(self) -> Result<SqliteBackend, ConnectError> {
        waiting(move || self.open_here()).await
    }

    fn open_here(self) -> Result<SqliteBackend, ConnectError> {
        let shown = self.path.display().to_string();
        let url = format!("sqlite:{shown}");
        let unavailable = |error: std::io::Error| ConnectError::Unavailable {
            url: url.clone(),
            source: BackendError::new(error),
        };
        // An absolute path is the same file for every connection, and never one of SQLite's special names.
        let path = std::path::absolute(&self.path).map_err(unavailable)?;
        look_at(&path, &shown, self.read_only, &url)?;
        let refused = |error| schema::refusal(error, &shown, &url);

        let mut connection = self.connect(&path).map_err(refused)?;
        let mut file = DatabaseFile {
            path: path.clone(),
            immutable: false,
        };
        let read_only = self.read_only || connection.is_readonly(MAIN_DB).map_err(refused)?;
        if read_only && cannot_share(&connection) && !beside(&path, "-wal").exists() {
            // On a read-only file system there is no place for the locks, and no need of them.
            file.immutable = true;
            connection = file.open_for_reading().map_err(refused)?;
        }
        let turnstile = if read_only {
            Turnstile::none()
        } else {
            Turnstile::beside(&beside(&path, "-turn"))
        };
        {
            let _turn = turnstile.enter(turn::BUSY);
            schema::prepare(&mut connection, &shown, &url, read_only)?;
        }
        let watched = Watched::new(file.clone());
        let readers = Readers::new(url.clone(), file, self.readers);
        let writing = if read_only {
            super::set_up_reader(&mut connection).map_err(refused)?;
            readers.adopt(connection);
            None
        } else {
            self.set_up_writer(&connection).map_err(refused)?;
            let limit = turn::be_patient(&mut connection).map_err(refused)?;
            super::tables::guard(&mut connection).map_err(refused)?;
            let writer = Writer::new(connection, limit, turnstile, watched.clone(), url.clone());
            Some(Writing::start(writer).map_err(unavailable)?)
        };
        Ok(SqliteBackend(Arc::new(Inner {
            url,
            path,
            readers,
            writing,
            watched,
        })))
    }

    fn connect(&self, path: &Path) -> rusqlite::Result<Connection> {
        let access = if self.read_only {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        } else {
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        };
        let mut connection =
            Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        turn::be_patient(&mut connection)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // The triggers are there for everybody else: see the schema.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        Ok(connection)
    }

    fn set_up_writer(&self, connection: &Connection) -> rusqlite::Result<()> {
        let synchronous = match self.synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        // What savepoints keep, for a group with a refusal in it, stays out of temporary files.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        // 32 MiB: the index by stream is written all over.
        connection.pragma_update(None, "cache_size", -32 * 1024)?;
        // 16 MiB of write-ahead log between checkpoints: a page that is written again and again is copied back once.
        connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
        // After a burst, the write-ahead log shrinks to this.
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        if let Some(bytes) = self.max_bytes {
            let page: u64 = connection
                .query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))?
                .into();
            let pages = (bytes / page.max(1)).clamp(1, u64::from(u32::MAX - 1));
            connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        }
        Ok(())
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// What can be told of a path without opening it, in clearer words than SQLite's.
fn look_at(path: &Path, shown: &str, read_only: bool, url: &str) -> Result<(), ConnectError> {
    let unavailable = |text: String| ConnectError::Unavailable {
        url: url.to_owned(),
        source: BackendError::new(text),
    };
    match std::fs::metadata(path) {
        Ok(file) if file.is_file() => Ok(()),
        Ok(file) => Err(ConnectError::NotADatabase {
            path: shown.to_owned(),
            reason: if file.is_dir() {
                "it is a directory".to_owned()
            } else {
                "it is not a regular file".to_owned()
            },
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = path.parent().unwrap_or(path);
            if !parent.is_dir() {
                let parent = parent.display();
                return Err(unavailable(format!(
                    "the directory {parent} does not exist; make it first"
                )));
            }
            if read_only {
                return Err(unavailable(
                    "there is no such file, and it was to be opened for reading".to_owned(),
                ));
            }
            Ok(())
        }
        Err(error) => Err(unavailable(error.to_string())),
    }
}

/// Whether a file cannot be read for want of a place for the locks beside it.
fn cannot_share(connection: &Connection) -> bool {
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .is_err_and(|error| {
            matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)
            )
        })
}
