//! The cluster: the coordinator's node, and the workers as processes. Starts them,
//! waits until they have joined, kills one, and sees all of them to their end.

use std::collections::VecDeque;
use std::env;
use std::future::{pending, poll_fn};
use std::path::PathBuf;
use std::task::Poll;
use std::time::Duration;

use actor_cluster::transport::CloseReason;
use actor_cluster::{Events, NodeEvent, NodeId};
use actor_core::ActorRef;
use integration_tests::{Authority, Invitation, NodeKeys, NodeProcess, RunningNode, Way};
use tokio::time::timeout;

use crate::Failure;
use crate::worker::{WORKERS, Work, patient};

/// How long the workers may take until all have joined.
const JOIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a worker may take to end once the coordinator has said goodbye.
const PARTING_TIMEOUT: Duration = Duration::from_secs(10);

/// What the processes that are workers are started with. Not in the help: people
/// have no use for it.
pub(crate) const WORKER_ROLE: &str = "--worker";

/// The coordinator and its workers.
pub(crate) struct Crew {
    program: PathBuf,
    node: RunningNode,
    events: Events,
    /// Those that were noticed while we waited for something else.
    departures: VecDeque<Departure>,
    /// Everybody in the cluster.
    peers: Vec<NodeId>,
    pub(crate) workers: Vec<Worker>,
}

/// The end of a session with a worker.
pub(crate) struct Departure {
    pub(crate) worker: usize,
    pub(crate) reason: CloseReason,
}

/// One life of a worker's node.
pub(crate) struct Worker {
    pub(crate) name: String,
    pub(crate) way: Way,
    keys: NodeKeys,
    process: Option<NodeProcess>,
    /// Its counter, once it has joined.
    actor: Option<ActorRef<Work>>,
    pub(crate) end: Option<End>,
}

/// How a worker ended before its work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// We killed it.
    Killed,
    /// Nobody asked it to.
    Lost,
}

impl Crew {
    /// Starts a coordinator and so many workers, by turns over each way, and waits
    /// until all have joined.
    pub(crate) async fn gather(workers: usize, ways: &[Way]) -> Result<Self, Failure> {
        let program = env::current_exe().map_err(|error| failed("cannot find this program", error))?;
        let authority = Authority::new()?;
        let coordinator = authority.keys("coordinator", ways)?;
        let mut members = Vec::new();
        for (number, way) in (1..=workers).zip(ways.iter().cycle()) {
            let keys =
                authority.keys(&format!("worker-{number}"), &[*way])?.sharing_secret_with(&coordinator);
            members.push(Worker::new(keys.name.clone(), *way, keys));
        }
        let peers: Vec<_> = members.iter().map(|worker| worker.keys.node).chain([coordinator.node]).collect();
        let node = coordinator.start(&peers, patient).await?;
        // Before anybody can join, so that no event is missed.
        let events = node.server.subscribe();
        let departures = VecDeque::new();
        let mut crew = Self { program, node, events, departures, peers, workers: members };
        for id in 0..workers {
            crew.start(id).await?;
        }
        crew.assemble().await?;
        Ok(crew)
    }

    /// A worker's counter.
    pub(crate) fn actor(&self, worker: usize) -> &ActorRef<Work> {
        self.workers[worker].actor.as_ref().expect("nobody sees a crew before all of it has joined")
    }

    /// Waits until the session with a worker ends.
    pub(crate) async fn departure(&mut self) -> Departure {
        loop {
            if let Some(departure) = self.departures.pop_front() {
                return departure;
            }
            match self.events.next().await {
                Some(event) => self.on_event(event),
                // The node is ours: it is not gone before we are.
                None => pending().await,
            }
        }
    }

    /// Kills a worker: SIGKILL, no goodbye.
    pub(crate) async fn kill(&mut self, victim: usize) -> Result<(), Failure> {
        let worker = &mut self.workers[victim];
        worker.end = Some(End::Killed);
        match &mut worker.process {
            Some(process) => process.kill().await.map_err(|error| failed(&worker.name, error)),
            None => Ok(()),
        }
    }

    /// Whether no other worker is reached as this one is.
    pub(crate) fn is_last_of_its_way(&self, victim: usize) -> bool {
        let way = self.workers[victim].way;
        let mut others = self.workers.iter().enumerate().filter(|(id, _)| *id != victim);
        !others.any(|(_, other)| other.way == way && other.end.is_none())
    }

