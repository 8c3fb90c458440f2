//! The files under `schema/`: what was released, and in which shape.
//!
//! | file | holds |
//! |---|---|
//! | `lock.toml` | each version of each event with its status and digests, a line each, so that merges rarely conflict |
//! | `<event>/v1.json` | the shape of a version: a [`Contract`] |
//! | `<event>/v1.samples.jsonl` | payloads as they were stored, and what becomes of them: [`Sample`]s |
//!
//! The folder of an event is `<category>.<Name>`, or `<Name>` if it belongs to no aggregate, with every byte that
//! some file system treats in a way of its own written as `%2e`: so also upper case, since some do not tell it from lower.
//!
#![cfg_attr(feature = "lock", doc = "```")]
#![cfg_attr(not(feature = "lock"), doc = "```ignore")]
//! use recount_schema::lock::{Contract, Lock, Status};
//! use recount_schema::{Field, Shape, Struct};
//!
//! const SHAPE: &Shape = &Shape::Struct(Struct::new(&[Field::of::<u16>("reps")]));
//! # let folder = tempfile::tempdir().unwrap();
//! # let dir = folder.path().join("schema");
//!
//! let mut lock = Lock::new(&dir);
//! let contract = Contract::new("SetDone", 1, SHAPE);
//! lock.set(&contract, Status::Released, Some("0.3.0"))?;
//! lock.write()?;
//!
//! let lock = Lock::read(&dir)?.expect("it was written");
//! assert_eq!(lock.version(None, "SetDone", 1).unwrap().status, Status::Released);
//! assert_eq!(lock.contract(None, "SetDone", 1)?, Some(contract));
//! # Ok::<(), recount_schema::lock::LockError>(())
//! ```

mod contract;
mod error;
mod expression;
mod grammar;
#[cfg(feature = "lock")]
mod index;
mod names;
mod samples;
#[cfg(feature = "lock")]
mod store;

pub use contract::{Contract, Rust, is_of_others, shape_of_text, shape_to_text};
pub use error::LockError;
pub use expression::expression;
#[cfg(feature = "lock")]
pub use index::{Accepted, Aggregate, Entry, Index, Policy, Status, Tombstone, Version};
pub use names::folder;
pub use samples::{From, Sample};
#[cfg(feature = "lock")]
pub use store::Lock;
