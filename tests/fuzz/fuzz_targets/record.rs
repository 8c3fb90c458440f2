//! Stored records of any content.
#![no_main]

#[path = "../record.rs"]
mod record;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| record::run(bytes));
