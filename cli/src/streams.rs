//! What stored streams are found by, in the lock and in the code: the category of each aggregate, and the form of its id.

use recount_schema::lock::{Aggregate as Known, Index, shape_of_text, shape_to_text};
use recount_schema::{Rule, Shape, StreamKey};

use crate::base::Base;
use crate::code::{Aggregate, Site};
use crate::codes;
use crate::judge::Strict;
use crate::outcome::{Diagnostic, Result};
use crate::project::Project;

/// An aggregate whose streams are stored in another category than the one that its type names now.
pub struct Moved<'s> {
    pub of: &'s Aggregate,
    pub was: String,
}

impl Moved<'_> {
    pub fn diagnostic(&self) -> Diagnostic {
        let Self { of, was } = self;
        let message = format!(
            "streams of `{}` are stored as `{was}`: under `{}` they would not be found",
            of.ident, of.category
        );
        let mut one = Diagnostic::error(Rule::StreamChanged.code(), message)
            .at(place(of))
            .resolve(format!(
                "write `stream = {was:?}`; or, if another type has the streams of `{was}` now, write it there: `cargo recount schema accept` takes \
                 that over. It takes over no other name, since the name is part of the key of each stored stream;\n\
                 or, if nothing of it was ever stored, take `[[aggregate]]` and `[[event]]` of `{was}` out of lock.toml, and its folders"
            ));
        one.path.clone_from(was);
        one
    }
}

fn place(of: &Aggregate) -> String {
    format!("{}:{}", of.file.display(), of.line)
}

/// The form of an id; nothing if it is not known.
fn form(text: &str) -> Option<&'static Shape> {
    shape_of_text(text).filter(|shape| !matches!(shape, Shape::Unknown))
}

/// Aggregates that the lock knows by another category, which no aggregate of the code has any more.
pub fn moved<'s>(site: &'s Site<'_>) -> Vec<Moved<'s>> {
    let index = &site.lock.index;
    let is_here = |category: &str| site.aggregates.iter().any(|of| of.category == category);
    let lost = index
        .aggregates
        .iter()
        .filter(|known| index.is_stored(&known.category) && !is_here(&known.category));
    let moved = lost.filter_map(|known| {
        let mut ours = site.aggregates.iter();
        let of =
            ours.find(|of| of.ident == known.ident && index.aggregate(&of.category).is_none())?;
        Some(Moved {
            of,
            was: known.category.clone(),
        })
    });
    moved.collect()
}

/// The categories out of which aggregates were moved, and into which: of their events nothing else can be said.
pub fn touched(moved: &[Moved<'_>]) -> Vec<String> {
    let both = moved
        .iter()
        .flat_map(|one| [one.was.clone(), one.of.category.clone()]);
    both.collect()
}

/// Aggregates whose ids have another form than those that were stored.
pub fn judge(site: &Site<'_>) -> Vec<Diagnostic> {
    let index = &site.lock.index;
    let mut all = Vec::new();
    for of in &site.aggregates {
        let known = index.aggregate(&of.category).and_then(|known| known.id);
        let Some(id) = known.filter(|_| index.is_stored(&of.category)) else {
            continue;
        };
        let now = form(&of.id).unwrap_or(&Shape::Unknown);
        if !(StreamKey { category: "", id }).is_kept(now) {
            let was = shape_to_text(id);
            let message = format!(
                "streams of `{}` have ids of the form {was}, which is {} here: they would not be found",
                of.ident, of.id
            );
            let mut one = Diagnostic::error(Rule::StreamChanged.code(), message)
                .at(place(of))
                .resolve(format!(
                    "take an id of the form {was}: `accept` does not take it over, since the id is part of the key of each stored stream;\n\
                     or, if nothing of it was ever stored, write `id = {:?}` under `[[aggregate]]` of `{}` in lock.toml",
                    of.id, of.category
                ));
            one.path.clone_from(&of.category);
            all.push(one);
        }
    }
    all
}

/// Streams whose type has another name than the lock knows: it would not notice if that type named other streams later.
pub fn renamed(site: &Site<'_>, strict: Strict) -> Vec<Diagnostic> {
    let index = &site.lock.index;
    let known = (index.aggregates.iter()).filter(|known| index.is_stored(&known.category));
    let told = known.filter_map(|known| {
        let of = has_other_name(&site.aggregates, known)?;
        let message = format!(
            "the lock calls the type of these streams `{}`, and the code calls it `{}`",
            known.ident, of.ident
        );
        let mut one = strict
            .unfinished(codes::TYPE_RENAMED, message)
            .at(place(of))
            .resolve("cargo recount schema accept");
        one.path.clone_from(&known.category);
        Some(one)
    });
    told.collect()
}

/// The aggregate of a category, if none of it has the name that the lock knows.
fn has_other_name<'s>(aggregates: &'s [Aggregate], known: &Known) -> Option<&'s Aggregate> {
    let mut all = aggregates.iter().filter(|of| of.category == known.category);
    let first = all.clone().next()?;
    (!all.any(|of| of.ident == known.ident)).then_some(first)
}

