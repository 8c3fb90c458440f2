//! What the compiler says to a mistake, and that the help it gives is right.
//!
//! Each case under `fail` holds one mistake (`.stderr` is the whole output), and its twin under `pass` is the same file after doing what
//! `help` says; the twins are modules of this test, since a build of each would take minutes. What has to be a crate of its own is under
//! `whole`. Those under `locked` are governed by the lock there, which holds `released.rs`; each folder of `broken` has a lock that
//! cannot be used. After a change of a message: `TRYBUILD=overwrite cargo test --test ui`, and read the difference. After a change of
//! `released.rs`: `RECOUNT_UI_LOCK=write cargo test --test ui lock`.

use std::path::Path;

use recount::__private::EventShape;
use recount_schema::lock::{Aggregate, Contract, Lock, Rust, Status, Tombstone};
use recount_schema::{Shape, Shaped, Struct};

mod pass;
#[path = "locked/released.rs"]
mod released;
use released::{Completed, Moved, MovedV2, Scheduled, bike, plan, season, shoe};

/// Apart from those that compile: so they are checked all at once.
#[test]
fn every_mistake_has_its_own_message() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("fail/*.rs");
    cases.compile_fail("locked/fail/*.rs");
    cases.compile_fail("broken/*/*.rs");
}

#[test]
fn what_has_to_be_a_crate_of_its_own_compiles() {
    let cases = trybuild::TestCases::new();
    cases.pass("whole/*.rs");
    cases.pass("locked/pass/*.rs");
    cases.pass("locked/released.rs");
}

#[test]
fn each_mistake_has_a_twin_that_compiles() {
    let names = |folder: &str| -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let files = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = files
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|it| it == "rs"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .filter(|name| name != "mod")
            .collect();
        names.sort();
        names
    };
    let mut mistakes = names("fail");
    // What it takes is another package.
    mistakes.retain(|name| name != "lock_gone");
    assert_eq!(names("pass"), pass::TWINS);
    let crates = names("whole");
    mistakes.retain(|name| !crates.contains(name));
    assert_eq!(mistakes, pass::TWINS);
}

/// Category, name, version and shape, then the type and its fields.
type Of = (
    &'static str,
    &'static str,
    u32,
    &'static Shape,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const RELEASED: &[Of] = &[
    (
        "workout",
        "Scheduled",
        1,
        Scheduled::SHAPE,
        "Scheduled",
        &[
            ("title", "String"),
            ("place", "Address"),
            ("target", "Target"),
        ],
    ),
    (
        "workout",
        "Completed",
        1,
        Completed::SHAPE,
        "Completed",
        &[("minutes", "u16"), ("note", "Option<String>")],
    ),
    (
        "workout",
        "Moved",
        1,
        Moved::SHAPE,
        "Moved",
        &[("by_days", "i32")],
    ),
    (
        "workout",
        "Moved",
        2,
        MovedV2::SHAPE,
        "MovedV2",
        &[("by_hours", "i64")],
    ),
    (
        "plan",
        "Closed",
        1,
        plan::Closed::SHAPE,
        "Closed",
        &[("reason", "String")],
    ),
    (
        "season",
        "Closed",
        1,
        season::Closed::SHAPE,
        "Closed",
        &[("weeks", "u8")],
    ),
    (
        "bike",
        "Checked",
        1,
        bike::Checked::SHAPE,
        "Checked",
        &[("by", "String")],
    ),
    (
        "bike",
        "Checked",
        2,
        bike::CheckedV2::SHAPE,
        "CheckedV2",
        &[("by", "String"), ("tyres", "bool")],
    ),
    (
        "shoe",
        "Checked",
        1,
        shoe::Checked::SHAPE,
        "Checked",
        &[("sole", "u8")],
    ),
    (
        "plan",
        "Named",
        2,
        plan::NamedV2::SHAPE,
        "NamedV2",
        &[("title", "String")],
    ),
];

/// The lock as the types say it.
fn lock_of_released(folder: &Path) -> Lock {
    const NOTHING: &Shape = &Shape::Struct(Struct::new(&[]));
    released::main();
    let mut lock = Lock::new(folder);
    for (category, name, version, shape, ident, fields) in RELEASED {
        let mut contract = Contract::new(*name, *version, shape);
        contract.category = Some((*category).to_owned());
        let fields = fields
            .iter()
            .map(|(name, ty)| ((*name).to_owned(), (*ty).to_owned()));
        contract.rust = Rust {
            ident: (*ident).to_owned(),
            fields: fields.collect(),
        };
        lock.set(&contract, Status::Released, Some("0.3.0"))
            .unwrap();
    }
    let mut dropped = Contract::new("Named", 1, NOTHING);
    dropped.category = Some("plan".to_owned());
    lock.set(&dropped, Status::Dropped, Some("0.2.0")).unwrap();
    lock.index.aggregates = [
        ("bike", "Bike", String::SHAPE),
        ("plan", "Plan", u32::SHAPE),
        ("season", "Season", String::SHAPE),
        ("shoe", "Shoe", String::SHAPE),
        ("workout", "Workout", String::SHAPE),
    ]
    .map(|(category, ident, id)| Aggregate {
        category: category.to_owned(),
        ident: ident.to_owned(),
        id: Some(id),
    })
    .into();
    lock.index.tombstones.push(Tombstone {
        category: Some("workout".to_owned()),
        event: "Weighed".to_owned(),
        fields: Vec::new(),
        reason: "erased on request".to_owned(),
    });
    lock
}

#[test]
fn the_lock_of_the_cases_is_what_was_released() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("locked/schema");
    let mut lock = lock_of_released(&folder);
    if std::env::var_os("RECOUNT_UI_LOCK").is_some() {
        lock.write().unwrap();
    }
    let there = Lock::read(&folder).unwrap().expect("a lock");
    assert_eq!(there.index.to_text(), lock.index.to_text());
}
