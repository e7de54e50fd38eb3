//! What a node's process takes of the machine, told by an actor of it to whoever asks: the tests of limits measure
//! a process from outside of it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use actor_cluster::{NodeBuilder, RefusalCause, RemoteMessage, Wire};
use actor_core::{Actor, ActorError, ActorRef, ReplyPort};

use crate::flood::resident_kib;
use crate::keys::RunningNode;

/// The group that a watched node's gauge is a member of.
pub const VITALS: &str = "vitals";

/// Told to a node that is to have such a gauge, and to have sessions with those alone who dial it.
pub const TELLS_VITALS: &str = "tells-vitals";

/// Told to a node, with a number of seconds behind it, that is to send heartbeats so seldom.
pub const HEARTBEAT: &str = "heartbeat=";

/// Has a node send heartbeats so seldom, and take a peer for lost after as many in vain as otherwise.
pub fn heartbeat_every(builder: NodeBuilder, interval: Duration) -> NodeBuilder {
    builder.heartbeat(interval, 5 * interval)
}

/// What the gauge understands.
#[derive(Debug, RemoteMessage)]
pub enum Vitals {
    /// Answers what there is now.
    #[rpc]
    Now(ReplyPort<Signs>),
}

/// What there is of a node.
#[derive(Clone, Debug, PartialEq, Eq, Wire)]
pub struct Signs {
    /// Where it can be dialled.
    pub addresses: Vec<String>,
    /// What the process takes of the machine's memory, in KiB.
    pub resident_kib: u64,
    /// How many files and sockets it has open.
    pub descriptors: u64,
    /// How many tasks its node has.
    pub tasks: u64,
    /// How many sessions.
    pub sessions: u64,
    /// How many peers did not get in, in the order of [`RefusalCause::ALL`].
    pub refused: Vec<u64>,
}

impl Signs {
    /// How many peers did not get in for this cause.
    pub fn refused_for(&self, cause: RefusalCause) -> u64 {
        let place = RefusalCause::ALL.iter().position(|other| *other == cause);
        place.and_then(|place| self.refused.get(place)).copied().unwrap_or_default()
    }

    /// How many in all.
    pub fn refused_in_all(&self) -> u64 {
        self.refused.iter().sum()
    }
}

/// Tells of a node.
#[derive(Debug)]
pub struct Watched(pub Arc<RunningNode>);

impl Actor for Watched {
    type Msg = Vitals;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Vitals>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Vitals>, vitals: Vitals, (): &mut ()) -> Result<(), ActorError> {
        let Vitals::Now(port) = vitals;
        // Whoever asks and goes away misses it.
        _ = port.send(self.signs());
        Ok(())
    }
}

impl Watched {
    fn signs(&self) -> Signs {
        let node = &self.0.server;
        let refusals = node.refusals();
        let descriptors = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        Signs {
            addresses: node.addresses().iter().map(ToString::to_string).collect(),
            resident_kib: resident_kib(),
            descriptors: descriptors as u64,
            tasks: node.tasks() as u64,
            sessions: node.sessions().len() as u64,
            refused: RefusalCause::ALL.map(|cause| refusals.of(cause)).to_vec(),
        }
    }
}
