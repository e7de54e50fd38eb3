//! Messages that die before a handler has seen them. A caller whose port is in such a message
//! is told so: what never ran may be asked again.
//!
//! What is certain is so of the ports that lie in the message itself, and of those alone: its
//! destructor may drop anything that it refers to, a port of another call that a handler had
//! in hand among it. So the place of the message is noted, and each port that is dropped
//! meanwhile looks whether it lies there.

use std::cell::Cell;
use std::ops::Range;

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

/// Where a message lies that is being dropped on this thread.
#[derive(Clone, Copy)]
struct Dying {
    from: usize,
    to: usize,
    why: Unhandled,
}

impl Dying {
    /// No port lies in no place.
    const NOTHING: Self = Self { from: 0, to: 0, why: Unhandled::Stopped };
}

own! {
    static DYING: Cell<Dying> = Cell::new(Dying::NOTHING)
}

/// Drops a message that no handler has seen.
#[inline(never)]
pub(crate) fn drop_unhandled<M>(message: M, why: Unhandled) {
    // Before the message, so that it is dropped after it.
    let scope = Scope::begin();
    // Here it lies until it is dropped.
    let message = message;
    let place = std::slice::from_ref(&message).as_ptr_range();
    scope.cover(place.start.addr()..place.end.addr(), why);
}

/// The failure of a call whose port lies here and is dropped unanswered.
pub(super) fn failure_of_port_at(address: usize) -> CallFailure {
    match DYING.with(Cell::get) {
        Dying { from, to, why } if (from..to).contains(&address) => why.failure(),
        _ => CallFailure::NoReply,
    }
}

/// Puts back what was there before when it is dropped.
struct Scope {
    former: Dying,
}

impl Scope {
    fn begin() -> Self {
        Self { former: DYING.with(Cell::get) }
    }

    fn cover(&self, place: Range<usize>, why: Unhandled) {
        DYING.with(|dying| dying.set(Dying { from: place.start, to: place.end, why }));
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        DYING.with(|dying| dying.set(self.former));
    }
}
