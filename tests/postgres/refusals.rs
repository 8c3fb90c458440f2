//! What the server and the network can say no with, and what each no means for an append and a read.

use std::error::Error as _;
use std::iter;
use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, future};
use recount::Store;
use recount::log::{AppendError, Appended, Batch, Expected, Position, Query, Version};
use recount::store::ConnectError;
use recount::store::postgres::{PostgresOptions, within};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::cluster::{Cluster, Stop};
use crate::proxy::{Network, Proxy};
use crate::scene::until;
use crate::server::Schema;
use crate::{event, run, seen, stream};

/// A batch of one event for the stream `a`, which is to have none.
fn first() -> Batch {
    Batch::new().append(stream("a"), Expected::NoStream, [event("First")])
}

/// Appends once, so that all is prepared and known, and the next answer is the append's.
async fn prepared(store: &Store) {
    store
        .append(&stream("before"), Expected::NoStream, [event("First")])
        .await
        .unwrap();
}

/// Keeps everybody from appending.
async fn block(client: &Client) {
    run(client, "BEGIN; LOCK TABLE events IN EXCLUSIVE MODE").await;
}

/// Waits until an append stands before the lock; its process.
async fn blocked(client: &Client) -> i32 {
    let sql = "SELECT pid FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted";
    loop {
        if let Some(row) = client.query_opt(sql, &[]).await.unwrap() {
            return row.get(0);
        }
    }
}

fn begin(store: &Store, batch: &Batch) -> JoinHandle<Result<Appended, AppendError>> {
    let (store, batch) = (store.clone(), batch.clone());
    tokio::spawn(async move { store.append_batch(batch).await })
}

/// All that an error and its sources say.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn an_append_whose_session_was_terminated_has_an_unknown_outcome_and_can_be_repeated() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let (client, batch) = (schema.client().await, first());
    let store = Store::new(schema.options().connections(1).open().await.unwrap());
    prepared(&store).await;
    block(&client).await;
    let waiting = begin(&store, &batch);
    let pid = blocked(&client).await;
    run(&client, &format!("SELECT pg_terminate_backend({pid})")).await;
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, AppendError::Unknown { .. }), "{error:?}");
    assert!(error.to_string().contains(store.url()), "{error}");
    run(&client, "COMMIT").await;
    assert!(!store.append_batch(batch.clone()).await.unwrap().repeated);
    assert!(store.append_batch(batch).await.unwrap().repeated);
    assert_eq!(seen(&store).await, ["First", "First"]);
}

#[tokio::test]
async fn an_append_that_took_too_long_or_was_cancelled_wrote_nothing() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let client = schema.client().await;
    schema.open().await;
    let short = Duration::from_millis(100);
    for (name, options, advice) in [
        ("cancelled", schema.options(), "statement_timeout"),
        (
            "statement",
            schema.options().statement_timeout(short),
            "statement_timeout",
        ),
        ("lock", schema.options().lock_timeout(short), "lock_timeout"),
    ] {
        let store = Store::new(options.open().await.unwrap());
        let batch = Batch::new().append(stream(name), Expected::NoStream, [event(name)]);
        block(&client).await;
        let waiting = begin(&store, &batch);
        if name == "cancelled" {
            let pid = blocked(&client).await;
            run(&client, &format!("SELECT pg_cancel_backend({pid})")).await;
        }
        let error = waiting.await.unwrap().unwrap_err();
        assert!(
            matches!(error, AppendError::Unavailable { .. }),
            "{name}: {error:?}"
        );
        assert!(whole(&error).contains(advice), "{name}: {}", whole(&error));
        assert!(error.to_string().contains(store.url()), "{error}");
        run(&client, "COMMIT").await;
        assert_eq!(store.version(&stream(name)).await.unwrap(), Version::NONE);
        assert!(!store.append_batch(batch).await.unwrap().repeated);
    }
    assert_eq!(
        seen(&schema.open().await).await,
        ["cancelled", "statement", "lock"]
    );
}

