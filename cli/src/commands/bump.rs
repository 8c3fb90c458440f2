//! `bump`: the next versions of events, written into the source.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use recount_schema::Shape;
use recount_schema::lock::Status;
use serde_json::json;
use syn::spanned::Spanned;
use syn::{Attribute, File, Item, ItemStruct, Meta};

use crate::args::Common;
use crate::ask::io;
use crate::code::{Aggregate, Event, Site, find, full_name};
use crate::codes;
use crate::outcome::{Failure, Outcome, Result, Severity};
use crate::project::Project;

pub fn run(common: &Common, words: &[String]) -> Result<Outcome> {
    let project = Project::read(common)?;
    let mut sites = Site::all(common, &project, "describe")?;
    let mut all: Vec<Next> = Vec::new();
    for word in words {
        let next = next(&project, &mut sites, word)?;
        let mut known = all.iter();
        if !known.any(|one| one.event.type_name == next.event.type_name) {
            all.push(next);
        }
    }
    write(&project, &mut all)?;
    let mut outcome = Outcome::default();
    let (mut data, mut steps) = (Vec::new(), Vec::new());
    for one in &all {
        let (event, ident) = (&one.event, &one.ident);
        let (full, version) = (event.full_name(), event.version() + 1);
        let file = project.shown(&one.file);
        let line = moved(&all, &one.file, one.end) + BEHIND;
        outcome.say(&format!(
            "`{ident}`, version {version} of {full}, was written behind `{}`",
            event.ident
        ));
        steps.push(format!(
            "{file}:{line}: change what `{ident}` holds, and say in `From` what stored events become"
        ));
        steps.extend(shared(event, ident));
        for of in &one.takers {
            let at = usize::try_from(of.line).unwrap_or_default();
            steps.push(format!(
                "{}:{}: in `#[apply] impl {}` take `{ident}` where `{}` is taken",
                of.file.display(),
                moved(&all, &project.workspace_root.join(&of.file), at),
                of.ident,
                event.ident
            ));
        }
        steps.push(format!(
            "record `{ident}` wherever `{}` is recorded; a command that still returns the old one does not compile where it is executed",
            event.ident
        ));
        data.push(json!({ "event": full, "version": version, "ident": ident, "file": file, "line": line }));
    }
    steps.push("cargo recount schema accept".to_owned());
    let numbered = (1..).zip(&steps);
    let numbered: Vec<_> = numbered
        .map(|(at, step)| format!("  {at}. {step}"))
        .collect();
    outcome.then = numbered.join("\n");
    outcome.data = json!({ "bumped": data, "steps": steps });
    Ok(outcome)
}

/// A version begins two lines behind the end of the one before.
const BEHIND: usize = 2;

/// A next version that is to be written.
struct Next {
    event: Event,
    ident: String,
    file: PathBuf,
    takers: Vec<Aggregate>,
    /// The last line of the version before, behind which it is written.
    end: usize,
    /// How many lines it has, with what goes with it.
    written: usize,
}

