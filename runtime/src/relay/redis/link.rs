//! A connection to Redis that is made when it is needed, and made anew after it broke.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, ServerErrorKind, Value};

/// How long a server may take to answer, besides the time that it was asked to wait.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    answer_within: Duration,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Link {
    pub(super) fn new(client: Client, answer_within: Duration) -> Self {
        Self {
            client,
            answer_within,
            connection: Mutex::new(None),
        }
    }

    /// The same server, with another time to answer.
    pub(super) fn within(self, answer_within: Duration) -> Self {
        Self::new(self.client, answer_within)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a command and waits for the answer. A connection that failed at it is not used again: what else was sent on it has an
    /// outcome that nobody knows.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, RedisError> {
        let mut connection = self.connection().await?;
        let answer = connection.send_packed_command(command).await;
        answer.and_then(Value::extract_error).inspect_err(|error| {
            if !matches!(error.kind(), ErrorKind::Server(_)) || error.is_unrecoverable_error() {
                self.kept().take();
            }
        })
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let kept = self.kept().clone();
        if let Some(connection) = kept {
            return Ok(connection);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_WITHIN))
            .set_response_timeout(Some(self.answer_within));
        let client = &self.client;
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        Ok(self.kept().insert(connection).clone())
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an error that does not go away by itself asks for; `None` for one that may.
pub(super) fn advice(error: &RedisError, key: &str) -> Option<String> {
    Some(match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            "write the user and the password into the URL, `redis://USER:PASSWORD@HOST`".to_owned()
        }
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => {
            format!("give the user the right to use streams, and to run scripts, on the key {key:?}")
        }
        (ErrorKind::InvalidClientConfig, _) => {
            "write a URL like `redis://127.0.0.1:6379`; `rediss://` needs a TLS feature of the crate redis".to_owned()
        }
        (_, Some("WRONGTYPE")) => {
            format!("the key {key:?} holds something that is no stream; name another key")
        }
        (_, Some("ERR")) if error.detail().is_some_and(|text| text.contains("unknown command")) => {
            "the server lacks a command, use Redis 6.2 or later".to_owned()
        }
        _ => return None,
    })
}

/// The address of a server for messages, without the password.
pub(super) fn shown(client: &Client, key: &str) -> String {
    format!("redis://{}/{key}", client.get_connection_info().addr())
}
