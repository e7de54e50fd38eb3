//! Actors that get a supervisor when they are there already, be it that they cannot be activated, or had another one.

use std::sync::Arc;

use actor_core::Restart;
use actor_durable::limits::PAGE_ROWS_MAX;
use actor_durable::supervise::{
    ChildSpec, ChildStage, Directive, DurableSupervisor, SupervisorCommand, SupervisorDecision,
};
use actor_durable::testing::{FaultStore, Operation};
use actor_durable::{DurableRef, DurableSystem};

use super::decisions::name;
use super::orders::spoilt_tower;
use super::{
    Work, Worker, World, add, ask, begin, begin_with, child, children, decisions, fell, is_suspended, lock,
    one_for_one, settle, spawn, supervisor, tree, value, values, worker,
};

/// More than a page of an inbox.
const LETTERS: usize = PAGE_ROWS_MAX + 100;

/// Puts letters into the inbox of the worker `a`, by a process that knows no workers.
fn send_many(world: &mut World) {
    let builder = DurableSystem::builder(&world.simulation.system(), world.store.clone());
    world.simulation.block_on(async {
        let system = builder.start().await.expect("the store gives a lease");
        for _ in 0..LETTERS {
            worker(&system, "a").send(Work::Add(1)).await.expect("it is stored");
        }
        system.abandon().await;
    });
}

/// Has a process of this release, which cannot activate `a`, put it under a supervisor that makes it begin afresh.
fn is_told_behind_letters<const RELEASE: u32>(mut world: World, mend: impl FnOnce()) {
    send_many(&mut world);
    let store = FaultStore::new(world.store.clone(), []);
    world.store = Arc::new(store.clone());
    let system = world.process::<RELEASE>();
    world.simulation.block_on(async {
        let system = system.await;
        let a: DurableRef<Worker<RELEASE>> = system.actor("a").expect("a good id");
        a.call(Work::Get).await.expect_err("it cannot be activated");
        let looks = || store.visits()[&Operation::Inbox];
        let before = looks();
        for _ in 0..10 {
            a.call(Work::Get).await.expect_err("it cannot be activated");
        }
        assert_eq!(looks() - before, 10, "behind those that it has looked at");
        begin(&system, "s", one_for_one()).await;
        spawn(&system, "s", child("a", Directive::Stop)).await;
        let stopped = [("a".to_owned(), ChildStage::Stopped, 0)];
        assert_eq!(children(&tree(&system, "s").await), stopped, "it was told");
        mend();
        ask(&system, "s", SupervisorCommand::StartChild(name("a"))).await;
        settle(&system).await;
        let fails_still = RELEASE == 2;
        assert_eq!(decisions(system.store(), "s").await.len(), if fails_still { 2 } else { 1 });
        if !fails_still {
            assert_eq!(a.call(Work::Get).await.ok(), Some(LETTERS as i64), "it has them all");
        }
    });
}

#[test]
fn a_supervisor_is_told_of_a_worker_that_has_begun_before_and_cannot_be_read() {
    let mut world = World::new();
    world.run(async |system| add(system, "a", 7).await);
    is_told_behind_letters::<2>(world, || {});
}

#[test]
fn a_supervisor_is_told_of_a_worker_whose_beginning_fails_behind_many_letters() {
    let world = World::new();
    let log = world.log.clone();
    lock(&log.unwilling).insert("a".to_owned());
    is_told_behind_letters::<1>(world, || lock(&log.unwilling).clear());
    assert_eq!(*lock(&log.starts), ["a"]);
}

#[test]
fn d38_the_children_of_a_supervisor_that_has_ended_are_anothers_when_it_asks_for_them() {
    let mut world = World::new();
    spoilt_tower(&mut world, Restart::Temporary);
    world.run(async |system| {
        tree(system, "top").await;
        settle(system).await;
        assert!(is_suspended(system, "a").await && is_suspended(system, "b").await);
        begin(system, "t", one_for_one()).await;
        spawn(system, "t", child("a", Directive::Restart)).await;
        assert_eq!(values(system, ["a", "b"]).await, [Some(1), None], "it has its state");
        fell(system, "a").await;
        assert_eq!(value(system, "a").await, Some(0), "that one decides");
        assert_eq!(decisions(system.store(), "t").await, [("a".to_owned(), SupervisorDecision::Restart)]);
    });
}

