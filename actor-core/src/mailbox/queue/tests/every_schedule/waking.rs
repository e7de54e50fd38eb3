//! Parks, errands, callers, and wakers that change.

use super::*;
use crate::mailbox::queue::waker::WakerCell;

#[test]
fn a_call_is_never_lost() {
    model(|| {
        let (queue, mut inbox) = queue::<()>(UNBOUNDED);
        let said = Arc::new(AtomicBool::new(false));
        let caller = {
            let (queue, said) = (queue.clone(), said.clone());
            thread::spawn(move || {
                said.store(true, Ordering::Release);
                queue.wake();
            })
        };
        let (task, waker) = Task::new();
        while inbox.park(&waker) != Park::Parked {
            thread::yield_now();
        }
        // A lost call leaves this asleep for ever, which loom reports.
        while !said.load(Ordering::Acquire) {
            task.wait();
        }
        caller.join().unwrap();
    });
}

#[test]
fn a_waker_is_replaced_only_when_nobody_uses_it() {
    model(|| {
        let (queue, mut inbox) = queue(UNBOUNDED);
        let (first, first_waker) = Task::new();
        // Parked with one waker, then polled by another task while a sender and a
        // caller may be at the first.
        let parked = inbox.park(&first_waker);
        assert_eq!(parked, Park::Parked);
        let sender = pushes(&queue, [1]);
        let caller = {
            let queue = queue.clone();
            thread::spawn(move || queue.wake())
        };
        let (second, second_waker) = Task::new();
        assert_eq!(receive(&mut inbox, &second, &second_waker), Some(1));
        drop(first);
        assert_eq!(sender.join().unwrap(), 1);
        caller.join().unwrap();
    });
}

/// The last slot of a block, a parked receiver, and two senders: one of them ends
/// the park, and only that one wakes.
#[test]
fn one_of_two_senders_at_a_blocks_end_wakes_the_sleeper() {
    model(|| {
        let (queue, mut inbox) = queue(UNBOUNDED);
        for n in 0..2 {
            queue.push(n).unwrap();
            assert_eq!(next(&mut inbox), Some(n));
        }
        let (task, waker) = Task::new();
        assert_eq!(inbox.park(&waker), Park::Parked);
        let senders = [1, 2].map(|n| pushes(&queue, [n]));
        senders.into_iter().for_each(|sender| assert_eq!(sender.join().unwrap(), 1));
        assert_eq!(task.wakes(), 1);
        let got = [next(&mut inbox), next(&mut inbox)];
        assert!(got == [Some(1), Some(2)] || got == [Some(2), Some(1)], "{got:?}");
    });
}

#[test]
fn two_senders_at_a_blocks_end_lose_no_wake() {
    large_model(|| {
        let (queue, mut inbox) = queue(UNBOUNDED);
        for n in 0..2 {
            queue.push(n).unwrap();
            assert_eq!(next(&mut inbox), Some(n));
        }
        let (task, waker) = Task::new();
        let senders = [1, 2].map(|n| pushes(&queue, [n]));
        let first = receive(&mut inbox, &task, &waker);
        senders.into_iter().for_each(|sender| assert_eq!(sender.join().unwrap(), 1));
        let got = [first, next(&mut inbox)];
        assert!(got == [Some(1), Some(2)] || got == [Some(2), Some(1)], "{got:?}");
    });
}

/// A park that its receiver ends itself: a sender that comes at that moment wakes
/// nobody in vain more than once, and no later park is lost.
#[test]
fn a_park_is_ended_by_one_of_two() {
    model(|| {
        let (queue, mut inbox) = queue(UNBOUNDED);
        let (task, waker) = Task::new();
        assert_eq!(inbox.park(&waker), Park::Parked);
        let sender = pushes(&queue, [1]);
        // Polled for another reason.
        let early = next(&mut inbox);
        let got = early.or_else(|| receive(&mut inbox, &task, &waker));
        assert_eq!(got, Some(1));
        assert_eq!(sender.join().unwrap(), 1);
        // Whoever ended the parks before, the next one works.
        assert_eq!(inbox.park(&waker), Park::Parked);
        let woken = task.wakes();
        queue.push(2).unwrap();
        assert_eq!(task.wakes(), woken + 1);
    });
}

