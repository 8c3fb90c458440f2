//! What verifying finds, and what it lets pass.

use std::collections::{HashMap, HashSet};

use recount_schema::lock::Contract;
use recount_schema::{Field, Shape, Shaped as _, Struct};

use super::verify;
use super::{AggregateSource, Frozen, Released, Source, listed};
use crate::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct SetDone {
    pub reps: u16,
    #[serde(default = "ten")]
    pub rest: u16,
}

fn ten() -> u16 {
    10
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = SetDone)]
pub struct SetDoneV2 {
    pub reps: u16,
    pub seconds: u16,
}

impl From<SetDone> for SetDoneV2 {
    fn from(old: SetDone) -> Self {
        assert!(old.reps < 1000, "nobody does {}", old.reps);
        Self {
            reps: old.reps,
            seconds: old.rest,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct WorkoutId(u64);

#[derive(Debug, Default, PartialEq, Aggregate)]
#[aggregate(stream = "workout", id = WorkoutId, retired("Cheered"))]
pub struct Workout {
    reps: u64,
}

#[apply]
impl Workout {
    fn done(&mut self, event: SetDoneV2) {
        self.reps += u64::from(event.reps);
    }
}

const FIRST: &Shape = &Shape::Struct(Struct::new(&[
    Field::of::<u16>("reps"),
    Field::of::<u16>("rest").default("10"),
]));
const SECOND: &Shape = &Shape::Struct(Struct::new(&[
    Field::of::<u16>("reps"),
    Field::of::<u16>("seconds"),
]));
/// `rest` is a number, in truth.
const LIE: &Shape = &Shape::Struct(Struct::new(&[
    Field::of::<u16>("reps"),
    Field::of::<String>("rest"),
]));

const CONTRACT: &str = r#"{"event":"SetDone","category":"workout","format":1,"version":1,
    "shape":{"struct":{"reps":{"shape":"u16"},"rest":{"read":{"default":"10"},"shape":"u16"}}}}"#;

fn source<'a>(version: u32, shape: &'static Shape, released: &'a [Released<'a>]) -> Source<'a> {
    Source {
        lock: "schema",
        ident: "SetDone",
        module: "here",
        file: file!(),
        line: line!(),
        name: "SetDone",
        version,
        oldest: 1,
        shape,
        fields: &[],
        upcast_from: None,
        formerly: &[],
        released,
        splits: None,
    }
}

fn released(samples: &str) -> [Released<'_>; 1] {
    [Released {
        category: Some("workout"),
        name: "SetDone",
        version: 1,
        contract: CONTRACT,
        samples,
    }]
}

fn first(samples: &str) -> Vec<String> {
    found(&verify::event::<SetDone>(&source(
        1,
        FIRST,
        &released(samples),
    )))
}

fn second(samples: &str) -> Vec<String> {
    found(&verify::event::<SetDoneV2>(&source(
        2,
        SECOND,
        &released(samples),
    )))
}

