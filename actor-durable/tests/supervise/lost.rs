//! Children that never begin because of what they ask for, and children and supervisors that were deleted behind each other's back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor_core::{ActorError, Restart, Strategy};
use actor_durable::limits::{REMINDERS_MAX, STATE_BYTES_MAX};
use actor_durable::supervise::{
    ChildSpec, ChildStage, Directive, DurableSupervisor, Failure, OnFailure, SupervisorCommand,
    SupervisorDecision, SupervisorEvent, SupervisorSpec,
};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    AskError, Durable, DurableActor, DurableId, DurableRef, DurableSystem, NoError, NotApplied, Turn,
};

use super::decisions::name;
use super::{
    Work, World, add, ask, begin, begin_with, child, children, decisions, events, fell, is_suspended, lock,
    one_for_one, settle, spawn, supervisor, tree, value, worker,
};
use crate::stage::pass;

/// Asks for more than there is: for reminders in its first turn, or for a state that no store takes.
#[derive(Clone, Debug, Default)]
struct Greedy {
    wants_reminders: Arc<AtomicBool>,
    wants_state: Arc<AtomicBool>,
}

impl Durable for Greedy {
    const TYPE: &'static str = "greedy";
    type State = Vec<u8>;
    /// Whether to panic.
    type Command = bool;
    type Reply = usize;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Vec<u8> {
        let is_large = self.wants_state.load(Ordering::Relaxed);
        vec![0; if is_large { STATE_BYTES_MAX + 1 } else { 1 }]
    }
}

impl DurableActor for Greedy {
    async fn on_start(&self, _: &mut Vec<u8>, turn: &mut Turn<'_, Self>) -> Result<(), ActorError> {
        let many = if self.wants_reminders.load(Ordering::Relaxed) { REMINDERS_MAX + 1 } else { 1 };
        for number in 0..many {
            turn.remind(&number.to_string(), turn.at().after(Duration::from_secs(9_999)), &false)?;
        }
        Ok(())
    }

    async fn handle(
        &self,
        panics: bool,
        state: &mut Vec<u8>,
        _: &mut Turn<'_, Self>,
    ) -> Result<usize, NoError> {
        assert!(!panics, "so it was asked");
        Ok(state.len())
    }
}

/// Runs a future in a process with a supervisor `s`.
fn run(body: impl AsyncFnOnce(&DurableSystem, &Greedy)) {
    let World { mut simulation, store, .. } = World::new();
    let greedy = Greedy::default();
    let builder = DurableSystem::builder(&simulation.system(), store)
        .register(greedy.clone())
        .register_event_sourced(DurableSupervisor);
    simulation.block_on(async {
        let system = builder.start().await.expect("the store gives a lease");
        begin(&system, "s", one_for_one()).await;
        body(&system, &greedy).await;
        system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
    });
}

fn greedy(system: &DurableSystem) -> DurableRef<Greedy> {
    system.actor("g").expect("a good id")
}

fn greedy_child(directive: Directive) -> ChildSpec {
    let spec = ChildSpec::new::<Greedy>("g", "g").expect("good names");
    spec.on_failure(OnFailure::always(directive))
}

/// What its children have told a supervisor.
async fn reported(system: &DurableSystem) -> Vec<Failure> {
    let events = events(system.store(), "s").await.into_iter();
    let failures = events.filter_map(|event| match event {
        SupervisorEvent::Decided { report, .. } => report.failure().cloned(),
        _ => None,
    });
    failures.collect()
}

fn stage(id: &str, stage: ChildStage) -> Vec<(String, ChildStage, u64)> {
    vec![(id.to_owned(), stage, 0)]
}

#[test]
fn a_supervisor_is_told_of_a_child_whose_first_turn_no_store_takes() {
    run(async |system, actor| {
        actor.wants_reminders.store(true, Ordering::Relaxed);
        spawn(system, "s", greedy_child(Directive::Stop)).await;
        assert_eq!(children(&tree(system, "s").await), stage("g", ChildStage::Stopped));
        let why = format!("on_start failed: too many reminders: at most {REMINDERS_MAX} are allowed");
        assert_eq!(reported(system).await, [Failure::NotActivated(why)]);
        actor.wants_reminders.store(false, Ordering::Relaxed);
        ask(system, "s", SupervisorCommand::StartChild(name("g"))).await;
        settle(system).await;
        assert_eq!(greedy(system).call(false).await.ok(), Some(1));
        assert_eq!(children(&tree(system, "s").await), stage("g", ChildStage::Up));
    });
}

