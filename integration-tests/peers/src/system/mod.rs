//! What every system is asked to do, once, and who the systems are.
//!
//! ```text
//!  scenario ── generic over ──► System ◄── ours, tokio, ractor, kameo, actix, …
//!                                 │
//!                               State: 88 bytes and the handler's logic, the same in all
//! ```
//!
//! An adapter uses its system as that system's documentation does. Everything is
//! monomorphised: no adapter boxes or clones what a user of the system would not.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Notify, oneshot};

pub(crate) mod actix;
pub(crate) mod bastion;
pub(crate) mod erlang;
pub(crate) mod kameo;
pub(crate) mod messages;
pub(crate) mod ours;
pub(crate) mod ractor;
pub(crate) mod riker;
pub(crate) mod tokio_bounded;
pub(crate) mod tokio_floor;
pub(crate) mod xactor;

/// The columns, in the order they are run: ours and the floor are neighbours in
/// time, because their readings are compared in pairs.
pub(crate) const NAMES: &[&str] = &[
    "ours",
    "tokio",
    "ours_colocated",
    BARE_WAKES,
    "ractor",
    "kameo",
    "actix",
    "xactor",
    "bastion",
    "riker",
    "erlang",
];

/// No system: tokio tasks that wake each other and pass nothing.
pub(crate) const BARE_WAKES: &str = "bare_wakes";

/// How much a mailbox holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Room {
    /// What the system's users get when they do not ask.
    Default,
    /// As much as memory.
    Unbounded,
    /// So many messages.
    Bounded(usize),
}

/// An actor system, or what stands for one. `W` is the size of a message's
/// payload in words of eight bytes.
pub(crate) trait System: Sized + Send + Sync + 'static {
    /// The address of an actor.
    type Ref<const W: usize>: Clone + Send + Sync + 'static;
    /// Where an answer goes, in systems whose messages carry it.
    type Port: Send + 'static;

    /// What a sender that does not wait meets when a receiver stands still.
    const WHEN_FULL: &'static str;

    /// Whether a bounded mailbox refuses messages of a sender that does not wait.
    const REFUSES: bool;

    /// Whether its actors can have such a mailbox and its senders can wait for it.
    fn has(room: Room) -> bool;

    /// Runs this on so many worker threads, as a task of theirs.
    fn run<T: Send + 'static>(workers: usize, main: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = runtime(workers);
        let handle = runtime.spawn(main);
        runtime.block_on(handle).expect("the measurement panicked")
    }

    /// Starts a task beside the caller; it runs before it is awaited.
    fn task<T: Send + 'static>(
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        let handle = tokio::spawn(work);
        async move { handle.await.expect("a task panicked") }
    }

    /// Starts an actor, and awaits what the system gives to await.
    fn spawn<const W: usize>(room: Room) -> impl Future<Output = Self::Ref<W>> + Send;

    /// Ready once the actor's start hook is done, where `spawn` did not wait for
    /// that and the system can tell.
    fn started<const W: usize>(_: &Self::Ref<W>) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Makes the actor end.
    fn stop<const W: usize>(of: Self::Ref<W>) {
        drop(of);
    }

    /// Sends to an unbounded mailbox.
    fn tell<const W: usize>(to: &Self::Ref<W>, words: [u64; W]);

    /// Sends without waiting; false if it was refused.
    fn offer<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) -> bool;

    /// Sends and waits for room.
    fn send<const W: usize>(to: &Self::Ref<W>, words: [u64; W]) -> impl Future<Output = ()> + Send;

    /// Asks; the answer is how many messages and questions the actor has had.
    fn ask<const W: usize>(to: &Self::Ref<W>, value: u64) -> impl Future<Output = u64> + Send;

    /// Asks within a time.
    fn ask_within<const W: usize>(
        to: &Self::Ref<W>,
        value: u64,
        time: Duration,
    ) -> impl Future<Output = u64> + Send;

    /// Sends a token that is passed on from neighbour to neighbour so many times.
    fn pass<const W: usize>(to: &Self::Ref<W>, left: u64);

    /// Tells an actor who its neighbour is.
    fn introduce<const W: usize>(to: &Self::Ref<W>, next: Self::Ref<W>);

    /// Has an actor ask its neighbour so many times; the answer is the neighbour's last.
    fn relay<const W: usize>(to: &Self::Ref<W>, asks: u64) -> impl Future<Output = u64> + Send;

    /// Makes the actor handle nothing until the gate opens.
    fn hold<const W: usize>(to: &Self::Ref<W>, gate: oneshot::Receiver<()>);

    /// Sends a message that says when it was sent.
    fn stamp<const W: usize>(to: &Self::Ref<W>, at: u64);
}

