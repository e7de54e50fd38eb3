//! Actors in one task, on a real runtime. Whose turn it is exactly is tested beside
//! the host, and the life of each actor by the suite.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, Capacity, Colocation, Exit, ReplyPort, SendError, SpawnOptions,
    Status, actor, limits,
};
use actor_testkit::{Order, Simulation};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::support::{
    ColocatedDoor, Door, Entry, Gate, Hook, Log, Message, Probe, act, act_once, panics, poll_once, settled,
};

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Hits the ball back, to itself if it has nobody else, and counts.
struct Player(Arc<AtomicU64>);

enum Ball {
    Partner(ActorRef<Ball>),
    Hit,
    Ask(ReplyPort<u64>),
}

impl Actor for Player {
    type Msg = Ball;
    type State = Option<ActorRef<Ball>>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Ball>, (): ()) -> Result<Self::State, ActorError> {
        Ok(None)
    }

    async fn handle(
        &self,
        myself: &ActorRef<Ball>,
        ball: Ball,
        partner: &mut Self::State,
    ) -> Result<(), ActorError> {
        match ball {
            Ball::Partner(actor) => *partner = Some(actor),
            Ball::Hit => {
                self.0.fetch_add(1, Ordering::Relaxed);
                // A ball that nobody takes is out.
                drop(partner.as_ref().unwrap_or(myself).cast(Ball::Hit));
            }
            Ball::Ask(port) => _ = port.send(self.0.load(Ordering::Relaxed)),
        }
        Ok(())
    }
}

/// How many balls were hit while something was waited for.
async fn hits_during(hits: &AtomicU64, wait: impl Future<Output = ()>) -> u64 {
    let before = hits.load(Ordering::Relaxed);
    wait.await;
    hits.load(Ordering::Relaxed) - before
}

/// On one thread, so that what happens in between is the same each time; and in a task,
/// which has its turn when the place has had one. Tokio's own first future waits longer.
#[tokio::test]
async fn members_that_never_rest_keep_nobody_out() {
    tokio::spawn(play()).await.unwrap();
}

