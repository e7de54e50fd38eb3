//! The sending half of a [`Session`]: what a node asks of it.

use std::sync::Arc;

use actor_core::{Attempt, CallFailure, ControlRequest, Exit, Instant, SendError};
use prost::Message;

use super::calls::Pending;
use super::capabilities::Capabilities;
use super::codes;
use super::lane::{Lane, MessageLane, Recipient};
use super::receive::usable_addresses;
use super::streams::ConnectionId;
use super::types::Shape;
use super::{Correlation, Event, Session, Verdict};
use crate::limits::{
    CONTROL_BACKLOG_BYTES_MAX, CONTROL_BODY_BYTES_MAX, SEGMENT_BYTES, SWEEP_INTERVAL, WATCHES_MAX,
};
use crate::transport::{CloseCode, CloseReason};
use crate::wire::annotation::Annotation;
use crate::wire::control::{
    Addresses, Body, Claim, Control, Down, Empty, Goodbye, Link, Member, Members, Publication, Publications,
    Request, Unlink, Watch,
};
use crate::wire::frame::{self, HEADER_BYTES, Kind, write_frame};
use crate::wire::lanes::LaneId;
use crate::wire::reference::Token;
use crate::wire::schema::Schema;
use crate::wire::{CallHeader, EncodeError, EncodeReply, Encoder, RemoteMessage, TypeTag};

/// The most bytes that stand between a header and an encoded value: the target,
/// the correlation and the deadline of a call.
pub(super) const PREFIX_BYTES_MAX: usize = 24;

/// What an acknowledgement says of one lane.
const ACK_ENTRY_BYTES: usize = 17;

pub(super) const UNREAD: &str = "the peer does not read";

const TOO_MANY_ANSWERS: &str = "too many answers wait to be read: ask for fewer at a time";

/// A call without a deadline.
pub(super) const NO_DEADLINE: u64 = 0;

/// How many list entries go into one control frame. Entries are bounded, so the
/// frame is.
const ENTRIES_PER_FRAME: usize = 64;

impl Session {
    /// Sends a message to an actor of the peer's, or says why not and gives it
    /// back. A call's reply port is kept until it is answered; a cast is given back to be dropped outside of every
    /// lock. A cast does not look at the time.
    /// What it brings along is not said to a peer that cannot read it.
    #[inline]
    pub(crate) fn send<M: RemoteMessage>(
        &mut self,
        now: Instant,
        actor: u64,
        message: M,
        attempt: Attempt,
        annotation: Option<&Annotation>,
    ) -> Result<Option<M>, SendError<M>> {
        let shape = Shape { message: M::TYPE, variant: message.variant() };
        let (lane, call) = (self.lane_to(actor, M::IS_BULK), message.call());
        let to = To { actor, lane, shape, attempt, schema: Schema::of::<M>, annotation };
        if let Err(unsent) = self.begin_message(now, &to, call) {
            return Err(unsent.with(message));
        }
        let dialect = self.schemas.dialect(M::TYPE);
        let spoken = dialect.as_ref().map(|dialect| Box::new(self.context.speaking(dialect.clone())));
        let Some(lane) = self.messages.get_mut(place_of(lane)) else {
            return Err(SendError::NotConnected(message));
        };
        let mut encoder = Encoder::new(lane.lane.out.begun(), spoken.as_deref().unwrap_or(&self.context));
        if let Err(error) = EncodeError::contained::<M>(|| message.encode_fields(&mut encoder)) {
            lane.lane.out.abandon();
            return Err(SendError::Unsendable(message, error.to_string().into()));
        }
        let bytes = lane.lane.out.finish(Recipient::Actor(actor));
        lane.send_window.sent(bytes);
        if call.is_none() {
            self.casts_sent += 1;
            return Ok(Some(message));
        }
        if let Some(reply) = message.into_reply(&mut self.pending_replies) {
            let lane = lane.lane.id;
            self.calls.insert(Pending { reply: reply.speaking(dialect), lane, actor });
            self.sweep_at.get_or_insert(now + SWEEP_INTERVAL);
        }
        Ok(None)
    }

