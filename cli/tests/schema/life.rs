//! A whole life: from the first draft to the version that is stored nowhere any more.

use serde_json::json;

use super::project::Project;

const FIELD: &str = "pub minutes: u16, // as planned";

/// What a user does after `bump`.
fn to_seconds(project: &Project) {
    let text = project.read("src/lib.rs");
    let (before, after) = text.split_at(text.find("pub struct ScheduledV2").unwrap());
    let after = after
        .replacen(FIELD, "pub seconds: u32,", 1)
        .replacen(
            "minutes: old.minutes,",
            "seconds: u32::from(old.minutes) * 60,",
            1,
        )
        .replacen("event: Scheduled)", "event: ScheduledV2)", 1)
        .replacen("event.minutes)", "event.seconds) / 60", 1);
    std::fs::write(project.path("src/lib.rs"), format!("{before}{after}")).unwrap();
}

/// Version 2 of `Scheduled` was released in 0.4.0.
fn second(name: &str) -> Project {
    let project = Project::released(name);
    project.recount(&["bump", "Scheduled"]).says(0, &[]);
    to_seconds(&project);
    project
        .recount(&["accept"])
        .says(0, &["workout.Scheduled v2: a new draft"]);
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["3 versions"]);
    project
        .recount(&["release", "--version", "0.4.0"])
        .says(0, &["workout.Scheduled v2: released in 0.4.0"]);
    project
        .recount(&["check", "--against", "main", "--release"])
        .says(0, &["3 versions"]);
    project.commit();
    project
}

#[test]
fn a_draft_may_change_until_it_is_released() {
    let project = Project::new("drafts");
    project
        .recount(&["status"])
        .says(2, &["RC3001", "cargo recount schema init"]);
    project.recount(&["init"]).says(
        0,
        &[
            "schema/lock.toml was made",
            "next: `cargo recount schema accept`",
        ],
    );
    project.recount(&["init"]).says(0, &["is there already"]);
    project.recount(&["status"]).says(
        0,
        &["warning[RC3003] workout.Scheduled v1: not in the lock yet"],
    );
    project
        .recount(&["check"])
        .says(1, &["error[RC3003] workout.Scheduled v1"]);
    project.recount(&["accept"]).says(
        0,
        &[
            "workout.Scheduled v1: a new draft",
            "schema/workout.Scheduled/v1.json",
        ],
    );

    // A draft may change.
    project.edit("src/lib.rs", FIELD, "pub minutes: u8,");
    project.recount(&["diff"]).says(
        0,
        &[
            "note[RC1011] workout.Scheduled v1 .minutes",
            "a draft may change",
        ],
    );
    project
        .recount(&["accept"])
        .says(0, &["the draft was taken over"]);
    project.edit("src/lib.rs", "pub minutes: u8,", FIELD);
    project
        .recount(&["accept", "Scheduled"])
        .says(0, &["the draft was taken over"]);
    project.recount(&["accept"]).says(0, &["nothing to accept"]);
    project
        .recount(&["bump", "Scheduled"])
        .says(2, &["is a draft: it may change as it is"]);
    project
        .recount(&["check", "--release"])
        .says(1, &["error[RC3006] workout.Scheduled v1: a draft is left"]);

    project.recount(&["release"]).says(
        0,
        &["workout.Scheduled v1: released in 0.3.0, with 14 samples"],
    );
    project
        .recount(&["release"])
        .says(0, &["nothing to release"]);
    project
        .recount(&["check", "--release"])
        .says(0, &["2 versions of 1 lock checked"]);
    project.test().says(0, &[]);
    project.commit();
}

#[test]
fn a_careless_edit_is_refused_by_the_tool_and_by_the_compiler() {
    let project = Project::released("careless");
    project.edit(
        "src/lib.rs",
        FIELD,
        "pub minutes: u8,\n    pub coach: String,",
    );
    for command in [
        &["diff"][..],
        &["check"],
        &["check", "--against", "main"],
        &["release"],
    ] {
        project.recount(command).says(
            1,
            &[
                "error[RC1011] workout.Scheduled v1 .minutes: u16 0..=65535 -> u8 0..=255",
                "payload: {\"minutes\":65535,\"title\":\"\"}",
                "error[RC1002] workout.Scheduled v1 .coach",
                "cargo recount schema bump workout.Scheduled",
            ],
        );
    }
    project.recount(&["accept"]).says(0, &["warning[RC1011]"]);
    project
        .recount(&["accept", "Scheduled"])
        .says(1, &["error[RC1011]", "--reason"]);
    project
        .recount(&["bump", "Scheduled"])
        .says(2, &["was changed already", "take the change back"]);
    project.test().says(
        101,
        &[
            "[RC1011] `minutes` of `Scheduled` version 1 (released in 0.3.0): u16 0..=65535 -> u8 0..=255",
            "[RC1002] `coach` is required, but `Scheduled` version 1 (released in 0.3.0) does not have it",
        ],
    );
    project.git(&["checkout", "--quiet", "src"]);
}

