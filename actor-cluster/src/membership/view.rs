//! Who is a member, as this node sees it: what changes is told, and what follows for dials and sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use foca::State;

use super::dialing::Why;
use super::events::{LostReason, Member, MemberEvent, Members};
use super::frame::Frame;
use super::identity::Identity;
use super::swim::LEFT;
use super::sync::bucket_of;
use super::watch::{Line, Peer};
use super::{Effect, Farewell, Membership, Standing};
use crate::id::{Incarnation, NodeId, NodeLife};
use crate::limits::{DIAL_STAGGER, DOWN_KEPT};
use crate::transport::Address;

/// A member that speaks of membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) identity: Identity,
    pub(super) refutations: u16,
    pub(super) is_suspected: bool,
}

impl Membership {
    /// Everybody who is a member but this node.
    pub(crate) fn members(&self) -> Members {
        let plain = self.peers.iter().filter(|(node, peer)| !peer.speaks && !self.known.contains_key(node));
        let mut nodes: Vec<NodeId> = self.known.keys().chain(plain.map(|(node, _)| node)).copied().collect();
        nodes.sort_unstable();
        Members { epoch: self.epoch, members: nodes.into_iter().map(|node| self.member(node)).collect() }
    }

    #[cfg(test)]
    pub(super) fn peer_life(&self, node: NodeId) -> Option<NodeLife> {
        self.peers.get(&node).map(|peer| peer.life)
    }

    /// What is known of a node.
    pub(super) fn member(&self, node: NodeId) -> Member {
        let (known, peer) = (self.known.get(&node), self.peers.get(&node));
        let lives = known.map(|known| known.identity.incarnation).or(peer.map(|peer| peer.life.incarnation));
        let record = self.records.get(node);
        Member {
            node,
            incarnation: lives
                .or(record.map(|record| record.life.incarnation))
                .unwrap_or(Incarnation::from_u64(0)),
            name: record.map(|record| record.name.clone()).unwrap_or_default(),
            addresses: record.map(|record| record.addresses.clone()).unwrap_or_default(),
            is_connected: peer.is_some_and(|peer| peer.line != Line::Cut),
            is_suspected: known.is_some_and(|known| known.is_suspected),
            round_trip: peer.and_then(|peer| peer.watch.round_trip()),
        }
    }

    /// Compares what foca knows now with what was known.
    pub(super) fn look_at_members(&mut self, listened: Duration) {
        let mut alive = BTreeMap::new();
        let mut gone = Vec::new();
        for member in self.swim.all() {
            let (identity, refutations) = (*member.id(), member.incarnation());
            match member.state() {
                State::Down => {
                    if refutations == LEFT && self.known.contains_key(&identity.node) {
                        self.farewells.insert(identity.node, Farewell::Left);
                    }
                    gone.push(identity);
                }
                state => {
                    let is_suspected = state == State::Suspect;
                    alive.insert(identity.node, Known { identity, refutations, is_suspected });
                }
            }
        }
        for identity in gone {
            self.down.entry(identity.node).or_insert((identity, listened)).0 = identity;
        }
        let former = std::mem::take(&mut self.known);
        let lost: Vec<Known> = former
            .values()
            .filter(|known| {
                let now = alive.get(&known.identity.node);
                now.is_none_or(|now| now.identity.incarnation != known.identity.incarnation)
            })
            .copied()
            .collect();
        let (mut joined, mut others) = (Vec::new(), Vec::new());
        for (node, known) in &alive {
            match former.get(node) {
                Some(before) if before.identity.incarnation == known.identity.incarnation => {
                    if before.is_suspected != known.is_suspected {
                        others.push((*node, known.is_suspected));
                    }
                }
                _ => joined.push(*node),
            }
        }
        self.known = former;
        lost.iter().for_each(|known| self.on_gone(*known, alive.get(&known.identity.node), listened));
        self.known = alive;
        let has_other_members = !(lost.is_empty() && joined.is_empty());
        if has_other_members || !others.is_empty() {
            self.epoch += 1;
        }
        joined.into_iter().for_each(|node| self.on_joined(node, listened));
        // Whoever was to go, and has said that it lives.
        self.farewells.clear();
        for (node, is_suspected) in others {
            let member = self.member(node);
            self.tell(if is_suspected {
                MemberEvent::Suspected(member)
            } else {
                MemberEvent::Trusted(member)
            });
        }
        if has_other_members {
            self.has_new_records = true;
            self.find_neighbours(listened);
            self.begin_alone_if_alone(listened);
        }
    }

    /// Whoever has lost all others, one after the other, was perhaps cut off itself. When it meets them again it shall not part them
    /// by what it took them for.
    fn begin_alone_if_alone(&mut self, listened: Duration) {
        if self.known.is_empty() && self.standing == Standing::Here {
            self.swim.begin_alone(listened);
            let left: BTreeSet<NodeId> = self.swim.all().map(|member| member.id().node).collect();
            self.down.retain(|node, _| left.contains(node));
        }
    }

