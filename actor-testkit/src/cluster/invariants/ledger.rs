//! What callers are told is true: an answered call ran, no call ran twice, and one of which it is said that it never ran did not, nor
//! does it later.

use std::collections::BTreeMap;

use super::{About, Checked, Invariant, Violation};
use crate::cluster::history::{Event, Outcome, What};

/// What the callers of calls are told agrees with what ran: answered calls did, none did twice, and those that are said not to have run did not.
#[derive(Debug, Default)]
pub struct Ledger {
    calls: BTreeMap<u64, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    runs: u32,
    outcome: Option<Outcome>,
}

impl Invariant for Ledger {
    fn name(&self) -> &'static str {
        "typed outcomes are true"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        let call = match &event.what {
            What::CallRan { call } => {
                self.calls.entry(*call).or_default().runs += 1;
                *call
            }
            What::CallEnded { call, outcome } => {
                self.calls.entry(*call).or_default().outcome = Some(outcome.clone());
                *call
            }
            _ => return Ok(0),
        };
        let wrong = self.calls.get(&call).and_then(Entry::wrong);
        wrong.map_or(Ok(1), |wrong| {
            Err(Violation::new(format!("call {call} {wrong}")).about(About::Call(call)))
        })
    }
}

impl Entry {
    fn wrong(&self) -> Option<String> {
        match (&self.outcome, self.runs) {
            (_, 2..) => Some(format!("ran {} times", self.runs)),
            (Some(Outcome::Answered), 0) => Some("was answered, and never ran".to_owned()),
            (Some(outcome), 1) if outcome.never_ran() => {
                Some(format!("ran, and its caller was told {outcome:?}"))
            }
            _ => None,
        }
    }
}
