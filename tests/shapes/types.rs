//! One type for each thing that serde's attributes can say.

mod by_hand;
mod honest;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Plain {
    a: u8,
    b: Option<String>,
    r#type: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Empty {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(rename_all = "camelCase")]
struct Renamed {
    first_name: String,
    #[serde(rename = "Surname", alias = "last", alias = "last_name")]
    last_name: String,
    #[serde(
        rename(serialize = "new", deserialize = "old"),
        alias = "new",
        alias = "older"
    )]
    moved: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(deny_unknown_fields, default = "presets")]
struct Defaulted {
    a: u8,
    #[serde(default)]
    b: u8,
    #[serde(default = "presets_b")]
    c: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(default)]
struct ByTrait {
    a: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct LeftOut {
    #[serde(skip)]
    never: PhantomData<fn()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maybe: Option<u8>,
    #[serde(skip_serializing, default)]
    only_read: u8,
    #[serde(skip_deserializing)]
    only_written: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Outside {
    id: u8,
    #[serde(flatten)]
    inside: Inside,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Inside {
    x: i32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(tag = "kind", rename = "marked")]
struct Marked {
    x: i32,
}

impl Default for Defaulted {
    fn default() -> Self {
        presets()
    }
}

impl Default for ByTrait {
    fn default() -> Self {
        Self { a: 1 }
    }
}

fn presets() -> Defaulted {
    Defaulted { a: 1, b: 2, c: 3 }
}

fn presets_b() -> u8 {
    7
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Newtype(Option<u8>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(transparent)]
struct Transparent {
    only: Option<u8>,
    #[serde(skip)]
    mark: PhantomData<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Pair(u8, #[serde(default)] String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Short(u8, #[serde(skip)] u8, bool);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Nothing();

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Missing {
    a: Newtype,
    b: Transparent,
    c: Box<Option<u8>>,
}

// What `macro_rules!` cannot take as one token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Borrowing<'a>(Cow<'a, str>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE", rename_all_fields = "PascalCase")]
enum External {
    NotYet,
    #[serde(alias = "LATER", rename = "later")]
    Later(u8),
    Both(u8, bool),
    Fields {
        some_field: u8,
    },
    #[serde(rename_all = "UPPERCASE")]
    Loud {
        some_field: u8,
    },
    Inner(#[serde(skip)] PhantomData<u8>),
    #[serde(skip)]
    Skipped(PhantomData<fn()>),
    #[serde(skip_serializing)]
    Read,
    #[serde(skip_deserializing)]
    Written(u8),
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(tag = "t")]
enum Internal {
    A,
    B { x: u8 },
    C(Inside),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(tag = "t", content = "c", deny_unknown_fields)]
enum Adjacent {
    A,
    B { x: u8 },
    C(u8, u8),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(untagged)]
enum Untagged {
    A(u8),
    B { x: u8 },
    C,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(tag = "t")]
enum Partly {
    A,
    #[serde(untagged)]
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(try_from = "String", into = "String")]
struct Zip(u32);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(from = "Option<u8>", into = "Option<u8>")]
struct Maybe(u8);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Foreign {
    #[value(opaque = "geo::Point@3")]
    at: Point,
    #[value(opaque = "geo::Point@3")]
    before: Option<Point>,
    #[serde(with = "as_text")]
    #[value(shape = Option<String>)]
    number: u64,
    #[serde(
        serialize_with = "as_text::serialize",
        deserialize_with = "as_text::deserialize",
        default
    )]
    #[value(shape = String)]
    other: u64,
    #[serde(skip_serializing, default, deserialize_with = "as_text::deserialize")]
    #[value(opaque = "text@1")]
    read: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(shape = String)]
enum Coded {
    #[serde(rename = "a")]
    A,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(opaque = "odd@2")]
struct Odd {
    it: Point,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
enum WithVariant {
    #[serde(with = "as_text")]
    #[value(opaque = "text@1")]
    A(u64),
    B(#[value(shape = u8)] Point),
}

/// Of another crate, as it were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Point(f64, f64);

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it this way")]
    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl TryFrom<String> for Zip {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Zip> for String {
    fn from(zip: Zip) -> Self {
        zip.0.to_string()
    }
}

impl From<Option<u8>> for Maybe {
    fn from(number: Option<u8>) -> Self {
        Self(number.unwrap_or_default())
    }
}

impl From<Maybe> for Option<u8> {
    fn from(maybe: Maybe) -> Self {
        Some(maybe.0)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Span<T> {
    from: T,
    to: Option<T>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Tree {
    name: String,
    children: Vec<Tree>,
    parent: Option<Box<Self>>,
}

/// It and `Group` contain each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(recursive_with(Group))]
#[serde(rename_all = "snake_case")]
enum Condition {
    Before(chrono::NaiveDate),
    Not(Box<Condition>),
    All(Group),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(recursive_with(Condition))]
struct Group {
    name: String,
    conditions: Vec<Condition>,
    otherwise: Option<Box<Condition>>,
}

/// A circle of three, in which the first and the third know of each other only by the second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(recursive_with(three::Door, House))]
struct Room {
    doors: Vec<three::Door>,
}

mod three {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
    #[value(recursive_with(Room, House))]
    pub struct Door {
        pub into: Option<House>,
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(recursive_with(Room, three::Door))]
struct House {
    rooms: Vec<Room>,
    /// A type that may be missing, whatever stands around.
    front: Option<Box<three::Door>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Chain<T> {
    value: T,
    next: Option<Box<Chain<T>>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(tag = "op", content = "of")]
enum Expression {
    Number(f64),
    Sum(Vec<Expression>),
    Negative { of: Box<Expression> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Tagged<T> {
    number: u8,
    #[serde(skip)]
    tag: PhantomData<T>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(bound(
    serialize = "K: Serialize, V: Serialize",
    deserialize = "K: serde::de::DeserializeOwned + Eq + std::hash::Hash, V: serde::de::DeserializeOwned"
))]
struct Table<K, V = u8, const N: usize = 2>
where
    K: Eq + std::hash::Hash,
{
    rows: HashMap<K, V>,
    width: Vec<[u8; 2]>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(bound(
    serialize = "I::Item: Serialize",
    deserialize = "I::Item: serde::de::DeserializeOwned"
))]
struct First<I: Iterator>
where
    I::Item: Clone + PartialEq + std::fmt::Debug,
{
    item: I::Item,
}

/// Has no shape.
#[derive(Debug, Clone, PartialEq)]
struct Mark;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
struct AthleteId(String);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
struct PlanId(uuid::Uuid);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
struct RoomId(u32);

#[derive(Debug, Clone, PartialEq)]
struct Elsewhere {
    hours: u8,
}

#[derive(Serialize, Deserialize, ValueObject)]
#[serde(remote = "Elsewhere")]
struct ElsewhereAs {
    hours: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
struct Uses {
    #[serde(with = "ElsewhereAs")]
    #[value(shape = ElsewhereAs)]
    elsewhere: Elsewhere,
}
