//! Many nodes, each a process of its own: they are started, stopped, killed, frozen, cut off, and asked.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitStatus;
use std::str::FromStr;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::crash::Crash;
use crate::limits::{NODES_MAX, SEEDS_MAX, STOP_TIMEOUT_DEFAULT, UNTIL_PAUSE};

use super::builder::{ProcessClusterBuilder, Relays};
use super::conditions::Direction;
use super::error::ProcessError;
use super::front::{Front, free_port};
use super::invitation::Invitation;
use super::member::{Inspection, Member};
use super::network::Network;
use super::node_process::{Greeting, NodeProcess};
use super::program::NodePlan;
use super::space::Space;
use super::talk::Talk;

/// Nodes that are processes, numbered from 0. Dropping it kills them all, and removes the networks that they had. So does our
/// end, even by SIGKILL.
///
/// Its methods need a tokio runtime whose drivers are enabled; each future may be dropped, and what it had begun is then as far
/// as it is. The [module](super) has an example.
#[derive(Debug)]
pub struct ProcessCluster {
    settings: ProcessClusterBuilder,
    // Before the network, in which they are.
    nodes: Vec<Member>,
    pub(super) network: Option<Network>,
}

impl ProcessCluster {
    pub(super) fn new(settings: ProcessClusterBuilder, network: Option<Network>) -> Self {
        Self { settings, nodes: Vec::new(), network }
    }

    /// How many nodes there are, those that have ended among them.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Starts one more node, and waits until it is ready; its number.
    ///
    /// # Errors
    ///
    /// As [`start`](ProcessClusterBuilder::start); [`ProcessError::TooMuch`] if there are [`NODES_MAX`].
    pub async fn add(&mut self) -> Result<usize, ProcessError> {
        self.add_many(1).await?;
        Ok(self.nodes.len() - 1)
    }

