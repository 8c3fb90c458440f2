//! What is told of a run.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::process::Command;

use contest::{Effort, version};
use recount::prelude::Utc;

use crate::places::Places;
use crate::{Cell, ROUNDS, Results, is_by_hand, is_ours};

const TITLE: &str = "# Beside other libraries

Libraries that keep events, doing the same work in turns on one machine, each by its public interface as its own documentation says
that it is used. What is written here is written by the benchmark:

```console
$ cd runtime/benches/peers && cargo run --release -- --page ../../docs/performance/peers.md
```

It builds the other libraries, and the project itself never does. `--quick` only looks whether everything works; words select a store,
a work, a contender.
";

const MEANING: &str = "Each cell has what was done in a second, the median of all rounds, and then how many times as fast Recount was: the median of the ratios of
single rounds, with the smallest and the largest. Below 1 the other one was faster. Differences of less than some 15 % are noise.
Who takes more than 30 seconds for a work does it in fewer rounds.

- **command, 1 task**: an account is loaded, a rule is looked at, one event is appended, the disk is waited for. An account has up to 50 events.
- **commands, 64 tasks**: the same by 64 tasks at once, each on accounts of its own.
- **appends, 64 tasks**: an event is appended by 64 tasks at once, each to accounts of its own whose state it knows, so nothing is loaded: what
  the logs themselves do.
- **commands, 16 tasks, one stream**: successes a second, and how often each was tried. All want one account, and try again until they succeed.
- **events in batches of 100**: a command that decides on 100 events; they are counted, not the commands.
- **events loaded, 1,000 a stream**: accounts of a thousand events are folded.
- **events projected, of 100,000**: the sum over all accounts, by the library's own way to read the log from its beginning, kept in memory.

The domain is the same everywhere: an account is opened, deposits and withdrawals change it, what would overdraw it is refused with a typed
error. An event is some 110 bytes of JSON, where the library stores JSON. Commits are on the disk when a command returns: SQLite in WAL mode
with `synchronous = FULL`, PostgreSQL as it is installed. Where a library takes a pool of connections, it has 16.
After each round the accounts are loaded and compared with what was done: a balance or a number of events that differs is told below.
";

const UNEQUAL: &str = "## What is not equal

Speed is one reason to choose a library, and seldom the first. These do not do the same:

";

/// Libraries that are not here, and why.
const LEFT_OUT: &str = "
Left out are es-entity, whose queries are checked while compiling against a server with its tables, so that this package could not be built
without one, and which has no projection over a log; and disintegrate, which does not start on PostgreSQL before 16.
";

pub fn page(
    results: &Results,
    machine: &[(&str, String)],
    folder: &Path,
    effort: Effort,
) -> String {
    let mut page = TITLE.to_owned();
    if effort == Effort::Quick {
        page.push_str(
            "\n**A quick look whether everything works: these figures say nothing of speed.**\n",
        );
    }
    let _ = write!(
        page,
        "\n## The figures\n\nHow many times as fast Recount was as the fastest of the other libraries:\n\n{}\n{}\n{MEANING}",
        summary(results),
        table(results)
    );
    page.push_str(&remarks(results));
    page.push_str("\n## The machine\n\n| | |\n|---|---|\n");
    for (name, value) in machine {
        let _ = writeln!(page, "| {name} | {value} |");
    }
    let _ = writeln!(page, "| load after the run | {} |", load());
    let _ = writeln!(
        page,
        "| rounds | {} |",
        if effort == Effort::Quick { 2 } else { ROUNDS }
    );
    for (name, value) in versions(results, folder) {
        let _ = writeln!(page, "| {name} | {value} |");
    }
    page.push_str("\nClient, server and whatever else the machine had to do share its cores. A program can hold one SQLite, so each has the one that its driver brings.\n\n");
    page.push_str(UNEQUAL);
    page.push_str(&notes(results));
    page.push_str(LEFT_OUT);
    page
}

/// For each store and work, the library that came closest.
fn summary(results: &Results) -> String {
    let mut summary = "| store |".to_owned();
    for (_, _, title) in &results.works {
        let _ = write!(summary, " {title} |");
    }
    let _ = writeln!(summary, "\n|---|{}", "---:|".repeat(results.works.len()));
    for (ours, our_cells) in results.sides.iter().filter(|(about, _)| is_ours(about)) {
        let _ = write!(summary, "| {} |", ours.place.name());
        for (work, our_cell) in our_cells.iter().enumerate() {
            let libraries = results.sides.iter().filter(|(about, _)| {
                about.place == ours.place && !is_ours(about) && !is_by_hand(about)
            });
            let closest = libraries
                .filter_map(|(about, cells)| Some((ratio(our_cell, &cells[work])?, about)))
                .min_by(|([_, one, _], _), ([_, other, _], _)| one.total_cmp(other));
            let _ = match closest {
                Some(([_, median, _], about)) => {
                    write!(summary, " **{median:.2}** ({}) |", about.name)
                }
                None => write!(summary, " – |"),
            };
        }
        summary.push('\n');
    }
    summary
}

