//! Publishing to JetStream.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::IntoFuture;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::context::{
    CreateStreamErrorKind, PublishAckFuture, PublishError as Failure, PublishErrorKind,
};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{Context, ErrorCode, stream};

use super::super::text::escaped;
use super::super::{CloudEvent, PublishError, Publisher};
use super::connection::{ANSWER_WITHIN, Connection, NotConnected};
use crate::log::StreamId;
use crate::store::BackendError;

/// The messages that are under way at once.
const UNDER_WAY: usize = 256;

/// The bytes of a stream's id that a subject holds: a server closes a connection whose subject is too long.
const ID_BYTES: usize = 512;

/// Publishes a log to JetStream: see the [module](super) for the subjects, and for what is promised.
///
/// ```no_run
/// # async fn example(events: &[recount::relay::CloudEvent]) -> Result<(), recount::relay::PublishError> {
/// use recount::relay::Publisher;
/// use recount::relay::nats::NatsPublisher;
///
/// let mut publisher = NatsPublisher::new("nats://127.0.0.1:4222", "bank")?.create_stream("BANK");
/// publisher.publish(events).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct NatsPublisher {
    connection: Connection,
    prefix: String,
    /// The stream to make, until it was found or made.
    missing: Option<stream::Config>,
    timeout: Duration,
    shown: String,
}

impl NatsPublisher {
    /// A publisher to the server of a URL, `nats://USER:PASSWORD@HOST:PORT`, on subjects that begin with `prefix`. It connects with
    /// the first call. A stream of JetStream must take these subjects.
    ///
    /// # Errors
    /// [`PublishError::Refused`] when the URL is not one, or the prefix no subject.
    pub fn new(url: &str, prefix: impl Into<String>) -> Result<Self, PublishError> {
        let prefix = prefix.into();
        let refused = |advice: &str, source: BackendError| PublishError::Refused {
            broker: format!("nats:{prefix}"),
            advice: advice.to_owned(),
            source,
        };
        let connection = Connection::to(url).map_err(|error| {
            let advice = "write a URL like `nats://127.0.0.1:4222`";
            refused(advice, BackendError::new(error))
        })?;
        if !prefix
            .split('.')
            .all(|token| !token.is_empty() && token.chars().all(is_plain))
        {
            let found = BackendError::new(format!("{prefix:?} is not a subject"));
            return Err(refused("name tokens with dots between them", found));
        }
        Ok(Self {
            shown: connection.shown(&prefix),
            connection,
            prefix,
            missing: None,
            timeout: ANSWER_WITHIN,
        })
    }

    /// Makes the stream of this name where it is missing, on files, for all subjects that begin with the prefix. One that is there is
    /// left as it is.
    #[must_use]
    pub fn create_stream(mut self, name: impl Into<String>) -> Self {
        self.missing = Some(stream::Config {
            name: name.into(),
            subjects: vec![format!("{}.>", self.prefix)],
            storage: stream::StorageType::File,
            ..stream::Config::default()
        });
        self
    }

    /// Connects with these options: certificates, credentials, names.
    #[must_use]
    pub fn options(mut self, options: ConnectOptions) -> Self {
        self.connection.set_options(options);
        self
    }

