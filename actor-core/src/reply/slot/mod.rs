//! A place for one answer, shared by exactly two parties: the caller, who waits,
//! and the replier, who answers. Nobody counts references: each party leaves
//! once, by one step in `state`, and whoever leaves second gives the memory back.
//!
//! ```text
//!           ┌──unpark── WAITING ──answer──► WAKING ──leave──► LEFT
//!           ▼             ▲                   │                ╎ replier frees
//!  new ─► EMPTY ───park───┘                  out
//!           │ │                               ▼
//!           │ └──────────answer──────────► ANSWERED
//!         leave                               ╎ caller frees
//!           ▼
//!         LEFT ──answer──► the replier has its value back, and frees
//!
//!  caller:  park, unpark, leave      replier: answer, out
//! ```
//!
//! | state    | caller | replier       | waker cell        | outcome cell         |
//! |----------|--------|---------------|-------------------|----------------------|
//! | EMPTY    | in     | in            | empty, caller's   | empty, replier's     |
//! | WAITING  | in     | in            | full, read only   | empty, replier's     |
//! | WAKING   | in     | takes waker   | full, replier's   | full, caller's       |
//! | ANSWERED | in     | out           | empty             | full, caller's       |
//! | LEFT     | out    | in            | empty\*           | replier's            |
//!
//! \* Unless it was left from WAKING; then the replier still takes the waker out.
//!
//! A slot may also begin in WAITING, with a waker. In the usual call it does, or
//! the caller parks with one CAS; the replier answers with one add and, because somebody waits, steps out with one swap; the caller then sees
//! ANSWERED with a load and frees. An answer that comes before the first poll
//! costs the one add. No party ever waits for the other inside of these.
//!
//! The cells belong to the parties as the table says; the models in
//! `tests/every_schedule.rs` check it, and that the memory is given back once.

mod pool;
#[cfg(test)]
mod tests;

use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use crate::contain::contained;
use crate::error::CallFailure;
use crate::sync::{AtomicU8, Ordering, UnsafeCell};
use crate::time::Instant;

/// What a call comes to.
pub(super) type Outcome<T> = Result<T, CallFailure>;

/// Both ends of a new slot. `deadline` is for the replier to see. A caller that is
/// going to wait in any case gives its waker, and begins as one that has parked.
pub(super) fn slot<T>(deadline: Option<Instant>, waker: Option<Waker>) -> (Replier<T>, Caller<T>) {
    let slot = pool::allocate::<Slot<T>>();
    let new = Slot {
        state: AtomicU8::new(if waker.is_some() { WAITING } else { EMPTY }),
        deadline,
        waker: UnsafeCell::new(waker.map_or(MaybeUninit::uninit(), MaybeUninit::new)),
        outcome: UnsafeCell::new(MaybeUninit::uninit()),
    };
    // SAFETY: the pool gave memory of this size and alignment to us alone.
    unsafe { slot.write(new) };
    (Replier { slot }, Caller { slot: Some(slot) })
}

/// The end that answers, once. Dropped, it answers [`CallFailure::NoReply`].
pub(super) struct Replier<T> {
    slot: NonNull<Slot<T>>,
}

/// The end that waits. Dropped, it leaves.
pub(super) struct Caller<T> {
    /// `None` once the outcome is out.
    slot: Option<NonNull<Slot<T>>>,
}

/// What the two parties share. Everything but `deadline` changes hands as the
/// table above says.
struct Slot<T> {
    state: AtomicU8,
    /// Written before the slot is shared, and never again.
    deadline: Option<Instant>,
    waker: UnsafeCell<MaybeUninit<Waker>>,
    outcome: UnsafeCell<MaybeUninit<Outcome<T>>>,
}

const EMPTY: u8 = 0;
const WAITING: u8 = 1;
const ANSWERED: u8 = EMPTY + ANSWER;
const WAKING: u8 = WAITING + ANSWER;
const LEFT: u8 = 4;

