//! Payloads as they were stored, and what becomes of them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::contract::parse;
use super::error::LockError;

/// Where a sample is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// Written by a person.
    Example,
    /// Made from the shape.
    Boundary,
    /// Taken from a store.
    Store,
}

/// A payload of a version, and what its conversions make of it: a line of `v1.samples.jsonl`.
///
/// ```
/// use recount_schema::lock::{From, Sample};
///
/// let text = "{\"payload\":{\"reps\":10},\"expect\":{\"2\":{\"reps\":10,\"sets\":1}},\"from\":\"example\",\"note\":\"\"}\n";
/// let samples = Sample::read_all(text, "v1.samples.jsonl".as_ref())?;
/// assert_eq!(samples[0].payload.get(), "{\"reps\":10}");
/// assert_eq!(samples[0].from, From::Example);
/// assert_eq!(Sample::write_all(&samples), text);
/// # Ok::<(), recount_schema::lock::LockError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The payload, byte by byte as it is stored: a `Value` would lose numbers of 128 bits.
    pub payload: Box<RawValue>,
    /// What it is after its conversion to a newer version, by the version's number.
    #[serde(default)]
    pub expect: BTreeMap<u32, Value>,
    /// What it is read as by the events that its own was split into, by their names and versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, BTreeMap<u32, Value>>,
    /// Where it is from.
    pub from: From,
    /// Why it is worth keeping.
    #[serde(default)]
    pub note: String,
}

impl Sample {
    /// The samples of a file's text; the file's name is for errors.
    ///
    /// # Errors
    ///
    /// [`LockError::Malformed`] or [`LockError::Truncated`], with the line.
    pub fn read_all(text: &str, file: &Path) -> Result<Vec<Self>, LockError> {
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty());
        lines
            .map(|(at, line)| {
                parse(line, file).map_err(|error| match error {
                    LockError::Truncated { file, .. } => {
                        LockError::Truncated { file, line: at + 1 }
                    }
                    LockError::Malformed { file, problem, .. } => LockError::Malformed {
                        file,
                        line: at + 1,
                        problem: problem.replace(" at line 1 column", " at column"),
                    },
                    other => other,
                })
            })
            .collect()
    }

    /// The file's text: a line each.
    pub fn write_all(samples: &[Self]) -> String {
        let mut text = String::new();
        for sample in samples {
            // What it is made of can always be written: keys are numbers, all else is JSON or text.
            text.push_str(&serde_json::to_string(sample).unwrap_or_default());
            text.push('\n');
        }
        text
    }
}
