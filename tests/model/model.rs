//! The naive model: a vector of events, searched from end to end, and the rules in their plainest words.
//!
//! It shares no code with the stores but the types of what goes in. Where it is slow it is meant to be: each answer can be
//! checked by reading.

use recount::chrono::{DateTime, Utc};
use recount::log::{Detail, Direction, Expected, NewEvent, Version};
use recount::store::{Checkpoint, StoredSnapshot};

use crate::accounts::{Root, apply, kept};
use crate::answer::{Answer, Row};
use crate::bank;
use crate::batches::Append;
use crate::commands::{
    Account, Command, Decision, Happening, Name, Projection, Read, Snapshots, Step, Tenant,
};

#[derive(Debug, Default)]
pub struct Model {
    /// The event at index *i* has position *i* + 1.
    pub events: Vec<Stored>,
    /// Every batch that was appended by hand, whatever came of it.
    pub tried: Vec<Vec<Append>>,
    /// Of accounts only that there is one.
    snapshots: Vec<(Name, Option<StoredSnapshot>)>,
    checkpoints: Vec<(Tenant, Projection, Checkpoint)>,
    shelf: [Option<Root>; 3],
}

#[derive(Debug)]
pub struct Stored {
    stream: Name,
    version: u64,
    pub event: NewEvent,
    /// Which append wrote it.
    append: usize,
}

impl Model {
    /// Carries out a command; `batch` is what [`batch`](Self::batch) made of it.
    pub fn answer(&mut self, number: usize, step: &Step, batch: Option<&[Append]>) -> Answer {
        match &step.command {
            Command::Append(by, _) | Command::Again(by, ..) => match batch {
                Some(batch) => self.append(*by, batch),
                None => Answer::Done,
            },
            Command::Read(by, read) => self.read(*by, read),
            Command::Version(by, name) => match name.through(*by) {
                Ok(stream) => Answer::Number(self.version(stream)),
                Err(tenant) => outside(*name, tenant),
            },
            Command::Head(by) => Answer::Number(self.head(*by)),
            Command::Stats(by) => self.stats(*by),
            Command::SaveSnapshot(name, version, shape, state) => {
                let snapshot = StoredSnapshot {
                    version: Version(*version),
                    fingerprint: *shape,
                    state: state.to_vec(),
                };
                self.save_snapshot(*name, snapshot)
            }
            Command::Snapshot(name, shape) => Answer::Snapshot(
                self.snapshots
                    .iter()
                    .filter(|(of, _)| of == name)
                    .find_map(|(_, kept)| kept.clone().filter(|kept| kept.fingerprint == *shape)),
            ),
            Command::DeleteSnapshots(by, category) => {
                let before = self.snapshots.len();
                self.snapshots.retain(|(of, _)| {
                    let is_theirs = by.is_none() || of.tenant == *by;
                    let is_meant = category.is_none_or(|category| of.category == category);
                    !(is_theirs && is_meant)
                });
                Answer::Number((before - self.snapshots.len()) as u64)
            }
            Command::SaveCheckpoint(by, projection, revision, position, state) => {
                self.save_checkpoint(*by, *projection, *revision, *position, *state)
            }
            Command::Checkpoint(by, projection) => Answer::Checkpoint(
                self.checkpoints
                    .iter()
                    .find(|(of, name, _)| of == by && name == projection)
                    .map(|(_, _, checkpoint)| checkpoint.clone()),
            ),
            Command::Create(account, events) => self.create(number, step, account, events),
            Command::Execute(account, decision) => self.execute(number, step, account, decision),
            Command::Load(account) => loaded(self.root(account, u64::MAX)),
            Command::LoadAt(account, version) => self.load_at(account, *version),
            Command::LoadAsOf(account, time) => self.load_as_of(account, *time),
            Command::History(account) => Answer::Events(self.history(account)),
            Command::TakeSnapshot(account) => match self.root(account, u64::MAX) {
                Ok(root) => {
                    self.account_has_snapshot(root.stream);
                    Answer::Number(root.stored)
                }
                Err(answer) => answer,
            },
            Command::Keep(account, place) => {
                let root = self.root(account, u64::MAX);
                self.shelf[*place] = root.clone().ok();
                loaded(root)
            }
            Command::Copy(from, to) => {
                let copy = self.shelf[*from].clone();
                self.shelf[*to] = copy;
                Answer::Done
            }
            Command::Record(place, events) => {
                let Some(root) = &mut self.shelf[*place] else {
                    return Answer::Done;
                };
                root.record(number, step, events);
                loaded(Ok(root.clone()))
            }
            Command::Save(account, place) => self.save(account, *place),
            Command::UnitOfWork(by, places, _) => {
                self.unit_of_work(*by, places, batch.unwrap_or_default())
            }
            // A damaged snapshot is ignored, and a file is the same when it is opened again.
            Command::DamageSnapshots(_) | Command::Reopen(_) => Answer::Done,
        }
    }

