//! What sessions tell the machine: they come, break, heal and go, and peers say words in them.

use std::time::Duration;

use actor_core::Instant;
use foca::{Message, State};

use super::codec::Packet;
use super::events::{Clash, LostReason, MemberEvent};
use super::frame::{Frame, Verdict};
use super::identity::Identity;
use super::swim::LEFT;
use super::sync::{Record, Records};
use super::watch::{Line, Peer, Watch};
use super::{Farewell, Membership, Standing};
use crate::id::{NodeId, NodeLife};
use crate::limits::MEMBERS_MAX;
use crate::transport::Address;

/// Who a session is with.
#[derive(Clone, Debug)]
pub(crate) struct PeerNews {
    pub(crate) life: NodeLife,
    pub(crate) name: String,
    pub(crate) addresses: Vec<Address>,
    /// Whether the session has the capability *membership*.
    pub(crate) speaks: bool,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionEnd {
    /// One of the two nodes wants no session.
    Closed,
    /// The peer shuts down.
    Shutdown,
    /// Its streams were lost for too long, or the peer broke the protocol.
    Lost,
}

impl Peer {
    /// Whether words of membership can be said to it now.
    pub(super) fn is_reached(&self) -> bool {
        self.speaks && self.line == Line::Up
    }
}

impl Membership {
    /// A session is ready: it carries messages.
    pub(crate) fn handle_ready(&mut self, news: PeerNews, now: Instant) {
        let listened = self.listen(now);
        let PeerNews { life, name, addresses, speaks } = news;
        let node = life.node;
        if self.standing == Standing::Left || self.is_me(node) {
            return;
        }
        let speaks = speaks && self.config.is_transitive;
        if !speaks {
            self.give_up_speaker(node, listened);
        }
        let watch = Watch::new(self.now, listened);
        let peer = Peer { life, speaks, line: Line::Up, is_told: false, is_neighbour: false, watch };
        let former = self.peers.insert(node, peer);
        if let Some(former) = former.filter(|former| !former.speaks) {
            self.on_plain_gone(&former, Farewell::Lost(LostReason::Replaced));
        }
        self.dialing.on_met(node, listened);
        self.shunned.remove(&node);
        self.has_new_records |= self.records.learn_first_hand(Record::new(life, name, addresses));
        if speaks {
            self.give_up_greater_life(life, listened);
            self.announce_to(life, listened);
            self.tell_records(node, u32::MAX, 0);
        } else {
            self.epoch += 1;
            self.tell(MemberEvent::Joined(self.member(node)));
        }
        self.find_neighbours(listened);
        self.tell_if_ready(node);
        self.settle(listened);
    }

    /// A node that a session is with is in the life that the session is with. One that began with its clock set back has the lesser
    /// number, and foca would never let it win.
    fn give_up_greater_life(&mut self, life: NodeLife, listened: Duration) {
        self.give_up(life.node, |other| other.incarnation > life.incarnation, listened);
    }

    /// A node is back with a session that does not have the capability: what it was before is over, and that is told first.
    fn give_up_speaker(&mut self, node: NodeId, listened: Duration) {
        self.give_up(node, |_| true, listened);
        if self.known.contains_key(&node) {
            self.look_at_members(listened);
        }
    }

    /// Forgets what a node was, and that it may be down.
    fn give_up(&mut self, node: NodeId, is_over: impl Fn(&Identity) -> bool, listened: Duration) {
        let lives = self.swim.all().map(|member| *member.id());
        let over: Vec<Identity> = lives.filter(|life| life.node == node && is_over(life)).collect();
        for identity in over {
            if self.known.contains_key(&node) {
                self.farewells.insert(node, Farewell::Lost(LostReason::Replaced));
            }
            self.down.remove(&node);
            self.swim.give_up(identity, listened);
        }
    }

    /// Somebody says where another node is, in whatever way.
    pub(crate) fn handle_told(&mut self, node: NodeId, addresses: &[Address], now: Instant) {
        let listened = self.listen(now);
        let is_wanted = self.config.is_transitive && self.standing != Standing::Left && !self.is_me(node);
        let is_known = self.peers.contains_key(&node) || self.shunned.contains(&node);
        if is_wanted && !is_known && self.known.len() < MEMBERS_MAX {
            self.dialing.want(node, super::dialing::Why::Told, addresses, listened, Duration::ZERO);
        }
    }

    /// A session has lost its streams, and looks for others.
    pub(crate) fn handle_interrupted(&mut self, life: NodeLife, now: Instant) {
        self.listen(now);
        if let Some(peer) = self.peers.get_mut(&life.node).filter(|peer| peer.life == life) {
            peer.line = Line::Broken { is_refused: false };
        }
    }

