//! Who beats to whom, who is silent, and what becomes of that.

use std::time::Duration;

use foca::State;

use super::Membership;
use super::doubt::{Doubt, Step};
use super::events::LostReason;
use super::frame::{Frame, Verdict};
use super::identity::Identity;
use super::watch::{Line, Peer};
use super::{Farewell, Standing};
use crate::id::NodeId;
use crate::limits::{ERRANDS_MAX, ERRANDS_PER_PEER_MAX, HELPERS, MEMBERSHIP_TICK, NEIGHBOURS};

/// From here on a silence is a reason to ask helpers.
const PHI_DOUBT: f64 = 8.0;

/// From here on a helper says that it does not hear a peer either. Less, as both began to be silent at about the same time.
const PHI_UNHEARD: f64 = 4.0;

/// How long a member that a helper does not watch has to answer it.
const ERRAND_PATIENCE: Duration = MEMBERSHIP_TICK.saturating_mul(2);

/// How long after helpers have said that they hear a peer they are asked again, at first and at most.
const DOUBT_PAUSE: Duration = MEMBERSHIP_TICK.saturating_mul(3);
const DOUBT_PAUSE_MAX: Duration = Duration::from_secs(10);

/// A member that is probed for somebody else.
#[derive(Debug)]
pub(super) struct Errand {
    asker: NodeId,
    about: Identity,
    number: u32,
    until: Duration,
}

impl Peer {
    /// Whether it should have been heard by now.
    pub(super) fn is_silent(&self, listened: Duration, allowance: Duration) -> bool {
        self.watch.phi(listened, allowance) >= PHI_DOUBT
    }
}

impl Membership {
    /// Beats to the neighbours, each second tick.
    pub(super) fn beat(&mut self) {
        if self.ticks % 2 == 1 {
            return;
        }
        let now = self.now;
        for (node, peer) in self.peers.iter_mut().filter(|(_, peer)| peer.is_neighbour && peer.is_reached()) {
            let (number, heard, held) = peer.watch.beat(now);
            let frame = Frame::Beat { number, heard, held, is_answer: false };
            self.effects.push_back(super::Effect::Send { to: *node, frame });
        }
    }

