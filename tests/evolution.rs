//! How stored events of every age become the newest types: through the macros' code alone, without a store.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use recount::aggregate::{Aggregate as _, Apply};
use recount::event::{DecodeError, Decoded, Names, PayloadError, StoredEvent, Versioned};
use recount::log::{Category, EventId, Kind, Page, Position, Row, Version};
use recount::prelude::*;
use recount::{Event, Projection};
use serde_json::{Value, json};
use uuid::Uuid;

fn decode<E: Event>(
    name: &str,
    schema_version: u32,
    payload: &str,
) -> Result<Vec<E>, PayloadError> {
    let stored = StoredEvent {
        name,
        schema_version,
        payload: payload.as_bytes(),
    };
    assert!(E::reads(name), "{name} is not read as the type");
    E::decode(stored).map(|decoded| decoded.into_iter().collect())
}

/// A page of one stream: category, then name, version and payload of each event.
fn page(category: &str, events: &[(&str, u32, &str)]) -> Page {
    let mut page = Page::new();
    for (index, (name, schema_version, payload)) in (1_u64..).zip(events) {
        let kind = Arc::new(Kind {
            tenant: None,
            category: Category::new(category).unwrap(),
            name: (*name).into(),
            schema_version: *schema_version,
        });
        let row = Row {
            position: Position(index + 100),
            version: Version(index),
            id: EventId(Uuid::nil()),
            recorded_at: 0,
            stream: "s1",
            metadata: "",
            payload: payload.as_bytes(),
        };
        page.push(&kind, row);
    }
    page
}

fn replay<A: Apply>(events: &[(&str, u32, &str)]) -> Result<Option<A>, Box<DecodeError>> {
    let page = page(A::CATEGORY, events);
    let mut state = A::start();
    for record in page.iter() {
        A::replay(&mut state, &record)?;
    }
    Ok(state)
}

// Three versions: the second conversion can fail.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Deposited {
    amount: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Deposited)]
struct DepositedV2 {
    amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = DepositedV2)]
struct DepositedV3 {
    cents: i64,
    #[serde(default)]
    by: Option<String>,
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
            cents: old.amount * 100,
            by: None,
        }
    }
}

