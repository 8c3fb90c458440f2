//! What was released in a revision of git.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use recount_schema::lock::{Accepted, Contract, Index, Lock, LockError, Sample, Status};
use recount_schema::values::events_differ;
use recount_schema::{Breaks, Released, Report};
use serde_json::Value;

use crate::code::{Site, damaged, full_name};
use crate::codes;
use crate::judge::is_accepted;
use crate::outcome::{Diagnostic, Failure, Result, Severity};
use crate::project::{Package, Project};
use crate::taken;

/// A revision, and the repository that has it.
pub struct Base {
    revision: String,
    /// The repository's folder.
    top: PathBuf,
}

impl Base {
    /// A revision of the repository that holds the project.
    pub fn new(project: &Project, revision: &str) -> Result<Self> {
        let root = &project.workspace_root;
        let top = git(root, &["rev-parse", "--show-toplevel"])?
            .ok_or_else(|| failed(format!("{} is in no repository", root.display())))?;
        let revision_of = format!("{revision}^{{commit}}");
        // What begins with a dash would be an option.
        if revision.starts_with('-')
            || git(root, &["rev-parse", "--verify", "--quiet", &revision_of])?.is_none()
        {
            return Err(failed(format!("there is no revision `{revision}`")));
        }
        Ok(Self {
            revision: revision.to_owned(),
            top: PathBuf::from(top.trim()),
        })
    }

    /// The text of a file, or nothing if the revision does not have it.
    fn text(&self, file: &Path) -> Result<Option<String>> {
        let object = format!("{}:{}", self.revision, self.relative(file));
        git(&self.top, &["show", &object])
    }

    fn relative(&self, file: &Path) -> String {
        let top = self.top.canonicalize();
        // The file need not be there any more; the folder that is highest up and there is enough.
        let mut there = file;
        let mut gone = Vec::new();
        let there = loop {
            if let Ok(path) = there.canonicalize() {
                break path;
            }
            gone.extend(there.file_name());
            match there.parent() {
                Some(parent) => there = parent,
                None => break there.to_owned(),
            }
        };
        let whole = gone
            .into_iter()
            .rev()
            .fold(there, |path, part| path.join(part));
        let relative = whole.strip_prefix(top.as_deref().unwrap_or(&self.top));
        // Git has slashes on all systems.
        let parts = relative.unwrap_or(&whole).components();
        let parts: Vec<_> = parts
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        parts.join("/")
    }

    /// Locks that the revision has in a package and that are not there any more.
    pub fn gone(&self, project: &Project, package: &Package) -> Result<Vec<Diagnostic>> {
        let dir = self.relative(package.dir());
        let mut arguments = vec![
            "ls-tree",
            "-r",
            "--name-only",
            "--full-tree",
            &self.revision,
        ];
        if !dir.is_empty() {
            arguments.extend(["--", &dir]);
        }
        let listed = git(&self.top, &arguments)?.unwrap_or_default();
        let locks = listed
            .lines()
            .filter(|line| *line == "schema/lock.toml" || line.ends_with("/schema/lock.toml"))
            .map(|line| self.top.join(line));
        let gone = locks.filter(|file| !file.exists());
        Ok(gone.map(|file| self.missing(project, &file)).collect())
    }

    /// That a lock is missing, if the revision has it.
    pub fn lost(&self, project: &Project, dir: &Path) -> Result<Option<Diagnostic>> {
        let file = dir.join("lock.toml");
        let is_known = self.text(&file)?.is_some();
        Ok((is_known && !file.exists()).then(|| self.missing(project, &file)))
    }

    fn missing(&self, project: &Project, file: &Path) -> Diagnostic {
        let message = format!(
            "{}: missing, but `{}` has it",
            project.shown(file),
            self.revision
        );
        let dir = file.parent().unwrap_or(file);
        Diagnostic::error("RC1006", message).resolve(self.restore(project, dir))
    }

    /// How a lock becomes again what it is in the revision.
    pub fn restore(&self, project: &Project, dir: &Path) -> String {
        format!("`git checkout {} -- {}`", self.revision, project.shown(dir))
    }

    /// What the revision has of a lock.
    pub fn index(&self, project: &Project, lock: &Lock) -> Result<Index> {
        let file = lock.dir().join("lock.toml");
        match self.text(&file)? {
            None => Ok(Index::default()),
            Some(text) => Index::from_text(&text, &self.named(&file))
                .map_err(|error| self.broken(project, &error)),
        }
    }

    /// The contract that the revision has of a version.
    pub fn contract(
        &self,
        project: &Project,
        lock: &Lock,
        (category, name, version): (Option<&str>, &str, u32),
    ) -> Result<Option<Contract>> {
        let file = lock.contract_file(category, name, version);
        let Some(text) = self.text(&file)? else {
            return Ok(None);
        };
        Contract::from_text(&text, &self.named(&file))
            .map(Some)
            .map_err(|error| self.broken(project, &error))
    }

    fn named(&self, file: &Path) -> PathBuf {
        PathBuf::from(format!("{}:{}", self.revision, self.relative(file)))
    }

    fn broken(&self, project: &Project, error: &LockError) -> Failure {
        let mut diagnostic = damaged(project, error);
        diagnostic.resolve = Some(format!("name another revision than `{}`", self.revision));
        diagnostic.into()
    }

