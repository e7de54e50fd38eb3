//! What a message may bring along, and its form in an Annotate frame: `docs/PROTOCOL.md` §4.8.

use bytes::BytesMut;
use prost::Message;

use super::frame::{Kind, OpenFrame};
use super::lanes::LaneId;
use crate::limits::ANNOTATION_BYTES_MAX;
use crate::trace::TraceContext;

/// See the module. Usually a message brings nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Annotation {
    pub(crate) trace: Option<TraceContext>,
    /// Of a call.
    pub(crate) key: Option<Key>,
}

/// The key of a call that may be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Which of the caller's calls it is.
    pub(crate) number: u64,
    /// Whether it was asked before, and may have run.
    pub(crate) is_repeat: bool,
}

/// These bytes are no annotation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an annotation: {0}")]
pub(crate) struct BadAnnotation(String);

impl Annotation {
    /// Appends the frame; how many bytes it takes.
    pub(crate) fn write(&self, buffer: &mut BytesMut, lane: LaneId) -> usize {
        let frame = OpenFrame::begin(buffer, Kind::Annotate, lane, 0);
        let key = self.key.map(|Key { number, is_repeat }| SaidKey { number, is_repeat });
        let said = Said { trace: self.trace.as_ref().map(SaidTrace::of), key };
        said.encode(buffer).expect("a buffer that grows has room");
        let bytes = frame.finish(buffer);
        debug_assert!(bytes <= Self::FRAME_BYTES_MAX, "an annotation that the peer takes");
        bytes
    }

    /// The most that one takes on the wire.
    pub(crate) const FRAME_BYTES_MAX: usize = super::frame::HEADER_BYTES + ANNOTATION_BYTES_MAX;

    /// Reads the body of a frame. What a later version says is skipped.
    pub(crate) fn read(body: &[u8]) -> Result<Self, BadAnnotation> {
        if body.len() > ANNOTATION_BYTES_MAX {
            return Err(BadAnnotation("over the limit".to_owned()));
        }
        let said = Said::decode(body).map_err(|error| BadAnnotation(error.to_string()))?;
        let trace = said.trace.map(SaidTrace::into_context).transpose()?;
        let key = said.key.map(|SaidKey { number, is_repeat }| Key { number, is_repeat });
        Ok(Self { trace, key })
    }
}

#[derive(Clone, PartialEq, Message)]
struct Said {
    #[prost(message, optional, tag = "1")]
    trace: Option<SaidTrace>,
    #[prost(message, optional, tag = "2")]
    key: Option<SaidKey>,
}

#[derive(Clone, PartialEq, Message)]
struct SaidKey {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(bool, tag = "2")]
    is_repeat: bool,
}

#[derive(Clone, PartialEq, Message)]
struct SaidTrace {
    #[prost(fixed64, tag = "1")]
    trace_high: u64,
    #[prost(fixed64, tag = "2")]
    trace_low: u64,
    #[prost(fixed64, tag = "3")]
    parent: u64,
    #[prost(uint32, tag = "4")]
    flags: u32,
    #[prost(string, tag = "5")]
    state: String,
}

impl SaidTrace {
    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    fn of(context: &TraceContext) -> Self {
        let trace = context.trace_id();
        Self {
            trace_high: (trace >> 64) as u64,
            trace_low: trace as u64,
            parent: context.parent_id(),
            flags: context.flags().into(),
            state: context.tracestate().to_owned(),
        }
    }

    fn into_context(self) -> Result<TraceContext, BadAnnotation> {
        let trace = u128::from(self.trace_high) << 64 | u128::from(self.trace_low);
        let flags = u8::try_from(self.flags).map_err(|_| BadAnnotation("flags over 255".to_owned()))?;
        let context = TraceContext::new(trace, self.parent, flags);
        let context = context.and_then(|context| context.with_tracestate(&self.state));
        context.map_err(|error| BadAnnotation(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TRACE_STATE_BYTES_MAX;
    use crate::wire::frame::{HEADER_BYTES, read_frame};

    /// What a later version says.
    #[derive(Clone, PartialEq, Message)]
    struct Later {
        #[prost(bytes = "vec", tag = "15")]
        more: Vec<u8>,
    }

    fn read_back(annotation: &Annotation) -> Annotation {
        let mut buffer = BytesMut::new();
        let bytes = annotation.write(&mut buffer, LaneId::data(0));
        assert_eq!(buffer.len(), bytes);
        let frame = read_frame(&mut buffer, ANNOTATION_BYTES_MAX).unwrap().unwrap();
        assert_eq!((frame.kind, frame.bytes()), (Kind::Annotate, bytes));
        Annotation::read(&frame.body).unwrap()
    }

    #[test]
    fn what_is_said_is_read_and_the_longest_fits() {
        let longest = TraceContext::new(u128::MAX, u64::MAX, u8::MAX).unwrap();
        let longest = longest.with_tracestate(&"~".repeat(TRACE_STATE_BYTES_MAX)).unwrap();
        let traces = [None, Some(TraceContext::new(1 << 64, 1, 0).unwrap()), Some(longest)];
        let key = Some(Key { number: u64::MAX, is_repeat: true });
        let keyed = traces.clone().map(|trace| Annotation { trace, key });
        for annotation in traces.map(|trace| Annotation { trace, key: None }).into_iter().chain(keyed) {
            assert_eq!(read_back(&annotation), annotation);
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let good = SaidTrace { trace_high: 0, trace_low: 1, parent: 1, flags: 0, state: String::new() };
        let refused = |trace: SaidTrace| {
            let said = Said { trace: Some(trace), key: None }.encode_to_vec();
            Annotation::read(&said).unwrap_err().to_string()
        };
        assert_eq!(refused(SaidTrace { trace_low: 0, ..good.clone() }), "an annotation: an id that is zero");
        assert_eq!(refused(SaidTrace { parent: 0, ..good.clone() }), "an annotation: an id that is zero");
        assert_eq!(refused(SaidTrace { flags: 256, ..good.clone() }), "an annotation: flags over 255");
        let long = "~".repeat(TRACE_STATE_BYTES_MAX + 1);
        let no_state = "an annotation: no tracestate of at most 512 bytes";
        assert_eq!(refused(SaidTrace { state: long, ..good.clone() }), no_state);
        assert_eq!(refused(SaidTrace { state: "\n".into(), ..good }), no_state);
        assert!(Annotation::read(&[0xff; 9]).is_err());
        // A field of a later version, as long as may be, and one byte more.
        let unknown = |bytes: usize| Later { more: vec![0; bytes - 3] }.encode_to_vec();
        assert_eq!(unknown(ANNOTATION_BYTES_MAX).len(), ANNOTATION_BYTES_MAX);
        assert_eq!(Annotation::read(&unknown(ANNOTATION_BYTES_MAX)), Ok(Annotation::default()));
        let over = Annotation::read(&unknown(ANNOTATION_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(over.to_string(), "an annotation: over the limit");
        assert_eq!(HEADER_BYTES + ANNOTATION_BYTES_MAX, Annotation::FRAME_BYTES_MAX);
    }
}
