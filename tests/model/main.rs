//! Random commands on every store, and each answer compared with that of a naive model.
//!
//! `PROPTEST_CASES` says how many scripts are tried. A failure prints the shortest script that shows it, one command a line,
//! and adds its seed to `regressions.txt`, whose scripts run first from then on.

mod accounts;
mod answer;
#[path = "../domain/bank.rs"]
mod bank;
mod batches;
mod commands;
mod model;
mod regressions;
#[path = "../support/postgres.rs"]
mod server;
mod shared;
mod subject;

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};
use tokio::runtime::Runtime;

use crate::answer::Answer;
use crate::commands::{Script, script};
use crate::model::Model;
use crate::subject::Subject;

/// With several threads, so that a reader reads ahead.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
});

/// How often each kind of answer was given, since a comparison of what never happens says nothing.
static SEEN: Mutex<BTreeMap<&str, u64>> = Mutex::new(BTreeMap::new());

#[test]
fn every_store_answers_each_command_as_the_model_does() {
    run(600, on_this_machine);
    let seen = SEEN.lock().unwrap();
    println!(
        "answers that agreed: {} {seen:?}",
        seen.values().sum::<u64>()
    );
    for kind in Answer::KINDS {
        assert!(seen.contains_key(kind), "no script led to {kind}: {seen:?}");
    }
}

/// By itself and with fewer scripts, since a schema takes as long to make as a script takes to run.
#[test]
fn a_store_on_a_server_answers_each_command_as_the_model_does() {
    run(100, |script| {
        RUNTIME.block_on(async {
            match Subject::server().await {
                Some(store) => agrees(script, vec![store]).await,
                None => Ok(()),
            }
        })
    });
}

fn on_this_machine(script: &Script) -> Result<(), TestCaseError> {
    RUNTIME.block_on(async {
        let stores = vec![
            Subject::memory(),
            Subject::file().await,
            Subject::memory().keeping(),
            Subject::file().await.keeping(),
        ];
        agrees(script, stores).await
    })
}

/// Tries scripts: so many, or as many as are asked for.
fn run(scripts: u32, agrees: impl Fn(&Script) -> Result<(), TestCaseError>) {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    let regressions = FileFailurePersistence::Direct("tests/model/regressions.txt");
    let mut runner = TestRunner::new(Config {
        cases: cases.unwrap_or(scripts),
        failure_persistence: Some(Box::new(regressions)),
        max_shrink_iters: 20_000,
        ..Config::default()
    });
    if let Err(failure) = runner.run(&script(60), |script| agrees(&script)) {
        panic!("{failure}");
    }
}

/// Carries out a script on stores and on the model, as long as they agree.
async fn agrees(script: &Script, mut stores: Vec<Subject>) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for (number, step) in script.0.iter().enumerate() {
        let batch = model.batch(number, &step.command);
        let wanted = model.answer(number, step, batch.as_deref());
        for store in &mut stores {
            let answer = store.answer(number, step, batch.as_deref()).await;
            if answer != wanted {
                let store = store.name();
                return Err(TestCaseError::fail(format!(
                    "command {number} on {store}:\n answer {answer:?}\n wanted {wanted:?}"
                )));
            }
        }
        *SEEN.lock().unwrap().entry(wanted.kind()).or_default() += stores.len() as u64;
    }
    Ok(())
}
