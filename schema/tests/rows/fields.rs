//! Changes of fields.

use std::collections::BTreeMap;

use recount_schema::{Field, Shape, Shaped, Struct, Written};

use crate::{built, object, row};

const OPTION: &Shape = <Option<u8>>::SHAPE;

row! {
    an_option_is_added: []
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = object!("a": u8, "b": Option<u8>), [New { a: 1, b: None }, New { a: 1, b: Some(2) }] { struct New { a: u8, b: Option<u8> } }
}
row! {
    an_option_read_by_a_function_is_added: [B]
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = built!(Field::of::<u8>("a"), Field::of::<Option<u8>>("b").deserialized_with()), [New { a: 1, b: None }] {
        struct New { a: u8, #[serde(deserialize_with = "serde::Deserialize::deserialize")] b: Option<u8> }
    }
}
row! {
    an_option_read_by_a_function_with_a_default_is_added: []
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = built!(Field::of::<u8>("a"), Field::of::<Option<u8>>("b").deserialized_with().default("None")), [New { a: 1, b: None }] {
        struct New { a: u8, #[serde(default, deserialize_with = "serde::Deserialize::deserialize")] b: Option<u8> }
    }
}
row! {
    a_newtype_around_an_option_is_added: [B]
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = built!(Field::of::<u8>("a"), Field::new("b", OPTION)), [New { a: 1, b: Note(None) }] {
        struct Note(Option<u8>);
        struct New { a: u8, b: Note }
    }
}
row! {
    a_transparent_newtype_around_an_option_is_added: []
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = built!(Field::of::<u8>("a"), Field::new("b", OPTION).optional_if(true)), [New { a: 1, b: Note(None) }] {
        #[serde(transparent)] struct Note(Option<u8>);
        struct New { a: u8, b: Note }
    }
}
row! {
    a_boxed_option_is_added: []
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = object!("a": u8, "b": Box<Option<u8>>), [New { a: 1, b: Box::new(None) }] { struct New { a: u8, b: Box<Option<u8>> } }
}
row! {
    a_field_with_a_default_is_added: []
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = built!(Field::of::<u8>("a"), Field::of::<u8>("b").default("0")), [New { a: 1, b: 2 }] {
        struct New { a: u8, #[serde(default)] b: u8 }
    }
}
row! {
    a_field_of_a_container_with_defaults_is_added: []
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = built!(Field::of::<u8>("a").default("0"), Field::of::<u8>("b").default("0")), [New { a: 1, b: 2 }] {
        #[derive(Default)] #[serde(default)] struct New { a: u8, b: u8 }
    }
}
row! {
    a_list_is_added: [B]
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = object!("a": u8, "b": Vec<u8>), [New { a: 1, b: vec![] }] { struct New { a: u8, b: Vec<u8> } }
}
row! {
    a_bool_is_added: [B]
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = object!("a": u8, "b": bool), [New { a: 1, b: true }] { struct New { a: u8, b: bool } }
}
row! {
    a_unit_is_added: [B]
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = object!("a": u8, "b": ()), [New { a: 1, b: () }] { struct New { a: u8, b: () } }
}
row! {
    any_json_is_added: [B]
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = object!("a": u8, "b": serde_json::Value), [New { a: 1, b: serde_json::Value::Null }] { struct New { a: u8, b: serde_json::Value } }
}
row! {
    a_map_is_added: [B]
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = object!("a": u8, "b": BTreeMap<String, u8>), [New { a: 1, b: BTreeMap::new() }] { struct New { a: u8, b: BTreeMap<String, u8> } }
}
row! {
    a_default_has_another_value: [S]
    old = built!(Field::of::<u8>("a").default("10")), [Old { a: 1 }] { struct Old { #[serde(default)] a: u8 } }
    new = built!(Field::of::<u8>("a").default("12")), [New { a: 1 }] { struct New { #[serde(default)] a: u8 } }
}
row! {
    a_required_field_is_removed: [F S]
    old = object!("a": u8, "b": u8), [Old { a: 1, b: 2 }] { struct Old { a: u8, b: u8 } }
    new = object!("a": u8), [New { a: 1 }] { struct New { a: u8 } }
}
row! {
    an_option_is_removed: [S]
    old = object!("a": u8, "b": Option<u8>), [Old { a: 1, b: Some(2) }] { struct Old { a: u8, b: Option<u8> } }
    new = object!("a": u8), [New { a: 1 }] { struct New { a: u8 } }
}
row! {
    an_option_is_removed_from_a_struct_that_denies_unknown_fields: [B]
    old = object!("a": u8, "b": Option<u8>), [Old { a: 1, b: Some(2) }] { struct Old { a: u8, b: Option<u8> } }
    new = Shape::Struct(Struct::new(&[Field::of::<u8>("a")]).denying_unknown_fields()), [New { a: 1 }] {
        #[serde(deny_unknown_fields)] struct New { a: u8 }
    }
}
row! {
    an_option_is_added_to_a_struct_that_denied_unknown_fields: [F]
    old = Shape::Struct(Struct::new(&[Field::of::<u8>("a")]).denying_unknown_fields()), [Old { a: 1 }] {
        #[serde(deny_unknown_fields)] struct Old { a: u8 }
    }
    new = object!("a": u8, "b": Option<u8>), [New { a: 1, b: Some(2) }] { struct New { a: u8, b: Option<u8> } }
}
row! {
    unknown_fields_are_denied_and_there_are_none: []
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = Shape::Struct(Struct::new(&[Field::of::<u8>("a")]).denying_unknown_fields()), [New { a: 1 }] {
        #[serde(deny_unknown_fields)] struct New { a: u8 }
    }
}
row! {
    a_required_field_becomes_an_option: [F]
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = object!("a": Option<u8>), [New { a: None }] { struct New { a: Option<u8> } }
}
row! {
    an_option_becomes_required: [B]
    old = object!("a": Option<u8>), [Old { a: None }] { struct Old { a: Option<u8> } }
    new = object!("a": u8), [New { a: 1 }] { struct New { a: u8 } }
}
row! {
    a_default_is_taken_off: [B]
    old = built!(Field::of::<u8>("a").default("0")), [Old { a: 1 }] stored ["{}"] { struct Old { #[serde(default)] a: u8 } }
    new = object!("a": u8), [New { a: 1 }] { struct New { a: u8 } }
}
row! {
    a_field_is_renamed: [B F S]
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = object!("b": u8), [New { b: 1 }] { struct New { b: u8 } }
}
row! {
    all_fields_are_renamed: [B F S]
    old = object!("starts_at": u8, "ends_at": u8), [Old { starts_at: 1, ends_at: 2 }] { struct Old { starts_at: u8, ends_at: u8 } }
    new = object!("startsAt": u8, "endsAt": u8), [New { starts_at: 1, ends_at: 2 }] {
        #[serde(rename_all = "camelCase")] struct New { starts_at: u8, ends_at: u8 }
    }
}
row! {
    a_field_is_renamed_with_an_alias: [F]
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = built!(Field::of::<u8>("b").aliases(&["a"])), [New { b: 1 }] { struct New { #[serde(alias = "a")] b: u8 } }
}
row! {
    an_alias_is_a_field_that_was_there_beside_it: [B F]
    old = object!("a": u8, "b": u8), [Old { a: 1, b: 2 }] { struct Old { a: u8, b: u8 } }
    new = built!(Field::of::<u8>("b").aliases(&["a"])), [New { b: 1 }] { struct New { #[serde(alias = "a")] b: u8 } }
}
row! {
    an_alias_is_taken_off: [B S]
    old = built!(Field::of::<u8>("b").aliases(&["a"])), [Old { b: 1 }] stored [r#"{"a":1}"#] {
        struct Old { #[serde(alias = "a")] b: u8 }
    }
    new = object!("b": u8), [New { b: 1 }] { struct New { b: u8 } }
}
row! {
    an_alias_is_taken_off_a_field_that_may_be_missing: [S]
    old = built!(Field::of::<Option<u8>>("b").aliases(&["a"])), [Old { b: Some(1) }] stored [r#"{"a":1}"#] {
        struct Old { #[serde(alias = "a")] b: Option<u8> }
    }
    new = object!("b": Option<u8>), [New { b: Some(1) }] { struct New { b: Option<u8> } }
}
row! {
    a_field_that_was_renamed_with_an_alias_is_renamed_again: [F]
    old = built!(Field::of::<u8>("b").aliases(&["a"])), [Old { b: 1 }] stored [r#"{"a":1}"#] {
        struct Old { #[serde(alias = "a")] b: u8 }
    }
    new = built!(Field::of::<u8>("c").aliases(&["a", "b"])), [New { c: 1 }] {
        struct New { #[serde(alias = "a", alias = "b")] c: u8 }
    }
}
row! {
    an_alias_becomes_a_field_beside_it: [B F]
    old = built!(Field::of::<u8>("b").aliases(&["a"])), [Old { b: 1 }] stored [r#"{"a":1}"#] {
        struct Old { #[serde(alias = "a")] b: u8 }
    }
    new = object!("b": u8, "a": Option<u8>), [New { b: 1, a: None }] { struct New { b: u8, a: Option<u8> } }
}
row! {
    a_field_is_renamed_in_rust_only: []
    old = object!("a": u8), [Old { a: 1 }] { struct Old { a: u8 } }
    new = object!("a": u8), [New { b: 1 }] { struct New { #[serde(rename = "a")] b: u8 } }
}
row! {
    fields_change_places: []
    old = object!("a": u8, "b": bool), [Old { a: 1, b: true }] { struct Old { a: u8, b: bool } }
    new = object!("b": bool, "a": u8), [New { b: true, a: 1 }] { struct New { b: bool, a: u8 } }
}
row! {
    a_required_field_is_skipped_at_times: [F]
    old = object!("a": String), [Old { a: String::new() }] { struct Old { a: String } }
    new = built!(Field::of::<String>("a").written(Written::Maybe).default("")), [New { a: String::new() }] {
        struct New { #[serde(default, skip_serializing_if = "String::is_empty")] a: String }
    }
}
row! {
    an_option_is_skipped_at_times: []
    old = object!("a": Option<u8>), [Old { a: None }] { struct Old { a: Option<u8> } }
    new = built!(Field::of::<Option<u8>>("a").written(Written::Maybe)), [New { a: None }, New { a: Some(1) }] {
        struct New { #[serde(skip_serializing_if = "Option::is_none")] a: Option<u8> }
    }
}
row! {
    fields_move_into_a_flattened_struct: []
    old = object!("a": u8, "b": bool, "c": u8), [Old { a: 1, b: true, c: 3 }] { struct Old { a: u8, b: bool, c: u8 } }
    new = built!(Field::of::<u8>("a"), Field::new("inner", &object!("c": u8, "b": bool)).flattened()),
        [New { a: 1, inner: Inner { c: 3, b: true } }] {
        struct Inner { c: u8, b: bool }
        struct New { a: u8, #[serde(flatten)] inner: Inner }
    }
}
row! {
    fields_move_out_of_a_flattened_struct: []
    old = built!(Field::of::<u8>("a"), Field::new("inner", &object!("c": u8)).flattened()), [Old { a: 1, inner: Inner { c: 3 } }] {
        struct Inner { c: u8 }
        struct Old { a: u8, #[serde(flatten)] inner: Inner }
    }
    new = object!("a": u8, "c": u8), [New { a: 1, c: 3 }] { struct New { a: u8, c: u8 } }
}
row! {
    a_flattened_map_takes_what_was_removed: [F]
    old = object!("a": u8, "b": u8), [Old { a: 1, b: 2 }] { struct Old { a: u8, b: u8 } }
    new = built!(Field::of::<u8>("a"), Field::new("rest", <BTreeMap<String, u8>>::SHAPE).flattened()),
        [New { a: 1, rest: BTreeMap::new() }] {
        struct New { a: u8, #[serde(flatten)] rest: BTreeMap<String, u8> }
    }
}
row! {
    a_field_takes_a_key_of_a_flattened_map_that_may_be_of_another_type: [B F S]
    old = built!(Field::of::<u8>("a"), Field::new("rest", <BTreeMap<String, String>>::SHAPE).flattened()),
        [Old { a: 1, rest: BTreeMap::from([("b".into(), "x".into())]) }] {
        struct Old { a: u8, #[serde(flatten)] rest: BTreeMap<String, String> }
    }
    new = built!(Field::of::<u8>("a"), Field::of::<Option<u8>>("b").written(Written::Maybe)), [New { a: 1, b: None }] {
        struct New { a: u8, #[serde(skip_serializing_if = "Option::is_none")] b: Option<u8> }
    }
}
row! {
    a_field_with_an_alias_takes_two_keys_of_a_flattened_map: [B]
    old = built!(Field::of::<u8>("a"), Field::new("rest", <BTreeMap<String, u8>>::SHAPE).flattened()),
        [Old { a: 1, rest: [("b".into(), 2), ("c".into(), 3)].into() }] {
        struct Old { a: u8, #[serde(flatten)] rest: BTreeMap<String, u8> }
    }
    new = built!(
        Field::of::<u8>("a"),
        Field::of::<u8>("b").default("0").aliases(&["c"]),
        Field::new("rest", <BTreeMap<String, u8>>::SHAPE).flattened()
    ), [New { a: 1, b: 2, rest: BTreeMap::new() }] {
        struct New { a: u8, #[serde(default, alias = "c")] b: u8, #[serde(flatten)] rest: BTreeMap<String, u8> }
    }
}
row! {
    a_field_that_is_never_read_stays: []
    old = built!(Field::of::<u8>("a"), Field::of::<u8>("b").ignored()), [Old { a: 1, b: 2 }] {
        struct Old { a: u8, #[serde(skip_deserializing)] b: u8 }
    }
    new = built!(Field::of::<u8>("a"), Field::of::<u8>("b").ignored()), [New { a: 1, b: 2 }] {
        struct New { a: u8, #[serde(skip_deserializing)] b: u8 }
    }
}
row! {
    a_field_is_skipped: [F S]
    old = object!("a": u8, "b": u8), [Old { a: 1, b: 2 }] { struct Old { a: u8, b: u8 } }
    new = built!(Field::of::<u8>("a"), Field::of::<u8>("b").skipped()), [New { a: 1, b: 2 }] { struct New { a: u8, #[serde(skip)] b: u8 } }
}
row! {
    a_change_deep_inside: [B F]
    old = object!("a": Vec<Option<(u8, String)>>), [Old { a: vec![Some((1, "x".into()))] }] { struct Old { a: Vec<Option<(u8, String)>> } }
    new = object!("a": Vec<Option<(u8, bool)>>), [New { a: vec![Some((1, true))] }] { struct New { a: Vec<Option<(u8, bool)>> } }
}
