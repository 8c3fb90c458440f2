//! The oracle finds faults: small histories that are right, and the same with one thing wrong, which it must name.

use crate::history::{Answer, Attempt, Condition, Entry, History, Look, Part, Plan, Scope, Sight};
use crate::oracle::{Checked, Fault, Log, Who, check};

/// Two batches of one stream, one after the other, a refusal, and a follower who saw both.
struct Story {
    attempts: Vec<Attempt>,
    looks: Vec<Look>,
    log: Vec<Entry>,
}

const ONE: u64 = 1;
const TWO: u64 = 2;
const REFUSED: u64 = 3;
const FOLLOWER: u64 = 9;

fn plan(batch: u64, condition: Condition, events: u64) -> Plan {
    let part = Part {
        stream: 0,
        condition,
        events,
    };
    Plan {
        batch,
        parts: vec![part],
        stolen: None,
    }
}

pub fn attempt(number: u64, plan: Plan, begun: u64, ended: u64, answer: Answer) -> Attempt {
    Attempt {
        number,
        plan,
        begun,
        answer: Some((ended, answer)),
    }
}

pub fn stored(position: u64, version: u64) -> Answer {
    Answer::Stored {
        position,
        versions: vec![version],
        repeated: false,
    }
}

fn repeated(position: u64, version: u64) -> Answer {
    Answer::Stored {
        position,
        versions: vec![version],
        repeated: true,
    }
}

fn conflict(actual: u64) -> Answer {
    Answer::Conflict { stream: 0, actual }
}

fn entry(position: u64, batch: u64, index: u64) -> Entry {
    Entry {
        position,
        stream: 0,
        version: position,
        batch,
        index,
    }
}

pub fn look(begun: u64, ended: u64, sight: Sight) -> Look {
    Look {
        reader: FOLLOWER,
        begun,
        ended,
        sight,
    }
}

fn page(after: u64, entries: &[Entry], last: bool) -> Sight {
    Sight::Page {
        scope: Scope::All,
        after,
        entries: entries.to_vec(),
        last,
    }
}

/// Batch one (two events) in 10..20, batch two (one event) in 30..40, a refusal in 50..60, pages in 25..26 and 70..80.
fn story() -> Story {
    let log = vec![entry(1, ONE, 0), entry(2, ONE, 1), entry(3, TWO, 0)];
    Story {
        attempts: vec![
            attempt(1, plan(ONE, Condition::NoStream, 2), 10, 20, stored(2, 2)),
            attempt(2, plan(TWO, Condition::Version(2), 1), 30, 40, stored(3, 3)),
            attempt(
                3,
                plan(REFUSED, Condition::Version(2), 1),
                50,
                60,
                conflict(3),
            ),
        ],
        looks: vec![
            look(25, 26, page(0, &log[..2], true)),
            look(70, 80, page(2, &log[2..], true)),
        ],
        log,
    }
}

fn judge(story: Story) -> Result<Checked, Fault> {
    let mut log = Log::default();
    for entry in story.log {
        log.push(entry)?;
    }
    check(&History::new(story.attempts, story.looks), &log, 0)
}

/// What is found when one thing of the story is changed.
fn told(change: impl FnOnce(&mut Story)) -> Fault {
    let mut story = story();
    change(&mut story);
    judge(story).expect_err("there is a fault")
}

#[test]
fn a_history_that_its_log_explains_has_no_fault() {
    let checked = judge(story()).expect("no fault");
    let expected = Checked {
        stored: 2,
        conflicts: 1,
        looks: 2,
        seen: 3,
        ..Checked::default()
    };
    assert_eq!(checked, expected);
}

#[test]
fn calls_that_overlap_may_have_been_in_either_order() {
    let mut story = story();
    // The second was called before the first was answered, and a page that was begun before either saw neither.
    story.attempts[1].begun = 15;
    story.looks.insert(0, look(5, 35, page(0, &[], true)));
    judge(story).expect("no fault");
}

