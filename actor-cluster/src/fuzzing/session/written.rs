//! What the session writes, as its peer must be able to read it: each lane is one text, whichever
//! stream a part of it is on, and however often.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BytesMut};

use crate::limits::FRAME_BODY_BYTES_MAX;
use crate::session::streams::ConnectionId;
use crate::wire::frame::{Frame, Kind, read_frame, write_frame};
use crate::wire::lanes::LaneId;

#[derive(Default)]
pub(super) struct Written {
    lanes: BTreeMap<u8, Vec<u8>>,
    /// Where the next frame stands, by stream and lane.
    at: BTreeMap<(ConnectionId, u8), usize>,
    /// Where its frames end, by lane.
    ends: BTreeMap<u8, Vec<u64>>,
    /// The lanes whose last frame says what the next message brings along.
    annotated: BTreeSet<u8>,
    /// Calls that have left, oldest first.
    calls: Vec<u64>,
    /// Who says to have received half a frame may be sent the other half.
    is_lied_to: bool,
}

impl Written {
    /// Takes what was written to a stream; the number of the last ping in it.
    ///
    /// # Panics
    ///
    /// If the peer could not read it, or would read something else than before.
    pub(super) fn take(&mut self, stream: ConnectionId, bytes: &[u8]) -> Option<u64> {
        if self.is_lied_to {
            return None;
        }
        let mut rest = BytesMut::from(bytes);
        let mut ping = None;
        while let Some(frame) =
            read_frame(&mut rest, FRAME_BODY_BYTES_MAX).expect("frames that the peer takes")
        {
            match frame.kind {
                _ if frame.lane != LaneId::NONE => self.on_lane_frame(stream, &frame),
                Kind::Begin => {
                    let place = usize::try_from(number(&frame)).expect("a place in what was written");
                    let lane = u8::try_from(frame.index).expect("a lane");
                    self.at.insert((stream, lane), place);
                }
                Kind::Ping => ping = Some(number(&frame)),
                _ => {}
            }
        }
        assert!(rest.is_empty(), "half a frame is written");
        ping
    }

    fn on_lane_frame(&mut self, stream: ConnectionId, frame: &Frame) {
        let lane = frame.lane.as_u8();
        let text = self.lanes.entry(lane).or_default();
        let at = self.at.get_mut(&(stream, lane)).expect("a place is said before the first frame");
        let mut bytes = BytesMut::new();
        write_frame(&mut bytes, frame.kind, frame.lane, frame.index, &[&frame.body]);
        let is_news = *at == text.len();
        if is_news {
            let is_message = matches!(frame.kind, Kind::Cast | Kind::Call | Kind::Large);
            assert!(
                !self.annotated.remove(&lane) || is_message,
                "an annotation that belongs to a {:?}",
                frame.kind
            );
            if frame.kind == Kind::Annotate {
                self.annotated.insert(lane);
            }
            text.extend_from_slice(&bytes);
            self.ends.entry(lane).or_default().push(text.len() as u64);
        }
        assert_eq!(text.get(*at..*at + bytes.len()), Some(&bytes[..]), "another text than before, or a gap");
        *at += bytes.len();
        if is_news && frame.kind == Kind::Call {
            // Behind the target.
            self.calls.push((&frame.body[8..]).get_u64_le());
        }
    }

    /// The end of one of a lane's frames: so many parts in 255 of all.
    pub(super) fn end(&self, lane: LaneId, part: u8) -> u64 {
        let ends = self.ends.get(&lane.as_u8()).map_or(&[][..], |ends| ends);
        let count = ends.len() * usize::from(part) / 255;
        count.checked_sub(1).map_or(0, |last| ends[last])
    }

    /// The peer acknowledges this of a lane.
    pub(super) fn acknowledged(&mut self, lane: u8, received: u64) {
        let ends = self.ends.get(&lane).map_or(&[][..], |ends| ends);
        self.is_lied_to |= received != 0 && !ends.contains(&received);
    }

    /// One of the calls that have left.
    pub(super) fn call(&self, number: u8) -> Option<u64> {
        self.calls.get(usize::from(number).checked_rem(self.calls.len())?).copied()
    }
}

fn number(frame: &Frame) -> u64 {
    (&frame.body[..]).get_u64_le()
}
