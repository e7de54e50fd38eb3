//! What an actor has sent and what is known of its arrival: which message leaves next, in order to each destination, and when
//! one that did not arrive is tried again. Pure.
//!
//! ```text
//!            ┌───────────── more ──────────────┐
//!            ▼                                 │
//!  add ──► ready ── poll_send ──► under way ───┼── gone, the last ──► no line
//!            ▲                                 │
//!            └── its time has come ── paused ◄─┘ failed
//! ```
//!
//! Lines that are ready leave in turn, so that none waits for ever for one that always has more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use actor_core::Instant;

use crate::limits::{
    DELIVERY_FULL_MAX, DELIVERY_FULL_PAUSE_MAX, DELIVERY_PAUSE_FIRST, DELIVERY_PAUSE_MAX, OUTBOX_BYTES_MAX,
    OUTBOX_BYTES_RESERVED, OUTBOX_MAX, OUTBOX_RESERVED, TRANSFERS_PER_ACTOR_MAX,
};
use crate::store::{Destination, OutboxPosition, Outgoing};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    lines: BTreeMap<Destination, Line>,
    /// Lines to actors whose first may leave. So many are under way at a time.
    ready: VecDeque<Destination>,
    /// Lines to outlets whose first may leave: the store has no part in it, and one that hangs keeps no other waiting.
    outward: VecDeque<Destination>,
    paused: BTreeSet<(Instant, Destination)>,
    transfers: usize,
    count: usize,
    bytes: usize,
}

/// For what there is to be room in an outbox. What comes from outside finds less, so that actors whose outboxes are full of what
/// goes to each other still handle their letters, and make room in their inboxes by that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Room {
    /// What callers and timers ask for.
    Calls,
    /// What comes from the inbox.
    Letters,
}

impl Room {
    /// Whether there is, beside so many messages of so many bytes.
    pub(crate) fn is_in(self, count: usize, bytes: usize) -> bool {
        match self {
            Self::Calls => count < OUTBOX_MAX && bytes < OUTBOX_BYTES_MAX,
            Self::Letters => {
                count < OUTBOX_MAX + OUTBOX_RESERVED && bytes < OUTBOX_BYTES_MAX + OUTBOX_BYTES_RESERVED
            }
        }
    }
}

/// What goes to one destination.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Outgoing>,
    /// Failures in a row.
    failures: u32,
    /// Since when its receiver has had no room for the first, if nothing has arrived since.
    full_since: Option<Instant>,
}

impl Outbox {
    /// How many have not arrived.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// How large those are, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// One more was sent.
    pub(crate) fn add(&mut self, outgoing: Outgoing) {
        self.count += 1;
        self.bytes += outgoing.bytes();
        let to = outgoing.to.clone();
        let line = self.lines.entry(to.clone()).or_default();
        line.waiting.push_back(outgoing);
        if line.waiting.len() == 1 {
            self.make_ready(to);
        }
    }

    /// One that may leave now; its line waits until it is known what became of it.
    pub(crate) fn poll_send(&mut self, now: Instant) -> Option<Outgoing> {
        while self.paused.first().is_some_and(|(pause, _)| *pause <= now)
            && let Some((_, to)) = self.paused.pop_first()
        {
            self.make_ready(to);
        }
        let to = self.outward.pop_front().or_else(|| self.next_transfer())?;
        self.lines.get(&to)?.waiting.front().cloned()
    }

    fn next_transfer(&mut self) -> Option<Destination> {
        if self.transfers >= TRANSFERS_PER_ACTOR_MAX {
            return None;
        }
        let to = self.ready.pop_front()?;
        self.transfers += 1;
        Some(to)
    }

    /// It arrived: its place may be forgotten.
    pub(crate) fn handle_arrived(&mut self, to: &Destination) -> Option<OutboxPosition> {
        self.lines.get_mut(to)?.full_since = None;
        self.handle_given_up(to)
    }

    /// It never will arrive: its place may be forgotten.
    pub(crate) fn handle_given_up(&mut self, to: &Destination) -> Option<OutboxPosition> {
        let line = self.lines.get_mut(to)?;
        let outgoing = line.waiting.pop_front()?;
        line.failures = 0;
        let is_empty = line.waiting.is_empty();
        self.end_transfer(to);
        self.count -= 1;
        self.bytes -= outgoing.bytes();
        if is_empty {
            self.lines.remove(to);
        } else {
            self.make_ready(to.clone());
        }
        Some(outgoing.position)
    }

