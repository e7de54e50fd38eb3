//! What a durable supervisor is told: plain values, which are stored.

use std::time::Duration;

use actor_core::{Intensity, Restart, Strategy};
use serde::{Deserialize, Serialize};

use crate::actor::{Durability, Durable};
use crate::codec::cut;
use crate::id::{Name, Target, WallTime};
use crate::limits::{FAILURE_TEXT_BYTES_MAX, RESTARTS_COUNTED_MAX};
use crate::turn::{RequestError, child_name, target};

/// How a supervisor treats its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorSpec {
    /// Which children are restarted if one is [restarted](Directive::Restart).
    #[serde(with = "StrategyForm")]
    pub strategy: Strategy,
    /// How many restarts are allowed in how long a time; at most [`RESTARTS_COUNTED_MAX`]. The time is the wall clock's, which goes
    /// on while no process runs.
    #[serde(with = "IntensityForm")]
    pub intensity: Intensity,
}

impl SupervisorSpec {
    /// A specification with the core's default intensity.
    pub fn new(strategy: Strategy) -> Self {
        Self { strategy, intensity: Intensity::default() }
    }

    /// Replaces the intensity.
    #[must_use]
    pub fn intensity(self, restarts: u32, within: Duration) -> Self {
        Self { intensity: Intensity { restarts, window: within }, ..self }
    }

    pub(super) fn is_usable(&self) -> bool {
        self.intensity.restarts <= RESTARTS_COUNTED_MAX
    }
}

/// One child of a durable supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildSpec {
    /// The supervisor's name for it, which no other of its children has.
    pub name: Name,
    /// Which actor it is. It must have no other supervisor.
    pub target: Target,
    /// When it is started again.
    #[serde(with = "RestartForm")]
    pub restart: Restart,
    /// What a failure leads to.
    pub on_failure: OnFailure,
}

impl ChildSpec {
    /// The actor `id` of the type `A`, permanent, with the default directives.
    ///
    /// # Errors
    ///
    /// The name or the id is not valid, the name is reserved, or the type is volatile and so has nothing to keep.
    pub fn new<A: Durable>(name: &str, id: &str) -> Result<Self, RequestError> {
        if A::DURABILITY == Durability::Volatile {
            return Err(RequestError::Volatile);
        }
        let (name, target) = (child_name(name)?, target::<A>(id)?);
        Ok(Self { name, target, restart: Restart::Permanent, on_failure: OnFailure::default() })
    }

    /// Replaces when it is started again.
    #[must_use]
    pub fn restart(self, restart: Restart) -> Self {
        Self { restart, ..self }
    }

    /// Replaces what a failure leads to.
    #[must_use]
    pub fn on_failure(self, on_failure: OnFailure) -> Self {
        Self { on_failure, ..self }
    }
}

/// What each kind of [`Failure`] leads to.
///
/// The default loses nothing that is stored: after a panic the state is as it was after the last turn, so the child resumes with
/// it; a child that cannot be activated is stopped until somebody has looked; a supervisor that has given up is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnFailure {
    /// Of [`Failure::Panicked`].
    pub panicked: Directive,
    /// Of [`Failure::NotActivated`].
    pub not_activated: Directive,
    /// Of [`Failure::Escalated`].
    pub escalated: Directive,
}

impl OnFailure {
    /// The same directive for every kind.
    pub const fn always(directive: Directive) -> Self {
        Self { panicked: directive, not_activated: directive, escalated: directive }
    }

    pub(super) fn of(&self, what: &Failure) -> Directive {
        match what {
            Failure::Panicked(_) => self.panicked,
            Failure::NotActivated(_) => self.not_activated,
            Failure::Escalated(_) => self.escalated,
        }
    }
}

impl Default for OnFailure {
    fn default() -> Self {
        let (panicked, not_activated) = (Directive::Resume, Directive::Stop);
        Self { panicked, not_activated, escalated: Directive::Restart }
    }
}

/// What is done with a child that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Directive {
    /// It goes on with a fresh state, the one that `create` returns for its id; the old state is lost. Its inbox, its outbox, its
    /// reminders and its memory of handled messages are kept. `on_start` does not run again, as it runs once in an actor's life.
    /// A supervisor keeps its children and restarts each of them.
    Restart,
    /// It goes on with the state after its last turn.
    Resume,
    /// It handles nothing until it is [started](super::SupervisorCommand::StartChild). Its state and its inbox are kept. Its memory is
    /// given back when it has been [idle](crate::Durable::IDLE_MAX) for long enough and no message waits for it.
    Stop,
    /// The supervisor itself fails.
    Escalate,
}

/// How a child failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// A handler panicked, with this text. Nothing that it did is stored.
    Panicked(String),
    /// A hook failed, or what is stored cannot be read.
    NotActivated(String),
    /// It is a supervisor and has given up.
    Escalated(String),
}

impl Failure {
    /// The failure with its text cut to what a report may have.
    pub(crate) fn short(self) -> Self {
        match self {
            Self::Panicked(text) => Self::Panicked(cut(text, FAILURE_TEXT_BYTES_MAX)),
            Self::NotActivated(text) => Self::NotActivated(cut(text, FAILURE_TEXT_BYTES_MAX)),
            Self::Escalated(text) => Self::Escalated(cut(text, FAILURE_TEXT_BYTES_MAX)),
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Panicked(text) | Self::NotActivated(text) | Self::Escalated(text) => text,
        }
    }
}

/// Restarts that still count, by the wall clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Restarts {
    /// Oldest first.
    counted: Vec<WallTime>,
}

impl Restarts {
    /// Whether one more is allowed.
    ///
    /// The clock may have stepped back. A restart in the future counts as one of now, and so for one window from when the step
    /// was noticed.
    pub(super) fn allow(&self, limit: &Intensity, now: WallTime) -> bool {
        let counting = self.counted.iter().filter(|at| now.since(**at) < limit.window);
        counting.count() < limit.restarts as usize
    }

    /// Counts one.
    pub(super) fn count(&mut self, limit: &Intensity, now: WallTime) {
        self.note(limit, now);
        self.counted.push(now);
    }

    /// Notes the time: no restart was later, and those that no longer count never will again.
    pub(super) fn note(&mut self, limit: &Intensity, now: WallTime) {
        self.counted.iter_mut().for_each(|at| *at = (*at).min(now));
        self.counted.retain(|at| now.since(*at) < limit.window);
    }

    pub(super) fn counted(&self) -> &[WallTime] {
        &self.counted
    }

    pub(super) fn clear(&mut self) {
        self.counted.clear();
    }
}

/// The core's types are shared; their stored form is this crate's.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Strategy")]
enum StrategyForm {
    OneForOne,
    OneForAll,
    RestForOne,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Restart")]
enum RestartForm {
    Permanent,
    Transient,
    Temporary,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Intensity")]
struct IntensityForm {
    restarts: u32,
    window: Duration,
}
