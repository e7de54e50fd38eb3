//! Who is a member of the cluster: a machine.
//!
//! ```text
//!  sessions, frames, dials, time ──► Membership ──► Send, Dial, End, Tell
//!                                       │
//!      ration, hearsay (what may a peer say) · swim (foca: who wins, gossip, probes)
//!      watch, gaps (is it heard) · doubt (helpers are asked) · attention, health (is it me)
//!      sync, telling (where members are) · dialing (whom to dial) · conflicts
//! ```
//!
//! Only the shell around it, `node/members.rs`, may call it. The time, the seed of its random numbers and everything that it hears
//! are arguments, so it does the same thing every time; `tests/` runs hundreds of them in a world of its own.
//!
//! Nodes that neighbour each other on a ring of their ids beat to each other; who is not heard any more by its neighbours is
//! down within two seconds. A member that was down comes back in its next term. Peers whose sessions do not have the capability
//! *membership* are members for as long as their sessions last, and nobody is told of them here.

mod attempts;
mod attention;
mod codec;
mod conflicts;
mod dialing;
mod dice;
mod doubt;
pub(crate) mod events;
pub(crate) mod frame;
mod gaps;
mod health;
mod hearsay;
mod identity;
mod listening;
mod ration;
mod sessions;
mod swim;
mod sync;
mod telling;
#[cfg(test)]
mod tests;
mod view;
mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use actor_core::Instant;

use self::attention::Attention;
use self::conflicts::Conflicts;
use self::dialing::Dialing;
pub(crate) use self::dialing::{Dialled, Target};
use self::dice::Dice;
use self::events::{LostReason, MemberEvent};
use self::frame::Frame;
use self::health::Health;
use self::hearsay::Own;
use self::identity::Identity;
use self::listening::Errand;
pub(crate) use self::sessions::{PeerNews, SessionEnd};
use self::swim::Swim;
use self::sync::{Record, Records};
use self::telling::Newcomers;
use self::view::Known;
use self::watch::{Line, Peer};
use crate::id::{Incarnation, NodeId, NodeLife};
use crate::limits::{MEMBERSHIP_TICK, REJOIN_PAUSE, REJOIN_PAUSE_MAX};
use crate::transport::Address;

/// The time between two looks at all members, at least.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// What a machine begins with.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) life: NodeLife,
    pub(crate) name: String,
    /// Where this node can be dialled.
    pub(crate) addresses: Vec<Address>,
    /// Whether it looks for members beyond its sessions.
    pub(crate) is_transitive: bool,
    /// How long who is suspected has to say that it lives.
    pub(crate) suspicion_window: Duration,
    /// The seeds, for people.
    pub(crate) seeds: Vec<String>,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Say this in the session with a node.
    Send { to: NodeId, frame: Frame },
    /// Dial a seed, or a node at these addresses and nobody else who may answer there.
    Dial { target: Target, addresses: Vec<Address> },
    /// The session with this life of a node is lost: it is no member any more.
    End { life: NodeLife },
    /// Somebody says that a node, which the session is with in a former life, can be dialled there.
    NoteElsewhere { node: NodeId, addresses: Vec<Address> },
    /// Tell whoever wants to know.
    Tell(MemberEvent),
}

/// Whether this node is itself a member.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Here,
    /// The others have declared it down; when it comes back.
    Removed {
        until: Duration,
    },
    /// It has left, for good.
    Left,
}

/// Why a node is about to be no member any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    Left,
    Lost(LostReason),
}

pub(crate) struct Membership {
    config: Config,
    attention: Attention,
    /// The last time that it was told.
    now: Instant,
    ticks: u64,
    dice: Dice,
    health: Health,
    swim: Swim,
    peers: BTreeMap<NodeId, Peer>,
    /// The members that speak of membership, as the view has them.
    known: BTreeMap<NodeId, Known>,
    /// Who is down, since when; so many are remembered.
    down: BTreeMap<NodeId, (Identity, Duration)>,
    /// Why those are gone who will be in a moment.
    farewells: BTreeMap<NodeId, Farewell>,
    /// Nodes whose sessions were closed on purpose.
    shunned: BTreeMap<NodeId, Incarnation>,
    /// When foca had to forget a life last.
    gave_up_at: Option<Duration>,
    records: Records,
    conflicts: Conflicts,
    dialing: Dialing,
    newcomers: Newcomers,
    errands: Vec<Errand>,
    questions: u32,
    /// What is heard of this node itself.
    own: Own,
    standing: Standing,
    rejoins: u32,
    rejoined_at: Duration,
    epoch: u64,
    /// Whether members may be others than the view says.
    has_other_members: bool,
    has_new_records: bool,
    looked_at: Instant,
    effects: VecDeque<Effect>,
}

