//! Callers that read while others write: followers of the log, of a category, of a stream, and one who looks around.

use std::path::Path;

use recount::log::{Page, Position, Query};
use recount::prelude::*;

use crate::dice::Dice;
use crate::domain::{category, stream};
use crate::history::{Clock, Entry, Look, Report, Scope, Sight};
use crate::oracle::{Fault, Log};
use crate::writers::Reporter;

/// Reads what a log has not taken yet.
pub async fn read_on(store: &Store, log: &mut Log) -> Result<(), Fault> {
    let mut reader = store.read(Query::all().after(Position(log.end())));
    while let Some(page) = reader.next_page().await.expect("a page") {
        for entry in entries(page) {
            log.push(entry.map_err(Fault::Altered)?)?;
        }
    }
    Ok(())
}

fn entries(page: &Page) -> impl Iterator<Item = Result<Entry, String>> {
    page.iter().map(|record| Entry::of(&record))
}

/// One who reads and reports what was seen.
pub struct Reader {
    store: Store,
    clock: Clock,
    report: Reporter,
    dice: Dice,
    number: u64,
}

impl Reader {
    /// `number` is no other reader's in this history.
    pub fn new(store: &Store, clock: &Path, report: &Reporter, number: u64, seed: u64) -> Self {
        Self {
            store: store.clone(),
            clock: Clock::open(clock),
            report: std::sync::Arc::clone(report),
            dice: Dice::new(seed ^ number << 20),
            number,
        }
    }

    /// Follows a part of the log, in pages of all sizes, until nothing followed a page that was begun after writing ended.
    pub async fn follow(mut self, scope: Scope, written: impl Fn() -> bool) {
        let mut at = 0;
        loop {
            let at_the_end = written();
            let size = 1 + self.dice.below(40);
            let query = query(scope).after(Position(at)).page_size(index(size));
            // From the second page on, one is read ahead: all that is known is that the reader was not there yet.
            let begun = self.clock.tick();
            let mut reader = self.store.read(query);
            let mut end = false;
            for _ in 0..=self.dice.below(3) {
                let page = reader.next_page().await.expect("a page");
                let (entries, last) = seen(page);
                end = last;
                let after = at;
                at = entries.last().map_or(after, |entry| entry.position);
                let ended = self.clock.tick();
                self.saw(
                    begun,
                    ended,
                    Sight::Page {
                        scope,
                        after,
                        entries,
                        last,
                    },
                );
                if end {
                    break;
                }
            }
            if at_the_end && end {
                return;
            }
            if end {
                self.rest();
            }
        }
    }

    /// Looks at the end of the log, backwards, and at versions.
    pub async fn look_around(mut self, streams: u32, written: impl Fn() -> bool) {
        while !written() {
            let any = u32::try_from(self.dice.below(u64::from(streams))).expect("a stream");
            let begun = self.clock.tick();
            let sight = match self.dice.below(3) {
                0 => Sight::Version {
                    stream: any,
                    version: self.store.version(&stream(any)).await.expect("one").0,
                },
                1 => Sight::Head {
                    position: self.store.head().await.expect("a head").0,
                },
                _ => {
                    let accounts = self.dice.percent(50);
                    let scope = *self.dice.pick(&[
                        Scope::All,
                        Scope::Category { accounts },
                        Scope::Stream(any),
                    ]);
                    let size = 1 + self.dice.below(20);
                    let query = query(scope).backwards().page_size(index(size));
                    let mut reader = self.store.read(query);
                    let (entries, last) = seen(reader.next_page().await.expect("a page"));
                    Sight::Newest {
                        scope,
                        entries,
                        last,
                    }
                }
            };
            let ended = self.clock.tick();
            self.saw(begun, ended, sight);
            self.rest();
        }
    }

    fn saw(&self, begun: u64, ended: u64, sight: Sight) {
        (self.report)(Report::Looked(Look {
            reader: self.number,
            begun,
            ended,
            sight,
        }));
    }

    /// Leaves the machine to the writers for a moment: readers that ask without pause would be all that runs.
    fn rest(&mut self) {
        std::thread::sleep(std::time::Duration::from_micros(self.dice.below(8_000)));
    }
}

/// The entries of a page, and whether nothing followed.
fn seen(page: Option<&Page>) -> (Vec<Entry>, bool) {
    page.map_or((Vec::new(), true), |page| {
        let entries = entries(page).collect::<Result<_, _>>();
        (entries.expect("as it was written"), page.is_last())
    })
}

fn query(scope: Scope) -> Query {
    match scope {
        Scope::All => Query::all(),
        Scope::Category { accounts } => Query::all().category(category(accounts)),
        Scope::Stream(number) => Query::stream(&stream(number)),
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("a size")
}
