//! What is kept together with a checkpoint: tables of projections, events that were set aside. And leases.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use chrono::DateTime;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Error, Statement};
use uuid::Uuid;

use super::connection::Connection;
use super::error::{Cause, unusable};
use super::server::Server;
use super::sql::quoted;
use super::state::{loaded, stored};
use crate::log::{EventId, Position, StreamId, TenantId};
use crate::sql::{self, Row, Value};
use crate::store::{
    BackendError, Checkpoint, CheckpointError, DeadLetter, Dialect, Effects, Lease, ProjectionKey,
    Replaces,
};

/// The most statements on their way at once.
const IN_FLIGHT: usize = 256;

/// How tables are named and views are found.
pub(super) fn dialect(schema: &str) -> Dialect {
    let literal = schema.replace('\'', "''");
    let view =
        format!("SELECT definition FROM pg_views WHERE schemaname = '{literal}' AND viewname = $1");
    let tables = format!("SELECT tablename FROM pg_tables WHERE schemaname = '{literal}'");
    let quoted = quoted(schema);
    let running = format!(
        "SELECT projection, fingerprint, convert_from(state, 'UTF8') AS state
         FROM {quoted}.checkpoints LEFT JOIN {quoted}.tenants USING (tenant)
         WHERE name IS NOT DISTINCT FROM $1 AND length(state) < 256 AND held_until > clock_timestamp()"
    );
    Dialect::new(Some(&quoted), &view, &tables).with_running(&running)
}

