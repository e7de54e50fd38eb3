//! bastion, on its own executor, which takes every core and cannot be told to
//! take fewer; the senders are tokio's. Its questions are asked as its
//! documentation does, from outside; an actor that asks another is left out.

use std::future::Future;
use std::sync::Once;
use std::time::Duration;

use bastion::prelude::{Bastion, BastionContext, ChildRef, MessageHandler};
use tokio::sync::oneshot;

use super::{Room, State, System, runtime};
use crate::paced;

pub(crate) struct Bastioned;

/// Messages must be debuggable.
#[derive(Debug)]
struct Add<const W: usize>([u64; W]);
#[derive(Debug)]
struct Get(u64);
#[derive(Debug)]
struct Token(u64);
#[derive(Debug)]
struct Next(Box<ChildRef>);
#[derive(Debug)]
struct Stamp(u64);

async fn serve<const W: usize>(context: BastionContext) -> Result<(), ()> {
    let mut state = State::<Bastioned, W>::new();
    loop {
        MessageHandler::new(context.recv().await?)
            .on_tell(|message: Add<W>, _| state.add(message.0))
            .on_question(|message: Get, sender| {
                let _ = sender.reply(state.get(message.0));
            })
            .on_tell(|message: Token, _| state.pass(message.0))
            .on_tell(|message: Next, _| state.next = Some(message.0))
            .on_tell(|message: Stamp, _| paced::arrived(message.0))
            .on_fallback(|_, _| panic!("an unknown message"));
    }
}

impl System for Bastioned {
    type Ref<const W: usize> = ChildRef;
    type Port = ();

    const WHEN_FULL: &'static str = "never full: memory grows";
    const REFUSES: bool = false;

    fn has(room: Room) -> bool {
        !matches!(room, Room::Bounded(_))
    }

    fn run<T: Send + 'static>(workers: usize, main: impl Future<Output = T> + Send + 'static) -> T {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| {
            Bastion::init();
            Bastion::start();
        });
        let runtime = runtime(workers);
        let handle = runtime.spawn(main);
        runtime.block_on(handle).expect("the measurement panicked")
    }

    async fn spawn<const W: usize>(_: Room) -> Self::Ref<W> {
        let children = Bastion::spawn(serve::<W>).expect("it starts");
        children.elems()[0].clone()
    }

    fn stop<const W: usize>(of: Self::Ref<W>) {
        assert!(of.stop().is_ok());
    }

    #[inline]
    fn tell<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        assert!(to.tell_anonymously(Add(words)).is_ok());
    }

    #[inline]
    fn offer<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) -> bool {
        to.tell_anonymously(Add(words)).is_ok()
    }

    async fn send<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        Self::tell(to, words);
    }

    async fn ask<const W: usize>(to: &Self::Ref<W>, value: u64) -> u64 {
        let answer = to.ask_anonymously(Get(value)).expect("it lives");
        let answer = answer.await.expect("an answer");
        MessageHandler::new(answer).on_tell(|count: u64, _| count).on_fallback(|_, _| panic!("no count"))
    }

    async fn ask_within<const W: usize>(to: &Self::Ref<W>, value: u64, time: Duration) -> u64 {
        tokio::time::timeout(time, Self::ask::<W>(to, value)).await.expect("in time")
    }

    #[inline]
    fn pass<const W: usize>(to: &Self::Ref<W>, left: u64) {
        assert!(to.tell_anonymously(Token(left)).is_ok());
    }

    fn introduce<const W: usize>(to: &Self::Ref<W>, next: Self::Ref<W>) {
        assert!(to.tell_anonymously(Next(Box::new(next))).is_ok());
    }

    async fn relay<const W: usize>(_: &Self::Ref<W>, _: u64) -> u64 {
        unreachable!("left out")
    }

    fn hold<const W: usize>(_: &Self::Ref<W>, _: oneshot::Receiver<()>) {
        unreachable!("left out")
    }

    fn stamp<const W: usize>(to: &Self::Ref<W>, at: u64) {
        assert!(to.tell_anonymously(Stamp(at)).is_ok());
    }
}
