//! What is prepared on one connection.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_postgres::{Client, Error, Statement};

/// The statements that were prepared on a connection, by their texts.
#[derive(Default)]
pub(super) struct Statements(Mutex<ByText>);

type ByText = HashMap<Box<str>, Statement, BuildHasherDefault<Sample>>;

impl Statements {
    fn known(&self) -> MutexGuard<'_, ByText> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The statement of this text, prepared on this connection unless it is already.
    pub(super) async fn prepare(&self, sql: &str, client: &Client) -> Result<Statement, Error> {
        let prepared = self.known().get(sql).cloned();
        if let Some(statement) = prepared {
            return Ok(statement);
        }
        let statement = Box::pin(client.prepare(sql)).await?;
        self.known().insert(sql.into(), statement.clone());
        Ok(statement)
    }
}

/// Hashes a text by its length and a few of its bytes. A statement has a thousand, and is looked up for each append; few have so much
/// in common, and of those the texts themselves are compared.
#[derive(Default)]
struct Sample(u64);

impl Sample {
    fn mix(&mut self, value: u64) {
        // The odd number next to 2^64 divided by the golden ratio.
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for Sample {
    fn write(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        for byte in bytes.iter().step_by((bytes.len() >> 4) + 1) {
            self.mix(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        // The table takes the upper bits and the lower ones, which hold the least.
        self.0.rotate_left(32)
    }
}
