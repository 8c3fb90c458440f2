//! An event that was released before any aggregate applied it.

use super::project::Project;

const AUDITED: &str = "\n\
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Audited { pub by: String }
";

/// With `Audited` released in 0.3.0 by itself, and committed.
fn released(name: &str) -> Project {
    let project = Project::new(name);
    let source = project.read("src/lib.rs");
    project.write("src/lib.rs", &(source + AUDITED));
    project.recount(&["init"]).says(0, &[]);
    project
        .recount(&["accept"])
        .says(0, &["Audited v1: a new draft"]);
    project.recount(&["release"]).says(
        0,
        &[
            "Audited v1: released in 0.3.0",
            "warning[RC3034] Audited v1: released, and no aggregate applies it",
            "to do: write a method that takes it, then `cargo recount schema accept`",
        ],
    );
    project.commit();
    project
}

fn applied(project: &Project) {
    let last = "    fn cancelled(&mut self, _: Cancelled) { self.minutes = 0; }\n";
    let more = format!("{last}    fn audited(&mut self, _: Audited) {{}}\n");
    project.edit("src/lib.rs", last, &more);
}

#[test]
fn an_event_that_was_released_alone_is_taken_over_once_an_aggregate_applies_it() {
    let project = released("unapplied1");
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["3 versions"]);
    let samples = project.read("schema/Audited/v1.samples.jsonl");
    applied(&project);
    for command in [
        &["check"][..],
        &["check", "--against", "main"],
        &["release"],
    ] {
        let ran = project.recount(command);
        ran.says(
            1,
            &[
                "error[RC3033] workout.Audited v1: the lock has it as `Audited`, of no aggregate, and that of `workout` applies it now",
                "to do: cargo recount schema accept",
            ],
        );
        assert_eq!(ran.out.matches("error[").count(), 1, "{}", ran.out);
    }
    project.recount(&["status"]).says(
        0,
        &["workout.Audited    v1       released  0.3.0  as in the code"],
    );
    project
        .recount(&["retire", "Audited", "v1"])
        .says(2, &["workout.Audited v1 is what the code writes"]);
    project.git(&["diff", "--exit-code", "--quiet", "schema"]);

    project.recount(&["accept"]).says(
        0,
        &[
            "workout.Audited v1: taken over from `Audited`, which was of no aggregate",
            "deleted: schema/Audited/v1.json, schema/Audited/v1.samples.jsonl",
        ],
    );
    assert!(!project.path("schema/Audited").exists());
    assert_eq!(
        project.read("schema/workout.Audited/v1.samples.jsonl"),
        samples
    );
    let entry = "[[event]]\ncategory = \"workout\"\nname = \"Audited\"\nversions = [\n  { v = 1, status = \"released\", since = \"0.3.0\"";
    let lock = project.read("schema/lock.toml");
    assert!(
        lock.contains(entry) && lock.matches("\"Audited\"").count() == 1,
        "{lock}"
    );
    for command in [&["check", "--release"][..], &["check", "--against", "main"]] {
        project
            .recount(command)
            .says(0, &["3 versions of 1 lock checked"]);
    }
    project.test().says(0, &[]);
    // It is as protected as before, by the base revision too.
    project.edit("src/lib.rs", "pub by: String", "pub by: u8");
    project
        .recount(&["check"])
        .says(1, &["error[RC1010] workout.Audited v1 .by"]);
    project.test().says(
        101,
        &["[RC1010] `by` of `Audited` version 1 (released in 0.3.0)"],
    );
    project.edit("src/lib.rs", "pub by: u8", "pub by: String");
    project.edit(
        "schema/lock.toml",
        "name = \"Audited\"\nversions = [\n  { v = 1, status = \"released\"",
        "name = \"Audited\"\nversions = [\n  { v = 1, status = \"draft\"",
    );
    project.recount(&["check", "--against", "main"]).says(
        1,
        &["error[RC3008] workout.Audited v1: released since 0.3.0 in `main`, draft since 0.3.0 now"],
    );
}

#[test]
fn the_whole_name_of_an_event_without_category_is_that_event() {
    let project = released("unapplied2");
    // Whose it is cannot be told: two aggregates apply it.
    applied(&project);
    let source = project.read("src/lib.rs");
    let season = "
#[derive(Debug, Default, Clone, PartialEq, Aggregate)]
#[aggregate(stream = \"season\", id = WorkoutId)]
pub struct Season {}
#[apply]
impl Season {
    fn audited(&mut self, _: Audited) {}
}
";
    project.write("src/lib.rs", &format!("{source}{season}"));
    project.recount(&["accept"]).says(
        0,
        &[
            "season.Audited v1: a new draft",
            "workout.Audited v1: a new draft",
        ],
    );
    let ran = project.recount(&["drop", "Audited", "v1"]);
    ran.says(
        2,
        &["error[RC3024] Audited v1 is released, and only what is retired is dropped"],
    );
    // Once it can be told, what was released takes the place of the draft.
    project.write("src/lib.rs", &source);
    project.test().says(0, &[]);
    project
        .recount(&["accept", "Audited"])
        .says(2, &["name one of these: season.Audited, workout.Audited"]);
    project.recount(&["accept", "workout.Audited"]).says(
        0,
        &["workout.Audited v1: taken over from `Audited`, which was of no aggregate"],
    );
    project.recount(&["accept"]).says(
        0,
        &["season.Audited v1: the draft is not in the code any more"],
    );
    project
        .recount(&["check", "--against", "main", "--release"])
        .says(0, &["3 versions"]);
}
