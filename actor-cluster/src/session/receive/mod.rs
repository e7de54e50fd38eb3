//! The receiving half of a [`Session`]: what the peer's frames do. Everything a
//! peer may send is judged here; nothing it sends can panic.

mod control;

use std::collections::VecDeque;
use std::collections::btree_map::Entry;
use std::time::Duration;

use actor_core::Instant;
use bytes::{Buf, Bytes, BytesMut};

pub(super) use self::control::usable_addresses;
use super::annotations::{Annotated, STRAY};
use super::calls::Pending;
use super::codes;
use super::flow::{Overdrawn, TooMuchCredit};
use super::lane::{BadPart, FromTheFuture, Gap, Position, Whole};
use super::messages::{Fields, Inbound, InboundCall, Messages};
use super::send::NO_DEADLINE;
use super::streams::ConnectionId;
use super::types::{Defined, Shape, Spoken};
use super::{Correlation, Event, Session, lane_of};
use crate::limits::{ACK_BYTES, CALLS_MAX, FRAME_BODY_BYTES_MAX};
use crate::wire::frame::{self, HEADER_BYTES, Head, Header, Kind};
use crate::wire::lanes::{LaneId, LaneIds};
use crate::wire::piece::{Behind, FrameRef, Frames, split_frames};
use crate::wire::reference::Token;
use crate::wire::schema::Fingerprint;
use crate::wire::{PendingReply, TypeTag, VariantTag};

const ASTRAY: &str = "a frame on a stream that does not carry its lane";
const BAD_PARTS: &str = "a message in parts that are not cut as they must be";
const GAP: &str = "a lane that goes on behind a gap";
const OVERDRAWN: &str = "more data than there was credit for";
const UNDEFINED: &str = "a message of an undefined type";
const TOO_MANY_SCHEMAS: &str = "more schemas than it may say";
const TOO_SHORT: &str = "a frame that is too short";

/// `Err`: how the peer broke the protocol; the session ends.
type Judged = Result<(), String>;

impl Session {
    /// Takes what was read from a stream of this session, as much as goes in one turn. Whether
    /// that is all, but for a part of a frame.
    pub(crate) fn handle_input(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        buffer: &mut BytesMut,
    ) -> bool {
        let (piece, behind) = split_frames(buffer, self.frames_per_turn(), FRAME_BODY_BYTES_MAX);
        // A part of a frame is a sign of life too: it may be long and the stream slow.
        if let Some(heartbeat) = self.streams.heartbeat_of(connection) {
            heartbeat.on_heard(now);
        }
        if let Some(stream) = self.streams.get(connection) {
            stream.is_used |= !piece.is_empty();
            self.has_heard |= !piece.is_empty();
            self.handle_frames(now, connection, &piece);
        }
        match behind {
            Behind::More => return false,
            Behind::Less => {}
            Behind::Garbage(error) => {
                buffer.clear();
                self.violated(&error.to_string());
            }
        }
        true
    }

    /// Takes whole frames that came on a stream of this session.
    fn handle_frames(&mut self, now: Instant, connection: ConnectionId, piece: &Bytes) {
        let mut frames = Frames::of(piece);
        while self.ended().is_none()
            && let Some(frame) = frames.next()
        {
            let judged = match frame {
                Err(error) => Err(error.to_string()),
                Ok(cast) if cast.header.kind == Kind::Cast && self.annotations.is_empty() => {
                    self.on_casts(connection, cast, &mut frames)
                }
                Ok(frame) if frame.header.lane == LaneId::NONE => {
                    self.on_stream_frame(now, connection, frame)
                }
                Ok(frame) => self.on_lane_frame(now, connection, frame),
            };
            if let Err(detail) = judged {
                self.violated(&detail);
            }
        }
    }

