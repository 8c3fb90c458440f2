//! The tables and functions in the database, and what is found in their place.

use deadpool_postgres::Client;

use super::error::Cause;
use super::sql::{quoted, within};
use crate::store::ConnectError;

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
    let is_newest = |found: Found| match found {
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
    };
    // A user who may only read gets no further than this.
    if is_newest(inspect(connection, schema).await.map_err(refused)?)?.is_none() {
        return Ok(());
    }
    let transaction = connection.transaction().await.map_err(refused)?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATING])
        .await
        .map_err(refused)?;
    // Another process may have been faster.
    if let Some(from) = is_newest(inspect(&transaction, schema).await.map_err(refused)?)? {
        migrate(&transaction, schema, from).await.map_err(refused)?;
    }
    transaction.commit().await.map_err(refused)
}

async fn inspect(
    connection: &impl deadpool_postgres::GenericClient,
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

async fn migrate(
    transaction: &deadpool_postgres::Transaction<'_>,
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
