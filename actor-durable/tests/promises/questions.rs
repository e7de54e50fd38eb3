//! D43, questions 1 to 6 of the design: overhead, transactions, ownership, the framework, order, time. The seventh is in
//! `streams`.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actor_durable::limits::{LEASE_DEFAULT, STAGED_TURNS_MAX};
use actor_durable::store::{Cause, Refusal, StoreError};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    AskError, Doubt, DurableBuilder, DurableRef, DurableSystem, MessageId, NotApplied, WallTime,
};
use futures_util::future::{join, join_all};

use super::pending::{Desk, Task};
use super::{journal, quick_or_full};
use crate::stage::{Command, Forgotten, Poor, World, account, pass};

const SECOND: Duration = Duration::from_secs(1);

/// A store that counts, and fails as it is told to.
fn counted(world: &World, faults: impl IntoIterator<Item = Fault>) -> FaultStore {
    FaultStore::new(world.store.clone(), faults)
}

fn commits(store: &FaultStore) -> u64 {
    store.visits().get(&Operation::CommitTurn).copied().unwrap_or_default()
}

/// What is measured is in `cargo xtask bench durable`.
#[test]
fn d43_q1_turns_that_come_at_once_share_a_commit_and_what_is_volatile_asks_no_store() {
    let world = &mut World::new();
    let store = counted(world, []);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let account = account(&system, "a");
        account.call(Command::Add(0)).await.expect("it is stored");
        let before = commits(&store);
        let calls = join_all((0..1_000).map(|_| account.call(Command::Add(1)).into_future())).await;
        assert!(calls.iter().all(Result::is_ok));
        let shared = commits(&store) - before;
        assert!(shared <= 1_000 / STAGED_TURNS_MAX as u64 + 2, "{shared} commits");
        assert_eq!(account.call(Command::Get).await.ok(), Some(1_000));
        // Whoever only looks has nothing stored.
        assert_eq!(commits(&store), before + shared);
        let before = store.visits();
        let forgotten: DurableRef<Forgotten> = system.actor("f").expect("a good id");
        for n in 1..=100 {
            assert_eq!(forgotten.call(Command::Add(1)).await.ok(), Some(n));
        }
        assert_eq!(store.visits(), before);
        system.abandon().await;
    });
}

/// The calls of three at once, of which two are stored together, in a commit that fails in this way.
fn fail_an_append(mode: FaultMode, money: i64) -> Vec<AskError<Poor>> {
    let mut world = World::new();
    let store = counted(&world, [Fault { operation: Operation::CommitTurn, visit: 3, mode }]);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    let recoveries = world.account.recoveries.clone();
    let errors = world.simulation.block_on(async {
        let system = system.await;
        let account = account(&system, "a");
        account.call(Command::Add(1)).await.expect("it is stored");
        let ids: Vec<MessageId> = (0..3).map(|_| account.new_message_id()).collect();
        let call = |id| account.call(Command::Add(10)).id(id).into_future();
        let failed = join_all(ids.iter().map(|id| call(*id))).await;
        assert_eq!(recoveries.load(Ordering::Relaxed), 1);
        // The activation has ended, and its memory is gone: another one reads what is stored.
        assert_eq!(account.call(Command::Get).await.ok(), Some(money), "{mode:?}");
        assert_eq!(recoveries.load(Ordering::Relaxed), 2);
        // Whoever asks again with the same id is applied once.
        for id in &ids {
            call(*id).await.expect("it is stored");
        }
        assert_eq!(account.call(Command::Get).await.ok(), Some(31));
        let handled = journal(&world.store, "a").await;
        let handled =
            |id: MessageId| handled.iter().filter(|entry| entry.cause == Cause::Message(id)).count();
        assert!(ids.iter().all(|id| handled(*id) == 1), "{mode:?}");
        system.abandon().await;
        failed.into_iter().filter_map(Result::err).collect::<Vec<_>>()
    });
    assert_eq!(errors.len(), 3, "{mode:?}: all of a commit have its fate");
    errors
}