#[test]
fn a_batch_that_nobody_was_told_of_may_be_there_or_not() {
    let mut there = story();
    there.attempts[1].answer = None;
    assert_eq!(judge(there).expect("no fault").untold, 1);

    let mut absent = story();
    absent.attempts[2].answer = None;
    assert_eq!(judge(absent).expect("no fault").untold, 0);
}

#[test]
fn a_retry_is_recognised_whatever_became_of_the_first_try() {
    let mut story = story();
    story.attempts[0].answer = None;
    let again = plan(ONE, Condition::NoStream, 2);
    story
        .attempts
        .push(attempt(4, again, 90, 99, repeated(2, 2)));
    assert_eq!(judge(story).expect("no fault").repeated, 1);
}

#[test]
fn an_acknowledged_event_that_is_not_there_is_lost() {
    let fault = told(|story| {
        story.log.pop();
        story.looks.pop();
    });
    assert_eq!(fault, Fault::Lost { batch: TWO });
}

#[test]
fn an_event_that_is_there_twice_is_doubled() {
    let fault = told(|story| story.log.push(entry(4, ONE, 1)));
    let expected = Fault::Doubled {
        batch: ONE,
        index: 1,
        position: 4,
    };
    assert_eq!(fault, expected);
}

#[test]
fn a_batch_with_an_event_missing_is_torn() {
    let fault = told(|story| {
        story.attempts.truncate(1);
        story.attempts[0].answer = None;
        story.looks.clear();
        story.log.truncate(1);
    });
    let expected = Fault::Torn {
        batch: ONE,
        found: 1,
        of: 2,
    };
    assert_eq!(fault, expected);
}

#[test]
fn a_batch_with_another_in_its_midst_is_misplaced() {
    let fault = told(|story| {
        story.log = vec![entry(1, ONE, 0), entry(2, TWO, 0), entry(3, ONE, 1)];
    });
    assert_eq!(fault, Fault::Misplaced { batch: ONE });
}

#[test]
fn a_version_that_is_left_out_is_a_hole() {
    let fault = told(|story| story.log[2].version = 4);
    let expected = Fault::Hole {
        stream: 0,
        position: 3,
        expected: 3,
        found: 4,
    };
    assert_eq!(fault, expected);
}

#[test]
fn positions_that_do_not_rise_are_told() {
    let fault = told(|story| story.log[2].position = 2);
    let expected = Fault::PositionsFall {
        before: 2,
        position: 2,
    };
    assert_eq!(fault, expected);
}

#[test]
fn an_event_that_nobody_appended_is_a_stray() {
    let fault = told(|story| story.log.push(entry(4, 77, 0)));
    let expected = Fault::Stray {
        batch: 77,
        position: 4,
    };
    assert_eq!(fault, expected);
}

#[test]
fn two_who_were_told_the_same_version_are_two_winners() {
    let fault = told(|story| story.attempts[2].answer = Some((60, stored(3, 3))));
    let expected = Fault::TwoWinners {
        one: TWO,
        two: REFUSED,
        stream: 0,
        version: 3,
    };
    assert_eq!(fault, expected);
}

#[test]
fn an_acknowledgement_with_another_position_or_version_is_at_the_wrong_place() {
    let fault = told(|story| story.attempts[1].answer = Some((40, stored(4, 3))));
    assert_eq!(fault, Fault::WrongPlace { batch: TWO });
    let fault = told(|story| story.attempts[1].answer = Some((40, stored(3, 4))));
    assert_eq!(fault, Fault::WrongPlace { batch: TWO });
}

#[test]
fn a_retry_that_is_called_new_was_applied_twice() {
    let fault = told(|story| {
        let again = plan(ONE, Condition::NoStream, 2);
        story.attempts.push(attempt(4, again, 90, 99, stored(2, 2)));
    });
    assert_eq!(fault, Fault::AppliedTwice { batch: ONE });
}

#[test]
fn a_first_try_that_is_called_a_repetition_was_never_applied() {
    let fault = told(|story| story.attempts[1].answer = Some((40, repeated(3, 3))));
    assert_eq!(fault, Fault::NeverApplied { batch: TWO });
}

