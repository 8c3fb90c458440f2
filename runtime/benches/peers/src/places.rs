//! Where logs are made: files in a folder, databases on a server. Each contender has one of its own for each work.

use contest::{About, Place};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::SimpleQueryMessage;
use uuid::Uuid;

use crate::postgres::connect;

pub struct Places {
    folder: TempDir,
    runtime: Runtime,
    server: String,
    /// The server's version, or why there is none.
    pub version: Result<String, String>,
    databases: Vec<String>,
}

impl Places {
    /// With the server that `DATABASE_URL` names, else the one of this machine.
    pub fn find() -> Self {
        let local = || "postgres://postgres@127.0.0.1:5432/postgres".to_owned();
        let mut places = Self {
            folder: tempfile::tempdir().expect("a folder for files"),
            runtime: Runtime::new().expect("a runtime"),
            server: std::env::var("DATABASE_URL").unwrap_or_else(|_| local()),
            version: Err(String::new()),
            databases: Vec::new(),
        };
        places.version = places.asked("SHOW server_version");
        places
    }

    /// Why a contender cannot be measured here.
    pub fn misses(&self, about: &About) -> Option<String> {
        let version = match (about.place, &self.version) {
            (Place::Sqlite, _) => return None,
            (Place::Postgres, Err(reason)) => return Some(format!("no server: {reason}")),
            (Place::Postgres, Ok(version)) => version,
        };
        let major = version
            .split('.')
            .next()
            .and_then(|major| major.parse::<u32>().ok());
        (major < Some(about.postgres)).then(|| format!("needs PostgreSQL {}", about.postgres))
    }

    /// An empty one.
    pub fn make(&mut self, place: Place) -> String {
        let name = format!("peers_{}", Uuid::now_v7().simple());
        if place == Place::Sqlite {
            return format!(
                "sqlite:{}",
                self.folder.path().join(name).with_extension("db").display()
            );
        }
        // Who cannot be measured needs no database.
        self.asked(&format!("CREATE DATABASE {name}"))
            .unwrap_or_default();
        self.databases.push(name.clone());
        let (address, _) = self.server.rsplit_once('/').expect("a database in the URL");
        format!("{address}/{name}?sslmode=disable")
    }

    pub fn drop_all(&mut self) {
        for name in std::mem::take(&mut self.databases) {
            if let Err(error) = self.asked(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            {
                eprintln!("the database {name} is left behind: {error}");
            }
        }
    }

    /// What the server answers to a statement.
    fn asked(&self, sql: &str) -> Result<String, String> {
        let answer = self
            .runtime
            .block_on(async { connect(&self.server).await?.simple_query(sql).await });
        let messages = answer.map_err(|error| recount::with_causes(&error))?;
        let row = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        Ok(row.unwrap_or_default().to_owned())
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.drop_all();
    }
}
