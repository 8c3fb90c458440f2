//! Snapshots: a cache of folded states that never changes a result.
//!
//! Whatever is doubtful about one is a reason to replay from the first event instead: another shape of the state or of its
//! fold, a state that does not read back as it was written, a version that the stream does not hold, any error of the
//! store. Writing one happens behind the command's back, and its failure is told to nobody but the trace.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{LoadError, Repository};
use crate::Store;
use crate::aggregate::{self, Apply, SnapshotCodec};
use crate::log::{StreamId, Version};
use crate::store::{StoreError, StoredSnapshot};

/// When a repository takes a snapshot. By default, as the aggregate's attribute `snapshot_every` says; with `snapshots`
/// alone, on request.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// #[derive(Debug, Clone, Default, Serialize, Deserialize, Aggregate)]
/// #[aggregate(stream = "counter", id = CounterId, snapshots)]
/// pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::snapshot::SnapshotPolicy;
///
/// let store = Store::connect("memory:").await?;
/// let counters = Repository::<Counter>::new(&store)
///     .with_snapshots(SnapshotPolicy::when(|counter: &Counter, _version| counter.total % 1000 == 0));
/// # Ok(()) }
/// ```
pub struct SnapshotPolicy<A>(Policy<A>);

enum Policy<A> {
    Never,
    OnRequest,
    Every(u64),
    When(Arc<Due<A>>),
}

type Due<A> = dyn Fn(&A, Version) -> bool + Send + Sync;

impl<A: Apply> SnapshotPolicy<A> {
    /// Takes none, and uses none.
    pub fn never() -> Self {
        Self(Policy::Never)
    }

    /// Uses those that [`Repository::take_snapshot`] took, and takes none by itself.
    pub fn on_request() -> Self {
        Self(Policy::OnRequest)
    }

    /// Takes one when a command crosses a multiple of this version; 0 is never.
    pub fn every(versions: u64) -> Self {
        Self(if versions == 0 {
            Policy::Never
        } else {
            Policy::Every(versions)
        })
    }

    /// Takes one when this says so of the state and version that a command led to. It runs on the command's path.
    pub fn when(due: impl Fn(&A, Version) -> bool + Send + Sync + 'static) -> Self {
        Self(Policy::When(Arc::new(due)))
    }

    /// Whether snapshots are used at all: the state must have a form, too.
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self.0, Policy::Never) && A::snapshot_codec().is_some()
    }

    fn is_due(&self, state: &A, before: Version, after: Version) -> bool {
        match &self.0 {
            Policy::Never | Policy::OnRequest => false,
            Policy::Every(versions) => before.0 / versions < after.0 / versions,
            Policy::When(due) => after > before && due(state, after),
        }
    }
}

impl<A: Apply> Default for SnapshotPolicy<A> {
    fn default() -> Self {
        A::SNAPSHOT_EVERY.map_or_else(Self::on_request, Self::every)
    }
}

impl<A> Clone for SnapshotPolicy<A> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Policy::Never => Policy::Never,
            Policy::OnRequest => Policy::OnRequest,
            Policy::Every(versions) => Policy::Every(*versions),
            Policy::When(due) => Policy::When(Arc::clone(due)),
        })
    }
}

impl<A> std::fmt::Debug for SnapshotPolicy<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Policy::Never => f.write_str("never"),
            Policy::OnRequest => f.write_str("on request"),
            Policy::Every(versions) => write!(f, "every {versions} versions"),
            Policy::When(_) => f.write_str("when a function says so"),
        }
    }
}

