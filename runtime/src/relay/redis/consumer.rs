//! Consuming from a Redis stream, as one of a group.
//!
//! A consumer asks for one thing after the other: first that the group is there; then for what was delivered to a consumer of its
//! name and not acknowledged, before a crash or by an answer that was lost; then, from time to time, for what other consumers were
//! given and left behind; and else for new entries.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::redis::{Client, Cmd, RedisError, Value};

use super::super::{ConsumeError, Consumer, Delivery, Receipt};
use super::link::{ANSWER_WITHIN, Link, advice, shown};
use crate::store::{BackendError, BoxFuture};

/// The entries that are asked for at once.
const BATCH: usize = 64;

/// Consumes a log from the stream under a key, as a consumer of a group: each group gets every event, and its consumers share
/// them. A group begins with the oldest entry that is there.
///
/// Each consumer of a group has a name of its own, which it keeps when it starts again: so it is first delivered what it had not
/// acknowledged. What a consumer leaves behind that does not come back is delivered to the others
/// [after a while](Self::claim_after).
///
/// The order of each stream holds with one consumer in the group; several take events of one stream side by side.
///
/// ```no_run
/// # async fn example() -> Result<(), recount::relay::ConsumeError> {
/// use recount::relay::Consumer;
/// use recount::relay::redis::RedisConsumer;
///
/// let consumer = RedisConsumer::new("redis://127.0.0.1:6379", "bank", "mailer", "mailer-1")?;
/// let mut consumer = consumer.deduplicated(10_000);
/// while let Some(delivery) = consumer.next().await? {
///     println!("{}", delivery.event().event_type());
///     delivery.ack().await?;
/// }
/// # Ok(()) }
/// ```
pub struct RedisConsumer {
    at: Arc<Place>,
    /// Waits for entries; the other one never waits, for what must not wait behind it.
    waiting: Arc<Link>,
    wait: Duration,
    claim_after: Duration,
    shown: String,
    ask: Ask,
    claimed_at: Option<Instant>,
    /// The question under way; kept when its caller does not wait, since its answer may hold entries that count as delivered.
    under_way: Option<BoxFuture<'static, Result<Answer, RedisError>>>,
    found: VecDeque<Entry>,
}

impl RedisConsumer {
    /// The consumer `name` of `group`, of the stream under `key`. It connects with the first call, and makes the group and the
    /// stream where they are missing.
    ///
    /// # Errors
    /// [`ConsumeError::Refused`] when the URL is not one.
    pub fn new(
        url: &str,
        key: impl Into<String>,
        group: impl Into<String>,
        name: impl Into<String>,
    ) -> Result<Self, ConsumeError> {
        let key = key.into();
        let client = Client::open(url).map_err(|error| failed("redis:", &key, error))?;
        let wait = Duration::from_secs(1);
        Ok(Self {
            shown: shown(&client, &key),
            waiting: Arc::new(Link::new(client.clone(), wait + ANSWER_WITHIN)),
            at: Arc::new(Place {
                link: Link::new(client, ANSWER_WITHIN),
                key,
                group: group.into(),
                name: name.into(),
                held: Mutex::default(),
            }),
            wait,
            claim_after: Duration::from_mins(1),
            ask: Ask::Group,
            claimed_at: None,
            under_way: None,
            found: VecDeque::new(),
        })
    }

