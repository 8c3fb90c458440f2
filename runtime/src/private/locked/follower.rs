//! What projections and reactions under a lock tell the catalogue.

use serde_json::{Value, json};

use super::Listed;
use super::answer::{Mode, Place};

/// Where a projection or a reaction stands in the source, and what it handles.
#[derive(Debug, Clone, Copy)]
pub struct FollowerSource<'a> {
    /// The folder of the lock: an absolute path.
    pub lock: &'a str,
    /// `projection` or `reaction`.
    pub kind: &'a str,
    /// The name of the type.
    pub ident: &'a str,
    /// `module_path!()`.
    pub module: &'a str,
    /// `file!()`.
    pub file: &'a str,
    /// `line!()`.
    pub line: u32,
    /// The name of its checkpoint.
    pub name: &'a str,
    /// Where what it does is kept: `state`, `tables` or `outside`.
    pub home: &'a str,
    /// Its methods.
    pub handled: &'a [Handled<'a>],
}

/// An event type that a method takes.
#[derive(Debug, Clone)]
pub struct Handled<'a> {
    /// The name of the method.
    pub method: &'a str,
    /// The type: [`listed`](super::listed).
    pub event: Listed,
    /// Whether each of its aggregates applies the type, with the aggregate's category.
    pub of: &'a [(bool, &'a str)],
}

/// The test of a projection or a reaction. Nothing is left to verify when it was compiled: it only tells.
#[track_caller]
pub fn follower(source: &FollowerSource<'_>) {
    let place = Place {
        kind: source.kind,
        ident: source.ident,
        module: source.module,
    };
    match Mode::of_environment() {
        Mode::Describe | Mode::Check => place.write(describe(source)),
        Mode::Verify | Mode::Sample | Mode::Scan => {}
    }
}

fn describe(source: &FollowerSource<'_>) -> Value {
    let handled = source.handled.iter().map(|handled| {
        let of = handled.of.iter().filter(|(applies, _)| *applies);
        json!({
            "method": handled.method,
            "type": handled.event.type_name,
            "names": handled.event.names,
            "of": of.map(|(_, category)| category).collect::<Vec<_>>(),
        })
    });
    json!({
        "kind": source.kind,
        "lock": source.lock,
        "ident": source.ident,
        "module": source.module,
        "file": source.file,
        "line": source.line,
        "name": source.name,
        "home": source.home,
        "handled": handled.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Listed;
    use super::{FollowerSource, Handled, describe};

    #[test]
    fn what_is_told_names_only_the_aggregates_that_apply_the_event() {
        let event = Listed {
            type_name: "bank::Deposited",
            names: vec!["Deposited", "PaidIn"],
        };
        let told = describe(&FollowerSource {
            lock: "/bank/schema",
            kind: "projection",
            ident: "Balances",
            module: "bank",
            file: "src/lib.rs",
            line: 3,
            name: "balances",
            home: "state",
            handled: &[Handled {
                method: "deposited",
                event,
                of: &[(true, "account"), (false, "order")],
            }],
        });
        assert_eq!(told["kind"], "projection");
        assert_eq!(told["home"], "state");
        assert_eq!(
            told["handled"],
            serde_json::json!([{
                "method": "deposited",
                "type": "bank::Deposited",
                "names": ["Deposited", "PaidIn"],
                "of": ["account"],
            }])
        );
    }
}
