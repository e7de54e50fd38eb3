//! What the peer does: frames in their place, out of it, and again.

use bytes::BytesMut;

use super::steps::{About, Content};
use super::{Fuzzed, KINDS, LONG, Letter, Sent, WINDOW_BYTES, annotation, lane_of};
use crate::limits::{FRAME_BODY_BYTES_MAX, PART_BYTES};
use crate::wire::RemoteMessage;
use crate::wire::frame::{HEADER_BYTES, Kind, write_frame};
use crate::wire::lanes::LaneId;

impl Fuzzed {
    pub(super) fn on_frame(&mut self, stream: u8, lane: LaneId, frame: Content) {
        let Some(at) = self.pick(stream) else { return };
        let call = |call: Option<u8>| match call {
            Some(call) => self.written.call(call).unwrap_or(u64::MAX),
            None => u64::MAX,
        };
        let (kind, index, body) = match frame {
            Content::Define { index, is_letter } => {
                let next = self.defined.entry(lane).or_default();
                let index = index.unwrap_or(*next);
                *next = next.wrapping_add(1);
                let message = if is_letter { Letter::TYPE.as_u64() } else { 1 };
                (Kind::Define, index.into(), [message.to_le_bytes(), 2_u64.to_le_bytes()].concat())
            }
            Content::Cast { index, actor, fields } => {
                (Kind::Cast, u32::from(index % 3), [&u64::from(actor).to_le_bytes()[..], &fields].concat())
            }
            Content::Call { index, correlation, micros, fields } => {
                let head = [1_u64, correlation.into(), micros].map(u64::to_le_bytes).concat();
                (Kind::Call, u32::from(index % 3), [head, fields].concat())
            }
            Content::Reply { call: to, value } => {
                (Kind::Reply, 0, [&call(to).to_le_bytes()[..], &value].concat())
            }
            Content::Failure { call: to, code, text } => {
                (Kind::Failure, code.into(), [&call(to).to_le_bytes()[..], &text].concat())
            }
            Content::Cancel { correlation } => {
                (Kind::Cancel, 0, u64::from(correlation).to_le_bytes().to_vec())
            }
            Content::Present { actor, token } => {
                (Kind::Present, 0, [&u64::from(actor).to_le_bytes()[..], &token.bytes()].concat())
            }
            Content::Control(words) => (Kind::Control, 0, words.encode()),
            Content::Large { number, kind, length } => {
                let kind = [Kind::Cast, Kind::Call, Kind::Reply, Kind::Failure][usize::from(kind % 4)];
                // Most lengths are no length of anything.
                let length = LONG + length % LONG;
                let body = [&[kind as u8, 0, 0, 0][..], &length.to_le_bytes()].concat();
                self.promised.is_wild = true;
                (Kind::Large, u32::from(number % 17), body)
            }
            Content::Part { number, bytes } => {
                (Kind::Part, u32::from(number % 17), vec![7; (bytes as usize).min(PART_BYTES)])
            }
            Content::Annotate { is_trace: true, .. } => (Kind::Annotate, 0, annotation_body()),
            Content::Annotate { is_trace: false, body } => (Kind::Annotate, 0, body),
            Content::Raw { kind, index, body } => {
                self.goes_wild();
                let [low, high] = index.to_le_bytes();
                let kind = kind % KINDS;
                let lane = if kind == Kind::Control as u8 { LaneId::CONTROL } else { lane };
                let [l0, l1, l2, ..] = body.len().to_le_bytes();
                let header = [l0, l1, l2, kind, low, high, 0, lane.as_u8()];
                return self.receive(at, &[&header[..], &body].concat());
            }
        };
        self.put(at, kind, lane, index, &body);
    }

