//! The shapes of events, as the lock will ask for them.

use recount::__private::{EventShape, Shapes, StateShape};
use recount::Event as _;
use recount::aggregate::Apply;
use recount::prelude::*;
use recount::schema::{Field, Shape, Shaped, Struct};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Zone {
    watts: u16,
}

/// Says nothing of its JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Foreign(u8);

mod with {
    pub use serde::{Deserialize, Serialize};

    pub fn serialize<T: Serialize, S: serde::Serializer>(it: &T, to: S) -> Result<S::Ok, S::Error> {
        it.serialize(to)
    }
    pub fn deserialize<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        T::deserialize(from)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Planned {
    zone: Zone,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Planned)]
#[serde(rename_all = "camelCase")]
struct PlannedV2 {
    target_zone: Vec<Zone>,
    foreign: Foreign,
    #[serde(with = "with")]
    hidden: u8,
    #[event(opaque = "foreign@2")]
    opaque: Foreign,
    #[event(shape = u8)]
    shown: Foreign,
    parts: Vec<PlannedV2>,
}

impl From<Planned> for PlannedV2 {
    fn from(old: Planned) -> Self {
        Self {
            target_zone: vec![old.zone],
            foreign: Foreign(0),
            hidden: 0,
            opaque: Foreign(0),
            shown: Foreign(0),
            parts: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 3, upcast_json(1 => same, 2 => same))]
struct Done {}

fn same(json: serde_json::Value) -> serde_json::Value {
    json
}

#[derive(Debug, Clone, PartialEq, Event)]
#[serde(rename_all_fields = "UPPERCASE")]
enum Rest {
    Slept,
    #[event(name = "Napped", version = 2, upcast_json(1 => same))]
    Dozed {
        minutes: u8,
        slept: Slept,
    },
    Done(Done),
}

/// Called like a variant, which is no type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Slept {
    well: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
struct AthleteId(String);

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(stream = "athlete", id = AthleteId, snapshots)]
struct Athlete {
    zones: Vec<Zone>,
    foreign: Option<Foreign>,
}

#[apply]
impl Athlete {
    fn planned(&mut self, event: PlannedV2) {
        self.zones.extend(event.target_zone);
    }
    fn rested(&mut self, _: Rest) {}
}

const UNKNOWN: &Shape = &Shape::Unknown;

#[test]
fn a_struct_event_has_a_shape_and_nothing_is_asked_of_its_fields() {
    const PARTS: Shape = Shape::seq(&Shape::Ref("PlannedV2"));
    const FOREIGN: Shape = Shape::Opaque {
        name: "foreign",
        version: 2,
    };
    const PLANNED: Shape = Shape::Recursive {
        name: "PlannedV2",
        shape: &Shape::Struct(Struct::new(&[
            Field::of::<Vec<Zone>>("targetZone"),
            Field::new("foreign", UNKNOWN),
            Field::new("hidden", UNKNOWN),
            Field::new("opaque", &FOREIGN),
            Field::of::<u8>("shown"),
            Field::new("parts", &PARTS),
        ])),
    };
    assert_eq!(PlannedV2::SHAPE, &PLANNED);
    assert_eq!(Done::SHAPE, &Shape::Struct(Struct::new(&[])));
}

#[test]
fn the_oldest_version_that_is_read_is_known() {
    assert_eq!(
        (Planned::OLDEST, PlannedV2::OLDEST, Done::OLDEST),
        (1, 1, 1)
    );
    let read = |shapes: Shapes| {
        let read = shapes.list().into_iter();
        read.map(|it| (it.name, it.version, it.oldest))
            .collect::<Vec<_>>()
    };
    assert_eq!(read(PlannedV2::SHAPES), [("Planned", 2, 1)]);
    assert_eq!(
        read(Rest::SHAPES),
        [("Slept", 1, 1), ("Napped", 2, 1), ("Done", 3, 1)]
    );
    assert_eq!(
        read(<Athlete as Apply>::Event::SHAPES),
        [
            ("Planned", 2, 1),
            ("Slept", 1, 1),
            ("Napped", 2, 1),
            ("Done", 3, 1)
        ]
    );
}

#[test]
fn variants_are_stored_as_structs() {
    const DOZED: Shape = Shape::Struct(Struct::new(&[
        Field::of::<u8>("MINUTES"),
        Field::of::<Slept>("SLEPT"),
    ]));
    let shapes: Vec<&Shape> = Rest::SHAPES.list().iter().map(|it| it.shape).collect();
    assert_eq!(shapes, [Done::SHAPE, &DOZED, Done::SHAPE]);
}

#[test]
fn what_is_encoded_has_the_shape() {
    let slept = Slept { well: true };
    for event in [
        Rest::Slept,
        Rest::Dozed { minutes: 5, slept },
        Rest::Done(Done {}),
    ] {
        let mut payload = Vec::new();
        event.encode(&mut payload).unwrap();
        let json = serde_json::from_slice(&payload).unwrap();
        let shapes = Rest::SHAPES.list();
        let shape = shapes
            .iter()
            .find(|it| it.name == event.name())
            .unwrap()
            .shape;
        recount_schema::values::validate(shape, &json).unwrap();
    }
}

#[test]
fn a_state_has_a_shape_where_it_is_stored() {
    const ATHLETE: Shape = Shape::Struct(Struct::new(&[
        Field::of::<Vec<Zone>>("zones"),
        Field::new("foreign", UNKNOWN),
    ]));
    assert_eq!(Athlete::SHAPE, &ATHLETE);
    assert_eq!(AthleteId::SHAPE, String::SHAPE);
}
