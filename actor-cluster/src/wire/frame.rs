//! Frames: how a stream of bytes is cut. `docs/PROTOCOL.md` §2 describes every
//! byte. Lives here: the fixed header and its bounds. Must not live here: what a
//! frame means (`session/`).

use bytes::{Buf, Bytes, BytesMut};

pub(crate) use super::kind::Kind;
use super::lanes::LaneId;
use crate::limits::{CALLS_MAX, FRAME_BODY_BYTES_MAX, TYPES_MAX};

/// The bytes in front of every frame's body.
pub(crate) const HEADER_BYTES: usize = 8;

/// The largest number that the header's index field can say.
pub(crate) const INDEX_MAX: u32 = (1 << 24) - 1;

/// What a frame's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) lane: LaneId,
    /// A type's index, a failure's code, a lane, a set of lanes, the number of a large frame, or
    /// zero.
    pub(crate) index: u32,
    /// Of the body, in bytes.
    pub(super) length: usize,
}

impl Header {
    /// Reads the header in front of some bytes. `None` if it is not all there yet. It is judged
    /// at once, so that a frame over the limit is refused before anything is allocated for it.
    #[inline]
    pub(super) fn read(bytes: &[u8], body_bytes_max: usize) -> Result<Option<Self>, FrameError> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let [l0, l1, l2, kind, i0, i1, i2, lane] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, 0]) as usize;
        let index = u32::from_le_bytes([i0, i1, i2, 0]);
        let kind = Kind::from_u8(kind).ok_or(FrameError::Kind(kind))?;
        let lane = LaneId::from_u8(lane);
        if !kind.belongs_to(lane) {
            return Err(FrameError::Lane { lane: lane.as_u8() });
        }
        if index != 0 && !kind.has_index() {
            return Err(FrameError::Index { kind: kind as u8, index });
        }
        if length > body_bytes_max {
            return Err(FrameError::TooLarge { bytes: length, limit: body_bytes_max });
        }
        Ok(Some(Self { kind, lane, index, length }))
    }

    /// The header in front of some bytes, if it is that of a cast in a lane that carries messages.
    #[inline]
    pub(super) fn read_cast(bytes: &[u8], lane: LaneId) -> Option<Self> {
        let [l0, l1, l2, kind, i0, i1, i2, of] = *bytes.first_chunk::<HEADER_BYTES>()?;
        let length = u32::from_le_bytes([l0, l1, l2, 0]) as usize;
        let index = u32::from_le_bytes([i0, i1, i2, 0]);
        (kind == Kind::Cast as u8 && of == lane.as_u8()).then_some(Self {
            kind: Kind::Cast,
            lane,
            index,
            length,
        })
    }

    /// What the frame takes on the wire, which is what it costs in credit.
    #[inline]
    pub(crate) fn frame_bytes(&self) -> usize {
        HEADER_BYTES + self.length
    }
}

/// One frame, its body still a slice of the read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) lane: LaneId,
    /// A type's index, a failure's code, a lane, a set of lanes, the number of a large frame, or
    /// zero.
    pub(crate) index: u32,
    pub(crate) body: Bytes,
}

#[cfg(any(test, feature = "fuzzing"))]
impl Frame {
    /// What the frame takes on the wire.
    pub(crate) fn bytes(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }
}

/// The peer's bytes are no frames. The connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame of unknown kind {0}")]
    Kind(u8),
    #[error("a frame on lane {lane}, where its kind does not belong")]
    Lane { lane: u8 },
    #[error("a frame of kind {kind} with index {index}, where its kind has none")]
    Index { kind: u8, index: u32 },
    #[error("a frame of {bytes} bytes, where {limit} is the limit")]
    TooLarge { bytes: usize, limit: usize },
}

/// Cuts the next frame off the front of the buffer. `None` if it is not all there yet.
pub(crate) fn read_frame(buffer: &mut BytesMut, body_bytes_max: usize) -> Result<Option<Frame>, FrameError> {
    let Some(header) = Header::read(buffer, body_bytes_max)? else { return Ok(None) };
    if buffer.len() < header.frame_bytes() {
        buffer.reserve(header.frame_bytes() - buffer.len());
        return Ok(None);
    }
    buffer.advance(HEADER_BYTES);
    let Header { kind, lane, index, length } = header;
    Ok(Some(Frame { kind, lane, index, body: buffer.split_to(length).freeze() }))
}

