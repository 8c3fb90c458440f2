//! The end of an event: deleted, retired, and dropped where no store holds it.

use serde_json::json;

use super::project::Project;

#[test]
fn a_version_is_dropped_only_when_a_scan_of_now_shows_that_it_is_stored_nowhere() {
    let project = Project::with_second("end");
    project
        .recount(&["retire", "Scheduled", "v2"])
        .says(2, &["is what the code writes"]);
    project.recount(&["drop", "Scheduled", "v1"]).says(
        2,
        &[
            "only what is retired is dropped",
            "retire workout.Scheduled v1",
        ],
    );
    project.recount(&["retire", "Scheduled", "v1"]).says(
        0,
        &[
            "is retired",
            "drop workout.Scheduled v1 --evidence scan.json",
        ],
    );
    project
        .recount(&["drop", "Scheduled", "v1"])
        .says(2, &["error[RC3025]", "scan --store URL"]);
    let old = ("Scheduled", 1, json!({ "title": "Hills", "minutes": 45 }));
    let new = ("Scheduled", 2, json!({ "title": "Hills", "seconds": 2700 }));
    let url = project.store(&[old, new.clone()]);
    project
        .recount(&["scan", "--store", &url, "--out", "scan.json"])
        .says(
            0,
            &[
                "1  workout.Scheduled v1",
                "1  workout.Scheduled v2",
                "2 events in sqlite:",
                "all of them can be read",
            ],
        );
    project
        .recount(&["drop", "Scheduled", "v1", "--evidence", "scan.json"])
        .says(
            2,
            &[
                "holds workout.Scheduled v1: 1 of them",
                "to do: leave it retired: what is stored stays stored",
            ],
        );
    std::fs::remove_file(project.path("plans.db")).unwrap();
    let url = project.store(&[new]);
    project
        .recount(&["scan", "--store", &url, "--out", "scan.json"])
        .says(0, &["1 event in"]);
    let scan = project.read("scan.json");
    project.edit("scan.json", "\"taken_at\": \"20", "\"taken_at\": \"19");
    project
        .recount(&["drop", "Scheduled", "v1", "--evidence", "scan.json"])
        .says(2, &["more than a day ago", "to do: scan again"]);
    let elsewhere = scan.replace("\"workout\"", "\"season\"");
    std::fs::write(project.path("scan.json"), elsewhere).unwrap();
    project
        .recount(&["drop", "Scheduled", "v1", "--evidence", "scan.json"])
        .says(
            2,
            &[
                "scan.json did not look at workout.Scheduled, only at streams of: season",
                "it may be of another package",
            ],
        );
    std::fs::write(project.path("scan.json"), scan).unwrap();
    project
        .recount(&["drop", "Scheduled", "v1", "--evidence", "scan.json"])
        .says(0, &["v1 is dropped", "may be deleted"]);
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["note[RC3011] workout.Scheduled v1"]);
    project
        .recount(&["status"])
        .says(0, &["workout.Scheduled  v1       dropped"]);
    project.test().says(0, &[]);

    // Its type may go, and with it the conversion.
    let text = project.read("src/lib.rs");
    let (first, second) = (
        "/// A workout was put into the plan.",
        "#[event(upcast_from = Scheduled)]\n",
    );
    let (begin, next) = (text.find(first).unwrap(), text.rfind(first).unwrap());
    let conversion = text.find("impl From<Scheduled>").unwrap();
    let end = text.find("#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]\npub struct Cancelled").unwrap();
    let kept = [&text[..begin], &text[next..conversion], &text[end..]].concat();
    std::fs::write(project.path("src/lib.rs"), kept.replacen(second, "", 1)).unwrap();
    let ran = project.recount(&["check", "--against", "main"]);
    ran.says(0, &["3 versions"]);
    assert!(!ran.out.contains("RC3011"), "{}", ran.out);
    project.test().says(0, &[]);
    // Where a store has one all the same it is told, and not read as something else.
    let url = project.store(&[("Scheduled", 1, json!({ "title": "Hills", "minutes": 45 }))]);
    project.recount(&["scan", "--store", &url]).says(
        1,
        &["error[RC3026] workout.Scheduled v1: schema version 1 has no type and no upcast; the oldest that can be read is 2"],
    );
}

