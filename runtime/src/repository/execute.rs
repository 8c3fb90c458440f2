//! Load, decide, append; again when somebody else was faster.

use super::load::Folded;
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
            let appended = self.carry_out(id, decide).await?;
            Ok(self.onlookers.see(appended).await?)
        })
    }

    async fn carry_out(
        &self,
        id: &A::Id,
        mut decide: Decide<'_, A>,
    ) -> Result<Appended, ExecuteError<A::Error>> {
        let stream = self.stream(id).map_err(LoadError::from)?;
        let mut tries = self.retry.tries();
        // Until the outcome is known: the next one loads what this one appended.
        let _turn = self.store.turns().wait(&stream).await;
        loop {
            let (folded, done) = self.fold_patiently(&stream).await?;
            if let Some(appended) = done {
                return Ok(appended);
            }
            let Some(mut state) = folded.state else {
                return Err(LoadError::NotFound { stream }.into());
            };
            let events = decide(&state).map_err(ExecuteError::Rejected)?;
            let mut journal = self.journal(stream.clone(), folded.version, folded.recorded_at);
            for event in events {
                journal.record(event, |event, context| state.evolve(event, context));
            }
            let expected = if folded.version == Version::NONE {
                Expected::NoStream
            } else {
                Expected::Version(folded.version)
            };
            match self.append(&journal.batch(Batch::new(), expected)?).await {
                Ok(appended) => {
                    self.snapshot_if_due(id, &state, folded.version, appended.version());
                    return Ok(appended);
                }
                Err(AppendError::Conflict { .. }) => {
                    if !tries.again().await {
                        return Err(ExecuteError::Contended {
                            stream,
                            attempts: tries.made(),
                        });
                    }
                }
                Err(error) => return Err(ExecuteError::Append(error)),
            }
        }
    }

    /// Folds a stream; while the store cannot be read, again: nothing is decided yet.
    async fn fold_patiently(
        &self,
        stream: &StreamId,
    ) -> Result<(Folded<A>, Option<Appended>), LoadError> {
        let mut tries = self.retry.tries();
        loop {
            match self.fold_and_look(stream).await {
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
    ) -> Result<(Folded<A>, Option<Appended>), LoadError> {
        let folded = self.fold(stream, None).await?;
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
