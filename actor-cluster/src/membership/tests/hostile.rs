//! Seeds that are none, nodes that are too much alike, and peers that say what they should not.

use std::time::Duration;

use actor_core::Instant;
use foca::State;

use super::world::{Network, SECOND, World, address, id, instant, number};
use crate::id::{Incarnation, NodeId, NodeLife};
use crate::limits::{ERRANDS_MAX, GOSSIP_DIALS_MAX, MEMBERS_MAX};
use crate::membership::dice::Dice;
use crate::membership::events::{Clash, MemberEvent};
use crate::membership::frame::{Frame, Verdict};
use crate::membership::identity::Identity;
use crate::membership::sync::{BUCKETS, Record};
use crate::membership::{Config, Effect, Membership, PeerNews};

fn failures(world: &World, node: usize) -> Vec<(String, String)> {
    let told = world.nodes[node].told.iter();
    told.filter_map(|(_, event)| match event {
        MemberEvent::SeedFailed { seed, error } => Some((seed.clone(), error.clone())),
        _ => None,
    })
    .collect()
}

#[test]
fn seeds_that_are_down_or_ourselves_are_told_once_and_do_no_harm() {
    let mut world = World::new(1, Network::GOOD);
    world.add(&[0, 1, 2, 7]);
    world.add(&[]);
    world.add(&[]);
    world.crash(2);
    world.run_for(5 * SECOND);
    assert_eq!(world.view(0), [1]);
    let told = |seed: usize, error: &str| (format!("seed {seed}"), error.to_owned());
    let expected =
        [told(0, "it is this node itself"), told(2, "nobody listens there"), told(7, "nobody listens there")];
    let mut told = failures(&world, 0);
    told.sort();
    assert_eq!(told, expected);
    world.start(2);
    assert!(world.run_while_not(15 * SECOND, World::has_converged), "it is tried again");
}

fn clashes(world: &World, node: usize) -> Vec<Clash> {
    let told = world.nodes[node].told.iter();
    told.filter_map(|(_, event)| match event {
        MemberEvent::Clash(clash) => Some(clash.clone()),
        _ => None,
    })
    .collect()
}

#[test]
fn two_nodes_with_one_name_or_one_address_are_told_and_are_members() {
    let mut world = World::new(1, Network::GOOD);
    world.add(&[]);
    world.add_as("twin", address(1), &[0], true);
    world.add_as("twin", address(2), &[0], true);
    world.add_as("elsewhere", address(2), &[0, 1, 2], true);
    world.run_for(30 * SECOND);
    let nodes = |one: usize, other: usize| (id(one).min(id(other)), id(one).max(id(other)));
    for node in 0..4 {
        let mut told = clashes(&world, node);
        told.sort();
        let expected = [
            Clash::Name { name: "twin".to_owned(), nodes: nodes(1, 2) },
            Clash::Address { address: address(2), nodes: nodes(2, 3) },
        ];
        assert_eq!(told, expected, "node {node}");
        assert_eq!(world.view(node).len(), 3);
    }
}

/// One machine by itself, with peers that a test speaks for.
struct Stage {
    machine: Membership,
    now: Instant,
}

fn life(node: usize, incarnation: u64) -> NodeLife {
    NodeLife::new(id(node), Incarnation::from_u64(incarnation))
}

impl Stage {
    fn new() -> Self {
        Self::with_window(crate::limits::SUSPICION_WINDOW)
    }

    fn with_window(suspicion_window: Duration) -> Self {
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

    fn ready(&mut self, node: usize) {
        let news = PeerNews {
            life: life(node, 1),
            name: format!("node-{node}"),
            addresses: vec![address(node)],
            speaks: true,
        };
        self.machine.handle_ready(news, self.now);
    }

    fn hear(&mut self, from: usize, frame: Frame) {
        self.machine.handle_frame(life(from, 1), frame, self.now);
    }

    fn tick(&mut self) {
        self.now = self.machine.next_timeout();
        self.machine.handle_timeout(self.now);
    }

    fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.machine.poll_effect()).collect()
    }

    /// Once it has looked.
    fn view(&mut self) -> Vec<usize> {
        self.tick();
        let mut view: Vec<usize> =
            self.machine.members().members.iter().map(|member| number(member.node)).collect();
        view.sort_unstable();
        view
    }
}

