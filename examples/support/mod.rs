//! What the examples share: options of the command line, a store, how a program ends, and [how its followers do](progress).

pub mod progress;

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use recount::Store;

pub type AnyError = Box<dyn Error>;

/// An option that an example takes besides `--store`: its name, its value, and what it does.
pub type Opt = (&'static str, &'static str, &'static str);

/// What was asked for on the command line.
pub struct Options {
    example: &'static str,
    given: Vec<(&'static str, String)>,
}

impl Options {
    /// Reads the command line. `None` when help was asked for, which is then shown.
    pub fn read(
        example: &'static str,
        others: &'static [Opt],
    ) -> Result<Option<Self>, Box<dyn Error>> {
        const STORE: Opt = (
            "--store",
            "URL",
            "a store, such as sqlite:FILE (default: a new SQLite file in the temporary folder)",
        );
        let known = || std::iter::once(&STORE).chain(others);
        let usage = || {
            let mut text = format!("usage: cargo run --example {example} -- [OPTIONS]\n");
            for (name, value, what) in known() {
                let option = format!("{name} {value}");
                // A text can always be written to.
                let _ = write!(text, "\n  {option:<15} {what}");
            }
            text
        };
        let mut given: Vec<(&'static str, String)> = Vec::new();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            if matches!(argument.as_str(), "--help" | "-h") {
                println!("{}", usage());
                return Ok(None);
            }
            let Some((name, value, _)) = known().find(|(name, ..)| *name == argument) else {
                return Err(format!("there is no option {argument}\n\n{}", usage()).into());
            };
            if given.iter().any(|(other, _)| other == name) {
                return Err(format!("{name} is given twice\n\n{}", usage()).into());
            }
            let Some(next) = arguments.next().filter(|next| !next.starts_with("--")) else {
                return Err(format!("{name} needs its {value} after it\n\n{}", usage()).into());
            };
            given.push((name, next));
        }
        Ok(Some(Self { example, given }))
    }

    /// What stands behind the option of this name.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut given = self.given.iter();
        given.find_map(|(other, value)| (*other == name).then_some(value.as_str()))
    }

    /// Opens the store named by `--store URL`; without it, a new SQLite file in the temporary folder. Says which.
    pub async fn open_store(&self) -> Result<Store, Box<dyn Error>> {
        let url = match self.value("--store") {
            Some(url) => url.to_owned(),
            None => format!("sqlite:{}", new_file(self.example).display()),
        };
        let store = Store::connect(&url).await?;
        println!("Store: {}", store.url());
        match store.stats().await?.events {
            0 => println!("It is empty.\n"),
            found => println!("Found {found} events of an earlier run; going on with them.\n"),
        }
        Ok(store)
    }
}

/// The path of a file that is not there yet.
fn new_file(example: &str) -> PathBuf {
    std::env::temp_dir().join(format!(
        "recount-{example}-{}.db",
        recount::uuid::Uuid::now_v7()
    ))
}

/// How a program ends: on an error it says that, with what caused it, and exits with 1.
pub fn ended(outcome: Result<(), AnyError>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {}", recount::with_causes(&*error));
    ExitCode::FAILURE
}
