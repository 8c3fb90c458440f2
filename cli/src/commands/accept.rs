//! `accept`: drafts are taken over from the code; released versions where they are named, and what breaks a rule with a reason.

use recount_schema::lock::{Accepted, Contract, Policy, Status};
use recount_schema::{Breaks, Problem, Released, Report};
use serde_json::json;

use super::{failed, refuse_in_ci, remove, samples, shown, write};
use crate::args::Common;
use crate::code::{Event, Found, Site, find, full_name};
use crate::codes;
use crate::grown::grown;
use crate::judge::{apart, extended, files, in_words, is_accepted, severity};
use crate::outcome::{Diagnostic, Failure, Outcome, Result, Severity};
use crate::project::Project;
use crate::streams;

pub fn run(common: &Common, word: Option<&str>, reason: Option<&str>) -> Result<Outcome> {
    refuse_in_ci("accept")?;
    if reason.is_some_and(|reason| reason.trim().is_empty()) || (reason.is_some() && word.is_none())
    {
        return Err(Failure::new(
            codes::NOT_NOW,
            "a reason is given for one event, and says something",
            "cargo recount schema accept EVENT --reason \"never stored: …\"",
        ));
    }
    let project = Project::read(common)?;
    let mut sites = Site::all(common, &project, "check")?;
    if let Some(found) = word.and_then(|word| lost(&sites, word)) {
        return Ok(Outcome {
            diagnostics: vec![found],
            ..Outcome::default()
        });
    }
    let only = match word {
        Some(word) => {
            let (site, category, name) = find(&mut sites, word)?;
            Some((site.lock.dir().to_owned(), category, name))
        }
        None => None,
    };
    let mut done = Vec::new();
    let mut outcome = Outcome::default();
    let (mut written, mut deleted) = (Vec::new(), Vec::new());
    for site in &mut sites {
        if only
            .as_ref()
            .is_some_and(|(dir, ..)| site.lock.dir() != dir)
        {
            continue;
        }
        let is_meant = |category: Option<&str>, name: &str| match &only {
            Some((_, of, meant)) => of.as_deref() == category && meant == name,
            None => true,
        };
        let damaged = files(&project, site, &is_meant);
        if !damaged.is_empty() {
            outcome.diagnostics.extend(damaged);
            continue;
        }
        let before = done.len();
        // Whatever is written of the lock has them in their new place.
        for taken in &site.taken {
            done.extend(taken.done());
            deleted.extend(shown(&project, &taken.files));
        }
        let moved = streams::moved(site);
        let diagnostics = moved.iter().map(streams::Moved::diagnostic);
        outcome.diagnostics.extend(diagnostics);
        outcome.diagnostics.extend(streams::judge(site));
        let touched = streams::touched(&moved);
        let is_meant = |category: Option<&str>, name: &str| {
            let mut touched = touched.iter();
            is_meant(category, name) && !touched.any(|one| Some(one.as_str()) == category)
        };
        let events = site.events.iter();
        let events = events.filter(|event| is_meant(event.category.as_deref(), event.name()));
        let events: Vec<Event> = events.cloned().collect();
        for event in &events {
            match one(&project, site, event, only.is_some(), reason)? {
                Step::Nothing => {}
                Step::Done(what) => done.push((event.full_name(), event.version(), what)),
                Step::Apart(one) => outcome.diagnostics.push(*one),
                Step::Refused(mut refusals) => {
                    // Who named no event asked for drafts.
                    if only.is_none() {
                        for one in &mut refusals {
                            one.severity = Severity::Warning;
                        }
                    }
                    outcome.diagnostics.extend(refusals);
                }
            }
        }
        let gone = take_out(&project, site, &is_meant)?;
        deleted.extend(gone.files);
        done.extend(gone.versions);
        let is_recorded = only.is_none() && streams::record(site);
        if done.len() > before || is_recorded {
            written.extend(write(&project, site)?);
        }
    }
    told(&mut outcome, &done, &written, &deleted);
    Ok(outcome)
}

/// What was done, and to which files.
fn told(
    outcome: &mut Outcome,
    done: &[(String, u32, String)],
    written: &[String],
    deleted: &[String],
) {
    for (event, version, what) in done {
        outcome.say(&format!("{event} v{version}: {what}"));
    }
    outcome.data = json!({
        "accepted": done.iter().map(|(event, version, what)| json!({ "event": event, "version": version, "what": what })).collect::<Vec<_>>(),
        "files": written,
        "deleted": deleted,
    });
    outcome.then = match (written.join(", "), deleted.join(", ")) {
        (written, _) if written.is_empty() && outcome.diagnostics.is_empty() => {
            "nothing to accept; `cargo recount schema check` says whether all is well".to_owned()
        }
        (written, _) if written.is_empty() => "nothing was taken over".to_owned(),
        (written, deleted) if deleted.is_empty() => format!("written: {written}"),
        (written, deleted) => format!("written: {written}; deleted: {deleted}"),
    };
}

