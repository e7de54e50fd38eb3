//! The end of a life, in one order whatever ended it: names freed, children
//! killed, watchers and supervisor told, stopped, waiters woken.

use crate::address::{ActorCell, LocalControl};
use crate::event::{BoxedState, SupervisionEvent};
use crate::exit::Exit;
use crate::lifecycle::{Flag, Status};
use crate::system::ActorSystem;

/// Owns an actor's duties to the rest of the world. Dropped without
/// [`finish`](Self::finish), because the task or the spawn was dropped, it
/// fulfils them as a cancellation.
pub(super) struct ExitGuard {
    cell: ActorCell,
    system: ActorSystem,
    is_finished: bool,
}

impl ExitGuard {
    pub(super) fn new(cell: ActorCell, system: ActorSystem) -> Self {
        Self { cell, system, is_finished: false }
    }

    pub(super) fn cell(&self) -> &ActorCell {
        &self.cell
    }

    /// Enters the stopping phase: the mailbox accepts no more, name and groups
    /// are free. Only the first call does anything.
    pub(super) fn begin_stopping(&self) {
        let Some(former) = self.control().advance(Status::Stopping) else { return };
        if let Some(name) = self.cell.name() {
            self.system.registry().release(name, &self.cell);
        }
        if former.has(Flag::Grouped) {
            self.system.groups().leave_all(&self.cell);
        }
    }

    /// Tells everybody. The actor, its state and its mailbox are dropped by now.
    pub(super) fn finish(mut self, exit: &Exit, state: Option<BoxedState>) {
        self.end(exit, state);
    }

    fn end(&mut self, exit: &Exit, state: Option<BoxedState>) {
        self.is_finished = true;
        self.begin_stopping();
        self.cell.abandon_children();
        if exit.is_failure() {
            tracing::warn!(actor = %self.cell.id(), name = self.cell.name(), %exit, "actor failed");
        }
        self.control().publish_exit(self.cell.id(), exit);
        self.cell.leave_supervisor(|actor| {
            let exit = exit.clone();
            if exit.is_failure() {
                SupervisionEvent::Failed { actor, exit }
            } else {
                SupervisionEvent::Terminated { actor, exit, state }
            }
        });
        self.control().publish_stopped();
    }

    fn control(&self) -> &LocalControl {
        local(&self.cell)
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        if !self.is_finished {
            self.end(&Exit::Cancelled, None);
        }
    }
}

/// The controls of an actor that runs here.
pub(super) fn local(cell: &ActorCell) -> &LocalControl {
    cell.as_local().expect("an actor that runs in this process is local")
}
