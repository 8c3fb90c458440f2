//! What `#[derive(Aggregate)]` was given.

use proc_macro2::{Ident, TokenStream};
use syn::{Generics, LitStr, Type};

use crate::path::Krate;
use crate::shape::Described;

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one entry of the attribute"
)]
pub(super) struct Aggregate {
    pub(super) krate: Krate,
    pub(super) ident: Ident,
    pub(super) generics: Generics,
    pub(super) union: bool,
    pub(super) stream: Option<LitStr>,
    /// Something stands for `stream`, right or wrong.
    pub(super) has_stream: bool,
    pub(super) id: Option<Type>,
    pub(super) has_id: bool,
    pub(super) error: Option<Type>,
    pub(super) snapshot_every: Option<u64>,
    pub(super) snapshots: bool,
    pub(super) retired: Vec<LitStr>,
    pub(super) fingerprint: u64,
    pub(super) shape: Described,
    /// What the lock asks of it.
    pub(super) locked: TokenStream,
}
