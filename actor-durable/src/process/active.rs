//! The activations of a process: of each actor at most one that takes messages.

use std::collections::BTreeMap;
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
    activations: Mutex<Activations>,
}

#[derive(Default)]
struct Activations {
    /// Those of an id in the order in which they began: each waits for those of its type before it. Of other types there are some
    /// for as long as the store has not said that the actor is of another one.
    /// In order, so that a simulation that ends all of them does it again as its seed says.
    by_id: BTreeMap<DurableId, Vec<Active>>,
    /// How many there ever were.
    begun: u64,
}

/// An activation.
#[derive(Clone)]
pub(crate) struct Active {
    pub(crate) target: Target,
    pub(crate) cell: ActorCell,
    pub(crate) mail: MailFlag,
    /// Why it could not begin, if it could not.
    pub(crate) failure: Failure,
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
    fn activations(&self) -> MutexGuard<'_, Activations> {
        // Nothing panics under it that leaves it half done.
        self.activations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The activation of an actor, if it takes messages, or else the one that `begin` makes.
    pub(crate) fn get_or_begin<E>(
        &self,
        target: &Target,
        permit: Option<OwnedSemaphorePermit>,
        begin: impl FnOnce(Reservation) -> Result<ActorCell, E>,
    ) -> Result<Active, E> {
        let mut activations = self.activations();
        if let Some(active) = activations.last(target).filter(|active| active.cell.admits()) {
            return Ok(active.clone());
        }
        activations.begun += 1;
        let (number, mail, failure) = (activations.begun, MailFlag::raised(), Failure::default());
        let others = activations.by_id.get(&target.id).into_iter().flatten();
        let formers =
            others.filter(|other| other.target == *target).map(|former| former.cell.clone()).collect();
        let reservation =
            Reservation { number, formers, mail: mail.clone(), permit, failure: failure.clone() };
        let active = Active { target: target.clone(), cell: begin(reservation)?, mail, failure, number };
        let of_id = activations.by_id.entry(target.id.clone()).or_default();
        // Some may have ended before they had a place.
        of_id.retain(|other| other.cell.exit().is_none());
        of_id.push(active.clone());
        Ok(active)
    }

    /// The last activation of an actor, whatever its state.
    pub(crate) fn get(&self, target: &Target) -> Option<Active> {
        self.activations().last(target).cloned()
    }

    /// All activations of an actor, also those that are still ending while the next one waits for that.
    pub(crate) fn cells_of(&self, id: &DurableId) -> Vec<ActorCell> {
        self.activations().by_id.get(id).into_iter().flatten().map(|active| active.cell.clone()).collect()
    }

    pub(crate) fn is_active(&self, id: &DurableId) -> bool {
        self.activations().by_id.get(id).is_some_and(|all| all.iter().any(|active| active.cell.admits()))
    }

    pub(crate) fn len(&self) -> usize {
        self.activations().by_id.len()
    }

    pub(crate) fn targets(&self) -> Vec<Target> {
        self.activations().by_id.values().flatten().map(|active| active.target.clone()).collect()
    }

    /// As [`cells_of`](Self::cells_of), of all actors.
    pub(crate) fn cells(&self) -> Vec<ActorCell> {
        self.activations().by_id.values().flatten().map(|active| active.cell.clone()).collect()
    }

    /// Forgets those that ended before they had a place.
    pub(crate) fn sweep(&self) {
        self.activations().retain_all(|active| active.cell.exit().is_none());
    }

    /// An activation has ended: it is forgotten.
    fn leave(&self, id: &DurableId, number: u64) {
        let mut activations = self.activations();
        let Some(of_id) = activations.by_id.get_mut(id) else { return };
        of_id.retain(|active| active.number != number);
        if of_id.is_empty() {
            activations.by_id.remove(id);
        }
    }
}

impl Activations {
    fn last(&self, target: &Target) -> Option<&Active> {
        self.by_id.get(&target.id)?.iter().rev().find(|active| active.target == *target)
    }

    fn retain_all(&mut self, mut is_kept: impl FnMut(&Active) -> bool) {
        self.by_id.retain(|_, of_id| {
            of_id.retain(&mut is_kept);
            !of_id.is_empty()
        });
    }
}

/// What an activation is given when it begins.
pub(crate) struct Reservation {
    number: u64,
    /// Those before it, which may still handle something.
    formers: Vec<ActorCell>,
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
    _entry: Entry,
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
        Self { shared, target, reservation, term, end: ActivationEnd::NotBegun, _entry: entry }
    }

    /// Waits until the activations before this one have ended.
    pub(crate) async fn wait_for_formers(&mut self) {
        for former in std::mem::take(&mut self.reservation.formers) {
            // Without a limit it does not fail.
            drop(former.wait(None).await);
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