    /// Starts so many more at once, and waits until all are ready.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub async fn add_many(&mut self, count: usize) -> Result<(), ProcessError> {
        let first = self.nodes.len();
        self.add_all(first..first + count).await
    }

    /// Starts a node again that has ended, with what it was told the first time and other seeds, and waits until it is ready.
    /// It gets the port again that its address ended with.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Running`] if it has not ended; as [`add`](Self::add).
    pub async fn restart(&mut self, node: usize) -> Result<(), ProcessError> {
        let seeds = self.seeds();
        let member = self.member_mut(node)?;
        if member.ending()?.is_none() {
            return Err(ProcessError::Running(member.name().to_owned()));
        }
        member.plan.invitation.seeds = seeds;
        member.lives += 1;
        let (plan, life) = (member.plan.clone(), member.lives);
        if std::mem::take(&mut member.is_unplugged) {
            self.plug_in(node)?;
        }
        let (process, talk) = self.spawn(node, &plan, life)?;
        let patience = self.settings.ready_timeout;
        let member = self.member_mut(node)?;
        (member.process, member.talk) = (process, talk);
        member.ready(patience).await
    }

    /// Asks a node to end, by SIGTERM, and waits until it has; kills it if that takes longer than [`STOP_TIMEOUT_DEFAULT`]. One that
    /// is frozen goes on first.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn stop(&mut self, node: usize) -> Result<ExitStatus, ProcessError> {
        let member = self.member_mut(node)?;
        member.process.thaw()?;
        member.process.terminate()?;
        member.end(STOP_TIMEOUT_DEFAULT).await
    }

    /// Stops all nodes at once, as [`stop`](Self::stop) does; how each has ended.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn shutdown(mut self) -> Result<Vec<ExitStatus>, ProcessError> {
        for member in &mut self.nodes {
            member.process.thaw()?;
            member.process.terminate()?;
        }
        let mut endings = Vec::new();
        for member in &mut self.nodes {
            endings.push(member.end(STOP_TIMEOUT_DEFAULT).await?);
        }
        Ok(endings)
    }

    /// Ends a node's life without a word, by SIGKILL: it is gone when this returns. [Silently](Crash::Silent), its wire is pulled
    /// before, and is in again when it is [restarted](Self::restart).
    ///
    /// # Errors
    ///
    /// [`ProcessError::OnLoopback`] if it is to be silent; what the system says.
    pub async fn crash(&mut self, node: usize, how: Crash) -> Result<(), ProcessError> {
        if how == Crash::Silent {
            self.unplug(node)?;
            self.member_mut(node)?.is_unplugged = true;
        }
        let member = self.member_mut(node)?;
        member.process.kill().await?;
        member.end(STOP_TIMEOUT_DEFAULT).await.map(drop)
    }

    /// Freezes a node, by SIGSTOP: it does nothing, and its connections stay open. Nothing if it has ended.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn freeze(&mut self, node: usize) -> Result<(), ProcessError> {
        Ok(self.member_mut(node)?.process.freeze()?)
    }

    /// Has a node go on where it was frozen, by SIGCONT.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn thaw(&mut self, node: usize) -> Result<(), ProcessError> {
        Ok(self.member_mut(node)?.process.thaw()?)
    }

    /// Waits until a node ends by itself.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Late`] if it does not.
    pub async fn ended(&mut self, node: usize, patience: Duration) -> Result<ExitStatus, ProcessError> {
        let member = self.member_mut(node)?;
        match timeout(patience, member.process.exited()).await {
            Ok(status) => Ok(status?),
            Err(_) => Err(ProcessError::Late {
                node: member.name().to_owned(),
                what: "ended".to_owned(),
                patience,
                said: member.talk.own_lines(),
            }),
        }
    }

    /// What is known of a node from outside.
    ///
    /// # Errors
    ///
    /// [`ProcessError::NoSuchNode`]; what the system says.
    pub fn inspect(&mut self, node: usize) -> Result<Inspection, ProcessError> {
        self.member_mut(node)?.inspect()
    }

    /// Where a node said that it is.
    ///
    /// # Errors
    ///
    /// [`ProcessError::NoSuchNode`].
    pub fn addresses(&self, node: usize) -> Result<Vec<String>, ProcessError> {
        Ok(self.member(node)?.talk.addresses().unwrap_or_default())
    }

    /// Asks a node, which answers by [`Guest::next`](super::Guest::next).
    ///
    /// # Errors
    ///
    /// [`ProcessError::Late`], [`ProcessError::Ended`], [`ProcessError::Refused`].
    pub async fn ask(&self, node: usize, question: &str) -> Result<String, ProcessError> {
        self.member(node)?.talk.ask(question, self.settings.answer_timeout).await
    }

    /// Asks a node for something that is more than words.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask); [`ProcessError::Garbled`] if it is something else.
    pub async fn ask_as<T>(&self, node: usize, question: &str) -> Result<T, ProcessError>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let answer = self.ask(node, question).await?;
        answer.parse().map_err(|why: T::Err| ProcessError::Garbled {
            node: self.nodes[node].name().to_owned(),
            question: question.to_owned(),
            why: why.to_string(),
            answer,
        })
    }

    /// Asks a node again and again until the answer will do; the answer.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Late`] if none does, with the last one in it; as [`ask`](Self::ask).
    pub async fn until(
        &self,
        node: usize,
        question: &str,
        patience: Duration,
        mut will_do: impl FnMut(&str) -> bool,
    ) -> Result<String, ProcessError> {
        let talk = &self.member(node)?.talk;
        let end = Instant::now() + patience;
        let mut last = None;
        loop {
            let answer = match talk.ask(question, end.saturating_duration_since(Instant::now())).await {
                Ok(answer) => answer,
                Err(ProcessError::Late { node, said, .. }) => {
                    let otherwise =
                        last.map_or(String::new(), |last: String| format!(", but with {last:?},"));
                    let what = format!("answered {question:?} as it should{otherwise}");
                    return Err(ProcessError::Late { node, what, patience, said });
                }
                Err(error) => return Err(error),
            };
            if will_do(&answer) {
                return Ok(answer);
            }
            last = Some(answer);
            // It is another process, which says nothing by itself.
            sleep(UNTIL_PAUSE).await;
        }
    }

    /// The next that a node says by [`Guest::tell`](super::Guest::tell), of the last [`TOLD_KEPT`](crate::limits::TOLD_KEPT).
    ///
    /// # Errors
    ///
    /// [`ProcessError::Late`], [`ProcessError::Ended`].
    pub async fn next_told(&self, node: usize) -> Result<String, ProcessError> {
        self.member(node)?.talk.next_told(self.settings.answer_timeout).await
    }

    pub(super) fn member(&self, node: usize) -> Result<&Member, ProcessError> {
        self.nodes.get(node).ok_or(ProcessError::NoSuchNode(node))
    }

    fn member_mut(&mut self, node: usize) -> Result<&mut Member, ProcessError> {
        self.nodes.get_mut(node).ok_or(ProcessError::NoSuchNode(node))
    }

    pub(super) fn number(&self, node: usize) -> Result<u8, ProcessError> {
        self.member(node)?;
        self.number_of(node)
    }
}

