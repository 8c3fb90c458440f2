//! The examples print what they say they print: on a new store, and again on the same one, in a file or on a server.

#[path = "support/postgres.rs"]
mod server;
mod support;

use crate::server::Schema;

/// What an example prints on a store, with times, dates and the store's URL replaced by placeholders.
fn printed(name: &str, url: &str) -> String {
    let output = support::example(name)
        .args(["--store", url])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    without_times(&text.replace(url, "URL"))
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

/// Runs an example twice on one store and compares with tests/examples/NAME-1.txt and -2.txt.
/// `BLESS=1 cargo test --test examples` writes these files; read the difference before it is committed.
fn assert_prints_what_is_written(name: &str, url: &str) {
    for run in 1..=2 {
        let actual = printed(name, url);
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

fn in_a_file(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("log.db").display());
    assert_prints_what_is_written(name, &url);
}

async fn on_a_server(name: &str) {
    if let Some(schema) = Schema::new().await {
        assert_prints_what_is_written(name, &schema.url());
    }
}

#[test]
fn cycling_takes_its_six_steps_once_and_tells_the_story_each_time() {
    in_a_file("cycling");
}

#[tokio::test]
async fn cycling_tells_the_same_story_on_postgres() {
    on_a_server("cycling").await;
}

#[test]
fn bank_moves_the_money_once_and_answers_each_time() {
    in_a_file("bank");
}

#[tokio::test]
async fn bank_gives_the_same_answers_on_postgres() {
    on_a_server("bank").await;
}
