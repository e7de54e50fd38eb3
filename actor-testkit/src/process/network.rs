//! The network of a cluster in namespaces: a hub that passes on what nodes say to each other, or does not.
//!
//! ```text
//!  node-0 ── 10.83.0.2 ─┐
//!  node-1 ── 10.83.1.2 ─┤ hub: from whom to whom nothing gets through, as rules of its routing
//!  node-2 ── 10.83.2.2 ─┘
//! ```

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::error::ProcessError;
use super::lab::Lab;

/// Where all wires end.
const HUB: &str = "hub";

/// A star of namespaces.
#[derive(Debug)]
pub(super) struct Network {
    lab: Lab,
    /// From whom to whom nothing gets through.
    cuts: BTreeSet<(u8, u8)>,
    /// Whose wire is down.
    down: BTreeSet<u8>,
}

impl Network {
    pub(super) fn new() -> Result<Self, ProcessError> {
        let lab = Lab::new(&[HUB])?;
        lab.sh(HUB, "echo 1 > /proc/sys/net/ipv4/ip_forward")?;
        Ok(Self { lab, cuts: BTreeSet::new(), down: BTreeSet::new() })
    }

    /// The address of a node.
    pub(super) fn ip(node: u8) -> IpAddr {
        Ipv4Addr::new(10, 83, node, 2).into()
    }

    /// A space for one more node, with a wire to the hub.
    pub(super) fn add(&mut self, node: u8) -> Result<(), ProcessError> {
        let space = space_of(node);
        self.lab.add(&space)?;
        self.lab.wire((&space, "wire"), (HUB, &space))?;
        self.lab.ip_lines(HUB, &format!("addr add 10.83.{node}.1/24 dev {space}\nlink set {space} up\n"))?;
        let lines = format!(
            "addr add 10.83.{node}.2/24 dev wire\nlink set wire up\nroute add default via 10.83.{node}.1\n"
        );
        self.lab.ip_lines(&space, &lines)
    }

    /// A program to be run where a node is.
    pub(super) fn command(&self, node: u8, program: &std::path::Path) -> std::process::Command {
        self.lab.command(&space_of(node), program)
    }

    /// Has nothing get through from there to there, or everything again.
    pub(super) fn cut(&mut self, ways: &[(u8, u8)], is_cut: bool) -> Result<(), ProcessError> {
        let mut lines = String::new();
        for &(from, to) in ways.iter().filter(|(from, to)| from != to) {
            let is_new = if is_cut { self.cuts.insert((from, to)) } else { self.cuts.remove(&(from, to)) };
            if is_new {
                let verb = if is_cut { "add" } else { "del" };
                lines +=
                    &format!("rule {verb} from 10.83.{from}.2 to 10.83.{to}.2 blackhole priority {RULES}\n");
            }
        }
        if lines.is_empty() { Ok(()) } else { self.lab.ip_lines(HUB, &lines) }
    }

    /// Pulls a node's wire out of the hub, or puts it in again.
    pub(super) fn switch(&mut self, node: u8, is_up: bool) -> Result<(), ProcessError> {
        let is_new = if is_up { self.down.remove(&node) } else { self.down.insert(node) };
        let state = if is_up { "up" } else { "down" };
        if is_new {
            self.lab.ip_lines(HUB, &format!("link set {} {state}\n", space_of(node)))
        } else {
            Ok(())
        }
    }

    /// Everything gets through everywhere.
    pub(super) fn heal(&mut self) -> Result<(), ProcessError> {
        let ways: Vec<_> = self.cuts.iter().copied().collect();
        self.cut(&ways, false)?;
        let down: Vec<_> = self.down.iter().copied().collect();
        down.into_iter().try_for_each(|node| self.switch(node, true))
    }
}

/// Before all rules that the system has.
const RULES: u32 = 100;

fn space_of(node: u8) -> String {
    format!("node-{node}")
}
