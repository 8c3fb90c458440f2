//! What the methods of a block are for, as seen from their signatures; a block has one home.
//!
//! In `#[projection]`, `&mut Sql` says that a method writes tables, `async` or `&Act` that it acts outside, and `&mut self`
//! that it folds. A method that says nothing of it, by mistake, is held to what the others say.

use proc_macro2::Ident;

use super::read::Method;
use super::signature::asks;
use super::{Home, Place, Role, Tables};
use crate::diag::Errors;
use crate::event::text;

/// What a method says of its home.
fn of_method(method: &Method) -> Option<Home> {
    if method.takes("Sql") {
        Some(Home::Tables)
    } else if method.is_mutable() {
        Some(Home::State)
    } else if method.signature.asyncness.is_some() || method.takes("Act") {
        Some(Home::Outside)
    } else {
        None
    }
}

/// What the first method says that says something; methods that ask have no say.
pub(super) fn of_block(role: Role, this: &Ident, methods: &[Method], tables: &Tables) -> Home {
    match role {
        Role::Apply => Home::Aggregate,
        Role::Reaction => Home::Outside,
        Role::Projection => {
            let said = methods.iter().find_map(|method| said(this, method));
            said.unwrap_or(match tables {
                Tables::Absent => Home::State,
                Tables::Given(_) | Tables::Broken => Home::Tables,
            })
        }
    }
}

fn said(this: &Ident, method: &Method) -> Option<Home> {
    let role = Role::Projection;
    of_method(method).filter(|home| {
        let home = *home;
        !asks(Place { role, home, this }, method)
    })
}

/// Leaves out the methods of another home, which are one mistake together.
pub(super) fn only(place: Place<'_>, methods: Vec<Method>, errors: &mut Errors) -> Vec<Method> {
    if place.role != Role::Projection {
        return methods;
    }
    let first = methods
        .iter()
        .find(|method| said(place.this, method) == Some(place.home));
    let first = first.map(|method| method.signature.ident.clone());
    let (own, others): (Vec<_>, Vec<_>) = methods
        .into_iter()
        .partition(|method| said(place.this, method).is_none_or(|home| home == place.home));
    if let (Some(first), Some(other)) = (first, others.first())
        && let Some(home) = of_method(other)
    {
        let ident = &other.signature.ident;
        errors.at(
            ident,
            format_args!(
                "`{ident}` {}, and `{first}` {}: a projection keeps all that it knows in one place, with one checkpoint",
                does(home),
                does(place.home),
            ),
            format_args!(
                "move `{ident}` to the block of another type, `#[projection(name = \"…\", of(…))] impl SomeType {{ … }}`"
            ),
        );
    }
    own
}

/// What a method does, and where that is seen.
fn does(home: Home) -> &'static str {
    match home {
        Home::Aggregate | Home::State => "changes a state (`&mut self`)",
        Home::Tables => "writes tables (`&mut Sql`)",
        Home::Outside => "acts outside (`async`)",
    }
}

/// Refuses tables that no method could write. That some are missing is said where the projection's name is known.
pub(super) fn check_tables(
    place: Place<'_>,
    methods: &[Method],
    tables: &Tables,
    errors: &mut Errors,
) {
    let Tables::Given(token) = tables else {
        return;
    };
    if place.home == Home::Tables {
        return;
    }
    let example = methods.iter().find_map(|method| {
        said(place.this, method)?;
        let event = text(&method.arguments().first()?.ty);
        let name = &method.signature.ident;
        Some(format!("fn {name}(&self, event: {event}, sql: &mut Sql)"))
    });
    let example = example.unwrap_or_else(|| Home::Tables.example().to_owned());
    let does = match place.home {
        Home::Outside => "the methods of this block act outside",
        _ => "the methods of this block change a state in memory",
    };
    let help = match place.role {
        Role::Reaction => {
            "remove `TABLES`, and write tables in a `#[projection]` of another type".to_owned()
        }
        _ => format!("remove `TABLES`, or write them: `{example}`"),
    };
    errors.at(
        token,
        format_args!("{does}: nothing would ever be written to these tables"),
        help,
    );
}
