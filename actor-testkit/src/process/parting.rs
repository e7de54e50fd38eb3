//! What keeps nodes of a cluster from hearing each other, or makes it hard, and what ends that. The words are those of
//! the simulated cluster, `SimCluster`.

use std::collections::BTreeSet;

use super::cluster::ProcessCluster;
use super::conditions::{Carried, Conditions, Direction};
use super::error::ProcessError;
use super::front::Front;
use super::network::Network;

impl ProcessCluster {
    /// Lets nothing pass between nodes of different groups; nobody is told so. Nodes in none are alone. What was blocked before
    /// and is not by this, passes again.
    ///
    /// # Errors
    ///
    /// [`ProcessError::OnLoopback`].
    pub fn partition(&mut self, groups: &[&[usize]]) -> Result<(), ProcessError> {
        groups.concat().into_iter().try_for_each(|node| self.number(node).map(drop))?;
        let is_together = |from, to| groups.iter().any(|group| group.contains(&from) && group.contains(&to));
        let mut blocked = BTreeSet::new();
        for (from, to) in (0..self.len()).flat_map(|from| (0..self.len()).map(move |to| (from, to))) {
            if !is_together(from, to) {
                blocked.insert((self.number(from)?, self.number(to)?));
            }
        }
        self.network_mut()?.set_blocked(blocked)
    }

    /// Lets nothing pass from one node to another; nobody is told so. The other direction is left as it is.
    ///
    /// # Errors
    ///
    /// [`ProcessError::OnLoopback`].
    pub fn block(&mut self, from: usize, to: usize) -> Result<(), ProcessError> {
        self.set_way(from, to, BTreeSet::insert)
    }

    /// Lets everything pass again from one node to another. The other direction is left as it is.
    ///
    /// # Errors
    ///
    /// [`ProcessError::OnLoopback`].
    pub fn unblock(&mut self, from: usize, to: usize) -> Result<(), ProcessError> {
        self.set_way(from, to, |blocked, way| blocked.remove(&way))
    }

    /// Pulls a node's wire: its link is down, and it sees that.
    ///
    /// # Errors
    ///
    /// [`ProcessError::OnLoopback`].
    pub fn unplug(&mut self, node: usize) -> Result<(), ProcessError> {
        let number = self.number(node)?;
        self.network_mut()?.switch(number, false)
    }

    /// Puts it in again.
    ///
    /// # Errors
    ///
    /// [`ProcessError::OnLoopback`].
    pub fn plug_in(&mut self, node: usize) -> Result<(), ProcessError> {
        let number = self.number(node)?;
        self.network_mut()?.switch(number, true)
    }

    /// Lets everything pass everywhere again, and puts all wires in. What relays are like stays as it is.
    ///
    /// # Errors
    ///
    /// [`ProcessError::OnLoopback`].
    pub fn heal(&mut self) -> Result<(), ProcessError> {
        self.network_mut()?.heal()
    }

    /// What the relay before a node is like from now on, in one direction, for the connections that there are, too.
    ///
    /// # Errors
    ///
    /// [`ProcessError::NoRelays`].
    pub fn set_conditions(
        &self,
        node: usize,
        direction: Direction,
        conditions: Conditions,
    ) -> Result<(), ProcessError> {
        self.front(node)?.set(direction, conditions);
        Ok(())
    }

    /// What has passed the relay before a node.
    ///
    /// # Errors
    ///
    /// [`ProcessError::NoRelays`].
    pub fn carried(&self, node: usize) -> Result<Carried, ProcessError> {
        Ok(self.front(node)?.carried())
    }

    fn set_way(
        &mut self,
        from: usize,
        to: usize,
        set: impl FnOnce(&mut BTreeSet<(u8, u8)>, (u8, u8)) -> bool,
    ) -> Result<(), ProcessError> {
        let way = (self.number(from)?, self.number(to)?);
        let network = self.network_mut()?;
        let mut blocked = network.blocked().clone();
        set(&mut blocked, way);
        network.set_blocked(blocked)
    }

    fn network_mut(&mut self) -> Result<&mut Network, ProcessError> {
        self.network.as_mut().ok_or(ProcessError::OnLoopback)
    }

    fn front(&self, node: usize) -> Result<&Front, ProcessError> {
        self.member(node)?.front.as_ref().ok_or(ProcessError::NoRelays)
    }
}
