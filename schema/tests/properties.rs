//! What holds for any shapes.

use proptest::prelude::*;
use recount_schema::lock::Contract;
use recount_schema::private::digest_of_released;
use recount_schema::values::{differs, payloads, sparse_payloads, validate};
use recount_schema::{
    Body, Breaks, Element, Enum, Field, Float, Format, Int, Report, Rule, Shape, Struct, Tagging,
    Variant, Written, compare, digest, lint,
};

fn keep<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn keep_all<T>(values: Vec<T>) -> &'static [T] {
    Vec::leak(values)
}

fn leaf() -> impl Strategy<Value = Shape> + Clone {
    prop_oneof![
        Just(Shape::Null),
        Just(Shape::Bool),
        Just(Shape::Int(Int::U8)),
        Just(Shape::Int(Int::NONZERO_I8)),
        Just(Shape::Int(Int::I64)),
        Just(Shape::Int(Int::U64)),
        Just(Shape::Float(Float::F64)),
        Just(Shape::Float(Float::F32)),
        Just(Shape::STRING),
        Just(Shape::String(Format::Char)),
        Just(Shape::String(Format::Uuid)),
        Just(Shape::String(Format::Ip)),
        Just(Shape::String(Format::Ipv4)),
        Just(Shape::Any),
    ]
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("b"), Just("c"), Just("d")]
}

fn field(shape: impl Strategy<Value = Shape>) -> impl Strategy<Value = Field> {
    (name(), shape, 0..8, prop::option::of(name())).prop_map(|(name, shape, kind, alias)| {
        let flattens = matches!(shape, Shape::Struct(_) | Shape::Map(_));
        let optional = matches!(shape, Shape::Option(_));
        let field = Field::new(name, keep(shape)).optional_if(optional);
        let field = match kind {
            0 => field.default("1"),
            1 => field.default("2").written(Written::Maybe),
            2 if optional => field.written(Written::Maybe),
            3 if flattens => field.flattened(),
            4 => field.skipped(),
            _ => field,
        };
        match alias {
            Some(alias) if alias != name => field.aliases(keep_all(vec![alias])),
            _ => field,
        }
    })
}

fn object(shape: impl Strategy<Value = Shape> + 'static) -> impl Strategy<Value = Struct> {
    (prop::collection::vec(field(shape), 0..4), any::<bool>()).prop_map(|(fields, deny)| {
        let mut known: Vec<Field> = Vec::new();
        for field in fields {
            if !known.iter().any(|other| other.name == field.name) {
                known.push(field);
            }
        }
        let flattens = known.iter().any(|field| field.flatten);
        let of = Struct::new(keep_all(known));
        if deny && !flattens {
            of.denying_unknown_fields()
        } else {
            of
        }
    })
}

fn variant(
    shape: impl Strategy<Value = Shape> + Clone + 'static,
) -> impl Strategy<Value = Variant> {
    let body = prop_oneof![
        Just(Body::Unit),
        shape.clone().prop_map(|shape| Body::Newtype(keep(shape))),
        prop::collection::vec(shape.clone(), 0..3).prop_map(|all| Body::Tuple(keep_all(
            all.into_iter()
                .map(|shape| Element::new(keep(shape)))
                .collect()
        ))),
        object(shape).prop_map(Body::Struct),
    ];
    (name(), body, 0..6).prop_map(|(name, body, kind)| match (kind, body) {
        (0, Body::Unit) => Variant::unit(name).other(),
        (1, _) => Variant::new(name, body).aliases(&["e"]),
        _ => Variant::new(name, body),
    })
}

fn one_of(shape: impl Strategy<Value = Shape> + Clone + 'static) -> impl Strategy<Value = Shape> {
    let tagging = prop_oneof![
        3 => Just(Tagging::External),
        2 => Just(Tagging::Internal { tag: "t" }),
        1 => Just(Tagging::Adjacent { tag: "t", content: "content" }),
        1 => Just(Tagging::Untagged),
    ];
    (prop::collection::vec(variant(shape), 1..4), tagging).prop_map(|(variants, tagging)| {
        let mut known: Vec<Variant> = Vec::new();
        for variant in variants {
            let is_object = match variant.body {
                Body::Newtype(shape) => matches!(shape, Shape::Struct(_)),
                Body::Tuple(_) => false,
                _ => true,
            };
            let fits = is_object || !matches!(tagging, Tagging::Internal { .. });
            let other = variant.other
                && (tagging == Tagging::Untagged || known.iter().any(|known| known.other));
            if fits
                && !other
                && !known.iter().any(|known| {
                    known.name == variant.name
                        || known.aliases == variant.aliases && !known.aliases.is_empty()
                })
            {
                known.push(variant);
            }
        }
        Shape::Enum(Enum::new(keep_all(known)).tagged(tagging))
    })
}

fn shape() -> impl Strategy<Value = Shape> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![Just(Shape::STRING), Just(Shape::Int(Int::U8)), Just(Shape::Bool)];
        prop_oneof![
            1 => inner.clone().prop_map(|shape| Shape::Option(keep(shape))),
            1 => inner.clone().prop_map(|shape| Shape::seq(keep(shape))),
            1 => inner.clone().prop_map(|shape| Shape::set(keep(shape))),
            1 => (inner.clone(), 0_usize..4).prop_map(|(shape, len)| Shape::array(keep(shape), len)),
            1 => prop::collection::vec((inner.clone(), any::<bool>()), 0..4).prop_map(|places| {
                let places = places.into_iter().map(|(shape, default)| {
                    let place = Element::new(keep(shape));
                    if default { place.with_default("0") } else { place }
                });
                Shape::Tuple(keep_all(places.collect()))
            }),
            1 => (key, inner.clone()).prop_map(|(key, value)| Shape::map(keep(key), keep(value))),
            3 => object(inner.clone()).prop_map(Shape::Struct),
            2 => one_of(inner.clone()),
            1 => object(prop_oneof![inner, Just(Shape::Option(&Shape::Ref("Tree")))])
                .prop_map(|of| Shape::Recursive { name: "Tree", shape: keep(Shape::Struct(of)) }),
        ]
    })
}