#[test]
fn a_retry_that_meets_its_own_events_as_a_conflict_was_not_recognised() {
    let fault = told(|story| {
        let again = plan(ONE, Condition::NoStream, 2);
        story.attempts.push(attempt(4, again, 90, 99, conflict(3)));
    });
    assert_eq!(fault, Fault::NotRecognised { batch: ONE });
}

#[test]
fn a_stolen_id_is_a_duplicate_and_nothing_else_is() {
    let stolen = |answer: Option<Answer>| {
        let mut story = story();
        story.attempts[2].plan.stolen = Some((ONE, 1));
        story.attempts[2].answer = answer.map(|answer| (60, answer));
        judge(story)
    };
    stolen(Some(Answer::Duplicate)).expect("no fault");
    stolen(None).expect("no fault");
    let wrong = Fault::StolenIdMistaken { batch: REFUSED };
    assert_eq!(stolen(Some(conflict(3))), Err(wrong.clone()));
    assert_eq!(stolen(Some(stored(4, 4))), Err(wrong));

    let fault = told(|story| story.attempts[2].answer = Some((60, Answer::Duplicate)));
    assert_eq!(fault, Fault::TakenForAnother { batch: REFUSED });
}

#[test]
fn a_refused_batch_that_is_there_is_told() {
    let fault = told(|story| story.attempts[1].answer = Some((40, conflict(3))));
    assert_eq!(fault, Fault::RefusedButStored { batch: TWO });
}

#[test]
fn an_append_that_was_accepted_against_its_condition_is_told() {
    let fault = told(|story| story.attempts[1].plan = plan(TWO, Condition::Version(1), 1));
    let expected = Fault::ConditionBroken {
        batch: TWO,
        stream: 0,
        version: 2,
    };
    assert_eq!(fault, expected);
}

#[test]
fn a_stream_that_is_only_checked_must_be_where_it_should() {
    let checks = |condition, version| {
        move |story: &mut Story| {
            let part = Part {
                stream: 5,
                condition,
                events: 0,
            };
            story.attempts[1].plan.parts.push(part);
            let answer = Answer::Stored {
                position: 3,
                versions: vec![3, version],
                repeated: false,
            };
            story.attempts[1].answer = Some((40, answer));
        }
    };
    let fault = told(checks(Condition::StreamExists, 0));
    let expected = Fault::ConditionBroken {
        batch: TWO,
        stream: 5,
        version: 0,
    };
    assert_eq!(fault, expected);
    let fault = told(checks(Condition::NoStream, 1));
    assert_eq!(fault, Fault::WrongPlace { batch: TWO });
}

#[test]
fn a_conflict_in_which_the_condition_holds_has_no_cause() {
    let fault = told(|story| story.attempts[2].answer = Some((60, conflict(2))));
    let expected = Fault::RefusedWithoutCause {
        batch: REFUSED,
        stream: 0,
        version: 2,
    };
    assert_eq!(fault, expected);
}

#[test]
fn a_conflict_with_a_version_from_the_past_or_the_future_is_told() {
    // Version 3 was committed by 40, and this was called at 50.
    let fault = told(|story| {
        story.attempts[2].plan = plan(REFUSED, Condition::NoStream, 1);
        story.attempts[2].answer = Some((60, conflict(2)));
    });
    let expected = Fault::Reordered {
        position: 3,
        early: Who::Attempt(2),
        late: Who::Attempt(3),
    };
    assert_eq!(fault, expected);
    // Version 3 was not asked for before 30, and this was answered by 28.
    let fault = told(|story| {
        story.attempts[2].begun = 27;
        story.attempts[2].answer = Some((28, conflict(3)));
    });
    let expected = Fault::Reordered {
        position: 3,
        early: Who::Attempt(3),
        late: Who::Attempt(2),
    };
    assert_eq!(fault, expected);
    let fault = told(|story| story.attempts[2].answer = Some((60, conflict(4))));
    let expected = Fault::NeverWas {
        who: Who::Attempt(3),
        stream: 0,
        version: 4,
    };
    assert_eq!(fault, expected);
}

