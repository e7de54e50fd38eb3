//! A store that fails when it is told to: at the k-th visit of an operation, in one of the ways in which processes, disks and
//! networks fail. What tears a write is no matter of this one, but of the tests of each store.
//!
//! ```text
//!  caller ──► FaultStore: counts the visit, looks into the plan ──► the store within
//!                │ crash before:  ✗ the store hears nothing, the caller nothing, now and ever after
//!                │ crash after:   the store has done it; the caller hears nothing, now and ever after
//!                │ lose answer:   the store has done it; the caller is told that nobody knows
//!                │ refuse:        the store hears nothing; the caller is told that it is not there
//!                └ pause:         waits until resume(), then goes on
//! ```

mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::epochs::Epochs;
use crate::id::{DurableId, Epoch};
use crate::store::{ErrorCause, Refusal, Store, StoreError};

macro_rules! operations {
    ($($(#[$docs:meta])* $name:ident: $reads:expr,)*) => {
        /// An operation of [`Store`].
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Operation {
            $($(#[$docs])* $name,)*
        }

        impl Operation {
            /// All of them.
            pub const ALL: &[Operation] = &[$(Operation::$name,)*];

            /// Whether it only reads.
            pub fn is_read(self) -> bool {
                match self { $(Operation::$name => $reads,)* }
            }
        }
    };
}

operations! {
    /// [`Store::renew`]
    Renew: false,
    /// [`Store::retire`]
    Retire: false,
    /// [`Store::acquire`]
    Acquire: false,
    /// [`Store::release`]
    Release: false,
    /// [`Store::load`]
    Load: true,
    /// [`Store::entries`]
    Entries: true,
    /// [`Store::inbox`]
    Inbox: true,
    /// [`Store::commit_turn`]
    CommitTurn: false,
    /// [`Store::save_snapshot`]
    SaveSnapshot: false,
    /// The second half of [`Store::save_snapshot`], where a plan says that it fails: the entries that the state makes needless
    /// are dropped in a step of its own, as by a store that does it so. Without that it is one step.
    Trim: false,
    /// [`Store::begin_attempt`]
    BeginAttempt: false,
    /// [`Store::mark_delivered`]
    MarkDelivered: false,
    /// [`Store::transfer`]
    Transfer: false,
    /// [`Store::enqueue`]
    Enqueue: false,
    /// [`Store::reply`]
    Reply: true,
    /// [`Store::due`]
    Due: true,
    /// [`Store::fire`]
    Fire: false,
    /// [`Store::waiting`]
    Waiting: true,
    /// [`Store::actors`]
    Actors: true,
    /// [`Store::head`]
    Head: true,
    /// [`Store::delete`]
    Delete: false,
    /// [`Store::dead_letters`]
    DeadLetters: true,
    /// [`Store::revive`]
    Revive: false,
    /// [`Store::purge`]
    Purge: false,
    /// [`Store::give_up_delivery`]
    GiveUpDelivery: false,
    /// [`Store::undelivered`]
    Undelivered: true,
    /// [`Store::redeliver`]
    Redeliver: false,
    /// [`Store::discard`]
    Discard: false,
}

/// How an operation fails.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FaultMode {
    /// The process ends before the store hears of it.
    CrashBefore,
    /// The process ends after the store has done it and before the caller hears of it.
    CrashAfter,
    /// The store has done it, and the caller is told [`StoreError::Unknown`]; of what only reads,
    /// [`Refusal::Unavailable`].
    LoseAnswer,
    /// The store hears nothing, as it is not there now: [`Refusal::Unavailable`].
    Refuse,
    /// It waits before the store hears of it, until it is [resumed](FaultStore::resume).
    Pause,
}

impl FaultMode {
    /// All of them.
    pub const ALL: &[FaultMode] = &[
        FaultMode::CrashBefore,
        FaultMode::CrashAfter,
        FaultMode::LoseAnswer,
        FaultMode::Refuse,
        FaultMode::Pause,
    ];

    /// Whether the process ends.
    pub fn is_crash(self) -> bool {
        matches!(self, FaultMode::CrashBefore | FaultMode::CrashAfter)
    }
}

/// One thing that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fault {
    /// What fails.
    pub operation: Operation,
    /// At which of its visits: 1 is the first.
    pub visit: u64,
    /// How.
    pub mode: FaultMode,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, visit, mode } = self;
        write!(f, "{mode:?} at visit {visit} of {operation:?}")
    }
}

