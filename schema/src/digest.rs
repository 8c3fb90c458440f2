//! A number for all that a shape writes.

use crate::rules::{compare, format_name};
use crate::shape::Known;
use crate::text::same;
use crate::{Body, Element, Enum, Field, Float, Reads, Shape, Struct, Tagging, Variant, Written};

/// A number that is the same as long as the same JSON is written, and read as the same, on every platform and with every compiler.
///
/// It serves to tell whether something that can be computed again, a snapshot or the state of a projection, was written by
/// the same code, and whether a type is what was released. All that a shape says counts, to any depth: what is written, and what
/// is read, aliases and defaults too. Names in Rust, and the order of fields and of tagged variants, are not part of it.
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
/// assert_eq!(digest(AB), 11_331_008_327_892_427_295);
/// ```
pub const fn digest(shape: &Shape) -> u64 {
    hash(shape, None)
}

/// The digest of what was released, if whatever has that digest reads all of it: it must read itself, and the order of fields, which
/// is not part of a digest, must not count. That it does where an array may be taken for a struct, which only an untagged enum does.
pub fn digest_of_released(shape: &Shape) -> Option<u64> {
    (compare(shape, shape).is_clean() && !has_untagged(shape)).then(|| digest(shape))
}

fn has_untagged(shape: &Shape) -> bool {
    let of_fields = |of: &Struct| of.fields.iter().any(|field| has_untagged(field.shape));
    let of_places = |places: &[Element]| places.iter().any(|place| has_untagged(place.shape));
    match shape {
        Shape::Option(inner) | Shape::Recursive { shape: inner, .. } => has_untagged(inner),
        Shape::Seq(seq) => has_untagged(seq.item),
        Shape::Tuple(places) => of_places(places),
        Shape::Map(map) => has_untagged(map.key) || has_untagged(map.value),
        Shape::Struct(of) => of_fields(of),
        Shape::Enum(of) => {
            let in_variant = |variant: &Variant| match &variant.body {
                Body::Unit => false,
                Body::Newtype(inner) => has_untagged(inner),
                Body::Tuple(places) => of_places(places),
                Body::Struct(of) => of_fields(of),
            };
            of.tagging == Tagging::Untagged || of.variants.iter().any(in_variant)
        }
        _ => false,
    }
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

    /// A name, and further ones that are read, in any order.
    const fn names(self, name: &str, aliases: &[&str]) -> Self {
        let mut sum: u64 = 0;
        let mut next = 0;
        while next < aliases.len() {
            sum = sum.wrapping_add(Self::new(1).text(aliases[next]).mixed());
            next += 1;
        }
        self.text(name).number(sum)
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
                all = match places[place].default {
                    Some(value) => all.number(1).text(value),
                    None => all.number(0),
                };
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
    Hash::new(13)
        .number(of.deny_unknown_fields as u64)
        .number(sum(of.fields, outer))
}

const fn sum(fields: &'static [Field], outer: Option<&Outer<'_>>) -> u64 {
    let mut sum_of_all: u64 = 0;
    let mut next = 0;
    while next < fields.len() {
        sum_of_all = sum_of_all.wrapping_add(hash_field(&fields[next], outer));
        next += 1;
    }
    sum_of_all
}

const fn hash_field(field: &'static Field, outer: Option<&Outer<'_>>) -> u64 {
    let shape = match (outer, field.digest) {
        (None, Known(Some(digest))) => digest,
        // The shape may refer to what is around.
        _ => hash(field.shape, outer),
    };
    let reads = match (field.flatten, field.written, field.reads, field.shape) {
        (true, _, _, Shape::Struct(inner)) => return sum(inner.fields, outer),
        // No key comes of these.
        (true, _, _, Shape::Null) | (_, Written::Never, Reads::Ignored, _) => return 0,
        (true, _, _, _) => return Hash::new(1).number(shape).mixed(),
        (_, _, Reads::Required, _) => Hash::new(2),
        (_, _, Reads::Optional, _) => Hash::new(3),
        (_, _, Reads::Default(value), _) => Hash::new(4).text(value),
        (_, _, Reads::Ignored, _) => Hash::new(5),
    };
    let written = match field.written {
        Written::Always => 0,
        Written::Maybe => 1,
        Written::Never => 2,
    };
    let field = reads.number(written).names(field.name, field.aliases);
    field.number(shape).mixed()
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
        let place = if ordered { next as u64 } else { 0 };
        let variant = hash_variant(&of.variants[next], ordered, outer);
        sum = sum.wrapping_add(variant.number(place).mixed());
        next += 1;
    }
    tagging.number(sum)
}

