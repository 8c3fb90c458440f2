//! From a repository to the log: each commit becomes events of the files that it changed, and one of the history.

use std::collections::HashMap;

use recount::aggregate::{Applies, Apply};
use recount::event::PayloadError;
use recount::log::{
    AppendError, Batch, EventId, Expected, NameError, NewEvent, Query, ReadError, StreamAppend,
};
use recount::prelude::*;
use recount::projection::{FollowError, Projector};
use recount::repository::LoadError;

use crate::domain::{
    Commit, CommitId, CommitRecorded, File, FileAdded, FileDeleted, FileId, FileModified,
    FileRenamed, History, HistoryId,
};
use crate::git::{Action, Change, Changed, Git, GitError};
use crate::path::RepoPath;
use crate::views::LiveFiles;

/// A batch is written once it has this many events: enough that the wait for the disk is shared by many, few enough to
/// be held in memory. A commit is never split.
const BATCH_EVENTS: u64 = 500;

/// Why an import stopped. Whole commits were recorded, and the next import goes on after them.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(
        "the store ends with commit {last}, number {depth} of its history, which {} does not have there: \
         its history was rewritten, deepened, or is another repository's; import it into a new store", path.display()
    )]
    NotTheSameHistory {
        path: std::path::PathBuf,
        last: CommitId,
        depth: Version,
    },
    #[error("commit {commit} changes {path}, which is not among the files that the log holds")]
    UnknownFile { commit: CommitId, path: RepoPath },
    #[error("somebody else imports into the same store; run it again when they are done")]
    Contended,
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Append(AppendError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Files(#[from] FollowError),
    #[error(transparent)]
    Encode(#[from] PayloadError),
    #[error(transparent)]
    Name(#[from] NameError),
}

impl From<AppendError> for ImportError {
    fn from(error: AppendError) -> Self {
        match error {
            // Both give the same commit the same ids, so the slower one may also find some of its batch stored.
            AppendError::Conflict { .. } | AppendError::Duplicate { .. } => Self::Contended,
            error => Self::Append(error),
        }
    }
}

/// What an import recorded.
#[derive(Debug, Default)]
pub struct Imported {
    pub commits: u64,
    pub events: u64,
}

/// The last commit that the log holds, and how many there are; `None` while there is none.
pub async fn recorded(store: &Store) -> Result<Option<(CommitRecorded, Version)>, LoadError> {
    let histories = Repository::<History>::new(store);
    let Some(history) = histories.find(&HistoryId::first_parent()).await? else {
        return Ok(None);
    };
    let depth = Root::version(&history);
    Ok(Root::into_state(history).last.map(|last| (last, depth)))
}

/// The position at which a commit ends in the log; `None` when it is not on the history that was recorded.
pub async fn position_of(
    store: &Store,
    commit: &CommitId,
    depth: u64,
) -> Result<Option<Position>, ReadError> {
    let Ok(stream) = Repository::<History>::new(store).stream(&HistoryId::first_parent()) else {
        return Ok(None);
    };
    let query = Query::stream(&stream)
        .from_version(Version(depth))
        .to_version(Version(depth));
    let found = store.read(query).next().await?;
    Ok(found
        .filter(|event| event.id == commit.event_id())
        .map(|event| event.position))
}

/// Records all commits after the last recorded one, up to `head`.
pub async fn import(
    store: &Store,
    git: &Git,
    head: Option<&CommitId>,
) -> Result<Imported, ImportError> {
    let last = recorded(store).await?;
    let mut depth = Version::NONE;
    if let Some((last, recorded)) = &last {
        depth = *recorded;
        let there = match head {
            Some(head) => git.at_depth(head, depth.0)?,
            None => None,
        };
        if there.as_ref() != Some(&last.commit.id) {
            return Err(ImportError::NotTheSameHistory {
                path: git.path().to_owned(),
                last: last.commit.id.clone(),
                depth,
            });
        }
    }
    let Some(head) = head else {
        return Ok(Imported::default());
    };

    let mut import = Import::after(store, depth).await?;
    let mut commits = git.commits(last.as_ref().map(|(last, _)| &last.commit.id), head)?;
    // Git is waited for here, not awaited: this program has nothing else to do meanwhile.
    while let Some(changed) = commits.next()? {
        import.record(changed)?;
        if import.pending.events >= BATCH_EVENTS {
            import.write().await?;
        }
    }
    import.write().await?;
    Ok(import.imported)
}

/// An import under way.
struct Import<'a> {
    store: &'a Store,
    files: Repository<File>,
    histories: Repository<History>,
    /// The commits so far: the version of the history.
    depth: Version,
    /// Which file is at a path now, with what is pending.
    live: HashMap<RepoPath, FileId>,
    pending: Pending,
    imported: Imported,
}

impl<'a> Import<'a> {
    async fn after(store: &'a Store, depth: Version) -> Result<Self, ImportError> {
        let histories = Repository::<History>::new(store);
        let history = histories.stream(&HistoryId::first_parent())?;
        let mut files = Projector::<LiveFiles>::stored(store).await?;
        files.catch_up().await?;
        // Are these the files of that commit, and not of a later one?
        if store.version(&history).await? != depth {
            return Err(ImportError::Contended);
        }
        let live = files
            .iter()
            .filter_map(|(id, file)| Some((file.path.clone(), id.parse().ok()?)))
            .collect();
        Ok(Self {
            store,
            files: Repository::new(store),
            histories,
            depth,
            live,
            pending: Pending::default(),
            imported: Imported::default(),
        })
    }

    /// Takes up the events of a commit.
    fn record(&mut self, changed: Changed) -> Result<(), ImportError> {
        let commit = changed.commit;
        let count = changed.changes.len() as u64;
        // Old paths are freed before new ones are taken: within a commit a path may be both.
        let files = changed
            .changes
            .iter()
            .map(|change| self.file_of(change, &commit.id))
            .collect::<Result<Vec<_>, _>>()?;
        for (change, file) in changed.changes.into_iter().zip(files) {
            self.record_change(change, file, commit.clone())?;
        }
        // Comes last, so that its position is the end of the commit. Of two imports at once, one finds another version here.
        let id = commit.id.event_id();
        let event = CommitRecorded {
            commit,
            subject: changed.subject,
            files: count,
        };
        let history = HistoryId::first_parent();
        let expected = Expected::Version(self.depth);
        self.pending
            .add(&self.histories, &history, expected, id, &event)?;
        self.depth = self.depth.next();
        self.pending.commits += 1;
        Ok(())
    }

    /// The file that a change is about, which leaves the path that it had.
    fn file_of(&mut self, change: &Change, commit: &CommitId) -> Result<FileId, ImportError> {
        let before = match &change.action {
            Action::Added(_) => return Ok(FileId::added_by(commit, &change.path)),
            Action::Modified(_) | Action::Deleted => &change.path,
            Action::Renamed { from, .. } => from,
        };
        self.live
            .remove(before)
            .ok_or_else(|| ImportError::UnknownFile {
                commit: commit.clone(),
                path: before.clone(),
            })
    }

    /// Takes up the event of one file, which is now at the path of the change.
    fn record_change(
        &mut self,
        change: Change,
        file: FileId,
        commit: Commit,
    ) -> Result<(), ImportError> {
        let Change { path, lines, .. } = change;
        let (files, pending) = (&self.files, &mut self.pending);
        let id = file.event_id(&commit.id);
        if change.action != Action::Deleted {
            self.live.insert(path.clone(), file);
        }
        match change.action {
            Action::Added(content) => {
                let event = FileAdded {
                    path,
                    content,
                    lines,
                    commit,
                };
                pending.add(files, &file, Expected::NoStream, id, &event)
            }
            Action::Modified(content) => {
                let event = FileModified {
                    path,
                    content,
                    lines,
                    commit,
                };
                pending.add(files, &file, Expected::StreamExists, id, &event)
            }
            Action::Renamed { from, content } => {
                let event = FileRenamed {
                    from,
                    path,
                    content,
                    lines,
                    commit,
                };
                pending.add(files, &file, Expected::StreamExists, id, &event)
            }
            Action::Deleted => {
                let event = FileDeleted {
                    path,
                    lines,
                    commit,
                };
                pending.add(files, &file, Expected::StreamExists, id, &event)
            }
        }
    }

    /// Writes what is pending, wholly or not at all.
    async fn write(&mut self) -> Result<(), ImportError> {
        let Pending {
            batch,
            commits,
            events,
        } = std::mem::take(&mut self.pending);
        let appended = self.store.append_batch(batch).await?;
        // Another import may have been faster with the very same batch: its ids tell, and nothing was written.
        if !appended.repeated {
            self.imported.commits += commits;
            self.imported.events += events;
        }
        Ok(())
    }
}

/// Events that wait to be written together, in the order in which they happened.
///
/// A unit of work would write them file by file; here each commit must end before the next one begins.
#[derive(Default)]
struct Pending {
    batch: Batch,
    commits: u64,
    events: u64,
}

impl Pending {
    /// Adds an event to a stream. It is one that the aggregate applies, or this does not compile.
    fn add<A: Apply + Applies<E>, E: Event>(
        &mut self,
        to: &Repository<A>,
        id: &A::Id,
        expected: Expected,
        event_id: EventId,
        event: &E,
    ) -> Result<(), ImportError> {
        let event = NewEvent {
            id: event_id,
            ..NewEvent::of(event)?
        };
        self.batch.push(StreamAppend {
            stream: to.stream(id)?,
            expected,
            events: vec![event],
        });
        self.events += 1;
        Ok(())
    }
}
