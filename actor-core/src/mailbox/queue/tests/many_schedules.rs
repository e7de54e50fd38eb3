//! A larger model: shuttle runs many schedules of it, drawn at random.

use std::task::{Wake, Waker};

use shuttle::thread;

use super::*;

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

const SCHEDULES: usize = 3_000;

fn check(run: impl Fn() + Sync + Send + 'static) {
    let schedules = if std::env::var_os("ACTOR_TEST_FULL").is_some() { 50 * SCHEDULES } else { SCHEDULES };
    shuttle::check_random(run, schedules);
}

/// Three senders of forty messages each: whole blocks, spares, parks, a bound that
/// is met, and a close in the midst of it.
fn traffic(bound: Option<usize>, closes: bool) {
    check(move || {
        let (queue, mut inbox) = queue(Setup::bounded(bound));
        let senders: Vec<_> = (0..3u32)
            .map(|sender| {
                let queue = queue.clone();
                thread::spawn(move || {
                    let mut accepted = 0;
                    for i in 0..40u32 {
                        loop {
                            match queue.push((sender, i)) {
                                Ok(()) => break accepted += 1,
                                Err((_, Refused::Full)) => thread::yield_now(),
                                Err(_) => return accepted,
                            }
                        }
                    }
                    accepted
                })
            })
            .collect();
        let closer = closes.then(|| {
            let queue = queue.clone();
            thread::spawn(move || {
                (0..20).for_each(|_| thread::yield_now());
                queue.close();
                queue.wake();
            })
        });
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut seen = [0u32; 3];
        let mut handled = 0;
        while handled < 120 {
            match taken(&mut inbox) {
                Taken::Message((sender, i)) => {
                    assert_eq!(i, seen[sender as usize]);
                    seen[sender as usize] += 1;
                    handled += 1;
                }
                Taken::Closed => break,
                Taken::Busy => thread::yield_now(),
                Taken::Empty => match inbox.park(&waker) {
                    Park::Parked => thread::park(),
                    Park::Awake => {}
                    Park::Busy => thread::yield_now(),
                },
            }
        }
        let accepted: u32 = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
        assert_eq!(handled, accepted);
        if let Some(closer) = closer {
            closer.join().unwrap();
        }
    });
}

#[test]
fn unbounded_traffic() {
    traffic(UNBOUNDED.bound, false);
}

#[test]
fn bounded_traffic() {
    traffic(Some(3), false);
}

#[test]
fn traffic_that_is_closed() {
    traffic(Some(16), true);
}

/// Senders that take the oldest out where there is no room, beside a receiver that
/// rests when it can.
#[test]
fn traffic_of_evicting_senders() {
    check(|| {
        let ledger = Ledger::default();
        let (queue, mut inbox) = queue(Setup { bound: Some(2), is_tagged: true, is_evicting: true });
        let senders: Vec<_> = (0..3u64)
            .map(|sender| {
                let (queue, ledger) = (queue.clone(), ledger.clone());
                thread::spawn(move || {
                    let mut evicted = 0;
                    for i in 0..20 {
                        let mut tag = ledger.tag(number(sender, i));
                        let mut message = (sender, i);
                        while let Err((back, refused)) = queue.push_tagged(message, &mut tag) {
                            assert_eq!(refused, Refused::Full);
                            message = back;
                            if let Some(Whole { message: (sender, i), tag, .. }) = queue.evict() {
                                assert_eq!(tag.unwrap().number(), Some(number(sender, i)));
                                evicted += 1;
                            }
                            thread::yield_now();
                        }
                    }
                    evicted
                })
            })
            .collect();
        let closer = {
            let queue = queue.clone();
            thread::spawn(move || {
                let evicted: usize = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
                queue.close();
                evicted
            })
        };
        let mut next = [0u64; 3];
        let mut handled = 0;
        loop {
            match inbox.take() {
                Taken::Message(oldest) => {
                    let Whole { message: (sender, i), tag, .. } = oldest.take_whole();
                    assert_eq!(tag.unwrap().number(), Some(number(sender, i)));
                    assert!(i >= next[sender as usize], "in order, though some are missing");
                    next[sender as usize] = i + 1;
                    handled += 1;
                }
                Taken::Closed => break,
                Taken::Empty | Taken::Busy => thread::yield_now(),
            }
            inbox.rest();
        }
        assert_eq!(handled + closer.join().unwrap(), 60);
        assert_eq!(ledger.open(), 0, "each tag went with its message");
    });
}

fn number(sender: u64, i: u64) -> u64 {
    1 + 100 * sender + i
}

/// A receiver with lanes takes all there is and gives room back later.
#[test]
fn traffic_through_lanes() {
    check(|| {
        let (queue, mut inbox) = queue(Setup::bounded(Some(3)));
        let senders: Vec<_> = (0..3u32)
            .map(|sender| {
                let queue = queue.clone();
                thread::spawn(move || {
                    for i in 0..20u32 {
                        while queue.push((i % 2, sender, i)).is_err() {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let mut lanes = Vec::new();
        let mut handled = 0;
        while handled < 60 {
            if let Some(message) = take(&mut inbox) {
                lanes.push(message);
                assert!(lanes.len() <= 3, "the bound covers the lanes too");
                lanes.sort_unstable_by(|one, other| other.cmp(one));
            } else if lanes.pop().is_some() {
                inbox.release();
                handled += 1;
            } else {
                thread::yield_now();
            }
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert!(matches!(taken(&mut inbox), Taken::Empty));
    });
}
