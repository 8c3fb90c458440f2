//! The rules of `#[derive(Event)]`.

use quote::{ToTokens, quote};
use syn::{Fields, GenericParam, Type};

use super::model::{Content, Event, Kind, One, split_version};
use crate::diag::Errors;
use crate::path::last_ident;

pub(super) fn event(event: &mut Event, errors: &mut Errors) {
    let borrowed = match &event.kind {
        Kind::Struct(_, fields) => {
            twice_optional(fields, errors);
            borrowed(fields, "a stored event", errors)
        }
        Kind::Enum { variants, .. } => {
            let mut any = false;
            for variant in variants {
                if let Content::Fields(_, fields) | Content::Broken(fields) = &variant.content {
                    twice_optional(fields, errors);
                    any |= self::borrowed(fields, "a stored event", errors);
                }
            }
            any
        }
        Kind::Broken => return,
    };
    let generic = generic(event, borrowed, errors);
    match &mut event.kind {
        Kind::Struct(one, fields) => {
            let ident = &event.ident;
            match fields {
                Fields::Named(_) => {}
                Fields::Unnamed(fields) => errors.at(
                    &*fields,
                    format_args!("the fields of `{ident}` have no names: stored events could not be told apart once one is added or moved"),
                    format_args!("write `struct {ident} {{ {} }}`", example(fields)),
                ),
                Fields::Unit => errors.at(
                    ident,
                    format_args!("`{ident}` is a unit struct: it would be stored as `null`, which no field can ever be added to"),
                    format_args!("write `struct {ident} {{}}`"),
                ),
            }
            self::one(one, "", errors);
        }
        Kind::Enum { variants, .. } => {
            if variants.is_empty() {
                errors.at(
                    &event.ident,
                    format_args!(
                        "`{}` has no variant: nothing could ever be stored",
                        event.ident
                    ),
                    "write a variant for each event",
                );
            }
            for variant in variants {
                if let Content::Fields(one, _) = &mut variant.content {
                    self::one(one, ", or wrap a struct event", errors);
                }
            }
        }
        Kind::Broken => {}
    }
    if borrowed || generic {
        event.kind = Kind::Broken;
    }
}

/// The names to write for fields without one.
fn example(fields: &syn::FieldsUnnamed) -> String {
    let named = fields.unnamed.iter().enumerate().map(|(index, field)| {
        let ty = field.ty.to_token_stream();
        format!("field_{index}: {ty}")
    });
    named.collect::<Vec<_>>().join(", ")
}

/// `Some(None)` and `None` are both `null`, unless serde is told otherwise.
fn twice_optional(fields: &Fields, errors: &mut Errors) {
    let is_option = |ty: &Type| last_ident(ty).is_some_and(|ident| ident == "Option");
    for field in fields {
        if is_option(&field.ty)
            && inner(&field.ty).is_some_and(is_option)
            && !field.attrs.iter().any(|it| it.path().is_ident("serde"))
        {
            let name = field
                .ident
                .as_ref()
                .map_or_else(|| "this field".to_owned(), |ident| format!("`{ident}`"));
            errors.at(
                &field.ty,
                format_args!(
                    "{name} is an `Option` in an `Option`: `Some(None)` and `None` are stored alike, so what is read is not what was recorded"
                ),
                "write an enum with a variant for each case, or `#[serde(with = \"…\")]`",
            );
        }
    }
}

/// The only type that a type takes as an argument.
fn inner(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let syn::PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments
    else {
        return None;
    };
    match arguments.args.first()? {
        syn::GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }
}

