//! What happened in a simulated cluster, as plain values in the order in which it happened: what invariants are checked
//! against, and what a failed test is explained by.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actor_cluster::{Incarnation, MemberEvent, NodeEvent, NodeId};
use actor_core::{ActorId, CallError, CallFailure, Instant};

use super::fault::Fault;
use crate::simulation::world::Handle;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in virtual time.
    pub at: Instant,
    /// On which node; `None` where it is about several, or the network.
    pub node: Option<usize>,
    /// What.
    pub what: What,
}

/// What an [`Event`] says. Those from [`CallBegun`](Self::CallBegun) on are told by the test's own actors, through a
/// [`Recorder`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A life of the node began: it listens.
    Started {
        /// Who it is, in all its lives.
        id: NodeId,
        /// Which life.
        incarnation: Incarnation,
    },
    /// A life of the node ended without a word: it crashed.
    Crashed {
        /// Which life.
        incarnation: Incarnation,
    },
    /// A life of the node ended in order.
    Left {
        /// Which life.
        incarnation: Incarnation,
    },
    /// A fault was injected, or mended.
    Fault(Fault),
    /// The node was connected by a peer, or has connected to one; each of the two tells it.
    ConnectionOpened {
        /// The connection; both of its nodes know it by this number.
        connection: u64,
        /// The other node.
        peer: usize,
    },
    /// The node has let go of a connection.
    ConnectionClosed {
        /// The connection.
        connection: u64,
    },
    /// The node told this of itself: sessions that are ready, interrupted, lost, and so on.
    Node(NodeEvent),
    /// The node has seen this happen to the members of its cluster.
    Member(MemberEvent),
    /// Somebody on the node called an actor.
    CallBegun {
        /// Whatever the test numbers its calls by.
        call: u64,
        /// Whom.
        to: ActorId,
    },
    /// An actor on the node ran a call. Where calls are told at all this must be too: one that is answered has run.
    CallRan {
        /// Which.
        call: u64,
    },
    /// The caller has its answer, or knows that there is none.
    CallEnded {
        /// Which.
        call: u64,
        /// What came of it.
        outcome: Outcome,
    },
    /// Somebody on the node sent a message to an actor.
    Sent {
        /// Whatever the test numbers its senders by.
        from: u64,
        /// Whom to.
        to: ActorId,
        /// The message: the sender counts those to one actor from 0.
        number: u64,
    },
    /// An actor on the node handled a message.
    Received {
        /// Who sent it.
        from: u64,
        /// Who handled it.
        to: ActorId,
        /// Which message.
        number: u64,
    },
    /// Somebody on the node watches an actor.
    WatchBegun {
        /// Whatever the test numbers its watches by.
        watch: u64,
        /// Whom.
        actor: ActorId,
    },
    /// A watch told of the end of its actor.
    WatchFired {
        /// Which.
        watch: u64,
    },
    /// The node publishes an actor under a name that only one may have.
    NameTaken {
        /// The name.
        name: Arc<str>,
        /// The actor.
        actor: ActorId,
    },
    /// The node does not publish it any more.
    NameLost {
        /// The name.
        name: Arc<str>,
        /// The actor.
        actor: ActorId,
    },
    /// Somebody on the node has found an actor by a name.
    NameFound {
        /// The name.
        name: Arc<str>,
        /// The actor.
        actor: ActorId,
    },
    /// An actor on the node has ended.
    ActorEnded {
        /// Which.
        actor: ActorId,
    },
    /// Anything else that a test wants to have in its history.
    Note(String),
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered,
    /// It was given back to the caller, and never left.
    NotSent,
    /// It was not, and what is known of whether it ran.
    Failed(CallFailure),
}

impl Outcome {
    /// Whether the caller was told that no handler saw the call.
    pub fn never_ran(&self) -> bool {
        match self {
            Self::Answered => false,
            Self::NotSent => true,
            Self::Failed(failure) => failure.never_ran(),
        }
    }

    /// What a call came to.
    pub fn of<T, M>(result: &Result<T, CallError<M>>) -> Self {
        match result {
            Ok(_) => Self::Answered,
            Err(CallError::NotSent(_)) => Self::NotSent,
            Err(CallError::Failed(failure)) => Self::Failed(failure.clone()),
        }
    }
}

/// Writes the history of a cluster. Clones write the same.
#[derive(Clone)]
pub struct Recorder {
    events: Arc<Mutex<Vec<Event>>>,
    world: Handle,
}

impl Recorder {
    pub(super) fn new(world: Handle) -> Self {
        Self { events: Arc::default(), world }
    }

    /// Writes down what happens now, on a node if it is about one.
    pub fn record(&self, node: impl Into<Option<usize>>, what: What) {
        let mut world = self.world.world();
        let event = Event { at: world.now, node: node.into(), what };
        // The text of an event says all of it, and nothing of it differs between runs that do the same.
        let text = format!("{event:?}");
        world.trace().note_bytes(text.as_bytes());
        world.note(|| format!("history: {text}"));
        drop(world);
        self.events().push(event);
    }

    /// All events so far, in the order in which they happened.
    pub fn history(&self) -> Vec<Event> {
        self.events().clone()
    }

    pub(super) fn len(&self) -> usize {
        self.events().len()
    }

    /// What came after so many events.
    pub(super) fn since(&self, events: usize) -> Vec<Event> {
        self.events().get(events..).unwrap_or_default().to_vec()
    }

    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("events", &self.events().len()).finish_non_exhaustive()
    }
}

/// A line of text: `12.5s node 3: Fault(…)`.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at: Duration = self.at.elapsed();
        match self.node {
            Some(node) => write!(f, "{at:?} node {node}: {:?}", self.what),
            None => write!(f, "{at:?}: {:?}", self.what),
        }
    }
}
