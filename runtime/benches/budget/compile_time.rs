//! What the macros add to the time of `cargo check`, against what serde's derives add for the same types.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::paired::median;

const AGGREGATES: usize = 10;
const EVENTS_EACH: usize = 10;
const ROUNDS: usize = 5;

pub fn run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/compile-time");
    let [plain, serde, ours] =
        ["plain", "with-serde", "with-recount"].map(|name| write_crate(&root, name));
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (times, folder) in times.iter_mut().zip([&plain, &serde, &ours]) {
            let time = check(&root, folder);
            // The first one builds the dependencies, too.
            if round > 0 {
                times.push(time);
            }
        }
    }
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|round| (times[2][round] - times[1][round]) / (times[1][round] - times[0][round]))
        .collect();
    let ratio = median(&mut ratios);
    let [plain, serde, ours] = times.map(|mut times| median(&mut times));
    println!(
        "cargo check of {} events: plain {plain:.2} s, with serde {serde:.2} s, with both {ours:.2} s; the macros add {ratio:.2} \
         ({:.2} to {:.2}) of what serde adds; budget: less than 1",
        AGGREGATES * EVENTS_EACH,
        ratios[0],
        ratios[ROUNDS - 1],
    );
}

/// A crate with the same types, whose derives depend on its name.
fn write_crate(root: &Path, name: &str) -> PathBuf {
    let folder = root.join(name);
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).display();
    std::fs::create_dir_all(folder.join("src")).expect("a folder");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\nrecount = {{ path = \"{runtime}\" }}\n\
         serde = {{ version = \"1\", features = [\"derive\"] }}\n\n[workspace]\n"
    );
    std::fs::write(folder.join("Cargo.toml"), manifest).expect("a file");
    // The same versions as here, so that nothing is asked of a registry.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    std::fs::copy(lock, folder.join("Cargo.lock")).expect("the lock file");
    std::fs::write(
        folder.join("src/lib.rs"),
        source(name != "plain", name == "with-recount"),
    )
    .expect("a file");
    folder
}

fn source(serde: bool, recount: bool) -> String {
    let mut source =
        String::from("#![allow(dead_code, unused_imports)]\nuse recount::prelude::*;\n");
    let serde = if serde {
        ", Serialize, Deserialize"
    } else {
        ""
    };
    if recount {
        source.push_str(
            "#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct SomeId(String);\n",
        );
    }
    for aggregate in 0..AGGREGATES {
        let mut handlers = String::new();
        for event in 0..EVENTS_EACH {
            let derive = if recount { ", Event" } else { "" };
            let name = format!("Event{aggregate}x{event}Happened");
            writeln!(
                source,
                "#[derive(Debug, Clone, PartialEq{serde}{derive})] pub struct {name} {{ pub title: String, pub amount: i64, \
                 pub tags: Vec<String>, pub note: Option<String> }}"
            )
            .expect("a String takes everything");
            writeln!(
                handlers,
                "fn on{event}(&mut self, event: {name}) {{ self.total += event.amount; }}"
            )
            .expect("a String takes everything");
        }
        let (derive, attribute, apply) = if recount {
            (
                ", Aggregate",
                format!("#[aggregate(stream = \"a{aggregate}\", id = SomeId)]"),
                "#[apply]",
            )
        } else {
            ("", String::new(), "")
        };
        writeln!(
            source,
            "#[derive(Debug, Clone, Default{derive})] {attribute} pub struct Aggregate{aggregate} {{ total: i64 }}\n\
             {apply} impl Aggregate{aggregate} {{ {handlers} }}"
        )
        .expect("a String takes everything");
    }
    source
}

fn check(root: &Path, folder: &Path) -> f64 {
    let source = folder.join("src/lib.rs");
    let text = std::fs::read(&source).expect("the source");
    std::fs::write(&source, text).expect("the source");
    let start = Instant::now();
    let status = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", root.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .status()
        .expect("cargo runs");
    assert!(
        status.success(),
        "cargo check failed in {}",
        folder.display()
    );
    start.elapsed().as_secs_f64()
}
