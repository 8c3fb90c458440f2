//! The macros of Recount. Use them through the `recount` crate, which re-exports them.
//!
//! Each is `parse → check → expand`, in a folder of its own, and takes and returns plain tokens, so that it can be tested
//! without a compiler around it. Only the entry points stand here.

use proc_macro::TokenStream;

mod aggregate;
mod apply;
mod attr;
mod diag;
mod event;
mod fingerprint;
#[cfg(test)]
#[path = "../../tests/fuzz/attributes.rs"]
mod fuzz;
#[cfg(test)]
#[path = "../../tests/fuzz/inputs.rs"]
mod fuzz_inputs;
mod handler;
mod id;
mod lock;
mod path;
mod projection;
mod shape;
#[cfg(test)]
mod testing;
mod value;

/// Makes a struct an event, or each variant of an enum.
///
/// The stored name is the name of the type without its version suffix; `V2` in the name means schema version 2. The
/// struct has fields with names (or `{}`), owns them, and derives serde's traits.
///
/// ```
/// use recount::prelude::*;
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// pub struct WorkoutScheduled { pub minutes: u32, pub zone: String }
///
/// // Version 2 of the same event. What is stored as version 1 is read as the old type, then converted.
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// #[event(upcast_from = WorkoutScheduled)]
/// pub struct WorkoutScheduledV2 { pub minutes: u32, pub zones: Vec<String> }
///
/// impl From<WorkoutScheduled> for WorkoutScheduledV2 {
///     fn from(old: WorkoutScheduled) -> Self {
///         Self { minutes: old.minutes, zones: vec![old.zone] }
///     }
/// }
///
/// use recount::event::{Decoded, StoredEvent, Versioned};
/// use recount::Event as _;
///
/// assert_eq!((WorkoutScheduledV2::NAME, WorkoutScheduledV2::VERSION), ("WorkoutScheduled", 2));
/// let stored = StoredEvent { name: "WorkoutScheduled", schema_version: 1, payload: br#"{"minutes":60,"zone":"Z2"}"# };
/// let event = WorkoutScheduledV2 { minutes: 60, zones: vec!["Z2".to_owned()] };
/// assert_eq!(WorkoutScheduledV2::decode(stored)?, Decoded::One(event));
/// # Ok::<(), recount::event::PayloadError>(())
/// ```
///
/// # Entries of `#[event(…)]`
///
/// | entry | meaning |
/// |---|---|
/// | `name = "…"` | the stored name |
/// | `formerly = "…"` | a name from before a rename, which is still read; may be repeated |
/// | `version = 2` | the schema version, where the type's name does not say it; `version = 1` makes `V8` part of a name |
/// | `upcast_from = Old` | the type of the version before; `impl From<Old>` or `TryFrom<Old>` converts. The name is inherited |
/// | `with = path` | a function that converts instead: it returns the event, an `Option` to drop some, a `Vec` to split, or a `Result` of these to refuse |
/// | `split_from = Other` | stored events of the type `Other` are read as this one too: one stored event becomes several |
/// | `upcast_json(1 => path, …)` | functions from the JSON of one version to the next, for versions that nobody keeps a type for |
/// | `example = path` | a function that makes one; under a [lock](#released-events) it is kept with the release as a sample. May be repeated |
/// | `opaque = "name@1"` | for an event whose serde is written by hand: its JSON is nobody's to describe |
/// | `shape = SomeType` | likewise: it is written and read as that type |
/// | `crate = path` | where `recount` is, when it is renamed |
///
/// `opaque` and `shape` may stand at a field, too, as for a [value object](macro@ValueObject).
///
/// # Released events
///
/// Where a folder `schema` with a `lock.toml` lies beside the source file, or beside a folder above it up to the package's own, the
/// versions of events that it lists as released are locked: a change after which their stored payloads could not be read does not
/// compile, wherever in a type it hides. `cargo install recount-cli` brings the tool that keeps the folder, `recount schema init`
/// begins one. Without one nothing is asked. `cargo test` then also reads the samples of each release through the code, and a build without
/// `debug_assertions` warns of what was never released. Once all older versions are dropped there a type needs no `upcast_from`.
///
/// # Enums
///
/// Each variant is an event of its own, stored under the variant's name. A variant with fields takes `name`, `formerly`,
/// `version` and `upcast_json`, and its fields take serde's attributes; a variant that wraps a struct event takes name,
/// versions and conversions from it. The enum itself needs no serde.
///
/// ```
/// use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Renamed { pub to: String }
///
/// #[derive(Debug, Clone, PartialEq, Event)]
/// pub enum DoorEvent {
///     Opened,
///     #[event(name = "DoorClosed", formerly = "Shut")]
///     Closed { #[serde(default)] by: Option<String> },
///     Renamed(Renamed),
/// }
///
/// use recount::Event as _;
/// assert_eq!(DoorEvent::Closed { by: None }.name(), "DoorClosed");
/// ```
#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    event::derive(input.into()).into()
}

