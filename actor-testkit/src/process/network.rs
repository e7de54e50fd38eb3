//! The network of a cluster in namespaces: a hub that passes on what nodes say to each other, or does not.
//!
//! ```text
//!  node-0 ── 10.83.0.2 ─┐
//!  node-1 ── 10.83.1.2 ─┤ hub: from whom to whom nothing gets through, as rules of its routing
//!  relay-1 ─ 10.84.1.2 ─┘
//! ```

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::error::ProcessError;
use super::lab::Lab;
use super::space::Space;

/// Where all wires end.
const HUB: &str = "hub";

/// A star of namespaces.
#[derive(Debug)]
pub(super) struct Network {
    lab: Lab,
    /// Who is behind a relay.
    relayed: BTreeSet<u8>,
    /// From whom to whom nothing gets through.
    blocked: BTreeSet<(u8, u8)>,
    /// Whose wire is down.
    down: BTreeSet<u8>,
}

impl Network {
    pub(super) fn new() -> Result<Self, ProcessError> {
        let lab = Lab::new(&[HUB])?;
        lab.sh(HUB, "echo 1 > /proc/sys/net/ipv4/ip_forward")?;
        Ok(Self { lab, relayed: BTreeSet::new(), blocked: BTreeSet::new(), down: BTreeSet::new() })
    }

    /// The address of a node.
    pub(super) fn ip(node: u8) -> IpAddr {
        Ipv4Addr::new(10, NODES, node, 2).into()
    }

    /// The address of the relay before a node.
    pub(super) fn relay_ip(node: u8) -> IpAddr {
        Ipv4Addr::new(10, RELAYS, node, 2).into()
    }

    /// A space for one more node, with a wire to the hub.
    pub(super) fn add(&mut self, node: u8) -> Result<(), ProcessError> {
        self.join(&space_of(node), NODES, node)
    }

    /// A space for the relay before a node.
    pub(super) fn add_relay(&mut self, node: u8) -> Result<Space, ProcessError> {
        let name = format!("relay-{node}");
        self.join(&name, RELAYS, node)?;
        self.relayed.insert(node);
        self.lab.space(&name)
    }

    fn join(&mut self, space: &str, net: u8, number: u8) -> Result<(), ProcessError> {
        self.lab.add(space)?;
        self.lab.wire((space, "wire"), (HUB, space))?;
        let hub = format!("addr add 10.{net}.{number}.1/24 dev {space}\nlink set {space} up\n");
        self.lab.ip_lines(HUB, &hub)?;
        let lines = format!(
            "addr add 10.{net}.{number}.2/24 dev wire\nlink set wire up\nroute add default via 10.{net}.{number}.1\n"
        );
        self.lab.ip_lines(space, &lines)
    }

    /// A program to be run where a node is.
    pub(super) fn command(&self, node: u8, program: &std::path::Path) -> std::process::Command {
        self.lab.command(&space_of(node), program)
    }

    /// From whom to whom nothing gets through.
    pub(super) fn blocked(&self) -> &BTreeSet<(u8, u8)> {
        &self.blocked
    }

    /// Has nothing get through these ways from here on, and everything all others.
    pub(super) fn set_blocked(&mut self, mut blocked: BTreeSet<(u8, u8)>) -> Result<(), ProcessError> {
        blocked.retain(|(from, to)| from != to);
        let added = blocked.difference(&self.blocked).map(|way| ("add", *way));
        let removed = self.blocked.difference(&blocked).map(|way| ("del", *way));
        let lines: String = added.chain(removed).map(|(verb, way)| self.rules(verb, way)).collect();
        if !lines.is_empty() {
            self.lab.ip_lines(HUB, &lines)?;
        }
        self.blocked = blocked;
        Ok(())
    }

    /// One node dials another, directly or by its relay, or was dialled by it so.
    fn rules(&self, verb: &str, (from, to): (u8, u8)) -> String {
        let rule = |from: IpAddr, to: IpAddr| {
            format!("rule {verb} from {from} to {to} blackhole priority {PRIORITY}\n")
        };
        let mut lines = rule(Self::ip(from), Self::ip(to));
        if self.relayed.contains(&to) {
            lines += &rule(Self::ip(from), Self::relay_ip(to));
        }
        if self.relayed.contains(&from) {
            lines += &rule(Self::relay_ip(from), Self::ip(to));
        }
        lines
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
        self.set_blocked(BTreeSet::new())?;
        let down: Vec<_> = self.down.iter().copied().collect();
        down.into_iter().try_for_each(|node| self.switch(node, true))
    }
}

/// The second number of the addresses of nodes.
const NODES: u8 = 83;

/// The same of relays.
const RELAYS: u8 = 84;

/// Before all rules that the system has.
const PRIORITY: u32 = 100;

fn space_of(node: u8) -> String {
    format!("node-{node}")
}
