//! Redis Streams: the log under one key.
//!
//! Each event is an entry of the stream under the key, whose id is the event's position (`42-0`), with two fields: `id`, the
//! event's id, and `event`, the [CloudEvent](super::CloudEvent) as JSON. Needs Redis 6.2 or later, or Valkey.
//!
//! **Once.** Redis takes only entries whose id is above the last one. So an event that is published again is found out by Redis itself
//! however late it comes, and the entry that is there is compared by its event's id. Since positions order a whole log, a key is
//! *one log's*: a publisher that sees only a tenant's events gets a key of its own. A log that was replaced, whose positions start
//! again, or two logs under one key, are [refused](super::PublishError::Refused) and never passed over.
//!
//! **Durable** is what the server makes it: `appendonly yes` and `appendfsync always` keep what was acknowledged over a crash; a
//! replica that takes over may lack the last entries that were acknowledged.
//!
//! **TLS** (`rediss://…`) is there once the application switches on the feature `tokio-rustls-comp` of the crate `redis`.

mod consumer;
mod link;
mod publisher;

pub use consumer::RedisConsumer;
pub use publisher::RedisPublisher;