/// Makes a type the state of an aggregate: what its rules need to know, rebuilt from its events.
///
/// The events and how they change it stand in an [`apply`](macro@apply) block.
///
/// ```
/// use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Deposited { pub cents: i64 }
///
/// #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
/// pub struct AccountId(String);
///
/// #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
/// #[aggregate(stream = "account", id = AccountId, snapshot_every = 100)]
/// pub struct Account { cents: i64 }
/// # #[apply] impl Account { fn deposited(&mut self, event: Deposited) { self.cents += event.cents; } }
/// ```
///
/// # Entries of `#[aggregate(…)]`
///
/// | entry | meaning |
/// |---|---|
/// | `stream = "…"` | the category of its streams: lower-case letters, digits, `-`, `_` |
/// | `id = SomeId` | the type of its id |
/// | `error = SomeError` | what its commands return when they refuse; any error, boxed, by default |
/// | `snapshot_every = 100` | a snapshot is taken whenever this many events were added; the state derives serde's traits |
/// | `snapshots` | snapshots are taken when asked for |
/// | `snapshot_version = 2` | to be raised when a type inside the state that is no [value object](macro@ValueObject) changes its shape, which the macro cannot see |
/// | `retired("…", …)` | stored names that are passed over on purpose, because their types are gone |
/// | `locked` | the events are under a [lock](macro@Event#released-events), whose folder may not disappear |
/// | `crate = path` | where `recount` is, when it is renamed |
#[proc_macro_derive(Aggregate, attributes(aggregate))]
pub fn derive_aggregate(input: TokenStream) -> TokenStream {
    aggregate::derive(input.into()).into()
}

/// Makes a newtype over `String`, `Uuid` or an integer the id of an aggregate.
///
/// It writes `new`, `Display`, `FromStr`, `From` or `TryFrom`, and serde's traits, which check what they read. An id of
/// text is not empty, has at most 4096 bytes and no NUL character, and gives its text by `as_str`; the others give their
/// value by `get`, and one over a `Uuid` makes new ones by `generate`.
///
/// `#[id(check = path)]` names a function that may refuse values, `fn(&str) -> Result<(), impl Display>` for texts and
/// `fn(&T) -> Result<(), impl Display>` for the others; `new` then returns a `Result`. `#[id(crate = path)]` says where
/// `recount` is, when it is renamed.
///
/// ```
/// use recount::prelude::*;
///
/// #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
/// #[id(check = lower_case)]
/// pub struct AccountId(String);
///
/// fn lower_case(id: &str) -> Result<(), &'static str> {
///     if id.chars().any(char::is_uppercase) { Err("it has upper-case letters") } else { Ok(()) }
/// }
///
/// assert_eq!(AccountId::new("account-1")?.as_str(), "account-1");
/// assert_eq!(
///     AccountId::new("A").unwrap_err().to_string(),
///     r#""A" is not a valid AccountId: it has upper-case letters"#
/// );
/// # Ok::<(), recount::IdError>(())
/// ```
#[proc_macro_derive(Id, attributes(id))]
pub fn derive_id(input: TokenStream) -> TokenStream {
    id::derive(input.into()).into()
}