/// Where nodes come from.
impl ProcessCluster {
    async fn add_all(&mut self, numbers: std::ops::Range<usize>) -> Result<(), ProcessError> {
        let seeds = self.seeds();
        for number in numbers.clone() {
            let (mut plan, front) = self.plan(number)?;
            plan.invitation.seeds.clone_from(&seeds);
            let (process, talk) = self.spawn(number, &plan, 1)?;
            self.nodes.push(Member { plan, process, talk, lives: 1, front, is_unplugged: false });
        }
        for number in numbers {
            self.nodes[number].ready(self.settings.ready_timeout).await?;
        }
        Ok(())
    }

    fn plan(&mut self, number: usize) -> Result<(NodePlan, Option<Front>), ProcessError> {
        let short = u8::try_from(number).ok().filter(|_| number < NODES_MAX);
        let short = short.ok_or(ProcessError::TooMuch { what: "the number of nodes", max: NODES_MAX })?;
        let mut ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        if let Some(network) = &mut self.network {
            network.add(short)?;
            ip = Network::ip(short);
        }
        let mut invitation = Invitation::new(format!("node-{number}"), ip);
        let front =
            self.settings.relays.map(|relays| self.front_of(short, relays, &mut invitation)).transpose()?;
        let mut plan = NodePlan::new(self.settings.program.clone(), invitation);
        (self.settings.each)(number, &mut plan);
        Ok((plan, front))
    }

    /// The relay before a node, which is told of it.
    fn front_of(&mut self, node: u8, relays: Relays, told: &mut Invitation) -> Result<Front, ProcessError> {
        let Relays { carries, seed } = relays;
        let (space, at);
        (space, at, told.port) = match &mut self.network {
            Some(network) => (network.add_relay(node)?, Network::relay_ip(node), RELAYED_PORT),
            None => (Space::here(), told.ip, free_port(carries)?),
        };
        let target = SocketAddr::new(told.ip, told.port);
        let front = Front::new(carries, at, &space, target, seed.wrapping_add(node.into()))?;
        told.advertised = Some(front.address());
        for direction in [Direction::There, Direction::Back] {
            front.set(direction, self.settings.conditions.unwrap_or_default());
        }
        Ok(front)
    }

    fn spawn(&self, number: usize, plan: &NodePlan, life: u32) -> Result<(NodeProcess, Talk), ProcessError> {
        let name = &plan.invitation.name;
        let path = plan.program.path();
        let before = match &self.network {
            Some(network) => network.command(self.number_of(number)?, path),
            None => std::process::Command::new(path),
        };
        let errors =
            self.settings.logs.as_ref().map(|directory| log_of(directory, name, life)).transpose()?;
        let not_started = |source| ProcessError::NotStarted { program: path.to_owned(), source };
        let mut process = NodeProcess::spawn(plan.program.command(before, errors)).map_err(not_started)?;
        let greeting = plan.invitation.bytes()?;
        let pipes = process.pipes().ok_or_else(|| io::Error::other("it has no standard input and output"))?;
        Ok((process, Talk::begin(name, greeting, pipes)))
    }

    /// Where those are who are ready.
    fn seeds(&mut self) -> Vec<String> {
        let running = self.nodes.iter_mut().filter_map(|member| match member.ending() {
            Ok(None) => member.talk.addresses(),
            _ => None,
        });
        running.flatten().take(SEEDS_MAX).collect()
    }

    fn number_of(&self, node: usize) -> Result<u8, ProcessError> {
        u8::try_from(node).map_err(|_| ProcessError::NoSuchNode(node))
    }
}

/// Where a node listens that has a relay before it, and a network of its own, so that the port is free.
const RELAYED_PORT: u16 = 4242;

fn log_of(directory: &std::path::Path, name: &str, life: u32) -> io::Result<File> {
    fs::create_dir_all(directory)?;
    File::create(directory.join(format!("{name}.{life}.log")))
}
