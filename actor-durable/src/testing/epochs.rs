//! Epochs as whoever watches a store's operations sees them, be they of several processes: they never decrease, no two
//! acquisitions have the same one, and nothing is taken of an owner whose epoch was over when it asked.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::id::{DurableId, Epoch};
use crate::store::{Head, StoreError};

/// See the module. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Epochs(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    latest: BTreeMap<DurableId, Epoch>,
    broken: Option<String>,
}

impl Epochs {
    /// What does not hold, if anything does not: the first that did not.
    ///
    /// # Errors
    ///
    /// It.
    pub(super) fn check(&self) -> Result<(), String> {
        self.seen().broken.clone().map_or(Ok(()), Err)
    }

    /// An acquisition.
    pub(super) async fn acquired(
        &self,
        actor: &DurableId,
        call: impl Future<Output = Result<Head, StoreError>>,
    ) -> Result<Head, StoreError> {
        let before = self.latest(actor);
        let head = call.await?;
        self.note(actor, head.epoch, before < Some(head.epoch), "it was acquired", before);
        Ok(head)
    }

    /// What is done in an epoch.
    pub(super) async fn owned<T>(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        // What was asked for before somebody else acquired the actor may be done all the same, and be answered after that.
        let before = self.latest(actor);
        let answer = call.await?;
        self.note(actor, epoch, before <= Some(epoch), "something was done", before);
        Ok(answer)
    }

    /// What anybody sees.
    pub(super) async fn shown(
        &self,
        actor: &DurableId,
        call: impl Future<Output = Result<Option<Head>, StoreError>>,
    ) -> Result<Option<Head>, StoreError> {
        let before = self.latest(actor);
        let head = call.await?;
        if let Some(Head { epoch, .. }) = head {
            self.note(actor, epoch, before <= Some(epoch), "it was shown", before);
        }
        Ok(head)
    }

    fn latest(&self, actor: &DurableId) -> Option<Epoch> {
        self.seen().latest.get(actor).copied()
    }

    fn note(&self, actor: &DurableId, epoch: Epoch, is_right: bool, what: &str, before: Option<Epoch>) {
        let mut seen = self.seen();
        let Seen { latest, broken } = &mut *seen;
        if !is_right {
            let before = before.unwrap_or(Epoch::ZERO);
            broken.get_or_insert_with(|| format!("{actor}: {what} in epoch {epoch}, after epoch {before}"));
        }
        let latest = latest.entry(actor.clone()).or_insert(epoch);
        *latest = epoch.max(*latest);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
