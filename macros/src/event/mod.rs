//! `#[derive(Event)]`.

mod check;
mod expand;
mod model;
mod parse;

use proc_macro2::{Ident, TokenStream};

use crate::diag::Errors;
use crate::lock::Of;

use self::expand::stored_as;
use self::model::{Content, Event, Kind};
pub(crate) use check::borrowed;
pub(crate) use expand::{Arm, Body, dispatch, newest, of_event, text};
pub(crate) use model::{One, split_version};

/// Tokens in, tokens out.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let input = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut model = parse::event(input, &mut errors);
    check::event(&mut model, &mut errors);
    let tests = lock(&mut model, &mut errors);
    let mut tokens = expand::event(&model);
    tokens.extend(tests);
    tokens.extend(errors.into_tokens());
    tokens
}

/// Asks the lock about each stored event, and gives the tests of what it holds.
fn lock(event: &mut Event, errors: &mut Errors) -> TokenStream {
    let Event {
        krate, kind, ident, ..
    } = event;
    let mut tests = TokenStream::new();
    let mut ask = |one: &mut One, stored_as: &Ident, variant: Option<&Ident>| {
        let of = Of {
            event: ident,
            variant,
        };
        one.locked = crate::lock::event(krate, &of, stored_as, one, errors);
        tests.extend(std::mem::take(&mut one.locked.test));
    };
    match kind {
        Kind::Struct(one, _) => {
            let ident = one.ident.clone();
            ask(one, &ident, None);
        }
        Kind::Enum { variants, .. } => {
            for variant in variants {
                if let Content::Fields(one, _) = &mut variant.content {
                    ask(one, &stored_as(&variant.ident), Some(&variant.ident));
                }
            }
        }
        Kind::Broken => {}
    }
    tests
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
