//! Orders on their way: which a child obeys, what they overtake, and what becomes of those that cannot arrive.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{Executor, Restart, Strategy};
use actor_durable::store::{Body, Cause, Claim, ClaimMode, Entry, Refusal, Store, StoreError, TurnCommit};
use actor_durable::supervise::{
    ChildSpec, ChildStage, Directive, DurableSupervisor, OnFailure, SupervisorCommand, SupervisorDecision,
    SupervisorEvent, SupervisorRefusal, SupervisorSpec,
};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    ActivationError, AskError, Durable, DurableActor, DurableId, DurableSystem, Epoch, NoError, NotApplied,
    OwnerId, RequestError, Turn,
};
use serde::{Deserialize, Serialize};

use super::decisions::name;
use super::{
    Work, Worker, World, add, ask, begin, begin_with, child, children, decisions, events, fell, is_suspended,
    journal, lock, one_for_one, settle, spawn, supervisor, tree, value, values, worker,
};
use crate::stage::{Forgotten, pass};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_order_overtakes_a_letter_that_waits_for_its_next_attempt() {
    let mut world = World::new();
    world.run(async |system| {
        let spec = one_for_one().intensity(100, 1000 * SECOND);
        begin_with(system, "s", spec, vec![child("a", Directive::Resume)]).await;
        worker(system, "a").send(Work::Panic).await.expect("it is stored");
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(1), "it goes on, and the letter waits");
        ask(system, "s", SupervisorCommand::StopChild(name("a"))).await;
        settle(system).await;
        assert!(is_suspended(system, "a").await, "the letter waits for longer than that");
    });
}

#[test]
fn letters_that_wait_behind_a_suspension_are_looked_through_once() {
    let mut world = World::new();
    let store = FaultStore::new(world.store.clone(), []);
    world.store = Arc::new(store.clone());
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Resume)]).await;
        ask(system, "s", SupervisorCommand::StopChild(name("a"))).await;
        settle(system).await;
        let send = async || {
            worker(system, "a").send(Work::Add(1)).await.expect("it is stored");
            settle(system).await;
        };
        for _ in 0..300 {
            send().await;
        }
        let looks = || store.visits()[&Operation::Inbox];
        let before = looks();
        for _ in 0..10 {
            send().await;
        }
        // At the one that came, behind it, and once more, as the actor is told of it twice. Those before it have three pages.
        let looks = looks() - before;
        assert!(looks <= 30, "{looks}");
        ask(system, "s", SupervisorCommand::StartChild(name("a"))).await;
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(311), "it goes on, and has them all");
    });
}

/// Has a supervisor want a child, and start it afresh before it hears what comes of that.
async fn adopts_and_starts(system: &DurableSystem, id: &str, child: ChildSpec) {
    let spawn = ask(system, id, SupervisorCommand::SpawnChild(child));
    futures_util::future::join(spawn, ask(system, id, SupervisorCommand::BeginAgain { is_fresh: true }))
        .await;
    settle(system).await;
}

#[test]
fn an_order_from_another_supervisor_is_ignored() {
    let mut world = World::new();
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Resume)]).await;
        begin(system, "other", one_for_one()).await;
        // It is told that the child is not its own, once it has ordered a fresh start too.
        adopts_and_starts(system, "other", child("a", Directive::Restart)).await;
        let decided = decisions(system.store(), "other").await.into_iter().map(|(_, it)| it);
        assert_eq!(decided.collect::<Vec<_>>(), [SupervisorDecision::Nothing, SupervisorDecision::Stop]);
        assert_eq!(value(system, "a").await, Some(1), "it has its state");
        ask(system, "other", SupervisorCommand::StopChild(name("a"))).await;
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(1), "it goes on");
        ask(system, "s", SupervisorCommand::StopChild(name("a"))).await;
        settle(system).await;
        assert!(is_suspended(system, "a").await, "its own it obeys");
    });
}

