//! A number for all that a shape writes.

use crate::rules::format_name;
use crate::text::same;
use crate::{Body, Enum, Field, Float, Reads, Shape, Struct, Tagging, Written};

/// A number that is the same as long as the same JSON is written and read, on every platform and with every compiler.
///
/// It serves to tell whether something that can be computed again, a snapshot or the state of a projection, was written by
/// the same code. What is written counts, to any depth, and which of it is read; names in Rust, the order of fields and of tagged
/// variants, aliases and defaults do not.
///
/// Each part is hashed into 64 bits; the hashes of fields, and of variants, are mixed as in `SplitMix64` and added, so that
/// their order does not count. It protects against mistakes, not against intent.
///
/// ```
/// use recount_schema::{Field, Shape, Shaped, Struct, digest};
///
/// const AB: &Shape = &Shape::Struct(Struct::new(&[Field::of::<u8>("a"), Field::of::<bool>("b")]));
/// const BA: &Shape = &Shape::Struct(Struct::new(&[Field::of::<Box<bool>>("b"), Field::of::<u8>("a")]));
/// const _: () = assert!(digest(AB) == digest(BA));
/// assert_ne!(digest(u8::SHAPE), digest(u16::SHAPE));
/// // It stays what it is.
/// assert_eq!(digest(AB), 1_543_766_422_804_197_923);
/// ```
pub const fn digest(shape: &Shape) -> u64 {
    hash(shape, None)
}

/// The recursive shapes around, from the inside.
struct Outer<'a> {
    name: &'static str,
    next: Option<&'a Outer<'a>>,
}

/// A hash of numbers, each of which is one step: the compiler takes long for each.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    const fn new(tag: u64) -> Self {
        Self(0xcbf2_9ce4_8422_2325).number(tag)
    }

    const fn number(self, number: u64) -> Self {
        // The odd number next to 2^64 divided by the golden ratio; without the shift, upper bits would reach no lower ones.
        let hash = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(hash ^ (hash >> 32))
    }

    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    const fn wide(self, number: u128) -> Self {
        let [low, high] = [number as u64, (number >> 64) as u64];
        self.number(low).number(high)
    }

    const fn text(mut self, text: &str) -> Self {
        let mut bytes = text.as_bytes();
        self = self.number(bytes.len() as u64);
        while let Some((some, rest)) = bytes.split_first_chunk::<8>() {
            self = self.number(u64::from_le_bytes(*some));
            bytes = rest;
        }
        while let [byte, rest @ ..] = bytes {
            self = self.number(*byte as u64);
            bytes = rest;
        }
        self
    }

    /// So that sums of hashes do not cancel out.
    const fn mixed(self) -> u64 {
        let hash = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^ (hash >> 31)
    }
}

// The numbers given to `new` are part of every digest: none may change, a new shape takes the next one.
const fn hash(shape: &Shape, outer: Option<&Outer<'_>>) -> u64 {
    match shape {
        Shape::Null => Hash::new(1),
        Shape::Bool => Hash::new(2),
        Shape::Int(int) => Hash::new(3)
            .wide(int.min.cast_unsigned())
            .wide(int.max)
            .number(int.nonzero as u64),
        Shape::Size { signed } => Hash::new(4).number(*signed as u64),
        Shape::Float(Float::F32) => Hash::new(5),
        Shape::Float(Float::F64) => Hash::new(6),
        Shape::String(format) => Hash::new(7).text(format_name(*format)),
        Shape::Option(inner) => Hash::new(8).number(hash(inner, outer)),
        Shape::Seq(seq) => {
            let len = match seq.len {
                Some(len) => Hash::new(9).number(len as u64),
                None => Hash::new(10),
            };
            len.number(seq.unique as u64).number(hash(seq.item, outer))
        }
        Shape::Tuple(places) => {
            let mut all = Hash::new(11);
            let mut place = 0;
            while place < places.len() {
                all = all.number(hash(places[place].shape, outer));
                place += 1;
            }
            all
        }
        Shape::Map(map) => Hash::new(12)
            .number(hash(map.key, outer))
            .number(hash(map.value, outer)),
        Shape::Struct(of) => hash_struct(of, outer),
        Shape::Enum(of) => hash_enum(of, outer),
        Shape::Any => Hash::new(15),
        Shape::Opaque { name, version } => Hash::new(16).text(name).number(*version as u64),
        Shape::Unknown => Hash::new(17),
        Shape::Recursive { name, shape } => {
            let outer = Outer { name, next: outer };
            Hash::new(18).number(hash(shape, Some(&outer)))
        }
        Shape::Ref(name) => Hash::new(19).number(distance(name, outer)),
    }
    .0
}

const fn hash_struct(of: &Struct, outer: Option<&Outer<'_>>) -> Hash {
    Hash::new(13).number(sum(of.fields, outer))
}

const fn sum(fields: &'static [Field], outer: Option<&Outer<'_>>) -> u64 {
    let mut sum_of_all: u64 = 0;
    let mut next = 0;
    while next < fields.len() {
        let field = &fields[next];
        next += 1;
        let hash = match (field.flatten, field.written, field.shape) {
            (true, _, Shape::Struct(inner)) => sum(inner.fields, outer),
            (true, _, other) => Hash::new(1).number(hash(other, outer)).mixed(),
            (_, Written::Never, _) => 0,
            (_, written, shape) => Hash::new(2)
                .text(field.name)
                .number(matches!(written, Written::Maybe) as u64)
                .number(matches!(field.reads, Reads::Ignored) as u64)
                .number(hash(shape, outer))
                .mixed(),
        };
        sum_of_all = sum_of_all.wrapping_add(hash);
    }
    sum_of_all
}

const fn hash_enum(of: &Enum, outer: Option<&Outer<'_>>) -> Hash {
    let (tagging, ordered) = match of.tagging {
        Tagging::External => (Hash::new(20), false),
        Tagging::Internal { tag } => (Hash::new(21).text(tag), false),
        Tagging::Adjacent { tag, content } => (Hash::new(22).text(tag).text(content), false),
        Tagging::Untagged => (Hash::new(23), true),
    };
    let mut sum: u64 = 0;
    let mut next = 0;
    while next < of.variants.len() {
        let variant = &of.variants[next];
        if variant.is_written {
            let name = if ordered {
                Hash::new(1).number(next as u64)
            } else {
                Hash::new(2).text(variant.name)
            };
            let name = name.number(variant.is_read as u64);
            let content = match variant.body {
                Body::Unit => name.number(0),
                Body::Newtype(shape) => name.number(1).number(hash(shape, outer)),
                Body::Tuple(places) => name.number(1).number(hash(&Shape::Tuple(places), outer)),
                Body::Struct(fields) => name.number(1).number(hash_struct(&fields, outer).0),
            };
            sum = sum.wrapping_add(content.mixed());
        }
        next += 1;
    }
    tagging.number(sum)
}

/// How far out the shape of a name is.
const fn distance(name: &str, outer: Option<&Outer<'_>>) -> u64 {
    match outer {
        None => u64::MAX,
        Some(outer) if same(outer.name, name) => 0,
        Some(outer) => distance(name, outer.next).wrapping_add(1),
    }
}