#[test]
fn d43_q2_a_failed_append_ends_the_activation_and_its_callers_are_told_what_is_certain() {
    for error in fail_an_append(FaultMode::Refuse, 1) {
        let certain = matches!(
            &error,
            AskError::NotApplied(NotApplied::Store(StoreError::NotApplied(Refusal::Unavailable(_))))
        );
        assert!(certain, "{error}");
    }
    for error in fail_an_append(FaultMode::LoseAnswer, 31) {
        let unknown = matches!(&error, AskError::Unknown { why: Doubt::Store(StoreError::Unknown(_)), .. });
        assert!(unknown, "{error}");
    }
}

/// Which process has which actors is for placement, with virtual actors; here is what makes any placement safe.
#[test]
fn d43_q3_ownership_is_compared_with_each_commit_and_clocks_decide_nothing() {
    let mut world = World::new();
    let slow = counted(&world, []);
    let (_, first) = world.process_over(Arc::new(slow.clone()));
    let (_, second) = world.process();
    world.simulation.block_on(async {
        let (first, second) = (first.await, second.await);
        let (here, there) = (account(&first, "a"), account(&second, "a"));
        here.call(Command::Add(1)).await.expect("it is stored");
        let refused = there.call(Command::Add(10)).await;
        let Err(AskError::NotApplied(NotApplied::NotActivated(held))) = refused else {
            panic!("{refused:?}")
        };
        assert!(held.to_string().contains("owned by"), "{held}");
        // The first one is not heard of any more, and is in the midst of a turn.
        let visits = slow.visits();
        let renewals = (1..=10).map(|later| (Operation::Renew, later));
        for (operation, later) in renewals.chain([(Operation::CommitTurn, 1)]) {
            slow.add(Fault { operation, visit: visits[&operation] + later, mode: FaultMode::Pause });
        }
        let late = async {
            let late = here.call(Command::Add(100)).await;
            (late, system_time(&first))
        };
        let other = async {
            pass(&second, LEASE_DEFAULT * 2).await;
            let taken = there.call(Command::Add(10)).await;
            slow.resume();
            (taken, system_time(&second))
        };
        let ((late, told_at), (taken, taken_at)) = join(late, other).await;
        assert_eq!(taken.ok(), Some(11));
        assert!(told_at >= taken_at);
        let Err(AskError::NotApplied(NotApplied::Store(StoreError::Fenced { ours, theirs }))) = late else {
            panic!("{late:?}")
        };
        assert_eq!((ours.0, theirs.0), (1, 2));
        assert_eq!(there.call(Command::Get).await.ok(), Some(11), "nothing of it is stored");
        first.abandon().await;
        second.abandon().await;
    });
}

fn system_time(system: &DurableSystem) -> WallTime {
    WallTime::from_unix(system.executor().unix_time())
}

#[test]
fn d43_q4_a_reference_is_good_over_all_activations_and_what_comes_while_one_begins_waits_in_order() {
    let mut world = World::new();
    world.run(async |system| {
        let account = account(system, "a");
        let held = account.clone();
        for round in 0..10 {
            // Nobody is there: what comes while it is read waits, and comes in order.
            let calls = (1..=20).map(|_| held.call(Command::Add(1)).into_future());
            let replies: Vec<i64> =
                join_all(calls).await.into_iter().map(|reply| reply.expect("it is stored")).collect();
            assert_eq!(replies, (round * 20 + 1..=round * 20 + 20).collect::<Vec<_>>());
            match round % 2 {
                0 => system.passivate(held.id()).await,
                // Its handler does not come back; who does not wait any more has it ended.
                _ => drop(held.call(Command::Passivate).await),
            }
        }
        assert_eq!(account, held);
    });
    assert_eq!(world.account.recoveries.load(Ordering::Relaxed), 10);
    assert_eq!(world.account.starts.load(Ordering::Relaxed), 1);
}

