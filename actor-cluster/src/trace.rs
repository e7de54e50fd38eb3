//! Traces that go on across nodes: what a message brings along of its sender's, and who reads and
//! writes that. `docs/PROTOCOL.md` §4.8.
//!
//! ```text
//!  a hook sends ── inject ──► TraceContext ··· Annotate ··· TraceContext ── extract ──► Span
//!   in its span                                                      of the handler ◄────┘
//! ```

use std::fmt;

use actor_core::ActorId;
use tracing::Span;

use crate::contain::contained;
use crate::event::PeerInfo;
use crate::limits::TRACE_STATE_BYTES_MAX;

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

/// A place in a trace, as the W3C's *Trace Context* has it: what a `traceparent` and a `tracestate` say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: u128,
    parent: u64,
    flags: u8,
    state: Box<str>,
}

/// Something is no [`TraceContext`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceContextError {
    /// No trace and no span has the id zero.
    #[error("an id that is zero")]
    Zero,
    /// The text is no `traceparent`.
    #[error("no traceparent")]
    Parent,
    /// Vendors' entries are too long, or not of printable ASCII characters.
    #[error("no tracestate of at most {TRACE_STATE_BYTES_MAX} bytes")]
    State,
}

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

impl TraceContext {
    /// The span `parent` of a trace. The flags are those of a `traceparent`.
    ///
    /// # Errors
    ///
    /// [`TraceContextError::Zero`].
    pub fn new(trace: u128, parent: u64, flags: u8) -> Result<Self, TraceContextError> {
        if trace == 0 || parent == 0 {
            return Err(TraceContextError::Zero);
        }
        Ok(Self { trace, parent, flags, state: Box::default() })
    }

    /// Adds a `tracestate`: what vendors of tracing systems say of the trace, at most
    /// [`TRACE_STATE_BYTES_MAX`] bytes. It is handed on as it is.
    ///
    /// # Errors
    ///
    /// [`TraceContextError::State`].
    pub fn with_state(self, state: &str) -> Result<Self, TraceContextError> {
        let is_printable = state.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if state.len() > TRACE_STATE_BYTES_MAX || !is_printable {
            return Err(TraceContextError::State);
        }
        Ok(Self { state: state.into(), ..self })
    }

    /// Reads a `traceparent`. Of a later version than 00 it reads what 00 has.
    ///
    /// # Errors
    ///
    /// [`TraceContextError::Parent`], [`TraceContextError::Zero`].
    pub fn from_traceparent(text: &str) -> Result<Self, TraceContextError> {
        let mut fields = text.split('-');
        let mut field = |length| fields.next().and_then(|text| hex(text, length));
        let read = || Some((field(2)?, field(32)?, field(16)?, field(2)?));
        let (version, trace, parent, flags) = { read }().ok_or(TraceContextError::Parent)?;
        let has_more = fields.next().is_some();
        if version == 0xff || (version == 0 && has_more) {
            return Err(TraceContextError::Parent);
        }
        let narrow = TraceContextError::Parent;
        Self::new(trace, u64::try_from(parent).map_err(|_| narrow)?, u8::try_from(flags).map_err(|_| narrow)?)
    }

    /// Its `traceparent`, of version 00.
    pub fn traceparent(&self) -> String {
        let Self { trace, parent, flags, .. } = self;
        format!("00-{trace:032x}-{parent:016x}-{flags:02x}")
    }

    /// The trace's id: the 16 bytes of a `traceparent` as a number, the first one the highest.
    pub fn trace_id(&self) -> u128 {
        self.trace
    }

    /// The id of the span that the message was sent in.
    pub fn parent_id(&self) -> u64 {
        self.parent
    }

    /// The flags of a `traceparent`.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the sender records the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The `tracestate`, empty if there is none.
    pub fn state(&self) -> &str {
        &self.state
    }
}

/// A number of so many lower-case hexadecimal digits.
fn hex(text: &str, length: usize) -> Option<u128> {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == length && is_hex).then(|| u128::from_str_radix(text, 16).ok())?
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

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_comes_back_as_it_was() {
        let context = TraceContext::from_traceparent(PARENT).unwrap();
        assert_eq!(context.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!((context.parent_id(), context.flags()), (0x00f0_67aa_0ba9_02b7, 1));
        assert!(context.is_sampled());
        assert_eq!(context.traceparent(), PARENT);
        let later = PARENT.replacen("00", "7c", 1);
        assert_eq!(TraceContext::from_traceparent(&format!("{later}-more")), Ok(context));
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        let refused = |text: &str| TraceContext::from_traceparent(text).unwrap_err();
        for at in 0..PARENT.len() {
            assert_eq!(refused(&PARENT[..at]), TraceContextError::Parent, "{at} characters");
            for wrong in ["g", "A", " ", "+", "é"] {
                let text = format!("{}{wrong}{}", &PARENT[..at], &PARENT[at + 1..]);
                assert_eq!(refused(&text), TraceContextError::Parent, "{text}");
            }
        }
        for text in [format!("{PARENT}-00"), format!("{PARENT}0"), PARENT.replacen("00", "ff", 1)] {
            assert_eq!(refused(&text), TraceContextError::Parent, "{text}");
        }
        let no_trace = format!("00-{:032}-00f067aa0ba902b7-01", 0);
        let no_parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{:016}-01", 0);
        assert_eq!([refused(&no_trace), refused(&no_parent)], [TraceContextError::Zero; 2]);
    }

    #[test]
    fn a_tracestate_is_bounded_and_printable() {
        let context = TraceContext::new(1, 2, 0).unwrap();
        assert!(!context.is_sampled() && context.state().is_empty());
        let longest = "~".repeat(TRACE_STATE_BYTES_MAX);
        assert_eq!(context.clone().with_state(&longest).unwrap().state(), longest);
        for state in [format!("{longest} "), "a\n".into(), "\u{7f}".into(), "é".into()] {
            assert_eq!(context.clone().with_state(&state), Err(TraceContextError::State));
        }
    }
}
