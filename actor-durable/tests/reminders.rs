//! Reminders of one actor beside each other's, and beside those of others.

use std::sync::Arc;
use std::time::Duration;

use actor_core::ActorError;
use actor_durable::limits::{INBOX_MESSAGES_MAX, LOOK_INTERVAL_DEFAULT, REMINDERS_MAX};
use actor_durable::store::{
    Body, CatchUp, Claim, ClaimMode, Headers, Message, Reminder, ReminderChange, TurnCommit,
};
use actor_durable::store::{Cause, Entry};
use actor_durable::testing::{FaultStore, Operation};
use actor_durable::{
    Durable, DurableActor, DurableId, DurableRef, DurableSystem, MessageId, Name, NoError, OwnerId, Turn,
    WallTime,
};
use serde::{Deserialize, Serialize};

use crate::stage::{Account, Command, World, account, pass};

/// Notes when it was reminded, in milliseconds since it began to wait.
struct Clock;

#[derive(Default, Serialize, Deserialize)]
struct Times {
    began: Option<WallTime>,
    ticks: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
enum ClockCommand {
    Begin { period: Duration },
    Tick,
    Look,
}

impl Durable for Clock {
    const TYPE: &'static str = "clock";
    type State = Times;
    type Command = ClockCommand;
    type Reply = Vec<u64>;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Times {
        Times::default()
    }
}

impl DurableActor for Clock {
    async fn handle(
        &self,
        command: ClockCommand,
        times: &mut Times,
        turn: &mut Turn<'_, Self>,
    ) -> Result<Vec<u64>, NoError> {
        match command {
            ClockCommand::Begin { period } => {
                times.began = Some(turn.at());
                let first = turn.at().after(period);
                turn.remind_every("tick", first, period, CatchUp::FireAll, &ClockCommand::Tick)
                    .expect("a good name");
            }
            ClockCommand::Tick => {
                let began = times.began.unwrap_or(WallTime::ZERO);
                times.ticks.push(turn.at().since(began).as_millis().try_into().unwrap_or(u64::MAX));
            }
            ClockCommand::Look => {}
        }
        Ok(times.ticks.clone())
    }
}

#[test]
fn a_reminder_whose_period_is_short_comes_at_each_of_its_times() {
    let mut world = World::new();
    let ticks = world.run_with(
        |builder| builder.register(Clock),
        async |system| {
            let clock = system.actor::<Clock>("clock").expect("a good id");
            let period = Duration::from_secs(1);
            clock.call(ClockCommand::Begin { period }).await.expect("it is stored");
            pass(system, Duration::from_millis(12_500)).await;
            clock.call(ClockCommand::Look).await.expect("it is stored")
        },
    );
    // Each within what one look at the store takes.
    let seconds: Vec<u64> = ticks.iter().map(|tick| tick / 1_000).collect();
    assert_eq!(seconds, (1..=12).collect::<Vec<_>>());
    assert!(ticks.iter().all(|tick| tick % 1_000 < 10), "{ticks:?}");
}

#[test]
fn a_reminder_that_is_set_again_for_the_same_time_comes_again() {
    let mut world = World::new();
    world.run(async |system| {
        let a = account(system, "a");
        let due = WallTime::from_millis(1);
        a.call(Command::AddAt(due, 5)).await.expect("it is stored");
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(a.call(Command::Get).await.ok(), Some(5));
        a.call(Command::AddAt(due, 7)).await.expect("it is stored");
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(a.call(Command::Get).await.ok(), Some(12));
    });
}

#[test]
fn reminders_that_cannot_fire_hold_up_nobody_elses() {
    let mut world = World::new();
    world.run(async |system| {
        let due = WallTime::from_unix(system.executor().unix_time()).after(Duration::from_secs(60));
        fill(system, due).await;
        account(system, "b").call(Command::AddAt(due, 5)).await.expect("it is stored");
        pass(system, Duration::from_secs(61)).await;
        assert_eq!(account(system, "b").call(Command::Get).await.ok(), Some(5));
    });
}

/// An actor that somebody else has, whose inbox is full, and all of whose reminders are due before others'.
async fn fill(system: &DurableSystem, due: WallTime) {
    let store = system.store();
    let owner = OwnerId::new(77);
    store.renew(owner, Duration::from_secs(1_000)).await.expect("it is in memory");
    let target = account(system, "a").target().clone();
    let claim =
        Claim { target: target.clone(), owner, epoch_min: Default::default(), mode: ClaimMode::IfFree };
    let head = store.acquire(claim).await.expect("it is free");
    let body = Body { version: Account::COMMAND_VERSION, ..Body::default() };
    let mut commit = TurnCommit::new(target.id.clone(), head.epoch, head.sequence);
    let (at, cause) = (WallTime::ZERO, Cause::Spawned);
    let (events, sent) = (Vec::new(), Vec::new());
    commit.entries.push(Entry {
        sequence: head.sequence.next(),
        at,
        cause,
        has_changed: false,
        events,
        sent,
    });
    let reminder = |n: usize| {
        let name = Name::new(n.to_string()).expect("a good name");
        let (set_by, catch_up, body) = (head.sequence.next(), CatchUp::FireOnce, body.clone());
        Reminder { name, set_by, due, period: None, catch_up, body }
    };
    commit.reminders = (0..REMINDERS_MAX).map(reminder).map(ReminderChange::Set).collect();
    store.commit_turn(commit).await.expect("it is owned");
    for n in 0..INBOX_MESSAGES_MAX {
        let id = MessageId::new(due, n as u128);
        let (to, body) = (target.clone(), body.clone());
        let message =
            Message { to, id, from: None, reply_to: None, sent_at: due, body, headers: Headers::new() };
        store.enqueue(message).await.expect("there is room");
    }
}

#[test]
fn reminders_that_cannot_fire_are_not_tried_whenever_another_one_is_set() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), []);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let now = WallTime::from_unix(system.executor().unix_time());
        fill(&system, now.after(Duration::from_secs(1))).await;
        pass(&system, 2 * LOOK_INTERVAL_DEFAULT).await;
        let tried = || store.visits()[&Operation::Fire];
        let before = tried();
        let later = now.after(Duration::from_secs(86_400));
        for _ in 0..20 {
            account(&system, "b").call(Command::AddAt(later, 5)).await.expect("it is stored");
            pass(&system, Duration::from_millis(1)).await;
        }
        assert_eq!(tried(), before, "none was tried again so soon");
        pass(&system, LOOK_INTERVAL_DEFAULT).await;
        assert_eq!(tried(), before + REMINDERS_MAX as u64, "each was tried again, once");
        system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
    });
}

