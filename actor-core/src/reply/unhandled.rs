//! Messages that die before a handler has seen them. A caller whose port is in such a message
//! is told so: what never ran may be asked again.
//!
//! What is certain is so of the ports that lie in the message itself, and of those alone: its
//! destructor may drop anything that it refers to, a port of another call that a handler had
//! in hand among it. So the place of the message is noted, and each port that is dropped
//! meanwhile looks whether it lies there.
//!
//! Nor is it enough that it lies there: a handler may have put it into a message of its own,
//! to another actor or to itself. So a port knows for which queue its call was meant, and how
//! far that had come when the call began. No handler has seen it if its message dies in that
//! queue and none was handled that had come so late.

use std::cell::Cell;
use std::ops::Range;
use std::ptr;

use crate::error::{CallFailure, Rejection};
use crate::sync::own;

/// Why nobody handles a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unhandled {
    /// It had to make room, or there was none for it.
    Full,
    /// Its actor has ended.
    Stopped,
    /// Its time was over when its turn came.
    Expired,
}

impl Unhandled {
    fn failure(self) -> CallFailure {
        match self {
            Self::Full => CallFailure::Rejected(Rejection::Full),
            Self::Stopped => CallFailure::Rejected(Rejection::Stopped),
            Self::Expired => CallFailure::Expired,
        }
    }
}

/// A queue, and a position in it that comes before all that is meant: of a call's message
/// where it is going, of a message that dies those that nobody handled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    /// Its address, while somebody waits for the call; zero is no queue's.
    queue: usize,
    position: u64,
}

impl Bound {
    /// Nobody knows where it is going.
    pub(crate) const NOWHERE: Self = Self { queue: 0, position: 0 };

    pub(crate) fn new<Q>(queue: &Q, position: u64) -> Self {
        Self { queue: ptr::from_ref(queue).addr(), position }
    }

    /// Whether all that is meant by the other is meant by this. Positions may come around,
    /// but are never half a world apart.
    fn covers(self, other: Self) -> bool {
        let is_here = self.queue == other.queue && self.queue != 0;
        is_here && other.position.wrapping_sub(self.position) as i64 >= 0
    }
}

/// Where a message lies that is being dropped on this thread.
#[derive(Clone, Copy)]
struct Dying {
    from: usize,
    to: usize,
    why: Unhandled,
    /// What nobody has handled of the queue that it was in.
    unseen: Bound,
}

impl Dying {
    /// No port lies in no place.
    const NOTHING: Self = Self { from: 0, to: 0, why: Unhandled::Stopped, unseen: Bound::NOWHERE };
}

own! {
    static DYING: Cell<Dying> = Cell::new(Dying::NOTHING)
}

/// Drops a message that no handler has seen, nor any that came to the same queue after the
/// bound.
#[inline(never)]
pub(crate) fn drop_unhandled<M>(message: M, why: Unhandled, unseen: Bound) {
    // Before the message, so that it is dropped after it.
    let scope = Scope::begin();
    // Here it lies until it is dropped.
    let message = message;
    let place = std::slice::from_ref(&message).as_ptr_range();
    scope.cover(place.start.addr()..place.end.addr(), why, unseen);
}

/// The failure of a call whose port lies here and is dropped unanswered.
pub(super) fn failure_of_port_at(address: usize, bound: impl FnOnce() -> Bound) -> CallFailure {
    let Dying { from, to, why, unseen } = DYING.with(Cell::get);
    if (from..to).contains(&address) && unseen.covers(bound()) { why.failure() } else { CallFailure::NoReply }
}

/// Puts back what was there before when it is dropped.
struct Scope {
    former: Dying,
}

impl Scope {
    fn begin() -> Self {
        Self { former: DYING.with(Cell::get) }
    }

    fn cover(&self, place: Range<usize>, why: Unhandled, unseen: Bound) {
        DYING.with(|dying| dying.set(Dying { from: place.start, to: place.end, why, unseen }));
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        DYING.with(|dying| dying.set(self.former));
    }
}
