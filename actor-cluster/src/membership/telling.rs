//! What a peer is told of where members are. Of newcomers: unasked, a few in a tick. Of all: a portion in a tick, however often and for how much it asks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use foca::State;

use super::frame::Frame;
use super::identity::Identity;
use super::listening::ring_neighbours;
use super::sync::Record;
use super::{Known, Membership, Peer};
use crate::id::NodeId;
use crate::limits::{NEWCOMER_PAUSE, NEWCOMERS_PER_TICK, TOLD_BY_ALL_MAX};

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

/// Members of whom others may not know.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    /// Of whom they are still to be told.
    waiting: BTreeSet<NodeId>,
    /// Of whom they were, and when.
    told: BTreeMap<NodeId, (Identity, Duration)>,
}

impl Newcomers {
    /// Whether it was not told of for a while. It is now.
    fn is_news(&mut self, member: Identity, now: Duration) -> bool {
        let is_old =
            |(told, at): &(Identity, Duration)| *told == member && now.saturating_sub(*at) < NEWCOMER_PAUSE;
        let is_news = !self.told.get(&member.node).is_some_and(is_old);
        if is_news {
            self.told.insert(member.node, (member, now));
        }
        is_news
    }

    /// Forgets what was told long ago.
    pub(super) fn forget(&mut self, now: Duration) {
        self.told.retain(|_, (_, at)| now.saturating_sub(*at) < NEWCOMER_PAUSE);
    }
}

impl Membership {
    /// A member may be news to others: it has just become one, or its session has just begun.
    pub(super) fn note_newcomer(&mut self, node: NodeId) {
        self.newcomers.waiting.insert(node);
    }

    /// Tells others of members that are news, and where they are, of a few in a tick. In a large cluster a node tells everybody of its neighbours on the ring
    /// only; of another it tells that one's neighbours. The ring is of those it has sessions with: so there are some who can be told.
    pub(super) fn spread(&mut self, listened: Duration) {
        if self.newcomers.waiting.is_empty() {
            return;
        }
        let here = self.config.life.node;
        let mut ring: Vec<NodeId> =
            self.peers.iter().filter(|(_, peer)| peer.is_reached()).map(|(node, _)| *node).collect();
        let place = ring.binary_search(&here).unwrap_or_else(|place| place);
        ring.insert(place, here);
        let mut records: BTreeMap<NodeId, Vec<Record>> = BTreeMap::new();
        for (known, record) in self.take_newcomers(listened) {
            let node = known.identity.node;
            let near = ring_neighbours(node, &ring);
            let tells_all = ring.len() <= TOLD_BY_ALL_MAX || near.contains(&here);
            let (member, refutations) = (known.identity, known.refutations);
            let others = ring.iter().filter(|other| **other != node && **other != here);
            for other in others.filter(|other| tells_all || near.contains(other)) {
                self.send(*other, Frame::Update { member, refutations, state: State::Alive });
                records.entry(*other).or_default().push(record.clone());
            }
        }
        for (other, entries) in records {
            self.say_records(other, entries, 0);
        }
    }

    /// So many of those that are news as are told of in a tick: members that have a session in the life that they are known in, and of which
    /// nothing was told lately.
    fn take_newcomers(&mut self, listened: Duration) -> Vec<(Known, Record)> {
        let mut taken = Vec::new();
        while taken.len() < NEWCOMERS_PER_TICK
            && let Some(node) = self.newcomers.waiting.pop_first()
        {
            let Some(known) = self.known.get(&node).copied() else { continue };
            let is_it = |peer: &Peer| peer.is_reached() && peer.life == known.identity.life();
            let Some(record) = self.records.get(node).filter(|_| self.peers.get(&node).is_some_and(is_it))
            else {
                continue;
            };
            if self.newcomers.is_news(known.identity, listened) {
                taken.push((known, record.clone()));
            }
        }
        taken
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
