//! How a log on a server is opened.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::QueueMode;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::error::Cause;
use super::names::Names;
use super::notify::Others;
use super::pool::{Pool, Sessions};
use super::seen::Seen;
use super::server::Server;
use super::session::{self, Connector, Limits, Way};
use super::shared::Shared;
use super::sql::Sql;
use super::tables::dialect;
use super::tls::{self, Tls, TlsMode};
use super::{PostgresBackend, schema};
use crate::store::connect::without_password;
use crate::store::{BackendError, ConnectError, Wakes};

/// How a log on a PostgreSQL server is opened: [`Store::connect`](crate::Store::connect) with more to say.
///
/// ```
/// use recount::store::postgres::PostgresOptions;
///
/// let options = PostgresOptions::from_url("postgres://clerk:secret@db.example.com/bank")?.schema("orders").connections(8);
/// assert_eq!(options.url(), "postgres://clerk@db.example.com:5432/bank?schema=orders");
/// # Ok::<(), recount::store::ConnectError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    config: Config,
    schema: String,
    connections: usize,
    tls: Tls,
    limits: Limits,
    /// No time at all: for ever.
    wait: Duration,
    read_only: bool,
}

impl PostgresOptions {
    /// The schema that holds the log unless [`schema`](Self::schema) names another.
    pub const SCHEMA: &str = "recount";

    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?option=value&…`. Characters that have a meaning in a URL are written
    /// with `%`, as `%2F`.
    ///
    /// | option | unless it is there | what it says |
    /// |---|---|---|
    /// | `schema` | `recount` | the schema that holds the log |
    /// | `connections` | 16 | the most connections at once |
    /// | `read_only` | `false` | `true`: the log must be there, and is only read |
    /// | `sslmode` | `prefer` | see [`TlsMode`] |
    /// | `sslrootcert` | | a file of certificates in PEM, those of the CAs that are trusted; `system`: those of this machine |
    /// | `sslcert`, `sslkey` | | files in PEM: the certificate that says who we are, and its key without a password |
    /// | `connect_timeout` | 10 | how many seconds connecting to a host may take, login and all |
    /// | `wait_timeout` | `30s` | how long to wait while all connections are in use |
    /// | `statement_timeout` | `60s` | how long the server works on one statement |
    /// | `lock_timeout` | `10s` | how long a statement waits for a lock, for instance for a stream that somebody else writes to |
    /// | `tcp_user_timeout` | 30 | after how many seconds without a sign that what was sent arrived a connection is given up |
    /// | `keepalives_idle`, `keepalives_interval`, `keepalives_retries` | 30, 10, 3 | after how many seconds of silence the other side is asked for a sign, how many later again, and how often before the connection is given up |
    ///
    /// Times with a unit are written in `ms`, `s` or `min`; 0 is no limit. All other options are the driver's, as
    /// `application_name`.
    ///
    /// # Errors
    /// [`ConnectError::UnknownUrl`] when it is not such a URL, [`ConnectError::Option`] when an option is not known, is there twice,
    /// or has a value that it cannot have.
    ///
    /// # Examples
    /// ```
    /// use recount::store::postgres::PostgresOptions;
    ///
    /// let options = PostgresOptions::from_url("postgres://clerk@localhost/bank?schema=orders&connections=4")?;
    /// assert_eq!(options, PostgresOptions::from_url("postgresql://clerk@localhost/bank")?.schema("orders").connections(4));
    /// assert!(PostgresOptions::from_url("postgres://localhost/bank?connections=none").is_err());
    /// assert!(PostgresOptions::from_url("postgres://localhost/bank?lock_timeout=5").is_err());
    /// // The database is named.
    /// assert!(PostgresOptions::from_url("postgres://localhost").is_err());
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    pub fn from_url(url: &str) -> Result<Self, ConnectError> {
        let (address, options) = url.split_once('?').unwrap_or((url, ""));
        let mut read = Self {
            config: Config::new(),
            schema: Self::SCHEMA.to_owned(),
            connections: 16,
            tls: Tls::default(),
            limits: Limits {
                statement: Duration::from_mins(1),
                lock: Duration::from_secs(10),
            },
            wait: Duration::from_secs(30),
            read_only: false,
        };
        let refused = |option: &str, reason: String| ConnectError::Option {
            url: without_password(address),
            option: match option.split_once('=') {
                Some((name @ ("password" | "sslpassword"), _)) => name.to_owned(),
                _ => option.to_owned(),
            },
            reason,
        };
        let (mut others, mut names) = (Vec::new(), HashSet::new());
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if !names.insert(name) {
                return Err(refused(option, format!("write `{name}` once")));
            }
            let taken = decoded(value).and_then(|value| read.take(name, &value));
            if !taken.map_err(|reason| refused(option, reason.to_owned()))? {
                // By itself, so that it is known which one the driver refuses.
                let alone = format!("postgres://host/database?{option}").parse::<Config>();
                alone.map_err(|error| refused(option, reason_of(&error)))?;
                others.push(option);
            }
        }
        // What comes later wins.
        let mut all = DEFAULTS.to_vec();
        all.append(&mut others);
        let unknown = || ConnectError::UnknownUrl {
            url: without_password(address),
        };
        let config = format!("{address}?{}", all.join("&")).parse();
        read.config = config.map_err(|_| unknown())?;
        let is_cut = |host: &Host| matches!(host, Host::Tcp(name) if name.contains('@'));
        if read.config.get_hosts().iter().any(is_cut) {
            let reason = "write `@` in a user's name or password as `%40`".to_owned();
            return Err(refused("password", reason));
        }
        // Without a name the driver would take the user's for the database's.
        if read.config.get_hosts().is_empty() || read.config.get_dbname().is_none() {
            return Err(unknown());
        }
        Ok(read)
    }

    /// Takes an option with its value, if it is not the driver's.
    fn take(&mut self, name: &str, value: &str) -> Result<bool, &'static str> {
        match name {
            "schema" => {
                check_schema(value)?;
                value.clone_into(&mut self.schema);
            }
            "connections" => {
                let number = value.parse().ok().filter(|number| *number > 0);
                self.connections = number.ok_or("write a number from 1")?;
            }
            "read_only" => {
                self.read_only = value.parse().map_err(|_| "write `true` or `false`")?;
            }
            "sslmode" => {
                self.tls.mode = TlsMode::named(value)
                    .ok_or("write disable, prefer, require, verify-ca or verify-full")?;
            }
            "sslrootcert" => self.tls.roots = Some(value.into()),
            "sslcert" => self.tls.certificate = Some(value.into()),
            "sslkey" => self.tls.key = Some(value.into()),
            "wait_timeout" => self.wait = duration(value)?,
            "statement_timeout" => self.limits.statement = duration(value)?,
            "lock_timeout" => self.limits.lock = duration(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Keeps the log in a schema of this name, which is made when it is not there; several logs can share a database so. It is
    /// `recount` unless this says otherwise.
    ///
    /// ```
    /// # use recount::store::postgres::PostgresOptions;
    /// let options = PostgresOptions::from_url("postgres://localhost/bank")?.schema("orders");
    /// assert!(options.url().ends_with("?schema=orders"));
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// The most connections, at least 1; 16 unless this says otherwise. They are opened when they are needed.
    ///
    /// ```
    /// # use recount::store::postgres::PostgresOptions;
    /// let options = PostgresOptions::from_url("postgres://localhost/bank")?.connections(4);
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// Opens a log that is there for reading only, and makes none; `read_only` in a URL. Appends fail with
    /// [`AppendError::ReadOnly`](crate::log::AppendError::ReadOnly): the server refuses them, which a pooler that passes on no
    /// settings does not ask it for.
    ///
    /// ```
    /// # use recount::store::postgres::PostgresOptions;
    /// let options = PostgresOptions::from_url("postgres://localhost/bank")?.read_only(true);
    /// assert_eq!(options, PostgresOptions::from_url("postgres://localhost/bank?read_only=true")?);
    /// assert!(PostgresOptions::from_url("postgres://localhost/bank?read_only=yes").is_err());
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Says whether connections are encrypted, and how the server must show who it is; `sslmode` in a URL.
    /// [`TlsMode::Prefer`] unless this says otherwise.
    ///
    /// ```
    /// # use recount::store::postgres::{PostgresOptions, TlsMode};
    /// let options = PostgresOptions::from_url("postgres://db.example.com/bank")?.tls(TlsMode::VerifyFull);
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    #[must_use]
    pub fn tls(mut self, mode: TlsMode) -> Self {
        self.tls.mode = mode;
        self
    }

    /// Trusts the CAs whose certificates this file holds, in PEM, and no others; `sslrootcert` in a URL.
    ///
    /// ```
    /// # use recount::store::postgres::{PostgresOptions, TlsMode};
    /// let options = PostgresOptions::from_url("postgres://db.example.com/bank")?
    ///     .tls(TlsMode::VerifyFull)
    ///     .root_certificates("/etc/bank/ca.pem");
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    #[must_use]
    pub fn root_certificates(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls.roots = Some(file.into());
        self
    }

    /// Shows the server this certificate, whose key is in the other file, without a password; both in PEM. `sslcert` and `sslkey`
    /// in a URL.
    ///
    /// ```
    /// # use recount::store::postgres::{PostgresOptions, TlsMode};
    /// let options = PostgresOptions::from_url("postgres://clerk@db.example.com/bank")?
    ///     .tls(TlsMode::VerifyFull)
    ///     .client_certificate("/etc/bank/clerk.pem", "/etc/bank/clerk.key");
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.tls.certificate = Some(certificate.into());
        self.tls.key = Some(key.into());
        self
    }

    /// How long connecting to a host may take, login and all; 10 seconds unless this says otherwise.
    ///
    /// ```
    /// # use recount::store::postgres::PostgresOptions;
    /// use std::time::Duration;
    ///
    /// let options = PostgresOptions::from_url("postgres://localhost/bank")?.connect_timeout(Duration::from_secs(3));
    /// assert_eq!(options, PostgresOptions::from_url("postgres://localhost/bank?connect_timeout=3")?);
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    #[must_use]
    pub fn connect_timeout(mut self, most: Duration) -> Self {
        self.config.connect_timeout(most);
        self
    }

    /// How long to wait while all connections are in use; no time at all means for ever, 30 seconds unless this says otherwise.
    ///
    /// ```
    /// # use recount::store::postgres::PostgresOptions;
    /// use std::time::Duration;
    ///
    /// let options = PostgresOptions::from_url("postgres://localhost/bank")?.wait_timeout(Duration::from_millis(500));
    /// assert_eq!(options, PostgresOptions::from_url("postgres://localhost/bank?wait_timeout=500ms")?);
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    #[must_use]
    pub fn wait_timeout(mut self, most: Duration) -> Self {
        self.wait = most;
        self
    }

    /// How long the server works on one statement, to the millisecond; no time at all means for ever, 60 seconds unless this says
    /// otherwise. What takes longer is undone.
    ///
    /// ```
    /// # use recount::store::postgres::PostgresOptions;
    /// use std::time::Duration;
    ///
    /// let options = PostgresOptions::from_url("postgres://localhost/bank")?.statement_timeout(Duration::from_secs(120));
    /// assert_eq!(options, PostgresOptions::from_url("postgres://localhost/bank?statement_timeout=2min")?);
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    #[must_use]
    pub fn statement_timeout(mut self, most: Duration) -> Self {
        self.limits.statement = most;
        self
    }

    /// How long a statement waits for a lock, to the millisecond; no time at all means for ever, 10 seconds unless this says
    /// otherwise. Who writes to a stream waits for who wrote to it and is not done.
    ///
    /// ```
    /// # use recount::store::postgres::PostgresOptions;
    /// use std::time::Duration;
    ///
    /// let options = PostgresOptions::from_url("postgres://localhost/bank")?.lock_timeout(Duration::from_secs(2));
    /// assert_eq!(options, PostgresOptions::from_url("postgres://localhost/bank?lock_timeout=2s")?);
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    #[must_use]
    pub fn lock_timeout(mut self, most: Duration) -> Self {
        self.limits.lock = most;
        self
    }

    /// The URL as it is shown: without the password, and without what is the driver's only.
    ///
    /// ```
    /// # use recount::store::postgres::PostgresOptions;
    /// let options = PostgresOptions::from_url("postgres://clerk:secret@localhost/bank?connect_timeout=5")?;
    /// assert_eq!(options.url(), "postgres://clerk@localhost:5432/bank");
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    pub fn url(&self) -> String {
        let mut url = "postgres://".to_owned();
        if let Some(user) = self.config.get_user() {
            url += user;
            url.push('@');
        }
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            if index > 0 {
                url.push(',');
            }
            match host {
                Host::Tcp(name) => url += name,
                #[cfg(unix)]
                Host::Unix(path) => url += &path.display().to_string(),
            }
            let ports = self.config.get_ports();
            let port = ports.get(index).or(ports.first()).copied();
            // Writing to a string cannot fail.
            let _ = write!(url, ":{}", port.unwrap_or(5432));
        }
        if let Some(database) = self.config.get_dbname() {
            url.push('/');
            url += database;
        }
        if self.schema != Self::SCHEMA {
            url += "?schema=";
            url += &self.schema;
        }
        url
    }

    /// Connects; makes the schema when it is not there, and brings an older one to this version.
    ///
    /// # Errors
    /// [`ConnectError`] says what stands in the way, and what to do. A schema that is not a log is left as it is.
    ///
    /// # Cancel safety
    /// A dropped future leaves a complete schema or none.
    ///
    /// # Examples
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use recount::{Store, store::postgres::PostgresOptions};
    ///
    /// let backend = PostgresOptions::from_url("postgres://localhost/bank")?.connections(4).open().await?;
    /// let store = Store::new(backend);
    /// # Ok(()) }
    /// ```
    pub async fn open(self) -> Result<PostgresBackend, ConnectError> {
        let url = self.url();
        if let Err(reason) = check_schema(&self.schema) {
            return Err(ConnectError::Option {
                url,
                option: format!("schema={}", self.schema),
                reason: reason.to_owned(),
            });
        }
        let seen = Arc::<Seen>::default();
        let way = self.way(&url)?;
        let names = Arc::<Names>::default();
        let pool = self.pool(way.clone(), &url, &seen, &names)?;
        let mut session = pool.get().await.map_err(|error| self.refusal(error))?;
        let client = &mut session.client;
        if self.read_only {
            schema::find(client, &self.schema, &url, |error| self.refusal(error)).await?;
        } else {
            schema::prepare(client, &self.schema, &url, |error| self.refusal(error)).await?;
        }
        drop(session);
        let others = Others::new(url.clone(), way, pool.clone(), &self.schema);
        let others = Arc::new(others);
        Ok(PostgresBackend::new(Server {
            url,
            pool,
            wakes: Wakes::with(Some(Arc::clone(&others) as _)),
            others,
            sql: Sql::new(&self.schema),
            dialect: dialect(&self.schema),
            names,
            seen,
            shared: Shared::of(self.connections),
        }))
    }

    /// How the server is reached.
    fn way(&self, url: &str) -> Result<Way, ConnectError> {
        let mut plain = self.config.clone();
        // Nobody listens in within a machine.
        let is_local = |host: &Host| !matches!(host, Host::Tcp(_));
        let mut tls = self.tls.clone();
        if plain.get_hosts().iter().all(is_local) {
            tls = Tls::default();
            plain.ssl_mode(SslMode::Disable);
        } else {
            plain.ssl_mode(match tls.mode {
                TlsMode::Disable => SslMode::Disable,
                TlsMode::Prefer => SslMode::Prefer,
                TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
            });
        }
        let tls = tls.connector().map_err(|refused| ConnectError::Option {
            url: url.to_owned(),
            option: refused.option,
            reason: refused.reason,
        })?;
        if plain.get_application_name().is_none() {
            plain.application_name("recount");
        }
        Ok(Way { tls, config: plain })
    }

    fn pool(
        &self,
        way: Way,
        url: &str,
        seen: &Arc<Seen>,
        names: &Arc<Names>,
    ) -> Result<Pool, ConnectError> {
        let mut config = way.config.clone();
        config.options(session::options(
            self.limits,
            self.read_only,
            way.config.get_options(),
        ));
        // A host that takes a connection and says nothing more is given up too.
        let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(u32::MAX);
        let most = config
            .get_connect_timeout()
            .map(|each| each.saturating_mul(hosts));
        let sessions = Sessions {
            connector: Connector {
                config,
                way,
                is_plain: AtomicBool::new(false),
            },
            most,
            seen: Arc::clone(seen),
            names: Arc::clone(names),
        };
        Pool::builder(sessions)
            .max_size(self.connections)
            // The one that was used last is warm on both sides.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(self.wait).filter(|wait| !wait.is_zero()))
            .build()
            .map_err(|error| ConnectError::Unavailable {
                url: url.to_owned(),
                source: BackendError::new(error),
            })
    }

    /// What an error at connecting means to whoever wrote the URL.
    fn refusal(&self, error: impl Into<Cause>) -> ConnectError {
        let cause = error.into();
        let url = self.url();
        if let Some(advice) = cause.driver().and_then(|error| tls::advice(error)) {
            return ConnectError::Tls {
                url,
                advice,
                source: BackendError::new(cause),
            };
        }
        if let Cause::Pooler(advice) = cause {
            return ConnectError::Pooler { url, advice };
        }
        if matches!(cause, Cause::Standby) {
            return ConnectError::Standby { url };
        }
        match cause.state().map(tokio_postgres::error::SqlState::code) {
            Some("28P01" | "28000") => ConnectError::Denied {
                url,
                source: BackendError::new(cause),
            },
            None if cause.is_without_password() => ConnectError::Denied {
                url,
                source: BackendError::new(cause),
            },
            Some("3D000") => ConnectError::NoDatabase {
                url,
                database: self.config.get_dbname().unwrap_or_default().to_owned(),
            },
            Some("42501" | "25006") => ConnectError::NoRight {
                url,
                schema: self.schema.clone(),
                source: BackendError::new(cause),
            },
            _ => ConnectError::Unavailable {
                url,
                source: BackendError::new(cause),
            },
        }
    }
}

