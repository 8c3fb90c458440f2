//! What follows the log in these tests: a state, tables, a reaction, and tables that refuse events, for a while or for good.
//!
//! Each keeps what shows an event that is missing, handled twice or out of order, and the tables also who wrote each row.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use recount::log::Position;
use recount::prelude::*;

/// Where events come from that others react to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct SourceId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Fed {
    pub number: u64,
    /// Some code cannot handle it.
    pub poison: bool,
}

#[derive(Debug, Clone, Default, Aggregate)]
#[aggregate(stream = "source", id = SourceId)]
pub struct Source {
    fed: u64,
}

#[apply]
impl Source {
    fn fed(&mut self, _: Fed) {
        self.fed += 1;
    }
}

/// What the reaction writes to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct EchoId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Echoed {
    /// Where the event stands that it answers.
    pub of: u64,
    /// How many of its stream came before.
    pub before: u64,
}

#[derive(Debug, Clone, Default, Aggregate)]
#[aggregate(stream = "echo", id = EchoId)]
pub struct Echo {
    echoed: u64,
}

#[apply]
impl Echo {
    fn echoed(&mut self, event: Echoed) {
        self.echoed += event.of.min(1);
    }
}

/// Kept in the store.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    pub events: u64,
    /// Depends on the order of all events.
    pub order: u64,
    pub by_stream: std::collections::BTreeMap<String, u64>,
}

impl Sums {
    pub fn take(&mut self, stream: &str, number: u64) {
        self.events += 1;
        self.order = self.order.wrapping_mul(31).wrapping_add(number);
        let of_stream = self.by_stream.entry(stream.to_owned()).or_default();
        *of_stream = of_stream.wrapping_mul(31).wrapping_add(number);
    }
}

#[projection(name = "sums", of(Source, Echo))]
impl Sums {
    fn fed(&mut self, event: Fed, at: &Envelope) {
        self.take(&format!("source {}", at.stream.id()), event.number);
    }

    fn echoed(&mut self, event: Echoed, at: &Envelope) {
        self.take(&format!("echo {}", at.stream.id()), event.of);
    }
}

/// Says which holder the lease of the entries has, and what the checkpoint's revision is.
const LEASE_ON_SQLITE: &str = "INSERT INTO {entries} (nth, position, number, stream, pid, holder, revision)
     SELECT t.events, $1, $2, $3, $4, hex(c.holder), c.revision FROM {tally} AS t, checkpoints AS c WHERE c.projection = 'entries'";

/// What is said on a server's schema instead.
fn on(schema: &str, sqlite: &'static str) -> &'static str {
    // A statement's text lives as long as the process.
    sqlite
        .replace("hex(c.holder)", "c.holder::text")
        .replace("checkpoints", &format!("{schema}.checkpoints"))
        .leak()
}

/// A row for each event, without a key that would refuse a second one.
#[derive(Debug, Clone, Copy)]
pub struct Entries {
    pub pid: u32,
    /// How an entry is written.
    insert: &'static str,
}

impl Entries {
    /// Written by this process. `asks` for the lease with each row, on a server's schema if it is one: nobody may rebuild them then, for
    /// what is built anew is written without a lease.
    pub fn new(schema: Option<&str>, asks: bool) -> Self {
        let insert = match schema {
            _ if !asks => {
                "INSERT INTO {entries} (nth, position, number, stream, pid, holder, revision)
                 SELECT events, $1, $2, $3, $4, '', 0 FROM {tally}"
            }
            None => LEASE_ON_SQLITE,
            Some(schema) => on(schema, LEASE_ON_SQLITE),
        };
        Self {
            pid: std::process::id(),
            insert,
        }
    }
}

#[projection(name = "entries", of(Source))]
impl Entries {
    const TABLES: &[&str] = &[
        "CREATE TABLE {tally} (one bigint PRIMARY KEY, events bigint NOT NULL, checksum bigint NOT NULL)",
        "CREATE TABLE {entries} (nth bigint NOT NULL, position bigint NOT NULL, number bigint NOT NULL, stream text NOT NULL,
             pid bigint NOT NULL, holder text NOT NULL, revision bigint NOT NULL)",
        "CREATE INDEX {entries_by_position} ON {entries} (position)",
    ];

    fn fed(&self, event: Fed, at: &Envelope, sql: &mut Sql) {
        sql.run(
            "INSERT INTO {tally} AS t VALUES (1, 1, $1) ON CONFLICT (one)
             DO UPDATE SET events = t.events + 1, checksum = (t.checksum * 31 + $1) % 1000000007",
            (event.number,),
        );
        let id = at.stream.id();
        sql.run(self.insert, (at.position, event.number, id, self.pid));
    }
}

