//! What a reaction may do in the store.

use crate::Store;

/// What a reaction may do in the store.
#[derive(Debug)]
pub struct Act {
    store: Store,
}

impl Act {
    /// What may be done about an event.
    pub(crate) fn new(
        store: &Store,
        reaction: &'static str,
        record: &crate::log::Record<'_>,
    ) -> Self {
        let _ = (reaction, record);
        Self {
            store: store.clone(),
        }
    }

    /// The store that the event was read from.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
