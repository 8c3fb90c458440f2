//! Asking the code: its tests are built and run, and write what they have to say into a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args::Common;
use crate::codes;
use crate::outcome::{Failure, Result};
use crate::project::{Package, cargo};

/// The beginning of the names of the tests that the macros write.
const TESTS: &str = "__recount_schema_";

/// The test programs of a package, built.
pub struct Programs<'a> {
    package: &'a Package,
    all: Vec<PathBuf>,
    /// What the compiler says where the lock is obeyed, if it says that it does not compile so.
    pub refused: Option<String>,
}

/// What cargo says of what it built, or could not build.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    message: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    rendered: String,
}

fn messages(output: &Output) -> impl Iterator<Item = Message> {
    let lines = output.stdout.split(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok())
}

/// The compiler's errors, each once though it may be one of several programs; or else what cargo says.
fn errors(output: &Output) -> String {
    let mut errors: Vec<String> = Vec::new();
    for diagnostic in messages(output).filter_map(|message| message.message) {
        let text = diagnostic.rendered.trim().to_owned();
        // The last one only counts the others.
        let is_sum = text.starts_with("error: aborting due to");
        if diagnostic.level.starts_with("error") && !is_sum && !errors.contains(&text) {
            errors.push(text);
        }
    }
    if errors.is_empty() {
        String::from_utf8_lossy(&output.stderr).trim().to_owned()
    } else {
        errors.join("\n\n")
    }
}

/// What to do about the compiler's errors.
pub fn mend(said: &str) -> &'static str {
    // The shape of each is made of the other's, and the compiler only says that it goes round in a circle.
    let is_circle = |error: &str| error.contains("E0391") && error.contains("SHAPE");
    if said.split("\nerror").any(is_circle) {
        "mend what the compiler says;\ntwo value objects contain each other: write `#[value(recursive_with(Other))]` on each"
    } else {
        "mend what the compiler says"
    }
}

impl<'a> Programs<'a> {
    /// Builds them. Whatever the lock says is no error: the macros leave it to this tool.
    pub fn build(common: &Common, package: &'a Package) -> Result<Self> {
        let targets = package.targets();
        if targets.is_empty() {
            return Err(Failure::new(
                codes::NO_ANSWER,
                format!("the package `{}` has nothing that is tested", package.name),
                "events stand in the library, in programs, or in examples with `test = true`",
            ));
        }
        let mut output = Self::run(common, package, &targets, false)?;
        // The lock itself may be what the code does not compile for, and then it is asked what it is all the same. Not at once: code that
        // was built so must be built anew afterwards.
        let mut refused = None;
        if !output.status.success() {
            refused = Some(errors(&output));
            output = Self::run(common, package, &targets, true)?;
        }
        if !output.status.success() {
            let said = errors(&output);
            let message = format!(
                "the tests of `{}` do not compile:\n\n{said}\n",
                package.name
            );
            return Err(Failure::new(codes::CANNOT_BUILD, message, mend(&said)));
        }
        let all = messages(&output)
            .filter_map(|message| message.executable)
            .collect();
        Ok(Self {
            package,
            all,
            refused,
        })
    }

    /// Cargo, which builds; leniently or not.
    fn run(
        common: &Common,
        package: &Package,
        targets: &[String],
        lenient: bool,
    ) -> Result<Output> {
        let mut command = cargo(common, "test");
        command
            .args(["--no-run", "--message-format=json"])
            .args(["--quiet", "--package", &package.name])
            .args(targets)
            .stderr(Stdio::piped());
        if lenient {
            command.env("RECOUNT_SCHEMA_LENIENT", "1");
        }
        for features in &common.features {
            command.args(["--features", features]);
        }
        if common.all_features {
            command.arg("--all-features");
        }
        if common.no_default_features {
            command.arg("--no-default-features");
        }
        command.output().map_err(|error| {
            let message = format!("cargo cannot be run: {error}");
            Failure::new(codes::CANNOT_BUILD, message, "put cargo into the PATH")
        })
    }

