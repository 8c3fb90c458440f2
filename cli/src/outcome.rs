//! What comes of a command, and how it is printed.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

use recount_schema::Level;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Format;
use crate::codes;

/// How serious it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Refused: the exit code is 1.
    Error,
    /// Worth knowing.
    Warning,
    /// What happened, or will.
    Note,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Deny => Self::Error,
            Level::Warn => Self::Warning,
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnostic {
    pub code: String,
    pub severity: Severity,
    /// The event's full name.
    pub event: Option<String>,
    pub version: Option<u32>,
    /// Where within the event: `.place.zip`.
    pub path: String,
    pub message: String,
    /// Whom it hits: `backward, forward`.
    pub breaks: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
    /// A payload that shows it.
    pub witness: Option<String>,
    /// Where it stands: a file, with the line perhaps.
    pub place: Option<String>,
    /// What to do.
    pub resolve: Option<String>,
}

impl Diagnostic {
    pub fn new(code: &str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            severity,
            event: None,
            version: None,
            path: String::new(),
            message: message.into(),
            breaks: None,
            before: None,
            after: None,
            witness: None,
            place: None,
            resolve: None,
        }
    }

    pub fn error(code: &str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message)
    }

    /// One of the tool's own.
    pub fn own(code: &str, message: impl Into<String>) -> Self {
        Self::new(code, codes::severity(code), message)
    }

    pub fn of(mut self, event: impl Into<String>, version: u32) -> Self {
        self.event = Some(event.into());
        self.version = Some(version);
        self
    }

    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    pub fn resolve(mut self, what: impl Into<String>) -> Self {
        self.resolve = Some(what.into());
        self
    }

    fn put(&self, style: Style, text: &mut String) -> std::fmt::Result {
        let (word, color) = match self.severity {
            Severity::Error => ("error", "1;31"),
            Severity::Warning => ("warning", "1;33"),
            Severity::Note => ("note", "1;36"),
        };
        let head = format!("{word}[{}]", self.code);
        write!(text, "{}", style.paint(color, &head))?;
        if let Some(event) = &self.event {
            write!(text, " {}", style.paint("1", event))?;
        }
        if let Some(version) = self.version {
            write!(text, " v{version}")?;
        }
        if !self.path.is_empty() {
            write!(text, " {}", self.path)?;
        }
        let is_named = self.event.is_some() || !self.path.is_empty();
        let behind = if is_named { ":" } else { "" };
        writeln!(text, "{behind} {}", self.message)?;
        for (label, value) in [
            ("at", &self.place),
            ("breaks", &self.breaks),
            ("payload", &self.witness),
            ("to do", &self.resolve),
        ] {
            if let Some(value) = value {
                let label = style.paint("2", &format!("{label:>9}:"));
                writeln!(text, "{label} {}", value.replace('\n', "\n           "))?;
            }
        }
        writeln!(text)
    }
}

/// What came of a command that could be run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For programs.
    pub data: Value,
    /// For people, before what was found.
    pub text: String,
    pub diagnostics: Vec<Diagnostic>,
    /// The next command, or a last word.
    pub then: String,
}

impl Outcome {
    /// Adds a line for people.
    pub fn say(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub fn has_errors(&self) -> bool {
        let mut all = self.diagnostics.iter();
        all.any(|one| one.severity == Severity::Error)
    }
}

/// Why a command could not be run.
#[derive(Debug)]
pub struct Failure(pub Box<Diagnostic>);

impl Failure {
    pub fn new(code: &str, message: impl Into<String>, resolve: impl Into<String>) -> Self {
        Diagnostic::error(code, message).resolve(resolve).into()
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(Box::new(diagnostic))
    }
}

pub type Result<T> = std::result::Result<T, Failure>;

#[derive(Clone, Copy)]
struct Style {
    colors: bool,
}

impl Style {
    fn paint(self, color: &str, text: &str) -> String {
        if self.colors {
            format!("\u{1b}[{color}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The version of the envelope.
const ENVELOPE: u32 = 1;

/// Prints an outcome; the exit code says what it is. Why nothing came of it is no part of what may go into a file.
pub fn print(outcome: Result<Outcome>, format: Format) -> ExitCode {
    let (status, code, outcome) = match outcome {
        Ok(outcome) if outcome.has_errors() => ("findings", 1, outcome),
        Ok(outcome) => ("ok", 0, outcome),
        Err(Failure(diagnostic)) => {
            let outcome = Outcome {
                diagnostics: vec![*diagnostic],
                ..Outcome::default()
            };
            ("failed", 2, outcome)
        }
    };
    let mut text = String::new();
    match format {
        Format::Json => {
            let envelope = json!({
                "version": ENVELOPE,
                "status": status,
                "data": outcome.data,
                "diagnostics": outcome.diagnostics,
            });
            text = format!("{envelope:#}\n");
        }
        Format::Text => {
            // Writing into a `String` does not fail.
            let _ = in_words(&outcome, &mut text);
        }
    }
    let mut out: Box<dyn std::io::Write> = match (format, code) {
        (Format::Text, 2) => Box::new(std::io::stderr()),
        _ => Box::new(std::io::stdout().lock()),
    };
    // A pipe that is closed has heard enough.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    ExitCode::from(code)
}

fn in_words(outcome: &Outcome, text: &mut String) -> std::fmt::Result {
    let style = Style {
        colors: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    text.push_str(&outcome.text);
    let mut diagnostics: Vec<_> = outcome.diagnostics.iter().collect();
    diagnostics.sort_by_key(|one| one.severity);
    if !outcome.text.is_empty() && !diagnostics.is_empty() {
        writeln!(text)?;
    }
    for diagnostic in &diagnostics {
        diagnostic.put(style, text)?;
    }
    let count = |severity| {
        diagnostics
            .iter()
            .filter(|one| one.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors + warnings > 1 {
        writeln!(
            text,
            "{}, {}; `cargo recount schema explain CODE` tells more",
            number(errors, "error"),
            number(warnings, "warning")
        )?;
    }
    if !outcome.then.is_empty() {
        writeln!(text, "{}", outcome.then)?;
    }
    Ok(())
}

/// `1 event`, `2 events`.
pub fn number(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
