//! Ports and replies as their users see them: every route, every way to end.

use std::mem::size_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use super::*;
use crate::error::Rejection;
use crate::executor::Executor;
use crate::sync::LockExt;

fn poll<T>(reply: &mut ReplyFuture<T>) -> Poll<Result<T, CallFailure>> {
    Pin::new(reply).poll(&mut Context::from_waker(Waker::noop()))
}

/// A caller elsewhere that remembers what it was told.
struct Elsewhere(Arc<Mutex<Vec<Result<u8, CallFailure>>>>);

impl Answer<u8> for Elsewhere {
    fn answer(&mut self, result: Result<u8, CallFailure>) {
        self.0.locked().push(result);
    }

    fn is_closed(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

fn told(end: impl FnOnce(ReplyPort<u8>)) -> Vec<Result<u8, CallFailure>> {
    let told = Arc::default();
    end(ReplyPort::foreign(Elsewhere(Arc::clone(&told)), None, Destination::default()));
    Arc::into_inner(told).expect("the answer was dropped").into_inner().unwrap()
}

#[test]
fn an_answer_arrives() {
    let (port, mut reply) = ReplyPort::new(None);
    assert!(!port.is_closed());
    assert_eq!(port.deadline(), None);
    assert_eq!(poll(&mut reply), Poll::Pending);
    assert_eq!(port.send(7), Ok(()));
    assert_eq!(poll(&mut reply), Poll::Ready(Ok(7)));
}

#[test]
fn a_dropped_port_is_no_reply() {
    let (port, mut reply) = ReplyPort::<u8>::new(None);
    drop(port);
    assert_eq!(poll(&mut reply), Poll::Ready(Err(CallFailure::NoReply)));
}

#[test]
fn a_caller_that_went_away_is_seen_and_the_value_comes_back() {
    let (port, reply) = ReplyPort::new(Some(Instant::FAR));
    drop(reply);
    assert!(port.is_closed());
    assert_eq!(port.deadline(), Some(Instant::FAR));
    assert_eq!(port.send("late"), Err("late"));
}

#[test]
fn a_failure_arrives() {
    let (port, mut reply) = ReplyPort::<u8>::new(None);
    port.fail(CallFailure::Expired);
    assert_eq!(poll(&mut reply), Poll::Ready(Err(CallFailure::Expired)));
    let (port, reply) = ReplyPort::<u8>::new(None);
    drop(reply);
    port.fail(CallFailure::Expired);
}

#[test]
fn a_caller_elsewhere_is_told_once() {
    assert_eq!(told(|port| assert_eq!(port.send(7), Ok(()))), [Ok(7)]);
    assert_eq!(told(|port| port.fail(CallFailure::Expired)), [Err(CallFailure::Expired)]);
    assert_eq!(told(drop), [Err(CallFailure::NoReply)]);
}

#[test]
fn a_caller_elsewhere_is_asked() {
    let told = Arc::default();
    let port = ReplyPort::foreign(Elsewhere(Arc::clone(&told)), Some(Instant::FAR), Destination::default());
    assert!(!port.is_closed());
    assert_eq!(port.deadline(), Some(Instant::FAR));
    drop(told);
    assert!(port.is_closed());
}

#[test]
fn nobody_waits_from_the_start() {
    let port = ReplyPort::nobody();
    assert!(port.is_closed());
    assert_eq!(port.deadline(), None);
    assert_eq!(port.send(7), Err(7));
    ReplyPort::<u8>::nobody().fail(CallFailure::Expired);
    drop(ReplyPort::<u8>::nobody());
}

#[test]
fn a_port_is_one_word_and_so_is_a_reply() {
    let word = size_of::<usize>();
    assert_eq!(size_of::<ReplyPort<u8>>(), word);
    assert_eq!(size_of::<ReplyPort<[u64; 100]>>(), word);
    assert_eq!(size_of::<ReplyFuture<u8>>(), word);
    assert_eq!(size_of::<Option<ReplyFuture<u8>>>(), 2 * word);
}

#[test]
fn ends_go_where_their_value_may() {
    fn goes<T: Send>() {}
    fn stays<T: Sync + Unpin>() {}
    goes::<ReplyPort<std::cell::Cell<u8>>>();
    goes::<ReplyFuture<std::cell::Cell<u8>>>();
    stays::<ReplyFuture<std::cell::Cell<u8>>>();
}

#[test]
#[should_panic(expected = "not polled again")]
fn a_reply_is_ready_once() {
    let (port, mut reply) = ReplyPort::new(None);
    port.send(7).unwrap();
    assert!(poll(&mut reply).is_ready());
    _ = poll(&mut reply);
}

#[test]
fn a_port_dropped_by_a_panic_is_no_reply() {
    let (port, mut reply) = ReplyPort::<u8>::new(None);
    let handler = move || {
        let _port = port;
        panic!("on purpose");
    };
    assert!(catch_unwind(AssertUnwindSafe(handler)).is_err());
    assert_eq!(poll(&mut reply), Poll::Ready(Err(CallFailure::NoReply)));
}

/// Before the timer is armed, while it runs, once the answer is there, and once it
/// was taken.
#[tokio::test(start_paused = true)]
async fn a_caller_may_give_up_at_each_moment() {
    let executor = Executor::tokio();
    for moment in 0..4 {
        let deadline = executor.now() + Duration::from_secs(5);
        let (port, reply) = ReplyPort::new(Some(deadline));
        let mut waiting = Box::pin(executor.until(deadline, reply));
        let mut cx = Context::from_waker(Waker::noop());
        if moment > 0 {
            assert!(waiting.as_mut().poll(&mut cx).is_pending());
        }
        if moment < 2 {
            drop(waiting);
            assert!(port.is_closed());
            assert_eq!(port.send(7), Err(7));
            continue;
        }
        assert_eq!(port.send(7), Ok(()));
        if moment == 3 {
            assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Ready(Ok(Ok(7))));
        }
        drop(waiting);
    }
}

/// A message with a port in it, and one that hangs on it.
struct Parcel {
    own: ReplyPort<u8>,
    far: Box<ReplyPort<u8>>,
    then: Option<Box<dyn FnOnce()>>,
}

impl Parcel {
    fn new(then: Option<Box<dyn FnOnce()>>) -> (Self, [ReplyFuture<u8>; 2]) {
        Self::bound(queued(0), then)
    }

