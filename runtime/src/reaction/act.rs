//! What a reaction may do in the store.

use crate::Store;

/// What a reaction may do in the store.
#[derive(Debug)]
pub struct Act {
    store: Store,
}

impl Act {
    /// The store that the event was read from.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
