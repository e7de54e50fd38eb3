//! A place for one answer, shared by exactly two parties: the caller, who waits,
//! and the replier, who answers. Nobody counts references: each party leaves
//! once, by one step in `state`, and whoever leaves second gives the memory back.
//!
//! ```text
//!           ┌──unpark── WAITING ──┐
//!           ▼             ▲       ├──answer──► ANSWERED   the caller frees
//!  new ─► EMPTY ───park───┘───────┤
//!                                 └───leave──► LEFT       the replier frees
//!
//!  caller:  park, unpark, leave      replier: answer      alone: FOREIGN
//! ```
//!
//! | state    | caller | replier | waker's owner | content                          |
//! |----------|--------|---------|---------------|----------------------------------|
//! | EMPTY    | in     | in      | nobody        | a bound, the replier's           |
//! | WAITING  | in     | in      | the slot      | a bound, the replier's           |
//! | ANSWERED | in     | out     | the replier\* | the outcome, the caller's        |
//! | LEFT     | out    | in      | the caller\*  | the replier's                    |
//! | FOREIGN  | -      | in      | nobody        | who is told instead of a caller  |
//!
//! \* If there was one: outside of the slot, until it has woken, or is dropped.
//!
//! Whoever leads the state out of WAITING owns the waker. It lies in two atomic
//! words, and is read before that step: a replier that read the words of a park that
//! has ended since finds another state, because each park has a number. So an answer
//! is one step, after which the replier does not touch the slot.
//!
//! In the usual call the slot begins in WAITING, with a waker; otherwise the caller
//! parks with one compare-and-swap. The replier answers with one. The caller then
//! sees ANSWERED with a load, and frees. No step waits for the other party.
//!
//! The models in `tests/every_schedule.rs` check that the content belongs to the
//! parties as the table says, and that the memory is given back once.

mod pool;
#[cfg(test)]
mod tests;

use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::{self, NonNull};
use std::task::{Context, Poll, RawWakerVTable, Waker};

use self::pool::Pooled;
use super::Answer;
use super::unhandled::{Bound, failure_of_port_at};
use crate::contain::contained;
use crate::error::CallFailure;
use crate::sync::{AtomicPtr, AtomicU64, Ordering, UnsafeCell};
use crate::time::Instant;

/// What a call comes to.
pub(super) type Outcome<T> = Result<T, CallFailure>;

/// Both ends of a new slot, of a call whose message is going there. `deadline` is for the
/// replier to see. A caller that is going to wait in any case gives its waker, and begins as
/// one that has parked.
pub(super) fn slot<T>(
    bound: Bound,
    deadline: Option<Instant>,
    waker: Option<Waker>,
) -> (Replier<T>, Caller<T>) {
    let state = if waker.is_some() { WAITING } else { EMPTY };
    let content = MaybeUninit::new(Content { bound });
    let slot = Slot::allocate(state, deadline, Words::of(waker), content);
    (Replier { slot }, Caller { slot: Some(slot) })
}

/// The end that answers, once. Dropped, it answers [`CallFailure::NoReply`], or what became
/// of the message that it is in.
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
#[repr(C)]
struct Slot<T> {
    state: AtomicU64,
    waker: Words,
    content: UnsafeCell<MaybeUninit<Content<T>>>,
    /// Written before the slot is shared, and never again.
    deadline: Option<Instant>,
}

union Content<T> {
    /// Where the call's message is going; until the replier answers.
    bound: Bound,
    outcome: ManuallyDrop<Outcome<T>>,
    foreign: ManuallyDrop<Pooled<Elsewhere<dyn Answer<T>>>>,
}

/// A caller that is not here.
pub(super) struct Elsewhere<A: ?Sized> {
    /// Where the call's message is going, now that it is here.
    pub(super) bound: Bound,
    pub(super) answer: A,
}

/// A waker in two words that may be read while they change. Who owns it, the slot's
/// state says.
struct Words {
    data: AtomicPtr<()>,
    vtable: AtomicPtr<RawWakerVTable>,
}

