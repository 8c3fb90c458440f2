//! Events as a store hands them out, without a store.

use std::collections::HashMap;
use std::sync::Arc;

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

/// A type's name without its modules.
pub(super) fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}
