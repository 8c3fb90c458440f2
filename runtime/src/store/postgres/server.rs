//! What all that works on one log shares.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{PoolError, TimeoutType, Timeouts};

use super::connection::Connection;
use super::error::Cause;
use super::names::Names;
use super::notify::Others;
use super::pool::Pool;
use super::seen::Seen;
use super::shared::{Lease, Shared};
use super::sql::Sql;
use crate::store::{Dialect, Wakes};

/// A log on a server: its address, its connections, its statements, and what is known of it without asking.
pub(super) struct Server {
    pub(super) url: String,
    pub(super) pool: Pool,
    pub(super) sql: Sql,
    pub(super) dialect: Dialect,
    pub(super) names: Arc<Names>,
    pub(super) others: Arc<Others>,
    pub(super) wakes: Wakes,
    pub(super) seen: Arc<Seen>,
    pub(super) shared: Shared,
}

/// Without names: a handle of one tenant that stands in a message must show nothing of another's.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A connection, when one is free.
    pub(super) async fn lease(&self) -> Result<Connection<'static>, Cause> {
        Ok(Connection::Pool(self.lease_alone().await?))
    }

    async fn lease_alone(&self) -> Result<Lease, Cause> {
        // Most find one that is free; they need no alarm, and no room for waiting.
        let now = Timeouts {
            wait: Some(Duration::ZERO),
            ..Timeouts::default()
        };
        let session = match self.pool.timeout_get(&now).await {
            Err(PoolError::Timeout(TimeoutType::Wait)) => Box::pin(self.pool.get()).await,
            session => session,
        };
        Ok(session?)
    }

    /// A connection that others read streams on, too.
    pub(super) async fn lease_shared(&self) -> Result<Connection<'static>, Cause> {
        let lease = match self.shared.join() {
            Some(lease) => lease,
            None => self.shared.add(self.lease_alone().await?),
        };
        Ok(Connection::Shared(lease))
    }

    /// Lets go of a connection that was lost, and of those that wait: what broke one broke others, and it may not have noticed yet.
    pub(super) fn forget(&self, lost: Connection<'_>) {
        lost.discard();
        self.forget_idle();
    }

    /// Lets go of the connections that wait.
    pub(super) fn forget_idle(&self) {
        self.pool.retain(|_, _| false);
    }
}
