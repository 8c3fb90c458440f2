//! Reading a repository: what the `git` program says, as this example's own types.
//!
//! Everything that settings of a user, a repository or a submodule could change in git's output is said on the command
//! line, so that the same commit is read alike everywhere.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use recount::chrono::{DateTime, Utc};

use crate::domain::{Author, Commit, CommitId, Content, Kind, Lines};
use crate::path::RepoPath;

/// Why a repository could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("the program `git` could not be run; is it installed?")]
    NotRun(#[source] std::io::Error),
    #[error("{} is not a git repository: {said}", path.display())]
    NotARepository { path: PathBuf, said: String },
    #[error("{revision:?} is not a commit of this repository")]
    NoSuchCommit { revision: String },
    #[error("`git {command}` failed: {said}")]
    Failed { command: String, said: String },
    #[error("the output of git could not be read")]
    Read(#[source] std::io::Error),
    #[error("`git {command}` wrote {found:?} where {expected} was expected")]
    Unexpected {
        command: String,
        expected: &'static str,
        found: String,
    },
}

/// A repository, bare or with a work tree.
#[derive(Debug)]
pub struct Git {
    path: PathBuf,
}

/// A commit and all that it changed against its first parent.
#[derive(Debug, PartialEq)]
pub struct Changed {
    pub commit: Commit,
    pub subject: String,
    pub changes: Vec<Change>,
}

/// What a commit did to one file. No path is that of two changes of a commit.
#[derive(Debug, PartialEq)]
pub struct Change {
    pub path: RepoPath,
    pub action: Action,
    /// `None` for binary files.
    pub lines: Option<Lines>,
}

#[derive(Debug, PartialEq)]
pub enum Action {
    Added(Content),
    Modified(Content),
    Renamed { from: RepoPath, content: Content },
    Deleted,
}

/// A file as `git ls-tree` lists it.
#[derive(Debug, PartialEq)]
pub struct TreeFile {
    pub path: RepoPath,
    pub content: Content,
}

impl Git {
    /// The repository that holds this folder.
    pub fn open(path: &Path) -> Result<Self, GitError> {
        let git = Self {
            path: path.to_owned(),
        };
        match git.answer(&["rev-parse", "--git-dir"]) {
            Ok(_) => Ok(git),
            Err(GitError::Failed { said, .. }) => Err(GitError::NotARepository {
                path: path.to_owned(),
                said,
            }),
            Err(error) => Err(error),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The commit that `HEAD` stands at; `None` while there is none.
    pub fn head(&self) -> Result<Option<CommitId>, GitError> {
        match self.resolve("HEAD") {
            Ok(head) => Ok(Some(head)),
            Err(GitError::NoSuchCommit { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The commit that a name, a tag or the beginning of a hash stands for.
    pub fn resolve(&self, revision: &str) -> Result<CommitId, GitError> {
        let commit = format!("{revision}^{{commit}}");
        let arguments = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ];
        match self.answer(&arguments) {
            Ok(hash) => Ok(CommitId::new(hash)),
            Err(GitError::Failed { .. }) => Err(GitError::NoSuchCommit {
                revision: revision.to_owned(),
            }),
            Err(error) => Err(error),
        }
    }

    /// How many commits there are from the first one to this one, by first parents.
    pub fn depth(&self, commit: &CommitId) -> Result<u64, GitError> {
        let arguments = ["rev-list", "--first-parent", "--count", commit.as_str()];
        let count = self.answer(&arguments)?;
        count
            .parse()
            .map_err(|_| unexpected("rev-list", "a number", count.as_bytes()))
    }

    /// The commit at this depth among the first parents of `head`; `None` where there is none.
    pub fn at_depth(&self, head: &CommitId, depth: u64) -> Result<Option<CommitId>, GitError> {
        let Some(skip) = self.depth(head)?.checked_sub(depth) else {
            return Ok(None);
        };
        let skip = format!("--skip={skip}");
        let arguments = [
            "rev-list",
            "--first-parent",
            "--max-count=1",
            &skip,
            head.as_str(),
        ];
        let hash = self.answer(&arguments)?;
        Ok((!hash.is_empty()).then(|| CommitId::new(hash)))
    }

    /// The commits after `after`, or all, up to `head` by first parents, the oldest first. They are read as git writes
    /// them: one commit is in memory at a time.
    pub fn commits(&self, after: Option<&CommitId>, head: &CommitId) -> Result<Commits, GitError> {
        let range = match after {
            Some(after) => format!("{after}..{head}"),
            None => head.to_string(),
        };
        let mut command = self.command(&["-c", "log.showRoot=true", "log"]);
        command.args([
            "-z",
            "--reverse",
            "--first-parent",
            "--diff-merges=first-parent",
            "--raw",
            "--numstat",
            "--no-abbrev",
            "--find-renames=50%",
            "-l1000",
            "--diff-algorithm=myers",
            "--ignore-submodules=none",
            "--no-relative",
            "--no-notes",
            "--no-show-signature",
            "--encoding=UTF-8",
            HEADER,
            &range,
            "--",
        ]);
        Ok(Commits {
            fields: Fields::start("log", command)?,
            ahead: Vec::new(),
        })
    }

    /// The files of a commit.
    pub fn tree(&self, commit: &CommitId) -> Result<Tree, GitError> {
        let mut command = self.command(&["ls-tree", "-r", "-z", "--full-tree"]);
        command.arg(commit.as_str());
        Fields::start("ls-tree", command).map(Tree)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .arg("--no-replace-objects")
            .arg("-C")
            .arg(&self.path)
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        // In a hook, git names the hook's repository in the environment; the one that is meant here is that at `path`.
        for name in [
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_PREFIX",
            "GIT_COMMON_DIR",
            "GIT_OBJECT_DIRECTORY",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// The one line that a short command writes.
    fn answer(&self, arguments: &[&str]) -> Result<String, GitError> {
        let output = self.command(arguments).output().map_err(GitError::NotRun)?;
        if output.status.success() {
            Ok(text(output.stdout.trim_ascii_end()))
        } else {
            Err(GitError::Failed {
                command: arguments.join(" "),
                said: text(output.stderr.trim_ascii()),
            })
        }
    }
}

/// Six fields before the changes of a commit; the first tells it from a change, which begins with `:`, `-` or a digit.
const HEADER: &str = "--format=commit%x00%H%x00%an%x00%ae%x00%at%x00%s";

/// The commits of [`Git::commits`], read one by one.
#[derive(Debug)]
pub struct Commits {
    fields: Fields,
    /// The first field of the next commit, read in search of the last one's end.
    ahead: Vec<u8>,
}

impl Commits {
    /// The next commit; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Changed>, GitError> {
        let first = std::mem::take(&mut self.ahead);
        match first.as_slice() {
            [] => match self.fields.next()? {
                Some(b"commit") => {}
                Some(other) => return Err(unexpected("log", "a commit", other)),
                None => return Ok(None),
            },
            b"commit" => {}
            other => return Err(unexpected("log", "a commit", other)),
        }
        let id = CommitId::new(self.text()?);
        let author = Author {
            name: self.text()?,
            email: self.text()?,
        };
        let at = time(&self.text()?);
        let subject = self.text()?;
        Ok(Some(Changed {
            commit: Commit { id, author, at },
            subject,
            changes: self.changes()?,
        }))
    }

    /// Both lists of changes, as git writes them one after the other: `--raw`, then `--numstat`.
    fn changes(&mut self) -> Result<Vec<Change>, GitError> {
        let mut changes = Vec::new();
        let mut counted = 0;
        while let Some(field) = self.fields.next()? {
            // A line feed parts the header from the first change.
            let field = field.strip_prefix(b"\n").unwrap_or(field);
            match field {
                [b':', raw @ ..] => {
                    let raw = text(raw);
                    changes.push(self.change(&raw)?);
                }
                [b'-' | b'0'..=b'9', ..] => {
                    let field = field.to_vec();
                    let (lines, path) = self.lines(&field)?;
                    // The same files in the same order.
                    match changes.get_mut(counted) {
                        Some(change) if change.path == path => change.lines = lines,
                        _ => return Err(unexpected("log", "a file of the same commit", &field)),
                    }
                    counted += 1;
                }
                next => {
                    self.ahead = next.to_vec();
                    break;
                }
            }
        }
        Ok(changes)
    }

    /// `MODE MODE HASH HASH STATUS`, then the path, for a rename the old path before the new one.
    fn change(&mut self, raw: &str) -> Result<Change, GitError> {
        let parts: Vec<&str> = raw.split(' ').collect();
        let &[_, mode, _, hash, status] = parts.as_slice() else {
            return Err(unexpected("log", "a change", raw.as_bytes()));
        };
        let content = || {
            let kind = kind(mode).ok_or_else(|| unexpected("log", "a mode", mode.as_bytes()))?;
            let hash = hash.to_owned();
            Ok(Content { kind, hash })
        };
        let mut path = self.path()?;
        let action = match status.as_bytes() {
            [b'A', ..] => Action::Added(content()?),
            // A change of type, as from a file to a link, is one of content: the path stays, and so does the file.
            [b'M' | b'T', ..] => Action::Modified(content()?),
            [b'D', ..] => Action::Deleted,
            [b'R', ..] => Action::Renamed {
                from: std::mem::replace(&mut path, self.path()?),
                content: content()?,
            },
            _ => return Err(unexpected("log", "a status", status.as_bytes())),
        };
        Ok(Change {
            path,
            action,
            lines: None,
        })
    }

    /// `ADDED⇥REMOVED⇥PATH`, with dashes for a binary file; for a rename the paths follow in fields of their own.
    fn lines(&mut self, field: &[u8]) -> Result<(Option<Lines>, RepoPath), GitError> {
        let mut parts = field.splitn(3, |byte| *byte == b'\t');
        let (Some(added), Some(removed), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(unexpected("log", "counts of lines", field));
        };
        let path = if path.is_empty() {
            self.path()?;
            self.path()?
        } else {
            RepoPath::from_bytes(path)
        };
        if (added, removed) == (b"-", b"-") {
            return Ok((None, path));
        }
        let number = |digits: &[u8]| {
            let number = std::str::from_utf8(digits)
                .ok()
                .and_then(|d| d.parse().ok());
            number.ok_or_else(|| unexpected("log", "a count of lines", field))
        };
        let lines = Lines {
            added: number(added)?,
            removed: number(removed)?,
        };
        Ok((Some(lines), path))
    }

    fn text(&mut self) -> Result<String, GitError> {
        self.fields.required().map(text)
    }

    fn path(&mut self) -> Result<RepoPath, GitError> {
        self.fields.required().map(RepoPath::from_bytes)
    }
}

/// The files of [`Git::tree`], read one by one.
#[derive(Debug)]
pub struct Tree(Fields);

impl Tree {
    /// The next file; `None` at the end.
    pub fn next(&mut self) -> Result<Option<TreeFile>, GitError> {
        let Some(field) = self.0.next()? else {
            return Ok(None);
        };
        // `MODE TYPE HASH⇥PATH`
        let file = || {
            let tab = field.iter().position(|byte| *byte == b'\t')?;
            let (entry, path) = (text(&field[..tab]), &field[tab + 1..]);
            let mut parts = entry.split(' ');
            let (mode, hash) = (parts.next()?, parts.nth(1)?);
            Some(TreeFile {
                path: RepoPath::from_bytes(path),
                content: Content {
                    kind: kind(mode)?,
                    hash: hash.to_owned(),
                },
            })
        };
        match file() {
            Some(file) => Ok(Some(file)),
            None => Err(unexpected("ls-tree", "a file", field)),
        }
    }
}

/// Output of git that is cut at NUL, the one byte that no path holds. What git has to complain of, it tells the user itself.
#[derive(Debug)]
struct Fields {
    command: &'static str,
    child: Child,
    output: BufReader<ChildStdout>,
    field: Vec<u8>,
}

impl Fields {
    fn start(name: &'static str, mut command: Command) -> Result<Self, GitError> {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(GitError::NotRun)?;
        let Some(output) = child.stdout.take() else {
            return Err(GitError::Read(std::io::ErrorKind::BrokenPipe.into()));
        };
        Ok(Self {
            command: name,
            child,
            output: BufReader::with_capacity(1 << 16, output),
            field: Vec::new(),
        })
    }

    /// The next field, without its NUL; `None` at the end, if git says that it was the end.
    fn next(&mut self) -> Result<Option<&[u8]>, GitError> {
        self.field.clear();
        let output = &mut self.output;
        output
            .read_until(0, &mut self.field)
            .map_err(GitError::Read)?;
        if self.field.pop_if(|last| *last == 0).is_some() {
            return Ok(Some(&self.field));
        }
        let status = self.child.wait().map_err(GitError::Read)?;
        if !status.success() {
            return Err(GitError::Failed {
                command: self.command.to_owned(),
                said: status.to_string(),
            });
        }
        if self.field.is_empty() {
            Ok(None)
        } else {
            Err(unexpected(self.command, "a whole field", &self.field))
        }
    }

    /// The next field, where there must be one.
    fn required(&mut self) -> Result<&[u8], GitError> {
        let command = self.command;
        self.next()?
            .ok_or_else(|| unexpected(command, "another field", b""))
    }
}

/// An error in the middle leaves git writing to nobody.
impl Drop for Fields {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The kind that a mode stands for. Old repositories also hold modes like 100664, which git takes for 100644.
fn kind(mode: &str) -> Option<Kind> {
    match u32::from_str_radix(mode, 8).ok()? {
        0o120_000 => Some(Kind::Symlink),
        0o160_000 => Some(Kind::Submodule),
        mode if mode & 0o170_000 == 0o100_000 && mode & 0o100 != 0 => Some(Kind::Executable),
        mode if mode & 0o170_000 == 0o100_000 => Some(Kind::Regular),
        _ => None,
    }
}

/// The time of seconds since 1970; that time itself where git holds none that a calendar knows.
fn time(seconds: &str) -> DateTime<Utc> {
    seconds
        .parse()
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .unwrap_or(DateTime::UNIX_EPOCH)
}

/// Names and subjects in no known encoding are shown, with marks where they are not text; only paths must come back.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn unexpected(command: &str, expected: &'static str, found: &[u8]) -> GitError {
    GitError::Unexpected {
        command: command.to_owned(),
        expected,
        found: text(found),
    }
}