/// The state's kind; the number of parks lies above it.
const EMPTY: u64 = 0;
const WAITING: u64 = 1;
const ANSWERED: u64 = 2;
const LEFT: u64 = 3;
const FOREIGN: u64 = 4;
const KIND: u64 = 0b111;
/// One park. The number does not come around while a replier takes a step.
const PARK: u64 = KIND + 1;

// SAFETY: the replier carries an outcome to the caller's thread, and back to its
// own if the caller left; it wakes the caller's waker, which is `Send`, and so is
// whoever is told instead of a caller. What both touch is atomic, or handed over
// by `state`.
unsafe impl<T: Send> Send for Replier<T> {}

// SAFETY: a shared replier can only look: at the state, which is atomic, at the deadline,
// which nobody writes, and at whoever is told instead of a caller, who is `Sync`. The
// outcome, and so a `T`, is reached by the one that owns it alone.
unsafe impl<T: Send> Sync for Replier<T> {}

// SAFETY: as for the replier; the caller takes the outcome, or drops it.
unsafe impl<T: Send> Send for Caller<T> {}

// SAFETY: a shared caller can do nothing: each of its methods takes it mutably.
unsafe impl<T: Send> Sync for Caller<T> {}

impl<T> Replier<T> {
    /// The one end of a slot whose caller is elsewhere.
    pub(super) fn foreign<A: Answer<T> + 'static>(caller: Elsewhere<A>, deadline: Option<Instant>) -> Self {
        let caller: NonNull<Elsewhere<dyn Answer<T>>> = Pooled::new(caller).forget();
        // SAFETY: it was just given up, and nobody else has it.
        let caller = unsafe { Pooled::known(caller) };
        let foreign = MaybeUninit::new(Content { foreign: ManuallyDrop::new(caller) });
        Self { slot: Slot::allocate(FOREIGN, deadline, Words::of(None), foreign) }
    }

    /// Leaves the outcome for the caller and wakes it, or tells it elsewhere.
    ///
    /// # Errors
    ///
    /// Gives the outcome back if the caller has left.
    #[inline]
    pub(super) fn answer(self, outcome: Outcome<T>) -> Result<(), Outcome<T>> {
        let this = ManuallyDrop::new(self);
        // SAFETY: this end is spent, and its destructor does not run.
        unsafe { answer(this.slot, outcome) }
    }

    /// Whether the caller has left, as far as is known here.
    pub(super) fn is_left(&self) -> bool {
        let slot = self.slot.as_ptr();
        // Relaxed: it is news, and nothing of another's is read on the strength of it.
        // SAFETY: the replier is in, so the slot is there.
        match unsafe { (*slot).state.load(Ordering::Relaxed) } & KIND {
            LEFT => true,
            // SAFETY: the replier is alone in such a slot, and put this there.
            FOREIGN => unsafe {
                (*slot).content.with(|content| (*content).assume_init_ref().foreign.answer.is_closed())
            },
            _ => false,
        }
    }

    /// What the slot was made with.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // SAFETY: the replier is in, so the slot is there; nobody writes this field.
        unsafe { (*self.slot.as_ptr()).deadline }
    }

    /// Where the message of its call was going.
    fn bound(&self) -> Bound {
        let slot = self.slot.as_ptr();
        // Relaxed: a slot begins in this state and stays in it, or never comes to it.
        // SAFETY: the replier is in, so the slot is there.
        if unsafe { (*slot).state.load(Ordering::Relaxed) } == FOREIGN {
            // SAFETY: the replier is alone in such a slot, and put this there.
            return unsafe { (*slot).content.with(|content| (*content).assume_init_ref().foreign.bound) };
        }
        // SAFETY: the content is the replier's until it answers, and was made like this.
        unsafe { (*slot).content.with(|content| (*content).assume_init_ref().bound) }
    }
}

