//! The report, for people.

use std::fmt::Write as _;

use super::charts::{by_backend, file, grouped};
use super::table::{budget, grown as grown_cost, growth_of, note, two_places, value};
use super::{FLAT, Figures, Growth, Outcome, Results, Row};

pub fn report(results: &Results) -> String {
    let mut text = String::from(INTRODUCTION);
    kept(&mut text, results);
    machine(&mut text, results);
    pictures(&mut text, results);
    groups(&mut text, results);
    for growth in &results.growth {
        grown(&mut text, growth);
    }
    text.push_str(METHOD);
    text
}

const INTRODUCTION: &str = "\
# How fast it is

What the crate costs is what hand-written code does in the same time, on the same machine, in the same run. That code is called
the *floor* here: tables of one's own on the bare driver (`rusqlite`, `tokio-postgres`), or a vector and a map in memory, `serde_json`
and a `match`. It is as fast as it can be written with reasonable effort: prepared statements, waiting appends committed together,
whole batches in one statement. It has no metadata, no recognition of retries and no checks of its schema, so a ratio
of 1 is not to be expected.

Commits are durable: SQLite in WAL mode with `synchronous = FULL`, PostgreSQL with `synchronous_commit = on`. In memory nothing is.

This page and its pictures are written by the benchmark; `results.json` holds the figures they are made of.

```console
$ cargo bench --features postgres --bench budget -- --report runtime/docs/performance
```

";

const METHOD: &str = "\
## Method

- Floor and ours do the same work in turns, in one process; who begins changes with each round. Each round gives one ratio. The
  table has the middle of the rounds, and the lowest and the highest ratio. The first round of both is for the caches and is not counted.
- Work on the same events gives the same result on both sides (balances, numbers of events), which is compared in each round.
- An event is about 100 bytes of JSON: an amount, a text, a balance. Streams are accounts.
- The floor's tables have a position, a stream with a version unique in it, the name, the time and the payload. On PostgreSQL there are
  a unique id and an index by name as well. On SQLite there are two more indexes, by name and by time, so that there are as many as ours
  has, for what one caller appends alone, since it is their cost that is seen there; for many writers and for reads there are none.
- Delays are those of all calls of all rounds; p50 is the middle one, and of a hundred calls 99 took no longer than p99.
- `attempts for a success` counts how often the decision was made. Commands of one process on one stream take turns, in ours and in the floor;
  handles that know nothing of each other stand for several processes.
- Memory is the peak of a process that does nothing else (`VmHWM`, which only Linux has).
- Rows without a budget are promised nothing; they are there to be known.

Trust ratios, and of absolute figures only the order of magnitude: they change with the disk above all. What a round differs from
the next by says how much a ratio may differ without a reason.
";

fn kept(text: &mut String, results: &Results) {
    let with_budget = || {
        results.rows.iter().filter(|row| {
            row.figures()
                .is_some_and(|figures| figures.budget.is_some())
        })
    };
    let missed: Vec<&Row> = with_budget()
        .filter(|row| row.figures().is_some_and(Figures::missed))
        .collect();
    let all = with_budget().count();
    line(
        text,
        &format!("**{} of {all} budgets are kept.**", all - missed.len()),
    );
    for row in missed {
        let limits = row.figures().map_or("", |figures| figures.limits.as_str());
        let limits = if limits.is_empty() {
            "what holds it back is not known yet"
        } else {
            limits
        };
        line(text, &format!("- {}{}: {limits}", row.work, on(row)));
    }
    text.push('\n');
}

fn on(row: &Row) -> String {
    if row.backend.is_empty() {
        String::new()
    } else {
        format!(", {}", row.backend)
    }
}

fn machine(text: &mut String, results: &Results) {
    line(text, "## The machine\n\n| | |\n|---|---|");
    for (name, value) in &results.machine {
        line(text, &format!("| {name} | {value} |"));
    }
    line(
        text,
        "\nThe cores are shared by the benchmark, the database and other work, which the load tells of. The time of an fsync decides how much \
         is gained by committing many appends together: where it is some 100 µs the disk is fast, and an ordinary one gains more.\n",
    );
}

