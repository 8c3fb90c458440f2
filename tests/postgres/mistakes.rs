//! Each way to keep the order wrongly, made on purpose, loses events in a schedule in which the log as it is loses none.
//!
//! What only happens now and then, however it is scheduled, is shown under load: `load`.

use recount::log::{AppendError, Expected, Query};
use tokio_postgres::Client;

use crate::scene::{BY_HAND, Control, append, empty, insert, one, positions, run};
use crate::server::Schema;
use crate::{event, stream};

/// The last position that was drawn.
const DRAWN: &str = "coalesce(pg_sequence_last_value('positions'), 0)";

/// The smallest position that an open append lies above.
const OPEN: &str = "(SELECT min(((classid::bigint & 65535) << 32) | objid::bigint) FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock' AND granted AND classid::bigint >> 16 = order_number()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";

const NOTHING: [i64; 0] = [];

/// How a page comes about.
#[derive(Debug, Clone, Copy)]
enum Reader {
    /// The frontier by a function of this name, and the rows in a later statement.
    TwoStatements(&'static str),
    /// Both in one.
    OneStatement(&'static str),
    /// Both in two, of one transaction that sees what was committed before it began.
    OneSnapshot(&'static str),
    /// By a function of this name.
    Function(&'static str),
}

impl Reader {
    /// The positions after one, as far as a reader may see them.
    async fn page(self, client: &Client, after: i64) -> Result<Vec<i64>, tokio_postgres::Error> {
        let rows = "FROM events WHERE position >";
        let two = async |frontier: &str| {
            let frontier = format!("SELECT frontier FROM {frontier}({after})");
            let frontier: i64 = client.query_one(&frontier, &[]).await?.get(0);
            let page =
                format!("SELECT position {rows} {after} AND position <= {frontier} ORDER BY 1");
            client.query(&page, &[]).await
        };
        let page = match self {
            Self::TwoStatements(frontier) => two(frontier).await?,
            Self::OneStatement(frontier) => {
                let page = format!(
                    "SELECT position {rows} {after} AND position <= (SELECT frontier FROM {frontier}({after})) ORDER BY 1"
                );
                client.query(&page, &[]).await?
            }
            Self::OneSnapshot(frontier) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1";
                client.batch_execute(begin).await?;
                let page = two(frontier).await;
                client.batch_execute("COMMIT").await?;
                page?
            }
            Self::Function(page) => {
                let page = format!("SELECT position FROM {page}({after}) ORDER BY 1");
                client.query(&page, &[]).await?
            }
        };
        Ok(page.iter().map(|row| row.get(0)).collect())
    }
}

/// A log and three who insert by hand.
struct Scene {
    schema: Schema,
    control: Control,
    one: Client,
    two: Client,
    three: Client,
    /// Where functions of the log stop: at places from 1 to this one.
    places: i32,
}

impl Scene {
    async fn new() -> Option<Self> {
        let (_, one, schema) = empty().await?;
        let control = Control::new(&schema).await;
        // The log's own, stopped wherever a wrong one is.
        let places = control.add_pauses("frontier", 1).await;
        // One that does as it should, but leaves the rest to who calls it.
        let plain = format!(
            "CREATE FUNCTION plain(known bigint, OUT frontier bigint) LANGUAGE plpgsql AS $$
             BEGIN
                 frontier := {DRAWN};
                 PERFORM pause(1);
                 frontier := least(frontier, {OPEN});
                 PERFORM pause(2);
             END $$"
        );
        run(&one, &plain).await;
        let (two, three) = (schema.client().await, schema.client().await);
        Some(Self {
            schema,
            control,
            one,
            two,
            three,
            places,
        })
    }

    /// What a reader that goes on from page to page never sees, wherever it stops in the first of two pages while appends begin
    /// and end around it. With `open`, an append is open when the first page begins.
    async fn lost(&self, reader: Reader, open: bool) -> Vec<i64> {
        let mut lost = Vec::new();
        for place in 1..=self.places {
            let start: i64 = one(&self.one, &format!("SELECT {DRAWN}")).await;
            if open {
                run(&self.one, "BEGIN").await;
                insert(&self.one).await;
            }
            insert(&self.two).await;
            self.control.stop_at(place).await;
            let client = self.schema.client().await;
            let first = tokio::spawn(async move { reader.page(&client, start).await.unwrap() });
            let stopped = self.control.comes_to(place, &first).await;
            if open {
                run(&self.one, "COMMIT").await;
            }
            run(&self.three, "BEGIN").await;
            insert(&self.three).await;
            insert(&self.two).await;
            self.control.go_on_from(place).await;
            let mut seen = first.await.unwrap();
            run(&self.three, "COMMIT").await;
            let from = seen.last().copied().unwrap_or(start);
            seen.extend(reader.page(&self.one, from).await.unwrap());
            let all = format!("SELECT position FROM events WHERE position > {start} ORDER BY 1");
            let all = positions(&self.one, &all).await;
            assert_eq!(all.len(), if open { 4 } else { 3 });
            assert!(stopped || place > 1, "nobody came to the first place");
            lost.extend(all.into_iter().filter(|position| !seen.contains(position)));
        }
        lost
    }

    /// The wrong reader loses events in some of the schedules, the log's own in none.
    async fn only_loses(&self, wrong: Reader) {
        let mut lost = Vec::new();
        for open in [true, false] {
            lost.extend(self.lost(wrong, open).await);
            let real = self.lost(Reader::TwoStatements("frontier"), open).await;
            assert_eq!(real, NOTHING, "the log's own frontier, {open}");
        }
        assert!(!lost.is_empty(), "{wrong:?} loses nothing");
    }
}

#[tokio::test]
async fn a_reader_that_takes_all_it_finds_after_the_last_position_loses_events() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let naive = "CREATE FUNCTION naive(known bigint) RETURNS TABLE (\"position\" bigint) LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pause(1);
            RETURN QUERY SELECT e.position FROM events AS e WHERE e.position > known;
        END $$";
    run(&scene.one, naive).await;
    scene.only_loses(Reader::Function("naive")).await;
}

#[tokio::test]
async fn locks_that_are_looked_at_before_the_sequence_lose_events() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let wrong = format!(
        "CREATE FUNCTION locks_first(known bigint, OUT frontier bigint) LANGUAGE plpgsql AS $$
         DECLARE
             held bigint;
         BEGIN
             held := {OPEN};
             PERFORM pause(1);
             frontier := least({DRAWN}, held);
         END $$"
    );
    run(&scene.one, &wrong).await;
    scene.only_loses(Reader::TwoStatements("locks_first")).await;
    for open in [true, false] {
        let lost = scene.lost(Reader::TwoStatements("plain"), open).await;
        assert_eq!(lost, NOTHING);
    }
}

#[tokio::test]
async fn rows_that_are_read_in_the_statement_of_the_frontier_lose_events() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    scene.only_loses(Reader::OneStatement("plain")).await;
}

