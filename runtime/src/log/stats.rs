//! How much a log holds.

use std::collections::BTreeMap;

/// Counts over the part of the log that a handle can see.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = recount::Store::connect("memory:").await?;
/// assert_eq!(store.stats().await?.events, 0);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Events.
    pub events: u64,
    /// Streams with at least one event.
    pub streams: u64,
    /// Events by stored name, over all categories and schema versions.
    pub events_by_name: BTreeMap<String, u64>,
    /// Bytes on disk, with indexes, snapshots and the write-ahead log; `None` where there is no disk,
    /// and for a handle that is bound to a tenant, which shares the disk with others.
    pub bytes: Option<u64>,
}
