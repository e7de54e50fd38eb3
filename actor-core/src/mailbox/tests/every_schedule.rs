//! Senders that wait, in every schedule: one of them that waits for ever while there
//! is room is a deadlock, which loom reports; and after each model an empty mailbox
//! holds its capacity exactly, so that no place was lost or made twice.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Wake};

use loom::sync::Notify;
use loom::thread::{self, JoinHandle};

use super::*;

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

type Ends = (Arc<Cell<u32>>, Inbox<u32, Cell<u32>>);
type Answer = Result<(), SendError<u32>>;

/// A mailbox with room for one, which has it.
fn full() -> Ends {
    let (cell, inbox) = mailbox(Some(1));
    cell.mailbox.try_send(0).unwrap();
    (cell, inbox)
}

/// Two preemptions unless the environment says otherwise: most mistakes need one.
fn model(run: impl Fn() + Sync + Send + 'static) {
    model_within(2, run);
}

/// A model of three that loop, which has too many schedules for two preemptions.
fn large_model(run: impl Fn() + Sync + Send + 'static) {
    model_within(1, run);
}

fn model_within(preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.max_branches = 20_000;
    builder.check(run);
}

/// A sender that owns what it sends to, so that it may go to another thread.
type Sends = Pin<Box<dyn Future<Output = Answer> + Send>>;

fn sender(cell: &Arc<Cell<u32>>, message: u32) -> Sends {
    let cell = cell.clone();
    Box::pin(async move { cell.mailbox.send(message).await })
}

fn poll(sender: &mut Sends, waker: &Waker) -> Poll<Answer> {
    sender.as_mut().poll(&mut Context::from_waker(waker))
}

fn block_on(mut sender: Sends) -> Answer {
    let (task, waker) = Task::new();
    loop {
        match poll(&mut sender, &waker) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => task.0.wait(),
        }
    }
}

fn sends(cell: &Arc<Cell<u32>>, message: u32) -> JoinHandle<Answer> {
    let sender = sender(cell, message);
    thread::spawn(move || block_on(sender))
}

/// A sender that has found no room and stands in the line.
fn waits(cell: &Arc<Cell<u32>>, message: u32) -> (Sends, Arc<Task>) {
    let mut sender = sender(cell, message);
    let (task, waker) = Task::new();
    assert!(poll(&mut sender, &waker).is_pending());
    (sender, task)
}

/// The next message; sleeps only if it is parked.
fn next(inbox: &mut Inbox<u32, Cell<u32>>, task: &Task, waker: &Waker) -> Option<u32> {
    loop {
        match receive(inbox) {
            Got::Message(message) => return Some(message),
            Got::Closed => return None,
            Got::Busy => thread::yield_now(),
            Got::Empty => match inbox.park(waker) {
                Park::Parked => task.0.wait(),
                Park::Awake => {}
                Park::Busy => thread::yield_now(),
            },
        }
    }
}

/// The receiver goes on to wait for something else, perhaps for long.
fn rests(inbox: &mut Inbox<u32, Cell<u32>>) {
    let (_task, waker) = Task::new();
    while !inbox.suspend(&waker) {
        thread::yield_now();
    }
}

fn assert_whole(cell: &Cell<u32>, inbox: &mut Inbox<u32, Cell<u32>>) {
    assert!(!cell.mailbox.waiting.is_anybody());
    assert!(matches!(receive(inbox), Got::Empty));
    assert_eq!(cell.mailbox.try_send(98), Ok(()), "no place was lost");
    assert_eq!(cell.mailbox.try_send(99), Err(SendError::Full(99)), "no place was made twice");
}

#[test]
fn a_sender_that_waits_gets_room() {
    model(|| {
        let (cell, mut inbox) = full();
        let sender = sends(&cell, 1);
        let (task, waker) = Task::new();
        assert_eq!(next(&mut inbox, &task, &waker), Some(0));
        assert_eq!(next(&mut inbox, &task, &waker), Some(1));
        assert_eq!(sender.join().unwrap(), Ok(()));
        assert_whole(&cell, &mut inbox);
    });
}

/// The receiver takes one message and then waits for something else for long.
#[test]
fn a_receiver_that_is_busy_elsewhere_leaves_nobody_waiting() {
    model(|| {
        let (cell, mut inbox) = full();
        let sender = sends(&cell, 1);
        assert!(matches!(receive(&mut inbox), Got::Message(0)));
        rests(&mut inbox);
        // It has only itself to wait for.
        assert_eq!(sender.join().unwrap(), Ok(()));
        assert!(matches!(receive(&mut inbox), Got::Message(1)));
        assert_whole(&cell, &mut inbox);
    });
}

/// The first is in the line already, and the second comes while the first is served.
#[test]
fn two_senders_that_wait_get_room_one_after_the_other() {
    model(|| {
        let (cell, mut inbox) = full();
        let (first, _task) = waits(&cell, 1);
        let second = sends(&cell, 2);
        assert!(matches!(receive(&mut inbox), Got::Message(0)));
        assert_eq!(block_on(first), Ok(()));
        assert!(matches!(receive(&mut inbox), Got::Message(1)), "first come, first served");
        rests(&mut inbox);
        assert_eq!(second.join().unwrap(), Ok(()));
        assert!(matches!(receive(&mut inbox), Got::Message(2)));
        assert_whole(&cell, &mut inbox);
    });
}

