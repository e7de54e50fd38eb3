//! What a peer is told of where members are. Of newcomers: at once. Of all: a portion in a tick, however often and for how much it asks.

use foca::State;

use super::frame::Frame;
use super::listening::ring_neighbours;
use super::sync::Record;
use super::{Known, Membership, Peer};
use crate::id::NodeId;
use crate::limits::TOLD_BY_ALL_MAX;

/// What is still to be said to a peer.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    /// The buckets that are being told, as bits, and behind whom to go on.
    buckets: u32,
    after: Option<NodeId>,
    /// Those that were asked for since that began: they are told from their beginning.
    next: u32,
    /// What the peer is asked for in return.
    wanted: u32,
    /// The tick in which it was told something last.
    told_in: Option<u64>,
}

impl Telling {
    fn ask_for(&mut self, buckets: u32, wanted: u32) {
        match self.after {
            None => self.buckets |= buckets,
            Some(_) => self.next |= buckets,
        }
        self.wanted |= wanted;
    }

    fn is_due(&self, tick: u64) -> bool {
        (self.buckets | self.wanted) != 0 && self.told_in != Some(tick)
    }

    /// A portion is told, and there is more behind somebody, or not.
    fn on_told(&mut self, more_behind: Option<NodeId>, tick: u64) {
        (self.wanted, self.told_in) = (0, Some(tick));
        self.after = more_behind;
        if more_behind.is_none() {
            self.buckets = std::mem::take(&mut self.next);
        }
    }
}

impl Membership {
    /// Tells others at once that these nodes are members, and where they are: of each that is a member and has a session with this node, the later of
    /// which has just come to be. In a large cluster a node tells everybody of its neighbours on the ring only; of another it tells that one's neighbours.
    pub(super) fn spread(&mut self, nodes: &[NodeId]) {
        let ring = self.ring();
        for node in nodes {
            if !self.peers.get(node).is_some_and(Peer::is_reached) {
                continue;
            }
            let Some(Known { identity: member, refutations, .. }) = self.known.get(node).copied() else {
                continue;
            };
            let Some(record) = self.records.get(*node).cloned() else { continue };
            let near = ring_neighbours(*node, &ring);
            let tells_all = ring.len() <= TOLD_BY_ALL_MAX || near.contains(&self.config.life.node);
            let reached = self.peers.iter().filter(|(_, peer)| peer.is_reached()).map(|(other, _)| *other);
            let told: Vec<NodeId> =
                reached.filter(|other| other != node && (tells_all || near.contains(other))).collect();
            for other in told {
                self.send(other, Frame::Update { member, refutations, state: State::Alive });
                self.send(other, Frame::Records { entries: vec![record.clone()], wanted: 0 });
            }
        }
    }

    /// Says where members are whose records are in these buckets, and asks for others.
    pub(super) fn tell_records(&mut self, to: NodeId, buckets: u32, wanted: u32) {
        if let Some(peer) = self.peers.get_mut(&to) {
            peer.telling.ask_for(buckets, wanted);
            self.tell_portion(to);
        }
    }

    /// Goes on where more was asked for than fits into a portion.
    pub(super) fn tell_portions(&mut self) {
        let due = self.peers.iter().filter(|(_, peer)| peer.telling.is_due(self.ticks));
        let nodes: Vec<NodeId> = due.map(|(node, _)| *node).collect();
        nodes.into_iter().for_each(|node| self.tell_portion(node));
    }

    fn tell_portion(&mut self, to: NodeId) {
        let tick = self.ticks;
        let is_due = |peer: &&Peer| peer.is_reached() && peer.telling.is_due(tick);
        let Some(telling) = self.peers.get(&to).filter(is_due).map(|peer| &peer.telling) else { return };
        let (after, wanted) = (telling.after, telling.wanted);
        let (entries, more_behind) =
            self.records.portion(telling.buckets, after, |node| self.is_told_of(node));
        if let Some(peer) = self.peers.get_mut(&to) {
            peer.telling.on_told(more_behind, tick);
        }
        self.say_records(to, entries, wanted);
    }

    fn say_records(&mut self, to: NodeId, entries: Vec<Record>, wanted: u32) {
        if !entries.is_empty() || wanted != 0 {
            self.send(to, Frame::Records { entries, wanted });
        }
    }
}