    /// Begins a message, if it can go now, with what stands before its fields. Here is all of
    /// [`send`](Self::send) that is the same for every type.
    #[inline]
    fn begin_message(&mut self, now: Instant, to: &To<'_>, call: Option<CallHeader>) -> Result<(), Unsent> {
        if !self.is_open() {
            return Err(Unsent::NotConnected);
        }
        if self.is_full(to.lane, to.actor, to.attempt) || (call.is_some() && self.calls.is_full()) {
            return Err(Unsent::Full);
        }
        let place = place_of(to.lane);
        let known = self.messages.get_mut(place).ok_or(Unsent::NotConnected)?.index_of(to.shape);
        let index = match known {
            Some(index) => index,
            None => self.introduce(place, to).map_err(|why| Unsent::Unsendable(Box::new(why)))?,
        };
        let annotation = to.annotation.filter(|_| self.takes_annotations());
        if annotation.is_none() && to.annotation.is_some_and(|annotation| annotation.key.is_some()) {
            // Else it would run each time that it is asked.
            return Err(Unsent::Unsendable(Box::new("the peer's build knows no calls with keys".into())));
        }
        let out = &mut self.messages.get_mut(place).ok_or(Unsent::NotConnected)?.lane.out;
        let lead = annotation.map_or(0, |annotation| annotation.write(out.open(), to.lane));
        let Some(call) = call else {
            out.begin_behind(lead, Kind::Cast, to.lane, index, to.actor);
            return Ok(());
        };
        let index = frame::call_index(index, self.calls.len());
        let time_left = call.deadline.map_or(NO_DEADLINE, |deadline| micros_left(now, deadline));
        let buffer = out.begin_behind(lead, Kind::Call, to.lane, index, to.actor);
        buffer.extend_from_slice(&self.calls.next().as_u64().to_le_bytes());
        buffer.extend_from_slice(&time_left.to_le_bytes());
        Ok(())
    }

    /// Proves that this node was given an actor's address, ahead of the first message to it;
    /// whether it could be said.
    pub(crate) fn present(&mut self, actor: u64, is_bulk: bool, token: &Token) -> bool {
        if !self.is_open() {
            return false;
        }
        let lane = self.lane_to(actor, is_bulk);
        let Some(lane) = self.message_lane(lane) else { return false };
        lane.write(Kind::Present, 0, Recipient::Actor(actor), actor, token.as_bytes());
        true
    }

    /// Whether the peer reads what messages bring along.
    pub(crate) fn takes_annotations(&self) -> bool {
        self.peer.capabilities.has(Capabilities::ANNOTATIONS)
    }

    /// Whether a message to an actor would be taken now, or be refused for another reason than a
    /// lack of room.
    pub(crate) fn has_room(&self, actor: u64, is_bulk: bool) -> bool {
        let lane = self.lane_to(actor, is_bulk);
        !self.is_open() || !(self.is_full(lane, actor, Attempt::First) || self.calls.is_full())
    }

    /// The lane in which all messages of a type go to an actor.
    fn lane_to(&self, actor: u64, is_bulk: bool) -> LaneId {
        if is_bulk { LaneId::BULK } else { LaneId::of_recipient(actor, self.peer.data_lanes) }
    }

    fn is_full(&self, lane: LaneId, actor: u64, attempt: Attempt) -> bool {
        let is_open = self.messages.get(place_of(lane)).is_none_or(|lane| lane.send_window.is_open(attempt));
        // Usually nobody is held, and there is nothing to look up.
        !is_open || (!self.held.is_empty() && self.held.contains(&actor))
    }

    /// Answers a call of the peer's. An answer to a call that is not open, because
    /// it was cancelled or answered, goes nowhere; whether it went.
    pub(crate) fn answer(
        &mut self,
        call: Correlation,
        answer: Result<&dyn EncodeReply, CallFailure>,
    ) -> bool {
        let Some(lane) = self.answering.remove(&call) else { return false };
        if self.unread_bytes() <= self.unread_bytes_max() {
            self.write_answer(lane, call, answer);
            return true;
        }
        // The caller hears that there is one.
        let failure = answer.err().unwrap_or_else(|| CallFailure::BadReply(TOO_MANY_ANSWERS.into()));
        self.write_answer(lane, call, Err(failure));
        self.check_unread();
        true
    }