#[test]
fn a_sender_that_gives_up_passes_its_place_on() {
    large_model(|| {
        let (cell, mut inbox) = full();
        let (first, _task) = waits(&cell, 1);
        let first = thread::spawn(move || drop(first));
        let second = sends(&cell, 2);
        let (task, waker) = Task::new();
        assert_eq!(next(&mut inbox, &task, &waker), Some(0));
        assert_eq!(next(&mut inbox, &task, &waker), Some(2));
        first.join().unwrap();
        assert_eq!(second.join().unwrap(), Ok(()));
        assert_whole(&cell, &mut inbox);
    });
}

/// A place comes back by a sender alone: no receiver looks afterwards.
#[test]
fn a_place_that_comes_back_is_found_by_who_comes_to_wait() {
    model(|| {
        let (cell, mut inbox) = full();
        let (first, _task) = waits(&cell, 1);
        assert!(matches!(receive(&mut inbox), Got::Message(0)));
        let first = thread::spawn(move || drop(first));
        assert_eq!(block_on(sender(&cell, 2)), Ok(()));
        first.join().unwrap();
        assert!(matches!(receive(&mut inbox), Got::Message(2)));
        assert_whole(&cell, &mut inbox);
    });
}

/// A served sender gives its place back after its claim, and the receiver has looked
/// for the last time: who comes to wait in between is called by the served one.
#[test]
fn who_comes_between_a_claim_and_its_place_is_called() {
    model(|| {
        let (cell, mut inbox) = full();
        let (first, _task) = waits(&cell, 1);
        assert!(matches!(receive(&mut inbox), Got::Message(0)));
        let first = thread::spawn(move || block_on(first));
        let second = sends(&cell, 2);
        let early = matches!(receive(&mut inbox), Got::Message(1));
        rests(&mut inbox);
        assert_eq!(first.join().unwrap(), Ok(()));
        if !early {
            assert!(matches!(receive(&mut inbox), Got::Message(1)));
            rests(&mut inbox);
        }
        assert_eq!(second.join().unwrap(), Ok(()));
        assert!(matches!(receive(&mut inbox), Got::Message(2)));
        assert_whole(&cell, &mut inbox);
    });
}

#[test]
fn nobody_barges_into_a_place_that_was_handed_on() {
    model(|| {
        let (cell, mut inbox) = full();
        let (first, _task) = waits(&cell, 1);
        let barging = {
            let cell = cell.clone();
            thread::spawn(move || [2, 3].map(|n| cell.mailbox.try_send(n).is_ok()))
        };
        assert!(matches!(receive(&mut inbox), Got::Message(0)));
        assert_eq!(block_on(first), Ok(()));
        assert_eq!(barging.join().unwrap(), [false; 2]);
        assert!(matches!(receive(&mut inbox), Got::Message(1)));
        assert_whole(&cell, &mut inbox);
    });
}

#[test]
fn a_close_reaches_a_sender_that_waits() {
    model(|| {
        let (cell, mut inbox) = full();
        let sender = sends(&cell, 1);
        cell.mailbox.close();
        assert_eq!(sender.join().unwrap(), Err(SendError::Stopped(1, None)));
        assert!(matches!(receive(&mut inbox), Got::Message(0)));
        assert!(matches!(receive(&mut inbox), Got::Closed));
    });
}

#[test]
fn two_senders_that_wait_hear_of_the_close() {
    model(|| {
        let (cell, mut inbox) = full();
        let senders = [1, 2].map(|n| sends(&cell, n));
        inbox.close();
        senders.into_iter().zip(1..).for_each(|(sender, n)| {
            assert_eq!(sender.join().unwrap(), Err(SendError::Stopped(n, None)));
        });
        assert!(matches!(receive(&mut inbox), Got::Message(0)));
        assert!(matches!(receive(&mut inbox), Got::Closed));
    });
}

/// A place may be handed to a sender while the mailbox is closed: it is in, or it has
/// its message back, and the receiver agrees.
#[test]
fn a_place_and_a_close_at_once() {
    model(|| {
        let (cell, mut inbox) = full();
        let sender = sends(&cell, 1);
        let closer = {
            let cell = cell.clone();
            thread::spawn(move || {
                cell.mailbox.close();
                cell.mailbox.wake();
            })
        };
        let (task, waker) = Task::new();
        assert_eq!(next(&mut inbox, &task, &waker), Some(0));
        let answer = match next(&mut inbox, &task, &waker) {
            Some(1) => Ok(()),
            None => Err(SendError::Stopped(1, None)),
            Some(other) => panic!("nobody sent {other}"),
        };
        assert_eq!(sender.join().unwrap(), answer);
        closer.join().unwrap();
    });
}
