//! What the simulator was told. `cargo xtask sim` has read and checked the words before.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

/// See the module.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// How many seeds.
    pub(crate) seeds: u64,
    /// The first of them.
    pub(crate) first: u64,
    /// How many nodes; three to five, by the seed, unless said.
    pub(crate) nodes: Option<usize>,
    /// How many seeds at a time.
    pub(crate) jobs: usize,
    /// Whether all seeds are run, whatever fails, and only counted.
    pub(crate) keeps_going: bool,
    /// Where the page of evidence goes.
    pub(crate) report: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let jobs = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut options = Self { seeds: 100, first: 0, nodes: None, jobs, keeps_going: false, report: None };
        let mut words = words;
        while let Some(word) = words.next() {
            if word == "--keep-going" {
                options.keeps_going = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
            let number =
                || value.parse::<u64>().map_err(|_| format!("{word} wants a number, and not {value:?}"));
            let count = || number().map(|number| usize::try_from(number).unwrap_or(usize::MAX));
            match word.as_str() {
                "--seeds" => options.seeds = number()?,
                "--first" => options.first = number()?,
                "--nodes" => options.nodes = Some(count()?.clamp(1, 100)),
                "--jobs" => options.jobs = count()?.clamp(1, 1024),
                "--report" => options.report = Some(PathBuf::from(value)),
                _ => return Err(format!("there is no option {word}")),
            }
        }
        Ok(options)
    }

    /// How many nodes a seed has.
    pub(crate) fn nodes_of(&self, seed: u64) -> usize {
        self.nodes.unwrap_or(3 + (seed % 3) as usize)
    }
}