impl<T> Drop for Replier<T> {
    fn drop(&mut self) {
        let failure = failure_of_port_at(ptr::from_mut(self).addr(), || self.bound());
        // SAFETY: this end is being dropped and was not spent: `answer` forgets it.
        let unread = unsafe { answer(self.slot, Err(failure)) };
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
    #[inline]
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        let slot = self.slot.expect("a reply is not polled again after its answer");
        // SAFETY: the caller is in, and this is its thread for now.
        if !unsafe { wait(slot, cx.waker()) } {
            return Poll::Pending;
        }
        self.slot = None;
        // SAFETY: it is answered: the outcome is there, and ours, and we are alone.
        unsafe {
            let outcome = take_outcome(slot);
            free(slot);
            Poll::Ready(outcome)
        }
    }
}

impl<T> Drop for Caller<T> {
    // Inlined, as in the usual case the outcome is out.
    #[inline]
    fn drop(&mut self) {
        let Some(slot) = self.slot else { return };
        // SAFETY: the caller is in, and this is the last that it does.
        let _parked = unsafe { leave(slot) };
        // The waker is dropped last: its destructor may run anything, and the slot is left
        // by then.
    }
}

/// The replier's only step.
///
/// Inlined, so that the outcome is written once, to its place.
///
/// # Safety
///
/// The replier is in, and does nothing with the slot hereafter.
#[inline(always)]
unsafe fn answer<T>(slot: NonNull<Slot<T>>, outcome: Outcome<T>) -> Result<(), Outcome<T>> {
    let shared = slot.as_ptr();
    // Acquire: the words of the waker, from the Release in `park`; and, where the
    // caller has left, all it did before the Release in `leave`, so that we may free.
    // SAFETY: the replier is in.
    let mut state = unsafe { (*shared).state.load(Ordering::Acquire) };
    if state == FOREIGN {
        // SAFETY: the caller's; the state says who is told.
        unsafe { tell(slot, outcome) };
        return Ok(());
    }
    let content = MaybeUninit::new(Content { outcome: ManuallyDrop::new(outcome) });
    // SAFETY: the replier is in, and the content is its own until it answers.
    unsafe { (*shared).content.with_mut(|place| place.write(content)) };
    while state & KIND != LEFT {
        // SAFETY: the replier is in.
        let waker = (state & KIND == WAITING).then(|| unsafe { (*shared).waker.read() });
        // Release: the outcome, and that we have read the waker, to the Acquire in `wait`
        // and `leave`. Acquire: as above.
        // SAFETY: the replier is in until this step.
        let answered = unsafe {
            (*shared).state.compare_exchange(state, ANSWERED, Ordering::Release, Ordering::Acquire)
        };
        match answered {
            // From here on the slot may be gone.
            Ok(_) => {
                if let Some(waker) = waker {
                    // SAFETY: the compare-and-swap found the very park, by its number, that
                    // was seen before the words were read. They change only after a step out
                    // of that park, and ours was that step. So they are one waker's, and ours.
                    let waker = unsafe { waker.own() };
                    contained("a caller's waker", || waker.wake());
                }
                return Ok(());
            }
            Err(newer) => state = newer,
        }
    }
    // SAFETY: the caller is out: the outcome is ours still.
    Err(unsafe { take_back(slot) })
}

/// Tells the outcome to whoever is told instead of a caller.
///
/// # Safety
///
/// The replier is in, does nothing with the slot hereafter, and the state is FOREIGN.
#[cold]
unsafe fn tell<T>(slot: NonNull<Slot<T>>, outcome: Outcome<T>) {
    // SAFETY: the replier is alone, and put this there.
    unsafe {
        let content = &(*slot.as_ptr()).content;
        let mut foreign =
            content.with_mut(|content| ManuallyDrop::take(&mut (*content).assume_init_mut().foreign));
        free(slot);
        contained("whoever is told of an answer", move || foreign.answer.answer(outcome));
    }
}

