//! What each decision does to a child, and to its siblings.

use std::time::Duration;

use actor_core::{Restart, Strategy};
use actor_durable::limits::SUPERVISION_DEPTH_MAX;
use actor_durable::supervise::{
    ChildSpec, ChildStage, Directive, DurableSupervisor, SupervisorCommand, SupervisorDecision,
    SupervisorEvent, SupervisorRefusal, SupervisorSpec,
};
use actor_durable::{AskError, Name, NotApplied};

use super::{
    Work, Worker, World, add, ask, begin, begin_with, child, children, decisions, events, fell, is_suspended,
    lock, of_policy, one_for_one, settle, spawn, supervisor, tree, value, values, worker,
};
use crate::stage::pass;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn d37_the_strategy_says_whom_a_restart_concerns() {
    let cases = [
        (Strategy::OneForOne, [Some(1), Some(0), Some(3)]),
        (Strategy::OneForAll, [Some(0), Some(0), Some(0)]),
        (Strategy::RestForOne, [Some(1), Some(0), Some(0)]),
    ];
    for (strategy, expected) in cases {
        let mut world = World::new();
        world.run(async |system| {
            let specs = ["a", "b", "c"].map(|id| child(id, Directive::Restart)).to_vec();
            begin_with(system, "s", SupervisorSpec::new(strategy), specs).await;
            fell(system, "b").await;
            assert_eq!(values(system, ["a", "b", "c"]).await, expected, "{strategy:?}");
            let tree = tree(system, "s").await;
            assert_eq!(tree.restarts().len(), 1, "one failure is one restart, whomever it concerns");
        });
    }
}

#[test]
fn d37_resume_concerns_the_child_alone_whatever_the_strategy() {
    let mut world = World::new();
    world.run(async |system| {
        let specs = ["a", "b"].map(|id| child(id, Directive::Resume)).to_vec();
        begin_with(system, "s", SupervisorSpec::new(Strategy::OneForAll), specs).await;
        fell(system, "a").await;
        assert_eq!(values(system, ["a", "b"]).await, [Some(1), Some(2)]);
        let expected = [("a".to_owned(), ChildStage::Up, 1), ("b".to_owned(), ChildStage::Up, 0)];
        assert_eq!(children(&tree(system, "s").await), expected);
    });
}

#[test]
fn d37_one_restart_more_than_allowed_within_the_window_is_an_escalation() {
    let mut world = World::new();
    world.run(async |system| {
        let specs = ["a", "b"].map(|id| child(id, Directive::Resume)).to_vec();
        begin_with(system, "s", one_for_one().intensity(2, 10 * SECOND), specs).await;
        fell(system, "a").await;
        fell(system, "a").await;
        // The window has gone by: these are not too many.
        pass(system, 10 * SECOND).await;
        fell(system, "a").await;
        fell(system, "b").await;
        assert_eq!(values(system, ["a", "b"]).await, [Some(1), Some(2)]);
        fell(system, "a").await;
        assert!(is_suspended(system, "a").await && is_suspended(system, "b").await);
        assert!(tree(system, "s").await.has_escalated());
        let last = decisions(system.store(), "s").await.pop();
        assert_eq!(last, Some(("a".to_owned(), SupervisorDecision::Escalate)));
    });
}

#[test]
fn d38_the_four_decisions_have_four_outcomes() {
    let mut world = World::new();
    world.run(async |system| {
        let directives = [Directive::Restart, Directive::Resume, Directive::Stop, Directive::Escalate];
        let specs =
            ["a", "b", "c", "d"].into_iter().zip(directives).map(|(id, directive)| child(id, directive));
        begin_with(system, "s", one_for_one(), specs.collect()).await;
        for id in ["a", "b", "c"] {
            fell(system, id).await;
        }
        assert_eq!(values(system, ["a", "b", "d"]).await, [Some(0), Some(2), Some(4)]);
        assert!(is_suspended(system, "c").await);
        fell(system, "d").await;
        for id in ["a", "b", "c", "d"] {
            assert!(is_suspended(system, id).await, "{id}");
        }
        let decisions: Vec<_> = decisions(system.store(), "s").await.into_iter().map(|(_, it)| it).collect();
        let expected = [
            SupervisorDecision::Restart,
            SupervisorDecision::Resume,
            SupervisorDecision::Stop,
            SupervisorDecision::Escalate,
        ];
        assert_eq!(decisions, expected);
    });
}

