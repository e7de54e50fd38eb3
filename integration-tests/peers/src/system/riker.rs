//! riker, on its own pool of as many threads; the senders are tokio's. Handlers
//! are not async, so no actor can ask another. Its ask makes an actor for each
//! question, in another crate; a question here is a message with a port in it.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use riker::actors::{
    Actor, ActorFactory, ActorRef, ActorRefFactory, ActorSystem, Context, Sender, SystemBuilder, Tell,
};
use tokio::sync::oneshot;

use super::{Room, State, System, runtime};
use crate::paced;

pub(crate) struct Riker;

pub(crate) struct Worker<const W: usize>(State<Riker, W>);

/// Messages must be clones of themselves, and a port is not.
#[derive(Clone)]
pub(crate) struct Port(Arc<Mutex<Option<oneshot::Sender<u64>>>>);

#[derive(Clone)]
pub(crate) enum Message<const W: usize> {
    Add([u64; W]),
    Get(u64, Port),
    Token(u64),
    /// An address; the compiler cannot see through a message that names its own.
    Next(Arc<dyn Any + Send + Sync>),
    Stamp(u64),
}

impl<const W: usize> fmt::Debug for Message<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message")
    }
}

impl<const W: usize> ActorFactory for Worker<W> {
    fn create() -> Self {
        Self(State::new())
    }
}

impl<const W: usize> Actor for Worker<W> {
    type Msg = Message<W>;

    fn recv(&mut self, _: &Context<Message<W>>, message: Message<W>, _: Sender) {
        match message {
            Message::Add(words) => self.0.add(words),
            Message::Get(value, port) => {
                let count = self.0.get(value);
                let port = port.0.lock().expect("no panic").take();
                let _ = port.map(|port| port.send(count));
            }
            Message::Token(left) => self.0.pass(left),
            Message::Next(next) => {
                let next = next.downcast_ref::<ActorRef<Message<W>>>().expect("an address");
                self.0.next = Some(Box::new(next.clone()));
            }
            Message::Stamp(at) => paced::arrived(at),
        }
    }
}

static SYSTEM: OnceLock<ActorSystem> = OnceLock::new();

impl System for Riker {
    type Ref<const W: usize> = ActorRef<Message<W>>;
    type Port = Port;

    const WHEN_FULL: &'static str = "never full: memory grows";
    const REFUSES: bool = false;

    fn has(room: Room) -> bool {
        !matches!(room, Room::Bounded(_))
    }

    fn run<T: Send + 'static>(workers: usize, main: impl Future<Output = T> + Send + 'static) -> T {
        SYSTEM.get_or_init(|| {
            let mut config = riker::load_config();
            // Nothing of what it logs for every actor may reach the terminal.
            config.set("log.level", "error").expect("a setting");
            config.set("dispatcher.pool_size", workers as i64).expect("a setting");
            SystemBuilder::new().cfg(config).create().expect("a system")
        });
        let runtime = runtime(workers);
        let handle = runtime.spawn(main);
        runtime.block_on(handle).expect("the measurement panicked")
    }

    async fn spawn<const W: usize>(_: Room) -> Self::Ref<W> {
        static NAMES: AtomicU64 = AtomicU64::new(0);
        let name = format!("a{}", NAMES.fetch_add(1, Ordering::Relaxed));
        let system = SYSTEM.get().expect("it runs");
        system.actor_of::<Worker<W>>(&name).expect("it starts")
    }

    fn stop<const W: usize>(of: Self::Ref<W>) {
        SYSTEM.get().expect("it runs").stop(of);
    }

    #[inline]
    fn tell<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        to.tell(Message::Add(words), None);
    }

    #[inline]
    fn offer<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) -> bool {
        to.tell(Message::Add(words), None);
        true
    }

    async fn send<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) {
        Self::tell(to, words);
    }

    async fn ask<const W: usize>(to: &Self::Ref<W>, value: u64) -> u64 {
        let (port, answer) = oneshot::channel();
        to.tell(Message::Get(value, Port(Arc::new(Mutex::new(Some(port))))), None);
        answer.await.expect("an answer")
    }

    async fn ask_within<const W: usize>(to: &Self::Ref<W>, value: u64, time: Duration) -> u64 {
        tokio::time::timeout(time, Self::ask(to, value)).await.expect("in time")
    }

    #[inline]
    fn pass<const W: usize>(to: &Self::Ref<W>, left: u64) {
        to.tell(Message::Token(left), None);
    }

    fn introduce<const W: usize>(to: &Self::Ref<W>, next: Self::Ref<W>) {
        to.tell(Message::Next(Arc::new(next)), None);
    }

    async fn relay<const W: usize>(_: &Self::Ref<W>, _: u64) -> u64 {
        unreachable!("left out: its handlers cannot wait")
    }

    fn hold<const W: usize>(_: &Self::Ref<W>, _: oneshot::Receiver<()>) {
        unreachable!("left out: its handlers cannot wait")
    }

    fn stamp<const W: usize>(to: &Self::Ref<W>, at: u64) {
        to.tell(Message::Stamp(at), None);
    }
}
