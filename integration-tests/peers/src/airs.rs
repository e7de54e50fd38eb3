//! The loops whose figures airssys-rt published, and beside each the honest form.
//!
//! Its benchmarks time the building of structs and direct calls of methods, where
//! their names speak of spawning and messages. Here is what the same loop costs
//! with ours, as near as a runtime that gives out no mailbox without an actor can
//! come, and what the name promises. Ours alone runs them:
//! airssys-rt is on no registry, and its figures are from another machine.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Instant;

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, Capacity, ReplyPort, SpawnOptions, SupervisionEvent,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

mod toolkit;

use crate::memory::Count;
use crate::scenario::Reading;
use crate::system::runtime;

/// One of them. Figures are for one round of the loop, as theirs were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Loop {
    /// Structs of so many actors, each with a system of its own.
    Build(usize),
    /// So many started, seen to run.
    Started(usize),
    /// And stopped.
    StartedAndStopped(usize),
    /// A hundred direct calls.
    CallHandler,
    /// A hundred messages, handled.
    Messages,
    /// So many answers, made and read by one task.
    ToOneself(usize),
    /// Between two tasks.
    Question,
    /// A hundred messages with text in them, handled.
    Formatted,
    /// A new group, told.
    Broadcast,
    /// A group, told, and done.
    BroadcastHandled,
    /// A new broker, and a hundred messages with text in them to one name.
    Routed,
    /// The same of a broker that knows a thousand names, handled.
    RoutedHandled,
    /// New topics, ten subscribers, and a message to all of them.
    Published,
    /// The same among a thousand patterns, handled.
    PublishedHandled,
    /// Messages that nobody takes out.
    OnlyIn,
    /// Messages that are taken out.
    InAndOut,
    /// A new system with so many linked children.
    Children(usize),
    /// From a failure to the next life.
    Restart,
    /// Ten new mailboxes.
    Mailboxes,
    /// Bytes of an actor.
    BytesEmpty,
    /// Bytes of an actor with a hundred messages.
    BytesFull,
}

impl Loop {
    /// Theirs, in nanoseconds, from October 2025 on a machine of theirs.
    pub(crate) fn published_ns(self) -> Option<f64> {
        match self {
            Loop::Build(1) => Some(624.7),
            Loop::Build(10) => Some(6_810.0),
            Loop::Build(50) => Some(38_100.0),
            Loop::CallHandler => Some(3_150.0),
            Loop::ToOneself(1) => Some(737.0),
            Loop::ToOneself(_) => Some(21_190.0),
            Loop::Broadcast | Loop::Published => Some(3_950.0),
            Loop::Routed => Some(21_190.0),
            Loop::OnlyIn => Some(18_160.0),
            Loop::Children(1) => Some(1_280.0),
            Loop::Children(_) => Some(3_000.0),
            Loop::Mailboxes => Some(2_440.0),
            _ => None,
        }
    }

    /// `n` rounds; zero for as many as usual.
    pub(crate) fn measure(self, workers: usize, n: u64) -> Reading {
        let rounds = if n == 0 { self.rounds() } else { n };
        let value = match self {
            // A mailbox that nobody reads needs a runtime on which nobody else runs.
            Loop::OnlyIn
            | Loop::Mailboxes
            | Loop::Broadcast
            | Loop::Routed
            | Loop::Published
            | Loop::Children(_)
            | Loop::BytesEmpty
            | Loop::BytesFull => alone().block_on(self.run(rounds)),
            _ => on(workers, self.run(rounds)),
        };
        match self.published_ns() {
            Some(_) => Reading::of(value).note("the loop as published; no more happens than its row says"),
            None => Reading::of(value),
        }
    }

    fn rounds(self) -> u64 {
        match self {
            Loop::Started(_) | Loop::Question => 20_000,
            Loop::StartedAndStopped(actors) => (20_000 / actors as u64).max(20),
            Loop::BytesEmpty | Loop::BytesFull => 1_000,
            _ => 2_000,
        }
    }

    async fn run(self, rounds: u64) -> f64 {
        match self {
            Loop::Build(actors) => time(rounds, || {
                for _ in 0..actors {
                    let _ = black_box((Plain, ActorSystem::new(), SpawnOptions::new()));
                }
            }),
            Loop::Started(actors) => started(rounds, actors, false).await,
            Loop::StartedAndStopped(actors) => started(rounds, actors, true).await,
            Loop::CallHandler => call_handler(rounds).await,
            Loop::Messages => messages(rounds, Told::Add).await,
            Loop::Formatted => messages(rounds, |value| Told::Text(format!("message {value}"))).await,
            Loop::ToOneself(messages) => to_oneself(rounds, messages).await,
            Loop::Question => question(rounds).await,
            Loop::Broadcast => broadcast(rounds).await,
            Loop::BroadcastHandled => broadcast_handled(rounds).await,
            Loop::Routed => toolkit::routed(rounds).await,
            Loop::RoutedHandled => toolkit::routed_handled(rounds).await,
            Loop::Published => toolkit::published(rounds).await,
            Loop::PublishedHandled => toolkit::published_handled(rounds).await,
            Loop::OnlyIn => only_in(rounds).await,
            Loop::InAndOut => in_and_out(rounds).await,
            Loop::Children(children) => self::children(rounds, children).await,
            Loop::Restart => restart(rounds).await,
            Loop::Mailboxes => mailboxes(rounds).await,
            Loop::BytesEmpty => bytes(rounds, 0).await,
            Loop::BytesFull => bytes(rounds, 100).await,
        }
    }
}