    pub fn version(&self, stream: Name) -> u64 {
        self.events
            .iter()
            .filter(|stored| stored.stream == stream)
            .count() as u64
    }

    fn head(&self, by: Tenant) -> u64 {
        let sees = |stored: &Stored| by.is_none() || stored.stream.tenant == by;
        self.events
            .iter()
            .rposition(sees)
            .map_or(0, |index| index as u64 + 1)
    }

    fn append(&mut self, by: Tenant, batch: &[Append]) -> Answer {
        if let Some(answer) = refused(batch) {
            return answer;
        }
        let mut bound = Vec::new();
        for part in batch {
            match part.stream.through(by) {
                Ok(stream) => bound.push((stream, part)),
                Err(tenant) => return outside(part.stream, tenant),
            }
        }
        if let Some(answer) = self.known(&bound) {
            return answer;
        }
        // All conditions, each after the parts before it.
        for (index, (stream, part)) in bound.iter().enumerate() {
            let earlier = bound.iter().take(index).filter(|(of, _)| of == stream);
            let added: usize = earlier.map(|(_, part)| part.events.len()).sum();
            let actual = self.version(*stream) + added as u64;
            let holds = match part.expected {
                Expected::Any => true,
                Expected::NoStream => actual == 0,
                Expected::StreamExists => actual > 0,
                Expected::Version(version) => actual == version.0,
                other => panic!("{other:?} is not known to the model"),
            };
            if !holds {
                return Answer::Conflict {
                    stream: stream.to_string(),
                    expected: part.expected,
                    actual,
                };
            }
        }
        let append = self.events.last().map_or(0, |stored| stored.append + 1);
        let mut streams = Vec::new();
        for (stream, part) in bound {
            for event in &part.events {
                self.events.push(Stored {
                    stream,
                    version: self.version(stream) + 1,
                    event: NewEvent {
                        recorded_at: kept(event.recorded_at),
                        ..event.clone()
                    },
                    append,
                });
            }
            streams.push((stream.to_string(), self.version(stream)));
        }
        Answer::Appended {
            position: self.head(by),
            streams,
            repeated: false,
        }
    }

    /// What is said of a batch that holds an id which its tenant has stored before.
    fn known(&self, batch: &[(Name, &Append)]) -> Option<Answer> {
        let events = || {
            batch
                .iter()
                .flat_map(|(stream, part)| part.events.iter().map(move |event| (*stream, event)))
        };
        let known = events().find_map(|(stream, event)| {
            self.events
                .iter()
                .find(|stored| stored.event.id == event.id && stored.stream.tenant == stream.tenant)
        })?;
        let earlier: Vec<(usize, &Stored)> = self
            .events
            .iter()
            .enumerate()
            .filter(|(_, stored)| stored.append == known.append)
            .collect();
        let same = earlier.len() == events().count()
            && earlier
                .iter()
                .zip(events())
                .all(|((_, stored), (stream, event))| {
                    stored.stream == stream
                        && stored.event.id == event.id
                        && stored.event.name == event.name
                        && stored.event.schema_version == event.schema_version
                        && stored.event.payload == event.payload
                });
        if !same {
            return Some(Answer::Duplicate {
                event: known.event.id,
                stream: known.stream.to_string(),
                version: known.version,
            });
        }
        // A part ended at its last event; one without events says what is there now.
        let mut rest = earlier.iter();
        let streams = batch.iter().map(|(stream, part)| {
            let last = rest.by_ref().take(part.events.len()).last();
            let version = last.map_or_else(|| self.version(*stream), |(_, stored)| stored.version);
            (stream.to_string(), version)
        });
        Some(Answer::Appended {
            streams: streams.collect(),
            position: earlier.last().map_or(0, |(index, _)| *index as u64 + 1),
            repeated: true,
        })
    }

