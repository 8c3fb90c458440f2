//! The rules of a task, that the tables are what a fold is, and that a task is escalated once.

use std::collections::BTreeMap;

use recount::log::Query;
use recount::prelude::*;
use recount::projection::{FollowError, TableProjector, TableReader};
use recount::reaction::Reactor;
use recount::testing::{given, given_log, golden};

use crate::board::{Board, Counts, Line};
use crate::escalation::{self, Escalation};
use crate::support::AnyError;
use crate::task::{
    Person, Task, TaskAssigned, TaskCompleted, TaskCreated, TaskError, TaskEscalated, TaskId,
    TaskReopened,
};

fn person(name: &str) -> Person {
    Person::new(name).expect("a name")
}

fn id(task: &str) -> TaskId {
    TaskId::new(task).expect("an id")
}

fn created() -> TaskCreated {
    TaskCreated {
        title: "Order tea".into(),
        reason: "two bags are left".into(),
    }
}

fn assigned(to: &str) -> TaskAssigned {
    TaskAssigned {
        to: person(to),
        reason: "it is on the way".into(),
    }
}

fn completed(by: &str) -> TaskCompleted {
    TaskCompleted {
        by: person(by),
        result: "forty bags".into(),
    }
}

fn reopened() -> TaskReopened {
    TaskReopened {
        reason: "it is coffee".into(),
    }
}

fn escalated(taken_from: &str) -> TaskEscalated {
    TaskEscalated {
        taken_from: person(taken_from),
        reason: "it was reopened 2 times".into(),
    }
}

#[test]
fn a_task_needs_a_title_and_a_reason() {
    given::<Task>(())
        .when_created(Task::create("Order tea", "two bags are left"))
        .then(created());
    given::<Task>(())
        .when_created(Task::create(" ", "two bags are left"))
        .then_err(TaskError::NoTitle);
    given::<Task>(())
        .when_created(Task::create("Order tea", ""))
        .then_err(TaskError::NoReason);
}

#[test]
fn a_task_that_nobody_has_is_assigned() {
    given::<Task>(created())
        .when(|task| task.assign(&person("Jane"), "it is on the way"))
        .then(assigned("Jane"));
    given::<Task>(created())
        .when(|task| task.assign(&person("Jane"), " "))
        .then_err(TaskError::NoReason);
}

#[test]
fn a_task_that_somebody_has_is_only_reassigned() {
    let of_jane = || given::<Task>((created(), assigned("Jane")));
    of_jane()
        .when(|task| task.assign(&person("Joe"), "it is on the way"))
        .then_err(TaskError::Assigned(person("Jane")));
    of_jane()
        .when(|task| task.reassign(&person("Joe"), "it is on the way"))
        .then(assigned("Joe"));
    of_jane()
        .when(|task| task.reassign(&person("Joe"), ""))
        .then_err(TaskError::NoReason);
    given::<Task>(created())
        .when(|task| task.reassign(&person("Joe"), "it is on the way"))
        .then_err(TaskError::Unassigned);
}

#[test]
fn nobody_is_given_what_is_theirs() {
    let of_jane = || given::<Task>((created(), assigned("Jane")));
    of_jane()
        .when(|task| task.assign(&person("Jane"), "it is on the way"))
        .then_err(TaskError::HasItAlready(person("Jane")));
    of_jane()
        .when(|task| task.reassign(&person("Jane"), "it is on the way"))
        .then_err(TaskError::HasItAlready(person("Jane")));
}

#[test]
fn only_who_has_a_task_completes_it() {
    given::<Task>((created(), assigned("Jane")))
        .when(|task| task.complete(&person("Jane"), "forty bags"))
        .then(completed("Jane"));
    given::<Task>((created(), assigned("Jane")))
        .when(|task| task.complete(&person("Joe"), "forty bags"))
        .then_err(TaskError::SomebodyElses {
            assignee: person("Jane"),
            by: person("Joe"),
        });
    given::<Task>(created())
        .when(|task| task.complete(&person("Jane"), "forty bags"))
        .then_err(TaskError::Unassigned);
}

