//! The files under `schema/`: what is written comes back, and what is broken is named with its file and line.

use std::fs;
use std::path::Path;

use recount_schema::lock::{
    Accepted, Contract, From, Index, Lock, LockError, Sample, Status, Tombstone, expression,
};
use recount_schema::{
    Body, Element, Enum, Field, Float, Format, Level, Rule, Shape, Shaped, Struct, Tagging,
    Variant, Written,
};

const REPS: &Shape = &Shape::Struct(Struct::new(&[Field::of::<u16>("reps")]));
const MORE_REPS: &Shape = &Shape::Struct(Struct::new(&[Field::of::<u32>("reps")]));

/// One of everything.
const RICH: &Shape = &Shape::Recursive {
    name: "Tree",
    shape: &Shape::Struct(
        Struct::new(&[
            Field::of::<Option<u8>>("optional").written(Written::Maybe),
            Field::of::<u16>("with_default")
                .default("10")
                .aliases(&["old", "older"]),
            Field::of::<std::num::NonZeroI8>("nonzero").ignored(),
            Field::new("tree", &Shape::seq(&Shape::Ref("Tree"))),
            Field::new(
                "pair",
                &Shape::Tuple(&[
                    Element::of::<()>(),
                    Element::of::<bool>().with_default("true"),
                ]),
            ),
            Field::new("array", &Shape::array(&Shape::Float(Float::F32), 3)),
            Field::of::<std::collections::HashSet<char>>("set"),
            Field::of::<std::collections::BTreeMap<u32, String>>("map"),
            Field::new("url", &Shape::String(Format::Named("url \"quoted\""))),
            Field::new("size", &Shape::Size { signed: false }),
            Field::new(
                "foreign",
                &Shape::Opaque {
                    name: "geo::Point",
                    version: 2,
                },
            ),
            Field::new("any", &Shape::Any),
            Field::new("unknown", &Shape::Unknown),
            Field::new(
                "external",
                &Shape::Enum(Enum::new(&[
                    Variant::unit("A"),
                    Variant::unit("Rest").other(),
                ])),
            ),
            Field::new(
                "internal",
                &Shape::Enum(
                    Enum::new(&[
                        Variant::new("A", Body::Struct(Struct::new(&[]))).aliases(&["Old"])
                    ])
                    .tagged(Tagging::Internal { tag: "kind" }),
                ),
            ),
            Field::new(
                "adjacent",
                &Shape::Enum(
                    Enum::new(&[Variant::new("A", Body::Newtype(&Shape::Null)).kept(true, false)])
                        .tagged(Tagging::Adjacent {
                            tag: "kind",
                            content: "data",
                        }),
                ),
            ),
            Field::new(
                "untagged",
                &Shape::Enum(
                    Enum::new(&[Variant::new(
                        "A",
                        Body::Tuple(&[Element::of::<u8>(), Element::of::<i64>()]),
                    )])
                    .tagged(Tagging::Untagged),
                ),
            ),
        ])
        .denying_unknown_fields(),
    ),
};

fn error(text: &str) -> String {
    Index::from_text(text, "lock.toml".as_ref())
        .unwrap_err()
        .to_string()
}

const EVENT: &str = "format = 1\n\n[[event]]\nname = \"done\"\nversions = [\n  { v = 1, status = \"draft\", digest = \"x\" },\n";

