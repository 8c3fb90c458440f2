//! What the code says of itself, put together: events with their categories, beside the lock that governs them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use recount_schema::lock::{Contract, Lock, LockError, Status};
use serde::Deserialize;

use crate::args::Common;
use crate::ask::Programs;
use crate::base::Base;
use crate::codes;
use crate::grown::grown;
use crate::outcome::{Diagnostic, Failure, Result, Severity};
use crate::project::{Package, Project};
use crate::taken::{self, Taken};

/// What a test of the macros says.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Described {
    Event(Box<DescribedEvent>),
    Aggregate(Box<Aggregate>),
    /// Projections and reactions, which only the catalogue asks for.
    #[serde(other)]
    Follower,
}

#[derive(Debug, Clone, Deserialize)]
struct DescribedEvent {
    lock: PathBuf,
    #[serde(rename = "type")]
    type_name: String,
    ident: String,
    module: String,
    file: PathBuf,
    line: u32,
    name: String,
    oldest: u32,
    contract: String,
    fields: Vec<(String, String)>,
    upcast_from: Option<String>,
    formerly: Vec<String>,
    split_from: Vec<String>,
    examples: Vec<String>,
    #[serde(default)]
    findings: Vec<Found>,
}

/// What verifying found.
#[derive(Debug, Clone, Deserialize)]
pub struct Found {
    pub code: String,
    pub event: String,
    pub version: u32,
    pub path: String,
    pub message: String,
    pub witness: Option<String>,
}

/// An aggregate of the code.
#[derive(Debug, Clone, Deserialize)]
pub struct Aggregate {
    lock: PathBuf,
    pub ident: String,
    pub file: PathBuf,
    pub line: u32,
    pub category: String,
    /// The form of its id, as a lock has it.
    pub id: String,
    pub events: Vec<Listed>,
    pub readable: Vec<Readable>,
    pub retired: Vec<String>,
    #[serde(default)]
    pub findings: Vec<Found>,
}

/// An event type that an aggregate's methods take.
#[derive(Debug, Clone, Deserialize)]
pub struct Listed {
    #[serde(rename = "type")]
    pub type_name: String,
    pub names: Vec<String>,
}

/// A version that an aggregate reads.
#[derive(Debug, Clone, Deserialize)]
pub struct Readable {
    pub name: String,
    pub version: u32,
}

/// An event of the code.
#[derive(Debug, Clone)]
pub struct Event {
    pub category: Option<String>,
    pub contract: Contract,
    pub type_name: String,
    pub ident: String,
    pub module: String,
    pub file: PathBuf,
    pub line: u32,
    pub oldest: u32,
    pub fields: Vec<(String, String)>,
    pub formerly: Vec<String>,
    /// The stored names of the events that are read as this one too.
    pub split_from: Vec<String>,
    pub examples: Vec<String>,
    pub findings: Vec<Found>,
}

impl Event {
    pub fn name(&self) -> &str {
        &self.contract.event
    }

    pub fn version(&self) -> u32 {
        self.contract.version
    }

    pub fn full_name(&self) -> String {
        full_name(self.category.as_deref(), self.name())
    }

    /// What questions call it.
    pub fn asked(&self) -> String {
        format!("{}::{}", self.module, self.ident)
    }

    /// Whether what is stored under a name is read as this type: under its own, or under an older one.
    pub fn reads(&self, name: &str) -> bool {
        self.name() == name || self.formerly.iter().any(|one| one == name)
    }

    /// Where it stands.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// `workout.Scheduled`, or `Scheduled` where there is no category.
pub fn full_name(category: Option<&str>, name: &str) -> String {
    match category {
        Some(category) => format!("{category}.{name}"),
        None => name.to_owned(),
    }
}

/// A lock, and the code that it governs.
pub struct Site<'a> {
    pub package: &'a Package,
    pub programs: std::rc::Rc<Programs<'a>>,
    /// As its files say it, but for what `taken` names.
    pub lock: Lock,
    /// Entries that the lock here has under a category, and its files do not yet.
    pub taken: Vec<Taken>,
    pub events: Vec<Event>,
    pub aggregates: Vec<Aggregate>,
}

