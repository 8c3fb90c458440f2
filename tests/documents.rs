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
    for folder in ["tests", "runtime/src", "macros/src", "examples"] {
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
    ] {
        let text = fs::read_to_string(document).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            let path = quoted.split_whitespace().next().unwrap_or_default();
            let is_ours = ["tests/", "examples/", "runtime/", "macros/"]
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
