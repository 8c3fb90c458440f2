//! A reader that needs nothing from writers but that they draw from the sequence: it watches who has it locked.
//!
//! Whoever draws a position holds a lock on the sequence, from before that until the transaction ends. So when all who held one
//! after the sequence was asked have ended, everything that was drawn by then is decided. It is slower than the log's own way, and
//! shares nothing with it: hence a witness.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_postgres::Client;

use super::oracle::{Seen, page};
use crate::scene::one;

/// A position that was reached, and who was under way just after.
struct Waiting {
    reached: i64,
    for_these: HashSet<String>,
}

/// Reads until nothing is left after writing ended.
pub async fn watch(client: Client, written: Arc<AtomicBool>) -> Vec<Seen> {
    let page = page("position > $1 AND position <= $2 ORDER BY position LIMIT 500");
    let page = client.prepare(&page).await.unwrap();
    let holders = "SELECT virtualtransaction FROM pg_locks
        WHERE relation = 'positions'::regclass AND mode = 'RowExclusiveLock' AND granted";
    let holders = client.prepare(holders).await.unwrap();
    let (mut waiting, mut prepared) = (VecDeque::<Waiting>::new(), HashSet::new());
    let (mut stable, mut seen) = (0, Vec::<Seen>::new());
    loop {
        let at_the_end = written.load(Ordering::SeqCst);
        let reached: i64 = one(
            &client,
            "SELECT coalesce(pg_sequence_last_value('positions'), 0)",
        )
        .await;
        let rows = client.query(&holders, &[]).await.unwrap();
        let here: HashSet<String> = rows.iter().map(|row| row.get(0)).collect();
        // A transaction that is prepared goes by another name from then on.
        let renamed: Vec<_> = here
            .iter()
            .filter(|name| name.starts_with("-1/"))
            .cloned()
            .collect();
        let new: Vec<_> = renamed
            .iter()
            .filter(|name| !prepared.contains(*name))
            .cloned()
            .collect();
        prepared = renamed.into_iter().collect();
        for one in &mut waiting {
            one.for_these.retain(|name| here.contains(name));
            one.for_these.extend(new.iter().cloned());
        }
        waiting.push_back(Waiting {
            reached,
            for_these: here,
        });
        while waiting
            .front()
            .is_some_and(|first| first.for_these.is_empty())
        {
            stable = waiting.pop_front().map_or(stable, |first| first.reached);
        }
        // A statement of its own, later than the look.
        loop {
            let last = seen.last().map_or(0, |seen| seen.position);
            let rows = client.query(&page, &[&last, &stable]).await.unwrap();
            seen.extend(rows.iter().map(Seen::of));
            if rows.is_empty() {
                break;
            }
        }
        if at_the_end && waiting.is_empty() {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