/// Takes the aggregates over from the code, as far as that makes no stored stream be lost; whether anything is new.
pub fn record(site: &mut Site<'_>) -> bool {
    let lost: Vec<String> = moved(site)
        .iter()
        .map(|one| one.of.category.clone())
        .collect();
    let index: &mut Index = &mut site.lock.index;
    let before = index.aggregates.clone();
    let events = &index.events;
    let has_events = |category: &str| {
        let mut events = events.iter();
        events.any(|event| event.category.as_deref() == Some(category))
    };
    index.aggregates.retain(|one| has_events(&one.category));
    for of in &site.aggregates {
        if !has_events(&of.category) || lost.contains(&of.category) {
            continue;
        }
        let is_stored = index.is_stored(&of.category);
        let id = form(&of.id);
        let Some(known) = index
            .aggregates
            .iter_mut()
            .find(|one| one.category == of.category)
        else {
            index.aggregates.push(Known {
                category: of.category.clone(),
                ident: of.ident.clone(),
                id,
            });
            continue;
        };
        if let Some(of) = has_other_name(&site.aggregates, known) {
            known.ident.clone_from(&of.ident);
        }
        let is_kept = |known: &'static Shape| {
            id.is_some_and(|id| {
                (StreamKey {
                    category: "",
                    id: known,
                })
                .is_kept(id)
            })
        };
        if !is_stored || known.id.is_none_or(is_kept) {
            known.id = id;
        }
    }
    index.aggregates.sort_by(|a, b| a.category.cmp(&b.category));
    index.aggregates != before
}

/// What a revision knew of streams, and the lock does not any more.
pub fn since(base: &Base, project: &Project, site: &Site<'_>) -> Result<Vec<Diagnostic>> {
    let before = base.index(project, &site.lock)?;
    let stored = before
        .aggregates
        .iter()
        .filter(|one| before.is_stored(&one.category));
    let changed = stored.filter_map(|one| {
        let now = site.lock.index.aggregate(&one.category);
        let (code, message) = match (now, one.id) {
            (None, _) => (
                codes::GONE_SINCE_BASE,
                "the aggregate is not in the lock any more".to_owned(),
            ),
            (Some(now), Some(id)) => {
                let new = now.id.unwrap_or(&Shape::Unknown);
                if (StreamKey { category: "", id }).is_kept(new) {
                    return None;
                }
                let (was, is) = (shape_to_text(id), shape_to_text(new));
                (
                    codes::CHANGED_SINCE_BASE,
                    format!("the form of the id was {was}, and is {is} now"),
                )
            }
            (Some(_), None) => return None,
        };
        let mut one_of =
            Diagnostic::own(code, message).resolve(base.restore(project, site.lock.dir()));
        one_of.path.clone_from(&one.category);
        Some(one_of)
    });
    Ok(changed.collect())
}
