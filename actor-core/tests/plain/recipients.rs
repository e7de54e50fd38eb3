//! Addresses that are known by one message, of actors of either kind.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use actor_core::{
    Accepts, Actor, ActorError, ActorRef, Answers, CallError, CallFailure, CallRecipient, Exit, Recipient,
    ReplyPort, SendError, Spawn, actor,
};
use allocation_counter::measure;

use super::{is_send, one, refused};
use crate::support::poll_once;

#[derive(Default)]
struct Sink {
    sum: u64,
}

#[actor]
impl Sink {
    #[cast]
    fn add(&mut self, by: u64) {
        self.sum += by;
    }

    fn sum(&self) -> u64 {
        self.sum
    }

    fn never(&mut self, port: ReplyPort<u64>) {
        std::mem::forget(port);
    }
}

/// An actor of the trait, with its conversions by hand.
struct ByHand;

enum Message {
    Add(u64),
    Twice(u64, ReplyPort<u64>),
}

impl Actor for ByHand {
    type Msg = Message;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Message>, (): ()) -> Result<u64, ActorError> {
        Ok(0)
    }

    async fn handle(&self, _: &ActorRef<Message>, message: Message, sum: &mut u64) -> Result<(), ActorError> {
        match message {
            Message::Add(by) => *sum += by,
            Message::Twice(by, port) => _ = port.send(2 * by + *sum),
        }
        Ok(())
    }
}

impl Accepts<SinkAdd> for Message {
    fn wrap(SinkAdd { by }: SinkAdd) -> Self {
        Self::Add(by)
    }

    fn take_back(self) -> Option<SinkAdd> {
        match self {
            Self::Add(by) => Some(SinkAdd { by }),
            Self::Twice(..) => None,
        }
    }
}

#[derive(Debug, PartialEq)]
struct Twice(u64);

impl Accepts<Twice> for Message {
    fn wrap(Twice(by): Twice) -> Self {
        Self::Twice(by, ReplyPort::nobody())
    }

    fn take_back(self) -> Option<Twice> {
        self.take_back_call().map(|(message, _)| message)
    }
}

impl Answers<Twice, u64> for Message {
    fn wrap_call(Twice(by): Twice, port: ReplyPort<u64>) -> Self {
        Self::Twice(by, port)
    }

    fn take_back_call(self) -> Option<(Twice, ReplyPort<u64>)> {
        match self {
            Self::Twice(by, port) => Some((Twice(by), port)),
            Self::Add(_) => None,
        }
    }
}

