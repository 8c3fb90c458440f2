//! `lock.toml`: which versions there are.

mod read;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::Deserialize;

use super::contract::{FORMAT, shape_to_text};
use super::error::LockError;
use crate::{Level, Rule, Shape};

/// How far a version has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It may change: nothing of it is stored anywhere that counts.
    Draft,
    /// It is stored, and does not change any more.
    Released,
    /// It is stored, and should not be written any more.
    Deprecated,
    /// It is stored, and is not written any more; reading passes over it.
    Retired,
    /// It is stored nowhere any more.
    Dropped,
}

impl Status {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Released => "released",
            Self::Deprecated => "deprecated",
            Self::Retired => "retired",
            Self::Dropped => "dropped",
        }
    }

    /// Whether its payloads may be in a store, so that its contract is frozen.
    pub const fn is_frozen(self) -> bool {
        matches!(self, Self::Released | Self::Deprecated | Self::Retired)
    }
}

/// A version of an event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Its number.
    #[serde(rename = "v")]
    pub number: u32,
    /// How far it has come.
    pub status: Status,
    /// The release in which it was released first.
    pub since: Option<String>,
    /// The digest of its contract.
    pub digest: String,
    /// The digest of its samples, if it has any.
    pub samples: Option<String>,
}

/// An event, and its versions in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The category of its streams, if it belongs to one aggregate.
    pub category: Option<String>,
    /// Its stored name.
    pub name: String,
    /// Its versions, from the oldest.
    pub versions: Vec<Version>,
}

/// An aggregate of which there are events: what its streams are found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    /// The category of its streams.
    pub category: String,
    /// The name of its type: a type of that name keeps the category.
    pub ident: String,
    /// The form of its id, where it is known.
    pub id: Option<&'static Shape>,
}

/// A broken rule that somebody took responsibility for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The category of the event's streams.
    pub category: Option<String>,
    /// The event's stored name.
    pub event: String,
    /// The version.
    pub v: u32,
    /// The rule's code.
    pub rule: String,
    /// The path within the event: `.place.zip`.
    pub path: String,
    /// Why it does no harm.
    pub reason: String,
}

/// A name that may not come back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone {
    /// The category of the event's streams.
    pub category: Option<String>,
    /// The event's stored name.
    pub event: String,
    /// Fields of it; none stands for the event as a whole.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Why.
    pub reason: String,
}

/// How serious rules are in this project, where that differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// The levels by the rules' codes; `None` switches a rule off.
    pub rules: BTreeMap<String, Option<Level>>,
}

impl Policy {
    /// How serious a rule is; `None` if it is switched off.
    pub fn level(&self, rule: Rule) -> Option<Level> {
        self.rules
            .get(rule.code())
            .copied()
            .unwrap_or(Some(rule.level()))
    }
}

/// What `lock.toml` holds.
///
/// ```
/// use recount_schema::lock::{Index, Status};
///
/// let text = r#"
/// format = 1
///
/// [[event]]
/// category = "workout"
/// name = "Scheduled"
/// versions = [
///   { v = 1, status = "released", since = "0.3.0", digest = "sha256:9f2c" },
///   { v = 2, status = "draft", digest = "sha256:77e0" },
/// ]
/// "#;
/// let index = Index::from_text(text, "lock.toml".as_ref())?;
/// assert_eq!(index.event(Some("workout"), "Scheduled").unwrap().versions[0].status, Status::Released);
/// assert_eq!(index.to_text(), text.trim_start());
/// # Ok::<(), recount_schema::lock::LockError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// How serious rules are.
    pub policy: Policy,
    /// The aggregates. One that is missing is asked nothing.
    pub aggregates: Vec<Aggregate>,
    /// The events.
    pub events: Vec<Entry>,
    /// What was accepted.
    pub accepted: Vec<Accepted>,
    /// What may not come back.
    pub tombstones: Vec<Tombstone>,
}

impl Index {
    /// The event of a name.
    pub fn event(&self, category: Option<&str>, name: &str) -> Option<&Entry> {
        let mut events = self.events.iter();
        events.find(|event| event.category.as_deref() == category && event.name == name)
    }

    /// The aggregate of a category.
    pub fn aggregate(&self, category: &str) -> Option<&Aggregate> {
        self.aggregates.iter().find(|one| one.category == category)
    }

    /// Whether events of a category may be in a store.
    pub fn is_stored(&self, category: &str) -> bool {
        let mut events = self.events.iter();
        events.any(|event| {
            event.category.as_deref() == Some(category)
                && event.versions.iter().any(|one| one.status.is_frozen())
        })
    }

