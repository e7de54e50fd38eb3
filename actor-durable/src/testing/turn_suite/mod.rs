//! What durable actors promise, over a store that fails at each of its operations in each of five ways: the points at which a
//! turn can be cut off, and what must hold whichever it was. Every store runs it.
//!
//! | point | (a) crash before, (b) crash after, (c) answer lost, and refused | (d) torn | (e) held up: for a while; until another owner is there |
//! |---|---|---|---|
//! | P0 message stored, sender not told | `enqueue` | M | `enqueue`; `late_enqueue` |
//! | P1 lease taken | `renew`, `acquire` | A | `renew`, `acquire`; `late_acquire` |
//! | P2 state read | `load`, `inbox` | nothing is written | `load`, `inbox`; `late_load`, `late_inbox` |
//! | P3 in the midst of replaying | `p3_in_the_midst_of_replaying`, `entries` | nothing is written | the same |
//! | P4 before the handler | `begin_attempt`; `handler`: the process ends in it | T | `begin_attempt`; `late_begin_attempt` |
//! | P5 handler done, before the append | `commit_turn` (a), (c) refused | nothing is written | `commit_turn`; `late_commit_turn` |
//! | P6 in the append | it is one operation | T | |
//! | P7 appended, answer lost | `commit_turn` (b), (c) | T | `late_commit_turn` |
//! | P8 appended, state not stored beside it | `p8_events_stored_and_the_state_not`, `save_snapshot` | S | the same; `late_save_snapshot` |
//! | P9 state stored, journal not trimmed | `p9_state_stored_and_the_journal_not_trimmed` | S | the same |
//! | P10 committed, before replies and outbox leave | `commit_turn` (b) | T | `late_commit_turn` |
//! | P11 delivered, and not marked | `transfer`, `mark_delivered` | D | the same; `late_transfer`, `late_mark_delivered` |
//! | P12 all stored, not released | `p12_all_stored_and_not_released`, `release` | R | the same; `late_release` |
//! | P13 released, not acquired | `p13_released_and_not_acquired` | A | the same; `late_acquire` |
//!
//! and `fire`, `due`, `waiting`, `reply` and `late_fire`, which no point names.
//!
//! A write is torn for real, which is a matter of each store; the one in memory writes nothing. In redb, by a disk whose power is
//! cut, all of them at any step: `power_that_is_cut_at_any_step_breaks_no_promise_of_actors` with these actors, and
//! `power_that_is_cut_at_any_step_loses_nothing_acknowledged_and_leaves_nothing_half` beside the store in memory. In PostgreSQL,
//! by a server that is stopped at once, `what_was_acknowledged_outlives_a_server_that_crashes_under_load`, and by connections that are
//! cut: `a_connection_that_is_cut_anywhere_breaks_no_promise_of_actors` with these actors, and with one operation each, T
//! `a_turn_whose_connection_is_cut_anywhere_is_whole_or_not_there_and_unknown`, M
//! `a_message_whose_connection_is_cut_anywhere_comes_once_when_it_is_sent_again`, A
//! `an_acquisition_that_is_cut_before_its_last_word_has_changed_nothing_and_says_so`, S
//! `a_state_whose_connection_is_cut_anywhere_is_stored_and_the_journal_trimmed_or_neither`, D
//! `a_message_that_is_cut_on_its_way_lies_in_one_place`, R
//! `a_release_whose_connection_is_cut_anywhere_has_been_or_not`. In the store of the examples,
//! `a_record_that_was_not_finished_is_cut_off_and_no_other`.
//!
//! Operations of an owner that come `late_…` come when another process has the actors: they are fenced and change nothing, and
//! whoever waited for one is told what is certain.
//!
//! What must hold: I1 no acknowledged message is lost; I2 each changes the state once; I3 the state is what the journal comes
//! to; I4 the journal has no gap, its times do not go back, and no epoch of any process is less than one before it; I5 each effect happens, and once for a sink that knows keys; I6
//! one sender's messages are applied in order; I7 the same id has the same reply.
//!
//! Mounted as the suite of stores is: `actor_durable::turn_suite!(MyPlace::new())`. The actor that is cut off there keeps its state
//! whole; in another [`Form`] with `turn_suite!(MyPlace::new(), Events)`. With `turn_suite!(MyPlace::new(), Events, drawn)` a few
//! runs are drawn by a seed, and all are run where `ACTOR_TEST_FULL` is set.
#![allow(clippy::missing_panics_doc, reason = "a suite speaks by panicking")]

