//! Messages on their way out of this node: what a session says of each before its fields, and where they go.

use std::sync::Arc;

use actor_core::{Attempt, Instant, SendError};

use super::aside::{Outcome, Reservation};
use super::calls::Pending;
use super::capabilities::Capabilities;
use super::lane::Recipient;
use super::types::Shape;
use super::{Event, Session, Verdict};
use crate::limits::{FRAME_BODY_BYTES_MAX, SEGMENT_BYTES, SWEEP_INTERVAL};
use crate::wire::annotation::Annotation;
use crate::wire::frame::{self, HEADER_BYTES, Kind};
use crate::wire::lanes::LaneId;
use crate::wire::reference::Token;
use crate::wire::schema::{Dialect, Schema};
use crate::wire::{CallHeader, EncodeError, Encoder, RemoteMessage, Urgency, WireContext};

/// The most bytes that stand between a header and an encoded value: the target,
/// the correlation and the deadline of a call.
pub(super) const PREFIX_BYTES_MAX: usize = 24;

/// The most that a message takes on the wire beside its body: a header, and what it brings along.
const BESIDE_BODY_BYTES_MAX: usize = FRAME_BODY_BYTES_MAX;

/// A call without a deadline.
pub(super) const NO_DEADLINE: u64 = 0;

/// What became of a message that may go.
#[derive(Debug)]
pub(crate) enum Sent<M> {
    /// It is on its way. What is left here is to be dropped outside of every lock.
    Gone(M),
    /// It is too long for one frame: it is to be [encoded](Reservation::encode) outside of the lock, and then
    /// [sent](Session::send_encoded).
    Long(M, Reservation),
}

impl Session {
    /// Sends a message to an actor of the peer's, or says why not and gives it
    /// back. A call's reply port is kept until it is answered. A cast does not look at the time.
    /// What it brings along is not said to a peer that cannot read it.
    #[inline]
    pub(crate) fn send<M: RemoteMessage>(
        &mut self,
        now: Instant,
        actor: u64,
        message: M,
        attempt: Attempt,
        annotation: Option<&Annotation>,
    ) -> Result<Sent<M>, SendError<M>> {
        let to = self.way_of(&message, actor, Some(attempt), annotation);
        if let Err(unsent) = self.begin_message(now, &to, message.call()) {
            return Err(unsent.with(message));
        }
        let dialect = self.schemas.dialect(M::TYPE);
        let spoken = dialect.as_ref().map(|dialect| Box::new(self.context.speaking(dialect.clone())));
        let Some(lane) = self.messages.get_mut(place_of(to.lane)) else {
            return Err(SendError::NotConnected(message));
        };
        let context = spoken.as_deref().unwrap_or(&self.context);
        let mut encoder = Encoder::within(lane.lane.out.begun(), context, FRAME_BODY_BYTES_MAX);
        let encoded = EncodeError::contained::<M>(|| message.encode_fields(&mut encoder));
        let finished = encoded.ok().and_then(|()| lane.lane.out.finish(Recipient::Actor(actor)));
        let Some(bytes) = finished else {
            // Any error counts as too long, since a codec may have wrapped ours. If it was another, the second attempt says which.
            lane.lane.out.abandon();
            let credit =
                lane.send_window.reserve(self.peer.message_bytes_max.saturating_add(BESIDE_BODY_BYTES_MAX));
            let context = spoken.unwrap_or_else(|| Box::new(self.context.clone()));
            return Ok(Sent::Long(message, Reservation { actor, lane: to.lane, credit, context }));
        };
        lane.send_window.sent(bytes);
        Ok(self.end_message(now, &to, message, dialect))
    }

    /// Sends a message that was encoded aside, if that went well. It is to be encoded once more, if it turns out
    /// that the peer was built with another version of it.
    pub(crate) fn send_encoded<M: RemoteMessage>(
        &mut self,
        now: Instant,
        message: M,
        reservation: Reservation,
        fields: &mut Outcome,
        annotation: Option<&Annotation>,
    ) -> Result<Sent<M>, SendError<M>> {
        if let Some(Err(error)) = fields {
            self.settle(&reservation, 0);
            return Err(SendError::Unsendable(message, error.to_string().into()));
        }
        let to = self.way_of(&message, reservation.actor, None, annotation);
        if let Err(unsent) = self.begin_message(now, &to, message.call()) {
            self.settle(&reservation, 0);
            return Err(unsent.with(message));
        }
        let Some(lane) = self.messages.get_mut(place_of(to.lane)) else {
            return Err(SendError::NotConnected(message));
        };
        // Looked for last: the type may have been agreed upon just now, to be introduced.
        let dialect = self.schemas.dialect(M::TYPE);
        let fields = if reservation.speaks(dialect.as_ref()) { fields.take() } else { None };
        let Some(Ok(fields)) = fields else {
            lane.lane.out.abandon();
            let context = Box::new(WireContext { dialect, ..self.context.clone() });
            return Ok(Sent::Long(message, Reservation { context, ..reservation }));
        };
        let bytes = lane.lane.out.finish_with(fields, Recipient::Actor(to.actor));
        self.settle(&reservation, bytes);
        Ok(self.end_message(now, &to, message, dialect))
    }

