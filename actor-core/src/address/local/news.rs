//! Who is told of what: events that come, watchers, those who wait.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Local, Side};
use crate::address::ActorCell;
use crate::address::control::{ExitListener, WatchId};
use crate::contain::contained;
use crate::event::SupervisionEvent;
use crate::exit::Exit;
use crate::id::ActorId;
use crate::lifecycle::{Flag, Status, Word};
use crate::sync::{MutexGuard, Ordering};

impl Side {
    /// Whether an event about an actor waits to be heard.
    pub(crate) fn has_news_of(&self, actor: &ActorCell) -> bool {
        self.events.iter().any(|event| event.actor() == Some(actor))
    }

    /// Watchers that are gone must not pile up while the actor lives: looked for
    /// whenever the list would have to grow.
    fn take_gone_watchers(&mut self) -> Vec<(WatchId, Arc<dyn ExitListener>)> {
        if self.watchers.len() < self.watchers.capacity() {
            return Vec::new();
        }
        let watchers = std::mem::take(&mut self.watchers);
        // One that panics is still told of the end.
        let (gone, here) = watchers.into_iter().partition(|(_, listener)| {
            let mut is_gone = false;
            contained("an exit listener", || is_gone = listener.is_gone());
            is_gone
        });
        self.watchers = here;
        gone
    }

    /// As [`take_gone_watchers`](Self::take_gone_watchers), of those who wait.
    fn take_gone_waiters(&mut self) -> Vec<oneshot::Sender<Exit>> {
        if self.waiters.len() < self.waiters.capacity() {
            return Vec::new();
        }
        let waiters = std::mem::take(&mut self.waiters);
        let (gone, here) = waiters.into_iter().partition(oneshot::Sender::is_closed);
        self.waiters = here;
        gone
    }
}

impl Local<'_> {
    /// Posts an event. It reaches a handler unless the life ends first.
    pub(crate) fn post(self, event: SupervisionEvent) {
        let side = self.side();
        self.put_before(side, event);
        self.wake();
    }

    /// Puts an event where it will be found once the actor is [woken](Self::wake), if it is
    /// still in this life.
    pub(crate) fn put(self, life: u64, event: SupervisionEvent) {
        let side = self.side();
        // Under the lock, which the end of a life takes too.
        if self.life() == life {
            self.put_before(side, event);
        } else {
            // The event, which may hold the last address of an actor, is dropped after it.
            drop(side);
        }
    }

    fn put_before(self, mut side: MutexGuard<'_, Side>, event: SupervisionEvent) {
        if self.exit(&side).is_some() {
            drop(side);
            return;
        }
        side.events.push_back(event);
        self.raise(Flag::Supervision);
    }

    /// The oldest event; clears the flag with the last one.
    pub(crate) fn take_event(self) -> Option<SupervisionEvent> {
        let mut side = self.side();
        let event = side.events.pop_front();
        if side.events.is_empty() {
            // Under the lock, so that no event posted meanwhile loses its flag.
            self.state.word.fetch_and(!(Flag::Supervision as u32), Ordering::AcqRel);
        }
        event
    }

    /// Tells the watchers how it ended. Those who come later are told at once.
    pub(crate) fn publish_exit(self, id: ActorId, exit: &Exit) {
        let word = match exit.plain() {
            Some(ending) => Word::from_bits(self.state.word.fetch_or(ending as u32, Ordering::AcqRel)),
            None => self.word(),
        };
        if !word.has(Flag::Attended) && exit.plain().is_some() {
            return;
        }
        let mut side = self.side();
        side.exit = Some(exit.clone());
        let watchers = std::mem::take(&mut side.watchers);
        let events = std::mem::take(&mut side.events);
        let on_drain = side.on_drain.take();
        drop(side);
        // Dropped outside the lock: an event may hold the last address of an actor.
        drop((events, on_drain));
        for (_, listener) in watchers {
            contained("an exit listener", move || listener.on_exit(id, exit));
        }
    }

    /// The last step of a life: the phase, then everybody who waits.
    pub(crate) fn publish_stopped(self) {
        let former = self.advance(Status::Stopped);
        if !former.is_some_and(|word| word.has(Flag::Attended)) {
            return;
        }
        let mut side = self.side();
        let waiters = std::mem::take(&mut side.waiters);
        let exit = self.exit(&side);
        drop(side);
        for waiter in waiters {
            drop(waiter.send(exit.clone().unwrap_or(Exit::Cancelled)));
        }
    }

    pub(in crate::address) fn watch(self, id: ActorId, listener: Arc<dyn ExitListener>) -> WatchId {
        let mut side = self.side();
        side.watches_made += 1;
        let watch = WatchId::new(side.watches_made);
        match self.exit(&side) {
            None => {
                let gone = side.take_gone_watchers();
                side.watchers.push((watch, listener));
                drop(side);
                // Dropped outside the lock: a destructor may speak to this very actor.
                drop(gone);
            }
            Some(exit) => {
                drop(side);
                contained("an exit listener", move || listener.on_exit(id, &exit));
            }
        }
        watch
    }

    pub(in crate::address) fn unwatch(self, watch: WatchId) {
        let Some(mut side) = self.known_side() else { return };
        let index = side.watchers.iter().position(|(id, _)| *id == watch);
        let ended = index.map(|index| side.watchers.remove(index));
        drop(side);
        // Dropped outside the lock: its destructor may speak to this very actor.
        drop(ended);
    }

    pub(in crate::address) fn wait(self, waiter: oneshot::Sender<Exit>) {
        let mut side = self.side();
        if self.word().status() == Status::Stopped {
            drop(waiter.send(self.exit(&side).unwrap_or(Exit::Cancelled)));
            return;
        }
        // Waiters that gave up must not pile up while the actor lives.
        let gone = side.take_gone_waiters();
        side.waiters.push(waiter);
        drop(side);
        // Dropped outside the lock: each holds a waker, whose destructor may come back here.
        drop(gone);
    }
}