mod actors;
mod judge;
mod points;
mod run;
mod takeover;
mod teller;
#[cfg(test)]
mod tests;
mod torn;

use std::fmt::Display;
use std::future::ready;
use std::time::Duration;

use actor_core::Executor;
use futures_util::stream::{self, StreamExt};

pub use self::points::{Point, Strike};
use self::run::Trial;
pub use self::takeover::{Takeover, When};
use self::teller::{EventTeller, PlainTeller, StateTeller, Teller, TellerServices};
pub use self::torn::Torn;
use super::store_suite::Place;
use super::store_suite::dice::Dice;
use super::{Fault, FaultMode, Operation};
use crate::{Wrapped, WrappedService};

/// So many runs are under way at a time.
const AT_ONCE: usize = 5;

/// So many runs are drawn where not all are run.
const DRAWN: usize = 5;

/// How long one run may take before it counts as hung.
pub const RUN_DEADLINE: Duration = Duration::from_secs(60);

/// Stands for the handler, which is no operation of a store: the process ends in it.
pub const HANDLER: Operation = Operation::Actors;

/// The operations that fail.
const OPERATIONS: &[Operation] = &[
    Operation::Enqueue,
    Operation::Renew,
    Operation::Acquire,
    Operation::Load,
    Operation::Entries,
    Operation::Inbox,
    HANDLER,
    Operation::CommitTurn,
    Operation::SaveSnapshot,
    Operation::Transfer,
    Operation::MarkDelivered,
    Operation::Release,
    Operation::BeginAttempt,
    Operation::Fire,
    Operation::Due,
    Operation::Waiting,
    Operation::Reply,
];

/// The operations that come late.
const OWNERS_OPERATIONS: &[Operation] = &[
    Operation::Enqueue,
    Operation::Acquire,
    Operation::Load,
    Operation::Inbox,
    Operation::CommitTurn,
    Operation::SaveSnapshot,
    Operation::BeginAttempt,
    Operation::Transfer,
    Operation::MarkDelivered,
    Operation::Release,
    Operation::Fire,
];

/// In which form the actor is written that is cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A [`DurableActor`](crate::DurableActor).
    State,
    /// An [`EventSourced`](crate::EventSourced) actor.
    Events,
    /// A plain actor, by [`WrapActor`](crate::WrapActor).
    Wrapped,
    /// A `tower` service, by [`WrapService`](crate::WrapService).
    Service,
}

/// Generates one `#[tokio::test]` for each operation. The expression makes a place, of which each run has its own; behind it may
/// stand a [form](crate::testing::turn_suite::Form), without which it is `State`.
#[macro_export]
macro_rules! turn_suite {
    ($place:expr) => {
        $crate::turn_suite!($place, State);
    };
    ($place:expr, $form:ident) => {
        $crate::turn_suite! { @ops $place, $form;
            enqueue: Enqueue, renew: Renew, acquire: Acquire, load: Load, entries: Entries, inbox: Inbox,
            handler: Actors, commit_turn: CommitTurn, save_snapshot: SaveSnapshot, transfer: Transfer,
            mark_delivered: MarkDelivered, release: Release, begin_attempt: BeginAttempt, fire: Fire, due: Due,
            waiting: Waiting, reply: Reply,
        }
        $crate::turn_suite! { @points $place, $form;
            p3_in_the_midst_of_replaying: MidReplay, p8_events_stored_and_the_state_not: StateNotSaved,
            p9_state_stored_and_the_journal_not_trimmed: NotTrimmed, p12_all_stored_and_not_released: NotReleased,
            p13_released_and_not_acquired: NotAcquired,
        }
        $crate::turn_suite! { @late $place, $form;
            late_enqueue: Enqueue, late_acquire: Acquire, late_load: Load, late_inbox: Inbox,
            late_commit_turn: CommitTurn, late_save_snapshot: SaveSnapshot, late_begin_attempt: BeginAttempt,
            late_transfer: Transfer, late_mark_delivered: MarkDelivered, late_release: Release, late_fire: Fire,
        }
    };
    ($place:expr, $form:ident, drawn) => {
        $crate::turn_suite! { @runs $place, $form;
            any_fault: drawn_faults => try_faults, any_takeover: drawn_takeovers => try_takeovers,
            any_point: drawn_strikes => try_strikes,
        }
    };
    (@runs $place:expr, $form:ident; $($name:ident: $runs:ident => $try:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                use $crate::testing::turn_suite as suite;
                let mut runs = Vec::new();
                for run in suite::$runs() {
                    runs.push(($place, run));
                }
                suite::$try(suite::Form::$form, runs).await;
            }
        )*
    };
    (@points $place:expr, $form:ident; $($name:ident: $point:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                use $crate::testing::turn_suite as suite;
                let mut runs = Vec::new();
                for strike in suite::strikes(suite::Point::$point) {
                    runs.push(($place, strike));
                }
                suite::try_strikes(suite::Form::$form, runs).await;
            }
        )*
    };
    (@late $place:expr, $form:ident; $($name:ident: $op:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                use $crate::testing::{Operation, turn_suite as suite};
                let mut runs = Vec::new();
                for takeover in suite::takeovers(Operation::$op) {
                    runs.push(($place, takeover));
                }
                suite::try_takeovers(suite::Form::$form, runs).await;
            }
        )*
    };
    (@ops $place:expr, $form:ident; $($name:ident: $op:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                use $crate::testing::{Operation, turn_suite as suite};
                let mut runs = Vec::new();
                for fault in suite::faults(Operation::$op) {
                    runs.push(($place, fault));
                }
                suite::try_faults(suite::Form::$form, runs).await;
            }
        )*
    };
}