/// How many bytes the first frame takes if all of it is there and its body is not too long. It is not judged
/// otherwise.
#[inline]
pub(super) fn bytes_in_front(bytes: &[u8], body_bytes_max: usize) -> Option<usize> {
    let [l0, l1, l2, ..] = *bytes.first_chunk::<HEADER_BYTES>()?;
    let length = u32::from_le_bytes([l0, l1, l2, 0]) as usize;
    (length <= body_bytes_max && bytes.len() - HEADER_BYTES >= length).then_some(HEADER_BYTES + length)
}

/// The index of a call: that of its type, and above it how many calls its sender has under way,
/// in bits, so that the reader knows how many to take at a time.
pub(crate) fn call_index(index: u32, under_way: usize) -> u32 {
    index | (usize::BITS - under_way.leading_zeros()) << CALL_INDEX_BITS
}

/// Takes it apart: the type's index, and about how many calls are under way.
pub(crate) fn split_call_index(index: u32) -> (u32, usize) {
    let bits = (index >> CALL_INDEX_BITS).min(CALLS_MAX.ilog2() + 1);
    (index & ((1 << CALL_INDEX_BITS) - 1), (1 << bits) - 1)
}

/// Types' indices are below this many bits.
const CALL_INDEX_BITS: u32 = 16;

const _: () = assert!(TYPES_MAX <= 1 << CALL_INDEX_BITS, "the rest of an index is free");

/// How many messages there are in a piece of whole frames.
pub(crate) fn count_messages(frames: &[u8]) -> u64 {
    whole_frames(frames).filter(|(kind, ..)| matches!(kind, Kind::Cast | Kind::Call)).count() as u64
}

/// The calls in a piece of whole frames.
pub(crate) fn correlations(frames: &[u8]) -> impl Iterator<Item = u64> {
    let calls = whole_frames(frames).filter(|(kind, ..)| *kind == Kind::Call);
    calls.filter_map(|(_, _, body)| correlation_of(body))
}

/// The casts in a piece of whole frames: the index of the type, and the target.
pub(crate) fn casts(frames: &[u8]) -> impl Iterator<Item = (u32, u64)> {
    let casts = whole_frames(frames).filter(|(kind, ..)| *kind == Kind::Cast);
    casts.filter_map(|(_, index, body)| Some((index, u64::from_le_bytes(*body.first_chunk()?))))
}

/// The correlation in the body of a call: it stands behind the target.
pub(crate) fn correlation_of(body: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*body.get(8..)?.first_chunk()?))
}

/// The frames in a piece of whole frames, each with its header, and with the Annotate that leads it.
pub(crate) fn pieces(mut frames: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let mut end = 0;
        loop {
            let frame = frames.get(end..)?;
            end += bytes_in_front(frame, FRAME_BODY_BYTES_MAX)?;
            if frame.get(KIND_AT) != Some(&(Kind::Annotate as u8)) {
                break;
            }
        }
        let (piece, behind) = frames.split_at_checked(end)?;
        frames = behind;
        Some(piece)
    })
}

/// Where a header says its kind.
const KIND_AT: usize = 3;

fn whole_frames(mut frames: &[u8]) -> impl Iterator<Item = (Kind, u32, &[u8])> {
    std::iter::from_fn(move || {
        let ([l0, l1, l2, kind, i0, i1, i2, _], rest) = frames.split_first_chunk::<HEADER_BYTES>()?;
        let length = u32::from_le_bytes([*l0, *l1, *l2, 0]) as usize;
        let (body, behind) = rest.split_at_checked(length)?;
        frames = behind;
        Some((Kind::from_u8(*kind)?, u32::from_le_bytes([*i0, *i1, *i2, 0]), body))
    })
}

/// The lane of a whole frame, if its header is right about it and it is one's.
#[cfg(test)]
pub(crate) fn lane_of(frame: &[u8]) -> Option<LaneId> {
    let lane = LaneId::from_u8(frame[7]);
    let is_right = Kind::from_u8(frame[3])?.belongs_to(lane);
    (is_right && lane != LaneId::NONE).then_some(lane)
}

