//! On a server, which notifies; and where it does not.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use recount::prelude::*;
use recount::store::postgres::PostgresOptions;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::server::Schema;
use crate::{Follower, append, delays, soon, wakes_at_once};

/// By hand, as another program would: an event of a stream of its own, whose kind is there already.
const BY_HAND: &str = "INSERT INTO events
        (stream, version, recorded_at, kind, tenant, batch_left, event_id, batch, stream_id, payload)
    SELECT stream('account', id), 1, 0, (SELECT kind FROM kinds WHERE name = 'Counted'), 0, 0, gen_random_uuid(),
           gen_random_uuid(), id, '1'
    FROM (SELECT 'by hand ' || gen_random_uuid() AS id) AS new";

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap();
}

/// The channel of a log.
async fn channel(client: &Client) -> String {
    let row = client.query_one("SELECT 'recount_' || order_number()", &[]);
    row.await.unwrap().get(0)
}

/// The process on the server of the connection that listens, other than this one; waits until there is one.
async fn listener(client: &Client, other_than: Option<i32>) -> i32 {
    let sql = "SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN ' || $1::text AND pid IS DISTINCT FROM $2";
    let channel = channel(client).await;
    soon("a connection listens", async {
        loop {
            if let Some(row) = client
                .query_opt(sql, &[&channel, &other_than])
                .await
                .unwrap()
            {
                return row.get(0);
            }
        }
    })
    .await
}

/// Waits until no connection listens.
async fn nobody_listens(client: &Client) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN ' || $1::text";
    let channel = channel(client).await;
    soon("nobody listens", async {
        while client
            .query_one(sql, &[&channel])
            .await
            .unwrap()
            .get::<_, i64>(0)
            > 0
        {}
    })
    .await;
}

/// A log that one handle writes to and another one follows, which has seen an event of stream `a`.
struct Followed {
    _schema: Schema,
    writing: Store,
    client: Client,
    follower: Follower,
}

/// None where there is no server.
async fn followed() -> Option<Followed> {
    let schema = Schema::new().await?;
    let (reading, writing) = (schema.open().await, schema.open().await);
    let client = schema.client().await;
    let mut follower = Follower::new(&reading);
    append(&writing, "a").await;
    follower.sees(1).await;
    Some(Followed {
        _schema: schema,
        writing,
        client,
        follower,
    })
}

#[tokio::test]
async fn appends_of_another_process_wake_as_they_come() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let store = schema.open().await;
    let delays = delays(&store, &schema.url(), 60).await;
    // Who only looks now and then would see half of them after 50 milliseconds or later.
    assert!(delays[delays.len() / 2] < 25_000, "{delays:?}");
}

#[tokio::test]
async fn a_connection_that_was_terminated_is_made_anew_and_nothing_is_missed() {
    let Some(Followed {
        _schema,
        writing,
        client,
        mut follower,
    }) = followed().await
    else {
        return;
    };
    let mut pid = None;
    for round in 1..=3 {
        let follows = tokio::spawn(async move {
            follower.sees(round * 3).await;
            follower
        });
        let listening = listener(&client, pid).await;
        let ended: bool = client
            .query_one("SELECT pg_terminate_backend($1)", &[&listening])
            .await
            .unwrap()
            .get(0);
        assert!(ended);
        pid = Some(listening);
        // Before there is another one.
        for _ in 0..if round == 1 { 2 } else { 3 } {
            append(&writing, "a").await;
        }
        follower = soon("all is seen", follows).await.unwrap();
    }
    // It hears again: who only looks has long pauses by then.
    let follows = tokio::spawn(async move {
        follower.sees(10).await;
        follower
    });
    listener(&client, pid).await;
    append(&writing, "a").await;
    soon("all is seen", follows).await.unwrap();
}

/// What is said on the channel of a log, as it comes.
async fn overheard(schema: &Schema, channel: &str) -> (Client, UnboundedReceiver<String>) {
    let (spy, mut connection) = tokio_postgres::connect(schema.server(), NoTls)
        .await
        .unwrap();
    let (say, said) = unbounded_channel();
    tokio::spawn(async move {
        let mut messages = pin!(stream::poll_fn(|context| connection.poll_message(context)));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message {
                let _ = say.send(notification.payload().to_owned());
            }
        }
    });
    run(&spy, &format!("SET search_path = {}", schema.name)).await;
    run(&spy, &format!("LISTEN {channel}")).await;
    run(&spy, "SELECT pg_advisory_lock_shared(order_listeners())").await;
    (spy, said)
}

#[tokio::test]
async fn others_are_notified_once_an_append_can_be_read() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    schema.open().await;
    let client = schema.client().await;
    let (_spy, mut said) = overheard(&schema, &channel(&client).await).await;
    for round in 1..=5_i64 {
        // One that has told nobody of anything yet. The second append has a notification of its own, since it comes while that
        // of the first is under way or was just sent.
        let store = schema.open().await;
        append(&store, "a").await;
        append(&store, "a").await;
        for which in ["first", "second"] {
            let what = format!("the {which} append is notified of");
            soon(&what, said.recv()).await.unwrap();
        }
        let count = client.query_one("SELECT count(*) FROM events", &[]).await;
        assert_eq!(count.unwrap().get::<_, i64>(0), round * 2);
    }
}

