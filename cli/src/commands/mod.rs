//! The commands.

mod accept;
mod bump;
mod check;
mod diff;
mod explain;
mod export;
mod init;
mod release;
mod retire;
mod samples;
mod scan;
mod status;

use std::fs;
use std::path::{Path, PathBuf};

use recount_schema::lock::LockError;

use crate::args::{Action, Schema};
use crate::code::{Site, unusable};
use crate::codes;
use crate::outcome::{Failure, Outcome, Result};
use crate::project::Project;

/// Runs a command.
pub fn run(schema: &Schema) -> Result<Outcome> {
    let common = &schema.common;
    match &schema.action {
        Action::Init { dir } => init::run(common, dir.as_deref()),
        Action::Status => status::run(common),
        Action::Diff { against } => diff::run(common, against.as_deref()),
        Action::Check { against, release } => check::run(common, against.as_deref(), *release),
        Action::Accept { event, reason } => {
            accept::run(common, event.as_deref(), reason.as_deref())
        }
        Action::Bump { events } => bump::run(common, events),
        Action::Release { release } => release::run(common, release.as_deref()),
        Action::Scan { store, out } => scan::run(common, store, out.as_deref()),
        Action::Retire { event, version } => retire::retire(common, event, *version),
        Action::Drop {
            event,
            version,
            evidence,
        } => retire::drop(common, event, *version, evidence.as_deref()),
        Action::Explain { code } => explain::run(code.as_deref()),
        Action::Export { to } => export::run(common, *to),
    }
}

/// In CI nothing is written.
fn refuse_in_ci(command: &str) -> Result<()> {
    let is_set = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    if is_set {
        return Err(Failure::new(
            codes::IN_CI,
            format!("`{command}` writes to schema/, and CI is set: nothing is written there"),
            format!(
                "run `cargo recount schema {command}` on your machine, and commit what it wrote"
            ),
        ));
    }
    Ok(())
}

/// Writes a lock, and tells its files. What was taken over is left in no other place.
fn write(project: &Project, site: &mut Site<'_>) -> Result<Vec<String>> {
    let written = site.lock.write().map_err(|error| failed(project, &error))?;
    for file in site.taken.drain(..).flat_map(|one| one.files) {
        remove(&file)?;
    }
    Ok(shown(project, &written))
}

/// Removes a file, and its folder if nothing else is in it; whether it was there.
fn remove(file: &Path) -> Result<bool> {
    match fs::remove_file(file) {
        Ok(()) => {
            if let Some(folder) = file.parent() {
                // It stays if something else is in it.
                let _ = fs::remove_dir(folder);
            }
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(crate::ask::io(file, &error)),
    }
}

fn shown(project: &Project, files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| project.shown(file)).collect()
}

fn failed(project: &Project, error: &LockError) -> Failure {
    unusable(project, error)
}
