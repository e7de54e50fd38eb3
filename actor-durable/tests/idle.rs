//! An actor that has had nothing to do for long gives its memory back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{ActorError, Executor};
use actor_durable::store::Outgoing;
use actor_durable::{
    Durability, Durable, DurableActor, DurableId, DurableRef, DurableSystem, MemoryStore, NoError, Outlet,
    Turn,
};
use actor_testkit::Simulation;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::stage::{World, pass};

const IDLE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Chore {
    Rest,
    /// Has a timer each three seconds.
    Tick,
    /// Has the outlet do something.
    Effect,
}

/// Has nothing to do; volatile or not.
struct Idler<const IS_VOLATILE: bool>;

impl<const IS_VOLATILE: bool> Durable for Idler<IS_VOLATILE> {
    const TYPE: &'static str = "idler";
    const DURABILITY: Durability = if IS_VOLATILE { Durability::Volatile } else { Durability::WriteThrough };
    const IDLE_MAX: Option<Duration> = Some(IDLE);
    type State = u32;
    type Command = Chore;
    type Reply = u32;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }
}

impl<const IS_VOLATILE: bool> DurableActor for Idler<IS_VOLATILE> {
    async fn handle(&self, chore: Chore, ticks: &mut u32, turn: &mut Turn<'_, Self>) -> Result<u32, NoError> {
        match chore {
            Chore::Rest => {}
            Chore::Tick => {
                *ticks += 1;
                turn.timer(Duration::from_secs(3), &Chore::Tick).expect("it has a form");
            }
            Chore::Effect => turn.effect("gate", None, "open").expect("a good name"),
        }
        Ok(*ticks)
    }
}

/// An outlet that does nothing until it may.
#[derive(Clone, Default)]
struct Gate(Arc<AtomicBool>);

#[async_trait]
impl Outlet for Gate {
    async fn deliver(&self, _: &DurableId, _: &Outgoing) -> Result<(), ActorError> {
        if self.0.load(Ordering::Relaxed) { Ok(()) } else { Err("it is shut".into()) }
    }
}

fn run<const IS_VOLATILE: bool>(
    gate: Gate,
    body: impl AsyncFnOnce(&DurableSystem, DurableRef<Idler<IS_VOLATILE>>),
) {
    World::new().run_with(
        |builder| builder.register(Idler::<IS_VOLATILE>).outlet("gate", gate),
        async |system| body(system, system.actor("a").expect("a good id")).await,
    );
}

/// The last thing that there was to do is done: the actor is in memory for as long as it may be idle, and no longer.
async fn is_there_until_idle(system: &DurableSystem, id: &DurableId) {
    pass(system, IDLE - Duration::from_millis(1)).await;
    assert!(system.is_active(id), "it may have something to do yet");
    pass(system, Duration::from_millis(2)).await;
    assert!(!system.is_active(id), "it has had nothing to do for long");
}

fn calls_are_something_to_do<const IS_VOLATILE: bool>() {
    run::<IS_VOLATILE>(Gate::default(), async |system, actor| {
        for _ in 0..3 {
            actor.call(Chore::Rest).await.expect("it is answered");
            pass(system, Duration::from_secs(6)).await;
        }
        actor.call(Chore::Rest).await.expect("it is answered");
        is_there_until_idle(system, actor.id()).await;
    });
}

#[test]
fn an_actor_is_passivated_once_nobody_has_asked_it_for_so_long() {
    calls_are_something_to_do::<false>();
    calls_are_something_to_do::<true>();
}

fn timers_are_not<const IS_VOLATILE: bool>() {
    run::<IS_VOLATILE>(Gate::default(), async |system, actor| {
        actor.call(Chore::Tick).await.expect("it is answered");
        is_there_until_idle(system, actor.id()).await;
        let ticks = actor.call(Chore::Rest).await.ok();
        // Of a volatile one nothing is left.
        assert_eq!(ticks, Some(if IS_VOLATILE { 0 } else { 4 }));
    });
}

#[test]
fn an_actors_own_timers_do_not_keep_it_in_memory() {
    timers_are_not::<false>();
    timers_are_not::<true>();
}

#[test]
fn a_letter_is_something_to_do() {
    run::<false>(Gate::default(), async |system, actor| {
        actor.call(Chore::Rest).await.expect("it is answered");
        pass(system, Duration::from_secs(6)).await;
        actor.send(Chore::Rest).await.expect("it is stored");
        is_there_until_idle(system, actor.id()).await;
    });
}

