//! Peers that say much, and ask for much: what it costs is bounded, and nobody else pays for it.

use std::collections::BTreeSet;
use std::time::Duration;

use foca::State;

use super::stage::{Stage, gossip, life, member, packet, update};
use super::world::{address, id};
use crate::id::NodeId;
use crate::limits::{
    ERRANDS_PER_PEER_MAX, MEMBERS_MAX, MEMBERSHIP_BACKLOG_MAX, MEMBERSHIP_EFFECTS_MAX,
    MEMBERSHIP_FRAME_BYTES_MAX, MEMBERSHIP_PACKETS_MAX, MEMBERSHIP_PACKETS_PER_TICK, MEMBERSHIP_WORDS_MAX,
    MEMBERSHIP_WORDS_PER_TICK, RECORDS_MAX, STRANGERS_KEPT,
};
use crate::membership::Effect;
use crate::membership::frame::{Frame, Verdict};
use crate::membership::identity::Identity;
use crate::membership::sync::{BUCKETS, Record};

/// What is said to a node of where members are: for each frame, of whom, and its length.
fn records_to(node: usize, effects: &[Effect]) -> Vec<(Vec<NodeId>, usize)> {
    let frames = effects.iter().filter_map(|effect| match effect {
        Effect::Send { to, frame } if *to == id(node) => Some(frame),
        _ => None,
    });
    let told = frames.filter_map(|frame| match frame {
        Frame::Records { entries, .. } => {
            let nodes = entries.iter().map(|record| record.life.node).collect();
            Some((nodes, frame.clone().encode().len()))
        }
        _ => None,
    });
    told.collect()
}

/// Three hundred that nobody has seen, with as many addresses as may be, each as long as may be.
fn stage_with_phantoms() -> Stage {
    let mut stage = Stage::new();
    let long = "x".repeat(crate::limits::ADDRESS_BYTES_MAX - 10);
    for node in 100..400 {
        stage.hear(1, update(node, 1, State::Alive));
        let addresses = (10..26).map(|number| format!("pipe://{number}{long}").parse().unwrap());
        let record = Record::new(life(node, 1), "phantom".to_owned(), addresses);
        stage.hear(1, Frame::Records { entries: vec![record], wanted: 0 });
    }
    stage.tick();
    assert_eq!(stage.machine.members().members.len(), 301);
    stage.effects();
    stage
}

/// Whoever asks again and again for everything, and two honest nodes that tell each other of what a third has made up.
#[test]
fn where_members_are_is_told_a_portion_in_a_tick_and_everything_in_the_end() {
    let mut stage = stage_with_phantoms();
    stage.join(2);
    (0..1000).for_each(|_| stage.hear(2, Frame::Records { entries: Vec::new(), wanted: u32::MAX }));
    (0..100).for_each(|_| stage.hear(2, Frame::Digest(Box::new([7; BUCKETS]))));
    let mut told = Vec::new();
    let first = records_to(2, &stage.effects());
    assert_eq!(first.len(), 1, "in the tick in which it is asked for");
    told.extend(first);
    loop {
        let portion = records_to(2, &stage.tick_heard());
        assert!(portion.len() <= 1, "{} frames in a tick", portion.len());
        if portion.is_empty() {
            break;
        }
        told.extend(portion);
    }
    assert!(told.iter().all(|(_, bytes)| *bytes <= MEMBERSHIP_FRAME_BYTES_MAX));
    let times =
        |node: usize| told.iter().flat_map(|(nodes, _)| nodes).filter(|told| **told == id(node)).count();
    // Once for the session that is new, and once for all that it asked since.
    for node in [0, 1].into_iter().chain(100..400) {
        assert_eq!(times(node), 2, "node {node}");
    }
    let bytes: usize = told.iter().map(|(_, bytes)| bytes).sum();
    assert!(bytes < 2 * 300 * 2300, "{bytes}");
}

/// What is asked for while it is told is told from its beginning, and what two know differently is asked for in return.
#[test]
fn what_is_asked_for_late_is_not_left_out() {
    let mut stage = stage_with_phantoms();
    stage.join(2);
    stage.tick_heard();
    stage.hear(2, Frame::Digest(Box::new([7; BUCKETS])));
    let effects: Vec<Effect> = (0..200).flat_map(|_| stage.tick_heard()).collect();
    let wanted = effects.iter().filter_map(|effect| match effect {
        Effect::Send { to, frame: Frame::Records { wanted, .. } } if *to == id(2) && *wanted != 0 => {
            Some(*wanted)
        }
        _ => None,
    });
    assert_eq!(wanted.collect::<Vec<_>>(), [0xffff], "once, of all that differs");
    let told: BTreeSet<NodeId> = records_to(2, &effects).into_iter().flat_map(|(nodes, _)| nodes).collect();
    assert!([0, 1].into_iter().chain(100..400).all(|node| told.contains(&id(node))));
}

