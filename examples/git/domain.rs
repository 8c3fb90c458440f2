//! The domain: files that are added, modified, renamed and deleted, and the history of commits that did it.
//!
//! Git has decided what happened, so there are no commands here, only facts and what they mean.

use std::collections::BTreeSet;

use recount::log::EventId;
use recount::prelude::*;
use recount::uuid::{Uuid, uuid};

use crate::path::RepoPath;

/// The namespace of this example's ids: the same commit gives the same ids on every machine.
const NAMESPACE: Uuid = uuid!("5b8c2a52-8d0b-4a53-9c2e-4f6e2f0a7d11");

/// A file, whatever it is called at the moment: its stream goes on when it is renamed.
///
/// A path cannot be the id, since files move and a path may be used again by another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Id)]
pub struct FileId(Uuid);

impl FileId {
    /// The file that this commit added at this path.
    pub fn added_by(commit: &CommitId, path: &RepoPath) -> Self {
        Self(Uuid::new_v5(
            &NAMESPACE,
            format!("{commit}\0{path}").as_bytes(),
        ))
    }

    /// The id of the one event that a commit causes in this file's stream.
    pub fn event_id(&self, commit: &CommitId) -> EventId {
        EventId(Uuid::new_v5(&self.0, commit.0.as_bytes()))
    }
}

/// The hash of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ValueObject)]
#[serde(transparent)]
pub struct CommitId(String);

impl CommitId {
    pub fn new(hash: impl Into<String>) -> Self {
        Self(hash.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As long as is needed to tell commits apart by eye.
    pub fn short(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }

    /// The id of the event that says that the commit is recorded.
    pub fn event_id(&self) -> EventId {
        EventId(Uuid::new_v5(&NAMESPACE, self.0.as_bytes()))
    }
}

impl std::fmt::Display for CommitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Who made a commit, in the commit's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ValueObject)]
pub struct Author {
    pub name: String,
    pub email: String,
}

/// The commit that an event comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ValueObject)]
pub struct Commit {
    pub id: CommitId,
    pub author: Author,
    /// When the author made it; the event's own time is that of the import.
    pub at: DateTime<Utc>,
}

/// What a path holds: the kind of thing, and the hash of its content (for a submodule, the commit that it stands at).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ValueObject)]
pub struct Content {
    pub kind: Kind,
    pub hash: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueObject)]
pub enum Kind {
    Regular,
    Executable,
    Symlink,
    Submodule,
}

/// How many lines a commit added to a file and removed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueObject)]
pub struct Lines {
    pub added: u64,
    pub removed: u64,
}

// Events. Each holds the path that it happened at, so that a reader of the log need not look it up.
// `lines` is `None` for a binary file.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct FileAdded {
    pub path: RepoPath,
    pub content: Content,
    pub lines: Option<Lines>,
    pub commit: Commit,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct FileModified {
    pub path: RepoPath,
    pub content: Content,
    pub lines: Option<Lines>,
    pub commit: Commit,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct FileRenamed {
    pub from: RepoPath,
    pub path: RepoPath,
    pub content: Content,
    pub lines: Option<Lines>,
    pub commit: Commit,
}

/// The end of the file's stream: a file that is added at this path later is another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct FileDeleted {
    pub path: RepoPath,
    pub lines: Option<Lines>,
    pub commit: Commit,
}

/// All that a commit did is recorded: this is its last event, so its position is where the commit ends in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct CommitRecorded {
    pub commit: Commit,
    pub subject: String,
    pub files: u64,
}

/// The story of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(stream = "file", id = FileId, locked)]
pub struct File {
    pub path: RepoPath,
    /// The names that it had before, the oldest first.
    pub formerly: Vec<RepoPath>,
    /// The addresses of all who had a hand in it.
    pub authors: BTreeSet<String>,
    pub since: DateTime<Utc>,
    pub deleted: bool,
}

#[apply]
impl File {
    fn added(event: FileAdded) -> Self {
        Self {
            path: event.path,
            formerly: Vec::new(),
            authors: BTreeSet::from([event.commit.author.email]),
            since: event.commit.at,
            deleted: false,
        }
    }

    fn modified(&mut self, event: FileModified) {
        self.authors.insert(event.commit.author.email);
    }

    fn renamed(&mut self, event: FileRenamed) {
        self.authors.insert(event.commit.author.email);
        self.formerly.push(event.from);
        self.path = event.path;
    }

    fn deleted(&mut self, event: FileDeleted) {
        self.authors.insert(event.commit.author.email);
        self.deleted = true;
    }
}

/// A line of commits; a repository is imported along one, the first parents of its head.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct HistoryId(String);

impl HistoryId {
    pub fn first_parent() -> Self {
        Self("first-parent".into())
    }
}

/// How far the history is recorded. Its version is the number of commits: the n-th event is the n-th commit's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(stream = "history", id = HistoryId, locked)]
pub struct History {
    pub last: Option<CommitRecorded>,
}

#[apply]
impl History {
    fn recorded(&mut self, event: CommitRecorded) {
        self.last = Some(event);
    }
}