    fn read(&self, by: Tenant, read: &Read) -> Answer {
        let query = &read.query;
        let stream = match read.stream.map(|name| (name, name.through(by))) {
            Some((name, Err(tenant))) => return outside(name, tenant),
            Some((_, Ok(stream))) => Some(stream),
            None => None,
        };
        let wanted = |position: u64, stored: &Stored| {
            let (of, event) = (stored.stream, &stored.event);
            let selected = query.selectors.is_empty()
                || query.selectors.iter().any(|selector| {
                    let category = selector.category.as_deref();
                    category.is_none_or(|category| category == of.category)
                        && (selector.names.is_empty()
                            || selector.names.iter().any(|name| *name == event.name))
                });
            (by.is_none() || of.tenant == by)
                && stream.is_none_or(|stream| stream == of)
                && selected
                && position > query.after.0
                && query.up_to.is_none_or(|last| position <= last.0)
                && stored.version >= query.from_version.0
                && query.to_version.is_none_or(|last| stored.version <= last.0)
                && query.since.is_none_or(|since| event.recorded_at >= since)
                && query.before.is_none_or(|before| event.recorded_at < before)
        };
        let mut rows: Vec<Row> = self
            .rows(query.detail)
            .into_iter()
            .zip(&self.events)
            .filter(|(row, stored)| wanted(row.position, stored))
            .map(|(row, _)| row)
            .collect();
        if query.direction == Direction::Backwards {
            rows.reverse();
        }
        rows.truncate(usize::try_from(query.limit.unwrap_or(u64::MAX)).unwrap());
        Answer::Events(rows)
    }

    fn rows(&self, detail: Detail) -> Vec<Row> {
        let row = |(index, stored): (usize, &Stored)| {
            let event = &stored.event;
            Row {
                position: index as u64 + 1,
                place: (detail >= Detail::Place)
                    .then(|| (stored.stream.to_string(), stored.version)),
                name: event.name.to_string(),
                schema_version: event.schema_version,
                recorded_at: event.recorded_at,
                payload: String::from_utf8(event.payload.clone()).unwrap(),
                context: (detail == Detail::Full).then(|| (event.id, event.metadata.actor.clone())),
            }
        };
        self.events.iter().enumerate().map(row).collect()
    }

    fn stats(&self, by: Tenant) -> Answer {
        let seen: Vec<&Stored> = self
            .events
            .iter()
            .filter(|stored| by.is_none() || stored.stream.tenant == by)
            .collect();
        let mut streams: Vec<Name> = seen.iter().map(|stored| stored.stream).collect();
        streams.sort_unstable();
        streams.dedup();
        let mut names: Vec<&str> = seen.iter().map(|stored| &*stored.event.name).collect();
        names.sort_unstable();
        names.dedup();
        let count = |name: &str| {
            seen.iter()
                .filter(|stored| stored.event.name == name)
                .count()
        };
        Answer::Stats {
            events: seen.len() as u64,
            streams: streams.len() as u64,
            by_name: names
                .into_iter()
                .map(|name| (name.to_owned(), count(name) as u64))
                .collect(),
        }
    }

    fn save_snapshot(&mut self, name: Name, snapshot: StoredSnapshot) -> Answer {
        let kept = self.snapshots.iter_mut().find(|(of, _)| *of == name);
        match kept {
            Some((_, Some(kept)))
                if kept.fingerprint == snapshot.fingerprint && kept.version >= snapshot.version => {
            }
            Some((_, kept)) => *kept = Some(snapshot),
            None => self.snapshots.push((name, Some(snapshot))),
        }
        Answer::Done
    }

    fn account_has_snapshot(&mut self, stream: Name) {
        if !self.snapshots.iter().any(|(of, _)| *of == stream) {
            self.snapshots.push((stream, None));
        }
    }

