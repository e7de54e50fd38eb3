//! Small models: loom runs every schedule, and reports a wake-up that is lost as a
//! deadlock. A block has two slots here and a small one has one, so that a few
//! messages cross every kind of border.

use std::task::{Wake, Waker};

use loom::sync::Notify;
use loom::thread;

use super::*;

/// A task: it sleeps until it is woken.
struct Task(Notify);

impl Task {
    fn new() -> (Arc<Self>, Waker) {
        let task = Arc::new(Self(Notify::new()));
        (task.clone(), Waker::from(task))
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

/// The next message; sleeps only if it is parked. `None` when closed and empty.
fn receive<T>(inbox: &mut Inbox<T>, task: &Task, waker: &Waker) -> Option<T> {
    loop {
        match inbox.take() {
            Taken::Message(claimed) => return Some(claimed.take_unless(|| false)),
            Taken::Closed => return None,
            Taken::Busy => thread::yield_now(),
            Taken::Empty => match inbox.park(waker) {
                Park::Parked => task.0.wait(),
                Park::Awake => {}
                Park::Busy => thread::yield_now(),
            },
        }
    }
}

fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.max_branches = 20_000;
    builder.check(run);
}

#[test]
fn a_senders_messages_arrive_in_order_and_wake_the_sleeper() {
    model(|| {
        let (queue, mut inbox) = queue(Setup::bounded(None));
        let sender = thread::spawn(move || (0..3).for_each(|n| queue.push(n).unwrap()));
        let (task, waker) = Task::new();
        (0..3).for_each(|n| assert_eq!(receive(&mut inbox, &task, &waker), Some(n)));
        sender.join().unwrap();
    });
}

#[test]
fn two_senders_lose_nothing_at_the_end_of_a_block() {
    model(|| {
        let (queue, mut inbox) = queue(Setup::bounded(None));
        let senders = [1, 2].map(|n| {
            let queue = queue.clone();
            thread::spawn(move || queue.push(n).unwrap())
        });
        // Takes while they put in, if it comes to that, and then what is left.
        let early = next(&mut inbox);
        senders.map(|sender| sender.join().unwrap());
        let mut got: Vec<i32> = early.into_iter().collect();
        got.extend(std::iter::from_fn(|| next(&mut inbox)));
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
    });
}

#[test]
fn a_place_is_handed_on_under_the_exact_bound() {
    model(|| {
        let (queue, mut inbox) = queue(Setup::bounded(Some(1)));
        queue.push(1).unwrap();
        // Taken and not released: whoever waits has the place, and no other.
        assert!(take(&mut inbox) == Some(1));
        let barging = {
            let queue = queue.clone();
            thread::spawn(move || queue.push(3))
        };
        queue.push_into_place(2).unwrap();
        assert_eq!(barging.join().unwrap(), Err((3, Refused::Full)));
        assert_eq!(next(&mut inbox), Some(2));
        assert_eq!(queue.push(4), Ok(()));
        assert_eq!(queue.push(5), Err((5, Refused::Full)));
    });
}

#[test]
fn what_is_accepted_before_the_close_comes_out_and_nothing_else() {
    model(|| {
        let (queue, mut inbox) = queue(Setup::bounded(None));
        let sender = {
            let queue = queue.clone();
            thread::spawn(move || (1..=2).filter(|n| queue.push(*n).is_ok()).count())
        };
        let closer = {
            let queue = queue.clone();
            thread::spawn(move || {
                queue.close();
                queue.wake();
            })
        };
        let (task, waker) = Task::new();
        let mut handled = 0;
        while let Some(n) = receive(&mut inbox, &task, &waker) {
            handled += 1;
            assert_eq!(n, handled);
        }
        assert_eq!(handled, sender.join().unwrap());
        closer.join().unwrap();
    });
}

#[test]
fn the_bound_is_never_passed_and_released_room_is_found() {
    model(|| {
        let (queue, mut inbox) = queue(Setup::bounded(Some(1)));
        let inside = Arc::new(AtomicUsize::new(0));
        let senders = [1, 2].map(|n| {
            let (queue, inside) = (queue.clone(), inside.clone());
            thread::spawn(move || {
                let accepted = queue.push(n).is_ok();
                if accepted {
                    inside.fetch_add(1, O::SeqCst);
                }
                accepted
            })
        });
        let taken = next(&mut inbox).is_some();
        let accepted = senders.map(|sender| sender.join().unwrap());
        let accepted = accepted.iter().filter(|accepted| **accepted).count();
        // Two only if the first was taken out before the second came.
        assert!(accepted >= 1 && accepted <= 1 + usize::from(taken));
        while next(&mut inbox).is_some() {}
        assert_eq!(queue.push(3), Ok(()), "the room is back");
        assert_eq!(queue.push(4), Err((4, Refused::Full)));
    });
}

#[test]
fn a_call_is_never_lost() {
    model(|| {
        let (queue, mut inbox) = queue::<()>(Setup::bounded(None));
        let said = Arc::new(loom::sync::atomic::AtomicBool::new(false));
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
            task.0.wait();
        }
        caller.join().unwrap();
    });
}

