//! A reference's methods: awaited, timed, cast, sent, forwarded; and what comes back.

use std::future::IntoFuture;
use std::pin::pin;
use std::time::Duration;

use actor_core::{ActorRef, CallError, CallFailure, Exit, ReplyPort, SendError, WeakActorRef, actor};

use super::{is_send, one, refused};
use crate::support::poll_once;

#[derive(Default)]
struct Counter {
    n: i64,
    kept: Vec<ReplyPort<i64>>,
}

#[actor(message(derive(Debug)), structs(derive(Clone, Debug, PartialEq)))]
impl Counter {
    /// Adds and says the sum.
    async fn inc(&mut self, by: i64) -> i64 {
        tokio::task::yield_now().await;
        self.n += by;
        self.n
    }

    fn get(&self) -> i64 {
        self.n
    }

    #[cast]
    fn reset(&mut self) {
        self.n = 0;
    }

    /// Answers when it is let go.
    fn later(&mut self, port: ReplyPort<i64>) {
        self.kept.push(port);
    }

    #[cast]
    fn answer_all(&mut self, with: i64) {
        for port in self.kept.drain(..) {
            let _ = port.send(with);
        }
    }

    /// Never answers, and never ends.
    #[cast]
    async fn block(&mut self) {
        std::future::pending::<()>().await;
    }
}

/// Lets a counter answer in its place.
struct Front {
    back: CounterRef,
}

#[actor]
impl Front {
    fn inc(&mut self, by: i64, port: ReplyPort<i64>) {
        let forwarded = self.back.inc(by).forward_to(port);
        if let Err(SendError::Stopped((message, port), _)) = forwarded {
            // The message and the port are here again.
            let _ = port.send(-message.by);
        }
    }
}

#[tokio::test]
async fn a29_a_counter_is_a_plain_struct() {
    let counter = Counter::default().spawn().await.unwrap();
    assert_eq!(counter.inc(3).await, Ok(3));
    assert_eq!(counter.inc(2).timeout(Duration::from_secs(1)).await.unwrap(), 5);
    counter.inc(1).cast().unwrap();
    counter.inc(1).send().await.unwrap();
    assert_eq!(counter.get().await.unwrap(), 7);
    counter.reset().await.unwrap();
    assert_eq!(counter.get().await.unwrap(), 0);
    counter.inc(4).await.unwrap();
    counter.reset().cast().unwrap();
    counter.reset().send().await.unwrap();
    assert_eq!(counter.get().await.unwrap(), 0);
    assert_eq!(counter.stop_and_wait(None, None).await.unwrap(), Exit::Stopped(None));
}

#[test]
fn a_method_is_still_a_method() {
    let mut counter = Counter { n: 1, ..Counter::default() };
    counter.reset();
    assert_eq!(counter.get(), 0);
}