#[test]
fn an_order_from_another_supervisor_is_ignored_though_its_own_is_no_more() {
    let mut world = World::new();
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Resume)]).await;
        begin(system, "other", one_for_one()).await;
        spawn(system, "other", child("a", Directive::Stop)).await;
        system.delete(supervisor(system, "s").id()).await.expect("it is there");
        ask(system, "other", SupervisorCommand::RemoveChild(name("a"))).await;
        settle(system).await;
        fell(system, "a").await;
        assert!(is_suspended(system, "a").await, "nobody has released it");
    });
}

#[test]
fn a_fresh_start_is_a_change_in_the_journal() {
    let mut world = World::new();
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Restart)]).await;
        fell(system, "a").await;
        assert_eq!(value(system, "a").await, Some(0));
        let changed = journal(system.store(), "a").await.into_iter().map(|entry| entry.has_changed);
        // To be a child, its first turn, one of its own; it tells of its failure, and begins anew.
        assert_eq!(changed.collect::<Vec<_>>(), [false, true, true, false, true]);
    });
}

#[test]
fn what_a_supervisor_decides_itself_is_no_failure_of_its_own() {
    let mut world = World::new();
    world.run(async |system| {
        begin(system, "top", one_for_one()).await;
        let spec = ChildSpec::new::<DurableSupervisor>("s", "s").expect("good names");
        spawn(system, "top", spec).await;
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Restart)]).await;
        fell(system, "a").await;
        let restart = ("a".to_owned(), SupervisorDecision::Restart);
        assert_eq!(decisions(system.store(), "s").await, [restart]);
        assert_eq!(decisions(system.store(), "top").await, []);
    });
}

/// The names of an actor's recorded children. Whoever asks takes the actor away.
async fn recorded(system: &DurableSystem, id: &str) -> Vec<String> {
    let (store, owner) = (system.store(), OwnerId::new(77));
    store.renew(owner, SECOND).await.expect("a lease");
    let target = supervisor(system, id).target().clone();
    let (epoch_min, mode) = (Epoch::ZERO, ClaimMode::Seize);
    let head = store.acquire(Claim { target, owner, epoch_min, mode }).await.expect("it is seized");
    let children = store.load(&head.target.id, head.epoch).await.expect("it is owned").children;
    children.into_iter().map(|child| child.name.to_string()).collect()
}

#[test]
fn a_supervisor_records_the_children_that_are_up_and_nothing_for_whoever_looks() {
    let mut world = World::new();
    world.run(async |system| {
        let specs = ["a", "b"].map(|id| child(id, Directive::Resume)).to_vec();
        begin_with(system, "s", one_for_one(), specs).await;
        ask(system, "s", SupervisorCommand::StopChild(name("a"))).await;
        let before = journal(system.store(), "s").await;
        tree(system, "s").await;
        assert_eq!(journal(system.store(), "s").await, before);
        assert_eq!(recorded(system, "s").await, ["b"]);
    });
}

#[test]
fn a_child_that_has_told_of_its_end_does_nothing_more_until_it_is_told() {
    let mut world = World::new();
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Restart)]).await;
        let worker = worker(system, "a");
        let calls = [Work::End, Work::Add(1)].map(|work| worker.call(work).into_future());
        let answers = futures_util::future::join_all(calls).await;
        assert!(answers[0].is_ok(), "{answers:?}");
        assert!(matches!(answers[1], Err(AskError::NotApplied(NotApplied::Suspended))), "{answers:?}");
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(0), "a permanent child begins anew");
    });
}

#[test]
fn what_a_child_does_after_a_fresh_start_is_stored_though_its_state_is_as_it_was_before() {
    let mut world = World::new();
    world.run_and_crash(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Restart)]).await;
        fell(system, "a").await;
        assert_eq!(value(system, "a").await, Some(0));
        add(system, "a", 1).await;
    });
    world.run(async |system| assert_eq!(value(system, "a").await, Some(1)));
}

