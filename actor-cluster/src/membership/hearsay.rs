//! What peers say of members, and what of it counts.
//!
//! A node speaks for itself in its session, and nobody else does against it. Of others a peer may say what it likes, as in any SWIM; but nobody
//! is replaced or sent away for good by it, what it makes up takes a place only while there is one, and what it says of this
//! node is answered once in a tick.

use std::time::Duration;

use foca::{Member, Message, State};

use super::codec::Packet;
use super::events::{Clash, MemberEvent};
use super::identity::Identity;
use super::swim::LEFT;
use super::sync::Record;
use super::watch::Line;
use super::{Membership, Standing};
use crate::id::{NodeId, NodeLife};
use crate::limits::{MEMBERS_MAX, MEMBERSHIP_BACKLOG_MAX, MEMBERSHIP_TERM_STEP_MAX};

/// What is heard of this node itself.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// The greatest term that somebody said it to be in.
    pub(super) greatest_term: u32,
    /// The tick in which a suspicion was answered last.
    answered_in: Option<u64>,
    /// A suspicion that came after that, by how often it had refuted others.
    suspected: Option<u16>,
}

impl Membership {
    /// What a peer says of one member.
    pub(super) fn on_update(&mut self, member: Member<Identity>, listened: Duration) {
        if let Some(member) = self.hear_of(member, &mut 0) {
            self.apply(member, listened);
        }
    }

    fn apply(&mut self, member: Member<Identity>, listened: Duration) {
        let before = self.swim.refutations();
        self.swim.apply(member, listened);
        self.refute_if_suspected(before, listened);
    }

    pub(super) fn on_packet(&mut self, from: NodeLife, bytes: &[u8], listened: Duration) {
        let Ok(Packet { header, members }) = Packet::decode(bytes) else { return };
        // A node speaks for itself alone, whatever it writes.
        let src = header.src;
        if src.life() != from || src.term == u32::MAX || self.standing != Standing::Here {
            return;
        }
        // So does one that has asked others to probe: nobody needs to be probed who is unknown.
        let is_stranger = |about: &Identity| !self.known.contains_key(&about.node) && !self.is_me(about.node);
        if let Message::PingReq { target, .. } | Message::IndirectAck { target, .. } = &header.message
            && is_stranger(target)
        {
            return;
        }
        self.on_own_term(src, listened);
        let own = self.swim.identity();
        let is_announce = header.message == Message::Announce && self.is_me(header.dst.node);
        if header.dst != own && !is_announce {
            return;
        }
        let mut newcomers = 0;
        if self.swim.find(src.node).is_none() {
            if !(self.has_place(newcomers) || self.displace_one_without_session(listened)) {
                return;
            }
            newcomers += 1;
        }
        let heard = members.into_iter().filter_map(|member| self.hear_of(member, &mut newcomers)).collect();
        let packet = Packet { header, members: heard };
        let before = self.swim.refutations();
        if self.swim.handle_packet(&packet, listened).is_ok() {
            self.refute_if_suspected(before, listened);
        }
    }

    /// A peer says which term it is in. Nobody knows better: whoever spoke of a later one has made it up.
    fn on_own_term(&mut self, said: Identity, listened: Duration) {
        if let Some(peer) = self.peers.get_mut(&said.node) {
            peer.term = Some(said.term);
        }
        let made_up = self.swim.find(said.node);
        let is_later = |known: &Identity| known.life() == said.life() && known.term > said.term;
        if let Some(made_up) = made_up.filter(is_later) {
            self.down.remove(&said.node);
            self.swim.take_out(made_up, listened);
        }
    }

    /// What may be heard of a member from others: all of it, or nothing. So many newcomers are to be remembered already.
    fn hear_of(&mut self, member: Member<Identity>, newcomers: &mut usize) -> Option<Member<Identity>> {
        let identity = *member.id();
        if self.is_me(identity.node) {
            return self.hear_of_myself(&member);
        }
        if self.knows_better(&member) {
            self.note_later_life(&member);
            return None;
        }
        if let Some(known) = self.swim.find(identity.node) {
            // What has become of a life of which nobody has heard that it began says nothing either: it would outlast the life that is there.
            let is_news = identity.life() == known.life() || member.state() == State::Alive;
            return (is_news && may_follow(known, identity)).then_some(member);
        }
        // That somebody is dead of whom nothing is known says nothing, and it would be told on and on.
        let has_room = self.swim.backlog() + *newcomers < MEMBERSHIP_BACKLOG_MAX;
        let is_there = member.state() == State::Alive && identity.term < u32::MAX;
        let is_heard = is_there && has_room && self.has_place(*newcomers);
        *newcomers += usize::from(is_heard);
        is_heard.then_some(member)
    }

    /// A member whose session may be as good as lost is said to live in a later life.
    fn note_later_life(&mut self, member: &Member<Identity>) {
        let identity = *member.id();
        if member.state() == State::Alive
            && let Some(peer) = self.peers.get_mut(&identity.node)
            && peer.speaks
            && identity.incarnation > peer.life.incarnation
        {
            peer.later = Some(identity);
        }
    }

    /// Whether the session with a member says otherwise: nobody talks it into another life or term, or out of the cluster. If it has not
    /// the capability, others know nothing of it; that it has left it says itself, or the session's end does.
    fn knows_better(&self, member: &Member<Identity>) -> bool {
        let identity = *member.id();
        let Some(peer) = self.peers.get(&identity.node).filter(|peer| peer.line != Line::Cut) else {
            return false;
        };
        if !peer.speaks || identity.life() != peer.life {
            return !peer.speaks || identity.incarnation > peer.life.incarnation;
        }
        let has_left = member.state() == State::Down && member.incarnation() == LEFT;
        let is_later_term = peer.term.is_some_and(|term| identity.term > term);
        has_left || (is_later_term && peer.is_reached())
    }

