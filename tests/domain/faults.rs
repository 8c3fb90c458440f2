//! Whatever the store does, a command is applied exactly once, or it fails and says whether that is known.

use std::time::Duration;

use recount::log::{AppendError, Batch, Expected, NewEvent, Query};
use recount::prelude::*;
use recount::repository::{CreateError, ExecuteError, RetryPolicy, SaveError};
use recount::testing::{Fault, FaultError, Faults, Operation};

use super::repository_of;
use crate::bank::{Account, Deposited, Opened, id};
use crate::projections::Balances;
use crate::stores::every_store;

/// Each of them, with a short delay.
const ALL: [Fault; 6] = [
    Fault::Fail,
    Fault::Delay(Duration::from_micros(50)),
    Fault::Conflict,
    Fault::LoseRequest,
    Fault::LoseAnswer,
    Fault::Repeat,
];

/// The account `a` with nothing in it, and a repository that meets the faults.
async fn account(store: &Store, faults: &Faults) -> Repository<Account> {
    let accounts = repository_of::<Account>(store);
    accounts
        .create(&id("a"), Account::open("John"))
        .await
        .unwrap();
    repository_of::<Account>(&faults.around(store)).with_retry(eager())
}

/// As many attempts as by default, without the pauses.
fn eager() -> RetryPolicy {
    RetryPolicy {
        base: Duration::ZERO,
        ..RetryPolicy::default()
    }
}

/// The amounts deposited to `a`, as the log has them, read without faults.
async fn deposits(store: &Store) -> Vec<i64> {
    let stream = repository_of::<Account>(store).stream(&id("a")).unwrap();
    let events = store
        .read(Query::stream(&stream).names(["Deposited"]))
        .collect()
        .await
        .unwrap();
    let amount = |payload: &[u8]| serde_json::from_slice::<Deposited>(payload).unwrap().amount;
    events.iter().map(|event| amount(&event.payload)).collect()
}

/// Whether the error says that nothing was written, or that this is not known.
fn is_unknown(error: &AppendError) -> bool {
    match error {
        AppendError::Unknown { .. } => true,
        AppendError::Unavailable { .. } | AppendError::Conflict { .. } => false,
        other => panic!("{other}"),
    }
}

