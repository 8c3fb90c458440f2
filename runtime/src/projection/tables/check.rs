//! What is looked at before anything is made.

use super::{TableProjection, Tables};
use crate::follower::FollowError;
use crate::sql;
use crate::store::BackendError;

/// The longest name that PostgreSQL does not shorten.
const LONGEST_NAME: usize = 63;

/// What stands in the schema of a store besides, and must not be taken for a view of a projection.
const RECOUNTS: &[&str] = &[
    "checkpoints",
    "dead_letters",
    "events",
    "kinds",
    "log",
    "meta",
    "snapshots",
    "streams",
    "tenants",
];

impl<P: TableProjection> Tables<P> {
    /// Looks at `TABLES`: a name that PostgreSQL would shorten could be another's, and so could one without braces.
    pub(super) fn check(&self) -> Result<(), FollowError> {
        let refused = |text: &str, why: &str| FollowError::Tables {
            projection: P::NAME,
            text: text.to_owned(),
            source: BackendError::new(why.to_owned()),
        };
        let made = Self::made();
        for text in P::TABLES {
            if sql::is_the_stores(text) {
                return Err(refused(text, sql::NOT_ALLOWED));
            }
            let view =
                sql::table_made_by(text).map(|table| format!("{table}{}", self.reader.owner));
            if view.is_some_and(|view| RECOUNTS.contains(&&*view)) {
                let why = "the store has a table or view of this name: give it another one";
                return Err(refused(text, why));
            }
            if let Some(sql::Made::Bare(name)) = sql::made_by(text) {
                let why = format!(
                    "`{name}` stands without braces, so the next version could not be built beside this one: write `{{{name}}}`"
                );
                return Err(refused(text, &why));
            }
            for name in sql::names_in(text) {
                if !made.contains(&name) {
                    return Err(refused(text, &sql::not_made(name)));
                }
                let longest = name.len() + self.names().suffix.len();
                if longest > LONGEST_NAME {
                    let most = LONGEST_NAME + name.len() - longest;
                    let why =
                        format!("the name `{name}` is too long: give it {most} bytes at most");
                    return Err(refused(text, &why));
                }
            }
        }
        Ok(())
    }
}
