//! Batches are written, and each is told what it came to.
//!
//! One call writes all of them or none. When it wrote none, it is found out which of them stand in the way: those are told, and the
//! others are written without them.

use std::collections::HashSet;
use std::ops::ControlFlow;

use tokio_postgres::types::{FromSqlOwned, ToSql};

use super::call::{Answer, Call, Events, Misfit};
use super::connection::Connection;
use super::error::{Cause, Failure};
use super::lone::Lone;
use super::names::Names;
use super::seen::Source;
use super::server::Server;
use crate::log::{
    AppendError, Appended, Batch, Category, Position, StreamId, StreamVersion, Version,
};

/// What one batch came to.
pub(super) type Outcome = Result<Appended, AppendError>;

/// How often a call that met another one is made again before its batches are told.
const ATTEMPTS: usize = 20;

/// The most bytes of a call. The server takes messages of up to 1 GiB, and breaks the connection on one that is larger.
const MOST_BYTES: usize = 1000 << 20;

/// Writes batches and says what each came to.
pub(super) async fn append(
    batches: &[&Batch],
    connection: &Connection<'_>,
    server: &Server,
) -> Vec<Outcome> {
    let Tried { outcomes, lost, .. } = try_append(batches, connection, server).await;
    let unsettled = || {
        let cause = lost.clone();
        let cause = cause.unwrap_or(Cause::Other("the server's answers do not fit"));
        Failure::before(cause).of_append(&server.url)
    };
    outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or_else(|| Err(unsettled())))
        .collect()
}

/// What batches came to on one connection.
pub(super) struct Tried {
    /// None for those that were never sent because the connection was lost.
    pub(super) outcomes: Vec<Option<Outcome>>,
    /// What the connection was lost by, if it was.
    pub(super) lost: Option<Cause>,
    /// Whether the server was told to stop, so that the connection is not to be used again.
    pub(super) cancelled: bool,
}

/// Writes batches and says what each came to.
pub(super) async fn try_append(
    batches: &[&Batch],
    connection: &Connection<'_>,
    server: &Server,
) -> Tried {
    let mut appending = Appending {
        batches,
        connection,
        server,
        outcomes: batches.iter().map(|_| None).collect(),
        lost: None,
        cancelled: false,
        trusting: true,
        alone: false,
        attempts: 0,
        later: Vec::new(),
    };
    let _ = appending.run().await;
    Tried {
        outcomes: appending.outcomes,
        lost: appending.lost,
        cancelled: appending.cancelled,
    }
}

struct Appending<'a> {
    batches: &'a [&'a Batch],
    connection: &'a Connection<'a>,
    server: &'a Server,
    outcomes: Vec<Option<Outcome>>,
    lost: Option<Cause>,
    cancelled: bool,
    /// Whether streams that were seen are not looked for.
    trusting: bool,
    /// Whether each batch is tried by itself.
    alone: bool,
    attempts: usize,
    /// Those that do not fit behind others of their call, until these are written: what they are told must be a version that the
    /// stream had.
    later: Vec<usize>,
}

/// Whether there is anything left to try.
type Done = ControlFlow<()>;

/// What a call violated.
enum Violated {
    /// What was trusted is not so: a stream has more events, or a position is not above the place.
    Trust,
    /// An id is known.
    Id,
}

impl Violated {
    fn of(failure: &Failure) -> Option<Self> {
        let (Failure::Retry(cause) | Failure::Unstorable(cause)) = failure else {
            return None;
        };
        let error = cause.driver()?.as_db_error()?;
        match (error.constraint(), error.column()) {
            (Some("events_by_stream"), _) | (None, Some("position")) => Some(Self::Trust),
            (Some("events_by_id"), _) => Some(Self::Id),
            _ => None,
        }
    }
}

impl<'a> Appending<'a> {
    /// Makes calls until each batch is told.
    async fn run(&mut self) -> Done {
        if self.connection.is_callers() {
            // Nothing is tried that may fail and undo what the caller did.
            self.trusting = false;
            let open = self.open();
            Box::pin(self.settle_known(&open)).await;
        }
        while self.outcomes.iter().any(Option::is_none) {
            self.step().await?;
        }
        Done::Continue(())
    }

    /// Makes one call.
    async fn step(&mut self) -> Done {
        if let [batch] = self.batches
            && self.trusting
            && let Some(lone) = Lone::of(batch, &self.server.seen)
        {
            return self.step_alone(batch, &lone).await;
        }
        // Apart, since most appends are one event behind a version that was seen, and would carry its room.
        Box::pin(self.step_together()).await
    }

