//! The signature that a method should have, and each way in which it has another.

use quote::ToTokens;
use syn::Type;

use super::read::Method;
use super::types::{
    is_mut_ref, is_named, is_result, is_result_of_a_value, is_unit, mentions, ungrouped,
};
use super::{Handler, Home, Place, Role};
use crate::attr::cfgs;
use crate::diag::Errors;
use crate::path::last_ident;

/// The deviations of one method from the signature that it should have; the signature is shown once.
struct Deviations<'a> {
    errors: &'a mut Errors,
    signature: String,
    any: bool,
}

impl Deviations<'_> {
    fn at(&mut self, tokens: impl ToTokens, what: impl std::fmt::Display) {
        let help = if self.any {
            String::new()
        } else {
            format!("write `{}`", self.signature)
        };
        self.any = true;
        self.errors.at(tokens, what, help);
    }
}

/// Whether it is a method that decides or asks, and stands in the wrong block.
pub(super) fn asks(place: Place<'_>, method: &Method) -> bool {
    let no_event = method.arguments().is_empty();
    let returns = method.returns();
    if method.receiver().is_none() {
        return match place.home {
            Home::Aggregate => !makes(place, method) && (returns.is_some() || no_event),
            Home::State | Home::Tables | Home::Outside => true,
        };
    }
    let waits = place.home == Home::Outside && method.signature.asyncness.is_some();
    let answers = match returns {
        None => false,
        Some(ty) if waits => is_result_of_a_value(ty),
        Some(_) => !is_result(returns),
    };
    !method.is_mutable() && !method.takes("Sql") && (no_event || answers)
}

/// Whether it returns the state, perhaps wrapped in something by mistake.
fn makes(place: Place<'_>, method: &Method) -> bool {
    method.returns().is_some_and(|ty| mentions(ty, place.this))
}

/// Reads a method; `None` when it takes no event.
pub(super) fn handler(place: Place<'_>, method: &Method, errors: &mut Errors) -> Option<Handler> {
    let Place { role, home, this } = place;
    let ident = method.signature.ident.clone();
    if asks(place, method) {
        let attribute = role.attribute();
        errors.at(
            &ident,
            format_args!("`{ident}` is no handler: a `{attribute}` block holds only methods that take an event"),
            format_args!("move `{ident}` to an `impl {this} {{ … }}` block of its own"),
        );
        return None;
    }

    let creates = home == Home::Aggregate && method.receiver().is_none() && makes(place, method);
    let arguments = method.arguments();
    let first = arguments.first().map(|argument| ungrouped(&argument.ty));
    let first = first.filter(|ty| home != Home::Tables || !is_named(ty, "Sql"));
    let (event, by_ref) = match first {
        Some(Type::Reference(reference)) => (Some(&*reference.elem), true),
        other => (other, false),
    };
    let mut deviations = Deviations {
        signature: expected(home, method, creates, event, by_ref),
        errors,
        any: false,
    };
    qualifiers(home, method, &mut deviations);
    receiver(home, method, creates, &mut deviations);
    match first {
        None => deviations.at(
            &ident,
            format_args!("`{ident}` takes no event: nothing says when it should run"),
        ),
        Some(Type::Reference(reference)) if reference.mutability.is_some() => deviations.at(
            reference.mutability,
            "a handler cannot change the event: it is what happened",
        ),
        Some(_) => {}
    }
    let Given { at, sql, act } = given(place, method, &mut deviations);
    output(place, method, creates, &mut deviations);
    let broken = deviations.any;

    let event = event?;
    // A path may end in a keyword, which names no event.
    let keywords = ["self", "Self", "super", "crate"];
    let name = last_ident(event).filter(|name| !keywords.iter().any(|it| *name == it));
    let Some(name) = name.cloned() else {
        let example = home.example().replace("NAME", &ident.to_string());
        errors.at(
            event,
            "an event is a struct or enum with a name of its own",
            format_args!("write `{}`", example.trim_end_matches(" { … }")),
        );
        return None;
    };
    Some(Handler {
        cfgs: cfgs(&method.attributes),
        creates,
        event: ungrouped(event).clone(),
        name,
        by_ref,
        at,
        sql,
        act,
        returns: method.returns().cloned(),
        method: ident,
        broken,
    })
}

