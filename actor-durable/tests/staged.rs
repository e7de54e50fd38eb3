//! Turns that are staged together: what one of them does, or a store that is away for a moment, takes no other with it.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use actor_core::{ActorError, ActorSystem};
use actor_durable::limits::{COMMIT_RETRIED_MAX, REMINDERS_MAX};
use actor_durable::store::{Headers, Refusal, StoreError};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    AskError, Durability, Durable, DurableActor, DurableId, DurableRef, DurableSystem, MemoryStore, NoError,
    NotApplied, Turn, WallTime,
};
use futures_util::future::{join_all, join4};
use serde::{Deserialize, Serialize};

use crate::stage::{World, pass};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Step {
    Add(i64),
    /// Sets so many reminders, which are due then.
    Remind(usize, WallTime),
    /// Sets one of its own name each time, which is due at once.
    RemindNow,
    /// Records so many children.
    Bear(u32),
    Panic,
    Get,
    /// What a reminder says.
    Nothing,
}

/// Adds up, and remembers two messages. It counts how often ten were added.
#[derive(Clone, Default)]
struct Jar<const MODE: u8>(Arc<AtomicU32>);

const THROUGH: u8 = 0;
const BACK: u8 = 1;
const LAZY: u8 = 2;

const INTERVAL: Duration = Duration::from_millis(100);

impl<const MODE: u8> Durable for Jar<MODE> {
    const TYPE: &'static str = "jar";
    const DURABILITY: Durability = match MODE {
        THROUGH => Durability::WriteThrough,
        BACK => Durability::WriteBack(INTERVAL),
        _ => Durability::Lazy,
    };
    const REMEMBERED: usize = 2;
    type State = i64;
    type Command = Step;
    type Reply = i64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> i64 {
        0
    }

    fn is_query(step: &Step) -> bool {
        matches!(step, Step::Get)
    }
}

impl<const MODE: u8> DurableActor for Jar<MODE> {
    async fn handle(&self, step: Step, n: &mut i64, turn: &mut Turn<'_, Self>) -> Result<i64, NoError> {
        match step {
            Step::Add(by) => {
                if by == 10 {
                    self.0.fetch_add(1, Ordering::Relaxed);
                }
                *n += by;
            }
            Step::Remind(count, due) => {
                for name in 0..count {
                    turn.remind(&name.to_string(), due, &Step::Nothing).expect("a good name");
                }
            }
            Step::RemindNow => {
                *n += 1;
                turn.remind(&format!("now {n}"), turn.at(), &Step::Nothing).expect("a good name");
            }
            Step::Bear(count) => {
                for child in 0..count {
                    let name = format!("{n} {child}");
                    turn.add_child::<Jar<MODE>>(&name, "child", "").expect("a good name");
                }
            }
            Step::Panic => panic!("so it was asked"),
            Step::Get | Step::Nothing => {}
        }
        Ok(*n)
    }
}

fn jar<const MODE: u8>(system: &DurableSystem) -> DurableRef<Jar<MODE>> {
    system.actor("a").expect("a good id")
}

/// Runs it in each mode but the volatile one.
macro_rules! in_each_mode {
    ($test:ident) => {{
        $test::<THROUGH>();
        $test::<BACK>();
        $test::<LAZY>();
    }};
}

/// A message that lies in the inbox was handled as a caller's, and is forgotten before its letter's turn comes.
async fn come_by_both_ways<const MODE: u8>(system: &DurableSystem) -> DurableRef<Jar<MODE>> {
    let jar = jar::<MODE>(system);
    jar.call(Step::Add(1)).await.expect("it is answered");
    jar.send(Step::Panic).await.expect("it is stored");
    pass(system, Duration::from_millis(10)).await;
    let id = jar.new_message_id();
    // It waits behind the one that is tried again and again.
    jar.send_with(id, Headers::new(), &Step::Add(10)).await.expect("it is stored");
    assert_eq!(jar.call(Step::Add(10)).id(id).await.ok(), Some(11));
    for n in 1..=3 {
        assert_eq!(jar.call(Step::Add(100)).await.ok(), Some(11 + n * 100));
    }
    pass(system, Duration::from_secs(3)).await;
    jar
}

