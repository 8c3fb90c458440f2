//! What is wrong with a type by itself: serde shows it, and the rules find it.

#![expect(
    clippy::items_after_statements,
    reason = "first what serde does with the type, then its shape"
)]

use std::collections::BTreeMap;

use recount_schema::{
    Body, Breaks, Enum, Field, Rule, Shape, Shaped, Struct, Tagging, Variant, Written, lint,
    lint_event,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{built, object};

/// What comes back of a value.
fn again<T: Serialize + DeserializeOwned>(value: &T) -> Result<T, serde_json::Error> {
    serde_json::from_str(&serde_json::to_string(value).unwrap())
}

fn rules(shape: &Shape) -> Vec<Rule> {
    lint(shape)
        .problems()
        .iter()
        .map(|problem| problem.rule)
        .collect()
}

#[test]
fn a_field_that_is_skipped_at_times_needs_a_default() {
    #[derive(Serialize, Deserialize)]
    struct Event {
        #[serde(skip_serializing_if = "String::is_empty")]
        a: String,
    }
    assert!(again(&Event { a: String::new() }).is_err());
    assert_eq!(
        rules(&built!(Field::of::<String>("a").written(Written::Maybe))),
        [Rule::UnreadableOutput]
    );
    assert_eq!(
        rules(&built!(
            Field::of::<String>("a").written(Written::Maybe).default("")
        )),
        []
    );
}

#[test]
fn a_flattened_option_swallows_errors() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inner {
        b: u8,
    }
    #[derive(Serialize, Deserialize)]
    struct Event {
        #[serde(flatten)]
        inner: Option<Inner>,
    }
    let event: Event = serde_json::from_str(r#"{"b": "no number"}"#).unwrap();
    assert_eq!(event.inner, None);
    const SHAPE: &Shape =
        &built!(Field::new("inner", &Shape::Option(&object!("b": u8))).flattened());
    assert_eq!(rules(SHAPE), [Rule::FlattenedOption]);
}

#[test]
fn what_is_flattened_cannot_have_keys_that_are_numbers_nor_wide_numbers() {
    #[derive(Serialize, Deserialize)]
    struct Keys {
        by_day: BTreeMap<u32, u8>,
    }
    #[derive(Serialize, Deserialize)]
    struct Wide {
        amount: u128,
    }
    #[derive(Serialize, Deserialize)]
    struct Flattened<T> {
        #[serde(flatten)]
        inner: T,
    }
    let keys = Keys {
        by_day: [(1, 1)].into(),
    };
    assert!(again(&keys).is_ok() && again(&Flattened { inner: keys }).is_err());
    assert!(again(&Wide { amount: u128::MAX }).is_ok());
    assert!(
        serde_json::from_str::<Flattened<Wide>>(
            r#"{"amount": 340282366920938463463374607431768211455}"#
        )
        .is_err()
    );

    const KEYS: Shape = object!("by_day": BTreeMap<u32, u8>);
    const WIDE: Shape = object!("amount": u128);
    assert_eq!((rules(&KEYS), rules(&WIDE)), (vec![], vec![]));
    assert_eq!(
        rules(&built!(Field::new("", &KEYS).flattened())),
        [Rule::Buffered]
    );
    assert_eq!(
        rules(&built!(Field::new("", &WIDE).flattened())),
        [Rule::Buffered]
    );
}

#[test]
fn what_has_a_tag_cannot_have_keys_that_are_numbers() {
    #[derive(Serialize, Deserialize)]
    #[serde(tag = "t")]
    enum Event {
        A { by_day: BTreeMap<u32, u8> },
    }
    assert!(
        again(&Event::A {
            by_day: [(1, 1)].into()
        })
        .is_err()
    );
    const VARIANTS: &[Variant] = &[Variant::new(
        "A",
        Body::Struct(Struct::new(&[Field::of::<BTreeMap<u32, u8>>("by_day")])),
    )];
    let tagged = Enum::new(VARIANTS).tagged(Tagging::Internal { tag: "t" });
    assert_eq!(rules(&Shape::Enum(tagged)), [Rule::Buffered]);
    assert_eq!(rules(&Shape::Enum(Enum::new(VARIANTS))), []);
}

#[test]
fn an_option_in_an_option_does_not_come_back() {
    assert_eq!(again(&Some(None::<u8>)).unwrap(), None);
    assert_eq!(rules(<Option<Option<u8>>>::SHAPE), [Rule::NestedOption]);
    assert_eq!(again(&Some(())).unwrap(), None);
    assert_eq!(rules(<Option<()>>::SHAPE), [Rule::NestedOption]);
}

#[test]
fn a_float_that_is_no_number_does_not_come_back() {
    assert!(again(&f64::NAN).is_err());
    let report = lint(f64::SHAPE);
    assert_eq!(report.problems()[0].rule, Rule::NotANumber);
    assert!(!report.is_denied());
    assert_eq!(again(&Some(f64::NAN)).unwrap(), None);
    assert_eq!(lint(<Option<f64>>::SHAPE).breaks(), Breaks::MEANING);
}

#[test]
fn what_depends_on_the_platform_is_refused() {
    assert_eq!(rules(<Vec<usize>>::SHAPE), [Rule::PlatformWidth]);
    assert_eq!(rules(<BTreeMap<isize, u8>>::SHAPE), [Rule::PlatformWidth]);
}

#[test]
fn the_first_variant_that_fits_swallows_what_another_one_wrote() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Target {
        X { a: Option<u8> },
        Y { b: u8 },
    }
    assert_eq!(again(&Target::Y { b: 1 }).unwrap(), Target::X { a: None });
    const UNTAGGED: &[Variant] = &[Variant::new("A", Body::Newtype(u8::SHAPE))];
    let untagged = Enum::new(UNTAGGED).tagged(Tagging::Untagged);
    assert_eq!(rules(&Shape::Enum(untagged)), [Rule::Untagged]);
}

