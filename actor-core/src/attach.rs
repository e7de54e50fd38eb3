//! What lives as long as an actor's life: futures, streams and timers.
//!
//! ```text
//!  attach · pipe · attach_stream · send_after · send_interval
//!        └─► a task of the executor ──► messages to the actor
//!                 ▲ ended with the life, or by Attachment::cancel
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use futures_core::Stream;

use crate::address::{ActorCell, ActorRef, Local, WeakActorCell};
use crate::attached::AttachmentId;
use crate::error::SendError;
use crate::lifecycle::Flag;
use crate::pace::Pace;
use crate::reply::ReplyPort;
use crate::runtime::{Caught, Droppable, Within, current_system, panicked};
use crate::time::Instant;
use crate::trace::{InSpan, Tag};

/// A task that shares an actor's life; see [`ActorCell::attach`]. Dropping this lets it
/// run on.
#[derive(Clone)]
pub struct Attachment {
    actor: WeakActorCell,
    id: Option<AttachmentId>,
}

impl Attachment {
    /// Ends the task at its next await point, so at once if it waits. Does nothing if it
    /// has ended.
    pub fn cancel(&self) {
        if let (Some(actor), Some(id)) = (self.actor.upgrade(), self.id)
            && let Some(local) = actor.as_local()
        {
            local.detach(id);
        }
    }

    /// Whether the task has ended, or is about to because it was asked to, or because the
    /// actor's life has ended.
    pub fn is_over(&self) -> bool {
        let (Some(actor), Some(id)) = (self.actor.upgrade(), self.id) else { return true };
        !actor.as_local().is_some_and(|local| local.is_attached(id))
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}

/// What an interval does that could not send in time, because the mailbox was full or the
/// program was busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MissedTicks {
    /// Sends them one after another until it has caught up.
    Burst,
    /// Leaves them out: the next comes when it would have come anyway.
    #[default]
    Skip,
    /// Leaves them out, and counts the period from the late one.
    Delay,
}

impl MissedTicks {
    /// When the next tick is due, after one that was due then and was sent now.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        match self {
            Self::Burst => due + period,
            Self::Delay => now + period,
            Self::Skip => {
                // Zero is no period: the caller has seen to that.
                let period = period.as_nanos().max(1);
                let missed = now.saturating_since(due).as_nanos() / period;
                let ahead = (missed + 1).saturating_mul(period);
                due + Duration::from_nanos(u64::try_from(ahead).unwrap_or(u64::MAX))
            }
        }
    }
}

impl ActorCell {
    /// Runs a future beside the actor, until it ends or the actor's life does, also one
    /// that is followed by another. It is part of the actor: if it panics, the actor fails.
    ///
    /// It runs in a task of its own on the actor's executor, with the
    /// [current](crate::ActorSystem::current) system of whoever calls. If the actor is
    /// [traced](crate::SpawnOptions::traced), it runs in the span that is current when this is
    /// called, and keeps that span open.
    ///
    /// Of an actor that has ended, or lives in another process, nothing is attached: the
    /// future is dropped.
    ///
    /// # Panics
    ///
    /// On [`Executor::tokio`](crate::executor::Executor::tokio), if no runtime is current.
    pub fn attach(&self, future: impl Future<Output = ()> + Send + 'static) -> Attachment {
        let actor = self.downgrade();
        let Some(local) = self.as_local() else { return Attachment { actor, id: None } };
        let tag = if local.word().has(Flag::Traced) { Tag::capture_boxed() } else { None };
        let Some(id) = local.reserve_attachment() else { return Attachment { actor, id: None } };
        // Declared first, so that what is dropped with the task is dropped before it says
        // that it is over.
        let place = Place { actor: actor.clone(), id };
        let future = InSpan::new(tag, future);
        let task = async move {
            let place = place;
            #[expect(clippy::redundant_async_block, reason = "of a block nothing is left after a panic")]
            let part = async move { future.await };
            if let Err(payload) = Caught::new(part).await
                && let Some(local) = place.actor.upgrade().as_ref().and_then(|actor| actor.as_local())
            {
                local.fail(id, panicked(payload));
            }
        };
        let task = self.executor().spawn(Within::new(current_system(), Droppable::new(task)));
        if let Some(task) = local.hold_attachment(id, task) {
            task.abort();
        }
        Attachment { actor, id: Some(id) }
    }

