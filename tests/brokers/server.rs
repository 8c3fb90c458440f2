//! Servers that a test may stop and kill, and those that are there anyway.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The kinds of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Redis,
    Nats,
}

impl Kind {
    fn command(self, port: u16, folder: &str) -> Vec<String> {
        let line = match self {
            Self::Redis => format!(
                "redis-server --bind 127.0.0.1 --port {port} --dir {folder} --save  --appendonly yes --appendfsync always"
            ),
            Self::Nats => format!("nats-server -a 127.0.0.1 -p {port} -js -sd {folder}"),
        };
        line.split(' ').map(str::to_owned).collect()
    }
}

/// A server on a port and in a folder of its own, which ends with this, or with the test's process.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    pub port: u16,
    folder: TempDir,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    /// Kills the server once nobody holds its input any more.
    guard: Child,
    process: String,
}

impl Server {
    /// A server that is not started yet.
    pub fn down(kind: Kind) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            kind,
            port: port.local_addr().unwrap().port(),
            folder: tempfile::tempdir().unwrap(),
            running: None,
        }
    }

    pub fn started(kind: Kind) -> Self {
        let mut server = Self::down(kind);
        server.start();
        server
    }

    /// Starts it, on what it had written before, and waits until it answers.
    pub fn start(&mut self) {
        let folder = self.folder.path().to_str().unwrap();
        let command = self.kind.command(self.port, folder);
        let mut guard = Command::new("sh")
            .args([
                "-c",
                r#""$@" >/dev/null 2>&1 & echo $!; cat >/dev/null; kill -9 $! 2>/dev/null; wait"#,
                "sh",
            ])
            .args(&command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut process = String::new();
        let mut out = BufReader::new(guard.stdout.take().unwrap());
        out.read_line(&mut process).unwrap();
        self.running = Some(Running {
            guard,
            process: process.trim().to_owned(),
        });
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.answers() {
            assert!(
                Instant::now() < deadline,
                "`{}` does not answer: are redis-server and nats-server installed?",
                command.join(" ")
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn answers(&self) -> bool {
        match self.kind {
            Kind::Nats => TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
            Kind::Redis => {
                let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port));
                let ping = || redis::cmd("PING").exec(&mut client.unwrap().get_connection()?);
                ping().is_ok()
            }
        }
    }

    /// Ends it at once, as the machine's failure would.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.signal("KILL");
            running.end();
        }
    }

    /// Lets it hang: connections stay, and nothing is answered.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        self.running.as_ref().unwrap().signal(name);
    }
}

impl Running {
    fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.process)])
            .status();
        assert!(sent.unwrap().success());
    }

    fn end(mut self) {
        drop(self.guard.stdin.take());
        self.guard.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end();
        }
    }
}

/// The port of a server that several tests use: the one that is there, else one of our own.
pub fn shared(kind: Kind) -> (u16, Option<Server>) {
    let port = match kind {
        Kind::Redis => 6379,
        Kind::Nats => 4222,
    };
    if TcpStream::connect(("127.0.0.1", port)).is_ok() {
        return (port, None);
    }
    let server = Server::started(kind);
    (server.port, Some(server))
}