/// What actors are told, in systems where one type holds all messages. With a
/// payload and a port of one word each it takes three.
pub(crate) enum Message<S: System, const W: usize> {
    Add([u64; W]),
    Get(u64, S::Port),
    Token(u64),
    Next(Box<S::Ref<W>>),
    Relay(u64, S::Port),
    Hold(oneshot::Receiver<()>),
    Stamp(u64),
}

/// Where an answer goes.
pub(crate) trait Port {
    fn answer(self, value: u64);
}

/// The body of a handler, where one type holds all messages. A macro, so that no
/// system's future holds its arguments twice.
macro_rules! serve {
    ($state:expr, $message:expr) => {
        match $message {
            Message::Add(words) => $state.add(words),
            Message::Get(value, port) => port.answer($state.get(value)),
            Message::Token(left) => $state.pass(left),
            Message::Next(next) => $state.next = Some(next),
            Message::Relay(asks, port) => {
                let last = $state.relay(asks).await;
                port.answer(last);
            }
            Message::Hold(gate) => drop(gate.await),
            Message::Stamp(at) => $crate::paced::arrived(at),
        }
    };
}
pub(crate) use serve;

/// What an actor remembers: 88 bytes in every system.
pub(crate) struct State<S: System, const W: usize> {
    count: u64,
    sum: u64,
    pub(crate) next: Option<Box<S::Ref<W>>>,
    /// Read by nobody; a user's state is rarely two words.
    rest: [u64; 8],
}

impl<S: System, const W: usize> State<S, W> {
    pub(crate) fn new() -> Self {
        const { assert!(size_of::<Self>() == 88) };
        Self { count: 0, sum: 0, next: None, rest: [1; 8] }
    }

    #[inline]
    pub(crate) fn add(&mut self, words: [u64; W]) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(words.first().copied().unwrap_or(1));
    }

    #[inline]
    pub(crate) fn get(&mut self, value: u64) -> u64 {
        self.count += 1;
        self.sum = self.sum.wrapping_add(value);
        self.count
    }

    #[inline]
    pub(crate) fn pass(&self, left: u64) {
        match &self.next {
            Some(next) if left > 0 => S::pass(next, left - 1),
            _ => FINISHED.notify_one(),
        }
    }

    pub(crate) fn relay(&self, asks: u64) -> impl Future<Output = u64> + Send + use<S, W> {
        let next = self.next.clone().expect("an actor that asks its neighbour has one");
        async move {
            let mut last = 0;
            for value in 0..asks {
                last = S::ask(&next, value).await;
            }
            last
        }
    }
}

impl<S: System, const W: usize> Drop for State<S, W> {
    fn drop(&mut self) {
        std::hint::black_box((self.sum, self.rest));
        ENDED.fetch_add(1, Ordering::Relaxed);
    }
}

/// A token has been passed on to its end.
pub(crate) static FINISHED: Notify = Notify::const_new();

/// How many states were dropped in this process.
pub(crate) static ENDED: AtomicU64 = AtomicU64::new(0);

/// The runtime of all systems but actix, which brings its own.
pub(crate) fn runtime(workers: usize) -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime can be built")
}
