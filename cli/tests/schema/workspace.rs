//! Several packages: those of a workspace, and those that one depends on.

use super::project::Project;

#[test]
fn in_a_workspace_each_package_has_a_lock_of_its_own() {
    let project = Project::new("root");
    for folder in ["other", "other/src"] {
        std::fs::create_dir(project.path(folder)).unwrap();
    }
    for file in ["src/lib.rs", "Cargo.toml"] {
        std::fs::copy(project.path(file), project.path(&format!("other/{file}"))).unwrap();
    }
    project.edit(
        "Cargo.toml",
        "[workspace]",
        "[workspace]\nmembers = [\"other\"]",
    );
    project.edit("other/Cargo.toml", "[workspace]\n", "");
    project.edit("other/Cargo.toml", "plans-root", "plans-other");
    // Who names neither a package nor a folder means the package around.
    project
        .recount(&["init"])
        .says(0, &["schema/lock.toml was made"]);
    project
        .recount(&["init", "other"])
        .says(0, &["other/schema/lock.toml was made", "below `other`"]);
    project
        .recount(&["accept", "--package", "plans-other"])
        .says(0, &["other/schema/lock.toml"]);
    assert!(!project.read("schema/lock.toml").contains("Scheduled"));
    project
        .recount(&["accept"])
        .says(0, &["written: schema/workout.Cancelled/v1.json"]);
    project.recount(&["accept", "Scheduled"]).says(
        2,
        &["name its package with --package: plans-other, plans-root"],
    );
    project.recount(&["accept", "Schedule"]).says(
        2,
        &[
            "there is no event `Schedule`",
            "workout.Cancelled, workout.Scheduled",
        ],
    );
    project
        .recount(&["status", "--package", "nobody"])
        .says(2, &["the workspace has no package `nobody`"]);
}

const MEMBER: &str = r#"
[package]
name = "NAME"
version = "0.3.0"
edition = "2024"
publish = false

[dependencies]
es = { package = "recount", path = "ROOT/runtime" }
serde = { version = "1", features = ["derive"] }
"#;

const VALUES: &str = r"//! Values without a lock of their own.

use es::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(crate = es)]
pub struct Address { pub street: String, pub zip: String }
";

const DOMAIN: &str = r#"use es::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
#[id(crate = es)]
pub struct ParcelId(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(crate = es)]
pub struct Sent { pub to: VALUES::Address }

#[derive(Debug, Default, Clone, PartialEq, Aggregate)]
#[aggregate(crate = es, stream = "parcel", id = ParcelId, locked)]
pub struct Parcel { sent: bool }

#[apply(crate = es)]
impl Parcel { fn sent(&mut self, _: Sent) { self.sent = true; } }

impl Parcel {
    /// Sends it.
    pub fn send(&self, to: VALUES::Address) -> Sent { Sent { to } }
}
"#;

const APP: &str = r#"use DOMAIN::{Parcel, Sent};
use es::prelude::*;

/// How many were sent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Board { pub sent: u64 }

#[projection(crate = es, name = "board", of(Parcel))]
impl Board { fn sent(&mut self, _: Sent) { self.sent += 1; } }

/// Thanks.
pub struct Thanks;

#[reaction(crate = es, name = "thanks", of(Parcel))]
impl Thanks { async fn sent(&self, _: Sent) -> Result<(), std::io::Error> { Ok(()) } }

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
#[id(crate = es)]
pub struct DayId(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(crate = es)]
pub struct DayClosed { pub sent: u64, pub last: Option<VALUES::Address> }

#[derive(Debug, Default, Clone, PartialEq, Aggregate)]
#[aggregate(crate = es, stream = "day", id = DayId, locked)]
pub struct Day { sent: u64 }

#[apply(crate = es)]
impl Day { fn closed(&mut self, event: DayClosed) { self.sent = event.sent; } }

fn main() { println!("{}", Board::default().sent); }
"#;

/// An application, a domain that it depends on, and values that the domain depends on. They are of one workspace, or three projects.
fn three(name: &str, workspace: bool) -> Project {
    let (values, domain, app) = (
        format!("values-{name}"),
        format!("domain-{name}"),
        format!("app-{name}"),
    );
    let own = if workspace { "" } else { "[workspace]\n" };
    let member = |name: &str, on: &[(&str, &str)]| {
        let on = on
            .iter()
            .map(|(name, folder)| format!("{name} = {{ path = \"../{folder}\" }}\n"));
        let on: String = on.collect();
        format!("{own}{}{on}", MEMBER.replace("NAME", name))
    };
    let code = |text: &str| {
        text.replace("VALUES", &values.replace('-', "_"))
            .replace("DOMAIN", &domain.replace('-', "_"))
    };
    let root = "[workspace]\nmembers = [\"values\", \"domain\", \"app\"]\nresolver = \"3\"\n";
    let lock =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
    let mut files = vec![
        ("values/Cargo.toml", member(&values, &[])),
        ("values/src/lib.rs", VALUES.to_owned()),
        ("domain/Cargo.toml", member(&domain, &[(&values, "values")])),
        ("domain/src/lib.rs", code(DOMAIN)),
        (
            "app/Cargo.toml",
            member(&app, &[(&values, "values"), (&domain, "domain")]),
        ),
        ("app/src/main.rs", code(APP)),
    ];
    if workspace {
        files.push(("Cargo.toml", root.to_owned()));
    } else {
        files.extend(
            ["values/Cargo.lock", "domain/Cargo.lock", "app/Cargo.lock"]
                .map(|file| (file, lock.clone())),
        );
    }
    let files: Vec<_> = files
        .iter()
        .map(|(file, text)| (*file, text.as_str()))
        .collect();
    Project::of(&files)
}

