//! What the literal statements of a block say of its tables, looked at before the database is.
//!
//! Texts that are put together elsewhere are not seen here; the runtime looks at those, at `TABLES` when the projection begins and at
//! others when an event asks for them.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use syn::LitStr;

use recount_schema::private::closest;

use crate::diag::Errors;

/// The literals of a block.
#[derive(Default)]
struct Literals {
    /// Those of `TABLES`.
    tables: Vec<LitStr>,
    /// `TABLES` also has something that is no literal.
    has_more: bool,
    /// The parameters that are a `&mut Sql`.
    sql: BTreeSet<String>,
    /// What `run` of something is given, with the name of that.
    run: Vec<(String, LitStr)>,
}

pub(super) fn check(this: &Ident, block: &TokenStream, errors: &mut Errors) {
    let mut literals = Literals::default();
    literals.find(block.clone());
    let Literals {
        tables,
        has_more,
        sql,
        run,
    } = literals;
    let mut made = BTreeSet::new();
    for table in &tables {
        let text = table.value();
        match object(&text) {
            Some(Object::Named(name)) => {
                made.insert(name);
            }
            Some(Object::Bare(name)) => {
                errors.at(
                    table,
                    format_args!("`{name}` stands without braces: the tables of the next version of `{this}` could not be built beside it"),
                    format_args!("write `{{{name}}}`"),
                );
                // Said once.
                made.insert(name);
            }
            None => {}
        }
    }
    if has_more || made.is_empty() {
        return;
    }
    let asked = run.iter().filter(|(of, _)| sql.contains(of));
    for statement in tables.iter().chain(asked.map(|(_, statement)| statement)) {
        names(this, &made, statement, errors);
    }
}

/// Looks at the names of one statement.
fn names(this: &Ident, made: &BTreeSet<String>, statement: &LitStr, errors: &mut Errors) {
    let text = statement.value();
    if let Some(name) = in_braces(&text).find(|name| !made.contains(*name)) {
        let known = made.iter().map(String::as_str);
        let help = match closest(name, known) {
            Some(near) => format!("did you mean `{{{near}}}`?"),
            None => format!("make it in `TABLES`: `\"CREATE TABLE {{{name}}} (…)\"`"),
        };
        errors.at(
            statement,
            format_args!("`TABLES` of `{this}` makes no `{{{name}}}`: the database would refuse this at the first event that asks for it"),
            help,
        );
    } else if let Some(name) = bare(&text).find(|name| made.contains(*name)) {
        errors.at(
            statement,
            format_args!("`{name}` stands without braces: that is what others read, and each version of `{this}` writes a table of its own"),
            format_args!("write `{{{name}}}`"),
        );
    }
}

impl Literals {
    fn find(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            let behind = tokens.get(at + 1..).unwrap_or_default();
            match token {
                TokenTree::Ident(name) if *name == "TABLES" => self.tables(behind),
                TokenTree::Ident(name) if is_sql(behind) => {
                    self.sql.insert(name.to_string());
                }
                TokenTree::Ident(name) => self.run(name, behind),
                TokenTree::Group(group) => self.find(group.stream()),
                _ => {}
            }
        }
    }

    /// Of `: &[&str] = &["…", "…"];`, if that is what follows.
    fn tables(&mut self, behind: &[TokenTree]) {
        let Some(equals) = behind.iter().position(|token| is_punct(token, '=')) else {
            return;
        };
        let value = behind.get(equals + 1..).unwrap_or_default();
        let [and, TokenTree::Group(list), end, ..] = value else {
            self.has_more = true;
            return;
        };
        if !is_punct(and, '&') || !is_punct(end, ';') || list.delimiter() != Delimiter::Bracket {
            self.has_more = true;
            return;
        }
        let items: Vec<TokenTree> = list.stream().into_iter().collect();
        for item in items.split(|token| is_punct(token, ',')) {
            match item {
                [] => {}
                [one] => match literal(one) {
                    Some(text) => self.tables.push(text),
                    None => self.has_more = true,
                },
                _ => self.has_more = true,
            }
        }
    }

    /// Of `sql.run("…", …)`.
    fn run(&mut self, name: &Ident, behind: &[TokenTree]) {
        if let [dot, TokenTree::Ident(run), TokenTree::Group(arguments), ..] = behind
            && is_punct(dot, '.')
            && *run == "run"
            && let Some(text) = first_argument(arguments)
        {
            self.run.push((name.to_string(), text));
        }
    }
}

fn first_argument(arguments: &Group) -> Option<LitStr> {
    let mut tokens = arguments.stream().into_iter();
    let text = literal(&tokens.next()?)?;
    tokens
        .next()
        .is_none_or(|token| is_punct(&token, ','))
        .then_some(text)
}

/// Whether a parameter's name is followed by `: &mut Sql`, by whatever path.
fn is_sql(behind: &[TokenTree]) -> bool {
    let [colon, and, TokenTree::Ident(mutable), path @ ..] = behind else {
        return false;
    };
    let is_path = |token: &&TokenTree| matches!(token, TokenTree::Ident(_)) || is_punct(token, ':');
    let last = path.iter().take_while(is_path).last();
    is_punct(colon, ':')
        && is_punct(and, '&')
        && *mutable == "mut"
        && matches!(last, Some(TokenTree::Ident(name)) if *name == "Sql")
}

