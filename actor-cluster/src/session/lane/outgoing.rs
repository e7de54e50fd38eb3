//! The writing half of a lane: what waits to be written, and what was written and may have to
//! be written again.
//!
//! ```text
//!      acked          next               sent
//!  ──────┬─────────────┬──────────────────┬──────────┬────────┐
//!        │ written,    │ to be written    │ sealed   │ open   │◄── frames
//!        │ not there?  │ once more        │ segments │        │
//!        └──────────── log ───────────────┘          └────────┘
//! ```
//!
//! Every byte of a lane has an offset, counted from the session's beginning. Without a loss
//! `next` is `sent`. When the lane's stream is lost, `next` goes back to `acked`, and the lane
//! goes on with another stream; the reader skips what it has already.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::parts::{Large, Part, Parts, Recipient};
use crate::limits::{FRAME_BODY_BYTES_MAX, SEGMENT_BYTES};
use crate::wire::frame::{self, HEADER_BYTES, Head, Kind, OpenFrame};
use crate::wire::lanes::LaneId;

/// The room of a lane's buffer when it is made.
const OPEN_BYTES: usize = 8 * 1024;

/// With less than this, a segment does not begin in what the last one has left.
const OPEN_BYTES_LEAST: usize = 512;

/// Frames of one lane, cut into segments so that a more urgent lane on the same
/// stream waits for one segment at most.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    open: BytesMut,
    /// How much the next segments may need.
    room: usize,
    sealed: VecDeque<Bytes>,
    sealed_bytes: usize,
    /// Messages too long for one frame.
    parts: Parts,
    /// Whether the next segment is a part, if there is one.
    is_turn_of_parts: bool,
    /// What was handed out and is not acknowledged, oldest first.
    log: VecDeque<Written>,
    /// How many segments of the log lie before `next`.
    log_at: usize,
    acked: u64,
    next: u64,
    sent: u64,
    /// The offset that the reader of the lane's stream gives to the next byte there.
    read_at: Option<u64>,
}

/// What is to be written next, without anything in between.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The offset of the first byte, if the stream's reader has to be told.
    pub(crate) begin: Option<u64>,
    /// Whole frames, but that the last one may go on in `slice`.
    pub(crate) frames: Bytes,
    /// The rest of the last frame.
    pub(crate) slice: Bytes,
}

/// A segment that was handed out.
#[derive(Clone, Debug)]
struct Written {
    frames: Bytes,
    slice: Bytes,
    /// Whether it is the last part of a message.
    ends_message: bool,
}

impl Written {
    fn len(&self) -> usize {
        self.frames.len() + self.slice.len()
    }

    fn advance(&mut self, bytes: usize) {
        let of_frames = bytes.min(self.frames.len());
        self.frames.advance(of_frames);
        self.slice.advance(bytes - of_frames);
    }

    fn messages(&self) -> u64 {
        frame::count_messages(&self.frames) + u64::from(self.ends_message)
    }
}

/// The peer acknowledges what it was never sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FromTheFuture;

impl Outgoing {
    /// Where the next frame is appended. Call [`seal`](Self::seal) after it.
    pub(crate) fn open(&mut self) -> &mut BytesMut {
        if self.open.is_empty() {
            self.make_room();
        }
        &mut self.open
    }

    /// A segment that was taken out took its room along. A new one has as much as the last one
    /// would have liked, so that it need not grow: that copies it. And not much more: a lane with
    /// little to say needs little memory.
    fn make_room(&mut self) {
        let most = SEGMENT_BYTES + OPEN_BYTES;
        if self.open.capacity() < self.room.clamp(OPEN_BYTES_LEAST, most) {
            self.open.reserve(self.room.clamp(OPEN_BYTES, most));
        }
    }

    /// Ends a frame that was begun in [`open`](Self::open) for a recipient: what is too long for
    /// one frame goes in parts, and what is behind such a one waits for it. What it takes on the
    /// wire with what leads it, but for what parts add.
    pub(crate) fn finish(&mut self, frame: OpenFrame, kind: Kind, index: u32, recipient: Recipient) -> usize {
        let (bytes, lead) = (frame.bytes(&self.open), frame.lead());
        if bytes - HEADER_BYTES > FRAME_BODY_BYTES_MAX {
            let (lead, body) = frame.take_body(&mut self.open);
            let length = u32::try_from(body.len()).expect("MESSAGE_BYTES_MAX_MOST is less");
            self.parts.push_large(recipient, Large { lead, head: Head { kind, index, length }, body });
        } else if self.parts.has_line(recipient) {
            let frame = frame.take_out(&mut self.open);
            self.parts.push_frame(recipient, frame);
        } else {
            frame.finish(&mut self.open);
            self.seal();
        }
        lead + bytes
    }

