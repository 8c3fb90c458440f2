//! Kafka: each event a record of a topic, with its stream as the key.
//!
//! A stream's events are in one partition, in order; the partitions of a topic have no order among them. The record is the
//! [CloudEvent](super::CloudEvent) as JSON, with the header `content-type`. Needs Kafka 2.5 or later, and to build librdkafka a C and
//! a C++ compiler and `make`.
//!
//! **Once, and in order.** The producer is *idempotent*: what the client sends again by itself is stored once, and of the records of
//! a partition always a first part. After an error, or when a call took too long, the producer is thrown away with all that it still
//! had to send, and what is published again comes from a new one: such an event may be stored twice, behind all of what came before
//! it. What consumes drops it.
//!
//! **Durable** is what the topic makes it: acknowledged is what all replicas in sync have (`acks=all`), so set
//! `min.insync.replicas` to 2 or more.
//!
//! **TLS and SASL** are options of librdkafka, given with `set`, once the application switches on the features `ssl` or `sasl` of the
//! crate `rdkafka`; so is compression with `libz` and `zstd`, while `lz4` and `snappy` are always there.

mod consumer;
mod publisher;

pub use consumer::KafkaConsumer;
pub use publisher::KafkaPublisher;