#[test]
fn a_window_without_end_removes_nobody_who_is_silent() {
    let mut stage = Stage::with_window(Duration::MAX);
    for round in 0..2000 {
        stage.tick();
        if round % 20 == 0 {
            // Late, so that it takes itself to be unwell.
            stage.now = stage.now + Duration::from_secs(2);
            stage.machine.handle_timeout(stage.now);
        }
    }
    let effects = stage.effects();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Tell(MemberEvent::Suspected(_)))));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Tell(MemberEvent::Lost { .. }))));
}

fn packet(from: usize, message: foca::Message<Identity>) -> Vec<u8> {
    let (src, dst) = (Identity::new(life(from, 1), 0), Identity::new(life(0, 5), 0));
    let header = foca::Header { src, src_incarnation: 0, dst, message };
    crate::membership::codec::Packet { header, members: Vec::new() }.encode().unwrap()
}

fn update(node: usize, incarnation: u64, state: State) -> Frame {
    Frame::Update { member: Identity::new(life(node, incarnation), 0), refutations: 0, state }
}

#[test]
fn nobody_speaks_for_another() {
    let mut stage = Stage::new();
    stage.ready(2);
    assert_eq!(stage.view(), [1]);
    stage.hear(1, Frame::Swim(packet(2, foca::Message::Announce)));
    stage.hear(1, Frame::Leave(Identity::new(life(2, 1), 0)));
    assert_eq!(stage.view(), [1]);
    stage.hear(2, Frame::Swim(packet(2, foca::Message::Announce)));
    assert_eq!(stage.view(), [1, 2]);
    stage.hear(1, Frame::Leave(Identity::new(life(2, 1), 0)));
    assert_eq!(stage.view(), [1, 2]);
    stage.hear(1, update(2, 9, State::Alive));
    let member = stage.machine.members().members.iter().find(|member| member.node == id(2)).cloned();
    assert_eq!(
        member.unwrap().incarnation,
        Incarnation::from_u64(1),
        "it has a session: nobody talks it away"
    );
}

#[test]
fn gossip_of_whoever_was_removed_counts_for_nothing() {
    let mut stage = Stage::new();
    stage.ready(2);
    stage.hear(2, Frame::Swim(packet(2, foca::Message::Announce)));
    assert_eq!(stage.view(), [1, 2]);
    stage.hear(1, update(2, 1, State::Down));
    assert_eq!(stage.view(), [1]);
    let effects = stage.effects();
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::End { life: ended } if *ended == life(2, 1)))
    );
    stage.hear(2, update(1, 1, State::Down));
    stage.hear(2, update(3, 1, State::Alive));
    stage.hear(2, Frame::Swim(packet(2, foca::Message::Gossip)));
    assert_eq!(stage.view(), [1]);
    // Even if its session lasts, or it gets another one.
    stage.ready(2);
    stage.hear(2, update(1, 1, State::Down));
    stage.hear(2, update(3, 1, State::Alive));
    assert_eq!(stage.view(), [1]);
}

#[test]
fn another_life_with_our_key_is_told_and_does_not_win_by_hearsay() {
    let mut stage = Stage::new();
    stage.effects();
    stage.hear(1, update(0, 9, State::Alive));
    stage.hear(1, Frame::Records { entries: vec![Record::new(life(0, 9), "x".to_owned(), [])], wanted: 0 });
    let told: Vec<Effect> = stage.effects();
    let key = MemberEvent::Clash(Clash::Key { node: id(0) });
    assert_eq!(told.iter().filter(|effect| **effect == Effect::Tell(key.clone())).count(), 1, "{told:?}");
    assert_eq!(stage.view(), [1]);
}

