//! The tables and functions in the database, and what is found in their place.

use tokio_postgres::{Client, GenericClient, Transaction};

use super::error::Cause;
use super::sql::{quoted, within};
use crate::store::{BackendError, ConnectError};

/// One step for each schema version, from nothing to the newest. A step that was released is never edited.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// The newest schema version that is known here.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a handful of steps"
)]
const NEWEST: i32 = MIGRATIONS.len() as i32;

/// Keeps two processes from making a schema of this database at once: "Recount" in ASCII.
const MIGRATING: i64 = 0x0052_6563_6F75_6E74;

/// A relation that would be in the way, if it is not part of a log.
const IN_THE_WAY: &str = "SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = ANY ('{meta,tenants,kinds,positions,events,new_event,snapshots,checkpoints,log}')
    ORDER BY 1 LIMIT 1";

/// The table of versions is ours if it has the column, and the function beside it.
const IS_LOG: &str = "SELECT EXISTS (
        SELECT FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = 'meta' AND a.attname = 'schema_version'
    ) AND EXISTS (
        SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname = $1 AND p.proname = 'order_number'
    )";

/// A number for the order that no other log of the database has. Not 0: low keys are what other applications lock.
const FREE_NUMBER: &str = "SELECT number FROM generate_series(1, 32767) AS number
    WHERE number::text NOT IN (
        SELECT substring(p.prosrc FROM '[0-9]+') FROM pg_proc AS p WHERE p.proname = 'order_number'
    )
    ORDER BY random() LIMIT 1";

/// How the sequence of positions gives them out, how far it is, and how far the events are. These are looked for as they were when
/// the statement began, the sequence later, so an append in between does not look like a sequence that was set back.
const SEQUENCE: &str = "SELECT s.seqcache, s.seqincrement, s.seqcycle, coalesce(pg_sequence_last_value(s.seqrelid), 0),
        (SELECT coalesce(max(position), 0) FROM recount.events)
    FROM pg_sequence AS s WHERE s.seqrelid = 'recount.positions'::regclass";

/// What a schema turned out to be.
enum Found {
    /// Nothing of a log yet.
    Empty,
    /// A log of this version.
    Log(i32),
    /// This relation is another application's.
    Foreign(String),
}

/// Makes the schema a log of the newest version, or refuses it untouched.
pub(super) async fn prepare(
    connection: &mut Client,
    schema: &str,
    url: &str,
    refusal: impl Fn(Cause) -> ConnectError,
) -> Result<(), ConnectError> {
    let refused = |error: tokio_postgres::Error| refusal(error.into());
    // A user who may only read gets no further than this.
    let found = inspect(connection, schema).await.map_err(refused)?;
    if older(found, schema, url)?.is_none() {
        return check_sequence(connection, schema, url, refused).await;
    }
    let transaction = connection.transaction().await.map_err(refused)?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATING])
        .await
        .map_err(refused)?;
    // Another process may have been faster.
    let found = inspect(&transaction, schema).await.map_err(refused)?;
    if let Some(from) = older(found, schema, url)? {
        migrate(&transaction, schema, from).await.map_err(refused)?;
    }
    transaction.commit().await.map_err(refused)
}

/// Looks for a log of the newest version, and leaves everything as it is.
pub(super) async fn find(
    connection: &Client,
    schema: &str,
    url: &str,
    refusal: impl Fn(Cause) -> ConnectError,
) -> Result<(), ConnectError> {
    let refused = |error: tokio_postgres::Error| refusal(error.into());
    let found = inspect(connection, schema).await.map_err(refused)?;
    let what = match older(found, schema, url)? {
        None => return check_sequence(connection, schema, url, refused).await,
        Some(0) => "holds no log".to_owned(),
        Some(version) => {
            format!("has schema version {version}, and only a writer brings it to {NEWEST}")
        }
    };
    Err(ConnectError::Unavailable {
        url: url.to_owned(),
        source: BackendError::new(format!(
            "the schema {schema:?} {what}, and it was to be opened for reading"
        )),
    })
}

