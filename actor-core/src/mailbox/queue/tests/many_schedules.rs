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
    shuttle::check_random(run, SCHEDULES);
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
                                Err((_, Refused::Closed)) => return accepted,
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
            match inbox.take() {
                Taken::Message(claimed) => {
                    let (sender, i): (u32, u32) = claimed.take_unless(|| false);
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
    traffic(None, false);
}

#[test]
fn bounded_traffic() {
    traffic(Some(3), false);
}

#[test]
fn traffic_that_is_closed() {
    traffic(Some(16), true);
}
