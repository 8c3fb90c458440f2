//! Each way in which the files may be wrong, and what is said of it.

use std::fs;

use super::project::Project;

const LOCK: &str = "schema/lock.toml";
const CONTRACT: &str = "schema/workout.Scheduled/v1.json";
const SAMPLES: &str = "schema/workout.Scheduled/v1.samples.jsonl";

#[test]
fn every_damage_of_the_files_is_told_with_its_place_and_what_to_do() {
    let project = Project::released("damaged6");
    let restore = || project.git(&["checkout", "--quiet", "schema"]);
    let damage = |file: &str, text: &str| fs::write(project.path(file), text).unwrap();
    let (lock, contract) = (project.read(LOCK), project.read(CONTRACT));

    // Without the index nothing can be said.
    fs::remove_file(project.path(LOCK)).unwrap();
    project.recount(&["check"]).says(
        2,
        &[
            "error[RC1006] schema/lock.toml: missing, although schema/workout.Cancelled/v1.json is there",
            "to do: restore it from version control",
        ],
    );
    damage(LOCK, &lock[..lock.len() - 60]);
    project
        .recount(&["status"])
        .says(2, &["error[RC3002] schema/lock.toml:"]);
    damage(
        LOCK,
        &format!("<<<<<<< ours\n{lock}=======\n{lock}>>>>>>> theirs\n"),
    );
    project.recount(&["diff"]).says(
        2,
        &[
            "error[RC3002] schema/lock.toml:1: a merge left its markers",
            "to do: keep the entries of both sides, each with its `[[event]]`, `category` and `name`",
        ],
    );
    // The lines of both sides, with those that they share once: as two new neighbours meet in a merge.
    let both = lock.replace("]\n\n[[event]]\ncategory = \"workout\"\nname", "]\nname");
    assert_ne!(both, lock);
    damage(LOCK, &both);
    project.recount(&["check"]).says(
        2,
        &[
            "duplicate key",
            "to do: if a merge put two entries into one, give each its own `[[event]]`, `category` and `name`",
        ],
    );
    damage(LOCK, &lock.replace("format = 1", "format = 2"));
    project.recount(&["accept"]).says(
        2,
        &[
            "format 2, but this release knows up to 1",
            "to do: update recount",
        ],
    );
    let events = lock.find("[[event]]").unwrap();
    damage(LOCK, &format!("{lock}\n{}", &lock[events..]));
    project.recount(&["check"]).says(
        2,
        &[
            "event `workout.Cancelled` is listed twice",
            "to do: keep the entry of the side whose files are there",
        ],
    );
    damage(LOCK, &lock.replace("released", "relased"));
    project.recount(&["check"]).says(
        2,
        &["error[RC3002] schema/lock.toml:12: unknown variant `relased`"],
    );
    restore();

    // A file of one version leaves the others as they are.
    fs::remove_file(project.path(CONTRACT)).unwrap();
    project.recount(&["check"]).says(
        1,
        &["error[RC1006] workout.Scheduled v1: schema/workout.Scheduled/v1.json: missing"],
    );
    damage(CONTRACT, &contract[..contract.len() / 2]);
    project.recount(&["check"]).says(
        1,
        &[
            "error[RC3002] workout.Scheduled v1",
            "the file ends in the middle",
        ],
    );
    damage(CONTRACT, &contract.replace("u16", "u8"));
    project.recount(&["check"]).says(
        1,
        &[
            "error[RC1044] workout.Scheduled v1",
            "the digest is sha256:",
        ],
    );
    damage(
        CONTRACT,
        &contract.replace("\"format\": 1", "\"format\": 9"),
    );
    project
        .recount(&["check"])
        .says(1, &["format 9, but this release knows up to 1"]);
    restore();
    project.edit(SAMPLES, "65535", "65534");
    project.recount(&["check"]).says(
        1,
        &["error[RC1044] workout.Scheduled v1: schema/workout.Scheduled/v1.samples.jsonl"],
    );
    restore();
    project.recount(&["check"]).says(0, &["2 versions"]);
}

