//! The receiving half of a [`Session`]: what the peer's frames do. Everything a
//! peer may send is judged here; nothing it sends can panic.

use std::time::Duration;

use actor_core::{ControlRequest, Instant};
use bytes::{Buf, Bytes};
use prost::Message;

use super::calls::Pending;
use super::codes;
use super::lane::{BadPart, FromTheFuture, Gap, Position};
use super::send::NO_DEADLINE;
use super::streams::ConnectionId;
use super::types::{Defined, Shape, Spoken};
use super::{Correlation, Event, Inbound, InboundCall, Phase, Session, lane_of};
use crate::limits::{
    ACK_BYTES, ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX, CALLS_MAX, CONTROL_BODY_BYTES_MAX,
    GOSSIP_MEMBERS_MAX, HELD_MAX, PUBLICATION_BYTES_MAX, PUBLICATIONS_PER_PEER_MAX, WATCHES_MAX,
};
use crate::transport::{CloseCode, CloseReason};
use crate::wire::control::{
    Body, Claim, Control, Link, Member, Publication, Request, SchemaSaid, Unlink, Watch,
};
use crate::wire::frame::{self, Frame, HEADER_BYTES, Head, Kind};
use crate::wire::lanes::{LaneId, LaneIds};
use crate::wire::reference::Token;
use crate::wire::schema::Fingerprint;
use crate::wire::{PendingReply, TypeTag, VariantTag};

const ASTRAY: &str = "a frame on a stream that does not carry its lane";
const BAD_PARTS: &str = "a message in parts that are not cut as they must be";
const TOO_MANY_SCHEMAS: &str = "more schemas than it may say";
const TOO_SHORT: &str = "a frame that is too short";

/// The peer broke the protocol; the session ends.
type Judged = Result<(), String>;

impl Session {
    /// Takes note that bytes came, though perhaps no whole frame: a long one on a
    /// slow stream is a sign of life too.
    pub(crate) fn handle_bytes(&mut self, now: Instant, connection: ConnectionId) {
        if let Some(stream) = self.streams.get(connection) {
            stream.on_heard(now);
        }
    }

    /// Takes a frame that came on a stream of this session.
    pub(crate) fn handle_frame(&mut self, now: Instant, connection: ConnectionId, frame: Frame) {
        if self.ended().is_some() {
            return;
        }
        let Some(stream) = self.streams.get(connection) else { return };
        stream.is_used = true;
        stream.on_heard(now);
        self.has_heard = true;
        let judged = match frame.lane {
            LaneId::NONE => self.on_stream_frame(now, connection, &frame),
            _ => self.on_lane_frame(now, connection, frame),
        };
        if let Err(detail) = judged {
            self.abort(CloseCode::Violation, &detail);
        }
    }

    /// A frame of a lane, which counts if it was not there before.
    fn on_lane_frame(&mut self, now: Instant, connection: ConnectionId, frame: Frame) -> Judged {
        let id = frame.lane;
        let position = self.streams.get(connection).and_then(|stream| stream.position(id)).ok_or(ASTRAY)?;
        let lane = lane_of(&mut self.control, &mut self.messages, id).ok_or(ASTRAY)?;
        let is_news = lane.incoming.take(position, frame.bytes());
        if !is_news.map_err(|Gap| "a lane that goes on behind a gap")? {
            return Ok(());
        }
        self.owes_ack |= lane.incoming.untold() >= ACK_BYTES;
        match frame.kind {
            Kind::Control => self.on_control(now, &frame.body),
            Kind::Cast | Kind::Call | Kind::Reply => self.on_whole(now, frame),
            Kind::Failure => self.on_failure(frame.index, frame.body),
            Kind::Define => self.on_define(id, frame.index, frame.body),
            Kind::Cancel => self.on_cancel(frame.body),
            Kind::Large => self.on_large(&frame),
            Kind::Part => self.on_part(now, &frame),
            Kind::Present => self.on_present(frame.body),
            Kind::Handshake | Kind::Begin | Kind::Take | Kind::Ack | Kind::Ping | Kind::Pong => {
                unreachable!("it is of no lane")
            }
        }
    }

