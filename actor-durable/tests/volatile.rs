//! Volatile actors beside their commands, and actors of any kind that have had nothing to do for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor_core::ActorError;
use actor_durable::store::{CatchUp, Outgoing};
use actor_durable::{
    AskError, Durability, Durable, DurableActor, DurableBuilder, DurableId, DurableRef, DurableSystem,
    NoError, Outlet, RequestError, Turn, WallTime,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::stage::{Account, Command, World, pass};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Do {
    Count,
    /// Counts a second later.
    CountLater,
    /// Counts, and again a second later; the third time it goes.
    Tick,
    /// Goes when it is done.
    Leave,
    End,
    /// Has the outside do something.
    Effect,
    Show,
}

macro_rules! idler {
    ($name:ident, $durability:expr, $idle:expr) => {
        /// Counts. What begins with it fails at the hook of its id.
        struct $name;

        impl Durable for $name {
            const TYPE: &'static str = stringify!($name);
            const DURABILITY: Durability = $durability;
            const IDLE_MAX: Option<Duration> = $idle;
            type State = u64;
            type Command = Do;
            type Reply = u64;
            type Error = NoError;

            fn create(&self, _: &DurableId) -> u64 {
                0
            }

            fn is_query(command: &Do) -> bool {
                matches!(command, Do::Show)
            }

            async fn on_recover(&self, id: &DurableId, _: &mut u64) -> Result<(), ActorError> {
                if id.as_str() == "on_recover" { Err("so it was asked".into()) } else { Ok(()) }
            }
        }

        impl DurableActor for $name {
            async fn on_start(&self, _: &mut u64, turn: &mut Turn<'_, Self>) -> Result<(), ActorError> {
                match turn.id().as_str() {
                    "on_start" => Err("so it was asked".into()),
                    "clock" => Ok(turn.timer(SECOND, &Do::Count)?),
                    _ => Ok(()),
                }
            }

            async fn handle(
                &self,
                command: Do,
                n: &mut u64,
                turn: &mut Turn<'_, Self>,
            ) -> Result<u64, NoError> {
                match command {
                    Do::Count => *n += 1,
                    Do::CountLater => turn.timer(SECOND, &Do::Count).expect("it can be written"),
                    Do::Tick if *n == 2 => turn.passivate(),
                    Do::Tick => {
                        *n += 1;
                        turn.timer(SECOND, &Do::Tick).expect("it can be written");
                    }
                    Do::Leave => turn.passivate(),
                    Do::End => turn.end(),
                    Do::Effect => turn.effect("sea", None, "drop").expect("it is kept"),
                    Do::Show => {}
                }
                Ok(*n)
            }
        }
    };
}

idler!(Fleeting, Durability::Volatile, None);
idler!(FleetingIdler, Durability::Volatile, Some(Duration::from_secs(10)));
idler!(KeptIdler, Durability::WriteThrough, Some(Duration::from_secs(10)));

struct Sea(Arc<AtomicBool>);

#[async_trait]
impl Outlet for Sea {
    async fn deliver(&self, _: &DurableId, _: &Outgoing) -> Result<(), ActorError> {
        if self.0.load(Ordering::Relaxed) { Ok(()) } else { Err("it is shut".into()) }
    }
}

/// Runs a future in a process whose outlet is shut until it is opened by the flag.
fn run(body: impl AsyncFnOnce(&DurableSystem, &AtomicBool)) {
    let is_open = Arc::new(AtomicBool::new(false));
    let register = |builder: DurableBuilder| {
        let builder = builder.register(Fleeting).register(FleetingIdler).register(KeptIdler).register(Asks);
        builder.outlet("sea", Sea(is_open.clone()))
    };
    World::new().run_with(register, async |system| body(system, &is_open).await);
}

fn actor<A: Durable>(system: &DurableSystem, id: &str) -> DurableRef<A> {
    system.actor(id).expect("a good id")
}

#[test]
fn a_volatile_actor_has_timers_and_none_of_a_former_life() {
    run(async |system, _| {
        let clock = actor::<Fleeting>(system, "clock");
        assert_eq!(clock.call(Do::CountLater).await.ok(), Some(0));
        pass(system, SECOND - Duration::from_millis(1)).await;
        assert_eq!(clock.call(Do::Show).await.ok(), Some(0));
        pass(system, Duration::from_millis(2)).await;
        assert_eq!(clock.call(Do::Show).await.ok(), Some(2), "that of `on_start`, and that of its command");
        clock.call(Do::CountLater).await.expect("nothing keeps it");
        system.passivate(clock.id()).await;
        assert_eq!(clock.call(Do::Show).await.ok(), Some(0));
        pass(system, 2 * SECOND).await;
        assert_eq!(clock.call(Do::Show).await.ok(), Some(1), "that of `on_start`");
    });
}

#[test]
fn a_volatile_actor_has_what_the_command_of_its_timer_asks_for() {
    run(async |system, _| {
        let actor = actor::<Fleeting>(system, "a");
        assert_eq!(actor.call(Do::Tick).await.ok(), Some(1));
        pass(system, SECOND + Duration::from_millis(1)).await;
        assert_eq!(actor.call(Do::Show).await.ok(), Some(2));
        assert!(system.is_active(actor.id()));
        pass(system, SECOND).await;
        assert!(!system.is_active(actor.id()), "it has left");
    });
}

#[test]
fn a_volatile_actor_that_leaves_or_ends_begins_anew() {
    run(async |system, _| {
        let actor = actor::<Fleeting>(system, "a");
        for leaves in [Do::Leave, Do::End] {
            assert_eq!(actor.call(Do::Count).await.ok(), Some(1));
            assert_eq!(actor.call(leaves).await.ok(), Some(1));
            pass(system, Duration::from_millis(1)).await;
            assert!(!system.is_active(actor.id()));
        }
        actor.call(Do::Count).await.expect("nothing keeps it");
        actor.call(Do::Show).await.expect("nothing keeps it");
        pass(system, Duration::from_millis(1)).await;
        assert!(system.is_active(actor.id()), "it stays if it asks for nothing");
    });
}

#[test]
fn a_hook_that_fails_is_said_to_whoever_calls_a_volatile_actor() {
    run(async |system, _| {
        for hook in ["on_start", "on_recover"] {
            let Err(error) = actor::<Fleeting>(system, hook).call(Do::Count).await else {
                panic!("`{hook}` fails")
            };
            let text = format!("not applied: the actor was not activated: {hook} failed: so it was asked");
            assert_eq!(error.to_string(), text);
        }
    });
}

/// Asks for all that a volatile actor cannot have.
struct Asks;

impl Durable for Asks {
    const TYPE: &'static str = "asks";
    const DURABILITY: Durability = Durability::Volatile;
    type State = ();
    type Command = ();
    type Reply = usize;
    type Error = NoError;

    fn create(&self, _: &DurableId) {}
}

impl DurableActor for Asks {
    async fn handle(&self, (): (), (): &mut (), turn: &mut Turn<'_, Self>) -> Result<usize, NoError> {
        let (due, period) = (WallTime::MAX, SECOND);
        let refused = [
            turn.send::<Account>("a", &Command::Get),
            turn.ask::<Account>("q", "a", &Command::Get).map(drop),
            turn.effect("sea", None, "drop"),
            turn.remind("r", due, &()),
            turn.remind_every("r", due, period, CatchUp::Skip, &()),
            turn.cancel_reminder("r"),
            turn.add_child::<Account>("c", "a", ""),
            turn.remove_child("c"),
        ];
        Ok(refused.iter().filter(|asked| matches!(asked, Err(RequestError::Volatile))).count())
    }
}

#[test]
fn a_volatile_actor_is_refused_what_would_have_to_be_stored() {
    run(async |system, _| {
        let asks = actor::<Asks>(system, "a");
        assert_eq!(asks.call(()).await.ok(), Some(8));
        assert!(system.store().head(asks.id()).await.expect("it is in memory").is_none());
    });
}

/// It leaves ten seconds after what it did last, and not before. What it has counted when it is there again.
async fn leaves_when_it_is_idle<A: Durable<Command = Do, Reply = u64, Error = NoError>>(
    system: &DurableSystem,
    id: &str,
) -> Option<u64> {
    let idler = actor::<A>(system, id);
    idler.call(Do::Count).await.expect("nothing is wrong with it");
    pass(system, 9 * SECOND).await;
    idler.call(Do::Count).await.expect("nothing is wrong with it");
    pass(system, 9 * SECOND).await;
    assert!(system.is_active(idler.id()));
    pass(system, SECOND + Duration::from_millis(2)).await;
    assert!(!system.is_active(idler.id()));
    idler.call(Do::Show).await.ok()
}

#[test]
fn an_actor_that_has_had_nothing_to_do_gives_its_memory_back() {
    run(async |system, _| {
        assert_eq!(leaves_when_it_is_idle::<FleetingIdler>(system, "fleeting").await, Some(0));
        assert_eq!(leaves_when_it_is_idle::<KeptIdler>(system, "kept").await, Some(2));
        let stays = actor::<Fleeting>(system, "stays");
        stays.call(Do::Count).await.expect("nothing keeps it");
        pass(system, 1_000 * SECOND).await;
        assert!(system.is_active(stays.id()), "unless its type says so");
    });
}

#[test]
fn an_actor_that_gets_letters_or_whose_messages_are_under_way_is_not_idle() {
    run(async |system, is_open| {
        let idler = actor::<KeptIdler>(system, "i");
        idler.call(Do::Count).await.expect("it is stored");
        pass(system, 9 * SECOND).await;
        idler.send(Do::Count).await.expect("it is stored");
        pass(system, 9 * SECOND).await;
        assert!(system.is_active(idler.id()));
        idler.call(Do::Effect).await.expect("it is stored");
        pass(system, 300 * SECOND).await;
        assert!(system.is_active(idler.id()), "what it has sent has not arrived");
        is_open.store(true, Ordering::Relaxed);
        pass(system, 60 * SECOND).await;
        assert!(!system.is_active(idler.id()));
        assert!(matches!(idler.call(Do::Show).await, Ok::<_, AskError<NoError>>(2)));
    });
}

/// Asks for a timer and to be passivated, and refuses what is odd.
struct Picky;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("it is odd")]
struct Odd;

