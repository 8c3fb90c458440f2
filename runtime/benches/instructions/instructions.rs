//! Instructions and allocations of the ways that every event goes, counted by valgrind, with a limit for each.
//!
//! ```sh
//! cargo install --locked gungraun-runner@0.20.0
//! cargo bench --package recount-instructions
//! ```
//!
//! Counts do not depend on how busy a machine is: from run to run they differ by a thousandth. So a change that makes a way dearer fails
//! here; whoever makes one cheaper writes down what is counted then. Those `by_hand` are what a person would write, to be compared with.

#![allow(missing_docs, reason = "the macros of the harness make functions")]

#[path = "../budget/domain.rs"]
#[allow(dead_code, reason = "the other benchmark has more to measure")]
mod domain;
#[path = "../budget/page.rs"]
mod page;
#[path = "../budget/versions.rs"]
#[allow(dead_code, reason = "the other benchmark has more to measure")]
mod versions;

use std::hint::black_box;

use gungraun::prelude::*;
use gungraun::{Callgrind, Dhat, DhatMetric, EntryPoint, EventKind};
use recount::aggregate::{Apply, EventContext};
use recount::event::Event;
use recount::log::{EventId, Expected, Metadata, NewEvent, Page, StreamId};
use recount::prelude::*;
use recount::uuid::Uuid;
use tokio::runtime::Runtime;

use domain::{Account, AccountEvent, AccountId, Total, fold_by_hand};
use page::page;
use versions::{Purse, STORED, paid_by_hand};

/// How many events each way is gone with.
const EVENTS: u64 = 1_000;

/// What was counted of a way: instructions, and blocks of memory that were asked for.
fn counted(instructions: u64, allocations: u64) -> LibraryBenchmarkConfig {
    limited(instructions, allocations, &EntryPoint::Default)
}

/// The same of the whole program and all of its threads, its beginning and its end too.
fn counted_in_all(instructions: u64, allocations: u64) -> LibraryBenchmarkConfig {
    limited(instructions, allocations, &EntryPoint::None)
}

