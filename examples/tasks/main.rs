//! Tasks of two tenants on one store: who did what, when and why; a board in SQL tables; a reaction; notifications.
//!
//! ```text
//! cargo run --example tasks -- [--store URL] [--publish URL]
//! ```
//!
//! `task.rs` has the events and rules, `board.rs` the tables, `escalation.rs` what is done about tasks that come back too often,
//! `notify.rs` what leaves the store, `story.rs` what happens. The board can be read with the shell of the database while this
//! runs and afterwards: the last lines of the output say how.

mod board;
mod escalation;
mod notify;
mod story;
#[path = "../support/mod.rs"]
mod support;
mod task;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::process::ExitCode;

use board::{Board, Line};
use escalation::Escalation;
use notify::Broker;
use recount::prelude::*;
use recount::projection::{TableProjector, TableReader};
use recount::reaction::Reactor;
use recount::runner::Runner;
use story::Tenant;
use support::progress::{self, Watched};
use support::{AnyError, Opt, Options};
use task::{Person, Task, TaskEvent, TaskId};

const OPTIONS: &[Opt] = &[(
    "--publish",
    "URL",
    "publish all events to redis://HOST:PORT or nats://HOST:PORT, and consume them from there",
)];

#[tokio::main]
async fn main() -> ExitCode {
    support::ended(run().await)
}

async fn run() -> Result<(), AnyError> {
    let Some(options) = Options::read("tasks", OPTIONS)? else {
        return Ok(());
    };
    let broker = options.value("--publish").map(Broker::of).transpose()?;
    let store = options.open_store().await?;
    let runner = Runner::new();

    // Each tenant has tables of its own; one reaction serves all tenants, and acts in the tenant of each event.
    let mut tenants = Vec::new();
    for name in ["acme", "globex"] {
        let store = store.for_tenant(name)?;
        let board = TableProjector::new(Board, &store).await?;
        let board = (*runner.add(board)).clone();
        tenants.push(Tenant { name, store, board });
    }
    let escalation = runner.add(Reactor::new(Escalation, &store).await?);
    let mut followers: Vec<Watched> = tenants
        .iter()
        .map(|tenant| (format!("board of {}", tenant.name), tenant.board.clone()))
        .collect();
    followers.push(("escalation".to_owned(), (*escalation).clone()));
    progress::caught_up(&followers).await?;

    story::go_on(&tenants, &escalation).await?;
    progress::caught_up(&followers).await?;
    for tenant in &tenants {
        history(tenant).await?;
    }
    for tenant in &tenants {
        board(tenant).await?;
    }
    apart(&tenants).await?;
    if let Some(acme) = tenants.first() {
        refusals(acme).await?;
    }
    if let Some(broker) = &broker {
        notify::through(broker, &store, &runner).await?;
    }
    ask_yourself(&store, &tenants);

    progress::at_the_end(&followers).await;
    runner.shutdown().await;
    store.close().await?;
    Ok(())
}

/// Who did what, when and why, as the events say.
async fn history(tenant: &Tenant) -> Result<(), AnyError> {
    println!("--- What happened at {} ---", tenant.name);
    let tasks = Repository::<Task>::new(&tenant.store);
    for line in Board::lines(&TableReader::new(&tenant.store)).await? {
        println!("{} {}", line.task, line.title);
        let mut history = tasks.history(&TaskId::new(line.task)?)?;
        while let Some(past) = history.next().await? {
            let actor = past.at.metadata.actor.as_deref().unwrap_or("somebody");
            let when = past.at.recorded_at.format("%Y-%m-%d %H:%M:%S");
            println!("  {when} {actor} {}", told(&past.event));
        }
    }
    println!();
    Ok(())
}

fn told(event: &TaskEvent) -> String {
    match event {
        TaskEvent::TaskCreated(event) => format!("created it: {}", event.reason),
        TaskEvent::TaskAssigned(event) => format!("assigned it to {}: {}", event.to, event.reason),
        TaskEvent::TaskCompleted(event) => format!("completed it: {}", event.result),
        TaskEvent::TaskReopened(event) => format!("reopened it: {}", event.reason),
        TaskEvent::TaskEscalated(event) => {
            format!("took it from {}: {}", event.taken_from, event.reason)
        }
    }
}

