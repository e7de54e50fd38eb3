//! What an actor has sent that can never arrive: it is given up, and does not hold up what comes after it.

use std::error::Error;
use std::fmt;
use std::future::IntoFuture;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actor_core::{ActorError, ActorSystem, Capacity};
use actor_durable::limits::{LEASE_DEFAULT, REASON_BYTES_MAX, TURN_ROWS_MAX};
use actor_durable::store::{Claim, ClaimMode, OutboxPosition, Outgoing, Refusal, StoreError, Undelivered};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    AskError, Durable, DurableActor, DurableBuilder, DurableId, DurableRef, DurableSystem, EffectRefused,
    Epoch, NoError, NotApplied, Outlet, Sequence, Turn, WallTime,
};
use async_trait::async_trait;
use futures_util::future::{join, join_all};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::stage::{Command, World, account, pass};

/// Sends what it is asked to.
struct Clerk;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Errand {
    /// Money for accounts, to each so much.
    Pay(Vec<(String, i64)>),
    /// The same, and it has ended then.
    PayAndEnd(String, i64),
    /// To an actor that is not of the type that it is taken for.
    Mistake(String),
    Effect(String),
    /// So many messages.
    Flood(u32),
    Remind,
    /// Nothing, for a second.
    Rest,
    Count,
}

impl Durable for Clerk {
    const TYPE: &'static str = "clerk";
    type State = u32;
    type Command = Errand;
    type Reply = u32;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }
}

impl DurableActor for Clerk {
    async fn handle(&self, errand: Errand, n: &mut u32, turn: &mut Turn<'_, Self>) -> Result<u32, NoError> {
        *n += 1;
        match errand {
            Errand::Pay(all) => {
                for (to, money) in all {
                    turn.send::<crate::stage::Account>(&to, &Command::Add(money)).expect("a good id");
                }
            }
            Errand::PayAndEnd(to, money) => {
                turn.send::<crate::stage::Account>(&to, &Command::Add(money)).expect("a good id");
                turn.end();
            }
            Errand::Mistake(to) => turn.send::<Clerk>(&to, &Errand::Count).expect("a good id"),
            Errand::Effect(what) => turn.effect("bank", None, what).expect("a good name"),
            Errand::Flood(count) => {
                for _ in 0..count {
                    turn.send::<Clerk>("other", &Errand::Count).expect("a good id");
                }
            }
            Errand::Remind => {
                let due = turn.at().after(Duration::from_secs(60));
                turn.remind("r", due, &Errand::Count).expect("a good name");
                turn.end();
            }
            // sleep: the simulation's time
            Errand::Rest => ActorSystem::current().executor().sleep(Duration::from_secs(1)).await,
            Errand::Count => {}
        }
        Ok(*n)
    }
}

/// Does what it is told, unless it is told something that it never does, or panics.
#[derive(Clone, Default)]
struct Bank {
    done: Arc<Mutex<Vec<String>>>,
    takes_all: Arc<AtomicBool>,
    panics: Arc<AtomicU32>,
}

