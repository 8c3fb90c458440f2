//! Loading, deciding, saving.

use std::marker::PhantomData;

use crate::Store;
use crate::aggregate::Apply;

/// Loads and saves the aggregates of one type.
#[derive(Debug, Clone)]
pub struct Repository<A: Apply> {
    store: Store,
    of: PhantomData<fn() -> A>,
}