fn what_came_by_both_ways_is_handled_once<const MODE: u8>() {
    let (mut world, jars) = (World::new(), Jar::<MODE>::default());
    let tens = jars.0.clone();
    world.run_with(
        |builder| builder.register(jars),
        async |system| {
            let jar = come_by_both_ways::<MODE>(system).await;
            for n in 1..=5 {
                assert_eq!(jar.call(Step::Add(1_000)).await.ok(), Some(311 + n * 1_000));
            }
            let head = system.store().head(jar.id()).await.expect("memory").expect("it is there");
            assert_eq!((tens.load(Ordering::Relaxed), head.epoch.0), (1, 1), "in one activation");
            system.passivate(jar.id()).await;
            pass(system, Duration::from_secs(5)).await;
            assert_eq!(jar.call(Step::Get).await.ok(), Some(5_311));
            let head = system.store().head(jar.id()).await.expect("memory").expect("it is there");
            assert_eq!(head.waiting, 0);
        },
    );
}

#[test]
fn what_came_by_both_ways_and_was_forgotten_meanwhile_is_handled_once() {
    in_each_mode!(what_came_by_both_ways_is_handled_once);
}

fn is_too_many(answer: &Result<i64, AskError<NoError>>, kind: &str) -> bool {
    let Err(AskError::NotApplied(NotApplied::Store(StoreError::NotApplied(refusal)))) = answer else {
        return false;
    };
    matches!(refusal, Refusal::TooMany { what, .. } if *what == kind)
}

fn a_turn_of_too_many_is_refused_alone<const MODE: u8>() {
    let mut world = World::new();
    world.run_with(
        |builder| builder.register(Jar::<MODE>::default()),
        async |system| {
            let jar = jar::<MODE>(system);
            jar.call(Step::Get).await.expect("it looks");
            for (greedy, kind) in
                [(Step::Remind(1_001, WallTime::MAX), "reminders"), (Step::Bear(10_000), "children")]
            {
                let before = jar.call(Step::Get).await.expect("it looks");
                if kind == "children" {
                    // There is room for all but one.
                    jar.call(Step::Bear(1)).await.expect("there is room");
                }
                let call = |step| jar.call(step).into_future();
                let (one, greedy, two, three) =
                    join4(call(Step::Add(1)), call(greedy), call(Step::Add(1)), call(Step::Add(1))).await;
                assert!(is_too_many(&greedy, kind), "{greedy:?}");
                let said = [one, two, three].map(|answer| answer.map_err(|error| error.to_string()));
                assert_eq!(said, [1, 2, 3].map(|n| Ok(before + n)));
            }
            system.passivate(jar.id()).await;
            pass(system, Duration::from_secs(5)).await;
            assert_eq!(jar.call(Step::Get).await.ok(), Some(6));
        },
    );
}

#[test]
fn a_turn_that_asks_for_too_many_reminders_or_children_is_refused_and_no_other_one() {
    in_each_mode!(a_turn_of_too_many_is_refused_alone);
}

fn as_many_as_there_may_be_are_set_again<const MODE: u8>() {
    let mut world = World::new();
    world.run_with(
        |builder| builder.register(Jar::<MODE>::default()),
        async |system| {
            let jar = jar::<MODE>(system);
            let most = REMINDERS_MAX;
            for _ in 0..3 {
                jar.call(Step::Remind(most, WallTime::MAX)).await.expect("they are the same");
                assert!(is_too_many(&jar.call(Step::RemindNow).await, "reminders"));
                system.passivate(jar.id()).await;
            }
            assert_eq!(jar.call(Step::Get).await.ok(), Some(0));
        },
    );
}

#[test]
fn reminders_that_are_there_are_set_again_though_there_are_as_many_as_may_be() {
    in_each_mode!(as_many_as_there_may_be_are_set_again);
}

