//! Inputs on stable Rust, without a fuzzer: all that are kept in a corpus, then mutations of them.
//!
//! `RECOUNT_FUZZ_INPUTS` says how many mutations are tried, `RECOUNT_FUZZ_SEED` which.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// No input is longer: what a depth or a length can break, breaks below it.
const LONGEST: usize = 4096;

/// Runs a target on the inputs in a folder, and on as many mutations of them.
pub fn run(corpus: &Path, mutations: u64, target: impl Fn(&[u8])) {
    let kept = read(corpus);
    assert!(!kept.is_empty(), "{} holds inputs", corpus.display());
    for (name, input) in &kept {
        attempt(&target, input, name);
    }
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse().expect(name))
    };
    let mutations = number("RECOUNT_FUZZ_INPUTS").unwrap_or(mutations);
    let first = number("RECOUNT_FUZZ_SEED").unwrap_or(0);
    // Each input has a seed of its own, so that the one that fails can be run alone.
    for seed in first..first + mutations {
        let mut random = Random(seed);
        let mut input = kept[random.below(kept.len())].1.clone();
        for _ in 0..=random.below(6) {
            let other = &kept[random.below(kept.len())].1;
            mutate(&mut input, other, &mut random);
        }
        input.truncate(LONGEST);
        let name = format!("RECOUNT_FUZZ_SEED={seed} RECOUNT_FUZZ_INPUTS=1");
        attempt(&target, &input, &name);
    }
}

fn read(corpus: &Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(corpus).expect("the corpus is there");
    let mut kept: Vec<(String, Vec<u8>)> = files
        .map(|file| {
            let path = file.expect("the corpus can be listed").path();
            let input = std::fs::read(&path).expect("an input can be read");
            (path.display().to_string(), input)
        })
        .collect();
    // The order of a listing is not the same on every machine, and seeds count on it.
    kept.sort();
    kept
}

fn attempt(target: impl Fn(&[u8]), input: &[u8], name: &str) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        eprintln!("{name}: b\"{}\"", input.escape_ascii());
        resume_unwind(panic);
    }
}

/// `SplitMix64`, after Steele, Lea and Flood (OOPSLA 2014): the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let length = random.below(16).min(input.len() - at);
    let place = at..at + length;
    match random.below(8) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.byte();
            }
        }
        2 => input.insert(at, random.byte()),
        3 => drop(input.drain(place)),
        4 => {
            let again = input[place].to_vec();
            let count = 1 + random.below(64);
            input.splice(at..at, again.repeat(count));
        }
        5 => {
            let from = random.below(other.len());
            let length = random.below(64).min(other.len() - from);
            input.splice(place, other[from..from + length].iter().copied());
        }
        6 => {
            let number = b"0123456789-.e\"\\[]{}:,\0"[random.below(22)];
            input.splice(at..at, [number]);
        }
        _ => {
            let from = random.below(other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
    }
}