/// Why nothing of an event can be accepted: what its streams are found by has changed.
fn lost(sites: &[Site<'_>], word: &str) -> Option<Diagnostic> {
    sites.iter().find_map(|site| {
        let meant = site.named(word);
        let is_meant = |category: &str| meant.iter().any(|(of, _)| of.as_deref() == Some(category));
        let moved = streams::moved(site);
        let moved = moved
            .iter()
            .find(|one| is_meant(&one.was) || is_meant(&one.of.category));
        let mut keyed = streams::judge(site).into_iter();
        moved
            .map(streams::Moved::diagnostic)
            .or_else(|| keyed.find(|one| is_meant(&one.path)))
    })
}

enum Step {
    Nothing,
    Done(String),
    /// A draft that would have no version before it.
    Apart(Box<Diagnostic>),
    Refused(Vec<Diagnostic>),
}

/// Takes one version over.
fn one(
    project: &Project,
    site: &mut Site<'_>,
    event: &Event,
    is_named: bool,
    reason: Option<&str>,
) -> Result<Step> {
    if let Some(apart) = apart(site, event) {
        return Ok(Step::Apart(Box::new(apart)));
    }
    let (category, name, version) = (event.category.as_deref(), event.name(), event.version());
    let what = match site.lock.version(category, name, version) {
        None => "a new draft",
        Some(listed) if listed.status == Status::Draft => {
            let is_current = listed.digest == event.contract.digest();
            // A merge may have left anything in its file.
            if is_current && site.lock.contract(category, name, version).is_ok() {
                return Ok(Step::Nothing);
            }
            "the draft was taken over from the code"
        }
        Some(listed) if listed.status == Status::Dropped => return Ok(Step::Nothing),
        Some(_) => return released(project, site, event, is_named, reason),
    };
    site.lock
        .set(&event.contract, Status::Draft, None)
        .map_err(|error| failed(project, &error))?;
    Ok(Step::Done(what.to_owned()))
}

/// A version that was released: it grows where it is named, and what breaks a rule needs a reason.
fn released(
    project: &Project,
    site: &mut Site<'_>,
    event: &Event,
    is_named: bool,
    reason: Option<&str>,
) -> Result<Step> {
    let (category, name, version) = (event.category.as_deref(), event.name(), event.version());
    let contract = site
        .lock
        .contract(category, name, version)
        .map_err(|error| failed(project, &error))?;
    let Some(contract) = contract else {
        return Ok(Step::Nothing);
    };
    let listed = site.lock.version(category, name, version);
    let status = listed.map_or(Status::Released, |listed| listed.status);
    let mut problems = to_answer_for(&site.lock.index.policy, &contract, &event.contract);
    let known: Vec<_> = site.lock.index.accepted(category, name, version).collect();
    problems.retain(|problem| !is_accepted(&known, problem));
    // What verifying found: a payload that is not read any more, or as something else.
    let found: Vec<_> = event
        .findings
        .iter()
        .filter(|found| ["RC2001", "RC2002", "RC2003"].contains(&found.code.as_str()))
        // That payloads cannot be read follows from what is accepted then.
        .filter(|found| problems.is_empty() || found.code != "RC2002")
        .cloned()
        .collect();
    let grown = grown(&contract, &event.contract);
    let is_grown = grown.digest() != contract.digest();
    if problems.is_empty() && found.is_empty() && !is_grown {
        return Ok(Step::Nothing);
    }
    let is_broken = !problems.is_empty() || !found.is_empty();
    if reason.is_none() && (is_broken || !is_named) {
        return Ok(Step::Refused(refusals(&contract, event, &problems, &found)));
    }
    let reason = reason.unwrap_or_default();
    let mut reasons = Vec::new();
    for (of, rule, path) in problems
        .iter()
        .map(|one| (version, one.rule.code().to_owned(), one.path.to_string()))
        .chain(
            found
                .iter()
                .map(|one| (one.version, one.code.clone(), one.path.clone())),
        )
    {
        let accepted = Accepted {
            category: event.category.clone(),
            event: name.to_owned(),
            v: of,
            rule,
            path,
            reason: reason.to_owned(),
        };
        let mut all = site.lock.index.accepted.iter().chain(&reasons);
        if !all.any(|one: &Accepted| {
            (one.v, &one.rule, &one.path) == (accepted.v, &accepted.rule, &accepted.path)
                && one.event == accepted.event
                && one.category == accepted.category
        }) {
            reasons.push(accepted);
        }
    }
    let broken = reasons.len();
    site.lock.index.accepted.extend(reasons);
    if is_grown {
        site.lock
            .set(&grown, status, None)
            .map_err(|error| failed(project, &error))?;
    }
    renew(project, site, event, is_grown, is_broken)?;
    Ok(Step::Done(match broken {
        0 if reason.is_empty() => "taken over from the code".to_owned(),
        0 => "taken over from the code; no rule is broken, so no reason is kept".to_owned(),
        1 => format!("1 broken rule accepted: {reason}"),
        _ => format!("{broken} broken rules accepted: {reason}"),
    }))
}

/// What needs a reason, in the words of `check`.
fn refusals(
    contract: &Contract,
    event: &Event,
    problems: &[Problem],
    found: &[Found],
) -> Vec<Diagnostic> {
    let full = event.full_name();
    let refused = |code: &str, path: &str, message: String, version: u32| {
        let mut one = Diagnostic::error(code, message)
            .of(full.clone(), version)
            .at(event.place())
            .resolve(match code {
                codes::GROWN => format!("cargo recount schema accept {full}"),
                _ => format!("cargo recount schema accept {full} --reason \"why it does no harm\""),
            });
        path.clone_into(&mut one.path);
        one
    };
    let version = event.version();
    let problems = problems.iter();
    let mut all: Vec<_> = problems
        .map(|one| refused(one.rule.code(), one.path.as_str(), in_words(one), version))
        .collect();
    all.extend(found.iter().map(|one| {
        let mut refused = refused(&one.code, &one.path, one.message.clone(), one.version);
        refused.witness.clone_from(&one.witness);
        refused
    }));
    if all.is_empty() {
        all.push(refused(
            codes::GROWN,
            "",
            extended(contract, &event.contract),
            version,
        ));
    }
    all
}

/// What a change of a released version does that needs a reason.
fn to_answer_for(policy: &Policy, contract: &Contract, code: &Contract) -> Vec<Problem> {
    let report = Report::<{ Released::PROBLEMS }>::of(contract.shape, code.shape);
    let mut all = report.problems().to_vec();
    all.retain(|problem| {
        problem.breaks.has(Breaks::BACKWARD)
            || problem.breaks.has(Breaks::MEANING)
            // What hits the last release only, the policy may refuse.
            || severity(policy, problem) == Some(Severity::Error)
    });
    all
}

/// Adds samples of what is new, and asks anew what the others are read as: what stands for a field that they lack is frozen, too.
/// Where a rule was broken, those that are not read any more were never stored, as the reason says.
fn renew(
    project: &Project,
    site: &mut Site<'_>,
    event: &Event,
    is_grown: bool,
    is_broken: bool,
) -> Result<()> {
    let (category, name) = (event.category.as_deref(), event.name());
    let own = (event.oldest..=event.version()).map(|version| (name.to_owned(), version));
    for (of, version) in own.chain(site.split_into(event)) {
        let is_own = of == name;
        let samples = site
            .lock
            .samples(category, &of, version)
            .map_err(|error| failed(project, &error))?;
        if samples.is_empty() {
            continue;
        }
        let before: Vec<_> = samples
            .iter()
            .map(|sample| sample.payload.to_string())
            .collect();
        let asked = samples::expect(site, event, (&of, version), samples)?.into_iter();
        let stored = asked.filter(|(_, error)| error.is_none() || !(is_broken && is_own));
        let mut kept: Vec<_> = stored.map(|(sample, _)| sample).collect();
        if is_grown && is_own && version == event.version() {
            let mut new = samples::candidates(event);
            new.retain(|candidate| !before.contains(&candidate.payload));
            kept.extend(samples::read(site, event, new)?.0);
        }
        site.lock.set_samples(category, &of, version, &kept);
    }
    Ok(())
}

#[derive(Default)]
struct Gone {
    versions: Vec<(String, u32, String)>,
    files: Vec<String>,
}

/// Takes drafts out of the lock that are not in the code any more.
fn take_out(
    project: &Project,
    site: &mut Site<'_>,
    is_meant: &dyn Fn(Option<&str>, &str) -> bool,
) -> Result<Gone> {
    let mut gone = Gone::default();
    let entries = site.lock.index.events.clone();
    for entry in entries {
        let category = entry.category.as_deref();
        if !is_meant(category, &entry.name) {
            continue;
        }
        for version in entry.versions {
            let is_known = site.event(category, &entry.name, version.number).is_some();
            if version.status != Status::Draft || is_known {
                continue;
            }
            for event in &mut site.lock.index.events {
                if event.category.as_deref() == category && event.name == entry.name {
                    event.versions.retain(|one| one.number != version.number);
                }
            }
            site.lock
                .index
                .events
                .retain(|event| !event.versions.is_empty());
            let file = site
                .lock
                .contract_file(category, &entry.name, version.number);
            if remove(&file)? {
                gone.files.extend(shown(project, &[file]));
            }
            gone.versions.push((
                full_name(category, &entry.name),
                version.number,
                "the draft is not in the code any more, and was taken out".to_owned(),
            ));
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests;
