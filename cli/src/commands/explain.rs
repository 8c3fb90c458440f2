//! `explain`: what a code means.

use serde_json::json;

use crate::codes;
use crate::outcome::{Failure, Outcome, Result};

pub fn run(code: Option<&str>) -> Result<Outcome> {
    let Some(code) = code else {
        return Ok(all());
    };
    let Some(one) = codes::explain(code) else {
        return Err(Failure::new(
            codes::NO_EVENT,
            format!("there is no code `{code}`"),
            "`cargo recount schema explain` lists all",
        ));
    };
    Ok(Outcome {
        data: json!({
            "code": one.code, "title": one.title, "explanation": one.explanation, "told_by": one.word,
        }),
        text: format!(
            "{}: {}\n\n{}\n\n{}\n",
            one.code, one.title, one.explanation, one.sentence
        ),
        ..Outcome::default()
    })
}

fn all() -> Outcome {
    let lines = codes::all().map(|one| format!("{}  {:8}  {}\n", one.code, one.word, one.title));
    let data = codes::all()
        .map(|one| json!({ "code": one.code, "told_by": one.word, "title": one.title }));
    Outcome {
        text: lines.collect(),
        data: data.collect(),
        then: LEGEND.to_owned(),
        ..Outcome::default()
    }
}

const LEGEND: &str = "
compiler  does not compile under a lock; what only the last release cannot read is a warning of `check`
tests     `cargo test` fails under a lock
check     an error of `check`, of `scan` or of `catalogue --check`
warning   `check` warns of it
note      nobody has to do anything
stops     the command does nothing

How `check` takes a rule is set by [policy.rules] in lock.toml; what the compiler refuses stays refused.
`cargo recount schema explain CODE` tells why it matters, and the ways out.";
