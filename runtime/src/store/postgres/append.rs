//! Batches are written, and each is told what it came to.
//!
//! One call writes all of them or none. When it wrote none, it is found out which of them stand in the way: those are told, and the
//! others are written without them.

use tokio_postgres::types::ToSql;

use super::call::{Answer, Call, Events};
use super::connection::Connection;
use super::error::{Cause, Failure};
use super::seen::Source;
use super::server::Server;
use crate::log::{
    AppendError, Appended, Batch, Category, NewEvent, Position, StreamAppend, StreamId,
    StreamVersion, Version,
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
    let (outcomes, lost) = try_append(batches, connection, server).await;
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

/// Writes batches and says what each came to, and what the connection was lost by, if it was: then those that were never sent are
/// not told.
pub(super) async fn try_append(
    batches: &[&Batch],
    connection: &Connection<'_>,
    server: &Server,
) -> (Vec<Option<Outcome>>, Option<Cause>) {
    let mut appending = Appending {
        batches,
        connection,
        server,
        outcomes: batches.iter().map(|_| None).collect(),
        lost: None,
    };
    appending.run().await;
    (appending.outcomes, appending.lost)
}

struct Appending<'a> {
    batches: &'a [&'a Batch],
    connection: &'a Connection<'a>,
    server: &'a Server,
    outcomes: Vec<Option<Outcome>>,
    lost: Option<Cause>,
}

/// The index that a call violated.
enum Violated {
    /// A stream that was trusted to be new is not.
    Stream,
    /// An id is known.
    Id,
}

impl Violated {
    fn of(failure: &Failure) -> Option<Self> {
        let Failure::Retry(cause) = failure else {
            return None;
        };
        match cause.driver()?.as_db_error()?.constraint()? {
            "events_by_stream" => Some(Self::Stream),
            "events_by_id" => Some(Self::Id),
            _ => None,
        }
    }
}

impl<'a> Appending<'a> {
    /// Makes calls until each batch is told.
    async fn run(&mut self) {
        // In a transaction of the caller's nothing is tried that may fail and undo what the caller did.
        let careful = self.connection.is_callers();
        let (mut trusting, mut alone, mut attempts) = (!careful, false, 0);
        let learned = self
            .server
            .names
            .learn(self.batches, self.connection, self.server)
            .await;
        if let Err(cause) = learned {
            return self.stop(&self.open(), &Failure::before(cause));
        }
        if careful {
            let open = self.open();
            self.settle_known(&self.call(&open), &open).await;
        }
        loop {
            let open = self.open();
            if open.is_empty() {
                return;
            }
            let open = if alone { &open[..1] } else { &open };
            let (call, tried) = self.fitting(open);
            let found = call.found(&self.server.seen).into_iter();
            let found: Vec<_> = found.map(|found| found.filter(|_| trusting)).collect();
            let trusts = found.iter().any(Option::is_some);
            let source = self.server.seen.source();
            let failure = match self.ask(&call, &found).await {
                Ok(numbers) => match call.answer(&numbers) {
                    Some(Answer::Written {
                        versions,
                        positions,
                    }) => {
                        let Some(written) = call.written(versions, positions) else {
                            return self.fail(&tried, &misread());
                        };
                        self.learn(source, &call, versions, true);
                        for (index, appended) in tried.into_iter().zip(written) {
                            self.outcomes[index] = Some(Ok(appended));
                        }
                        continue;
                    }
                    // What was only trusted cannot be told.
                    Some(Answer::Refused(_)) if trusts => {
                        trusting = false;
                        continue;
                    }
                    Some(Answer::Refused(versions)) => {
                        self.learn(source, &call, versions, false);
                        let misfits = call.misfits(versions);
                        if misfits.iter().all(Option::is_none) {
                            return self.fail(&tried, &misread());
                        }
                        self.settle_misfits(&tried, &misfits).await;
                        continue;
                    }
                    None => return self.fail(&tried, &misread()),
                },
                Err(failure) => failure,
            };
            if careful {
                return self.fail(&tried, &failure.within_a_transaction());
            }
            if failure.is_lost() {
                return self.stop(&tried, &failure);
            }
            match Violated::of(&failure) {
                Some(Violated::Stream) if trusts => {
                    trusting = false;
                    continue;
                }
                Some(Violated::Id) if self.settle_known(&call, &tried).await => continue,
                _ => {}
            }
            attempts += 1;
            match failure {
                Failure::Retry(cause) if attempts < ATTEMPTS => {
                    tracing::debug!(url = self.server.url, attempts, %cause, "batches are written again");
                }
                // Each by itself: it may be only one that stands in the way.
                Failure::Full(_) | Failure::Unstorable(_) | Failure::Retry(_)
                    if tried.len() > 1 =>
                {
                    (alone, attempts) = (true, 0);
                }
                failure => {
                    self.fail(&tried, &failure);
                    attempts = 0;
                }
            }
        }
    }

