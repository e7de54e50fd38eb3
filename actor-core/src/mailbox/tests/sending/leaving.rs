//! Every way to leave the line before a message is sent.

use super::*;

#[test]
fn who_is_dropped_before_the_first_poll_was_never_there() {
    let (cell, mut inbox) = full(1);
    drop(Sender::new(&cell, 7));
    assert_eq!(next(&mut inbox), Some(0));
    assert_whole(&cell, &mut inbox, 1);
}

#[test]
fn who_is_dropped_while_waiting_leaves_the_line_as_it_was() {
    let (cell, mut inbox) = full(1);
    let first = Sender::waiting(&cell, 10);
    let later = Sender::waiting(&cell, 11);
    let mut last = Sender::waiting(&cell, 12);
    drop(later);
    drop(first);
    assert_eq!(last.woken.count(), 0, "there is no room");
    assert_eq!(next(&mut inbox), Some(0));
    assert_eq!(last.woken.count(), 1);
    assert_eq!(last.poll(), SENT);
    assert_eq!(next(&mut inbox), Some(12));
    assert_whole(&cell, &mut inbox, 1);
}

#[test]
fn who_is_dropped_when_served_passes_its_place_on() {
    let (cell, mut inbox) = full(1);
    let first = Sender::waiting(&cell, 10);
    let mut second = Sender::waiting(&cell, 11);
    assert_eq!(next(&mut inbox), Some(0));
    drop(first);
    assert_eq!(second.woken.count(), 1);
    assert_full(&cell);
    assert_eq!(second.poll(), SENT);
    assert_eq!(next(&mut inbox), Some(11));
    assert_whole(&cell, &mut inbox, 1);
}

#[test]
fn who_is_dropped_when_served_and_is_the_last_gives_its_place_back() {
    let (cell, mut inbox) = full(1);
    let sender = Sender::waiting(&cell, 10);
    assert_eq!(next(&mut inbox), Some(0));
    assert_full(&cell);
    drop(sender);
    assert_whole(&cell, &mut inbox, 1);
}

#[test]
fn who_is_dropped_when_called_has_the_next_called() {
    let (cell, mut inbox) = full(1);
    let first = Sender::waiting(&cell, 10);
    let mut second = Sender::waiting(&cell, 11);
    assert_eq!(next_unseen(&mut inbox), Some(0));
    assert_eq!(inbox.park(Waker::noop()), Park::Parked);
    assert_eq!((first.woken.count(), second.woken.count()), (1, 0));
    drop(first);
    assert_eq!(second.woken.count(), 1);
    assert_eq!(second.poll(), SENT);
    assert_eq!(next(&mut inbox), Some(11));
    assert_whole(&cell, &mut inbox, 1);
}

#[test]
fn who_withdraws_has_its_message_back_and_its_place_passed_on() {
    let (cell, mut inbox) = full(1);
    assert_eq!(Sender::new(&cell, 9).sending.withdraw(), 9);
    let first = Sender::waiting(&cell, 10);
    let mut second = Sender::waiting(&cell, 11);
    let third = Sender::waiting(&cell, 12);
    assert_eq!(next(&mut inbox), Some(0));
    assert_eq!(first.sending.withdraw(), 10);
    assert_eq!(second.woken.count(), 1);
    assert_eq!(second.poll(), SENT);
    assert_eq!(third.sending.withdraw(), 12);
    assert_eq!(next(&mut inbox), Some(11));
    assert_whole(&cell, &mut inbox, 1);
}

#[test]
#[should_panic(expected = "a message that was sent cannot be withdrawn")]
fn what_was_sent_cannot_be_withdrawn() {
    let (cell, _inbox) = mailbox(None);
    let mut sender = Sender::new(&cell, 1);
    assert_eq!(sender.poll(), SENT);
    _ = sender.sending.withdraw();
}
