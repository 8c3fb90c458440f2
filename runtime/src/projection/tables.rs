//! Projections into tables of the store's own database.

use crate::event::DecodeError;
use crate::log::{Record, Selector};
use crate::sql::Sql;

/// A read model in tables of the store's own database. Written by the [`projection`](macro@crate::projection) macro, for a block
/// whose methods take a `&mut Sql`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection into tables",
    note = "write `#[projection(name = \"…\", of(SomeAggregate))] impl {Self} {{ const TABLES: &[&str] = &[…]; fn NAME(&self, event: SomeEvent, sql: &mut Sql) {{ … }} }}`"
)]
pub trait TableProjection: Sized + Send + Sync + 'static {
    /// The name under which its checkpoint is kept.
    const NAME: &'static str;

    /// A hash over the tokens of its block and the shapes of its events: when it changes, the tables are built anew.
    const FINGERPRINT: u64;

    /// Whether a method takes the envelope: without one, reading need not bring ids and metadata.
    const ASKS_ENVELOPE: bool;

    /// The statements that make its tables and indexes, with `{name}` for the name of each.
    const TABLES: &'static [&'static str];

    /// The events that it handles, by category and stored name, older names included.
    fn selectors() -> Vec<Selector>;

    /// Reads a stored event and writes down what changes by it; one that it does not handle is passed over.
    ///
    /// # Errors
    /// [`DecodeError`] says where the event stands and why it could not be read.
    fn handle(&self, record: &Record<'_>, sql: &mut Sql) -> Result<(), Box<DecodeError>>;
}