#[test]
fn what_is_broken_in_the_index_is_named_with_its_line() {
    let twice = format!("{EVENT}  {{ v = 1, status = \"draft\", digest = \"y\" }},\n]\n");
    let twice_event = format!("{EVENT}]\n\n[[event]]\nname = \"done\"\nversions = []\n");
    let cases = [
        (
            "",
            "lock.toml:1: `format = 1` is missing; mend the line, or restore the file from version control",
        ),
        (
            "format = 7\nnew = true\n",
            "lock.toml: format 7, but this release knows up to 1; update recount",
        ),
        (
            "format = 0\n",
            "lock.toml:1: `format` must be 1; mend the line, or restore the file from version control",
        ),
        (
            EVENT,
            "lock.toml:6: the file ends in the middle; restore it from version control",
        ),
        (
            &twice,
            "lock.toml:7: `done` v1 is listed twice; keep the entry of the side whose files are there",
        ),
        (
            &twice_event,
            "lock.toml:9: event `done` is listed twice; keep the entry of the side whose files are there",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), expected);
    }
    let unknown = error("format = 1\nfomat = 2\n");
    assert!(
        unknown.starts_with("lock.toml:2: unknown field `fomat`"),
        "{unknown}"
    );
    let status = error(&EVENT.replace("draft", "done"));
    assert!(status.starts_with("lock.toml:6: "), "{status}");
    let rule = error("format = 1\n\n[policy.rules]\nRC9999 = \"warn\"\n");
    assert!(
        rule.starts_with("lock.toml:4: unknown rule `RC9999`"),
        "{rule}"
    );
}

#[test]
fn a_merge_that_left_its_markers_is_named_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("lock.toml"),
        "format = 1\n<<<<<<< HEAD\n=======\n>>>>>>> other\n",
    )
    .unwrap();
    let error = Lock::read(folder.path()).unwrap_err();
    assert!(
        matches!(error, LockError::MergeMarker { line: 2, .. }),
        "{error}"
    );
    assert_eq!(error.file(), Some(&*folder.path().join("lock.toml")));
}

#[test]
fn an_index_that_was_edited_by_hand_is_read_and_written_in_order() {
    let text = "format=1 # by hand\r\n[[event]]\r\nname='b'\r\nversions=[{v=2,status='draft',digest='y'},{v=1,digest='x',status='released',since='0.1.0'}]\r\n[[event]]\r\nname='a'\r\nversions=[]\r\n[policy.rules]\r\nrc1001='deny'\r\nRC1036='off'\r\n";
    let mut index = Index::from_text(text, "lock.toml".as_ref()).unwrap();
    index.accepted.push(Accepted {
        category: None,
        event: "b".into(),
        v: 1,
        rule: "RC1011".into(),
        path: ".a".into(),
        reason: "never \"written\"".into(),
    });
    index.tombstones.push(Tombstone {
        category: Some("c".into()),
        event: "note".into(),
        fields: vec!["colour".into()],
        reason: "\u{7f}".into(),
    });
    let written = index.to_text();
    assert_eq!(
        written,
        r#"format = 1

[policy.rules]
RC1001 = "deny"
RC1036 = "off"

[[event]]
name = "a"
versions = [
]

[[event]]
name = "b"
versions = [
  { v = 1, status = "released", since = "0.1.0", digest = "x" },
  { v = 2, status = "draft", digest = "y" },
]

[[accepted]]
event = "b"
v = 1
rule = "RC1011"
path = ".a"
reason = "never \"written\""

[[tombstone]]
category = "c"
event = "note"
fields = ["colour"]
reason = "\u007f"
"#
    );
    assert_eq!(
        Index::from_text(&written, "lock.toml".as_ref()).unwrap(),
        index
    );
    assert_eq!(index.policy.level(Rule::FieldRemoved), Some(Level::Deny));
    assert_eq!(index.policy.level(Rule::NotANumber), None);
    assert_eq!(index.policy.level(Rule::TypeChanged), Some(Level::Deny));
    assert_eq!(index.accepted(None, "b", 1).count(), 1);
    assert_eq!(index.accepted(None, "b", 2).count(), 0);
}

fn written(dir: &Path) -> Lock {
    let mut lock = Lock::new(dir);
    lock.set(
        &Contract::new("Done", 1, REPS),
        Status::Released,
        Some("0.3.0"),
    )
    .unwrap();
    let sample = r#"{"payload":{"reps":340282366920938463463374607431768211455},"from":"store"}"#;
    let samples = Sample::read_all(sample, "x".as_ref()).unwrap();
    assert!(lock.set_samples(None, "Done", 1, &samples));
    assert!(!lock.set_samples(None, "Done", 2, &samples));
    lock.write().unwrap();
    lock
}

