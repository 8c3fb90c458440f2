//! Reading a stored event and handing it to the method that folds it.

use crate::aggregate::EventContext;
use crate::event::{DecodeError, Decoded, PayloadError, StoredEvent};
use crate::log::Record;
use crate::projection::Envelope;

/// What replaying an event gives.
pub type Replayed = Result<(), Box<DecodeError>>;

/// How a stored event is read: `<E as Event>::decode`. It is handed in, so that nothing here asks for `E: Event` and a
/// type that is no event is reported once, where the macro names it.
pub trait Decode<E>: Fn(StoredEvent<'_>) -> Result<Decoded<E>, PayloadError> {}

impl<E, F: Fn(StoredEvent<'_>) -> Result<Decoded<E>, PayloadError>> Decode<E> for F {}

/// Hands each event that a record is read as to `handle`.
#[inline]
fn each<E>(
    record: &Record<'_>,
    decode: impl Decode<E>,
    mut handle: impl FnMut(E) -> Result<(), PayloadError>,
) -> Replayed {
    let decoded = decode((*record).into()).map_err(|error| DecodeError::at(record, error))?;
    match decoded {
        Decoded::One(event) => handle(event),
        Decoded::Many(events) => events.into_iter().try_for_each(handle),
    }
    .map_err(|error| DecodeError::at(record, error))
}

/// Replays an event that changes the state.
#[inline]
pub fn evolve<A, E>(
    state: &mut Option<A>,
    record: &Record<'_>,
    decode: impl Decode<E>,
    method: impl Fn(&mut A, E),
) -> Replayed {
    each(record, decode, |event| {
        evolved(state, |state| method(state, event))
    })
}

/// Replays an event that changes the state, with its context.
#[inline]
pub fn evolve_at<A, E>(
    state: &mut Option<A>,
    record: &Record<'_>,
    decode: impl Decode<E>,
    method: impl Fn(&mut A, E, &EventContext),
) -> Replayed {
    let context = EventContext::of(record).map_err(|error| DecodeError::at(record, error))?;
    each(record, decode, |event| {
        evolved(state, |state| method(state, event, &context))
    })
}

/// Replays an event that makes the state.
#[inline]
pub fn create<A, E>(
    state: &mut Option<A>,
    record: &Record<'_>,
    decode: impl Decode<E>,
    method: impl Fn(E) -> A,
) -> Replayed {
    each(record, decode, |event| created(state, || method(event)))
}

/// Replays an event that makes the state, with its context.
#[inline]
pub fn create_at<A, E>(
    state: &mut Option<A>,
    record: &Record<'_>,
    decode: impl Decode<E>,
    method: impl Fn(E, &EventContext) -> A,
) -> Replayed {
    let context = EventContext::of(record).map_err(|error| DecodeError::at(record, error))?;
    each(record, decode, |event| {
        created(state, || method(event, &context))
    })
}

/// Changes a state that is there.
#[inline]
fn evolved<A>(state: &mut Option<A>, method: impl FnOnce(&mut A)) -> Result<(), PayloadError> {
    match state {
        Some(state) => {
            method(state);
            Ok(())
        }
        None => Err(PayloadError::BeforeCreation),
    }
}

/// Makes a state that is not there.
#[inline]
fn created<A>(state: &mut Option<A>, method: impl FnOnce() -> A) -> Result<(), PayloadError> {
    if state.is_some() {
        return Err(PayloadError::CreatedTwice);
    }
    *state = Some(method());
    Ok(())
}

/// A stored event that no method reads: nothing happens when its name is retired, anything else is an error.
#[cold]
pub fn passed_over(record: &Record<'_>, retired: &[&str]) -> Replayed {
    if retired.contains(&record.name()) {
        Ok(())
    } else {
        Err(DecodeError::at(record, PayloadError::Unknown))
    }
}

/// Whether a stored event can be read as this type.
#[cold]
pub fn readable<E>(record: &Record<'_>, decode: impl Decode<E>) -> Replayed {
    match decode((*record).into()) {
        Ok(_) => Ok(()),
        Err(error) => Err(DecodeError::at(record, error)),
    }
}

/// Hands an event to a projection's method.
#[inline]
pub fn project<E>(
    record: &Record<'_>,
    decode: impl Decode<E>,
    mut method: impl FnMut(E),
) -> Replayed {
    each(record, decode, |event| {
        method(event);
        Ok(())
    })
}

/// Hands an event to a projection's method, with its envelope.
#[inline]
pub fn project_at<E>(
    record: &Record<'_>,
    decode: impl Decode<E>,
    mut method: impl FnMut(E, &Envelope),
) -> Replayed {
    let envelope = envelope(record)?;
    each(record, decode, |event| {
        method(event, &envelope);
        Ok(())
    })
}

/// What is known of a stored event besides its content.
#[inline]
pub fn envelope(record: &Record<'_>) -> Result<Envelope, Box<DecodeError>> {
    Envelope::of(record).map_err(|error| DecodeError::at(record, error))
}
