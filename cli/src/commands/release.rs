//! `release`: drafts are frozen, with payloads and what the code makes of them.

use std::collections::BTreeMap;

use recount_schema::lock::{Sample, Status};
use serde_json::json;

use super::{failed, refuse_in_ci, samples, write};
use crate::args::Common;
use crate::code::{Event, Site};
use crate::codes;
use crate::judge::{Strict, judge};
use crate::outcome::{Diagnostic, Outcome, Result, Severity, number};
use crate::project::Project;
use crate::streams;

pub fn run(common: &Common, release: Option<&str>) -> Result<Outcome> {
    refuse_in_ci("release")?;
    let project = Project::read(common)?;
    let mut sites = Site::all(common, &project, "check")?;
    let mut outcome = Outcome::default();
    // First all that speaks against it, so that either everything is released or nothing.
    for site in &sites {
        let found = judge(&project, site, Strict::Check);
        outcome.diagnostics.extend(
            found
                .into_iter()
                .filter(|one| one.severity == Severity::Error),
        );
    }
    super::check::dedup(&mut outcome.diagnostics);
    if outcome.has_errors() {
        "nothing was released".clone_into(&mut outcome.then);
        return Ok(outcome);
    }
    let (mut released, mut files) = (Vec::new(), Vec::new());
    let mut errors = Vec::new();
    for site in &mut sites {
        let since = release.unwrap_or(&site.package.version).to_owned();
        let drafts: Vec<Event> = site
            .events
            .iter()
            .filter(|event| {
                let listed =
                    site.lock
                        .version(event.category.as_deref(), event.name(), event.version());
                listed.is_some_and(|listed| listed.status == Status::Draft)
            })
            .cloned()
            .collect();
        if drafts.is_empty() {
            continue;
        }
        let before = errors.len();
        freeze(&project, site, &drafts, &since, &mut errors)?;
        if errors.len() == before {
            outcome.diagnostics.extend(unapplied(site, &drafts));
            streams::record(site);
            files.extend(write(&project, site)?);
            released.extend(drafts.iter().map(|event| {
                let (category, name, version) =
                    (event.category.as_deref(), event.name(), event.version());
                let samples = site.lock.samples(category, name, version);
                let samples = samples.map_or(0, |samples| samples.len());
                (event.full_name(), version, since.clone(), samples)
            }));
        }
    }
    outcome.diagnostics.extend(errors);
    for (event, version, since, samples) in &released {
        let samples = number(*samples, "sample");
        outcome.say(&format!(
            "{event} v{version}: released in {since}, with {samples}"
        ));
    }
    outcome.data = json!({
        "released": released.iter().map(|(event, version, since, samples)| {
            json!({ "event": event, "version": version, "since": since, "samples": samples })
        }).collect::<Vec<_>>(),
        "files": files,
    });
    outcome.then = match (released.is_empty(), outcome.has_errors()) {
        (true, true) => "nothing was released".to_owned(),
        (true, false) => "nothing to release: no draft is left".to_owned(),
        (false, _) => {
            "commit schema/ with the release; from now on `cargo recount schema bump EVENT` writes the next version".to_owned()
        }
    };
    Ok(outcome)
}

/// Events that no aggregate of this lock applies. Where it has no aggregates at all, events are for others to apply.
fn unapplied(site: &Site<'_>, drafts: &[Event]) -> Vec<Diagnostic> {
    let without = drafts.iter().filter(|event| event.category.is_none());
    let without = without.filter(|_| !site.aggregates.is_empty());
    let told = without.map(|event| {
        let message = "released, and no aggregate applies it: none reads what is stored of it";
        Diagnostic::own(codes::NOT_APPLIED, message)
            .of(event.full_name(), event.version())
            .at(event.place())
            .resolve("write a method that takes it, then `cargo recount schema accept`")
    });
    told.collect()
}

/// Makes released versions of drafts. The samples of older versions are asked what the new ones make of them: that is frozen, too.
fn freeze(
    project: &Project,
    site: &mut Site<'_>,
    drafts: &[Event],
    since: &str,
    errors: &mut Vec<Diagnostic>,
) -> Result<()> {
    let mut all: BTreeMap<(Option<String>, String, u32), Vec<Sample>> = BTreeMap::new();
    for event in drafts {
        let (samples, unread) = samples::read(site, event, samples::candidates(event))?;
        errors.extend(unread);
        all.insert(
            (
                event.category.clone(),
                event.name().to_owned(),
                event.version(),
            ),
            samples,
        );
    }
    for event in drafts {
        let (category, name) = (event.category.as_deref(), event.name());
        let older = (event.oldest..event.version()).map(|version| (name.to_owned(), version));
        for (of, version) in older.chain(site.split_into(event)) {
            let key = (event.category.clone(), of.clone(), version);
            let older = match all.remove(&key) {
                Some(samples) => samples,
                None => site
                    .lock
                    .samples(category, &of, version)
                    .map_err(|error| failed(project, &error))?,
            };
            if older.is_empty() {
                continue;
            }
            let mut kept = Vec::new();
            for (sample, error) in samples::expect(site, event, (&of, version), older)? {
                if let Some(error) = error {
                    let message = format!(
                        "a stored payload of {of} v{version} could not be read as v{}: {error}",
                        event.version()
                    );
                    let mut one = Diagnostic::error("RC2002", message)
                        .of(event.full_name(), version)
                        .at(event.place());
                    one.witness = Some(sample.payload.to_string());
                    one.resolve = Some("mend the conversion".to_owned());
                    errors.push(one);
                }
                kept.push(sample);
            }
            all.insert(key, kept);
        }
    }
    for event in drafts {
        site.lock
            .set(&event.contract, Status::Released, Some(since))
            .map_err(|error| failed(project, &error))?;
    }
    for ((category, name, version), samples) in all {
        site.lock
            .set_samples(category.as_deref(), &name, version, &samples);
    }
    Ok(())
}
