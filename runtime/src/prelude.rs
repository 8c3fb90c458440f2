//! What a domain needs, in one import: `use recount::prelude::*;`.
//!
//! Serde's derives are among it; their code names the crate `serde`, so that must be a dependency of yours too.

pub use crate::log::Metadata;
pub use crate::projection::{Projector, TableProjector};
pub use crate::reaction::{Act, Reactor};
pub use crate::runner::Runner;
pub use crate::sql::Sql;
#[cfg(feature = "macros")]
pub use crate::{Aggregate, Event, Id, ValueObject, apply, projection, reaction};
pub use crate::{Envelope, EventContext, Position, Repository, Root, Store, Version};
pub use chrono::{DateTime, Utc};
pub use serde::{Deserialize, Serialize};
