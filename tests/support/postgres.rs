//! A schema of its own for each test, on a server that is there: that of `DATABASE_URL`, else the one on 127.0.0.1.

use recount::Store;
use recount::store::postgres::PostgresOptions;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// A schema that no other test has; dropped with this, after the stores on it.
#[derive(Debug)]
pub struct Schema {
    server: String,
    pub name: String,
}

/// The address of the server.
fn server() -> String {
    std::env::var("DATABASE_URL")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned())
}

/// A connection that tells nobody when it breaks.
pub async fn connect(server: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

impl Schema {
    /// A name for a schema that is not there yet; `None` when there is no server, which is said, and fails where `CI` is set.
    pub async fn new() -> Option<Self> {
        let server = server();
        if let Err(error) = connect(&server).await {
            println!("NOT RUN on PostgreSQL: no server answers at {server} ({error})");
            assert!(std::env::var_os("CI").is_none(), "a server is needed here");
            return None;
        }
        Some(Self::on(server))
    }

    /// A name for a schema on another server.
    #[allow(dead_code, reason = "some tests have no server of their own")]
    pub fn on(server: String) -> Self {
        let name = format!("test_{}", Uuid::now_v7().simple());
        Self { server, name }
    }

    #[allow(dead_code, reason = "some tests need no other options")]
    pub fn options(&self) -> PostgresOptions {
        PostgresOptions::from_url(&self.server)
            .unwrap()
            .schema(&self.name)
    }

    /// The URL of a store on the schema.
    #[allow(dead_code, reason = "most tests open it here")]
    pub fn url(&self) -> String {
        let joint = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{joint}schema={}", self.server, self.name)
    }

    /// The URL of the server, for a connection that a test drives itself.
    #[allow(dead_code, reason = "most tests ask for a client")]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The URL of another database of the server.
    #[allow(dead_code, reason = "not every test looks behind the store")]
    pub fn url_of(&self, database: &str) -> String {
        let (server, _) = self.server.rsplit_once('/').unwrap();
        format!("{server}/{database}")
    }

    /// The URL of the database for another user, who needs no password.
    #[allow(dead_code, reason = "not every test looks behind the store")]
    pub fn url_as(&self, user: &str) -> String {
        let (_, address) = self.server.rsplit_once('@').unwrap();
        format!("postgres://{user}@{address}")
    }

    /// The host and the port of the server.
    #[allow(dead_code, reason = "not every test stands before the server")]
    pub fn address(&self) -> String {
        let (_, rest) = self.server.split_once("://").unwrap();
        let rest = rest.split(['/', '?']).next().unwrap();
        let address = rest.rsplit('@').next().unwrap();
        if address.contains(':') {
            address.to_owned()
        } else {
            format!("{address}:5432")
        }
    }

    /// As [`options`](Self::options), for a port of this machine that leads to the server.
    #[allow(dead_code, reason = "not every test stands before the server")]
    pub fn options_at(&self, port: u16) -> PostgresOptions {
        let url = self
            .server
            .replacen(&self.address(), &format!("127.0.0.1:{port}"), 1);
        PostgresOptions::from_url(&url).unwrap().schema(&self.name)
    }

    /// The URL of the database with an option more.
    #[allow(dead_code, reason = "not every test has options of its own")]
    pub fn url_with(&self, option: &str) -> String {
        let separator = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{separator}{option}", self.server)
    }

    /// A store on the schema.
    #[allow(dead_code, reason = "some tests open it with options of their own")]
    pub async fn open(&self) -> Store {
        Store::new(self.options().open().await.unwrap())
    }

    /// A connection of a test's own, which finds the schema's tables without its name.
    #[allow(dead_code, reason = "not every test looks behind the store")]
    pub async fn client(&self) -> Client {
        let client = connect(&self.server).await.unwrap();
        let path = format!("SET search_path = {}", self.name);
        client.batch_execute(&path).await.unwrap();
        client
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // A test may leave transactions open on purpose, and their connections end with its runtime, later than this.
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE pid <> pg_backend_pid() AND relation IN (
                 SELECT oid FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = '{0}'));
             DROP SCHEMA IF EXISTS {0} CASCADE",
            self.name
        );
        run_apart(&self.server, &sql);
    }
}

/// Runs statements from where nothing can be waited for, as at the end of a test within its runtime.
pub fn run_apart(server: &str, sql: &str) {
    let (server, sql) = (server.to_owned(), sql.to_owned());
    let done = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let done = runtime.block_on(async { connect(&server).await?.batch_execute(&sql).await });
        if let Err(error) = done {
            println!("left behind, since {sql} failed: {error}");
        }
    });
    done.join().unwrap();
}
