//! A package to work on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// A field of `Scheduled`, as the fixture has it.
pub const FIELD: &str = "pub minutes: u16, // as planned";

/// A package with an aggregate of two events, in a repository of its own.
pub struct Project(TempDir);

/// Files with their texts: what several packages begin with is built once.
type Files = Vec<(String, String)>;

/// What a command said.
pub struct Ran {
    pub code: i32,
    pub out: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            // Why nothing could be done is told apart.
            out: [&output.stdout, &output.stderr]
                .map(|out| String::from_utf8_lossy(out).into_owned())
                .concat(),
        }
    }

    /// Asserts the exit code, and that each text stands in what was said.
    #[track_caller]
    pub fn says(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{}", self.out);
        for text in texts {
            assert!(self.out.contains(text), "no {text:?} in:\n{}", self.out);
        }
    }
}

impl Project {
    /// The package as it was written, without a lock. Its name must be one of its own: what is built of packages of one name takes
    /// the same place, wherever they are.
    pub fn new(name: &str) -> Self {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema/fixture");
        let text = |file| fs::read_to_string(fixture.join(file)).unwrap();
        let manifest = text("Cargo.toml.txt").replace("NAME", name);
        Self::of(&[
            ("Cargo.toml", &manifest),
            ("src/lib.rs", &text("src/lib.rs")),
        ])
    }

    /// A project of these files; `ROOT` stands for the folder of the crates.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let project = Self(TempDir::new().unwrap());
        fs::copy(root.join("Cargo.lock"), project.path("Cargo.lock")).unwrap();
        for (file, text) in files {
            project.write(file, &text.replace("ROOT", root.to_str().unwrap()));
        }
        project.git(&["init", "--quiet", "--initial-branch=main"]);
        project.commit();
        project
    }

    /// The package with both events released in 0.3.0, and committed.
    pub fn released(name: &str) -> Self {
        static FILES: OnceLock<Files> = OnceLock::new();
        let files = FILES.get_or_init(|| {
            let project = Self::new("released");
            project.recount(&["init"]).says(0, &[]);
            project.recount(&["accept"]).says(0, &[]);
            project.recount(&["release"]).says(0, &[]);
            project.files()
        });
        let project = Self::new(name);
        project.take_over(files);
        project
    }

    /// Then with version 2 of `Scheduled`, released in 0.4.0, and committed.
    pub fn with_second(name: &str) -> Self {
        static FILES: OnceLock<Files> = OnceLock::new();
        let files = FILES.get_or_init(|| {
            let project = Self::released("second");
            project.recount(&["bump", "Scheduled"]).says(0, &[]);
            project.to_seconds();
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
            project.files()
        });
        let project = Self::released(name);
        project.take_over(files);
        project
    }

    /// The code and what was released of it.
    fn files(&self) -> Files {
        let mut files = vec![("src/lib.rs".to_owned(), self.read("src/lib.rs"))];
        let mut folders = vec!["schema".to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(self.path(&folder)).unwrap() {
                let entry = entry.unwrap();
                let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
                if entry.file_type().unwrap().is_dir() {
                    folders.push(path);
                } else {
                    files.push((path.clone(), self.read(&path)));
                }
            }
        }
        files
    }

    fn take_over(&self, files: &Files) {
        for (file, text) in files {
            self.write(file, text);
        }
        self.commit();
    }

    /// What a user does after `bump`.
    fn to_seconds(&self) {
        let text = self.read("src/lib.rs");
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
        self.write("src/lib.rs", &format!("{before}{after}"));
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    /// Writes a file, and makes its folder.
    pub fn write(&self, file: &str, text: &str) {
        let file = self.path(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Replaces a text that must be there.
    #[track_caller]
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "no {from:?} in:\n{text}");
        fs::write(self.path(file), text.replacen(from, to, 1)).unwrap();
    }

    pub fn git(&self, arguments: &[&str]) {
        let done = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    pub fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message=x"]);
    }

    /// `recount schema …`.
    pub fn recount(&self, arguments: &[&str]) -> Ran {
        self.command(arguments, &[])
    }

    pub fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recount"));
        command.args(["schema", "--offline"]).args(arguments);
        self.run(&mut command, variables)
    }

    /// `recount catalogue …`.
    pub fn catalogue(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recount"));
        command.args(["catalogue", "--offline"]).args(arguments);
        self.run(&mut command, &[])
    }

    /// The package's own tests, and what the compiler says of them.
    pub fn test(&self) -> Ran {
        self.cargo(&["test", "--offline", "--quiet", "--workspace"])
    }

    /// Cargo, and all that it says.
    pub fn cargo(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        self.run(command.args(arguments), &[])
    }

    fn run(&self, command: &mut Command, variables: &[(&str, &str)]) -> Ran {
        Ran::of(&self.output(command, variables))
    }

    pub fn output(&self, command: &mut Command, variables: &[(&str, &str)]) -> Output {
        // Next to what the tests themselves were built into, so that most is there already.
        let mut target = std::env::current_exe().unwrap();
        for _ in 0..3 {
            target.pop();
        }
        command
            .current_dir(self.0.path())
            .env_remove("CI")
            .env("CARGO_TARGET_DIR", target)
            .env("RUST_BACKTRACE", "0")
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// The envelope of a command.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let ran = self.recount(&[arguments, &["--format", "json"]].concat());
        (ran.code, serde_json::from_str(&ran.out).unwrap())
    }

    /// Puts events of the category `workout` into a SQLite store in the package's folder.
    pub fn store(&self, events: &[(&str, u32, Value)]) -> String {
        self.store_of("workout", events)
    }

    /// The same of any category.
    pub fn store_of(&self, category: &str, events: &[(&str, u32, Value)]) -> String {
        use recount::Store;
        use recount::log::{Expected, NewEvent, StreamId};
        let url = format!("sqlite:{}", self.path("plans.db").display());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = Store::connect(&url).await.unwrap();
            let acme = store.for_tenant("acme").unwrap();
            for (name, version, payload) in events {
                let event = NewEvent::json((*name).to_owned(), *version, payload).unwrap();
                let stream = StreamId::new(category, "w1").unwrap();
                acme.append(&stream, Expected::Any, [event]).await.unwrap();
            }
            store.close().await.unwrap();
        });
        url
    }
}
