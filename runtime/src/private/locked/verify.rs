//! What was released is read as before.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

use recount_schema::lock::{Contract, From as Origin, Sample, folder};
use recount_schema::values::{Difference, differs, events_differ, payloads, validate};
use recount_schema::{Rule, Shape, lint_event};

use super::read::{Known, Written, expected_form, knows, read};
use super::{AggregateSource, Released, Source};
use crate::aggregate::Apply;
use crate::event::Event;

/// How many payloads are made of a shape.
const MADE: usize = 256;

/// How many findings of one version are told: the others are of the same cause as a rule.
const TOLD: usize = 5;

/// Something that does not agree with what was released.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub rule: Rule,
    pub event: String,
    pub version: u32,
    pub path: String,
    pub message: String,
    /// The payload that shows it.
    pub witness: Option<String>,
}

impl Finding {
    pub fn all(findings: &[Self]) -> Value {
        findings
            .iter()
            .map(|finding| {
                json!({
                    "code": finding.rule.code(),
                    "event": finding.event,
                    "version": finding.version,
                    "path": finding.path,
                    "message": finding.message,
                    "witness": finding.witness,
                })
            })
            .collect()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.rule.code();
        write!(f, "[{code}] {} v{}", self.event, self.version)?;
        if !self.path.is_empty() {
            write!(f, " `{}`", self.path)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(witness) = &self.witness {
            write!(f, "\n    payload: {witness}")?;
        }
        Ok(())
    }
}

/// What is wrong with an event.
pub(super) fn event<E: Event>(source: &Source<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut is_released = false;
    for released in source.released {
        if !(source.oldest..=source.version).contains(&released.version) {
            // It is another type's; whether there is one is asked of the aggregate.
            continue;
        }
        is_released |= released.version == source.version;
        let mut found = Version::<E>::of(source, released).findings();
        found.truncate(TOLD);
        // Several categories may have an event of this name, and this type is one of them: the compiler asks which, with the lists
        // of the aggregates.
        let is_read_in_another = !found.is_empty()
            && source.released.iter().any(|other| {
                (other.name, other.version) == (released.name, released.version)
                    && other.category != released.category
                    && Version::<E>::of(source, other).findings().is_empty()
            });
        if !is_read_in_another {
            all.append(&mut found);
        }
    }
    if !is_released {
        all.extend(draft::<E>(source));
    }
    all.extend(parts::<E>(source));
    all
}

/// What is stored of events that this one was split from must be read as it was when this one was released.
fn parts<E: Event>(source: &Source<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let splits = source.splits.unwrap_or_default().iter();
    for split in splits.filter(|split| E::NAMES.is_split(split.name)) {
        // A file that is damaged is told by the test of the event that it is of.
        let samples = Sample::read_all(split.samples, Path::new(split.name)).unwrap_or_default();
        for sample in &samples {
            let parts = sample.parts.get(source.name);
            let Some(expected) = parts.and_then(|versions| versions.get(&source.version)) else {
                continue;
            };
            let payload = sample.payload.get();
            let of = format!("a stored payload of `{}` v{}", split.name, split.version);
            let (rule, path, message) = match read::<E>(split.name, split.version, payload) {
                Err(error) => (
                    Rule::SampleUnreadable,
                    String::new(),
                    format!("{of} cannot be read: {error}"),
                ),
                Ok(events) => {
                    let now = expected_form(split.name, &events);
                    let Some(Difference {
                        path,
                        expected,
                        now,
                    }) = events_differ(source.name, source.shape, expected, &now)
                    else {
                        continue;
                    };
                    let message = format!("{of} was read as {expected}, and is read as {now} now");
                    (Rule::ConversionChanged, path, message)
                }
            };
            found.push(Finding {
                rule,
                event: source.name.to_owned(),
                version: source.version,
                path,
                message,
                witness: Some(payload.to_owned()),
            });
        }
    }
    found.truncate(TOLD);
    found
}

/// What is wrong with the list of an aggregate's events.
pub(super) fn aggregate<A: Apply>(source: &AggregateSource<'_>) -> Vec<Finding> {
    let of_ours = source
        .released
        .iter()
        .filter(|one| one.category == Some(A::CATEGORY));
    of_ours
        .filter(|one| !A::RETIRED.contains(&one.name))
        .filter_map(|one| {
            let (rule, message) = match knows::<A::Event>(one.name, one.version) {
                Known::Yes => return None,
                Known::NotTheName => (
                    Rule::EventUnlisted,
                    format!(
                        "released, but no method of `{}` takes it; add one, or write `retired({:?})`",
                        source.ident, one.name
                    ),
                ),
                Known::Older => (
                    Rule::EventUnlisted,
                    "released, but the code knows older versions only; its type was deleted"
                        .to_owned(),
                ),
                Known::Newer => (
                    Rule::NoUpcast,
                    "released, but neither a type nor a conversion reads it any more".to_owned(),
                ),
            };
            Some(Finding {
                rule,
                event: one.name.to_owned(),
                version: one.version,
                path: String::new(),
                message,
                witness: None,
            })
        })
        .collect()
}

/// A shape that was not released yet: nothing is held, but what the type says of itself must be so.
fn draft<E: Event>(source: &Source<'_>) -> Vec<Finding> {
    let made = some_payloads(source.shape);
    let mut first_error = None;
    // Of what is not known no payloads can be made, and it cannot be released.
    let unknown = lint_event(source.shape);
    let unknown = unknown.problems().iter();
    let unknown = unknown.filter(|problem| problem.rule == Rule::UnknownShape);
    let mut found: Vec<Finding> = unknown
        .map(|problem| Finding {
            rule: problem.rule,
            event: source.name.to_owned(),
            version: source.version,
            path: problem.path.to_string(),
            message: "nothing is known of its JSON; derive `ValueObject` for its type, or write `#[event(opaque = \"name@1\")]`".to_owned(),
            witness: None,
        })
        .collect();
    let mut was_read = false;
    for payload in &made {
        match read::<E>(source.name, source.version, payload) {
            Ok(events) => {
                was_read = true;
                found.extend(honest(source, source.version, payload, &events));
            }
            // Checks inside of types may refuse some, not all.
            Err(error) => _ = first_error.get_or_insert((payload, error)),
        }
    }
    if let (false, Some((payload, error))) = (was_read, first_error) {
        found.push(Finding {
            rule: Rule::ShapeDishonest,
            event: source.name.to_owned(),
            version: source.version,
            path: String::new(),
            message: format!("nothing that the shape allows can be read: {error}"),
            witness: Some(payload.clone()),
        });
    }
    found.truncate(TOLD);
    found
}

/// Of the payloads that a shape allows as many as are worth their time, from all over.
fn some_payloads(shape: &Shape) -> Vec<String> {
    let all = payloads(shape);
    let step = all.len().div_ceil(MADE).max(1);
    all.into_iter().step_by(step).collect()
}

/// Whether two events are one, whatever the order of their sets, which is another one from run to run.
fn is_same(source: &Source, one: &Written, other: &Written) -> bool {
    if one == other {
        return true;
    }
    let payloads = [one, other].map(|event| serde_json::from_str(&event.payload));
    let [Ok(before), Ok(after)] = payloads else {
        return false;
    };
    (one.name, one.version) == (other.name, other.version)
        && one.name == source.name
        && differs(source.shape, &before, &after).is_none()
        && differs(source.shape, &after, &before).is_none()
}

/// What is written must be of the shape that is declared.
fn honest(source: &Source<'_>, version: u32, payload: &str, events: &[Written]) -> Option<Finding> {
    let own = events
        .iter()
        .filter(|event| event.name == source.name && event.version == source.version);
    for event in own {
        let value = serde_json::from_str(&event.payload).unwrap_or(Value::Null);
        if let Err(misfit) = validate(source.shape, &value) {
            return Some(Finding {
                rule: Rule::ShapeDishonest,
                event: source.name.to_owned(),
                version,
                path: misfit.path,
                message: format!(
                    "what `{}` writes is not of its shape: {}",
                    source.ident, misfit.problem
                ),
                witness: Some(format!("{payload}, written as {}", event.payload)),
            });
        }
    }
    None
}

/// A released version, and the type that reads it.
struct Version<'a, E> {
    source: &'a Source<'a>,
    released: &'a Released<'a>,
    found: Vec<Finding>,
    reader: std::marker::PhantomData<fn() -> E>,
}