    /// A frame about the stream on which it came.
    fn on_stream_frame(&mut self, now: Instant, connection: ConnectionId, frame: &Frame) -> Judged {
        match frame.kind {
            Kind::Begin => self.on_begin(connection, frame),
            Kind::Take => self.on_take(connection, frame),
            Kind::Ack => self.on_ack(frame.body.clone()),
            Kind::Ping => {
                let mut body = frame.body.clone();
                let number = take_u64(&mut body)?;
                end_of(&body)?;
                self.write(connection, Kind::Pong, 0, &[&number.to_le_bytes()]);
                Ok(())
            }
            Kind::Pong => {
                let mut body = frame.body.clone();
                let number = take_u64(&mut body)?;
                end_of(&body)?;
                if let Some(stream) = self.streams.get(connection) {
                    stream.on_pong(number, now);
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

    fn on_begin(&mut self, connection: ConnectionId, frame: &Frame) -> Judged {
        let id = u8::try_from(frame.index).map(LaneId::from_u8).map_err(|_| "the beginning of no lane")?;
        let mut body = frame.body.clone();
        let offset = take_u64(&mut body)?;
        end_of(&body)?;
        let lane = self.lane(id).ok_or("the beginning of an unknown lane")?;
        let mut begun = None;
        lane.incoming.begin(&mut begun, offset).map_err(|Gap| "a lane that begins behind a gap")?;
        *self.position(connection, id).ok_or(ASTRAY)? = begun;
        Ok(())
    }

    fn on_take(&mut self, connection: ConnectionId, frame: &Frame) -> Judged {
        let lanes = LaneIds::from_bits(frame.index).ok_or("a set of unknown lanes")?;
        end_of(&frame.body)?;
        for id in lanes.iter() {
            self.position(connection, id).ok_or(ASTRAY)?;
            self.lane(id).ok_or(ASTRAY)?.write_to(Some(connection));
        }
        Ok(())
    }

    fn on_ack(&mut self, mut body: Bytes) -> Judged {
        while !body.is_empty() {
            let id = body.try_get_u8().map(LaneId::from_u8).map_err(|_| TOO_SHORT)?;
            let (received, limit) = (take_u64(&mut body)?, take_u64(&mut body)?);
            // A later version may have more lanes; they are not used with this one.
            let Some(lane) = self.lane(id) else { continue };
            let acked = lane.out.acknowledged(received);
            acked.map_err(|FromTheFuture| "an acknowledgement of what was never sent")?;
            if let Some(lane) = self.message_lane(id) {
                let was_open = lane.send_window.is_open();
                lane.send_window.granted(limit).map_err(|_| "more credit than was ever lent")?;
                if !was_open && lane.send_window.is_open() {
                    self.events.push_back(Event::Room);
                }
            }
        }
        Ok(())
    }

    /// A message or an answer, whether it came in parts or not.
    fn on_whole(&mut self, now: Instant, frame: Frame) -> Judged {
        match frame.kind {
            Kind::Reply => self.on_reply(frame.body),
            _ => {
                self.charge(frame.lane, frame.bytes())?;
                self.on_message(now, frame)
            }
        }
    }

    /// A message costs credit when its first byte comes.
    fn charge(&mut self, lane: LaneId, bytes: usize) -> Judged {
        let lane = self.message_lane(lane).ok_or(ASTRAY)?;
        lane.receive_window.received(bytes).map_err(|_| "more data than there was credit for".to_owned())
    }

    fn on_large(&mut self, frame: &Frame) -> Judged {
        let head = Head::from_bytes(&frame.body).ok_or("a large frame of nothing that can be large")?;
        let most = self.config.message_bytes_max;
        let lane = self.message_lane(frame.lane).ok_or(ASTRAY)?;
        lane.assemblies.begin(frame.index, head, most).map_err(|BadPart| BAD_PARTS)?;
        match head.kind {
            Kind::Reply => Ok(()),
            _ => self.charge(frame.lane, HEADER_BYTES + head.length as usize),
        }
    }

    fn on_part(&mut self, now: Instant, frame: &Frame) -> Judged {
        let lane = self.message_lane(frame.lane).ok_or(ASTRAY)?;
        let whole = lane.assemblies.part(frame.index, &frame.body).map_err(|BadPart| BAD_PARTS)?;
        let Some((Head { kind, index, .. }, body)) = whole else { return Ok(()) };
        let whole = Frame { kind, lane: frame.lane, index, body };
        match kind {
            Kind::Reply => self.on_reply(whole.body),
            _ => self.on_message(now, whole),
        }
    }

    fn on_message(&mut self, now: Instant, frame: Frame) -> Judged {
        let (lane, bytes) = (frame.lane, frame.bytes());
        let types = self.message_lane(lane).map(|lane| &lane.received_types);
        let (index, calls) = match frame.kind {
            Kind::Call => frame::split_call_index(frame.index),
            _ => (frame.index, 0),
        };
        let defined = types.and_then(|types| types.defined(index));
        let Defined { shape, spoken } = defined.ok_or("a message of an undefined type")?;
        if frame.kind == Kind::Call {
            self.peer_calls = calls;
        }
        let mut body = frame.body;
        let actor = take_u64(&mut body)?;
        let call = if frame.kind == Kind::Call { Some(self.open_call(now, lane, &mut body)?) } else { None };
        let message = Inbound { lane, actor, shape, spoken, call, fields: body, bytes };
        self.events.push_back(Event::Message(message));
        Ok(())
    }

    fn open_call(&mut self, now: Instant, lane: LaneId, body: &mut Bytes) -> Result<InboundCall, String> {
        let correlation = Correlation::from_u64(take_u64(body)?);
        let deadline = match take_u64(body)? {
            NO_DEADLINE => None,
            micros => Some(now + Duration::from_micros(micros)),
        };
        if self.answering.len() >= CALLS_MAX {
            return Err("too many calls at once".to_owned());
        }
        if self.answering.insert(correlation, lane).is_some() {
            return Err("two calls of the same correlation".to_owned());
        }
        Ok(InboundCall { correlation, deadline })
    }

    fn on_reply(&mut self, mut body: Bytes) -> Judged {
        // An answer to a call that is not pending crossed with its cancellation.
        if let Some(reply) = self.take_call(Correlation::from_u64(take_u64(&mut body)?)) {
            self.events.push_back(Event::Answered { reply, value: body });
        }
        Ok(())
    }

    fn on_failure(&mut self, code: u32, mut body: Bytes) -> Judged {
        if let Some(reply) = self.take_call(Correlation::from_u64(take_u64(&mut body)?)) {
            let failure = codes::to_failure(code, &body);
            self.events.push_back(Event::Failed { reply, failure });
        }
        Ok(())
    }

    /// Takes a call out, and tells whoever waits for room for one.
    fn take_call(&mut self, call: Correlation) -> Option<PendingReply> {
        let was_full = self.calls.is_full();
        let Pending { reply, .. } = self.calls.take(call)?;
        if was_full {
            self.events.push_back(Event::Room);
        }
        Some(reply)
    }

    fn on_define(&mut self, lane: LaneId, index: u32, mut body: Bytes) -> Judged {
        let message = TypeTag::from_u64(take_u64(&mut body)?);
        let variant = VariantTag::from_u64(take_u64(&mut body)?);
        let spoken = self.on_version(message, body)?;
        let lane = self.message_lane(lane).ok_or(ASTRAY)?;
        let defined =
            lane.received_types.define(index, Defined { shape: Shape { message, variant }, spoken });
        defined.map_err(|_| "a type defined out of order".to_owned())
    }

    /// The rest of a Define: a fingerprint, and the schema where the two sides' differ.
    fn on_version(&mut self, message: TypeTag, mut body: Bytes) -> Result<Spoken, String> {
        if body.is_empty() {
            return Ok(Spoken::Unsaid);
        }
        let fingerprint = Fingerprint::from_u64(take_u64(&mut body)?);
        if body.is_empty() {
            return Ok(Spoken::Own(fingerprint));
        }
        let text = std::str::from_utf8(&body).map_err(|_| "a schema that is no text")?;
        self.schemas.hear(message, fingerprint, text).map_err(|_| TOO_MANY_SCHEMAS)?;
        Ok(Spoken::Common)
    }

    fn on_schema(&mut self, said: &SchemaSaid) -> Judged {
        let (message, fingerprint) =
            (TypeTag::from_u64(said.message), Fingerprint::from_u64(said.fingerprint));
        self.schemas.hear(message, fingerprint, &said.text).map_err(|_| TOO_MANY_SCHEMAS.to_owned())
    }

    fn on_present(&mut self, mut body: Bytes) -> Judged {
        let actor = take_u64(&mut body)?;
        let token = token_of(&body)?;
        self.events.push_back(Event::Presented { actor, token });
        Ok(())
    }

    fn on_cancel(&mut self, mut body: Bytes) -> Judged {
        let call = Correlation::from_u64(take_u64(&mut body)?);
        end_of(&body)?;
        self.answering.remove(&call);
        Ok(())
    }

    fn on_control(&mut self, now: Instant, body: &Bytes) -> Judged {
        if body.len() > CONTROL_BODY_BYTES_MAX {
            return Err("a control frame over the limit".to_owned());
        }
        let control = Control::decode(&body[..]).map_err(|error| format!("a control frame: {error}"))?;
        // Something that a later version says and this one does not know.
        let Some(body) = control.body else { return Ok(()) };
        match body {
            Body::Introduce(introduce) => {
                self.events.push_back(Event::Introduced(usable_addresses(introduce.addresses)));
            }
            Body::Publish(publish) => return self.on_publish(publish.entries),
            Body::Unpublish(unpublish) => self.on_unpublish(unpublish.entries),
            Body::Synced(_) => {
                if let Phase::Opening { is_synced, .. } = &mut self.phase {
                    *is_synced = true;
                }
                self.check_ready();
            }
            Body::Members(members) => self.on_members(members.members),
            Body::Watch(Watch { watch, actor, token }) => {
                let token = token.as_deref().map(token_of).transpose()?;
                self.open_watch(watch)?;
                self.events.push_back(Event::Watch { watch, actor, token });
            }
            Body::Link(Link { link, actor, supervisor, token }) => {
                let token = token.as_deref().map(token_of).transpose()?;
                self.open_watch(link)?;
                self.events.push_back(Event::Link { link, actor, supervisor, token });
            }
            Body::Unlink(Unlink { link, has_ended }) => {
                if self.watches.theirs.remove(&link) {
                    self.events.push_back(Event::Unlink { link, has_ended });
                }
            }
            Body::Unlinked(link) => {
                if self.watches.ours.remove(&link) {
                    self.events.push_back(Event::Unlinked { link });
                }
            }
            Body::Claim(Claim { actor, is_unwanted }) => {
                self.events.push_back(Event::Claim { actor, is_unwanted });
            }
            Body::Unwatch(watch) => {
                if self.watches.theirs.remove(&watch) {
                    self.events.push_back(Event::Unwatch { watch });
                }
            }
            Body::Down(down) => {
                if self.watches.ours.remove(&down.watch) {
                    let exit = codes::to_exit(down.exit, down.text);
                    self.events.push_back(Event::Down { watch: down.watch, exit });
                }
            }
            Body::Request(request) => return self.on_request(request),
            Body::Hold(actor) => {
                self.held.insert(actor);
                if self.held.len() > HELD_MAX {
                    return Err("too many actors without room".to_owned());
                }
            }
            Body::Release(actor) => {
                if self.held.remove(&actor) {
                    self.events.push_back(Event::Room);
                }
            }
            Body::Schema(said) => return self.on_schema(&said),
            Body::Goodbye(goodbye) => {
                let code = CloseCode::from_u32(goodbye.code).unwrap_or(CloseCode::Lost);
                self.leave(now, CloseReason::new(code, goodbye.detail));
            }
        }
        Ok(())
    }

    fn on_publish(&mut self, mut entries: Vec<Publication>) -> Judged {
        if !entries.iter().all(Publication::is_usable) {
            return Err("an unusable publication".to_owned());
        }
        entries.retain(|entry| self.publications.insert(entry.clone()));
        self.publication_bytes += entries.iter().map(Publication::bytes).sum::<usize>();
        let is_too_much = self.publication_bytes > PUBLICATION_BYTES_MAX;
        if is_too_much || self.publications.len() > PUBLICATIONS_PER_PEER_MAX {
            return Err("too many published actors".to_owned());
        }
        if !entries.is_empty() {
            self.events.push_back(Event::Published(entries));
        }
        Ok(())
    }

    /// Only what was published can be taken back: it makes room for as much.
    fn on_unpublish(&mut self, mut entries: Vec<Publication>) {
        entries.retain(|entry| self.publications.remove(entry));
        self.publication_bytes -= entries.iter().map(Publication::bytes).sum::<usize>();
        if !entries.is_empty() {
            self.events.push_back(Event::Unpublished(entries));
        }
    }

    fn on_members(&mut self, members: Vec<Member>) {
        let members = members.into_iter().take(GOSSIP_MEMBERS_MAX);
        let members = members.map(|member| (member.node, usable_addresses(member.addresses)));
        self.events.push_back(Event::Members(members.collect()));
    }

    fn open_watch(&mut self, watch: u64) -> Judged {
        if self.watches.theirs.len() >= WATCHES_MAX || !self.watches.theirs.insert(watch) {
            return Err("too many watches, or two of the same number".to_owned());
        }
        Ok(())
    }

    fn on_request(&mut self, request: Request) -> Judged {
        let Request { actor, request, reason, token } = request;
        let token = token.as_deref().map(token_of).transpose()?;
        let request = match request {
            0 => ControlRequest::Stop(reason.map(Into::into)),
            1 => ControlRequest::Drain,
            2 => ControlRequest::Kill,
            _ => return Err("an unknown request to an actor".to_owned()),
        };
        self.events.push_back(Event::Request { actor, request, token });
        Ok(())
    }
}

/// As many addresses as one control frame takes of one node.
pub(super) fn usable_addresses(addresses: Vec<String>) -> Vec<String> {
    let is_usable = |address: &String| address.len() <= ADDRESS_BYTES_MAX;
    addresses.into_iter().filter(is_usable).take(ADDRESSES_PER_NODE_MAX).collect()
}

fn take_u64(body: &mut Bytes) -> Result<u64, String> {
    body.try_get_u64_le().map_err(|_| TOO_SHORT.to_owned())
}

fn token_of(bytes: &[u8]) -> Result<Token, String> {
    bytes.try_into().map(Token::from_bytes).map_err(|_| "a token of another length".to_owned())
}

fn end_of(body: &Bytes) -> Judged {
    if body.is_empty() { Ok(()) } else { Err("a frame that is too long".to_owned()) }
}
