//! Markdown, as code hosts show it.

use std::fmt::{self, Write as _};

use recount_schema::Shape;

use super::WRITTEN_BY;
use super::mermaid::flowchart;
use super::model::{
    Aggregate, Catalogue, Command, Event, Field, Follower, Home, Kind, Read, Version,
};
use super::source::How;
use super::words::{code, rows, words};
use crate::outcome::number;

pub fn document(all: &Catalogue) -> String {
    let mut text = String::new();
    // Writing into a `String` does not fail.
    let _ = write_all(all, &mut text);
    text
}

fn write_all(all: &Catalogue, text: &mut String) -> fmt::Result {
    writeln!(text, "<!-- {WRITTEN_BY} -->\n")?;
    writeln!(text, "# Events of {}\n", all.title())?;
    let versions = all.events().map(|event| event.versions.len()).sum();
    let count = |kind| all.followers.iter().filter(|one| one.kind == kind).count();
    writeln!(
        text,
        "{}, {} in {}, {}, {}.\n",
        number(all.aggregates.len(), "aggregate"),
        number(all.events().count(), "event"),
        number(versions, "version"),
        number(count(Kind::Projection), "projection"),
        number(count(Kind::Reaction), "reaction"),
    )?;
    for aggregate in &all.aggregates {
        let title = aggregate_title(aggregate);
        let docs = first(&aggregate.docs);
        writeln!(
            text,
            "- [{}](#{}){}",
            aggregate.ident,
            anchor(&title),
            dash(&docs)
        )?;
    }
    for (kind, title) in FOLLOWERS {
        if count(*kind) > 0 {
            writeln!(text, "- [{title}](#{})", anchor(title))?;
        }
    }
    writeln!(text, "\n## Overview\n\n{LEGEND}\n")?;
    text.push_str(&flowchart(all, None));
    for aggregate in &all.aggregates {
        write_aggregate(all, aggregate, text)?;
    }
    if !all.others.is_empty() {
        writeln!(text, "\n## Events of no aggregate")?;
        for event in &all.others {
            write_event(all, None, event, text)?;
        }
    }
    for (kind, title) in FOLLOWERS {
        let followers: Vec<_> = all
            .followers
            .iter()
            .filter(|one| one.kind == *kind)
            .collect();
        if followers.is_empty() {
            continue;
        }
        writeln!(text, "\n## {title}")?;
        for follower in followers {
            write_follower(all, follower, text)?;
        }
    }
    Ok(())
}

const FOLLOWERS: &[(Kind, &str)] = &[
    (Kind::Projection, "Projections"),
    (Kind::Reaction, "Reactions"),
];

const LEGEND: &str = "Commands make events; events change aggregates, projections and reactions handle them. A dotted line is an event that a command makes only sometimes. A command is a public method of an aggregate whose return type names events.";

fn aggregate_title(aggregate: &Aggregate) -> String {
    format!("Aggregate {}", aggregate.ident)
}

fn write_aggregate(all: &Catalogue, aggregate: &Aggregate, text: &mut String) -> fmt::Result {
    writeln!(text, "\n## {}\n", aggregate_title(aggregate))?;
    paragraph(&aggregate.docs, text)?;
    writeln!(
        text,
        "Its streams are of the category {}.",
        code(&aggregate.category)
    )?;
    if all.aggregates.len() > 1 {
        writeln!(text)?;
        text.push_str(&flowchart(all, Some(aggregate)));
    }
    if !aggregate.commands.is_empty() {
        writeln!(text, "\n### Commands of {}\n", aggregate.ident)?;
        writeln!(text, "| command | makes | |\n|---|---|---|")?;
        for command in &aggregate.commands {
            let docs = first(&command.docs);
            let mut notes: Vec<_> = Some(docs)
                .filter(|docs| !docs.is_empty())
                .into_iter()
                .collect();
            if command.creates {
                notes.push("begins a stream".to_owned());
            }
            row(
                text,
                &[
                    code(&format!(
                        "{}({})",
                        command.name,
                        command.parameters.join(", ")
                    )),
                    makes(command),
                    notes.join("; "),
                ],
            )?;
        }
    }
    for event in &aggregate.events {
        write_event(all, Some(aggregate), event, text)?;
    }
    Ok(())
}

fn makes(command: &Command) -> String {
    let events = command.emits.iter().map(|(name, how)| match how {
        How::One => code(name),
        How::Perhaps => format!("perhaps {}", code(name)),
        How::Several => format!("any number of {}", code(name)),
    });
    events.collect::<Vec<_>>().join(", ")
}

