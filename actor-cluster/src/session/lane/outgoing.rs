//! The writing half of a lane: what waits to be written, and what was written and may have to
//! be written again.
//!
//! ```text
//!                       ┌ sealed segments, open ◄── frames
//!  stream ◄── log ◄─────┤   in turn
//!                       └ parts ◄── what is too long for a frame
//! ```

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::log::{FromTheFuture, Log, Segment, Written};
use super::parts::{Large, Part, Parts, Recipient};
use crate::limits::{FRAME_BODY_BYTES_MAX, PARTS_AHEAD_LEAST, SEGMENT_BYTES};
use crate::session::aside::Encoded;
use crate::wire::frame::{self, HEADER_BYTES, Head, Kind, OpenFrame};
use crate::wire::lanes::LaneId;

/// The room of a lane's buffer when it is made.
const OPEN_BYTES: usize = 8 * 1024;

/// The room for a segment that is full, with the frame that fills it.
const FULL_BYTES: usize = SEGMENT_BYTES + OPEN_BYTES;

/// A usual window.
const SPARE_SEGMENTS_MAX: usize = 8;

/// With less than this, a segment does not begin in what the last one has left.
const OPEN_BYTES_LEAST: usize = 512;

/// Frames of one lane, cut into segments so that a more urgent lane on the same
/// stream waits for one segment at most.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    open: BytesMut,
    /// The one that was begun last.
    frame: OpenFrame,
    /// How much the next segments may need.
    room: usize,
    /// Room for full segments.
    spare: Vec<BytesMut>,
    /// What had been sent when it was last asked whether anything is.
    sent_before: u64,
    sealed: VecDeque<Bytes>,
    sealed_bytes: usize,
    /// How many bytes of whole frames were handed out, parts aside.
    frames_taken: u64,
    /// Messages too long for one frame.
    parts: Parts,
    /// Whether the next segment is a part, if there is one.
    is_turn_of_parts: bool,
    /// What was handed out and is not acknowledged.
    log: Log,
    /// With how many unacknowledged bytes of parts no other is written.
    unacked_part_bytes_max: u64,
}

impl Outgoing {
    /// No part is written while so many bytes of parts are unacknowledged, or [`PARTS_AHEAD_LEAST`] if that is more: what is
    /// under way delays every lane of the stream.
    pub(crate) fn limit_parts(&mut self, unacked_bytes: u64) {
        self.unacked_part_bytes_max = unacked_bytes;
    }

    /// Where a control frame is appended. Call [`seal`](Self::seal) after it.
    #[inline]
    pub(crate) fn open(&mut self) -> &mut BytesMut {
        if self.open.is_empty() {
            self.make_room();
        }
        &mut self.open
    }

    /// A segment that was taken out took its room along. A new one has as much as the last one
    /// would have liked, so that it need not grow: that copies it. And not much more: a lane with
    /// little to say needs little memory.
    #[inline(never)]
    fn make_room(&mut self) {
        let least = self.room.clamp(OPEN_BYTES_LEAST, FULL_BYTES);
        if self.open.capacity() >= least {
            return;
        }
        match self.spare.pop() {
            Some(spare) if least == FULL_BYTES => self.open = spare,
            _ => self.open.reserve(self.room.clamp(OPEN_BYTES, FULL_BYTES)),
        }
    }

    /// Gives up room that nothing was written to for a while. Called now and then.
    pub(crate) fn rest(&mut self) {
        if std::mem::replace(&mut self.sent_before, self.log.sent()) == self.log.sent() {
            self.spare = Vec::new();
            if self.open.is_empty() {
                (self.open, self.room) = (BytesMut::new(), 0);
            }
        }
    }

    /// Begins a frame about an actor or a call. Where the rest of it is appended; then it is
    /// [finished](Self::finish) or [abandoned](Self::abandon).
    pub(crate) fn begin(&mut self, kind: Kind, lane: LaneId, index: u32, about: u64) -> &mut BytesMut {
        self.begin_behind(0, kind, lane, index, about)
    }

    /// As [`begin`](Self::begin), behind so many bytes of [`open`](Self::open) that go wherever the
    /// frame does.
    #[inline]
    pub(crate) fn begin_behind(
        &mut self,
        lead: usize,
        kind: Kind,
        lane: LaneId,
        index: u32,
        about: u64,
    ) -> &mut BytesMut {
        self.frame = OpenFrame::begin_about(self.open(), kind, lane, index, about).led_by(lead);
        &mut self.open
    }

    /// Where the frame that was begun goes on.
    pub(crate) fn begun(&mut self) -> &mut BytesMut {
        &mut self.open
    }

