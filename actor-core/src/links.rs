//! Supervision links and watches between actors: who hears of whose end.
//!
//! Two kinds of lock are held here: a child's `supervisor` slot and a parent's
//! `side`. A `side` may be taken while a `supervisor` slot is held, never the
//! other way round, and never two of a kind. So no cycle of actors, whatever
//! they link, can dead-lock.

use std::sync::Arc;

use crate::address::{ActorCell, ExitListener, Local, WatchId, WeakActorCell};
use crate::event::SupervisionEvent;
use crate::exit::Exit;
use crate::id::ActorId;
use crate::lifecycle::Status;

/// A link was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The supervisor drains, stops or has stopped.
    #[error("the supervisor is shutting down")]
    SupervisorStopping,
    /// The supervisor, or the child, lives in another process.
    #[error("only actors of one process can be linked")]
    NotLocal,
}

impl ActorCell {
    /// Puts this actor under a supervisor, and takes it from the one it had. The
    /// supervisor hears of its end; when the supervisor ends, it is killed.
    ///
    /// An actor that has ended is not linked, and that is not an error.
    ///
    /// # Errors
    ///
    /// [`LinkError::SupervisorStopping`], [`LinkError::NotLocal`]; the actor
    /// keeps the supervisor it had.
    pub fn link(&self, supervisor: &ActorCell) -> Result<(), LinkError> {
        let (Some(child), Some(parent)) = (self.as_local(), supervisor.as_local()) else {
            return Err(LinkError::NotLocal);
        };
        let mut slot = child.supervisor();
        if child.word().status() >= Status::Stopping {
            return Ok(());
        }
        {
            let mut side = parent.side();
            if side.is_childless || !parent.word().admits() {
                return Err(LinkError::SupervisorStopping);
            }
            side.children.insert(self.id(), self.clone());
        }
        let former = slot.replace(supervisor.clone());
        if let Some(former) = former.filter(|former| former != supervisor) {
            former.forget_child(self);
        }
        Ok(())
    }

    /// Takes this actor from a supervisor. Does nothing if it has another.
    pub fn unlink(&self, supervisor: &ActorCell) {
        let Some(child) = self.as_local() else { return };
        let mut slot = child.supervisor();
        if slot.as_ref() == Some(supervisor) {
            *slot = None;
            supervisor.forget_child(self);
        }
    }

    /// The supervisor, if there is one.
    pub fn supervisor(&self) -> Option<ActorCell> {
        self.as_local()?.known_supervisor()?.clone()
    }

    /// The actors this one supervises, oldest first.
    pub fn children(&self) -> Vec<ActorCell> {
        let side = self.as_local().and_then(Local::known_side);
        side.map_or_else(Vec::new, |side| side.children.values().cloned().collect())
    }

    /// Sends this actor [`SupervisionEvent::Down`] once, when `target` ends, or
    /// at once if it has ended. Neither actor's life depends on the other.
    pub fn watch(&self, target: &ActorCell) -> WatchId {
        target.watch_with(Arc::new(Watcher { watcher: self.downgrade(), target: target.clone() }))
    }

    /// Kills the children and lets them go. No child is added afterwards.
    pub(crate) fn abandon_children(&self) {
        // An actor that has begun to stop takes no child, so there is none to come.
        let children = {
            let Some(mut side) = self.as_local().and_then(Local::known_side) else { return };
            side.is_childless = true;
            std::mem::take(&mut side.children)
        };
        for child in children.into_values() {
            child.kill();
            if let Some(local) = child.as_local() {
                let mut slot = local.supervisor();
                if slot.as_ref() == Some(self) {
                    *slot = None;
                }
            }
        }
    }

    /// Tells the supervisor about this actor.
    pub(crate) fn tell_supervisor(&self, event: impl FnOnce(ActorCell) -> SupervisionEvent) {
        if let Some(supervisor) = self.supervisor() {
            supervisor.post(event(self.clone()));
        }
    }

    /// Tells the supervisor the last thing about this actor and leaves it. The
    /// actor is stopping, so no other supervisor can take it meanwhile.
    pub(crate) fn leave_supervisor(&self, event: impl FnOnce(ActorCell) -> SupervisionEvent) {
        let slot = self.as_local().and_then(Local::known_supervisor);
        let Some(supervisor) = slot.and_then(|mut slot| slot.take()) else { return };
        supervisor.post(event(self.clone()));
        supervisor.forget_child(self);
    }

    fn forget_child(&self, child: &ActorCell) {
        if let Some(local) = self.as_local() {
            local.side().children.remove(&child.id());
        }
    }

    fn post(&self, event: SupervisionEvent) {
        if let Some(local) = self.as_local() {
            local.post(event);
        }
    }
}

/// An actor that watches another.
struct Watcher {
    /// Weak, so that a long life does not keep everybody in memory who ever
    /// watched it.
    watcher: WeakActorCell,
    target: ActorCell,
}

impl ExitListener for Watcher {
    fn on_exit(&self, _: ActorId, exit: &Exit) {
        if let Some(watcher) = self.watcher.upgrade() {
            watcher.post(SupervisionEvent::Down { actor: self.target.clone(), exit: exit.clone() });
        }
    }

    fn is_gone(&self) -> bool {
        self.watcher.upgrade().is_none_or(|watcher| watcher.status() == Status::Stopped)
    }
}