impl Bank {
    fn done(&self) -> Vec<String> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Outlet for Bank {
    async fn deliver(&self, _: &DurableId, message: &Outgoing) -> Result<(), ActorError> {
        let what = String::from_utf8_lossy(&message.body.bytes).into_owned();
        if what == "trap" && self.panics.fetch_add(1, Ordering::Relaxed) == 0 {
            panic!("so it was asked");
        }
        if what.starts_with("never") && !self.takes_all.load(Ordering::Relaxed) {
            return Err(EffectRefused::new(what).into());
        }
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        Ok(())
    }
}

fn clerk(system: &DurableSystem, id: &str) -> DurableRef<Clerk> {
    system.actor(id).expect("a good id")
}

fn knows(world: &World, bank: &Bank) -> impl FnOnce(DurableBuilder) -> DurableBuilder + use<> {
    let (account, bank) = (world.account.clone(), bank.clone());
    |builder| builder.register(Clerk).register(account).outlet("bank", bank)
}

async fn undelivered(system: &DurableSystem, id: &str) -> Vec<Undelivered> {
    system.store().undelivered(clerk(system, id).id(), None, 100).await.expect("it is there")
}

async fn reasons(system: &DurableSystem, id: &str) -> Vec<String> {
    undelivered(system, id).await.into_iter().map(|undelivered| undelivered.reason).collect()
}

/// Lets all that can happen at once happen.
async fn settle(system: &DurableSystem) {
    pass(system, Duration::from_millis(1)).await;
}

async fn do_errand(system: &DurableSystem, errand: Errand) {
    clerk(system, "c").call(errand).await.expect("it is stored");
    settle(system).await;
}

async fn end(system: &DurableSystem, id: &str) {
    account(system, id).call(Command::End).await.expect("it is stored");
    settle(system).await;
}

/// Deletes an actor that is in nobody's possession.
async fn delete(system: &DurableSystem, id: &str) {
    let target = account(system, id).target().clone();
    let (owner, epoch_min, mode) = (system.owner(), Epoch::ZERO, ClaimMode::IfFree);
    let head = system.store().acquire(Claim { target, owner, epoch_min, mode }).await.expect("it is free");
    system.store().delete(&head.target.id, head.epoch).await.expect("it is ours");
}

#[test]
fn what_goes_to_an_actor_that_has_ended_is_given_up_and_the_rest_arrives() {
    let mut world = World::new();
    let knows = knows(&world, &Bank::default());
    world.run_with(knows, async |system| {
        end(system, "gone").await;
        let all = [("gone", 1), ("there", 2), ("gone", 3)].map(|(to, money)| (to.to_owned(), money));
        do_errand(system, Errand::Pay(all.to_vec())).await;
        assert_eq!(reasons(system, "c").await, ["the actor has ended for good"; 2]);
        assert_eq!(account(system, "there").call(Command::Get).await.ok(), Some(2));
        // Nothing is left that is tried again.
        system.passivate(clerk(system, "c").id()).await;
        assert_eq!(system.store().waiting(None, 10).await.expect("it is in memory"), []);
    });
}

#[test]
fn what_goes_to_an_actor_of_another_type_is_given_up() {
    let mut world = World::new();
    let knows = knows(&world, &Bank::default());
    world.run_with(knows, async |system| {
        account(system, "a").call(Command::Add(1)).await.expect("it is stored");
        do_errand(system, Errand::Mistake("a".into())).await;
        assert_eq!(reasons(system, "c").await, ["the actor is of type account, not clerk"]);
    });
}

#[test]
fn what_was_given_up_can_be_delivered_after_all_and_discarded() {
    let mut world = World::new();
    let knows = knows(&world, &Bank::default());
    world.run_with(knows, async |system| {
        end(system, "gone").await;
        do_errand(system, Errand::Pay(vec![("gone".into(), 1), ("gone".into(), 2)])).await;
        let sent = undelivered(system, "c").await;
        let [one, other] = &sent[..] else { panic!("{sent:?}") };
        let again = system.redeliver(clerk(system, "c").id(), one.outgoing.position).await;
        assert!(
            matches!(&again, Err(NotApplied::Store(StoreError::NotApplied(Refusal::Ended)))),
            "it has ended still: {again:?}"
        );
        // Somebody has the id begin anew.
        delete(system, "gone").await;
        let again = async |sent: &Undelivered| {
            system.redeliver(clerk(system, "c").id(), sent.outgoing.position).await.expect("a store")
        };
        assert!(again(one).await);
        assert!(!again(one).await, "it is there no more");
        settle(system).await;
        assert_eq!(account(system, "gone").call(Command::Get).await.ok(), Some(1));
        let discarded = system.store().discard(clerk(system, "c").id(), other.outgoing.position).await;
        assert!(discarded.expect("it is in memory"));
        assert_eq!(undelivered(system, "c").await, []);
    });
}

#[test]
fn an_effect_that_is_refused_for_good_is_given_up_and_the_next_is_done() {
    let mut world = World::new();
    let bank = Bank::default();
    let knows = knows(&world, &bank);
    world.run_with(knows, async |system| {
        let never = format!("never{}", "ä".repeat(REASON_BYTES_MAX));
        for what in ["one", &never, "two"] {
            do_errand(system, Errand::Effect(what.into())).await;
        }
        assert_eq!(bank.done(), ["one", "two"]);
        let [sent] = &undelivered(system, "c").await[..] else { panic!("there is one") };
        assert_eq!(sent.outgoing.body.bytes, never);
        assert_eq!(sent.reason, never[..REASON_BYTES_MAX - 1], "it is cut between two characters");
        let (actor, position) = (clerk(system, "c").id().clone(), sent.outgoing.position);
        let refused = system.redeliver(&actor, position).await;
        assert!(matches!(refused, Err(NotApplied::NotDelivered(_))), "{refused:?}");
        bank.takes_all.store(true, Ordering::Relaxed);
        let before = OutboxPosition { sequence: Sequence(position.sequence.0 - 1), ..position };
        assert!(!system.redeliver(&actor, before).await.expect("nothing was given up there"));
        assert_eq!(bank.done(), ["one", "two"]);
        assert!(system.redeliver(&actor, position).await.expect("it is done"));
        assert_eq!(bank.done(), ["one", "two", &never]);
        assert_eq!(undelivered(system, "c").await, []);
    });
}

#[test]
fn an_outlet_that_panics_is_tried_again_and_its_actor_goes_on() {
    let mut world = World::new();
    let bank = Bank::default();
    let knows = knows(&world, &bank);
    world.run_with(knows, async |system| {
        do_errand(system, Errand::Effect("trap".into())).await;
        assert!(system.is_active(clerk(system, "c").id()));
        pass(system, Duration::from_secs(1)).await;
        assert_eq!(bank.done(), ["trap"]);
        let head = system.store().head(clerk(system, "c").id()).await.expect("it is in memory");
        assert_eq!(head.map(|head| head.epoch), Some(Epoch(1)), "it is the same activation");
    });
}

/// An error that has no text.
#[derive(Debug)]
struct Mute;

impl fmt::Display for Mute {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("it has no text")
    }
}

