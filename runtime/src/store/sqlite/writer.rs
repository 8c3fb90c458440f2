//! The one connection that writes.

use std::time::Duration;

use rusqlite::Connection;

use super::error::Failure;
use super::group::Group;
use super::names::Names;
use super::transaction::Transaction;
use super::turn::{BUSY, Limit, Turnstile};
use super::watch::Watched;

/// The connection and what it remembers.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    limit: Limit,
    names: Names,
    turnstile: Turnstile,
    watched: Watched,
    pub(super) url: String,
}

/// How far the works of a transaction came.
enum Done {
    /// All are done or refused; whether any appended, and the log's last position where that is known.
    All { appended: bool, head: Option<i64> },
    /// What a refused one wrote can only be undone by giving up the whole transaction.
    MustGiveUp,
}

/// How a transaction of several works ended, when not in a commit.
enum GaveUp {
    /// One of them was refused after it had written.
    NeedsSavepoints,
    /// The database failed in one of them, or in the commit.
    Failed(Failure),
    /// The transaction did not even begin.
    NotBegun(Failure),
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        limit: Limit,
        turnstile: Turnstile,
        watched: Watched,
        url: String,
    ) -> Self {
        Self {
            connection,
            limit,
            names: Names::default(),
            turnstile,
            watched,
            url,
        }
    }

    /// Ends a write-ahead log that nobody else reads, and closes the file.
    pub(super) fn close(self) -> rusqlite::Result<()> {
        let busy: i64 =
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy != 0 {
            tracing::debug!(
                url = self.url,
                "the write-ahead log is still read by others"
            );
        }
        self.connection.close().map_err(|(_, error)| error)
    }

    /// Does all the work in one transaction, if it can; false when others kept the file for longer than this, and nothing was
    /// done. After the longest wait, that is everybody's outcome.
    pub(super) fn commit(&mut self, group: &mut Group<'_>, longest: Duration) -> bool {
        let mut outcome = self.attempt(group, false, longest);
        if matches!(outcome, Err(GaveUp::NeedsSavepoints)) {
            outcome = self.attempt(group, true, longest);
        }
        match outcome {
            Ok(()) => {}
            Err(GaveUp::NotBegun(Failure::Unavailable(_))) if longest < BUSY => return false,
            // One of them may have been too large, or met a damaged page: the others need not suffer for it.
            Err(GaveUp::Failed(Failure::Full(_) | Failure::Unavailable(_))) if group.len() > 1 => {
                for mut one in group.apart() {
                    self.commit(&mut one, BUSY);
                }
            }
            Err(GaveUp::Failed(failure) | GaveUp::NotBegun(failure)) => {
                group.fail(&self.url, &failure);
            }
            // With savepoints, or alone, a refused work is undone by itself.
            Err(GaveUp::NeedsSavepoints) => unreachable!("savepoints were there"),
        }
        true
    }

    fn attempt(
        &mut self,
        group: &mut Group<'_>,
        savepoints: bool,
        longest: Duration,
    ) -> Result<(), GaveUp> {
        // What a panic left open.
        if !self.connection.is_autocommit() {
            self.roll_back();
        }
        {
            let _turn = self.turnstile.enter(longest);
            self.limit.set(longest);
            let begun = self.execute("BEGIN IMMEDIATE");
            self.limit.set(BUSY);
            begun.map_err(|error| GaveUp::NotBegun(Failure::before_commit(error)))?;
        }
        let begun = self.names.refresh(&self.connection);
        let (appended, head) = match begun.and_then(|()| self.run(group, savepoints)) {
            Ok(Done::All { appended, head }) => (appended, head),
            Ok(Done::MustGiveUp) => {
                self.roll_back();
                return if group.len() == 1 {
                    Ok(())
                } else {
                    Err(GaveUp::NeedsSavepoints)
                };
            }
            Err(error) => {
                self.roll_back();
                return Err(GaveUp::Failed(Failure::before_commit(error)));
            }
        };
        self.execute("COMMIT").map_err(|error| {
            self.roll_back();
            GaveUp::Failed(Failure::in_commit(error))
        })?;
        if appended {
            self.watched.appended(head);
        }
        Ok(())
    }

    /// Does the work, also that which comes meanwhile.
    fn run(&mut self, group: &mut Group<'_>, savepoints: bool) -> rusqlite::Result<Done> {
        let mut transaction = Transaction::new(&self.connection, &mut self.names);
        let execute = |sql: &str| self.connection.prepare_cached(sql)?.execute([]);
        let mut next = 0;
        while let Some(job) = group.get(next) {
            next += 1;
            if savepoints {
                execute("SAVEPOINT work")?;
            }
            let (refused, wrote) = transaction.run(job)?;
            if refused && wrote {
                if !savepoints {
                    return Ok(Done::MustGiveUp);
                }
                execute("ROLLBACK TO work")?;
                transaction.undone();
            }
            if savepoints {
                execute("RELEASE work")?;
            }
        }
        let (appended, head) = transaction.outcome();
        Ok(Done::All { appended, head })
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Gives up the transaction, if one is open: SQLite ends some by itself.
    fn roll_back(&mut self) {
        self.names.clear();
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::warn!(%error, url = self.url, "a transaction could not be rolled back");
        }
    }
}
