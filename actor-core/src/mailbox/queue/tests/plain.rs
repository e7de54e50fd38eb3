//! One thread step by step, and a few real ones at once.

use std::sync::{Mutex, mpsc};
use std::task::{Wake, Waker};
use std::thread;

use super::*;

/// Counts its wake-ups.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, O::SeqCst);
    }
}

impl Woken {
    fn new() -> (Arc<Self>, Waker) {
        let woken = Arc::new(Self::default());
        (woken.clone(), Waker::from(woken))
    }

    fn count(&self) -> usize {
        self.0.load(O::SeqCst)
    }
}

#[test]
fn messages_come_out_in_order_across_blocks() {
    let (queue, mut inbox) = queue(UNBOUNDED);
    for round in 0..10 {
        for i in 0..100 {
            queue.push(round * 100 + i).unwrap();
        }
        for i in 0..100 {
            assert_eq!(next(&mut inbox), Some(round * 100 + i));
        }
        assert_eq!(next(&mut inbox), None);
    }
}

#[test]
fn positions_wrap_around() {
    // A few blocks before the end of the world.
    let start = 0u64.wrapping_sub(3 * 32 * ONE);
    for bound in [None, Some(5)] {
        let (queue, mut inbox) = queue_at(Setup::bounded(bound), start);
        for i in 0..500 {
            queue.push(2 * i).unwrap();
            queue.push(2 * i + 1).unwrap();
            assert_eq!((next(&mut inbox), next(&mut inbox)), (Some(2 * i), Some(2 * i + 1)));
        }
        assert_eq!(next(&mut inbox), None);
        if bound.is_some() {
            (0..5).for_each(|i| queue.push(i).unwrap());
            assert_eq!(queue.push(5), Err((5, Refused::Full)));
        }
    }
}

#[test]
fn the_bound_is_exact_and_room_returns_when_released() {
    for bound in [1, 2, 3, 64, 1024] {
        let (queue, mut inbox) = queue(Setup::bounded(Some(bound)));
        for _ in 0..3 {
            (0..bound).for_each(|i| queue.push(i).unwrap());
            assert_eq!(queue.push(0), Err((0, Refused::Full)));
            assert!(take(&mut inbox) == Some(0));
            assert_eq!(queue.push(0), Err((0, Refused::Full)), "taken, but still counted");
            inbox.release();
            queue.push(bound).unwrap();
            assert_eq!(queue.push(0), Err((0, Refused::Full)));
            (1..=bound).for_each(|i| assert_eq!(next(&mut inbox), Some(i)));
        }
    }
}

#[test]
fn a_place_is_handed_on_without_becoming_free() {
    let (queue, mut inbox) = queue(Setup::bounded(Some(1)));
    queue.push("first").unwrap();
    assert!(take(&mut inbox) == Some("first"));
    assert_eq!(queue.push("barging"), Err(("barging", Refused::Full)));
    queue.push_into_place("waited", None).unwrap();
    assert_eq!(queue.push("barging"), Err(("barging", Refused::Full)));
    assert_eq!(next(&mut inbox), Some("waited"));
    queue.push("later").unwrap();
    assert!(take(&mut inbox) == Some("later"));
    queue.return_place();
    queue.push("last").unwrap();
    assert_eq!(queue.push("barging"), Err(("barging", Refused::Full)));
}

#[test]
fn nothing_gets_in_after_the_close_and_all_before_it_comes_out() {
    let (queue, mut inbox) = queue(UNBOUNDED);
    queue.push(1).unwrap();
    assert!(!queue.is_closed());
    queue.close();
    assert!(queue.is_closed());
    assert_eq!(queue.push(2), Err((2, Refused::Closed)));
    assert_eq!(next(&mut inbox), Some(1));
    assert!(matches!(inbox.take(), Taken::Closed));
    assert_eq!(inbox.park(Waker::noop()), Park::Awake);
}

#[test]
fn an_unused_queue_closes_too() {
    let (queue, mut inbox) = queue::<u8>(UNBOUNDED);
    assert!(matches!(inbox.take(), Taken::Empty));
    queue.close();
    assert!(matches!(inbox.take(), Taken::Closed));
}