impl<'a, E: Event> Version<'a, E> {
    fn of(source: &'a Source<'a>, released: &'a Released<'a>) -> Self {
        Self {
            source,
            released,
            found: Vec::new(),
            reader: std::marker::PhantomData,
        }
    }

    fn find(&mut self, rule: Rule, path: &str, message: impl Into<String>, witness: Option<&str>) {
        self.found.push(Finding {
            rule,
            event: self.released.name.to_owned(),
            version: self.released.version,
            path: path.to_owned(),
            message: message.into(),
            witness: witness.map(str::to_owned),
        });
    }

    fn findings(mut self) -> Vec<Finding> {
        let (name, version) = (self.released.name, self.released.version);
        if !E::reads(name) {
            let now = self.source.name;
            self.find(
                Rule::EventRenamed,
                "",
                format!("stored as `{name}`, but the code reads `{now}` only; write `formerly = {name:?}`"),
                None,
            );
            return self.found;
        }
        let dir = Path::new(self.source.lock).join(folder(self.released.category, name));
        let file = dir.join(format!("v{version}.json"));
        let contract = match Contract::from_text(self.released.contract, &file) {
            Ok(contract) => contract,
            Err(error) => {
                self.find(Rule::LockEdited, "", error.to_string(), None);
                return self.found;
            }
        };
        let file = dir.join(format!("v{version}.samples.jsonl"));
        let samples = match Sample::read_all(self.released.samples, &file) {
            Ok(samples) => samples,
            Err(error) => {
                self.find(Rule::LockEdited, "", error.to_string(), None);
                return self.found;
            }
        };
        for sample in &samples {
            self.replay(sample);
        }
        // What can be made of the shape and could be read at the release is a sample. What is none was refused then, by a
        // check inside of a type, and may be refused now.
        if !samples.iter().any(|sample| sample.from == Origin::Boundary) {
            for payload in some_payloads(contract.shape) {
                match read::<E>(name, version, &payload) {
                    Ok(events) => {
                        let found = honest(self.source, version, &payload, &events);
                        self.found.extend(found);
                    }
                    Err(error) => self.find(
                        Rule::SampleUnreadable,
                        "",
                        format!("a payload of the released shape cannot be read: {error}"),
                        Some(&payload),
                    ),
                }
            }
        }
        self.found
    }

