//! What scripted schedules are made of: a log, events inserted by hand, and functions of the log that stop where a schedule wants
//! them to.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use recount::Store;
use recount::log::{Expected, Position};
use recount::store::postgres::PostgresOptions;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::server::Schema;
use crate::{event, stream};

/// By hand, as another program would: an event of a stream of its own, whose kind is there already.
pub const BY_HAND: &str = "INSERT INTO events
        (stream, version, recorded_at, kind, tenant, batch_left, event_id, batch, stream_id, payload)
    SELECT stream('account', id), 1, 0, (SELECT kind FROM kinds WHERE name = 'ByHand'), 0, 0, gen_random_uuid(),
           gen_random_uuid(), id, '{}'
    FROM (SELECT 'by hand ' || gen_random_uuid() AS id) AS new
    RETURNING position";

/// A log that knows the kind of the events that are inserted by hand, and has no event.
pub async fn empty() -> Option<(Store, Client, Schema)> {
    let schema = Schema::new().await?;
    let (store, client) = found(&schema).await;
    Some((store, client, schema))
}

/// The same in a schema that is there already, or on another server.
pub async fn found(schema: &Schema) -> (Store, Client) {
    let store = schema.open().await;
    let client = schema.client().await;
    let kind = "INSERT INTO kinds (tenant, category, name, schema_version) VALUES (0, 'account', 'ByHand', 1)";
    client.batch_execute(kind).await.unwrap();
    (store, client)
}

pub async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap();
}

/// The only value of the only row.
pub async fn one<T: for<'a> tokio_postgres::types::FromSql<'a>>(client: &Client, sql: &str) -> T {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// The positions that a statement returns, in the order in which it does.
pub async fn positions(client: &Client, sql: &str) -> Vec<i64> {
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Inserts an event by hand; its position.
pub async fn insert(client: &Client) -> i64 {
    one(client, BY_HAND).await
}

pub async fn append(store: &Store, name: &'static str) -> Position {
    let target = stream(name);
    let appended = store.append(&target, Expected::Any, [event(name)]);
    appended.await.unwrap().position
}

/// Waits for something that other tasks and connections bring about; a schedule that does not come about fails.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::task::yield_now().await;
    }
}

/// Who brings a schedule about: stops others and looks where they stand.
pub struct Control {
    client: Client,
    /// The schema, and what the connections are called that stop nowhere.
    name: String,
}

impl Control {
    pub async fn new(schema: &Schema) -> Self {
        let client = schema.client().await;
        // Keys of two numbers, which are none of the order's; the first is the log's own number.
        let pause = format!(
            "CREATE FUNCTION pause(place int) RETURNS void LANGUAGE plpgsql AS $$
             BEGIN
                 IF current_setting('application_name') <> '{0}' THEN
                     PERFORM pg_advisory_lock_shared({0}.order_number()::int, place);
                     PERFORM pg_advisory_unlock_shared({0}.order_number()::int, place);
                 END IF;
             END $$",
            schema.name
        );
        run(&client, &pause).await;
        Self {
            client,
            name: schema.name.clone(),
        }
    }

    /// A store whose calls stop at no place, and wait only for what others hold.
    pub async fn free_store(&self, schema: &Schema) -> Store {
        let url = format!("{}&application_name={}", schema.url(), self.name);
        let options = PostgresOptions::from_url(&url).unwrap();
        Store::new(options.open().await.unwrap())
    }

    /// A connection that stops at no place.
    pub async fn free_client(&self, schema: &Schema) -> Client {
        let client = schema.client().await;
        run(&client, &format!("SET application_name = '{}'", self.name)).await;
        client
    }

    /// From here on, whoever comes to this place stops there.
    pub async fn stop_at(&self, place: i32) {
        let sql = format!("SELECT pg_advisory_lock(order_number()::int, {place})");
        run(&self.client, &sql).await;
    }

    pub async fn go_on_from(&self, place: i32) {
        let sql = format!("SELECT pg_advisory_unlock(order_number()::int, {place})");
        assert!(one::<bool>(&self.client, &sql).await);
    }