/// Why a snapshot was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The aggregate's state has no form for a snapshot.
    #[error(
        "the aggregate {category} takes no snapshots; write `snapshots` or `snapshot_every = …` in its `#[aggregate(…)]`"
    )]
    Off {
        /// The aggregate's category.
        category: &'static str,
    },
    /// The aggregate could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The state could not be written as JSON, or does not read back as it was written.
    #[error("the state of {stream} at version {version} cannot be a snapshot: {reason}")]
    Unstorable {
        /// The stream.
        stream: StreamId,
        /// Its version.
        version: Version,
        /// What is wrong.
        reason: String,
    },
    /// The store could not keep it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<A: Apply> Repository<A> {
    /// Takes a snapshot now, whatever the policy says, and returns the version that it holds.
    ///
    /// # Errors
    /// [`SnapshotError`]; nothing that is read changes by it.
    pub async fn take_snapshot(&self, id: &A::Id) -> Result<Version, SnapshotError> {
        let Some(codec) = A::snapshot_codec() else {
            return Err(SnapshotError::Off {
                category: A::CATEGORY,
            });
        };
        let root = self.load(id).await?;
        let (stream, version) = (
            aggregate::Root::stream(&root),
            aggregate::Root::version(&root),
        );
        let unstorable = |reason: String| SnapshotError::Unstorable {
            stream: stream.clone(),
            version,
            reason,
        };
        let state = (codec.encode)(&root).map_err(|error| unstorable(error.to_string()))?;
        if read_back::<A>(&codec, &state).is_none() {
            return Err(unstorable(
                "it does not read back as it was written".to_owned(),
            ));
        }
        let snapshot = StoredSnapshot {
            version,
            fingerprint: aggregate::fingerprint::<A>(),
            state,
        };
        self.store()
            .backend()
            .save_snapshot(stream, snapshot)
            .await?;
        Ok(version)
    }

    /// Takes a snapshot in the background when the policy says so.
    pub(crate) fn snapshot_if_due(&self, id: &A::Id, state: &A, before: Version, after: Version) {
        if !self.snapshots().is_on() || !self.snapshots().is_due(state, before, after) {
            return;
        }
        let (repository, id) = (self.clone(), id.clone());
        self.store().background().spawn(async move {
            if let Err(error) = repository.take_snapshot(&id).await {
                tracing::warn!(category = A::CATEGORY, %id, %error, "no snapshot was taken");
            }
        });
    }
}

/// The snapshot of a stream, if there is one at or before `to` that can be trusted.
pub(crate) async fn find<A: Apply>(
    store: &Store,
    stream: &StreamId,
    to: Option<Version>,
) -> Option<(Version, A)> {
    let codec = A::snapshot_codec()?;
    let fingerprint = aggregate::fingerprint::<A>();
    let found = match store.backend().snapshot(stream, fingerprint).await {
        Ok(found) => found?,
        Err(error) => {
            tracing::debug!(%stream, %error, "the snapshot could not be read, replaying all events");
            return None;
        }
    };
    if found.version == Version::NONE
        || found.fingerprint != fingerprint
        || to.is_some_and(|to| found.version > to)
    {
        return None;
    }
    let state = read_back::<A>(&codec, &found.state);
    if state.is_none() {
        tracing::debug!(%stream, version = %found.version, "the snapshot has another shape, replaying all events");
    }
    Some((found.version, state?))
}

/// The state that a snapshot holds, if it says the same when it is written again.
///
/// This catches what the fingerprint cannot see: a field that was added, removed or renamed in a type within the state whose shape is
/// not known.
fn read_back<A>(codec: &SnapshotCodec<A>, bytes: &[u8]) -> Option<A> {
    let state = (codec.decode)(bytes).ok()?;
    let again = (codec.encode)(&state).ok()?;
    (again == bytes || content(&again)? == content(bytes)?).then_some(state)
}

/// A hash of JSON that does not depend on the order of keys and elements, which sets and maps do not keep.
fn content(json: &[u8]) -> Option<u64> {
    fn hash(value: &serde_json::Value) -> u64 {
        let mut hasher = DefaultHasher::new();
        match value {
            serde_json::Value::Array(elements) => {
                (1u8, elements.iter().map(hash).fold(0, u64::wrapping_add)).hash(&mut hasher);
            }
            serde_json::Value::Object(fields) => {
                let field = |(key, value): (&String, _)| {
                    let mut hasher = DefaultHasher::new();
                    (key, hash(value)).hash(&mut hasher);
                    hasher.finish()
                };
                (2u8, fields.iter().map(field).fold(0, u64::wrapping_add)).hash(&mut hasher);
            }
            leaf => leaf.hash(&mut hasher),
        }
        hasher.finish()
    }
    serde_json::from_slice(json).ok().map(|value| hash(&value))
}
