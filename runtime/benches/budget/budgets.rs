//! What is promised, and, where that is known, why it is not kept.

use crate::report::Budget::{self, AtLeast, AtMost, Attempts, Less};

#[derive(Debug, Clone, Copy)]
pub struct Promise {
    pub budget: Budget,
    pub limits: &'static str,
}

const MEMORY: &str = "memory";
const SQLITE: &str = "SQLite";
const POSTGRES: &str = "PostgreSQL";
const NONE: &str = "";

/// Work, store, budget, and what is printed beside it when it is missed: a reason that was measured, else nothing.
const PROMISES: &[(&str, &str, Budget, &str)] = &[
    (
        "replay",
        NONE,
        AtLeast(0.95),
        "2,133 instructions an event against 2,127, as counted by valgrind, which take longer all the same",
    ),
    (
        "cargo check of 100 events in 10 aggregates",
        NONE,
        AtMost(1.0),
        "",
    ),
    (
        "a lock over 200 events, for each field",
        NONE,
        Less(1.0),
        "",
    ),
    ("command, 16 callers, one stream", MEMORY, Attempts(1.5), ""),
    ("command, 16 callers, one stream", SQLITE, Attempts(1.5), ""),
    (
        "command, 16 callers, one stream",
        POSTGRES,
        Attempts(1.5),
        "",
    ),
    ("append, 1 writer", SQLITE, AtLeast(0.8), ""),
    (
        "append, 64 writers",
        SQLITE,
        AtLeast(0.8),
        "two indexes that the floor does not have, by id and by kind, and an id for each event",
    ),
    (
        "append, 64 writers, against a commit for each",
        SQLITE,
        AtLeast(10.0),
        "the disk: where a commit takes some 80 µs, hand-written code that commits together is 8 to 9 times as fast itself",
    ),
    ("load 1,000 events", SQLITE, AtLeast(0.8), ""),
    (
        "read 1,000,000 events into a projection",
        SQLITE,
        AtLeast(0.8),
        "",
    ),
    ("1,000,000 events into a table", SQLITE, AtLeast(0.7), ""),
    (
        "append, 1 writer",
        POSTGRES,
        AtLeast(0.9),
        "five advisory locks put the event in its place, some 15 µs of 200 in the server; a row of twelve columns instead of seven, 5 to 10 µs",
    ),
    ("append, 100 events at a time", POSTGRES, AtLeast(0.9), ""),
    ("append, 64 writers", POSTGRES, AtLeast(0.8), ""),
    ("load 1,000 events", POSTGRES, AtLeast(0.8), ""),
    (
        "read 1,000,000 events into a projection",
        POSTGRES,
        AtLeast(0.8),
        "",
    ),
    ("200,000 events into a table", POSTGRES, AtLeast(0.7), ""),
];

pub fn promise(work: &str, store: &str) -> Option<Promise> {
    let found = PROMISES
        .iter()
        .find(|(its_work, its_store, ..)| (*its_work, *its_store) == (work, store));
    found.map(|&(_, _, budget, limits)| Promise { budget, limits })
}
