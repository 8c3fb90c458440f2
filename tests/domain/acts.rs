//! A reaction that handles an event again appends nothing twice, wherever it was stopped the first time.

use std::time::Duration;

use recount::log::{
    AppendError, Appended, Expected, NewEvent, Query, RecordedEvent, StreamId, TenantId,
};
use recount::prelude::*;
use recount::reaction::Act;
use recount::repository::{CreateError, ExecuteError, LoadError, RetryPolicy};
use recount::testing::{Fault, Faults, Operation};

use crate::bank::{Account, Deposited, Insufficient, Withdrawn, id};
use crate::stores::every_store;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// An account with 100 in it, and the deposit that is reacted to.
async fn deposit_to(store: &Store, name: &str, metadata: Metadata) -> RecordedEvent {
    let accounts = Repository::<Account>::new(store).with_metadata(metadata);
    let events = (Account::open(name), Deposited { amount: 100 });
    accounts.create(&id(name), events).await.unwrap();
    all(store).await.pop().unwrap()
}

async fn all(store: &Store) -> Vec<RecordedEvent> {
    let query = Query::all().names(["Opened", "Deposited", "Withdrawn", "Noted"]);
    store.read(query).collect().await.unwrap()
}

fn note(name: &str) -> StreamId {
    StreamId::new("note", name).unwrap()
}

/// Commands of each kind, about the account of this name: none of them would come out alike when it is decided again.
async fn react(act: &Act, name: &str) -> Result<Vec<Appended>, Failed> {
    let (account, savings) = (id(name), id(&format!("{name}-savings")));
    // All that is there: again, it would be refused.
    let withdrawn = act
        .execute(&account, |account: &Account| account.withdraw(100))
        .await?;
    let created = act
        .create::<Account>(&savings, Account::open("saver"))
        .await?;
    // As much as was not there yet: again, there would be nothing to deposit.
    let deposited = act
        .execute(&savings, |savings: &Account| {
            let missing = 100 - savings.balance;
            Ok((missing > 0).then(|| (savings.deposit(missing - 1), savings.deposit(1))))
        })
        .await?;
    let noted = NewEvent::json("Noted", 1, &std::process::id())?;
    let noted = act.append(&note(name), Expected::NoStream, [noted]).await?;
    Ok(vec![withdrawn, created, deposited, noted])
}

/// What the reaction has appended, once.
async fn reacted_once(store: &Store, name: &str) {
    let (account, savings) = (id(name), id(&format!("{name}-savings")));
    let accounts = Repository::<Account>::new(store);
    assert_eq!(accounts.load(&account).await.unwrap().balance, 0);
    assert_eq!(accounts.load(&savings).await.unwrap().balance, 100);
    assert_eq!(store.version(&note(name)).await.unwrap(), Version(1));
    let is_about = |event: &&RecordedEvent| event.stream.id().split('-').next() == Some(name);
    // Two that made the account, and five of the reaction.
    assert_eq!(all(store).await.iter().filter(is_about).count(), 7);
}

/// The handling of an event by a process that starts with it.
async fn handle(store: &Store, event: &RecordedEvent) -> Result<Vec<Appended>, Failed> {
    react(&Act::on(store, "saver", event), event.stream.id()).await
}