#[tokio::test]
async fn nothing_is_sent_before_it_is_awaited() {
    let counter = Counter::default().spawn().await.unwrap();
    drop(counter.inc(1));
    drop(counter.inc(1).into_future());
    drop(counter.reset().into_future());
    assert_eq!(counter.inc(1).into_message().by, 1);
    assert_eq!(counter.get().await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_refused_comes_back_as_it_was_said() {
    let counter = Counter::default().spawn().mailbox(one()).await.unwrap();
    counter.block().cast().unwrap();
    // The handler has the one, the mailbox has the next.
    while counter.reset().cast().is_err() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(refused(counter.inc(5).cast()), SendError::Full(CounterInc { by: 5 })));
    assert!(matches!(refused(counter.reset().cast()), SendError::Full(CounterReset {})));
    let (port, reply) = ReplyPort::new(None);
    match refused(counter.inc(6).forward_to(port)) {
        SendError::Full((CounterInc { by: 6 }, port)) => port.send(60).unwrap(),
        other => panic!("it should have come back, not {other:?}"),
    }
    assert_eq!(reply.await.unwrap(), 60);
    counter.kill_and_wait(None).await.unwrap();
    match counter.inc(7).await {
        Err(CallError::NotSent(SendError::Stopped(CounterInc { by: 7 }, _))) => {}
        other => panic!("it should have come back, not {other:?}"),
    }
    assert!(matches!(refused(counter.inc(8).send().await), SendError::Stopped(CounterInc { by: 8 }, _)));
    assert!(matches!(refused(counter.reset().await), SendError::Stopped(CounterReset {}, _)));
}

/// A mailbox of one, with a message in it and none in hand: there is no other task to
/// take it out before this one waits.
#[tokio::test(start_paused = true)]
async fn a_full_mailbox_makes_a_call_wait_for_room() {
    let counter = Counter::default().spawn().mailbox(one()).await.unwrap();
    counter.inc(1).cast().unwrap();
    let mut call = pin!(counter.inc(2).into_future());
    let mut send = pin!(counter.inc(4).send());
    assert!(poll_once(call.as_mut()).await.is_pending());
    assert!(poll_once(send.as_mut()).await.is_pending());
    let (sum, sent) = tokio::join!(call, send);
    sent.unwrap();
    assert_eq!(sum.unwrap(), 3);
    assert_eq!(counter.get().timeout(Duration::from_secs(1)).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_covers_the_wait_for_room_and_the_wait_for_the_answer() {
    // Nothing else would end a wait that has lost its timeout.
    let day = Duration::from_secs(86_400);
    tokio::time::timeout(day, timeouts()).await.expect("a timeout was lost");
}

#[tokio::test(start_paused = true)]
async fn b17_a_plain_call_may_take_the_default_timeout() {
    let counter = Counter::default().spawn().await.unwrap();
    counter.block().cast().unwrap();
    let began = tokio::time::Instant::now();
    let failed = counter.inc(1).default_timeout().await;
    let timeout = actor_core::limits::CALL_TIMEOUT_DEFAULT;
    assert!(matches!(failed, Err(CallError::Failed(CallFailure::TimedOut(after))) if after == timeout));
    assert_eq!(began.elapsed(), timeout);
}

async fn timeouts() {
    let second = Duration::from_secs(1);
    let counter = Counter::default().spawn().mailbox(one()).await.unwrap();
    counter.block().cast().unwrap();
    while counter.reset().cast().is_err() {
        tokio::task::yield_now().await;
    }
    let began = tokio::time::Instant::now();
    match counter.inc(1).timeout(second).await {
        Err(CallError::NotSent(SendError::Full(CounterInc { by: 1 }))) => {}
        other => panic!("it never left, so it is not {other:?}"),
    }
    assert!(matches!(refused(counter.inc(2).timeout(second).send().await), SendError::Full(_)));
    assert!(matches!(refused(counter.reset().timeout(second).await), SendError::Full(_)));
    assert!(began.elapsed() >= 3 * second && began.elapsed() < 4 * second);
    counter.kill();

    let counter = Counter::default().spawn().await.unwrap();
    let late = counter.later().timeout(second).await;
    assert!(matches!(late, Err(CallError::Failed(CallFailure::TimedOut(time))) if time == second));
    counter.answer_all(1).cast().unwrap();
    assert_eq!(counter.get().await.unwrap(), 0);
}

#[tokio::test]
async fn a_port_may_be_answered_later_or_by_another() {
    let counter = Counter::default().spawn().await.unwrap();
    let mut call = pin!(counter.later().into_future());
    assert!(poll_once(call.as_mut()).await.is_pending());
    counter.answer_all(9).await.unwrap();
    assert_eq!(call.await.unwrap(), 9);

    let front = Front { back: counter.clone() }.spawn().await.unwrap();
    assert_eq!(front.inc(3).await.unwrap(), 3);
    assert_eq!(counter.get().await.unwrap(), 3);
    counter.stop_and_wait(None, None).await.unwrap();
    assert_eq!(front.inc(4).await.unwrap(), -4);
}

#[tokio::test]
async fn a_reference_is_an_actor_ref_with_methods() {
    let counter = Counter::default().spawn().name("plain").await.unwrap();
    let same = counter.clone();
    assert_eq!(counter, same);
    assert_eq!(counter.name(), Some("plain"));
    assert!(format!("{counter:?}").starts_with("CounterRef(ActorRef("), "{counter:?}");
    let other = Counter::default().spawn().await.unwrap();
    assert_ne!(counter, other);
    assert_eq!(std::collections::HashSet::from([counter.clone(), same, other]).len(), 2);
    let actor: ActorRef<CounterMessage> = counter.clone().into();
    assert_eq!(actor.call(CounterMessage::Get).await.unwrap(), 0);
    assert_eq!(CounterRef::from(actor), counter);
    let weak: WeakActorRef<CounterMessage> = counter.downgrade();
    assert_eq!(weak.upgrade().map(CounterRef::from), Some(counter.clone()));
    let found = actor_core::ActorSystem::current().where_is_typed::<CounterMessage>("plain");
    assert_eq!(found.map(CounterRef::from), Some(counter));
}

#[tokio::test]
async fn the_futures_are_send() {
    let counter = is_send(Counter::default().spawn().into_future()).await.unwrap();
    assert_eq!(is_send(counter.inc(1).into_future()).await.unwrap(), 1);
    is_send(counter.reset().into_future()).await.unwrap();
    let elsewhere = tokio::spawn(async move { counter.inc(1).timeout(Duration::from_secs(9)).await });
    assert_eq!(elsewhere.await.unwrap().unwrap(), 1);
}

/// Here nothing is remembered, and nothing runs twice all the same.
#[tokio::test(start_paused = true)]
async fn a_call_with_a_key_runs_once() {
    let counter = Counter::default().spawn().mailbox(one()).await.unwrap();
    let key = counter.call_key();
    assert_eq!((key.number(), key.actor(), key.may_have_run()), (0, counter.id(), false));
    assert_eq!(is_send(counter.inc(3).once(&key).into_future()).await, Ok(3));
    assert!(key.may_have_run());
    assert_eq!(counter.inc(3).once(&key).await, Err(CallFailure::Forgotten.into()));
    assert_eq!(counter.get().await, Ok(3));
    // What never left can be asked again.
    let (key, second) = (counter.call_key(), Duration::from_secs(1));
    counter.block().await.unwrap();
    counter.reset().await.unwrap();
    let unsent = counter.inc(1).once(&key).timeout(second).await;
    assert_eq!(unsent, Err(CallError::NotSent(SendError::Full(CounterInc { by: 1 }))));
    assert!(!key.may_have_run());
    // Nor is another actor's key of any use.
    let other = Counter::default().spawn().await.unwrap();
    let foreign = other.inc(1).once(&key).await;
    assert!(matches!(foreign, Err(CallError::NotSent(SendError::Unsendable(CounterInc { by: 1 }, _)))));
    // One that died in the mailbox never ran; one that is still there may.
    let key = other.call_key();
    other.block().await.unwrap();
    let timed_out = other.inc(1).once(&key).timeout(second).await;
    assert_eq!(timed_out, Err(CallFailure::TimedOut(second).into()));
    assert!(key.may_have_run());
    let key = other.call_key();
    let killed = async { tokio::join!(other.inc(1).once(&key).into_future(), other.kill_and_wait(None)).0 };
    assert!(killed.await.unwrap_err().never_ran() && !key.may_have_run());
}
