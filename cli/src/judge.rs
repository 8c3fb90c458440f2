//! The code beside the lock.

use std::collections::BTreeMap;

use recount_schema::lock::{Accepted, Contract, Policy, Status, Version};
use recount_schema::private::closest;
use recount_schema::{Advice, Breaks, Guard, Level, Problem, Released, Report, Rule, lint_event};

use crate::code::{Aggregate, Event, Found, Site, damaged, full_name};
use crate::codes;
use crate::grown::{added, grown};
use crate::outcome::{Diagnostic, Severity};
use crate::project::Project;
use crate::streams;
use crate::witness::witness;

/// How strictly what is merely unfinished is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strict {
    /// While working: drafts that are behind the code are warnings.
    Working,
    /// Before merging: they are errors.
    Check,
}

impl Strict {
    pub fn unfinished(self, code: &str, message: impl Into<String>) -> Diagnostic {
        let mut one = Diagnostic::own(code, message);
        if self == Self::Working {
            one.severity = Severity::Warning;
        }
        one
    }
}

/// All that can be said of a lock and its code.
pub fn judge(project: &Project, site: &Site<'_>, strict: Strict) -> Vec<Diagnostic> {
    let mut all = streams::judge(site);
    all.extend(streams::renamed(site, strict));
    let moved = streams::moved(site);
    all.extend(moved.iter().map(streams::Moved::diagnostic));
    all.extend(site.taken.iter().map(|one| one.diagnostic(strict)));
    // That their events are missing in one place and new in another follows from that.
    let touched = streams::touched(&moved);
    let is_moved =
        |category: Option<&str>| touched.iter().any(|one| Some(one.as_str()) == category);
    let events = site.events.iter();
    for event in events.filter(|event| !is_moved(event.category.as_deref())) {
        all.extend(of_event(site, event, strict));
    }
    all.extend(files(project, site, &|_, _| true));
    all.extend(site.aggregates.iter().flat_map(|of| unknown(site, of)));
    for entry in &site.lock.index.events {
        let category = entry.category.as_deref();
        for (before, version) in entry.versions.iter().enumerate() {
            let missing = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
            if version.number != missing {
                let event = site.event(category, &entry.name, version.number);
                let message = format!("the lock has no v{missing} before it");
                all.push(
                    event
                        .and_then(|event| apart(site, event))
                        .unwrap_or_else(|| {
                            rule(Rule::VersionGap, Severity::Error, message)
                                .of(full_name(category, &entry.name), version.number)
                                .resolve("restore its line and its files from version control")
                        }),
                );
                break;
            }
        }
        for version in &entry.versions {
            let is_there = site.event(category, &entry.name, version.number).is_some();
            if !is_there && !is_moved(category) {
                all.extend(of_absent(site, category, &entry.name, version, strict));
            }
        }
    }
    all
}

/// What an aggregate passes over, and the lock does not know: it is misspelt, or older than the lock.
fn unknown(site: &Site<'_>, of: &Aggregate) -> Vec<Diagnostic> {
    let entries = site.lock.index.events.iter();
    let entries = entries.filter(|entry| entry.category.as_ref() == Some(&of.category));
    let known: Vec<_> = entries.map(|entry| entry.name.as_str()).collect();
    let retired = of.retired.iter().map(String::as_str);
    let unknown = retired.filter(|name| !known.contains(name));
    let told = unknown.map(|name| {
        let message =
            format!("`retired({name:?})` passes over an event that the lock does not know");
        let mut one = Diagnostic::own(codes::NOTHING_RETIRED, message);
        name.clone_into(&mut one.path);
        let one = one.at(format!("{}:{}", of.file.display(), of.line));
        match closest(name, known.iter().copied()) {
            Some(near) => one.resolve(format!("did you mean {near:?}?")),
            None => one.resolve("nothing, if it was given up before there was a lock"),
        }
    });
    told.collect()
}

fn rule(rule: Rule, severity: Severity, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(rule.code(), severity, message)
}

/// A version that got another name while the types of those before it kept theirs: under no name would all versions follow one another.
pub fn apart(site: &Site<'_>, event: &Event) -> Option<Diagnostic> {
    let (category, name) = (event.category.as_deref(), event.name());
    let before = event.version().checked_sub(1)?;
    if site.event(category, name, before).is_some() {
        return None;
    }
    let mut formerly = event.formerly.iter();
    let former = formerly.find(|former| site.event(category, former, before).is_some())?;
    let older = (1..=before).filter_map(|version| site.event(category, former, version));
    let older: Vec<_> = older.map(|older| format!("`{}`", older.ident)).collect();
    let message = format!("it got another name, and v{before} is still called {former}");
    Some(
        rule(Rule::VersionGap, Severity::Error, message)
            .of(event.full_name(), event.version())
            .at(event.place())
            .resolve(format!(
                "write `#[event(name = {name:?}, formerly = {former:?})]` on {} too",
                older.join(", ")
            )),
    )
}

