//! The simulated network: nodes, the ways between them, the connections that they have.
//!
//! ```text
//!  transport.rs ── dial, listen, accept, open ─┐
//!  stream.rs ───── read, write, end ───────────┴─► Net (one lock) ── alarms ──► the world's timers
//!  faults ──────── block, cut, crash ──────────┘     ways · connections · streams (pipe.rs)
//! ```
//!
//! Its lock is taken before the world's, and wakers are woken under it: none of them comes back here.

mod faults;
mod numbered;
mod pipe;
mod stream;
#[cfg(test)]
mod tests;
mod transport;
mod way;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use actor_cluster::transport::{CloseReason, PeerIdentity};
use actor_core::Instant;

use self::numbered::Numbered;
use self::pipe::Pipe;
pub(super) use self::transport::{SimTransport, address_of};
use self::way::Way;
use super::conditions::Conditions;
use super::fault::Degradation;
use super::history::{Recorder, What};
use crate::simulation::Random;
use crate::simulation::world::Handle;

/// The network of a cluster.
#[derive(Clone)]
pub(super) struct Net {
    state: Arc<Mutex<State>>,
    world: Handle,
    recorder: Recorder,
}

struct State {
    random: Random,
    /// From each node to each node, those of one sender together.
    ways: Vec<Way>,
    machines: Vec<Machine>,
    connections: Numbered<Connection>,
    streams: Numbered<Stream>,
}

/// Where a node runs.
#[derive(Default)]
struct Machine {
    /// Whether nobody hears anything of it.
    is_dark: bool,
    /// How many lives the node has begun.
    life: u64,
    door: Option<Door>,
    /// What has become of its network.
    degradation: Degradation,
}

/// Where a node takes connections.
struct Door {
    identity: PeerIdentity,
    backlog: VecDeque<u64>,
    listener: Option<Waker>,
}

/// The dialler's side is the first.
struct Connection {
    nodes: [usize; 2],
    identities: [PeerIdentity; 2],
    sides: [Side; 2],
    /// How many streams the dialler may still open.
    streams_left: usize,
    /// Those that the other side has not taken.
    opened: VecDeque<(Instant, u64)>,
    /// All that are not gone.
    streams: Vec<u64>,
    /// Whoever waits for the next stream.
    taker: Option<Waker>,
    /// When it arrives that no more streams will come.
    no_more: Option<Instant>,
}

/// One end of a connection or of a stream.
#[derive(Default)]
struct Side {
    /// Its owner has dropped it, or is no more.
    is_gone: bool,
    closed: Option<CloseReason>,
    /// It went without a word: the other side is reset when the node is there again.
    is_unheard: bool,
}

struct Stream {
    connection: u64,
    nodes: [usize; 2],
    sides: [Side; 2],
    /// What each side writes.
    pipes: [Pipe; 2],
}

impl Net {
    pub(super) fn new(
        seed: u64,
        nodes: usize,
        conditions: Conditions,
        world: Handle,
        recorder: Recorder,
    ) -> Self {
        let state = State {
            random: Random::seeded(seed ^ 0x6e65_7477_6f72_6b73),
            ways: (0..nodes * nodes).map(|_| Way::new(conditions)).collect(),
            machines: (0..nodes).map(|_| Machine::default()).collect(),
            connections: Numbered::default(),
            streams: Numbered::default(),
        };
        Self { state: Arc::new(Mutex::new(state)), world, recorder }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        self.world.time()
    }

    /// Has the reader of a pipe woken when there is something for it.
    fn set_alarm(&self, pipe: &mut Pipe) {
        let Some(due) = pipe.next_due() else { return };
        if pipe.alarm.is_some_and(|(at, _)| at <= due) {
            return;
        }
        self.take_alarm_back(pipe);
        if let Some(reader) = &pipe.reader {
            let waker = reader.clone();
            pipe.alarm = Some(self.world.world().wake_at(due, waker));
        }
    }

    fn take_alarm_back(&self, pipe: &mut Pipe) {
        // One of the past has gone off, and one of this moment may do so to no effect.
        if let Some(alarm) = pipe.alarm.take().filter(|(at, _)| *at > self.now()) {
            let waker = self.world.world().take_back(alarm);
            drop(waker);
        }
    }

    /// Wakes somebody at a moment.
    fn wake_at(&self, at: Instant, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.world.world().wake_at(at, waker);
        }
    }

    fn record_opened(&self, connection: u64, nodes: [usize; 2]) {
        for (node, peer) in [(nodes[0], nodes[1]), (nodes[1], nodes[0])] {
            self.recorder.record(node, What::ConnectionOpened { connection, peer });
        }
    }
}

impl State {
    fn way_index(&self, from: usize, to: usize) -> usize {
        from * self.machines.len() + to
    }

    fn way(&self, from: usize, to: usize) -> &Way {
        &self.ways[self.way_index(from, to)]
    }

    fn degradations(&self, from: usize, to: usize) -> [Degradation; 2] {
        [from, to].map(|node| self.machines[node].degradation)
    }

    /// When a small thing arrives that is sent now.
    fn arrival(&mut self, now: Instant, from: usize, to: usize) -> Instant {
        let index = self.way_index(from, to);
        self.ways[index].arrival(now, 0, &mut self.random)
    }

    /// Forgets what nobody has any more.
    fn forget_stream(&mut self, stream: u64) {
        let is_gone = |stream: &Stream| stream.sides.iter().all(|side| side.is_gone);
        if self.streams.get(stream).is_some_and(is_gone)
            && let Some(gone) = self.streams.remove(stream)
            && let Some(connection) = self.connections.get_mut(gone.connection)
        {
            connection.streams.retain(|other| *other != stream);
        }
    }

    fn forget_connection(&mut self, connection: u64) {
        let is_gone = |connection: &Connection| connection.sides.iter().all(|side| side.is_gone);
        if self.connections.get(connection).is_some_and(is_gone) {
            self.connections.remove(connection);
        }
    }
}

/// The other side.
const fn other(side: usize) -> usize {
    1 - side
}