    /// What was taken back or rewritten since.
    pub fn judge(&self, project: &Project, site: &Site<'_>) -> Result<Vec<Diagnostic>> {
        let lock = &site.lock;
        let before = self.index(project, lock)?;
        let mut all = Vec::new();
        for entry in &before.events {
            let category = entry.category.as_deref();
            for version in &entry.versions {
                if version.status == Status::Draft {
                    continue;
                }
                let of = (category, entry.name.as_str(), version.number);
                let now_of = taken::since(&lock.index, category, &entry.name);
                let full = full_name(now_of, &entry.name);
                let restore = self.restore(project, lock.dir());
                let one = |code, message: String| {
                    Diagnostic::own(code, message)
                        .of(full.clone(), version.number)
                        .resolve(format!(
                            "{restore}, then `cargo recount schema accept {full}`"
                        ))
                };
                let Some(now) = lock.version(now_of, &entry.name, version.number) else {
                    let was = version.status.as_str();
                    let message =
                        format!("not in the lock any more, but {was} in `{}`", self.revision);
                    all.push(one(codes::GONE_SINCE_BASE, message));
                    continue;
                };
                if now.status < version.status || now.since != version.since {
                    let shown = |status: Status, since: &Option<String>| match since {
                        Some(since) => format!("{} since {since}", status.as_str()),
                        None => status.as_str().to_owned(),
                    };
                    let message = format!(
                        "{} in `{}`, {} now",
                        shown(version.status, &version.since),
                        self.revision,
                        shown(now.status, &now.since)
                    );
                    all.push(one(codes::CHANGED_SINCE_BASE, message));
                }
                if now.digest != version.digest || now.samples != version.samples {
                    let problems = self.changed(project, lock, &before, of, now_of)?;
                    all.extend(
                        problems
                            .into_iter()
                            .map(|message| one(codes::CHANGED_SINCE_BASE, message)),
                    );
                }
            }
        }
        Ok(all)
    }

    /// Whether what is different in the files of a version is what the rules allow, or has a reason that is new.
    fn changed(
        &self,
        project: &Project,
        lock: &Lock,
        before: &Index,
        of: (Option<&str>, &str, u32),
        now_of: Option<&str>,
    ) -> Result<Vec<String>> {
        let (category, name, version) = of;
        let reasons: Vec<&Accepted> = lock.index.accepted(now_of, name, version).collect();
        let has_reason = |name: &str, version: u32| {
            let had: Vec<&Accepted> = before.accepted(category, name, version).collect();
            let is_had = |one: &Accepted| {
                had.iter().any(|had| {
                    (&had.rule, &had.path, &had.reason) == (&one.rule, &one.path, &one.reason)
                })
            };
            let mut reasons = lock.index.accepted(now_of, name, version);
            reasons.any(|one| !is_had(one))
        };
        let is_excused = has_reason(name, version);
        let mut all = Vec::new();
        // Files that are damaged are told by whoever reads them.
        if let (Some(old), Ok(Some(new))) = (
            self.contract(project, lock, of)?,
            lock.contract(now_of, name, version),
        ) {
            let report = Report::<{ Released::PROBLEMS }>::of(old.shape, new.shape);
            for problem in report.problems() {
                let hits =
                    problem.breaks.has(Breaks::BACKWARD) || problem.breaks.has(Breaks::MEANING);
                if hits && !is_accepted(&reasons, problem) {
                    all.push(format!("the contract was rewritten: {problem}"));
                }
            }
            let old = Contract {
                category: now_of.map(str::to_owned),
                ..old
            };
            let both = crate::grown::grown(&old, &new);
            if all.is_empty() && both.digest() != new.digest() && !is_excused {
                all.push(
                    "the contract was rewritten: it does not hold all that was released".to_owned(),
                );
            }
        }
        if is_excused {
            return Ok(all);
        }
        let file = lock.samples_file(category, name, version);
        let old = self.text(&file)?.unwrap_or_default();
        let old = Sample::read_all(&old, &self.named(&file))
            .map_err(|error| self.broken(project, &error))?;
        if let Ok(new) = lock.samples(now_of, name, version) {
            // With what a version gained comes what older payloads are read as there; anything else needs a reason.
            let holds = |name: &str, all: &Expected, now: Option<&Expected>| {
                all.iter().all(|(to, old)| {
                    let differs = |new: &Value| match lock.contract(now_of, name, *to) {
                        Ok(Some(of)) => events_differ(name, of.shape, old, new).is_some(),
                        _ => old != new,
                    };
                    let new = now.and_then(|now| now.get(to));
                    new.is_some_and(|new| !differs(new) || has_reason(name, *to))
                })
            };
            let rewritten = old.iter().enumerate().find(|(at, old)| {
                let now = new.get(*at);
                !now.is_some_and(|now| {
                    now.payload.get() == old.payload.get()
                        && holds(name, &old.expect, Some(&now.expect))
                        && (old.parts.iter())
                            .all(|(part, all)| holds(part, all, now.parts.get(part)))
                })
            });
            if let Some((at, _)) = rewritten {
                all.push(format!("sample {} was rewritten or removed", at + 1));
            }
        }
        Ok(all)
    }
}

/// What a sample is read as, by version.
type Expected = BTreeMap<u32, Value>;

fn failed(message: String) -> Failure {
    let mut failure = Failure::new(
        codes::GIT,
        message,
        "name a revision that is there: `git fetch` brings those of a remote",
    );
    failure.0.severity = Severity::Error;
    failure
}

/// What git prints; nothing if it refuses.
fn git(dir: &Path, arguments: &[&str]) -> Result<Option<String>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(arguments)
        .output()
        .map_err(|error| failed(format!("git cannot be run: {error}")))?;
    if !output.status.success() {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()))
}
