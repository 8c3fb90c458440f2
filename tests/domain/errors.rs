//! Bad data in the log: a typed error that says where, and everything else stays readable.

use recount::event::PayloadError;
use recount::log::{Expected, NewEvent, StreamId};
use recount::prelude::*;
use recount::repository::LoadError;

use super::repository_of;
use crate::bank::{Account, Deposited, id};
use crate::stores::every_store;

/// An account whose second event is this one.
async fn with(store: &Store, event: NewEvent) -> (Repository<Account>, LoadError) {
    let accounts = repository_of::<Account>(store);
    accounts
        .create(&id("a"), Account::open("John"))
        .await
        .unwrap();
    accounts
        .create(&id("b"), Account::open("Jane"))
        .await
        .unwrap();
    store
        .append(&accounts.stream(&id("a")).unwrap(), Expected::Any, [event])
        .await
        .unwrap();
    let error = accounts.load(&id("a")).await.unwrap_err();
    assert_eq!(accounts.load(&id("b")).await.unwrap().holder, "Jane");
    assert_eq!(
        accounts.load_at(&id("a"), Version(1)).await.unwrap().holder,
        "John"
    );
    (accounts, error)
}

fn reason(error: &LoadError) -> &PayloadError {
    let LoadError::Decode(error) = error else {
        panic!("{error}")
    };
    assert_eq!((error.version, error.stream.id()), (Version(2), "a"));
    &error.reason
}

every_store! {
    async fn an_event_that_no_type_reads_is_an_error_and_not_silence(store: Store) {
        let (_, error) = with(&store, NewEvent::json("Renamed", 1, &"x").unwrap()).await;
        assert!(matches!(reason(&error), PayloadError::Unknown), "{error}");
        assert!(error.to_string().contains("event Renamed v1 at version 2 of stream"), "{error}");
        assert!(error.to_string().contains("retired("), "{error}");
    }

    async fn a_version_newer_than_the_code_is_an_error_of_its_own(store: Store) {
        let (_, error) = with(&store, NewEvent::json("Deposited", 3, &Deposited { amount: 1 }).unwrap()).await;
        assert!(matches!(reason(&error), PayloadError::Newer { stored: 3, known: 1 }), "{error}");
    }

    async fn a_payload_of_another_shape_is_reported_with_what_serde_found(store: Store) {
        let (_, error) = with(&store, NewEvent::json("Deposited", 1, &[1, 2, 3, 4]).unwrap()).await;
        assert!(matches!(reason(&error), PayloadError::Json(_)), "{error}");
    }

    async fn a_second_creation_is_reported(store: Store) {
        let (_, error) = with(&store, NewEvent::json("Opened", 1, &Account::open("Jim")).unwrap()).await;
        assert!(matches!(reason(&error), PayloadError::CreatedTwice), "{error}");
    }

    async fn an_event_before_creation_is_reported(store: Store) {
        let accounts = repository_of::<Account>(&store);
        let event = NewEvent::json("Deposited", 1, &Deposited { amount: 1 }).unwrap();
        store.append(&accounts.stream(&id("a")).unwrap(), Expected::NoStream, [event]).await.unwrap();
        let LoadError::Decode(error) = accounts.load(&id("a")).await.unwrap_err() else { panic!() };
        assert!(matches!(error.reason, PayloadError::BeforeCreation), "{error}");
        assert_eq!(error.version, Version(1));
    }

    async fn history_reports_a_bad_event_and_goes_on_behind_it(store: Store) {
        let (accounts, _) = with(&store, NewEvent::json("Renamed", 1, &"x").unwrap()).await;
        let good = NewEvent::json("Deposited", 1, &Deposited { amount: 1 }).unwrap();
        store.append(&accounts.stream(&id("a")).unwrap(), Expected::Any, [good]).await.unwrap();
        let mut history = accounts.history(&id("a")).unwrap();
        assert_eq!(history.next().await.unwrap().unwrap().at.version, Version(1));
        assert!(history.next().await.is_err());
        assert_eq!(history.next().await.unwrap().unwrap().at.version, Version(3));
        assert!(history.next().await.unwrap().is_none());
    }

    async fn what_no_backend_can_store_is_refused_with_the_events_name(store: Store) {
        let stream = StreamId::new("account", "a").unwrap();
        let mut event = NewEvent::json("Odd", 1, &"x").unwrap();
        event.payload = b"not json".to_vec();
        let refused = store.append(&stream, Expected::Any, [event.clone()]).await.unwrap_err();
        assert!(refused.to_string().contains("event Odd for stream"), "{refused}");
        event.payload = b"1".to_vec();
        event.schema_version = 0;
        assert!(store.append(&stream, Expected::Any, [event.clone()]).await.is_err());
        event.schema_version = 1;
        event.name = "".into();
        assert!(store.append(&stream, Expected::Any, [event.clone()]).await.is_err());
        event.name = "Odd".into();
        assert!(store.append(&stream, Expected::Any, [event.clone(), event.clone()]).await.is_err());
        assert_eq!(store.head().await.unwrap(), Position::START);
        store.append(&stream, Expected::Any, [event]).await.unwrap();
    }
}