/// The name of one that is told apart by its place counts for nothing.
const fn hash_variant(of: &Variant, ordered: bool, outer: Option<&Outer<'_>>) -> Hash {
    let kept = (of.is_written as u64) | (of.is_read as u64) << 1 | (of.other as u64) << 2;
    let mut variant = Hash::new(1).number(kept);
    if !ordered {
        variant = variant.names(of.name, of.aliases);
    }
    match of.body {
        Body::Unit => variant.number(0),
        Body::Newtype(shape) => variant.number(1).number(hash(shape, outer)),
        Body::Tuple(places) => variant.number(1).number(hash(&Shape::Tuple(places), outer)),
        Body::Struct(fields) => variant.number(1).number(hash_struct(&fields, outer).0),
    }
}

/// How far out the shape of a name is.
const fn distance(name: &str, outer: Option<&Outer<'_>>) -> u64 {
    match outer {
        None => u64::MAX,
        Some(outer) if same(outer.name, name) => 0,
        Some(outer) => distance(name, outer.next).wrapping_add(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shaped;

    const A: Field = Field::of::<u8>("a");
    const UNIT: Variant = Variant::unit("A");

    const fn object(fields: &'static [Field]) -> Shape {
        Shape::Struct(Struct::new(fields))
    }

    const fn one_of(variants: &'static [Variant]) -> Shape {
        Shape::Enum(Enum::new(variants))
    }

    const fn untagged(variants: &'static [Variant]) -> Shape {
        Shape::Enum(Enum::new(variants).tagged(Tagging::Untagged))
    }

    #[test]
    fn whatever_a_shape_says_is_part_of_its_digest() {
        const ALL: &[Shape] = &[
            object(&[A]),
            object(&[A.aliases(&["b"])]),
            object(&[A.written(Written::Maybe)]),
            object(&[A.written(Written::Never)]),
            object(&[A.optional_if(true)]),
            object(&[A.default("1")]),
            object(&[A.default("2")]),
            object(&[A.ignored()]),
            object(&[A.of_shape(<Option<u8>>::SHAPE)]),
            object(&[A.of_shape(u8::SHAPE).named("c")]),
            object(&[]),
            Shape::Struct(Struct::new(&[A]).denying_unknown_fields()),
            object(&[Field::of::<serde_json::Value>("rest").flattened()]),
            Shape::Tuple(&[Element::of::<u8>()]),
            Shape::Tuple(&[Element::of::<u8>().with_default("1")]),
            one_of(&[UNIT]),
            one_of(&[UNIT.aliases(&["B"])]),
            one_of(&[UNIT.other()]),
            one_of(&[UNIT.kept(false, true)]),
            one_of(&[UNIT.kept(true, false)]),
            one_of(&[Variant::new("A", Body::Newtype(u8::SHAPE))]),
            Shape::Enum(Enum::new(&[UNIT]).tagged(Tagging::Internal { tag: "a" })),
            Shape::Enum(Enum::new(&[UNIT]).tagged(Tagging::Internal { tag: "b" })),
            untagged(&[UNIT]),
        ];
        for (place, one) in ALL.iter().enumerate() {
            for other in &ALL[..place] {
                assert_ne!(digest(one), digest(other), "{one:?}\n{other:?}");
            }
        }
    }

    #[test]
    fn what_is_no_part_of_the_json_is_no_part_of_the_digest() {
        const B: Field = Field::of::<bool>("b").aliases(&["c", "d"]);
        const SAME: &[Shape] = &[
            object(&[A, B]),
            object(&[B, A]),
            object(&[A, B.aliases(&["d", "c"])]),
            object(&[A, Field::new("x", &object(&[B])).flattened()]),
            object(&[A, B, Field::of::<u8>("skipped").skipped()]),
            // Not of a type, so the digest of its shape is not known at once.
            object(&[Field::new("a", u8::SHAPE), B]),
        ];
        for other in SAME {
            assert_eq!(digest(&SAME[0]), digest(other), "{other:?}");
        }
    }

    #[test]
    fn a_digest_vouches_for_nothing_that_cannot_read_itself_or_where_the_order_of_fields_counts() {
        const PLACED: Variant = Variant::new(
            "Placed",
            Body::Tuple(&[Element::of::<String>(), Element::of::<u8>()]),
        );
        const ONE: &Shape = &object(&[Field::of::<u8>("a"), Field::of::<String>("b")]);
        const OTHER: &Shape = &object(&[Field::of::<String>("b"), Field::of::<u8>("a")]);
        const BEFORE: &Shape = &untagged(&[Variant::new("Named", Body::Newtype(ONE)), PLACED]);
        const AFTER: &Shape = &untagged(&[Variant::new("Named", Body::Newtype(OTHER)), PLACED]);
        const AROUND: &Shape = &object(&[Field::new("x", BEFORE)]);
        const UNKNOWN: &Shape = &object(&[Field::new("x", &Shape::Unknown)]);
        assert_eq!(digest(BEFORE), digest(AFTER));
        assert!(compare(BEFORE, BEFORE).is_clean() && !compare(BEFORE, AFTER).is_clean());
        for shape in [BEFORE, AROUND, UNKNOWN] {
            assert_eq!(digest_of_released(shape), None, "{shape:?}");
        }
        assert_eq!(digest_of_released(ONE), Some(digest(OTHER)));
    }
}