/// What is to be written for an event, if it may have a next version.
fn next(project: &Project, sites: &mut [Site<'_>], word: &str) -> Result<Next> {
    let (site, category, name) = find(sites, word)?;
    let category = category.as_deref();
    let full = full_name(category, &name);
    let Some(event) = site.newest(category, &name) else {
        return Err(refused(
            format!("the code has no {full}: there is nothing to write a next version of"),
            "bring its type back first",
        ));
    };
    is_ready(project, site, event)?;
    if let Some((ident, variant)) = event.ident.split_once("::") {
        return Err(refused(
            format!(
                "`{variant}` is a variant of `{ident}` with fields of its own, and only structs have versions"
            ),
            &format!(
                "give its fields to a struct `{variant}` that derives `Event`, and write `{variant}({variant})` in the enum: that changes \
                 nothing of what is stored; then `cargo recount schema bump {full}`"
            ),
        ));
    }
    Ok(Next {
        ident: next_ident(event),
        file: place(project, event)?,
        takers: takers(site, event).cloned().collect(),
        event: event.clone(),
        end: 0,
        written: 0,
    })
}

/// Writes all of them, or none.
fn write(project: &Project, all: &mut [Next]) -> Result<()> {
    let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
    // From the end of each file: what stands before is found at its line.
    let mut from_end: Vec<&mut Next> = all.iter_mut().collect();
    from_end.sort_by_key(|one| std::cmp::Reverse(one.event.line));
    for one in from_end {
        let file = &one.file;
        let text = match texts.remove(file) {
            Some(text) => text,
            None => fs::read_to_string(file).map_err(|error| io(file, &error))?,
        };
        let (bumped, line) = bumped(&text, &one.event, &one.ident).map_err(|problem| {
            refused(
                format!("{}: {problem}", project.shown(file)),
                "write the next version by hand: the guide `evolving_events` shows how",
            )
        })?;
        one.end = line.saturating_sub(BEHIND);
        one.written = bumped.lines().count() - text.lines().count();
        texts.insert(file.clone(), bumped);
    }
    for (file, text) in &texts {
        fs::write(file, text).map_err(|error| io(file, &error))?;
    }
    Ok(())
}

/// Where a line stands now: what is behind a new version has moved down.
fn moved(all: &[Next], file: &Path, line: usize) -> usize {
    let before = (all.iter()).filter(|one| one.file == file && line > one.end);
    line + before.map(|one| one.written).sum::<usize>()
}

fn refused(message: String, resolve: &str) -> Failure {
    Failure::new(codes::SOURCE, message, resolve)
}

/// The fields that hold value objects, as the source has them.
fn composed(event: &Event) -> Vec<(&str, &str)> {
    let fields = event.fields.iter();
    let named = fields.map(|(name, of)| (name.as_str(), of.as_str()));
    named
        .filter(|(name, _)| {
            let mut fields = match event.contract.shape {
                Shape::Struct(of) => of.fields.iter(),
                _ => [].iter(),
            };
            fields.any(|field| field.name == *name && is_composed(field.shape()))
        })
        .collect()
}

/// Whether something lies in it whose fields or variants have names.
fn is_composed(shape: &Shape) -> bool {
    match shape {
        Shape::Struct(_) | Shape::Enum(_) | Shape::Recursive { .. } => true,
        Shape::Option(inner) => is_composed(inner),
        Shape::Seq(seq) => is_composed(seq.item),
        Shape::Map(map) => is_composed(map.value),
        Shape::Tuple(places) => places.iter().any(|place| is_composed(place.shape)),
        _ => false,
    }
}

/// That both versions hold the same value objects.
fn shared(event: &Event, next: &str) -> Option<String> {
    let fields = composed(event);
    let named: Vec<_> = fields
        .iter()
        .map(|(name, of)| format!("`{name}: {of}`"))
        .collect();
    (!named.is_empty()).then(|| {
        format!(
            "both versions share what is in {}: to change a value object, leave it as it is, and give `{next}` a copy under another name",
            named.join(", ")
        )
    })
}

/// Only what is released has a next version, and only as it was released.
fn is_ready(project: &Project, site: &Site<'_>, event: &Event) -> Result<()> {
    let (category, version) = (event.category.as_deref(), event.version());
    let full = event.full_name();
    let listed = site.lock.version(category, event.name(), version);
    let status = listed.map(|listed| listed.status);
    if matches!(status, None | Some(Status::Draft)) {
        return Err(Failure::new(
            codes::NOT_NOW,
            format!("{full} v{version} is a draft: it may change as it is"),
            format!(
                "change `{}` itself, and then `cargo recount schema accept`; a next version begins once this one is released",
                event.ident
            ),
        ));
    }
    let contract = site
        .lock
        .contract(category, event.name(), version)
        .map_err(|error| super::failed(project, &error))?;
    let changes = contract.map(|contract| crate::judge::changes(site, event, &contract));
    let mut changes = changes.into_iter().flatten();
    if let Some(broken) = changes.find(|one| one.severity == Severity::Error) {
        return Err(Failure::new(
            codes::NOT_NOW,
            format!(
                "`{}` was changed already, and stored events of v{version} need it as it was",
                event.ident
            ),
            broken.resolve.unwrap_or_default(),
        ));
    }
    Ok(())
}

/// `Scheduled` -> `ScheduledV2` -> `ScheduledV3`.
fn next_ident(event: &Event) -> String {
    let suffix = format!("V{}", event.version());
    let stem = event.ident.strip_suffix(&suffix).unwrap_or(&event.ident);
    format!("{stem}V{}", event.version() + 1)
}

fn place(project: &Project, event: &Event) -> Result<PathBuf> {
    let file = project.workspace_root.join(&event.file);
    if file.exists() {
        return Ok(file);
    }
    Err(refused(
        format!("{} is not there", file.display()),
        "run the command where the source is",
    ))
}

fn takers<'s>(site: &'s Site<'_>, event: &Event) -> impl Iterator<Item = &'s Aggregate> {
    let type_name = event.type_name.clone();
    site.aggregates.iter().filter(move |of| {
        let mut events = of.events.iter();
        events.any(|listed| listed.type_name == type_name)
    })
}

/// The text with the next version behind the struct, byte by byte as before otherwise; and the line of the new one.
fn bumped(text: &str, event: &Event, next: &str) -> std::result::Result<(String, usize), String> {
    // The parser counts from behind it.
    let (mark, text) = match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    };
    let file: File = syn::parse_str(text).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    structs(&file.items, &event.ident, &mut found);
    let line = usize::try_from(event.line).unwrap_or_default();
    // The line is the one of the derive, or of the name; of several structs of one name it decides.
    let item = match found.as_slice() {
        [item] => *item,
        all => all
            .iter()
            .find(|item| {
                let span = item.span();
                (span.start().line..=span.end().line).contains(&line)
            })
            .ok_or_else(|| format!("no struct `{}` is written here as such", event.ident))?,
    };
    let start = byte_range(item.span()).start;
    let end = byte_range(item.span()).end;
    let (before, after) = (text.get(..end), text.get(end..));
    let (Some(before), Some(after)) = (before, after) else {
        return Err("the file is not what was parsed".to_owned());
    };
    let indent: String = before
        .get(..start)
        .and_then(|text| text.rsplit('\n').next())
        .unwrap_or_default()
        .chars()
        .take_while(|c| c.is_whitespace())
        .collect();
    let copy = copy(text, item, event, next, &indent).ok_or("the file is not what was parsed")?;
    let conversion = conversion(text, item, event, next, &indent);
    let end_of_line = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let new = format!("\n\n{indent}{copy}\n\n{conversion}").replace("\r\n", "\n");
    let new = new.replace('\n', end_of_line);
    let line = before.lines().count() + BEHIND;
    Ok((format!("{mark}{before}{new}{after}"), line))
}

