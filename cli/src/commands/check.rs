//! `check`: all that was released can be read, as before.

use std::collections::BTreeMap;

use recount_schema::lock::Status;
use serde_json::json;

use crate::args::Common;
use crate::ask::mend;
use crate::base::Base;
use crate::code::{Found, Site, full_name};
use crate::codes;
use crate::judge::{Strict, judge};
use crate::outcome::{Diagnostic, Outcome, Result, Severity, number};
use crate::project::Project;
use crate::streams;

pub fn run(common: &Common, against: Option<&str>, release: bool) -> Result<Outcome> {
    let project = Project::read(common)?;
    let base = against
        .map(|revision| Base::new(&project, revision))
        .transpose()?;
    let mut diagnostics = Vec::new();
    if let Some(base) = &base {
        for package in &project.packages {
            diagnostics.extend(base.gone(&project, package)?);
        }
    }
    let sites = match Site::all(common, &project, "check") {
        Ok(sites) => sites,
        // What is gone is the reason for whatever else there is.
        Err(_) if !diagnostics.is_empty() => Vec::new(),
        Err(failure) => return Err(failure),
    };
    let mut versions = 0;
    let mut told: BTreeMap<&String, bool> = BTreeMap::new();
    for site in &sites {
        let before = diagnostics.len();
        versions += site
            .lock
            .index
            .events
            .iter()
            .map(|of| of.versions.len())
            .sum::<usize>();
        diagnostics.extend(judge(&project, site, Strict::Check));
        diagnostics.extend(of_aggregates(site));
        let new = diagnostics.get(before..).unwrap_or_default();
        let has_errors = new.iter().any(|one| one.severity == Severity::Error);
        *told.entry(&site.package.name).or_default() |= has_errors;
        if release {
            diagnostics.extend(drafts(site));
        }
        if let Some(base) = &base {
            diagnostics.extend(base.judge(&project, site)?);
            diagnostics.extend(streams::since(base, &project, site)?);
        }
    }
    for site in &sites {
        // Of each package once.
        if told.remove(&site.package.name) == Some(false) {
            diagnostics.extend(outside(site));
        }
    }
    dedup(&mut diagnostics);
    let mut outcome = Outcome {
        data: json!({ "versions": versions, "locks": sites.len() }),
        diagnostics,
        ..Outcome::default()
    };
    if !outcome.has_errors() {
        outcome.then = format!(
            "{} of {} checked: all that was released can be read, as before{}",
            number(versions, "version"),
            number(sites.len(), "lock"),
            but_for(&sites)
        );
    }
    Ok(outcome)
}

/// What was given up: it is not read as before, and whoever reads the last line only is to know.
fn but_for(sites: &[Site<'_>]) -> String {
    let locks = sites.iter().map(|site| &site.lock.index);
    let accepted: usize = locks.map(|index| index.accepted.len()).sum();
    let aggregates = sites.iter().flat_map(|site| &site.aggregates);
    let passed_over: usize = aggregates.map(|of| of.retired.len()).sum();
    let accepted = (accepted > 0).then(|| {
        let broken = number(accepted, "broken rule");
        format!("{broken} accepted with a reason (`[[accepted]]` in lock.toml)")
    });
    let passed_over = (passed_over > 0).then(|| {
        let events = number(passed_over, "event");
        format!("{events} passed over (`retired` on an aggregate)")
    });
    let all: Vec<_> = accepted.into_iter().chain(passed_over).collect();
    match all.as_slice() {
        [] => String::new(),
        all => format!(", but for {}", all.join(" and ")),
    }
}

/// What the compiler refuses for a lock that is not looked at: that of a crate which the package depends on.
fn outside(site: &Site<'_>) -> Option<Diagnostic> {
    let said = site.programs.refused.as_ref()?;
    let message = format!(
        "`{}` does not compile, and not for this lock's sake:\n\n{said}\n",
        site.package.name
    );
    let one = Diagnostic::error(codes::CANNOT_BUILD, message);
    Some(one.resolve(mend(said)))
}

fn drafts(site: &Site<'_>) -> impl Iterator<Item = Diagnostic> {
    site.lock.index.events.iter().flat_map(|entry| {
        let drafts = entry.versions.iter();
        drafts
            .filter(|version| version.status == Status::Draft)
            .map(|version| {
                Diagnostic::own(codes::DRAFT_LEFT, "a draft is left")
                    .of(
                        full_name(entry.category.as_deref(), &entry.name),
                        version.number,
                    )
                    .resolve("cargo recount schema release")
            })
    })
}

/// What the aggregates' own tests found, as far as nothing else says it.
fn of_aggregates(site: &Site<'_>) -> Vec<Diagnostic> {
    let aggregates = site.aggregates.iter();
    aggregates
        .flat_map(|of| {
            let place = format!("{}:{}", of.file.display(), of.line);
            of.findings.iter().map(move |found: &Found| {
                Diagnostic::error(&found.code, &found.message)
                    .of(full_name(Some(&of.category), &found.event), found.version)
                    .at(place.clone())
            })
        })
        .collect()
}

/// The same thing is told once, as whoever saw it first tells it, with the first payload that shows it.
pub fn dedup(diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: Vec<(String, Option<String>, Option<u32>, String)> = Vec::new();
    diagnostics.retain(|one| {
        let key = (
            one.code.clone(),
            one.event.clone(),
            one.version,
            one.path.clone(),
        );
        let is_new = !seen.contains(&key);
        if is_new {
            seen.push(key);
        }
        is_new
    });
}