/// What an answer adds to the state: one step from EMPTY or from WAITING that
/// cannot fail. On LEFT it makes a number that nobody reads.
const ANSWER: u8 = 2;

// SAFETY: the replier carries an outcome to the caller's thread, and back to its
// own if the caller left; it drops the caller's waker, which is `Send`. What both
// touch is atomic, or handed over by `state`.
unsafe impl<T: Send> Send for Replier<T> {}

// SAFETY: as for the replier; the caller takes the outcome, or drops it.
unsafe impl<T: Send> Send for Caller<T> {}

// SAFETY: a shared caller can do nothing: each of its methods takes it mutably.
unsafe impl<T: Send> Sync for Caller<T> {}

impl<T> Replier<T> {
    /// Leaves the outcome for the caller and wakes it.
    ///
    /// # Errors
    ///
    /// Gives the outcome back if the caller has left.
    pub(super) fn answer(self, outcome: Outcome<T>) -> Result<(), Outcome<T>> {
        let this = ManuallyDrop::new(self);
        // SAFETY: this end is spent, and its destructor does not run.
        unsafe { answer(this.slot, outcome) }
    }

    /// Whether the caller has left.
    pub(super) fn is_left(&self) -> bool {
        // SAFETY: the replier is in, so the slot is there.
        let state = unsafe { &(*self.slot.as_ptr()).state };
        // Relaxed: it is news, and nothing is read on the strength of it.
        state.load(Ordering::Relaxed) == LEFT
    }

    /// What the slot was made with.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // SAFETY: the replier is in, so the slot is there; nobody writes this field.
        unsafe { (*self.slot.as_ptr()).deadline }
    }
}

impl<T> Drop for Replier<T> {
    fn drop(&mut self) {
        // SAFETY: this end is being dropped and was not spent: `answer` forgets it.
        let unread = unsafe { answer(self.slot, Err(CallFailure::NoReply)) };
        // What comes back is our own, with no user's destructor in it.
        drop(unread);
    }
}

impl<T> Caller<T> {
    /// The outcome, or a promise to wake this context's task when it comes.
    ///
    /// # Panics
    ///
    /// If the outcome is out.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        let slot = self.slot.expect("a reply is not polled again after its answer");
        // SAFETY: the caller is in, and this is its thread for now.
        let Some(answered) = (unsafe { wait(slot, cx.waker()) }) else { return Poll::Pending };
        self.slot = None;
        // SAFETY: the state says that the outcome is there, and that it is ours.
        let outcome = unsafe { (*slot.as_ptr()).outcome.with(|cell| (*cell).assume_init_read()) };
        // SAFETY: the outcome is out, and so is this end, as of the line above it.
        unsafe { leave(slot, answered) };
        Poll::Ready(outcome)
    }
}

impl<T> Drop for Caller<T> {
    fn drop(&mut self) {
        let Some(slot) = self.slot else { return };
        // SAFETY: the caller is in, and this is the last that it does.
        let _parked = unsafe { give_up(slot) };
        // The waker goes last: what its destructor does, it does to nobody here.
    }
}

/// The replier's only step, or its only two.
///
/// # Safety
///
/// The replier is in, and does nothing with the slot hereafter.
unsafe fn answer<T>(slot: NonNull<Slot<T>>, outcome: Outcome<T>) -> Result<(), Outcome<T>> {
    let shared = slot.as_ptr();
    // SAFETY: the replier is in, and the cell is its own until it answers.
    unsafe { (*shared).outcome.with_mut(|cell| _ = (*cell).write(outcome)) };
    // Release: the outcome, to the caller's Acquire in `wait` and `give_up`.
    // Acquire: the waker, from the Release in `park`; and, where the caller has
    // left, all it did before the Release in `give_up`, so that we may free.
    // SAFETY: the replier is in.
    match unsafe { (*shared).state.fetch_add(ANSWER, Ordering::AcqRel) } {
        EMPTY => Ok(()),
        WAITING => {
            // SAFETY: WAKING makes the waker ours, and keeps the slot for us.
            unsafe { wake(slot) };
            Ok(())
        }
        _left => {
            // SAFETY: the caller is out: the cell is ours still, and full.
            let outcome = unsafe { (*shared).outcome.with(|cell| (*cell).assume_init_read()) };
            // SAFETY: the caller is out, and we are done.
            unsafe { free(slot) };
            Err(outcome)
        }
    }
}

