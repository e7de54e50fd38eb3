//! Every edge of the state machine on one thread, and hostile values.

use std::mem::{align_of_val, size_of};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::thread;

use super::super::*;
use super::{Counted, Drops};
use crate::limits::REPLY_SLOTS_KEPT_MAX;
use crate::sync::LockExt;

/// Counts how often it was woken; its count of references is the test's business.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Woken {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll<T>(caller: &mut Caller<T>, woken: &Arc<Woken>) -> Poll<Outcome<T>> {
    caller.poll(&mut Context::from_waker(&Waker::from(Arc::clone(woken))))
}

/// The kind of state, and how often the caller has parked.
fn state<T>(caller: &Caller<T>) -> (u64, u64) {
    let slot = caller.slot.expect("the caller is in");
    // SAFETY: the caller is in.
    let state = unsafe { (*slot.as_ptr()).state.load(Ordering::Relaxed) };
    (state & KIND, state / PARK)
}

#[test]
fn answered_before_the_first_poll() {
    let (drops, woken) = (Drops::default(), Arc::default());
    let (replier, mut caller) = slot(Bound::NOWHERE, None, None);
    assert_eq!(state(&caller), (EMPTY, 0));
    assert!(replier.answer(Ok(drops.value())).is_ok());
    assert_eq!(state(&caller).0, ANSWERED);
    let Poll::Ready(Ok(value)) = poll(&mut caller, &woken) else { panic!("it was answered") };
    assert_eq!(drops.count(), 0);
    drop((value, caller));
    assert_eq!((drops.count(), woken.count(), Arc::strong_count(&woken)), (1, 0, 1));
}

#[test]
fn answered_while_the_caller_waits() {
    let (drops, woken) = (Drops::default(), Arc::default());
    let (replier, mut caller) = slot(Bound::NOWHERE, None, None);
    assert!(poll(&mut caller, &woken).is_pending());
    assert_eq!((state(&caller), Arc::strong_count(&woken)), ((WAITING, 1), 2));
    assert!(poll(&mut caller, &woken).is_pending());
    assert_eq!((state(&caller), Arc::strong_count(&woken)), ((WAITING, 1), 2));
    assert!(replier.answer(Ok(drops.value())).is_ok());
    assert_eq!((state(&caller).0, woken.count(), Arc::strong_count(&woken)), (ANSWERED, 1, 1));
    assert!(poll(&mut caller, &woken).is_ready());
    assert_eq!(drops.count(), 1);
}

#[test]
fn polled_by_another_task() {
    let (first, second) = (Arc::default(), Arc::default());
    let (replier, mut caller) = slot(Bound::NOWHERE, None, None);
    assert!(poll(&mut caller, &first).is_pending());
    assert!(poll(&mut caller, &second).is_pending());
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 2));
    assert_eq!(state(&caller), (WAITING, 2), "a replier that read the first one's words shall see it");
    assert!(replier.answer(Ok(())).is_ok());
    assert_eq!((first.count(), second.count()), (0, 1));
    assert!(poll(&mut caller, &first).is_ready());
}

#[test]
fn left_before_the_first_poll() {
    let drops = Drops::default();
    let (replier, caller) = slot(Bound::NOWHERE, None, None);
    assert!(!replier.is_left());
    drop(caller);
    assert!(replier.is_left());
    let Err(Ok(value)) = replier.answer(Ok(drops.value())) else { panic!("the caller has left") };
    assert_eq!(drops.count(), 0);
    drop(value);
    assert_eq!(drops.count(), 1);
}

#[test]
fn left_while_waiting_the_task_is_let_go_at_once() {
    let woken = Arc::default();
    let (replier, mut caller) = slot::<()>(Bound::NOWHERE, None, None);
    assert!(poll(&mut caller, &woken).is_pending());
    drop(caller);
    assert_eq!(Arc::strong_count(&woken), 1);
    assert!(replier.is_left());
    drop(replier);
    assert_eq!(woken.count(), 0);
}

