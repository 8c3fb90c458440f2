//! From the event to its JSON.

use std::borrow::Cow;
use std::fmt::Write;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::Serialize;
use serde::ser::{Error, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::super::text::escaped;
use super::read::KNOWN;
use super::{CloudEvent, CloudEventError, is_allowed};
use crate::log::{Metadata, RecordedEvent};

pub(super) fn to_json(event: &CloudEvent) -> Result<Vec<u8>, CloudEventError> {
    if let Some(name) = KNOWN
        .iter()
        .find(|name| event.extensions.contains_key(**name))
    {
        return Err(CloudEventError::Invalid {
            attribute: name,
            reason: "an extension has this name; give it another".to_owned(),
        });
    }
    let payload: &RawValue = serde_json::from_slice(&event.recorded.payload)?;
    let mut out = Vec::with_capacity(512 + event.recorded.payload.len());
    serde_json::to_writer(&mut out, &Attributes { event, payload })?;
    Ok(out)
}

pub(super) fn event_type(recorded: &RecordedEvent) -> String {
    let category = text(recorded.stream.category().as_str());
    format!("{category}.{}", text(&recorded.name))
}

/// A text as CloudEvents allow it.
fn text(text: &str) -> Cow<'_, str> {
    escaped(text, is_allowed)
}

struct Attributes<'a> {
    event: &'a CloudEvent,
    payload: &'a RawValue,
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let recorded = &self.event.recorded;
        let Metadata {
            correlation,
            causation,
            actor,
            other,
        } = &recorded.metadata;

        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("specversion", "1.0")?;
        map.serialize_entry("id", &recorded.id)?;
        map.serialize_entry("source", self.event.source.as_str())?;
        map.serialize_entry("type", &event_type(recorded))?;
        map.serialize_entry("subject", &text(&recorded.stream.to_string()))?;
        map.serialize_entry("time", &rfc_3339(recorded.recorded_at))?;
        map.serialize_entry("position", &recorded.position.to_string())?;
        map.serialize_entry("streamversion", &recorded.version.to_string())?;
        map.serialize_entry("schemaversion", &recorded.schema_version.to_string())?;
        map.serialize_entry("category", &text(recorded.stream.category().as_str()))?;
        map.serialize_entry("streamid", &text(recorded.stream.id()))?;
        if let Some(tenant) = recorded.stream.tenant() {
            map.serialize_entry("tenant", &text(tenant.as_str()))?;
        }
        if let Some(correlation) = correlation {
            map.serialize_entry("correlationid", correlation)?;
        }
        if let Some(causation) = causation {
            map.serialize_entry("causationid", causation)?;
        }
        if let Some(actor) = actor {
            map.serialize_entry("actor", &text(actor))?;
        }
        if !other.is_empty() {
            let json = serde_json::to_string(other).map_err(S::Error::custom)?;
            // As JSON may write every character: a control character that stands in a string by itself is escaped by then.
            map.serialize_entry("metadata", &json_text(&json))?;
        }
        for (name, value) in &self.event.extensions {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("datacontenttype", "application/json")?;
        map.serialize_entry("data", self.payload)?;
        map.end()
    }
}

/// JSON text whose strings write what CloudEvents do not allow as `\uXXXX`: outside of strings there is no such character.
fn json_text(json: &str) -> Cow<'_, str> {
    if json.chars().all(is_allowed) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 8);
    for character in json.chars() {
        if is_allowed(character) {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing into a `String` does not fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    Cow::Owned(out)
}

/// A time as RFC 3339 can write it.
fn rfc_3339(time: DateTime<Utc>) -> String {
    let at = |year, month, day, micro| {
        let date = NaiveDate::from_ymd_opt(year, month, day)?;
        let (hour, rest) = if micro == 0 { (0, 0) } else { (23, 59) };
        Some(date.and_hms_micro_opt(hour, rest, rest, micro)?.and_utc())
    };
    let earliest = at(0, 1, 1, 0).unwrap_or(time);
    let latest = at(9999, 12, 31, 999_999).unwrap_or(time);
    time.clamp(earliest, latest)
        .to_rfc3339_opts(SecondsFormat::Micros, true)
}
