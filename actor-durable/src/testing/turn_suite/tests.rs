//! That the suite sees what a store may not do.

use std::sync::Arc;
use std::time::Duration;

use super::StateTeller;
use super::actors::Vault;
use super::run::Trial;
use crate::id::{ActorType, DurableId, Epoch, OwnerId, Target};
use crate::memory::tests::Memory;
use crate::store::{Claim, ClaimMode, Store};
use crate::{Durable, MemoryStore};

/// Acquires the vault once more.
async fn acquire_vault(store: &dyn Store) -> Epoch {
    let owner = OwnerId::new(1);
    store.renew(owner, Duration::from_secs(1)).await.expect("a lease");
    let id = DurableId::new("vault").expect("a good id");
    let target = Target { id, actor_type: ActorType::new(Vault::TYPE).expect("a good name") };
    let claim = Claim { target, owner, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree };
    store.acquire(claim).await.expect("it is free").epoch
}

#[tokio::test]
async fn a_run_over_a_store_that_hands_out_an_old_epoch_is_judged_by_it() {
    let (trial, place) = (Trial::<StateTeller>::of(Vec::new()), Memory::new());
    // All that it knew of epochs is forgotten when the run begins.
    let former = trial.watched(Arc::new(MemoryStore::new()), None);
    acquire_vault(&former).await;
    let latest = acquire_vault(&former).await;
    let judged = trial.run(&place).await;
    assert_eq!(latest, Epoch(2));
    assert_eq!(judged, Err("vault: it was acquired in epoch 1, after epoch 2".to_owned()));
}