    /// How long [`next`](Consumer::next) waits for an event; a second by default, at least a millisecond.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait.max(Duration::from_millis(1));
        let link = Link::new(self.waiting.client().clone(), self.wait + ANSWER_WITHIN);
        self.waiting = Arc::new(link);
        self
    }

    /// After which time an event that was delivered and not acknowledged is taken for left behind, and delivered to whoever asks next;
    /// a minute by default. Longer than handling an event takes, or it is handled twice.
    #[must_use]
    pub fn claim_after(mut self, time: Duration) -> Self {
        self.claim_after = time;
        self
    }

    /// What to ask for now.
    fn question(&self) -> Cmd {
        let Place {
            key, group, name, ..
        } = &*self.at;
        let mut question = Cmd::new();
        match &self.ask {
            Ask::Group => {
                question.arg("XGROUP").arg("CREATE").arg(key).arg(group);
                question.arg("0").arg("MKSTREAM");
            }
            Ask::LeftBehind { from } => {
                let idle = millis(self.claim_after);
                question.arg("XAUTOCLAIM").arg(key).arg(group).arg(name);
                question.arg(idle).arg(from).arg("COUNT").arg(BATCH);
            }
            Ask::Own { .. } | Ask::New => {
                question.arg("XREADGROUP").arg("GROUP").arg(group).arg(name);
                question.arg("COUNT").arg(BATCH);
                let after = if let Ask::Own { after } = &self.ask {
                    after
                } else {
                    question.arg("BLOCK").arg(millis(self.wait));
                    ">"
                };
                question.arg("STREAMS").arg(key).arg(after);
            }
        }
        question
    }

    /// Keeps what was found, and decides what to ask for next. Whether there is nothing to be had now.
    fn take(&mut self, answer: Answer) -> bool {
        let is_empty = answer.entries.is_empty();
        let last = answer.entries.last().map(|(id, _)| id.clone());
        for (id, event) in answer.entries {
            if let Some(held) = self.at.hold(&id) {
                self.found.push_back(Entry { event, held });
            }
        }
        let (next, is_over) = match std::mem::replace(&mut self.ask, Ask::New) {
            Ask::Group => (Ask::Own { after: "0".into() }, false),
            Ask::Own { .. } => (last.map_or(Ask::New, |after| Ask::Own { after }), false),
            Ask::LeftBehind { .. } => match answer.cursor {
                Some(from) if from != "0-0" => (Ask::LeftBehind { from }, false),
                _ => (Ask::New, false),
            },
            Ask::New => (Ask::New, is_empty),
        };
        self.ask = next;
        is_over
    }

    fn delivery(&self, entry: Entry) -> Result<Option<Delivery>, ConsumeError> {
        // Without it, the entry was trimmed or is nobody's: as bytes that are no event, it is told to whoever can look into it.
        let event = entry.event.unwrap_or_default();
        Delivery::of(&self.shown, &event, entry.held).map(Some)
    }
}

impl Consumer for RedisConsumer {
    fn url(&self) -> &str {
        &self.shown
    }

    async fn next(&mut self) -> Result<Option<Delivery>, ConsumeError> {
        loop {
            if let Some(entry) = self.found.pop_front() {
                return self.delivery(entry);
            }
            let is_due = |at: Instant| at.elapsed() >= self.claim_after;
            if self.under_way.is_none()
                && matches!(self.ask, Ask::New)
                && self.claimed_at.is_none_or(is_due)
            {
                self.ask = Ask::LeftBehind { from: "0-0".into() };
                self.claimed_at = Some(Instant::now());
            }
            let question = self.question();
            let (link, makes_group) = (Arc::clone(&self.waiting), matches!(self.ask, Ask::Group));
            let under_way = self.under_way.get_or_insert_with(|| {
                Box::pin(async move {
                    match link.ask(&question).await {
                        Ok(answer) => Ok(read(answer)),
                        Err(error) if makes_group && error.code() == Some("BUSYGROUP") => {
                            Ok(Answer::default())
                        }
                        Err(error) => Err(error),
                    }
                })
            });
            let answer = under_way.await;
            self.under_way = None;
            match answer {
                Ok(answer) => {
                    if self.take(answer) {
                        return Ok(None);
                    }
                }
                Err(error) => {
                    // Entries of an answer that was lost are this consumer's own by now, and the group may be gone.
                    self.ask = Ask::Group;
                    return Err(failed(&self.shown, &self.at.key, error));
                }
            }
        }
    }
}

impl std::fmt::Debug for RedisConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisConsumer")
            .field("url", &self.shown)
            .field("group", &self.at.group)
            .field("name", &self.at.name)
            .finish_non_exhaustive()
    }
}

