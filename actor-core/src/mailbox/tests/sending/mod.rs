//! Waits for room, one poll after another: every standing that a sender can have. Every way
//! to leave the line is in `leaving`, what a waker can do to it in `wakers`.

mod leaving;
mod wakers;

use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};

use super::*;
use crate::sync::LockExt;

/// Counts its wake-ups.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    /// How often since it was last asked.
    fn count(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

type Answer = Poll<Result<(), SendError<u32>>>;

/// A sender that waits, or will.
struct Sender<'a> {
    sending: Sending<'a, u32>,
    woken: Arc<Woken>,
}

impl<'a> Sender<'a> {
    fn new(cell: &'a Cell<u32>, message: u32) -> Self {
        Self { sending: cell.mailbox.send(message), woken: Arc::default() }
    }

    /// One that has been polled and waits.
    fn waiting(cell: &'a Cell<u32>, message: u32) -> Self {
        let mut sender = Self::new(cell, message);
        assert_eq!(sender.poll(), Poll::Pending);
        assert_eq!(sender.woken.count(), 0);
        sender
    }

    fn poll(&mut self) -> Answer {
        let waker = Waker::from(self.woken.clone());
        Pin::new(&mut self.sending).poll(&mut Context::from_waker(&waker))
    }

    fn is_waiting(&mut self) -> bool {
        self.poll().is_pending()
    }
}

const SENT: Answer = Poll::Ready(Ok(()));

fn stopped(message: u32) -> Answer {
    Poll::Ready(Err(SendError::Stopped(message, None)))
}

fn full(capacity: u32) -> (Arc<Cell<u32>>, Inbox<u32, Cell<u32>>) {
    let (cell, inbox) = mailbox(Some(capacity as usize));
    (0..capacity).for_each(|n| cell.mailbox.try_send(n).unwrap());
    assert_full(&cell);
    (cell, inbox)
}

fn next(inbox: &mut Inbox<u32, Cell<u32>>) -> Option<u32> {
    let Got::Message(message) = receive(inbox) else { return None };
    Some(message)
}

/// Takes a message as a receiver does that looked for waiting senders a moment before
/// they came: its room becomes free, and nobody is told.
fn next_unseen(inbox: &mut Inbox<u32, Cell<u32>>) -> Option<u32> {
    let Taken::Message(oldest) = inbox.receiver.take() else { return None };
    Some(oldest.take_unless(|| false))
}

fn assert_full(cell: &Cell<u32>) {
    assert_eq!(cell.mailbox.try_send(99), Err(SendError::Full(99)));
}

/// Places were neither lost nor doubled on the way: an empty mailbox that nobody waits
/// at holds its capacity, and no more.
fn assert_whole(cell: &Cell<u32>, inbox: &mut Inbox<u32, Cell<u32>>, capacity: u32) {
    assert!(!cell.mailbox.waiting.is_anybody());
    assert_eq!(next(inbox), None);
    (0..capacity).for_each(|n| assert_eq!(cell.mailbox.try_send(n), Ok(())));
    assert_full(cell);
    (0..capacity).for_each(|n| assert_eq!(next(inbox), Some(n)));
}

#[test]
fn where_there_is_room_nobody_waits() {
    let (cell, mut inbox) = mailbox(Some(1));
    assert_eq!(Sender::new(&cell, 7).poll(), SENT);
    assert_full(&cell);
    assert!(!cell.mailbox.waiting.is_anybody());
    assert_eq!(next(&mut inbox), Some(7));
    assert_whole(&cell, &mut inbox, 1);
}

#[test]
fn who_is_served_has_the_place_and_nobody_else() {
    let (cell, mut inbox) = full(1);
    let mut sender = Sender::waiting(&cell, 7);
    assert!(sender.is_waiting());
    assert_eq!(next(&mut inbox), Some(0));
    assert_eq!(sender.woken.count(), 1);
    assert_full(&cell);
    assert!(!cell.mailbox.waiting.is_anybody(), "it is served");
    assert_eq!(sender.poll(), SENT);
    assert_full(&cell);
    drop(sender);
    assert_eq!(next(&mut inbox), Some(7));
    assert_whole(&cell, &mut inbox, 1);
}

#[test]
fn senders_are_served_in_the_order_they_came() {
    let (cell, mut inbox) = full(2);
    let mut senders = [10, 11, 12].map(|n| Sender::waiting(&cell, n));
    assert_eq!(next(&mut inbox), Some(0));
    assert_eq!(senders.each_ref().map(|sender| sender.woken.count()), [1, 0, 0]);
    assert_eq!(next(&mut inbox), Some(1));
    assert_eq!(senders.each_ref().map(|sender| sender.woken.count()), [0, 1, 0]);
    // Whoever of the served comes first; the third does not, however often it looks.
    assert!(senders[2].is_waiting());
    assert_eq!(senders[1].poll(), SENT);
    assert_eq!(senders[0].poll(), SENT);
    assert!(senders[2].is_waiting());
    assert_full(&cell);
    assert_eq!(next(&mut inbox), Some(11));
    assert_eq!(senders[2].woken.count(), 1);
    assert_eq!(senders[2].poll(), SENT);
    assert_eq!((next(&mut inbox), next(&mut inbox)), (Some(10), Some(12)));
    assert_whole(&cell, &mut inbox, 2);
}

