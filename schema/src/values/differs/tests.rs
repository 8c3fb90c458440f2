//! At each place where a value object may lie: what came later is not expected, and all else is held.

use crate::{Body, Element, Enum, Field, Shape, Shaped as _, Struct, Tagging, Variant};
use serde_json::{Value, json};

use super::{differs, events_differ};

/// A value object that had `x`, and got `y` later.
const FIELDS: Struct = Struct::new(&[Field::of::<u8>("x"), Field::of::<Option<u8>>("y")]);
const VALUE: &Shape = &Shape::Struct(FIELDS);

/// What is told: the place, what was expected, and what is there.
#[track_caller]
fn told(shape: &Shape, expected: &Value, now: &Value) -> String {
    match differs(shape, expected, now) {
        Some(found) => format!("{}: {} -> {}", found.path, found.expected, found.now),
        None => String::new(),
    }
}

/// With `put`, which puts the value object where it lies: a field that came is no difference; another value, a value that became
/// `null`, and a field that is gone, are one.
#[track_caller]
fn holds_what_is_at(path: &str, shape: &Shape, put: impl Fn(Value) -> Value) {
    let told = |before, after| told(shape, &put(before), &put(after));
    let old = json!({ "x": 1 });
    assert_eq!(told(old.clone(), old.clone()), "");
    assert_eq!(told(old.clone(), json!({ "x": 1, "y": null })), "");
    // A default.
    assert_eq!(told(old.clone(), json!({ "x": 1, "y": 7 })), "");
    let at = |key: &str, values: &str| format!("{path}.{key}: {values}");
    let both = json!({ "x": 1, "y": 2 });
    assert_eq!(
        told(old.clone(), json!({ "x": 3, "y": null })),
        at("x", "1 -> 3")
    );
    assert_eq!(
        told(old.clone(), json!({ "y": null })),
        at("x", "1 -> null")
    );
    assert_eq!(
        told(both.clone(), json!({ "x": 1, "y": null })),
        at("y", "2 -> null")
    );
    assert_eq!(told(both, old.clone()), at("y", "2 -> null"));
    let none = json!({ "x": 1, "y": null });
    assert_eq!(told(none, json!({ "x": 1, "y": 2 })), at("y", "null -> 2"));
    // Nobody has such a key.
    let unknown = json!({ "x": 1, "z": 3 });
    assert_eq!(told(old, unknown), format!("{path}{{z}}: nothing -> 3"));
}

/// The same where it is not known which variant it was: the whole is told.
#[track_caller]
fn holds_the_whole(shape: &Shape, put: impl Fn(Value) -> Value) {
    let differs = |before, after| differs(shape, &put(before), &put(after)).is_some();
    let old = json!({ "x": 1 });
    let both = json!({ "x": 1, "y": 2 });
    let none = json!({ "x": 1, "y": null });
    assert!(!differs(old.clone(), none.clone()));
    for (before, after) in [
        (&old, json!({ "x": 3, "y": null })),
        (&old, json!({ "y": null })),
        (&old, json!({})),
        (&both, none.clone()),
        (&both, old.clone()),
        (&none, both.clone()),
        (&old, json!({ "x": 1, "z": 3 })),
    ] {
        assert!(differs(before.clone(), after.clone()), "{before} {after}");
    }
}

#[test]
fn in_a_struct_an_option_and_a_list() {
    const WITHIN: Shape = Shape::Struct(Struct::new(&[Field::new("a", &Shape::Option(VALUE))]));
    holds_what_is_at("", VALUE, |value| value);
    holds_what_is_at(".a", &WITHIN, |value| json!({ "a": value }));
    holds_what_is_at(
        "[1]",
        &Shape::seq(VALUE),
        |value| json!([{ "x": 0 }, value]),
    );
    let list = Shape::seq(VALUE);
    assert_eq!(
        told(&list, &json!([]), &json!([{"x": 1}])),
        ": [] -> [{\"x\":1}]"
    );
}

#[test]
fn in_a_map_whose_keys_neither_come_nor_go() {
    let map = Shape::map(&Shape::STRING, VALUE);
    holds_what_is_at("{k}", &map, |value| json!({ "k": value }));
    let (none, one) = (json!({}), json!({ "k": { "x": 1 } }));
    assert_eq!(told(&map, &none, &one), "{k}: nothing -> {\"x\":1}");
    assert_eq!(told(&map, &one, &none), "{k}: {\"x\":1} -> nothing");
    let null = Shape::map(&Shape::STRING, &Shape::Option(VALUE));
    assert_eq!(
        told(&null, &json!({}), &json!({ "k": null })),
        "{k}: nothing -> null"
    );
}