impl Error for Mute {}

/// Fails so, once.
#[derive(Clone, Default)]
struct Silent(Arc<AtomicU32>);

#[async_trait]
impl Outlet for Silent {
    async fn deliver(&self, _: &DurableId, _: &Outgoing) -> Result<(), ActorError> {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 { Err(Mute.into()) } else { Ok(()) }
    }
}

#[test]
fn an_outlet_whose_error_panics_is_tried_again_and_its_actor_goes_on() {
    let mut world = World::new();
    let silent = Silent::default();
    let outlet = silent.clone();
    world.run_with(
        |builder| builder.register(Clerk).outlet("bank", outlet),
        async |system| {
            do_errand(system, Errand::Effect("one".into())).await;
            assert!(system.is_active(clerk(system, "c").id()));
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(silent.0.load(Ordering::Relaxed), 2);
            let head = system.store().head(clerk(system, "c").id()).await.expect("it is in memory");
            assert_eq!(head.map(|head| head.epoch), Some(Epoch(1)), "it is the same activation");
        },
    );
}

/// Lets nothing through before it is told.
struct Gate(Arc<Notify>);

#[async_trait]
impl Outlet for Gate {
    async fn deliver(&self, _: &DurableId, _: &Outgoing) -> Result<(), ActorError> {
        self.0.notified().await;
        Ok(())
    }
}

#[test]
fn what_has_arrived_is_marked_though_there_was_no_room_to_tell_of_it() {
    let mut world = World::new();
    let gate = Arc::new(Notify::new());
    let small = Capacity::try_from(2).expect("it is not zero");
    let process = world.simulation.builder().mailbox(small).build();
    let store = world.store.clone();
    let builder = DurableSystem::builder(&process, store.clone());
    let builder = builder.register(Clerk).outlet("bank", Gate(gate.clone()));
    world.simulation.block_on(async {
        let system = builder.start().await.expect("the store gives a lease");
        do_errand(&system, Errand::Effect("one".into())).await;
        let c = clerk(&system, "c");
        // One is in hand, and there is room for two.
        let all = [Errand::Rest, Errand::Count, Errand::Count].map(|errand| c.call(errand).into_future());
        let open = async {
            settle(&system).await;
            gate.notify_one();
        };
        let (said, ()) = join(join_all(all), open).await;
        let said: Vec<Option<u32>> = said.into_iter().map(Result::ok).collect();
        assert_eq!(said, [Some(2), Some(3), Some(4)]);
        system.passivate(c.id()).await;
        let (target, owner) = (c.target().clone(), system.owner());
        let claim = Claim { target, owner, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree };
        let head = store.acquire(claim).await.expect("it is free");
        assert_eq!(store.load(c.id(), head.epoch).await.expect("it is ours").outbox, []);
        system.abandon().await;
    });
}