/// Events are read from bytes that are gone afterwards, so no field can borrow.
pub(crate) fn borrowed(fields: &Fields, what: &str, errors: &mut Errors) -> bool {
    let mut any = false;
    for field in fields {
        let Type::Reference(reference) = &field.ty else {
            continue;
        };
        if reference
            .lifetime
            .as_ref()
            .is_some_and(|lifetime| lifetime.ident == "static")
        {
            // Serde cannot read one either, but a `&'static str` may be skipped by an attribute.
            if field.attrs.iter().any(|it| it.path().is_ident("serde")) {
                continue;
            }
        }
        any = true;
        let owned = owned(&reference.elem);
        let name = field
            .ident
            .as_ref()
            .map_or_else(|| "this field".to_owned(), |ident| format!("`{ident}`"));
        let help = field.ident.as_ref().map_or_else(
            || format!("write `{owned}`"),
            |ident| format!("write `{ident}: {owned}`"),
        );
        errors.at(
            &field.ty,
            format_args!("{name} borrows: {what} is read from bytes that are gone afterwards"),
            help,
        );
    }
    any
}

fn owned(ty: &Type) -> String {
    match ty {
        Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
        Type::Slice(slice) => format!("Vec<{}>", slice.elem.to_token_stream()),
        other => other.to_token_stream().to_string(),
    }
}

fn generic(event: &Event, borrowed: bool, errors: &mut Errors) -> bool {
    let ident = &event.ident;
    let parameters = &event.generics.params;
    // A lifetime is there for a field that borrows, which is said already.
    let lifetimes = parameters
        .iter()
        .all(|parameter| matches!(parameter, GenericParam::Lifetime(_)));
    if parameters.is_empty() || (borrowed && lifetimes) {
        return !parameters.is_empty();
    }
    errors.at(
        parameters,
        format_args!("`{ident}` is generic: all its forms would be stored under one name, and one would be read as the other"),
        format_args!("write one struct for each, `struct {ident} {{ … }}`"),
    );
    true
}

fn one(one: &mut One, or: &str, errors: &mut Errors) {
    let ident = one.ident.clone();
    for name in one.name.iter().chain(&one.formerly) {
        let value = name.value();
        if value.is_empty() || value.contains('\0') || value.len() > 255 {
            errors.at(
                name,
                "a stored name has from 1 to 255 bytes and no NUL character",
                format_args!("write `\"{ident}\"`"),
            );
        }
    }
    let (base, suffix) = one.suffix();
    if suffix == Some(0) {
        errors.at(
            &ident,
            format_args!("versions begin at 1: an event of version 0 could not be stored, and `{ident}` ends like one"),
            format_args!("write `{base}`"),
        );
        one.version = Some((1, ident.span()));
        return;
    }
    if let (Some((version, span)), Some(suffix)) = (one.version, suffix)
        && version != suffix
    {
        errors.at_span(
            span,
            format_args!("`{ident}` ends like version {suffix} and is given version {version}: which one should be stored?"),
            format_args!("write `version = {suffix}`, or `version = 1` if `V{suffix}` is part of the name"),
        );
        one.version = None;
    }
    sources(one, &base, errors);
    steps(one, or, errors);
}

/// What an event is converted from.
fn sources(one: &mut One, base: &str, errors: &mut Errors) {
    let ident = one.ident.clone();
    let version = one.written_version();
    if let Some(previous) = &one.upcast_from {
        let name = last_ident(previous)
            .map(ToString::to_string)
            .unwrap_or_default();
        let stored = split_version(&name).map(|(_, version)| version);
        let circle = ident == name
            || matches!((stored, version), (Some(stored), Some(version)) if stored >= version);
        if circle {
            let before = match version {
                Some(2) => base.to_owned(),
                Some(version) if version > 2 => format!("{base}V{}", version - 1),
                _ => "PreviousVersion".to_owned(),
            };
            errors.at(
                previous,
                format_args!("`{ident}` is upcast from `{name}`, which does not come before it: stored events would go round in a circle"),
                format_args!("write `upcast_from = {before}`"),
            );
            one.upcast_from = None;
            one.broken = true;
        } else if version == Some(1) {
            errors.at(
                previous,
                format_args!("`{ident}` is version 1: nothing came before it"),
                format_args!("name it `{base}V2`, or write `version = 2`"),
            );
            one.upcast_from = None;
        }
    }
    if let Some(with) = &one.with
        && usize::from(one.upcast_from.is_some()) + one.split_from.len() != 1
    {
        let (what, help) = if one.upcast_from.is_none() && one.split_from.is_empty() {
            (
                "`with` names a conversion, and nothing says what is converted",
                format!(
                    "write `upcast_from = PreviousVersion, with = {}`",
                    with.to_token_stream()
                ),
            )
        } else {
            (
                "`with` names one conversion, and there are several types to convert from",
                "leave `with` out and write `impl From<…>` for each".to_owned(),
            )
        };
        errors.at(with, what, help);
        one.with = None;
        one.broken = true;
    }
}

