//! `myself` of a wrapped actor: an actor of its own, beside the activation, for everything but commands. It asks the activation for
//! a turn for each message, one after the other.
//!
//! ```text
//!  timers, tasks, itself ──► mailbox of `myself` ──► slot ──► a turn: `handle`
//!  children's ends ─────────────────────────────►     "   ──►    "    `handle_supervisor_evt`
//!  stop, drain, kill of `myself` ──► it ends ──► the activation is passivated
//! ```

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actor_core::{Actor, ActorError, ActorRef, Sorting, SpawnError, SpawnOptions, SupervisionEvent};

use super::actor::{WrapActor, Wrapped};
use crate::engine::Bell;

/// What has come to `myself`.
pub(super) enum Inbound<M> {
    Message(M),
    Event(SupervisionEvent),
}

/// The life of a wrapped actor. Its `myself` ends with it.
pub(super) struct Life<M: Send + 'static> {
    myself: ActorRef<M>,
    shared: Arc<Shared<M>>,
}

/// What a life and its `myself` share.
struct Shared<M> {
    /// What the next turn is for.
    slot: Mutex<Option<Inbound<M>>>,
    /// Whether the life is over, so that the end of `myself` passivates nothing.
    is_over: AtomicBool,
}

impl<M: Send + 'static> Life<M> {
    pub(super) fn begin<A: WrapActor<Msg = M>>(bell: &Bell<Wrapped<A>>) -> Result<Self, SpawnError> {
        let shared = Arc::new(Shared { slot: Mutex::default(), is_over: AtomicBool::new(false) });
        let forwarder = Forwarder { shared: shared.clone(), bell: bell.clone() };
        // Its start does nothing that could fail.
        let (myself, _) =
            bell.system().spawn_instant(Myself::<A>(PhantomData), forwarder, SpawnOptions::new())?;
        Ok(Self { myself, shared })
    }

    pub(super) fn myself(&self) -> &ActorRef<M> {
        &self.myself
    }

    /// What the turn is for.
    pub(super) fn take(&self) -> Option<Inbound<M>> {
        self.shared.slot.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<M: Send + 'static> Drop for Life<M> {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.myself.stop(Some("the life of a wrapped actor is over"));
    }
}

/// See the module.
struct Myself<A>(PhantomData<fn() -> A>);

/// The state of `myself`.
struct Forwarder<A: WrapActor> {
    shared: Arc<Shared<A::Msg>>,
    bell: Bell<Wrapped<A>>,
}

impl<A: WrapActor> Forwarder<A> {
    /// Has the activation handle something, and waits until it has.
    async fn forward(&self, incoming: Inbound<A::Msg>) {
        *self.shared.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(incoming);
        // If there is no activation any more, `myself` ends soon.
        self.bell.ring().await;
    }
}

impl<A: WrapActor> Drop for Forwarder<A> {
    fn drop(&mut self) {
        if !self.shared.is_over.load(Ordering::Relaxed) {
            self.bell.passivate();
        }
    }
}

impl<A: WrapActor> Actor for Myself<A> {
    type Msg = A::Msg;
    type State = Forwarder<A>;
    type Arguments = Forwarder<A>;

    const SORTING: Sorting<A::Msg> = A::SORTING;

    async fn pre_start(
        &self,
        _: &ActorRef<A::Msg>,
        forwarder: Forwarder<A>,
    ) -> Result<Forwarder<A>, ActorError> {
        Ok(forwarder)
    }

    async fn handle(
        &self,
        _: &ActorRef<A::Msg>,
        message: A::Msg,
        forwarder: &mut Forwarder<A>,
    ) -> Result<(), ActorError> {
        forwarder.forward(Inbound::Message(message)).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<A::Msg>,
        event: SupervisionEvent,
        forwarder: &mut Forwarder<A>,
    ) -> Result<(), ActorError> {
        forwarder.forward(Inbound::Event(event)).await;
        Ok(())
    }
}