/// Whether a shape can hold what it says: no key twice, and nothing that refers to what is not there.
fn is_sound(shape: &Shape) -> bool {
    let report = lint(shape);
    let unsound = [
        Rule::Collision,
        Rule::Recursion,
        Rule::UnreadableOutput,
        Rule::MapKey,
        Rule::Buffered,
    ];
    report.more() == 0
        && !report
            .problems()
            .iter()
            .any(|problem| unsound.contains(&problem.rule))
}

fn all_fit(writer: &Shape, reader: &Shape, report: &Report) -> Result<(), TestCaseError> {
    for payload in payloads(writer) {
        let value = serde_json::from_str(&payload).unwrap();
        if let Err(misfit) = validate(reader, &value) {
            return Err(TestCaseError::fail(format!(
                "{payload}: {misfit}\nthe rules say: {report}"
            )));
        }
    }
    Ok(())
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        max_global_rejects: 200_000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_shape_reads_what_it_writes_and_nothing_is_to_be_said(shape in shape()) {
        prop_assume!(is_sound(&shape));
        let report = compare(&shape, &shape);
        all_fit(&shape, &shape, &report)?;
        prop_assert!(report.is_clean(), "{report}");
    }

    #[test]
    fn a_shape_reads_what_lacks_all_that_may_be_missing(shape in shape()) {
        prop_assume!(is_sound(&shape));
        for payload in sparse_payloads(&shape) {
            let value = serde_json::from_str(&payload).unwrap();
            prop_assert_eq!(validate(&shape, &value), Ok(()), "{}", payload);
        }
    }

    #[test]
    fn what_is_the_same_does_not_differ_and_what_is_no_object_differs_from_all_others(shape in shape()) {
        prop_assume!(is_sound(&shape));
        let all: Vec<serde_json::Value> = payloads(&shape).iter().map(|payload| serde_json::from_str(payload).unwrap()).collect();
        for one in &all {
            for other in &all {
                let found = differs(&shape, one, other);
                if one == other {
                    prop_assert_eq!(found, None);
                } else if !one.is_object() && !one.is_array() && !one.is_string() {
                    prop_assert!(found.is_some(), "{} {}", one, other);
                }
            }
        }
    }

    #[test]
    fn what_is_written_to_a_file_comes_back(shape in shape()) {
        // The order of fields is not kept. It counts where an untagged struct swallows the array of another variant.
        prop_assume!(is_sound(&shape) && !lint(&shape).problems().iter().any(|problem| problem.rule == Rule::Untagged));
        let contract = Contract::new("set.done", 1, keep(shape));
        let text = contract.to_text();
        let back = Contract::from_text(&text, "v1.json".as_ref()).unwrap();
        prop_assert_eq!(&back.to_text(), &text);
        prop_assert_eq!(back.digest(), contract.digest());
        prop_assert_eq!(digest(back.shape), digest(&shape));
        for report in [compare(&shape, back.shape), compare(back.shape, &shape)] {
            prop_assert!(report.is_clean(), "{}\n{}", report, text);
        }
    }

    #[test]
    fn of_what_has_the_digest_of_what_was_released_there_is_nothing_to_be_said(
        any in shape(), old in object(leaf()), new in object(leaf()), before in one_of(leaf()), after in one_of(leaf()),
    ) {
        let all = [any, Shape::Struct(old), Shape::Struct(new), before, after].map(keep);
        // From a file it comes back in another order.
        let back = all.map(|shape| {
            let text = Contract::new("set.done", 1, shape).to_text();
            Contract::from_text(&text, "v1.json".as_ref()).unwrap().shape
        });
        for released in all.into_iter().chain(back) {
            for now in all.into_iter().chain(back) {
                if digest_of_released(released) == Some(digest(now)) {
                    let report = compare(released, now);
                    prop_assert!(report.is_clean(), "{}", report);
                }
            }
        }
    }

    #[test]
    fn what_the_rules_call_readable_is_read(old in shape(), new in shape()) {
        prop_assume!(is_sound(&old) && is_sound(&new));
        let report = compare(&old, &new);
        if !report.breaks().has(Breaks::BACKWARD) {
            all_fit(&old, &new, &report)?;
        }
        if !report.breaks().has(Breaks::FORWARD) {
            all_fit(&new, &old, &report)?;
        }
    }

    #[test]
    fn what_the_rules_call_readable_is_read_when_the_fields_are_alike(old in object(leaf()), new in object(leaf())) {
        let (old, new) = (Shape::Struct(old), Shape::Struct(new));
        prop_assume!(is_sound(&old) && is_sound(&new));
        let report = compare(&old, &new);
        if !report.breaks().has(Breaks::BACKWARD) {
            all_fit(&old, &new, &report)?;
        }
        if !report.breaks().has(Breaks::FORWARD) {
            all_fit(&new, &old, &report)?;
        }
    }

    #[test]
    fn what_the_rules_call_readable_is_read_when_the_variants_are_alike(old in one_of(leaf()), new in one_of(leaf())) {
        prop_assume!(is_sound(&old) && is_sound(&new));
        let report = compare(&old, &new);
        if !report.breaks().has(Breaks::BACKWARD) {
            all_fit(&old, &new, &report)?;
        }
        if !report.breaks().has(Breaks::FORWARD) {
            all_fit(&new, &old, &report)?;
        }
    }
}
