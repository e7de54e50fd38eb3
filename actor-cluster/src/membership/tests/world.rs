//! A world of events for machines of membership: many nodes, one clock, one seed. Nothing in it is real but the machines.
//!
//! What a node does takes no time; what it says arrives later, or never. A node can get no processor for a while: then what is for it
//! waits, in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use actor_core::Instant;
use slab::Slab;

use crate::id::{Incarnation, NodeId, NodeLife};
use crate::limits::SUSPICION_WINDOW;
use crate::membership::dice::Dice;
use crate::membership::events::MemberEvent;
use crate::membership::frame::Frame;
use crate::membership::{Config, Dialled, Effect, Membership, PeerNews, SessionEnd, Target};
use crate::transport::Address;

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000_000_000;

/// How the network is.
#[derive(Clone, Copy)]
pub(super) struct Network {
    /// How many of ten thousand frames come 200 ms and more late: what was lost is sent again.
    pub(super) late: usize,
    /// How many of ten thousand never come.
    pub(super) lost: usize,
}

impl Network {
    pub(super) const GOOD: Self = Self { late: 5, lost: 0 };
}

pub(super) fn id(node: usize) -> NodeId {
    let mut key = [0; 32];
    // Not in the order of their numbers.
    let mixed = (u64::try_from(node).unwrap() + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key[..8].copy_from_slice(&mixed.to_be_bytes());
    key[8..16].copy_from_slice(&u64::try_from(node).unwrap().to_le_bytes());
    NodeId::from_bytes(key)
}

pub(super) fn number(id: NodeId) -> usize {
    let bytes: [u8; 8] = id.as_bytes()[8..16].try_into().unwrap();
    usize::try_from(u64::from_le_bytes(bytes)).unwrap()
}

pub(super) fn address(node: usize) -> Address {
    format!("world://{node}").parse().unwrap()
}

/// A processor that others want too: runs of ten milliseconds, each followed by a wait of three times as long on the average; and every
/// ten seconds on the average a wait that is far longer. All exponentially distributed.
struct Overload {
    dice: Dice,
    runs_until: u64,
    waits_until: u64,
}

impl Overload {
    const RUN: f64 = 10e6;
    const WAIT: f64 = 30e6;
    const LONG_WAIT: f64 = 250e6;
    /// How many waits there are for a long one.
    const RARITY: usize = 250;

    fn draw(&mut self, mean: f64) -> u64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are random enough")]
        let unit = (self.dice.roll() >> 11) as f64 / (1_u64 << 53) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is no less than zero, and small"
        )]
        let drawn = (-(1.0 - unit).ln() * mean) as u64;
        drawn
    }

    /// When the node can do something that it could have done at this time.
    fn ready_at(&mut self, at: u64) -> u64 {
        while at >= self.waits_until {
            let mean = if self.dice.below(Self::RARITY) == 0 { Self::LONG_WAIT } else { Self::WAIT };
            self.runs_until = self.waits_until + self.draw(Self::RUN);
            self.waits_until = self.runs_until + self.draw(mean);
        }
        if at < self.runs_until { at } else { self.waits_until }
    }
}

pub(super) struct Node {
    pub(super) machine: Option<Membership>,
    pub(super) life: NodeLife,
    name: String,
    /// Where it says to be.
    address: Address,
    seeds: Vec<usize>,
    pub(super) is_transitive: bool,
    armed: Instant,
    overload: Option<Overload>,
    /// It does nothing until then.
    paused_until: u64,
    pub(super) told: Vec<(u64, MemberEvent)>,
}

#[derive(Debug)]
enum What {
    Tick,
    Frame {
        from: NodeLife,
        frame: Frame,
    },
    Dialled {
        target: Target,
        from: usize,
        addresses: Vec<Address>,
    },
    Ready {
        with: usize,
        life: NodeLife,
    },
    Ended {
        life: NodeLife,
        end: SessionEnd,
    },
    /// Another session has taken its place.
    Replaced {
        life: NodeLife,
    },
}

struct Happening {
    node: usize,
    life: Incarnation,
    what: What,
}

