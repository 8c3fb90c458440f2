//! `#[projection]` and `#[reaction]`.
//!
//! Both find the method that takes an event in the same way and read the event in the same way; which trait is implemented
//! follows from the [`Home`](crate::handler::Home) of the block.

mod adapter;
mod expand;
mod parse;
mod statements;

use proc_macro2::TokenStream;
use quote::quote;

use crate::diag::Errors;
use crate::handler::{Home, Role};
use crate::lock::Follower;

/// Tokens in, tokens out. The block comes back as it was, whatever is wrong with it.
pub(crate) fn expand(role: Role, arguments: TokenStream, input: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let model = parse::projection(role, arguments, input, &mut errors);
    let generated = model.as_ref().map(expand::projection);
    let locked = model.as_ref().map(|model| {
        let follower = Follower {
            krate: &model.krate,
            role,
            name: model
                .name
                .as_ref()
                .map_or_else(String::new, syn::LitStr::value),
            of: &model.of,
            block: &model.block,
        };
        crate::lock::follower(&follower, &mut errors)
    });
    let errors = errors.into_tokens();
    let outside = model.is_some_and(|model| model.block.home == Home::Outside);
    let waits = outside.then(|| quote!(, clippy::unused_async));
    quote! {
        #[allow(clippy::needless_pass_by_value, clippy::trivially_copy_pass_by_ref, clippy::unused_self #waits)]
        #input
        #generated
        #locked
        #errors
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use crate::handler::Role;

    #[test]
    fn a_projection_of_two_aggregates() {
        crate::snapshot!(super::expand(
            Role::Projection,
            quote!(name = "balances", of(BankAccount, Order)),
            &quote! {
                impl Balances {
                    fn deposited(&mut self, event: MoneyDeposited, at: &Envelope) {}
                    fn paid(&mut self, event: &OrderPaid) {}
                }
            }
        ));
    }
    #[test]
    fn a_projection_into_tables() {
        crate::snapshot!(super::expand(
            Role::Projection,
            quote!(name = "board", of(Task)),
            &quote! {
                impl Board {
                    const TABLES: &[&str] = &["CREATE TABLE {board} (task text PRIMARY KEY, title text NOT NULL)"];
                    fn created(&self, event: TaskCreated, at: &Envelope, sql: &mut Sql) {}
                    fn renamed(&self, event: &TaskRenamed, sql: &mut Sql) {}
                }
            }
        ));
    }

    #[test]
    fn a_reaction() {
        crate::snapshot!(super::expand(
            Role::Reaction,
            quote!(name = "coach", of(Plan)),
            &quote! {
                impl Coach {
                    async fn missed(&self, event: WorkoutMissed, at: &Envelope, act: &Act) -> Result<(), CoachError> {}
                    async fn done(&self, event: &WorkoutDone) {}
                }
            }
        ));
    }
}