/// What the tables say, asked in SQL and read as types.
async fn board(tenant: &Tenant) -> Result<(), AnyError> {
    println!("--- The board of {} ---", tenant.name);
    let board = TableReader::<Board>::new(&tenant.store);
    for line in Board::lines(&board).await? {
        let Line {
            task,
            title,
            state,
            assignee,
            reopened,
            ..
        } = &line;
        let assignee = assignee.as_deref().unwrap_or("nobody");
        let since = line.done_at.or(line.assigned_at).unwrap_or(line.created_at);
        println!(
            "{task} {title:<28} {state:<9} {assignee:<6} since {}, reopened {reopened} times",
            since.format("%H:%M:%S")
        );
    }
    for counts in Board::people(&board).await? {
        println!(
            "{}: {} open, {} done, {} reopened",
            counts.person, counts.open, counts.done, counts.reopened
        );
    }
    println!();
    Ok(())
}

/// Whatever one tenant asks for, the other's is not there.
async fn apart(tenants: &[Tenant]) -> Result<(), AnyError> {
    println!("--- Each for itself ---");
    let id = TaskId::new("T-2")?;
    for tenant in tenants {
        let board = TableReader::<Board>::new(&tenant.store);
        println!(
            "{}: {} events; Jane has {:?}; T-2: {}",
            tenant.name,
            tenant.store.stats().await?.events,
            Board::open_for(&board, "Jane").await?,
            match Repository::<Task>::new(&tenant.store).load(&id).await {
                Ok(task) => task.title.clone(),
                Err(error) => error.to_string(),
            }
        );
    }
    println!();
    Ok(())
}

/// What a task refuses, with an error of its own type; nothing is stored.
async fn refusals(tenant: &Tenant) -> Result<(), AnyError> {
    println!("--- Refusals ---");
    let tasks = Repository::<Task>::new(&tenant.store);
    let (jane, joe) = (Person::new("Jane")?, Person::new("Joe")?);
    let (joes, done, open) = (
        TaskId::new("T-1")?,
        TaskId::new("T-2")?,
        TaskId::new("T-3")?,
    );

    let second = tasks.create(&joes, Task::create("Another", "why not")?);
    show("A second T-1", second.await);
    show("A task without a title", Task::create(" ", "why not"));
    let completed = tasks.execute(&open, |task| task.complete(&jane, ""));
    show("Completing what nobody has", completed.await);
    let completed = tasks.execute(&joes, |task| task.complete(&jane, ""));
    show("Completing what another has", completed.await);
    let assigned = tasks.execute(&joes, |task| task.assign(&jane, "she is quick"));
    show("Assigning what another has", assigned.await);
    let reassigned = tasks.execute(&joes, |task| task.reassign(&jane, ""));
    show("Reassigning it without a reason", reassigned.await);
    let reassigned = tasks.execute(&joes, |task| task.reassign(&joe, "he likes it"));
    show("Reassigning it to the same", reassigned.await);
    let assigned = tasks.execute(&done, |task| task.assign(&jane, "more tea"));
    show("Assigning what is done", assigned.await);
    let reopened = tasks.execute(&open, |task| task.reopen("it is still grey"));
    show("Reopening what is not done", reopened.await);
    println!();
    Ok(())
}

fn show<T>(what: &str, outcome: Result<T, impl Display>) {
    match outcome {
        Ok(_) => println!("{what}: accepted"),
        Err(error) => println!("{what}: {error}"),
    }
}

/// What to type to see the tables.
fn ask_yourself(store: &Store, tenants: &[Tenant]) {
    println!("--- Ask it yourself ---");
    for Tenant { name, .. } in tenants {
        let board = format!("board_{name}");
        let people = format!("people_{name}");
        let columns = "task, title, state, assignee, reopened";
        println!("  {}", command(store.url(), columns, &board));
        println!("  {}", command(store.url(), "*", &people));
    }
}

/// The command by which the shell of the database shows a view.
fn command(url: &str, columns: &str, view: &str) -> String {
    let (address, options) = url.split_once('?').unwrap_or((url, ""));
    if let Some(path) = address.strip_prefix("sqlite:") {
        return format!("sqlite3 -box '{path}' 'SELECT {columns} FROM {view}'");
    }
    let mut options = options.split('&');
    let schema = options.find_map(|option| option.strip_prefix("schema="));
    let schema = schema.unwrap_or("recount");
    format!("psql '{address}' -c 'SELECT {columns} FROM {schema}.{view}'")
}
