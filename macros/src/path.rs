//! Paths: the one by which generated code names the runtime crate, and the last name of a type's.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Type;

/// `::recount`, or what `crate = …` says.
#[derive(Clone)]
pub(crate) struct Krate(TokenStream);

impl Krate {
    pub(crate) fn new(path: Option<syn::Path>) -> Self {
        Self(path.map_or_else(|| quote!(::recount), ToTokens::into_token_stream))
    }

    /// The path with all tokens at one place, so that an error falls there and not on the macro's name.
    pub(crate) fn at(&self, span: Span) -> Self {
        let span = span.resolved_at(Span::mixed_site());
        let respan = |mut token: TokenTree| {
            // A path that is written out keeps its own hygiene.
            let span = span.resolved_at(token.span());
            token.set_span(span);
            token
        };
        Self(self.0.clone().into_iter().map(respan).collect())
    }

    /// The path as text, for attributes that take it so.
    pub(crate) fn text(&self, rest: &str) -> String {
        let path: String = self
            .0
            .clone()
            .into_iter()
            .map(|token| token.to_string())
            .collect();
        format!("{path}{rest}")
    }
}

impl ToTokens for Krate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}

/// The place of a type, a path, …: from its first token to its last.
pub(crate) fn span_of(tokens: impl ToTokens) -> Span {
    syn::spanned::Spanned::span(&tokens.into_token_stream()).resolved_at(Span::mixed_site())
}

/// The last name in a path, which messages speak of.
pub(crate) fn last_ident(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        Type::Group(group) => last_ident(&group.elem),
        Type::Paren(paren) => last_ident(&paren.elem),
        _ => None,
    }
}