#[test]
fn the_next_version_is_written_into_the_source_and_all_else_stays_as_it_is() {
    let project = Project::released("next");
    let before = project.read("src/lib.rs");
    project.recount(&["bump", "Scheduled"]).says(
        0,
        &[
            "`ScheduledV2`, version 2 of workout.Scheduled",
            "src/lib.rs:16",
            "src/lib.rs:44: in `#[apply] impl Workout` take `ScheduledV2`",
        ],
    );
    let bumped = project.read("src/lib.rs");
    assert_eq!(bumped.lines().nth(43), Some("#[apply]"), "{bumped}");
    let written = "\n\n/// A workout was put into the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Scheduled)]
pub struct ScheduledV2 {
    /// What it is called.
    pub title: String,
    pub minutes: u16, // as planned
}

impl From<Scheduled> for ScheduledV2 {
    fn from(old: Scheduled) -> Self {
        // TO DECIDE: what events that were stored as version 1 become. Equal fields are filled in.
        Self {
            title: old.title,
            minutes: old.minutes,
        }
    }
}";
    assert_eq!(bumped.replacen(written, "", 1), before);
}

#[test]
fn what_a_conversion_makes_of_stored_events_is_frozen() {
    let project = second("frozen");
    let samples = project.read("schema/workout.Scheduled/v1.samples.jsonl");
    assert!(
        samples.contains(
            r#""expect":{"1":{"minutes":65535,"title":""},"2":{"seconds":3932100,"title":""}}"#
        ),
        "{samples}"
    );
    project.edit("src/lib.rs", "* 60,", "* 61,");
    for command in [&["check"][..], &["accept", "Scheduled"]] {
        project.recount(command).says(1, &["error[RC2003] workout.Scheduled v1 .seconds: a stored payload was read as 3932100, and is read as 3997635 now"]);
    }
    project
        .test()
        .says(101, &["[RC2003] Scheduled v1 `.seconds`"]);
    project.git(&["checkout", "--quiet", "src"]);
}

