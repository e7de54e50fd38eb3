//! What others build on: rest, evict, lanes, tags, a close that is taken back.

use super::*;

/// What there is to take, taken out; its room is not given back.
fn held<T>(inbox: &mut Inbox<T>) -> Taken<T> {
    match inbox.take() {
        Taken::Message(oldest) => Taken::Message(oldest.take()),
        Taken::Closed => Taken::Closed,
        Taken::Empty => Taken::Empty,
        Taken::Busy => Taken::Busy,
    }
}

#[test]
fn a_rest_loses_no_message() {
    model(|| {
        let (queue, mut inbox) = queue(UNBOUNDED);
        queue.push(1).unwrap();
        assert_eq!(next(&mut inbox), Some(1));
        let sender = pushes(&queue, [2, 3]);
        inbox.rest();
        let (task, waker) = Task::new();
        assert_eq!(receive(&mut inbox, &task, &waker), Some(2));
        inbox.rest();
        assert_eq!(receive(&mut inbox, &task, &waker), Some(3));
        assert_eq!(sender.join().unwrap(), 2);
    });
}

#[test]
fn a_rest_beside_two_senders_loses_no_message() {
    model(|| {
        let (queue, mut inbox) = queue(UNBOUNDED);
        for n in 0..2 {
            queue.push(n).unwrap();
            assert_eq!(next(&mut inbox), Some(n));
        }
        let senders = [2, 3].map(|n| pushes(&queue, [n]));
        inbox.rest();
        let early = next(&mut inbox);
        senders.into_iter().for_each(|sender| assert_eq!(sender.join().unwrap(), 1));
        let mut got: Vec<i32> = early.into_iter().collect();
        got.extend(std::iter::from_fn(|| next(&mut inbox)));
        got.sort_unstable();
        assert_eq!(got, [2, 3]);
    });
}

#[test]
fn an_evicting_sender_and_the_receiver_share_the_messages() {
    model(|| {
        let ledger = Ledger::default();
        let (queue, mut inbox) = queue(Setup { bound: Some(2), is_tagged: true, is_evicting: true });
        for n in 1..=2 {
            assert!(queue.push_tagged(n, &mut ledger.tag(n)).is_ok());
        }
        let sender = {
            let (queue, ledger) = (queue.clone(), ledger.clone());
            thread::spawn(move || {
                let mut tag = ledger.tag(3);
                let Err((message, _)) = queue.push_tagged(3, &mut tag) else { return None };

                let evicted = queue.evict().map(|taken| (taken.message, taken.tag.unwrap().number()));
                assert!(queue.push_tagged(message, &mut tag).is_ok());
                evicted
            })
        };
        let mut got: Vec<_> = take_tagged(&mut inbox).into_iter().collect();
        let evicted = sender.join().unwrap();
        while let Some(message) = take_tagged(&mut inbox) {
            got.push(message);
        }
        assert!(got.is_sorted(), "{got:?}");
        got.extend(evicted);
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3].map(|n| (n, Some(n))));
        assert_eq!(ledger.open(), 0);
    });
}

#[test]
fn two_evicting_senders_keep_the_bound() {
    model(|| {
        let (queue, mut inbox) = queue(Setup { bound: Some(1), is_tagged: false, is_evicting: true });
        queue.push(1).unwrap();
        let senders = [2, 3].map(|n| {
            let queue = queue.clone();
            thread::spawn(move || {
                let evicted = evicted(&queue);
                let accepted = queue.push(n).is_ok();
                (evicted, accepted)
            })
        });
        let said = senders.map(|sender| sender.join().unwrap());
        let evicted = said.iter().filter_map(|(evicted, _)| *evicted);
        let left: Vec<i32> = std::iter::from_fn(|| next(&mut inbox)).collect();
        assert!(left.len() <= 1, "{left:?}");
        let accepted = 1 + said.iter().filter(|(_, accepted)| *accepted).count();
        assert_eq!(evicted.count() + left.len(), accepted);
        assert_eq!(queue.push(4), Ok(()), "the room is back");
        assert_eq!(queue.push(5), Err((5, Refused::Full)));
    });
}

#[test]
fn an_evicting_sender_ends_a_park_once() {
    model(|| {
        let (queue, mut inbox) = queue(Setup { bound: Some(1), is_tagged: false, is_evicting: true });
        let (task, waker) = Task::new();
        let sender = {
            let queue = queue.clone();
            thread::spawn(move || {
                queue.push(1).unwrap();
                let evicted = evicted(&queue);
                queue.push(2).map(|()| evicted)
            })
        };
        // The first message, or the second if the first was evicted.
        let got = receive(&mut inbox, &task, &waker);
        let evicted = sender.join().unwrap().unwrap();
        match evicted {
            Some(1) => assert_eq!(got, Some(2)),
            Some(other) => panic!("{other} was not the oldest"),
            None => assert_eq!((got, next(&mut inbox)), (Some(1), Some(2))),
        }
        assert!(matches!(taken(&mut inbox), Taken::Empty));
    });
}

#[test]
fn a_tag_stays_with_its_message() {
    model(|| {
        let ledger = Ledger::default();
        let (queue, mut inbox) = queue(Setup { bound: None, is_tagged: true, is_evicting: false });
        let senders = [1, 2].map(|n: u64| {
            let (queue, mut tag) = (queue.clone(), ledger.tag(n));
            thread::spawn(move || assert!(queue.push_tagged(n, &mut tag).is_ok()))
        });
        // One while they put in, if it comes to that, and then what is left.
        let mut got: Vec<_> = take_tagged(&mut inbox).into_iter().collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        got.extend(std::iter::from_fn(|| take_tagged(&mut inbox)));
        got.sort_unstable();
        assert_eq!(got, [1, 2].map(|n| (n, Some(n))));
        assert_eq!(ledger.open(), 0);
    });
}

/// A receiver that dies while a tagged message is just being put in: the tag goes with it.
#[test]
fn a_tag_that_nobody_takes_is_dropped_once() {
    model(|| {
        let ledger = Ledger::default();
        let (queue, inbox) = queue(Setup { bound: None, is_tagged: true, is_evicting: false });
        let senders = [1, 2].map(|n: u64| {
            let (queue, mut tag) = (queue.clone(), ledger.tag(n));
            thread::spawn(move || _ = queue.push_tagged(n, &mut tag))
        });
        drop(inbox);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert_eq!(ledger.open(), 0);
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
            let held = held(&mut inbox);
            if let Taken::Message(n) = held {
                lanes.push(n);
                assert!(lanes.len() <= 2, "the bound covers the lanes too");
                lanes.sort_unstable();
            } else if lanes.pop().is_some() {
                inbox.release();
                handled += 1;
            } else if matches!(held, Taken::Closed) {
                break;
            } else {
                thread::yield_now();
            }
        }
        assert_eq!(handled, sender.join().unwrap());
    });
}

#[test]
fn a_queue_that_opens_again_loses_no_message() {
    model(|| {
        let (queue, mut inbox) = queue(UNBOUNDED);
        let sender = pushes(&queue, [1, 2]);
        let (task, waker) = Task::new();
        queue.close();
        let mut got = 0;
        while receive(&mut inbox, &task, &waker).is_some() {
            got += 1;
        }
        queue.reopen();
        let accepted = sender.join().unwrap();
        assert!(queue.push(3).is_ok());
        queue.close();
        while receive(&mut inbox, &task, &waker).is_some() {
            got += 1;
        }
        assert_eq!(got, accepted + 1);
    });
}
