//! What tests of the examples share.

use std::path::Path;
use std::process::Command;
use std::sync::Once;

/// A command that runs an example of this package, as `cargo run --example NAME` would.
///
/// `cargo test` builds examples beside the tests, `cargo test --test NAME` builds none: so they are built here, once, which
/// takes no time when they are there.
pub fn example(name: &str) -> Command {
    static BUILT: Once = Once::new();

    // …/target/debug/deps/this_test-0123456789abcdef
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("the folder of the profile");
    BUILT.call_once(|| build(profile));
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    Command::new(profile.join("examples").join(file))
}

fn build(profile: &Path) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--quiet", "--examples"]);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    // What cargo tells this test: dependencies that look at it would be built anew, here and by whoever builds next.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(status.expect("cargo runs").success(), "examples are built");
}