#[test]
fn in_a_tuple_whose_later_places_have_a_default() {
    const PLACES: &[Element] = &[Element::of::<u8>(), Element::new(VALUE)];
    const MORE: &[Element] = &[Element::new(VALUE), Element::of::<u8>().with_default("7")];
    holds_what_is_at("[1]", &Shape::Tuple(PLACES), |value| json!([0, value]));
    let more = Shape::Tuple(MORE);
    let (one, two) = (json!([{ "x": 1 }]), json!([{ "x": 1, "y": null }, 7]));
    assert_eq!(told(&more, &one, &two), "");
    assert_ne!(told(&more, &two, &one), "");
    assert_ne!(told(&more, &one, &json!([{ "x": 2 }, 7])), "");
    let required = Shape::Tuple(PLACES);
    assert_ne!(told(&required, &json!([0]), &json!([0, { "x": 1 }])), "");
}

#[test]
fn in_a_type_that_contains_itself() {
    const NODE: Shape = Shape::Recursive {
        name: "Node",
        shape: &Shape::Struct(Struct::new(&[
            Field::of::<u8>("x"),
            Field::of::<Option<u8>>("y"),
            Field::new("children", &Shape::seq(&Shape::Ref("Node"))),
        ])),
    };
    const TWO: Shape = Shape::Recursive {
        name: "Outer",
        shape: &Shape::Struct(Struct::new(&[
            Field::of::<u8>("x"),
            Field::of::<Option<u8>>("y"),
            Field::new(
                "inner",
                &Shape::Option(&Shape::Recursive {
                    name: "Inner",
                    shape: &Shape::Struct(Struct::new(&[
                        Field::new("more", &Shape::seq(&Shape::Ref("Inner"))),
                        Field::new("outer", &Shape::Option(&Shape::Ref("Outer"))),
                    ])),
                }),
            ),
        ])),
    };
    holds_what_is_at(".children[0].children[0]", &NODE, |value| {
        let mut leaf = value;
        leaf["children"] = json!([]);
        json!({ "x": 0, "children": [{ "x": 0, "children": [leaf] }] })
    });
    // The inner one is what its name stands for, also where another lies between.
    holds_what_is_at(
        ".inner.more[0].outer",
        &TWO,
        |value| json!({ "x": 0, "inner": { "more": [{ "more": [], "outer": value }], "outer": null } }),
    );
    assert_eq!(
        told(&Shape::Ref("nobody"), &json!(1), &json!(2)),
        ": 1 -> 2"
    );
}

const VARIANTS: &[Variant] = &[
    Variant::unit("Done"),
    Variant::new("Held", Body::Newtype(VALUE)).aliases(&["Kept"]),
    Variant::new("Moved", Body::Struct(FIELDS)),
];

const fn variants(tagging: Tagging) -> Shape {
    Shape::Enum(Enum::new(VARIANTS).tagged(tagging))
}

const EXTERNAL: Shape = variants(Tagging::External);
const INTERNAL: Shape = variants(Tagging::Internal { tag: "t" });
const ADJACENT: Shape = variants(Tagging::Adjacent {
    tag: "t",
    content: "c",
});

fn tagged(name: &str, mut value: Value) -> Value {
    value["t"] = json!(name);
    value
}

#[test]
fn in_a_variant_with_its_name_as_the_key() {
    const TWO: Shape = Shape::Enum(Enum::new(&[
        Variant::unit("A").aliases(&["Z"]),
        Variant::unit("B"),
    ]));
    for name in ["Held", "Moved"] {
        holds_what_is_at("", &EXTERNAL, |value| json!({ name: value }));
    }
    let value = json!({ "x": 1 });
    let of = |name: &str| json!({ name: value });
    assert_eq!(told(&EXTERNAL, &of("Kept"), &of("Held")), "");
    assert_ne!(told(&EXTERNAL, &of("Held"), &of("Moved")), "");
    assert_ne!(told(&EXTERNAL, &of("Held"), &json!("Done")), "");
    assert_eq!(told(&TWO, &json!("Z"), &json!("A")), "");
    assert_ne!(told(&TWO, &json!("A"), &json!("B")), "");
}

#[test]
fn in_a_variant_with_a_tag_beside_its_fields() {
    for name in ["Held", "Moved"] {
        holds_what_is_at("", &INTERNAL, |value| tagged(name, value));
    }
    let of = |name| tagged(name, json!({ "x": 1 }));
    assert_eq!(told(&INTERNAL, &of("Kept"), &of("Held")), "");
    assert_ne!(told(&INTERNAL, &of("Held"), &of("Moved")), "");
    assert_ne!(told(&INTERNAL, &of("Held"), &json!({ "t": "Done" })), "");
}

