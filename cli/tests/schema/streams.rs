//! What streams are found by, and which of two categories an event belongs to.

use super::project::Project;

#[test]
fn a_stream_that_is_called_otherwise_and_an_id_of_another_form_are_told() {
    let project = Project::released("streams1");
    let lock = project.read("schema/lock.toml");
    assert!(
        lock.contains("[[aggregate]]\ncategory = \"workout\"\ntype = \"Workout\"\nid = \"string\""),
        "{lock}"
    );
    project.edit(
        "src/lib.rs",
        "stream = \"workout\"",
        "stream = \"training\"",
    );
    let accept = ["accept", "Scheduled", "--reason", "never stored"];
    for command in [&["check"][..], &["accept"], &accept, &["status"]] {
        let ran = project.recount(command);
        ran.says(
            1,
            &[
                "error[RC1043] workout: streams of `Workout` are stored as `workout`: under `training` they would not be found",
                "write `stream = \"workout\"`; or, if another type has the streams of `workout` now, write it there: `cargo recount schema accept` takes that over",
                "if nothing of it was ever stored",
            ],
        );
        assert!(
            !ran.out.contains("RC1005") && !ran.out.contains("RC3003"),
            "{}",
            ran.out
        );
    }
    assert_eq!(project.read("schema/lock.toml"), lock);
    project.test().says(
        101,
        &["[RC1043] streams of `Workout` are stored as `workout`: under `training`"],
    );
    project.git(&["checkout", "--quiet", "src"]);

    project.edit("src/lib.rs", "WorkoutId(String)", "WorkoutId(u64)");
    for command in [&["check"][..], &["release"], &["accept"], &accept] {
        let ran = project.recount(command);
        ran.says(
            1,
            &[
                "error[RC1043] workout: streams of `Workout` have ids of the form string, which is u64 here",
                "take an id of the form string: `accept` does not take it over",
                "write `id = \"u64\"` under `[[aggregate]]` of `workout` in lock.toml",
            ],
        );
        assert!(!ran.out.contains("nothing to accept"), "{}", ran.out);
    }
    // The base revision holds it to what it was.
    project.edit("schema/lock.toml", "id = \"string\"", "id = \"u64\"");
    project.recount(&["check", "--against", "main"]).says(
        1,
        &["error[RC3008] workout: the form of the id was string, and is u64 now"],
    );
}

#[test]
fn another_name_of_an_aggregates_type_is_told_until_the_lock_knows_it() {
    let project = Project::released("streams3");
    project.edit(
        "src/lib.rs",
        "pub struct Workout {",
        "pub struct Training {",
    );
    project.edit("src/lib.rs", "impl Workout {", "impl Training {");
    for command in [
        &["check"][..],
        &["check", "--against", "main"],
        &["release"],
    ] {
        project.recount(command).says(
            1,
            &[
                "error[RC3036] workout: the lock calls the type of these streams `Workout`, and the code calls it `Training`",
                "to do: cargo recount schema accept",
            ],
        );
    }
    project
        .recount(&["accept"])
        .says(0, &["written: schema/lock.toml"]);
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["2 versions"]);
    let lock = project.read("schema/lock.toml");
    assert!(lock.contains("type = \"Training\""), "{lock}");
    project.edit(
        "src/lib.rs",
        "stream = \"workout\"",
        "stream = \"training\"",
    );
    project.test().says(
        101,
        &["[RC1043] streams of `Training` are stored as `workout`: under `training`"],
    );
    project.edit(
        "src/lib.rs",
        "stream = \"training\"",
        "stream = \"workout\"",
    );

    // Its old name is free for another aggregate, once the lock knows whose the streams are.
    project.git(&["checkout", "--quiet", "schema"]);
    let source = project.read("src/lib.rs");
    let other = "
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Begun {}
#[derive(Debug, Default, Clone, PartialEq, Aggregate)]
#[aggregate(stream = \"exercise\", id = WorkoutId)]
pub struct Workout {}
#[apply]
impl Workout {
    fn begun(&mut self, _: Begun) {}
}
";
    project.write("src/lib.rs", &format!("{source}{other}"));
    project.test().says(
        101,
        &["or, if another type has the streams of `workout` now: `recount schema accept`"],
    );
    project
        .recount(&["accept"])
        .says(0, &["exercise.Begun v1: a new draft"]);
    project.test().says(0, &[]);
}

#[test]
fn events_of_one_name_in_two_categories_are_held_each_against_its_own() {
    let project = Project::new("streams2");
    let season = r#"use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct SeasonId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Scheduled { pub weeks: u8 }

#[derive(Debug, Default, Clone, PartialEq, Aggregate)]
#[aggregate(stream = "season", id = SeasonId)]
pub struct Season { weeks: u8 }

#[apply]
impl Season {
    fn scheduled(&mut self, event: Scheduled) { self.weeks = event.weeks; }
}
"#;
    std::fs::write(project.path("src/season.rs"), season).unwrap();
    project.edit(
        "src/lib.rs",
        "use recount::prelude::*;\n",
        "use recount::prelude::*;\n\npub mod season;\n",
    );
    project.recount(&["init"]).says(0, &[]);
    project.recount(&["accept"]).says(0, &[]);
    project.recount(&["release"]).says(
        0,
        &[
            "season.Scheduled v1: released",
            "workout.Scheduled v1: released",
        ],
    );
    project.commit();
    project.recount(&["check"]).says(0, &["3 versions"]);
    project.test().says(0, &[]);
    // What the other category released would be read, and what its own did would not.
    project.edit(
        "src/season.rs",
        "pub weeks: u8 }",
        "pub title: String, pub minutes: u16 }",
    );
    project.edit(
        "src/season.rs",
        "self.weeks = event.weeks;",
        "self.weeks = event.title.len() as u8;",
    );
    project
        .recount(&["check"])
        .says(1, &["error[RC1002] season.Scheduled v1 .title"]);
    project.test().says(
        101,
        &["[RC1004] `weeks` of `Scheduled` version 1 (released in 0.3.0)"],
    );
}