/// The driver's options as they are unless a URL says otherwise; times in seconds. The system would find out after hours that the
/// other side is gone.
const DEFAULTS: &[&str] = &[
    "connect_timeout=10",
    "tcp_user_timeout=30",
    "keepalives_idle=30",
    "keepalives_interval=10",
    "keepalives_retries=3",
];

/// Reads a time with its unit.
fn duration(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str =
        "write a number and its unit, as in `500ms`, `60s` or `5min`, or `0` for no limit";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| EXPECTED)?;
    let milliseconds = match unit {
        "" if number == 0 => Some(0),
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "min" => number.checked_mul(60_000),
        _ => None,
    };
    // More the server cannot count.
    let fits = milliseconds.filter(|time| i32::try_from(*time).is_ok());
    fits.map(Duration::from_millis).ok_or(EXPECTED)
}

/// A value as it is meant, with what stands for `%2F` and the like.
fn decoded(value: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "write two hexadecimal digits after each `%`, and `%25` for `%` itself";
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let both = digit().zip(digit()).map(|(high, low)| high * 16 + low);
                both.and_then(|byte| u8::try_from(byte).ok())
                    .ok_or(EXPECTED)?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| "what stands for `%…` is not UTF-8")
}

/// Why the driver does not take an option; it keeps that for its source.
fn reason_of(error: &tokio_postgres::Error) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    match source {
        Some(reason) if reason.starts_with("unknown option") => {
            "neither the store nor the driver has such an option".to_owned()
        }
        Some(reason) => reason,
        None => error.to_string(),
    }
}

/// Why a schema cannot have this name.
fn check_schema(name: &str) -> Result<(), &'static str> {
    let is_plain = |char: char| char.is_alphanumeric() || char == '_';
    if name.is_empty() || name.len() > 63 || !name.chars().all(is_plain) {
        return Err("the name of a schema has letters, digits and `_`, 63 bytes at most");
    }
    if name.starts_with("pg_") {
        return Err("names that begin with `pg_` are the server's own");
    }
    Ok(())
}
