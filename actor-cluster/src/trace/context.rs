//! A place in a trace, as a value: read from text and from the wire, and checked where it is read.

use crate::limits::TRACE_STATE_BYTES_MAX;

/// A place in a trace, as the W3C's *Trace Context* has it: what a `traceparent` and a `tracestate` say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: u128,
    parent: u64,
    flags: u8,
    tracestate: Box<str>,
}

/// Something is no [`TraceContext`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceContextError {
    /// No trace and no span has the id zero.
    #[error("an id that is zero")]
    ZeroId,
    /// The text is no `traceparent`.
    #[error("no traceparent")]
    Traceparent,
    /// Vendors' entries are too long, or not of printable ASCII characters.
    #[error("no tracestate of at most {TRACE_STATE_BYTES_MAX} bytes")]
    Tracestate,
}

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

impl TraceContext {
    /// The span `parent` of a trace. The flags are those of a `traceparent`.
    ///
    /// # Errors
    ///
    /// [`TraceContextError::ZeroId`].
    pub fn new(trace: u128, parent: u64, flags: u8) -> Result<Self, TraceContextError> {
        if trace == 0 || parent == 0 {
            return Err(TraceContextError::ZeroId);
        }
        Ok(Self { trace, parent, flags, tracestate: Box::default() })
    }

    /// Adds a `tracestate`: what vendors of tracing systems say of the trace, at most
    /// [`TRACE_STATE_BYTES_MAX`] bytes. It is handed on as it is.
    ///
    /// # Errors
    ///
    /// [`TraceContextError::Tracestate`].
    pub fn with_tracestate(self, tracestate: &str) -> Result<Self, TraceContextError> {
        let is_printable = tracestate.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if tracestate.len() > TRACE_STATE_BYTES_MAX || !is_printable {
            return Err(TraceContextError::Tracestate);
        }
        Ok(Self { tracestate: tracestate.into(), ..self })
    }

    /// Reads a `traceparent`. Of a later version than 00 it reads what 00 has.
    ///
    /// # Errors
    ///
    /// [`TraceContextError::Traceparent`], [`TraceContextError::ZeroId`].
    pub fn from_traceparent(text: &str) -> Result<Self, TraceContextError> {
        let (trace, parent, flags) = fields(text).ok_or(TraceContextError::Traceparent)?;
        Self::new(trace, parent, flags)
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
    pub fn tracestate(&self) -> &str {
        &self.tracestate
    }
}

/// The trace, the parent and the flags that a `traceparent` of a version that can be read says.
fn fields(text: &str) -> Option<(u128, u64, u8)> {
    let mut fields = text.split('-');
    let version = hex(fields.next()?, 2)?;
    let trace = hex(fields.next()?, 32)?;
    let parent = hex(fields.next()?, 16)?;
    let flags = hex(fields.next()?, 2)?;
    let has_more = fields.next().is_some();
    if version == 0xff || (version == 0 && has_more) {
        return None;
    }
    Some((trace, parent.try_into().ok()?, flags.try_into().ok()?))
}

/// A number of so many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != digits || !is_hex {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
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
            assert_eq!(refused(&PARENT[..at]), TraceContextError::Traceparent, "{at} characters");
            for wrong in ["g", "A", " ", "+", "é"] {
                let text = format!("{}{wrong}{}", &PARENT[..at], &PARENT[at + 1..]);
                assert_eq!(refused(&text), TraceContextError::Traceparent, "{text}");
            }
        }
        for text in [format!("{PARENT}-00"), format!("{PARENT}0"), PARENT.replacen("00", "ff", 1)] {
            assert_eq!(refused(&text), TraceContextError::Traceparent, "{text}");
        }
        let no_trace = format!("00-{:032}-00f067aa0ba902b7-01", 0);
        let no_parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{:016}-01", 0);
        assert_eq!([refused(&no_trace), refused(&no_parent)], [TraceContextError::ZeroId; 2]);
    }

    #[test]
    fn a_tracestate_is_bounded_and_printable() {
        let context = TraceContext::new(1, 2, 0).unwrap();
        assert!(!context.is_sampled() && context.tracestate().is_empty());
        let longest = "~".repeat(TRACE_STATE_BYTES_MAX);
        assert_eq!(context.clone().with_tracestate(&longest).unwrap().tracestate(), longest);
        for state in [format!("{longest} "), "a\n".into(), "\u{7f}".into(), "é".into()] {
            assert_eq!(context.clone().with_tracestate(&state), Err(TraceContextError::Tracestate));
        }
    }
}
