//! An inbox that sorts, at work: it takes in what there is, and gives what is due.

use std::convert::Infallible;
use std::panic::resume_unwind;

use super::lanes::Lanes;
use super::policy::{Priority, Sorting};
use super::queue::{Taken, Whole};
use super::{Inbox, Owner};
use crate::contain::{caught, contained};
use crate::limits::SORTED_AT_ONCE_MAX;
use crate::reply::Unhandled;
use crate::sync::{LockExt, Ordering};
use crate::time::Instant;

/// The lanes of an inbox while it works with them: outside their lock, since it runs the
/// user's code; they are put back whatever that does.
pub(super) struct Sorted<'a, M, C: Owner<M>> {
    inbox: &'a mut Inbox<M, C>,
    lanes: Lanes<M>,
}

impl<'a, M, C: Owner<M>> Sorted<'a, M, C> {
    pub(super) fn begin(inbox: &'a mut Inbox<M, C>) -> Self {
        let lanes = std::mem::take(&mut *inbox.mailbox().waiting.more().lanes.locked());
        Self { inbox, lanes }
    }

    /// Takes in what there is, and says why that was all.
    pub(super) fn take_in(&mut self, sorting: &Sorting<M>) -> Taken<Infallible> {
        for _ in 0..SORTED_AT_ONCE_MAX {
            let taken = match self.inbox.receiver.take() {
                Taken::Message(oldest) => oldest.take_whole_held(),
                Taken::Closed => return Taken::Closed,
                Taken::Empty => return Taken::Empty,
                Taken::Busy => return Taken::Busy,
            };
            let asked =
                caught(|| sorting.priority.map_or(Priority::Normal, |priority| priority(&taken.message)));
            match asked {
                Ok(priority) => self.lanes.push(priority, taken),
                Err(payload) => {
                    self.leave();
                    contained("a message's destructor", || drop(taken));
                    resume_unwind(payload);
                }
            }
        }
        Taken::Empty
    }

    /// The next message that has not expired.
    pub(super) fn next(&mut self, sorting: &Sorting<M>, now: impl Fn(&C) -> Instant) -> Option<Whole<M>> {
        loop {
            let next = self.lanes.pop(sorting.ageing)?;
            self.leave();
            let Some(expires_at) = sorting.expires_at else { return Some(next) };
            // Asked outside: whatever it does, the message's room has been given back.
            if expires_at(&next.message).is_none_or(|at| now(self.inbox.owner()) < at) {
                return Some(next);
            }
            let Whole { message, tag: _tag, unseen } = next;
            self.inbox.mailbox().waiting.more().expired.fetch_add(1, Ordering::Relaxed);
            self.inbox.mailbox().bury(message, Unhandled::Expired, unseen);
        }
    }

    /// Gives the place of a message back, or on.
    fn leave(&mut self) {
        if !self.inbox.mailbox().is_place_handed_on() {
            self.inbox.receiver.release();
        }
    }
}

impl<M, C: Owner<M>> Drop for Sorted<'_, M, C> {
    fn drop(&mut self) {
        let lanes = std::mem::take(&mut self.lanes);
        let former = std::mem::replace(&mut *self.inbox.mailbox().waiting.more().lanes.locked(), lanes);
        debug_assert!(former.is_empty(), "there is one receiver");
    }
}
