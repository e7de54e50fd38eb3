//! Messages sorted by priority, oldest first within each. Pure: who fills it and gives
//! back room is `mod.rs`.
//!
//! ```text
//!  push ─► High   ▪ ▪        ┐
//!          Normal ▪ ▪ ▪ ▪    ├─► pop: the highest that has one, unless a lower one was
//!          Low    ▪          ┘        passed over `ageing` times: then that one
//! ```

use std::collections::VecDeque;
use std::num::NonZeroU32;

use super::policy::Priority;
use super::queue::Whole;
use crate::reply::Bound;
use crate::trace::Tag;

/// See the module.
pub(super) struct Lanes<M> {
    lanes: [Lane<M>; Priority::COUNT],
}

struct Lane<M> {
    messages: VecDeque<M>,
    /// What each of them was known by in the queue.
    bounds: VecDeque<Bound>,
    /// What lies beside each of them, in a tagged mailbox; else this stays empty.
    tags: VecDeque<Tag>,
    /// How often a message of a higher lane went first while this one had one.
    passed_over: u32,
}

impl<M> Default for Lane<M> {
    fn default() -> Self {
        Self { messages: VecDeque::new(), bounds: VecDeque::new(), tags: VecDeque::new(), passed_over: 0 }
    }
}

impl<M> Default for Lanes<M> {
    fn default() -> Self {
        Self { lanes: std::array::from_fn(|_| Lane::default()) }
    }
}

impl<M> Lanes<M> {
    /// All messages come with a tag, or none does.
    pub(super) fn push(&mut self, priority: Priority, Whole { message, tag, unseen }: Whole<M>) {
        let lane = &mut self.lanes[priority as usize];
        lane.messages.push_back(message);
        lane.bounds.push_back(unseen);
        lane.tags.extend(tag);
    }

    /// The next message.
    pub(super) fn pop(&mut self, ageing: NonZeroU32) -> Option<Whole<M>> {
        let highest = self.lanes.iter().position(|lane| !lane.messages.is_empty())?;
        let is_aged = |lane: &Lane<M>| !lane.messages.is_empty() && lane.passed_over >= ageing.get();
        // The lowest of those that have waited long enough.
        let chosen = self.lanes.iter().rposition(is_aged).unwrap_or(highest);
        for lane in &mut self.lanes[chosen + 1..] {
            if !lane.messages.is_empty() {
                lane.passed_over = lane.passed_over.saturating_add(1);
            }
        }
        let lane = &mut self.lanes[chosen];
        lane.passed_over = 0;
        let message = lane.messages.pop_front()?;
        Some(Whole { message, tag: lane.tags.pop_front(), unseen: lane.bounds.pop_front()? })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.messages.is_empty())
    }
}

#[cfg(all(test, not(any(actor_loom, actor_shuttle))))]
mod tests {
    use super::*;
    use crate::trace::Ledger;

    const HIGH: Priority = Priority::High;
    const NORMAL: Priority = Priority::Normal;
    const LOW: Priority = Priority::Low;

    fn untold<M>(message: M, tag: Option<Tag>) -> Whole<M> {
        Whole { message, tag, unseen: Bound::NOWHERE }
    }

    fn filled(messages: &[(Priority, u32)]) -> Lanes<u32> {
        let mut lanes = Lanes::default();
        messages.iter().for_each(|&(priority, message)| lanes.push(priority, untold(message, None)));
        lanes
    }

    fn drained(mut lanes: Lanes<u32>, ageing: u32) -> Vec<u32> {
        let ageing = NonZeroU32::new(ageing).unwrap();
        std::iter::from_fn(|| lanes.pop(ageing)).map(|next| next.message).collect()
    }

    #[test]
    fn c20_the_highest_first_and_in_order_within_each() {
        let lanes = filled(&[(LOW, 1), (NORMAL, 2), (HIGH, 3), (LOW, 4), (HIGH, 5), (NORMAL, 6)]);
        assert!(!lanes.is_empty());
        assert_eq!(drained(lanes, u32::MAX), [3, 5, 2, 6, 1, 4]);
        assert!(filled(&[]).is_empty());
    }

    #[test]
    fn c20_who_was_passed_over_often_enough_has_a_turn() {
        let high: Vec<_> = (0..9).map(|n| (HIGH, n)).chain([(LOW, 100), (LOW, 101)]).collect();
        assert_eq!(drained(filled(&high), 3), [0, 1, 2, 100, 3, 4, 5, 101, 6, 7, 8]);
        // The lowest of those that waited comes first, then the next.
        let all: Vec<_> = (0..6).map(|n| (HIGH, n)).chain([(NORMAL, 50), (LOW, 100)]).collect();
        assert_eq!(drained(filled(&all), 2), [0, 1, 100, 50, 2, 3, 4, 5]);
    }

    #[test]
    fn c20_an_empty_lane_does_not_age() {
        let mut lanes = filled(&[(HIGH, 1), (HIGH, 2), (HIGH, 3)]);
        let ageing = NonZeroU32::new(2).unwrap();
        let mut pop = || lanes.pop(ageing).map(|next| next.message);
        assert_eq!([pop(), pop()], [Some(1), Some(2)]);
        lanes.push(LOW, untold(100, None));
        lanes.push(HIGH, untold(4, None));
        assert_eq!(drained(lanes, 2), [3, 4, 100]);
    }

    #[test]
    fn a22_tags_stay_with_their_messages() {
        let ledger = Ledger::default();
        let mut lanes = Lanes::default();
        for (number, priority) in (1..).zip([LOW, HIGH, NORMAL, HIGH, LOW]) {
            lanes.push(priority, untold(number, Some(ledger.tag(number))));
        }
        let ageing = NonZeroU32::new(2).unwrap();
        let mut popped = Vec::new();
        while let Some(Whole { message: number, tag, .. }) = lanes.pop(ageing) {
            assert_eq!(tag.and_then(|tag| tag.number()), Some(number));
            popped.push(number);
        }
        assert_eq!(popped, [2, 4, 1, 3, 5]);
        lanes.push(HIGH, untold(6, Some(ledger.tag(6))));
        drop(lanes);
        assert_eq!(ledger.open(), 0);
    }
}