    pub(super) fn write_answer(
        &mut self,
        id: LaneId,
        call: Correlation,
        answer: Result<&dyn EncodeReply, CallFailure>,
    ) {
        let Some(lane) = self.messages.get_mut(place_of(id)) else { return };
        let recipient = Recipient::Caller(call.as_u64());
        let failure = match answer {
            Err(failure) => failure,
            Ok(value) => {
                let buffer = lane.lane.out.begin(Kind::Reply, id, 0, call.as_u64());
                let mut encoder = Encoder::new(buffer, &self.context);
                match EncodeError::contained::<dyn EncodeReply>(|| value.encode_reply(&mut encoder)) {
                    Ok(()) => {
                        lane.lane.out.finish(recipient);
                        return;
                    }
                    Err(error) => {
                        lane.lane.out.abandon();
                        CallFailure::BadReply(error.to_string().into())
                    }
                }
            }
        };
        let (code, text) = codes::of_failure(&failure);
        let text = codes::cut(text).as_bytes();
        lane.write(Kind::Failure, code, recipient, call.as_u64(), text);
    }

    /// Whether the peer still waits for the answer to a call.
    pub(crate) fn is_answering(&self, call: Correlation) -> bool {
        self.answering.contains_key(&call)
    }

    /// Whether more of the peer's messages should be taken: not while it leaves
    /// the answers to the former ones unread.
    pub(crate) fn wants_messages(&self) -> bool {
        self.messages.iter().all(MessageLane::is_read)
    }

    /// Tells the session that a message, so many bytes of credit, has left a lane.
    pub(crate) fn delivered(&mut self, lane: LaneId, bytes: usize) {
        let lane = self.message_lane(lane);
        let is_worth_telling = lane.is_some_and(|lane| lane.receive_window.delivered(bytes));
        self.owes_ack |= is_worth_telling;
    }

    /// Asks the peer to send an actor here no messages for now.
    pub(crate) fn hold(&mut self, actor: u64) {
        self.send_control(Body::Hold(actor));
    }

    /// Takes that back.
    pub(crate) fn release(&mut self, actor: u64) {
        self.send_control(Body::Release(actor));
    }

    /// Tells the peer where this node can be dialled.
    pub(crate) fn introduce_addresses(&mut self, addresses: Vec<String>) {
        let addresses = usable_addresses(addresses);
        self.send_control(Body::Introduce(Addresses { addresses }));
    }

    /// Tells the peer what a message type here looks like, once: ahead of the actors that take it.
    pub(crate) fn say_schema(&mut self, message: TypeTag, schema: &Schema) {
        if self.peer.capabilities.has(Capabilities::SCHEMAS)
            && let Some(said) = self.schemas.say(message, schema)
        {
            self.send_control(Body::Schema(said));
        }
    }

    /// What this side's version of a message type and the peer's have in common.
    pub(crate) fn agree(&mut self, message: TypeTag, ours: &Schema) -> Verdict {
        self.schemas.agree(message, ours)
    }

    /// Tells the peer of actors that it may reach from now on.
    pub(crate) fn publish(&mut self, entries: &[Publication]) {
        for entries in entries.chunks(ENTRIES_PER_FRAME) {
            self.send_control(Body::Publish(Publications { entries: entries.to_vec() }));
        }
    }

    /// Tells the peer of actors that it may reach no more.
    pub(crate) fn unpublish(&mut self, entries: &[Publication]) {
        for entries in entries.chunks(ENTRIES_PER_FRAME) {
            self.send_control(Body::Unpublish(Publications { entries: entries.to_vec() }));
        }
    }

    /// Tells the peer that everything published so far has been said.
    pub(crate) fn synced(&mut self) {
        self.send_control(Body::Synced(Empty {}));
    }

    /// Tells the peer of other nodes.
    pub(crate) fn gossip(&mut self, members: impl IntoIterator<Item = Member>) {
        for member in members {
            let Member { node, addresses } = member;
            let member = Member { node, addresses: usable_addresses(addresses) };
            // One to a frame: a member's addresses may fill a quarter of it.
            self.send_control(Body::Members(Members { members: vec![member] }));
        }
    }

    /// Asks to be told of the end of an actor of the peer's: an
    /// [`Event::Down`] with the number returned here. `None` if it cannot be
    /// watched: the session is over, or there are too many watches.
    pub(crate) fn watch(&mut self, actor: u64, token: Option<&Token>) -> Option<u64> {
        let watch = self.open_our_watch()?;
        self.send_control(Body::Watch(Watch { watch, actor, token: bytes_of(token) }));
        Some(watch)
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&mut self, watch: u64) {
        if self.watches.ours.remove(&watch) {
            self.send_control(Body::Unwatch(watch));
        }
    }