fn table(results: &Results) -> String {
    let mut table = "| store | contender |".to_owned();
    for (_, _, title) in &results.works {
        let _ = write!(table, " {title} |");
    }
    let _ = write!(
        table,
        "\n|---|---|{}\n",
        "---:|".repeat(results.works.len())
    );
    for (about, cells) in &results.sides {
        let name = if is_ours(about) {
            "**Recount**"
        } else {
            &about.name
        };
        let _ = write!(table, "| {} | {name} |", about.place.name());
        for (work, cell) in cells.iter().enumerate() {
            let ours = results
                .sides
                .iter()
                .find(|(other, _)| is_ours(other) && other.place == about.place);
            let ratio = ours
                .filter(|_| !is_ours(about))
                .and_then(|(_, ours)| ratio(&ours[work], cell));
            let _ = match ratio {
                Some([min, median, max]) => {
                    write!(table, " {cell} · **{median:.2}** ({min:.2} to {max:.2}) |")
                }
                None => write!(table, " {cell} |"),
            };
        }
        table.push('\n');
    }
    table
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rounds.is_empty() {
            return write!(f, "–");
        }
        let [_, rate, _] = spread(self.rounds.iter().map(|figure| figure.per_second).collect());
        match rate {
            1e6.. => write!(f, "{:.2}M/s", rate / 1e6)?,
            1e4.. => write!(f, "{:.1}k/s", rate / 1e3)?,
            _ => write!(f, "{rate:.0}/s")?,
        }
        let attempts: Vec<f64> = self
            .rounds
            .iter()
            .filter_map(|figure| figure.attempts)
            .collect();
        if !attempts.is_empty() {
            write!(f, ", {:.1} att.", spread(attempts)[1])?;
        }
        if self.wrong().is_some() {
            write!(f, " ⚠")
        } else {
            Ok(())
        }
    }
}

impl Cell {
    fn wrong(&self) -> Option<&str> {
        self.rounds
            .iter()
            .find_map(|figure| figure.wrong.as_deref())
    }
}

/// How many times as fast the first one was, in the rounds that both did.
fn ratio(ours: &Cell, theirs: &Cell) -> Option<[f64; 3]> {
    let rounds = ours.rounds.iter().zip(&theirs.rounds);
    let ratios: Vec<f64> = rounds
        .map(|(ours, theirs)| ours.per_second / theirs.per_second)
        .collect();
    (!ratios.is_empty()).then(|| spread(ratios))
}

/// The smallest, the one in the middle, and the largest.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [
        values[0],
        values[values.len() / 2],
        values[values.len() - 1],
    ]
}

/// What could not be measured, and what was lost or doubled.
fn remarks(results: &Results) -> String {
    let mut remarks = String::new();
    for (about, cells) in &results.sides {
        for ((_, _, title), cell) in results.works.iter().zip(cells) {
            let whose = format!("{}, {}, {title}", about.name, about.place.name());
            if let Some(none) = &cell.none {
                let _ = writeln!(remarks, "- – {whose}: {none}");
            }
            if let Some(wrong) = cell.wrong() {
                let _ = writeln!(remarks, "- ⚠ {whose}: {wrong}");
            }
        }
    }
    if remarks.is_empty() {
        return remarks;
    }
    format!("\nWhat is missing, and what did not come out as it was done:\n\n{remarks}")
}

fn notes(results: &Results) -> String {
    let mut notes: Vec<String> = Vec::new();
    for (about, _) in &results.sides {
        let note = format!("- **{}**: {}\n", about.name, about.note);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes.concat()
}

fn versions(results: &Results, folder: &Path) -> Vec<(String, String)> {
    let mut versions: Vec<(String, String)> = Vec::new();
    for name in results.sides.iter().flat_map(|(about, _)| &about.crates) {
        let locks = ["Cargo.lock", "theirs/Cargo.lock"].map(|lock| folder.join(lock));
        let version = locks.iter().find_map(|lock| version(lock, name));
        let row = (
            format!("`{name}`"),
            version.unwrap_or_else(|| "unknown".to_owned()),
        );
        if !versions.contains(&row) {
            versions.push(row);
        }
    }
    versions
}

/// Names and values, as far as the system tells.
pub fn machine(places: &Places) -> Vec<(&'static str, String)> {
    let processor = read("/proc/cpuinfo");
    let processor = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let rustc = Command::new("rustc").arg("--version").output();
    vec![
        (
            "measured at",
            Utc::now().format("%Y-%m-%d %H:%M UTC").to_string(),
        ),
        (
            "processor",
            processor.map_or("unknown", |(_, name)| name).to_owned(),
        ),
        (
            "cores",
            std::thread::available_parallelism()
                .map_or("unknown".to_owned(), |cores| cores.to_string()),
        ),
        (
            "kernel",
            format!(
                "{} {}",
                std::env::consts::OS,
                read("/proc/sys/kernel/osrelease").trim()
            ),
        ),
        ("load before the run", load()),
        (
            "compiler",
            rustc.map_or("unknown".to_owned(), |rustc| {
                String::from_utf8_lossy(&rustc.stdout).trim().to_owned()
            }),
        ),
        ("SQLite of Recount", rusqlite::version().to_owned()),
        (
            "PostgreSQL",
            places.version.clone().unwrap_or_else(|reason| reason),
        ),
    ]
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Processes that ran or waited to run, as the system's mean over a minute.
fn load() -> String {
    read("/proc/loadavg")
        .split(' ')
        .next()
        .unwrap_or_default()
        .to_owned()
}
