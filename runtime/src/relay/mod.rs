//! The log on a message broker: published as CloudEvents to Redis Streams, NATS JetStream or Kafka, and consumed from there.
//!
//! ```text
//! log ── Relay, CloudEvent ──▶ Publisher ──▶ Redis │ NATS │ Kafka ──▶ Consumer ──▶ Delivery ── decode, handle, ack
//! ```
//!
//! | broker | feature | publishes | consumes |
//! |---|---|---|---|
//! | Redis 6.2 | `redis` | `redis::RedisPublisher` | `redis::RedisConsumer` |
//! | NATS 2.9, JetStream | `nats` | `nats::NatsPublisher` | `nats::NatsConsumer` |
//! | Kafka 2.5 | `kafka` | `kafka::KafkaPublisher` | `kafka::KafkaConsumer` |
//!
//! The log stays the truth: a broker gets a copy of what was committed, at least once and in the order of each stream.
//! A [`Relay`] keeps a checkpoint, and after any failure publishes again from there. So an event may arrive twice, always with
//! the same id. What is done about that:
//!
//! * The broker drops most repetitions when they are published: Redis all of them, JetStream those within its window
//!   (two minutes unless it was made otherwise), Kafka those that its own client sent again.
//! * [`Consumer::deduplicated`] drops those of the last events that it saw acknowledged, in memory.
//! * Only the consumer's own database drops all of them: it keeps the event's id, or each stream's last version, in the transaction
//!   that keeps the effect.
//!
//! ```
//! # use recount::log::{Expected, NewEvent, Query, StreamId};
//! # use recount::relay::{CloudEvent, Source};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let store = recount::Store::connect("memory:").await?;
//! # store.append(&StreamId::new("account", "a")?, Expected::Any, [NewEvent::json("Paid", 1, &5)?, NewEvent::json("Paid", 1, &7)?]).await?;
//! # let mut reader = store.read(Query::all());
//! # let page = reader.next_page().await?.unwrap();
//! # let [first, second] = [0, 1].map(|at| CloudEvent::of(&page.get(at).unwrap(), &Source::default()).unwrap());
//! # let delivered = [first.clone(), second, first];
//! // The consumer's own database.
//! let mut database = rusqlite::Connection::open_in_memory()?;
//! database.execute_batch(
//!     "CREATE TABLE handled (event TEXT PRIMARY KEY) WITHOUT ROWID;
//!      CREATE TABLE total (cents INTEGER NOT NULL);
//!      INSERT INTO total VALUES (0);",
//! )?;
//!
//! for event in delivered { // 5, 7, and 5 again
//!     let transaction = database.transaction()?;
//!     let id = event.recorded.id.to_string();
//!     if transaction.execute("INSERT OR IGNORE INTO handled VALUES (?)", [id])? == 1 {
//!         let cents: i64 = serde_json::from_slice(&event.recorded.payload)?;
//!         transaction.execute("UPDATE total SET cents = cents + ?", [cents])?;
//!     }
//!     transaction.commit()?; // and only then `delivery.ack().await?`
//! }
//! assert_eq!(database.query_row("SELECT cents FROM total", [], |row| row.get::<_, i64>(0))?, 12);
//! # Ok(()) }
//! ```

mod cloud_event;
mod consumer;
mod deduplicated;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "nats")]
pub mod nats;
mod publisher;
#[cfg(feature = "redis")]
pub mod redis;
mod relaying;
mod text;

pub use cloud_event::{CloudEvent, CloudEventError, Source};
pub use consumer::{ConsumeError, Consumer, Delivery, Malformed, Receipt};
pub use deduplicated::Deduplicated;
pub use publisher::{PublishError, Publisher};
pub use relaying::{Relay, Relaying};
