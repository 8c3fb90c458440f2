//! The oracle where positions are drawn before the commit: what it allows there and nowhere else, and what it allows nowhere.

use crate::faults::{attempt, look, stored};
use crate::history::{Attempt, Condition, Entry, History, Look, Part, Plan, Scope, Sight};
use crate::oracle::{Fault, Log, Order, Who, check_in};

const A: u64 = 1;
const B: u64 = 2;

fn plan(batch: u64, streams: &[u32]) -> Plan {
    let part = |stream: &u32| Part {
        stream: *stream,
        condition: Condition::Any,
        events: 1,
    };
    Plan {
        batch,
        parts: streams.iter().map(part).collect(),
        stolen: None,
    }
}

fn entry(position: u64, stream: u32, batch: u64, index: u64) -> Entry {
    Entry {
        position,
        stream,
        version: 1,
        batch,
        index,
    }
}

/// A is drawn first, on stream 0, and answered last: it may be committed behind B, which is on stream 1.
fn two_streams() -> (Vec<Attempt>, Vec<Entry>) {
    let attempts = vec![
        attempt(1, plan(A, &[0]), 10, 60, stored(1, 1)),
        attempt(2, plan(B, &[1]), 20, 30, stored(2, 1)),
    ];
    (attempts, vec![entry(1, 0, A, 0), entry(2, 1, B, 0)])
}

/// What the oracle says of looks at this log, if it is of this order. A look of its own shows all of it at the end.
fn judge(
    order: Order,
    (attempts, entries): &(Vec<Attempt>, Vec<Entry>),
    looks: Vec<Look>,
) -> Result<(), Fault> {
    let mut log = Log::default();
    for entry in entries {
        log.push(*entry)?;
    }
    check_in(order, &History::new(attempts.clone(), looks), &log, 0).map(|_| ())
}

fn version(stream: u32, version: u64) -> Sight {
    Sight::Version { stream, version }
}

fn newest(entries: &[Entry]) -> Sight {
    Sight::Newest {
        scope: Scope::All,
        entries: entries.iter().rev().copied().collect(),
        last: true,
    }
}

fn head(position: u64) -> Sight {
    Sight::Head { position }
}

#[test]
fn streams_may_be_committed_in_another_order_than_they_were_drawn() {
    let story = two_streams();
    for looks in [
        // B is there, A is not.
        vec![look(31, 32, version(1, 1)), look(40, 50, version(0, 0))],
        // B is acknowledged, but the log does not show it before A.
        vec![look(31, 32, newest(&[])), look(61, 62, newest(&story.1))],
        vec![look(31, 32, head(0)), look(33, 34, version(1, 1))],
    ] {
        assert_eq!(judge(Order::Draws, &story, looks.clone()), Ok(()));
        let in_turn = judge(Order::Commits, &story, looks);
        assert!(
            matches!(in_turn, Err(Fault::Reordered { .. })),
            "{in_turn:?}"
        );
    }
}

#[test]
fn a_stream_is_never_seen_as_it_was_before() {
    let story = two_streams();
    let early = Who::Attempt(1);
    // Acknowledged and not there.
    let looks = vec![look(61, 62, version(0, 0))];
    let told = judge(Order::Draws, &story, looks).unwrap_err();
    assert!(matches!(told, Fault::Reordered { position: 1, early: who, .. } if who == early));
    // There and not there.
    let looks = vec![look(40, 41, version(0, 1)), look(42, 43, version(0, 0))];
    let told = judge(Order::Draws, &story, looks).unwrap_err();
    assert!(
        matches!(told, Fault::Reordered { position: 1, .. }),
        "{told}"
    );
}

#[test]
fn the_streams_of_a_batch_are_committed_at_once() {
    let both = attempt(1, plan(A, &[0, 1]), 10, 60, {
        crate::history::Answer::Stored {
            position: 2,
            versions: vec![1, 1],
            repeated: false,
        }
    });
    let story = (vec![both], vec![entry(1, 0, A, 0), entry(2, 1, A, 1)]);
    let looks = vec![look(40, 41, version(1, 1)), look(42, 43, version(0, 0))];
    let told = judge(Order::Draws, &story, looks).unwrap_err();
    assert!(matches!(told, Fault::Reordered { .. }), "{told}");
}

#[test]
fn the_log_never_goes_back_and_shows_nothing_before_it_is_committed() {
    let story = two_streams();
    for looks in [
        vec![look(61, 62, head(2)), look(63, 64, head(1))],
        vec![
            look(61, 62, newest(&story.1)),
            look(63, 64, newest(&story.1[..1])),
        ],
        // A was not there yet.
        vec![look(33, 34, newest(&story.1)), look(40, 50, version(0, 0))],
    ] {
        let told = judge(Order::Draws, &story, looks).unwrap_err();
        assert!(matches!(told, Fault::Reordered { .. }), "{told}");
    }
}

#[test]
fn an_append_that_was_called_after_anothers_answer_is_drawn_behind_it() {
    let mut story = two_streams();
    story.0[0].begun = 35;
    let expected = Fault::Reordered {
        position: 1,
        early: Who::Attempt(2),
        late: Who::Attempt(1),
    };
    assert_eq!(judge(Order::Draws, &story, Vec::new()), Err(expected));
}