impl<'a> Site<'a> {
    /// All locks of a project, with what the code says in a mode.
    pub fn all(common: &Common, project: &'a Project, mode: &str) -> Result<Vec<Self>> {
        let mut sites = Vec::new();
        for package in &project.packages {
            // First of all the locks: one that is damaged is told without building anything.
            let mut locks = Vec::new();
            for dir in package.locks() {
                let lock = Lock::read(&dir).map_err(|error| unusable(project, &error))?;
                locks.extend(lock);
            }
            if locks.is_empty() {
                continue;
            }
            let programs = std::rc::Rc::new(Programs::build(common, package)?);
            let described: Vec<Described> = programs.ask(mode, &[])?;
            for lock in locks {
                sites.push(Self::of(package, programs.clone(), lock, &described)?);
            }
        }
        if sites.is_empty() {
            return Err(no_lock(project));
        }
        Ok(sites)
    }

    fn of(
        package: &'a Package,
        programs: std::rc::Rc<Programs<'a>>,
        lock: Lock,
        described: &[Described],
    ) -> Result<Self> {
        let is_ours = |dir: &Path| same_path(dir, lock.dir());
        let mut aggregates = Vec::new();
        let mut events: Vec<DescribedEvent> = Vec::new();
        // A module that a program and the library share is there twice.
        let mut seen = BTreeSet::new();
        for one in described {
            match one {
                Described::Event(event)
                    if is_ours(&event.lock)
                        && seen.insert((event.file.clone(), event.line, event.ident.clone())) =>
                {
                    events.push((**event).clone());
                }
                Described::Aggregate(of)
                    if is_ours(&of.lock)
                        && seen.insert((of.file.clone(), of.line, of.ident.clone())) =>
                {
                    aggregates.push((**of).clone());
                }
                _ => {}
            }
        }
        let categories = categories(&events, &aggregates);
        let mut all = Vec::new();
        for event in events {
            let of_type = categories.get(&event.type_name);
            let by_name = || {
                aggregates
                    .iter()
                    .filter(|of| of.events.iter().any(|one| one.names.contains(&event.name)))
                    .map(|of| of.category.clone())
                    .collect::<BTreeSet<_>>()
            };
            // A type that no aggregate names may be within an enum that one names.
            let categories = of_type.cloned().unwrap_or_else(by_name);
            let categories: Vec<_> = if categories.is_empty() {
                vec![None]
            } else {
                categories.into_iter().map(Some).collect()
            };
            for category in categories {
                all.push(known(&event, category)?);
            }
        }
        all.sort_by(|a, b| {
            (&a.category, a.name(), a.version()).cmp(&(&b.category, b.name(), b.version()))
        });
        let mut site = Self {
            package,
            programs,
            lock,
            taken: Vec::new(),
            events: all,
            aggregates,
        };
        site.taken = taken::over(&mut site);
        Ok(site)
    }

    /// The event of the code, in a version.
    pub fn event(&self, category: Option<&str>, name: &str, version: u32) -> Option<&Event> {
        self.events.iter().find(|event| {
            event.category.as_deref() == category
                && event.name() == name
                && event.version() == version
        })
    }

    /// What is stored of an event: of a released version all that was written since, too.
    pub fn stored(&self, event: &Event) -> Contract {
        let (category, name) = (event.category.as_deref(), event.name());
        let listed = self.lock.version(category, name, event.version());
        let is_frozen = listed.is_some_and(|listed| listed.status.is_frozen());
        match self.lock.contract(category, name, event.version()) {
            Ok(Some(contract)) if is_frozen => grown(&contract, &event.contract),
            _ => event.contract.clone(),
        }
    }

