//! Load, decide, append; again when somebody else was faster.

use super::load::Folded;
use super::seen::Watched;
use super::{ExecuteError, LoadError, Repository};
use crate::aggregate::{Apply, Events, IntoEvents};
use crate::log::{AppendError, Appended, Batch, Expected, StreamId, Version};
use crate::store::BoxFuture;

/// A decision with its return type erased, so that the loop is compiled once for each aggregate, not for each command.
type Decide<'a, A> =
    Box<dyn FnMut(&A) -> Result<Events<A>, <A as crate::Aggregate>::Error> + Send + 'a>;

impl<A: Apply> Repository<A> {
    /// Carries out a command: loads the aggregate, lets `decide` look at it, and appends the events that it returns.
    ///
    /// Commands of one process on one instance take turns. When somebody else appended meanwhile, all of it is done again, so
    /// `decide` may be called several times and must do nothing but decide. An aggregate that starts from `Default` need not exist; one that an event creates must.
    ///
    /// # Errors
    /// [`ExecuteError::Rejected`] with the aggregate's own error; [`ExecuteError::Load`] when it does not exist or cannot
    /// be read, after three attempts when the store failed; [`ExecuteError::Contended`] when all [attempts](super::RetryPolicy) met a conflict.
    ///
    /// # Cancel safety
    /// A dropped future leaves all of the command's events stored or none, and its turn to the next.
    ///
    /// # Examples
    /// ```
    /// # use recount::prelude::*;
    /// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
    /// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
    /// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
    /// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let counters = Repository::<Counter>::new(&Store::connect("memory:").await?);
    /// let id = CounterId::new("c1")?;
    /// let appended = counters.execute(&id, |counter| Ok([Counted { by: 1 }, Counted { by: counter.total }])).await?;
    /// assert_eq!(appended.version(), Version(2));
    ///
    /// let refused = counters.execute(&id, |_| Err::<(), _>("closed on Sundays".into())).await;
    /// assert_eq!(refused.unwrap_err().to_string(), "closed on Sundays");
    /// # Ok(()) }
    /// ```
    pub fn execute<'a, E, F>(
        &'a self,
        id: &'a A::Id,
        mut decide: F,
    ) -> BoxFuture<'a, Result<Appended, ExecuteError<A::Error>>>
    where
        E: IntoEvents<A>,
        F: FnMut(&A) -> Result<E, A::Error> + Send + 'a,
    {
        let decide: Decide<'a, A> = Box::new(move |state| decide(state).map(Events::of));
        Box::pin(async move {
            // The turn on the stream is over before it is waited for.
            let (appended, events) = self.carry_out(id, decide).await?;
            Ok(self.onlookers.see(appended, &events).await?)
        })
    }

    /// Also tells which events somebody has to see.
    async fn carry_out(
        &self,
        id: &A::Id,
        mut decide: Decide<'_, A>,
    ) -> Result<(Appended, Vec<Watched>), ExecuteError<A::Error>> {
        let stream = self.stream(id).map_err(LoadError::from)?;
        let mut tries = self.retry.tries();
        // Until the outcome is known: the next one begins with what this one appended.
        let _turn = self.store.turns().wait(&stream).await;
        // Taken out: only what is known to be stored goes back, whatever else this command comes to.
        let mut known = self.cache.as_ref().and_then(|cache| cache.take(&stream));
        // What was kept is decided on as it is, since the append's condition tells whether it is out of date. Whatever else comes of
        // that is no answer: then the stream is read.
        let mut unread = known.is_some();
        loop {
            let mut folded = match known.take() {
                Some(known) if unread => known,
                known => {
                    let (folded, done) = self.fold_patiently(&stream, known).await?;
                    if let Some(appended) = done {
                        return Ok((appended, Vec::new()));
                    }
                    folded
                }
            };
            let Some(state) = &folded.state else {
                return Err(LoadError::NotFound { stream }.into());
            };
            let events = match decide(state) {
                Ok(events) => events,
                Err(_) if unread => {
                    (known, unread) = (Some(folded), false);
                    continue;
                }
                Err(refused) => {
                    self.keep(&stream, folded);
                    return Err(ExecuteError::Rejected(refused));
                }
            };
            let stored = folded.version;
            let mut journal = self.journal(stream.clone(), stored, folded.recorded_at);
            let before = self.cache.as_ref().map(|cache| cache.copy(&folded));
            let may_be_kept = self.record(&mut folded, &mut journal, events);
            let expected = if stored == Version::NONE {
                Expected::NoStream
            } else {
                Expected::Version(stored)
            };
            let batch = match journal.batch(Batch::new(), expected) {
                Err(_) if unread => {
                    (known, unread) = (before, false);
                    continue;
                }
                batch => batch?,
            };
            match self.append(&batch).await {
                Ok(appended) => {
                    self.stored(id, &stream, folded, may_be_kept, &journal, &appended);
                    return Ok((appended, self.onlookers.events_of(&batch)));
                }
                Err(AppendError::Conflict { .. }) => {
                    // Nobody was faster than a decision on what was not read: that is no attempt.
                    if !unread && !tries.again().await {
                        return Err(ExecuteError::Contended {
                            stream,
                            attempts: tries.made(),
                        });
                    }
                    (known, unread) = (before, false);
                }
                Err(AppendError::Refused { .. }) if unread => {
                    (known, unread) = (before, false);
                }
                Err(error) => return Err(ExecuteError::Append(error)),
            }
        }
    }

    /// Folds a stream, from what is known of it; while the store cannot be read, again: nothing is decided yet.
    async fn fold_patiently(
        &self,
        stream: &StreamId,
        mut known: Option<Folded<A>>,
    ) -> Result<(Folded<A>, Option<Appended>), LoadError> {
        let mut tries = self.retry.tries();
        loop {
            match self.fold_and_look(stream, known.take()).await {
                Err(LoadError::Read(error)) if error.is_transient() && tries.soon().await => {
                    tracing::debug!(%error, "load failed, trying again");
                }
                folded => return folded,
            }
        }
    }

    /// Folds a stream, and looks whether what is to be decided was done before. In this order: what the state holds was there
    /// to be found, so a decision never meets a state that holds what it decided itself.
    async fn fold_and_look(
        &self,
        stream: &StreamId,
        known: Option<Folded<A>>,
    ) -> Result<(Folded<A>, Option<Appended>), LoadError> {
        let folded = self.fold(stream, known, None).await?;
        let done = match &self.deed {
            Some(deed) => {
                deed.done_by(&self.store, stream, folded.version, folded.position)
                    .await?
            }
            None => None,
        };
        Ok((folded, done))
    }
}
