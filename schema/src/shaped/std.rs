//! The types of the standard library that serde knows, as it writes and reads them.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::{NonZero, Saturating, Wrapping};
use std::ops::{Bound, Range, RangeFrom, RangeInclusive, RangeTo};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, RwLock, atomic};
use std::time::{Duration, SystemTime};

use crate::{Body, Element, Enum, Field, Float, Format, Int, Shape, Shaped, Struct, Variant};

/// Parts of a second.
const NANOS: &Shape = &Shape::Int(Int::new(0, 999_999_999));

macro_rules! shaped {
    ($($type:ty = $shape:expr,)*) => {$(
        impl Shaped for $type {
            const SHAPE: &'static Shape = &$shape;
        }
    )*};
}

shaped! {
    () = Shape::Null,
    bool = Shape::Bool,
    u8 = Shape::Int(Int::U8),
    u16 = Shape::Int(Int::U16),
    u32 = Shape::Int(Int::U32),
    u64 = Shape::Int(Int::U64),
    u128 = Shape::Int(Int::U128),
    i8 = Shape::Int(Int::I8),
    i16 = Shape::Int(Int::I16),
    i32 = Shape::Int(Int::I32),
    i64 = Shape::Int(Int::I64),
    i128 = Shape::Int(Int::I128),
    usize = Shape::Size { signed: false },
    isize = Shape::Size { signed: true },
    NonZero<u8> = Shape::Int(Int::NONZERO_U8),
    NonZero<u16> = Shape::Int(Int::NONZERO_U16),
    NonZero<u32> = Shape::Int(Int::NONZERO_U32),
    NonZero<u64> = Shape::Int(Int::NONZERO_U64),
    NonZero<u128> = Shape::Int(Int::NONZERO_U128),
    NonZero<i8> = Shape::Int(Int::NONZERO_I8),
    NonZero<i16> = Shape::Int(Int::NONZERO_I16),
    NonZero<i32> = Shape::Int(Int::NONZERO_I32),
    NonZero<i64> = Shape::Int(Int::NONZERO_I64),
    NonZero<i128> = Shape::Int(Int::NONZERO_I128),
    NonZero<usize> = Shape::Size { signed: false },
    NonZero<isize> = Shape::Size { signed: true },
    atomic::AtomicBool = Shape::Bool,
    atomic::AtomicU8 = Shape::Int(Int::U8),
    atomic::AtomicU16 = Shape::Int(Int::U16),
    atomic::AtomicU32 = Shape::Int(Int::U32),
    atomic::AtomicU64 = Shape::Int(Int::U64),
    atomic::AtomicI8 = Shape::Int(Int::I8),
    atomic::AtomicI16 = Shape::Int(Int::I16),
    atomic::AtomicI32 = Shape::Int(Int::I32),
    atomic::AtomicI64 = Shape::Int(Int::I64),
    atomic::AtomicUsize = Shape::Size { signed: false },
    atomic::AtomicIsize = Shape::Size { signed: true },
    f32 = Shape::Float(Float::F32),
    f64 = Shape::Float(Float::F64),
    char = Shape::String(Format::Char),
    str = Shape::STRING,
    String = Shape::STRING,
    Path = Shape::STRING,
    PathBuf = Shape::STRING,
    IpAddr = Shape::String(Format::Ip),
    Ipv4Addr = Shape::String(Format::Ipv4),
    Ipv6Addr = Shape::String(Format::Ipv6),
    SocketAddr = Shape::String(Format::Socket),
    SocketAddrV4 = Shape::String(Format::SocketV4),
    SocketAddrV6 = Shape::String(Format::SocketV6),
    // serde's own structs refuse fields that they do not know.
    Duration = Shape::Struct(
        Struct::new(&[Field::of::<u64>("secs"), Field::new("nanos", NANOS)]).denying_unknown_fields(),
    ),
    SystemTime = Shape::Struct(
        Struct::new(&[
            Field::new("secs_since_epoch", &Shape::Int(Int::new(0, i64::MAX as u128))),
            Field::new("nanos_since_epoch", NANOS),
        ])
        .denying_unknown_fields(),
    ),
}

