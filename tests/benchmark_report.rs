//! What the benchmark of `runtime/benches/budget` writes, from figures that were never measured.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the module is the benchmark's, whose counts are small"
)]

#[path = "../runtime/benches/budget/report/mod.rs"]
mod report;

use std::path::Path;

use report::{
    Budget, Cost, Figures, Growth, Outcome, Percentiles, Results, Row, Size, Spread, Unit, table,
};

fn row(work: &str, backend: &str, ratio: f64) -> Row {
    Row {
        group: "Appending".to_owned(),
        work: work.to_owned(),
        backend: backend.to_owned(),
        meaning: "What it means.".to_owned(),
        outcome: Outcome::Measured(Figures {
            unit: Unit::PerSecond,
            floor: Some(10_000.0),
            ours: 10_000.0 * ratio,
            ratio: Some(Spread {
                middle: ratio,
                min: ratio - 0.1,
                max: ratio + 0.1,
            }),
            delays: Some((
                Some(Percentiles { p50: 0.5, p99: 2.0 }),
                Percentiles {
                    p50: 0.25,
                    p99: 30.0,
                },
            )),
            attempts: None,
            budget: Some(Budget::AtLeast(0.8)),
            note: String::new(),
            limits: "two indexes <more>".to_owned(),
        }),
    }
}

fn figures(row: &mut Row) -> &mut Figures {
    match &mut row.outcome {
        Outcome::Measured(figures) => figures,
        Outcome::NotRun(reason) => panic!("not run: {reason}"),
    }
}

fn growth(sizes: &[u64]) -> Growth {
    let size = |&events: &u64| Size {
        events,
        costs: vec![Cost {
            work: "catch up".to_owned(),
            floor: 0.4,
            ours: 0.5,
        }],
        log: Some(12.0),
        memory: Some((7.0, 9.0)),
    };
    Growth {
        backend: "SQLite".to_owned(),
        points: sizes.iter().map(size).collect(),
    }
}

fn results(rows: Vec<Row>) -> Results {
    Results {
        machine: vec![("cores".to_owned(), "2".to_owned())],
        rows,
        growth: vec![growth(&[1_000, 100_000])],
    }
}

fn written(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_line_has_the_figures_and_says_what_was_missed_and_why() {
    let kept = table::row(&row("append, 1 writer", "SQLite", 0.91));
    assert!(
        kept.contains("10000/s") || kept.contains("10.0k/s"),
        "{kept}"
    );
    for part in [
        "9100/s",
        "0.91",
        "(0.81 to 1.01)",
        "≥ 0.80",
        "p50 0.25 ms against 0.50 ms",
    ] {
        assert!(kept.contains(part), "{part} in {kept}");
    }
    assert!(!kept.contains("MISSED"), "{kept}");
    let missed = table::row(&row("append, 1 writer", "SQLite", 0.79));
    assert!(missed.contains("MISSED (two indexes <more>)"), "{missed}");
}

#[test]
fn columns_stand_below_their_heads() {
    let header = table::header();
    let line = table::row(&row("append, 1 writer", "SQLite", 0.91));
    let end = |text: &str, word: &str| {
        let at = text
            .find(word)
            .unwrap_or_else(|| panic!("{word} in {text}"));
        text[..at + word.len()].chars().count()
    };
    assert_eq!(end(&header, "ours"), end(&line, "9100/s"));
    assert_eq!(end(&header, "budget"), end(&line, "≥ 0.80"));
}

#[test]
fn attempts_at_their_budget_miss_it() {
    let mut row = row("command, 16 callers, one stream", "SQLite", 0.91);
    figures(&mut row).budget = Some(Budget::Attempts(1.5));
    for (ours, missed) in [(1.49, false), (1.5, true)] {
        figures(&mut row).attempts = Some((1.0, ours));
        assert_eq!(figures(&mut row).missed(), missed, "{ours}");
    }
    // What was to be counted and was not is not kept.
    figures(&mut row).attempts = None;
    assert!(figures(&mut row).missed());
}

#[test]
fn the_last_size_of_a_log_is_compared_with_the_first() {
    let mut points = growth(&[1_000, 100_000]).points;
    points[1].costs[0].ours = 0.75;
    assert!(table::size(&points).contains("catch up: 0.75 × 1.50 (0.40 × 1.00)"));
}

#[test]
fn growth_that_the_floor_has_too_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let missed = |floor| {
        let mut all = results(Vec::new());
        let grown = &mut all.growth[0].points[1].costs[0];
        (grown.ours, grown.floor) = (0.75, floor);
        report::write(all, true, folder.path()).unwrap();
        let text = written(folder.path(), "report.md");
        let line = text.lines().find(|line| line.starts_with("- MISSED"));
        line.unwrap().to_owned()
    };
    assert!(
        missed(0.56)
            .ends_with("what is made by hand takes × 1.40, which is the database and the machine")
    );
    assert!(missed(0.4).ends_with("0.75 × 1.50 (0.40 × 1.00)"));
}

