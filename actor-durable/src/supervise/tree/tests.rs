//! What each input leads to, example by example.

use std::time::Duration;

use actor_core::{Intensity, Restart, Strategy};

use super::super::order::What;
use super::super::spec::{Failure, OnFailure};
use super::*;
use crate::id::{ActorType, DurableId};

pub(super) fn at(second: u64) -> WallTime {
    WallTime::from_millis(second * 1000)
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

pub(super) fn child(text: &str, restart: Restart, directive: Directive) -> ChildSpec {
    let actor_type = ActorType::new("worker").expect("a good name");
    let target = Target { id: DurableId::new(text).expect("a good id"), actor_type };
    ChildSpec { name: name(text), target, restart, on_failure: OnFailure::always(directive) }
}

/// A tree that has begun, with three permanent children.
fn begun(strategy: Strategy, restarts: u32, seconds: u64) -> SupervisorTree {
    let window = Duration::from_secs(seconds);
    let mut tree = SupervisorTree::default();
    let spec = SupervisorSpec { strategy, intensity: Intensity { restarts, window } };
    step(&mut tree, Input::Begin(spec), at(0));
    for text in ["a", "b", "c"] {
        step(&mut tree, Input::Spawn(child(text, Restart::Permanent, Directive::Restart)), at(0));
    }
    tree
}

/// One event and the orders of it, as a supervisor has it.
fn step(tree: &mut SupervisorTree, input: Input, now: WallTime) -> Vec<(String, Order)> {
    let Some(event) = tree.decide(input, now).expect("it is not refused") else { return Vec::new() };
    let orders = tree.orders(&event);
    tree.apply(&event);
    orders.into_iter().map(|(target, order)| (target.id.to_string(), order)).collect()
}

fn failed(tree: &SupervisorTree, text: &str) -> Input {
    let life = tree.child(&name(text)).map_or(0, |child| child.life);
    Input::Report(Report { child: name(text), life, what: What::Failed(Failure::Panicked("x".into())) })
}

fn fail(tree: &mut SupervisorTree, text: &str, now: WallTime) -> Vec<(String, Order)> {
    let input = failed(tree, text);
    step(tree, input, now)
}

fn fresh(text: &str, life: u64) -> (String, Order) {
    (text.to_owned(), Order::Start { child: name(text), life, is_fresh: true })
}

pub(super) fn halted(text: &str) -> (String, Order) {
    (text.to_owned(), Order::Halt { child: name(text) })
}

#[test]
fn d37_the_strategies_give_new_lives_to_whom_they_concern() {
    let mut tree = begun(Strategy::OneForOne, 3, 5);
    assert_eq!(fail(&mut tree, "b", at(1)), [fresh("b", 4)]);
    let mut tree = begun(Strategy::RestForOne, 3, 5);
    assert_eq!(fail(&mut tree, "b", at(1)), [fresh("b", 4), fresh("c", 5)]);
    let mut tree = begun(Strategy::OneForAll, 3, 5);
    assert_eq!(fail(&mut tree, "b", at(1)), [fresh("a", 4), fresh("b", 5), fresh("c", 6)]);
}

#[test]
fn d37_a_child_that_was_stopped_is_not_started_with_its_siblings() {
    let mut tree = begun(Strategy::OneForAll, 3, 5);
    assert_eq!(step(&mut tree, Input::Stop(name("a")), at(0)), [halted("a")]);
    assert_eq!(fail(&mut tree, "b", at(1)), [fresh("b", 4), fresh("c", 5)]);
}

#[test]
fn d39_what_is_told_of_a_life_that_is_over_was_decided_upon() {
    let mut tree = begun(Strategy::OneForAll, 3, 5);
    // Two have failed; the first report leads to a new life of both.
    let (first, second) = (failed(&tree, "a"), failed(&tree, "b"));
    assert_eq!(step(&mut tree, first.clone(), at(1)).len(), 3);
    assert_eq!(step(&mut tree, second, at(1)), []);
    assert_eq!(step(&mut tree, first, at(1)), []);
    assert_eq!(tree.restarts(), [at(1)]);
}

#[test]
fn d37_a_restart_counts_for_exactly_the_window() {
    let mut tree = begun(Strategy::OneForOne, 2, 10);
    for second in [0, 4, 10, 14] {
        assert_eq!(fail(&mut tree, "a", at(second)).len(), 1, "at {second}");
    }
    let orders = fail(&mut tree, "a", WallTime::from_millis(19_999));
    assert_eq!(orders, ["a", "b", "c"].map(halted));
    assert!(tree.has_escalated());
}

#[test]
fn d40_a_clock_that_steps_back_neither_forgives_nor_counts_for_ever() {
    let mut tree = begun(Strategy::OneForOne, 2, 10);
    fail(&mut tree, "a", at(1_000));
    // It steps back by more than the window: that restart may have been a moment ago.
    fail(&mut tree, "a", at(100));
    assert_eq!(tree.restarts(), [at(100), at(100)]);
    let mut strict = tree.clone();
    fail(&mut strict, "a", at(109));
    assert!(strict.has_escalated());
    // Ten seconds later both are over, though the clock has not come to where it was.
    fail(&mut tree, "a", at(110));
    assert_eq!((tree.has_escalated(), tree.restarts()), (false, &[at(110)][..]));
}

#[test]
fn d38_after_an_escalation_nothing_happens_until_it_begins_again_with_new_counts() {
    let mut tree = begun(Strategy::OneForOne, 0, 10);
    let (a, b) = (failed(&tree, "a"), failed(&tree, "b"));
    step(&mut tree, Input::Stop(name("c")), at(0));
    assert_eq!(step(&mut tree, a, at(1)).len(), 2);
    assert_eq!(step(&mut tree, b, at(1)), []);
    let refused = tree.decide(Input::Spawn(child("d", Restart::Permanent, Directive::Stop)), at(1));
    assert_eq!(refused, Err(SupervisorRefusal::Escalated));
    let again = step(&mut tree, Input::BeginAgain { is_fresh: true }, at(1));
    assert_eq!(again, [fresh("a", 4), fresh("b", 5)]);
    assert!(!tree.has_escalated() && tree.restarts().is_empty());
}

#[test]
fn what_is_refused() {
    let mut tree = SupervisorTree::default();
    let spec = SupervisorSpec::new(Strategy::OneForOne);
    let nothing = |tree: &SupervisorTree, input| tree.decide(input, at(0)).expect_err("it is refused");
    assert_eq!(nothing(&tree, Input::Halt), SupervisorRefusal::NotBegun);
    let too_many = spec.intensity(crate::limits::RESTARTS_COUNTED_MAX + 1, Duration::ZERO);
    assert_eq!(nothing(&tree, Input::Begin(too_many)), SupervisorRefusal::BadSpec);
    step(&mut tree, Input::Begin(spec), at(0));
    let other = SupervisorSpec::new(Strategy::OneForAll);
    assert_eq!(nothing(&tree, Input::Begin(other)), SupervisorRefusal::AlreadyBegun);
    let spec = |text: &str| child(text, Restart::Permanent, Directive::Stop);
    step(&mut tree, Input::Spawn(spec("a")), at(0));
    let same_actor = ChildSpec { name: name("b"), ..spec("a") };
    assert_eq!(nothing(&tree, Input::Spawn(same_actor)), SupervisorRefusal::Taken(name("b")));
    let same_name = ChildSpec { name: name("a"), ..spec("b") };
    assert_eq!(nothing(&tree, Input::Spawn(same_name)), SupervisorRefusal::Taken(name("a")));
    assert_eq!(nothing(&tree, Input::Stop(name("z"))), SupervisorRefusal::NoSuchChild(name("z")));
    assert_eq!(nothing(&tree, Input::Remove(name("a"))), SupervisorRefusal::NotStopped(name("a")));
    for n in 1..SUPERVISED_MAX {
        step(&mut tree, Input::Spawn(spec(&format!("n{n}"))), at(0));
    }
    assert_eq!(nothing(&tree, Input::Spawn(spec("z"))), SupervisorRefusal::TooMany);
}
