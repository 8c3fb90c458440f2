//! What people ask of a history: which files there are, who made them, which change most.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use recount::Projection;
use recount::prelude::*;
use recount::projection::{FollowError, Projector};

use crate::domain::{
    Author, Commit, CommitRecorded, Content, File, FileAdded, FileDeleted, FileId, FileModified,
    FileRenamed, History, Lines,
};
use crate::path::RepoPath;

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveFile {
    pub path: RepoPath,
    pub content: Content,
}

/// All files that are there, as `git ls-tree` lists them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LiveFiles {
    files: BTreeMap<String, LiveFile>,
}

#[projection(name = "live-files", of(File))]
impl LiveFiles {
    fn added(&mut self, event: FileAdded, at: &Envelope) {
        self.put(at, event.path, event.content);
    }

    fn modified(&mut self, event: FileModified, at: &Envelope) {
        self.put(at, event.path, event.content);
    }

    fn renamed(&mut self, event: FileRenamed, at: &Envelope) {
        self.put(at, event.path, event.content);
    }

    fn deleted(&mut self, _: FileDeleted, at: &Envelope) {
        self.files.remove(at.stream.id());
    }
}

impl LiveFiles {
    fn put(&mut self, at: &Envelope, path: RepoPath, content: Content) {
        self.files
            .insert(at.stream.id().to_owned(), LiveFile { path, content });
    }

    pub fn len(&self) -> u64 {
        self.files.len() as u64
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &LiveFile)> {
        self.files.iter().map(|(id, file)| (id.as_str(), file))
    }
}

/// What one person did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    pub name: String,
    pub commits: u64,
    pub added: u64,
    pub removed: u64,
}

/// Who made the files: people are told apart by their e-mail addresses.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Contributors {
    people: BTreeMap<String, Contribution>,
}

#[projection(name = "contributors", of(File, History))]
impl Contributors {
    fn added(&mut self, event: FileAdded) {
        self.wrote(event.commit, event.lines);
    }

    fn modified(&mut self, event: FileModified) {
        self.wrote(event.commit, event.lines);
    }

    fn renamed(&mut self, event: FileRenamed) {
        self.wrote(event.commit, event.lines);
    }

    fn deleted(&mut self, event: FileDeleted) {
        self.wrote(event.commit, event.lines);
    }

    fn recorded(&mut self, event: CommitRecorded) {
        self.person(event.commit.author).commits += 1;
    }
}

impl Contributors {
    fn wrote(&mut self, commit: Commit, lines: Option<Lines>) {
        let person = self.person(commit.author);
        if let Some(lines) = lines {
            person.added += lines.added;
            person.removed += lines.removed;
        }
    }

    /// The person of this address, under the name that they used last.
    fn person(&mut self, author: Author) -> &mut Contribution {
        let person = self.people.entry(author.email.to_lowercase()).or_default();
        person.name = author.name;
        person
    }

    pub fn len(&self) -> u64 {
        self.people.len() as u64
    }

    /// Those with the most commits, the busiest first.
    pub fn top(&self, count: usize) -> Vec<(&str, &Contribution)> {
        let mut people: Vec<_> = self
            .people
            .iter()
            .map(|(email, person)| (email.as_str(), person))
            .collect();
        people.sort_by_key(|(_, person)| Reverse((person.commits, person.added + person.removed)));
        people.truncate(count);
        people
    }
}

/// How often one file was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    pub path: RepoPath,
    pub count: u64,
}

/// The files that are there, by how often they were changed, under all the names that they had.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct MostChanged {
    files: BTreeMap<String, Changes>,
}

#[projection(name = "most-changed", of(File))]
impl MostChanged {
    fn added(&mut self, event: FileAdded, at: &Envelope) {
        self.count(at, event.path);
    }

    fn modified(&mut self, event: FileModified, at: &Envelope) {
        self.count(at, event.path);
    }

    fn renamed(&mut self, event: FileRenamed, at: &Envelope) {
        self.count(at, event.path);
    }

    fn deleted(&mut self, _: FileDeleted, at: &Envelope) {
        self.files.remove(at.stream.id());
    }
}

impl MostChanged {
    fn count(&mut self, at: &Envelope, path: RepoPath) {
        let new = || Changes {
            path: path.clone(),
            count: 0,
        };
        let file = self
            .files
            .entry(at.stream.id().to_owned())
            .or_insert_with(new);
        file.count += 1;
        file.path = path;
    }

    /// Those with the most changes, the most changed first.
    pub fn top(&self, count: usize) -> Vec<(FileId, &Changes)> {
        let mut files: Vec<_> = self
            .files
            .iter()
            .filter_map(|(id, changes)| Some((id.parse().ok()?, changes)))
            .collect();
        files.sort_by(|(_, a), (_, b)| b.count.cmp(&a.count).then_with(|| a.path.cmp(&b.path)));
        files.truncate(count);
        files
    }
}

/// All three, as they are at one place in the log.
pub struct Views {
    pub files: LiveFiles,
    pub people: Contributors,
    pub changes: MostChanged,
}

impl Views {
    /// At the end of the log: they are kept in the store, and only new events are handled.
    pub async fn newest(store: &Store) -> Result<Self, FollowError> {
        let mut files = Projector::<LiveFiles>::stored(store).await?;
        let mut people = Projector::<Contributors>::stored(store).await?;
        let mut changes = Projector::<MostChanged>::stored(store).await?;
        files.catch_up().await?;
        people.catch_up().await?;
        changes.catch_up().await?;
        Ok(Self {
            files: files.into_state(),
            people: people.into_state(),
            changes: changes.into_state(),
        })
    }

    /// As they were at an earlier position: they are folded anew, up to there.
    pub async fn at(store: &Store, position: Position) -> Result<Self, FollowError> {
        Ok(Self {
            files: fold(store, position).await?,
            people: fold(store, position).await?,
            changes: fold(store, position).await?,
        })
    }
}

async fn fold<P: Projection + Default>(
    store: &Store,
    position: Position,
) -> Result<P, FollowError> {
    let mut projector = Projector::<P>::in_memory(store);
    projector.catch_up_to(position).await?;
    Ok(projector.into_state())
}
