//! What users do in a cluster, again and again with other faults, until something is so that must not be.
//!
//! ```text
//!  seed ──► nodes, users, Schedule of faults
//!               │
//!  safety:   users act, faults come and go ───┐
//!  liveness: all is mended, users finish,     ├──► each step: every Invariant ──► Run
//!            the nodes find each other, serve ┘
//!               │ a Failure
//!               └──► shrunk: fewer and shorter faults that do it too
//! ```
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use actor_cluster::RemoteMessage;
//! use actor_core::{Actor, ActorError, ActorRef, ReplyPort, SpawnOptions};
//! use actor_testkit::cluster::history::{Outcome, What};
//! use actor_testkit::cluster::scenario::{Scenario, User};
//! use actor_testkit::cluster::{SimCluster, SimNode};
//!
//! #[derive(RemoteMessage)]
//! enum Ask {
//!     #[rpc]
//!     Double(u64, ReplyPort<u64>),
//! }
//!
//! struct Doubler(SimNode);
//!
//! impl Actor for Doubler {
//!     type Msg = Ask;
//!     type State = ();
//!     type Arguments = ();
//!
//!     async fn pre_start(&self, _: &ActorRef<Ask>, _: ()) -> Result<(), ActorError> {
//!         Ok(())
//!     }
//!
//!     async fn handle(&self, _: &ActorRef<Ask>, Ask::Double(n, port): Ask, _: &mut ()) -> Result<(), ActorError> {
//!         // What is told is checked: here, that it runs once at most.
//!         self.0.record(What::CallRan { call: n });
//!         _ = port.send(2 * n);
//!         Ok(())
//!     }
//! }
//!
//! async fn call(user: User) {
//!     let name = format!("doubler-{}", user.pick(3));
//!     let Ok(doubler) = user.node().server().find::<Ask>(&name) else { return };
//!     let n = user.next_number();
//!     user.record(What::CallBegun { call: n, to: doubler.id() });
//!     let answer = doubler.call(|port| Ask::Double(n, port)).await;
//!     user.record(What::CallEnded { call: n, outcome: Outcome::of(&answer) });
//! }
//!
//! Scenario::new("doubling", |seed| {
//!     SimCluster::seeded(seed).nodes(3).on_start(async |node| {
//!         let doubler = node.system().spawn(Doubler(node.clone()), (), SpawnOptions::new()).await.unwrap();
//!         node.server().publish(&format!("doubler-{}", node.index()), &doubler).unwrap();
//!     })
//! })
//! .users(2, call)
//! .lasting(Duration::from_secs(5))
//! .check(0..3);
//! ```
//!
//! # When it fails
//!
//! [`check`](Scenario::check) panics with the seed, the invariant that did not hold, the faults that are needed for that, and
//! what happened around then. With the environment variable [`ACTOR_SIM_SEED`](SEED_VARIABLE) it runs that one seed and no other.

mod random_users;
mod report;
mod run;
mod schedule;
mod shrink;
mod user;

use std::env;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actor_core::Instant;

pub use self::random_users::random_users;
pub use self::report::Tally;
pub use self::run::{Failure, Run};
pub use self::schedule::{Episode, FaultKind, Faults, Schedule};
pub use self::user::User;
use super::builder::SimClusterBuilder;
use super::handle::SimHandle;
use super::invariants::{Invariant, Violation};

/// Set to a seed, it makes [`Scenario::check`] run that one and no other.
pub const SEED_VARIABLE: &str = "ACTOR_SIM_SEED";

/// How long faults come and go, unless set.
const LASTING_DEFAULT: Duration = Duration::from_secs(20);
/// How long everything may take after the faults are mended, unless set.
const HEALED_WITHIN_DEFAULT: Duration = Duration::from_secs(120);
/// How long a user rests between two actions at most, unless set.
const PAUSE_DEFAULT: Duration = Duration::from_millis(200);

/// Users, faults and what must be so, of which each seed is one run. The [module](self) has an example.
#[must_use = "nothing runs until it is checked"]
pub struct Scenario {
    name: String,
    cluster: Box<dyn Fn(u64) -> SimClusterBuilder>,
    users: usize,
    action: Arc<Action>,
    pause: Duration,
    faults: Faults,
    lasting: Duration,
    healed_within: Duration,
    invariants: Vec<Box<dyn Fn() -> Box<dyn Invariant>>>,
    serves: Box<Serves>,
}