const ZIP: &str = "pub zip: String";

#[test]
fn in_a_workspace_all_locks_are_looked_at_and_values_of_any_crate_are_known() {
    let project = three("one", true);
    for folder in ["domain", "app"] {
        project
            .recount(&["init", folder])
            .says(0, &[&format!("{folder}/schema/lock.toml was made")]);
    }
    project.recount(&["accept"]).says(
        0,
        &[
            "parcel.Sent v1: a new draft",
            "day.DayClosed v1: a new draft",
        ],
    );
    project.recount(&["release"]).says(
        0,
        &[
            "parcel.Sent v1: released in 0.3.0",
            "day.DayClosed v1: released in 0.3.0",
        ],
    );
    project.commit();
    project
        .recount(&["check", "--against", "main", "--release"])
        .says(0, &["2 versions of 2 locks checked"]);
    project.test().says(0, &[]);

    project.catalogue(&[]).says(
        0,
        &[
            "# Events of app-one, domain-one",
            "2 aggregates, 2 events in 2 versions, 1 projection, 1 reaction.",
            "- emitted by `send`\n- handled by the aggregate `Parcel`, the projection `board`, the reaction `thanks`",
        ],
    );
    let domain = project.catalogue(&["domain"]);
    domain.says(0, &["# Events of domain-one", "1 aggregate, 1 event"]);
    assert!(!domain.out.contains("DayClosed"), "{}", domain.out);
    project.catalogue(&["values"]).says(
        2,
        &[
            "RC3001",
            "no lock was found in `values`",
            "cargo recount schema init values",
        ],
    );

    // A change of the value is seen wherever an event holds it, however deep.
    project.edit("values/src/lib.rs", ZIP, "pub zip: u32");
    project.recount(&["check"]).says(
        1,
        &[
            "error[RC1010] parcel.Sent v1 .to.zip",
            "error[RC1010] day.DayClosed v1 .last.zip",
            "at: domain/src/lib.rs:",
            "at: app/src/main.rs:",
        ],
    );
    project
        .recount(&["check", "--package", "app-one"])
        .says(1, &["error[RC1010] day.DayClosed v1 .last.zip"]);
    project.recount(&["bump", "Sent"]).says(
        2,
        &[
            "`Sent` was changed already",
            "take back what changed in `Address`",
        ],
    );
    project.git(&["checkout", "--quiet", "values"]);
    project
        .recount(&["bump", "Sent"])
        .says(0, &["domain/src/lib.rs:"]);
}

#[test]
fn a_domain_that_is_a_project_of_its_own_is_checked_with_it_and_its_change_is_not_passed_over() {
    let project = three("two", false);
    let released = |folder: &str| {
        let manifest = format!("{folder}/Cargo.toml");
        for command in ["init", "accept", "release"] {
            project
                .recount(&[command, "--manifest-path", &manifest])
                .says(0, &[]);
        }
    };
    released("domain");
    released("app");
    project.commit();
    let domain = &["check", "--manifest-path", "domain/Cargo.toml"];
    let app = &["check", "--manifest-path", "app/Cargo.toml"];
    project.recount(domain).says(0, &["1 version of 1 lock"]);
    project.recount(app).says(0, &["1 version of 1 lock"]);
    let catalogue = ["--manifest-path", "app/Cargo.toml"];
    project
        .catalogue(&catalogue)
        .says(0, &["# Events of app-two", "| `parcel.Sent` | `sent` |"]);

    // The application's own events stay as they were, so only the compiler says what is wrong.
    project.edit(
        "domain/src/lib.rs",
        "pub struct Sent {",
        "pub struct Sent { pub by: u8,",
    );
    project.edit("domain/src/lib.rs", "Sent { to }", "Sent { by: 1, to }");
    project
        .recount(domain)
        .says(1, &["error[RC1002] parcel.Sent v1 .by"]);
    project.recount(app).says(
        1,
        &[
            "error[RC3020] `app-two` does not compile, and not for this lock's sake",
            "[RC1002] `by` is required, but `Sent` version 1",
        ],
    );
}
