//! What references, activations and services have in common.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use actor_core::executor::TaskHandle;
use actor_core::{ActorCell, ActorSystem, Executor, Instant};
use futures_util::FutureExt;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};

use super::active::{Active, ActiveSet, Reservation};
use super::adoption::AdoptionSearch;
use super::delivery::{NotDelivered, Sender};
use super::id_generator::{self, IdGenerator};
use super::lease::{Lease, Term};
use super::suspect::{SuspectGate, SuspectGuard};
use crate::error::{ActivationError, NotApplied, panic_text};
use crate::id::{DurableId, MessageId, Name, OwnerId, Target, WallTime};
use crate::limits::{BEGINNING_MAX, TRANSFERS_MAX};
use crate::outlet::Outlet;
use crate::store::{Enqueued, GivingUp, Message, OutboxPosition, Outgoing, Renewal, Store, StoreError};

/// See the module.
pub(crate) struct Shared {
    system: ActorSystem,
    store: Arc<dyn Store>,
    owner: OwnerId,
    types: BTreeMap<&'static str, Arc<dyn Registered>>,
    outlets: BTreeMap<Name, Arc<dyn Outlet>>,
    active: Arc<ActiveSet>,
    closed: watch::Sender<bool>,
    lease: Lease,
    /// Those that have not ended, as far as anybody has waited for it.
    services: Mutex<Vec<TaskHandle>>,
    /// One at a time waits for the services to end.
    ending: tokio::sync::Mutex<()>,
    /// A reminder was set, so that the next may be due earlier.
    pub(crate) reminders: Notify,
    /// Actors whose activation has ended, whose inbox may not be empty, and when it is looked into.
    again: Mutex<BTreeMap<Target, Instant>>,
    pub(crate) mail: Notify,
    /// Letters may have come that nobody was told of.
    pub(crate) missed: Notify,
    beginning: Arc<Semaphore>,
    transfers: Semaphore,
    suspects: SuspectGate,
    sought: AdoptionSearch,
    ids: IdGenerator,
}

/// A type of actors that the system knows, whatever it takes.
pub(crate) trait Registered: Send + Sync {
    /// Begins an activation.
    fn activate(
        &self,
        shared: &Arc<Shared>,
        target: &Target,
        reservation: Reservation,
    ) -> Result<ActorCell, ActivationError>;

    /// Tells an activation of this type, if it can be told.
    fn tell(&self, cell: &ActorCell, wakeup: Wakeup);
}

/// What an activation is told by the services.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wakeup {
    /// There may be letters.
    Mail,
    /// Something has arrived that is to be marked.
    Delivered,
}

impl Shared {
    pub(crate) fn new(
        system: ActorSystem,
        store: Arc<dyn Store>,
        types: BTreeMap<&'static str, Arc<dyn Registered>>,
        outlets: BTreeMap<Name, Arc<dyn Outlet>>,
    ) -> Self {
        let owner = OwnerId::new(id_generator::random(system.executor()));
        Self {
            system,
            store,
            owner,
            types,
            outlets,
            active: Arc::default(),
            closed: watch::Sender::new(false),
            lease: Lease::default(),
            services: Mutex::default(),
            ending: tokio::sync::Mutex::default(),
            reminders: Notify::new(),
            again: Mutex::default(),
            mail: Notify::new(),
            missed: Notify::new(),
            beginning: Arc::new(Semaphore::new(BEGINNING_MAX)),
            transfers: Semaphore::new(TRANSFERS_MAX),
            suspects: SuspectGate::default(),
            sought: AdoptionSearch::default(),
            ids: IdGenerator::default(),
        }
    }

    pub(crate) fn system(&self) -> &ActorSystem {
        &self.system
    }