#[tokio::test]
async fn others_are_not_notified_of_each_append_of_many() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let store = schema.open().await;
    let client = schema.client().await;
    let channel = channel(&client).await;
    let (_spy, mut said) = overheard(&schema, &channel).await;
    let started = Instant::now();
    for _ in 0..300 {
        append(&store, "a").await;
    }
    store.close().await.unwrap();
    let most = started.elapsed().as_millis() / 5 + 2;
    run(&client, &format!("NOTIFY {channel}, 'end'")).await;
    let mut notified = 0;
    while soon("the end is heard", said.recv()).await.unwrap() != "end" {
        notified += 1;
    }
    println!("300 appends, {notified} notifications, at most {most}");
    assert!(
        (1..=most).contains(&notified),
        "{notified} notifications, at most {most} were to come"
    );
}

#[tokio::test]
async fn nobody_is_notified_while_nobody_says_that_it_listens() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let (store, client) = (schema.open().await, schema.client().await);
    let channel = channel(&client).await;
    let (spy, mut said) = overheard(&schema, &channel).await;
    run(&spy, "SELECT pg_advisory_unlock_shared(order_listeners())").await;
    for _ in 0..20 {
        append(&store, "a").await;
    }
    // Whoever was to be told would have been by now.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(said.try_recv().ok(), None);
    run(&spy, "SELECT pg_advisory_lock_shared(order_listeners())").await;
    append(&store, "a").await;
    soon("the notification", said.recv()).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_is_held_back_is_woken_when_it_can_go_on() {
    let Some(Followed {
        _schema,
        writing,
        client,
        mut follower,
    }) = followed().await
    else {
        return;
    };
    for (end, events) in [("COMMIT", 3), ("ROLLBACK", 4)] {
        run(&client, "BEGIN").await;
        run(&client, BY_HAND).await;
        append(&writing, "a").await;
        // It is told of the append, and finds nothing.
        let seen = follower.seen;
        for _ in 0..3 {
            soon("it is woken", follower.watch.changed()).await;
            follower.read().await;
        }
        assert_eq!(follower.seen, seen);
        // Nobody is told of this.
        run(&client, end).await;
        follower.sees(events).await;
    }
}

#[tokio::test]
async fn who_writes_by_hand_wakes_others_by_a_call_or_a_notification() {
    let Some(Followed {
        _schema,
        writing,
        client,
        mut follower,
    }) = followed().await
    else {
        return;
    };
    let notify = format!("NOTIFY {}", channel(&client).await);
    let mut delays = Vec::new();
    for number in 0..40 {
        run(&client, BY_HAND).await;
        let started = Instant::now();
        if number % 2 == 0 {
            writing.wake();
        } else {
            run(&client, &notify).await;
        }
        follower.sees(2 + number).await;
        delays.push(started.elapsed());
        // Not in step with anybody who looks now and then.
        tokio::time::sleep(Duration::from_micros(number as u64 * 7_919 % 23_000)).await;
    }
    delays.sort_unstable();
    assert!(delays[20] < Duration::from_millis(20), "{delays:?}");
}

#[tokio::test]
async fn where_no_connection_can_listen_readers_are_woken_all_the_same() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let writing = schema.open().await;
    append(&writing, "a").await;
    let (client, reader) = (schema.client().await, format!("{}_reader", schema.name));
    let role = format!(
        "CREATE ROLE {reader} LOGIN CONNECTION LIMIT 1; GRANT USAGE ON SCHEMA {0} TO {reader};
         GRANT SELECT ON ALL TABLES IN SCHEMA {0} TO {reader}; GRANT SELECT ON ALL SEQUENCES IN SCHEMA {0} TO {reader}",
        schema.name
    );
    run(&client, &role).await;
    let options = PostgresOptions::from_url(&schema.url_as(&reader)).unwrap();
    let options = options.schema(&schema.name).connections(1);
    let reading = Store::new(options.open().await.unwrap());
    let mut follower = Follower::new(&reading);
    for events in 1..=10 {
        follower.sees(events).await;
        append(&writing, "a").await;
    }
    let follows = tokio::spawn(async move { follower.sees(11).await });
    soon("the last one is seen", follows).await.unwrap();
    soon("a store that cannot listen is closed", reading.close())
        .await
        .unwrap();
    nobody_listens(&client).await;
    run(
        &client,
        &format!("DROP OWNED BY {reader}; DROP ROLE {reader}"),
    )
    .await;
}

#[tokio::test]
async fn the_connection_that_listens_ends_with_the_last_watch_and_with_the_store() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let store = schema.open().await;
    let client = schema.client().await;
    for _ in 0..2 {
        let (one, two) = (store.watch(), store.watch());
        nobody_listens(&client).await;
        let follows = [one, two].map(|mut watch| {
            tokio::spawn(async move {
                loop {
                    watch.changed().await;
                }
            })
        });
        listener(&client, None).await;
        for follows in &follows {
            follows.abort();
        }
        nobody_listens(&client).await;
    }
    let mut watch = store.watch();
    let reading = store.clone();
    let follows = tokio::spawn(async move {
        while reading.head().await.is_ok() {
            watch.changed().await;
        }
    });
    listener(&client, None).await;
    soon("the store is closed", store.close()).await.unwrap();
    soon("who waits is woken", follows).await.unwrap();
    nobody_listens(&client).await;
}

#[tokio::test]
async fn an_append_of_this_process_has_woken_when_it_returns() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    wakes_at_once(&schema.open().await).await;
}

#[tokio::test]
async fn while_notifications_arrive_nobody_looks_for_longer_and_longer() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let store = schema.open().await;
    append(&store, "a").await;
    let (mut watch, mut woken) = (store.watch(), 0);
    // After 25, 50, 100, 200, 400 and 800 milliseconds; and for the connection that begins to listen.
    let idle = async {
        loop {
            watch.changed().await;
            woken += 1;
        }
    };
    let _: Result<(), _> = tokio::time::timeout(Duration::from_secs(2), idle).await;
    assert!((4..=12).contains(&woken), "{woken}");
}
