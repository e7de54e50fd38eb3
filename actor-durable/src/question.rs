//! Questions that one durable actor asks another: what the two messages carry, and how the answer is read. Pure.
//!
//! ```text
//!  asker: one turn { …, question } ── outbox ──► the other: one turn { …, answer }
//!  asker: one turn of the command that       ◄── outbox ──┘
//!         `on_answer` makes of the answer
//! ```
//!
//! A question has one answer: its id is made of the question's and of who answers, so that the asker knows it again.

use crate::actor::Durable;
use crate::codec::CodecError;
use crate::error::{AskError, NotApplied};
use crate::id::{DurableId, MessageId, Target, WallTime};
use crate::store::{Body, Destination, Headers, Message, Outgoing};
use crate::turn::Draft;

/// The header of questions, and of their answers: what the asker calls it.
const NAME: &str = "actor-durable-question";

/// The header of answers: the question's id.
const QUESTION: &str = "actor-durable-answer-to";

/// The header of answers that say that there is none: why.
const GIVEN_UP: &str = "actor-durable-given-up";

/// The answer to a [question](crate::Turn::ask), as the asker gets it. See [`Durable::on_answer`].
#[derive(Clone, Copy, Debug)]
pub struct Answer<'m> {
    message: &'m Message,
    from: &'m DurableId,
    name: &'m str,
    question: MessageId,
}

impl<'m> Answer<'m> {
    /// The answer that a message carries, if it is one. What a caller has sent is not from an actor, and so is not.
    pub(crate) fn of(message: &'m Message) -> Option<Self> {
        let from = message.from.as_ref()?;
        let question = u128::from_str_radix(message.headers.get(QUESTION)?, 16).ok()?;
        let question = MessageId::from_bytes(question.to_be_bytes());
        let name = message.headers.get(NAME).map_or("", String::as_str);
        Some(Self { message, from, name, question })
    }

    /// The name that the asker gave the question.
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// The question's id, which [`Turn::ask`](crate::Turn::ask) gave.
    pub fn question(&self) -> MessageId {
        self.question
    }

    /// The actor that was asked.
    pub fn from(&self) -> &'m DurableId {
        self.from
    }

    /// The reply of an actor of type `B`, as a call would have returned it.
    ///
    /// # Errors
    ///
    /// [`AskError::Refused`]; [`AskError::NotApplied`] with [`NotApplied::GivenUp`] if the question could not be delivered or was
    /// given up as poison; [`AskError::BadReply`] if an actor of another type was asked, or this program cannot read the reply.
    /// Never [`AskError::Unknown`].
    pub fn reply<B: Durable>(&self) -> Result<B::Reply, AskError<B::Error>> {
        if let Some(reason) = self.message.headers.get(GIVEN_UP) {
            return Err(NotApplied::GivenUp(reason.clone()).into());
        }
        match B::read_reply(&self.message.body.bytes) {
            Ok(result) => result.map_err(AskError::Refused),
            Err(form) => Err(AskError::BadReply(form)),
        }
    }
}

/// The headers of a question.
pub(crate) fn headers(name: &str) -> Headers {
    Headers::from([(NAME.to_owned(), name.to_owned())])
}

/// The answer to a message that wants one: what the stored reply says, or why there is none.
pub(crate) fn answer(question: &Message, said: Result<Body, String>) -> Option<Draft> {
    let to = Destination::Actor(question.reply_to.clone()?);
    let (body, headers) = written(question.id, &question.headers, said);
    let id = Some(answer_id(question.id, &question.to.id));
    Some(Draft { to, id, reply_to: None, body, headers })
}

/// What an asker is told whose question did not arrive.
pub(crate) fn undelivered(
    asker: &Target,
    question: &Outgoing,
    reason: &str,
    now: WallTime,
) -> Option<Message> {
    let Destination::Actor(asked) = &question.to else { return None };
    let to = question.reply_to.clone().filter(|to| to == asker)?;
    let (body, headers) = written(question.id, &question.headers, Err(reason.to_owned()));
    let (id, from) = (answer_id(question.id, &asked.id), Some(asked.id.clone()));
    Some(Message { to, id, from, reply_to: None, sent_at: now, body, headers })
}

fn written(question: MessageId, headers: &Headers, said: Result<Body, String>) -> (Body, Headers) {
    let name = headers.get(NAME).cloned().unwrap_or_default();
    let mut headers = Headers::from([(NAME.to_owned(), name), (QUESTION.to_owned(), question.to_string())]);
    let body = said.unwrap_or_else(|reason| {
        headers.insert(GIVEN_UP.to_owned(), reason);
        Body::default()
    });
    (body, headers)
}

fn answer_id(question: MessageId, asked: &DurableId) -> MessageId {
    MessageId::hashed(question.made(), &[b"answer", asked.as_str().as_bytes(), &question.to_bytes()])
}

/// A type that does not take an answer has got one.
pub(crate) fn untaken<T>(answer: &Answer<'_>) -> Result<T, CodecError> {
    Err(CodecError::UnknownName { what: "an answer to a question", found: answer.name().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ActorType, DurableId, Sequence};
    use crate::store::OutboxPosition;

    fn target(id: &str) -> Target {
        let actor_type = ActorType::new("counter").expect("a good name");
        Target { id: DurableId::new(id).expect("a good id"), actor_type }
    }

    #[test]
    fn only_whoever_has_asked_is_told_that_a_question_did_not_arrive() {
        let asker = target("asker");
        let question = |reply_to| Outgoing {
            position: OutboxPosition { sequence: Sequence(1), index: 0 },
            to: Destination::Actor(target("asked")),
            id: MessageId::new(WallTime::ZERO, 7),
            reply_to,
            sent_at: WallTime::ZERO,
            body: Body::default(),
            headers: headers("q"),
        };
        let told = |reply_to| undelivered(&asker, &question(reply_to), "no", WallTime::ZERO);
        assert_eq!(told(None), None);
        assert_eq!(told(Some(target("another"))), None);
        let message = told(Some(asker.clone())).expect("it has asked");
        assert_eq!(
            (message.to, message.headers.get(GIVEN_UP).map(String::as_str)),
            (asker.clone(), Some("no"))
        );
    }
}
