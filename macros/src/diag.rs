//! Compile errors: collected, so that all independent mistakes appear in one build, and written in one form.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The mistakes of one call.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    /// Adds a mistake on the tokens to change: what is wrong and what would happen, then the exact tokens to write.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, what: impl Display, help: impl Display) {
        let help = help.to_string();
        let text = if help.is_empty() {
            what.to_string()
        } else {
            format!("{what}\n\nhelp: {help}")
        };
        self.push(syn::Error::new_spanned(tokens, text));
    }

    /// The same, on one place.
    pub(crate) fn at_span(&mut self, span: Span, what: impl Display, help: impl Display) {
        self.at(proc_macro2::Ident::new("_here", span), what, help);
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }

    /// How many mistakes there are.
    pub(crate) fn count(&self) -> usize {
        self.0.iter().flatten().count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The errors as items, to be emitted beside what could be expanded.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0
            .map(|errors| errors.to_compile_error())
            .unwrap_or_default()
    }
}
