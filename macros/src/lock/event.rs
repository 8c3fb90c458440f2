//! An event against its released version.

use std::path::PathBuf;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use recount_schema::lock::{Contract, Entry, Lock, LockError, Status, Version};
use recount_schema::private::digest_of_released;
use recount_schema::{Field, Level, Rule, Shape, Struct};
use syn::{GenericArgument, PathArguments, Type};

use super::governing::{governing, is_governed, is_lenient, watch};
use super::verify::Of;
use super::{tokens, verify};
use crate::diag::Errors;
use crate::event::One;
use crate::path::{Krate, span_of};
use crate::shape::Key;

/// What the lock asks of an event.
#[derive(Default)]
pub(crate) struct Asked {
    /// To stand where the type is that its payload is read as.
    pub(crate) checks: TokenStream,
    /// To stand among the constants of that type: the compiler evaluates none of them that is not needed.
    pub(crate) released: TokenStream,
    /// To stand where the user's type is.
    pub(crate) test: TokenStream,
}

/// What the lock has to say of an event: checks and a test, and errors.
pub(crate) fn event(
    krate: &Krate,
    of: &Of<'_>,
    stored_as: &Ident,
    one: &One,
    errors: &mut Errors,
) -> Asked {
    let ident = &one.ident;
    let Some(lock) = governing(errors) else {
        return Asked::default();
    };
    let mut files = vec![lock.dir().join("lock.toml")];
    let named = Named::of(ident, one);
    let (mut checks, mut released) = Default::default();
    if !is_lenient() {
        refuse_conditional(one, errors);
        (checks, released) = checked(krate, stored_as, one, &lock, &named, &mut files, errors);
        checks.extend(unreleased(one, &lock, &named));
    }
    let watched = watch(files.iter().map(PathBuf::as_path));
    Asked {
        // What is asked of an event of many fields that changed in all of them takes its time.
        checks: quote!(#[allow(long_running_const_eval)] const _: () = { #watched #checks };),
        released,
        test: verify::event(krate, of, one, &named, &lock),
    }
}

fn checked(
    krate: &Krate,
    stored_as: &Ident,
    one: &One,
    lock: &Lock,
    named: &Named,
    files: &mut Vec<PathBuf>,
    errors: &mut Errors,
) -> (TokenStream, TokenStream) {
    refuse_given_up(lock, named, errors);
    let (mut checks, mut kept) = <(TokenStream, TokenStream)>::default();
    if !named.is_certain {
        checks.extend(must_be_named(krate, lock, stored_as, one));
    }
    checks.extend(previous_is_named(krate, lock, named, one));
    if let Some(version) = named.version {
        match released(lock, named, version, files) {
            Ok(found) => {
                let mut found: Vec<Found<'_>> = found
                    .iter()
                    .map(|(listed, contract)| Found::of(lock, listed, contract))
                    .collect();
                // What is told is told of the one that is most alike.
                found.sort_by_key(|found| std::cmp::Reverse(found.likeness(&one.shape.keys)));
                checks.extend(check(krate, stored_as, one, &found, errors));
                let found: Vec<_> = found
                    .iter()
                    .filter_map(|found| found.expression(krate))
                    .collect();
                kept =
                    quote!(const RELEASED: &'static [#krate::schema::Released] = &[#(#found),*];);
            }
            Err(error) => errors.at(&one.ident, error, ""),
        }
    }
    (checks, kept)
}

/// The names and the version of an event, as far as its tokens tell.
pub(super) struct Named {
    ident: String,
    /// The stored name, then older ones.
    pub(super) names: Vec<String>,
    version: Option<u32>,
    /// Neither is taken from the type that it is upcast from.
    is_certain: bool,
}

impl Named {
    fn of(ident: &Ident, one: &One) -> Self {
        let (base, _) = one.suffix();
        let name = one.name.as_ref().map_or(base, syn::LitStr::value);
        let formerly = one.formerly.iter().map(syn::LitStr::value);
        let version = match (one.written_version(), &one.upcast_from) {
            (Some(version), _) => Some(version),
            (None, Some(_)) => None,
            (None, None) => Some(1),
        };
        Self {
            ident: ident.to_string(),
            names: std::iter::once(name).chain(formerly).collect(),
            version,
            is_certain: one.upcast_from.is_none() || (one.name.is_some() && version.is_some()),
        }
    }
}

/// A name that was given up may not come back. Whether that of an aggregate's event does, its list tells.
fn refuse_given_up(lock: &Lock, named: &Named, errors: &mut Errors) {
    let name = named.names.first();
    let mut tombstones = lock.index.tombstones.iter();
    let given_up = tombstones
        .find(|one| one.category.is_none() && one.fields.is_empty() && Some(&one.event) == name);
    if let Some(given_up) = given_up {
        errors.at_span(
            Span::call_site(),
            format_args!(
                "[RC1007] the stored name `{}` was given up ({}): events of that name meant something else",
                given_up.event, given_up.reason
            ),
            "give the event another name: `#[event(name = \"…\")]`",
        );
    }
}

/// What is stored may not depend on features or platforms. A field that this build leaves out cannot be seen.
fn refuse_conditional(one: &One, errors: &mut Errors) {
    let (ident, keys) = (&one.ident, &one.shape.keys);
    for (key, cfg) in keys.iter().filter_map(|key| Some((key, key.cfg.as_ref()?))) {
        let field = &key.ident;
        let condition = cfg.meta.to_token_stream().to_string().replace(' ', "");
        errors.at(
            cfg,
            format_args!(
                "[RC1045] `{field}` of `{ident}` depends on `{condition}`: another build stores other events, and drops what this one stored"
            ),
            "take `#[cfg(…)]` off; a value that some builds do not have is an `Option`",
        );
    }
}

/// Of an event that was never released: that an optimised build stores what nothing protects. How serious that is the policy says.
fn unreleased(one: &One, lock: &Lock, named: &Named) -> TokenStream {
    let (Some(version), Some(name)) = (named.version, named.names.first()) else {
        return TokenStream::new();
    };
    let versions = || {
        let entries = lock.index.events.iter();
        let entries = entries.filter(|entry| named.names.contains(&entry.name));
        entries.flat_map(|entry| &entry.versions)
    };
    let is_known = versions().next().is_some();
    let is_frozen = versions().any(|one| one.number == version && one.status != Status::Draft);
    // The type that it is upcast from may have another name.
    if is_frozen || (!is_known && !named.is_certain) {
        return TokenStream::new();
    }
    let text = format!(
        "[RC1046] version {version} of `{name}` was never released: what this build stores of it nothing protects"
    );
    let help = "freeze it before anything is deployed: `recount schema release`";
    // The user's own: what stands in a derive is not warned of.
    let span = one.ident.span();
    match lock.index.policy.level(Rule::DraftStored) {
        None => TokenStream::new(),
        Some(Level::Deny) => {
            let text = format!("{text}\n\nhelp: {help}");
            quote_spanned! {span=>
                #[cfg(not(any(debug_assertions, test)))]
                ::core::compile_error!(#text);
            }
        }
        // The one warning that a macro can give.
        Some(Level::Warn) => {
            let text = format!("{text}; {help}");
            quote_spanned! {span=>
                #[cfg(not(any(debug_assertions, test)))]
                const _: () = {
                    #[deprecated(note = #text)]
                    const DRAFT: () = ();
                    DRAFT
                };
            }
        }
    }
}

/// The oldest version of an event that may be stored, where those before it were dropped; else 1. Nothing if the lock cannot be read.
pub(crate) fn oldest_stored(one: &One, errors: &mut Errors) -> Option<u32> {
    let Some(lock) = governing(errors) else {
        return (!is_governed()).then_some(1);
    };
    let named = Named::of(&one.ident, one);
    let entries = lock.index.events.iter();
    let entries = entries.filter(|entry| named.names.first() == Some(&entry.name));
    let oldest = entries.map(|entry| {
        let dropped = entry
            .versions
            .iter()
            .zip(1..)
            .take_while(|(listed, number)| {
                listed.number == *number && listed.status == Status::Dropped
            });
        dropped.last().map_or(1, |(_, number)| number + 1)
    });
    Some(oldest.min().unwrap_or(1))
}

/// The name, or the version, is that of the type that it is upcast from, which the compiler knows: if it is that of a released event,
/// it must be written here too, or nothing would be checked.
fn must_be_named(krate: &Krate, lock: &Lock, stored_as: &Ident, one: &One) -> TokenStream {
    let frozen = lock.index.events.iter().flat_map(|entry| {
        let versions = entry
            .versions
            .iter()
            .filter(|version| version.status.is_frozen());
        versions.map(|version| (&entry.name, version.number))
    });
    let frozen: Vec<TokenStream> = frozen
        .map(|(name, version)| quote!((#name, #version)))
        .collect();
    let (base, _) = one.suffix();
    let name = one.name.as_ref().map_or(base, syn::LitStr::value);
    let version = one.written_version().unwrap_or(0);
    let span = one.ident.span().resolved_at(Span::mixed_site());
    let own = krate.at(span);
    quote_spanned! {span=>
        const _: () = #own::__private::must_be_named(
            <#stored_as as #own::event::Versioned>::NAME,
            <#stored_as as #own::event::Versioned>::VERSION,
            #name,
            #version,
            &[#(#frozen),*],
        );
    }
}

/// The frozen version that this type reads, if there is one: by its name, or one that it had before. Several categories may have
/// an event of that name; then it is the one that was released from a type of this one's name. Where that does not tell, it is one
/// of them, and the lists of the aggregates say which. They say all where it may be a draft of one of them.
fn released<'a>(
    lock: &'a Lock,
    named: &Named,
    number: u32,
    files: &mut Vec<PathBuf>,
) -> Result<Vec<(&'a Version, Contract)>, LockError> {
    let mut found = Vec::new();
    if may_be_draft_of_another(lock, &named.names[0], number) {
        return Ok(found);
    }
    for name in &named.names {
        for entry in lock.index.events.iter().filter(|entry| entry.name == *name) {
            let category = entry.category.as_deref();
            let listed = lock.version(category, name, number);
            let Some(listed) = listed.filter(|listed| listed.status.is_frozen()) else {
                continue;
            };
            files.push(lock.contract_file(category, name, number));
            if let Some(contract) = lock.contract(category, name, number)? {
                found.push((listed, contract));
            }
        }
    }
    let is_ours = |contract: &Contract| contract.rust.ident == named.ident;
    if found.iter().any(|(_, contract)| is_ours(contract)) {
        found.retain(|(_, contract)| is_ours(contract));
    }
    Ok(found)
}

/// A stored name that an event had stands at each version that was released under it, or that version would be held against nothing.
fn previous_is_named(krate: &Krate, lock: &Lock, named: &Named, one: &One) -> Option<TokenStream> {
    let previous = one.upcast_from.as_ref()?;
    let before = named.version?.checked_sub(1)?;
    let is_released = |name: &&String| {
        let mut entries = lock
            .index
            .events
            .iter()
            .filter(|entry| entry.name == **name);
        // Of several categories none is known to be this one's.
        let (Some(entry), None) = (entries.next(), entries.next()) else {
            return false;
        };
        let mut versions = entry.versions.iter();
        versions.any(|one| one.number == before && one.status.is_frozen())
    };
    let released: Vec<&String> = named.names.iter().filter(is_released).collect();
    let span = span_of(previous);
    let own = krate.at(span);
    let ty = crate::event::text(previous);
    (!released.is_empty()).then(|| {
        quote_spanned! {span=>
            const _: () = #own::__private::previous_is_named(
                &<#previous as #own::__private::Previous>::NAMES, #ty, #before, &[#(#released),*],
            );
        }
    })
}

/// Whether one category has released this version, and it would be the next one of another that has an event of this name. What was
/// released is then held against the list of its aggregate, which has the newest version only.
pub(super) fn may_be_draft_of_another(lock: &Lock, name: &str, number: u32) -> bool {
    let newest = |entry: &Entry| {
        let frozen = entry.versions.iter().filter(|one| one.status.is_frozen());
        frozen.map(|one| one.number).max().unwrap_or(0)
    };
    let entries = lock.index.events.iter().filter(|entry| entry.name == name);
    let newest: Vec<u32> = entries.map(newest).collect();
    newest.contains(&number.saturating_sub(1)) && newest.iter().any(|newest| *newest >= number)
}

/// A frozen version, with all that the lock says of it.
pub(super) struct Found<'a> {
    contract: &'a Contract,
    newest: u32,
    since: &'a str,
    accepted: Vec<(&'a str, &'a str)>,
}

impl<'a> Found<'a> {
    pub(super) fn of(lock: &'a Lock, listed: &'a Version, contract: &'a Contract) -> Self {
        let Contract {
            category,
            event,
            version,
            ..
        } = contract;
        let accepted = lock.index.accepted(category.as_deref(), event, *version);
        let entry = lock.index.event(category.as_deref(), event);
        let versions = entry.map_or(&[][..], |entry| entry.versions.as_slice());
        Self {
            contract,
            newest: versions
                .iter()
                .map(|version| version.number)
                .max()
                .unwrap_or(*version),
            since: listed.since.as_deref().unwrap_or_default(),
            accepted: accepted
                .map(|accepted| (accepted.rule.as_str(), accepted.path.as_str()))
                .collect(),
        }
    }

    /// How many of its fields the type has.
    fn likeness(&self, keys: &[Key]) -> usize {
        let stored = fields(self.contract.shape).map_or(&[][..], |of| of.fields);
        let is_there = |field: &&Field| keys.iter().any(|key| key.name == field.name);
        stored.iter().filter(is_there).count()
    }

    /// A constant `Released`.
    pub(super) fn expression(&self, krate: &Krate) -> Option<TokenStream> {
        let Self {
            contract,
            newest,
            since,
            accepted,
        } = self;
        let text = recount_schema::lock::expression(contract.shape, &krate.text("::schema"));
        let shape: TokenStream = text.parse().ok()?;
        let (event, version) = (&contract.event, contract.version);
        let accepted = accepted.iter().map(|(rule, path)| quote!((#rule, #path)));
        Some(quote! {
            #krate::schema::Released {
                event: #event,
                version: #version,
                newest: #newest,
                since: #since,
                shape: #shape,
                accepted: &[#(#accepted),*],
            }
        })
    }
}

fn check(
    krate: &Krate,
    stored_as: &Ident,
    one: &One,
    found: &[Found<'_>],
    errors: &mut Errors,
) -> TokenStream {
    let ident = &one.ident;
    let Some((first, others)) = found.split_first() else {
        return TokenStream::new();
    };
    let contract = first.contract;
    let keys = &one.shape.keys;
    // Of several, tokens cannot tell which.
    let told = if others.is_empty() {
        let released = tokens::Released {
            contract,
            newest: first.newest,
            since: first.since,
            accepted: &first.accepted,
            is_strange: first.likeness(keys) == 0
                && !keys
                    .iter()
                    .any(|key| contract.rust.fields.contains_key(&key.ident.to_string())),
        };
        tokens::tell(&released, ident, &one.shape, errors)
    } else {
        tokens::Told::default()
    };
    // A constant costs half a millisecond, so there are as few as can be, and none for what cannot have changed by itself. What is wrong
    // with the rest of such a field, as with its attributes, is told at the event.
    let checked: Vec<&Key> = keys
        .iter()
        .filter(|key| !is_as_it_was(key, contract) || !others.is_empty())
        .collect();
    let fields = checked.iter().map(|key| &key.name);
    let each = checked
        .iter()
        .filter(|key| !told.fields.contains(&key.name));
    let each = each.map(|key| of_field(krate, key, contract));
    let mut flattened = keys.iter().filter(|key| key.flatten);
    let flattened = match (flattened.next(), flattened.next()) {
        (Some(key), None) => within(key, contract),
        _ => String::new(),
    };
    let then = contract.rust.fields.keys();
    let own = then.chain(keys.iter().map(|key| &key.name));
    let own = own.filter(|_| !flattened.is_empty());
    let span = ident.span().resolved_at(Span::mixed_site());
    let rest = (!told.others).then(
        || quote_spanned!(span=> __READ.assert_others(&[#(#fields),*], &[#(#own),*], #flattened);),
    );
    let digests = found
        .iter()
        .filter_map(|found| digest_of_released(found.contract.shape));
    quote! {
        const __READ: #krate::schema::Read = #krate::__private::reads_released::<#stored_as>(&[#(#digests),*]);
        #(#each)*
        #rest
    }
}

/// At the type of a field: that its JSON is known, and that it reads what was stored.
fn of_field(krate: &Krate, key: &Key, contract: &Contract) -> TokenStream {
    let (name, ty) = (&key.name, &key.ty);
    let span = span_of(ty);
    if key.by_type {
        let own = krate.at(span);
        let within = within(key, contract);
        quote_spanned! {span=>
            const _: () = __READ.assert_shaped_field(#name, #within, <#ty as #own::schema::Shaped>::SHAPE);
        }
    } else {
        quote_spanned!(span=> const _: () = __READ.assert_field(#name);)
    }
}

/// The type within which a field must have changed, if the field itself did not.
fn within(key: &Key, contract: &Contract) -> String {
    let ty = verify::field_type(&key.ty);
    contract.rust.within(&key.ident.to_string(), &ty).to_owned()
}

/// Whether a field's type is as it was, and made of types whose JSON nobody here can change.
fn is_as_it_was(key: &Key, contract: &Contract) -> bool {
    let then = contract.rust.fields.get(&key.ident.to_string());
    then == Some(&verify::field_type(&key.ty)) && is_of_others(&key.ty)
}

/// Whether a type has the name of one of others, and so have those in it.
fn is_of_others(ty: &Type) -> bool {
    let Type::Path(ty) = ty else { return false };
    let path = &ty.path;
    let Some(name) = path.segments.last().filter(|_| path.segments.len() == 1) else {
        return false;
    };
    let is_known = recount_schema::lock::is_of_others(&name.ident.to_string());
    is_known
        && match &name.arguments {
            PathArguments::None => true,
            PathArguments::AngleBracketed(parts) => parts
                .args
                .iter()
                .all(|part| matches!(part, GenericArgument::Type(part) if is_of_others(part))),
            PathArguments::Parenthesized(_) => false,
        }
}

/// The fields of what was released, if it was an object.
pub(super) fn fields(shape: &'static Shape) -> Option<&'static Struct> {
    match shape {
        Shape::Struct(of) => Some(of),
        _ => None,
    }
}
