//! The tables of projections: what they ask to be written, and what is asked of them.

use std::cell::Cell;
use std::sync::LazyLock;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Statement, ToSql};
use serde_json::Value as Json;

use super::transaction::{Stop, Transaction};
use crate::sql::{self, Batch, Row, Value};
use crate::store::{BackendError, CheckpointError, Dialect, ProjectionKey};

/// How tables are named and views are found.
pub(super) static DIALECT: LazyLock<Dialect> = LazyLock::new(|| {
    Dialect::new(
        None,
        "SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = $1",
        "SELECT name FROM sqlite_schema WHERE type = 'table'",
    )
    // SQLite's clock counts whole milliseconds, so a lease that was given back within this one is over.
    .with_running(
        "SELECT projection, fingerprint, CAST(state AS TEXT) AS state
         FROM checkpoints LEFT JOIN tenants USING (tenant)
         WHERE name IS $1 AND length(state) < 256 AND held_until / 1000 > CAST(round(unixepoch('now', 'subsec') * 1000) AS INTEGER)",
    )
});

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Bool(it) => ValueRef::Integer((*it).into()),
            Self::Integer(it) => ValueRef::Integer(*it),
            Self::Real(it) => ValueRef::Real(*it),
            Self::Text(it) => ValueRef::Text(it.as_bytes()),
            Self::Blob(it) => ValueRef::Blob(it),
        }))
    }
}

/// What is wrong with a statement's values.
#[derive(Debug, thiserror::Error)]
enum Misfit {
    #[error("parameter {0} is none of `$1`, `$2` and so on")]
    Parameter(String),
    #[error("it has a parameter `${0}` and is given {1} values")]
    Missing(usize, usize),
    #[error("it is given {0} values, of which it uses only those up to `${1}`")]
    Unused(usize, usize),
    #[error("it ended the transaction, in which checkpoint and tables are written together")]
    Ended,
    #[error("a query reads tables: it begins with SELECT, WITH or VALUES")]
    NoQuery,
}

/// The tables and views of the log, which are not for a statement of a projection: on this connection no triggers protect them.
const OWN: &[&str] = &[
    "checkpoints",
    "dead_letters",
    "events",
    "kinds",
    "log",
    "snapshots",
    "streams",
    "tenants",
];

thread_local! {
    /// Whether the statement that is prepared or run here is a projection's.
    static IS_PROJECTIONS: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, what is prepared is a projection's.
struct OfProjection;

impl OfProjection {
    fn begin() -> Self {
        IS_PROJECTIONS.set(true);
        Self
    }
}

impl Drop for OfProjection {
    fn drop(&mut self) {
        IS_PROJECTIONS.set(false);
    }
}

/// Lets no statement of a projection change what is not a projection's.
pub(super) fn guard(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.authorizer(Some(|asked: AuthContext<'_>| {
        let is_own = |name: &str| OWN.iter().any(|own| own.eq_ignore_ascii_case(name));
        let is_denied = match asked.action {
            AuthAction::Insert { table_name }
            | AuthAction::Update { table_name, .. }
            | AuthAction::Delete { table_name }
            | AuthAction::CreateIndex { table_name, .. }
            | AuthAction::CreateTrigger { table_name, .. }
            | AuthAction::DropIndex { table_name, .. }
            | AuthAction::DropTable { table_name }
            | AuthAction::DropTrigger { table_name, .. }
            | AuthAction::AlterTable { table_name, .. } => is_own(table_name),
            AuthAction::DropView { view_name } => is_own(view_name),
            AuthAction::Attach { .. }
            | AuthAction::Detach { .. }
            | AuthAction::Savepoint { .. }
            | AuthAction::Transaction { .. } => true,
            _ => false,
        };
        if is_denied && IS_PROJECTIONS.get() {
            Authorization::Deny
        } else {
            Authorization::Allow
        }
    }))
}

fn misfit(error: Misfit) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

/// SQLite takes `$1` for a name like any other, whose number is that of its first place in the text.
fn bind(statement: &mut Statement<'_>, values: &[Value]) -> rusqlite::Result<()> {
    let mut last = 0;
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index).unwrap_or("?");
        let number: usize = name
            .get(1..)
            .and_then(|number| number.parse().ok())
            .filter(|number| *number > 0)
            .ok_or_else(|| misfit(Misfit::Parameter(name.to_owned())))?;
        last = last.max(number);
        let value = values
            .get(number - 1)
            .ok_or_else(|| misfit(Misfit::Missing(number, values.len())))?;
        statement.raw_bind_parameter(index, value)?;
    }
    if last < values.len() {
        return Err(misfit(Misfit::Unused(values.len(), last)));
    }
    Ok(())
}

/// Whether it is the statement that is at fault, and not the file or the machine.
fn is_refusal(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => !matches!(
            code,
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::ReadOnly
                | ErrorCode::OperationInterrupted
                | ErrorCode::FileLockingProtocolFailed
        ),
        None => true,
    }
}

/// Runs the statements of a projection.
pub(super) fn write(
    transaction: &mut Transaction<'_>,
    projection: ProjectionKey<'_>,
    batch: &Batch,
) -> Result<(), Stop<CheckpointError>> {
    let connection = transaction.connection;
    if !batch.is_empty() {
        transaction.wrote();
    }
    let _of_projection = OfProjection::begin();
    for asked in batch.iter() {
        let run = || {
            let mut statement = connection.prepare_cached(asked.text)?;
            bind(&mut statement, asked.values)?;
            // One that gives rows, as by `RETURNING`, is stepped to its end.
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            Ok(())
        };
        let outcome: rusqlite::Result<()> = run();
        let refused = |error: rusqlite::Error| CheckpointError::Statement {
            projection: projection.to_string(),
            position: asked.position,
            text: asked.text.to_owned(),
            source: BackendError::new(error),
        };
        // `INSERT OR ROLLBACK` does, where a rule refuses the row. A failure of the disk may, too.
        let has_ended = connection.is_autocommit();
        match outcome {
            Ok(()) if has_ended => return Err(Stop::Ended(refused(misfit(Misfit::Ended)))),
            Ok(()) => {}
            Err(error) if is_refusal(&error) => {
                return Err(if has_ended {
                    Stop::Ended(refused(error))
                } else {
                    Stop::Refused(refused(error))
                });
            }
            Err(error) => return Err(Stop::Failed(error)),
        }
    }
    Ok(())
}

/// What a query gives.
pub(super) fn query(
    connection: &Connection,
    text: &str,
    values: &[Value],
) -> rusqlite::Result<Vec<Row>> {
    // Anything else could leave a transaction open, in which this connection would see nothing new any more.
    if !sql::is_query(text) {
        return Err(misfit(Misfit::NoQuery));
    }
    let mut statement = connection.prepare_cached(text)?;
    bind(&mut statement, values)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.raw_query();
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            columns.push((name.clone(), json(row.get_ref(index)?)));
        }
        all.push(Row::new(columns));
    }
    Ok(all)
}

/// Bytes are written as PostgreSQL writes them.
fn json(value: ValueRef<'_>) -> Json {
    use std::fmt::Write as _;
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(it) => it.into(),
        ValueRef::Real(it) => it.into(),
        ValueRef::Text(it) => String::from_utf8_lossy(it).into(),
        ValueRef::Blob(it) => {
            let mut hex = "\\x".to_owned();
            for byte in it {
                let _ = write!(hex, "{byte:02x}");
            }
            hex.into()
        }
    }
}
