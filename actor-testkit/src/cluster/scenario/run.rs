//! One run of a scenario: a safety phase with faults, a liveness phase without.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actor_core::Instant;

use super::schedule::{FaultKind, Schedule};
use super::user::Crowd;
use super::{Scenario, since_start};
use crate::cluster::SimCluster;
use crate::cluster::builder::SimClusterBuilder;
use crate::cluster::fault::Degradation;
use crate::cluster::handle::SimHandle;
use crate::cluster::history::{Event, What};
use crate::cluster::invariants::{self, Checker, Count, End, View, Violation};
use crate::cluster::node::SimNode;

/// How far a run goes on after something was found wrong.
const SLICE: Duration = Duration::from_millis(100);

/// How long everything is left alone after the cluster is whole again: so long do names and watches take to settle.
const SETTLE: Duration = Duration::from_secs(6);

/// How many events are shown around what went wrong.
const EVENTS_SHOWN: usize = 24;

/// What came of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// What was done to the cluster.
    pub schedule: Schedule,
    /// How many faults the schedule had before it was made smaller, and in how many runs that was done.
    pub shrunk: Option<(usize, usize)>,
    /// When all nodes had met: from then on the schedule's times are counted.
    pub met: Duration,
    /// What [the whole run](SimHandle::event_hash) comes to.
    pub event_hash: u64,
    /// How much virtual time it took.
    pub virtual_time: Duration,
    /// How many events its history has.
    pub events: usize,
    /// How many actions users have begun.
    pub actions: u64,
    /// How many faults happened, by kind; without those that could not, as a crash of a node that was down.
    pub faults: BTreeMap<FaultKind, u64>,
    /// How often each invariant was looked at.
    pub counts: Vec<Count>,
    /// What went wrong, if anything did.
    pub failure: Option<Failure>,
}

/// What went wrong in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The [name](invariants::Invariant::name) of what does not hold.
    pub invariant: String,
    /// What is wrong.
    pub text: String,
    /// When it was seen.
    pub at: Duration,
    /// What happened around then, a line for each.
    pub around: Vec<String>,
}

impl Run {
    /// Something is wrong with it that was seen from outside.
    pub fn fail(&mut self, invariant: &str) {
        let text = "it was not so".to_owned();
        self.failure = Some(Failure {
            invariant: invariant.to_owned(),
            text,
            at: self.virtual_time,
            around: Vec::new(),
        });
    }
}

impl Scenario {
    /// One run with these faults instead of those that the seed brings.
    pub fn run_with(&self, seed: u64, schedule: &Schedule) -> Run {
        let mut run = Run {
            seed,
            schedule: schedule.clone(),
            shrunk: None,
            met: Duration::ZERO,
            event_hash: 0,
            virtual_time: Duration::ZERO,
            events: 0,
            actions: 0,
            faults: BTreeMap::new(),
            counts: Vec::new(),
            failure: None,
        };
        let checker = Arc::new(Mutex::new(Checker::new(self.all_invariants())));
        let crowd = Arc::<Crowd>::default();
        let handle = Mutex::new(None);
        let driven = catch_unwind(AssertUnwindSafe(|| {
            let mut cluster = self.with_users((self.cluster)(seed), &crowd).start();
            *handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(cluster.handle());
            run.met = since_start(cluster.now());
            Drive { scenario: self, cluster: &mut cluster, checker: &checker, crowd: &crowd }.drive(schedule);
        }));
        let handle = handle.into_inner().unwrap_or_else(PoisonError::into_inner);
        let history = handle.as_ref().map(SimHandle::history).unwrap_or_default();
        run.failure = match driven {
            Ok(()) => failure(&locked(&checker), &history),
            Err(panic) => Some(panicked(panic.as_ref(), handle.as_ref(), &history)),
        };
        run.counts = locked(&checker).counts();
        run.actions = crowd.actions();
        run.events = history.len();
        for event in &history {
            if let What::Fault(fault) = &event.what
                && let Some(kind) = FaultKind::of(fault)
            {
                *run.faults.entry(kind).or_default() += 1;
            }
        }
        if let Some(handle) = handle {
            (run.event_hash, run.virtual_time) = (handle.event_hash(), since_start(handle.now()));
        }
        run
    }

    fn all_invariants(&self) -> Vec<Box<dyn invariants::Invariant>> {
        let own = self.invariants.iter().map(|invariant| invariant());
        invariants::all().into_iter().chain(own).collect()
    }

    /// Has users come to each life of each node, once it has set itself up.
    fn with_users(&self, mut builder: SimClusterBuilder, crowd: &Arc<Crowd>) -> SimClusterBuilder {
        let (users, action, pause) = (self.users, self.action.clone(), self.pause);
        let crowd = crowd.clone();
        let sets_up = Arc::new(builder.setup.on_start);
        builder.setup.on_start = Box::new(move |node| {
            let (set_up, crowd, action) = (sets_up(node.clone()), crowd.clone(), action.clone());
            Box::pin(async move {
                set_up.await;
                crowd.come(&node, users, &action, pause);
            })
        });
        builder
    }
}

