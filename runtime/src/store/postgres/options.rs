//! How a log on a server is opened.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::config::Host;
use tokio_postgres::{Config, NoTls};

use super::error::Cause;
use super::names::Names;
use super::server::Server;
use super::sql::Sql;
use super::{PostgresBackend, schema};
use crate::store::connect::without_password;
use crate::store::{BackendError, ConnectError};

/// What each connection is told. The log's statements rely on the isolation level; the planner is held to the indexes, since a
/// plan that was made for an empty table would be kept while the table grows.
const SETTINGS: &str = "-c default_transaction_isolation=read\\ committed -c statement_timeout=60s -c lock_timeout=10s \
     -c idle_in_transaction_session_timeout=60s -c plan_cache_mode=force_generic_plan -c enable_seqscan=off \
     -c random_page_cost=0 -c seq_page_cost=0 -c max_parallel_workers_per_gather=0 -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off";

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
}

impl PostgresOptions {
    /// The schema that holds the log unless [`schema`](Self::schema) names another.
    pub const SCHEMA: &str = "recount";

    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?option=value&…`. Of the options, `schema` and `connections` are this
    /// store's; all others are the driver's, as `connect_timeout=5`.
    ///
    /// # Errors
    /// [`ConnectError::UnknownUrl`] when it is not such a URL, [`ConnectError::Option`] when an option has a value that it
    /// cannot have.
    ///
    /// # Examples
    /// ```
    /// use recount::store::postgres::PostgresOptions;
    ///
    /// let options = PostgresOptions::from_url("postgres://clerk@localhost/bank?schema=orders&connections=4")?;
    /// assert_eq!(options, PostgresOptions::from_url("postgresql://clerk@localhost/bank")?.schema("orders").connections(4));
    /// assert!(PostgresOptions::from_url("postgres://localhost/bank?connections=none").is_err());
    /// # Ok::<(), recount::store::ConnectError>(())
    /// ```
    pub fn from_url(url: &str) -> Result<Self, ConnectError> {
        let (address, options) = url.split_once('?').unwrap_or((url, ""));
        let (mut schema, mut connections) = (Self::SCHEMA.to_owned(), 16);
        let mut others = Vec::new();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let refused = |reason: &str| ConnectError::Option {
                url: without_password(address),
                option: option.to_owned(),
                reason: reason.to_owned(),
            };
            match option.split_once('=') {
                Some(("schema", name)) => {
                    check_schema(name).map_err(refused)?;
                    name.clone_into(&mut schema);
                }
                Some(("connections", number)) => match number.parse() {
                    Ok(number) if number > 0 => connections = number,
                    _ => return Err(refused("write a number from 1")),
                },
                _ => others.push(option),
            }
        }
        let address = format!("{address}?{}", others.join("&"));
        let config: Config = address.parse().map_err(|_| ConnectError::UnknownUrl {
            url: without_password(url.split_once('?').map_or(url, |(address, _)| address)),
        })?;
        if config.get_hosts().is_empty() {
            return Err(ConnectError::UnknownUrl {
                url: without_password(url),
            });
        }
        Ok(Self {
            config,
            schema,
            connections,
        })
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
        let pool = self.pool().map_err(|error| ConnectError::Unavailable {
            url: url.clone(),
            source: BackendError::new(error),
        })?;
        let mut connection = pool.get().await.map_err(|error| self.refusal(error))?;
        schema::prepare(&mut connection, &self.schema, &url, |error| {
            self.refusal(error)
        })
        .await?;
        drop(connection);
        Ok(PostgresBackend::new(Server {
            url,
            pool,
            sql: Sql::new(&self.schema),
            names: Names::default(),
            seen: Arc::default(),
        }))
    }

    fn pool(&self) -> Result<Pool, deadpool_postgres::BuildError> {
        let mut config = self.config.clone();
        config.options(match config.get_options() {
            Some(own) => format!("{SETTINGS} {own}"),
            None => SETTINGS.to_owned(),
        });
        if config.get_application_name().is_none() {
            config.application_name("recount");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(config, NoTls, recycling);
        Pool::builder(manager).max_size(self.connections).build()
    }

    /// What an error at connecting means to whoever wrote the URL.
    fn refusal(&self, error: impl Into<Cause>) -> ConnectError {
        let cause = error.into();
        let url = self.url();
        match cause.state().map(tokio_postgres::error::SqlState::code) {
            Some("28P01" | "28000") => ConnectError::Denied {
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