#[test]
fn a_version_is_dropped_only_when_a_scan_of_now_shows_that_it_is_stored_nowhere() {
    let project = second("end");
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
fn an_optimised_build_warns_of_what_was_never_released_or_refuses_it() {
    let project = Project::new("drafts2");
    project.recount(&["init"]).says(0, &[]);
    project.recount(&["accept"]).says(0, &[]);
    let silent = |project: &Project| {
        let ran = project.cargo(&["build", "--offline", "--quiet"]);
        assert!(ran.code == 0 && ran.out.is_empty(), "{}", ran.out);
    };
    silent(&project);
    // As `--release` has it, for this package alone.
    let manifest = project.read("Cargo.toml");
    let optimised = "\n[profile.dev.package.plans-drafts2]\ndebug-assertions = false\n";
    std::fs::write(project.path("Cargo.toml"), manifest + optimised).unwrap();
    project.cargo(&["build", "--offline", "--quiet"]).says(
        0,
        &[
            "warning: use of deprecated constant",
            "[RC1046] version 1 of `Scheduled` was never released: what this build stores of it nothing protects",
            "[RC1046] version 1 of `Cancelled`",
            "recount schema release",
        ],
    );
    let policy = |level: &str| {
        let to = format!("format = 1\n\n[policy.rules]\nRC1046 = \"{level}\"\n");
        project.edit("schema/lock.toml", "format = 1\n", &to);
    };
    policy("deny");
    project.cargo(&["build", "--offline", "--quiet"]).says(
        101,
        &["error: [RC1046] version 1 of `Scheduled` was never released"],
    );
    project
        .recount(&["release"])
        .says(0, &["released in 0.3.0"]);
    silent(&project);
    project.edit(
        "src/lib.rs",
        "pub struct Cancelled {}",
        "#[event(name = \"GivenUp\")]\npub struct Cancelled {}",
    );
    project.edit(
        "src/lib.rs",
        "id = WorkoutId",
        "id = WorkoutId, retired(\"Cancelled\")",
    );
    project.cargo(&["build", "--offline", "--quiet"]).says(
        101,
        &["error: [RC1046] version 1 of `GivenUp` was never released"],
    );
    project.edit("schema/lock.toml", "\"deny\"", "\"off\"");
    silent(&project);
}

#[test]
fn what_the_policy_refuses_is_accepted_with_a_reason_and_the_last_release_is_named() {
    let project = Project::released("life6");
    project.edit("src/lib.rs", FIELD, "pub minutes: u32,");
    project.recount(&["check"]).says(
        1,
        &[
            "warning[RC1011] workout.Scheduled v1 .minutes: u16 0..=65535 -> u32 0..=4294967295: the last release cannot read all that is written now",
            "payload: {\"minutes\":4294967295,\"title\":\"\"}",
        ],
    );
    project.edit(
        "schema/lock.toml",
        "format = 1\n",
        "format = 1\n\n[policy.rules]\nRC1011 = \"deny\"\n",
    );
    project.recount(&["check"]).says(1, &["error[RC1011]"]);
    project
        .recount(&[
            "accept",
            "Scheduled",
            "--reason",
            "nobody runs the last one",
        ])
        .says(0, &["1 broken rule accepted: nobody runs the last one"]);
    project.recount(&["check"]).says(0, &["2 versions"]);
    project.commit();
    // An event that has another name is read under the old one, and `status` says so.
    project.edit(
        "src/lib.rs",
        "pub struct Cancelled {}",
        "#[event(name = \"Dropped\", formerly = \"Cancelled\")]\npub struct Cancelled {}",
    );
    project
        .recount(&["accept"])
        .says(0, &["workout.Dropped v1: a new draft"]);
    project.recount(&["status"]).says(
        0,
        &["workout.Cancelled  v1       released  0.3.0  read under another name"],
    );
}

#[test]
fn a_released_version_grows_by_the_rules_and_everything_later_must_read_both() {
    let project = Project::released("life2");
    project.edit(
        "src/lib.rs",
        "pub struct Cancelled {}",
        "pub struct Cancelled {\n    pub reason: Option<String>,\n}",
    );
    project.test().says(0, &[]);
    project.recount(&["status"]).says(
        0,
        &[
            "changed",
            "warning[RC3007] workout.Cancelled v1: .reason came since it was released",
        ],
    );
    project.recount(&["check"]).says(1, &["error[RC3007]"]);
    project
        .recount(&["accept", "Cancelled", "--reason", "coaches want to know"])
        .says(0, &["workout.Cancelled v1: taken over from the code"]);
    let contract = project.read("schema/workout.Cancelled/v1.json");
    assert!(contract.contains("\"write\": \"maybe\""), "{contract}");
    // What is told to others is what is stored, with the field and without it.
    let (_, exported) = project.json(&["export"]);
    let exported = &exported["data"]["$defs"]["workout.Cancelled.v1"];
    let note = "not always written, may be missing when read";
    assert_eq!(exported["properties"]["reason"]["$comment"], note);
    assert_eq!(exported["required"], json!([]), "{exported:#}");
    project.catalogue(&[]).says(0, &[note]);
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["2 versions"]);
    project.test().says(0, &[]);
    // It reads what is written now, but not what was written before.
    project.edit(
        "src/lib.rs",
        "pub reason: Option<String>,",
        "pub reason: String,",
    );
    project
        .recount(&["check"])
        .says(1, &["error[RC1003] workout.Cancelled v1 .reason"]);
}

#[test]
fn a_change_of_what_was_never_stored_is_accepted_with_a_reason() {
    let project = Project::released("life3");
    project.edit("src/lib.rs", FIELD, "pub minutes: u8,");
    project
        .recount(&["accept", "Scheduled", "--reason", "never deployed"])
        .says(0, &["1 broken rule accepted: never deployed"]);
    let lock = project.read("schema/lock.toml");
    assert!(lock.contains("[[accepted]]\ncategory = \"workout\"\nevent = \"Scheduled\"\nv = 1\nrule = \"RC1011\"\npath = \".minutes\"\nreason = \"never deployed\""), "{lock}");
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["2 versions"]);
    project.test().says(0, &[]);
    project
        .recount(&["accept", "--reason", "whatever"])
        .says(2, &["a reason is given for one event"]);
}

