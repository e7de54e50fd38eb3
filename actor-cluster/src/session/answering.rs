//! Answers to the peer's calls.

use actor_core::CallFailure;

use super::codes;
use super::lane::Recipient;
use super::send::place_of;
use super::{Correlation, Session};
use crate::wire::frame::Kind;
use crate::wire::lanes::LaneId;
use crate::wire::{EncodeError, EncodeReply, Encoder};

const TOO_MANY_ANSWERS: &str = "too many answers wait to be read: ask for fewer at a time";

impl Session {
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
}
