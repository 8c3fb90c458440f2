//! How a case says what a store did and what it should have done.

use std::error::Error;
use std::fmt::{Debug, Display};

use crate::log::{
    AppendError, Appended, EventId, Expected, ReadError, RecordedEvent, StreamId, Version,
};
use crate::store::{CheckpointError, StoreError};

/// What a store answered, where a case knows whether that should be a result or an error.
pub(super) trait Answer<T, E> {
    /// The result that there should be.
    #[track_caller]
    fn succeeds(self) -> T;

    /// The error that there should be, and why.
    #[track_caller]
    fn fails(self, because: &str) -> E;
}

impl<T: Debug, E: Failure> Answer<T, E> for Result<T, E> {
    #[track_caller]
    fn succeeds(self) -> T {
        match self {
            Ok(result) => result,
            Err(error) => panic!(
                "{} failed, but it should succeed\n   error: {}",
                E::CALL,
                with_causes(&error)
            ),
        }
    }

    #[track_caller]
    fn fails(self, because: &str) -> E {
        match self {
            Ok(result) => panic!(
                "{} succeeded, but it should fail: {because}\n  result: {}",
                E::CALL,
                short(&format!("{result:?}"))
            ),
            Err(error) => error,
        }
    }
}

/// An error, and the call that it is of.
pub(super) trait Failure: Error {
    const CALL: &str;
}

impl Failure for AppendError {
    const CALL: &str = "the append";
}

impl Failure for ReadError {
    const CALL: &str = "the read";
}

impl Failure for StoreError {
    const CALL: &str = "the call";
}

impl Failure for CheckpointError {
    const CALL: &str = "saving the checkpoint";
}

/// What a conflict says: whose it is, what was expected, and what is there.
#[track_caller]
pub(super) fn conflict(
    outcome: Result<Appended, AppendError>,
    because: &str,
) -> (StreamId, Expected, Version) {
    match outcome.fails(because) {
        AppendError::Conflict {
            stream,
            expected,
            actual,
        } => (stream, expected, actual),
        error => otherwise("a conflict", because, &error),
    }
}

/// What a refused id says: which it is, and where it stands.
#[track_caller]
pub(super) fn duplicate(
    outcome: Result<Appended, AppendError>,
    because: &str,
) -> (EventId, StreamId, Version) {
    match outcome.fails(because) {
        AppendError::Duplicate {
            event,
            stream,
            version,
        } => (event, stream, version),
        error => otherwise("a duplicate", because, &error),
    }
}

/// Fails a case whose store failed as well, but in another way.
#[track_caller]
pub(super) fn otherwise<E: Failure>(wanted: &str, because: &str, error: &E) -> ! {
    panic!(
        "{} failed with another error than {wanted}: {because}\n   error: {}\n   found: {error:?}",
        E::CALL,
        with_causes(error)
    )
}

/// Whether what was found is what the promise says.
#[track_caller]
#[expect(
    clippy::needless_pass_by_value,
    reason = "a case gives what it was answered, which it has no further use for"
)]
pub(super) fn same<T: Debug + PartialEq<U>, U: Debug>(promise: impl Display, found: T, wanted: U) {
    assert!(
        found == wanted,
        "the store does not keep this: {promise}\n   found: {}\n  wanted: {}",
        short(&format!("{found:?}")),
        short(&format!("{wanted:?}"))
    );
}

/// As [`same`], for bytes that are text.
#[track_caller]
pub(super) fn same_text(promise: impl Display, found: &[u8], wanted: &[u8]) {
    if found != wanted {
        let [found, wanted] = [found, wanted].map(String::from_utf8_lossy);
        same(promise, found, wanted);
    }
}

/// As [`same`], for lists, of which only the first difference is told.
#[track_caller]
pub(super) fn same_list<T: Debug + PartialEq>(promise: impl Display, found: &[T], wanted: &[T]) {
    same_shown(promise, found, wanted, |item| format!("{item:?}"));
}

/// As [`same_list`], for events.
#[track_caller]
pub(super) fn same_events(
    promise: impl Display,
    found: &[RecordedEvent],
    wanted: &[RecordedEvent],
) {
    same_shown(promise, found, wanted, shown);
}

#[track_caller]
fn same_shown<T: PartialEq>(
    promise: impl Display,
    found: &[T],
    wanted: &[T],
    show: impl Fn(&T) -> String,
) {
    if found == wanted {
        return;
    }
    let both = found.iter().zip(wanted);
    let index = both.take_while(|(found, wanted)| found == wanted).count();
    let at = |list: &[T]| {
        list.get(index)
            .map_or_else(|| "nothing".to_owned(), |item| short(&show(item)))
    };
    panic!(
        "the store does not keep this: {promise}\n  {} were found and {} wanted; the first that differs, number {}, is\n   found: {}\n  wanted: {}",
        found.len(),
        wanted.len(),
        index + 1,
        at(found),
        at(wanted)
    );
}

/// An event as a person reads it.
pub(super) fn shown(event: &RecordedEvent) -> String {
    format!(
        "{} of {} at position {}, {} schema {} {}, id {}, recorded at {}, metadata {}",
        event.version,
        event.stream,
        event.position,
        event.name,
        event.schema_version,
        String::from_utf8_lossy(&event.payload),
        event.id.0,
        event.recorded_at,
        event.metadata.to_json().unwrap_or_default()
    )
}

/// An error and all that is behind it.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// As much of a text as helps.
fn short(text: &str) -> String {
    const MOST: usize = 600;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}
