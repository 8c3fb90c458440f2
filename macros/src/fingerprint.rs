//! A hash over tokens: the same for every compiler and formatting, so that it can be stored.

use proc_macro2::{Delimiter, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Fields};

/// FNV-1a, 64 bits.
#[derive(Clone, Copy)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn finish(self) -> u64 {
        self.0
    }

    pub(crate) fn text(&mut self, text: &str) {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Adds tokens, without documentation: it changes no meaning.
    pub(crate) fn tokens(&mut self, tokens: impl ToTokens) {
        let mut tokens = tokens.into_token_stream().into_iter().peekable();
        while let Some(token) = tokens.next() {
            match &token {
                TokenTree::Punct(punct)
                    if punct.as_char() == '#' && tokens.peek().is_some_and(is_doc) =>
                {
                    tokens.next();
                }
                TokenTree::Group(group) => {
                    // Groups without delimiters are the work of `macro_rules!`.
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => ("", ""),
                    };
                    if !open.is_empty() {
                        self.text(open);
                    }
                    self.tokens(group.stream());
                    if !close.is_empty() {
                        self.text(close);
                    }
                }
                other => self.text(&other.to_string()),
            }
        }
    }

    /// Adds the `serde` attributes among these.
    pub(crate) fn serde(&mut self, attributes: &[Attribute]) {
        for attribute in attributes {
            if attribute.path().is_ident("serde") {
                self.tokens(&attribute.meta);
            }
        }
    }

    /// Adds names, types and serde attributes of fields.
    pub(crate) fn fields(&mut self, fields: &Fields) {
        for field in fields {
            self.serde(&field.attrs);
            self.tokens(&field.ident);
            self.text(":");
            self.tokens(&field.ty);
            self.text(",");
        }
    }

    /// Adds the shape of a struct or enum.
    pub(crate) fn data(&mut self, data: &syn::Data) {
        match data {
            syn::Data::Struct(data) => self.fields(&data.fields),
            syn::Data::Enum(data) => {
                for variant in &data.variants {
                    self.serde(&variant.attrs);
                    self.tokens(&variant.ident);
                    self.text("{");
                    self.fields(&variant.fields);
                    self.text("}");
                }
            }
            syn::Data::Union(_) => {}
        }
    }
}

fn is_doc(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else {
        return false;
    };
    group.delimiter() == Delimiter::Bracket
        && matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(ident)) if ident == "doc")
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::Fingerprint;

    fn of(tokens: proc_macro2::TokenStream) -> u64 {
        let mut fingerprint = Fingerprint::new();
        fingerprint.tokens(tokens);
        fingerprint.finish()
    }

    #[test]
    fn a_changed_token_counts_and_documentation_does_not() {
        let one = of(quote!(
            fn paid(&mut self, event: Paid) {
                self.total += event.amount;
            }
        ));
        let documented = of(quote!(
            #[doc = "Pays."]
            fn paid(&mut self, event: Paid) {
                self.total += event.amount;
            }
        ));
        let other = of(quote!(
            fn paid(&mut self, event: Paid) {
                self.total -= event.amount;
            }
        ));
        assert_eq!(one, documented);
        assert_ne!(one, other);
    }

    #[test]
    fn it_is_the_same_in_every_release() {
        assert_eq!(of(quote!(amount: i64)), 0xea92_843c_4c14_134b);
    }
}
