//! A package to work on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

pub struct Project(TempDir);

/// What a command said.
pub struct Ran {
    pub code: i32,
    pub out: String,
}

impl Ran {
    /// Asserts the exit code, and that each text stands in what was said.
    #[track_caller]
    pub fn says(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{}", self.out);
        for text in texts {
            assert!(self.out.contains(text), "no {text:?} in:\n{}", self.out);
        }
    }
}

/// The folder of these tests.
pub fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/catalogue")
}

impl Project {
    /// The package as it was written, without a lock. Its name must be one of its own: what is built of packages of one name takes
    /// the same place, wherever they are.
    pub fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let fixture = here().join("fixture");
        let project = Self(TempDir::new().unwrap());
        fs::create_dir(project.path("src")).unwrap();
        for file in fs::read_dir(fixture.join("src")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), project.path("src").join(file.file_name())).unwrap();
        }
        fs::copy(root.join("Cargo.lock"), project.path("Cargo.lock")).unwrap();
        let manifest = fs::read_to_string(fixture.join("Cargo.toml.txt")).unwrap();
        let manifest = manifest
            .replace("ROOT", root.to_str().unwrap())
            .replace("NAME", name);
        fs::write(project.path("Cargo.toml"), manifest).unwrap();
        project
    }

    /// The package with all of its events released.
    pub fn released(name: &str) -> Self {
        let project = Self::new(name);
        for command in ["init", "accept", "release"] {
            project.schema(&[command]).says(0, &[]);
        }
        project
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    /// Replaces a text that must be there.
    #[track_caller]
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "no {from:?} in:\n{text}");
        fs::write(self.path(file), text.replacen(from, to, 1)).unwrap();
    }

    /// `recount schema …`.
    pub fn schema(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["schema", "--offline"], arguments].concat())
    }

    /// `recount catalogue …`.
    pub fn catalogue(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["catalogue", "--offline"], arguments].concat())
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        // Next to what the tests themselves were built into, so that most is there already.
        let mut target = std::env::current_exe().unwrap();
        for _ in 0..3 {
            target.pop();
        }
        let output = Command::new(env!("CARGO_BIN_EXE_recount"))
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("CI")
            .env("CARGO_TARGET_DIR", target)
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap();
        Ran {
            code: output.status.code().unwrap(),
            // Why nothing could be written is told apart.
            out: String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
        }
    }
}