async fn play() {
    let system = ActorSystem::new();
    let place = Colocation::new(&system);
    let options = || SpawnOptions::new().colocate(&place);
    let quiet = ColocatedDoor::of(&system, &place).spawn(Probe::new(&Log::default())).await;
    settled(&quiet).await;
    for players in [1, 2] {
        let hits = Arc::new(AtomicU64::new(0));
        let mut team = Vec::new();
        for _ in 0..players {
            team.push(system.spawn(Player(hits.clone()), (), options()).await.unwrap());
        }
        // One plays with itself; two with each other.
        for (number, player) in team.iter().enumerate() {
            player.cast(Ball::Partner(team[(number + 1) % team.len()].clone())).unwrap();
        }
        team[0].cast(Ball::Hit).unwrap();
        assert!(team[0].call(Ball::Ask).await.unwrap() > 0, "they play");

        // A turn of the task is so many turns of its members. An outsider's message is
        // let in at the first look of the next turn, and its answer comes after it.
        let turn = u64::from(limits::MEMBERS_PER_TURN) * u64::from(limits::MESSAGES_PER_TURN);
        let ask = async { assert_eq!(settled(&quiet).await, 0) };
        let meanwhile = hits_during(&hits, ask).await;
        assert!(meanwhile > 0 && meanwhile <= turn, "{meanwhile} hits, and {turn} in a turn");
        // One that is spawned as soon.
        let newcomer = async {
            let newcomer = system.spawn(Player(Arc::default()), (), options()).await.unwrap();
            assert_eq!(newcomer.call(Ball::Ask).await.unwrap(), 0);
        };
        let meanwhile = hits_during(&hits, newcomer).await;
        assert!(meanwhile > 0 && meanwhile <= turn, "{meanwhile} hits, and {turn} in a turn");
        // And a kill of one that plays.
        let ends = async {
            for player in &team {
                assert_eq!(player.kill_and_wait(None).await, Ok(Exit::Killed));
            }
        };
        assert!(hits_during(&hits, ends).await <= 2 * turn);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_threads_wake_members() {
    const THREADS: u64 = 3;
    const MESSAGES: u64 = 2_000;
    let system = ActorSystem::new();
    let place = Colocation::new(&system);
    let mut actors = Vec::new();
    for _ in 0..8 {
        let options = SpawnOptions::new().colocate(&place).mailbox(Capacity::Unbounded);
        actors.push(system.spawn(Sum, (), options).await.unwrap());
    }
    let actors = Arc::new(actors);
    let senders: Vec<_> = (0..THREADS)
        .map(|_| {
            let actors = actors.clone();
            thread::spawn(move || {
                for number in 0..MESSAGES {
                    for actor in actors.iter() {
                        actor.cast(Tell::Add(number)).unwrap();
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    for actor in actors.iter() {
        assert_eq!(actor.call(Tell::Sum).await.unwrap(), THREADS * MESSAGES * (MESSAGES - 1) / 2);
    }
}

struct Sum;

enum Tell {
    Add(u64),
    Sum(ReplyPort<u64>),
}

impl Actor for Sum {
    type Msg = Tell;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Tell>, (): ()) -> Result<u64, ActorError> {
        Ok(0)
    }

    async fn handle(&self, _: &ActorRef<Tell>, tell: Tell, sum: &mut u64) -> Result<(), ActorError> {
        match tell {
            Tell::Add(number) => *sum += number,
            Tell::Sum(port) => _ = port.send(*sum),
        }
        Ok(())
    }
}

#[test]
fn its_task_ends_with_the_last_handle_and_the_last_member() {
    let runtime = runtime();
    let tasks = || runtime.metrics().num_alive_tasks();
    let system = ActorSystem::new();
    runtime.block_on(async {
        let place = Colocation::new(&system);
        assert_eq!(tasks(), 1);
        let door = ColocatedDoor::of(&system, &place);
        let actors =
            [door.spawn(Probe::new(&Log::default())).await, door.spawn(Probe::new(&Log::default())).await];
        assert_eq!(tasks(), 1, "all are in it");
        drop((door, place));
        for actor in &actors {
            assert_eq!(settled(actor).await, 0);
        }
        assert_eq!(tasks(), 1);
        for actor in &actors {
            assert_eq!(actor.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
        }
        while tasks() > 0 {
            tokio::task::yield_now().await;
        }
        // Without a member it ends at once.
        drop(Colocation::new(&system));
        while tasks() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_member_that_holds_its_place_does_not_keep_it_for_ever() {
    let runtime = runtime();
    let system = ActorSystem::new();
    runtime.block_on(async {
        let place = Colocation::new(&system);
        let door = ColocatedDoor::of(&system, &place);
        let holder = place.clone();
        let holds = act(move |_| {
            let _ = &holder;
            async { Ok(()) }
        });
        let actor = door.spawn(Probe::new(&Log::default()).at(Hook::PostStop, holds)).await;
        drop((door, place));
        assert_eq!(actor.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_runtime_that_shuts_down_cancels_the_members() {
    let system = ActorSystem::new();
    let (log, gate) = (Log::default(), Gate::new());
    let doomed = runtime();
    let (door, actors) = doomed.block_on(async {
        let door = ColocatedDoor::new(system.clone());
        let idle = door.start(Probe::new(&log), SpawnOptions::new().name("idle")).await.unwrap();
        let held = door.spawn(Probe::new(&log)).await;
        held.cast(Message::Do(gate.act())).unwrap();
        held.cast(Message::Note(1)).unwrap();
        gate.reached().await;
        settled(&idle).await;
        // This one's task never runs.
        let early = door.spawn(Probe::new(&log)).await;
        (door, [idle, held, early])
    });
    drop(doomed);
    for actor in &actors {
        assert_eq!(actor.status(), Status::Stopped);
        assert_eq!(runtime().block_on(actor.wait(None)), Ok(Exit::Cancelled));
        let refused = SendError::Stopped(Message::Note(2), Some(Exit::Cancelled));
        assert_eq!(actor.cast(Message::Note(2)), Err(refused));
    }
    assert_eq!(system.registered(), []);
    let mut entries = log.take();
    entries.retain(|entry| *entry == Entry::Dropped);
    assert_eq!(entries, [const { Entry::Dropped }; 3]);

    // Its place takes nobody in any more: who is spawned there is cancelled, as on a
    // runtime that is gone.
    let late = runtime().block_on(door.spawn(Probe::new(&log)));
    assert_eq!(late.status(), Status::Stopped);
    assert_eq!(runtime().block_on(late.wait(None)), Ok(Exit::Cancelled));
    assert_eq!(log.entries(), [Entry::PreStart, Entry::Dropped]);
}

#[test]
fn a_simulation_that_is_dropped_cancels_the_members() {
    let mut simulation = Simulation::new(Order::Fifo);
    let door = ColocatedDoor::new(simulation.system());
    let actor = simulation.block_on(door.spawn(Probe::new(&Log::default())));
    drop(simulation);
    assert_eq!(runtime().block_on(actor.wait(None)), Ok(Exit::Cancelled));
}

#[tokio::test]
async fn a_panic_stays_in_its_member() {
    let door = ColocatedDoor::new(ActorSystem::new());
    let other = door.spawn(Probe::new(&Log::default())).await;
    let victim = door.spawn(Probe::new(&Log::default())).await;
    victim.cast(Message::Do(panics("fell"))).unwrap();
    assert_eq!(victim.wait(None).await, Ok(Exit::Panicked("fell".into())));
    assert_eq!(settled(&other).await, 0);
}

/// The end of an actor wakes whoever waits for room, and the waker is anybody's.
#[tokio::test]
async fn a_waker_that_panics_at_a_close_harms_nobody() {
    struct Rude;
    impl Wake for Rude {
        fn wake(self: Arc<Self>) {
            panic!("rude");
        }
    }
    let door = ColocatedDoor::new(ActorSystem::new());
    let (log, gate) = (Log::default(), Gate::new());
    let other = door.spawn(Probe::new(&Log::default())).await;
    let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
    let victim = door.start(Probe::new(&log), options).await.unwrap();
    victim.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    victim.cast(Message::Note(1)).unwrap();
    let mut waiting = pin!(victim.send(Message::Note(2)));
    let rude = Waker::from(Arc::new(Rude));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&rude)).is_pending());
    victim.stop(None);
    gate.open();
    assert_eq!(victim.wait(None).await, Ok(Exit::Stopped(None)));
    assert_eq!(waiting.await, Err(SendError::Stopped(Message::Note(2), Some(Exit::Stopped(None)))));
    assert_eq!(settled(&other).await, 0);
    assert_eq!(door.spawn(Probe::new(&log)).await.status(), Status::Starting);
}

/// Two places do not mix, and a member may bring others into its own place and into
/// another.
#[tokio::test]
async fn members_bring_others_here_and_there() {
    let system = ActorSystem::new();
    let (here, there) = (ColocatedDoor::new(system.clone()), ColocatedDoor::new(system.clone()));
    let children: Arc<Mutex<Vec<ActorRef<Message>>>> = Arc::default();
    let (places, found) = ([here.place().clone(), there.place().clone()], children.clone());
    let spawn_both = act_once(|| async move {
        for place in places {
            let options = SpawnOptions::new().colocate(&place);
            let child = ActorSystem::current().spawn(Probe::new(&Log::default()), (), options).await.unwrap();
            // Answered while this handler waits: they take turns.
            assert_eq!(settled(&child).await, 0);
            found.lock().unwrap().push(child);
        }
    });
    let parent = here.spawn(Probe::new(&Log::default())).await;
    parent.cast(Message::Do(spawn_both)).unwrap();
    settled(&parent).await;
    let children = children.lock().unwrap().clone();
    assert_eq!(parent.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    drop((here, there));
    for child in children {
        assert_eq!(settled(&child).await, 0);
        assert_eq!(child.drain_and_wait(None).await, Ok(Exit::Drained));
    }
    while Handle::current().metrics().num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
}

/// A blocked thread stalls its place and nobody else's.
#[test]
fn one_that_blocks_its_thread_stalls_its_own_place_only() {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let system = ActorSystem::new();
        let (blocked, free) = (ColocatedDoor::new(system.clone()), ColocatedDoor::new(system.clone()));
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let (began, begun) = tokio::sync::oneshot::channel();
        let stalled = blocked.spawn(Probe::new(&Log::default())).await;
        let neighbour = blocked.spawn(Probe::new(&Log::default())).await;
        let elsewhere = free.spawn(Probe::new(&Log::default())).await;
        settled(&neighbour).await;
        stalled
            .cast(Message::Do(act_once(|| async move {
                began.send(()).unwrap();
                tokio::task::block_in_place(|| wait.recv().unwrap());
            })))
            .unwrap();
        begun.await.unwrap();
        let mut answer = pin!(neighbour.call(Message::Ask));
        assert_eq!(poll_once(answer.as_mut()).await, Poll::Pending);
        assert_eq!(settled(&elsewhere).await, 0);
        assert_eq!(poll_once(answer.as_mut()).await, Poll::Pending);
        go_on.send(()).unwrap();
        assert_eq!(answer.await, Ok(0));
    });
}

#[tokio::test]
async fn a_plain_struct_may_be_colocated() {
    struct Twice;

    #[actor]
    impl Twice {
        fn of(&self, number: u32) -> u32 {
            2 * number
        }
    }

    let place = Colocation::new(&ActorSystem::current());
    let tasks = Handle::current().metrics().num_alive_tasks();
    let twice = Twice.spawn().colocate(&place).await.unwrap();
    assert_eq!(twice.of(4).await.unwrap(), 8);
    assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks);
}