    /// The batches that were not told yet.
    fn open(&self) -> Vec<usize> {
        let all = self.outcomes.iter().enumerate();
        all.filter_map(|(index, outcome)| outcome.is_none().then_some(index))
            .collect()
    }

    fn call(&self, indexes: &[usize]) -> Call<'a> {
        self.fitting(indexes).0
    }

    /// A call of those that can be written together, and which they are.
    fn fitting(&self, indexes: &[usize]) -> (Call<'a>, Vec<usize>) {
        let mut call = Call::default();
        let taken = indexes
            .iter()
            .copied()
            .filter(|index| call.take(self.batches[*index]))
            .collect();
        (call, taken)
    }

    async fn ask(&self, call: &Call<'_>, found: &[Option<i64>]) -> Result<Vec<i64>, Failure> {
        if bytes(call) > MOST_BYTES {
            return Err(Failure::Unstorable(Cause::Other(
                "the batch has more than 1000 MiB, which the server does not take at once; divide it",
            )));
        }
        let events = events(call, self.server).map_err(Failure::before)?;
        let sql = &self.server.sql.append;
        // Prepared apart, since a call that was not sent wrote nothing.
        self.connection
            .prepare(sql)
            .await
            .map_err(Failure::before)?;
        // What is not sent is not written.
        if self.connection.is_closed() {
            return Err(Failure::Unavailable(Cause::Lost));
        }
        let (keys, locks, expected) = (call.keys(), call.locks(), call.expected());
        let params: [&(dyn ToSql + Sync); 5] = [&keys, &locks, &expected, &found, &events];
        let row = self
            .connection
            .query_one(sql, &params)
            .await
            .map_err(Failure::after)?;
        // From here on it is committed.
        row.try_get(0)
            .map_err(|error| Failure::Unknown(error.into()))
    }

    /// Goes no further. Batches that were not sent on a connection that was lost are left to another one.
    fn stop(&mut self, indexes: &[usize], failure: &Failure) {
        self.lost = failure.lost().cloned();
        if self.lost.is_none() || !matches!(failure, Failure::Unavailable(_)) {
            self.fail(indexes, failure);
        }
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
    async fn settle_misfits(
        &mut self,
        tried: &[usize],
        misfits: &[Option<(&StreamAppend, Version)>],
    ) {
        let refused: Vec<usize> = misfits
            .iter()
            .zip(tried)
            .filter_map(|(misfit, index)| misfit.is_some().then_some(*index))
            .collect();
        self.settle_known(&self.call(&refused), &refused).await;
        for (misfit, index) in misfits.iter().zip(tried) {
            if let (Some((part, actual)), None) = (misfit, &self.outcomes[*index]) {
                self.outcomes[*index] = Some(Err(AppendError::Conflict {
                    stream: part.stream.clone(),
                    expected: part.expected,
                    actual: *actual,
                }));
            }
        }
    }

    /// Tells those of which an id is known: the same batch was written before, or the id is another event's. Says whether there
    /// were any.
    async fn settle_known(&mut self, call: &Call<'a>, tried: &[usize]) -> bool {
        match self.known(call).await {
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

    async fn known(&self, call: &Call<'_>) -> Result<Vec<Option<Outcome>>, Cause> {
        let events = events(call, self.server)?;
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

fn events<'a>(call: &Call<'a>, server: &Server) -> Result<Events<'a>, Cause> {
    call.events(&server.names)
        .ok_or(Cause::Other("a tenant or a kind has no number"))
}

/// About how many bytes a call has.
fn bytes(call: &Call<'_>) -> usize {
    let of_event = |(stream, event): (&StreamId, &NewEvent)| {
        // Times, numbers and the lengths of it all.
        128 + stream.id().len() + event.payload.len()
    };
    let events = call.batches.iter().flat_map(|batch| batch.events());
    events.map(of_event).sum()
}

/// It was written or not; the answer does not say.
fn misread() -> Failure {
    Failure::Unknown(Cause::Other("the answer does not fit"))
}
