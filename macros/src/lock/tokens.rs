//! What tokens alone can tell of a change, with the words to write. What is not told here the compiler finds.

use proc_macro2::Ident;
use quote::ToTokens;
use recount_schema::lock::Contract;
use recount_schema::{Advice, Field, Written};

use super::event::fields;
use crate::diag::Errors;
use crate::path::last_ident;
use crate::shape::{Described, Key};

/// A released version, as messages need it.
pub(super) struct Released<'a> {
    pub(super) contract: &'a Contract,
    /// The newest version in the lock.
    pub(super) newest: u32,
    pub(super) since: &'a str,
    pub(super) accepted: &'a [(&'a str, &'a str)],
    /// The type has none of its fields, be it under another name in JSON.
    pub(super) is_strange: bool,
}

impl Released<'_> {
    fn accepts(&self, rule: &str, name: &str) -> bool {
        let is_it = |(code, path): &(&str, &str)| {
            *code == rule && path.strip_prefix('.').is_some_and(|path| path == name)
        };
        self.accepted.iter().any(is_it)
    }

    /// `` `Opened` version 1 (released in 0.3.0) ``
    fn title(&self) -> String {
        let Contract { event, version, .. } = self.contract;
        let since = match self.since {
            "" => String::new(),
            since => format!(" (released in {since})"),
        };
        format!("`{event}` version {version}{since}")
    }

    /// The last of the ways out.
    fn advice(&self, ident: &Ident) -> String {
        let bump = format!("recount schema bump {ident}");
        let advice = Advice {
            version: self.contract.version,
            newest: self.newest,
            within: "",
            bump: &bump,
        };
        let advice = advice.text().to_string();
        match &self.contract.category {
            Some(category) if self.is_strange => format!(
                "{advice}; or, if it is another event than that of `{category}`, give it a stored name of its own: `#[event(name = \"…\")]`"
            ),
            _ => advice,
        }
    }
}

/// What was told here, and is not to be told again.
#[derive(Default)]
pub(super) struct Told {
    /// Keys of fields.
    pub(super) fields: Vec<String>,
    /// That of stored keys without a field.
    pub(super) others: bool,
}

/// Tells of fields that came, went or were renamed.
pub(super) fn tell(
    released: &Released<'_>,
    ident: &Ident,
    now: &Described,
    errors: &mut Errors,
) -> Told {
    let keys = &now.keys;
    let mut told = Told::default();
    // What is flattened has keys that only types know.
    let Some(stored) = fields(released.contract.shape) else {
        return told;
    };
    let stored = stored.fields;
    for key in keys.iter().filter(|key| key.flatten) {
        if stored
            .iter()
            .any(|field| !field.flatten && field.name == key.name)
        {
            told.fields.push(key.name.clone());
            told.others = true;
            flattened_field(released, ident, key, errors);
        }
    }
    if keys.iter().any(|key| key.flatten) || stored.iter().any(|field| field.flatten) {
        return told;
    }
    let gone = stored.iter().filter(|field| {
        let has_reader = keys.iter().any(|key| key.reads(field.name));
        field.written != Written::Never && !has_reader && !released.accepts("RC1001", field.name)
    });
    let mut gone: Vec<&Field> = gone.collect();
    for key in keys {
        let is_stored = stored.iter().any(|field| key.reads(field.name));
        if is_stored || !key.is_needed() || !needs_value(key) {
            continue;
        }
        told.fields.push(key.name.clone());
        // The field that was there before, of the same type.
        let ty = key.ty.to_token_stream().to_string().replace(' ', "");
        let renamed = gone.iter().position(|field| {
            let types = &released.contract.rust.fields;
            types
                .get(field.name)
                .is_some_and(|old| old.replace(' ', "") == ty)
        });
        match renamed {
            Some(at) => renamed_field(released, ident, gone.remove(at), key, errors),
            None => new_field(released, ident, key, errors),
        }
    }
    // Where unknown keys are denied it is worse, and the compiler says so.
    for field in gone.iter().filter(|_| !now.denies_unknown) {
        told.others = true;
        gone_field(released, ident, field, errors);
    }
    // Those that were renamed are gone too, for whoever looks at types.
    told.others |= !told.fields.is_empty();
    told
}

fn renamed_field(
    released: &Released<'_>,
    ident: &Ident,
    field: &Field,
    key: &Key,
    errors: &mut Errors,
) {
    errors.at(
        &key.ident,
        format_args!(
            "[RC1004] `{}` of {} is called `{}` now: stored events could not be read",
            field.name,
            released.title(),
            key.name
        ),
        format_args!(
            "write `#[serde(rename = \"{}\")]` above it, so that only its name in Rust changes, or {}",
            field.name,
            released.advice(ident)
        ),
    );
}

fn flattened_field(released: &Released<'_>, ident: &Ident, key: &Key, errors: &mut Errors) {
    errors.at(
        &key.ident,
        format_args!(
            "[RC1001] `{}` of {} is flattened now: what is stored of it would be dropped on every read, and its keys looked for beside the others",
            key.name,
            released.title()
        ),
        format_args!(
            "take `#[serde(flatten)]` off, or {}",
            released.advice(ident)
        ),
    );
}

fn new_field(released: &Released<'_>, ident: &Ident, key: &Key, errors: &mut Errors) {
    let ty = crate::event::text(&key.ty);
    errors.at(
        &key.ty,
        format_args!(
            "[RC1002] `{}` is required, but {} does not have it: stored events could not be read",
            key.name,
            released.title()
        ),
        format_args!(
            "write `{}: Option<{ty}>`, or `#[serde(default)]` above it, or {}",
            key.ident,
            released.advice(ident)
        ),
    );
}

fn gone_field(released: &Released<'_>, ident: &Ident, field: &Field, errors: &mut Errors) {
    let name = field.name;
    let ty = released.contract.rust.fields.get(field.name);
    let ty = ty.map_or_else(String::new, |ty| format!(": {ty}"));
    errors.at(
        ident,
        format_args!(
            "[RC1001] `{}` of {} is gone: what is stored of it would be dropped on every read",
            field.name,
            released.title()
        ),
        format_args!(
            "keep `pub {name}{ty}`, with `#[serde(rename = \"{name}\")]` if only its name in Rust changed, or say that it may go: \
             `recount schema accept {ident} --reason \"…\"`, or {}",
            released.advice(ident)
        ),
    );
}

/// Whether the type's name is that of one that needs a value. Of others only the compiler knows whether they are an `Option`.
fn needs_value(key: &Key) -> bool {
    const NEED: [&str; 30] = [
        "bool",
        "char",
        "u8",
        "u16",
        "u32",
        "u64",
        "u128",
        "i8",
        "i16",
        "i32",
        "i64",
        "i128",
        "f32",
        "f64",
        "String",
        "Vec",
        "HashMap",
        "BTreeMap",
        "HashSet",
        "BTreeSet",
        "VecDeque",
        "Uuid",
        "DateTime",
        "NaiveDate",
        "NaiveTime",
        "NaiveDateTime",
        "Duration",
        "IpAddr",
        "Value",
        "PathBuf",
    ];
    last_ident(&key.ty).is_some_and(|ident| NEED.iter().any(|known| ident == known))
}

impl Key {
    /// Whether a stored key is read as this field.
    fn reads(&self, stored: &str) -> bool {
        self.name == stored || self.aliases.iter().any(|alias| alias == stored)
    }

    /// Whether there must be a value.
    fn is_needed(&self) -> bool {
        self.needed && self.by_type
    }
}