every_store! {
    async fn a_command_that_meets_one_fault_is_carried_out_once(store: Store) {
        let faults = Faults::new();
        let accounts = account(&store, &faults).await;
        let mut wanted = Vec::new();
        for (amount, operation, fault) in (1..).zip(ALL).flat_map(|(n, fault)| [(n, Operation::Append, fault), (10 + n, Operation::Read, fault)]) {
            faults.next(operation, fault);
            accounts.execute(&id("a"), |account| Ok(account.deposit(amount))).await.unwrap();
            wanted.push(amount);
        }
        assert_eq!(deposits(&store).await, wanted);
        assert_eq!(faults.injected().len(), 11, "a read cannot conflict: {:?}", faults.injected());
    }

    async fn a_command_on_a_store_that_cannot_be_read_ends_after_three_attempts(store: Store) {
        let faults = Faults::new();
        let accounts = account(&store, &faults).await;
        faults.script(Operation::Read, [Some(Fault::Fail); 3]);
        let error = accounts.execute(&id("a"), |account| Ok(account.deposit(1))).await.unwrap_err();
        assert!(matches!(error, ExecuteError::Load(_)), "{error}");
        faults.assert_all_met();
        accounts.execute(&id("a"), |account| Ok(account.deposit(2))).await.unwrap();
        assert_eq!(deposits(&store).await, [2]);
    }

    async fn a_command_that_meets_up_to_three_faults_is_applied_once_or_its_error_tells(store: Store) {
        let faults = Faults::new();
        let accounts = account(&store, &faults).await;
        let (mut amount, mut stored) = (0, Vec::new());
        for first in ALL {
            for second in ALL {
                for third in ALL {
                    amount += 1;
                    faults.script(Operation::Append, [first, second, third].map(Some));
                    let outcome = accounts.execute(&id("a"), |account| Ok(account.deposit(amount))).await;
                    faults.stop();
                    let here = deposits(&store).await.iter().filter(|other| **other == amount).count();
                    match outcome {
                        Ok(_) => assert_eq!(here, 1, "{first:?} {second:?} {third:?}"),
                        Err(ExecuteError::Append(error)) if is_unknown(&error) => assert!(here <= 1, "{first:?} {second:?} {third:?}"),
                        Err(error) => assert_eq!(here, 0, "{first:?} {second:?} {third:?}: {error}"),
                    }
                    stored.extend((here == 1).then_some(amount));
                }
            }
        }
        assert_eq!(deposits(&store).await, stored);
        assert!(stored.len() > 200);
    }

    async fn creating_meets_each_fault_once(store: Store) {
        let faults = Faults::new();
        let accounts = repository_of::<Account>(&faults.around(&store)).with_retry(eager());
        let plain = repository_of::<Account>(&store);
        for (number, fault) in ALL.into_iter().enumerate() {
            let id = id(&format!("new-{number}"));
            faults.next(Operation::Append, fault);
            let events = || (Account::open("John"), Deposited { amount: 5 });
            match accounts.create(&id, events()).await {
                Ok(_) => assert_ne!(fault, Fault::Conflict),
                Err(CreateError::AlreadyExists { version, .. }) => {
                    assert_eq!((fault, version), (Fault::Conflict, Version(1)));
                    accounts.create(&id, events()).await.unwrap();
                }
                Err(error) => panic!("{error}"),
            }
            let root = plain.load(&id).await.unwrap();
            assert_eq!((root.balance, Root::version(&root)), (5, Version(2)));
        }
    }

    async fn a_root_whose_save_failed_can_be_saved_again(store: Store) {
        let faults = Faults::new();
        let accounts = account(&store, &faults).await.with_retry(RetryPolicy::never());
        let mut root = accounts.load(&id("a")).await.unwrap();
        for (amount, fault) in (1..).zip(ALL) {
            faults.next(Operation::Append, fault);
            root.record(root.deposit(amount));
            while let Err(error) = accounts.save(&mut root).await {
                let SaveError::Append(error) = error else { panic!("{error}") };
                assert_eq!(is_unknown(&error), matches!(fault, Fault::LoseRequest | Fault::LoseAnswer));
                assert_eq!(Root::pending(&root), 1);
            }
        }
        assert_eq!(deposits(&store).await, [1, 2, 3, 4, 5, 6]);
        assert_eq!(root.balance, 21);
    }

    async fn a_unit_of_work_is_stored_in_all_its_streams_or_in_none(store: Store) {
        let faults = Faults::new();
        let accounts = account(&store, &faults).await;
        accounts.create(&id("b"), Account::open("Jane")).await.unwrap();
        let failing = faults.around(&store);
        let (mut a, mut b) = (accounts.load(&id("a")).await.unwrap(), accounts.load(&id("b")).await.unwrap());
        for (amount, fault) in (1..).zip(ALL) {
            faults.next(Operation::Append, fault);
            a.record(a.deposit(amount));
            b.record(b.deposit(amount));
            while let Err(error) = failing.unit_of_work().save(&mut a).save(&mut b).commit().await {
                let SaveError::Append(AppendError::Conflict { .. }) = error else { panic!("{error}") };
                assert_eq!(fault, Fault::Conflict);
            }
        }
        let plain = repository_of::<Account>(&store);
        assert_eq!(plain.load(&id("a")).await.unwrap().balance, 21);
        assert_eq!(plain.load(&id("b")).await.unwrap().balance, 21);
        assert_eq!(deposits(&store).await, [1, 2, 3, 4, 5, 6]);
    }

    async fn a_batch_that_is_appended_by_hand_until_it_succeeds_is_stored_once(store: Store) {
        let faults = Faults::seeded_with(11, 0.6, [Fault::Fail, Fault::LoseRequest, Fault::LoseAnswer, Fault::Repeat]);
        let failing = faults.around(&store);
        let stream = repository_of::<Account>(&store).stream(&id("a")).unwrap();
        for number in 0..60 {
            let events = [number, number].map(|amount| NewEvent::of(&Deposited { amount }).unwrap());
            let batch = Batch::new().append(stream.clone(), Expected::Version(Version(2 * number.unsigned_abs())), events);
            let appended = loop {
                match failing.append_batch(batch.clone()).await {
                    Ok(appended) => break appended,
                    Err(error) => assert!(error.is_transient(), "{error}"),
                }
            };
            assert_eq!(appended.version().0, 2 * number.unsigned_abs() + 2);
        }
        assert_eq!(deposits(&store).await, (0..60).flat_map(|number| [number, number]).collect::<Vec<_>>());
        assert!(faults.injected().len() > 50);
    }

    async fn commands_that_run_at_once_on_a_store_that_fails_are_each_applied_once_or_tell(store: Store) {
        let faults = Faults::seeded(5, 0.3);
        let accounts = account(&store, &faults).await;
        let commands: Vec<_> = (0..8).map(|task: i64| {
            let accounts = accounts.clone();
            tokio::spawn(async move {
                let mut outcomes = Vec::new();
                for amount in (0..25).map(|number| task * 100 + number) {
                    let outcome = accounts.execute(&id("a"), |account| Ok(account.deposit(amount))).await;
                    outcomes.push((amount, match outcome {
                        Ok(_) => Some(true),
                        Err(ExecuteError::Append(error)) if is_unknown(&error) => None,
                        Err(_) => Some(false),
                    }));
                }
                outcomes
            })
        }).collect();
        let mut outcomes = Vec::new();
        for command in commands {
            outcomes.extend(command.await.unwrap());
        }
        faults.stop();
        let stored = deposits(&store).await;
        for (amount, known) in outcomes {
            let count = stored.iter().filter(|other| **other == amount).count();
            match known {
                Some(applied) => assert_eq!(count, usize::from(applied), "{amount}"),
                None => assert!(count <= 1, "{amount}"),
            }
        }
        let root = repository_of::<Account>(&store).load(&id("a")).await.unwrap();
        assert_eq!(root.balance, stored.iter().sum::<i64>());
        assert!(faults.injected().len() > 50 && stored.len() > 50);
    }

    async fn a_stored_projection_counts_each_event_once_whatever_fails(store: Store) {
        let accounts = account(&store, &Faults::new()).await;
        for operation in [Operation::SaveCheckpoint, Operation::Checkpoint, Operation::Read, Operation::Head] {
            for fault in ALL {
                accounts.execute(&id("a"), |account| Ok(account.deposit(1))).await.unwrap();
                let faults = Faults::new();
                faults.next(operation, fault);
                caught_up(&faults.around(&store), &store).await;
            }
        }
        for seed in 0..20 {
            for _ in 0..3 {
                accounts.execute(&id("a"), |account| Ok(account.deposit(1))).await.unwrap();
            }
            caught_up(&Faults::seeded(seed, 0.4).around(&store), &store).await;
        }
    }

    async fn a_stored_projection_that_handles_nothing_saves_nothing(store: Store) {
        let faults = Faults::new();
        let accounts = account(&store, &faults).await;
        let mut balances = Projector::<Balances>::stored(&faults.around(&store)).await.unwrap();
        balances.catch_up().await.unwrap();
        faults.next(Operation::SaveCheckpoint, Fault::Fail);
        // Nobody's deposit.
        accounts.create(&id("b"), Account::open("Jane")).await.unwrap();
        assert_eq!(balances.catch_up().await.unwrap().position, store.head().await.unwrap());
        accounts.execute(&id("b"), |account| Ok(account.deposit(1))).await.unwrap();
        balances.catch_up().await.unwrap_err();
        faults.assert_all_met();
        balances.catch_up().await.unwrap();
        assert_eq!(balances.handled, 1);
    }

    async fn a_projection_in_memory_counts_each_event_once_whatever_fails(store: Store) {
        let accounts = account(&store, &Faults::new()).await;
        let faults = Faults::seeded(3, 0.4);
        let mut balances = Projector::<Balances>::in_memory(&faults.around(&store));
        for handled in 1..=60 {
            accounts.execute(&id("a"), |account| Ok(account.deposit(1))).await.unwrap();
            while balances.catch_up().await.is_err() {}
            assert_eq!(balances.handled, handled);
        }
    }

    async fn a_snapshot_that_cannot_be_loaded_or_saved_changes_nothing(store: Store) {
        let faults = Faults::new();
        account(&store, &faults).await;
        // It looks for one each time.
        let accounts = Repository::<Account>::new(&faults.around(&store)).with_retry(eager());
        for operation in [Operation::Snapshot, Operation::SaveSnapshot] {
            for fault in ALL {
                faults.script(operation, [Some(fault); 3]);
                for _ in 0..10 {
                    accounts.execute(&id("a"), |account| Ok(account.deposit(1))).await.unwrap();
                }
                let plain = repository_of::<Account>(&store);
                assert_eq!(*accounts.load(&id("a")).await.unwrap(), *plain.load(&id("a")).await.unwrap());
                faults.stop();
            }
        }
        assert_eq!(deposits(&store).await.len(), 120);
        let met = |operation| faults.injected().iter().filter(|injected| injected.operation == operation).count();
        assert!(met(Operation::Snapshot) >= 15, "{:?}", faults.injected());
    }

    async fn a_reader_goes_on_after_a_fault_where_it_stood(store: Store) {
        let accounts = account(&store, &Faults::new()).await;
        for amount in 0..200 {
            accounts.execute(&id("a"), |account| Ok(account.deposit(amount))).await.unwrap();
        }
        let faults = Faults::seeded(9, 0.4);
        for query in [Query::all(), Query::all().backwards()] {
            let mut wanted = deposits(&store).await;
            if query == Query::all().backwards() {
                wanted.reverse();
            }
            let mut reader = faults.around(&store).read(query.names(["Deposited"]).page_size(7));
            let mut read = Vec::new();
            loop {
                match reader.next().await {
                    Ok(Some(event)) => read.push(serde_json::from_slice::<Deposited>(&event.payload).unwrap().amount),
                    Ok(None) => break,
                    Err(error) => assert!(error.to_string().contains("could not be read"), "{error}"),
                }
            }
            assert_eq!(read, wanted);
        }
        assert!(faults.injected().len() > 10);
    }

    async fn the_error_names_the_fault_as_its_cause(store: Store) {
        let faults = Faults::new();
        let accounts = account(&store, &faults).await.with_retry(RetryPolicy::never());
        faults.next(Operation::Append, Fault::LoseAnswer);
        let error = accounts.execute(&id("a"), |_| Ok(Opened { holder: "x".into() })).await.unwrap_err();
        assert!(error.to_string().contains("creates the state"), "nothing was appended: {error}");
        let error = accounts.execute(&id("a"), |account| Ok(account.deposit(1))).await.unwrap_err();
        let ExecuteError::Append(error @ AppendError::Unknown { .. }) = error else { panic!("{error}") };
        assert!(error.to_string().contains("may or may not be stored"), "{error}");
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), "injected fault: LoseAnswer at Append");
        assert_eq!(faults.injected(), [FaultError { operation: Operation::Append, fault: Fault::LoseAnswer }]);
    }
}

/// Catches the projection up until it succeeds, and compares it with a fold from zero.
async fn caught_up(failing: &Store, store: &Store) {
    let balances = loop {
        let Ok(mut balances) = Projector::<Balances>::stored(failing).await else {
            continue;
        };
        while balances.catch_up().await.is_err() {}
        break balances;
    };
    let mut from_zero = Projector::<Balances>::in_memory(store);
    from_zero.catch_up().await.unwrap();
    assert_eq!(*balances, *from_zero);
    let kept = Projector::<Balances>::stored(store).await.unwrap();
    assert_eq!(
        (&*kept, kept.position()),
        (&*from_zero, from_zero.position())
    );
}
