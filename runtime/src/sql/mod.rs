//! Tables that a projection keeps in the store's own database.
//!
//! A method does not write by itself: it says which [statements](Sql::run) are to run, and the store runs those of a whole page of
//! events in the transaction that saves the checkpoint. So each event counts exactly once, and a method needs no `await`.
//!
//! # Statements
//! The text is the database's own SQL, the same for SQLite and PostgreSQL as long as both understand it:
//! - `{name}` stands for a table or an index that the projection's `TABLES` make, since each version of a projection has its own; a name
//!   that nothing makes is refused, where it is a literal when the block is compiled;
//! - `$1`, `$2` and so on stand for the values.
//!
//! Statements run one after another, so one sees what those before it wrote. They change tables: one whose first word is not known to
//! leave transaction and session alone is refused, as `COMMIT`, `SET` or `PRAGMA` are, and so is one that would change the log.

mod batch;
mod row;
mod value;

use std::collections::HashMap;
use std::sync::Arc;

pub use batch::{Batch, Statement};
pub use row::{Row, RowError};
pub use value::{Params, Value};

use crate::log::Position;

/// The statements that a projection's methods ask for.
///
/// ```
/// use recount::sql::Sql;
///
/// let mut sql = Sql::new();
/// sql.run("UPDATE {board} SET title = $2 WHERE task = $1", ("t-1", "Paint the fence"));
/// let batch = sql.take();
/// let statement = batch.iter().next().unwrap();
/// assert_eq!(statement.text, "UPDATE board SET title = $2 WHERE task = $1");
/// assert_eq!(statement.values, ["t-1".into(), "Paint the fence".into()]);
/// ```
#[derive(Debug, Default)]
pub struct Sql {
    names: Names,
    batch: Batch,
    /// Where the text of a literal stands among the batch's. Two literals of one text are two, which costs nothing but a slot.
    known: HashMap<(usize, usize), Known>,
    position: Position,
    /// What there is to name in braces; none where it does not matter.
    made: Option<Vec<&'static str>>,
    refused: Option<Refused>,
}

/// A text that was asked for.
#[derive(Debug)]
struct Known {
    /// Where it stands among those of the batch.
    at: usize,
    /// Why it may not run, if it may not.
    why: Option<String>,
}

/// A statement that was asked for and may not run.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) position: Position,
    pub(crate) text: &'static str,
    pub(crate) why: String,
}

/// Why a statement is refused before the database sees it.
pub(crate) const NOT_ALLOWED: &str = "it does not read or write tables, or is about the transaction or the session, which are the store's: \
     leave it out";

impl Sql {
    /// Without any; each name stands for itself. A projection is given one; this is for tests of its methods.
    pub fn new() -> Self {
        Self::default()
    }

    /// For a projection that has these tables and indexes.
    pub(crate) fn of_projection(names: Names, made: Vec<&'static str>) -> Self {
        Self {
            names,
            made: Some(made),
            ..Self::default()
        }
    }

    /// Asks for a statement, with a value for each of its parameters: a tuple, or an array of [`Value`]s.
    pub fn run(&mut self, text: &'static str, values: impl Params) {
        let key = (text.as_ptr() as usize, text.len());
        if !self.known.contains_key(&key) {
            let why = self.why_not(text);
            let at = self.batch.add_text(self.names.filled_in(text).into());
            self.known.insert(key, Known { at, why });
        }
        let Some(Known { at, why }) = self.known.get(&key) else {
            return;
        };
        self.batch.push(self.position, *at, values);
        if let Some(why) = why {
            let (position, why) = (self.position, why.clone());
            self.refused.get_or_insert(Refused {
                position,
                text,
                why,
            });
        }
    }

    fn why_not(&self, text: &str) -> Option<String> {
        if is_the_stores(text) {
            return Some(NOT_ALLOWED.to_owned());
        }
        let made = self.made.as_ref()?;
        let unknown = names_in(text).find(|name| !made.contains(name));
        unknown.map(not_made)
    }

    /// A statement that was asked for and may not run.
    pub(crate) fn refused(&mut self) -> Option<Refused> {
        self.refused.take()
    }

    /// From here on statements belong to the event at this position.
    pub(crate) fn at(&mut self, position: Position) {
        self.position = position;
    }

    /// The statements so far, in their order; none are left.
    pub fn take(&mut self) -> Batch {
        self.batch.take()
    }

    /// How many statements there are.
    pub(crate) fn len(&self) -> usize {
        self.batch.len()
    }

    /// Forgets the statements behind so many.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.batch.truncate(len);
    }
}

/// What the names in a text's braces stand for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Stands before each, with a dot: where the tables are.
    pub(crate) schema: Option<Arc<str>>,
    /// Stands behind each.
    pub(crate) suffix: Arc<str>,
}

