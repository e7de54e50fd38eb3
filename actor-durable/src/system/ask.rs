//! Calls by the methods of the references that `#[actor(durable)]` makes: each with the types of its own method.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::asking::CallFuture;
use super::call::{DurableCall, DurableRef};
use crate::actor::Durable;
use crate::codec::CodecError;
use crate::error::{AskError, Doubt, NotApplied};
use crate::id::MessageId;
use crate::store::{Enqueued, Headers, Refusal};

/// A command of a durable actor that is a plain struct: await it for what the method returns, or [`send`](Self::send) it.
///
/// # Errors
///
/// As those of a [`DurableCall`]. If the id was given to another command before, that one was applied and this was not:
/// [`AskError::BadReply`].
///
/// # Cancellation
///
/// If the future is dropped before it is ready, the command may be applied. Ask again with the same id to know.
#[must_use = "a command does nothing unless it is awaited or sent"]
pub struct DurableAsk<'a, A: Durable, T, E> {
    call: DurableCall<'a, A>,
    answer: fn(A::Reply) -> Option<T>,
    refusal: fn(A::Error) -> Option<E>,
}

impl<'a, A: Durable, T, E> DurableAsk<'a, A, T, E> {
    pub(crate) fn new(
        actor: &'a DurableRef<A>,
        command: A::Command,
        answer: fn(A::Reply) -> Option<T>,
        refusal: fn(A::Error) -> Option<E>,
    ) -> Self {
        Self { call: actor.call(command), answer, refusal }
    }

    /// Gives the command an id of the caller's choice. The same id to the same actor is applied once, and answered again, unless the
    /// actor is [volatile](crate::Durability::Volatile), which remembers none.
    pub fn id(self, id: MessageId) -> Self {
        Self { call: self.call.id(id), ..self }
    }

    /// Waits no longer than this. Then it fails with [`AskError::Unknown`] and [`Doubt::TimedOut`]: the command may
    /// have been applied, or may yet be.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { call: self.call.timeout(timeout), ..self }
    }

    /// Puts the command into the actor's inbox: see [`DurableRef::send`].
    ///
    /// # Errors
    ///
    /// [`AskError::NotApplied`]: it is not in the inbox; if it was given up before, that is
    /// [`Refusal::AlreadyHandled`](crate::store::Refusal::AlreadyHandled). [`AskError::Unknown`]: nobody knows, or it is there already and what
    /// became of it is for a call with the same id to tell; sending it again with that id is safe.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it is ready, the command may be stored.
    pub async fn send(self) -> Result<MessageId, AskError<E>> {
        let Self { call, refusal, .. } = self;
        let DurableCall { actor, command, id, timeout } = call;
        let is_chosen = id.is_some();
        let mut id = id.unwrap_or_else(|| actor.new_message_id());
        let sent = async {
            if is_chosen {
                match actor.send_with(id, Headers::new(), &command).await {
                    // It will not be handled.
                    Ok(Enqueued::Dead) => Err(NotApplied::Store(Refusal::AlreadyHandled(id).into()).into()),
                    sent => sent.map(drop),
                }
            } else {
                actor.send_new(&mut id, &command).await
            }
        };
        let sent = match timeout {
            None => sent.await,
            Some(timeout) => match actor.executor().timeout(timeout, sent).await {
                Ok(sent) => sent,
                Err(_) => Err(AskError::Unknown { id, why: Doubt::TimedOut(timeout) }),
            },
        };
        sent.map(|()| id).map_err(|error| narrow::<A, E>(error, refusal))
    }
}

/// The error of a command, from that of all of them.
fn narrow<A: Durable, E>(error: AskError<A::Error>, refusal: fn(A::Error) -> Option<E>) -> AskError<E> {
    match error {
        AskError::Refused(error) => refusal(error).map_or_else(another::<A, E>, AskError::Refused),
        AskError::NotApplied(why) => AskError::NotApplied(why),
        AskError::Unknown { id, why } => AskError::Unknown { id, why },
        AskError::BadReply(form) => AskError::BadReply(form),
    }
}

/// The answer is to a command of this id, and not to this command.
fn another<A: Durable, E>() -> AskError<E> {
    let why = "it answers another command, which had this id before".to_owned();
    AskError::BadReply(CodecError::Undecodable { what: "a reply", version: A::COMMAND_VERSION, why })
}

pin_project! {
    /// What awaiting a [`DurableAsk`] runs.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct AskFuture<'a, A: Durable, T, E> {
        #[pin]
        call: CallFuture<'a, A>,
        answer: fn(A::Reply) -> Option<T>,
        refusal: fn(A::Error) -> Option<E>,
    }
}

impl<A: Durable, T, E> Future for AskFuture<'_, A, T, E> {
    type Output = Result<T, AskError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.call.poll(cx).map(|answered| match answered {
            Ok(reply) => (this.answer)(reply).ok_or_else(another::<A, E>),
            Err(error) => Err(narrow::<A, E>(error, *this.refusal)),
        })
    }
}

impl<'a, A: Durable, T, E> IntoFuture for DurableAsk<'a, A, T, E> {
    type Output = Result<T, AskError<E>>;
    type IntoFuture = AskFuture<'a, A, T, E>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { call, answer, refusal } = self;
        AskFuture { call: call.into_future(), answer, refusal }
    }
}

impl<A: Durable, T, E> fmt::Debug for AskFuture<'_, A, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AskFuture").field(&self.call).finish()
    }
}

impl<A: Durable, T, E> fmt::Debug for DurableAsk<'_, A, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DurableAsk").field(&self.call).finish()
    }
}
