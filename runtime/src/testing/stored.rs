//! Events as a repository records them and a store hands them out, without a store: what `given` and `given_log` share.

use std::collections::HashMap;
use std::sync::Arc;

use super::difference::{Shown, list};
use crate::aggregate::{Apply, Events, Journal};
use crate::event::Event;
use crate::log::{Kind, NewEvent, Page, Position, Row, StreamId, Version};

/// The events in one page, with the positions and versions that an empty log would give them.
pub(super) fn page<'a>(events: impl IntoIterator<Item = (&'a StreamId, &'a NewEvent)>) -> Page {
    let mut page = Page::new();
    let mut versions: HashMap<&StreamId, Version> = HashMap::new();
    for (position, (stream, event)) in (1..).map(Position).zip(events) {
        let version = versions.entry(stream).or_insert(Version::NONE);
        *version = version.next();
        let kind = Arc::new(Kind {
            tenant: stream.tenant().cloned(),
            category: stream.category().clone(),
            name: event.name.as_ref().into(),
            schema_version: event.schema_version,
        });
        page.push(
            &kind,
            Row {
                position,
                version: *version,
                id: event.id,
                recorded_at: event.recorded_at.timestamp_micros(),
                stream: stream.id(),
                metadata: &event.metadata.to_json().unwrap_or_default(),
                payload: &event.payload,
            },
        );
    }
    page
}

/// Records events as a repository does: the first may create the state.
#[track_caller]
pub(super) fn record<A: Apply>(journal: &mut Journal, state: &mut Option<A>, events: Events<A>) {
    for event in events {
        journal.record(event, |event, _, context| match state {
            Some(state) => state.evolve(event, context),
            None => A::create(event, context).map(|created| *state = Some(created)),
        });
    }
    if let Some(error) = &journal.error {
        panic!(
            "{error}\n\n  recorded before it\n{}",
            list(&Shown::all(&journal.pending))
        );
    }
}

/// Adds an event in its stored form, whatever its version.
#[track_caller]
pub(super) fn append_stored(journal: &mut Journal, event: &impl Event) {
    let mut payload = Vec::new();
    if let Err(error) = event.encode(&mut payload) {
        panic!("event {} cannot be stored: {error}", event.name());
    }
    journal.version = journal.version.next();
    journal.recorded_at = journal.sources.now().max(journal.recorded_at);
    journal.pending.push(NewEvent {
        id: journal.sources.id(journal.pending.len()),
        name: event.name().into(),
        schema_version: event.schema_version(),
        recorded_at: journal.recorded_at,
        metadata: journal.metadata.clone(),
        payload,
    });
}

/// The state that stored events fold to.
#[track_caller]
pub(super) fn replayed<'a, A: Apply>(
    stream: &'a StreamId,
    events: impl IntoIterator<Item = &'a NewEvent>,
) -> Option<A> {
    let mut state = A::start();
    for record in page(events.into_iter().map(|event| (stream, event))).iter() {
        if let Err(error) = A::replay(&mut state, &record) {
            panic!("{error}");
        }
    }
    state
}

/// A type's name without its modules.
pub(super) fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}
