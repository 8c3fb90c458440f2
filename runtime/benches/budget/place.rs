//! Where logs are made: in memory, in files, on a server. A pair is empty, one by hand and one of ours.

use std::path::PathBuf;

use crate::logs::{Bare, Floor, Indexes, Memory, Ours, Sqlite};

pub trait Place {
    type Bare: Bare;
    const NAME: &'static str;
    /// Whether writes are waited for until they are on a disk; where not, there is time for more of them.
    const DURABLE: bool;
    /// Events for a table, where the store has tables: as many as end within some seconds.
    const TABLE: u64;

    fn logs(&mut self, indexes: Indexes) -> impl Future<Output = Pair<Self::Bare>>;
}

pub struct Pair<B> {
    pub floor: Floor<B>,
    pub ours: Ours,
    /// What a process needs to open them: the floor's and ours.
    pub addresses: [String; 2],
}

pub struct InMemory;

impl Place for InMemory {
    type Bare = Memory;
    const NAME: &'static str = "memory";
    const DURABLE: bool = false;
    const TABLE: u64 = 0;

    async fn logs(&mut self, _: Indexes) -> Pair<Memory> {
        Pair {
            floor: Floor::new(Memory::new()),
            ours: Ours::open("memory:").await,
            addresses: [String::new(), String::new()],
        }
    }
}

pub struct Files {
    folder: tempfile::TempDir,
    made: u32,
}

impl Files {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder for files"),
            made: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{}-{name}.db", self.made))
    }
}

impl Place for Files {
    type Bare = Sqlite;
    const NAME: &'static str = "SQLite";
    const DURABLE: bool = true;
    const TABLE: u64 = 1_000_000;

    async fn logs(&mut self, indexes: Indexes) -> Pair<Sqlite> {
        self.made += 1;
        let floor = self.path("floor");
        let url = format!("sqlite:{}", self.path("ours").display());
        Pair {
            floor: Floor::new(Sqlite::open(&floor, indexes)),
            ours: Ours::open(&url).await,
            addresses: [floor.display().to_string(), url],
        }
    }
}

#[cfg(feature = "postgres")]
pub use server::Server;

#[cfg(feature = "postgres")]
mod server {
    use std::sync::Arc;

    use recount::uuid::Uuid;
    use tokio::runtime::Runtime;

    use super::{Pair, Place};
    use crate::logs::postgres::{Postgres, connect};
    use crate::logs::{Floor, Indexes, Ours};

    /// A server on which each pair has a database of its own; they are dropped with this value.
    pub struct Server {
        runtime: Arc<Runtime>,
        url: String,
        databases: Vec<String>,
        pub version: String,
    }

    impl Server {
        /// The server that `DATABASE_URL` names, else the one of this machine; or why there is none.
        pub fn find(runtime: &Arc<Runtime>) -> Result<Self, String> {
            let local = || "postgres://postgres@127.0.0.1:5432/postgres".to_owned();
            let url = std::env::var("DATABASE_URL").unwrap_or_else(|_| local());
            let asked = runtime.block_on(async {
                let row = connect(&url)
                    .await?
                    .query_one("SHOW server_version", &[])
                    .await?;
                Ok::<String, tokio_postgres::Error>(row.get(0))
            });
            let version = asked.map_err(|error| recount::with_causes(&error))?;
            Ok(Self {
                runtime: Arc::clone(runtime),
                url,
                databases: Vec::new(),
                version,
            })
        }
    }

    impl Place for Server {
        type Bare = Postgres;
        const NAME: &'static str = "PostgreSQL";
        const DURABLE: bool = true;
        const TABLE: u64 = 200_000;

        async fn logs(&mut self, _: Indexes) -> Pair<Postgres> {
            let name = format!("budget_{}", Uuid::now_v7().simple());
            let client = connect(&self.url).await.expect("a server");
            self.databases.push(name.clone());
            client
                .batch_execute(&format!("CREATE DATABASE {name}"))
                .await
                .expect("the right to make a database");
            let (address, _) = self.url.rsplit_once('/').expect("a database in the URL");
            // Without TLS, as the floor is.
            let url = format!("{address}/{name}?sslmode=disable");
            Pair {
                floor: Floor::new(Postgres::open(&url).await),
                ours: Ours::open(&url).await,
                addresses: [url.clone(), url],
            }
        }
    }

    impl Drop for Server {
        /// Also when a measurement panics, so it does not panic itself.
        fn drop(&mut self) {
            let dropped = self.runtime.block_on(async {
                let client = connect(&self.url).await?;
                for name in &self.databases {
                    client
                        .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                        .await?;
                }
                Ok::<(), tokio_postgres::Error>(())
            });
            if let Err(error) = dropped {
                eprintln!(
                    "some of the databases {} are left behind: {error}",
                    self.databases.join(", ")
                );
            }
        }
    }
}