#[test]
fn an_actor_whose_effects_are_not_done_stays_until_they_are() {
    let gate = Gate::default();
    run::<false>(gate.clone(), async |system, actor| {
        actor.call(Chore::Effect).await.expect("it is answered");
        pass(system, 10 * IDLE).await;
        assert!(system.is_active(actor.id()), "it is tried again");
        gate.0.store(true, Ordering::Relaxed);
        pass(system, 4 * IDLE).await;
        assert!(!system.is_active(actor.id()));
    });
}

/// What looks whether it is idle is a step of the simulation. There would be a hundred thousand if it were each millisecond.
#[test]
fn an_actor_whose_effects_are_not_done_is_not_looked_at_all_the_time() {
    let mut world = World::new();
    world.simulation = Simulation::seeded(9).steps_max(10_000);
    world.store = Arc::new(MemoryStore::on(world.simulation.executor()));
    world.run_with(
        |builder| builder.register(Idler::<false>).outlet("gate", Gate::default()),
        async |system| {
            let actor: DurableRef<Idler<false>> = system.actor("a").expect("a good id");
            actor.call(Chore::Effect).await.expect("it is answered");
            pass(system, 10 * IDLE).await;
            assert!(system.is_active(actor.id()), "it is tried again");
        },
    );
}

/// Notes when it was asked to do something, and fails.
struct Fleeting {
    executor: Executor,
    times: Arc<Mutex<Vec<Duration>>>,
}

impl Durable for Fleeting {
    const TYPE: &'static str = "fleeting";
    const IDLE_MAX: Option<Duration> = Some(Duration::from_millis(50));
    type State = ();
    type Command = ();
    type Reply = ();
    type Error = NoError;

    fn create(&self, _: &DurableId) {}
}

impl DurableActor for Fleeting {
    async fn handle(&self, (): (), (): &mut (), _: &mut Turn<'_, Self>) -> Result<(), NoError> {
        self.times.lock().expect("nothing panics under it").push(self.executor.unix_time());
        panic!("so it was asked")
    }
}

#[test]
fn an_actor_that_is_to_try_a_letter_again_is_not_idle() {
    let mut world = World::new();
    let times = Arc::<Mutex<Vec<Duration>>>::default();
    let fleeting = Fleeting { executor: world.simulation.executor(), times: times.clone() };
    world.run_with(
        |builder| builder.register(fleeting),
        async |system| {
            let actor: DurableRef<Fleeting> = system.actor("a").expect("a good id");
            actor.send(()).await.expect("it is stored");
            pass(system, Duration::from_secs(10)).await;
            assert!(!system.is_active(actor.id()), "it is given up, and there is nothing else");
            let head = system.store().head(actor.id()).await.expect("memory").expect("it is there");
            assert_eq!(head.epoch.0, 1, "one activation has tried it each time");
        },
    );
    let times = times.lock().expect("nothing panics under it").clone();
    let pauses: Vec<_> = times.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(pauses, [100, 200, 400, 800].map(Duration::from_millis));
}

/// Wants to go as soon as it has begun; volatile or not.
struct Shy<const IS_VOLATILE: bool>;

impl<const IS_VOLATILE: bool> Durable for Shy<IS_VOLATILE> {
    const TYPE: &'static str = "shy";
    const DURABILITY: Durability = if IS_VOLATILE { Durability::Volatile } else { Durability::WriteThrough };
    type State = u32;
    type Command = ();
    type Reply = u32;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }
}

impl<const IS_VOLATILE: bool> DurableActor for Shy<IS_VOLATILE> {
    async fn on_start(&self, _: &mut u32, turn: &mut Turn<'_, Self>) -> Result<(), ActorError> {
        turn.passivate();
        Ok(())
    }

    async fn handle(&self, (): (), n: &mut u32, _: &mut Turn<'_, Self>) -> Result<u32, NoError> {
        *n += 1;
        Ok(*n)
    }
}

fn the_first_turn_asks_for_passivation<const IS_VOLATILE: bool>() {
    World::new().run_with(
        |builder| builder.register(Shy::<IS_VOLATILE>),
        async |system| {
            let actor: DurableRef<Shy<IS_VOLATILE>> = system.actor("a").expect("a good id");
            assert_eq!(actor.call(()).await.ok(), Some(1));
            pass(system, Duration::from_millis(5)).await;
            assert!(!system.is_active(actor.id()), "so it was asked");
            // A volatile one has its first turn in each activation.
            assert_eq!(actor.call(()).await.ok(), Some(if IS_VOLATILE { 1 } else { 2 }));
            pass(system, Duration::from_millis(5)).await;
            assert_eq!(system.is_active(actor.id()), !IS_VOLATILE);
        },
    );
}

#[test]
fn a_first_turn_may_ask_for_passivation() {
    the_first_turn_asks_for_passivation::<false>();
    the_first_turn_asks_for_passivation::<true>();
}