#[test]
fn an_aggregate_may_be_deleted_once_nothing_of_it_is_stored() {
    let project = Project::released("whole");
    let whole = project.read("src/lib.rs");
    let url = project.store(&[]);
    project
        .recount(&["scan", "--store", &url, "--out", "scan.json"])
        .says(0, &[]);
    // Nothing else has a test of the macros, so something must be left.
    let head = "use recount::prelude::*;\n";
    let other = "\
#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct PlanId(String);
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Named {}
#[derive(Debug, Default, Clone, PartialEq, Aggregate)]
#[aggregate(stream = \"plan\", id = PlanId)]
pub struct Plan {}
#[apply]
impl Plan {
    fn named(&mut self, _: Named) {}
}
";
    assert!(whole.contains(head));
    project.write("src/lib.rs", &format!("{head}{other}"));
    project.recount(&["accept"]).says(0, &[]);
    project.recount(&["check"]).says(
        1,
        &[
            "error[RC1005] workout.Cancelled v1",
            "bring the aggregate of `workout` back",
            "`cargo recount schema retire workout.Cancelled v1`",
            "`cargo recount schema drop workout.Cancelled v1 --evidence scan.json`",
        ],
    );
    project.recount(&["scan", "--store", &url]).says(
        0,
        &[
            "warning[RC3032] workout: no aggregate of the code has this category",
            "all of them can be read; streams of `workout` were not looked at",
        ],
    );
    for event in ["Cancelled", "Scheduled"] {
        project.recount(&["retire", event]).says(
            2,
            &[&format!(
                "none is named; of workout.{event} the lock has: v1, released"
            )],
        );
        project.recount(&["retire", event, "v1"]).says(0, &[]);
        project
            .recount(&["drop", event, "v1", "--evidence", "scan.json"])
            .says(0, &["is dropped"]);
    }
    let ran = project.recount(&["scan", "--store", &url]);
    ran.says(0, &["0 events"]);
    assert!(!ran.out.contains("not looked at"), "{}", ran.out);
    project.recount(&["check"]).says(0, &[]);
    project.test().says(0, &[]);
}

#[test]
fn what_is_deleted_is_missed_unless_it_is_given_up() {
    let project = Project::released("life4");
    // What a method applies is not given up.
    project.edit(
        "src/lib.rs",
        "id = WorkoutId)",
        "id = WorkoutId, retired(\"Cancelled\"))",
    );
    for command in [&["check"][..], &["retire", "Cancelled", "v1"]] {
        project.recount(command).says(
            2,
            &["`Cancelled` is applied by a method: its events are not passed over"],
        );
    }
    project.git(&["checkout", "--quiet", "src"]);
    project.edit(
        "src/lib.rs",
        "    fn cancelled(&mut self, _: Cancelled) { self.minutes = 0; }\n",
        "",
    );
    project.edit("src/lib.rs", "#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]\npub struct Cancelled {}\n", "");
    project.recount(&["check"]).says(
        1,
        &[
            "error[RC1005] workout.Cancelled v1",
            "if only its type has another name now: write `#[event(name = \"Cancelled\")]` above it",
            "write `retired(\"Cancelled\")` in `#[aggregate(…)]` of `Workout`, src/lib.rs:",
        ],
    );
    project.test().says(
        101,
        &["[RC1005] released event `Cancelled` is applied by no method"],
    );
    project.edit(
        "src/lib.rs",
        "id = WorkoutId)",
        "id = WorkoutId, retired(\"Canceled\", \"Old\"))",
    );
    project.recount(&["check"]).says(
        1,
        &[
            "warning[RC3012] Canceled: `retired(\"Canceled\")` passes over an event that the lock does not know",
            "to do: did you mean \"Cancelled\"?",
            "to do: nothing, if it was given up before there was a lock",
        ],
    );
    project.edit(
        "src/lib.rs",
        "retired(\"Canceled\", \"Old\"))",
        "retired(\"Cancelled\"))",
    );
    project.recount(&["check"]).says(
        0,
        &[
            "warning[RC3010] workout.Cancelled v1",
            "retire workout.Cancelled v1",
        ],
    );
    project
        .recount(&["retire", "Cancelled", "v1"])
        .says(0, &["is retired"]);
    project.recount(&["check"]).says(0, &["2 versions"]);
    let stored = [
        ("Cancelled", 1, json!({})),
        ("Scheduled", 1, json!({ "title": "Hills", "minutes": 45 })),
    ];
    let url = project.store(&stored);
    project
        .recount(&["scan", "--store", &url, "--out", "scan.json"])
        .says(
            0,
            &[
                "1  workout.Cancelled v1, passed over",
                "1 of them is passed over, all others can be read",
            ],
        );
    let drop = ["drop", "Cancelled", "v1", "--evidence", "scan.json"];
    project
        .recount(&drop)
        .says(2, &["holds workout.Cancelled v1: 1 of them"]);
    std::fs::remove_file(project.path("plans.db")).unwrap();
    let url = project.store(&[]);
    project
        .recount(&["scan", "--store", &url, "--out", "scan.json"])
        .says(0, &["0 events"]);
    project.recount(&drop).says(0, &["it may not come back"]);
    let lock = project.read("schema/lock.toml");
    assert!(
        lock.contains("[[tombstone]]\ncategory = \"workout\"\nevent = \"Cancelled\""),
        "{lock}"
    );
    project.git(&["checkout", "--quiet", "src"]);
    project
        .recount(&["check"])
        .says(1, &["error[RC1007] workout.Cancelled v1"]);
}