    /// A stored payload is read, as before, and written so that it can be read again.
    fn replay(&mut self, sample: &Sample) {
        let (name, version) = (self.released.name, self.released.version);
        let payload = sample.payload.get();
        let events = match read::<E>(name, version, payload) {
            Ok(events) => events,
            Err(error) => {
                return self.find(
                    Rule::SampleUnreadable,
                    "",
                    format!("a stored payload cannot be read: {error}"),
                    Some(payload),
                );
            }
        };
        if let Some(found) = honest(self.source, version, payload, &events) {
            self.found.push(found);
        }
        for event in &events {
            let again = read::<E>(event.name, event.version, &event.payload);
            if !matches!(again.as_deref(), Ok([one]) if is_same(self.source, event, one)) {
                let problem = match again {
                    Err(error) => error,
                    Ok(other) => format!("it is read as {}", expected_form(event.name, &other)),
                };
                self.find(
                    Rule::ShapeDishonest,
                    "",
                    format!("what is written is not read as it was: {problem}"),
                    Some(&event.payload),
                );
            }
        }
        let Some(expected) = sample.expect.get(&self.source.version) else {
            return;
        };
        let now = expected_form(self.source.name, &events);
        if let Some(Difference {
            path,
            expected,
            now,
        }) = events_differ(self.source.name, self.source.shape, expected, &now)
        {
            let rule = if version == self.source.version {
                Rule::DefaultChanged
            } else {
                Rule::ConversionChanged
            };
            self.find(
                rule,
                &path,
                format!("a stored payload was read as {expected}, and is read as {now} now"),
                Some(payload),
            );
        }
    }
}
