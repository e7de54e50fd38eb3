//! What came of a count: the page for people, the line for programs, and whether it
//! is what was promised. Pure: values in, text out.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use integration_tests::Way;

use crate::crew::End;
use crate::input::Skipped;
use crate::schedule::Plan;
use crate::words::Tally;

/// How many words the page names.
const TOP: usize = 20;

/// What the cluster found.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) shares: Vec<Share>,
    pub(crate) tally: Tally,
    pub(crate) retried: u64,
    /// How often a chunk was sent to a worker.
    pub(crate) calls: u64,
    pub(crate) took: Duration,
}

/// What one worker did.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) name: String,
    pub(crate) way: Way,
    pub(crate) end: Option<End>,
    pub(crate) counted: Counted,
}

/// So much of the input.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) chunks: u64,
    pub(crate) bytes: u64,
}

/// A finished count and what it is held against.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) nodes: usize,
    /// Over which transports the workers joined.
    pub(crate) ways: &'a [Way],
    pub(crate) plan: Plan,
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    pub(crate) skipped: &'a [Skipped],
    pub(crate) outcome: &'a Outcome,
    /// The plain count of the same texts, and how long that took.
    pub(crate) expected: &'a Tally,
    pub(crate) plain_took: Duration,
}

impl Report<'_> {
    /// What is not as promised; empty if all is.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let (words, expected) = (self.outcome.tally.total(), self.expected.total());
        if words != expected {
            faults.push(format!("the cluster counted {words} words, one thread {expected}"));
        } else if self.outcome.tally != *self.expected {
            faults.push("the cluster counted as many words as one thread, but not the same".to_owned());
        }
        if self.plan == Plan::Kill && self.killed() != 1 {
            faults.push(format!("{} workers were killed instead of one", self.killed()));
        }
        if self.plan == Plan::Kill && self.outcome.retried == 0 {
            faults.push("no chunk had to be counted again".to_owned());
        }
        for way in self.ways.iter().filter(|way| !self.working_ways().contains(way)) {
            faults.push(format!("no surviving worker on {way} counted anything"));
        }
        faults
    }

    /// The one line for programs.
    pub(crate) fn json(&self) -> String {
        let ways: Vec<String> = self.working_ways().iter().map(|way| format!("\"{way}\"")).collect();
        format!(
            "{{\"nodes\":{},\"transports\":[{}],\"files\":{},\"bytes\":{},\"skipped\":{},\"words\":{},\
             \"expected\":{},\"killed\":{},\"retried\":{},\"seconds\":{:.3}}}",
            self.nodes,
            ways.join(","),
            self.files,
            self.bytes,
            self.skipped.len(),
            self.outcome.tally.total(),
            self.expected.total(),
            self.killed(),
            self.outcome.retried,
            self.outcome.took.as_secs_f64(),
        )
    }

    /// The page for people.
    pub(crate) fn page(&self) -> String {
        let mut page = String::new();
        self.write_page(&mut page).expect("a string takes all that is written");
        page
    }

    fn write_page(&self, page: &mut String) -> std::fmt::Result {
        let Outcome { shares, tally, retried, calls, took } = self.outcome;
        writeln!(page, "\n{} files, {} bytes, {} skipped", self.files, self.bytes, self.skipped.len())?;
        for Skipped { path, why } in self.skipped {
            writeln!(page, "  skipped {}: {why}", printable(path))?;
        }
        writeln!(page, "\n  {:<15} {:<9} {:>7} {:>12}  share", "node", "transport", "chunks", "bytes")?;
        for Share { name, way, end, counted: Counted { chunks, bytes } } in shares {
            let share = (bytes * 100).checked_div(self.bytes).unwrap_or(0);
            let end = match end {
                None => "",
                Some(End::Killed) => "  killed",
                Some(End::Lost) => "  lost",
            };
            writeln!(page, "  {name:<15} {way:<9} {chunks:>7} {bytes:>12}  {share:>3} %{end}")?;
        }
        let answers: u64 = shares.iter().map(|share| share.counted.chunks).sum();
        let rate = (calls + answers) as f64 / took.as_secs_f64().max(f64::EPSILON);
        writeln!(page, "\n{calls} calls and {answers} answers, {rate:.0} messages a second")?;
        writeln!(page, "{retried} chunks counted again")?;
        writeln!(page, "\nthe {TOP} most frequent of {} words:", tally.distinct())?;
        for (word, count) in tally.top(TOP) {
            writeln!(page, "  {count:>9} {word}")?;
        }
        writeln!(page, "\n{} words, by the cluster, in {:.3} s", tally.total(), took.as_secs_f64())?;
        let (expected, plain_took) = (self.expected.total(), self.plain_took.as_secs_f64());
        writeln!(page, "{expected} words, by one thread, in {plain_took:.3} s")
    }

    fn killed(&self) -> usize {
        self.outcome.shares.iter().filter(|share| share.end == Some(End::Killed)).count()
    }

    /// The transports on which a worker that is still alive counted something.
    fn working_ways(&self) -> BTreeSet<Way> {
        let survivors = self.outcome.shares.iter().filter(|share| share.end.is_none());
        survivors.filter(|share| share.counted.bytes > 0).map(|share| share.way).collect()
    }
}