    /// It did not, or nobody knows: it is tried again, and before what comes after it.
    pub(crate) fn handle_failed(&mut self, to: &Destination, now: Instant) {
        self.pause(to, now, DELIVERY_PAUSE_MAX);
    }

    /// Its receiver has no room for it: it is tried again sooner, as each letter that is handled makes some.
    pub(crate) fn handle_full(&mut self, to: &Destination, now: Instant) {
        self.pause(to, now, DELIVERY_FULL_PAUSE_MAX);
    }

    fn pause(&mut self, to: &Destination, now: Instant, max: Duration) {
        let Some(line) = self.lines.get_mut(to) else { return };
        line.failures = line.failures.saturating_add(1);
        let doubled = 1 << line.failures.saturating_sub(1).min(20);
        let pause: Duration = DELIVERY_PAUSE_FIRST.saturating_mul(doubled).min(max);
        self.end_transfer(to);
        self.paused.insert((now + pause, to.clone()));
    }

    /// The receiver has no room for the first of a line. Whether it is to wait no longer: nothing has arrived there for long, and
    /// here is no room left either.
    pub(crate) fn is_full_for_long(&mut self, to: &Destination, now: Instant) -> bool {
        let is_full = !Room::Letters.is_in(self.count, self.bytes);
        let Some(line) = self.lines.get_mut(to) else { return false };
        let since = *line.full_since.get_or_insert(now);
        is_full && now.saturating_since(since) >= DELIVERY_FULL_MAX
    }

