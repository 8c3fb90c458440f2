//! The tables of each version, and the views that show those of one.

use std::collections::HashSet;

use uuid::Uuid;

use super::home::Kept;
use super::{TableProjection, Tables};
use crate::Store;
use crate::follower::FollowError;
use crate::log::TenantId;
use crate::sql::{self, Batch, Names, Sql};

/// Whose tables the views show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Unknown,
    /// No view is there yet, so that nobody misses what is not built.
    Nobodys,
    /// Those of a version that was there before this process was, or not all views are there.
    Others,
    /// Those of a version that took the views since: another release was started, or gone back to, which this process must not undo
    /// when it only goes on after another one of its own release.
    Later,
    Own,
}

/// A number that no other rebuild has: of two that run at once, in whichever processes, and of one that was killed, none touches the
/// tables of another, which may be those that are shown by now.
pub(super) fn new_generation() -> u64 {
    Uuid::now_v7().as_u64_pair().1
}

/// So many digits stand for a tenant whose name could not be part of a table's; a name that does is shorter, so that it is never
/// taken for one.
const HASHED: usize = 16;

/// What stands behind the names of a tenant's tables: its name, or a hash of one that could not be part of a table's.
pub(super) fn owner(tenant: &TenantId) -> String {
    let name = tenant.as_str();
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.len() < HASHED && name.bytes().all(is_plain) {
        format!("_{name}")
    } else {
        // Not by `hash`, for which anybody can choose a name that has the same.
        let hashed = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple();
        let hashed = hashed.to_string();
        format!("_{}", hashed.get(..HASHED).unwrap_or(&hashed))
    }
}

/// Whether it is what [`Tables::names`] puts behind a name.
fn is_version(text: &str) -> bool {
    text.len() == 8
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// FNV-1a.
pub(super) fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// A hash in half as many bits.
fn folded(hash: u64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the upper half is folded into it"
    )]
    let folded = (hash ^ (hash >> 32)) as u32;
    folded
}

impl<P: TableProjection> Tables<P> {
    /// The code that made them, in this generation.
    pub(super) fn fingerprint(&self) -> u64 {
        crate::__private::mix(P::FINGERPRINT, self.generation)
    }

    /// What the tables are really called.
    pub(super) fn names(&self) -> Names {
        Names {
            schema: self
                .reader
                .dialect()
                .and_then(|dialect| dialect.schema.clone()),
            suffix: self.suffix(self.fingerprint()).into(),
        }
    }

    /// What stands behind the names of the tables that this code made.
    fn suffix(&self, fingerprint: u64) -> String {
        let own = folded(crate::__private::mix(fingerprint, self.tenant));
        format!("{}_{own:08x}", self.reader.owner)
    }