pub(super) struct World {
    pub(super) now: u64,
    order: u64,
    /// When, in which order, and where it lies among the happenings.
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    happenings: Slab<Happening>,
    pub(super) nodes: Vec<Node>,
    /// Whether a node takes itself to have a session with another.
    sessions: Vec<Vec<bool>>,
    /// Whether what one says does not get to another.
    cuts: Vec<Vec<bool>>,
    network: Network,
    pub(super) dice: Dice,
    pub(super) happened: u64,
}

pub(super) fn instant(at: u64) -> Instant {
    Instant::ZERO + Duration::from_nanos(at)
}

impl World {
    pub(super) fn new(seed: u64, network: Network) -> Self {
        Self {
            now: 0,
            order: 0,
            queue: BinaryHeap::new(),
            happenings: Slab::new(),
            nodes: Vec::new(),
            sessions: Vec::new(),
            cuts: Vec::new(),
            network,
            dice: Dice::new(seed),
            happened: 0,
        }
    }

    /// Nodes that all know the first, and have lived together for half a minute.
    pub(super) fn of(count: usize, seed: u64, network: Network) -> Self {
        let mut world = Self::new(seed, network);
        for _ in 0..count {
            world.add(&[0]);
        }
        world.run_for(30 * SECOND);
        assert!(world.has_converged(), "seed {seed}: they have not met within half a minute");
        world
    }

    pub(super) fn add(&mut self, seeds: &[usize]) -> usize {
        let node = self.nodes.len();
        self.add_as(&format!("node-{node}"), address(node), seeds, true)
    }

    pub(super) fn add_as(
        &mut self,
        name: &str,
        address: Address,
        seeds: &[usize],
        is_transitive: bool,
    ) -> usize {
        let node = self.nodes.len();
        self.nodes.push(Node {
            machine: None,
            life: NodeLife::new(id(node), Incarnation::from_u64(0)),
            name: name.to_owned(),
            address,
            seeds: seeds.to_vec(),
            is_transitive,
            armed: Instant::FAR,
            overload: None,
            paused_until: 0,
            told: Vec::new(),
        });
        for row in self.sessions.iter_mut().chain(&mut self.cuts) {
            row.push(false);
        }
        self.sessions.push(vec![false; node + 1]);
        self.cuts.push(vec![false; node + 1]);
        self.start(node);
        node
    }

    /// Begins another life of a node.
    pub(super) fn start(&mut self, node: usize) {
        self.start_as(node, self.nodes[node].life.incarnation.as_u64() + 1);
    }

    /// Begins a life of this number.
    pub(super) fn start_as(&mut self, node: usize, incarnation: u64) {
        self.crash(node);
        let one = &mut self.nodes[node];
        one.life.incarnation = Incarnation::from_u64(incarnation);
        let config = Config {
            life: one.life,
            name: one.name.clone(),
            addresses: vec![one.address.clone()],
            is_transitive: one.is_transitive,
            suspicion_window: SUSPICION_WINDOW,
            seeds: one.seeds.iter().map(|seed| format!("seed {seed}")).collect(),
        };
        // Not all in step.
        let begun = instant(self.now + u64::try_from(self.dice.below(125)).unwrap() * MILLI);
        let machine = Membership::new(config, self.dice.roll(), begun);
        self.nodes[node].machine = Some(machine);
        self.arm(node);
    }

    /// It is gone, without a word.
    pub(super) fn crash(&mut self, node: usize) {
        self.nodes[node].machine = None;
        self.nodes[node].armed = Instant::FAR;
        self.sessions[node].fill(false);
    }

    pub(super) fn overload(&mut self, node: usize) {
        let dice = Dice::new(self.dice.roll());
        self.nodes[node].overload = Some(Overload { dice, runs_until: self.now, waits_until: self.now });
    }

    /// It does nothing for a while, and then what it has missed.
    pub(super) fn pause(&mut self, node: usize, nanos: u64) {
        self.nodes[node].paused_until = self.now + nanos;
    }

    pub(super) fn cut(&mut self, from: usize, to: usize, is_cut: bool) {
        self.cuts[from][to] = is_cut;
    }

    pub(super) fn cut_both(&mut self, one: usize, other: usize, is_cut: bool) {
        self.cut(one, other, is_cut);
        self.cut(other, one, is_cut);
    }

    pub(super) fn act(&mut self, node: usize, act: impl FnOnce(&mut Membership, Instant)) {
        let now = instant(self.now);
        if let Some(machine) = &mut self.nodes[node].machine {
            act(machine, now);
        }
        self.carry_out(node);
    }

