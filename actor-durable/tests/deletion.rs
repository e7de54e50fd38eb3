//! Actors that are deleted while others ask for them, or while the store fails.

use std::sync::Arc;
use std::time::Duration;

use actor_durable::limits::{DELETIONS_MAX, REACTIVATION_PAUSE};
use actor_durable::store::StoreError;
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{DurableId, DurableSystem, NotApplied, OwnerId};

use crate::stage::{Command, World, account, pass};

/// Who has it, as the store says.
async fn owner(system: &DurableSystem, id: &DurableId) -> Option<OwnerId> {
    system.store().head(id).await.expect("it is not away").expect("it is there").owner
}

/// Has the next visit fail.
fn fail(store: &FaultStore, operation: Operation, mode: FaultMode) {
    let visit = store.visits().get(&operation).copied().unwrap_or(0) + 1;
    store.add(Fault { operation, visit, mode });
}

#[test]
fn a_deleted_actor_answers_no_more_though_somebody_asked_for_it_meanwhile() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), []);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        a.call(Command::Add(5)).await.expect("it is stored");
        system.passivate(a.id()).await;
        pass(&system, REACTIVATION_PAUSE).await;
        fail(&store, Operation::Head, FaultMode::Pause);
        let query = async {
            store.paused().await;
            let before = a.call(Command::Get).await.ok();
            store.resume();
            before
        };
        let (deleted, before) = tokio::join!(system.delete(a.id()), query);
        assert_eq!((deleted.ok(), before), (Some(true), Some(5)));
        assert!(!system.is_active(a.id()));
        assert_eq!(a.call(Command::Get).await.ok(), Some(0), "it is another one");
        pass(&system, 2 * REACTIVATION_PAUSE).await;
        assert_eq!(a.call(Command::Add(1)).await.ok(), Some(1), "that one lives on");
    });
}

/// Deletes an actor that somebody activates so often between its being claimed for that, and deleted.
fn delete_against(times: usize) -> Result<bool, NotApplied> {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), []);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        a.call(Command::Add(5)).await.expect("it is stored");
        for visit in 1..=times as u64 {
            store.add(Fault { operation: Operation::Delete, visit, mode: FaultMode::Pause });
        }
        let callers = async {
            for _ in 0..times {
                store.paused().await;
                // Of the activation that was fenced nothing is stored, and the next one begins.
                drop(a.call(Command::Add(0)).await);
                assert_eq!(a.call(Command::Get).await.ok(), Some(5));
                store.resume();
            }
        };
        let (deleted, ()) = tokio::join!(system.delete(a.id()), callers);
        let after = a.call(Command::Get).await.ok();
        assert_eq!(after, Some(if deleted.is_ok() { 0 } else { 5 }));
        deleted
    })
}

#[test]
fn an_actor_is_deleted_though_it_is_activated_meanwhile_unless_that_never_ends() {
    assert_eq!(delete_against(1).ok(), Some(true));
    assert_eq!(delete_against(DELETIONS_MAX - 1).ok(), Some(true));
    let refused = delete_against(DELETIONS_MAX);
    assert!(matches!(refused, Err(NotApplied::Store(StoreError::Fenced { .. }))), "{refused:?}");
}

#[test]
fn an_actor_that_could_not_be_deleted_is_given_back_or_goes_on() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), []);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        a.call(Command::Add(5)).await.expect("it is stored");
        fail(&store, Operation::Delete, FaultMode::Refuse);
        system.delete(a.id()).await.expect_err("the store is away");
        assert_eq!(owner(&system, a.id()).await, None, "others may have it");
        pass(&system, 2 * REACTIVATION_PAUSE).await;
        assert!(!system.is_active(a.id()), "it has nothing to do");

        fail(&store, Operation::Delete, FaultMode::Refuse);
        fail(&store, Operation::Release, FaultMode::Refuse);
        system.delete(a.id()).await.expect_err("the store is away");
        assert_eq!(owner(&system, a.id()).await, Some(system.owner()));
        assert!(!system.is_active(a.id()));
        pass(&system, 2 * REACTIVATION_PAUSE).await;
        assert!(system.is_active(a.id()), "nobody else can have it");
        assert_eq!(a.call(Command::Get).timeout(Duration::from_secs(1)).await.ok(), Some(5));
    });
}

#[test]
fn an_activation_that_was_fenced_ends_though_nobody_waits_for_the_deletion_any_more() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), []);
    let (_, system) = world.process_over(Arc::new(store.clone()));
    world.simulation.block_on(async {
        let system = system.await;
        let a = account(&system, "a");
        a.call(Command::Add(5)).await.expect("it is stored");
        system.passivate(a.id()).await;
        pass(&system, REACTIVATION_PAUSE).await;
        fail(&store, Operation::Head, FaultMode::Pause);
        fail(&store, Operation::Delete, FaultMode::Pause);
        {
            let deletion = std::pin::pin!(system.delete(a.id()));
            let meanwhile = std::pin::pin!(async {
                store.paused().await;
                a.call(Command::Add(1)).await.expect("it is there until it is deleted");
                store.resume();
                pass(&system, Duration::from_millis(1)).await;
                assert_eq!(store.visits()[&Operation::Delete], 1, "it is to be deleted");
                assert!(system.is_active(a.id()));
            });
            let first = futures_util::future::select(deletion, meanwhile).await;
            assert!(matches!(first, futures_util::future::Either::Right(_)), "it is not deleted");
        }
        pass(&system, Duration::from_millis(1)).await;
        assert!(!system.is_active(a.id()), "what it would do is not stored");
        assert_eq!(a.call(Command::Add(1)).await.ok(), Some(7));
    });
}