#[test]
fn the_sender_that_ends_a_park_wakes_and_no_other() {
    let (queue, mut inbox) = queue(UNBOUNDED);
    let (woken, waker) = Woken::new();
    assert_eq!(inbox.park(&waker), Park::Parked);
    queue.push(1).unwrap();
    queue.push(2).unwrap();
    assert_eq!(woken.count(), 1);
    assert_eq!(inbox.park(&waker), Park::Awake, "there are messages");
    assert_eq!((next(&mut inbox), next(&mut inbox)), (Some(1), Some(2)));
    assert_eq!(inbox.park(&waker), Park::Parked);
    assert!(matches!(inbox.take(), Taken::Empty), "polled for another reason");
    queue.push(3).unwrap();
    assert_eq!(woken.count(), 1, "it was not parked any more");
}

/// Says when it is being used, and takes until it is let go.
struct Slow {
    begun: mpsc::SyncSender<()>,
    gate: Mutex<mpsc::Receiver<()>>,
}

impl Wake for Slow {
    fn wake(self: Arc<Self>) {
        self.begun.send(()).unwrap();
        // Until the other end is gone.
        let _ = self.gate.lock().unwrap().recv();
    }
}

#[test]
fn a_receiver_sleeps_again_while_its_waker_is_still_being_used() {
    let (queue, mut inbox) = queue(UNBOUNDED);
    let (begun, is_begun) = mpsc::sync_channel(0);
    let (let_go, gate) = mpsc::channel();
    let slow = Waker::from(Arc::new(Slow { begun, gate: Mutex::new(gate) }));
    let (_, other) = Woken::new();
    thread::scope(|scope| {
        let queue = &queue;
        for sender in 0..ERRANDS {
            assert_eq!(inbox.park(&slow), Park::Parked);
            scope.spawn(move || queue.push(sender).unwrap());
            is_begun.recv().unwrap();
            assert_eq!(next(&mut inbox), Some(sender));
            assert_eq!(inbox.publish(&other), Published::Busy, "it is being used");
        }
        assert_eq!(inbox.park(&slow), Park::Busy, "as many as can be told apart are at it");
        drop(let_go);
    });
    assert_eq!(inbox.publish(&other), Published::Now);
    for _ in 0..2 * ERRANDS {
        assert_eq!(inbox.park(&other), Park::Parked);
        queue.push(7).unwrap();
        assert_eq!(next(&mut inbox), Some(7));
    }
}

/// A waker of a runtime that is broken.
struct Broken;

impl Wake for Broken {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

#[test]
fn a_waker_that_panics_holds_nobody_up() {
    let (queue, mut inbox) = queue(UNBOUNDED);
    let broken = Waker::from(Arc::new(Broken));
    for sent in 0..2 * ERRANDS {
        assert_eq!(inbox.park(&broken), Park::Parked);
        queue.push(sent).unwrap();
        queue.wake();
        assert_eq!(next(&mut inbox), Some(sent));
    }
    let (woken, waker) = Woken::new();
    assert_eq!(inbox.park(&waker), Park::Parked);
    queue.push(0).unwrap();
    assert_eq!(woken.count(), 1);
}

#[test]
fn a_waker_is_replaced_at_rest() {
    let (queue, mut inbox) = queue(UNBOUNDED);
    let (first, first_waker) = Woken::new();
    let (second, second_waker) = Woken::new();
    queue.wake();
    assert_eq!(inbox.publish(&first_waker), Published::Now);
    assert_eq!(inbox.publish(&first_waker), Published::Before);
    assert_eq!(inbox.park(&first_waker), Park::Parked);
    queue.push(()).unwrap();
    queue.wake();
    assert_eq!((first.count(), second.count()), (2, 0));
    assert_eq!(inbox.publish(&second_waker), Published::Now);
    assert_eq!(next(&mut inbox), Some(()));
    assert_eq!(inbox.park(&second_waker), Park::Parked);
    queue.push(()).unwrap();
    queue.wake();
    assert_eq!((first.count(), second.count()), (2, 2));
    drop(inbox);
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (2, 2), "ours and the test's waker");
}

