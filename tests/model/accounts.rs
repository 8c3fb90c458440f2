//! The model of the accounts: folded and recorded by hand, from the stored text.

use recount::chrono::{DateTime, TimeDelta, Timelike, Utc};
use recount::log::{Expected, Metadata, NewEvent};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::bank;
use crate::batches::{Append, recorded_id};
use crate::commands::{Account, Happening, Name, Step};

#[derive(Debug, Clone)]
pub struct Root {
    pub stream: Name,
    actor: Option<&'static str>,
    pub state: Option<bank::Account>,
    /// The version that is stored, and the events after it.
    pub stored: u64,
    pub pending: Vec<NewEvent>,
    pub recorded_at: DateTime<Utc>,
    failed: Option<(u64, &'static str, String)>,
}

impl Account {
    /// The stream of the account, seen through its handle.
    pub fn stream(&self) -> Name {
        Name {
            tenant: self.by,
            category: "account",
            id: self.id,
        }
    }
}

impl Root {
    pub fn before(stream: Name, actor: Option<&'static str>) -> Self {
        Self {
            stream,
            actor,
            state: None,
            stored: 0,
            pending: Vec::new(),
            recorded_at: DateTime::<Utc>::MIN_UTC,
            failed: None,
        }
    }

    pub fn version(&self) -> u64 {
        self.stored + self.pending.len() as u64
    }

    pub fn record(&mut self, number: usize, step: &Step, events: &[Happening]) {
        for (index, happening) in events.iter().enumerate() {
            if self.failed.is_some() {
                return;
            }
            let (name, payload) = happening.stored();
            let event = NewEvent {
                id: recorded_id(number, index),
                name: name.into(),
                schema_version: 1,
                recorded_at: kept(step.now).max(self.recorded_at),
                metadata: metadata(self.actor),
                payload: payload.clone().unwrap_or_default().into_bytes(),
            };
            let folded = match payload {
                Ok(_) => apply(self.state.clone(), &event).map_err(str::to_owned),
                Err(value) => Err(format!(
                    "the value cannot be stored as JSON: {value} is not a number that JSON has"
                )),
            };
            match folded {
                Ok(state) => {
                    self.state = Some(state);
                    self.recorded_at = event.recorded_at;
                    self.pending.push(event);
                }
                Err(reason) => self.failed = Some((self.version() + 1, name, reason)),
            }
        }
    }

    pub fn failure(&self) -> Option<Answer> {
        self.failed
            .as_ref()
            .map(|(version, event, reason)| Answer::Unrecordable {
                stream: self.stream.to_string(),
                version: *version,
                event: (*event).to_owned(),
                reason: reason.clone(),
            })
    }

    pub fn part(&self, expected: Expected) -> Append {
        Append {
            stream: self.stream,
            expected,
            events: self.pending.clone(),
        }
    }

    pub fn saved(self) -> Self {
        Self {
            stored: self.version(),
            pending: Vec::new(),
            ..self
        }
    }
}

impl Happening {
    /// The stored name and payload, or the number that JSON cannot hold.
    fn stored(&self) -> (&'static str, Result<String, f64>) {
        match self {
            Self::Opened(holder) => ("Opened", Ok(json!({ "holder": holder }).to_string())),
            Self::Deposited(amount) => ("Deposited", Ok(json!({ "amount": amount }).to_string())),
            Self::Withdrawn(amount) => ("Withdrawn", Ok(json!({ "amount": amount }).to_string())),
            Self::Measured(value) if value.is_finite() => {
                ("Measured", Ok(json!({ "value": value }).to_string()))
            }
            Self::Measured(value) => ("Measured", Err(*value)),
        }
    }
}

/// The account after one more event, from the stored text.
pub fn apply(
    state: Option<bank::Account>,
    event: &NewEvent,
) -> Result<bank::Account, &'static str> {
    let payload: Value = serde_json::from_slice(&event.payload).unwrap();
    let changed = match (&*event.name, state) {
        ("Opened", None) => bank::Account {
            holder: payload["holder"].as_str().unwrap().to_owned(),
            balance: 0,
            events: 0,
            changed_at: event.recorded_at,
            last_actor: None,
        },
        ("Opened", Some(_)) => {
            return Err("it creates the state, which an earlier event had created");
        }
        (_, None) => return Err("it stands before any event that creates the state"),
        ("Deposited", Some(state)) => bank::Account {
            balance: state.balance + payload["amount"].as_i64().unwrap(),
            ..state
        },
        ("Withdrawn", Some(state)) => bank::Account {
            balance: state.balance - payload["amount"].as_i64().unwrap(),
            ..state
        },
        (_, Some(state)) => state,
    };
    Ok(bank::Account {
        events: changed.events + 1,
        changed_at: event.recorded_at,
        last_actor: event.metadata.actor.clone(),
        ..changed
    })
}

/// What is kept of a time: microseconds, and a leap second as the second after it, as clocks of UTC count.
pub fn kept(time: DateTime<Utc>) -> DateTime<Utc> {
    let leap = TimeDelta::seconds(i64::from(time.nanosecond() >= 1_000_000_000));
    let nanos = time.nanosecond() % 1_000_000_000;
    time.with_nanosecond(nanos / 1000 * 1000).unwrap() + leap
}

pub fn metadata(actor: Option<&str>) -> Metadata {
    Metadata {
        actor: actor.map(Into::into),
        ..Metadata::new()
    }
}
