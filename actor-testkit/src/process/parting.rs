//! What keeps nodes of a cluster from hearing each other, and what ends that.

use super::cluster::ProcessCluster;
use super::error::ProcessError;
use super::network::Network;

impl ProcessCluster {
    /// Nothing gets through between two nodes, in either direction; nobody is told so.
    ///
    /// # Errors
    ///
    /// [`ProcessError::OnLoopback`].
    pub fn cut(&mut self, one: usize, other: usize) -> Result<(), ProcessError> {
        self.cut_ways(&[(one, other), (other, one)], true)
    }

    /// Nothing gets through from one node to another; what goes the other way does.
    ///
    /// # Errors
    ///
    /// [`ProcessError::OnLoopback`].
    pub fn cut_one_way(&mut self, from: usize, to: usize) -> Result<(), ProcessError> {
        self.cut_ways(&[(from, to)], true)
    }

    /// Everything gets through between two nodes again.
    ///
    /// # Errors
    ///
    /// [`ProcessError::OnLoopback`].
    pub fn heal(&mut self, one: usize, other: usize) -> Result<(), ProcessError> {
        self.cut_ways(&[(one, other), (other, one)], false)
    }

    /// Nothing gets through between nodes of different groups. Nodes that are in none are left as they are.
    ///
    /// # Errors
    ///
    /// [`ProcessError::OnLoopback`].
    pub fn partition(&mut self, groups: &[&[usize]]) -> Result<(), ProcessError> {
        let mut ways = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            for other in &groups[place + 1..] {
                for (&one, &other) in group.iter().flat_map(|one| other.iter().map(move |other| (one, other)))
                {
                    ways.extend([(one, other), (other, one)]);
                }
            }
        }
        self.cut_ways(&ways, true)
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

    /// Everything gets through everywhere again.
    ///
    /// # Errors
    ///
    /// [`ProcessError::OnLoopback`].
    pub fn heal_all(&mut self) -> Result<(), ProcessError> {
        self.network_mut()?.heal()
    }

    fn cut_ways(&mut self, ways: &[(usize, usize)], is_cut: bool) -> Result<(), ProcessError> {
        let ways: Result<Vec<_>, ProcessError> =
            ways.iter().map(|&(from, to)| Ok((self.number(from)?, self.number(to)?))).collect();
        self.network_mut()?.cut(&ways?, is_cut)
    }

    fn network_mut(&mut self) -> Result<&mut Network, ProcessError> {
        self.network.as_mut().ok_or(ProcessError::OnLoopback)
    }
}
