//! Who is told of a newcomer, and by whom.

use std::collections::BTreeSet;

use foca::State;

use super::stage::{Stage, update};
use super::world::{id, number};
use crate::limits::TOLD_BY_ALL_MAX;
use crate::membership::Effect;
use crate::membership::frame::Frame;

/// A stage with so many members beside it, and one place among them left out.
fn with_members(count: usize, left_out: usize) -> Stage {
    let mut stage = Stage::new();
    (2..=count).filter(|node| *node != left_out).for_each(|node| stage.join(node));
    stage.tick();
    stage.effects();
    stage
}

/// Who is told that a node is a member, and who where it is.
fn told_of(stage: &mut Stage, newcomer: usize) -> [BTreeSet<usize>; 2] {
    stage.tick();
    let mut told = [BTreeSet::new(), BTreeSet::new()];
    for effect in stage.effects() {
        match effect {
            Effect::Send { to, frame: Frame::Update { member, state: State::Alive, .. } } => {
                assert_eq!(number(member.node), newcomer);
                told[0].insert(number(to));
            }
            Effect::Send { to, frame: Frame::Records { entries, .. } } if number(to) != newcomer => {
                assert_eq!(
                    entries.iter().map(|record| number(record.life.node)).collect::<Vec<_>>(),
                    [newcomer]
                );
                told[1].insert(number(to));
            }
            _ => {}
        }
    }
    told
}

#[test]
fn in_a_small_cluster_everybody_tells_of_a_newcomer() {
    let mut stage = with_members(TOLD_BY_ALL_MAX - 1, 5);
    stage.join(5);
    let others: BTreeSet<usize> = (1..TOLD_BY_ALL_MAX).filter(|node| *node != 5).collect();
    assert_eq!(told_of(&mut stage, 5), [others.clone(), others]);
    assert_eq!(told_of(&mut stage, 5), [BTreeSet::new(), BTreeSet::new()], "once");
}

#[test]
fn in_a_large_one_its_neighbours_do_and_others_tell_them() {
    // One more than in a small cluster: this node is one of them.
    let count = TOLD_BY_ALL_MAX;
    let mut ring: Vec<usize> = (0..=count).collect();
    ring.sort_by_key(|node| id(*node));
    let here = ring.iter().position(|node| *node == 0).unwrap();
    ring.rotate_left(here);
    for (place, tells_all) in [(2, true), (3, false), (count - 2, false), (count - 1, true)] {
        let newcomer = ring[place];
        let mut stage = with_members(count, newcomer);
        stage.join(newcomer);
        let near = [2, 1]
            .map(|step| ring[place - step])
            .into_iter()
            .chain(ring[place + 1..].iter().copied().take(2));
        let others = ring[1..].iter().copied().filter(|node| *node != newcomer);
        let told: BTreeSet<usize> = if tells_all { others.collect() } else { near.collect() };
        assert_eq!(told_of(&mut stage, newcomer), [told.clone(), told], "place {place} on the ring");
    }
}

/// Others were faster: they say that it is there before there is a session with it.
#[test]
fn a_member_is_told_of_once_there_is_a_session_with_it() {
    let mut stage = with_members(4, 3);
    stage.hear(1, update(3, 1, State::Alive));
    assert_eq!(told_of(&mut stage, 3), [BTreeSet::new(), BTreeSet::new()], "where it is nobody knows");
    stage.ready(3);
    let others = BTreeSet::from([1, 2, 4]);
    assert_eq!(told_of(&mut stage, 3), [others.clone(), others]);
}
