//! Seeds that are none, nodes that are too much alike, and peers that say what they should not.

use std::time::Duration;

use foca::State;

use super::stage::{Stage, life, packet, update};
use super::world::{Network, SECOND, World, address, id, number};
use crate::id::Incarnation;
use crate::limits::{
    ERRANDS_PER_PEER_MAX, HEARSAY_DIALS_MAX, MEMBERS_MAX, MEMBERSHIP_BACKLOG_MAX, MEMBERSHIP_TICK,
    RECORDS_MAX, SUSPICION_WINDOW,
};
use crate::membership::dice::Dice;
use crate::membership::events::{Clash, MemberEvent};
use crate::membership::frame::{Frame, Verdict};
use crate::membership::identity::Identity;
use crate::membership::swim::LEFT;
use crate::membership::sync::{BUCKETS, Record};
use crate::membership::{Dialled, Effect, SessionEnd, Target};

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

/// Something else is looked at in the moment before. Until its own accusation is, too, it is not known whether that was refuted.
#[test]
fn an_accusation_stands_though_a_look_came_just_before_it() {
    let mut stage = Stage::new();
    for node in [2, 3] {
        stage.ready(node);
        stage.hear(node, Frame::Swim(packet(node, foca::Message::Announce)));
    }
    assert_eq!(stage.view(), [1, 2, 3]);
    // All but one answer.
    let tick = |stage: &mut Stage| {
        stage.tick();
        let effects = stage.effects();
        for effect in &effects {
            if let Effect::Send { to, frame: Frame::Beat { number: beat, .. } } = effect
                && *to != id(3)
            {
                let (beat, held) = (*beat, Duration::ZERO);
                stage.hear(number(*to), Frame::Beat { number: beat, heard: beat, held, is_answer: true });
            }
        }
        effects
    };
    let question = |effect: &Effect| match effect {
        Effect::Send { frame: Frame::Ask { about, number }, .. } if about.node == id(3) => {
            Some((*about, *number))
        }
        _ => None,
    };
    let (about, number) =
        (0..40).find_map(|_| tick(&mut stage).iter().find_map(question)).expect("it is silent");
    stage.now = stage.now + Duration::from_millis(50);
    stage.hear(1, update(4, 1, State::Alive));
    assert!(stage.effects().iter().any(|effect| matches!(effect, Effect::Tell(MemberEvent::Joined(_)))));
    for helper in [1, 2] {
        stage.hear(helper, Frame::Verdict { about, number, verdict: Verdict::NotHeard });
    }
    let until = stage.now + SUSPICION_WINDOW + MEMBERSHIP_TICK;
    let mut told = Vec::new();
    while stage.now < until {
        told.extend(tick(&mut stage));
    }
    let is_lost = |effect: &Effect| matches!(effect, Effect::Tell(MemberEvent::Lost { member, .. }) if member.node == id(3));
    assert!(told.iter().any(is_lost), "{told:?}");
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

/// It would be deaf to the member, which would hear nobody any more and take all others for lost.
#[test]
fn nobody_says_of_another_that_it_has_left_while_there_is_a_session_with_it() {
    let mut stage = Stage::new();
    stage.ready(2);
    stage.hear(2, Frame::Swim(packet(2, foca::Message::Announce)));
    assert_eq!(stage.view(), [1, 2]);
    stage.effects();
    let member = Identity::new(life(2, 1), 0);
    let lie = Frame::Update { member, refutations: LEFT, state: State::Down };
    let packet_with_lie = || {
        let (src, dst) = (Identity::new(life(1, 1), 0), Identity::new(life(0, 5), 0));
        let header = foca::Header { src, src_incarnation: 0, dst, message: foca::Message::Gossip };
        let members = vec![foca::Member::new(member, LEFT, State::Down)];
        Frame::Swim(crate::membership::codec::Packet { header, members }.encode().unwrap())
    };
    let said = |stage: &mut Stage| {
        stage.hear(1, lie.clone());
        stage.hear(1, packet_with_lie());
        stage.view()
    };
    assert_eq!(said(&mut stage), [1, 2]);
    stage.machine.handle_interrupted(life(2, 1), stage.now);
    assert_eq!(said(&mut stage), [1, 2], "the session may find other streams");
    stage.machine.handle_resumed(life(2, 1), stage.now);
    stage.effects();
    stage.hear(2, Frame::Beat { number: 1, heard: 0, held: Duration::ZERO, is_answer: false });
    stage.tick();
    stage.tick();
    let effects = stage.effects();
    let beats =
        |effect: &Effect| matches!(effect, Effect::Send { to, frame: Frame::Beat { .. } } if *to == id(2));
    assert!(effects.iter().any(beats), "it is heard, and beaten to: {effects:?}");
    let ends = |effect: &Effect| matches!(effect, Effect::End { .. } | Effect::Tell(MemberEvent::Left(_)));
    assert!(!effects.iter().any(ends), "{effects:?}");
    // Once the session is over, it is believed.
    stage.machine.handle_ended(life(2, 1), SessionEnd::Lost, stage.now);
    assert_eq!(said(&mut stage), [1]);
    assert!(stage.effects().iter().any(|effect| matches!(effect, Effect::Tell(MemberEvent::Left(_)))));
}

/// Whoever says so itself is heard for as long as its session lasts, and not dialled when that is lost.
#[test]
fn who_says_that_it_leaves_and_stays_is_heard_and_comes_back_as_another_member() {
    let mut stage = Stage::new();
    stage.ready(2);
    stage.hear(2, Frame::Swim(packet(2, foca::Message::Announce)));
    assert_eq!(stage.view(), [1, 2]);
    stage.hear(2, Frame::Leave(Identity::new(life(2, 1), 0)));
    assert_eq!(stage.view(), [1]);
    assert_eq!(stage.machine.peer_life(id(2)), Some(life(2, 1)));
    assert!(stage.effects().iter().all(|effect| !matches!(effect, Effect::End { .. })));
    let (src, dst) = (Identity::new(life(2, 1), 1), Identity::new(life(0, 5), 0));
    let header = foca::Header { src, src_incarnation: 0, dst, message: foca::Message::Announce };
    let announce = crate::membership::codec::Packet { header, members: Vec::new() };
    stage.hear(2, Frame::Swim(announce.encode().unwrap()));
    assert_eq!(stage.view(), [1, 2]);
    let told = stage
        .effects()
        .into_iter()
        .filter(|effect| matches!(effect, Effect::Tell(MemberEvent::Joined(_) | MemberEvent::Ready(_))));
    assert_eq!(told.count(), 2);
    stage.hear(2, Frame::Leave(src));
    assert_eq!(stage.view(), [1]);
    stage.machine.handle_ended(life(2, 1), SessionEnd::Lost, stage.now);
    assert_eq!(stage.machine.peer_life(id(2)), None);
    (0..2000).for_each(|_| stage.tick());
    let dials =
        |effect: &Effect| matches!(effect, Effect::Dial { target, .. } if *target == Target::Node(id(2)));
    assert!(!stage.effects().iter().any(dials), "it has left");
}

/// Members that there are not, each at sixteen addresses of somebody who is none of this cluster, elsewhere every moment.
#[test]
fn strangers_are_dialled_at_a_rate_whatever_a_peer_makes_up() {
    let mut stage = Stage::new();
    let mut dialled = 0;
    let mut dials = Vec::new();
    let rounds = 2000;
    let begun = stage.now;
    for round in 0..rounds {
        let node = 10 + round % 100;
        let there = (0..16).map(|number| address(100_000 + 16 * round + number));
        let record = Record::new(life(node, 1), format!("n{round:05}"), there);
        let states = [State::Alive, State::Down];
        let incarnation = 1 + u64::try_from(round / 200).unwrap();
        stage.hear(1, update(node, incarnation, states[round / 100 % 2]));
        stage.machine.handle_told(id(node), &record.addresses, stage.now);
        stage.hear(1, Frame::Records { entries: vec![record], wanted: 0 });
        stage.tick();
        for effect in stage.effects() {
            if let Effect::Dial { target, addresses } = effect {
                dialled += addresses.len();
                dials.push(target);
            }
        }
        for target in dials.drain(..) {
            stage.machine.handle_dialled(target, &Dialled::Failed("no".to_owned()), stage.now);
        }
        for effect in stage.effects() {
            if let Effect::Dial { target, addresses } = effect {
                dialled += addresses.len();
                dials.push(target);
            }
        }
        stage.hear(
            1,
            Frame::Beat {
                number: u32::try_from(round).unwrap(),
                heard: u32::try_from(round).unwrap() / 2,
                held: Duration::ZERO,
                is_answer: true,
            },
        );
    }
    let seconds = (stage.now - begun).as_secs();
    let most = crate::limits::HEARSAY_ADDRESSES_MAX + usize::try_from(seconds + 1).unwrap() * 4;
    assert!(
        seconds >= 240 && (crate::limits::HEARSAY_ADDRESSES_MAX..=most).contains(&dialled),
        "{dialled} in {seconds} s"
    );
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
    stage.effects();
    let mut effects = Vec::new();
    for node in 10..10 + 2 * MEMBERS_MAX {
        stage.hear(1, update(node, 1, if node % 2 == 0 { State::Alive } else { State::Down }));
        let record = Record::new(life(node, 1), format!("n{node}"), [address(node)]);
        stage.hear(1, Frame::Records { entries: vec![record], wanted: 0 });
        stage.machine.handle_told(id(node), &[address(node)], stage.now);
        stage.hear(1, Frame::Ask { about: Identity::new(life(1, 1), 0), number: 7 });
        if node % 64 == 0 {
            effects.extend(stage.effects());
            effects.extend(stage.tick_heard());
        }
    }
    (0..8).for_each(|_| effects.extend(stage.tick_heard()));
    let swim = &stage.machine.swim;
    assert_eq!(swim.all().len(), MEMBERS_MAX, "the last ones have found no place");
    assert_eq!(stage.machine.members().members.len(), MEMBERS_MAX);
    assert_eq!(stage.machine.records.len(), RECORDS_MAX, "nor have they here");
    assert!(swim.backlog() <= MEMBERSHIP_BACKLOG_MAX, "{}", swim.backlog());
    assert!(swim.timers() <= 16, "{}", swim.timers());
    assert_eq!((stage.machine.errands.len(), stage.machine.down.len()), (0, 0));
    let count = |is: fn(&Effect) -> bool| effects.iter().filter(|effect| is(effect)).count();
    assert_eq!(
        count(|effect| matches!(effect, Effect::Dial { .. })),
        HEARSAY_DIALS_MAX,
        "none of them ends here"
    );
    let joined = |effect: &Effect| matches!(effect, Effect::Tell(MemberEvent::Joined(_)));
    assert_eq!(count(joined), MEMBERS_MAX - 1, "each once");
    let lost =
        |effect: &Effect| matches!(effect, Effect::Tell(MemberEvent::Lost { .. }) | Effect::End { .. });
    assert_eq!(count(lost), 0);
    let verdicts = |effect: &Effect| matches!(effect, Effect::Send { frame: Frame::Verdict { .. }, .. });
    assert_eq!(count(verdicts), 2 * MEMBERS_MAX, "questions are cheap");
}

/// Anything in any order, from members and others: nothing panics, nothing grows beyond its bound.
#[test]
fn nonsense_does_no_harm() {
    for seed in 0..20 {
        let mut dice = Dice::new(seed);
        let mut stage = Stage::new();
        stage.effects();
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
            let most = match dice.below(8) {
                0 => {
                    stage.ready(from);
                    EFFECTS_OF_A_SESSION
                }
                1 => {
                    stage.tick();
                    EFFECTS_OF_A_TICK
                }
                2 => {
                    stage.machine.handle_interrupted(life(from, 1), stage.now);
                    0
                }
                3 => {
                    stage.machine.handle_resumed(life(from, 1), stage.now);
                    0
                }
                _ => {
                    stage.hear(from, frame);
                    EFFECTS_OF_A_WORD
                }
            };
            let effects = stage.effects();
            assert!(effects.len() <= most, "seed {seed}: {effects:?}");
            assert_sound(&stage, seed);
        }
        assert_lives(&mut stage, seed);
    }
}