#[test]
fn what_was_written_is_read_and_each_file_that_was_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("schema");
    assert!(Lock::find(folder.path()).unwrap().is_none());
    written(&dir);
    let lock = Lock::find(folder.path()).unwrap().unwrap();
    assert_eq!(lock.files_read(), [dir.join("lock.toml")]);
    assert_eq!(
        lock.version(None, "Done", 1).unwrap().since.as_deref(),
        Some("0.3.0")
    );
    assert_eq!(lock.contract(None, "Done", 1).unwrap().unwrap().shape, REPS);
    assert_eq!(lock.contract(None, "Done", 2).unwrap(), None);
    assert_eq!(lock.contract(Some("set"), "Done", 1).unwrap(), None);
    let samples = lock.samples(None, "Done", 1).unwrap();
    assert_eq!(
        samples[0].payload.get(),
        r#"{"reps":340282366920938463463374607431768211455}"#
    );
    assert_eq!(samples[0].from, From::Store);
    let names = ["Done/v1.json", "Done/v1.samples.jsonl", "lock.toml"];
    assert_eq!(lock.files_read(), names.map(|name| dir.join(name)));
}

#[test]
fn only_what_changed_is_written_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut lock = written(folder.path());
    lock.set(&Contract::new("Done", 1, REPS), Status::Released, None)
        .unwrap();
    assert_eq!(lock.write().unwrap(), Vec::<std::path::PathBuf>::new());
    lock.set(&Contract::new("Done", 2, MORE_REPS), Status::Draft, None)
        .unwrap();
    assert_eq!(
        lock.write().unwrap(),
        ["Done/v2.json", "lock.toml"].map(|name| folder.path().join(name))
    );
    let mut names: Vec<_> = fs::read_dir(folder.path().join("Done"))
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["v1.json", "v1.samples.jsonl", "v2.json"]);
}

#[test]
fn a_lock_that_was_deleted_or_lost_a_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path());
    fs::remove_file(folder.path().join("Done/v1.samples.jsonl")).unwrap();
    let lock = Lock::read(folder.path()).unwrap().unwrap();
    let error = lock.samples(None, "Done", 1).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "missing, but listed for Done v1 in lock.toml; restore it from version control"
        ),
        "{error}"
    );
    fs::remove_file(folder.path().join("lock.toml")).unwrap();
    let error = Lock::read(folder.path()).unwrap_err();
    assert!(matches!(error, LockError::Missing { .. }), "{error}");
}

#[test]
fn a_contract_that_was_edited_is_an_error_and_one_of_other_types_in_rust_is_none() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path());
    let file = folder.path().join("Done/v1.json");
    let mut contract = Contract::new("Done", 1, REPS);
    contract.rust.ident = "SetDone".into();
    fs::write(&file, contract.to_text()).unwrap();
    let lock = Lock::read(folder.path()).unwrap().unwrap();
    assert_eq!(
        lock.contract(None, "Done", 1).unwrap().unwrap().rust.ident,
        "SetDone"
    );
    fs::write(&file, Contract::new("Done", 1, MORE_REPS).to_text()).unwrap();
    let error = lock.contract(None, "Done", 1).unwrap_err();
    assert!(matches!(error, LockError::Digest { .. }), "{error}");
}

#[test]
fn what_is_broken_in_a_contract_is_named_with_its_line() {
    let good = Contract::new("Done", 1, REPS).to_text();
    let error = |text: &str| Contract::from_text(text, "v1.json".as_ref()).unwrap_err();
    let unknown = error(&good.replace("u16", "u17"));
    assert!(
        unknown
            .to_string()
            .starts_with("v1.json:7: unknown shape `u17`"),
        "{unknown}"
    );
    assert!(matches!(
        error(&good.replace("\"format\": 1", "\"format\": 2")),
        LockError::NewerFormat { .. }
    ));
    assert!(matches!(
        error(&good[..good.len() / 2]),
        LockError::Truncated { .. }
    ));
    let key = error(&good.replace("\"version\"", "\"versoin\""));
    assert!(matches!(key, LockError::Malformed { .. }), "{key}");
    let key = error(&good.replace("\"shape\": \"u16\"", "\"shape\": \"u16\", \"raed\": 1"));
    assert!(key.to_string().contains("unknown key `raed`"), "{key}");
    // Whatever stands in the file, there is an error and no panic.
    for at in 0..good.len() {
        let cut = [&good[..at], &good[at + 1..]].concat();
        if let Err(error) = Contract::from_text(&cut, "v1.json".as_ref()) {
            assert!(error.to_string().starts_with("v1.json"), "{error}");
        }
    }
}