    /// Writes the only batch, which is one event behind a version that was seen.
    async fn step_alone(&mut self, batch: &Batch, lone: &Lone<'_>) -> Done {
        match self.ask_alone(batch, lone).await {
            Ok(position) => match lone.written(position) {
                Some(appended) => {
                    let seen = &self.server.seen;
                    seen.learn(lone.source, [(lone.key, lone.version)].into_iter());
                    self.outcomes[0] = Some(Ok(appended));
                    Done::Continue(())
                }
                None => self.stop(&[0], &misread()),
            },
            Err(failure) => Box::pin(self.failed(&[0], true, failure)).await,
        }
    }

    /// Makes one call for as many as can be written together.
    async fn step_together(&mut self) -> Done {
        let next = self.next();
        let (call, tried) = self.fitting(&next);
        let seen = call.seen(&self.server.seen).into_iter();
        let seen: Vec<_> = seen
            .map(|version| version.filter(|_| self.trusting))
            .collect();
        let trusts = seen.iter().any(Option::is_some);
        let source = self.server.seen.source();
        let numbers = match self.ask(&call, &seen).await {
            Ok(numbers) => numbers,
            Err(failure) => return self.failed(&tried, trusts, failure).await,
        };
        match call.answer(&numbers) {
            Some(Answer::Written {
                versions,
                positions,
            }) => {
                let Some(written) = call.written(versions, positions) else {
                    return self.stop(&tried, &misread());
                };
                self.learn(source, &call, versions, true);
                for (index, appended) in tried.into_iter().zip(written) {
                    self.outcomes[index] = Some(Ok(appended));
                }
            }
            // What was only trusted cannot be told.
            Some(Answer::Refused(_)) if trusts => self.trusting = false,
            Some(Answer::Refused(versions)) => {
                self.learn(source, &call, versions, false);
                let misfits = call.misfits(versions);
                if misfits.iter().all(Option::is_none) {
                    return self.stop(&tried, &misread());
                }
                self.settle_misfits(&tried, &misfits).await;
            }
            None => return self.stop(&tried, &misread()),
        }
        Done::Continue(())
    }

    /// A call wrote nothing, or it is not known what.
    async fn failed(&mut self, tried: &[usize], trusted: bool, failure: Failure) -> Done {
        self.cancelled |= failure.cause().is_cancelled();
        if self.connection.is_callers() {
            return self.stop(tried, &failure.within_a_transaction());
        }
        if failure.is_lost() {
            return self.stop(tried, &failure);
        }
        match Violated::of(&failure) {
            Some(Violated::Trust) if trusted => {
                self.trusting = false;
                return Done::Continue(());
            }
            Some(Violated::Id) if self.settle_known(tried).await => {
                return Done::Continue(());
            }
            _ => self.attempts += 1,
        }
        match failure {
            Failure::Retry(cause) if self.attempts < ATTEMPTS => {
                let (url, attempts) = (&self.server.url, self.attempts);
                tracing::debug!(url, attempts, %cause, "batches are written again");
                return Done::Continue(());
            }
            // Each by itself: it may be only one that stands in the way.
            Failure::Full(_) | Failure::Unstorable(_) | Failure::Retry(_) if tried.len() > 1 => {
                self.alone = true;
            }
            Failure::Unavailable(cause) if tried.len() > 1 && cause.is_wait_for_lock() => {
                self.alone = true;
            }
            // Others that write to its streams would wait in vain too, one after the other, and all that come behind them.
            Failure::Unavailable(cause) if cause.is_wait_for_lock() => {
                let these = self.sharing_streams(tried);
                self.fail(&these, &Failure::Unavailable(cause));
            }
            failure => self.fail(tried, &failure),
        }
        self.attempts = 0;
        Done::Continue(())
    }

    /// Those that are tried next.
    fn next(&mut self) -> Vec<usize> {
        let mut open = self.open();
        if open.iter().all(|index| self.later.contains(index)) {
            self.later.clear();
        }
        open.retain(|index| !self.later.contains(index));
        if self.alone {
            open.truncate(1);
        }
        open
    }

    /// The batches that were not told yet.
    fn open(&self) -> Vec<usize> {
        let all = self.outcomes.iter().enumerate();
        all.filter_map(|(index, outcome)| outcome.is_none().then_some(index))
            .collect()
    }