    fn on_joined(&mut self, node: NodeId, listened: Duration) {
        self.down.remove(&node);
        let joined = self.known.get(&node).map(|known| known.identity.incarnation);
        if self.shunned.get(&node).is_some_and(|shunned| Some(*shunned) != joined) {
            self.shunned.remove(&node);
        }
        self.tell(MemberEvent::Joined(self.member(node)));
        self.tell_if_ready(node);
        self.note_newcomer(node);
        self.ask_where_it_is(node);
        self.want_member(node, listened);
    }

    /// Of a life that has joined it may not be known where it is: what was said of that while its former life was believed was not heard.
    fn ask_where_it_is(&mut self, node: NodeId) {
        let life = self.known.get(&node).map(|known| known.identity.life());
        let (session, record) = (self.peers.get(&node), self.records.get(node));
        if session.map(|peer| peer.life) == life || record.map(|record| record.life) == life {
            return;
        }
        let reached: Vec<NodeId> =
            self.peers.iter().filter(|(_, peer)| peer.is_reached()).map(|(node, _)| *node).collect();
        if let Some(asked) = self.dice.pick(&reached).copied() {
            self.tell_records(asked, 0, 1 << bucket_of(node));
        }
    }

    fn on_gone(&mut self, known: Known, successor: Option<&Known>, listened: Duration) {
        let node = known.identity.node;
        let mut member = self.member(node);
        (member.incarnation, member.is_connected) = (known.identity.incarnation, false);
        let told = if successor.is_some() { LostReason::Replaced } else { LostReason::Told };
        let farewell = self.farewells.remove(&node).unwrap_or(Farewell::Lost(told));
        self.known.remove(&node);
        let is_of_it = |peer: &Peer| peer.speaks && peer.life == known.identity.life();
        let session = self.peers.get(&node).filter(|peer| is_of_it(peer)).map(|peer| peer.line);
        let has_session = session.is_some_and(|line| line != Line::Cut);
        if session.is_some() {
            self.records.is_hearsay_again(node);
        }
        self.conflicts.forget(node);
        self.dialing.unwant(node);
        match farewell {
            Farewell::Left => {
                // It is heard until its session ends.
                if has_session && let Some(peer) = self.peers.get_mut(&node) {
                    peer.is_told = false;
                } else if session.is_some() {
                    self.peers.remove(&node);
                }
                self.shunned.remove(&node);
                self.dialing.on_left(node);
                self.records.forget(node);
                self.tell(MemberEvent::Left(member));
            }
            Farewell::Lost(reason) => {
                let gone = session.and_then(|_| self.peers.remove(&node));
                // Now that counts which others said of the life after it.
                let later = gone.and_then(|peer| peer.later).filter(|_| successor.is_none());
                if let Some(later) = later {
                    self.on_update(foca::Member::alive(later), listened);
                }
                self.tell(MemberEvent::Lost { member, reason });
                if has_session {
                    self.effects.push_back(Effect::End { life: known.identity.life() });
                }
                if successor.is_none() && later.is_none() {
                    self.want_again(node, listened);
                }
            }
        }
    }

    /// A peer of whom only the session was known has gone with it.
    pub(super) fn on_plain_gone(&mut self, peer: &Peer, farewell: Farewell) {
        self.epoch += 1;
        let mut member = self.member(peer.life.node);
        (member.incarnation, member.is_connected) = (peer.life.incarnation, false);
        self.tell(match farewell {
            Farewell::Left => MemberEvent::Left(member),
            Farewell::Lost(reason) => MemberEvent::Lost { member, reason },
        });
    }

    /// Tells once for each session that a member can be reached.
    pub(super) fn tell_if_ready(&mut self, node: NodeId) {
        let known = self.known.get(&node).map(|known| known.identity.life());
        let Some(peer) = self.peers.get_mut(&node) else { return };
        let is_member = !peer.speaks || known == Some(peer.life);
        if is_member && peer.line == Line::Up && !std::mem::replace(&mut peer.is_told, true) {
            self.epoch += 1;
            self.tell(MemberEvent::Ready(self.member(node)));
        }
    }

    /// Asks a peer to be let in, or to say that this node was declared down.
    pub(super) fn announce_to(&mut self, life: NodeLife, listened: Duration) {
        if self.standing == Standing::Here {
            self.swim.announce(Identity::new(life, 0), listened);
        }
    }

    pub(super) fn announce_to_all(&mut self, listened: Duration) {
        let lives: Vec<NodeLife> =
            self.peers.values().filter(|peer| peer.is_reached()).map(|peer| peer.life).collect();
        lives.into_iter().for_each(|life| self.announce_to(life, listened));
    }

    /// The same to those who can be reached and are no members.
    pub(super) fn announce_to_strangers(&mut self, listened: Duration) {
        let strangers = self.peers.values().filter(|peer| {
            let known = self.known.get(&peer.life.node).map(|known| known.identity.life());
            peer.is_reached() && known != Some(peer.life)
        });
        let lives: Vec<NodeLife> = strangers.map(|peer| peer.life).collect();
        lives.into_iter().for_each(|life| self.announce_to(life, listened));
    }