/// The faults of an operation: at its first visits, or at more of them where `ACTOR_TEST_FULL` is set.
pub fn faults(operation: Operation) -> Vec<Fault> {
    let visits = if is_full() { (1..=24).collect() } else { vec![1, 2, 4] };
    faults_at(operation, &visits)
}

fn faults_at(operation: Operation, visits: &[u64]) -> Vec<Fault> {
    let modes = |visit: &u64| {
        let visit = *visit;
        FaultMode::ALL.iter().map(move |mode| Fault { operation, visit, mode: *mode })
    };
    let is_possible = |fault: &Fault| operation != HANDLER || fault.mode == FaultMode::CrashBefore;
    visits.iter().flat_map(modes).filter(is_possible).collect()
}

/// Some faults of all operations, drawn by a seed; where `ACTOR_TEST_FULL` is set, all at their first visits.
pub fn drawn_faults() -> Vec<Fault> {
    if is_full() {
        return OPERATIONS.iter().flat_map(|operation| faults_at(*operation, &[1, 2, 3, 4])).collect();
    }
    drawn(OPERATIONS.iter().flat_map(|operation| faults_at(*operation, &[1])).collect())
}

/// Some takeovers, as [`drawn_faults`].
pub fn drawn_takeovers() -> Vec<Takeover> {
    let visits = if is_full() { 4 } else { 1 };
    let all = OWNERS_OPERATIONS.iter().flat_map(|operation| takeovers_until(*operation, visits)).collect();
    if is_full() { all } else { drawn(all) }
}

/// Some strikes, as [`drawn_faults`].
pub fn drawn_strikes() -> Vec<Strike> {
    let all: Vec<Strike> = Point::ALL.iter().flat_map(|point| strikes(*point)).collect();
    if is_full() { all } else { drawn(all.into_iter().filter(Strike::is_sure).collect()) }
}

/// A few of many: which, says `ACTOR_STORE_SEED`, or it is others each time. What fails says which it was.
fn drawn<T: Copy>(all: Vec<T>) -> Vec<T> {
    let mut dice = Dice::new();
    (0..DRAWN).filter_map(|_| dice.pick(&all).copied()).collect()
}

fn is_full() -> bool {
    std::env::var_os("ACTOR_TEST_FULL").is_some()
}

/// Runs with one fault each, some side by side: they mostly wait. Each has its place.
///
/// # Panics
///
/// Something does not hold, or no fault struck.
pub async fn try_faults<P: Place>(form: Form, runs: Vec<(P, Fault)>) {
    side_by_side(runs.into_iter().map(|(place, fault)| async move { try_fault(&place, form, fault).await }))
        .await;
}

async fn side_by_side(runs: impl Iterator<Item = impl Future<Output = bool>>) {
    let struck = stream::iter(runs).buffer_unordered(AT_ONCE).filter(|has_struck| ready(*has_struck));
    assert!(struck.count().await > 0, "no fault struck");
}

