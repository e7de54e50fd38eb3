//! Capacities, messages and ends that nobody should ask for, and somebody will.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;
use std::thread;

use super::*;
use crate::error::SpawnError;

#[test]
fn a_capacity_of_zero_is_refused() {
    assert!(matches!(Capacity::try_from(0), Err(SpawnError::Options(_))));
}

#[test]
fn an_absurd_capacity_costs_nothing_and_is_not_reached() {
    for capacity in [1 << 28, 1 << 60, usize::MAX] {
        let (cell, mut inbox) = mailbox(Some(capacity));
        for n in 0..1000 {
            assert_eq!(cell.mailbox.try_send(n), Ok(()));
        }
        for n in 0..1000 {
            assert!(matches!(receive(&mut inbox), Got::Message(got) if got == n));
        }
        assert!(matches!(receive(&mut inbox), Got::Empty));
    }
}

#[test]
fn messages_of_no_size_and_of_a_mebibyte_pass_under_a_bound() {
    fn passes<M: Clone + PartialEq>(message: M) {
        let (cell, mut inbox) = mailbox(Some(2));
        for _ in 0..40 {
            assert!(cell.mailbox.try_send(message.clone()).is_ok());
            assert!(cell.mailbox.try_send(message.clone()).is_ok());
            assert!(
                matches!(cell.mailbox.try_send(message.clone()), Err(SendError::Full(back)) if back == message)
            );
            assert!(matches!(receive(&mut inbox), Got::Message(got) if got == message));
            assert!(matches!(receive(&mut inbox), Got::Message(got) if got == message));
        }
    }
    passes(());
    // Moved by value from frame to frame, which takes more than a test's stack.
    let large = thread::Builder::new().stack_size(64 << 20).spawn(|| passes([7u8; 1 << 20]));
    large.unwrap().join().unwrap();
}

/// Counts its drops, and panics in each.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("a destructor that panics");
    }
}

#[test]
fn destructors_that_panic_run_once_and_the_first_panic_is_given_back() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (cell, mut inbox) = mailbox(Some(100));
    for _ in 0..40 {
        assert!(cell.mailbox.try_send(Bomb(drops.clone())).is_ok());
    }
    let Taken::Message(delivery) = inbox.receive(false) else { panic!("there are messages") };
    let message = delivery.take();
    catch_unwind(AssertUnwindSafe(|| drop(message))).unwrap_err();
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    let panic = inbox.discard().unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"a destructor that panics"));
    assert_eq!(drops.load(Ordering::SeqCst), 40);
    // A sender that waits for nothing has its message back, and drops it itself.
    let refused = cell.mailbox.try_send(Bomb(drops.clone()));
    catch_unwind(AssertUnwindSafe(|| drop(refused))).unwrap_err();
    assert_eq!(drops.load(Ordering::SeqCst), 41);
}

#[test]
fn a_sender_that_waits_and_dies_with_a_bomb_leaves_the_line_in_order() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (cell, mut inbox) = mailbox(Some(1));
    assert!(cell.mailbox.try_send(Bomb(drops.clone())).is_ok());
    let mut waits = cell.mailbox.send(Bomb(drops.clone()));
    assert!(Pin::new(&mut waits).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // It is served, and gives up with a panic: its place comes back all the same.
    let Got::Message(first) = receive(&mut inbox) else { panic!("there is a message") };
    catch_unwind(AssertUnwindSafe(|| drop(first))).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| drop(waits))).unwrap_err();
    assert_eq!(drops.load(Ordering::SeqCst), 2);
    assert!(cell.mailbox.try_send(Bomb(drops.clone())).is_ok(), "the place is back");
    inbox.discard().unwrap_err();
    assert_eq!(drops.load(Ordering::SeqCst), 3);
}
