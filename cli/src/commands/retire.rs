//! `retire` and `drop`: the end of a version.

use std::path::Path;

use chrono::{TimeDelta, Utc};
use recount_schema::lock::{Status, Tombstone};
use serde_json::json;

use super::scan::{Scan, shown};
use super::{refuse_in_ci, write};
use crate::args::{Common, VersionNumber};
use crate::code::{Site, find, full_name};
use crate::codes;
use crate::judge::not_written;
use crate::outcome::{Failure, Outcome, Result};
use crate::project::Project;

/// How old evidence may be: what was stored since is not in it.
const OF_NOW: TimeDelta = TimeDelta::hours(24);

/// Says that a version is not written any more.
pub fn retire(common: &Common, word: &str, version: Option<VersionNumber>) -> Result<Outcome> {
    refuse_in_ci("retire")?;
    let project = Project::read(common)?;
    let mut sites = Site::all(common, &project, "describe")?;
    let (site, category, name) = find(&mut sites, word)?;
    let full = full_name(category.as_deref(), &name);
    let version = named(site, category.as_deref(), &name, "retire", version)?;
    let status = status(site, category.as_deref(), &name, version)?;
    if !matches!(status, Status::Released | Status::Deprecated) {
        return Err(Failure::new(
            codes::NOT_NOW,
            format!(
                "{full} v{version} is {}, and only what is released is retired",
                status.as_str()
            ),
            "cargo recount schema status",
        ));
    }
    refuse_written(site, category.as_deref(), &name, version)?;
    change(site, category.as_deref(), &name, version, Status::Retired);
    let files = write(&project, site)?;
    Ok(Outcome {
        data: json!({ "event": full, "version": version, "status": "retired", "files": files }),
        text: format!("{full} v{version} is retired: stored, and not written any more\n"),
        then: format!(
            "when production has none left: `cargo recount schema scan --store URL --out scan.json`, then `cargo recount schema drop {full} v{version} --evidence scan.json`"
        ),
        ..Outcome::default()
    })
}

/// Says that a version is stored nowhere any more.
pub fn drop(
    common: &Common,
    word: &str,
    version: Option<VersionNumber>,
    evidence: Option<&Path>,
) -> Result<Outcome> {
    refuse_in_ci("drop")?;
    let project = Project::read(common)?;
    let mut sites = Site::all(common, &project, "describe")?;
    let (site, category, name) = find(&mut sites, word)?;
    let full = full_name(category.as_deref(), &name);
    let version = named(site, category.as_deref(), &name, "drop", version)?;
    let status = status(site, category.as_deref(), &name, version)?;
    if status != Status::Retired {
        return Err(Failure::new(
            codes::NOT_NOW,
            format!(
                "{full} v{version} is {}, and only what is retired is dropped",
                status.as_str()
            ),
            format!("cargo recount schema retire {full} v{version}"),
        ));
    }
    refuse_written(site, category.as_deref(), &name, version)?;
    let scan = proof(&project, category.as_deref(), &name, version, evidence)?;
    change(site, category.as_deref(), &name, version, Status::Dropped);
    let entry = site.lock.index.event(category.as_deref(), &name);
    let is_over = entry.is_some_and(|entry| {
        let mut versions = entry.versions.iter();
        versions.all(|version| version.status == Status::Dropped)
    });
    if is_over {
        site.lock.index.tombstones.push(Tombstone {
            category: category.clone(),
            event: name.clone(),
            fields: Vec::new(),
            reason: format!(
                "dropped: none in {} on {}",
                scan.store,
                shown(scan.taken_at)
            ),
        });
    }
    let files = write(&project, site)?;
    let has_type = site.event(category.as_deref(), &name, version).is_some();
    Ok(Outcome {
        data: json!({ "event": full, "version": version, "status": "dropped", "files": files }),
        text: format!("{full} v{version} is dropped: it may not come back\n"),
        then: if has_type {
            "its type and its conversion may be deleted, with `upcast_from` on the type of the next version".to_owned()
        } else {
            String::new()
        },
        ..Outcome::default()
    })
}

/// Nothing ends that the code writes: more of it will be stored.
fn refuse_written(site: &Site<'_>, category: Option<&str>, name: &str, version: u32) -> Result<()> {
    if !site.writes(category, name, version) {
        return Ok(());
    }
    let full = full_name(category, name);
    Err(Failure::new(
        codes::NOT_NOW,
        format!("{full} v{version} is what the code writes"),
        not_written(category, name, version),
    ))
}