    /// All that `TABLES` makes, tables and indexes.
    pub(super) fn made() -> Vec<&'static str> {
        let made = P::TABLES
            .iter()
            .filter_map(|text| match sql::made_by(text) {
                Some(sql::Made::Named(name)) => Some(name),
                _ => None,
            });
        made.collect()
    }

    /// Nothing that was asked for.
    pub(super) fn no_statements(&self) -> Sql {
        Sql::of_projection(self.names(), Self::made())
    }

    pub(super) fn tables() -> impl Iterator<Item = &'static str> {
        P::TABLES.iter().filter_map(|text| sql::table_made_by(text))
    }

    /// Makes the tables.
    pub(super) fn make(&self, batch: &mut Batch) {
        let names = self.names();
        for table in Self::tables() {
            batch.push_text(names.filled_in(&format!("DROP TABLE IF EXISTS {{{table}}}")));
        }
        for text in P::TABLES {
            batch.push_text(names.filled_in(text));
        }
    }

    /// Lets the views be those of these tables.
    pub(super) fn show(&self, batch: &mut Batch) {
        let names = self.names();
        for table in Self::tables() {
            let view = names.shown(&format!("{table}{}", self.reader.owner));
            batch.push_text(format!("DROP VIEW IF EXISTS {view}"));
            let table = names.filled_in(&format!("{{{table}}}"));
            batch.push_text(format!("CREATE VIEW {view} AS SELECT * FROM {table}"));
        }
    }

    pub(super) fn drop(&self, batch: &mut Batch) {
        let names = self.names();
        for table in Self::tables() {
            batch.push_text(names.filled_in(&format!("DROP TABLE IF EXISTS {{{table}}}")));
        }
    }

    /// Whose tables the views show.
    pub(super) async fn look(&self, store: &Store) -> Result<Shown, FollowError> {
        let views = self.views(store).await?;
        let names = self.names();
        let is_own = |(table, view): (&str, &Option<sql::Row>)| {
            let physical = names.physical(table);
            view.as_ref().is_some_and(|view| view.mentions(&physical))
        };
        Ok(if views.iter().all(Option::is_none) {
            Shown::Nobodys
        } else if Self::tables().zip(&views).all(is_own) {
            Shown::Own
        } else if views == self.found || views.contains(&None) {
            Shown::Others
        } else {
            Shown::Later
        })
    }

    /// Refuses tables that another projection has too, which somebody runs: they would take the view from one another. One that nobody
    /// runs may be this one under its former name.
    pub(super) async fn check_others(&self, store: &Store) -> Result<(), FollowError> {
        let Some((dialect, running)) = self
            .reader
            .dialect()
            .and_then(|dialect| Some((dialect, dialect.running.as_deref()?)))
        else {
            return Ok(());
        };
        let backend = store.backend();
        let tenant = store.tenant().map(TenantId::as_str).into();
        let running = backend.query(running, &[tenant]).await?;
        // What cannot be read is no such checkpoint.
        let running = running
            .into_iter()
            .filter_map(|row| row.read::<(String, i64, String)>().ok());
        let others: Vec<_> = running.filter(|(name, ..)| name != P::NAME).collect();
        if others.is_empty() {
            return Ok(());
        }
        let there = backend.query(&dialect.tables, &[]).await?;
        let there: HashSet<&str> = there.iter().filter_map(sql::Row::text).collect();
        for (other, fingerprint, state) in others {
            let Some(generation) = Kept::generation_of(&state) else {
                continue;
            };
            let suffix = self.suffix(crate::__private::mix(
                fingerprint.cast_unsigned(),
                generation,
            ));
            let is_there = |table: &&str| there.contains(&*format!("{table}{suffix}"));
            if let Some(table) = Self::tables().find(is_there) {
                return Err(FollowError::SharedTable {
                    projection: P::NAME,
                    other,
                    table,
                });
            }
        }
        Ok(())
    }

    /// The definition of each view that is there.
    pub(super) async fn views(&self, store: &Store) -> Result<Vec<Option<sql::Row>>, FollowError> {
        let mut views = Vec::new();
        if let Some(dialect) = self.reader.dialect() {
            for table in Self::tables() {
                let view = format!("{table}{}", self.reader.owner);
                let rows = store.backend().query(&dialect.view, &[view.into()]).await?;
                views.push(rows.into_iter().next());
            }
        }
        Ok(views)
    }

    /// Drops the tables of all other versions; also says of how many.
    pub(super) fn others(&self, there: &[sql::Row]) -> (u64, Batch) {
        let own = self.names();
        let mut batch = Batch::default();
        let mut versions = HashSet::new();
        for name in there.iter().filter_map(sql::Row::text) {
            for table in Self::tables() {
                let before = format!("{table}{}_", self.reader.owner);
                let version = name
                    .strip_prefix(&before)
                    .filter(|version| is_version(version));
                if let Some(version) = version
                    && name != own.physical(table)
                {
                    versions.insert(version);
                    batch.push_text(format!("DROP TABLE {}", own.shown(name)));
                }
            }
        }
        (versions.len() as u64, batch)
    }

    /// Whether the views are to be those of these tables now.
    pub(super) fn is_to_show(&self, caught_up: bool) -> bool {
        match self.shown {
            _ if self.beside => false,
            Shown::Nobodys => true,
            Shown::Others => caught_up,
            Shown::Own | Shown::Later | Shown::Unknown => false,
        }
    }

    /// Once the views have shown its own tables, whoever replaces them came later.
    pub(super) fn forget_found(&mut self) {
        if self.shown == Shown::Own {
            self.found.clear();
        }
    }
}
