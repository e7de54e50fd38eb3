//! Who never runs out of work keeps nobody else waiting for long: how long is counted in
//! what the others did meanwhile, on one thread.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use actor_core::limits::{MEMBERS_PER_LOOK, MESSAGES_PER_TURN};
use actor_core::{
    Actor, ActorCell, ActorError, ActorRef, ActorSystem, Capacity, ReplyPort, SpawnOptions, SupervisionEvent,
};
use actor_testkit::{Order, Simulation};
use futures_core::Stream;

use crate::support::{ColocatedDoor, Door, LocalDoor, SendDoor, dead};

/// How many of the flood's steps go by between two marks. Not a multiple of a turn, so that
/// marks are made all over it.
const STEPS_PER_MARK: u64 = 1001;
/// How many marks are enough.
const MARKS: u64 = 25;

/// The turn that a flood is in when it wakes another, and one more: its task may have been
/// queued again by then.
const TURNS: u32 = 2;

/// What all floods of a test have done, and whom they tell of it now and then.
#[derive(Clone)]
struct Flood {
    steps: Arc<AtomicU64>,
    neighbour: ActorRef<Mark>,
}

impl Flood {
    fn step(&self) {
        let steps = self.steps.fetch_add(1, Ordering::SeqCst) + 1;
        if steps.is_multiple_of(STEPS_PER_MARK) {
            self.neighbour.cast(Mark::At(steps)).unwrap();
        }
    }
}

/// The actor that is not to be starved.
struct Neighbour(Arc<AtomicU64>);

#[derive(Default)]
struct Seen {
    marks: u64,
    worst: u64,
    asks: Option<ReplyPort<u64>>,
}

enum Mark {
    /// Made after so many steps.
    At(u64),
    /// Answered when enough marks have come: after how many further steps the latest of them
    /// did. Asked once, so that only floods wake the neighbour.
    Worst(ReplyPort<u64>),
}

impl Actor for Neighbour {
    type Msg = Mark;
    type State = Seen;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Mark>, (): ()) -> Result<Seen, ActorError> {
        Ok(Seen::default())
    }

    async fn handle(&self, _: &ActorRef<Mark>, mark: Mark, seen: &mut Seen) -> Result<(), ActorError> {
        match mark {
            Mark::At(steps) => {
                seen.marks += 1;
                seen.worst = seen.worst.max(self.0.load(Ordering::SeqCst) - steps);
                if seen.marks == MARKS {
                    let port = seen.asks.take().ok_or("nobody asks")?;
                    let _ = port.send(seen.worst);
                }
            }
            Mark::Worst(port) => seen.asks = Some(port),
        }
        Ok(())
    }
}

/// Each message brings the next.
struct Flooded(Flood);

impl Actor for Flooded {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, myself: &ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorError> {
        self.0.step();
        Ok(myself.cast(())?)
    }
}

/// Each supervision event brings the next.
struct Supervisor(Flood, ActorCell);

impl Actor for Supervisor {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, myself: &ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorError> {
        myself.cell().watch(&self.1);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: &ActorRef<()>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorError> {
        self.0.step();
        myself.cell().watch(&self.1);
        Ok(())
    }
}

/// Always has another item.
struct Endless(Flood);

impl Stream for Endless {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
        self.0.step();
        Poll::Ready(Some(()))
    }
}

/// Takes what it is sent.
struct Sink;

impl Actor for Sink {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }
}

/// What never comes to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Messages,
    Events,
    Stream,
}

/// Lets floods run beside an actor. None of them gets more than so many turns before it.
async fn nobody_is_starved(door: impl Door, floods: &[Kind], turns: u32) {
    let steps = Arc::new(AtomicU64::new(0));
    let options = SpawnOptions::new().mailbox(Capacity::Unbounded);
    let neighbour = door.spawn_with(Neighbour(steps.clone()), (), options.clone()).await.unwrap();
    let (port, worst) = ReplyPort::new(None);
    neighbour.cast(Mark::Worst(port)).unwrap();
    let flood = Flood { steps, neighbour: neighbour.clone() };
    let gone = dead(&door).await;
    let mut actors = Vec::new();
    for kind in floods {
        let flood = flood.clone();
        actors.push(match kind {
            Kind::Messages => door.spawn_with(Flooded(flood), (), SpawnOptions::new()).await.unwrap(),
            Kind::Events => {
                let supervisor = Supervisor(flood, gone.clone());
                door.spawn_with(supervisor, (), SpawnOptions::new()).await.unwrap()
            }
            // There is always room for another, so its stream never waits.
            Kind::Stream => door.spawn_with(Sink, (), options.clone()).await.unwrap(),
        });
    }
    for (actor, kind) in actors.iter().zip(floods) {
        match kind {
            Kind::Messages | Kind::Events => actor.cast(()).unwrap(),
            Kind::Stream => drop(actor.attach_stream(Endless(flood.clone()), |()| ())),
        }
    }
    let worst = worst.await.unwrap();
    let most = floods.len() as u64 * u64::from(turns * MESSAGES_PER_TURN);
    assert!(worst <= most, "{worst} steps of {floods:?}, and {most} at most");
    for actor in &actors {
        actor.kill();
    }
    for actor in actors {
        actor.wait(None).await.unwrap();
    }
}

/// Each flood alone, and all together.
const FLOODS: [&[Kind]; 5] = [
    &[Kind::Messages],
    &[Kind::Events],
    &[Kind::Stream],
    &[Kind::Messages, Kind::Messages, Kind::Events, Kind::Events],
    &[Kind::Messages, Kind::Events, Kind::Stream, Kind::Stream],
];

#[tokio::test]
async fn a27_actors_starve_nobody() {
    for floods in FLOODS {
        nobody_is_starved(SendDoor::new(ActorSystem::new()), floods, TURNS).await;
    }
}

/// A stream is no member of its actor's place: what it sends comes from outside.
fn colocated_turns(floods: &[Kind]) -> u32 {
    if floods.contains(&Kind::Stream) { MEMBERS_PER_LOOK + TURNS } else { TURNS }
}

/// On a thread of its own, since tokio lets a test have a turn only now and then.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a27_colocated_actors_starve_nobody() {
    for floods in FLOODS {
        nobody_is_starved(ColocatedDoor::new(ActorSystem::new()), floods, colocated_turns(floods)).await;
    }
}

/// What is attached to a local actor runs elsewhere, so it is left out.
#[tokio::test]
async fn a27_local_actors_starve_nobody() {
    for floods in FLOODS {
        if !floods.contains(&Kind::Stream) {
            nobody_is_starved(LocalDoor::new(ActorSystem::new()), floods, TURNS).await;
        }
    }
}

#[test]
fn a27_simulated_actors_starve_nobody() {
    for floods in FLOODS {
        let mut simulation = Simulation::new(Order::Fifo);
        let system = simulation.system();
        simulation.block_on(nobody_is_starved(SendDoor::new(system.clone()), floods, TURNS));
        let turns = colocated_turns(floods);
        simulation.block_on(nobody_is_starved(ColocatedDoor::new(system.clone()), floods, turns));
        simulation.block_on(nobody_is_starved(LocalDoor::new(system), floods, TURNS));
    }
}
