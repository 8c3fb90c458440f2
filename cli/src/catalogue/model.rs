//! What there is, in order.

use recount_schema::Shape;
use recount_schema::lock::Status;
use serde::Deserialize;

use super::source::How;
use crate::code::full_name;

/// All of a project, in order.
pub struct Catalogue {
    /// The packages that have locks.
    pub packages: Vec<Package>,
    /// What the locks govern: the names of packages, and of folders that have locks of their own.
    pub names: Vec<String>,
    pub aggregates: Vec<Aggregate>,
    /// Those of no aggregate.
    pub others: Vec<Event>,
    pub followers: Vec<Follower>,
}

pub struct Package {
    pub name: String,
    pub version: String,
}

pub struct Aggregate {
    pub category: String,
    pub ident: String,
    pub docs: String,
    pub commands: Vec<Command>,
    pub events: Vec<Event>,
}

/// A method that returns events.
pub struct Command {
    pub name: String,
    pub docs: String,
    pub parameters: Vec<String>,
    /// It begins a stream.
    pub creates: bool,
    /// The stored names, in the order of the return type.
    pub emits: Vec<(String, How)>,
}

pub struct Event {
    pub category: Option<String>,
    pub name: String,
    pub versions: Vec<Version>,
    /// Events of other names that it is read as.
    pub becomes: Vec<String>,
    /// The aggregate passes over it.
    pub is_retired: bool,
}

pub struct Version {
    pub number: u32,
    /// How far it has come, and since which release; nothing when it is not locked yet.
    pub locked: Option<(Status, Option<String>)>,
    /// The name of its type, if the code has one.
    pub ident: Option<String>,
    pub docs: String,
    pub shape: Option<&'static Shape>,
    pub fields: Vec<Field>,
    pub read: Read,
}

/// What the code makes of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// Methods take it.
    Newest,
    /// Converted from one type to another.
    Converted {
        to: u32,
        from: String,
        into: String,
    },
    /// A step on the JSON brings it to a later version.
    Step,
    /// An event of another name, or several.
    Other,
    Not,
}

/// What is known of a field beside its shape.
pub struct Field {
    /// The key in JSON.
    pub key: String,
    /// Its type in Rust.
    pub rust: String,
    pub docs: String,
}

/// A projection or a reaction.
pub struct Follower {
    pub kind: Kind,
    pub name: String,
    pub ident: String,
    pub docs: String,
    pub home: Home,
    pub handles: Vec<Handled>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Projection,
    Reaction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Home {
    State,
    Tables,
    Outside,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handled {
    pub category: String,
    pub event: String,
    pub method: String,
}

impl Catalogue {
    /// All events, those of aggregates first.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        let of_aggregates = self.aggregates.iter().flat_map(|of| &of.events);
        of_aggregates.chain(&self.others)
    }

    /// `plans`, or `plans, shop`.
    pub fn title(&self) -> String {
        self.names.join(", ")
    }
}

impl Event {
    pub fn full_name(&self) -> String {
        full_name(self.category.as_deref(), &self.name)
    }

    pub fn newest(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// Whether this method of a follower takes it.
    pub fn is_in(&self, handled: &Handled) -> bool {
        self.category.as_deref() == Some(&handled.category) && self.name == handled.event
    }
}

impl Version {
    /// Whether it may still be written.
    pub fn is_old(&self) -> bool {
        let is_given_up = |status| {
            matches!(
                status,
                Status::Deprecated | Status::Retired | Status::Dropped
            )
        };
        self.read != Read::Newest
            || self
                .locked
                .as_ref()
                .is_some_and(|(one, _)| is_given_up(*one))
    }
}
