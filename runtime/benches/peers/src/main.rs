//! Recount beside other libraries that keep events, and beside tables made by hand.
//!
//! `cargo run --release` in this folder runs everything on SQLite, and on the server that `DATABASE_URL` names or that listens
//! on 127.0.0.1. Words select: a store (`sqlite`), a work (`hot`), a part of a contender's name (`cqrs`). All contenders take
//! turns, and each round gives one ratio, so that a machine that slows down slows all of them.
//!
//! - `--quick`: small, and in two rounds; says whether everything works, not how fast.
//! - `--page FILE`: writes what came out.

mod page;
mod places;
mod postgres;
mod recount;
mod sqlite;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use contest::by_hand::ByHand;
use contest::{About, Effort, Figure, Job, Place, Program, Work, entry};

use places::Places;

const ROUNDS: u64 = 5;
/// Who took so long for a work does it no more, and has fewer rounds.
const PATIENCE: Duration = Duration::from_secs(30);
/// What comes before questions to the contenders of this program.
const CONTENDER: &str = "contender";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [CONTENDER, ..] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        let ours = [
            entry::<recount::Recount<true>>(),
            entry::<ByHand<sqlite::Sqlite>>(),
            entry::<recount::Recount<false>>(),
            entry::<ByHand<postgres::Postgres>>(),
        ];
        return contest::main(&ours, &arguments[1..]);
    }
    if let Err(error) = Wish::of(arguments.into_iter()).and_then(|wish| run(&wish)) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

/// What is asked for.
struct Wish {
    effort: Effort,
    page: Option<PathBuf>,
    words: Vec<String>,
}

impl Wish {
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wish = Self {
            effort: Effort::Full,
            page: None,
            words: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => wish.effort = Effort::Quick,
                "--page" => {
                    wish.page = Some(arguments.next().ok_or("--page without a file")?.into())
                }
                flag if flag.starts_with('-') => {
                    return Err(format!(
                        "{flag} is not known; write --quick, --page FILE, or words"
                    ));
                }
                word => wish.words.push(word.to_lowercase()),
            }
        }
        Ok(wish)
    }

    /// Whether one of these is asked for, or all of them are since no word is about them.
    fn wants(&self, all: &[&str], one: &str) -> bool {
        let is = |name: &str, word: &String| name.to_lowercase().contains(word.as_str());
        let mut about = self
            .words
            .iter()
            .filter(|word| all.iter().any(|name| is(name, word)))
            .peekable();
        about.peek().is_none() || about.any(|word| is(one, word))
    }
}

/// A contender in a program, and what it did.
struct Side<'a> {
    about: &'a About,
    program: &'a Program,
    number: usize,
    /// Why it cannot do anything here.
    none: Option<String>,
    cells: Vec<Cell>,
}

/// What came out, in the order of works.
struct Results {
    works: Vec<(Work, &'static str, &'static str)>,
    sides: Vec<(About, Vec<Cell>)>,
}

/// What a contender did of a work.
#[derive(Default)]
struct Cell {
    rounds: Vec<Figure>,
    took: Duration,
    /// Why there is nothing.
    none: Option<String>,
}

impl Side<'_> {
    /// Does a job, unless an earlier one could not be done.
    fn turn(&self, cell: &mut Cell, url: &str, job: Job) {
        if cell.none.is_some() || cell.took > PATIENCE {
            return;
        }
        let start = Instant::now();
        match self.program.run(self.number, url, job) {
            Ok(Some(_)) if job.work == Work::Fill => return,
            Ok(Some(figure)) => cell.rounds.push(figure),
            Ok(None) => cell.none = Some("has nothing of the kind".to_owned()),
            Err(said) => {
                cell.none = Some(format!(
                    "failed: {}",
                    said.lines().take(6).collect::<Vec<_>>().join(" ")
                ))
            }
        }
        cell.took += start.elapsed();
    }
}

fn run(wish: &Wish) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let us = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["run", "--release", "--locked", "--quiet", "--manifest-path"]);
    cargo.arg(folder.join("theirs/Cargo.toml")).arg("--");
    eprintln!("the other libraries are built, which takes some minutes");
    let programs = [
        Program::ask(Command::new(us), &[CONTENDER])?,
        Program::ask(cargo, &[])?,
    ];
    let abouts = || programs.iter().flat_map(|program| &program.contenders);

    let mut places = Places::find();
    let machine = page::machine(&places);
    let names = abouts().map(|about| about.name.as_str());
    let stores = [Place::Sqlite, Place::Postgres].map(Place::name);
    let words = Work::MEASURED.map(|(_, word, _)| word);
    let mut results = Results {
        works: Vec::new(),
        sides: Vec::new(),
    };
    results.works.extend(
        Work::MEASURED
            .into_iter()
            .filter(|(_, word, _)| wish.wants(&words, word)),
    );
    for place in [Place::Sqlite, Place::Postgres] {
        if !wish.wants(&stores, place.name()) {
            continue;
        }
        let mut sides = Vec::new();
        for program in &programs {
            for (number, about) in program.contenders.iter().enumerate() {
                let wanted =
                    is_ours(about) || wish.wants(&names.clone().collect::<Vec<_>>(), &about.name);
                if about.place == place && wanted {
                    let none = places.misses(about);
                    sides.push(Side {
                        about,
                        program,
                        number,
                        none,
                        cells: Vec::new(),
                    });
                }
            }
        }
        for &(work, word, _) in &results.works {
            let urls: Vec<String> = sides.iter().map(|_| places.make(place)).collect();
            let cells = compare(&sides, work, wish.effort, &urls);
            for (side, cell) in sides.iter_mut().zip(cells) {
                eprintln!("{word}, {}, {}: {cell}", place.name(), side.about.name);
                side.cells.push(cell);
            }
            places.drop_all();
        }
        results.sides.extend(
            sides
                .into_iter()
                .map(|side| (side.about.clone(), side.cells)),
        );
    }
    let page = page::page(&results, &machine, folder, wish.effort);
    println!("{page}");
    match &wish.page {
        Some(file) => {
            std::fs::write(file, page).map_err(|error| format!("{}: {error}", file.display()))
        }
        None => Ok(()),
    }
}

fn is_ours(about: &About) -> bool {
    about.name == "Recount"
}

/// No library, but what a person writes who has none.
fn is_by_hand(about: &About) -> bool {
    about.name.starts_with("by hand")
}

/// All sides do a work, in turns; who is first changes with each round.
fn compare(sides: &[Side], work: Work, effort: Effort, urls: &[String]) -> Vec<Cell> {
    let mut cells: Vec<Cell> = sides
        .iter()
        .map(|side| Cell {
            none: side.none.clone(),
            ..Cell::default()
        })
        .collect();
    let rounds = if effort == Effort::Quick { 2 } else { ROUNDS };
    for round in 0..=rounds {
        // What is read is written first.
        let job = match (round, work) {
            (0, Work::CatchUp) => Job {
                work: Work::Fill,
                round,
                effort,
            },
            (0, _) => continue,
            _ => Job {
                work,
                round,
                effort,
            },
        };
        for turn in 0..sides.len() {
            let index = (turn + round as usize) % sides.len();
            sides[index].turn(&mut cells[index], &urls[index], job);
        }
    }
    cells
}