impl Names {
    /// A text with the real names.
    pub(crate) fn filled_in(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len() + 32);
        // PostgreSQL puts an index where its table is, and takes no other place.
        let mut unqualified = is_index(text);
        for part in parts(text) {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Name(name) => {
                    if let Some(schema) = self.schema.as_ref().filter(|_| !unqualified) {
                        filled.push_str(schema);
                        filled.push('.');
                    }
                    unqualified = false;
                    filled.push_str(&self.physical(name));
                }
            }
        }
        filled
    }

    /// The name of a table without where it is.
    pub(crate) fn physical(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }

    /// A name with where it is, and nothing behind it.
    pub(crate) fn shown(&self, name: &str) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{name}"),
            None => name.to_owned(),
        }
    }
}

/// Whether a statement is not for a projection to run: it is about the transaction or the session, which are the store's.
///
/// A database knows many ways to begin and to end them, so it is told by the first word which ones are known to do neither.
pub(crate) fn is_the_stores(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "alter", "analyze", "call", "comment", "create", "delete", "do", "drop", "grant", "insert",
        "lock", "merge", "notify", "refresh", "reindex", "replace", "revoke", "select", "truncate",
        "update", "values", "with",
    ];
    !is_one_of(text, WORDS)
}

/// Whether a statement asks for rows.
#[cfg(feature = "sqlite")]
pub(crate) fn is_query(text: &str) -> bool {
    is_one_of(text, &["select", "values", "with"])
}

/// Whether the first word of a statement is one of these.
fn is_one_of(text: &str, words: &[&str]) -> bool {
    let text = without_comments(text);
    let word = text.split(|it: char| !it.is_ascii_alphabetic()).next();
    word.is_some_and(|word| words.iter().any(|other| word.eq_ignore_ascii_case(other)))
}

/// A text from its first word on.
fn without_comments(text: &str) -> &str {
    let mut text = text.trim_start_matches(|it: char| it.is_ascii_whitespace() || it == '(');
    loop {
        let behind = if let Some(comment) = text.strip_prefix("--") {
            comment.split_once('\n').map(|(_, behind)| behind)
        } else if let Some(comment) = text.strip_prefix("/*") {
            behind_comment(comment)
        } else {
            return text;
        };
        text = behind.unwrap_or_default();
        text = text.trim_start_matches(|it: char| it.is_ascii_whitespace() || it == '(');
    }
}

/// What follows a comment, which PostgreSQL lets stand within another one.
fn behind_comment(mut text: &str) -> Option<&str> {
    let mut depth = 1_u32;
    while depth > 0 {
        let end = text.find("*/")?;
        let begin = text.find("/*").filter(|begin| *begin < end);
        depth = if begin.is_some() {
            depth + 1
        } else {
            depth - 1
        };
        text = text.get(begin.unwrap_or(end) + 2..)?;
    }
    Some(text)
}

/// The names in a text's braces.
pub(crate) fn names_in(text: &str) -> impl Iterator<Item = &str> {
    parts(text).filter_map(|part| match part {
        Part::Name(name) => Some(name),
        Part::Text(_) => None,
    })
}

/// What is said of a name in braces that nothing stands behind.
pub(crate) fn not_made(name: &str) -> String {
    format!("no statement of `TABLES` makes `{{{name}}}`")
}

/// What a statement makes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Made<'a> {
    /// With its name in braces.
    Named(&'a str),
    /// A table or an index whose name is in none.
    Bare(&'a str),
}

/// What a statement makes, if it is a `CREATE`.
pub(crate) fn made_by(text: &str) -> Option<Made<'_>> {
    let is = |word: &str, others: &[&str]| others.iter().any(|it| word.eq_ignore_ascii_case(it));
    let mut words = without_comments(text).split_ascii_whitespace();
    if !words.next()?.eq_ignore_ascii_case("create") {
        return None;
    }
    let is_kept = words.any(|word| is(word, &["table", "index"]));
    let mut words = words.skip_while(|word| is(word, &["if", "not", "exists", "concurrently"]));
    match words.next().filter(|_| is_kept) {
        // An index may go without a name, and is given one by the database.
        Some(word) if is(word, &["on"]) => None,
        Some(word) if !word.contains('{') => {
            let mut parts = word.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
            parts.find(|part| !part.is_empty()).map(Made::Bare)
        }
        _ => names_in(text).next().map(Made::Named),
    }
}

/// The name of the table that a statement makes, if it makes one.
pub(crate) fn table_made_by(text: &str) -> Option<&str> {
    let mut words = text.split_ascii_whitespace();
    let makes = words.next()?.eq_ignore_ascii_case("create")
        && words.any(|word| word.eq_ignore_ascii_case("table"));
    names_in(text).next().filter(|_| makes && !is_index(text))
}

fn is_index(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let creates = words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("create"));
    creates && words.take(2).any(|word| word.eq_ignore_ascii_case("index"))
}

enum Part<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// A text divided at the names in braces: lower-case letters, digits and underscores. Other braces are text.
fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, behind)) = rest.strip_prefix('{').and_then(|at| at.split_once('}'))
            && is_name(name)
        {
            rest = behind;
            return Some(Part::Name(name));
        }
        let skip = usize::from(rest.starts_with('{'));
        let end = rest.get(skip..).and_then(|rest| rest.find('{'));
        let (text, behind) = rest.split_at(end.map_or(rest.len(), |end| end + skip));
        rest = behind;
        Some(Part::Text(text))
    })
}

fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.bytes().all(is_part)
        && name
            .bytes()
            .next()
            .is_some_and(|byte| !byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            schema: Some("\"app\"".into()),
            suffix: "_1f".into(),
        }
    }

    #[test]
    fn names_in_braces_are_filled_in_and_other_braces_are_text() {
        let filled = names().filled_in("SELECT '{}', '{\"a\":1}' FROM {board} AS b, {a_2} {");
        assert_eq!(
            filled,
            "SELECT '{}', '{\"a\":1}' FROM \"app\".board_1f AS b, \"app\".a_2_1f {"
        );
        assert_eq!(Names::default().filled_in("{board}"), "board");
        assert_eq!(names().filled_in("{1a} {A} {é"), "{1a} {A} {é");
    }

    #[test]
    fn an_index_is_where_its_table_is() {
        let text = "CREATE UNIQUE INDEX {by_title} ON {board} (title)";
        let filled = "CREATE UNIQUE INDEX by_title_1f ON \"app\".board_1f (title)";
        assert_eq!(names().filled_in(text), filled);
    }

    #[test]
    fn a_table_is_told_by_the_statement_that_makes_it() {
        let made = |text| table_made_by(text);
        assert_eq!(
            made(" create table if not exists {board} (a)"),
            Some("board")
        );
        assert_eq!(made("CREATE INDEX {by_a} ON {board} (a)"), None);
        assert_eq!(made("INSERT INTO {board} VALUES (1)"), None);
    }

    #[test]
    fn what_a_statement_makes_is_known_in_and_out_of_braces() {
        let named = |name| Some(Made::Named(name));
        assert_eq!(
            made_by(" create table if not exists {board} (a)"),
            named("board")
        );
        assert_eq!(
            made_by("-- x\nCREATE TABLE {board}(a text)"),
            named("board")
        );
        assert_eq!(
            made_by("CREATE UNIQUE INDEX {by_a} ON {board} (a)"),
            named("by_a")
        );
        assert_eq!(
            made_by("CREATE TRIGGER {t} AFTER INSERT ON {board}"),
            named("t")
        );
        assert_eq!(made_by("CREATE INDEX ON {board} (a)"), None);
        assert_eq!(made_by("INSERT INTO {board} VALUES (1)"), None);
        assert_eq!(
            made_by("CREATE TABLE board(a text)"),
            Some(Made::Bare("board"))
        );
        assert_eq!(
            made_by("CREATE INDEX by_a ON {board} (a)"),
            Some(Made::Bare("by_a"))
        );
        assert_eq!(made_by("CREATE"), None);
    }

    #[test]
    fn a_name_that_nothing_stands_behind_is_refused_and_told() {
        let mut sql = Sql::of_projection(names(), vec!["board"]);
        sql.at(Position(3));
        sql.run("DELETE FROM {board}", ());
        sql.run("DELETE FROM {bord}", ());
        sql.run("DELETE FROM {board}", ());
        let refused = sql.refused().unwrap();
        assert_eq!(
            (refused.position, refused.text),
            (Position(3), "DELETE FROM {bord}")
        );
        assert_eq!(refused.why, "no statement of `TABLES` makes `{bord}`");
        assert!(sql.refused().is_none());
        // A test of a method need not say what there is.
        let mut sql = Sql::new();
        sql.run("DELETE FROM {bord}", ());
        assert!(sql.refused().is_none());
    }

    #[test]
    fn what_ends_the_transaction_is_known_behind_whatever_stands_before_it() {
        let texts = [
            "COMMIT",
            ";COMMIT",
            " /* x */ End",
            "/* /* */ */ COMMIT",
            "--\nABORT",
            "-- x",
            "",
            "/* x",
            "\u{feff}COMMIT",
            "PRAGMA x",
            "END",
        ];
        for text in texts {
            assert!(is_the_stores(text), "{text}");
        }
        let texts = [
            "insert into {a}",
            "-- x\n/* /* */ y */ (SELECT 1)",
            "WITH x AS (SELECT 1) DELETE FROM {a}",
        ];
        for text in texts {
            assert!(!is_the_stores(text), "{text}");
        }
    }

    #[test]
    fn each_statement_belongs_to_the_event_that_asked_for_it() {
        let mut sql = Sql::of_projection(names(), vec!["board"]);
        for position in [1, 2] {
            sql.at(Position(position));
            sql.run("DELETE FROM {board} WHERE n = $1", (position,));
        }
        let batch = sql.take();
        let told: Vec<_> = batch
            .iter()
            .map(|statement| (statement.position.0, statement.values))
            .collect();
        assert_eq!(
            told,
            [
                (1, &[Value::Integer(1)] as &[_]),
                (2, &[Value::Integer(2)] as &[_])
            ]
        );
        assert!(sql.take().is_empty());
        sql.run("DELETE FROM {board} WHERE n = $1", (3,));
        assert_eq!(sql.take().len(), 1);
    }
}
