//! Letters that may end the process are handled one at a time, so that its end is counted against one of them. One that takes
//! long keeps nobody: whatever ends processes mostly does it at once.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actor_core::{Executor, Instant};
use futures_util::future::select;
use tokio::sync::Notify;

use crate::limits::CAREFUL_MAX;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Careful {
    hand: Mutex<Hand>,
    /// Nothing is in hand any more.
    freed: Notify,
}

/// What is in hand.
#[derive(Debug, Default)]
struct Hand {
    /// How many there were.
    count: u64,
    since: Option<Instant>,
}

/// A letter is in hand until this is dropped.
#[derive(Debug)]
pub(crate) struct InHand<'a> {
    careful: &'a Careful,
    number: u64,
}

impl Careful {
    /// Waits until no other letter is in hand, or none that is new.
    pub(super) async fn take(&self, executor: &Executor) -> InHand<'_> {
        loop {
            let freed = pin!(self.freed.notified());
            let now = executor.now();
            let until = match self.take_now(now) {
                Ok(taken) => return taken,
                Err(until) => until,
            };
            select(freed, pin!(executor.sleep_until(until))).await;
        }
    }

    /// Or says when it may be taken at the latest.
    fn take_now(&self, now: Instant) -> Result<InHand<'_>, Instant> {
        let mut hand = self.hand();
        if let Some(until) = hand.since.map(|since| since + CAREFUL_MAX).filter(|until| now < *until) {
            return Err(until);
        }
        hand.count += 1;
        hand.since = Some(now);
        Ok(InHand { careful: self, number: hand.count })
    }

    fn hand(&self) -> MutexGuard<'_, Hand> {
        // Nothing panics under it that leaves it half done.
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let mut hand = self.careful.hand();
        // Another one may have been taken since, as this one took long.
        if hand.count == self.number {
            hand.since = None;
            drop(hand);
            self.careful.freed.notify_one();
        }
    }
}