#[test]
fn whoever_calls_an_actor_whose_first_turn_no_store_takes_is_told_not_to_try_again() {
    run(async |system, actor| {
        actor.wants_reminders.store(true, Ordering::Relaxed);
        let refused = greedy(system).call(false).await;
        let Err(AskError::NotApplied(why @ NotApplied::NotActivated(_))) = refused else {
            panic!("{refused:?}");
        };
        assert!(why.to_string().contains("on_start failed: too many reminders"), "{why}");
        assert!(!why.is_transient());
    });
}

#[test]
fn a_supervisor_is_told_of_a_child_whose_fresh_state_no_store_takes() {
    run(async |system, actor| {
        spawn(system, "s", greedy_child(Directive::Restart)).await;
        assert_eq!(greedy(system).call(false).await.ok(), Some(1));
        actor.wants_state.store(true, Ordering::Relaxed);
        greedy(system).call(true).await.expect_err("it panics");
        settle(system).await;
        // How long it is, is written before it.
        let size = STATE_BYTES_MAX + 5;
        let why = format!("a state: {size}, and at most {STATE_BYTES_MAX} are allowed");
        let panicked = Failure::Panicked("so it was asked".to_owned());
        let unfit = Failure::NotActivated(why);
        assert_eq!(reported(system).await, [panicked, unfit.clone(), unfit.clone(), unfit]);
        assert!(tree(system, "s").await.has_escalated(), "it was started afresh as often as is allowed");
    });
}

/// Deletes a worker, and has it exist again.
async fn delete_and_begin_anew(system: &DurableSystem, id: &str) {
    assert_eq!(system.delete(worker(system, id).id()).await.ok(), Some(true));
    add(system, id, 5).await;
}

#[test]
fn a_child_that_was_deleted_and_exists_again_is_stopped_and_started_by_its_supervisor() {
    let mut world = World::new();
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Stop)]).await;
        delete_and_begin_anew(system, "a").await;
        ask(system, "s", SupervisorCommand::StopChild(name("a"))).await;
        settle(system).await;
        assert_eq!(children(&tree(system, "s").await), stage("a", ChildStage::Stopped));
        assert!(is_suspended(system, "a").await, "as the tree says");
        delete_and_begin_anew(system, "a").await;
        ask(system, "s", SupervisorCommand::StartChild(name("a"))).await;
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(5), "it goes on with what it has");
        fell(system, "a").await;
        assert_eq!(decisions(system.store(), "s").await, [("a".to_owned(), SupervisorDecision::Stop)]);
        assert!(is_suspended(system, "a").await, "it has a supervisor");
    });
}

#[test]
fn an_actor_that_has_the_name_of_a_deleted_child_does_not_end_for_what_that_one_did() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), []);
    world.store = Arc::new(store.clone());
    world.run(async |system| {
        let temporary = child("a", Directive::Stop).restart(Restart::Temporary);
        begin_with(system, "s", one_for_one(), vec![temporary]).await;
        // The report arrives, and the order to end is on its way for a while.
        let transfers = store.visits()[&Operation::Transfer];
        store.add(Fault { operation: Operation::Transfer, visit: transfers + 2, mode: FaultMode::Refuse });
        worker(system, "a").call(Work::End).await.expect("it is stored");
        settle(system).await;
        assert_eq!(children(&tree(system, "s").await), []);
        delete_and_begin_anew(system, "a").await;
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(store.visits()[&Operation::Transfer], transfers + 3, "it has arrived");
        assert_eq!(value(system, "a").await, Some(5));
    });
}

/// A process that knows supervisors and no workers, so that what a worker is told lies in its inbox.
fn run_without_workers(world: &mut World, body: impl AsyncFnOnce(&DurableSystem)) {
    let builder = DurableSystem::builder(&world.simulation.system(), world.store.clone())
        .register_event_sourced(DurableSupervisor);
    world.simulation.block_on(async {
        let system = builder.start().await.expect("the store gives a lease");
        body(&system).await;
        system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
    });
}

