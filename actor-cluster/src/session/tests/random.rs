//! Random schedules against an oracle that is too simple to be wrong: what was
//! taken for sending, in order, for each target; one outcome for each call; one end for each
//! watch. Streams stall, fall silent, are lost at one end or at both, and come again.

mod ops;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actor_core::{Attempt, CallFailure, DeadReason, Exit, ReplyFuture, ReplyPort, SendError};
use proptest::prelude::*;

use self::ops::{Fate, Finish, Op, finish, op, streams};
use super::{A, B, Letter};
use crate::session::Death;
use crate::testing::pair::{Node, Pair, Saw, Side, outcome};
use crate::transport::{CloseCode, LaneSet};
use crate::wire::lanes::LaneId;

const WINDOW: usize = 4096;
const PADDING_MAX: usize = 3000;
/// What goes in parts.
const LARGE: std::ops::Range<usize> = 130_000..300_000;
/// More than the time that passes in a schedule, so that a session ends only if it is told to.
const RESUME_TIMEOUT: Duration = Duration::from_secs(120);
/// How many streams a schedule opens at most.
const STREAMS_MAX: usize = 16;
/// The longest message of these tests.
const MESSAGE_MAX: usize = LARGE.end + 32;

/// What a parcel costs.
fn parcel_bytes(text: usize) -> usize {
    let length = [128, 128 * 128].iter().filter(|least| text >= **least).count() + 1;
    16 + length + text
}

struct World {
    pair: Pair,
    data_lanes: u8,
    streams: usize,
    numbers: u32,
    /// For each sender and target: what was taken, and how much of it has arrived.
    sent: [[Vec<u32>; 3]; 2],
    arrived: [[usize; 3]; 2],
    /// How many casts were taken and have not arrived, and of how many the sender was told so.
    missing: [[u64; 3]; 2],
    reported: [[u64; 3]; 2],
    /// Bytes taken from each sender and not received, in each lane.
    under_way: [BTreeMap<LaneId, usize>; 2],
    callers: [Vec<(u32, ReplyFuture<u32>)>; 2],
    calls_made: [usize; 2],
    outcomes: [usize; 2],
    /// Calls that each side has received and not answered.
    ports: [Vec<(u32, ReplyPort<u32>)>; 2],
    fates: BTreeMap<u32, Fate>,
    /// Calls that have arrived.
    seen: BTreeSet<u32>,
    /// What each side watches and was not told of, and what it was told.
    watches: [BTreeSet<u64>; 2],
    /// Whether any stream was ever lost.
    has_lost: bool,
    /// Whether the session was told to end: another would only confuse the accounts.
    is_ending: bool,
    /// Which watches of the other side's each side knows.
    watched: [Vec<u64>; 2],
}

