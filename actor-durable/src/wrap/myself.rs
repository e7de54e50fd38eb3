//! `myself` of a wrapped actor: an actor of its own, beside the activation, for everything but commands. It asks the activation for
//! a turn for each message, one after the other.
//!
//! ```text
//!  timers, tasks, itself ──► mailbox of `myself` ──► slot ──► a turn: `handle`
//!  children's ends ─────────────────────────────►     "   ──►    "    `handle_supervisor_evt`
//!  stop, drain, kill of `myself` ──► it ends ──► the activation is passivated
//! ```
//!
//! One life follows another only when the former's `myself` and the children linked to it have ended: a new life may use their names.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actor_core::{
    Actor, ActorCell, ActorError, ActorRef, Sorting, SpawnError, SpawnOptions, SupervisionEvent,
};
use futures_util::future::select;
use tokio::sync::Notify;

use super::actor::WrapActor;
use crate::id::DurableId;
use crate::model::TurnRequester;

/// What has come to `myself`.
pub(super) enum Inbound<M> {
    Message(M),
    Event(SupervisionEvent),
}

/// The life of a wrapped actor. Its `myself` ends with it.
pub(super) struct Life<M: Send + 'static> {
    id: DurableId,
    myself: ActorRef<M>,
    shared: Arc<Shared<M>>,
    rests: Arc<Rests<M>>,
    /// Whether nothing is left of it.
    has_ended: bool,
}

/// What a life and its `myself` share.
struct Shared<M> {
    /// What the next turn is for.
    slot: Mutex<Option<Inbound<M>>>,
    /// Whether the life is over, so that the end of `myself` passivates nothing.
    is_over: AtomicBool,
    /// It is: `myself` waits for no turn any more.
    over: Notify,
    /// The children that `myself` had when it ended, which are killed then.
    children: Mutex<Vec<ActorCell>>,
}

/// What is left of lives that nobody has seen end, such as those of activations that were killed.
pub(super) struct Rests<M> {
    // unordered: looked up by id, and gone through only to forget what has ended
    rests: Mutex<HashMap<DurableId, Vec<Rest<M>>>>,
}

/// What may be left of a life.
struct Rest<M> {
    myself: ActorCell,
    shared: Arc<Shared<M>>,
}

impl<M: Send + 'static> Life<M> {
    /// Begins a life, once nothing is left of those before it, which are over.
    pub(super) async fn begin<A: WrapActor<Msg = M>>(
        id: &DurableId,
        rests: &Arc<Rests<M>>,
        requester: &impl TurnRequester,
    ) -> Result<Self, SpawnError> {
        for rest in rests.of(id) {
            rest.wait().await;
        }
        rests.forget(id);
        let shared = Arc::new(Shared::default());
        let forwarder = Forwarder { shared: shared.clone(), requester: requester.clone(), myself: None };
        // Its start does nothing that could fail.
        let myself = Myself::<A, _>(PhantomData);
        let (myself, _) = requester.system().spawn_instant(myself, forwarder, SpawnOptions::new())?;
        Ok(Self { id: id.clone(), myself, shared, rests: rests.clone(), has_ended: false })
    }

    pub(super) fn myself(&self) -> &ActorRef<M> {
        &self.myself
    }

    /// What the turn is for.
    pub(super) fn take(&self) -> Option<Inbound<M>> {
        locked(&self.shared.slot).take()
    }

    /// Ends it, and waits until nothing is left of it.
    pub(super) async fn end(&mut self) {
        self.be_over().wait().await;
        self.has_ended = true;
    }

    fn be_over(&self) -> Rest<M> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.shared.over.notify_one();
        self.myself.stop(Some("the life of a wrapped actor is over"));
        Rest { myself: self.myself.cell(), shared: self.shared.clone() }
    }
}

impl<M: Send + 'static> Drop for Life<M> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.rests.leave(&self.id, self.be_over());
        }
    }
}