#[test]
fn a_volatile_actor_is_no_child() {
    assert_eq!(ChildSpec::new::<Forgotten>("a", "a"), Err(RequestError::Volatile));
}

#[test]
fn a_child_that_does_not_begin_has_a_supervisor_before_and_tells_it() {
    let mut world = World::new();
    let log = world.log.clone();
    lock(&log.unwilling).insert("a".to_owned());
    world.run(async |system| {
        begin(system, "s", one_for_one()).await;
        spawn(system, "s", child("a", Directive::Stop)).await;
        let expected = [("a".to_owned(), ChildStage::Stopped, 0)];
        assert_eq!(children(&tree(system, "s").await), expected);
        assert!(is_suspended(system, "a").await);
        lock(&log.unwilling).clear();
        ask(system, "s", SupervisorCommand::StartChild(name("a"))).await;
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(0));
    });
    assert_eq!(*lock(&log.starts), ["a"]);
}

#[test]
fn no_child_has_the_name_by_which_a_supervisor_is_recorded() {
    let reserved = "actor-durable-supervisor";
    let refused = ChildSpec::new::<Worker<1>>(reserved, "a");
    assert_eq!(refused, Err(RequestError::Reserved(reserved.to_owned())));
    let mut world = World::new();
    world.run(async |system| {
        begin(system, "s", one_for_one()).await;
        let spec = ChildSpec { name: name(reserved), ..child("a", Directive::Stop) };
        let refused = supervisor(system, "s").call(SupervisorCommand::SpawnChild(spec)).await;
        let Err(AskError::Refused(refusal)) = refused else { panic!("{refused:?}") };
        assert_eq!(refusal, SupervisorRefusal::Reserved(name(reserved)));
        let refused = worker(system, "b").call(Work::Adopt(reserved.to_owned())).await;
        assert_eq!(refused.ok(), Some(-1), "nor has one that is recorded by hand");
    });
}

#[test]
fn a_child_that_has_ended_or_is_of_another_type_is_said_to_be_so() {
    let mut world = World::new();
    world.run(async |system| {
        worker(system, "a").call(Work::End).await.expect("it is stored");
        begin(system, "b", one_for_one()).await;
        begin(system, "s", one_for_one()).await;
        for id in ["a", "b"] {
            spawn(system, "s", child(id, Directive::Stop)).await;
        }
        let expected = ["a", "b"].map(|id| (id.to_owned(), ChildStage::Stopped, 0));
        assert_eq!(children(&tree(system, "s").await), expected);
        let failures = events(system.store(), "s").await.into_iter().filter_map(|event| match event {
            SupervisorEvent::Decided { report, .. } => report.failure().map(|failure| format!("{failure:?}")),
            _ => None,
        });
        let expected = [
            r#"NotActivated("the actor has ended for good")"#,
            r#"NotActivated("the actor is of type actor-durable-supervisor, not worker")"#,
        ];
        assert_eq!(failures.collect::<Vec<_>>(), expected);
        let undelivered = system.store().undelivered(supervisor(system, "s").id(), None, 10).await;
        assert_eq!(undelivered.expect("it is there").len(), 4, "to be a child, and to halt, each");
    });
}

#[test]
fn a_child_that_can_never_begin_is_started_again_as_often_as_is_allowed() {
    let mut world = World::new();
    lock(&world.log.unwilling).insert("a".to_owned());
    world.run(async |system| {
        begin(system, "s", one_for_one().intensity(2, 1000 * SECOND)).await;
        spawn(system, "s", child("a", Directive::Restart)).await;
        let decided: Vec<_> = decisions(system.store(), "s").await.into_iter().map(|(_, it)| it).collect();
        let restart = SupervisorDecision::Restart;
        assert_eq!(decided, [restart, restart, SupervisorDecision::Escalate]);
    });
}

