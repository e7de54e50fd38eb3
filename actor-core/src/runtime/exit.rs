//! The end of a life, in one order whatever ended it: names freed, children
//! killed, watchers and supervisor told, stopped, waiters woken.

use crate::address::{ActorCell, ActorRef, Local};
use crate::event::{BoxedState, SupervisionEvent};
use crate::exit::Exit;
use crate::lifecycle::{Flag, Status};
use crate::system::ActorSystem;

/// Owns an actor's duties to the rest of the world. Dropped without
/// [`finish`](Self::finish), because the task or the spawn was dropped, it
/// fulfils them as a cancellation.
pub(super) struct ExitGuard<M: Send + 'static> {
    myself: ActorRef<M>,
    /// Taken when the duties are fulfilled.
    system: Option<ActorSystem>,
}

impl<M: Send + 'static> ExitGuard<M> {
    pub(super) fn new(myself: ActorRef<M>, system: ActorSystem) -> Self {
        Self { myself, system: Some(system) }
    }

    pub(super) fn myself(&self) -> &ActorRef<M> {
        &self.myself
    }

    pub(super) fn system(&self) -> &ActorSystem {
        self.system.as_ref().expect("an actor that has not finished has a system")
    }

    pub(super) fn control(&self) -> Local<'_> {
        self.myself.as_local().expect("an actor that runs in this process is local")
    }

    /// Tells the supervisor about this actor, if there is one.
    pub(super) fn tell_supervisor(&self, event: impl FnOnce(ActorCell) -> SupervisionEvent) {
        if self.control().word().has(Flag::Attended) {
            self.myself.cell().tell_supervisor(event);
        }
    }

    pub(super) fn has_supervisor(&self) -> bool {
        self.control().word().has(Flag::Attended) && self.myself.cell().supervisor().is_some()
    }

    /// Enters the stopping phase: the mailbox accepts no more, name and groups
    /// are free. Only the first call does anything.
    pub(super) fn begin_stopping(&self) {
        let Some(former) = self.control().advance(Status::Stopping) else { return };
        self.control().close();
        if let Some(name) = self.myself.name() {
            self.system().registry().release(name, &self.myself.cell());
        }
        if former.has(Flag::Grouped) {
            self.system().groups().leave_all(&self.myself.cell());
        }
    }

    /// Tells everybody. The actor, its state and its mailbox are dropped by now.
    pub(super) fn finish(mut self, exit: &Exit, state: Option<BoxedState>) {
        self.end(exit, state);
    }

    fn end(&mut self, exit: &Exit, state: Option<BoxedState>) {
        self.begin_stopping();
        self.system = None;
        let cell = self.myself.cell();
        cell.abandon_children();
        if exit.is_failure() {
            tracing::warn!(actor = %cell.id(), name = cell.name(), %exit, "actor failed");
        }
        self.control().publish_exit(cell.id(), exit);
        cell.leave_supervisor(|actor| {
            let exit = exit.clone();
            if exit.is_failure() {
                SupervisionEvent::Failed { actor, exit }
            } else {
                SupervisionEvent::Terminated { actor, exit, state }
            }
        });
        self.control().publish_stopped();
    }
}

impl<M: Send + 'static> Drop for ExitGuard<M> {
    fn drop(&mut self) {
        if self.system.is_some() {
            self.end(&Exit::Cancelled, None);
        }
    }
}