/// A word is answered, or tells of a change all six peers, three more by foca, and those who listen here.
const EFFECTS_OF_A_WORD: usize = 16;
const EFFECTS_OF_A_TICK: usize = 64;
const EFFECTS_OF_A_SESSION: usize = 24;

/// What holds whatever is said of seven nodes, by six of them.
fn assert_sound(stage: &Stage, seed: u64) {
    let machine = &stage.machine;
    assert!(machine.swim.timers() <= 64, "seed {seed}: {}", machine.swim.timers());
    assert!(machine.swim.backlog() <= 7, "seed {seed}: {}", machine.swim.backlog());
    assert_eq!(machine.swim.find(id(0)), None, "seed {seed}: it is no member of its own");
    assert!(machine.swim.all().len() <= 7, "seed {seed}");
    assert!(machine.down.len() <= 7 && machine.errands.len() <= 6 * ERRANDS_PER_PEER_MAX, "seed {seed}");
    assert!(
        machine.members().members.iter().all(|member| (1..8).contains(&number(member.node))),
        "seed {seed}"
    );
    let own = machine.records.get(id(0)).map(|record| (record.life, &record.name[..], &record.addresses[..]));
    assert_eq!(own, Some((life(0, 5), "a", &[address(0)][..])), "seed {seed}");
    assert!(machine.records.len() <= 8, "seed {seed}");
}

/// Whoever comes then finds a node that works.
fn assert_lives(stage: &mut Stage, seed: u64) {
    // It may have been declared down, and waits to come back.
    (0..8 * 11).for_each(|_| stage.tick());
    stage.join(9);
    assert!(stage.view().contains(&9), "seed {seed}");
    stage.effects();
    stage.hear(9, Frame::Ask { about: Identity::new(life(99, 1), 0), number: 7 });
    assert_eq!(stage.effects().len(), 1, "seed {seed}");
}
