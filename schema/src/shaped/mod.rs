//! The trait of types whose JSON is known.

#[cfg(feature = "chrono")]
mod chrono;
#[cfg(feature = "serde_json")]
mod json;
mod std;
#[cfg(feature = "uuid")]
mod uuid;

use crate::Shape;

/// A type whose JSON is known.
///
/// It is there for the types of the standard library that serde writes and reads, and derived for others. What the shape says
/// must be what `Serialize` writes and `Deserialize` reads.
///
/// ```
/// use recount_schema::{Field, Shape, Shaped, Struct};
///
/// struct Address { street: String, floor: Option<u32> }
///
/// impl Shaped for Address {
///     const SHAPE: &'static Shape =
///         &Shape::Struct(Struct::new(&[Field::of::<String>("street"), Field::of::<Option<u32>>("floor")]));
/// }
///
/// /// A newtype has the shape of what is in it, and so cannot be told apart.
/// struct Home(Address);
///
/// impl Shaped for Home {
///     const SHAPE: &'static Shape = Address::SHAPE;
/// }
/// assert_eq!(<Vec<Home>>::SHAPE, <Vec<Address>>::SHAPE);
/// # let home = Home(Address { street: String::new(), floor: None }); let _ = (home.0.street, home.0.floor);
/// ```
///
/// A type that contains itself cannot name its own constant while that is computed. In its place stands a type whose shape is
/// a [`Shape::Ref`]; so no implementation here asks for more than the shape of its parts, not even sets for `Ord`.
///
/// ```
/// use recount_schema::{Field, Shape, Shaped, Struct};
///
/// struct Tree { children: Vec<Tree> }
///
/// impl Shaped for Tree {
///     const SHAPE: &'static Shape = {
///         struct Itself;
///         impl Shaped for Itself { const SHAPE: &'static Shape = &Shape::Ref("Tree"); }
///         &Shape::Recursive { name: "Tree", shape: &Shape::Struct(Struct::new(&[Field::of::<Vec<Itself>>("children")])) }
///     };
/// }
/// # let _ = Tree { children: Vec::new() }.children;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no known JSON shape: a change inside it could make stored events unreadable unnoticed",
    label = "its JSON is not known",
    note = "derive `ValueObject` for it, or name it `opaque`"
)]
pub trait Shaped {
    /// The shape of its JSON.
    const SHAPE: &'static Shape;

    /// Whether a field of this type may be missing without a default: `Option`, and what is transparent around one, but not a
    /// newtype that is not `#[serde(transparent)]`, although it has the same shape.
    const MAY_BE_MISSING: bool = false;
}

/// The shape of a type that stands within others, which contain it and which it contains: where those come again, it refers to
/// them by name. They are a tuple in the order of their names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say that it and other types contain each other",
    label = "it has no shape that refers to all of `{Enclosing}`",
    note = "write `#[value(recursive_with(…))]` on each of the types that contain each other, with all the others"
)]
pub trait ShapedWithin<Enclosing> {
    /// The shape of its JSON.
    const SHAPE: &'static Shape;

    /// As [`Shaped::MAY_BE_MISSING`].
    const MAY_BE_MISSING: bool = false;
}