struct Drive<'a> {
    scenario: &'a Scenario,
    cluster: &'a mut SimCluster,
    checker: &'a Arc<Mutex<Checker>>,
    crowd: &'a Crowd,
}

impl Drive<'_> {
    fn drive(mut self, schedule: &Schedule) {
        self.cluster.check_each_step(self.checker);
        let begin = self.cluster.now();
        for (at, fault) in schedule.steps() {
            self.advance_to(begin + at);
            self.cluster.inject(&fault);
        }
        self.advance_to(begin + self.scenario.lasting);
        if self.is_broken() {
            return;
        }
        self.crowd.finish();
        self.mend();
        self.heal();
        self.advance_to(self.cluster.now() + SETTLE);
        if self.is_broken() {
            return;
        }
        self.end();
        self.check_users();
        if !self.is_broken() {
            self.serve();
        }
    }

    fn end(&mut self) {
        let cluster = &self.cluster;
        let pairs = (0..cluster.nodes()).flat_map(|one| (0..one).map(move |other| (other, one)));
        let mut end = End::new(cluster.now());
        end.apart = pairs.filter(|(one, other)| !cluster.connected(*one, *other)).collect();
        end.members = (0..cluster.nodes()).filter_map(|node| view(cluster.try_node(node)?)).collect();
        locked(self.checker).end(&end);
    }

    fn is_broken(&self) -> bool {
        locked(self.checker).broken().is_some()
    }

    fn advance_to(&mut self, moment: Instant) {
        while self.cluster.now() < moment && !self.is_broken() {
            self.cluster.advance(SLICE.min(moment - self.cluster.now()));
        }
    }

    /// Ends every fault there is.
    fn mend(&self) {
        self.cluster.heal();
        for node in 0..self.cluster.nodes() {
            self.cluster.degrade(node, Degradation::NONE);
            self.cluster.drift_clock(node, 0);
            if self.cluster.try_node(node).is_none() {
                self.cluster.restart(node);
            } else {
                self.cluster.thaw(node);
                self.cluster.slow(node, Duration::ZERO);
            }
        }
    }

    /// Waits for the nodes to find each other, and for users to finish.
    fn heal(&mut self) {
        let until = self.cluster.now() + self.scenario.healed_within;
        while self.cluster.now() < until && !self.is_broken() {
            if self.crowd.busy() == 0 && self.cluster.is_mesh() {
                return;
            }
            self.cluster.advance(SLICE);
        }
    }

    /// Whoever still waits by now waits for ever.
    fn check_users(&self) {
        let busy = self.crowd.busy();
        if busy > 0 {
            let text = format!(
                "{busy} of them are still at it {:?} after all was mended",
                self.scenario.healed_within
            );
            locked(self.checker).break_for(FINISH, Violation::new(text), self.cluster.now());
        }
    }

    fn serve(&mut self) {
        let serves = (self.scenario.serves)(self.cluster.handle());
        let executor = self.cluster.executor();
        let limited = executor.timeout(self.scenario.healed_within, serves);
        let served =
            self.cluster.block_on(limited).unwrap_or_else(|_| Err(Violation::new("it does not answer")));
        if let Err(violation) = served {
            locked(self.checker).break_for(SERVES, violation, self.cluster.now());
        }
    }
}

/// Whom a node takes for a member.
fn view(node: SimNode) -> Option<View> {
    let members = node.try_server()?.members();
    let sees = members.members.iter().map(|member| member.incarnation).collect();
    Some(View { node: node.index(), life: node.incarnation(), sees })
}

const FINISH: &str = "users finish";
const SERVES: &str = "the healed cluster serves";

fn locked(checker: &Mutex<Checker>) -> MutexGuard<'_, Checker> {
    checker.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failure(checker: &Checker, history: &[Event]) -> Option<Failure> {
    let broken = checker.broken()?;
    let seen = &history[..broken.events.min(history.len())];
    let is_shown = |event: &&Event| {
        if broken.violation.says_what_about() {
            broken.violation.is_shown_by(event)
        } else {
            is_telling(event)
        }
    };
    Some(Failure {
        invariant: broken.invariant.to_owned(),
        text: broken.violation.to_string(),
        at: since_start(broken.at),
        around: last_lines(seen.iter().filter(is_shown)),
    })
}

fn panicked(panic: &(dyn std::any::Any + Send), handle: Option<&SimHandle>, history: &[Event]) -> Failure {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Failure {
        invariant: "nothing panics".to_owned(),
        text: text.unwrap_or_else(|| "a panic without a text".to_owned()),
        at: handle.map(|handle| since_start(handle.now())).unwrap_or_default(),
        around: last_lines(history.iter().filter(is_telling)),
    }
}

/// Connections come and go.
fn is_telling(event: &&Event) -> bool {
    !matches!(event.what, What::ConnectionOpened { .. } | What::ConnectionClosed { .. })
}

fn last_lines<'a>(events: impl DoubleEndedIterator<Item = &'a Event>) -> Vec<String> {
    let mut lines: Vec<String> = events.rev().take(EVENTS_SHOWN).map(ToString::to_string).collect();
    lines.reverse();
    lines
}
