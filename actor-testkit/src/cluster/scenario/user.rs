//! Somebody who uses a simulated cluster.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Action;
use crate::cluster::history::What;
use crate::cluster::node::SimNode;
use crate::simulation::Random;

/// Somebody on a node, for as long as that lives, who does what its [scenario](super::Scenario::users) says.
#[derive(Clone)]
pub struct User {
    node: SimNode,
    number: u64,
    /// How many actions it has begun.
    actions: u64,
    random: Arc<Mutex<Random>>,
    crowd: Arc<Crowd>,
}

impl User {
    /// Where it is.
    pub fn node(&self) -> &SimNode {
        &self.node
    }

    /// Who it is: no other user of the run has this number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// A number that nobody else of this run was given, for a call, a watch or whatever is told by numbers.
    pub fn next_number(&self) -> u64 {
        self.crowd.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// How many actions it has begun; 1 in the first.
    pub fn action(&self) -> u64 {
        self.actions
    }

    /// One of so many, from 0 on, as the seed says.
    ///
    /// # Panics
    ///
    /// If it is to be one of none.
    #[track_caller]
    pub fn pick(&self, of: usize) -> usize {
        assert!(of > 0, "one of none");
        self.random.lock().unwrap_or_else(PoisonError::into_inner).below(of)
    }

    /// Completes after so much virtual time.
    pub async fn sleep(&self, time: Duration) {
        self.node.system().executor().sleep(time).await;
    }

    /// Writes down something that happens on its node now.
    pub fn record(&self, what: What) {
        self.node.record(what);
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("number", &self.number).field("node", &self.node).finish_non_exhaustive()
    }
}

/// All users of a run.
#[derive(Default)]
pub(super) struct Crowd {
    numbers: AtomicU64,
    /// How many are in the middle of something.
    busy: AtomicUsize,
    actions: AtomicU64,
    /// Once it is not zero, nobody begins anything more.
    is_over: AtomicUsize,
}

impl Crowd {
    pub(super) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    pub(super) fn actions(&self) -> u64 {
        self.actions.load(Ordering::Relaxed)
    }

    pub(super) fn finish(&self) {
        self.is_over.store(1, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) != 0
    }

    /// Users come to a node that has just set itself up.
    pub(super) fn come(
        self: &Arc<Self>,
        node: &SimNode,
        users: usize,
        action: &Arc<Action>,
        pause: Duration,
    ) {
        for _ in 0..users {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let random = Random::seeded(node.system().executor().random_u64());
            let random = Arc::new(Mutex::new(random));
            let user = User { node: node.clone(), number, actions: 0, random, crowd: self.clone() };
            let (action, system) = (action.clone(), node.system().clone());
            let task = async move { system.scope(act(user, action, pause)).await };
            node.system().executor().spawn(task).detach();
        }
    }
}

async fn act(mut user: User, action: Arc<Action>, pause: Duration) {
    let micros = usize::try_from(pause.as_micros()).unwrap_or(usize::MAX);
    loop {
        let rest = user.pick(micros.saturating_add(1)) as u64;
        user.sleep(Duration::from_micros(rest)).await;
        if user.crowd.is_over() {
            return;
        }
        user.actions += 1;
        user.crowd.actions.fetch_add(1, Ordering::Relaxed);
        let _busy = Busy::new(&user.crowd);
        action(user.clone()).await;
    }
}

/// Counted while it is there; it is gone with its node too.
struct Busy(Arc<Crowd>);

impl Busy {
    fn new(crowd: &Arc<Crowd>) -> Self {
        crowd.busy.fetch_add(1, Ordering::Relaxed);
        Self(crowd.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
