//! The receiver's waker: stored once, used by anybody, replaced only at rest.
//!
//! ```text
//!  receiver   publish ───────────── park ──────────────── (awake) ──► may replace it
//!  a sender          └ ends the park: holds the errand ─ wakes ─ done ┘ once done
//!  others              call ─ counted ─ wakes ─ done ┘                  once none counted
//! ```
//!
//! Storing a waker at each park, as an atomic waker does, costs two reference
//! counts and three locked steps for each; here a park costs a plain store. The
//! price is the protocol that keeps a stored waker from being replaced under the
//! hands of someone who is using it.

use std::task::Waker;

use crate::sync::{AtomicBool, AtomicU32, Ordering, UnsafeCell};

pub(super) struct WakerCell {
    /// [`PUBLISHED`], which only the receiver changes, and how many callers of
    /// [`wake`](Self::wake) are at it, in units of [`CALLER`].
    state: AtomicU32,
    /// Set by the receiver before it parks, cleared by the sender that ended the
    /// park when it has woken the receiver, or by the receiver if it ended the park
    /// itself. While it is set a sender may be using the waker.
    has_errand: AtomicBool,
    waker: UnsafeCell<Option<Waker>>,
}

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
        Self { state: AtomicU32::new(0), has_errand: AtomicBool::new(false), waker: UnsafeCell::new(None) }
    }

    /// Wakes the receiver if it has published a waker. For everybody.
    pub(super) fn wake(&self) {
        // AcqRel: either the receiver's publishing comes before this and the waker is
        // seen, or it comes after and the receiver sees what the caller did before.
        let before = self.state.fetch_add(CALLER, Ordering::AcqRel);
        let _done = Done(&self.state);
        if before & PUBLISHED != 0 {
            // SAFETY: the receiver replaces a waker only after it has taken `PUBLISHED`
            // back and then seen no caller; this one was counted while it was set.
            self.waker.with(|waker| wake_by_ref(unsafe { &*waker }));
        }
    }

    /// Wakes the receiver whose park the caller has ended.
    ///
    /// # Safety
    ///
    /// The caller has ended a park, and this is called once for it.
    pub(super) unsafe fn run_errand(&self) {
        // SAFETY: the receiver published before it parked, and while the errand is
        // open it replaces nothing.
        self.waker.with(|waker| wake_by_ref(unsafe { &*waker }));
        // Release: pairs with the receiver's load in `is_idle`.
        self.has_errand.store(false, Ordering::Release);
    }

    /// Makes `waker` the stored one.
    ///
    /// # Safety
    ///
    /// Only the receiver calls it, and it is not parked.
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

    /// Whether the last errand has been run.
    pub(super) fn is_idle(&self) -> bool {
        !self.has_errand.load(Ordering::Acquire)
    }

    /// The receiver is about to park, or did not park after all.
    ///
    /// Relaxed suffices: a sender comes to look only after it has ended the park,
    /// which was begun with a release after this.
    pub(super) fn set_errand(&self, has_errand: bool) {
        self.has_errand.store(has_errand, Ordering::Relaxed);
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

fn wake_by_ref(waker: &Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake_by_ref();
    }
}

/// Uncounts a caller, also if a foreign waker panics.
struct Done<'a>(&'a AtomicU32);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        // Release: the receiver's acquiring read sees that the waker is no longer used.
        self.0.fetch_sub(CALLER, Ordering::Release);
    }
}