    /// Asks all of them, and gives what they wrote.
    pub fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        variables: &[(&str, &str)],
    ) -> Result<Vec<T>> {
        let folder = Folder::new()?;
        for program in &self.all {
            let output = Command::new(program)
                .args([TESTS, "--quiet"])
                .current_dir(self.package.dir())
                .env("CARGO_MANIFEST_DIR", self.package.dir())
                .env("RECOUNT_SCHEMA", what)
                .env("RECOUNT_SCHEMA_OUT", &folder.0)
                .envs(variables.iter().copied())
                .stdin(Stdio::null())
                .output();
            let said = match output {
                Ok(output) if output.status.success() => continue,
                Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
                Err(error) => error.to_string(),
            };
            return Err(Failure::new(
                codes::NO_ANSWER,
                format!("{} did not answer:\n\n{said}\n", program.display()),
                "mend what it says",
            ));
        }
        folder.read()
    }
}

/// A folder of this call alone.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "recount-schema-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        // What a process of the same number left behind is none of ours.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|error| io(&path, &error))?;
        Ok(Self(path))
    }

    fn read<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        let entries = fs::read_dir(&self.0).map_err(|error| io(&self.0, &error))?;
        let mut files: Vec<_> = entries
            .filter_map(std::result::Result::ok)
            .map(|entry| entry.path())
            .collect();
        files.sort();
        files
            .iter()
            .map(|file| {
                let text = fs::read_to_string(file).map_err(|error| io(file, &error))?;
                serde_json::from_str(&text).map_err(|error| {
                    Failure::new(
                        codes::NO_ANSWER,
                        format!("the code answered something else than expected: {error}"),
                        "take the tool and the crate `recount` from one release",
                    )
                })
            })
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A payload, and the type that is asked what it makes of it.
pub struct Question<'a> {
    /// Module and name of the type.
    pub of: String,
    pub name: &'a str,
    pub version: u32,
    pub payload: &'a str,
}

/// What a type makes of a payload.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    at: usize,
    /// In the form in which samples expect it.
    pub read: Option<Value>,
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct Answers {
    answers: Vec<Answer>,
}

impl Programs<'_> {
    /// Asks what the code makes of payloads; the answers are in the order of the questions.
    pub fn what_of(&self, questions: &[Question<'_>]) -> Result<Vec<Answer>> {
        let text: Vec<_> = questions
            .iter()
            .map(|question| {
                let quoted = |text: &str| Value::from(text).to_string();
                // The payload is put in as it is: numbers of 128 bits would be lost in a `Value`.
                format!(
                    "{{\"of\":{},\"name\":{},\"version\":{},\"payload\":{}}}",
                    quoted(&question.of),
                    quoted(question.name),
                    question.version,
                    question.payload
                )
            })
            .collect();
        let folder = Folder::new()?;
        let file = folder.0.join("questions.json");
        fs::write(&file, format!("[{}]", text.join(","))).map_err(|error| io(&file, &error))?;
        let file = file.to_string_lossy();
        let all: Vec<Answers> = self.ask("sample", &[("RECOUNT_SCHEMA_IN", &file)])?;
        let mut answers: Vec<Option<Answer>> = vec![None; questions.len()];
        for answer in all.into_iter().flat_map(|all| all.answers) {
            if let Some(place) = answers.get_mut(answer.at) {
                *place = Some(answer);
            }
        }
        let answers: Option<Vec<_>> = answers.into_iter().collect();
        answers.ok_or_else(|| {
            Failure::new(
                codes::NO_ANSWER,
                "a type did not answer",
                "take the tool and the crate `recount` from one release",
            )
        })
    }
}

/// A file that cannot be read or written.
pub fn io(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        codes::IO,
        format!("{}: {error}", file.display()),
        "look at the path and its rights",
    )
}

#[cfg(test)]
mod tests {
    use super::mend;

    #[test]
    fn what_to_do_about_types_that_contain_each_other_is_said_of_no_other_circle() {
        let circle = "error[E0391]: cycle detected when evaluating `<Node as Shaped>::SHAPE`";
        let other = "error[E0391]: cycle detected when computing type of `A`";
        let unknown = "error[E0425]: cannot find value `SHAPE` in this scope";
        assert!(mend(circle).contains("recursive_with(Other)"));
        assert!(mend(&format!("{unknown}\n\n{circle}")).contains("recursive_with(Other)"));
        assert_eq!(
            mend(&format!("{other}\n\n{unknown}")),
            "mend what the compiler says"
        );
    }
}