    /// How long the server may take to acknowledge an event; 10 seconds by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn ready(&mut self) -> Result<Context, PublishError> {
        let connected = self.connection.context(self.timeout).await;
        let context = connected.map_err(|error| match error {
            NotConnected::Yet(source) => self.unavailable(source),
            NotConnected::Ever(advice, source) => self.refused(advice, source),
        })?;
        if let Some(config) = &self.missing {
            let made = context.get_or_create_stream(config.clone()).await;
            made.map_err(|source| match source.kind() {
                CreateStreamErrorKind::JetStreamUnavailable
                | CreateStreamErrorKind::TimedOut
                | CreateStreamErrorKind::Response => self.unavailable(source),
                _ => self.refused(
                    "its stream cannot be made, look whether another one takes the subjects",
                    source,
                ),
            })?;
            self.missing = None;
        }
        Ok(context)
    }

    async fn send(
        &self,
        context: &Context,
        event: &CloudEvent,
    ) -> Result<PublishAckFuture, PublishError> {
        let json = event
            .to_json()
            .map_err(|error| PublishError::unwritable(&self.shown, event, error))?;
        let message = PublishMessage::build()
            .message_id(event.recorded.id.to_string())
            .header("content-type", CloudEvent::CONTENT_TYPE)
            .payload(json.into());
        let subject = format!("{}.{}", self.prefix, tokens(&event.recorded.stream));
        let sent = context.send_publish(subject, message).await;
        sent.map_err(|error| self.failed(event, error))
    }

    fn failed(&self, event: &CloudEvent, source: Failure) -> PublishError {
        match source.kind() {
            PublishErrorKind::MaxPayloadExceeded => PublishError::EventRefused {
                broker: self.shown.clone(),
                event: event.recorded.id,
                advice: "raise the server's `max_payload`".to_owned(),
                source: BackendError::new(source),
            },
            PublishErrorKind::Other if is_too_large(&source) => PublishError::EventRefused {
                broker: self.shown.clone(),
                event: event.recorded.id,
                advice: "raise the stream's `max_msg_size`".to_owned(),
                source: BackendError::new(source),
            },
            PublishErrorKind::StreamNotFound => self.unavailable(format!(
                "no stream of JetStream takes the subjects {}.>: it is missing, or the server is starting",
                self.prefix
            )),
            _ => self.unavailable(source),
        }
    }

    fn unavailable(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> PublishError {
        PublishError::Unavailable {
            broker: self.shown.clone(),
            source: BackendError::new(source),
        }
    }

    fn refused(
        &self,
        advice: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> PublishError {
        PublishError::Refused {
            broker: self.shown.clone(),
            advice: advice.to_owned(),
            source: BackendError::new(source),
        }
    }
}

impl Publisher for NatsPublisher {
    fn url(&self) -> &str {
        &self.shown
    }

    async fn publish<'a>(&'a mut self, events: &'a [CloudEvent]) -> Result<(), PublishError> {
        let context = self.ready().await?;
        let mut under_way: VecDeque<(&CloudEvent, PublishAckFuture)> = VecDeque::new();
        for event in events {
            let stream = &event.recorded.stream;
            let waits = |under_way: &VecDeque<(&CloudEvent, _)>| {
                let mut streams = under_way.iter().map(|(event, _)| &event.recorded.stream);
                under_way.len() >= UNDER_WAY || streams.any(|other| other == stream)
            };
            while waits(&under_way)
                && let Some((event, ack)) = under_way.pop_front()
            {
                ack.into_future()
                    .await
                    .map_err(|error| self.failed(event, error))?;
            }
            under_way.push_back((event, self.send(&context, event).await?));
        }
        for (event, ack) in under_way {
            ack.into_future()
                .await
                .map_err(|error| self.failed(event, error))?;
        }
        Ok(())
    }
}

/// Whether the stream takes no message of this size.
fn is_too_large(failure: &Failure) -> bool {
    std::error::Error::source(failure)
        .and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>())
        .is_some_and(|error| error.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)
}

/// Whether a token of a subject may hold a character.
fn is_plain(character: char) -> bool {
    character.is_ascii_graphic() && !".*>".contains(character)
}

/// The part of a subject that names a stream.
fn tokens(stream: &StreamId) -> String {
    let tenant = match stream.tenant().map(crate::log::TenantId::as_str) {
        None => Cow::Borrowed("_"),
        Some("_") => Cow::Borrowed("%5F"),
        Some(tenant) => escaped(tenant, is_plain),
    };
    let category = escaped(stream.category().as_str(), is_plain);
    let id = escaped(stream.id(), is_plain);
    // What was escaped is ASCII, so there is a boundary everywhere.
    let id = id.get(..ID_BYTES).unwrap_or(&id);
    format!("{tenant}.{category}.{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::TenantId;

    #[test]
    fn no_name_makes_a_token_of_a_subject_that_is_not_one() {
        for (tenant, category, id, expected) in [
            (None, "account", "a-1", "_.account.a-1"),
            (Some("_"), "account", "a", "%5F.account.a"),
            (Some("a.b"), "c d", "*.>\n", "a%2Eb.c%20d.%2A%2E%3E%0A"),
            (None, "\u{e9}", "50%", "_.%C3%A9.50%25"),
        ] {
            let tenant = tenant.map(|tenant| TenantId::new(tenant).unwrap());
            let stream = StreamId::new(category, id).unwrap().in_tenant(tenant);
            assert_eq!(tokens(&stream), expected);
        }
        let long = StreamId::new("c", "\u{1f980}".repeat(1000)).unwrap();
        assert_eq!(tokens(&long).len(), "_.c.".len() + ID_BYTES);
    }
}
