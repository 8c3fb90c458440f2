//! The rules of `#[derive(ValueObject)]`.

use syn::{Data, DeriveInput};

use crate::diag::Errors;
use crate::event::borrowed;

pub(super) fn value(input: &DeriveInput, errors: &mut Errors) {
    match &input.data {
        Data::Struct(data) => {
            borrowed(&data.fields, "a stored value", errors);
        }
        Data::Enum(data) => {
            for variant in &data.variants {
                borrowed(&variant.fields, "a stored value", errors);
            }
        }
        Data::Union(data) => errors.at(
            data.union_token,
            format_args!(
                "`{}` is a union: which of its fields was stored could not be told",
                input.ident
            ),
            format_args!(
                "write `struct {}`, or an `enum` with a variant for each case",
                input.ident
            ),
        ),
    }
}