type Action = dyn Fn(User) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;
type Serves = dyn Fn(SimHandle) -> Pin<Box<dyn Future<Output = Result<(), Violation>>>>;

impl Scenario {
    /// A cluster in which nobody does anything yet, under all kinds of faults.
    pub fn new(name: &str, cluster: impl Fn(u64) -> SimClusterBuilder + 'static) -> Self {
        Self {
            name: name.to_owned(),
            cluster: Box::new(cluster),
            users: 0,
            action: Arc::new(|_| Box::pin(async {})),
            pause: PAUSE_DEFAULT,
            faults: Faults::all(),
            lasting: LASTING_DEFAULT,
            healed_within: HEALED_WITHIN_DEFAULT,
            invariants: Vec::new(),
            serves: Box::new(|_| Box::pin(async { Ok(()) })),
        }
    }

    /// What its reports call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// So many users on each node, each of whom does this, rests, and does it again, until the faults are over. One that is at
    /// it then comes to an end; one whose node crashes is gone, and the node's next life has others.
    pub fn users<F>(mut self, users: usize, action: impl Fn(User) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.users = users;
        self.action = Arc::new(move |user| Box::pin(action(user)));
        self
    }

    /// How long a user rests between two actions at most; a fifth of a second unless set.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// What goes wrong; everything unless set.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// How long users act and faults come and go; twenty seconds of virtual time unless set.
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasting = time;
        self
    }

    /// How long the nodes may take to find each other again after that, users to finish, and the cluster
    /// to [serve](Self::serves); two minutes for each unless set.
    pub fn healed_within(mut self, time: Duration) -> Self {
        self.healed_within = time;
        self
    }

    /// Something that must be so, besides [all that is known](super::invariants::all). Each run has its own.
    pub fn invariant<I: Invariant + 'static>(mut self, invariant: impl Fn() -> I + 'static) -> Self {
        self.invariants.push(Box::new(move || Box::new(invariant())));
        self
    }

    /// What the cluster must be able to do when everything is mended and the users have finished.
    pub fn serves<F>(mut self, serves: impl Fn(SimHandle) -> F + 'static) -> Self
    where
        F: Future<Output = Result<(), Violation>> + 'static,
    {
        self.serves = Box::new(move |cluster| Box::pin(serves(cluster)));
        self
    }

    /// The faults that a seed brings.
    pub fn schedule(&self, seed: u64) -> Schedule {
        let nodes = (self.cluster)(seed).nodes;
        Schedule::random(seed, nodes, self.lasting, &self.faults)
    }

    /// One run.
    pub fn run(&self, seed: u64) -> Run {
        self.run_with(seed, &self.schedule(seed))
    }

    /// One run, and if it fails another with as few faults as will do. At most
    /// [`SHRINK_RUNS_MAX`](crate::limits::SHRINK_RUNS_MAX) are tried.
    pub fn run_and_shrink(&self, seed: u64) -> Run {
        let run = self.run(seed);
        if run.failure.is_some() { shrink::shrink(self, run) } else { run }
    }

    /// Runs some seeds, and says which on the error output.
    ///
    /// # Panics
    ///
    /// At the first that fails, with all that is known of it.
    #[track_caller]
    pub fn check(&self, seeds: impl IntoIterator<Item = u64>) -> Tally {
        let only = env::var(SEED_VARIABLE).ok().map(|seed| seed.parse().expect("ACTOR_SIM_SEED is a number"));
        let seeds: Vec<u64> = only.map_or_else(|| seeds.into_iter().collect(), |seed| vec![seed]);
        let mut tally = Tally::default();
        for seed in seeds {
            // Seen of a run that never ends, too.
            eprintln!("{}: seed {seed}", self.name);
            let run = self.run_and_shrink(seed);
            assert!(run.failure.is_none(), "{}: {run}", self.name);
            tally.add(&run);
        }
        eprintln!("{}: {tally}", self.name);
        tally
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("name", &self.name)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// So long after the beginning.
fn since_start(at: Instant) -> Duration {
    at.elapsed()
}