    /// Nobody listens any more where the peer of an interrupted session was.
    pub(crate) fn handle_refused(&mut self, life: NodeLife, now: Instant) {
        self.listen(now);
        if let Some(peer) = self.peers.get_mut(&life.node)
            && peer.life == life
            && matches!(peer.line, Line::Broken { .. })
        {
            peer.line = Line::Broken { is_refused: true };
        }
    }

    /// It has streams again.
    pub(crate) fn handle_resumed(&mut self, life: NodeLife, now: Instant) {
        let listened = self.listen(now);
        if let Some(peer) = self.peers.get_mut(&life.node).filter(|peer| peer.life == life) {
            peer.line = Line::Up;
            peer.watch.begin(listened);
        }
    }

    /// A session is over.
    pub(crate) fn handle_ended(&mut self, life: NodeLife, end: SessionEnd, now: Instant) {
        let listened = self.listen(now);
        let node = life.node;
        let Some(peer) = self.peers.get_mut(&node).filter(|peer| peer.life == life) else { return };
        peer.is_told = false;
        self.dialing.on_parted(node, listened);
        if end == SessionEnd::Closed {
            self.shun(node);
        }
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if !peer.speaks {
            if let Some(peer) = self.peers.remove(&node) {
                let farewell = match end {
                    SessionEnd::Closed | SessionEnd::Shutdown => Farewell::Left,
                    SessionEnd::Lost => Farewell::Lost(LostReason::Disconnected),
                };
                self.on_plain_gone(&peer, farewell);
            }
        } else if !self.known.contains_key(&node) {
            self.peers.remove(&node);
        } else {
            self.epoch += 1;
            match end {
                SessionEnd::Lost => peer.line = Line::Cut,
                SessionEnd::Closed => {
                    self.peers.remove(&node);
                }
                SessionEnd::Shutdown => {
                    self.peers.remove(&node);
                    self.on_left(node, listened);
                }
            }
        }
        self.records.is_hearsay_again(node);
        if end == SessionEnd::Lost {
            self.want_again(node, listened);
        }
        self.find_neighbours(listened);
        self.settle(listened);
    }

    /// Its session was closed on purpose: it is not dialled again, until it has left or there is a session again.
    fn shun(&mut self, node: NodeId) {
        if self.shunned.len() >= MEMBERS_MAX {
            let (known, down, dialing) = (&self.known, &self.down, &self.dialing);
            let may_be_dialled =
                |node: &NodeId| known.contains_key(node) || down.contains_key(node) || dialing.is_seed(*node);
            self.shunned.retain(may_be_dialled);
        }
        self.shunned.insert(node);
    }

    /// A peer says a word of membership.
    pub(crate) fn handle_frame(&mut self, from: NodeLife, frame: Frame, now: Instant) {
        let listened = self.listen(now);
        let node = from.node;
        let is_heard = self.peers.get(&node).is_some_and(|peer| peer.life == from && peer.is_reached());
        if !is_heard || self.standing == Standing::Left {
            return;
        }
        match frame {
            Frame::Beat { number, heard, held, is_answer } => {
                self.on_beat(node, number, heard, held, is_answer, listened);
                return;
            }
            Frame::Ask { about, number } => self.on_ask(node, about, number, listened),
            Frame::Verdict { about, number, verdict } => {
                self.on_verdict(node, about, number, verdict, listened);
            }
            Frame::Update { member, refutations, state } => {
                // Gossip of whoever was removed counts for nothing.
                let is_credible = !self.is_talked_away(member, refutations, state);
                if self.known.contains_key(&node) && is_credible && self.may_hear_of(member) {
                    self.on_update(member, refutations, state, listened);
                }
            }
            Frame::Swim(packet) => self.on_packet(from, &packet, listened),
            Frame::Digest(theirs) => {
                let ours = self.records.digest(|node| self.is_told_of(node));
                let differing = Records::difference(&ours, &theirs);
                if differing != 0 {
                    self.tell_records(node, differing, differing);
                }
            }
            Frame::Records { entries, wanted } => {
                self.on_records(entries, listened);
                if wanted != 0 {
                    self.tell_records(node, wanted, 0);
                }
            }
            Frame::Leave(identity) => {
                if identity.life() == from {
                    self.on_left(node, listened);
                }
            }
        }
        self.settle(listened);
    }

    fn on_left(&mut self, node: NodeId, listened: Duration) {
        if let Some(known) = self.known.get(&node) {
            let identity = known.identity;
            self.swim.apply(identity, LEFT, State::Down, listened);
        }
    }

