//! Calls that this node made and that are not answered yet, by correlation.

use slab::Slab;

use crate::limits::CALLS_MAX;
use crate::wire::PendingReply;
use crate::wire::lanes::LaneId;

/// Names one call on the wire: a slot and how often the slot was used, so that a
/// late answer to a former call cannot answer a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Correlation(u64);

impl Correlation {
    fn new(slot: usize, generation: u32) -> Self {
        Self((slot as u64) << 32 | u64::from(generation))
    }

    pub(crate) fn from_u64(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn as_u64(self) -> u64 {
        self.0
    }

    fn slot(self) -> Option<usize> {
        usize::try_from(self.0 >> 32).ok()
    }

    fn generation(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

/// The pending calls of one session.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    slots: Slab<Call>,
    calls_made: u32,
}

#[derive(Debug)]
struct Call {
    generation: u32,
    pending: Pending,
}

/// A call that waits for its answer.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) reply: PendingReply,
    /// Where it went: the lane, and the actor's serial.
    pub(crate) lane: LaneId,
    pub(crate) actor: u64,
    /// Where its answer is being put together, if it has begun to come in parts: the lane, and the number there.
    pub(crate) answer: Option<(LaneId, u32)>,
}

impl Calls {
    pub(crate) fn is_full(&self) -> bool {
        self.slots.len() >= CALLS_MAX
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// What the next call will be known as, if it is inserted before any other.
    pub(crate) fn next(&self) -> Correlation {
        Correlation::new(self.slots.vacant_key(), self.calls_made)
    }

    pub(crate) fn insert(&mut self, pending: Pending) -> Correlation {
        let generation = self.calls_made;
        self.calls_made = self.calls_made.wrapping_add(1);
        Correlation::new(self.slots.insert(Call { generation, pending }), generation)
    }

    /// The first part of an answer has come. `true` if the call waits and this is the first answer to it in parts; else
    /// the parts are to be ignored.
    pub(crate) fn begin_answer(&mut self, correlation: Correlation, lane: LaneId, number: u32) -> bool {
        let call = correlation.slot().and_then(|slot| self.slots.get_mut(slot));
        let call = call.filter(|call| call.generation == correlation.generation());
        let Some(answer) = call.map(|call| &mut call.pending.answer) else { return false };
        let is_first = answer.is_none();
        answer.get_or_insert((lane, number));
        is_first
    }

    /// Takes a call out; `None` if it is not pending any more.
    pub(crate) fn take(&mut self, correlation: Correlation) -> Option<Pending> {
        let slot = correlation.slot()?;
        let is_current = self.slots.get(slot)?.generation == correlation.generation();
        is_current.then(|| self.slots.remove(slot).pending)
    }

    /// Takes out the calls whose caller has gone away. A caller that is still there
    /// when its deadline passes watches the clock itself, and knows better than
    /// [`CallFailure::NoReply`](actor_core::CallFailure::NoReply), which dropping
    /// its port would tell it.
    pub(crate) fn take_abandoned(&mut self) -> Vec<(Correlation, Pending)> {
        let abandoned: Vec<Correlation> = self
            .slots
            .iter()
            .filter(|(_, call)| call.pending.reply.is_closed())
            .map(|(slot, call)| Correlation::new(slot, call.generation))
            .collect();
        abandoned.into_iter().filter_map(|call| Some((call, self.take(call)?))).collect()
    }

    /// Takes everything out.
    pub(crate) fn drain(&mut self) -> Vec<(Correlation, Pending)> {
        let calls = std::mem::take(&mut self.slots).into_iter();
        calls.map(|(slot, call)| (Correlation::new(slot, call.generation), call.pending)).collect()
    }
}

#[cfg(test)]
mod tests {
    use actor_core::{Instant, ReplyPort};

    use super::*;

    fn pending(deadline: Option<Instant>) -> (Pending, actor_core::ReplyFuture<u8>) {
        let (port, reply) = ReplyPort::new(deadline);
        (Pending { reply: PendingReply::new(port), lane: LaneId::data(0), actor: 1, answer: None }, reply)
    }

    #[test]
    fn a_late_answer_does_not_hit_the_next_user_of_the_slot() {
        let mut calls = Calls::default();
        let (first, _first_reply) = pending(None);
        let expected = calls.next();
        let first = calls.insert(first);
        assert_eq!(first, expected);
        assert!(calls.take(first).is_some());
        let (second, _second_reply) = pending(None);
        let second = calls.insert(second);
        assert_eq!(first.slot(), second.slot());
        assert!(calls.take(first).is_none());
        assert!(calls.take(second).is_some());
        assert!(calls.take(Correlation::from_u64(u64::MAX)).is_none());
    }

    #[test]
    fn abandoned_calls_are_those_nobody_waits_for() {
        let mut calls = Calls::default();
        let (waited_for, _kept) = pending(Some(Instant::ZERO));
        let (forgotten, reply) = pending(None);
        drop(reply);
        let waited_for = calls.insert(waited_for);
        let gone = calls.insert(forgotten);
        let taken: Vec<_> = calls.take_abandoned().into_iter().map(|(call, _)| call).collect();
        assert_eq!(taken, [gone]);
        assert!(calls.take(waited_for).is_some());
        assert!(calls.drain().is_empty());
    }
}
