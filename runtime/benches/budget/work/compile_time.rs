//! What the macros add to the time of `cargo check`, against what serde's derives add for the same types.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::budgets::promise;
use crate::measure::{Bench, Declared, Percentile as _};
use crate::report::{Figures, Outcome, Spread, Unit};

const AGGREGATES: usize = 10;
const EVENTS_EACH: usize = 10;

pub fn compile_time(bench: &mut Bench) {
    bench.on("");
    let meaning = "What the macros add to `cargo check` of a crate, against what serde's derives add for the same types.";
    let work = format!(
        "cargo check of {} events in {AGGREGATES} aggregates",
        AGGREGATES * EVENTS_EACH
    );
    let declared =
        Declared::new("Compiling", work, meaning).rounds(if bench.quick { 1 } else { 5 });
    if !bench.wants(&declared) {
        return;
    }
    // The derives depend on the name.
    let packages = ["plain", "with-serde", "with-recount"].map(|name| {
        let source = source(name != "plain", name == "with-recount");
        write_package(name, &source)
    });
    let (mut plain, mut by_serde, mut by_ours, mut ratios) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..=declared.rounds {
        let [without, serde, ours] = [0, 1, 2].map(|number| check(&packages[number]));
        // The first one builds the dependencies, too.
        if round > 0 {
            plain.push(without);
            by_serde.push(serde - without);
            by_ours.push(ours - serde);
            ratios.push((ours - serde) / (serde - without));
        }
    }
    let promise = promise(&declared.work, "");
    let figures = Figures {
        unit: Unit::Seconds,
        floor: Some(by_serde.percentile(50)),
        ours: by_ours.percentile(50),
        ratio: Some(Spread::of(ratios)),
        delays: None,
        attempts: None,
        budget: promise.map(|promise| promise.budget),
        note: format!("added to {:.2} s without either", plain.percentile(50)),
        limits: promise.map_or("", |promise| promise.limits).to_owned(),
    };
    bench.keep(&declared, Outcome::Measured(figures));
}

/// Where the packages are.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/compile-time")
}

/// A package of one file.
pub fn write_package(name: &str, source: &str) -> PathBuf {
    let folder = root().join(name);
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).display();
    std::fs::create_dir_all(folder.join("src")).expect("a folder");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\nrecount = {{ path = \"{runtime}\", default-features = false, features = [\"macros\"] }}\n\
         serde = {{ version = \"1\", features = [\"derive\"] }}\n\n[workspace]\n"
    );
    std::fs::write(folder.join("Cargo.toml"), manifest).expect("a file");
    // The same versions as here, so that nothing is asked of a registry.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    std::fs::copy(lock, folder.join("Cargo.lock")).expect("the lock file");
    std::fs::write(folder.join("src/lib.rs"), source).expect("a file");
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

/// The seconds of `cargo check`.
pub fn check(folder: &Path) -> f64 {
    let source = folder.join("src/lib.rs");
    let text = std::fs::read(&source).expect("the source");
    std::fs::write(&source, text).expect("the source");
    let start = Instant::now();
    let status = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", root().join("target"))
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
