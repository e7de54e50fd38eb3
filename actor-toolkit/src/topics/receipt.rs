//! What became of a message that was published.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use actor_core::output::Put;

use super::subscription::{Entry, Subscription};

/// What became of a message that was published.
///
/// Dropping it drops the messages for which there was no room; their subscriptions count them.
#[must_use = "messages for which there was no room are in it: `settled` waits for room"]
pub struct Receipt<M: Send + 'static> {
    delivered: usize,
    waiting: usize,
    refused: Vec<Refused<M>>,
}

/// The message of a subscription that is to [wait](actor_core::WhenFull::Wait), and has no room.
/// Dropping it drops the message; the subscription counts it.
#[must_use = "the message is in it: `send` waits for room"]
pub struct Refused<M: Send + 'static> {
    entry: Arc<Entry<M>>,
    /// Until it is sent or taken.
    message: Option<M>,
}

impl<M: Send + 'static> Receipt<M> {
    pub(super) fn new() -> Self {
        Self { delivered: 0, waiting: 0, refused: Vec::new() }
    }

    pub(super) fn note(&mut self, entry: Arc<Entry<M>>, put: Put<M>) {
        match put {
            Put::Delivered => self.delivered += 1,
            Put::Waits => self.waiting += 1,
            Put::Refused(message) => self.refused.push(Refused { entry, message: Some(message) }),
            Put::Over(_) => entry.forget(),
        }
    }

    /// How many subscriptions it was for. Those that ended with it do not count.
    pub fn subscriptions(&self) -> usize {
        self.delivered + self.waiting + self.refused.len()
    }

    /// How many mailboxes have it.
    pub fn delivered(&self) -> usize {
        self.delivered
    }

    /// In how many backlogs it waits.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// For which subscriptions there was no room.
    pub fn refused(&self) -> &[Refused<M>] {
        &self.refused
    }

    /// The messages for which there was no room.
    pub fn into_refused(self) -> Vec<Refused<M>> {
        self.refused
    }

    /// Waits until each of its subscriptions has taken the message, or is over. So a publisher
    /// goes no faster than those who may not miss anything. None of them waits for another.
    ///
    /// Dropping the future drops what has not been taken by then; its subscriptions count it.
    pub async fn settled(self) {
        let mut sending: Vec<_> = self.refused.into_iter().map(|refused| Box::pin(refused.send())).collect();
        poll_fn(|cx| {
            // One that is over needs it no more.
            sending.retain_mut(|sending| sending.as_mut().poll(cx).is_pending());
            if sending.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl<M: Send + 'static> Refused<M> {
    /// Whose message it is.
    pub fn subscription(&self) -> Subscription {
        Subscription::new(self.entry.clone())
    }

    /// The message; the subscription does not count it as dropped.
    pub fn into_message(mut self) -> M {
        self.take()
    }

    /// Waits for room, and gives the subscription its message. What its publisher has published
    /// meanwhile, and found room for, came before. Dropping the future drops the message.
    ///
    /// # Errors
    ///
    /// Gives the message back if the subscription is over before there is room.
    pub async fn send(mut self) -> Result<(), M> {
        loop {
            let end = self.entry.line().room().await;
            let message = self.take();
            if end.is_some() {
                return Err(message);
            }
            match self.entry.line().put(message) {
                Put::Refused(message) => self.message = Some(message),
                Put::Delivered | Put::Waits | Put::Over(_) => return Ok(()),
            }
        }
    }
}

impl<M: Send + 'static> Refused<M> {
    fn take(&mut self) -> M {
        self.message.take().expect("it is there until it is sent or taken")
    }
}

impl<M: Send + 'static> Drop for Refused<M> {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            self.entry.line().lose(message);
        }
    }
}

impl<M: Send + 'static> fmt::Debug for Receipt<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("delivered", &self.delivered)
            .field("waiting", &self.waiting)
            .field("refused", &self.refused.len())
            .finish()
    }
}

impl<M: Send + 'static> fmt::Debug for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").finish_non_exhaustive()
    }
}
