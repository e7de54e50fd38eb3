//! What an actor has sent and what is known of its arrival: which message leaves next, in order to each destination, and when
//! one that did not arrive is tried again. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use actor_core::Instant;

use crate::limits::{DELIVERY_PAUSE_FIRST, DELIVERY_PAUSE_MAX};
use crate::store::{Destination, OutboxPosition, Outgoing};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    lines: BTreeMap<Destination, Line>,
    count: usize,
}

/// What goes to one destination.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Outgoing>,
    is_under_way: bool,
    /// Failures in a row, and until when they are waited for.
    failures: u32,
    pause: Option<Instant>,
}

impl Outbox {
    /// How many have not arrived.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// One more was sent.
    pub(crate) fn add(&mut self, outgoing: Outgoing) {
        self.count += 1;
        self.lines.entry(outgoing.to.clone()).or_default().waiting.push_back(outgoing);
    }

    /// One that may leave now; its line waits until it is known what became of it.
    pub(crate) fn poll_send(&mut self, now: Instant) -> Option<Outgoing> {
        let is_ready = |line: &Line| !line.is_under_way && line.pause.is_none_or(|pause| pause <= now);
        let line = self.lines.values_mut().find(|line| is_ready(line) && !line.waiting.is_empty())?;
        line.is_under_way = true;
        line.waiting.front().cloned()
    }

    /// It arrived, or never will: its place may be forgotten.
    pub(crate) fn handle_gone(&mut self, to: &Destination) -> Option<OutboxPosition> {
        let line = self.lines.get_mut(to)?;
        let outgoing = line.waiting.pop_front()?;
        (line.is_under_way, line.failures, line.pause) = (false, 0, None);
        if line.waiting.is_empty() {
            self.lines.remove(to);
        }
        self.count -= 1;
        Some(outgoing.position)
    }

    /// It did not, or nobody knows: it is tried again, and before what comes after it.
    pub(crate) fn handle_failed(&mut self, to: &Destination, now: Instant) {
        let Some(line) = self.lines.get_mut(to) else { return };
        line.is_under_way = false;
        line.failures = line.failures.saturating_add(1);
        let doubled = 1 << line.failures.saturating_sub(1).min(20);
        let pause: Duration = DELIVERY_PAUSE_FIRST.saturating_mul(doubled).min(DELIVERY_PAUSE_MAX);
        line.pause = Some(now + pause);
    }

    /// When one that waits may leave again.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.lines.values().filter(|line| !line.is_under_way).filter_map(|line| line.pause).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{MessageId, Name, Sequence, WallTime};
    use crate::store::{Body, Headers};

    fn outgoing(to: &str, sequence: u64) -> Outgoing {
        Outgoing {
            position: OutboxPosition { sequence: Sequence(sequence), index: 0 },
            to: Destination::Outlet(Name::new(to).expect("a good name")),
            id: MessageId::new(WallTime::ZERO, sequence.into()),
            reply_to: None,
            sent_at: WallTime::ZERO,
            body: Body::default(),
            headers: Headers::new(),
        }
    }

    fn sequence(outgoing: Option<Outgoing>) -> Option<u64> {
        outgoing.map(|outgoing| outgoing.position.sequence.0)
    }

    #[test]
    fn each_destination_has_one_under_way_and_order_and_no_other_waits_for_it() {
        let mut outbox = Outbox::default();
        for (to, number) in [("a", 1), ("a", 2), ("b", 3)] {
            outbox.add(outgoing(to, number));
        }
        let now = Instant::ZERO;
        assert_eq!(sequence(outbox.poll_send(now)), Some(1));
        assert_eq!(sequence(outbox.poll_send(now)), Some(3));
        assert_eq!(sequence(outbox.poll_send(now)), None);
        let (a, b) = (outgoing("a", 0).to, outgoing("b", 0).to);
        outbox.handle_failed(&a, now);
        assert_eq!(sequence(outbox.poll_send(now)), None);
        assert_eq!(outbox.next_timeout(), Some(now + DELIVERY_PAUSE_FIRST));
        assert_eq!(outbox.handle_gone(&b), Some(outgoing("b", 3).position));
        assert_eq!(sequence(outbox.poll_send(now + DELIVERY_PAUSE_FIRST)), Some(1));
        outbox.handle_failed(&a, now);
        assert_eq!(outbox.next_timeout(), Some(now + DELIVERY_PAUSE_FIRST * 2));
        let later = now + DELIVERY_PAUSE_MAX;
        assert_eq!(sequence(outbox.poll_send(later)), Some(1));
        assert_eq!(outbox.handle_gone(&a), Some(outgoing("a", 1).position));
        assert_eq!((sequence(outbox.poll_send(later)), outbox.len()), (Some(2), 1));
        assert_eq!(outbox.handle_gone(&a), Some(outgoing("a", 2).position));
        assert_eq!((outbox.len(), outbox.next_timeout()), (0, None));
    }

    #[test]
    fn pauses_grow_up_to_a_bound_and_begin_anew_after_an_arrival() {
        let mut outbox = Outbox::default();
        (1..=2).for_each(|number| outbox.add(outgoing("a", number)));
        let (a, mut now) = (outgoing("a", 0).to, Instant::ZERO);
        for failures in 0..40 {
            assert_eq!(sequence(outbox.poll_send(now)), Some(1));
            assert_eq!(outbox.next_timeout(), None, "it is under way");
            outbox.handle_failed(&a, now);
            let pause = DELIVERY_PAUSE_MAX.min(DELIVERY_PAUSE_FIRST * (1 << failures.min(10)));
            assert_eq!(outbox.next_timeout(), Some(now + pause), "after {failures} failures");
            assert_eq!(sequence(outbox.poll_send(now + (pause - Duration::from_nanos(1)))), None);
            now = now + pause;
        }
        assert_eq!(sequence(outbox.poll_send(now)), Some(1));
        assert_eq!(outbox.handle_gone(&a), Some(outgoing("a", 1).position));
        assert_eq!(outbox.next_timeout(), None, "the next may leave at once");
        assert_eq!(sequence(outbox.poll_send(now)), Some(2));
        outbox.handle_failed(&a, now);
        assert_eq!(outbox.next_timeout(), Some(now + DELIVERY_PAUSE_FIRST));
    }
}
