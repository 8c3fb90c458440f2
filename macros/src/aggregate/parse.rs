//! From tokens to the model.

use syn::{Data, DeriveInput};

use super::model::Aggregate;
use crate::attr::{Entries, Key};
use crate::diag::Errors;
use crate::fingerprint::Fingerprint;
use crate::path::Krate;

const KEYS: &[Key] = &[
    Key::once("stream", "stream = \"…\""),
    Key::once("id", "id = SomeId"),
    Key::once("error", "error = SomeError"),
    Key::once("snapshot_every", "snapshot_every = 100"),
    Key::once("snapshots", "snapshots"),
    Key::once("snapshot_version", "snapshot_version = 2"),
    Key::many("retired", "retired(\"OldName\")"),
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
    let every = entries.number::<u64>(
        "snapshot_every",
        "a snapshot after every 0 events cannot be taken",
        "snapshot_every = 100",
        errors,
    );
    Aggregate {
        krate: Krate::new(entries.krate(errors)),
        ident: input.ident,
        generics: input.generics,
        union: matches!(input.data, Data::Union(_)),
        stream: entries.text("stream", errors),
        has_stream: entries.get("stream").is_some(),
        id: entries
            .get("id")
            .and_then(|entry| entry.value("the type of the id", errors)),
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
    }
}