#[test]
fn an_append_that_was_called_after_anothers_answer_stands_behind_it() {
    let fault = told(|story| {
        story.attempts[0].begun = 41;
        story.attempts[0].answer = Some((45, stored(2, 2)));
        story.looks.clear();
    });
    let expected = Fault::Reordered {
        position: 1,
        early: Who::Attempt(2),
        late: Who::Attempt(1),
    };
    assert_eq!(fault, expected);
}

#[test]
fn a_follower_who_was_not_shown_an_event_missed_it() {
    let (one, two, three) = (entry(1, ONE, 0), entry(2, ONE, 1), entry(3, TWO, 0));
    let who = Who::Reader(FOLLOWER);
    let shown = |pages: Vec<Look>| told(|story| story.looks = pages);

    // A late event: it stands below what was seen before.
    let fault = shown(vec![
        look(70, 71, page(0, &[one, three], false)),
        look(72, 73, page(3, &[], true)),
    ]);
    assert_eq!(fault, Fault::Missed { who, position: 2 });
    let fault = shown(vec![look(70, 71, page(0, &[one, one, two, three], true))]);
    assert_eq!(fault, Fault::Phantom { who, position: 1 });
    let fault = shown(vec![
        look(70, 71, page(0, &[one, two], false)),
        look(72, 73, page(1, &[two, three], true)),
    ]);
    let (at, after) = (2, 1);
    assert_eq!(fault, Fault::LostItsPlace { who, at, after });
    let fault = shown(vec![look(25, 26, page(0, &[one, two], true))]);
    assert_eq!(fault, Fault::EndedEarly { who, at: 2, end: 3 });
    // The end of the log, said when there was more for long.
    let fault = shown(vec![
        look(70, 71, page(0, &[one, two], true)),
        look(72, 73, page(2, &[three], true)),
    ]);
    let expected = Fault::Reordered {
        position: 3,
        early: Who::Attempt(2),
        late: who,
    };
    assert_eq!(fault, expected);
}

#[test]
fn whoever_sees_an_end_within_a_batch_saw_half_of_it() {
    let who = Who::Reader(FOLLOWER);
    for sight in [
        page(0, &[entry(1, ONE, 0)], true),
        Sight::Newest {
            scope: Scope::All,
            entries: vec![entry(1, ONE, 0)],
            last: true,
        },
        Sight::Version {
            stream: 0,
            version: 1,
        },
        Sight::Head { position: 1 },
    ] {
        let fault = told(|story| {
            let rest = page(1, &[entry(2, ONE, 1), entry(3, TWO, 0)], true);
            let pages = matches!(sight, Sight::Page { .. });
            story.looks = vec![look(15, 16, sight)];
            if pages {
                story.looks.push(look(70, 80, rest));
            }
        });
        assert_eq!(fault, Fault::HalfSeen { who, batch: ONE });
    }
}

#[test]
fn what_is_seen_from_the_end_is_held_to_the_same() {
    let who = Who::Reader(FOLLOWER);
    let newest = |begun, ended, entries: &[Entry], last| {
        let sight = Sight::Newest {
            scope: Scope::All,
            entries: entries.to_vec(),
            last,
        };
        told(|story| story.looks = vec![look(begun, ended, sight)])
    };
    let (one, two, three) = (entry(1, ONE, 0), entry(2, ONE, 1), entry(3, TWO, 0));
    let fault = newest(70, 80, &[three, one], false);
    assert_eq!(fault, Fault::Missed { who, position: 2 });
    let fault = newest(70, 80, &[three, two], true);
    assert_eq!(fault, Fault::Missed { who, position: 1 });
    // Batch two was there since 40.
    let fault = newest(50, 60, &[two, one], true);
    let expected = Fault::Reordered {
        position: 3,
        early: Who::Attempt(2),
        late: who,
    };
    assert_eq!(fault, expected);
}
