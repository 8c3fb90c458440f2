//! What can be wrong with the files.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Why the lock cannot be used. Each names the file, and the line where there is one, and says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum LockError {
    /// A file cannot be read or written.
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that the lock lists is not there.
    Missing {
        /// The file.
        file: PathBuf,
        /// The event and its version.
        listed: String,
    },
    /// A merge left its markers.
    MergeMarker {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
    },
    /// The file ends in the middle.
    Truncated {
        /// The file.
        file: PathBuf,
        /// The last line.
        line: usize,
    },
    /// No TOML, no JSON, a key or a value that is not known.
    Malformed {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The file was written by a newer release.
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
    /// Something is listed twice.
    Double {
        /// The file.
        file: PathBuf,
        /// The line of the second one.
        line: usize,
        /// What is.
        entry: String,
    },
    /// A file is not the one that the lock lists.
    Digest {
        /// The file.
        file: PathBuf,
        /// The digest in the lock.
        listed: String,
        /// The file's own.
        found: String,
    },
    /// A name that no file system can be trusted with, or that is another one's in upper case.
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl LockError {
    /// The file that is wrong.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Io { file, .. }
            | Self::Missing { file, .. }
            | Self::MergeMarker { file, .. }
            | Self::Truncated { file, .. }
            | Self::Malformed { file, .. }
            | Self::NewerFormat { file, .. }
            | Self::Double { file, .. }
            | Self::Digest { file, .. } => Some(file),
            Self::Name { .. } => None,
        }
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { file, .. } => write!(f, "{}: cannot be read or written", file.display()),
            Self::Missing { file, listed } if file.ends_with("lock.toml") => write!(
                f,
                "[RC1006] {}: missing, although {listed} is there; restore it from version control",
                file.display()
            ),
            Self::Missing { file, listed } => write!(
                f,
                "[RC1006] {}: missing, but listed for {listed} in lock.toml; restore it from version control",
                file.display()
            ),
            Self::MergeMarker { file, line } if file.ends_with("lock.toml") => write!(
                f,
                "{}:{line}: a merge left its markers; keep the entries of both sides, each with its `[[event]]`, `category` and `name`, \
                 but of a version that both changed the entry and the files of the main branch, and run `recount schema accept EVENT`",
                file.display()
            ),
            Self::MergeMarker { file, line } => write!(
                f,
                "{}:{line}: a merge left its markers; take the file and the version's entry in lock.toml from the main branch, \
                 and run `recount schema accept EVENT`",
                file.display()
            ),
            Self::Truncated { file, line } => write!(
                f,
                "{}:{line}: the file ends in the middle; restore it from version control",
                file.display()
            ),
            Self::Malformed {
                file,
                line,
                problem,
            } => {
                let mend = if problem.contains("duplicate key") {
                    "if a merge put two entries into one, give each its own `[[event]]`, `category` and `name`"
                } else {
                    "mend the line, or restore the file from version control"
                };
                write!(f, "{}:{line}: {problem}; {mend}", file.display())
            }
            Self::NewerFormat { file, found, known } => write!(
                f,
                "{}: format {found}, but this release knows up to {known}; update recount",
                file.display()
            ),
            Self::Double { file, line, entry } => {
                write!(
                    f,
                    "{}:{line}: {entry} is listed twice; keep the entry of the side whose files are there",
                    file.display()
                )
            }
            Self::Digest {
                file,
                listed,
                found,
            } => write!(
                f,
                "[RC1044] {}: the digest is {found}, but lock.toml lists {listed}; restore both from one revision",
                file.display()
            ),
            Self::Name { name, problem } => write!(f, "`{name}`: {problem}; choose another name"),
        }
    }
}

impl std::error::Error for LockError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The text of a file without what a merge may have left in it.
#[cfg(feature = "lock")]
pub(super) fn read(file: &Path) -> Result<String, LockError> {
    let bytes = std::fs::read(file).map_err(|source| LockError::Io {
        file: file.to_owned(),
        source,
    })?;
    let text = String::from_utf8(bytes).map_err(|error| LockError::Malformed {
        file: file.to_owned(),
        line: line_at(&error.as_bytes()[..error.utf8_error().valid_up_to()]),
        problem: "no UTF-8".to_owned(),
    })?;
    // Editors on Windows put it there, and end lines in two characters.
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(&text)
        .replace("\r\n", "\n");
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("<<<<<<<")
            || line.starts_with(">>>>>>>")
            || line == "======="
            || line.starts_with("|||||||")
        {
            return Err(LockError::MergeMarker {
                file: file.to_owned(),
                line: at + 1,
            });
        }
    }
    Ok(text)
}

/// The line that comes after so much text.
pub(super) fn line_at(before: &[u8]) -> usize {
    before.split(|byte| *byte == b'\n').count()
}
