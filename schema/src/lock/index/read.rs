//! The text of `lock.toml`, with the line of what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;

use super::{Accepted, Aggregate, Entry, Index, Tombstone, Version, full_name};
use crate::lock::contract::{FORMAT, shape_of_text};
use crate::lock::error::{LockError, line_at};
use crate::{Level, Rule};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "looked at before anything else")]
    format: u64,
    #[serde(default)]
    policy: RawPolicy,
    #[serde(default)]
    aggregate: Vec<Spanned<RawAggregate>>,
    #[serde(default)]
    event: Vec<Spanned<RawEntry>>,
    #[serde(default)]
    accepted: Vec<Spanned<Accepted>>,
    #[serde(default)]
    tombstone: Vec<Spanned<Tombstone>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    #[serde(default)]
    rules: BTreeMap<Spanned<String>, RawLevel>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawLevel {
    Off,
    Warn,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAggregate {
    category: String,
    #[serde(rename = "type")]
    ident: String,
    id: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    category: Option<String>,
    name: String,
    versions: Vec<Spanned<Version>>,
}

/// Read by itself, so that a newer format is told from a broken file.
#[derive(Deserialize)]
struct FormatOnly {
    format: Option<Spanned<u64>>,
}

/// A text, and where it is from.
struct Source<'a> {
    text: &'a str,
    file: &'a Path,
}

impl Source<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        line_at(&self.text.as_bytes()[..span.start.min(self.text.len())])
    }

    fn malformed(&self, span: &Range<usize>, problem: impl Into<String>) -> LockError {
        LockError::Malformed {
            file: self.file.to_owned(),
            line: self.line(span),
            problem: problem.into(),
        }
    }

    fn double(&self, span: &Range<usize>, entry: String) -> LockError {
        LockError::Double {
            file: self.file.to_owned(),
            line: self.line(span),
            entry,
        }
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, LockError> {
        toml::from_str(self.text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            // What is missing at the end of the file was cut off with it.
            if !self.text.is_empty() && span.start >= self.text.trim_end().len() {
                return LockError::Truncated {
                    file: self.file.to_owned(),
                    line: self.text.lines().count(),
                };
            }
            self.malformed(
                &span,
                error.message().lines().collect::<Vec<_>>().join(", "),
            )
        })
    }

    fn check_format(&self) -> Result<(), LockError> {
        let found = self.parse::<FormatOnly>()?.format;
        match found.as_ref().map(|found| (*found.get_ref(), found.span())) {
            Some((FORMAT, _)) => Ok(()),
            Some((found, _)) if found > FORMAT => Err(LockError::NewerFormat {
                file: self.file.to_owned(),
                found,
                known: FORMAT,
            }),
            Some((_, span)) => Err(self.malformed(&span, "`format` must be 1")),
            None => Err(self.malformed(&(0..0), "`format = 1` is missing")),
        }
    }

    fn check_rule(&self, code: &str, span: &Range<usize>) -> Result<(), LockError> {
        match Rule::from_code(code) {
            Some(_) => Ok(()),
            None => Err(self.malformed(span, format!("unknown rule `{code}`"))),
        }
    }

    fn policy(&self, index: &mut Index, policy: RawPolicy) -> Result<(), LockError> {
        for (code, level) in policy.rules {
            self.check_rule(code.get_ref(), &code.span())?;
            let level = match level {
                RawLevel::Off => None,
                RawLevel::Warn => Some(Level::Warn),
                RawLevel::Deny => Some(Level::Deny),
            };
            let code = code.into_inner().to_ascii_uppercase();
            index.policy.rules.insert(code, level);
        }
        Ok(())
    }

    fn aggregate(&self, index: &mut Index, one: Spanned<RawAggregate>) -> Result<(), LockError> {
        let span = one.span();
        let RawAggregate {
            category,
            ident,
            id,
        } = one.into_inner();
        if index.aggregate(&category).is_some() {
            return Err(self.double(&span, format!("aggregate `{category}`")));
        }
        let id = match id {
            None => None,
            Some(id) => Some(shape_of_text(id.get_ref()).ok_or_else(|| {
                self.malformed(
                    &id.span(),
                    format!("unknown form of an id `{}`", id.get_ref()),
                )
            })?),
        };
        index.aggregates.push(Aggregate {
            category,
            ident,
            id,
        });
        Ok(())
    }

    fn event(&self, index: &mut Index, event: Spanned<RawEntry>) -> Result<(), LockError> {
        let span = event.span();
        let RawEntry {
            category,
            name,
            versions,
        } = event.into_inner();
        let full = full_name(category.as_deref(), &name);
        if index.event(category.as_deref(), &name).is_some() {
            return Err(self.double(&span, format!("event `{full}`")));
        }
        let mut numbers = BTreeSet::new();
        let mut all = Vec::new();
        for version in versions {
            let number = version.get_ref().number;
            if !numbers.insert(number) {
                return Err(self.double(&version.span(), format!("`{full}` v{number}")));
            }
            all.push(version.into_inner());
        }
        index.events.push(Entry {
            category,
            name,
            versions: all,
        });
        Ok(())
    }

    fn accepted(&self, index: &mut Index, one: Spanned<Accepted>) -> Result<(), LockError> {
        let span = one.span();
        let one = one.into_inner();
        self.check_rule(&one.rule, &span)?;
        let is_same = |other: &Accepted| {
            Accepted {
                reason: one.reason.clone(),
                ..other.clone()
            } == one
        };
        if index.accepted.iter().any(is_same) {
            let Accepted {
                event,
                v,
                rule,
                path,
                ..
            } = one;
            return Err(self.double(
                &span,
                format!("accepted {rule} of `{event}` v{v} at `{path}`"),
            ));
        }
        index.accepted.push(one);
        Ok(())
    }

    fn tombstone(&self, index: &mut Index, one: Spanned<Tombstone>) -> Result<(), LockError> {
        let span = one.span();
        let one = one.into_inner();
        let mut others = index.tombstones.iter();
        if others.any(|other| (&other.category, &other.event) == (&one.category, &one.event)) {
            let full = full_name(one.category.as_deref(), &one.event);
            return Err(self.double(&span, format!("tombstone `{full}`")));
        }
        index.tombstones.push(one);
        Ok(())
    }
}

pub(super) fn read(text: &str, file: &Path) -> Result<Index, LockError> {
    let source = Source { text, file };
    source.check_format()?;
    let read: File = source.parse()?;
    let mut index = Index::default();
    source.policy(&mut index, read.policy)?;
    for one in read.aggregate {
        source.aggregate(&mut index, one)?;
    }
    for event in read.event {
        source.event(&mut index, event)?;
    }
    for one in read.accepted {
        source.accepted(&mut index, one)?;
    }
    for one in read.tombstone {
        source.tombstone(&mut index, one)?;
    }
    Ok(index)
}
