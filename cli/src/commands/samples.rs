//! Payloads that are kept, and what the code makes of them.

use std::collections::BTreeMap;

use recount_schema::lock::{From as Origin, Sample};
use recount_schema::values::{payloads, sparse_payloads};
use serde_json::value::RawValue;

use crate::ask::Question;
use crate::code::{Event, Site};
use crate::outcome::{Diagnostic, Result};

/// How many payloads of a shape are kept.
const MADE: usize = 256;

/// A payload of a version, before the code was asked.
pub struct Candidate {
    pub payload: String,
    pub from: Origin,
}

/// Payloads worth keeping: the user's examples, those at the edges of what the shape allows, and those that lack what may be missing,
/// which show the defaults.
pub fn candidates(event: &Event) -> Vec<Candidate> {
    let examples = event.examples.iter().map(|payload| Candidate {
        payload: payload.clone(),
        from: Origin::Example,
    });
    let made = payloads(event.contract.shape);
    let step = made.len().div_ceil(MADE).max(1);
    let mut made: Vec<_> = made.into_iter().step_by(step).collect();
    let mut sparse = sparse_payloads(event.contract.shape);
    sparse.retain(|payload| !made.contains(payload));
    made.extend(sparse);
    let made = made.into_iter().map(|payload| Candidate {
        payload,
        from: Origin::Boundary,
    });
    examples.chain(made).collect()
}

/// Samples of the candidates that the code reads, each with what it is read as. An example that is not read is an error; of the
/// others a check inside of a type may refuse some.
pub fn read(
    site: &Site<'_>,
    event: &Event,
    candidates: Vec<Candidate>,
) -> Result<(Vec<Sample>, Vec<Diagnostic>)> {
    let questions: Vec<_> = candidates
        .iter()
        .map(|candidate| question(event, event.name(), event.version(), &candidate.payload))
        .collect();
    let answers = site.programs.what_of(&questions)?;
    let (mut samples, mut errors) = (Vec::new(), Vec::new());
    for (candidate, answer) in candidates.into_iter().zip(answers) {
        match (
            answer.read,
            RawValue::from_string(candidate.payload.clone()),
        ) {
            (Some(value), Ok(payload)) => samples.push(Sample {
                payload,
                expect: [(event.version(), value)].into(),
                parts: BTreeMap::new(),
                from: candidate.from,
                note: String::new(),
            }),
            _ if candidate.from == Origin::Boundary => {}
            _ => {
                let error = answer.error.unwrap_or_default();
                let message = format!("an example cannot be read: {error}");
                let mut one = Diagnostic::error("RC2004", message)
                    .of(event.full_name(), event.version())
                    .at(event.place());
                one.witness = Some(candidate.payload);
                errors.push(one);
            }
        }
    }
    Ok((samples, errors))
}

fn question<'a>(event: &'a Event, name: &'a str, version: u32, payload: &'a str) -> Question<'a> {
    Question {
        of: event.asked(),
        name,
        version,
        payload,
    }
}

/// What the type of a version makes of the samples of an older one, or of an event that it was split from: each sample with that as
/// what is expected, or why there is nothing.
pub fn expect(
    site: &Site<'_>,
    event: &Event,
    (name, version): (&str, u32),
    samples: Vec<Sample>,
) -> Result<Vec<(Sample, Option<String>)>> {
    let questions: Vec<_> = samples
        .iter()
        .map(|sample| question(event, name, version, sample.payload.get()))
        .collect();
    let answers = site.programs.what_of(&questions)?;
    let pairs = samples.into_iter().zip(answers);
    Ok(pairs
        .map(|(mut sample, answer)| match answer.read {
            Some(value) => {
                let expected = if name == event.name() {
                    &mut sample.expect
                } else {
                    sample.parts.entry(event.name().to_owned()).or_default()
                };
                expected.insert(event.version(), value);
                (sample, None)
            }
            None => (sample, Some(answer.error.unwrap_or_default())),
        })
        .collect())
}