/// One run with one fault: it says which if anything does not hold, and returns whether the fault struck.
pub async fn try_fault(place: &impl Place, form: Form, fault: Fault) -> bool {
    match form {
        Form::State => try_with::<StateTeller>(place, fault).await,
        Form::Events => try_with::<EventTeller>(place, fault).await,
        Form::Wrapped => try_with::<Wrapped<PlainTeller>>(place, fault).await,
        Form::Service => try_with::<WrappedService<TellerServices>>(place, fault).await,
    }
}

async fn try_with<T: Teller>(place: &impl Place, fault: Fault) -> bool {
    let trial = Trial::<T>::new(fault);
    judged(fault, trial.run(place)).await
}

async fn judged(what: impl Display, run: impl Future<Output = Result<bool, String>>) -> bool {
    match Executor::tokio().timeout(RUN_DEADLINE, run).await {
        Ok(Ok(has_struck)) => has_struck,
        Ok(Err(why)) => panic!("{what}: {why}"),
        Err(_) => panic!("{what}: the run hangs"),
    }
}

/// How an operation of an owner that is none any more comes late.
pub fn takeovers(operation: Operation) -> Vec<Takeover> {
    takeovers_until(operation, if is_full() { 12 } else { 2 })
}

fn takeovers_until(operation: Operation, visits: u64) -> Vec<Takeover> {
    let both = |visit| When::ALL.iter().map(move |when| Takeover { operation, visit, when: *when });
    (1..=visits).flat_map(both).collect()
}

/// Runs with one takeover each, as [`try_faults`].
///
/// # Panics
///
/// Something does not hold, or nothing came late.
pub async fn try_takeovers<P: Place>(form: Form, runs: Vec<(P, Takeover)>) {
    let runs = runs.into_iter().map(|(place, takeover)| async move {
        match form {
            Form::State => try_takeover::<StateTeller>(&place, takeover).await,
            Form::Events => try_takeover::<EventTeller>(&place, takeover).await,
            Form::Wrapped => try_takeover::<Wrapped<PlainTeller>>(&place, takeover).await,
            Form::Service => try_takeover::<WrappedService<TellerServices>>(&place, takeover).await,
        }
    });
    side_by_side(runs).await;
}

async fn try_takeover<T: Teller>(place: &impl Place, takeover: Takeover) -> bool {
    let trial = Trial::<T>::new(takeover.fault());
    judged(takeover, trial.take_over(place, takeover.when)).await
}

/// The faults at a point.
pub fn strikes(point: Point) -> Vec<Strike> {
    Strike::all(point).collect()
}

/// Runs with one fault at a point each, as [`try_faults`].
///
/// # Panics
///
/// Something does not hold, or no fault struck.
pub async fn try_strikes<P: Place>(form: Form, runs: Vec<(P, Strike)>) {
    let runs = runs.into_iter().map(|(place, strike)| async move {
        match form {
            Form::State => try_strike::<StateTeller>(&place, strike).await,
            Form::Events => try_strike::<EventTeller>(&place, strike).await,
            Form::Wrapped => try_strike::<Wrapped<PlainTeller>>(&place, strike).await,
            Form::Service => try_strike::<WrappedService<TellerServices>>(&place, strike).await,
        }
    });
    side_by_side(runs).await;
}

async fn try_strike<T: Teller>(place: &impl Place, strike: Strike) -> bool {
    let trial = Trial::<T>::new(strike.fault());
    judged(strike, trial.strike(place, strike)).await
}

/// Runs, each in a place that is torn once, some side by side. How many processes that ended.
///
/// # Panics
///
/// Something does not hold.
pub async fn try_torn<P: Torn>(form: Form, places: Vec<P>) -> usize {
    let runs = places.into_iter().map(|place| async move {
        match form {
            Form::State => judged(&place, Trial::<StateTeller>::of(Vec::new()).tear(&place)).await,
            Form::Events => judged(&place, Trial::<EventTeller>::of(Vec::new()).tear(&place)).await,
            Form::Wrapped => judged(&place, Trial::<Wrapped<PlainTeller>>::of(Vec::new()).tear(&place)).await,
            Form::Service => {
                judged(&place, Trial::<WrappedService<TellerServices>>::of(Vec::new()).tear(&place)).await
            }
        }
    });
    stream::iter(runs).buffer_unordered(AT_ONCE).filter(|has_ended| ready(*has_ended)).count().await
}
