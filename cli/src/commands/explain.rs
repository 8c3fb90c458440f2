//! `explain`: what a code means.

use recount_schema::{Level, Rule};
use serde_json::json;

use crate::codes::{self, OWN};
use crate::outcome::{Failure, Outcome, Result};

pub fn run(code: Option<&str>) -> Result<Outcome> {
    let Some(code) = code else {
        return Ok(all());
    };
    let Some((code, title, explanation)) = codes::explain(code) else {
        return Err(Failure::new(
            codes::NO_EVENT,
            format!("there is no code `{code}`"),
            "`cargo recount schema explain` lists all",
        ));
    };
    Ok(Outcome {
        data: json!({ "code": code, "title": title, "explanation": explanation }),
        text: format!("{code}: {title}\n\n{explanation}\n"),
        ..Outcome::default()
    })
}

fn all() -> Outcome {
    let rules = Rule::ALL.iter().map(|rule| {
        let level = match rule.level() {
            Level::Deny => "error",
            Level::Warn => "warning",
        };
        (rule.code(), level, rule.title())
    });
    let own = OWN.iter().map(|one| (one.code, "", one.title));
    let all: Vec<_> = rules.chain(own).collect();
    let lines = all
        .iter()
        .map(|(code, level, title)| format!("{code}  {level:7}  {title}\n"));
    Outcome {
        text: lines.collect(),
        data: all
            .iter()
            .map(|(code, level, title)| json!({ "code": code, "level": level, "title": title }))
            .collect(),
        then: "\n`cargo recount schema explain CODE` tells why it matters, and the ways out; levels are set by [policy.rules] in lock.toml".to_owned(),
        ..Outcome::default()
    }
}
