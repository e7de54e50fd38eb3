//! The children of one durable supervisor and what is to become of them. Pure: time is what it is told.
//!
//! ```text
//!                decide                    apply
//!  what is asked ──────► one event, stored ─────► the tree
//!  or reported              │
//!                           └ orders ─► orders to children, stored with it
//!
//!            Spawned                 Stopped, Decided(Stop)
//!  (nobody) ────────► Up ──────────────────────────────────► Stopped
//!                     │ ▲ └───── Started ◄──────────────────────┘ │
//!   Halted, Escalate  ▼ │ BegunAgain                              │ Removed
//!                   Halted ───────────────────────────────────────┤
//!                                     Decided(Forget): from Up ►  ▼
//!                                                              (nobody)
//! ```
//!
//! A child's life has a number, which no other one of this supervisor has. It fails once in a life at most, as it does nothing
//! more until it is given the next; so what is told of a life that is over has led to its decision already.

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

use actor_core::{Restart, Strategy};
use serde::{Deserialize, Serialize};

use super::order::{Order, Report};
use super::spec::{ChildSpec, Directive, Restarts, SupervisorSpec};
use crate::id::{Name, Target, WallTime};
use crate::limits::SUPERVISED_MAX;
use crate::turn::is_reserved;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorTree {
    spec: Option<SupervisorSpec>,
    /// In the order they were added.
    children: Vec<Child>,
    restarts: Restarts,
    /// How many lives were given in all.
    lives: u64,
    has_escalated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Child {
    spec: ChildSpec,
    life: u64,
    stage: ChildStage,
    restarts: u64,
}

/// Whether a child is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildStage {
    /// It handles messages, or is about to.
    Up,
    /// It was stopped, by a decision or a command, until it is started.
    Stopped,
    /// It was stopped with its supervisor, until that is started again.
    Halted,
}

/// What is asked of a tree.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Begin(SupervisorSpec),
    Spawn(ChildSpec),
    Stop(Name),
    Start(Name),
    Remove(Name),
    Report(Report),
    BeginAgain { is_fresh: bool },
    Halt,
    GoOn,
}

/// What has happened to a supervisor, as it is in its journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SupervisorEvent {
    /// It was told how to supervise.
    Begun(SupervisorSpec),
    /// A child was added, and begins this life.
    Spawned {
        /// The child.
        spec: ChildSpec,
        /// The number of its life.
        life: u64,
    },
    /// Somebody stopped a child.
    Stopped(Name),
    /// Somebody started a child that was stopped.
    Started {
        /// The child.
        child: Name,
        /// The number of its new life.
        life: u64,
    },
    /// A child that was stopped, or was with its supervisor, was released.
    Removed(Name),
    /// A child failed or ended, and this was decided.
    Decided {
        /// What was reported.
        report: Report,
        /// When it was, by the wall clock.
        at: WallTime,
        /// What was decided.
        decision: SupervisorDecision,
        /// The children that begin a new life, and the numbers of these lives.
        starts: Vec<(Name, u64)>,
    },
    /// The supervisor was started again by its own supervisor, or has got another one or none, and starts its children.
    BegunAgain {
        /// Whether with fresh states.
        is_fresh: bool,
        /// The children that begin a new life, and the numbers of these lives.
        starts: Vec<(Name, u64)>,
    },
    /// The supervisor was stopped by its own supervisor, and its children with it.
    Halted,
}

/// What was decided about a child that failed or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SupervisorDecision {
    /// It goes on with a fresh state, and so do the others that the strategy names.
    Restart,
    /// It goes on with the state it has.
    Resume,
    /// It does nothing until it is started.
    Stop,
    /// It ends for good, and the supervisor forgets it.
    Forget,
    /// The supervisor stops its children, and fails itself.
    Escalate,
    /// Nothing: an earlier decision has stopped it or has begun a new life.
    Nothing,
}

