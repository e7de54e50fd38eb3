//! Claims, blocks, the bound and the close.

use super::*;

#[test]
fn a_senders_messages_arrive_in_order_and_wake_the_sleeper() {
    model(|| {
        let (queue, mut inbox) = queue(UNBOUNDED);
        let sender = thread::spawn(move || (0..3).for_each(|n| queue.push(n).unwrap()));
        let (task, waker) = Task::new();
        (0..3).for_each(|n| assert_eq!(receive(&mut inbox, &task, &waker), Some(n)));
        sender.join().unwrap();
    });
}

/// What two senders put in at once comes out once, wherever in a block they are:
/// `before` messages have passed, and the queue may rest without a block.
fn two_senders_at_once(before: usize, rests: bool) {
    model(move || {
        let (queue, mut inbox) = queue(UNBOUNDED);
        for _ in 0..before {
            queue.push(0).unwrap();
            assert_eq!(next(&mut inbox), Some(0));
        }
        if rests {
            inbox.rest();
        }
        let senders = [1, 2].map(|n| pushes(&queue, [n]));
        // Takes while they put in, if it comes to that, and then what is left.
        let early = next(&mut inbox);
        senders.into_iter().for_each(|sender| assert_eq!(sender.join().unwrap(), 1));
        let mut got: Vec<i32> = early.into_iter().collect();
        got.extend(std::iter::from_fn(|| next(&mut inbox)));
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
    });
}

#[test]
fn the_first_block_is_brought_by_one_of_two_senders() {
    // A new queue's first slot is its block's last one too.
    two_senders_at_once(0, false);
}

#[test]
fn two_senders_cross_a_full_block() {
    two_senders_at_once(1, false);
}

#[test]
fn two_senders_contend_for_the_last_slot_of_a_block() {
    two_senders_at_once(2, false);
}

#[test]
fn a_rested_queue_gets_a_full_block_by_one_of_two_senders() {
    two_senders_at_once(1, true);
}

#[test]
fn a_rested_queue_gets_a_small_block_by_one_of_two_senders() {
    two_senders_at_once(2, true);
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
        queue.push_into_place(2, None).unwrap();
        assert_eq!(barging.join().unwrap(), Err((3, Refused::Full)));
        assert_eq!(next(&mut inbox), Some(2));
        assert_eq!(queue.push(4), Ok(()));
        assert_eq!(queue.push(5), Err((5, Refused::Full)));
    });
}

#[test]
fn what_is_accepted_before_the_close_comes_out_and_nothing_else() {
    model(|| {
        let (queue, mut inbox) = queue(UNBOUNDED);
        let sender = pushes(&queue, [1, 2]);
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
fn who_sees_the_close_sees_what_came_before_it() {
    model(|| {
        let (queue, mut inbox) = queue::<i32>(UNBOUNDED);
        let said = Arc::new(AtomicBool::new(false));
        let closer = {
            let (queue, said) = (queue.clone(), said.clone());
            thread::spawn(move || {
                said.store(true, Ordering::Relaxed);
                queue.close();
            })
        };
        let looker = {
            let (queue, said) = (queue.clone(), said.clone());
            thread::spawn(move || assert!(!queue.is_closed() || said.load(Ordering::Relaxed)))
        };
        if matches!(taken(&mut inbox), Taken::Closed) {
            assert!(said.load(Ordering::Relaxed));
        }
        closer.join().unwrap();
        looker.join().unwrap();
    });
}

#[test]
fn claim_close_and_bound_agree_at_one_word() {
    model(|| {
        let (queue, mut inbox) = queue(Setup::bounded(Some(1)));
        let senders = [1, 2].map(|n| {
            let queue = queue.clone();
            thread::spawn(move || queue.push(n).map_err(|(_, refused)| refused))
        });
        queue.close();
        assert_eq!(queue.push(3), Err((3, Refused::Closed)), "the close is one step");
        let early = next(&mut inbox);
        let said = senders.map(|sender| sender.join().unwrap());
        let accepted = said.iter().filter(|said| said.is_ok()).count();
        // Nothing is taken out before the close, so there is room for one at most.
        assert!(accepted <= 1, "{said:?}");
        if said.contains(&Err(Refused::Full)) {
            assert_eq!(accepted, 1, "it is full of something: {said:?}");
        }
        let handled = early.into_iter().chain(std::iter::from_fn(|| next(&mut inbox))).count();
        assert_eq!(handled, accepted);
        assert!(matches!(taken(&mut inbox), Taken::Closed));
    });
}

#[test]
fn the_bound_is_never_passed_and_released_room_is_found() {
    model(|| {
        let (queue, mut inbox) = queue(Setup::bounded(Some(1)));
        let senders = [1, 2].map(|n| pushes(&queue, [n]));
        let taken = usize::from(next(&mut inbox).is_some());
        let accepted: usize = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
        // Two only if the first was taken out before the second came.
        assert!(accepted >= 1 && accepted <= 1 + taken);
        let left = std::iter::from_fn(|| next(&mut inbox)).count();
        assert_eq!(taken + left, accepted);
        assert_eq!(queue.push(3), Ok(()), "the room is back");
        assert_eq!(queue.push(4), Err((4, Refused::Full)));
    });
}

/// Laps under the smallest bound: blocks come back as spares, and who finds room that
/// was released writes into no slot that is still being read.
#[test]
fn released_room_is_empty_room() {
    model(|| {
        let (queue, mut inbox) = queue(Setup::bounded(Some(1)));
        queue.push(1).unwrap();
        let sender = {
            let queue = queue.clone();
            thread::spawn(move || {
                for n in 2..=3 {
                    while queue.push(n).is_err() {
                        thread::yield_now();
                    }
                }
            })
        };
        let mut expected = 1;
        while expected <= 3 {
            match taken(&mut inbox) {
                Taken::Message(n) => {
                    assert_eq!(n, expected);
                    expected += 1;
                }
                _ => thread::yield_now(),
            }
        }
        sender.join().unwrap();
    });
}

#[test]
fn a_receiver_that_dies_drops_what_was_accepted() {
    model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (queue, inbox) = queue(UNBOUNDED);
        let sender = pushes(&queue, [Counted(drops.clone()), Counted(drops.clone())]);
        drop(inbox);
        sender.join().unwrap();
        assert_eq!(drops.load(O::SeqCst), 2, "wherever they are, they are gone");
    });
}
