//! A file of stored events, one of each version that was ever written, that must be read today as it was read before.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::difference::{Shown, difference};
use super::upcast::read;
use crate::aggregate::Apply;
use crate::event::{Event, PayloadError, StoredEvent};
use crate::log::{Query, ReadError};
use crate::{Position, Store};

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    version: u32,
    /// As it is stored, to the letter.
    payload: Box<RawValue>,
    /// What it is read as; recorded by `RECOUNT_BLESS=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_as: Option<Vec<Read>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    name: String,
    version: u32,
    payload: Value,
}

/// Reads a file of an aggregate's stored events through the real decoding, and compares what each is read as with what the
/// file says. The file's lines are JSON:
///
/// ```text
/// {"name":"WorkoutScheduled","version":1,"payload":{"zone":"Z2"},"read_as":[{"name":"WorkoutScheduled","version":2,"payload":{"zones":["Z2"]}}]}
/// ```
///
/// Write `name`, `version` and `payload`, by hand or by [`sample`] from a real log, and run the test with `RECOUNT_BLESS=1` to
/// add `read_as`; that also accepts what is read in another way than before, so look at the difference. Keep the file for
/// ever: it is what proves that a change of a type or an upcast still reads old events, and reads them as before. An event
/// that is retired is read as nothing. Paths are relative to the package, as tests are run there.
///
/// ```
/// use recount::prelude::*;
/// use recount::testing::golden;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct PlanId(String);
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// pub struct WorkoutScheduled { pub zone: String }
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// #[event(upcast_from = WorkoutScheduled)]
/// pub struct WorkoutScheduledV2 { pub zones: Vec<String> }
///
/// impl From<WorkoutScheduled> for WorkoutScheduledV2 {
///     fn from(old: WorkoutScheduled) -> Self { Self { zones: vec![old.zone] } }
/// }
///
/// #[derive(Debug, Default, Aggregate)]
/// #[aggregate(stream = "plan", id = PlanId)]
/// pub struct Plan { workouts: usize }
///
/// #[apply]
/// impl Plan {
///     fn scheduled(&mut self, _: WorkoutScheduledV2) { self.workouts += 1; }
/// }
///
/// # let folder = std::env::temp_dir().join(format!("golden-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("workouts.jsonl");
/// # std::fs::write(&path, concat!(
/// #     r#"{"name":"WorkoutScheduled","version":1,"payload":{"zone":"Z2"},"read_as":[{"name":"WorkoutScheduled","version":2,"payload":{"zones":["Z2"]}}]}"#, "\n",
/// #     r#"{"name":"WorkoutScheduled","version":2,"payload":{"zones":[]},"read_as":[{"name":"WorkoutScheduled","version":2,"payload":{"zones":[]}}]}"#, "\n",
/// # ))?;
/// golden::<Plan>(&path); // "tests/golden/workouts.jsonl"
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// When a line cannot be read, is read as something else, or does not say what it is read as; and when a name or version
/// that the aggregate can read has no line.
#[track_caller]
pub fn golden<A: Apply>(path: impl AsRef<Path>) {
    let path = path.as_ref();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => panic!(
            "{}: {error}\n\nA golden file has a line for each stored version, {{\"name\":…,\"version\":…,\"payload\":…}}: write them by hand, or take them from a log with `recount::testing::sample`; then run this test once with RECOUNT_BLESS=1",
            path.display()
        ),
    };
    let bless = std::env::var_os("RECOUNT_BLESS").is_some_and(|value| value == "1");
    let (blessed, problems) = checked::<A>(&text, bless);
    if bless
        && blessed != text
        && let Err(error) = std::fs::write(path, blessed)
    {
        panic!("{}: {error}", path.display());
    }
    assert!(problems.is_empty(), "{}\n\n{problems}", path.display());
}

/// The text as it should be, and what is wrong with it; a line that is wrong stays as it is.
fn checked<A: Apply>(text: &str, bless: bool) -> (String, String) {
    let (mut blessed, mut problems) = (String::new(), String::new());
    let mut seen = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            blessed.push('\n');
            continue;
        }
        let outcome = serde_json::from_str::<Line>(line)
            .map_err(|error| format!("is not such a line: {error}"))
            .and_then(|line| {
                seen.push((line.name.clone(), line.version));
                check_line::<A>(line, bless)
            });
        let changed = outcome.unwrap_or_else(|problem| {
            _ = writeln!(problems, "line {number} {problem}\n");
            None
        });
        _ = writeln!(blessed, "{}", changed.as_deref().unwrap_or(line));
    }
    for (name, version) in readable::<A::Event>() {
        if !seen.contains(&(name.to_owned(), version)) {
            _ = writeln!(
                problems,
                "{name} in version {version} can be read, but no line shows one: add {{\"name\":\"{name}\",\"version\":{version},\"payload\":…}}\n"
            );
        }
    }
    (blessed, problems)
}

