//! Who is told of a newcomer, and by whom.

use std::collections::{BTreeMap, BTreeSet};

use foca::State;

use super::stage::{Stage, life, update};
use super::world::{address, id, number};
use crate::limits::{NEWCOMER_PAUSE, NEWCOMERS_PER_TICK, TOLD_BY_ALL_MAX};
use crate::membership::frame::Frame;
use crate::membership::sync::Record;
use crate::membership::{Effect, SessionEnd};

/// A stage with so many members beside it, and one place among them left out. All know of them.
fn with_members(count: usize, left_out: usize) -> Stage {
    let mut stage = Stage::new();
    (2..=count).filter(|node| *node != left_out).for_each(|node| stage.join(node));
    (0..2 + count / NEWCOMERS_PER_TICK).for_each(|_| drop(stage.tick_heard()));
    stage
}

/// Who is told that nodes are members, and who where they are, in so many ticks.
fn told_in(stage: &mut Stage, ticks: usize) -> [BTreeMap<usize, Vec<usize>>; 2] {
    let mut told = [BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new()];
    for effect in (0..ticks).flat_map(|_| stage.tick_heard()).collect::<Vec<_>>() {
        match effect {
            Effect::Send { to, frame: Frame::Update { member, state: State::Alive, .. } } => {
                told[0].entry(number(to)).or_default().push(number(member.node));
            }
            Effect::Send { to, frame: Frame::Records { entries, wanted: 0 } } => {
                let nodes = entries.iter().map(|record| number(record.life.node));
                told[1].entry(number(to)).or_default().extend(nodes);
            }
            _ => {}
        }
    }
    told
}

/// Who is told that a node is a member, and where it is, and nothing else. It itself is told where all others are.
fn told_of(stage: &mut Stage, newcomer: usize) -> BTreeSet<usize> {
    let [members, mut records] = told_in(stage, 2);
    records.remove(&newcomer);
    assert_eq!(members, records);
    assert!(members.values().all(|told| *told == [newcomer]), "{members:?}");
    members.into_keys().collect()
}

#[test]
fn in_a_small_cluster_everybody_tells_of_a_newcomer() {
    let mut stage = with_members(TOLD_BY_ALL_MAX - 1, 5);
    stage.join(5);
    let others: BTreeSet<usize> = (1..TOLD_BY_ALL_MAX).filter(|node| *node != 5).collect();
    assert_eq!(told_of(&mut stage, 5), others);
    assert_eq!(told_of(&mut stage, 5), BTreeSet::new(), "once");
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
        assert_eq!(told_of(&mut stage, newcomer), told, "place {place} on the ring");
    }
}

/// Others were faster: they say that it is there before there is a session with it.
#[test]
fn a_member_is_told_of_once_there_is_a_session_with_it() {
    let mut stage = with_members(4, 3);
    stage.hear(1, update(3, 1, State::Alive));
    assert_eq!(told_of(&mut stage, 3), BTreeSet::new(), "where it is nobody knows");
    stage.ready(3);
    let others = BTreeSet::from([1, 2, 4]);
    assert_eq!(told_of(&mut stage, 3), others);
}

/// A few at a time, and of those who come in one tick together.
#[test]
fn many_newcomers_are_told_of_one_after_another() {
    let mut stage = with_members(3, 0);
    let newcomers = 4..5 + 2 * NEWCOMERS_PER_TICK;
    newcomers.clone().for_each(|node| stage.join(node));
    let mut all = Vec::new();
    // The first is seen at once, and the others at the end of that tick.
    for count in [1, NEWCOMERS_PER_TICK, NEWCOMERS_PER_TICK] {
        let [mut members, mut records] = told_in(&mut stage, 1);
        let told = members.remove(&1).unwrap();
        assert_eq!((told.len(), records.remove(&1)), (count, Some(told.clone())));
        all.extend(told);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(newcomers));
}

#[test]
fn a_member_whose_session_begins_again_and_again_is_told_of_now_and_then() {
    let mut stage = with_members(4, 0);
    let again = |stage: &mut Stage| {
        stage.machine.handle_ended(life(3, 1), SessionEnd::Lost, stage.now);
        stage.ready(3);
        told_of(stage, 3)
    };
    assert_eq!([(); 3].map(|()| again(&mut stage)), [(); 3].map(|()| BTreeSet::new()), "all know it");
    let end = stage.now + NEWCOMER_PAUSE;
    while stage.now < end {
        stage.tick_heard();
    }
    assert_eq!(again(&mut stage), BTreeSet::from([1, 2, 4]));
}

/// The former one is believed until the later one says that it is a member; that it lives is not so.
#[test]
fn of_a_life_that_the_session_is_not_with_nobody_is_told() {
    let mut stage = with_members(4, 0);
    let end = stage.now + NEWCOMER_PAUSE;
    while stage.now < end {
        stage.tick_heard();
    }
    stage.ready_in(life(3, 2));
    assert_eq!(told_of(&mut stage, 3), BTreeSet::new());
}

/// Who is next to it on the ring of all may be just as new, or made up.
#[test]
fn who_has_a_session_is_told_whoever_else_there_is() {
    let mut stage = with_members(4, 3);
    (100..200).for_each(|made_up| stage.hear(1, update(made_up, 1, State::Alive)));
    stage.tick_heard();
    stage.join(3);
    assert_eq!(told_of(&mut stage, 3), BTreeSet::from([1, 2, 4]));
}

/// It may have come back there, and its session here not know it yet.
#[test]
fn where_a_later_life_of_a_peer_is_said_to_be_is_noted() {
    let mut stage = with_members(4, 0);
    let record = |incarnation| Record::new(life(3, incarnation), "later".to_owned(), vec![address(7)]);
    for (incarnation, is_noted) in [(9, true), (0, false)] {
        stage.hear(1, Frame::Records { entries: vec![record(incarnation)], wanted: 0 });
        let noted = stage.effects().into_iter().find_map(|effect| match effect {
            Effect::NoteElsewhere { node, addresses } => Some((number(node), addresses)),
            _ => None,
        });
        assert_eq!(noted, is_noted.then(|| (3, vec![address(7)])));
    }
}

/// What was said of it while its session lasted did not count.
#[test]
fn a_later_life_counts_once_the_session_is_lost_and_somebody_is_asked_where_it_is() {
    let mut stage = with_members(2, 0);
    stage.hear(1, update(2, 9, State::Alive));
    let lives = |stage: &Stage| {
        let members = stage.machine.members().members;
        members
            .iter()
            .filter(|member| number(member.node) == 2)
            .map(|m| m.incarnation.as_u64())
            .collect::<Vec<_>>()
    };
    stage.tick_heard();
    assert_eq!(lives(&stage), [1]);
    stage.hear(1, update(2, 1, State::Down));
    let mut effects = stage.tick_heard();
    effects.extend(stage.tick_heard());
    assert_eq!(lives(&stage), [9]);
    let asks =
        |effect: &Effect| matches!(effect, Effect::Send { frame: Frame::Records { wanted: 1.., .. }, .. });
    assert!(effects.iter().any(asks), "{effects:?}");
    assert!(
        !effects.iter().any(|effect| matches!(effect, Effect::Dial { .. })),
        "not where it was: {effects:?}"
    );
}