#[test]
fn one_accept_is_enough_for_fields_that_are_new_or_renamed_also_within_a_value_object() {
    let project = Project::new("life7");
    let derives = "#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]";
    let place = format!("pub place: Place,\n}}\n{derives}\npub struct Place {{ pub zip: String }}");
    project.edit(
        "src/lib.rs",
        &format!("{FIELD}\n}}"),
        &format!("{FIELD}\n{place}"),
    );
    project.recount(&["init"]).says(0, &[]);
    project.recount(&["accept"]).says(0, &[]);
    project.recount(&["release"]).says(0, &[]);
    project.commit();

    project.edit("src/lib.rs", "pub title", "pub name");
    project.edit(
        "src/lib.rs",
        FIELD,
        "pub minutes: u16,\n    pub coach: String,",
    );
    project.edit("src/lib.rs", "pub zip", "pub code");
    project.recount(&["check"]).says(1, &["error[RC1002]"]);
    let accept = ["accept", "Scheduled", "--reason", "never stored"];
    project
        .recount(&accept)
        .says(0, &["5 broken rules accepted: never stored"]);
    project.test().says(0, &[]);
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["2 versions"]);
    project.recount(&accept).says(0, &["nothing to accept"]);

    // From now on all of it must be read.
    project.edit("src/lib.rs", "pub coach: String,\n", "");
    project.recount(&["check"]).says(
        1,
        &[
            "error[RC1001] workout.Scheduled v1 .coach",
            "to do: keep it; or take the change back",
        ],
    );
    project
        .test()
        .says(101, &["[RC1001] `coach` of `Scheduled` version 1"]);
}

#[test]
fn a_change_in_a_value_object_is_for_a_copy_that_the_next_version_holds() {
    const VALUE: &str = "\
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Place { pub zip: String }
";
    let project = Project::new("shared");
    project.edit(
        "src/lib.rs",
        FIELD,
        "pub minutes: u16,\n    pub places: Vec<Place>,",
    );
    let source = project.read("src/lib.rs");
    project.write("src/lib.rs", &format!("{source}{VALUE}"));
    for command in ["init", "accept", "release"] {
        project.recount(&[command]).says(0, &[]);
    }
    project.edit("src/lib.rs", "pub zip: String", "pub zip: u32");
    let advice = "take back what changed in `Place`, which all versions share; then copy it as `PlaceV2`, change the copy, and hold that \
                  in version 2 (if there is none yet: `";
    let of_the_tool = format!("{advice}cargo recount schema bump workout.Scheduled`)");
    project.recount(&["check"]).says(
        1,
        &[
            "error[RC1010] workout.Scheduled v1 .places[].zip: string -> integer",
            &of_the_tool,
        ],
    );
    project
        .recount(&["bump", "Scheduled"])
        .says(2, &["was changed already", &of_the_tool]);
    let of_the_compiler = format!("{advice}recount schema bump Scheduled`)");
    project.test().says(
        101,
        &[
            "[RC1010] `places[].zip` of `Scheduled` version 1",
            &of_the_compiler,
        ],
    );
    project.edit("src/lib.rs", "pub zip: u32", "pub postcode: String");
    project.recount(&["check"]).says(
        1,
        &[
            "if it is .places[].postcode now: write `#[serde(rename = \"zip\")]` above that",
            "error[RC1002] workout.Scheduled v1 .places[].postcode",
        ],
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
    for event in ["Cancelled", "Scheduled"] {
        project.recount(&["retire", event, "v1"]).says(0, &[]);
        project
            .recount(&["drop", event, "v1", "--evidence", "scan.json"])
            .says(0, &["is dropped"]);
    }
    project.recount(&["check"]).says(0, &[]);
    project.test().says(0, &[]);
}

#[test]
fn what_is_deleted_is_missed_unless_it_is_given_up() {
    let project = Project::released("life4");
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
        "id = WorkoutId, retired(\"Cancelled\"))",
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
    let url = project.store(&[]);
    project
        .recount(&["scan", "--store", &url, "--out", "scan.json"])
        .says(0, &["0 events"]);
    project
        .recount(&["drop", "Cancelled", "v1", "--evidence", "scan.json"])
        .says(0, &["it may not come back"]);
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
        .says(2, &["error[RC3028]"]);
    assert!(!project.path("nowhere.db").exists());
    project
        .recount(&["scan", "--store", "memory:"])
        .says(2, &["RC3028"]);
}