#[test]
fn what_an_actor_has_sent_leaves_though_it_has_ended() {
    let mut world = World::new();
    let bank = Bank::default();
    let with = knows(&world, &bank);
    world.run_with(with, async |system| {
        do_errand(system, Errand::PayAndEnd("a".into(), 5)).await;
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(5));
        assert!(!system.is_active(clerk(system, "c").id()), "it has nothing left to do");
    });
}

#[test]
fn what_an_actor_has_sent_leaves_though_it_and_then_its_process_have_ended() {
    let mut world = World::new();
    let builder = knows(&world, &Bank::default());
    // Its message does not leave at once.
    let refused = Fault { operation: Operation::Transfer, visit: 1, mode: FaultMode::Refuse };
    let store = FaultStore::new(world.store.clone(), [refused]);
    let builder = builder(DurableSystem::builder(&world.simulation.system(), Arc::new(store)));
    world.simulation.block_on(async {
        let system = builder.start().await.expect("the store gives a lease");
        clerk(&system, "c").call(Errand::PayAndEnd("a".into(), 5)).await.expect("it is stored");
        // Before anything else happens.
        system.abandon().await;
        pass(&system, LEASE_DEFAULT).await;
    });
    let knows = knows(&world, &Bank::default());
    world.run_with(knows, async |system| {
        // Nobody asks: it is found.
        pass(system, Duration::from_secs(20)).await;
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(5));
        assert!(!system.is_active(clerk(system, "c").id()));
        let refused = clerk(system, "c").call(Errand::Count).await;
        let Err(AskError::NotApplied(NotApplied::Store(error))) = refused else { panic!("{refused:?}") };
        assert_eq!(error.to_string(), "not applied: the actor has ended for good");
    });
}

#[test]
fn nothing_is_run_behind_the_turn_that_ends_an_actor() {
    let mut world = World::new();
    let knows = knows(&world, &Bank::default());
    world.run_with(knows, async |system| {
        let c = clerk(system, "c");
        c.call(Errand::Count).await.expect("it is stored");
        // They gather while it ends.
        let calls = [Errand::Count, Errand::PayAndEnd("a".into(), 5), Errand::Count, Errand::Count];
        let calls = calls.map(|errand| c.call(errand).into_future());
        let said = join_all(calls).await;
        let said: Vec<Option<u32>> = said.into_iter().map(Result::ok).collect();
        assert_eq!(said, [Some(2), Some(3), None, None]);
        settle(system).await;
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(5));
        let head = system.store().head(c.id()).await.expect("it is in memory").expect("it is there");
        assert_eq!(
            (head.sequence.0, head.has_ended),
            (5, true),
            "its first turn, two more, the last one, and its end"
        );
    });
}

#[test]
fn a_reminder_of_an_actor_that_has_ended_is_no_more() {
    let mut world = World::new();
    let knows = knows(&world, &Bank::default());
    world.run_with(knows, async |system| {
        do_errand(system, Errand::Remind).await;
        let due = system.store().due(WallTime::MAX, None, 10).await.expect("it is in memory");
        assert_eq!((due.reminders.len(), due.next), (0, None));
    });
}

#[test]
fn a_turn_that_sends_too_much_is_an_error_by_name_and_nothing_of_it_is_stored() {
    let mut world = World::new();
    let knows = knows(&world, &Bank::default());
    world.run_with(knows, async |system| {
        let c = clerk(system, "c");
        let count = u32::try_from(TURN_ROWS_MAX).expect("it is small") + 1;
        let refused = c.call(Errand::Flood(count)).await;
        let Err(AskError::NotApplied(NotApplied::Store(StoreError::NotApplied(refusal)))) = refused else {
            panic!("{refused:?}");
        };
        let what = "a commit's messages that leave";
        assert_eq!(refusal, Refusal::TooLarge { what, size: TURN_ROWS_MAX + 1, max: TURN_ROWS_MAX });
        // Its state is as before, and what it may send is sent.
        assert_eq!(c.call(Errand::Flood(count - 1)).await.ok(), Some(1));
        settle(system).await;
        let head = system.store().head(clerk(system, "other").id()).await.expect("it is in memory");
        assert!(head.is_some());
    });
}
