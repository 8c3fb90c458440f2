//! What `recount schema` asks, and the files in which it is answered.

use std::env;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::read;
use crate::event::Event;

/// What a test is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Verify,
    Describe,
    Check,
    Sample,
    Scan,
}

impl Mode {
    /// # Panics
    /// For a word that is not known.
    #[track_caller]
    pub fn of_environment() -> Self {
        let Some(word) = env::var_os("RECOUNT_SCHEMA") else {
            return Self::Verify;
        };
        match word.to_str() {
            Some("" | "verify") => Self::Verify,
            Some("describe") => Self::Describe,
            Some("check") => Self::Check,
            Some("sample") => Self::Sample,
            Some("scan") => Self::Scan,
            _ => panic!(
                "RECOUNT_SCHEMA={} is not known to this version of recount; the tool `recount` and the crate must be of one release",
                word.display()
            ),
        }
    }
}

/// The value of a variable that the tool sets together with the mode.
///
/// # Panics
/// When it is not there.
#[track_caller]
pub(super) fn variable(name: &str) -> String {
    match env::var(name) {
        Ok(value) => value,
        Err(error) => panic!("{name}: {error}; these tests are run by `cargo recount schema`"),
    }
}

/// What answers, which gives the file its name.
pub(super) struct Place<'a> {
    pub kind: &'a str,
    pub ident: &'a str,
    pub module: &'a str,
}

impl Place<'_> {
    /// Writes an answer: one file, which the tool reads when all tests have ended.
    ///
    /// # Panics
    /// When it cannot be written.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "it is what was just made")]
    pub fn write(&self, answer: Value) {
        let Self {
            kind,
            ident,
            module,
        } = self;
        let plain = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric(), ".");
        let name = format!(
            "{kind}-{}-{}-{}.json",
            plain(module),
            plain(ident),
            // A library and a program may have the same modules; each is a process of its own.
            std::process::id()
        );
        let file = PathBuf::from(variable("RECOUNT_SCHEMA_OUT")).join(name);
        if let Err(error) = fs::write(&file, answer.to_string()) {
            panic!("{}: {error}", file.display());
        }
    }
}

/// A payload, and which type is asked what it makes of it.
#[derive(Deserialize)]
struct Question {
    /// Module and name.
    of: String,
    name: String,
    version: u32,
    payload: Box<RawValue>,
}

/// What a type makes of the payloads in the file of questions that are meant for it.
///
/// # Panics
/// When there is no such file.
#[track_caller]
pub(super) fn answers<E: Event>(of: &str) -> Vec<Value> {
    let file = variable("RECOUNT_SCHEMA_IN");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) => panic!("{file}: {error}"),
    };
    let questions: Vec<Question> = match serde_json::from_str(&text) {
        Ok(questions) => questions,
        Err(error) => panic!("{file}: {error}"),
    };
    let mine = questions
        .iter()
        .enumerate()
        .filter(|(_, question)| question.of == of);
    mine.map(|(at, question)| {
        match read::read::<E>(&question.name, question.version, question.payload.get()) {
            Ok(events) => json!({
                "at": at,
                "read": read::expected_form(&question.name, &events),
                "written": events.iter().map(|event| &event.payload).collect::<Vec<_>>(),
            }),
            Err(error) => json!({ "at": at, "error": error }),
        }
    })
    .collect()
}
