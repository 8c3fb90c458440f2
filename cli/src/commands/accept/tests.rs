//! Every kind of change, accepted once.

use super::*;
use recount::prelude::*;
use recount_schema::{Body, Element, Enum, Field, Shape, Shaped, Struct, Variant};

fn keep(shape: Shape) -> &'static Shape {
    Box::leak(Box::new(shape))
}

fn keep_all<T>(all: Vec<T>) -> &'static [T] {
    Vec::leak(all)
}

/// Events with a value at each place where one may stand.
fn at_each_place(of: &'static Shape) -> Vec<&'static Shape> {
    let event = |value| {
        let fields = vec![
            Field::of::<String>("title"),
            Field::new("value", keep(value)),
        ];
        keep(Shape::Struct(Struct::new(keep_all(fields))))
    };
    let variant = |body| {
        let variants = vec![Variant::unit("None"), Variant::new("Some", body)];
        event(Shape::Enum(Enum::new(keep_all(variants))))
    };
    let places = vec![Element::of::<u8>(), Element::new(of)];
    vec![
        of,
        event(*of),
        event(Shape::Option(of)),
        event(Shape::seq(of)),
        event(Shape::map(&Shape::STRING, of)),
        event(Shape::Tuple(keep_all(places))),
        variant(Body::Newtype(of)),
        event(Shape::Struct(Struct::new(keep_all(vec![
            Field::new("inner", of).optional_if(true),
        ])))),
    ]
}

/// Accepts a change, and says which rules were broken.
fn accepted(name: &str, old: &'static Shape, new: &'static Shape) -> Vec<&'static str> {
    let policy = Policy::default();
    let (old, new) = (
        Contract::new("Changed", 1, old),
        Contract::new("Changed", 1, new),
    );
    let places = |problems: Vec<Problem>| -> Vec<_> {
        let problems = problems.into_iter();
        problems
            .map(|one| (one.rule, one.path.to_string()))
            .collect()
    };
    let broken = places(to_answer_for(&policy, &old, &new));
    let text = grown(&old, &new).to_text();
    let lock = Contract::from_text(&text, "v1.json".as_ref()).unwrap();
    for left in places(to_answer_for(&policy, &lock, &new)) {
        assert!(broken.contains(&left), "{name}: {left:?} is left\n{text}");
    }
    assert_eq!(grown(&lock, &new), lock, "{name}: accepted twice");
    broken.into_iter().map(|(rule, _)| rule.code()).collect()
}

