//! What all have written down, held against what each claims: a call that was answered ran once, one that is said not to
//! have run did not, and no call ran twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::journal::{Note, Outcome, Records};

/// How many contradictions are shown; all are counted.
const SHOWN_MAX: usize = 10;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// How many calls came to this, and how many of those ran.
    pub outcomes: BTreeMap<Outcome, (u64, u64)>,
    /// How many have no outcome because their caller was killed, and how many of those ran.
    pub cut_short: (u64, u64),
    /// How many there were.
    pub begun: u64,
    /// How often something ran.
    pub ran: u64,
    /// How long answered calls took, the quickest first.
    pub took_micros: Vec<u32>,
    /// What contradicts what, the first of it.
    pub contradictions: Vec<String>,
    /// How many contradictions there are.
    pub contradicted: u64,
}

/// A call, all in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    id: u64,
    outcome: Option<Outcome>,
    /// Its caller was killed.
    is_cut_short: bool,
}

/// Checks everything. `killed` are the lives of callers that were killed, as the records name them: only those may owe
/// outcomes.
pub fn check(records: Records, killed: &BTreeSet<String>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut calls = Vec::new();
    for (life, notes) in records.calls {
        verdict.gather(&mut calls, notes, killed.contains(&life));
    }
    calls.sort_unstable();
    verdict.took_micros.sort_unstable();
    let mut ran = records.ran;
    ran.sort_unstable();
    verdict.begun = calls.len() as u64;
    verdict.ran = ran.len() as u64;
    let mut rest = &ran[..];
    for call in calls {
        let unknown = rest.partition_point(|id| *id < call.id);
        verdict.nobodys(&rest[..unknown]);
        rest = &rest[unknown..];
        let runs = rest.partition_point(|id| *id == call.id);
        rest = &rest[runs..];
        verdict.judge(call, u32::try_from(runs).unwrap_or(u32::MAX));
    }
    verdict.nobodys(rest);
    verdict
}

impl Verdict {
    /// Whether nothing contradicts anything.
    pub fn is_clean(&self) -> bool {
        self.contradicted == 0
    }

    /// How long a call took that so many of a thousand were slower than.
    pub fn took(&self, slower_per_mille: usize) -> Duration {
        let count = self.took_micros.len();
        let place = (count - count * slower_per_mille / 1000).saturating_sub(1);
        Duration::from_micros(self.took_micros.get(place).copied().unwrap_or_default().into())
    }

    /// The calls of one life.
    fn gather(&mut self, calls: &mut Vec<Call>, notes: Vec<Note>, is_killed: bool) {
        let mut begun = Vec::new();
        let mut ended = Vec::new();
        for note in notes {
            match note {
                Note::Begun(call) => begun.push(call),
                Note::Ended(call, outcome, micros) => {
                    ended.push((call, outcome));
                    if outcome == Outcome::Ok {
                        self.took_micros.push(micros);
                    }
                }
            }
        }
        begun.sort_unstable();
        ended.sort_unstable();
        let mut rest = &ended[..];
        for id in begun {
            let unknown = rest.partition_point(|(call, _)| *call < id);
            for (call, _) in &rest[..unknown] {
                self.contradict(format!("call {call:x} ended and was not begun"));
            }
            rest = &rest[unknown..];
            let endings = rest.partition_point(|(call, _)| *call == id);
            if endings > 1 {
                self.contradict(format!("call {id:x} ended {endings} times"));
            }
            let outcome = rest[..endings].first().map(|(_, outcome)| *outcome);
            rest = &rest[endings..];
            calls.push(Call { id, outcome, is_cut_short: outcome.is_none() && is_killed });
        }
    }

    fn judge(&mut self, call: Call, runs: u32) {
        let Call { id, outcome, is_cut_short } = call;
        let has_run = u64::from(runs > 0);
        let Some(outcome) = outcome else {
            self.cut_short.0 += 1;
            self.cut_short.1 += has_run;
            if !is_cut_short {
                self.contradict(format!("call {id:x} came to nothing, and its caller lived"));
            }
            if runs > 1 {
                self.contradict(format!("call {id:x}, of a caller that was killed, ran {runs} times"));
            }
            return;
        };
        let (count, ran) = self.outcomes.entry(outcome).or_default();
        *count += 1;
        *ran += has_run;
        let (least, most) = outcome.runs();
        if !(least..=most).contains(&runs) || outcome == Outcome::Strange {
            self.contradict(format!("call {id:x} came to {outcome:?} and ran {runs} times"));
        }
    }

