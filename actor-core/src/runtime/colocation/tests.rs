//! The host, polled by hand: who is run when, exactly.

use std::future::{pending, poll_fn};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::thread;

use super::*;
use crate::sync::LockExt;

/// Counts how often the host's task was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A host, and what its executor would hold.
struct Bench {
    host: Pin<Box<Host>>,
    woken: Arc<Woken>,
    /// Who was polled, in order.
    log: Arc<Mutex<Vec<u32>>>,
}

impl Bench {
    fn new() -> (Colocation, Self) {
        let (place, host) = Colocation::with_host();
        (place, Self { host: Box::pin(host), woken: Arc::default(), log: Arc::default() })
    }

    /// One turn of the host.
    fn turn(&mut self) -> Poll<()> {
        let waker = Waker::from(self.woken.clone());
        self.host.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// How often the host was woken since this was last called.
    fn wake_ups(&self) -> usize {
        self.woken.0.swap(0, Ordering::SeqCst)
    }

    /// Who was polled since this was last called.
    fn polled(&self) -> Vec<u32> {
        std::mem::take(&mut self.log.locked())
    }

    /// A member that has itself run again whenever it has run, for ever.
    fn restless(&self, number: u32) -> impl Future<Output = ()> + Send + use<> {
        let log = self.log.clone();
        poll_fn(move |cx| {
            log.locked().push(number);
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// A member that waits, and leaves its waker.
    fn idle(&self, number: u32) -> (impl Future<Output = ()> + Send + use<>, Arc<Mutex<Option<Waker>>>) {
        let (log, waker) = (self.log.clone(), Arc::new(Mutex::new(None)));
        let left = waker.clone();
        let member = poll_fn(move |cx| {
            log.locked().push(number);
            *left.locked() = Some(cx.waker().clone());
            Poll::Pending
        });
        (member, waker)
    }

    /// A member that ends at once.
    fn brief(&self, number: u32) -> impl Future<Output = ()> + Send + use<> {
        let log = self.log.clone();
        async move { log.locked().push(number) }
    }
}

/// A waker that calls a member when it is dropped.
struct CallsWhenDropped(Arc<Mutex<Option<Waker>>>);

impl Wake for CallsWhenDropped {
    fn wake(self: Arc<Self>) {}
}

impl Drop for CallsWhenDropped {
    fn drop(&mut self) {
        if let Some(member) = &*self.0.locked() {
            member.wake_by_ref();
        }
    }
}

/// An executor may poll with another waker each time, and drop the old one inside.
#[test]
fn a_member_that_is_called_while_the_host_goes_to_sleep_is_polled() {
    let (place, mut bench) = Bench::new();
    let (member, waker) = bench.idle(1);
    place.spawn(member);
    let first = Waker::from(Arc::new(CallsWhenDropped(waker)));
    assert_eq!(bench.host.as_mut().poll(&mut Context::from_waker(&first)), Poll::Pending);
    assert_eq!(bench.polled(), [1]);
    drop(first);
    // The host keeps the first waker until it has another to sleep with.
    assert_eq!(bench.turn(), Poll::Pending);
    assert_eq!(bench.polled(), [1]);
}

#[test]
fn members_take_turns() {
    let (place, mut bench) = Bench::new();
    for number in 0..3 {
        place.spawn(bench.restless(number));
    }
    assert!(bench.turn().is_pending());
    assert_eq!(bench.wake_ups(), 1, "it goes on after the others of its thread");
    // Newcomers are let in whenever nobody is ready or it is time to look: the first
    // runs alone until then.
    let polled = bench.polled();
    assert_eq!(polled.len(), MEMBERS_PER_TURN as usize);
    let look = MEMBERS_PER_LOOK as usize;
    assert_eq!(polled[..look], vec![0; look]);
    let all_are_in = 2 * look + 1;
    for run in polled[all_are_in..].chunks_exact(3) {
        let mut members = run.to_vec();
        members.sort_unstable();
        assert_eq!(members, [0, 1, 2]);
    }
    // The queue is kept from one turn to the next.
    let next = polled[polled.len() - 3];
    assert!(bench.turn().is_pending());
    assert_eq!(
        bench.polled()[1..4],
        polled[polled.len() - 2..].iter().copied().chain([next]).collect::<Vec<_>>()
    );
}

#[test]
fn a_newcomer_is_let_in_though_members_never_rest() {
    let (place, mut bench) = Bench::new();
    place.spawn(bench.restless(0));
    place.spawn(bench.restless(1));
    assert!(bench.turn().is_pending());
    bench.polled();

    for number in 2..5 {
        place.spawn(bench.brief(number));
    }
    assert!(bench.turn().is_pending());
    let polled = bench.polled();
    let at = |number| polled.iter().position(|polled| *polled == number);
    let look = MEMBERS_PER_LOOK as usize;
    assert_eq!([at(2), at(3), at(4)], [Some(0), Some(look), Some(2 * look)]);
}

#[test]
fn a_message_from_outside_is_let_in_though_members_never_rest() {
    let (place, mut bench) = Bench::new();
    let (idle, waker) = bench.idle(7);
    place.spawn(idle);
    place.spawn(bench.restless(0));
    assert!(bench.turn().is_pending());
    bench.polled();

    // From another thread, and in the middle of a turn.
    let waker = waker.locked().take().unwrap();
    let (mut polls, log) = (0, bench.log.clone());
    place.spawn(poll_fn(move |cx| {
        polls += 1;
        log.locked().push(1);
        if polls == 2 {
            thread::scope(|scope| _ = scope.spawn(|| waker.wake_by_ref()));
            log.locked().push(100);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    assert!(bench.turn().is_pending());
    let polled = bench.polled();
    let woken = polled.iter().position(|polled| *polled == 100).unwrap();
    let ran = polled.iter().position(|polled| *polled == 7).unwrap();
    assert!(ran - woken <= MEMBERS_PER_LOOK as usize, "{ran}, and woken at {woken}");
}

#[test]
fn a_wake_up_within_the_place_does_not_wake_its_task() {
    let (place, mut bench) = Bench::new();
    let (idle, waker) = bench.idle(7);
    place.spawn(idle);
    assert!(bench.turn().is_pending());
    assert_eq!((bench.wake_ups(), bench.polled()), (0, vec![7]));

    // Asleep: the first wake-up wakes the task, the next has nothing left to do.
    let waker = waker.locked().clone().unwrap();
    waker.wake_by_ref();
    waker.wake_by_ref();
    assert_eq!(bench.wake_ups(), 1);
    assert!(bench.turn().is_pending());
    assert_eq!((bench.wake_ups(), bench.polled()), (0, vec![7]));

    // By a neighbour, in its own run.
    let log = bench.log.clone();
    place.spawn(async move {
        log.locked().push(1);
        waker.wake();
    });
    assert_eq!(bench.wake_ups(), 1, "of the spawn");
    assert!(bench.turn().is_pending());
    assert_eq!((bench.wake_ups(), bench.polled()), (0, vec![1, 7]));
}

#[test]
fn a_place_of_its_own_is_told_from_another() {
    let (outer, mut outer_bench) = Bench::new();
    let (inner, inner_bench) = Bench::new();
    let (idle, waker) = outer_bench.idle(7);
    outer.spawn(idle);
    assert!(outer_bench.turn().is_pending());
    outer_bench.polled();

    // A member of one place polls the other, whose member wakes its neighbour's
    // neighbour: that goes round, for the run queue of this thread is another's.
    let log = inner_bench.log.clone();
    let neighbour = waker.locked().clone().unwrap();
    inner.spawn(async move {
        neighbour.wake();
        log.locked().push(1);
    });
    // What was ready here before and what is woken after are this one's all the same.
    let (before, waker_before) = outer_bench.idle(8);
    let (after, waker_after) = outer_bench.idle(9);
    outer.spawn(before);
    outer.spawn(after);
    assert!(outer_bench.turn().is_pending());
    assert_eq!(outer_bench.polled(), [8, 9]);
    let wakers = [waker_before, waker_after].map(|waker| waker.locked().clone().unwrap());
    let mut inner_host = inner_bench.host;
    outer.spawn(poll_fn(move |cx| {
        wakers[0].wake_by_ref();
        assert!(inner_host.as_mut().poll(cx).is_pending());
        wakers[1].wake_by_ref();
        Poll::Ready(())
    }));
    outer_bench.wake_ups();
    assert!(outer_bench.turn().is_pending());
    assert_eq!((outer_bench.polled(), inner_bench.log.locked().clone()), (vec![8, 9, 7], vec![1]));
    assert_eq!(outer_bench.wake_ups(), 0);
}

#[test]
fn seats_are_used_again() {
    let (place, mut bench) = Bench::new();
    for number in 0..1000 {
        place.spawn(bench.brief(number));
        assert!(bench.turn().is_pending());
    }
    assert_eq!(bench.polled(), (0..1000).collect::<Vec<_>>());
    assert_eq!((bench.host.members.len(), bench.host.vacant.len()), (1, 1));
}

#[test]
fn a_stale_wake_up_harms_nobody() {
    let (place, mut bench) = Bench::new();
    // Of one that has ended.
    let mut stale = || {
        let waker = Arc::new(Mutex::new(None));
        let left = waker.clone();
        place.spawn(poll_fn(move |cx| {
            *left.locked() = Some(cx.waker().clone());
            Poll::Ready(())
        }));
        assert!(bench.turn().is_pending());
        waker.locked().take().unwrap()
    };
    let (early, late) = (stale(), stale());

    // Nobody sits there.
    early.wake();
    assert!(bench.turn().is_pending());
    assert_eq!(bench.polled(), []);

    // Another does: it is polled once too often, and still woken when it should be.
    let (idle, waker) = bench.idle(7);
    place.spawn(idle);
    assert!(bench.turn().is_pending());
    assert_eq!(bench.polled(), [7]);
    late.wake_by_ref();
    assert!(bench.turn().is_pending());
    // Once is all that it can do.
    late.wake();
    assert!(bench.turn().is_pending());
    waker.locked().clone().unwrap().wake();
    assert!(bench.turn().is_pending());
    assert_eq!(bench.host.members.len(), 1);
    assert_eq!(bench.polled(), [7, 7]);
}

#[test]
fn it_ends_with_its_last_handle_and_its_last_member() {
    // The handle first.
    let (place, mut bench) = Bench::new();
    let (idle, waker) = bench.idle(7);
    let mut polls = 0;
    let mut idle = Box::pin(idle);
    place.spawn(poll_fn(move |cx| {
        polls += 1;
        if polls == 2 { Poll::Ready(()) } else { idle.as_mut().poll(cx) }
    }));
    let other = place.clone();
    assert!(bench.turn().is_pending());
    drop(place);
    assert_eq!(bench.wake_ups(), 0, "there is another handle");
    drop(other);
    assert!(bench.turn().is_pending());
    bench.wake_ups();
    waker.locked().take().unwrap().wake();
    assert_eq!(bench.wake_ups(), 1);
    assert!(bench.turn().is_ready());

    // The member first.
    let (place, mut bench) = Bench::new();
    place.spawn(bench.brief(1));
    assert!(bench.turn().is_pending());
    assert_eq!(bench.wake_ups(), 0);
    drop(place);
    assert_eq!(bench.wake_ups(), 1);
    assert!(bench.turn().is_ready());

    // A spawn that is still on its way is run before the end.
    let (place, mut bench) = Bench::new();
    place.spawn(bench.brief(1));
    drop(place);
    assert!(bench.turn().is_ready());
    assert_eq!(bench.polled(), [1]);
}

#[test]
fn a_panic_touches_nobody_else() {
    let (place, mut bench) = Bench::new();
    let (idle, waker) = bench.idle(7);
    place.spawn(idle);
    place.spawn(async { panic!("in a member") });
    place.spawn(bench.brief(8));
    assert!(bench.turn().is_pending());
    waker.locked().clone().unwrap().wake();
    assert!(bench.turn().is_pending());
    assert_eq!(bench.polled(), [7, 8, 7]);
    // The seat of the one that panicked went to the next.
    assert_eq!((bench.host.members.len(), bench.host.vacant.len()), (2, 1));
}

/// Panics when it is dropped, and says so.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("the bomb went off");
    }
}

#[test]
fn destructors_that_panic_do_not_meet() {
    // Two panics at once would abort the process.
    let went_off = Arc::new(AtomicUsize::new(0));
    let armed = || {
        let bomb = Bomb(went_off.clone());
        async move {
            pending::<()>().await;
            drop(bomb);
        }
    };
    let (place, mut bench) = Bench::new();
    place.spawn(armed());
    place.spawn(armed());
    assert!(bench.turn().is_pending());
    // These two never run.
    place.spawn(armed());
    place.spawn(armed());
    drop(bench);
    assert_eq!(went_off.load(Ordering::SeqCst), 4);

    // Nor does this one, which finds nobody to run it.
    place.spawn(armed());
    assert_eq!(went_off.load(Ordering::SeqCst), 5);
}
