//! The words that generated code writes released shapes with: short ones, since each that is looked up takes time to compile, and
//! constants where the compiler would have to make one.

pub use crate::{
    Body, Element, Enum, Field, Float, Format, Int, Seq, Shape, Struct, Tagging, Variant, Written,
};

macro_rules! terms {
    ($($term:ident = $shape:expr,)*) => {
        $(
            #[doc = concat!("`", stringify!($shape), "`")]
            pub const $term: &Shape = &$shape;
        )*
        /// All of them.
        #[cfg(feature = "json")]
        pub(crate) const ALL: &[(&str, &Shape)] = &[$((stringify!($term), $term)),*];
    };
}

terms! {
    NULL = Shape::Null,
    BOOL = Shape::Bool,
    ANY = Shape::Any,
    STRING = Shape::STRING,
    UUID = Shape::String(Format::Uuid),
    DATE = Shape::String(Format::Date),
    TIME = Shape::String(Format::Time),
    DATE_TIME = Shape::String(Format::DateTime),
    F32 = Shape::Float(Float::F32),
    F64 = Shape::Float(Float::F64),
    U8 = Shape::Int(Int::U8),
    U16 = Shape::Int(Int::U16),
    U32 = Shape::Int(Int::U32),
    U64 = Shape::Int(Int::U64),
    U128 = Shape::Int(Int::U128),
    I8 = Shape::Int(Int::I8),
    I16 = Shape::Int(Int::I16),
    I32 = Shape::Int(Int::I32),
    I64 = Shape::Int(Int::I64),
    I128 = Shape::Int(Int::I128),
    NONZERO_U32 = Shape::Int(Int::NONZERO_U32),
    NONZERO_U64 = Shape::Int(Int::NONZERO_U64),
    OPTION_STRING = Shape::Option(STRING),
    STRINGS = Shape::seq(STRING),
}
