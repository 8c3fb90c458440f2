//! From tokens to the model.

use syn::{Data, DeriveInput};

use super::model::Aggregate;
use crate::attr::{Entries, Key};
use crate::diag::Errors;
use crate::fingerprint::Fingerprint;
use crate::path::Krate;
use crate::shape::{Asked, Content, describe};

const KEYS: &[Key] = &[
    Key::once("stream", "stream = \"…\""),
    Key::once("id", "id = SomeId"),
    Key::once("error", "error = SomeError"),
    Key::once("snapshot_every", "snapshot_every = 100"),
    Key::once("snapshots", "snapshots"),
    Key::once("snapshot_version", "snapshot_version = 2"),
    Key::many("retired", "retired(\"OldName\")"),
    Key::once("locked", "locked"),
    Key::once("crate", "crate = path::to::recount"),
];

pub(super) fn aggregate(input: DeriveInput, errors: &mut Errors) -> Aggregate {
    let entries = Entries::of_attributes(&input.attrs, "aggregate", KEYS, errors);
    let mut fingerprint = Fingerprint::new();
    fingerprint.serde(&input.attrs);
    fingerprint.data(&input.data);
    if let Some((version, _)) = entries.number::<u32>(
        "snapshot_version",
        "versions begin at 1, which is what a state without `snapshot_version` has",
        "snapshot_version = 2",
        errors,
    ) && version > 1
    {
        fingerprint.text(&version.to_string());
    }
    if let Some(entry) = entries.get("snapshots") {
        entry.flag(errors);
    }
    if let Some(entry) = entries.get("locked") {
        entry.flag(errors);
        crate::lock::must_be_there(&input.ident, entry, errors);
    }
    let every = entries.number::<u64>(
        "snapshot_every",
        "a snapshot after every 0 events cannot be taken",
        "snapshot_every = 100",
        errors,
    );
    let krate = Krate::new(entries.krate(errors));
    let asked = Asked {
        krate: &krate,
        ident: &input.ident,
        generics: &input.generics,
        attributes: &input.attrs,
        outer: None,
        own: None,
        surrounding: None,
        attribute: "",
        strict: false,
    };
    let shape = describe(&asked, &Content::Data(&input.data), errors);
    let stream = entries.text("stream", errors);
    let id: Option<syn::Type> = entries
        .get("id")
        .and_then(|entry| entry.value("the type of the id", errors));
    let locked = crate::lock::streams(&krate, &input.ident, stream.as_ref(), id.as_ref(), errors);
    Aggregate {
        krate,
        ident: input.ident,
        generics: input.generics,
        union: matches!(input.data, Data::Union(_)),
        stream,
        has_stream: entries.get("stream").is_some(),
        id,
        has_id: entries.get("id").is_some(),
        error: entries
            .get("error")
            .and_then(|entry| entry.value("the type of the error", errors)),
        snapshot_every: every.map(|(every, _)| every),
        snapshots: entries.get("snapshots").is_some() || entries.get("snapshot_every").is_some(),
        retired: entries
            .all("retired")
            .flat_map(|entry| entry.values("stored names in quotes", errors))
            .collect(),
        fingerprint: fingerprint.finish(),
        shape,
        locked,
    }
}