/// Makes a type a value object: something without an identity, which is compared by its value and replaced rather than changed.
///
/// An amount of money, an address, a target zone: what events and states are made of. Events are kept for ever, so the JSON of what is in
/// them must stay readable for ever; this derive reads the type as serde's derives do and writes down its JSON as a constant, its
/// shape (`recount::schema::Shaped`). From it the compiler can tell that a change inside of the type makes stored events unreadable, and
/// snapshots and projections can tell that theirs are of another shape and have to be made anew.
///
/// ```
/// use recount::prelude::*;
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
/// pub struct Cents(i64);
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
/// #[serde(rename_all = "camelCase")]
/// pub struct Price {
///     net_amount: Cents,
///     #[serde(default)]
///     currency: Option<String>,
/// }
///
/// use recount::schema::{Field, Shape, Shaped, Struct};
///
/// const PRICE: Shape = Shape::Struct(Struct::new(&[
///     // A newtype is written as what is in it.
///     Field::of::<i64>("netAmount"),
///     Field::of::<Option<String>>("currency").default("Default::default()"),
/// ]));
/// assert_eq!(Price::SHAPE, &PRICE);
/// ```
///
/// # What it asks for
///
/// `Clone`, `PartialEq`, `Serialize` and `Deserialize`, which make up the trait of the same name; and a known shape of each field's type.
/// These have one: the types of the standard library that serde knows, those of `chrono`, `uuid` and `serde_json`, ids (`derive(Id)`), and
/// other value objects. All of serde's attributes are read as they are, none has to be repeated. For the rest:
///
/// | entry | where | meaning |
/// |---|---|---|
/// | `opaque = "geo::Point@1"` | field, variant, type | its JSON is nobody's to describe; the version is to be counted up when it changes |
/// | `shape = SomeType` | field, variant, type | it is written and read as that type: for serde's `with = "…"`, or an implementation by hand |
/// | `recursive_with(OtherType)` | type | that one and this one [contain each other](#types-that-contain-themselves-and-each-other) |
/// | `crate = path` | type | where `recount` is, when it is renamed |
///
/// ```
/// use recount::prelude::*;
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
/// pub struct Lap {
///     #[serde(with = "seconds")]
///     #[value(shape = u64)]
///     took: std::time::Duration,
/// }
///
/// mod seconds {
///     use std::time::Duration;
///     use serde::{Deserialize, Deserializer, Serializer};
///
///     pub fn serialize<S: Serializer>(it: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
///         serializer.serialize_u64(it.as_secs())
///     }
///     pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
///         u64::deserialize(deserializer).map(Duration::from_secs)
///     }
/// }
/// ```
///
/// # Values that must keep a rule
///
/// The derive writes no constructor: serde has the way for stored values, which is that of construction too. Keep in mind that a rule that
/// becomes stricter makes stored values unreadable, and no shape shows it.
///
/// ```
/// use recount::prelude::*;
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
/// #[serde(try_from = "u16", into = "u16")]
/// pub struct Reps(u16);
///
/// impl TryFrom<u16> for Reps {
///     type Error = &'static str;
///     fn try_from(reps: u16) -> Result<Self, Self::Error> {
///         if reps == 0 { Err("a set has a repetition at least") } else { Ok(Self(reps)) }
///     }
/// }
///
/// impl From<Reps> for u16 {
///     fn from(reps: Reps) -> Self { reps.0 }
/// }
/// ```
///
/// # Types that contain themselves, and each other
///
/// A type that mentions itself needs nothing. Of types that contain each other, each names all the others of the circle as its fields do: else
/// each would have to know the other's shape before its own, which the compiler refuses as a cycle (E0391).
///
/// ```
/// use recount::prelude::*;
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
/// #[value(recursive_with(Group))]
/// pub enum Condition { LongerThan { minutes: u32 }, All(Group) }
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
/// #[value(recursive_with(Condition))]
/// pub struct Group { pub conditions: Vec<Condition> }
/// ```
///
/// Up to six types can contain each other; generic ones cannot: there `#[value(opaque = "…@1")]` on one of the fields ends the circle.
#[proc_macro_derive(ValueObject, attributes(value, serde))]
pub fn derive_value_object(input: TokenStream) -> TokenStream {
    value::derive(input.into()).into()
}

