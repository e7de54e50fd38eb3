//! What became of calls with keys, as a machine: whoever asks again is told the same, and nothing runs twice.
//! No clock, lock or session lives here. `docs/PROTOCOL.md` §4.9.
//!
//! ```text
//!   ask ──┬─ never seen ──────────────► Run ──► running ── finish ──► finished ── room, time ──► forgotten
//!         ├─ running ─► Joined: waits with the first      │
//!         ├─ finished ► Known: the same once more          └─ it never ran: as if never seen
//!         └─ asked before, not known ─► Forgotten
//! ```
//!
//! What is forgotten of a caller is known by one number: the greatest key of it that was. A repeat
//! says that it is one, so what is asked for the first time runs in any case.

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use actor_core::{CallFailure, Instant};
use bytes::Bytes;

use crate::id::{Incarnation, NodeId, NodeLife};
use crate::limits::{
    CALL_MEMORY_BYTES_MAX, CALL_MEMORY_CALLERS_MAX, CALL_MEMORY_CALLS_MAX, CALL_MEMORY_RETENTION,
};
use crate::session::Shape;
use crate::wire::annotation::Key;

/// How much a node remembers of calls that were asked with a key:
/// [`NodeBuilder::call_memory`](crate::NodeBuilder::call_memory). All of it together is at most
/// `callers_max * bytes_max` bytes of answers, and `callers_max * calls_max` calls.
///
/// What is forgotten does not run again: who asks again is told
/// [`Forgotten`](actor_core::CallFailure::Forgotten). What is asked for the first time runs in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallMemory {
    /// Of how many calls, for each node that calls; [`CALL_MEMORY_CALLS_MAX`] unless set. One more makes it forget
    /// the one that ended first; if all of them still run, it is refused as
    /// [`Full`](actor_core::Rejection::Full). With 0 every call with a key is refused.
    pub calls_max: usize,
    /// How many bytes of answers, for each node that calls; [`CALL_MEMORY_BYTES_MAX`] unless set. One more makes it
    /// forget the calls that ended first. An answer that is longer than all of this is given to those who wait
    /// for it, and forgotten alone. With 0 only answers without bytes and failures are remembered.
    pub bytes_max: usize,
    /// For how many nodes that call; [`CALL_MEMORY_CALLERS_MAX`] unless set. A node with 0 does not start. One more
    /// makes it forget all of the node that has not asked for longest, of those that have no call running; if every
    /// one has, the new node's call is refused as `Full`. A node that is not known then can ask for the first time;
    /// what it asks again is `Forgotten`.
    pub callers_max: usize,
    /// For how long, from the end of the call; [`CALL_MEMORY_RETENTION`] unless set. With 0 a call is remembered
    /// only while it runs. What is due goes at most an eighth of this and one heartbeat interval later, while the
    /// node has a session; without one, when it has one again.
    pub retention: Duration,
}

impl Default for CallMemory {
    fn default() -> Self {
        Self {
            calls_max: CALL_MEMORY_CALLS_MAX,
            bytes_max: CALL_MEMORY_BYTES_MAX,
            callers_max: CALL_MEMORY_CALLERS_MAX,
            retention: CALL_MEMORY_RETENTION,
        }
    }
}

/// What a call is of: another message has no right to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) actor: u64,
    pub(crate) shape: Shape,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With these bytes.
    Answer(Bytes),
    Failure(CallFailure),
}

impl Outcome {
    fn never_ran(&self) -> bool {
        matches!(self, Self::Failure(failure) if failure.never_ran())
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Answer(bytes) => bytes.len(),
            Self::Failure(_) => 0,
        }
    }
}

/// Names one run of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    caller: NodeLife,
    number: u64,
    /// Which ask it was: tells it from other runs of the same call.
    run: u64,
}

/// What is to be done with a call that is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Run it, and [finish](Outcomes::finish) it.
    Run(Ticket),
    /// Nothing: whoever asks is told with the others.
    Joined,
    /// Tell whoever asks.
    Known(Outcome),
    /// It may have run.
    Forgotten,
    /// The key is another message's.
    OtherCall,
    /// There is no room for one more that runs.
    Full,
}

/// The machine. `W` is whoever waits for an outcome.
#[derive(Debug)]
pub(crate) struct Outcomes<W> {
    memory: CallMemory,
    callers: BTreeMap<NodeId, Remembered<W>>,
    /// Whether a caller was forgotten: of one that is not known, nobody can say what it has asked.
    has_forgotten_callers: bool,
    asks: u64,
    sweep_at: Instant,
}

/// What is known of one caller.
#[derive(Debug)]
struct Remembered<W> {
    incarnation: Incarnation,
    calls: BTreeMap<u64, Call<W>>,
    /// Those that are finished, in that order.
    finished: VecDeque<(Instant, u64)>,
    bytes: usize,
    /// A call of this number or a lesser one may have been forgotten.
    forgotten_to: u64,
    /// The later, the greater.
    asked: u64,
}

#[derive(Debug)]
struct Call<W> {
    target: Target,
    run: u64,
    state: State<W>,
}

#[derive(Debug)]
enum State<W> {
    Running(Vec<W>),
    Finished(Outcome),
}

impl<W> Outcomes<W> {
    pub(crate) fn new(memory: CallMemory) -> Self {
        Self {
            memory,
            callers: BTreeMap::new(),
            has_forgotten_callers: false,
            asks: 0,
            sweep_at: Instant::ZERO,
        }
    }

