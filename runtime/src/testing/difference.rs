//! What a test expected of events and what came, so that a person sees the difference.

use std::fmt::{Debug, Write as _};

use serde_json::Value;

use crate::event::{Event, PayloadError};
use crate::log::{NewEvent, StreamId};

/// An event as a failed test prints it. Events are compared as they are stored: what is not stored is no part of them.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// Where several streams are listed; it is not compared.
    stream: Option<StreamId>,
    name: String,
    version: u32,
    payload: Value,
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Shown {
    /// The events that a test expects.
    #[track_caller]
    pub(super) fn expected<E: Event>(events: impl IntoIterator<Item = E>) -> Vec<Self> {
        let mut all = Vec::new();
        for event in events {
            match Self::of(&event) {
                Ok(shown) => all.push(shown),
                Err(error) => panic!(
                    "the expected event {} cannot be stored: {error}",
                    event.name()
                ),
            }
        }
        all
    }

    pub(super) fn of<E: Event>(event: &E) -> Result<Self, PayloadError> {
        let mut payload = Vec::new();
        event.encode(&mut payload)?;
        Ok(Self::stored(event.name(), event.schema_version(), &payload))
    }

    pub(super) fn stored(name: &str, version: u32, payload: &[u8]) -> Self {
        let payload = serde_json::from_slice(payload)
            .unwrap_or_else(|_| String::from_utf8_lossy(payload).into_owned().into());
        Self {
            stream: None,
            name: name.to_owned(),
            version,
            payload,
        }
    }

    /// The same, listed with its stream.
    pub(super) fn in_stream(self, stream: &StreamId) -> Self {
        Self {
            stream: Some(stream.clone()),
            ..self
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
        if let Some(stream) = &self.stream {
            write!(f, "{stream} ")?;
        }
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
fn common<T: PartialEq>(expected: &[T], actual: &[T]) -> Vec<(usize, usize)> {
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

/// How many lines may be compared with how many: beyond that, all that lies between the first and the last difference is shown.
const MOST_COMPARED: usize = 1 << 22;
/// How many equal lines are shown around a difference.
const AROUND: usize = 2;

/// Two values as their `{:#?}` shows them: the lines that differ, each after `-` or `+`, with a few around them.
pub(super) fn states<T: Debug>(expected: &T, actual: &T) -> String {
    let (expected, actual) = (format!("{expected:#?}"), format!("{actual:#?}"));
    let expected: Vec<&str> = expected.lines().collect();
    let actual: Vec<&str> = actual.lines().collect();
    let before = expected
        .iter()
        .zip(&actual)
        .take_while(|(e, a)| e == a)
        .count();
    let (e, a) = (&expected[before..], &actual[before..]);
    let after = e
        .iter()
        .rev()
        .zip(a.iter().rev())
        .take_while(|(e, a)| e == a)
        .count();
    let (e, a) = (&e[..e.len() - after], &a[..a.len() - after]);
    let pairs = if e.len().saturating_mul(a.len()) <= MOST_COMPARED {
        common(e, a)
    } else {
        Vec::new()
    };
    // All lines with their sign, then those that are near a sign.
    let mut lines: Vec<(char, &str)> = expected[..before].iter().map(|line| (' ', *line)).collect();
    let (mut from, mut to) = (0, 0);
    for (end_e, end_a) in pairs.into_iter().chain([(e.len(), a.len())]) {
        lines.extend(e[from..end_e].iter().map(|line| ('-', *line)));
        lines.extend(a[to..end_a].iter().map(|line| ('+', *line)));
        lines.extend(e.get(end_e).map(|line| (' ', *line)));
        (from, to) = (end_e + 1, end_a + 1);
    }
    lines.extend(
        expected[expected.len() - after..]
            .iter()
            .map(|line| (' ', *line)),
    );
    let is_near = |index: usize| {
        let around = index.saturating_sub(AROUND)..lines.len().min(index + AROUND + 1);
        lines[around].iter().any(|(sign, _)| *sign != ' ')
    };
    let mut text = String::new();
    let mut skipped = false;
    for (index, (sign, line)) in lines.iter().enumerate() {
        if is_near(index) {
            _ = writeln!(text, "    {sign} {line}");
        } else if !skipped {
            text.push_str("      …\n");
        }
        skipped = !is_near(index);
    }
    text
}
