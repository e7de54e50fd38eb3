//! Honest callers against a memory that is too small for them, beside a plain account of everything that was
//! ever asked: nothing runs twice, nobody is told another's answer, and nothing is forgotten without need.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::wire::{TypeTag, VariantTag};

#[derive(Clone, Debug)]
enum Step {
    /// Decision for the first time, with the next number but so many.
    Ask {
        caller: u8,
        behind: u64,
    },
    Again {
        caller: u8,
        which: usize,
    },
    Finish {
        which: usize,
        bytes: usize,
        never_ran: bool,
    },
    Wait {
        millis: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_u8, 0..3_u64).prop_map(|(caller, behind)| Step::Ask { caller, behind }),
        3 => (0..3_u8, any::<usize>()).prop_map(|(caller, which)| Step::Again { caller, which }),
        3 => (any::<usize>(), 0..16_usize, prop::bool::weighted(0.2))
            .prop_map(|(which, bytes, never_ran)| Step::Finish { which, bytes, never_ran }),
        1 => (1..60_u64).prop_map(|millis| Step::Wait { millis }),
    ]
}

/// What really became of a call.
#[derive(Clone, Debug, PartialEq)]
enum Truth {
    Idle,
    Running(usize),
    Finished(Outcome),
}

/// What a memory has to forget, told from what happened alone.
#[derive(Default)]
struct Needs {
    /// Those who are known, the one that has not asked for longest first.
    callers: Vec<u8>,
    /// Whether a caller was not known for a while.
    was_unknown: [bool; 3],
    /// In that order.
    ended: Vec<Ended>,
}

struct Ended {
    call: (u8, u64),
    bytes: usize,
    at: Instant,
    /// Whether there was a need of its room.
    has_to_go: bool,
}

impl Needs {
    /// Whether there is room for the caller.
    fn asks(&mut self, who: u8, callers_max: usize, is_running: impl Fn(u8) -> bool) -> bool {
        let is_known = self.callers.contains(&who);
        if !is_known && self.callers.len() >= callers_max {
            let Some(oldest) = self.callers.iter().position(|known| !is_running(*known)) else {
                return false;
            };
            let oldest = self.callers.remove(oldest);
            self.was_unknown[usize::from(oldest)] = true;
        }
        self.callers.retain(|known| *known != who);
        // Of a new one it is not known either, once anybody was forgotten.
        self.was_unknown[usize::from(who)] |= !is_known && self.was_unknown.contains(&true);
        self.callers.push(who);
        true
    }

    /// A call runs beside so many others of its caller.
    fn runs(&mut self, who: u8, others: usize) {
        let mut calls = others;
        for ended in self.kept(who) {
            calls += 1;
            ended.has_to_go |= calls >= MEMORY.calls_max;
        }
    }

    fn ends(&mut self, call: (u8, u64), bytes: usize, at: Instant) {
        let has_to_go = bytes > MEMORY.bytes_max;
        self.ended.push(Ended { call, bytes, at, has_to_go });
        let mut sum = 0;
        for ended in self.kept(call.0) {
            sum += ended.bytes;
            ended.has_to_go |= sum > MEMORY.bytes_max;
        }
    }

    /// The calls of a caller for whose answers there is room at all, the last one first.
    fn kept(&mut self, who: u8) -> impl Iterator<Item = &mut Ended> {
        let of_caller = self.ended.iter_mut().rev().filter(move |ended| ended.call.0 == who);
        of_caller.filter(|ended| ended.bytes <= MEMORY.bytes_max)
    }

    /// Whether a call that ended has to be forgotten, or is as good as forgotten since a later one is.
    fn has_to_forget(&self, (who, number): (u8, u64), has_ended: bool, now: Instant) -> bool {
        let has_to_go = |ended: &Ended| ended.has_to_go || ended.at + MEMORY.retention <= now;
        let of_caller = self.ended.iter().filter(|ended| ended.call.0 == who && has_to_go(ended));
        let mut gone = of_caller.map(|ended| ended.call.1);
        let is_gone =
            if has_ended { gone.any(|gone| gone == number) } else { gone.any(|gone| gone >= number) };
        is_gone || self.was_unknown[usize::from(who)]
    }
}

const MEMORY: CallMemory =
    CallMemory { calls_max: 4, bytes_max: 12, callers_max: 3, retention: Duration::from_millis(100) };