/// The signature that a method should have.
fn expected(
    home: Home,
    method: &Method,
    creates: bool,
    event: Option<&Type>,
    by_ref: bool,
) -> String {
    let name = &method.signature.ident;
    let following = method.following();
    let others = following.iter().filter(|ty| !is_named(ty, "Sql")).count();
    let event = event.map_or_else(|| "SomeEvent".to_owned(), crate::event::text);
    let by_ref = if by_ref { "&" } else { "" };
    let acts = others > 1 || method.takes("Act");
    let at = if others > 0 {
        format!(", at: &{}", home.at())
    } else {
        String::new()
    };
    match home {
        Home::Aggregate if creates => format!("fn {name}(event: {by_ref}{event}{at}) -> Self"),
        Home::Aggregate | Home::State => {
            format!("fn {name}(&mut self, event: {by_ref}{event}{at})")
        }
        Home::Tables => format!("fn {name}(&self, event: {by_ref}{event}{at}, sql: &mut Sql)"),
        Home::Outside => {
            let act = if acts { ", act: &Act" } else { "" };
            let returns = match method.returns() {
                Some(ty) if !is_unit(ty) => " -> Result<(), SomeError>",
                _ => "",
            };
            format!("async fn {name}(&self, event: {by_ref}{event}{at}{act}){returns}")
        }
    }
}

/// `async`, `unsafe` and generics.
fn qualifiers(home: Home, method: &Method, deviations: &mut Deviations<'_>) {
    let signature = &method.signature;
    match (home, &signature.asyncness) {
        (Home::Aggregate, Some(token)) => deviations.at(
            token,
            "a handler cannot be `async`: replay never waits, and gives the same state every time",
        ),
        (Home::State, Some(token)) => deviations.at(
            token,
            "a handler that changes a state cannot be `async`: replay never waits, and gives the same state every time. Only one that acts outside may wait, and it takes `&self`",
        ),
        (Home::Tables, Some(token)) => deviations.at(
            token,
            "a handler that writes tables cannot be `async`: its statements run after it, in the transaction that saves the checkpoint. Only one that acts outside may wait, and it takes no `&mut Sql`",
        ),
        (Home::Outside, None) => deviations.at(
            signature.fn_token,
            "a handler that acts outside is `async`: it may wait for other systems",
        ),
        (Home::Aggregate | Home::State | Home::Tables, None) | (Home::Outside, Some(_)) => {}
    }
    if let syn::Safety::Unsafe(token) = &signature.safety {
        deviations.at(
            token,
            "a handler cannot be `unsafe`: replay calls it for every stored event",
        );
    }
    if !signature.generics.params.is_empty() {
        deviations.at(
            &signature.generics.params,
            "a handler cannot be generic: stored names are looked up by type",
        );
    }
}

/// `&mut self` for who changes a state, `&self` for the others.
fn receiver(home: Home, method: &Method, creates: bool, deviations: &mut Deviations<'_>) {
    let Some(receiver) = method.receiver() else {
        if !creates {
            deviations.at(
                &method.signature.ident,
                "a handler takes `&mut self`, or makes the state and returns `Self`",
            );
        }
        return;
    };
    let shared = matches!(&receiver.kind, syn::ReceiverKind::Reference(_, _, None));
    match home {
        Home::Aggregate | Home::State if !is_mut_ref(receiver) => deviations.at(
            receiver,
            "a handler takes `&mut self`: through anything else it could change nothing that lasts",
        ),
        Home::Tables if !shared => deviations.at(
            receiver,
            "a handler that writes tables takes `&self`: what it changed in `self` would be lost with the process. Write it to a table",
        ),
        Home::Outside if !shared => deviations.at(
            receiver,
            "a handler that acts outside takes `&self`: events of different streams are handled side by side. Keep what changes behind a lock, or in a projection",
        ),
        _ => {}
    }
}

/// What follows the event.
struct Given {
    at: Option<Type>,
    sql: Option<Type>,
    act: Option<Type>,
}