/// Why a supervisor refuses a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorRefusal {
    /// It has not been told how to supervise yet.
    #[error("the supervisor has not begun: it was not told its strategy")]
    NotBegun,
    /// It has been told to supervise in another way.
    #[error("the supervisor has begun with another strategy or intensity")]
    AlreadyBegun,
    /// The intensity allows more than [`RESTARTS_COUNTED_MAX`](crate::limits::RESTARTS_COUNTED_MAX) restarts.
    #[error("the intensity allows too many restarts")]
    BadSpec,
    /// There is another child of this name, or of this actor.
    #[error("there is another child {0}, or another child is the same actor")]
    Taken(Name),
    /// There are [`SUPERVISED_MAX`](crate::limits::SUPERVISED_MAX) children.
    #[error("there are too many children")]
    TooMany,
    /// There is no child of this name.
    #[error("there is no child {0}")]
    NoSuchChild(Name),
    /// A child that is up cannot be removed.
    #[error("the child {0} is not stopped: stop it first")]
    NotStopped(Name),
    /// It has given up, or was stopped by its own supervisor, and does nothing until it is started again.
    #[error("the supervisor has given up, or was stopped, and is to begin again first")]
    Escalated,
    /// The name of a child is reserved: a supervisor's own supervisor is recorded by it.
    #[error("a child cannot be called {0}")]
    Reserved(Name),
    /// The child is the supervisor itself.
    #[error("the child {0} is the supervisor itself")]
    Itself(Name),
    /// More than [`SUPERVISION_DEPTH_MAX`](crate::limits::SUPERVISION_DEPTH_MAX) supervisors, one below the other, have started their
    /// children: one of them is below itself.
    #[error("too many supervisors are below one another")]
    TooDeep,
    /// What only its own supervisor says was said by another actor.
    #[error("another supervisor is above this one")]
    NotAbove,
}

/// What a [`SupervisorTree`] tells of a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisedChild {
    /// What it was added with.
    pub spec: ChildSpec,
    /// Whether it is started.
    pub stage: ChildStage,
    /// How often it was restarted or resumed after a failure or an end, its own or a sibling's.
    pub restarts: u64,
}

impl SupervisorTree {
    /// How it supervises; `None` if it has not been told.
    pub fn spec(&self) -> Option<&SupervisorSpec> {
        self.spec.as_ref()
    }