#[test]
fn left_without_taking_the_answer() {
    let (drops, woken) = (Drops::default(), Arc::default());
    let (replier, caller) = slot(Bound::NOWHERE, None, None);
    assert!(replier.answer(Ok(drops.value())).is_ok());
    drop(caller);
    assert_eq!(drops.count(), 1);
    let (replier, mut caller) = slot(Bound::NOWHERE, None, None);
    assert!(poll(&mut caller, &woken).is_pending());
    assert!(replier.answer(Ok(drops.value())).is_ok());
    drop(caller);
    assert_eq!((drops.count(), woken.count()), (2, 1));
}

/// Begins as one that waits, as a call that is sent and awaited in one poll does.
#[test]
fn waits_from_the_start() {
    let (drops, woken) = (Drops::default(), Arc::<Woken>::default());
    let (replier, mut caller) = slot(Bound::NOWHERE, None, Some(Waker::from(Arc::clone(&woken))));
    assert_eq!((state(&caller), Arc::strong_count(&woken)), ((WAITING, 0), 2));
    assert!(poll(&mut caller, &woken).is_pending());
    assert_eq!((state(&caller), Arc::strong_count(&woken)), ((WAITING, 0), 2));
    assert!(replier.answer(Ok(drops.value())).is_ok());
    assert_eq!((woken.count(), Arc::strong_count(&woken)), (1, 1));
    drop(caller);
    assert_eq!(drops.count(), 1);
    let (replier, caller) = slot::<Counted>(Bound::NOWHERE, None, Some(Waker::from(Arc::clone(&woken))));
    drop(caller);
    assert_eq!((replier.is_left(), Arc::strong_count(&woken)), (true, 1));
}

/// Told instead of a caller; panics if it is told twice, or to.
struct Told {
    drops: Drops,
    told: Arc<Mutex<Option<Outcome<Counted>>>>,
    is_hostile: bool,
}

impl Answer<Counted> for Told {
    fn answer(&mut self, result: Outcome<Counted>) {
        assert!(self.told.locked().replace(result).is_none());
        assert!(!self.is_hostile, "on purpose");
    }

    fn is_closed(&self) -> bool {
        self.told.locked().is_some()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        drop(self.drops.value());
    }
}

#[test]
fn a_caller_elsewhere_is_told_and_the_memory_kept() {
    let (drops, kept) = (Drops::default(), pool::kept::<Slot<Counted>>());
    let foreign = |is_hostile| {
        let told = Arc::default();
        let answer = Told { drops: drops.clone(), told: Arc::clone(&told), is_hostile };
        (Replier::foreign(Elsewhere { bound: Bound::NOWHERE, answer }, Some(Instant::FAR)), told)
    };
    let (replier, told) = foreign(false);
    assert_eq!((replier.is_left(), replier.deadline()), (false, Some(Instant::FAR)));
    *told.locked() = Some(Err(CallFailure::Expired));
    assert!(replier.is_left());
    *told.locked() = None;
    assert!(replier.answer(Ok(drops.value())).is_ok());
    assert!(matches!(told.locked().take(), Some(Ok(_))));
    assert_eq!(drops.count(), 2, "the value, and who was told");

    let (replier, told) = foreign(false);
    drop(replier);
    assert!(matches!(*told.locked(), Some(Err(CallFailure::NoReply))));

    let (replier, told) = foreign(true);
    assert!(replier.answer(Ok(drops.value())).is_ok(), "whatever it does, it was told");
    assert!(matches!(told.locked().take(), Some(Ok(_))));
    assert_eq!(drops.count(), 5);
    let both = pool::kept::<Slot<Counted>>();
    assert_eq!(both, kept.map(|kept| kept + 2), "the slot, and whoever is told, three times");
}

#[test]
fn a_dropped_replier_did_not_answer() {
    let woken = Arc::default();
    let (replier, mut caller) = slot::<Counted>(Bound::NOWHERE, None, None);
    assert!(poll(&mut caller, &woken).is_pending());
    drop(replier);
    assert_eq!(woken.count(), 1);
    assert!(matches!(poll(&mut caller, &woken), Poll::Ready(Err(CallFailure::NoReply))));
}