    fn bound(bound: Bound, then: Option<Box<dyn FnOnce()>>) -> (Self, [ReplyFuture<u8>; 2]) {
        let (own, own_reply) = ReplyPort::bound(bound, None);
        let (far, far_reply) = ReplyPort::bound(bound, None);
        (Self { own, far: Box::new(far), then }, [own_reply, far_reply])
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        assert!(!self.own.is_closed() && !self.far.is_closed());
        if let Some(then) = self.then.take() {
            then();
        }
    }
}

fn failures(replies: [ReplyFuture<u8>; 2]) -> [CallFailure; 2] {
    replies.map(|mut reply| match poll(&mut reply) {
        Poll::Ready(Err(failure)) => failure,
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_port_in_a_message_that_nobody_handled_says_why() {
    let table = [
        (Unhandled::Full, CallFailure::Rejected(Rejection::Full)),
        (Unhandled::Stopped, CallFailure::Rejected(Rejection::Stopped)),
        (Unhandled::Expired, CallFailure::Expired),
    ];
    for (why, failure) in table {
        let (parcel, replies) = Parcel::new(None);
        drop_unhandled(parcel, why, queued(0));
        // The other one may have been anywhere before.
        assert_eq!(failures(replies), [failure, CallFailure::NoReply]);
    }
    let (parcel, replies) = Parcel::new(None);
    drop(parcel);
    assert_eq!(failures(replies), [CallFailure::NoReply, CallFailure::NoReply]);
}

/// Stand for queues: their addresses do.
static QUEUE: u8 = 0;
static OTHER: u8 = 0;

fn at(queue: &'static u8, position: u64) -> Bound {
    Bound::new(queue, position)
}

fn queued(position: u64) -> Bound {
    at(&QUEUE, position)
}

/// A handler may have had the port in hand and have put it into another message.
#[test]
fn a_port_that_was_not_put_there_by_its_call_says_nothing() {
    let mark = at(&QUEUE, u64::MAX - 1);
    let (full, unknown) = (CallFailure::Rejected(Rejection::Full), CallFailure::NoReply);
    let table = [
        // Where the call was going: what is known when its message dies.
        (mark, full.clone()),
        // It came after the first that nobody handled, also where positions come around.
        (at(&QUEUE, u64::MAX), full.clone()),
        (at(&QUEUE, 1), full),
        // It may have been handled.
        (at(&QUEUE, u64::MAX - 2), unknown.clone()),
        // That was another queue.
        (at(&OTHER, u64::MAX), unknown.clone()),
        (Bound::NOWHERE, unknown.clone()),
    ];
    for (bound, failure) in table {
        let (parcel, replies) = Parcel::bound(bound, None);
        drop_unhandled(parcel, Unhandled::Full, mark);
        assert_eq!(failures(replies), [failure, unknown.clone()], "{bound:?}");
    }
    let (parcel, replies) = Parcel::bound(Bound::NOWHERE, None);
    drop_unhandled(parcel, Unhandled::Full, Bound::NOWHERE);
    assert_eq!(failures(replies), [unknown.clone(), unknown]);
}

#[test]
fn each_message_that_dies_speaks_for_itself() {
    let (last, of_last) = Parcel::new(None);
    let (inner, of_inner) = Parcel::new(Some(Box::new(|| panic!("so be it"))));
    let (outer, of_outer) = Parcel::new(Some(Box::new(move || {
        drop(last);
        let caught = catch_unwind(AssertUnwindSafe(|| drop_unhandled(inner, Unhandled::Expired, queued(0))));
        assert!(caught.is_err());
    })));
    drop_unhandled(outer, Unhandled::Full, queued(0));
    assert_eq!(failures(of_last), [CallFailure::NoReply, CallFailure::NoReply]);
    assert_eq!(failures(of_inner), [CallFailure::Expired, CallFailure::NoReply]);
    // What was true before the other one died is true again.
    assert_eq!(failures(of_outer), [CallFailure::Rejected(Rejection::Full), CallFailure::NoReply]);
}
