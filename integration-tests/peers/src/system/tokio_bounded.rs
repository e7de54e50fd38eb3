//! The floor with a bounded channel: one task, one `mpsc::channel` of the
//! capacity asked for, an enum, a oneshot for answers.

use std::time::Duration;

use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;

use super::{Message, Port, Room, State, System, serve};

pub(crate) struct TokioBounded;

impl System for TokioBounded {
    type Ref<const W: usize> = Sender<Message<Self, W>>;
    type Port = oneshot::Sender<u64>;

    const WHEN_FULL: &'static str = "waits, or gives the message back";
    const REFUSES: bool = true;

    fn has(room: Room) -> bool {
        matches!(room, Room::Bounded(_))
    }

    async fn spawn<const W: usize>(room: Room) -> Self::Ref<W> {
        let Room::Bounded(capacity) = room else { unreachable!("the other floor is for that") };
        let (sender, mut receiver) = channel::<Message<Self, W>>(capacity);
        tokio::spawn(async move {
            let mut state = State::<Self, W>::new();
            while let Some(message) = receiver.recv().await {
                serve!(state, message);
            }
        });
        sender
    }

    #[inline]
    fn tell<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        assert!(to.try_send(Message::Add(words)).is_ok());
    }

    #[inline]
    fn offer<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) -> bool {
        to.try_send(Message::Add(words)).is_ok()
    }

    async fn send<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        assert!(to.send(Message::Add(words)).await.is_ok());
    }

    async fn ask<const W: usize>(to: &Self::Ref<W>, value: u64) -> u64 {
        let (port, answer) = oneshot::channel();
        assert!(to.send(Message::Get(value, port)).await.is_ok());
        answer.await.expect("an answer")
    }

    async fn ask_within<const W: usize>(to: &Self::Ref<W>, value: u64, time: Duration) -> u64 {
        let asked = async {
            let (port, answer) = oneshot::channel();
            assert!(to.send(Message::Get(value, port)).await.is_ok());
            answer.await.expect("an answer")
        };
        tokio::time::timeout(time, asked).await.expect("in time")
    }

    #[inline]
    fn pass<const W: usize>(to: &Self::Ref<W>, left: u64) {
        assert!(to.try_send(Message::Token(left)).is_ok());
    }

    fn introduce<const W: usize>(to: &Self::Ref<W>, next: Self::Ref<W>) {
        assert!(to.try_send(Message::Next(Box::new(next))).is_ok());
    }

    async fn relay<const W: usize>(to: &Self::Ref<W>, asks: u64) -> u64 {
        let (port, answer) = oneshot::channel();
        assert!(to.send(Message::Relay(asks, port)).await.is_ok());
        answer.await.expect("an answer")
    }

    fn hold<const W: usize>(to: &Self::Ref<W>, gate: oneshot::Receiver<()>) {
        assert!(to.try_send(Message::Hold(gate)).is_ok());
    }

    fn stamp<const W: usize>(to: &Self::Ref<W>, at: u64) {
        assert!(to.try_send(Message::Stamp(at)).is_ok());
    }
}
