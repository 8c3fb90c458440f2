//! A stored record of any content is read as a value or as an error, and what was read is written as it is read.
//!
//! An input is four texts, one a line: the stored name, the schema version, the metadata, and the payload, which goes on to
//! the end.

use std::sync::Arc;

use recount::aggregate::Apply;
use recount::event::{Event as _, StoredEvent};
use recount::log::{Category, EventId, Kind, Page, Position, Row, Version};
use recount::prelude::*;
use recount::{Envelope, Projection as _};
use serde_json::Value;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

// Versions, the second of which can refuse.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    amount: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Deposited)]
pub struct DepositedV2 {
    amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = DepositedV2, name = "MoneyDeposited", formerly = "PaidIn")]
pub struct DepositedV3 {
    cents: i64,
    #[serde(default)]
    note: Value,
}

impl TryFrom<Deposited> for DepositedV2 {
    type Error = std::num::ParseIntError;

    fn try_from(old: Deposited) -> Result<Self, Self::Error> {
        Ok(Self {
            amount: old.amount.parse()?,
        })
    }
}

impl From<DepositedV2> for DepositedV3 {
    fn from(old: DepositedV2) -> Self {
        Self {
            cents: old.amount.saturating_mul(100),
            note: Value::Null,
        }
    }
}

// Steps on raw JSON.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 3, upcast_json(1 => wrapped, 2 => checked))]
pub struct Rated {
    stars: f64,
    by: Option<Box<str>>,
}

fn wrapped(json: Value) -> Value {
    Value::Object([("stars".to_owned(), json)].into_iter().collect())
}

fn checked(json: Value) -> Result<Value, String> {
    match json.get("stars").and_then(Value::as_f64) {
        Some(_) => Ok(json),
        None => Err(format!("{json} is no rating")),
    }
}

// One that is dropped or becomes many.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Counted {
    times: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Counted, with = once_each)]
pub struct CountedV2 {}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a conversion takes the old event"
)]
fn once_each(old: Counted) -> Vec<CountedV2> {
    (0..old.times).map(|_| CountedV2 {}).collect()
}

// One that two types read.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Moved {
    street: String,
    town: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(split_from = Moved)]
pub struct StreetChanged {
    street: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(split_from = Moved)]
pub struct TownChanged {
    town: String,
}

impl From<Moved> for StreetChanged {
    fn from(old: Moved) -> Self {
        Self { street: old.street }
    }
}

impl From<Moved> for TownChanged {
    fn from(old: Moved) -> Self {
        Self { town: old.town }
    }
}

// An enum, whose variants are events.

#[derive(Debug, Clone, PartialEq, Event)]
pub enum Small {
    Viewed,
    #[event(name = "Remark", formerly = "Comment")]
    Noted {
        text: String,
        #[serde(default)]
        marks: std::collections::BTreeMap<u16, char>,
    },
    Rated(Rated),
}

/// Counts, so that an event applied twice or never shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(stream = "account", id = AccountId, snapshots, retired("Poked"))]
pub struct Account {
    events: usize,
}

#[apply]
impl Account {
    fn deposited(&mut self, _: DepositedV3) {
        self.events += 1;
    }

    fn counted(&mut self, _: CountedV2, _: &EventContext) {
        self.events += 1;
    }

    fn street(&mut self, _: &StreetChanged) {
        self.events += 1;
    }

    fn town(&mut self, _: TownChanged) {
        self.events += 1;
    }

    fn small(&mut self, _: Small) {
        self.events += 1;
    }
}

#[derive(Debug, Default)]
pub struct Seen {
    events: usize,
}

#[projection(name = "seen", of(Account))]
impl Seen {
    fn deposited(&mut self, _: DepositedV3, _: &Envelope) {
        self.events += 1;
    }

    fn counted(&mut self, _: CountedV2) {
        self.events += 1;
    }

    fn street(&mut self, _: StreetChanged) {
        self.events += 1;
    }

    fn town(&mut self, _: &TownChanged) {
        self.events += 1;
    }

    fn small(&mut self, _: Small) {
        self.events += 1;
    }
}

pub fn run(bytes: &[u8]) {
    let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let name = String::from_utf8_lossy(line());
    let schema_version = String::from_utf8_lossy(line()).parse().unwrap_or(1);
    let metadata = String::from_utf8_lossy(line());
    let payload = line();

    let mut page = Page::new();
    let kind = Kind {
        tenant: None,
        category: Category::new("account").unwrap(),
        name: (*name).into(),
        schema_version,
    };
    page.push(
        &Arc::new(kind),
        Row {
            position: Position(1),
            version: Version(1),
            id: EventId(Uuid::nil()),
            recorded_at: i64::MAX,
            stream: "a",
            metadata: &metadata,
            payload,
        },
    );
    let record = page.get(0).expect("the row that was pushed");

    let stored = StoredEvent::from(record);
    let mut state = Account::start();
    let folded = Apply::replay(&mut state, &record);
    let mut seen = Seen::default();
    let handled = seen.handle(&record);
    let folded_events = state.map_or(0, |state| state.events);
    assert!(
        folded.is_ok() || folded_events == 0,
        "an error changes nothing"
    );
    assert!(
        handled.is_ok() || seen.events == 0,
        "an error changes nothing"
    );
    if !AccountEvent::reads(&name) {
        assert_eq!((folded_events, seen.events), (0, 0), "{name} is nobody's");
        return;
    }

    let Ok(decoded) = AccountEvent::decode(stored) else {
        assert!(folded.is_err(), "the fold reads as the type does");
        assert!(handled.is_err(), "the projection reads as the type does");
        return;
    };
    let events: Vec<AccountEvent> = decoded.into_iter().collect();
    // Both may refuse metadata, which the type does not read.
    if folded.is_ok() {
        assert_eq!(folded_events, events.len(), "each event is applied once");
    }
    if handled.is_ok() {
        assert_eq!(seen.events, events.len(), "each event counts once");
    }
    for event in events {
        let mut payload = Vec::new();
        event
            .encode(&mut payload)
            .expect("what was read can be written");
        let again = StoredEvent {
            name: event.name(),
            schema_version: event.schema_version(),
            payload: &payload,
        };
        let again: Vec<_> = AccountEvent::decode(again)
            .expect("what was written can be read")
            .into_iter()
            .collect();
        assert_eq!(again, [event]);
    }
}
