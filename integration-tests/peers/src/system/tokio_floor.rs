//! The floor: what a user would write on bare tokio. One task, one unbounded
//! channel, an enum, a oneshot for answers. No names, no stop, no supervision.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::{Message, Port, Room, State, System, serve};

pub(crate) struct Tokio;

impl Port for oneshot::Sender<u64> {
    #[inline]
    fn answer(self, value: u64) {
        let _ = self.send(value);
    }
}

impl System for Tokio {
    type Ref<const W: usize> = UnboundedSender<Message<Self, W>>;
    type Port = oneshot::Sender<u64>;

    const WHEN_FULL: &'static str = "never full: memory grows";
    const REFUSES: bool = false;

    fn has(room: Room) -> bool {
        !matches!(room, Room::Bounded(_))
    }

    async fn spawn<const W: usize>(_: Room) -> Self::Ref<W> {
        let (sender, mut receiver) = unbounded_channel::<Message<Self, W>>();
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
        assert!(to.send(Message::Add(words)).is_ok());
    }

    #[inline]
    fn offer<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) -> bool {
        to.send(Message::Add(words)).is_ok()
    }

    async fn send<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        Self::tell(to, words);
    }

    async fn ask<const W: usize>(to: &Self::Ref<W>, value: u64) -> u64 {
        let (port, answer) = oneshot::channel();
        assert!(to.send(Message::Get(value, port)).is_ok());
        answer.await.expect("an answer")
    }

    async fn ask_within<const W: usize>(to: &Self::Ref<W>, value: u64, time: Duration) -> u64 {
        let (port, answer) = oneshot::channel();
        assert!(to.send(Message::Get(value, port)).is_ok());
        tokio::time::timeout(time, answer).await.expect("in time").expect("an answer")
    }

    #[inline]
    fn pass<const W: usize>(to: &Self::Ref<W>, left: u64) {
        assert!(to.send(Message::Token(left)).is_ok());
    }

    fn introduce<const W: usize>(to: &Self::Ref<W>, next: Self::Ref<W>) {
        assert!(to.send(Message::Next(Box::new(next))).is_ok());
    }

    async fn relay<const W: usize>(to: &Self::Ref<W>, asks: u64) -> u64 {
        let (port, answer) = oneshot::channel();
        assert!(to.send(Message::Relay(asks, port)).is_ok());
        answer.await.expect("an answer")
    }

    fn hold<const W: usize>(to: &Self::Ref<W>, gate: oneshot::Receiver<()>) {
        assert!(to.send(Message::Hold(gate)).is_ok());
    }

    fn stamp<const W: usize>(to: &Self::Ref<W>, at: u64) {
        assert!(to.send(Message::Stamp(at)).is_ok());
    }
}
