//! A process that appends when it is told: this test's own program, once more.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStderr, ChildStdin, Command, Stdio};

use recount::prelude::*;

use crate::{append, now};

const VARIABLE: &str = "RECOUNT_WATCH_CHILD";

/// What a child does; without the variable it is no test. It reports on its standard error, since the test harness has the
/// standard output for itself.
#[test]
fn child() {
    let Ok(url) = std::env::var(VARIABLE) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::connect(&url).await.unwrap();
        // Until the parent is gone.
        while std::io::stdin().read_line(&mut String::new()).unwrap() > 0 {
            append(&store, "child").await;
            writeln!(std::io::stderr(), "{}", now()).unwrap();
        }
        store.close().await.unwrap();
    });
}

/// The process, as its parent sees it.
pub struct Child {
    process: std::process::Child,
    orders: Option<ChildStdin>,
    reports: BufReader<ChildStderr>,
}

impl Child {
    pub fn start(url: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::child", "--nocapture"])
            .env(VARIABLE, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            orders: process.stdin.take(),
            reports: BufReader::new(process.stderr.take().unwrap()),
            process,
        }
    }

    /// Asks for one append.
    pub fn ask(&mut self) {
        let mut orders = self.orders.as_ref().unwrap();
        orders.write_all(b"\n").unwrap();
    }

    /// When the append that was asked for returned; as [`now`] tells it.
    pub fn appended(&mut self) -> u64 {
        let mut line = String::new();
        self.reports.read_line(&mut line).unwrap();
        let told = line.trim().parse();
        told.unwrap_or_else(|_| panic!("the child complains: {line}"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.process.wait();
    }
}