/// Is reminded each tenth of a second from its first turn on.
struct Early;

impl Durable for Early {
    const TYPE: &'static str = "early";
    type State = u64;
    type Command = u64;
    type Reply = u64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u64 {
        0
    }
}

const TENTH: Duration = Duration::from_millis(100);

impl DurableActor for Early {
    async fn on_start(&self, _: &mut u64, turn: &mut Turn<'_, Self>) -> Result<(), ActorError> {
        turn.remind_every("tick", turn.at().after(TENTH), TENTH, CatchUp::FireAll, &1)?;
        Ok(())
    }

    async fn handle(&self, by: u64, n: &mut u64, _: &mut Turn<'_, Self>) -> Result<u64, NoError> {
        *n += by;
        Ok(*n)
    }
}

#[test]
fn a_reminder_of_the_first_turn_comes_in_time() {
    World::new().run_with(
        |builder| builder.register(Early),
        async |system| {
            // Until then the store has been asked for reminders, and there was none.
            pass(system, Duration::from_millis(10)).await;
            let early: DurableRef<Early> = system.actor("a").expect("a good id");
            early.call(0).await.expect("it is stored");
            pass(system, 10 * TENTH + TENTH / 2).await;
            assert_eq!(early.call(0).await.ok(), Some(10));
        },
    );
}
