//! Events that were released while no aggregate applied them: the lock has them without a category, and gives them one when an aggregate
//! does.

use std::collections::BTreeSet;
use std::path::PathBuf;

use recount_schema::lock::{Entry, Index, Lock, LockError, Status};

use crate::code::{Site, full_name};
use crate::codes;
use crate::judge::Strict;
use crate::outcome::Diagnostic;

/// An entry without category that was taken over, in memory, for the aggregate which applies its event now.
#[derive(Debug)]
pub struct Taken {
    category: String,
    name: String,
    versions: Vec<u32>,
    /// Those that it had until then.
    pub files: Vec<PathBuf>,
}

impl Taken {
    fn full_name(&self) -> String {
        full_name(Some(&self.category), &self.name)
    }

    pub fn diagnostic(&self, strict: Strict) -> Diagnostic {
        let Self { category, name, .. } = self;
        let newest = self.versions.last().copied().unwrap_or(1);
        let message = format!(
            "the lock has it as `{name}`, of no aggregate, and that of `{category}` applies it now"
        );
        strict
            .unfinished(codes::APPLIED_NOW, message)
            .of(self.full_name(), newest)
            .resolve("cargo recount schema accept")
    }

    /// What accepting it does to each version.
    pub fn done(&self) -> impl Iterator<Item = (String, u32, String)> {
        let what = format!("taken over from `{}`, which was of no aggregate", self.name);
        let versions = self.versions.iter();
        versions.map(move |version| (self.full_name(), *version, what.clone()))
    }
}

/// Takes over, in memory, the entries whose events have got an aggregate since they were released.
pub fn over(site: &mut Site<'_>) -> Vec<Taken> {
    let owned: Vec<(Entry, String)> = (site.lock.index.events.iter())
        .filter_map(|entry| Some((entry.clone(), owner(site, entry)?)))
        .collect();
    let mut all = Vec::new();
    for (entry, category) in owned {
        let before = site.lock.index.clone();
        match take(&mut site.lock, &entry, category) {
            Ok(taken) => all.push(taken),
            // A file that is damaged is told of the entry as it was.
            Err(_) => site.lock.index = before,
        }
    }
    all
}

/// The category of the one aggregate to which an entry without category belongs now. Drafts alone are made anew instead.
fn owner(site: &Site<'_>, entry: &Entry) -> Option<String> {
    let is_draft =
        |entry: &Entry| (entry.versions.iter()).all(|version| version.status == Status::Draft);
    if entry.category.is_some() || is_draft(entry) {
        return None;
    }
    let readers = site.events.iter().filter(|event| event.reads(&entry.name));
    let mut categories: BTreeSet<_> = readers.map(|event| event.category.as_ref()).collect();
    let category = categories.pop_first()??;
    let there = site.lock.index.event(Some(category), &entry.name);
    (categories.is_empty() && there.is_none_or(is_draft)).then(|| category.clone())
}

fn take(lock: &mut Lock, entry: &Entry, category: String) -> Result<Taken, LockError> {
    let (name, to) = (entry.name.as_str(), Some(category.as_str()));
    let mut read = Vec::new();
    for version in &entry.versions {
        let found = lock
            .contract(None, name, version.number)
            .and_then(|contract| Ok((contract, lock.samples(None, name, version.number)?)));
        match found {
            Ok((Some(contract), samples)) => read.push((version, contract, samples)),
            Ok((None, _)) => {}
            // Of what was dropped nobody needs the files.
            Err(_) if version.status == Status::Dropped => {}
            Err(error) => return Err(error),
        }
    }
    // What was accepted for the new name since, as drafts, gives way to what was released.
    lock.index
        .events
        .retain(|one| one.name != name || one.category.as_deref() != to);
    let index = &mut lock.index;
    for one in index
        .events
        .iter_mut()
        .filter(|one| one.category.is_none() && one.name == name)
    {
        one.category = Some(category.clone());
    }
    for one in index
        .accepted
        .iter_mut()
        .filter(|one| one.category.is_none() && one.event == name)
    {
        one.category = Some(category.clone());
    }
    let tombstones = index.tombstones.iter_mut();
    for one in tombstones.filter(|one| one.category.is_none() && one.event == name) {
        one.category = Some(category.clone());
    }
    let mut files = Vec::new();
    for (version, mut contract, samples) in read {
        files.push(lock.contract_file(None, name, version.number));
        contract.category = Some(category.clone());
        lock.set(&contract, version.status, None)?;
        if version.samples.is_some() {
            files.push(lock.samples_file(None, name, version.number));
            lock.set_samples(to, name, version.number, &samples);
        }
    }
    Ok(Taken {
        versions: entry
            .versions
            .iter()
            .map(|version| version.number)
            .collect(),
        name: entry.name.clone(),
        category,
        files,
    })
}

/// The category under which the lock has an entry of an older revision: one without category may have been taken over since.
pub fn since<'l>(index: &'l Index, category: Option<&'l str>, name: &str) -> Option<&'l str> {
    if category.is_some() || index.event(None, name).is_some() {
        return category;
    }
    let mut entries = index.events.iter().filter(|entry| entry.name == name);
    match (entries.next(), entries.next()) {
        (Some(entry), None) => entry.category.as_deref(),
        _ => None,
    }
}
