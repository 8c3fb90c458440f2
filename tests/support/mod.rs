//! What tests of the examples share.

use std::process::Command;

/// A command that runs an example of this package, as `cargo run --example NAME` would.
///
/// `cargo test` builds examples beside the tests. `cargo test --test NAME` builds none, so one that is missing is built here.
pub fn example(name: &str) -> Command {
    // …/target/debug/deps/this_test-0123456789abcdef
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("the folder of the profile");
    let path = profile
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--quiet", "--example", name]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(status.expect("cargo runs").success(), "{name} is not built");
    }
    Command::new(path)
}
