//! A PostgreSQL server of a test's own, to stop, kill and configure as it likes; thrown away at the end.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tokio_postgres::{Client, NoTls};

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Open transactions are undone, everything is written.
    Fast,
    /// At once, as after a crash: the next start recovers from the write-ahead log.
    Immediate,
    /// The server and all its processes are killed by the system, without a chance to do anything.
    Kill,
}

/// A running or stopped server with a port, a data folder and a socket folder that nobody else uses.
///
/// All calls block the thread until they are done. However the process of the test ends, the server ends with it and its folder is
/// removed.
#[derive(Debug)]
pub struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Waits for the end of its input, then stops the server and removes the folder.
    guard: Child,
}

/// Stops and removes what is in the folder once nobody holds the other end of its input, also what was started beside the server. It
/// outlives the signals that end a test.
const GUARD: &str = r#"trap '' INT TERM HUP
read -r _
for file in "$FOLDER"/*.pid; do [ -f "$file" ] && kill -9 "$(cat "$file")"; done
"$@" >/dev/null 2>&1
for place in "$FOLDER"/*/; do mountpoint -q "$place" && umount --lazy "$place"; done
rm -rf -- "$FOLDER""#;

/// The folder with the server's programs: of the newest version that is installed, else on the path.
fn find_bin() -> Option<PathBuf> {
    let version = |path: &PathBuf| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<_> = installed.flatten().map(|entry| entry.path()).collect();
    folders.sort_by_key(version);
    let mut folders: Vec<_> = folders.iter().rev().map(|path| path.join("bin")).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let is_complete = |bin: &PathBuf| {
        ["initdb", "pg_ctl"]
            .iter()
            .all(|name| bin.join(name).is_file())
    };
    folders.into_iter().find(is_complete)
}

/// The server refuses to run as root.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn as_server(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn give_to_server(path: &Path) {
    if is_root() {
        run(Command::new("chown").arg("postgres:").arg(path)).unwrap();
    }
}

/// Runs a command to its end; what it said when it failed.
fn run(command: &mut Command) -> Result<String, String> {
    let done = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        Ok(said)
    } else {
        Err(format!(
            "{command:?}: {said}{}",
            String::from_utf8_lossy(&done.stderr)
        ))
    }
}