macro_rules! changes {
    ($($name:ident [$($code:literal)*] { $($old:item)* } { $($new:item)* })*) => {
        #[test]
        fn a_change_of_any_kind_is_accepted_by_one_accept_wherever_it_is() {
            $({
                mod old {
                    use super::*;
                    $(#[derive(Clone, PartialEq, Serialize, Deserialize, ValueObject)] $old)*
                }
                mod new {
                    use super::*;
                    $(#[derive(Clone, PartialEq, Serialize, Deserialize, ValueObject)] $new)*
                }
                let name = stringify!($name);
                let (old, new) = (at_each_place(old::Value::SHAPE), at_each_place(new::Value::SHAPE));
                for (old, new) in old.into_iter().zip(new) {
                    let codes: &[&str] = &[$($code),*];
                    assert_eq!(accepted(name, old, new), codes, "{name}");
                }
            })*
        }
    };
}

changes! {
    nothing [] { pub struct Value { a: u8 } } { pub struct Value { a: u8 } }
    an_option_is_new [] { pub struct Value { a: u8 } } { pub struct Value { a: u8, b: Option<u8> } }
    a_default_is_new [] { pub struct Value { a: u8 } } { pub struct Value { a: u8, #[serde(default)] b: u8 } }
    a_required_field_is_new ["RC1002"] { pub struct Value { a: u8 } } { pub struct Value { a: u8, b: u8 } }
    a_field_is_renamed ["RC1001" "RC1002"] { pub struct Value { a: u8, b: u8 } } { pub struct Value { a: u8, c: u8 } }
    a_field_is_renamed_with_an_alias [] { pub struct Value { a: u8 } } { pub struct Value { #[serde(alias = "a")] b: u8 } }
    an_alias_is_taken_off ["RC1003" "RC1001"] { pub struct Value { #[serde(alias = "a")] b: u8 } } { pub struct Value { b: u8 } }
    a_field_takes_the_place_of_another ["RC1016" "RC1016"]
        { pub struct Value { a: u8, b: u8 } } { pub struct Value { #[serde(alias = "a")] b: u8 } }
    a_field_is_removed ["RC1001"] { pub struct Value { a: u8, b: u8 } } { pub struct Value { a: u8 } }
    a_field_is_removed_and_refused ["RC1008"]
        { pub struct Value { a: u8, b: u8 } } { #[serde(deny_unknown_fields)] pub struct Value { a: u8 } }
    a_field_is_of_another_type ["RC1010"] { pub struct Value { a: u8 } } { pub struct Value { a: String } }
    a_number_is_narrowed ["RC1011"] { pub struct Value { a: u16 } } { pub struct Value { a: u8 } }
    an_option_is_required ["RC1003"] { pub struct Value { a: Option<u8> } } { pub struct Value { a: u8 } }
    an_option_that_was_left_out_is_required ["RC1003"]
        { pub struct Value { #[serde(skip_serializing_if = "Option::is_none")] a: Option<u8> } } { pub struct Value { a: u8 } }
    a_default_is_taken_off ["RC1003"] { pub struct Value { #[serde(default)] a: u8 } } { pub struct Value { a: u8 } }
    a_list_is_an_array ["RC1014"] { pub struct Value { a: Vec<u8> } } { pub struct Value { a: [u8; 2] } }
    a_variant_is_new [] { pub enum Value { A, B(u8) } } { pub enum Value { A, B(u8), C } }
    a_variant_is_removed ["RC1030"] { pub enum Value { A, B(u8) } } { pub enum Value { A } }
    a_variant_is_renamed ["RC1030"] { pub enum Value { A, B { b: u8 } } } { pub enum Value { A, C { b: u8 } } }
    a_variant_is_renamed_with_an_alias [] { pub enum Value { A, B(u8) } } { pub enum Value { A, #[serde(alias = "B")] C(u8) } }
    a_variant_is_of_another_form ["RC1032"] { pub enum Value { A, B } } { pub enum Value { A, B { b: u8 } } }
    a_variant_needs_more ["RC1002"] { pub enum Value { A, B { b: u8 } } } { pub enum Value { A, B { b: u8, c: u8 } } }
    the_name_becomes_a_tag ["RC1033"] { pub enum Value { A, B { b: u8 } } } { #[serde(tag = "t")] pub enum Value { A, B { b: u8 } } }
    all_at_once ["RC1011" "RC1001" "RC1003" "RC1002"]
        { pub struct Value { a: u16, b: u8, c: Option<u8> } } { pub struct Value { a: u8, c: u8, d: u8, e: Option<u8> } }
}

#[test]
fn what_was_renamed_with_an_alias_must_be_read_under_the_older_name_later_too() {
    #[derive(Clone, PartialEq, Serialize, Deserialize, ValueObject)]
    struct First {
        a: u8,
    }
    #[derive(Clone, PartialEq, Serialize, Deserialize, ValueObject)]
    struct Renamed {
        #[serde(alias = "a")]
        b: u8,
    }
    #[derive(Clone, PartialEq, Serialize, Deserialize, ValueObject)]
    struct Forgetful {
        b: u8,
    }
    let of = |shape| Contract::new("Changed", 1, shape);
    let lock = grown(&of(First::SHAPE), &of(Renamed::SHAPE));
    let policy = Policy::default();
    assert_eq!(to_answer_for(&policy, &lock, &of(Renamed::SHAPE)), []);
    assert_ne!(to_answer_for(&policy, &lock, &of(Forgetful::SHAPE)), []);
}

#[test]
fn changes_of_a_hundred_fields_are_accepted_at_once() {
    let of = |change: &dyn Fn(usize) -> Field| {
        let fields: Vec<Field> = (0..100).map(change).collect();
        keep(Shape::Struct(Struct::new(keep_all(fields))))
    };
    let named = |text: String| -> &'static str { String::leak(text) };
    let old = of(&|at| Field::of::<u16>(named(format!("some_field{at}"))));
    let narrow = of(&|at| Field::of::<u8>(named(format!("some_field{at}"))));
    let renamed = of(&|at| Field::of::<u16>(named(format!("someField{at}"))));
    assert_eq!(accepted("narrowed", old, narrow).len(), 100);
    assert_eq!(accepted("renamed", old, renamed).len(), 200);
}
