//! Changes of types.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use recount_schema::{Element, Field, Shape, Shaped, Struct};
use uuid::Uuid;

use crate::{built, object, row};

/// Rows of one field whose type changes: `name: [what breaks], old type = values, new type = values`.
macro_rules! types {
    ($($name:ident: [$($breaks:ident)*] $(stricter [$($stricter:ident)*])? $old:ty = [$($ov:expr),*], $new:ty = [$($nv:expr),*];)*) => {$(
        row! {
            $name: [$($breaks)*] $(stricter [$($stricter)*])?
            old = object!("a": $old), [$(Old { a: $ov }),*] { struct Old { a: $old } }
            new = object!("a": $new), [$(New { a: $nv }),*] { struct New { a: $new } }
        }
    )*};
}

types! {
    an_unsigned_integer_is_widened: [F] u8 = [255], u16 = [256];
    an_integer_is_widened_and_signed: [F] u32 = [u32::MAX], i64 = [-1];
    an_integer_is_narrowed: [B] u16 = [256], u8 = [255];
    a_signed_integer_becomes_unsigned: [B F] i32 = [-1], u32 = [u32::MAX];
    a_long_unsigned_integer_becomes_signed: [B F] u64 = [u64::MAX], i64 = [-1];
    a_very_long_integer_is_narrowed: [B] u128 = [u128::MAX], u64 = [1];
    an_integer_may_not_be_zero_any_more: [B] u8 = [0], std::num::NonZeroU8 = [std::num::NonZeroU8::MIN];
    a_signed_integer_may_not_be_zero_any_more: [B] i8 = [0], std::num::NonZeroI8 = [std::num::NonZeroI8::MIN];
    a_long_integer_becomes_a_float: [F S] u64 = [u64::MAX], f64 = [0.5];
    an_integer_becomes_a_float: [F] u32 = [u32::MAX], f64 = [0.5];
    a_float_becomes_an_integer: [B] f64 = [1.0], u32 = [1];
    a_float_is_narrowed: [B S] f64 = [0.1], f32 = [0.1];
    a_float_is_widened: [F S] f32 = [0.1], f64 = [0.1];
    a_number_becomes_a_string: [B F] u8 = [1], String = ["1".into()];
    a_string_becomes_a_bool: [B F] String = ["true".into()], bool = [true];
    a_string_becomes_a_char: [B] String = ["ab".into()], char = ['a'];
    a_value_is_boxed: [] u8 = [1], Box<u8> = [Box::new(1)];
    a_value_is_shared: [] String = ["a".into()], Box<str> = ["a".into()];
    a_string_becomes_a_uuid: [B] String = ["a".into()], Uuid = [Uuid::nil()];
    a_uuid_becomes_a_string: [F] Uuid = [Uuid::nil()], String = ["a".into()];
    a_string_becomes_a_time: [B] String = ["a".into()], DateTime<Utc> = [DateTime::UNIX_EPOCH];
    a_time_becomes_a_date: [B F] DateTime<Utc> = [DateTime::UNIX_EPOCH], NaiveDate = [NaiveDate::MIN];
    a_tuple_becomes_longer: [B F] (u8, u8) = [(1, 2)], (u8, u8, u8) = [(1, 2, 3)];
    a_tuple_becomes_longer_by_an_option: [B F] (u8, u8) = [(1, 2)], (u8, u8, Option<u8>) = [(1, 2, None)];
    a_value_becomes_a_tuple: [B F] u8 = [1], (u8, u8) = [(1, 2)];
    a_list_becomes_a_set: [S] Vec<u8> = [vec![1, 1]], BTreeSet<u8> = [[1].into()];
    a_set_becomes_a_list: [S] BTreeSet<u8> = [[1].into()], Vec<u8> = [vec![1, 1]];
    a_set_becomes_another_set: [] BTreeSet<u8> = [[1].into()], std::collections::HashSet<u8> = [[1].into()];
    a_value_becomes_a_list: [B F] u8 = [1], Vec<u8> = [vec![1]];
    a_list_becomes_an_array: [B] Vec<u8> = [vec![1]], [u8; 2] = [[1, 2]];
    an_array_becomes_a_tuple: [] [u8; 2] = [[1, 2]], (u8, u8) = [(1, 2)];
    an_array_becomes_longer: [B F] [u8; 2] = [[1, 2]], [u8; 3] = [[1, 2, 3]];
    keys_become_strings: [F] BTreeMap<u32, u8> = [[(1, 1)].into()], BTreeMap<String, u8> = [[("a".into(), 1)].into()];
    keys_become_numbers: [B] BTreeMap<String, u8> = [[("a".into(), 1)].into()], BTreeMap<u32, u8> = [[(1, 1)].into()];
    keys_are_narrowed: [B] BTreeMap<u16, u8> = [[(256, 1)].into()], BTreeMap<u8, u8> = [[(1, 1)].into()];
    values_of_a_map_change: [B F] BTreeMap<String, u8> = [[("a".into(), 1)].into()], BTreeMap<String, bool> = [[("a".into(), true)].into()];
    a_value_becomes_any_json: [F] u8 = [1], serde_json::Value = [serde_json::Value::Null];
    any_json_becomes_a_value: [B] serde_json::Value = [serde_json::Value::Null], u8 = [1];
    a_unit_becomes_an_option: [F] () = [()], Option<u8> = [Some(1)];
    an_option_of_a_list_becomes_a_list: [B] Option<Vec<u8>> = [None], Vec<u8> = [vec![]];
    a_duration_becomes_a_number: [B F] std::time::Duration = [std::time::Duration::MAX], u64 = [1];
    an_address_of_one_kind_becomes_one_of_either: [F] std::net::Ipv4Addr = [[0, 0, 0, 0].into()], std::net::IpAddr = [std::net::Ipv6Addr::LOCALHOST.into()];
}