#[tokio::test]
async fn who_waits_too_long_for_a_connection_is_told_so() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let options = schema
        .options()
        .connections(1)
        .wait_timeout(Duration::from_millis(100));
    let (store, client) = (
        Store::new(options.open().await.unwrap()),
        schema.client().await,
    );
    block(&client).await;
    let waiting = begin(&store, &first());
    blocked(&client).await;
    let error = store.version(&stream("a")).await.unwrap_err();
    assert!(whole(&error).contains("`connections`"), "{}", whole(&error));
    run(&client, "COMMIT").await;
    waiting.await.unwrap().unwrap();
    assert_eq!(store.version(&stream("a")).await.unwrap(), Version(1));
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_commit_leaves_an_outcome_that_a_repetition_finds_out() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let (proxy, client) = (Proxy::before(schema.address()).await, schema.client().await);
    let options = schema.options_at(proxy.port).connections(1);
    let store = Store::new(options.open().await.unwrap());
    // Others have been notified on the only connection, too.
    prepared(&store).await;
    let notified = "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE state = 'idle' AND query LIKE '%pg_notify%' || $1 || '%' AND pid <> pg_backend_pid())";
    let row = async || client.query_one(notified, &[&schema.name]).await.unwrap();
    while !row().await.get::<_, bool>(0) {}
    let batch = first();
    proxy.set(Network::HoldsAnswers);
    let waiting = begin(&store, &batch);
    let written = "SELECT EXISTS (SELECT FROM log WHERE id = 'a')";
    while !client
        .query_one(written, &[])
        .await
        .unwrap()
        .get::<_, bool>(0)
    {}
    proxy.cut().await;
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, AppendError::Unknown { .. }), "{error:?}");
    assert!(store.append_batch(batch).await.unwrap().repeated);
    assert_eq!(store.version(&stream("a")).await.unwrap(), Version(1));
}

#[tokio::test]
async fn connections_that_broke_while_nobody_used_them_are_replaced_silently() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let proxy = Proxy::before(schema.address()).await;
    let store = Store::new(schema.options_at(proxy.port).open().await.unwrap());
    for round in 1..=3 {
        // Several connections, all idle.
        let heads = || future::try_join(store.head(), store.head());
        future::try_join(heads(), heads()).await.unwrap();
        proxy.cut().await;
        store
            .append(&stream("a"), Expected::Any, [event("Kept")])
            .await
            .unwrap();
        proxy.cut().await;
        assert_eq!(store.version(&stream("a")).await.unwrap(), Version(round));
        proxy.cut().await;
        assert_eq!(seen(&store).await.len() as u64, round);
        proxy.cut().await;
        assert_eq!(store.stats().await.unwrap().events, round);
    }
}

#[tokio::test]
async fn a_connection_that_has_rested_is_tried_out_before_something_is_written_on_it() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let proxy = Proxy::before(schema.address()).await;
    let store = Store::new(schema.options_at(proxy.port).open().await.unwrap());
    let other = Batch::new().append(stream("b"), Expected::Any, [event("First")]);
    store.append_batch(other).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // It breaks as soon as something is sent.
    proxy.set(Network::HoldsAnswers);
    let waiting = begin(&store, &first());
    proxy.asked().await;
    proxy.cut().await;
    assert!(!waiting.await.unwrap().unwrap().repeated);
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_is_asked_again() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let proxy = Proxy::before(schema.address()).await;
    let store = Store::new(schema.options_at(proxy.port).open().await.unwrap());
    store.append_batch(first()).await.unwrap();
    seen(&store).await;
    let asks = |what: usize| {
        let store = store.clone();
        tokio::spawn(async move {
            match what {
                0 => assert_eq!(seen(&store).await, ["First"]),
                1 => assert_eq!(store.head().await.unwrap(), Position(1)),
                2 => assert_eq!(store.stats().await.unwrap().events, 1),
                _ => {
                    let of_one = store.read(Query::stream(&stream("a"))).collect().await;
                    assert_eq!(of_one.unwrap().len(), 1);
                }
            }
        })
    };
    for what in 0..4 {
        proxy.set(Network::HoldsAnswers);
        let asked = asks(what);
        // It waits for what does not come.
        proxy.asked().await;
        proxy.cut().await;
        asked.await.unwrap();
    }
}