/// Takes the waker out of a slot in WAKING, steps out, and wakes.
///
/// # Safety
///
/// The replier is in, has answered a caller that waited, and does nothing with
/// the slot hereafter.
unsafe fn wake<T>(slot: NonNull<Slot<T>>) {
    let shared = slot.as_ptr();
    // It is only read: the caller may be comparing it with another one, see `wait`.
    // SAFETY: in WAKING the cell is full and its waker is the replier's.
    let waker = unsafe { (*shared).waker.with(|cell| (*cell).assume_init_read()) };
    // Release: that we have read the waker, to the Acquire of a caller that frees.
    // Acquire: that the caller has read the outcome, from the Release in `leave`.
    // SAFETY: the replier is in until this step.
    if unsafe { (*shared).state.swap(ANSWERED, Ordering::AcqRel) } == LEFT {
        // SAFETY: the caller is out, and we are done.
        unsafe { free(slot) };
    } else {
        // From here on the slot may be gone. A waker that panics does it to the
        // replier, with everything in order.
        waker.wake();
    }
}

/// The state once it is answered, or a waker left in the slot.
///
/// # Safety
///
/// The caller is in, and no other thread acts for it.
unsafe fn wait<T>(slot: NonNull<Slot<T>>, waker: &Waker) -> Option<u8> {
    let shared = slot.as_ptr();
    // Acquire: the outcome, from the Release in `answer`; and where that says
    // ANSWERED after WAKING, that the replier is out, from the Release in `wake`.
    // SAFETY: the caller is in.
    match unsafe { (*shared).state.load(Ordering::Acquire) } {
        EMPTY => {
            // SAFETY: only the caller leaves EMPTY other than by an answer.
            unsafe { park(slot, waker.clone()) }
        }
        WAITING => {
            // SAFETY: the caller put a waker there, and until the caller leaves
            // nobody writes to the cell: a replier that takes it now reads it, too.
            // What is compared are two pointers, which are not followed.
            if unsafe { (*shared).waker.with(|cell| (*cell).assume_init_ref().will_wake(waker)) } {
                return None;
            }
            let fresh = waker.clone();
            // SAFETY: the caller is in.
            match unsafe { unpark(slot) } {
                Ok(_stale) => {
                    // SAFETY: `unpark` went to EMPTY.
                    unsafe { park(slot, fresh) }
                }
                Err(answered) => Some(answered),
            }
        }
        answered => Some(answered),
    }
}

/// EMPTY to WAITING, or the state if an answer came first.
///
/// # Safety
///
/// The caller is in and saw, or made, the state EMPTY.
unsafe fn park<T>(slot: NonNull<Slot<T>>, waker: Waker) -> Option<u8> {
    let shared = slot.as_ptr();
    // SAFETY: in EMPTY the cell is the caller's, and in ANSWERED nobody else's.
    unsafe { (*shared).waker.with_mut(|cell| _ = (*cell).write(waker)) };
    // Release: the waker, to the Acquire in `answer`. Acquire: as in `wait`.
    // SAFETY: the caller is in.
    let parked =
        unsafe { (*shared).state.compare_exchange(EMPTY, WAITING, Ordering::Release, Ordering::Acquire) };
    let answered = parked.err()?;
    // SAFETY: it was written above, and a replier that answered in EMPTY does not
    // look at it.
    drop(unsafe { (*shared).waker.with(|cell| (*cell).assume_init_read()) });
    Some(answered)
}

