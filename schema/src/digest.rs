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
/// Each part is hashed with 64 bits of FNV-1a; the hashes of fields, and of variants, are mixed as in `SplitMix64` and added, so that
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
/// assert_eq!(digest(AB), 15_967_360_633_846_985_880);
/// ```
pub const fn digest(shape: &Shape) -> u64 {
    hash(shape, None)
}

/// The recursive shapes around, from the inside.
struct Outer<'a> {
    name: &'static str,
    next: Option<&'a Outer<'a>>,
}

#[derive(Clone, Copy)]
struct Fnv(u64);

impl Fnv {
    const fn new(tag: u8) -> Self {
        Self(0xcbf2_9ce4_8422_2325).byte(tag)
    }

    const fn byte(self, byte: u8) -> Self {
        Self((self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }

    const fn bytes(mut self, bytes: &[u8]) -> Self {
        let mut at = 0;
        while at < bytes.len() {
            self = self.byte(bytes[at]);
            at += 1;
        }
        self
    }

    const fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    const fn text(self, text: &str) -> Self {
        self.number(text.len() as u64).bytes(text.as_bytes())
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
        Shape::Null => Fnv::new(1),
        Shape::Bool => Fnv::new(2),
        Shape::Int(int) => Fnv::new(3)
            .bytes(&int.min.to_le_bytes())
            .bytes(&int.max.to_le_bytes())
            .byte(int.nonzero as u8),
        Shape::Size { signed } => Fnv::new(4).byte(*signed as u8),
        Shape::Float(Float::F32) => Fnv::new(5),
        Shape::Float(Float::F64) => Fnv::new(6),
        Shape::String(format) => Fnv::new(7).text(format_name(*format)),
        Shape::Option(inner) => Fnv::new(8).number(hash(inner, outer)),
        Shape::Seq(seq) => {
            let len = match seq.len {
                Some(len) => Fnv::new(9).number(len as u64),
                None => Fnv::new(10),
            };
            len.byte(seq.unique as u8).number(hash(seq.item, outer))
        }
        Shape::Tuple(places) => {
            let mut all = Fnv::new(11);
            let mut place = 0;
            while place < places.len() {
                all = all.number(hash(places[place].shape, outer));
                place += 1;
            }
            all
        }
        Shape::Map(map) => Fnv::new(12)
            .number(hash(map.key, outer))
            .number(hash(map.value, outer)),
        Shape::Struct(of) => hash_struct(of, outer),
        Shape::Enum(of) => hash_enum(of, outer),
        Shape::Any => Fnv::new(15),
        Shape::Opaque { name, version } => Fnv::new(16).text(name).number(*version as u64),
        Shape::Unknown => Fnv::new(17),
        Shape::Recursive { name, shape } => {
            let outer = Outer { name, next: outer };
            Fnv::new(18).number(hash(shape, Some(&outer)))
        }
        Shape::Ref(name) => Fnv::new(19).number(distance(name, outer)),
    }
    .0
}

const fn hash_struct(of: &Struct, outer: Option<&Outer<'_>>) -> Fnv {
    Fnv::new(13).number(sum(of.fields, outer))
}

const fn sum(fields: &'static [Field], outer: Option<&Outer<'_>>) -> u64 {
    let mut sum_of_all: u64 = 0;
    let mut next = 0;
    while next < fields.len() {
        let field = &fields[next];
        next += 1;
        let hash = match (field.flatten, field.written, field.shape) {
            (true, _, Shape::Struct(inner)) => sum(inner.fields, outer),
            (true, _, other) => Fnv::new(1).number(hash(other, outer)).mixed(),
            (_, Written::Never, _) => 0,
            (_, written, shape) => Fnv::new(2)
                .text(field.name)
                .byte(matches!(written, Written::Maybe) as u8)
                .byte(matches!(field.reads, Reads::Ignored) as u8)
                .number(hash(shape, outer))
                .mixed(),
        };
        sum_of_all = sum_of_all.wrapping_add(hash);
    }
    sum_of_all
}

const fn hash_enum(of: &Enum, outer: Option<&Outer<'_>>) -> Fnv {
    let (tagging, ordered) = match of.tagging {
        Tagging::External => (Fnv::new(20), false),
        Tagging::Internal { tag } => (Fnv::new(21).text(tag), false),
        Tagging::Adjacent { tag, content } => (Fnv::new(22).text(tag).text(content), false),
        Tagging::Untagged => (Fnv::new(23), true),
    };
    let mut sum: u64 = 0;
    let mut next = 0;
    while next < of.variants.len() {
        let variant = &of.variants[next];
        if variant.is_written {
            let name = if ordered {
                Fnv::new(1).number(next as u64)
            } else {
                Fnv::new(2).text(variant.name)
            };
            let name = name.byte(variant.is_read as u8);
            let content = match variant.body {
                Body::Unit => name.byte(0),
                Body::Newtype(shape) => name.byte(1).number(hash(shape, outer)),
                Body::Tuple(places) => name.byte(1).number(hash(&Shape::Tuple(places), outer)),
                Body::Struct(fields) => name.byte(1).number(hash_struct(&fields, outer).0),
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