#[test]
fn each_version_is_converted_step_by_step_to_the_newest() {
    assert_eq!((DepositedV3::NAME, DepositedV3::VERSION), ("Deposited", 3));
    let seven = DepositedV3 {
        cents: 700,
        by: None,
    };
    for (version, payload) in [
        (1, r#"{"amount":"7"}"#),
        (2, r#"{"amount":7}"#),
        (3, r#"{"cents":700}"#),
    ] {
        assert_eq!(
            decode::<DepositedV3>("Deposited", version, payload).unwrap(),
            std::slice::from_ref(&seven)
        );
    }
}

#[test]
fn a_refused_conversion_names_its_version_and_reason() {
    let error = decode::<DepositedV3>("Deposited", 1, r#"{"amount":"much"}"#).unwrap_err();
    assert!(matches!(error, PayloadError::Upcast { from: 1, .. }));
    assert_eq!(
        error.to_string(),
        "upcast from version 1 failed: invalid digit found in string"
    );
}

#[test]
fn a_version_that_is_newer_or_older_than_all_is_an_error_of_its_own() {
    assert!(matches!(
        decode::<DepositedV3>("Deposited", 4, "{}"),
        Err(PayloadError::Newer {
            stored: 4,
            known: 3
        })
    ));
    assert!(matches!(
        decode::<DepositedV3>("Deposited", 0, "{}"),
        Err(PayloadError::Older {
            stored: 0,
            oldest: 1
        })
    ));
}

#[test]
fn a_payload_of_another_shape_is_an_error() {
    assert!(matches!(
        decode::<DepositedV3>("Deposited", 3, r#"{"cents":"x"}"#),
        Err(PayloadError::Json(_))
    ));
}

// A rename, in the middle of a chain of versions.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(formerly = "Shut", formerly("Ended"))]
struct Closed {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Closed, name = "AccountClosed")]
struct ClosedV2 {
    #[serde(default)]
    why: String,
}

impl From<Closed> for ClosedV2 {
    fn from(_: Closed) -> Self {
        Self {
            why: "old".to_owned(),
        }
    }
}

#[test]
fn a_renamed_event_is_read_under_all_its_names() {
    const NAMES: Names = ClosedV2::NAMES;
    assert_eq!(NAMES.to_vec(), ["AccountClosed", "Closed", "Shut", "Ended"]);
    assert_eq!(ClosedV2 { why: String::new() }.name(), "AccountClosed");
    assert!(ClosedV2::is_current("AccountClosed") && !ClosedV2::is_current("Shut"));
    for name in ["Closed", "Shut", "Ended"] {
        assert_eq!(
            decode::<ClosedV2>(name, 1, "{}").unwrap(),
            [ClosedV2::from(Closed {})]
        );
    }
}

// JSON steps, for versions that nobody keeps a type for.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 3, upcast_json(1 => renamed_field, 2 => checked))]
struct Rated {
    stars: u8,
}

fn renamed_field(mut json: Value) -> Value {
    json["stars"] = json["rating"].take();
    json
}

fn checked(json: Value) -> Result<Value, String> {
    match json["stars"].as_u64() {
        Some(0..=5) => Ok(json),
        other => Err(format!("{other:?} stars")),
    }
}

#[test]
fn json_steps_run_from_the_stored_version_on() {
    let five = [Rated { stars: 5 }];
    assert_eq!(
        decode::<Rated>("Rated", 1, r#"{"rating":5}"#).unwrap(),
        five
    );
    assert_eq!(decode::<Rated>("Rated", 2, r#"{"stars":5}"#).unwrap(), five);
    assert_eq!(decode::<Rated>("Rated", 3, r#"{"stars":5}"#).unwrap(), five);
    let error = decode::<Rated>("Rated", 1, r#"{"rating":9}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "upcast from version 2 failed: Some(9) stars"
    );
    assert!(matches!(
        decode::<Rated>("Rated", 4, "{}"),
        Err(PayloadError::Newer { .. })
    ));
}

// A function that drops some and splits others.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Counted {
    times: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Counted, with = once_each)]
struct CountedV2 {}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a conversion takes the old event"
)]
fn once_each(old: Counted) -> Result<Vec<CountedV2>, String> {
    match old.times {
        13 => Err("unlucky".to_owned()),
        times => Ok((0..times).map(|_| CountedV2 {}).collect()),
    }
}

#[test]
fn a_function_may_drop_split_or_refuse() {
    for times in [0, 1, 3] {
        let payload = json!({ "times": times }).to_string();
        let events = decode::<CountedV2>("Counted", 1, &payload).unwrap();
        assert_eq!(events.len(), times);
    }
    assert!(matches!(
        decode::<CountedV2>("Counted", 1, r#"{"times":13}"#),
        Err(PayloadError::Upcast { from: 1, .. })
    ));
}

// A version that its type's name does not say.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = CountedV2)]
struct Tallied {
    #[serde(default)]
    by: String,
}

impl From<CountedV2> for Tallied {
    fn from(_: CountedV2) -> Self {
        Self { by: String::new() }
    }
}

#[test]
fn name_and_version_follow_from_the_version_before() {
    assert_eq!((Tallied::NAME, Tallied::VERSION), ("Counted", 3));
    let payload = r#"{"times":2}"#;
    assert_eq!(decode::<Tallied>("Counted", 1, payload).unwrap().len(), 2);
}

#[test]
fn a_changed_version_before_changes_the_fingerprint() {
    assert_ne!(CountedV2::FINGERPRINT, Tallied::FINGERPRINT);
    assert_ne!(Account::FOLD_FINGERPRINT, Account::FINGERPRINT);
}

// One stored event that two types read, one of which has a later version.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct NameAndEmailChanged {
    name: String,
    email: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(split_from = NameAndEmailChanged)]
struct NameChanged {
    to: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = NameChanged)]
struct NameChangedV2 {
    to: String,
    twice: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(split_from = NameAndEmailChanged, with = email_of)]
struct EmailChanged {
    to: String,
}

impl From<NameAndEmailChanged> for NameChanged {
    fn from(both: NameAndEmailChanged) -> Self {
        Self { to: both.name }
    }
}

impl From<NameChanged> for NameChangedV2 {
    fn from(old: NameChanged) -> Self {
        Self {
            to: old.to,
            twice: false,
        }
    }
}

fn email_of(both: NameAndEmailChanged) -> Option<EmailChanged> {
    (!both.email.is_empty()).then_some(EmailChanged { to: both.email })
}

// Everything in one aggregate.

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Opened {
    holder: String,
}

#[derive(Debug, Clone, PartialEq, Event)]
enum Small {
    Viewed,
    #[event(name = "Remark", formerly = "Comment", version = 2, upcast_json(1 => same))]
    #[serde(rename_all = "camelCase")]
    Noted {
        the_text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rating: Option<f64>,
    },
    Rated(Rated),
}

fn same(json: Value) -> Value {
    json
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(stream = "account", id = AccountId, retired("Poked", "Prodded"))]
struct Account {
    log: Vec<String>,
    cents: i64,
}

#[apply]
impl Account {
    fn opened(event: Opened, at: &EventContext) -> Self {
        Self {
            log: vec![format!("opened by {} at {}", event.holder, at.version)],
            cents: 0,
        }
    }

    fn deposited(&mut self, event: &DepositedV3) {
        self.cents += event.cents;
    }

    fn email(&mut self, event: EmailChanged) {
        self.log.push(format!("email {}", event.to));
    }

    fn name(&mut self, event: NameChangedV2) {
        self.log.push(format!("name {}", event.to));
    }

    fn counted(&mut self, _: Tallied) {
        self.cents += 1;
    }

    fn closed(&mut self, event: ClosedV2, at: &EventContext) {
        self.log
            .push(format!("closed {} {}", event.why, at.version));
    }

    fn small(&mut self, event: Small) {
        self.log.push(format!("{event:?}"));
    }
}

const OPENED: (&str, u32, &str) = ("Opened", 1, r#"{"holder":"Jo"}"#);

#[test]
fn every_handler_of_a_split_event_sees_it_in_the_order_of_the_block() {
    let both = r#"{"name":"n","email":"e"}"#;
    let state: Account = replay(&[OPENED, ("NameAndEmailChanged", 1, both)])
        .unwrap()
        .unwrap();
    assert_eq!(state.log, ["opened by Jo at 1", "email e", "name n"]);
    // Its schema version is that of the other event, whatever versions the newer one has.
    let newer = replay::<Account>(&[OPENED, ("NameAndEmailChanged", 2, both)]).unwrap_err();
    assert!(matches!(
        newer.reason,
        PayloadError::Newer {
            stored: 2,
            known: 1
        }
    ));
    let dropped = r#"{"name":"n","email":""}"#;
    let state: Account = replay(&[OPENED, ("NameAndEmailChanged", 1, dropped)])
        .unwrap()
        .unwrap();
    assert_eq!(state.log, ["opened by Jo at 1", "name n"]);
}

#[test]
fn replay_folds_events_of_every_age_exactly_once() {
    let state: Account = replay(&[
        OPENED,
        ("Deposited", 1, r#"{"amount":"7"}"#),
        ("Deposited", 2, r#"{"amount":7}"#),
        ("Deposited", 3, r#"{"cents":7,"by":"x"}"#),
        ("Counted", 1, r#"{"times":3}"#),
        ("Counted", 2, "{}"),
        ("Poked", 9, "not even JSON"),
        ("Viewed", 1, "{}"),
        ("Remark", 2, r#"{"theText":"a","rating":0.5}"#),
        ("Comment", 1, r#"{"theText":"b"}"#),
        ("Rated", 1, r#"{"rating":4}"#),
        ("Shut", 1, "{}"),
        ("AccountClosed", 2, r#"{"why":"done"}"#),
    ])
    .unwrap()
    .unwrap();
    assert_eq!(state.cents, 700 + 700 + 7 + 3 + 1);
    assert_eq!(
        state.log,
        [
            "opened by Jo at 1",
            "Viewed",
            r#"Noted { the_text: "a", rating: Some(0.5) }"#,
            r#"Noted { the_text: "b", rating: None }"#,
            "Rated(Rated { stars: 4 })",
            "closed old 12",
            "closed done 13",
        ]
    );
}

#[test]
fn a_name_that_nobody_reads_is_an_error_that_says_where_it_stands() {
    let error = replay::<Account>(&[OPENED, ("Kicked", 1, "{}")]).unwrap_err();
    assert!(matches!(error.reason, PayloadError::Unknown));
    assert_eq!((error.version, error.position), (Version(2), Position(102)));
    assert_eq!(&error.name, "Kicked");
}

#[test]
fn the_state_is_created_once_and_first() {
    let before = replay::<Account>(&[("Viewed", 1, "{}")]).unwrap_err();
    assert!(matches!(before.reason, PayloadError::BeforeCreation));
    let twice = replay::<Account>(&[OPENED, OPENED]).unwrap_err();
    assert!(matches!(twice.reason, PayloadError::CreatedTwice));
    assert_eq!(Account::start(), None);
}

#[test]
fn a_typed_event_folds_like_a_stored_one() {
    let context = EventContext::new(
        DateTime::<Utc>::UNIX_EPOCH,
        Version(1),
        EventId(Uuid::nil()),
        recount::log::Metadata::new(),
    );
    let opened = Opened {
        holder: "Jo".to_owned(),
    };
    let mut state = Account::create(opened.clone().into(), &context).unwrap();
    let three = DepositedV3 { cents: 3, by: None };
    state.evolve(three.clone().into(), &context).unwrap();
    let stored = [OPENED, ("Deposited", 3, r#"{"cents":3}"#)];
    assert_eq!(Some(state.clone()), replay(&stored).unwrap());
    assert!(matches!(
        state.evolve(opened.into(), &context),
        Err(PayloadError::CreatedTwice)
    ));
    assert!(matches!(
        Account::create(three.into(), &context),
        Err(PayloadError::BeforeCreation)
    ));
}

#[test]
fn what_is_encoded_is_decoded_again() {
    let events: [AccountEvent; 6] = [
        Opened {
            holder: "é\"\n".to_owned(),
        }
        .into(),
        DepositedV3 {
            cents: i64::MIN,
            by: Some(String::new()),
        }
        .into(),
        Small::Viewed.into(),
        Small::Noted {
            the_text: "x".to_owned(),
            rating: None,
        }
        .into(),
        Small::Rated(Rated { stars: 1 }).into(),
        ClosedV2 { why: String::new() }.into(),
    ];
    for event in events {
        let mut payload = Vec::new();
        event.encode(&mut payload).unwrap();
        let stored = StoredEvent {
            name: event.name(),
            schema_version: event.schema_version(),
            payload: &payload,
        };
        assert_eq!(
            AccountEvent::decode(stored).unwrap(),
            Decoded::One(event.clone())
        );
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<AccountEvent>(&json).unwrap(), event);
    }
}

#[test]
fn the_enum_of_all_events_reads_old_forms_of_itself() {
    let event = AccountEvent::from(Small::Viewed);
    assert_eq!(
        serde_json::to_value(&event).unwrap(),
        json!({"name": "Viewed", "version": 1, "payload": {}})
    );
    let old = json!({"name": "Deposited", "version": 1, "payload": {"amount": "7"}});
    let new = DepositedV3 {
        cents: 700,
        by: None,
    };
    assert_eq!(
        serde_json::from_value::<AccountEvent>(old).unwrap(),
        new.into()
    );
    for (bad, says) in [
        (
            json!({"name": "Kicked", "version": 1, "payload": {}}),
            "no event of the name",
        ),
        (
            json!({"name": "Deposited", "version": 4, "payload": {}}),
            "newer than 3",
        ),
        (
            json!({"name": "Counted", "version": 1, "payload": {"times": 2}}),
            "split",
        ),
        (
            json!({"name": "Counted", "version": 1, "payload": {"times": 0}}),
            "dropped",
        ),
    ] {
        let error = serde_json::from_value::<AccountEvent>(bad).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn a_float_that_json_cannot_hold_is_refused_when_encoded() {
    for rating in [f64::NAN, f64::INFINITY] {
        let event = Small::Noted {
            the_text: String::new(),
            rating: Some(rating),
        };
        assert!(matches!(
            AccountEvent::from(event).encode(&mut Vec::new()),
            Err(PayloadError::Unstorable(_))
        ));
    }
}

// The read side sees the newest versions only, and tells aggregates apart.

#[derive(Debug, Default)]
struct Seen(Vec<String>);

#[projection(name = "seen", of(Account))]
impl Seen {
    fn deposited(&mut self, event: DepositedV3, at: &Envelope) {
        self.0.push(format!(
            "{} {} {}",
            event.cents, at.position, at.schema_version
        ));
    }

    fn email(&mut self, event: &EmailChanged) {
        self.0.push(event.to.clone());
    }

    fn name(&mut self, event: NameChangedV2) {
        self.0.push(event.to);
    }
}

#[test]
fn a_projection_reads_what_it_selects() {
    let selectors = Seen::selectors();
    assert_eq!(selectors.len(), 1);
    assert_eq!(selectors[0].category.as_deref(), Some("account"));
    assert_eq!(
        selectors[0].names,
        [
            "Deposited",
            "EmailChanged",
            "NameAndEmailChanged",
            "NameChanged"
        ]
    );
    let events = [
        OPENED,
        ("Deposited", 1, r#"{"amount":"7"}"#),
        ("NameAndEmailChanged", 1, r#"{"name":"n","email":"e"}"#),
    ];
    let mut seen = Seen::default();
    for record in page("account", &events).iter() {
        seen.handle(&record).unwrap();
    }
    assert_eq!(seen.0, ["700 102 1", "e", "n"]);
    // The same names in streams of another kind are other events.
    for record in page("order", &events).iter() {
        seen.handle(&record).unwrap();
    }
    assert_eq!(seen.0.len(), 3);
}

// Ids.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Id)]
struct RoomId(u32);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
#[id(check = lower)]
struct Slug(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Id)]
struct OrderId(Uuid);

fn lower(text: &str) -> Result<(), &'static str> {
    if text.chars().any(char::is_uppercase) {
        Err("it has upper-case letters")
    } else {
        Ok(())
    }
}

#[test]
fn an_id_is_checked_wherever_it_comes_from() {
    for bad in ["", "a\0b", &"x".repeat(4097)] {
        assert!(AccountId::new(bad).is_err());
        assert!(bad.parse::<AccountId>().is_err());
        assert!(AccountId::try_from(bad).is_err());
        assert!(serde_json::from_value::<AccountId>(json!(bad)).is_err());
    }
    assert_eq!(
        Slug::new("Ab").unwrap_err().to_string(),
        r#""Ab" is not a valid Slug: it has upper-case letters"#
    );
    assert!(serde_json::from_value::<Slug>(json!("AB")).is_err());
    assert!("x".parse::<RoomId>().is_err());
}

#[test]
fn an_id_keeps_its_text_and_json_forms() {
    assert_eq!(serde_json::to_value(RoomId::new(7)).unwrap(), json!(7));
    assert_eq!("7".parse(), Ok(RoomId::from(7)));
    assert_eq!(RoomId::new(7).to_string(), "7");
    let order = OrderId::generate();
    assert_eq!(order.get().get_version_num(), 7);
    assert_eq!(order.to_string().parse(), Ok(order));
    assert_eq!(
        serde_json::to_value(order).unwrap(),
        json!(order.to_string())
    );
    let slug = Slug::new("ab").unwrap();
    assert_eq!(slug.as_str(), "ab");
    assert_eq!(serde_json::to_value(&slug).unwrap(), json!("ab"));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Sensed {
    value: f64,
}

#[test]
fn every_float_is_read_as_it_was_written() {
    for number in 1..100_000_u32 {
        let sensed = Sensed {
            value: f64::from(number).sqrt().sin() * 1e-7,
        };
        let mut payload = Vec::new();
        sensed.encode(&mut payload).unwrap();
        let read = decode::<Sensed>("Sensed", 1, std::str::from_utf8(&payload).unwrap()).unwrap();
        assert_eq!(read, [sensed]);
    }
}