    /// Ends the frame that was begun, for a recipient: what is behind a message in parts waits for it. What it takes
    /// on the wire with what leads it; `None` if it is too long, and still begun.
    #[inline]
    pub(crate) fn finish(&mut self, recipient: Recipient) -> Option<usize> {
        let is_short = self.frame.bytes(&self.open) - HEADER_BYTES <= FRAME_BODY_BYTES_MAX;
        is_short.then(|| self.put(recipient))
    }

    #[inline]
    fn put(&mut self, recipient: Recipient) -> usize {
        let frame = self.frame;
        let (bytes, lead) = (frame.bytes(&self.open), frame.lead());
        if self.parts.has_line(recipient) {
            self.push_behind(frame, recipient);
        } else {
            frame.finish(&mut self.open);
            self.seal();
        }
        lead + bytes
    }

    /// As [`finish`](Self::finish), with the rest of the frame from elsewhere: what is too long for one frame goes in
    /// parts. What it takes but for what parts add.
    pub(crate) fn finish_with(&mut self, rest: Encoded, recipient: Recipient) -> usize {
        let frame = self.frame;
        let bytes = frame.bytes(&self.open) + rest.bytes().len();
        if bytes - HEADER_BYTES > FRAME_BODY_BYTES_MAX {
            self.push_large(frame, rest, recipient);
            return frame.lead() + bytes;
        }
        self.open.extend_from_slice(rest.bytes());
        self.put(recipient)
    }

    #[cold]
    fn push_behind(&mut self, frame: OpenFrame, recipient: Recipient) {
        let frame = frame.take_out(&mut self.open);
        self.parts.push_frame(recipient, frame);
    }

    #[cold]
    fn push_large(&mut self, frame: OpenFrame, rest: Encoded, recipient: Recipient) {
        let (kind, index) = frame.said(&self.open).expect("it was begun");
        let (lead, prefix) = frame.take_body(&mut self.open);
        let body = rest.behind(&prefix);
        let length = u32::try_from(body.len()).expect("MESSAGE_BYTES_MAX_MOST is less");
        let large = Large { behind: self.frames_put(), lead, head: Head { kind, index, length }, body };
        self.parts.push_large(recipient, large);
    }

    /// How many bytes of whole frames there were so far, parts aside.
    fn frames_put(&self) -> u64 {
        self.frames_taken + self.unsent_frame_bytes() as u64
    }

    /// What waits to be written in whole frames.
    pub(crate) fn unsent_frame_bytes(&self) -> usize {
        self.sealed_bytes + self.open.len()
    }

    /// Takes the frame back that was begun.
    pub(crate) fn abandon(&mut self) {
        self.frame.abandon(&mut self.open);
    }

    /// Ends the open segment if it is long enough.
    #[inline]
    pub(crate) fn seal(&mut self) {
        if self.open.len() >= SEGMENT_BYTES {
            self.seal_open();
        }
    }

    #[inline(never)]
    fn seal_open(&mut self) {
        let segment = self.take_open();
        self.sealed_bytes += segment.len();
        self.sealed.push_back(segment);
    }

    fn take_open(&mut self) -> Bytes {
        self.room = 2 * self.open.len();
        self.open.split().freeze()
    }

    /// Takes the next segment out, to be written to the lane's stream.
    pub(crate) fn pop(&mut self, lane: LaneId) -> Option<Segment> {
        if !self.log.has_more() {
            let written = self.take_unsent(lane)?;
            self.log.push(written);
        }
        self.log.pop()
    }

    /// Whole frames and parts take turns.
    fn take_unsent(&mut self, lane: LaneId) -> Option<Written> {
        let has_frames = self.unsent_frame_bytes() > 0;
        let written = if self.is_turn_of_parts || !has_frames { self.take_part(lane) } else { None };
        self.is_turn_of_parts = written.is_none();
        written.or_else(|| self.take_frames())
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
        self.frames_taken += frames.len() as u64;
        Some(Written { frames, slice: Bytes::new(), ends: None, part_bytes: 0 })
    }

    /// This cannot stand still: the reader acknowledges every [`ACK_BYTES`](crate::limits::ACK_BYTES), a quarter of the least that this lets go.
    fn may_write_part(&self) -> bool {
        self.log.part_bytes() < self.unacked_part_bytes_max.max(PARTS_AHEAD_LEAST)
    }

