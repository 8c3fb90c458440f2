//! What the documents name is there.

use std::fs;
use std::path::{Path, PathBuf};

/// All files below a folder whose name ends so.
fn files(folder: &Path, ending: &str, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, all);
        } else if path.to_str().is_some_and(|path| path.ends_with(ending)) {
            all.push(path);
        }
    }
}

/// The sentences in backticks that look like a test's name: words with at least two underscores, after an optional module.
fn tests_named_in(text: &str) -> impl Iterator<Item = &str> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|quoted| quoted.rsplit("::").next())
        .filter(|name| {
            name.matches('_').count() >= 2
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        })
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let mut sources = Vec::new();
    for folder in [
        "tests",
        "runtime/src",
        "macros/src",
        "schema/tests",
        "cli/tests",
        "examples",
    ] {
        files(Path::new(folder), ".rs", &mut sources);
    }
    let code: String = sources
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut named = 0;
    for document in ["ARCHITECTURE.md", "runtime/docs/guarantees.md"] {
        let text = fs::read_to_string(document).unwrap();
        for name in tests_named_in(&text) {
            assert!(
                code.contains(&format!("fn {name}(")),
                "{document} names the test `{name}`, which is not there"
            );
            named += 1;
        }
    }
    assert!(named > 30, "{named} tests are named");
}

#[test]
fn every_file_that_a_document_names_is_there() {
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "runtime/docs/guarantees.md",
        "runtime/docs/following-the-log.md",
        "runtime/docs/schema-evolution.md",
    ] {
        let text = fs::read_to_string(document).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            let path = quoted.split_whitespace().next().unwrap_or_default();
            let is_ours = [
                "tests/",
                "examples/",
                "runtime/",
                "macros/",
                "schema/src/",
                "schema/tests/",
                "cli/",
            ]
            .iter()
            .any(|folder| path.starts_with(folder));
            if !is_ours || path.contains(['*', '{', '<']) {
                continue;
            }
            assert!(
                Path::new(path).exists(),
                "{document} names `{path}`, which is not there"
            );
        }
    }
}

/// Benchmarks and fuzz targets that are workspaces of their own are not built with the others, so nothing else would tell.
#[test]
fn every_file_that_code_takes_from_elsewhere_is_there() {
    let (mut takers, mut named) = (Vec::new(), 0);
    for folder in ["cli", "examples", "macros", "runtime", "schema", "tests"] {
        files(Path::new(folder), ".rs", &mut takers);
        files(Path::new(folder), "Cargo.toml", &mut takers);
    }
    for file in takers {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines() {
            let taken = if file.ends_with("Cargo.toml") {
                line.split_once("path = \"").map(|(_, taken)| taken)
            } else {
                line.strip_prefix("#[path = \"")
            };
            let Some((path, _)) = taken.and_then(|taken| taken.split_once('"')) else {
                continue;
            };
            assert!(
                file.with_file_name(path).exists(),
                "{} takes `{path}`, which is not there",
                file.display()
            );
            named += 1;
        }
    }
    assert!(named > 20, "{named} files are taken");
}

/// The rows of the comparison's two tables, changes that are refused and changes that pass: what is said of ours.
fn comparison(guide: &str) -> Vec<Vec<&str>> {
    let (_, section) = guide.split_once("\n# What others detect\n").unwrap();
    let tables = section.split("| change | Recount |").skip(1);
    tables
        .map(|table| {
            let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
            rows.filter_map(|row| row.split(" | ").nth(1)).collect()
        })
        .collect()
}

#[test]
fn every_case_that_the_comparison_names_is_there() {
    let (mut sources, mut cases) = (Vec::new(), Vec::new());
    for folder in ["schema/tests", "cli/tests"] {
        files(Path::new(folder), ".rs", &mut sources);
    }
    files(Path::new("tests/ui"), ".rs", &mut cases);
    let code: String = sources
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    // What a row says that its change breaks: `name: [B F]`.
    let breaks = |name: &str| {
        let (_, row) = code.split_once(&format!("\n    {name}: ["))?;
        row.split(']').next()
    };
    let is_case = |of: &str, name: &str| {
        let file = format!("{of}/{name}.rs");
        cases.iter().any(|path| path.ends_with(&file))
    };
    let is_test = |name: &str| code.contains(&format!("\nfn {name}("));
    let guide = fs::read_to_string("runtime/docs/schema-evolution.md").unwrap();
    let tables = comparison(&guide);
    let [refused, passing] = tables.as_slice() else {
        panic!("{} tables compare", tables.len());
    };
    assert!(refused.len() > 30 && passing.len() > 5, "{tables:?}");
    for (ours, is_refused) in refused
        .iter()
        .map(|ours| (ours, true))
        .chain(passing.iter().map(|ours| (ours, false)))
    {
        let named: Vec<&str> = ours.split('`').skip(1).step_by(2).collect();
        assert!(
            !named.is_empty() || ours.starts_with("partly"),
            "the guide says `{ours}` and names no case"
        );
        for name in named {
            let is_there = match (is_refused, breaks(name)) {
                (true, Some(breaks)) => !breaks.is_empty(),
                (false, Some(breaks)) => !breaks.contains('B'),
                (true, None) => is_case("fail", name) || is_test(name),
                (false, None) => is_case("pass", name),
            };
            assert!(
                is_there,
                "the guide names the case `{name}`, which is not there or says something else"
            );
        }
    }
}
