//! Stored payloads through the production path.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::event::{Event, PayloadError, StoredEvent};

/// An event as it would be stored now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    pub name: &'static str,
    pub version: u32,
    pub payload: String,
}

/// Why a payload is not read: an error, or a panic of a conversion.
pub(super) fn unread(error: &PayloadError) -> String {
    error.to_string()
}

/// What a stored payload is read as, written again.
pub(super) fn read<E: Event>(
    name: &str,
    version: u32,
    payload: &str,
) -> Result<Vec<Written>, String> {
    let stored = StoredEvent {
        name,
        schema_version: version,
        payload: payload.as_bytes(),
    };
    let events = decode::<E>(stored)?.map_err(|error| unread(&error))?;
    events.iter().map(write).collect()
}

/// Decodes, and catches what a conversion does.
pub(super) fn decode<E: Event>(
    stored: StoredEvent<'_>,
) -> Result<Result<Vec<E>, PayloadError>, String> {
    // A conversion takes its event by value, so whatever state it leaves behind is its own.
    let decoded = catch_unwind(AssertUnwindSafe(|| E::decode(stored)));
    let decoded = decoded.map_err(|panic| format!("reading it panicked: {}", text_of(&*panic)))?;
    Ok(decoded.map(|events| events.into_iter().collect()))
}

fn write<E: Event>(event: &E) -> Result<Written, String> {
    let mut payload = Vec::new();
    event
        .encode(&mut payload)
        .map_err(|error| error.to_string())?;
    Ok(Written {
        name: event.name(),
        version: event.schema_version(),
        payload: String::from_utf8(payload).map_err(|error| error.to_string())?,
    })
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    match panic.downcast_ref::<String>() {
        Some(text) => text,
        None => panic.downcast_ref::<&str>().copied().unwrap_or("?"),
    }
}

/// What was read, as samples expect it: the payload if it is one event of the name, else the list of events.
pub(super) fn expected_form(name: &str, events: &[Written]) -> Value {
    let value = |event: &Written| serde_json::from_str(&event.payload).unwrap_or(Value::Null);
    match events {
        [event] if event.name == name => value(event),
        events => events
            .iter()
            .map(|event| serde_json::json!({ "event": event.name, "payload": value(event) }))
            .collect(),
    }
}

/// Whether a version can be read. Only the code knows, so it is asked, with a payload that hardly fits: only an error that is
/// about the version says no.
pub(super) fn knows<E: Event>(name: &str, version: u32) -> Known {
    if !E::reads(name) {
        return Known::NotTheName;
    }
    let stored = StoredEvent {
        name,
        schema_version: version,
        payload: b"{}",
    };
    match decode::<E>(stored) {
        Ok(Err(PayloadError::Newer { .. })) => Known::Older,
        Ok(Err(PayloadError::Older { .. })) => Known::Newer,
        Ok(Err(PayloadError::Unknown)) => Known::NotTheName,
        _ => Known::Yes,
    }
}

/// What the code knows of a stored version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It reads it.
    Yes,
    /// It knows older versions only.
    Older,
    /// It knows newer versions only.
    Newer,
    /// It does not know the name.
    NotTheName,
}

/// Each name and version that can be read.
pub(super) fn readable<E: Event>() -> Vec<(&'static str, u32)> {
    let mut all = Vec::new();
    for name in E::NAMES.to_vec() {
        for version in 1.. {
            match knows::<E>(name, version) {
                Known::Yes => all.push((name, version)),
                Known::Newer => {}
                Known::Older | Known::NotTheName => break,
            }
        }
    }
    all
}
