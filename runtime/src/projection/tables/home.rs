//! What a projection into tables does with events, and what it saves.

use serde::{Deserialize, Serialize};

use super::versions::{Shown, new_generation};
use super::{TableProjection, Tables};
use crate::Store;
use crate::follower::{FollowError, Handled, Home, Rebuild, Saved, Turn};
use crate::log::{Detail, Position, Query};
use crate::sql::{self, Batch, Sql};
use crate::store::{BackendError, ProjectionKey};

/// The most events in a page, which is one transaction.
const PAGE: usize = 1000;

/// What is kept with the checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    generation: u64,
}

impl Kept {
    /// That of a state, if it is one of tables.
    pub(super) fn generation_of(state: &str) -> Option<u64> {
        let kept = serde_json::from_str::<Self>(state).ok()?;
        Some(kept.generation)
    }
}

impl<P: TableProjection> Tables<P> {
    fn kept(&self) -> Result<Vec<u8>, FollowError> {
        let kept = Kept {
            generation: self.generation,
        };
        serde_json::to_vec(&kept).map_err(|source| FollowError::State {
            projection: P::NAME,
            source,
        })
    }
}

impl<P: TableProjection> Home for Tables<P> {
    const FOLDS: bool = false;

    fn name(&self) -> &'static str {
        P::NAME
    }

    fn tables(&self) -> Vec<&'static str> {
        Self::tables().collect()
    }

    fn key(&self) -> Option<ProjectionKey<'static>> {
        let fingerprint = if self.beside {
            self.fingerprint()
        } else {
            P::FINGERPRINT
        };
        Some(ProjectionKey {
            name: P::NAME,
            fingerprint,
        })
    }

    fn query(&self) -> Query {
        let detail = if P::ASKS_ENVELOPE {
            Detail::Full
        } else {
            Detail::Payload
        };
        Query::all()
            .any_of(P::selectors())
            .page_size(PAGE)
            .detail(detail)
    }

    async fn handle(&mut self, turn: &Turn<'_>) -> Handled {
        let mut count = 0;
        for record in turn.records() {
            self.at = record.position();
            self.sql.at(self.at);
            let before = self.sql.len();
            if let Err(source) = self.projection.handle(&record, &mut self.sql) {
                // A split event may have been handled in part.
                self.sql.truncate(before);
                let projection = P::NAME;
                let failed = Some((self.at, FollowError::Decode { projection, source }));
                return Handled { count, failed };
            }
            if let Some(sql::Refused {
                position,
                text,
                why,
            }) = self.sql.refused()
            {
                self.sql.truncate(before);
                let error = FollowError::Statement {
                    projection: P::NAME,
                    position,
                    text: text.to_owned(),
                    source: BackendError::new(why),
                };
                let failed = Some((position, error));
                return Handled { count, failed };
            }
            count += 1;
        }
        let failed = None;
        Handled { count, failed }
    }

    fn at(&self) -> Position {
        self.at
    }

    async fn is_due(&mut self, store: &Store, caught_up: bool) -> Result<bool, FollowError> {
        if self.shown == Shown::Unknown && !self.beside {
            self.check_others(store).await?;
            self.shown = self.look(store).await?;
            self.forget_found();
        }
        Ok(self.is_to_show(caught_up))
    }

    fn save(&mut self, caught_up: bool) -> Result<Saved, FollowError> {
        let mut sql = Batch::default();
        if !self.made {
            self.make(&mut sql);
        }
        let asked = self.sql.take();
        if sql.is_empty() {
            sql = asked;
        } else {
            sql.extend(&asked);
        }
        if self.is_to_show(caught_up) {
            self.show(&mut sql);
            self.shown = Shown::Own;
        }
        self.made = true;
        Ok(Saved {
            state: Some(self.kept()?),
            sql,
        })
    }

    fn was_saved(&mut self) {
        self.forget_found();
    }

    fn restore(&mut self, state: Option<&[u8]>) -> Result<(), FollowError> {
        self.made = state.is_some();
        self.shown = Shown::Unknown;
        if let Some(state) = state {
            let kept: Kept =
                serde_json::from_slice(state).map_err(|source| FollowError::State {
                    projection: P::NAME,
                    source,
                })?;
            self.generation = kept.generation;
        }
        // What was asked for and not saved is not asked for any more.
        self.sql = self.no_statements();
        Ok(())
    }

    fn is_restored(&self) -> bool {
        self.made
    }
}

impl<P: TableProjection + Clone> Rebuild for Tables<P> {
    fn beside(&self) -> Self {
        let mut fresh = Self {
            projection: self.projection.clone(),
            reader: self.reader.clone(),
            tenant: self.tenant,
            sql: Sql::default(),
            generation: new_generation(),
            beside: true,
            made: false,
            shown: Shown::Others,
            found: Vec::new(),
            at: Position::START,
        };
        // Half of the numbers of a suffix are lost, so it is looked at once more.
        while fresh.names().suffix == self.names().suffix {
            fresh.generation = new_generation();
        }
        fresh.sql = fresh.no_statements();
        fresh
    }

    fn adoption(&self, fresh: &mut Self) -> Result<Saved, FollowError> {
        let mut sql = Batch::default();
        // They are made when this is saved, which may take several attempts.
        if !fresh.made {
            fresh.make(&mut sql);
        }
        fresh.show(&mut sql);
        self.drop(&mut sql);
        Ok(Saved {
            state: Some(fresh.kept()?),
            sql,
        })
    }

    fn take(&mut self, fresh: Self) {
        *self = Self {
            beside: false,
            shown: Shown::Own,
            made: true,
            ..fresh
        };
    }
}
