//! What runs came to, in words.

use std::collections::BTreeMap;
use std::fmt;
use std::thread;
use std::time::Duration;

use super::SEED_VARIABLE;
use super::run::{Failure, Run};
use super::schedule::FaultKind;

/// All there is to know of a run that failed, or one line.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = self.seed;
        let Some(Failure { invariant, text, at, around }) = &self.failure else {
            return write!(
                f,
                "seed {seed}: nothing was wrong in {:?}, event hash {:016x}",
                self.virtual_time, self.event_hash
            );
        };
        writeln!(f, "seed {seed} fails after {at:?} of virtual time: {invariant}")?;
        writeln!(f, "  {text}")?;
        match self.shrunk {
            Some((faults, runs)) => write!(f, "faults that do it, of {faults}, as found in {runs} runs")?,
            None => write!(f, "faults")?,
        }
        writeln!(f, ", from when all nodes had met, at {:?}:", self.met)?;
        write!(f, "{}", self.schedule)?;
        writeln!(f, "what happened:")?;
        for line in around {
            writeln!(f, "  {line}")?;
        }
        // A test's thread is called as the test is.
        let test =
            thread::current().name().filter(|name| *name != "main").map(|name| format!(" cargo test {name}"));
        let test = test.unwrap_or_default();
        write!(f, "again: {SEED_VARIABLE}={seed}{test}")
    }
}

/// What many runs came to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Tally {
    /// The seeds of all.
    pub seeds: Vec<u64>,
    /// How much virtual time they took.
    pub virtual_time: Duration,
    /// How many events their histories have.
    pub events: u64,
    /// How many actions users have begun.
    pub actions: u64,
    /// How many faults happened, by kind.
    pub faults: BTreeMap<FaultKind, u64>,
    /// How often each invariant was looked at.
    pub checked: BTreeMap<&'static str, u64>,
    /// The seeds that failed, and what did not hold.
    pub failures: Vec<(u64, String)>,
    /// The hashes of all, folded.
    pub event_hash: u64,
}

impl Tally {
    /// Counts another run.
    pub fn add(&mut self, run: &Run) {
        self.seeds.push(run.seed);
        self.virtual_time += run.virtual_time;
        self.events += run.events as u64;
        self.actions += run.actions;
        for (kind, times) in &run.faults {
            *self.faults.entry(*kind).or_default() += times;
        }
        for count in &run.counts {
            *self.checked.entry(count.invariant).or_default() += count.times;
        }
        if let Some(failure) = &run.failure {
            self.failures.push((run.seed, failure.invariant.clone()));
        }
        self.event_hash = self.event_hash.rotate_left(7) ^ run.event_hash;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, virtual_time, actions, .. } = self;
        let faults: u64 = self.faults.values().sum();
        let checks: u64 = self.checked.values().sum();
        match seeds[..] {
            [seed] => write!(f, "seed {seed}")?,
            [first, .., last] => write!(f, "{} seeds from {first} to {last}", seeds.len())?,
            [] => write!(f, "no seed")?,
        }
        write!(f, ": {virtual_time:?} of virtual time, {actions} actions, {faults} faults, {checks} checks")?;
        write!(f, ", hash {:016x}", self.event_hash)
    }
}
