//! Value objects: what has no identity, only a value.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::schema::Shaped;

/// A value object: compared by its value, replaced rather than changed, and stored in a JSON that is known.
///
/// Derive it. A function that takes any of them writes it as a bound.
///
/// ```
/// use recount::ValueObject;
/// use recount::prelude::{Deserialize, Serialize};
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
/// pub struct Cents(pub i64);
///
/// /// What changed, as a log for people has it.
/// fn change<V: ValueObject + std::fmt::Debug>(before: &V, after: &V) -> Option<String> {
///     (before != after).then(|| format!("{before:?} -> {after:?}"))
/// }
/// assert_eq!(change(&Cents(1), &Cents(2)).as_deref(), Some("Cents(1) -> Cents(2)"));
/// assert_eq!(change(&Cents(1), &Cents(1)), None);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value object",
    label = "not a value object",
    note = "write `#[derive(Clone, PartialEq, Serialize, Deserialize, ValueObject)]` on `{Self}`"
)]
pub trait ValueObject: Shaped + Clone + PartialEq + Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T> ValueObject for T where
    T: crate::__private::DerivesValueObject
        + Shaped
        + Clone
        + PartialEq
        + Serialize
        + DeserializeOwned
{
}
