//! How much has to happen in a run: one in which nobody calls, or nobody is answered, contradicts nothing and shows nothing.

use std::time::{Duration, Instant};

use super::check::Verdict;
use super::journal::Outcome;

/// What a run must come to at least, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Of the calls that were asked for, how many are begun.
    pub issued_percent_min: u64,
    /// Of the calls that are begun, how many are answered.
    pub ok_percent_min: u64,
}

impl Demand {
    /// Of the long form, with a machine to itself.
    pub const FULL: Self = Self { issued_percent_min: 90, ok_percent_min: 50 };

    /// Of some seconds among other tests: a fault is a large part of them, and a busy machine another.
    pub const QUICK: Self = Self { issued_percent_min: 50, ok_percent_min: 20 };

    /// Runs of less than this are quick ones.
    pub const FULL_FROM: Duration = Duration::from_secs(60);

    /// What a run of this length is held to.
    pub fn of(span: Duration) -> Self {
        if span < Self::FULL_FROM { Self::QUICK } else { Self::FULL }
    }

    /// What there was too little of, in words. `asked_for` is how many calls were to be begun.
    pub fn shortfalls(self, asked_for: u64, verdict: &Verdict) -> Vec<String> {
        let answered = verdict.outcomes.get(&Outcome::Ok).map_or(0, |(count, _)| *count);
        let mut found = Vec::new();
        let mut hold = |what: &str, part: u64, whole: u64, percent_min: u64| {
            if whole == 0 || part * 100 < whole * percent_min {
                found.push(format!("{part} of {whole} calls {what}, and {percent_min} % had to be"));
            }
        };
        hold("were begun", verdict.begun, asked_for, self.issued_percent_min);
        hold("were answered", answered, verdict.begun, self.ok_percent_min);
        found
    }
}

/// For how long each process was to call: from when it was told to, until it was killed or told to rest. While it is frozen it
/// is to call as well, and catches up.
#[derive(Debug)]
pub struct Shifts {
    since: Vec<Option<Instant>>,
    over: Duration,
}

impl Shifts {
    /// Nobody calls yet.
    pub fn of(nodes: usize) -> Self {
        Self { since: vec![None; nodes], over: Duration::ZERO }
    }

    /// It calls from now on.
    pub fn begin(&mut self, node: usize, now: Instant) {
        self.since[node] = Some(now);
    }

    /// It does not, from now on.
    pub fn end(&mut self, node: usize, now: Instant) {
        self.over += self.since[node].take().map_or(Duration::ZERO, |since| now - since);
    }

    /// How many calls that comes to, of those whose shifts have ended, where each makes so many a second.
    pub fn calls(&self, per_second_each: u64) -> u64 {
        let millis = u64::try_from(self.over.as_millis()).unwrap_or(u64::MAX);
        millis.saturating_mul(per_second_each) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(begun: u64, answered: u64) -> Verdict {
        let outcomes = [(Outcome::Ok, (answered, answered))].into();
        Verdict { begun, outcomes, ..Verdict::default() }
    }

    #[test]
    fn what_is_too_little_is_said_and_what_will_do_is_not() {
        let found = |begun, answered| Demand::FULL.shortfalls(1000, &verdict(begun, answered));
        assert!(found(900, 450).is_empty() && found(1100, 550).is_empty());
        assert_eq!(found(899, 450), ["899 of 1000 calls were begun, and 90 % had to be"]);
        assert_eq!(found(900, 449), ["449 of 900 calls were answered, and 50 % had to be"]);
        assert_eq!(found(0, 0).len(), 2);
        assert_eq!(Demand::FULL.shortfalls(0, &verdict(0, 0)).len(), 2, "nothing is asked for");
        assert_eq!(Demand::of(Duration::from_secs(59)), Demand::QUICK);
        assert_eq!(Demand::of(Duration::from_secs(60)), Demand::FULL);
    }

    #[test]
    fn only_those_who_are_there_are_to_call() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut shifts = Shifts::of(2);
        shifts.begin(0, at(0));
        shifts.begin(1, at(0));
        shifts.end(1, at(3));
        shifts.begin(1, at(5));
        for node in [0, 1] {
            shifts.end(node, at(10));
        }
        assert_eq!(shifts.calls(100), 1800);
        shifts.end(0, at(20));
        assert_eq!(shifts.calls(100), 1800, "it had ended");
    }
}