#[test]
fn a_report_has_all_rows_and_the_pictures_that_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let mut not_run = row("append, 1 writer", "PostgreSQL", 1.0);
    not_run.outcome = Outcome::NotRun("no server".to_owned());
    let rows = vec![
        row("append, 1 writer", "SQLite", 0.79),
        row("append, 64 writers", "SQLite", 21.0),
        row("replay", "", 1.0),
        not_run,
    ];
    let mut all = results(rows);
    all.growth[0].points[1].costs[0].ours = 0.61;
    report::write(all, true, folder.path()).unwrap();
    let text = written(folder.path(), "report.md");
    assert!(text.contains("2 of 3 budgets are kept"), "{text}");
    for part in [
        "| append, 1 writer | SQLite | 10.0k/s | 7900/s | **0.79** (0.69 to 0.89) | ≥ 0.80 | MISSED",
        "- append, 1 writer, SQLite: two indexes <more>",
        "| append, 1 writer | PostgreSQL | | | | | not run: no server |",
        "| replay |  |",
        "- MISSED: catch up costs more in the largest log: 0.61 × 1.22 (0.40 × 1.00)",
        "| 100,000 | 0.61 × 1.22 (0.40 × 1.00) | 12 MB | 9 MB (floor 7) |",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let pictures: Vec<&str> = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(name, _)| name))
        .filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|kind| kind == "svg")
        })
        .collect();
    assert_eq!(
        pictures,
        [
            "ratio-sqlite.svg",
            "delays-sqlite.svg",
            "ratio-no-store.svg",
            "delays-no-store.svg",
            "growth-sqlite.svg"
        ]
    );
    for name in pictures {
        let picture = written(folder.path(), name);
        assert!(
            picture.starts_with("<svg ") && picture.ends_with("</svg>\n"),
            "{name}"
        );
        // Readable on dark pages, with both scales named, and with nothing that is nowhere.
        assert!(picture.contains("fill=\"#ffffff\"/>\n<text"), "{name}");
        assert!(
            picture.contains("rotate(-90)") && picture.contains("logarithmic"),
            "{name}"
        );
        assert!(
            !picture.contains("NaN") && !picture.contains("inf"),
            "{name}: {picture}"
        );
    }
    assert!(written(folder.path(), "ratio-sqlite.svg").contains(">21.00</text>"));
}

#[test]
fn what_was_measured_before_stays_unless_all_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut not_run = row("three", "PostgreSQL", 1.0);
    not_run.outcome = Outcome::NotRun("no server".to_owned());
    let rows = vec![
        row("one", "SQLite", 0.5),
        row("two", "SQLite", 0.6),
        not_run,
    ];
    report::write(results(rows), false, folder.path()).unwrap();
    // A log that has grown further is not forgotten for one that has not.
    let mut again = results(vec![row("two", "SQLite", 0.7)]);
    again.growth = vec![growth(&[1_000])];
    report::write(again.clone(), false, folder.path()).unwrap();
    let text = written(folder.path(), "report.md");
    assert!(
        text.contains("**0.50**") && text.contains("**0.70**") && !text.contains("**0.60**"),
        "{text}"
    );
    assert!(text.contains("| 100,000 |"), "{text}");
    assert!(!text.contains("no server"), "{text}");
    // What is new stands beside its like.
    let new = vec![row("four", "", 1.0), row("five", "SQLite", 0.8)];
    report::write(results(new), false, folder.path()).unwrap();
    let text = written(folder.path(), "report.md");
    let at = |work: &str| text.find(&format!("| {work} |")).unwrap();
    assert!(at("two") < at("five") && at("five") < at("four"), "{text}");
    report::write(again, true, folder.path()).unwrap();
    let text = written(folder.path(), "report.md");
    assert!(
        !text.contains("**0.50**") && text.contains("**0.70**"),
        "{text}"
    );
}
