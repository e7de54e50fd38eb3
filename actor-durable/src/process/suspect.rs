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
pub(super) struct SuspectGate {
    entered: Mutex<Entered>,
    /// No letter is being handled any more.
    freed: Notify,
}

/// The letters that have entered, and the last of them.
#[derive(Debug, Default)]
struct Entered {
    /// How many there were.
    count: u64,
    /// Since when the last one is being handled, if it is.
    since: Option<Instant>,
}

/// A letter is being handled until this is dropped.
#[derive(Debug)]
pub(crate) struct SuspectGuard<'a> {
    gate: &'a SuspectGate,
    number: u64,
}

impl SuspectGate {
    /// Waits until no other letter is being handled, or only letters that take long.
    pub(super) async fn enter(&self, executor: &Executor) -> SuspectGuard<'_> {
        loop {
            let freed = pin!(self.freed.notified());
            let now = executor.now();
            let until = match self.enter_now(now) {
                Ok(guard) => return guard,
                Err(until) => until,
            };
            select(freed, pin!(executor.sleep_until(until))).await;
        }
    }

    /// Enters now, or says when the letter can enter at the latest.
    fn enter_now(&self, now: Instant) -> Result<SuspectGuard<'_>, Instant> {
        let mut entered = self.entered();
        if let Some(until) = entered.since.map(|since| since + CAREFUL_MAX).filter(|until| now < *until) {
            return Err(until);
        }
        entered.count += 1;
        entered.since = Some(now);
        Ok(SuspectGuard { gate: self, number: entered.count })
    }

    fn entered(&self) -> MutexGuard<'_, Entered> {
        // Nothing panics under it that leaves it half done.
        self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SuspectGuard<'_> {
    fn drop(&mut self) {
        let mut entered = self.gate.entered();
        // Another letter may have entered since, as this one took long.
        if entered.count == self.number {
            entered.since = None;
            drop(entered);
            self.gate.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn one_is_in_hand_at_a_time_unless_it_takes_long() {
        let gate = SuspectGate::default();
        let (begun, long) = (Instant::ZERO + Duration::from_secs(5), Instant::ZERO + Duration::from_secs(6));
        assert_eq!(long - begun, CAREFUL_MAX);
        let first = gate.enter_now(begun).expect("none is in hand");
        assert_eq!(gate.enter_now(begun).map(drop), Err(long));
        let second = gate.enter_now(long).expect("the first takes long");
        assert!(gate.enter_now(long).is_err());
        drop(first);
        assert!(gate.enter_now(long).is_err(), "the second is in hand");
        drop(second);
        assert!(gate.enter_now(long).is_ok());
    }

    #[tokio::test]
    async fn whoever_waits_enters_as_soon_as_the_one_before_has_left() {
        let (gate, executor) = (SuspectGate::default(), Executor::tokio());
        let first = gate.enter(&executor).now_or_never().expect("none is in hand");
        let mut second = pin!(gate.enter(&executor));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert!(second.now_or_never().is_some());
    }
}