#[test]
fn a_sample_that_is_broken_is_named_with_its_line() {
    let good = r#"{"payload":{},"from":"example"}"#;
    let error =
        Sample::read_all(&format!("{good}\n\n{{\"payload\":"), "s.jsonl".as_ref()).unwrap_err();
    assert!(
        matches!(error, LockError::Truncated { line: 3, .. }),
        "{error}"
    );
    let error = Sample::read_all(
        &format!("{good}\n{{\"payload\":1,\"from\":\"nowhere\"}}"),
        "s.jsonl".as_ref(),
    )
    .unwrap_err();
    assert!(
        matches!(error, LockError::Malformed { line: 2, .. }),
        "{error}"
    );
}

#[test]
fn a_name_that_differs_from_another_in_case_only_is_refused() {
    let mut lock = Lock::new("schema".as_ref());
    let contract = |name| Contract::new(name, 1, REPS);
    lock.set(&contract("Done"), Status::Draft, None).unwrap();
    lock.set(&contract("Done"), Status::Released, None).unwrap();
    let refused = lock.set(&contract("DONE"), Status::Draft, None);
    assert!(matches!(refused, Err(LockError::Name { name, .. }) if name == "DONE"));
}

#[test]
fn a_name_that_is_empty_is_refused() {
    let mut lock = Lock::new("schema".as_ref());
    let error = lock
        .set(&Contract::new("", 1, REPS), Status::Draft, None)
        .unwrap_err();
    assert!(matches!(error, LockError::Name { .. }), "{error}");
}

#[test]
fn everything_a_shape_can_be_comes_back_from_its_file() {
    let contract = Contract::new("rich", 1, RICH);
    let text = contract.to_text();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/rich.json");
    assert_eq!(text, fs::read_to_string(golden).unwrap());
    let back = Contract::from_text(&text, "rich.json".as_ref()).unwrap();
    assert_eq!(back.to_text(), text);
    assert_eq!(
        recount_schema::digest(back.shape),
        recount_schema::digest(RICH)
    );
}

#[test]
fn a_shape_as_rust_is_the_shape() {
    const AGAIN: &Shape = include!("golden/rich.in");
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/rich.in");
    assert_eq!(
        expression(RICH, "recount_schema") + "\n",
        fs::read_to_string(golden).unwrap()
    );
    assert_eq!(AGAIN, RICH);
}

#[test]
fn an_aggregate_is_read_and_written_with_the_form_of_its_id_where_that_is_known() {
    let text = "format = 1\n\n[[aggregate]]\ncategory = \"plan\"\ntype = \"Plan\"\n\n[[aggregate]]\ncategory = \"workout\"\ntype = \"Workout\"\nid = \"u64\"\n";
    let index = Index::from_text(text, "lock.toml".as_ref()).unwrap();
    assert_eq!(index.to_text(), text);
    assert_eq!(index.aggregate("plan").unwrap().id, None);
    assert_eq!(index.aggregate("workout").unwrap().id, Some(<u64>::SHAPE));
    assert!(!index.is_stored("workout"));
    assert_eq!(
        error(&text.replace("u64", "u65")),
        "lock.toml:10: unknown form of an id `u65`; mend the line, or restore the file from version control"
    );
    assert_eq!(
        error(&text.replace("workout", "plan")),
        "lock.toml:7: aggregate `plan` is listed twice; keep the entry of the side whose files are there"
    );
}

#[test]
fn two_entries_that_a_merge_put_into_one_are_told_as_such() {
    let both = EVENT.replace("versions", "versions = []\nname = \"begun\"\nversions");
    let error = error(&format!("{both}]\n"));
    assert!(
        error.contains("duplicate key")
            && error.ends_with("give each its own `[[event]]`, `category` and `name`"),
        "{error}"
    );
}