#[test]
fn a_waker_is_replaced_only_when_nobody_uses_it() {
    model(|| {
        let (queue, mut inbox) = queue(Setup::bounded(None));
        let (first, first_waker) = Task::new();
        // Parked with one waker, then polled by another task while a sender and a
        // caller may be at the first.
        let parked = inbox.park(&first_waker);
        assert_eq!(parked, Park::Parked);
        let sender = {
            let queue = queue.clone();
            thread::spawn(move || queue.push(1).unwrap())
        };
        let caller = {
            let queue = queue.clone();
            thread::spawn(move || queue.wake())
        };
        let (second, second_waker) = Task::new();
        assert_eq!(receive(&mut inbox, &second, &second_waker), Some(1));
        drop(first);
        sender.join().unwrap();
        caller.join().unwrap();
    });
}

#[test]
fn a_receiver_that_dies_drops_what_was_accepted() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, O::SeqCst);
        }
    }
    model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (queue, inbox) = queue(Setup::bounded(None));
        let sender = {
            let (queue, drops) = (queue.clone(), drops.clone());
            thread::spawn(move || {
                let accepted = queue.push(Counted(drops.clone())).is_ok();
                drop(queue.push(Counted(drops)));
                accepted
            })
        };
        drop(inbox);
        sender.join().unwrap();
        assert_eq!(drops.load(O::SeqCst), 2);
    });
}

#[test]
fn a_rest_loses_no_message() {
    model(|| {
        let (queue, mut inbox) = queue(Setup::bounded(None));
        queue.push(1).unwrap();
        assert_eq!(next(&mut inbox), Some(1));
        let sender = {
            let queue = queue.clone();
            thread::spawn(move || {
                queue.push(2).unwrap();
                queue.push(3).unwrap();
            })
        };
        inbox.rest();
        let (task, waker) = Task::new();
        assert_eq!(receive(&mut inbox, &task, &waker), Some(2));
        inbox.rest();
        assert_eq!(receive(&mut inbox, &task, &waker), Some(3));
        sender.join().unwrap();
    });
}

#[test]
fn an_evicting_sender_and_the_receiver_share_the_messages() {
    model(|| {
        let setup = Setup { bound: Some(2), is_tagged: true, is_evicting: true };
        let (queue, mut inbox) = queue(setup);
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        let sender = {
            let queue = queue.clone();
            thread::spawn(move || match queue.push(3) {
                Ok(()) => None,
                Err((message, _)) => {
                    let evicted = queue.evict();
                    queue.push(message).unwrap();
                    evicted
                }
            })
        };
        let mut got: Vec<i32> = next(&mut inbox).into_iter().collect();
        let evicted = sender.join().unwrap();
        while let Some(message) = next(&mut inbox) {
            got.push(message);
        }
        assert!(got.is_sorted(), "{got:?}");
        got.extend(evicted);
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3]);
    });
}

#[test]
fn lanes_sort_what_was_taken_under_one_bound_and_one_close() {
    // A receiver with lanes takes everything there is, keeps it sorted, and gives
    // room back only when a message leaves its lane.
    model(|| {
        let (queue, mut inbox) = queue(Setup::bounded(Some(2)));
        let sender = {
            let queue = queue.clone();
            thread::spawn(move || {
                let accepted = [1, 2, 3].into_iter().filter(|n| queue.push(*n).is_ok()).count();
                queue.close();
                accepted
            })
        };
        let mut lanes = Vec::new();
        let mut handled = 0;
        loop {
            match inbox.take() {
                Taken::Message(claimed) => lanes.push(claimed.take()),
                Taken::Closed if lanes.is_empty() => break,
                Taken::Busy | Taken::Empty if lanes.is_empty() => thread::yield_now(),
                _ => {
                    assert!(lanes.len() <= 2, "the bound covers the lanes too");
                    lanes.sort_unstable();
                    lanes.pop();
                    inbox.release();
                    handled += 1;
                }
            }
        }
        assert_eq!(handled, sender.join().unwrap());
    });
}
