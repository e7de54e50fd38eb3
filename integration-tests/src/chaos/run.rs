//! The run itself: processes are started, call each other, have faults, and are checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};

use super::Flaw;
use super::check::{Verdict, check};
use super::demand::{Demand, Shifts};
use super::faults::{Event, Fault, schedule};
use super::journal::Records;
use super::node::{DIRECTORY, FLAW, NUMBER, PER_SECOND, SEED};
use crate::guest::with_keys;
use crate::process::{Crash, NodePlan, ProcessCluster, ProcessError, Program};

/// How long it may take until all are connected again once all faults have ended.
const RECONNECTED_WITHIN: Duration = Duration::from_secs(30);

/// How long calls go on after that.
const CALM: Duration = Duration::from_secs(1);

/// How long it may take until the last call has an outcome.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program of the nodes, which runs [`node::run`](super::node::run).
    pub program: Program,
    /// How many there are.
    pub nodes: usize,
    /// How many calls they make in a second, in all.
    pub per_second: u64,
    /// For how long there are faults.
    pub span: Duration,
    /// What everything follows from that is left to chance.
    pub seed: u64,
    /// What is done wrong on purpose.
    pub flaw: Flaw,
    /// Where the records go, and what the nodes write to their standard error. It is to be empty.
    pub directory: PathBuf,
    /// Whether the nodes have networks that can be blocked.
    pub in_namespaces: bool,
}

impl Plan {
    fn per_second_each(&self) -> u64 {
        self.per_second / self.nodes as u64
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// What followed from the seed.
    pub seed: u64,
    /// How many faults there were of each kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// For how long there were calls.
    pub called_for: Duration,
    /// How many calls were asked for, of the processes that were there.
    pub asked_for: u64,
    /// How many calls were not begun, because too many were under way or there was nobody to be called. What callers that were killed
    /// held back is not known.
    pub held_back: u64,
    /// How long it took until all were connected again.
    pub reconnected_after: Duration,
    /// What the records say.
    pub verdict: Verdict,
}

impl Report {
    /// What there was too little of for this to show anything; see [`Demand`].
    pub fn shortfalls(&self, demand: Demand) -> Vec<String> {
        demand.shortfalls(self.asked_for, &self.verdict)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<_> = self.faults.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "faults: {}", faults.join(", "))?;
        writeln!(f, "{}", self.verdict)?;
        let rate = self.verdict.begun as f64 / self.called_for.as_secs_f64();
        writeln!(
            f,
            "{rate:.0} calls a second for {:.1} s, {} of {} that were asked for; {} held back",
            self.called_for.as_secs_f64(),
            self.verdict.begun,
            self.asked_for,
            self.held_back
        )?;
        write!(f, "all connected {:?} after the last fault", self.reconnected_after)
    }
}

/// Does it, and says what happens.
///
/// # Errors
///
/// [`ProcessError::Late`] if the nodes are not all connected in the end, or a call has no outcome; whatever else goes wrong with
/// the processes.
pub async fn run(plan: &Plan, mut say: impl FnMut(&str)) -> Result<Report, ProcessError> {
    let mut cluster = start(plan).await?;
    let events = schedule(plan.seed, plan.nodes, plan.span, plan.in_namespaces);
    settle(&cluster, plan.nodes).await?;
    let begun = Instant::now();
    let mut tally =
        Tally { shifts: Shifts::of(plan.nodes), faults: BTreeMap::new(), killed: BTreeSet::new() };
    for node in 0..plan.nodes {
        cluster.ask(node, "call").await?;
        tally.shifts.begin(node, Instant::now());
    }
    for event in events {
        sleep_until((begun + event.at).into()).await;
        say(&event.to_string());
        apply(&mut cluster, event, &mut tally).await?;
    }
    sleep_until((begun + plan.span).into()).await;
    say("no more faults");
    let healed = Instant::now();
    settle(&cluster, plan.nodes).await?;
    let reconnected_after = healed.elapsed();
    sleep(CALM).await;
    let called_for = begun.elapsed();
    let held_back = rest(&cluster, plan.nodes, &mut tally.shifts).await?;
    cluster.shutdown().await?;
    say("the records are read");
    let verdict = check(Records::read(&plan.directory)?, &tally.killed);
    let asked_for = tally.shifts.calls(plan.per_second_each());
    Ok(Report {
        seed: plan.seed,
        faults: tally.faults,
        called_for,
        asked_for,
        held_back,
        reconnected_after,
        verdict,
    })
}