#[test]
fn two_fields_with_one_key_are_found() {
    #[derive(Serialize, Deserialize)]
    struct Inner {
        a: u8,
    }
    #[derive(Serialize, Deserialize)]
    struct Event {
        a: u8,
        #[serde(flatten)]
        inner: Inner,
    }
    assert!(
        again(&Event {
            a: 1,
            inner: Inner { a: 2 }
        })
        .is_err()
    );
    const INNER: &Shape = &object!("a": u8);
    assert_eq!(
        rules(&built!(
            Field::of::<u8>("a"),
            Field::new("inner", INNER).flattened()
        )),
        [Rule::Collision]
    );
    assert_eq!(
        rules(&built!(
            Field::of::<u8>("a"),
            Field::of::<u8>("b").aliases(&["a"])
        )),
        [Rule::Collision; 2]
    );
    const TAGGED: &[Variant] = &[Variant::new("A", Body::Newtype(INNER))];
    let tagged = Enum::new(TAGGED).tagged(Tagging::Internal { tag: "a" });
    assert_eq!(rules(&Shape::Enum(tagged)), [Rule::Collision]);
}

#[test]
fn an_event_is_a_struct_with_named_fields() {
    #[derive(Serialize, Deserialize)]
    struct Started;
    assert_eq!(serde_json::to_string(&Started).unwrap(), "null");
    let rule = |shape: &Shape| {
        lint_event(shape)
            .problems()
            .first()
            .map(|problem| problem.rule)
    };
    assert_eq!(rule(&Shape::Null), Some(Rule::UnitEvent));
    assert_eq!(rule(<(u8, u8)>::SHAPE), Some(Rule::EventForm));
    assert_eq!(rule(&object!()), None);
}

#[test]
fn what_is_not_known_or_not_bound_is_refused() {
    assert_eq!(rules(&Shape::seq(&Shape::Unknown)), [Rule::UnknownShape]);
    assert_eq!(rules(&Shape::seq(&Shape::Ref("Tree"))), [Rule::Recursion]);
    const INNER: &Shape = &Shape::Recursive {
        name: "Tree",
        shape: &Shape::seq(&Shape::Ref("Tree")),
    };
    assert_eq!(rules(INNER), []);
    assert_eq!(
        rules(&Shape::Recursive {
            name: "Tree",
            shape: INNER
        }),
        [Rule::Recursion]
    );
    let map = Shape::map(INNER, &Shape::Null);
    assert_eq!(rules(&map), [Rule::MapKey]);
}

#[test]
fn unknown_fields_are_not_denied_beside_flattened_ones() {
    const INNER: &Shape = &object!("a": u8);
    const SHAPE: &[Field] = &[Field::new("inner", INNER).flattened()];
    let shape = Struct::new(SHAPE).denying_unknown_fields();
    assert_eq!(
        lint(&Shape::Struct(shape)).problems()[0].rule,
        Rule::FlattenedDeny
    );
}

#[test]
fn a_stricter_check_inside_a_type_is_not_seen_by_its_shape() {
    #[derive(Deserialize)]
    #[serde(try_from = "u16")]
    struct Reps(u16);
    impl TryFrom<u16> for Reps {
        type Error = &'static str;
        fn try_from(reps: u16) -> Result<Self, Self::Error> {
            if reps < 1000 {
                Ok(Self(reps))
            } else {
                Err("too many")
            }
        }
    }
    // Which is why samples are kept, and read by tests.
    assert!(serde_json::from_str::<Reps>("1000").is_err());
    assert!(recount_schema::values::validate(u16::SHAPE, &1000.into()).is_ok());
}