    /// The children, in the order they were added.
    pub fn children(&self) -> impl Iterator<Item = SupervisedChild> + '_ {
        self.children.iter().map(|Child { spec, stage, restarts, .. }| SupervisedChild {
            spec: spec.clone(),
            stage: *stage,
            restarts: *restarts,
        })
    }

    /// The times of the restarts that may still count, oldest first.
    pub fn restarts(&self) -> &[WallTime] {
        self.restarts.counted()
    }

    /// Whether it has given up.
    pub fn has_escalated(&self) -> bool {
        self.has_escalated
    }

    /// What a command or a report leads to; `None` if nothing changes.
    pub(super) fn decide(
        &self,
        input: Input,
        now: WallTime,
    ) -> Result<Option<SupervisorEvent>, SupervisorRefusal> {
        let Some(spec) = self.spec else {
            return match input {
                Input::Begin(spec) if spec.is_usable() => Ok(Some(SupervisorEvent::Begun(spec))),
                Input::Begin(_) => Err(SupervisorRefusal::BadSpec),
                // There is nothing that it could go on with.
                Input::GoOn => Ok(None),
                _ => Err(SupervisorRefusal::NotBegun),
            };
        };
        Ok(match input {
            Input::Begin(begun) if begun == spec => None,
            Input::Begin(_) => return Err(SupervisorRefusal::AlreadyBegun),
            Input::Halt => self.ups().next().map(|_| SupervisorEvent::Halted),
            Input::GoOn => self.go_on(),
            Input::Spawn(spec) => self.spawn(spec)?,
            Input::Stop(child) => {
                let is_stopped = self.child(&child)?.stage == ChildStage::Stopped;
                (!is_stopped).then_some(SupervisorEvent::Stopped(child))
            }
            Input::Start(child) => self.start(child)?,
            Input::Remove(child) if self.child(&child)?.stage != ChildStage::Up => {
                Some(SupervisorEvent::Removed(child))
            }
            Input::Remove(child) => return Err(SupervisorRefusal::NotStopped(child)),
            Input::Report(report) => Some(self.judge(&spec, report, now)),
            Input::BeginAgain { is_fresh } => {
                let concerned = self.children.iter().filter(|child| child.stage != ChildStage::Stopped);
                Some(SupervisorEvent::BegunAgain { is_fresh, starts: self.lives(concerned) })
            }
        })
    }

    /// Somebody else is above it now, or nobody: those begin again that were stopped with it.
    fn go_on(&self) -> Option<SupervisorEvent> {
        let halted = self.children.iter().filter(|child| child.stage == ChildStage::Halted);
        let starts = self.lives(halted);
        let is_going = starts.is_empty() && !self.has_escalated;
        (!is_going).then_some(SupervisorEvent::BegunAgain { is_fresh: false, starts })
    }

    fn spawn(&self, spec: ChildSpec) -> Result<Option<SupervisorEvent>, SupervisorRefusal> {
        if self.children.iter().any(|child| child.spec == spec) {
            return Ok(None);
        }
        let is_other = |child: &Child| child.spec.name == spec.name || child.spec.target.id == spec.target.id;
        if self.children.iter().any(is_other) {
            return Err(SupervisorRefusal::Taken(spec.name));
        }
        if is_reserved(spec.name.as_str()) {
            return Err(SupervisorRefusal::Reserved(spec.name));
        }
        if self.children.len() >= SUPERVISED_MAX {
            return Err(SupervisorRefusal::TooMany);
        }
        if self.has_escalated {
            return Err(SupervisorRefusal::Escalated);
        }
        Ok(Some(SupervisorEvent::Spawned { spec, life: self.lives + 1 }))
    }

    fn start(&self, child: Name) -> Result<Option<SupervisorEvent>, SupervisorRefusal> {
        match self.child(&child)?.stage {
            ChildStage::Stopped if self.has_escalated => Err(SupervisorRefusal::Escalated),
            ChildStage::Stopped => Ok(Some(SupervisorEvent::Started { child, life: self.lives + 1 })),
            ChildStage::Halted => Err(SupervisorRefusal::Escalated),
            ChildStage::Up => Ok(None),
        }
    }

    /// What a report leads to: one decision, whatever it says.
    fn judge(&self, spec: &SupervisorSpec, report: Report, now: WallTime) -> SupervisorEvent {
        let child = self.ups().find(|child| child.spec.name == report.child && child.life == report.life);
        let Some(child) = child else {
            let (decision, starts) = (SupervisorDecision::Nothing, Vec::new());
            return SupervisorEvent::Decided { report, at: now, decision, starts };
        };
        let wanted = match (report.failure(), child.spec.restart) {
            (None, Restart::Permanent) => SupervisorDecision::Restart,
            (None, _) | (_, Restart::Temporary) => SupervisorDecision::Forget,
            (Some(failure), _) => match child.spec.on_failure.of(failure) {
                Directive::Restart | Directive::Resume if report.is_out_of_reach() => {
                    SupervisorDecision::Stop
                }
                Directive::Restart => SupervisorDecision::Restart,
                Directive::Resume => SupervisorDecision::Resume,
                Directive::Stop => SupervisorDecision::Stop,
                Directive::Escalate => SupervisorDecision::Escalate,
            },
        };
        let decision = match wanted {
            SupervisorDecision::Restart | SupervisorDecision::Resume
                if !report.is_repeated() && !self.restarts.allow(&spec.intensity, now) =>
            {
                SupervisorDecision::Escalate
            }
            decision => decision,
        };
        let starts = match (decision, spec.strategy) {
            (SupervisorDecision::Resume, _) | (SupervisorDecision::Restart, Strategy::OneForOne) => {
                self.lives(std::iter::once(child))
            }
            (SupervisorDecision::Restart, Strategy::OneForAll) => self.lives(self.ups()),
            (SupervisorDecision::Restart, Strategy::RestForOne) => {
                let before = |other: &&Child| other.spec.name != child.spec.name;
                self.lives(self.ups().skip_while(before))
            }
            _ => Vec::new(),
        };
        SupervisorEvent::Decided { report, at: now, decision, starts }
    }

    /// What an event that was stored does. An unknown name does nothing.
    pub(super) fn apply(&mut self, event: &SupervisorEvent) {
        match event {
            SupervisorEvent::Begun(spec) => self.spec = Some(*spec),
            SupervisorEvent::Spawned { spec, life } => {
                self.lives = self.lives.max(*life);
                let (spec, life) = (spec.clone(), *life);
                self.children.push(Child { spec, life, stage: ChildStage::Up, restarts: 0 });
            }
            SupervisorEvent::Stopped(child) => self.place(child, ChildStage::Stopped),
            SupervisorEvent::Started { child, life } => {
                self.begin(child, *life);
            }
            SupervisorEvent::Removed(child) => self.forget(child),
            SupervisorEvent::Decided { report, at, decision, starts } => {
                self.apply_decision(report, *at, *decision, starts);
            }
            SupervisorEvent::BegunAgain { starts, .. } => {
                self.has_escalated = false;
                self.restarts.clear();
                for (child, life) in starts {
                    self.begin(child, *life);
                }
            }
            SupervisorEvent::Halted => self.halt(),
        }
    }

    fn apply_decision(
        &mut self,
        report: &Report,
        at: WallTime,
        decision: SupervisorDecision,
        starts: &[(Name, u64)],
    ) {
        let child = &report.child;
        let limit = self.spec.map(|spec| spec.intensity).unwrap_or_default();
        match decision {
            SupervisorDecision::Restart | SupervisorDecision::Resume if !report.is_repeated() => {
                self.restarts.count(&limit, at);
            }
            _ => self.restarts.note(&limit, at),
        }
        for (child, life) in starts {
            if let Some(child) = self.begin(child, *life) {
                child.restarts += 1;
            }
        }
        match decision {
            SupervisorDecision::Stop => self.place(child, ChildStage::Stopped),
            SupervisorDecision::Forget => self.forget(child),
            SupervisorDecision::Escalate => {
                self.has_escalated = true;
                self.halt();
            }
            SupervisorDecision::Restart | SupervisorDecision::Resume | SupervisorDecision::Nothing => {}
        }
    }

    /// What children are told of an event, by the tree as it was before.
    pub(super) fn orders(&self, event: &SupervisorEvent) -> Vec<(Target, Order)> {
        let to = |name: &Name| self.child(name).ok().map(|child| child.spec.target.clone());
        let one = |name: &Name, order: Order| to(name).map(|to| (to, order)).into_iter().collect::<Vec<_>>();
        let halt = |name: &Name| one(name, Order::Halt { child: name.clone() });
        let all_halt = || self.ups().flat_map(|child| halt(&child.spec.name)).collect();
        let start = |starts: &[(Name, u64)], is_fresh: bool| {
            let order =
                |(child, life): &(Name, u64)| Order::Start { child: child.clone(), life: *life, is_fresh };
            starts.iter().filter_map(|start| Some((to(&start.0)?, order(start)))).collect()
        };
        match event {
            SupervisorEvent::Begun(_) => Vec::new(),
            SupervisorEvent::Spawned { spec, life } => {
                vec![(spec.target.clone(), Order::Adopt { child: spec.name.clone(), life: *life })]
            }
            SupervisorEvent::Stopped(child) => halt(child),
            SupervisorEvent::Started { child, life } => {
                one(child, Order::Start { child: child.clone(), life: *life, is_fresh: false })
            }
            SupervisorEvent::Removed(child) => one(child, Order::Release),
            SupervisorEvent::Decided { report, decision, starts, .. } => match decision {
                SupervisorDecision::Restart => start(starts, true),
                SupervisorDecision::Resume => start(starts, false),
                SupervisorDecision::Stop => halt(&report.child),
                SupervisorDecision::Forget => one(&report.child, Order::End),
                SupervisorDecision::Escalate => all_halt(),
                SupervisorDecision::Nothing => Vec::new(),
            },
            SupervisorEvent::BegunAgain { is_fresh, starts } => start(starts, *is_fresh),
            SupervisorEvent::Halted => all_halt(),
        }
    }

    /// Those that are up.
    pub(super) fn active(&self) -> impl Iterator<Item = &ChildSpec> {
        self.ups().map(|child| &child.spec)
    }

    fn ups(&self) -> impl Iterator<Item = &Child> {
        self.children.iter().filter(|child| child.stage == ChildStage::Up)
    }

    fn child(&self, name: &Name) -> Result<&Child, SupervisorRefusal> {
        let child = self.children.iter().find(|child| child.spec.name == *name);
        child.ok_or_else(|| SupervisorRefusal::NoSuchChild(name.clone()))
    }

    fn child_mut(&mut self, name: &Name) -> Option<&mut Child> {
        self.children.iter_mut().find(|child| child.spec.name == *name)
    }

    /// New lives for some children.
    fn lives<'a>(&'a self, children: impl Iterator<Item = &'a Child>) -> Vec<(Name, u64)> {
        children.map(|child| child.spec.name.clone()).zip(self.lives + 1..).collect()
    }

    fn begin(&mut self, name: &Name, life: u64) -> Option<&mut Child> {
        self.lives = self.lives.max(life);
        let child = self.child_mut(name)?;
        (child.stage, child.life) = (ChildStage::Up, life);
        Some(child)
    }

    fn place(&mut self, name: &Name, stage: ChildStage) {
        if let Some(child) = self.child_mut(name) {
            child.stage = stage;
        }
    }

    fn forget(&mut self, name: &Name) {
        self.children.retain(|child| child.spec.name != *name);
    }

    fn halt(&mut self) {
        let ups = self.children.iter_mut().filter(|child| child.stage == ChildStage::Up);
        ups.for_each(|child| child.stage = ChildStage::Halted);
    }
}
