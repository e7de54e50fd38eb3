//! Addresses known by a message that the actor's are made of.

use std::collections::HashSet;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, CallFailure, Capacity, Exit, Recipient, ReplyPort, SendError,
    SpawnOptions,
};

use crate::support::poll_once;

/// What is sent alone.
#[derive(Debug, PartialEq, Eq)]
struct Add(u64);

/// What converts one way only, which its type does not tell.
#[derive(Debug, PartialEq, Eq)]
struct Lost;

enum Message {
    Add(u64),
    Sum(ReplyPort<u64>),
    Stand,
}

impl From<Add> for Message {
    fn from(Add(by): Add) -> Self {
        Self::Add(by)
    }
}

impl TryFrom<Message> for Add {
    type Error = Message;

    fn try_from(message: Message) -> Result<Self, Message> {
        if let Message::Add(by) = message { Ok(Self(by)) } else { Err(message) }
    }
}

impl From<Lost> for Message {
    fn from(Lost: Lost) -> Self {
        Self::Add(0)
    }
}

impl TryFrom<Message> for Lost {
    type Error = Message;

    fn try_from(message: Message) -> Result<Self, Message> {
        Err(message)
    }
}

struct Sum;

impl Actor for Sum {
    type Msg = Message;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Message>, (): ()) -> Result<u64, ActorError> {
        Ok(0)
    }

    async fn handle(&self, _: &ActorRef<Message>, message: Message, sum: &mut u64) -> Result<(), ActorError> {
        match message {
            Message::Add(by) => *sum += by,
            Message::Sum(port) => drop(port.send(*sum)),
            Message::Stand => pending().await,
        }
        Ok(())
    }
}

async fn sum(options: SpawnOptions) -> ActorRef<Message> {
    ActorSystem::new().spawn(Sum, (), options).await.unwrap()
}

fn refused<M>(outcome: Result<(), SendError<M>>) -> SendError<M> {
    outcome.expect_err("it was to be refused")
}

#[tokio::test]
async fn a_derived_address_sends_what_the_actor_takes() {
    let actor = sum(SpawnOptions::new()).await;
    let adder: Recipient<Add> = actor.derived();
    adder.cast(Add(3)).unwrap();
    adder.send(Add(4)).await.unwrap();
    assert_eq!(actor.call(Message::Sum).await.unwrap(), 7);
    // It is an address like any other: it can stop the actor.
    adder.stop_and_wait(None, None).await.unwrap();
    for error in [refused(adder.cast(Add(5))), refused(adder.send(Add(5)).await)] {
        assert_eq!(error, SendError::Stopped(Add(5), Some(Exit::Stopped(None))));
    }
}

#[tokio::test]
async fn c16_a_derived_address_gives_back_what_was_sent() {
    let actor = sum(SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap())).await;
    let adder: Recipient<Add> = actor.derived();
    // The first is being handled once there is room for the second.
    actor.send(Message::Stand).await.unwrap();
    adder.send(Add(1)).await.unwrap();
    assert_eq!(refused(adder.cast(Add(2))), SendError::Full(Add(2)));
    {
        let mut waiting = pin!(adder.send(Add(3)));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
    }
    let mut waiting = pin!(adder.send(Add(4)));
    assert!(poll_once(waiting.as_mut()).await.is_pending());
    actor.kill();
    assert!(matches!(refused(waiting.await), SendError::Stopped(Add(4), _)));
}

/// A message that holds a port is called by hand: the port is made, sent and awaited.
#[tokio::test]
async fn a14_a_derived_address_sends_a_port_that_is_awaited() {
    let actor = sum(SpawnOptions::new()).await;
    let asker: Recipient<Message> = actor.derived();
    let (port, reply) = ReplyPort::new(None);
    asker.cast(Message::Sum(port)).unwrap();
    assert_eq!(reply.await, Ok(0));
    let (port, reply) = ReplyPort::new(None);
    actor.stop_and_wait(None, None).await.unwrap();
    assert!(asker.cast(Message::Sum(port)).is_err());
    assert_eq!(reply.await, Err(CallFailure::NoReply));
}

#[tokio::test]
async fn a_derived_address_may_be_weak() {
    let actor = sum(SpawnOptions::new()).await;
    let weak = actor.derived::<Add>().downgrade();
    let adder = weak.clone().upgrade().expect("the actor lives");
    adder.cast(Add(2)).unwrap();
    assert_eq!(actor.call(Message::Sum).await.unwrap(), 2);
    adder.kill_and_wait(None).await.unwrap();
    drop(actor);
    assert_eq!(
        refused(weak.upgrade().expect("there is a strong one").cast(Add(1))),
        SendError::Stopped(Add(1), Some(Exit::Killed))
    );
    drop(adder);
    // Its task holds it until it has said that it is done.
    while weak.upgrade().is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(format!("{weak:?}"), "WeakRecipient");
}

#[tokio::test]
async fn a_derived_address_is_equal_to_every_address_of_its_actor() {
    let (actor, other) = (sum(SpawnOptions::new()).await, sum(SpawnOptions::new()).await);
    let adder = actor.derived::<Add>();
    assert_eq!(adder, adder.clone());
    assert_eq!(adder, actor.derived());
    assert_ne!(adder, other.derived());
    assert_eq!(adder.id(), actor.id());
    let addresses: HashSet<_> = [adder.clone(), actor.derived(), other.derived()].into_iter().collect();
    assert_eq!(addresses.len(), 2);
    // What needs no message is done through it as through any other.
    assert_eq!(adder.cell(), actor.cell());
    adder.cell().link(&other.cell()).unwrap();
    assert_eq!(other.cell().children(), [actor.cell()]);
    // However it was made.
    let itself: Recipient<Message> = actor.recipient();
    assert_eq!(itself, actor.derived::<Message>());
    assert!(format!("{adder:?}").contains(&actor.id().to_string()), "{adder:?}");
}

#[tokio::test]
async fn a_message_that_does_not_convert_back_panics_where_it_was_refused() {
    let actor = sum(SpawnOptions::new()).await;
    let lossy = actor.derived::<Lost>();
    lossy.cast(Lost).unwrap();
    assert_eq!(actor.call(Message::Sum).await.unwrap(), 0);
    actor.stop_and_wait(None, None).await.unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| lossy.cast(Lost))).unwrap_err();
    let text = panicked.downcast_ref::<&str>().copied().unwrap_or_default();
    assert_eq!(text, "what was made of a message gives it back");
}
