//! How many operations are at one actor at a time. Each has a connection while it waits for the lock of the actor's row; if somebody
//! holds that for long, whatever is asked of this actor would take one connection after the other from all the others.
//!
//! ```text
//!  operation ─► its share of the actor's connections ─► a connection ─► the lock of the actor's row
//!  another one ─► waits here, and holds nothing
//! ```
//!
//! Those that only look wait for no lock, and need no share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actor_durable::DurableId;
use actor_durable::store::{ErrorCause, Refusal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Whoever is at an actor, or waits to be. An actor at which nobody is takes no room.
#[derive(Clone)]
pub(crate) struct Shares {
    max: usize,
    actors: Arc<Mutex<BTreeMap<DurableId, Crowd>>>,
}

struct Crowd {
    permits: Arc<Semaphore>,
    /// How many have a share, or wait for one.
    count: usize,
}

impl Shares {
    /// So many operations at each actor.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, actors: Arc::default() }
    }

    /// A share of an actor's connections. Given up by being dropped, as is the place of one that waits.
    pub(crate) async fn of(&self, actor: &DurableId, deadline: Instant) -> Result<Share, Refusal> {
        let (permits, mut share) = self.join(actor);
        let permit = timeout_at(deadline, permits.acquire_owned()).await;
        let permit =
            permit.map_err(|_| Refusal::Unavailable(ErrorCause::new("others are at the same actor")))?;
        share.permit = Some(permit.map_err(|_| Refusal::Closed(ErrorCause::new("it was closed")))?);
        Ok(share)
    }

    /// Those that wait are told that the store is closed.
    pub(crate) fn close(&self) {
        for crowd in self.actors().values() {
            crowd.permits.close();
        }
    }

    fn join(&self, actor: &DurableId) -> (Arc<Semaphore>, Share) {
        let mut actors = self.actors();
        let crowd = actors
            .entry(actor.clone())
            .or_insert_with(|| Crowd { permits: Arc::new(Semaphore::new(self.max)), count: 0 });
        crowd.count += 1;
        let share = Share { permit: None, actor: actor.clone(), shares: self.clone() };
        (Arc::clone(&crowd.permits), share)
    }

    fn leave(&self, actor: &DurableId) {
        let mut actors = self.actors();
        if let Some(crowd) = actors.get_mut(actor) {
            crowd.count -= 1;
            if crowd.count == 0 {
                actors.remove(actor);
            }
        }
    }

    fn actors(&self) -> MutexGuard<'_, BTreeMap<DurableId, Crowd>> {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that an operation is at an actor, or waits to be.
pub(crate) struct Share {
    /// `None` while it waits.
    permit: Option<OwnedSemaphorePermit>,
    actor: DurableId,
    shares: Shares,
}

impl Drop for Share {
    fn drop(&mut self) {
        // Before the last one leaves: whoever comes then finds nobody.
        self.permit = None;
        self.shares.leave(&self.actor);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    fn actor(id: &str) -> DurableId {
        DurableId::new(id).expect("a good id")
    }

    #[tokio::test]
    async fn an_actor_has_so_many_shares_and_each_that_is_given_up_goes_to_whoever_waits() {
        let (shares, actor_a) = (Shares::new(2), actor("a"));
        let late = Instant::now() + Duration::from_secs(3600);
        let one = shares.of(&actor("a"), late).await.expect("it is the first");
        let two = shares.of(&actor("a"), late).await.expect("it is the second");
        let mut third = Box::pin(shares.of(&actor_a, late));
        assert!((&mut third).now_or_never().is_none());
        let other = shares.of(&actor("b"), late).await.expect("nobody is at this one");
        drop(one);
        let three = third.await.expect("one is given up");
        let refused = shares.of(&actor("a"), Instant::now()).await.map(drop);
        assert_eq!(
            refused.expect_err("nobody has left").to_string(),
            "the store is not available: others are at the same actor"
        );
        drop(shares.of(&actor("a"), late).now_or_never());
        let waits = tokio::spawn({
            let shares = shares.clone();
            async move { shares.of(&actor("a"), late).await.map(drop) }
        });
        tokio::task::yield_now().await;
        shares.close();
        let closed = waits.await.expect("no panic").expect_err("it is closed");
        assert!(matches!(closed, Refusal::Closed(_)), "{closed}");
        drop((two, three, other));
        assert!(shares.actors().is_empty(), "nobody is at any");
    }
}
