//! Waking whoever watches the log, in this process and in others.
//!
//! A commit does not notify: that would make all commits of the database wait for one another. A task does it just after, in a
//! transaction of its own that does not wait for the disk, for all commits of the last milliseconds at once; and only while somebody
//! listens, who holds a lock to say so.
//!
//! While somebody watches, a connection of its own listens. Notifications can be lost: a connection breaks, a pooler in between
//! passes none on, a process dies between its commit and its notification, somebody inserts events by hand. And who reads after
//! one may find nothing yet, while another append is open. So who waits is also woken after pauses that grow, from one wake-up
//! to the next, as far as it was seen that notifications arrive.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, join, select};
use futures_util::{TryStreamExt as _, stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, SimpleQueryMessage};
use uuid::Uuid;

use super::append::Outcome;
use super::error::Cause;
use super::pool::Pool;
use super::session::Way;
use super::sql::within;
use crate::background::Background;
use crate::log::AppendError;
use crate::store::Wakes;
use crate::store::watch::Beyond;

/// The shortest time between two notifications of a process.
const GAP: Duration = Duration::from_millis(5);

/// The shortest time from finding nobody who listens to looking again.
const UNWANTED: Duration = Duration::from_millis(50);

/// The first pause after which who waits is woken without a signal; each further one is twice as long.
const SOON: Duration = Duration::from_millis(25);

/// The longest pause while notifications arrive.
const SELDOM: Duration = Duration::from_secs(1);

/// The longest pause while none has arrived on the connection that listens, or there is none.
const UNHEARD: Duration = Duration::from_millis(100);

/// The first pause before a connection that broke is made anew; each further one is twice as long.
const RECONNECT: Duration = Duration::from_millis(100);

/// The longest one.
const RECONNECT_AT_LAST: Duration = Duration::from_secs(5);

/// After so long without a notification this process sends one, to see whether its connection still hears.
const SILENCE: Duration = Duration::from_secs(30);

/// How long that one may take.
const ANSWER: Duration = Duration::from_secs(5);

/// How long closing a store waits for each of the tasks.
const CLOSING: Duration = Duration::from_secs(1);

/// The other processes that use the log.
pub(super) struct Others {
    url: String,
    way: Way,
    pool: Pool,
    /// Finds out the name of the channel, which holds the log's number, that no other log of the database has; and says until the
    /// end of the session that somebody listens.
    listen: String,
    /// Notifies the others, if anybody listens.
    notify: String,
    /// What notifications of this store say, which has been woken by then.
    me: String,
    telling: Mutex<Telling>,
    listening: AtomicBool,
    /// Whether a notification has arrived on the connection that listens.
    hears: AtomicBool,
    /// Told of each wake-up that came by a signal.
    signal: Notify,
    tellers: Background,
    listeners: Background,
}

/// How far the others were told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Telling {
    #[default]
    Done,
    UnderWay,
    /// Something was appended since the notification under way began.
    Again,
}

/// Appends under way. When this ends, readers are woken unless it is known that they find nothing new: an append that failed may
/// have held them back, and one whose caller does not wait any longer may be done.
pub(super) struct Written<'a> {
    wakes: &'a Wakes,
    may_be_new: bool,
}

impl<'a> Written<'a> {
    pub(super) fn to_be(wakes: &'a Wakes) -> Self {
        let may_be_new = true;
        Self { wakes, may_be_new }
    }

