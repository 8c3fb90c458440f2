//! What a reaction may do in the store.

use crate::Store;
use crate::log::RecordedEvent;

/// What a reaction may do in the store.
#[derive(Debug)]
pub struct Act {
    store: Store,
}

impl Act {
    pub(crate) fn new(store: &Store, reaction: &'static str, record: &crate::log::Record<'_>) -> Result<Self, crate::event::PayloadError> {
        let _ = (reaction, record);
        Ok(Self { store: store.clone() })
    }

    /// What the reaction of this name may do in answer to an event.
    pub fn on(store: &Store, reaction: &str, event: &RecordedEvent) -> Self {
        let _ = (reaction, event);
        Self {
            store: store.clone(),
        }
    }

    /// The store that the event was read from.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
