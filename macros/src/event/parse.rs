//! From tokens to the model.

use syn::parse::ParseStream;
use syn::{Attribute, Data, DeriveInput, Fields, Token};

use super::model::{Content, Event, Kind, One, Step, Variant};
use crate::attr::{Entries, Key};
use crate::diag::Errors;
use crate::fingerprint::Fingerprint;
use crate::path::Krate;

const STRUCT: &[Key] = &[
    Key::once("name", "name = \"…\""),
    Key::many("formerly", "formerly = \"…\""),
    Key::once("version", "version = 2"),
    Key::once("upcast_from", "upcast_from = PreviousVersion"),
    Key::once("with", "with = path::to::function"),
    Key::many("split_from", "split_from = OtherEvent"),
    Key::once("upcast_json", "upcast_json(1 => path::to::function)"),
    Key::once("crate", "crate = path::to::recount"),
];

const ENUM: &[Key] = &[Key::once("crate", "crate = path::to::recount")];

const VARIANT: &[Key] = &[
    Key::once("name", "name = \"…\""),
    Key::many("formerly", "formerly = \"…\""),
    Key::once("version", "version = 2"),
    Key::once("upcast_json", "upcast_json(1 => path::to::function)"),
];

pub(super) fn event(input: DeriveInput, errors: &mut Errors) -> Event {
    let mut fingerprint = Fingerprint::new();
    fingerprint.serde(&input.attrs);
    fingerprint.data(&input.data);
    let (krate, kind) = match input.data {
        Data::Struct(data) => {
            let entries = Entries::of_attributes(&input.attrs, "event", STRUCT, errors);
            let one = one(&input.ident, &entries, errors);
            (
                entries.krate(errors),
                Kind::Struct(Box::new(one), data.fields),
            )
        }
        Data::Enum(data) => {
            let entries = Entries::of_attributes(&input.attrs, "event", ENUM, errors);
            let variants = data.variants.into_iter();
            let kind = Kind::Enum {
                variants: variants.map(|it| variant(it, errors)).collect(),
                serde: serde(&input.attrs),
            };
            (entries.krate(errors), kind)
        }
        Data::Union(data) => {
            errors.at(
                data.union_token,
                format_args!(
                    "`{}` is a union: which of its fields was stored could not be told",
                    input.ident
                ),
                format_args!(
                    "write `struct {}`, or an `enum` with a variant for each case",
                    input.ident
                ),
            );
            (None, Kind::Broken)
        }
    };
    Event {
        krate: Krate::new(krate),
        ident: input.ident,
        generics: input.generics,
        kind,
        fingerprint: fingerprint.finish(),
    }
}

fn one(ident: &syn::Ident, entries: &Entries, errors: &mut Errors) -> One {
    let formerly = entries
        .all("formerly")
        .flat_map(|entry| entry.values("texts in quotes", errors))
        .collect();
    let split_from = entries
        .all("split_from")
        .flat_map(|entry| entry.types("the type of another event", errors))
        .collect();
    One {
        ident: ident.clone(),
        name: entries.text("name", errors),
        formerly,
        version: entries.number(
            "version",
            "versions begin at 1: an event of version 0 could not be stored",
            "version = 1",
            errors,
        ),
        upcast_from: entries
            .get("upcast_from")
            .and_then(|entry| entry.types("the type of the version before", errors).pop()),
        with: entries
            .get("with")
            .and_then(|entry| entry.value("the path of a function", errors)),
        split_from,
        steps: entries
            .get("upcast_json")
            .map(|entry| entry.list("versions and functions", step, errors))
            .unwrap_or_default(),
        broken: false,
    }
}

fn step(input: ParseStream<'_>) -> syn::Result<Step> {
    let from = input.parse()?;
    input.parse::<Token![=>]>()?;
    Ok(Step {
        from,
        function: input.parse()?,
    })
}

fn variant(variant: syn::Variant, errors: &mut Errors) -> Variant {
    let entries = Entries::of_attributes(&variant.attrs, "event", VARIANT, errors);
    let content = match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            for entry in entries.iter() {
                errors.at(
                    entry,
                    format_args!(
                        "`{}` belongs to the event in `{}`: it brings its own name and versions",
                        entry.key, variant.ident
                    ),
                    "write it on the struct",
                );
            }
            match fields.unnamed.first() {
                Some(field) => Content::Event(Box::new(field.ty.clone())),
                None => Content::Broken(variant.fields.clone()),
            }
        }
        Fields::Unnamed(fields) => {
            errors.at(
                &fields.unnamed,
                format_args!(
                    "the fields of `{}` have no names: stored events could not be told apart once one is added or moved",
                    variant.ident
                ),
                format_args!("write `{} {{ NAME: … }}`", variant.ident),
            );
            Content::Broken(variant.fields.clone())
        }
        fields => Content::Fields(
            Box::new(one(&variant.ident, &entries, errors)),
            fields.clone(),
        ),
    };
    Variant {
        ident: variant.ident,
        attributes: serde(&variant.attrs),
        content,
    }
}

fn serde(attributes: &[Attribute]) -> Vec<Attribute> {
    let serde = attributes.iter().filter(|it| it.path().is_ident("serde"));
    serde.cloned().collect()
}