fn on(workers: usize, work: impl Future<Output = f64> + Send + 'static) -> f64 {
    let runtime = runtime(workers);
    let task = runtime.spawn(work);
    runtime.block_on(task).expect("the loop panicked")
}

fn alone() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be built")
}

fn time(rounds: u64, mut round: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..rounds).for_each(|_| round());
    per(start, rounds)
}

fn per(start: Instant, rounds: u64) -> f64 {
    start.elapsed().as_nanos() as f64 / rounds as f64
}

/// Does next to nothing.
struct Plain;

enum Told {
    Add(u64),
    Text(String),
    Get(ReplyPort<u64>),
}

impl Actor for Plain {
    type Msg = Told;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Told>, (): ()) -> Result<u64, ActorError> {
        Ok(0)
    }

    async fn handle(&self, _: &ActorRef<Told>, message: Told, sum: &mut u64) -> Result<(), ActorError> {
        match message {
            Told::Add(value) => *sum += value,
            Told::Text(text) => *sum += text.len() as u64,
            Told::Get(port) => drop(port.send(*sum)),
        }
        Ok(())
    }
}

/// Tells when its `post_start` has run.
struct Seen(UnboundedSender<()>);

impl Actor for Seen {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn post_start(&self, _: &ActorRef<()>, (): &mut ()) -> Result<(), ActorError> {
        let _ = self.0.send(());
        Ok(())
    }
}

async fn plain(system: &ActorSystem) -> ActorRef<Told> {
    system.spawn(Plain, (), SpawnOptions::new()).await.expect("it starts")
}

async fn sum(of: &ActorRef<Told>) -> u64 {
    of.call(Told::Get).await.expect("an answer")
}

async fn started(rounds: u64, actors: usize, and_stopped: bool) -> f64 {
    let system = ActorSystem::new();
    let (sender, mut seen) = unbounded_channel();
    let mut all = Vec::with_capacity(actors);
    let start = Instant::now();
    for _ in 0..rounds {
        for _ in 0..actors {
            let actor = Seen(sender.clone());
            all.push(system.spawn(actor, (), SpawnOptions::new()).await.expect("it starts"));
        }
        for _ in 0..actors {
            seen.recv().await.expect("post_start runs");
        }
        for actor in all.drain(..) {
            actor.stop(None);
            if and_stopped {
                let _ = actor.wait(None).await;
            }
        }
    }
    per(start, rounds)
}

async fn call_handler(rounds: u64) -> f64 {
    // The handler wants to know its own address; theirs was built in the loop.
    let myself = plain(&ActorSystem::new()).await;
    let start = Instant::now();
    for _ in 0..rounds {
        let (actor, mut state) = black_box((Plain, 0));
        for value in 0..100 {
            assert!(actor.handle(&myself, Told::Add(black_box(value)), &mut state).await.is_ok());
        }
        assert_eq!(black_box(state), 4950);
    }
    per(start, rounds)
}

async fn messages(rounds: u64, message: impl Fn(u64) -> Told) -> f64 {
    let actor = plain(&ActorSystem::new()).await;
    let start = Instant::now();
    for _ in 0..rounds {
        for value in 0..100 {
            assert!(actor.cast(message(value)).is_ok());
        }
        sum(&actor).await;
    }
    per(start, rounds)
}

async fn to_oneself(rounds: u64, messages: usize) -> f64 {
    let mut answers = Vec::with_capacity(messages);
    let start = Instant::now();
    for _ in 0..rounds {
        black_box(ActorSystem::new());
        for value in 0..messages {
            let (port, answer) = ReplyPort::new(None);
            assert!(port.send(format!("message {value}")).is_ok());
            answers.push(answer);
        }
        for answer in answers.drain(..) {
            black_box(answer.await.expect("an answer"));
        }
    }
    per(start, rounds)
}

async fn question(rounds: u64) -> f64 {
    let actor = plain(&ActorSystem::new()).await;
    let start = Instant::now();
    for _ in 0..rounds {
        sum(&actor).await;
    }
    per(start, rounds)
}

const GROUP: &str = "subscribers";