/// The outcome that no caller wants.
///
/// # Safety
///
/// The replier is in, does nothing with the slot hereafter, and has put the outcome
/// there after, or before, the caller left.
#[cold]
unsafe fn take_back<T>(slot: NonNull<Slot<T>>) -> Outcome<T> {
    // SAFETY: the caller is out, so the outcome is ours, and we are alone.
    unsafe {
        let outcome = take_outcome(slot);
        free(slot);
        outcome
    }
}

/// Whether it is answered. If not, the waker is left in the slot.
///
/// # Safety
///
/// The caller is in, and no other thread acts for it.
unsafe fn wait<T>(slot: NonNull<Slot<T>>, waker: &Waker) -> bool {
    let shared = slot.as_ptr();
    // Acquire: the outcome, from the Release in `answer`.
    // SAFETY: the caller is in.
    let state = unsafe { (*shared).state.load(Ordering::Acquire) };
    if state & KIND == EMPTY {
        // SAFETY: the caller is in, and has not parked.
        return unsafe { park(slot, state, waker.clone()) };
    }
    if state & KIND != WAITING {
        return true;
    }
    // SAFETY: the caller is in; only it writes the words.
    let parked = unsafe { (*shared).waker.read() };
    if parked.will_wake(waker) {
        return false;
    }
    let fresh = waker.clone();
    let empty = state - WAITING + EMPTY;
    // Relaxed: the caller takes back what it wrote itself, and a replier that
    // answers in EMPTY reads nothing. Acquire: as above.
    // SAFETY: the caller is in.
    let unparked =
        unsafe { (*shared).state.compare_exchange(state, empty, Ordering::Relaxed, Ordering::Acquire) };
    if unparked.is_err() {
        return true;
    }
    // SAFETY: they are of the park that we ended.
    let _stale = unsafe { parked.own() };
    // SAFETY: the caller is in, and has not parked.
    unsafe { park(slot, empty, fresh) }
}

/// EMPTY to WAITING, unless an answer came first: then it says so.
///
/// # Safety
///
/// The caller is in, and saw or made this state, of the kind EMPTY.
unsafe fn park<T>(slot: NonNull<Slot<T>>, empty: u64, waker: Waker) -> bool {
    let shared = slot.as_ptr();
    let waiting = empty.wrapping_add(PARK) - EMPTY + WAITING;
    // Release: the words, to the Acquire in `answer`. Acquire: as in `wait`.
    // SAFETY: the caller is in; in EMPTY nobody owns what the words say.
    let parked = unsafe {
        (*shared).waker.write(&waker);
        (*shared).state.compare_exchange(empty, waiting, Ordering::Release, Ordering::Acquire)
    };
    if parked.is_ok() {
        // It is the slot's now.
        let _ = ManuallyDrop::new(waker);
    }
    parked.is_err()
}

/// Leaves without having taken an outcome, and drops it if there is one. Gives
/// the waker back if one was parked.
///
/// # Safety
///
/// The caller is in, and does nothing with the slot hereafter.
#[inline(never)]
unsafe fn leave<T>(slot: NonNull<Slot<T>>) -> Option<Waker> {
    let shared = slot.as_ptr();
    // Acquire: as in `wait`.
    // SAFETY: the caller is in.
    let mut state = unsafe { (*shared).state.load(Ordering::Acquire) };
    // Only a replier changes it meanwhile, and once.
    while state & KIND != ANSWERED {
        // A replier may keep its end for long: it must not keep our task alive.
        // SAFETY: the caller is in; only it writes the words.
        let parked = (state & KIND == WAITING).then(|| unsafe { (*shared).waker.read() });
        // Release: all we did to the slot, to the Acquire of a replier that frees. No model
        // sees a free that comes too early by its ordering alone. Acquire: as in `wait`.
        // SAFETY: the caller is in until this step.
        let left =
            unsafe { (*shared).state.compare_exchange(state, LEFT, Ordering::Release, Ordering::Acquire) };
        match left {
            // SAFETY: we led the state out of the park whose words they are.
            Ok(_) => return parked.map(|parked| unsafe { parked.own() }),
            Err(newer) => state = newer,
        }
    }
    contained("the destructor of an answer that nobody took", || {
        // SAFETY: it is answered, so the outcome is there, and it is ours.
        unsafe {
            (*shared)
                .content
                .with_mut(|content| ManuallyDrop::drop(&mut (*content).assume_init_mut().outcome));
        }
    });
    // SAFETY: the outcome is out, and we are alone.
    unsafe { free(slot) };
    None
}

