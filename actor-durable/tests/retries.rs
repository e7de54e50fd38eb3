//! Whoever asks again with an id is told what is so, whatever became of the actor since.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use actor_core::ActorError;
use actor_durable::store::{Cause, Outgoing};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    AskError, Doubt, Durable, DurableActor, DurableBuilder, DurableId, DurableRef, NoError, NotApplied,
    Outlet, Sequence, Turn,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::stage::{Account, Command, Forgetful, World, account, pass};

#[test]
fn an_actor_that_has_ended_answers_again_what_it_has_answered() {
    let mut world = World::new();
    world.run(async |system| {
        let a = account(system, "a");
        let (paid, ended) = (a.new_message_id(), a.new_message_id());
        assert_eq!(a.call(Command::Add(7)).id(paid).await.ok(), Some(7));
        assert_eq!(a.call(Command::End).id(ended).await.ok(), Some(7));
        for _ in 0..2 {
            pass(system, Duration::from_secs(1)).await;
            assert!(!system.is_active(a.id()), "it is in nobody's memory for that");
            assert_eq!(a.call(Command::Add(7)).id(paid).await.ok(), Some(7));
            assert_eq!(a.call(Command::End).id(ended).await.ok(), Some(7));
            let new = a.call(Command::Add(1)).await;
            let Err(AskError::NotApplied(NotApplied::Store(why))) = new else { panic!("{new:?}") };
            assert_eq!(why.to_string(), "not applied: the actor has ended for good");
        }
    });
    assert_eq!(world.account.recoveries.load(Ordering::Relaxed), 1, "nothing is made ready for that");
}

/// Does something outside, and ends.
struct Farewell;

impl Durable for Farewell {
    const TYPE: &'static str = "farewell";
    type State = ();
    type Command = ();
    type Reply = ();
    type Error = NoError;

    fn create(&self, _: &DurableId) {}
}

impl DurableActor for Farewell {
    async fn handle(&self, (): (), (): &mut (), turn: &mut Turn<'_, Self>) -> Result<(), NoError> {
        turn.effect("friends", None, "farewell").expect("a good name");
        turn.end();
        Ok(())
    }
}

/// Counts what is said to them, from when they are there.
#[derive(Clone, Default)]
struct Friends {
    are_there: Arc<AtomicBool>,
    heard: Arc<AtomicU32>,
}