/// Has a supervisor's journal say something that no release knows, while it is in nobody's possession.
async fn spoil(store: &Arc<dyn Store>, system: &DurableSystem, id: &str) {
    let owner = OwnerId::new(77);
    store.renew(owner, SECOND).await.expect("a lease");
    let target = supervisor(system, id).target().clone();
    let (epoch_min, mode) = (Epoch::ZERO, ClaimMode::Seize);
    let head = store.acquire(Claim { target, owner, epoch_min, mode }).await.expect("it is seized");
    let at = journal(store, id).await.last().expect("it has begun").at;
    let mut commit = TurnCommit::new(head.target.id.clone(), head.epoch, head.sequence);
    let events = vec![Body { version: 99, ..Body::default() }];
    let (sequence, cause, sent) = (head.sequence.next(), Cause::Own, Vec::new());
    commit.entries = vec![Entry { sequence, at, cause, has_changed: true, events, sent }];
    store.commit_turn(commit).await.expect("it fits");
    store.release(&head.target.id, head.epoch).await.expect("it is owned");
}

/// A supervisor `top` with the child `s`, a supervisor of the workers `a` and `b`; `s` cannot read its own state any more.
pub(super) fn spoilt_tower(world: &mut World, restart: Restart) {
    world.run_and_crash(async |system| {
        begin(system, "top", one_for_one()).await;
        let spec = ChildSpec::new::<DurableSupervisor>("s", "s").expect("good names").restart(restart);
        spawn(system, "top", spec.on_failure(OnFailure::always(Directive::Stop))).await;
        let specs = ["a", "b"].map(|id| child(id, Directive::Resume)).to_vec();
        begin_with(system, "s", one_for_one(), specs).await;
        let store = system.store();
        spoil(store, system, "s").await;
    });
}

#[test]
fn d38_a_supervisor_that_cannot_be_read_is_stopped_and_its_children_with_it() {
    for restart in [Restart::Temporary, Restart::Permanent] {
        let mut world = World::new();
        spoilt_tower(&mut world, restart);
        world.run(async |system| {
            tree(system, "top").await;
            pass(system, 20 * SECOND).await;
            let is_temporary = restart == Restart::Temporary;
            let head = system.store().head(supervisor(system, "s").id()).await.expect("it is in memory");
            assert_eq!(head.map(|head| head.has_ended), Some(is_temporary));
            let expected = if is_temporary { vec![] } else { vec![("s".to_owned(), ChildStage::Stopped, 0)] };
            assert_eq!(children(&tree(system, "top").await), expected);
            assert_eq!(values(system, ["a", "b"]).await, [None; 2]);
            assert!(is_suspended(system, "a").await && is_suspended(system, "b").await, "{restart:?}");
        });
    }
}

#[test]
fn what_keeps_a_child_from_beginning_is_told_with_its_type() {
    let mut world = World::new();
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Resume)]).await;
        add(system, "a", 1).await;
    });
    let store = FaultStore::new(world.store.clone(), []);
    let inner = std::mem::replace(&mut world.store, Arc::new(store.clone()));
    world.run(async |system| {
        // What a child reads first is how it stands to its supervisor, and then its state.
        let loads = store.visits().get(&Operation::Load).copied().unwrap_or_default();
        store.add(Fault { operation: Operation::Load, visit: loads + 2, mode: FaultMode::Refuse });
        let refused = worker(system, "a").call(Work::Get).await;
        let Err(AskError::NotApplied(NotApplied::NotActivated(error))) = refused else {
            panic!("{refused:?}");
        };
        let is_unavailable =
            matches!(&error, ActivationError::Store(StoreError::NotApplied(Refusal::Unavailable(_))));
        assert!(is_unavailable, "{error:?}");
        assert_eq!(value(system, "a").await, Some(2));
    });
    world.store = inner;
}

