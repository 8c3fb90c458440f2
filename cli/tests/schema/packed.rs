//! A domain under a lock, as it is published.

use super::project::Project;

/// A path for working, and a version for whoever takes it from a registry.
const MANIFEST: &str = r#"
[workspace]

[package]
name = "plans-packed"
version = "0.3.0"
edition = "2024"
description = "Plans of workouts."
license = "MIT"

[dependencies]
recount = { path = "ROOT/runtime", version = "0.1.0" }
serde = { version = "1", features = ["derive"] }
"#;

/// In place of the registry.
const PATCH: &str = r#"
[workspace]

[patch.crates-io]
recount = { path = "ROOT/runtime" }
recount-macros = { path = "ROOT/macros" }
recount-schema = { path = "ROOT/schema" }
"#;

const FILES: [&str; 5] = [
    "schema/lock.toml",
    "schema/workout.Cancelled/v1.json",
    "schema/workout.Cancelled/v1.samples.jsonl",
    "schema/workout.Scheduled/v1.json",
    "schema/workout.Scheduled/v1.samples.jsonl",
];

/// Packs the project, and unpacks it into a folder `packed` beside nothing else of it.
fn unpacked(project: &Project) -> Project {
    let target = project.path("target");
    project
        .cargo(&[
            "package",
            "--offline",
            "--no-verify",
            "--allow-dirty",
            "--exclude-lockfile",
            "--target-dir",
            target.to_str().unwrap(),
        ])
        .says(0, &[]);
    let elsewhere = Project::of(&[]);
    let archive = target.join("package/plans-packed-0.3.0.crate");
    let done = std::process::Command::new("tar")
        .args(["-xzf", archive.to_str().unwrap(), "--strip-components=1"])
        .arg("-C")
        .arg(elsewhere.path(""))
        .status();
    assert!(done.unwrap().success());
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let manifest = elsewhere.read("Cargo.toml");
    elsewhere.write("Cargo.toml", &(manifest + &PATCH.replace("ROOT", root)));
    elsewhere
}

#[test]
fn a_lock_is_packed_with_its_code_and_holds_wherever_that_is_compiled() {
    let source = include_str!("fixture/src/lib.rs").replace("WorkoutId)]", "WorkoutId, locked)]");
    let project = Project::of(&[("Cargo.toml", MANIFEST), ("src/lib.rs", &source)]);
    for command in ["init", "accept", "release"] {
        project.recount(&[command]).says(0, &[]);
    }
    project.commit();
    project
        .cargo(&["package", "--offline", "--list", "--exclude-lockfile"])
        .says(0, &FILES);

    let packed = unpacked(&project);
    packed.test().says(0, &["3 passed"]);
    packed
        .recount(&["check", "--release"])
        .says(0, &["2 versions of 1 lock"]);
    packed.edit("src/lib.rs", "u16, // as planned", "u8,");
    packed
        .test()
        .says(101, &["[RC1011] `minutes` of `Scheduled` version 1"]);

    // A list of what is packed must name it: without it whoever depends on the package could not compile it.
    project.edit("Cargo.toml", "license =", "include = [\"src\"]\nlicense =");
    let packed = unpacked(&project);
    packed.cargo(&["check", "--offline", "--quiet"]).says(
        101,
        &["`Workout` is locked, and no `schema/lock.toml` is there"],
    );
    project.edit("Cargo.toml", "[\"src\"]", "[\"src\", \"schema\"]");
    unpacked(&project)
        .cargo(&["check", "--offline", "--quiet"])
        .says(0, &[]);
}
