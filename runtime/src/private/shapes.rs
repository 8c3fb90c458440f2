//! The JSON shapes of events, states and value objects, as constants that cost nothing unless they are asked for.

use std::marker::PhantomData;

use super::{Stored, mix};
use crate::event::{Versioned, same};
use crate::schema::{Field, Read, Released, Shape, Shaped, digest};

pub use recount_schema::private::{Fallback as ShapeFallback, Probe as ShapeProbe};

/// The shape of one kind of payload: of a struct event, or of a variant with fields of its own.
pub trait EventShape {
    /// What its newest version writes and reads. A field whose type has no known shape is [`Shape::Unknown`].
    const SHAPE: &'static Shape;
    /// That of the shape, which the compiler finds out once: fingerprints are made of it, and locks ask for it.
    const DIGEST: u64 = digest(Self::SHAPE);
    /// The oldest version of it that is still read.
    const OLDEST: u32;
    /// What was released of it. Of several categories that have an event of its name it reads the first, or one of the others.
    const RELEASED: &'static [Released] = &[];
}

/// Whether it reads what was released, which is looked at only where its digest is none of these.
pub const fn reads_released<E: EventShape + ?Sized>(digests: &[u64]) -> Read {
    let mut next = 0;
    while next < digests.len() {
        if digests[next] == E::DIGEST {
            return Read::WHOLLY;
        }
        next += 1;
    }
    compared::<E>()
}

/// A function of its own, so that its constants are evaluated when it is called.
const fn compared<E: EventShape + ?Sized>() -> Read {
    let Some((first, others)) = E::RELEASED.split_first() else {
        panic!("nothing of it was released")
    };
    let mut read = first.read_as(E::SHAPE);
    let mut next = 0;
    while next < others.len() {
        read = read.or(others[next]);
        next += 1;
    }
    read
}

/// The shape of a state, where snapshots of it are taken.
pub trait StateShape {
    /// What a snapshot holds. A field whose type has no known shape is [`Shape::Unknown`].
    const SHAPE: &'static Shape;
}

/// The shape of one kind of payload, and where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredShape {
    /// The stored name.
    pub name: &'static str,
    /// The version of what is written.
    pub version: u32,
    /// The oldest version that is still read.
    pub oldest: u32,
    /// The shape of what is written.
    pub shape: &'static Shape,
}

/// The shapes of an event type: one for a struct, one for each variant of an enum. None for an event written by hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shapes {
    own: &'static [StoredShape],
    others: &'static [&'static Shapes],
}

impl Shapes {
    /// Those that are known at once.
    pub const fn new(own: &'static [StoredShape]) -> Self {
        Self { own, others: &[] }
    }

    /// With those of the events inside.
    #[must_use]
    pub const fn with(mut self, others: &'static [&'static Shapes]) -> Self {
        self.others = others;
        self
    }

    /// Of a struct event.
    pub const fn of<E: EventShape + Versioned>() -> Self {
        Of::<E>::SHAPES
    }

    /// All of them.
    pub fn list(&self) -> Vec<&'static StoredShape> {
        let others = self.others.iter().flat_map(|shapes| shapes.list());
        self.own.iter().chain(others).collect()
    }

    /// The one that is stored under a name.
    pub(super) const fn named(&self, name: &str) -> Option<&'static StoredShape> {
        let mut next = 0;
        while next < self.own.len() {
            if same(self.own[next].name, name) {
                return Some(&self.own[next]);
            }
            next += 1;
        }
        let mut next = 0;
        while next < self.others.len() {
            if let Some(found) = self.others[next].named(name) {
                return Some(found);
            }
            next += 1;
        }
        None
    }

    /// That of the struct event at a place of the list.
    pub(super) const fn at(&self, place: u32) -> Option<&'static StoredShape> {
        let place = place as usize;
        if place >= self.others.len() {
            return None;
        }
        match self.others[place].own {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The oldest version that a struct event reads, if that is known.
    pub(super) const fn oldest(&self, otherwise: u32) -> u32 {
        match self.own {
            [one] => one.oldest,
            _ => otherwise,
        }
    }
}

struct Of<E>(PhantomData<E>);

impl<E: EventShape + Versioned> Of<E> {
    const SHAPES: Shapes = Shapes::new(&[variant::<E>(E::NAME, E::VERSION)]);
}

/// The shape of a variant with fields of its own.
pub const fn variant<E: EventShape>(name: &'static str, version: u32) -> StoredShape {
    StoredShape {
        name,
        version,
        oldest: E::OLDEST,
        shape: E::SHAPE,
    }
}

/// A hash of tokens and of a shape: so a change counts wherever it is made.
pub const fn deep(tokens: u64, shape: &Shape) -> u64 {
    mix(tokens, digest(shape))
}

/// [`ShapeProbe`] for a field: one look at the type instead of two. [`FieldFallback`] must be in scope.
pub struct FieldProbe<T: ?Sized>(PhantomData<T>);

impl<T: Shaped + ?Sized> FieldProbe<T> {
    /// A field of the type, without a name.
    pub const FIELD: Field = Field::of::<T>("");
}

/// What is said of a field whose type has no shape.
pub trait FieldFallback {
    /// Nothing is known.
    const FIELD: Field = Field::new("", &Shape::Unknown);
}

impl<T: ?Sized> FieldFallback for FieldProbe<T> {}

/// The field with its name.
pub const fn field(name: &'static str, of: Field) -> Field {
    of.named(name)
}

/// Says that `derive(ValueObject)` was written.
pub trait DerivesValueObject {}

/// What every value object must be. Each part is a trait of its own, so that what is missing is named once.
pub const fn value_object<T: Comparable + Replaceable + Stored>() {}

/// Is compared by value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no value object: two of the same value could not be told to be equal",
    label = "does not implement `PartialEq`",
    note = "write `#[derive(PartialEq)]` on `{Self}`"
)]
pub trait Comparable {}

#[diagnostic::do_not_recommend]
impl<T: PartialEq> Comparable for T {}

/// Is replaced by another one instead of changed, and so handed on by value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no value object: it could not be handed on by value",
    label = "does not implement `Clone`",
    note = "write `#[derive(Clone)]` on `{Self}`"
)]
pub trait Replaceable {}

#[diagnostic::do_not_recommend]
impl<T: Clone> Replaceable for T {}
