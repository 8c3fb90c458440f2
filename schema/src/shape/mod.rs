//! What a type writes as JSON, and what it reads.

mod fields;
mod variants;

pub(crate) use fields::Known;
pub use fields::{Field, Reads, Struct, Written};
pub use variants::{Body, Enum, Tagging, Variant};

use crate::Shaped;

/// The shape of a type's JSON: what is written, and what can be read, in one description.
///
/// It is plain constant data. What cannot be told apart in JSON is not told apart here: newtypes, boxes, transparent structs
/// and aliases have the shape of what is in them. Shapes are not written by hand as a rule but derived, or composed of
/// the shapes of the standard library's types: see [`Shaped`].
///
/// ```
/// use recount_schema::{Field, Int, Shape, Shaped, Struct};
///
/// const ADDRESS: Shape = Shape::Struct(Struct::new(&[Field::of::<String>("street"), Field::of::<Option<u32>>("floor")]));
/// assert_eq!(<Vec<u8>>::SHAPE, &Shape::seq(&Shape::Int(Int::U8)));
/// # assert_ne!(ADDRESS, Shape::Null);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shape {
    /// `null`: `()` and unit structs.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number within bounds.
    Int(Int),
    /// `usize` or `isize`, whose bounds depend on the platform: refused in released events.
    Size {
        /// `isize`.
        signed: bool,
    },
    /// A number. `NaN` and the infinities are written as `null`.
    Float(Float),
    /// A string, of a format perhaps.
    String(Format),
    /// The shape or `null`.
    Option(&'static Shape),
    /// An array of one shape.
    Seq(Seq),
    /// An array with a shape for each place.
    Tuple(&'static [Element]),
    /// An object with free keys.
    Map(Map),
    /// An object with known keys.
    Struct(Struct),
    /// One of several variants.
    Enum(Enum),
    /// Any JSON: `serde_json::Value`.
    Any,
    /// A foreign type whose JSON nobody describes; whoever names it promises to count the version up when it changes.
    Opaque {
        /// A name of one's choice, the path of the type for example.
        name: &'static str,
        /// The version of its JSON.
        version: u32,
    },
    /// Nothing is known: refused.
    Unknown,
    /// A shape that contains itself, as [`Shape::Ref`] of this name. Names are free, and must differ within each other.
    Recursive {
        /// Binds the references inside.
        name: &'static str,
        /// The shape.
        shape: &'static Shape,
    },
    /// The enclosing [`Shape::Recursive`] of this name.
    Ref(&'static str),
}

impl Shape {
    /// Any string.
    pub const STRING: Self = Self::String(Format::Any);

    /// A list of any length.
    pub const fn seq(item: &'static Shape) -> Self {
        Self::Seq(Seq {
            item,
            len: None,
            unique: false,
        })
    }

    /// A set: an array without repetitions, in no order that means something.
    pub const fn set(item: &'static Shape) -> Self {
        Self::Seq(Seq {
            item,
            len: None,
            unique: true,
        })
    }

    /// An array of fixed length.
    pub const fn array(item: &'static Shape, len: usize) -> Self {
        Self::Seq(Seq {
            item,
            len: Some(len),
            unique: false,
        })
    }

    /// An object with free keys.
    pub const fn map(key: &'static Shape, value: &'static Shape) -> Self {
        Self::Map(Map { key, value })
    }
}

/// The bounds of a whole number, both included.
///
/// ```
/// use recount_schema::Int;
///
/// assert!(Int::I64.holds(&Int::U32) && !Int::I64.holds(&Int::U64));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Int {
    /// The least.
    pub min: i128,
    /// The greatest.
    pub max: u128,
    /// Zero is left out, although it lies between the two.
    pub nonzero: bool,
}

macro_rules! ints {
    ($($name:ident $nonzero:ident = $int:ident,)*) => {$(
        #[doc = concat!("The bounds of `", stringify!($int), "`.")]
        pub const $name: Self = Self::new($int::MIN as i128, $int::MAX as u128);
        #[doc = concat!("The bounds of `NonZero<", stringify!($int), ">`.")]
        pub const $nonzero: Self = if $int::MIN == 0 {
            Self::new(1, $int::MAX as u128)
        } else {
            Self { nonzero: true, ..Self::$name }
        };
    )*};
}

#[allow(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_lossless,
    clippy::unnecessary_cast,
    reason = "a least number fits into `i128`, a greatest one is not negative, and `as` is what is `const`"
)]
impl Int {
    ints! {
        U8 NONZERO_U8 = u8, U16 NONZERO_U16 = u16, U32 NONZERO_U32 = u32, U64 NONZERO_U64 = u64, U128 NONZERO_U128 = u128,
        I8 NONZERO_I8 = i8, I16 NONZERO_I16 = i16, I32 NONZERO_I32 = i32, I64 NONZERO_I64 = i64, I128 NONZERO_I128 = i128,
    }

