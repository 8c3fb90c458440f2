//! From JSON to the event: strict in what an event of a log has, tolerant of what others add.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::text::unescaped;
use super::{CloudEvent, CloudEventError, Source};
use crate::clock::as_kept;
use crate::log::check_name;
use crate::log::{
    Category, EventId, Metadata, NewEvent, Position, RecordedEvent, StreamId, TenantId, Version,
};

/// The names that an extension cannot have.
pub(super) const KNOWN: [&str; 19] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "position",
    "streamversion",
    "schemaversion",
    "category",
    "streamid",
    "tenant",
    "correlationid",
    "causationid",
    "actor",
    "metadata",
    "datacontenttype",
    "data",
    "data_base64",
];

pub(super) fn from_json(json: &[u8]) -> Result<CloudEvent, CloudEventError> {
    let mut members: Members<'_> = serde_json::from_slice(json)?;
    let payload = members.0.remove("data");
    // Null says of an attribute that it is not there; as the payload it is a value.
    members.0.retain(|_, value| value.get() != "null");

    if members.required("specversion")? != "1.0" {
        return Err(invalid("specversion", "only 1.0 is read"));
    }
    if members.0.contains_key("data_base64") {
        return Err(invalid(
            "data_base64",
            "the payload of a log's event is JSON",
        ));
    }
    if let Some(kind) = members.text("datacontenttype")? {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(invalid("datacontenttype", "only application/json is read"));
        }
    }
    let payload = payload.ok_or(CloudEventError::Missing { attribute: "data" })?;

    let category = members.name("category", Category::new)?;
    let tenant = members
        .unescaped("tenant")?
        .map(|tenant| TenantId::new(tenant).map_err(|error| invalid("tenant", error)))
        .transpose()?;
    let id = members.name("streamid", |id| StreamId::in_category(category.clone(), id))?;
    let stream = id.in_tenant(tenant);

    let recorded = RecordedEvent {
        position: Position(members.number("position")?),
        version: Version(members.number("streamversion")?),
        id: EventId(members.uuid("id")?.ok_or(missing("id"))?),
        name: members.event_name(&category)?,
        schema_version: u32::try_from(members.number("schemaversion")?)
            .map_err(|error| invalid("schemaversion", error))?,
        recorded_at: members.time()?,
        metadata: members.metadata()?,
        payload: payload.get().as_bytes().to_vec(),
        stream,
    };
    let source = Source::new(&members.required("source")?)?;
    // It is made of the stream's parts, for others.
    members.0.remove("subject");
    Ok(CloudEvent {
        source,
        recorded,
        extensions: members.others()?,
    })
}

fn missing(attribute: &'static str) -> CloudEventError {
    CloudEventError::Missing { attribute }
}

fn invalid(attribute: &'static str, reason: impl fmt::Display) -> CloudEventError {
    CloudEventError::Invalid {
        attribute,
        reason: reason.to_string(),
    }
}

/// The members of the object, which are taken out one by one.
struct Members<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl Members<'_> {
    fn text(&mut self, attribute: &'static str) -> Result<Option<String>, CloudEventError> {
        self.0
            .remove(attribute)
            .map(|value| {
                serde_json::from_str(value.get())
                    .map_err(|_| invalid(attribute, "it is not a string"))
            })
            .transpose()
    }

    fn required(&mut self, attribute: &'static str) -> Result<String, CloudEventError> {
        self.text(attribute)?.ok_or(missing(attribute))
    }

    fn unescaped(&mut self, attribute: &'static str) -> Result<Option<String>, CloudEventError> {
        let Some(text) = self.text(attribute)? else {
            return Ok(None);
        };
        match unescaped(&text) {
            Some(text) => Ok(Some(text.into_owned())),
            None => Err(invalid(attribute, "its percent-encoding is damaged")),
        }
    }

    /// A name of the log, which is checked as when it is written.
    fn name<T, E: fmt::Display>(
        &mut self,
        attribute: &'static str,
        check: impl FnOnce(String) -> Result<T, E>,
    ) -> Result<T, CloudEventError> {
        let name = self.unescaped(attribute)?.ok_or(missing(attribute))?;
        check(name).map_err(|error| invalid(attribute, error))
    }

    /// The stored name: what stands in `type` behind the category.
    fn event_name(&mut self, category: &Category) -> Result<Arc<str>, CloudEventError> {
        self.name("type", |kind| {
            let name = kind
                .strip_prefix(category.as_str())
                .and_then(|name| name.strip_prefix('.'))
                .ok_or(format!("{kind:?} does not begin with `{category}.`"))?;
            check_name("event name", name, NewEvent::MAX_NAME_BYTES)
                .map_err(|error| error.to_string())?;
            Ok::<_, String>(Arc::from(name))
        })
    }

    /// A number from 1, in decimal digits.
    fn number(&mut self, attribute: &'static str) -> Result<u64, CloudEventError> {
        let text = self.required(attribute)?;
        let is_decimal = text.bytes().all(|digit| digit.is_ascii_digit());
        match text.parse() {
            Ok(number) if number > 0 && is_decimal => Ok(number),
            _ => Err(invalid(attribute, "it is not a number from 1, as text")),
        }
    }

    fn uuid(&mut self, attribute: &'static str) -> Result<Option<uuid::Uuid>, CloudEventError> {
        self.text(attribute)?
            .map(|text| text.parse().map_err(|error| invalid(attribute, error)))
            .transpose()
    }

    fn time(&mut self) -> Result<DateTime<Utc>, CloudEventError> {
        let text = self.required("time")?;
        let time = DateTime::parse_from_rfc3339(&text).map_err(|error| invalid("time", error))?;
        Ok(as_kept(time.with_timezone(&Utc)))
    }

    fn metadata(&mut self) -> Result<Metadata, CloudEventError> {
        let other = match self.text("metadata")? {
            Some(json) => {
                serde_json::from_str(&json).map_err(|error| invalid("metadata", error))?
            }
            None => BTreeMap::new(),
        };
        Ok(Metadata {
            correlation: self.uuid("correlationid")?,
            causation: self.uuid("causationid")?,
            actor: self.unescaped("actor")?,
            other,
        })
    }

    /// What nobody here knows.
    fn others(self) -> Result<BTreeMap<String, serde_json::Value>, CloudEventError> {
        let others = self.0.into_iter();
        others
            .map(|(name, value)| Ok((name.into_owned(), serde_json::from_str(value.get())?)))
            .collect()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = BTreeMap<Cow<'de, str>, &'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    if members.contains_key(&name) {
                        return Err(A::Error::custom(format!("`{name}` stands in it twice")));
                    }
                    members.insert(name, value);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object).map(Self)
    }
}

/// The name of a member, borrowed unless it is written with escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