    /// Puts an actor of the peer's under one of this node. As [`watch`](Self::watch), and the
    /// actor ends when the session does.
    pub(crate) fn link(&mut self, actor: u64, supervisor: u64, token: Option<&Token>) -> Option<u64> {
        let link = self.open_our_watch()?;
        self.send_control(Body::Link(Link { link, actor, supervisor, token: bytes_of(token) }));
        Some(link)
    }

    /// Ends a link, and the actor with it if its supervisor has ended.
    pub(crate) fn unlink(&mut self, link: u64, has_ended: bool) {
        if self.watches.ours.remove(&link) {
            self.send_control(Body::Unlink(Unlink { link, has_ended }));
        }
    }

    /// Tells the peer that an actor of this node is under its supervisor no more.
    pub(crate) fn unlinked(&mut self, link: u64) {
        if self.watches.theirs.remove(&link) {
            self.send_control(Body::Unlinked(link));
        }
    }

    /// Says what is to become of an actor that the peer has started for this node.
    pub(crate) fn claim(&mut self, actor: u64, is_unwanted: bool) {
        self.send_control(Body::Claim(Claim { actor, is_unwanted }));
    }

    fn open_our_watch(&mut self) -> Option<u64> {
        if !self.is_open() || self.watches.ours.len() >= WATCHES_MAX {
            return None;
        }
        self.watches.made += 1;
        self.watches.ours.insert(self.watches.made);
        Some(self.watches.made)
    }

    /// Answers a watch of the peer's. A watch that is not open any more gets no
    /// answer.
    pub(crate) fn down(&mut self, watch: u64, exit: &Exit) {
        if self.watches.theirs.remove(&watch) {
            let (exit, text) = codes::of_exit(exit);
            let text = text.map(|text| codes::cut(text).to_owned());
            self.send_control(Body::Down(Down { watch, exit, text }));
        }
    }

    /// Asks an actor of the peer's to stop, drain or die.
    pub(crate) fn request(&mut self, actor: u64, request: &ControlRequest, token: Option<&Token>) {
        let (request, reason) = match request {
            ControlRequest::Stop(reason) => (0, reason.as_deref().map(|text| codes::cut(text).to_owned())),
            ControlRequest::Drain => (1, None),
            ControlRequest::Kill => (2, None),
        };
        self.send_control(Body::Request(Request { actor, request, reason, token: bytes_of(token) }));
    }

    /// The stream that acknowledgements go to.
    pub(super) fn ack_stream(&self) -> Option<ConnectionId> {
        self.control.stream().or_else(|| self.streams.first())
    }

    /// Tells the peer what has arrived, and what it may send.
    pub(super) fn write_ack(&mut self, connection: ConnectionId) {
        self.owes_ack = false;
        let mut body = Vec::with_capacity(ACK_ENTRY_BYTES * (1 + self.messages.len()));
        let mut entry = |lane: &mut Lane, limit: u64| {
            body.push(lane.id.as_u8());
            body.extend_from_slice(&lane.incoming.tell().to_le_bytes());
            body.extend_from_slice(&limit.to_le_bytes());
        };
        entry(&mut self.control, 0);
        for MessageLane { lane, receive_window, .. } in &mut self.messages {
            entry(lane, receive_window.tell());
        }
        self.write(connection, Kind::Ack, 0, &[&body]);
    }

    /// Writes a frame about a stream.
    pub(super) fn write(&mut self, connection: ConnectionId, kind: Kind, index: u32, body: &[&[u8]]) {
        if let Some(stream) = self.streams.get(connection)
            && !stream.write(kind, index, body)
        {
            self.abort(CloseCode::Timeout, UNREAD);
        }
    }

    pub(super) fn send_goodbye(&mut self, reason: &CloseReason) {
        let goodbye = Goodbye { code: reason.code.as_u32(), detail: reason.detail().to_owned() };
        // Whatever waits: it is the last word, and what is too much ends with one.
        self.write_control(Body::Goodbye(goodbye));
    }

