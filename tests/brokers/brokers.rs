//! The log on a message broker: what is published to Redis, NATS and Kafka arrives once and in order, whatever happens to them.
//!
//! `cases.rs` is the list that every broker goes through; `redis.rs`, `nats.rs` and `kafka.rs` say how to reach each, and what
//! is its own. Redis and NATS are the real ones; Kafka is the mock cluster that librdkafka tests itself with.

mod cases;
mod events;
mod kafka;
mod log;
mod nats;
mod redis;
mod server;
