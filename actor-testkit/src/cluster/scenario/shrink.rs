//! A schedule of faults that fails, made smaller for as long as it fails in the same way: faults are left out, by the delta debugging of Zeller and
//! Hildebrandt (2002), then made shorter, and both again until neither helps or [`SHRINK_RUNS_MAX`] runs are over.

use super::schedule::{Episode, Schedule};
use super::{Run, Scenario};
use crate::limits::SHRINK_RUNS_MAX;

/// The smallest run found that fails as this one does.
pub(super) fn shrink(scenario: &Scenario, run: Run) -> Run {
    let faults = run.schedule.episodes.len();
    let mut shrinking = Shrinking { scenario, best: run, runs: 0 };
    shrinking.remove();
    // Once faults are shorter, others may no longer be needed.
    while shrinking.shorten() && shrinking.remove() {}
    let runs = shrinking.runs;
    Run { shrunk: Some((faults, runs)), ..shrinking.best }
}

struct Shrinking<'a> {
    scenario: &'a Scenario,
    best: Run,
    runs: usize,
}

impl Shrinking<'_> {
    /// Leaves out as many faults at a time as possible: all, then halves, quarters, and so on to single ones, until none of those that are
    /// left can be left out. Whether any was.
    fn remove(&mut self) -> bool {
        let faults = self.len();
        let mut at_a_time = faults;
        while at_a_time > 0 {
            let before = self.len();
            let mut from = 0;
            while from < self.len() {
                let mut fewer = self.episodes().to_vec();
                drop(fewer.drain(from..(from + at_a_time).min(fewer.len())));
                if !self.is_as_bad(fewer) {
                    from += at_a_time;
                }
            }
            // Without those that went in this pass, one that was kept before them may no longer be needed.
            if at_a_time > 1 || self.len() == before {
                at_a_time /= 2;
            }
        }
        self.len() < faults
    }

    /// Halves how long each fault lasts, again and again. Whether any is shorter.
    fn shorten(&mut self) -> bool {
        let mut is_any = false;
        for index in 0..self.len() {
            while let Some(lasts) = self.episodes()[index].lasts.filter(|lasts| lasts.as_millis() > 100) {
                let mut shorter = self.episodes().to_vec();
                shorter[index].lasts = Some(lasts / 2);
                if !self.is_as_bad(shorter) {
                    break;
                }
                is_any = true;
            }
        }
        is_any
    }

    fn episodes(&self) -> &[Episode] {
        &self.best.schedule.episodes
    }

    fn len(&self) -> usize {
        self.episodes().len()
    }

    /// Runs it with these faults, and keeps them if the same invariant does not hold.
    fn is_as_bad(&mut self, episodes: Vec<Episode>) -> bool {
        if self.runs >= SHRINK_RUNS_MAX {
            return false;
        }
        self.runs += 1;
        let run = self.scenario.run_with(self.best.seed, &Schedule { episodes });
        let which = |run: &Run| run.failure.as_ref().map(|failure| failure.invariant.clone());
        let is_as_bad = which(&run).is_some() && which(&run) == which(&self.best);
        if is_as_bad {
            self.best = run;
        }
        is_as_bad
    }
}
