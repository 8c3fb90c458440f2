//! The examples print what they say they print: on a new store, and again on the same one, in a file or on a server.

#[path = "support/postgres.rs"]
mod server;
mod support;

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

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
    ask_as_it_says(&text);
    let of_shells = |line: &str| line.starts_with("  sqlite3 ") || line.starts_with("  psql ");
    let text = text.replace(url, "URL");
    // The command differs from database to database, and its query a little.
    let lines = text.lines().map(|line| match line.split_once("'SELECT ") {
        Some((_, query)) if of_shells(line) => format!("  SHELL 'SELECT {}", unqualified(query)),
        _ => line.to_owned(),
    });
    without_times(&lines.collect::<Vec<_>>().join("\n"))
}

/// A query whose view has no schema before it.
fn unqualified(query: &str) -> String {
    match query.rsplit_once("FROM ") {
        Some((columns, view)) => {
            format!("{columns}FROM {}", view.split('.').next_back().unwrap())
        }
        None => query.to_owned(),
    }
}

/// Types the commands that a person is told to, and sees that each shows something.
fn ask_as_it_says(text: &str) {
    for line in text.lines() {
        let Some(shell) = ["sqlite3", "psql"]
            .into_iter()
            .find(|shell| line.starts_with(&format!("  {shell} ")))
        else {
            continue;
        };
        let asked = Command::new("sh").args(["-c", line]).output().unwrap();
        if asked.status.code() == Some(127) {
            println!("NOT RUN: there is no {shell} for {line}");
            assert!(std::env::var_os("CI").is_none(), "{shell} is needed here");
            continue;
        }
        let answer = String::from_utf8(asked.stdout).unwrap();
        let error = String::from_utf8_lossy(&asked.stderr);
        assert!(asked.status.success(), "{line}\n{answer}\n{error}");
        let shows = answer.contains("T-1") || answer.contains("Jane");
        assert!(shows, "{line}\n{answer}");
    }
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

#[test]
fn tasks_keeps_a_board_for_each_tenant_that_the_sqlite3_shell_shows() {
    in_a_file("tasks");
}

#[tokio::test]
async fn tasks_keeps_a_board_for_each_tenant_that_psql_shows() {
    on_a_server("tasks").await;
}

#[test]
fn tasks_says_which_stores_have_tables_when_it_is_given_one_without() {
    let outcome = support::example("tasks")
        .args(["--store", "memory:"])
        .output()
        .unwrap();
    assert_eq!(outcome.status.code(), Some(1));
    let error = String::from_utf8(outcome.stderr).unwrap();
    let said = "error: projection board writes tables, which memory: does not keep: use `sqlite:PATH` or `postgres://…`\n";
    assert_eq!(error, said);
}

/// A Redis of this test's own, which ends with it.
struct Redis {
    process: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Redis {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port"])
            .arg(port.to_string())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn();
        let Ok(process) = process else {
            println!("NOT RUN: there is no redis-server");
            assert!(std::env::var_os("CI").is_none(), "Redis is needed here");
            return None;
        };
        Some(Self {
            process,
            url: format!("redis://127.0.0.1:{port}"),
            _folder: folder,
        })
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // One that has ended by itself has made the test fail.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn tasks_publishes_each_event_once_and_tells_each_person_once() {
    let Some(redis) = Redis::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("log.db").display());
    let notified = || {
        // It waits for a broker that has not begun to answer.
        let outcome = support::example("tasks")
            .args(["--store", &url, "--publish", &redis.url])
            .output()
            .unwrap();
        let error = String::from_utf8(outcome.stderr).unwrap();
        assert!(outcome.status.success(), "{error}");
        let text = String::from_utf8(outcome.stdout).unwrap();
        let (_, told) = text.split_once("--- Notifications ---\n").unwrap();
        let (told, _) = told.split_once("\n\n").unwrap();
        let (published, told) = told
            .split_once(&format!(" to {}/tasks-", redis.url))
            .unwrap();
        let (people, consumed) = told.rsplit_once('\n').unwrap();
        let people: Vec<String> = people.lines().skip(1).map(str::to_owned).collect();
        (published.to_owned(), people, consumed.to_owned())
    };
    let (published, people, consumed) = notified();
    assert_eq!(published, "15 new events published");
    assert_eq!(consumed, "15 new events consumed.");
    let first = "To Jane at acme: you have been assigned T-1 by Ann: she has the tools";
    assert_eq!((people.len(), &*people[0]), (6, first), "{people:?}");
    // Nothing is new the second time: not to the broker, and not to who reads there.
    let (published, people, consumed) = notified();
    assert_eq!(published, "0 new events published");
    assert_eq!((people.len(), &*consumed), (0, "0 new events consumed."));
}

#[test]
fn a_mistake_in_the_arguments_is_answered_with_what_can_be_written() {
    for (example, arguments, said) in [
        (
            "bank",
            &["--stroe", "x"][..],
            "error: there is no option --stroe\n\nusage: cargo run --example bank -- [OPTIONS]\n\n  --store URL",
        ),
        (
            "bank",
            &["--events", "many"],
            "error: --events many: write a whole number",
        ),
        (
            "cycling",
            &["--store"],
            "error: --store needs its URL after it\n\nusage:",
        ),
        (
            "cycling",
            &["--store", "a", "--store", "b"],
            "error: --store is given twice",
        ),
        (
            "tasks",
            &["--publish", "http://x"],
            "error: --publish http://x: write redis://HOST:PORT or nats://HOST:PORT",
        ),
    ] {
        let outcome = support::example(example).args(arguments).output().unwrap();
        assert_eq!(outcome.status.code(), Some(1), "{arguments:?}");
        let error = String::from_utf8(outcome.stderr).unwrap();
        assert!(error.starts_with(said), "{error}");
    }
}
