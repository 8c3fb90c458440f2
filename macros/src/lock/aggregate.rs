//! The list of an aggregate's events against all that were released.

use std::collections::HashMap;
use std::path::PathBuf;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use recount_schema::lock::{Entry, Lock, Version};
use syn::{Ident, LitStr, Type};

use super::event::{Found, may_be_draft_of_another};
use super::governing::{governing, is_governed, is_lenient, watch};
use super::verify;
use crate::apply::Apply;
use crate::diag::Errors;
use crate::event::split_version;
use crate::handler::Handler;
use crate::path::{Krate, span_of};

/// For an aggregate that says that it is locked: then deleting the lock switches nothing off.
pub(crate) fn must_be_there(ident: &Ident, locked: impl ToTokens, errors: &mut Errors) {
    if !is_governed() {
        errors.at(
            locked,
            format_args!("`{ident}` is locked, and no `schema/lock.toml` is there: released events could change unnoticed"),
            "restore the folder `schema` from version control, or begin one: `recount schema init`",
        );
    }
}

/// Asks whether stored streams are still found: under the category that the type had, by ids of the form that they had.
pub(crate) fn streams(
    krate: &Krate,
    ident: &Ident,
    stream: Option<&LitStr>,
    id: Option<&Type>,
    errors: &mut Errors,
) -> TokenStream {
    let Some(lock) = governing(errors) else {
        return TokenStream::new();
    };
    let watched = watch([lock.dir().join("lock.toml").as_path()]);
    let Some(stream) = stream.filter(|_| !is_lenient()) else {
        return watched;
    };
    let category = stream.value();
    let index = &lock.index;
    let known = index.aggregates.iter().filter(|one| *ident == one.ident);
    let stored: Vec<&str> = known
        .map(|one| one.category.as_str())
        .filter(|category| index.is_stored(category))
        .collect();
    if let (Some(was), false) = (stored.first(), stored.contains(&category.as_str())) {
        errors.at(
            stream,
            format_args!(
                "[RC1043] streams of `{ident}` are stored as `{was}`: under `{category}` they would not be found"
            ),
            format_args!(
                "write `stream = \"{was}\"`, or, if another type has the streams of `{was}` now: `recount schema accept`"
            ),
        );
    }
    let released = index.aggregate(&category).and_then(|one| one.id);
    let check = released.zip(id).filter(|_| index.is_stored(&category));
    let check = check.and_then(|(released, id)| {
        let span = span_of(id);
        let own = krate.at(span);
        let shape = recount_schema::lock::expression(released, &krate.text("::schema"));
        let shape: TokenStream = shape.parse().ok()?;
        Some(quote_spanned! {span=>
            const _: () = {
                #[allow(unused_imports)]
                use #own::__private::ShapeFallback as _;
                const __RELEASED: #own::schema::StreamKey =
                    #own::schema::StreamKey { category: #category, id: #shape };
                __RELEASED.assert_kept(<#own::__private::ShapeProbe<#id>>::SHAPE)
            };
        })
    });
    quote!(#watched #check)
}

/// Asks, for each released event, whether the aggregate still reads it. Which of them are its own only the compiler knows.
pub(crate) fn aggregate(apply: &Apply, errors: &mut Errors) -> TokenStream {
    let Apply {
        krate,
        events,
        block,
    } = apply;
    let (this, cfgs) = (&block.this, &block.cfgs);
    let Some(lock) = governing(errors) else {
        return TokenStream::new();
    };
    // Where in the list an event is, if its name is that of its type. Searching for each of them took longer than all else.
    let listed = (0_u32..).zip(&block.handlers);
    let likely: HashMap<String, u32> = listed
        .map(|(at, handler)| {
            let ident = handler.name.to_string();
            (
                plain(split_version(&ident).map_or(&ident, |(base, _)| base)),
                at,
            )
        })
        .collect();
    let released = lock.index.events.iter().filter_map(|entry| {
        let category = entry.category.as_deref()?;
        let frozen = || {
            entry
                .versions
                .iter()
                .filter(|version| version.status.is_frozen())
        };
        let (oldest, newest) = (frozen().next()?.number, frozen().next_back()?.number);
        let name = &entry.name;
        let likely = likely.get(&plain(name)).copied().unwrap_or(u32::MAX);
        Some(quote!((#category, #name, #oldest, #newest, #likely)))
    });
    let released: Vec<TokenStream> = released.collect();
    let watched = watch([lock.dir().join("lock.toml").as_path()]);
    let span = span_of(this);
    let own = krate.at(span);
    let check = (!released.is_empty() && !is_lenient()).then(|| {
        quote_spanned! {span=>
            const _: () = #own::__private::reads_all(
                <#this as #own::Aggregate>::CATEGORY,
                &[#(#released),*],
                &<#events as #own::event::Event>::NAMES,
                &<#events as #own::event::Event>::SHAPES,
                <#this as #own::Aggregate>::RETIRED,
            );
        }
    });
    let own_only = (!is_lenient()).then(|| {
        let mut checks = given_up(apply, &lock);
        checks.extend(of_several_categories(apply, &lock));
        checks
    });
    let test = verify::aggregate(krate, this, &block.name, &block.handlers, &lock);
    quote! {
        #(#cfgs)*
        const _: () = {
            #watched
            #check
            #own_only
        };
        #(#cfgs)*
        #test
    }
}

/// A name without what differs between ways to write it: `WorkoutScheduled`, `workout.scheduled`.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// At each event: that its name was not given up in this category.
fn given_up(apply: &Apply, lock: &Lock) -> TokenStream {
    let tombstones = lock.index.tombstones.iter();
    let names = tombstones.filter(|one| one.fields.is_empty());
    let names = names.filter_map(|one| {
        let (category, event, reason) = (one.category.as_deref()?, &one.event, &one.reason);
        Some(quote!((#category, #event, #reason)))
    });
    let names: Vec<TokenStream> = names.collect();
    let this = &apply.block.this;
    let handlers = apply.block.handlers.iter().filter(|_| !names.is_empty());
    let checks = handlers.map(|handler| {
        let Handler { cfgs, event, .. } = handler;
        let own = apply.krate.at(span_of(event));
        quote_spanned! {span_of(event)=>
            #(#cfgs)*
            const _: () = #own::__private::not_given_up(
                <#this as #own::Aggregate>::CATEGORY,
                &[#(#names),*],
                &<#event as #own::event::Event>::SHAPES,
            );
        }
    });
    checks.collect()
}

/// That an event of a name which several categories have is the one of this category.
fn of_several_categories(apply: &Apply, lock: &Lock) -> TokenStream {
    let events = &lock.index.events;
    let mut files = Vec::new();
    let mut released = Vec::new();
    for entry in events {
        let Some(category) = entry.category.as_deref() else {
            continue;
        };
        let frozen = |version: &&Version| version.status.is_frozen();
        for listed in entry.versions.iter().filter(frozen) {
            let (name, number) = (&entry.name, listed.number);
            let is_another =
                |other: &Entry| other.name == *name && other.category != entry.category;
            if !events.iter().any(is_another) {
                continue;
            }
            let alone = may_be_draft_of_another(lock, name, number);
            files.push(lock.contract_file(Some(category), name, number));
            // What is wrong with it the derive of the event says.
            if let Ok(Some(contract)) = lock.contract(Some(category), name, number) {
                let found = Found::of(lock, listed, &contract);
                let released_as = found.expression(&apply.krate);
                released.extend(released_as.map(|it| quote!((#category, #alone, #it))));
            }
        }
    }
    if released.is_empty() {
        return TokenStream::new();
    }
    let watched = watch(files.iter().map(PathBuf::as_path));
    let (this, events) = (&apply.block.this, &apply.events);
    let own = apply.krate.at(span_of(this));
    quote_spanned! {span_of(this)=>
        #watched
        const _: () = {
            const __RELEASED: &[(&str, bool, #own::schema::Released)] = &[#(#released),*];
            #own::__private::reads_its_own(
                <#this as #own::Aggregate>::CATEGORY,
                __RELEASED,
                &<#events as #own::event::Event>::SHAPES,
            )
        };
    }
}