/// At most 5 % more instructions, and 2 % more allocations.
fn limited(instructions: u64, allocations: u64, from: &EntryPoint) -> LibraryBenchmarkConfig {
    let (mut callgrind, mut dhat) = (Callgrind::default(), Dhat::default());
    callgrind.hard_limits([(EventKind::Ir, instructions * 105 / 100)]);
    dhat.hard_limits([(DhatMetric::TotalBlocks, allocations * 102 / 100)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind.entry_point(from.clone()));
    config.tool(dhat.entry_point(from.clone()));
    config
}

/// A page of one account's events.
fn account() -> Page {
    page(
        "account",
        (1..=EVENTS).map(|version| {
            let (name, payload) = domain::event(version);
            (name, 1, payload)
        }),
    )
}

/// A page of payments, all of one version of theirs.
fn purse(version: u32) -> Page {
    page(
        "purse",
        (0..EVENTS).map(|index| ("Paid", version, versions::payload(version, index))),
    )
}

#[library_benchmark(config = counted(2_134_000, 1_000))]
#[bench::account(setup = account)]
fn replay(page: Page) -> Option<Account> {
    replayed(&page)
}

#[library_benchmark]
#[bench::account(setup = account)]
fn replay_by_hand(page: Page) -> Account {
    let mut state = Account::default();
    for record in page.iter() {
        fold_by_hand(&mut state, record.name(), record.payload());
    }
    black_box(state)
}

// With one upcast for each event, and with two.
#[library_benchmark]
#[bench::once(args = (2), setup = purse, config = counted(2_384_000, 2_000))]
#[bench::twice(args = (1), setup = purse, config = counted(1_786_000, 2_000))]
fn upcast(page: Page) -> Option<Purse> {
    replayed(&page)
}

#[library_benchmark]
#[bench::once(args = (2), setup = purse)]
#[bench::twice(args = (1), setup = purse)]
fn upcast_by_hand(page: Page) -> Purse {
    let mut state = Purse::default();
    for record in page.iter() {
        let name = STORED[record.schema_version() as usize - 1];
        state.spent += paid_by_hand(name, record.payload()).amount.cents;
    }
    black_box(state)
}

fn replayed<A: Apply + Default>(page: &Page) -> Option<A> {
    let mut state = Some(A::default());
    for record in page.iter() {
        A::replay(&mut state, &record).expect("every event is known");
    }
    black_box(state)
}

library_benchmark_group!(
    name = reading,
    benchmarks = [replay, replay_by_hand, upcast, upcast_by_hand]
);

// Stored events as the enum that the macros make.
#[library_benchmark(config = counted(2_299_000, 1_001))]
#[bench::account(setup = account)]
fn decode(page: Page) -> Vec<AccountEvent> {
    black_box(typed(&page))
}

fn typed(page: &Page) -> Vec<AccountEvent> {
    let mut events = Vec::with_capacity(page.len());
    for record in page.iter() {
        events.extend(AccountEvent::decode(record.into()).expect("every event is known"));
    }
    events
}

// Typed events to the methods of the aggregate.
#[library_benchmark(config = counted(140_000, 0))]
#[bench::account(setup = typed_in_context)]
fn dispatch((events, context): (Vec<AccountEvent>, EventContext)) -> Account {
    let mut state = Account::default();
    for event in events {
        state
            .evolve(event, &context)
            .expect("it changes a state that is there");
    }
    black_box(state)
}

fn typed_account() -> Vec<AccountEvent> {
    typed(&account())
}

fn typed_in_context() -> (Vec<AccountEvent>, EventContext) {
    let id = EventId(Uuid::nil());
    let context = EventContext::new(Utc::now(), Version(1), id, Metadata::default());
    (typed_account(), context)
}

#[library_benchmark(config = counted(1_369_000, 5))]
#[bench::account(setup = typed_account)]
fn encode(events: Vec<AccountEvent>) -> Vec<u8> {
    let mut payload = Vec::new();
    for event in &events {
        payload.clear();
        event
            .encode(&mut payload)
            .expect("plain structs have a form in JSON");
    }
    black_box(payload)
}

library_benchmark_group!(name = events, benchmarks = [decode, dispatch, encode]);

// One event after the other, each on condition of the version before it.
#[library_benchmark(config = counted(10_318_000, 6_041))]
#[bench::memory(args = ("memory:"), setup = Log::open)]
fn append(log: Log) {
    log.append(EVENTS);
}

// The same, durable, a fifth of them.
#[library_benchmark(config = counted_in_all(15_580_000, 5_353))]
#[bench::fifth(200)]
fn append_to_sqlite(events: u64) {
    let folder = tempfile::tempdir().expect("a folder to write to");
    let file = folder.path().join("log.db");
    Log::open(&format!("sqlite:{}", file.display())).append(events);
}

library_benchmark_group!(name = writing, benchmarks = [append, append_to_sqlite]);

#[library_benchmark(config = counted(3_155_000, 1_011))]
#[bench::memory(setup = Log::filled)]
fn load(log: Log) -> i64 {
    let accounts = Repository::<Account>::new(&log.store);
    let id = AccountId::new("one").expect("a name");
    let account = log.runtime.block_on(accounts.load(&id));
    account.expect("its events are there").balance
}

#[library_benchmark(config = counted(3_098_000, 1_054))]
#[bench::memory(setup = Log::filled)]
fn catch_up(log: Log) -> i64 {
    let mut total = Projector::<Total>::in_memory(&log.store);
    let caught_up = log.runtime.block_on(total.catch_up());
    caught_up.expect("every event is known");
    total.balance
}

library_benchmark_group!(name = following, benchmarks = [load, catch_up]);

/// A store, and what drives it.
struct Log {
    runtime: Runtime,
    store: Store,
}

impl Log {
    fn open(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().expect("a runtime");
        let store = runtime.block_on(Store::connect(url)).expect("a store");
        Self { runtime, store }
    }

    fn filled() -> Self {
        let log = Self::open("memory:");
        log.append(EVENTS);
        log
    }

    fn append(&self, events: u64) {
        let stream = StreamId::new("account", "one").expect("a name");
        for before in 0..events {
            let (name, payload) = domain::event(before + 1);
            let event = NewEvent {
                id: EventId(Uuid::now_v7()),
                name: name.into(),
                schema_version: 1,
                recorded_at: Utc::now(),
                metadata: Metadata::default(),
                payload,
            };
            let expected = Expected::Version(Version(before));
            let appended = self.store.append(&stream, expected, vec![event]);
            self.runtime.block_on(appended).expect("nobody else writes");
        }
    }
}

main!(library_benchmark_groups = [reading, events, writing, following]);
