//! NATS JetStream: each event a message on a subject of its stream.
//!
//! The subject is `PREFIX.TENANT.CATEGORY.ID`, so that consumers can filter: `bank.*.account.>` is all accounts. `_` stands for
//! no tenant. In a token everything but visible ASCII, and `.`, `*`, `>` and `%`, is percent-encoded (a tenant that is called `_` is
//! `%5F`), and an id is cut after 512 bytes: the event in the message has it whole. The message is the
//! [CloudEvent](super::CloudEvent) as JSON. Needs NATS 2.9 or later.
//!
//! **Once.** The header `Nats-Msg-Id` is the event's id, by which JetStream drops a message that it has stored within its *duplicate
//! window*: two minutes unless the stream was made with another one. An event that is published again later than that, after a
//! longer outage, is stored again; what consumes drops it.
//!
//! **Order.** Events are sent in the log's order, without waiting for one another, but an event whose stream has another one under
//! way waits for that: a message can be lost on its way and the next one arrive. So each stream's order holds whatever fails, and
//! the log's order as long as nothing does.
//!
//! **Durable** is what the stream makes it: file storage, and several replicas. A single server writes to disk at intervals
//! (`sync_interval`, which may be `always` from 2.10 on); until then a message survives the end of the process, not of the machine.

mod connection;
mod consumer;
mod publisher;

pub use consumer::NatsConsumer;
pub use publisher::NatsPublisher;