fn pictures(text: &mut String, results: &Results) {
    line(text, "## In pictures\n");
    for (backend, rows) in by_backend(results) {
        let has =
            |test: fn(&Figures) -> bool| rows.iter().any(|row| row.figures().is_some_and(test));
        let name = if backend.is_empty() {
            "without a store"
        } else {
            backend
        };
        if has(|figures| figures.unit == super::Unit::PerSecond && figures.ratio.is_some()) {
            line(
                text,
                &format!(
                    "![Speed against hand-written code, {name}]({})\n",
                    file("ratio", backend)
                ),
            );
        }
        if has(|figures| figures.delays.is_some()) {
            line(
                text,
                &format!(
                    "![How long one call takes, {name}]({})\n",
                    file("delays", backend)
                ),
            );
        }
    }
}

fn groups(text: &mut String, results: &Results) {
    let mut groups: Vec<&str> = Vec::new();
    for row in &results.rows {
        if !groups.contains(&row.group.as_str()) {
            groups.push(&row.group);
        }
    }
    for group in groups {
        line(text, &format!("## {group}\n"));
        let rows = || results.rows.iter().filter(|row| row.group == group);
        line(
            text,
            "| work | store | floor | ours | ratio (min to max) | budget | |\n|---|---|---:|---:|---:|---:|---|",
        );
        for row in rows() {
            line(text, &table_line(row));
        }
        text.push('\n');
        let mut told: Vec<&str> = Vec::new();
        for row in rows().filter(|row| !row.meaning.is_empty()) {
            if !told.contains(&row.meaning.as_str()) {
                told.push(&row.meaning);
                line(text, &format!("- **{}**: {}", row.work, row.meaning));
            }
        }
        text.push('\n');
    }
}

fn table_line(row: &Row) -> String {
    let (work, backend) = (&row.work, &row.backend);
    let figures = match &row.outcome {
        Outcome::Measured(figures) => figures,
        Outcome::NotRun(reason) => {
            return format!("| {work} | {backend} | | | | | not run: {reason} |");
        }
    };
    let floor = figures
        .floor
        .map_or_else(|| "–".to_owned(), |floor| value(figures.unit, floor));
    let ratio = figures.ratio.map_or_else(
        || "–".to_owned(),
        |ratio| {
            format!(
                "**{}** ({} to {})",
                two_places(ratio.middle),
                two_places(ratio.min),
                two_places(ratio.max)
            )
        },
    );
    let budget = figures.budget.map_or_else(|| "–".to_owned(), budget);
    format!(
        "| {work} | {backend} | {floor} | {} | {ratio} | {budget} | {} |",
        value(figures.unit, figures.ours),
        note(figures)
    )
}

fn grown(text: &mut String, growth: &Growth) {
    let Some(first) = growth.points.first() else {
        return;
    };
    line(text, &format!("## A log that grows: {}\n", growth.backend));
    line(
        text,
        &format!(
            "![What an event costs as the log grows]({})\n",
            file("growth", &growth.backend)
        ),
    );
    let works: Vec<&str> = first.costs.iter().map(|cost| cost.work.as_str()).collect();
    line(
        text,
        &format!(
            "| events | {} | log | peak of memory |\n|---:|{}---:|---:|",
            works.join(" | "),
            "---:|".repeat(works.len())
        ),
    );
    for point in &growth.points {
        let costs: Vec<String> = point
            .costs
            .iter()
            .map(|cost| grown_cost(cost, first))
            .collect();
        let log = point
            .log
            .map_or_else(|| "–".to_owned(), |log| format!("{log:.0} MB"));
        let memory = point.memory.map_or_else(
            || "–".to_owned(),
            |(floor, ours)| format!("{ours:.0} MB (floor {floor:.0})"),
        );
        line(
            text,
            &format!(
                "| {} | {} | {log} | {memory} |",
                grouped(point.events as f64),
                costs.join(" | ")
            ),
        );
    }
    text.push('\n');
    for cost in growth
        .points
        .last()
        .into_iter()
        .flat_map(|last| &last.costs)
    {
        let (ours, floor) = growth_of(cost, first);
        if ours > FLAT {
            let why = if ours > FLAT * floor {
                String::new()
            } else {
                format!(
                    "; what is made by hand takes × {floor:.2}, which is the database and the machine"
                )
            };
            line(
                text,
                &format!(
                    "- MISSED: {} costs more in the largest log: {}{why}",
                    cost.work,
                    grown_cost(cost, first)
                ),
            );
        }
    }
    line(
        text,
        &format!(
            "\nMicroseconds for each event, and how many times that of the smallest log, in brackets the floor's; the budget is × {FLAT:.1}. It says whether a system slows \
             down with age. In the smallest log there are few events to share what a call costs, so its reads look slow. The memory is \
             that of a process that reads the whole log.\n"
        ),
    );
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes everything");
}
