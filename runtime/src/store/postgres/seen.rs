//! What is known of streams without asking: that they have at least so many events.
//!
//! Events are never taken away, so an append that expects a version which was seen need not have it looked up: if the stream has
//! moved on, the unique index says so. Only another server behind the same address, as after a failover that lost events, could
//! have fewer; so everything is forgotten when a connection is made. A pooler hides that: behind one no version is remembered.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::log::{Position, Settled};

/// How many streams are remembered; then all are forgotten.
const MOST: usize = 1 << 16;

/// The versions that streams were seen at.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Streams>);

#[derive(Debug, Default)]
struct Streams {
    versions: HashMap<Uuid, i64>,
    connections: u64,
    /// The server behind a connection may become another one.
    is_pooled: bool,
}

/// Whom what is learned comes from: the connections that were there when the server was asked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source(u64);

impl Source {
    /// What was found out about the end of the log, for the read of the next page; nothing where a pooler hides whom it comes from.
    pub(super) fn settled(self, frontier: i64, seen: &Seen) -> Option<Settled> {
        let is_pooled = seen.streams().is_pooled;
        let up_to = Position(frontier.cast_unsigned());
        (!is_pooled).then_some(Settled { up_to, by: self.0 })
    }

    /// Up to where the log is settled, if it was this source that said so.
    pub(super) fn trusts(self, settled: Option<Settled>) -> Option<i64> {
        let settled = settled.filter(|settled| settled.by == self.0)?;
        i64::try_from(settled.up_to.0).ok()
    }
}

impl Streams {
    fn has(&self, stream: Uuid, version: i64) -> bool {
        let seen = |versions: &HashMap<Uuid, i64>| versions.get(&stream).copied();
        version == 0 || seen(&self.versions).is_some_and(|seen| seen >= version)
    }
}

impl Seen {
    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Taken before the server is asked.
    pub(super) fn source(&self) -> Source {
        Source(self.streams().connections)
    }

    /// A connection was made: what others told may not be true of the server behind it.
    pub(super) fn forget(&self) {
        let mut streams = self.streams();
        streams.versions.clear();
        streams.connections += 1;
    }

    /// A connection leads to a pooler: from here on nothing is remembered.
    pub(super) fn distrust(&self) {
        let mut streams = self.streams();
        streams.versions.clear();
        streams.is_pooled = true;
    }

    /// Remembers versions, unless a connection was made in the meantime.
    pub(super) fn learn(&self, source: Source, versions: impl Iterator<Item = (Uuid, i64)>) {
        let mut streams = self.streams();
        if streams.connections != source.0 || streams.is_pooled {
            return;
        }
        for (stream, version) in versions {
            if streams.versions.len() >= MOST {
                streams.versions.clear();
            }
            let known = streams.versions.entry(stream).or_insert(version);
            *known = version.max(*known);
        }
    }

    /// Who said that this stream has at least so many events, if it is known; a stream may have none without being known.
    pub(super) fn has(&self, stream: Uuid, version: i64) -> Option<Source> {
        let known = self.streams();
        known
            .has(stream, version)
            .then_some(Source(known.connections))
    }

    /// Which of these streams are known to have at least so many events.
    pub(super) fn have<'a>(
        &'a self,
        streams: impl Iterator<Item = (Uuid, i64)> + 'a,
    ) -> impl Iterator<Item = bool> + 'a {
        let known = self.streams();
        streams.map(move |(stream, version)| known.has(stream, version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_log_is_trusted_until_a_connection_is_made_and_never_behind_a_pooler() {
        let seen = Seen::default();
        let source = seen.source();
        let settled = source.settled(7, &seen);
        assert_eq!(seen.source().trusts(settled), Some(7));
        seen.forget();
        assert_eq!(seen.source().trusts(settled), None);
        seen.distrust();
        assert_eq!(seen.source().settled(7, &seen), None);
    }
}
