//! Each way that a call with a key can go.

use super::*;
use crate::wire::{TypeTag, VariantTag};

const MS: Duration = Duration::from_millis(1);

fn caller(node: u8, incarnation: u64) -> NodeLife {
    NodeLife::new(NodeId::from_bytes([node; 32]), Incarnation::from_u64(incarnation))
}

fn target(actor: u64) -> Target {
    let shape = Shape { message: TypeTag::named("test"), variant: VariantTag::named("Ask") };
    Target { actor, shape }
}

fn answer(byte: u8, bytes: usize) -> Outcome {
    Outcome::Answer(vec![byte; bytes].into())
}

fn memory() -> CallMemory {
    CallMemory { calls_max: 3, bytes_max: 10, callers_max: 2, retention: 80 * MS }
}

/// A machine, and the time.
struct Test {
    outcomes: Outcomes<u32>,
    now: Instant,
}

impl Test {
    fn new() -> Self {
        Self { outcomes: Outcomes::new(memory()), now: Instant::ZERO }
    }

    fn ask_of(&mut self, caller: NodeLife, number: u64, is_repeat: bool) -> Decision {
        let key = Key { number, is_repeat };
        self.outcomes.ask(self.now, caller, key, target(1), 7, |_| true)
    }

    fn ask(&mut self, number: u64) -> Decision {
        self.ask_of(caller(1, 1), number, false)
    }

    fn again(&mut self, number: u64) -> Decision {
        self.ask_of(caller(1, 1), number, true)
    }