/// Whoever tells of nodes that there are not makes nobody grow, or dial, without end.
#[test]
fn what_peers_tell_is_bounded() {
    let mut stage = Stage::new();
    for node in 10..10 + 2 * MEMBERS_MAX {
        stage.hear(1, update(node, 1, if node % 2 == 0 { State::Alive } else { State::Down }));
        if node % 64 == 0 {
            stage.tick();
        }
        let record = Record::new(life(node, 1), format!("n{node}"), [address(node)]);
        stage.hear(1, Frame::Records { entries: vec![record], wanted: 0 });
        stage.machine.handle_told(id(node), &[address(node)], stage.now);
        stage.hear(1, Frame::Ask { about: Identity::new(life(1, 1), 0), number: 7 });
    }
    assert!(stage.machine.swim.all().len() <= MEMBERS_MAX);
    assert!(stage.view().len() <= MEMBERS_MAX);
    assert!(stage.machine.errands.len() <= ERRANDS_MAX);
    assert!(stage.machine.swim.timers() < 64, "{}", stage.machine.swim.timers());
    (0..40).for_each(|_| stage.tick());
    let dials = stage.effects().into_iter().filter(|effect| matches!(effect, Effect::Dial { .. })).count();
    assert_eq!(dials, GOSSIP_DIALS_MAX, "none of them ends here");
}

/// Anything in any order, from members and others: nothing panics, nothing grows beyond its bound.
#[test]
fn nonsense_does_no_harm() {
    for seed in 0..20 {
        let mut dice = Dice::new(seed);
        let mut stage = Stage::new();
        for _ in 0..2000 {
            let from = 1 + dice.below(6);
            let about =
                Identity::new(life(dice.below(8), dice.roll() % 8), u32::try_from(dice.below(3)).unwrap());
            let number = u32::try_from(dice.below(5)).unwrap();
            let state = *dice.pick(&[State::Alive, State::Suspect, State::Down]).unwrap();
            let verdict = *dice.pick(&[Verdict::Unknown, Verdict::Heard, Verdict::NotHeard]).unwrap();
            let probe = 0;
            let messages = [
                foca::Message::Announce,
                foca::Message::Ping(probe),
                foca::Message::TurnUndead,
                foca::Message::PingReq { target: about, probe_number: probe },
                foca::Message::ForwardedAck { origin: about, probe_number: probe },
                foca::Message::IndirectAck { target: about, probe_number: probe },
            ];
            let refutations = u16::MAX - u16::try_from(dice.below(2)).unwrap();
            let entries = vec![Record::new(about.life(), "x".to_owned(), [address(dice.below(8))])];
            let frame = match dice.below(9) {
                0 => Frame::Ask { about, number },
                1 => Frame::Verdict { about, number, verdict },
                2 => Frame::Update { member: about, refutations, state },
                3 => Frame::Swim(packet(from, dice.pick(&messages).unwrap().clone())),
                4 => Frame::Digest(Box::new([dice.roll(); BUCKETS])),
                5 => Frame::Records { entries, wanted: number },
                6 => Frame::Leave(about),
                7 => Frame::Swim((0..dice.below(200)).map(|_| dice.roll().to_le_bytes()[0]).collect()),
                _ => Frame::Beat { number, heard: number, held: Duration::MAX, is_answer: number == 0 },
            };
            match dice.below(8) {
                0 => stage.ready(from),
                1 => stage.tick(),
                2 => stage.machine.handle_interrupted(life(from, 1), stage.now),
                3 => stage.machine.handle_resumed(life(from, 1), stage.now),
                _ => stage.hear(from, frame),
            }
            stage.effects();
            assert!(stage.machine.swim.timers() < 512, "seed {seed}");
            assert!(
                stage
                    .machine
                    .members()
                    .members
                    .iter()
                    .all(|member| member.node != NodeId::from_bytes([0; 32]))
            );
        }
    }
}
