//! The log: what an event is once it is stored, how it is appended, how it is read.
//!
//! This half of the crate knows nothing of aggregates, and the stores know nothing else: both meet at the event record.
//! [`NewEvent`] goes in as part of a [`Batch`], a [`Record`] comes out in a [`Page`].

mod append;
mod metadata;
mod number;
mod page;
mod query;
mod stats;
mod stream;

pub use append::{AppendError, Appended, Batch, Expected, NewEvent, StreamAppend, StreamVersion};
pub use metadata::Metadata;
pub use number::{EventId, Position, Version};
pub(crate) use page::Settled;
pub use page::{Kind, Page, Record, RecordedEvent, Row};
pub use query::{Detail, Direction, Query, ReadError, Selector};
pub use stats::Stats;
pub(crate) use stream::check_name;
pub use stream::{Category, NameError, StreamId, TenantId};
