//! What sessions tell the machine: they come, break, heal and go, and peers say words in them.

use std::time::Duration;

use actor_core::Instant;
use foca::{Member, State};

use super::events::{LostReason, MemberEvent};
use super::frame::{Frame, Verdict};
use super::identity::Identity;
use super::ration::Ration;
use super::swim::LEFT;
use super::sync::{Record, Records};
use super::telling::Telling;
use super::watch::{Line, Peer, Watch};
use super::{Farewell, Membership, Standing};
use crate::id::{NodeId, NodeLife};
use crate::limits::{MEMBERS_MAX, MEMBERSHIP_EFFECTS_MAX};
use crate::transport::Address;

/// The time between two lives that foca has to forget, at least.
const GIVE_UP_INTERVAL: Duration = Duration::from_secs(1);

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
    /// One of the two does not let the other in, or not any more; that may change.
    Refused,
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
        let watch = Box::new(Watch::new(self.now, listened));
        let peer = Peer {
            life,
            speaks,
            term: None,
            line: Line::Up,
            later: None,
            is_told: false,
            is_neighbour: false,
            watch,
            ration: Ration::new(self.now),
            telling: Telling::default(),
        };
        let former = self.peers.insert(node, peer);
        if let Some(former) = former.filter(|former| !former.speaks) {
            self.on_plain_gone(&former, Farewell::Lost(LostReason::Replaced));
        }
        self.dialing.on_met(node, listened);
        self.shunned.remove(&node);
        self.learn_first_hand(Record::new(life, name, addresses), listened);
        if speaks {
            self.give_up_greater_life(life, listened);
            self.announce_to(life, listened);
            self.tell_records(node, u32::MAX, 0);
            self.note_newcomer(node);
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

    /// Forgets what a node was, and that it may be down. Others are not told, suspected and probed meanwhile, so a node that comes in one
    /// lesser life after the other has this done once in a second.
    fn give_up(&mut self, node: NodeId, is_over: impl Fn(&Identity) -> bool, listened: Duration) {
        let Some(identity) = self.swim.find(node).filter(is_over) else { return };
        if self.gave_up_at.is_some_and(|at| listened < at + GIVE_UP_INTERVAL) {
            return;
        }
        self.gave_up_at = Some(listened);
        if self.known.contains_key(&node) {
            self.farewells.insert(node, Farewell::Lost(LostReason::Replaced));
        }
        self.down.remove(&node);
        self.swim.give_up(identity, listened);
    }

    /// For whom it was too early when their sessions were ready.
    pub(super) fn give_up_former_lives(&mut self, listened: Duration) {
        let overtakes = |member: &Identity| {
            let peer = self.peers.get(&member.node).filter(|peer| peer.line != Line::Cut)?;
            let is_over = !peer.speaks || member.incarnation > peer.life.incarnation;
            is_over.then_some((peer.life, peer.speaks))
        };
        let overtaken: Vec<_> = self.swim.all().filter_map(|member| overtakes(member.id())).collect();
        for (life, speaks) in overtaken {
            if speaks {
                self.give_up_greater_life(life, listened);
            } else {
                self.give_up(life.node, |_| true, listened);
            }
        }
    }

    /// Somebody says where another node is, in whatever way.
    pub(crate) fn handle_told(&mut self, node: NodeId, addresses: &[Address], now: Instant) {
        let listened = self.listen(now);
        let is_wanted = self.config.is_transitive && self.standing != Standing::Left && !self.is_me(node);
        let is_known = self.peers.contains_key(&node) || self.shunned.contains_key(&node);
        if is_wanted && !is_known && self.known.len() < MEMBERS_MAX {
            self.dialing.want(node, super::dialing::Why::Told, addresses, listened, Duration::ZERO);
            // Of many the next tick takes care: a peer cannot have all looked at for each that it tells of.
            if self.dialing.is_short() {
                self.dial_due(listened);
            }
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
        match end {
            SessionEnd::Closed => self.shun(life),
            SessionEnd::Shutdown => self.dialing.on_left(node),
            SessionEnd::Refused | SessionEnd::Lost => {}
        }
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if !peer.speaks {
            if let Some(peer) = self.peers.remove(&node) {
                let farewell = match end {
                    SessionEnd::Closed | SessionEnd::Refused | SessionEnd::Shutdown => Farewell::Left,
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
                SessionEnd::Closed | SessionEnd::Refused => {
                    self.peers.remove(&node);
                }
                SessionEnd::Shutdown => {
                    self.peers.remove(&node);
                    self.on_left(node, listened);
                }
            }
        }
        self.records.is_hearsay_again(node);
        let is_let_in_again = end == SessionEnd::Refused && self.known.contains_key(&node);
        if end == SessionEnd::Lost || is_let_in_again {
            self.want_again(node, listened);
        }
        self.settle(listened);
    }

    /// Its session was closed on purpose: it is not dialled again, until it has left, or is known in another life, or there is a session
    /// again.
    fn shun(&mut self, life: NodeLife) {
        if self.shunned.len() >= MEMBERS_MAX {
            let (known, down, dialing) = (&self.known, &self.down, &self.dialing);
            let may_be_dialled =
                |node: &NodeId| known.contains_key(node) || down.contains_key(node) || dialing.is_seed(*node);
            self.shunned.retain(|node, _| may_be_dialled(node));
        }
        self.shunned.insert(life.node, life.incarnation);
    }

    /// A peer says a word of membership.
    pub(crate) fn handle_frame(&mut self, from: NodeLife, frame: Frame, now: Instant) {
        let listened = self.listen(now);
        let node = from.node;
        if self.standing == Standing::Left || self.effects.len() >= MEMBERSHIP_EFFECTS_MAX {
            return;
        }
        let now = self.now;
        let peer = self.peers.get_mut(&node).filter(|peer| peer.life == from && peer.is_reached());
        if !peer.is_some_and(|peer| peer.ration.take(&frame, now)) {
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
                if self.known.contains_key(&node) {
                    self.on_update(Member::new(member, refutations, state), listened);
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
            self.swim.apply(Member::new(identity, LEFT, State::Down), listened);
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