/// The version that is to be brought to the newest, if it is not that already.
fn older(found: Found, schema: &str, url: &str) -> Result<Option<i32>, ConnectError> {
    match found {
        Found::Log(version) if version > NEWEST => Err(ConnectError::NewerSchema {
            path: format!("the schema {schema:?} of {url}"),
            found: version.into(),
            known: NEWEST.into(),
        }),
        Found::Log(NEWEST) => Ok(None),
        Found::Log(version) => Ok(Some(version)),
        Found::Empty => Ok(Some(0)),
        Found::Foreign(relation) => Err(ConnectError::ForeignSchema {
            url: url.to_owned(),
            schema: schema.to_owned(),
            relation,
        }),
    }
}

async fn check_sequence(
    connection: &Client,
    schema: &str,
    url: &str,
    refused: impl Fn(tokio_postgres::Error) -> ConnectError,
) -> Result<(), ConnectError> {
    match unsafe_sequence(connection, schema).await.map_err(refused)? {
        None => Ok(()),
        Some((found, remedy)) => Err(ConnectError::UnsafeSequence {
            url: url.to_owned(),
            schema: schema.to_owned(),
            found,
            remedy,
        }),
    }
}

async fn inspect(
    connection: &impl GenericClient,
    schema: &str,
) -> Result<Found, tokio_postgres::Error> {
    let Some(relation) = connection.query_opt(IN_THE_WAY, &[&schema]).await? else {
        return Ok(Found::Empty);
    };
    if !connection
        .query_one(IS_LOG, &[&schema])
        .await?
        .try_get::<_, bool>(0)?
    {
        return Ok(Found::Foreign(relation.try_get(0)?));
    }
    let version = within(schema, "SELECT schema_version FROM recount.meta");
    Ok(Found::Log(
        connection.query_one(&version, &[]).await?.try_get(0)?,
    ))
}

/// What is wrong with the sequence of positions, and the statement that mends it. Positions must rise in the order in which they
/// are drawn, whoever draws them: else some are given out below those that readers have seen.
async fn unsafe_sequence(
    connection: &impl GenericClient,
    schema: &str,
) -> Result<Option<(String, String)>, tokio_postgres::Error> {
    let row = connection.query_one(&within(schema, SEQUENCE), &[]).await?;
    let (cache, step, cycles): (i64, i64, bool) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let (drawn, last): (i64, i64) = (row.try_get(3)?, row.try_get(4)?);
    let found = match () {
        () if cache != 1 => format!("hands each connection {cache} positions at a time"),
        () if step != 1 => format!("counts in steps of {step}"),
        () if cycles => "begins again after its end".to_owned(),
        () if drawn < last => {
            let remedy = within(
                schema,
                &format!("SELECT setval('recount.positions', {last})"),
            );
            return Ok(Some((
                format!("stands at {drawn}, behind the last event at position {last}"),
                remedy,
            )));
        }
        () => return Ok(None),
    };
    let remedy = "ALTER SEQUENCE recount.positions CACHE 1 INCREMENT 1 NO CYCLE";
    Ok(Some((found, within(schema, remedy))))
}

async fn migrate(
    transaction: &Transaction<'_>,
    schema: &str,
    from: i32,
) -> Result<(), tokio_postgres::Error> {
    let there = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";
    if !transaction
        .query_one(there, &[&schema])
        .await?
        .try_get::<_, bool>(0)?
    {
        transaction
            .batch_execute(&format!("CREATE SCHEMA {}", quoted(schema)))
            .await?;
    }
    let number: i32 = transaction.query_one(FREE_NUMBER, &[]).await?.try_get(0)?;
    for step in MIGRATIONS
        .iter()
        .skip(usize::try_from(from).unwrap_or(usize::MAX))
    {
        let step = within(schema, step).replace(":order::", &format!("{number}::"));
        transaction.batch_execute(&step).await?;
    }
    Ok(())
}
