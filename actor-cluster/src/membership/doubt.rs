//! Whether a silent peer has failed: helpers are asked before anybody is accused.
//!
//! ```text
//!  silent ──► Asking ── a helper hears it ──► no doubt, for a while
//!               │  └─── no answers: other helpers, and less trust in oneself
//!               ▼ two do not hear it either
//!            Accused ── heard again, or it refutes ──► no doubt
//!               │
//!               ▼ the window, longer the worse this node does itself
//!             down
//! ```

use std::time::Duration;

use super::frame::Verdict;
use crate::id::NodeId;
use crate::limits::MEMBERSHIP_TICK;

/// How long helpers have to answer.
const PATIENCE: Duration = MEMBERSHIP_TICK.saturating_mul(3);

/// How many helpers must not hear it either, if there are so many.
const ACCUSERS: usize = 2;

/// After how many rounds in which too few answer a peer is accused all the same: perhaps nobody else is left.
const ROUNDS: u32 = 3;

/// How long a peer is waited for where there is nobody to ask: with what went before and comes after, as long as a stream may be silent.
const ALONE_PATIENCE: Duration = Duration::from_millis(3400);

#[derive(Debug)]
pub(crate) struct Doubt {
    /// The question's number.
    pub(crate) number: u32,
    since: Duration,
    asked: Vec<NodeId>,
    answered: Vec<NodeId>,
    not_heard: usize,
    round: u32,
    answer_by: Duration,
    accused_at: Option<Duration>,
}

/// What is to be done about a doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Wait,
    /// So many helpers have not answered; others are to be asked.
    AskOthers {
        unanswered: usize,
    },
    Accuse,
    DeclareDown,
}

impl Doubt {
    pub(crate) fn new(number: u32, now: Duration) -> Self {
        Self {
            number,
            since: now,
            asked: Vec::new(),
            answered: Vec::new(),
            not_heard: 0,
            round: 0,
            answer_by: now,
            accused_at: None,
        }
    }

    /// Who may be asked now, and was not.
    pub(crate) fn may_ask(&self, helper: NodeId) -> bool {
        !self.asked.contains(&helper)
    }

    pub(crate) fn on_asked(&mut self, helpers: &[NodeId], now: Duration) {
        self.asked.extend_from_slice(helpers);
        self.round += 1;
        self.answer_by = now + PATIENCE;
    }

    /// A helper answers. Whether that changes anything.
    pub(crate) fn on_verdict(&mut self, helper: NodeId, verdict: Verdict) -> bool {
        if !self.asked.contains(&helper) || self.answered.contains(&helper) {
            return false;
        }
        self.answered.push(helper);
        self.not_heard += usize::from(verdict == Verdict::NotHeard);
        verdict != Verdict::Unknown
    }

    pub(crate) fn is_accused(&self) -> bool {
        self.accused_at.is_some()
    }

    pub(crate) fn on_accused(&mut self, now: Duration) {
        self.accused_at = Some(now);
    }

    /// What comes next, where there are so many who could help.
    pub(crate) fn step(&self, helpers: usize, window: Duration, now: Duration) -> Step {
        if let Some(accused_at) = self.accused_at {
            let is_over = now.saturating_sub(accused_at) >= window;
            return if is_over { Step::DeclareDown } else { Step::Wait };
        }
        if helpers == 0 {
            let is_over = now.saturating_sub(self.since) >= ALONE_PATIENCE;
            return if is_over { Step::Accuse } else { Step::Wait };
        }
        if self.not_heard >= ACCUSERS.min(helpers) {
            return Step::Accuse;
        }
        if now < self.answer_by {
            return Step::Wait;
        }
        if self.round >= ROUNDS {
            return Step::Accuse;
        }
        Step::AskOthers { unanswered: self.asked.len() - self.answered.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    fn asked(helpers: &[u8]) -> Doubt {
        let mut doubt = Doubt::new(1, ms(0));
        doubt.on_asked(&helpers.iter().map(|number| node(*number)).collect::<Vec<_>>(), ms(0));
        doubt
    }

    #[test]
    fn two_helpers_accuse_and_one_where_there_is_one() {
        let mut doubt = asked(&[1, 2, 3]);
        assert!(doubt.on_verdict(node(1), Verdict::NotHeard));
        assert!(!doubt.on_verdict(node(1), Verdict::NotHeard), "each counts once");
        assert!(!doubt.on_verdict(node(9), Verdict::NotHeard), "it was not asked");
        assert_eq!(doubt.step(3, ms(500), ms(1)), Step::Wait);
        assert_eq!(doubt.step(1, ms(500), ms(1)), Step::Accuse);
        assert!(doubt.on_verdict(node(2), Verdict::NotHeard));
        assert_eq!(doubt.step(3, ms(500), ms(1)), Step::Accuse);
    }

    #[test]
    fn who_gets_no_answers_asks_others_and_accuses_late() {
        let mut doubt = asked(&[1, 2, 3]);
        assert!(!doubt.on_verdict(node(1), Verdict::Unknown));
        assert_eq!(doubt.step(3, ms(500), ms(374)), Step::Wait);
        assert_eq!(doubt.step(3, ms(500), ms(375)), Step::AskOthers { unanswered: 2 });
        doubt.on_asked(&[], ms(375));
        doubt.on_asked(&[], ms(750));
        assert_eq!(doubt.step(3, ms(500), ms(1124)), Step::Wait);
        assert_eq!(doubt.step(3, ms(500), ms(1125)), Step::Accuse);
    }

    #[test]
    fn who_is_accused_has_time_to_refute_and_more_if_the_accuser_does_badly() {
        let mut doubt = asked(&[1]);
        assert_eq!(asked(&[]).step(0, ms(500), ms(3399)), Step::Wait);
        assert_eq!(asked(&[]).step(0, ms(500), ms(3400)), Step::Accuse, "nobody to ask");
        doubt.on_accused(ms(100));
        assert!(doubt.is_accused());
        assert_eq!(doubt.step(1, ms(500), ms(599)), Step::Wait);
        assert_eq!(doubt.step(1, ms(500), ms(600)), Step::DeclareDown);
        assert_eq!(doubt.step(1, ms(1500), ms(1599)), Step::Wait);
        assert_eq!(doubt.step(1, ms(1500), ms(1600)), Step::DeclareDown);
    }
}
