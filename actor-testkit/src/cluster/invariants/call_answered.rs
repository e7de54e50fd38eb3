//! Whoever calls gets one answer, or an error: no call is left waiting.

use std::collections::BTreeMap;

use actor_cluster::Incarnation;
use actor_core::{ActorId, Instant};

use super::lives::Lives;
use super::{About, Checked, End, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// Each call has ended once in the end, with an answer or an error, unless its caller's node died.
#[derive(Debug, Default)]
pub struct CallsAnswered {
    lives: Lives,
    open: BTreeMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    since: Instant,
    caller: Option<Incarnation>,
    to: ActorId,
}

impl Invariant for CallsAnswered {
    fn name(&self) -> &'static str {
        "no call unanswered"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        self.lives.observe(event);
        match &event.what {
            What::CallBegun { call, to } => {
                let caller = self.lives.of(event.node);
                self.open.insert(*call, Open { since: event.at, caller, to: *to });
            }
            What::CallEnded { call, .. } => {
                if self.open.remove(call).is_none() {
                    let text = format!("call {call} ended, and it was not under way");
                    return Err(Violation::new(text).about(About::Call(*call)));
                }
                return Ok(1);
            }
            _ => {}
        }
        Ok(0)
    }

    fn at_end(&mut self, _: &End) -> Checked {
        let is_there = |open: &Open| open.caller.is_none_or(|caller| !self.lives.has_ended(caller));
        match self.open.iter().find(|(_, open)| is_there(open)) {
            Some((call, Open { since, to, .. })) => {
                let text = format!("call {call} to actor {to}, begun at {since:?}, still waits");
                Err(Violation::new(text).about(About::Call(*call)))
            }
            None => Ok(self.open.len() as u64),
        }
    }
}