#[test]
fn markers_of_a_merge_in_samples_are_told_once_and_with_their_file() {
    let project = Project::released("damaged9");
    let samples = project.read(SAMPLES);
    let line = samples.lines().count() + 1;
    project.write(SAMPLES, &format!("{samples}=======\n{samples}"));
    for command in ["check", "accept"] {
        let place = format!("{SAMPLES}:{line}: a merge left its markers");
        let ran = project.recount(&[command]);
        ran.says(
            1,
            &[
                &format!("error[RC3002] workout.Scheduled v1: {place}"),
                "and run `recount schema accept workout.Scheduled`",
            ],
        );
        let told = ran.out.matches("error[").count();
        assert!(told == 1 && !ran.out.contains("nothing to"), "{}", ran.out);
    }
    let place = format!("{SAMPLES}:{line}: expected value at column 1");
    project.test().says(101, &[&place]);
}

#[test]
fn what_a_merge_left_of_a_draft_is_told_and_taken_over_from_the_code() {
    let project = Project::new("damaged10");
    project.recount(&["init"]).says(0, &[]);
    project.recount(&["accept"]).says(0, &["a new draft"]);
    let draft = project.read(CONTRACT);
    let half = format!("<<<<<<< HEAD\n{draft}=======\n{draft}>>>>>>> theirs\n");
    let of_theirs = draft.replace("\"shape\": \"u16\"", "\"shape\": \"u8\"");
    assert_ne!(draft, of_theirs);
    for left in [half, of_theirs] {
        project.write(CONTRACT, &left);
        project.recount(&["check"]).says(
            1,
            &[
                "error[RC3004] workout.Scheduled v1: the file of the draft is not what the lock says",
                "to do: cargo recount schema accept",
            ],
        );
        project
            .recount(&["accept"])
            .says(0, &["the draft was taken over from the code"]);
        assert_eq!(project.read(CONTRACT), draft);
        project.recount(&["check"]).says(0, &[]);
    }
}

#[test]
fn what_was_released_in_the_base_revision_can_be_neither_taken_back_nor_rewritten() {
    let project = Project::released("damaged7");
    let against = &["check", "--against", "main"];
    let lock = project.read(LOCK);
    let restore = || project.git(&["checkout", "--quiet", "schema", "src"]);

    fs::remove_dir_all(project.path("schema")).unwrap();
    project.recount(against).says(
        1,
        &["error[RC1006] schema/lock.toml: missing, but `main` has it"],
    );
    for command in ["check", "accept", "release", "init"] {
        project.recount(&[command]).says(
            2,
            &[
                "error[RC1006] schema/lock.toml: missing, but `HEAD` has it",
                "to do: `git checkout HEAD -- schema`",
            ],
        );
    }
    assert!(!project.path("schema").exists());
    restore();

    project.edit(LOCK, "status = \"released\"", "status = \"draft\"");
    project.recount(against).says(1, &["error[RC3008] workout.Cancelled v1: released since 0.3.0 in `main`, draft since 0.3.0 now"]);
    restore();

    project.edit(LOCK, "since = \"0.3.0\"", "since = \"0.2.0\"");
    project
        .recount(against)
        .says(1, &["released since 0.2.0 now"]);
    restore();

    let second = lock.rfind("\n[[event]]").unwrap();
    fs::write(project.path(LOCK), &lock[..second]).unwrap();
    project.recount(against).says(
        1,
        &["error[RC3009] workout.Scheduled v1: not in the lock any more, but released in `main`"],
    );
    restore();

    // Rewritten with digests that fit: as a draft again, and released anew.
    project.edit("src/lib.rs", "u16, // as planned", "u8,");
    let again = project
        .read(LOCK)
        .replace("status = \"released\"", "status = \"draft\"");
    fs::write(project.path(LOCK), again).unwrap();
    project
        .recount(&["accept"])
        .says(0, &["the draft was taken over"]);
    project
        .recount(&["release"])
        .says(0, &["workout.Scheduled v1: released in 0.3.0"]);
    project.recount(&["check"]).says(0, &[]);
    project.recount(against).says(
        1,
        &[
            "error[RC3008] workout.Scheduled v1: the contract was rewritten: [RC1011] .minutes",
            "to do: `git checkout main -- schema`, then `cargo recount schema accept workout.Scheduled`",
        ],
    );
    restore();

    project
        .recount(&["check", "--against", "nowhere"])
        .says(2, &["error[RC3029] there is no revision `nowhere`"]);
    project
        .recount(&["check", "--against=--all"])
        .says(2, &["RC3029"]);
    // Before the lock there was nothing that could be taken back.
    project
        .recount(&["check", "--against", "main~1"])
        .says(0, &["2 versions"]);
}

