//! The activations of a process: at most one for each actor.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use actor_core::ActorCell;
use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::lease::Term;
use super::mail_flag::MailFlag;
use crate::error::ActivationError;
use crate::id::{DurableId, Target};
use crate::limits::REACTIVATION_PAUSE;
use crate::store::{Refusal, StoreError};

/// See the module.
#[derive(Default)]
pub(crate) struct ActiveSet {
    // unordered: looked up by id, and gone through only to end all
    actors: Mutex<HashMap<DurableId, Active>>,
}

/// An activation.
#[derive(Clone)]
pub(crate) struct Active {
    pub(crate) target: Target,
    pub(crate) cell: ActorCell,
    pub(crate) mail: MailFlag,
    /// Why it could not begin, if it could not.
    pub(crate) failure: Failure,
    /// The one before it, as long as it has not ended.
    former: Option<ActorCell>,
    number: u64,
}

/// Why an activation could not begin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure(Arc<OnceLock<ActivationError>>);

impl Failure {
    /// The first counts.
    pub(crate) fn set(&self, error: ActivationError) {
        drop(self.0.set(error));
    }

    pub(crate) fn get(&self) -> Option<ActivationError> {
        self.0.get().cloned()
    }
}

impl ActiveSet {
    fn actors(&self) -> MutexGuard<'_, HashMap<DurableId, Active>> {
        // Nothing panics under it that leaves it half done.
        self.actors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The activation of an actor, if it takes messages, or else the one that `begin` makes.
    pub(crate) fn get_or_begin<E>(
        &self,
        target: &Target,
        permit: Option<OwnedSemaphorePermit>,
        begin: impl FnOnce(Reservation) -> Result<ActorCell, E>,
    ) -> Result<Active, E> {
        let mut actors = self.actors();
        let former = actors.get(&target.id);
        if let Some(active) = former.filter(|active| active.cell.status().admits()) {
            return Ok(active.clone());
        }
        let number = former.map_or(0, |former| former.number + 1);
        let former = former.map(|former| former.cell.clone());
        let reservation = Reservation {
            number,
            former: former.clone(),
            mail: MailFlag::raised(),
            permit,
            failure: Failure::default(),
        };
        let (mail, failure) = (reservation.mail.clone(), reservation.failure.clone());
        let active =
            Active { target: target.clone(), cell: begin(reservation)?, mail, failure, former, number };
        actors.insert(target.id.clone(), active.clone());
        Ok(active)
    }

    /// The activation of an actor, whatever its state.
    pub(crate) fn get(&self, id: &DurableId) -> Option<Active> {
        self.actors().get(id).cloned()
    }

    pub(crate) fn is_active(&self, id: &DurableId) -> bool {
        self.actors().get(id).is_some_and(|active| active.cell.status().admits())
    }

    pub(crate) fn len(&self) -> usize {
        self.actors().len()
    }

    pub(crate) fn targets(&self) -> Vec<Target> {
        self.actors().values().map(|active| active.target.clone()).collect()
    }

    /// Of all activations, also of those that are still ending while the next one waits for that.
    pub(crate) fn cells(&self) -> Vec<ActorCell> {
        let cells = |active: &Active| [Some(active.cell.clone()), active.former.clone()];
        self.actors().values().flat_map(cells).flatten().collect()
    }

    /// Forgets those that ended before they had a place.
    pub(crate) fn sweep(&self) {
        self.actors().retain(|_, active| active.cell.exit().is_none());
    }

    /// The activation before this one has ended.
    fn forget_former(&self, id: &DurableId, number: u64) {
        if let Some(active) = self.actors().get_mut(id).filter(|active| active.number == number) {
            active.former = None;
        }
    }

    /// An activation has ended: it is forgotten, unless there is a later one.
    fn leave(&self, id: &DurableId, number: u64) {
        let mut actors = self.actors();
        if actors.get(id).is_some_and(|active| active.number == number) {
            actors.remove(id);
        }
    }
}

/// What an activation is given when it begins.
pub(crate) struct Reservation {
    number: u64,
    /// The activation before it, which may still handle something.
    pub(crate) former: Option<ActorCell>,
    pub(crate) mail: MailFlag,
    /// Held while it begins, if it begins for its letters: only so many do at a time.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    pub(crate) failure: Failure,
}

/// An activation's place among the others. When it is dropped there is no activation any more.
pub(crate) struct ActivationGuard {
    pub(crate) shared: Arc<Shared>,
    pub(crate) target: Target,
    pub(crate) reservation: Reservation,
    /// The last one in which the actor was certainly this process's.
    pub(crate) term: Term,
    pub(crate) end: ActivationEnd,
    /// Dropped last: whoever does not find the activation among the others any more can have its store.
    entry: Entry,
}

/// Has an activation among the others until this is dropped.
struct Entry {
    set: Arc<ActiveSet>,
    id: DurableId,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.set.leave(&self.id, self.number);
    }
}

/// How far an activation came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ActivationEnd {
    /// It did not begin, and this process does not have the actor by it.
    NotBegun,
    /// The store may say that this process has the actor, and there is no activation: memory was not what is stored, it was
    /// killed, or the store did not answer. Nobody else takes it then.
    Lost,
    /// It has given the actor back.
    GivenBack,
}

impl ActivationEnd {
    /// The end of an activation whose claim was not granted. Unless the store says that another process has the actor, it may be this
    /// one's all the same: since before, or by a claim whose answer was lost.
    pub(crate) fn not_granted(error: &StoreError) -> Self {
        match error {
            StoreError::NotApplied(Refusal::Held { .. } | Refusal::WrongType { .. }) => Self::NotBegun,
            _ => Self::Lost,
        }
    }
}

impl ActivationGuard {
    /// The guard of an activation that has not acquired its actor yet.
    pub(crate) fn new(shared: Arc<Shared>, target: Target, reservation: Reservation) -> Self {
        let term = shared.lease_term();
        let entry = Entry { set: shared.active().clone(), id: target.id.clone(), number: reservation.number };
        Self { shared, target, reservation, term, end: ActivationEnd::NotBegun, entry }
    }

    /// Waits until the activation before this one has ended.
    pub(crate) async fn wait_for_former(&mut self) {
        if let Some(former) = self.reservation.former.take() {
            // Without a limit it does not fail.
            drop(former.wait(None).await);
            self.shared.active().forget_former(&self.target.id, self.entry.number);
        }
    }
}

impl Drop for ActivationGuard {
    fn drop(&mut self) {
        match self.end {
            // Whoever looks everywhere finds what waits for it.
            ActivationEnd::NotBegun => {}
            // The next one counts this as a crash, and is careful with the mail.
            ActivationEnd::Lost => self.shared.look_again(&self.target, REACTIVATION_PAUSE),
            ActivationEnd::GivenBack => self.shared.look_again(&self.target, Duration::ZERO),
        }
    }
}
