//! Publishing to a Redis stream.

use std::time::Duration;

use ::redis::{Client, RedisError, Value};

use super::super::{CloudEvent, PublishError, Publisher};
use super::link::{ANSWER_WITHIN, Link, advice, shown};
use crate::store::BackendError;

/// Adds a part of the events; a script, since Redis runs it without anybody in between and stops at its first failure.
const SCRIPT: &str = include_str!("publish.lua");

/// The events of one script: while it runs, the server does nothing else.
const PART: usize = 64;

/// Publishes a log to the stream under a key: see the [module](super) for what is stored there and what is promised.
///
/// ```no_run
/// # async fn example(events: &[recount::relay::CloudEvent]) -> Result<(), recount::relay::PublishError> {
/// use recount::relay::Publisher;
/// use recount::relay::redis::RedisPublisher;
///
/// let mut publisher = RedisPublisher::new("redis://127.0.0.1:6379", "bank")?.max_len(1_000_000);
/// publisher.publish(events).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct RedisPublisher {
    link: Link,
    key: String,
    max_len: Option<u64>,
    shown: String,
}

impl RedisPublisher {
    /// A publisher to the stream under `key` on the server of a URL, `redis://USER:PASSWORD@HOST:PORT/DATABASE`. It connects with
    /// the first call.
    ///
    /// # Errors
    /// [`PublishError::Refused`] when the URL is not one.
    pub fn new(url: &str, key: impl Into<String>) -> Result<Self, PublishError> {
        let key = key.into();
        let client = Client::open(url).map_err(|error| refused("redis:", &key, error))?;
        Ok(Self {
            shown: shown(&client, &key),
            link: Link::new(client, ANSWER_WITHIN),
            key,
            max_len: None,
        })
    }

    /// How long the server may take to acknowledge a part of the events; 10 seconds by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.link = self.link.within(timeout);
        self
    }

    /// Lets Redis drop the oldest entries once there are more than about so many, whether they were consumed or not. At least 10 000,
    /// so that events that are published again find themselves.
    #[must_use]
    pub fn max_len(mut self, entries: u64) -> Self {
        self.max_len = Some(entries.max(10_000));
        self
    }

    /// Publishes some, all or a first part of them.
    async fn publish_part(&self, events: &[CloudEvent]) -> Result<(), PublishError> {
        let mut call = ::redis::cmd("EVAL");
        call.arg(SCRIPT).arg(1).arg(&self.key);
        call.arg(self.max_len.map(|max| max.to_string()).unwrap_or_default());
        let mut written = Ok(());
        for event in events {
            let json = match event.to_json() {
                Ok(json) => json,
                Err(error) => {
                    written = Err(PublishError::unwritable(&self.shown, event, error));
                    break;
                }
            };
            let recorded = &event.recorded;
            call.arg(format!("{}-0", recorded.position));
            call.arg(recorded.id.to_string()).arg(json);
        }
        let answer =
            self.link
                .ask(&call)
                .await
                .map_err(|source| match advice(&source, &self.key) {
                    Some(_) => refused(&self.shown, &self.key, source),
                    None => PublishError::Unavailable {
                        broker: self.shown.clone(),
                        source: BackendError::new(source),
                    },
                })?;
        match obstacle(&answer) {
            Some(found) => Err(PublishError::Refused {
                broker: self.shown.clone(),
                advice: "it holds entries of another log, or of this one before it was replaced, or somebody deleted entries; publish to another key, or delete this one and publish from the start".to_owned(),
                source: BackendError::new(found),
            }),
            None => written,
        }
    }
}

impl Publisher for RedisPublisher {
    fn url(&self) -> &str {
        &self.shown
    }

    async fn publish<'a>(&'a mut self, events: &'a [CloudEvent]) -> Result<(), PublishError> {
        // One part after the other: the next one must not be taken when this one was not.
        for part in events.chunks(PART) {
            self.publish_part(part).await?;
        }
        Ok(())
    }
}

fn refused(shown: &str, key: &str, error: RedisError) -> PublishError {
    PublishError::Refused {
        broker: shown.to_owned(),
        advice: advice(&error, key).unwrap_or_else(|| "look at the URL".to_owned()),
        source: BackendError::new(error),
    }
}

/// What the script says that stands in the way.
fn obstacle(answer: &Value) -> Option<String> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let text = |part: &Value| match part {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    };
    let parts: Vec<_> = parts.iter().map(text).collect();
    match parts.as_slice() {
        [at, found] if found == "foreign" => Some(format!("the entry {at} holds another event")),
        [at, _] => Some(format!("there is no entry {at}, but there are later ones")),
        _ => Some(format!("the script answered {parts:?}")),
    }
}
