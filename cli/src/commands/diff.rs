//! `diff`: what changed, with payloads that show it.

use recount_schema::lock::{Contract, Status};
use serde_json::json;

use crate::args::Common;
use crate::base::Base;
use crate::code::{Event, Site, full_name};
use crate::codes;
use crate::grown::grown;
use crate::judge::{changes, extended};
use crate::outcome::{Diagnostic, Outcome, Result, Severity, number};
use crate::project::Project;

pub fn run(common: &Common, against: Option<&str>) -> Result<Outcome> {
    let project = Project::read(common)?;
    let base = against
        .map(|revision| Base::new(&project, revision))
        .transpose()?;
    let sites = Site::all(common, &project, "describe")?;
    let mut diagnostics = Vec::new();
    for site in &sites {
        diagnostics.extend(of_site(&project, site, base.as_ref())?);
    }
    let changed = diagnostics.len();
    let what = against.map_or_else(|| "the lock".to_owned(), |revision| format!("`{revision}`"));
    Ok(Outcome {
        data: json!({ "changes": changed }),
        then: match changed {
            0 => format!("nothing is different from {what}"),
            _ => format!("{} from {what}", number(changed, "difference")),
        },
        diagnostics,
        ..Outcome::default()
    })
}

fn of_site(project: &Project, site: &Site<'_>, base: Option<&Base>) -> Result<Vec<Diagnostic>> {
    let mut all = Vec::new();
    let index = match base {
        Some(base) => base.index(project, &site.lock)?,
        None => site.lock.index.clone(),
    };
    for event in &site.events {
        let (category, name, version) = (event.category.as_deref(), event.name(), event.version());
        let entry = index.event(category, name);
        let listed =
            entry.and_then(|entry| entry.versions.iter().find(|one| one.number == version));
        let contract = match base {
            Some(base) => base.contract(project, &site.lock, (category, name, version))?,
            None => site
                .lock
                .contract(category, name, version)
                .map_err(|error| super::failed(project, &error))?,
        };
        match (listed, contract) {
            (Some(listed), Some(contract)) => {
                all.extend(of_event(site, event, &contract, listed.status));
            }
            _ => all.push(of(
                event,
                Diagnostic::new(codes::NOT_LOCKED, Severity::Note, "new")
                    .resolve("cargo recount schema accept"),
            )),
        }
    }
    for entry in &index.events {
        for version in &entry.versions {
            let category = entry.category.as_deref();
            let is_known = site.event(category, &entry.name, version.number).is_some();
            if !is_known && version.status != Status::Dropped {
                let message = format!(
                    "{}, and no type of its own in the code",
                    version.status.as_str()
                );
                all.push(
                    Diagnostic::new(codes::DRAFT_GONE, Severity::Note, message)
                        .of(full_name(category, &entry.name), version.number),
                );
            }
        }
    }
    Ok(all)
}

fn of(event: &Event, diagnostic: Diagnostic) -> Diagnostic {
    diagnostic
        .of(event.full_name(), event.version())
        .at(event.place())
}

fn of_event(
    site: &Site<'_>,
    event: &Event,
    contract: &Contract,
    status: Status,
) -> Vec<Diagnostic> {
    let mut all = changes(site, event, contract);
    if status == Status::Draft {
        for one in &mut all {
            one.severity = Severity::Note;
            one.resolve = Some("a draft may change: cargo recount schema accept".to_owned());
        }
        let is_changed = event.contract.digest() != contract.digest();
        if all.is_empty() && is_changed {
            let message = "the draft was changed in a way that hurts nobody";
            all.push(of(
                event,
                Diagnostic::new(codes::DRAFT_CHANGED, Severity::Note, message)
                    .resolve("cargo recount schema accept"),
            ));
        }
        return all;
    }
    let is_broken = all.iter().any(|one| one.severity == Severity::Error);
    if !is_broken && grown(contract, &event.contract).digest() != contract.digest() {
        let message = extended(contract, &event.contract);
        all.push(of(
            event,
            Diagnostic::new(codes::GROWN, Severity::Warning, message)
                .resolve(format!("cargo recount schema accept {}", event.full_name())),
        ));
    }
    all
}
