//! `#[derive(Aggregate)]`.

mod check;
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
    let model = parse::aggregate(input, &mut errors);
    check::aggregate(&model, &mut errors);
    let mut tokens = expand::aggregate(&model, errors.is_empty());
    tokens.extend(errors.into_tokens());
    tokens
}

#[cfg(test)]
mod tests {
    use quote::quote;

    #[test]
    fn an_aggregate() {
        crate::snapshot!(super::derive(quote! {
            #[aggregate(stream = "account", id = AccountId)]
            pub struct BankAccount { balance: Cents }
        }));
    }

    #[test]
    fn an_aggregate_with_everything() {
        crate::snapshot!(super::derive(quote! {
            #[aggregate(stream = "account", id = AccountId, error = BankError, snapshot_every = 100, snapshot_version = 2, retired("Renamed"))]
            pub struct BankAccount { balance: Cents }
        }));
    }
}
