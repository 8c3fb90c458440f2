//! What a lock adds to the time of `cargo check`, for each of the fields that it holds.

use std::path::Path;

use recount::__private::EventShape;
use recount::prelude::*;
use recount_schema::lock::{Contract, Lock, Rust, Status};

use super::compile_time::{check, write_package};
use crate::budgets::promise;
use crate::measure::{Bench, Declared, Percentile as _};
use crate::report::{Figures, Outcome, Spread, Unit};

const CATEGORY: &str = "visit";

/// Types, and their text.
macro_rules! mirrored {
    (values { $($values:item)* } event { $($field:ident: $type:ty,)* }) => {
        $($values)*
        const VALUES: &str = stringify!($($values)*);

        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
        struct Happened { $($field: $type),* }
        const FIELDS: &[(&str, &str)] = &[$((stringify!($field), stringify!($type))),*];
    };
}

mirrored! {
    values {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
        pub struct Cents(pub i64);

        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
        pub struct Place { pub street: String, pub zip: String, pub floor: Option<u8> }

        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
        pub enum Kind { Free, Paid(Cents), Guided { by: String } }
    }
    event {
        title: String,
        count: u32,
        fee: Cents,
        place: Place,
        kind: Kind,
        at: DateTime<Utc>,
        tags: Vec<String>,
        note: Option<String>,
    }
}

pub fn compile_locked(bench: &mut Bench) {
    bench.on("");
    for events in [20, 200] {
        let declared = Declared::new(
            "Compiling",
            format!("a lock over {events} events, for each field"),
            "What a lock adds to `cargo check` of a crate, for each field of an event that it holds.",
        );
        let declared = declared.rounds(if bench.quick { 1 } else { 5 });
        if bench.wants(&declared) {
            locked(bench, &declared, events);
        }
    }
}

fn locked(bench: &mut Bench, declared: &Declared, events: usize) {
    let source = source(events);
    let free = write_package(&format!("free-{events}"), &source);
    let locked = write_package(&format!("locked-{events}"), &source);
    lock(&locked, events);
    let fields = (events * FIELDS.len()) as f64;
    let (mut without, mut under, mut each) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=declared.rounds {
        let (one, other) = (check(&free), check(&locked));
        // The first one builds the dependencies, too.
        if round > 0 {
            without.push(one);
            under.push(other);
            each.push((other - one) * 1000.0 / fields);
        }
    }
    let each = Spread::of(each);
    let promise = promise(&declared.work, "");
    let figures = Figures {
        unit: Unit::Milliseconds,
        floor: None,
        ours: each.middle,
        ratio: None,
        delays: None,
        attempts: None,
        budget: promise.map(|promise| promise.budget),
        note: format!(
            "{:.2} to {:.2}; {fields} fields: {:.2} s without a lock, {:.2} s with it",
            each.min,
            each.max,
            without.percentile(50),
            under.percentile(50),
        ),
        limits: promise.map_or("", |promise| promise.limits).to_owned(),
    };
    bench.keep(declared, Outcome::Measured(figures));
}

fn name(event: usize) -> String {
    format!("Visit{event}Happened")
}

fn source(events: usize) -> String {
    let fields = FIELDS.iter();
    let fields: Vec<_> = fields
        .map(|(name, ty)| format!("pub {name}: {ty}, "))
        .collect();
    let fields = fields.concat();
    let names = || (0..events).map(name);
    let types = names().map(|name| {
        format!(
            "#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct {name} {{ {fields}}}\n"
        )
    });
    let types: String = types.collect();
    let handlers = names().enumerate().map(|(at, name)| {
        format!("    fn on{at}(&mut self, event: {name}) {{ self.count += event.count; }}\n")
    });
    let handlers: String = handlers.collect();
    format!(
        "#![allow(dead_code)]\nuse recount::prelude::*;\n{VALUES}\n\
         #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct VisitId(String);\n{types}\
         #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = \"{CATEGORY}\", id = VisitId)] \
         pub struct Visit {{ count: u32 }}\n#[apply] impl Visit {{\n{handlers}}}\n"
    )
}

/// Releases all events of a package.
fn lock(package: &Path, events: usize) {
    let mut lock = Lock::new(&package.join("schema"));
    for ident in (0..events).map(name) {
        let mut contract = Contract::new(&ident, 1, Happened::SHAPE);
        contract.category = Some(CATEGORY.to_owned());
        let fields = FIELDS.iter();
        let fields = fields.map(|(name, ty)| ((*name).to_owned(), (*ty).to_owned()));
        contract.rust = Rust {
            ident,
            fields: fields.collect(),
        };
        lock.set(&contract, Status::Released, Some("0.1.0"))
            .expect("a name that may be");
    }
    lock.write().expect("a folder to write to");
}