/// The header of a frame whose length is not known yet.
#[inline]
fn header(kind: Kind, lane: LaneId, index: u32) -> [u8; HEADER_BYTES] {
    debug_assert!(index <= INDEX_MAX, "an index of at most 24 bits");
    debug_assert!(kind.belongs_to(lane), "a lane of its kind");
    let [i0, i1, i2, _] = index.to_le_bytes();
    [0, 0, 0, kind as u8, i0, i1, i2, lane.as_u8()]
}

/// A frame that is being written; its length is filled in at the end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenFrame {
    start: usize,
    /// How many bytes of frames in front go wherever this one does.
    lead: usize,
}

impl OpenFrame {
    /// Appends a header without a length.
    #[inline]
    pub(crate) fn begin(buffer: &mut BytesMut, kind: Kind, lane: LaneId, index: u32) -> Self {
        let start = buffer.len();
        buffer.extend_from_slice(&header(kind, lane, index));
        Self { start, lead: 0 }
    }

    /// So many bytes of whole frames in front belong to it.
    #[inline]
    pub(crate) fn led_by(self, lead: usize) -> Self {
        Self { lead, ..self }
    }

    /// How many those are.
    pub(crate) fn lead(&self) -> usize {
        self.lead
    }

    /// As [`begin`](Self::begin), with the number that comes first in the body.
    #[inline]
    pub(crate) fn begin_about(
        buffer: &mut BytesMut,
        kind: Kind,
        lane: LaneId,
        index: u32,
        about: u64,
    ) -> Self {
        let start = buffer.len();
        // At once: there is one look for room.
        buffer.extend_from_slice([header(kind, lane, index), about.to_le_bytes()].as_flattened());
        Self { start, lead: 0 }
    }

    /// What it takes on the wire so far.
    pub(crate) fn bytes(&self, buffer: &BytesMut) -> usize {
        buffer.len() - self.start
    }

    /// Fills in the length and says what the frame takes on the wire.
    #[inline]
    pub(crate) fn finish(self, buffer: &mut BytesMut) -> usize {
        let bytes = self.bytes(buffer);
        self.fill_in(buffer, bytes - HEADER_BYTES);
        bytes
    }

    #[inline]
    fn fill_in(self, buffer: &mut BytesMut, length: usize) {
        debug_assert!(length <= FRAME_BODY_BYTES_MAX, "what is longer goes in parts");
        let [l0, l1, l2, _] = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(header) = buffer[self.start..].first_chunk_mut::<3>() {
            *header = [l0, l1, l2];
        }
    }

    /// Fills in the length and takes the frame out of the buffer with what leads it, to be written later.
    pub(crate) fn take_out(self, buffer: &mut BytesMut) -> BytesMut {
        let start = self.start - self.lead;
        self.finish(buffer);
        buffer.split_off(start)
    }

    /// Takes what leads it and its body out of the buffer, and the header away.
    pub(crate) fn take_body(self, buffer: &mut BytesMut) -> (Bytes, Bytes) {
        let mut frame = buffer.split_off(self.start);
        let lead =
            if self.lead == 0 { Bytes::new() } else { buffer.split_off(self.start - self.lead).freeze() };
        frame.advance(HEADER_BYTES);
        (lead, frame.freeze())
    }

    /// Of what kind it is, and its index.
    pub(crate) fn said(&self, buffer: &BytesMut) -> Option<(Kind, u32)> {
        let [_, _, _, kind, i0, i1, i2, _] = *buffer.get(self.start..)?.first_chunk()?;
        Some((Kind::from_u8(kind)?, u32::from_le_bytes([i0, i1, i2, 0])))
    }

    /// Takes the frame back, and what leads it.
    pub(crate) fn abandon(self, buffer: &mut BytesMut) {
        buffer.truncate(self.start - self.lead);
    }
}

/// Writes the header of a frame whose body comes from elsewhere.
pub(crate) fn write_header(buffer: &mut BytesMut, kind: Kind, lane: LaneId, index: u32, length: usize) {
    OpenFrame::begin(buffer, kind, lane, index).fill_in(buffer, length);
}

/// What a [`Kind::Large`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// What the parts make up.
    pub(crate) kind: Kind,
    pub(crate) index: u32,
    /// The length of its body.
    pub(crate) length: u32,
}