    /// [`send`](Self::send) and what comes after it, for those who are alone with the session.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn send_at_once<M: RemoteMessage>(
        &mut self,
        now: Instant,
        actor: u64,
        message: M,
        attempt: Attempt,
        annotation: Option<&Annotation>,
    ) -> Result<(), SendError<M>> {
        let mut sent = self.send(now, actor, message, attempt, annotation)?;
        while let Sent::Long(message, reservation) = sent {
            let mut fields = Some(reservation.encode(&message));
            sent = self.send_encoded(now, message, reservation, &mut fields, annotation)?;
        }
        Ok(())
    }

    /// Replaces what was reserved for a message by what it takes, which is 0 if it is not sent.
    fn settle(&mut self, reservation: &Reservation, bytes: usize) {
        let lane = self.messages.get_mut(place_of(reservation.lane));
        if lane.is_some_and(|lane| lane.send_window.settle(reservation.credit, bytes)) && self.is_open() {
            self.events.push_back(Event::Room);
        }
    }

    #[inline]
    fn way_of<'a, M: RemoteMessage>(
        &self,
        message: &M,
        actor: u64,
        attempt: Option<Attempt>,
        annotation: Option<&'a Annotation>,
    ) -> To<'a> {
        let shape = Shape { message: M::TYPE, variant: message.variant() };
        let lane = self.lane_to(actor, M::URGENCY);
        To { actor, lane, shape, attempt, schema: Schema::of::<M>, annotation }
    }

    /// A message is on its way.
    #[inline]
    fn end_message<M: RemoteMessage>(
        &mut self,
        now: Instant,
        to: &To<'_>,
        mut message: M,
        dialect: Option<Arc<Dialect>>,
    ) -> Sent<M> {
        if let Some(reply) = message.take_reply(&mut self.pending_replies) {
            let reply = reply.speaking(dialect);
            self.calls.insert(Pending { reply, lane: to.lane, actor: to.actor, answer: None });
            self.sweep_at.get_or_insert(now + SWEEP_INTERVAL);
        } else {
            self.casts_sent += 1;
        }
        Sent::Gone(message)
    }

    /// Begins a message, if it can go now, with what stands before its fields. Here is all of
    /// [`send`](Self::send) that is the same for every type.
    #[inline]
    fn begin_message(&mut self, now: Instant, to: &To<'_>, call: Option<CallHeader>) -> Result<(), Unsent> {
        if !self.is_open() {
            return Err(Unsent::NotConnected);
        }
        let has_credit = to.attempt.is_none_or(|attempt| self.has_credit(to.lane, attempt));
        // What has its credit has begun, and goes as if it had been under way when it was asked to be held.
        let is_held = to.attempt.is_some() && self.is_held(to.actor);
        if !has_credit || is_held || (call.is_some() && self.calls.is_full()) {
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
    pub(crate) fn present(&mut self, actor: u64, urgency: Urgency, token: &Token) -> bool {
        if !self.is_open() {
            return false;
        }
        let lane = self.lane_to(actor, urgency);
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
    pub(crate) fn has_room(&self, actor: u64, urgency: Urgency) -> bool {
        let lane = self.lane_to(actor, urgency);
        let has_room = self.has_credit(lane, Attempt::First) && !self.is_held(actor) && !self.calls.is_full();
        has_room || !self.is_open()
    }

    /// The lane in which all messages of a type go to an actor.
    fn lane_to(&self, actor: u64, urgency: Urgency) -> LaneId {
        match urgency {
            Urgency::Urgent => LaneId::URGENT,
            Urgency::Normal => LaneId::of_recipient(actor, self.peer.data_lanes),
            Urgency::Bulk => LaneId::BULK,
        }
    }

    fn has_credit(&self, lane: LaneId, attempt: Attempt) -> bool {
        self.messages.get(place_of(lane)).is_none_or(|lane| lane.send_window.is_open(attempt))
    }

    /// Whether the peer has asked to send an actor nothing for now. Usually nobody is held, and there is nothing to look up.
    fn is_held(&self, actor: u64) -> bool {
        !self.held.is_empty() && self.held.contains(&actor)
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
    /// None with a reservation: it has its credit.
    attempt: Option<Attempt>,
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

/// The time left for a call, in microseconds: at least one, as none would mean for
/// ever.
fn micros_left(now: Instant, deadline: Instant) -> u64 {
    u64::try_from((deadline - now).as_micros()).unwrap_or(u64::MAX).max(1)
}

// A segment is cut between frames, so the header must fit in front of any.
const _: () = assert!(HEADER_BYTES + PREFIX_BYTES_MAX < SEGMENT_BYTES);

/// A lane's place among those that carry messages.
pub(super) fn place_of(lane: LaneId) -> usize {
    lane.message_place().unwrap_or(usize::MAX)
}