/// A scan of now that looked at the event and found none.
fn proof(
    project: &Project,
    category: Option<&str>,
    name: &str,
    version: u32,
    evidence: Option<&Path>,
) -> Result<Scan> {
    let full = full_name(category, name);
    let refused =
        |message: String, resolve: String| Failure::new(codes::NO_EVIDENCE, message, resolve);
    let scan_now = format!(
        "cargo recount schema scan --store URL --out scan.json\ncargo recount schema drop {full} v{version} --evidence scan.json"
    );
    let Some(evidence) = evidence else {
        let message = format!("nothing shows that {full} v{version} is stored nowhere");
        return Err(refused(message, scan_now));
    };
    let scan = Scan::read(evidence)?;
    let (file, taken_at) = (project.shown(evidence), shown(scan.taken_at));
    let age = Utc::now() - scan.taken_at;
    if age < -TimeDelta::minutes(5) {
        return Err(refused(
            format!("{file} is of {taken_at}, which is yet to come"),
            format!("look at the clocks of both machines, and scan again:\n{scan_now}"),
        ));
    }
    if age > OF_NOW {
        return Err(refused(
            format!(
                "{file} is of {taken_at}, more than a day ago: what was stored since is not in it"
            ),
            format!("scan again:\n{scan_now}"),
        ));
    }
    let mut all = scan.categories.iter();
    let of = match all.find(|of| Some(of.category.as_str()) == category) {
        Some(of) if of.error.is_none() => of,
        Some(of) => {
            let error = of.error.as_deref().unwrap_or_default();
            return Err(refused(
                format!("{file} did not look at all of `{}`: {error}", of.category),
                format!("mend that, and scan again:\n{scan_now}"),
            ));
        }
        None => {
            let looked: Vec<_> = scan
                .categories
                .iter()
                .map(|of| of.category.as_str())
                .collect();
            return Err(refused(
                format!(
                    "{file} did not look at {full}, only at streams of: {}",
                    looked.join(", ")
                ),
                format!(
                    "it may be of another package, or of a revision without this aggregate; scan with one that has it:\n{scan_now}"
                ),
            ));
        }
    };
    let mut counts = of.counts.iter();
    let stored = counts.find(|count| count.name == name && count.version == version);
    if let Some(stored) = stored
        && stored.count > 0
    {
        return Err(refused(
            format!(
                "{} holds {full} v{version}: {} of them on {taken_at}",
                scan.store, stored.count
            ),
            "leave it retired: what is stored stays stored; a scan of another store, or of one made anew, may show none".to_owned(),
        ));
    }
    Ok(scan)
}

/// The version that is meant. It is asked for even where there is only one: what ends is said in full.
fn named(
    site: &Site<'_>,
    category: Option<&str>,
    name: &str,
    command: &str,
    version: Option<VersionNumber>,
) -> Result<u32> {
    if let Some(VersionNumber(version)) = version {
        return Ok(version);
    }
    let full = full_name(category, name);
    let known = site.lock.index.event(category, name);
    let known = known.map_or(&[][..], |entry| &entry.versions);
    let list: Vec<_> = known
        .iter()
        .map(|one| format!("v{}, {}", one.number, one.status.as_str()))
        .collect();
    let first = known.iter().find(|one| match command {
        "drop" => one.status == Status::Retired,
        _ => matches!(one.status, Status::Released | Status::Deprecated),
    });
    Err(Failure::new(
        codes::NOT_NOW,
        format!(
            "`{command}` is said of one version, and none is named; of {full} the lock has: {}",
            list.join("; ")
        ),
        format!(
            "cargo recount schema {command} {full} v{}",
            first.map_or(1, |one| one.number)
        ),
    ))
}

fn status(site: &Site<'_>, category: Option<&str>, name: &str, version: u32) -> Result<Status> {
    let listed = site.lock.version(category, name, version);
    listed.map(|listed| listed.status).ok_or_else(|| {
        Failure::new(
            codes::NO_EVENT,
            format!("the lock has no {} v{version}", full_name(category, name)),
            "cargo recount schema status",
        )
    })
}

fn change(site: &mut Site<'_>, category: Option<&str>, name: &str, version: u32, status: Status) {
    let events = site.lock.index.events.iter_mut();
    let of_event =
        events.filter(|event| event.category.as_deref() == category && event.name == name);
    for one in of_event.flat_map(|event| &mut event.versions) {
        if one.number == version {
            one.status = status;
        }
    }
}