fn given(place: Place<'_>, method: &Method, deviations: &mut Deviations<'_>) -> Given {
    let home = place.home;
    let mut arguments: Vec<_> = method.arguments().into_iter().skip(1).collect();
    let mut sql = None;
    if home == Home::Tables {
        sql = self::sql(method, deviations);
        if sql.is_some() {
            arguments.pop();
        } else {
            arguments.retain(|argument| !is_named(&argument.ty, "Sql"));
        }
    }
    let mut arguments = arguments.into_iter();
    let at = arguments.next().map(|argument| ungrouped(&argument.ty));
    let at = at.and_then(|ty| self::at(place, ty, deviations));
    let act = match home {
        Home::Outside => arguments.next().map(|argument| ungrouped(&argument.ty)),
        _ => None,
    };
    let act = act.and_then(|ty| self::act(ty, deviations));
    if let Some(extra) = arguments.next() {
        let all = match home {
            Home::Aggregate => "an event and `&EventContext`, nothing else: replay",
            Home::State => "an event and `&Envelope`, nothing else: replay",
            Home::Tables => "an event, `&Envelope` and `&mut Sql`, nothing else: a rebuild",
            Home::Outside => "an event, `&Envelope` and `&Act`, nothing else: the log",
        };
        deviations.at(
            extra,
            format_args!("a handler takes {all} has nothing else to give"),
        );
    }
    Given { at, sql, act }
}

/// The second parameter: when and where the event was recorded.
fn at(place: Place<'_>, ty: &Type, deviations: &mut Deviations<'_>) -> Option<Type> {
    let Place { role, home, .. } = place;
    let other = match home {
        Home::Aggregate => Home::State.at(),
        Home::State | Home::Tables | Home::Outside => Home::Aggregate.at(),
    };
    let what = if is_named(ty, other) {
        match role {
            Role::Apply => {
                "an aggregate's handler takes `&EventContext`: an event that is being recorded has no position yet, and replay must see what recording saw"
            }
            Role::Projection => {
                "a projection's handler takes `&Envelope`, which also holds the stream and the position"
            }
            Role::Reaction => {
                "a reaction's handler takes `&Envelope`, which also holds the stream and the position"
            }
        }
    } else if home == Home::Outside && is_named(ty, "Act") {
        "`&Envelope` stands before `&Act`"
    } else if home == Home::Outside && is_named(ty, "Sql") {
        "a handler that acts outside takes no `&mut Sql`: tables are written by a projection of another type"
    } else if let Type::Reference(reference) = ty
        && reference.mutability.is_none()
    {
        return Some((*reference.elem).clone());
    } else {
        match home {
            Home::Aggregate => "the last parameter of a handler is `&EventContext`",
            Home::State => "the last parameter of a handler is `&Envelope`",
            Home::Tables | Home::Outside => "what follows the event is `&Envelope`",
        }
    };
    deviations.at(ty, what);
    None
}

/// The last parameter of a method that writes tables.
fn sql(method: &Method, deviations: &mut Deviations<'_>) -> Option<Type> {
    let following = method.following();
    let last = following.last().filter(|ty| is_named(ty, "Sql"));
    if let Some(Type::Reference(reference)) = last
        && reference.mutability.is_some()
    {
        return Some((*reference.elem).clone());
    }
    let arguments = method.arguments();
    let mut anywhere = arguments.iter().filter(|it| is_named(&it.ty, "Sql"));
    if let Some(ty) = last {
        deviations.at(ty, "statements are asked for with `&mut Sql`");
    } else if let Some(argument) = anywhere.next() {
        deviations.at(&argument.ty, "`&mut Sql` is the last parameter");
    } else {
        let ident = &method.signature.ident;
        deviations.at(
            ident,
            format_args!("`{ident}` takes no `&mut Sql`: it could write nothing down"),
        );
    }
    None
}

/// The last parameter of a method that acts.
fn act(ty: &Type, deviations: &mut Deviations<'_>) -> Option<Type> {
    if let Type::Reference(reference) = ty
        && reference.mutability.is_none()
    {
        return Some((*reference.elem).clone());
    }
    deviations.at(ty, "what follows `&Envelope` is `&Act`");
    None
}

/// What it returns: nothing, or the state that it makes, or whether acting has failed.
fn output(place: Place<'_>, method: &Method, creates: bool, deviations: &mut Deviations<'_>) {
    let Some(returns) = method.returns() else {
        return;
    };
    let is_state = last_ident(returns).is_some_and(|name| name == "Self" || name == place.this);
    if creates && !is_state {
        deviations.at(
            returns,
            "a handler cannot fail or refuse: the event has happened. Rules belong in the method that returns the event",
        );
    } else if !creates && place.home != Home::Outside && !is_unit(returns) {
        deviations.at(
            returns,
            "a handler cannot fail or return anything: the event has happened. Rules belong in the method that returns the event",
        );
    }
}