async fn group(system: &ActorSystem) -> Vec<ActorRef<Told>> {
    let mut all = Vec::new();
    for _ in 0..10 {
        let one = plain(system).await;
        system.groups().join(GROUP, &one.cell()).expect("it joins");
        all.push(one);
    }
    all
}

async fn broadcast(rounds: u64) -> f64 {
    let start = Instant::now();
    for round in 0..rounds {
        let system = ActorSystem::new();
        group(&system).await;
        tell_group(&system, round);
    }
    per(start, rounds)
}

fn tell_group(system: &ActorSystem, value: u64) {
    let members = system.groups().members(GROUP);
    assert_eq!(members.len(), 10);
    for member in members {
        let member = ActorRef::from_cell(member).expect("they take these messages");
        assert!(member.cast(Told::Add(value)).is_ok());
    }
}

async fn broadcast_handled(rounds: u64) -> f64 {
    let system = ActorSystem::new();
    let all = group(&system).await;
    let start = Instant::now();
    for _ in 0..rounds {
        tell_group(&system, 1);
        for one in &all {
            sum(one).await;
        }
    }
    let took = per(start, rounds);
    for one in &all {
        assert_eq!(sum(one).await, rounds);
    }
    took
}

fn thousand() -> SpawnOptions {
    SpawnOptions::new().mailbox(Capacity::Bounded(NonZeroUsize::new(1000).expect("more than zero")))
}

async fn only_in(rounds: u64) -> f64 {
    let system = ActorSystem::new();
    let start = Instant::now();
    for _ in 0..rounds {
        let actor = system.spawn(Plain, (), thousand()).await.expect("it starts");
        for value in 0..100 {
            assert!(actor.cast(Told::Add(value)).is_ok());
        }
    }
    per(start, rounds)
}

async fn in_and_out(rounds: u64) -> f64 {
    let actor = ActorSystem::new().spawn(Plain, (), thousand()).await.expect("it starts");
    let start = Instant::now();
    for _ in 0..rounds {
        for value in 0..100 {
            assert!(actor.cast(Told::Add(value)).is_ok());
        }
        sum(&actor).await;
    }
    let took = per(start, rounds);
    assert_eq!(sum(&actor).await, 4950 * rounds);
    took
}

async fn mailboxes(rounds: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..rounds {
        let system = ActorSystem::new();
        for _ in 0..10 {
            black_box(system.spawn(Plain, (), thousand()).await.expect("it starts"));
        }
    }
    per(start, rounds)
}

async fn bytes(actors: u64, waiting: u64) -> f64 {
    let system = ActorSystem::new();
    let mut all = Vec::with_capacity(actors as usize);
    let Some(count) = Count::start() else { return f64::NAN };
    for _ in 0..actors {
        let actor = plain(&system).await;
        for value in 0..waiting {
            assert!(actor.cast(Told::Add(value)).is_ok());
        }
        all.push(actor);
    }
    count.bytes() as f64 / actors as f64
}

async fn children(rounds: u64, children: usize) -> f64 {
    let start = Instant::now();
    for _ in 0..rounds {
        let system = ActorSystem::new();
        let parent = plain(&system).await.cell();
        for _ in 0..children {
            let options = SpawnOptions::new().supervisor(&parent);
            black_box(system.spawn(Plain, (), options).await.expect("it starts"));
        }
    }
    per(start, rounds)
}

/// Starts another child whenever one has failed, and says so.
struct Parent(UnboundedSender<ActorRef<()>>);

/// Fails when it is told anything.
struct Child;

impl Actor for Child {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorError> {
        Err("as it was told".into())
    }
}

impl Parent {
    async fn start_child(&self, myself: &ActorRef<()>) -> Result<(), ActorError> {
        let options = SpawnOptions::new().supervisor(&myself.cell());
        let child = ActorSystem::current().spawn(Child, (), options).await?;
        let _ = self.0.send(child);
        Ok(())
    }
}

impl Actor for Parent {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn post_start(&self, myself: &ActorRef<()>, (): &mut ()) -> Result<(), ActorError> {
        self.start_child(myself).await
    }

    async fn handle_supervisor_evt(
        &self,
        myself: &ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorError> {
        match event {
            SupervisionEvent::Failed { .. } => self.start_child(myself).await,
            _ => Ok(()),
        }
    }
}

async fn restart(rounds: u64) -> f64 {
    let (sender, mut children): (_, UnboundedReceiver<ActorRef<()>>) = unbounded_channel();
    let parent = ActorSystem::new().spawn(Parent(sender), (), SpawnOptions::new()).await;
    let parent = parent.expect("it starts");
    let mut child = children.recv().await.expect("a child");
    let start = Instant::now();
    for _ in 0..rounds {
        assert!(child.cast(()).is_ok());
        child = children.recv().await.expect("another child");
    }
    let took = per(start, rounds);
    parent.stop(None);
    took
}