every_store! {
    async fn an_event_that_is_handled_again_is_answered_with_what_was_appended(store: Store) {
        let event = deposit_to(&store, "a", Metadata::new()).await;
        let first = handle(&store, &event).await.unwrap();
        assert!(first.iter().all(|appended| !appended.repeated));
        for _ in 0..3 {
            let again = handle(&store, &event).await.unwrap();
            assert!(again.iter().all(|appended| appended.repeated));
            let places = |all: &[Appended]| all.iter().map(|one| (one.position, one.streams.clone())).collect::<Vec<_>>();
            assert_eq!(places(&first), places(&again));
            // What others do in between changes nothing.
            Repository::<Account>::new(&store).execute(&id("b"), |_| Ok(())).await.unwrap_err();
            reacted_once(&store, "a").await;
        }
    }

    async fn what_was_done_is_not_decided_again(store: Store) {
        let event = deposit_to(&store, "a", Metadata::new()).await;
        let mut decided = 0;
        for _ in 0..3 {
            let act = Act::on(&store, "saver", &event);
            for _ in 0..2 {
                act.execute(&id("a"), |account: &Account| { decided += 1; Ok(account.deposit(1)) }).await.unwrap();
            }
        }
        assert_eq!(decided, 2);
        assert_eq!(Repository::<Account>::new(&store).load(&id("a")).await.unwrap().balance, 102);
    }

    async fn others_that_write_to_the_same_streams_do_not_hide_what_was_done(store: Store) {
        let event = deposit_to(&store, "a", Metadata::new()).await;
        handle(&store, &event).await.unwrap();
        let accounts = Repository::<Account>::new(&store).with_retry(RetryPolicy::never());
        for _ in 0..130 {
            accounts.execute(&id("a"), |account| Ok(account.deposit(1))).await.unwrap();
            accounts.execute(&id("a-savings"), |account| Ok(account.deposit(1))).await.unwrap();
        }
        assert!(handle(&store, &event).await.unwrap().iter().all(|appended| appended.repeated));
        assert_eq!(all(&store).await.len(), 7 + 260);
    }

    async fn events_and_reactions_are_told_apart(store: Store) {
        let first = deposit_to(&store, "a", Metadata::new()).await;
        let second = deposit_to(&store, "b", Metadata::new()).await;
        for event in [&first, &second, &first] {
            for reaction in ["one", "two"] {
                let act = Act::on(&store, reaction, event);
                act.execute(&id("a"), |account: &Account| Ok(account.deposit(1))).await.unwrap();
            }
        }
        assert_eq!(Repository::<Account>::new(&store).load(&id("a")).await.unwrap().balance, 104);
    }

    async fn commands_on_other_streams_do_not_count(store: Store) {
        let event = deposit_to(&store, "a", Metadata::new()).await;
        deposit_to(&store, "b", Metadata::new()).await;
        for also_b in [false, true, false] {
            let act = Act::on(&store, "saver", &event);
            if also_b {
                act.execute(&id("b"), |account: &Account| Ok(account.deposit(1))).await.unwrap();
            }
            act.execute(&id("a"), |account: &Account| Ok(account.deposit(1))).await.unwrap();
        }
        let accounts = Repository::<Account>::new(&store);
        assert_eq!((accounts.load(&id("a")).await.unwrap().balance, accounts.load(&id("b")).await.unwrap().balance), (101, 101));
    }

    async fn a_handling_that_was_dropped_after_any_command_is_made_up_for(store: Store) {
        for (commands, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            let event = deposit_to(&store, name, Metadata::new()).await;
            let faults = Faults::new();
            faults.script(Operation::Append, std::iter::repeat_n(None, commands).chain([Some(Fault::Delay(Duration::from_mins(1)))]));
            let store_with_faults = faults.around(&store);
            let handling = handle(&store_with_faults, &event);
            tokio::select! {
                outcome = handling => assert!(commands == 4 && outcome.is_ok()),
                () = met(&faults) => assert!(commands < 4),
            }
            handle(&store, &event).await.unwrap();
            reacted_once(&store, name).await;
        }
    }

    async fn whatever_the_store_does_it_comes_out_once(store: Store) {
        let event = deposit_to(&store, "a", Metadata::new()).await;
        let mut failed = 0;
        for seed in 0..200 {
            let faults = Faults::seeded(seed, 0.7).at([Operation::Append, Operation::Read, Operation::Version]);
            // Fewer of them succeed than fail, so that each command is met in each state.
            failed += u32::from(handle(&faults.around(&store), &event).await.is_err());
        }
        assert!(failed > 10, "{failed}");
        handle(&store, &event).await.unwrap();
        reacted_once(&store, "a").await;
    }

    async fn a_command_whose_outcome_was_unknown_may_be_given_again_at_once(store: Store) {
        for (name, fault) in [("a", Fault::LoseAnswer), ("b", Fault::LoseRequest)] {
            let event = deposit_to(&store, name, Metadata::new()).await;
            let faults = Faults::new();
            faults.script(Operation::Append, [fault, Fault::LoseRequest, Fault::LoseRequest].map(Some));
            let act = Act::on(&faults.around(&store), "saver", &event);
            let deposit = |account: &Account| Ok(account.deposit(account.balance));
            let error = act.execute(&id(name), deposit).await.unwrap_err();
            assert!(matches!(error, ExecuteError::Append(AppendError::Unknown { .. })), "{error}");
            faults.assert_all_met();
            let again = act.execute(&id(name), deposit).await.unwrap();
            assert_eq!(again.repeated, fault == Fault::LoseAnswer);
            // The next one is another.
            assert!(!act.execute(&id(name), deposit).await.unwrap().repeated);
            assert_eq!(Repository::<Account>::new(&store).load(&id(name)).await.unwrap().balance, 400);
        }
    }

    async fn a_refused_command_counts_so_that_the_next_is_never_taken_for_it(store: Store) {
        let event = deposit_to(&store, "a", Metadata::new()).await;
        for _ in 0..2 {
            let act = Act::on(&store, "saver", &event);
            let refused = act.execute(&id("a"), |account: &Account| account.withdraw(1000)).await.unwrap_err();
            assert!(matches!(refused, ExecuteError::Rejected(Insufficient { .. })), "{refused}");
            act.execute(&id("a"), |account: &Account| account.withdraw(10)).await.unwrap();
        }
        assert_eq!(Repository::<Account>::new(&store).load(&id("a")).await.unwrap().balance, 90);
    }

    async fn what_somebody_else_made_exists_already(store: Store) {
        let event = deposit_to(&store, "a", Metadata::new()).await;
        let act = Act::on(&store, "saver", &event);
        let error = act.create::<Account>(&id("a"), Account::open("John")).await.unwrap_err();
        assert!(matches!(error, CreateError::AlreadyExists { version: Version(2), .. }), "{error}");
        let stream = StreamId::new("account", "a").unwrap();
        let noted = || NewEvent::json("Noted", 1, &1).unwrap();
        let error = act.append(&stream, Expected::NoStream, [noted()]).await.unwrap_err();
        assert!(matches!(error, AppendError::Conflict { actual: Version(2), .. }), "{error}");
        let error = act.execute(&id("nobody"), |account: &Account| Ok(account.deposit(1))).await.unwrap_err();
        assert!(matches!(error, ExecuteError::Load(LoadError::NotFound { .. })), "{error}");
    }

    async fn two_tasks_that_handle_the_same_event_do_it_once(store: Store) {
        let event = deposit_to(&store, "a", Metadata::new()).await;
        let handlings: Vec<_> = (0..6).map(|_| {
            let (store, event) = (store.clone(), event.clone());
            tokio::spawn(async move { handle(&store, &event).await.unwrap() })
        }).collect();
        let mut wrote = 0;
        for handling in handlings {
            wrote += handling.await.unwrap().iter().filter(|appended| !appended.repeated).count();
        }
        assert_eq!(wrote, 4);
        reacted_once(&store, "a").await;
    }

    async fn somebody_else_who_is_faster_delays_a_command_and_changes_nothing_else(store: Store) {
        let event = deposit_to(&store, "a", Metadata::new()).await;
        let stream = Repository::<Account>::new(&store).stream(&id("a")).unwrap();
        for attempts in [3, 0] {
            let (mut left, act) = (attempts, Act::on(&store, "saver", &event));
            act.execute(&id("a"), |account: &Account| {
                if left > 0 {
                    left -= 1;
                    let other = NewEvent::of(&Deposited { amount: 1000 }).unwrap();
                    at_once(store.append(&stream, Expected::Any, [other])).unwrap();
                }
                Ok(account.deposit(account.balance))
            }).await.unwrap();
        }
        let amounts: Vec<i64> = all(&store).await.iter().filter(|event| &*event.name == "Deposited")
            .map(|event| serde_json::from_slice::<Deposited>(&event.payload).unwrap().amount).collect();
        assert_eq!(amounts, [100, 1000, 1000, 1000, 3100]);
    }

    async fn another_process_that_does_it_between_load_and_append_has_done_it(store: Store) {
        let event = deposit_to(&store, "a", Metadata::new()).await;
        let act = Act::on(&store, "saver", &event);
        let other = Act::on(&store, "saver", &event);
        let stream = Repository::<Account>::new(&store).stream(&id("a")).unwrap();
        let appended = act.execute(&id("a"), |account: &Account| {
            // The same command, which came out otherwise there: it has the same id.
            let withdrawn = [1, 2].map(|amount| NewEvent::of(&Withdrawn { amount }).unwrap());
            at_once(other.append(&stream, Expected::Any, withdrawn)).unwrap();
            Ok(account.deposit(7))
        }).await.unwrap();
        assert!(appended.repeated);
        assert_eq!(appended.version(), Version(4));
        assert_eq!(appended.position, all(&store).await.last().unwrap().position);
        assert_eq!(Repository::<Account>::new(&store).load(&id("a")).await.unwrap().balance, 97);
    }

    async fn events_name_their_cause(store: Store) {
        let request = uuid::Uuid::now_v7();
        let from = [Metadata::new().actor("alice").with("ip", "::1"), Metadata::new().correlation(request).causation(request)];
        for (name, metadata) in ["x", "y"].into_iter().zip(from) {
            let event = deposit_to(&store, name, metadata.clone()).await;
            let act = Act::on(&store, "saver", &event);
            let wanted = Metadata::new().causation(event.id.0).correlation(metadata.correlation.unwrap_or(event.id.0));
            act.execute(&id(name), |account: &Account| Ok(account.deposit(1))).await.unwrap();
            let deposited = all(&store).await.pop().unwrap();
            assert_eq!(deposited.metadata, wanted);
            act.with_metadata(Metadata::new().actor("saver").causation(request)).execute(&id(name), |account: &Account| Ok(account.deposit(2))).await.unwrap();
            let deposited = all(&store).await.pop().unwrap();
            assert_eq!(deposited.metadata, wanted.clone().actor("saver"));
            let noted = NewEvent { metadata: Metadata::new().with("by", "hand"), ..NewEvent::json("Noted", 1, &1).unwrap() };
            act.append(&note(name), Expected::Any, [noted]).await.unwrap();
            let noted = all(&store).await.pop().unwrap();
            assert_eq!((&*noted.name, noted.metadata), ("Noted", wanted.with("by", "hand")));
        }
    }

    async fn a_tenants_event_is_answered_in_its_tenant(store: Store) {
        let acme = store.for_tenant(store.tenant().map_or("acme", |tenant| tenant.as_str())).unwrap();
        let event = deposit_to(&acme, "a", Metadata::new()).await;
        for _ in 0..2 {
            handle(&store, &event).await.unwrap();
        }
        reacted_once(&acme, "a").await;
        let theirs = StreamId::new("note", "1").unwrap().in_tenant(Some(TenantId::new("globex").unwrap()));
        let error = Act::on(&store, "saver", &event).append(&theirs, Expected::Any, []).await.unwrap_err();
        assert!(matches!(error, AppendError::OutsideTenant { .. }), "{error}");
    }
}