    pub(crate) fn executor(&self) -> &Executor {
        self.system.executor()
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(crate) fn owner(&self) -> OwnerId {
        self.owner
    }

    pub(crate) fn active(&self) -> &Arc<ActiveSet> {
        &self.active
    }

    pub(crate) fn wall_time(&self) -> WallTime {
        WallTime::from_unix(self.executor().unix_time())
    }

    pub(crate) fn new_message_id(&self) -> MessageId {
        self.ids.make(self.wall_time(), self.executor())
    }

    /// An id that was made after a time, and of which nobody can say more.
    pub(crate) fn new_message_id_after(&self, time: WallTime) -> MessageId {
        let made = self.wall_time().max(time.after(Duration::from_millis(1)));
        MessageId::new(made, id_generator::random(self.executor()))
    }

    /// The activation of an actor, which may only just begin.
    pub(crate) fn resolve(self: &Arc<Self>, target: &Target) -> Result<Active, NotApplied> {
        self.resolve_with(target, None)
    }

    /// [`resolve`](Self::resolve), where a new activation gets what [`may_begin`](Self::may_begin) gave.
    pub(crate) fn resolve_with(
        self: &Arc<Self>,
        target: &Target,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<Active, NotApplied> {
        let Some(registered) = self.types.get(target.actor_type.as_str()) else {
            return Err(NotApplied::NotRegistered(target.actor_type.to_string()));
        };
        if self.is_closed() {
            return Err(NotApplied::ShutDown);
        }
        let begin = |reservation| {
            // Once more, as now nobody else goes through the set: whoever closes it sees this one, or is seen.
            if self.is_closed() {
                return Err(NotApplied::ShutDown);
            }
            registered.activate(self, target, reservation).map_err(NotApplied::NotActivated)
        };
        self.active.get_or_begin(target, permit, begin)
    }

    pub(crate) fn knows(&self, target: &Target) -> bool {
        self.types.contains_key(target.actor_type.as_str())
    }

    /// Puts a message into an inbox of the store, and tells the actor if it is in memory here.
    pub(crate) async fn enqueue(&self, message: Message) -> Result<Enqueued, StoreError> {
        let to = message.to.clone();
        let enqueued = self.store.enqueue(message).await?;
        self.tell_mail(&to);
        Ok(enqueued)
    }

    /// Moves a message from an outbox into an inbox, when it is its turn.
    pub(crate) async fn transfer(
        &self,
        from: &Sender,
        to: &Target,
        position: OutboxPosition,
    ) -> Result<(), NotDelivered> {
        let permit = self.may_transfer().await;
        self.store.transfer(&from.target.id, from.epoch, position).await?;
        drop(permit);
        self.tell_mail(to);
        Ok(())
    }

    /// However many actors send, the store is asked for so much at a time; whoever came first is first.
    async fn may_transfer(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.transfers.acquire().await.ok()
    }

    /// Has an outlet do what a message says.
    pub(crate) async fn bring_out(
        &self,
        name: &Name,
        from: &DurableId,
        message: &Outgoing,
    ) -> Result<(), NotDelivered> {
        let Some(outlet) = self.outlets.get(name) else {
            // A later release of the program may have it.
            return Err(NotDelivered::Yet(format!("there is no outlet {name} here")));
        };
        // Its error's text is the outlet's too.
        let deliver = async { outlet.deliver(from, message).await.map_err(NotDelivered::by_outlet) };
        match AssertUnwindSafe(deliver).catch_unwind().await {
            Ok(delivered) => delivered,
            Err(payload) => Err(NotDelivered::Yet(format!("the outlet panicked: {}", panic_text(&*payload)))),
        }
    }

    /// Has a message leave an outbox that will never arrive.
    pub(crate) async fn give_up(&self, giving_up: GivingUp, from: &Target) -> Result<(), StoreError> {
        let has_notice = giving_up.notice.is_some();
        let permit = self.may_transfer().await;
        self.store.give_up_delivery(giving_up).await?;
        drop(permit);
        if has_notice {
            self.tell_mail(from);
        }
        Ok(())
    }

    /// Letters may have come for an actor. Whether it is in memory here.
    pub(crate) fn tell_mail(&self, to: &Target) -> bool {
        let Some(active) = self.active.get(to) else { return false };
        active.mail.raise();
        self.tell(to, &active.cell, Wakeup::Mail);
        active.cell.admits()
    }

    /// What an actor has sent has arrived, and is to be marked.
    pub(crate) fn tell_delivered(&self, from: &Target) {
        if let Some(active) = self.active.get(from) {
            self.tell(from, &active.cell, Wakeup::Delivered);
        }
    }

    fn tell(&self, to: &Target, cell: &ActorCell, wakeup: Wakeup) {
        if let Some(registered) = self.types.get(to.actor_type.as_str()) {
            registered.tell(cell, wakeup);
        }
    }

    /// Waits until another activation may begin for its letters; no caller waits for those.
    pub(crate) async fn may_begin(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.beginning.clone().acquire_owned().await.ok()
    }

    /// Handling a letter that may end the process: one at a time, if none takes long.
    pub(crate) async fn enter_suspect(&self) -> SuspectGuard<'_> {
        self.suspects.enter(self.executor()).await
    }

    /// How far inboxes of actors that cannot be activated were looked through.
    pub(crate) fn sought(&self) -> &AdoptionSearch {
        &self.sought
    }

    /// A reminder was set.
    pub(crate) fn look_at_reminders(&self) {
        self.reminders.notify_one();
    }

    /// An activation has ended; letters that it has not read may be there, and are looked for after a pause.
    pub(crate) fn look_again(&self, target: &Target, pause: Duration) {
        if self.is_closed() {
            return;
        }
        let at = self.executor().now() + pause;
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        let first = again.entry(target.clone()).or_insert(at);
        *first = at.min(*first);
        drop(again);
        self.mail.notify_one();
    }

    /// Those whose pause is over, and when the next one's is.
    pub(crate) fn take_again(&self, now: Instant) -> (Vec<Target>, Option<Instant>) {
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        let due = again.iter().filter(|(_, at)| **at <= now).map(|(target, _)| target.clone()).collect();
        again.retain(|_, at| *at > now);
        (due, again.values().min().copied())
    }

    /// Begins or prolongs the lease of this process.
    pub(crate) async fn renew(&self, lease: Duration) -> Result<(), StoreError> {
        let until = self.executor().now() + lease;
        let is_certain = self.lease.ask();
        let said = self.store.renew(self.owner, lease).await?;
        // What was asked before and not answered may have begun it.
        let renewal = if is_certain { said } else { Renewal::Begun };
        self.lease.renewed(renewal, self.executor().now(), until);
        Ok(())
    }

    /// The term of the lease in which an actor is had that is asked for from now on.
    pub(crate) fn lease_term(&self) -> Term {
        self.lease.term()
    }

    /// Whether what this process had in that term is certainly its own: nobody takes it before its lease is over.
    pub(crate) fn is_lease_held_since(&self, term: Term) -> bool {
        self.lease.is_held_since(term, self.executor().now())
    }

    /// Whether no activation begins any more.
    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Waits until no activation begins any more.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + use<> {
        let mut closed = self.closed.subscribe();
        // It fails when nobody can close it any more.
        async move { drop(closed.wait_for(|is_closed| *is_closed).await) }
    }

    /// No activation begins any more.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    pub(crate) fn add_service(&self, task: TaskHandle) {
        self.services().push(task);
    }

    fn services(&self) -> MutexGuard<'_, Vec<TaskHandle>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the services, and waits until they are no more. Whoever waits may be dropped: those that have not ended stay here, and
    /// the next one waits for them.
    pub(crate) async fn end_services(&self) {
        self.services().iter().for_each(TaskHandle::abort);
        // A task tells only whoever asked it last that it has ended.
        let _turn = self.ending.lock().await;
        poll_fn(|context| {
            let mut services = self.services();
            services.retain_mut(|task| Pin::new(task).poll(context).is_pending());
            if services.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