/// Does something with the caller's end while the replier wakes it.
struct Meddler(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        let meddle = self.0.locked().take().expect("it is woken once");
        meddle();
    }
}

#[test]
fn a_wake_may_end_the_call_from_within() {
    let (replier, mut caller) = slot::<u32>(Bound::NOWHERE, None, None);
    let meddler = Arc::new(Meddler(Mutex::default()));
    assert!(caller.poll(&mut Context::from_waker(&Waker::from(Arc::clone(&meddler)))).is_pending());
    *meddler.0.locked() = Some(Box::new(move || {
        assert_eq!(poll(&mut caller, &Arc::default()), Poll::Ready(Ok(7)));
    }));
    assert!(replier.answer(Ok(7)).is_ok());
    assert!(meddler.0.locked().is_none());
}

#[test]
fn a_waker_that_panics_harms_nobody_and_the_answer_stays() {
    let (replier, mut caller) = slot(Bound::NOWHERE, None, None);
    let meddler = Arc::new(Meddler(Mutex::new(Some(Box::new(|| panic!("on purpose"))))));
    assert!(caller.poll(&mut Context::from_waker(&Waker::from(meddler))).is_pending());
    assert_eq!(replier.answer(Ok(7)), Ok(()));
    assert_eq!(poll(&mut caller, &Arc::default()), Poll::Ready(Ok(7)));
}

/// A value whose destructor panics.
struct Grenade(Drops);

impl Drop for Grenade {
    fn drop(&mut self) {
        drop(self.0.value());
        panic!("on purpose");
    }
}

#[test]
fn a_destructor_that_panics_spreads_no_further_and_leaks_nothing() {
    let drops = Drops::default();
    let (replier, caller) = slot(Bound::NOWHERE, None, None);
    let kept = pool::kept::<Slot<Grenade>>();
    assert!(replier.answer(Ok(Grenade(drops.clone()))).is_ok());
    drop(caller);
    assert_eq!(drops.count(), 1);
    assert_eq!(pool::kept::<Slot<Grenade>>(), kept.map(|kept| kept + 1));
}

#[test]
fn a_destructor_that_panics_while_another_panic_unwinds_is_contained() {
    let drops = Drops::default();
    let (replier, caller) = slot(Bound::NOWHERE, None, None);
    assert!(replier.answer(Ok(Grenade(drops.clone()))).is_ok());
    let unwinding = catch_unwind(AssertUnwindSafe(move || {
        let _caller = caller;
        panic!("the first");
    }));
    assert_eq!(unwinding.unwrap_err().downcast_ref(), Some(&"the first"));
    assert_eq!(drops.count(), 1);
}

#[test]
fn values_of_every_shape_pass() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(256))]
    struct OverAligned(u8);

    #[track_caller]
    fn passes<T: PartialEq + Clone + std::fmt::Debug>(value: T) {
        let (replier, mut caller) = slot(Bound::NOWHERE, None, None);
        assert!(poll(&mut caller, &Arc::default()).is_pending());
        assert_eq!(replier.answer(Ok(value.clone())), Ok(()));
        let Poll::Ready(Ok(got)) = poll(&mut caller, &Arc::default()) else { panic!("it was answered") };
        assert_eq!(got, value);
        let (replier, caller) = slot(Bound::NOWHERE, None, None);
        drop(caller);
        assert_eq!(replier.answer(Ok(value.clone())), Err(Ok(value)));
    }

    passes(());
    passes([0_u8; 0]);
    passes(1_u8);
    passes([2_u64; 8]);
    passes([3_u64; 24]);
    passes([4_u64; 100]);
    passes("text".to_owned());
    passes(OverAligned(5));
    thread::Builder::new().stack_size(64 << 20).spawn(|| passes([6_u8; 1 << 20])).unwrap().join().unwrap();

    let (replier, _caller) = slot::<OverAligned>(Bound::NOWHERE, None, None);
    // SAFETY: both ends are in.
    let content = unsafe { (*replier.slot.as_ptr()).content.with(|content| content.cast::<OverAligned>()) };
    assert_eq!(content.align_offset(align_of_val(&OverAligned(0))), 0);
}

