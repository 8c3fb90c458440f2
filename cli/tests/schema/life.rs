//! A whole life: from the first draft to the version that is stored nowhere any more.

use super::project::{FIELD, Project};

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
    project.recount(&["bump", "Scheduled"]).says(
        2,
        &[
            "is a draft: it may change as it is",
            "to do: change `Scheduled` itself, and then `cargo recount schema accept`",
        ],
    );
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
    let project = Project::with_second("frozen");
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
fn what_each_part_of_a_split_event_makes_of_stored_ones_is_frozen() {
    let project = Project::new("split");
    project.edit(
        "src/lib.rs",
        "Cancelled {}",
        "Cancelled { pub reason: String }",
    );
    project.recount(&["init"]).says(0, &[]);
    project.recount(&["accept"]).says(0, &[]);
    project.recount(&["release"]).says(0, &[]);
    project.commit();

    let part = |name: &str, field: &str, value: &str| {
        format!(
            "#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]\n#[event(split_from = Cancelled)]\n\
             pub struct {name} {{\n    pub {field},\n}}\n\
             impl From<Cancelled> for {name} {{\n    fn from(old: Cancelled) -> Self {{ Self {{ {value} }} }}\n}}\n"
        )
    };
    let refused = "level: u8::try_from(old.reason.len()).unwrap_or(9)";
    let parts = part("Stopped", "reason: String", "reason: old.reason")
        + &part("Refused", "level: u8", refused);
    let source = project.read("src/lib.rs").replace(
        "fn cancelled(&mut self, _: Cancelled) { self.minutes = 0; }",
        "fn stopped(&mut self, _: Stopped) { self.minutes = 0; }\n    fn refused(&mut self, event: Refused) { self.minutes += u64::from(event.level); }",
    );
    project.write("src/lib.rs", &(source + &parts));
    project
        .recount(&["accept"])
        .says(0, &["workout.Refused v1: a new draft"]);
    project
        .recount(&["release", "--version", "0.4.0"])
        .says(0, &["workout.Refused v1: released in 0.4.0"]);
    let file = "schema/workout.Cancelled/v1.samples.jsonl";
    let of_both = r#""parts":{"Refused":{"1":[{"event":"Refused","payload":{"level":4}}]},"Stopped":{"1":[{"event":"Stopped","payload":{"reason":"text"}}]}}"#;
    let samples = project.read(file);
    assert!(samples.contains(of_both), "{samples}");
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["4 versions"]);
    project.test().says(0, &[]);
    project.commit();

    // Each of them is held by itself.
    project.edit("src/lib.rs", "old.reason.len()", "old.reason.len() + 1");
    let told = "a stored payload of `Cancelled` v1 was read as 0, and is read as 1 now";
    for command in [&["check"][..], &["accept", "Refused"]] {
        project.recount(command).says(
            1,
            &[
                &format!("error[RC2003] workout.Refused v1 [0].level: {told}"),
                "payload: {\"reason\":\"\"}",
            ],
        );
    }
    project
        .test()
        .says(101, &[&format!("[RC2003] Refused v1 `[0].level`: {told}")]);
    // With a reason what they are read as now is frozen.
    project
        .recount(&["accept", "Refused", "--reason", "never deployed"])
        .says(0, &["1 broken rule accepted: never deployed"]);
    project.test().says(0, &[]);
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["4 versions"]);
    // Without one the base revision knows better.
    let lock = project.read("schema/lock.toml");
    let reason = lock.find("[[accepted]]").unwrap();
    let rest = lock[reason..]
        .find("\n\n")
        .map_or("", |end| &lock[reason + end..]);
    project.write("schema/lock.toml", &(lock[..reason].to_owned() + rest));
    project.recount(&["check", "--against", "main"]).says(
        1,
        &["error[RC3008] workout.Cancelled v1: sample 1 was rewritten or removed"],
    );
    project.git(&["checkout", "--quiet", "src", "schema"]);

    // A part may gain a field, which is frozen then.
    project.edit(
        "src/lib.rs",
        "pub level: u8,",
        "pub level: u8,\n    #[serde(default)]\n    pub note: Option<String>,",
    );
    project.edit("src/lib.rs", "unwrap_or(9)", "unwrap_or(9), note: None");
    project.test().says(0, &[]);
    project
        .recount(&["accept", "Refused"])
        .says(0, &["workout.Refused v1: taken over from the code\n"]);
    let samples = project.read(file);
    assert!(samples.contains(r#"{"level":4,"note":null}"#), "{samples}");
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["4 versions"]);
    project.edit("src/lib.rs", "note: None", "note: Some(String::new())");
    project
        .test()
        .says(101, &["[RC2003] Refused v1 `[0].note`", "was read as null"]);
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
fn types_that_contain_each_other_are_told_the_word_for_it() {
    let project = Project::new("life8");
    project.recount(&["init"]).says(0, &[]);
    project.edit(
        "src/lib.rs",
        "pub struct Cancelled {}",
        "pub struct Cancelled { pub why: Why }

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Why { pub because: Vec<Because> }

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Because { pub why: Option<Why> }",
    );
    project.recount(&["check"]).says(
        2,
        &[
            "E0391",
            "two value objects contain each other: write `#[value(recursive_with(Other))]` on each",
        ],
    );
}

#[test]
fn the_files_of_a_draft_that_is_gone_are_told_to_be_deleted() {
    let project = Project::new("life9");
    project.recount(&["init"]).says(0, &[]);
    project.recount(&["accept"]).says(0, &[]);
    project.edit(
        "src/lib.rs",
        "    fn cancelled(&mut self, _: Cancelled) { self.minutes = 0; }\n",
        "",
    );
    project.edit(
        "src/lib.rs",
        "#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]\npub struct Cancelled {}\n",
        "",
    );
    project.recount(&["accept"]).says(
        0,
        &["written: schema/lock.toml; deleted: schema/workout.Cancelled/v1.json"],
    );
    assert!(!project.path("schema/workout.Cancelled").exists());
}
