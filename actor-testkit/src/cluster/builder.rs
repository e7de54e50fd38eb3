//! How a simulated cluster is set up.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actor_cluster::NodeBuilder;
use actor_cluster::transport::LaneSet;

use super::SimCluster;
use super::conditions::Conditions;
use super::handle::SimHandle;
use super::node::SimNode;
use crate::simulation::Simulation;
use crate::simulation::witness::Witness;

/// Sets up a [`SimCluster`].
#[must_use]
pub struct SimClusterBuilder {
    seed: u64,
    witness: Option<Witness>,
    pub(super) nodes: usize,
    pub(super) conditions: Conditions,
    pub(super) setup: Setup,
}

/// What each life of each node begins with.
pub(super) struct Setup {
    pub(super) configure: Box<dyn Fn(usize, NodeBuilder) -> NodeBuilder + Send + Sync>,
    pub(super) on_start: Box<OnStart>,
    pub(super) streams: Arc<[LaneSet]>,
    pub(super) meets: bool,
}

type OnStart = dyn Fn(SimNode) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

impl SimClusterBuilder {
    pub(super) fn new(seed: u64) -> Self {
        let setup = Setup {
            configure: Box::new(|_, builder| builder),
            on_start: Box::new(|_| Box::pin(async {})),
            streams: Arc::new([LaneSet::ALL]),
            meets: true,
        };
        Self { seed, witness: None, nodes: 3, conditions: Conditions::default(), setup }
    }

    /// Has somebody look at every step.
    pub(super) fn witnessed(mut self, witness: Witness) -> Self {
        self.witness = Some(witness);
        self
    }

    /// How many nodes there are.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// What the ways between all nodes are like; [`Conditions::lan`] unless set.
    pub fn conditions(mut self, conditions: Conditions) -> Self {
        self.conditions = conditions;
        self
    }

    /// The streams that a connection has, and the lanes that each carries; one for all unless set.
    pub fn streams(mut self, streams: impl Into<Arc<[LaneSet]>>) -> Self {
        self.setup.streams = streams.into();
        self
    }

    /// Sets up each life of each node, by its number: kinds that may be spawned, rights, the pace of heartbeats. Identity,
    /// name, system and transport are set already.
    pub fn configure(
        mut self,
        configure: impl Fn(usize, NodeBuilder) -> NodeBuilder + Send + Sync + 'static,
    ) -> Self {
        self.setup.configure = Box::new(configure);
        self
    }

    /// What each life of each node begins with, as soon as it listens, on the node itself: spawn actors, publish them. So a node
    /// that is restarted sets itself up again.
    pub fn on_start<F>(mut self, on_start: impl Fn(SimNode) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.setup.on_start = Box::new(move |node| Box::pin(on_start(node)));
        self
    }

    /// Leaves it to the test to connect the nodes. Otherwise each dials, once it has set itself up and each second from then on, those of
    /// a greater id with which it has no session, and which it is not dialling already.
    pub fn apart(mut self) -> Self {
        self.setup.meets = false;
        self
    }

    /// Starts all nodes, and runs them until each has done what it begins with, and has a session with each other one.
    ///
    /// # Panics
    ///
    /// If a node cannot be started with what it was configured with, or if they do not find each other within five minutes.
    #[track_caller]
    pub fn start(mut self) -> SimCluster {
        let simulation = Simulation::seeded(self.seed);
        *simulation.handle().world().witness() = self.witness.take().map(Box::new);
        let meets = self.setup.meets;
        let handle = SimHandle::new(self.seed, self, &simulation);
        let mut cluster = SimCluster::new(simulation, handle);
        let all: Vec<_> = (0..cluster.nodes()).map(|node| cluster.begin(node)).collect();
        cluster.block_on(async {
            for begun in all {
                begun.await;
            }
        });
        if meets {
            let have_met = cluster.advance_until(MEET_WITHIN, SimHandle::is_mesh);
            assert!(have_met, "the nodes have not found each other within {MEET_WITHIN:?}");
        }
        cluster
    }
}

const MEET_WITHIN: std::time::Duration = std::time::Duration::from_secs(300);

impl fmt::Debug for SimClusterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimClusterBuilder")
            .field("seed", &self.seed)
            .field("nodes", &self.nodes)
            .field("conditions", &self.conditions)
            .finish_non_exhaustive()
    }
}
