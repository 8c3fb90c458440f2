//! `scan`: every stored event, through the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chrono::{SecondsFormat, Utc};
use recount_schema::lock::Status;
use serde::{Deserialize, Serialize};

use crate::args::Common;
use crate::ask::{Programs, io};
use crate::code::{full_name, no_lock};
use crate::codes;
use crate::outcome::{Diagnostic, Failure, Outcome, Result, Severity, number};
use crate::project::Project;

/// What a scan found: evidence.
#[derive(Debug, Serialize, Deserialize)]
pub struct Scan {
    kind: String,
    /// When it began.
    pub taken_at: chrono::DateTime<Utc>,
    /// The store, without its password.
    pub store: String,
    pub categories: Vec<Category>,
}

/// What the store holds of an aggregate's events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Category {
    pub category: String,
    pub counts: Vec<Count>,
    /// How many cannot be read.
    pub failed: u64,
    failures: Vec<Unread>,
    /// Why it is not all.
    pub error: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Count {
    pub name: String,
    pub version: u32,
    pub count: u64,
    pub failed: u64,
    /// The aggregate reads them no more, and says so (`retired`).
    #[serde(default)]
    pub passed_over: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Unread {
    position: u64,
    stream: String,
    stream_version: u64,
    name: String,
    version: u32,
    reason: String,
}

/// The word that evidence begins with.
const KIND: &str = "recount-scan-1";

impl Scan {
    /// Reads evidence, as `--out` or `--format json` wrote it.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).map_err(|error| io(file, &error))?;
        let refused = |problem: String| {
            Failure::new(
                codes::NO_EVIDENCE,
                format!("{}: {problem}", file.display()),
                "cargo recount schema scan --store URL --out FILE",
            )
        };
        let mut value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
        if let Some(data) = value.get_mut("data") {
            value = data.take();
        }
        let scan: Self =
            serde_json::from_value(value).map_err(|error| refused(error.to_string()))?;
        if scan.kind != KIND {
            return Err(refused(format!("`{}` is not known", scan.kind)));
        }
        Ok(scan)
    }
}

pub fn run(common: &Common, store: &str, out: Option<&Path>) -> Result<Outcome> {
    if store.starts_with("memory:") {
        return Err(Failure::new(
            codes::STORE,
            "a store in memory is another one in each process",
            "name a store that is kept: `sqlite:PATH`, `postgres://…`",
        ));
    }
    let store = absolute(store);
    let project = Project::read(common)?;
    let taken_at = Utc::now();
    let mut categories: Vec<Category> = Vec::new();
    let mut is_any = false;
    let mut drafts = Vec::new();
    let mut stored = BTreeSet::new();
    for package in &project.packages {
        let locks = package.locks();
        if locks.is_empty() {
            continue;
        }
        is_any = true;
        for dir in locks {
            let lock = recount_schema::lock::Lock::read(&dir)
                .map_err(|error| super::failed(&project, &error))?;
            let entries = lock.into_iter().flat_map(|lock| lock.index.events);
            for entry in entries {
                for version in entry.versions {
                    match version.status {
                        Status::Dropped => continue,
                        Status::Draft => drafts.push((
                            entry.category.clone(),
                            entry.name.clone(),
                            version.number,
                        )),
                        _ => {}
                    }
                    stored.extend(entry.category.clone());
                }
            }
        }
        let programs = Programs::build(common, package)?;
        let found: Vec<Category> = programs.ask("scan", &[("RECOUNT_SCHEMA_STORE", &store)])?;
        for one in found {
            // A program may hold the same aggregate as the library.
            if !categories
                .iter()
                .any(|known| known.category == one.category)
            {
                categories.push(one);
            }
        }
    }
    if !is_any {
        return Err(no_lock(&project));
    }
    if categories.is_empty() {
        return Err(Failure::new(
            codes::NO_ANSWER,
            "no aggregate is under a lock, so no stored event was looked at",
            "cargo recount schema explain RC3021",
        ));
    }
    if let Some(error) = categories.iter().find_map(|one| one.error.as_ref()) {
        return Err(Failure::new(
            codes::STORE,
            error.clone(),
            if store.starts_with("sqlite:") {
                "look at the path"
            } else {
                "look at the URL; a server needs recount's feature `postgres` in the package"
            },
        ));
    }
    let scan = Scan {
        kind: KIND.to_owned(),
        taken_at,
        store: without_password(&store),
        categories,
    };
    let looked = scan.categories.iter().map(|of| &of.category);
    for category in looked {
        stored.remove(category);
    }
    told(&scan, &drafts, &stored, out)
}

