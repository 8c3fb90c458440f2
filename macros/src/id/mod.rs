//! `#[derive(Id)]`.

mod expand;
mod model;
mod parse;

use proc_macro2::TokenStream;

use crate::diag::Errors;

/// Tokens in, tokens out.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let input = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut tokens = match parse::id(&input, &mut errors) {
        Some(model) => expand::id(&model),
        None => TokenStream::new(),
    };
    tokens.extend(errors.into_tokens());
    tokens
}

#[cfg(test)]
mod tests {
    use quote::quote;

    #[test]
    fn an_id_of_text() {
        crate::snapshot!(super::derive(quote! {
            pub struct AccountId(String);
        }));
    }

    #[test]
    fn an_id_of_a_uuid() {
        crate::snapshot!(super::derive(quote! {
            pub struct OrderId(Uuid);
        }));
    }

    #[test]
    fn an_id_of_a_number_with_a_check() {
        crate::snapshot!(super::derive(quote! {
            #[id(check = even)]
            pub struct RoomId(u32);
        }));
    }
}