#[test]
fn the_children_of_a_supervisor_that_was_deleted_are_anothers_when_it_asks_for_them() {
    let mut world = World::new();
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Stop)]).await;
        begin(system, "t", one_for_one()).await;
        spawn(system, "t", child("a", Directive::Stop)).await;
        let refused = [("a".to_owned(), ChildStage::Stopped, 0)];
        assert_eq!(children(&tree(system, "t").await), refused, "it has another");
        assert_eq!(system.delete(supervisor(system, "s").id()).await.ok(), Some(true));
        ask(system, "t", SupervisorCommand::StartChild(name("a"))).await;
        settle(system).await;
        let taken = [("a".to_owned(), ChildStage::Up, 0)];
        assert_eq!(children(&tree(system, "t").await), taken, "it has none any more");
        assert_eq!(decisions(system.store(), "t").await.len(), 1, "it does not decline again");
        assert_eq!(value(system, "a").await, Some(1));
        fell(system, "a").await;
        assert_eq!(children(&tree(system, "t").await), refused, "that one decides");
        assert_eq!(decisions(system.store(), "t").await.len(), 2, "it is told");
    });
}

/// The report of its failure makes the supervisor exist again, which has never begun.
#[test]
fn a_child_that_fails_after_its_supervisor_was_deleted_is_anothers_when_it_asks_for_it() {
    let mut world = World::new();
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Resume)]).await;
        assert_eq!(system.delete(supervisor(system, "s").id()).await.ok(), Some(true));
        fell(system, "a").await;
        assert!(is_suspended(system, "a").await, "nobody decides");
        begin(system, "t", one_for_one()).await;
        spawn(system, "t", child("a", Directive::Resume)).await;
        assert_eq!(value(system, "a").await, Some(1));
        assert_eq!(children(&tree(system, "t").await), [("a".to_owned(), ChildStage::Up, 0)]);
    });
}

#[test]
fn the_children_of_a_supervisor_that_was_deleted_and_begun_anew_are_anothers_when_it_asks_for_them() {
    let mut world = World::new();
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Resume)]).await;
        assert_eq!(system.delete(supervisor(system, "s").id()).await.ok(), Some(true));
        begin(system, "s", one_for_one()).await;
        begin(system, "t", one_for_one()).await;
        spawn(system, "t", child("a", Directive::Resume)).await;
        assert_eq!(children(&tree(system, "t").await), [("a".to_owned(), ChildStage::Up, 0)]);
        fell(system, "a").await;
        assert_eq!(value(system, "a").await, Some(1), "that one decides");
        spawn(system, "s", child("a", Directive::Stop)).await;
        let refused = [("a".to_owned(), ChildStage::Stopped, 0)];
        assert_eq!(children(&tree(system, "s").await), refused, "it has one that is there");
    });
}

#[test]
fn a_supervisor_that_was_stopped_goes_on_with_its_children_under_another_and_under_none() {
    let mut world = World::new();
    let tower = || ChildSpec::new::<DurableSupervisor>("s", "s").expect("good names");
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Stop)]).await;
        begin(system, "top", one_for_one()).await;
        spawn(system, "top", tower()).await;
        assert_eq!(value(system, "a").await, Some(1), "it was up and stays so");
        ask(system, "top", SupervisorCommand::StopChild(name("s"))).await;
        settle(system).await;
        assert!(is_suspended(system, "a").await);
        ask(system, "top", SupervisorCommand::RemoveChild(name("s"))).await;
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(1), "nobody is above it");
        spawn(system, "top", tower()).await;
        ask(system, "top", SupervisorCommand::StopChild(name("s"))).await;
        settle(system).await;
        assert!(is_suspended(system, "a").await);
        assert_eq!(system.delete(supervisor(system, "top").id()).await.ok(), Some(true));
        begin(system, "t", one_for_one()).await;
        spawn(system, "t", tower()).await;
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(1), "another one is above it");
        assert_eq!(children(&tree(system, "s").await), [("a".to_owned(), ChildStage::Up, 0)]);
    });
}

