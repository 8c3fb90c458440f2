//! What a block of methods makes of stored events, whatever its home: tables, another system. (A state in memory is
//! `projections.rs`.)

use std::collections::BTreeMap;
use std::sync::Mutex;

use recount::event::PayloadError;
use recount::log::{Expected, NewEvent, Query, RecordedEvent, StreamId};
use recount::prelude::*;
use recount::projection::TableProjection;
use recount::reaction::{Reaction, ReactionError};
use recount::sql::Value;

use crate::stores::every_store;

// A task, whose events have a past, and a note, whose first event has the stored name of the task's.

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct TaskId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Created")]
pub struct TaskCreated {
    pub title: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = TaskCreated)]
pub struct TaskCreatedV2 {
    pub title: String,
    pub priority: i64,
}

impl From<TaskCreated> for TaskCreatedV2 {
    fn from(old: TaskCreated) -> Self {
        Self {
            title: old.title,
            priority: 1,
        }
    }
}

/// As it was stored once: two things in one event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Changed {
    pub title: String,
    pub priority: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(split_from = Changed)]
pub struct Renamed {
    pub title: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(split_from = Changed)]
pub struct Prioritized {
    pub priority: i64,
}

impl From<Changed> for Renamed {
    fn from(old: Changed) -> Self {
        Self { title: old.title }
    }
}

impl TryFrom<Changed> for Prioritized {
    type Error = std::num::ParseIntError;

    fn try_from(old: Changed) -> Result<Self, Self::Error> {
        Ok(Self {
            priority: old.priority.parse()?,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Ticked {
    pub times: i64,
}

/// One stored event is as many of these as it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Ticked, with = one_by_one)]
pub struct TickedV2 {
    pub number: i64,
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of a conversion"
)]
fn one_by_one(old: Ticked) -> Vec<TickedV2> {
    (1..=old.times).map(|number| TickedV2 { number }).collect()
}

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "task", id = TaskId)]
pub struct Task {
    pub title: String,
    pub priority: i64,
    pub ticks: i64,
}

#[apply]
impl Task {
    fn created(&mut self, event: TaskCreatedV2) {
        self.title = event.title;
        self.priority += event.priority;
    }

    fn renamed(&mut self, event: Renamed) {
        self.title = event.title;
    }

    fn prioritized(&mut self, event: Prioritized) {
        self.priority += event.priority;
    }

    fn ticked(&mut self, event: TickedV2) {
        self.ticks += event.number;
    }
}

pub mod note {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct Created {
        pub title: String,
    }

    #[derive(Debug, Clone, Default, PartialEq, Aggregate)]
    #[aggregate(stream = "note", id = TaskId)]
    pub struct Note {
        pub title: String,
    }

    #[apply]
    impl Note {
        fn created(&mut self, event: Created) {
            self.title += &event.title;
        }
    }
}

// Into tables.

#[derive(Debug, Default)]
pub struct Board;

/// Stands elsewhere, and counts for the fingerprint all the same.
const BY_TITLE: &str = "CREATE INDEX {board_by_title} ON {board} (title)";

#[projection(name = "board", of(Task))]
impl Board {
    const TABLES: &[&str] = &[
        "CREATE TABLE {board} (task text PRIMARY KEY, title text NOT NULL, priority bigint NOT NULL)",
        BY_TITLE,
    ];

    fn created(&self, event: TaskCreatedV2, at: &Envelope, sql: &mut Sql) {
        sql.run("created", (at.stream.id(), event.title));
        sql.run("prioritized", (event.priority,));
    }

    fn renamed(&self, event: &Renamed, sql: &mut Sql) {
        sql.run("renamed", (event.title.as_str(),));
    }

    fn prioritized(&self, event: Prioritized, sql: &mut Sql) {
        sql.run("prioritized", (event.priority,));
    }

