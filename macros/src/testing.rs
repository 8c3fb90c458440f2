//! Expansions as a person would write them.

use proc_macro2::TokenStream;

/// Formats what a macro returned.
pub(crate) fn formatted(tokens: &TokenStream) -> String {
    match syn::parse2(tokens.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        Err(error) => format!("{error}\n{tokens}"),
    }
}

/// Compares an expansion with the one on record.
#[macro_export]
macro_rules! snapshot {
    ($tokens:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => true, omit_expression => true }, {
            insta::assert_snapshot!($crate::testing::formatted(&$tokens))
        })
    };
}
