//! The most memory that a process has which reads a whole log, and does nothing else: this program, started once more.

use std::process::Command;

use crate::logs::{Bare, Floor, Indexes, Log, Ours, Sqlite};
use crate::measure::{Bench, Declared, Sample};
use crate::report::Unit;

/// The first argument of a process that only reads.
pub const READER: &str = "read-and-tell-the-peak-of-memory";

pub fn declared(events: u64) -> Declared {
    let events = crate::report::charts::grouped(events as f64);
    let meaning = "All memory of a process that reads the log into a projection, the program itself included. It does not depend on the length of the log.";
    Declared::new(
        "Memory",
        format!("peak while {events} events are read"),
        meaning,
    )
    .rounds(3)
}

pub fn row(bench: &mut Bench, declared: &Declared, addresses: &[String; 2]) {
    let of = |ours: bool| {
        let figure = megabytes(addresses, ours).unwrap_or(f64::NAN);
        Sample {
            figure,
            ..Sample::default()
        }
    };
    if megabytes(addresses, true).is_some() {
        bench.pair(declared, Unit::Megabytes, |_| of(false), |_| of(true));
    }
}

/// What a process of its own had at its peak, in megabytes; nothing where the system does not tell.
pub fn megabytes(addresses: &[String; 2], ours: bool) -> Option<f64> {
    let program = std::env::current_exe().expect("a program that runs");
    let side = if ours { "ours" } else { "floor" };
    let output = Command::new(program)
        .args([READER, side, &addresses[usize::from(ours)]])
        .output();
    let output = output.expect("a program that runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// What such a process does.
pub fn read(side: &str, address: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        if side == "ours" {
            let ours = Ours::open(address).await;
            std::hint::black_box(ours.catch_up().await);
        } else if let Some(path) = address.strip_prefix('/') {
            by_hand(Sqlite::open(format!("/{path}").as_ref(), Indexes::None)).await;
        } else {
            #[cfg(feature = "postgres")]
            by_hand(crate::logs::postgres::Postgres::open(address).await).await;
        }
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    if let Some(kilobytes) = kilobytes {
        println!("{}", kilobytes * 1024.0 / 1e6);
    }
}

async fn by_hand(bare: impl Bare) {
    std::hint::black_box(Floor::new(bare).catch_up().await);
}
