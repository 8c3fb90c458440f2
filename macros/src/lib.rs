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
mod path;
mod projection;
#[cfg(test)]
mod testing;

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
/// | `crate = path` | where `recount` is, when it is renamed |
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
/// | `snapshot_version = 2` | to be raised when a type inside the state changes its shape, which the macro cannot see |
/// | `retired("…", …)` | stored names that are passed over on purpose, because their types are gone |
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

/// Makes the methods of an `impl` block a projection: state for reading, folded from the events of many streams.
///
/// Handlers are `fn x(&mut self, event: E)` or `(&mut self, event: &E)`, and `at: &Envelope` may follow: position,
/// stream, version, time and metadata of the event. `of(…)` lists the aggregates; an event is handled where one of them
/// applies its type, so that two aggregates may store events of one name. Only events that are handled are read.
/// Methods that ask belong in another `impl` block.
///
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

/// Makes the methods of an `impl` block a reaction.
#[proc_macro_attribute]
pub fn reaction(arguments: TokenStream, input: TokenStream) -> TokenStream {
    projection::expand(handler::Role::Reaction, arguments.into(), &input.into()).into()
}
