//! The receiver's waker: stored once, used by anybody, replaced only at rest.
//!
//! ```text
//!  receiver   publish ─ park ── (awake) ── park ── (awake) ──► may replace it
//!  a sender               └ ends the park: an errand ─ wakes ─ run ┘ once all are run
//!  others                call ─ counted ─ wakes ─ done ────────────┘ once none counted
//! ```
//!
//! Storing a waker at each park, as an atomic waker does, costs two reference
//! counts and three locked steps for each; here a park costs two plain stores. The
//! price is the protocol that keeps a stored waker from being replaced under the
//! hands of someone who is using it. It must not keep the receiver from parking:
//! whoever wakes it may still be at it when the receiver has long slept again. So
//! there are several errands, and the tail word says which one goes with a park.

use std::task::Waker;

use crate::contain::contained;
use crate::sync::{AtomicBool, AtomicU32, Ordering, UnsafeCell};

pub(super) struct WakerCell {
    /// [`PUBLISHED`], which only the receiver changes, and how many callers of
    /// [`wake`](Self::wake) are at it, in units of [`CALLER`].
    state: AtomicU32,
    /// The errands of the senders that end parks: to wake the receiver. One is opened
    /// for each park, by turns, and closed by the sender that has run it, or by the
    /// receiver if it ended the park itself. While one is open a sender may be using
    /// the waker, and may be for long: waking may be a call of the system's.
    is_open: [AtomicBool; ERRANDS as usize],
    waker: UnsafeCell<Option<Waker>>,
}

/// How many senders may be at waking while the receiver sleeps again. A power of two
/// that the tail word has bits for.
#[cfg(not(actor_loom))]
pub(super) const ERRANDS: u8 = 8;
/// Models stay small.
#[cfg(actor_loom)]
pub(super) const ERRANDS: u8 = 2;

const PUBLISHED: u32 = 1;
const CALLER: u32 = 2;

/// What became of an attempt to make a waker the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// It was so already.
    Before,
    /// It is now. Whoever called before this may have found no waker: look at what
    /// they may have said.
    Now,
    /// Somebody is still using another one. Try again soon.
    Busy,
}

impl WakerCell {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU32::new(0),
            is_open: std::array::from_fn(|_| AtomicBool::new(false)),
            waker: UnsafeCell::new(None),
        }
    }

    /// Wakes the receiver if it has published a waker. For everybody.
    pub(super) fn wake(&self) {
        // AcqRel: either the receiver's publishing comes before this and the waker is
        // seen, or it comes after and the receiver sees what the caller did before.
        let before = self.state.fetch_add(CALLER, Ordering::AcqRel);
        if before & PUBLISHED != 0 {
            // SAFETY: the receiver replaces a waker only after it has taken `PUBLISHED`
            // back and then seen no caller; this one was counted while it was set.
            self.waker.with(|waker| wake_by_ref(unsafe { &*waker }));
        }
        // Release: the receiver's acquiring read sees that the waker is no longer used.
        self.state.fetch_sub(CALLER, Ordering::Release);
    }

    /// Wakes the receiver whose park the caller has ended.
    ///
    /// # Safety
    ///
    /// The caller has ended the park that goes with this errand, and this is called
    /// once for it.
    #[inline]
    pub(super) unsafe fn run_errand(&self, errand: u8) {
        // SAFETY: the receiver published before it parked, and while the errand is
        // open it replaces nothing.
        self.waker.with(|waker| wake_by_ref(unsafe { &*waker }));
        // Release: pairs with the receiver's loads before it uses the errand again, or
        // replaces the waker.
        self.is_open[usize::from(errand)].store(false, Ordering::Release);
    }

    /// Makes `waker` the stored one.
    ///
    /// # Safety
    ///
    /// Only the receiver calls it, and it is not parked.
    #[inline]
    pub(super) unsafe fn publish(&self, waker: &Waker) -> Published {
        // SAFETY: only the receiver writes, and it is the caller.
        let is_same = self.waker.with(|stored| match unsafe { &*stored } {
            Some(stored) => stored.will_wake(waker),
            None => false,
        });
        // Relaxed: only the receiver changes this bit.
        if is_same && self.state.load(Ordering::Relaxed) & PUBLISHED != 0 {
            return Published::Before;
        }
        // SAFETY: the caller's.
        if !is_same && !unsafe { self.replace(Some(waker.clone())) } {
            return Published::Busy;
        }
        // AcqRel: see `wake`.
        self.state.fetch_or(PUBLISHED, Ordering::AcqRel);
        Published::Now
    }

    /// Drops the stored waker, so that a task that has ended is not kept in memory
    /// by its actor's addresses. Does nothing while somebody is using it.
    ///
    /// # Safety
    ///
    /// Only the receiver calls it, and it is not parked.
    pub(super) unsafe fn clear(&self) {
        // SAFETY: the caller's.
        unsafe { self.replace(None) };
    }

    /// Opens an errand for a park, unless a sender is still at it.
    ///
    /// Relaxed suffices for the opening: a sender comes to close it only after it has
    /// ended the park, which was begun with a release after this.
    pub(super) fn open_errand(&self, errand: u8) -> bool {
        let is_free = !self.is_open[usize::from(errand)].load(Ordering::Acquire);
        if is_free {
            self.is_open[usize::from(errand)].store(true, Ordering::Relaxed);
        }
        is_free
    }

    /// There was no park, or the receiver ended it itself: nobody has the errand.
    pub(super) fn drop_errand(&self, errand: u8) {
        self.is_open[usize::from(errand)].store(false, Ordering::Relaxed);
    }

    /// Whether all errands have been run.
    fn is_idle(&self) -> bool {
        self.is_open.iter().all(|is_open| !is_open.load(Ordering::Acquire))
    }

    /// Replaces the waker unless somebody may be using it; leaves none published.
    ///
    /// # Safety
    ///
    /// Only the receiver calls it, and it is not parked.
    unsafe fn replace(&self, waker: Option<Waker>) -> bool {
        // AcqRel: callers counted before this are seen; those that come later find
        // nothing published. What the former callers read has been read.
        let callers = self.state.fetch_and(!PUBLISHED, Ordering::AcqRel) & !PUBLISHED;
        if callers != 0 || !self.is_idle() {
            return false;
        }
        // SAFETY: no caller is counted, no errand is open, and no new one can begin
        // while nothing is published and the receiver is not parked.
        let former = self.waker.with_mut(|stored| std::mem::replace(unsafe { &mut *stored }, waker));
        drop(former);
        true
    }
}

/// Whatever the waker does, whoever sent a message has sent it.
fn wake_by_ref(waker: &Option<Waker>) {
    if let Some(waker) = waker {
        contained("an actor's waker", || waker.wake_by_ref());
    }
}
