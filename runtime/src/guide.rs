//! Guides: longer than an item's documentation, and tested like it.

#[doc = include_str!("../docs/evolving-events.md")]
pub mod evolving_events {}

#[doc = include_str!("../docs/following-the-log.md")]
pub mod following_the_log {}

#[doc = include_str!("../docs/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("../docs/schema-evolution.md")]
pub mod schema_evolution {}
