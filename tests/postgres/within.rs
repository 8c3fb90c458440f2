//! The log inside of transactions that the caller holds.

use recount::log::{AppendError, Batch, Expected, NewEvent, Query, Version};
use recount::prelude::*;
use recount::projection::Projector;
use recount::store::postgres::{WithinError, within};
use tokio_postgres::Client;

use crate::cluster::Cluster;
use crate::server::Schema;
use crate::{event, run, seen, stream};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    pub amount: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "account", id = AccountId)]
pub struct Account {
    pub balance: i64,
}

#[apply]
impl Account {
    fn deposited(&mut self, event: Deposited) {
        self.balance += event.amount;
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Total {
    pub balance: i64,
}

#[projection(name = "total", of(Account))]
impl Total {
    fn deposited(&mut self, event: Deposited) {
        self.balance += event.amount;
    }
}

/// A log, and a connection of the caller's with a table of its own.
async fn scene() -> Option<(Store, Client, Schema)> {
    let schema = Schema::new().await?;
    let store = schema.open().await;
    let client = schema.client().await;
    let table = "CREATE TABLE invoices (id int PRIMARY KEY)";
    client.batch_execute(table).await.unwrap();
    Some((store, client, schema))
}

async fn invoices(client: &Client) -> i64 {
    let row = client.query_one("SELECT count(*) FROM invoices", &[]).await;
    row.unwrap().get(0)
}

const INVOICE: &str = "INSERT INTO invoices VALUES (1)";

#[tokio::test]
async fn events_and_the_callers_rows_are_committed_together() {
    let Some((store, mut client, schema)) = scene().await else {
        return;
    };
    let id = AccountId::new("a").unwrap();
    let transaction = client.transaction().await.unwrap();
    transaction.batch_execute(INVOICE).await.unwrap();
    let balance = within(&store, &transaction, async |inside| {
        let accounts = Repository::<Account>::new(&inside);
        accounts
            .execute(&id, |_| Ok(Deposited { amount: 5 }))
            .await
            .unwrap();
        // It sees what it did itself.
        accounts
            .execute(&id, |_| Ok(Deposited { amount: 7 }))
            .await
            .unwrap();
        accounts.load(&id).await.unwrap().balance
    });
    assert_eq!(balance.await.unwrap(), 12);
    assert!(seen(&store).await.is_empty());
    let stream = Repository::<Account>::new(&store).stream(&id).unwrap();
    assert_eq!(store.version(&stream).await.unwrap(), Version(0));
    transaction.commit().await.unwrap();
    assert_eq!(seen(&store).await, ["Deposited", "Deposited"]);
    assert_eq!(invoices(&schema.client().await).await, 1);
}

#[tokio::test]
async fn events_and_the_callers_rows_are_undone_together() {
    let Some((store, mut client, _schema)) = scene().await else {
        return;
    };
    let transaction = client.transaction().await.unwrap();
    transaction.batch_execute(INVOICE).await.unwrap();
    let appended = within(&store, &transaction, async |inside| {
        inside
            .append(&stream("a"), Expected::NoStream, [event("Undone")])
            .await
    });
    assert_eq!(appended.await.unwrap().unwrap().version(), Version(1));
    transaction.rollback().await.unwrap();
    assert!(seen(&store).await.is_empty());
    assert_eq!(invoices(&client).await, 0);
    // What was undone is not remembered as having been there.
    let after = store
        .append(
            &stream("a"),
            Expected::Version(Version(1)),
            [event("After")],
        )
        .await;
    assert!(
        matches!(
            after,
            Err(AppendError::Conflict {
                actual: Version(0),
                ..
            })
        ),
        "{after:?}"
    );
    store
        .append(&stream("a"), Expected::NoStream, [event("First")])
        .await
        .unwrap();
    assert_eq!(seen(&store).await, ["First"]);
}

#[tokio::test]
async fn what_the_log_refuses_leaves_the_transaction_as_it_was() {
    let Some((store, mut client, _schema)) = scene().await else {
        return;
    };
    let known = event("Known");
    store
        .append(&stream("a"), Expected::NoStream, [known.clone()])
        .await
        .unwrap();
    let transaction = client.transaction().await.unwrap();
    transaction.batch_execute(INVOICE).await.unwrap();
    let outcomes = within(&store, &transaction, async |inside| {
        let append =
            async |expected, event: NewEvent| inside.append(&stream("a"), expected, [event]).await;
        (
            append(Expected::NoStream, event("Conflict")).await,
            append(Expected::Version(Version(1)), known.clone()).await,
            append(
                Expected::Any,
                NewEvent {
                    name: "Other".into(),
                    ..known.clone()
                },
            )
            .await,
            append(Expected::Version(Version(1)), event("Second")).await,
            append(Expected::Version(Version(1)), event("Conflict")).await,
        )
    });
    let (conflict, repeated, duplicate, second, later) = outcomes.await.unwrap();
    assert!(
        matches!(
            conflict,
            Err(AppendError::Conflict {
                actual: Version(1),
                ..
            })
        ),
        "{conflict:?}"
    );
    assert!(repeated.unwrap().repeated);
    assert!(
        matches!(duplicate, Err(AppendError::Duplicate { .. })),
        "{duplicate:?}"
    );
    assert_eq!(second.unwrap().version(), Version(2));
    assert!(
        matches!(
            later,
            Err(AppendError::Conflict {
                actual: Version(2),
                ..
            })
        ),
        "{later:?}"
    );
    transaction.commit().await.unwrap();
    assert_eq!(seen(&store).await, ["Known", "Second"]);
    assert_eq!(invoices(&client).await, 1);
}

#[tokio::test]
async fn a_projection_and_the_callers_rows_move_together() {
    let Some((store, mut client, schema)) = scene().await else {
        return;
    };
    let id = AccountId::new("a").unwrap();
    Repository::<Account>::new(&store)
        .execute(&id, |_| Ok(Deposited { amount: 5 }))
        .await
        .unwrap();
    let stored = async || Projector::<Total>::stored(&store).await.unwrap().position();
    for (undone, handled) in [(true, 1), (false, 1), (false, 0)] {
        let before = stored().await;
        let transaction = client.transaction().await.unwrap();
        let events = within(&store, &transaction, async |inside| {
            let mut total = Projector::<Total>::stored(&inside).await.unwrap();
            total.catch_up().await.unwrap().events
        });
        let events = events.await.unwrap();
        assert_eq!(events, handled);
        for _ in 0..events {
            transaction.batch_execute(INVOICE).await.unwrap();
        }
        if undone {
            transaction.rollback().await.unwrap();
            assert_eq!(stored().await, before);
        } else {
            transaction.commit().await.unwrap();
        }
    }
    assert_eq!(invoices(&schema.client().await).await, 1);
}

#[tokio::test]
async fn nobody_else_writes_the_streams_of_an_open_transaction_and_others_go_on() {
    let Some((store, mut client, schema)) = scene().await else {
        return;
    };
    let transaction = client.transaction().await.unwrap();
    let both = Batch::new()
        .append(stream("a"), Expected::NoStream, [event("A")])
        .append(stream("b"), Expected::NoStream, []);
    within(&store, &transaction, async |inside| {
        inside.append_batch(both).await
    })
    .await
    .unwrap()
    .unwrap();
    // Those of one process are written together, and wait together.
    let others: Vec<_> = ["a", "b"]
        .map(|name| {
            let store = store.clone();
            tokio::spawn(async move {
                let event = [event("Later")];
                store.append(&stream(name), Expected::NoStream, event).await
            })
        })
        .into();
    let elsewhere = schema.open().await;
    elsewhere
        .append(&stream("c"), Expected::NoStream, [event("C")])
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let [a, b] = <[_; 2]>::try_from(others).unwrap();
    let a = a.await.unwrap();
    assert!(
        matches!(
            a,
            Err(AppendError::Conflict {
                actual: Version(1),
                ..
            })
        ),
        "{a:?}"
    );
    b.await.unwrap().unwrap();
    assert_eq!(seen(&store).await, ["A", "C", "Later"]);
}

#[tokio::test]
async fn a_tenants_handle_stays_the_tenants_inside() {
    let Some((store, mut client, _schema)) = scene().await else {
        return;
    };
    let tenant = store.for_tenant("acme").unwrap();
    let transaction = client.transaction().await.unwrap();
    within(&tenant, &transaction, async |inside| {
        inside
            .append(&stream("a"), Expected::NoStream, [event("Theirs")])
            .await
            .unwrap();
        assert_eq!(inside.stats().await.unwrap().events, 1);
    })
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(seen(&tenant).await, ["Theirs"]);
    assert_eq!(store.version(&stream("a")).await.unwrap(), Version(0));
}

#[tokio::test]
async fn a_store_that_outlives_its_work_says_so() {
    let Some((store, mut client, _schema)) = scene().await else {
        return;
    };
    let transaction = client.transaction().await.unwrap();
    let inside = within(&store, &transaction, async |inside| inside)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let append = inside
        .append(&stream("a"), Expected::Any, [event("Late")])
        .await;
    assert!(
        matches!(append, Err(AppendError::Unavailable { .. })),
        "{append:?}"
    );
    assert!(inside.read(Query::all()).next_page().await.is_err());
    assert!(inside.stats().await.is_err());
    store
        .append(&stream("a"), Expected::NoStream, [event("First")])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_transaction_that_cannot_take_part_is_refused_before_anything_is_done() {
    let Some((store, mut client, schema)) = scene().await else {
        return;
    };
    let work = async |_: Store| panic!("nothing may be done");
    let level = tokio_postgres::IsolationLevel::RepeatableRead;
    let transaction = client
        .build_transaction()
        .isolation_level(level)
        .start()
        .await
        .unwrap();
    let refused = within(&store, &transaction, work).await.unwrap_err();
    assert!(
        matches!(&refused, WithinError::Isolation { level } if level == "repeatable read"),
        "{refused}"
    );
    transaction.rollback().await.unwrap();

    let (mut other, connection) =
        tokio_postgres::connect(&schema.url_of("template1"), tokio_postgres::NoTls)
            .await
            .unwrap();
    tokio::spawn(connection);
    let transaction = other.transaction().await.unwrap();
    let refused = within(&store, &transaction, work).await.unwrap_err();
    assert!(
        matches!(&refused, WithinError::OtherDatabase { database, .. } if database == "template1"),
        "{refused}"
    );
    transaction.batch_execute("SELECT 1").await.unwrap();

    let transaction = client.transaction().await.unwrap();
    transaction.batch_execute("SELECT 1 / 0").await.unwrap_err();
    let refused = within(&store, &transaction, work).await.unwrap_err();
    let WithinError::Unavailable { source, .. } = &refused else {
        panic!("{refused}")
    };
    assert!(source.to_string().contains("roll it back"), "{source}");
    transaction.rollback().await.unwrap();

    let memory = Store::connect("memory:").await.unwrap();
    let transaction = client.transaction().await.unwrap();
    let refused = within(&memory, &transaction, work).await.unwrap_err();
    assert!(
        matches!(refused, WithinError::NotPostgres { .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_transaction_that_may_only_read_reads_and_is_told_so_when_it_appends() {
    let Some((store, mut client, _schema)) = scene().await else {
        return;
    };
    let transaction = client.build_transaction().read_only(true);
    let transaction = transaction.start().await.unwrap();
    let refused = within(&store, &transaction, async |inside| {
        inside.version(&stream("a")).await.unwrap();
        inside
            .append(&stream("a"), Expected::Any, [event("Refused")])
            .await
    });
    let refused = refused.await.unwrap().unwrap_err();
    let AppendError::ReadOnly { source, .. } = &refused else {
        panic!("{refused:?}")
    };
    assert!(source.to_string().contains("READ ONLY"), "{source}");
}

#[tokio::test]
async fn a_tenant_that_was_new_in_a_transaction_that_was_undone_is_found_by_everybody() {
    let Some((store, mut client, schema)) = scene().await else {
        return;
    };
    let tenant = store.for_tenant("acme").unwrap();
    let transaction = client.transaction().await.unwrap();
    within(&tenant, &transaction, async |inside| {
        Projector::<Total>::rebuilt(&inside).await.unwrap();
        // Others need the number meanwhile.
        let undone = Batch::new().append(stream("a"), Expected::NoStream, [event("Undone")]);
        inside.append_batch(undone).await.unwrap();
    })
    .await
    .unwrap();
    transaction.rollback().await.unwrap();
    tenant
        .append(&stream("a"), Expected::NoStream, [event("First")])
        .await
        .unwrap();
    let elsewhere = schema.open().await.for_tenant("acme").unwrap();
    assert_eq!(seen(&elsewhere).await, ["First"]);
    assert_eq!(seen(&tenant).await, ["First"]);
}

#[tokio::test]
async fn work_outside_of_the_transaction_goes_on_while_something_inside_is_answered() {
    let Some((_, mut client, schema)) = scene().await else {
        return;
    };
    // The only connection is the one outside's, and new kinds are numbered on it too.
    let options = schema.options().connections(1);
    let options = options.wait_timeout(std::time::Duration::from_secs(5));
    let store = Store::new(options.open().await.unwrap());
    let transaction = client.transaction().await.unwrap();
    let (a, b) = (stream("a"), stream("b"));
    let (outside, inside) = within(&store, &transaction, async |inside| {
        futures_util::future::join(
            store.append(&a, Expected::NoStream, [event("Outside")]),
            inside.append(&b, Expected::NoStream, [event("Inside")]),
        )
        .await
    })
    .await
    .unwrap();
    outside.unwrap();
    inside.unwrap();
    transaction.commit().await.unwrap();
    let mut names = seen(&store).await;
    names.sort();
    assert_eq!(names, ["Inside", "Outside"]);
}

#[tokio::test]
async fn an_append_that_is_under_way_when_the_work_ends_is_told_what_it_came_to() {
    let Some((store, mut client, schema)) = scene().await else {
        return;
    };
    // So that nothing but the append itself waits.
    store
        .append(&stream("b"), Expected::NoStream, [event("Kind")])
        .await
        .unwrap();
    let (blocker, watcher) = (schema.client().await, schema.client().await);
    run(&blocker, "BEGIN; LOCK TABLE events IN EXCLUSIVE MODE").await;
    let transaction = client.transaction().await.unwrap();
    let mut appending = None;
    within(&store, &transaction, async |inside| {
        appending = Some(tokio::spawn(async move {
            let event = [event("Kind")];
            inside.append(&stream("a"), Expected::NoStream, event).await
        }));
        let sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted)";
        while !watcher.query_one(sql, &[]).await.unwrap().get::<_, bool>(0) {}
        // Done as soon as this waits.
        tokio::spawn(async move { run(&blocker, "COMMIT").await });
    })
    .await
    .unwrap();
    appending.unwrap().await.unwrap().unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(seen(&store).await, ["Kind", "Kind"]);
}

#[tokio::test]
async fn an_append_that_is_under_way_when_the_work_is_dropped_has_an_unknown_outcome() {
    let Some((store, mut client, schema)) = scene().await else {
        return;
    };
    let (blocker, watcher) = (schema.client().await, schema.client().await);
    run(&blocker, "BEGIN; LOCK TABLE events IN EXCLUSIVE MODE").await;
    let transaction = client.transaction().await.unwrap();
    let mut appending = None;
    let work = within(&store, &transaction, async |inside| {
        appending = Some(tokio::spawn(async move {
            let event = [event("Sent")];
            inside.append(&stream("a"), Expected::NoStream, event).await
        }));
        std::future::pending::<()>().await;
    });
    let sent = async {
        let sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted)";
        while !watcher.query_one(sql, &[]).await.unwrap().get::<_, bool>(0) {}
    };
    tokio::select! {
        _ = work => unreachable!("it waits for ever"),
        () = sent => {}
    }
    run(&blocker, "COMMIT").await;
    let outcome = appending.unwrap().await.unwrap();
    assert!(
        matches!(outcome, Err(AppendError::Unknown { .. })),
        "{outcome:?}"
    );
    // It was done, and whoever commits all the same has it.
    transaction.commit().await.unwrap();
    assert_eq!(seen(&store).await, ["Sent"]);
}

#[tokio::test]
async fn a_store_that_is_inside_already_says_so() {
    let Some((store, mut client, _schema)) = scene().await else {
        return;
    };
    let transaction = client.transaction().await.unwrap();
    let again = within(&store, &transaction, async |inside| {
        within(&inside, &transaction, async |_| ()).await
    });
    let again = again.await.unwrap().unwrap_err();
    assert!(again.to_string().contains("already"), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_on_another_server_that_was_made_alike_is_refused() {
    let (Some(one), Some(other)) = (Cluster::new(&[]), Cluster::new(&[])) else {
        return;
    };
    let store = Store::connect(&one.url()).await.unwrap();
    Store::connect(&other.url()).await.unwrap();
    let mut client = other.client().await;
    let oid = "SELECT 'recount.events'::regclass::oid";
    let of = async |client: &Client| client.query_one(oid, &[]).await.unwrap().get::<_, u32>(0);
    assert_eq!(of(&client).await, of(&one.client().await).await);
    let transaction = client.transaction().await.unwrap();
    let refused = within(&store, &transaction, async |_| ()).await;
    assert!(
        matches!(refused, Err(WithinError::OtherDatabase { .. })),
        "{refused:?}"
    );
}
