//! Calls with a key, which may be asked again and run once.

use std::future::Future;
use std::time::Duration;

use super::{ActorRef, Route};
use crate::error::{CallError, CallFailure, SendError};
use crate::key::CallKey;
use crate::reply::ReplyPort;
use crate::time::Instant;

impl<M: Send + 'static> ActorRef<M> {
    /// Calls like [`call_timeout`](Self::call_timeout), and may be asked again with the same key and the same
    /// message: the call runs once at most, however often it is asked, and whoever asks again gets its answer.
    /// So a call that ended as [`Unknown`](CallFailure::Unknown) or
    /// [`TimedOut`](CallFailure::TimedOut) can be brought to its end.
    ///
    /// The actor's node remembers the calls that it was asked with a key, and what it answered them, for a
    /// while and as many as its cluster says. While the first one runs, those that ask again wait with it. It is
    /// remembered for this process, and for one life of the actor's node; the port in the message is never
    /// [closed](ReplyPort::is_closed), as its answer is kept.
    ///
    /// Nothing is remembered for an actor of this process: of it no call ends as `Unknown`, and one
    /// that may have run is [`Forgotten`](CallFailure::Forgotten) when it is asked again.
    ///
    /// # Errors
    ///
    /// As [`call_timeout`](Self::call_timeout); [`CallFailure::Forgotten`] if it may have run and its outcome is no
    /// longer known, [`Rejection::OtherCall`](crate::Rejection::OtherCall) if it was another message that had the
    /// key, [`SendError::Unsendable`] if the key is another actor's, or the actor's node remembers no calls.
    /// They speak of this time that it was asked; [`CallKey::may_have_run`] of all together.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before the message was accepted asks nothing. Afterwards the call may still run, its
    /// answer is kept for whoever asks again, and the key counts it as one that may have run.
    ///
    /// # Panics
    ///
    /// As [`call_timeout`](Self::call_timeout).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use actor_core::{ActorRef, CallError, CallFailure, ReplyPort, SendError};
    /// # use tokio::time::sleep;
    /// # enum Account { Charge(u64, ReplyPort<u64>) }
    /// # async fn example(account: ActorRef<Account>) -> Result<u64, CallError<Account>> {
    /// let key = account.call_key();
    /// loop {
    ///     match account.call_once(&key, Duration::from_secs(5), |port| Account::Charge(30, port)).await {
    ///         Err(CallError::Failed(CallFailure::Unknown | CallFailure::TimedOut(_))) => {}
    ///         // The address works again once there is a session with the same life of the node.
    ///         Err(CallError::NotSent(SendError::NotConnected(_))) => sleep(Duration::from_secs(1)).await,
    ///         settled => return settled,
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// A node that was restarted never answers this key, and one that is gone for good does not come back: a program
    /// bounds the loop, by a number of rounds or a time.
    pub fn call_once<T: Send + 'static, F: FnOnce(ReplyPort<T>) -> M>(
        &self,
        key: &CallKey,
        timeout: Duration,
        message: F,
    ) -> impl Future<Output = Result<T, CallError<M>>> {
        self.ask_once(key, Some(timeout), message)
    }

    pub(crate) async fn ask_once<T: Send + 'static, F: FnOnce(ReplyPort<T>) -> M>(
        &self,
        key: &CallKey,
        timeout: Option<Duration>,
        message: F,
    ) -> Result<T, CallError<M>> {
        self.refuse_self_call();
        let deadline = timeout.map(|timeout| self.executor().now() + timeout);
        let (port, reply) = ReplyPort::bound(self.bound(), deadline);
        self.send_keyed(key, message(port), deadline.unwrap_or(Instant::FAR)).await?;
        let answer = match timeout.zip(deadline) {
            None => reply.await,
            Some((timeout, deadline)) => {
                let answer = self.executor().until(deadline, reply).await;
                answer.unwrap_or(Err(CallFailure::TimedOut(timeout)))
            }
        };
        if answer.as_ref().is_err_and(CallFailure::never_ran) {
            key.note_never_ran();
        }
        Ok(answer?)
    }

    async fn send_keyed(&self, key: &CallKey, message: M, deadline: Instant) -> Result<(), CallError<M>> {
        if key.actor() != self.id() {
            let why = "the key is of a call of another actor".into();
            return Err(SendError::Unsendable(message, why).into());
        }
        match &self.route {
            Route::Local(_) => {
                let begun = key.begin_ask();
                if begun.is_repeat {
                    return Err(CallFailure::Forgotten.into());
                }
                if let Some(room) = self.begin(message, deadline)? {
                    room.await?;
                }
                begun.note_sent();
            }
            Route::Foreign(deliver) => {
                let cast = |message, attempt| key.send(|ask| deliver.cast_keyed(message, attempt, ask));
                self.deliver_before(&**deliver, message, deadline, cast).await?;
            }
        }
        Ok(())
    }
}
