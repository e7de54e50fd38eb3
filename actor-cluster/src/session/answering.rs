//! Answers to the peer's calls.

use actor_core::CallFailure;

use super::aside::Encoded;
use super::codes;
use super::lane::Recipient;
use super::send::place_of;
use super::{Correlation, Session};
use crate::limits::FRAME_BODY_BYTES_MAX;
use crate::wire::frame::Kind;
use crate::wire::lanes::LaneId;
use crate::wire::{EncodeError, EncodeReply, Encoder};

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It is on its way, or it is said why there is none.
    Gone,
    /// The call is not open, because it was cancelled or answered.
    Unwanted,
    /// It is too long for one frame: it is to be encoded outside of the lock, and then
    /// [given](Session::answer_encoded).
    Long,
}

impl Session {
    /// Answers a call of the peer's.
    pub(crate) fn answer(
        &mut self,
        call: Correlation,
        answer: Result<&dyn EncodeReply, CallFailure>,
    ) -> Answered {
        let Some(lane) = self.answering.remove(&call) else { return Answered::Unwanted };
        let answer = match answer {
            Ok(_) if self.is_left_unread() => Err(too_many()),
            Ok(value) if !self.write_answer(lane, call, value) => {
                self.answering.insert(call, lane);
                return Answered::Long;
            }
            Ok(_) => Ok(()),
            Err(failure) => Err(failure),
        };
        self.end_answer(lane, call, answer);
        Answered::Gone
    }

    /// [Answers](Self::answer) a call with what was encoded aside, or could not be.
    pub(crate) fn answer_encoded(&mut self, call: Correlation, answer: Result<Encoded, EncodeError>) {
        let Some(id) = self.answering.remove(&call) else { return };
        let answer = match answer {
            Err(error) => Err(CallFailure::BadReply(error.to_string().into())),
            Ok(_) if self.is_left_unread() => Err(too_many()),
            Ok(value) => {
                if let Some(lane) = self.messages.get_mut(place_of(id)) {
                    lane.lane.out.begin(Kind::Reply, id, 0, call.as_u64());
                    lane.lane.out.finish_with(value, Recipient::Caller(call.as_u64()));
                }
                Ok(())
            }
        };
        self.end_answer(id, call, answer);
    }

    /// [`answer`](Self::answer) and what comes after it, for what is known to be short. Whether it went.
    pub(crate) fn answer_at_once(
        &mut self,
        call: Correlation,
        answer: Result<&dyn EncodeReply, CallFailure>,
    ) -> bool {
        let value = answer.as_ref().ok().copied();
        let answered = self.answer(call, answer);
        if let (Answered::Long, Some(value)) = (answered, value) {
            let encoded = Encoded::of_reply(&self.context, value);
            self.answer_encoded(call, encoded);
        }
        answered != Answered::Unwanted
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
        let Some(lane) = self.messages.get_mut(place_of(id)) else { return };
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