proptest! {
    #[test]
    fn nothing_runs_twice_and_nobody_is_told_anything_else(steps in prop::collection::vec(step(), 1..200), callers_max in 2..4_usize) {
        let mut outcomes = Outcomes::<()>::new(CallMemory { callers_max, ..MEMORY });
        let shape = Shape { message: TypeTag::named("test"), variant: VariantTag::named("Ask") };
        let target = Target { actor: 1, shape };
        let mut now = Instant::ZERO;
        let mut truths = BTreeMap::<(u8, u64), Truth>::new();
        let mut next = [0_u64; 3];
        let mut running = Vec::<((u8, u64), Ticket)>::new();
        let mut answers = 0_u8;
        let mut needs = Needs::default();
        for step in steps {
            let (who, number, is_repeat) = match step {
                Step::Ask { caller, behind } => {
                    let counter = &mut next[usize::from(caller)];
                    *counter += 3;
                    let number = *counter - behind.min(2);
                    (caller, number, truths.contains_key(&(caller, number)))
                }
                Step::Again { caller, which } => {
                    let known: Vec<u64> = truths.keys().filter(|(of, _)| *of == caller).map(|(_, n)| *n).collect();
                    if known.is_empty() {
                        continue;
                    }
                    (caller, known[which % known.len()], true)
                }
                Step::Finish { which, bytes, never_ran } => {
                    if running.is_empty() {
                        continue;
                    }
                    let (call, ticket) = running.swap_remove(which % running.len());
                    answers = answers.wrapping_add(1);
                    let outcome = match never_ran {
                        true => Outcome::Failure(CallFailure::Expired),
                        false => Outcome::Answer(vec![answers; bytes].into()),
                    };
                    let told = outcomes.finish(now, ticket, outcome.clone()).len();
                    let Some(Truth::Running(waiting)) = truths.get(&call) else { panic!("it was running") };
                    prop_assert_eq!(told, *waiting, "all are told");
                    if !never_ran {
                        needs.ends(call, bytes, now);
                    }
                    truths.insert(call, if never_ran { Truth::Idle } else { Truth::Finished(outcome) });
                    continue;
                }
                Step::Wait { millis } => {
                    now = now + Duration::from_millis(millis);
                    continue;
                }
            };
            let caller = NodeLife::new(NodeId::from_bytes([who; 32]), Incarnation::from_u64(1));
            let runs = |of: u8| running.iter().any(|((who, _), _)| *who == of);
            let has_room = needs.asks(who, callers_max, runs);
            let asked = outcomes.ask(now, caller, Key { number, is_repeat }, target, (), |()| true);
            let truth = truths.entry((who, number)).or_insert(Truth::Idle);
            if !has_room {
                prop_assert_eq!(asked, Decision::Full);
                continue;
            }
            match asked {
                Decision::Run(ticket) => {
                    prop_assert_eq!(&*truth, &Truth::Idle, "it runs once");
                    *truth = Truth::Running(1);
                    needs.runs(who, running.iter().filter(|((of, _), _)| *of == who).count());
                    running.push(((who, number), ticket));
                }
                Decision::Joined => match truth {
                    Truth::Running(waiting) => *waiting += 1,
                    other => prop_assert!(false, "{:?} is joined", other),
                },
                Decision::Known(outcome) => prop_assert_eq!(&*truth, &Truth::Finished(outcome)),
                Decision::Forgotten => {
                    prop_assert!(is_repeat, "what was never asked is never forgotten");
                    let has_ended = matches!(truth, Truth::Finished(_));
                    prop_assert!(needs.has_to_forget((who, number), has_ended, now), "without need: {:?}", truth);
                }
                Decision::Full => prop_assert!(running.iter().filter(|((of, _), _)| *of == who).count() >= MEMORY.calls_max),
                Decision::OtherCall => prop_assert!(false),
            }
            prop_assert!(outcomes.callers.len() <= callers_max);
            for known in outcomes.callers.values() {
                prop_assert!(known.calls.len() <= MEMORY.calls_max && known.bytes <= MEMORY.bytes_max);
                let finished = known.calls.values().filter(|call| matches!(call.state, State::Finished(_)));
                prop_assert_eq!(known.finished.len(), finished.count());
            }
        }
    }
}
