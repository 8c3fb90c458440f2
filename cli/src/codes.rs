//! The tool's own codes, beside those of the rules.

use recount_schema::{Guard, Level, Rule};

use crate::outcome::Severity;

/// A code that never changes its meaning.
pub struct Code {
    pub code: &'static str,
    pub weight: Weight,
    pub title: &'static str,
    pub explanation: &'static str,
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Nothing is done.
    Stops,
    /// An error where it is checked.
    Fails,
    Warns,
    Notes,
}

macro_rules! codes {
    ($($name:ident = $code:literal $weight:ident $title:literal: $explanation:literal;)*) => {
        $(pub const $name: &str = $code;)*

        /// The tool's own, in order.
        pub const OWN: &[Code] = &[
            $(Code { code: $code, weight: Weight::$weight, title: $title, explanation: $explanation }),*
        ];
    };
}

codes! {
    NO_LOCK = "RC3001" Stops "no lock was found":
        "Nothing is asked of a package whose events are not locked.\n\nRestore the folder `schema` from version control if there was one; else begin with `cargo recount schema init`.";
    LOCK_UNREADABLE = "RC3002" Stops "a file of the lock cannot be read":
        "It ends in the middle, holds the markers of a merge, was written by a newer release, or is no TOML or JSON. Nothing can be said of events as long as it is not mended.\n\nRestore the file from version control; after a merge keep the entries of both sides, each whole: with its own `[[event]]`, `category` and `name`, which the two sides may share in the conflict. Of a version that both sides changed, take the entry and the files of one side, that of the branch which the other is compared with, and run `cargo recount schema accept EVENT`.";
    NOT_LOCKED = "RC3003" Fails "an event of the code is not in the lock":
        "It is new. A draft may change as it likes; once it is released it may not.\n\n`cargo recount schema accept` takes it over as a draft.";
    DRAFT_CHANGED = "RC3004" Fails "a draft is not what the code says":
        "Drafts follow the code, which is taken over by `cargo recount schema accept`: so each change of what is stored is seen in review.";
    DRAFT_GONE = "RC3005" Fails "a draft is not in the code any more":
        "Nothing of it is stored anywhere that counts.\n\n`cargo recount schema accept` takes it out.";
    DRAFT_LEFT = "RC3006" Fails "a draft is left in a release":
        "What a release writes must be locked.\n\n`cargo recount schema release` releases all drafts.";
    GROWN = "RC3007" Fails "what a released version writes has changed":
        "The lock does not know what is written now, so a later change of it would go unnoticed. Whatever else is told of the event says whether stored payloads stay readable.\n\n`cargo recount schema accept EVENT` takes that over.";
    CHANGED_SINCE_BASE = "RC3008" Fails "what was released was changed":
        "Released contracts and samples are not taken back or rewritten: payloads of that form are in the store. They grow only by the rules, or with a reason in `[[accepted]]`.\n\nRestore the files and their entries in `lock.toml` from the base revision, and write the next version of the event. After a merge of two branches that both changed it, take all of `schema/` from the base revision, `git checkout main -- schema`, and run `cargo recount schema accept EVENT`.";
    GONE_SINCE_BASE = "RC3009" Fails "what was released is not in the lock any more":
        "The list of released versions only grows.\n\nRestore the lines from the base revision.";
    PASSED_OVER = "RC3010" Warns "the code passes over an event that the lock has as released":
        "`retired(\"…\")` on the aggregate skips its events when reading.\n\nSay so in the lock, too: `cargo recount schema retire EVENT vN`.";
    MAY_GO = "RC3011" Notes "nothing is read as this type any more":
        "The version that it is for was dropped: it is stored nowhere.\n\nThe type and its conversion may be deleted, with `upcast_from` on the type of the next version. They may also stay; how it converts does not matter any more.";
    NOTHING_RETIRED = "RC3012" Warns "`retired` names an event that the lock does not know":
        "A misspelt name passes over nothing.\n\nWrite the stored name as the lock has it. An event that was given up before there was a lock is not in it, and that is right.";
    CANNOT_BUILD = "RC3020" Stops "the code cannot be asked":
        "The events tell themselves what they are, in tests that the macros write; so the package's tests must compile.\n\nMend what the compiler says.";
    NO_ANSWER = "RC3021" Stops "the code did not answer":
        "No test of the macros was found, or it ended before it could answer.\n\nThe tool and the crate `recount` must be of one release, and the derives must be used.";
    IN_CI = "RC3022" Stops "nothing is written in CI":
        "What is released is decided by people and reviewed; `CI` is set here.\n\nRun the command on your machine, and commit what it wrote.";
    NO_EVENT = "RC3023" Stops "there is no such event":
        "Events are named by their stored name, `Scheduled`, with the category before a point where two have the same, `workout.Scheduled`, or by their type.";
    NOT_NOW = "RC3024" Stops "not in this state":
        "Versions go one way. `accept` makes a draft, `release` releases it, `retire` says that it is not written any more, `drop` that it is stored nowhere. A version that is released may also be called `deprecated`, by hand in lock.toml: a word for readers, which the catalogue shows.\n\n`cargo recount schema status` shows how far each version has come.";
    NO_EVIDENCE = "RC3025" Stops "there is no evidence that nothing is stored":
        "A version that is dropped cannot be read any more, so it must be stored nowhere. Only a scan of the store in production can tell, and only one of now.\n\nRun `cargo recount schema scan --store URL --out scan.json`, and give the file as `--evidence`.";
    UNREADABLE_EVENT = "RC3026" Fails "a stored event cannot be read":
        "The code fails at it as it would in production.\n\nMend the type or the conversion; the reason says what is wrong.";
    SOURCE = "RC3027" Stops "the source cannot be edited":
        "The item was not found where it should be, or is of a kind that has no next version.";
    STORE = "RC3028" Stops "the store cannot be read":
        "Nothing can be said of what it holds.";
    GIT = "RC3029" Stops "git cannot be asked":
        "What was released before is taken from a revision of git.";
    IO = "RC3030" Stops "a file cannot be read or written":
        "The operating system says why.";
    NOT_CURRENT = "RC3031" Fails "the catalogue is not current":
        "The file is not what the code and the lock say now.\n\nRun the command without `--check`, and commit what it wrote.";
    NOT_LOOKED_AT = "RC3032" Warns "streams that a scan did not look at":
        "The lock or the store has events of a category that no aggregate of the code has, and stored events are read by the aggregates.\n\nScan with a revision, or a program, that has the aggregate. Events that only other programs read are fine as they are. Once nothing is stored, `retire` and `drop` its versions.";
    APPLIED_NOW = "RC3033" Fails "an event that was released without an aggregate is applied by one now":
        "The lock has it without a category, as it was when no aggregate applied it, and released events are held by the category of their streams.\n\n`cargo recount schema accept` moves its entry and its files to that category; how far its versions have come stays.";
    NOT_APPLIED = "RC3034" Warns "an event is released that no aggregate applies":
        "No aggregate of the code has a method that takes it, so none reads what is stored of it, and the lock has it without a category.\n\nWrite the method, and run `cargo recount schema accept`. An event that only programs beside the aggregates read is fine as it is.";
    WRITTEN_AGAIN = "RC3035" Fails "a retired version is written again":
        "The lock says that no more of it will be stored, and the code has it as the newest version of its event. Versions go one way: what was retired does not become released again.\n\nWrite the next version, `cargo recount schema bump EVENT`, so that the retired one is only read. Or give the event up: delete its type and write `retired(\"…\")` on the aggregate.";
    TYPE_RENAMED = "RC3036" Fails "an aggregate's type has another name than in the lock":
        "What the type is called is free. But an aggregate is known by its type's name: as long as the lock has the old one, the new type could name other streams, and nobody would notice that those which are stored are not found.\n\n`cargo recount schema accept` writes the new name.";
}