    pub(super) fn came_to(mut self, outcomes: &[Outcome]) {
        self.may_be_new = outcomes.iter().any(|outcome| match outcome {
            Ok(appended) => !appended.repeated,
            Err(AppendError::Conflict { .. } | AppendError::Duplicate { .. }) => false,
            Err(_) => true,
        });
    }
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        if self.may_be_new {
            self.wakes.wake();
        }
    }
}

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Others")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Others {
    pub(super) fn new(url: String, way: Way, pool: Pool, schema: &str) -> Self {
        let me = Uuid::now_v7().simple().to_string();
        let listen = "SELECT 'recount_' || recount.order_number(), pg_advisory_lock_shared(recount.order_listeners())";
        let notify = format!(
            "SELECT set_config('synchronous_commit', 'off', true), pg_notify('recount_' || recount.order_number(), '{me}')
            WHERE NOT pg_try_advisory_xact_lock(recount.order_listeners())"
        );
        Self {
            url,
            way,
            pool,
            listen: within(schema, listen),
            notify: within(schema, &notify),
            me,
            telling: Mutex::default(),
            listening: AtomicBool::new(false),
            hears: AtomicBool::new(false),
            signal: Notify::new(),
            tellers: Background::default(),
            listeners: Background::default(),
        }
    }

    fn telling(&self) -> MutexGuard<'_, Telling> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all that was appended here is told, but not for long: who was not told finds out later.
    pub(super) async fn told(&self) {
        let _ = timeout(CLOSING, self.tellers.idle()).await;
    }

    /// Waits until the connection that listens is closed, after the store was; but not for long, since a runtime that stands still
    /// closes nothing.
    pub(super) async fn ended(&self) {
        let _ = timeout(CLOSING, self.listeners.idle()).await;
    }

    /// Notifies the others; false when nobody listens.
    async fn notify(&self) -> Result<bool, Cause> {
        let session = self.pool.get().await?;
        let told = session.client.simple_query(&self.notify).await?;
        Ok(told
            .iter()
            .any(|message| matches!(message, SimpleQueryMessage::Row(_))))
    }

    /// Listens, on one connection after the other; never ends.
    async fn listen(self: &Arc<Self>, wakes: &Wakes) {
        let mut pause = RECONNECT;
        loop {
            let broken = self.hear(wakes, &mut pause).await;
            self.hears.store(false, Ordering::Release);
            // Not to stay with the long pauses of the time when notifications arrived.
            self.signal.notify_one();
            tracing::debug!(url = self.url, broken = ?broken.err(), "notifications of appends are not heard");
            sleep(pause).await;
            pause = (pause * 2).min(RECONNECT_AT_LAST);
        }
    }

    /// Listens on one connection until it breaks.
    async fn hear(
        self: &Arc<Self>,
        wakes: &Wakes,
        pause: &mut Duration,
    ) -> Result<(), tokio_postgres::Error> {
        let Way { tls, config } = &self.way;
        if let Some(tls) = tls {
            let (client, connection) = config.connect(tls.clone()).await?;
            return self.hear_on(client, connection, wakes, pause).await;
        }
        let (client, connection) = config.connect(NoTls).await?;
        self.hear_on(client, connection, wakes, pause).await
    }

    async fn hear_on<S, T>(
        self: &Arc<Self>,
        client: Client,
        mut connection: Connection<S, T>,
        wakes: &Wakes,
        pause: &mut Duration,
    ) -> Result<(), tokio_postgres::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let mut messages = pin!(stream::poll_fn(|context| connection.poll_message(context)));
        let ask = async {
            // Without a prepared statement, which not every pooler knows.
            for message in client.simple_query(&self.listen).await? {
                if let SimpleQueryMessage::Row(row) = message
                    && let Some(channel) = row.get(0)
                {
                    client.batch_execute(&format!("LISTEN {channel}")).await?;
                }
            }
            Ok::<_, tokio_postgres::Error>(())
        };
        let hear = async {
            loop {
                let silence = if self.hears.load(Ordering::Acquire) {
                    SILENCE
                } else {
                    Duration::MAX
                };
                let message = if let Ok(message) = timeout(silence, messages.try_next()).await {
                    message?
                } else {
                    // Is it there at all? This comes back, or the connection is given up.
                    Arc::clone(self).tell();
                    match timeout(ANSWER, messages.try_next()).await {
                        Ok(message) => message?,
                        Err(_) => return Ok(()),
                    }
                };
                match message {
                    Some(AsyncMessage::Notification(notification)) => {
                        self.hears.store(true, Ordering::Release);
                        if notification.payload() != self.me {
                            wakes.wake_here();
                            self.signal.notify_one();
                        }
                    }
                    Some(_) => {}
                    None => return Ok(()),
                }
            }
        };
        match select(pin!(ask), pin!(hear)).await {
            Either::Left((asked, hear)) => {
                asked?;
                *pause = RECONNECT;
                // What was told before is heard no more; and one is sent to see whether it arrives.
                wakes.wake_here();
                Arc::clone(self).tell();
                hear.await
            }
            Either::Right((broken, _)) => broken,
        }
    }

    /// Wakes who waits although there is no signal; never ends.
    async fn look(&self, wakes: &Wakes) {
        let mut pause = SOON;
        loop {
            if timeout(pause, self.signal.notified()).await.is_ok() {
                pause = SOON;
                continue;
            }
            wakes.wake_here();
            let longest = if self.hears.load(Ordering::Acquire) {
                SELDOM
            } else {
                UNHEARD
            };
            pause = (pause * 2).min(longest);
        }
    }
}

impl Beyond for Others {
    fn attend(self: Arc<Self>, wakes: &Wakes) {
        if self.listening.load(Ordering::Acquire)
            || wakes.is_closed()
            || Handle::try_current().is_err()
            || self.listening.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let listener = Listener {
            others: Arc::clone(&self),
            wakes: wakes.clone(),
        };
        self.listeners.spawn(listener.run());
    }

    fn tell(self: Arc<Self>) {
        self.signal.notify_one();
        if Handle::try_current().is_err() {
            return;
        }
        let mut telling = self.telling();
        if *telling != Telling::Done {
            *telling = Telling::Again;
            return;
        }
        *telling = Telling::UnderWay;
        drop(telling);
        let teller = Teller {
            others: Arc::clone(&self),
            done: false,
        };
        self.tellers.spawn(teller.run());
    }
}

/// The task that listens. When it ends all are woken: who still waits begins another.
struct Listener {
    others: Arc<Others>,
    wakes: Wakes,
}

impl Listener {
    async fn run(self) {
        let (others, wakes) = (&self.others, &self.wakes);
        let work = join(others.listen(wakes), others.look(wakes));
        select(pin!(wakes.unwatched()), pin!(work)).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.others.hears.store(false, Ordering::Release);
        self.others.listening.store(false, Ordering::Release);
        self.wakes.wake_here();
    }
}

/// The task that notifies the others.
struct Teller {
    others: Arc<Others>,
    done: bool,
}

impl Teller {
    async fn run(mut self) {
        loop {
            let told = self.others.notify().await;
            if let Err(cause) = &told {
                tracing::debug!(url = self.others.url, %cause, "others find out later that something was appended");
            }
            sleep(if told.unwrap_or(true) { GAP } else { UNWANTED }).await;
            let mut telling = self.others.telling();
            if *telling == Telling::UnderWay {
                *telling = Telling::Done;
                drop(telling);
                self.done = true;
                return;
            }
            *telling = Telling::UnderWay;
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        // One that ends with its runtime leaves the place to the next.
        if !self.done {
            *self.others.telling() = Telling::Done;
        }
    }
}