    /// A call is asked. `is_there` tells which of those that wait still do.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        caller: NodeLife,
        key: Key,
        target: Target,
        waiter: W,
        is_there: impl Fn(&W) -> bool,
    ) -> Decision {
        self.sweep(now);
        let memory = self.memory;
        let remembered = match self.remembered(caller) {
            Ok(remembered) => remembered,
            Err(decision) => return decision,
        };
        if let Some(call) = remembered.calls.get_mut(&key.number) {
            if call.target != target {
                return Decision::OtherCall;
            }
            return match &mut call.state {
                State::Finished(outcome) => Decision::Known(outcome.clone()),
                State::Running(waiters) => {
                    if waiters.len() == waiters.capacity() {
                        // Looked for so seldom that a call can be asked again any number of times.
                        waiters.retain(is_there);
                        waiters.reserve(waiters.len().max(WAITERS_LEAST));
                    }
                    waiters.push(waiter);
                    Decision::Joined
                }
            };
        }
        if key.is_repeat && key.number <= remembered.forgotten_to {
            return Decision::Forgotten;
        }
        while remembered.calls.len() >= memory.calls_max {
            if !remembered.forget_oldest() {
                return Decision::Full;
            }
        }
        let run = remembered.asked;
        let call = Call { target, run, state: State::Running(vec![waiter]) };
        remembered.calls.insert(key.number, call);
        Decision::Run(Ticket { caller, number: key.number, run })
    }

    /// A run has ended; those who wait for its outcome. Nobody does if it has ended before, or its caller has
    /// another life.
    pub(crate) fn finish(&mut self, now: Instant, ticket: Ticket, outcome: Outcome) -> Vec<W> {
        let Ticket { caller, number, run } = ticket;
        let remembered = self.callers.get_mut(&caller.node);
        let Some(remembered) = remembered.filter(|known| known.incarnation == caller.incarnation) else {
            return Vec::new();
        };
        let Some(call) = remembered.calls.get_mut(&number).filter(|call| call.run == run) else {
            return Vec::new();
        };
        let State::Running(waiters) = &mut call.state else { return Vec::new() };
        let waiters = std::mem::take(waiters);
        if outcome.never_ran() {
            remembered.calls.remove(&number);
            return waiters;
        }
        if outcome.bytes() > self.memory.bytes_max {
            // No room that others could make is enough.
            remembered.calls.remove(&number);
            remembered.forgotten_to = remembered.forgotten_to.max(number);
            return waiters;
        }
        remembered.bytes += outcome.bytes();
        call.state = State::Finished(outcome);
        remembered.finished.push_back((now, number));
        while remembered.bytes > self.memory.bytes_max && remembered.forget_oldest() {}
        waiters
    }

    /// What is known of a caller, unless it is a former life of its node, or there is no room for one
    /// more.
    fn remembered(&mut self, caller: NodeLife) -> Result<&mut Remembered<W>, Decision> {
        let known = self.callers.get(&caller.node).map(|known| known.incarnation);
        if known.is_some_and(|known| known > caller.incarnation) {
            return Err(Decision::Forgotten);
        }
        if known != Some(caller.incarnation) {
            // Nobody else asks for what a former life has asked.
            self.callers.remove(&caller.node);
            if self.callers.len() >= self.memory.callers_max.max(1) && !self.forget_caller() {
                return Err(Decision::Full);
            }
            let is_certain = known.is_some() || !self.has_forgotten_callers;
            let forgotten_to = if is_certain { 0 } else { u64::MAX };
            self.callers.insert(caller.node, Remembered::new(caller.incarnation, forgotten_to));
        }
        self.asks += 1;
        let asks = self.asks;
        let remembered = self.callers.get_mut(&caller.node).ok_or(Decision::Full)?;
        remembered.asked = asks;
        Ok(remembered)
    }

    /// Forgets the caller that has not asked for longest, of those of whose calls none runs: who waits
    /// for one is to be told. Whether there was one.
    fn forget_caller(&mut self) -> bool {
        let idle = self.callers.iter().filter(|(_, known)| known.finished.len() == known.calls.len());
        let Some(oldest) = idle.min_by_key(|(_, known)| known.asked).map(|(node, _)| *node) else {
            return false;
        };
        self.callers.remove(&oldest);
        self.has_forgotten_callers = true;
        true
    }

    /// Forgets what is old, of all callers; not at every call.
    pub(crate) fn sweep(&mut self, now: Instant) {
        if now < self.sweep_at {
            return;
        }
        let retention = self.memory.retention;
        self.sweep_at = now + retention / SWEEPS_PER_RETENTION;
        for remembered in self.callers.values_mut() {
            while remembered.finished.front().is_some_and(|(at, _)| *at + retention <= now) {
                remembered.forget_oldest();
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn finished(&self) -> usize {
        self.callers.values().map(|known| known.finished.len()).sum()
    }
}

impl<W> Remembered<W> {
    fn new(incarnation: Incarnation, forgotten_to: u64) -> Self {
        Self {
            incarnation,
            calls: BTreeMap::new(),
            finished: VecDeque::new(),
            bytes: 0,
            forgotten_to,
            asked: 0,
        }
    }

    /// Forgets the call that finished first; whether there was one.
    fn forget_oldest(&mut self) -> bool {
        let Some((_, number)) = self.finished.pop_front() else { return false };
        self.forgotten_to = self.forgotten_to.max(number);
        if let Some(Call { state: State::Finished(outcome), .. }) = self.calls.remove(&number) {
            self.bytes -= outcome.bytes();
        }
        true
    }
}

/// How many may wait for a call that was asked again before those are looked for who have gone away.
const WAITERS_LEAST: usize = 4;

/// How often it is looked for what is old, in the time that it is kept.
const SWEEPS_PER_RETENTION: u32 = 8;