/// Makes the methods of an `impl` block the fold of an aggregate: one for each event, and the only list of them.
///
/// - `fn x(&mut self, event: E)` or `(&mut self, event: &E)` changes the state.
/// - `fn x(event: E) -> Self` makes it. An aggregate without such a method begins with its `Default`.
/// - `at: &EventContext` may follow: time, version, id and metadata of the event.
///
/// The block also gives the enum of all events, called `AccountEvent` for an `Account` (`#[apply(events = Name)]` for
/// another name). With serde it has the form `{"name": …, "version": …, "payload": …}`, and reads older versions.
/// Methods that decide or ask belong in another `impl` block. `#[apply(crate = path)]` says where `recount` is, when it
/// is renamed.
///
/// ```
/// use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct AccountId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Opened { pub holder: String }
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Deposited { pub cents: i64 }
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Closed {}
///
/// #[derive(Debug, Clone, PartialEq, Aggregate)]
/// #[aggregate(stream = "account", id = AccountId)]
/// pub struct Account { holder: String, cents: i64, closed: Option<DateTime<Utc>> }
///
/// #[apply]
/// impl Account {
///     fn opened(event: Opened) -> Self {
///         Self { holder: event.holder, cents: 0, closed: None }
///     }
///
///     fn deposited(&mut self, event: Deposited) {
///         self.cents += event.cents;
///     }
///
///     fn closed(&mut self, _: Closed, at: &EventContext) {
///         self.closed = Some(at.recorded_at);
///     }
/// }
///
/// impl Account {
///     pub fn deposit(&self, cents: i64) -> Deposited {
///         Deposited { cents }
///     }
/// }
///
/// let event = AccountEvent::from(Deposited { cents: 5 });
/// assert!(matches!(event, AccountEvent::Deposited(_)));
/// ```
#[proc_macro_attribute]
pub fn apply(arguments: TokenStream, input: TokenStream) -> TokenStream {
    apply::expand(arguments.into(), &input.into()).into()
}

/// Makes the methods of an `impl` block a projection: what is known for reading, made from the events of many streams.
///
/// What the methods take says where that is kept. A block has one home.
///
/// | home | methods | writes |
/// |---|---|---|
/// | a state in memory, which may be stored as a whole | `fn x(&mut self, event: E)` | `Projection` |
/// | tables of the store's database | `fn x(&self, event: E, sql: &mut Sql)` | `TableProjection` |
/// | another system | `async fn x(&self, event: E)` | `Reaction` |
///
/// The event may be taken as `&E`. `at: &Envelope` may follow it: position, stream, version, time and metadata of the event.
/// `of(…)` lists the aggregates; an event is handled where one of them applies its type, so that two aggregates may store events
/// of one name. Only events that are handled are read. Older versions are converted before; where one stored event became several,
/// no method is called unless all of its parts can be read. Methods that ask belong in another `impl` block.
///
/// # A state in memory
/// ```
/// use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct AccountId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Deposited { pub cents: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "account", id = AccountId)] pub struct Account { cents: i64 }
/// # #[apply] impl Account { fn deposited(&mut self, event: Deposited) { self.cents += event.cents; } }
/// use std::collections::BTreeMap;
///
/// #[derive(Debug, Default)]
/// pub struct Balances { by_account: BTreeMap<String, i64> }
///
/// #[projection(name = "balances", of(Account))]
/// impl Balances {
///     fn deposited(&mut self, event: Deposited, at: &Envelope) {
///         *self.by_account.entry(at.stream.id().to_owned()).or_default() += event.cents;
///     }
/// }
/// ```
///
/// # Tables
/// The constant `TABLES` of the block has the statements that make them. In these and in those of the methods, `{name}` stands for
/// the name of a table or an index. A method only says what is to be written, so it neither waits nor fails; it takes `&self`,
/// since what it changed there would be lost with the process.
///
/// When `TABLES`, the methods or the shape of an event change, so does the projection's fingerprint, and the tables are built anew.
///
/// ```
/// use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct TaskId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct TaskCreated { pub title: String }
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct TaskRenamed { pub title: String }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "task", id = TaskId)] pub struct Task { title: String }
/// # #[apply] impl Task {
/// #     fn created(&mut self, event: TaskCreated) { self.title = event.title; }
/// #     fn renamed(&mut self, event: TaskRenamed) { self.title = event.title; }
/// # }
///
/// pub struct Board;
///
/// #[projection(name = "board", of(Task))]
/// impl Board {
///     const TABLES: &[&str] = &[
///         "CREATE TABLE {board} (task text PRIMARY KEY, title text NOT NULL)",
///         "CREATE INDEX {board_by_title} ON {board} (title)",
///     ];
///
///     fn created(&self, event: TaskCreated, at: &Envelope, sql: &mut Sql) {
///         sql.run("INSERT INTO {board} VALUES ($1, $2)", (at.stream.id(), event.title));
///     }
///
///     fn renamed(&self, event: TaskRenamed, at: &Envelope, sql: &mut Sql) {
///         sql.run("UPDATE {board} SET title = $2 WHERE task = $1", (at.stream.id(), event.title));
///     }
/// }
/// ```
///
/// # Another system
/// A method that is `async` writes somewhere else: a search index, a cache. Each event is handled at least once, so let the other
/// system keep `at.position` beside what it was told, and pass over what it knows. For the rest such a block is a
/// [`reaction`](macro@reaction), whose documentation has the signature.
///
/// # Entries of `#[projection(…)]`
///
/// | entry | meaning |
/// |---|---|
/// | `name = "…"` | the name under which its checkpoint is kept |
/// | `of(A, B)` | the aggregates whose events it handles |
/// | `crate = path` | where `recount` is, when it is renamed |
#[proc_macro_attribute]
pub fn projection(arguments: TokenStream, input: TokenStream) -> TokenStream {
    projection::expand(handler::Role::Projection, arguments.into(), &input.into()).into()
}

