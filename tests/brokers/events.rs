//! The form of an event between processes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use recount::event::Decoded;
use recount::log::{EventId, Expected, Metadata, NewEvent, StreamId, TenantId};
use recount::prelude::*;
use recount::relay::{CloudEvent, CloudEventError};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::log::{Account, Deposited, DepositedV2, append, log, published};

fn text(max: usize) -> impl Strategy<Value = String> {
    let characters = prop_oneof![
        any::<char>(),
        proptest::sample::select(vec![
            '%',
            '.',
            ' ',
            '\n',
            '\u{85}',
            '\u{fffe}',
            '"',
            '\u{1fffe}'
        ]),
    ];
    proptest::collection::vec(characters, 1..max)
        .prop_map(|text| text.into_iter().filter(|c| *c != '\0').collect::<String>())
        .prop_filter("no name is empty", |text| !text.is_empty())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(Value::from),
        text(8).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(text(5), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

prop_compose! {
    fn metadata()(
        correlation in proptest::option::of(any::<u128>()),
        causation in proptest::option::of(any::<u128>()),
        actor in proptest::option::of(text(8)),
        other in proptest::collection::btree_map(text(6), json_value(), 0..3),
    ) -> Metadata {
        let mut metadata = Metadata::new();
        metadata.correlation = correlation.map(Uuid::from_u128);
        metadata.causation = causation.map(Uuid::from_u128);
        metadata.actor = actor;
        metadata.other = other;
        metadata
    }
}

/// An event as a store gives it back.
async fn stored(tenant: Option<&str>, stream: &StreamId, event: NewEvent) -> CloudEvent {
    let store = Store::connect("memory:").await.unwrap();
    let handle = tenant.map_or(store.clone(), |tenant| store.for_tenant(tenant).unwrap());
    handle.append(stream, Expected::Any, [event]).await.unwrap();
    published(&store).await.remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back_as_it_was(
        (category, id, name) in (text(12), text(40), text(12)),
        tenant in proptest::option::of(text(8)),
        metadata in metadata(),
        payload in json_value(),
        (event_id, schema_version) in (any::<u128>(), 1..=u32::MAX),
        micros in -62_167_219_200_000_000_i64..=253_402_300_799_999_999,
        extensions in proptest::collection::btree_map("x[a-z0-9]{0,8}", "[ -~]{0,10}".prop_map(Value::from), 0..3),
    ) {
        let event = NewEvent {
            id: EventId(Uuid::from_u128(event_id)),
            name: name.into(),
            schema_version,
            recorded_at: DateTime::from_timestamp_micros(micros).unwrap(),
            metadata,
            payload: serde_json::to_vec(&payload).unwrap(),
        };
        let stream = StreamId::new(&category, id).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut event = runtime.block_on(stored(tenant.as_deref(), &stream, event));
        event.extensions = extensions;

        let written = event.to_json().unwrap();
        prop_assert_eq!(&CloudEvent::from_json(&written).unwrap(), &event);

        // As the specification has it: names of attributes, no control characters and no noncharacters, strings only.
        let attributes: BTreeMap<String, Value> = serde_json::from_slice(&written).unwrap();
        for (name, value) in attributes.iter().filter(|(name, _)| *name != "data") {
            prop_assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{}", name);
            let is_bad = |c: char| c.is_control() || u32::from(c) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&c);
            prop_assert!(!value.as_str().unwrap().contains(is_bad), "{}", value);
        }
    }
}

/// One event as its attributes.
async fn attributes() -> Value {
    serde_json::from_slice(&log(1, 1).await[0].to_json().unwrap()).unwrap()
}

fn read(attributes: &Value) -> Result<CloudEvent, CloudEventError> {
    CloudEvent::from_json(&serde_json::to_vec(attributes).unwrap())
}

#[tokio::test]
async fn the_attributes_are_those_that_are_documented() {
    let stream = StreamId::new("account", "a 1\n").unwrap();
    let mut event = NewEvent::of(&DepositedV2 { cents: 5 }).unwrap();
    event.id = EventId(Uuid::nil());
    event.recorded_at = DateTime::from_timestamp_micros(1).unwrap();
    event.metadata = Metadata::new()
        .actor("50%")
        .correlation(Uuid::nil())
        .with("ip", [1, 2]);
    let event = stored(Some("acme"), &stream, event).await;
    let written: Value = serde_json::from_slice(&event.to_json().unwrap()).unwrap();
    assert_eq!(
        written,
        json!({
            "specversion": "1.0",
            "id": "00000000-0000-0000-0000-000000000000",
            "source": "/recount",
            "type": "account.Deposited",
            "subject": "acme:account/a 1%0A",
            "time": "1970-01-01T00:00:00.000001Z",
            "datacontenttype": "application/json",
            "data": {"cents": 5},
            "position": "1",
            "streamversion": "1",
            "schemaversion": "2",
            "category": "account",
            "streamid": "a 1%0A",
            "tenant": "acme",
            "correlationid": "00000000-0000-0000-0000-000000000000",
            "actor": "50%25",
            "metadata": r#"{"ip":[1,2]}"#,
        })
    );
    assert_eq!(
        event.envelope().stream.tenant(),
        Some(&TenantId::new("acme").unwrap())
    );
}

#[tokio::test]
async fn what_others_add_is_kept_and_what_they_leave_out_is_no_matter() {
    let mut event = attributes().await;
    event["traceparent"] = json!("00-abc");
    event["sampled"] = json!(true);
    event["comexamplen"] = json!(null);
    let members = event.as_object_mut().unwrap();
    members.remove("subject");
    members.remove("datacontenttype");
    let event = read(&event).unwrap();
    assert_eq!(event.extensions["traceparent"], "00-abc");
    assert_eq!(event.extensions.len(), 2);
    assert_eq!(
        CloudEvent::from_json(&event.to_json().unwrap()).unwrap(),
        event
    );
}

#[tokio::test]
async fn what_an_event_of_a_log_needs_is_asked_for_by_name() {
    let whole = attributes().await;
    read(&whole).unwrap();
    for name in [
        "specversion",
        "id",
        "source",
        "type",
        "time",
        "position",
        "streamversion",
        "schemaversion",
        "category",
        "streamid",
        "data",
    ] {
        let mut event = whole.clone();
        event.as_object_mut().unwrap().remove(name);
        let error = read(&event).unwrap_err();
        assert!(
            matches!(error, CloudEventError::Missing { attribute } if attribute == name),
            "{name}: {error:?}"
        );
    }
    for (name, value) in [
        ("specversion", json!("0.3")),
        ("id", json!("a")),
        ("id", json!(1)),
        ("source", json!("")),
        ("source", json!("my log")),
        ("type", json!("order.Deposited")),
        ("type", json!("account.")),
        ("type", json!("accountDeposited")),
        ("time", json!("yesterday")),
        ("datacontenttype", json!("text/plain")),
        ("position", json!("0")),
        ("position", json!("+1")),
        ("position", json!(1)),
        ("streamversion", json!("")),
        ("schemaversion", json!("4294967296")),
        ("category", json!("")),
        ("streamid", json!("%2")),
        ("streamid", json!("%00")),
        ("tenant", json!("")),
        ("correlationid", json!("x")),
        ("metadata", json!("[]")),
        ("data_base64", json!("AA==")),
    ] {
        let mut event = whole.clone();
        event[name] = value.clone();
        let error = read(&event).unwrap_err();
        assert!(
            matches!(error, CloudEventError::Invalid { attribute, .. } if attribute == name),
            "{name}: {value}: {error:?}"
        );
    }
    for text in ["", "[]", "1", "{", r#"{"id":1,"id":2}"#, "\u{0}"] {
        let error = CloudEvent::from_json(text.as_bytes()).unwrap_err();
        assert!(
            matches!(error, CloudEventError::NotJson(_)),
            "{text}: {error:?}"
        );
    }
}

#[tokio::test]
async fn an_event_of_an_older_version_passes_through_its_upcasts() {
    let stream = StreamId::new("account", "a").unwrap();
    let old = NewEvent::of(&Deposited { amount: 7 }).unwrap();
    let event = stored(None, &stream, old).await;
    let event = CloudEvent::from_json(&event.to_json().unwrap()).unwrap();
    assert_eq!(event.recorded.schema_version, 1);
    let newest = DepositedV2 { cents: 700 };
    assert_eq!(
        event.decode::<DepositedV2>().unwrap(),
        Decoded::One(newest.clone())
    );
    let of_account = event.decode_of::<Account>().unwrap();
    assert_eq!(of_account, Some(Decoded::One(newest.into())));
}

#[tokio::test]
async fn an_event_of_another_category_or_name_is_not_taken_for_ones_own() {
    let store = Store::connect("memory:").await.unwrap();
    append(&store, 1, 1).await;
    let order = StreamId::new("order", "1").unwrap();
    let same_name = NewEvent::of(&DepositedV2 { cents: 1 }).unwrap();
    let unknown = NewEvent::json("Closed", 1, &1).unwrap();
    store
        .append(&order, Expected::Any, [same_name])
        .await
        .unwrap();
    let account = StreamId::new("account", "1").unwrap();
    store
        .append(&account, Expected::Any, [unknown])
        .await
        .unwrap();
    let events = published(&store).await;
    assert!(events[0].decode_of::<Account>().unwrap().is_some());
    assert!(events[1].decode_of::<Account>().unwrap().is_none());
    let error = events[2].decode_of::<Account>().unwrap_err();
    assert!(error.to_string().contains("Closed"), "{error}");
}
