//! The fuzz targets on stable Rust: every input that is kept, then mutations of them.
//!
//! The macros' target is a test of their own crate, since nothing can be called from outside of it.
//!
//! With a fuzzer, which goes further: `cargo +nightly fuzz run --fuzz-dir tests/fuzz record`, or `file`, or `attributes`.

mod file;
mod inputs;
mod record;

use std::path::Path;

fn corpus(target: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target)
}

#[test]
fn a_record_of_any_content_is_a_value_or_an_error() {
    inputs::run(&corpus("record"), 20_000, record::run);
}

#[test]
fn a_file_of_any_content_is_read_or_refused() {
    inputs::run(&corpus("file"), 200, file::run);
}