    /// [Stops](crate::Control::stop) the actor after a time, unless its life ends before.
    ///
    /// # Panics
    ///
    /// As [`attach`](Self::attach), and if that runtime has no timer.
    pub fn stop_after(&self, delay: Duration, reason: Option<&str>) -> Attachment {
        let reason = reason.map(str::to_owned);
        self.end_after(delay, Flag::Stop, reason)
    }

    /// [Kills](crate::Control::kill) the actor after a time, unless its life ends before.
    ///
    /// # Panics
    ///
    /// As [`stop_after`](Self::stop_after).
    pub fn kill_after(&self, delay: Duration) -> Attachment {
        self.end_after(delay, Flag::Kill, None)
    }

    /// Asks the life that the actor is in to end, after a time. No later one: it may fire on
    /// another thread while that life ends.
    fn end_after(&self, delay: Duration, request: Flag, reason: Option<String>) -> Attachment {
        let (sleep, actor) = (self.executor().sleep(delay), self.clone());
        let life = self.as_local().map_or(0, Local::life);
        self.attach(async move {
            sleep.await;
            if let Some(local) = actor.as_local() {
                local.end_this_life(life, request, reason.as_deref());
            }
        })
    }
}

impl<M: Send + 'static> ActorRef<M> {
    /// Runs a future beside the actor and sends it what came out; see
    /// [`ActorCell::attach`]. It waits for room if there is none.
    ///
    /// # Panics
    ///
    /// As [`ActorCell::attach`]. A panic in `message` is one in the future.
    pub fn pipe<F: Future + Send + 'static>(
        &self,
        future: F,
        message: impl FnOnce(F::Output) -> M + Send + 'static,
    ) -> Attachment {
        let myself = self.clone();
        self.cell().attach(async move {
            let message = message(future.await);
            myself.post(message).await;
        })
    }

    /// Calls one actor, and sends another what it answered, without waiting here. What is
    /// under way is part of this actor, whoever the other two are: it ends with this
    /// actor's life, see [`ActorCell::attach`].
    ///
    /// If there is room, the call has been sent when this returns, so before what this actor
    /// sends next. Otherwise it waits for room, and so does what is sent to `target`.
    /// `timeout` covers the wait for room and for the answer, as in
    /// [`call_timeout`](Self::call_timeout).
    ///
    /// Only an answer is forwarded. To hear of a call that failed, [`pipe`](Self::pipe) one.
    ///
    /// # Errors
    ///
    /// Gives the message back if `callee` accepts no more; never [`SendError::Full`].
    ///
    /// # Panics
    ///
    /// As [`ActorCell::attach`], and with a timeout as [`ActorCell::stop_after`]. A panic in
    /// `map` is one of this actor.
    ///
    /// ```
    /// # use actor_core::{ActorRef, ReplyPort, SendError};
    /// # enum Counter { Get(ReplyPort<u64>) }
    /// # enum Display { Show(String) }
    /// # fn example(myself: ActorRef<()>, counter: ActorRef<Counter>, display: ActorRef<Display>) -> Result<(), SendError<Counter>> {
    /// myself.call_and_forward(&counter, None, Counter::Get, &display, |n| Display::Show(n.to_string()))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_and_forward<C: Send + 'static, T: Send + 'static, N: Send + 'static>(
        &self,
        callee: &ActorRef<C>,
        timeout: Option<Duration>,
        message: impl FnOnce(ReplyPort<T>) -> C,
        target: &ActorRef<N>,
        map: impl FnOnce(T) -> N + Send + 'static,
    ) -> Result<Attachment, SendError<C>> {
        let executor = callee.executor().clone();
        let deadline = timeout.map(|timeout| executor.now() + timeout);
        let (port, reply) = ReplyPort::bound(callee.bound(), deadline);
        let deadline = deadline.unwrap_or(Instant::FAR);
        let unsent = match callee.cast(message(port)) {
            Ok(()) => None,
            Err(SendError::Full(message)) => Some(message),
            Err(error) => return Err(error),
        };
        let (callee, target) = (callee.clone(), target.clone());
        Ok(self.cell().attach(async move {
            if let Some(message) = unsent
                && let Err(error) = callee.send_before(message, deadline).await
            {
                tracing::debug!(callee = %callee.id(), %error, "a call was not made, so nothing is forwarded");
                return;
            }
            match executor.timeout_at(deadline, reply).await {
                Ok(Ok(answer)) => drop(target.post(map(answer)).await),
                _ => tracing::debug!(callee = %callee.id(), "a call was not answered, so nothing is forwarded"),
            }
        }))
    }

    /// Sends the actor a message for each item of a stream, and takes the next item when
    /// there was room for the last; see [`ActorCell::attach`]. A stream that always has
    /// another item lets others run after every
    /// [`MESSAGES_PER_TURN`](crate::limits::MESSAGES_PER_TURN).
    ///
    /// # Panics
    ///
    /// As [`ActorCell::attach`]. A panic in `message` is one in the stream.
    pub fn attach_stream<S: Stream + Send + 'static>(
        &self,
        stream: S,
        mut message: impl FnMut(S::Item) -> M + Send + 'static,
    ) -> Attachment {
        let myself = self.clone();
        self.cell().attach(async move {
            let mut stream = pin!(stream);
            let mut pace = Pace::new();
            // Made a message at once: an item need not be `Send`.
            while let Some(message) =
                poll_fn(|cx| stream.as_mut().poll_next(cx).map(|item| item.map(&mut message))).await
            {
                if !myself.post(message).await {
                    return;
                }
                pace.sent_one().await;
            }
        })
    }

    /// Sends the actor a message after a time; see [`ActorCell::attach`]. It waits for
    /// room if there is none then.
    ///
    /// # Panics
    ///
    /// As [`ActorCell::stop_after`].
    pub fn send_after(&self, delay: Duration, message: M) -> Attachment {
        let sleep = self.cell().executor().sleep(delay);
        self.pipe(sleep, move |()| message)
    }

    /// Sends the actor a message again and again, first after one period; see
    /// [`ActorCell::attach`]. A period of zero counts as one nanosecond.
    ///
    /// # Panics
    ///
    /// As [`ActorCell::stop_after`]. A panic in `message` is one of the actor.
    pub fn send_interval(
        &self,
        period: Duration,
        missed: MissedTicks,
        mut message: impl FnMut() -> M + Send + 'static,
    ) -> Attachment {
        let myself = self.clone();
        let period = period.max(Duration::from_nanos(1));
        self.cell().attach(async move {
            let executor = myself.executor().clone();
            let mut due = executor.now() + period;
            let mut pace = Pace::new();
            loop {
                executor.sleep_until(due).await;
                if !myself.post(message()).await {
                    return;
                }
                due = missed.next(due, executor.now(), period);
                pace.sent_one().await;
            }
        })
    }
}