    /// Bounds of one's own.
    pub const fn new(min: i128, max: u128) -> Self {
        Self {
            min,
            max,
            nonzero: false,
        }
    }

    /// Whether each number of the other bounds is within these.
    pub const fn holds(&self, other: &Self) -> bool {
        let zero = other.min <= 0 && !other.nonzero;
        other.min >= self.min && other.max <= self.max && !(self.nonzero && zero)
    }

    /// Whether it needs more than 64 bits, which serde cannot buffer.
    pub const fn is_wide(&self) -> bool {
        self.min < i64::MIN as i128 || self.max > u64::MAX as u128
    }
}

/// The width of a floating-point number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Float {
    /// `f32`, which holds whole numbers up to 2^24 exactly.
    F32,
    /// `f64`, which holds whole numbers up to 2^53 exactly.
    F64,
}

/// What a string looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Like anything.
    Any,
    /// One character.
    Char,
    /// `67e55044-10b1-426f-9247-bb680e5fe0c8`.
    Uuid,
    /// `2026-11-21`.
    Date,
    /// `17:05:00`.
    Time,
    /// With an offset, as RFC 3339 has it: `2026-11-21T17:05:00Z`.
    DateTime,
    /// Without an offset: `2026-11-21T17:05:00`.
    NaiveDateTime,
    /// An address of either kind.
    Ip,
    /// `127.0.0.1`.
    Ipv4,
    /// `::1`.
    Ipv6,
    /// An address of either kind with a port.
    Socket,
    /// `127.0.0.1:80`.
    SocketV4,
    /// `[::1]:80`.
    SocketV6,
    /// A format of one's own, equal to itself only: `url`.
    Named(&'static str),
}

/// An array of one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seq {
    /// The shape of each item.
    pub item: &'static Shape,
    /// The number of items, where it is fixed.
    pub len: Option<usize>,
    /// Items that repeat are dropped.
    pub unique: bool,
}

/// A place of a tuple.
///
/// ```
/// use recount_schema::{Element, Shape};
///
/// const PAIR: Shape = Shape::Tuple(&[Element::of::<u8>(), Element::of::<String>().with_default("String::default()")]);
/// # assert_ne!(PAIR, Shape::Null);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Element {
    /// Its shape.
    pub shape: &'static Shape,
    /// `#[serde(default)]`, with the value as text: the array may end before it, as far as all that follow have one, too.
    pub default: Option<&'static str>,
}

impl Element {
    /// A place without a default.
    pub const fn new(shape: &'static Shape) -> Self {
        Self {
            shape,
            default: None,
        }
    }

    /// A place of a type.
    pub const fn of<T: Shaped + ?Sized>() -> Self {
        Self::new(T::SHAPE)
    }

    /// With `#[serde(default)]`; the text is the default's value or its source, or empty where it is not known.
    #[must_use]
    pub const fn with_default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }
}

/// An object with free keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Map {
    /// The shape of keys, as it were outside of an object: JSON writes each as a string.
    pub key: &'static Shape,
    /// The shape of values.
    pub value: &'static Shape,
}