#[tokio::test]
async fn a_network_that_is_gone_leaves_nothing_written() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let proxy = Proxy::before(schema.address()).await;
    let store = Store::new(schema.options_at(proxy.port).open().await.unwrap());
    proxy.cut().await;
    proxy.set(Network::Broken);
    let error = store.append_batch(first()).await.unwrap_err();
    assert!(
        matches!(error, AppendError::Unavailable { .. }),
        "{error:?}"
    );
    let error = store.head().await.unwrap_err();
    assert!(error.to_string().contains(store.url()), "{error}");
    proxy.set(Network::Works);
    assert!(!store.append_batch(first()).await.unwrap().repeated);
}

#[tokio::test]
async fn a_right_that_is_taken_away_makes_the_log_one_to_read_until_it_is_given_back() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let (client, clerk) = (schema.client().await, format!("{}_clerk", schema.name));
    schema.open().await;
    let grant = format!(
        "CREATE ROLE {clerk} LOGIN; GRANT USAGE ON SCHEMA {0} TO {clerk}; GRANT ALL ON ALL TABLES IN SCHEMA {0} TO {clerk};
         GRANT ALL ON ALL SEQUENCES IN SCHEMA {0} TO {clerk}",
        schema.name
    );
    run(&client, &grant).await;
    let options = PostgresOptions::from_url(&schema.url_as(&clerk))
        .unwrap()
        .schema(&schema.name);
    let store = Store::new(options.open().await.unwrap());
    store.append_batch(first()).await.unwrap();
    run(&client, &format!("REVOKE INSERT ON events FROM {clerk}")).await;
    let batch = Batch::new().append(stream("b"), Expected::NoStream, [event("Second")]);
    let refused = store.append_batch(batch.clone()).await;
    let seen_meanwhile = seen(&store).await;
    run(&client, &format!("GRANT INSERT ON events TO {clerk}")).await;
    let granted = store.append_batch(batch).await;
    store.close().await.unwrap();
    run(
        &client,
        &format!("DROP OWNED BY {clerk}; DROP ROLE {clerk}"),
    )
    .await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, AppendError::ReadOnly { .. }),
        "{refused:?}"
    );
    assert!(whole(&refused).contains("grant"), "{}", whole(&refused));
    assert_eq!(seen_meanwhile, ["First"]);
    granted.unwrap();
}

#[tokio::test]
async fn a_session_that_may_only_read_is_told_so() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    schema.open().await.append_batch(first()).await.unwrap();
    let url = schema.url_with("options=-c%20default_transaction_read_only=on");
    let reading = PostgresOptions::from_url(&url)
        .unwrap()
        .schema(&schema.name);
    let reading = Store::new(reading.open().await.unwrap());
    assert_eq!(seen(&reading).await, ["First"]);
    let refused = reading
        .append(&stream("a"), Expected::Any, [event("Second")])
        .await
        .unwrap_err();
    assert!(
        matches!(refused, AppendError::ReadOnly { .. }),
        "{refused:?}"
    );
    assert!(whole(&refused).contains("standby"), "{}", whole(&refused));
}

#[tokio::test]
async fn what_a_rule_of_the_database_refuses_is_named_and_its_neighbours_are_written() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let (store, client) = (schema.open().await, schema.client().await);
    let rule = r#"ALTER TABLE events ADD CONSTRAINT no_bad CHECK (payload::text <> '"Bad"')"#;
    run(&client, rule).await;
    block(&client).await;
    let mut waiting = Vec::new();
    for (id, name) in [("a", "Good"), ("b", "Bad"), ("c", "Good")] {
        let batch = Batch::new().append(stream(id), Expected::NoStream, [event(name)]);
        waiting.push(begin(&store, &batch));
    }
    blocked(&client).await;
    run(&client, "COMMIT").await;
    let mut outcomes = Vec::new();
    for one in waiting {
        outcomes.push(one.await.unwrap());
    }
    let refused = outcomes.remove(1).unwrap_err();
    assert!(
        matches!(&refused, AppendError::Refused { stream, event, reason }
            if stream.id() == "b" && event == "Bad" && reason.contains("no_bad")),
        "{refused:?}"
    );
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(seen(&store).await, ["Good", "Good"]);
}

