//! From a repository to the log: each commit becomes events of the files that it changed, and one of the history.

use std::collections::HashMap;

use recount::aggregate::Applies;
use recount::event::Versioned;
use recount::log::{
    AppendError, Batch, EventId, Expected, NameError, NewEvent, Query, ReadError, StreamId,
};
use recount::prelude::*;
use recount::projection::{ProjectionError, Projector};
use recount::repository::LoadError;
use recount::serde_json;

use crate::domain::{
    CommitId, CommitRecorded, File, FileAdded, FileDeleted, FileId, FileModified, FileRenamed,
    History, HistoryId,
};
use crate::git::{Action, Change, Changed, Git, GitError};
use crate::path::RepoPath;
use crate::views::LiveFiles;

/// A batch is written once it has this many events: enough that the wait for the disk is shared by many, few enough to
/// be held in memory. A commit is never split.
const BATCH_EVENTS: usize = 500;

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
    Files(#[from] ProjectionError),
    #[error(transparent)]
    Encode(#[from] serde_json::Error),
    #[error(transparent)]
    Name(#[from] NameError),
}

impl From<AppendError> for ImportError {
    fn from(error: AppendError) -> Self {
        match error {
            // Both give the same commit the same ids, so the slower one may also find them stored.
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
    match histories.load(&HistoryId::first_parent()).await {
        Ok(history) => {
            let depth = Root::version(&history);
            Ok(Root::into_state(history).last.map(|last| (last, depth)))
        }
        Err(LoadError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
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
        if import.pending >= BATCH_EVENTS {
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
    history: StreamId,
    /// The commits so far: the version of the history.
    depth: Version,
    /// Which file is at a path now, the batch included.
    live: HashMap<RepoPath, FileId>,
    batch: Batch,
    pending: usize,
    imported: Imported,
}

impl<'a> Import<'a> {
    async fn after(store: &'a Store, depth: Version) -> Result<Self, ImportError> {
        let history = Repository::<History>::new(store).stream(&HistoryId::first_parent())?;
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
            history,
            depth,
            live,
            batch: Batch::new(),
            pending: 0,
            imported: Imported::default(),
        })
    }

    /// Adds the events of a commit to the batch.
    fn record(&mut self, changed: Changed) -> Result<(), ImportError> {
        let Changed {
            commit,
            subject,
            changes,
        } = changed;
        let files = changes.len() as u64;
        // Old paths are freed before new ones are taken: within a commit a path may be both.
        let ids = changes
            .iter()
            .map(|change| self.file_of(change, &commit.id))
            .collect::<Result<Vec<_>, _>>()?;
        for (
            Change {
                path,
                action,
                lines,
            },
            file,
        ) in changes.into_iter().zip(ids)
        {
            let commit = commit.clone();
            let event = file.event_id(&commit.id);
            let stream = self.files.stream(&file)?;
            if !matches!(action, Action::Deleted) {
                self.live.insert(path.clone(), file);
            }
            match action {
                Action::Added(content) => self.add::<File, _>(
                    stream,
                    Expected::NoStream,
                    event,
                    &FileAdded {
                        path,
                        content,
                        lines,
                        commit,
                    },
                )?,
                Action::Modified(content) => self.add::<File, _>(
                    stream,
                    Expected::StreamExists,
                    event,
                    &FileModified {
                        path,
                        content,
                        lines,
                        commit,
                    },
                )?,
                Action::Renamed { from, content } => self.add::<File, _>(
                    stream,
                    Expected::StreamExists,
                    event,
                    &FileRenamed {
                        from,
                        path,
                        content,
                        lines,
                        commit,
                    },
                )?,
                Action::Deleted => self.add::<File, _>(
                    stream,
                    Expected::StreamExists,
                    event,
                    &FileDeleted {
                        path,
                        lines,
                        commit,
                    },
                )?,
            }
        }
        // Comes last, so that its position is the end of the commit. Of two imports at once, one finds another version here.
        let (stream, expected) = (self.history.clone(), Expected::Version(self.depth));
        let id = commit.id.event_id();
        self.add::<History, _>(
            stream,
            expected,
            id,
            &CommitRecorded {
                commit,
                subject,
                files,
            },
        )?;
        self.depth = self.depth.next();
        self.imported.commits += 1;
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

    /// Adds an event to the batch. It is one that the aggregate applies, or this does not compile.
    fn add<A: Applies<E>, E: Versioned + Serialize>(
        &mut self,
        stream: StreamId,
        expected: Expected,
        id: EventId,
        event: &E,
    ) -> Result<(), ImportError> {
        let event = NewEvent {
            id,
            ..NewEvent::json(E::NAME, E::VERSION, event)?
        };
        self.batch = std::mem::take(&mut self.batch).append(stream, expected, [event]);
        self.pending += 1;
        Ok(())
    }

    /// Writes the batch, wholly or not at all.
    async fn write(&mut self) -> Result<(), ImportError> {
        self.store
            .append_batch(std::mem::take(&mut self.batch))
            .await?;
        self.imported.events += std::mem::take(&mut self.pending) as u64;
        Ok(())
    }
}