#[test]
fn after_a_merge_of_what_both_sides_accepted_the_words_of_check_lead_out() {
    let project = Project::released("damaged10");
    let (field, source) = ("pub minutes: u16, // as planned", "src/lib.rs");
    let accept = |name: &str| {
        project.edit(
            source,
            field,
            &format!("{field}\n    pub {name}: Option<String>,"),
        );
        project
            .recount(&["accept", "Scheduled"])
            .says(0, &["taken over from the code"]);
        project.commit();
    };
    project.git(&["checkout", "--quiet", "-b", "branch"]);
    accept("place");
    project.git(&["checkout", "--quiet", "main"]);
    accept("coach");
    project.git(&["checkout", "--quiet", "branch"]);
    // The code of both sides, with the lock of one.
    project.edit(
        source,
        "    pub place: Option<String>,",
        "    pub place: Option<String>,\n    pub coach: Option<String>,",
    );
    let against = ["check", "--against", "main"];
    project.recount(&against).says(
        1,
        &["to do: `git checkout main -- schema`, then `cargo recount schema accept workout.Scheduled`"],
    );
    project.git(&["checkout", "main", "--", "schema"]);
    project
        .recount(&["accept", "workout.Scheduled"])
        .says(0, &["taken over from the code"]);
    project.recount(&against).says(0, &["2 versions"]);
}

#[test]
fn in_ci_nothing_is_written() {
    let project = Project::released("damaged8");
    project.edit(
        "src/lib.rs",
        "pub struct Cancelled {}",
        "pub struct Cancelled {\n    pub reason: Option<String>,\n}",
    );
    // As in any repository, Cargo has nothing to write either.
    project
        .cargo(&["update", "--offline", "--workspace"])
        .says(0, &[]);
    project.commit();
    for command in [
        &["init"][..],
        &["accept"],
        &["accept", "Cancelled", "--reason", "x"],
        &["release"],
        &["retire", "Cancelled", "v1"],
        &["drop", "Cancelled", "v1"],
    ] {
        project
            .command(command, &[("CI", "true")])
            .says(2, &["error[RC3022]"]);
    }
    project
        .command(&["check"], &[("CI", "true")])
        .says(1, &["RC3007"]);
    project.git(&["diff", "--exit-code", "--quiet"]);
    assert_eq!(fs::read_dir(project.path("schema")).unwrap().count(), 3);
}

#[test]
fn a_job_that_builds_a_release_is_told_of_drafts_and_does_not_release_them() {
    let project = Project::new("damaged9");
    project.recount(&["init"]).says(0, &[]);
    project.recount(&["accept"]).says(0, &[]);
    let in_ci = |arguments: &[&str]| project.command(arguments, &[("CI", "true")]);
    in_ci(&["check", "--release"]).says(1, &["error[RC3006] workout.Scheduled v1"]);
    in_ci(&["release"]).says(2, &["run `cargo recount schema release` on your machine"]);
    project.recount(&["release"]).says(0, &[]);
    in_ci(&["check", "--release"]).says(0, &["2 versions of 1 lock checked"]);
}