#[test]
fn what_is_done_is_reopened_before_anything_else() {
    let done = || given::<Task>((created(), assigned("Jane"), completed("Jane")));
    done()
        .when(|task| task.assign(&person("Joe"), "it is on the way"))
        .then_err(TaskError::Done);
    done()
        .when(|task| task.reassign(&person("Joe"), "it is on the way"))
        .then_err(TaskError::Done);
    done()
        .when(|task| task.complete(&person("Jane"), "more"))
        .then_err(TaskError::Done);
    done()
        .when(|task| task.reopen("it is coffee"))
        .then(reopened());
    done()
        .when(|task| task.reopen(""))
        .then_err(TaskError::NoReason);
    given::<Task>(created())
        .when(|task| task.reopen("it is coffee"))
        .then_err(TaskError::NotDone);
}

#[test]
fn every_event_that_was_ever_stored_is_read_as_before() {
    golden::<Task>("examples/tasks/golden.jsonl");
}

/// Lets the reaction handle all there is.
async fn react(store: &Store) -> Result<(), FollowError> {
    Reactor::new(Escalation, store).await?.catch_up().await?;
    Ok(())
}

/// Done and reopened, so many times.
async fn came_back(times: u32) -> recount::testing::Reacted {
    let mut log = given_log()
        .in_tenant("acme")
        .stream::<Task>(&id("T-1"), (created(), assigned("Jane")));
    for _ in 0..times {
        log = log.stream::<Task>(&id("T-1"), (completed("Jane"), reopened()));
    }
    log.when(react).await.in_tenant("acme")
}

#[tokio::test]
async fn a_task_that_came_back_twice_is_taken_from_who_has_it() {
    came_back(1).await.then_nothing_else();
    came_back(2)
        .await
        .then::<Task>(&id("T-1"), escalated("Jane"))
        .then_nothing_else();
}

#[tokio::test]
async fn a_task_is_escalated_once_however_often_it_comes_back_and_is_reacted_to() {
    given_log()
        .stream::<Task>(&id("T-1"), (created(), assigned("Jane"), completed("Jane")))
        .stream::<Task>(&id("T-1"), (reopened(), completed("Jane"), reopened()))
        .stream::<Task>(&id("T-1"), (escalated("Jane"), assigned("Joe")))
        .stream::<Task>(&id("T-1"), (completed("Joe"), reopened()))
        .when(react)
        .await
        .then_nothing_else();
    given_log()
        .stream::<Task>(&id("T-1"), (created(), assigned("Jane"), completed("Jane")))
        .stream::<Task>(&id("T-1"), (reopened(), completed("Jane"), reopened()))
        .when(async |store| -> Result<(), AnyError> {
            // As after a crash: the checkpoint was not saved, and meanwhile the task went on.
            for event in store
                .read(Query::all().names(["TaskReopened"]))
                .collect()
                .await?
            {
                for _ in 0..2 {
                    let act = Act::on(store, "escalation", &event);
                    escalation::escalate(&id("T-1"), &act).await?;
                }
            }
            Ok(())
        })
        .await
        .then::<Task>(&id("T-1"), escalated("Jane"))
        .then_nothing_else();
}

/// What the table `people` holds, as a fold.
#[derive(Debug, Default)]
struct People {
    assignees: BTreeMap<String, String>,
    counts: BTreeMap<String, [i64; 3]>,
}

#[projection(name = "people", of(Task))]
impl People {
    fn assigned(&mut self, event: TaskAssigned, at: &Envelope) {
        self.taken_away(at);
        let to = event.to.to_string();
        self.counts.entry(to.clone()).or_default()[0] += 1;
        self.assignees.insert(at.stream.id().to_owned(), to);
    }

    fn completed(&mut self, event: TaskCompleted) {
        let [open, done, _] = self.counts.entry(event.by.to_string()).or_default();
        *open -= 1;
        *done += 1;
    }

    fn reopened(&mut self, _: TaskReopened, at: &Envelope) {
        let assignee = self.assignees.get(at.stream.id()).cloned();
        let [open, done, reopened] = self.counts.entry(assignee.unwrap_or_default()).or_default();
        *open += 1;
        *done -= 1;
        *reopened += 1;
    }

