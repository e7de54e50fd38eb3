//! Ours, through its public interface only.

use std::marker::PhantomData;
use std::sync::Mutex;
use std::time::Duration;

use actor_core::{Actor, ActorError, ActorRef, ActorSystem, Capacity, Colocation, ReplyPort, SpawnOptions};
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;

use super::{Message, Port, Room, State, System, serve};

/// Ours; `P` says where its actors run.
pub(crate) struct Ours<P>(PhantomData<P>);

/// Where actors run.
pub(crate) trait Placement: Send + Sync + 'static {
    /// Asks for it.
    fn place(options: SpawnOptions) -> SpawnOptions;
}

/// Wherever a worker is free, as by default.
pub(crate) struct Anywhere;

impl Placement for Anywhere {
    fn place(options: SpawnOptions) -> SpawnOptions {
        options
    }
}

/// All in one task, so that they need not wake another.
pub(crate) struct Colocated;

impl Placement for Colocated {
    fn place(options: SpawnOptions) -> SpawnOptions {
        // One for each runtime: a place ends with its own.
        static TOGETHER: Mutex<Option<(Id, Colocation)>> = Mutex::new(None);
        let id = Handle::current().id();
        let mut kept = TOGETHER.lock().expect("nobody panics with it");
        let ours = kept.take().filter(|(of, _)| *of == id);
        let fresh = || (id, Colocation::new(&ActorSystem::process_default()));
        let (_, together) = kept.insert(ours.unwrap_or_else(fresh));
        options.colocate(together)
    }
}

struct Worker<P, const W: usize>(PhantomData<P>);

impl Port for ReplyPort<u64> {
    #[inline]
    fn answer(self, value: u64) {
        let _ = self.send(value);
    }
}

impl<P: Placement, const W: usize> Actor for Worker<P, W> {
    type Msg = Message<Ours<P>, W>;
    type State = State<Ours<P>, W>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Self::Msg>, (): ()) -> Result<Self::State, ActorError> {
        Ok(State::new())
    }

    async fn handle(
        &self,
        _: &ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorError> {
        serve!(state, message);
        Ok(())
    }
}

fn options<P: Placement>(room: Room) -> SpawnOptions {
    let options = match room {
        Room::Default => SpawnOptions::new(),
        Room::Unbounded => SpawnOptions::new().mailbox(Capacity::Unbounded),
        Room::Bounded(messages) => {
            SpawnOptions::new().mailbox(Capacity::try_from(messages).expect("a capacity"))
        }
    };
    P::place(options)
}

impl<P: Placement> System for Ours<P> {
    type Ref<const W: usize> = ActorRef<Message<Self, W>>;
    type Port = ReplyPort<u64>;

    const WHEN_FULL: &'static str = "cast gives the message back, send waits";
    const REFUSES: bool = true;

    fn has(_: Room) -> bool {
        true
    }

    async fn spawn<const W: usize>(room: Room) -> Self::Ref<W> {
        let system = ActorSystem::process_default();
        system.spawn(Worker::<P, W>(PhantomData), (), options::<P>(room)).await.expect("it starts")
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
        assert!(to.send(Message::Add(words)).await.is_ok());
    }

    async fn ask<const W: usize>(to: &Self::Ref<W>, value: u64) -> u64 {
        to.call(|port| Message::Get(value, port)).await.expect("an answer")
    }

    async fn ask_within<const W: usize>(to: &Self::Ref<W>, value: u64, time: Duration) -> u64 {
        to.call_timeout(time, |port| Message::Get(value, port)).await.expect("an answer")
    }

    #[inline]
    fn pass<const W: usize>(to: &Self::Ref<W>, left: u64) {
        assert!(to.cast(Message::Token(left)).is_ok());
    }

    fn introduce<const W: usize>(to: &Self::Ref<W>, next: Self::Ref<W>) {
        assert!(to.cast(Message::Next(Box::new(next))).is_ok());
    }

    async fn relay<const W: usize>(to: &Self::Ref<W>, asks: u64) -> u64 {
        to.call(|port| Message::Relay(asks, port)).await.expect("an answer")
    }

    fn hold<const W: usize>(to: &Self::Ref<W>, gate: oneshot::Receiver<()>) {
        assert!(to.cast(Message::Hold(gate)).is_ok());
    }

    fn stamp<const W: usize>(to: &Self::Ref<W>, at: u64) {
        assert!(to.cast(Message::Stamp(at)).is_ok());
    }
}