fn reminders_that_have_come_count_no_more<const MODE: u8>() {
    let mut world = World::new();
    world.run_with(
        |builder| builder.register(Jar::<MODE>::default()),
        async |system| {
            let jar = jar::<MODE>(system);
            let most = REMINDERS_MAX;
            jar.call(Step::Remind(most - 5, WallTime::MAX)).await.expect("there is room");
            for n in 1..=20 {
                assert_eq!(jar.call(Step::RemindNow).await.ok(), Some(n), "the ones before have come");
                pass(system, Duration::from_secs(1)).await;
            }
        },
    );
}

#[test]
fn reminders_that_have_come_take_no_room() {
    reminders_that_have_come_count_no_more::<THROUGH>();
    reminders_that_have_come_count_no_more::<BACK>();
}

/// From its next commit on the store is away for so many of them. What is there after a passivation.
fn outage<const MODE: u8>(mode: FaultMode, commits: u64) -> Option<i64> {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), []);
    world.crash_with(
        Arc::new(store.clone()),
        |builder| builder.register(Jar::<MODE>::default()),
        async |system| {
            let jar = jar::<MODE>(system);
            jar.call(Step::Get).await.expect("it looks");
            let first = store.visits().get(&Operation::CommitTurn).copied().unwrap_or(0) + 1;
            for visit in first..first + commits {
                store.add(Fault { operation: Operation::CommitTurn, visit, mode });
            }
            for n in 1..=5 {
                assert_eq!(jar.call(Step::Add(1)).await.ok(), Some(n), "it is answered at once");
            }
            system.passivate(jar.id()).await;
            pass(system, 2 * COMMIT_RETRIED_MAX).await;
            jar.call(Step::Get).await.ok()
        },
    )
}

#[test]
fn what_was_answered_before_it_is_stored_is_not_lost_by_a_store_that_is_away_for_a_moment() {
    assert_eq!(outage::<BACK>(FaultMode::Refuse, 5), Some(5));
    assert_eq!(outage::<LAZY>(FaultMode::Refuse, 5), Some(5));
}

#[test]
fn what_was_answered_before_it_is_stored_is_not_lost_by_an_activation_that_ends_meanwhile() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), []);
    world.crash_with(
        Arc::new(store.clone()),
        |builder| builder.register(Jar::<LAZY>::default()),
        async |system| {
            let jar = jar::<LAZY>(system);
            for n in 1..=5 {
                assert_eq!(jar.call(Step::Add(1)).await.ok(), Some(n), "it is answered at once");
            }
            let visit = store.visits()[&Operation::Inbox] + 1;
            store.add(Fault { operation: Operation::Inbox, visit, mode: FaultMode::Refuse });
            // It cannot be read.
            jar.send(Step::Add(1)).await.expect("it is stored");
            pass(system, Duration::from_secs(5)).await;
            let head = system.store().head(jar.id()).await.expect("memory").expect("it is there");
            assert_eq!((jar.call(Step::Get).await.ok(), head.epoch.0), (Some(6), 2));
        },
    );
}

#[test]
fn what_was_answered_before_it_is_stored_is_lost_if_the_store_is_away_for_too_long() {
    assert_eq!(outage::<LAZY>(FaultMode::Refuse, 10_000), Some(0));
    // Nobody knows whether it was stored, so it is not stored again.
    assert_eq!(outage::<LAZY>(FaultMode::LoseAnswer, 1), Some(5));
}

#[test]
fn a_turn_that_is_answered_once_it_is_stored_is_refused_at_once_by_a_store_that_is_away() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), []);
    world.crash_with(
        Arc::new(store.clone()),
        |builder| builder.register(Jar::<THROUGH>::default()),
        async |system| {
            let jar = jar::<THROUGH>(system);
            jar.call(Step::Add(1)).await.expect("it is stored");
            let visit = store.visits()[&Operation::CommitTurn] + 1;
            store.add(Fault { operation: Operation::CommitTurn, visit, mode: FaultMode::Refuse });
            let refused = jar.call(Step::Add(1)).await;
            assert!(matches!(refused, Err(AskError::NotApplied(NotApplied::Store(_)))), "{refused:?}");
        },
    );
}

