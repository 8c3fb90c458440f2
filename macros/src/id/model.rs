//! What `#[derive(Id)]` was given.

use proc_macro2::Ident;
use syn::{Path, Type};

use crate::path::Krate;

pub(super) struct Id {
    pub(super) krate: Krate,
    pub(super) ident: Ident,
    pub(super) inner: Type,
    pub(super) kind: Kind,
    pub(super) check: Option<Path>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Uuid,
    Number,
}
