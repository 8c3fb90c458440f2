//! An event that is stored under another name from now on.

use serde_json::json;

use super::project::Project;

#[test]
fn an_event_that_got_another_name_still_reads_what_was_stored_under_the_old_one() {
    let project = Project::released("names1");
    let source = "src/lib.rs";
    let renamed = "#[event(name = \"Dropped\", formerly = \"Cancelled\")]\npub struct Dropped {}";
    project.edit(
        source,
        "pub struct Cancelled {}",
        "#[event(name = \"Dropped\")]\npub struct Dropped {}",
    );
    project.edit(source, "_: Cancelled)", "_: Dropped)");
    // Who forgets the old name is told, by both.
    project
        .recount(&["check"])
        .says(1, &["error[RC1005] workout.Cancelled v1: released, but"]);
    project.test().says(
        101,
        &["[RC1005] released event `Cancelled` is applied by no method"],
    );
    project.edit(
        source,
        "#[event(name = \"Dropped\")]\npub struct Dropped {}",
        renamed,
    );
    project.recount(&["check"]).says(
        1,
        &["error[RC3003] workout.Dropped v1: not in the lock yet"],
    );
    project
        .recount(&["accept"])
        .says(0, &["workout.Dropped v1: a new draft"]);
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["3 versions of 1 lock"]);
    project.recount(&["status"]).says(
        0,
        &["workout.Cancelled  v1       released  0.3.0  read under another name"],
    );
    project.test().says(0, &[]);
    project
        .catalogue(&[])
        .says(0, &["### Event workout.Cancelled\n\n- read as `Dropped`"]);

    // The new name is a draft, and what the old one stored is no draft.
    project.edit(
        source,
        "pub struct Dropped {}",
        "pub struct Dropped { pub by: String }",
    );
    project.recount(&["check"]).says(
        1,
        &["error[RC1002] workout.Cancelled v1 .by", "src/lib.rs:"],
    );
    project.recount(&["accept"]).says(0, &[]);
    project
        .recount(&["release"])
        .says(1, &["error[RC1002] workout.Cancelled v1 .by"]);
    project.test().says(
        101,
        &["[RC1002] `by` is required, but `Cancelled` version 1 (released in 0.3.0)"],
    );
    project.edit(
        source,
        "pub struct Dropped { pub by: String }",
        "pub struct Dropped {}",
    );
    project.recount(&["accept"]).says(0, &[]);
    project
        .recount(&["release", "--version", "0.4.0"])
        .says(0, &["workout.Dropped v1: released in 0.4.0"]);

    // Both names are read, and found in the store.
    let url = project.store(&[("Cancelled", 1, json!({})), ("Dropped", 1, json!({}))]);
    project.recount(&["scan", "--store", &url]).says(
        0,
        &[
            "1  workout.Cancelled v1",
            "1  workout.Dropped v1",
            "all of them can be read",
        ],
    );
    // The old name has an end of its own.
    project
        .recount(&["retire", "Cancelled", "v1"])
        .says(0, &["workout.Cancelled v1 is retired"]);
    std::fs::remove_file(project.path("plans.db")).unwrap();
    let url = project.store(&[("Dropped", 1, json!({}))]);
    project
        .recount(&["scan", "--store", &url, "--out", "scan.json"])
        .says(0, &[]);
    project
        .recount(&["drop", "Cancelled", "v1", "--evidence", "scan.json"])
        .says(0, &["workout.Cancelled v1 is dropped"]);
    project.edit(source, ", formerly = \"Cancelled\"", "");
    project.recount(&["check"]).says(0, &["3 versions"]);
    project.test().says(0, &[]);
}

#[test]
fn an_event_of_two_versions_gets_another_name_in_both() {
    let project = Project::with_second("names2");
    let source = "src/lib.rs";
    let renamed = "name = \"Planned\", formerly = \"Scheduled\"";
    project.edit(
        source,
        "#[event(upcast_from = Scheduled)]",
        &format!("#[event({renamed}, upcast_from = Scheduled)]"),
    );
    let told = [
        "error[RC1041] workout.Planned v2: it got another name, and v1 is still called Scheduled",
        "to do: write `#[event(name = \"Planned\", formerly = \"Scheduled\")]` on `Scheduled` too",
    ];
    project.recount(&["check"]).says(1, &told);
    project.recount(&["accept"]).says(1, &told);
    project.git(&["diff", "--exit-code", "--quiet", "schema"]);
    project.edit(
        source,
        "pub struct Scheduled {",
        &format!("#[event({renamed})]\npub struct Scheduled {{"),
    );
    project.recount(&["accept"]).says(
        0,
        &[
            "workout.Planned v1: a new draft",
            "workout.Planned v2: a new draft",
        ],
    );
    project.recount(&["check"]).says(0, &["5 versions"]);
    project
        .recount(&["release", "--version", "0.5.0"])
        .says(0, &["workout.Planned v2: released in 0.5.0"]);
    project.test().says(0, &[]);
    // A stored name wins over that of a type.
    project
        .recount(&["retire", "Scheduled", "v1"])
        .says(0, &["workout.Scheduled v1 is retired"]);
}
