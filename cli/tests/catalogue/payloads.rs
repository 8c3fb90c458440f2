//! JSON Schema, judged by a validator with payloads that serde writes and with broken ones. The types are those of the fixture
//! itself.

use std::collections::{BTreeMap, BTreeSet};

use recount::prelude::*;
use serde_json::{Value, json};

use super::project::Project;

#[expect(
    dead_code,
    clippy::unused_self,
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "the tests need the events only, and commands are there to be read"
)]
#[path = "fixture/src/account.rs"]
mod account;
#[expect(dead_code, reason = "the tests need the events only")]
#[path = "fixture/src/order.rs"]
mod order;

use account::{Closed, Kind, Opened, PaidIn, PaidInV2};
use order::{Delivery, Line, Paid, Placed, Shelf};

fn payload(name: &'static str, event: &impl Serialize) -> (&'static str, Value) {
    (name, serde_json::to_value(event).unwrap())
}

/// What serde writes, by the name of the schema.
pub fn written() -> Vec<(&'static str, Value)> {
    let opened = |kind| Opened {
        holder: "Ann".to_owned(),
        kind,
    };
    let shelf = |name: &str, within| Shelf {
        name: name.to_owned(),
        within,
    };
    let line = |delivery| Line {
        article: "tea".to_owned(),
        count: 3,
        delivery,
    };
    let zip = "8001".to_owned();
    vec![
        payload("account.Opened.v1", &opened(Kind::Current)),
        payload("account.Opened.v1", &opened(Kind::Savings { months: 12 })),
        payload("account.PaidIn.v1", &PaidIn { amount: u32::MAX }),
        payload(
            "account.PaidIn.v2",
            &PaidInV2 {
                amount_in_cents: u64::MAX,
                reference: None,
            },
        ),
        payload(
            "account.PaidIn.v2",
            &PaidInV2 {
                amount_in_cents: 0,
                reference: Some(String::new()),
            },
        ),
        payload("account.Closed.v1", &Closed {}),
        payload("order.Paid.v1", &Paid {}),
        payload(
            "order.Placed.v1",
            &Placed {
                lines: vec![line(Delivery::Post { zip }), line(Delivery::Hand)],
                tags: BTreeSet::from(["new".to_owned(), "gift".to_owned()]),
                prices: BTreeMap::from([("tea".to_owned(), 5)]),
                place: (-1, 1),
                shelf: shelf("food", vec![shelf("drinks", vec![shelf("tea", vec![])])]),
                note: Some("fragile".to_owned()),
            },
        ),
    ]
}

#[test]
fn json_schema_takes_what_serde_writes_and_refuses_what_is_broken() {
    let project = Project::released("shop6");
    let ran = project.catalogue(&["--format", "jsonschema"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(jsonschema::draft202012::meta::is_valid(&document));

    let is_valid = |name: &str, payload: &Value| {
        let mut schema = document.clone();
        assert!(schema["$defs"].get(name).is_some(), "{name}");
        schema["$ref"] = format!("#/$defs/{name}").into();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        validator.is_valid(payload)
    };
    for (name, payload) in written() {
        assert!(is_valid(name, &payload), "{name}: {payload}");
        // Whatever is taken out was there for a reason.
        for key in payload.as_object().unwrap().keys() {
            let mut less = payload.clone();
            less.as_object_mut().unwrap().remove(key);
            assert!(!is_valid(name, &less), "{name}: {less}");
        }
    }

    let opened = |kind: Value| json!({ "holder": "Ann", "kind": kind });
    for broken in [
        opened(json!("Gold")),
        opened(json!({ "Savings": { "months": 256 } })),
        opened(json!({ "Savings": {} })),
        opened(json!({ "Savings": { "months": 1 }, "Current": null })),
        json!({ "holder": 5, "kind": "Current" }),
        json!([]),
    ] {
        assert!(!is_valid("account.Opened.v1", &broken), "{broken}");
    }
    for broken in [-1, i64::from(u32::MAX) + 1] {
        assert!(!is_valid("account.PaidIn.v1", &json!({ "amount": broken })));
    }
    let (_, placed) = written().pop().unwrap();
    for (pointer, value) in [
        ("/lines/0/delivery", json!({ "by": "Post" })),
        ("/lines/0/delivery", json!({ "by": "Foot" })),
        ("/lines/1/count", json!(1.5)),
        ("/tags", json!(["new", "new"])),
        ("/prices/tea", json!("5")),
        ("/place", json!([1])),
        ("/place", json!([1, 2, 3])),
        ("/shelf/within/0/within/0", json!({ "name": "tea" })),
        ("/hint", json!(1)),
    ] {
        let mut broken = placed.clone();
        *broken.pointer_mut(pointer).unwrap() = value;
        assert!(!is_valid("order.Placed.v1", &broken), "{broken}");
    }
}
