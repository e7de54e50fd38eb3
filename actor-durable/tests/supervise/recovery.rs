//! A supervisor whose process ends, and what is there when another begins.

use std::time::Duration;

use actor_core::Strategy;
use actor_durable::supervise::{
    ChildSpec, ChildStage, Directive, DurableSupervisor, OnFailure, SupervisorCommand, SupervisorDecision,
    SupervisorEvent, SupervisorSpec,
};

use super::decisions::name;
use super::{
    World, add, ask, begin, begin_with, child, children, decisions, events, fell, is_suspended, lock,
    one_for_one, settle, spawn, tree, value, values,
};
use crate::stage::pass;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn d39_each_thing_that_is_asked_or_reported_leads_to_one_recorded_decision() {
    let mut world = World::new();
    world.run(async |system| {
        for _ in 0..2 {
            begin(system, "s", one_for_one()).await;
            spawn(system, "s", child("a", Directive::Restart)).await;
        }
        fell(system, "a").await;
        for _ in 0..2 {
            ask(system, "s", SupervisorCommand::StopChild(name("a"))).await;
        }
        settle(system).await;
        let events = events(system.store(), "s").await;
        let expected = [
            matches!(events[0], SupervisorEvent::Begun(_)),
            matches!(events[1], SupervisorEvent::Spawned { .. }),
            matches!(
                events[2],
                SupervisorEvent::Decided { decision: SupervisorDecision::Restart, ref starts, .. }
                    if starts.len() == 1
            ),
            matches!(events[3], SupervisorEvent::Stopped(_)),
        ];
        assert_eq!((expected, events.len()), ([true; 4], 4), "{events:?}");
    });
}

#[test]
fn d40_the_tree_and_the_counts_are_those_of_before_and_no_child_is_twice() {
    let mut world = World::new();
    let before = world.run_and_crash(async |system| {
        let specs = ["a", "b", "c"].map(|id| child(id, Directive::Restart)).to_vec();
        begin_with(system, "s", SupervisorSpec::new(Strategy::RestForOne), specs).await;
        fell(system, "b").await;
        ask(system, "s", SupervisorCommand::StopChild(name("c"))).await;
        settle(system).await;
        tree(system, "s").await
    });
    lock(&world.log.recoveries).clear();
    world.run(async |system| {
        begin(system, "s", SupervisorSpec::new(Strategy::RestForOne)).await;
        settle(system).await;
        assert_eq!(tree(system, "s").await, before);
        let expected = [("a", ChildStage::Up, 0), ("b", ChildStage::Up, 1), ("c", ChildStage::Stopped, 1)];
        assert_eq!(
            children(&before),
            expected.map(|(name, stage, restarts)| (name.to_owned(), stage, restarts))
        );
        assert_eq!(values(system, ["a", "b", "c"]).await, [Some(1), Some(0), None]);
    });
    assert_eq!(*lock(&world.log.starts), ["a", "b", "c"]);
    let mut recoveries = lock(&world.log.recoveries).clone();
    recoveries.sort();
    assert_eq!(recoveries, ["a", "b"], "each that is up came back once");
}

#[test]
fn d40_the_window_goes_on_while_no_process_lives() {
    for (pause, is_too_much) in [(SECOND, true), (100 * SECOND, false)] {
        let mut world = World::new();
        world.run_and_crash(async |system| {
            let spec = one_for_one().intensity(1, 60 * SECOND);
            begin_with(system, "s", spec, vec![child("a", Directive::Resume)]).await;
            fell(system, "a").await;
        });
        world.run(async |system| {
            pass(system, pause).await;
            assert_eq!(value(system, "a").await, Some(1));
            fell(system, "a").await;
            assert_eq!(tree(system, "s").await.has_escalated(), is_too_much, "{pause:?}");
            assert_eq!(is_suspended(system, "a").await, is_too_much);
        });
    }
}

#[test]
fn d09_children_are_recorded_with_their_parent_and_come_back_once() {
    let mut world = World::new();
    world.run_and_crash(async |system| {
        let specs = ["a", "b"].map(|id| child(id, Directive::Resume)).to_vec();
        begin_with(system, "s", one_for_one(), specs).await;
    });
    assert_eq!(*lock(&world.log.starts), ["a", "b"]);
    lock(&world.log.recoveries).clear();
    world.run(async |system| {
        settle(system).await;
        assert_eq!(system.active_count(), 0, "nobody has asked for any of them");
        tree(system, "s").await;
        settle(system).await;
        let actors = [super::worker(system, "a").id().clone(), super::worker(system, "b").id().clone()];
        assert!(actors.iter().all(|id| system.is_active(id)), "they came with their supervisor");
        assert_eq!(values(system, ["a", "b"]).await, [Some(1), Some(2)]);
    });
    assert_eq!(*lock(&world.log.starts), ["a", "b"]);
    let mut recoveries = lock(&world.log.recoveries).clone();
    recoveries.sort();
    assert_eq!(recoveries, ["a", "b"]);
}

/// A supervisor `top` with the child `s`, a supervisor of the workers `a` and `b`.
pub(super) async fn begin_tower(system: &actor_durable::DurableSystem, directive: Directive) {
    begin(system, "top", one_for_one()).await;
    let spec = ChildSpec::new::<DurableSupervisor>("s", "s").expect("good names");
    spawn(system, "top", spec.on_failure(OnFailure::always(directive))).await;
    let specs = vec![child("a", Directive::Escalate), child("b", Directive::Escalate)];
    begin_with(system, "s", one_for_one(), specs).await;
}

#[test]
fn d38_an_escalation_climbs_to_the_supervisor_above_which_decides() {
    let cases = [(Directive::Restart, [Some(0), Some(0)]), (Directive::Resume, [Some(1), Some(2)])];
    for (directive, expected) in cases {
        let mut world = World::new();
        world.run(async |system| {
            begin_tower(system, directive).await;
            fell(system, "a").await;
            settle(system).await;
            assert_eq!(values(system, ["a", "b"]).await, expected, "{directive:?}");
            assert_eq!(decisions(system.store(), "top").await.len(), 1);
            assert!(!tree(system, "s").await.has_escalated());
            // It is a supervisor as before.
            add(system, "b", 10).await;
            fell(system, "b").await;
            assert_eq!(decisions(system.store(), "top").await.len(), 2);
        });
    }
}

#[test]
fn d38_a_supervisor_that_is_stopped_stops_its_children() {
    let mut world = World::new();
    world.run(async |system| {
        begin_tower(system, Directive::Restart).await;
        ask(system, "top", SupervisorCommand::StopChild(name("s"))).await;
        settle(system).await;
        assert!(is_suspended(system, "a").await && is_suspended(system, "b").await);
        ask(system, "top", SupervisorCommand::StartChild(name("s"))).await;
        settle(system).await;
        assert_eq!(values(system, ["a", "b"]).await, [Some(1), Some(2)]);
    });
}