#[test]
fn a_receiver_that_is_asleep_may_publish_another_waker() {
    let (queue, mut inbox) = queue(UNBOUNDED);
    let (first, first_waker) = Woken::new();
    let (second, second_waker) = Woken::new();
    assert_eq!(inbox.park(&first_waker), Park::Parked);
    assert_eq!(inbox.publish(&second_waker), Published::Now, "which ends its park");
    queue.push(()).unwrap();
    queue.wake();
    assert_eq!((first.count(), second.count()), (0, 1), "the call alone, and the waker that is stored now");
}

#[test]
fn what_is_left_is_dropped_once_wherever_it_is_left() {
    for left_in_queue in [false, true] {
        let drops = Arc::new(AtomicUsize::new(0));
        let (queue, mut inbox) = queue(UNBOUNDED);
        for _ in 0..100 {
            assert!(queue.push(Counted(drops.clone())).is_ok());
        }
        drop(next(&mut inbox));
        if left_in_queue {
            std::mem::forget(inbox);
            // SAFETY: the forgotten receiver's share of the queue.
            unsafe { Arc::decrement_strong_count(Arc::as_ptr(&queue)) };
            assert_eq!(drops.load(O::SeqCst), 1);
        } else {
            drop(inbox);
            assert_eq!(drops.load(O::SeqCst), 100);
            assert!(matches!(queue.push(Counted(drops.clone())), Err((_, Refused::Closed))));
            drops.fetch_sub(1, O::SeqCst);
        }
        drop(queue);
        assert_eq!(drops.load(O::SeqCst), 100);
    }
}

