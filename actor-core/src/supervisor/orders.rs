//! A supervisor does what its roster says.

use std::sync::Arc;

use super::actor::{Request, SupervisorMessage, SupervisorState};
use super::family::answer_all;
use super::reference::SupervisorError;
use crate::address::{ActorCell, Local};
use crate::exit::{ActorError, Exit};
use crate::lifecycle::Status;
use crate::observe::{self, Event, SupervisorDecision, SupervisorEvent};
use crate::supervise::{ChildKey, Order, Shutdown};

/// Why a supervisor fails.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("too many restarts; the last to fail was {0:?}: {1}")]
    TooMany(Arc<str>, Exit),
    #[error("escalated by {0:?}: {1}")]
    Escalated(Arc<str>, Exit),
}

impl SupervisorState {
    /// Does what the roster says, until it has nothing more to say for now.
    pub(super) async fn carry_out(&mut self) -> Result<(), ActorError> {
        while let Some(order) = self.roster.poll_order() {
            if let Order::Start(key) | Order::Halt(key, _) | Order::Kill(key) | Order::Release(key) = order
                && self.is_taken(key)
            {
                self.lose(key);
                continue;
            }
            self.tell(&order);
            match order {
                Order::Start(key) => self.start(key),
                Order::Halt(key, shutdown) => {
                    if let Some(cell) = self.cell(key) {
                        cell.ask_to_end(shutdown);
                    }
                }
                Order::Kill(key) => {
                    if let Some(cell) = self.cell(key) {
                        cell.ask_to_end(Shutdown::Kill);
                    }
                }
                Order::Release(key) => self.release(key),
                Order::Escalate(key, exit) => {
                    self.end_all().await;
                    return Err(Failure::TooMany(self.id_of(key), exit).into());
                }
                Order::Follow(key, exit) => {
                    self.end_all().await;
                    return Err(Failure::Escalated(self.id_of(key), exit).into());
                }
            }
        }
        self.set_timer();
        Ok(())
    }

    /// Tells the observer what was decided.
    fn tell(&self, order: &Order) {
        let Some(observer) = self.system.observer() else { return };
        let (key, decision) = match order {
            Order::Start(key) => (key, SupervisorDecision::Restart),
            Order::Halt(key, _) => (key, SupervisorDecision::Halt),
            Order::Kill(key) => (key, SupervisorDecision::Kill),
            Order::Release(key) => (key, SupervisorDecision::Release),
            Order::Escalate(key, _) | Order::Follow(key, _) => (key, SupervisorDecision::Escalate),
        };
        let (supervisor, child) = (self.myself.id(), self.id_of(*key));
        observe::tell(observer, &Event::Supervisor(SupervisorEvent { supervisor, child, decision }));
    }

    fn id_of(&self, key: ChildKey) -> Arc<str> {
        self.family.get(key).map(|child| child.spec.id.clone()).unwrap_or_default()
    }

    pub(super) fn cell(&self, key: ChildKey) -> Option<&ActorCell> {
        self.family.cell(key)
    }

    /// Whether somebody has unlinked a child, or put it under another supervisor: then
    /// nothing of its lives is heard any more.
    fn is_taken(&self, key: ChildKey) -> bool {
        let taken = |cell: &ActorCell| {
            let myself = self.myself.cell();
            if !cell.is_local() {
                return !myself.has_child(cell);
            }
            cell.supervisor().as_ref() != Some(&myself) && cell.status() < Status::Stopping
        };
        self.cell(key).is_some_and(taken)
    }

    /// Forgets a child that was taken away.
    fn lose(&mut self, key: ChildKey) {
        let Some(child) = self.child(key) else { return };
        if let Some(checks) = child.checks.take() {
            checks.cancel();
        }
        for port in std::mem::take(&mut child.ending) {
            let error = SupervisorError::NoSuchChild(child.spec.id.clone());
            drop(port.send(Err(error)));
        }
        self.forget(key);
    }

    fn start(&mut self, key: ChildKey) {
        match self.cell(key) {
            Some(cell) => cell.restart(),
            // Its task is gone, and its address with it.
            None => self.launch(key, None),
        }
    }

    fn release(&mut self, key: ChildKey) {
        if let Some(cell) = self.cell(key) {
            // What comes of it is heard as its end for good. Somebody else may have started
            // it again meanwhile.
            cell.release();
            cell.ask_to_end(Shutdown::Kill);
            return;
        }
        // Nothing is left to end.
        if let Some(child) = self.child(key) {
            answer_all(std::mem::take(&mut child.ending), child.last_exit.as_ref());
        }
        if self.roster.look_up(key).is_none() {
            self.family.remove(key);
        }
    }

    fn set_timer(&mut self) {
        let next = self.roster.next_timeout();
        if next == self.timer.as_ref().map(|(at, _)| *at) {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            timer.cancel();
        }
        if let Some(at) = next {
            let sleep = self.executor.sleep_until(at);
            self.timer = Some((at, self.myself.pipe(sleep, |()| SupervisorMessage(Request::Tick))));
        }
    }

    /// Ends all children, the last first, each within its time.
    pub(super) async fn end_all(&mut self) {
        self.family.cancel_launches();
        // Some may have been launched, and the news of it not have come.
        let linked = self.myself.cell().children();
        for (key, shutdown) in self.roster.last_to_first() {
            let Some(cell) = self.cell_to_end(key, &linked) else { continue };
            cell.shut_down(shutdown).await;
            self.family.take_cell(key);
        }
    }

    /// The address of a child that is still this supervisor's, one of those that are linked
    /// to it.
    fn cell_to_end(&self, key: ChildKey, linked: &[ActorCell]) -> Option<ActorCell> {
        let id = &*self.family.get(key)?.spec.id;
        let is_launched = |cell: &&ActorCell| {
            self.family.is_launching(key) && cell.as_local().and_then(Local::child_id) == Some(id)
        };
        let cell = self.family.cell(key).or_else(|| linked.iter().find(is_launched));
        cell.filter(|_| !self.is_taken(key)).cloned()
    }
}
