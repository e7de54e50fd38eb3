//! A stage for one machine.

use std::time::Duration;

use actor_core::Instant;
use foca::State;

use super::world::{address, id, instant, number};
use crate::id::{Incarnation, NodeLife};
use crate::limits::SUSPICION_WINDOW;
use crate::membership::codec::Packet;
use crate::membership::frame::Frame;
use crate::membership::identity::Identity;
use crate::membership::{Config, Effect, Membership, PeerNews};

/// One machine by itself, with peers that a test speaks for.
pub(super) struct Stage {
    pub(super) machine: Membership,
    pub(super) now: Instant,
}

pub(super) fn life(node: usize, incarnation: u64) -> NodeLife {
    NodeLife::new(id(node), Incarnation::from_u64(incarnation))
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with_window(SUSPICION_WINDOW)
    }

    pub(super) fn with_window(suspicion_window: Duration) -> Self {
        let config = Config {
            life: life(0, 5),
            name: "a".to_owned(),
            addresses: vec![address(0)],
            is_transitive: true,
            suspicion_window,
            seeds: Vec::new(),
        };
        let mut stage = Self { machine: Membership::new(config, 1, instant(0)), now: instant(0) };
        stage.ready(1);
        let joined = Frame::Swim(packet(1, foca::Message::Announce));
        stage.hear(1, joined);
        stage.tick();
        stage
    }

    pub(super) fn ready(&mut self, node: usize) {
        self.ready_in(life(node, 1));
    }

    /// There is a session with a life of a node.
    pub(super) fn ready_in(&mut self, life: NodeLife) {
        let node = number(life.node);
        let news =
            PeerNews { life, name: format!("node-{node}"), addresses: vec![address(node)], speaks: true };
        self.machine.handle_ready(news, self.now);
    }

    pub(super) fn hear(&mut self, from: usize, frame: Frame) {
        self.machine.handle_frame(life(from, 1), frame, self.now);
    }

    pub(super) fn tick(&mut self) {
        self.now = self.machine.next_timeout();
        self.machine.handle_timeout(self.now);
    }

    pub(super) fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.machine.poll_effect()).collect()
    }

    /// A tick in which its peers answer what it beats. What else it wants done.
    pub(super) fn tick_heard(&mut self) -> Vec<Effect> {
        self.tick();
        let mut others = Vec::new();
        for effect in self.effects() {
            match effect {
                Effect::Send { to, frame: Frame::Beat { number: heard, .. } } => {
                    let beat = Frame::Beat { number: heard, heard, held: Duration::ZERO, is_answer: true };
                    self.machine.handle_frame(life(number(to), 1), beat, self.now);
                }
                other => others.push(other),
            }
        }
        others
    }

    /// There is a session with a node, which is a member.
    pub(super) fn join(&mut self, node: usize) {
        self.ready(node);
        self.hear(node, Frame::Swim(packet(node, foca::Message::Announce)));
    }

    /// Once it has looked.
    pub(super) fn view(&mut self) -> Vec<usize> {
        self.tick();
        let mut view: Vec<usize> =
            self.machine.members().members.iter().map(|member| number(member.node)).collect();
        view.sort_unstable();
        view
    }
}

pub(super) fn packet(from: usize, message: foca::Message<Identity>) -> Vec<u8> {
    let (src, dst) = (Identity::new(life(from, 1), 0), Identity::new(life(0, 5), 0));
    let header = foca::Header { src, src_incarnation: 0, dst, message };
    Packet { header, members: Vec::new() }.encode().unwrap()
}

/// A packet that tells of members.
pub(super) fn gossip(from: usize, members: Vec<foca::Member<Identity>>) -> Frame {
    let (src, dst) = (Identity::new(life(from, 1), 0), Identity::new(life(0, 5), 0));
    let header = foca::Header { src, src_incarnation: 0, dst, message: foca::Message::Gossip };
    Frame::Swim(Packet { header, members }.encode().unwrap())
}

pub(super) fn member(node: usize, state: State) -> foca::Member<Identity> {
    foca::Member::new(Identity::new(life(node, 1), 0), 0, state)
}

pub(super) fn update(node: usize, incarnation: u64, state: State) -> Frame {
    Frame::Update { member: Identity::new(life(node, incarnation), 0), refutations: 0, state }
}
