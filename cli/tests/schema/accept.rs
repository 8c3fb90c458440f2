//! What `accept` takes in: what the rules allow, and what they refuse, with a reason.

use recount_schema::lock::Lock;
use serde_json::json;

use super::project::{FIELD, Project};

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
    let hint = "cargo recount schema accept workout.Cancelled\n";
    project
        .recount(&["accept"])
        .says(0, &[hint, "nothing was taken over"]);
    project.recount(&["check"]).says(1, &[hint]);
    project
        .recount(&["accept", "Cancelled"])
        .says(0, &["workout.Cancelled v1: taken over from the code\n"]);
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
pub struct Place { pub zip: String, pub kind: Kind }
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub enum Kind { Indoor, Outdoor }
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
    let advice = "take back what changed in `Place`, or in a type within it, which all versions share; then copy it as `PlaceV2`, with \
                  each type on the way to the change, change the copies, and hold those in version 2 (if there is none yet: `";
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
    project.edit("src/lib.rs", "pub postcode", "pub zip");
    project.edit("src/lib.rs", "Outdoor }", "Outside }");
    project.recount(&["check"]).says(
        1,
        &[
            "error[RC1030] workout.Scheduled v1 .places[].kind<Outdoor>",
            "if it is Outside now: write `#[serde(rename = \"Outdoor\")]` above that",
        ],
    );
}

#[test]
fn a_change_of_all_fields_of_a_wide_event_is_accepted_at_once() {
    let project = Project::new("accept6");
    let fields: Vec<_> = (0..30)
        .map(|at| format!("    pub form_field{at}: u16,\n"))
        .collect();
    let fields = fields.concat();
    let of = |attribute: &str| format!("{attribute}pub struct Cancelled {{\n{fields}}}");
    project.edit("src/lib.rs", "pub struct Cancelled {}", &of(""));
    project.recount(&["init"]).says(0, &[]);
    project.recount(&["accept"]).says(0, &[]);
    project.recount(&["release"]).says(0, &[]);
    let camel = of("#[serde(rename_all = \"camelCase\")]\n");
    project.edit("src/lib.rs", &of(""), &camel);
    project.recount(&["check"]).says(1, &["60 errors"]);
    project
        .recount(&["accept", "Cancelled", "--reason", "never deployed"])
        .says(0, &["60 broken rules accepted"]);
    project.recount(&["check"]).says(0, &["60 broken rules"]);
    project.test().says(0, &[]);
}

#[test]
fn what_a_default_stands_for_is_frozen_by_the_release_and_by_accepting_the_field() {
    let project = Project::new("defaults");
    let defaults = "fn five() -> u8 { 5 }\nfn none() -> u8 { 0 }\n";
    let source = project.read("src/lib.rs") + defaults;
    project.write("src/lib.rs", &source);
    project.edit(
        "src/lib.rs",
        FIELD,
        "pub minutes: u16,\n    #[serde(default = \"five\")]\n    pub rest: u8,",
    );
    project.edit(
        "src/lib.rs",
        "Cancelled {}",
        "Cancelled { pub reason: String }",
    );
    project.recount(&["init"]).says(0, &[]);
    project.recount(&["accept"]).says(0, &[]);
    project.recount(&["release"]).says(0, &[]);
    project.commit();
    project.test().says(0, &[]);
    // The release has a payload without the field.
    project.edit("src/lib.rs", "{ 5 }", "{ 6 }");
    project.test().says(
        101,
        &[
            "[RC2001] Scheduled v1 `.rest`: a stored payload was read as 5, and is read as 6 now",
            "payload: {\"minutes\":0,\"title\":\"\"}",
        ],
    );
    project.edit("src/lib.rs", "{ 6 }", "{ 5 }");

    // A field that came later was in no payload of the release.
    project.edit(
        "src/lib.rs",
        "pub reason: String",
        "pub reason: String,\n    #[serde(default = \"none\")]\n    pub level: u8,\n",
    );
    project.test().says(0, &[]);
    project
        .recount(&["accept", "Cancelled"])
        .says(0, &["workout.Cancelled v1: taken over from the code\n"]);
    let samples = project.read("schema/workout.Cancelled/v1.samples.jsonl");
    let oldest = "{\"payload\":{\"reason\":\"\"},\"expect\":{\"1\":{\"level\":0,\"reason\":\"\"}}";
    assert!(samples.starts_with(oldest), "{samples}");
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["2 versions"]);
    project.test().says(0, &[]);
    project.edit("src/lib.rs", "{ 0 }", "{ 7 }");
    project.test().says(
        101,
        &["[RC2001] Cancelled v1 `.level`: a stored payload was read as 0, and is read as 7 now"],
    );
    project.edit("src/lib.rs", "{ 7 }", "{ 0 }");

    // What is frozen may gain, and not become something else, with digests that fit either.
    project.commit();
    let mut lock = Lock::read(&project.path("schema")).unwrap().unwrap();
    let of = (Some("workout"), "Cancelled", 1);
    let mut samples = lock.samples(of.0, of.1, of.2).unwrap();
    samples[0].expect.get_mut(&1).unwrap()["level"] = json!(7);
    lock.set_samples(of.0, of.1, of.2, &samples);
    lock.write().unwrap();
    project.recount(&["check", "--against", "main"]).says(
        1,
        &["error[RC3008] workout.Cancelled v1: sample 1 was rewritten or removed"],
    );
}