    /// One session is over, on both sides, as they say.
    pub(super) fn end_session(&mut self, one: usize, other: usize, end: SessionEnd) {
        for (here, there) in [(one, other), (other, one)] {
            self.sessions[here][there] = false;
            let life = self.nodes[there].life;
            self.act(here, |machine, now| machine.handle_ended(life, end, now));
        }
    }

    pub(super) fn has_session(&self, one: usize, other: usize) -> bool {
        self.sessions[one][other]
    }

    pub(super) fn run_for(&mut self, nanos: u64) {
        self.run_until(self.now + nanos, |_| false);
    }

    /// Goes on until something is so, or for so long. Whether it is.
    pub(super) fn run_while_not(&mut self, nanos: u64, is_done: impl FnMut(&World) -> bool) -> bool {
        self.run_until(self.now + nanos, is_done)
    }

    fn run_until(&mut self, end: u64, mut is_done: impl FnMut(&World) -> bool) -> bool {
        while let Some(Reverse((at, order, place))) =
            self.queue.peek().copied().filter(|Reverse(next)| next.0 <= end)
        {
            self.queue.pop();
            self.now = at;
            let node = &mut self.nodes[self.happenings[place].node];
            let ready_at = node.overload.as_mut().map_or(at, |overload| overload.ready_at(at));
            let ready_at = ready_at.max(node.paused_until);
            if ready_at > at {
                self.queue.push(Reverse((ready_at, order, place)));
                continue;
            }
            self.happened += 1;
            let happening = self.happenings.remove(place);
            self.happen(happening);
            if is_done(self) {
                return true;
            }
        }
        self.now = end;
        false
    }

    fn happen(&mut self, happening: Happening) {
        let Happening { node, life, what, .. } = happening;
        let now = instant(self.now);
        if self.nodes[node].life.incarnation != life {
            return;
        }
        if matches!(what, What::Tick) {
            self.nodes[node].armed = Instant::FAR;
        }
        let Some(machine) = &mut self.nodes[node].machine else { return };
        match what {
            What::Tick => {
                machine.handle_timeout(now);
            }
            What::Frame { from, frame } => {
                if self.sessions[node][number(from.node)] {
                    machine.handle_frame(from, frame, now);
                }
            }
            What::Ready { with, life } => {
                let other = &self.nodes[with];
                if other.life != life || !self.sessions[node][with] {
                    return;
                }
                let (name, addresses) = (other.name.clone(), vec![other.address.clone()]);
                let speaks = other.is_transitive && self.nodes[node].is_transitive;
                let news = PeerNews { life, name, addresses, speaks };
                let Some(machine) = &mut self.nodes[node].machine else { return };
                machine.handle_ready(news, now);
            }
            What::Ended { life, end } => {
                self.sessions[node][number(life.node)] = false;
                machine.handle_ended(life, end, now);
            }
            What::Replaced { life } => machine.handle_ended(life, SessionEnd::Lost, now),
            What::Dialled { target, from, addresses } => {
                let dialled = self.dial(from, target, &addresses);
                let Some(machine) = &mut self.nodes[node].machine else { return };
                machine.handle_dialled(target, &dialled, now);
            }
        }
        self.carry_out(node);
    }

    fn dial(&mut self, from: usize, target: Target, addresses: &[Address]) -> Dialled {
        let failed = |why: &str| Dialled::Failed(why.to_owned());
        let to = match target {
            Target::Seed(seed) => self.nodes[from].seeds[seed],
            Target::Node(node) => {
                let Some(address) = addresses.first() else { return failed("nowhere") };
                let there = address.rest().parse::<usize>().unwrap();
                if there != number(node) {
                    return failed("another node answers there");
                }
                there
            }
        };
        if to == from {
            return Dialled::Ourselves;
        }
        if to >= self.nodes.len() || self.nodes[to].machine.is_none() {
            return failed("nobody listens there");
        }
        if self.cuts[from][to] || self.cuts[to][from] || self.nodes[to].paused_until > self.now {
            return failed("timed out");
        }
        if !(self.sessions[from][to] && self.sessions[to][from]) {
            for (here, there) in [(from, to), (to, from)] {
                let life = self.nodes[there].life;
                // Of the life that it had then, which the machine knows.
                let former = self.former_life(here, there).unwrap_or(life);
                if std::mem::replace(&mut self.sessions[here][there], true) {
                    // The other side has lost it, or begun another life.
                    self.push(here, 0, What::Replaced { life: former });
                }
                self.sessions[here][there] = true;
                self.push(here, 1, What::Ready { with: there, life });
            }
        }
        Dialled::Connected(id(to))
    }