#[test]
fn the_first_takes_room_that_it_finds() {
    let (cell, mut inbox) = full(1);
    let mut first = Sender::waiting(&cell, 10);
    let mut second = Sender::waiting(&cell, 11);
    assert_eq!(next_unseen(&mut inbox), Some(0));
    assert!(second.is_waiting(), "others come before it");
    assert_eq!(first.poll(), SENT);
    assert_eq!(second.woken.count(), 0, "there is no room for it");
    assert!(second.is_waiting());
    assert_eq!(next(&mut inbox), Some(10));
    assert_eq!(second.woken.count(), 1);
    assert_eq!(second.poll(), SENT);
    assert_eq!(next(&mut inbox), Some(11));
    assert_whole(&cell, &mut inbox, 1);
}

#[test]
fn the_first_that_finds_room_calls_the_next() {
    let (cell, mut inbox) = full(2);
    let mut first = Sender::waiting(&cell, 10);
    let mut second = Sender::waiting(&cell, 11);
    assert_eq!((next_unseen(&mut inbox), next_unseen(&mut inbox)), (Some(0), Some(1)));
    assert_eq!(first.poll(), SENT);
    assert_eq!(second.woken.count(), 1);
    assert_eq!(second.poll(), SENT);
    assert_eq!((next(&mut inbox), next(&mut inbox)), (Some(10), Some(11)));
    assert_whole(&cell, &mut inbox, 2);
}

#[test]
fn who_finds_room_and_is_served_meanwhile_gives_one_place_away() {
    // It is served while it puts its message in: the place goes to the next, or back.
    for others in [0, 1] {
        let (cell, mut inbox) = full(2);
        let mut first = Sender::waiting(&cell, 10);
        let mut second: Vec<_> = (0..others).map(|_| Sender::waiting(&cell, 11)).collect();
        assert_eq!(next_unseen(&mut inbox), Some(0));
        // What `poll` does in the standing of the first, with a take in its midst.
        assert!(matches!(first.sending.push(&mut None), Poll::Ready(Ok(()))));
        assert_eq!(next(&mut inbox), Some(1));
        assert!(first.sending.leave().has_place, "it had been served");
        cell.mailbox.pass_on();
        for sender in &mut second {
            assert_eq!(sender.woken.count(), 1);
            assert_full(&cell);
            assert_eq!(sender.poll(), SENT);
        }
        drop((first, second));
        assert_eq!(next(&mut inbox), Some(10));
        assert_eq!(next(&mut inbox), (others == 1).then_some(11));
        assert_whole(&cell, &mut inbox, 2);
    }
}

#[test]
fn a_receiver_that_sleeps_or_is_busy_elsewhere_calls_the_first_to_the_room() {
    for sleeps in [true, false] {
        let (cell, mut inbox) = full(1);
        let mut first = Sender::waiting(&cell, 10);
        let second = Sender::waiting(&cell, 11);
        assert_eq!(next_unseen(&mut inbox), Some(0));
        if sleeps {
            assert_eq!(inbox.park(Waker::noop()), Park::Parked);
        } else {
            assert!(inbox.suspend(Waker::noop()));
        }
        assert_eq!((first.woken.count(), second.woken.count()), (1, 0));
        assert_eq!(first.poll(), SENT);
        drop(second);
        assert_eq!(next(&mut inbox), Some(10));
        assert_whole(&cell, &mut inbox, 1);
    }
}

