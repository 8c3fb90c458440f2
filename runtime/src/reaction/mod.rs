//! Reactions: code that does something when an event was stored.

mod act;
mod deed;
mod reactor;

pub use act::Act;
pub(crate) use deed::Deed;
pub use reactor::{Reacting, Reactor};

use crate::event::DecodeError;
use crate::log::{Record, Selector};

/// Code that acts on events: which it handles, and how. Written by the `reaction` macro.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a reaction",
    note = "write `#[reaction(name = \"…\", of(SomeAggregate))] impl {Self} {{ async fn NAME(&self, event: SomeEvent) {{ … }} }}`",
    note = "a block whose methods take `&mut self` is run by `Projector`, and one whose methods take a `&mut Sql` by `TableProjector`"
)]
pub trait Reaction: Sized + Send + Sync + 'static {
    /// The name under which its checkpoint is kept.
    const NAME: &'static str;

    /// The events that it handles, by category and stored name, older names included.
    fn selectors() -> Vec<Selector>;

    /// Reads a stored event and acts on it; one that it does not handle is passed over.
    ///
    /// # Errors
    /// [`ReactionError`]: the event cannot be read, or a method failed.
    fn react<'a>(
        &'a self,
        record: Record<'a>,
        act: &'a Act,
    ) -> impl Future<Output = Result<(), ReactionError>> + Send + 'a;
}

/// Why an event was not acted on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReactionError {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] Box<DecodeError>),
    /// A method returned this error.
    #[error("{0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
