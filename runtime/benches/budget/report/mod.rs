//! What was measured, as data; the table, the report and its pictures are made of it. Knows nothing of what is measured.

pub mod charts;
mod markdown;
mod svg;
pub mod table;

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// All that one report says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// What it was measured on: name and value, in order.
    pub machine: Vec<(String, String)>,
    pub rows: Vec<Row>,
    pub growth: Vec<Growth>,
}

/// One work on one backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The part of the report that it stands in.
    pub group: String,
    pub work: String,
    /// Empty for what needs no store.
    pub backend: String,
    /// What the figure means to a user.
    pub meaning: String,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    Measured(Figures),
    /// Why there are no figures.
    NotRun(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub unit: Unit,
    /// The middle of the rounds; none where no hand-written code does the same.
    pub floor: Option<f64>,
    pub ours: f64,
    /// Ours by the floor's, round by round.
    pub ratio: Option<Spread>,
    /// How long single calls took: the floor's and ours.
    pub delays: Option<(Option<Percentiles>, Percentiles)>,
    /// Attempts for each command that succeeded: the floor's and ours.
    pub attempts: Option<(f64, f64)>,
    pub budget: Option<Budget>,
    /// What else belongs to it.
    pub note: String,
    /// What is known to hold it below its budget.
    pub limits: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// More is better; all others: less is better.
    PerSecond,
    Milliseconds,
    Seconds,
    Megabytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub middle: f64,
    pub min: f64,
    pub max: f64,
}

/// In milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Budget {
    /// The ratio's least.
    AtLeast(f64),
    /// The ratio's most.
    AtMost(f64),
    /// The most attempts for each success.
    Attempts(f64),
    /// The most that ours may be, in the row's unit.
    Less(f64),
}

/// What one log costs as it grows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    pub backend: String,
    pub points: Vec<Size>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// Events in the log.
    pub events: u64,
    pub costs: Vec<Cost>,
    /// Megabytes that the log takes.
    pub log: Option<f64>,
    /// Megabytes that a process has at its peak which reads all of it: the floor's and ours.
    pub memory: Option<(f64, f64)>,
}

/// Microseconds for each event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    pub work: String,
    pub floor: f64,
    pub ours: f64,
}

/// How much the cost of an event may grow with its log.
pub const FLAT: f64 = 1.2;

impl Figures {
    pub fn missed(&self) -> bool {
        let Some(budget) = self.budget else {
            return false;
        };
        let ratio = self.ratio.map_or(f64::NAN, |ratio| ratio.middle);
        let kept = match budget {
            Budget::AtLeast(least) => ratio >= least,
            Budget::AtMost(most) => ratio <= most,
            Budget::Attempts(most) => self.attempts.is_some_and(|(_, ours)| ours < most),
            Budget::Less(most) => self.ours < most,
        };
        !kept
    }
}

impl Row {
    pub fn figures(&self) -> Option<&Figures> {
        match &self.outcome {
            Outcome::Measured(figures) => Some(figures),
            Outcome::NotRun(_) => None,
        }
    }
}

impl Results {
    /// Adds a row behind those of its store and group.
    fn insert(&mut self, row: Row) {
        let near = |old: &Row| (&old.group, &old.backend) == (&row.group, &row.backend);
        let last = self.rows.iter().rposition(near);
        let place = last.map_or(self.rows.len(), |last| last + 1);
        self.rows.insert(place, row);
    }

    /// Takes what was measured now over what was measured before: row by row, and a log's growth where it has got as far.
    fn update(&mut self, new: Results) {
        self.machine = new.machine;
        // Why something was not measured concerns the run in which it was not.
        self.rows.retain(|row| row.figures().is_some());
        for row in new.rows {
            let same = |old: &Row| (&old.work, &old.backend) == (&row.work, &row.backend);
            match self.rows.iter().position(same) {
                Some(place) => self.rows[place] = row,
                None => self.insert(row),
            }
        }
        for growth in new.growth {
            match self
                .growth
                .iter()
                .position(|old| old.backend == growth.backend)
            {
                Some(place) if self.growth[place].points.len() > growth.points.len() => {}
                Some(place) => self.growth[place] = growth,
                None => self.growth.push(growth),
            }
        }
    }
}

/// Writes the report into a folder: `report.md`, its pictures, and `results.json`, what they were made of. What was measured
/// before and not now stays, unless `all` was measured.
pub fn write(new: Results, all: bool, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let file = folder.join("results.json");
    let mut results = match std::fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Results::default(),
        Err(error) => return Err(error),
    };
    if all {
        results.rows.clear();
    }
    results.update(new);
    let mut bytes = serde_json::to_vec_pretty(&results).map_err(io::Error::other)?;
    bytes.push(b'\n');
    std::fs::write(file, bytes)?;
    for (name, picture) in charts::all(&results) {
        std::fs::write(folder.join(name), picture)?;
    }
    std::fs::write(folder.join("report.md"), markdown::report(&results))
}