    fn former_life(&self, here: usize, there: usize) -> Option<NodeLife> {
        let machine = self.nodes[here].machine.as_ref()?;
        machine.peer_life(id(there))
    }

    fn push(&mut self, node: usize, after: u64, what: What) {
        self.order += 1;
        let life = self.nodes[node].life.incarnation;
        let place = self.happenings.insert(Happening { node, life, what });
        self.queue.push(Reverse((self.now + after, self.order, place)));
    }

    fn delay(&mut self) -> u64 {
        let usual = 200 * MICRO + u64::try_from(self.dice.below(800)).unwrap() * MICRO;
        if self.dice.below(10_000) < self.network.late {
            return usual + (200 + u64::try_from(self.dice.below(200)).unwrap()) * MILLI;
        }
        usual
    }

    fn carry_out(&mut self, node: usize) {
        while let Some(effect) = self.nodes[node].machine.as_mut().and_then(Membership::poll_effect) {
            match effect {
                Effect::Send { to, frame } => {
                    let to = number(to);
                    let is_lost = self.cuts[node][to] || self.dice.below(10_000) < self.network.lost;
                    if self.sessions[node][to] && self.nodes[to].machine.is_some() && !is_lost {
                        let (delay, from) = (self.delay(), self.nodes[node].life);
                        self.push(to, delay, What::Frame { from, frame });
                    }
                }
                Effect::Dial { target, addresses } => {
                    let delay = 2 * self.delay();
                    self.push(node, delay, What::Dialled { target, from: node, addresses });
                }
                Effect::End { life } => {
                    let to = number(life.node);
                    self.sessions[node][to] = false;
                    if self.nodes[to].life == life && !self.cuts[node][to] {
                        let (delay, life) = (self.delay(), self.nodes[node].life);
                        self.push(to, delay, What::Ended { life, end: SessionEnd::Lost });
                    }
                }
                Effect::NoteElsewhere { .. } => {}
                Effect::Tell(event) => self.nodes[node].told.push((self.now, event)),
            }
        }
        self.arm(node);
    }

    fn arm(&mut self, node: usize) {
        let Some(machine) = &self.nodes[node].machine else { return };
        let next = machine.next_timeout();
        if next < self.nodes[node].armed {
            self.nodes[node].armed = next;
            let after = (next - instant(self.now)).as_nanos();
            self.push(node, u64::try_from(after).unwrap(), What::Tick);
        }
    }

    pub(super) fn living(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].machine.is_some()).collect()
    }

    /// Whom a node takes for members, beside itself.
    pub(super) fn view(&self, node: usize) -> Vec<usize> {
        let machine = self.nodes[node].machine.as_ref().expect("it lives");
        let mut view: Vec<usize> =
            machine.members().members.iter().map(|member| number(member.node)).collect();
        view.sort_unstable();
        view
    }

    /// Whether all who live know all who live, in the life that they have, and have sessions with them.
    pub(super) fn has_converged(&self) -> bool {
        let living = self.living();
        living.iter().all(|node| {
            let machine = self.nodes[*node].machine.as_ref().expect("it lives");
            let members = machine.members().members;
            members.len() == living.len() - 1
                && members.iter().all(|member| {
                    let other = number(member.node);
                    let is_right = self.nodes[other].life == NodeLife::new(member.node, member.incarnation);
                    is_right && self.nodes[other].machine.is_some() && self.has_session(*node, other)
                })
        })
    }

    /// What was told since then, by whom.
    pub(super) fn told_since(&self, since: u64) -> Vec<(usize, u64, MemberEvent)> {
        let nodes = self.nodes.iter().enumerate();
        let told =
            nodes.flat_map(|(node, one)| one.told.iter().map(move |(at, event)| (node, *at, event.clone())));
        told.filter(|(_, at, _)| *at >= since).collect()
    }
}
