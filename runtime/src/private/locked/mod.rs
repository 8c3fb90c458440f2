//! What the tests call that the macros write for each event, each aggregate, and each projection or reaction under a lock.
//!
//! Without anything in the environment such a test verifies: what was released is read as before. `recount schema …` runs the
//! same tests with `RECOUNT_SCHEMA` set, and then they tell, as files in the folder `RECOUNT_SCHEMA_OUT`, what the code is and
//! does: so nothing but the compiler has to understand the user's Rust.
//!
//! | `RECOUNT_SCHEMA` | does |
//! |---|---|
//! | not set | verifies, and panics with what it found |
//! | `describe` | writes what there is: shapes, names, versions, places |
//! | `check` | writes the same, with what verifying found |
//! | `sample` | writes what the code makes of the payloads in the file `RECOUNT_SCHEMA_IN` |
//! | `scan` | reads all events of the store `RECOUNT_SCHEMA_STORE` that belong to the aggregate, and writes what it found |

mod answer;
mod follower;
mod read;
mod scan;
mod verify;

#[cfg(all(test, feature = "macros"))]
mod tests;

use std::any::type_name;

use serde_json::{Value, json};

use recount_schema::Shape;
use recount_schema::lock::{Contract, Rust, shape_to_text};

use super::StoredShape;
use crate::aggregate::Apply;
use crate::event::Event;

pub use follower::{FollowerSource, Handled, follower};

use answer::{Mode, Place};
use verify::Finding;

/// Where an event stands in the source, what it is, and what the lock has of it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The folder of the lock: an absolute path.
    pub lock: &'a str,
    /// The name of the type, and of the variant behind `::`.
    pub ident: &'a str,
    /// `module_path!()`.
    pub module: &'a str,
    /// `file!()`.
    pub file: &'a str,
    /// `line!()`.
    pub line: u32,
    /// The stored name.
    pub name: &'a str,
    /// The version.
    pub version: u32,
    /// The oldest version that is read.
    pub oldest: u32,
    /// What is written and read.
    pub shape: &'static Shape,
    /// The fields' names in Rust, and their types as text.
    pub fields: &'a [(&'a str, &'a str)],
    /// `type_name` of the type that it is upcast from.
    pub upcast_from: Option<&'a str>,
    /// The stored names from before.
    pub formerly: &'a [&'a str],
    /// What the lock has of this name, and of those before, that is frozen.
    pub released: &'a [Released<'a>],
    /// Where other events are read as this one too: what the lock has of all others. Which of them is known by their names.
    pub splits: Option<&'a [Split<'a>]>,
}

/// A version of another event, which this one may be split from.
#[derive(Debug, Clone, Copy)]
pub struct Split<'a> {
    /// The stored name of its entry.
    pub name: &'a str,
    /// The version.
    pub version: u32,
    /// The text of its samples: `include_str!("…/v1.samples.jsonl")`.
    pub samples: &'a str,
}

/// A version that the lock holds as released, deprecated or retired.
#[derive(Debug, Clone, Copy)]
pub struct Released<'a> {
    /// The category of its entry.
    pub category: Option<&'a str>,
    /// The stored name of its entry.
    pub name: &'a str,
    /// The version.
    pub version: u32,
    /// The text of its contract: `include_str!("…/v1.json")`.
    pub contract: &'a str,
    /// The text of its samples, or nothing: `include_str!("…/v1.samples.jsonl")`.
    pub samples: &'a str,
}

/// Where an aggregate stands in the source, and what the lock has.
#[derive(Debug, Clone, Copy)]
pub struct AggregateSource<'a> {
    /// The folder of the lock: an absolute path.
    pub lock: &'a str,
    /// The name of the type.
    pub ident: &'a str,
    /// `module_path!()`.
    pub module: &'a str,
    /// `file!()`.
    pub file: &'a str,
    /// `line!()`.
    pub line: u32,
    /// The form of its id.
    pub id: &'static Shape,
    /// The types of the events that its methods take: [`listed`].
    pub events: &'a [Listed],
    /// All frozen versions of the lock, whatever their category.
    pub released: &'a [Frozen<'a>],
}

/// A version in the lock, by its name alone.
#[derive(Debug, Clone, Copy)]
pub struct Frozen<'a> {
    /// The category of its entry.
    pub category: Option<&'a str>,
    /// The stored name.
    pub name: &'a str,
    /// The version.
    pub version: u32,
}

/// An event type in an aggregate's list.
#[derive(Debug, Clone)]
pub struct Listed {
    type_name: &'static str,
    names: Vec<&'static str>,
}