fn write_event(
    all: &Catalogue,
    aggregate: Option<&Aggregate>,
    event: &Event,
    text: &mut String,
) -> fmt::Result {
    writeln!(text, "\n### Event {}\n", event.full_name())?;
    if let Some(version) = event.newest() {
        paragraph(&version.docs, text)?;
    }
    let by = emitted(aggregate, event);
    if !by.is_empty() {
        writeln!(text, "- emitted by {}", by.join(", "))?;
    } else if aggregate.is_some() && !event.is_retired && event.becomes.is_empty() {
        writeln!(
            text,
            "- no command says in its return type that it emits it"
        )?;
    }
    let mut by: Vec<_> = aggregate
        .filter(|_| !event.is_retired && event.becomes.is_empty())
        .map(|of| format!("the aggregate {}", code(&of.ident)))
        .into_iter()
        .collect();
    for follower in &all.followers {
        if follower.handles.iter().any(|handled| event.is_in(handled)) {
            let kind = match follower.kind {
                Kind::Projection => "projection",
                Kind::Reaction => "reaction",
            };
            by.push(format!("the {kind} {}", code(&follower.name)));
        }
    }
    if !by.is_empty() {
        writeln!(text, "- handled by {}", by.join(", "))?;
    }
    if !event.becomes.is_empty() {
        let names: Vec<_> = event.becomes.iter().map(|name| code(name)).collect();
        writeln!(text, "- read as {}", names.join(" and "))?;
    }
    if event.is_retired {
        writeln!(text, "- retired: the aggregate passes over it")?;
    }
    writeln!(
        text,
        "\n| version | status | since | type | read |\n|---|---|---|---|---|"
    )?;
    for version in &event.versions {
        let (status, since) = match &version.locked {
            Some((status, since)) => (status.as_str(), since.clone().unwrap_or_default()),
            None => ("not locked", String::new()),
        };
        row(
            text,
            &[
                format!("v{}", version.number),
                status.to_owned(),
                since,
                version.ident.as_deref().map(code).unwrap_or_default(),
                read(event, version),
            ],
        )?;
    }
    for version in event.versions.iter().rev() {
        write_version(event, version, text)?;
    }
    Ok(())
}

fn emitted(aggregate: Option<&Aggregate>, event: &Event) -> Vec<String> {
    let commands = aggregate.iter().flat_map(|of| &of.commands);
    let makes = |command: &&Command| command.emits.iter().any(|(name, _)| *name == event.name);
    commands
        .filter(makes)
        .map(|command| code(&command.name))
        .collect()
}

fn read(event: &Event, version: &Version) -> String {
    match &version.read {
        Read::Newest if event.is_retired => "passed over".to_owned(),
        Read::Newest => "as it is".to_owned(),
        Read::Converted { to, from, into } => {
            format!(
                "as v{to}, through a conversion from {} to {}",
                code(from),
                code(into)
            )
        }
        Read::Step => "as a later version, through a step on its JSON".to_owned(),
        Read::Other => {
            let names: Vec<_> = event.becomes.iter().map(|name| code(name)).collect();
            format!("as {}", names.join(" and "))
        }
        Read::Not => "not by the code".to_owned(),
    }
}

fn write_version(event: &Event, version: &Version, text: &mut String) -> fmt::Result {
    // One version needs no heading of its own.
    if event.versions.len() > 1 {
        writeln!(text, "\n#### {} v{}", event.full_name(), version.number)?;
        let is_newest = event
            .newest()
            .is_some_and(|newest| newest.number == version.number);
        if !is_newest && !version.docs.is_empty() {
            writeln!(text)?;
            text.push_str(&plain(&version.docs));
            writeln!(text)?;
        }
    }
    match version.shape {
        None => writeln!(text, "\nNothing is known of its payload any more."),
        Some(Shape::Struct(of)) if of.fields.is_empty() => {
            writeln!(text, "\nIt has no fields.")
        }
        Some(Shape::Struct(of)) => {
            writeln!(text, "\n| field | JSON | Rust | |\n|---|---|---|---|")?;
            for place in rows(of) {
                let field = version
                    .fields
                    .iter()
                    .find(|one| Some(one.key.as_str()) == place.key);
                let docs = field.map_or_else(String::new, |field| plain(&field.docs));
                let docs = docs.trim_end_matches('.').to_owned();
                let notes = Some(docs).filter(|docs| !docs.is_empty());
                let notes: Vec<_> = notes.into_iter().chain(place.notes).collect();
                let rust = field.map_or("", |field: &Field| field.rust.as_str());
                let rust = if rust.is_empty() {
                    String::new()
                } else {
                    code(rust)
                };
                row(
                    text,
                    &[code(&place.path), place.words, rust, notes.join("; ")],
                )?;
            }
            Ok(())
        }
        Some(shape) => writeln!(text, "\nIts payload: {}.", words(shape)),
    }
}