    /// Starts a killed worker again: the same node, another incarnation. Returns once
    /// it has joined.
    pub(crate) async fn replace(&mut self, victim: usize) -> Result<(), Failure> {
        let Worker { name, way, keys, .. } = &self.workers[victim];
        self.workers.push(Worker::new(format!("{name} again"), *way, keys.clone()));
        self.start(self.workers.len() - 1).await?;
        self.assemble().await
    }

    /// Says goodbye, which ends the workers, and waits for them. Gives the names of
    /// those who did not end well.
    pub(crate) async fn dismiss(self) -> Result<Vec<String>, Failure> {
        self.node.shutdown().await.map_err(|error| failed("the coordinator did not end well", error))?;
        let mut failures = Vec::new();
        for mut worker in self.workers {
            let Some(process) = worker.process.take().filter(|_| worker.end != Some(End::Killed)) else {
                continue;
            };
            match process.finish(PARTING_TIMEOUT).await {
                Ok(status) if status.success() => {}
                Ok(status) => failures.push(format!("{}: {status}", worker.name)),
                Err(error) => failures.push(format!("{}: {error}", worker.name)),
            }
        }
        Ok(failures)
    }

    async fn start(&mut self, worker: usize) -> Result<(), Failure> {
        let Worker { keys, way, name, .. } = &self.workers[worker];
        let invitation = Invitation {
            keys: keys.clone(),
            peers: self.peers.clone(),
            host: self.node.server.id(),
            address: self.node.address(*way)?.to_string(),
        };
        let started = NodeProcess::start(&self.program, [WORKER_ROLE], &invitation).await;
        self.workers[worker].process = Some(started.map_err(|error| failed(name, error))?);
        Ok(())
    }

    /// Waits until every worker's counter is in the group: each event may have
    /// brought one in.
    async fn assemble(&mut self) -> Result<(), Failure> {
        let all = async {
            loop {
                self.recognize();
                if self.workers.iter().all(|worker| worker.actor.is_some()) {
                    return Ok(());
                }
                tokio::select! {
                    Some(event) = self.events.next() => self.on_event(event),
                    failure = first_end(&mut self.workers) => return Err(failure),
                }
            }
        };
        let late = |_| Failure::Failed(format!("the workers had not joined within {JOIN_TIMEOUT:?}"));
        timeout(JOIN_TIMEOUT, all).await.map_err(late)?
    }

    fn on_event(&mut self, event: NodeEvent) {
        let Some((peer, reason)) = event.session_end() else { return };
        // One of its lives: they differ in their incarnation, not in their node.
        let is_its = |actor: &ActorRef<Work>| actor.id().incarnation() == peer.incarnation;
        let worker = self.workers.iter().position(|worker| worker.actor.as_ref().is_some_and(is_its));
        self.departures.extend(worker.map(|worker| Departure { worker, reason: reason.clone() }));
    }

    /// Finds out which worker each counter in the group belongs to.
    fn recognize(&mut self) {
        for actor in self.node.server.group::<Work>(WORKERS) {
            let is_known = self.workers.iter().any(|worker| worker.actor.as_ref() == Some(&actor));
            let Some(peer) = self.node.server.peer_of(actor.id()).filter(|_| !is_known) else { continue };
            let newcomer = |worker: &&mut Worker| worker.actor.is_none() && worker.keys.node == peer.node;
            if let Some(worker) = self.workers.iter_mut().find(newcomer) {
                worker.actor = Some(actor);
            }
        }
    }
}

impl Worker {
    fn new(name: String, way: Way, keys: NodeKeys) -> Self {
        Self { name, way, keys, process: None, actor: None, end: None }
    }
}

/// Waits until a worker's process ends, which none should before it has joined.
async fn first_end(workers: &mut [Worker]) -> Failure {
    poll_fn(|cx| {
        for worker in workers.iter_mut().filter(|worker| worker.actor.is_none()) {
            let Some(process) = &mut worker.process else { continue };
            if let Poll::Ready(ended) = process.poll_exit(cx) {
                let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                return Poll::Ready(Failure::Failed(format!("{} did not join: {how}", worker.name)));
            }
        }
        Poll::Pending
    })
    .await
}

fn failed(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("{what}: {error}"))
}