#[test]
fn a_destructor_that_panics_keeps_no_other_from_running() {
    struct Bomb(#[expect(dead_code, reason = "its drop is what counts")] Counted);
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a destructor that panics");
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let (queue, inbox) = queue(UNBOUNDED);
    for _ in 0..40 {
        assert!(queue.push(Bomb(Counted(drops.clone()))).is_ok());
    }
    drop(inbox);
    assert_eq!(drops.load(O::SeqCst), 40);
}

#[test]
fn messages_of_any_size() {
    fn round_trip<T: PartialEq + Clone + std::fmt::Debug>(value: T) {
        let (queue, mut inbox) = queue(Setup::bounded(Some(3)));
        for _ in 0..70 {
            queue.push(value.clone()).unwrap();
            queue.push(value.clone()).unwrap();
            assert_eq!(next(&mut inbox).as_ref(), Some(&value));
            assert_eq!(next(&mut inbox).as_ref(), Some(&value));
        }
    }
    round_trip(());
    round_trip(7u8);
    round_trip([7u64; 16]);
    round_trip([7u8; 5000]);
    let big = thread::Builder::new().stack_size(64 << 20).spawn(|| round_trip([7u8; 1 << 20]));
    big.unwrap().join().unwrap();
}

#[test]
fn a_rested_queue_works_on() {
    let (queue, mut inbox) = queue(Setup::bounded(Some(2)));
    inbox.rest();
    for i in 0..200 {
        queue.push(i).unwrap();
        inbox.rest();
        assert_eq!(next(&mut inbox), Some(i), "not rested while there was a message");
        inbox.rest();
        assert_eq!(inbox.park(Waker::noop()), Park::Parked);
        queue.push(i).unwrap();
        queue.push(i).unwrap();
        assert_eq!(queue.push(i), Err((i, Refused::Full)));
        assert_eq!((next(&mut inbox), next(&mut inbox)), (Some(i), Some(i)));
        inbox.rest();
        assert!(matches!(inbox.take(), Taken::Empty));
    }
}

#[test]
fn senders_may_take_the_oldest() {
    let setup = Setup { bound: Some(3), is_tagged: false, is_evicting: true };
    let (queue, mut inbox) = queue(setup);
    (0..3).for_each(|i| queue.push(i).unwrap());
    assert_eq!(queue.push(3), Err((3, Refused::Full)));
    assert_eq!(evicted(&queue), Some(0));
    queue.push(3).unwrap();
    (1..4).for_each(|i| assert_eq!(next(&mut inbox), Some(i)));
    assert_eq!(evicted(&queue), None);
}

#[test]
fn a22_tags_travel_beside_their_messages() {
    let ledger = Ledger::default();
    let (queue, mut inbox) = queue(Setup { bound: Some(3), is_tagged: true, is_evicting: false });
    for n in 1..100 {
        queue.push_tagged(n, &mut ledger.tag(n)).unwrap();
        queue.push_tagged(n, &mut Tag::none()).unwrap();
        assert_eq!(queue.push(n), Err((n, Refused::Untagged)));
        assert_eq!(ledger.open(), 1);
        assert_eq!(take_tagged(&mut inbox), Some((n, Some(n))));
        assert_eq!(take_tagged(&mut inbox), Some((n, None)));
        assert_eq!(ledger.open(), 0);
    }
    // What is refused comes back with its tag, and what is left goes with the queue.
    (1..=3).for_each(|n| assert!(queue.push_tagged(n, &mut ledger.tag(n)).is_ok()));
    let mut tag = ledger.tag(4);
    assert_eq!(queue.push_tagged(4, &mut tag), Err((4, Refused::Full)));
    assert_eq!((tag.number(), ledger.open()), (Some(4), 4));
    queue.close();
    assert_eq!(queue.push_tagged(4, &mut tag), Err((4, Refused::Closed)));
    assert_eq!(queue.push(4), Err((4, Refused::Closed)));
    drop((tag, inbox));
    assert_eq!(ledger.open(), 0);
}

#[test]
fn a22_a_place_that_was_waited_for_is_taken_with_a_tag() {
    let ledger = Ledger::default();
    let (queue, mut inbox) = queue(Setup { bound: Some(1), is_tagged: true, is_evicting: false });
    assert!(queue.push_tagged(1, &mut ledger.tag(1)).is_ok());
    let Taken::Message(oldest) = inbox.take() else { panic!("there is one") };
    assert_eq!(oldest.take_tag().unwrap().number(), Some(1));
    assert_eq!(oldest.take_unless(|| true), 1);
    queue.push_into_place(2, Some(ledger.tag(2))).unwrap();
    assert_eq!(take_tagged(&mut inbox), Some((2, Some(2))));
    assert_eq!(ledger.open(), 0);
}

#[test]
#[should_panic(expected = "only a tagged queue takes tags")]
fn a_tag_needs_a_tagged_queue() {
    let (queue, _inbox) = queue(UNBOUNDED);
    let _ = queue.push_tagged(1, &mut Tag::none());
}

#[test]
fn many_threads_lose_repeat_and_reorder_nothing() {
    const SENDERS: usize = 4;
    const EACH: usize = 10_000;
    for bound in [None, Some(3), Some(1024)] {
        let (queue, mut inbox) = queue(Setup::bounded(bound));
        let sum = AtomicUsize::new(0);
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let queue = &queue;
                scope.spawn(move || {
                    for i in 0..EACH {
                        while queue.push((sender, i)).is_err() {
                            thread::yield_now();
                        }
                    }
                });
            }
            let mut last = [None; SENDERS];
            let mut left = SENDERS * EACH;
            while left > 0 {
                let Some((sender, i)) = next(&mut inbox) else {
                    // Asleep for real, so that parks and wake-ups are exercised.
                    let thread = thread::current();
                    if inbox.park(&Waker::from(Arc::new(Unpark(thread)))) == Park::Parked {
                        thread::park();
                    }
                    continue;
                };
                let expected = last[sender].map_or(0, |last| last + 1);
                assert_eq!(i, expected, "of sender {sender}");
                last[sender] = Some(i);
                sum.fetch_add(1, O::Relaxed);
                left -= 1;
            }
        });
        assert_eq!(sum.into_inner(), SENDERS * EACH);
        assert_eq!(next(&mut inbox), None);
    }
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn the_cell_of_a_queue_is_small() {
    assert!(size_of::<Queue<[u64; 3]>>() <= 136, "{}", size_of::<Queue<[u64; 3]>>());
    let queue = Queue::<u8>::new(UNBOUNDED);
    let tail = ptr::from_ref(&queue.limit).addr() + 8;
    let head = ptr::from_ref(&queue.head).addr();
    assert!(head - tail >= 56, "what the senders write and what the receiver writes lie apart");
}
