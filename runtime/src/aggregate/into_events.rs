//! What a command may return.

use super::Apply;

/// The events that a command decided, in order, as the aggregate's own enum.
///
/// ```
/// use recount::aggregate::Events;
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
///
/// let events = Events::<Counter>::of(vec![Counted { by: 1 }, Counted { by: 2 }]);
/// assert_eq!(events.len(), 2);
/// ```
pub struct Events<A: Apply>(Vec<A::Event>);

impl<A: Apply> Events<A> {
    /// What a command returned, as one list.
    pub fn of(events: impl IntoEvents<A>) -> Self {
        let mut all = Self(Vec::new());
        events.into_events(&mut all);
        all
    }

    /// Adds one at the end.
    pub fn push(&mut self, event: A::Event) {
        self.0.push(event);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<A: Apply> IntoIterator for Events<A> {
    type Item = A::Event;
    type IntoIter = std::vec::IntoIter<A::Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// What a command may return: an event that the aggregate applies, or a tuple, `Option`, `Vec` or array of such.
///
/// The [`apply`](macro@crate::apply) macro implements it for each event of the block, so an event that nothing applies
/// cannot be recorded.
///
/// ```
/// use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
///
/// impl Counter {
///     fn count_twice(&self, by: i64) -> (Counted, Option<Counted>) {
///         (Counted { by }, (by > 0).then_some(Counted { by }))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{A}` has no `#[apply]` method for `{Self}`: the event would be stored and never applied",
    label = "`{A}` does not apply this",
    note = "add to the `#[apply] impl {A}` block: `fn NAME(&mut self, event: {Self}) {{ … }}`; where a newer version follows `{Self}`, return that one instead"
)]
pub trait IntoEvents<A: Apply> {
    /// Adds its events at the end.
    fn into_events(self, events: &mut Events<A>);
}

impl<A: Apply> IntoEvents<A> for () {
    fn into_events(self, _: &mut Events<A>) {}
}

/// No `Result` is recorded: what is said of one is how to take its events out.
impl<A: Apply, T, E> IntoEvents<A> for Result<T, E>
where
    T: crate::__private::Unwrapped<E>,
{
    fn into_events(self, _: &mut Events<A>) {}
}

impl<A: Apply, E: IntoEvents<A>> IntoEvents<A> for Option<E> {
    fn into_events(self, events: &mut Events<A>) {
        if let Some(event) = self {
            event.into_events(events);
        }
    }
}

impl<A: Apply, E: IntoEvents<A>> IntoEvents<A> for Vec<E> {
    fn into_events(self, events: &mut Events<A>) {
        for event in self {
            event.into_events(events);
        }
    }
}

impl<A: Apply, E: IntoEvents<A>, const N: usize> IntoEvents<A> for [E; N] {
    fn into_events(self, events: &mut Events<A>) {
        for event in self {
            event.into_events(events);
        }
    }
}

impl<A: Apply> IntoEvents<A> for Events<A> {
    fn into_events(self, events: &mut Events<A>) {
        events.0.extend(self.0);
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))+) => {$(
        impl<A: Apply, $($name: IntoEvents<A>),+> IntoEvents<A> for ($($name,)+) {
            #[allow(non_snake_case, reason = "the macro names each value after its type parameter")]
            fn into_events(self, events: &mut Events<A>) {
                let ($($name,)+) = self;
                $($name.into_events(events);)+
            }
        }
    )+};
}

tuples! { (T1) (T1 T2) (T1 T2 T3) (T1 T2 T3 T4) (T1 T2 T3 T4 T5) (T1 T2 T3 T4 T5 T6) (T1 T2 T3 T4 T5 T6 T7) (T1 T2 T3 T4 T5 T6 T7 T8) }