impl World {
    fn new(streams: &[LaneSet], data_lanes: u8) -> Self {
        let node = |number| Node {
            resume_timeout: RESUME_TIMEOUT,
            data_lanes,
            ..Node::new(number).limits(MESSAGE_MAX, WINDOW as u64)
        };
        Self {
            data_lanes,
            pair: Pair::ready_between(node(1), node(2), streams),
            streams: streams.len(),
            numbers: 0,
            sent: Default::default(),
            arrived: Default::default(),
            missing: Default::default(),
            reported: Default::default(),
            under_way: Default::default(),
            callers: Default::default(),
            calls_made: [0; 2],
            outcomes: [0; 2],
            ports: Default::default(),
            fates: BTreeMap::new(),
            seen: BTreeSet::new(),
            watches: Default::default(),
            has_lost: false,
            is_ending: false,
            watched: Default::default(),
        }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Cast { from, target, padding, attempt } => self.cast(from, target, padding, attempt),
            Op::Call { from, target } => self.call(from, target),
            Op::Receive { at, most } => self.receive(at, most),
            Op::Answer { at, which, how } => self.answer(at, which, how),
            Op::Watch { from } => {
                let watch = self.pair.session(from).watch(1, None);
                self.watches[from as usize].extend(watch);
            }
            Op::Exit { at, which } => {
                let watched = &mut self.watched[at as usize];
                if !watched.is_empty() {
                    let watch = watched.swap_remove(which % watched.len());
                    self.pair.session(at).down(watch, &Exit::Drained);
                }
            }
            Op::Lose { stream, at } => {
                self.has_lost = true;
                self.pair.lose(stream % self.streams, at, CloseCode::Lost);
            }
            Op::Cut { stream } => {
                self.has_lost = true;
                self.pair.cut(stream % self.streams);
            }
            Op::Open { lanes } => self.open(lanes),
            Op::Forget { from, which } => {
                let callers = &mut self.callers[from as usize];
                if !callers.is_empty() {
                    drop(callers.swap_remove(which % callers.len()));
                }
            }
            Op::Advance(ms) => self.pair.advance(Duration::from_millis(ms)),
            Op::Stall { stream, from, is_stalled } => {
                self.pair.stall(stream % self.streams, from, is_stalled);
            }
            Op::Delay { stream, from, ms } => {
                self.pair.delay(stream % self.streams, from, Duration::from_millis(ms));
            }
            Op::CutInto { stream, from, pieces } => self.pair.cut_into(stream % self.streams, from, &pieces),
            Op::Room { stream, from, bytes } => self.pair.room(stream % self.streams, from, bytes),
        }
        self.observe();
    }

    fn open(&mut self, lanes: LaneSet) {
        if self.streams < STREAMS_MAX && !self.is_ending && !self.is_over() {
            self.pair.open(lanes);
            self.streams += 1;
        }
    }

    fn cast(&mut self, from: Side, target: u64, padding: usize, attempt: Attempt) {
        let number = self.next_number();
        let mut text = number.to_le_bytes().to_vec();
        text.resize(4 + padding, 0);
        let bytes = parcel_bytes(text.len());
        let sent = self.pair.send_as(from, target, Letter::Parcel(text.into()), attempt);
        // Whoever has waited may begin half a window later.
        let most = if attempt == Attempt::First { WINDOW } else { WINDOW + WINDOW / 2 };
        let is_sent = self.note_sent(from, target, number, (bytes, most), sent);
        self.missing[from as usize][target as usize] += u64::from(is_sent);
    }

    fn call(&mut self, from: Side, target: u64) {
        let number = self.next_number();
        let (port, reply) = ReplyPort::new(None);
        let sent = self.pair.send(from, target, Letter::Ask(number, port));
        if self.note_sent(from, target, number, (36, WINDOW), sent) {
            self.callers[from as usize].push((number, reply));
            self.calls_made[from as usize] += 1;
        }
    }

    fn next_number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    fn note_sent(
        &mut self,
        from: Side,
        target: u64,
        number: u32,
        (bytes, begins_below): (usize, usize),
        sent: Result<(), SendError<Letter>>,
    ) -> bool {
        let is_over = self.pair.session(from).ended().is_some();
        match sent {
            Ok(()) => {
                assert!(!is_over);
                self.sent[from as usize][target as usize].push(number);
                let lane = LaneId::of_recipient(target, self.data_lanes);
                let under_way = self.under_way[from as usize].entry(lane).or_default();
                *under_way += bytes.min(WINDOW / 2);
                assert!(*under_way < begins_below + WINDOW / 2, "more than the window is under way");
                true
            }
            Err(SendError::Full(_)) => {
                assert!(!is_over);
                false
            }
            Err(SendError::NotConnected(_)) => false,
            Err(other) => panic!("{other:?}"),
        }
    }

    fn receive(&mut self, at: Side, most: usize) {
        let from = at.other() as usize;
        for (target, letter) in self.pair.receive::<Letter>(at, most) {
            let (number, bytes) = match &letter {
                Letter::Parcel(text) => {
                    (u32::from_le_bytes(*text.first_chunk().unwrap()), parcel_bytes(text.len()))
                }
                Letter::Ask(number, _) => (*number, 36),
                other => panic!("{other:?} was not sent"),
            };
            let lane = LaneId::of_recipient(target, self.data_lanes);
            *self.under_way[from].get_mut(&lane).unwrap() -= bytes.min(WINDOW / 2);
            let target = target as usize;
            let expected = self.sent[from][target].get(self.arrived[from][target]);
            assert_eq!(Some(&number), expected, "lost, doubled or overtaken");
            self.arrived[from][target] += 1;
            self.missing[from][target] -= u64::from(matches!(letter, Letter::Parcel(_)));
            if let Letter::Ask(number, port) = letter {
                self.seen.insert(number);
                self.ports[at as usize].push((number, port));
            }
        }
    }

    fn answer(&mut self, at: Side, which: usize, how: Fate) {
        let ports = &mut self.ports[at as usize];
        if ports.is_empty() {
            return;
        }
        let (number, port) = ports.swap_remove(which % ports.len());
        self.fates.insert(number, how);
        match how {
            Fate::Answered => port.send(number + 1).unwrap(),
            Fate::Refused => port.fail(CallFailure::Expired),
            Fate::Dropped => drop(port),
        }
    }

    /// Lets everything move that can, and looks at every caller and every event.
    fn observe(&mut self) {
        self.pair.drive();
        for side in Side::BOTH {
            let is_over = self.pair.session(side).ended().is_some();
            let (fates, seen) = (&self.fates, &self.seen);
            self.callers[side as usize].retain_mut(|(number, reply)| {
                let Some(outcome) = outcome(reply) else {
                    assert!(!is_over, "call {number} hangs");
                    return true;
                };
                match (outcome, fates.get(number)) {
                    (Ok(answer), Some(Fate::Answered)) => assert_eq!(answer, *number + 1),
                    (Err(CallFailure::Expired), Some(Fate::Refused)) => {}
                    (Err(CallFailure::NoReply), Some(Fate::Dropped)) => {}
                    (Err(CallFailure::Unknown), _) => assert!(is_over),
                    (Err(CallFailure::NeverLeft), None) => assert!(is_over && !seen.contains(number)),
                    other => panic!("call {number}: {other:?}"),
                }
                false
            });
            for saw in self.pair.saw(side) {
                match saw {
                    Saw::Answered | Saw::Failed(_) | Saw::Abandoned => self.outcomes[side as usize] += 1,
                    Saw::Watch { watch, .. } => self.watched[side as usize].push(watch),
                    Saw::Down { watch, exit } => {
                        assert!(self.watches[side as usize].remove(&watch), "told twice");
                        assert!(exit == Exit::Drained || is_over, "{exit:?}");
                    }
                    Saw::Died(deaths) => {
                        for Death { kind, reason, count, .. } in deaths {
                            assert_eq!((is_over, reason), (true, DeadReason::Unacknowledged));
                            let (target, _) = kind.expect("it is known which");
                            self.reported[side as usize][target as usize] += count;
                        }
                    }
                    Saw::Message | Saw::Room | Saw::Interrupted(_) | Saw::Resumed | Saw::Ended(_) => {}
                    other => panic!("{other:?} out of nowhere"),
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        Side::BOTH.iter().any(|side| self.pair.session(*side).ended().is_some())
    }

    /// Everything flows again, and everything that was sent arrives and is answered.
    fn settle(&mut self) {
        if !self.is_ending && !self.is_over() {
            self.pair.open(LaneSet::ALL);
            self.streams += 1;
        }
        for stream in 0..self.streams {
            for side in Side::BOTH {
                self.pair.stall(stream, side, false);
                self.pair.room(stream, side, usize::MAX);
                self.pair.delay(stream, side, Duration::ZERO);
            }
        }
        // Streams that only one end has lost fall silent, and are given up by the other.
        self.pair.advance(Duration::from_secs(7));
        self.observe();
        let was_over = self.is_over();
        for _ in 0..2 {
            for side in Side::BOTH {
                self.receive(side, usize::MAX);
                while !self.ports[side as usize].is_empty() {
                    self.answer(side, 0, Fate::Answered);
                }
            }
            self.observe();
        }
        if !was_over && !self.is_ending {
            self.assert_all_arrived();
            assert!(self.callers.iter().all(Vec::is_empty), "an answer is missing");
            assert!(!self.is_over());
            // Callers that went away are swept.
            self.pair.advance(Duration::from_secs(2));
            self.observe();
            assert_eq!(self.outcomes, self.calls_made);
        }
    }

    fn assert_all_arrived(&self) {
        let sent = self.sent.each_ref().map(|targets| targets.each_ref().map(Vec::len));
        assert_eq!(self.arrived, sent);
    }

    fn finish(&mut self, finish: Finish) {
        match finish {
            Finish::Cut => (0..self.streams).for_each(|stream| self.pair.cut(stream)),
            Finish::Close(side) => self.pair.session(side).close(&CloseCode::Shutdown.into()),
            Finish::Garbage => self.pair.inject(self.streams - 1, A, &[0; 8]),
        }
        self.pair.advance(2 * RESUME_TIMEOUT);
        self.observe();
        for side in Side::BOTH {
            assert!(self.pair.session(side).ended().is_some());
            self.receive(side, usize::MAX);
        }
        assert_eq!(self.outcomes, self.calls_made, "each call has one outcome");
        assert_eq!(self.watches, [BTreeSet::new(), BTreeSet::new()], "each watch has one end");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_schedule_loses_doubles_and_forgets_nothing(
        streams in streams(),
        data_lanes in 1..4_u8,
        ops in prop::collection::vec(op(), 0..120),
        finish in finish(),
    ) {
        let mut world = World::new(&streams, data_lanes);
        for op in ops {
            world.run(op);
        }
        world.settle();
        world.finish(finish);
        world.assert_reported(finish);
    }

    /// The same, ended in the middle.
    #[test]
    fn any_schedule_can_be_cut_off_anywhere(
        streams in streams(),
        data_lanes in 1..4_u8,
        before in prop::collection::vec(op(), 0..60),
        finish in finish(),
        after in prop::collection::vec(op(), 0..30),
    ) {
        let mut world = World::new(&streams, data_lanes);
        for op in before {
            world.run(op);
        }
        let closes = matches!(finish, Finish::Close(_)) && !world.is_over();
        match finish {
            Finish::Cut => (0..world.streams).for_each(|stream| world.pair.cut(stream)),
            Finish::Close(side) => world.pair.session(side).close(&CloseCode::Shutdown.into()),
            Finish::Garbage => world.pair.inject(0, B, &[0; 8]),
        }
        world.is_ending = finish != Finish::Cut;
        for op in after {
            world.run(op);
        }
        world.settle();
        if let (true, Finish::Close(side)) = (closes, finish) {
            world.assert_arrived_from(side);
        }
        world.finish(Finish::Cut);
        world.assert_reported(finish);
    }
}

impl World {
    /// Whoever sent what never came was told so, unless it said goodbye itself.
    fn assert_reported(&self, finish: Finish) {
        let but = if let Finish::Close(side) = finish { Some(side) } else { None };
        for side in Side::BOTH.into_iter().filter(|side| Some(*side) != but) {
            let accounts = self.missing[side as usize].iter().zip(&self.reported[side as usize]);
            accounts.for_each(|(missing, reported)| assert!(missing <= reported, "{missing} of {reported}"));
        }
    }

    /// What was sent before a goodbye arrives, unless the reader lost patience, or there was no
    /// stream to write it to.
    fn assert_arrived_from(&self, side: Side) {
        let reason = self.pair.session(side.other()).ended().cloned();
        if reason == Some(CloseCode::Shutdown.into()) && !self.has_lost {
            let sent = self.sent[side as usize].each_ref().map(Vec::len);
            assert_eq!(self.arrived[side as usize], sent);
        }
    }
}
