//! The end of a life, in one order whatever ended it: names freed, children
//! killed, watchers and supervisor told, stopped, waiters woken.

use super::boundary::current_system;
use crate::address::{ActorCell, ActorRef, Local};
use crate::event::{BoxedState, SupervisionEvent};
use crate::exit::Exit;
use crate::lifecycle::{Flag, Status};
use crate::observe::ActorChange;
use crate::system::ActorSystem;

/// Owns an actor's duties to the rest of the world. Dropped without
/// [`finish`](Self::finish), because the task or the spawn was dropped, it
/// fulfils them as a cancellation.
///
/// It lives and is dropped within its system, see `boundary.rs`: it has none of its
/// own, so that an actor's life counts one reference to it.
pub(super) struct ExitGuard<M: Send + 'static> {
    /// Taken when the duties are fulfilled.
    myself: Option<ActorRef<M>>,
}

impl<M: Send + 'static> ExitGuard<M> {
    pub(super) fn new(myself: ActorRef<M>) -> Self {
        Self { myself: Some(myself) }
    }

    #[inline]
    pub(super) fn myself(&self) -> &ActorRef<M> {
        self.myself.as_ref().expect("the duties are not fulfilled yet")
    }

    pub(super) fn control(&self) -> Local<'_> {
        local(self.myself())
    }

    /// Tells the supervisor about this actor, if there is one.
    pub(super) fn tell_supervisor(&self, event: impl FnOnce(ActorCell) -> SupervisionEvent) {
        if self.control().word().has(Flag::Attended) {
            self.myself().cell().tell_supervisor(event);
        }
    }

    /// Ends what shared the life: attached tasks, and children, of which it says who they
    /// were.
    pub(super) fn end_company(&self) -> Vec<ActorCell> {
        self.control().detach_all();
        self.myself().cell().abandon_children()
    }

    pub(super) fn has_supervisor(&self) -> bool {
        self.control().word().has(Flag::Attended) && self.myself().cell().supervisor().is_some()
    }

    /// Enters the stopping phase: the mailbox accepts no more, name and groups
    /// are free. Only the first call does anything.
    pub(super) fn begin_stopping(&self) {
        begin_stopping(self.myself());
    }

    /// [`begin_stopping`](Self::begin_stopping), or what of it ends with the life if
    /// another may follow.
    pub(super) fn begin_ending(&self) {
        if self.control().word().may_live_again() {
            self.control().detach_all();
        } else {
            self.begin_stopping();
        }
    }

    /// Tells the observer about this actor, if there is one.
    pub(super) fn observe(&self, change: impl FnOnce() -> ActorChange) {
        if self.control().word().has(Flag::Observed) {
            observe(self.myself(), change);
        }
    }

    /// The message in hand is done with; it matters only to the observer.
    #[cold]
    pub(super) fn end_message(&self, has_ended: bool) {
        if let Some(observation) = self.myself().observation() {
            observation.end_message::<M>(has_ended);
        }
    }

    /// What comes now has nothing to do with the message in hand, if there is one: its span
    /// is left.
    #[cold]
    pub(super) fn leave_message(&self) {
        if let Some(in_hand) = self.myself().in_hand() {
            in_hand.end();
        }
    }

    /// How a life ended that ended like this as far as its hooks know.
    pub(super) fn explain(&self, exit: Exit) -> Exit {
        if self.control().word().has_any(Flag::FOLLOWED) {
            self.end_message(false);
            self.leave_message();
        }
        let is_known = exit != Exit::Killed || !self.control().word().has(Flag::Attended);
        if is_known { exit } else { self.control().take_failure().unwrap_or(exit) }
    }

    /// Tells everybody. The actor, its state and its mailbox are dropped by now.
    pub(super) fn finish(mut self, exit: &Exit, state: Option<BoxedState>) {
        if let Some(myself) = self.myself.take() {
            end(&myself, exit, state);
        }
    }
}

impl<M: Send + 'static> Drop for ExitGuard<M> {
    fn drop(&mut self) {
        if let Some(myself) = self.myself.take() {
            end(&myself, &Exit::Cancelled, None);
        }
    }
}

fn begin_stopping<M: Send + 'static>(myself: &ActorRef<M>) {
    let Some(former) = local(myself).advance(Status::Stopping) else { return };
    local(myself).close();
    if former.has(Flag::Attended) {
        local(myself).detach_all();
    }
    let name = myself.name();
    if name.is_none() && !former.has(Flag::Grouped) {
        return;
    }
    let system = home();
    if let Some(name) = name {
        system.registry().release(name, &myself.cell());
    }
    if former.has(Flag::Grouped) {
        system.groups().leave_all(&myself.cell());
    }
}

fn end<M: Send + 'static>(myself: &ActorRef<M>, exit: &Exit, state: Option<BoxedState>) {
    begin_stopping(myself);
    let is_attended = local(myself).word().has(Flag::Attended);
    if is_attended {
        drop(myself.cell().abandon_children());
    }
    if exit.is_failure() {
        tracing::warn!(actor = %myself.id(), name = myself.name(), %exit, "actor failed");
    }
    if local(myself).word().has(Flag::Observed) {
        observe(myself, || ActorChange::Ended(exit.clone()));
    }
    let system = local(myself).word().has(Flag::Counted).then(home);
    if let Some(system) = &system {
        system.vacate();
    }
    local(myself).publish_exit(myself.id(), exit);
    if is_attended {
        myself.cell().leave_supervisor(|actor| {
            let exit = exit.clone();
            if local(myself).word().has(Flag::Escalated) {
                SupervisionEvent::Escalated { actor, exit }
            } else if exit.is_failure() {
                SupervisionEvent::Failed { actor, exit }
            } else {
                SupervisionEvent::Terminated { actor, exit, state }
            }
        });
    }
    if let Some(system) = system {
        system.dismiss(myself.id());
    }
    local(myself).publish_stopped();
}

/// The system of the actor whose end this is.
fn home() -> ActorSystem {
    current_system().expect("the guard lives within its system")
}

#[cold]
fn observe<M: Send + 'static>(myself: &ActorRef<M>, change: impl FnOnce() -> ActorChange) {
    if let Some(observation) = myself.observation() {
        observation.actor(change());
    }
}

fn local<M: Send + 'static>(myself: &ActorRef<M>) -> Local<'_> {
    myself.as_local().expect("an actor that runs in this process is local")
}
