//! What is known about an event besides what happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who and what caused an event: carried with it, never part of the fold's rules.
///
/// It is set once for a call and stored with each event of it. An empty one takes no space in the store.
///
/// ```
/// use recount::log::Metadata;
/// use uuid::Uuid;
///
/// let metadata = Metadata::new().actor("alice").correlation(Uuid::nil()).with("ip", "127.0.0.1");
/// assert_eq!(metadata.actor.as_deref(), Some("alice"));
/// assert_eq!(metadata.other["ip"], "127.0.0.1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Metadata {
    /// The conversation that this belongs to: the same for everything that one request caused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<Uuid>,
    /// The event or command that directly caused this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation: Option<Uuid>,
    /// The person or service that acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Anything else, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl Metadata {
    /// Says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the conversation that this belongs to.
    #[must_use]
    pub fn correlation(mut self, id: impl Into<Uuid>) -> Self {
        self.correlation = Some(id.into());
        self
    }

    /// Sets what directly caused this.
    #[must_use]
    pub fn causation(mut self, id: impl Into<Uuid>) -> Self {
        self.causation = Some(id.into());
        self
    }

    /// Sets who acted.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    /// Adds a value of the caller's own.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.other.insert(name.into(), value.into());
        self
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.correlation.is_none()
            && self.causation.is_none()
            && self.actor.is_none()
            && self.other.is_empty()
    }

    /// As a backend stores it: JSON text, or nothing for an empty one.
    ///
    /// ```
    /// use recount::log::Metadata;
    ///
    /// assert_eq!(Metadata::new().to_json(), None);
    /// let json = Metadata::new().actor("clerk").to_json().unwrap();
    /// assert_eq!(Metadata::from_json(&json)?.actor.as_deref(), Some("clerk"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn to_json(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        // A map with string keys and JSON values always serializes.
        serde_json::to_string(self).ok()
    }

    /// Back from what is stored; the empty text is the empty metadata.
    ///
    /// # Errors
    /// When the text is not metadata.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        if json.is_empty() {
            Ok(Self::default())
        } else {
            serde_json::from_str(json)
        }
    }
}
