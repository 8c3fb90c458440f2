//! Packages, what of them can be tested, and the locks in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::args::Common;
use crate::codes;
use crate::outcome::{Failure, Result};

/// What `cargo metadata` says.
#[derive(Debug, Deserialize)]
pub struct Project {
    pub packages: Vec<Package>,
    workspace_members: Vec<String>,
    pub workspace_root: PathBuf,
}

/// A package.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    id: String,
    pub manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Debug, Clone, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
    test: bool,
}

impl Project {
    /// The project that the arguments name.
    pub fn read(common: &Common) -> Result<Self> {
        let mut command = cargo(common, "metadata");
        command.args(["--no-deps", "--format-version=1"]);
        let output = command.output().map_err(|error| {
            Failure::new(
                codes::CANNOT_BUILD,
                format!("cargo cannot be run: {error}"),
                "put cargo into the PATH",
            )
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(
                codes::CANNOT_BUILD,
                said.trim().to_owned(),
                "run the command within a package, or name one with --manifest-path",
            ));
        }
        let mut project: Self = serde_json::from_slice(&output.stdout)
            .map_err(|error| Failure::new(codes::CANNOT_BUILD, error.to_string(), ""))?;
        let members = std::mem::take(&mut project.workspace_members);
        project
            .packages
            .retain(|package| members.contains(&package.id));
        if let Some(name) = &common.package {
            project.packages.retain(|package| package.name == *name);
            if project.packages.is_empty() {
                return Err(Failure::new(
                    codes::NO_LOCK,
                    format!("the workspace has no package `{name}`"),
                    "name one of its packages",
                ));
            }
        }
        Ok(project)
    }

    /// A path as people write it.
    pub fn shown(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.workspace_root).unwrap_or(path);
        path.display().to_string()
    }
}

impl Package {
    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }

    /// The arguments of `cargo test` that name what may hold events under a lock: the library, programs, and examples that are
    /// tested. Integration tests are not what is released.
    pub fn targets(&self) -> Vec<String> {
        let mut all = Vec::new();
        for target in self.targets.iter().filter(|target| target.test) {
            let is = |kind: &str| target.kind.iter().any(|of| of == kind);
            if is("lib") || is("rlib") || is("cdylib") || is("staticlib") {
                all.push("--lib".to_owned());
            } else if is("bin") {
                all.extend(["--bin".to_owned(), target.name.clone()]);
            } else if is("example") {
                all.extend(["--example".to_owned(), target.name.clone()]);
            }
        }
        all
    }

    /// The roots of its sources.
    pub fn roots(&self) -> impl Iterator<Item = &Path> {
        self.targets.iter().map(|target| target.src_path.as_path())
    }

    /// The folders of locks in it that govern what is asked: `schema/` beside its sources, above or below them.
    pub fn locks(&self) -> Vec<PathBuf> {
        let mut found = BTreeSet::new();
        look(self.dir(), 0, &mut found);
        found.retain(|lock| self.is_governed_by(lock));
        found.into_iter().collect()
    }

    fn is_governed_by(&self, lock: &Path) -> bool {
        let Some(governed) = lock.parent() else {
            return false;
        };
        let is_asked = |target: &&Target| target.test && !target.kind.iter().any(|of| of == "test");
        self.targets.iter().filter(is_asked).any(|target| {
            let sources = target.src_path.parent().unwrap_or(&target.src_path);
            sources.starts_with(governed) || governed.starts_with(sources)
        })
    }
}

/// How deep folders are looked through.
const DEPTH: usize = 8;

fn look(dir: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.filter_map(std::result::Result::ok) {
        let path = entry.path();
        let name = entry.file_name();
        // Links may lead out of the package, or round in a circle.
        let is_folder = entry.file_type().is_ok_and(|of| of.is_dir());
        let is_hidden = name.to_string_lossy().starts_with('.');
        if !is_folder || is_hidden || name == "target" {
            continue;
        }
        if name == "schema" && (path.join("lock.toml").exists() || holds_contracts(&path)) {
            found.insert(path);
            continue;
        }
        // A package below looks after its own.
        if depth < DEPTH && !path.join("Cargo.toml").exists() {
            look(&path, depth + 1, found);
        }
    }
}

/// Whether there is a lock without its index: deleting that must not go unnoticed.
fn holds_contracts(dir: &Path) -> bool {
    let folders = fs::read_dir(dir).into_iter().flatten();
    folders
        .filter_map(std::result::Result::ok)
        .any(|folder| folder.path().join("v1.json").exists())
}

/// `cargo SUBCOMMAND`, with what the arguments say of the manifest.
pub fn cargo(common: &Common, subcommand: &str) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.arg(subcommand);
    if let Some(path) = &common.manifest_path {
        command.arg("--manifest-path").arg(path);
    }
    for (is_set, flag) in [(common.locked, "--locked"), (common.offline, "--offline")] {
        if is_set {
            command.arg(flag);
        }
    }
    command
}
