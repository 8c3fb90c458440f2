//! Those who append: through the store, and by transactions of their own.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use recount::Store;
use recount::log::{AppendError, Batch, EventId, Expected, NewEvent};
use tokio_postgres::Client;
use uuid::Uuid;

use super::STREAMS;
use super::dice::Dice;
use crate::{event, stream};

/// Where writers say what they were told, line by line, so that it is there when they are killed.
#[derive(Clone)]
pub struct Report(Arc<Mutex<File>>);

impl Report {
    pub fn new(file: File) -> Self {
        Self(Arc::new(Mutex::new(file)))
    }

    fn tell(&self, what: &str, ids: &[Uuid]) {
        let mut lines = Vec::new();
        for id in ids {
            writeln!(lines, "{what} {id}").unwrap();
        }
        self.0.lock().unwrap().write_all(&lines).unwrap();
    }
}

/// Some events: mostly one, sometimes up to twenty.
fn how_many(dice: &mut Dice) -> u64 {
    if dice.percent(50) {
        1
    } else {
        1 + dice.below(20)
    }
}

/// Sometimes stays where it is for a while.
async fn pause(dice: &mut Dice) {
    if dice.percent(2) {
        tokio::time::sleep(Duration::from_millis(dice.below(150))).await;
    }
}

/// Appends through the store until the time is over.
pub async fn append(store: Store, mut dice: Dice, end: Instant, report: Report) {
    while Instant::now() < end {
        let (mut batch, mut ids) = (Batch::new(), Vec::new());
        // Alone in a stream whose version is known: by one statement, without a function.
        let is_alone = dice.percent(30);
        if is_alone {
            let (target, first) = (Uuid::now_v7().to_string(), event("Counted"));
            ids.push(first.id);
            batch = batch.append(stream(&target), Expected::NoStream, [first]);
        }
        let parts = if is_alone { 0 } else { 1 + dice.below(2) };
        for _ in 0..parts {
            let events: Vec<NewEvent> =
                (0..how_many(&mut dice)).map(|_| event("Counted")).collect();
            ids.extend(events.iter().map(|event| event.id));
            let target = stream(&dice.below(STREAMS).to_string());
            batch = batch.append(target, Expected::Any, events);
        }
        let ids: Vec<Uuid> = ids.into_iter().map(|EventId(id)| id).collect();
        match store.append_batch(batch).await {
            Ok(_) => report.tell("committed", &ids),
            Err(AppendError::Unavailable { .. }) => report.tell("undone", &ids),
            // Its connection was ended.
            Err(AppendError::Unknown { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
        pause(&mut dice).await;
    }
}

/// What one who appends by hand works with.
pub struct ByHand {
    pub schema: String,
    pub server: String,
    pub dice: Dice,
    pub report: Report,
    /// What each connection is told.
    pub settings: String,
    /// Whether the server has prepared transactions.
    pub prepares: bool,
}

/// Holds a stream as the store does. Who writes to one without that may meet another one there, and is undone.
const HOLD: &str = "SELECT pg_advisory_xact_lock_shared(order_streams()),
    pg_advisory_xact_lock(stream_key(('x' || left(replace(stream('account', $1)::text, '-', ''), 12))::bit(48)::bigint))";

/// Takes a place in the order, and writes nothing.
const TAKE_PLACE: &str = "INSERT INTO events (stream, version, recorded_at, kind, tenant, batch_left, event_id, batch, stream_id, payload)
    SELECT gen_random_uuid(), 0, 0, 0, 0, 0, gen_random_uuid(), gen_random_uuid(), '', '{}' WHERE false";

const WRITE: &str = "INSERT INTO events (stream, version, recorded_at, kind, tenant, batch_left, event_id, batch, stream_id, payload)
    SELECT stream('account', $1), n + (SELECT coalesce(max(version), 0) FROM events WHERE stream = stream('account', $1)), 0,
           (SELECT kind FROM kinds WHERE name = 'Counted'), 0, 0, id, id, $1, '{}'
    FROM unnest($2::uuid[]) WITH ORDINALITY AS w (id, n) ORDER BY n";

impl ByHand {
    /// Writes until the time is over, on a new connection whenever the last one was ended.
    pub async fn run(mut self, end: Instant) {
        while Instant::now() < end {
            let Ok(client) = crate::server::connect(&self.server).await else {
                continue;
            };
            let settings = format!(
                "SET search_path = {}; SET application_name = '{}'; SET lock_timeout = '2s'; {}",
                self.schema,
                super::child::writing(&self.schema),
                self.settings
            );
            let mut works = client.batch_execute(&settings).await.is_ok();
            while works && Instant::now() < end {
                if self.transaction(&client).await.is_err() {
                    // A deadlock, a lock of a transaction that was prepared by a process that was killed, or the end of the connection.
                    works = client.batch_execute("ROLLBACK").await.is_ok();
                }
            }
        }
    }

    async fn transaction(&mut self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let (mut kept, mut undone) = (Vec::new(), Vec::new());
        client.batch_execute("BEGIN").await?;
        for _ in 0..=self.dice.below(3) {
            if self.dice.percent(15) {
                client.batch_execute("SAVEPOINT one").await?;
                let ids = self.append(client).await?;
                client.batch_execute("ROLLBACK TO one").await?;
                undone.extend(ids);
                pause(&mut self.dice).await;
            }
            kept.extend(self.append(client).await?);
        }
        pause(&mut self.dice).await;
        if self.dice.percent(5) {
            client.batch_execute("ROLLBACK").await?;
            undone.append(&mut kept);
        } else if self.prepares && self.dice.percent(15) {
            let name = format!("{}-{}", self.schema, Uuid::now_v7().simple());
            client
                .batch_execute(&format!("PREPARE TRANSACTION '{name}'"))
                .await?;
            self.report.tell("prepared", &kept[..1]);
            pause(&mut self.dice).await;
            let end = *self.dice.pick(&["COMMIT", "COMMIT", "ROLLBACK"]);
            client
                .batch_execute(&format!("{end} PREPARED '{name}'"))
                .await?;
            if end == "ROLLBACK" {
                undone.append(&mut kept);
            }
        } else {
            client.batch_execute("COMMIT").await?;
        }
        self.report.tell("committed", &kept);
        self.report.tell("undone", &undone);
        Ok(())
    }

    async fn append(&mut self, client: &Client) -> Result<Vec<Uuid>, tokio_postgres::Error> {
        let name = self.dice.below(STREAMS).to_string();
        let ids: Vec<Uuid> = (0..how_many(&mut self.dice))
            .map(|_| Uuid::now_v7())
            .collect();
        if self.dice.percent(90) {
            client.query_one(HOLD, &[&name]).await?;
        }
        pause(&mut self.dice).await;
        if self.dice.percent(30) {
            client.execute(TAKE_PLACE, &[]).await?;
            pause(&mut self.dice).await;
        }
        client.execute(WRITE, &[&name, &ids]).await?;
        pause(&mut self.dice).await;
        Ok(ids)
    }
}

/// Rolls back what was prepared by those who ended before they decided.
pub async fn forget_prepared(client: &Client, schema: &str) {
    let sql = "SELECT gid FROM pg_prepared_xacts WHERE gid LIKE $1 || '-%'";
    for row in client.query(sql, &[&schema]).await.unwrap() {
        let name: String = row.get(0);
        crate::scene::run(client, &format!("ROLLBACK PREPARED '{name}'")).await;
    }
}