#[test]
fn a_scan_counts_all_that_is_stored_and_names_what_no_aggregate_reads() {
    let project = Project::released("counted");
    project.store(&[("Cancelled", 1, json!({}))]);
    let url = project.store_of(
        "basket",
        &[("Filled", 1, json!({})), ("Filled", 2, json!({}))],
    );
    let ran = project.recount(&["scan", "--store", &url]);
    ran.says(
        0,
        &[
            "1  workout.Cancelled v1",
            "warning[RC3032] basket: 2 events, and no aggregate under a lock here reads them: they were not looked at",
            "3 events in sqlite:",
            "all that were looked at can be read; streams of `basket` were not looked at",
        ],
    );
    let (_, scan) = project.json(&["scan", "--store", &url]);
    assert_eq!(scan["data"]["not_looked_at"], json!({ "basket": 2 }));
    assert_eq!(scan["diagnostics"][0]["code"], "RC3032");
}

#[test]
fn what_was_retired_and_is_written_again_is_told_and_not_dropped() {
    let project = Project::released("again2");
    let before = project.read("src/lib.rs");
    for gone in [
        "    fn cancelled(&mut self, _: Cancelled) { self.minutes = 0; }\n",
        "#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]\npub struct Cancelled {}\n",
    ] {
        project.edit("src/lib.rs", gone, "");
    }
    let retired = "id = WorkoutId, retired(\"Cancelled\"))";
    project.edit("src/lib.rs", "id = WorkoutId)", retired);
    let given_up = project.read("src/lib.rs");
    project.recount(&["retire", "Cancelled", "v1"]).says(0, &[]);
    project.commit();
    let url = project.store(&[]);
    project
        .recount(&["scan", "--store", &url, "--out", "scan.json"])
        .says(0, &[]);
    let drop = ["drop", "Cancelled", "v1", "--evidence", "scan.json"];

    project.write("src/lib.rs", &before);
    let to_do = "to do: write v2 first (`cargo recount schema bump workout.Cancelled`), or give the event up: delete its type and write \
                 `retired(\"Cancelled\")` on the aggregate";
    for command in [&["check"][..], &["release"]] {
        project.recount(command).says(
            1,
            &[
                "error[RC3035] workout.Cancelled v1: retired, but it is what the code writes again",
                to_do,
            ],
        );
    }
    project
        .recount(&drop)
        .says(2, &["workout.Cancelled v1 is what the code writes", to_do]);
    // Both ways out are ways out.
    project.recount(&["bump", "Cancelled"]).says(0, &[]);
    project.edit("src/lib.rs", "self, _: Cancelled)", "self, _: CancelledV2)");
    project
        .recount(&["accept"])
        .says(0, &["workout.Cancelled v2: a new draft"]);
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["3 versions"]);
    project.git(&["checkout", "--quiet", "schema"]);
    project.write("src/lib.rs", &given_up);
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["2 versions"]);
    project.recount(&drop).says(0, &["is dropped"]);
}

#[test]
fn a_stored_event_that_cannot_be_read_is_found_with_its_place() {
    let project = Project::released("life5");
    let url = project.store(&[
        ("Scheduled", 1, json!({ "title": "Hills", "minutes": 45 })),
        ("Scheduled", 1, json!({ "title": "Hills", "minutes": -1 })),
        ("Scheduled", 7, json!({})),
        ("Renamed", 1, json!({})),
    ]);
    project.recount(&["scan", "--store", &url]).says(
        1,
        &[
            "2  workout.Scheduled v1, 1 of them not readable",
            "error[RC3026] workout.Scheduled v1: the payload does not fit",
            "position 2, version 2 of stream acme:workout/w1",
            "error[RC3026] workout.Scheduled v7: schema version 7 is newer than 1",
            "error[RC3026] workout.Renamed v1: no event of this name is known",
            "3 cannot be read",
        ],
    );
    let nowhere = format!("sqlite:{}", project.path("nowhere.db").display());
    project
        .recount(&["scan", "--store", &nowhere])
        .says(2, &["error[RC3028]", "to do: look at the path\n"]);
    assert!(!project.path("nowhere.db").exists());
    project
        .recount(&["scan", "--store", "memory:"])
        .says(2, &["RC3028"]);
}
