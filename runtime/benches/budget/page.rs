//! What is read of a log, without a store.

use std::sync::Arc;

use recount::log::{Category, EventId, Kind, Page, Row};
use recount::prelude::*;

/// Events as a store hands them over.
pub fn page(category: &str, events: impl Iterator<Item = (&'static str, u32, Vec<u8>)>) -> Page {
    let mut page = Page::new();
    let mut kinds: Vec<Arc<Kind>> = Vec::new();
    for (version, (name, schema_version, payload)) in (1..).zip(events) {
        let known = kinds.iter().position(|kind| &*kind.name == name);
        let known = known.unwrap_or_else(|| {
            let category = Category::new(category).expect("a plain name");
            kinds.push(Arc::new(Kind {
                tenant: None,
                category,
                name: name.into(),
                schema_version,
            }));
            kinds.len() - 1
        });
        page.push(
            &kinds[known],
            Row {
                position: Position(version),
                version: Version(version),
                id: EventId(recount::uuid::Uuid::nil()),
                recorded_at: 0,
                stream: "one",
                metadata: "",
                payload: &payload,
            },
        );
    }
    page
}