/// Every version must be read by somebody.
fn steps(one: &mut One, or: &str, errors: &mut Errors) {
    let ident = &one.ident;
    if let (Some(previous), Some(step)) = (&one.upcast_from, one.steps.first()) {
        errors.at(
            &step.from,
            format_args!("`{ident}` is upcast from a type and from JSON: which of the two should read an old event?"),
            format_args!("move `upcast_json` to `{}`, or leave it out", previous.to_token_stream()),
        );
        one.steps.clear();
    }
    let version = one.written_version().unwrap_or(1);
    let steps: Vec<u32> = one
        .steps
        .iter()
        .map(|step| step.from.base10_parse().unwrap_or(0))
        .collect();
    let expected: Vec<u32> = (1..version).collect();
    if one.broken || one.upcast_from.is_some() || steps == expected {
        return;
    }
    // What was dropped is stored nowhere, and nothing has to convert it.
    let Some(oldest) = crate::lock::oldest_stored(one, errors) else {
        return;
    };
    if oldest > 1 && steps.iter().copied().eq(oldest..version) {
        return;
    }
    let (base, suffix) = one.suffix();
    let json = || {
        let steps: Vec<String> = expected
            .iter()
            .map(|from| format!("{from} => FUNCTION"))
            .collect();
        format!("upcast_json({})", steps.join(", "))
    };
    if steps.is_empty() {
        let (of, from) = match suffix {
            None => (String::new(), "PreviousVersion".to_owned()),
            Some(2) => (format!(" of `{base}`"), base.clone()),
            Some(_) => (format!(" of `{base}`"), format!("{base}V{}", version - 1)),
        };
        let version_key = if suffix.is_some() {
            String::new()
        } else {
            format!("version = {version}, ")
        };
        let mut help = if or.is_empty() {
            format!("write `#[event({version_key}upcast_from = {from})]`")
        } else {
            format!("write `#[event({version_key}{})]`{or}", json())
        };
        if suffix.is_some() {
            help = format!(
                "{help}; if `V{version}` is part of the name, write `#[event(version = 1)]`"
            );
        } else if or.is_empty() {
            help = format!("{help}, or `#[event({version_key}{})]`", json());
        }
        let what = format!(
            "`{ident}` is version {version}{of} and says nothing of version {}: events stored as such could not be read",
            version - 1
        );
        match one.version {
            Some((_, span)) if suffix.is_none() => {
                errors.at_span(span, what, help);
            }
            _ => errors.at(ident, what, help),
        }
        one.broken = true;
        return;
    }
    let missing = expected.iter().find(|from| !steps.contains(from));
    let all = one.steps.iter().map(|step| &step.from);
    let all = quote!(#(#all)*);
    if version == 1 {
        errors.at(
            all,
            format_args!("`{ident}` is version 1: nothing came before it"),
            format_args!(
                "name it `{base}V{0}`, or write `version = {0}`",
                steps.len() + 1
            ),
        );
    } else if let Some(missing) = missing {
        errors.at(
            all,
            format_args!("nothing converts version {missing} of `{ident}`: events stored as such could not be read"),
            format_args!("write `{}`", json()),
        );
    } else {
        errors.at(
            all,
            format_args!("`{ident}` is version {version}, so its JSON is converted once from each version before it, in order"),
            format_args!("write `{}`", json()),
        );
    }
    one.steps.clear();
}
