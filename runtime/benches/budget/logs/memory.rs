//! A vector, and a map from streams to places in it, behind a lock.

use std::collections::HashMap;
use std::sync::RwLock;

use recount::prelude::Utc;
use tokio::sync::watch;

use super::floor::{Bare, Conflict, Fold, Record};

#[derive(Debug)]
pub struct Memory {
    log: RwLock<Log>,
    committed: watch::Sender<i64>,
}

#[derive(Debug, Default)]
struct Log {
    events: Vec<(Record, i64)>,
    streams: HashMap<String, Vec<usize>>,
    snapshots: HashMap<String, (i64, Vec<u8>)>,
}

const WHOLE: &str = "nobody panics while holding it";

impl Memory {
    pub fn new() -> Self {
        Self {
            log: RwLock::default(),
            committed: watch::Sender::new(0),
        }
    }
}

impl Log {
    fn append(&mut self, record: Record) -> Result<(), Conflict> {
        let versions = match self.streams.get_mut(&record.stream) {
            Some(versions) => versions,
            None => self.streams.entry(record.stream.clone()).or_default(),
        };
        if record.version != versions.len() as i64 + 1 {
            return Err(Conflict);
        }
        versions.push(self.events.len());
        self.events.push((record, Utc::now().timestamp_micros()));
        Ok(())
    }
}

impl Bare for Memory {
    /// All of them or none, since nothing but the first can conflict.
    async fn append(&self, records: Vec<Record>) -> Result<(), Conflict> {
        let mut log = self.log.write().expect(WHOLE);
        records
            .into_iter()
            .try_for_each(|record| log.append(record))
    }

    async fn append_among(&self, record: Record) -> Result<(), Conflict> {
        let mut log = self.log.write().expect(WHOLE);
        log.append(record)?;
        self.committed.send_replace(log.events.len() as i64);
        Ok(())
    }

    async fn stream<S: Send>(&self, stream: &str, after: i64, mut state: S, fold: Fold<S>) -> S {
        let log = self.log.read().expect(WHOLE);
        let versions = log.streams.get(stream).map_or(&[][..], Vec::as_slice);
        for index in &versions[after as usize..] {
            let (record, _) = &log.events[*index];
            fold(&mut state, record.version, record.name, &record.payload);
        }
        state
    }

    async fn all<S: Send>(&self, mut state: S, fold: Fold<S>) -> S {
        let log = self.log.read().expect(WHOLE);
        for (position, (record, _)) in (1..).zip(&log.events) {
            fold(&mut state, position, record.name, &record.payload);
        }
        state
    }

    async fn since(&self, position: i64) -> Vec<(i64, i64)> {
        let log = self.log.read().expect(WHOLE);
        let behind = log.events[position as usize..].iter();
        (position + 1..)
            .zip(behind.map(|(_, recorded_at)| *recorded_at))
            .collect()
    }

    fn committed(&self) -> watch::Receiver<i64> {
        self.committed.subscribe()
    }

    async fn save_snapshot(&self, stream: &str, version: i64, state: Vec<u8>) {
        self.log
            .write()
            .expect(WHOLE)
            .snapshots
            .insert(stream.to_owned(), (version, state));
    }

    async fn snapshot(&self, stream: &str) -> (i64, Vec<u8>) {
        self.log.read().expect(WHOLE).snapshots[stream].clone()
    }

    async fn rebuild_table(&self) -> i64 {
        unreachable!("there are no tables in memory")
    }

    async fn another(&self) -> Self {
        unreachable!("a log in memory has one handle")
    }
}
