//! What durable actors promise, over a store that fails at each of its operations in each of five ways: the points at which a
//! turn can be cut off, and what must hold whichever it was. Every store runs it.
//!
//! | point | here |
//! |---|---|
//! | P0 message stored, sender not told | `Enqueue`, lost or crashed after |
//! | P1 lease taken | `Renew`, `Acquire` |
//! | P2, P3 state read, in the midst of replaying | `Load`, `Entries`, `Inbox` |
//! | P4 before the handler | the process ends in the handler: [`HANDLER`] |
//! | P5, P6, P7, P10 before, in and after the append, before replies leave | `CommitTurn`; tearing is for the stores' own tests |
//! | P8, P9 before and after the state is stored beside events | `SaveSnapshot` |
//! | P11 delivered, and not marked | `Transfer`, `MarkDelivered`, and the outlet |
//! | P12, P13 before and after the release | `Release` |
//!
//! and `BeginAttempt`, `Fire`, `Due`, `Waiting`, `Reply`, which no table names.
//!
//! Each operation of an owner is also held up until another process has the actors, as `late_…`: then it is fenced and changes
//! nothing, and whoever waited for it is told what is certain.
//!
//! What must hold: I1 no acknowledged message is lost; I2 each changes the state once; I3 the state is what the journal comes
//! to; I4 the journal has no gap and its times do not go back; I5 each effect happens, and once for a sink that knows keys; I6
//! one sender's messages are applied in order; I7 the same id has the same reply.
//!
//! Mounted as the suite of stores is: `actor_durable::turn_suite!(MyPlace::new())`. The actor that is cut off there keeps its state
//! whole; in another [`Form`] with `turn_suite!(MyPlace::new(), Events)`.
#![allow(clippy::missing_panics_doc, reason = "a suite speaks by panicking")]

mod actors;
mod judge;
mod run;
mod takeover;
mod teller;

use std::fmt::Display;
use std::future::ready;
use std::time::Duration;

use actor_core::Executor;
use futures_util::stream::{self, StreamExt};

use self::run::Trial;
pub use self::takeover::{Takeover, When};
use self::teller::{EventTeller, PlainTeller, StateTeller, Teller, TellerServices};
use super::store_suite::Place;
use super::{Fault, FaultMode, Operation};
use crate::{Wrapped, WrappedService};

/// So many runs are under way at a time.
const AT_ONCE: usize = 5;

/// How long one run may take before it counts as hung.
pub const RUN_DEADLINE: Duration = Duration::from_secs(60);

/// Stands for the handler, which is no operation of a store: the process ends in it.
pub const HANDLER: Operation = Operation::Actors;

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
/// stand a [`Form`](crate::testing::turn_suite::Form), without which it is `State`.
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
        $crate::turn_suite! { @late $place, $form;
            late_enqueue: Enqueue, late_acquire: Acquire, late_load: Load, late_inbox: Inbox,
            late_commit_turn: CommitTurn, late_save_snapshot: SaveSnapshot, late_begin_attempt: BeginAttempt,
            late_transfer: Transfer, late_mark_delivered: MarkDelivered, late_release: Release, late_fire: Fire,
        }
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
    let visits =
        if std::env::var_os("ACTOR_TEST_FULL").is_some() { (1..=24).collect() } else { vec![1, 2, 4] };
    let modes = |visit| FaultMode::ALL.iter().map(move |mode| Fault { operation, visit, mode: *mode });
    let is_possible = |fault: &Fault| operation != HANDLER || fault.mode == FaultMode::CrashBefore;
    visits.into_iter().flat_map(modes).filter(is_possible).collect()
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
    let visits = if std::env::var_os("ACTOR_TEST_FULL").is_some() { 12 } else { 2 };
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