    fn escalated(&mut self, _: TaskEscalated, at: &Envelope) {
        self.taken_away(at);
    }
}

impl People {
    fn taken_away(&mut self, at: &Envelope) {
        if let Some(before) = self.assignees.remove(at.stream.id()) {
            self.counts.entry(before).or_default()[0] -= 1;
        }
    }
}

/// Asks for something about some task, most of which is refused; always the same for the same number.
async fn something(tasks: &Repository<Task>, number: u64) {
    // The constants of a well-known generator, of which the upper bits are good.
    let dice = (number + 1)
        .wrapping_mul(6_364_136_223_846_793_005)
        .rotate_left(29)
        >> 7;
    let task = id(&format!("T-{}", dice % 5));
    let who = person(["Ann", "Jane", "Joe"][(dice / 5 % 3) as usize]);
    let kind = dice / 15 % 6;
    let outcome = tasks.execute(&task, |task| {
        Ok::<_, TaskError>(match kind {
            0 => (Some(task.assign(&who, "why")?), None, None, None),
            1 => (Some(task.reassign(&who, "why")?), None, None, None),
            2 | 3 => (None, Some(task.complete(&who, "so")?), None, None),
            4 => (None, None, Some(task.reopen("why")?), None),
            _ => (None, None, None, task.escalate()),
        })
    });
    if outcome.await.is_err() {
        let made = tasks.create(&task, created());
        // Unless it is there.
        let _ = made.await;
    }
}

#[tokio::test]
async fn the_tables_are_what_a_fold_is() -> Result<(), AnyError> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}", folder.path().join("log.db").display());
    let store = Store::connect(&url).await?;
    for (tenant, seed) in [("acme", 0), ("globex", 10_000)] {
        let store = store.for_tenant(tenant)?;
        let tasks = Repository::<Task>::new(&store);
        let mut board = TableProjector::new(Board, &store).await?;
        for number in 0..400 {
            something(&tasks, seed + number).await;
            // In pages of different sizes.
            if number % 37 == 0 {
                board.catch_up().await?;
            }
        }
        board.catch_up().await?;
        compare(&store, &tasks, &board).await?;
    }
    Ok(())
}

async fn compare(
    store: &Store,
    tasks: &Repository<Task>,
    board: &TableReader<Board>,
) -> Result<(), AnyError> {
    let mut people = Projector::<People>::in_memory(store);
    people.catch_up().await?;
    let folded: Vec<Counts> = people
        .counts
        .iter()
        .map(|(person, [open, done, reopened])| Counts {
            person: person.clone(),
            open: *open,
            done: *done,
            reopened: *reopened,
        })
        .collect();
    assert_eq!(Board::people(board).await?, folded);
    // Something of everything has happened.
    assert!(folded.len() == 3 && folded.iter().all(|counts| counts.reopened > 1));

    let lines = Board::lines(board).await?;
    assert_eq!(lines.len(), 5);
    let states: Vec<&str> = lines.iter().map(|line| line.state.as_str()).collect();
    assert!(states.iter().any(|state| *state != states[0]), "{states:?}");
    for line in lines {
        let task = tasks.load(&id(&line.task)).await?;
        let expected = Line {
            task: line.task.clone(),
            title: task.title.clone(),
            state: match &task.assignee {
                _ if task.is_done => "done",
                Some(_) => "assigned",
                None if task.was_escalated => "escalated",
                None => "open",
            }
            .to_owned(),
            assignee: task.assignee.as_ref().map(ToString::to_string),
            reopened: task.reopened,
            ..line.clone()
        };
        assert_eq!(line, expected);
        assert_eq!(line.done_at.is_some(), task.is_done);
        assert_eq!(line.assigned_at.is_some(), task.assignee.is_some());
        let open = Board::open_for(board, line.assignee.as_deref().unwrap_or("")).await?;
        let is_open = task.assignee.is_some() && !task.is_done;
        assert_eq!(open.contains(&line.task), is_open);
    }
    Ok(())
}
