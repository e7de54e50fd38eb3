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

use super::actor::WrapActor;
use crate::model::TurnRequester;

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
    pub(super) fn begin<A: WrapActor<Msg = M>>(requester: &impl TurnRequester) -> Result<Self, SpawnError> {
        let shared = Arc::new(Shared { slot: Mutex::default(), is_over: AtomicBool::new(false) });
        let forwarder = Forwarder { shared: shared.clone(), requester: requester.clone() };
        // Its start does nothing that could fail.
        let myself = Myself::<A, _>(PhantomData);
        let (myself, _) = requester.system().spawn_instant(myself, forwarder, SpawnOptions::new())?;
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
struct Myself<A, R>(PhantomData<fn() -> (A, R)>);

/// The state of `myself`.
struct Forwarder<M, R: TurnRequester> {
    shared: Arc<Shared<M>>,
    requester: R,
}

impl<M, R: TurnRequester> Forwarder<M, R> {
    /// Has the activation handle something, and waits until it has.
    async fn forward(&self, incoming: Inbound<M>) {
        *self.shared.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(incoming);
        // If there is no activation any more, `myself` ends soon.
        self.requester.request().await;
    }
}

impl<M, R: TurnRequester> Drop for Forwarder<M, R> {
    fn drop(&mut self) {
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
        _: &ActorRef<A::Msg>,
        forwarder: Forwarder<A::Msg, R>,
    ) -> Result<Forwarder<A::Msg, R>, ActorError> {
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