#[test]
fn d38_a_fresh_state_is_stored_and_what_was_handled_stays_handled() {
    let mut world = World::new();
    let id = world.run_and_crash(async |system| {
        begin(system, "s", one_for_one()).await;
        spawn(system, "s", child("a", Directive::Restart)).await;
        let a = worker(system, "a");
        let id = a.new_message_id();
        assert_eq!(a.call(Work::Add(5)).id(id).await.ok(), Some(5));
        fell(system, "a").await;
        assert_eq!(a.call(Work::Add(5)).id(id).await.ok(), Some(5), "its reply, and nothing else");
        id
    });
    world.run(async |system| {
        assert_eq!(value(system, "a").await, Some(0));
        assert_eq!(worker(system, "a").call(Work::Add(5)).id(id).await.ok(), Some(5));
        assert_eq!(value(system, "a").await, Some(0));
    });
    assert_eq!(*lock(&world.log.starts), ["a"], "`on_start` runs once ever");
}

#[test]
fn d38_what_cannot_be_activated_is_stopped_and_its_state_is_kept() {
    let mut world = World::new();
    world.run(async |system| {
        begin(system, "s", one_for_one()).await;
        let spec = ChildSpec::new::<Worker<1>>("a", "a").expect("good names");
        spawn(system, "s", spec).await;
        add(system, "a", 7).await;
    });
    let log = world.log.clone();
    lock(&log.broken).insert("a".to_owned());
    world.run(async |system| {
        assert!(is_suspended(system, "a").await);
        settle(system).await;
        let expected = [("a".to_owned(), ChildStage::Stopped, 0)];
        assert_eq!(children(&tree(system, "s").await), expected);
        lock(&log.broken).clear();
        settle(system).await;
        assert!(is_suspended(system, "a").await, "nobody has started it");
        ask(system, "s", SupervisorCommand::StartChild(name("a"))).await;
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(7));
    });
}

#[test]
fn d38_a_state_of_another_release_is_a_failure_that_is_told() {
    let mut world = World::new();
    world.run(async |system| {
        begin(system, "s", one_for_one()).await;
        spawn(system, "s", child("a", Directive::Restart)).await;
        add(system, "a", 7).await;
    });
    let system = world.process::<2>();
    world.simulation.block_on(async {
        let system = system.await;
        let a = system.actor::<Worker<2>>("a").expect("a good id");
        drop(a.call(Work::Get).await);
        settle(&system).await;
        assert_eq!(a.call(Work::Get).await.ok(), Some(0));
        let events = events(system.store(), "s").await;
        let Some(SupervisorEvent::Decided { report, .. }) = events.last() else { panic!("{events:?}") };
        let text = format!("{:?}", report.failure());
        assert!(text.contains("a state of version 1; this program knows version 2"), "{text}");
    });
}

#[test]
fn d37_a_child_that_ends_begins_afresh_if_it_is_permanent_and_is_forgotten_otherwise() {
    let mut world = World::new();
    world.run(async |system| {
        let policies = [Restart::Permanent, Restart::Transient, Restart::Temporary];
        let specs = ["a", "b", "c"].into_iter().zip(policies).map(|(id, policy)| of_policy(id, policy));
        begin_with(system, "s", one_for_one(), specs.collect()).await;
        for id in ["a", "b", "c"] {
            assert!(worker(system, id).call(Work::End).await.is_ok());
        }
        settle(system).await;
        assert_eq!(values(system, ["a", "b", "c"]).await, [Some(0), None, None]);
        let expected = [("a".to_owned(), ChildStage::Up, 1)];
        assert_eq!(children(&tree(system, "s").await), expected);
        for id in ["b", "c"] {
            let head = system.store().head(worker(system, id).id()).await.expect("it is in memory");
            assert!(head.is_some_and(|head| head.has_ended), "{id}");
        }
    });
}