#[test]
fn in_a_variant_with_a_tag_beside_its_content() {
    for name in ["Held", "Moved"] {
        holds_what_is_at("", &ADJACENT, |value| json!({ "t": name, "c": value }));
    }
    let of = |name: &str| json!({ "t": name, "c": { "x": 1 } });
    assert_eq!(told(&ADJACENT, &of("Kept"), &of("Held")), "");
    assert_ne!(told(&ADJACENT, &of("Held"), &of("Moved")), "");
    assert_ne!(told(&ADJACENT, &of("Held"), &json!({ "t": "Held" })), "");
    let done = json!({ "t": "Done" });
    assert_eq!(
        told(&ADJACENT, &done, &json!({ "t": "Done", "c": null })),
        ""
    );
    assert_ne!(told(&ADJACENT, &done, &json!({ "t": "Done", "c": 1 })), "");
}

#[test]
fn in_a_variant_without_a_name() {
    const UNTAGGED: Shape = Shape::Enum(
        Enum::new(&[
            Variant::unit("Nothing"),
            Variant::new("Number", Body::Newtype(<u8>::SHAPE)),
            Variant::new(
                "Other",
                Body::Struct(Struct::new(&[Field::of::<Option<u8>>("z")])),
            ),
            Variant::new("Value", Body::Newtype(VALUE)),
            Variant::new(
                "Pair",
                Body::Tuple(&[Element::of::<u8>(), Element::new(VALUE)]),
            ),
        ])
        .tagged(Tagging::Untagged),
    );
    holds_the_whole(&UNTAGGED, |value| value);
    holds_the_whole(&UNTAGGED, |value| json!([0, value]));
    let (value, number) = (json!({ "x": 1 }), json!(1));
    assert_ne!(told(&UNTAGGED, &value, &number), "");
    assert_ne!(told(&UNTAGGED, &number, &json!(2)), "");
    assert_ne!(told(&UNTAGGED, &json!(null), &number), "");
}

/// An event with fields of its own, and something flattened.
fn beside(shape: &'static Shape) -> Shape {
    let fields = vec![
        Field::of::<u8>("x"),
        Field::of::<Option<u8>>("y"),
        Field::new("rest", shape).flattened(),
    ];
    Shape::Struct(Struct::new(Vec::leak(fields)))
}

