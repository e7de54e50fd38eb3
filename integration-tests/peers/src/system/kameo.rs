//! kameo with its default features. Requests are sent with `send` and `try_send`
//! because awaiting the request itself boxes a future more.

use std::convert::Infallible;
use std::time::Duration;

use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::mailbox;
use kameo::message::{Context, Message};
use tokio::sync::oneshot;

use super::messages::{Add, Get, Hold, Next, Relay, Stamp, Token};
use super::{Room, State, System};
use crate::paced;

pub(crate) struct Kameo;

pub(crate) struct Worker<const W: usize>(State<Kameo, W>);

impl<const W: usize> Actor for Worker<W> {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self(State::new()))
    }
}

impl<const W: usize> Message<Add<W>> for Worker<W> {
    type Reply = ();

    async fn handle(&mut self, message: Add<W>, _: &mut Context<Self, ()>) {
        self.0.add(message.0);
    }
}

impl<const W: usize> Message<Get> for Worker<W> {
    type Reply = u64;

    async fn handle(&mut self, message: Get, _: &mut Context<Self, u64>) -> u64 {
        self.0.get(message.0)
    }
}

impl<const W: usize> Message<Token> for Worker<W> {
    type Reply = ();

    async fn handle(&mut self, message: Token, _: &mut Context<Self, ()>) {
        self.0.pass(message.0);
    }
}

impl<const W: usize> Message<Next<ActorRef<Self>>> for Worker<W> {
    type Reply = ();

    async fn handle(&mut self, message: Next<ActorRef<Self>>, _: &mut Context<Self, ()>) {
        self.0.next = Some(message.0);
    }
}

impl<const W: usize> Message<Relay> for Worker<W> {
    type Reply = u64;

    async fn handle(&mut self, message: Relay, _: &mut Context<Self, u64>) -> u64 {
        self.0.relay(message.0).await
    }
}

impl<const W: usize> Message<Hold> for Worker<W> {
    type Reply = ();

    async fn handle(&mut self, message: Hold, _: &mut Context<Self, ()>) {
        drop(message.0.await);
    }
}

impl<const W: usize> Message<Stamp> for Worker<W> {
    type Reply = ();

    async fn handle(&mut self, message: Stamp, _: &mut Context<Self, ()>) {
        paced::arrived(message.0);
    }
}

impl System for Kameo {
    type Ref<const W: usize> = ActorRef<Worker<W>>;
    type Port = ();

    const WHEN_FULL: &'static str = "send waits, try_send gives the message back (64 by default)";
    const REFUSES: bool = true;

    fn has(_: Room) -> bool {
        true
    }

    async fn spawn<const W: usize>(room: Room) -> Self::Ref<W> {
        match room {
            Room::Default => Worker::spawn(()),
            Room::Unbounded => Worker::spawn_with_mailbox((), mailbox::unbounded()),
            Room::Bounded(messages) => Worker::spawn_with_mailbox((), mailbox::bounded(messages)),
        }
    }

    async fn started<const W: usize>(of: &Self::Ref<W>) {
        of.wait_for_startup().await;
    }

    #[inline]
    fn tell<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        assert!(to.tell(Add(words)).try_send().is_ok());
    }

    #[inline]
    fn offer<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) -> bool {
        to.tell(Add(words)).try_send().is_ok()
    }

    async fn send<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        assert!(to.tell(Add(words)).send().await.is_ok());
    }

    async fn ask<const W: usize>(to: &Self::Ref<W>, value: u64) -> u64 {
        to.ask(Get(value)).send().await.expect("an answer")
    }

    async fn ask_within<const W: usize>(to: &Self::Ref<W>, value: u64, time: Duration) -> u64 {
        to.ask(Get(value)).reply_timeout(time).send().await.expect("an answer")
    }

    #[inline]
    fn pass<const W: usize>(to: &Self::Ref<W>, left: u64) {
        assert!(to.tell(Token(left)).try_send().is_ok());
    }

    fn introduce<const W: usize>(to: &Self::Ref<W>, next: Self::Ref<W>) {
        assert!(to.tell(Next(Box::new(next))).try_send().is_ok());
    }

    async fn relay<const W: usize>(to: &Self::Ref<W>, asks: u64) -> u64 {
        to.ask(Relay(asks)).send().await.expect("an answer")
    }

    fn hold<const W: usize>(to: &Self::Ref<W>, gate: oneshot::Receiver<()>) {
        assert!(to.tell(Hold(gate)).try_send().is_ok());
    }

    fn stamp<const W: usize>(to: &Self::Ref<W>, at: u64) {
        assert!(to.tell(Stamp(at)).try_send().is_ok());
    }
}