/// Does something at its first wake-up, in the midst of whatever wakes it.
struct OnWake(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for OnWake {
    fn wake(self: Arc<Self>) {
        if let Some(act) = self.0.locked().take() {
            act();
        }
    }
}

/// A served sender claims its place before it gives it back; who comes to wait between
/// the two is told afterwards.
#[test]
fn who_comes_while_a_served_sender_puts_its_message_in_is_called() {
    let (cell, mut inbox) = full(1);
    let mut served = Sender::waiting(&cell, 10);
    assert_eq!(next(&mut inbox), Some(0));

    let woken = Arc::<Woken>::default();
    let mut late = Box::pin({
        let cell = cell.clone();
        async move { cell.mailbox.send(11).await }
    });
    let shared = Arc::new(Mutex::new(None));
    let on_wake = Arc::new(OnWake(Mutex::new(None)));
    let waker = Waker::from(on_wake.clone());
    assert_eq!(inbox.park(&waker), Park::Parked);
    // The claim wakes the receiver: it takes the message, another sender finds no room
    // yet, and the receiver goes on to wait for something else.
    *on_wake.0.locked() = Some(Box::new({
        let (woken, shared, waker) = (woken.clone(), shared.clone(), waker.clone());
        move || {
            assert_eq!(next(&mut inbox), Some(10));
            let late_waker = Waker::from(woken);
            assert!(late.as_mut().poll(&mut Context::from_waker(&late_waker)).is_pending());
            assert!(inbox.suspend(&waker));
            *shared.locked() = Some((inbox, late));
        }
    }));
    assert_eq!(served.poll(), SENT);

    let (mut inbox, mut late) = shared.locked().take().expect("the receiver was woken");
    assert_eq!(woken.count(), 1, "there is room, and somebody waits");
    let waker = Waker::from(woken);
    assert_eq!(late.as_mut().poll(&mut Context::from_waker(&waker)), SENT);
    assert_eq!(next(&mut inbox), Some(11));
    assert_whole(&cell, &mut inbox, 1);
}

#[test]
fn a_close_answers_everybody() {
    let (cell, mut inbox) = full(1);
    let mut served = Sender::waiting(&cell, 10);
    let mut first = Sender::waiting(&cell, 11);
    let mut later = Sender::waiting(&cell, 12);
    let mut later_still = Sender::waiting(&cell, 13);
    let mut unpolled = Sender::new(&cell, 14);
    assert_eq!(next(&mut inbox), Some(0));
    assert_eq!(served.woken.count(), 1);
    inbox.close();
    // Who has a place was called when it was given, and comes to find out.
    let counts = [&served, &first, &later, &later_still].map(|sender| sender.woken.count());
    assert_eq!(counts, [0, 1, 1, 1]);
    assert_eq!(later_still.poll(), stopped(13));
    assert_eq!(later.poll(), stopped(12));
    assert_eq!(first.poll(), stopped(11));
    assert_eq!(served.poll(), stopped(10));
    assert_eq!(unpolled.poll(), stopped(14));
    assert!(!cell.mailbox.waiting.is_anybody());
    assert!(matches!(receive(&mut inbox), Got::Closed));
}

#[test]
fn a_receiver_that_dies_answers_everybody() {
    for discards in [true, false] {
        let (cell, inbox) = full(1);
        let mut first = Sender::waiting(&cell, 10);
        let mut later = Sender::waiting(&cell, 11);
        if discards {
            inbox.discard().unwrap();
        } else {
            drop(inbox);
        }
        // A place of what was discarded may have been handed to either; both are called.
        assert!(first.woken.count() >= 1 && later.woken.count() >= 1);
        assert_eq!((first.poll(), later.poll()), (stopped(10), stopped(11)));
        assert!(!cell.mailbox.waiting.is_anybody());
    }
}

#[test]
fn who_moves_to_another_task_is_woken_there() {
    let (cell, mut inbox) = full(1);
    let mut sender = Sender::waiting(&cell, 10);
    let before = std::mem::take(&mut sender.woken);
    assert!(sender.is_waiting());
    assert_eq!(next(&mut inbox), Some(0));
    assert_eq!((before.count(), sender.woken.count()), (0, 1));
    assert_eq!(sender.poll(), SENT);
    assert_eq!(Arc::strong_count(&before), 1, "the former task is let go");
}

#[test]
fn where_nobody_is_let_wait_the_patient_do() {
    for overflow in [Overflow::Block, Overflow::Reject, Overflow::DropNewest, Overflow::DropOldest] {
        let (cell, mut inbox) = mailbox_with(Some(1), overflow);
        cell.mailbox.try_send(0).unwrap();
        let mut hasty = Sender::new(&cell, 1);
        let mut patient = Sender { sending: cell.mailbox.send(2).patient(), woken: Arc::default() };
        match overflow {
            Overflow::Block => assert!(hasty.is_waiting() && patient.is_waiting()),
            Overflow::Reject => {
                assert_eq!(hasty.poll(), Poll::Ready(Err(SendError::Full(1))));
                assert!(patient.is_waiting());
                assert_eq!((next(&mut inbox), patient.woken.count()), (Some(0), 1));
                // The place is its own.
                assert_full(&cell);
                assert_eq!((patient.poll(), next(&mut inbox)), (SENT, Some(2)));
                assert_whole(&cell, &mut inbox, 1);
            }
            // There it is the mailbox that loses, and nobody need wait.
            Overflow::DropNewest => assert_eq!((patient.poll(), next(&mut inbox)), (SENT, Some(0))),
            Overflow::DropOldest => assert_eq!((patient.poll(), next(&mut inbox)), (SENT, Some(2))),
        }
    }
}

#[test]
fn nobody_waits_at_an_unbounded_mailbox() {
    let (cell, mut inbox) = mailbox(None);
    for n in 0..1000 {
        assert_eq!(Sender::new(&cell, n).poll(), SENT);
    }
    assert!(!cell.mailbox.waiting.is_anybody());
    (0..1000).for_each(|n| assert_eq!(next(&mut inbox), Some(n)));
}
