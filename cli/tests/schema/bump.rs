//! `bump` in sources as people have them.

use super::project::Project;

const MANIFEST: &str = r#"
[workspace]

[package]
name = "bump-NAME"
version = "0.3.0"
edition = "2024"
publish = false

[dependencies]
es = { package = "recount", path = "ROOT/runtime" }
serde = { version = "1", features = ["derive"] }
"#;

/// With the crate renamed, a stored name that is not the type's, a type that nobody describes, and two attributes.
const SOURCE: &str = r#"use es::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
#[id(crate = es)]
pub struct RouteId(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point(i32, i32);

pub mod events {
    use super::*;

    #[cfg(not(feature = "old"))]
    /// Where it leads.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(crate = es, name = "Routed", example = start)]
    #[event(formerly = "Led")]
    pub(crate) struct RouteChosen {
        #[event(opaque = "geo::Point@1")] // somebody else's
        pub from: Point,
        pub legs: Vec<(u32, u32)>,
    }

    fn start() -> RouteChosen { RouteChosen { from: Point(0, 0), legs: vec![] } }

    /// Without anything to say.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] #[event(crate = es)] pub struct Left {}
}

#[derive(Debug, Default, Clone, PartialEq, Aggregate)]
#[aggregate(crate = es, stream = "route", id = RouteId, locked)]
pub struct Route {
    legs: usize,
}

#[apply(crate = es)]
impl Route {
    fn chosen(&mut self, event: events::RouteChosen) { self.legs = event.legs.len(); }
    fn left(&mut self, _: events::Left) { self.legs = 0; }
}
"#;

fn released(name: &str, source: &str) -> Project {
    let manifest = MANIFEST.replace("NAME", name);
    let project = Project::of(&[("Cargo.toml", &manifest), ("src/lib.rs", source)]);
    for command in ["init", "accept", "release"] {
        project.recount(&[command]).says(0, &[]);
    }
    project.commit();
    project
}

#[test]
fn version_after_version_is_written_with_what_holds_on_and_with_the_files_own_ends_of_lines() {
    // As an editor on Windows writes it: with a mark at the beginning, too.
    let source = format!("\u{feff}{}", SOURCE.replace('\n', "\r\n"));
    let project = released("again", &source);
    project.recount(&["bump", "Routed"]).says(
        0,
        &["`RouteChosenV2`, version 2 of route.Routed, was written behind `RouteChosen`"],
    );
    let second = "\r\n\r\n    #[cfg(not(feature = \"old\"))]
    /// Where it leads.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(crate = es, name = \"Routed\", upcast_from = RouteChosen)]
    pub(crate) struct RouteChosenV2 {
        #[event(opaque = \"geo::Point@1\")] // somebody else's
        pub from: Point,
        pub legs: Vec<(u32, u32)>,
    }

    #[cfg(not(feature = \"old\"))]
    impl From<RouteChosen> for RouteChosenV2 {
        fn from(old: RouteChosen) -> Self {
            // TO DECIDE: what events that were stored as version 1 become. Equal fields are filled in.
            Self {
                from: old.from,
                legs: old.legs,
            }
        }
    }"
    .replace("\r\n", "\n")
    .replace('\n', "\r\n");
    let bumped = project.read("src/lib.rs");
    assert!(bumped.contains(&second), "{bumped}");
    assert_eq!(bumped.replacen(&second, "", 1), source);

    let taken = |from: &str, to: &str| {
        project.edit(
            "src/lib.rs",
            &format!("event: events::{from})"),
            &format!("event: events::{to})"),
        );
    };
    taken("RouteChosen", "RouteChosenV2");
    project
        .recount(&["accept"])
        .says(0, &["route.Routed v2: a new draft"]);
    // What is not released yet may change as it is.
    project
        .recount(&["bump", "RouteChosenV2"])
        .says(2, &["error[RC3024]", "is a draft"]);
    project
        .recount(&["release", "--version", "0.4.0"])
        .says(0, &["route.Routed v2: released in 0.4.0"]);
    project.test().says(0, &[]);

    // The second one has an attribute that says where it comes from.
    project.recount(&["bump", "RouteChosenV2"]).says(
        0,
        &[
            "`RouteChosenV3`, version 3 of route.Routed, was written behind `RouteChosenV2`",
            "in `#[apply] impl Route` take `RouteChosenV3` where `RouteChosenV2` is taken",
        ],
    );
    let bumped = project.read("src/lib.rs");
    let third = "    #[event(crate = es, name = \"Routed\", upcast_from = RouteChosenV2)]\r\n    pub(crate) struct RouteChosenV3 {\r\n";
    assert!(bumped.contains(third), "{bumped}");
    assert!(!bumped.replace("\r\n", "").contains('\n'), "{bumped:?}");
    taken("RouteChosenV2", "RouteChosenV3");
    project
        .recount(&["accept"])
        .says(0, &["route.Routed v3: a new draft"]);
    project
        .recount(&["release", "--version", "0.5.0"])
        .says(0, &["route.Routed v3: released in 0.5.0"]);
    project
        .recount(&["check", "--against", "main", "--release"])
        .says(0, &["4 versions of 1 lock"]);
    project.test().says(0, &[]);

    // One that stands on one line, and has nothing to hand on.
    project.recount(&["bump", "Left"]).says(0, &["`LeftV2`"]);
    let bumped = project.read("src/lib.rs");
    let left = "    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] #[event(crate = es, upcast_from = Left)] pub struct LeftV2 {}\r\n\r\n    impl From<Left> for LeftV2 {\r\n        fn from(_: Left) -> Self {";
    assert!(bumped.contains(left), "{bumped}");
    project.edit("src/lib.rs", "_: events::Left)", "_: events::LeftV2)");
    project
        .recount(&["accept"])
        .says(0, &["route.Left v2: a new draft"]);
}

#[test]
fn an_event_that_has_got_parameters_is_refused_with_the_words_of_the_compiler() {
    let project = Project::released("bump2");
    for (from, to, said) in [
        (
            "pub struct Cancelled {}",
            "pub struct Cancelled<T> { pub by: T }",
            "`Cancelled` is generic: all its forms would be stored under one name",
        ),
        (
            "pub struct Cancelled {}",
            "pub struct Cancelled<'a> { pub by: &'a str }",
            "`by` borrows: a stored event is read from bytes that are gone afterwards",
        ),
    ] {
        project.edit("src/lib.rs", from, to);
        let before = project.read("src/lib.rs");
        let ran = project.recount(&["bump", "Cancelled"]);
        ran.says(2, &["error[RC3020]", "do not compile", said]);
        // The library is built twice, for its tests and for those beside it.
        assert_eq!(ran.out.matches(said).count(), 1, "{}", ran.out);
        assert_eq!(project.read("src/lib.rs"), before);
        project.git(&["checkout", "--quiet", "src"]);
    }
}

const ENUM: &str = r#"use es::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
#[id(crate = es)]
pub struct JarId(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(crate = es)]
pub enum Change {
    Opened,
    #[event(formerly = "Added")]
    CoinAdded { cents: u32, #[serde(default)] by: Option<String> },
    #[event(name = "JarClosed")]
    Closed { left: u32 },
}

#[derive(Debug, Default, Clone, PartialEq, Aggregate)]
#[aggregate(crate = es, stream = "jar", id = JarId, locked)]
pub struct Jar {
    cents: u32,
}

#[apply(crate = es)]
impl Jar {
    fn happened(&mut self, event: Change) {
        match event {
            Change::Opened => {}
            Change::CoinAdded { cents, .. } => self.cents += u32::from(cents),
            Change::Closed { left } => self.cents = left,
        }
    }
}
"#;

#[test]
fn variants_are_locked_like_structs_and_become_structs_where_they_need_versions() {
    let project = released("jar", ENUM);
    project.recount(&["status"]).says(
        0,
        &[
            "jar.CoinAdded  v1       released  0.3.0  as in the code",
            "jar.JarClosed  v1",
            "jar.Opened     v1",
            "all is in order",
        ],
    );
    project.test().says(0, &[]);
    project.edit(
        "src/lib.rs",
        "CoinAdded { cents: u32,",
        "CoinAdded { cents: u8,",
    );
    project
        .recount(&["check"])
        .says(1, &["error[RC1011] jar.CoinAdded v1 .cents"]);
    project.test().says(
        101,
        &["[RC1011] `cents` of `CoinAdded` version 1 (released in 0.3.0)"],
    );
    project.git(&["checkout", "--quiet", "src"]);

    project.recount(&["bump", "CoinAdded"]).says(
        2,
        &[
            "error[RC3027] `CoinAdded` is a variant of `Change` with fields of its own",
            "write `CoinAdded(CoinAdded)` in the enum",
        ],
    );
    // What it says is done, and changes nothing.
    project.edit(
        "src/lib.rs",
        "    #[event(formerly = \"Added\")]\n    CoinAdded { cents: u32, #[serde(default)] by: Option<String> },\n",
        "    CoinAdded(CoinAdded),\n",
    );
    project.edit(
        "src/lib.rs",
        "#[derive(Debug, Default, Clone, PartialEq, Aggregate)]",
        "#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]\n#[event(crate = es, formerly = \"Added\")]\npub struct CoinAdded { cents: u32, #[serde(default)] by: Option<String> }\n\n#[derive(Debug, Default, Clone, PartialEq, Aggregate)]",
    );
    project.edit(
        "src/lib.rs",
        "Change::CoinAdded { cents, .. } => self.cents += u32::from(cents),",
        "Change::CoinAdded(event) => self.cents += event.cents,",
    );
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["3 versions of 1 lock"]);
    project
        .recount(&["bump", "CoinAdded"])
        .says(0, &["`CoinAddedV2`, version 2 of jar.CoinAdded"]);
    project.edit(
        "src/lib.rs",
        "CoinAdded(CoinAdded)",
        "CoinAdded(CoinAddedV2)",
    );
    project
        .recount(&["accept"])
        .says(0, &["jar.CoinAdded v2: a new draft"]);
    project
        .recount(&["check", "--against", "main"])
        .says(0, &["4 versions of 1 lock"]);
    project.test().says(0, &[]);
}

#[test]
fn value_objects_that_two_versions_share_are_named() {
    let project = Project::new("bump3");
    let derives = "#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]";
    let places = format!(
        "pub minutes: u16,\n    pub places: Vec<Place>,\n}}\n{derives}\npub struct Place {{ pub zip: String }}"
    );
    project.edit("src/lib.rs", "pub minutes: u16, // as planned\n}", &places);
    for command in ["init", "accept", "release"] {
        project.recount(&[command]).says(0, &[]);
    }
    project.edit("src/lib.rs", "pub zip: String", "pub zip: u32");
    project.recount(&["bump", "Scheduled"]).says(
        2,
        &[
            "`Scheduled` was changed already",
            "take back what changed in `Place`, or in a type within it, which all versions share",
        ],
    );
    project.edit("src/lib.rs", "pub zip: u32", "pub zip: String");
    project.recount(&["bump", "Scheduled"]).says(
        0,
        &["  2. both versions share what is in `places: Vec<Place>`: to change a value object, leave it as it is, and give `ScheduledV2` a copy"],
    );
}

#[test]
fn several_events_get_their_next_versions_at_once_or_none_does() {
    let project = Project::released("bump4");
    let before = project.read("src/lib.rs");
    let both = ["bump", "Scheduled", "workout.Cancelled", "Cancelled"];
    project.edit("src/lib.rs", "Cancelled {}", "Cancelled { pub by: String }");
    let changed = project.read("src/lib.rs");
    project
        .recount(&both)
        .says(2, &["`Cancelled` was changed already"]);
    assert_eq!(project.read("src/lib.rs"), changed);
    project.write("src/lib.rs", &before);

    let ran = project.recount(&both);
    ran.says(
        0,
        &[
            "`ScheduledV2`, version 2 of workout.Scheduled, was written behind `Scheduled`\n`CancelledV2`, version 2 of workout.Cancelled",
            "  7. cargo recount schema accept",
        ],
    );
    let bumped = project.read("src/lib.rs");
    for (step, stands) in [
        (
            "change what `ScheduledV2` holds",
            "/// A workout was put into the plan.",
        ),
        ("change what `CancelledV2` holds", "#[derive("),
        ("in `#[apply] impl Workout` take `ScheduledV2`", "#[apply]"),
        ("in `#[apply] impl Workout` take `CancelledV2`", "#[apply]"),
    ] {
        let line = ran.out.lines().find(|line| line.contains(step)).unwrap();
        let number = line.split("src/lib.rs:").nth(1).unwrap();
        let number: usize = number.split(':').next().unwrap().parse().unwrap();
        let found = bumped.lines().nth(number - 1).unwrap();
        assert!(found.starts_with(stands), "{line}\n{bumped}");
    }
    assert_eq!(bumped.matches("pub struct CancelledV2").count(), 1);
    for event in ["Scheduled", "Cancelled"] {
        project.edit(
            "src/lib.rs",
            &format!(": {event}) {{ self"),
            &format!(": {event}V2) {{ self"),
        );
    }
    project.recount(&["accept"]).says(
        0,
        &[
            "workout.Cancelled v2: a new draft",
            "workout.Scheduled v2: a new draft",
        ],
    );
    project.test().says(0, &[]);
}