/// A path that cannot write to the terminal what it likes.
fn printable(path: &Path) -> String {
    path.display().to_string().chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(way: Way, end: Option<End>, bytes: u64) -> Share {
        Share { name: format!("on {way}"), way, end, counted: Counted { chunks: 1, bytes } }
    }

    fn outcome() -> Outcome {
        let shares =
            vec![share(Way::Tcp, None, 5), share(Way::Iroh, None, 5), share(Way::Tcp, Some(End::Killed), 1)];
        Outcome { shares, tally: Tally::of("a b b"), retried: 2, calls: 5, took: Duration::from_millis(1500) }
    }

    fn with<R>(outcome: &Outcome, expected: &str, plan: Plan, look: impl FnOnce(&Report<'_>) -> R) -> R {
        let skipped = [Skipped { path: "dir/pic\nture".into(), why: "not UTF-8".to_owned() }];
        let expected = &Tally::of(expected);
        look(&Report {
            nodes: 4,
            ways: &[Way::Tcp, Way::Iroh],
            plan,
            files: 7,
            bytes: 11,
            skipped: &skipped,
            outcome,
            expected,
            plain_took: Duration::ZERO,
        })
    }

    #[test]
    fn the_line_for_programs_is_json() {
        let line = "{\"nodes\":4,\"transports\":[\"tcp+tls\",\"iroh\"],\"files\":7,\"bytes\":11,\"skipped\":1,\
                    \"words\":3,\"expected\":3,\"killed\":1,\"retried\":2,\"seconds\":1.500}";
        with(&outcome(), "b a b", Plan::Kill, |report| {
            assert_eq!(report.json(), line);
            assert_eq!(report.faults(), [""; 0]);
        });
    }

    #[test]
    fn the_page_names_what_was_skipped_and_what_was_found() {
        with(&outcome(), "b a b", Plan::Kill, |report| {
            let page = report.page();
            for part in
                ["dir/pic?ture: not UTF-8", "2 b", "1 a", "on tcp+tls", "killed", "5 messages a second"]
            {
                assert!(page.contains(part), "{part} is not in {page}");
            }
        });
    }

    #[test]
    fn whatever_is_not_as_promised_is_a_fault() {
        let faults = |outcome: &Outcome, expected: &str| {
            with(outcome, expected, Plan::Kill, |report| report.faults()).join("; ")
        };
        assert_eq!(faults(&outcome(), "a b"), "the cluster counted 3 words, one thread 2");
        assert!(faults(&outcome(), "a a b").ends_with("but not the same"));
        assert_eq!(faults(&Outcome { retried: 0, ..outcome() }, "a b b"), "no chunk had to be counted again");
        let mut idle = outcome();
        idle.shares[1].counted.bytes = 0;
        assert_eq!(faults(&idle, "a b b"), "no surviving worker on iroh counted anything");
        let mut dead = outcome();
        dead.shares[0].end = Some(End::Lost);
        assert_eq!(faults(&dead, "a b b"), "no surviving worker on tcp+tls counted anything");
        dead.shares[2].end = None;
        assert_eq!(faults(&dead, "a b b"), "0 workers were killed instead of one");
        assert_eq!(with(&dead, "a b b", Plan::Spare, |report| report.faults()), [""; 0]);
    }
}