fn found(findings: &[verify::Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_read_as_before_is_no_finding() {
    let samples = "{\"payload\":{\"reps\":3},\"expect\":{\"1\":{\"reps\":3,\"rest\":10},\"2\":{\"reps\":3,\"seconds\":10}},\"from\":\"boundary\"}\n";
    assert_eq!(first(samples), [""; 0]);
    assert_eq!(second(samples), [""; 0]);
    assert_eq!(
        found(&verify::event::<SetDone>(&source(1, FIRST, &[]))),
        [""; 0]
    );
}

/// Its payloads are written in another order each time, which no test of these may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Tagged {
    pub tags: HashSet<u16>,
    pub counts: HashMap<String, u16>,
}

#[test]
fn the_order_of_a_set_is_no_finding_and_another_item_is_one() {
    const SHAPE: &Shape = &Shape::Struct(Struct::new(&[
        Field::of::<HashSet<u16>>("tags"),
        Field::of::<HashMap<String, u16>>("counts"),
    ]));
    let contract = Contract::new("Tagged", 1, SHAPE).to_text();
    let of = |samples: String| {
        let listed = [Released {
            category: None,
            name: "Tagged",
            version: 1,
            contract: &contract,
            samples: &samples,
        }];
        let tagged = Source {
            name: "Tagged",
            ident: "Tagged",
            ..source(1, SHAPE, &listed)
        };
        found(&verify::event::<Tagged>(&tagged))
    };
    let payload = "{\"tags\":[1,2,3,4,5],\"counts\":{\"a\":1,\"b\":2,\"c\":3}}";
    let sample = |expected: &str| {
        format!("{{\"payload\":{payload},\"expect\":{{\"1\":{expected}}},\"from\":\"boundary\"}}\n")
    };
    let turned = payload.replace("1,2,3,4,5", "5,3,1,2,4");
    assert_eq!(of(sample(&turned)), [""; 0]);
    let other = payload.replace("1,2,3,4,5", "5,3,1,2,6");
    assert_eq!(of(sample(&other)).len(), 1);
}

#[test]
fn fields_that_came_later_are_not_expected() {
    let samples =
        "{\"payload\":{\"reps\":3},\"expect\":{\"1\":{\"reps\":3}},\"from\":\"boundary\"}\n";
    assert_eq!(first(samples), [""; 0]);
}

#[test]
fn another_default_and_another_conversion_are_told_with_the_payload() {
    let samples = "{\"payload\":{\"reps\":3},\"expect\":{\"1\":{\"reps\":3,\"rest\":12},\"2\":{\"reps\":3,\"seconds\":12}},\"from\":\"boundary\"}\n";
    assert_eq!(
        first(samples),
        [
            "[RC2001] SetDone v1 `.rest`: a stored payload was read as 12, and is read as 10 now\n    payload: {\"reps\":3}"
        ]
    );
    assert_eq!(
        second(samples),
        [
            "[RC2003] SetDone v1 `.seconds`: a stored payload was read as 12, and is read as 10 now\n    payload: {\"reps\":3}"
        ]
    );
}

#[test]
fn a_conversion_that_panics_is_told_as_one_that_fails() {
    let samples = "{\"payload\":{\"reps\":1000},\"from\":\"example\"}\n{\"payload\":{\"reps\":1},\"from\":\"boundary\"}\n";
    assert_eq!(first(samples), [""; 0]);
    assert_eq!(
        second(samples),
        [
            "[RC2002] SetDone v1: a stored payload cannot be read: reading it panicked: nobody does 1000\n    payload: {\"reps\":1000}"
        ]
    );
}

#[test]
fn without_samples_payloads_are_made_of_the_released_shape() {
    let told = second("");
    assert!(
        told.iter().any(|one| one.contains("nobody does 65535")),
        "{told:?}"
    );
    assert!(
        told.iter()
            .all(|one| one.starts_with("[RC2002] SetDone v1: a payload of the released shape")),
        "{told:?}"
    );
}

#[test]
fn a_shape_that_is_not_what_is_written_is_told() {
    let samples = "{\"payload\":{\"reps\":3},\"from\":\"boundary\"}\n";
    let released = released(samples);
    let told = found(&verify::event::<SetDone>(&source(1, LIE, &released)));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0]
            .starts_with("[RC2004] SetDone v1 `.rest`: what `SetDone` writes is not of its shape"),
        "{told:?}"
    );
    // A draft, too, must be what it says.
    let told = found(&verify::event::<SetDone>(&source(1, LIE, &[])));
    assert!(
        told[0].starts_with("[RC2004] SetDone v1: nothing that the shape allows can be read"),
        "{told:?}"
    );
}

#[test]
fn an_aggregate_must_know_all_that_was_released_but_for_what_it_gave_up() {
    let frozen = |name, version| Frozen {
        category: Some("workout"),
        name,
        version,
    };
    let elsewhere = Frozen {
        category: Some("plan"),
        ..frozen("Unknown", 1)
    };
    let all = [
        frozen("SetDone", 1),
        frozen("SetDone", 2),
        frozen("SetDone", 3),
        frozen("Cheered", 1),
        frozen("Forgotten", 1),
        elsewhere,
    ];
    let source = AggregateSource {
        lock: "schema",
        ident: "Workout",
        module: "here",
        file: file!(),
        line: line!(),
        id: String::SHAPE,
        events: &[listed::<SetDoneV2>()],
        released: &all,
    };
    assert_eq!(
        found(&verify::aggregate::<Workout>(&source)),
        [
            "[RC1005] SetDone v3: released, but the code knows older versions only; its type was deleted",
            "[RC1005] Forgotten v1: released, but no method of `Workout` takes it; add one, or write `retired(\"Forgotten\")`",
        ]
    );
}

#[test]
fn an_event_whose_name_two_categories_have_must_read_what_one_of_them_released() {
    const OTHER: &str = r#"{"event":"SetDone","category":"plan","format":1,"version":1,"shape":{"struct":{"plan":{"shape":"string"}}}}"#;
    let elsewhere = |contract| Released {
        category: Some("plan"),
        name: "SetDone",
        version: 1,
        contract,
        samples: "",
    };
    let [own] = released("");
    let of =
        |released: &[Released<'_>]| found(&verify::event::<SetDone>(&source(1, FIRST, released)));
    assert_eq!(of(&[own, elsewhere(OTHER)]), Vec::<String>::new());
    assert_eq!(of(&[elsewhere(OTHER), own]), Vec::<String>::new());
    let alone = of(&[elsewhere(OTHER)]);
    assert!(alone[0].starts_with("[RC2002] SetDone v1"), "{alone:?}");
}

#[test]
fn a_draft_with_a_part_of_which_nothing_is_known_is_found() {
    const UNKNOWN: &Shape = &Shape::Struct(Struct::new(&[
        Field::of::<u16>("reps"),
        Field::new("rest", &Shape::Unknown),
    ]));
    let found = found(&verify::event::<SetDone>(&source(1, UNKNOWN, &[])));
    assert_eq!(
        found,
        [
            "[RC1028] SetDone v1 `.rest`: nothing is known of its JSON; derive `ValueObject` for its type, or write `#[event(opaque = \"name@1\")]`"
        ]
    );
}