    fn hear_of_myself(&mut self, member: &Member<Identity>) -> Option<Member<Identity>> {
        let (said, own) = (*member.id(), self.swim.identity());
        if said.incarnation > own.incarnation {
            // Another life of this very node. It cannot be let win by words of others.
            self.tell_clash(Clash::Key { node: said.node });
            return None;
        }
        if said != own {
            if said.life() == own.life() && may_follow(own, said) {
                self.own.greatest_term = self.own.greatest_term.max(said.term);
            }
            return None;
        }
        if member.state() != State::Suspect {
            return Some(member.clone());
        }
        let refutations = member.incarnation();
        if self.own.answered_in == Some(self.ticks) {
            self.own.suspected = self.own.suspected.max(Some(refutations));
            return None;
        }
        self.own.answered_in = Some(self.ticks);
        // One that cannot be refuted any more.
        let state = if refutations >= LEFT - 1 { State::Down } else { State::Suspect };
        Some(Member::new(own, refutations, state))
    }

    /// A suspicion came in the last tick, after another.
    pub(super) fn hear_suspicion_again(&mut self, listened: Duration) {
        if let Some(refutations) = self.own.suspected.take() {
            let suspect = Member::new(self.swim.identity(), refutations, State::Suspect);
            self.on_update(suspect, listened);
        }
    }

    /// If this node was suspected and has refuted that, all should know it soon.
    fn refute_if_suspected(&mut self, before: u16, listened: Duration) {
        let refutations = self.swim.refutations();
        if refutations > before {
            self.health.on_suspected(listened);
            let (member, state) = (self.swim.identity(), State::Alive);
            self.tell_everybody(&super::Frame::Update { member, refutations, state });
        }
    }

    /// Whether one more node may be remembered, beside so many newcomers. If not, whoever is down for longest is forgotten.
    fn has_place(&mut self, newcomers: usize) -> bool {
        while self.swim.all().len() + newcomers >= MEMBERS_MAX {
            let oldest = self.down.iter().min_by_key(|(_, (_, since))| *since);
            let Some((node, identity)) = oldest.map(|(node, down)| (*node, down.0)) else { return false };
            self.down.remove(&node);
            self.swim.forget(identity);
        }
        true
    }

    /// Whoever has a session needs the place more than one of those of whom others told, and who never had one.
    fn displace_one_without_session(&mut self, listened: Duration) -> bool {
        let members = self.swim.all().map(|member| *member.id());
        let strangers: Vec<_> = members.filter(|member| !self.peers.contains_key(&member.node)).collect();
        let Some(displaced) = self.dice.pick(&strangers).copied() else { return false };
        self.down.remove(&displaced.node);
        self.swim.take_out(displaced, listened);
        true
    }

    pub(super) fn learn_first_hand(&mut self, record: Record, listened: Duration) {
        let (known, peers, me) = (&self.known, &self.peers, self.config.life.node);
        let is_here = |node| node == me || known.contains_key(&node) || peers.contains_key(&node);
        let node = record.life.node;
        if self.records.learn_first_hand(record, listened, is_here) {
            self.on_new_record(node);
        }
    }

    pub(super) fn on_records(&mut self, entries: Vec<Record>, listened: Duration) {
        for record in entries {
            let node = record.life.node;
            if self.is_me(node) {
                if record.life.incarnation > self.config.life.incarnation {
                    self.tell_clash(Clash::Key { node });
                }
                continue;
            }
            // Of a member only what its life says: a later one that somebody has made up would hide where it is for good. The view may be older than what is known.
            let is_other = |known: Identity| known.incarnation != record.life.incarnation;
            let seen = self.known.get(&node).filter(|known| is_other(known.identity));
            if let Some(known) = seen.and_then(|_| self.swim.find(node)).filter(|known| is_other(*known)) {
                // But where it may have come back to is tried too, once its session here has lost its streams.
                if record.life.incarnation > known.incarnation && self.peers.contains_key(&node) {
                    let addresses = record.addresses;
                    self.effects.push_back(super::Effect::NoteElsewhere { node, addresses });
                }
                continue;
            }
            let (known, peers, me) = (&self.known, &self.peers, self.config.life.node);
            let is_here = |node| node == me || known.contains_key(&node) || peers.contains_key(&node);
            if self.records.learn(record, listened, is_here) {
                self.on_new_record(node);
                self.want_told(node, listened);
            }
        }
    }

    fn on_new_record(&mut self, node: NodeId) {
        self.has_new_records = true;
        // Members are seen with their names and addresses; who is none yet is seen when it joins.
        self.epoch += u64::from(self.known.contains_key(&node));
    }

    fn want_told(&mut self, node: NodeId, listened: Duration) {
        if self.known.contains_key(&node) {
            self.want_member(node, listened);
        } else if let Some(record) = self.records.get(node) {
            let addresses = record.addresses.clone();
            self.want_stranger(node, &addresses, listened);
        }
    }

    pub(super) fn tell_clash(&mut self, clash: Clash) {
        if self.conflicts.is_news(&clash) {
            self.tell(MemberEvent::Clash(clash));
        }
    }
}

/// Whether what is said of an identity may be true, as far as another of its node is known.
fn may_follow(known: Identity, said: Identity) -> bool {
    let step = said.term.saturating_sub(known.term);
    said.life() != known.life() || (step <= MEMBERSHIP_TERM_STEP_MAX && said.term < u32::MAX)
}
