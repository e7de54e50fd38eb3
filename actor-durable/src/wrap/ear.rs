//! By what a wrapped actor is reached otherwise than by its commands: `myself`, which is an actor of its own. What comes there
//! rings for a turn, and the next comes when that is over.
//!
//! ```text
//!  timers, tasks, itself ──► ear's mailbox ──► slot, ring ──► a turn: `handle`
//!  children's ends ────────────────────────►      "      ──►    "    `handle_supervisor_evt`
//!  stop, drain, kill of `myself` ──► the ear ends ──► the activation is given back
//! ```

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actor_core::{Actor, ActorError, ActorRef, Sorting, SpawnError, SpawnOptions, SupervisionEvent};

use super::actor::{WrapActor, Wrapped};
use crate::engine::Bell;

/// What came.
pub(super) enum Own<M> {
    Message(M),
    Event(SupervisionEvent),
}

/// An ear, as the actor's life holds it: it ends with it.
pub(super) struct Life<M: Send + 'static> {
    myself: ActorRef<M>,
    shared: Arc<Between<M>>,
}

/// What a life and its ear have in common.
struct Between<M> {
    /// There is one at a time.
    came: Mutex<Option<Own<M>>>,
    /// The ear's end means nothing any more.
    is_over: AtomicBool,
}

impl<M: Send + 'static> Life<M> {
    pub(super) fn begin<A: WrapActor<Msg = M>>(bell: &Bell<Wrapped<A>>) -> Result<Self, SpawnError> {
        let shared = Arc::new(Between { came: Mutex::default(), is_over: AtomicBool::new(false) });
        let hearing = Hearing { shared: shared.clone(), bell: bell.clone() };
        // Its start does nothing that could fail.
        let (myself, _) = bell.system().spawn_instant(Ear::<A>(PhantomData), hearing, SpawnOptions::new())?;
        Ok(Self { myself, shared })
    }

    pub(super) fn myself(&self) -> &ActorRef<M> {
        &self.myself
    }

    /// What the actor rang for.
    pub(super) fn take(&self) -> Option<Own<M>> {
        self.shared.came.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<M: Send + 'static> Drop for Life<M> {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.myself.stop(Some("the life of a wrapped actor is over"));
    }
}

/// See the module.
struct Ear<A>(PhantomData<fn() -> A>);

struct Hearing<A: WrapActor> {
    shared: Arc<Between<A::Msg>>,
    bell: Bell<Wrapped<A>>,
}

impl<A: WrapActor> Hearing<A> {
    /// Has what came handled, and waits for that.
    async fn hear(&self, own: Own<A::Msg>) {
        *self.shared.came.lock().unwrap_or_else(PoisonError::into_inner) = Some(own);
        // Without an activation there is nobody to hear it, and soon no ear.
        self.bell.ring().await;
    }
}

impl<A: WrapActor> Drop for Hearing<A> {
    fn drop(&mut self) {
        if !self.shared.is_over.load(Ordering::Relaxed) {
            self.bell.passivate();
        }
    }
}

impl<A: WrapActor> Actor for Ear<A> {
    type Msg = A::Msg;
    type State = Hearing<A>;
    type Arguments = Hearing<A>;

    const SORTING: Sorting<A::Msg> = A::SORTING;

    async fn pre_start(&self, _: &ActorRef<A::Msg>, hearing: Hearing<A>) -> Result<Hearing<A>, ActorError> {
        Ok(hearing)
    }

    async fn handle(
        &self,
        _: &ActorRef<A::Msg>,
        message: A::Msg,
        hearing: &mut Hearing<A>,
    ) -> Result<(), ActorError> {
        hearing.hear(Own::Message(message)).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<A::Msg>,
        event: SupervisionEvent,
        hearing: &mut Hearing<A>,
    ) -> Result<(), ActorError> {
        hearing.hear(Own::Event(event)).await;
        Ok(())
    }
}
