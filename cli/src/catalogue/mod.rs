//! `recount catalogue`: what there is, written down for those who read no Rust.

mod async_api;
pub mod json_schema;
mod markdown;
mod mermaid;
mod model;
mod reader;
mod source;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::args::{Catalogue as Wanted, Form};
use crate::ask::io;
use crate::code::Site;
use crate::codes;
use crate::outcome::{Diagnostic, Failure, Outcome, Result};
use crate::project::Project;
use json_schema::{About, Definitions};
use model::{Catalogue, Event, Version};

/// Runs the command.
pub fn run(wanted: &Wanted) -> Result<Outcome> {
    if wanted.check && wanted.out.is_none() {
        return Err(Failure::new(
            codes::NOT_NOW,
            "`--check` looks at a file, and none is named",
            "name the file that was written: `cargo recount catalogue --out events.md --check`",
        ));
    }
    let mut project = Project::read(&wanted.common)?;
    let dir = wanted
        .dir
        .as_deref()
        .map(|dir| dir.canonicalize().map_err(|error| io(dir, &error)));
    let dir = dir.transpose()?;
    if let Some(dir) = &dir {
        // What is not asked for is not built.
        project
            .packages
            .retain(|package| package.locks().iter().any(|lock| is_in(lock, dir)));
        if project.packages.is_empty() {
            let shown = project.shown(dir);
            return Err(Failure::new(
                codes::NO_LOCK,
                format!("no lock was found in `{shown}`"),
                format!("cargo recount schema init {shown}"),
            ));
        }
    }
    let sites = Site::all(&wanted.common, &project, "describe")?;
    let is_wanted = |site: &Site<'_>| dir.as_ref().is_none_or(|dir| is_in(site.lock.dir(), dir));
    let catalogue = Catalogue::of(&project, &sites, &is_wanted)?;
    let text = match wanted.format {
        Form::Markdown => markdown::document(&catalogue),
        Form::Jsonschema => text(schemas(&catalogue)),
        Form::Asyncapi => text(async_api::document(&catalogue)),
    };
    let mut outcome = Outcome::default();
    let Some(out) = &wanted.out else {
        outcome.text = text;
        return Ok(outcome);
    };
    let shown = project.shown(out);
    let before = match fs::read_to_string(out) {
        // Git may have put other ends to its lines.
        Ok(before) => Some(before.replace("\r\n", "\n")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(io(out, &error)),
    };
    if before.as_deref() == Some(text.as_str()) {
        outcome.then = format!("{shown} is current");
    } else if wanted.check {
        outcome.diagnostics.push(
            Diagnostic::own(codes::NOT_CURRENT, difference(before.as_deref(), &text))
                .at(shown)
                .resolve("run the command without `--check`, and commit what it wrote"),
        );
    } else {
        if let Some(folder) = out.parent() {
            fs::create_dir_all(folder).map_err(|error| io(folder, &error))?;
        }
        fs::write(out, text).map_err(|error| io(out, &error))?;
        outcome.then = format!("{shown} was written");
    }
    Ok(outcome)
}

fn is_in(lock: &Path, dir: &Path) -> bool {
    lock.canonicalize().is_ok_and(|lock| lock.starts_with(dir))
}

/// The first line that is not as it should be.
fn difference(before: Option<&str>, now: &str) -> String {
    let Some(before) = before else {
        return "the file is not there".to_owned();
    };
    let mut at = 1;
    let (mut old, mut new) = (before.lines(), now.lines());
    loop {
        match (old.next(), new.next()) {
            (Some(old), Some(new)) if old == new => at += 1,
            (None, None) => return "the file ends otherwise".to_owned(),
            (old, new) => {
                let quoted = |line: Option<&str>| match line {
                    Some(line) => format!("`{}`", line.trim()),
                    None => "nothing".to_owned(),
                };
                return format!(
                    "from line {at} on: {} is there, {} should be",
                    quoted(old),
                    quoted(new)
                );
            }
        }
    }
}

/// The name of a version, in all forms.
fn version_name(event: &Event, version: &Version) -> String {
    format!("{}.v{}", event.full_name(), version.number)
}

/// JSON Schema of each version.
fn schemas(catalogue: &Catalogue) -> Value {
    let mut all = Definitions::new();
    for event in catalogue.events() {
        for version in &event.versions {
            if let Some(shape) = version.shape {
                let name = version_name(event, version);
                all.add(&name, &name, shape, &about(version));
            }
        }
    }
    let mut document = json_schema::document(all);
    document["title"] = format!("Events of {}", catalogue.title()).into();
    document["$comment"] = WRITTEN_BY.into();
    document
}

/// Stands in each file, for those who come across it.
const WRITTEN_BY: &str = "Written by `recount catalogue`: change the code, not this file.";

fn about(version: &Version) -> About {
    let fields = version.fields.iter();
    let fields = fields.filter(|field| !field.docs.is_empty());
    let fields: BTreeMap<_, _> = fields
        .map(|field| (field.key.clone(), markdown::plain(&field.docs)))
        .collect();
    About {
        description: markdown::plain(&version.docs),
        fields,
        is_old: version.is_old(),
    }
}

/// The text of a document: keys in order, whatever `serde_json` was built with.
fn text(mut document: Value) -> String {
    document.sort_all_objects();
    format!("{document:#}\n")
}
