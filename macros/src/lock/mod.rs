//! The lock: released versions of events, and the errors that a change of them is.
//!
//! A source file is governed by the folder `schema/` nearest above it; without one nothing is asked. What tokens can tell is told
//! here, with the words to write; everything else the compiler decides when it evaluates constants, at the field that was changed.

mod aggregate;
mod event;
mod follower;
mod governing;
mod tokens;
mod verify;

pub(crate) use aggregate::{aggregate, must_be_there, streams};
pub(crate) use event::{Asked, event, oldest_stored};
pub(crate) use follower::{Follower, follower};
pub(crate) use verify::Of;
