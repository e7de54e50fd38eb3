//! What can be asked of a simulated cluster and done to it, while it runs and while it does not.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actor_cluster::transport::{Address, PeerIdentity};
use actor_cluster::{NodeId, NodeServer};
use actor_core::{Executor, Instant};

use super::builder::{Setup, SimClusterBuilder};
use super::conditions::Conditions;
use super::fault::{Crash, Degradation, Fault};
use super::history::{Event, Recorder, What};
use super::net::{Net, SimTransport, address_of};
use super::node::SimNode;
use crate::simulation::world::Handle;
use crate::simulation::{Random, Simulation, WallClock};

/// How often a node looks for those with which it has no session.
const MEET_EVERY: Duration = Duration::from_secs(1);

/// The way to a [`SimCluster`](super::SimCluster), from futures that run in it too. Clones lead to the same cluster. What is done
/// to it counts from the next step on.
#[derive(Clone)]
pub struct SimHandle {
    shared: Arc<Shared>,
}

struct Shared {
    seed: u64,
    world: Handle,
    net: Net,
    recorder: Recorder,
    setup: Setup,
    ids: Vec<NodeId>,
    /// By number; none while a node is down.
    nodes: Mutex<Vec<Option<SimNode>>>,
    /// Those that say goodbye, by number: they count as down.
    leaving: Mutex<Vec<Option<SimNode>>>,
    /// What each node's wall clock shows.
    clocks: Mutex<Vec<WallClock>>,
}

