//! Tools for tests, behind the feature `testing`: write it in `dev-dependencies`, so that no release contains them.
//!
//! ```toml
//! [dev-dependencies]
//! recount = { version = "0.1", features = ["testing"] }
//! ```

pub mod contract;

pub use crate::store_contract;
