//! ractor with its default features; its mailboxes have no bound.

use std::time::Duration;

use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::oneshot;

use super::{Message, Port, Room, State, System, serve};

pub(crate) struct Ractor;

struct Worker<const W: usize>;

impl Port for RpcReplyPort<u64> {
    #[inline]
    fn answer(self, value: u64) {
        let _ = self.send(value);
    }
}

impl<const W: usize> Actor for Worker<W> {
    type Msg = Message<Ractor, W>;
    type State = State<Ractor, W>;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<Self::State, ActorProcessingErr> {
        Ok(State::new())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        serve!(state, message);
        Ok(())
    }
}

async fn call<const W: usize>(
    to: &ActorRef<Message<Ractor, W>>,
    message: impl FnOnce(RpcReplyPort<u64>) -> Message<Ractor, W>,
    time: Option<Duration>,
) -> u64 {
    match to.call(message, time).await {
        Ok(CallResult::Success(answer)) => answer,
        _ => panic!("no answer"),
    }
}

impl System for Ractor {
    type Ref<const W: usize> = ActorRef<Message<Self, W>>;
    type Port = RpcReplyPort<u64>;

    const WHEN_FULL: &'static str = "never full: memory grows";
    const REFUSES: bool = false;

    fn has(room: Room) -> bool {
        !matches!(room, Room::Bounded(_))
    }

    async fn spawn<const W: usize>(_: Room) -> Self::Ref<W> {
        let (actor, _) = Actor::spawn(None, Worker::<W>, ()).await.expect("it starts");
        actor
    }

    fn stop<const W: usize>(of: Self::Ref<W>) {
        of.stop(None);
    }

    #[inline]
    fn tell<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        assert!(to.cast(Message::Add(words)).is_ok());
    }

    #[inline]
    fn offer<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) -> bool {
        to.cast(Message::Add(words)).is_ok()
    }

    async fn send<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        Self::tell(to, words);
    }

    async fn ask<const W: usize>(to: &Self::Ref<W>, value: u64) -> u64 {
        call(to, |port| Message::Get(value, port), None).await
    }

    async fn ask_within<const W: usize>(to: &Self::Ref<W>, value: u64, time: Duration) -> u64 {
        call(to, |port| Message::Get(value, port), Some(time)).await
    }

    #[inline]
    fn pass<const W: usize>(to: &Self::Ref<W>, left: u64) {
        assert!(to.cast(Message::Token(left)).is_ok());
    }

    fn introduce<const W: usize>(to: &Self::Ref<W>, next: Self::Ref<W>) {
        assert!(to.cast(Message::Next(Box::new(next))).is_ok());
    }

    async fn relay<const W: usize>(to: &Self::Ref<W>, asks: u64) -> u64 {
        call(to, |port| Message::Relay(asks, port), None).await
    }

    fn hold<const W: usize>(to: &Self::Ref<W>, gate: oneshot::Receiver<()>) {
        assert!(to.cast(Message::Hold(gate)).is_ok());
    }

    fn stamp<const W: usize>(to: &Self::Ref<W>, at: u64) {
        assert!(to.cast(Message::Stamp(at)).is_ok());
    }
}