/// A port that nobody listens on. Below those that the system gives to clients: none of them is there when the server is started
/// again.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 9_000).unwrap();
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Cluster {
    /// Makes and starts a server with these settings, each as it stands in `postgresql.conf`. Everybody on this machine may enter
    /// without a password. `None` when no server is installed, which is said, and fails where `CI` is set.
    pub fn new(settings: &[&str]) -> Option<Self> {
        let Some(bin) = find_bin() else {
            println!(
                "NOT RUN on a server of its own: neither /usr/lib/postgresql nor PATH has initdb and pg_ctl"
            );
            assert!(std::env::var_os("CI").is_none(), "a server is needed here");
            return None;
        };
        let folder = tempfile::Builder::new()
            .prefix("recount-")
            .tempdir()
            .unwrap()
            .keep();
        give_to_server(&folder);
        let data = folder.join("data");
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .args(words(&stopping(&bin, &data, Stop::Immediate)))
            .env("FOLDER", &folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut cluster = Self {
            bin,
            folder,
            port: 0,
            guard,
        };
        let mut made = as_server(cluster.bin.join("initdb"), &cluster.folder);
        made.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ]);
        run(made.arg("--pgdata").arg(data)).unwrap();
        cluster.configure(&["listen_addresses = '127.0.0.1'", "shared_buffers = '16MB'"]);
        cluster.configure(&[&format!(
            "unix_socket_directories = '{}'",
            cluster.folder.display()
        )]);
        cluster.configure(settings);
        // Another test may take the port first.
        for _ in 0..9 {
            cluster.port = free_port();
            if cluster.try_start().is_ok() {
                return Some(cluster);
            }
        }
        cluster.port = free_port();
        cluster.start();
        Some(cluster)
    }

    /// The URL of the server's first database, for its superuser.
    pub fn url(&self) -> String {
        self.url_as("postgres", "postgres")
    }

    /// The URL of a database for a user, who may be written with a password: `clerk:secret`.
    #[allow(dead_code, reason = "not every test needs another user")]
    pub fn url_as(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// A connection of its superuser to the first database.
    #[allow(dead_code, reason = "not every test looks behind the store")]
    pub async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.unwrap();
        // Who uses it is told when it breaks.
        tokio::spawn(async move { drop(connection.await) });
        client
    }

    /// Waits until no session of this application name is there.
    #[allow(dead_code, reason = "not every test waits for it")]
    pub async fn wait_until_gone(&self, application: &str) {
        let client = self.client().await;
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $1)";
        while client.query_one(sql, &[&application]).await.unwrap().get(0) {}
    }

    #[allow(dead_code, reason = "not every test writes URLs of its own")]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the sockets, which holds the folder `data`.
    #[allow(dead_code, reason = "not every test looks there")]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds settings, which hold from the next start.
    pub fn configure(&self, settings: &[&str]) {
        let path = self.folder.join("data/postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
        for setting in settings {
            writeln!(file, "{setting}").unwrap();
        }
    }

    /// Writes a file beside the data, readable for the server only: `pg_hba.conf`, a key. It holds from the next start.
    #[allow(dead_code, reason = "not every test needs one")]
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.join("data").join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        give_to_server(&path);
        path
    }

    /// Runs a program as the user of the server, which writes the number of its process to a file `*.pid` in the folder and goes to
    /// the background; it ends with the server.
    #[allow(dead_code, reason = "few tests start more than a server")]
    pub fn start_beside(&self, program: &Path, arguments: &[&str], log: &Path) {
        let mut command = as_server(program, &self.folder);
        let log = fs::File::create(log).unwrap();
        command
            .args(arguments)
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        assert!(command.status().unwrap().success(), "{command:?}");
    }

    /// Gives a folder or a file to the user that the server runs as.
    #[allow(dead_code, reason = "not every test has places of its own")]
    pub fn give(path: &Path) {
        give_to_server(path);
    }

    /// Starts a stopped server, and waits until it lets somebody in.
    pub fn start(&self) {
        self.try_start()
            .unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
    }

    fn try_start(&self) -> Result<String, String> {
        let mut start = as_server(self.bin.join("pg_ctl"), &self.folder);
        start
            .arg("start")
            .arg("--wait")
            .arg("--pgdata")
            .arg(self.folder.join("data"));
        start.arg("--log").arg(self.folder.join("log"));
        run(start.arg("--options").arg(format!("-p {}", self.port)))
    }

    /// Ends the server, and waits until it and all that it started are gone.
    pub fn stop(&self, how: Stop) {
        let processes = self.processes();
        if how == Stop::Kill {
            // The first is the one that would start others again.
            let numbers: Vec<_> = processes.iter().map(u32::to_string).collect();
            let _ = run(Command::new("sh").args(["-c", &format!("kill -9 {}", numbers.join(" "))]));
        } else {
            run(&mut stopping(&self.bin, &self.folder.join("data"), how)).unwrap();
        }
        let is_there = |process: &u32| {
            let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            state
                .rsplit(") ")
                .next()
                .is_some_and(|state| !state.is_empty() && !state.starts_with('Z'))
        };
        while processes.iter().any(is_there) {
            std::thread::yield_now();
        }
        if how == Stop::Kill {
            // They name a process that is dead; until somebody buries it the next server would think that it lives.
            let socket = format!(".s.PGSQL.{}.lock", self.port);
            for lock in ["data/postmaster.pid", &socket] {
                fs::remove_file(self.folder.join(lock)).unwrap();
            }
        }
    }

    /// Ends the server and starts it again.
    #[allow(dead_code, reason = "not every test does it in one step")]
    pub fn restart(&self, how: Stop) {
        self.stop(how);
        self.start();
    }

    /// The server's process, and those that it started.
    fn processes(&self) -> Vec<u32> {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let server: u32 = file.lines().next().unwrap().parse().unwrap();
        let parent = |process: u32| -> Option<u32> {
            let state = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            // Behind the name, which may hold anything, stand the state and the parent.
            state.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
        };
        let all = fs::read_dir("/proc").unwrap().flatten();
        let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let children = numbers.filter(|process| parent(*process) == Some(server));
        std::iter::once(server).chain(children).collect()
    }

    /// What the server wrote about itself.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

fn stopping(bin: &Path, data: &Path, how: Stop) -> Command {
    let mode = if how == Stop::Fast {
        "fast"
    } else {
        "immediate"
    };
    let mut stop = as_server(bin.join("pg_ctl"), Path::new("/"));
    stop.args(["stop", "--wait", "--silent", "--mode", mode, "--pgdata"])
        .arg(data);
    stop
}

/// A command as the words that another one is given.
fn words(command: &Command) -> impl Iterator<Item = &OsStr> {
    std::iter::once(command.get_program()).chain(command.get_args())
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let from = log.len() - log.len().min(4000);
            println!(
                "the end of the server's log:\n{}",
                String::from_utf8_lossy(&log.as_bytes()[from..])
            );
        }
        drop(self.guard.stdin.take());
        if let Err(error) = self.guard.wait() {
            println!("{} may be left behind: {error}", self.folder.display());
        }
    }
}