#[tokio::test]
async fn a_server_with_no_connection_left_says_how_to_get_one() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    schema.open().await;
    let (client, clerk) = (schema.client().await, format!("{}_clerk", schema.name));
    run(
        &client,
        &format!("CREATE ROLE {clerk} LOGIN CONNECTION LIMIT 0"),
    )
    .await;
    let refused = Store::connect(&schema.url_as(&clerk)).await.unwrap_err();
    run(&client, &format!("DROP ROLE {clerk}")).await;
    assert!(
        matches!(refused, ConnectError::Unavailable { .. }),
        "{refused:?}"
    );
    assert!(
        whole(&refused).contains("max_connections"),
        "{}",
        whole(&refused)
    );
}

#[tokio::test]
async fn a_standby_and_a_server_that_starts_are_told_apart() {
    let Some(cluster) = Cluster::new(&[]) else {
        return;
    };
    Store::connect(&cluster.url())
        .await
        .unwrap()
        .append_batch(first())
        .await
        .unwrap();
    cluster.write("standby.signal", "");
    cluster.restart(Stop::Fast);
    let refused = Store::connect(&cluster.url()).await.unwrap_err();
    assert!(
        matches!(refused, ConnectError::Standby { .. }),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("target_session_attrs"),
        "{refused}"
    );
    // Behind a pooler the server may become one later.
    let client = cluster.client().await;
    for call in ["frontier(0)", "head(NULL)"] {
        let sql = format!("SELECT recount.{call}");
        let refused = client.batch_execute(&sql).await.unwrap_err();
        let refused = refused.as_db_error().unwrap().message().to_owned();
        assert!(refused.contains("standby"), "{refused}");
    }
    cluster.configure(&["hot_standby = off"]);
    cluster.restart(Stop::Fast);
    let refused = Store::connect(&cluster.url()).await.unwrap_err();
    assert!(
        matches!(refused, ConnectError::Unavailable { .. }),
        "{refused:?}"
    );
    assert!(
        whole(&refused).contains("has started"),
        "{}",
        whole(&refused)
    );
}

#[tokio::test]
async fn a_password_that_is_wrong_or_missing_and_a_user_that_is_unknown_are_denied_and_no_password_is_shown()
 {
    let Some(cluster) = Cluster::new(&["password_encryption = 'scram-sha-256'"]) else {
        return;
    };
    run(
        &cluster.client().await,
        "CREATE ROLE clerk LOGIN SUPERUSER PASSWORD 'right-one'",
    )
    .await;
    cluster.write("pg_hba.conf", "host all all 127.0.0.1/32 scram-sha-256\n");
    cluster.restart(Stop::Fast);
    for user in ["clerk:wrong-one", "nobody:wrong-one", "clerk"] {
        let refused = Store::connect(&cluster.url_as(user, "postgres"))
            .await
            .unwrap_err();
        assert!(
            matches!(refused, ConnectError::Denied { .. }),
            "{user}: {refused:?}"
        );
        let shown = format!("{refused:?} {}", whole(&refused));
        assert!(!shown.contains("wrong-one"), "{shown}");
    }
    let store = Store::connect(&cluster.url_as("clerk:right-one", "postgres"))
        .await
        .unwrap();
    store.append_batch(first()).await.unwrap();
    assert!(!format!("{store:?} {}", store.url()).contains("right-one"));
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://clerk@127.0.0.1:{port}/bank?connect_timeout=1");
    let refused = Store::connect(&url).await.unwrap_err();
    assert!(
        matches!(refused, ConnectError::Unavailable { .. }),
        "{refused:?}"
    );
    assert!(
        refused
            .source()
            .unwrap()
            .to_string()
            .contains("connect_timeout"),
        "{refused:?}"
    );
}

fn two() -> Batch {
    let events = [event("First"), event("Second")];
    Batch::new().append(stream("a"), Expected::NoStream, events)
}