    /// Puts a frame where it belongs in its lane, and checks that it arrives once.
    pub(super) fn put(&mut self, at: usize, kind: Kind, lane: LaneId, index: u32, body: &[u8]) {
        let lane = if kind == Kind::Control { LaneId::CONTROL } else { lane };
        let is_its = kind == Kind::Control || lane != LaneId::CONTROL;
        if !is_its || !self.streams[at].lanes.contains(lane) {
            return;
        }
        if body.len() > FRAME_BODY_BYTES_MAX {
            return;
        }
        let mut frame = BytesMut::new();
        write_frame(&mut frame, kind, lane, index, &[body]);
        let sent = self.sent.entry(lane.as_u8()).or_default();
        let offset = sent.end;
        sent.end += frame.len() as u64;
        sent.frames.push((offset, frame.to_vec()));
        let is_open = self.session.ended().is_none();
        self.begin(at, lane, offset);
        self.drain();
        self.receive(at, &frame);
        let is_message = matches!(kind, Kind::Cast | Kind::Call);
        if is_open && self.session.ended().is_none() {
            self.promised.note(kind, lane);
        }
        self.promised.messages_due += usize::from(is_open && is_message && self.session.ended().is_none());
        let is_present = kind == Kind::Present && is_open && self.session.ended().is_none();
        self.promised.presents_due += usize::from(is_present);
        if let Some(stream) = self.streams.get_mut(at) {
            stream.said.insert(lane.as_u8(), offset + frame.len() as u64);
        }
    }

    /// Says where the next frame of a lane stands, unless the reader knows.
    fn begin(&mut self, at: usize, lane: LaneId, offset: u64) {
        if self.streams[at].said.get(&(lane.as_u8())) != Some(&offset) {
            let mut begin = BytesMut::new();
            write_frame(&mut begin, Kind::Begin, LaneId::NONE, lane.as_u8().into(), &[&offset.to_le_bytes()]);
            self.receive(at, &begin);
        }
    }

    /// Frames that came before: none of them counts.
    pub(super) fn again(&mut self, stream: u8, lane: LaneId, frames: u8) {
        let Some(at) = self.pick(stream).filter(|at| self.streams[*at].lanes.contains(lane)) else { return };
        let Some(Sent { end, frames: sent }) = self.sent.get(&(lane.as_u8())).cloned() else { return };
        let from = sent.len().saturating_sub(usize::from(frames));
        let Some((offset, _)) = sent.get(from) else { return };
        self.begin(at, lane, *offset);
        for (_, frame) in &sent[from..] {
            self.receive(at, frame);
        }
        if let Some(stream) = self.streams.get_mut(at) {
            stream.said.insert(lane.as_u8(), end);
        }
    }

    pub(super) fn about(&mut self, stream: u8, about: About) {
        let Some(at) = self.pick(stream) else { return };
        let (kind, index, body) = match about {
            About::Begin { lane, offset } => {
                (Kind::Begin, u32::from(lane_of(lane).as_u8()), offset.to_le_bytes().to_vec())
            }
            About::Take { lanes } => (Kind::Take, u32::from(lanes % 32), Vec::new()),
            About::Ack { lane, part } => {
                let lane = lane_of(lane);
                let received = self.written.end(lane, part);
                let limit = if lane == LaneId::CONTROL { 0 } else { WINDOW_BYTES + received / 2 };
                (Kind::Ack, 0, ack(lane.as_u8(), received, limit))
            }
            About::WildAck { lane, received, limit } => {
                self.written.acknowledged(lane, received);
                (Kind::Ack, 0, ack(lane, received, limit))
            }
            About::Ping(number) => (Kind::Ping, 0, number.to_le_bytes().to_vec()),
            About::Pong(number) => (Kind::Pong, 0, number.unwrap_or(self.last_ping).to_le_bytes().to_vec()),
        };
        let mut frame = BytesMut::new();
        write_frame(&mut frame, kind, LaneId::NONE, index, &[&body]);
        if kind == Kind::Begin {
            self.streams[at].said.clear();
            self.promised.is_wild = true;
        }
        self.receive(at, &frame);
    }
}

fn ack(lane: u8, received: u64, limit: u64) -> Vec<u8> {
    [&[lane][..], &received.to_le_bytes(), &limit.to_le_bytes()].concat()
}

fn annotation_body() -> Vec<u8> {
    let mut frame = BytesMut::new();
    annotation().write(&mut frame, LaneId::BULK);
    frame.split_off(HEADER_BYTES).to_vec()
}
