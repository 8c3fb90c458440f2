//! From commands to the batches that are handed to the stores and to the model.

use recount::chrono::DateTime;
use recount::log::{EventId, Expected, Metadata, NewEvent, Version};
use recount::uuid::Uuid;

use crate::accounts::metadata;
use crate::commands::{Change, Command, Expectation, Fault, Fresh, Id, Name, Part, Tenant};
use crate::model::Model;

/// A part of a batch, as it is handed to a store.
#[derive(Debug, Clone)]
pub struct Append {
    pub stream: Name,
    pub expected: Expected,
    pub events: Vec<NewEvent>,
}

/// The id of the event of this number that aggregates record in this step.
pub fn recorded_id(step: usize, number: usize) -> EventId {
    EventId(Uuid::from_u128(((step as u128) << 32) | number as u128))
}

impl Model {
    /// The batch that a command appends by hand, if it does that.
    pub fn batch(&mut self, step: usize, command: &Command) -> Option<Vec<Append>> {
        let batch = match command {
            Command::Append(by, parts) => self.fresh_batch(step, *by, parts),
            Command::Again(by, number, change) => {
                let count = self.tried.len().max(1);
                let mut batch = self.tried.get(number % count)?.clone();
                self.change(&mut batch, step, *by, *change);
                batch
            }
            Command::UnitOfWork(by, _, part) => {
                return Some(self.fresh_batch(step, *by, part.as_slice()));
            }
            _ => return None,
        };
        self.tried.push(batch.clone());
        Some(batch)
    }

    fn fresh_batch(&self, step: usize, by: Tenant, parts: &[Part]) -> Vec<Append> {
        let mut last = None;
        let mut number = 0;
        parts
            .iter()
            .map(|part| Append {
                stream: part.stream,
                expected: match part.expected {
                    Expectation::Is(expected) => expected,
                    Expectation::Right => {
                        let stream = part.stream.through(by).unwrap_or(part.stream);
                        Expected::Version(Version(self.version(stream)))
                    }
                },
                events: part
                    .events
                    .iter()
                    .map(|fresh| {
                        number += 1;
                        let new = |place: u8| {
                            let high = (u128::from(place) + 1) << 96;
                            EventId(Uuid::from_u128(
                                high | recorded_id(step, number).0.as_u128(),
                            ))
                        };
                        let id = match fresh.id {
                            Id::New(place) => new(place),
                            Id::Of(number) => self
                                .events
                                .get(number % self.events.len().max(1))
                                .map_or_else(|| new(0), |stored| stored.event.id),
                            Id::Twin => last.unwrap_or_else(|| new(0)),
                        };
                        last = Some(id);
                        new_event(id, fresh)
                    })
                    .collect(),
            })
            .collect()
    }

    fn change(&self, batch: &mut Vec<Append>, step: usize, by: Tenant, change: Change) {
        let added = |number| NewEvent {
            id: recorded_id(step, number),
            name: "Counted".into(),
            schema_version: 1,
            recorded_at: DateTime::UNIX_EPOCH,
            metadata: Metadata::new(),
            payload: b"{}".to_vec(),
        };
        let last = || {
            batch
                .iter()
                .rposition(|part| !part.events.is_empty())
                .unwrap_or(0)
        };
        let last = last();
        match change {
            Change::Nothing => {}
            Change::Expected(expected) => {
                for part in batch {
                    part.expected = expected;
                }
            }
            Change::Payload | Change::EventName | Change::SchemaVersion => {
                if let Some(event) = batch.get_mut(last).and_then(|part| part.events.last_mut()) {
                    match change {
                        Change::Payload => event.payload.push(b' '),
                        Change::EventName => event.name = "Other".into(),
                        _ => event.schema_version += 1,
                    }
                }
            }
            Change::Circumstances => {
                for event in batch.iter_mut().flat_map(|part| &mut part.events) {
                    event.recorded_at = DateTime::UNIX_EPOCH;
                    event.metadata = Metadata::new().actor("somebody else");
                }
            }
            Change::Stream(stream) => {
                if let Some(part) = batch.get_mut(last) {
                    part.stream = stream;
                }
            }
            Change::Shorter => {
                if let Some(part) = batch.get_mut(last) {
                    part.events.pop();
                }
            }
            Change::Later => {
                if let Some(part) = batch.iter_mut().find(|part| !part.events.is_empty()) {
                    part.events.remove(0);
                }
            }
            Change::Longer => {
                if let Some(part) = batch.get_mut(last) {
                    part.events.push(added(0));
                }
            }
            Change::Reversed => {
                batch.reverse();
                for part in batch {
                    part.events.reverse();
                }
            }
            // The same events in the same order, in other parts.
            Change::Merged => *batch = merged(batch),
            Change::Split => *batch = batch.iter().flat_map(split).collect(),
            Change::Checks(stream) => {
                let now = self.version(stream.through(by).unwrap_or(stream));
                batch.insert(
                    0,
                    Append {
                        stream,
                        expected: Expected::Version(Version(now)),
                        events: Vec::new(),
                    },
                );
            }
        }
    }
}

/// The same events in the same order, in as few parts as they fit.
fn merged(batch: &[Append]) -> Vec<Append> {
    let mut merged: Vec<Append> = Vec::new();
    for part in batch {
        match merged.last_mut() {
            Some(before) if before.stream == part.stream => {
                before.events.extend(part.events.iter().cloned());
            }
            _ => merged.push(part.clone()),
        }
    }
    merged
}

/// The same events in the same order, each in a part of its own, after one that only checks.
fn split(part: &Append) -> Vec<Append> {
    let of = |expected, events| Append {
        stream: part.stream,
        expected,
        events,
    };
    let each = part
        .events
        .iter()
        .map(|event| of(Expected::Any, vec![event.clone()]));
    std::iter::once(of(part.expected, Vec::new()))
        .chain(each)
        .collect()
}

fn new_event(id: EventId, fresh: &Fresh) -> NewEvent {
    let mut event = NewEvent {
        id,
        name: fresh.name.into(),
        schema_version: fresh.schema_version,
        recorded_at: fresh.recorded_at,
        metadata: metadata(fresh.actor),
        payload: fresh.payload.into(),
    };
    match fresh.fault {
        None => {}
        Some(Fault::NoName) => event.name = "".into(),
        Some(Fault::NulInName) => event.name = "a\0b".into(),
        Some(Fault::LongName) => event.name = "n".repeat(256).into(),
        Some(Fault::VersionZero) => event.schema_version = 0,
        Some(Fault::NotJson) => event.payload = b"{\"a\":1} {".to_vec(),
        Some(Fault::NotUtf8) => event.payload = b"\"\xff\"".to_vec(),
    }
    event
}