#[test]
fn a_child_that_is_suspended_answers_again_what_it_has_answered() {
    let mut world = World::new();
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Resume)]).await;
        let worker = worker(system, "a");
        let id = worker.new_message_id();
        assert_eq!(worker.call(Work::Add(4)).id(id).await.ok(), Some(5));
        ask(system, "s", SupervisorCommand::StopChild(name("a"))).await;
        settle(system).await;
        assert!(is_suspended(system, "a").await);
        assert_eq!(worker.call(Work::Add(4)).id(id).await.ok(), Some(5));
        let new = worker.call(Work::Add(4)).id(worker.new_message_id()).await;
        assert!(matches!(new, Err(AskError::NotApplied(NotApplied::Suspended))), "{new:?}");
    });
}

/// Gives a message up at once.
struct Frail(Executor);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Handling {
    Slow,
    Panics,
    Well,
}

impl Durable for Frail {
    const TYPE: &'static str = "frail";
    const ATTEMPTS_MAX: u32 = 1;
    type State = ();
    type Command = Handling;
    type Reply = ();
    type Error = NoError;

    fn create(&self, _: &DurableId) {}
}

impl DurableActor for Frail {
    async fn handle(&self, how: Handling, (): &mut (), _: &mut Turn<'_, Self>) -> Result<(), NoError> {
        match how {
            // sleep: the simulation's time
            Handling::Slow => self.0.sleep(10 * SECOND).await,
            Handling::Panics => panic!("so it was asked"),
            Handling::Well => {}
        }
        Ok(())
    }
}

#[test]
fn an_order_behind_a_letter_that_is_given_up_is_obeyed() {
    let World { mut simulation, store, .. } = World::new();
    let builder = DurableSystem::builder(&simulation.system(), store)
        .register(Frail(simulation.executor()))
        .register_event_sourced(DurableSupervisor);
    simulation.block_on(async {
        let system = &builder.start().await.expect("the store gives a lease");
        let frail = |id: &str| system.actor::<Frail>(id).expect("a good id");
        begin(system, "s", SupervisorSpec::new(Strategy::OneForAll).intensity(9, SECOND)).await;
        for id in ["a", "b"] {
            let spec = ChildSpec::new::<Frail>(id, id).expect("good names");
            spawn(system, "s", spec.on_failure(OnFailure::always(Directive::Restart))).await;
        }
        let (a, b) = (frail("a"), frail("b"));
        let meanwhile = async {
            pass(system, SECOND).await;
            a.send(Handling::Panics).await.expect("it is stored");
            b.call(Handling::Panics).await.expect_err("it panics, and both are started again");
        };
        let (slow, ()) = futures_util::future::join(a.call(Handling::Slow).into_future(), meanwhile).await;
        slow.expect("it is stored");
        settle(system).await;
        for actor in [&a, &b] {
            actor.call(Handling::Well).await.expect("it was started again");
        }
        let dead = system.store().dead_letters(a.id(), None, 10).await.expect("it is in memory");
        assert_eq!(dead.len(), 1);
    });
}

#[test]
fn whoever_wants_anothers_supervisor_does_not_start_or_stop_its_children() {
    let mut world = World::new();
    world.run(async |system| {
        let middle = |directive| {
            let spec = ChildSpec::new::<DurableSupervisor>("m", "m").expect("good names");
            spec.on_failure(OnFailure::always(directive))
        };
        begin(system, "s", one_for_one()).await;
        spawn(system, "s", middle(Directive::Stop)).await;
        begin_with(system, "m", one_for_one(), vec![child("a", Directive::Stop)]).await;
        begin(system, "t", one_for_one()).await;
        adopts_and_starts(system, "t", middle(Directive::Restart)).await;
        let stopped = [("m".to_owned(), ChildStage::Stopped, 0)];
        assert_eq!(children(&tree(system, "t").await), stopped, "it has tried, and is told");
        assert_eq!(value(system, "a").await, Some(1), "it has its state, and its supervisor");
        let told = |event: &SupervisorEvent| !matches!(event, SupervisorEvent::Spawned { .. });
        assert_eq!(events(system.store(), "m").await.into_iter().filter(told).count(), 1, "that it begins");
    });
}