    pub(super) fn on_beat(
        &mut self,
        from: NodeId,
        number: u32,
        heard: u32,
        held: Duration,
        is_answer: bool,
        listened: Duration,
    ) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.watch.on_beat(number, heard, held, now, listened);
        // Whoever takes this node for a neighbour shall hear it, even if it is none.
        if !peer.is_neighbour && !is_answer {
            let (number, heard, held) = peer.watch.beat(now);
            self.send(from, Frame::Beat { number, heard, held, is_answer: true });
        }
        if !self.errands.is_empty() {
            self.end_errands(from);
        }
    }

    /// The neighbours on the ring of ids: so many on either side. As all who know the same members find the same ring, whoever beats is
    /// beaten to.
    pub(super) fn find_neighbours(&mut self, listened: Duration) {
        let near = ring_neighbours(self.config.life.node, &self.ring());
        for (node, peer) in &mut self.peers {
            let is_neighbour = peer.speaks && near.contains(node);
            if is_neighbour && !peer.is_neighbour {
                peer.watch.begin(listened);
            }
            peer.is_neighbour = is_neighbour;
        }
    }

    /// All members and this node, sorted.
    fn ring(&self) -> Vec<NodeId> {
        let mut ring: Vec<NodeId> = self.known.keys().copied().collect();
        let place = ring.binary_search(&self.config.life.node).unwrap_or_else(|place| place);
        ring.insert(place, self.config.life.node);
        ring
    }

    /// How much later than usual others may be, for this node's own sake.
    pub(super) fn allowance(&self) -> Duration {
        MEMBERSHIP_TICK * 2 * (self.health.multiplier() - 1)
    }

    /// Looks at everybody who should be heard.
    pub(super) fn judge_all(&mut self, listened: Duration) {
        let allowance = self.allowance();
        let mut doubtful = Vec::new();
        for (node, peer) in &mut self.peers {
            let is_silent = match peer.line {
                Line::Up => peer.is_neighbour && peer.is_silent(listened, allowance),
                Line::Broken { is_refused } => is_refused,
                Line::Cut => true,
            };
            if is_silent {
                doubtful.push(*node);
            } else if peer.watch.doubt.is_some() {
                peer.watch.doubt = None;
            }
        }
        doubtful.into_iter().for_each(|node| self.judge(node, listened));
    }

    fn judge(&mut self, node: NodeId, listened: Duration) {
        let Some(known) = self.known.get(&node).copied() else { return };
        let helpers = self.helpers(node).len();
        let window = self.config.suspicion_window.saturating_mul(self.health.multiplier());
        let Some(peer) = self.peers.get_mut(&node).filter(|peer| peer.life == known.identity.life()) else {
            return;
        };
        let window = window.saturating_add(peer.watch.slack());
        let Some(doubt) = &mut peer.watch.doubt else {
            if listened >= peer.watch.doubt_after {
                self.questions = self.questions.wrapping_add(1);
                peer.watch.doubt = Some(Doubt::new(self.questions, listened));
                self.ask_helpers(node, known.identity, listened);
            }
            return;
        };
        if doubt.is_accused() && !known.is_suspected {
            // It lives: it has refuted.
            self.on_heard_elsewhere(node, listened);
            return;
        }
        match doubt.step(helpers, window, listened) {
            Step::Wait => {}
            Step::AskOthers { unanswered } => {
                (0..unanswered).for_each(|_| self.health.on_trouble(listened));
                self.ask_helpers(node, known.identity, listened);
            }
            Step::Accuse => {
                doubt.on_accused(listened);
                self.decide(known.identity, known.refutations, State::Suspect, listened);
            }
            Step::DeclareDown => {
                let is_lost = peer.line != Line::Up;
                let reason = if is_lost { LostReason::Disconnected } else { LostReason::Silent };
                self.farewells.insert(node, Farewell::Lost(reason));
                self.decide(known.identity, known.refutations, State::Down, listened);
            }
        }
    }

    /// Takes what was found out of a member, and tells everybody, the member too: it may refute a suspicion.
    fn decide(&mut self, member: Identity, refutations: u16, state: State, listened: Duration) {
        self.tell_everybody(&Frame::Update { member, refutations, state });
        self.swim.apply(foca::Member::new(member, refutations, state), listened);
    }

    /// Who could say whether a member lives.
    fn helpers(&self, about: NodeId) -> Vec<NodeId> {
        let reached = self.peers.iter().filter(|(node, peer)| **node != about && peer.is_reached());
        reached.map(|(node, _)| *node).filter(|node| self.known.contains_key(node)).collect()
    }

    /// Asks those first who are its neighbours, and hear it all the time.
    fn ask_helpers(&mut self, node: NodeId, about: Identity, listened: Duration) {
        let near = ring_neighbours(node, &self.ring());
        let mut helpers = self.helpers(node);
        let Some(doubt) = self.peers.get_mut(&node).and_then(|peer| peer.watch.doubt.as_mut()) else {
            return;
        };
        helpers.retain(|helper| doubt.may_ask(*helper));
        let (mut chosen, mut others): (Vec<_>, Vec<_>) =
            helpers.into_iter().partition(|helper| near.contains(helper));
        while chosen.len() < HELPERS && !others.is_empty() {
            chosen.push(others.swap_remove(self.dice.below(others.len())));
        }
        chosen.truncate(HELPERS);
        doubt.on_asked(&chosen, listened);
        let number = doubt.number;
        chosen.into_iter().for_each(|helper| self.send(helper, Frame::Ask { about, number }));
    }

    pub(super) fn on_verdict(
        &mut self,
        helper: NodeId,
        about: Identity,
        number: u32,
        verdict: Verdict,
        listened: Duration,
    ) {
        let watch = self.peers.get_mut(&about.node).map(|peer| &mut peer.watch);
        let Some(doubt) = watch.and_then(|watch| watch.doubt.as_mut()) else { return };
        if doubt.number != number || doubt.is_accused() || !doubt.on_verdict(helper, verdict) {
            return;
        }
        match verdict {
            Verdict::Heard => self.on_heard_elsewhere(about.node, listened),
            // Perhaps that is enough.
            Verdict::NotHeard => self.judge(about.node, listened),
            Verdict::Unknown => {}
        }
    }

    /// Others hear it: what does not work is the way from here.
    fn on_heard_elsewhere(&mut self, node: NodeId, listened: Duration) {
        if let Some(peer) = self.peers.get_mut(&node) {
            let watch = &mut peer.watch;
            let pause =
                (DOUBT_PAUSE * 2_u32.saturating_pow(watch.heard_elsewhere.min(16))).min(DOUBT_PAUSE_MAX);
            watch.heard_elsewhere += 1;
            (watch.doubt, watch.doubt_after) = (None, listened + pause);
        }
    }

    pub(super) fn verdict_on(&self, peer: &Peer, listened: Duration) -> Verdict {
        if peer.watch.phi(listened, Duration::ZERO) >= PHI_UNHEARD {
            Verdict::NotHeard
        } else {
            Verdict::Heard
        }
    }

    /// Beats to a member that is no neighbour, to see whether it answers.
    pub(super) fn begin_errand(&mut self, asker: NodeId, about: Identity, number: u32, listened: Duration) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&about.node) else { return };
        let for_asker = self.errands.iter().filter(|errand| errand.asker == asker).count();
        if self.errands.len() >= ERRANDS_MAX || for_asker >= ERRANDS_PER_PEER_MAX {
            self.send(asker, Frame::Verdict { about, number, verdict: Verdict::Unknown });
            return;
        }
        let (beat, heard, held) = peer.watch.beat(now);
        self.errands.push(Errand { asker, about, number, until: listened + ERRAND_PATIENCE });
        self.send(about.node, Frame::Beat { number: beat, heard, held, is_answer: false });
    }

    /// A member has answered.
    fn end_errands(&mut self, heard: NodeId) {
        for Errand { asker, about, number, .. } in
            self.errands.extract_if(.., |errand| errand.about.node == heard)
        {
            let frame = Frame::Verdict { about, number, verdict: Verdict::Heard };
            self.effects.push_back(super::Effect::Send { to: asker, frame });
        }
    }

    /// Those that have not answered in time.
    pub(super) fn run_errands(&mut self, listened: Duration) {
        for Errand { asker, about, number, .. } in
            self.errands.extract_if(.., |errand| errand.until <= listened)
        {
            let frame = Frame::Verdict { about, number, verdict: Verdict::NotHeard };
            self.effects.push_back(super::Effect::Send { to: asker, frame });
        }
    }

    /// Who is suspected and heard here may not know it: only it can refute.
    pub(super) fn remind_the_suspected(&mut self) {
        if self.standing != Standing::Here {
            return;
        }
        let suspected = self.known.values().filter(|known| known.is_suspected).copied().collect::<Vec<_>>();
        for known in suspected {
            let node = known.identity.node;
            if self.peers.get(&node).is_some_and(|peer| peer.is_reached() && peer.watch.doubt.is_none()) {
                let (member, refutations) = (known.identity, known.refutations);
                self.send(node, Frame::Update { member, refutations, state: State::Suspect });
            }
        }
    }
}

