//! What followers should have come to: a fold of the log from zero, which shares no code with theirs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use recount::log::{EventId, Position, Query, RecordedEvent};
use recount::prelude::*;
use recount::projection::{Projector, TableProjection, TableReader};
use serde::de::DeserializeOwned;

use super::process::persist;
use super::read_models::{Entries, Hesitant, Picky, Sums};

/// An event that was fed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub position: u64,
    pub number: u64,
    pub stream: String,
    pub id: EventId,
}

/// An event that answers another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    stream: String,
    of: u64,
    before: u64,
    causation: Option<uuid::Uuid>,
}

/// All that is in the log.
#[derive(Debug)]
pub struct Log {
    pub causes: Vec<Cause>,
    answers: Vec<Answer>,
    /// What the sums are, of each event in turn: position, stream, number.
    all: Vec<(u64, String, u64)>,
}

impl Log {
    pub async fn read(store: &Store) -> Self {
        let events = persist(async || store.read(Query::all()).collect().await).await;
        let mut log = Self {
            causes: Vec::new(),
            answers: Vec::new(),
            all: Vec::new(),
        };
        for event in events {
            log.take(&event);
        }
        log
    }

    fn take(&mut self, event: &RecordedEvent) {
        let content: serde_json::Value = serde_json::from_slice(&event.payload).expect("JSON");
        let number = |name: &str| content[name].as_u64().expect("a number");
        let (position, stream) = (event.position.0, event.stream.id().to_owned());
        if &*event.name == "Fed" {
            let (number, id) = (number("number"), event.id);
            self.all
                .push((position, format!("source {stream}"), number));
            self.causes.push(Cause {
                position,
                number,
                stream,
                id,
            });
        } else {
            assert_eq!(&*event.name, "Echoed");
            let (of, before) = (number("of"), number("before"));
            self.all.push((position, format!("echo {stream}"), of));
            self.answers.push(Answer {
                stream,
                of,
                before,
                causation: event.metadata.causation,
            });
        }
    }

    /// How many events were fed.
    pub fn fed(&self) -> usize {
        self.causes.len()
    }

    /// How many events there are.
    pub fn events(&self) -> u64 {
        self.all.len() as u64
    }

    /// All are answered.
    pub fn is_answered(&self) -> bool {
        self.answers.len() >= self.causes.len()
    }

    fn sums(&self, up_to: Position) -> Sums {
        let mut events = 0;
        let mut order: u64 = 0;
        let mut by_stream: BTreeMap<String, u64> = BTreeMap::new();
        for (position, stream, number) in &self.all {
            if *position <= up_to.0 {
                events += 1;
                order = order.wrapping_mul(31).wrapping_add(*number);
                let of_stream = by_stream.entry(stream.clone()).or_insert(0);
                *of_stream = of_stream.wrapping_mul(31).wrapping_add(*number);
            }
        }
        Sums {
            events,
            order,
            by_stream,
        }
    }

    fn tally(&self) -> (u64, u64) {
        let sum = |sum, cause: &Cause| (sum * 31 + cause.number) % 1_000_000_007;
        (self.fed() as u64, self.causes.iter().fold(0, sum))
    }
}

/// What a query of a projection's tables gives.
pub async fn rows<P: TableProjection, T: DeserializeOwned>(
    store: &Store,
    text: &'static str,
) -> Vec<T> {
    let reader = TableReader::<P>::new(store);
    persist(async || reader.rows(text, ()).await).await
}

/// What the store keeps of the sums; how many events are in it.
pub async fn sums(store: &Store) -> u64 {
    let sums = persist(async || Projector::<Sums>::stored(store).await).await;
    let position = sums.position();
    // Read later, so that it holds all that was folded.
    let log = Log::read(store).await;
    assert_eq!(*sums, log.sums(position), "at position {position}");
    sums.events
}

#[derive(Debug, Deserialize)]
pub struct Entry {
    nth: u64,
    position: u64,
    number: u64,
    stream: String,
    pid: u32,
    holder: String,
    revision: u64,
}

/// The entries are those of the first events that were fed, each once and in order. How many.
pub async fn entries(store: &Store) -> Vec<Entry> {
    let rows =
        rows::<Entries, Entry>(store, "SELECT * FROM {entries} ORDER BY nth, position").await;
    let log = Log::read(store).await;
    assert!(rows.len() <= log.fed(), "{} of {}", rows.len(), log.fed());
    for (nth, (entry, cause)) in (1..).zip(rows.iter().zip(&log.causes)) {
        let written = (entry.nth, entry.position, entry.number, &entry.stream);
        let fed = (nth, cause.position, cause.number, &cause.stream);
        assert_eq!(written, fed, "{entry:?}");
    }
    rows
}

/// What is known of those who wrote entries.
#[derive(Debug, Default)]
pub struct Reigns {
    /// How often another one went on.
    pub changes: usize,
}