fn packets_to(node: usize, effects: &[Effect]) -> usize {
    let is_packet =
        |effect: &&Effect| matches!(effect, Effect::Send { to, frame: Frame::Swim(_) } if *to == id(node));
    effects.iter().filter(is_packet).count()
}

#[test]
fn so_many_packets_of_a_peer_are_answered_in_a_tick() {
    let mut stage = Stage::new();
    stage.join(2);
    stage.tick();
    stage.effects();
    let saved = MEMBERSHIP_PACKETS_MAX;
    (0..10_000).for_each(|_| stage.hear(2, Frame::Swim(packet(2, foca::Message::Announce))));
    assert_eq!(packets_to(2, &stage.effects()), saved);
    for _ in 0..20 {
        stage.tick_heard();
        (0..1000).for_each(|_| stage.hear(2, Frame::Swim(packet(2, foca::Message::Announce))));
        assert_eq!(packets_to(2, &stage.effects()), MEMBERSHIP_PACKETS_PER_TICK);
    }
    // Others are heard as ever.
    stage.hear(1, Frame::Swim(packet(1, foca::Message::Ping(7))));
    assert_eq!(packets_to(1, &stage.effects()), 1);
}

#[test]
fn so_many_words_of_a_peer_are_answered() {
    let mut stage = Stage::new();
    stage.join(2);
    stage.tick();
    stage.effects();
    let nobody = Identity::new(life(9, 1), 0);
    (0..100_000).for_each(|number| stage.hear(2, Frame::Ask { about: nobody, number }));
    assert_eq!(stage.effects().len(), MEMBERSHIP_WORDS_MAX);
    stage.tick();
    stage.effects();
    (0..100_000).for_each(|number| stage.hear(2, Frame::Ask { about: nobody, number }));
    assert_eq!(stage.effects().len(), MEMBERSHIP_WORDS_PER_TICK);
}

/// The shell may be kept from carrying out what is asked for.
#[test]
fn nothing_is_heard_while_too_much_is_to_be_done() {
    let mut stage = Stage::new();
    (2..9).for_each(|node| stage.join(node));
    stage.tick();
    let nobody = Identity::new(life(99, 1), 0);
    for node in 2..9 {
        (0..10_000).for_each(|number| stage.hear(node, Frame::Ask { about: nobody, number }));
    }
    assert_eq!(stage.effects().len(), MEMBERSHIP_EFFECTS_MAX);
    stage.hear(1, Frame::Ask { about: nobody, number: 7 });
    let verdict = Frame::Verdict { about: nobody, number: 7, verdict: Verdict::Unknown };
    assert_eq!(stage.effects(), [Effect::Send { to: id(1), frame: verdict }]);
}

#[test]
fn whoever_asks_for_others_gets_so_many_errands() {
    let mut stage = Stage::new();
    (2..9).for_each(|node| stage.join(node));
    stage.tick();
    let is_neighbour = |stage: &Stage, node: usize| stage.machine.peers[&id(node)].is_neighbour;
    let about = (1..9).find(|node| !is_neighbour(&stage, *node)).unwrap();
    let about = Identity::new(life(about, 1), 0);
    for asker in [2, 3] {
        (0..1000).for_each(|number| stage.hear(asker, Frame::Ask { about, number }));
    }
    assert_eq!(stage.machine.errands.len(), 2 * ERRANDS_PER_PEER_MAX);
}

/// How often all were told that this node lives, and how often it has refuted as it said.
fn refutations(effects: &[Effect]) -> Vec<u16> {
    let own = Identity::new(life(0, 5), 0);
    let said = effects.iter().filter_map(|effect| match effect {
        Effect::Send { frame: Frame::Update { member, refutations, state: State::Alive }, .. } => {
            (*member == own).then_some(*refutations)
        }
        _ => None,
    });
    said.collect()
}