fn told(
    scan: &Scan,
    drafts: &[(Option<String>, String, u32)],
    not_looked_at: &BTreeSet<String>,
    out: Option<&Path>,
) -> Result<Outcome> {
    let data = serde_json::to_value(scan)
        .map_err(|error| Failure::new(codes::IO, error.to_string(), ""))?;
    let mut outcome = Outcome::default();
    let (mut all, mut passed_over) = (0, 0);
    for of in &scan.categories {
        for one in &of.counts {
            all += one.count;
            let unread = match one.failed {
                _ if one.passed_over => {
                    passed_over += one.count;
                    ", passed over".to_owned()
                }
                0 => String::new(),
                failed => format!(", {failed} of them not readable"),
            };
            let full = full_name(Some(&of.category), &one.name);
            let Count { count, version, .. } = one;
            outcome.say(&format!("  {count:>9}  {full} v{version}{unread}"));
            let is_draft = drafts.iter().any(|(category, name, version)| {
                category.as_ref() == Some(&of.category)
                    && (name, version) == (&one.name, &one.version)
            });
            if is_draft {
                outcome.diagnostics.push(
                    Diagnostic::new(
                        codes::DRAFT_LEFT,
                        Severity::Warning,
                        "a draft, and stored already",
                    )
                    .of(full, one.version)
                    .resolve("cargo recount schema release, if this store counts"),
                );
            }
        }
        for one in &of.failures {
            let place = format!(
                "position {}, version {} of stream {}",
                one.position, one.stream_version, one.stream
            );
            outcome.diagnostics.push(
                Diagnostic::own(codes::UNREADABLE_EVENT, &one.reason)
                    .of(full_name(Some(&of.category), &one.name), one.version)
                    .at(place),
            );
        }
    }
    let failed: u64 = scan.categories.iter().map(|of| of.failed).sum();
    outcome.then = format!(
        "{} in {}; {}",
        number(usize::try_from(all).unwrap_or(usize::MAX), "event"),
        scan.store,
        match (failed, passed_over) {
            (0, 0) => "all of them can be read".to_owned(),
            (0, 1) => "1 of them is passed over, all others can be read".to_owned(),
            (0, passed_over) =>
                format!("{passed_over} of them are passed over, all others can be read"),
            (failed, 0) => format!("{failed} cannot be read"),
            (failed, passed_over) => format!("{failed} cannot be read, {passed_over} passed over"),
        }
    );
    if !not_looked_at.is_empty() {
        outcome.diagnostics.extend(not_looked_at.iter().map(unseen));
        let names: Vec<_> = not_looked_at.iter().map(|of| format!("`{of}`")).collect();
        let names = names.join(", ");
        outcome.then = format!("{}; streams of {names} were not looked at", outcome.then);
    }
    if let Some(out) = out {
        fs::write(out, format!("{data:#}\n")).map_err(|error| io(out, &error))?;
        outcome.then = format!("{}; written to {}", outcome.then, out.display());
    }
    outcome.data = data;
    Ok(outcome)
}

/// A category of the lock that no aggregate of the code has.
fn unseen(category: &String) -> Diagnostic {
    let message =
        "no aggregate of the code has this category: what is stored of it was not looked at";
    let mut one = Diagnostic::own(codes::NOT_LOOKED_AT, message)
        .resolve("scan with a revision that has the aggregate");
    one.path.clone_from(category);
    one
}

/// The code is run in the package's folder, the user may be in another one.
fn absolute(store: &str) -> String {
    let Some(rest) = store.strip_prefix("sqlite:") else {
        return store.to_owned();
    };
    let path = rest.strip_prefix("//").unwrap_or(rest);
    match std::path::absolute(path) {
        Ok(path) => format!("sqlite:{}", path.display()),
        Err(_) => store.to_owned(),
    }
}

/// A URL as it may be kept: evidence is committed, and shown to others.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (address, options) = rest.split_once('?').unwrap_or((rest, ""));
    let address = match address.rsplit_once('@') {
        Some((_, address)) => format!("…@{address}"),
        None => address.to_owned(),
    };
    let is_secret = |option: &&str| {
        let name = option.split('=').next().unwrap_or_default();
        matches!(name, "password" | "sslpassword")
    };
    let shown: Vec<_> = options
        .split('&')
        .filter(|option| !option.is_empty() && !is_secret(option))
        .collect();
    match shown.as_slice() {
        [] => format!("{scheme}://{address}"),
        shown => format!("{scheme}://{address}?{}", shown.join("&")),
    }
}

/// A time as people read it.
pub fn shown(time: chrono::DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
