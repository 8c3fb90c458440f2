//! The examples print what they say they print: on a new file, and again on the same one.

mod support;

use std::path::Path;

/// What an example prints on a store, with times, dates and the store's path replaced by placeholders.
fn printed(name: &str, folder: &Path) -> String {
    let url = format!("sqlite:{}", folder.join("log.db").display());
    let output = support::example(name)
        .args(["--store", &url])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    without_times(&text.replace(&url, "URL"))
}

/// Replaces `2026-01-02` by DATE and `12:34:56` by TIME.
fn without_times(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let found = [("dddd-dd-dd", "DATE"), ("dd:dd:dd", "TIME")]
            .into_iter()
            .find(|(shape, _)| fits(rest, shape));
        if let Some((shape, placeholder)) = found {
            plain.push_str(placeholder);
            rest = &rest[shape.len()..];
        } else {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    plain
}

/// Whether a text begins with a shape, in which `d` is a digit and everything else is itself.
fn fits(text: &str, shape: &str) -> bool {
    let mut bytes = text.bytes();
    shape.bytes().all(|wanted| {
        bytes.next().is_some_and(|byte| {
            if wanted == b'd' {
                byte.is_ascii_digit()
            } else {
                byte == wanted
            }
        })
    })
}

/// Runs an example twice on one file and compares with tests/examples/NAME-1.txt and -2.txt.
/// `BLESS=1 cargo test --test examples` writes these files; read the difference before it is committed.
fn assert_prints_what_is_written(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    for run in 1..=2 {
        let actual = printed(name, folder.path());
        let file = format!(
            "{}/tests/examples/{name}-{run}.txt",
            env!("CARGO_MANIFEST_DIR")
        );
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &actual).unwrap();
        }
        assert_same(&actual, &std::fs::read_to_string(&file).unwrap());
    }
}

/// Compares line by line, so that a failure names the line.
fn assert_same(actual: &str, expected: &str) {
    for (number, (actual_line, expected_line)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(
            actual_line,
            expected_line,
            "line {} of:\n{actual}",
            number + 1
        );
    }
    assert_eq!(
        actual.lines().count(),
        expected.lines().count(),
        "in:\n{actual}"
    );
}

#[test]
fn cycling_takes_its_six_steps_once_and_tells_the_story_each_time() {
    assert_prints_what_is_written("cycling");
}

#[test]
fn bank_moves_the_money_once_and_answers_each_time() {
    assert_prints_what_is_written("bank");
}