    /// Whether something may be said of a member: nobody who has a session here is replaced by hearsay, and there is a bound.
    fn may_hear_of(&mut self, member: Identity) -> bool {
        if self.is_me(member.node) {
            if member.incarnation > self.config.life.incarnation {
                // Another life of this very node. It cannot be let win by words of others.
                self.tell_clash(Clash::Key { node: member.node });
                return false;
            }
            return true;
        }
        if let Some(peer) = self.peers.get(&member.node)
            && peer.line != Line::Cut
            && (!peer.speaks || member.incarnation > peer.life.incarnation)
        {
            return false;
        }
        self.known.contains_key(&member.node) || self.down.contains_key(&member.node) || self.has_place()
    }

    /// Whether somebody says of a member that it has left while there is a session with it: that it says itself, or the session's end does.
    fn is_talked_away(&self, member: Identity, refutations: u16, state: State) -> bool {
        let peer = self.peers.get(&member.node).filter(|peer| peer.life == member.life());
        let has_session = peer.is_some_and(|peer| peer.line != Line::Cut);
        has_session && state == State::Down && refutations == LEFT
    }

    /// Whether one more node may be remembered. If there is none, whoever is down for longest is forgotten.
    fn has_place(&mut self) -> bool {
        if self.swim.all().len() < MEMBERS_MAX {
            return true;
        }
        let oldest = self.down.iter().min_by_key(|(_, (_, since))| *since);
        let Some((node, (identity, _))) = oldest.map(|(node, down)| (*node, *down)) else { return false };
        self.down.remove(&node);
        self.swim.forget(identity);
        true
    }

    fn on_update(&mut self, member: Identity, refutations: u16, state: State, listened: Duration) {
        let before = self.swim.refutations();
        self.swim.apply(member, refutations, state, listened);
        self.refute_if_suspected(before, listened);
    }

    fn on_packet(&mut self, from: NodeLife, bytes: &[u8], listened: Duration) {
        let Ok(mut packet) = Packet::decode(bytes) else { return };
        // A node speaks for itself alone, whatever it writes.
        if packet.header.src.life() != from || self.standing != Standing::Here {
            return;
        }
        // So does one that has asked others to probe: nobody needs to be probed who is unknown.
        let src = packet.header.src;
        if !self.may_hear_of(src) {
            return;
        }
        let is_stranger = |about: &Identity| !self.known.contains_key(&about.node) && !self.is_me(about.node);
        if let Message::PingReq { target, .. } | Message::IndirectAck { target, .. } = &packet.header.message
            && is_stranger(target)
        {
            return;
        }
        packet.members.retain(|member| {
            let (identity, refutations, state) = (*member.id(), member.incarnation(), member.state());
            !self.is_talked_away(identity, refutations, state) && self.may_hear_of(identity)
        });
        let before = self.swim.refutations();
        if self.swim.handle_packet(&packet, listened).is_ok() {
            self.refute_if_suspected(before, listened);
        }
    }

    /// If this node was suspected and has refuted that, all should know it soon.
    fn refute_if_suspected(&mut self, before: u16, listened: Duration) {
        let refutations = self.swim.refutations();
        if refutations > before {
            self.health.on_trouble(listened);
            let (member, state) = (self.swim.identity(), State::Alive);
            self.tell_everybody(&Frame::Update { member, refutations, state });
        }
    }

    fn on_records(&mut self, entries: Vec<Record>, listened: Duration) {
        for record in entries {
            let node = record.life.node;
            if self.is_me(node) {
                if record.life.incarnation > self.config.life.incarnation {
                    self.tell_clash(Clash::Key { node });
                }
                continue;
            }
            let is_stranger = !self.known.contains_key(&node);
            if self.records.learn(record) {
                self.has_new_records = true;
                if is_stranger && let Some(record) = self.records.get(node) {
                    let addresses = record.addresses.clone();
                    self.want_stranger(node, &addresses, listened);
                }
            }
        }
    }

    /// Answers a helper's question, or asks the member first.
    fn on_ask(&mut self, asker: NodeId, about: Identity, number: u32, listened: Duration) {
        let Some(peer) = self.peers.get(&about.node).filter(|peer| peer.life == about.life() && peer.speaks)
        else {
            let verdict = Verdict::Unknown;
            self.send(asker, Frame::Verdict { about, number, verdict });
            return;
        };
        if peer.line != Line::Up {
            self.send(asker, Frame::Verdict { about, number, verdict: Verdict::NotHeard });
        } else if peer.is_neighbour {
            let verdict = self.verdict_on(peer, listened);
            self.send(asker, Frame::Verdict { about, number, verdict });
        } else {
            self.begin_errand(asker, about, number, listened);
        }
    }
}