/// What an event type stores under a name.
///
/// # Panics
/// When it stores nothing under that name, which the macros do not ask.
#[track_caller]
pub fn stored<E: Event>(name: &str) -> &'static StoredShape {
    let all = E::SHAPES.list();
    let found = all.into_iter().find(|stored| stored.name == name);
    found.unwrap_or_else(|| panic!("`{}` stores no `{name}`", type_name::<E>()))
}

/// Lists an event type.
pub fn listed<E: Event>() -> Listed {
    Listed {
        type_name: type_name::<E>(),
        names: E::NAMES.to_vec(),
    }
}

/// The test of an event; of an enum of events, of one of its variants.
///
/// # Panics
/// When something was found, unless it is asked for by `recount schema`.
#[track_caller]
pub fn event<E: Event>(source: &Source<'_>, examples: &[fn() -> E]) {
    let place = Place {
        kind: "event",
        ident: source.ident,
        module: source.module,
    };
    match Mode::of_environment() {
        Mode::Verify => report(source.ident, &verify::event::<E>(source)),
        Mode::Describe => place.write(describe_event(source, examples)),
        Mode::Check => {
            let mut described = describe_event(source, examples);
            described["findings"] = Finding::all(&verify::event::<E>(source));
            place.write(described);
        }
        Mode::Sample => place.write(json!({
            "kind": "answers",
            "answers": answer::answers::<E>(&format!("{}::{}", source.module, source.ident)),
        })),
        Mode::Scan => {}
    }
}

/// The test of an aggregate.
///
/// # Panics
/// When something was found, unless it is asked for by `recount schema`.
#[track_caller]
pub fn aggregate<A: Apply>(source: &AggregateSource<'_>) {
    let place = Place {
        kind: "aggregate",
        ident: source.ident,
        module: source.module,
    };
    match Mode::of_environment() {
        Mode::Verify => report(source.ident, &verify::aggregate::<A>(source)),
        Mode::Describe => place.write(describe_aggregate::<A>(source)),
        Mode::Check => {
            let mut described = describe_aggregate::<A>(source);
            described["findings"] = Finding::all(&verify::aggregate::<A>(source));
            place.write(described);
        }
        Mode::Sample => {}
        Mode::Scan => place.write(scan::scan::<A>()),
    }
}

#[track_caller]
fn report(ident: &str, findings: &[Finding]) {
    use std::fmt::Write;
    let mut text = String::new();
    for finding in findings {
        // Writing into a `String` does not fail.
        _ = writeln!(text, "\n{finding}");
    }
    assert!(
        findings.is_empty(),
        "`{ident}` does not agree with what was released\n{text}\n`cargo recount schema explain CODE` tells why it matters, and the ways out"
    );
}

fn describe_event<E: Event>(source: &Source<'_>, examples: &[fn() -> E]) -> Value {
    let mut contract = Contract::new(source.name, source.version, source.shape);
    contract.rust = Rust {
        ident: source.ident.to_owned(),
        fields: source
            .fields
            .iter()
            .map(|(name, of)| ((*name).to_owned(), (*of).to_owned()))
            .collect(),
    };
    let examples: Vec<_> = examples
        .iter()
        .filter_map(|example| {
            let mut payload = Vec::new();
            example().encode(&mut payload).ok()?;
            String::from_utf8(payload).ok()
        })
        .collect();
    let mut split_from = E::NAMES.to_vec();
    split_from.retain(|name| source.splits.is_some() && E::NAMES.is_split(name));
    json!({
        "kind": "event",
        "lock": source.lock,
        "type": type_name::<E>(),
        "ident": source.ident,
        "module": source.module,
        "file": source.file,
        "line": source.line,
        "name": source.name,
        "version": source.version,
        "oldest": source.oldest,
        "contract": contract.to_text(),
        "fields": source.fields,
        "upcast_from": source.upcast_from,
        "formerly": source.formerly,
        "split_from": split_from,
        "examples": examples,
    })
}

fn describe_aggregate<A: Apply>(source: &AggregateSource<'_>) -> Value {
    let events: Vec<_> = source
        .events
        .iter()
        .map(|listed| json!({ "type": listed.type_name, "names": listed.names }))
        .collect();
    let readable: Vec<_> = read::readable::<A::Event>()
        .into_iter()
        .map(|(name, version)| json!({ "name": name, "version": version }))
        .collect();
    json!({
        "kind": "aggregate",
        "lock": source.lock,
        "ident": source.ident,
        "module": source.module,
        "file": source.file,
        "line": source.line,
        "category": A::CATEGORY,
        "id": shape_to_text(source.id),
        "events": events,
        "readable": readable,
        "retired": A::RETIRED,
    })
}
