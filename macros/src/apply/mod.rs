//! `#[apply]`.

mod expand;
mod parse;

use proc_macro2::TokenStream;
use quote::quote;

pub(crate) use self::parse::Apply;
use crate::diag::Errors;

/// Tokens in, tokens out. The block comes back as it was, whatever is wrong with it.
pub(crate) fn expand(arguments: TokenStream, input: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let model = parse::apply(arguments, input, &mut errors);
    let generated = model.as_ref().map(expand::apply);
    let locked = model
        .as_ref()
        .map(|model| crate::lock::aggregate(model, &mut errors));
    let errors = errors.into_tokens();
    quote! {
        #[allow(clippy::needless_pass_by_value, clippy::unused_self)]
        #input
        #generated
        #locked
        #errors
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    #[test]
    fn a_fold() {
        crate::snapshot!(super::expand(
            quote!(),
            &quote! {
                impl BankAccount {
                    fn opened(event: AccountOpened) -> Self { Self::default() }
                    fn deposited(&mut self, event: &MoneyDeposited) { self.balance += event.amount; }
                    fn closed(&mut self, _: AccountClosed, at: &EventContext) { self.closed_at = Some(at.recorded_at); }
                }
            }
        ));
    }
}