/// Nobody wrote an entry while another one had the lease.
///
/// Each row says who wrote it, and, from the same transaction, who had the lease. A process has one holder's name for each projection,
/// so these two belong together; who writes without the lease names another's.
pub fn reigns(entries: &[Entry]) -> Reigns {
    let rows = entries.iter().map(|entry| (entry.pid, &*entry.holder));
    have_the_lease(rows);
    let mut reigns = Reigns::default();
    let mut last: Option<&Entry> = None;
    for entry in entries {
        if let Some(last) = last {
            assert!(last.revision <= entry.revision, "{last:?}, {entry:?}");
            if last.pid != entry.pid {
                // A lease that changes hands raises the revision, and so does the save.
                assert!(last.revision + 1 < entry.revision, "{last:?}, {entry:?}");
                reigns.changes += 1;
            }
        }
        last = Some(entry);
    }
    reigns
}

/// Each event that was fed was answered in the store at most once, in their order, by an event that names it as its cause.
pub fn answers(log: &Log) {
    let mut before: HashMap<&str, u64> = HashMap::new();
    assert!(log.answers.len() <= log.causes.len(), "answered twice");
    for (answer, cause) in log.answers.iter().zip(&log.causes) {
        let nth = before.entry(&cause.stream).or_default();
        let expected = Answer {
            stream: cause.stream.clone(),
            of: cause.position,
            before: *nth,
            causation: Some(cause.id.0),
        };
        assert_eq!(*answer, expected, "{cause:?}");
        *nth += 1;
    }
}

/// Outside each event was told at least once, and in their order for the first time. How often one was told again.
pub fn outside(log: &Log, file: &Path) -> usize {
    let text = std::fs::read_to_string(file).expect("a file");
    let mut seen = HashSet::new();
    let told: Vec<(u64, &str)> = text
        .lines()
        .map(|line| {
            let (position, stream) = line.split_once(' ').expect("two words");
            (position.parse().expect("a position"), stream)
        })
        .collect();
    let first: Vec<_> = told
        .iter()
        .filter(|(position, _)| seen.insert(*position))
        .copied()
        .collect();
    let fed = log.causes.iter();
    let fed: Vec<_> = fed.map(|cause| (cause.position, &*cause.stream)).collect();
    assert_eq!(first, fed);
    told.len() - first.len()
}

/// What was refused for a while is there once, and whoever wrote it had the lease: see [`reigns`].
pub async fn hesitant(store: &Store, log: &Log) {
    #[derive(Debug, Deserialize)]
    struct Waited {
        position: u64,
        number: u64,
        pid: u32,
        holder: String,
    }
    let text = "SELECT * FROM {waited_for} ORDER BY position";
    let rows = rows::<Hesitant, Waited>(store, text).await;
    let written = rows.iter().map(|row| (row.position, row.number));
    let fed = log
        .causes
        .iter()
        .map(|cause| (cause.position, cause.number));
    assert_eq!(written.collect::<Vec<_>>(), fed.collect::<Vec<_>>());
    have_the_lease(rows.iter().map(|row| (row.pid, &*row.holder)));
}

/// Each process has one holder's name, and each holder's name one process.
fn have_the_lease<'a>(rows: impl Iterator<Item = (u32, &'a str)>) {
    let (mut holders, mut writers) = (HashMap::new(), HashMap::new());
    for (pid, holder) in rows {
        let of_pid = *holders.entry(pid).or_insert(holder);
        let of_holder = *writers.entry(holder).or_insert(pid);
        assert_eq!(
            (pid, holder),
            (of_holder, of_pid),
            "written without the lease"
        );
    }
}

/// Of each stream the first events are handled, in their order, and the others are set aside, none is both and none is lost. How many
/// are set aside.
pub async fn picky(store: &Store, log: &Log) -> usize {
    #[derive(Debug, Deserialize)]
    struct Picked {
        nth: u64,
        position: u64,
        stream: String,
        number: u64,
    }
    let mut streams: BTreeMap<String, Vec<(u64, Option<u64>)>> = BTreeMap::new();
    let text = "SELECT * FROM {picked} ORDER BY stream, nth";
    for row in rows::<Picky, Picked>(store, text).await {
        let of_stream = streams.entry(row.stream).or_default();
        of_stream.push((row.position, Some(row.number)));
        assert_eq!(row.nth, of_stream.len() as u64, "of {:?}", row.position);
    }
    let letters = persist(async || store.dead_letters("picky").await).await;
    let aside = letters.len();
    for letter in letters {
        let of_stream = streams.entry(letter.stream.id().to_owned()).or_default();
        of_stream.push((letter.position.0, None));
    }
    for (stream, handled) in streams {
        let fed = log.causes.iter().filter(|cause| cause.stream == stream);
        let fed: Vec<_> = fed.map(|cause| (cause.position, cause.number)).collect();
        let positions: Vec<_> = handled.iter().map(|(position, _)| *position).collect();
        let expected: Vec<_> = fed.iter().map(|(position, _)| *position).collect();
        assert_eq!(positions, expected, "of stream {stream}");
        for ((_, number), (position, expected)) in handled.into_iter().zip(fed) {
            assert!(number.is_none_or(|number| number == expected), "{position}");
        }
    }
    aside
}

/// Everything is handled: the counts that go with the entries.
pub async fn tally(store: &Store, log: &Log) {
    let text = "SELECT events, checksum FROM {tally}";
    let rows = rows::<Entries, (u64, u64)>(store, text).await;
    assert_eq!(rows, [log.tally()]);
}
