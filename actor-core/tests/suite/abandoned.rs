//! Sends and calls that are given up: what was sent, what comes back, who is told.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use actor_core::{
    CallError, CallFailure, Capacity, Exit, Overflow, Rejection, ReplyPort, SendError, SpawnOptions,
};

use super::mailbox::{CAPACITY, bounded, fill, hold};
use crate::support::{Door, Entry, Gate, Log, Message, Probe, act_once, poll_once, settled};

type Kept<T> = Arc<Mutex<Option<ReplyPort<T>>>>;

/// A message whose handler keeps the port of its call.
fn keep(kept: &Kept<u32>) -> impl FnOnce(ReplyPort<u32>) -> Message + use<> {
    let kept = kept.clone();
    move |port| Message::Do(act_once(|| async move { *kept.lock().unwrap() = Some(port) }))
}

pub(super) async fn a_send_dropped_before_it_is_polled_sends_nothing(door: impl Door) {
    let log = Log::default();
    let actor = bounded(&door, &log).await;
    drop(actor.send(Message::Note(1)));
    drop(actor.call(Message::Ask));
    drop(actor.call_timeout(std::time::Duration::MAX, Message::Ask));
    assert_eq!(actor.drain_and_wait(None).await, Ok(Exit::Drained));
    assert_eq!(log.entries(), [Entry::PostStop, Entry::Dropped]);
}

pub(super) async fn a_send_dropped_after_it_was_given_a_place_gives_it_on(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let actor = bounded(&door, &log).await;
    hold(&actor, &gate).await;
    assert_eq!(fill(&actor), CAPACITY);
    let mut first: Vec<_> = (0..CAPACITY).map(|n| Box::pin(actor.send(Message::Note(100 + n)))).collect();
    for waiting in &mut first {
        assert!(poll_once(waiting.as_mut()).await.is_pending());
    }
    let mut last = pin!(actor.send(Message::Note(200)));
    assert!(poll_once(last.as_mut()).await.is_pending());
    // All places that come free go to the first ones, so that nobody barges in.
    let again = Gate::new();
    gate.open();
    // The actor is idle when its mailbox is full of places that were given away.
    while log.entries().len() < CAPACITY as usize {
        crate::support::dead(&door).await;
    }
    assert_eq!(actor.cast(Message::Note(300)), Err(SendError::Full(Message::Note(300))));
    assert!(poll_once(last.as_mut()).await.is_pending());
    drop(first.remove(0));
    // The one that was given up is the last one's now.
    assert_eq!(last.await, Ok(()));
    drop(first);
    hold(&actor, &again).await;
    assert_eq!(fill(&actor), CAPACITY);
    again.open();
    assert_eq!(actor.drain_and_wait(None).await, Ok(Exit::Drained));
    let mut expected: Vec<Entry> = (0..CAPACITY).chain([200]).chain(0..CAPACITY).map(Entry::Note).collect();
    expected.extend([Entry::PostStop, Entry::Dropped]);
    assert_eq!(log.entries(), expected);
}

pub(super) async fn a_call_dropped_while_it_waits_for_room_was_not_sent(door: impl Door) {
    let (log, gate, kept) = (Log::default(), Gate::new(), Kept::default());
    let actor = bounded(&door, &log).await;
    hold(&actor, &gate).await;
    assert_eq!(fill(&actor), CAPACITY);
    let mut plain = Box::pin(actor.call(keep(&kept)));
    let mut timed = Box::pin(actor.call_timeout(std::time::Duration::from_secs(60 * 60), keep(&kept)));
    assert!(poll_once(plain.as_mut()).await.is_pending());
    assert!(poll_once(timed.as_mut()).await.is_pending());
    drop((plain, timed));
    gate.open();
    assert_eq!(settled(&actor).await, CAPACITY);
    assert!(kept.lock().unwrap().is_none());
    // They took no room either.
    let again = Gate::new();
    hold(&actor, &again).await;
    assert_eq!(fill(&actor), CAPACITY);
    again.open();
    assert_eq!(actor.drain_and_wait(None).await, Ok(Exit::Drained));
}

pub(super) async fn a_call_dropped_while_it_waits_for_its_answer_is_seen_by_its_port(door: impl Door) {
    let kept = Kept::default();
    let actor = bounded(&door, &Log::default()).await;
    let hour = std::time::Duration::from_secs(60 * 60);
    for is_timed in [false, true] {
        let mut plain = Box::pin(actor.call(keep(&kept)));
        let mut timed = Box::pin(actor.call_timeout(hour, keep(&kept)));
        if is_timed {
            assert!(poll_once(timed.as_mut()).await.is_pending());
        } else {
            assert!(poll_once(plain.as_mut()).await.is_pending());
        }
        settled(&actor).await;
        let port = kept.lock().unwrap().take().expect("the handler kept it");
        assert!(!port.is_closed());
        assert_eq!(port.deadline().is_some(), is_timed);
        drop((plain, timed));
        assert!(port.is_closed());
        assert_eq!(port.send(7), Err(7));
    }
    // A call that is given up while it is queued runs all the same.
    let gate = Gate::new();
    hold(&actor, &gate).await;
    let mut queued = Box::pin(actor.call(keep(&kept)));
    assert!(poll_once(queued.as_mut()).await.is_pending());
    drop(queued);
    gate.open();
    settled(&actor).await;
    assert!(kept.lock().unwrap().take().expect("it ran").is_closed());
}

