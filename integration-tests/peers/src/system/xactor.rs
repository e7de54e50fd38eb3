//! xactor on tokio; its mailboxes have no bound.

use std::time::Duration;

use tokio::sync::oneshot;
use xactor::{Actor, Addr, Context, Handler, Message};

use super::messages::{Add, Get, Hold, Next, Relay, Stamp, Token};
use super::{Room, State, System};
use crate::paced;

pub(crate) struct Xactor;

pub(crate) struct Worker<const W: usize>(State<Xactor, W>);

impl<const W: usize> Actor for Worker<W> {}

impl<const W: usize> Message for Add<W> {
    type Result = ();
}

#[async_trait::async_trait]
impl<const W: usize> Handler<Add<W>> for Worker<W> {
    async fn handle(&mut self, _: &mut Context<Self>, message: Add<W>) {
        self.0.add(message.0);
    }
}

impl Message for Get {
    type Result = u64;
}

#[async_trait::async_trait]
impl<const W: usize> Handler<Get> for Worker<W> {
    async fn handle(&mut self, _: &mut Context<Self>, message: Get) -> u64 {
        self.0.get(message.0)
    }
}

impl Message for Token {
    type Result = ();
}

#[async_trait::async_trait]
impl<const W: usize> Handler<Token> for Worker<W> {
    async fn handle(&mut self, _: &mut Context<Self>, message: Token) {
        self.0.pass(message.0);
    }
}

impl<const W: usize> Message for Next<Addr<Worker<W>>> {
    type Result = ();
}

#[async_trait::async_trait]
impl<const W: usize> Handler<Next<Addr<Worker<W>>>> for Worker<W> {
    async fn handle(&mut self, _: &mut Context<Self>, message: Next<Addr<Worker<W>>>) {
        self.0.next = Some(message.0);
    }
}

impl Message for Relay {
    type Result = u64;
}

#[async_trait::async_trait]
impl<const W: usize> Handler<Relay> for Worker<W> {
    async fn handle(&mut self, _: &mut Context<Self>, message: Relay) -> u64 {
        self.0.relay(message.0).await
    }
}

impl Message for Hold {
    type Result = ();
}

#[async_trait::async_trait]
impl<const W: usize> Handler<Hold> for Worker<W> {
    async fn handle(&mut self, _: &mut Context<Self>, message: Hold) {
        drop(message.0.await);
    }
}

impl Message for Stamp {
    type Result = ();
}

#[async_trait::async_trait]
impl<const W: usize> Handler<Stamp> for Worker<W> {
    async fn handle(&mut self, _: &mut Context<Self>, message: Stamp) {
        paced::arrived(message.0);
    }
}

impl System for Xactor {
    type Ref<const W: usize> = Addr<Worker<W>>;
    type Port = ();

    const WHEN_FULL: &'static str = "never full: memory grows";
    const REFUSES: bool = false;

    fn has(room: Room) -> bool {
        !matches!(room, Room::Bounded(_))
    }

    async fn spawn<const W: usize>(_: Room) -> Self::Ref<W> {
        Worker(State::new()).start().await.expect("it starts")
    }

    fn stop<const W: usize>(mut of: Self::Ref<W>) {
        assert!(of.stop(None).is_ok());
    }

    #[inline]
    fn tell<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        assert!(to.send(Add(words)).is_ok());
    }

    #[inline]
    fn offer<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) -> bool {
        to.send(Add(words)).is_ok()
    }

    async fn send<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        Self::tell(to, words);
    }

    async fn ask<const W: usize>(to: &Self::Ref<W>, value: u64) -> u64 {
        to.call(Get(value)).await.expect("an answer")
    }

    async fn ask_within<const W: usize>(to: &Self::Ref<W>, value: u64, time: Duration) -> u64 {
        xactor::timeout(time, to.call(Get(value))).await.expect("in time").expect("an answer")
    }

    #[inline]
    fn pass<const W: usize>(to: &Self::Ref<W>, left: u64) {
        assert!(to.send(Token(left)).is_ok());
    }

    fn introduce<const W: usize>(to: &Self::Ref<W>, next: Self::Ref<W>) {
        assert!(to.send(Next(Box::new(next))).is_ok());
    }

    async fn relay<const W: usize>(to: &Self::Ref<W>, asks: u64) -> u64 {
        to.call(Relay(asks)).await.expect("an answer")
    }

    fn hold<const W: usize>(to: &Self::Ref<W>, gate: oneshot::Receiver<()>) {
        assert!(to.send(Hold(gate)).is_ok());
    }

    fn stamp<const W: usize>(to: &Self::Ref<W>, at: u64) {
        assert!(to.send(Stamp(at)).is_ok());
    }
}
