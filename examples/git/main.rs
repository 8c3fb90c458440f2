//! Real input: the history of a git repository as events, and git itself as the judge of what they add up to.
//!
//! ```text
//! cargo run --release --example git -- [PATH] [--at COMMIT] [--store URL]
//! ```
//!
//! reads the first-parent history of the repository at PATH (by default this one) and records what each commit did to each
//! file. A file has a stream of its own, which goes on when the file is renamed. Run again on the same store, it records
//! what is new. The files that live after replay must be those that `git ls-tree` lists, with the same content, for the head
//! or for the commit that `--at` names.

mod domain;
mod git;
mod import;
mod path;
#[cfg(test)]
mod tests;
mod views;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use recount::prelude::*;

use domain::{CommitId, Content, File};
use git::Git;
use path::RepoPath;
use views::{LiveFiles, Views};

type AnyError = Box<dyn std::error::Error>;

const USAGE: &str = "usage: cargo run --release --example git -- [PATH] [--at COMMIT] [--store URL]

  PATH         a git repository (default: this one)
  --at COMMIT  show the files as they were after this commit of the first-parent history
  --store URL  record into this store (default: a new SQLite file in the temporary folder)";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", recount::with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode, AnyError> {
    let Some(options) = Options::parse(std::env::args_os().skip(1))? else {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };
    let git = Git::open(&options.repository)?;
    let head = git.head()?;
    let at = options
        .at
        .as_deref()
        .map(|at| git.resolve(at))
        .transpose()?;

    let store = Store::connect(&options.store).await?;
    println!("Repository: {}", git.path().display());
    println!("Store: {}", store.url());
    match import::recorded(&store).await? {
        None => println!("It holds no commits yet."),
        Some((last, depth)) => println!(
            "It holds {}, up to {} {}",
            count(depth.0, "commit"),
            last.commit.id.short(),
            last.subject
        ),
    }

    let started = Instant::now();
    let imported = import::import(&store, &git, head.as_ref()).await?;
    println!(
        "Recorded {} in {}.\n",
        count(imported.commits, "new commit"),
        count(imported.events, "event")
    );
    say_speed(imported.events, started);

    let Some(commit) = at.or(head) else {
        println!("The repository has no commits: there is nothing to show.");
        return Ok(ExitCode::SUCCESS);
    };
    let depth = git.depth(&commit)?;
    let Some(position) = import::position_of(&store, &commit, depth).await? else {
        return Err(format!(
            "commit {commit} is not on the first-parent history of HEAD; \
             `git log --first-parent` lists those that are"
        )
        .into());
    };
    let same = show(&store, &git, &commit, depth, position, options.at.is_some()).await?;
    store.close().await?;
    Ok(if same {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is asked on the command line.
struct Options {
    repository: PathBuf,
    at: Option<String>,
    store: String,
}

impl Options {
    /// `None` when help is asked for.
    fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Option<Self>, AnyError> {
        let (mut repository, mut at, mut store) = (None, None, None);
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next().and_then(|value| value.into_string().ok());
                value.ok_or_else(|| format!("{} needs a value\n{USAGE}", argument.display()))
            };
            match argument.to_str() {
                Some("--help" | "-h") => return Ok(None),
                Some("--at") => at = Some(value()?),
                Some("--store") => store = Some(value()?),
                Some(unknown) if unknown.starts_with('-') => {
                    return Err(format!("there is no option {unknown}\n{USAGE}").into());
                }
                _ if repository.is_none() => repository = Some(PathBuf::from(argument)),
                _ => return Err(format!("one repository at a time\n{USAGE}").into()),
            }
        }
        Ok(Some(Self {
            repository: repository.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()),
            at,
            store: store.unwrap_or_else(new_store),
        }))
    }
}

/// The URL of a file that is not there yet.
fn new_store() -> String {
    let name = format!("recount-git-{}.db", recount::uuid::Uuid::now_v7());
    format!("sqlite:{}", std::env::temp_dir().join(name).display())
}

/// Speed depends on the machine, so it goes where messages go, not results.
fn say_speed(events: u64, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    let speed = events as f64 / seconds;
    if events > 0 {
        eprintln!("(recorded {events} events in {seconds:.2} s, {speed:.0} events/s)");
    }
}

/// Prints what the projections say at a commit; returns whether git agrees.
async fn show(
    store: &Store,
    git: &Git,
    commit: &CommitId,
    depth: u64,
    position: Position,
    earlier: bool,
) -> Result<bool, AnyError> {
    let started = Instant::now();
    let Views {
        files,
        people,
        changes,
    } = if earlier {
        Views::at(store, position).await?
    } else {
        Views::newest(store).await?
    };
    eprintln!("(projected in {:.2} s)", started.elapsed().as_secs_f64());

    println!(
        "At commit {}, after {}:",
        commit.short(),
        count(depth, "commit")
    );
    println!("{}, by commits:", count(people.len(), "contributor"));
    for (email, person) in people.top(10) {
        println!(
            "{:>6}  +{} -{}  {} <{email}>",
            person.commits, person.added, person.removed, person.name
        );
    }
    println!("{}, by changes:", count(files.len(), "file"));
    for (_, file) in changes.top(10) {
        println!("{:>6}  {}", file.count, file.path);
    }
    if let Some(&(id, file)) = changes.top(1).first() {
        // Every event of a file changes it, so the count is the version that the file had then.
        let repository = Repository::<File>::new(store);
        let file = repository.load_at(&id, Version(file.count)).await?;
        tell(&file);
    }
    println!();
    check(git, commit, &files)
}

/// The story of a file.
fn tell(file: &File) {
    print!(
        "{} is there since {}, by {}",
        file.path,
        file.since.date_naive(),
        count(file.authors.len() as u64, "author")
    );
    for name in &file.formerly {
        print!(", formerly {name}");
    }
    println!(".");
}

/// A number of things, in words.
fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Holds the files of the log against those of git, and says how they differ.
fn check(git: &Git, commit: &CommitId, files: &LiveFiles) -> Result<bool, AnyError> {
    let mut ours: HashMap<&RepoPath, &Content> = files
        .iter()
        .map(|(_, file)| (&file.path, &file.content))
        .collect();
    let mut differences = files.len() - ours.len() as u64;
    let mut differ = |path: &RepoPath, how: &str| {
        differences += 1;
        if differences <= 10 {
            println!("  {path}: {how}");
        }
    };
    let mut tree = git.tree(commit)?;
    while let Some(theirs) = tree.next()? {
        match ours.remove(&theirs.path) {
            None => differ(&theirs.path, "git has it, the log has not"),
            Some(content) if *content != theirs.content => differ(&theirs.path, "another content"),
            Some(_) => {}
        }
    }
    for path in ours.into_keys() {
        differ(path, "the log has it, git has not");
    }
    if differences == 0 {
        println!(
            "Checked: `git ls-tree -r {}` lists exactly what the log holds, {}, with the same content.",
            commit.short(),
            count(files.len(), "file")
        );
    } else {
        println!("WRONG: {differences} of the files differ from `git ls-tree -r {commit}`.");
    }
    Ok(differences == 0)
}
