//! `export`: the shapes in a form that others understand.

use crate::args::{Common, Export};
use crate::catalogue::json_schema::{About, Definitions, document};
use crate::code::Site;
use crate::outcome::{Outcome, Result};
use crate::project::Project;

pub fn run(common: &Common, to: Export) -> Result<Outcome> {
    let project = Project::read(common)?;
    let sites = Site::all(common, &project, "describe")?;
    let mut all = Definitions::new();
    let all_events =
        (sites.iter()).flat_map(|site| site.events.iter().map(move |event| (site, event)));
    for (site, event) in all_events {
        let name = format!("{}.v{}", event.full_name(), event.version());
        match to {
            Export::Jsonschema => {
                all.add(&name, &name, site.stored(event).shape, &About::default());
            }
        }
    }
    let data = document(all);
    Ok(Outcome {
        text: format!("{data:#}\n"),
        data,
        ..Outcome::default()
    })
}