/// WAITING to EMPTY with the waker taken back, or the state if an answer came
/// first.
///
/// # Safety
///
/// The caller is in and has parked.
unsafe fn unpark<T>(slot: NonNull<Slot<T>>) -> Result<Waker, u8> {
    let shared = slot.as_ptr();
    // Relaxed: the caller takes back what it wrote itself, and a replier that
    // answers in EMPTY reads nothing. Acquire: as in `wait`.
    // SAFETY: the caller is in.
    unsafe {
        (*shared).state.compare_exchange(WAITING, EMPTY, Ordering::Relaxed, Ordering::Acquire)?;
    }
    // SAFETY: EMPTY makes the cell the caller's, and `park` had filled it.
    Ok(unsafe { (*shared).waker.with(|cell| (*cell).assume_init_read()) })
}

/// Leaves without having taken an outcome, and drops it if there is one. Gives
/// the waker back if one was parked.
///
/// # Safety
///
/// The caller is in, and does nothing with the slot hereafter.
unsafe fn give_up<T>(slot: NonNull<Slot<T>>) -> Option<Waker> {
    let shared = slot.as_ptr();
    // Acquire: as in `wait`.
    // SAFETY: the caller is in.
    let mut state = unsafe { (*shared).state.load(Ordering::Acquire) };
    let mut parked = None;
    if state == WAITING {
        // A replier may keep its end for long: it must not keep our task alive.
        // SAFETY: the caller is in and has parked.
        (state, parked) = match unsafe { unpark(slot) } {
            Ok(waker) => (EMPTY, Some(waker)),
            Err(answered) => (answered, None),
        };
    }
    if state == EMPTY {
        // Release: all we did to the slot, to the Acquire of a replier that frees.
        // Acquire: the outcome, as in `wait`, if it came just now.
        // SAFETY: the caller is in until this step; it still is if it was ANSWERED.
        state = unsafe { (*shared).state.swap(LEFT, Ordering::AcqRel) };
    }
    if state != EMPTY {
        contained("the destructor of an answer that nobody took", || {
            // SAFETY: it is answered, so the outcome is there, and it is ours.
            unsafe { (*shared).outcome.with_mut(|cell| (*cell).assume_init_drop()) };
        });
        // SAFETY: the outcome is gone, and the caller is done.
        unsafe { leave(slot, state) };
    }
    parked
}

/// The caller's last step after an answer, from the state it last saw.
///
/// # Safety
///
/// The caller has emptied the outcome cell, and does nothing with the slot
/// hereafter.
unsafe fn leave<T>(slot: NonNull<Slot<T>>, state: u8) {
    debug_assert!(state == ANSWERED || state == WAKING, "there was an outcome");
    // In WAKING the replier is about to step out, and whoever is second frees.
    // Release: that we have emptied the cell, to the Acquire in `wake`.
    // Acquire: that the replier has read the waker, from the Release there.
    let is_last = state == ANSWERED || {
        // SAFETY: the caller is in until this step.
        let before = unsafe { (*slot.as_ptr()).state.swap(LEFT, Ordering::AcqRel) };
        before == ANSWERED
    };
    if is_last {
        // SAFETY: ANSWERED says that the replier is out, and we are done.
        unsafe { free(slot) };
    }
}

/// # Safety
///
/// Both parties are out, and both cells are empty.
unsafe fn free<T>(slot: NonNull<Slot<T>>) {
    // SAFETY: nobody else is in. In a model the doors of the cells check just that;
    // otherwise these lines are nothing.
    unsafe {
        (*slot.as_ptr()).waker.with_mut(|_| {});
        (*slot.as_ptr()).outcome.with_mut(|_| {});
        slot.drop_in_place();
    }
    // SAFETY: it came from the pool as a `Slot<T>`, and this is its only end.
    unsafe { pool::give_back(slot) };
}