fn failed(shown: &str, key: &str, error: RedisError) -> ConsumeError {
    let (broker, advice) = (shown.to_owned(), advice(&error, key));
    let source = BackendError::new(error);
    match advice {
        Some(advice) => ConsumeError::Refused {
            broker,
            advice,
            source,
        },
        None => ConsumeError::Unavailable { broker, source },
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What a consumer asks for.
#[derive(Debug)]
enum Ask {
    /// That the group is there.
    Group,
    /// Entries behind this one that were delivered to this consumer before.
    Own { after: String },
    /// Entries, from this one on, that were delivered to anybody and left behind.
    LeftBehind { from: String },
    /// Entries that were delivered to nobody.
    New,
}

/// Where a consumer stands, for it and its receipts.
#[derive(Debug)]
struct Place {
    link: Link,
    key: String,
    group: String,
    name: String,
    /// The entries that are waiting here or being handled, and are not to be delivered a second time meanwhile.
    held: Mutex<BTreeSet<String>>,
}

impl Place {
    fn hold(self: &Arc<Self>, id: &str) -> Option<Held> {
        self.lock().insert(id.to_owned()).then(|| Held {
            at: Arc::clone(self),
            id: id.to_owned(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One entry's receipt; let go of when dropped.
#[derive(Debug)]
struct Held {
    at: Arc<Place>,
    id: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.at.lock().remove(&self.id);
    }
}

impl Receipt for Held {
    fn ack(&self) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async {
            let Place {
                link, key, group, ..
            } = &*self.at;
            let mut ack = ::redis::cmd("XACK");
            ack.arg(key).arg(group).arg(&self.id);
            link.ask(&ack).await.map_err(BackendError::new)?;
            Ok(())
        })
    }
}

#[derive(Debug)]
struct Entry {
    event: Option<Vec<u8>>,
    held: Held,
}

/// What the server answered: entries with their field `event`, and where a search for those left behind goes on.
#[derive(Debug, Default)]
struct Answer {
    entries: Vec<(String, Option<Vec<u8>>)>,
    cursor: Option<String>,
}

/// Reads an answer to any of the questions. What does not look like an entry is none.
fn read(answer: Value) -> Answer {
    let mut all = Answer::default();
    match answer {
        // XREADGROUP: for each key its entries, as an array or, in RESP3, as a map.
        Value::Map(keys) => {
            for (_, entries) in keys {
                all.entries.extend(list(entries).filter_map(entry));
            }
        }
        Value::Array(parts) if matches!(parts.first(), Some(Value::BulkString(_))) => {
            // XAUTOCLAIM: where to go on, entries, and ids of those that were deleted meanwhile.
            let mut parts = parts.into_iter();
            all.cursor = parts.next().and_then(text);
            let entries = parts.next().into_iter().flat_map(list);
            all.entries.extend(entries.filter_map(entry));
        }
        Value::Array(keys) => {
            for key in keys {
                let entries = list(key).skip(1).flat_map(list);
                all.entries.extend(entries.filter_map(entry));
            }
        }
        _ => {}
    }
    all
}

fn list(value: Value) -> std::vec::IntoIter<Value> {
    match value {
        Value::Array(values) => values.into_iter(),
        Value::Map(pairs) => {
            let values: Vec<_> = pairs.into_iter().flat_map(|(k, v)| [k, v]).collect();
            values.into_iter()
        }
        _ => Vec::new().into_iter(),
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// An entry's id and its field `event`.
fn entry(value: Value) -> Option<(String, Option<Vec<u8>>)> {
    let mut parts = list(value);
    let id = text(parts.next()?)?;
    let mut fields = parts.next().into_iter().flat_map(list);
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if let (Value::BulkString(name), Value::BulkString(value)) = (name, value)
            && name == b"event"
        {
            return Some((id, Some(value)));
        }
    }
    Some((id, None))
}