#[async_trait]
impl Outlet for Friends {
    async fn deliver(&self, _: &DurableId, _: &Outgoing) -> Result<(), ActorError> {
        if !self.are_there.load(Ordering::Relaxed) {
            return Err("nobody is there".into());
        }
        self.heard.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn what_an_actor_that_has_ended_has_left_is_done_though_the_store_is_away_meanwhile() {
    let (mut world, friends) = (World::new(), Friends::default());
    let register = |builder: DurableBuilder| builder.register(Farewell).outlet("friends", friends.clone());
    let store = world.store.clone();
    world.crash_with(store, register, async |system| {
        let farewell = system.actor::<Farewell>("f").expect("a good id");
        farewell.call(()).await.expect("it is stored");
    });
    friends.are_there.store(true, Ordering::Relaxed);
    let refuse = Fault { operation: Operation::MarkDelivered, visit: 1, mode: FaultMode::Refuse };
    let store = FaultStore::new(world.store.clone(), [refuse]);
    world.crash_with(Arc::new(store.clone()), register, async |system| {
        pass(system, Duration::from_secs(60)).await;
        let visits = store.visits();
        assert_eq!((visits[&Operation::MarkDelivered], store.faults_left()), (2, Vec::new()));
        assert_eq!(friends.heard.load(Ordering::Relaxed), 2, "it was not marked the first time");
        let farewell = system.actor::<Farewell>("f").expect("a good id");
        assert!(!system.is_active(farewell.id()), "nothing of it is left to do");
    });
}

#[test]
fn an_actor_that_has_ended_is_in_memory_until_what_it_has_sent_has_arrived() {
    let mut world = World::new();
    let refuse = |visit| Fault { operation: Operation::Transfer, visit, mode: FaultMode::Refuse };
    let store = FaultStore::new(world.store.clone(), (1..=9).map(refuse));
    let register = |builder: DurableBuilder| builder.register(Account::default());
    world.crash_with(Arc::new(store), register, async |system| {
        let a = account(system, "a");
        a.call(Command::Add(9)).await.expect("it is stored");
        a.call(Command::Pay("b".to_owned(), 4)).await.expect("it is stored");
        a.call(Command::End).await.expect("it is stored");
        pass(system, Duration::from_millis(10)).await;
    });
    world.run(async |system| {
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(account(system, "b").call(Command::Get).await.ok(), Some(4));
        assert!(!system.is_active(account(system, "a").id()), "nothing of it is left to do");
    });
}

/// All that were accepted behind the end are told, each by itself.
#[test]
fn whoever_asks_again_while_an_actor_ends_is_answered() {
    let mut world = World::new();
    world.run(async |system| {
        let a = account(system, "a");
        let paid = a.new_message_id();
        assert_eq!(a.call(Command::Add(7)).id(paid).await.ok(), Some(7));
        let end = a.call(Command::End).into_future();
        let again = (0..20).map(|_| a.call(Command::Add(7)).id(paid).into_future());
        let (end, again) = futures_util::future::join(end, futures_util::future::join_all(again)).await;
        assert_eq!(end.ok(), Some(7));
        for answer in again {
            assert_eq!(answer.ok(), Some(7));
        }
    });
}

#[test]
fn what_is_sent_again_and_was_forgotten_is_unknown() {
    let mut world = World::new();
    world.run_with(
        |builder| builder.register(Forgetful::<2>),
        async |system| {
            let a = system.actor::<Forgetful<2>>("a").expect("a good id");
            let id = a.new_message_id();
            a.send_with(id, Default::default(), &5).await.expect("it is stored");
            for _ in 0..5 {
                pass(system, Duration::from_secs(1)).await;
                a.call(1).await.expect("it is stored");
            }
            let again = a.send_with(id, Default::default(), &5).await;
            let Err(AskError::Unknown { id: unknown, why: Doubt::Forgotten(_) }) = again else {
                panic!("{again:?}")
            };
            assert_eq!(unknown, id);
            assert_eq!(a.call(0).await.ok(), Some(10), "it was applied once");
        },
    );
}

/// Ticks for as long as it is in memory.
struct Clock;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Wind {
    Up,
    Tick,
}

impl Durable for Clock {
    const TYPE: &'static str = "clock";
    const REMEMBERED: usize = 2;
    type State = u32;
    type Command = Wind;
    type Reply = u32;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }
}

impl DurableActor for Clock {
    async fn handle(&self, wind: Wind, ticks: &mut u32, turn: &mut Turn<'_, Self>) -> Result<u32, NoError> {
        if let Wind::Tick = wind {
            *ticks += 1;
        }
        turn.timer(Duration::from_secs(1), &Wind::Tick).expect("it has a form");
        Ok(*ticks)
    }
}

#[test]
fn what_timers_do_takes_no_place_among_the_messages_that_are_remembered() {
    let mut world = World::new();
    world.run_with(
        |builder| builder.register(Clock),
        async |system| {
            let clock = system.actor::<Clock>("c").expect("a good id");
            let id = clock.new_message_id();
            assert_eq!(clock.call(Wind::Up).id(id).await.ok(), Some(0));
            pass(system, Duration::from_millis(10_500)).await;
            assert_eq!(clock.call(Wind::Up).id(id).await.ok(), Some(0), "it is remembered, and not run");
            assert_eq!(clock.call(Wind::Up).await.ok(), Some(10));
            let entries = system.store().entries(clock.id(), Sequence(2), 10).await.expect("it is there");
            let causes: Vec<Cause> = entries.iter().map(|entry| entry.cause).collect();
            assert_eq!(causes[..], [Cause::Own; 10]);
        },
    );
}

/// Never gives up.
struct Patient;

impl Durable for Patient {
    const TYPE: &'static str = "patient";
    const ATTEMPTS_MAX: u32 = u32::MAX;
    type State = ();
    type Command = ();
    type Reply = ();
    type Error = NoError;

    fn create(&self, _: &DurableId) {}
}

impl DurableActor for Patient {
    async fn handle(&self, (): (), (): &mut (), _: &mut Turn<'_, Self>) -> Result<(), NoError> {
        panic!("so it always does")
    }
}

#[test]
fn a_letter_may_be_tried_for_ever() {
    World::new().run_with(
        |builder| builder.register(Patient),
        async |system| {
            let a: DurableRef<Patient> = system.actor("a").expect("a good id");
            a.send(()).await.expect("there is room");
            pass(system, Duration::from_secs(600)).await;
            let head = system.store().head(a.id()).await.expect("it reads").expect("it is there");
            assert_eq!((head.epoch.0, head.waiting), (1, 1), "the one activation tries it again and again");
        },
    );
}