/// # Safety
///
/// The outcome is there and the party's that calls, once.
unsafe fn take_outcome<T>(slot: NonNull<Slot<T>>) -> Outcome<T> {
    // SAFETY: the caller's: it is there, is an outcome, and is taken once.
    unsafe {
        let content = &(*slot.as_ptr()).content;
        content.with_mut(|content| ManuallyDrop::take(&mut (*content).assume_init_mut().outcome))
    }
}

impl<T> Slot<T> {
    fn allocate(
        state: u64,
        deadline: Option<Instant>,
        waker: Words,
        content: MaybeUninit<Content<T>>,
    ) -> NonNull<Self> {
        let slot = pool::allocate::<Self>();
        let new = Self { state: AtomicU64::new(state), waker, content: UnsafeCell::new(content), deadline };
        // SAFETY: the pool gave memory of this size and alignment to us alone.
        unsafe { slot.write(new) };
        slot
    }
}

/// # Safety
///
/// Both parties are out, and the content is nobody's.
unsafe fn free<T>(slot: NonNull<Slot<T>>) {
    // SAFETY: nobody else is in. In a model the door of the cell checks just that;
    // outside one these lines do nothing.
    unsafe {
        (*slot.as_ptr()).content.with_mut(|_| {});
        slot.drop_in_place();
    }
    // SAFETY: it came from the pool as a `Slot<T>`, and this is its only end.
    unsafe { pool::give_back(slot) };
}

impl Words {
    /// Takes a waker over.
    fn of(waker: Option<Waker>) -> Self {
        let Some(waker) = waker.map(ManuallyDrop::new) else {
            return Self { data: AtomicPtr::new(ptr::null_mut()), vtable: AtomicPtr::new(ptr::null_mut()) };
        };
        let WakerParts { data, vtable } = WakerParts::of(&waker);
        Self { data: AtomicPtr::new(data), vtable: AtomicPtr::new(vtable) }
    }

    // Relaxed, here and below: the state says which words belong together.
    fn write(&self, waker: &Waker) {
        let WakerParts { data, vtable } = WakerParts::of(waker);
        self.data.store(data, Ordering::Relaxed);
        self.vtable.store(vtable, Ordering::Relaxed);
    }

    fn read(&self) -> WakerParts {
        WakerParts { data: self.data.load(Ordering::Relaxed), vtable: self.vtable.load(Ordering::Relaxed) }
    }
}

/// The two words of a waker; if read while they change, perhaps of two wakers.
struct WakerParts {
    data: *mut (),
    vtable: *mut RawWakerVTable,
}

impl WakerParts {
    fn of(waker: &Waker) -> Self {
        Self { data: waker.data().cast_mut(), vtable: ptr::from_ref(waker.vtable()).cast_mut() }
    }

    /// Whether both are of the same task, as [`Waker::will_wake`] has it.
    fn will_wake(&self, waker: &Waker) -> bool {
        ptr::eq(self.data, waker.data()) && ptr::eq(self.vtable, waker.vtable())
    }

    /// # Safety
    ///
    /// It is one waker's, which the slot owned; whoever calls this owns it now.
    unsafe fn own(self) -> Waker {
        // SAFETY: they are the parts of a waker, whose table is there for ever.
        unsafe { Waker::new(self.data, &*self.vtable) }
    }
}
