//! What stored streams are found by.

use super::describe::{kind, range};
use crate::text::Text;
use crate::{Shape, digest};

/// What the streams of an aggregate are found by, as it was released: its category and the form of its id.
///
/// A stream is stored under the text of its id, and found by that text alone. An id that is written in another way, or that cannot
/// be every id that was stored, finds other streams or none.
///
/// ```
/// use recount_schema::{Shape, Shaped, StreamKey};
///
/// const RELEASED: StreamKey = StreamKey { category: "invoice", id: u32::SHAPE };
/// const _: () = RELEASED.assert_kept(u64::SHAPE); // the same digits
/// assert!(!RELEASED.is_kept(String::SHAPE));
/// ```
///
/// ```compile_fail
/// # use recount_schema::{Shape, Shaped, StreamKey};
/// # const RELEASED: StreamKey = StreamKey { category: "invoice", id: u32::SHAPE };
/// // [RC1043] streams stored as `invoice` have ids of the form u32 0..=4294967295, which is string here: they would not be found
/// const _: () = RELEASED.assert_kept(String::SHAPE);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct StreamKey {
    /// The category of the streams.
    pub category: &'static str,
    /// The form of the id.
    pub id: &'static Shape,
}

impl StreamKey {
    /// Whether ids of this form find all streams that were stored: the same form, or an integer that holds more.
    pub const fn is_kept(&self, id: &Shape) -> bool {
        match (self.id, id) {
            (Shape::Int(stored), Shape::Int(id)) => id.holds(stored),
            (stored, id) => digest(stored) == digest(id),
        }
    }

    /// Panics, while compiling, if ids of this form do not find all streams that were stored.
    ///
    /// # Panics
    ///
    /// That is its purpose.
    #[track_caller]
    pub const fn assert_kept(&self, id: &Shape) {
        if self.is_kept(id) {
            return;
        }
        let text = Text::<512>::new()
            .with("[RC1043] streams stored as `")
            .with(self.category)
            .with("` have ids of the form ")
            .with(form(self.id).as_str())
            .with(", which is ")
            .with(form(id).as_str())
            .with(" here: they would not be found\n\nhelp: take an id of the form ")
            .with(form(self.id).as_str());
        panic!("{}", text.as_str());
    }
}

/// `uuid`, `u32 0..=4294967295`.
const fn form(shape: &Shape) -> Text<48> {
    match shape {
        Shape::Int(int) => range(int),
        other => kind(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Shaped};

    #[test]
    fn an_id_is_kept_by_the_same_form_and_by_an_integer_that_holds_more_and_by_nothing_else() {
        const UUID: &Shape = &Shape::String(Format::Uuid);
        let key = |id| StreamKey {
            category: "workout",
            id,
        };
        assert!(key(UUID).is_kept(UUID));
        assert!(key(u32::SHAPE).is_kept(u64::SHAPE) && !key(u64::SHAPE).is_kept(u32::SHAPE));
        for other in [String::SHAPE, u128::SHAPE, &Shape::Unknown] {
            assert!(!key(UUID).is_kept(other) && !key(other).is_kept(UUID));
        }
    }
}
