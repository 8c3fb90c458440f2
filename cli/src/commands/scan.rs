//! `scan`: every stored event, through the code.

use std::collections::{BTreeMap, BTreeSet};
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
    /// How many events there are of other categories, which no aggregate read.
    #[serde(default)]
    not_looked_at: BTreeMap<String, u64>,
}

/// What the store holds of an aggregate's events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Category {
    pub category: String,
    pub counts: Vec<Count>,
    /// How many cannot be read.
    pub failed: u64,
    failures: Vec<Unread>,
    /// All that the store holds, by category, where this one's answer has it.
    #[serde(default, skip_serializing)]
    stored: Option<BTreeMap<String, u64>>,
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
    let counted = categories.iter_mut().filter_map(|of| of.stored.take());
    let mut not_looked_at: BTreeMap<String, u64> = counted.flatten().collect();
    // Of those that the lock has it is told even that there are none.
    for category in stored {
        not_looked_at.entry(category).or_default();
    }
    not_looked_at.retain(|category, _| !categories.iter().any(|of| of.category == *category));
    let scan = Scan {
        kind: KIND.to_owned(),
        taken_at,
        store: without_password(&store),
        categories,
        not_looked_at,
    };
    told(&scan, &drafts, out)
}

fn told(
    scan: &Scan,
    drafts: &[(Option<String>, String, u32)],
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
    let unseen: u64 = scan.not_looked_at.values().sum();
    let looked_at = if unseen > 0 {
        " that were looked at"
    } else {
        ""
    };
    outcome.then = format!(
        "{} in {}; {}",
        number(usize::try_from(all + unseen).unwrap_or(usize::MAX), "event"),
        scan.store,
        match (failed, passed_over) {
            (0, 0) if unseen > 0 => "all that were looked at can be read".to_owned(),
            (0, 0) => "all of them can be read".to_owned(),
            (0, 1) => format!("1 of them is passed over, all others{looked_at} can be read"),
            (0, passed_over) =>
                format!("{passed_over} of them are passed over, all others{looked_at} can be read"),
            (failed, 0) => format!("{failed} cannot be read"),
            (failed, passed_over) => format!("{failed} cannot be read, {passed_over} passed over"),
        }
    );
    if !scan.not_looked_at.is_empty() {
        let all = scan.not_looked_at.iter();
        outcome
            .diagnostics
            .extend(all.map(|(category, count)| not_looked_at(category, *count)));
        let names = scan.not_looked_at.keys();
        let names: Vec<_> = names.map(|of| format!("`{of}`")).collect();
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

/// A category that no aggregate of the code has.
fn not_looked_at(category: &str, count: u64) -> Diagnostic {
    let message = match usize::try_from(count) {
        Ok(0) => {
            "no aggregate of the code has this category: what is stored of it was not looked at"
                .to_owned()
        }
        count => format!(
            "{}, and no aggregate under a lock here reads them: they were not looked at",
            number(count.unwrap_or(usize::MAX), "event")
        ),
    };
    let mut one = Diagnostic::own(codes::NOT_LOOKED_AT, message)
        .resolve("scan with a program, or a revision, that has the aggregate");
    category.clone_into(&mut one.path);
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