impl Durable for Picky {
    const TYPE: &'static str = "picky";
    const DURABILITY: Durability = Durability::Volatile;
    type State = u64;
    type Command = u64;
    type Reply = u64;
    type Error = Odd;

    fn create(&self, _: &DurableId) -> u64 {
        0
    }
}

impl DurableActor for Picky {
    async fn handle(&self, number: u64, sum: &mut u64, turn: &mut Turn<'_, Self>) -> Result<u64, Odd> {
        *sum += number;
        if number > 100 {
            turn.timer(SECOND, &100).expect("it can be written");
            turn.passivate();
        }
        if number.is_multiple_of(2) { Ok(*sum) } else { Err(Odd) }
    }
}

#[test]
fn a_volatile_actor_that_refuses_asks_for_nothing_and_keeps_what_it_did() {
    let mut world = World::new();
    world.run_with(
        |builder| builder.register(Picky),
        async |system| {
            let picky = actor::<Picky>(system, "a");
            assert!(matches!(picky.call(101).await, Err(AskError::Refused(Odd))));
            pass(system, 2 * SECOND).await;
            assert_eq!(picky.call(0).await.ok(), Some(101));
            assert_eq!(picky.call(102).await.ok(), Some(203));
            pass(system, 2 * SECOND).await;
            assert_eq!(picky.call(0).await.ok(), Some(0), "it was passivated");
        },
    );
}

#[test]
fn the_first_turn_of_an_actor_that_is_kept_may_begin_a_timer() {
    run(async |system, _| {
        let clock = actor::<KeptIdler>(system, "clock");
        assert_eq!(clock.call(Do::Show).await.ok(), Some(0));
        pass(system, SECOND + Duration::from_millis(1)).await;
        assert_eq!(clock.call(Do::Show).await.ok(), Some(1));
    });
}

#[test]
fn a_timer_of_an_actor_that_has_ended_does_nothing() {
    run(async |system, _| {
        let idler = actor::<KeptIdler>(system, "i");
        for command in [Do::Effect, Do::CountLater, Do::End] {
            idler.call(command).await.expect("it is stored");
        }
        pass(system, 2 * SECOND).await;
        assert!(system.is_active(idler.id()), "its effect is not done");
        let head = system.store().head(idler.id()).await.expect("it is in memory").expect("it is there");
        assert_eq!((head.has_ended, head.crashes), (true, 0));
    });
}
