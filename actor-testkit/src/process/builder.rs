//! How a cluster of processes is to be, and its start.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::limits::{ANSWER_TIMEOUT_DEFAULT, READY_TIMEOUT_DEFAULT};

use super::cluster::ProcessCluster;
use super::conditions::Conditions;
use super::error::ProcessError;
use super::front::Carries;
use super::network::Network;
use super::program::{NodePlan, Program};

/// How a cluster is to be; see [`ProcessCluster::builder`].
pub struct ProcessClusterBuilder {
    pub(super) program: Program,
    pub(super) nodes: usize,
    pub(super) in_namespaces: bool,
    pub(super) each: Box<Each>,
    pub(super) logs: Option<PathBuf>,
    pub(super) ready_timeout: Duration,
    pub(super) answer_timeout: Duration,
    pub(super) relays: Option<Relays>,
    pub(super) conditions: Option<Conditions>,
}

/// What is before each node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relays {
    pub(super) carries: Carries,
    pub(super) seed: u64,
}

/// What is different for each node.
type Each = dyn Fn(usize, &mut NodePlan) + Send + Sync;

impl ProcessClusterBuilder {
    /// How many nodes there are at first; 3 unless said, at most [`NODES_MAX`](crate::limits::NODES_MAX).
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Each node gets a network of its own, as a namespace of Linux, and an address in it; so they can be cut off from each
    /// other. It takes root and iproute2. Otherwise they are all on this machine's loopback.
    pub fn in_namespaces(mut self) -> Self {
        self.in_namespaces = true;
        self
    }

    /// Each node has a relay before it, which it is to [advertise](super::Invitation::advertised) in place of its own address, so
    /// that all who dial it go that way; those it dials itself go by theirs. What is lost and late follows from the seed. In
    /// namespaces, each relay is in one of its own.
    pub fn behind_relays(mut self, carries: Carries, seed: u64) -> Self {
        self.relays = Some(Relays { carries, seed });
        self
    }

    /// What the relays are like at first, in both directions; [`set_conditions`](ProcessCluster::set_conditions) changes it.
    pub fn conditions(mut self, conditions: Conditions) -> Self {
        self.conditions = Some(conditions);
        self
    }

    /// What is different for each node: asked once for each, with its number, before it is started for the first time.
    pub fn each(mut self, plan: impl Fn(usize, &mut NodePlan) + Send + Sync + 'static) -> Self {
        self.each = Box::new(plan);
        self
    }

    /// What nodes write to their standard error goes to files in this directory, one for each life: `node-0.1.log`. Otherwise
    /// it goes where ours does.
    pub fn logs_in(mut self, directory: impl Into<PathBuf>) -> Self {
        self.logs = Some(directory.into());
        self
    }

    /// How long a node may take until it is [ready](super::Guest::ready): [`READY_TIMEOUT_DEFAULT`] unless said.
    pub fn ready_timeout(mut self, timeout: Duration) -> Self {
        self.ready_timeout = timeout;
        self
    }

    /// How long a node may take to answer: [`ANSWER_TIMEOUT_DEFAULT`] unless said.
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }

    /// Starts the nodes: the first, and once that is ready the others, all at once, which have it as their seed. All are ready
    /// when this returns.
    ///
    /// # Errors
    ///
    /// [`ProcessError::NotHere`] if they are to be in namespaces and this machine does not let us; [`ProcessError::NoRelays`] if
    /// there are conditions for some, and none; whatever keeps a node from being ready.
    pub async fn start(self) -> Result<ProcessCluster, ProcessError> {
        if self.conditions.is_some() && self.relays.is_none() {
            return Err(ProcessError::NoRelays);
        }
        let network = if self.in_namespaces { Some(Network::new()?) } else { None };
        let count = self.nodes;
        let mut cluster = ProcessCluster::new(self, network);
        if count > 0 {
            cluster.add().await?;
            cluster.add_many(count - 1).await?;
        }
        Ok(cluster)
    }
}

impl fmt::Debug for ProcessClusterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ProcessClusterBuilder");
        shown.field("program", &self.program).field("nodes", &self.nodes);
        shown.field("in_namespaces", &self.in_namespaces).finish_non_exhaustive()
    }
}

impl ProcessCluster {
    /// Nodes that run this program, which begins with [`Guest::arrive`](super::Guest::arrive).
    pub fn builder(program: Program) -> ProcessClusterBuilder {
        ProcessClusterBuilder {
            program,
            nodes: 3,
            in_namespaces: false,
            each: Box::new(|_, _| {}),
            logs: None,
            ready_timeout: READY_TIMEOUT_DEFAULT,
            answer_timeout: ANSWER_TIMEOUT_DEFAULT,
            relays: None,
            conditions: None,
        }
    }
}
