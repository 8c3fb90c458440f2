//! From tokens to the model, and the rules.

use quote::ToTokens;
use syn::{Data, DeriveInput, Fields};

use super::model::{Id, Kind};
use crate::attr::{Entries, Key};
use crate::diag::Errors;
use crate::path::Krate;
use crate::path::last_ident;

const KEYS: &[Key] = &[
    Key::once("check", "check = path::to::function"),
    Key::once("crate", "crate = path::to::recount"),
];

const NUMBERS: &[&str] = &[
    "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
];

pub(super) fn id(input: &DeriveInput, errors: &mut Errors) -> Option<Id> {
    let entries = Entries::of_attributes(&input.attrs, "id", KEYS, errors);
    let krate = Krate::new(entries.krate(errors));
    let check = entries
        .get("check")
        .and_then(|entry| entry.value("the path of a function", errors));
    let ident = &input.ident;
    if !input.generics.params.is_empty() {
        errors.at(
            &input.generics.params,
            format_args!("`{ident}` is generic: an id names one kind of stream"),
            format_args!("write `struct {ident}(String);`"),
        );
        return None;
    }
    let field = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => fields.unnamed.first(),
            Fields::Unit => {
                errors.at(
                    ident,
                    format_args!("`{ident}` holds nothing: all streams would have one name"),
                    format_args!("write `struct {ident}(String);`"),
                );
                return None;
            }
            fields => {
                errors.at(
                    fields,
                    format_args!("an id is one value without a name"),
                    format_args!("write `struct {ident}(String);`"),
                );
                return None;
            }
        },
        _ => None,
    };
    let Some(field) = field else {
        errors.at(
            ident,
            format_args!("an id is a struct around one value"),
            format_args!("write `struct {ident}(String);`"),
        );
        return None;
    };
    let name = last_ident(&field.ty).map(ToString::to_string);
    let kind = match name.as_deref() {
        Some("String") => Kind::Text,
        Some("Uuid") => Kind::Uuid,
        Some(name) if NUMBERS.contains(&name) => Kind::Number,
        _ => {
            errors.at(
                &field.ty,
                format_args!(
                    "an id is a `String`, a `Uuid` or an integer, not `{}`: it is the name of a stream",
                    field.ty.to_token_stream()
                ),
                format_args!("write `struct {ident}(String);`"),
            );
            return None;
        }
    };
    Some(Id {
        krate,
        ident: ident.clone(),
        inner: field.ty.clone(),
        kind,
        check,
    })
}