impl Membership {
    pub(crate) fn new(config: Config, seed: u64, now: Instant) -> Self {
        let mut dice = Dice::new(seed);
        let swim = Swim::new(Identity::new(config.life, 0), config.suspicion_window, Dice::new(dice.roll()));
        let mut records = Records::default();
        let own = Record::new(config.life, config.name.clone(), config.addresses.clone());
        records.learn_first_hand(own, Duration::ZERO, |_| true);
        let mut attention = Attention::new(now);
        attention.ask_for(now + MEMBERSHIP_TICK);
        Self {
            attention,
            now,
            ticks: 0,
            dice,
            health: Health::default(),
            swim,
            peers: BTreeMap::new(),
            known: BTreeMap::new(),
            down: BTreeMap::new(),
            farewells: BTreeMap::new(),
            shunned: BTreeMap::new(),
            gave_up_at: None,
            records,
            conflicts: Conflicts::default(),
            dialing: Dialing::new(config.seeds.len()),
            newcomers: Newcomers::default(),
            errands: Vec::new(),
            questions: 0,
            own: Own::default(),
            standing: Standing::Here,
            rejoins: 0,
            rejoined_at: Duration::ZERO,
            epoch: 0,
            has_other_members: false,
            has_new_records: false,
            looked_at: Instant::ZERO,
            effects: VecDeque::new(),
            config,
        }
    }

    /// What is to be done next.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When it wants to be called at the latest.
    pub(crate) fn next_timeout(&self) -> Instant {
        self.attention.due()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if now < self.attention.due() {
            return;
        }
        let due = self.attention.due();
        let listened = self.listen(now);
        // In step with the former ticks, unless it was late.
        let next = if self.attention.due() == due { due + MEMBERSHIP_TICK } else { now + MEMBERSHIP_TICK };
        self.attention.ask_for(next);
        self.ticks += 1;
        if self.standing == Standing::Left {
            self.attention.ask_for(Instant::FAR);
            return;
        }
        // Probes are slow to come back where the way loses much; whoever is heard all the while is not down for that.
        let allowance = self.allowance();
        let is_awaited = |member: &Identity| {
            let peer = self.peers.get(&member.node).filter(|peer| peer.life == member.life());
            peer.is_some_and(|peer| match peer.line {
                Line::Up => peer.is_neighbour && !peer.is_silent(listened, allowance),
                Line::Broken { is_refused } => !is_refused,
                Line::Cut => false,
            })
        };
        self.swim.handle_timers(listened, is_awaited);
        self.hear_suspicion_again(listened);
        self.beat();
        self.spread(listened);
        self.tell_portions();
        // Whoever was accused is suspected by what is known now, or has refuted it.
        self.look(listened);
        self.judge_all(listened);
        self.run_errands(listened);
        if self.ticks.is_multiple_of(8) {
            self.look_after(listened);
        }
        if self.ticks.is_multiple_of(32) {
            self.compare_records();
        }
        if self.ticks.is_multiple_of(480) {
            self.forget_the_long_gone(listened);
            self.newcomers.forget(listened);
            let (known, peers, me) = (&self.known, &self.peers, self.config.life.node);
            let is_here = |node| node == me || known.contains_key(&node) || peers.contains_key(&node);
            self.records.forget_strangers(listened, is_here);
        }
        if std::mem::take(&mut self.has_new_records) {
            self.look_for_clashes();
            self.want_members(listened);
        }
        self.dial_due(listened);
        self.settle(listened);
        if self.is_idle() {
            self.attention.ask_for(Instant::FAR);
        }
    }

    /// Whether nothing will happen until it is told something.
    fn is_idle(&self) -> bool {
        let hears_nobody = !self.peers.values().any(|peer| peer.speaks) && self.known.is_empty();
        let has_news = self.has_other_members || self.has_new_records || self.standing != Standing::Here;
        hears_nobody && !has_news && self.dialing.is_idle(self.is_alone(), |node| self.is_spared(node))
    }

