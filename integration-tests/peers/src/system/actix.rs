//! actix. With one worker everything runs on one thread, actors and senders, as
//! actix is made for; with two, all actors are on an arbiter of their own and
//! the senders on the first thread.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture};
use actix_rt::{Arbiter, ArbiterHandle};
use tokio::sync::oneshot;

use super::messages::{Add, Get, Hold, Next, Relay, Stamp, Token};
use super::{Room, State, System};
use crate::paced;

pub(crate) struct Actix;

pub(crate) struct Worker<const W: usize>(State<Actix, W>);

/// The actors' thread, if they have their own.
static ACTORS: OnceLock<ArbiterHandle> = OnceLock::new();

/// Ends the actor; dropping every address would too, but addresses are told of late.
struct Stop;

impl<const W: usize> Actor for Worker<W> {
    type Context = Context<Self>;
}

impl<const W: usize> Message for Add<W> {
    type Result = ();
}

impl<const W: usize> Handler<Add<W>> for Worker<W> {
    type Result = ();

    fn handle(&mut self, message: Add<W>, _: &mut Context<Self>) {
        self.0.add(message.0);
    }
}

impl Message for Get {
    type Result = u64;
}

impl<const W: usize> Handler<Get> for Worker<W> {
    type Result = u64;

    fn handle(&mut self, message: Get, _: &mut Context<Self>) -> u64 {
        self.0.get(message.0)
    }
}

impl Message for Token {
    type Result = ();
}

impl<const W: usize> Handler<Token> for Worker<W> {
    type Result = ();

    fn handle(&mut self, message: Token, _: &mut Context<Self>) {
        self.0.pass(message.0);
    }
}

impl<const W: usize> Message for Next<Addr<Worker<W>>> {
    type Result = ();
}

impl<const W: usize> Handler<Next<Addr<Self>>> for Worker<W> {
    type Result = ();

    fn handle(&mut self, message: Next<Addr<Self>>, _: &mut Context<Self>) {
        self.0.next = Some(message.0);
    }
}

impl Message for Relay {
    type Result = u64;
}

impl<const W: usize> Handler<Relay> for Worker<W> {
    type Result = ResponseFuture<u64>;

    fn handle(&mut self, message: Relay, _: &mut Context<Self>) -> ResponseFuture<u64> {
        Box::pin(self.0.relay(message.0))
    }
}

impl Message for Hold {
    type Result = ();
}

impl<const W: usize> Handler<Hold> for Worker<W> {
    type Result = ();

    fn handle(&mut self, message: Hold, context: &mut Context<Self>) {
        let gate = async move { drop(message.0.await) };
        context.wait(gate.into_actor(self));
    }
}

impl Message for Stamp {
    type Result = ();
}

impl<const W: usize> Handler<Stamp> for Worker<W> {
    type Result = ();

    fn handle(&mut self, message: Stamp, _: &mut Context<Self>) {
        paced::arrived(message.0);
    }
}

impl Message for Stop {
    type Result = ();
}

impl<const W: usize> Handler<Stop> for Worker<W> {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Context<Self>) {
        context.stop();
    }
}

impl System for Actix {
    type Ref<const W: usize> = Addr<Worker<W>>;
    type Port = ();

    const WHEN_FULL: &'static str = "do_send ignores the bound, try_send gives the message back (16 by default), \
         waiting for room means waiting for the answer";
    const REFUSES: bool = true;

    fn has(room: Room) -> bool {
        !matches!(room, Room::Bounded(_))
    }

    fn run<T: Send + 'static>(workers: usize, main: impl Future<Output = T> + Send + 'static) -> T {
        let system = actix_rt::System::new();
        system.block_on(async move {
            if workers > 1 {
                let _ = ACTORS.set(Arbiter::new().handle());
            }
            actix_rt::spawn(main).await.expect("the measurement panicked")
        })
    }

    fn task<T: Send + 'static>(
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        let handle = actix_rt::spawn(work);
        async move { handle.await.expect("a task panicked") }
    }

    async fn spawn<const W: usize>(room: Room) -> Self::Ref<W> {
        let make = move |context: &mut Context<Worker<W>>| {
            match room {
                Room::Default => {}
                Room::Unbounded => context.set_mailbox_capacity(0),
                Room::Bounded(messages) => context.set_mailbox_capacity(messages),
            }
            Worker(State::new())
        };
        match ACTORS.get() {
            Some(arbiter) => Worker::start_in_arbiter(arbiter, make),
            None => Worker::create(make),
        }
    }

    fn stop<const W: usize>(of: Self::Ref<W>) {
        of.do_send(Stop);
    }

    #[inline]
    fn tell<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        to.do_send(Add(words));
    }

    #[inline]
    fn offer<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) -> bool {
        to.try_send(Add(words)).is_ok()
    }

    async fn send<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        to.send(Add(words)).await.expect("an answer");
    }

    async fn ask<const W: usize>(to: &Self::Ref<W>, value: u64) -> u64 {
        to.send(Get(value)).await.expect("an answer")
    }

    async fn ask_within<const W: usize>(to: &Self::Ref<W>, value: u64, time: Duration) -> u64 {
        to.send(Get(value)).timeout(time).await.expect("an answer")
    }

    #[inline]
    fn pass<const W: usize>(to: &Self::Ref<W>, left: u64) {
        to.do_send(Token(left));
    }

    fn introduce<const W: usize>(to: &Self::Ref<W>, next: Self::Ref<W>) {
        to.do_send(Next(Box::new(next)));
    }

    async fn relay<const W: usize>(to: &Self::Ref<W>, asks: u64) -> u64 {
        to.send(Relay(asks)).await.expect("an answer")
    }

    fn hold<const W: usize>(to: &Self::Ref<W>, gate: oneshot::Receiver<()>) {
        to.do_send(Hold(gate));
    }

    fn stamp<const W: usize>(to: &Self::Ref<W>, at: u64) {
        to.do_send(Stamp(at));
    }
}
