//! The arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Event sourcing with Recount.
#[derive(Debug, Parser)]
#[command(name = "recount", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// What is stored of events: lock it, compare it, release it, retire it
    Schema(Schema),
    /// Write down what there is: commands, events, who emits and who handles them
    ///
    /// Events, aggregates, projections and reactions are asked of the code, as `schema` does; so they stand under a lock. Commands are
    /// plain methods, and found in the source: `pub fn`s in `impl` blocks of aggregates whose return type names an event, by itself or
    /// within `Result`, `Option`, `Vec`, `Box`, tuples and arrays. Without `self` one begins a stream. What a type alias or a macro
    /// hides is not found. Documentation comments are taken from the source, too.
    Catalogue(Catalogue),
}

#[derive(Debug, Args)]
pub struct Schema {
    #[command(flatten)]
    pub common: Common,
    /// How the outcome is written
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, Args)]
pub struct Catalogue {
    #[command(flatten)]
    pub common: Common,
    /// Only what is under the locks of this folder and of those below it
    pub dir: Option<PathBuf>,
    /// Where to write it; without it, to the terminal
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// In which form
    #[arg(long, value_enum, default_value_t = Form::Markdown)]
    pub format: Form,
    /// Write nothing, and say whether the file that `--out` names is what would be written
    #[arg(long)]
    pub check: bool,
}

/// The form of a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people, with diagrams that code hosts draw
    Markdown,
    /// JSON Schema of each event, draft 2020-12
    Jsonschema,
    /// `AsyncAPI` 3.0: a channel for each category, a message for each version
    Asyncapi,
}

/// What all commands take.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of cargo, handed through"
)]
pub struct Common {
    /// The Cargo.toml of the package or of the workspace
    #[arg(long, global = true, value_name = "PATH")]
    pub manifest_path: Option<PathBuf>,
    /// Only this package of the workspace
    #[arg(long, short, global = true, value_name = "NAME")]
    pub package: Option<String>,
    /// Features to build the package with
    #[arg(long, short = 'F', global = true, value_name = "FEATURES")]
    pub features: Vec<String>,
    /// Build the package with all of its features
    #[arg(long, global = true)]
    pub all_features: bool,
    /// Build the package without its default features
    #[arg(long, global = true)]
    pub no_default_features: bool,
    /// Leave Cargo.lock as it is
    #[arg(long, global = true)]
    pub locked: bool,
    /// Do without the network
    #[arg(long, global = true)]
    pub offline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Begin to lock the events of a package, or of a folder within it
    Init {
        /// The folder; without it, the package's
        dir: Option<PathBuf>,
    },
    /// Show all events, how far each version has come, and whether the code agrees
    Status,
    /// Show what changed, with payloads that show it
    Diff {
        /// Compare with a revision of git instead of the files as they are
        #[arg(long, value_name = "REV")]
        against: Option<String>,
    },
    /// Check that all that was released can be read, as before: for CI
    Check {
        /// Also check that nothing was taken back since a revision of git: `origin/main`
        #[arg(long, value_name = "REV")]
        against: Option<String>,
        /// Also check that no draft is left
        #[arg(long)]
        release: bool,
    },
    /// Take drafts over from the code; a released version only by its name, and with a reason where it breaks a rule
    Accept {
        /// The event: its stored name, with its category before a point where it has to be, or its type
        event: Option<String>,
        /// Why a change of a released version does no harm
        #[arg(long)]
        reason: Option<String>,
    },
    /// Write the next versions of events into the source
    Bump {
        /// The events, all at once: until the code takes the new versions it does not compile, and cannot be asked for others
        #[arg(required = true, value_name = "EVENT")]
        events: Vec<String>,
    },
    /// Release all drafts: what they are now is what will be read for ever
    Release {
        /// The release; without it, the package's version
        #[arg(long = "version", value_name = "VERSION")]
        release: Option<String>,
    },
    /// Read all events of a store through the code
    Scan {
        /// The store: `sqlite:PATH`, `postgres://…`
        #[arg(long, value_name = "URL")]
        store: String,
        /// Where to write what was found: evidence for `drop`
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Say that a version is not written any more
    Retire {
        /// The event
        event: String,
        /// The version: v1
        version: Option<VersionNumber>,
    },
    /// Say that a retired version is stored nowhere any more
    Drop {
        /// The event
        event: String,
        /// The version: v1
        version: Option<VersionNumber>,
        /// What `scan --out` wrote for the store in production, within the last day
        #[arg(long, value_name = "FILE")]
        evidence: Option<PathBuf>,
    },
    /// Say what a code means, why it matters, and what to do; or list all codes
    Explain {
        /// The code: RC1011
        code: Option<String>,
    },
    /// Write the shapes in a form that others understand
    Export {
        /// The form
        #[arg(long = "to", value_enum, default_value_t = Export::Jsonschema)]
        to: Export,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Export {
    /// JSON Schema, draft 2020-12
    Jsonschema,
}

/// `v1`, or `1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionNumber(pub u32);

impl std::str::FromStr for VersionNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix(['v', 'V']).unwrap_or(text);
        match number.parse() {
            Ok(number @ 1..) => Ok(Self(number)),
            _ => Err("a version is written as `v1`".to_owned()),
        }
    }
}