    /// Ends the open segment if it is long enough.
    pub(crate) fn seal(&mut self) {
        if self.open.len() >= SEGMENT_BYTES {
            let segment = self.take_open();
            self.sealed_bytes += segment.len();
            self.sealed.push_back(segment);
        }
    }

    fn take_open(&mut self) -> Bytes {
        self.room = 2 * self.open.len();
        self.open.split().freeze()
    }

    /// Takes the next segment out, to be written to the lane's stream.
    pub(crate) fn pop(&mut self, lane: LaneId) -> Option<Segment> {
        let written = match self.log.get(self.log_at) {
            Some(again) => again.clone(),
            None => self.take_unsent(lane)?,
        };
        let begin = (self.read_at != Some(self.next)).then_some(self.next);
        self.log_at += 1;
        self.next += written.len() as u64;
        self.read_at = Some(self.next);
        let Written { frames, slice, .. } = written;
        Some(Segment { begin, frames, slice })
    }

    /// Whole frames and parts take turns.
    fn take_unsent(&mut self, lane: LaneId) -> Option<Written> {
        let has_frames = self.sealed_bytes + self.open.len() > 0;
        let written = if self.is_turn_of_parts || !has_frames { self.take_part(lane) } else { None };
        self.is_turn_of_parts = written.is_none();
        let written = written.or_else(|| self.take_frames())?;
        self.sent += written.len() as u64;
        self.log.push_back(written.clone());
        Some(written)
    }

    fn take_frames(&mut self) -> Option<Written> {
        let frames = match self.sealed.pop_front() {
            Some(segment) => {
                self.sealed_bytes -= segment.len();
                segment
            }
            None if self.open.is_empty() => return None,
            None => self.take_open(),
        };
        Some(Written { frames, slice: Bytes::new(), ends_message: false })
    }

    fn take_part(&mut self, lane: LaneId) -> Option<Written> {
        let Part { frames, slice, ends_message, released } = self.parts.pop(lane)?;
        if let Some(released) = released {
            // Behind all that is sealed, and before all that is for the same recipient.
            self.open.extend_from_slice(&released);
            self.seal();
        }
        Some(Written { frames, slice, ends_message })
    }

    /// The lane is written to another stream from now on: what is not acknowledged is written
    /// again, since it may be lost.
    pub(crate) fn restart(&mut self) {
        self.log_at = 0;
        self.next = self.acked;
        self.read_at = None;
    }

    /// The peer has everything before this offset.
    pub(crate) fn acknowledged(&mut self, offset: u64) -> Result<(), FromTheFuture> {
        if offset > self.sent {
            return Err(FromTheFuture);
        }
        // What is said on several streams may come out of order.
        while self.acked < offset
            && let Some(oldest) = self.log.front_mut()
        {
            let news = usize::try_from(offset - self.acked).unwrap_or(usize::MAX);
            let bytes = news.min(oldest.len());
            self.acked += bytes as u64;
            oldest.advance(bytes);
            if oldest.len() == 0 {
                self.log.pop_front();
                self.log_at = self.log_at.saturating_sub(1);
            }
        }
        // It need not be written again either.
        self.next = self.next.max(self.acked);
        Ok(())
    }