    fn ticked(&self, event: TickedV2, at: &Envelope, sql: &mut Sql) {
        sql.run("ticked", (at.stream.id(), event.number));
    }
}

// Outside: what was sent there, as the other system would have it.

#[derive(Debug, Default)]
pub struct Mail {
    sent: Mutex<Vec<String>>,
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` cannot be sent")]
pub struct MailError(String);

impl Mail {
    async fn send(&self, text: String) -> Result<(), MailError> {
        tokio::task::yield_now().await;
        if text.contains("unsendable") {
            return Err(MailError(text));
        }
        self.sent.lock().unwrap().push(text);
        Ok(())
    }
}

#[reaction(name = "mail", of(Task))]
impl Mail {
    async fn created(
        &self,
        event: TaskCreatedV2,
        at: &Envelope,
        act: &Act,
    ) -> Result<(), MailError> {
        let head = act.store().head().await.unwrap();
        assert!(head >= at.position);
        let TaskCreatedV2 { title, priority } = event;
        self.send(format!("{} {title} {priority}", at.stream.id()))
            .await
    }

    async fn renamed(&self, event: &Renamed) -> Result<(), String> {
        let sent = self.send(format!("renamed {}", event.title)).await;
        sent.map_err(|error| error.to_string())
    }

    async fn prioritized(&self, event: Prioritized) {
        let text = format!("prioritized {}", event.priority);
        let _ = self.send(text).await;
    }

    async fn ticked(&self, event: TickedV2, _: &Envelope) -> Result<(), MailError> {
        self.send(format!("ticked {}", event.number)).await
    }
}

/// The same trait from the other attribute: a projection whose home is outside.
#[derive(Debug, Default)]
pub struct Titles {
    by_task: Mutex<BTreeMap<String, (Position, String)>>,
}

#[projection(name = "titles", of(Task, note::Note))]
impl Titles {
    async fn created(&self, event: TaskCreatedV2, at: &Envelope) {
        self.put(at, event.title).await;
    }

    async fn noted(&self, event: note::Created, at: &Envelope) {
        self.put(at, event.title).await;
    }
}

impl Titles {
    async fn put(&self, at: &Envelope, title: String) {
        tokio::task::yield_now().await;
        let key = format!("{}-{}", at.stream.category(), at.stream.id());
        let mut titles = self.by_task.lock().unwrap();
        titles.insert(key, (at.position, title));
    }
}

async fn store_event(
    store: &Store,
    stream: &str,
    name: &'static str,
    version: u32,
    payload: serde_json::Value,
) {
    let (category, id) = stream.split_once('-').unwrap();
    let stream = StreamId::new(category, id).unwrap();
    let event = NewEvent::json(name, version, &payload).unwrap();
    store.append(&stream, Expected::Any, [event]).await.unwrap();
}

/// The statements of all events, as text; those of an event that cannot be read end it.
async fn statements(store: &Store) -> (Vec<String>, Option<PayloadError>) {
    let mut reader = store.read(Query::all());
    let mut statements = Vec::new();
    let mut sql = Sql::new();
    let mut failed = None;
    while let Some(page) = reader.next_page().await.unwrap() {
        let handled = page
            .iter()
            .try_for_each(|record| Board.handle(&record, &mut sql));
        failed = handled.err().map(|error| error.reason);
    }
    for statement in sql.take().iter() {
        let values = statement.values.iter().map(|value| match value {
            Value::Text(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            other => panic!("{other:?}"),
        });
        let words: Vec<_> = std::iter::once(statement.text.to_owned())
            .chain(values)
            .collect();
        statements.push(words.join(" "));
    }
    (statements, failed)
}

/// Reacts to all events, in a task that may move between threads.
async fn reacted<R: Reaction>(store: &Store, reaction: R) -> (R, Result<(), ReactionError>) {
    let store = store.clone();
    let handled = tokio::spawn(async move {
        let events: Vec<RecordedEvent> = store.read(Query::all()).collect().await.unwrap();
        let mut reader = store.read(Query::all());
        let mut acts = events.iter().map(|event| Act::on(&store, R::NAME, event));
        while let Some(page) = reader.next_page().await.unwrap() {
            for record in page.iter() {
                let act = acts.next().unwrap();
                if let Err(error) = reaction.react(record, &act).await {
                    return (reaction, Err(error));
                }
            }
        }
        (reaction, Ok(()))
    });
    handled.await.unwrap()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

/// One event of each age.
async fn history(store: &Store) {
    store_event(store, "task-a", "Created", 1, json(r#"{"title":"old"}"#)).await;
    store_event(store, "note-a", "Created", 1, json(r#"{"title":"a note"}"#)).await;
    store_event(
        store,
        "task-b",
        "Created",
        2,
        json(r#"{"title":"new","priority":5}"#),
    )
    .await;
    store_event(
        store,
        "task-a",
        "Changed",
        1,
        json(r#"{"title":"other","priority":"7"}"#),
    )
    .await;
    store_event(store, "task-a", "Ticked", 1, json(r#"{"times":3}"#)).await;
    store_event(store, "task-b", "Ticked", 2, json(r#"{"number":9}"#)).await;
    store_event(store, "task-b", "Unknown", 1, json("{}")).await;
}

#[test]
fn tables_are_those_of_the_block_and_each_text_counts() {
    assert_eq!((Board::NAME, Board::TABLES.len()), ("board", 2));
    assert_eq!(<Board as TableProjection>::TABLES[1], BY_TITLE);
    const { assert!(<Board as TableProjection>::ASKS_ENVELOPE) };
    macro_rules! board {
        ($index:literal, $event:ty) => {{
            const INDEX: &str = $index;
            struct Board;
            #[projection(name = "board", of(Task))]
            impl Board {
                const TABLES: &[&str] = &["CREATE TABLE {board} (task text)", INDEX];
                fn created(&self, _: $event, _: &mut Sql) {}
            }
            const { assert!(!<Board as TableProjection>::ASKS_ENVELOPE) };
            Board::FINGERPRINT
        }};
    }
    // The tokens of these blocks are the same; what the constant says is not.
    let one = board!("CREATE INDEX {one} ON {board} (task)", TaskCreatedV2);
    let same = board!("CREATE INDEX {one} ON {board} (task)", TaskCreatedV2);
    let other = board!("CREATE INDEX {two} ON {board} (task)", TaskCreatedV2);
    let event = board!("CREATE INDEX {one} ON {board} (task)", Renamed);
    assert_eq!(one, same);
    assert_ne!(one, other);
    assert_ne!(one, event);
}

#[test]
fn only_what_is_handled_is_selected_with_its_older_names() {
    let names = |selectors: Vec<recount::log::Selector>| {
        let pairs = selectors
            .into_iter()
            .map(|it| (it.category.unwrap(), it.names));
        pairs.collect::<Vec<_>>()
    };
    let all = ["Created", "Renamed", "Changed", "Prioritized", "Ticked"].map(str::to_owned);
    let mut board = names(Board::selectors());
    assert_eq!(board, names(Mail::selectors()));
    let (category, found) = board.pop().unwrap();
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    assert_eq!((category.as_str(), sorted(&found)), ("task", sorted(&all)));
    let created = vec!["Created".to_owned()];
    let both = [
        ("task".to_owned(), created.clone()),
        ("note".to_owned(), created),
    ];
    assert_eq!(names(Titles::selectors()), both);
}

every_store! {
    async fn tables_are_written_from_events_of_every_age_and_of_no_other_aggregate(store: Store) {
        history(&store).await;
        let (statements, failed) = statements(&store).await;
        assert!(failed.is_none(), "{failed:?}");
        assert_eq!(statements, [
            "created a old", "prioritized 1",
            "created b new", "prioritized 5",
            "renamed other", "prioritized 7",
            "ticked a 1", "ticked a 2", "ticked a 3",
            "ticked b 9",
        ]);
    }

    async fn nothing_is_written_of_an_event_that_cannot_be_read_in_all_its_parts(store: Store) {
        store_event(&store, "task-a", "Changed", 1, json(r#"{"title":"other","priority":"high"}"#)).await;
        let (statements, failed) = statements(&store).await;
        assert!(matches!(failed, Some(PayloadError::Upcast { .. })), "{failed:?}");
        assert!(statements.is_empty(), "{statements:?}");
    }

    async fn outside_is_told_of_events_of_every_age_and_of_no_other_aggregate(store: Store) {
        history(&store).await;
        let (mail, outcome) = reacted(&store, Mail::default()).await;
        outcome.unwrap();
        assert_eq!(mail.sent.into_inner().unwrap(), [
            "a old 1", "b new 5", "renamed other", "prioritized 7",
            "ticked 1", "ticked 2", "ticked 3", "ticked 9",
        ]);
    }

    async fn nothing_is_told_of_an_event_that_cannot_be_read_in_all_its_parts(store: Store) {
        store_event(&store, "task-a", "Changed", 1, json(r#"{"title":"other","priority":"high"}"#)).await;
        let (mail, outcome) = reacted(&store, Mail::default()).await;
        assert!(matches!(outcome, Err(ReactionError::Decode(_))), "{outcome:?}");
        assert!(mail.sent.into_inner().unwrap().is_empty());
    }

    async fn an_error_of_a_method_is_the_error_of_the_reaction(store: Store) {
        store_event(&store, "task-a", "Created", 1, json(r#"{"title":"unsendable"}"#)).await;
        let (_, outcome) = reacted(&store, Mail::default()).await;
        let Err(ReactionError::Failed(error)) = outcome else { panic!("{outcome:?}") };
        assert!(error.is::<MailError>());
        // Of an older event too, and of a method whose error is a text.
        let renamed = Store::connect("memory:").await.unwrap();
        store_event(&renamed, "task-a", "Changed", 1, json(r#"{"title":"unsendable","priority":"1"}"#)).await;
        let (mail, outcome) = reacted(&renamed, Mail::default()).await;
        assert_eq!(outcome.unwrap_err().to_string(), "`renamed unsendable` cannot be sent");
        assert!(mail.sent.into_inner().unwrap().is_empty());
    }

    async fn a_projection_outside_tells_aggregates_apart_and_knows_each_position(store: Store) {
        history(&store).await;
        let (titles, outcome) = reacted(&store, Titles::default()).await;
        outcome.unwrap();
        let titles = titles.by_task.into_inner().unwrap();
        let positions: Vec<_> = store.read(Query::all()).collect().await.unwrap();
        let of = |name: &str| {
            let found = titles.iter().find(|(stream, _)| stream.ends_with(name));
            found.map(|(_, (position, title))| (*position, title.as_str()))
        };
        assert_eq!(of("task-a"), Some((positions[0].position, "old")));
        assert_eq!(of("note-a"), Some((positions[1].position, "a note")));
        assert_eq!(of("task-b"), Some((positions[2].position, "new")));
        assert_eq!(titles.len(), 3);
    }
}
