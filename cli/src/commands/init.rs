//! `init`: an empty lock.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use recount_schema::lock::Lock;
use serde_json::json;

use super::{failed, refuse_in_ci};
use crate::args::Common;
use crate::ask::io;
use crate::base::Base;
use crate::codes;
use crate::outcome::{Failure, Outcome, Result};
use crate::project::{Package, Project};

pub fn run(common: &Common, dir: Option<&Path>) -> Result<Outcome> {
    refuse_in_ci("init")?;
    let project = Project::read(common)?;
    let (package, dir) = place(&project, dir)?;
    let lock_dir = dir.join("schema");
    let shown = project.shown(&lock_dir.join("lock.toml"));
    let before = Lock::read(&lock_dir).map_err(|error| failed(&project, &error))?;
    if before.is_some() {
        return Ok(Outcome {
            data: json!({ "lock": lock_dir, "written": [] }),
            text: format!("{shown} is there already; nothing was changed\n"),
            ..Outcome::default()
        });
    }
    let head = Base::new(&project, "HEAD").ok();
    let lost = head
        .map(|head| head.lost(&project, &lock_dir))
        .transpose()?;
    if let Some(mut lost) = lost.flatten() {
        let restore = lost.resolve.unwrap_or_default();
        lost.resolve = Some(format!(
            "{restore}; to begin anew, commit first that it is gone: nothing that was released is protected then"
        ));
        return Err(lost.into());
    }
    let mut lock = Lock::new(&lock_dir);
    lock.write().map_err(|error| failed(&project, &error))?;
    // The compiler knows of no file that was not there; it looks at the sources again, and the macros find the lock.
    for root in package.roots() {
        let file = fs::OpenOptions::new().append(true).open(root);
        if let Ok(file) = file {
            // If it cannot be done the next change of the source does it.
            let _ = file.set_modified(SystemTime::now());
        }
    }
    Ok(Outcome {
        data: json!({ "lock": lock_dir, "written": [shown] }),
        text: format!(
            "{shown} was made: from now on the events below {} are under its lock\n",
            project.shown(&dir).as_str().if_empty("this folder")
        ),
        then: "next: `cargo recount schema accept` takes your events over, as drafts; commit schema/ with your code".to_owned(),
        ..Outcome::default()
    })
}

trait IfEmpty {
    fn if_empty(&self, other: &str) -> String;
}

impl IfEmpty for str {
    fn if_empty(&self, other: &str) -> String {
        match self {
            "" => other.to_owned(),
            text => format!("`{text}`"),
        }
    }
}

/// The folder, and the package that it is in.
fn place<'a>(project: &'a Project, dir: Option<&Path>) -> Result<(&'a Package, PathBuf)> {
    let Some(dir) = dir else {
        return match project.packages.as_slice() {
            [package] => Ok((package, package.dir().to_owned())),
            all => {
                // Who stands in a package means that one.
                let here = std::env::current_dir()
                    .ok()
                    .and_then(|dir| dir.canonicalize().ok());
                if let Some(package) = here.and_then(|dir| around(project, &dir)) {
                    return Ok((package, package.dir().to_owned()));
                }
                let names: Vec<_> = all.iter().map(|package| package.name.as_str()).collect();
                Err(Failure::new(
                    codes::NO_LOCK,
                    "the workspace has several packages, and each has a lock of its own",
                    format!("name one with --package: {}", names.join(", ")),
                ))
            }
        };
    };
    let dir = dir.canonicalize().map_err(|error| io(dir, &error))?;
    match around(project, &dir) {
        Some(package) => Ok((package, dir)),
        None => Err(Failure::new(
            codes::NO_LOCK,
            format!("{} is in no package of the workspace", dir.display()),
            "name a folder within a package",
        )),
    }
}

/// The innermost package that a folder is in.
fn around<'a>(project: &'a Project, dir: &Path) -> Option<&'a Package> {
    let packages = project.packages.iter().filter(|package| {
        let of_package = package.dir().canonicalize();
        of_package.is_ok_and(|of_package| dir.starts_with(of_package))
    });
    packages.max_by_key(|package| package.dir().components().count())
}
