//! Faults that a simulated cluster can suffer, as plain values.

use std::time::Duration;

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
    /// A node's wall clock shows another time from now on, by so much.
    ClockJump {
        /// Whose.
        node: usize,
        /// How far.
        by: Duration,
        /// Whether it shows an earlier time.
        is_backwards: bool,
    },
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
            | Fault::ClockJump { node, .. } => Some(*node),
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
