//! The folder with its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::contract::{Contract, digest_of};
use super::error::{LockError, read};
use super::index::{Entry, Index, Status, Version, full_name};
use super::names::folder;
use super::samples::Sample;

/// The folder `schema/`.
///
/// Contracts and samples are read when they are asked for, and judged by the digests in the index. Nothing is written but by
/// [`Lock::write`].
#[derive(Debug)]
pub struct Lock {
    dir: PathBuf,
    /// What `lock.toml` holds; it may be edited.
    pub index: Index,
    /// Texts to be written, by file.
    edited: BTreeMap<PathBuf, String>,
    seen: Mutex<BTreeSet<PathBuf>>,
}

impl Lock {
    /// An empty lock, for a folder that need not be there yet.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            index: Index::default(),
            edited: BTreeMap::new(),
            seen: Mutex::default(),
        }
    }

    /// The lock of the package in a folder: its `schema/`, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Lock::read`].
    pub fn find(package: &Path) -> Result<Option<Self>, LockError> {
        Self::read(&package.join("schema"))
    }

    /// The lock in a folder, or nothing if there is no `lock.toml`.
    ///
    /// # Errors
    ///
    /// A folder with contracts and without `lock.toml` is a [`LockError::Missing`]: deleting the file must not switch
    /// everything off. All else that can be wrong with `lock.toml`.
    pub fn read(dir: &Path) -> Result<Option<Self>, LockError> {
        let file = dir.join("lock.toml");
        match fs::exists(&file) {
            Ok(true) => {}
            Ok(false) => {
                return match contracts_below(dir) {
                    None => Ok(None),
                    Some(found) => Err(LockError::Missing {
                        file,
                        listed: found.display().to_string(),
                    }),
                };
            }
            Err(source) => return Err(LockError::Io { file, source }),
        }
        let lock = Self {
            index: Index::from_text(&read(&file)?, &file)?,
            ..Self::new(dir)
        };
        lock.saw(file);
        Ok(Some(lock))
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A version of an event.
    pub fn version(&self, category: Option<&str>, event: &str, number: u32) -> Option<&Version> {
        let versions = &self.index.event(category, event)?.versions;
        versions.iter().find(|version| version.number == number)
    }

    /// The file of a version's contract.
    pub fn contract_file(&self, category: Option<&str>, event: &str, version: u32) -> PathBuf {
        self.dir
            .join(folder(category, event))
            .join(format!("v{version}.json"))
    }

    /// The file of a version's samples.
    pub fn samples_file(&self, category: Option<&str>, event: &str, version: u32) -> PathBuf {
        self.dir
            .join(folder(category, event))
            .join(format!("v{version}.samples.jsonl"))
    }

    /// The contract of a version, or nothing if it is not listed.
    ///
    /// # Errors
    ///
    /// [`LockError::Missing`] and [`LockError::Digest`] if it is not the one that is listed; all that can be wrong with the file.
    pub fn contract(
        &self,
        category: Option<&str>,
        event: &str,
        version: u32,
    ) -> Result<Option<Contract>, LockError> {
        let Some(listed) = self.version(category, event, version) else {
            return Ok(None);
        };
        let file = self.contract_file(category, event, version);
        let text = self.text(&file, || {
            full_name(category, event) + &format!(" v{version}")
        })?;
        let contract = Contract::from_text(&text, &file)?;
        let is_its_own = contract.event == event
            && contract.version == version
            && contract.category.as_deref() == category;
        let found = contract.digest();
        if found != listed.digest || !is_its_own {
            return Err(LockError::Digest {
                file,
                listed: listed.digest.clone(),
                found,
            });
        }
        Ok(Some(contract))
    }

    /// The samples of a version; none if none are listed.
    ///
    /// # Errors
    ///
    /// As [`Lock::contract`].
    pub fn samples(
        &self,
        category: Option<&str>,
        event: &str,
        version: u32,
    ) -> Result<Vec<Sample>, LockError> {
        let listed = self
            .version(category, event, version)
            .and_then(|version| version.samples.clone());
        let Some(listed) = listed else {
            return Ok(Vec::new());
        };
        let file = self.samples_file(category, event, version);
        let text = self.text(&file, || {
            full_name(category, event) + &format!(" v{version}")
        })?;
        let found = digest_of(text.as_bytes());
        if found != listed {
            return Err(LockError::Digest {
                file,
                listed,
                found,
            });
        }
        Sample::read_all(&text, &file)
    }

    /// Puts a contract in, or in the place of another one, with a status; without a release the one before is kept.
    ///
    /// # Errors
    ///
    /// [`LockError::Name`] for a name that is empty.
    pub fn set(
        &mut self,
        contract: &Contract,
        status: Status,
        since: Option<&str>,
    ) -> Result<(), LockError> {
        let category = contract.category.as_deref();
        if contract.event.is_empty() || category == Some("") {
            return Err(LockError::Name {
                name: full_name(category, &contract.event),
                problem: "a part of the name is empty",
            });
        }
        let here = folder(category, &contract.event);
        let is_another = |entry: &Entry| {
            let there = folder(entry.category.as_deref(), &entry.name);
            there != here && there.eq_ignore_ascii_case(&here)
        };
        if self.index.events.iter().any(is_another) {
            return Err(LockError::Name {
                name: full_name(category, &contract.event),
                problem: "another event's name differs in case only, and some file systems take the two for one",
            });
        }
        let file = self.contract_file(category, &contract.event, contract.version);
        self.edited.insert(file, contract.to_text());
        let before = self
            .version(category, &contract.event, contract.version)
            .cloned();
        let version = Version {
            number: contract.version,
            status,
            since: since
                .map(str::to_owned)
                .or(before.as_ref().and_then(|version| version.since.clone())),
            digest: contract.digest(),
            samples: before.and_then(|version| version.samples),
        };
        self.put(category, &contract.event, version);
        Ok(())
    }

    /// Puts samples in the place of those of a version that is listed; whether it is.
    pub fn set_samples(
        &mut self,
        category: Option<&str>,
        event: &str,
        version: u32,
        samples: &[Sample],
    ) -> bool {
        let Some(mut listed) = self.version(category, event, version).cloned() else {
            return false;
        };
        let text = Sample::write_all(samples);
        listed.samples = Some(digest_of(text.as_bytes()));
        self.edited
            .insert(self.samples_file(category, event, version), text);
        self.put(category, event, listed);
        true
    }

    fn put(&mut self, category: Option<&str>, name: &str, version: Version) {
        let mut events = self.index.events.iter_mut();
        match events.find(|event| event.category.as_deref() == category && event.name == name) {
            Some(event) => {
                event
                    .versions
                    .retain(|other| other.number != version.number);
                event.versions.push(version);
                event.versions.sort_by_key(|version| version.number);
            }
            None => self.index.events.push(Entry {
                category: category.map(str::to_owned),
                name: name.to_owned(),
                versions: vec![version],
            }),
        }
    }

    /// Writes what changed, and gives the files; `lock.toml` comes last, so that it never lists what is not there.
    ///
    /// Each file is written beside itself and then renamed: another process sees the old one or the new one.
    ///
    /// # Errors
    ///
    /// [`LockError::Io`]; what was not written is written the next time.
    pub fn write(&mut self) -> Result<Vec<PathBuf>, LockError> {
        let mut written = Vec::new();
        while let Some((file, text)) = self.edited.pop_first() {
            match replace(&file, &text) {
                Ok(true) => written.push(file),
                Ok(false) => {}
                Err(source) => {
                    self.edited.insert(file.clone(), text);
                    return Err(LockError::Io { file, source });
                }
            }
        }
        let file = self.dir.join("lock.toml");
        match replace(&file, &self.index.to_text()) {
            Ok(true) => written.push(file),
            Ok(false) => {}
            Err(source) => return Err(LockError::Io { file, source }),
        }
        Ok(written)
    }

    /// The files that were read so far, which the code that a macro makes must name, so that the compiler looks at them again.
    pub fn files_read(&self) -> Vec<PathBuf> {
        let seen = self
            .seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.iter().cloned().collect()
    }

    fn saw(&self, file: PathBuf) {
        self.seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(file);
    }

    fn text(&self, file: &Path, listed: impl Fn() -> String) -> Result<String, LockError> {
        if let Some(text) = self.edited.get(file) {
            return Ok(text.clone());
        }
        match read(file) {
            Ok(text) => {
                self.saw(file.to_owned());
                Ok(text)
            }
            Err(LockError::Io { file, source }) if source.kind() == io::ErrorKind::NotFound => {
                Err(LockError::Missing {
                    file,
                    listed: listed(),
                })
            }
            Err(error) => Err(error),
        }
    }
}

/// A contract in one of the folders below.
fn contracts_below(dir: &Path) -> Option<PathBuf> {
    let folders = fs::read_dir(dir).ok()?.filter_map(Result::ok);
    folders
        .filter_map(|folder| fs::read_dir(folder.path()).ok())
        .flat_map(|files| files.filter_map(Result::ok))
        .map(|file| file.path())
        .find(|file| {
            file.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(is_contract)
        })
}

fn is_contract(name: &str) -> bool {
    let number = name
        .strip_prefix('v')
        .and_then(|name| name.strip_suffix(".json"));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Whether the text is another one than before.
fn replace(file: &Path, text: &str) -> io::Result<bool> {
    if fs::read(file).is_ok_and(|before| before == text.as_bytes()) {
        return Ok(false);
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let done = fs::write(&beside, text).and_then(|()| fs::rename(&beside, file));
    if done.is_err() {
        // What is left is in nobody's way; the first error is the one that counts.
        let _ = fs::remove_file(&beside);
    }
    done.map(|()| true)
}
