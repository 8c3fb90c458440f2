//! The roots that were used last, in memory: snapshots that cost nothing to take and one short read to trust.
//!
//! Each is the fold of its stream's first events, up to its version, as they are stored; what became of a command that was
//! dropped, failed or panicked is never among them. So one may be old, but not wrong, and the stream's next events make it new.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::load::Folded;
use crate::log::{StreamId, Version};

/// The roots of one repository and its clones, the least recently used of which goes first.
pub(super) struct Cache<A> {
    roots: Arc<Mutex<Roots<A>>>,
    most: usize,
    clone: fn(&A) -> A,
}

struct Roots<A> {
    by_stream: HashMap<StreamId, Entry<A>>,
    /// The streams in the order of their last use.
    by_use: BTreeMap<u64, StreamId>,
    uses: u64,
}

struct Entry<A> {
    root: Arc<Folded<A>>,
    used: u64,
}

impl<A> Cache<A> {
    /// Keeps at most so many roots.
    pub(super) fn new(most: usize) -> Self
    where
        A: Clone,
    {
        Self {
            roots: Arc::new(Mutex::new(Roots {
                by_stream: HashMap::new(),
                by_use: BTreeMap::new(),
                uses: 0,
            })),
            most,
            clone: A::clone,
        }
    }

    /// Takes a root out: whoever changes it puts it back once that is stored, and nobody does when that fails.
    pub(super) fn take(&self, stream: &StreamId) -> Option<Folded<A>> {
        let root = self.roots().remove(stream)?;
        Some(Arc::try_unwrap(root).unwrap_or_else(|shared| self.copy(&shared)))
    }

    /// A copy of a root, which counts as a use of it.
    pub(super) fn get(&self, stream: &StreamId) -> Option<Folded<A>> {
        let root = {
            let mut roots = self.roots();
            let root = roots.remove(stream)?;
            roots.insert(stream, Arc::clone(&root));
            root
        };
        // Not under the lock: the state may be large, and its `Clone` is not ours.
        Some(self.copy(&root))
    }

    /// Keeps a root, unless there is one of a later version.
    pub(super) fn put(&self, stream: &StreamId, root: Folded<A>) {
        if root.version == Version::NONE || root.state.is_none() {
            return;
        }
        let mut roots = self.roots();
        let root = match roots.remove(stream) {
            Some(there) if there.version > root.version => there,
            _ => Arc::new(root),
        };
        roots.insert(stream, root);
        while roots.by_stream.len() > self.most
            && let Some((_, oldest)) = roots.by_use.pop_first()
        {
            roots.by_stream.remove(&oldest);
        }
    }

    pub(super) fn copy(&self, root: &Folded<A>) -> Folded<A> {
        Folded {
            state: root.state.as_ref().map(self.clone),
            ..*root
        }
    }

    fn roots(&self) -> MutexGuard<'_, Roots<A>> {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Roots<A> {
    fn remove(&mut self, stream: &StreamId) -> Option<Arc<Folded<A>>> {
        let entry = self.by_stream.remove(stream)?;
        self.by_use.remove(&entry.used);
        Some(entry.root)
    }

    fn insert(&mut self, stream: &StreamId, root: Arc<Folded<A>>) {
        self.uses += 1;
        let used = self.uses;
        self.by_use.insert(used, stream.clone());
        self.by_stream.insert(stream.clone(), Entry { root, used });
    }
}

impl<A> Clone for Cache<A> {
    fn clone(&self) -> Self {
        Self {
            roots: Arc::clone(&self.roots),
            ..*self
        }
    }
}

impl<A> std::fmt::Debug for Cache<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kept = self.roots().by_stream.len();
        write!(f, "{kept} of at most {} roots", self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Position;

    fn root(version: u64) -> Folded<u64> {
        Folded {
            state: Some(version),
            version: Version(version),
            recorded_at: chrono::DateTime::UNIX_EPOCH,
            position: Position(version),
        }
    }

    #[test]
    fn of_two_roots_of_a_stream_the_newer_is_kept() {
        let (cache, stream) = (Cache::new(1), StreamId::new("account", "a").unwrap());
        for (put, kept) in [(2, 2), (1, 2), (3, 3)] {
            cache.put(&stream, root(put));
            assert_eq!(cache.get(&stream).unwrap().state, Some(kept));
        }
        assert_eq!(cache.take(&stream).unwrap().state, Some(3));
        assert!(cache.get(&stream).is_none());
        assert!(cache.roots().by_use.is_empty());
    }
}