#[tokio::test]
async fn a_page_by_a_stable_function_loses_events_and_by_a_volatile_one_it_does_not() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    for kind in ["STABLE", "VOLATILE"] {
        let page = format!(
            "CREATE FUNCTION page_{kind}(known bigint) RETURNS TABLE (\"position\" bigint) LANGUAGE plpgsql {kind} AS $$
             DECLARE
                 reached bigint := (SELECT p.frontier FROM plain(known) AS p);
             BEGIN
                 RETURN QUERY SELECT e.position FROM events AS e WHERE e.position > known AND e.position <= reached;
             END $$"
        );
        run(&scene.one, &page).await;
    }
    scene.only_loses(Reader::Function("page_stable")).await;
    for open in [true, false] {
        let lost = scene.lost(Reader::Function("page_volatile"), open).await;
        assert_eq!(lost, NOTHING);
    }
}

#[tokio::test]
async fn a_page_of_an_older_snapshot_loses_events_and_the_log_refuses_it() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    scene.only_loses(Reader::OneSnapshot("plain")).await;
    let client = scene.schema.client().await;
    let refused = Reader::OneSnapshot("frontier").page(&client, 0).await;
    let refused = refused.unwrap_err().as_db_error().unwrap().to_string();
    assert!(refused.contains("READ COMMITTED"), "{refused}");
}

#[tokio::test]
async fn rows_do_not_overtake_the_frontier_on_a_new_connection() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    for place in 1..=scene.places {
        // A store that knows all kinds, so that its first page on a connection counts, and has one connection that is used.
        let store = scene.schema.open().await;
        let start = store.head().await.unwrap();
        store.read(Query::all()).collect().await.unwrap();
        run(&scene.one, "BEGIN").await;
        let first = insert(&scene.one).await;
        let second = insert(&scene.two).await;
        scene.control.stop_at(place).await;
        // The first page keeps that connection, the second comes by a new one, on which no statement is prepared.
        let pages = [(); 2].map(|()| {
            let mut reader = store.read(Query::all().after(start));
            tokio::spawn(async move {
                let page = reader.next_page().await.unwrap()?;
                let positions = page.iter().map(|event| event.position().0.cast_signed());
                Some(positions.collect::<Vec<_>>())
            })
        });
        scene.control.stand_at(place, pages.len()).await;
        run(&scene.one, "COMMIT").await;
        scene.control.go_on_from(place).await;
        for page in pages {
            // The frontier may have been below both, but whoever sees the second sees the first.
            match page.await.unwrap() {
                Some(page) => assert_eq!(page, [first, second], "stopped at {place}"),
                None => assert!(place > 1, "the append had ended before anybody looked"),
            }
        }
    }
}