/// Until a fault has happened.
async fn met(faults: &Faults) {
    while faults.injected().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Runs a future that needs no other task of this thread.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let (mut future, waker) = (std::pin::pin!(future), std::task::Waker::noop());
    let mut context = std::task::Context::from_waker(waker);
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::yield_now();
    }
}

/// Two processes on one log share nothing but the log.
async fn two_processes(one: Store, other: Store) {
    for round in 0..20 {
        let name = format!("a{round}");
        let event = deposit_to(&one, &name, Metadata::new()).await;
        let handlings = [&one, &other].map(|store| {
            let (store, event, name) = (store.clone(), event.clone(), name.clone());
            tokio::spawn(async move {
                let act = Act::on(&store, "saver", &event);
                for _ in 0..3 {
                    // It would be refused, if it were not seen that the other one has done it.
                    act.execute(&id(&name), |account: &Account| {
                        account.withdraw(account.balance.max(1))
                    })
                    .await
                    .unwrap();
                    act.execute(&id(&name), |account: &Account| Ok(account.deposit(1)))
                        .await
                        .unwrap();
                }
            })
        });
        for handling in handlings {
            handling.await.unwrap();
        }
        let accounts = Repository::<Account>::new(&one);
        let account = accounts.load(&id(&name)).await.unwrap();
        assert_eq!((account.balance, account.events), (1, 8));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_file_do_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("log.db").display());
    let one = Store::connect(&url).await.unwrap();
    two_processes(one, Store::connect(&url).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_server_do_it_once() {
    if let Some(schema) = crate::server::Schema::new().await {
        two_processes(schema.open().await, schema.open().await).await;
    }
}
