//! The tests of what the lock holds: `cargo test` runs them, and `recount schema` asks them what the code is.

use std::path::Path;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use recount_schema::lock::Lock;

use super::event::Named;
use crate::event::One;
use crate::handler::Handler;
use crate::path::Krate;

/// The test of a struct event, or of a variant with fields of its own.
pub(super) fn event(
    krate: &Krate,
    of: &Of<'_>,
    one: &One,
    named: &Named,
    lock: &Lock,
) -> TokenStream {
    let Of { event, variant } = of;
    let ident = variant.map_or_else(
        || event.to_string(),
        |variant| format!("{event}::{variant}"),
    );
    let test = format_ident!("__recount_schema_{}", ident.replace("::", "_"));
    let name = match variant {
        None => quote!(<#event as #krate::event::Versioned>::NAME),
        Some(_) => named.names.first().to_token_stream(),
    };
    let fields = one.shape.keys.iter().map(|key| {
        let (ident, ty) = (key.ident.to_string(), field_type(&key.ty));
        quote!((#ident, #ty))
    });
    let upcast_from = one.upcast_from.as_ref();
    let upcast_from =
        optional(upcast_from.map(|previous| quote!(::core::any::type_name::<#previous>())));
    let formerly = &one.formerly;
    let examples = &one.examples;
    let released = frozen(lock, Some(&named.names)).filter_map(|frozen| {
        let Frozen {
            category,
            name,
            version,
            samples,
        } = frozen;
        // A file that is missing is told by the checks, and by the tool.
        let contract = lock.contract_file(category, name, version);
        let contract = contract.is_file().then(|| contract.to_string_lossy())?;
        let samples = samples.filter(|file| Path::new(file).is_file());
        let samples = samples.map(|file| quote!(::core::include_str!(#file)));
        let samples = samples.unwrap_or_else(|| quote!(""));
        let category = optional(category);
        Some(quote! {
            Released {
                category: #category,
                name: #name,
                version: #version,
                contract: ::core::include_str!(#contract),
                samples: #samples,
            }
        })
    });
    // Under which names those are stored from which it is split, only the compiler knows.
    let others = frozen(lock, None).filter_map(|frozen| {
        let Frozen {
            name,
            version,
            samples,
            ..
        } = frozen;
        let samples = samples.filter(|file| Path::new(file).is_file())?;
        let is_other = !named.names.iter().any(|own| own == name);
        is_other.then(|| {
            quote! {
                #krate::__private::locked::Split {
                    name: #name,
                    version: #version,
                    samples: ::core::include_str!(#samples),
                }
            }
        })
    });
    let splits = (!one.split_from.is_empty()).then(|| quote!(&[#(#others),*]));
    let splits = optional(splits);
    let dir = lock.dir().to_string_lossy();
    quote! {
        #[cfg(test)]
        #[::core::prelude::v1::test]
        #[allow(non_snake_case, unnameable_test_items, clippy::large_stack_frames)]
        fn #test() {
            use #krate::__private::locked::Released;
            let stored = #krate::__private::locked::stored::<#event>(#name);
            #krate::__private::locked::event::<#event>(
                &#krate::__private::locked::Source {
                    lock: #dir,
                    ident: #ident,
                    module: ::core::module_path!(),
                    file: ::core::file!(),
                    line: ::core::line!(),
                    name: stored.name,
                    version: stored.version,
                    oldest: stored.oldest,
                    shape: stored.shape,
                    fields: &[#(#fields),*],
                    upcast_from: #upcast_from,
                    formerly: &[#(#formerly),*],
                    released: &[#(#released),*],
                    splits: #splits,
                },
                &[#(#examples),*],
            );
        }
    }
}

/// The text of a field's type, as a contract holds it.
pub(super) fn field_type(ty: &syn::Type) -> String {
    crate::event::text(ty).replace(',', ", ")
}

/// The type, and the variant of it that is an event of its own.
pub(crate) struct Of<'a> {
    pub(crate) event: &'a Ident,
    pub(crate) variant: Option<&'a Ident>,
}

/// The test of an aggregate.
pub(super) fn aggregate(
    krate: &Krate,
    this: &syn::Type,
    name: &Ident,
    handlers: &[Handler],
    lock: &Lock,
) -> TokenStream {
    let test = format_ident!("__recount_schema_{}", name);
    let name = name.to_string();
    let events = handlers.iter().map(|handler| {
        let Handler { cfgs, event, .. } = handler;
        quote!(#(#cfgs)* #krate::__private::locked::listed::<#event>(),)
    });
    let released = frozen(lock, None).map(|frozen| {
        let Frozen { category, name, version, .. } = frozen;
        let category = optional(category);
        quote!(#krate::__private::locked::Frozen { category: #category, name: #name, version: #version })
    });
    let dir = lock.dir().to_string_lossy();
    quote! {
        #[cfg(test)]
        #[::core::prelude::v1::test]
        #[allow(non_snake_case, unnameable_test_items)]
        fn #test() {
            #[allow(unused_imports)]
            use #krate::__private::ShapeFallback as _;
            #krate::__private::locked::aggregate::<#this>(&#krate::__private::locked::AggregateSource {
                lock: #dir,
                ident: #name,
                module: ::core::module_path!(),
                file: ::core::file!(),
                line: ::core::line!(),
                id: <#krate::__private::ShapeProbe<<#this as #krate::Aggregate>::Id>>::SHAPE,
                events: &[#(#events)*],
                released: &[#(#released),*],
            });
        }
    }
}

/// A frozen version in the lock.
struct Frozen<'a> {
    category: Option<&'a str>,
    name: &'a str,
    version: u32,
    samples: Option<String>,
}

/// All of them, or those of some names.
fn frozen<'a>(lock: &'a Lock, names: Option<&'a [String]>) -> impl Iterator<Item = Frozen<'a>> {
    let entries = lock.index.events.iter();
    let wanted = move |name: &String| names.is_none_or(|names| names.contains(name));
    let entries = entries.filter(move |entry| wanted(&entry.name));
    entries.flat_map(|entry| {
        let versions = entry
            .versions
            .iter()
            .filter(|version| version.status.is_frozen());
        versions.map(|version| {
            let (category, name) = (entry.category.as_deref(), entry.name.as_str());
            let samples = version.samples.as_ref().map(|_| {
                let file = lock.samples_file(category, name, version.number);
                file.to_string_lossy().into_owned()
            });
            Frozen {
                category,
                name,
                version: version.number,
                samples,
            }
        })
    })
}

/// An `Option`, as it is written.
fn optional(value: Option<impl ToTokens>) -> TokenStream {
    value.map_or_else(
        || quote!(::core::option::Option::None),
        |value| quote!(::core::option::Option::Some(#value)),
    )
}
