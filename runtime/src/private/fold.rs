//! What a fold needs of the types in it, said in the framework's own words.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aggregate::{EventContext, SnapshotCodec};
use crate::projection::Envelope;
use crate::reaction::Act;
use crate::sql::Sql;

/// The state before the first event, where no event makes it.
#[diagnostic::on_unimplemented(
    message = "nothing creates `{Self}`: it has neither a method without `self` nor `Default`",
    label = "nothing creates this",
    note = "add a method that makes it from its first event, `fn NAME(event: SomeEvent) -> Self {{ … }}`, or write `#[derive(Default)]` on `{Self}`"
)]
pub trait Start {
    /// The state.
    fn start() -> Self;
}

#[diagnostic::do_not_recommend]
impl<A: Default> Start for A {
    #[inline]
    fn start() -> A {
        A::default()
    }
}

/// What can be kept in a snapshot.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept in a snapshot: it does not implement `Serialize` and `Deserialize`",
    label = "cannot be kept in a snapshot",
    note = "write `#[derive(Serialize, Deserialize)]` on `{Self}`, or take no snapshots of it"
)]
pub trait Snapshot: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<A: Serialize + DeserializeOwned> Snapshot for A {}

/// How a snapshot is written and read.
pub fn snapshot_codec<A: Snapshot>() -> SnapshotCodec<A> {
    SnapshotCodec::json()
}

/// What a handler may take behind its event: `&EventContext` in an aggregate, `&Envelope` in a projection or a reaction, and
/// then `&Act` in a reaction.
#[diagnostic::on_unimplemented(
    message = "this parameter of the method is `&{At}`, not `&{Self}`",
    label = "write `&{At}` here",
    note = "the event comes first; a `&{At}` stands here, if it is needed, and nothing else"
)]
pub trait Handed<At> {
    /// The same value, as the method's own type.
    fn handed(at: &At) -> &Self;
}

impl Handed<EventContext> for EventContext {
    #[inline]
    fn handed(at: &EventContext) -> &Self {
        at
    }
}

impl Handed<Envelope> for Envelope {
    #[inline]
    fn handed(at: &Envelope) -> &Self {
        at
    }
}

impl Handed<Act> for Act {
    #[inline]
    fn handed(at: &Act) -> &Self {
        at
    }
}

/// What a handler takes last that writes tables: `&mut Sql`.
#[diagnostic::on_unimplemented(
    message = "the last parameter of this method is `&mut {What}`, not `&mut {Self}`",
    label = "not the one of Recount",
    note = "write `use recount::sql::Sql;`"
)]
pub trait HandedMut<What> {
    /// The same value, as the method's own type.
    fn handed(what: &mut What) -> &mut Self;
}

impl HandedMut<Sql> for Sql {
    #[inline]
    fn handed(what: &mut Sql) -> &mut Self {
        what
    }
}

/// Stands for a handler with a mistake: the crate does not compile, so this never runs.
pub fn unreachable<T>() -> T {
    loop {
        std::thread::park();
    }
}
