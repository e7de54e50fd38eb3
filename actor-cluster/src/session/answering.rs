//! Answers to the peer's calls.

use actor_core::CallFailure;

use super::aside::{Encoded, Outcome};
use super::codes;
use super::lane::Recipient;
use super::send::place_of;
use super::{Correlation, Session};
use crate::limits::FRAME_BODY_BYTES_MAX;
use crate::wire::frame::Kind;
use crate::wire::lanes::LaneId;
use crate::wire::{EncodeError, EncodeReply, Encoder};

/// What became of an answer.
pub(crate) enum Answered<'a> {
    /// It is on its way, or it is said why there is none.
    Gone,
    /// The call is not open, because it was cancelled or answered.
    Unwanted,
    /// It is too long for one frame: it is to be [encoded](Encoded::of_reply) outside of the lock, and then
    /// [given](Session::answer_encoded).
    Long(&'a dyn EncodeReply),
}

impl Session {
    /// Answers a call of the peer's.
    pub(crate) fn answer<'a>(
        &mut self,
        call: Correlation,
        answer: Result<&'a dyn EncodeReply, CallFailure>,
    ) -> Answered<'a> {
        let Some(lane) = self.answering.remove(&call) else { return Answered::Unwanted };
        let answer = match answer {
            Ok(_) if self.is_left_unread() => Err(too_many()),
            Ok(value) if !self.write_answer(lane, call, value) => {
                self.answering.insert(call, lane);
                return Answered::Long(value);
            }
            Ok(_) => Ok(()),
            Err(failure) => Err(failure),
        };
        self.end_answer(lane, call, answer);
        Answered::Gone
    }

    /// [Answers](Self::answer) a call with what was encoded aside, or could not be.
    pub(crate) fn answer_encoded(&mut self, call: Correlation, answer: &mut Outcome) {
        let Some(id) = self.answering.remove(&call) else { return };
        let answer = match answer.take() {
            Some(Err(error)) => Err(CallFailure::BadReply(error.to_string().into())),
            Some(Ok(_)) if self.is_left_unread() => Err(too_many()),
            Some(Ok(value)) => {
                if let Some(lane) = self.message_lane(id) {
                    lane.lane.out.begin(Kind::Reply, id, 0, call.as_u64());
                    lane.lane.out.finish_with(value, Recipient::Caller(call.as_u64()));
                }
                Ok(())
            }
            None => Ok(()),
        };
        self.end_answer(id, call, answer);
    }

    /// [`answer`](Self::answer) in one go, for what is short. Whether the call was open.
    pub(crate) fn answer_at_once(
        &mut self,
        call: Correlation,
        answer: Result<&dyn EncodeReply, CallFailure>,
    ) -> bool {
        match self.answer(call, answer) {
            Answered::Gone => true,
            Answered::Unwanted => false,
            Answered::Long(value) => {
                let mut encoded = Some(Encoded::of_reply(&self.context, value));
                self.answer_encoded(call, &mut encoded);
                true
            }
        }
    }

    fn end_answer(&mut self, lane: LaneId, call: Correlation, answer: Result<(), CallFailure>) {
        if let Err(failure) = answer {
            self.write_failure(lane, call, &failure);
            self.check_unread();
        }
    }

    /// Whether the peer has left so many answers unread that it gets no more of them.
    fn is_left_unread(&self) -> bool {
        self.unread_bytes() > self.unread_bytes_max()
    }

    /// Writes an answer, if it goes into one frame.
    fn write_answer(&mut self, id: LaneId, call: Correlation, value: &dyn EncodeReply) -> bool {
        let Some(lane) = self.messages.get_mut(place_of(id)) else { return true };
        let out = &mut lane.lane.out;
        let buffer = out.begin(Kind::Reply, id, 0, call.as_u64());
        let mut encoder = Encoder::within(buffer, &self.context, FRAME_BODY_BYTES_MAX);
        let encoded = EncodeError::contained::<dyn EncodeReply>(|| value.encode_reply(&mut encoder));
        let finished = encoded.ok().and_then(|()| out.finish(Recipient::Caller(call.as_u64())));
        if finished.is_none() {
            out.abandon();
        }
        finished.is_some()
    }

    /// Tells the caller that there is no answer, and why.
    pub(super) fn write_failure(&mut self, id: LaneId, call: Correlation, failure: &CallFailure) {
        let Some(lane) = self.message_lane(id) else { return };
        let (code, text) = codes::of_failure(failure);
        let text = codes::cut(text).as_bytes();
        lane.write(Kind::Failure, code, Recipient::Caller(call.as_u64()), call.as_u64(), text);
    }

    /// Whether the peer still waits for the answer to a call.
    pub(crate) fn is_answering(&self, call: Correlation) -> bool {
        self.answering.contains_key(&call)
    }
}

#[cold]
fn too_many() -> CallFailure {
    CallFailure::BadReply("too many answers wait to be read: ask for fewer at a time".into())
}