impl<M> Rest<M> {
    /// Waits until nothing is left.
    async fn wait(&self) {
        // Without a limit it does not fail. What comes to an actor in another process is not heard of here.
        drop(self.myself.wait(None).await);
        let children = locked(&self.shared.children).clone();
        for child in children.iter().filter(|child| child.is_local()) {
            drop(child.wait(None).await);
        }
    }

    fn has_ended(&self) -> bool {
        let is_there = |child: &ActorCell| child.is_local() && child.exit().is_none();
        self.myself.exit().is_some() && !locked(&self.shared.children).iter().any(is_there)
    }
}

impl<M> Rests<M> {
    fn of(&self, id: &DurableId) -> Vec<Rest<M>> {
        let rests = locked(&self.rests);
        let rest = |rest: &Rest<M>| Rest { myself: rest.myself.clone(), shared: rest.shared.clone() };
        rests.get(id).into_iter().flatten().map(rest).collect()
    }

    fn forget(&self, id: &DurableId) {
        locked(&self.rests).remove(id);
    }

    fn leave(&self, id: &DurableId, rest: Rest<M>) {
        let mut rests = locked(&self.rests);
        // Of actors that never live again. Looking at all whenever there are twice as many costs each a little.
        if rests.len().is_power_of_two() {
            rests.retain(|_, rests| !rests.iter().all(Rest::has_ended));
        }
        rests.entry(id.clone()).or_default().push(rest);
    }
}

impl<M> Default for Rests<M> {
    fn default() -> Self {
        Self { rests: Mutex::default() }
    }
}

impl<M> Default for Shared<M> {
    fn default() -> Self {
        Self {
            slot: Mutex::default(),
            is_over: AtomicBool::new(false),
            over: Notify::new(),
            children: Mutex::default(),
        }
    }
}

/// Nothing panics under these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See the module.
struct Myself<A, R>(PhantomData<fn() -> (A, R)>);

/// The state of `myself`.
struct Forwarder<M, R: TurnRequester> {
    shared: Arc<Shared<M>>,
    requester: R,
    /// Known once it has started.
    myself: Option<ActorCell>,
}

impl<M, R: TurnRequester> Forwarder<M, R> {
    /// Has the activation handle something, and waits until it has, or the life is over: the activation may wait for that.
    async fn forward(&self, incoming: Inbound<M>) {
        *locked(&self.shared.slot) = Some(incoming);
        // If there is no activation any more, `myself` ends soon.
        select(pin!(self.requester.request()), pin!(self.shared.over.notified())).await;
    }
}

impl<M, R: TurnRequester> Drop for Forwarder<M, R> {
    fn drop(&mut self) {
        if let Some(myself) = &self.myself {
            // It takes no more, and those that it has are killed after this.
            *locked(&self.shared.children) = myself.children();
        }
        if !self.shared.is_over.load(Ordering::Relaxed) {
            self.requester.passivate();
        }
    }
}

impl<A: WrapActor, R: TurnRequester> Actor for Myself<A, R> {
    type Msg = A::Msg;
    type State = Forwarder<A::Msg, R>;
    type Arguments = Forwarder<A::Msg, R>;

    const SORTING: Sorting<A::Msg> = A::SORTING;

    async fn pre_start(
        &self,
        myself: &ActorRef<A::Msg>,
        mut forwarder: Forwarder<A::Msg, R>,
    ) -> Result<Forwarder<A::Msg, R>, ActorError> {
        forwarder.myself = Some(myself.cell());
        Ok(forwarder)
    }

    async fn handle(
        &self,
        _: &ActorRef<A::Msg>,
        message: A::Msg,
        forwarder: &mut Forwarder<A::Msg, R>,
    ) -> Result<(), ActorError> {
        forwarder.forward(Inbound::Message(message)).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<A::Msg>,
        event: SupervisionEvent,
        forwarder: &mut Forwarder<A::Msg, R>,
    ) -> Result<(), ActorError> {
        forwarder.forward(Inbound::Event(event)).await;
        Ok(())
    }
}