#[test]
fn d37_a_transient_child_that_fails_is_restarted_and_a_temporary_one_ends() {
    let mut world = World::new();
    world.run(async |system| {
        let specs = vec![of_policy("a", Restart::Transient), of_policy("b", Restart::Temporary)];
        begin_with(system, "s", one_for_one(), specs).await;
        fell(system, "a").await;
        fell(system, "b").await;
        assert_eq!(values(system, ["a", "b"]).await, [Some(0), None]);
        let expected = [("a".to_owned(), ChildStage::Up, 1)];
        assert_eq!(children(&tree(system, "s").await), expected);
    });
}

#[test]
fn a_child_that_is_stopped_keeps_its_letters_and_handles_them_when_it_is_started() {
    let mut world = World::new();
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Resume)]).await;
        ask(system, "s", SupervisorCommand::StopChild(name("a"))).await;
        settle(system).await;
        worker(system, "a").send(Work::Add(10)).await.expect("it is stored");
        pass(system, 60 * SECOND).await;
        assert!(is_suspended(system, "a").await);
        ask(system, "s", SupervisorCommand::StartChild(name("a"))).await;
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(11));
        let refused = supervisor(system, "s").call(SupervisorCommand::RemoveChild(name("a"))).await;
        let Err(AskError::Refused(SupervisorRefusal::NotStopped(_))) = refused else { panic!("{refused:?}") };
        ask(system, "s", SupervisorCommand::StopChild(name("a"))).await;
        ask(system, "s", SupervisorCommand::RemoveChild(name("a"))).await;
        settle(system).await;
        assert_eq!(value(system, "a").await, Some(11), "it is an actor without supervisor");
        let panicked = worker(system, "a").call(Work::Panic).await;
        assert!(matches!(panicked, Err(AskError::NotApplied(NotApplied::Panicked(_)))), "{panicked:?}");
        assert_eq!(value(system, "a").await, Some(11), "as such it goes on at once");
    });
}

#[test]
fn a_poisonous_letter_counts_attempts_and_is_given_up_under_a_supervisor_too() {
    let mut world = World::new();
    world.run(async |system| {
        let spec = one_for_one().intensity(100, 1000 * SECOND);
        begin_with(system, "s", spec, vec![child("a", Directive::Resume)]).await;
        let poison = worker(system, "a").send(Work::Panic).await.expect("it is stored");
        worker(system, "a").send(Work::Add(10)).await.expect("it is stored");
        pass(system, 60 * SECOND).await;
        assert_eq!(value(system, "a").await, Some(11));
        let dead =
            system.store().dead_letters(worker(system, "a").id(), None, 10).await.expect("it is there");
        let [dead] = &dead[..] else { panic!("{dead:?}") };
        assert_eq!((dead.letter.message.id, dead.letter.attempts), (poison, 5));
        assert_eq!(decisions(system.store(), "s").await.len(), 5, "one for each attempt");
    });
}

