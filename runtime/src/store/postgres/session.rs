//! One connection: how it is made, what it is told, and whether it really reaches a server's session.

use std::fmt::Write as _;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::Cause;

/// What each session is told, and what a pooler's must be told by its role. The log's statements rely on the isolation level; the
/// planner is held to the indexes, since a plan that was made for an empty table would be kept while the table grows.
const SETTINGS: [(&str, &str); 10] = [
    ("default_transaction_isolation", "read committed"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("random_page_cost", "0"),
    ("seq_page_cost", "0"),
    ("max_parallel_workers_per_gather", "0"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// How long things may take in the server; no time at all means for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) statement: Duration,
    pub(super) lock: Duration,
}

/// The settings as the parameter `options` has them, and a mark by which a session knows that it was told them.
pub(super) fn options(limits: Limits, read_only: bool, own: Option<&str>) -> String {
    let mut options = "-c recount_order.session=told".to_owned();
    for (name, value) in SETTINGS {
        // Writing to a string cannot fail.
        let _ = write!(options, " -c {name}={}", value.replace(' ', "\\ "));
    }
    let _ = write!(
        options,
        " -c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout=60s",
        limits.statement.as_millis(),
        limits.lock.as_millis()
    );
    if read_only {
        options.push_str(" -c default_transaction_read_only=on");
    }
    if let Some(own) = own {
        options.push(' ');
        options.push_str(own);
    }
    options
}

/// How the server is reached, with a session that is told nothing.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) tls: Option<MakeRustlsConnect>,
    pub(super) config: Config,
}

/// Makes connections.
pub(super) struct Connector {
    /// With what each session is told.
    pub(super) config: Config,
    pub(super) way: Way,
    /// The server was found to refuse that parameter, as poolers do.
    pub(super) is_plain: AtomicBool,
}

type Connected = Result<(Client, JoinHandle<()>), Error>;

impl Connector {
    /// A connection, and the task that reads and writes for it.
    pub(super) async fn connect(&self) -> Connected {
        if !self.is_plain.load(Ordering::Relaxed) {
            match self.attempt(&self.config).await {
                Err(error) if is_startup_refused(&error) => {
                    self.is_plain.store(true, Ordering::Relaxed);
                }
                connected => return connected,
            }
        }
        self.attempt(&self.way.config).await
    }

    async fn attempt(&self, config: &Config) -> Connected {
        match &self.way.tls {
            Some(tls) => connect(config, tls.clone()).await,
            None => connect(config, NoTls).await,
        }
    }
}

async fn connect<T>(config: &Config, tls: T) -> Connected
where
    T: MakeTlsConnect<Socket, TlsConnect: Send, Stream: Send + 'static>,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    T: Send,
{
    let (client, connection) = config.connect(tls).await?;
    let task = tokio::spawn(async move {
        // Who uses the connection is told.
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection broke");
        }
    });
    Ok((client, task))
}

/// A pooler knows few parameters and refuses others.
fn is_startup_refused(error: &Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        error.code().code() == "08P01" && error.message().contains("startup parameter")
    })
}

/// Whose session answers on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// One that was made for it, and told its settings.
    Own,
    /// One of a pooler's, perhaps another one each time.
    Pooled,
}

/// Looks whether a new connection leads to the server that is written to, and to a session that was told its settings. Behind a
/// pooler none is: then another one may answer each statement, so they must all have been told, and the pooler must know the
/// prepared statements.
pub(super) async fn check(client: &Client) -> Result<Answers, Cause> {
    let sql = "SELECT current_setting('recount_order.session', true), pg_is_in_recovery()";
    let answer = client.simple_query(sql).await?;
    let has = |column: usize, value: &str| {
        let is_value = |message: &SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(row) if row.get(column) == Some(value));
        answer.iter().any(is_value)
    };
    // Who appends is known to the locks of the server that is written to, and to no other.
    if has(1, "t") {
        return Err(Cause::Standby);
    }
    if has(0, "told") {
        return Ok(Answers::Own);
    }
    if !keeps_statements(client).await? {
        return Err(Cause::Pooler(
            "it does not know the prepared statements of its clients; use PgBouncer 1.21 or later with \
             `max_prepared_statements = 200`, or connect to the server itself"
                .to_owned(),
        ));
    }
    let missing = missing_settings(client).await?;
    if missing.is_empty() {
        return Ok(Answers::Pooled);
    }
    Err(Cause::Pooler(format!(
        "it does not pass on a session's settings, so the role must bring them; run `{missing}`, then let the pooler connect to the \
         server anew"
    )))
}

/// How long a connection may rest before it is tried out.
const RESTED: Duration = Duration::from_secs(1);

/// Finds out whether a connection that has rested is still one; what is sent on one that is not has an unknown outcome.
pub(super) async fn look_after(
    client: &Client,
    rested: Duration,
    most: Option<Duration>,
) -> Result<(), Cause> {
    if rested < RESTED {
        return Ok(());
    }
    // Apart, since it is seldom, and each lease would carry its room.
    Box::pin(in_time(client.simple_query(""), most))
        .await
        .map(drop)
}

/// Gives up on a server that says nothing.
pub(super) async fn in_time<T, E: Into<Cause>>(
    answer: impl Future<Output = Result<T, E>>,
    most: Option<Duration>,
) -> Result<T, Cause> {
    let answer = match most {
        Some(most) => tokio::time::timeout(most, answer).await,
        None => Ok(answer.await),
    };
    answer.map_err(|_| Cause::Silent)?.map_err(Into::into)
}

/// Whether a prepared statement of ours has another name in the server than the driver gave it, which is how a pooler keeps those
/// of its clients apart.
async fn keeps_statements(client: &Client) -> Result<bool, Error> {
    let names = "SELECT name /* looks for itself */ FROM pg_prepared_statements WHERE statement LIKE '%looks for itself%'";
    let rows = match client.query(names, &[]).await {
        Ok(rows) => rows,
        // It is there already, or not at all: two clients met, or two servers.
        Err(error)
            if error
                .code()
                .is_some_and(|code| matches!(code.code(), "42P05" | "26000")) =>
        {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let is_drivers = |name: &str| {
        let number = name.strip_prefix('s').unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut names = rows.iter().map(|row| row.try_get(0));
    let drivers = names.try_fold(false, |found, name| {
        Ok::<_, Error>(found || is_drivers(name?))
    })?;
    Ok(!rows.is_empty() && !drivers)
}

/// What must be said to the role of this session, as SQL; empty when it has all settings.
async fn missing_settings(client: &Client) -> Result<String, Error> {
    let wanted: Vec<_> = SETTINGS.iter().map(|(name, _)| *name).collect();
    let rows = client
        .query(
            "SELECT name, setting, format('ALTER ROLE %I IN DATABASE %I SET ', current_user, current_database())
             FROM pg_settings WHERE name = ANY ($1)",
            &[&wanted],
        )
        .await?;
    let mut missing = String::new();
    for row in rows {
        let (name, setting, role): (&str, &str, &str) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if let Some((_, value)) = SETTINGS
            .iter()
            .find(|(wanted, value)| *wanted == name && *value != setting)
        {
            let separator = if missing.is_empty() { "" } else { "; " };
            let _ = write!(missing, "{separator}{role}{name} = '{value}'");
        }
    }
    Ok(missing)
}