    fn save_checkpoint(
        &mut self,
        by: Tenant,
        projection: Projection,
        revision: u64,
        position: u64,
        state: Option<&[u8]>,
    ) -> Answer {
        let is_it =
            |(of, name, _): &(Tenant, Projection, Checkpoint)| *of == by && *name == projection;
        let actual = self
            .checkpoints
            .iter()
            .find(|kept| is_it(kept))
            .map_or(0, |(_, _, kept)| kept.revision);
        if revision != actual {
            return Answer::Moved {
                expected: revision,
                actual,
            };
        }
        self.checkpoints.retain(|kept| !is_it(kept));
        let saved = Checkpoint {
            revision: actual + 1,
            position: recount::Position(position),
            state: state.map(<[u8]>::to_vec),
        };
        self.checkpoints.push((by, projection, saved));
        Answer::Number(actual + 1)
    }

    /// The account after its first events, folded by hand.
    fn root(&self, account: &Account, events: u64) -> Result<Root, Answer> {
        let stream = account.stream();
        let mut root = Root::before(stream, account.actor);
        for stored in self.events.iter().filter(|stored| stored.stream == stream) {
            if stored.version > events {
                break;
            }
            root.state =
                Some(apply(root.state.take(), &stored.event).expect("what was stored folds"));
            root.stored = stored.version;
            root.recorded_at = stored.event.recorded_at;
        }
        if root.stored == 0 {
            Err(Answer::NotFound(stream.to_string()))
        } else {
            Ok(root)
        }
    }

    fn load_at(&self, account: &Account, version: u64) -> Answer {
        match self.root(account, version) {
            Ok(root) if root.stored < version => Answer::BeyondEnd {
                stream: root.stream.to_string(),
                asked: version,
                last: root.stored,
            },
            found => loaded(found),
        }
    }

    fn load_as_of(&self, account: &Account, time: DateTime<Utc>) -> Answer {
        let stream = account.stream();
        let events = self
            .events
            .iter()
            .filter(|stored| stored.stream == stream)
            .take_while(|stored| stored.event.recorded_at <= time)
            .count();
        loaded(self.root(account, events as u64))
    }

    fn history(&self, account: &Account) -> Vec<Row> {
        let stream = account.stream().to_string();
        let mut rows = self.rows(Detail::Full);
        rows.retain(|row| matches!(&row.place, Some((of, _)) if *of == stream));
        rows
    }

    fn create(
        &mut self,
        number: usize,
        step: &Step,
        account: &Account,
        events: &[Happening],
    ) -> Answer {
        let mut root = Root::before(account.stream(), account.actor);
        root.record(number, step, events);
        match self.save_root(account.by, &root, Expected::NoStream) {
            Answer::Conflict { stream, actual, .. } => Answer::AlreadyExists {
                stream,
                version: actual,
            },
            answer => {
                self.snapshot_if_due(account, 0, &answer);
                answer
            }
        }
    }

    fn execute(
        &mut self,
        number: usize,
        step: &Step,
        account: &Account,
        decision: &Decision,
    ) -> Answer {
        let mut root = match self.root(account, u64::MAX) {
            Ok(root) => root,
            Err(answer) => return answer,
        };
        let events = match decision {
            Decision::Always(events) => events.clone(),
            Decision::TakeAndGiveBack(amount) => {
                let balance = root.state.as_ref().map_or(0, |state| state.balance);
                if *amount > balance {
                    return Answer::Rejected(bank::Insufficient {
                        balance,
                        amount: *amount,
                    });
                }
                vec![Happening::Withdrawn(*amount), Happening::Deposited(*amount)]
            }
        };
        root.record(number, step, &events);
        let answer = self.save_root(account.by, &root, Expected::Version(Version(root.stored)));
        self.snapshot_if_due(account, root.stored, &answer);
        answer
    }

    fn save(&mut self, account: &Account, place: usize) -> Answer {
        let Some(root) = self.shelf[place].clone() else {
            return Answer::Done;
        };
        let answer = self.save_root(account.by, &root, Expected::Version(Version(root.stored)));
        if matches!(answer, Answer::Appended { .. }) {
            let at = Account {
                id: root.stream.id,
                ..*account
            };
            self.snapshot_if_due(&at, root.stored, &answer);
            self.shelf[place] = Some(root.saved());
        }
        answer
    }

