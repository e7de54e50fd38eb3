//! What the tests share. No test lives here.

mod door;
mod gate;
mod probe;
mod spans;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use actor_core::{ActorCell, ActorRef, ActorSystem, Exit};

pub(crate) use self::door::{ColocatedDoor, Door, LocalDoor, SendDoor};
pub(crate) use self::gate::Gate;
pub(crate) use self::probe::{Act, Entry, Hook, Log, Message, Probe, act, act_once, fail, panics};
pub(crate) use self::spans::{Call, Spans, number};

/// Returns once the actor has handled everything that came before this. Gives
/// the number of notes it has handled.
pub(crate) async fn settled(actor: &ActorRef<Message>) -> u32 {
    actor.call(Message::Ask).await.expect("a live actor answers")
}

/// An actor that has stopped without a reason.
pub(crate) async fn dead(door: &impl Door) -> ActorCell {
    let actor = door.spawn(Probe::new(&Log::default())).await;
    assert_eq!(actor.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    actor.cell()
}

/// Lets so much time pass on the actors' clock, which must be a virtual one: it moves
/// only when everybody waits.
pub(crate) async fn pass(system: &ActorSystem, time: Duration) {
    // sleep: virtual time.
    system.executor().sleep(time).await;
}

/// A way to bring an actor to its end.
pub(crate) type Ending = fn(&ActorRef<Message>);

/// The exit of an actor that was stopped for a reason.
pub(crate) fn stopped(reason: &str) -> Exit {
    Exit::Stopped(Some(reason.into()))
}

/// Polls a future a single time.
pub(crate) async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Lets others run, once.
pub(crate) async fn yield_once() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs until `until` is ready; `future` is polled beside it and must not be.
pub(crate) async fn held<F: Future>(mut future: Pin<&mut F>, until: impl Future<Output = ()>) {
    let mut until = pin!(until);
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending(), "it should have been held");
        until.as_mut().poll(cx)
    })
    .await;
}

/// Runs futures side by side and gives their outputs in order.
pub(crate) async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut is_done = true;
        for (future, output) in running.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => is_done = false,
                }
            }
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
