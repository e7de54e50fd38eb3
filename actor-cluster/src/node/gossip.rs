//! How nodes without the capability *membership* come to know the peers of their peers: each tells the others of a newcomer and where it can be
//! dialled; whoever does not know it dials, and lets in nobody else who may answer there. Of two that both have it `membership/telling.rs` tells.

use std::sync::Arc;

use super::link::Link;
use super::{Mode, Node};
use crate::event::NodeEvent;
use crate::id::NodeId;
use crate::locked::locked;
use crate::transport::Address;
use crate::wire::control::Member;

impl Node {
    pub(super) fn on_introduced(&self, link: &Arc<Link>, addresses: Vec<Address>) {
        let mut peers = locked(&self.peers);
        if peers.is_current(link) {
            peers.reachable.insert(link.info.node, addresses);
        }
    }

    pub(super) fn on_ready(&self, link: &Arc<Link>) {
        self.tell(NodeEvent::Ready(link.info.clone()));
        self.note_ready(link);
        if self.settings.mode == Mode::Transitive {
            self.gossip(link);
        }
    }

    /// Tells a new peer of the others, and the others of it, but for two that both have the capability.
    fn gossip(&self, newcomer: &Arc<Link>) {
        let newcomer_speaks = newcomer.speaks_membership();
        let peers = locked(&self.peers);
        let (links, reachable) = (peers.links(), peers.reachable.clone());
        drop(peers);
        let member = |node: &NodeId| {
            let addresses = reachable.get(node).filter(|addresses| !addresses.is_empty())?;
            let addresses = addresses.iter().map(Address::to_string).collect();
            Some(Member { node: node.as_bytes().to_vec(), addresses })
        };
        let others = links.into_iter().filter(|link| link.info.node != newcomer.info.node);
        for other in
            others.filter(|link| link.state.is_ready() && !(newcomer_speaks && link.speaks_membership()))
        {
            newcomer.act(|session| session.gossip(member(&other.info.node)));
            other.act(|session| session.gossip(member(&newcomer.info.node)));
        }
    }

    /// A peer tells where another node is. If there is a session with that, it is noted where it is said to be: it may have come
    /// back somewhere else, and its session here be lost and not know it yet. Otherwise membership has it dialled.
    pub(super) fn on_member(&self, member: NodeId, addresses: Vec<Address>) {
        let mut peers = locked(&self.peers);
        if self.settings.mode != Mode::Transitive || member == self.id() || peers.is_closing {
            return;
        }
        if peers.present.contains_key(&member) {
            peers.hearsay.insert(member, addresses);
            return;
        }
        drop(peers);
        self.note(|members, now| members.handle_told(member, &addresses, now));
    }

    /// A node with which there is a session is said to be somewhere else by now.
    pub(super) fn note_elsewhere(&self, node: NodeId, addresses: Vec<Address>) {
        let mut peers = locked(&self.peers);
        if peers.present.contains_key(&node) {
            peers.hearsay.insert(node, addresses);
        }
    }
}

#[cfg(test)]
mod tests {
    use actor_core::{ActorSystem, Executor};
    use futures_util::FutureExt;

    use super::*;
    use crate::limits::{MEMBERSHIP_TICK, TOLD_DIALS_AT_ONCE_MAX};
    use crate::node::NodeServer;
    use crate::testing::pipe::PipeNetwork;
    use crate::transport::{PeerIdentity, Transport};

    /// All three have sessions with each other. What a peer says of a node with which there is a session is kept as hearsay: so A's says whether C was told of
    /// by Members.
    #[tokio::test(start_paused = true)]
    async fn those_that_both_know_of_membership_are_not_told_by_other_means() {
        for (mode, told) in [(Mode::Transitive, 0), (Mode::Isolated, 1)] {
            let network = PipeNetwork::new();
            let start = |number: u8, mode: Mode| {
                let id = NodeId::from_bytes([number; 32]);
                let transport = network.transport(format!("node-{number}"));
                let transport = transport.with_identity(PeerIdentity::Node(id));
                let system = ActorSystem::on(Executor::tokio());
                NodeServer::builder(id).mode(mode).system(system).transport(transport).start()
            };
            let [a, b, c] = [start(1, Mode::Transitive), start(2, Mode::Transitive), start(3, mode)];
            let (a, b, c) = (a.await.unwrap(), b.await.unwrap(), c.await.unwrap());
            a.connect(&b.addresses()[0]).await.unwrap();
            c.connect(&a.addresses()[0]).await.unwrap();
            c.connect(&b.addresses()[0]).await.unwrap();
            tokio::time::sleep(MEMBERSHIP_TICK).await; // sleep: virtual time, until everything has arrived
            assert_eq!(locked(&a.node.peers).hearsay.len(), told, "{mode:?}");
        }
    }

    /// Whoever tells of nodes that there are not has us dial wherever it likes.
    #[tokio::test(start_paused = true)]
    async fn so_many_are_dialled_at_once_because_somebody_told_of_them() {
        let network = PipeNetwork::new();
        let id = NodeId::from_bytes([1; 32]);
        let transport = network.transport("node-1").with_identity(PeerIdentity::Node(id));
        let system = ActorSystem::on(Executor::tokio());
        let server = NodeServer::builder(id).system(system).transport(transport).start().await.unwrap();
        let mut doors = Vec::new();
        for number in 0..2 * TOLD_DIALS_AT_ONCE_MAX {
            let mut told = [9; 32];
            told[..8].copy_from_slice(&number.to_le_bytes());
            let told = NodeId::from_bytes(told);
            let transport = network.transport(format!("door-{number}"));
            let door = transport.with_identity(PeerIdentity::Node(told)).listen().await.unwrap();
            server.node.on_member(told, door.addresses());
            doors.push(door);
        }
        let mut dialled = async || {
            tokio::time::sleep(2 * MEMBERSHIP_TICK).await; // sleep: virtual time, until it looks again
            let knocked = doors.iter_mut().filter_map(|door| door.accept().now_or_never());
            knocked.map(Result::unwrap).collect::<Vec<_>>()
        };
        let first = dialled().await;
        assert_eq!(first.len(), TOLD_DIALS_AT_ONCE_MAX, "they say nothing, so each takes its time");
        drop(first);
        assert_eq!(dialled().await.len(), TOLD_DIALS_AT_ONCE_MAX, "then the others have their turn");
    }
}
