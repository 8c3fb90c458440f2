//! What a test expected of events and what came, so that a person sees the difference.

use std::fmt::Write as _;

use serde_json::Value;

use crate::event::Event;
use crate::log::NewEvent;

/// An event as a failed test prints it. Events are compared as they are stored: what is not stored is no part of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    name: String,
    version: u32,
    payload: Value,
}

impl Shown {
    #[track_caller]
    pub(super) fn of<E: Event>(event: &E) -> Self {
        let mut payload = Vec::new();
        if let Err(error) = event.encode(&mut payload) {
            panic!("event {} cannot be stored: {error}", event.name());
        }
        Self::stored(event.name(), event.schema_version(), &payload)
    }

    pub(super) fn stored(name: &str, version: u32, payload: &[u8]) -> Self {
        let payload = serde_json::from_slice(payload)
            .unwrap_or_else(|_| String::from_utf8_lossy(payload).into_owned().into());
        Self {
            name: name.to_owned(),
            version,
            payload,
        }
    }

    /// Name, schema version and payload.
    pub(super) fn parts(&self) -> (&str, u32, &Value) {
        (&self.name, self.version, &self.payload)
    }

    pub(super) fn all(events: &[NewEvent]) -> Vec<Self> {
        events
            .iter()
            .map(|event| Self::stored(&event.name, event.schema_version, &event.payload))
            .collect()
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if self.version != 1 {
            write!(f, " v{}", self.version)?;
        }
        write!(f, " {}", self.payload)
    }
}

/// The events one below the other, numbered from 1; `nothing` when there is none.
pub(super) fn list(events: &[Shown]) -> String {
    if events.is_empty() {
        return "    nothing\n".to_owned();
    }
    let mut text = String::new();
    for (number, event) in (1..).zip(events) {
        _ = writeln!(text, "{number:>5} {event}");
    }
    text
}

/// The lines of both lists, `-` before what was expected and did not come, `+` before what came and was not expected; `None`
/// when they are equal. Where an event came with other content, its fields follow.
pub(super) fn difference(expected: &[Shown], actual: &[Shown]) -> Option<String> {
    if expected == actual {
        return None;
    }
    let mut text = String::new();
    let (mut from, mut to) = (0, 0);
    for (e, a) in common(expected, actual)
        .into_iter()
        .chain([(expected.len(), actual.len())])
    {
        replaced(&expected[from..e], &actual[to..a], &mut text);
        if let Some(same) = expected.get(e) {
            _ = writeln!(text, "      {same}");
        }
        (from, to) = (e + 1, a + 1);
    }
    Some(text)
}

/// The indexes of a longest common subsequence. Tests compare a few events, so the table is small.
fn common(expected: &[Shown], actual: &[Shown]) -> Vec<(usize, usize)> {
    let mut lengths = vec![vec![0; actual.len() + 1]; expected.len() + 1];
    for e in (0..expected.len()).rev() {
        for a in (0..actual.len()).rev() {
            lengths[e][a] = if expected[e] == actual[a] {
                lengths[e + 1][a + 1] + 1
            } else {
                lengths[e + 1][a].max(lengths[e][a + 1])
            };
        }
    }
    let mut pairs = Vec::new();
    let (mut e, mut a) = (0, 0);
    while e < expected.len() && a < actual.len() {
        if expected[e] == actual[a] {
            pairs.push((e, a));
            (e, a) = (e + 1, a + 1);
        } else if lengths[e + 1][a] >= lengths[e][a + 1] {
            e += 1;
        } else {
            a += 1;
        }
    }
    pairs
}

/// What stands between two common events: each expected one with the one of the same name that came instead, if any.
fn replaced(expected: &[Shown], actual: &[Shown], text: &mut String) {
    let mut actual = actual.iter().peekable();
    for event in expected {
        _ = writeln!(text, "    - {event}");
        if let Some(other) = actual.next_if(|other| other.name == event.name) {
            _ = writeln!(text, "    + {other}");
            if event.version != other.version {
                _ = writeln!(
                    text,
                    "        schema version: expected {}, got {}",
                    event.version, other.version
                );
            }
            fields("", &event.payload, &other.payload, text);
        }
    }
    for event in actual {
        _ = writeln!(text, "    + {event}");
    }
}

/// The places where two payloads differ, each on a line of its own.
fn fields(path: &str, expected: &Value, actual: &Value, text: &mut String) {
    match (expected, actual) {
        _ if expected == actual => {}
        (Value::Object(expected), Value::Object(actual)) => {
            let of = |name: &str| {
                if path.is_empty() {
                    name.to_owned()
                } else {
                    format!("{path}.{name}")
                }
            };
            for (name, value) in expected {
                match actual.get(name) {
                    Some(other) => fields(&of(name), value, other, text),
                    None => line(&of(name), Some(value), None, text),
                }
            }
            for (name, value) in actual {
                if !expected.contains_key(name) {
                    line(&of(name), None, Some(value), text);
                }
            }
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                fields(&format!("{path}[{index}]"), expected, actual, text);
            }
        }
        _ => line(path, Some(expected), Some(actual), text),
    }
}

fn line(path: &str, expected: Option<&Value>, actual: Option<&Value>, text: &mut String) {
    let shown =
        |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let place = if path.is_empty() { "payload" } else { path };
    _ = writeln!(
        text,
        "        {place}: expected {}, got {}",
        shown(expected),
        shown(actual)
    );
}
