//! One node of a cluster, through all of its lives, and what is known of it from outside.

use std::fmt;
use std::fs;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::timeout;

use crate::limits::STOP_TIMEOUT_DEFAULT;

use super::error::{Ending, ProcessError};
use super::front::Front;
use super::node_process::NodeProcess;
use super::program::NodePlan;
use super::talk::Talk;

/// What is known of a node from outside.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// Its name.
    pub name: String,
    /// What its process does.
    pub state: NodeState,
    /// The system's number for its process, unless it has ended.
    pub process: Option<u32>,
    /// How often it was started.
    pub lives: u32,
    /// Where it said that it is, in this life.
    pub addresses: Vec<String>,
    /// What it takes of the machine's memory, where the system says so, as Linux does.
    pub resident_kib: Option<u64>,
    /// How long processors have worked for it in this life, where the system says so. It counts in hundredths of a second.
    pub processor_time: Option<Duration>,
    /// How many files and sockets it has open, where the system says so.
    pub descriptors: Option<usize>,
    /// The last lines of its standard output that were not for the cluster.
    pub said: Vec<String>,
}

/// What a node's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It runs.
    Running,
    /// It was frozen.
    Frozen,
    /// It has ended, by itself or not.
    Ended(ExitStatus),
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Frozen => f.write_str("frozen"),
            Self::Ended(status) => write!(f, "ended, {status}"),
        }
    }
}

/// One node, through all of its lives.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) plan: NodePlan,
    pub(super) process: NodeProcess,
    pub(super) talk: Talk,
    pub(super) lives: u32,
    /// What others know in its place.
    pub(super) front: Option<Front>,
    /// Its wire was pulled when it crashed.
    pub(super) is_unplugged: bool,
}

impl Member {
    pub(super) fn name(&self) -> &str {
        &self.plan.invitation.name
    }

    /// Waits until it is ready, and remembers its port, unless it was given one.
    pub(super) async fn ready(&mut self, patience: Duration) -> Result<(), ProcessError> {
        match self.talk.ready(patience).await {
            Ok(_) if self.front.is_some() => Ok(()),
            Ok(addresses) => {
                let port = addresses.first().and_then(|address| address.rsplit_once(':')?.1.parse().ok());
                self.plan.invitation.port = port.unwrap_or_default();
                Ok(())
            }
            Err(ProcessError::Ended { node, said, .. }) => {
                // Its output is closed, so it soon ends, unless it closed it by itself.
                let status = timeout(STOP_TIMEOUT_DEFAULT, self.process.exited()).await;
                let status = status.ok().and_then(Result::ok).map_or(Ending::Unseen, Ending::Seen);
                Err(ProcessError::Ended { node, status, said })
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn ending(&mut self) -> Result<Option<ExitStatus>, ProcessError> {
        Ok(self.process.has_ended()?)
    }

    /// Waits for the end that was asked for, and makes one after a while.
    pub(super) async fn end(&mut self, patience: Duration) -> Result<ExitStatus, ProcessError> {
        match timeout(patience, self.process.exited()).await {
            Ok(status) => Ok(status?),
            Err(_) => {
                self.process.kill().await?;
                Ok(self.process.exited().await?)
            }
        }
    }

    pub(super) fn inspect(&mut self) -> Result<Inspection, ProcessError> {
        let state = match self.ending()? {
            Some(status) => NodeState::Ended(status),
            None if self.process.is_frozen() => NodeState::Frozen,
            None => NodeState::Running,
        };
        let process = self.process.id();
        Ok(Inspection {
            name: self.name().to_owned(),
            state,
            process,
            lives: self.lives,
            addresses: self.talk.addresses().unwrap_or_default(),
            resident_kib: process.and_then(resident_kib),
            processor_time: process.and_then(processor_time),
            descriptors: process.and_then(|id| Some(fs::read_dir(format!("/proc/{id}/fd")).ok()?.count())),
            said: self.talk.own_lines(),
        })
    }
}

fn processor_time(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // What stands in brackets is the program's name, with whatever is in that. The twelfth and thirteenth after it are the
    // ticks of itself and of the system for it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(TICK * ticks()?.checked_add(ticks()?)?)
}

/// What Linux counts the time of processes in, as it tells it.
const TICK: Duration = Duration::from_millis(10);

fn resident_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
