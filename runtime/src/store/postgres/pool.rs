//! The connections of a store: made when they are needed, kept, and tried out when they have rested.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleResult};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::error::Cause;
use super::names::Names;
use super::seen::Seen;
use super::session::{self, Answers, Connector};
use super::statements::Statements;

/// Those who want a connection wait for one that is free, in turn.
pub(super) type Pool = deadpool::managed::Pool<Sessions>;

/// Makes connections, and looks after those that are kept.
pub(super) struct Sessions {
    pub(super) connector: Connector,
    /// How long a server may take that takes a connection and says nothing more.
    pub(super) most: Option<Duration>,
    pub(super) seen: Arc<Seen>,
    pub(super) names: Arc<Names>,
}

/// A connection, with what is prepared on it.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) statements: Statements,
    /// Reads and writes for it.
    task: JoinHandle<()>,
    /// Nobody shall take it any more.
    pub(super) is_over: AtomicBool,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Manager for Sessions {
    /// In one piece, since the pool hands it from one to the other a dozen times with each lease.
    type Type = Box<Session>;
    type Error = Cause;

    async fn create(&self) -> Result<Box<Session>, Cause> {
        // Apart, since it is seldom, and each lease would carry its room.
        Box::pin(async {
            let (client, task) = session::in_time(self.connector.connect(), self.most).await?;
            let session = Box::new(Session {
                client,
                statements: Statements::default(),
                task,
                is_over: AtomicBool::new(false),
            });
            // The server behind it may be another one, or have lost something.
            self.seen.forget();
            self.names.forget();
            let checked = session::in_time(session::check(&session.client), self.most).await;
            if checked? == Answers::Pooled {
                self.seen.distrust();
            }
            Ok(session)
        })
        .await
    }

    async fn recycle(&self, session: &mut Box<Session>, metrics: &Metrics) -> RecycleResult<Cause> {
        if session.client.is_closed() || session.is_over.load(Ordering::Relaxed) {
            return Err(Cause::Lost.into());
        }
        let rested = metrics.last_used();
        Ok(session::look_after(&session.client, rested, self.most).await?)
    }
}