    /// The stored versions, by name and number, of the events that are read as this one too.
    pub fn split_into(&self, event: &Event) -> Vec<(String, u32)> {
        let entries = self.lock.index.events.iter().filter(|entry| {
            entry.category == event.category && event.split_from.contains(&entry.name)
        });
        entries
            .flat_map(|entry| {
                let versions = entry.versions.iter();
                let stored = versions.filter(|version| version.status != Status::Dropped);
                stored.map(|version| (entry.name.clone(), version.number))
            })
            .collect()
    }

    /// The event of the code that reads a stored version without a type of that version: a later one, or one of another name.
    pub fn reader(&self, category: Option<&str>, name: &str, version: u32) -> Option<&Event> {
        self.events.iter().find(|event| {
            event.category.as_deref() == category
                && event.reads(name)
                && (event.oldest..=event.version()).contains(&version)
        })
    }

    /// The newest version of an event in the code.
    pub fn newest(&self, category: Option<&str>, name: &str) -> Option<&Event> {
        let events = self.events.iter();
        events
            .filter(|event| event.category.as_deref() == category && event.name() == name)
            .max_by_key(|event| event.version())
    }

    /// Whether the code writes a version: it is the newest, and no aggregate passes over the event.
    pub fn writes(&self, category: Option<&str>, name: &str, version: u32) -> bool {
        let is_passed_over = self.aggregates.iter().any(|of| {
            let is_read = of.readable.iter().any(|one| one.name == name);
            Some(of.category.as_str()) == category
                && of.retired.iter().any(|one| one == name)
                && !is_read
        });
        // An entry without category may be that of several aggregates.
        let events = self.events.iter().filter(|event| {
            event.name() == name && (category.is_none() || event.category.as_deref() == category)
        });
        !is_passed_over && events.map(Event::version).max() == Some(version)
    }