#[test]
fn a_child_that_is_released_before_its_first_turn_has_it_once_it_can() {
    let mut world = World::new();
    let log = world.log.clone();
    lock(&log.unwilling).insert("a".to_owned());
    world.run(async |system| {
        begin(system, "s", one_for_one()).await;
        spawn(system, "s", child("a", Directive::Stop)).await;
        assert_eq!(children(&tree(system, "s").await), [("a".to_owned(), ChildStage::Stopped, 0)]);
        ask(system, "s", SupervisorCommand::RemoveChild(name("a"))).await;
        settle(system).await;
        assert_eq!(children(&tree(system, "s").await), []);
    });
    world.run(async |system| {
        let why = worker(system, "a").call(Work::Get).await.expect_err("it does not begin");
        assert!(why.to_string().contains("it does not begin"), "{why}");
    });
    lock(&log.unwilling).clear();
    for _ in 0..2 {
        assert_eq!(world.run(async |system| value(system, "a").await), Some(0), "nobody has it suspended");
        assert_eq!(*lock(&log.starts), ["a"], "once ever");
    }
}

#[test]
fn a_child_that_was_released_before_its_first_turn_may_be_anothers() {
    let mut world = World::new();
    let log = world.log.clone();
    lock(&log.unwilling).insert("a".to_owned());
    world.run(async |system| {
        begin(system, "s", one_for_one()).await;
        spawn(system, "s", child("a", Directive::Stop)).await;
        ask(system, "s", SupervisorCommand::RemoveChild(name("a"))).await;
        settle(system).await;
        begin(system, "t", one_for_one()).await;
        spawn(system, "t", child("a", Directive::Stop)).await;
        let stopped = [("a".to_owned(), ChildStage::Stopped, 0)];
        assert_eq!(children(&tree(system, "t").await), stopped, "it is told why");
        lock(&log.unwilling).clear();
        ask(system, "t", SupervisorCommand::StartChild(name("a"))).await;
        settle(system).await;
        assert_eq!(children(&tree(system, "t").await), [("a".to_owned(), ChildStage::Up, 0)]);
        assert_eq!((value(system, "a").await, lock(&log.starts).len()), (Some(0), 1));
        fell(system, "a").await;
        assert_eq!(children(&tree(system, "t").await), stopped, "that one decides");
    });
}

/// A child that is started again and again would use up the intensity at once, and stop its siblings.
fn is_stopped_and_its_siblings_go_on(world: &mut World, free: impl AsyncFnOnce(&DurableSystem)) {
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("b", Directive::Stop)]).await;
        for directive in [Directive::Restart, Directive::Resume] {
            spawn(system, "s", child("a", directive)).await;
            let tree = tree(system, "s").await;
            let expected = [("b".to_owned(), ChildStage::Up, 0), ("a".to_owned(), ChildStage::Stopped, 0)];
            assert_eq!(children(&tree), expected, "{directive:?}");
            assert!(tree.restarts().is_empty() && !tree.has_escalated(), "{directive:?}");
            ask(system, "s", SupervisorCommand::RemoveChild(name("a"))).await;
        }
        spawn(system, "s", child("a", Directive::Restart)).await;
        free(system).await;
        ask(system, "s", SupervisorCommand::StartChild(name("a"))).await;
        settle(system).await;
        assert_eq!(values(system, ["a", "b"]).await, [Some(0), Some(1)]);
        fell(system, "a").await;
        assert_eq!(children(&tree(system, "s").await)[1], ("a".to_owned(), ChildStage::Up, 1));
    });
}

#[test]
fn a_child_that_has_ended_for_good_is_stopped_whatever_is_done_with_those_that_fail() {
    let mut world = World::new();
    world.run(async |system| worker(system, "a").call(Work::End).await.expect("it is stored"));
    is_stopped_and_its_siblings_go_on(&mut world, async |system| {
        assert_eq!(system.delete(worker(system, "a").id()).await.ok(), Some(true));
    });
}

#[test]
fn a_child_of_another_supervisor_is_stopped_whatever_is_done_with_those_that_fail() {
    let mut world = World::new();
    world.run(async |system| begin_with(system, "t", one_for_one(), vec![child("a", Directive::Stop)]).await);
    is_stopped_and_its_siblings_go_on(&mut world, async |system| {
        ask(system, "t", SupervisorCommand::StopChild(name("a"))).await;
        ask(system, "t", SupervisorCommand::RemoveChild(name("a"))).await;
        settle(system).await;
        add(system, "a", -1).await;
    });
}