fn own(code: &str) -> Option<&'static Code> {
    OWN.iter().find(|one| one.code.eq_ignore_ascii_case(code))
}

/// How serious one of the tool's own is.
pub fn severity(code: &str) -> Severity {
    match own(code).map(|one| one.weight) {
        Some(Weight::Warns) => Severity::Warning,
        Some(Weight::Notes) => Severity::Note,
        Some(Weight::Stops | Weight::Fails) | None => Severity::Error,
    }
}

/// What is told of a code.
pub struct Explained {
    pub code: &'static str,
    pub title: &'static str,
    pub explanation: &'static str,
    /// Who tells it, or how serious it is, in a word.
    pub word: &'static str,
    /// The same in a sentence.
    pub sentence: &'static str,
}

impl From<&Code> for Explained {
    fn from(of: &Code) -> Self {
        let (word, sentence) = match of.weight {
            Weight::Stops => ("stops", "The command does nothing then."),
            Weight::Fails => ("check", "It is an error where it is looked for."),
            Weight::Warns => ("warning", "It is a warning where it is looked for."),
            Weight::Notes => ("note", "Nobody has to do anything."),
        };
        Self {
            code: of.code,
            title: of.title,
            explanation: of.explanation,
            word,
            sentence,
        }
    }
}

impl From<Rule> for Explained {
    fn from(rule: Rule) -> Self {
        let (word, sentence) = match (rule.guard(), rule.level()) {
            (Guard::Compiler, _) => (
                "compiler",
                "Under a lock it does not compile, and no policy changes that.",
            ),
            (Guard::Tests, _) => ("tests", "Under a lock `cargo test` fails."),
            (Guard::Check, Level::Deny) => (
                "check",
                "`check` fails, unless [policy.rules] in lock.toml says something else.",
            ),
            (Guard::Check, Level::Warn) => (
                "warning",
                "`check` warns of it, unless [policy.rules] in lock.toml says something else.",
            ),
        };
        Self {
            code: rule.code(),
            title: rule.title(),
            explanation: rule.explanation(),
            word,
            sentence,
        }
    }
}

/// A code, however it is written: `RC1010`, `rc1010`, `1010`.
pub fn explain(code: &str) -> Option<Explained> {
    let code = &*code.to_uppercase();
    let code = &*format!("RC{}", code.strip_prefix("RC").unwrap_or(code));
    let rule = Rule::from_code(code).map(Explained::from);
    rule.or_else(|| own(code).map(Explained::from))
}

/// All that there are, in order.
pub fn all() -> impl Iterator<Item = Explained> {
    let rules = Rule::ALL.iter().map(|rule| Explained::from(*rule));
    rules.chain(OWN.iter().map(Explained::from))
}
