//! What stored events are read as: one by one, and as a golden file.

use super::*;

#[test]
fn an_upcast_is_compared_as_it_is_read() {
    let read = DepositedV2 {
        cents: 500,
        tags: vec![],
    };
    upcast(&Deposited { amount: 5 })
        .then(read.clone())
        .then([read.clone()])
        .then(vec![read]);
    stored("Deposited", 1, json!({ "amount": -1 }))
        .then_err::<DepositedV2>(pattern!(PayloadError::Upcast { from: 1, .. }));
    stored("Deposited", 9, json!({})).then_err::<DepositedV2>(pattern!(PayloadError::Newer {
        stored: 9,
        known: 2
    }));
    stored("Elsewhere", 1, json!({})).then_err::<AccountEvent>(pattern!(PayloadError::Unknown));
    let text = failure(|| {
        upcast(&Deposited { amount: 5 }).then([deposited(500)]);
    });
    assert!(text.contains("tags: expected [\"cash\"], got []"), "{text}");
    let text = failure(|| {
        stored("Deposited", 2, json!({ "cents": 1 })).then([deposited(1)]);
    });
    assert!(
        text.contains("cannot be read: the payload does not fit: missing field `tags`"),
        "{text}"
    );
}

/// A golden file with this content, in a folder that is gone afterwards.
fn golden_file(lines: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("account.jsonl");
    std::fs::write(&path, lines).unwrap();
    (folder, path)
}

#[test]
fn golden_events_are_read_as_they_were() {
    golden::<Account>("tests/golden/account.jsonl");
}

#[test]
fn golden_tells_what_is_read_as_something_else_and_what_is_missing() {
    let (_folder, path) = golden_file(
        r#"{"name":"Opened","version":1,"payload":{"holder":"John"},"read_as":[{"name":"Opened","version":1,"payload":{"holder":"Jane"}}]}
{"name":"Deposited","version":1,"payload":{"amount":-1},"read_as":[]}
{"name":"Noted","version":1,"payload":{"text":"x"}}
{"name":"Deposited","version":2,"colour":"red"}
"#,
    );
    let before = std::fs::read_to_string(&path).unwrap();
    let text = failure(|| golden::<Account>(&path));
    for part in [
        "line 1 (Opened in version 1) is read as something else",
        "holder: expected \"Jane\", got \"John\"",
        "line 2 (Deposited in version 1) cannot be read: upcast from version 1 failed: -1 is negative",
        "line 3 does not say what it is read as: run this test once with RECOUNT_BLESS=1",
        "line 4 is not such a line: unknown field `colour`",
        "Closed in version 1 can be read, but no line shows one",
        "Deposited in version 2 can be read, but no line shows one",
    ] {
        assert!(text.contains(part), "{part}\n\n{text}");
    }
    assert!(!text.contains("Deposited in version 1 can be read"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
}

#[test]
fn golden_says_how_to_begin_and_where_a_retired_event_stands() {
    let text = failure(|| golden::<Account>("tests/golden/nowhere.jsonl"));
    assert!(
        text.contains("tests/golden/nowhere.jsonl") && text.contains("recount::testing::sample"),
        "{text}"
    );
    let lines = std::fs::read_to_string("tests/golden/account.jsonl").unwrap();
    let retired = r#"{"name":"Frozen","version":1,"payload":{"by":"court"},"read_as":[]}"#;
    let (_folder, path) = golden_file(&format!("{lines}{retired}\n"));
    golden::<Account>(&path);
    stored("Frozen", 1, json!({ "by": "court" })).then_retired::<Account>();
    assert!(
        failure(|| {
            stored("Closed", 1, json!({})).then_retired::<Account>();
        })
        .contains("does not say `retired(\"Closed\")`")
    );
}

#[tokio::test]
async fn a_sample_has_the_first_event_of_each_version() {
    let store = Store::connect("memory:").await.unwrap();
    let stream = StreamId::new("account", "a").unwrap();
    let events = [
        NewEvent::of(&opened()).unwrap(),
        NewEvent::of(&Deposited { amount: 1 }).unwrap(),
        NewEvent::of(&deposited(2)).unwrap(),
        NewEvent::of(&deposited(3)).unwrap(),
    ];
    store
        .append(&stream, Expected::NoStream, events)
        .await
        .unwrap();
    let lines = sample(&store, Query::all()).await.unwrap();
    assert_eq!(
        lines,
        r#"{"name":"Opened","version":1,"payload":{"holder":"John"}}
{"name":"Deposited","version":1,"payload":{"amount":1}}
{"name":"Deposited","version":2,"payload":{"cents":2,"tags":["cash"]}}
"#
    );
}
