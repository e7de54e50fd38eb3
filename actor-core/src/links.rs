//! Supervision links and watches between actors: who hears of whose end.
//!
//! Two kinds of lock are held here: a child's `supervisor` slot and a parent's
//! `side`. A `side` may be taken while a `supervisor` slot is held, never the
//! other way round, and never two of a kind. So no cycle of actors, whatever
//! they link, can dead-lock.

use std::sync::Arc;
use std::time::Duration;

use crate::address::{ActorCell, ExitListener, Local, Unlink, WatchId, WeakActorCell};
use crate::event::SupervisionEvent;
use crate::exit::Exit;
use crate::id::ActorId;
use crate::lifecycle::{Flag, Status};
use crate::limits::FOREIGN_KILL_TIMEOUT;
use crate::supervise::Shutdown;

/// The reason of a stop by [`ActorCell::shut_down`].
const SHUT_DOWN: &str = "shut down";

/// A link was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The supervisor drains, stops or has stopped.
    #[error("the supervisor is shutting down")]
    SupervisorStopping,
    /// The supervisor lives in another process, or the way to the child cannot link.
    #[error("the supervisor does not live in this process")]
    NotLocal,
}

impl ActorCell {
    /// Puts this actor under a supervisor, and takes it from the one it had. The
    /// supervisor hears of its end; when the supervisor ends, it is killed.
    ///
    /// An actor that has ended is not linked, and that is not an error. One that is
    /// suspended is the new supervisor's to decide about, which is told so by
    /// [`SupervisionEvent::Suspended`] without a state: that went to the former one.
    ///
    /// An actor in another process is asked, and this does not wait for it. The supervisor hears
    /// of its end once, as of any child's: also if it has ended before, if it may not be linked,
    /// or if it cannot be reached any more, which is an end by [`Exit::Unreachable`] and kills
    /// it where it lives. Such a child has one life: it is [released](Self::release).
    ///
    /// A supervisor in another process is not asked from here, as it must know whom it answers for,
    /// and hear if it cannot be: send it this actor's reference, and let it link from there.
    ///
    /// # Errors
    ///
    /// [`LinkError::SupervisorStopping`], [`LinkError::NotLocal`]; the actor
    /// keeps the supervisor it had.
    pub fn link(&self, supervisor: &ActorCell) -> Result<(), LinkError> {
        let (child, parent) = match (self.as_local(), supervisor.as_local()) {
            (Some(child), Some(parent)) => (child, parent),
            (None, Some(parent)) => return self.link_from_afar(supervisor, parent),
            (Some(child), None) => return self.be_adopted(child, supervisor),
            (None, None) => return Err(LinkError::NotLocal),
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
        let former = slot.replace(supervisor.clone()).filter(|former| former != supervisor);
        // Asked under the lock of the slot, as whoever tells the supervisor says it there: so
        // each of the two is told once.
        let undecided = former.as_ref().and_then(|_| child.undecided());
        let former = self.leave_local(former);
        let is_told = undecided.is_some();
        if let Some(exit) = undecided {
            // Before the lock is free, which whoever tells of the next life takes too: news of
            // that comes later.
            let suspended = SupervisionEvent::Suspended { actor: self.clone(), exit, state: None };
            parent.put(parent.life(), suspended);
        }
        drop(slot);
        if let Some(former) = former {
            former.forget_child(self);
        }
        if is_told {
            parent.wake();
        }
        Ok(())
    }

    /// Leaves a former supervisor that lives in this process, while the place of the supervisor
    /// is locked. One in another process is given back, to be left when it is free.
    fn leave_local(&self, former: Option<ActorCell>) -> Option<ActorCell> {
        let former = former?;
        if !former.is_local() {
            return Some(former);
        }
        former.forget_child(self);
        None
    }

    /// Puts this actor, which lives in another process, under a supervisor in this one.
    fn link_from_afar(&self, supervisor: &ActorCell, parent: Local<'_>) -> Result<(), LinkError> {
        let Some(foreign) = self.as_foreign() else { return Err(LinkError::NotLocal) };
        let life = {
            let mut side = parent.side();
            if side.is_childless || !parent.word().admits() {
                return Err(LinkError::SupervisorStopping);
            }
            if side.children.contains_key(&self.id()) {
                return Ok(());
            }
            side.children.insert(self.id(), self.clone());
            // Under the lock, which the end of a life takes too.
            parent.life()
        };
        let linked = Linked { supervisor: supervisor.downgrade(), life };
        if foreign.link(supervisor.id(), Arc::new(linked)) {
            return Ok(());
        }
        supervisor.forget_child(self);
        Err(LinkError::NotLocal)
    }

    /// Puts this actor under a supervisor in another process, if that has it.
    fn be_adopted(&self, child: Local<'_>, supervisor: &ActorCell) -> Result<(), LinkError> {
        if !supervisor.as_foreign().is_some_and(|foreign| foreign.adopt(self)) {
            return Err(LinkError::NotLocal);
        }
        let mut slot = child.supervisor();
        if child.word().status() >= Status::Stopping {
            return Ok(());
        }
        let former = slot.replace(supervisor.clone()).filter(|former| former != supervisor);
        let former = self.leave_local(former);
        drop(slot);
        if let Some(former) = former {
            former.forget_child(self);
        }
        // Nobody over there could start it again.
        self.release();
        Ok(())
    }

    /// Takes this actor from a supervisor, and [releases](Self::release) it: nobody would
    /// restart it. Does nothing if it has another supervisor.
    pub fn unlink(&self, supervisor: &ActorCell) {
        let Some(child) = self.as_local() else { return self.unlink_from_afar(supervisor) };
        let mut slot = child.supervisor();
        if slot.as_ref() == Some(supervisor) {
            let former = slot.take();
            let former = self.leave_local(former);
            drop(slot);
            if let Some(former) = former {
                former.forget_child(self);
            }
            self.release();
        }
    }

    fn unlink_from_afar(&self, supervisor: &ActorCell) {
        let Some(parent) = supervisor.as_local() else { return };
        let child = parent.side().children.remove(&self.id());
        if let Some(foreign) = child.as_ref().and_then(|child| child.as_foreign()) {
            foreign.unlink(supervisor.id(), Unlink::Released);
        }
    }

    /// The supervisor, if there is one. What is over one in another process is not known here.
    pub fn supervisor(&self) -> Option<ActorCell> {
        self.as_local()?.known_supervisor()?.clone()
    }

    /// The actors this one supervises, oldest first.
    pub fn children(&self) -> Vec<ActorCell> {
        let side = self.as_local().and_then(Local::known_side);
        side.map_or_else(Vec::new, |side| side.children.values().cloned().collect())
    }

    /// Ends the actor for good and says how its last life ended: by a stop or a drain, and
    /// by a kill if that takes too long. Unlike a stop, it is not restarted.
    ///
    /// Of an actor in another process it gives up waiting
    /// [in time](crate::limits::FOREIGN_KILL_TIMEOUT), and says [`Exit::Unreachable`].
    ///
    /// Dropping the future changes nothing that was asked already. One of the actor's own hooks
    /// that awaits it ends there, by the kill.
    pub async fn shut_down(&self, shutdown: Shutdown) -> Exit {
        self.release();
        let within = self.ask_to_end(shutdown);
        if !self.is_local() {
            // Whoever is asked over there may not do it, and say nothing.
            let within = within.unwrap_or(FOREIGN_KILL_TIMEOUT);
            return match self.wait_anywhere(Some(within)).await {
                Ok(exit) => exit,
                Err(_) => self.kill_and_wait(Some(FOREIGN_KILL_TIMEOUT)).await.unwrap_or(Exit::Unreachable),
            };
        }
        match self.wait_anywhere(within).await {
            Ok(exit) => exit,
            // Without a limit there is no other error than being late.
            Err(_) => self.kill_and_wait(None).await.unwrap_or(Exit::Killed),
        }
    }

    /// Ends the children for good, one after another, the last one first, each as
    /// [`shut_down`](Self::shut_down) does. For `post_stop`: without it they are killed
    /// when it has ended.
    pub async fn shut_down_children(&self, shutdown: Shutdown) {
        for child in self.children().iter().rev() {
            child.shut_down(shutdown).await;
        }
    }

    /// Asks the actor to end the life it is in, and says how long it may take. One whose
    /// life has ended already is asked nothing, unless it is not to live again: it would be
    /// the next that ends.
    pub(crate) fn ask_to_end(&self, shutdown: Shutdown) -> Option<Duration> {
        let (request, within) = match shutdown {
            Shutdown::Kill => (Flag::Kill, None),
            Shutdown::Stop(within) => (Flag::Stop, Some(within)),
            Shutdown::Drain(within) => (Flag::Drain, Some(within)),
        };
        match (self.as_local(), shutdown) {
            (Some(local), _) => local.end_life(request, Some(SHUT_DOWN)),
            (None, Shutdown::Kill) => self.kill(),
            (None, Shutdown::Stop(_)) => self.stop(Some(SHUT_DOWN)),
            (None, Shutdown::Drain(_)) => self.drain(),
        }
        within
    }

    /// The child that this supervisor calls so; if there is none, the one that holds this
    /// name.
    pub fn child(&self, id: &str) -> Option<ActorCell> {
        let side = self.as_local().and_then(Local::known_side)?;
        let is_called = |child: &&ActorCell| child.as_local().and_then(Local::child_id) == Some(id);
        let is_named = |child: &&ActorCell| child.name() == Some(id);
        let found = side.children.values().find(is_called).or_else(|| side.children.values().find(is_named));
        found.cloned()
    }

    /// Sends this actor [`SupervisionEvent::Down`] once, when `target` ends, or
    /// at once if it has ended. Neither actor's life depends on the other.
    pub fn watch(&self, target: &ActorCell) -> WatchId {
        let life = self.as_local().map_or(0, Local::life);
        target.watch_with(Arc::new(Watcher { watcher: self.downgrade(), life, target: target.clone() }))
    }

    /// Lets this actor live again after its life has ended and its supervisor was told
    /// by [`SupervisionEvent::Suspended`]. Does nothing to an actor that is not suspended.
    ///
    /// It keeps its address, id, name, groups and the messages it has accepted.
    pub fn restart(&self) {
        if let Some(local) = self.as_local() {
            local.restart();
        }
    }

    /// Lets this actor end for good when its life ends, and at once if it is suspended.
    /// Does nothing to an actor that could not be restarted anyway.
    pub fn release(&self) {
        if let Some(local) = self.as_local() {
            local.release();
        }
    }

    /// Kills the children, lets them go, and says who they were. No child is added
    /// afterwards.
    pub(crate) fn abandon_children(&self) -> Vec<ActorCell> {
        // An actor that has begun to stop takes no child, so there is none to come.
        let children = {
            let Some(mut side) = self.as_local().and_then(Local::known_side) else { return Vec::new() };
            side.is_childless = true;
            std::mem::take(&mut side.children)
        };
        for child in children.values() {
            if let Some(foreign) = child.as_foreign() {
                foreign.unlink(self.id(), Unlink::SupervisorEnded);
                continue;
            }
            child.release();
            child.kill();
            if let Some(local) = child.as_local() {
                let mut slot = local.supervisor();
                if slot.as_ref() == Some(self) {
                    *slot = None;
                }
            }
        }
        children.into_values().collect()
    }

    /// Tells the supervisor about this actor; `false` if there is none.
    pub(crate) fn tell_supervisor(&self, event: impl FnOnce(ActorCell) -> SupervisionEvent) -> bool {
        let slot = self.as_local().and_then(|local| Some((local, local.known_supervisor()?)));
        let Some((local, slot)) = slot else { return false };
        let Some(supervisor) = slot.clone() else { return false };
        let event = event(self.clone());
        if let SupervisionEvent::Suspended { exit, .. } = &event {
            local.begin_deciding(exit.clone());
        }
        drop(slot);
        supervisor.post(event);
        true
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
        match self.as_foreign() {
            None => self.drop_child(child.id()),
            Some(foreign) => foreign.disown(child.id()),
        }
    }

    /// What is forgotten is dropped outside the lock.
    fn drop_child(&self, child: ActorId) {
        let Some(local) = self.as_local() else { return };
        let forgotten = local.side().children.remove(&child);
        drop(forgotten);
    }

    /// Whether an actor is among the children, or was to its end, of which this one has not heard
    /// yet.
    pub(crate) fn has_child(&self, child: &ActorCell) -> bool {
        let Some(side) = self.as_local().and_then(Local::known_side) else { return false };
        side.children.contains_key(&child.id()) || side.has_news_of(child)
    }

    fn post(&self, event: SupervisionEvent) {
        if let Some(local) = self.as_local() {
            local.post(event);
        }
    }
}

/// A supervisor of an actor in another process.
struct Linked {
    supervisor: WeakActorCell,
    /// In which of its lives it was linked. That life's end ends the child.
    life: u64,
}

impl Linked {
    /// Takes the child from its supervisor, if it is still there.
    fn part(&self, actor: ActorId) -> Option<(ActorCell, ActorCell)> {
        let supervisor = self.supervisor.upgrade()?;
        let child = {
            let local = supervisor.as_local()?;
            let mut side = local.known_side()?;
            // Under the lock, which the end of a life takes too.
            if local.life() == self.life { side.children.remove(&actor)? } else { return None }
        };
        Some((supervisor, child))
    }
}

impl ExitListener for Linked {
    fn on_exit(&self, actor: ActorId, exit: &Exit) {
        let Some((supervisor, actor)) = self.part(actor) else { return };
        let exit = exit.clone();
        let event = if exit.is_failure() {
            SupervisionEvent::Failed { actor, exit }
        } else {
            SupervisionEvent::Terminated { actor, exit, state: None }
        };
        if let Some(local) = supervisor.as_local() {
            local.put(self.life, event);
            local.wake();
        }
    }

    fn on_unlinked(&self, actor: ActorId) {
        drop(self.part(actor));
    }
}

/// An actor that watches another.
struct Watcher {
    /// Weak, so that a long life does not keep everybody in memory who ever
    /// watched it.
    watcher: WeakActorCell,
    /// In which of its lives it began to watch. A later one knows nothing of it.
    life: u64,
    target: ActorCell,
}

impl Watcher {
    fn current(&self) -> Option<ActorCell> {
        let watcher = self.watcher.upgrade()?;
        let is_current = watcher.as_local().is_none_or(|local| local.life() == self.life);
        (is_current && watcher.status() != Status::Stopped).then_some(watcher)
    }
}

impl ExitListener for Watcher {
    fn on_exit(&self, _: ActorId, exit: &Exit) {
        let watcher = self.current();
        if let Some(local) = watcher.as_ref().and_then(|watcher| watcher.as_local()) {
            local.put(self.life, SupervisionEvent::Down { actor: self.target.clone(), exit: exit.clone() });
            local.wake();
        }
    }

    fn is_gone(&self) -> bool {
        self.current().is_none()
    }
}
