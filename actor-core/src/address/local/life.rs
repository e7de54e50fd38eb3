//! What belongs to one life of an actor: what is attached to it, and how it ends and another
//! begins.

use super::Local;
use crate::attached::AttachmentId;
use crate::executor::TaskHandle;
use crate::exit::Exit;
use crate::lifecycle::{Flag, Status, Word};
use crate::sync::{LockExt, Ordering};

impl Local<'_> {
    /// Makes a place for a task that shares this life; `None` if the life is over.
    pub(crate) fn reserve_attachment(self) -> Option<AttachmentId> {
        let mut side = self.side();
        // The end takes all tasks under this lock after it has changed the word.
        (self.word().status() < Status::Stopping).then(|| side.attached.reserve())
    }

    /// Gives the task back if its place is gone.
    pub(crate) fn hold_attachment(self, id: AttachmentId, task: TaskHandle) -> Option<TaskHandle> {
        self.side().attached.hold(id, task)
    }

    pub(crate) fn is_attached(self, id: AttachmentId) -> bool {
        self.known_side().is_some_and(|side| side.attached.holds(id))
    }

    /// A task is over.
    pub(crate) fn forget_attachment(self, id: AttachmentId) {
        let forgotten = self.known_side().and_then(|mut side| side.attached.remove(id));
        drop(forgotten);
    }

    /// Ends a task.
    pub(crate) fn detach(self, id: AttachmentId) {
        let ended = self.known_side().and_then(|mut side| side.attached.remove(id));
        if let Some(task) = ended {
            task.abort();
        }
    }

    /// Ends all tasks that shared the life.
    pub(crate) fn detach_all(self) {
        let ended = self.known_side().map(|mut side| side.attached.take());
        for task in ended.into_iter().flatten() {
            task.abort();
        }
    }

    /// Ends the actor at its next await point, as failed like this task; the first failure
    /// counts. One that was cancelled, or whose life has ended, fails nobody.
    pub(crate) fn fail(self, id: AttachmentId, exit: Exit) {
        let mut side = self.side();
        if !side.attached.holds(id) {
            return;
        }
        if side.failure.is_none() {
            side.failure = Some(exit);
        }
        // Under the lock, which the end of the life takes too.
        self.raise(Flag::Kill);
        drop(side);
        self.wake();
    }

    /// Why the life was ended, if it was by [`fail`](Self::fail).
    pub(crate) fn take_failure(self) -> Option<Exit> {
        self.known_side()?.failure.take()
    }

    /// Which life this is, counted from zero.
    pub(crate) fn life(self) -> u64 {
        // Acquire: with the store in `suspend`.
        self.state.attendance.get().map_or(0, |attendance| attendance.life.load(Ordering::Acquire))
    }

    /// A life has ended and another may follow, unless this says `false`. Tells those who
    /// wait for the end of a life; events and requests that were meant for it are dropped.
    ///
    /// `reopen` lets messages in again, if the life was drained.
    pub(crate) fn suspend(self, exit: &Exit, reopen: impl FnOnce()) -> bool {
        let attendance = self.state.attendance();
        let mut side = attendance.side.locked();
        // Under the lock, which whoever gives a reason or posts an event takes too.
        let step = |bits| Word::from_bits(bits).suspended().map(Word::bits);
        if self.state.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, step).is_err() {
            return false;
        }
        self.state.word.fetch_and(!(Flag::Supervision as u32), Ordering::AcqRel);
        // Under the lock, which whoever drains takes too: the flag and the closed mailbox are
        // of one life.
        reopen();
        attendance.life.fetch_add(1, Ordering::AcqRel);
        let reason = side.stop_reason.take();
        let events = std::mem::take(&mut side.events);
        let waiters = std::mem::take(&mut side.waiters);
        // What was attached, or failed, when the rest of the life was gone already.
        let attached = side.attached.take();
        let on_drain = side.on_drain.take();
        side.failure = None;
        side.suspension = None;
        drop(side);
        // Dropped outside the lock: an event may hold the last address of an actor.
        drop((reason, events, on_drain));
        for task in attached {
            task.abort();
        }
        for waiter in waiters {
            drop(waiter.send(exit.clone()));
        }
        true
    }

    /// The supervisor is being told how a life ended. Said while its place is locked.
    pub(crate) fn begin_deciding(self, exit: Exit) {
        self.side().suspension = Some(exit);
    }

    /// How the last life ended, if a supervisor was told and has not decided yet.
    pub(crate) fn undecided(self) -> Option<Exit> {
        let side = self.known_side()?;
        let word = self.word();
        let is_open = word.status() == Status::Suspended && word.verdict().is_none();
        side.suspension.clone().filter(|_| is_open)
    }

    /// Asks a suspended actor to live again.
    pub(crate) fn restart(self) {
        if self.word().status() == Status::Suspended {
            self.request(Flag::Restart);
        }
    }

    /// Lets no other life follow.
    pub(crate) fn release(self) {
        if self.word().may_live_again() {
            self.request(Flag::Released);
        }
    }

    /// Asks the life that the actor is in, or that was granted to it, to end, as a stop, a
    /// drain or a kill does. Asks nothing while it is suspended: whoever means the life that
    /// has ended must not end the next.
    pub(crate) fn end_life(self, flag: Flag, reason: Option<&str>) {
        let side = self.side();
        // Under the lock, which the end of a life takes too.
        let word = self.word();
        if word.status() != Status::Suspended || word.verdict().is_some() {
            self.ask_to_end(side, flag, reason);
        }
    }

    /// Asks this life to end, as a stop, a drain or a kill does, and no later one.
    pub(crate) fn end_this_life(self, life: u64, flag: Flag, reason: Option<&str>) {
        let side = self.side();
        // Under the lock, which the end of a life takes too.
        if self.life() == life {
            self.ask_to_end(side, flag, reason);
        }
    }

    /// A new life may have children.
    pub(crate) fn admit_children(self) {
        if let Some(mut side) = self.known_side() {
            side.is_childless = false;
        }
    }
}