/// Makes the methods of an `impl` block a reaction: what is done when an event was stored.
///
/// Each method is `async fn x(&self, event: E)` or `(&self, event: &E)`. `at: &Envelope` may follow, and then `act: &Act`, which gives
/// commands in answer to the event. A method returns nothing, or `Result<(), E>` with any error that is `Send` and `Sync`, or a
/// `String`: then the event counts as not handled.
///
/// It takes `&self`, since events of different streams are handled side by side; what changes there stands behind a lock. Its future
/// is `Send`. Each event is handled at least once: after a crash the last ones come again.
///
/// As in a [`projection`](macro@projection), `of(…)` lists the aggregates whose events are handled, older versions are converted before,
/// no method is called for an event that cannot be read in all its parts, and methods that ask belong in another `impl` block.
///
/// ```
/// use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct PlanId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct WorkoutMissed { pub day: u32 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "plan", id = PlanId)] pub struct Plan { missed: u32 }
/// # #[apply] impl Plan { fn missed(&mut self, _: WorkoutMissed) { self.missed += 1; } }
/// use std::sync::Mutex;
///
/// #[derive(Debug, Default)]
/// pub struct Coach { outbox: Mutex<Vec<String>> }
///
/// #[reaction(name = "coach", of(Plan))]
/// impl Coach {
///     async fn missed(&self, event: WorkoutMissed, at: &Envelope) -> Result<(), String> {
///         let text = format!("{}: day {} was missed", at.stream.id(), event.day);
///         self.outbox.lock().map_err(|error| error.to_string())?.push(text);
///         Ok(())
///     }
/// }
/// ```
///
/// # Entries of `#[reaction(…)]`
///
/// | entry | meaning |
/// |---|---|
/// | `name = "…"` | the name under which its checkpoint is kept |
/// | `of(A, B)` | the aggregates whose events it handles |
/// | `crate = path` | where `recount` is, when it is renamed |
#[proc_macro_attribute]
pub fn reaction(arguments: TokenStream, input: TokenStream) -> TokenStream {
    projection::expand(handler::Role::Reaction, arguments.into(), &input.into()).into()
}