    fn take_part(&mut self, lane: LaneId) -> Option<Written> {
        if !self.may_write_part() {
            return None;
        }
        let Part { frames, slice, ends, released, again } = self.parts.pop(lane, self.frames_taken)?;
        // Behind all that is sealed, and before all that is for the same recipient.
        for frame in released.iter().flat_map(|released| frame::pieces(released)) {
            self.open.extend_from_slice(frame);
            self.seal();
        }
        if let Some(recipient) = again {
            let behind = self.frames_put();
            self.parts.wait_behind(recipient, behind);
        }
        let part_bytes = (frames.len() + slice.len()) as u64;
        Some(Written { frames, slice, ends, part_bytes })
    }

    /// The lane is written to another stream from now on: what is not acknowledged is written
    /// again, since it may be lost.
    pub(crate) fn restart(&mut self) {
        self.log.restart();
    }

    /// The peer has everything before this offset.
    pub(crate) fn acknowledged(&mut self, offset: u64) -> Result<(), FromTheFuture> {
        let Self { log, spare, .. } = self;
        log.acknowledged(offset, |frames| recycle(spare, frames))
    }

    /// How much was handed out, ever, and how much of that is acknowledged.
    pub(crate) fn sent_and_acked(&self) -> (u64, u64) {
        (self.log.sent(), self.log.sent() - self.log.bytes())
    }

    /// What waits to be written for the first time.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.unsent_frame_bytes() + self.parts.bytes()
    }

    /// The same without messages in parts, whose length is no matter of whoever reads: answers, and what messages
    /// credit bounds.
    pub(crate) fn unsent_answer_bytes(&self) -> usize {
        self.unsent_frame_bytes() + self.parts.answer_bytes()
    }

    /// What is kept: all that has not arrived for certain.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.log.bytes() + self.unsent_bytes() as u64
    }

    /// Whether there is something to write.
    pub(crate) fn has_more(&self) -> bool {
        let has_part = self.parts.bytes() > 0 && self.may_write_part();
        self.log.has_more() || self.unsent_frame_bytes() > 0 || has_part
    }

    /// How many messages are kept, answers aside.
    pub(crate) fn kept_messages(&self) -> u64 {
        self.log.messages() + self.unsent().map(frame::count_messages).sum::<u64>() + self.parts.messages()
    }

    /// The casts that are kept: the indices of their types, and their targets.
    pub(crate) fn kept_casts(&self) -> impl Iterator<Item = (u32, u64)> {
        self.log.casts().chain(self.unsent().flat_map(frame::casts)).chain(self.parts.casts())
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

/// Keeps the room of a segment that the peer has, for the next: memory that comes from the
/// system anew costs as much as what is written to it.
fn recycle(spare: &mut Vec<BytesMut>, frames: Bytes) {
    if spare.len() < SPARE_SEGMENTS_MAX
        && frames.len() >= SEGMENT_BYTES
        && let Ok(mut room) = frames.try_into_mut()
    {
        room.clear();
        if room.capacity() >= FULL_BYTES {
            spare.push(room);
        }
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
    fn w21_the_room_of_full_segments_is_used_again_and_given_up_when_nothing_is_sent() {
        let mut lane = lane(&[LONG; 2]);
        for number in 0..9 {
            put(&mut lane, number, LONG);
            popped(&mut lane);
        }
        lane.acknowledged(lane.log.sent()).unwrap();
        assert_eq!(lane.spare.len(), SPARE_SEGMENTS_MAX);
        let room = lane.spare.last().unwrap().as_ptr();
        put(&mut lane, 9, LONG);
        assert_eq!((lane.spare.len(), lane.sealed[0].as_ptr()), (SPARE_SEGMENTS_MAX - 1, room));
        lane.rest();
        assert_eq!(lane.spare.len(), SPARE_SEGMENTS_MAX - 1, "it was busy");
        popped(&mut lane);
        lane.rest();
        assert_eq!(lane.spare.len(), SPARE_SEGMENTS_MAX - 1, "it is busy");
        lane.rest();
        assert!(lane.spare.is_empty());
    }

    #[test]
    fn short_segments_keep_no_room() {
        let mut lane = lane(&[100]);
        popped(&mut lane);
        lane.acknowledged(100).unwrap();
        assert!(lane.spare.is_empty());
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
        assert_eq!((lane.kept_bytes(), lane.log.has_more()), (0, false));
    }

    #[test]
    fn what_was_not_handed_out_can_be_dropped_and_the_rest_is_kept() {
        let mut lane = lane(&[3]);
        popped(&mut lane);
        put(&mut lane, 1, LONG);
        put(&mut lane, 2, 1);
        lane.drop_unsent();
        assert_eq!((lane.kept_bytes(), lane.log.bytes()), (3, 3));
        put(&mut lane, 3, 1);
        assert_eq!(popped(&mut lane), [(None, vec![3])], "the offsets have no gap");
    }
}
