//! Deleting an actor, whatever else is asked of it in this process meanwhile.

use actor_core::ActorCell;

use crate::id::{DurableId, Epoch, Target};
use crate::limits::{DELETIONS_MAX, REACTIVATION_PAUSE};
use crate::process::Shared;
use crate::store::{Claim, ClaimMode, StoreError};

/// Deletes an actor that was given back, if there is one. Whether there was.
pub(super) async fn delete(shared: &Shared, id: &DurableId) -> Result<bool, StoreError> {
    for _ in 1..DELETIONS_MAX {
        match delete_once(shared, id).await {
            // Somebody has activated it since, such as whoever looks for its letters: it is taken away from that one. Where it is
            // another process, that is refused.
            Err(StoreError::Fenced { .. }) => {}
            deleted => return deleted,
        }
    }
    delete_once(shared, id).await
}

async fn delete_once(shared: &Shared, id: &DurableId) -> Result<bool, StoreError> {
    let store = shared.store();
    let Some(head) = store.head(id).await? else { return Ok(false) };
    let mut taken = Taken { shared, target: head.target, fenced: Vec::new() };
    let (target, owner, epoch_min) = (taken.target.clone(), shared.owner(), Epoch::ZERO);
    let epoch = store.acquire(Claim { target, owner, epoch_min, mode: ClaimMode::IfFree }).await?.epoch;
    // One has begun since. What it stores is refused from now on, and what it has in memory is soon nobody's.
    taken.fenced = shared.active().cells_of(id);
    let deleted = store.delete(id, epoch).await;
    taken.end_fenced().await;
    if deleted.is_err() {
        // Whoever can goes on with it. If this fails too, it is looked into.
        drop(store.release(id, epoch).await);
    }
    deleted.map(|()| true)
}

/// An actor that was claimed to be deleted. However that ends, activations that were fenced end, and an actor that the store
/// has all the same is looked into.
struct Taken<'s> {
    shared: &'s Shared,
    target: Target,
    fenced: Vec<ActorCell>,
}

impl Taken<'_> {
    async fn end_fenced(&mut self) {
        self.fenced.iter().for_each(|cell| cell.kill());
        for cell in std::mem::take(&mut self.fenced) {
            // Without a limit it does not fail.
            drop(cell.wait(None).await);
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.fenced.iter().for_each(|cell| cell.kill());
        self.shared.look_again(&self.target, REACTIVATION_PAUSE);
    }
}