    /// What was accepted of a version: pairs of a rule's code and a path.
    pub fn accepted<'a>(
        &'a self,
        category: Option<&'a str>,
        event: &'a str,
        version: u32,
    ) -> impl Iterator<Item = &'a Accepted> {
        self.accepted.iter().filter(move |one| {
            one.category.as_deref() == category && one.event == event && one.v == version
        })
    }

    /// Reads the text of `lock.toml`; the file's name is for errors.
    ///
    /// # Errors
    ///
    /// All of [`LockError`] that concerns one file, with the line.
    pub fn from_text(text: &str, file: &Path) -> Result<Self, LockError> {
        let mut index = read::read(text, file)?;
        index.sort();
        Ok(index)
    }

    fn sort(&mut self) {
        self.aggregates.sort_by(|a, b| a.category.cmp(&b.category));
        self.events
            .sort_by(|a, b| (&a.category, &a.name).cmp(&(&b.category, &b.name)));
        for event in &mut self.events {
            event.versions.sort_by_key(|version| version.number);
        }
        self.accepted.sort();
        self.tombstones.sort();
    }

    /// The text of `lock.toml`: sorted, a line for each version.
    pub fn to_text(&self) -> String {
        let mut sorted = self.clone();
        sorted.sort();
        let mut text = format!("format = {FORMAT}\n");
        // Writing into a `String` does not fail.
        let _ = sorted.put(&mut text);
        text
    }

    fn put(&self, text: &mut String) -> std::fmt::Result {
        if !self.policy.rules.is_empty() {
            writeln!(text, "\n[policy.rules]")?;
            for (code, level) in &self.policy.rules {
                let level = match level {
                    None => "off",
                    Some(Level::Warn) => "warn",
                    Some(Level::Deny) => "deny",
                };
                writeln!(text, "{code} = \"{level}\"")?;
            }
        }
        for one in &self.aggregates {
            writeln!(text, "\n[[aggregate]]")?;
            put_category(text, Some(&one.category))?;
            writeln!(text, "type = {}", quoted(&one.ident))?;
            if let Some(id) = one.id {
                writeln!(text, "id = {}", quoted(&shape_to_text(id)))?;
            }
        }
        for event in &self.events {
            writeln!(text, "\n[[event]]")?;
            put_category(text, event.category.as_deref())?;
            writeln!(text, "name = {}\nversions = [", quoted(&event.name))?;
            for version in &event.versions {
                write!(
                    text,
                    "  {{ v = {}, status = \"{}\"",
                    version.number,
                    version.status.as_str()
                )?;
                if let Some(since) = &version.since {
                    write!(text, ", since = {}", quoted(since))?;
                }
                write!(text, ", digest = {}", quoted(&version.digest))?;
                if let Some(samples) = &version.samples {
                    write!(text, ", samples = {}", quoted(samples))?;
                }
                writeln!(text, " }},")?;
            }
            writeln!(text, "]")?;
        }
        for one in &self.accepted {
            writeln!(text, "\n[[accepted]]")?;
            put_category(text, one.category.as_deref())?;
            writeln!(
                text,
                "event = {}\nv = {}\nrule = {}",
                quoted(&one.event),
                one.v,
                quoted(&one.rule)
            )?;
            writeln!(
                text,
                "path = {}\nreason = {}",
                quoted(&one.path),
                quoted(&one.reason)
            )?;
        }
        for one in &self.tombstones {
            writeln!(text, "\n[[tombstone]]")?;
            put_category(text, one.category.as_deref())?;
            writeln!(text, "event = {}", quoted(&one.event))?;
            if !one.fields.is_empty() {
                let fields: Vec<_> = one.fields.iter().map(|field| quoted(field)).collect();
                writeln!(text, "fields = [{}]", fields.join(", "))?;
            }
            writeln!(text, "reason = {}", quoted(&one.reason))?;
        }
        Ok(())
    }
}

fn put_category(text: &mut String, category: Option<&str>) -> std::fmt::Result {
    match category {
        Some(category) => writeln!(text, "category = {}", quoted(category)),
        None => Ok(()),
    }
}

/// A basic string of TOML. Its escapes are those of JSON, but for one character.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

pub(super) fn full_name(category: Option<&str>, name: &str) -> String {
    match category {
        Some(category) => format!("{category}.{name}"),
        None => name.to_owned(),
    }
}