    /// The names, (category, stored name), that a word of the user means, in the code or in the lock. A type's name counts where no
    /// event is stored under it.
    pub fn named(&self, word: &str) -> Vec<(Option<String>, String)> {
        let of_code = self.events.iter();
        let of_code = of_code.map(|event| (event.category.clone(), event.name().to_owned()));
        let of_lock = self.lock.index.events.iter();
        let of_lock = of_lock.map(|entry| (entry.category.clone(), entry.name.clone()));
        let stored: BTreeSet<_> = of_code
            .chain(of_lock)
            .filter(|(of, name)| name == word || full_name(of.as_deref(), name) == word)
            .collect();
        if !stored.is_empty() {
            return stored.into_iter().collect();
        }
        let types = self.events.iter().filter(|event| event.ident == word);
        let types = types.map(|event| (event.category.clone(), event.name().to_owned()));
        types.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The one event, in all locks, that a word of the user means.
pub fn find<'s, 'a>(
    sites: &'s mut [Site<'a>],
    word: &str,
) -> Result<(&'s mut Site<'a>, Option<String>, String)> {
    let mut found: Vec<(usize, Option<String>, String)> = Vec::new();
    for (at, site) in sites.iter().enumerate() {
        found.extend(
            site.named(word)
                .into_iter()
                .map(|(of, name)| (at, of, name)),
        );
    }
    // The whole name of an event without category is a part of others' names.
    let is_whole =
        |(_, of, name): &(usize, Option<String>, String)| full_name(of.as_deref(), name) == word;
    if found.iter().any(is_whole) {
        found.retain(is_whole);
    }
    let known = || {
        let all = sites.iter().flat_map(|site| &site.events);
        let names: BTreeSet<_> = all.map(Event::full_name).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    match found.len() {
        1 => {}
        0 => {
            return Err(Failure::new(
                codes::NO_EVENT,
                format!("there is no event `{word}`"),
                format!("name one of these: {}", known()),
            ));
        }
        _ => {
            let names: BTreeSet<_> = found
                .iter()
                .map(|(_, of, name)| full_name(of.as_deref(), name))
                .collect();
            let packages: BTreeSet<_> = found
                .iter()
                .filter_map(|(at, ..)| Some(sites.get(*at)?.package.name.as_str()))
                .collect();
            let list = |all: BTreeSet<_>| all.into_iter().collect::<Vec<_>>().join(", ");
            let resolve = if names.len() == 1 {
                format!(
                    "name its package with --package: {}",
                    list(packages.into_iter().map(str::to_owned).collect())
                )
            } else {
                format!("name one of these: {}", list(names))
            };
            return Err(Failure::new(
                codes::NO_EVENT,
                format!("`{word}` may be several events"),
                resolve,
            ));
        }
    }
    let (at, category, name) = found.remove(0);
    Ok((&mut sites[at], category, name))
}

fn known(event: &DescribedEvent, category: Option<String>) -> Result<Event> {
    let mut contract = Contract::from_text(&event.contract, Path::new("the answer of the code"))
        .map_err(|error| Failure::new(codes::NO_ANSWER, error.to_string(), ""))?;
    contract.category.clone_from(&category);
    Ok(Event {
        category,
        contract,
        type_name: event.type_name.clone(),
        ident: event.ident.clone(),
        module: event.module.clone(),
        file: event.file.clone(),
        line: event.line,
        oldest: event.oldest,
        fields: event.fields.clone(),
        formerly: event.formerly.clone(),
        split_from: event.split_from.clone(),
        examples: event.examples.clone(),
        findings: event.findings.clone(),
    })
}

/// The categories of event types: those of the aggregates whose methods take them, or take what they are converted to.
fn categories(
    events: &[DescribedEvent],
    aggregates: &[Aggregate],
) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for aggregate in aggregates {
        for listed in &aggregate.events {
            let mut next = Some(listed.type_name.as_str());
            while let Some(type_name) = next {
                let is_new = all
                    .entry(type_name.to_owned())
                    .or_default()
                    .insert(aggregate.category.clone());
                let mut before = events.iter().filter(|event| event.type_name == type_name);
                next = is_new
                    .then(|| before.find_map(|event| event.upcast_from.as_deref()))
                    .flatten();
            }
        }
    }
    all
}

fn same_path(a: &Path, b: &Path) -> bool {
    a == b
        || match (a.canonicalize(), b.canonicalize()) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        }
}

/// No lock is there: there was none yet, or it was deleted.
pub fn no_lock(project: &Project) -> Failure {
    let head = Base::new(project, "HEAD").ok();
    let mut packages = project.packages.iter();
    let gone = head.and_then(|head| {
        let gone = packages.find_map(|package| head.gone(project, package).ok()?.pop());
        gone.map(Failure::from)
    });
    gone.unwrap_or_else(|| {
        Failure::new(
            codes::NO_LOCK,
            "no lock was found: nothing is locked here",
            "if there was a folder `schema`, restore it from version control; else `cargo recount schema init`",
        )
    })
}

/// A lock of which nothing can be said.
pub fn unusable(project: &Project, error: &LockError) -> Failure {
    damaged(project, error).into()
}

/// A file of the lock that is damaged.
pub fn damaged(project: &Project, error: &LockError) -> Diagnostic {
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        text = format!("{text}: {source}");
    }
    let mut code = codes::LOCK_UNREADABLE;
    for of_rule in ["RC1006", "RC1044"] {
        if let Some(rest) = text.strip_prefix(&format!("[{of_rule}] ")) {
            text = rest.to_owned();
            code = of_rule;
        }
    }
    let root = format!("{}/", project.workspace_root.display());
    let text = text.replace(&root, "");
    let (message, resolve) = match text.rsplit_once("; ") {
        Some((message, resolve)) => (message.to_owned(), Some(resolve.to_owned())),
        None => (text, None),
    };
    let mut diagnostic = Diagnostic::new(code, Severity::Error, message);
    diagnostic.resolve = resolve;
    diagnostic
}
