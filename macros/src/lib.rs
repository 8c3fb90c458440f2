//! The macros of Recount. Use them through the `recount` crate, which re-exports them.