fn is_punct(token: &TokenTree, punct: char) -> bool {
    matches!(token, TokenTree::Punct(it) if it.as_char() == punct)
}

/// A text, also one that a `macro_rules` was given.
fn literal(token: &TokenTree) -> Option<LitStr> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            syn::parse2(group.stream()).ok()
        }
        token => syn::parse2(token.clone().into()).ok(),
    }
}

/// What a statement makes.
enum Object {
    /// With its name in braces.
    Named(String),
    /// A table or an index whose name is in none.
    Bare(String),
}

/// What a `CREATE` makes, as the runtime sees it.
fn object(text: &str) -> Option<Object> {
    let is = |word: &str, others: &[&str]| others.iter().any(|it| word.eq_ignore_ascii_case(it));
    let mut words = text.split_ascii_whitespace();
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
            let name = parts.find(|part| !part.is_empty())?;
            Some(Object::Bare(name.to_owned()))
        }
        _ => {
            let name = in_braces(text).next()?;
            Some(Object::Named(name.to_owned()))
        }
    }
}

/// The names in braces: lower-case letters, digits and underscores, as the runtime reads them.
fn in_braces(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |name: &&str| {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = name.bytes().next().is_some_and(|it| !it.is_ascii_digit());
        begins && name.bytes().all(is_part)
    };
    let behind = text.split('{').skip(1);
    behind
        .filter_map(|part| part.split_once('}').map(|(name, _)| name))
        .filter(is_name)
}

/// The words that stand where a table does. A statement that begins with `WITH` may give a table's name to something else.
fn bare(text: &str) -> impl Iterator<Item = &str> {
    // Every other part of a text that is divided at quotes is a value.
    let plain = text.split('\'').step_by(2);
    let is_word = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '{' || it == '}';
    let words: Vec<&str> = plain
        .flat_map(|part| part.split(move |it| !is_word(it)))
        .filter(|word| !word.is_empty())
        .collect();
    let is = |word: &str, others: &[&str]| others.iter().any(|it| word.eq_ignore_ascii_case(it));
    let is_open = words.first().is_none_or(|word| !is(word, &["with"]));
    let before = ["into", "from", "join", "update"];
    let mut found = Vec::new();
    for (at, pair) in words.windows(2).enumerate().filter(|_| is_open) {
        let [word, name] = pair else { continue };
        let distinct = at
            .checked_sub(1)
            .and_then(|at| words.get(at))
            .is_some_and(|word| is(word, &["distinct"]));
        if is(word, &before) && !distinct {
            found.push(*name);
        }
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::{Object, bare, in_braces, object};

    fn made(text: &str) -> Option<Result<String, String>> {
        object(text).map(|object| match object {
            Object::Named(name) => Ok(name),
            Object::Bare(name) => Err(name),
        })
    }

    #[test]
    fn what_a_statement_makes_is_known_in_and_out_of_braces() {
        let named = |name: &str| Some(Ok(name.to_owned()));
        let without = |name: &str| Some(Err(name.to_owned()));
        assert_eq!(
            made("create table if not exists {board} (a)"),
            named("board")
        );
        assert_eq!(made("CREATE TABLE {board}(a text)"), named("board"));
        assert_eq!(
            made("CREATE UNIQUE INDEX {by_a} ON {board} (a)"),
            named("by_a")
        );
        assert_eq!(
            made("CREATE TRIGGER {t} AFTER INSERT ON {board}"),
            named("t")
        );
        assert_eq!(made("CREATE INDEX ON {board} (a)"), None);
        assert_eq!(made("INSERT INTO {board} VALUES (1)"), None);
        assert_eq!(made("CREATE TABLE board(a text)"), without("board"));
        assert_eq!(
            made("CREATE INDEX IF NOT EXISTS by_a ON {board} (a)"),
            without("by_a")
        );
        assert_eq!(made("CREATE TYPE mood AS ENUM ('{sad}')"), named("sad"));
        assert_eq!(made("CREATE"), None);
    }

    #[test]
    fn a_table_without_braces_is_a_word_that_stands_where_tables_do() {
        let all = |text| bare(text).collect::<Vec<_>>();
        assert_eq!(all("INSERT INTO board VALUES ('from x')"), ["board"]);
        assert_eq!(all("UPDATE {board} AS b SET a = b.board"), ["{board}"]);
        assert_eq!(all("DELETE FROM a USING c JOIN d"), ["a", "d"]);
        assert_eq!(all("SELECT a IS DISTINCT FROM board"), [""; 0]);
        assert_eq!(all("WITH board AS (SELECT 1) SELECT 1 FROM board"), [""; 0]);
        assert_eq!(
            in_braces("'{}', {a}, {B}, {1}, {b_2} {").collect::<Vec<_>>(),
            ["a", "b_2"]
        );
    }
}
