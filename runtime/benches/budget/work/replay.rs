//! Replay in memory: the macro's decoding and dispatch against `serde_json` and a `match`, with upcasts and without.

use std::hint::black_box;

use recount::aggregate::Apply;
use recount::log::{Page, Record};

use crate::domain::{Account, event, fold_by_hand};
use crate::measure::{Bench, Declared, rate};
use crate::page::page;
use crate::report::Unit;
use crate::versions::{Purse, STORED, paid_by_hand, payload};

const GROUP: &str = "Decoding";
const ROUNDS: u64 = 15;

pub fn replay(bench: &mut Bench) {
    bench.on("");
    let events = bench.sized(200_000);
    let meaning = "What the generated code costs between the stored bytes and the state; there is no store in it.";
    let declared = Declared::new(GROUP, "replay", meaning).rounds(ROUNDS);
    if bench.wants(&declared) {
        let page = page(
            "account",
            (1..=events).map(|version| (event(version).0, 1, event(version).1)),
        );
        let by_hand = |record: &Record<'_>, account: &mut Account| {
            fold_by_hand(account, record.name(), record.payload());
        };
        compare(bench, &declared, &page, by_hand, |account: &Account| {
            account.balance
        });
    }
    for (upcasts, name) in [
        "replay, events of now",
        "replay, one upcast each",
        "replay, two upcasts each",
    ]
    .into_iter()
    .enumerate()
    {
        let meaning = "What an old event costs more than one of now: its own type is decoded and then converted. Both sides convert in the same steps.";
        let declared = Declared::new(GROUP, name, meaning).rounds(ROUNDS);
        if bench.wants(&declared) {
            let version = 3 - upcasts;
            let page = page(
                "purse",
                (0..events).map(|index| ("Paid", version as u32, payload(version as u32, index))),
            );
            let by_hand = |record: &Record<'_>, purse: &mut Purse| {
                let name = STORED[record.schema_version() as usize - 1];
                purse.spent += paid_by_hand(name, record.payload()).amount.cents;
            };
            compare(bench, &declared, &page, by_hand, |purse: &Purse| {
                purse.spent
            });
        }
    }
}

fn compare<A: Apply + Default>(
    bench: &mut Bench,
    declared: &Declared,
    page: &Page,
    by_hand: impl Fn(&Record<'_>, &mut A),
    outcome: impl Fn(&A) -> i64,
) {
    let count = page.len() as u64;
    let floor = |_| {
        rate(count, || {
            let mut state = A::default();
            for record in page.iter() {
                by_hand(&record, &mut state);
            }
            outcome(&black_box(state))
        })
    };
    let ours = |_| {
        rate(count, || {
            let mut state = Some(A::default());
            for record in page.iter() {
                A::replay(&mut state, &record).expect("every event is known");
            }
            outcome(&black_box(state).expect("it began with one"))
        })
    };
    bench.pair(declared, Unit::PerSecond, floor, ours);
    if let Some(crate::report::Outcome::Measured(figures)) =
        bench.rows.last_mut().map(|row| &mut row.outcome)
    {
        let nanoseconds = |rate: f64| 1e9 / rate;
        figures.note = format!(
            "{:.0} ns an event against {:.0}",
            nanoseconds(figures.ours),
            figures.floor.map_or(f64::NAN, nanoseconds)
        );
    }
}
