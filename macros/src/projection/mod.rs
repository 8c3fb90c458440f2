//! `#[projection]`.

mod expand;
mod parse;

use proc_macro2::TokenStream;
use quote::quote;

use crate::diag::Errors;

/// Tokens in, tokens out. The block comes back as it was, whatever is wrong with it.
pub(crate) fn expand(arguments: TokenStream, input: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let model = parse::projection(arguments, input, &mut errors);
    let generated = model.as_ref().map(expand::projection);
    let errors = errors.into_tokens();
    quote! {
        #[allow(clippy::needless_pass_by_value, clippy::unused_self)]
        #input
        #generated
        #errors
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    #[test]
    fn a_projection_of_two_aggregates() {
        crate::snapshot!(super::expand(
            quote!(name = "balances", of(BankAccount, Order)),
            &quote! {
                impl Balances {
                    fn deposited(&mut self, event: MoneyDeposited, at: &Envelope) {}
                    fn paid(&mut self, event: &OrderPaid) {}
                }
            }
        ));
    }
}
