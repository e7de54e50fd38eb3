//! Faults that a simulated cluster can suffer, as plain values.

use std::time::Duration;

use super::conditions::Conditions;
pub use crate::crash::Crash;

/// Something goes wrong, or is mended. [`SimHandle::inject`](super::SimHandle::inject) does it; each has a method of its own
/// there too.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing passes between nodes of different groups. Nodes in none are alone.
    Partition(Vec<Vec<usize>>),
    /// Nothing passes from one node to another. The other direction is left as it is.
    Block {
        /// From where.
        from: usize,
        /// To where.
        to: usize,
    },
    /// Everything passes everywhere again.
    Heal,
    /// All connections between two nodes are reset. They may connect again at once.
    Cut(usize, usize),
    /// A node is gone, and with it all its actors.
    Crash(usize, Crash),
    /// A node that is not there begins another life.
    Restart(usize),
    /// A node stops running, as a process after SIGSTOP. Its kernel still takes connections and bytes.
    Freeze(usize),
    /// A frozen node goes on.
    Thaw(usize),
    /// Every step of a node's tasks takes so long, and one is taken after the other. Zero is as fast as can be.
    Slow(usize, Duration),
    /// A node leaves in order: it says goodbye to all, and is gone. Restarting it does not wait for that.
    Leave(usize),
    /// All ways to and from a node are worse than they are [set up](super::Conditions) to be, by so much. By
    /// [nothing](Degradation::NONE) is as they were.
    Degrade(usize, Degradation),
    /// A node's wall clock is set forward, by so much.
    ClockForward(usize, Duration),
    /// A node's wall clock is set back, by so much.
    ClockBack(usize, Duration),
    /// A node's wall clock gains so many millionths of the time that passes from now on, or loses them if they are less than nothing.
    ClockDrift(usize, i32),
}

impl Fault {
    /// The node that it happens to, if it is one.
    pub(super) fn node(&self) -> Option<usize> {
        match self {
            Fault::Partition(_) | Fault::Block { .. } | Fault::Heal | Fault::Cut(..) => None,
            Fault::Crash(node, _)
            | Fault::Restart(node)
            | Fault::Freeze(node)
            | Fault::Thaw(node)
            | Fault::Slow(node, _)
            | Fault::Leave(node)
            | Fault::Degrade(node, _)
            | Fault::ClockForward(node, _)
            | Fault::ClockBack(node, _)
            | Fault::ClockDrift(node, _) => Some(*node),
        }
    }

    /// The numbers of all nodes that it names.
    pub(super) fn nodes(&self) -> Vec<usize> {
        match self {
            Fault::Partition(groups) => groups.concat(),
            Fault::Heal => Vec::new(),
            Fault::Block { from: one, to: another } | Fault::Cut(one, another) => vec![*one, *another],
            _ => self.node().into_iter().collect(),
        }
    }
}

/// By how much ways are worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Degradation {
    /// How much longer everything takes.
    pub delay: Duration,
    /// How much longer than that at most.
    pub jitter: Duration,
    /// How many more of a thousand writes are [lost](super::Conditions::loss), and come later.
    pub lost_per_mille: u16,
    /// How many more of a thousand attempts to connect [arrive twice](super::Conditions::duplicates).
    pub doubled_per_mille: u16,
}

impl Degradation {
    /// Not at all.
    pub const NONE: Self =
        Self { delay: Duration::ZERO, jitter: Duration::ZERO, lost_per_mille: 0, doubled_per_mille: 0 };

    /// What is left of a way's conditions.
    pub(super) fn of(&self, conditions: Conditions) -> Conditions {
        let more = |per_mille: u16| f64::from(per_mille) / 1000.0;
        Conditions {
            delay: conditions.delay + self.delay,
            jitter: conditions.jitter + self.jitter,
            loss: (conditions.loss + more(self.lost_per_mille)).min(1.0),
            duplicates: (conditions.duplicates + more(self.doubled_per_mille)).min(1.0),
            ..conditions
        }
    }
}