/// The line as it should be, if it should change, or what is wrong with it.
fn check_line<A: Apply>(mut line: Line, bless: bool) -> Result<Option<String>, String> {
    let payload = line.payload.get().as_bytes();
    let read = if A::RETIRED.contains(&line.name.as_str()) {
        Ok(Vec::new())
    } else {
        read::<A::Event>(&line.name, line.version, payload)
    };
    let read = read.map_err(|error| {
        format!(
            "({} in version {}) cannot be read: {error}",
            line.name, line.version
        )
    })?;
    let actual: Vec<Read> = read.iter().map(Read::of).collect();
    match &line.read_as {
        Some(expected) if *expected == actual => return Ok(None),
        _ if bless => line.read_as = Some(actual),
        None => {
            return Err(
                "does not say what it is read as: run this test once with RECOUNT_BLESS=1"
                    .to_owned(),
            );
        }
        Some(expected) => {
            let expected: Vec<Shown> = expected.iter().map(Read::shown).collect();
            let lines = difference(&expected, &read).unwrap_or_default();
            return Err(format!(
                "({} in version {}) is read as something else (- before, + now); if that is meant, run this test with RECOUNT_BLESS=1\n{lines}",
                line.name, line.version
            ));
        }
    }
    serde_json::to_string(&line)
        .map(Some)
        .map_err(|error| error.to_string())
}

impl Read {
    fn of(shown: &Shown) -> Self {
        let (name, version, payload) = shown.parts();
        Self {
            name: name.to_owned(),
            version,
            payload: payload.clone(),
        }
    }

    fn shown(&self) -> Shown {
        Shown::stored(
            &self.name,
            self.version,
            self.payload.to_string().as_bytes(),
        )
    }
}

/// Each name and version that `E` can read. Which versions these are is known to its code alone, so it is asked, with a
/// payload that hardly fits: only an error that is about the version says no.
fn readable<E: Event>() -> Vec<(&'static str, u32)> {
    let mut all = Vec::new();
    for name in E::NAMES.to_vec() {
        for schema_version in 1.. {
            let stored = StoredEvent {
                name,
                schema_version,
                payload: b"{}",
            };
            match catch_unwind(AssertUnwindSafe(|| E::decode(stored))) {
                Ok(Err(PayloadError::Newer { .. } | PayloadError::Unknown)) => break,
                Ok(Err(PayloadError::Older { .. })) => {}
                _ => all.push((name, schema_version)),
            }
        }
    }
    all
}

/// The first event of each stored name and version that a query selects, as lines for [`golden`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::log::{Expected, NewEvent, Query, StreamId};
/// use recount::testing::sample;
///
/// let store = recount::Store::connect("memory:").await?;
/// let noted = NewEvent::json("Noted", 1, &serde_json::json!({ "text": "hello" }))?;
/// store.append(&StreamId::new("note", "1")?, Expected::NoStream, [noted]).await?;
///
/// let lines = sample(&store, Query::all()).await?;
/// assert_eq!(lines, "{\"name\":\"Noted\",\"version\":1,\"payload\":{\"text\":\"hello\"}}\n");
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`ReadError`] when the log cannot be read.
pub async fn sample(store: &Store, query: Query) -> Result<String, ReadError> {
    let (mut seen, mut lines) = (Vec::new(), String::new());
    let mut reader = store.read(query);
    while let Some(page) = reader.next_page().await? {
        for record in page.iter() {
            let known = |(name, version): &(String, u32)| {
                *name == record.name() && *version == record.schema_version()
            };
            if seen.iter().any(known) {
                continue;
            }
            seen.push((record.name().to_owned(), record.schema_version()));
            lines.push_str(&line(
                record.name(),
                record.schema_version(),
                record.payload(),
                record.position(),
                store,
            )?);
        }
    }
    Ok(lines)
}

fn line(
    name: &str,
    version: u32,
    payload: &[u8],
    position: Position,
    store: &Store,
) -> Result<String, ReadError> {
    let line = || {
        let line = Line {
            name: name.to_owned(),
            version,
            payload: serde_json::from_slice(payload)?,
            read_as: None,
        };
        Ok(serde_json::to_string(&line)? + "\n")
    };
    line().map_err(|error: serde_json::Error| ReadError::Corrupt {
        store: store.url().to_owned(),
        position,
        reason: format!("its payload is not JSON: {error}"),
    })
}