/// What is counted on the way.
struct Tally {
    shifts: Shifts,
    faults: BTreeMap<&'static str, u64>,
    /// The lives of callers that were killed, as the records name them.
    killed: BTreeSet<String>,
}

/// Has all rest; how much they have held back.
async fn rest(cluster: &ProcessCluster, nodes: usize, shifts: &mut Shifts) -> Result<u64, ProcessError> {
    let mut held_back = 0;
    for node in 0..nodes {
        shifts.end(node, Instant::now());
        let counts = cluster.until(node, "rest", ANSWERED_WITHIN, |_| true).await?;
        held_back += counts.split(' ').nth(1).and_then(|count| count.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(held_back)
}

async fn start(plan: &Plan) -> Result<ProcessCluster, ProcessError> {
    let keys = with_keys();
    let settings = plan.clone();
    let each = move |number: usize, node: &mut NodePlan| {
        keys(number, node);
        let told = &mut node.invitation;
        told.set(NUMBER, number.to_string());
        told.set(DIRECTORY, settings.directory.display().to_string());
        told.set(PER_SECOND, settings.per_second_each().to_string());
        told.set(FLAW, settings.flaw.word());
        told.set(SEED, settings.seed.to_string());
    };
    let builder = ProcessCluster::builder(plan.program.clone()).nodes(plan.nodes).each(each);
    let builder = builder.logs_in(&plan.directory);
    let cluster = if plan.in_namespaces { builder.in_namespaces() } else { builder }.start().await?;
    for node in 0..plan.nodes {
        introduce(&cluster, node).await?;
    }
    Ok(cluster)
}

/// Tells a node where all others are, also those that are not there now.
async fn introduce(cluster: &ProcessCluster, node: usize) -> Result<(), ProcessError> {
    let mut others = Vec::new();
    for other in (0..cluster.len()).filter(|other| *other != node) {
        others.extend(cluster.addresses(other)?);
    }
    cluster.ask(node, &format!("know {}", others.join(" "))).await.map(drop)
}

/// Waits until each is connected with all others.
async fn settle(cluster: &ProcessCluster, nodes: usize) -> Result<(), ProcessError> {
    let all = (nodes - 1).to_string();
    for node in 0..nodes {
        cluster.until(node, "peers", RECONNECTED_WITHIN, |peers| peers == all).await?;
    }
    Ok(())
}

async fn apply(cluster: &mut ProcessCluster, event: Event, tally: &mut Tally) -> Result<(), ProcessError> {
    let Event { node, fault, is_over, .. } = event;
    if !is_over {
        *tally.faults.entry(fault.kind()).or_default() += 1;
    }
    match (fault, is_over) {
        (Fault::Crash, false) => {
            tally.killed.insert(format!("{node}-{}", cluster.inspect(node)?.lives - 1));
            tally.shifts.end(node, Instant::now());
            cluster.crash(node, Crash::Reset).await
        }
        (Fault::Crash, true) => {
            cluster.restart(node).await?;
            introduce(cluster, node).await?;
            cluster.ask(node, "call").await?;
            tally.shifts.begin(node, Instant::now());
            Ok(())
        }
        (Fault::Freeze, false) => cluster.freeze(node),
        (Fault::Freeze, true) => cluster.thaw(node),
        (Fault::Replace, _) => cluster.ask(node, "replace").await.map(drop),
        (Fault::Part(other), false) => cluster.block(node, other).and_then(|()| cluster.block(other, node)),
        (Fault::Part(other) | Fault::Block(other), true) => {
            cluster.unblock(node, other).and_then(|()| cluster.unblock(other, node))
        }
        (Fault::Block(other), false) => cluster.block(node, other),
        (Fault::Unplug, false) => cluster.unplug(node),
        (Fault::Unplug, true) => cluster.plug_in(node),
    }
}