fn write_follower(all: &Catalogue, follower: &Follower, text: &mut String) -> fmt::Result {
    writeln!(text, "\n### {}\n", follower.name)?;
    paragraph(&follower.docs, text)?;
    let home = match follower.home {
        Home::State => "keeps a state for reading",
        Home::Tables => "writes tables of the store's database",
        Home::Outside => "acts outside, through `async` methods",
    };
    writeln!(text, "{} {home}.\n", code(&follower.ident))?;
    writeln!(text, "| handles | in |\n|---|---|")?;
    for handled in &follower.handles {
        let known = all.events().find(|event| event.is_in(handled));
        let name = format!("{}.{}", handled.category, handled.event);
        let link = match known {
            Some(event) => {
                let title = format!("Event {}", event.full_name());
                format!("[{}](#{})", code(&name), anchor(&title))
            }
            None => code(&name),
        };
        row(text, &[link, code(&handled.method)])?;
    }
    Ok(())
}

fn row(text: &mut String, cells: &[String]) -> fmt::Result {
    for cell in cells {
        let cell = cell.replace('|', "\\|");
        let words: Vec<_> = cell.split_whitespace().collect();
        match words.as_slice() {
            [] => write!(text, "| ")?,
            _ => write!(text, "| {} ", words.join(" "))?,
        }
    }
    writeln!(text, "|")
}

fn paragraph(docs: &str, text: &mut String) -> fmt::Result {
    match docs {
        "" => Ok(()),
        docs => writeln!(text, "{}\n", plain(docs)),
    }
}

fn dash(docs: &str) -> String {
    match docs {
        "" => String::new(),
        docs => format!(": {docs}"),
    }
}

/// The first sentence.
fn first(docs: &str) -> String {
    let docs = plain(docs);
    let paragraph = docs.split("\n\n").next().unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.find(". ").unwrap_or(line.len());
    line.get(..end)
        .unwrap_or(&line)
        .trim_end_matches('.')
        .to_owned()
}

/// A documentation comment outside of Rust: links to items lead nowhere, headings would stand among those of the catalogue, and
/// examples are for programmers.
pub fn plain(docs: &str) -> String {
    let end = docs
        .lines()
        .position(|line| line.starts_with('#') || line.starts_with("```"));
    let lines: Vec<_> = docs.lines().take(end.unwrap_or(usize::MAX)).collect();
    let mut text = lines.join("\n");
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("[`")) {
        let start = from + at;
        let Some(len) = text.get(start..).and_then(|rest| rest.find("`]")) else {
            break;
        };
        let end = start + len + 2;
        let after = text.get(end..).and_then(|rest| rest.chars().next());
        // `[text](target)` is a link that somebody wrote out.
        if !matches!(after, Some('(' | '[')) {
            let inner = text.get(start + 1..end - 1).unwrap_or_default().to_owned();
            text.replace_range(start..end, &inner);
        }
        from = end - 2;
    }
    text.trim().to_owned()
}

/// The anchor of a heading, as GitHub and GitLab make it.
fn anchor(title: &str) -> String {
    let letters = title.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    });
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::{anchor, first, plain};

    #[test]
    fn documentation_loses_what_only_rust_knows() {
        let docs = "Read as [`PaidV2`]. See [the guide](https://x.y).\nMore.\n\nSecond.\n\n# Examples\n\n```\nx();\n```";
        assert_eq!(
            plain(docs),
            "Read as `PaidV2`. See [the guide](https://x.y).\nMore.\n\nSecond."
        );
        assert_eq!(first(docs), "Read as `PaidV2`");
        assert_eq!(plain("[`a`](b) and [`c"), "[`a`](b) and [`c");
    }

    #[test]
    fn anchors_are_those_of_code_hosts() {
        assert_eq!(anchor("Event account.PaidIn"), "event-accountpaidin");
    }
}
