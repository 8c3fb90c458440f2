//! Tokens of any kind, for the macros' own modules: a crate of macros exports nothing else that could be called.
#![no_main]

#[path = "../attributes.rs"]
mod attributes;

#[path = "../../../macros/src/aggregate/mod.rs"]
mod aggregate;
#[path = "../../../macros/src/apply/mod.rs"]
mod apply;
#[path = "../../../macros/src/attr.rs"]
mod attr;
#[path = "../../../macros/src/diag.rs"]
mod diag;
#[path = "../../../macros/src/event/mod.rs"]
mod event;
#[path = "../../../macros/src/fingerprint.rs"]
mod fingerprint;
#[path = "../../../macros/src/handler/mod.rs"]
mod handler;
#[path = "../../../macros/src/id/mod.rs"]
mod id;
#[path = "../../../macros/src/path.rs"]
mod path;
#[path = "../../../macros/src/projection/mod.rs"]
mod projection;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| attributes::run(bytes));