/// What to do about a change, in the words of the compiler; or that no such payload was ever stored.
fn bump_or_accept(site: &Site<'_>, event: &Event, version: u32, within: &str) -> String {
    let name = event.full_name();
    let entry = site
        .lock
        .index
        .event(event.category.as_deref(), event.name());
    let versions = entry.map_or(&[][..], |entry| entry.versions.as_slice());
    let newest = versions.iter().map(|version| version.number).max();
    let advice = Advice {
        version,
        newest: newest.unwrap_or(version),
        within,
        bump: &format!("cargo recount schema bump {name}"),
    };
    format!(
        "{};\nor, if v{version} was never stored like that: `cargo recount schema accept {name} --reason \"…\"`",
        advice.text()
    )
}

/// The type in which a change lies, if the field of the event that holds it is as it was.
fn within<'e>(event: &'e Event, old: &Contract, problem: &Problem) -> &'e str {
    let mut fields = event.fields.iter();
    let of_path = fields.find(|(name, _)| problem.is_within(name));
    of_path.map_or("", |(name, ty)| old.rust.within(name, ty))
}

/// What `accept` would mend of a draft. A merge may have left anything in its file.
fn of_draft(site: &Site<'_>, event: &Event, listed: &Version) -> Option<&'static str> {
    if event.contract.digest() != listed.digest {
        return Some("the draft is not what the code says");
    }
    let (category, version) = (event.category.as_deref(), event.version());
    let file = site.lock.contract(category, event.name(), version);
    file.is_err()
        .then_some("the file of the draft is not what the lock says")
}

/// An event of the code.
fn of_event(site: &Site<'_>, event: &Event, strict: Strict) -> Vec<Diagnostic> {
    let (category, name) = (event.category.as_deref(), event.name());
    let mut all: Vec<_> = alone(site, event);
    let of_event = |diagnostic: Diagnostic| {
        diagnostic
            .of(event.full_name(), event.version())
            .at(event.place())
    };
    let mut tombstones = site.lock.index.tombstones.iter();
    if let Some(tombstone) =
        tombstones.find(|one| one.category.as_deref() == category && one.event == name)
    {
        all.extend(of_tombstone(event, &tombstone.fields, &tombstone.reason).map(of_event));
    }
    let mut is_broken = false;
    // What was stored under an older name is read as this type, too.
    for former in &event.formerly {
        let listed = site.lock.version(category, former, event.version());
        let is_frozen = listed.is_some_and(|listed| listed.status.is_frozen());
        let contract = site.lock.contract(category, former, event.version());
        if let (true, Ok(Some(contract))) = (is_frozen, contract) {
            let changes = changes(site, event, &contract);
            is_broken |= changes
                .iter()
                .any(|change| change.severity == Severity::Error);
            all.extend(changes);
        }
    }
    let Some(listed) = site.lock.version(category, name, event.version()) else {
        all.push(apart(site, event).unwrap_or_else(|| {
            let message = "not in the lock yet";
            of_event(
                strict
                    .unfinished(codes::NOT_LOCKED, message)
                    .resolve("cargo recount schema accept"),
            )
        }));
        return all;
    };
    match listed.status {
        Status::Draft => {
            if let Some(message) = of_draft(site, event, listed) {
                all.push(of_event(
                    strict
                        .unfinished(codes::DRAFT_CHANGED, message)
                        .resolve("cargo recount schema accept"),
                ));
            }
        }
        Status::Dropped
            if site
                .newest(category, name)
                .is_some_and(|newest| newest.version() > event.version()) =>
        {
            let message = "dropped: stored nowhere, so its type and its conversion may be deleted";
            all.push(of_event(Diagnostic::own(codes::MAY_GO, message)));
        }
        Status::Dropped => all.push(of_event(
            rule(
                Rule::Tombstone,
                Severity::Error,
                "dropped: a version that was given up may not come back",
            )
            .resolve("choose another name, or another version"),
        )),
        // A contract that cannot be read is told of the files.
        status => {
            if status == Status::Retired && site.writes(category, name, event.version()) {
                let message = "retired, but it is what the code writes again";
                all.push(of_event(
                    Diagnostic::own(codes::WRITTEN_AGAIN, message).resolve(not_written(
                        category,
                        name,
                        event.version(),
                    )),
                ));
            }
            if let Ok(Some(contract)) = site.lock.contract(category, name, event.version()) {
                let changes = changes(site, event, &contract);
                is_broken |= changes
                    .iter()
                    .any(|change| change.severity == Severity::Error);
                all.extend(changes);
                if !is_broken && grown(&contract, &event.contract).digest() != contract.digest() {
                    let message = extended(&contract, &event.contract);
                    let resolve = format!("cargo recount schema accept {}", event.full_name());
                    all.push(of_event(
                        strict.unfinished(codes::GROWN, message).resolve(resolve),
                    ));
                }
            }
        }
    }
    // Payloads that a broken rule makes unreadable say nothing new, nor does a file that cannot be read.
    let is_news = |found: &&Found| {
        found.code != Rule::LockEdited.code()
            && !(is_broken
                && found.code == Rule::SampleUnreadable.code()
                && found.version == event.version())
    };
    let found = event.findings.iter().filter(is_news);
    all.extend(found.map(|found| of_found(site, event, found)));
    all
}

/// How a version comes to be written no more.
pub fn not_written(category: Option<&str>, name: &str, version: u32) -> String {
    format!(
        "write v{} first (`cargo recount schema bump {}`), or give the event up: delete its type and write `retired({name:?})` on the aggregate",
        version + 1,
        full_name(category, name)
    )
}

/// What a compatible change did.
pub fn extended(contract: &Contract, code: &Contract) -> String {
    let (came, went) = (added(contract, code), added(code, contract));
    let named = [(came, "came"), (went, "went")];
    let named: Vec<_> = named
        .iter()
        .filter(|(paths, _)| !paths.is_empty())
        .map(|(paths, what)| format!("{} {what}", paths.join(", ")))
        .collect();
    let what = if named.is_empty() {
        "changed".to_owned()
    } else {
        named.join(", and ")
    };
    format!("{what} since it was released, and the lock does not know what is written now")
}

/// What is wrong with a shape by itself.
fn alone(site: &Site<'_>, event: &Event) -> Vec<Diagnostic> {
    let report: Report = lint_event(event.contract.shape);
    told(site, event, &report, None)
}

fn of_tombstone(event: &Event, fields: &[String], reason: &str) -> Option<Diagnostic> {
    let given_up = if fields.is_empty() {
        "the name".to_owned()
    } else {
        let used = event
            .fields
            .iter()
            .find(|(name, _)| fields.contains(name))?;
        format!("the field `{}`", used.0)
    };
    let message = format!("{given_up} was given up and may not come back: {reason}");
    Some(rule(Rule::Tombstone, Severity::Error, message).resolve("choose another name"))
}

/// What is different in the code since a version was released.
pub fn changes(site: &Site<'_>, event: &Event, contract: &Contract) -> Vec<Diagnostic> {
    let report = Report::<{ Released::PROBLEMS }>::of(contract.shape, event.contract.shape);
    told(site, event, &report, Some(contract))
}

fn told<const KEPT: usize>(
    site: &Site<'_>,
    event: &Event,
    report: &Report<KEPT>,
    old: Option<&Contract>,
) -> Vec<Diagnostic> {
    let category = event.category.as_deref();
    let name = old.map_or(event.name(), |contract| contract.event.as_str());
    let accepted: Vec<_> = site
        .lock
        .index
        .accepted(category, name, event.version())
        .collect();
    let problems = report.problems().iter();
    let is_alone = report.problems().len() == 1;
    problems
        .filter(|problem| !is_accepted(&accepted, problem))
        .filter_map(|problem| {
            let severity = severity(&site.lock.index.policy, problem)?;
            let mut one = rule(problem.rule, severity, in_words(problem))
                .of(full_name(category, name), event.version())
                .at(event.place());
            one.path = problem.path.to_string();
            one.before = some(problem.before.as_str());
            one.after = some(problem.after.as_str());
            if let Some(old) = old {
                one.breaks = Some(problem.breaks.to_string());
                one.witness = witness(problem, is_alone, old.shape, event.contract.shape);
                if severity == Severity::Error {
                    one.resolve = Some(if name == event.name() {
                        let within = within(event, old, problem);
                        let advice = bump_or_accept(site, event, event.version(), within);
                        format!("{}{advice}", kept_readable(problem))
                    } else {
                        format!(
                            "take the change back: what is stored as {name} is read as `{}`; release that first, and change its next version",
                            event.ident
                        )
                    });
                }
            }
            if let Some(now) = report.renamed(problem) {
                let key = one.path.rsplit('.').next().unwrap_or_default();
                one.resolve = Some(format!(
                    "if it is {} now: write `#[serde(rename = {key:?})]` above that, so that only its name in Rust changes",
                    now.path
                ));
            }
            if let Some((was, now)) = problem.gone_variant().filter(|(_, now)| !now.is_empty()) {
                one.resolve = Some(format!(
                    "if it is {now} now: write `#[serde(rename = {was:?})]` above that, so that only its name in Rust changes"
                ));
            }
            if one.resolve.is_none() {
                one.resolve = Some(format!("cargo recount schema explain {}", one.code));
            }
            Some(one)
        })
        .collect()
}

/// The nearest way out, where a field alone is in the way.
fn kept_readable(problem: &Problem) -> &'static str {
    match problem.rule {
        Rule::FieldAdded | Rule::BecameRequired => {
            "make it an `Option`, or write `#[serde(default)]` above it; or "
        }
        Rule::FieldRemoved => "keep it; or ",
        Rule::VariantRemoved => {
            "keep it, with `#[serde(rename = \"…\")]` if only its name in Rust changed, or with `alias` if it is stored under another name \
             from now on; or "
        }
        _ => "",
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

pub fn is_accepted(accepted: &[&Accepted], problem: &Problem) -> bool {
    accepted
        .iter()
        .any(|one| one.rule == problem.rule.code() && one.path == problem.path.as_str())
}

/// `u16 -> u8: the integer cannot hold all stored values`.
pub fn in_words(problem: &Problem) -> String {
    let is_of_stored = matches!(
        problem.rule,
        Rule::FieldAdded
            | Rule::BecameRequired
            | Rule::UnknownFieldDenied
            | Rule::IntegerRange
            | Rule::StringFormat
            | Rule::DuplicateField
            | Rule::FloatRange
            | Rule::VariantRemoved
    );
    // Of what is only written from now on, the reader is the last release.
    let title = if is_of_stored && problem.breaks == Breaks::FORWARD {
        "the last release cannot read all that is written now"
    } else {
        problem.rule.title()
    };
    let nothing = |text: &str| match text {
        "" => "nothing".to_owned(),
        text => text.to_owned(),
    };
    match (problem.before.as_str(), problem.after.as_str()) {
        ("", "") => title.to_owned(),
        (before, after) => format!("{} -> {}: {title}", nothing(before), nothing(after)),
    }
}

/// How serious a problem is; nothing if the policy switches its rule off. What hits only processes of the last release is
/// a warning, unless the policy names the rule. What does not compile is an error, whatever the policy says.
pub fn severity(policy: &Policy, problem: &Problem) -> Option<Severity> {
    let hits_stored = problem.breaks.has(Breaks::BACKWARD) || problem.breaks.has(Breaks::MEANING);
    if hits_stored && problem.rule.guard() == Guard::Compiler {
        return Some(Severity::Error);
    }
    let level = policy.level(problem.rule)?;
    let is_forward_only = problem.breaks == Breaks::FORWARD;
    if is_forward_only && !policy.rules.contains_key(problem.rule.code()) {
        return Some(Level::Warn.into());
    }
    Some(level.into())
}

/// What verifying found.
fn of_found(site: &Site<'_>, event: &Event, found: &Found) -> Diagnostic {
    let level = Rule::from_code(&found.code).and_then(|rule| site.lock.index.policy.level(rule));
    let severity = level.map_or(Severity::Note, Severity::from);
    let mut one = Diagnostic::new(&found.code, severity, &found.message)
        .of(
            full_name(event.category.as_deref(), &found.event),
            found.version,
        )
        .at(event.place());
    one.path.clone_from(&found.path);
    one.witness.clone_from(&found.witness);
    one.resolve = Some(match found.code.as_str() {
        "RC2001" | "RC2002" | "RC2003" => bump_or_accept(site, event, found.version, ""),
        code => format!("cargo recount schema explain {code}"),
    });
    one
}

/// What is wrong with the files of released versions, of the events that are meant.
pub fn files(
    project: &Project,
    site: &Site<'_>,
    is_meant: &dyn Fn(Option<&str>, &str) -> bool,
) -> Vec<Diagnostic> {
    let mut all = Vec::new();
    for entry in &site.lock.index.events {
        let (category, name) = (entry.category.as_deref(), entry.name.as_str());
        let versions = entry.versions.iter();
        let frozen = versions.filter(|version| version.status.is_frozen());
        for version in frozen.filter(|_| is_meant(category, name)) {
            let contract = site.lock.contract(category, name, version.number).err();
            let samples = site.lock.samples(category, name, version.number).err();
            let full = full_name(category, name);
            for error in contract.into_iter().chain(samples) {
                let mut one = damaged(project, &error).of(&full, version.number);
                one.resolve = one.resolve.map(|what| what.replace("EVENT", &full));
                all.push(one);
            }
        }
    }
    all
}

/// A version of the lock for which the code has no type of its own: an older type may be gone, if its payloads are read.
fn of_absent(
    site: &Site<'_>,
    category: Option<&str>,
    name: &str,
    version: &Version,
    strict: Strict,
) -> Option<Diagnostic> {
    let full = full_name(category, name);
    let number = version.number;
    let one = match version.status {
        Status::Dropped => return None,
        Status::Draft => strict
            .unfinished(codes::DRAFT_GONE, "the draft is not in the code any more")
            .resolve("cargo recount schema accept"),
        status => {
            let of_category = || {
                let aggregates = site.aggregates.iter();
                aggregates.filter(|of| Some(of.category.as_str()) == category)
            };
            let is_read = of_category()
                .flat_map(|of| &of.readable)
                .any(|one| one.name == name && one.version == number)
                || site.reader(category, name, number).is_some();
            let is_passed_over =
                of_category().any(|of| of.retired.iter().any(|retired| retired == name));
            if is_passed_over && status != Status::Retired {
                Diagnostic::own(
                    codes::PASSED_OVER,
                    "the code passes over it, but the lock has it as released",
                )
                .resolve(format!("cargo recount schema retire {full} v{number}"))
            } else if is_read || is_passed_over {
                return None;
            } else {
                let is_known = site.newest(category, name).is_some();
                let (broken, message) = if is_known {
                    (
                        Rule::NoUpcast,
                        "released, but neither a type nor a conversion reads it any more",
                    )
                } else {
                    (
                        Rule::EventUnlisted,
                        "released, but not known to the code any more: history with it could not be read",
                    )
                };
                let resolve = if is_known {
                    "bring its type and its conversion back".to_owned()
                } else {
                    bring_back(site, category, name, version)
                };
                rule(broken, Severity::Error, message).resolve(resolve)
            }
        }
    };
    Some(one.of(full, number))
}

/// What to do about an event that nothing reads: where `retired` stands, or how a whole aggregate may go.
fn bring_back(site: &Site<'_>, category: Option<&str>, name: &str, version: &Version) -> String {
    let Some(category) = category else {
        return "bring its type back".to_owned();
    };
    let mut aggregates = site.aggregates.iter();
    if let Some(of) = aggregates.find(|of| of.category == category) {
        return format!(
            "if only its type has another name now: write `#[event(name = {name:?})]` above it; if it shall be stored under another name \
             from now on: `#[event(formerly = {name:?})]`; else bring its type and its method back, or give up what is stored of it, which \
             is passed over then: write `retired({name:?})` in `#[aggregate(…)]` of `{}`, {}:{}",
            of.ident,
            of.file.display(),
            of.line
        );
    }
    let event = format!("{} v{}", full_name(Some(category), name), version.number);
    let retire = match version.status {
        Status::Retired => String::new(),
        _ => format!("`cargo recount schema retire {event}`, "),
    };
    format!(
        "bring the aggregate of `{category}` back: nothing else reads its streams;\nit may go when nothing of it is stored any more: \
         `cargo recount schema scan --store URL --out scan.json` while it is there, and without it {retire}\
         `cargo recount schema drop {event} --evidence scan.json`"
    )
}

/// The events of a site by their names, with all versions of the code and of the lock.
pub fn versions(site: &Site<'_>) -> BTreeMap<(Option<String>, String), Vec<u32>> {
    let mut all: BTreeMap<(Option<String>, String), Vec<u32>> = BTreeMap::new();
    let of_code = site
        .events
        .iter()
        .map(|event| (&event.category, event.name(), event.version()));
    let of_lock = site.lock.index.events.iter().flat_map(|entry| {
        let versions = entry.versions.iter();
        versions.map(|version| (&entry.category, entry.name.as_str(), version.number))
    });
    for (category, name, version) in of_code.chain(of_lock) {
        let versions = all.entry((category.clone(), name.to_owned())).or_default();
        if let Err(place) = versions.binary_search(&version) {
            versions.insert(place, version);
        }
    }
    all
}