fn structs<'a>(items: &'a [Item], ident: &str, found: &mut Vec<&'a ItemStruct>) {
    for item in items {
        match item {
            Item::Struct(item) if item.ident == ident => found.push(item),
            Item::Mod(inner) => {
                if let Some((_, items)) = &inner.content {
                    structs(items, ident, found);
                }
            }
            _ => {}
        }
    }
}

fn byte_range(span: proc_macro2::Span) -> Range<usize> {
    span.byte_range()
}

/// The struct's own text with the new name, and saying what it comes from.
fn copy(text: &str, item: &ItemStruct, event: &Event, next: &str, indent: &str) -> Option<String> {
    let whole = byte_range(item.span());
    let name = byte_range(item.ident.span());
    let is_event = |attribute: &&Attribute| attribute.path().is_ident("event");
    let attributes: Vec<_> = item.attrs.iter().filter(is_event).collect();
    let says = says(text, &attributes, event, next)?;
    let mut edits: Vec<(Range<usize>, String)> = vec![(name, next.to_owned())];
    let mut attributes = attributes.into_iter();
    if let Some(first) = attributes.next() {
        edits.push((byte_range(first.span()), says));
    } else {
        // Behind all attributes: what comes next is the visibility, or `struct`.
        let at = match &item.vis {
            syn::Visibility::Inherited => byte_range(item.struct_token.span()).start,
            visibility => byte_range(visibility.span()).start,
        };
        edits.push((at..at, format!("{says}\n{indent}")));
    }
    for other in attributes {
        let range = byte_range(other.span());
        // With the line that it stands on.
        let start = text.get(..range.start)?.trim_end().len();
        edits.push((start..range.end, String::new()));
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut copy = String::new();
    let mut at = whole.start;
    for (range, new) in edits {
        copy.push_str(text.get(at..range.start)?);
        copy.push_str(&new);
        at = range.end;
    }
    copy.push_str(text.get(at..whole.end)?);
    Some(copy)
}

/// What holds for the next version too: the other entries are about this one, its names and its conversion.
const KEPT: [&str; 3] = ["crate", "opaque", "shape"];

/// `#[event(upcast_from = …)]`, with what was said of the version before and holds on.
fn says(text: &str, attributes: &[&Attribute], event: &Event, next: &str) -> Option<String> {
    let mut entries = Vec::new();
    for attribute in attributes {
        let Meta::List(list) = &attribute.meta else {
            continue;
        };
        for entry in split(list.tokens.clone()) {
            let key = entry.first()?.to_string();
            if KEPT.contains(&key.as_str()) {
                let start = byte_range(entry.first()?.span()).start;
                let end = byte_range(entry.last()?.span()).end;
                entries.push(text.get(start..end)?.to_owned());
            }
        }
    }
    // Where the type's name does not say the stored one, both versions must.
    if !next_says(next, event) {
        entries.push(format!("name = {:?}", event.name()));
    }
    entries.push(format!("upcast_from = {}", event.ident));
    Some(format!("#[event({})]", entries.join(", ")))
}

/// Whether a type of this name is stored under the event's name.
fn next_says(next: &str, event: &Event) -> bool {
    next.strip_suffix(&format!("V{}", event.version() + 1)) == Some(event.name())
}

/// The entries of an attribute: commas between angle brackets are a type's.
fn split(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut entries = vec![Vec::new()];
    let (mut depth, mut before) = (0_usize, ' ');
    for token in tokens {
        let char = match &token {
            TokenTree::Punct(punct) => punct.as_char(),
            _ => ' ',
        };
        match char {
            '<' => depth += 1,
            // Not the end of `=>`.
            '>' if before != '=' => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = char;
        if char == ',' && depth == 0 {
            entries.push(Vec::new());
        } else if let Some(entry) = entries.last_mut() {
            entry.push(token);
        }
    }
    entries.retain(|entry| !entry.is_empty());
    entries
}

/// The conversion, filled in as far as the fields are the same: all of them, at first.
fn conversion(text: &str, item: &ItemStruct, event: &Event, next: &str, indent: &str) -> String {
    let old = &event.ident;
    let fields: Vec<String> = item
        .fields
        .iter()
        .filter_map(|field| field.ident.as_ref())
        .map(|name| format!("            {name}: old.{name},"))
        .collect();
    let parameter = if fields.is_empty() { "_" } else { "old" };
    let version = event.version();
    // Where the type is not, its conversion is not either.
    let conditions = item.attrs.iter().filter(|one| one.path().is_ident("cfg"));
    let conditions = conditions.filter_map(|one| text.get(byte_range(one.span())));
    let mut lines: Vec<_> = conditions.map(str::to_owned).collect();
    lines.extend([
        format!("impl From<{old}> for {next} {{"),
        format!("    fn from({parameter}: {old}) -> Self {{"),
        format!(
            "        // TO DECIDE: what events that were stored as version {version} become. Equal fields are filled in."
        ),
    ]);
    if fields.is_empty() {
        lines.push("        Self {}".to_owned());
    } else {
        lines.push("        Self {".to_owned());
        lines.extend(fields);
        lines.push("        }".to_owned());
    }
    lines.extend(["    }".to_owned(), "}".to_owned()]);
    let lines: Vec<_> = lines.iter().map(|line| format!("{indent}{line}")).collect();
    lines.join("\n")
}