/// A store over another one, which fails by a plan. The plan is data, and nothing here happens by chance: the same calls fail
/// in the same way. Clones are the same store, so one handle may be given away and the other asked.
///
/// A store that has crashed is what a process that was killed sees of it: none of its futures ends any more, those that were
/// under way among them, and the store within hears nothing of it. A test drops what used it then, and goes on with another
/// one over the same store.
#[derive(Clone)]
pub struct FaultStore {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Arc<dyn Store>,
    plan: Mutex<Plan>,
    phase: watch::Sender<Phase>,
    late: Mutex<Vec<Late>>,
    epochs: Epochs,
}

/// What the store within has said to an operation that was [paused](FaultMode::Pause) or [stalled](FaultStore::stall), once it
/// was resumed.
#[derive(Clone, Debug)]
pub struct Late {
    /// Which.
    pub operation: Operation,
    /// The answer, without what it may bring.
    pub answer: Result<(), StoreError>,
}

/// What is to fail yet, and what was visited.
#[derive(Default, Debug)]
struct Plan {
    faults: Vec<Fault>,
    visits: BTreeMap<Operation, u64>,
    /// How many entries of a journal are read at once, if fewer than may be.
    entries_max: Option<usize>,
}

#[derive(Clone, Copy, Default, Debug)]
struct Phase {
    has_crashed: bool,
    /// Whatever comes is paused.
    is_stalled: bool,
    /// How many visits were ever paused, and how many of them were resumed.
    paused: u64,
    resumed: u64,
    /// How many of the paused ones have their answer, or were dropped.
    over: u64,
}

impl FaultStore {
    /// A store over another one that fails by this plan: of several faults at one visit the first counts.
    pub fn new(inner: Arc<dyn Store>, plan: impl IntoIterator<Item = Fault>) -> Self {
        Self::watched(inner, plan, Epochs::default())
    }

    /// One of several over the same store, whose epochs are looked at together.
    pub(super) fn watched(
        inner: Arc<dyn Store>,
        plan: impl IntoIterator<Item = Fault>,
        epochs: Epochs,
    ) -> Self {
        let plan = Plan { faults: plan.into_iter().collect(), ..Plan::default() };
        let phase = watch::Sender::new(Phase::default());
        let (plan, late) = (Mutex::new(plan), Mutex::default());
        Self { shared: Arc::new(Shared { inner, plan, phase, late, epochs }) }
    }

    /// How often each operation was visited. One that never was is not there.
    pub fn visits(&self) -> BTreeMap<Operation, u64> {
        self.shared.plan().visits.clone()
    }

    /// What has not failed yet.
    pub fn faults_left(&self) -> Vec<Fault> {
        self.shared.plan().faults.clone()
    }

    /// Adds to the plan.
    pub fn add(&self, fault: Fault) {
        self.shared.plan().faults.push(fault);
    }

    /// From now on a page of a journal has at most so many entries.
    pub fn read_by(&self, entries: usize) {
        self.shared.plan().entries_max = Some(entries);
    }

    /// Crashes now.
    pub fn crash(&self) {
        self.shared.phase.send_modify(|phase| phase.has_crashed = true);
    }

    /// Whether it has crashed.
    pub fn has_crashed(&self) -> bool {
        self.shared.phase.borrow().has_crashed
    }

    /// Waits until it has crashed.
    pub async fn crashed(&self) {
        self.shared.until(|phase| phase.has_crashed).await;
    }

    /// Whatever comes from now on waits until it may [go on](Self::go_on): the process stands still.
    pub fn stall(&self) {
        self.shared.phase.send_modify(|phase| phase.is_stalled = true);
    }

    /// What has waited since [`stall`](Self::stall) goes on.
    pub fn go_on(&self) {
        self.shared.phase.send_modify(|phase| phase.is_stalled = false);
    }