    /// How many stand at this place.
    async fn standing_at(&self, place: i32) -> i64 {
        let sql = format!(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND objsubid = 2
                 AND classid::bigint = order_number() AND objid = {place}"
        );
        one(&self.client, &sql).await
    }

    /// Waits until so many stand at this place.
    pub async fn stand_at(&self, place: i32, count: usize) {
        let count = i64::try_from(count).unwrap();
        let what = format!("{count} stand at {place}");
        until(&what, async || self.standing_at(place).await == count).await;
    }

    /// Ends the connections of those who stand at this place.
    pub async fn end_those_at(&self, place: i32) {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND objsubid = 2
                 AND classid::bigint = order_number() AND objid = {place}"
        );
        assert!(one::<i64>(&self.client, &sql).await > 0);
        until("they end", async || self.standing_at(place).await == 0).await;
    }

    /// Waits until a task stands at this place; false when it ended without coming there.
    pub async fn comes_to<T>(&self, place: i32, task: &JoinHandle<T>) -> bool {
        let mut ended = false;
        until("it stops or ends", async || {
            // Asked first: what ended before the look did not stop.
            ended = task.is_finished();
            ended || self.standing_at(place).await > 0
        })
        .await;
        !ended
    }

    /// Waits until somebody stands at one of these places, and says at which.
    pub async fn comes_to_one_of(&self, places: [i32; 2]) -> i32 {
        let mut at = 0;
        until("it stops", async || {
            for place in places {
                if self.standing_at(place).await > 0 {
                    at = place;
                }
            }
            at > 0
        })
        .await;
        at
    }

    /// Waits until a task ended, or somebody who stops at no place waits for a lock, or for somebody who takes a place.
    pub async fn ends_or_waits<T>(&self, task: &JoinHandle<T>) {
        let sql = format!(
            "SELECT EXISTS (
                 SELECT FROM pg_stat_activity
                 WHERE application_name = '{}' AND (wait_event_type = 'Lock' OR wait_event = 'PgSleep'))",
            self.name
        );
        until("it ends or waits", async || {
            task.is_finished() || one(&self.client, &sql).await
        })
        .await;
    }

    /// Lets a function of the log stop after each of its statements, at places from `first` on; returns how many there are.
    pub async fn add_pauses(&self, function: &str, first: i32) -> i32 {
        let sql = format!("SELECT pg_get_functiondef('{function}'::regproc)");
        let definition: String = one(&self.client, &sql).await;
        let schema = &self.name;
        let (mut paused, mut place, mut in_body) = (String::new(), first, false);
        for line in definition.lines() {
            // Not before the body of a loop or a branch, but before the first statement of all.
            in_body |= line.trim_end().ends_with("BEGIN");
            paused.push_str(line);
            paused.push('\n');
            // Few come to where somebody is waited for.
            let is_statement = line.ends_with(';') && !line.contains("pg_sleep");
            if in_body && (is_statement || place == first) {
                writeln!(paused, "PERFORM {schema}.pause({place});").unwrap();
                place += 1;
            }
        }
        assert!(place > first + 1, "{function} has statements: {definition}");
        run(&self.client, &paused).await;
        place - first
    }

    /// Lets whoever takes a place in the order stop at `place`, knowing which it will be and not holding it yet: also where that is
    /// not a statement but part of one.
    pub async fn add_pause_before_places(&self, place: i32) {
        let sql = format!(
            "CREATE OR REPLACE FUNCTION order_key(last bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
             BEGIN
                 IF last BETWEEN 1 AND 1::bigint << 40 THEN
                     PERFORM {0}.pause({place});
                 END IF;
                 RETURN ({0}.order_number() << 48) | last;
             END $$",
            self.name
        );
        run(&self.client, &sql).await;
    }

    /// Lets whoever writes an event stop at `place`, before the row is in the table.
    pub async fn add_pause_of_rows(&self, place: i32) {
        let sql = format!(
            "CREATE FUNCTION pause_of_row() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM {0}.pause({place}); RETURN NEW; END $$;
             CREATE TRIGGER rows_pause BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION pause_of_row()",
            self.name
        );
        run(&self.client, &sql).await;
    }
}
