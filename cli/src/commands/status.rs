//! `status`: all events, and how far each version has come.

use recount_schema::lock::Status;
use serde_json::{Value, json};

use crate::args::Common;
use crate::code::{Site, full_name};
use crate::grown::grown;
use crate::judge::{Strict, judge, versions};
use crate::outcome::{Outcome, Result, Severity, number};
use crate::project::Project;

pub fn run(common: &Common) -> Result<Outcome> {
    let project = Project::read(common)?;
    let sites = Site::all(common, &project, "check")?;
    let mut outcome = Outcome::default();
    let mut data = Vec::new();
    for site in &sites {
        let diagnostics = judge(&project, site, Strict::Working);
        let rows = rows(&project, site, &|name: &str, version: u32| {
            diagnostics.iter().any(|one| {
                one.severity == Severity::Error
                    && one.event.as_deref() == Some(name)
                    && one.version == Some(version)
            })
        });
        outcome.say(&project.shown(&site.lock.dir().join("lock.toml")));
        outcome.text.push_str(&table(&rows));
        data.push(json!({
            "lock": site.lock.dir(),
            "package": site.package.name,
            "events": rows.iter().map(Row::data).collect::<Vec<_>>(),
        }));
        outcome.diagnostics.extend(diagnostics);
    }
    super::check::dedup(&mut outcome.diagnostics);
    outcome.data = json!({ "locks": data });
    let is_draft = |row: &Value| row["status"] == "draft";
    let drafts = data
        .iter()
        .filter_map(|lock| lock["events"].as_array())
        .flatten()
        .filter(|row| is_draft(row))
        .count();
    if outcome.diagnostics.is_empty() {
        outcome.then = match drafts {
            0 => "all is in order".to_owned(),
            _ => format!(
                "all is in order; {}: `cargo recount schema release` when they go into production",
                number(drafts, "draft")
            ),
        };
    }
    Ok(outcome)
}

struct Row {
    event: String,
    version: u32,
    status: &'static str,
    since: String,
    state: &'static str,
    samples: usize,
    place: String,
}

impl Row {
    fn data(&self) -> Value {
        json!({
            "event": self.event, "version": self.version, "status": self.status, "since": self.since,
            "state": self.state, "samples": self.samples, "place": self.place,
        })
    }
}

fn rows(project: &Project, site: &Site<'_>, is_broken: &dyn Fn(&str, u32) -> bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for ((category, name), versions) in versions(site) {
        let category = category.as_deref();
        for version in versions {
            let listed = site.lock.version(category, &name, version);
            let event = site.event(category, &name, version);
            let full = full_name(category, &name);
            let reader = event.or_else(|| site.reader(category, &name, version));
            let state = match (listed, event) {
                _ if is_broken(&full, version) => "broken",
                (None, _) => "new",
                (Some(_), None) => match reader {
                    Some(now) if now.name() != name => "read under another name",
                    Some(_) => "read as a later version",
                    None => "not in the code",
                },
                (Some(listed), Some(event)) if listed.status == Status::Draft => {
                    if listed.digest == event.contract.digest() {
                        "as in the code"
                    } else {
                        "changed"
                    }
                }
                (Some(listed), Some(event)) => {
                    let contract = site.lock.contract(category, &name, version).ok().flatten();
                    match contract {
                        _ if listed.digest == event.contract.digest() => "as in the code",
                        Some(contract)
                            if grown(&contract, &event.contract).digest() == contract.digest() =>
                        {
                            "as in the code"
                        }
                        _ => "changed",
                    }
                }
            };
            let samples = site.lock.samples(category, &name, version);
            rows.push(Row {
                event: full,
                version,
                status: listed.map_or("-", |listed| listed.status.as_str()),
                since: listed
                    .and_then(|listed| listed.since.clone())
                    .unwrap_or_default(),
                state,
                samples: samples.map_or(0, |samples| samples.len()),
                place: reader.map_or_else(String::new, |event| {
                    let file = project.workspace_root.join(&event.file);
                    format!("{}:{}", project.shown(&file), event.line)
                }),
            });
        }
    }
    rows
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "  no events yet\n".to_owned();
    }
    let mut lines = vec![
        [
            "event", "version", "status", "since", "code", "samples", "source",
        ]
        .map(str::to_owned),
    ];
    lines.extend(rows.iter().map(|row| {
        [
            row.event.clone(),
            format!("v{}", row.version),
            row.status.to_owned(),
            row.since.clone(),
            row.state.to_owned(),
            match row.samples {
                0 => String::new(),
                samples => samples.to_string(),
            },
            row.place.clone(),
        ]
    }));
    let mut widths = [0; 7];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let lines = lines.iter().map(|line| {
        let cells = line.iter().zip(widths);
        let text: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("  {}", text.join("  ").trim_end())
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
