//! Event sourcing and domain modelling: you write plain types, Recount keeps what happened to them.
//!
//! A domain is events that say what happened, aggregates that fold them, and commands that decide. The derives and
//! attributes write what lies between those types and a durable, ordered, queryable log.
//!
//! ```
//! use recount::prelude::*;
//!
//! #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
//! pub struct TicketId(u64);
//!
//! #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
//! pub struct TicketOpened { pub title: String }
//!
//! #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
//! pub struct TicketClosed {}
//!
//! #[derive(Debug, Clone, PartialEq, Aggregate)]
//! #[aggregate(stream = "ticket", id = TicketId)]
//! pub struct Ticket { title: String, open: bool }
//!
//! #[apply]
//! impl Ticket {
//!     fn opened(event: TicketOpened) -> Self { Self { title: event.title, open: true } }
//!     fn closed(&mut self, _: TicketClosed) { self.open = false; }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::connect("memory:").await?; // or "sqlite:tickets.db"
//! let tickets = Repository::<Ticket>::new(&store);
//! let id = TicketId::new(7);
//!
//! tickets.create(&id, TicketOpened { title: "It rains in".into() }).await?;
//! tickets.execute(&id, |ticket| Ok(ticket.open.then_some(TicketClosed {}))).await?;
//! assert!(!tickets.load(&id).await?.open);
//! assert!(tickets.load_at(&id, Version(1)).await?.open);
//! # Ok(()) }
//! ```
//!
//! # Where to look
//!
//! | for | see |
//! |---|---|
//! | the macros | [`Event`](macro@Event), [`Aggregate`](macro@Aggregate), [`apply`](macro@apply), [`projection`](macro@projection), [`reaction`](macro@reaction), [`Id`](macro@Id), [`ValueObject`](macro@ValueObject) |
//! | loading, deciding, saving | [`Repository`], [`Root`], [`UnitOfWork`](repository::UnitOfWork) |
//! | changing the shape of stored events | [`guide::evolving_events`] |
//! | read models | [`Projector`](projection::Projector), in tables [`TableProjector`](projection::TableProjector); kept up to date in the background, [`Runner`](runner::Runner) |
//! | all that follows the log, in one place | [`guide::following_the_log`] |
//! | following the log | [`Store::subscribe`]; typed, for many listeners in the process, [`Bus`](bus::Bus) |
//! | reacting to events, without doing anything twice | [`Reactor`](reaction::Reactor), [`Act`](reaction::Act) |
//! | the log on a message broker: Redis, NATS, Kafka | [`relay`] |
//! | the log itself, without aggregates | [`Store`], [`log`] |
//! | tests of a domain, of its projections, of a store | `testing`, with the feature of that name |
//! | what is promised, up to where, and which test holds it | [`guide::guarantees`] |
//! | the SQLite file, its tables and options | [`store::sqlite`] |
//! | the log on a PostgreSQL server, its tables and options | `store::postgres`, with the feature `postgres` |

// The macros' code names this crate; the examples in this crate's documentation and its tests use them too.
extern crate self as recount;

#[doc(hidden)]
#[path = "private/mod.rs"]
pub mod __private;
pub mod aggregate;
mod background;
pub mod bus;
mod causes;
mod clock;
pub mod event;
pub mod follower;
pub mod guide;
mod id;
pub mod log;
pub mod prelude;
pub mod projection;
pub mod reaction;
pub mod relay;
pub mod repository;
pub mod runner;
pub mod sql;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod turns;
mod value;

pub use aggregate::{Aggregate, EventContext, Root};
pub use causes::with_causes;
pub use clock::{Clock, IdSource};
pub use event::Event;
pub use id::{Id, IdError};
pub use log::{Position, Version};
pub use projection::{Envelope, Projection};
#[cfg(feature = "macros")]
pub use recount_macros::{Aggregate, Event, Id, ValueObject, apply, projection, reaction};
pub use recount_schema as schema;
pub use repository::{Repository, snapshot};
pub use store::Store;
pub use value::ValueObject;

pub use {chrono, serde_json, uuid};

/// The blocks of the README, compiled and run.
#[cfg(all(doctest, feature = "macros", feature = "testing"))]
#[doc = include_str!("../../README.md")]
struct Readme;