#[test]
fn a_timer_of_a_life_that_is_over_does_nothing() {
    let mut world = World::new();
    world.run(async |system| {
        begin_with(system, "s", one_for_one(), vec![child("a", Directive::Restart)]).await;
        worker(system, "a").call(Work::Timer(5 * SECOND)).await.expect("it is stored");
        fell(system, "a").await;
        worker(system, "a").call(Work::Timer(8 * SECOND)).await.expect("it is stored");
        pass(system, 60 * SECOND).await;
        assert_eq!(value(system, "a").await, Some(1000));
    });
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

#[test]
fn one_poisonous_message_does_not_use_up_the_default_intensity() {
    let mut world = World::new();
    world.run(async |system| {
        let specs = ["a", "b"].map(|id| ChildSpec::new::<Worker<1>>(id, id).expect("good names"));
        begin_with(system, "s", one_for_one(), specs.to_vec()).await;
        worker(system, "a").send(Work::Panic).await.expect("it is stored");
        worker(system, "a").send(Work::Add(10)).await.expect("it is stored");
        pass(system, Duration::from_secs(4)).await;
        let resumed = ("a".to_owned(), SupervisorDecision::Resume);
        assert_eq!(decisions(system.store(), "s").await, vec![resumed; 5], "with each attempt");
        let tree = tree(system, "s").await;
        assert_eq!((tree.has_escalated(), tree.restarts().len()), (false, 1));
        let dead = system.store().dead_letters(worker(system, "a").id(), None, 10).await;
        assert_eq!(dead.expect("it is in memory").len(), 1);
        assert_eq!(values(system, ["a", "b"]).await, [Some(11), Some(2)], "what was behind it is handled");
    });
}

#[test]
fn a_supervisor_at_the_top_that_has_given_up_goes_on_when_somebody_says_so() {
    let mut world = World::new();
    world.run(async |system| {
        let specs = ["a", "b"].map(|id| child(id, Directive::Resume)).to_vec();
        begin_with(system, "s", one_for_one().intensity(0, SECOND), specs).await;
        fell(system, "a").await;
        assert!(tree(system, "s").await.has_escalated());
        assert_eq!(values(system, ["a", "b"]).await, [None; 2]);
        ask(system, "s", SupervisorCommand::BeginAgain { is_fresh: false }).await;
        settle(system).await;
        assert_eq!(values(system, ["a", "b"]).await, [Some(1), Some(2)]);
        assert!(!tree(system, "s").await.has_escalated());
    });
}

#[test]
fn a_supervisor_is_not_its_own_child() {
    let mut world = World::new();
    world.run(async |system| {
        begin(system, "s", one_for_one()).await;
        let itself = ChildSpec::new::<DurableSupervisor>("me", "s").expect("good names");
        let refused = supervisor(system, "s").call(SupervisorCommand::SpawnChild(itself)).await;
        let Err(AskError::Refused(refusal)) = refused else { panic!("{refused:?}") };
        assert_eq!(refusal, SupervisorRefusal::Itself(name("me")));
    });
}

#[test]
fn supervisors_that_are_below_one_another_start_again_no_more_often_than_is_allowed() {
    let mut world = World::new();
    world.run(async |system| {
        for (above, below) in [("s", "t"), ("t", "s")] {
            begin(system, above, one_for_one()).await;
            begin(system, below, one_for_one()).await;
            let spec = ChildSpec::new::<DurableSupervisor>(below, below).expect("good names");
            spawn(system, above, spec).await;
        }
        ask(system, "s", SupervisorCommand::BeginAgain { is_fresh: false }).await;
        pass(system, SECOND).await;
        let mut begun = 0;
        for id in ["s", "t"] {
            let events = events(system.store(), id).await;
            begun += events.iter().filter(|it| matches!(it, SupervisorEvent::BegunAgain { .. })).count();
        }
        assert_eq!(begun, SUPERVISION_DEPTH_MAX as usize + 1, "and then it is over");
    });
}

#[test]
fn a_child_that_was_stopped_with_its_supervisor_can_be_removed() {
    let mut world = World::new();
    world.run(async |system| {
        let specs = vec![child("a", Directive::Escalate), child("b", Directive::Stop)];
        begin_with(system, "s", one_for_one(), specs).await;
        fell(system, "a").await;
        assert!(is_suspended(system, "b").await);
        ask(system, "s", SupervisorCommand::RemoveChild(name("b"))).await;
        settle(system).await;
        assert_eq!(value(system, "b").await, Some(2), "it is an actor without supervisor");
        assert_eq!(children(&tree(system, "s").await), [("a".to_owned(), ChildStage::Halted, 0)]);
    });
}