    /// What waits to be written for the first time.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.sealed_bytes + self.open.len() + self.parts.bytes()
    }

    /// What is kept: all that has not arrived for certain.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.sent - self.acked + self.unsent_bytes() as u64
    }

    /// Whether there is something to write.
    pub(crate) fn has_more(&self) -> bool {
        self.log_at < self.log.len() || self.unsent_bytes() > 0
    }

    /// How many messages are kept, answers aside.
    pub(crate) fn kept_messages(&self) -> u64 {
        let written: u64 = self.log.iter().map(Written::messages).sum();
        written + self.unsent().map(frame::count_messages).sum::<u64>() + self.parts.messages()
    }

    /// The calls of which no byte was handed out.
    pub(crate) fn unsent_calls(&self) -> impl Iterator<Item = u64> {
        self.unsent().flat_map(frame::correlations).chain(self.parts.unsent_calls())
    }

    fn unsent(&self) -> impl Iterator<Item = &[u8]> {
        self.sealed.iter().map(|segment| &segment[..]).chain([&self.open[..]])
    }

    /// Drops what was not handed out yet. Nothing may be written to the lane after.
    pub(crate) fn drop_unsent(&mut self) {
        self.parts = Parts::default();
        self.open.clear();
        self.sealed.clear();
        self.sealed_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: LaneId = LaneId::data(0);
    const LONG: usize = SEGMENT_BYTES;

    fn lane(frames: &[usize]) -> Outgoing {
        let mut lane = Outgoing::default();
        for (number, bytes) in (0..).zip(frames) {
            put(&mut lane, number, *bytes);
        }
        lane
    }

    fn put(lane: &mut Outgoing, byte: u8, bytes: usize) {
        let filled = lane.open.len();
        lane.open().resize(filled + bytes, byte);
        lane.seal();
    }

    fn popped(lane: &mut Outgoing) -> Vec<(Option<u64>, Vec<u8>)> {
        std::iter::from_fn(|| lane.pop(LANE))
            .map(|segment| (segment.begin, segment.frames.to_vec()))
            .collect()
    }

    #[test]
    fn segments_come_out_in_order_and_are_counted() {
        let mut lane = lane(&[LONG / 2; 5]);
        assert_eq!(lane.unsent_bytes(), LONG / 2 * 5);
        let segments = popped(&mut lane);
        assert_eq!(segments.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(), [LONG, LONG, LONG / 2]);
        let begins: Vec<_> = segments.iter().map(|(begin, _)| *begin).collect();
        assert_eq!(begins, [Some(0), None, None], "said once, as the reader counts on");
        let written: Vec<u8> = segments.into_iter().flat_map(|(_, bytes)| bytes).collect();
        let expected: Vec<u8> = (0..5).flat_map(|byte| vec![byte; LONG / 2]).collect();
        assert_eq!(written, expected);
        assert_eq!((lane.unsent_bytes(), lane.kept_bytes()), (0, expected.len() as u64));
    }

    #[test]
    fn what_is_not_acknowledged_is_written_again_on_another_stream() {
        let mut lane = lane(&[3]);
        assert_eq!(popped(&mut lane), [(Some(0), vec![0; 3])]);
        put(&mut lane, 1, 2);
        assert_eq!(popped(&mut lane), [(None, vec![1; 2])]);
        lane.acknowledged(3).unwrap();
        put(&mut lane, 2, 4);
        assert!(lane.has_more());
        lane.restart();
        assert_eq!(popped(&mut lane), [(Some(3), vec![1; 2]), (None, vec![2; 4])]);
        assert!(!lane.has_more());
        lane.acknowledged(9).unwrap();
        assert_eq!(lane.kept_bytes(), 0);
        lane.restart();
        put(&mut lane, 3, 1);
        assert_eq!(popped(&mut lane), [(Some(9), vec![3])], "nothing is left of the rest");
    }

    #[test]
    fn an_acknowledgement_may_end_within_a_segment_and_come_late() {
        let mut lane = lane(&[4, 4]);
        popped(&mut lane);
        put(&mut lane, 2, 2);
        popped(&mut lane);
        lane.acknowledged(4).unwrap();
        lane.acknowledged(1).unwrap();
        assert_eq!(lane.kept_bytes(), 6);
        lane.restart();
        assert_eq!(popped(&mut lane), [(Some(4), vec![1; 4]), (None, vec![2; 2])]);
        assert_eq!(lane.acknowledged(11), Err(FromTheFuture));
        assert_eq!(lane.kept_bytes(), 6, "nothing came of it");
    }

    /// The acknowledgement was on its way when the stream was lost.
    #[test]
    fn what_is_acknowledged_meanwhile_is_not_written_again() {
        let mut lane = lane(&[2]);
        popped(&mut lane);
        for byte in 1..4 {
            put(&mut lane, byte, 2);
            popped(&mut lane);
        }
        lane.restart();
        let again = Segment { begin: Some(0), frames: vec![0; 2].into(), slice: Bytes::new() };
        assert_eq!(lane.pop(LANE), Some(again));
        lane.acknowledged(5).unwrap();
        // The reader on the new stream is at 2; it must hear that this is 5.
        assert_eq!(popped(&mut lane), [(Some(5), vec![2; 1]), (None, vec![3; 2])]);
        lane.acknowledged(8).unwrap();
        assert_eq!((lane.kept_bytes(), lane.log.len()), (0, 0));
    }

    #[test]
    fn what_was_not_handed_out_can_be_dropped_and_the_rest_is_kept() {
        let mut lane = lane(&[3]);
        popped(&mut lane);
        put(&mut lane, 1, LONG);
        put(&mut lane, 2, 1);
        lane.drop_unsent();
        assert_eq!((lane.kept_bytes(), lane.log.len()), (3, 1));
        put(&mut lane, 3, 1);
        assert_eq!(popped(&mut lane), [(None, vec![3])], "the offsets have no gap");
    }
}