#[tokio::test]
async fn a_sequence_that_is_asked_without_whether_it_was_used_leaves_the_first_event_unguarded() {
    let Some((store, client, schema)) = empty().await else {
        return;
    };
    // The wrong one reads 1 before the first position is drawn.
    run(&client, "ALTER TABLE events DISABLE TRIGGER USER").await;
    let other = schema.client().await;
    let place = |last: &str| {
        format!(
            "BEGIN; SELECT pg_advisory_xact_lock_shared((order_number() << 48) | {last}); {BY_HAND}"
        )
    };
    run(&client, &place("(SELECT last_value FROM positions)")).await;
    run(&other, &place(DRAWN)).await;
    run(&other, "COMMIT").await;
    let passed: i64 = one(&other, "SELECT frontier FROM frontier(0)").await;
    assert_eq!(
        passed, 1,
        "who stands at the frontier has passed the first event"
    );
    run(&client, "COMMIT").await;
    let rest = Reader::TwoStatements("frontier").page(&other, passed).await;
    assert_eq!(rest.unwrap(), [2]);
    drop(store);

    let Some((_store, client, schema)) = empty().await else {
        return;
    };
    let other = schema.client().await;
    run(&client, "BEGIN").await;
    insert(&client).await;
    insert(&other).await;
    assert_eq!(
        one::<i64>(&other, "SELECT frontier FROM frontier(0)").await,
        0
    );
    run(&client, "COMMIT").await;
    let all = Reader::TwoStatements("frontier").page(&other, 0).await;
    assert_eq!(all.unwrap(), [1, 2]);
}

/// A log whose sequence is cached: the first connection holds positions from 2 to 20, the second those from 22 to 40, and a reader
/// has seen 1 and 21.
async fn cached(first: &Client, second: &Client) {
    assert_eq!(insert(first).await, 1);
    assert_eq!(insert(second).await, 21);
    let seen = Reader::TwoStatements("frontier").page(second, 0).await;
    assert_eq!(seen.unwrap(), [1, 21]);
}

#[tokio::test]
async fn a_cached_sequence_loses_events_and_more_so_if_only_the_highest_position_is_looked_at() {
    let Some((_store, client, schema)) = empty().await else {
        return;
    };
    run(&client, "ALTER SEQUENCE positions CACHE 20").await;
    let other = schema.client().await;
    cached(&client, &other).await;
    // An append of more events than are left of the first connection's: the lowest positions are below what was seen, the highest
    // is not.
    run(&client, "BEGIN").await;
    let last: i64 = one(&client, &format!("SELECT {DRAWN}")).await;
    let mut drawn = Vec::new();
    for _ in 0..25 {
        drawn.push(insert(&client).await);
    }
    run(&client, "COMMIT").await;
    assert!(drawn.iter().max() > Some(&last), "the highest fits");
    assert!(drawn.iter().min() <= Some(&last), "the lowest does not");
    let seen = Reader::TwoStatements("frontier")
        .page(&other, 21)
        .await
        .unwrap();
    drawn.retain(|position| !seen.contains(position));
    assert_eq!(drawn, (2..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_append_to_a_sequence_that_was_cached_meanwhile_is_refused_and_writes_nothing() {
    let Some((_store, client, schema)) = empty().await else {
        return;
    };
    // One connection, so that the second append is given what the first one left in its cache.
    let store = recount::Store::new(schema.options().connections(1).open().await.unwrap());
    run(&client, "ALTER SEQUENCE positions CACHE 20").await;
    let several = |count: usize| (0..count).map(|_| event("Several")).collect::<Vec<_>>();
    assert_eq!(append(&store, "a").await.0, 1);
    assert_eq!(insert(&client).await, 21);
    let seen = Reader::TwoStatements("frontier").page(&client, 0).await;
    assert_eq!(seen.unwrap(), [1, 21]);
    for count in [1, 25] {
        let refused = store
            .append(&stream("a"), Expected::Any, several(count))
            .await;
        let refused = refused.unwrap_err();
        let AppendError::Unavailable { source, .. } = &refused else {
            panic!("{refused:?}")
        };
        assert!(
            source.to_string().contains("must not be cached or set"),
            "{source}"
        );
    }
    assert_eq!(store.version(&stream("a")).await.unwrap().0, 1);
    assert_eq!(
        positions(&client, "SELECT position FROM events ORDER BY 1").await,
        [1, 21]
    );
}