/// Says that a task is over when it is dropped.
struct Place {
    actor: WeakActorCell,
    id: AttachmentId,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(actor) = self.actor.upgrade()
            && let Some(local) = actor.as_local()
        {
            local.forget_attachment(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Instant {
        Instant::from_elapsed(Duration::from_millis(ms))
    }

    #[test]
    fn ticks_that_were_missed() {
        let table = [
            // due, now: burst, skip, delay
            (10, 10, [20, 20, 20]),
            (10, 19, [20, 20, 29]),
            (10, 20, [20, 30, 30]),
            (10, 47, [20, 50, 57]),
        ];
        for (due, now, expected) in table {
            let policies = [MissedTicks::Burst, MissedTicks::Skip, MissedTicks::Delay];
            let next = policies.map(|policy| policy.next(at(due), at(now), 10 * MS));
            assert_eq!(next, expected.map(at), "due {due}, now {now}");
        }
        let tiny = Duration::from_nanos(1);
        let hour = Instant::ZERO + Duration::from_secs(3_600);
        assert_eq!(MissedTicks::Skip.next(Instant::ZERO, hour, tiny), hour + tiny);
        assert_eq!(MissedTicks::Skip.next(Instant::ZERO, Instant::FAR, tiny), Instant::FAR);
        assert_eq!(MissedTicks::Skip.next(at(1), at(2), Duration::MAX), Instant::FAR);
    }
}