/// The nodes next to one on a sorted ring that it is on: half as many as it has neighbours on either side, or all.
pub(super) fn ring_neighbours(node: NodeId, ring: &[NodeId]) -> Vec<NodeId> {
    let others = ring.len().saturating_sub(1);
    let Ok(place) = ring.binary_search(&node) else { return Vec::new() };
    if others <= NEIGHBOURS {
        return ring.iter().copied().filter(|other| *other != node).collect();
    }
    let before = (1..=NEIGHBOURS / 2).map(|step| ring[(place + ring.len() - step) % ring.len()]);
    let behind = (1..=NEIGHBOURS / 2).map(|step| ring[(place + step) % ring.len()]);
    before.chain(behind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(count: u8) -> Vec<NodeId> {
        (0..count).map(|number| NodeId::from_bytes([number; 32])).collect()
    }

    #[test]
    fn neighbours_are_mutual_and_so_many() {
        for count in 1..20 {
            let ring = ring(count);
            for node in &ring {
                let near = ring_neighbours(*node, &ring);
                assert_eq!(near.len(), NEIGHBOURS.min(ring.len() - 1));
                assert!(!near.contains(node));
                assert!(near.iter().all(|other| ring_neighbours(*other, &ring).contains(node)));
            }
        }
    }
}
