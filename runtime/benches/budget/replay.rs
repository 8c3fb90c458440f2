//! Replay in memory: the macro's decoding and dispatch against `serde_json` and a `match`.

use std::hint::black_box;
use std::sync::Arc;

use recount::aggregate::Apply as _;
use recount::log::{Category, EventId, Kind, Page, Row};
use recount::prelude::*;

use crate::bank::{Account, event, fold_by_hand};
use crate::paired::{compare, rate};

const EVENTS: u64 = 200_000;

pub fn run() {
    let page = page();
    compare(
        "replay 200,000 events",
        0.95,
        15,
        || {
            rate(page.len(), || {
                let mut account = Account::default();
                for record in page.iter() {
                    fold_by_hand(&mut account, record.name(), record.payload());
                }
                black_box(account);
            })
        },
        || {
            rate(page.len(), || {
                let mut account = Some(Account::default());
                for record in page.iter() {
                    Account::replay(&mut account, &record).expect("every event is known");
                }
                black_box(account);
            })
        },
    );
}

fn page() -> Page {
    let kind = |name: &str| {
        let category = Category::new("account").expect("a plain name");
        Arc::new(Kind {
            tenant: None,
            category,
            name: name.into(),
            schema_version: 1,
        })
    };
    let kinds = ["Opened", "Deposited", "Withdrawn"].map(kind);
    let mut page = Page::new();
    for index in 0..EVENTS {
        let (name, payload) = event(index);
        let kind = kinds
            .iter()
            .find(|kind| &*kind.name == name)
            .expect("one of the three");
        page.push(
            kind,
            Row {
                position: Position(index + 1),
                version: Version(index + 1),
                id: EventId(recount::uuid::Uuid::nil()),
                recorded_at: 0,
                stream: "account_001",
                metadata: "",
                payload: &payload,
            },
        );
    }
    page
}
