//! What goes wrong in the network, and with the machines on it.

use actor_core::Instant;
use std::task::Waker;
use std::time::Duration;

use super::way::{Way, part_of};
use super::{Net, Stream, other};
use crate::cluster::conditions::Conditions;
use crate::cluster::fault::{Crash, Degradation};

/// How long after a machine is back the first comes from those who still believe in what it has forgotten.
const RESET_AFTER_MAX: Duration = Duration::from_secs(1);

impl Net {
    pub(in crate::cluster) fn set_conditions(&self, from: usize, to: usize, conditions: Conditions) {
        let mut state = self.state();
        let index = state.way_index(from, to);
        let worse = state.degradations(from, to);
        state.ways[index].set(conditions, worse);
    }

    /// Has all ways to and from a node be worse than they are set up to be.
    pub(in crate::cluster) fn degrade(&self, node: usize, degradation: Degradation) {
        let mut state = self.state();
        state.machines[node].degradation = degradation;
        for other in (0..state.machines.len()).filter(|other| *other != node) {
            for (from, to) in [(node, other), (other, node)] {
                let (index, worse) = (state.way_index(from, to), state.degradations(from, to));
                state.ways[index].degrade(worse);
            }
        }
    }

    /// Lets nothing pass on some of the ways, and everything on the others.
    pub(in crate::cluster) fn set_blocked(&self, is_blocked: impl Fn(usize, usize) -> bool) {
        let nodes = self.state().machines.len();
        for from in 0..nodes {
            for to in (0..nodes).filter(|to| *to != from) {
                if is_blocked(from, to) { self.block(from, to) } else { self.open(from, to) }
            }
        }
    }

    pub(in crate::cluster) fn block(&self, from: usize, to: usize) {
        let now = self.now();
        let mut state = self.state();
        let index = state.way_index(from, to);
        state.ways[index].block(now);
    }

    /// Lets everything pass on a way. What waited is sent again.
    pub(in crate::cluster) fn open(&self, from: usize, to: usize) {
        let now = self.now();
        let mut guard = self.state();
        let state = &mut *guard;
        let index = state.way_index(from, to);
        let Some(blocked) = state.ways[index].open() else { return };
        for stream in state.streams.values_mut() {
            for side in 0..2 {
                let due = |way: &Way, random| way.second_arrival(blocked, now, random);
                let (writer, reader) = (stream.nodes[side], stream.nodes[other(side)]);
                let pipe = &mut stream.pipes[side];
                if (writer, reader) == (from, to) {
                    pipe.pass_on(blocked, due(&state.ways[index], &mut state.random));
                    self.take_alarm_back(pipe);
                    self.set_alarm(pipe);
                } else if (reader, writer) == (from, to) {
                    let due = due(&state.ways[index], &mut state.random);
                    let waker = pipe.settle(blocked, due);
                    self.wake_at(due, waker);
                }
            }
        }
        for connection in state.connections.values_mut().filter(|connection| connection.nodes == [from, to]) {
            let due = state.ways[index].second_arrival(blocked, now, &mut state.random);
            let late = |at: &mut Instant| *at = if *at > blocked { due.max(*at) } else { *at };
            connection.opened.iter_mut().for_each(|(at, _)| late(at));
            connection.no_more.iter_mut().for_each(late);
            let taker = connection.taker.take();
            self.wake_at(due, taker);
        }
    }

    /// Resets every connection between two nodes, from the middle: both learn of it at once.
    pub(in crate::cluster) fn cut(&self, one: usize, another: usize) {
        let now = self.now();
        let mut guard = self.state();
        let state = &mut *guard;
        let is_between = |nodes: [usize; 2]| nodes == [one, another] || nodes == [another, one];
        for stream in state.streams.values_mut().filter(|stream| is_between(stream.nodes)) {
            (0..2).for_each(|side| self.reset_side(stream, side, now));
        }
        for connection in state.connections.values_mut().filter(|connection| is_between(connection.nodes)) {
            connection.streams_left = 0;
            connection.no_more = Some(now);
            connection.opened.clear();
            connection.taker.take().into_iter().for_each(Waker::wake);
        }
    }

    /// One side of a stream learns then that it is no more.
    fn reset_side(&self, stream: &mut Stream, side: usize, due: Instant) {
        let incoming = &mut stream.pipes[other(side)];
        incoming.reset(due);
        self.take_alarm_back(incoming);
        self.set_alarm(incoming);
        let outgoing = &mut stream.pipes[side];
        outgoing.note_unread(due);
        let writer = outgoing.writer.take();
        self.wake_at(due, writer);
    }

    /// A node's life is over. What its tasks hold of the network is dropped later, and tells nobody anything.
    pub(in crate::cluster) fn crash(&self, node: usize, how: Crash) {
        let now = self.now();
        let mut guard = self.state();
        let state = &mut *guard;
        state.machines[node].door = None;
        state.machines[node].is_dark = how == Crash::Silent;
        let ids: Vec<u64> = state.streams.numbers();
        for id in ids {
            let Some(nodes) = state.streams.get(id).map(|stream| stream.nodes) else { continue };
            for side in (0..2).filter(|side| nodes[*side] == node) {
                let due = state.arrival(now, node, nodes[other(side)]);
                let Some(stream) = state.streams.get_mut(id) else { continue };
                if stream.sides[side].is_gone {
                    continue;
                }
                stream.sides[side].is_gone = true;
                match how {
                    Crash::Reset => self.reset_side(stream, other(side), due),
                    Crash::Silent => stream.sides[side].is_unheard = true,
                }
                state.forget_stream(id);
            }
        }
        let ids: Vec<u64> = state.connections.numbers();
        for id in ids {
            let Some(nodes) = state.connections.get(id).map(|connection| connection.nodes) else { continue };
            for side in (0..2).filter(|side| nodes[*side] == node) {
                let due = state.arrival(now, node, nodes[other(side)]);
                let Some(connection) = state.connections.get_mut(id) else { continue };
                connection.sides[side].is_gone = true;
                connection.streams_left = 0;
                connection.sides[side].is_unheard = how == Crash::Silent;
                if side == 0 && how == Crash::Reset {
                    connection.no_more = Some(due);
                    let taker = connection.taker.take();
                    self.wake_at(due, taker);
                }
                state.forget_connection(id);
            }
        }
    }

    /// The machine is there again: it resets what peers still have with a former life.
    pub(in crate::cluster) fn begin_life(&self, node: usize) -> u64 {
        let now = self.now();
        let mut guard = self.state();
        let state = &mut *guard;
        state.machines[node].is_dark = false;
        state.machines[node].life += 1;
        let ids: Vec<u64> = state.streams.numbers();
        for id in ids {
            let Some(nodes) = state.streams.get(id).map(|stream| stream.nodes) else { continue };
            for side in (0..2).filter(|side| nodes[*side] == node) {
                let pause = part_of(RESET_AFTER_MAX, &mut state.random);
                let due = state.arrival(now, node, nodes[other(side)]) + pause;
                let Some(stream) = state.streams.get_mut(id) else { continue };
                if std::mem::take(&mut stream.sides[side].is_unheard) {
                    self.reset_side(stream, other(side), due);
                }
            }
        }
        for connection in state.connections.values_mut() {
            let [dialler, _] = connection.nodes;
            if dialler == node && std::mem::take(&mut connection.sides[0].is_unheard) {
                connection.no_more = Some(now + RESET_AFTER_MAX);
                let taker = connection.taker.take();
                self.wake_at(now + RESET_AFTER_MAX, taker);
            }
        }
        state.machines[node].life
    }
}