    /// The batches that were not told yet and have a stream in common with these, and these.
    fn sharing_streams(&self, these: &[usize]) -> Vec<usize> {
        let streams_of = |index: usize| self.batches[index].parts().iter().map(|part| &part.stream);
        let streams: HashSet<&StreamId> =
            these.iter().flat_map(|index| streams_of(*index)).collect();
        let mut sharing = self.open();
        sharing.retain(|index| streams_of(*index).any(|stream| streams.contains(stream)));
        sharing
    }

    /// A call of those that can be written together, and which they are.
    fn fitting(&self, indexes: &[usize]) -> (Call<'a>, Vec<usize>) {
        let mut call = Call::of(indexes.len());
        let taken = indexes
            .iter()
            .copied()
            .filter(|index| call.take(self.batches[*index]))
            .collect();
        (call, taken)
    }

    /// The events of a call, with numbers for new tenants and kinds; of which there are few.
    async fn events(&self, call: &Call<'a>) -> Result<Events<'a>, Cause> {
        self.numbered(&call.batches, |names| call.events(names))
            .await
    }

    /// What some batches are when each name in them has a number.
    async fn numbered<T>(
        &self,
        batches: &[&Batch],
        numbered: impl Fn(&Names) -> Option<T>,
    ) -> Result<T, Cause> {
        let names = &self.server.names;
        // Numbers are forgotten when a connection is made, which may be in between.
        for _ in 0..ATTEMPTS {
            if let Some(numbered) = numbered(names) {
                return Ok(numbered);
            }
            Box::pin(names.learn(batches, self.connection, self.server)).await?;
        }
        Err(Cause::Other("a tenant or a kind has no number"))
    }

    async fn ask(&self, call: &Call<'a>, seen: &[Option<i64>]) -> Result<Vec<i64>, Failure> {
        let events = self.events(call).await.map_err(Failure::before)?;
        check_bytes(events.bytes())?;
        let (keys, locks, expected) = (call.keys(), call.locks(), call.expected());
        let params: [&(dyn ToSql + Sync); 5] = [&keys, &locks, &expected, &seen, &events];
        self.send(&self.server.sql.append, &params).await
    }

    async fn ask_alone(&self, batch: &Batch, lone: &Lone<'_>) -> Result<i64, Failure> {
        let values = self.numbered(&[batch], |names| lone.values(names)).await;
        let values = values.map_err(Failure::before)?;
        check_bytes(values.bytes())?;
        let sql = &self.server.sql.append_one;
        self.send(sql, &values.params()).await
    }

    /// Sends a statement whose answer is one value.
    async fn send<T: FromSqlOwned>(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<T, Failure> {
        // Prepared apart, since a call that was not sent wrote nothing.
        let statement = self.connection.prepare(sql).await;
        let statement = statement.map_err(Failure::before)?;
        // What is not sent is not written.
        if self.connection.is_closed() {
            return Err(Failure::Unavailable(Cause::Lost));
        }
        let row = self.connection.client().query_one(&statement, params).await;
        // From here on it is committed.
        row.map_err(Failure::after)?
            .try_get(0)
            .map_err(|error| Failure::Unknown(error.into()))
    }

    /// Goes no further. Batches that were not sent on a connection that was lost are left to another one.
    fn stop(&mut self, indexes: &[usize], failure: &Failure) -> Done {
        self.lost = failure.lost().cloned();
        if self.lost.is_none() || !matches!(failure, Failure::Unavailable(_)) {
            self.fail(indexes, failure);
        }
        Done::Break(())
    }

    /// Remembers what is committed.
    fn learn(&self, source: Source, call: &Call<'_>, versions: &[i64], written: bool) {
        if !self.connection.is_callers() {
            let seen = &self.server.seen;
            seen.learn(source, call.reached(versions, written));
        }
    }

    fn fail(&mut self, indexes: &[usize], failure: &Failure) {
        for index in indexes {
            let batch = self.batches[*index];
            self.outcomes[*index] = Some(Err(match (failure.clone(), batch.events().next()) {
                (Failure::Unstorable(cause), Some((stream, event))) => AppendError::Refused {
                    stream: stream.clone(),
                    event: event.name.to_string(),
                    reason: cause.to_string(),
                },
                (failure, _) => failure.of_append(&self.server.url),
            }));
        }
    }

    /// Tells those that do not fit: each was either written before, or has a conflict.
    async fn settle_misfits(&mut self, tried: &[usize], misfits: &[Option<Misfit<'_>>]) {
        let misfits = tried
            .iter()
            .zip(misfits)
            .filter_map(|(index, misfit)| Some((*index, misfit.as_ref()?)));
        let (behind, refused): (Vec<_>, Vec<_>) =
            misfits.partition(|(_, misfit)| misfit.behind_others);
        self.later.extend(behind.iter().map(|(index, _)| *index));
        let indexes: Vec<usize> = refused.iter().map(|(index, _)| *index).collect();
        self.settle_known(&indexes).await;
        for (index, misfit) in refused {
            self.outcomes[index].get_or_insert_with(|| {
                Err(AppendError::Conflict {
                    stream: misfit.part.stream.clone(),
                    expected: misfit.part.expected,
                    actual: misfit.actual,
                })
            });
        }
    }

    /// Tells those of which an id is known: the same batch was written before, or the id is another event's. Says whether there
    /// were any.
    async fn settle_known(&mut self, tried: &[usize]) -> bool {
        let mut call = Call::default();
        for index in tried {
            call.add(self.batches[*index]);
        }
        match self.known(&call).await {
            Ok(known) => {
                let mut settled = false;
                for (index, outcome) in tried.iter().zip(known) {
                    if outcome.is_some() {
                        self.outcomes[*index] = outcome;
                        settled = true;
                    }
                }
                settled
            }
            Err(cause) => {
                self.fail(tried, &Failure::before(cause));
                true
            }
        }
    }

    async fn known(&self, call: &Call<'a>) -> Result<Vec<Option<Outcome>>, Cause> {
        let events = self.events(call).await?;
        let rows = self
            .connection
            .query(&self.server.sql.known, &[&call.keys(), &events])
            .await?;
        let mut known = Vec::with_capacity(rows.len());
        for row in rows {
            known.push(Known {
                place: usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0),
                same: row.try_get(1)?,
                position: row.try_get::<_, i64>(2)?.cast_unsigned(),
                version: row.try_get::<_, i64>(3)?.cast_unsigned(),
                category: row.try_get(4)?,
                id: row.try_get(5)?,
            });
        }
        let (mut outcomes, mut place) = (Vec::with_capacity(call.batches.len()), 1);
        for batch in &call.batches {
            let end = place + batch.events().count();
            let from = known.partition_point(|event| event.place < place);
            let to = known.partition_point(|event| event.place < end);
            let of_batch = known.get(from..to).unwrap_or_default();
            outcomes.push(match of_batch.first() {
                None => None,
                Some(_)
                    if of_batch.len() == end - place && of_batch.iter().all(|event| event.same) =>
                {
                    Some(self.repeated(batch, of_batch).await?)
                }
                Some(first) => first.duplicate(batch, first.place - place),
            });
            place = end;
        }
        Ok(outcomes)
    }

    /// As the batch was answered the first time; of a stream that was only checked, the version that it has now.
    async fn repeated(&self, batch: &Batch, known: &[Known]) -> Result<Outcome, Cause> {
        let (mut streams, mut events) = (Vec::with_capacity(batch.parts().len()), 0);
        for part in batch.parts() {
            events += part.events.len();
            let version = match known.get(events.wrapping_sub(1)) {
                Some(last) if !part.events.is_empty() => Version(last.version),
                _ => self.server.version(self.connection, &part.stream).await?,
            };
            streams.push(StreamVersion {
                stream: part.stream.clone(),
                version,
            });
        }
        Ok(Ok(Appended {
            position: Position(known.iter().map(|event| event.position).max().unwrap_or(0)),
            streams,
            repeated: true,
        }))
    }
}

/// An event of a call whose id is in the log.
struct Known {
    /// Its place in the call, from 1.
    place: usize,
    /// It is the same, at the same place of the same batch.
    same: bool,
    position: u64,
    version: u64,
    category: String,
    id: String,
}

impl Known {
    /// The id of the event at this index of a batch is this one's.
    fn duplicate(&self, batch: &Batch, index: usize) -> Option<Outcome> {
        let (stream, event) = batch.events().nth(index)?;
        Some(Err(AppendError::Duplicate {
            event: event.id,
            stream: StreamId::in_category(
                Category::new(self.category.as_str()).ok()?,
                self.id.as_str(),
            )
            .ok()?
            .in_tenant(stream.tenant().cloned()),
            version: Version(self.version),
        }))
    }
}

fn check_bytes(bytes: usize) -> Result<(), Failure> {
    if bytes > MOST_BYTES {
        return Err(Failure::Unstorable(Cause::Other(
            "the batch has more than 1000 MiB, which the server does not take at once; divide it",
        )));
    }
    Ok(())
}

/// It was written or not; the answer does not say.
fn misread() -> Failure {
    Failure::Unknown(Cause::Other("the answer does not fit"))
}
