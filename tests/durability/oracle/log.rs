//! The log that a history is held against.

use std::collections::HashMap;

use super::Fault;
use crate::domain::is_account;
use crate::history::{Entry, Scope};

/// The log as it was read, in order.
#[derive(Debug, Default)]
pub struct Log {
    entries: Vec<Entry>,
    by_id: HashMap<(u64, u64), usize>,
    streams: HashMap<u32, Vec<usize>>,
    categories: [Vec<usize>; 2],
}

impl Log {
    /// Takes the next event: positions rise, versions leave no hole, ids are new.
    pub fn push(&mut self, entry: Entry) -> Result<(), Fault> {
        let Entry {
            position,
            stream,
            version,
            batch,
            index,
        } = entry;
        let before = self.end();
        if position <= before {
            return Err(Fault::PositionsFall { before, position });
        }
        let place = self.entries.len();
        if self.by_id.insert((batch, index), place).is_some() {
            return Err(Fault::Doubled {
                batch,
                index,
                position,
            });
        }
        let versions = self.streams.entry(stream).or_default();
        let expected = versions.len() as u64 + 1;
        if version != expected {
            return Err(Fault::Hole {
                stream,
                position,
                expected,
                found: version,
            });
        }
        versions.push(place);
        self.categories[usize::from(is_account(stream))].push(place);
        self.entries.push(entry);
        Ok(())
    }

    /// Where an event of a batch stands in `entries`.
    pub fn place(&self, batch: u64, index: u64) -> Option<usize> {
        self.by_id.get(&(batch, index)).copied()
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The last position.
    pub fn end(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.position)
    }

    /// The numbers of all streams.
    pub fn streams(&self) -> Vec<u32> {
        let mut streams: Vec<_> = self.streams.keys().copied().collect();
        streams.sort_unstable();
        streams
    }

    pub fn stream(&self, stream: u32) -> impl Iterator<Item = &Entry> {
        self.versions(stream)
            .iter()
            .map(|place| &self.entries[*place])
    }

    /// Where the versions of a stream stand in `entries`.
    pub fn versions(&self, stream: u32) -> &[usize] {
        self.streams.get(&stream).map_or(&[], Vec::as_slice)
    }

    /// The entries of a scope with positions above `after` and up to `to`, and the one that follows, as places.
    pub fn within(&self, scope: Scope, after: u64, to: u64) -> (Vec<usize>, Option<usize>) {
        let below = |position| {
            self.entries
                .partition_point(|entry| entry.position <= position)
        };
        let (from, end) = (below(after), below(to).max(below(after)));
        let places = match scope {
            Scope::All => {
                return (
                    (from..end).collect(),
                    (end < self.entries.len()).then_some(end),
                );
            }
            Scope::Category { accounts } => &self.categories[usize::from(accounts)][..],
            Scope::Stream(stream) => self.versions(stream),
        };
        let (from, end) = (
            places.partition_point(|place| *place < from),
            places.partition_point(|place| *place < end),
        );
        (places[from..end].to_vec(), places.get(end).copied())
    }
}
