//! The wakers of senders that wait are somebody else's code: they panic, and come to wait
//! themselves.

use super::*;

/// A waker of a runtime that is broken.
struct Broken;

impl Wake for Broken {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_being_called() {
    let (cell, mut inbox) = full(1);
    let mut broken = cell.mailbox.send(7);
    let waker = Waker::from(Arc::new(Broken));
    assert!(Pin::new(&mut broken).poll(&mut Context::from_waker(&waker)).is_pending());
    let mut behind = Sender::waiting(&cell, 8);

    // Its place is handed on, and the receiver goes on.
    assert!(next(&mut inbox).is_some());
    cell.mailbox.close();
    assert_eq!(behind.woken.count(), 1);
    assert_eq!(behind.poll(), stopped(8));
}

/// Runs something when it is dropped.
struct OnDrop(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for OnDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        let run = self.0.locked().take().expect("it is dropped once");
        run();
    }
}

fn on_drop(run: impl FnOnce() + Send + 'static) -> Waker {
    Waker::from(Arc::new(OnDrop(Mutex::new(Some(Box::new(run))))))
}

/// If this hangs, a waker was dropped under the lock of the line.
#[test]
fn the_destructor_of_a_waker_may_come_to_wait_at_the_same_mailbox() {
    for leaves in [true, false] {
        let (cell, mut inbox) = full(1);
        let there = cell.clone();
        let waker = on_drop(move || {
            let mut sending = there.mailbox.send(8);
            assert!(Pin::new(&mut sending).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        });
        let mut sending = cell.mailbox.send(7);
        assert!(Pin::new(&mut sending).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        if leaves {
            drop(sending);
        } else {
            assert!(Pin::new(&mut sending).poll(&mut Context::from_waker(Waker::noop())).is_pending());
            drop(sending);
        }
        assert_eq!(next(&mut inbox), Some(0));
        assert_whole(&cell, &mut inbox, 1);
    }
}

#[test]
fn a_waker_that_panics_when_dropped_loses_no_place() {
    for is_served in [true, false] {
        let (cell, mut inbox) = full(1);
        let waker = on_drop(|| panic!("a destructor that panics"));
        let mut sending = cell.mailbox.send(7);
        assert!(Pin::new(&mut sending).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        if is_served {
            // Dropped after it was called, and the sender has its place then.
            assert_eq!(next(&mut inbox), Some(0));
        }
        drop(sending);
        if !is_served {
            assert_eq!(next(&mut inbox), Some(0));
        }
        assert_whole(&cell, &mut inbox, 1);
    }
}
