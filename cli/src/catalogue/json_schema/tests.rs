//! What serde makes of types that are hard to say in JSON Schema.

use std::collections::BTreeMap;

use recount_schema::{Body, Enum, Field, Seq, Shape, Shaped, Struct, Tagging, Variant, Written};
use serde::Serialize;
use serde_json::{Value, json};

use super::{About, Definitions, document};

const U8: &Shape = <u8 as Shaped>::SHAPE;
const TEXTS: &Shape = <BTreeMap<String, String> as Shaped>::SHAPE;

fn is_valid(shape: &'static Shape, payload: impl Serialize) -> bool {
    let mut all = Definitions::new();
    all.add("E", "E", shape, &About::default());
    let mut schema = document(all);
    schema["$ref"] = "#/$defs/E".into();
    assert!(jsonschema::draft202012::meta::is_valid(&schema), "{schema}");
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.is_valid(&serde_json::to_value(payload).unwrap())
}

#[test]
fn keys_of_flattened_fields_stand_beside_the_others() {
    #[derive(Serialize)]
    struct Event {
        a: u8,
        #[serde(flatten)]
        inner: Option<Inner>,
        #[serde(flatten)]
        rest: BTreeMap<String, String>,
    }
    #[derive(Serialize)]
    struct Inner {
        b: u8,
    }
    const INNER: &Shape = &Shape::Struct(Struct::new(&[Field::new("b", U8)]));
    const EVENT: &Shape = &Shape::Struct(Struct::new(&[
        Field::new("a", U8),
        Field::new("inner", &Shape::Option(INNER)).flattened(),
        Field::new("rest", TEXTS).flattened(),
    ]));
    let rest = BTreeMap::from([("c".to_owned(), "x".to_owned())]);
    for inner in [None, Some(Inner { b: 2 })] {
        let rest = rest.clone();
        assert!(is_valid(EVENT, Event { a: 1, inner, rest }));
    }
    assert!(!is_valid(EVENT, json!({ "a": 1, "c": 5 })));
    assert!(!is_valid(EVENT, json!({ "a": 1, "b": "x" })));
}

#[test]
fn a_flattened_enum_leaves_room_for_other_keys() {
    #[derive(Serialize)]
    struct Event {
        a: u8,
        #[serde(flatten)]
        kind: Kind,
    }
    #[derive(Serialize)]
    enum Kind {
        Plain,
        Timed(u8),
    }
    const KIND: &Shape = &Shape::Enum(Enum::new(&[
        Variant::unit("Plain"),
        Variant::new("Timed", Body::Newtype(U8)),
    ]));
    const EVENT: &Shape = &Shape::Struct(Struct::new(&[
        Field::new("a", U8),
        Field::new("kind", KIND).flattened(),
    ]));
    for kind in [Kind::Plain, Kind::Timed(1)] {
        assert!(is_valid(EVENT, Event { a: 1, kind }));
    }
    assert!(!is_valid(EVENT, json!({ "a": 1 })));
    assert!(!is_valid(EVENT, json!({ "a": 1, "Timed": "x" })));
}

#[test]
fn enums_are_taken_however_they_are_tagged() {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Untagged {
        Small(u8),
        Large(f64),
    }
    #[derive(Serialize)]
    #[serde(tag = "kind")]
    enum Internal {
        Named(BTreeMap<String, String>),
        Empty,
    }
    const UNTAGGED: &Shape = &Shape::Enum(
        Enum::new(&[
            Variant::new("Small", Body::Newtype(U8)),
            Variant::new("Large", Body::Newtype(<f64 as Shaped>::SHAPE)),
        ])
        .tagged(Tagging::Untagged),
    );
    const INTERNAL: &Shape = &Shape::Enum(
        Enum::new(&[
            Variant::new("Named", Body::Newtype(TEXTS)),
            Variant::unit("Empty"),
        ])
        .tagged(Tagging::Internal { tag: "kind" }),
    );
    // It fits both.
    assert!(is_valid(UNTAGGED, Untagged::Small(1)));
    assert!(is_valid(UNTAGGED, Untagged::Large(1.5)));
    assert!(!is_valid(UNTAGGED, "1"));
    let named = BTreeMap::from([("c".to_owned(), "x".to_owned())]);
    assert!(is_valid(INTERNAL, Internal::Named(named)));
    assert!(is_valid(INTERNAL, Internal::Empty));
    assert!(!is_valid(INTERNAL, json!({ "kind": "Named", "c": 5 })));
    assert!(!is_valid(INTERNAL, json!({ "kind": "Other" })));
}

#[test]
fn recursive_shapes_of_one_name_are_told_apart() {
    const LIST: &Shape = &Shape::Seq(Seq {
        item: &Shape::Ref("r"),
        len: None,
        unique: false,
    });
    const TREE: &Shape = &Shape::Recursive {
        name: "r",
        shape: LIST,
    };
    const CHAIN: &Shape = &Shape::Recursive {
        name: "r",
        shape: &Shape::Struct(Struct::new(&[Field::new(
            "next",
            &Shape::Option(&Shape::Ref("r")),
        )
        .written(Written::Maybe)])),
    };
    const EVENT: &Shape = &Shape::Struct(Struct::new(&[
        Field::new("tree", TREE),
        Field::new("chain", CHAIN),
        Field::new("again", TREE),
    ]));
    let event = |tree: Value, chain: Value| json!({ "tree": tree, "chain": chain, "again": [] });
    assert!(is_valid(
        EVENT,
        event(json!([[], [[]]]), json!({ "next": { "next": null } }))
    ));
    assert!(!is_valid(EVENT, event(json!([[1]]), json!({}))));
    assert!(!is_valid(
        EVENT,
        event(json!([]), json!({ "next": { "next": [] } }))
    ));
}