#[tokio::test]
async fn a_session_that_was_cancelled_is_not_used_again() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let (store, client, gate) = (
        schema.open().await,
        schema.client().await,
        schema.client().await,
    );
    let waits =
        "SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND objsubid = 1
        AND (classid::bigint << 32) | objid::bigint = order_gate()";
    for what in ["append", "read", "head"] {
        run(&gate, "SELECT pg_advisory_lock(order_gate())").await;
        let asking = store.clone();
        let asked = tokio::spawn(async move {
            match what {
                // One event alone passes by the gate.
                "append" => asking.append_batch(two()).await.is_ok(),
                "read" => asking.read(Query::all()).collect().await.is_ok(),
                _ => asking.head().await.is_ok(),
            }
        });
        let mut pid = 0_i32;
        until("it waits at the gate", async || {
            let waiting = client.query_opt(waits, &[]).await.unwrap();
            pid = waiting.map_or(0, |row| row.get(0));
            pid != 0
        })
        .await;
        run(&client, &format!("SELECT pg_cancel_backend({pid})")).await;
        assert!(!asked.await.unwrap(), "{what}");
        run(&gate, "SELECT pg_advisory_unlock(order_gate())").await;
        let there = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)";
        until(what, async || {
            !client
                .query_one(there, &[&pid])
                .await
                .unwrap()
                .get::<_, bool>(0)
        })
        .await;
    }
    store.append_batch(two()).await.unwrap();
    assert_eq!(seen(&store).await, ["First", "Second"]);
}

#[tokio::test]
async fn who_waits_for_a_stream_in_vain_does_not_stop_the_neighbours_in_its_group() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let (holder, mut client) = (schema.open().await, schema.client().await);
    let transaction = client.transaction().await.unwrap();
    within(&holder, &transaction, async |inside| {
        inside.append_batch(first()).await
    })
    .await
    .unwrap()
    .unwrap();
    let options = schema.options().lock_timeout(Duration::from_millis(300));
    let store = Store::new(options.open().await.unwrap());
    // The first goes alone, the others wait behind it and go together.
    let (mut waiting, begun) = (Vec::new(), Instant::now());
    let ids = iter::repeat_n("a", 40).chain(["b", "c"]);
    for id in ids {
        let batch = Batch::new().append(stream(id), Expected::NoStream, [event("Late")]);
        waiting.push(begin(&store, &batch));
    }
    let mut outcomes = Vec::new();
    for one in waiting {
        outcomes.push(one.await.unwrap());
    }
    let unavailable = |outcome| matches!(outcome, &Err(AppendError::Unavailable { .. }));
    assert!(outcomes[..40].iter().all(unavailable), "{outcomes:?}");
    assert!(outcomes[40..].iter().all(Result::is_ok), "{outcomes:?}");
    // Not each waits by itself.
    assert!(begun.elapsed() < Duration::from_secs(8));
    transaction.rollback().await.unwrap();
    assert_eq!(seen(&store).await, ["Late", "Late"]);
}

#[tokio::test]
async fn an_append_whose_answer_a_pooler_lost_has_an_unknown_outcome() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let (store, client) = (schema.open().await, schema.client().await);
    // What PgBouncer says when its connection to the server broke, whatever the server had done by then.
    let lost = "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE 'server conn crashed?' USING ERRCODE = '08P01'; END $$;
        CREATE TRIGGER lose BEFORE INSERT ON events EXECUTE FUNCTION lose()";
    run(&client, lost).await;
    let error = store.append_batch(first()).await.unwrap_err();
    assert!(matches!(error, AppendError::Unknown { .. }), "{error:?}");
    run(&client, "DROP TRIGGER lose ON events").await;
    assert!(!store.append_batch(first()).await.unwrap().repeated);
}

#[tokio::test]
async fn an_append_on_a_session_that_had_rested_for_too_long_goes_out_on_another_one() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let (store, client) = (schema.open().await, schema.client().await);
    // What a server says to the first that comes just then.
    let rested =
        "CREATE SEQUENCE asked; CREATE FUNCTION rest() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('asked') = 1 THEN
                RAISE 'terminating connection due to idle-session timeout' USING ERRCODE = '57P05';
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER rest BEFORE INSERT ON events EXECUTE FUNCTION rest()";
    run(
        &client,
        &rested.replace("'asked'", &format!("'{}.asked'", schema.name)),
    )
    .await;
    store.append_batch(first()).await.unwrap();
    assert_eq!(seen(&store).await, ["First"]);
}

#[tokio::test]
async fn closing_does_not_wait_for_ever_for_an_append_that_nobody_asks_for() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let store = schema.open().await;
    let mut begun = Box::pin(store.append_batch(first()));
    assert!(begun.as_mut().now_or_never().is_none());
    let closing = store.clone();
    let closed = tokio::time::timeout(Duration::from_secs(20), closing.close());
    closed.await.unwrap().unwrap();
}