    fn run(&mut self, number: u64) -> Ticket {
        match self.ask(number) {
            Decision::Run(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    fn finish(&mut self, ticket: Ticket, outcome: Outcome) -> usize {
        self.outcomes.finish(self.now, ticket, outcome).len()
    }

    /// Runs a call to its end.
    fn settle(&mut self, number: u64, outcome: Outcome) {
        let ticket = self.run(number);
        assert_eq!(self.finish(ticket, outcome), 1);
    }
}

#[test]
fn whoever_asks_again_waits_with_the_first_and_is_told_the_same() {
    let mut test = Test::new();
    let ticket = test.run(1);
    assert_eq!([test.again(1), test.again(1)], [Decision::Joined, Decision::Joined]);
    assert_eq!(test.finish(ticket, answer(5, 2)), 3);
    assert_eq!(test.finish(ticket, answer(6, 2)), 0, "a run ends once");
    assert_eq!([test.again(1), test.ask(1)], [Decision::Known(answer(5, 2)), Decision::Known(answer(5, 2))]);
}

#[test]
fn those_who_have_gone_away_are_not_kept() {
    let mut test = Test::new();
    let ticket = test.run(1);
    for waiter in 0..100 {
        let key = Key { number: 1, is_repeat: true };
        let asked = test.outcomes.ask(test.now, caller(1, 1), key, target(1), waiter, |one| *one == 50);
        assert_eq!(asked, Decision::Joined);
    }
    // They are looked for when there is no room for one more.
    let waiters = test.outcomes.finish(test.now, ticket, answer(1, 1));
    assert!(waiters.len() < 8 && waiters.contains(&50) && waiters.ends_with(&[99]), "{waiters:?}");
}

/// Else a peer that asks for one call over and over would keep the node's memory locked.
#[test]
fn asking_again_and_again_looks_at_each_who_waits_a_few_times() {
    let mut test = Test::new();
    let ticket = test.run(1);
    let looks = std::cell::Cell::new(0);
    let asks = 10_000;
    for waiter in 1..=asks {
        let key = Key { number: 1, is_repeat: true };
        let is_there = |_: &u32| {
            looks.set(looks.get() + 1);
            true
        };
        test.outcomes.ask(test.now, caller(1, 1), key, target(1), waiter, is_there);
    }
    assert!(looks.get() < 2 * asks, "{} looks", looks.get());
    assert_eq!(test.outcomes.finish(test.now, ticket, answer(1, 1)).len(), asks as usize + 1);
}

#[test]
fn what_never_ran_can_run_and_what_may_have_cannot() {
    let mut test = Test::new();
    for failure in [CallFailure::Expired, CallFailure::Rejected(actor_core::Rejection::Full)] {
        test.settle(1, Outcome::Failure(failure));
    }
    let ticket = match test.again(1) {
        Decision::Run(ticket) => ticket,
        other => panic!("{other:?}"),
    };
    let no_reply = Outcome::Failure(CallFailure::NoReply);
    assert_eq!(test.finish(ticket, no_reply.clone()), 1);
    assert_eq!(test.again(1), Decision::Known(no_reply));
}

#[test]
fn an_end_of_a_former_run_is_none_of_the_next() {
    let mut test = Test::new();
    let former = test.run(1);
    test.finish(former, Outcome::Failure(CallFailure::Expired));
    let ticket = test.run(1);
    assert_eq!(test.finish(former, Outcome::Failure(CallFailure::NoReply)), 0);
    assert_eq!(test.finish(ticket, answer(1, 1)), 1);
}

#[test]
fn another_message_has_no_right_to_the_key_and_another_node_has_its_own() {
    let mut test = Test::new();
    test.settle(1, answer(1, 1));
    let key = Key { number: 1, is_repeat: true };
    let other = test.outcomes.ask(test.now, caller(1, 1), key, target(2), 7, |_| true);
    assert_eq!(other, Decision::OtherCall);
    assert!(
        matches!(test.ask_of(caller(2, 1), 1, true), Decision::Run(_)),
        "it is told nothing of the first"
    );
}

#[test]
fn more_calls_than_there_is_room_for_make_it_forget_the_oldest_and_never_those_that_run() {
    let mut test = Test::new();
    let running = test.run(1);
    for number in 2..=4_u8 {
        test.settle(number.into(), answer(number, 1));
    }
    assert_eq!(test.again(2), Decision::Forgotten);
    assert_eq!(test.again(4), Decision::Known(answer(4, 1)));
    assert_eq!(test.again(1), Decision::Joined, "a lesser number, and not forgotten");
    // What was never asked runs, whatever its number.
    let late = test.run(2);
    let tickets = [running, late, test.run(5)];
    assert_eq!(test.ask(6), Decision::Full);
    assert_eq!(test.again(6), Decision::Full, "it never ran, and is not forgotten");
    for ticket in tickets {
        test.finish(ticket, answer(9, 1));
    }
    assert!(matches!(test.ask(6), Decision::Run(_)));
}

#[test]
fn more_bytes_than_there_is_room_for_are_forgotten_from_the_oldest_on() {
    let mut test = Test::new();
    test.settle(1, answer(1, 4));
    test.settle(2, answer(2, 6));
    assert_eq!(test.again(1), Decision::Known(answer(1, 4)), "exactly as much as may be");
    test.settle(3, answer(3, 1));
    assert_eq!([test.again(1), test.again(2)], [Decision::Forgotten, Decision::Known(answer(2, 6))]);
    test.settle(4, answer(4, 11));
    assert_eq!(test.again(4), Decision::Forgotten, "too long to be kept at all");
    assert_eq!(
        [test.again(2), test.again(3)],
        [Decision::Known(answer(2, 6)), Decision::Known(answer(3, 1))]
    );
    test.settle(5, answer(5, 10));
    assert_eq!(test.again(5), Decision::Known(answer(5, 10)));
}

#[test]
fn what_is_old_is_forgotten() {
    let mut test = Test::new();
    test.settle(1, answer(1, 1));
    test.now = test.now + 40 * MS;
    test.settle(2, answer(2, 1));
    let running = test.run(3);
    test.now = test.now + 39 * MS;
    assert_eq!(test.again(1), Decision::Known(answer(1, 1)));
    test.now = test.now + 10 * MS;
    assert_eq!([test.again(1), test.again(2)], [Decision::Forgotten, Decision::Known(answer(2, 1))]);
    test.now = test.now + 1000 * MS;
    assert_eq!([test.again(2), test.again(3)], [Decision::Forgotten, Decision::Joined]);
    assert_eq!(test.finish(running, answer(3, 1)), 2);
}

#[test]
fn what_is_old_is_let_go_though_nobody_asks() {
    let mut test = Test::new();
    test.settle(1, answer(1, 10));
    let running = test.run(2);
    test.outcomes.sweep(Instant::ZERO + 79 * MS);
    assert_eq!(test.outcomes.callers[&caller(1, 1).node].bytes, 10);
    test.outcomes.sweep(Instant::ZERO + 90 * MS);
    assert_eq!(test.outcomes.callers[&caller(1, 1).node].bytes, 0);
    assert_eq!([test.again(1), test.again(2)], [Decision::Forgotten, Decision::Joined]);
    assert_eq!(test.finish(running, answer(2, 1)), 2);
}

#[test]
fn a_new_life_of_a_caller_has_asked_nothing() {
    let mut test = Test::new();
    let former = test.run(1);
    test.settle(2, answer(2, 1));
    let new = caller(1, 2);
    assert!(matches!(test.ask_of(new, 1, false), Decision::Run(_)));
    assert!(matches!(test.ask_of(new, 2, true), Decision::Run(_)));
    assert_eq!(test.finish(former, answer(1, 1)), 0);
    assert_eq!(test.again(2), Decision::Forgotten, "a life that is over hears nothing");
}

#[test]
fn a_caller_that_was_forgotten_may_ask_and_not_ask_again() {
    let mut test = Test::new();
    let run = |decision| match decision {
        Decision::Run(ticket) => ticket,
        other => panic!("{other:?}"),
    };
    let first = test.run(1);
    let second = run(test.ask_of(caller(2, 1), 1, true));
    assert_eq!(test.ask_of(caller(3, 1), 1, false), Decision::Full, "calls of both run");
    assert_eq!(test.finish(first, answer(1, 1)), 1);
    let third = run(test.ask_of(caller(3, 1), 1, false));
    assert_eq!(test.finish(second, answer(1, 1)), 1);
    // The second is forgotten for it.
    assert_eq!(test.again(1), Decision::Forgotten);
    run(test.ask(2));
    assert_eq!(test.finish(third, answer(1, 1)), 1);
    assert_eq!(test.ask_of(caller(4, 1), 1, true), Decision::Forgotten, "it might be a former one");
}
