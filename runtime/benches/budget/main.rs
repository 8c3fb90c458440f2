//! The speed that this crate promises, measured against hand-written code that does the same work in the same run.
//!
//! `cargo bench --bench budget` runs everything, with `--features postgres` also on the server that `DATABASE_URL` names or that
//! listens on 127.0.0.1. Words select: a store (`sqlite`), or a part of what a row or its group is called (`append`,
//! `compil`). Floor and ours take turns, and each round gives one ratio, so that a machine that slows down slows both.
//!
//! - `--quick`: small, and in two rounds; says whether everything works, not how fast.
//! - `--report FOLDER`: writes the report and its pictures.
//! - `scale`: grows one log to ten million events, some ten gigabytes on the disk of the temporary folder. Else it grows to a
//!   hundred thousand (`grow`).

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts of a benchmark are far below any limit"
)]

mod budgets;
mod domain;
mod logs;
mod machine;
mod measure;
mod page;
mod place;
mod report;
mod versions;
mod work;

use std::path::PathBuf;

use measure::{Bench, Declared};
use place::{Files, InMemory, Place};
use report::{Growth, Outcome, Results};

const STORES: [&str; 3] = [InMemory::NAME, Files::NAME, "PostgreSQL"];
const AGES: [u64; 3] = [1_000, 10_000, 100_000];
const SCALE: [u64; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments
        .next_if(|first| first == work::peak::READER)
        .is_some()
    {
        let (side, address) = (
            arguments.next().unwrap_or_default(),
            arguments.next().unwrap_or_default(),
        );
        return work::peak::read(&side, &address);
    }
    match Wish::of(arguments) {
        Ok(wish) => run(&wish),
        Err(unknown) => {
            eprintln!(
                "{unknown} is not known; write --quick, --report FOLDER, scale, a store, or a part of a row's name"
            );
            std::process::exit(2);
        }
    }
}

/// What is asked for.
#[derive(Default)]
struct Wish {
    quick: bool,
    report: Option<PathBuf>,
    scale: bool,
    stores: Vec<&'static str>,
    names: Vec<String>,
}

impl Wish {
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wish = Self::default();
        while let Some(argument) = arguments.next() {
            let store = STORES
                .into_iter()
                .find(|store| store.eq_ignore_ascii_case(&argument));
            match (argument.as_str(), store) {
                // What cargo says to a benchmark.
                ("--bench", _) => {}
                ("--quick", _) => wish.quick = true,
                ("--report", _) => {
                    let folder = arguments.next().ok_or("--report without a folder")?;
                    // Cargo starts a benchmark in the folder of its package, and people mean the one that they are in.
                    let from = std::env::var_os("PWD")
                        .map(PathBuf::from)
                        .unwrap_or_default();
                    wish.report = Some(from.join(folder));
                }
                ("scale", _) => wish.scale = true,
                (_, Some(store)) => wish.stores.push(store),
                (flag, None) if flag.starts_with('-') => return Err(argument),
                (name, None) => wish.names.push(name.to_lowercase()),
            }
        }
        Ok(wish)
    }

    fn store(&self, name: &str) -> bool {
        self.stores.is_empty() || self.stores.contains(&name)
    }

    /// Whether logs are to grow, and to which sizes.
    fn sizes(&self) -> &'static [u64] {
        match self {
            Self {
                scale: true,
                quick: true,
                ..
            } => &SCALE[..4],
            Self { scale: true, .. } => &SCALE,
            Self { names, .. }
                if !names.is_empty()
                    && !names.iter().any(|name| "grow".contains(name.as_str())) =>
            {
                &[]
            }
            Self { quick: true, .. } => &AGES[..2],
            Self { .. } => &AGES,
        }
    }

    fn everything(&self) -> bool {
        !self.scale && !self.quick && self.stores.is_empty() && self.names.is_empty()
    }
}

fn run(wish: &Wish) {
    let mut run = Run {
        wish,
        // Before the machine is busy.
        machine: machine::facts(),
        bench: Bench::new(wish.quick, wish.names.clone()),
        growth: Vec::new(),
    };
    let without_store = !wish.scale && wish.stores.is_empty();
    if without_store {
        run.bench.guarded("Decoding", work::replay);
    }
    if wish.store(InMemory::NAME) {
        run.on(&mut InMemory);
    }
    if wish.store(Files::NAME) {
        run.on(&mut Files::new());
        run.save(false);
    }
    if wish.store("PostgreSQL") {
        run.on_a_server();
        run.save(false);
    }
    if without_store {
        run.bench.guarded("Compiling", work::compile_time);
        run.bench.guarded("Compiling", work::compile_locked);
    }
    run.save(wish.everything());
    if let Some(folder) = &wish.report {
        println!("\nthe report is {}", folder.join("report.md").display());
    }
    if !run.bench.is_whole() {
        std::process::exit(1);
    }
}

struct Run<'a> {
    wish: &'a Wish,
    machine: Vec<(String, String)>,
    bench: Bench,
    growth: Vec<Growth>,
}

impl Run<'_> {
    fn on<P: Place>(&mut self, place: &mut P) {
        if !self.wish.scale {
            work::all_on(&mut self.bench, place);
        }
        let sizes = self.wish.sizes();
        // A log in memory grows by memory, and is for tests.
        if P::DURABLE && !sizes.is_empty() {
            let growth = &mut self.growth;
            self.bench.guarded("Growing", |bench| {
                growth.push(work::grow(bench, place, sizes));
            });
        }
    }

    #[cfg(feature = "postgres")]
    fn on_a_server(&mut self) {
        match place::Server::find(&self.bench.runtime) {
            Ok(mut server) => {
                self.machine
                    .push(("PostgreSQL".to_owned(), server.version.clone()));
                self.on(&mut server);
            }
            Err(reason) => self.no_server(reason),
        }
    }

    #[cfg(not(feature = "postgres"))]
    fn on_a_server(&mut self) {
        self.no_server("it needs `--features postgres`".to_owned());
    }

    fn no_server(&mut self, reason: String) {
        self.bench.on("PostgreSQL");
        let declared = Declared::new("Not run", "all that needs a server", "");
        self.bench.keep(&declared, Outcome::NotRun(reason));
    }

    /// After each store, so that what was measured is not lost when the rest is interrupted.
    fn save(&self, everything: bool) {
        let Some(folder) = &self.wish.report else {
            return;
        };
        let results = Results {
            machine: self.machine.clone(),
            rows: self.bench.rows.clone(),
            growth: self.growth.clone(),
        };
        if let Err(error) = report::write(results, everything, folder) {
            eprintln!(
                "the report in {} could not be written: {error}",
                folder.display()
            );
            std::process::exit(1);
        }
    }
}
