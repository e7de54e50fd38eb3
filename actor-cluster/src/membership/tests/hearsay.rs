//! What others say of a member, and of this node, and what its own word is worth.

use foca::State;

use super::stage::{Stage, gossip, life, member, packet, update};
use super::world::{address, id};
use crate::limits::{DOWN_KEPT, MEMBERSHIP_TERM_STEP_MAX};
use crate::membership::codec::Packet;
use crate::membership::events::MemberEvent;
use crate::membership::frame::Frame;
use crate::membership::identity::Identity;
use crate::membership::swim::LEFT;
use crate::membership::sync::Record;
use crate::membership::{Effect, SessionEnd};

fn of(node: usize, term: u32) -> Identity {
    Identity::new(life(node, if node == 0 { 5 } else { 1 }), term)
}

fn down(node: usize, term: u32) -> Frame {
    Frame::Update { member: of(node, term), refutations: 0, state: State::Down }
}

/// What a node says of itself, in a term.
fn announce(node: usize, term: u32) -> Frame {
    let message = foca::Message::Announce;
    let header = foca::Header { src: of(node, term), src_incarnation: 0, dst: of(0, 0), message };
    Frame::Swim(Packet { header, members: Vec::new() }.encode().unwrap())
}

/// It would have to wait for an hour: a term beyond the greatest that there is, it cannot begin.
#[test]
fn nobody_talks_a_member_into_a_term_that_it_has_not_begun() {
    let mut stage = Stage::new();
    stage.join(2);
    assert_eq!(stage.view(), [1, 2]);
    for term in [1, 64, 1 << 20, u32::MAX - 1, u32::MAX] {
        stage.hear(1, down(2, term));
        stage.hear(1, gossip(1, vec![foca::Member::new(of(2, term), 0, State::Down)]));
    }
    stage.hear(1, Frame::Update { member: of(2, 0), refutations: LEFT, state: State::Down });
    assert_eq!(stage.view(), [1, 2], "its session knows better");
    assert_eq!(stage.machine.swim.find(id(2)), Some(of(2, 0)));
    stage.hear(2, announce(2, 700));
    stage.hear(1, down(2, 699));
    assert_eq!(stage.view(), [1, 2], "it says itself that it has gone on");
    stage.hear(1, down(2, 700));
    assert_eq!(stage.view(), [1], "that much any member can say");
    stage.ready(2);
    stage.hear(2, announce(2, 701));
    assert_eq!(stage.view(), [1, 2]);
}

#[test]
fn terms_of_members_without_a_session_go_up_in_steps() {
    let mut stage = Stage::new();
    stage.hear(1, update(3, 1, State::Alive));
    assert_eq!(stage.view(), [1, 3]);
    stage.hear(1, down(3, u32::MAX));
    stage.hear(1, down(3, MEMBERSHIP_TERM_STEP_MAX + 1));
    assert_eq!(stage.view(), [1, 3]);
    stage.hear(1, down(3, MEMBERSHIP_TERM_STEP_MAX));
    assert_eq!(stage.view(), [1]);
}

/// A node that is new believes what it is told of others, until it has sessions with them.
#[test]
fn a_node_is_in_the_term_that_it_says_to_be_in() {
    let mut stage = Stage::new();
    let made_up = |state| Frame::Update { member: of(3, u32::MAX - 1), refutations: 0, state };
    stage.hear(1, made_up(State::Alive));
    stage.hear(1, made_up(State::Down));
    assert_eq!(stage.view(), [1]);
    stage.join(3);
    assert_eq!(stage.view(), [1, 3]);
    stage.hear(1, made_up(State::Down));
    assert_eq!(stage.view(), [1, 3]);
    let never = Frame::Update { member: of(4, u32::MAX), refutations: 0, state: State::Alive };
    stage.hear(1, never);
    assert_eq!(stage.view(), [1, 3], "nobody could go on from there");
}

/// The term in which this node says to be, in the last of its packets.
fn own_term(effects: &[Effect]) -> Option<u32> {
    let packets = effects.iter().rev().filter_map(|effect| match effect {
        Effect::Send { frame: Frame::Swim(packet), .. } => Packet::decode(packet).ok(),
        _ => None,
    });
    packets.map(|packet| packet.header.src.term).next()
}

#[test]
fn a_node_that_comes_back_goes_beyond_the_greatest_term_that_it_heard_of() {
    let mut stage = Stage::new();
    for term in [9, 3, MEMBERSHIP_TERM_STEP_MAX + 1, u32::MAX] {
        stage.hear(1, down(0, term));
    }
    assert!(!stage.effects().contains(&Effect::Tell(MemberEvent::Removed)), "it is not in that term");
    stage.hear(1, down(0, 0));
    assert!(stage.effects().contains(&Effect::Tell(MemberEvent::Removed)));
    let effects: Vec<Effect> = (0..16).flat_map(|_| stage.tick_heard()).collect();
    assert_eq!(own_term(&effects), Some(10));
}

/// Words about former and later terms of its own, which others may have.
#[test]
fn after_an_hour_a_node_knows_still_where_it_is_itself() {
    let mut stage = Stage::new();
    stage.hear(1, down(0, 1));
    stage.hear(1, gossip(1, vec![foca::Member::new(Identity::new(life(0, 4), 0), 0, State::Down)]));
    stage.tick();
    stage.machine.forget_the_long_gone(2 * DOWN_KEPT);
    assert_eq!(stage.machine.records.get(id(0)).map(|record| record.life), Some(life(0, 5)));
    assert_eq!(stage.machine.down.get(&id(0)), None);
}