/// Each takes this long, and waits for nothing.
const STEP: Duration = Duration::from_millis(25);

struct Busy;

impl Durable for Busy {
    const TYPE: &'static str = "busy";
    const DURABILITY: Durability = Durability::WriteBack(Duration::from_millis(50));
    type State = u32;
    type Command = ();
    type Reply = ();
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }
}

impl DurableActor for Busy {
    async fn handle(&self, (): (), turns: &mut u32, _: &mut Turn<'_, Self>) -> Result<(), NoError> {
        // sleep: virtual time passes only while something waits
        std::thread::sleep(STEP);
        *turns += 1;
        Ok(())
    }
}

/// How often the store is asked to keep something, while so many commands come at once.
async fn commits(count: usize, are_letters: bool) -> u64 {
    let store = FaultStore::new(Arc::new(MemoryStore::new()), []);
    let builder = DurableSystem::builder(&ActorSystem::new(), Arc::new(store.clone())).register(Busy);
    let system = builder.start().await.expect("the store gives a lease");
    let busy = system.actor::<Busy>("a").expect("a good id");
    if are_letters {
        for _ in 0..count {
            busy.send(()).await.expect("it is stored");
        }
    } else {
        let calls = join_all((0..count).map(|_| busy.call(()).into_future())).await;
        assert!(calls.iter().all(Result::is_ok), "{calls:?}");
    }
    // It comes behind them.
    busy.call(()).await.expect("it is answered");
    system.shutdown(600 * INTERVAL).await.expect("the store takes the lease back");
    store.visits()[&Operation::CommitTurn]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_is_busy_is_stored_in_its_interval() {
    for are_letters in [false, true] {
        let commits = commits(20, are_letters).await;
        // One for the first turn; the others for at most four at a time.
        assert!(commits > 5, "{commits}, of letters: {are_letters}");
    }
}

/// Its hooks panic while it is so.
#[derive(Clone, Default)]
struct Brittle(Arc<AtomicBool>);

const PANIC: u32 = 13;

impl Durable for Brittle {
    const TYPE: &'static str = "brittle";
    const DURABILITY: Durability = Durability::Lazy;
    const JOURNAL_KEPT: u64 = 2;
    type State = u32;
    type Command = u32;
    type Reply = u32;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }

    fn is_query(by: &u32) -> bool {
        *by == 0
    }

    async fn on_recover(&self, _: &DurableId, _: &mut u32) -> Result<(), ActorError> {
        assert!(!self.0.load(Ordering::Relaxed), "it cannot be recovered");
        Ok(())
    }

    fn on_checkpoint(&self, _: &DurableId, _: &u32) {
        assert!(!self.0.load(Ordering::Relaxed), "there is no checkpoint");
    }
}

impl DurableActor for Brittle {
    async fn handle(&self, by: u32, n: &mut u32, _: &mut Turn<'_, Self>) -> Result<u32, NoError> {
        assert_ne!(by, PANIC, "so it was asked");
        *n += by;
        Ok(*n)
    }
}

#[test]
fn what_was_answered_before_it_is_stored_is_not_lost_by_a_hook_that_panics() {
    for last in [1, PANIC] {
        let (mut world, brittle) = (World::new(), Brittle::default());
        let Brittle(is_brittle) = brittle.clone();
        let store = world.store.clone();
        world.crash_with(
            store,
            |builder| builder.register(brittle),
            async |system| {
                let actor = system.actor::<Brittle>("a").expect("a good id");
                for n in 1..=5 {
                    assert_eq!(actor.call(1).await.ok(), Some(n), "it is answered at once");
                }
                is_brittle.store(true, Ordering::Relaxed);
                let mut answered = 5;
                while let Ok(n) = actor.call(last).await {
                    answered = n;
                }
                is_brittle.store(false, Ordering::Relaxed);
                pass(system, Duration::from_secs(5)).await;
                assert_eq!(actor.call(0).await.ok(), Some(answered), "{last}");
            },
        );
    }
}
