//! What a shape says is what serde writes and reads.

use std::fmt::Debug;

use chrono::NaiveDate;
use recount::schema::Shaped;
use recount_schema::values::{payloads, sparse_payloads, validate};
use serde::de::DeserializeOwned;

use super::*;

/// Serde writes what the shape allows.
fn writes<T: ValueObject>(values: &[T]) {
    for value in values {
        let json = serde_json::to_value(value).unwrap();
        if let Err(misfit) = validate(T::SHAPE, &json) {
            panic!("{json} is written: {misfit}");
        }
    }
}

/// Serde reads whatever the shape says could be written, with and without what may be missing, and writes it so that the shape
/// allows it.
fn reads<T: Shaped + Serialize + DeserializeOwned + Debug>(least: usize) {
    let payloads = payloads(T::SHAPE);
    assert!(payloads.len() >= least, "{payloads:?}");
    for payload in payloads.into_iter().chain(sparse_payloads(T::SHAPE)) {
        let value: T = match serde_json::from_str(&payload) {
            Ok(value) => value,
            Err(error) => panic!("{payload}: {error}"),
        };
        let again = serde_json::to_value(&value).unwrap();
        if let Err(misfit) = validate(T::SHAPE, &again) {
            panic!("{value:?} is written as {again}: {misfit}");
        }
    }
}

#[test]
fn of_structs() {
    writes(&[Plain {
        a: 255,
        b: None,
        r#type: true,
    }]);
    writes(&[Empty {}]);
    writes(&[Renamed {
        first_name: "Ada".into(),
        last_name: String::new(),
        moved: 3,
    }]);
    writes(&[Defaulted::default()]);
    writes(&[ByTrait::default()]);
    writes(&[1, 2].map(|number| LeftOut {
        never: PhantomData,
        maybe: (number == 1).then_some(1),
        only_read: 1,
        only_written: 2,
    }));
    writes(&[Outside {
        id: 1,
        inside: Inside { x: -5 },
        rest: BTreeMap::from([("more".to_owned(), 1)]),
    }]);
    writes(&[Marked { x: 1 }]);
    reads::<Plain>(8);
    reads::<Empty>(1);
    reads::<Renamed>(5);
    reads::<Defaulted>(5);
    reads::<ByTrait>(3);
    reads::<LeftOut>(4);
    reads::<Outside>(6);
    reads::<Marked>(3);
}

#[test]
fn of_newtypes_and_tuples() {
    writes(&[Unit]);
    writes(&[Newtype(None), Newtype(Some(1))]);
    writes(&[Transparent {
        only: Some(1),
        mark: PhantomData,
    }]);
    writes(&[Borrowing(Cow::Borrowed("\"\n"))]);
    writes(&[Pair(1, "two".into())]);
    writes(&[Short(1, 2, true)]);
    writes(&[Nothing()]);
    let (a, c) = (Newtype(None), Box::new(None));
    let b = Transparent {
        only: None,
        mark: PhantomData,
    };
    writes(&[Missing { a, b, c }]);
    reads::<Unit>(1);
    reads::<Newtype>(3);
    reads::<Transparent>(3);
    reads::<Borrowing>(3);
    reads::<Pair>(4);
    reads::<Short>(3);
    reads::<Nothing>(1);
    reads::<Missing>(7);
}

#[test]
fn of_enums() {
    writes(&[
        External::NotYet,
        External::Later(1),
        External::Both(1, true),
        External::Fields { some_field: 1 },
        External::Loud { some_field: 1 },
        External::Inner(PhantomData),
        External::Unknown,
    ]);
    writes(&[
        Internal::A,
        Internal::B { x: 1 },
        Internal::C(Inside { x: 1 }),
    ]);
    writes(&[Adjacent::A, Adjacent::B { x: 1 }, Adjacent::C(1, 2)]);
    writes(&[Untagged::A(1), Untagged::B { x: 1 }, Untagged::C]);
    writes(&[Partly::A, Partly::Other("A".into())]);
    reads::<Internal>(7);
    reads::<Adjacent>(6);
    reads::<Untagged>(7);
    reads::<Partly>(4);
}

#[test]
fn a_variant_that_is_only_written_cannot_be_read() {
    let json = serde_json::to_value(External::Written(5)).unwrap();
    serde_json::from_value::<External>(json.clone()).unwrap_err();
    validate(External::SHAPE, &json).unwrap_err();
    let unread: Vec<String> = payloads(External::SHAPE)
        .into_iter()
        .filter(|payload| serde_json::from_str::<External>(payload).is_err())
        .collect();
    assert!(
        !unread.is_empty() && unread.iter().all(|it| it.contains("WRITTEN")),
        "{unread:?}"
    );
    serde_json::to_value(External::Skipped(PhantomData)).unwrap_err();
}

#[test]
fn of_what_is_said_of_foreign_types() {
    writes(&[Zip(8001)]);
    writes(&[Maybe(0), Maybe(1)]);
    writes(&[Foreign {
        at: Point(1.0, 2.0),
        before: None,
        number: 7,
        other: u64::MAX,
        read: 0,
    }]);
    writes(&[Coded::A]);
    writes(&[Odd {
        it: Point(0.5, 0.0),
    }]);
    writes(&[WithVariant::A(3)]);
    writes(&[Uses {
        elsewhere: Elsewhere { hours: 1 },
    }]);
    reads::<Maybe>(3);
    reads::<Uses>(3);
}

#[test]
fn of_generic_types_and_those_that_contain_themselves() {
    let day = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
    writes(&[Span {
        from: day,
        to: Some(day),
    }]);
    let leaf = |name: &str| Tree {
        name: name.to_owned(),
        children: Vec::new(),
        parent: None,
    };
    writes(&[Tree {
        children: vec![leaf("a"), leaf("b")],
        parent: Some(Box::new(leaf("c"))),
        ..leaf("root")
    }]);
    writes(&[Chain {
        value: 1_u8,
        next: Some(Box::new(Chain {
            value: 2,
            next: None,
        })),
    }]);
    let one = || Expression::Number(1.5);
    let of = Box::new(one());
    writes(&[Expression::Sum(vec![one(), Expression::Negative { of }])]);
    let before = || Condition::Before(NaiveDate::default());
    let group = Group {
        name: "both".to_owned(),
        conditions: vec![before(), Condition::Not(Box::new(before()))],
        otherwise: Some(Box::new(before())),
    };
    writes(&[before(), Condition::All(group.clone())]);
    writes(&[Group {
        conditions: vec![Condition::All(group.clone())],
        ..group
    }]);
    let door = three::Door { into: None };
    let room = Room { doors: vec![door] };
    writes(&[House {
        rooms: vec![room.clone()],
        front: None,
    }]);
    writes(&[room]);
    writes(&[Table {
        rows: HashMap::from([("a".to_owned(), 1_u8)]),
        width: vec![[1, 2]],
    } as Table<String>]);

    writes(&[AthleteIdOf(AthleteId::new("a").unwrap())]);
    reads::<Span<NaiveDate>>(5);
    reads::<Tree>(8);
    reads::<Chain<u8>>(4);
    reads::<Expression>(6);
    reads::<Condition>(8);
    reads::<Group>(8);
    reads::<Room>(4);
    reads::<three::Door>(4);
    reads::<House>(4);
    reads::<Table<String>>(4);
    reads::<PlanId>(2);
    reads::<RoomId>(3);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct AthleteIdOf(AthleteId);
