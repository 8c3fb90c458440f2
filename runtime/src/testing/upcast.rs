//! What a stored event is read as.

use serde_json::Value;

use super::difference::{Shown, difference, list};
use super::stored::short_name;
use super::{Pattern, Refusal as _};
use crate::aggregate::Apply;
use crate::event::{Event, PayloadError, StoredEvent};

/// A stored event whose reading is tested: made by [`upcast`] or [`stored`].
#[derive(Debug, Clone)]
pub struct Stored {
    name: String,
    schema_version: u32,
    payload: Vec<u8>,
}

/// Begins a test of an upcast: an event as an earlier release recorded it.
///
/// ```
/// use recount::prelude::*;
/// use recount::testing::upcast;
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// pub struct WorkoutScheduled { pub zone: String }
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// #[event(upcast_from = WorkoutScheduled)]
/// pub struct WorkoutScheduledV2 { pub zones: Vec<String> }
///
/// impl From<WorkoutScheduled> for WorkoutScheduledV2 {
///     fn from(old: WorkoutScheduled) -> Self { Self { zones: vec![old.zone] } }
/// }
///
/// upcast(&WorkoutScheduled { zone: "Z2".into() })
///     .then(WorkoutScheduledV2 { zones: vec!["Z2".into()] });
/// ```
///
/// # Panics
/// When the event cannot be stored.
#[must_use = "say what it is read as: `.then(event)`"]
#[track_caller]
pub fn upcast<E: Event>(old: &E) -> Stored {
    let mut payload = Vec::new();
    if let Err(error) = old.encode(&mut payload) {
        panic!("event {} cannot be stored: {error}", old.name());
    }
    Stored {
        name: old.name().to_owned(),
        schema_version: old.schema_version(),
        payload,
    }
}

/// Begins a test of what stored JSON is read as, where its type is no more.
///
/// ```
/// use recount::prelude::*;
/// use recount::event::PayloadError;
/// use recount::testing::{pattern, stored};
/// use recount::serde_json::{Value, json};
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// #[event(upcast_json(1 => cents))]
/// pub struct PaidV2 { pub cents: i64 }
///
/// fn cents(old: Value) -> Value {
///     json!({ "cents": old["euros"].as_i64().map(|euros| euros * 100) })
/// }
///
/// stored("Paid", 1, json!({ "euros": 5 })).then(PaidV2 { cents: 500 });
/// stored("Paid", 3, json!({})).then_err::<PaidV2>(pattern!(PayloadError::Newer { stored: 3, .. }));
/// ```
#[expect(
    clippy::needless_pass_by_value,
    reason = "json!(…) is written in place"
)]
pub fn stored(name: &str, schema_version: u32, payload: Value) -> Stored {
    Stored {
        name: name.to_owned(),
        schema_version,
        payload: payload.to_string().into_bytes(),
    }
}

impl Stored {
    /// It is read as this event, or as an array or a `Vec` of events when it is split.
    ///
    /// # Panics
    /// When it cannot be read, or is read as others.
    #[track_caller]
    pub fn then<E: Event>(&self, events: impl Several<E>) -> &Self {
        let expected = Shown::expected(events.several());
        match self.read::<E>() {
            Ok(read) => {
                if let Some(lines) = difference(&expected, &read) {
                    panic!(
                        "the stored event is read as something else (- expected, + read)\n\n    {}\n  is read as\n{lines}",
                        self.shown()
                    );
                }
            }
            Err(error) => panic!("{} cannot be read: {error}", self.shown()),
        }
        self
    }

    /// It is read as no event: an upcast drops it.
    ///
    /// # Panics
    /// When it cannot be read, or is read as an event.
    #[track_caller]
    pub fn then_nothing<E: Event>(&self) -> &Self {
        self.then(Vec::<E>::new())
    }

    /// It is passed over by this aggregate, whose attribute says `retired("…")` of its name.
    ///
    /// # Panics
    /// When the aggregate does not say so.
    #[track_caller]
    pub fn then_retired<A: Apply>(&self) -> &Self {
        assert!(
            A::RETIRED.contains(&self.name.as_str()),
            "`{}` does not say `retired({:?})`",
            short_name::<A>(),
            self.name
        );
        self
    }

    /// It cannot be read as an `E`, for this reason.
    ///
    /// # Panics
    /// When it can be read, or cannot for another reason.
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a test writes the pattern where it is expected"
    )]
    pub fn then_err<E: Event>(&self, expected: Pattern<impl Fn(&PayloadError) -> bool>) -> &Self {
        match self.read::<E>() {
            Ok(read) => panic!(
                "the stored event should not be readable\n\n    {}\n  expected {}, but it is read as\n{}",
                self.shown(),
                expected.describe(),
                list(&read)
            ),
            Err(error) => assert!(
                expected.matches(&error),
                "the stored event cannot be read for another reason\n\n    {}\n  then\n    - {}\n    + {error:?}\n",
                self.shown(),
                expected.describe()
            ),
        }
        self
    }

    fn read<E: Event>(&self) -> Result<Vec<Shown>, PayloadError> {
        read::<E>(&self.name, self.schema_version, &self.payload)
    }

    fn shown(&self) -> Shown {
        Shown::stored(&self.name, self.schema_version, &self.payload)
    }
}

/// One event, or several: what a stored event may be read as.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an event nor several",
    note = "write an event, or an array or `Vec` of events of one type"
)]
pub trait Several<E> {
    /// The events, in order.
    fn several(self) -> Vec<E>;
}

impl<E: Event> Several<E> for E {
    fn several(self) -> Vec<E> {
        vec![self]
    }
}

impl<E: Event> Several<E> for Vec<E> {
    fn several(self) -> Vec<E> {
        self
    }
}

impl<E: Event, const N: usize> Several<E> for [E; N] {
    fn several(self) -> Vec<E> {
        self.into()
    }
}

/// What a stored event is read as, through the path that every load takes.
pub(super) fn read<E: Event>(
    name: &str,
    schema_version: u32,
    payload: &[u8],
) -> Result<Vec<Shown>, PayloadError> {
    if !E::reads(name) {
        return Err(PayloadError::Unknown);
    }
    let decoded = E::decode(StoredEvent {
        name,
        schema_version,
        payload,
    })?;
    decoded.into_iter().map(|event| Shown::of(&event)).collect()
}