    fn nobodys(&mut self, ran: &[u64]) {
        for id in ran {
            self.contradict(format!("call {id:x} ran and was not begun"));
        }
    }

    fn contradict(&mut self, what: String) {
        self.contradicted += 1;
        if self.contradictions.len() < SHOWN_MAX {
            self.contradictions.push(what);
        }
    }
}

/// A table.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<22}{:>12}{:>12}  may have run", "outcome", "calls", "ran")?;
        for (outcome, (count, ran)) in &self.outcomes {
            let may = match outcome.runs() {
                (1, 1) => "once",
                (0, 0) => "never",
                _ => "at most once",
            };
            writeln!(f, "{:<22}{count:>12}{ran:>12}  {may}", format!("{outcome:?}"))?;
        }
        let (count, ran) = self.cut_short;
        writeln!(f, "{:<22}{count:>12}{ran:>12}  at most once", "caller was killed")?;
        writeln!(f, "{:<22}{:>12}{:>12}", "all", self.begun, self.ran)?;
        let [p50, p99, p999] = [500, 10, 1].map(|slower| self.took(slower));
        writeln!(f, "answered in p50 {p50:?}, p99 {p99:?}, p99.9 {p999:?}, at most {:?}", self.took(0))?;
        for contradiction in &self.contradictions {
            writeln!(f, "CONTRADICTION: {contradiction}")?;
        }
        write!(f, "{} contradictions", self.contradicted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(calls: &[Note], ran: &[u64]) -> Records {
        Records { calls: vec![("0-0".to_owned(), calls.to_vec())], ran: ran.to_vec(), torn: 0 }
    }

    fn contradictions(calls: &[Note], ran: &[u64]) -> Vec<String> {
        check(records(calls, ran), &BTreeSet::new()).contradictions
    }

    #[test]
    fn each_outcome_allows_what_it_says_and_nothing_else() {
        for outcome in Outcome::ALL {
            let notes = [Note::Begun(7), Note::Ended(7, outcome, 1)];
            let allowed = [0, 1, 2].map(|runs| contradictions(&notes, &[7; 2][..runs]).is_empty());
            let expected = match outcome {
                Outcome::Ok => [false, true, false],
                Outcome::NotSent | Outcome::Rejected | Outcome::Expired | Outcome::NeverLeft => {
                    [true, false, false]
                }
                Outcome::NoReply | Outcome::TimedOut | Outcome::Unknown => [true, true, false],
                Outcome::Strange => [false; 3],
            };
            assert_eq!(allowed, expected, "{outcome:?}");
        }
    }

    #[test]
    fn calls_of_nobody_and_outcomes_of_nothing_are_found() {
        let ended = |id| Note::Ended(id, Outcome::Unknown, 1);
        assert_eq!(
            contradictions(&[Note::Begun(2), ended(2)], &[1, 2, 3]),
            ["call 1 ran and was not begun", "call 3 ran and was not begun"]
        );
        assert_eq!(
            contradictions(&[Note::Begun(2), ended(1), ended(2), ended(2)], &[]),
            ["call 1 ended and was not begun", "call 2 ended 2 times"]
        );
        assert_eq!(contradictions(&[Note::Begun(2)], &[]), ["call 2 came to nothing, and its caller lived"]);
        let killed = BTreeSet::from(["0-0".to_owned()]);
        let of_the_killed = |ran: &[u64]| check(records(&[Note::Begun(2)], ran), &killed);
        assert!(of_the_killed(&[2]).is_clean() && !of_the_killed(&[2, 2]).is_clean());
        assert_eq!(of_the_killed(&[2]).cut_short, (1, 1));
    }

    #[test]
    fn the_table_tells_how_long_calls_took() {
        let notes: Vec<Note> = (0..1000)
            .flat_map(|call| {
                [Note::Begun(call), Note::Ended(call, Outcome::Ok, u32::try_from(call).unwrap() + 1)]
            })
            .collect();
        let verdict = check(records(&notes, &(0..1000).collect::<Vec<_>>()), &BTreeSet::new());
        assert!(verdict.is_clean(), "{verdict}");
        assert!(verdict.to_string().contains("p50 500µs, p99 990µs, p99.9 999µs, at most 1ms"), "{verdict}");
    }
}