#[test]
fn suspicions_of_this_node_are_refuted_once_in_a_tick() {
    let mut stage = Stage::new();
    (2..5).for_each(|node| stage.join(node));
    stage.tick();
    stage.effects();
    let suspicion = |refutations| Frame::Update {
        member: Identity::new(life(0, 5), 0),
        refutations,
        state: State::Suspect,
    };
    (0..100).for_each(|refutations| stage.hear(1, suspicion(refutations)));
    let effects = stage.effects();
    assert_eq!(refutations(&effects), [1; 4], "to each of four peers");
    assert!(effects.len() <= 4 + 3, "beside foca's own: {}", effects.len());
    assert_eq!(refutations(&stage.tick_heard()), [100; 4], "the others in the next tick");
    assert_eq!(refutations(&stage.tick_heard()), []);
    assert_eq!(stage.machine.health.multiplier(), 2, "it was suspected in this second, and that is all");
    // One that cannot be refuted is as good as a removal.
    stage.hear(1, suspicion(u16::MAX - 1));
    let removed = Effect::Tell(crate::membership::events::MemberEvent::Removed);
    assert!(stage.effects().contains(&removed));
}

/// Of whom nothing is known, nothing is told on; and what is told on is bounded.
#[test]
fn changes_of_nodes_that_were_never_there_are_not_told_on_and_on() {
    let mut stage = Stage::new();
    let (known, backlog) = (stage.machine.swim.all().len(), stage.machine.swim.backlog());
    for round in 0..20 {
        let states = [State::Down, State::Suspect];
        let strangers = (0..340).map(|node| member(1000 + 340 * round + node, states[node % 2]));
        stage.hear(1, gossip(1, strangers.collect()));
    }
    assert_eq!((stage.machine.swim.all().len(), stage.machine.swim.backlog()), (known, backlog));
    let mut stage = Stage::new();
    let wave = |stage: &mut Stage, first: usize, state: State| {
        for part in 0..4 {
            let members = (0..256).map(|node| member(first + 256 * part + node, state));
            stage.hear(1, gossip(1, members.collect()));
        }
        // So that it looks, and knows who is down.
        stage.now = stage.now + Duration::from_millis(25);
        stage.hear(1, update(1, 1, State::Alive));
    };
    wave(&mut stage, 10_000, State::Alive);
    assert_eq!(stage.machine.swim.all().len(), MEMBERS_MAX);
    wave(&mut stage, 10_000, State::Down);
    assert_eq!(stage.machine.down.len(), MEMBERS_MAX - 1);
    wave(&mut stage, 20_000, State::Alive);
    assert_eq!(stage.machine.swim.backlog(), MEMBERSHIP_BACKLOG_MAX);
    assert_eq!(stage.machine.swim.all().len(), MEMBERS_MAX);
}

/// A table full of nodes that were never there: whoever has a session gets in.
#[test]
fn whoever_has_a_session_displaces_a_member_that_has_none() {
    let mut stage = Stage::new();
    for part in 0..4 {
        let phantoms = (0..256).map(|node| member(1000 + 256 * part + node, State::Alive));
        stage.hear(1, gossip(1, phantoms.collect()));
    }
    assert_eq!(stage.view().len(), MEMBERS_MAX);
    stage.ready(2);
    stage.hear(2, Frame::Swim(packet_to_another(2)));
    assert!(!stage.view().contains(&2));
    assert_eq!(stage.view().len(), MEMBERS_MAX, "what is not meant for this node displaces nobody");
    stage.hear(2, Frame::Swim(packet(2, foca::Message::Announce)));
    let view = stage.view();
    assert_eq!((view.len(), view.contains(&1), view.contains(&2)), (MEMBERS_MAX, true, true));
}

fn packet_to_another(from: usize) -> Vec<u8> {
    let (src, dst) = (Identity::new(life(from, 1), 0), Identity::new(life(7, 1), 0));
    let header = foca::Header { src, src_incarnation: 0, dst, message: foca::Message::Gossip };
    crate::membership::codec::Packet { header, members: Vec::new() }.encode().unwrap()
}

#[test]
fn where_strangers_are_is_forgotten_in_time() {
    let mut stage = Stage::new();
    for node in 0..2 * RECORDS_MAX {
        let record = Record::new(life(1000 + node, 1), String::new(), [address(node)]);
        stage.hear(1, Frame::Records { entries: vec![record], wanted: 0 });
    }
    assert_eq!(stage.machine.records.len(), RECORDS_MAX);
    stage.ready(2);
    assert!(stage.machine.records.get(id(2)).is_some(), "it displaces one");
    assert_eq!(stage.machine.records.len(), RECORDS_MAX);
    // It looks once a minute.
    let end = stage.now + STRANGERS_KEPT + Duration::from_secs(60);
    while stage.now < end {
        stage.tick_heard();
    }
    let left: Vec<NodeId> = stage.machine.records.iter().map(|record| record.life.node).collect();
    assert_eq!(left.len(), 3, "its own, and those of its peers");
    assert!([0, 1, 2].into_iter().all(|node| left.contains(&id(node))));
}
