//! What the figures were measured on.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::measure::Percentile as _;

const SYNCS: usize = 400;

/// Names and values, as far as the system tells.
pub fn facts() -> Vec<(String, String)> {
    let folder = std::env::temp_dir();
    let facts = [
        (
            "measured at",
            chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string(),
        ),
        ("processor", field("/proc/cpuinfo", "model name")),
        (
            "cores",
            std::thread::available_parallelism()
                .map_or_else(|_| unknown(), |cores| cores.to_string()),
        ),
        ("memory", memory()),
        (
            "kernel",
            format!(
                "{} {}",
                std::env::consts::OS,
                read("/proc/sys/kernel/osrelease")
            ),
        ),
        ("load before the run", load()),
        ("files", file_system(&folder)),
        (
            "an fsync of 4 KiB there",
            fsync(&folder).unwrap_or_else(|error| error.to_string()),
        ),
        ("compiler", rustc()),
        ("SQLite", rusqlite::version().to_owned()),
    ];
    facts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).map_or_else(|_| unknown(), |text| text.trim().to_owned())
}

/// The value of the first line of a file in /proc that begins with a name.
fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split_once(':'));
    value.map_or_else(unknown, |(_, value)| value.trim().to_owned())
}

fn memory() -> String {
    let kilobytes = field("/proc/meminfo", "MemTotal");
    let number = kilobytes
        .strip_suffix(" kB")
        .and_then(|number| number.parse::<f64>().ok());
    number.map_or_else(unknown, |number| {
        format!("{:.0} GiB", number / f64::from(1 << 20))
    })
}

/// Processes that ran or waited to run, as the system's mean over a minute.
fn load() -> String {
    read("/proc/loadavg")
        .split(' ')
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The kind of file system that the benchmark's files are on: in memory, an fsync costs nothing.
fn file_system(folder: &Path) -> String {
    let mounts = read("/proc/mounts");
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (_, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
        folder.starts_with(point).then_some((point.len(), kind))
    });
    let kind = mounts
        .max_by_key(|(length, _)| *length)
        .map_or("unknown", |(_, kind)| kind);
    format!("{kind}, in {}", folder.display())
}

fn fsync(folder: &Path) -> std::io::Result<String> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut delays = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        delays.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(format!(
        "{:.0} µs (p50), {:.0} µs (p99)",
        delays.percentile(50),
        delays.percentile(99)
    ))
}

fn rustc() -> String {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output();
    output.map_or_else(
        |_| unknown(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
