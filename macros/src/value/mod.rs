//! `#[derive(ValueObject)]`.

mod check;
mod expand;
mod parse;

use proc_macro2::{Ident, TokenStream};
use syn::Generics;

use crate::diag::Errors;
use crate::path::Krate;
use crate::shape::Described;

/// What `#[derive(ValueObject)]` was given.
struct Value {
    krate: Krate,
    ident: Ident,
    generics: Generics,
    /// Its shape, and those that it has within types that contain it and that it contains, with these as a tuple.
    shapes: Vec<(Option<TokenStream>, Described)>,
    /// No struct and no enum, which explains whatever else is missing.
    union: bool,
}

/// Tokens in, tokens out.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let input: syn::DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    check::value(&input, &mut errors);
    let value = parse::value(input, &mut errors);
    let mut tokens = expand::value(&value);
    tokens.extend(errors.into_tokens());
    tokens
}

#[cfg(test)]
mod tests {
    use quote::quote;

    #[test]
    fn a_struct() {
        crate::snapshot!(super::derive(quote! {
            #[serde(rename_all = "camelCase")]
            pub struct Address {
                pub street_name: String,
                #[serde(default, alias = "no")]
                pub number: Option<u32>,
                #[value(opaque = "geo::Point@1")]
                pub at: Option<Point>,
            }
        }));
    }

    #[test]
    fn a_newtype_that_is_checked() {
        crate::snapshot!(super::derive(quote! {
            #[serde(try_from = "u16", into = "u16")]
            pub struct Reps(u16);
        }));
    }

    #[test]
    fn an_enum_that_contains_itself() {
        crate::snapshot!(super::derive(quote! {
            #[serde(tag = "kind")]
            pub enum Step<T> {
                Rest,
                Work { zone: T },
                Repeat { steps: Vec<Step<T>> },
            }
        }));
    }

    #[test]
    fn a_struct_of_a_circle() {
        crate::snapshot!(super::derive(quote! {
            #[value(recursive_with(Rule))]
            pub struct Group {
                pub rules: Vec<Rule>,
                pub inner: Vec<Group>,
            }
        }));
    }
}