    /// A dial has come to its end. A session that it made was told of before.
    pub(crate) fn handle_dialled(&mut self, target: Target, dialled: &Dialled, now: Instant) {
        let listened = self.listen(now);
        let failed = self.dialing.on_dialled(target, dialled, listened, &mut self.dice);
        if let (Some(error), Target::Seed(number)) = (failed, target) {
            let seed = self.config.seeds.get(number).cloned().unwrap_or_default();
            self.tell(MemberEvent::SeedFailed { seed, error });
        }
        // Others may wait for its place.
        self.dial_due(listened);
    }

    /// Leaves the cluster: everybody is told, and nothing more is done.
    pub(crate) fn leave(&mut self, now: Instant) {
        let listened = self.listen(now);
        if self.standing == Standing::Left {
            return;
        }
        let identity = self.swim.identity();
        self.tell_everybody(&Frame::Leave(identity));
        self.settle(listened);
        self.standing = Standing::Left;
    }

    /// Takes the time. How long it has listened so far.
    fn listen(&mut self, now: Instant) -> Duration {
        let late = self.attention.advance(now);
        self.now = self.now.max(now);
        if self.attention.due() == Instant::FAR && self.standing != Standing::Left {
            self.attention.ask_for(self.now + MEMBERSHIP_TICK);
        }
        let listened = self.attention.listened();
        self.health.on_late(late, listened);
        listened
    }

    /// What is seen to each second.
    fn look_after(&mut self, listened: Duration) {
        self.health.on_time(listened);
        self.swim.set_multiplier(self.health.multiplier());
        if let Standing::Removed { until } = self.standing
            && listened >= until
        {
            self.standing = Standing::Here;
            self.rejoined_at = listened;
            self.swim.rejoin(self.own.greatest_term, listened);
            self.down.clear();
            self.announce_to_all(listened);
        }
        self.give_up_former_lives(listened);
        if self.standing == Standing::Here {
            self.announce_to_strangers(listened);
        }
        self.remind_the_suspected();
    }

    /// The others have declared this node down, though it lives.
    fn on_removed(&mut self, listened: Duration) {
        if self.standing != Standing::Here {
            return;
        }
        // Who is declared down again and again comes back less and less often.
        let is_again = listened.saturating_sub(self.rejoined_at) < 2 * REJOIN_PAUSE_MAX;
        self.rejoins = if is_again { self.rejoins + 1 } else { 0 };
        let pause = (REJOIN_PAUSE * 2_u32.saturating_pow(self.rejoins.min(16))).min(REJOIN_PAUSE_MAX);
        self.standing = Standing::Removed { until: listened + pause };
        self.health.on_trouble(listened);
        self.tell(MemberEvent::Removed);
    }

    /// Carries out what an input has left to be done.
    fn settle(&mut self, listened: Duration) {
        if self.swim.take_defunct() {
            self.on_removed(listened);
        }
        if self.swim.has_packets() {
            self.send_packets();
        }
        self.has_other_members |= self.swim.take_changed();
        // Each look goes through all members, so a peer cannot have it done for each of its words.
        if self.now >= self.looked_at + LOOK_INTERVAL {
            self.look(listened);
        }
    }

    /// Looks at all members, if they may be others by now.
    fn look(&mut self, listened: Duration) {
        self.has_other_members |= self.swim.take_changed();
        if std::mem::take(&mut self.has_other_members) {
            self.looked_at = self.now;
            self.look_at_members(listened);
        }
    }

    fn send_packets(&mut self) {
        for (to, packet) in self.swim.take_packets() {
            if self.peers.get(&to.node).is_some_and(|peer| peer.is_reached() && peer.life == to.life()) {
                self.send(to.node, Frame::Swim(packet));
            }
        }
    }

    fn send(&mut self, to: NodeId, frame: Frame) {
        self.effects.push_back(Effect::Send { to, frame });
    }

    fn tell(&mut self, event: MemberEvent) {
        self.effects.push_back(Effect::Tell(event));
    }

    /// Says something to all who can be reached: at most so many, drawn at random. foca's gossip reaches the others.
    fn tell_everybody(&mut self, frame: &Frame) {
        let reached = self.peers.iter().filter(|(_, peer)| peer.is_reached());
        let mut nodes: Vec<NodeId> = reached.map(|(node, _)| *node).collect();
        while nodes.len() > crate::limits::MEMBERSHIP_TOLD_MAX {
            let spared = self.dice.below(nodes.len());
            nodes.swap_remove(spared);
        }
        nodes.into_iter().for_each(|node| self.send(node, frame.clone()));
    }

    fn is_me(&self, node: NodeId) -> bool {
        node == self.config.life.node
    }
}