    /// Casts that come one behind the other in one lane, as under load nearly all do: what they
    /// have in common is looked up once.
    fn on_casts<'a>(
        &mut self,
        connection: ConnectionId,
        first: FrameRef<'a>,
        frames: &mut Frames<'a>,
    ) -> Judged {
        let id = first.header.lane;
        let position = self.streams.get(connection).and_then(|stream| stream.position(id)).ok_or(ASTRAY)?;
        let lane = id.message_place().and_then(|place| self.messages.get_mut(place)).ok_or(ASTRAY)?;
        let messages = reported_in(&mut self.events, &mut self.spare, first.piece(), id);
        let mut next = Some(first);
        while let Some(frame) = next {
            let bytes = frame.header.frame_bytes();
            if lane.lane.incoming.take(position, bytes).map_err(|Gap| GAP)? {
                let bytes = lane.receive_window.received(bytes).map_err(|Overdrawn| OVERDRAWN)?;
                let defined = lane.received_types.defined(frame.header.index);
                let Defined { shape, spoken } = defined.ok_or(UNDEFINED)?;
                let mut body = frame.body();
                let actor = take_u64(&mut body)?;
                let fields = Fields::new(frame.end_of_body(body.len()));
                let message = Inbound { lane: id, actor, shape, spoken, call: None, fields, bytes };
                messages.push(message, None);
            }
            next = frames.next_cast(id);
        }
        self.owes_ack |= lane.lane.incoming.untold() >= ACK_BYTES;
        if messages.rest().is_empty() {
            // All of them have come before, on another stream.
            self.events.pop_back();
        }
        Ok(())
    }

    /// A frame of a lane, which counts if it was not there before.
    fn on_lane_frame(&mut self, now: Instant, connection: ConnectionId, frame: FrameRef<'_>) -> Judged {
        let Header { kind, lane: id, index, .. } = frame.header;
        let position = self.streams.get(connection).and_then(|stream| stream.position(id)).ok_or(ASTRAY)?;
        let lane = lane_of(&mut self.control, &mut self.messages, id).ok_or(ASTRAY)?;
        let is_news = lane.incoming.take(position, frame.header.frame_bytes());
        if !is_news.map_err(|Gap| GAP)? {
            return Ok(());
        }
        self.owes_ack |= lane.incoming.untold() >= ACK_BYTES;
        if !self.annotations.is_empty() {
            self.annotations.check(kind, id)?;
        }
        match kind {
            Kind::Control => self.on_control(now, frame.body()),
            Kind::Cast | Kind::Call => {
                let annotated = self.take_annotated(id);
                self.charge(id, annotated.bytes + frame.header.frame_bytes())?;
                self.on_message(now, frame, annotated)
            }
            Kind::Reply => self.on_reply(frame),
            Kind::Failure => self.on_failure(index, frame.body()),
            Kind::Define => self.on_define(id, index, frame.body()),
            Kind::Cancel => self.on_cancel(frame.body()),
            Kind::Large => self.on_large(frame),
            Kind::Part => self.on_part(now, frame),
            Kind::Present => self.on_present(frame.body()),
            Kind::Annotate => self.on_annotate(frame),
            Kind::Handshake | Kind::Begin | Kind::Take | Kind::Ack | Kind::Ping | Kind::Pong => {
                unreachable!("it is of no lane")
            }
        }
    }

    /// A frame about the stream on which it came.
    fn on_stream_frame(&mut self, now: Instant, connection: ConnectionId, frame: FrameRef<'_>) -> Judged {
        let mut body = frame.body();
        match frame.header.kind {
            Kind::Begin => self.on_begin(connection, frame.header.index, body),
            Kind::Take => self.on_take(connection, frame.header.index, body),
            Kind::Ack => self.on_ack(body),
            Kind::Ping => {
                let number = take_u64(&mut body)?;
                end_of(body)?;
                if let Some(heartbeat) = self.streams.heartbeat_of(connection) {
                    heartbeat.on_ping(now);
                }
                self.owes_ack |= self.has_untold();
                self.write(connection, Kind::Pong, 0, &[&number.to_le_bytes()]);
                Ok(())
            }
            Kind::Pong => {
                let number = take_u64(&mut body)?;
                end_of(body)?;
                if let Some(heartbeat) = self.streams.heartbeat_of(connection) {
                    heartbeat.on_pong(number, now);
                }
                Ok(())
            }
            _ => Err("a handshake step inside a session".to_owned()),
        }
    }

    /// Where the reader of a stream is in a lane that the stream carries.
    fn position(&mut self, connection: ConnectionId, lane: LaneId) -> Option<&mut Position> {
        self.streams.get(connection)?.position(lane)
    }

    fn on_begin(&mut self, connection: ConnectionId, lane: u32, mut body: &[u8]) -> Judged {
        let id = u8::try_from(lane).map(LaneId::from_u8).map_err(|_| "the beginning of no lane")?;
        let offset = take_u64(&mut body)?;
        end_of(body)?;
        let lane = self.lane(id).ok_or("the beginning of an unknown lane")?;
        let mut begun = None;
        lane.incoming.begin(&mut begun, offset).map_err(|Gap| "a lane that begins behind a gap")?;
        *self.position(connection, id).ok_or(ASTRAY)? = begun;
        Ok(())
    }

    fn on_take(&mut self, connection: ConnectionId, lanes: u32, body: &[u8]) -> Judged {
        let lanes = LaneIds::from_bits(lanes).ok_or("a set of unknown lanes")?;
        end_of(body)?;
        // What was acknowledged on the stream that is gone may be lost with it.
        self.owes_ack = true;
        for id in lanes.iter() {
            self.position(connection, id).ok_or(ASTRAY)?;
            self.lane(id).ok_or(ASTRAY)?.write_to(Some(connection));
        }
        Ok(())
    }

    fn on_ack(&mut self, mut body: &[u8]) -> Judged {
        while !body.is_empty() {
            let id = body.try_get_u8().map(LaneId::from_u8).map_err(|_| TOO_SHORT)?;
            let (received, limit) = (take_u64(&mut body)?, take_u64(&mut body)?);
            // A later version may have more lanes; they are not used with this one.
            let Some(lane) = self.lane(id) else { continue };
            let acked = lane.out.acknowledged(received);
            acked.map_err(|FromTheFuture| "an acknowledgement of what was never sent")?;
            let Some(lane) = self.message_lane(id) else { continue };
            let granted = lane.send_window.granted(limit);
            if granted.map_err(|TooMuchCredit| "more credit than was ever lent")? {
                self.events.push_back(Event::Room);
            }
        }
        Ok(())
    }

    fn on_annotate(&mut self, frame: FrameRef<'_>) -> Judged {
        if !self.takes_annotations() {
            return Err("an annotation that was not agreed on".to_owned());
        }
        self.annotations.put(frame.header.lane, frame.body(), frame.header.frame_bytes())
    }

    /// What the message that begins now brings along.
    fn take_annotated(&mut self, lane: LaneId) -> Annotated {
        if self.annotations.is_empty() { Annotated::default() } else { self.annotations.take(lane) }
    }

    /// A message costs credit when its first byte comes.
    fn charge(&mut self, lane: LaneId, bytes: usize) -> Judged {
        let lane = self.message_lane(lane).ok_or(ASTRAY)?;
        lane.receive_window.received(bytes).map(drop).map_err(|Overdrawn| OVERDRAWN.to_owned())
    }

    fn on_large(&mut self, frame: FrameRef<'_>) -> Judged {
        let head = Head::from_bytes(frame.body()).ok_or("a large frame of nothing that can be large")?;
        let Header { lane: id, index, .. } = frame.header;
        let most = self.config.message_bytes_max;
        let annotated = self.take_annotated(id);
        if head.kind == Kind::Reply && annotated.annotation.is_some() {
            return Err(STRAY.to_owned());
        }
        let bytes = annotated.bytes + HEADER_BYTES + head.length as usize;
        let lane = self.message_lane(id).ok_or(ASTRAY)?;
        lane.assemblies.begin(index, head, annotated, most).map_err(|BadPart| BAD_PARTS)?;
        match head.kind {
            Kind::Reply => Ok(()),
            _ => self.charge(id, bytes),
        }
    }

    fn on_part(&mut self, now: Instant, frame: FrameRef<'_>) -> Judged {
        let Header { lane: id, index, .. } = frame.header;
        let lane = self.message_lane(id).ok_or(ASTRAY)?;
        if lane.assemblies.unbegun(index).is_some_and(|head| head.kind == Kind::Reply) {
            self.begin_answer(id, index, frame.body())?;
        }
        let lane = self.message_lane(id).ok_or(ASTRAY)?;
        let whole = lane.assemblies.part(index, frame.body()).map_err(|BadPart| BAD_PARTS)?;
        let Some(Whole { head, annotated, body }) = whole else { return Ok(()) };
        let whole = FrameRef::assembled(head, id, &body);
        match head.kind {
            Kind::Reply => self.on_reply(whole),
            _ => self.on_message(now, whole, annotated),
        }
    }

    fn on_message(&mut self, now: Instant, frame: FrameRef<'_>, annotated: Annotated) -> Judged {
        let Header { kind, lane, index, .. } = frame.header;
        let of_lane = self.message_lane(lane).ok_or(ASTRAY)?;
        let bytes = of_lane.receive_window.cost(annotated.bytes + frame.header.frame_bytes());
        let (index, calls) = match kind {
            Kind::Call => frame::split_call_index(index),
            _ => (index, 0),
        };
        let defined = of_lane.received_types.defined(index);
        let Defined { shape, spoken } = defined.ok_or(UNDEFINED)?;
        let mut body = frame.body();
        let actor = take_u64(&mut body)?;
        let mut call = None;
        if kind == Kind::Call {
            self.peer_calls = calls;
            call = self.open_call(now, lane, bytes, &mut body)?;
            if call.is_none() {
                return Ok(());
            }
        }
        let fields = Fields::new(frame.end_of_body(body.len()));
        let message = Inbound { lane, actor, shape, spoken, call, fields, bytes };
        let messages = reported_in(&mut self.events, &mut self.spare, frame.piece(), lane);
        messages.push(message, annotated.annotation);
        Ok(())
    }

    /// Opens a call that costs so much credit; `None` if there was no room, and it was refused.
    fn open_call(
        &mut self,
        now: Instant,
        lane: LaneId,
        bytes: usize,
        body: &mut &[u8],
    ) -> Result<Option<InboundCall>, String> {
        let correlation = Correlation::from_u64(take_u64(body)?);
        let deadline = match take_u64(body)? {
            NO_DEADLINE => None,
            micros => Some(now + Duration::from_micros(micros)),
        };
        let is_full = self.answering.len() >= CALLS_MAX;
        match self.answering.entry(correlation) {
            Entry::Occupied(_) => return Err("two calls of the same correlation".to_owned()),
            Entry::Vacant(place) if !is_full => _ = place.insert(lane),
            Entry::Vacant(_) => {
                self.refuse_call(lane, correlation, bytes);
                return Ok(None);
            }
        }
        Ok(Some(InboundCall { correlation, deadline }))
    }

    /// An answer in parts costs no credit, so it is kept for a call that waits for it, and once.
    fn begin_answer(&mut self, id: LaneId, number: u32, mut first: &[u8]) -> Judged {
        let call = Correlation::from_u64(take_u64(&mut first)?);
        if !self.calls.begin_answer(call, id, number) {
            self.ignore_answer(Some((id, number)));
        }
        Ok(())
    }

    /// Keeps no more of an answer that nobody waits for, if one is being put together.
    pub(super) fn ignore_answer(&mut self, answer: Option<(LaneId, u32)>) {
        if let Some((lane, number)) = answer
            && let Some(lane) = self.message_lane(lane)
        {
            lane.assemblies.ignore(number);
        }
    }

    fn on_reply(&mut self, frame: FrameRef<'_>) -> Judged {
        let mut body = frame.body();
        // An answer to a call that is not pending crossed with its cancellation.
        if let Some(reply) = self.take_call(Correlation::from_u64(take_u64(&mut body)?)) {
            self.events.push_back(Event::Answered { reply, value: frame.share(body.len()) });
        }
        Ok(())
    }

    fn on_failure(&mut self, code: u32, mut body: &[u8]) -> Judged {
        if let Some(reply) = self.take_call(Correlation::from_u64(take_u64(&mut body)?)) {
            let failure = codes::to_failure(code, body);
            self.events.push_back(Event::Failed { reply, failure });
        }
        Ok(())
    }

    /// Takes a call out, and tells whoever waits for room for one.
    fn take_call(&mut self, call: Correlation) -> Option<PendingReply> {
        let was_full = self.calls.is_full();
        let Pending { reply, answer, .. } = self.calls.take(call)?;
        self.ignore_answer(answer);
        if was_full {
            self.events.push_back(Event::Room);
        }
        Some(reply)
    }

    fn on_define(&mut self, lane: LaneId, index: u32, mut body: &[u8]) -> Judged {
        let message = TypeTag::from_u64(take_u64(&mut body)?);
        let variant = VariantTag::from_u64(take_u64(&mut body)?);
        let spoken = self.on_version(message, body)?;
        let lane = self.message_lane(lane).ok_or(ASTRAY)?;
        let defined =
            lane.received_types.define(index, Defined { shape: Shape { message, variant }, spoken });
        defined.map_err(|_| "a type defined out of order".to_owned())
    }

    /// The rest of a Define: a fingerprint, and the schema where the two sides' differ.
    fn on_version(&mut self, message: TypeTag, mut body: &[u8]) -> Result<Spoken, String> {
        if body.is_empty() {
            return Ok(Spoken::Unsaid);
        }
        let fingerprint = Fingerprint::from_u64(take_u64(&mut body)?);
        if body.is_empty() {
            return Ok(Spoken::Own(fingerprint));
        }
        let text = std::str::from_utf8(body).map_err(|_| "a schema that is no text")?;
        self.hear(message, fingerprint, text)?;
        Ok(Spoken::Common)
    }

    /// The peer's version of a type. What was sent before it was known is defined anew.
    fn hear(&mut self, message: TypeTag, fingerprint: Fingerprint, text: &str) -> Judged {
        if self.schemas.hear(message, fingerprint, text).map_err(|_| TOO_MANY_SCHEMAS)? {
            self.messages.iter_mut().for_each(|lane| lane.forget_type(message));
        }
        Ok(())
    }

    fn on_present(&mut self, mut body: &[u8]) -> Judged {
        let actor = take_u64(&mut body)?;
        let token = token_of(body)?;
        self.events.push_back(Event::Presented { actor, token });
        Ok(())
    }

    fn on_cancel(&mut self, mut body: &[u8]) -> Judged {
        let call = Correlation::from_u64(take_u64(&mut body)?);
        end_of(body)?;
        self.answering.remove(&call);
        Ok(())
    }
}

/// Where a message is reported that came in a piece: with those that came just before it in the same one,
/// and are as urgent.
fn reported_in<'a>(
    events: &'a mut VecDeque<Event>,
    spare: &mut Vec<Inbound>,
    piece: &Bytes,
    lane: LaneId,
) -> &'a mut Messages {
    let is_urgent = lane.is_urgent();
    let is_begun =
        matches!(events.back(), Some(Event::Messages(messages)) if messages.are_in(piece, is_urgent));
    if !is_begun {
        events.push_back(Event::Messages(Messages::new(piece.clone(), std::mem::take(spare), is_urgent)));
    }
    match events.back_mut() {
        Some(Event::Messages(messages)) => messages,
        _ => unreachable!("it is there"),
    }
}

fn take_u64(body: &mut &[u8]) -> Result<u64, String> {
    body.try_get_u64_le().map_err(|_| TOO_SHORT.to_owned())
}

fn token_of(bytes: &[u8]) -> Result<Token, String> {
    bytes.try_into().map(Token::from_bytes).map_err(|_| "a token of another length".to_owned())
}

fn end_of(body: &[u8]) -> Judged {
    if body.is_empty() { Ok(()) } else { Err("a frame that is too long".to_owned()) }
}
