//! What a reader lost, saw twice or saw too late, and what writers were told that is not so.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;

use tokio_postgres::{Client, Row};
use uuid::Uuid;

/// An event as a reader saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub position: i64,
    pub stream: String,
    pub version: i64,
    pub id: Uuid,
}

impl Seen {
    pub fn of(row: &Row) -> Self {
        Self {
            position: row.get(0),
            stream: row.get(1),
            version: row.get(2),
            id: row.get(3),
        }
    }

    fn parse(line: &str) -> Self {
        let mut words = line.split(' ');
        let mut word = || words.next().expect("four words");
        Self {
            position: word().parse().unwrap(),
            stream: word().to_owned(),
            version: word().parse().unwrap(),
            id: word().parse().unwrap(),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            position,
            stream,
            version,
            id,
        } = self;
        writeln!(f, "{position} {stream} {version} {id}")
    }
}

/// The statement that reads events of which something holds.
pub fn page(condition: &str) -> String {
    format!("SELECT position, stream_id, version, event_id FROM events WHERE {condition}")
}

/// The log as it is when nobody writes.
pub async fn log(client: &Client) -> Vec<Seen> {
    let rows = client.query(&page("true ORDER BY position"), &[]).await;
    rows.unwrap().iter().map(Seen::of).collect()
}

/// Versions are dense in every stream, and rise with positions; no id is there twice.
pub fn versions_agree_with_positions(log: &[Seen]) {
    let mut versions: HashMap<&str, i64> = HashMap::new();
    for seen in log {
        let version = versions.entry(&seen.stream).or_default();
        *version += 1;
        assert_eq!(*version, seen.version, "{seen}");
    }
    assert_eq!(super::ids(log).len(), log.len());
}

/// What is wrong with what a reader saw; nothing by default.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Committed events that it never saw.
    pub lost: usize,
    /// Events that it saw again.
    pub doubled: usize,
    /// Events at or below a position that it had seen.
    pub late: usize,
    /// Events below one of the same stream that it had seen.
    pub out_of_order: usize,
    /// Events that are not there, or are others.
    pub phantoms: usize,
}

/// Compares what a reader saw, in the order in which it did, with the log.
pub fn judge(log: &[Seen], seen: &[Seen]) -> Verdict {
    let there: HashMap<Uuid, &Seen> = log.iter().map(|event| (event.id, event)).collect();
    let (mut verdict, mut known) = (Verdict::default(), HashSet::new());
    let (mut last, mut versions) = (0, HashMap::<&str, i64>::new());
    for event in seen {
        if there.get(&event.id) != Some(&event) {
            verdict.phantoms += 1;
            continue;
        }
        if !known.insert(event.id) {
            verdict.doubled += 1;
            continue;
        }
        verdict.late += usize::from(event.position <= last);
        last = last.max(event.position);
        let version = versions.entry(&event.stream).or_default();
        verdict.out_of_order += usize::from(event.version <= *version);
        *version = event.version.max(*version);
    }
    verdict.lost = log.len() - known.len();
    verdict
}

/// What writers were told.
#[derive(Debug, Default)]
pub struct Told {
    committed: Vec<Uuid>,
    undone: Vec<Uuid>,
    /// Events of transactions that were prepared, one of each.
    prepared: Vec<Uuid>,
}

impl Told {
    pub fn prepared(&self) -> usize {
        self.prepared.len()
    }

    /// What was acknowledged is there, and what was undone is not.
    pub fn agrees_with(&self, log: &[Seen]) {
        let there = super::ids(log);
        for id in &self.committed {
            assert!(there.contains(id), "{id} was acknowledged and is lost");
        }
        for id in &self.undone {
            assert!(!there.contains(id), "{id} was undone and is there");
        }
        assert!(
            !self.committed.is_empty() && !self.undone.is_empty(),
            "{self}"
        );
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (committed, undone) = (self.committed.len(), self.undone.len());
        let prepared = self.prepared.len();
        write!(
            f,
            "{committed} events acknowledged, {undone} undone, {prepared} transactions prepared"
        )
    }
}

/// Whole lines of all files of the folder whose names begin so; of a process that was killed the last line may be cut off.
fn lines(folder: &Path, beginning: &str) -> Vec<(String, Vec<String>)> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let files = files.filter(|file| file.file_name().to_str().unwrap().starts_with(beginning));
    files
        .map(|file| {
            let text = std::fs::read_to_string(file.path()).unwrap();
            let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
            let lines = whole.lines().map(str::to_owned).collect();
            (file.file_name().into_string().unwrap(), lines)
        })
        .collect()
}

pub fn told(folder: &Path) -> Told {
    let mut told = Told::default();
    for (_, lines) in lines(folder, "writer") {
        for line in lines {
            let (what, id) = line.split_once(' ').unwrap();
            let id = id.parse().unwrap();
            match what {
                "committed" => told.committed.push(id),
                "undone" => told.undone.push(id),
                "prepared" => told.prepared.push(id),
                other => panic!("{other}"),
            }
        }
    }
    told
}

/// What each reader of another process saw.
pub fn seen(folder: &Path) -> Vec<(String, Vec<Seen>)> {
    let files = lines(folder, "reader").into_iter();
    files
        .map(|(name, lines)| (name, lines.iter().map(|line| Seen::parse(line)).collect()))
        .collect()
}

/// A log of two streams, in turn.
fn small() -> Vec<Seen> {
    (0..6)
        .map(|number: i64| Seen {
            position: 10 + 2 * number,
            stream: ["a", "b"][usize::from(number % 2 == 1)].to_owned(),
            version: 1 + number / 2,
            id: Uuid::from_u64_pair(0, number.cast_unsigned()),
        })
        .collect()
}

#[test]
fn each_fault_of_a_reader_is_found_and_named() {
    let log = small();
    versions_agree_with_positions(&log);
    assert_eq!(judge(&log, &log), Verdict::default());
    let read = |places: &[usize]| -> Vec<Seen> {
        places.iter().map(|place| log[*place].clone()).collect()
    };
    let verdict = |lost, doubled, late, out_of_order, phantoms| Verdict {
        lost,
        doubled,
        late,
        out_of_order,
        phantoms,
    };
    for (seen, wrong) in [
        (read(&[0, 1, 3, 4, 5]), verdict(1, 0, 0, 0, 0)),
        (read(&[0, 1, 2, 3, 4]), verdict(1, 0, 0, 0, 0)),
        (read(&[0, 1, 2, 2, 3, 4, 5]), verdict(0, 1, 0, 0, 0)),
        (read(&[0, 1, 3, 2, 4, 5]), verdict(0, 0, 1, 0, 0)),
        (read(&[0, 1, 4, 3, 2, 5]), verdict(0, 0, 2, 1, 0)),
    ] {
        assert_eq!(judge(&log, &seen), wrong, "{seen:?}");
    }
    let mut other = log.clone();
    other[2].position += 1;
    assert_eq!(judge(&log, &other), verdict(1, 0, 0, 0, 1));
}

#[test]
fn what_a_reader_wrote_down_is_read_as_it_was() {
    for seen in small() {
        assert_eq!(Seen::parse(seen.to_string().trim_end()), seen);
    }
}
