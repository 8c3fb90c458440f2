//! A program of contenders: it says whom it has, and does one job in each process.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::{from_slice, to_string};

use crate::{Contender, Figure, Job};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    #[serde(rename = "PostgreSQL")]
    Postgres,
    #[serde(rename = "SQLite")]
    Sqlite,
}

impl Place {
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }
}

/// What is said of a contender.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct About {
    pub name: String,
    pub place: Place,
    /// The crates whose versions are told.
    pub crates: Vec<String>,
    /// What is not equal.
    pub note: String,
    /// The oldest PostgreSQL that it starts on.
    pub postgres: u32,
}

/// A contender among those of a program.
pub struct Entry {
    about: About,
    run: fn(&str, Job) -> Option<Figure>,
}

pub fn entry<C: Contender>() -> Entry {
    let about = About {
        name: C::NAME.to_owned(),
        place: C::PLACE,
        crates: C::CRATES.iter().map(|&name| name.to_owned()).collect(),
        note: C::NOTE.to_owned(),
        postgres: C::POSTGRES,
    };
    let run = |url: &str, job: Job| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let url = url.to_owned();
        // A task, as in any server: what `block_on` runs itself is woken by another thread.
        let task = async move { job.run(&C::open(&url).await).await };
        runtime
            .expect("a runtime")
            .block_on(async { tokio::spawn(task).await.expect("no job fails") })
    };
    Entry { about, run }
}

/// Answers on standard output what `Program` asks by arguments.
pub fn main(entries: &[Entry], arguments: &[String]) {
    let answer = match arguments {
        [list] if list == "list" => {
            let program = std::env::current_exe().expect("a program has a file");
            let abouts: Vec<&About> = entries.iter().map(|entry| &entry.about).collect();
            to_string(&(program, abouts))
        }
        [number, url, job] => {
            let entry = &entries[number.parse::<usize>().expect("a number")];
            let job = serde_json::from_str(job).expect("a job");
            to_string(&(entry.run)(url, job))
        }
        other => panic!("{other:?} is no question"),
    };
    println!("{}", answer.expect("JSON"));
}

/// A program that answers so.
#[derive(Debug, Clone)]
pub struct Program {
    file: PathBuf,
    first: Vec<String>,
    pub contenders: Vec<About>,
}

impl Program {
    /// Asks `command`, which may build the program first. Arguments before the questions are `first`.
    pub fn ask(mut command: Command, first: &[&str]) -> Result<Self, String> {
        let (file, contenders) = answer(command.args(first).arg("list"))?;
        let first = first.iter().map(|&argument| argument.to_owned()).collect();
        Ok(Self {
            file,
            first,
            contenders,
        })
    }

    /// Has a contender do a job. An error is the last that it said.
    pub fn run(&self, number: usize, url: &str, job: Job) -> Result<Option<Figure>, String> {
        let job = to_string(&job).expect("JSON");
        answer(
            Command::new(&self.file)
                .args(&self.first)
                .args([&number.to_string(), url, &job]),
        )
    }
}

fn answer<T: for<'de> Deserialize<'de>>(command: &mut Command) -> Result<T, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    from_slice(&output.stdout).map_err(|_| said.trim().to_owned())
}

/// The version of a crate in a lock file.
pub fn version(lock: &Path, name: &str) -> Option<String> {
    let lock = std::fs::read_to_string(lock).ok()?;
    let (_, package) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    Some(package.split_once('"')?.0.to_owned())
}
