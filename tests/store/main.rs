//! What every store promises: one list of cases for memory, for SQLite, and for a tenant's handle.

mod appends;
mod idempotence;
mod kept;
mod reads;
#[path = "../domain/stores.rs"]
mod stores;
mod tenants;

use recount::log::{NewEvent, RecordedEvent, StreamId};

/// The stream of this id.
fn stream(id: &str) -> StreamId {
    StreamId::new("account", id).unwrap()
}

/// An event with a new id.
fn event(name: &'static str) -> NewEvent {
    NewEvent::json(name, 1, &serde_json::json!({ "of": name })).unwrap()
}

/// Several, called `Counted`.
fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| event("Counted")).collect()
}

/// Stream and version of each, in the order of the read.
fn places(events: &[RecordedEvent]) -> Vec<(String, u64)> {
    events
        .iter()
        .map(|event| (event.stream.id().to_owned(), event.version.0))
        .collect()
}
