//! `#[derive(Event)]`.

mod check;
mod expand;
mod model;
mod parse;

use proc_macro2::TokenStream;

use crate::diag::Errors;

pub(crate) use expand::{Arm, Body, dispatch, newest, of_event, text};

/// Tokens in, tokens out.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let input = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut model = parse::event(input, &mut errors);
    check::event(&mut model, &mut errors);
    let mut tokens = expand::event(&model);
    tokens.extend(errors.into_tokens());
    tokens
}

#[cfg(test)]
mod tests {
    use quote::quote;

    #[test]
    fn a_struct_event() {
        crate::snapshot!(super::derive(quote! {
            pub struct MoneyDeposited { pub amount: Cents }
        }));
    }

    #[test]
    fn a_later_version_that_was_renamed() {
        crate::snapshot!(super::derive(quote! {
            #[event(upcast_from = MoneyDeposited, name = "Deposit", formerly = "PaidIn")]
            pub struct MoneyDepositedV2 { pub amount: Cents, pub by: String }
        }));
    }

    #[test]
    fn an_enum_of_events() {
        crate::snapshot!(super::derive(quote! {
            pub enum AccountEvent {
                Opened { #[serde(default)] holder: String },
                #[event(name = "AccountClosed")]
                Closed,
                Deposited(DepositedV2),
            }
        }));
    }
}