/// What is written and read like what is in it, also when its field is missing.
macro_rules! transparent {
    ($($type:ident)*) => {$(
        impl<T: Shaped + ?Sized> Shaped for $type<T> {
            const SHAPE: &'static Shape = T::SHAPE;
            const MAY_BE_MISSING: bool = T::MAY_BE_MISSING;
        }
    )*};
}

transparent! { Box Rc Arc Cell RefCell Mutex RwLock }

macro_rules! transparent_sized {
    ($($type:ident)*) => {$(
        impl<T: Shaped> Shaped for $type<T> {
            const SHAPE: &'static Shape = T::SHAPE;
            const MAY_BE_MISSING: bool = T::MAY_BE_MISSING;
        }
    )*};
}

transparent_sized! { Wrapping Saturating Reverse }

impl<T: ToOwned<Owned: Shaped> + ?Sized> Shaped for Cow<'_, T> {
    const SHAPE: &'static Shape = T::Owned::SHAPE;
    const MAY_BE_MISSING: bool = T::Owned::MAY_BE_MISSING;
}

impl<T: ?Sized> Shaped for PhantomData<T> {
    const SHAPE: &'static Shape = &Shape::Null;
}

impl<T: Shaped> Shaped for Option<T> {
    const SHAPE: &'static Shape = &Shape::Option(T::SHAPE);
    const MAY_BE_MISSING: bool = true;
}

macro_rules! sequences {
    ($($type:ident<T $(, $more:ident)*> = $shape:ident,)*) => {$(
        impl<T: Shaped $(, $more)*> Shaped for $type<T $(, $more)*> {
            const SHAPE: &'static Shape = &Shape::$shape(T::SHAPE);
        }
    )*};
}

sequences! {
    Vec<T> = seq,
    VecDeque<T> = seq,
    LinkedList<T> = seq,
    BinaryHeap<T> = seq,
    BTreeSet<T> = set,
    HashSet<T, S> = set,
}

impl<T: Shaped> Shaped for [T] {
    const SHAPE: &'static Shape = &Shape::seq(T::SHAPE);
}

impl<T: Shaped, const N: usize> Shaped for [T; N] {
    const SHAPE: &'static Shape = &Shape::array(T::SHAPE, N);
}

impl<K: Shaped, V: Shaped> Shaped for BTreeMap<K, V> {
    const SHAPE: &'static Shape = &Shape::map(K::SHAPE, V::SHAPE);
}

impl<K: Shaped, V: Shaped, S> Shaped for HashMap<K, V, S> {
    const SHAPE: &'static Shape = &Shape::map(K::SHAPE, V::SHAPE);
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {$(
        impl<$($name: Shaped),+> Shaped for ($($name,)+) {
            const SHAPE: &'static Shape = &Shape::Tuple(&[$(Element::of::<$name>()),+]);
        }
    )*};
}

tuples! {
    A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; A B C D E F G H I; A B C D E F G H I J;
    A B C D E F G H I J K; A B C D E F G H I J K L; A B C D E F G H I J K L M; A B C D E F G H I J K L M N;
    A B C D E F G H I J K L M N O; A B C D E F G H I J K L M N O P;
}

macro_rules! ranges {
    ($($type:ident: $($name:literal)+;)*) => {$(
        impl<T: Shaped> Shaped for $type<T> {
            const SHAPE: &'static Shape =
                &Shape::Struct(Struct::new(&[$(Field::of::<T>($name)),+]).denying_unknown_fields());
        }
    )*};
}

ranges! {
    Range: "start" "end";
    RangeInclusive: "start" "end";
    RangeFrom: "start";
    RangeTo: "end";
}

impl<T: Shaped> Shaped for Bound<T> {
    const SHAPE: &'static Shape = &Shape::Enum(Enum::new(&[
        Variant::unit("Unbounded"),
        Variant::new("Included", Body::Newtype(T::SHAPE)),
        Variant::new("Excluded", Body::Newtype(T::SHAPE)),
    ]));
}

impl<T: Shaped, E: Shaped> Shaped for Result<T, E> {
    const SHAPE: &'static Shape = &Shape::Enum(Enum::new(&[
        Variant::new("Ok", Body::Newtype(T::SHAPE)),
        Variant::new("Err", Body::Newtype(E::SHAPE)),
    ]));
}
