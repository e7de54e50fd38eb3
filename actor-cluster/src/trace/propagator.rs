//! Who reads and writes traces: the seam to a program's own system of tracing.

use std::fmt;

use actor_core::ActorId;
use tracing::Span;

use super::TraceContext;
use crate::contain::contained;
use crate::event::PeerInfo;

/// Carries traces across nodes, in whichever system of tracing a program has: give one to
/// [`NodeBuilder::propagator`](crate::NodeBuilder::propagator) of each node. Without one nothing is looked at
/// and nothing is sent.
///
/// Both methods are called where messages are sent and delivered: they must be quick and must not block. One
/// that panics is reported, and the message goes on without a trace.
pub trait Propagator: Send + Sync + 'static {
    /// What a message brings along that is sent from here: of the span that this thread is in, usually
    /// [`Span::current`]. `None` if there is none, or if its trace is not recorded: then nothing is sent.
    ///
    /// Asked for each message to an actor of another node that takes contexts, once more for each attempt
    /// where there was no room.
    fn inject(&self) -> Option<TraceContext>;

    /// The span in which an actor handles a message that has brought this along. Asked for messages to
    /// [traced](actor_core::SpawnOptions::traced) actors alone, on the task of the session; the span is
    /// closed when the message has been handled or dropped, and what the handler sends goes on from it.
    ///
    /// The context is the peer's word, well formed and not to be trusted beyond that.
    fn extract(&self, context: &TraceContext, from: &PeerInfo, to: ActorId) -> Span;
}

impl dyn Propagator {
    /// [`inject`](Self::inject), whatever it does.
    pub(crate) fn injected(&self) -> Option<TraceContext> {
        contained("a propagator", || self.inject()).flatten()
    }

    /// [`extract`](Self::extract), whatever it does.
    pub(crate) fn extracted(&self, context: &TraceContext, from: &PeerInfo, to: ActorId) -> Span {
        contained("a propagator", || self.extract(context, from, to)).unwrap_or_else(Span::none)
    }
}

impl fmt::Debug for dyn Propagator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Propagator")
    }
}
