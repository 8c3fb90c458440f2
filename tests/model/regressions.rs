//! Scripts that once showed a defect, each under the name of what holds since.

use recount::chrono::{DateTime, Utc};
use recount::log::{Expected, Query};

use crate::commands::{
    Account, Command, Expectation, Fault, Fresh, Happening, Id, Name, Part, Read, Script,
    Snapshots, Step,
};
use crate::on_this_machine;

const ACCOUNT: Account = Account {
    by: None,
    id: "a",
    actor: None,
    snapshots: Snapshots::Never,
};

const STREAM: Name = Name {
    tenant: None,
    category: "order",
    id: "a",
};

fn holds(commands: impl IntoIterator<Item = (DateTime<Utc>, Command)>) {
    let step = |(now, command)| Step {
        command,
        second: false,
        now,
    };
    let script = Script(commands.into_iter().map(step).collect());
    on_this_machine(&script).unwrap();
}

/// Half a second after 23:59:60.
fn leap_second() -> DateTime<Utc> {
    DateTime::from_timestamp(1_483_228_799, 1_500_000_000).unwrap()
}

fn event(recorded_at: DateTime<Utc>, fault: Option<Fault>) -> Part {
    Part {
        stream: STREAM,
        expected: Expectation::Is(Expected::Any),
        events: vec![Fresh {
            id: Id::New(0),
            name: "Counted",
            schema_version: 1,
            payload: "{}",
            actor: None,
            recorded_at,
            fault,
        }],
    }
}

fn since(time: DateTime<Utc>) -> Command {
    Command::Read(
        None,
        Read {
            query: Query::all().since(time),
            stream: None,
            one_by_one: false,
        },
    )
}

#[test]
fn a_leap_second_is_the_same_when_recorded_and_when_loaded() {
    holds([
        (
            DateTime::UNIX_EPOCH,
            Command::Create(ACCOUNT, vec![Happening::Opened("John")]),
        ),
        (DateTime::UNIX_EPOCH, Command::Keep(ACCOUNT, 0)),
        (
            leap_second(),
            Command::Record(0, vec![Happening::Deposited(1)]),
        ),
    ]);
}

#[test]
fn every_store_finds_a_leap_second_by_the_same_time() {
    let later = DateTime::from_timestamp(1_483_228_800, 250_000_000).unwrap();
    holds([
        (
            later,
            Command::Append(None, vec![event(leap_second(), None)]),
        ),
        (later, Command::Append(None, vec![event(later, None)])),
        (later, since(later)),
        (later, since(leap_second())),
    ]);
}

#[test]
fn what_a_unit_of_work_is_given_by_hand_is_looked_over_as_any_other_event() {
    let by_hand = |part| Command::UnitOfWork(None, Vec::new(), Some(part));
    let now = DateTime::from_timestamp_nanos(1_500);
    holds([
        (now, by_hand(event(now, Some(Fault::NotJson)))),
        (now, by_hand(event(now, Some(Fault::NotUtf8)))),
        (now, by_hand(event(now, None))),
        (now, since(now)),
        (now, since(DateTime::from_timestamp_nanos(1_000))),
    ]);
}