    /// When one that waits may leave again.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.paused.first().map(|(pause, _)| *pause)
    }

    fn make_ready(&mut self, to: Destination) {
        match to {
            Destination::Actor(_) => self.ready.push_back(to),
            Destination::Outlet(_) => self.outward.push_back(to),
        }
    }

    /// The first of a line is not under way any more.
    fn end_transfer(&mut self, to: &Destination) {
        if let Destination::Actor(_) = to {
            self.transfers -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ActorType, DurableId, MessageId, Name, Sequence, Target, WallTime};
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
        assert_eq!(outbox.handle_arrived(&b), Some(outgoing("b", 3).position));
        assert_eq!(sequence(outbox.poll_send(now + DELIVERY_PAUSE_FIRST)), Some(1));
        outbox.handle_failed(&a, now);
        assert_eq!(outbox.next_timeout(), Some(now + DELIVERY_PAUSE_FIRST * 2));
        let later = now + DELIVERY_PAUSE_MAX;
        assert_eq!(sequence(outbox.poll_send(later)), Some(1));
        assert_eq!(outbox.handle_arrived(&a), Some(outgoing("a", 1).position));
        assert_eq!((sequence(outbox.poll_send(later)), outbox.len()), (Some(2), 1));
        assert_eq!(outbox.handle_arrived(&a), Some(outgoing("a", 2).position));
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
        assert_eq!(outbox.handle_arrived(&a), Some(outgoing("a", 1).position));
        assert_eq!(outbox.next_timeout(), None, "the next may leave at once");
        assert_eq!(sequence(outbox.poll_send(now)), Some(2));
        outbox.handle_failed(&a, now);
        assert_eq!(outbox.next_timeout(), Some(now + DELIVERY_PAUSE_FIRST));
    }

    fn to_actor(number: u64) -> Destination {
        let id = DurableId::new(format!("a{number}")).expect("a good id");
        Destination::Actor(Target { id, actor_type: ActorType::new("counter").expect("a good name") })
    }

    fn sent(to: &Destination, sequence: u64) -> Outgoing {
        Outgoing { to: to.clone(), ..outgoing("x", sequence) }
    }

    #[test]
    fn what_a_full_receiver_has_no_room_for_is_tried_each_second_and_given_up_if_there_is_no_room_here() {
        let (mut outbox, a) = (Outbox::default(), to_actor(1));
        (0..2).for_each(|number| outbox.add(sent(&a, number)));
        let mut now = Instant::ZERO;
        for failures in 0..40 {
            assert_eq!(sequence(outbox.poll_send(now)), Some(0));
            assert!(!outbox.is_full_for_long(&a, now));
            outbox.handle_full(&a, now);
            let pause = DELIVERY_FULL_PAUSE_MAX.min(DELIVERY_PAUSE_FIRST * (1 << failures.min(10)));
            assert_eq!(outbox.next_timeout(), Some(now + pause));
            now = now + pause;
        }
        now = Instant::ZERO + DELIVERY_FULL_MAX;
        assert_eq!(sequence(outbox.poll_send(now)), Some(0));
        assert!(!outbox.is_full_for_long(&a, now), "there is room for more");
        let many = OUTBOX_MAX + OUTBOX_RESERVED;
        (2..many as u64).for_each(|number| outbox.add(sent(&to_actor(2), number)));
        let early = Instant::ZERO + (DELIVERY_FULL_MAX - Duration::from_millis(1));
        assert!(!outbox.is_full_for_long(&a, early));
        assert!(outbox.is_full_for_long(&a, now));
        // Whatever arrives there begins it anew; what is given up does not.
        outbox.handle_given_up(&a);
        outbox.add(sent(&to_actor(2), 1));
        assert!(outbox.is_full_for_long(&a, now));
        assert_eq!(sequence(outbox.poll_send(now)), Some(2));
        assert!(!outbox.is_full_for_long(&to_actor(2), Instant::ZERO), "from here on it counts");
        assert!(outbox.is_full_for_long(&to_actor(2), now));
        outbox.handle_arrived(&to_actor(2));
        outbox.add(sent(&to_actor(2), 1));
        assert!(!outbox.is_full_for_long(&to_actor(2), now));
    }

    #[test]
    fn so_many_transfers_are_under_way_and_what_goes_outside_is_not_counted() {
        let (mut outbox, now, max) = (Outbox::default(), Instant::ZERO, TRANSFERS_PER_ACTOR_MAX as u64);
        (0..2 * max).for_each(|number| outbox.add(sent(&to_actor(number), number)));
        for number in 0..max {
            assert_eq!(sequence(outbox.poll_send(now)), Some(number));
        }
        assert_eq!(sequence(outbox.poll_send(now)), None, "so many are under way");
        (0..100).for_each(|number| outbox.add(outgoing(&format!("o{number}"), 1_000 + number)));
        for number in 0..100 {
            assert_eq!(sequence(outbox.poll_send(now)), Some(1_000 + number));
        }
        assert_eq!(sequence(outbox.poll_send(now)), None);
        outbox.handle_arrived(&outgoing("o0", 0).to);
        assert_eq!(sequence(outbox.poll_send(now)), None, "an effect gives back no transfer");
        outbox.handle_arrived(&to_actor(1));
        outbox.handle_failed(&to_actor(0), now);
        assert_eq!(sequence(outbox.poll_send(now)), Some(max));
        assert_eq!(sequence(outbox.poll_send(now)), Some(max + 1));
        assert_eq!(sequence(outbox.poll_send(now)), None);
    }

    #[test]
    fn one_that_always_has_more_leaves_in_turn_with_the_others() {
        let (mut outbox, now, max) = (Outbox::default(), Instant::ZERO, TRANSFERS_PER_ACTOR_MAX as u64);
        for number in 0..=max {
            (0..3).for_each(|_| outbox.add(sent(&to_actor(number), number)));
        }
        (0..max).for_each(|number| assert_eq!(sequence(outbox.poll_send(now)), Some(number)));
        outbox.handle_arrived(&to_actor(0));
        assert_eq!(sequence(outbox.poll_send(now)), Some(max), "it has waited for longer");
        outbox.handle_arrived(&to_actor(max));
        assert_eq!(sequence(outbox.poll_send(now)), Some(0));
    }

    #[test]
    fn it_knows_how_large_it_is() {
        let mut outbox = Outbox::default();
        let headers = Headers::from([("ab".to_owned(), "cde".to_owned())]);
        let body = Body { version: 1, bytes: vec![0; 100].into() };
        let large = Outgoing { body, headers, ..outgoing("a", 1) };
        outbox.add(large.clone());
        outbox.add(Outgoing { to: to_actor(1), ..large });
        assert_eq!(outbox.bytes(), 210);
        for to in [outgoing("a", 0).to, to_actor(1)] {
            assert!(outbox.poll_send(Instant::ZERO).is_some());
            outbox.handle_arrived(&to);
        }
        assert_eq!((outbox.len(), outbox.bytes()), (0, 0));
        assert!(outbox.lines.is_empty(), "nothing is kept of where nothing goes");
    }

    #[test]
    fn there_is_room_up_to_a_count_and_up_to_so_many_bytes_and_more_for_letters() {
        let bounds = [
            (Room::Calls, OUTBOX_MAX, OUTBOX_BYTES_MAX),
            (Room::Letters, OUTBOX_MAX + OUTBOX_RESERVED, OUTBOX_BYTES_MAX + OUTBOX_BYTES_RESERVED),
        ];
        for (room, count, bytes) in bounds {
            assert!(room.is_in(count - 1, bytes - 1), "{room:?}");
            assert!(!room.is_in(count, 0) && !room.is_in(0, bytes), "{room:?}");
        }
    }
}