fn option(shape: &'static Shape) -> &'static Shape {
    Box::leak(Box::new(Shape::Option(shape)))
}

#[test]
fn beside_and_within_what_is_flattened() {
    const MAP: &Shape = &Shape::map(&Shape::STRING, <u8>::SHAPE);
    const OTHER: &Shape = &Shape::Struct(Struct::new(&[Field::of::<u8>("a")]));
    const OUTER: Shape = Shape::Struct(Struct::new(&[
        Field::of::<u8>("a"),
        Field::new("rest", VALUE).flattened(),
    ]));
    const TAGGED: Shape = Shape::Struct(Struct::new(&[
        Field::of::<u8>("a"),
        Field::new("rest", &Shape::Option(&INTERNAL)).flattened(),
    ]));
    const FREE: Shape = Shape::Struct(Struct::new(&[
        Field::of::<u8>("a"),
        Field::new("rest", &Shape::map(&Shape::STRING, VALUE)).flattened(),
    ]));
    const UNTAGGED: Shape = Shape::Struct(Struct::new(&[
        Field::of::<u8>("a"),
        Field::new(
            "rest",
            &Shape::Enum(
                Enum::new(&[
                    Variant::new("Other", Body::Struct(Struct::new(&[Field::of::<u8>("z")]))),
                    Variant::new("Value", Body::Newtype(VALUE)),
                ])
                .tagged(Tagging::Untagged),
            ),
        )
        .flattened(),
    ]));
    let with = |key: &str, value: Value| {
        let key = key.to_owned();
        move |mut object: Value| {
            object[&key] = value.clone();
            object
        }
    };
    holds_what_is_at("", &beside(OTHER), with("a", json!(1)));
    holds_what_is_at("", &beside(option(OTHER)), with("a", json!(1)));
    holds_what_is_at("", &beside(option(OTHER)), |value| value);
    holds_what_is_at("", &beside(MAP), with("k", json!(1)));
    holds_what_is_at("", &beside(&INTERNAL), with("t", json!("Done")));
    holds_what_is_at("", &beside(option(&INTERNAL)), |value| value);
    holds_what_is_at("", &beside(&EXTERNAL), with("Done", Value::Null));
    let adjacent = beside(&ADJACENT);
    holds_what_is_at("", &adjacent, |mut value| {
        value["t"] = json!("Held");
        value["c"] = json!({ "x": 1 });
        value
    });
    holds_what_is_at(
        "",
        &adjacent,
        |value| json!({ "x": 1, "t": "Held", "c": value }),
    );
    // Within.
    holds_what_is_at("", &OUTER, with("a", json!(1)));
    holds_what_is_at("", &TAGGED, |mut value| {
        value["t"] = json!("Moved");
        value["a"] = json!(1);
        value
    });
    holds_what_is_at("{k}", &FREE, |value| json!({ "a": 1, "k": value }));
    holds_the_whole(&UNTAGGED, with("a", json!(1)));
}

#[test]
fn what_is_flattened_is_held_itself() {
    const MAP: &Shape = &Shape::map(&Shape::STRING, <u8>::SHAPE);
    let map = beside(MAP);
    let one = json!({ "x": 1, "k": 1 });
    assert_eq!(told(&map, &one, &json!({ "x": 1, "k": 2 })), "{k}: 1 -> 2");
    assert_eq!(
        told(&map, &one, &json!({ "x": 1, "y": null })),
        "{k}: 1 -> nothing"
    );
    for tagged in [&INTERNAL, &ADJACENT] {
        let shape = beside(option(tagged));
        let done = json!({ "x": 1, "t": "Done" });
        assert_ne!(told(&shape, &done, &json!({ "x": 1 })), "");
        assert_ne!(told(&shape, &json!({ "x": 1 }), &done), "");
    }
    let external = beside(&EXTERNAL);
    let done = json!({ "x": 1, "Done": null });
    assert_ne!(told(&external, &done, &json!({ "x": 1 })), "");
    assert_ne!(told(&external, &json!({ "x": 1 }), &done), "");
    assert_ne!(
        told(&external, &done, &json!({ "x": 1, "Moved": null })),
        ""
    );
}

#[test]
fn under_another_name_whose_older_one_is_an_alias() {
    const RENAMED: Shape = Shape::Struct(Struct::new(&[
        Field::of::<u8>("x"),
        Field::of::<u8>("new").aliases(&["old"]),
    ]));
    let old = json!({ "x": 1, "old": 2 });
    assert_eq!(told(&RENAMED, &old, &json!({ "x": 1, "new": 2 })), "");
    assert_eq!(
        told(&RENAMED, &old, &json!({ "x": 1, "new": 3 })),
        ".new: 2 -> 3"
    );
}

#[test]
fn a_field_that_the_type_does_not_have_any_more_is_another_rules() {
    let old = json!({ "x": 1, "gone": 2 });
    assert_eq!(told(VALUE, &old, &json!({ "x": 1, "y": null })), "");
}

#[test]
fn in_a_list_of_events_of_the_name() {
    let one = |name: &str, value: Value| json!([{ "event": name, "payload": value }]);
    let differs = |before: Value, after: Value| {
        events_differ("Moved", VALUE, &before, &after).map(|found| found.path)
    };
    let (old, new) = (json!({ "x": 1 }), json!({ "x": 1, "y": null }));
    let moved = one("Moved", old.clone());
    assert_eq!(differs(old.clone(), new.clone()), None);
    assert_eq!(differs(moved.clone(), one("Moved", new.clone())), None);
    assert_eq!(
        differs(moved.clone(), one("Moved", json!({ "x": 2 }))),
        Some("[0].x".to_owned())
    );
    assert!(differs(moved.clone(), one("Kept", new)).is_some());
    assert!(differs(moved.clone(), json!([])).is_some());
    assert!(differs(moved, old).is_some());
}

#[test]
fn in_a_set_whose_order_is_another_one_each_time() {
    const OF: &Shape = &Shape::Struct(Struct::new(&[
        Field::of::<u8>("a"),
        Field::of::<Option<u8>>("b"),
    ]));
    const SET: &Shape = &Shape::set(OF);
    let one = |a: u8| json!({ "a": a });
    let grown = |a: u8| json!({ "a": a, "b": null });
    let old = json!([one(1), one(2), one(3)]);
    assert_eq!(told(SET, &old, &json!([grown(3), grown(1), grown(2)])), "");
    assert_ne!(told(SET, &old, &json!([grown(3), grown(1), grown(1)])), "");
    assert_ne!(told(SET, &old, &json!([one(3), one(1)])), "");
    let listed = Shape::seq(OF);
    assert_ne!(told(&listed, &old, &json!([one(3), one(1), one(2)])), "");
}
