//! Shapes as the derive writes them, and by hand.

use chrono::NaiveDate;
use recount::schema::{
    Body, Element, Enum, Field, Format, Reads, Shape, Shaped, Struct, Tagging, Variant, Written,
    compare,
};

use super::*;

fn fields(of: &'static Shape) -> &'static [Field] {
    match of {
        Shape::Struct(of) => of.fields,
        other => panic!("{other:?}"),
    }
}

#[test]
fn structs_have_the_shape_of_their_fields() {
    const PLAIN: Shape = Shape::Struct(Struct::new(&[
        Field::of::<u8>("a"),
        Field::of::<Option<String>>("b"),
        Field::of::<bool>("type"),
    ]));
    assert_eq!(Plain::SHAPE, &PLAIN);
    assert_eq!(Empty::SHAPE, &Shape::Struct(Struct::new(&[])));
    assert_eq!(fields(Plain::SHAPE)[1].reads, Reads::Optional);
}

#[test]
fn names_are_those_of_serde() {
    const RENAMED: Shape = Shape::Struct(Struct::new(&[
        Field::of::<String>("firstName"),
        Field::of::<String>("Surname").aliases(&["last", "last_name"]),
        Field::of::<u8>("new").aliases(&["old", "older"]),
    ]));
    assert_eq!(Renamed::SHAPE, &RENAMED);
}

#[test]
fn defaults_are_kept_as_their_source() {
    const DEFAULTED: Shape = Shape::Struct(
        Struct::new(&[
            Field::of::<u8>("a").default("presets().a"),
            Field::of::<u8>("b").default("Default::default()"),
            Field::of::<u8>("c").default("presets_b()"),
        ])
        .denying_unknown_fields(),
    );
    assert_eq!(Defaulted::SHAPE, &DEFAULTED);
    assert_eq!(
        fields(ByTrait::SHAPE)[0].reads,
        Reads::Default("Self::default().a")
    );
}

#[test]
fn a_field_that_is_left_out_says_when() {
    const LEFT_OUT: Shape = Shape::Struct(Struct::new(&[
        Field::of::<Option<u8>>("maybe").written(Written::Maybe),
        Field::of::<u8>("only_read")
            .written(Written::Never)
            .default("Default::default()"),
        Field::of::<u8>("only_written").ignored(),
    ]));
    assert_eq!(LeftOut::SHAPE, &LEFT_OUT);
}

#[test]
fn flattened_fields_and_tags_stand_among_the_others() {
    const OUTSIDE: Shape = Shape::Struct(Struct::new(&[
        Field::of::<u8>("id"),
        Field::of::<Inside>("inside").flattened(),
        Field::of::<BTreeMap<String, u8>>("rest").flattened(),
    ]));
    const NAME: Shape = Shape::Enum(Enum::new(&[Variant::unit("marked")]));
    const MARKED: Shape = Shape::Struct(Struct::new(&[
        Field::new("kind", &NAME).ignored(),
        Field::of::<i32>("x"),
    ]));
    assert_eq!(Outside::SHAPE, &OUTSIDE);
    assert_eq!(Marked::SHAPE, &MARKED);
}

#[test]
fn a_newtype_is_what_is_in_it_but_may_not_be_missing() {
    assert_eq!(Unit::SHAPE, &Shape::Null);
    assert_eq!(Newtype::SHAPE, <Option<u8>>::SHAPE);
    assert_eq!(Transparent::SHAPE, <Option<u8>>::SHAPE);
    assert_eq!(Borrowing::SHAPE, String::SHAPE);
    const { assert!(Transparent::MAY_BE_MISSING && !Newtype::MAY_BE_MISSING) }
    let reads = fields(Missing::SHAPE).iter().map(|field| field.reads);
    assert_eq!(
        reads.collect::<Vec<_>>(),
        [Reads::Required, Reads::Optional, Reads::Optional]
    );
}

#[test]
fn tuples_have_places() {
    const PAIR: Shape = Shape::Tuple(&[
        Element::of::<u8>(),
        Element::of::<String>().with_default("Default::default()"),
    ]);
    assert_eq!(Pair::SHAPE, &PAIR);
    assert_eq!(Short::SHAPE, <(u8, bool)>::SHAPE);
    assert_eq!(Nothing::SHAPE, &Shape::Tuple(&[]));
}

#[test]
fn enums_have_every_tagging() {
    const EXTERNAL: Shape = Shape::Enum(Enum::new(&[
        Variant::unit("NOT-YET"),
        Variant::new("later", Body::Newtype(u8::SHAPE)).aliases(&["LATER"]),
        Variant::new(
            "BOTH",
            Body::Tuple(&[Element::of::<u8>(), Element::of::<bool>()]),
        ),
        Variant::new(
            "FIELDS",
            Body::Struct(Struct::new(&[Field::of::<u8>("SomeField")])),
        ),
        Variant::new(
            "LOUD",
            Body::Struct(Struct::new(&[Field::of::<u8>("SOME_FIELD")])),
        ),
        Variant::unit("INNER"),
        Variant::unit("READ").kept(false, true),
        Variant::new("WRITTEN", Body::Newtype(u8::SHAPE)).kept(true, false),
        Variant::unit("UNKNOWN").other(),
    ]));
    const X: Struct = Struct::new(&[Field::of::<u8>("x")]);
    const INTERNAL: Shape = Shape::Enum(
        Enum::new(&[
            Variant::unit("A"),
            Variant::new("B", Body::Struct(X)),
            Variant::new("C", Body::Newtype(Inside::SHAPE)),
        ])
        .tagged(Tagging::Internal { tag: "t" }),
    );
    const ADJACENT: Shape = Shape::Enum(
        Enum::new(&[
            Variant::unit("A"),
            Variant::new("B", Body::Struct(X.denying_unknown_fields())),
            Variant::new(
                "C",
                Body::Tuple(&[Element::of::<u8>(), Element::of::<u8>()]),
            ),
        ])
        .tagged(Tagging::Adjacent {
            tag: "t",
            content: "c",
        }),
    );
    const UNTAGGED: Shape = Shape::Enum(
        Enum::new(&[
            Variant::new("A", Body::Newtype(u8::SHAPE)),
            Variant::new("B", Body::Struct(X)),
            Variant::unit("C"),
        ])
        .tagged(Tagging::Untagged),
    );
    const TAGGED: Shape =
        Shape::Enum(Enum::new(&[Variant::unit("A")]).tagged(Tagging::Internal { tag: "t" }));
    const PARTLY: Shape = Shape::Enum(
        Enum::new(&[
            Variant::new("", Body::Newtype(&TAGGED)),
            Variant::new("Other", Body::Newtype(String::SHAPE)),
        ])
        .tagged(Tagging::Untagged),
    );
    assert_eq!(External::SHAPE, &EXTERNAL);
    assert_eq!(Internal::SHAPE, &INTERNAL);
    assert_eq!(Adjacent::SHAPE, &ADJACENT);
    assert_eq!(Untagged::SHAPE, &UNTAGGED);
    assert_eq!(Partly::SHAPE, &PARTLY);
}

#[test]
fn what_the_derive_cannot_see_is_said() {
    const POINT: Shape = Shape::Opaque {
        name: "geo::Point",
        version: 3,
    };
    const TEXT: Shape = Shape::Opaque {
        name: "text",
        version: 1,
    };
    const FOREIGN: Shape = Shape::Struct(Struct::new(&[
        Field::new("at", &POINT),
        Field::new("before", &Shape::Option(&POINT)).optional_if(true),
        // Serde's rule for `Option` is not that of a module.
        Field::new("number", <Option<String>>::SHAPE),
        Field::of::<String>("other").default("Default::default()"),
        Field::new("read", &TEXT)
            .written(Written::Never)
            .default("Default::default()"),
    ]));
    const WITH_VARIANT: Shape = Shape::Enum(Enum::new(&[
        Variant::new("A", Body::Newtype(&TEXT)),
        Variant::new("B", Body::Newtype(u8::SHAPE)),
    ]));
    assert_eq!(Zip::SHAPE, String::SHAPE);
    assert_eq!(Maybe::SHAPE, <Option<u8>>::SHAPE);
    const { assert!(Maybe::MAY_BE_MISSING && !Zip::MAY_BE_MISSING) }
    assert_eq!(Foreign::SHAPE, &FOREIGN);
    assert_eq!(Coded::SHAPE, String::SHAPE);
    assert_eq!(
        Odd::SHAPE,
        &Shape::Opaque {
            name: "odd",
            version: 2
        }
    );
    assert_eq!(WithVariant::SHAPE, &WITH_VARIANT);
}

#[test]
fn parameters_stand_for_their_shapes() {
    const SPAN: Shape = Shape::Struct(Struct::new(&[
        Field::of::<NaiveDate>("from"),
        Field::of::<Option<NaiveDate>>("to"),
    ]));
    const TAGGED: Shape = Shape::Struct(Struct::new(&[Field::of::<u8>("number")]));
    assert_eq!(<Span<NaiveDate>>::SHAPE, &SPAN);
    assert_eq!(<Tagged<Mark>>::SHAPE, &TAGGED);
    assert_eq!(
        fields(<Table<String>>::SHAPE)[0].shape(),
        <BTreeMap<String, u8>>::SHAPE
    );
    assert_eq!(
        fields(<First<std::vec::IntoIter<u8>>>::SHAPE)[0].shape(),
        u8::SHAPE
    );
}

#[test]
fn a_type_that_contains_itself_refers_to_itself() {
    const ITSELF: Shape = Shape::Ref("Tree");
    const TREE: Shape = Shape::Recursive {
        name: "Tree",
        shape: &Shape::Struct(Struct::new(&[
            Field::of::<String>("name"),
            Field::new("children", &Shape::seq(&ITSELF)),
            Field::new("parent", &Shape::Option(&ITSELF)).optional_if(true),
        ])),
    };
    assert_eq!(Tree::SHAPE, &TREE);
    let Shape::Recursive { name, shape } = <Chain<u8>>::SHAPE else {
        panic!("{:?}", <Chain<u8>>::SHAPE);
    };
    assert_eq!(*name, "Chain");
    assert_eq!(
        fields(shape)[1].shape(),
        &Shape::Option(&Shape::Ref("Chain"))
    );
    assert!(matches!(
        Expression::SHAPE,
        Shape::Recursive {
            name: "Expression",
            ..
        }
    ));
}

#[test]
fn types_that_contain_each_other_refer_to_each_other_whichever_comes_first() {
    const CONDITION: Shape = Shape::Ref("Condition");
    const GROUP: Shape = Shape::Ref("Group");
    const GROUP_WITHIN: Shape = Shape::Struct(Struct::new(&[
        Field::of::<String>("name"),
        Field::new("conditions", &Shape::seq(&CONDITION)),
        Field::new("otherwise", &Shape::Option(&CONDITION)).optional_if(true),
    ]));
    let Shape::Recursive {
        name: "Condition",
        shape: Shape::Enum(condition),
    } = Condition::SHAPE
    else {
        panic!("{:?}", Condition::SHAPE);
    };
    assert_eq!(condition.variants[1].body, Body::Newtype(&CONDITION));
    assert_eq!(condition.variants[2].body, Body::Newtype(&GROUP_WITHIN));

    let Shape::Recursive {
        name: "Group",
        shape: Shape::Struct(group),
    } = Group::SHAPE
    else {
        panic!("{:?}", Group::SHAPE);
    };
    let Shape::Seq(conditions) = group.fields[1].shape() else {
        panic!("{:?}", group.fields[1]);
    };
    let Shape::Recursive {
        name: "Condition",
        shape: Shape::Enum(within),
    } = conditions.item
    else {
        panic!("{:?}", conditions.item);
    };
    assert_eq!(within.variants[1].body, Body::Newtype(&CONDITION));
    assert_eq!(within.variants[2].body, Body::Newtype(&GROUP));
}

#[test]
fn a_change_within_a_circle_is_found_whichever_type_comes_first() {
    macro_rules! circle {
        ($name:ident, $cents:ty) => {
            mod $name {
                use recount::prelude::*;

                #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
                #[value(recursive_with(Entry))]
                pub struct Account {
                    pub entries: Vec<Entry>,
                }

                #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
                #[value(recursive_with(Account))]
                pub struct Entry {
                    pub cents: $cents,
                    pub into: Option<Box<Account>>,
                }
            }
        };
    }
    circle!(before, u16);
    circle!(after, u8);

    const ENTRY: recount::schema::Report = compare(before::Entry::SHAPE, after::Entry::SHAPE);
    const ACCOUNT: recount::schema::Report = compare(before::Account::SHAPE, after::Account::SHAPE);
    let of = |report: &recount::schema::Report| {
        let problems = report.problems().iter();
        problems.map(ToString::to_string).collect::<Vec<_>>()
    };
    let narrowed = "u16 0..=65535 -> u8 0..=255 (backward)";
    assert_eq!(of(&ENTRY), [format!("[RC1011] .cents: {narrowed}")]);
    assert_eq!(
        of(&ACCOUNT),
        [format!("[RC1011] .entries[].cents: {narrowed}")]
    );
    assert!(
        compare(before::Account::SHAPE, before::Account::SHAPE)
            .problems()
            .is_empty()
    );
}

#[test]
fn an_id_has_the_shape_of_its_value() {
    assert_eq!(AthleteId::SHAPE, String::SHAPE);
    assert_eq!(PlanId::SHAPE, &Shape::String(Format::Uuid));
    assert_eq!(RoomId::SHAPE, u32::SHAPE);
}

#[test]
fn a_type_that_is_described_from_outside_has_the_shape_of_its_description() {
    assert_eq!(fields(Uses::SHAPE)[0].shape(), ElsewhereAs::SHAPE);
}