/// As text, which the server takes for whatever type the parameter has.
impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        use std::fmt::Write as _;
        match self {
            Self::Null => return Ok(IsNull::Yes),
            // As it is on SQLite, where a column of numbers holds it.
            Self::Bool(it) if *ty == Type::BOOL => write!(out, "{it}")?,
            Self::Bool(it) => write!(out, "{}", u8::from(*it))?,
            Self::Integer(it) => write!(out, "{it}")?,
            Self::Real(it) => write!(out, "{it}")?,
            Self::Text(it) => out.write_str(it)?,
            Self::Blob(it) => {
                out.write_str("\\x")?;
                for byte in it {
                    write!(out, "{byte:02x}")?;
                }
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A statement that was refused, by its place in the batch, or that was not answered.
struct Failed {
    position: Position,
    text: String,
    cause: Cause,
}

/// Whether it is the statement that is at fault, and not the server or what else goes on there.
fn is_refusal(cause: &Cause) -> bool {
    let Some(state) = cause.state() else {
        // The driver refuses values that the statement has no parameters for.
        return cause.driver().is_some_and(|error| !error.is_closed()) && !cause.is_lost();
    };
    // It cannot run in a transaction, or needs something that is not there: the same the next time.
    if ["25001", "55000"].contains(&state.code()) {
        return true;
    }
    let class = state.code().get(..2).unwrap_or_default();
    !["08", "25", "40", "53", "55", "57", "58", "XX"].contains(&class)
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send + 'a>>;

/// Sends what is given, one after another, before the first is answered; tells which of them failed first.
async fn send(asked: Vec<(sql::Statement<'_>, Answer<'_>)>) -> Result<(), Failed> {
    let mut sent = Vec::with_capacity(asked.len());
    for (statement, mut answer) in asked {
        // The driver sends when it is polled for the first time.
        let at_once = poll_fn(|context| {
            Poll::Ready(match answer.as_mut().poll(context) {
                Poll::Ready(done) => Some(done),
                Poll::Pending => None,
            })
        })
        .await;
        sent.push((statement, answer, at_once));
    }
    for (statement, answer, at_once) in sent {
        let answered = match at_once {
            Some(done) => done,
            None => answer.await,
        };
        answered.map_err(|error| Failed {
            position: statement.position,
            text: statement.text.to_owned(),
            cause: error.into(),
        })?;
    }
    Ok(())
}

/// Runs the statements of a projection, with one round trip for many of them.
async fn write(connection: &Connection<'_>, batch: &sql::Batch) -> Result<(), Failed> {
    let mut prepared: HashMap<&str, Statement> = HashMap::new();
    let statements: Vec<sql::Statement<'_>> = batch.iter().collect();
    let mut begin = 0;
    while let Some(rest) = statements.get(begin..).filter(|rest| !rest.is_empty()) {
        // A statement can be prepared only when those are done that make its tables.
        let known = rest.iter().take(IN_FLIGHT);
        let known = known
            .take_while(|asked| prepared.contains_key(asked.text))
            .count();
        if known == 0
            && let Some(asked) = rest.first()
        {
            let statement = connection
                .prepare(asked.text)
                .await
                .map_err(|error| Failed {
                    position: asked.position,
                    text: asked.text.to_owned(),
                    cause: error.into(),
                })?;
            prepared.insert(asked.text, statement);
            continue;
        }
        let mut asked = Vec::with_capacity(known);
        for statement in rest.iter().take(known) {
            if let Some(prepared) = prepared.get(statement.text) {
                let answer: Answer<'_> =
                    Box::pin(connection.client().execute_raw(prepared, statement.values));
                asked.push((*statement, answer));
            }
        }
        send(asked).await?;
        begin += known;
    }
    Ok(())
}

/// A transaction on a connection of the pool. One that is dropped before its end takes the connection with it.
struct Transaction(Option<Connection<'static>>);

impl Transaction {
    async fn begin(connection: Connection<'static>) -> Result<Self, Cause> {
        let transaction = Self(Some(connection));
        // From here on the connection is not given back: dropped while this is on its way, the transaction would stay open in the pool,
        // and what others write there would be answered as stored and be undone.
        if let Some(connection) = &transaction.0 {
            connection.client().batch_execute("BEGIN").await?;
        }
        Ok(transaction)
    }

    fn connection(&self) -> Option<&Connection<'static>> {
        self.0.as_ref()
    }

    async fn end(mut self, how: &str) -> Result<(), Cause> {
        if let Some(connection) = &self.0 {
            connection.client().batch_execute(how).await?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.discard();
        }
    }
}

impl Server {
    /// Saves a checkpoint with its effects, in a transaction of their own.
    pub(super) async fn save_with_effects(
        &self,
        connection: Connection<'static>,
        tenant: Option<&TenantId>,
        projection: ProjectionKey<'_>,
        checkpoint: Checkpoint,
        effects: &Effects,
    ) -> Result<u64, CheckpointError> {
        let failed = |cause| CheckpointError::from(unusable(&self.url, cause));
        // Not within the transaction, since it stays when that is undone.
        if checkpoint.revision == 0 {
            let tenant = self.names.use_tenant(tenant, &connection, &self.sql).await;
            tenant.map_err(|error| failed(error.into()))?;
        }
        let transaction = Transaction::begin(connection).await.map_err(failed)?;
        let Some(connection) = transaction.connection() else {
            return Err(failed(Cause::Lost));
        };
        let saved = self
            .save_within(connection, tenant, projection, checkpoint, effects)
            .await;
        match saved {
            Ok(revision) => {
                transaction.end("COMMIT").await.map_err(failed)?;
                Ok(revision)
            }
            Err(error) => {
                // Without it the connection is thrown away, which undoes the same.
                if !matches!(error, CheckpointError::Store(_)) {
                    let _ = transaction.end("ROLLBACK").await;
                }
                Err(error)
            }
        }
    }

    /// Saves a checkpoint with its effects, in the transaction that the connection is in.
    pub(super) async fn save_within(
        &self,
        connection: &Connection<'_>,
        tenant: Option<&TenantId>,
        projection: ProjectionKey<'_>,
        checkpoint: Checkpoint,
        effects: &Effects,
    ) -> Result<u64, CheckpointError> {
        // First, so that whoever else saves it waits here, and then finds that it has moved.
        let revision = self
            .save_checkpoint(connection, tenant, projection, checkpoint)
            .await?;
        write(connection, &effects.sql).await.map_err(|failed| {
            let Failed {
                position,
                text,
                cause,
            } = failed;
            if is_refusal(&cause) {
                CheckpointError::Statement {
                    projection: projection.to_string(),
                    position,
                    text,
                    source: BackendError::new(cause),
                }
            } else {
                unusable(&self.url, cause).into()
            }
        })?;
        self.check_deferred(connection, projection, &effects.sql)
            .await?;
        self.write_dead_letters(connection, tenant, projection, effects)
            .await
            .map_err(|cause| unusable(&self.url, cause))?;
        Ok(revision)
    }

    /// Looks at the rules that would be looked at in the commit, whose failure says nothing of a statement. Nobody knows which one
    /// has broken them; the first is named, so that its event is handled by itself the next time, and so on, up to the one that has.
    async fn check_deferred(
        &self,
        connection: &Connection<'_>,
        projection: ProjectionKey<'_>,
        batch: &sql::Batch,
    ) -> Result<(), CheckpointError> {
        let Some(first) = batch.iter().find(|asked| asked.position > Position::START) else {
            return Ok(());
        };
        let text = "SET CONSTRAINTS ALL IMMEDIATE";
        let Err(error) = connection.client().batch_execute(text).await else {
            return Ok(());
        };
        let cause = Cause::from(error);
        if !is_refusal(&cause) {
            return Err(unusable(&self.url, cause).into());
        }
        Err(CheckpointError::Statement {
            projection: projection.to_string(),
            position: first.position,
            text: first.text.to_owned(),
            source: BackendError::new(cause),
        })
    }

    async fn write_dead_letters(
        &self,
        connection: &Connection<'_>,
        tenant: Option<&TenantId>,
        projection: ProjectionKey<'_>,
        effects: &Effects,
    ) -> Result<(), Cause> {
        let names = &self.names;
        let Some(tenant) = names.find_tenant(tenant, connection, &self.sql).await? else {
            return Ok(());
        };
        let (name, fingerprint) = (projection.name, projection.fingerprint.cast_signed());
        if !effects.settled.is_empty() {
            let positions: Vec<i64> = effects.settled.iter().map(|at| stored(at.0)).collect();
            connection
                .execute(
                    &self.sql.settle,
                    &[&tenant, &name, &fingerprint, &positions],
                )
                .await?;
        }
        for letter in &effects.set_aside {
            connection
                .execute(
                    &self.sql.set_aside,
                    &[
                        &tenant,
                        &name,
                        &fingerprint,
                        &stored(letter.position.0),
                        &letter.stream.category().as_str(),
                        &letter.stream.id(),
                        &letter.stream.tenant().map(TenantId::as_str),
                        &letter.event.0,
                        &letter.name,
                        // Which PostgreSQL's text cannot hold.
                        &letter.error.replace('\0', ""),
                        &i64::from(letter.attempts),
                        &letter.at.timestamp_micros(),
                        &letter.retry,
                    ],
                )
                .await?;
        }
        let (others, version) = match effects.replaces {
            Replaces::Nothing => return Ok(()),
            Replaces::Version(version) => (false, version.cast_signed()),
            Replaces::Others => (true, fingerprint),
        };
        let sql = &self.sql.drop_versions;
        connection
            .execute(sql, &[&tenant, &name, &version, &others])
            .await?;
        Ok(())
    }

    pub(super) async fn hold(
        &self,
        connection: &Connection<'_>,
        tenant: Option<&TenantId>,
        projection: ProjectionKey<'_>,
        holder: Uuid,
        time: Duration,
    ) -> Result<Lease, Cause> {
        // More than a hundred years are for ever.
        let time = time.min(Duration::from_hours(100 * 365 * 24));
        let time = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let number = self.use_tenant(tenant, connection).await?;
        let fingerprint = projection.fingerprint.cast_signed();
        let row = connection
            .query_opt(
                &self.sql.lease,
                &[&number, &projection.name, &fingerprint, &holder, &time],
            )
            .await?;
        if let Some(row) = row {
            return Ok(Lease {
                is_held: true,
                revision: loaded(row.try_get(0)?),
                position: Position(loaded(row.try_get(1)?)),
            });
        }
        let kept = self.checkpoint(connection, tenant, projection).await?;
        Ok(Lease {
            is_held: false,
            revision: kept.as_ref().map_or(0, |kept| kept.revision),
            position: kept.map_or(Position::START, |kept| kept.position),
        })
    }

    pub(super) async fn dead_letters(
        &self,
        connection: &Connection<'_>,
        tenant: Option<&TenantId>,
        projection: &str,
    ) -> Result<Vec<DeadLetter>, Cause> {
        let names = &self.names;
        let Some(tenant) = names.find_tenant(tenant, connection, &self.sql).await? else {
            return Ok(Vec::new());
        };
        let rows = connection
            .query(&self.sql.dead_letters, &[&tenant, &projection])
            .await?;
        let damaged = |_| Cause::Other("a dead letter has a stream that cannot be one");
        rows.iter()
            .map(|row| {
                let owner: Option<&str> = row.try_get(4)?;
                let owner = owner.map(TenantId::new).transpose().map_err(damaged)?;
                let (category, id): (&str, &str) = (row.try_get(2)?, row.try_get(3)?);
                Ok(DeadLetter {
                    projection: projection.to_owned(),
                    fingerprint: row.try_get::<_, i64>(0)?.cast_unsigned(),
                    position: Position(loaded(row.try_get(1)?)),
                    stream: StreamId::new(category, id)
                        .map_err(damaged)?
                        .in_tenant(owner),
                    event: EventId(row.try_get(5)?),
                    name: row.try_get(6)?,
                    error: row.try_get(7)?,
                    attempts: u32::try_from(row.try_get::<_, i64>(8)?).unwrap_or(u32::MAX),
                    at: DateTime::from_timestamp_micros(row.try_get(9)?).unwrap_or_default(),
                    retry: row.try_get(10)?,
                })
            })
            .collect()
    }

    /// What a query gives; as the rows of a sub-query, in which nothing can be written.
    pub(super) async fn query(
        &self,
        connection: &Connection<'_>,
        text: &str,
        values: &[Value],
    ) -> Result<Vec<Row>, Cause> {
        let text = text.trim().trim_end_matches(';');
        // On a line of its own, for a comment at the end.
        let text = format!("SELECT to_json(asked)::text FROM (\n{text}\n) AS asked");
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|it| it as _).collect();
        let rows = connection.query(&text, &values).await?;
        rows.iter()
            .map(|row| {
                let json: &str = row.try_get(0)?;
                Row::of_object(json).map_err(|_| Cause::Other("a row is no JSON object"))
            })
            .collect()
    }
}