/// A task that takes a port with it, an act that is never run, a queue that is dropped.
pub(super) async fn a_port_that_is_dropped_with_what_held_it(door: impl Door) {
    let executor = door.system().executor().clone();
    let actor = bounded(&door, &Log::default()).await;
    let to_a_task = |port: ReplyPort<u32>| {
        Message::Do(act_once(|| async move {
            let task = executor.spawn(async move {
                std::future::pending::<()>().await;
                let _ = port.send(7);
            });
            task.abort();
            task.await;
        }))
    };
    let no_reply = Err(CallError::Failed(CallFailure::NoReply));
    assert_eq!(actor.call(to_a_task).await, no_reply);

    let gate = Gate::new();
    hold(&actor, &gate).await;
    let mut queued = pin!(actor.call(Message::Ask));
    assert!(poll_once(queued.as_mut()).await.is_pending());
    assert_eq!(actor.kill_and_wait(None).await, Ok(Exit::Killed));
    // No handler has seen it.
    let rejected = CallFailure::Rejected(Rejection::Stopped);
    assert!(rejected.never_ran());
    assert_eq!(queued.await, Err(CallError::Failed(rejected)));
}

/// What a mailbox drops has not run, whyever it drops it, and whoever called may do so again.
pub(super) async fn a14_a_call_that_no_handler_has_seen_is_told_so(door: impl Door) {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let gate = Gate::new();
        let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap()).overflow(overflow);
        let actor = door.start(Probe::new(&Log::default()), options).await.unwrap();
        hold(&actor, &gate).await;
        let mut first = pin!(actor.call(Message::Ask));
        assert!(poll_once(first.as_mut()).await.is_pending());
        let mut second = pin!(actor.call(Message::Ask));
        let second_at_once = poll_once(second.as_mut()).await;
        let full = CallError::Failed(CallFailure::Rejected(Rejection::Full));
        assert!(full.never_ran());
        let left = if overflow == Overflow::DropNewest {
            assert_eq!(second_at_once, Poll::Ready(Err(full)));
            first
        } else {
            assert!(second_at_once.is_pending());
            assert_eq!(first.await, Err(full));
            second
        };
        // The one that waits is lost with its actor, whatever ends that.
        actor.stop(None);
        gate.open();
        assert_eq!(left.await, Err(CallError::Failed(CallFailure::Rejected(Rejection::Stopped))));
        assert_eq!(actor.wait(None).await, Ok(Exit::Stopped(None)));
    }
    // Of a port that only hangs on the message nothing is known for certain.
    let actor = bounded(&door, &Log::default()).await;
    let gate = Gate::new();
    hold(&actor, &gate).await;
    let behind = |port: ReplyPort<u32>| Message::Do(act_once(|| async move { drop(port) }));
    let mut unsure = pin!(actor.call(behind));
    assert!(poll_once(unsure.as_mut()).await.is_pending());
    actor.kill();
    assert_eq!(unsure.await, Err(CallError::Failed(CallFailure::NoReply)));
}

/// A handler may send the port of a call on in a message of its own: whatever becomes of that
/// one, the call has run.
pub(super) async fn a14_a_call_that_a_handler_sent_on_may_have_run(door: impl Door) {
    let unsure = || Err(CallError::Failed(CallFailure::NoReply));
    for is_to_itself in [true, false] {
        for overflow in [Overflow::DropNewest, Overflow::DropOldest, Overflow::Block] {
            let gate = Gate::new();
            let options = || SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap()).overflow(overflow);
            let actor = door.start(Probe::new(&Log::default()), options()).await.unwrap();
            let other = door.start(Probe::new(&Log::default()), options()).await.unwrap();
            let target = if is_to_itself { actor.clone() } else { other.clone() };
            if !is_to_itself {
                hold(&other, &gate).await;
            }
            let forward = |port: ReplyPort<u32>| {
                let target = target.clone();
                Message::Do(act_once(move || async move {
                    if overflow == Overflow::DropNewest {
                        target.cast(Message::Note(1)).unwrap();
                    }
                    target.cast(Message::Ask(port)).unwrap();
                    if overflow == Overflow::DropOldest {
                        target.cast(Message::Note(1)).unwrap();
                    }
                    target.stop(None);
                }))
            };
            let sent_on = async {
                while target.mailbox_stats().unwrap().sent < 2 {
                    crate::support::dead(&door).await;
                }
                gate.open();
            };
            let (answer, ()) = tokio::join!(actor.call(forward), sent_on);
            assert_eq!(answer, unsure(), "to itself: {is_to_itself}, {overflow:?}");
            for actor in [&actor, &other] {
                assert!(actor.kill_and_wait(None).await.is_ok());
            }
        }
    }
}
