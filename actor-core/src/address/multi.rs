//! One question to many actors.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{ActorRef, RoomWait};
use crate::error::{CallError, CallFailure};
use crate::executor::{Executor, Sleep};
use crate::reply::{ReplyFuture, ReplyPort};
use crate::time::Instant;

/// [Calls](ActorRef::call) several actors at once and waits for all of them. The results
/// stand in the order of the actors, each for itself: one that is dead, full or silent
/// keeps no other from being asked and heard.
///
/// `timeout` is for each of them, from the first poll on, and covers the wait for room. A
/// timeout of zero hears those that answer at once; one that is longer than time lasts
/// ([`Instant::FAR`]) never ends.
///
/// No task is spawned: the calls and their answers lie in one list, and a thousand actors
/// cost what a thousand casts do and one wait. Beside that list only a wait for room, and
/// the timer of an actor that is still waited for, are allocated.
///
/// # Cancellation
///
/// Nothing is sent before the future is first polled. Dropping it afterwards does what it
/// does in [`ActorRef::call`], for each of them.
///
/// # Panics
///
/// As [`ActorRef::call`], and as [`ActorRef::call_timeout`] if there is a timeout.
///
/// ```
/// # use actor_core::{ActorRef, ReplyPort, multi_call};
/// # enum Counter { Get(ReplyPort<u64>) }
/// # async fn example(counters: &[ActorRef<Counter>]) -> u64 {
/// let counts = multi_call(counters, None, Counter::Get).await;
/// counts.into_iter().flatten().sum()
/// # }
/// ```
pub async fn multi_call<M: Send + 'static, T: Send + 'static>(
    actors: &[ActorRef<M>],
    timeout: Option<Duration>,
    mut message: impl FnMut(ReplyPort<T>) -> M,
) -> Vec<Result<T, CallError<M>>> {
    let mut calls: Vec<Call<'_, M, T>> =
        actors.iter().map(|actor| Call::begin(actor, timeout, &mut message)).collect();
    let mut first_open = 0;
    let mut are_waiting = calls.iter().any(Call::is_waiting);
    let mut timer = None;
    poll_fn(|cx| {
        // A call that waits for room must look when its turn comes; one that waits for an answer
        // need not: answers lie where they are until they are fetched, one after another.
        if are_waiting {
            calls[first_open..].iter_mut().for_each(|call| call.poll_room(cx));
            are_waiting = calls[first_open..].iter().any(Call::is_waiting);
        }
        while let Some(call) = calls.get_mut(first_open) {
            ready!(call.poll(cx, timeout, &mut timer));
            timer = None;
            first_open += 1;
        }
        Poll::Ready(())
    })
    .await;
    calls.into_iter().map(Call::into_result).collect()
}

/// One of the calls.
enum Call<'a, M, T> {
    /// It waits for room.
    Waiting(RoomWait<'a, M>, ReplyFuture<T>, Deadline<'a>),
    /// Its answer is waited for.
    Sent(ReplyFuture<T>, Deadline<'a>),
    Done(Result<T, CallError<M>>),
    /// Between two of these.
    Changing,
}

type Deadline<'a> = (&'a Executor, Instant);

/// Of the first call that is open; the others' deadlines are no earlier.
type Timer = Option<Pin<Box<Sleep>>>;

impl<'a, M: Send + 'static, T: Send + 'static> Call<'a, M, T> {
    fn begin(
        actor: &'a ActorRef<M>,
        timeout: Option<Duration>,
        message: &mut impl FnMut(ReplyPort<T>) -> M,
    ) -> Self {
        actor.refuse_self_call();
        let executor = actor.executor();
        let deadline = timeout.map(|timeout| executor.now() + timeout);
        let (port, reply) = ReplyPort::bound(actor.bound(), deadline);
        let deadline = deadline.unwrap_or(Instant::FAR);
        match actor.begin(message(port), deadline) {
            Ok(None) => Self::Sent(reply, (executor, deadline)),
            Ok(Some(room)) => Self::Waiting(room, reply, (executor, deadline)),
            Err(error) => Self::Done(Err(error.into())),
        }
    }

    fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting(..))
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) {
        let Self::Waiting(room, ..) = self else { return };
        let Poll::Ready(sent) = room.as_mut().poll(cx) else { return };
        let Self::Waiting(_, reply, deadline) = std::mem::replace(self, Self::Changing) else { return };
        *self = match sent {
            Ok(()) => Self::Sent(reply, deadline),
            Err(error) => Self::Done(Err(error.into())),
        };
    }

    fn poll(&mut self, cx: &mut Context<'_>, timeout: Option<Duration>, timer: &mut Timer) -> Poll<()> {
        let (reply, (executor, deadline)) = match self {
            Self::Waiting(..) => return Poll::Pending,
            Self::Sent(reply, deadline) => (reply, *deadline),
            Self::Done(_) | Self::Changing => return Poll::Ready(()),
        };
        let answered = match Pin::new(reply).poll(cx) {
            Poll::Ready(answered) => answered,
            Poll::Pending if deadline == Instant::FAR => return Poll::Pending,
            Poll::Pending => {
                let timer = timer.get_or_insert_with(|| Box::pin(executor.sleep_until(deadline)));
                ready!(timer.as_mut().poll(cx));
                Err(CallFailure::TimedOut(timeout.unwrap_or_default()))
            }
        };
        *self = Self::Done(answered.map_err(CallError::Failed));
        Poll::Ready(())
    }

    fn into_result(self) -> Result<T, CallError<M>> {
        match self {
            Self::Done(result) => result,
            _ => unreachable!("all were polled until they were done"),
        }
    }
}