impl SimHandle {
    pub(super) fn new(seed: u64, builder: SimClusterBuilder, simulation: &Simulation) -> Self {
        let SimClusterBuilder { nodes, conditions, setup, .. } = builder;
        let world = simulation.handle();
        let recorder = Recorder::new(world.clone());
        let net = Net::new(seed, nodes, conditions, world.clone(), recorder.clone());
        // Which of two nodes has the smaller identity decides some things between them: the seed decides which.
        let mut random = Random::seeded(seed ^ 0x6964_656e_7469_7479);
        let ids = (0..nodes).map(|index| id_of(index, &mut random)).collect();
        let lives = Mutex::new(vec![None; nodes]);
        let leaving = Mutex::new(vec![None; nodes]);
        let clocks = Mutex::new(vec![WallClock::default(); nodes]);
        let shared = Shared { seed, world, net, recorder, setup, ids, nodes: lives, leaving, clocks };
        Self { shared: Arc::new(shared) }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// How many nodes there are, those that are down among them.
    pub fn nodes(&self) -> usize {
        self.shared.ids.len()
    }

    /// A node's present life.
    ///
    /// # Panics
    ///
    /// If it is down.
    #[track_caller]
    pub fn node(&self, node: usize) -> SimNode {
        self.try_node(node).unwrap_or_else(|| panic!("node {node} is down"))
    }

    /// A node's present life, if it has one.
    pub fn try_node(&self, node: usize) -> Option<SimNode> {
        self.lives().get(node).cloned().flatten()
    }

    /// Who a node is, in all its lives.
    ///
    /// # Panics
    ///
    /// If the cluster has no such node.
    #[track_caller]
    pub fn id(&self, node: usize) -> NodeId {
        self.assert_has(node);
        self.shared.ids[node]
    }

    /// Where a node is dialled.
    pub fn address(&self, node: usize) -> Address {
        address_of(node)
    }

    /// The virtual time. It begins at zero.
    pub fn now(&self) -> Instant {
        self.shared.world.time()
    }

    /// What a test's own futures sleep and spawn on: on no node.
    pub fn executor(&self) -> Executor {
        Executor::custom(Arc::new(self.shared.world.clone()))
    }

    /// Completes after so much virtual time.
    pub async fn sleep(&self, time: Duration) {
        self.executor().sleep(time).await;
    }

    /// Whether two nodes have a session that is ready, each with the present life of the other.
    pub fn connected(&self, one: usize, another: usize) -> bool {
        let (Some(one), Some(another)) = (self.try_node(one), self.try_node(another)) else { return false };
        has_session(&one, &another) && has_session(&another, &one)
    }

    /// Whether each node that is not down has a session with each other one.
    pub fn is_mesh(&self) -> bool {
        let lives: Vec<SimNode> = self.lives().iter().flatten().cloned().collect();
        lives.iter().all(|node| {
            let sessions = node.try_server().map(NodeServer::sessions).unwrap_or_default();
            let has = |other: &SimNode| {
                sessions.iter().any(|session| session.peer().incarnation == other.incarnation())
            };
            lives.iter().filter(|other| other.index() != node.index()).all(has)
        })
    }

    /// What all that has happened so far comes to: each step, each byte that was delivered, each event of the history. Two runs
    /// that did the same have the same number.
    pub fn event_hash(&self) -> u64 {
        self.shared.world.world().trace().value()
    }

    /// All that has happened so far.
    pub fn history(&self) -> Vec<Event> {
        self.shared.recorder.history()
    }

    /// What writes the history, for the test's own actors.
    pub fn recorder(&self) -> Recorder {
        self.shared.recorder.clone()
    }

    /// Does what a fault says; each has a method of its own as well. Where it cannot happen, as a crash of a node that is down,
    /// nothing does, and the history does not have it.
    ///
    /// # Panics
    ///
    /// If it names a node that the cluster does not have; so do the other methods.
    #[track_caller]
    pub fn inject(&self, fault: &Fault) {
        fault.nodes().into_iter().for_each(|node| self.assert_has(node));
        if !self.is_possible(fault) {
            return;
        }
        self.shared.recorder.record(fault.node(), What::Fault(fault.clone()));
        let net = &self.shared.net;
        match fault {
            Fault::Partition(groups) => net.set_blocked(|from, to| {
                !groups.iter().any(|group| group.contains(&from) && group.contains(&to))
            }),
            Fault::Block { from, to } => net.block(*from, *to),
            Fault::Heal => net.set_blocked(|_, _| false),
            Fault::Cut(one, another) => net.cut(*one, *another),
            Fault::Crash(node, how) => self.end(*node, *how),
            Fault::Restart(node) => drop(self.begin(*node)),
            Fault::Freeze(node) => self.place(*node).freeze(),
            Fault::Thaw(node) => self.place(*node).thaw(),
            Fault::Slow(node, cost) => self.place(*node).set_step_cost(*cost),
            Fault::Leave(node) => self.leave_in_order(*node),
            Fault::Degrade(node, degradation) => net.degrade(*node, *degradation),
            Fault::ClockForward(node, by) => self.set_clock(*node, |clock| clock.set_forward(*by)),
            Fault::ClockBack(node, by) => self.set_clock(*node, |clock| clock.set_back(*by)),
            Fault::ClockDrift(node, ppm) => {
                let now = self.now();
                self.set_clock(*node, |clock| clock.drift(*ppm, now));
            }
        }
    }

    #[track_caller]
    fn assert_has(&self, node: usize) {
        assert!(node < self.nodes(), "there is no node {node} among {}", self.nodes());
    }

    /// Whether its nodes are in a state to which the fault can happen.
    fn is_possible(&self, fault: &Fault) -> bool {
        match fault {
            Fault::Partition(_)
            | Fault::Heal
            | Fault::Degrade(..)
            | Fault::ClockForward(..)
            | Fault::ClockBack(..)
            | Fault::ClockDrift(..) => true,
            Fault::Block { from, to } | Fault::Cut(from, to) => from != to,
            Fault::Crash(node, _) | Fault::Freeze(node) | Fault::Thaw(node) | Fault::Slow(node, _) => {
                self.try_node(*node).is_some()
            }
            // One that does not listen yet has nobody to say goodbye to.
            Fault::Leave(node) => self.try_node(*node).is_some_and(|node| node.try_server().is_some()),
            Fault::Restart(node) => self.try_node(*node).is_none(),
        }
    }

    /// Lets nothing pass between nodes of different groups, see [`Fault::Partition`].
    #[track_caller]
    pub fn partition(&self, groups: &[&[usize]]) {
        self.inject(&Fault::Partition(groups.iter().map(|group| group.to_vec()).collect()));
    }

    /// Lets nothing pass from one node to another, see [`Fault::Block`].
    #[track_caller]
    pub fn block(&self, from: usize, to: usize) {
        self.inject(&Fault::Block { from, to });
    }

    /// Lets everything pass everywhere again.
    #[track_caller]
    pub fn heal(&self) {
        self.inject(&Fault::Heal);
    }

    /// Resets all connections between two nodes.
    #[track_caller]
    pub fn cut(&self, one: usize, another: usize) {
        self.inject(&Fault::Cut(one, another));
    }

    /// Ends a node's life without a word; nothing if it is down.
    #[track_caller]
    pub fn crash(&self, node: usize, how: Crash) {
        self.inject(&Fault::Crash(node, how));
    }

    /// Begins another life of a node that is down; nothing if it is not. It starts when the cluster runs.
    #[track_caller]
    pub fn restart(&self, node: usize) {
        self.inject(&Fault::Restart(node));
    }

    /// Stops a node, see [`Fault::Freeze`].
    #[track_caller]
    pub fn freeze(&self, node: usize) {
        self.inject(&Fault::Freeze(node));
    }

    /// Lets a frozen node go on.
    #[track_caller]
    pub fn thaw(&self, node: usize) {
        self.inject(&Fault::Thaw(node));
    }

    /// Lets each step of a node's tasks take so long, see [`Fault::Slow`].
    #[track_caller]
    pub fn slow(&self, node: usize, step: Duration) {
        self.inject(&Fault::Slow(node, step));
    }

    /// Has a node leave in order, see [`Fault::Leave`]; nothing if it is down, or does not listen yet. It counts as down at once, and
    /// says goodbye when the cluster runs.
    #[track_caller]
    pub fn leave(&self, node: usize) {
        self.inject(&Fault::Leave(node));
    }

    /// Has all ways to and from a node be worse than they are set up to be, see [`Fault::Degrade`].
    #[track_caller]
    pub fn degrade(&self, node: usize, degradation: Degradation) {
        self.inject(&Fault::Degrade(node, degradation));
    }

    /// Sets a node's wall clock forward. It stays so in the node's next lives.
    #[track_caller]
    pub fn set_clock_forward(&self, node: usize, by: Duration) {
        self.inject(&Fault::ClockForward(node, by));
    }

    /// Sets a node's wall clock back. It stays so in the node's next lives.
    #[track_caller]
    pub fn set_clock_back(&self, node: usize, by: Duration) {
        self.inject(&Fault::ClockBack(node, by));
    }

    /// Has a node's wall clock gain so many millionths from now on, or lose them, see [`Fault::ClockDrift`]. Timers go by the world's time.
    #[track_caller]
    pub fn drift_clock(&self, node: usize, ppm: i32) {
        self.inject(&Fault::ClockDrift(node, ppm));
    }

    /// What the way from one node to another is like from now on.
    ///
    /// # Panics
    ///
    /// If the cluster has no such node, or the two are one.
    #[track_caller]
    pub fn set_conditions(&self, from: usize, to: usize, conditions: Conditions) {
        [from, to].into_iter().for_each(|node| self.assert_has(node));
        assert_ne!(from, to, "a node has no way to itself");
        self.shared.net.set_conditions(from, to, conditions);
    }

    fn lives(&self) -> MutexGuard<'_, Vec<Option<SimNode>>> {
        self.shared.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leaving(&self) -> MutexGuard<'_, Vec<Option<SimNode>>> {
        self.shared.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clocks(&self) -> MutexGuard<'_, Vec<WallClock>> {
        self.shared.clocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which node's tasks are in a place of the world, if it is one's.
    pub(super) fn node_at(&self, place: usize) -> Option<usize> {
        let lives = self.lives();
        let node = lives.iter().flatten().find(|node| node.life().place.number() == place);
        node.map(SimNode::index)
    }

    fn place(&self, node: usize) -> Handle {
        self.node(node).life().place.clone()
    }

    /// Begins a life of a node that has none. What comes back is ready when it has set itself up.
    pub(super) fn begin(&self, index: usize) -> impl Future<Output = ()> + use<> {
        self.end_leaving(index);
        let place = self.shared.world.new_place();
        place.set_clock(self.clocks()[index]);
        place.name_place(&format!("node {index}"));
        self.shared.net.begin_life(index);
        let node = SimNode::new(index, self.id(index), place, self.shared.recorder.clone());
        self.lives()[index] = Some(node.clone());
        let handle = self.clone();
        let life = node.clone();
        let begun = node.run(async move { handle.live(life).await });
        async move {
            // A node that crashes meanwhile sets nothing up.
            let _: Option<()> = begun.await;
        }
    }

    async fn live(self, node: SimNode) {
        let setup = &self.shared.setup;
        let (id, index) = (node.id(), node.index());
        let executor = node.system().executor().clone();
        let identity = PeerIdentity::Node(id);
        let transport =
            SimTransport::new(&self.shared.net, index, identity, setup.streams.clone(), executor.clone());
        let watched = node.clone();
        let builder = NodeServer::builder(id)
            .name(format!("node-{index}"))
            .system(node.system().clone())
            // In this order: who is no member any more has no session either.
            .on_member_event(move |event| watched.record(What::Member(event.clone())));
        let started = (setup.configure)(index, builder.transport(transport)).start().await;
        let server = started.unwrap_or_else(|error| panic!("node {index} cannot start: {error}"));
        node.record(What::Started { id, incarnation: node.incarnation() });
        let mut events = server.subscribe();
        let watched = node.clone();
        executor
            .spawn(async move {
                while let Some(event) = events.next().await {
                    watched.record(What::Node(event));
                }
            })
            .detach();
        node.set_server(server);
        (setup.on_start)(node.clone()).await;
        if setup.meets {
            let handle = self.clone();
            executor.spawn(async move { handle.meet(&node).await }).detach();
        }
    }

    /// Dials those of a greater id that this node has no session with, for ever: the lesser of two dials, as in membership. To each there is one attempt
    /// at a time, since a second one that works too would be a second connection of the same session.
    async fn meet(&self, node: &SimNode) {
        let executor = node.system().executor();
        let dialling: Arc<Mutex<BTreeSet<usize>>> = Arc::default();
        loop {
            let known: BTreeSet<NodeId> =
                node.server().sessions().iter().map(|session| session.peer().node).collect();
            let is_mine = |other: &usize| node.id() < self.id(*other) && !known.contains(&self.id(*other));
            for other in (0..self.nodes()).filter(is_mine) {
                if !under_way(&dialling).insert(other) {
                    continue;
                }
                let (node, id, address) = (node.clone(), self.id(other), address_of(other));
                let dialling = dialling.clone();
                let dialled = async move {
                    drop(node.server().connect_to(id, &address).await);
                    under_way(&dialling).remove(&other);
                };
                executor.spawn(dialled).detach();
            }
            executor.sleep(MEET_EVERY).await;
        }
    }

    fn end(&self, index: usize, how: Crash) {
        let Some(node) = self.lives()[index].take() else { return };
        self.shared.net.crash(index, how);
        node.life().place.end_place();
        node.record(What::Crashed { incarnation: node.incarnation() });
    }

    fn leave_in_order(&self, index: usize) {
        let Some(node) = self.lives()[index].take() else { return };
        let (handle, incarnation) = (self.clone(), node.incarnation());
        let goodbye = node.server().leave_borrowed();
        self.leaving()[index] = Some(node.clone());
        let leaves = async move {
            goodbye.await;
            let is_still =
                handle.leaving()[index].as_ref().is_some_and(|node| node.incarnation() == incarnation);
            if is_still {
                handle.end_leaving(index);
            }
        };
        node.system().executor().spawn(leaves).detach();
    }

    /// The life of a node that leaves is over, whether or not it has said goodbye to all.
    fn end_leaving(&self, index: usize) {
        let Some(node) = self.leaving()[index].take() else { return };
        self.shared.net.crash(index, Crash::Reset);
        node.life().place.end_place();
        node.record(What::Left { incarnation: node.incarnation() });
    }

    fn set_clock(&self, index: usize, set: impl FnOnce(&mut WallClock)) {
        let mut clocks = self.clocks();
        set(&mut clocks[index]);
        let clock = clocks[index];
        drop(clocks);
        if let Some(node) = self.try_node(index) {
            node.life().place.set_clock(clock);
        }
    }
}

fn has_session(here: &SimNode, there: &SimNode) -> bool {
    let sessions = here.try_server().map(NodeServer::sessions).unwrap_or_default();
    sessions.iter().any(|session| session.peer().incarnation == there.incarnation())
}

fn id_of(index: usize, random: &mut Random) -> NodeId {
    let mut bytes = [0; NodeId::BYTES];
    bytes[..8].copy_from_slice(&random.draw().to_be_bytes());
    bytes[8..16].copy_from_slice(&(index as u64).to_be_bytes());
    NodeId::from_bytes(bytes)
}

impl fmt::Debug for SimHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimHandle")
            .field("seed", &self.shared.seed)
            .field("nodes", &*self.lives())
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

/// Which nodes are being dialled.
fn under_way(dialling: &Mutex<BTreeSet<usize>>) -> MutexGuard<'_, BTreeSet<usize>> {
    dialling.lock().unwrap_or_else(PoisonError::into_inner)
}