#[test]
fn d43_q5_each_senders_messages_are_handled_in_order_and_the_commits_are_the_order() {
    for seed in 0..quick_or_full(20, 500) {
        let mut world = World::seeded(seed);
        world.run(async |system| {
            let account = account(system, "a");
            let sender = async |calls: bool| {
                let mut ids = Vec::new();
                for n in 0..20 {
                    let id = account.new_message_id();
                    ids.push(id);
                    if calls {
                        account.call(Command::Add(n)).id(id).await.expect("it is stored");
                    } else {
                        account
                            .send_with(id, Default::default(), &Command::Add(n))
                            .await
                            .expect("it is stored");
                    }
                }
                ids
            };
            let (called, sent) = join(sender(true), sender(false)).await;
            pass(system, Duration::from_secs(1)).await;
            let entries = journal(system.store(), "a").await;
            assert!(entries.is_sorted_by_key(|entry| entry.at), "seed {seed}");
            for ids in [called, sent] {
                let order: Vec<Cause> = ids.iter().map(|id| Cause::Message(*id)).collect();
                let told: Vec<Cause> =
                    entries.iter().map(|entry| entry.cause).filter(|cause| order.contains(cause)).collect();
                assert_eq!(told, order, "seed {seed}");
            }
        });
    }
}

/// What a system tells an actor goes before what waits in its mailbox; what waits is not lost, but told of.
#[test]
fn d43_q5_whoever_ends_an_activation_overtakes_what_waits_there() {
    let mut world = World::new();
    let (_, system) = world.process();
    world.simulation.block_on(async {
        let system = system.await;
        let account = account(&system, "a");
        account.call(Command::Add(1)).await.expect("it is stored");
        let calls = join_all((0..30).map(|_| account.call(Command::Add(1)).into_future()));
        let hang = account.call(Command::Hang).into_future();
        // The first hangs, and those behind it wait for it.
        let waiting = join(hang, calls);
        let ended = async {
            pass(&system, Duration::from_secs(1)).await;
            system.abandon().await;
        };
        let ((hang, calls), ()) = join(waiting, ended).await;
        assert!(matches!(hang, Err(AskError::Unknown { why: Doubt::ActivationEnded, .. })), "{hang:?}");
        assert_eq!(calls.len(), 30);
        for call in calls {
            assert!(matches!(call, Err(AskError::NotApplied(NotApplied::ActivationEnded))), "{call:?}");
        }
        pass(&system, LEASE_DEFAULT).await;
    });
    assert_eq!(world.account.runs.load(Ordering::Relaxed), 2, "an addition, and the one that hung");
    world.run(async |system| {
        assert_eq!(account(system, "a").call(Command::Get).await.ok(), Some(1));
    });
}

#[test]
fn d43_q6_a_timer_ends_with_its_activation_and_a_reminder_comes_whoever_is_there() {
    let mut world = World::new();
    let desk = Desk::default();
    let register = |builder: DurableBuilder| builder.register(desk.clone()).outlet("printer", desk.clone());
    let value = async |system: &DurableSystem| {
        system.actor::<Desk>("d").expect("a good id").call(Task::Add(0)).await.ok()
    };
    let begin = async |system: &DurableSystem, after: Duration| {
        let due = WallTime::from_unix(system.executor().unix_time()).after(after);
        system
            .actor::<Desk>("d")
            .expect("a good id")
            .call(Task::Begin(due, SECOND))
            .await
            .expect("it is stored");
    };
    world.run_with(register, async |system| {
        begin(system, 20 * SECOND).await;
        // The timer is after a second, and counts a million; the reminder counts a thousand.
        pass(system, 2 * SECOND).await;
        assert_eq!(value(system).await, Some(1_000_000), "it lives on");
        begin(system, 20 * SECOND).await;
        // What it prints leaves, and is marked.
        pass(system, SECOND / 10).await;
        system.passivate(&super::id("d")).await;
        pass(system, 17 * SECOND).await;
        assert!(!system.is_active(&super::id("d")), "no timer wakes it");
        pass(system, 4 * SECOND).await;
        assert!(system.is_active(&super::id("d")), "a reminder does");
        assert_eq!(value(system).await, Some(1_001_000));
    });
}