    /// Waits until something is paused.
    pub async fn paused(&self) {
        self.shared.until(|phase| phase.paused > phase.resumed).await;
    }

    /// Waits until all that was resumed has its answer or was dropped, and gives the answers, with those of what was stalled as
    /// far as there are any.
    pub async fn late(&self) -> Vec<Late> {
        self.shared.until(|phase| phase.over >= phase.resumed).await;
        self.shared.late().clone()
    }

    /// Lets go on what is paused.
    pub fn resume(&self) {
        self.shared.phase.send_modify(|phase| phase.resumed = phase.paused);
    }
}

impl fmt::Debug for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.shared.plan();
        let phase = *self.shared.phase.borrow();
        f.debug_struct("FaultStore")
            .field("faults_left", &plan.faults)
            .field("visits", &plan.visits)
            .field("phase", &phase)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn late(&self) -> std::sync::MutexGuard<'_, Vec<Late>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn until(&self, is_so: impl FnMut(&Phase) -> bool) {
        let mut phase = self.phase.subscribe();
        // The sender is here, so it is not closed.
        drop(phase.wait_for(is_so).await);
    }

    /// What an operation of an owner visits on its way to the store within.
    async fn owned<T>(
        &self,
        operation: Operation,
        actor: &DurableId,
        epoch: Epoch,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.visit(operation, self.epochs.owned(actor, epoch, call)).await
    }

    /// What an operation visits on its way to the store within.
    async fn visit<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.phase.borrow().has_crashed {
            return pending().await;
        }
        let mode = self.plan().mode_of_next(operation);
        match mode {
            Some(FaultMode::CrashBefore) => return self.crash().await,
            Some(FaultMode::Refuse) => {
                let cause = ErrorCause::new(format!("{operation:?} is refused, as the plan says"));
                return Err(Refusal::Unavailable(cause).into());
            }
            _ => {}
        }
        let is_stalled = self.phase.borrow().is_stalled;
        let paused = match mode {
            Some(FaultMode::Pause) => Some(self.pause().await),
            _ => None,
        };
        if is_stalled && paused.is_none() {
            self.until(|phase| !phase.is_stalled).await;
        }
        if self.phase.borrow().has_crashed {
            return pending().await;
        }
        let answer = call.await;
        if is_stalled || paused.is_some() {
            let answer = answer.as_ref().map(drop).map_err(Clone::clone);
            self.late().push(Late { operation, answer });
        }
        drop(paused);
        match mode {
            Some(FaultMode::CrashAfter) => self.crash().await,
            _ if self.phase.borrow().has_crashed => pending().await,
            Some(FaultMode::LoseAnswer) => answer.and_then(|_| Err(lost(operation))),
            _ => answer,
        }
    }

    async fn crash<T>(&self) -> T {
        self.phase.send_modify(|phase| phase.has_crashed = true);
        pending().await
    }

    async fn pause(&self) -> Paused<'_> {
        let mut number = 0;
        self.phase.send_modify(|phase| {
            phase.paused += 1;
            number = phase.paused;
        });
        let paused = Paused(self);
        self.until(|phase| phase.resumed >= number).await;
        paused
    }
}

/// An operation that was paused and is not over.
struct Paused<'s>(&'s Shared);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.phase.send_modify(|phase| phase.over += 1);
    }
}

impl Plan {
    fn fails_at(&self, operation: Operation) -> bool {
        self.faults.iter().any(|fault| fault.operation == operation)
    }

    /// Counts a visit, and says how it fails.
    fn mode_of_next(&mut self, operation: Operation) -> Option<FaultMode> {
        let visit = self.visits.entry(operation).or_default();
        *visit += 1;
        let is_it = |fault: &Fault| fault.operation == operation && fault.visit == *visit;
        let place = self.faults.iter().position(is_it)?;
        Some(self.faults.remove(place).mode)
    }
}

/// What was refused is refused all the same: only the answer to what was done is lost.
fn lost(operation: Operation) -> StoreError {
    let cause = ErrorCause::new(format!("the answer to {operation:?} was lost, as the plan says"));
    if operation.is_read() { Refusal::Unavailable(cause).into() } else { StoreError::Unknown(cause) }
}