row! {
    a_value_is_wrapped_in_a_newtype: []
    old = object!("a": u16), [Old { a: 1 }] { struct Old { a: u16 } }
    new = object!("a": u16), [New { a: Reps(1) }] { struct Reps(u16); struct New { a: Reps } }
}
row! {
    a_value_has_an_alias_and_a_transparent_struct: []
    old = object!("a": u16), [Old { a: 1 }] { struct Old { a: u16 } }
    new = object!("a": u16), [New { a: Reps { value: 1 } }] {
        #[serde(transparent)] struct Reps { value: u16 }
        struct New { a: Reps }
    }
}
row! {
    a_tuple_becomes_longer_by_a_default: [F]
    old = built!(Field::of::<(u8, u8)>("a")), [Old { a: (1, 2) }] { struct Old { a: (u8, u8) } }
    new = built!(Field::new("a", &Shape::Tuple(&[Element::of::<u8>(), Element::of::<u8>(), Element::of::<u8>().with_default("0")]))),
        [New { a: Three(1, 2, 3) }] {
        struct Three(u8, u8, #[serde(default)] u8);
        struct New { a: Three }
    }
}
row! {
    places_get_names: [F]
    old = Shape::Tuple(&[Element::of::<u8>(), Element::of::<bool>()]), [Old(1, true)] { struct Old(u8, bool); }
    new = object!("a": u8, "b": bool), [New { a: 1, b: true }] { struct New { a: u8, b: bool } }
}
row! {
    places_get_names_and_one_more_with_a_default: [F]
    old = Shape::Tuple(&[Element::of::<u8>(), Element::of::<bool>()]), [Old(1, true)] { struct Old(u8, bool); }
    new = built!(Field::of::<u8>("a"), Field::of::<bool>("b"), Field::of::<u8>("c").default("0")), [New { a: 1, b: true, c: 3 }] {
        struct New { a: u8, b: bool, #[serde(default)] c: u8 }
    }
}
row! {
    places_get_names_and_an_option_more: [B F]
    old = Shape::Tuple(&[Element::of::<u8>(), Element::of::<bool>()]), [Old(1, true)] { struct Old(u8, bool); }
    new = object!("a": u8, "b": bool, "c": Option<u8>), [New { a: 1, b: true, c: None }] { struct New { a: u8, b: bool, c: Option<u8> } }
}
row! {
    // serde_json happens to read an array as a struct; nobody should rely on it.
    names_become_places: [B] stricter [F]
    old = object!("a": u8, "b": bool), [Old { a: 1, b: true }] { struct Old { a: u8, b: bool } }
    new = Shape::Tuple(&[Element::of::<u8>(), Element::of::<bool>()]), [New(1, true)] { struct New(u8, bool); }
}
row! {
    a_unit_struct_gains_a_field: [B F]
    old = Shape::Null, [Old] { struct Old; }
    new = object!("a": Option<u8>), [New { a: None }] { struct New { a: Option<u8> } }
}
row! {
    a_struct_with_braces_gains_a_field: []
    old = object!(), [Old {}] { struct Old {} }
    new = object!("a": Option<u8>), [New { a: Some(1) }] { struct New { a: Option<u8> } }
}
row! {
    a_map_becomes_a_struct_that_reads_some_of_its_keys: [S]
    old = *<BTreeMap<String, u8>>::SHAPE, [Old([("a".into(), 1), ("b".into(), 2)].into())] { struct Old(BTreeMap<String, u8>); }
    new = built!(Field::of::<u8>("a").default("0")), [New { a: 1 }] { struct New { #[serde(default)] a: u8 } }
}
row! {
    a_map_becomes_a_struct_that_keeps_the_rest: []
    old = *<BTreeMap<String, u8>>::SHAPE, [Old([("a".into(), 1), ("b".into(), 2)].into())] { struct Old(BTreeMap<String, u8>); }
    new = built!(Field::of::<u8>("a").default("0"), Field::new("rest", <BTreeMap<String, u8>>::SHAPE).flattened()),
        [New { a: 1, rest: [("b".into(), 2)].into() }] {
        struct New { #[serde(default)] a: u8, #[serde(flatten)] rest: BTreeMap<String, u8> }
    }
}
row! {
    a_struct_becomes_a_map: [F]
    old = object!("a": u8, "b": u8), [Old { a: 1, b: 2 }] { struct Old { a: u8, b: u8 } }
    new = *<BTreeMap<String, u8>>::SHAPE, [New(BTreeMap::new())] { struct New(BTreeMap<String, u8>); }
}
row! {
    a_recursive_type_is_renamed: []
    old = Shape::Recursive { name: "Old", shape: &object!("children": Vec<OldRef>) }, [Old { children: vec![Old { children: vec![] }] }] {
        struct Old { children: Vec<Old> }
    }
    new = Shape::Recursive { name: "New", shape: &object!("children": Vec<NewRef>) }, [New { children: vec![] }] {
        struct New { children: Vec<New> }
    }
}
row! {
    a_recursive_type_changes_inside: [B F]
    old = Shape::Recursive { name: "Old", shape: &object!("children": Vec<OldRef>, "a": u8) }, [Old { a: 1, children: vec![] }] {
        struct Old { children: Vec<Old>, a: u8 }
    }
    new = Shape::Recursive { name: "New", shape: &object!("children": Vec<NewRef>, "a": bool) }, [New { a: true, children: vec![] }] {
        struct New { children: Vec<New>, a: bool }
    }
}
row! {
    a_recursive_type_is_unrolled_once: []
    old = Shape::Recursive { name: "Old", shape: &object!("next": Option<OldRef>) }, [Old { next: None }] {
        struct Old { next: Option<Box<Old>> }
    }
    new = object!("next": Option<NewNode>), [New { next: None }, New { next: Some(Box::new(Node { next: None })) }] {
        struct Node { next: Option<Box<Node>> }
        struct New { next: Option<Box<Node>> }
    }
}

struct OldRef;
struct NewRef;
struct NewNode;

impl Shaped for OldRef {
    const SHAPE: &'static Shape = &Shape::Ref("Old");
}

impl Shaped for NewRef {
    const SHAPE: &'static Shape = &Shape::Ref("New");
}

impl Shaped for NewNode {
    const SHAPE: &'static Shape = &Shape::Recursive {
        name: "New",
        shape: &Shape::Struct(Struct::new(&[Field::of::<Option<NewRef>>("next")])),
    };
}

#[test]
fn what_shares_or_borrows_has_the_shape_of_what_is_in_it() {
    assert_eq!(<Arc<str>>::SHAPE, String::SHAPE);
    assert_eq!(<std::borrow::Cow<'static, [u8]>>::SHAPE, <Vec<u8>>::SHAPE);
    const { assert!(<Arc<Option<u8>>>::MAY_BE_MISSING && !<Vec<Option<u8>>>::MAY_BE_MISSING) }
}
