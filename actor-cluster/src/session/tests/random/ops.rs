//! What may happen in a schedule, at random.

use actor_core::Attempt;
use proptest::prelude::*;

use super::super::{A, B};
use super::{LARGE, PADDING_MAX, STREAMS_MAX};
use crate::testing::pair::Side;
use crate::transport::LaneSet;

#[derive(Clone, Debug)]
pub(super) enum Op {
    Cast {
        from: Side,
        target: u64,
        padding: usize,
        attempt: Attempt,
    },
    Call {
        from: Side,
        target: u64,
    },
    Receive {
        at: Side,
        most: usize,
    },
    Answer {
        at: Side,
        which: usize,
        how: Fate,
    },
    Watch {
        from: Side,
    },
    /// A watched actor ends.
    Exit {
        at: Side,
        which: usize,
    },
    /// A stream is lost at one end; the other end may see it only by its silence.
    Lose {
        stream: usize,
        at: Side,
    },
    Cut {
        stream: usize,
    },
    Open {
        lanes: LaneSet,
    },
    /// A caller goes away.
    Forget {
        from: Side,
        which: usize,
    },
    Advance(u64),
    Stall {
        stream: usize,
        from: Side,
        is_stalled: bool,
    },
    Delay {
        stream: usize,
        from: Side,
        ms: u64,
    },
    CutInto {
        stream: usize,
        from: Side,
        pieces: Vec<usize>,
    },
    Room {
        stream: usize,
        from: Side,
        bytes: usize,
    },
}

/// What the callee did with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    Refused,
    Dropped,
}

/// How it all ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Cut,
    Close(Side),
    Garbage,
}

pub(super) fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(A), Just(B)]
}

fn cast((from, target, padding): (Side, u64, usize)) -> impl Strategy<Value = Op> {
    let attempt = prop_oneof![2 => Just(Attempt::First), 1 => Just(Attempt::Again)];
    attempt.prop_map(move |attempt| Op::Cast { from, target, padding, attempt })
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let fate = prop_oneof![3 => Just(Fate::Answered), 1 => Just(Fate::Refused), 1 => Just(Fate::Dropped)];
    let (target, stream) = (0..3_u64, 0..STREAMS_MAX);
    let lanes = prop_oneof![3 => Just(LaneSet::ALL), 1 => Just(LaneSet::CONTROL), 1 => Just(LaneSet::DATA)];
    prop_oneof![
        8 => (side(), target.clone(), prop_oneof![8 => 0..PADDING_MAX, 1 => LARGE])
            .prop_flat_map(cast),
        8 => (side(), target).prop_map(|(from, target)| Op::Call { from, target }),
        6 => (side(), 0..20_usize).prop_map(|(at, most)| Op::Receive { at, most }),
        6 => (side(), any::<usize>(), fate).prop_map(|(at, which, how)| Op::Answer { at, which, how }),
        2 => (side(), any::<usize>()).prop_map(|(from, which)| Op::Forget { from, which }),
        2 => side().prop_map(|from| Op::Watch { from }),
        1 => (side(), any::<usize>()).prop_map(|(at, which)| Op::Exit { at, which }),
        2 => (stream.clone(), side()).prop_map(|(stream, at)| Op::Lose { stream, at }),
        1 => stream.clone().prop_map(|stream| Op::Cut { stream }),
        3 => lanes.prop_map(|lanes| Op::Open { lanes }),
        4 => (0..400_u64).prop_map(Op::Advance),
        2 => (stream.clone(), side(), any::<bool>())
            .prop_map(|(stream, from, is_stalled)| Op::Stall { stream, from, is_stalled }),
        1 => (stream.clone(), side(), 0..300_u64).prop_map(|(stream, from, ms)| Op::Delay { stream, from, ms }),
        1 => (stream.clone(), side(), prop::collection::vec(1..5000_usize, 0..4))
            .prop_map(|(stream, from, pieces)| Op::CutInto { stream, from, pieces }),
        1 => (stream, side(), 0..9000_usize).prop_map(|(stream, from, bytes)| Op::Room { stream, from, bytes }),
    ]
}

pub(super) fn finish() -> impl Strategy<Value = Finish> {
    prop_oneof![Just(Finish::Cut), side().prop_map(Finish::Close), Just(Finish::Garbage)]
}

pub(super) fn streams() -> impl Strategy<Value = Vec<LaneSet>> {
    prop_oneof![
        Just(vec![LaneSet::ALL]),
        Just(vec![LaneSet::CONTROL, LaneSet::DATA]),
        Just(vec![LaneSet::CONTROL, LaneSet::DATA, LaneSet::ALL]),
    ]
}