#[test]
fn the_epoch_counts_names_and_addresses_too() {
    let mut stage = Stage::new();
    stage.hear(1, update(3, 1, State::Alive));
    stage.view();
    let epoch = |stage: &Stage| stage.machine.members().epoch;
    let before = epoch(&stage);
    let told = |name: &str, node: usize| {
        let entries = vec![Record::new(life(3, 1), name.to_owned(), [address(node)])];
        Frame::Records { entries, wanted: 0 }
    };
    stage.hear(1, told("c", 3));
    assert_eq!(epoch(&stage), before + 1);
    stage.hear(1, told("c", 3));
    assert_eq!(epoch(&stage), before + 1, "it is no news");
    stage.hear(1, told("c", 4));
    assert_eq!(epoch(&stage), before + 2);
    let stranger = Record::new(life(4, 1), "d".to_owned(), [address(4)]);
    stage.hear(1, Frame::Records { entries: vec![stranger], wanted: 0 });
    assert_eq!(epoch(&stage), before + 2, "nobody sees it");
    // Its own word, in a session: another name, and a session.
    stage.ready(3);
    assert_eq!(epoch(&stage), before + 4);
    let member = stage.machine.members().members.iter().find(|member| member.node == id(3)).cloned();
    assert_eq!(member.unwrap().name, "node-3");
}

/// What was said in a session that is lost as no member's is what others may say again.
#[test]
fn of_whoever_was_lost_others_may_say_where_it_is_now() {
    let mut stage = Stage::new();
    stage.join(2);
    assert_eq!(stage.view(), [1, 2]);
    stage.hear(1, down(2, 0));
    assert_eq!(stage.view(), [1]);
    stage.machine.handle_ended(life(2, 1), SessionEnd::Lost, stage.now);
    let elsewhere = Record::new(life(2, 2), "b".to_owned(), [address(9)]);
    stage.hear(1, Frame::Records { entries: vec![elsewhere.clone()], wanted: 0 });
    assert_eq!(stage.machine.records.get(id(2)), Some(&elsewhere));
}

/// A later life than any that there is would be dead for good, and would be where nobody is.
#[test]
fn nobody_makes_up_a_life_of_a_member_that_is_dead_or_elsewhere() {
    let mut stage = Stage::new();
    stage.hear(1, update(3, 1, State::Alive));
    assert_eq!(stage.view(), [1, 3]);
    let here = Record::new(life(3, 1), "c".to_owned(), [address(3)]);
    stage.hear(1, Frame::Records { entries: vec![here.clone()], wanted: 0 });
    stage.hear(1, update(3, u64::MAX, State::Down));
    stage.hear(1, update(3, u64::MAX, State::Suspect));
    let nowhere = Record::new(life(3, u64::MAX), "c".to_owned(), [address(9)]);
    stage.hear(1, Frame::Records { entries: vec![nowhere], wanted: 0 });
    assert_eq!(stage.view(), [1, 3]);
    assert_eq!(stage.machine.records.get(id(3)), Some(&here));
    stage.hear(1, update(3, 2, State::Alive));
    stage.hear(1, update(3, 2, State::Down));
    assert_eq!(stage.view(), [1], "of a life that has begun it is heard that it is over");
}

#[test]
fn whose_session_was_closed_on_purpose_is_dialled_in_its_next_life() {
    let mut stage = Stage::new();
    stage.join(2);
    assert_eq!(stage.view(), [1, 2]);
    stage.machine.handle_ended(life(2, 1), SessionEnd::Closed, stage.now);
    let dials = |stage: &mut Stage| {
        let effects = (0..16).flat_map(|_| stage.tick_heard()).collect::<Vec<_>>();
        effects.iter().filter(|effect| matches!(effect, Effect::Dial { .. })).count()
    };
    assert_eq!(dials(&mut stage), 0);
    stage.hear(1, update(2, 2, State::Alive));
    assert_eq!(dials(&mut stage), 0, "where it was nobody may answer");
    let here = Record::new(life(2, 2), "b".to_owned(), [address(2)]);
    stage.hear(1, Frame::Records { entries: vec![here], wanted: 0 });
    assert_eq!(dials(&mut stage), 1);
}

/// One that comes in a lesser life each time would have foca begin anew with each.
#[test]
fn of_lives_that_go_backwards_one_in_a_second_is_forgotten() {
    let mut stage = Stage::new();
    stage.join(2);
    assert_eq!(stage.view(), [1, 2]);
    let mut forgotten = Vec::new();
    for tick in 0..16 {
        stage.hear(1, update(2, 9, State::Alive));
        stage.machine.handle_ended(life(2, 1), SessionEnd::Lost, stage.now);
        stage.hear(1, update(2, 10 + tick, State::Alive));
        stage.ready(2);
        if stage.machine.swim.find(id(2)).is_none_or(|known| known.life() == life(2, 1)) {
            forgotten.push(tick);
        }
        stage.tick_heard();
    }
    assert_eq!(forgotten, [0, 8], "of sixteen in two seconds");
}

/// Whoever hears first that somebody is dead, and then that it lives, believes the second; whoever never knew it, neither.
#[test]
fn a_death_of_somebody_unknown_is_no_news() {
    let mut stage = Stage::new();
    stage
        .hear(1, gossip(1, vec![member(3, State::Down), member(4, State::Suspect), member(5, State::Alive)]));
    assert_eq!(stage.view(), [1, 5]);
    assert_eq!(stage.machine.swim.find(id(3)), None);
    stage.hear(3, Frame::Swim(packet(3, foca::Message::Announce)));
    assert_eq!(stage.view(), [1, 5], "there is no session with it");
}