    /// Whether others are told where a node is.
    pub(super) fn is_told_of(&self, node: NodeId) -> bool {
        self.is_me(node) || self.known.contains_key(&node)
    }

    /// Compares with somebody what the two know.
    pub(super) fn compare_records(&mut self) {
        let reached: Vec<NodeId> =
            self.peers.iter().filter(|(_, peer)| peer.is_reached()).map(|(node, _)| *node).collect();
        if let Some(node) = self.dice.pick(&reached).copied() {
            let digest = self.records.digest(|node| self.is_told_of(node));
            self.send(node, Frame::Digest(Box::new(digest)));
        }
    }

    pub(super) fn look_for_clashes(&mut self) {
        let (known, peers) = (&self.known, &self.peers);
        let is_here = |node: &NodeId| {
            *node == self.config.life.node || known.contains_key(node) || peers.contains_key(node)
        };
        let here = self.records.iter().filter(|record| is_here(&record.life.node));
        let clashes = self.conflicts.look(here);
        clashes.into_iter().for_each(|clash| self.tell(MemberEvent::Clash(clash)));
    }

    /// Members without a session should have one.
    pub(super) fn want_members(&mut self, listened: Duration) {
        let nodes: Vec<NodeId> = self.known.keys().copied().collect();
        nodes.into_iter().for_each(|node| self.want_member(node, listened));
    }

    pub(super) fn want_member(&mut self, node: NodeId, listened: Duration) {
        let has_session = self.peers.get(&node).is_some_and(|peer| peer.line != Line::Cut);
        if has_session || self.shunned.contains_key(&node) || self.standing == Standing::Left {
            return;
        }
        // Where its former life was nobody may answer for long.
        let life = self.known.get(&node).map(|known| known.identity.life());
        if let Some(record) = self.records.get(node).filter(|record| Some(record.life) == life) {
            let first = self.stagger(node);
            self.dialing.want(node, Why::Member, &record.addresses, listened, first);
        }
    }

    /// Somebody is said to be there who is no member yet.
    pub(super) fn want_stranger(&mut self, node: NodeId, addresses: &[Address], listened: Duration) {
        let has_session = self.peers.get(&node).is_some_and(|peer| peer.line != Line::Cut);
        if !has_session && !self.shunned.contains_key(&node) {
            let first = self.stagger(node);
            self.dialing.want(node, Why::Told, addresses, listened, first);
        }
    }

    /// Who was lost may come back.
    pub(super) fn want_again(&mut self, node: NodeId, listened: Duration) {
        let is_wanted = self.config.is_transitive
            && self.standing != Standing::Left
            && !self.shunned.contains_key(&node)
            && self.peers.get(&node).is_none_or(|peer| peer.line == Line::Cut);
        if let Some(record) = self.records.get(node).filter(|_| is_wanted) {
            let why = if self.known.contains_key(&node) { Why::Member } else { Why::Lost };
            let first = self.stagger(node);
            self.dialing.want(node, why, &record.addresses, listened, first);
        }
    }

    /// Both may want a session: the lesser node dials first.
    fn stagger(&self, node: NodeId) -> Duration {
        if self.config.life.node < node { Duration::ZERO } else { DIAL_STAGGER }
    }

    pub(super) fn dial_due(&mut self, listened: Duration) {
        let is_alone = self.is_alone();
        let (peers, shunned) = (&self.peers, &self.shunned);
        let is_spared = |node| is_spared(peers, shunned, node);
        for (target, addresses) in self.dialing.due(listened, is_alone, is_spared) {
            self.effects.push_back(Effect::Dial { target, addresses });
        }
    }

    /// Whether nobody is a member but this node.
    pub(super) fn is_alone(&self) -> bool {
        self.known.is_empty() && self.peers.values().all(|peer| peer.speaks)
    }

    /// Whether a seed's node is not dialled, even if nobody else is there.
    pub(super) fn is_spared(&self, node: NodeId) -> bool {
        is_spared(&self.peers, &self.shunned, node)
    }

    /// Who has been down for long enough that nobody talks of it any more.
    pub(super) fn forget_the_long_gone(&mut self, listened: Duration) {
        let is_over = |since: &Duration| listened.saturating_sub(*since) >= DOWN_KEPT;
        let over: Vec<(NodeId, Identity)> = self
            .down
            .iter()
            .filter(|(_, (_, since))| is_over(since))
            .map(|(node, (identity, _))| (*node, *identity))
            .collect();
        for (node, identity) in over {
            self.down.remove(&node);
            self.swim.forget(identity);
            if !self.is_told_of(node) && !self.peers.contains_key(&node) {
                self.records.forget(node);
            }
        }
    }
}

/// There is a session with it, or one was closed on purpose.
fn is_spared(peers: &BTreeMap<NodeId, Peer>, shunned: &BTreeMap<NodeId, Incarnation>, node: NodeId) -> bool {
    shunned.contains_key(&node) || peers.get(&node).is_some_and(|peer| peer.line != Line::Cut)
}
