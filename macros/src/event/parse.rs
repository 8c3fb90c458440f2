//! From tokens to the model.

use syn::parse::ParseStream;
use syn::{Attribute, Data, DeriveInput, Fields, Token};

use super::model::{Content, Event, Kind, One, Step, Variant};
use crate::attr::{Entries, Key};
use crate::diag::Errors;
use crate::fingerprint::Fingerprint;
use crate::path::Krate;
use crate::shape;
use crate::shape::{Asked, Described, OPAQUE, Own, SHAPE, describe};

const STRUCT: &[Key] = &[
    Key::once("name", "name = \"…\""),
    Key::many("formerly", "formerly = \"…\""),
    Key::once("version", "version = 2"),
    Key::once("upcast_from", "upcast_from = PreviousVersion"),
    Key::once("with", "with = path::to::function"),
    Key::many("split_from", "split_from = OtherEvent"),
    Key::once("upcast_json", "upcast_json(1 => path::to::function)"),
    Key::many("example", "example = path::to::function"),
    OPAQUE,
    SHAPE,
    Key::once("crate", "crate = path::to::recount"),
];

const ENUM: &[Key] = &[Key::once("crate", "crate = path::to::recount")];

const VARIANT: &[Key] = &[
    Key::once("name", "name = \"…\""),
    Key::many("formerly", "formerly = \"…\""),
    Key::once("version", "version = 2"),
    Key::once("upcast_json", "upcast_json(1 => path::to::function)"),
    Key::many("example", "example = path::to::function"),
];

pub(super) fn event(input: DeriveInput, errors: &mut Errors) -> Event {
    let mut fingerprint = Fingerprint::new();
    fingerprint.serde(&input.attrs);
    fingerprint.data(&input.data);
    let (krate, kind) = match input.data {
        Data::Struct(data) => {
            let entries = Entries::of_attributes(&input.attrs, "event", STRUCT, errors);
            let krate = Krate::new(entries.krate(errors));
            let own = Own::of_entries(&entries, errors);
            let asked = Asked {
                krate: &krate,
                ident: &input.ident,
                generics: &input.generics,
                attributes: &input.attrs,
                outer: None,
                own: own.as_ref(),
                surrounding: None,
                attribute: "event",
                strict: false,
            };
            let shape = describe(&asked, &shape::Content::Fields(&data.fields), errors);
            let one = one(&input.ident, &entries, shape, errors);
            (krate, Kind::Struct(Box::new(one), data.fields))
        }
        Data::Enum(data) => {
            let entries = Entries::of_attributes(&input.attrs, "event", ENUM, errors);
            let krate = Krate::new(entries.krate(errors));
            let of = (&krate, input.attrs.as_slice(), &input.generics);
            let variants = data.variants.into_iter();
            let kind = Kind::Enum {
                variants: variants.map(|it| variant(it, of, errors)).collect(),
                serde: serde(&input.attrs),
            };
            (krate, kind)
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
            (Krate::new(None), Kind::Broken)
        }
    };
    Event {
        krate,
        ident: input.ident,
        generics: input.generics,
        kind,
        fingerprint: fingerprint.finish(),
    }
}

fn one(ident: &syn::Ident, entries: &Entries, shape: Described, errors: &mut Errors) -> One {
    let formerly = entries
        .all("formerly")
        .flat_map(|entry| entry.values("texts in quotes", errors))
        .collect();
    let split_from = entries
        .all("split_from")
        .flat_map(|entry| entry.types("the type of another event", errors))
        .collect();
    let examples = entries
        .all("example")
        .filter_map(|entry| entry.value("the path of a function that makes one", errors))
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
        shape,
        broken: false,
        locked: crate::lock::Asked::default(),
        examples,
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

fn variant(
    variant: syn::Variant,
    (krate, outer, generics): (&Krate, &[Attribute], &syn::Generics),
    errors: &mut Errors,
) -> Variant {
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
        fields => {
            let asked = Asked {
                krate,
                ident: &variant.ident,
                generics,
                attributes: &variant.attrs,
                outer: Some(outer),
                own: None,
                surrounding: None,
                attribute: "event",
                strict: false,
            };
            // One without fields is stored as `{}`.
            let named = Fields::Named(syn::FieldsNamed {
                brace_token: syn::token::Brace::default(),
                named: syn::punctuated::Punctuated::new(),
            });
            let stored = if matches!(fields, Fields::Unit) {
                &named
            } else {
                fields
            };
            let shape = describe(&asked, &shape::Content::Fields(stored), errors);
            let one = one(&variant.ident, &entries, shape, errors);
            Content::Fields(Box::new(one), fields.clone())
        }
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
