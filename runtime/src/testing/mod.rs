//! Tools for tests, behind the feature `testing`: write it in `dev-dependencies`, so that no release contains them.
//!
//! ```toml
//! [dev-dependencies]
//! recount = { version = "0.1", features = ["testing"] }
//! ```
//!
//! | to test | write |
//! |---|---|
//! | an aggregate | [`given`]`(events).when(command).then(events)` |
//! | an upcast | [`upcast`]`(&old).then(new)`, [`stored`]`(name, version, json).then(new)` |
//! | that all that was ever stored can still be read | [`golden`] |
//! | a projection | [`given_log`]`().stream(&id, events).project().then_state(…)` |
//! | code that reacts to events by appending others | [`given_log`]`().stream(&id, events).when(code).then(&id, events)` |
//! | what happens when the store fails | [`Faults`] |
//! | a store of your own | [`store_contract!`] |
//!
//! Each failed test prints the events that were expected and those that came, and where they differ:
//!
//! ```text
//! `Account` decided on other events than expected
//!
//!   given
//!     1 AccountOpened {"holder":"John"}
//!     2 MoneyDeposited {"amount":100}
//!   then (- expected, + decided)
//!     - MoneyWithdrawn {"amount":30}
//!     + MoneyWithdrawn {"amount":31}
//!         amount: expected 30, got 31
//! ```

pub mod contract;
mod difference;
mod faults;
mod given;
mod given_log;
mod golden;
mod refusal;
mod sources;
mod stored;
mod upcast;

#[doc(inline)]
pub use crate::__pattern as pattern;
pub use crate::store_contract;
pub use faults::{Fault, FaultError, Faults, Operation};
pub use given::{Decided, Decision, Fallible, Given, Plain, given};
pub use given_log::{GivenLog, Outcome, Projected, Reacted, given_log};
pub use golden::{golden, sample};
pub use refusal::{ByContent, ByPattern, ByText, ByValue, Pattern, Refusal};
pub use sources::{CountingIds, FixedClock};
pub use upcast::{Several, Stored, stored, upcast};