#[test]
fn an_order_of_a_supervisor_that_was_deleted_since_is_not_that_of_the_next_of_its_name() {
    let mut world = World::new();
    let log = world.log.clone();
    lock(&log.unwilling).insert("a".to_owned());
    run_without_workers(&mut world, async |system| {
        begin(system, "s", one_for_one()).await;
        spawn(system, "s", child("a", Directive::Stop)).await;
        assert_eq!(system.delete(supervisor(system, "s").id()).await.ok(), Some(true));
        begin(system, "s", one_for_one()).await;
    });
    world.run(async |system| {
        let why = worker(system, "a").call(Work::Get).await.expect_err("it does not begin");
        assert!(why.to_string().contains("it does not begin"), "nobody suspends it: {why}");
        pass(system, Duration::from_secs(20)).await;
        assert_eq!(decisions(system.store(), "s").await, [], "the next of its name has no such child");
        lock(&log.unwilling).clear();
        assert_eq!((value(system, "a").await, lock(&log.starts).len()), (Some(0), 1), "its first turn was");
        begin(system, "t", one_for_one()).await;
        spawn(system, "t", child("a", Directive::Stop)).await;
        assert_eq!(children(&tree(system, "t").await), stage("a", ChildStage::Up), "nobody has it");
        fell(system, "a").await;
        assert_eq!(children(&tree(system, "t").await), stage("a", ChildStage::Stopped), "that one decides");
    });
}

#[test]
fn a_supervisor_is_told_of_a_child_that_was_deleted_and_does_not_begin_again() {
    let mut world = World::new();
    let log = world.log.clone();
    world.run(async |system| {
        let all = SupervisorSpec::new(Strategy::OneForAll);
        let specs = vec![child("a", Directive::Stop), child("b", Directive::Restart)];
        begin_with(system, "s", all, specs).await;
        let delete = async || system.delete(worker(system, "a").id()).await.ok();
        let is_stopped = async || {
            pass(system, Duration::from_secs(20)).await;
            tree(system, "s").await.children().next().map(|child| child.stage) == Some(ChildStage::Stopped)
        };
        lock(&log.unwilling).insert("a".to_owned());
        // It is to begin with the state that it has, or afresh.
        ask(system, "s", SupervisorCommand::StopChild(name("a"))).await;
        settle(system).await;
        assert_eq!(delete().await, Some(true));
        ask(system, "s", SupervisorCommand::StartChild(name("a"))).await;
        assert!(is_stopped().await, "it was told");
        lock(&log.unwilling).clear();
        ask(system, "s", SupervisorCommand::StartChild(name("a"))).await;
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(0));
        lock(&log.unwilling).insert("a".to_owned());
        assert_eq!(delete().await, Some(true));
        fell(system, "b").await;
        assert!(is_stopped().await, "it was told");
        assert_eq!(lock(&log.starts).iter().filter(|id| *id == "a").count(), 2);
    });
}

#[test]
fn a_child_that_was_deleted_and_cannot_be_read_again_begins_afresh_if_its_supervisor_says_so() {
    let mut world = World::new();
    let log = world.log.clone();
    world.run(async |system| {
        let all = SupervisorSpec::new(Strategy::OneForAll);
        let specs = vec![child("a", Directive::Stop), child("b", Directive::Restart)];
        begin_with(system, "s", all, specs).await;
        delete_and_begin_anew(system, "a").await;
        system.passivate(worker(system, "a").id()).await;
        lock(&log.broken).insert("a".to_owned());
        worker(system, "a").call(Work::Get).await.expect_err("it is broken");
        fell(system, "b").await;
        pass(system, Duration::from_secs(20)).await;
        let a = ("a".to_owned(), SupervisorDecision::Stop);
        assert_eq!(decisions(system.store(), "s").await[1..], [a], "it was told once");
        lock(&log.broken).clear();
        ask(system, "s", SupervisorCommand::StartChild(name("a"))).await;
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(0), "it has begun afresh");
    });
}
