//! A table in a SQLite file, on bare `rusqlite`.

use std::path::PathBuf;
use std::sync::Mutex;

use contest::Place;
use contest::by_hand::{Conflict, Row, Table};
use rusqlite::{Connection, ErrorCode, params};

const TABLE: &str = "the table";
const WHOLE: &str = "nobody panics while holding it";

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;
    CREATE TABLE IF NOT EXISTS events (
        position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL,
        recorded_at INTEGER NOT NULL, payload TEXT NOT NULL, UNIQUE (stream, version)
    );
    CREATE INDEX IF NOT EXISTS by_name ON events (name)";

pub struct Sqlite {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

fn connect(path: &PathBuf) -> Connection {
    let connection = Connection::open(path).expect("a database");
    connection
        .execute_batch(SCHEMA)
        .expect("a database of ours");
    connection
}

impl Table for Sqlite {
    const NAME: &'static str = "by hand";
    const PLACE: Place = Place::Sqlite;
    const DRIVER: &'static str = "rusqlite";

    async fn open(url: &str) -> Self {
        let path = PathBuf::from(url.trim_start_matches("sqlite:"));
        Self {
            writer: Mutex::new(connect(&path)),
            readers: Mutex::default(),
            path,
        }
    }

    async fn insert(&self, rows: &[Row]) -> Result<(), Conflict> {
        let mut writer = self.writer.lock().expect(WHOLE);
        let commit = writer.transaction().expect("the only writer");
        let mut insert = commit
            .prepare_cached("INSERT INTO events (stream, version, name, recorded_at, payload) VALUES (?1, ?2, ?3, unixepoch(), ?4)")
            .expect(TABLE);
        for Row {
            stream,
            version,
            name,
            payload,
        } in rows
        {
            match insert.execute(params![stream, version, name, payload]) {
                Ok(_) => {}
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                    return Err(Conflict);
                }
                Err(error) => panic!("{error}"),
            }
        }
        drop(insert);
        commit.commit().expect("a disk with space");
        Ok(())
    }

    async fn read(&self, stream: Option<&str>, mut each: impl FnMut(&str, &[u8]) + Send) {
        let free = self.readers.lock().expect(WHOLE).pop();
        let reader = free.unwrap_or_else(|| connect(&self.path));
        let mut statement = reader
            .prepare_cached(match stream {
                Some(_) => "SELECT name, payload FROM events WHERE stream = ?1 ORDER BY version",
                None => "SELECT name, payload FROM events ORDER BY position",
            })
            .expect(TABLE);
        let mut rows = statement
            .query(rusqlite::params_from_iter(stream))
            .expect(TABLE);
        while let Some(row) = rows.next().expect("a row") {
            let text = |column| {
                row.get_ref(column)
                    .and_then(|value| Ok(value.as_str()?))
                    .expect("text")
            };
            each(text(0), text(1).as_bytes());
        }
        drop(rows);
        drop(statement);
        self.readers.lock().expect(WHOLE).push(reader);
    }
}