#[tokio::test]
async fn actors_of_different_kinds_are_recipients_of_one_message() {
    let sink = Sink::default().spawn().await.unwrap();
    let by_hand = ByHand.spawn(()).await.unwrap();
    let adders: [Recipient<SinkAdd>; 2] = [Recipient::from(&sink), Recipient::from(&by_hand)];
    for adder in &adders {
        adder.cast(SinkAdd { by: 3 }).unwrap();
        is_send(adder.send(SinkAdd { by: 4 })).await.unwrap();
    }
    assert_eq!(sink.sum().await.unwrap(), 7);
    let twice: CallRecipient<Twice, u64> = by_hand.call_recipient();
    assert_eq!(is_send(twice.call(Twice(5))).await, Ok(17));
    assert_eq!(twice.call_timeout(Duration::from_secs(1), Twice(6)).await, Ok(19));
    // An actor's whole message is one of its messages.
    let whole: Recipient<Message> = by_hand.recipient();
    whole.cast(Message::Add(1)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(twice.call(Twice(0)).await, Ok(8));
}

#[tokio::test]
async fn a_recipient_is_an_address() {
    let sink = Sink::default().spawn().name("sink").await.unwrap();
    let (add, again): (Recipient<SinkAdd>, Recipient<SinkAdd>) = (sink.recipient(), sink.recipient());
    let other: Recipient<SinkAdd> = Sink::default().spawn().await.unwrap().recipient();
    assert_eq!((add.id(), add.name()), (sink.id(), Some("sink")));
    assert_eq!(add, again);
    assert_ne!(add, other);
    assert_eq!(HashSet::from([add.clone(), again, other]).len(), 2);
    let sum: CallRecipient<SinkSum, u64> = CallRecipient::from(&sink);
    assert_eq!(sum, sum.clone());
    assert_eq!(sum.recipient(), sink.recipient());
    assert_eq!((add.cell(), sum.cell()), (sink.cell(), sink.cell()));
    assert!(format!("{add:?} {sum:?}").contains(") CallRecipient("), "{add:?} {sum:?}");
}

#[tokio::test]
async fn a_weak_recipient_keeps_nothing() {
    let sink = Sink::default().spawn().await.unwrap();
    let (add, sum) = (sink.recipient::<SinkAdd>(), sink.call_recipient::<SinkSum, u64>());
    let (weak_add, weak_sum) = (add.downgrade(), sum.downgrade());
    // That the strong recipients are gone does not matter: the actor has an address.
    drop((add, sum));
    weak_add.clone().upgrade().unwrap().cast(SinkAdd { by: 1 }).unwrap();
    assert_eq!(weak_sum.clone().upgrade().unwrap().call(SinkSum {}).await.unwrap(), 1);
    sink.stop_and_wait(None, None).await.unwrap();
    drop(sink);
    // The actor's own task may hold on to its address for a moment.
    while weak_add.upgrade().is_some() {
        tokio::task::yield_now().await;
    }
    assert!(weak_sum.upgrade().is_none());
}

#[tokio::test]
async fn what_a_recipient_cannot_send_comes_back() {
    let by_hand = ByHand.spawn(()).await.unwrap();
    by_hand.stop_and_wait(None, None).await.unwrap();
    let add: Recipient<SinkAdd> = by_hand.recipient();
    assert!(matches!(refused(add.cast(SinkAdd { by: 1 })), SendError::Stopped(SinkAdd { by: 1 }, _)));
    assert!(matches!(refused(add.send(SinkAdd { by: 2 }).await), SendError::Stopped(SinkAdd { by: 2 }, _)));
    let twice: CallRecipient<Twice, u64> = by_hand.call_recipient();
    let stopped = |n| SendError::Stopped(Twice(n), Some(Exit::Stopped(None)));
    assert_eq!(twice.cast(Twice(1)), Err(stopped(1)));
    assert_eq!(twice.send(Twice(2)).await, Err(stopped(2)));
    assert_eq!(twice.call(Twice(3)).await, Err(CallError::NotSent(stopped(3))));
    let (port, reply) = ReplyPort::new(None);
    match refused(twice.forward(Twice(4), port)) {
        SendError::Stopped((Twice(4), port), _) => port.send(8).unwrap(),
        other => panic!("it should have come back, not {other:?}"),
    }
    assert_eq!(reply.await, Ok(8));
}

#[tokio::test(start_paused = true)]
async fn a_recipient_waits_for_room_and_for_answers() {
    let sink = Sink::default().spawn().mailbox(one()).await.unwrap();
    let (add, sum) = (sink.recipient::<SinkAdd>(), sink.call_recipient::<SinkSum, u64>());
    add.cast(SinkAdd { by: 1 }).unwrap();
    assert!(matches!(refused(add.cast(SinkAdd { by: 2 })), SendError::Full(SinkAdd { by: 2 })));
    let (mut send, mut call) = (pin!(add.send(SinkAdd { by: 2 })), pin!(sum.call(SinkSum {})));
    assert!(poll_once(send.as_mut()).await.is_pending());
    assert!(poll_once(call.as_mut()).await.is_pending());
    let (sent, answer) = tokio::join!(send, call);
    sent.unwrap();
    assert_eq!(answer.unwrap(), 3);
    let second = Duration::from_secs(1);
    let never: CallRecipient<SinkNever, u64> = sink.call_recipient();
    let late = never.call_timeout(second, SinkNever {}).await;
    assert!(matches!(late, Err(CallError::Failed(CallFailure::TimedOut(time))) if time == second));
}

/// One allocation makes a recipient, and what a message costs through it is what it
/// costs without it.
#[tokio::test]
async fn a31_a_recipient_boxes_no_message() {
    const MESSAGES: u64 = 500;
    let sink = Sink::default().spawn().await.unwrap();
    let mut recipient = None;
    let made = measure(|| recipient = Some(sink.recipient::<SinkAdd>()));
    let recipient = recipient.unwrap();
    assert_eq!(made.count_total, 1);
    // Both ways twice over, so that neither pays for what the mailbox allocates anew.
    let cast = |by| sink.cast(SinkMessage::Add(by)).unwrap_or_else(|error| panic!("{error}"));
    let plain = || measure(|| (0..MESSAGES).for_each(cast));
    plain();
    sink.sum().await.unwrap();
    let direct = plain().count_total;
    sink.sum().await.unwrap();
    let typed = measure(|| (0..MESSAGES).for_each(|by| sink.add(by).cast().unwrap())).count_total;
    sink.sum().await.unwrap();
    let through =
        measure(|| (0..MESSAGES).for_each(|by| recipient.cast(SinkAdd { by }).unwrap())).count_total;
    assert!(through < MESSAGES / 10 && typed < MESSAGES / 10, "{through} and {typed} allocations");
    assert!(through.abs_diff(direct) <= 1 && typed.abs_diff(direct) <= 1, "{direct}, {typed}, {through}");
}

/// Awaiting a call costs what `ActorRef::call` costs.
#[tokio::test]
async fn a31_a_call_boxes_nothing() {
    let sink = Sink::default().spawn().await.unwrap();
    // The first poll is where a call sends; then the actor's own task takes over.
    let first_poll = |poll: &mut dyn FnMut()| measure(poll).count_total;
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut direct = Box::pin(ActorRef::call(&sink, SinkMessage::Sum));
    let mut typed = Box::pin(sink.sum().into_future());
    let mut timed = Box::pin(sink.sum().timeout(Duration::from_secs(1)).into_future());
    let of_direct = first_poll(&mut || assert!(direct.as_mut().poll(&mut context).is_pending()));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let of_typed = first_poll(&mut || assert!(typed.as_mut().poll(&mut context).is_pending()));
    assert!(of_typed <= of_direct, "{of_typed} allocations, and {of_direct} without the macro");
    let of_timed = first_poll(&mut || assert!(timed.as_mut().poll(&mut context).is_pending()));
    assert!(of_timed <= of_direct, "{of_timed} allocations, and {of_direct} without the macro");
    drop((direct, typed, timed));
}
