//! Larger schedules than can be explored in full: senders that wait, give up, barge
//! in, and a receiver that is busy elsewhere, dies, or moves.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use super::*;

const SENDERS: usize = 3;
const EACH: u32 = 6;
const SCHEDULES: usize = 2_000;

fn check(run: impl Fn() + Sync + Send + Clone + 'static) {
    let schedules = if std::env::var_os("ACTOR_TEST_FULL").is_some() { 50 * SCHEDULES } else { SCHEDULES };
    shuttle::check_random(run.clone(), schedules);
    shuttle::check_pct(run, schedules / 2, 3);
}

type Message = (usize, u32);

/// Sends by chance in one of three ways; with `Full` it was not let in.
fn send(cell: &Cell<Message>, message: Message) -> Result<(), SendError<Message>> {
    match thread_rng().gen_range(0..4) {
        0 => cell.mailbox.try_send(message),
        1 => {
            // As patient as so many polls.
            let mut patience = thread_rng().gen_range(0..3);
            let mut sending = cell.mailbox.send(message);
            let answer = block_on(poll_fn(|cx| {
                match Pin::new(&mut sending).poll(cx) {
                    Poll::Ready(answer) => return Poll::Ready(Some(answer)),
                    Poll::Pending if patience == 0 => return Poll::Ready(None),
                    Poll::Pending => patience -= 1,
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }));
            match answer {
                Some(answer) => answer,
                None => Err(SendError::Full(sending.withdraw())),
            }
        }
        _ => block_on(cell.mailbox.send(message)),
    }
}

fn sender(cell: &Cell<Message>, which: usize) -> Vec<u32> {
    let mut accepted = Vec::new();
    for n in 0..EACH {
        match send(cell, (which, n)) {
            Ok(()) => accepted.push(n),
            Err(SendError::Full(message)) => assert_eq!(message, (which, n)),
            Err(SendError::Stopped(message, _)) => {
                assert_eq!(message, (which, n));
                break;
            }
            Err(_) => unreachable!("a mailbox in this process"),
        }
    }
    accepted
}

/// Receives until it is closed and empty. Between two messages it looks at once, or
/// sleeps, or waits for something else.
fn receiver(inbox: &mut Inbox<Message, Cell<Message>>, stops_after: usize) -> Vec<Vec<u32>> {
    let mut handled = vec![Vec::new(); SENDERS];
    let mut count = 0;
    block_on(poll_fn(|cx| {
        loop {
            if count == stops_after {
                return Poll::Ready(());
            }
            match receive(inbox) {
                Got::Message((which, n)) => {
                    handled[which].push(n);
                    count += 1;
                    if thread_rng().gen_bool(0.2) && inbox.suspend(cx.waker()) {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Got::Closed => return Poll::Ready(()),
                Got::Busy => thread::yield_now(),
                Got::Empty => match inbox.park(cx.waker()) {
                    Park::Parked => return Poll::Pending,
                    Park::Awake => {}
                    Park::Busy => thread::yield_now(),
                },
            }
        }
    }));
    handled
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    /// Closed when all senders are done.
    Drained,
    /// Closed in the midst of it.
    Closed,
    /// Received by one thread after the other.
    Moved,
}

fn traffic(bound: usize, end: End) {
    check(move || {
        let (cell, mut inbox) = mailbox(Some(bound));
        let senders: Vec<_> = (0..SENDERS)
            .map(|which| {
                let cell = cell.clone();
                thread::spawn(move || sender(&cell, which))
            })
            .collect();
        let receiving = thread::spawn(move || {
            if end != End::Moved {
                return receiver(&mut inbox, usize::MAX);
            }
            let mut handled = receiver(&mut inbox, 3);
            let rest = thread::spawn(move || receiver(&mut inbox, usize::MAX)).join().unwrap();
            handled.iter_mut().zip(rest).for_each(|(handled, rest)| handled.extend(rest));
            handled
        });
        if end == End::Closed {
            cell.mailbox.close();
            cell.mailbox.wake();
        }
        let accepted: Vec<_> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
        cell.mailbox.close();
        cell.mailbox.wake();
        // Each sender's, in its order, once.
        assert_eq!(receiving.join().unwrap(), accepted);
        assert!(!cell.mailbox.waiting.is_anybody());
    });
}

#[test]
fn one_place_for_all() {
    traffic(1, End::Drained);
}

#[test]
fn a_few_places() {
    traffic(3, End::Drained);
}

#[test]
fn one_place_until_the_close() {
    traffic(1, End::Closed);
}

#[test]
fn a_few_places_until_the_close() {
    traffic(2, End::Closed);
}

#[test]
fn a_receiver_that_moves() {
    traffic(2, End::Moved);
}