/// Answers each event in the store, and tells somebody outside of it.
#[derive(Debug)]
pub struct Echoes {
    outside: File,
}

impl Echoes {
    /// Tells a file.
    pub fn new(outside: &Path) -> Self {
        let outside = OpenOptions::new().append(true).create(true).open(outside);
        Self {
            outside: outside.expect("a file"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct EchoError(Box<dyn std::error::Error + Send + Sync>);

impl EchoError {
    fn of(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(error.into())
    }
}

#[reaction(name = "echoes", of(Source))]
impl Echoes {
    async fn fed(&self, _: Fed, at: &Envelope, act: &Act) -> Result<(), EchoError> {
        let (of, stream) = (at.position.0, at.stream.id());
        let id = EchoId::new(stream).map_err(EchoError::of)?;
        let echoed = act.execute(&id, |echo: &Echo| {
            let before = echo.echoed;
            Ok(Echoed { of, before })
        });
        echoed.await.map_err(EchoError::of)?;
        // In one call, so that a death leaves a line or none.
        let line = format!("{of} {stream}\n");
        (&self.outside)
            .write_all(line.as_bytes())
            .map_err(EchoError::of)
    }
}

/// The row that a table refuses.
const REFUSED: i64 = -1;

/// Refuses some events when it meets them for the first time, and some also the second. So it often goes back to what is saved, which
/// another process may have changed meanwhile.
#[derive(Debug)]
pub struct Hesitant {
    met: Mutex<HashMap<Position, u64>>,
    pid: u32,
    /// How a row is written, with who has the lease.
    insert: &'static str,
}

impl Hesitant {
    /// Of those that are refused, every second one is twice.
    const EVERY: u64 = 3;

    /// On a server's schema, if it is one.
    pub fn new(schema: Option<&str>) -> Self {
        let on_sqlite = "INSERT INTO {waited_for} SELECT $1, $2, $3, hex(c.holder) FROM checkpoints AS c WHERE c.projection = 'hesitant'";
        Self {
            met: Mutex::default(),
            pid: std::process::id(),
            insert: schema.map_or(on_sqlite, |schema| on(schema, on_sqlite)),
        }
    }

    fn refuses(&self, number: u64, at: Position) -> bool {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let times = met.entry(at).or_default();
        *times += 1;
        number.is_multiple_of(Self::EVERY) && *times <= 1 + number / Self::EVERY % 2
    }
}

#[projection(name = "hesitant", of(Source))]
impl Hesitant {
    const TABLES: &[&str] = &[
        "CREATE TABLE {waited_for} (position bigint NOT NULL, number bigint NOT NULL CHECK (number >= 0), pid bigint NOT NULL,
             holder text NOT NULL)",
    ];

    fn fed(&self, event: Fed, at: &Envelope, sql: &mut Sql) {
        let number = if self.refuses(event.number, at.position) {
            REFUSED
        } else {
            i64::try_from(event.number).unwrap_or(REFUSED)
        };
        sql.run(self.insert, (at.position, number, self.pid));
    }
}

/// Cannot handle some events, unless its code was mended.
#[derive(Debug)]
pub struct Picky {
    pub mended: bool,
}

#[projection(name = "picky", of(Source))]
impl Picky {
    const TABLES: &[&str] = &[
        "CREATE TABLE {picked} (nth bigint NOT NULL, position bigint NOT NULL, stream text NOT NULL,
             number bigint NOT NULL CHECK (number >= 0))",
        "CREATE TABLE {picks} (stream text PRIMARY KEY, events bigint NOT NULL)",
    ];

    fn fed(&self, event: Fed, at: &Envelope, sql: &mut Sql) {
        let number = if event.poison && !self.mended {
            REFUSED
        } else {
            i64::try_from(event.number).unwrap_or(REFUSED)
        };
        let stream = at.stream.id();
        sql.run(
            "INSERT INTO {picks} AS p VALUES ($1, 1) ON CONFLICT (stream) DO UPDATE SET events = p.events + 1",
            (stream,),
        );
        sql.run(
            "INSERT INTO {picked} SELECT events, $2, $1, $3 FROM {picks} WHERE stream = $1",
            (stream, at.position, number),
        );
    }
}