    pub(super) fn send_control(&mut self, body: Body) {
        if self.ended().is_some() {
            return;
        }
        self.write_control(body);
        if self.control.out.kept_bytes() > CONTROL_BACKLOG_BYTES_MAX as u64 {
            self.control.out.drop_unsent();
            self.abort(CloseCode::Timeout, UNREAD);
        }
    }

    fn write_control(&mut self, body: Body) {
        let body = Control { body: Some(body) }.encode_to_vec();
        debug_assert!(body.len() <= CONTROL_BODY_BYTES_MAX, "a control frame that the peer takes");
        write_frame(self.control.out.open(), Kind::Control, LaneId::CONTROL, 0, &[&body]);
        self.control.out.seal();
    }

    /// Gives up calls that nobody waits for, and tells the peer.
    pub(super) fn abandon_calls(&mut self) {
        let was_full = self.calls.is_full();
        let abandoned = self.calls.take_abandoned();
        if was_full && !abandoned.is_empty() {
            self.events.push_back(Event::Room);
        }
        for (call, Pending { reply, lane, actor }) in abandoned {
            if let Some(lane) = self.message_lane(lane) {
                lane.write(Kind::Cancel, 0, Recipient::Actor(actor), call.as_u64(), &[]);
            }
            self.events.push_back(Event::Abandoned { reply });
        }
    }

    /// Defines a shape in a lane, ahead of its first use, unless the peer's build does not know it;
    /// its number there.
    #[cold]
    fn introduce(&mut self, place: usize, to: &To<'_>) -> Result<u32, Arc<str>> {
        let version = if self.peer.capabilities.has(Capabilities::SCHEMAS) {
            self.version(to.shape, &(to.schema)())?
        } else {
            Vec::new()
        };
        let lane = self.messages.get_mut(place).ok_or("there is no such lane")?;
        lane.define(to.shape, &version).map_err(|error| error.to_string().into())
    }

    /// What the peer is told of this side's version of a type.
    fn version(&mut self, shape: Shape, ours: &Schema) -> Result<Vec<u8>, Arc<str>> {
        let Shape { message, variant } = shape;
        let mut version = ours.fingerprint().as_u64().to_le_bytes().to_vec();
        match self.schemas.agree(message, ours) {
            Verdict::Unsaid | Verdict::Same => {}
            Verdict::Incompatible(mismatch) => return Err(mismatch.to_string().into()),
            Verdict::Common(dialect) => {
                if dialect.is_some_and(|dialect| !dialect.knows(message, variant)) {
                    let name = ours.variant(variant).unwrap_or("of this kind");
                    return Err(
                        format!("the peer's version of {} has no variant `{name}`", ours.name()).into()
                    );
                }
                if !self.schemas.spell(message, ours) {
                    return Err(format!("the schema of {} is too long to be told", ours.name()).into());
                }
                version.extend_from_slice(ours.as_str().as_bytes());
            }
        }
        Ok(version)
    }
}

/// Where a message goes, of what type it is, and what it brings along.
struct To<'a> {
    actor: u64,
    lane: LaneId,
    shape: Shape,
    attempt: Attempt,
    schema: fn() -> Schema,
    annotation: Option<&'a Annotation>,
}

/// Why a message cannot be sent. It goes through registers.
enum Unsent {
    NotConnected,
    Full,
    Unsendable(Box<Arc<str>>),
}

impl Unsent {
    #[cold]
    fn with<M>(self, message: M) -> SendError<M> {
        match self {
            Self::NotConnected => SendError::NotConnected(message),
            Self::Full => SendError::Full(message),
            Self::Unsendable(why) => SendError::Unsendable(message, *why),
        }
    }
}

fn bytes_of(token: Option<&Token>) -> Option<Vec<u8>> {
    token.map(|token| token.as_bytes().to_vec())
}

/// The time left for a call, in microseconds: at least one, as none would mean for
/// ever.
fn micros_left(now: Instant, deadline: Instant) -> u64 {
    u64::try_from((deadline - now).as_micros()).unwrap_or(u64::MAX).max(1)
}

// A segment is cut between frames, so the header must fit in front of any.
const _: () = assert!(HEADER_BYTES + PREFIX_BYTES_MAX < SEGMENT_BYTES);

/// A lane's place among those that carry messages.
fn place_of(lane: LaneId) -> usize {
    lane.message_place().unwrap_or(usize::MAX)
}
