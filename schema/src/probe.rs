//! The shape of a type that may have none.

use std::marker::PhantomData;

use crate::{Shape, Shaped};

/// `Probe::<T>::SHAPE` is the type's shape if it is [`Shaped`], else [`Shape::Unknown`].
///
/// An associated constant of the type itself is preferred to one of a trait, and applies only where its bound holds. So it
/// decides for types that are known where it stands, not for type parameters. [`Fallback`] must be in scope.
pub struct Probe<T: ?Sized>(PhantomData<T>);

impl<T: Shaped + ?Sized> Probe<T> {
    /// The shape.
    pub const SHAPE: &'static Shape = T::SHAPE;
    /// Whether a field of the type may be missing.
    pub const MAY_BE_MISSING: bool = T::MAY_BE_MISSING;
}

/// What is said of a type without a shape.
pub trait Fallback {
    /// Nothing is known.
    const SHAPE: &'static Shape = &Shape::Unknown;
    /// Nothing allows it.
    const MAY_BE_MISSING: bool = false;
}

impl<T: ?Sized> Fallback for Probe<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    struct Foreign;

    #[test]
    fn a_type_without_a_shape_is_unknown_and_one_with_a_shape_is_not() {
        const FOREIGN: &Shape = Probe::<Foreign>::SHAPE;
        const OWN: &Shape = Probe::<Option<u8>>::SHAPE;
        const INSIDE: &Shape = Probe::<Vec<Foreign>>::SHAPE;
        assert_eq!(FOREIGN, &Shape::Unknown);
        assert_eq!(INSIDE, &Shape::Unknown);
        assert_eq!(OWN, <Option<u8>>::SHAPE);
        const { assert!(Probe::<Option<u8>>::MAY_BE_MISSING && !Probe::<Foreign>::MAY_BE_MISSING) }
    }
}