impl Head {
    /// Its bytes in the frame: those of a header, with the length behind.
    const BYTES: usize = 8;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let [i0, i1, i2, _] = self.index.to_le_bytes();
        let [l0, l1, l2, l3] = self.length.to_le_bytes();
        [self.kind as u8, i0, i1, i2, l0, l1, l2, l3]
    }

    /// `None` if the bytes are no head, or one of what never comes in parts.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [kind, i0, i1, i2, l0, l1, l2, l3] = *<&[u8; Self::BYTES]>::try_from(bytes).ok()?;
        let kind = Kind::from_u8(kind).filter(|kind| kind.may_be_large())?;
        let index = u32::from_le_bytes([i0, i1, i2, 0]);
        let is_fit = index == 0 || kind.has_index();
        is_fit.then_some(Self { kind, index, length: u32::from_le_bytes([l0, l1, l2, l3]) })
    }
}

/// Writes a frame whose body is at hand.
pub(crate) fn write_frame(
    buffer: &mut BytesMut,
    kind: Kind,
    lane: LaneId,
    index: u32,
    body: &[&[u8]],
) -> usize {
    let frame = OpenFrame::begin(buffer, kind, lane, index);
    body.iter().for_each(|part| buffer.extend_from_slice(part));
    frame.finish(buffer)
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    const MAX: usize = 64;

    fn written(kind: Kind, index: u32, body: &[u8]) -> BytesMut {
        let mut buffer = BytesMut::new();
        write_frame(&mut buffer, kind, kind.usual_lane(), index, &[body]);
        buffer
    }

    fn frame(kind: Kind, index: u32, body: &'static [u8]) -> Frame {
        Frame { kind, lane: kind.usual_lane(), index, body: Bytes::from_static(body) }
    }

    #[test]
    fn the_layout_is_frozen() {
        let bytes = written(Kind::Cast, 0x01_0203, b"ab");
        assert_eq!(&bytes[..], [2, 0, 0, 3, 0x03, 0x02, 0x01, 3, b'a', b'b']);
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
        let mut stream = written(Kind::Control, 0, b"one");
        stream.unsplit(written(Kind::Call, 7, b""));
        let mut buffer = BytesMut::new();
        let mut frames = Vec::new();
        for byte in stream {
            buffer.put_u8(byte);
            frames.extend(read_frame(&mut buffer, MAX).unwrap());
        }
        let expected = [frame(Kind::Control, 0, b"one"), frame(Kind::Call, 7, b"")];
        assert_eq!(frames, expected);
        assert!(buffer.is_empty());
    }

    #[test]
    fn the_exact_limit_is_taken_and_one_more_is_refused_by_its_header_alone() {
        let mut exact = written(Kind::Cast, 0, &[0; MAX]);
        assert!(read_frame(&mut exact, MAX).unwrap().is_some());
        let mut header = BytesMut::from(&written(Kind::Cast, 0, &[0; MAX + 1])[..HEADER_BYTES]);
        let refused = FrameError::TooLarge { bytes: MAX + 1, limit: MAX };
        assert_eq!(read_frame(&mut header, MAX), Err(refused));
    }

    #[test]
    fn unknown_kinds_and_wrong_lanes_are_refused() {
        let mut garbage = BytesMut::from(&b"GET / HTTP/1.1\r\n"[..]);
        assert_eq!(read_frame(&mut garbage, MAX), Err(FrameError::Kind(b' ')));
        for (kind, lane) in
            [(Kind::Cast, 0), (Kind::Cast, 255), (Kind::Cast, 11), (Kind::Control, 1), (Kind::Ping, 0)]
        {
            let mut stray = written(kind, 0, b"");
            stray[7] = lane;
            assert_eq!(read_frame(&mut stray, MAX), Err(FrameError::Lane { lane }));
        }
        for lane in 1..11 {
            let mut cast = written(Kind::Cast, 0, b"");
            cast[7] = lane;
            assert_eq!(read_frame(&mut cast, MAX).unwrap().unwrap().lane, LaneId::from_u8(lane));
        }
    }

    #[test]
    fn an_index_where_there_is_none_is_refused() {
        for kind in (0..=u8::MAX).filter_map(Kind::from_u8) {
            let read = read_frame(&mut written(kind, 7, b""), MAX);
            let expected = match kind {
                Kind::Cast
                | Kind::Call
                | Kind::Failure
                | Kind::Define
                | Kind::Begin
                | Kind::Take
                | Kind::Large
                | Kind::Part => Ok(Some(frame(kind, 7, b""))),
                _ => Err(FrameError::Index { kind: kind as u8, index: 7 }),
            };
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn an_abandoned_frame_leaves_no_byte() {
        let mut buffer = written(Kind::Cast, 0, b"kept");
        let before = buffer.clone();
        let frame = OpenFrame::begin(&mut buffer, Kind::Cast, LaneId::BULK, 1);
        buffer.extend_from_slice(b"gone");
        frame.abandon(&mut buffer);
        assert_eq!(buffer, before);
    }

    #[test]
    fn a_head_says_what_its_parts_make_up() {
        let head = Head { kind: Kind::Call, index: 0x01_0203, length: 0x0405_0607 };
        let bytes = head.to_bytes();
        assert_eq!(bytes, [4, 0x03, 0x02, 0x01, 0x07, 0x06, 0x05, 0x04]);
        assert_eq!(Head::from_bytes(&bytes), Some(head));
        assert_eq!(Head::from_bytes(&bytes[1..]), None, "too short");
        assert_eq!(Head::from_bytes(&[&bytes[..], &[0]].concat()), None, "too long");
        for kind in (0..=20).filter(|kind| ![3, 4, 5].contains(kind)) {
            assert_eq!(
                Head::from_bytes(&[kind, 0, 0, 0, 1, 0, 0, 0]),
                None,
                "kind {kind} never comes in parts"
            );
        }
        assert_eq!(Head::from_bytes(&[5, 1, 0, 0, 1, 0, 0, 0]), None, "an answer has no index");
    }

    #[test]
    fn what_is_written_later_is_taken_out_whole() {
        let mut buffer = written(Kind::Cast, 0, b"kept");
        let before = buffer.clone();
        let frame = OpenFrame::begin(&mut buffer, Kind::Cast, LaneId::data(0), 1);
        buffer.extend_from_slice(b"later");
        assert_eq!(frame.bytes(&buffer), HEADER_BYTES + 5);
        assert_eq!(frame.take_out(&mut buffer), written(Kind::Cast, 1, b"later"));
        let frame = OpenFrame::begin(&mut buffer, Kind::Cast, LaneId::data(0), 1);
        buffer.extend_from_slice(b"in parts");
        assert_eq!(frame.take_body(&mut buffer), (Bytes::new(), Bytes::from_static(b"in parts")));
        assert_eq!(buffer, before);
    }

    #[test]
    fn what_leads_a_frame_goes_with_it() {
        let mut buffer = written(Kind::Cast, 0, b"kept");
        let (before, lead) = (buffer.clone(), written(Kind::Present, 0, b"lead"));
        let led = |buffer: &mut BytesMut| {
            buffer.extend_from_slice(&lead);
            let frame = OpenFrame::begin(buffer, Kind::Cast, LaneId::data(0), 1).led_by(lead.len());
            buffer.extend_from_slice(b"body");
            assert_eq!((frame.bytes(buffer), frame.lead()), (HEADER_BYTES + 4, lead.len()));
            frame
        };
        let taken = led(&mut buffer).take_out(&mut buffer);
        assert_eq!(taken[..], [&lead[..], &written(Kind::Cast, 1, b"body")].concat());
        let taken = led(&mut buffer).take_body(&mut buffer);
        assert_eq!(taken, (lead.clone().freeze(), Bytes::from_static(b"body")));
        led(&mut buffer).abandon(&mut buffer);
        assert_eq!(buffer, before, "nothing of them is left");
    }

    #[test]
    fn a_calls_index_says_how_many_are_under_way() {
        for (calls, about) in [(0, 0), (1, 1), (2, 3), (64, 127), (CALLS_MAX, 2 * CALLS_MAX - 1)] {
            assert_eq!(split_call_index(call_index(0xffff, calls)), (0xffff, about));
        }
        assert_eq!(split_call_index(INDEX_MAX), (0xffff, 2 * CALLS_MAX - 1), "whatever the peer says");
    }
}
