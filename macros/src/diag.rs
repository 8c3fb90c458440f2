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

/// The candidate that a misspelt word was probably meant to be.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The number of characters to change, add or take away (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (b, above) in b.chars().zip(row.iter().skip(1)) {
            let cost = diagonal + usize::from(a != b);
            left = cost.min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{closest, distance};

    #[test]
    fn a_misspelt_word_is_recognised_and_another_is_not() {
        assert_eq!(distance("kitten", "sitting"), 3);
        let keys = ["name", "formerly", "version", "upcast_from"];
        assert_eq!(closest("nane", keys), Some("name"));
        assert_eq!(closest("upcasts_from", keys), Some("upcast_from"));
        assert_eq!(closest("tag", keys), None);
    }
}
