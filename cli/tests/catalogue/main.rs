//! `recount catalogue`, as its users meet it: a package with two aggregates, a projection, a reaction, and an event with two
//! versions.

mod payloads;
mod project;

use std::fs;

use serde_json::{Value, json};

use project::{Project, here};

#[test]
fn the_catalogue_is_written_as_markdown_with_diagrams() {
    let project = Project::released("shop1");
    let ran = project.catalogue(&[]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let expected = here().join("expected.md");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&expected, &ran.out).unwrap();
    }
    let expected = fs::read_to_string(expected).unwrap();
    assert_eq!(
        ran.out, expected,
        "if it is meant so: UPDATE_EXPECTED=1, then read expected.md"
    );
    // Written again it is the same, byte by byte.
    assert_eq!(project.catalogue(&[]).out, ran.out);
}

#[test]
fn check_tells_whether_the_file_is_current() {
    let project = Project::released("shop2");
    let file = ["--out", "docs/events.md"];
    let check = ["--out", "docs/events.md", "--check"];
    project
        .catalogue(&check)
        .says(1, &["RC3031", "docs/events.md", "the file is not there"]);
    assert!(!project.path("docs").exists());

    project
        .catalogue(&file)
        .says(0, &["docs/events.md was written"]);
    project.catalogue(&check).says(0, &["is current"]);
    let written = project.read("docs/events.md");
    // As git checks it out on Windows.
    fs::write(
        project.path("docs/events.md"),
        written.replace('\n', "\r\n"),
    )
    .unwrap();
    project.catalogue(&check).says(0, &["is current"]);

    project.edit(
        "src/account.rs",
        "/// Ends it for ever.",
        "/// Ends it for good.",
    );
    project.catalogue(&check).says(
        1,
        &[
            "RC3031",
            "Ends it for ever",
            "Ends it for good",
            "without `--check`",
        ],
    );
    project.catalogue(&file).says(0, &["was written"]);
    project.catalogue(&check).says(0, &["is current"]);

    // Without a file there is nothing to compare with.
    project.catalogue(&["--check"]).says(
        2,
        &[
            "`--check` looks at a file, and none is named",
            "--out events.md --check",
        ],
    );
}

#[test]
fn without_a_lock_it_says_how_to_begin_one() {
    let project = Project::new("shop3");
    project
        .catalogue(&[])
        .says(2, &["RC3001", "cargo recount schema init"]);
}

#[test]
fn what_is_not_locked_yet_is_shown_all_the_same() {
    let project = Project::new("shop4");
    project.schema(&["init"]).says(0, &[]);
    let ran = project.catalogue(&[]);
    ran.says(0, &["### Event account.PaidIn", "| v2 | not locked |"]);
    assert!(!ran.out.contains("released"), "{}", ran.out);
}

#[test]
fn asyncapi_documents_are_valid_and_say_who_sends_and_who_receives() {
    let project = Project::released("shop5");
    let ran = project.catalogue(&["--format", "asyncapi"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    let schema = fs::read_to_string(here().join("asyncapi-3.0.0.json")).unwrap();
    let schema = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    // A document that breaks the rules is seen to break them.
    let mut broken = document.clone();
    broken["operations"]["account.open"]["action"] = "shout".into();
    assert!(!validator.is_valid(&broken));

    references_lead_somewhere(&document, &document);
    assert_eq!(
        document["info"],
        json!({
            "title": "Events of shop-shop5",
            "version": "1.2.0",
            "description": "Written by `recount catalogue`: change the code, not this file.",
        })
    );
    let channel = &document["channels"]["account"];
    assert_eq!(channel["address"], "account");
    let messages: Vec<_> = channel["messages"].as_object().unwrap().keys().collect();
    assert_eq!(
        messages,
        [
            "account.Closed.v1",
            "account.Opened.v1",
            "account.PaidIn.v1",
            "account.PaidIn.v2"
        ]
    );
    assert_eq!(
        document["operations"]["account.pay_in"],
        json!({
            "action": "send",
            "title": "pay_in",
            "channel": { "$ref": "#/channels/account" },
            "messages": [{ "$ref": "#/channels/account/messages/account.PaidIn.v2" }],
        })
    );
    let receives = &document["operations"]["thank-you.order"];
    assert_eq!(receives["action"], "receive");
    assert_eq!(
        receives["messages"],
        json!([{ "$ref": "#/channels/order/messages/order.Paid.v1" }])
    );
    let message = &document["components"]["messages"]["account.PaidIn.v1"];
    assert_eq!(
        (&message["x-status"], &message["x-since"]),
        (&json!("released"), &json!("1.2.0"))
    );
    // Payloads are judged by the schemas as they stand there, in draft 07.
    for (name, payload) in payloads::written() {
        let wrapped = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "components": document["components"],
            "$ref": format!("#/components/schemas/{name}"),
        });
        let validator = jsonschema::draft7::new(&wrapped).unwrap();
        assert!(validator.is_valid(&payload), "{name}: {payload}");
    }
}

/// Each reference is a pointer to something in the document.
fn references_lead_somewhere(value: &Value, document: &Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get("$ref") {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            object
                .values()
                .for_each(|value| references_lead_somewhere(value, document));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|value| references_lead_somewhere(value, document)),
        _ => {}
    }
}