/// A restart in the same cell: the receiver goes on as another task on another
/// thread, and neither a message nor a wake is lost on the way.
#[test]
fn a_receiver_that_moves_keeps_its_messages() {
    model(|| {
        let (queue, mut inbox) = queue(UNBOUNDED);
        let sender = pushes(&queue, [1, 2]);
        let (first, first_waker) = Task::new();
        let early = next(&mut inbox);
        // It sleeps, if there is nothing more, and is taken away asleep.
        _ = inbox.park(&first_waker);
        let moved = thread::spawn(move || {
            let (second, second_waker) = Task::new();
            let from = early.map_or(1, |n| n + 1);
            for n in from..=2 {
                assert_eq!(receive(&mut inbox, &second, &second_waker), Some(n));
            }
        });
        moved.join().unwrap();
        assert_eq!(sender.join().unwrap(), 2);
        drop(first);
    });
}

/// Callers come from anywhere at any time: one that comes after a publishing finds
/// that waker, and what one that came before has said is seen by the publisher.
#[test]
fn a_published_waker_meets_its_callers() {
    model(|| {
        let cell = Arc::new(WakerCell::new());
        let said = Arc::new(AtomicBool::new(false));
        let caller = {
            let (cell, said) = (cell.clone(), said.clone());
            thread::spawn(move || {
                said.store(true, Ordering::Relaxed);
                cell.wake();
            })
        };
        let (first, first_waker) = Task::new();
        let (second, second_waker) = Task::new();
        // SAFETY: this thread is the one receiver, and does not park.
        let published = unsafe { [cell.publish(&first_waker), cell.publish(&second_waker)] };
        let seen = said.load(Ordering::Relaxed);
        caller.join().unwrap();
        let woken = first.wakes() + second.wakes();
        if published[1] == Published::Now {
            assert!(seen || second.wakes() == 1, "called, and nobody knows: {published:?}");
        }
        assert!(woken <= 1);
        // SAFETY: as above.
        unsafe { assert_ne!(cell.publish(&second_waker), Published::Busy, "nobody is at it any more") };
    });
}

/// A waker is replaced, and taken away, while callers may be at it.
#[test]
fn a_waker_goes_when_its_callers_are_done() {
    model(|| {
        let cell = Arc::new(WakerCell::new());
        let (first, first_waker) = Task::new();
        // SAFETY: this thread is the one receiver, and does not park.
        unsafe { assert_eq!(cell.publish(&first_waker), Published::Now) };
        let callers = [(); 2].map(|()| {
            let cell = cell.clone();
            thread::spawn(move || cell.wake())
        });
        let (second, second_waker) = Task::new();
        // SAFETY: as above.
        unsafe {
            _ = cell.publish(&second_waker);
            cell.clear();
        }
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        assert!(first.wakes() + second.wakes() <= 2);
        // SAFETY: as above.
        unsafe { cell.clear() };
        drop((first_waker, second_waker));
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1), "no waker is left");
    });
}

/// A receiver that dies asleep, while a sender runs the errand and another calls.
#[test]
fn a_sleeper_dies_while_others_wake_it() {
    model(|| {
        let (queue, mut inbox) = queue(UNBOUNDED);
        let (task, waker) = Task::new();
        assert_eq!(inbox.park(&waker), Park::Parked);
        let sender = pushes(&queue, [1]);
        let caller = {
            let queue = queue.clone();
            thread::spawn(move || queue.wake())
        };
        drop(inbox);
        _ = sender.join().unwrap();
        caller.join().unwrap();
        drop((queue, waker));
        assert_eq!(Arc::strong_count(&task), 1, "no waker is left");
    });
}

/// A close wakes nobody by itself; with a call it reaches a sleeper, also if a
/// message comes at the same time.
#[test]
fn a_sleeper_hears_of_the_close() {
    model(|| {
        let (queue, mut inbox) = queue::<i32>(UNBOUNDED);
        let (task, waker) = Task::new();
        let closer = {
            let queue = queue.clone();
            thread::spawn(move || {
                queue.close();
                queue.wake();
            })
        };
        let sender = pushes(&queue, [1]);
        let mut handled = 0;
        while receive(&mut inbox, &task, &waker).is_some() {
            handled += 1;
        }
        assert_eq!(handled, sender.join().unwrap());
        closer.join().unwrap();
    });
}
