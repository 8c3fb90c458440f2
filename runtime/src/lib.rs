//! Event sourcing and domain modelling for Rust.

// The macros' code names this crate; the examples in this crate's documentation and its tests use them too.
extern crate self as recount;

#[doc(hidden)]
#[path = "private/mod.rs"]
pub mod __private;
pub mod aggregate;
mod background;
mod clock;
pub mod event;
mod id;
pub mod log;
pub mod prelude;
pub mod projection;
pub mod repository;
pub mod snapshot;
pub mod store;

pub use aggregate::{Aggregate, EventContext, Root};
pub use clock::{Clock, IdSource};
pub use event::Event;
pub use id::{Id, IdError};
pub use log::{Position, Version};
pub use projection::{Envelope, Projection};
#[cfg(feature = "macros")]
pub use recount_macros::{Aggregate, Event, Id, apply, projection};
pub use repository::Repository;
pub use store::Store;

pub use {chrono, serde_json, uuid};