    /// A root is saved through the handle of its own tenant, or the one that is bound to none.
    fn save_root(&mut self, by: Tenant, root: &Root, expected: Expected) -> Answer {
        if let Some(answer) = root.failure() {
            return answer;
        }
        match by {
            Some(tenant) if root.stream.tenant != by => outside(root.stream, tenant),
            _ => self.append(by, &[root.part(expected)]),
        }
    }

    fn unit_of_work(&mut self, by: Tenant, places: &[usize], by_hand: &[Append]) -> Answer {
        let roots: Vec<(usize, Root)> = places
            .iter()
            .filter_map(|place| Some((*place, self.shelf[*place].clone()?)))
            .collect();
        if let Some(answer) = roots.iter().find_map(|(_, root)| root.failure()) {
            return answer;
        }
        if let Some(answer) = refused(by_hand) {
            return answer;
        }
        let mut parts: Vec<Append> = roots
            .iter()
            .map(|(_, root)| root.part(Expected::Version(Version(root.stored))))
            .collect();
        for part in by_hand {
            match part.stream.through(by) {
                Ok(stream) => parts.push(Append {
                    stream,
                    ..part.clone()
                }),
                Err(tenant) => return outside(part.stream, tenant),
            }
        }
        if let Some(answer) = refused(&parts) {
            return answer;
        }
        // Roots keep the tenant that they were loaded with.
        let stranger = parts.iter().find(|part| part.stream.tenant != by);
        if let (Some(tenant), Some(part)) = (by, stranger) {
            return outside(part.stream, tenant);
        }
        let answer = self.append(by, &parts);
        if matches!(answer, Answer::Appended { .. }) {
            for (place, root) in roots {
                self.shelf[place] = Some(root.saved());
            }
        }
        answer
    }

    fn snapshot_if_due(&mut self, account: &Account, before: u64, answer: &Answer) {
        let Answer::Appended { streams, .. } = answer else {
            return;
        };
        let after = streams.first().map_or(0, |(_, version)| *version);
        let due = match account.snapshots {
            Snapshots::Never | Snapshots::OnRequest | Snapshots::Every(0) => false,
            Snapshots::Every(every) => before / every < after / every,
        };
        if due && self.version(account.stream()) > 0 {
            self.account_has_snapshot(account.stream());
        }
    }
}

fn loaded(root: Result<Root, Answer>) -> Answer {
    match root {
        Ok(root) => Answer::Loaded {
            version: root.version(),
            pending: root.pending.len(),
            state: root.state.expect("a root has a state"),
        },
        Err(answer) => answer,
    }
}

fn outside(stream: Name, tenant: &str) -> Answer {
    Answer::OutsideTenant {
        stream: stream.to_string(),
        tenant: tenant.to_owned(),
    }
}

/// What no store takes.
fn refused(batch: &[Append]) -> Option<Answer> {
    let mut ids = Vec::new();
    for part in batch {
        for event in &part.events {
            let twice = ids.contains(&event.id);
            let twice = twice.then(|| format!("event id {} stands twice in one batch", event.id));
            if let Some(reason) = refusal(event).or(twice) {
                return Some(Answer::Refused {
                    stream: part.stream.to_string(),
                    event: event.name.to_string(),
                    reason,
                });
            }
            ids.push(event.id);
        }
    }
    None
}

/// Why an event is refused, if it is.
fn refusal(event: &NewEvent) -> Option<String> {
    let reason = if event.name.is_empty() {
        "the event name cannot be empty"
    } else if event.name.len() > 255 {
        "the event name can have at most 255 bytes, this one has 256"
    } else if event.name.contains('\0') {
        "the event name cannot hold a NUL character"
    } else if event.schema_version == 0 {
        "schema versions start at 1"
    } else if std::str::from_utf8(&event.payload)
        .map(serde_json::from_str::<serde::de::IgnoredAny>)
        .is_ok_and(|parsed| parsed.is_ok())
    {
        return None;
    } else {
        "the payload is not JSON"
    };
    Some(reason.to_owned())
}