#[test]
fn a_small_answer_fits_the_smallest_block() {
    assert!(size_of::<Slot<()>>() <= 64, "{}", size_of::<Slot<()>>());
    assert!(size_of::<Slot<u64>>() <= 64, "{}", size_of::<Slot<u64>>());
    assert!(size_of::<Slot<Result<u64, u64>>>() <= 128);
}

/// Each test has a thread of its own, whose lists begin empty.
#[test]
fn memory_is_kept_and_used_again() {
    if pool::kept::<Slot<u8>>().is_none() {
        return;
    }
    let (replier, caller) = slot::<u8>(Bound::NOWHERE, None, None);
    let first = replier.slot.addr();
    assert_eq!(pool::kept::<Slot<u8>>(), Some(0));
    drop((caller, replier));
    assert_eq!(pool::kept::<Slot<u8>>(), Some(1));
    let (replier, caller) = slot::<[u8; 16]>(Bound::NOWHERE, None, None);
    assert_eq!(replier.slot.addr(), first, "another type of the same class takes it");
    assert_eq!(pool::kept::<Slot<u8>>(), Some(0));
    drop((replier, caller));
    assert_eq!(pool::kept::<Slot<u8>>(), Some(1));
}

#[test]
fn what_fits_no_block_is_not_kept() {
    #[repr(align(32))]
    struct OverAligned;

    assert!(size_of::<Slot<OverAligned>>() <= 128);
    assert_eq!(pool::kept::<Slot<OverAligned>>(), None);
    assert_eq!(pool::kept::<Slot<[u64; 100]>>(), None);
}

#[test]
fn memory_kept_is_bounded() {
    let ends: Vec<_> =
        (0..REPLY_SLOTS_KEPT_MAX + 10).map(|_| slot::<u8>(Bound::NOWHERE, None, None)).collect();
    drop(ends);
    assert!(pool::kept::<Slot<u8>>().is_none_or(|kept| kept == REPLY_SLOTS_KEPT_MAX));
}

#[test]
fn memory_stays_where_it_was_given_back() {
    let (replier, caller) = slot::<u8>(Bound::NOWHERE, None, None);
    let there = thread::spawn(move || {
        drop((caller, replier));
        pool::kept::<Slot<u8>>()
    });
    assert!(there.join().unwrap().is_none_or(|kept| kept == 1));
    assert!(pool::kept::<Slot<u8>>().is_none_or(|kept| kept == 0));
}

/// Calls, and is called, after the thread's lists are gone: what was used first
/// is destroyed last.
#[test]
fn a_thread_that_ends_may_still_call() {
    struct Late(Option<(Replier<Counted>, Caller<Counted>, Drops)>);

    impl Drop for Late {
        fn drop(&mut self) {
            let Some((replier, mut caller, drops)) = self.0.take() else { return };
            assert!(replier.answer(Ok(drops.value())).is_ok());
            assert!(poll(&mut caller, &Arc::default()).is_ready());
            drop(caller);
            let (replier, mut caller) = slot(Bound::NOWHERE, None, None);
            assert!(replier.answer(Ok(drops.value())).is_ok());
            assert!(poll(&mut caller, &Arc::default()).is_ready());
        }
    }

    thread_local! {
        static FIRST: std::cell::RefCell<Late> = const { std::cell::RefCell::new(Late(None)) };
        static LAST: std::cell::RefCell<Late> = const { std::cell::RefCell::new(Late(None)) };
    }

    let drops = Drops::default();
    let ours = drops.clone();
    let ended = thread::spawn(move || {
        FIRST.with(|_| {});
        drop(slot::<u8>(Bound::NOWHERE, None, None));
        let late = |drops: &Drops| {
            let (replier, caller) = slot(Bound::NOWHERE, None, None);
            Late(Some((replier, caller, drops.clone())))
        };
        LAST.set(late(&drops));
        FIRST.set(late(&drops));
    });
    assert!(ended.join().is_ok());
    assert_eq!(ours.count(), 4);
}
