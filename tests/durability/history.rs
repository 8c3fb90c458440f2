//! What callers asked for, what they were told, and in which order: the record that the oracle judges.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A moment: of two, one before the other in real time, the first is lower, in whatever processes they were taken.
pub type Stamp = u64;

/// Gives stamps to all who open the same file.
///
/// A tick appends one byte and asks where it ended. The kernel appends under the file's lock, so a tick that begins after
/// another ended gets a higher number. `Instant`s cannot be told to another process, and the wall clock may be set back.
#[derive(Debug)]
pub struct Clock(File);

impl Clock {
    pub fn open(path: &Path) -> Self {
        Self(
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .expect("a clock"),
        )
    }

    pub fn tick(&mut self) -> Stamp {
        self.0.write_all(&[0]).expect("a tick");
        self.0.stream_position().expect("a place")
    }
}

/// An event in the log; its id is the batch and its number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub position: u64,
    pub stream: u32,
    pub version: u64,
    pub batch: u64,
    pub index: u64,
}

/// What must hold of a stream. The oracle has its own opinion of what that means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    Any,
    NoStream,
    StreamExists,
    Version(u64),
}

impl Condition {
    pub fn holds(self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => version == 0,
            Self::StreamExists => version > 0,
            Self::Version(expected) => version == expected,
        }
    }
}

/// What is to be appended; no stream stands in two parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub batch: u64,
    pub parts: Vec<Part>,
    /// The id of an event that is stored in another batch, which makes this one a mistake that must be refused.
    pub stolen: Option<(u64, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub stream: u32,
    pub condition: Condition,
    pub events: u64,
}

impl Plan {
    pub fn events(&self) -> u64 {
        self.parts.iter().map(|part| part.events).sum()
    }
}

/// One call that appends. A batch that is tried again is another call with the same plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attempt {
    pub number: u64,
    pub plan: Plan,
    pub begun: Stamp,
    /// None: whoever asked did not live to hear it.
    pub answer: Option<(Stamp, Answer)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Stored {
        position: u64,
        /// What each part left its stream at.
        versions: Vec<u64>,
        repeated: bool,
    },
    Conflict {
        stream: u32,
        actual: u64,
    },
    /// An id of the batch belongs to another.
    Duplicate,
    /// An error that says that nothing was written.
    NotTaken(String),
    /// An error that leaves it open.
    Unknown(String),
}

/// One call that reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Look {
    /// Who looked. A follower has a number of its own, and goes on where it was.
    pub reader: u64,
    pub begun: Stamp,
    pub ended: Stamp,
    pub sight: Sight,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Sight {
    /// A follower's page: what comes after a position.
    Page {
        scope: Scope,
        after: u64,
        entries: Vec<Entry>,
        /// Nothing followed.
        last: bool,
    },
    /// A page from the end, backwards.
    Newest {
        scope: Scope,
        entries: Vec<Entry>,
        last: bool,
    },
    Version {
        stream: u32,
        version: u64,
    },
    Head {
        position: u64,
    },
}

/// Which part of the log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    All,
    Category { accounts: bool },
    Stream(u32),
}

/// What callers say while they work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Report {
    /// The store is about to be opened.
    Opening,
    Begun(Attempt),
    Answered {
        attempt: u64,
        at: Stamp,
        answer: Answer,
    },
    Looked(Look),
    /// All writers are done.
    Written,
    /// The store is about to be closed.
    Closing,
}

/// All that callers said.
#[derive(Debug, Default)]
pub struct History {
    pub attempts: Vec<Attempt>,
    pub looks: Vec<Look>,
    by_number: HashMap<u64, usize>,
}

impl History {
    pub fn new(attempts: Vec<Attempt>, looks: Vec<Look>) -> Self {
        let numbers = attempts.iter().map(|attempt| attempt.number);
        Self {
            by_number: numbers.zip(0..).collect(),
            attempts,
            looks,
        }
    }

    pub fn take(&mut self, report: Report) {
        match report {
            Report::Begun(attempt) => {
                let before = self.by_number.insert(attempt.number, self.attempts.len());
                assert_eq!(before, None, "two attempts have one number");
                self.attempts.push(attempt);
            }
            Report::Answered {
                attempt,
                at,
                answer,
            } => self.attempts[self.by_number[&attempt]].answer = Some((at, answer)),
            Report::Looked(look) => self.looks.push(look),
            Report::Opening | Report::Written | Report::Closing => {}
        }
    }
    /// All attempts at the batches that were tried since there were this many.
    pub fn since(&self, attempts: usize) -> Self {
        let batches: HashSet<_> = self.attempts[attempts..]
            .iter()
            .map(|attempt| attempt.plan.batch)
            .collect();
        let again = |attempt: &&Attempt| batches.contains(&attempt.plan.batch);
        let attempts = self.attempts.iter().filter(again).cloned();
        Self::new(attempts.collect(), Vec::new())
    }
}
